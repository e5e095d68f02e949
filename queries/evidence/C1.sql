-- statement: The list of destinations that the API server contacted is complete: for every connection it is decided who opened it.
-- reads:     connections_by_day
SELECT
  cluster_arn,
  day,
  destination                                            AS subject,
  CASE WHEN initiator IS NULL OR confidence IN ('low', 'none') THEN 'indeterminate' ELSE 'pass' END AS finding,
  CASE
    WHEN initiator IS NULL THEN 'neither handshake nor ports say who opened it'
    WHEN confidence IN ('low', 'none') THEN 'who opened it is decided with low confidence (rule ' || initiator_rule || ')'
    ELSE 'decided'
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
GROUP BY 1, 2, 3, 4, 5
