-- Log lines and inventory documents as tables, typed but not yet interpreted. Run once per folder.
-- compare.py sets the variables `objects` and `documents` (lists of files) and makes the tables `object` (filename, flow_log,
-- fields: the number of fields in its header) and `field` (no rows; every field up to version 5 as text).
-- "flow-logs" is the project's reference on formats, "costs" the one on network costs, "cost contract" what the reports' words mean; they are
-- working papers, not in the repository.

-- flow-logs §8: text, single spaces, one header line with the field names. §3: the order is the object's own, so columns are united
-- by name. §2: `-` is "not applicable".
CREATE OR REPLACE TABLE line AS
SELECT * FROM field
UNION ALL BY NAME
SELECT * FROM read_csv(getvariable('objects'), delim = ' ', header = true, all_varchar = true, quote = '', escape = '',
                       nullstr = '-', union_by_name = true, filename = true);

CREATE OR REPLACE TABLE record AS
WITH typed AS (
    SELECT
        object.flow_log, object.fields,
        "interface-id" AS eni, "vpc-id" AS vpc, "az-id" AS az,
        -- flow-logs §5: without `log-status`, a record of dashes alone is the only sign of NODATA.
        coalesce("log-status", CASE WHEN srcaddr IS NULL AND bytes IS NULL THEN 'NODATA' ELSE 'OK' END) AS status,
        action,
        srcaddr AS src, dstaddr AS dst, "pkt-srcaddr" AS pkt_src, "pkt-dstaddr" AS pkt_dst,
        srcport::INTEGER AS src_port, dstport::INTEGER AS dst_port, protocol::INTEGER AS protocol,
        bytes::HUGEINT AS bytes,
        -- flow-logs §5: 13-digit instants are milliseconds.
        CASE WHEN start::BIGINT >= 100000000000 THEN start::BIGINT // 1000 ELSE start::BIGINT END AS start_s,
        "flow-direction" AS direction, "traffic-path"::INTEGER AS path
    FROM line JOIN object USING (filename)
)
SELECT *, start_s // 3600 AS hour FROM typed;
DROP TABLE line;

-- One row per inventory document. Which account and region it is of is told by its folder, when it was taken by the folder above.
CREATE OR REPLACE TABLE document AS
SELECT
    parse_filename(filename) AS name,
    str_split(filename, '/')[-2] AS region,
    str_split(filename, '/')[-3] AS account,
    epoch(strptime(regexp_extract(filename, '(\d{4}-\d\d-\d\dT\d{6})Z', 1), '%Y-%m-%dT%H%M%S'))::BIGINT AS taken,
    content::JSON AS doc
FROM read_text(getvariable('documents'));

-- Every address and prefix that either side mentions; compare.py fills `span` with first and last address as 32 hexadecimal digits.
CREATE OR REPLACE TABLE mention AS
SELECT DISTINCT text FROM (
    SELECT unnest([src, dst, pkt_src, pkt_dst]) AS text FROM (SELECT DISTINCT src, dst, pkt_src, pkt_dst FROM record)
    UNION ALL SELECT unnest(regexp_extract_all(doc::VARCHAR, '"([0-9a-fA-F:.]*[.:][0-9a-fA-F:.]*(?:/\d+)?)"', 1)) FROM document
)
WHERE text IS NOT NULL;
