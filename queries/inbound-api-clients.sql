-- question: Who connected to the API servers through the VPC?
-- answers:  one row per cluster and client address, most bytes first
-- params:   $limit BIGINT = 50
-- reads:    connections
SELECT
  cluster,
  peer_addr                                                 AS client_addr,
  min(peer_kind)                                            AS client_kind,
  join_distinct(peer_name)                                  AS client_name,
  count(*)                                                  AS connections,
  sum(ingress_bytes_accepted)                               AS bytes_in,
  sum(egress_bytes_accepted)                                AS bytes_out,
  sum(ingress_records_rejected)                             AS records_rejected,
  min(start_time)                                           AS first_seen,
  max(end_time)                                             AS last_seen
FROM connections
WHERE initiator = 'peer'
GROUP BY cluster, peer_addr
ORDER BY bytes_in + bytes_out DESC, cluster, client_addr
LIMIT $limit
