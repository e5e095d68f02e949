-- The inventory: interfaces with their kind and the time they existed, addresses and who held them when, subnets, VPCs, routes.
-- Run once per folder, after 1-load.sql.

CREATE OR REPLACE MACRO items(doc, path) AS unnest(from_json(coalesce(json_extract(doc, path), '[]'), '["json"]'));
CREATE OR REPLACE MACRO instant(text) AS epoch(text::TIMESTAMPTZ)::BIGINT;

CREATE OR REPLACE TABLE sighting AS
SELECT account, region, taken, items(doc, '$.NetworkInterfaces') AS n FROM document WHERE name = 'describe-network-interfaces.json';

-- costs §3.5: an inventory has a validity interval. An interface of the first snapshot was there before, one of the last snapshot is
-- there after; in between CloudTrail dates it, else its attachment, else the snapshots do.
CREATE OR REPLACE TABLE dated AS
WITH event AS (
    SELECT items(doc, '$.Records') AS e FROM document WHERE name LIKE 'cloudtrail%'
)
SELECT
    coalesce(e ->> '$.responseElements.networkInterface.networkInterfaceId', e ->> '$.requestParameters.networkInterfaceId') AS eni,
    min(instant(e ->> '$.eventTime')) FILTER (e ->> '$.eventName' = 'CreateNetworkInterface') AS created,
    max(instant(e ->> '$.eventTime')) FILTER (e ->> '$.eventName' = 'DeleteNetworkInterface') AS deleted
FROM event GROUP BY ALL;

CREATE OR REPLACE TABLE interface AS
WITH snapshot AS (
    SELECT account, region, min(taken) AS first, max(taken) AS last, list(DISTINCT taken) AS all_taken
    FROM document WHERE name = 'describe-network-interfaces.json' GROUP BY ALL
),
seen AS (
    SELECT account, region, n ->> 'NetworkInterfaceId' AS eni, min(taken) AS first_seen, max(taken) AS last_seen, arg_max(n, taken) AS n
    FROM sighting GROUP BY ALL
),
nat AS (
    SELECT DISTINCT g ->> 'NatGatewayId' AS nat, items(g, '$.NatGatewayAddresses') ->> 'NetworkInterfaceId' AS eni
    FROM (SELECT items(doc, '$.NatGateways') AS g FROM document)
),
endpoint AS (
    SELECT DISTINCT items(e, '$.NetworkInterfaceIds') ->> '$' AS eni FROM (SELECT items(doc, '$.VpcEndpoints') AS e FROM document)
),
cluster AS (
    SELECT DISTINCT account, region, items(doc, '$.clusters') ->> '$' AS cluster FROM document WHERE name = 'list-clusters.json'
),
described AS (
    SELECT *, n ->> 'Description' AS text, lower(n ->> 'InterfaceType') AS type FROM seen
)
SELECT
    d.eni, d.account, d.region, n ->> 'VpcId' AS vpc, n ->> 'SubnetId' AS subnet, n ->> 'AvailabilityZoneId' AS az,
    -- costs §3.3: NAT interfaces are known from the inventory, by their type or their description.
    coalesce(nat.nat, nullif(regexp_extract(text, '^Interface for NAT Gateway (nat-\w+)', 1), '')) AS nat,
    CASE
        WHEN nat.nat IS NOT NULL OR type IN ('nat_gateway', 'natgateway') OR text LIKE 'Interface for NAT Gateway nat-%' THEN 'nat'
        WHEN type = 'transit_gateway' OR text LIKE 'Network Interface for Transit Gateway Attachment %' THEN 'tgw'
        -- costs §3.4: interface endpoints are interfaces in one's own subnets; firewall and GWLB endpoints too.
        WHEN endpoint.eni IS NOT NULL OR type IN ('vpc_endpoint', 'gateway_load_balancer_endpoint') OR text LIKE 'VPC Endpoint Interface%' THEN 'endpoint'
        WHEN type = 'network_load_balancer' OR text LIKE 'ELB net/%' THEN 'nlb'
        WHEN type = 'gateway_load_balancer' OR text LIKE 'ELB gwy/%' THEN 'gwlb'
        WHEN type = 'load_balancer' OR text LIKE 'ELB app/%' THEN 'alb'
        WHEN text LIKE 'ELB %' THEN 'clb'
        WHEN text = 'RDSNetworkInterface' OR text LIKE 'Network interface for DBProxy%' OR text LIKE 'ElastiCache %' OR text LIKE 'Redshift%'
            OR (text LIKE 'ES %' AND (n ->> 'RequesterId' LIKE 'amazon-%' OR (n ->> 'RequesterManaged')::BOOLEAN)) THEN 'database'
        -- costs §2.6: the interfaces of the EKS control plane; their description ends with the exact name of a cluster, no instance of ours.
        WHEN cluster.cluster IS NOT NULL AND n ->> '$.Attachment.InstanceId' IS NULL THEN 'eks-control-plane'
        ELSE 'other'
    END AS kind,
    coalesce(dated.created, CASE WHEN first_seen = first THEN 0 ELSE least(instant(n ->> '$.Attachment.AttachTime'), first_seen) END) AS valid_from,
    coalesce(dated.deleted, CASE WHEN last_seen = last THEN 99999999999 ELSE list_min(list_filter(all_taken, lambda t: t > last_seen)) END) AS valid_to
FROM described AS d
JOIN snapshot USING (account, region)
LEFT JOIN nat USING (eni)
LEFT JOIN endpoint USING (eni)
LEFT JOIN dated USING (eni)
LEFT JOIN cluster ON cluster.account = d.account AND cluster.region = d.region AND d.text = 'Amazon EKS ' || cluster.cluster;

-- costs §3.5: a subnet is in one AZ; AZ ids, never names (§0.7).
CREATE OR REPLACE TABLE subnet AS
WITH s AS (SELECT DISTINCT region, items(doc, '$.Subnets') AS s FROM document WHERE name = 'describe-subnets.json'),
cidr AS (
    SELECT region, s, s ->> 'CidrBlock' AS text FROM s
    UNION ALL SELECT region, s, items(s, '$.Ipv6CidrBlockAssociationSet') ->> 'Ipv6CidrBlock' FROM s
)
SELECT DISTINCT s ->> 'SubnetId' AS subnet, s ->> 'VpcId' AS vpc, region, s ->> 'AvailabilityZoneId' AS az, low, high
FROM cidr JOIN span USING (text);

-- Gateways and endpoints name their interfaces themselves; without describe-network-interfaces that still tells what they are.
INSERT INTO interface
WITH gateway AS (SELECT DISTINCT account, region, items(doc, '$.NatGateways') AS g FROM document),
endpoint AS (SELECT DISTINCT account, region, items(doc, '$.VpcEndpoints') AS e FROM document),
named AS (
    SELECT items(g, '$.NatGatewayAddresses') ->> 'NetworkInterfaceId' AS eni, account, region, g ->> 'VpcId' AS vpc, g ->> 'SubnetId' AS subnet,
        g ->> 'NatGatewayId' AS nat, 'nat' AS kind FROM gateway
    UNION SELECT items(e, '$.NetworkInterfaceIds') ->> '$', account, region, e ->> 'VpcId', NULL, NULL, 'endpoint' FROM endpoint
)
SELECT DISTINCT eni, named.account, named.region, named.vpc, subnet, subnet.az, nat, kind, 0, 99999999999
FROM named LEFT JOIN subnet USING (subnet) WHERE eni NOT IN (SELECT eni FROM interface);

-- costs §0.8 and §3.5: who held an address, by (VPC, address, time), with secondary addresses, prefixes and IPv6. When an address
-- changes hands, the later holder's time begins where the earlier one's ends.
CREATE OR REPLACE TABLE holder AS
WITH held AS (
    SELECT n ->> 'NetworkInterfaceId' AS eni, taken, n ->> 'PrivateIpAddress' AS text FROM sighting
    UNION SELECT n ->> 'NetworkInterfaceId', taken, items(n, '$.PrivateIpAddresses') ->> 'PrivateIpAddress' FROM sighting
    UNION SELECT n ->> 'NetworkInterfaceId', taken, items(n, '$.Ipv6Addresses') ->> 'Ipv6Address' FROM sighting
    UNION SELECT n ->> 'NetworkInterfaceId', taken, items(n, '$.Ipv4Prefixes') ->> 'Ipv4Prefix' FROM sighting
    UNION SELECT a ->> 'NetworkInterfaceId', taken, a ->> 'PrivateIp'
    FROM (SELECT taken, items(g, '$.NatGatewayAddresses') AS a FROM (SELECT taken, items(doc, '$.NatGateways') AS g FROM document))
),
since AS (SELECT eni, text, min(taken) AS first_seen, max(taken) AS last_seen FROM held WHERE text IS NOT NULL GROUP BY ALL),
whole AS (SELECT eni, min(taken) AS first_seen, max(taken) AS last_seen FROM held GROUP BY ALL),
interval_of AS (
    SELECT
        i.vpc, s.text, i.eni,
        CASE WHEN s.first_seen = w.first_seen THEN i.valid_from ELSE s.first_seen END AS valid_from,
        CASE WHEN s.last_seen = w.last_seen THEN i.valid_to ELSE s.last_seen + 1 END AS valid_to
    FROM since s JOIN whole w USING (eni) JOIN interface i USING (eni)
)
SELECT
    h.vpc, mention.text AS address, h.eni, h.valid_from,
    least(h.valid_to, coalesce(lead(h.valid_from) OVER (PARTITION BY h.vpc, mention.text ORDER BY h.valid_from, h.eni), h.valid_to)) AS valid_to
FROM interval_of h
JOIN span AS prefix ON prefix.text = h.text
JOIN span AS mention ON mention.low = mention.high AND mention.low BETWEEN prefix.low AND prefix.high
ORDER BY ALL;

CREATE OR REPLACE TABLE vpc AS
WITH v AS (SELECT DISTINCT region, items(doc, '$.Vpcs') AS v FROM document WHERE name = 'describe-vpcs.json'),
cidr AS (
    SELECT region, v ->> 'VpcId' AS vpc, v ->> 'CidrBlock' AS text FROM v
    UNION ALL SELECT region, v ->> 'VpcId', items(v, '$.CidrBlockAssociationSet') ->> 'CidrBlock' FROM v
    UNION ALL SELECT region, v ->> 'VpcId', items(v, '$.Ipv6CidrBlockAssociationSet') ->> 'Ipv6CidrBlock' FROM v
)
SELECT DISTINCT vpc, region, low, high FROM cidr JOIN span USING (text)
UNION SELECT vpc, region, low, high FROM subnet;

-- costs §3.5: "scoped by VPC, then by peered VPCs"; cost contract: else, both VPCs attached, by transit gateway. Same region only: other
-- regions are inter-region transfer (§1.2), not AZ transfer.
CREATE OR REPLACE TABLE neighbour AS
WITH peering AS (SELECT DISTINCT items(doc, '$.VpcPeeringConnections') AS p FROM document),
peer AS (
    SELECT p ->> '$.RequesterVpcInfo.VpcId' AS a, p ->> '$.AccepterVpcInfo.VpcId' AS b FROM peering
    WHERE p ->> '$.Status.Code' = 'active' AND p ->> '$.RequesterVpcInfo.Region' = p ->> '$.AccepterVpcInfo.Region'
),
attached AS (SELECT DISTINCT vpc, region FROM interface WHERE kind = 'tgw')
SELECT DISTINCT vpc, vpc AS other, 'same' AS relation, 1 AS rank FROM vpc
UNION SELECT a, b, 'peering', 2 FROM peer
UNION SELECT b, a, 'peering', 2 FROM peer
UNION SELECT x.vpc, y.vpc, 'transit-gateway', 3 FROM attached x JOIN attached y ON x.region = y.region AND x.vpc <> y.vpc;

-- costs §3.3 (2): which NAT gateway a subnet's default route names; its own table, else the VPC's main one.
CREATE OR REPLACE TABLE route_table AS
SELECT DISTINCT items(doc, '$.RouteTables') AS r FROM document WHERE name = 'describe-route-tables.json';
CREATE OR REPLACE TABLE subnet_route AS
WITH association AS (
    SELECT r ->> 'RouteTableId' AS rtb, r ->> 'VpcId' AS vpc, items(r, '$.Associations') AS a FROM route_table
),
of_subnet AS (
    SELECT subnet, coalesce(
        any_value(rtb) FILTER (a ->> 'SubnetId' = subnet), any_value(rtb) FILTER ((a ->> 'Main')::BOOLEAN)) AS rtb
    FROM (SELECT DISTINCT subnet, vpc FROM subnet) JOIN association USING (vpc) GROUP BY ALL
),
out AS (
    SELECT rtb, max(r ->> 'NatGatewayId') AS nat FROM (SELECT r ->> 'RouteTableId' AS rtb, items(r, '$.Routes') AS r FROM route_table)
    WHERE r ->> 'DestinationCidrBlock' = '0.0.0.0/0' GROUP BY ALL
)
SELECT subnet, rtb, nat FROM of_subnet LEFT JOIN out USING (rtb);

-- costs §3.4: a gateway endpoint takes its service's addresses in its region before the default route does. §3.1: without
-- `pkt-*-aws-service` these are told by ip-ranges.json.
CREATE OR REPLACE TABLE gateway_range AS
WITH endpoint AS (SELECT DISTINCT region, items(doc, '$.VpcEndpoints') AS e FROM document),
gateway AS (
    SELECT region, upper(str_split(e ->> 'ServiceName', '.')[-1]) AS service, items(e, '$.RouteTableIds') ->> '$' AS rtb
    FROM endpoint WHERE e ->> 'VpcEndpointType' = 'Gateway'
),
prefix AS (SELECT DISTINCT items(doc, '$.prefixes') AS p FROM document WHERE name = 'ip-ranges.json')
SELECT DISTINCT rtb, low, high FROM gateway
JOIN prefix ON p ->> 'service' = gateway.service AND p ->> 'region' = gateway.region
JOIN span ON span.text = p ->> 'ip_prefix';

CREATE OR REPLACE TABLE reject_only AS
SELECT DISTINCT f ->> 'FlowLogId' AS flow_log FROM (SELECT items(doc, '$.FlowLogs') AS f FROM document WHERE name = 'describe-flow-logs.json')
WHERE f ->> 'TrafficType' = 'REJECT';
