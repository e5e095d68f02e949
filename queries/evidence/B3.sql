-- statement: No record of a control-plane interface was lost (SKIPDATA).
-- reads:     coverage
SELECT
  cluster_arn,
  to_char(hour, '%Y-%m-%d')                              AS day,
  interface_id                                           AS subject,
  CASE
    WHEN records_skipdata > 0 THEN 'violation'
    WHEN state IN ('OK', 'NODATA') THEN 'pass'
    ELSE 'indeterminate'
  END                                                    AS finding,
  CASE
    WHEN records_skipdata > 0 THEN 'AWS recorded that records were lost'
    WHEN state IN ('OK', 'NODATA') THEN 'no loss is recorded'
    ELSE 'no record says whether any were lost'
  END                                                    AS reason,
  count(*)                                               AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM coverage
WHERE state <> 'N/A'
GROUP BY 1, 2, 3, 4, 5
