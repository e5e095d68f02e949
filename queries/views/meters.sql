-- view:     What AWS meters, end by end
-- a row is: the bytes of an hour at one meter; who is charged, and whose traffic it is
-- reads:    movements, nat_transfers, hourly
-- columns:  meter, operation: AWS's. ends_min: 0 where AWS does not state that it meters this end. observed: whether this end's
--           interface has records of its own. owner_…: whose traffic; account_id: who is charged. owner_cluster: whose control plane
--           is at one of the ends
WITH ends AS (
  SELECT
    *,
    -- a transit gateway and an endpoint meter what enters them, once; all else is metered where it leaves and where it arrives
    unnest(CASE
      WHEN category IN ('endpoint', 'transit-gateway') THEN make_array(category)
      WHEN src_ends > 0 AND dst_ends > 0 THEN make_array('out', 'in')
      WHEN src_ends > 0 THEN make_array('out')
      ELSE make_array('in')
    END) AS side
  FROM movements
  WHERE category = 'transit-gateway'
    OR (category = 'endpoint' AND (src_kind = 'vpc-endpoint' OR dst_kind = 'vpc-endpoint'))
    OR (src_az_id <> dst_az_id AND src_ends + dst_ends > 0)
),
owned AS (
  SELECT
    *,
    CASE side WHEN 'in' THEN false WHEN 'endpoint' THEN coalesce(src_kind <> 'vpc-endpoint', true) ELSE true END AS is_of_src
  FROM ends
),
through_nat AS (
  SELECT
    *,
    -- besides the processing, uploads are charged, and by public address within the region both ways are
    unnest(CASE
      WHEN remote_meter IS NOT NULL AND (up OR remote_meter = 'public-ip-bytes')
      THEN make_array(processing_meter, remote_meter)
      ELSE make_array(processing_meter)
    END) AS meter
  FROM nat_transfers
)
SELECT
  hour,
  CASE
    WHEN side = 'endpoint' THEN coalesce(CASE WHEN is_of_src THEN dst_account_id ELSE src_account_id END, src_account_id)
    WHEN is_of_src THEN src_account_id
    ELSE dst_account_id
  END AS account_id,
  region,
  category,
  CASE category
    WHEN 'peering' THEN 'peering-bytes'
    WHEN 'endpoint' THEN 'endpoint-bytes'
    WHEN 'transit-gateway' THEN 'transit-gateway-bytes'
    ELSE 'inter-az-bytes'
  END AS meter,
  CASE side WHEN 'endpoint' THEN CASE WHEN is_of_src THEN 'up' ELSE 'down' END WHEN 'transit-gateway' THEN 'in' ELSE side END AS operation,
  CASE side WHEN 'endpoint' THEN CASE WHEN is_of_src THEN dst_name ELSE src_name END END AS resource,
  CASE side WHEN 'out' THEN src_ends_min WHEN 'in' THEN dst_ends_min ELSE 1 END AS ends_min,
  CASE side WHEN 'endpoint' THEN src_logged OR dst_logged WHEN 'in' THEN dst_logged ELSE src_logged END AS observed,
  CASE WHEN is_of_src THEN src_interface_id ELSE dst_interface_id END AS owner_interface_id,
  CASE WHEN is_of_src THEN src_name ELSE dst_name END AS owner_name,
  CASE WHEN is_of_src THEN src_account_id ELSE dst_account_id END AS owner_account_id,
  CASE WHEN is_of_src THEN src_vpc_id ELSE dst_vpc_id END AS owner_vpc_id,
  CASE WHEN is_of_src THEN src_subnet_id ELSE dst_subnet_id END AS owner_subnet_id,
  CASE WHEN is_of_src THEN src_tags ELSE dst_tags END AS owner_tags,
  CASE WHEN src_kind = 'eks-control-plane' THEN src_cluster WHEN dst_kind = 'eks-control-plane' THEN dst_cluster END AS owner_cluster,
  protocol,
  service_port,
  CAST(NULL AS VARCHAR) AS remote_service,
  CAST(NULL AS VARCHAR) AS to_region,
  bytes
FROM owned
UNION ALL
SELECT
  hour,
  nat_account_id AS account_id,
  region,
  CASE meter
    WHEN 'firewall-bytes' THEN 'firewall'
    WHEN 'nat-bytes' THEN 'nat'
    WHEN 'regional-nat-bytes' THEN 'nat'
    WHEN 'public-ip-bytes' THEN 'public-ip'
    WHEN 'inter-region-bytes' THEN 'inter-region'
    ELSE 'internet'
  END AS category,
  meter,
  CASE WHEN meter = processing_meter THEN CASE WHEN up THEN 'up' ELSE 'down' END WHEN up THEN 'out' ELSE 'in' END AS operation,
  nat_gateway_id AS resource,
  1 AS ends_min,
  basis = 'nat-eni' AS observed,
  client_interface_id AS owner_interface_id,
  client_name AS owner_name,
  client_account_id AS owner_account_id,
  client_vpc_id AS owner_vpc_id,
  client_subnet_id AS owner_subnet_id,
  client_tags AS owner_tags,
  CASE client_kind WHEN 'eks-control-plane' THEN client_cluster END AS owner_cluster,
  protocol,
  service_port,
  remote_service,
  CASE WHEN meter <> processing_meter THEN remote_region END AS to_region,
  bytes
FROM through_nat
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
  tags AS owner_tags,
  CASE interface_kind WHEN 'eks-control-plane' THEN cluster END AS owner_cluster,
  protocol,
  service_port,
  peer_service AS remote_service,
  NULL AS to_region,
  bytes
FROM hourly
WHERE counted AND log_status = 'OK' AND action = 'ACCEPT' AND direction = 'egress' AND nat_class IS NULL
  AND traffic_path IN (2, 8) AND peer_service IS NULL AND peer_scope = 'public' AND peer_vpc_id IS NULL
