-- question: Of how many connections can nobody tell who opened them, and how much was decided by a handshake?
-- answers:  one row per cluster ARN; complementary counts SYN on one side with SYN-ACK on the other, among those with SYN bits
-- reads:    connections
SELECT
  cluster_arn,
  count(*) FILTER (WHERE initiator IS NULL)                                                               AS undecided,
  coalesce(sum(egress_bytes_accepted + egress_bytes_rejected) FILTER (WHERE initiator = 'local'), 0)      AS bytes,
  coalesce(sum(egress_bytes_accepted + egress_bytes_rejected)
    FILTER (WHERE initiator = 'local' AND confidence = 'certain'), 0)                                     AS bytes_certain,
  count(*) FILTER (WHERE protocol = 6 AND (egress_tcp_flags & 2 > 0 OR ingress_tcp_flags & 2 > 0))        AS with_syn,
  count(*) FILTER (WHERE initiator_rule = '1')                                                            AS complementary
FROM connections
GROUP BY cluster_arn
ORDER BY cluster_arn
