-- Movements, each once, and bytes through NAT gateways. Run after 3-resolve.sql.

-- costs §3.3 (2): where a NAT interface is not logged in an hour, the client's own records stand in: to a public address by traffic-path 1,
-- answers by the reversed ports; without traffic-path (§3.1) by the subnet's default route, less what a gateway endpoint takes (§3.4).
CREATE OR REPLACE TABLE by_instance AS
WITH outside AS (
    SELECT e.*, r.nat AS route_nat, r.rtb FROM end_of AS e JOIN subnet_route AS r USING (subnet)
    WHERE e.accepted AND e.relation IS NULL AND e.kind NOT IN ('nat', 'tgw') AND r.nat IS NOT NULL AND e.remote NOT LIKE '%:%'
),
told AS (
    SELECT eni, remote, protocol, src_port, dst_port, bool_or(path = 1) AS by_nat FROM outside
    WHERE direction = 'egress' AND path IS NOT NULL GROUP BY ALL
)
SELECT o.*, gateway.eni AS nat_eni, gateway.az AS nat_az
FROM outside AS o
JOIN interface AS gateway ON gateway.kind = 'nat' AND gateway.nat = o.route_nat
LEFT JOIN told AS t ON t.eni = o.eni AND t.remote = o.remote AND t.protocol = o.protocol
    AND t.src_port = CASE o.direction WHEN 'egress' THEN o.src_port ELSE o.dst_port END
    AND t.dst_port = CASE o.direction WHEN 'egress' THEN o.dst_port ELSE o.src_port END
LEFT JOIN span AS s ON s.text = o.remote
WHERE coalesce(t.by_nat, NOT EXISTS (FROM gateway_range AS g WHERE g.rtb = o.rtb AND s.low BETWEEN g.low AND g.high))
    -- Never both for the same hour.
    AND NOT EXISTS (FROM logged AS l WHERE l.eni = gateway.eni AND l.hour = o.hour);

-- costs §2.2: both directions, from the two classes that name both ends; B and C are the same bytes again.
CREATE OR REPLACE TABLE nat_leg AS
SELECT nat, eni AS nat_eni, az AS nat_az, true AS nat_logged, remote AS client, remote_eni AS client_eni, remote_az AS client_az,
    remote_logged AS client_logged, class = 'A' AS up, bytes, hour, 'nat-eni' AS basis
FROM end_of WHERE class IS NOT NULL AND accepted
UNION ALL
SELECT route_nat, nat_eni, nat_az, false, local, eni, az, true, direction = 'egress', bytes, hour, 'instance-eni' FROM by_instance;

-- costs §3.2.5: a movement is the sender's egress, else, if the sender is not logged in the hour, the receiver's ingress.
-- §3.2.3: NAT and transit gateway interfaces have rules of their own; here they are nobody's end.
-- `accepted` is kept: what the receiver rejected has no accepted ingress record (see rejected_by_receiver).
CREATE OR REPLACE TABLE direct_leg AS
SELECT accepted, hour, bytes, direction, relation,
    CASE direction WHEN 'egress' THEN eni ELSE remote_eni END AS src_eni,
    CASE direction WHEN 'egress' THEN az ELSE remote_az END AS src_az,
    CASE direction WHEN 'egress' THEN kind ELSE remote_kind END AS src_kind,
    direction = 'egress' OR remote_logged AS src_logged,
    CASE direction WHEN 'egress' THEN remote_eni ELSE eni END AS dst_eni,
    CASE direction WHEN 'egress' THEN remote_az ELSE az END AS dst_az,
    CASE direction WHEN 'egress' THEN remote_kind ELSE kind END AS dst_kind,
    direction = 'ingress' OR remote_logged AS dst_logged
FROM end_of
WHERE kind NOT IN ('nat', 'tgw') AND remote_kind NOT IN ('nat', 'tgw') AND relation IS NOT NULL
    -- An interface's talk with itself crosses nothing.
    AND coalesce(remote_eni, '') <> eni;

-- Cost contract: the first category that fits. costs §2.1 and §0.4: which ends AWS meters depends on the pair.
CREATE OR REPLACE TABLE metered AS
WITH categorised AS (
    SELECT *, CASE
            WHEN relation = 'transit-gateway' THEN 'transit-gateway'
            WHEN 'endpoint' IN (src_kind, dst_kind) THEN 'endpoint'
            WHEN src_kind IN ('alb', 'nlb', 'gwlb', 'clb') OR dst_kind IN ('alb', 'nlb', 'gwlb', 'clb') THEN 'load-balancer'
            WHEN 'database' IN (src_kind, dst_kind) THEN 'database'
            WHEN relation = 'peering' THEN 'peering'
            WHEN 'eks-control-plane' IN (src_kind, dst_kind) THEN 'eks-control-plane'
            ELSE 'direct'
        END AS category
    FROM direct_leg WHERE src_az <> dst_az
)
SELECT *,
    CASE
        WHEN category IN ('transit-gateway', 'endpoint') THEN false
        WHEN category = 'load-balancer' THEN src_kind NOT IN ('alb', 'clb') AND dst_kind NOT IN ('alb', 'clb')
        WHEN category IN ('database', 'eks-control-plane') THEN src_kind <> category
        ELSE true
    END AS src_metered,
    CASE
        WHEN category IN ('transit-gateway', 'endpoint') THEN false
        WHEN category = 'load-balancer' THEN src_kind NOT IN ('alb', 'clb') AND dst_kind NOT IN ('alb', 'clb')
        WHEN category IN ('database', 'eks-control-plane') THEN dst_kind <> category
        ELSE true
    END AS dst_metered,
    CASE WHEN category = 'eks-control-plane' THEN 0 ELSE src_metered::INTEGER + dst_metered::INTEGER END AS ends_min
FROM categorised
UNION ALL BY NAME
-- costs §2.1, instance to NAT in another AZ: one or two ends, two by default; the hop's two ends are client and gateway.
SELECT true AS accepted, hour, bytes, 'nat' AS category, CASE WHEN nat_logged = up THEN 'ingress' ELSE 'egress' END AS direction,
    CASE WHEN up THEN client_eni ELSE nat_eni END AS src_eni, CASE WHEN up THEN nat_eni ELSE client_eni END AS dst_eni,
    CASE WHEN up THEN client_az ELSE nat_az END AS src_az, CASE WHEN up THEN nat_az ELSE client_az END AS dst_az,
    CASE WHEN up THEN client_logged ELSE nat_logged END AS src_logged, CASE WHEN up THEN nat_logged ELSE client_logged END AS dst_logged,
    true AS src_metered, true AS dst_metered, 1 AS ends_min
FROM nat_leg WHERE client_az <> nat_az;

CREATE OR REPLACE TABLE movement AS
SELECT *,
    -- Cost contract: observed if every metered end is logged in that hour, else imputed.
    (src_logged OR NOT src_metered) AND (dst_logged OR NOT dst_metered) AS observed
FROM metered
WHERE accepted AND (category = 'nat' OR direction = 'egress' OR NOT src_logged);

CREATE OR REPLACE TABLE cross_az AS
SELECT src_az AS src_az_id, dst_az AS dst_az_id, category, sum(bytes)::HUGEINT AS bytes,
    coalesce(sum(bytes) FILTER (observed), 0)::HUGEINT AS observed_bytes, coalesce(sum(bytes) FILTER (NOT observed), 0)::HUGEINT AS imputed_bytes,
    max(src_metered::INTEGER + dst_metered::INTEGER) AS metered_ends, max(ends_min) AS metered_ends_min
FROM movement GROUP BY ALL ORDER BY ALL;

CREATE OR REPLACE TABLE nat AS
SELECT nat AS nat_gateway_id, client AS client_addr, min(client_az) AS client_az_id, min(nat_az) AS nat_az_id,
    coalesce(sum(bytes) FILTER (up), 0)::HUGEINT AS bytes_up, coalesce(sum(bytes) FILTER (NOT up), 0)::HUGEINT AS bytes_down,
    sum(bytes)::HUGEINT AS bytes_processed,
    CASE WHEN min(basis) = max(basis) THEN min(basis) ELSE 'both' END AS basis
FROM nat_leg GROUP BY ALL ORDER BY ALL;

-- costs §3.2.4, the ledger: a record is its own end's event; the far end's too if that is metered and not logged in the hour. For NAT hops
-- the A and D records carry both ends.
CREATE OR REPLACE TABLE ledger AS
WITH event AS (
    SELECT category, bytes, direction,
        CASE direction WHEN 'egress' THEN src_metered ELSE dst_metered END AS own,
        CASE direction WHEN 'egress' THEN dst_metered AND NOT dst_logged ELSE src_metered AND NOT src_logged END AS other
    FROM metered WHERE accepted AND category <> 'nat'
)
SELECT category, coalesce(sum(bytes) FILTER (own), 0)::HUGEINT AS observed_bytes, coalesce(sum(bytes) FILTER (other), 0)::HUGEINT AS imputed_bytes
FROM event GROUP BY ALL
UNION ALL
SELECT category, sum(bytes * (src_logged::INTEGER + dst_logged::INTEGER))::HUGEINT, sum(bytes * (2 - src_logged::INTEGER - dst_logged::INTEGER))::HUGEINT
FROM metered WHERE category = 'nat' GROUP BY ALL
ORDER BY category;

-- The same from movements: bytes × ends.
CREATE OR REPLACE TABLE movement_ends AS
SELECT category,
    sum(bytes * ((src_metered AND src_logged)::INTEGER + (dst_metered AND dst_logged)::INTEGER))::HUGEINT AS observed_bytes,
    sum(bytes * ((src_metered AND NOT src_logged)::INTEGER + (dst_metered AND NOT dst_logged)::INTEGER))::HUGEINT AS imputed_bytes
FROM movement GROUP BY ALL ORDER BY ALL;

-- costs §2.5: sent across AZs, accepted on the way out and rejected by the receiver; excluded from its side, counted here.
CREATE OR REPLACE TABLE rejected_by_receiver AS
SELECT src_eni, dst_eni, src_az AS src_az_id, dst_az AS dst_az_id, category, src_metered, dst_metered, src_logged, sum(bytes)::HUGEINT AS bytes
FROM metered WHERE NOT accepted AND direction = 'ingress' GROUP BY ALL;

-- Cost contract: accepted bytes whose far end may be in the region's VPCs but has no AZ.
CREATE OR REPLACE TABLE unresolved AS
SELECT coalesce(sum(e.bytes), 0)::HUGEINT AS bytes
FROM end_of AS e LEFT JOIN span AS s ON s.text = e.remote
WHERE e.accepted AND e.remote_az IS NULL AND e.kind NOT IN ('nat', 'tgw') AND coalesce(e.path, 1) NOT IN (2, 3, 5, 6, 7, 8)
    AND (EXISTS (FROM vpc AS v WHERE s.low BETWEEN v.low AND v.high)
        OR EXISTS (FROM private_range AS p WHERE s.low BETWEEN p.low AND p.high));
