-- statement: Flow logs cover every control-plane interface for its whole life: each hour has records of traffic or of no traffic.
-- reads:     coverage
SELECT
  cluster_arn,
  to_char(hour, '%Y-%m-%d')                              AS day,
  interface_id                                           AS subject,
  CASE
    WHEN state IN ('OK', 'NODATA', 'SKIPDATA') THEN 'pass'
    WHEN state = 'GAP' THEN 'violation'
    ELSE 'indeterminate'
  END                                                    AS finding,
  CASE
    WHEN state IN ('OK', 'NODATA', 'SKIPDATA') THEN 'logged'
    WHEN state = 'GAP' THEN 'no record, although control planes are never idle'
    WHEN state = 'LATE' THEN 'within the time that delivery may take'
    ELSE 'whether the interface lived is not known'
  END                                                    AS reason,
  count(*)                                               AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM coverage
WHERE state <> 'N/A'
GROUP BY 1, 2, 3, 4, 5
