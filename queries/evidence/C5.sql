-- statement: Every configured webhook, aggregated API and issuer was seen to be contacted, or is listed as not exercised.
-- reads:     evidence_days, evidence_targets, connections_by_day
SELECT
  days.cluster_arn,
  days.day,
  coalesce(targets.name, 'configuration')                AS subject,
  CASE WHEN targets.name IS NULL THEN 'indeterminate' WHEN count(seen.destination) > 0 THEN 'pass' ELSE 'noted' END AS finding,
  CASE
    WHEN targets.name IS NULL THEN 'the inventory has no Kubernetes objects of the cluster'
    WHEN count(seen.destination) > 0 THEN 'contacted'
    ELSE 'not exercised'
  END                                                    AS reason,
  1                                                      AS items,
  min(seen.first_line)                                   AS first_line
FROM evidence_days AS days
LEFT JOIN evidence_targets AS targets ON targets.cluster_arn = days.cluster_arn
LEFT JOIN connections_by_day AS seen ON seen.cluster_arn = days.cluster_arn AND seen.day = days.day AND seen.initiator = 'local'
  AND array_has(string_to_array(seen.peer_name, ','), targets.name)
GROUP BY days.cluster_arn, days.day, targets.name
