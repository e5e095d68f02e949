-- question: How many bytes did each control-plane interface exchange with each destination that its API server contacted?
-- answers:  one row per cluster ARN, interface, destination address and port
-- reads:    connections
SELECT
  cluster_arn,
  interface_id,
  peer_addr                                 AS dst_addr,
  peer_port                                 AS dst_port,
  join_distinct(peer_kind)                  AS dst_kind,
  join_distinct(peer_name)                  AS dst_name,
  sum(egress_bytes_accepted)                AS bytes_up,
  sum(ingress_bytes_accepted)               AS bytes_down
FROM connections
WHERE initiator = 'local'
GROUP BY cluster_arn, interface_id, peer_addr, peer_port
ORDER BY cluster_arn, dst_addr, dst_port, interface_id
