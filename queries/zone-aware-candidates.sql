-- question: Which services carry the most metered bytes between AZs, between whom, and so might gain by zone-aware routing?
-- answers:  one row per service, sender and receiver, most metered bytes first
-- params:   $limit BIGINT = 10
-- reads:    movements
-- caveat:   falsified where the far end is the only one, or holds state that is not in the client's own AZ
WITH pairs AS (
  SELECT
    -- one who has no service without the other; a million rows are told apart by numbers sooner than by texts
    CASE WHEN service_port IS NOT NULL THEN protocol END AS protocol,
    CASE WHEN protocol IS NOT NULL THEN service_port END AS service_port,
    coalesce(src_name, src_interface_id, src_addr)     AS src,
    coalesce(dst_name, dst_interface_id, dst_addr)     AS dst,
    category,
    region,
    sum(bytes)                                         AS bytes,
    sum(bytes * (src_ends + dst_ends))                 AS metered_bytes
  FROM movements
  WHERE src_az_id <> dst_az_id AND category IN ('direct', 'load-balancer', 'database', 'peering')
  GROUP BY 1, 2, 3, 4, category, region
  HAVING sum(bytes * (src_ends + dst_ends)) > 0
)
SELECT
  lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR) AS service,
  src,
  dst,
  category,
  region,
  bytes,
  metered_bytes
FROM pairs
ORDER BY metered_bytes DESC, service, src, dst, category
LIMIT $limit
