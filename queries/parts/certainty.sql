-- question: How much of what the API servers opened was decided by a handshake, and do the flags of this data set agree?
-- answers:  one row; complementary counts SYN on one side with SYN-ACK on the other, among connections with SYN bits
-- reads:    connections
SELECT
  coalesce(sum(egress_bytes_accepted + egress_bytes_rejected) FILTER (WHERE initiator = 'local'), 0)      AS bytes,
  coalesce(sum(egress_bytes_accepted + egress_bytes_rejected)
    FILTER (WHERE initiator = 'local' AND confidence = 'certain'), 0)                                     AS bytes_certain,
  count(*) FILTER (WHERE protocol = 6 AND (egress_tcp_flags & 2 > 0 OR ingress_tcp_flags & 2 > 0))        AS with_syn,
  count(*) FILTER (WHERE initiator_rule = '1')                                                            AS complementary
FROM connections
