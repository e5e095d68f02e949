-- statement: It is known which way the bytes to every destination went, and between which availability zones.
-- reads:     connections_by_day, evidence_vpc_cidrs, evidence_subnets, enis
SELECT
  opened.cluster_arn,
  opened.day,
  opened.destination                                     AS subject,
  CASE
    WHEN opened.path IS NULL THEN 'indeterminate'
    WHEN (inside.cluster_arn IS NOT NULL OR opened.path = 'vpc') AND (local_subnets.az_id IS NULL OR peer_subnets.az_id IS NULL) THEN 'indeterminate'
    ELSE 'pass'
  END                                                    AS finding,
  CASE
    WHEN opened.path IS NULL THEN 'no record shows which way it went'
    WHEN (inside.cluster_arn IS NOT NULL OR opened.path = 'vpc') AND (local_subnets.az_id IS NULL OR peer_subnets.az_id IS NULL)
      THEN 'the availability zone of an end is not known'
    WHEN inside.cluster_arn IS NULL THEN opened.path
    WHEN local_subnets.az_id = peer_subnets.az_id THEN 'within ' || local_subnets.az_id
    ELSE 'from ' || local_subnets.az_id || ' to ' || peer_subnets.az_id
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(opened.first_line ORDER BY opened.first_start_time, opened.first_line) AS first_line
FROM connections_by_day AS opened
LEFT JOIN evidence_vpc_cidrs AS inside ON inside.cluster_arn = opened.cluster_arn AND cidr_contains(inside.cidr, opened.peer_addr)
LEFT JOIN evidence_subnets AS local_subnets ON local_subnets.cluster_arn = opened.cluster_arn AND cidr_contains(local_subnets.cidr, opened.local_addr)
LEFT JOIN evidence_subnets AS peer_subnets ON peer_subnets.cluster_arn = opened.cluster_arn AND cidr_contains(peer_subnets.cidr, opened.peer_addr)
WHERE opened.initiator = 'local' AND opened.egress_records_accepted > 0
GROUP BY 1, 2, 3, 4, 5
