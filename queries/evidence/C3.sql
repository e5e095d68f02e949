-- statement: Every destination outside the VPC was contacted by way of the approved device.
-- reads:     connections_by_day, evidence_vpc_cidrs
SELECT
  cluster_arn,
  day,
  destination                                            AS subject,
  CASE
    WHEN verdict = 'wrong-path' THEN 'violation'
    WHEN path IS NULL THEN 'indeterminate'
    WHEN verdict = 'approved' THEN 'pass'
    ELSE 'indeterminate'
  END                                                    AS finding,
  CASE
    WHEN verdict = 'wrong-path' THEN 'it went ' || coalesce(path, 'an unknown way') || ', which its rule does not allow'
    WHEN path IS NULL THEN 'no record shows which way it went'
    WHEN verdict = 'approved' THEN 'it went ' || path
    WHEN verdict IS NULL THEN 'no policy was given that approves a way'
    ELSE 'no valid rule approves a way to it'
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
WHERE initiator = 'local' AND egress_records_accepted > 0
  AND NOT EXISTS (
    SELECT 1 FROM evidence_vpc_cidrs AS inside
    WHERE inside.cluster_arn = connections_by_day.cluster_arn AND cidr_contains(inside.cidr, connections_by_day.peer_addr)
  )
GROUP BY 1, 2, 3, 4, 5
