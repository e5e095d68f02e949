-- What counts, and who is at the far end of each record. Run again for every set of interfaces left out (table `without`).

-- costs §3.2.1: overlapping flow logs write the same traffic twice; per interface and hour one flow log counts, the richest format first.
-- The reference leaves equals open: here the one with more records, then the lesser id.
-- §3.2.2: an interface is logged in an hour if it has an OK or NODATA record in it. A flow log of rejects alone shows no accepted bytes.
CREATE OR REPLACE TABLE logged AS
WITH candidate AS (
    SELECT eni, hour, flow_log, max(fields) AS fields, count(*) AS records
    FROM record AS r
    WHERE status IN ('OK', 'NODATA') AND flow_log NOT IN (FROM reject_only)
        AND NOT EXISTS (FROM without AS w WHERE w.eni = r.eni AND r.start_s >= w.from_s AND r.start_s < w.to_s)
    GROUP BY ALL
)
SELECT eni, hour, first(flow_log ORDER BY fields DESC, records DESC, flow_log) AS flow_log FROM candidate GROUP BY ALL;

CREATE OR REPLACE TABLE counted AS
SELECT r.* FROM record AS r LEFT JOIN logged USING (eni, hour)
WHERE (logged.flow_log IS NULL OR r.flow_log = logged.flow_log)
    AND NOT EXISTS (FROM without AS w WHERE w.eni = r.eni AND r.start_s >= w.from_s AND r.start_s < w.to_s);

-- costs §0.9 and §2.5: only OK counts; rejects are kept apart (table `end_of` has both, `accepted` says which).
-- §3.1: without flow-direction the own address tells; without pkt-* the outer addresses stand in.
CREATE OR REPLACE TABLE local_end AS
WITH own AS (SELECT DISTINCT eni, address FROM holder),
directed AS (
    SELECT
        row_number() OVER () AS id, c.* EXCLUDE (direction, vpc, az),
        coalesce(c.vpc, i.vpc) AS vpc, coalesce(c.az, i.az) AS az, i.kind, i.nat, i.subnet,
        coalesce(direction, CASE
            WHEN d.address IS NOT NULL AND s.address IS NULL THEN 'ingress'
            WHEN s.address IS NOT NULL AND d.address IS NULL THEN 'egress' END) AS direction
    FROM counted AS c
    LEFT JOIN interface AS i USING (eni)
    LEFT JOIN own AS s ON c.direction IS NULL AND s.eni = c.eni AND s.address = c.src
    LEFT JOIN own AS d ON c.direction IS NULL AND d.eni = c.eni AND d.address = c.dst
    WHERE status = 'OK'
)
SELECT
    * EXCLUDE (action), action = 'ACCEPT' AS accepted,
    CASE direction WHEN 'egress' THEN coalesce(pkt_src, src) WHEN 'ingress' THEN coalesce(pkt_dst, dst) END AS local,
    CASE direction WHEN 'egress' THEN coalesce(pkt_dst, dst) WHEN 'ingress' THEN coalesce(pkt_src, src) END AS remote
FROM directed;

-- costs §3.5: the far end's VPC by address range (own VPC, then peered, then by transit gateway), never by RFC 1918 (§3.7). An address that
-- fits two peers is nobody's. Its AZ: subnet by longest prefix.
CREATE OR REPLACE TABLE place AS
WITH pair AS (SELECT DISTINCT vpc, remote FROM local_end WHERE remote IS NOT NULL),
near AS (
    SELECT p.vpc, p.remote, n.relation, n.rank, n.other, s.low
    FROM pair p JOIN span s ON s.text = p.remote JOIN neighbour n ON n.vpc = p.vpc JOIN vpc v ON v.vpc = n.other AND s.low BETWEEN v.low AND v.high
),
chosen AS (
    SELECT vpc, remote, any_value(relation) AS relation, any_value(other) AS other, any_value(low) AS low
    FROM (SELECT DISTINCT * FROM near QUALIFY rank = min(rank) OVER (PARTITION BY vpc, remote))
    GROUP BY vpc, remote HAVING count(DISTINCT other) = 1
)
SELECT c.*, first(s.az ORDER BY s.high) AS az
FROM chosen c LEFT JOIN subnet s ON s.vpc = c.other AND c.low BETWEEN s.low AND s.high
GROUP BY ALL;

-- costs §3.2.2 and §3.5, last resort: what another interface's own records of the hour say of an address.
CREATE OR REPLACE TABLE learned AS
SELECT vpc, local AS address, hour, any_value(eni) AS eni, any_value(az) AS az FROM local_end
WHERE local IS NOT NULL AND coalesce(kind, '') NOT IN ('nat', 'tgw') GROUP BY ALL HAVING count(DISTINCT eni) = 1;

CREATE OR REPLACE TABLE end_of AS
SELECT
    e.id, e.eni, e.hour, e.start_s, e.accepted, e.direction, e.path, e.protocol, e.src_port, e.dst_port, e.bytes,
    e.vpc, e.az, coalesce(e.kind, 'other') AS kind, e.nat, e.subnet, e.local, e.remote,
    -- costs §3.3: A and D at a NAT interface name both ends. Without pkt-*: A comes from a client of the VPC, D goes to one.
    CASE WHEN e.kind <> 'nat' THEN NULL
         WHEN e.direction = 'ingress' AND CASE WHEN e.pkt_dst IS NULL THEN p.relation IS NOT NULL ELSE e.pkt_dst <> e.dst END THEN 'A'
         WHEN e.direction = 'egress' AND CASE WHEN e.pkt_src IS NULL THEN p.relation IS NOT NULL ELSE e.pkt_src <> e.src END THEN 'D'
    END AS class,
    p.relation,
    coalesce(p.az, i.az, l.az) AS remote_az,
    coalesce(h.eni, l.eni) AS remote_eni, coalesce(i.kind, 'other') AS remote_kind,
    g.eni IS NOT NULL AS remote_logged
FROM local_end AS e
LEFT JOIN place AS p ON p.vpc = e.vpc AND p.remote = e.remote
LEFT JOIN holder AS h ON h.vpc = p.other AND h.address = e.remote AND e.start_s >= h.valid_from AND e.start_s < h.valid_to
LEFT JOIN learned AS l ON h.eni IS NULL AND l.vpc = p.other AND l.address = e.remote AND l.hour = e.hour
LEFT JOIN interface AS i ON i.eni = coalesce(h.eni, l.eni)
LEFT JOIN logged AS g ON g.eni = coalesce(h.eni, l.eni) AND g.hour = e.hour;
