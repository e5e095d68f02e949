-- statement: Every attempt of the API server that was not answered is known and listed.
-- reads:     connections_by_day
SELECT
  cluster_arn,
  day,
  destination                                            AS subject,
  CASE
    WHEN outcome IN ('unanswered', 'refused', 'reply-blocked') THEN 'noted'
    WHEN outcome IS NULL THEN 'indeterminate'
    ELSE 'pass'
  END                                                    AS finding,
  coalesce(outcome, 'the outcome is not known')          AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
WHERE initiator = 'local' AND egress_records_accepted > 0
GROUP BY 1, 2, 3, 4, 5
