-- statement: Every control-plane interface that lived on the day is known with its life.
-- reads:     evidence_interfaces
SELECT
  cluster_arn,
  day,
  interface_id                                           AS subject,
  CASE WHEN is_known_from_start AND is_known_to_end THEN 'pass' ELSE 'indeterminate' END AS finding,
  CASE
    WHEN NOT is_known_from_start THEN 'when it began is assumed: no create or attach time, and no sighting before'
    WHEN NOT is_known_to_end THEN 'no sighting of it at or after the end of the day: whether it still lived is assumed'
    ELSE 'its life is known over the day'
  END                                                    AS reason,
  1                                                      AS items,
  CAST(NULL AS VARCHAR)                                  AS first_line
FROM evidence_interfaces
