-- question: Which services carry the most metered bytes between AZs, between whom, and so might gain by zone-aware routing?
-- answers:  one row per service, sender and receiver, most metered bytes first
-- params:   $limit BIGINT = 10
-- reads:    movements
-- caveat:   falsified where the far end is the only one, or holds state that is not in the client's own AZ
SELECT
  lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR) AS service,
  coalesce(src_name, src_interface_id, src_addr)     AS src,
  coalesce(dst_name, dst_interface_id, dst_addr)     AS dst,
  category,
  region,
  sum(bytes)                                         AS bytes,
  sum(bytes * (src_ends + dst_ends))                 AS metered_bytes
FROM movements
WHERE src_az_id <> dst_az_id AND category IN ('direct', 'load-balancer', 'database', 'peering')
GROUP BY service, src, dst, category, region
HAVING sum(bytes * (src_ends + dst_ends)) > 0
ORDER BY metered_bytes DESC, service, src, dst, category
LIMIT $limit
