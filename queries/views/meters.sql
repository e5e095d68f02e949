-- view:     What AWS meters, end by end
-- a row is: the bytes of an hour at one meter; who is charged, and whose traffic it is
-- reads:    movements, nat_transfers, hourly
-- columns:  meter, operation: AWS's. ends_min: 0 where AWS does not state that it meters this end. observed: whether this end's
--           interface has records of its own. owner_…: whose traffic; account_id: who is charged. owner_cluster: whose control plane
--           is at one of the ends
WITH crossing AS (
  SELECT * FROM movements WHERE src_az_id <> dst_az_id
)
SELECT
  hour,
  src_account_id AS account_id,
  region,
  category,
  CASE category WHEN 'peering' THEN 'peering-bytes' ELSE 'inter-az-bytes' END AS meter,
  'out' AS operation,
  CAST(NULL AS VARCHAR) AS resource,
  src_ends_min AS ends_min,
  src_logged AS observed,
  src_interface_id AS owner_interface_id,
  src_name AS owner_name,
  src_account_id AS owner_account_id,
  src_vpc_id AS owner_vpc_id,
  src_subnet_id AS owner_subnet_id,
  CASE WHEN src_kind = 'eks-control-plane' THEN src_cluster WHEN dst_kind = 'eks-control-plane' THEN dst_cluster END AS owner_cluster,
  protocol,
  service_port,
  CAST(NULL AS VARCHAR) AS remote_service,
  CAST(NULL AS VARCHAR) AS to_region,
  bytes
FROM crossing WHERE src_ends > 0
UNION ALL
SELECT
  hour,
  dst_account_id AS account_id,
  region,
  category,
  CASE category WHEN 'peering' THEN 'peering-bytes' ELSE 'inter-az-bytes' END AS meter,
  'in' AS operation,
  NULL AS resource,
  dst_ends_min AS ends_min,
  dst_logged AS observed,
  dst_interface_id AS owner_interface_id,
  dst_name AS owner_name,
  dst_account_id AS owner_account_id,
  dst_vpc_id AS owner_vpc_id,
  dst_subnet_id AS owner_subnet_id,
  CASE WHEN src_kind = 'eks-control-plane' THEN src_cluster WHEN dst_kind = 'eks-control-plane' THEN dst_cluster END AS owner_cluster,
  protocol,
  service_port,
  NULL AS remote_service,
  NULL AS to_region,
  bytes
FROM crossing WHERE dst_ends > 0
UNION ALL
SELECT
  hour,
  nat_account_id AS account_id,
  region,
  CASE WHEN inspected THEN 'firewall' ELSE 'nat' END AS category,
  CASE WHEN inspected THEN 'firewall-bytes' ELSE 'nat-bytes' END AS meter,
  CASE WHEN up THEN 'up' ELSE 'down' END AS operation,
  nat_gateway_id AS resource,
  1 AS ends_min,
  basis = 'nat-eni' AS observed,
  client_interface_id AS owner_interface_id,
  client_name AS owner_name,
  client_account_id AS owner_account_id,
  client_vpc_id AS owner_vpc_id,
  client_subnet_id AS owner_subnet_id,
  CASE client_kind WHEN 'eks-control-plane' THEN client_cluster END AS owner_cluster,
  protocol,
  service_port,
  remote_service,
  NULL AS to_region,
  bytes
FROM nat_transfers
UNION ALL
SELECT
  hour,
  nat_account_id AS account_id,
  region,
  CASE remote_meter WHEN 'public-ip-bytes' THEN 'public-ip' WHEN 'inter-region-bytes' THEN 'inter-region' ELSE 'internet' END AS category,
  remote_meter AS meter,
  CASE WHEN up THEN 'out' ELSE 'in' END AS operation,
  nat_gateway_id AS resource,
  1 AS ends_min,
  basis = 'nat-eni' AS observed,
  client_interface_id AS owner_interface_id,
  client_name AS owner_name,
  client_account_id AS owner_account_id,
  client_vpc_id AS owner_vpc_id,
  client_subnet_id AS owner_subnet_id,
  CASE client_kind WHEN 'eks-control-plane' THEN client_cluster END AS owner_cluster,
  protocol,
  service_port,
  remote_service,
  remote_region AS to_region,
  bytes
-- uploads are charged; by public address within the region both ways are
FROM nat_transfers WHERE remote_meter IS NOT NULL AND (up OR remote_meter = 'public-ip-bytes')
UNION ALL
SELECT
  hour,
  account_id,
  region,
  'internet' AS category,
  'internet-egress-bytes' AS meter,
  'out' AS operation,
  resource,
  1 AS ends_min,
  true AS observed,
  interface_id AS owner_interface_id,
  interface_name AS owner_name,
  account_id AS owner_account_id,
  vpc_id AS owner_vpc_id,
  subnet_id AS owner_subnet_id,
  CASE interface_kind WHEN 'eks-control-plane' THEN cluster END AS owner_cluster,
  protocol,
  service_port,
  peer_service AS remote_service,
  NULL AS to_region,
  bytes
FROM hourly
WHERE counted AND log_status = 'OK' AND action = 'ACCEPT' AND direction = 'egress' AND nat_class IS NULL
  AND traffic_path IN (2, 8) AND peer_service IS NULL AND NOT is_private(peer_addr) AND peer_vpc_id IS NULL
UNION ALL
SELECT
  hour,
  coalesce(CASE src_kind WHEN 'vpc-endpoint' THEN src_account_id ELSE dst_account_id END, src_account_id) AS account_id,
  region,
  'endpoint' AS category,
  'endpoint-bytes' AS meter,
  CASE src_kind WHEN 'vpc-endpoint' THEN 'down' ELSE 'up' END AS operation,
  CASE src_kind WHEN 'vpc-endpoint' THEN src_name ELSE dst_name END AS resource,
  1 AS ends_min,
  src_logged OR dst_logged AS observed,
  CASE src_kind WHEN 'vpc-endpoint' THEN dst_interface_id ELSE src_interface_id END AS owner_interface_id,
  CASE src_kind WHEN 'vpc-endpoint' THEN dst_name ELSE src_name END AS owner_name,
  CASE src_kind WHEN 'vpc-endpoint' THEN dst_account_id ELSE src_account_id END AS owner_account_id,
  CASE src_kind WHEN 'vpc-endpoint' THEN dst_vpc_id ELSE src_vpc_id END AS owner_vpc_id,
  CASE src_kind WHEN 'vpc-endpoint' THEN dst_subnet_id ELSE src_subnet_id END AS owner_subnet_id,
  CASE src_kind WHEN 'vpc-endpoint' THEN CASE dst_kind WHEN 'eks-control-plane' THEN dst_cluster END ELSE CASE src_kind WHEN 'eks-control-plane' THEN src_cluster END END AS owner_cluster,
  protocol,
  service_port,
  NULL AS remote_service,
  NULL AS to_region,
  bytes
FROM movements WHERE category = 'endpoint' AND (src_kind = 'vpc-endpoint' OR dst_kind = 'vpc-endpoint')
UNION ALL
SELECT
  hour,
  src_account_id AS account_id,
  region,
  'transit-gateway' AS category,
  'transit-gateway-bytes' AS meter,
  'in' AS operation,
  NULL AS resource,
  1 AS ends_min,
  src_logged AS observed,
  src_interface_id AS owner_interface_id,
  src_name AS owner_name,
  src_account_id AS owner_account_id,
  src_vpc_id AS owner_vpc_id,
  src_subnet_id AS owner_subnet_id,
  CASE src_kind WHEN 'eks-control-plane' THEN src_cluster END AS owner_cluster,
  protocol,
  service_port,
  NULL AS remote_service,
  NULL AS to_region,
  bytes
FROM movements WHERE category = 'transit-gateway'
