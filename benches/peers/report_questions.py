"""The reports of costs as questions to peers: what `report nat` and `report cross-az` show, by one pass over the records and small statements after it.

Peers are given whose each address is, and are spared what flowproof does besides and what does not change these answers in generated estates: overlapping
flow logs, addresses that change hands more than once, clients whose gateway does not log, prices, what lies beyond a gateway, doubts about directions.
"""

HELD = "SELECT interface_id, unnest(array_concat(addresses, public_addresses)) AS address, CAST(to_unixtime(valid_from) AS BIGINT) AS since FROM enis"
HANDED = f"SELECT address, max(since) AS since FROM ({HELD}) AS held GROUP BY address HAVING count(DISTINCT interface_id) = 2"
# What the peers are given of the inventory besides, by asking flowproof.
TABLES = {
    "kinds": "SELECT interface_id, az_id, coalesce(kind, 'other') AS kind, vpc_id FROM enis",
    "nat_ends": "SELECT interface_id, resource AS nat_gateway_id, az_id AS nat_az_id, addresses[1] AS nat_addr FROM enis WHERE kind = 'nat-gateway'",
    # Addresses that changed hands once in the inventory, and when.
    "handed": HANDED,
    # Who is at an address, or was at it until it changed hands and since.
    "ends": f"""
      WITH met AS (
        SELECT peer_addr AS address, peer_eni AS end_id, min(peer_az_id) AS end_az_id, min(coalesce(peer_kind, 'other')) AS end_kind,
          min(peer_vpc_id) AS end_vpc_id, min(peer_name) AS end_name
        FROM hourly WHERE peer_eni IS NOT NULL GROUP BY 1, 2
      )
      SELECT m.*, CASE WHEN w.since >= h.since THEN 1 ELSE 0 END AS later
      FROM met m LEFT JOIN ({HELD}) AS w ON w.interface_id = m.end_id AND w.address = m.address LEFT JOIN ({HANDED}) AS h ON h.address = m.address""",
}
HOUR = '{start} - {start} % 3600'
# Everything that the statements after it need, for each interface and hour; ends only of what passed a gateway's interface.
NAT_PASS = f"""
SELECT f."interface-id" AS interface_id, {HOUR} AS hour, "log-status" AS status, g.nat_gateway_id AS nat_gateway_id,
  g.nat_az_id AS nat_az_id, CASE WHEN "flow-direction" = 'ingress' THEN 1 ELSE 0 END AS is_up,
  CASE WHEN g.nat_addr IS NULL OR action <> 'ACCEPT' THEN NULL WHEN "flow-direction" = 'ingress' AND "pkt-dstaddr" <> g.nat_addr THEN "pkt-srcaddr"
    WHEN "flow-direction" = 'egress' AND "pkt-srcaddr" <> g.nat_addr THEN "pkt-dstaddr" END AS client_addr,
  sum({{bytes}}) AS bytes
FROM flows f LEFT JOIN nat_ends g ON f."interface-id" = g.interface_id
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
CROSS_AZ_PASS = f"""
SELECT "interface-id" AS interface_id, {HOUR} AS hour, "log-status" AS status, action, "flow-direction" AS direction, "pkt-srcaddr" AS src, "pkt-dstaddr" AS dst,
  CASE WHEN {{start}} >= s.since THEN 1 ELSE 0 END AS src_later, CASE WHEN {{start}} >= d.since THEN 1 ELSE 0 END AS dst_later, {{traffic_path}} AS path, {{protocol}} AS protocol, CASE WHEN {{srcport}} < {{dstport}} THEN {{srcport}} ELSE {{dstport}} END AS port, sum({{bytes}}) AS bytes
FROM flows f LEFT JOIN handed s ON f."pkt-srcaddr" = s.address LEFT JOIN handed d ON f."pkt-dstaddr" = d.address
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
"""
HOURS = """
SELECT count(*) AS logged, sum(lost) AS lost FROM
  (SELECT interface_id, hour, max(CASE WHEN status = 'SKIPDATA' THEN 1 ELSE 0 END) AS lost FROM hourly GROUP BY interface_id, hour) AS of_hours
"""
NAT_ROWS = """
SELECT h.nat_gateway_id AS gateway, h.client_addr AS client, e.end_az_id AS client_az, h.nat_az_id AS nat_az,
  sum(CASE WHEN h.is_up = 1 THEN h.bytes ELSE 0 END) AS up, sum(CASE WHEN h.is_up = 1 THEN 0 ELSE h.bytes END) AS down
FROM hourly h JOIN (SELECT address, min(end_az_id) AS end_az_id FROM ends GROUP BY address) AS e ON h.client_addr = e.address
WHERE h.status = 'OK' AND h.client_addr IS NOT NULL
GROUP BY 1, 2, 3, 4
"""
# Each movement once: by its sender's record, or by the receiver's where the sender's interface has none of its own in that hour.
MOVEMENTS = """
WITH own AS (
  SELECT h.hour AS hour, h.direction = 'egress' AS sent, h.protocol AS protocol, h.port AS port, h.bytes AS bytes, k.az_id AS own_az, k.kind AS own_kind,
    k.vpc_id AS own_vpc, h.interface_id AS own_id, CASE WHEN h.direction = 'egress' THEN h.dst ELSE h.src END AS other,
    CASE WHEN h.direction = 'egress' THEN h.dst_later ELSE h.src_later END AS other_later, CASE WHEN h.direction = 'egress' THEN h.src_later ELSE h.dst_later END AS own_later,
    CASE WHEN h.direction = 'egress' THEN h.src ELSE h.dst END AS own_addr
  FROM hourly h JOIN kinds k ON h.interface_id = k.interface_id
  WHERE h.status = 'OK' AND h.action = 'ACCEPT' AND (h.path IS NULL OR h.path = 1 OR h.path = 4)
    AND k.kind NOT IN ('nat-gateway', 'transit-gateway', 'firewall-endpoint', 'gateway-load-balancer-endpoint')
),
logged AS (SELECT interface_id, hour, 1 AS is_logged FROM hourly WHERE status <> 'SKIPDATA' GROUP BY interface_id, hour),
both_ends AS (
  SELECT o.*, e.end_id AS end_id, e.end_az_id AS end_az, e.end_kind AS end_kind, e.end_vpc_id AS end_vpc, e.end_name AS end_name, l.is_logged AS is_logged,
    CASE
      WHEN o.own_kind IN ('vpc-endpoint') OR e.end_kind IN ('vpc-endpoint', 'gateway-load-balancer-endpoint', 'firewall-endpoint') THEN 'endpoint'
      WHEN o.own_kind IN ('alb', 'classic-elb', 'nlb', 'gwlb') OR e.end_kind IN ('alb', 'classic-elb', 'nlb', 'gwlb') THEN 'load-balancer'
      WHEN o.own_kind IN ('rds', 'rds-proxy', 'elasticache', 'redshift', 'opensearch') OR e.end_kind IN ('rds', 'rds-proxy', 'elasticache', 'redshift', 'opensearch') THEN 'database'
      WHEN e.end_vpc_id <> o.own_vpc THEN 'peering'
      WHEN o.own_kind = 'eks-control-plane' OR e.end_kind = 'eks-control-plane' THEN 'eks-control-plane'
      ELSE 'direct' END AS category
  FROM own o JOIN ends e ON o.other = e.address AND o.other_later = e.later LEFT JOIN logged l ON l.interface_id = e.end_id AND l.hour = o.hour
  WHERE e.end_az_id <> o.own_az AND e.end_kind <> 'nat-gateway' AND (o.sent OR l.is_logged IS NULL)
),
movements AS (
  SELECT *, CASE category WHEN 'endpoint' THEN 0 WHEN 'load-balancer' THEN 0 WHEN 'database' THEN 1 WHEN 'eks-control-plane' THEN 1 ELSE 2 END AS ends FROM both_ends
)
"""
CROSS_AZ_ROWS = MOVEMENTS + """
SELECT CASE WHEN sent THEN own_az ELSE end_az END AS src_az, CASE WHEN sent THEN end_az ELSE own_az END AS dst_az, category,
  sum(bytes) AS bytes, sum(CASE WHEN is_logged = 1 THEN bytes ELSE 0 END) AS observed, max(ends) AS ends
FROM movements GROUP BY 1, 2, 3
"""
CROSS_AZ_HOPS = """
SELECT CASE WHEN h.direction = 'ingress' THEN e.end_az_id ELSE g.nat_az_id END AS src_az,
  CASE WHEN h.direction = 'ingress' THEN g.nat_az_id ELSE e.end_az_id END AS dst_az, 'nat' AS category, sum(h.bytes) AS bytes, sum(h.bytes) AS observed, 2 AS ends
FROM hourly h JOIN nat_ends g ON h.interface_id = g.interface_id
  JOIN ends e ON e.address = CASE WHEN h.direction = 'ingress' THEN h.src ELSE h.dst END AND e.later = CASE WHEN h.direction = 'ingress' THEN h.src_later ELSE h.dst_later END
WHERE h.status = 'OK' AND h.action = 'ACCEPT' AND CASE WHEN h.direction = 'ingress' THEN h.dst ELSE h.src END <> g.nat_addr AND e.end_az_id <> g.nat_az_id
GROUP BY 1, 2, 3
"""
CROSS_AZ_CANDIDATES = MOVEMENTS + """,
pairs AS (
  SELECT m.protocol AS protocol, m.port AS port, CASE WHEN m.sent THEN coalesce(n.end_name, m.own_id) ELSE coalesce(m.end_name, m.end_id) END AS src,
    CASE WHEN m.sent THEN coalesce(m.end_name, m.end_id) ELSE coalesce(n.end_name, m.own_id) END AS dst, m.bytes AS bytes, m.bytes * m.ends AS metered
  FROM movements m LEFT JOIN ends n ON m.own_addr = n.address AND m.own_later = n.later
  WHERE m.category IN ('direct', 'load-balancer', 'database', 'peering') AND m.ends > 0
)
SELECT protocol, port, src, dst, sum(bytes) AS bytes, sum(metered) AS metered FROM pairs GROUP BY 1, 2, 3, 4 ORDER BY metered DESC LIMIT 10
"""
# By question: the pass, and what is asked of its result.
QUESTIONS = {
    "nat-report": (NAT_PASS, {"hours": HOURS, "row": NAT_ROWS}),
    "cross-az-report": (CROSS_AZ_PASS, {"hours": HOURS, "row": CROSS_AZ_ROWS, "hop": CROSS_AZ_HOPS, "candidate": CROSS_AZ_CANDIDATES}),
}


def said(question, report):
    """A report of flowproof's as peers answer."""
    found = [["hours", report["logged_interface_hours"], report["skipdata_interface_hours"]]]
    if question == "nat-report":
        found += [["row", *(row[name] for name in ("nat_gateway_id", "client_addr", "client_az_id", "nat_az_id", "bytes_up", "bytes_down"))] for row in report["rows"]]
        return found
    for row in report["rows"]:
        kind = "hop" if row["category"] == "nat" else "row"
        found.append([kind, *(row[name] for name in ("src_az_id", "dst_az_id", "category", "bytes", "observed_bytes", "metered_ends"))])
    numbers = {"icmp": 1, "tcp": 6, "udp": 17}
    for one in report["recommendations"]:
        protocol, port = one["service"].split("/")
        found.append(["candidate", numbers[protocol], int(port), *(one[name] for name in ("src", "dst", "bytes", "metered_bytes"))])
    return found
