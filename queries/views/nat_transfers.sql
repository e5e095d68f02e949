-- view:     What went through NAT gateways, by client and remote
-- a row is: the bytes of an hour between one client and one remote through one gateway, up or down
-- reads:    hourly, nat_gateways
-- columns:  up: client to remote. basis: nat-eni (records A and D of the gateway's own interface) or, for a client that no gateway's
--           interface logged in that hour, instance-eni (its own records with a public address and path 1). remote_addr is NULL
--           where the format has no packet addresses. remote_meter: what AWS meters beyond the gateway besides the processing.
--           inspected: whether a Network Firewall's endpoint logged these packets too: then its processing replaces the gateway's
WITH accepted AS (
  SELECT * FROM hourly WHERE counted AND log_status = 'OK' AND action = 'ACCEPT' AND direction IS NOT NULL
),
at_gateway AS (
  SELECT * FROM accepted WHERE nat_class IN ('A', 'D')
),
served AS (
  SELECT DISTINCT hour AS served_hour, coalesce(peer_eni, peer_addr) AS served_client FROM at_gateway
),
outward AS (
  SELECT * FROM accepted
  WHERE nat_class IS NULL AND direction = 'egress' AND traffic_path = 1 AND NOT is_private(peer_addr)
    AND peer_vpc_id IS NULL AND peer_az_id IS NULL
    AND coalesce(interface_kind NOT IN ('nat-gateway', 'transit-gateway', 'firewall-endpoint', 'gateway-load-balancer-endpoint', 'vpc-endpoint'), true)
    AND coalesce(next_hop_interface_type IN ('nat_gateway', 'regional_nat_gateway'), true)
),
asked AS (
  SELECT DISTINCT hour AS asked_hour, interface_id AS asked_interface, local_addr AS asked_addr, peer_addr AS asked_remote,
    protocol AS asked_protocol, service_port AS asked_port
  FROM outward
),
answered AS (
  SELECT accepted.* FROM accepted JOIN asked
    ON hour = asked_hour AND interface_id = asked_interface AND local_addr = asked_addr AND peer_addr = asked_remote
    AND protocol = asked_protocol AND service_port = asked_port
  WHERE direction = 'ingress'
),
at_client AS (
  SELECT exchanged.* FROM (SELECT * FROM outward UNION ALL SELECT * FROM answered) AS exchanged
  LEFT JOIN served AS by_interface ON hour = by_interface.served_hour AND interface_id = by_interface.served_client
  LEFT JOIN served AS by_address ON hour = by_address.served_hour AND local_addr = by_address.served_client
  WHERE by_interface.served_client IS NULL AND by_address.served_client IS NULL
),
only_gateway AS (
  SELECT vpc_id AS gateway_vpc, min(nat_gateway_id) AS gateway FROM nat_gateways WHERE vpc_id IS NOT NULL
  GROUP BY vpc_id HAVING count(DISTINCT nat_gateway_id) = 1
),
firewalled AS (
  SELECT DISTINCT hour AS inspected_hour, peer_addr AS inspected_client, local_addr AS inspected_remote
  FROM accepted WHERE interface_kind = 'firewall-endpoint' AND direction = 'ingress'
),
gateways AS (
  SELECT nat_gateway_id AS known_gateway, min(az_id) AS known_az, min(vpc_id) AS known_vpc, min(subnet_id) AS known_subnet
  FROM nat_gateways GROUP BY nat_gateway_id
),
transfers AS (
  SELECT
    hour,
    coalesce(resource, interface_id)       AS nat_gateway_id,
    account_id                             AS nat_account_id,
    region,
    interface_id                           AS nat_interface_id,
    vpc_id                                 AS nat_vpc_id,
    subnet_id                              AS nat_subnet_id,
    local_az_id                            AS nat_az_id,
    peer_addr                              AS client_addr,
    peer_eni                               AS client_interface_id,
    peer_name                              AS client_name,
    peer_kind                              AS client_kind,
    peer_account_id                        AS client_account_id,
    peer_vpc_id                            AS client_vpc_id,
    peer_subnet_id                         AS client_subnet_id,
    peer_az_id                             AS client_az_id,
    peer_cluster                           AS client_cluster,
    peer_logged                            AS client_logged,
    remote_addr,
    CASE WHEN remote_addr IS NOT NULL THEN local_service END AS remote_service,
    protocol,
    service_port,
    direction = 'ingress'                  AS up,
    'nat-eni'                              AS basis,
    records,
    packets,
    bytes,
    first_line
  FROM at_gateway
  UNION ALL
  SELECT
    hour,
    coalesce(next_hop_resource, gateway)   AS nat_gateway_id,
    account_id                             AS nat_account_id,
    region,
    next_hop_interface_id                  AS nat_interface_id,
    known_vpc                              AS nat_vpc_id,
    known_subnet                           AS nat_subnet_id,
    known_az                               AS nat_az_id,
    local_addr                             AS client_addr,
    interface_id                           AS client_interface_id,
    interface_name                         AS client_name,
    interface_kind                         AS client_kind,
    account_id                             AS client_account_id,
    vpc_id                                 AS client_vpc_id,
    subnet_id                              AS client_subnet_id,
    local_az_id                            AS client_az_id,
    cluster                                AS client_cluster,
    true                                   AS client_logged,
    peer_addr                              AS remote_addr,
    peer_service                           AS remote_service,
    protocol,
    service_port,
    direction = 'egress'                   AS up,
    'instance-eni'                         AS basis,
    records,
    packets,
    bytes,
    first_line
  FROM at_client
  LEFT JOIN only_gateway ON vpc_id = gateway_vpc
  LEFT JOIN gateways ON coalesce(next_hop_resource, gateway) = known_gateway
)
SELECT
  transfers.*,
  inspected_hour IS NOT NULL AS inspected,
  aws_region(remote_addr) AS remote_region,
  CASE
    WHEN remote_addr IS NULL OR is_private(remote_addr) THEN NULL
    WHEN remote_service = 'EC2' AND aws_region(remote_addr) = region THEN 'public-ip-bytes'
    WHEN aws_region(remote_addr) IN ('GLOBAL', region) OR (remote_service IS NOT NULL AND aws_region(remote_addr) IS NULL) THEN NULL
    WHEN aws_region(remote_addr) IS NOT NULL THEN 'inter-region-bytes'
    ELSE 'internet-egress-bytes'
  END AS remote_meter
FROM transfers
LEFT JOIN firewalled ON hour = inspected_hour AND client_addr = inspected_client AND remote_addr = inspected_remote
