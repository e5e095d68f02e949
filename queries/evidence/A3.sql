-- statement: The scope is complete: every interface that looks like an EKS control plane's belongs to a known cluster, and every known cluster has its interfaces.
-- reads:     evidence_interfaces, evidence_strangers, evidence_days
SELECT
  days.cluster_arn,
  days.day,
  coalesce(interfaces.interface_id, 'the cluster''s interfaces') AS subject,
  CASE WHEN interfaces.interface_id IS NULL THEN 'indeterminate' ELSE 'pass' END AS finding,
  CASE WHEN interfaces.interface_id IS NULL THEN 'the inventory has no control-plane interface of the cluster on this day'
    ELSE 'known, and of this cluster' END                AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
LEFT JOIN evidence_interfaces AS interfaces ON interfaces.cluster_arn = days.cluster_arn AND interfaces.day = days.day
UNION ALL
SELECT days.cluster_arn, days.day, strangers.interface_id, strangers.finding, strangers.reason, 1, CAST(NULL AS VARCHAR)
FROM evidence_days AS days
CROSS JOIN evidence_strangers AS strangers
