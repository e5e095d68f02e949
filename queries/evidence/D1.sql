-- statement: Every attempt of the API server that a security group or network ACL rejected is known and listed.
-- reads:     connections_by_day
SELECT
  cluster_arn,
  day,
  destination                                            AS subject,
  CASE WHEN egress_records_rejected > 0 OR outcome = 'reply-blocked' THEN 'noted' ELSE 'pass' END AS finding,
  CASE
    WHEN egress_records_rejected > 0 THEN 'rejected on its way out'
    WHEN outcome = 'reply-blocked' THEN 'the answer was rejected on its way in'
    ELSE 'not rejected'
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
WHERE initiator = 'local'
GROUP BY 1, 2, 3, 4, 5
