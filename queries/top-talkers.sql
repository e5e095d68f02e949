-- question: Which interfaces moved the most bytes?
-- answers:  one row per interface, largest first
-- params:   $limit BIGINT = 20
-- reads:    flows
-- caveat:   a packet between two logged interfaces counts at both; NODATA and SKIPDATA carry no bytes
SELECT
  interface_id,
  interface_kind,
  "cluster",
  sum(bytes) FILTER (WHERE direction = 'egress')            AS bytes_out,
  sum(bytes) FILTER (WHERE direction = 'ingress')           AS bytes_in,
  count(*)                                                  AS records
FROM flows
WHERE log_status = 'OK'
GROUP BY interface_id, interface_kind, "cluster"
ORDER BY sum(bytes) DESC NULLS LAST, interface_id
LIMIT $limit
