-- view:     What went through NAT gateways, by client and remote
-- a row is: the bytes of an hour between one client and one remote through one gateway, up or down
-- reads:    hourly
-- columns:  up: client to remote. basis: nat-eni (records A and D of the gateway's own interface) or, for a client that no gateway's
--           interface logged in that hour, instance-eni (its own records with a public address and path 1 or, in formats without
--           paths, a route to a gateway). remote_addr is NULL where the format has no packet addresses. processing_meter: what AWS meters at
--           the gateway. remote_meter: what it meters beyond besides. inspected: whether a Network Firewall's endpoint logged these
--           packets too: then its processing replaces the gateway's
WITH sides AS (
  SELECT *, nat_role = 'gateway' AS at_gateway FROM hourly WHERE nat_role IS NOT NULL
),
transfers AS (
  SELECT
    hour,
    nat_gateway_id,
    account_id                                                                AS nat_account_id,
    region,
    nat_interface_id,
    nat_vpc_id,
    nat_subnet_id,
    nat_az_id,
    nat_availability = 'regional'                                             AS nat_is_regional,
    CASE WHEN at_gateway THEN peer_addr ELSE local_addr END                   AS client_addr,
    CASE WHEN at_gateway THEN peer_eni ELSE interface_id END                  AS client_interface_id,
    CASE WHEN at_gateway THEN peer_name ELSE interface_name END               AS client_name,
    CASE WHEN at_gateway THEN peer_kind ELSE interface_kind END               AS client_kind,
    CASE WHEN at_gateway THEN peer_account_id ELSE account_id END             AS client_account_id,
    CASE WHEN at_gateway THEN peer_vpc_id ELSE vpc_id END                     AS client_vpc_id,
    CASE WHEN at_gateway THEN peer_subnet_id ELSE subnet_id END               AS client_subnet_id,
    CASE WHEN at_gateway THEN peer_az_id ELSE local_az_id END                 AS client_az_id,
    CASE WHEN at_gateway THEN peer_tags ELSE tags END                         AS client_tags,
    CASE WHEN at_gateway THEN peer_cluster ELSE cluster END                   AS client_cluster,
    CASE WHEN at_gateway THEN peer_logged ELSE true END                       AS client_logged,
    CASE WHEN at_gateway THEN remote_addr ELSE peer_addr END                  AS remote_addr,
    CASE WHEN at_gateway THEN remote_scope ELSE peer_scope END                AS remote_scope,
    CASE WHEN at_gateway THEN remote_range_region ELSE peer_range_region END  AS remote_region,
    CASE WHEN NOT at_gateway THEN peer_service WHEN remote_scope IS NOT NULL THEN local_service END AS remote_service,
    protocol,
    service_port,
    at_gateway = (direction = 'ingress')                                      AS up,
    CASE WHEN at_gateway THEN 'nat-eni' ELSE 'instance-eni' END               AS basis,
    inspected,
    records,
    packets,
    bytes,
    first_line
  FROM sides
)
SELECT
  *,
  CASE WHEN inspected THEN 'firewall-bytes' WHEN nat_is_regional THEN 'regional-nat-bytes' ELSE 'nat-bytes' END AS processing_meter,
  CASE
    WHEN remote_scope IS NULL OR remote_scope <> 'public' THEN NULL
    WHEN remote_service = 'EC2' AND remote_region = region THEN 'public-ip-bytes'
    WHEN remote_region IN ('GLOBAL', region) OR (remote_service IS NOT NULL AND remote_region IS NULL) THEN NULL
    WHEN remote_region IS NOT NULL THEN 'inter-region-bytes'
    ELSE 'internet-egress-bytes'
  END AS remote_meter
FROM transfers
