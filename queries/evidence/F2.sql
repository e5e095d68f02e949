-- statement: The result can be computed again: every input is named by its digest, and tool, rules and parameters are recorded.
-- reads:     evidence_days, evidence_objects
SELECT
  days.cluster_arn,
  days.day,
  CASE WHEN objects.sha256 IS NULL THEN objects.log_object ELSE 'objects' END AS subject,
  CASE WHEN objects.sha256 IS NULL THEN 'indeterminate' ELSE 'pass' END AS finding,
  CASE WHEN objects.sha256 IS NULL THEN 'it has no digest' ELSE 'named by SHA-256' END AS reason,
  count(*)                                               AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
JOIN evidence_objects AS objects ON objects.day = days.day
GROUP BY 1, 2, 3, 4, 5
