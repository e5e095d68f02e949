-- statement: A service control policy would have denied a cluster that is not CUSTOMER_ROUTED.
-- reads:     evidence_days, evidence_scps
SELECT
  days.cluster_arn,
  days.day,
  coalesce(scps.name, 'service control policies')        AS subject,
  CASE WHEN scps.denies THEN 'pass' ELSE 'indeterminate' END AS finding,
  CASE
    WHEN scps.denies THEN 'denies eks:CreateCluster and eks:UpdateClusterConfig unless controlPlaneEgressMode is CUSTOMER_ROUTED'
    WHEN scps.name IS NULL THEN 'no policy text was given; flow logs cannot show what would have been denied'
    ELSE 'its text is not one that is known to deny it'
  END                                                    AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
LEFT JOIN evidence_scps AS scps ON TRUE
