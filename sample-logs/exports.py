"""More cases: logs that came another way than by AWS's own delivery to S3, and all ways under one prefix.

What users hand in when the logs went through CloudWatch Logs, Firehose, Athena, a data frame or Security Lake first. Most cases hold the
calls of `cases.PAIR`, `LATER` and `THIRD`, so that an answer differs only where the shape takes something away.
"""

from cases import *
from shapes import *

ONE = {"sent": (1, 10, 1000), "replies": (9, 2000), "answered": 1, "seen": ("10:00:00", "10:00:10")}
# Without tcp-flags the port decides, and without traffic-path the way is not known.
BY_PORT = {"rule": "5", "confidence": "high", "path": None}


def to_kyverno(lines, **other):
    return prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=tuple(f"logs/{place}" for place in lines), **other)


def of_objects(columns, **rows):
    """A query over `objects`, by the path below logs/."""
    return {"sql": f"SELECT split_part(log_object, '/logs/', 2) AS object, {', '.join(columns)} FROM objects ORDER BY 1", **rows}


# --- CloudWatch Logs --------------------------------------------------------------------------------------------------------------

TASK = "exported/3fdd7e71-6ff4-4e3f-8c1f-0a6e5d2b9c11"
STREAM = f"{TASK}/{A.id}-all/000000.gz"

Case(
    "export-task",
    "A CloudWatch Logs export task: no header, the event's time before each record, records in no order, and beside it the object by which AWS "
    "tried whether it may write.",
    "The first call is lines 3/2, the second lines 1/4: 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000 (default format: rule 5, no path). "
    "`aws-logs-write-test` is no log: 1 object.",
    {STREAM: packed(exported(V2, [LATER[0], PAIR[1], PAIR[0], LATER[1]])), "exported/aws-logs-write-test": b"Permission Check Successful"},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[to_kyverno([f"{STREAM}:3", f"{STREAM}:1"], **BOTH | BY_PORT)],
           flows=[of_objects(["shape", "lines", "headers", "records_ok"],
                             rows=[{"object": STREAM, "shape": "export-task", "lines": 4, "headers": 0, "records_ok": 4}]),
                  {"sql": "SELECT log_line, version, account_id, \"start\" FROM flows WHERE log_line IN (1, 3) ORDER BY log_line",
                   "rows": [{"log_line": 1, "version": 2, "account_id": ACCOUNT, "start": epoch("10:40:00")},
                            {"log_line": 3, "version": 2, "account_id": ACCOUNT, "start": epoch("10:00:00")}]}]),
    made="text, gzip, an export task's keys",
)

Case(
    "export-task-log-format",
    "An export task of a flow log with a format of its own: nothing in the object says which, so the run is told by `--log-format`.",
    "Lines 1/2: 10 and 1,000, back 9 and 2,000, by its handshake. Line 3 is NODATA. Line 4 has 14 fields instead of 18: rejected, although they would "
    "fit the default format.",
    {STREAM: packed(exported(SHORT, [*PAIR[:2], status(A, "NODATA", "10:01:00", "10:01:59")]) + exported(V2, LATER[:1]))},
    inventory(objects=kyverno()),
    answer(ok=2, nodata=1, rejected=1, args=["--log-format", " ".join("${%s}" % name for name in SHORT)], rows=[to_kyverno([f"{STREAM}:1"] * 2, **ONE)],
           rejects=[{"object": f"logs/{STREAM}", "line": 4, "reason": "too-few-fields"}]),
    made="text, gzip, an export task's keys",
)

GROUP = "/vpc/flow-logs"
FIREHOSE = "cwl/2026/10/01/10/flow-logs-1-2026-10-01-10-{}-11-7c0f3a52-5f0a-4d9e-9b57-1f2f6f0c8e0{}"
FIRST_OBJECT, SECOND_OBJECT = FIREHOSE.format("02", 1), FIREHOSE.format("42", 2)

Case(
    "subscription-firehose",
    "CloudWatch Logs → Firehose → S3: JSON documents without a newline between them, each compressed by CloudWatch (a gzip member), a control "
    "message, no suffix; the second object compressed by Firehose once more. The format stands in `describe-flow-logs`, by the log group.",
    "Events count from 1 over all documents of an object, the control message is number 1. First object: events 2/3 are the first call, 4 is NODATA, "
    "5 is no record. Second: events 1/2 are the second call. 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000.",
    {FIRST_OBJECT: packed(compact(CONTROL_MESSAGE)) + packed(subscription(GROUP, events(SHORT, PAIR[:2])))
        + packed(subscription(GROUP, events(SHORT, [status(A, "NODATA", "10:01:00", "10:01:59")]) + [event(7, "bogus line", epoch("10:02:00"))])),
     SECOND_OBJECT: packed(packed(subscription(GROUP, events(SHORT, LATER[:1]))) + packed(subscription(GROUP, events(SHORT, LATER[1:]))))},
    inventory(objects=kyverno(), files={"describe-flow-logs.json": flow_logs((FL_A, VPC, SHORT, "2026-01-15T09:00:00+00:00", GROUP))}),
    answer(ok=4, nodata=1, rejected=1, rows=[to_kyverno([f"{FIRST_OBJECT}:2", f"{SECOND_OBJECT}:1"], **BOTH)],
           rejects=[{"object": f"logs/{FIRST_OBJECT}", "line": 5, "reason": "too-few-fields"}],
           flows=[of_objects(["shape", "status", "control_messages", "records_ok", "records_nodata", "records_rejected"], rows=[
               {"object": FIRST_OBJECT, "shape": "subscription", "status": "read", "control_messages": 1, "records_ok": 2,
                "records_nodata": 1, "records_rejected": 1},
               {"object": SECOND_OBJECT, "shape": "subscription", "status": "read", "control_messages": 0, "records_ok": 2,
                "records_nodata": 0, "records_rejected": 0}])]),
    made="JSON, a gzip member per document; the second object gzip in gzip",
)

Case(
    "log-group-layouts",
    "Three log groups in one object. Both flow logs of the first write one format; two of the second write two, so nothing tells which event has "
    "which; the third is not in the inventory, its events have the 14 fields of the default format.",
    "Events 1/2: 10 and 1,000, back 9 and 2,000. Events 3 and 4: rejected, the group is named. Events 5/6: 20 and 3,000, back 19 and 4,000, by rule 5. "
    "Together 30 packets, 4,000 bytes, back 28 and 6,000.",
    {FIRST_OBJECT: subscription("/vpc/one-format", events(SHORT, PAIR[:2]))
        + subscription("/vpc/two-formats", events(SHORT, PAIR[:1]) + events(ADVISED, PAIR[1:2])) + subscription("/vpc/unknown", events(V2, LATER))},
    inventory(objects=kyverno(), files={"describe-flow-logs.json": flow_logs(
        (FL_A, VPC, SHORT, "2026-01-15T09:00:00+00:00", "/vpc/one-format"), (FL_B, A.subnet, SHORT, "2026-01-16T09:00:00+00:00", "/vpc/one-format"),
        (FL_C, VPC, SHORT, "2026-02-01T09:00:00+00:00", "/vpc/two-formats"),
        ("fl-0ddd0000000000004", A.subnet, ADVISED, "2026-03-01T09:00:00+00:00", "/vpc/two-formats"))}),
    answer(ok=4, rejected=2, rows=[to_kyverno([f"{FIRST_OBJECT}:1", f"{FIRST_OBJECT}:5"], **BOTH | {"rule": "1,5", "confidence": "high"})],
           rejects=[{"object": f"logs/{FIRST_OBJECT}", "line": n, "reason": "no-header"} for n in (3, 4)],
           flows=[{"sql": "SELECT log_line, detail LIKE '%/vpc/two-formats%' AS names_the_group FROM rejects ORDER BY log_line",
                   "rows": [{"log_line": 3, "names_the_group": True}, {"log_line": 4, "names_the_group": True}]}]),
    made="JSON documents without newlines, not compressed",
)

Case(
    "log-events",
    "What `aws logs filter-log-events` and `get-log-events` print: one pretty-printed document each, records in `events`.",
    "filter.json: events 1/2, 10 and 1,000, back 9 and 2,000; event 3 is NODATA. get.json: events 1/2, 20 and 3,000, back 19 and 4,000. Together 30 "
    "packets, 4,000 bytes, back 28 and 6,000.",
    {"filter.json": as_json({
        "events": [{"logStreamName": f"{A.id}-all", "timestamp": one["timestamp"], "message": one["message"], "ingestionTime": one["timestamp"] + 45000,
                    "eventId": one["id"]} for one in events(V2, [*PAIR[:2], status(A, "NODATA", "10:01:00", "10:01:59")])],
        "searchedLogStreams": []}),
     "get.json": as_json({
         "events": [{"timestamp": one["timestamp"], "message": one["message"], "ingestionTime": one["timestamp"] + 45000} for one in events(V2, LATER)],
         "nextForwardToken": "f/39000000000000000000000000000000000000000000000000000001/s",
         "nextBackwardToken": "b/39000000000000000000000000000000000000000000000000000000/s"})},
    inventory(objects=kyverno()),
    answer(ok=4, nodata=1, rows=[to_kyverno(["filter.json:1", "get.json:1"], **BOTH | BY_PORT)],
           flows=[of_objects(["shape", "records_ok", "records_nodata"], rows=[
               {"object": "filter.json", "shape": "log-events", "records_ok": 2, "records_nodata": 1},
               {"object": "get.json", "shape": "log-events", "records_ok": 2, "records_nodata": 0}])]),
    made="JSON",
)

# --- Firehose and other JSON ------------------------------------------------------------------------------------------------------

DIRECT, FORWARDED = FIREHOSE.format("03", 3), FIREHOSE.format("43", 4)


def messages(lines, after=b"\n"):
    return b"".join(compact({"message": one}) + after for one in lines)


Case(
    "json-messages",
    "A flow log delivered to Firehose: an object per record with the line as its `message`. In the second object there is no newline between them, "
    "and a header was forwarded as if it were a record: it says the format of those after it.",
    "First object, default format: events 1/2, 10 and 1,000, back 9 and 2,000 (rule 5). Second: event 1 is the header, 2/3 are 20 and 3,000, back 19 "
    "and 4,000 (rule 1). Together 30 packets, 4,000 bytes, back 28 and 6,000.",
    {DIRECT: packed(messages(line(V2, one) for one in PAIR[:2])),
     FORWARDED: packed(messages([" ".join(SHORT), *(line(SHORT, one) for one in LATER)], after=b""))},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[to_kyverno([f"{DIRECT}:1", f"{FORWARDED}:2"], **BOTH | {"rule": "1,5", "confidence": "high"})],
           flows=[of_objects(["shape", "headers", "records_ok"], rows=[
               {"object": DIRECT, "shape": "json-messages", "headers": 0, "records_ok": 2},
               {"object": FORWARDED, "shape": "json-messages", "headers": 1, "records_ok": 2}])]),
    made="JSON, gzip",
)

Case(
    "json-rejects",
    "JSON that is no record: each piece is kept with its number and reason, and the records around it count.",
    "Documents 1 and 4: 10 and 1,000, back 9 and 2,000. 2 does not parse, 3 says nothing of a flow, 5 ends in the middle: "
    "what follows such a document would be lost in it, so the object counts as read in part: exit code 4.",
    {"messages.json": messages([line(V2, PAIR[0])]) + b'{"message": oops}\n{"hello":"world"}\n' + messages([line(V2, PAIR[1])])
        + b'{"message":"2 111122223333 eni-0a1000'},
    inventory(objects=kyverno()),
    answer(ok=2, rejected=3, exit_code=4, rows=[to_kyverno(["messages.json:1"] * 2, **ONE | BY_PORT)],
           rejects=[{"object": "logs/messages.json", "line": n, "reason": reason} for n, reason in (
               (2, "bad-json"), (3, "not-a-record"), (5, "bad-json"))]),
    made="JSON",
)

# What CloudWatch Logs Insights calls the fields (Supported logs and discovered fields), in the order of the default format.
INSIGHTS = ("version accountId interfaceId srcAddr dstAddr srcPort dstPort protocol packets bytes startTime endTime action logStatus").split()


def snake(fields):
    return [name.replace("-", "_") for name in fields]


Case(
    "json-records",
    "Records as JSON objects by field name: snake_case with numbers and nulls, a record a line; camelCase with everything as text, in an array; and "
    "a subscription's `extractedFields`, used because nobody knows the format of its messages.",
    "One call in each: events 1/2. 10 + 20 + 30 = 60 packets, 1,000 + 3,000 + 5,000 = 9,000 bytes, back 9 + 19 + 29 = 57 and 2,000 + 4,000 + 6,000 "
    "= 12,000. The second has the fields of the default format only: rule 5.",
    {"a.ndjson": b"".join(compact(dict(zip(snake(SHORT), cells(SHORT, one)))) + b"\n" for one in PAIR[:2]),
     "b.json": as_json([dict(zip(INSIGHTS, map(str, cells(V2, one | {"version": 2})))) for one in LATER]),
     FORWARDED: packed(subscription("/vpc/unknown", [
         one | {"extractedFields": dict(zip(snake(SHORT), one["message"].split()))} for one in events(SHORT, THIRD)]))},
    inventory(objects=kyverno()),
    answer(ok=6, rows=[to_kyverno(["a.ndjson:1", f"{FORWARDED}:1"], **ALL_THREE | {"rule": "1,5", "confidence": "high"})],
           flows=[of_objects(["shape", "records_ok"], rows=[
               {"object": "a.ndjson", "shape": "json-records", "records_ok": 2}, {"object": "b.json", "shape": "json-records", "records_ok": 2},
               {"object": FORWARDED, "shape": "subscription", "records_ok": 2}]),
                  {"sql": "SELECT log_line, version, srcport, tcp_flags, traffic_path, account_id, bytes, log_status FROM flows ORDER BY bytes",
                   "rows": [
                       {"log_line": 1, "version": 5, "srcport": 41001, "tcp_flags": 3, "traffic_path": 1, "account_id": None, "bytes": 1000,
                        "log_status": "OK"},
                       {"log_line": 2, "version": 5, "srcport": 9443, "tcp_flags": 19, "traffic_path": None, "account_id": None, "bytes": 2000,
                        "log_status": "OK"},
                       {"log_line": 1, "version": 2, "srcport": 41002, "tcp_flags": None, "traffic_path": None, "account_id": ACCOUNT, "bytes": 3000,
                        "log_status": "OK"},
                       {"log_line": 2, "version": 2, "srcport": 9443, "tcp_flags": None, "traffic_path": None, "account_id": ACCOUNT, "bytes": 4000,
                        "log_status": "OK"},
                       {"log_line": 1, "version": 5, "srcport": 41003, "tcp_flags": 3, "traffic_path": 1, "account_id": None, "bytes": 5000,
                        "log_status": "OK"},
                       {"log_line": 2, "version": 5, "srcport": 9443, "tcp_flags": 19, "traffic_path": None, "account_id": None, "bytes": 6000,
                        "log_status": "OK"}]}]),
    made="JSON; the last object gzip",
)

KNOWN_LOG, OWN_HEADER, UNKNOWN_LOG = s3_key(FL_A, "1000"), s3_key(FL_A, "1040"), s3_key(FL_C, "1045")

Case(
    "flow-log-format",
    "Objects without a header whose keys name the flow log: `describe-flow-logs` knows its format. An object's own header goes before that, and a flow "
    "log that the inventory does not know stays unread.",
    "First object: lines 1/2, 10 and 1,000, back 9 and 2,000. Second (alphabetical, by its header): lines 2/3, 20 and 3,000, back 19 and 4,000. "
    "Together 30 packets, 4,000 bytes, back 28 and 6,000. Third: 2 lines rejected, so nothing of it was read: exit code 4.",
    {KNOWN_LOG: packed(bare(ADVISED, PAIR[:2])), OWN_HEADER: packed(text(ALPHABETICAL, LATER)), UNKNOWN_LOG: packed(bare(ADVISED, THIRD))},
    inventory(objects=kyverno(), files={"describe-flow-logs.json": flow_logs((FL_A, VPC, ADVISED, "2026-01-15T09:00:00+00:00"))}),
    answer(ok=4, rejected=2, exit_code=4, rows=[to_kyverno([f"{KNOWN_LOG}:1", f"{OWN_HEADER}:2"], **BOTH)],
           rejects=[{"object": f"logs/{UNKNOWN_LOG}", "line": n, "reason": "no-header"} for n in (1, 2)]),
    made="text, gzip, AWS's keys",
)

# --- tables -----------------------------------------------------------------------------------------------------------------------

ATHENA = snake(V5) + ["comment", "bytes", "day"]

Case(
    "csv-athena",
    "An Athena result: every cell in quotes, NULL an empty cell, underscored names; with columns of the query's own (a comma and quotes in a cell, a "
    "second `bytes`, a partition).",
    "10.0.3.118:9443: line 2, 10 and 1,000, back 9 and 2,000; line 4 is NODATA. Of two columns of one name the first counts, the other goes to `extra`. "
    "Line 5 has 2 of 32 cells.",
    {"result.csv": delimited(ATHENA, [
        *(cells(V5, one) + ['said "no", twice', 77, "2026/10/01"] for one in PAIR[:2]),
        cells(V5, status(A, "NODATA", "10:01:00", "10:01:59")) + [None, None, "2026/10/01"], ["5", ACCOUNT]])},
    inventory(objects=kyverno()),
    answer(ok=2, nodata=1, rejected=1, rows=[to_kyverno(["result.csv:2"] * 2, **ONE)],
           rejects=[{"object": "logs/result.csv", "line": 5, "reason": "too-few-fields"}],
           flows=[{"sql": "SELECT log_line, interface_id, srcaddr, bytes, traffic_path, log_status, extra['comment'] AS comment, extra['bytes'] AS second, "
                          "extra['day'] AS day FROM flows ORDER BY log_line",
                   "rows": [
                       {"log_line": 2, "interface_id": A.id, "srcaddr": "10.0.1.37", "bytes": 1000, "traffic_path": 1, "log_status": "OK",
                        "comment": 'said "no", twice', "second": "77", "day": "2026/10/01"},
                       {"log_line": 3, "interface_id": A.id, "srcaddr": "10.0.3.118", "bytes": 2000, "traffic_path": None, "log_status": "OK",
                        "comment": 'said "no", twice', "second": "77", "day": "2026/10/01"},
                       {"log_line": 4, "interface_id": A.id, "srcaddr": None, "bytes": None, "traffic_path": None, "log_status": "NODATA",
                        "comment": None, "second": None, "day": "2026/10/01"}]},
                  of_objects(["shape", "headers"], rows=[{"object": "result.csv", "shape": "csv", "headers": 1}])]),
    made="CSV",
)

# Column names of the first Athena table that AWS documented for flow logs (2017).
OLD_ATHENA = ("version account interfaceid sourceaddress destinationaddress sourceport destinationport protocol numpackets numbytes starttime endtime "
              "action logstatus").split()

Case(
    "csv-names",
    "The same fields under other names: CloudWatch Logs Insights' camelCase (with `@timestamp`, a byte order mark and CR LF, as a spreadsheet saves it), "
    "and those of AWS's first Athena table.",
    "insights.csv: lines 2/3, 10 and 1,000, back 9 and 2,000. old-athena.csv: lines 2/3, 20 and 3,000, back 19 and 4,000. Together 30 packets, 4,000 "
    "bytes, back 28 and 6,000; no flags, rule 5.",
    {"insights.csv": b"\xef\xbb\xbf" + delimited(
        ["@timestamp", *INSIGHTS], [["2026-10-01 10:00:00.000", *cells(V2, one | {"version": 2})] for one in PAIR[:2]], newline="\r\n", quoted=False),
     "old-athena.csv": delimited(OLD_ATHENA, [cells(V2, one | {"version": 2}) for one in LATER], quoted=False)},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[to_kyverno(["insights.csv:2", "old-athena.csv:2"], **BOTH | BY_PORT)],
           flows=[{"sql": "SELECT log_line, account_id, interface_id, srcaddr, srcport, packets, \"start\", \"end\", action, log_status FROM flows "
                          "WHERE log_line = 2 ORDER BY \"start\"",
                   "rows": [{"log_line": 2, "account_id": ACCOUNT, "interface_id": A.id, "srcaddr": "10.0.1.37", "srcport": one["srcport"],
                             "packets": one["packets"], "start": one["start"], "end": one["end"], "action": "ACCEPT", "log_status": "OK"}
                            for one in (PAIR[0], LATER[0])]}]),
    made="CSV",
)

Case(
    "csv-messages",
    "CSV whose cells hold whole records: the CloudWatch console's `timestamp,message`, and an Insights result with `@message`.",
    "console.csv: lines 2/3, 10 and 1,000, back 9 and 2,000. insights.csv: lines 2/3, 20 and 3,000, back 19 and 4,000. Together 30 packets, 4,000 bytes, "
    "back 28 and 6,000; default format, rule 5.",
    {"console.csv": delimited(["timestamp", "message"], [[one["start"] * 1000, line(V2, one)] for one in PAIR[:2]], quoted=False),
     "insights.csv": delimited(["@timestamp", "@message", "@logStream"],
                               [["2026-10-01 10:40:00.000", line(V2, one), f"{A.id}-all"] for one in LATER])},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[to_kyverno(["console.csv:2", "insights.csv:2"], **BOTH | BY_PORT)],
           flows=[of_objects(["shape", "headers", "records_ok"], rows=[
               {"object": name, "shape": "csv-messages", "headers": 1, "records_ok": 2} for name in ("console.csv", "insights.csv")])]),
    made="CSV",
)

TABBED = ["sublocation-id", *(name for name in SHORT if name != "traffic-path"), "traffic-path"]

Case(
    "tsv",
    "Tab-separated, NULL an empty cell: also in the first and in the last column, where a reader that trims its lines would lose them.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back (line 3, whose last cell is empty) 9 and 2,000. Line 4 is NODATA.",
    {"flows.tsv": delimited(snake(TABBED), [cells(TABBED, one) for one in [*PAIR[:2], status(A, "NODATA", "10:01:00", "10:01:59")]], separator="\t",
                            quoted=False)},
    inventory(objects=kyverno()),
    answer(ok=2, nodata=1, rows=[to_kyverno(["flows.tsv:2"] * 2, **ONE)],
           flows=[{"sql": "SELECT log_line, sublocation_id, interface_id, srcaddr, pkt_dstaddr, traffic_path, log_status FROM flows ORDER BY log_line",
                   "rows": [
                       {"log_line": 2, "sublocation_id": None, "interface_id": A.id, "srcaddr": "10.0.1.37", "pkt_dstaddr": "10.0.3.118",
                        "traffic_path": 1, "log_status": "OK"},
                       {"log_line": 3, "sublocation_id": None, "interface_id": A.id, "srcaddr": "10.0.3.118", "pkt_dstaddr": "10.0.1.37",
                        "traffic_path": None, "log_status": "OK"},
                       {"log_line": 4, "sublocation_id": None, "interface_id": A.id, "srcaddr": None, "pkt_dstaddr": None, "traffic_path": None,
                        "log_status": "NODATA"}]},
                  of_objects(["shape"], rows=[{"object": "flows.tsv", "shape": "tsv"}])]),
    made="TSV",
)

# --- Parquet by others ------------------------------------------------------------------------------------------------------------

LEADING_ZERO = "000011112222"


def columns_of(fields, rows):
    return {name: [one.get(name) for one in rows] for name in fields}


def by_pandas():
    """As a data frame writes it that had missing values: floats with NaN, text with `None`, account ids that became numbers."""
    import pyarrow

    fields = ["account-id", *(name for name in SHORT if name != "version"), "version"]
    rows = [one | {"version": 5, "account-id": int(LEADING_ZERO)} for one in [*PAIR[:2], status(A, "NODATA", "10:01:00", "10:01:59")]]
    table = {}
    for name, values in columns_of(fields, rows).items():
        if name in ("account-id", "version", "start", "end"):
            table[name] = pyarrow.array(values, pyarrow.int64())
        elif name in PARQUET_I32 | PARQUET_I64:
            table[name] = pyarrow.array([float("nan") if value is None else float(value) for value in values], pyarrow.float64(), from_pandas=False)
        else:
            table[name] = pyarrow.array(["None" if value is None else value for value in values], pyarrow.string())
    return table_file(pyarrow.table({name.replace("-", "_"): column for name, column in table.items()}), compression="snappy")


def by_firehose():
    """As a converter writes it that knows only text: hyphenated names, and every word for nothing."""
    import pyarrow

    nothing = ["-", "null", "NULL", "nan", "NaN", "<NA>", "None", ""]
    table = columns_of(SHORT, [one | {"version": 5} for one in [*LATER, status(A, "SKIPDATA", "10:41:00", "10:41:59")]])
    missing = iter(nothing * 3)
    return table_file(pyarrow.table({name: pyarrow.array([next(missing) if value is None else str(value) for value in values], pyarrow.string())
                                     for name, values in table.items()}), compression="snappy")


def by_spark():
    """As a job writes it that gave every column a type of its own: times, decimals, narrow and unsigned integers, dictionaries, binary."""
    import pyarrow

    typed = {"version": pyarrow.uint8(), "srcport": pyarrow.uint16(), "dstport": pyarrow.uint16(), "protocol": pyarrow.int16(),
             "tcp-flags": pyarrow.int8(), "packets": pyarrow.uint64(), "bytes": pyarrow.decimal128(20, 0), "traffic-path": pyarrow.int64(),
             "start": pyarrow.timestamp("ms", "UTC"), "end": pyarrow.timestamp("us"), "action": pyarrow.binary(), "pkt-srcaddr": pyarrow.large_string()}
    scale = {"start": 1000, "end": 1_000_000}
    table = {}
    for name, values in columns_of(SHORT, [one | {"version": 5} for one in THIRD]).items():
        values = [value and value * scale.get(name, 1) for value in values]
        if name == "bytes":
            from decimal import Decimal
            values = [Decimal(value) for value in values]
        if name in typed:
            table[name] = pyarrow.array([value.encode() for value in values] if name == "action" else values, typed[name])
        else:
            table[name] = pyarrow.array(values, pyarrow.string()).dictionary_encode()
    return table_file(pyarrow.table({name.replace("-", "_"): column for name, column in table.items()}), compression="zstd", store_schema=True)


Case(
    "parquet-rewritten",
    "Parquet that others wrote: by a data frame (floats with NaN, `None`, an account id that lost its zeros), by a converter that knows only text "
    "(hyphenated names, eight words for nothing), by a job with types of its own (timestamps, decimals, unsigned and narrow integers, dictionaries, binary).",
    "One call in each, rows 1/2: 10 + 20 + 30 = 60 packets, 1,000 + 3,000 + 5,000 = 9,000 bytes, back 9 + 19 + 29 = 57 and 2,000 + 4,000 + 6,000 "
    "= 12,000. Row 3 of the first is NODATA, of the second SKIPDATA. Account 11112222 is 000011112222.",
    {"frame.parquet": by_pandas, "text.parquet": by_firehose, "typed.parquet": by_spark},
    inventory(objects=kyverno()),
    answer(ok=6, nodata=1, skipdata=1, rows=[to_kyverno(["frame.parquet:1", "typed.parquet:1"], **ALL_THREE)],
           flows=[
        {"sql": "SELECT split_part(log_object, '/logs/', 2) AS object, log_line, version, account_id, srcaddr, srcport, bytes, tcp_flags, traffic_path, "
                "\"start\", \"end\", action, log_status FROM flows ORDER BY 1, 2",
         "rows": [{"object": name, "log_line": number, "version": 5, "account_id": account, "srcaddr": one.get("srcaddr"), "srcport": one.get("srcport"),
                   "bytes": one.get("bytes"), "tcp_flags": one.get("tcp-flags"), "traffic_path": one.get("traffic-path"), "start": one["start"],
                   "end": one["end"], "action": one.get("action"), "log_status": one["log-status"]}
                  for name, account, rows in (("frame.parquet", LEADING_ZERO, [*PAIR[:2], status(A, "NODATA", "10:01:00", "10:01:59")]),
                                              ("text.parquet", None, [*LATER, status(A, "SKIPDATA", "10:41:00", "10:41:59")]),
                                              ("typed.parquet", None, THIRD))
                  for number, one in enumerate(rows, 1)]},
        of_objects(["shape", "lines", "records_ok"], rows=[
            {"object": "frame.parquet", "shape": "parquet", "lines": 3, "records_ok": 2},
            {"object": "text.parquet", "shape": "parquet", "lines": 3, "records_ok": 2},
            {"object": "typed.parquet", "shape": "parquet", "lines": 2, "records_ok": 2}])]),
    made="Parquet by pyarrow: snappy, snappy, zstd",
)

# --- Security Lake ----------------------------------------------------------------------------------------------------------------

LAKE_1, LAKE_2, LAKE_DNS = lake_key(1, number=1), lake_key(2, number=2), "copied/dns.gz.parquet"
OUTSIDE = "203.0.113.66"
THROUGH_NAT = [  # a node's call through the gateway, as the gateway's interface logs the side towards the node
    back(NAT, 443, "10.0.3.4", 51001, 3, 11, 1650, "10:42:00", "10:42:01", pkt_dstaddr=LOGIN),
    out(NAT, 443, "10.0.3.4", 51001, 19, 13, 9700, "10:42:00", "10:42:01", pkt_srcaddr=LOGIN, pkt_src_aws_service="EC2"),
]
DENIED = out(A, 41003, "10.0.9.40", 8443, 2, 3, 180, "10:45:00", "10:45:03", action="REJECT")
SCAN = back(NODE, 22, OUTSIDE, 60000, 2, 1, 60, "10:20:00", "10:20:01", action="REJECT")
DNS_COLUMNS = {"metadata": {"product": {"name": "string", "vendor_name": "string"}, "version": "string"}, "query": {"hostname": "string", "type": "string"},
               "src_endpoint": {"ip": "string", "port": "int32"}, "time": "int64", "class_uid": "int32", "class_name": "string"}
DNS_ROW = {"metadata": {"product": {"name": "Route 53", "vendor_name": "AWS"}, "version": "1.1.0"}, "query": {"hostname": "example.com.", "type": "A"},
           "src_endpoint": {"ip": "10.0.3.4", "port": 41235}, "time": epoch("10:00:00") * 1000, "class_uid": 4003, "class_name": "DNS Activity"}


def lake_answer(object, number, values, **other):
    """What `flows` shows of a record that went through Security Lake."""
    return {"object": object, "log_line": number, "version": 5, "account_id": ACCOUNT, "interface_id": values["interface-id"], "instance_id":
            None if values["instance-id"] == "-" else values["instance-id"], "srcaddr": values["srcaddr"], "dstaddr": values["dstaddr"],
            "pkt_srcaddr": values["pkt-srcaddr"], "pkt_dstaddr": values["pkt-dstaddr"], "flow_direction": values["flow-direction"],
            "traffic_path": values.get("traffic-path"), "action": values["action"], "start": values["start"], "end": values["end"],
            "pkt_src_aws_service": values.get("pkt-src-aws-service"), "ecs_service_name": None, "hops": None, **other}


Case(
    "security-lake",
    "VPC Flow Logs out of Amazon Security Lake, OCSF class 4001, source version 1 (schema 1.0.0-rc.2) and 2 (1.1.0), mapped back: the interface stands at "
    "the sending end of outbound and at the receiving end of inbound records, a NAT gateway's own address in `intermediate_ips`. An object of another class.",
    "10.0.3.118:9443: row 1 of each, 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000. 10.0.9.40:8443: row 5 of the second, denied: 3 and 180. Rows 3 "
    "(scan of a node) and 3/4 (node through the gateway) are no egress of prod. `unmapped` gives `ecs_service_name` and, unknown, `hops`. The DNS row is "
    "rejected.",
    {LAKE_1: lambda: lake_file(lake_columns(1), [
        *(lake_row(1, one) for one in PAIR[:2]), lake_row(1, SCAN, unmapped=[("ecs_service_name", "shop"), ("hops", "3")])]),
     LAKE_2: lambda: lake_file(lake_columns(2), [lake_row(2, one) for one in [*LATER, *THROUGH_NAT, DENIED]]),
     LAKE_DNS: lambda: lake_file(DNS_COLUMNS, [DNS_ROW])},
    inventory(nat(NAT, GATEWAY), objects=kyverno(), files={"describe-nat-gateways.json": nat_gateways((GATEWAY, NAT, "203.0.113.10"))}),
    answer(ok=8, rejected=1, rows=[
        to_kyverno([f"{LAKE_1}:1", f"{LAKE_2}:1"], **BOTH),
        prod("10.0.9.40", 8443, "private", blocked=(1, 3, 180), rejected=1, rule="2", seen=("10:45:00", "10:45:03"),
             lines=(f"logs/{LAKE_2}:5", f"logs/{LAKE_2}:5")),
    ], rejects=[{"object": f"logs/{LAKE_DNS}", "line": 1, "reason": "not-a-record"}], flows=[
        {"sql": "SELECT split_part(log_object, '/logs/', 2) AS object, log_line, version, account_id, interface_id, instance_id, srcaddr, dstaddr, "
                "pkt_srcaddr, pkt_dstaddr, flow_direction, traffic_path, action, \"start\", \"end\", pkt_src_aws_service, ecs_service_name, "
                "extra['hops'] AS hops FROM flows ORDER BY 1, 2",
         "rows": [lake_answer(LAKE_1, 1, PAIR[0]), lake_answer(LAKE_1, 2, PAIR[1]), lake_answer(LAKE_1, 3, SCAN, ecs_service_name="shop", hops="3"),
                  *(lake_answer(LAKE_2, number, one) for number, one in enumerate([*LATER, *THROUGH_NAT, DENIED], 1))]},
        {"sql": "SELECT log_line, vpc_id, subnet_id, region, az_id, type, protocol, srcport, dstport, tcp_flags, packets, bytes, log_status, sublocation_id "
                "FROM flows WHERE log_object LIKE '%VPC_FLOW/2.0%' AND log_line IN (1, 3) ORDER BY log_line",
         "rows": [{"log_line": number, "vpc_id": VPC, "subnet_id": eni.subnet, "region": REGION, "az_id": "euc1-az2", "type": "IPv4", "protocol": 6,
                   "srcport": one["srcport"], "dstport": one["dstport"], "tcp_flags": 3, "packets": one["packets"], "bytes": one["bytes"],
                   "log_status": "OK", "sublocation_id": None} for number, eni, one in ((1, A, LATER[0]), (3, NAT, THROUGH_NAT[0]))]},
        {"sql": "SELECT DISTINCT shape FROM objects WHERE records_ok > 0", "rows": [{"shape": "security-lake"}]}]),
    made="Parquet by pyarrow; shape after Security Lake's user guide (\"OCSF source identification\"), the OCSF schema and github.com/ocsf/examples",
)

# --- everything at once -----------------------------------------------------------------------------------------------------------


def call(clock, port):
    """One call to the webhook: 10 packets and 1,000 bytes out, 9 and 2,000 back."""
    return [out(A, port, "10.0.3.118", 9443, 3, 10, 1000, f"{clock}:00", f"{clock}:10"),
            back(A, port, "10.0.3.118", 9443, 19, 9, 2000, f"{clock}:00", f"{clock}:10")]


def of_day(key):
    """An object of AWS's by its name alone, as a copy in one folder has it."""
    return "vpc/" + key.rsplit("/", 1)[1]


BEFORE, AFTER, AFTER_2, ELSEWHERE = (of_day(s3_key(*one)) for one in ((FL_C, "0900"), (FL_A, "1000"), (FL_A, "1040"), (FL_B, "1600")))
STREAMED, TABLE, LAKE = FIREHOSE.format("50", 5), "athena/result.csv", lake_key(2, number=4)


def layout(shape, fields, records, first, last, kind="vpc", objects=1):
    return {"shape": shape, "record_kind": kind, "fields": fields, "objects": objects, "records": records, "first_start": f"{DAY}T{first}:00Z",
            "last_end": f"{DAY}T{last}:10Z"}


Case(
    "mixed-shapes",
    "One prefix, one run: text in two formats (the flow log was replaced at 10:00), a transit gateway's log, an export task, a Firehose subscription, an "
    "Athena result, re-written Parquet and Security Lake. The table `layouts` says which came when, and what is missing.",
    "A call of 10 packets and 1,000 bytes (back 9 and 2,000) in each of 8 places, an hour apart or more than the 600 s of one connection: 80 packets, 8,000 "
    "bytes, back 72 and 16,000, 8 connections. Three places have the default format (rule 5). The NODATA line and the gateway's record add nothing.",
    {BEFORE: packed(text(V2, [*call("09:00", 41001), status(A, "NODATA", "09:01:00", "09:01:59")])),
     AFTER: packed(text(ADVISED, call("10:00", 41002))), AFTER_2: packed(text(ADVISED, call("10:40", 41003))),
     ELSEWHERE: packed(text(TRANSIT, [transit("euc1-az3", "euc1-az2", 10, 1000, "16:00")])),
     STREAM: packed(exported(V2, call("11:00", 41004))), "exported/aws-logs-write-test": b"Permission Check Successful",
     STREAMED: packed(compact(CONTROL_MESSAGE)) + packed(subscription("/vpc/unknown", events(V2, call("12:00", 41005)))),
     TABLE: delimited(snake(SHORT), [cells(SHORT, one) for one in call("13:00", 41006)]),
     "lake/part-00000.parquet": lambda: parquet(SHORT, call("14:00", 41007)),
     LAKE: lambda: lake_file(lake_columns(2), [lake_row(2, one) for one in call("15:00", 41008)])},
    inventory(objects=kyverno()),
    answer(ok=16, nodata=1, transit_gateway=1, rows=[to_kyverno(
        [f"{BEFORE}:2", f"{LAKE}:1"], sent=(8, 80, 8000), replies=(72, 16000), answered=8, rule="1,5", confidence="high", seen=("09:00:00", "15:00:10"))],
        flows=[
            {"sql": "SELECT shape, record_kind, CASE WHEN shape = 'security-lake' THEN NULL ELSE fields END AS fields, objects, records, first_start, last_end "
                    "FROM layouts ORDER BY first_start",
             "rows": [layout("text", 14, 3, "09:00", "09:01") | {"last_end": f"{DAY}T09:01:59Z"}, layout("text", 28, 4, "10:00", "10:40", objects=2),
                      layout("export-task", 14, 2, "11:00", "11:00"), layout("subscription", 14, 2, "12:00", "12:00"),
                      layout("csv", 18, 2, "13:00", "13:00"), layout("parquet", 18, 2, "14:00", "14:00"), layout("security-lake", None, 2, "15:00", "15:00"),
                      layout("text", 36, 1, "16:00", "16:00", kind="transit-gateway")]},
            {"sql": "SELECT fields, bool_and(coalesce(missing_egress, '') LIKE '%tcp-flags%') AS lacks_flags FROM layouts "
                    "WHERE fields IN (14, 28) AND shape <> 'security-lake' GROUP BY fields ORDER BY fields",
             "rows": [{"fields": 14, "lacks_flags": True}, {"fields": 28, "lacks_flags": False}]},
            {"sql": "SELECT sum(control_messages) AS control_messages, count(*) AS objects FROM objects", "rows": [{"control_messages": 1, "objects": 9}]},
            {"sql": "SELECT count(*) AS records FROM tgw_flows", "rows": [{"records": 1}]}]),
    made="text, JSON, CSV, and Parquet by pyarrow",
)
