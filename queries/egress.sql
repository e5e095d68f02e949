-- question: Which destinations did each cluster's API server contact through the VPC, how, and with what outcome?
-- answers:  one row per cluster ARN, destination address, port and protocol
-- reads:    connections
-- controls: NIST 800-53 SC-7, AU-12
-- caveat:   in a cluster that is not CUSTOMER_ROUTED, destinations outside the VPC never pass through it
SELECT
  min(cluster)                                           AS cluster,
  cluster_arn,
  min(account_id)                                        AS account_id,
  min(region)                                            AS region,
  join_distinct(vpc_id)                                  AS vpc_id,
  peer_addr                                              AS dst_addr,
  peer_port                                              AS dst_port,
  protocol,
  join_distinct(peer_name)                               AS dst_name,
  join_distinct(peer_kind)                               AS dst_kind,
  join_distinct(path)                                    AS path,
  sum(egress_records_accepted)                           AS records_accepted,
  sum(egress_records_rejected)                           AS records_rejected,
  sum(egress_packets_accepted)                           AS packets_accepted,
  sum(egress_packets_rejected)                           AS packets_rejected,
  sum(egress_bytes_accepted)                             AS bytes_accepted,
  sum(egress_bytes_rejected)                             AS bytes_rejected,
  sum(ingress_packets_accepted)                          AS reply_packets,
  sum(ingress_bytes_accepted)                            AS reply_bytes,
  count(*)                                               AS connections,
  count(*) FILTER (WHERE outcome = 'answered')           AS answered,
  count(*) FILTER (WHERE outcome = 'unanswered')         AS unanswered,
  count(*) FILTER (WHERE outcome = 'refused')            AS refused,
  count(*) FILTER (WHERE outcome = 'rejected')           AS rejected,
  count(*) FILTER (WHERE outcome = 'reply-blocked')      AS reply_blocked,
  coalesce(min(egress_start_time), min(start_time))      AS first_seen,
  coalesce(max(egress_end_time), max(end_time))          AS last_seen,
  join_distinct(initiator_rule)                          AS initiator_rule,
  CASE max(CASE confidence WHEN 'certain' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END)
    WHEN 0 THEN 'certain' WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS confidence,
  first_value(first_line ORDER BY egress_start_time IS NULL, first_start_time, first_line)      AS first_line,
  last_value(last_line ORDER BY egress_start_time IS NOT NULL, last_start_time, last_line)      AS last_line,
  join_distinct(approved_by)                             AS approved_by,
  -- the worst one
  first_value(verdict ORDER BY array_position(
    ARRAY['unapproved', 'expired', 'too-early', 'wrong-path', 'indeterminate', 'approved'], verdict)) AS verdict
FROM connections
WHERE initiator = 'local'
GROUP BY cluster_arn, peer_addr, peer_port, protocol
ORDER BY cluster_arn, dst_addr, dst_port, protocol
