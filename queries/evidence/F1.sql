-- statement: A service control policy that was given denies, where it is attached, any cluster that is not CUSTOMER_ROUTED.
-- reads:     evidence_days, evidence_scps
-- caveat:    where a policy is attached is not looked at
SELECT
  days.cluster_arn,
  days.day,
  coalesce(scps.denying, 'service control policies')     AS subject,
  CASE WHEN scps.denying IS NOT NULL THEN 'pass' ELSE 'indeterminate' END AS finding,
  CASE
    WHEN scps.denying IS NOT NULL THEN 'denies eks:CreateCluster and eks:UpdateClusterConfig unless controlPlaneEgressMode is CUSTOMER_ROUTED'
    WHEN scps.given = 0 THEN 'no policy text was given; flow logs cannot show what would have been denied'
    ELSE 'no text that was given is known to deny it'
  END                                                    AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
CROSS JOIN (SELECT count(*) AS given, min(CASE WHEN denies THEN name END) AS denying FROM evidence_scps) AS scps
