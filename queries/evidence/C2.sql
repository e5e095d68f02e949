-- statement: Every destination that the API server contacted was on the approved list at the time.
-- reads:     connections_by_day
SELECT
  cluster_arn,
  day,
  destination                                            AS subject,
  CASE WHEN verdict = 'approved' THEN 'pass' WHEN verdict = 'indeterminate' OR verdict IS NULL THEN 'indeterminate'
    WHEN verdict = 'wrong-path' THEN 'pass' ELSE 'violation' END AS finding,
  CASE
    WHEN verdict = 'approved' OR verdict = 'wrong-path' THEN 'approved by ' || approved_by
    WHEN verdict = 'unapproved' THEN 'no rule approves it'
    WHEN verdict = 'expired' THEN 'the rule that would approve it had expired'
    WHEN verdict = 'too-early' THEN 'it was contacted before it was approved'
    WHEN verdict = 'indeterminate' THEN 'a reference of the policy that could approve it cannot be resolved at that time'
    WHEN verdict IS NULL THEN 'no policy was given'
    ELSE verdict
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
WHERE initiator = 'local' AND egress_records_accepted > 0
GROUP BY 1, 2, 3, 4, 5
