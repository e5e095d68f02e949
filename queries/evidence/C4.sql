-- statement: The API server contacted nothing on the public internet; public addresses of AWS services stand apart.
-- reads:     connections_by_day, evidence_given
SELECT
  cluster_arn,
  day,
  destination                                            AS subject,
  CASE
    WHEN is_private(peer_addr) THEN 'pass'
    WHEN aws_service(peer_addr) IS NOT NULL THEN 'pass'
    WHEN has_ip_ranges THEN 'violation'
    ELSE 'indeterminate'
  END                                                    AS finding,
  CASE
    WHEN is_private(peer_addr) THEN 'a private address'
    WHEN aws_service(peer_addr) IS NOT NULL THEN 'a public address of ' || aws_service(peer_addr)
    WHEN has_ip_ranges THEN 'a public address that is no AWS service''s'
    ELSE 'a public address; without ip-ranges.json it cannot be told whether it is an AWS service''s'
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
CROSS JOIN evidence_given
WHERE initiator = 'local' AND egress_records_accepted > 0
GROUP BY 1, 2, 3, 4, 5
