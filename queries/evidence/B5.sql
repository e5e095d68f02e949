-- statement: The log files are complete and unaltered: every object was read whole and digested, no period of delivery is missing, and their custody is shown.
-- reads:     evidence_days, evidence_objects, evidence_deliveries, evidence_custody
SELECT
  days.cluster_arn,
  days.day,
  CASE WHEN objects.finding = 'pass' THEN 'objects' ELSE objects.log_object END AS subject,
  objects.finding,
  objects.reason,
  count(*)                                               AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
JOIN evidence_objects AS objects ON objects.day = days.day
WHERE (objects.account_id IS NULL OR days.account_id IS NULL OR objects.account_id = days.account_id)
  AND (objects.region IS NULL OR days.region IS NULL OR objects.region = days.region)
GROUP BY 1, 2, 3, 4, 5
UNION ALL
SELECT days.cluster_arn, days.day, missing.subject, 'indeterminate', missing.reason, 1, CAST(NULL AS VARCHAR)
FROM evidence_days AS days
JOIN evidence_deliveries AS missing ON missing.day = days.day
WHERE (missing.account_id IS NULL OR days.account_id IS NULL OR missing.account_id = days.account_id)
  AND (missing.region IS NULL OR days.region IS NULL OR missing.region = days.region)
UNION ALL
SELECT days.cluster_arn, days.day, custody.subject, custody.finding, custody.reason, 1, CAST(NULL AS VARCHAR)
FROM evidence_days AS days
CROSS JOIN evidence_custody AS custody
