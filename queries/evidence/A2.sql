-- statement: When the egress mode changed is known; before that, egress to destinations outside the VPC could not be seen.
-- reads:     evidence_days, evidence_mode_changes, evidence_modes
SELECT
  days.cluster_arn,
  days.day,
  coalesce('change at ' || changes.at, 'no change')      AS subject,
  CASE
    WHEN changes.at IS NOT NULL AND changes.status = 'Successful' THEN 'pass'
    WHEN changes.at IS NOT NULL THEN 'indeterminate'
    WHEN modes.mode IS NULL THEN 'indeterminate'
    WHEN modes.modes > 1 THEN 'indeterminate'
    ELSE 'pass'
  END                                                    AS finding,
  CASE
    WHEN changes.at IS NOT NULL AND changes.status = 'Successful'
      THEN 'changed to ' || changes.mode || '; before ' || changes.at || ' egress to destinations outside the VPC could not be seen'
    WHEN changes.at IS NOT NULL THEN 'the change to ' || changes.mode || ' is recorded as ' || changes.status
    WHEN modes.mode IS NULL THEN 'the inventory does not say which mode the cluster was in'
    WHEN modes.modes > 1 THEN 'the mode is seen to differ, and no update record says when it changed'
    ELSE 'no change of the mode is recorded'
  END                                                    AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_days AS days
LEFT JOIN evidence_mode_changes AS changes ON changes.cluster_arn = days.cluster_arn AND changes.day = days.day
LEFT JOIN (
  SELECT cluster_arn, day, min(mode) AS mode, count(DISTINCT mode) AS modes FROM evidence_modes GROUP BY cluster_arn, day
) AS modes ON modes.cluster_arn = days.cluster_arn AND modes.day = days.day
