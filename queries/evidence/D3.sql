-- statement: Nobody opened a connection to a control-plane interface other than to the API server's port 443.
-- reads:     connections_by_day
SELECT
  cluster_arn,
  day,
  'port ' || local_port || ' from ' || peer_addr         AS subject,
  CASE WHEN local_port = 443 OR ingress_records_accepted = 0 THEN 'pass' ELSE 'violation' END AS finding,
  CASE
    WHEN local_port = 443 THEN 'to the API server'
    WHEN ingress_records_accepted = 0 THEN 'rejected'
    ELSE 'accepted at a port that is not the API server''s'
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
WHERE initiator = 'peer'
GROUP BY 1, 2, 3, 4, 5
