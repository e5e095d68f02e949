-- Works out the table of destinations and the verdicts C1, C2 and D1 anew, and compares them with what the bundle states.
--
-- For DuckDB, run in the folder of the bundle (README.txt has the commands). It shares no code with flowproof: where both agree, two
-- independent readings of the same rules (docs/meanings.md and docs/policy.md of flowproof) lead from the records to the same figures.
--
-- Read:     data/records/control-plane.parquet   every record of every control-plane interface, as AWS wrote it
--           data/given/*.csv                     what the records do not hold; each step below says what it takes from there
-- Compared: data/destinations.csv, data/statements.csv, data/exceptions.csv, data/coverage.csv
-- A file that is missing is an error, and the script ends there.
--
-- Taken as given, and so not shown by this script: who an address belongs to (dst_name, dst_kind, account_id, region, vpc_id), which
-- way packets went (path: other interfaces' records tell it), and what keeps a day from being whole (data/given/days.csv).


-- 0. ADDRESSES

-- The eight groups of an IPv6 address; addresses as texts that sort as the addresses do; and the one short form of an address (RFC 5952),
-- since a record may write out all zeros.
CREATE OR REPLACE TEMP MACRO ipv6_filled(head, tail) AS list_concat(head, list_concat(['0' FOR _ IN range(8 - len(head) - len(tail))], tail));
CREATE OR REPLACE TEMP MACRO ipv6_groups(addr) AS CASE
  WHEN addr NOT LIKE '%::%' THEN string_split(addr, ':')
  ELSE ipv6_filled(
    [one FOR one IN string_split(split_part(addr, '::', 1), ':') IF one <> ''],
    [one FOR one IN string_split(split_part(addr, '::', 2), ':') IF one <> ''])
END;
CREATE OR REPLACE TEMP MACRO addr_key(addr) AS CASE
  WHEN addr IS NULL THEN NULL
  WHEN addr NOT LIKE '%:%' THEN '4 ' || array_to_string([lpad(octet, 3, '0') FOR octet IN string_split(addr, '.')], '.')
  ELSE '6 ' || array_to_string([lpad(lower(one), 4, '0') FOR one IN ipv6_groups(addr)], ':')
END;
CREATE OR REPLACE TEMP MACRO without_zeros(addr) AS
  array_to_string([coalesce(nullif(ltrim(lower(one), '0'), ''), '0') FOR one IN ipv6_groups(addr)], ':');
CREATE OR REPLACE TEMP MACRO shortened(text) AS CASE
  WHEN regexp_matches(text, '(^|:)0(:0){7}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){7}(:|$)', '::')
  WHEN regexp_matches(text, '(^|:)0(:0){6}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){6}(:|$)', '::')
  WHEN regexp_matches(text, '(^|:)0(:0){5}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){5}(:|$)', '::')
  WHEN regexp_matches(text, '(^|:)0(:0){4}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){4}(:|$)', '::')
  WHEN regexp_matches(text, '(^|:)0(:0){3}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){3}(:|$)', '::')
  WHEN regexp_matches(text, '(^|:)0(:0){2}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){2}(:|$)', '::')
  WHEN regexp_matches(text, '(^|:)0(:0){1}(:|$)') THEN regexp_replace(text, '(^|:)0(:0){1}(:|$)', '::')
  ELSE text
END;
CREATE OR REPLACE TEMP MACRO canonical(addr) AS CASE WHEN addr LIKE '%:%' THEN shortened(without_zeros(addr)) ELSE addr END;


-- 1. THE RECORDS

-- flow_log_id is missing where an object's name holds none; those count as one flow log. A record without start counts by its end.
CREATE OR REPLACE TEMP TABLE records AS
SELECT
  interface_id, cluster, cluster_arn, coalesce(flow_log_id, '') AS flow_log_id, log_object, log_line, direction, "start", "end",
  coalesce("start", "end", 0)                                                   AS begins,
  greatest(coalesce("end", "start", 0), coalesce("start", "end", 0))            AS ends,
  coalesce("start", "end", 0) // 3600                                           AS hour,
  CASE
    WHEN log_status IN ('NODATA', 'SKIPDATA') THEN log_status
    -- a format without log-status: a record of nothing at all
    WHEN log_status IS NULL AND srcaddr IS NULL AND dstaddr IS NULL AND packets IS NULL AND bytes IS NULL AND action IS NULL THEN 'NODATA'
    ELSE 'OK'
  END                                                                           AS status,
  coalesce(protocol, 0)                                                         AS protocol,
  canonical(local_addr) AS local_addr, coalesce(local_port, 0) AS local_port, canonical(peer_addr) AS peer_addr, coalesce(peer_port, 0) AS peer_port,
  coalesce(action, 'ACCEPT') = 'REJECT'                                         AS is_rejected,
  coalesce(packets, 0) AS packets, coalesce(bytes, 0) AS bytes, tcp_flags
FROM read_parquet('data/records/control-plane.parquet');

CREATE OR REPLACE TEMP TABLE interfaces AS
SELECT interface_id, min(cluster) AS cluster, min(cluster_arn) AS cluster_arn FROM records GROUP BY interface_id;


-- 2. WHICH FLOW LOGS COUNT
-- Two flow logs may write the same traffic twice. Per interface and hour: where the ranges of two overlap, the one with the most fields
-- counts, then the one with the lowest id. Ranges that do not overlap all count.
-- Given: how many fields each flow log wrote (data/given/formats.csv), since a record does not tell which fields its format has.

CREATE OR REPLACE TEMP TABLE ranges AS
SELECT
  records.interface_id, records.hour, records.flow_log_id, coalesce(any_value(formats.fields), 0) AS fields,
  min(records."start") AS first_start, max(records."end") AS last_end,
FROM records
LEFT JOIN read_csv('data/given/formats.csv', header = true, auto_detect = false, columns = {
    'interface_id': 'VARCHAR', 'hour': 'TIMESTAMP', 'flow_log_id': 'VARCHAR', 'fields': 'BIGINT' }) AS formats
  ON formats.interface_id = records.interface_id
  AND coalesce(formats.flow_log_id, '') = records.flow_log_id
  AND epoch(formats.hour)::BIGINT // 3600 = records.hour
GROUP BY records.interface_id, records.hour, records.flow_log_id;

-- In this order each one is taken that overlaps none of those taken before it. A range without an end overlaps all.
CREATE OR REPLACE TEMP TABLE counted AS
WITH RECURSIVE ranked AS (
  SELECT *, row_number() OVER (PARTITION BY interface_id, hour ORDER BY fields DESC, flow_log_id) AS place FROM ranges
),
taken AS (
  SELECT interface_id, hour, place, [{ 'id': flow_log_id, 'a': first_start, 'b': last_end }] AS logs FROM ranked WHERE place = 1
  UNION ALL
  SELECT
    ranked.interface_id, ranked.hour, ranked.place,
    CASE WHEN len([o FOR o IN taken.logs IF coalesce(
        ranked.first_start < greatest(o.b, o.a + 1) AND o.a < greatest(ranked.last_end, ranked.first_start + 1), true)]) = 0
      THEN list_append(taken.logs, { 'id': ranked.flow_log_id, 'a': ranked.first_start, 'b': ranked.last_end })
      ELSE taken.logs
    END
  FROM taken
  JOIN ranked ON ranked.interface_id = taken.interface_id AND ranked.hour = taken.hour AND ranked.place = taken.place + 1
)
SELECT interface_id, hour, unnest(arg_max(logs, place)).id AS flow_log_id FROM taken GROUP BY interface_id, hour;


-- 3. CONNECTIONS
-- Both directions of (interface, protocol, local address and port, peer address and port). Records that lie more than 600 s apart, the
-- longest aggregation interval of a flow log, belong to different connections.

CREATE OR REPLACE TEMP TABLE parts AS
WITH traffic AS (
  SELECT records.*
  FROM records
  JOIN counted USING (interface_id, hour, flow_log_id)
  WHERE status = 'OK' AND direction IN ('egress', 'ingress') AND local_addr IS NOT NULL AND peer_addr IS NOT NULL
),
apart AS (
  SELECT *, coalesce(begins > 600 + max(ends) OVER (
      PARTITION BY interface_id, protocol, local_addr, local_port, peer_addr, peer_port ORDER BY begins, ends, log_object, log_line
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS is_apart
  FROM traffic
)
SELECT *, count(*) FILTER (WHERE is_apart) OVER (
    PARTITION BY interface_id, protocol, local_addr, local_port, peer_addr, peer_port ORDER BY begins, ends, log_object, log_line
    ROWS UNBOUNDED PRECEDING) AS session
FROM apart;

-- out: records that left the interface (egress); back: records that entered it (ingress). Flags are OR-ed per direction.
CREATE OR REPLACE TEMP TABLE sums AS
SELECT
  row_number() OVER ()                                                          AS id,
  interface_id, protocol, local_addr, local_port, peer_addr, peer_port,
  min(begins)                                                                   AS begins,
  max(ends)                                                                     AS ends,
  count(*) FILTER (WHERE direction = 'egress' AND NOT is_rejected)              AS out_accepted,
  count(*) FILTER (WHERE direction = 'egress' AND is_rejected)                  AS out_rejected,
  count(*) FILTER (WHERE direction = 'ingress' AND NOT is_rejected)             AS back_accepted,
  count(*) FILTER (WHERE direction = 'ingress' AND is_rejected)                 AS back_rejected,
  coalesce(sum(packets) FILTER (WHERE direction = 'egress' AND NOT is_rejected), 0)  AS out_packets_accepted,
  coalesce(sum(packets) FILTER (WHERE direction = 'egress' AND is_rejected), 0)      AS out_packets_rejected,
  coalesce(sum(bytes) FILTER (WHERE direction = 'egress' AND NOT is_rejected), 0)    AS out_bytes_accepted,
  coalesce(sum(bytes) FILTER (WHERE direction = 'egress' AND is_rejected), 0)        AS out_bytes_rejected,
  coalesce(sum(packets) FILTER (WHERE direction = 'ingress' AND NOT is_rejected), 0) AS back_packets_accepted,
  coalesce(sum(bytes) FILTER (WHERE direction = 'ingress' AND NOT is_rejected), 0)   AS back_bytes_accepted,
  bit_or(tcp_flags) FILTER (WHERE direction = 'egress')                         AS out_flags,
  bit_or(tcp_flags) FILTER (WHERE direction = 'ingress')                        AS back_flags,
  min("start") FILTER (WHERE direction = 'egress')                              AS out_start,
  max("end") FILTER (WHERE direction = 'egress')                                AS out_end,
  min("start") FILTER (WHERE direction = 'ingress')                             AS back_start,
  max("end") FILTER (WHERE direction = 'ingress')                               AS back_end,
  first({ 't': begins, 'line': log_object || ':' || log_line } ORDER BY begins, log_object, log_line) FILTER (WHERE direction = 'egress') AS out_first,
  last({ 't': begins, 'line': log_object || ':' || log_line } ORDER BY begins, log_object, log_line) FILTER (WHERE direction = 'egress') AS out_last,
  first({ 't': begins, 'line': log_object || ':' || log_line } ORDER BY begins, log_object, log_line) FILTER (WHERE direction = 'ingress') AS back_first,
  last({ 't': begins, 'line': log_object || ':' || log_line } ORDER BY begins, log_object, log_line) FILTER (WHERE direction = 'ingress') AS back_last
FROM parts
GROUP BY interface_id, protocol, local_addr, local_port, peer_addr, peer_port, session;


-- 4. WHO OPENED A CONNECTION
-- The first rule that fires decides; its number is that of docs/meanings.md. A rule yields 'side rule confidence'.
-- tcp-flags: SYN is 2, RST is 4, SYN-ACK is 18.

CREATE OR REPLACE TEMP MACRO opens(flags) AS coalesce((flags & 18) = 2, false);
CREATE OR REPLACE TEMP MACRO answers(flags) AS coalesce((flags & 18) = 18, false);
CREATE OR REPLACE TEMP MACRO has_syn(flags) AS coalesce((flags & 2) <> 0, false);
CREATE OR REPLACE TEMP MACRO has_ports(protocol) AS protocol IN (6, 17, 33, 132, 136);

-- 4 and 5: the API server listens on port 443 and nowhere else; some peers are known to listen.
CREATE OR REPLACE TEMP MACRO by_listener(protocol, local_port, peer_port, peer_listens) AS CASE
  WHEN protocol = 6 AND local_port = 443 AND peer_port >= 1024 THEN 'peer 4 high'
  WHEN protocol = 6 AND local_port >= 1024 AND (peer_listens OR peer_port IN (443, 10250)) THEN 'local 5 high'
END;

-- 1 and 2: the handshake was seen. 2b: only its answer was, and then 4 or 5 decides where it says the contrary.
CREATE OR REPLACE TEMP MACRO by_handshake(protocol, out_flags, back_flags, listener) AS CASE
  WHEN protocol <> 6 THEN NULL
  WHEN opens(out_flags) AND answers(back_flags) THEN 'local 1 certain'
  WHEN opens(back_flags) AND answers(out_flags) THEN 'peer 1 certain'
  WHEN opens(out_flags) AND NOT has_syn(back_flags) THEN 'local 2 certain'
  WHEN opens(back_flags) AND NOT has_syn(out_flags) THEN 'peer 2 certain'
  WHEN answers(out_flags) AND NOT has_syn(back_flags) AND listener LIKE 'local %' THEN replace(listener, 'high', 'medium')
  WHEN answers(out_flags) AND NOT has_syn(back_flags) THEN 'peer 2b high'
  WHEN answers(back_flags) AND NOT has_syn(out_flags) AND listener LIKE 'peer %' THEN replace(listener, 'high', 'medium')
  WHEN answers(back_flags) AND NOT has_syn(out_flags) THEN 'local 2b high'
END;

-- reply, reject: nothing went out, and all that came in was stopped. To another port than 443, from an end that the interface had
-- reached in the same hour, it was the reply to that.
CREATE OR REPLACE TEMP MACRO by_reject(local_port, out_records, back_accepted, back_rejected, contacted) AS CASE
  WHEN out_records > 0 OR back_accepted > 0 OR back_rejected = 0 THEN NULL
  WHEN contacted AND local_port <> 443 THEN 'local reply high'
  ELSE 'peer reject medium'
END;

-- 6 to 9: ports. peer_serves, local_serves: at least 3 distinct remote ports were seen on that end's address and port.
CREATE OR REPLACE TEMP MACRO by_ports(protocol, local_port, peer_port, peer_serves, local_serves) AS CASE
  WHEN protocol = 6 AND local_port <> 443 THEN 'local 6 medium'
  WHEN NOT has_ports(protocol) THEN NULL
  WHEN peer_serves AND NOT local_serves THEN 'local 7 medium'
  WHEN local_serves AND NOT peer_serves THEN 'peer 7 medium'
  WHEN protocol <> 6 AND peer_port BETWEEN 1 AND 1023 THEN 'local 8 medium'
  WHEN local_port >= 32768 AND peer_port < 32768 THEN 'local 9 low'
  WHEN local_port < 32768 AND peer_port >= 32768 THEN 'peer 9 low'
END;

-- 10: who was earlier.
CREATE OR REPLACE TEMP MACRO by_time(out_start, back_start) AS CASE
  WHEN out_start < back_start OR (out_start IS NOT NULL AND back_start IS NULL) THEN 'local 10 low'
  WHEN back_start < out_start OR (back_start IS NOT NULL AND out_start IS NULL) THEN 'peer 10 low'
END;

CREATE OR REPLACE TEMP MACRO opened(
    protocol, local_port, peer_port, out_flags, back_flags, out_records, back_accepted, back_rejected, out_start, back_start,
    peer_listens, peer_serves, local_serves, contacted) AS coalesce(
  by_handshake(protocol, out_flags, back_flags, by_listener(protocol, local_port, peer_port, peer_listens)),
  by_reject(local_port, out_records, back_accepted, back_rejected, contacted),
  by_listener(protocol, local_port, peer_port, peer_listens),
  by_ports(protocol, local_port, peer_port, peer_serves, local_serves),
  by_time(out_start, back_start),
  'none 11 none');

-- What each connection shows by itself teaches something about others.
CREATE OR REPLACE TEMP TABLE alone AS
SELECT *, opened(protocol, local_port, peer_port, out_flags, back_flags, out_accepted + out_rejected, back_accepted, back_rejected,
  out_start, back_start, false, false, false, false) AS opened_alone
FROM sums;

-- For rule 5: ends that answered a handshake, and ends that are configured (data/given/listeners.csv: webhooks, API services).
CREATE OR REPLACE TEMP TABLE answering AS
SELECT DISTINCT peer_addr AS addr, peer_port AS port
FROM alone
WHERE (opened_alone LIKE 'local 1 %' OR opened_alone LIKE 'local 2 %') AND back_accepted + back_rejected > 0;

CREATE OR REPLACE TEMP TABLE configured AS
SELECT DISTINCT interface_id, addr, port
FROM read_csv('data/given/listeners.csv', header = true, auto_detect = false, columns = {
    'interface_id': 'VARCHAR', 'addr': 'VARCHAR', 'port': 'BIGINT' });

-- For rule 7: ends with at least 3 remote ports.
CREATE OR REPLACE TEMP TABLE serving AS
SELECT addr, port, protocol
FROM (
  SELECT peer_addr AS addr, peer_port AS port, protocol, local_port AS remote FROM sums
  UNION ALL
  SELECT local_addr, local_port, protocol, peer_port FROM sums
) AS seen
WHERE protocol <> 6 AND has_ports(protocol)
GROUP BY addr, port, protocol
HAVING count(DISTINCT remote) >= 3;

-- For the rule reply: ends that an interface reached by accepted egress, by hour.
CREATE OR REPLACE TEMP TABLE contacts AS
SELECT DISTINCT interface_id, peer_addr, peer_port, protocol, unnest(range(begins // 3600, ends // 3600 + 1)) AS hour
FROM alone
WHERE out_accepted > 0 AND opened_alone LIKE 'local %';

CREATE OR REPLACE TEMP TABLE oriented AS
SELECT
  alone.*,
  opened(alone.protocol, alone.local_port, alone.peer_port, out_flags, back_flags, out_accepted + out_rejected, back_accepted, back_rejected,
    out_start, back_start,
    answering.addr IS NOT NULL OR configured.addr IS NOT NULL,
    peers.addr IS NOT NULL,
    locals.addr IS NOT NULL,
    out_accepted + out_rejected = 0 AND EXISTS (
      SELECT 1 FROM contacts
      WHERE contacts.interface_id = alone.interface_id AND contacts.peer_addr = alone.peer_addr AND contacts.peer_port = alone.peer_port
        AND contacts.protocol = alone.protocol AND contacts.hour BETWEEN alone.begins // 3600 AND alone.ends // 3600)
  ) AS opened
FROM alone
LEFT JOIN answering ON answering.addr = alone.peer_addr AND answering.port = alone.peer_port
LEFT JOIN configured
  ON configured.interface_id = alone.interface_id AND configured.addr = alone.peer_addr AND configured.port = alone.peer_port
LEFT JOIN serving AS peers ON peers.addr = alone.peer_addr AND peers.port = alone.peer_port AND peers.protocol = alone.protocol
LEFT JOIN serving AS locals ON locals.addr = alone.local_addr AND locals.port = alone.local_port AND locals.protocol = alone.protocol;

-- Outcome, of what the interface opened; the first that applies.
-- Where anything went out, what went out dates a connection; else, for a blocked reply, what came in.
-- Given: path, as the records of all interfaces tell it, and what it may be in the words of a policy (data/given/ways.csv).
CREATE OR REPLACE TEMP TABLE ways AS
SELECT *, epoch("start")::BIGINT AS begins
FROM read_csv('data/given/ways.csv', header = true, auto_detect = false, columns = {
    'interface_id': 'VARCHAR', 'protocol': 'BIGINT', 'peer_addr': 'VARCHAR', 'peer_port': 'BIGINT', 'local_addr': 'VARCHAR',
    'local_port': 'BIGINT', 'start': 'TIMESTAMP', 'path': 'VARCHAR', 'ways': 'VARCHAR' });

CREATE OR REPLACE TEMP TABLE connections AS
SELECT
  oriented.*, interfaces.cluster, interfaces.cluster_arn, ways.path, ways.ways,
  nullif(split_part(opened, ' ', 1), 'none')                                    AS initiator,
  split_part(opened, ' ', 2)                                                    AS rule,
  split_part(opened, ' ', 3)                                                    AS confidence,
  CASE
    WHEN opened NOT LIKE 'local %' THEN NULL
    WHEN out_rejected > 0 AND out_accepted = 0 THEN 'rejected'
    WHEN back_rejected > 0 AND back_accepted = 0 THEN 'reply-blocked'
    WHEN oriented.protocol = 6 AND has_syn(out_flags) AND coalesce((back_flags & 4) <> 0, false) AND NOT has_syn(back_flags) THEN 'refused'
    WHEN back_accepted + back_rejected = 0 THEN 'unanswered'
    ELSE 'answered'
  END                                                                           AS outcome,
  CASE WHEN out_accepted + out_rejected > 0 THEN out_first ELSE back_first END  AS first_seen,
  CASE WHEN out_accepted + out_rejected > 0 THEN out_last ELSE back_last END    AS last_seen,
  CASE WHEN out_accepted + out_rejected > 0 THEN out_start ELSE back_start END  AS judged_from,
  CASE WHEN out_accepted + out_rejected > 0 THEN out_end ELSE back_end END      AS shown_end
FROM oriented
LEFT JOIN interfaces ON interfaces.interface_id = oriented.interface_id
-- a way holds for all connections to an end, or for the one whose own end and start it names
LEFT JOIN ways
  ON oriented.opened LIKE 'local %'
  AND ways.interface_id = oriented.interface_id AND ways.protocol = oriented.protocol
  AND ways.peer_addr = oriented.peer_addr AND ways.peer_port = oriented.peer_port
  AND (ways.local_addr IS NULL
    OR ways.local_addr = oriented.local_addr AND ways.local_port = oriented.local_port AND ways.begins = oriented.begins);


-- 5. THE POLICY, AT THE TIME OF THE RECORDS
-- A connection that the API server opened is approved if at every instant, from the start of its first egress record to the start of
-- its last, a rule names its address, port, cluster and way, and holds: starts <= t < expires.
-- Given: the rules of data/policy/approved.toml, one row for each destination, port range and cluster (data/given/rules.csv), and, since
-- only the inventory knows it, which addresses aws:, vpce:, sg:, eni: and pl: stood for when they were contacted (data/given/references.csv).

CREATE OR REPLACE TEMP TABLE rules AS
SELECT *, addr_key(first_addr) AS first_key, addr_key(last_addr) AS last_key, epoch(starts)::BIGINT AS holds_from, epoch(expires)::BIGINT AS holds_to
FROM read_csv('data/given/rules.csv', header = true, auto_detect = false, columns = {
    'rule_no': 'BIGINT', 'rule': 'VARCHAR', 'target': 'VARCHAR', 'first_addr': 'VARCHAR', 'last_addr': 'VARCHAR', 'prefix_length': 'BIGINT',
    'protocol': 'BIGINT', 'first_port': 'BIGINT', 'last_port': 'BIGINT', 'cluster': 'VARCHAR', 'cluster_arn': 'VARCHAR', 'ways': 'VARCHAR',
    'starts': 'TIMESTAMP', 'expires': 'TIMESTAMP' });

CREATE OR REPLACE TEMP TABLE resolved AS
SELECT *, epoch(asked_from)::BIGINT AS from_t, epoch(asked_to)::BIGINT AS to_t
FROM read_csv('data/given/references.csv', header = true, auto_detect = false, columns = {
    'target': 'VARCHAR', 'interface_id': 'VARCHAR', 'addr': 'VARCHAR', 'asked_from': 'TIMESTAMP', 'asked_to': 'TIMESTAMP',
    'answer': 'VARCHAR', 'prefix_length': 'BIGINT' });

CREATE OR REPLACE TEMP TABLE attempts AS
SELECT
  id, cluster, cluster_arn, interface_id, peer_addr, peer_port, protocol, ways, addr_key(peer_addr) AS key,
  judged_from AS first_t, greatest(judged_from, last_seen.t) AS last_t
FROM connections
WHERE initiator = 'local' AND judged_from IS NOT NULL;

-- Rules that name the address at the first and at the last instant: named if both times for certain, else perhaps.
CREATE OR REPLACE TEMP TABLE hits AS
WITH instants AS (
  SELECT DISTINCT id, unnest([first_t, last_t]) AS t FROM attempts
),
at_instant AS (
  SELECT attempts.id, instants.t, rules.rule_no,
    max(CASE WHEN rules.first_key IS NOT NULL OR resolved.answer = 'yes' THEN coalesce(resolved.prefix_length, rules.prefix_length) END) AS prefix_length
  FROM attempts
  JOIN instants ON instants.id = attempts.id
  JOIN rules
    ON (rules.protocol IS NULL OR rules.protocol = attempts.protocol)
    AND (rules.first_port IS NULL OR attempts.peer_port BETWEEN rules.first_port AND rules.last_port)
    AND (rules.cluster IS NULL OR rules.cluster = attempts.cluster)
    AND (rules.cluster_arn IS NULL OR rules.cluster_arn = attempts.cluster_arn)
    AND (rules.first_key IS NULL OR attempts.key BETWEEN rules.first_key AND rules.last_key)
  LEFT JOIN resolved
    ON rules.first_key IS NULL AND resolved.target = rules.target AND resolved.interface_id = attempts.interface_id
    AND resolved.addr = attempts.peer_addr AND instants.t BETWEEN resolved.from_t AND resolved.to_t
  WHERE rules.first_key IS NOT NULL OR resolved.answer IS NOT NULL
  GROUP BY attempts.id, instants.t, rules.rule_no
)
SELECT id, rule_no,
  bool_and(prefix_length IS NOT NULL)                                           AS is_named,
  CASE WHEN bool_and(prefix_length IS NOT NULL) THEN min(prefix_length) ELSE 0 END AS prefix_length
FROM at_instant
GROUP BY id, rule_no
HAVING count(*) = (SELECT count(*) FROM instants WHERE instants.id = at_instant.id);

-- What a rule says about the way: every way taken is among its own (yes), one is another for certain (no), or the logs leave it open.
CREATE OR REPLACE TEMP TABLE cases AS
SELECT hits.*, rules.rule, rules.holds_from, rules.holds_to, first_t, last_t,
  CASE
    WHEN rules.ways IS NULL THEN 'yes'
    WHEN attempts.ways IS NULL THEN 'open'
    WHEN len([e FOR e IN string_split(attempts.ways, ';') IF NOT list_has_all(string_split(rules.ways, '|'), string_split(e, '|'))]) = 0 THEN 'yes'
    WHEN len([e FOR e IN string_split(attempts.ways, ';') IF NOT list_has_any(string_split(rules.ways, '|'), string_split(e, '|'))]) > 0 THEN 'no'
    ELSE 'open'
  END AS way
FROM hits
JOIN attempts ON attempts.id = hits.id
JOIN (SELECT DISTINCT rule_no, rule, ways, holds_from, holds_to FROM rules) AS rules ON rules.rule_no = hits.rule_no;

-- If approval has a gap, it begins at the first instant, or where a rule ends. Four readings of "a rule approves": for certain; perhaps;
-- with the way left aside; and, of the rules that name it, those that allow its way if there are any.
CREATE OR REPLACE TEMP TABLE gaps AS
WITH near AS (
  SELECT *, is_named AND (way <> 'no' OR NOT bool_or(is_named AND way <> 'no') OVER (PARTITION BY id)) AS is_near FROM cases
),
moments AS (
  SELECT DISTINCT id, first_t AS t FROM cases
  UNION
  SELECT DISTINCT id, holds_to FROM cases WHERE holds_to > first_t AND holds_to <= last_t
),
at_moment AS (
  SELECT moments.id, moments.t,
    bool_or(is_named AND way = 'yes' AND coalesce(holds_from, moments.t) <= moments.t AND moments.t < holds_to) AS certain,
    bool_or(way <> 'no' AND coalesce(holds_from, moments.t) <= moments.t AND moments.t < holds_to)              AS perhaps,
    bool_or(is_named AND coalesce(holds_from, moments.t) <= moments.t AND moments.t < holds_to)                 AS by_name,
    bool_or(is_near AND coalesce(holds_from, moments.t) <= moments.t AND moments.t < holds_to)                  AS by_nearest,
    bool_or(is_near)                                                                                            AS any_near
  FROM moments
  JOIN near ON near.id = moments.id
  GROUP BY moments.id, moments.t
)
SELECT id,
  min(t) FILTER (WHERE NOT certain)    AS gap_certain,
  min(t) FILTER (WHERE NOT perhaps)    AS gap_perhaps,
  min(t) FILTER (WHERE NOT by_name)    AS gap_by_name,
  min(t) FILTER (WHERE NOT by_nearest) AS gap_by_nearest,
  bool_or(any_near)                    AS any_near
FROM at_moment
GROUP BY id;

-- A connection without any time is not judged here; it is counted at the end. Without a policy there are no verdicts.
CREATE OR REPLACE TEMP TABLE judged AS
SELECT
  connections.*,
  CASE
    WHEN initiator IS DISTINCT FROM 'local' OR judged_from IS NULL THEN NULL
    WHEN (SELECT count(*) FROM glob('data/policy/approved.toml')) = 0 THEN NULL
    WHEN gaps.id IS NULL THEN 'unapproved'
    WHEN gap_certain IS NULL THEN 'approved'
    WHEN gap_perhaps IS NULL THEN 'indeterminate'
    WHEN gap_by_name IS NULL THEN 'wrong-path'
    WHEN NOT any_near THEN 'unapproved'
    WHEN EXISTS (
      SELECT 1 FROM cases
      WHERE cases.id = connections.id AND is_named AND holds_to <= gap_by_nearest
        AND (way <> 'no' OR NOT EXISTS (SELECT 1 FROM cases AS on_path WHERE on_path.id = cases.id AND on_path.is_named AND on_path.way <> 'no'))
    ) THEN 'expired'
    ELSE 'too-early'
  END AS verdict,
  -- the most specific rule first, then in the order of the file
  CASE WHEN gaps.id IS NOT NULL AND gap_certain IS NULL THEN (
    SELECT string_agg(rule, ',' ORDER BY prefix_length DESC, rule_no) FROM cases
    WHERE cases.id = connections.id AND is_named AND way = 'yes' AND coalesce(holds_from, last_t) <= last_t AND holds_to > first_t
  ) END AS approved_by
FROM connections
LEFT JOIN gaps ON gaps.id = connections.id;


-- 6. THE TABLE OF DESTINATIONS: one row per cluster, address, port and protocol that the API server contacted.

CREATE OR REPLACE TEMP MACRO utc(t) AS strftime(make_timestamp(t * 1000000), '%Y-%m-%dT%H:%M:%SZ');
-- the distinct parts of texts that are joined by commas
CREATE OR REPLACE TEMP MACRO joined(texts) AS
  nullif(array_to_string(list_sort(list_distinct(flatten([string_split(text, ',') FOR text IN texts IF text IS NOT NULL]))), ','), '');

CREATE OR REPLACE TEMP TABLE destinations AS
SELECT
  cluster_arn, peer_addr AS dst_addr, peer_port AS dst_port, protocol,
  min(cluster)                                                                  AS cluster,
  joined(list(path))                                                            AS path,
  sum(out_accepted) AS records_accepted, sum(out_rejected) AS records_rejected,
  sum(out_packets_accepted) AS packets_accepted, sum(out_packets_rejected) AS packets_rejected,
  sum(out_bytes_accepted) AS bytes_accepted, sum(out_bytes_rejected) AS bytes_rejected,
  sum(back_packets_accepted) AS reply_packets, sum(back_bytes_accepted) AS reply_bytes,
  count(*)                                                                      AS connections,
  count(*) FILTER (WHERE outcome = 'answered')                                  AS answered,
  count(*) FILTER (WHERE outcome = 'unanswered')                                AS unanswered,
  count(*) FILTER (WHERE outcome = 'refused')                                   AS refused,
  count(*) FILTER (WHERE outcome = 'rejected')                                  AS rejected,
  count(*) FILTER (WHERE outcome = 'reply-blocked')                             AS reply_blocked,
  utc(coalesce(min(out_start), min(begins) FILTER (WHERE coalesce(judged_from, shown_end) IS NOT NULL))) AS first_seen,
  utc(coalesce(max(out_end), max(ends) FILTER (WHERE coalesce(judged_from, shown_end) IS NOT NULL)))     AS last_seen,
  joined(list(rule))                                                            AS initiator_rule,
  -- the weakest
  ['certain', 'high', 'medium', 'low'][max(coalesce(nullif(list_position(['certain', 'high', 'medium', 'low'], confidence), 0), 4))] AS confidence,
  first(first_seen.line ORDER BY out_start IS NULL, first_seen.t, first_seen.line)     AS first_line,
  last(last_seen.line ORDER BY out_start IS NOT NULL, last_seen.t, last_seen.line)     AS last_line,
  joined(list(approved_by))                                                     AS approved_by,
  -- the worst
  ['unapproved', 'expired', 'too-early', 'wrong-path', 'indeterminate', 'approved'][min(
    list_position(['unapproved', 'expired', 'too-early', 'wrong-path', 'indeterminate', 'approved'], verdict))] AS verdict
FROM judged
WHERE initiator = 'local'
GROUP BY cluster_arn, peer_addr, peer_port, protocol;


-- 7. THE VERDICTS C1, C2 AND D1, per cluster and UTC day
-- A connection of several days counts on each of them.

CREATE OR REPLACE TEMP TABLE by_day AS
SELECT judged.*,
  strftime(unnest(generate_series(
    date_trunc('day', make_timestamp(first_seen.t * 1000000)), date_trunc('day', make_timestamp(last_seen.t * 1000000)), INTERVAL 1 DAY)), '%Y-%m-%d') AS day,
  peer_addr || ' ' || CASE
    WHEN protocol IN (6, 17, 132) THEN map { 6: 'tcp', 17: 'udp', 132: 'sctp' }[protocol] || '/' || peer_port
    ELSE coalesce(map { 1: 'icmp', 2: 'igmp', 4: 'ipv4', 41: 'ipv6', 47: 'gre', 50: 'esp', 51: 'ah', 58: 'icmpv6', 112: 'vrrp' }[protocol],
      protocol::VARCHAR)
  END AS subject
FROM judged;

CREATE OR REPLACE TEMP TABLE findings AS
-- C1: for every connection it is decided who opened it.
SELECT 'C1' AS statement, cluster_arn, day, subject, first_seen AS seen,
  CASE WHEN initiator IS NULL OR confidence IN ('low', 'none') THEN 'indeterminate' ELSE 'pass' END AS finding,
  CASE WHEN initiator IS NULL THEN 'neither handshake nor ports say who opened it'
    ELSE 'who opened it is decided with low confidence (rule ' || rule || ')' END AS reason
FROM by_day
UNION ALL
-- C2: every destination was on the approved list at the time. The way to it is another statement's (C3).
SELECT 'C2', cluster_arn, day, subject, first_seen,
  CASE WHEN verdict IN ('approved', 'wrong-path') THEN 'pass' WHEN coalesce(verdict, 'indeterminate') = 'indeterminate' THEN 'indeterminate'
    ELSE 'violation' END,
  CASE verdict
    WHEN 'unapproved' THEN 'no rule approves it'
    WHEN 'expired' THEN 'the rule that would approve it had expired'
    WHEN 'too-early' THEN 'it was contacted before it was approved'
    WHEN 'indeterminate' THEN 'a reference of the policy that could approve it cannot be resolved at that time'
    WHEN 'approved' THEN 'approved'
    WHEN 'wrong-path' THEN 'approved'
    ELSE 'no policy was given'
  END
FROM by_day
WHERE initiator = 'local' AND out_accepted > 0
UNION ALL
-- D1: every attempt that was rejected is known and listed.
SELECT 'D1', cluster_arn, day, subject, first_seen,
  CASE WHEN out_rejected > 0 OR outcome = 'reply-blocked' THEN 'noted' ELSE 'pass' END,
  CASE WHEN out_rejected > 0 THEN 'rejected on its way out' ELSE 'the answer was rejected on its way in' END
FROM by_day
WHERE initiator = 'local';

-- Given: for each day what a verdict cannot do without (data/given/days.csv): coverage, the egress mode, what the flow logs record.
CREATE OR REPLACE TEMP TABLE days AS
SELECT *, strftime(day, '%Y-%m-%d') AS day_name, coalesce(string_split(fields_missing, '; '), []) AS missing
FROM read_csv('data/given/days.csv', header = true, auto_detect = false, columns = {
    'cluster_arn': 'VARCHAR', 'day': 'DATE', 'hours_expected': 'BIGINT', 'hours_covered': 'BIGINT', 'not_routed': 'VARCHAR',
    'accepted_missing': 'VARCHAR', 'rejected_missing': 'VARCHAR', 'fields_missing': 'VARCHAR', 'open': 'VARCHAR' });

CREATE OR REPLACE TEMP TABLE statements AS
WITH counts AS (
  SELECT
    needs.statement, days.cluster_arn, days.day_name AS day,
    count(*) FILTER (WHERE finding IN ('pass', 'noted'))                        AS passed,
    count(*) FILTER (WHERE finding = 'violation')                               AS violations,
    count(*) FILTER (WHERE finding = 'indeterminate')                           AS indeterminate,
    any_value(hours_covered)                                                    AS hours_covered,
    bool_or(hours_expected = 0 OR hours_covered < hours_expected OR "open" IS NOT NULL OR not_routed IS NOT NULL
      OR CASE WHEN needs.statement = 'D1' THEN rejected_missing ELSE accepted_missing END IS NOT NULL
      OR list_has_any(missing, needs.fields))                                   AS lacks
  FROM days
  CROSS JOIN (VALUES
    ('C1', ['srcaddr', 'dstaddr', 'dstport']), ('C2', ['action', 'srcaddr', 'dstaddr', 'dstport']), ('D1', ['action'])) AS needs (statement, fields)
  LEFT JOIN findings ON findings.statement = needs.statement AND findings.cluster_arn = days.cluster_arn AND findings.day = days.day_name
  GROUP BY needs.statement, days.cluster_arn, days.day_name
)
SELECT
  statement, cluster_arn, day,
  -- A violation fails, whatever else was not seen. Nothing passes while something is missing, nor for want of input.
  CASE
    WHEN violations > 0 THEN 'FAIL'
    WHEN lacks OR indeterminate > 0 OR passed = 0 AND hours_covered = 0 THEN 'INDETERMINATE'
    ELSE 'PASS'
  END                                                                           AS verdict,
  passed + violations + indeterminate AS population, passed + violations AS tested, violations, indeterminate
FROM counts;

CREATE OR REPLACE TEMP TABLE exceptions AS
SELECT
  statement, findings.cluster_arn, findings.day, subject, reason,
  CASE finding WHEN 'violation' THEN 'FAIL' WHEN 'indeterminate' THEN 'INDETERMINATE' ELSE 'PASS' END AS verdict,
  count(*) AS items,
  first(seen.line ORDER BY seen.t, seen.line)                                   AS first_line
FROM findings
JOIN days ON days.cluster_arn = findings.cluster_arn AND days.day_name = findings.day
WHERE finding <> 'pass'
GROUP BY statement, findings.cluster_arn, findings.day, subject, reason, finding;


-- 8. COVERAGE: hours with records, by what they hold; and records per interface and day, so that none can be missing here.

CREATE OR REPLACE TEMP TABLE logged AS
SELECT interface_id, strftime(make_timestamp(hour * 3600 * 1000000), '%Y-%m-%d') AS day, hour % 24 AS hour,
  CASE WHEN bool_or(status = 'SKIPDATA') THEN 'S' WHEN bool_or(status = 'OK') THEN 'O' ELSE 'N' END AS letter,
  count(*) AS records
FROM records
GROUP BY interface_id, hour;

-- One letter per hour. A text that begins with a minus sign carries an apostrophe before it, so that no spreadsheet takes it for a formula.
CREATE OR REPLACE TEMP TABLE stated_coverage AS
SELECT cluster_arn, interface_id, strftime(day, '%Y-%m-%d') AS day, ltrim(hours, '''') AS hours, records
FROM read_csv('data/coverage.csv', header = true, auto_detect = false, columns = {
    'cluster_arn': 'VARCHAR', 'interface_id': 'VARCHAR', 'day': 'DATE', 'hours': 'VARCHAR', 'records': 'BIGINT' });


-- 9. WHAT IS STATED AGAINST WHAT WAS WORKED OUT: one row for each cell that differs

CREATE OR REPLACE TEMP TABLE stated_cells AS
UNPIVOT (
  SELECT 'destinations.csv' AS file, concat_ws(' ', cluster_arn, dst_addr, dst_port, protocol) AS row_key,
    * EXCLUDE (cluster_arn, dst_addr, dst_port, protocol, account_id, region, vpc_id, dst_name, dst_kind)
  FROM read_csv('data/destinations.csv', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"')
) ON COLUMNS(* EXCLUDE (file, row_key)) INTO NAME cell VALUE stated;

CREATE OR REPLACE TEMP TABLE worked_out_cells AS
UNPIVOT (
  SELECT 'destinations.csv' AS file, concat_ws(' ', cluster_arn, dst_addr, dst_port, protocol) AS row_key,
    COLUMNS(* EXCLUDE (cluster_arn, dst_addr, dst_port, protocol))::VARCHAR
  FROM destinations
) ON COLUMNS(* EXCLUDE (file, row_key)) INTO NAME cell VALUE worked_out;

INSERT INTO stated_cells
UNPIVOT (
  SELECT 'statements.csv' AS file, concat_ws(' ', statement, cluster_arn, day) AS row_key, verdict, population, tested, violations, indeterminate
  FROM read_csv('data/statements.csv', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"')
  WHERE statement IN ('C1', 'C2', 'D1')
) ON verdict, population, tested, violations, indeterminate INTO NAME cell VALUE stated;

INSERT INTO worked_out_cells
UNPIVOT (
  SELECT 'statements.csv' AS file, concat_ws(' ', statement, cluster_arn, day) AS row_key,
    COLUMNS(* EXCLUDE (statement, cluster_arn, day))::VARCHAR
  FROM statements
) ON COLUMNS(* EXCLUDE (file, row_key)) INTO NAME cell VALUE worked_out;

INSERT INTO stated_cells
UNPIVOT (
  SELECT 'exceptions.csv' AS file, concat_ws(' ', statement, cluster_arn, day, subject || ':', reason) AS row_key, verdict, items, first_line
  FROM read_csv('data/exceptions.csv', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"')
  WHERE statement IN ('C1', 'C2', 'D1')
) ON verdict, items, first_line INTO NAME cell VALUE stated;

INSERT INTO worked_out_cells
UNPIVOT (
  SELECT 'exceptions.csv' AS file, concat_ws(' ', statement, cluster_arn, day, subject || ':', reason) AS row_key,
    verdict, items::VARCHAR AS items, first_line
  FROM exceptions
) ON verdict, items, first_line INTO NAME cell VALUE worked_out;

INSERT INTO stated_cells
SELECT 'coverage.csv', concat_ws(' ', cluster_arn, interface_id, day), 'records', records::VARCHAR FROM stated_coverage WHERE records > 0
UNION ALL
SELECT 'coverage.csv', concat_ws(' ', cluster_arn, interface_id, day, 'hour', hour), 'state', hours[hour + 1]
FROM stated_coverage CROSS JOIN range(24) AS of_day (hour)
WHERE hours[hour + 1] IN ('O', 'N', 'S')
UNION ALL
-- what days.csv gives is what coverage.csv says
SELECT 'coverage.csv', concat_ws(' ', cluster_arn, day), cell, value::VARCHAR
FROM (
  SELECT cluster_arn, day, unnest(['hours_expected', 'hours_covered']) AS cell,
    unnest([sum(length(replace(hours, '-', ''))), sum(length(regexp_replace(hours, '[^ON]', '', 'g')))]) AS value
  FROM stated_coverage
  GROUP BY cluster_arn, day
) AS hours
WHERE value > 0;

INSERT INTO worked_out_cells
SELECT 'coverage.csv', concat_ws(' ', cluster_arn, interface_id, day), 'records', sum(records)::VARCHAR
FROM logged JOIN interfaces USING (interface_id)
GROUP BY cluster_arn, interface_id, day
UNION ALL
SELECT 'coverage.csv', concat_ws(' ', cluster_arn, interface_id, day, 'hour', hour), 'state', letter FROM logged JOIN interfaces USING (interface_id)
UNION ALL
SELECT 'coverage.csv', concat_ws(' ', cluster_arn, day_name), cell, value::VARCHAR
FROM (
  SELECT cluster_arn, day_name, unnest(['hours_expected', 'hours_covered']) AS cell, unnest([hours_expected, hours_covered]) AS value FROM days
) AS hours
WHERE value > 0;

-- An empty cell and a missing one are the same; UNPIVOT leaves both out.
CREATE OR REPLACE TEMP TABLE differences AS
SELECT coalesce(a.file, b.file) AS file, coalesce(a.row_key, b.row_key) AS row_key, coalesce(a.cell, b.cell) AS cell, stated, worked_out
FROM stated_cells AS a
FULL JOIN worked_out_cells AS b ON b.file = a.file AND b.row_key = a.row_key AND b.cell = a.cell
WHERE a.stated IS DISTINCT FROM b.worked_out;

-- The result: differences, what was compared, and how many differences there are.
SELECT line AS result
FROM (
  SELECT 1 AS place, concat('DIFFERENT ', file, ': ', row_key, ': ', cell, ': stated ', coalesce(stated, '(nothing)'),
    ', worked out ', coalesce(worked_out, '(nothing)')) AS line FROM differences
  UNION ALL
  SELECT 2, concat('connections opened by the API server that have no time and were not judged: ', count(*))
  FROM connections WHERE initiator = 'local' AND judged_from IS NULL HAVING count(*) > 0
  UNION ALL
  SELECT 3, concat(count(*), ' records, of which ', count(*) FILTER (WHERE status = 'OK'), ' of traffic') FROM records
  UNION ALL
  SELECT 4, concat(count(*), ' connections; opened by: ', coalesce(string_agg(DISTINCT concat(coalesce(initiator, 'unknown'), ' (rule ', rule, ')'), ', '
    ORDER BY concat(coalesce(initiator, 'unknown'), ' (rule ', rule, ')')), 'nobody')) FROM connections
  UNION ALL
  SELECT 5, concat(count(*), ' destinations; ', (SELECT count(*) FROM statements), ' verdicts; ', (SELECT count(*) FROM stated_cells),
    ' cells were compared') FROM destinations
  UNION ALL
  SELECT 6, concat(count(*), ' differences') FROM differences
) AS lines
ORDER BY place, line;
