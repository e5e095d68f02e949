-- question: Who drives NAT: which bytes went through which gateway, up and down, and what is metered besides the processing?
-- answers:  one row per gateway, group, what lies beyond, and how it is known
-- params:   $by VARCHAR = client, $tag VARCHAR = Name, $nat_az_ends BIGINT = 2
-- reads:    nat_transfers, nat_marginals
-- caveat:   $by is client, destination, service, pair, gateway, cluster, namespace or tag; list prices: flowproof report nat
WITH transfers AS (
  SELECT nat_gateway_id, region, client_addr, client_interface_id, client_az_id, nat_az_id, client_kind, client_cluster, client_name, client_tags, client_vpc_id,
    processing_meter, inspected, remote_addr, remote_scope, remote_service, remote_region, remote_meter, protocol, service_port, up, basis, bytes
  FROM nat_transfers
  WHERE NOT ($by IN ('destination', 'service') AND remote_scope IS NULL)
  UNION ALL
  SELECT nat_gateway_id, region, NULL AS client_addr, NULL AS client_interface_id, NULL AS client_az_id, NULL AS nat_az_id,
    NULL AS client_kind, NULL AS client_cluster, NULL AS client_name, NULL AS client_tags, NULL AS client_vpc_id,
    'nat-bytes' AS processing_meter, false AS inspected, remote_addr, remote_scope, remote_service, remote_region, remote_meter, protocol, service_port, up, 'nat-eni' AS basis, bytes
  FROM nat_marginals
  WHERE $by IN ('destination', 'service')
),
grouped AS (
  SELECT
    *,
    CASE WHEN $by IN ('client', 'pair') THEN client_addr END AS client,
    CASE WHEN $by IN ('destination', 'pair') THEN remote_addr END AS destination,
    CASE $by
      WHEN 'service' THEN coalesce(remote_service, lower(protocol_name(protocol)) || '/' || CAST(service_port AS VARCHAR))
      WHEN 'cluster' THEN CASE client_kind WHEN 'eks-control-plane' THEN client_cluster END
      WHEN 'namespace' THEN pod_namespace(client_name)
      WHEN 'tag' THEN coalesce(eni_tag(client_interface_id, $tag), tag_value(client_tags, $tag))
    END AS owner
  FROM transfers
)
SELECT
  nat_gateway_id,
  client,
  destination,
  owner,
  region,
  remote_service,
  remote_meter,
  remote_region,
  client_vpc_id,
  client_az_id,
  nat_az_id,
  basis,
  processing_meter,
  inspected,
  remote_scope IS NULL                               AS is_remote_unknown,
  coalesce(sum(bytes) FILTER (WHERE up), 0)          AS bytes_up,
  coalesce(sum(bytes) FILTER (WHERE NOT up), 0)      AS bytes_down
FROM grouped
GROUP BY nat_gateway_id, client, destination, owner, region, remote_service, remote_meter, remote_region, client_vpc_id, client_az_id, nat_az_id,
  basis, processing_meter, inspected, is_remote_unknown
ORDER BY nat_gateway_id NULLS LAST, client, destination, owner NULLS LAST, region, remote_service, remote_meter, remote_region, client_az_id,
  nat_az_id, basis, processing_meter
