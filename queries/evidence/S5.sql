-- statement: Every entry of the approved list is valid: it has an owner, a reason, a ticket and an expiry, and none was used outside its time.
-- reads:     evidence_days, evidence_policy
SELECT
  days.cluster_arn,
  days.day,
  coalesce(policy.rule, 'the policy')                    AS subject,
  CASE
    WHEN policy.id IS NULL THEN 'indeterminate'
    WHEN policy.id IN ('P1', 'P2', 'P6') THEN 'violation'
    WHEN policy.severity = 'info' THEN 'pass'
    ELSE 'noted'
  END                                                    AS finding,
  coalesce(policy.id || ': ' || policy.what, 'no policy was given') AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
LEFT JOIN evidence_policy AS policy
  ON (policy.cluster_arn IS NULL OR policy.cluster_arn = days.cluster_arn) AND policy.id NOT IN ('P11', 'unapproved', 'indeterminate', 'unresolved')
