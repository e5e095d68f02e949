-- question: Which attempts did security groups or network ACLs stop, anywhere?
-- answers:  one row per interface, peer, port and protocol, most records first
-- params:   $limit BIGINT = 50
-- reads:    flows
-- controls: NIST 800-53 SC-7
SELECT
  interface_id,
  interface_kind,
  direction,
  peer_addr,
  CASE direction WHEN 'egress' THEN peer_port ELSE local_port END AS port,
  protocol,
  count(*)                                                  AS records,
  sum(packets)                                              AS packets,
  min(start_time)                                           AS first_seen,
  max(end_time)                                             AS last_seen
FROM flows
WHERE action = 'REJECT'
GROUP BY interface_id, interface_kind, direction, peer_addr, port, protocol
ORDER BY records DESC, interface_id, peer_addr, port
LIMIT $limit
