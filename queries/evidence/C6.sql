-- statement: The configuration explains every destination: a node, a webhook, an aggregated API, an issuer, or a device of the VPC.
-- reads:     connections_by_day, evidence_kubernetes
SELECT
  connections_by_day.cluster_arn,
  day,
  destination                                            AS subject,
  CASE
    WHEN peer_kind NOT IN ('private', 'internet', 'aws-service', 'prefix-list', 'pod', 'eks-node') THEN 'pass'
    WHEN kubernetes.cluster_arn IS NULL THEN 'indeterminate'
    ELSE 'violation'
  END                                                    AS finding,
  CASE
    WHEN peer_kind NOT IN ('private', 'internet', 'aws-service', 'prefix-list', 'pod', 'eks-node')
      THEN peer_kind || coalesce(' ' || peer_name, '')
    WHEN kubernetes.cluster_arn IS NULL THEN 'the inventory has no Kubernetes objects of the cluster'
    ELSE 'no configuration names it (' || peer_kind || coalesce(' ' || peer_name, '') || ')'
  END                                                    AS reason,
  count(*)                                               AS items,
  first_value(first_line ORDER BY first_start_time, first_line) AS first_line
FROM connections_by_day
LEFT JOIN evidence_kubernetes AS kubernetes ON kubernetes.cluster_arn = connections_by_day.cluster_arn
WHERE initiator = 'local'
GROUP BY 1, 2, 3, 4, 5
