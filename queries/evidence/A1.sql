-- statement: Every cluster in scope routes its API server's egress through the customer's VPC, the whole day.
-- reads:     evidence_modes
SELECT
  cluster_arn,
  day,
  'egress mode at ' || at                                AS subject,
  CASE
    WHEN mode IS NULL THEN 'indeterminate'
    WHEN mode = 'AWS_MANAGED' THEN 'violation'
    WHEN mode <> 'CUSTOMER_ROUTED' THEN 'indeterminate'
    WHEN is_assumed THEN 'indeterminate'
    ELSE 'pass'
  END                                                    AS finding,
  CASE
    WHEN mode IS NULL THEN 'the inventory does not say which mode the cluster was in'
    WHEN mode = 'AWS_MANAGED' THEN 'the mode was AWS_MANAGED: egress to destinations outside the VPC did not pass through it'
    WHEN mode <> 'CUSTOMER_ROUTED' THEN 'the mode was ' || mode || ', whose meaning AWS does not document'
    WHEN is_assumed THEN 'no sighting of the mode lies near enough: it is carried on from another time'
    ELSE 'the mode was CUSTOMER_ROUTED'
  END                                                    AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_modes
