-- view:     Every transfer of bytes between two ends in the region's VPCs, once
-- a row is: the bytes of an hour from one end to another; from the sender's records where it is logged, else from the receiver's
-- reads:    hourly, nat_transfers
-- columns:  src_… and dst_…: the ends. category: what lies between, first match. src_ends, dst_ends: whether AWS meters that end if
--           the AZs differ (…_min: whether it does so for certain). src_logged, dst_logged: whether the end has records of its own
WITH recorded AS (
  SELECT
    *,
    direction = 'egress'                                            AS sent,
    coalesce(interface_kind, 'other')                               AS own_kind,
    coalesce(peer_kind, 'other')                                    AS other_kind,
    coalesce(peer_vpc_id <> vpc_id, false)                          AS other_vpc
  FROM hourly
  WHERE counted AND log_status = 'OK' AND action = 'ACCEPT' AND direction IS NOT NULL AND nat_class IS NULL
    -- codes 2, 3, 5, 6, 7 and 8 leave the region's VPCs: internet, VPN, other regions, Outposts, gateway endpoints
    AND coalesce(traffic_path NOT IN (2, 3, 5, 6, 7, 8), true)
    AND coalesce(peer_region = region, true)
    AND (peer_az_id IS NOT NULL OR peer_vpc_id IS NOT NULL OR peer_scope <> 'public')
    AND coalesce(peer_scope <> 'link-local', true)
),
once AS (
  SELECT
    *,
    own_kind IN ('alb', 'classic-elb') OR other_kind IN ('alb', 'classic-elb')    AS is_alb,
    own_kind IN ('nlb', 'gwlb') OR other_kind IN ('nlb', 'gwlb')                  AS is_nlb,
    own_kind IN ('vpc-endpoint', 'gateway-load-balancer-endpoint', 'firewall-endpoint')
      OR other_kind IN ('vpc-endpoint', 'gateway-load-balancer-endpoint', 'firewall-endpoint') AS is_endpoint,
    own_kind IN ('rds', 'rds-proxy', 'elasticache', 'redshift', 'opensearch')     AS own_is_database,
    other_kind IN ('rds', 'rds-proxy', 'elasticache', 'redshift', 'opensearch')   AS other_is_database
  FROM recorded
  -- interfaces that pass on what is others' have logged it too; the hop to a NAT gateway is a row of nat_transfers
  WHERE own_kind NOT IN ('nat-gateway', 'transit-gateway', 'firewall-endpoint', 'gateway-load-balancer-endpoint')
    AND other_kind <> 'nat-gateway'
    AND (sent OR NOT peer_logged)
),
classified AS (
  SELECT
    *,
    CASE
      WHEN other_kind = 'transit-gateway' THEN 'transit-gateway'
      WHEN other_vpc AND (traffic_path = 1 OR (traffic_path IS NULL AND peer_link = 'transit-gateway')) THEN 'transit-gateway'
      WHEN is_endpoint THEN 'endpoint'
      WHEN is_alb OR is_nlb THEN 'load-balancer'
      WHEN own_is_database OR other_is_database THEN 'database'
      WHEN other_vpc THEN 'peering'
      WHEN own_kind = 'eks-control-plane' OR other_kind = 'eks-control-plane' THEN 'eks-control-plane'
      ELSE 'direct'
    END AS category
  FROM once
),
metered AS (
  SELECT
    *,
    CASE category
      WHEN 'transit-gateway' THEN 0
      WHEN 'endpoint' THEN 0
      -- ALB and Classic: free within a VPC; across VPCs the side that is not the balancer
      WHEN 'load-balancer' THEN CASE WHEN NOT is_alb THEN 1 WHEN other_vpc AND own_kind NOT IN ('alb', 'classic-elb') THEN 1 ELSE 0 END
      WHEN 'database' THEN CASE WHEN own_is_database THEN 0 ELSE 1 END
      WHEN 'eks-control-plane' THEN CASE WHEN own_kind = 'eks-control-plane' THEN 0 ELSE 1 END
      ELSE 1
    END AS own_ends,
    CASE category
      WHEN 'transit-gateway' THEN 0
      WHEN 'endpoint' THEN 0
      WHEN 'load-balancer' THEN CASE WHEN NOT is_alb THEN 1 WHEN other_vpc AND other_kind NOT IN ('alb', 'classic-elb') THEN 1 ELSE 0 END
      WHEN 'database' THEN CASE WHEN other_is_database THEN 0 ELSE 1 END
      WHEN 'eks-control-plane' THEN CASE WHEN other_kind = 'eks-control-plane' THEN 0 ELSE 1 END
      ELSE 1
    END AS other_ends,
    -- AWS does not state whether the node's end towards a control plane is metered
    CASE WHEN category = 'eks-control-plane' THEN 0 ELSE 1 END AS certain
  FROM classified
)
SELECT
  hour,
  category,
  CASE WHEN sent THEN interface_id ELSE peer_eni END AS src_interface_id,
  CASE WHEN sent THEN peer_eni ELSE interface_id END AS dst_interface_id,
  CASE WHEN sent THEN interface_name ELSE peer_name END AS src_name,
  CASE WHEN sent THEN peer_name ELSE interface_name END AS dst_name,
  CASE WHEN sent THEN interface_kind ELSE peer_kind END AS src_kind,
  CASE WHEN sent THEN peer_kind ELSE interface_kind END AS dst_kind,
  CASE WHEN sent THEN account_id ELSE peer_account_id END AS src_account_id,
  CASE WHEN sent THEN peer_account_id ELSE account_id END AS dst_account_id,
  region,
  CASE WHEN sent THEN vpc_id ELSE peer_vpc_id END AS src_vpc_id,
  CASE WHEN sent THEN peer_vpc_id ELSE vpc_id END AS dst_vpc_id,
  CASE WHEN sent THEN subnet_id ELSE peer_subnet_id END AS src_subnet_id,
  CASE WHEN sent THEN peer_subnet_id ELSE subnet_id END AS dst_subnet_id,
  CASE WHEN sent THEN tags ELSE peer_tags END AS src_tags,
  CASE WHEN sent THEN peer_tags ELSE tags END AS dst_tags,
  CASE WHEN sent THEN cluster ELSE peer_cluster END AS src_cluster,
  CASE WHEN sent THEN peer_cluster ELSE cluster END AS dst_cluster,
  CASE WHEN sent THEN local_az_id ELSE peer_az_id END AS src_az_id,
  CASE WHEN sent THEN peer_az_id ELSE local_az_id END AS dst_az_id,
  CASE WHEN sent THEN local_addr ELSE peer_addr END AS src_addr,
  CASE WHEN sent THEN peer_addr ELSE local_addr END AS dst_addr,
  protocol,
  service_port,
  CASE WHEN sent THEN own_ends ELSE other_ends END AS src_ends,
  CASE WHEN sent THEN other_ends ELSE own_ends END AS dst_ends,
  CASE WHEN sent THEN own_ends * certain ELSE other_ends * certain END AS src_ends_min,
  CASE WHEN sent THEN other_ends * certain ELSE own_ends * certain END AS dst_ends_min,
  CASE WHEN sent THEN true ELSE peer_logged END AS src_logged,
  CASE WHEN sent THEN peer_logged ELSE true END AS dst_logged,
  records,
  packets,
  bytes,
  first_line
FROM metered
UNION ALL
SELECT
  hour,
  'nat' AS category,
  CASE WHEN up THEN client_interface_id ELSE nat_interface_id END AS src_interface_id,
  CASE WHEN up THEN nat_interface_id ELSE client_interface_id END AS dst_interface_id,
  CASE WHEN up THEN client_name ELSE nat_gateway_id END AS src_name,
  CASE WHEN up THEN nat_gateway_id ELSE client_name END AS dst_name,
  CASE WHEN up THEN client_kind ELSE 'nat-gateway' END AS src_kind,
  CASE WHEN up THEN 'nat-gateway' ELSE client_kind END AS dst_kind,
  CASE WHEN up THEN client_account_id ELSE nat_account_id END AS src_account_id,
  CASE WHEN up THEN nat_account_id ELSE client_account_id END AS dst_account_id,
  region,
  CASE WHEN up THEN client_vpc_id ELSE nat_vpc_id END AS src_vpc_id,
  CASE WHEN up THEN nat_vpc_id ELSE client_vpc_id END AS dst_vpc_id,
  CASE WHEN up THEN client_subnet_id ELSE nat_subnet_id END AS src_subnet_id,
  CASE WHEN up THEN nat_subnet_id ELSE client_subnet_id END AS dst_subnet_id,
  CASE WHEN up THEN client_tags END AS src_tags,
  CASE WHEN up THEN NULL ELSE client_tags END AS dst_tags,
  CASE WHEN up THEN client_cluster END AS src_cluster,
  CASE WHEN up THEN NULL ELSE client_cluster END AS dst_cluster,
  CASE WHEN up THEN client_az_id ELSE nat_az_id END AS src_az_id,
  CASE WHEN up THEN nat_az_id ELSE client_az_id END AS dst_az_id,
  CASE WHEN up THEN client_addr ELSE remote_addr END AS src_addr,
  CASE WHEN up THEN remote_addr ELSE client_addr END AS dst_addr,
  protocol,
  service_port,
  1 AS src_ends,
  1 AS dst_ends,
  -- AWS does not state whether the gateway's end is metered
  CASE WHEN up THEN 1 ELSE 0 END AS src_ends_min,
  CASE WHEN up THEN 0 ELSE 1 END AS dst_ends_min,
  CASE WHEN up THEN client_logged ELSE basis = 'nat-eni' END AS src_logged,
  CASE WHEN up THEN basis = 'nat-eni' ELSE client_logged END AS dst_logged,
  records,
  packets,
  bytes,
  first_line
FROM nat_transfers
