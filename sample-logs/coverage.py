"""The coverage case: six hours in which every state of an hour occurs, with what stands behind each.

The tables are by hand from docs/coverage.md. It is asked as `report coverage … --from 2026-10-01T00:00:00Z --to 2026-10-01T06:00:00Z
--as-of 2026-10-01T06:00:00Z --settle 30m`.
"""

from cases import A, B, FL_A, FL_B, inventory
from shapes import *

C = Eni("eni-0c100000000000001", "10.0.1.38")  # seen at 23:00, absent at 06:30, and nobody says when it went
D = Eni("eni-0d100000000000001", "10.0.2.55", "subnet-0bbb0000000000002", "eu-central-1b", "euc1-az3")  # never in the logs
STRANGER = Eni("eni-0f100000000000001", "10.0.1.99")  # a control plane's by its behaviour, and not in the inventory
BUCKET = "example-flow-logs"


def call(eni, start, end, port=9443):
    """One call of a webhook, seen from the API server."""
    return out(eni, 41001, "10.0.3.118", port, 3, 10, 1000, start, end)


LOGS = {
    s3_key(FL_A, "0005"): packed(text(ADVISED, [call(A, "00:05:00", "00:05:30"), call(C, "00:06:00", "00:06:30")])),
    s3_key(FL_A, "0010"): packed(text(ADVISED, [
        back(STRANGER, 443, "10.0.3.4", 51000, 3, 9, 900, "00:10:00", "00:10:30"),
        back(STRANGER, 443, "10.0.3.100", 51001, 3, 9, 900, "00:10:00", "00:10:30"),
        back(STRANGER, 443, "10.0.3.110", 51002, 3, 9, 900, "00:10:00", "00:10:30"),
        out(STRANGER, 42000, "10.0.3.4", 10250, 3, 9, 900, "00:11:00", "00:11:30"),
        out(STRANGER, 42001, "10.0.3.5", 10250, 3, 9, 900, "00:11:00", "00:11:30"),
    ])),
    s3_key(FL_A, "0130"): packed(text(ADVISED, [status(A, "NODATA", "01:21:00", "01:30:59")])),
    s3_key(FL_A, "0240"): packed(text(ADVISED, [
        call(A, "02:40:00", "02:40:30"), status(A, "SKIPDATA", "02:41:00", "02:41:00"), call(B, "02:42:00", "02:42:30"),
        call(B, "02:43:00", "02:43:30"),
    ])),
    s3_key(FL_B, "0405"): packed(text(V2, [call(A, "04:05:00", "04:05:30")])),
    s3_key(FL_B, "0415"): packed(text(V2, [call(A, "04:15:00", "04:15:30")])),
    s3_key(FL_B, "0415", number=1): packed(text(V2, [call(B, "04:16:00", "04:16:30")])),
}

ACCEPT_ONLY = flow_logs((FL_B, VPC, V2, "2026-10-01T03:55:00+00:00"))
ACCEPT_ONLY["FlowLogs"][0]["TrafficType"] = "ACCEPT"
POLICY = {"Version": "2012-10-17", "Statement": [
    {"Sid": "AWSLogDeliveryWrite", "Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:PutObject",
     "Resource": f"arn:aws:s3:::{BUCKET}/AWSLogs/{ACCOUNT}/*"},
    {"Sid": "AWSLogDeliveryAclCheck", "Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"},
     "Action": ["s3:GetBucketAcl", "s3:ListBucket"], "Resource": f"arn:aws:s3:::{BUCKET}"},
    {"Sid": "Tidy", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/tidy"}, "Action": "s3:Delete*",
     "Resource": f"arn:aws:s3:::{BUCKET}/*"},
]}
CUSTODY = {
    # As the CLI writes it, with the bucket in the file's name, and as the collection script does, with the bucket around it.
    f"get-bucket-versioning_{BUCKET}.json": {"Status": "Enabled"},
    f"buckets/{BUCKET}/get-object-lock-configuration.json": {"Bucket": BUCKET, "ObjectLock": {"ObjectLockConfiguration": {
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}}}}},
    f"buckets/{BUCKET}/get-bucket-policy.json": {"Bucket": BUCKET, "BucketPolicy": {"Policy": json.dumps(POLICY)}},
}
INVENTORY = inventory(
    control_plane(C, "prod"), own=(A, D), when=f"2026-09-30T230000Z/{ACCOUNT}/{REGION}",
    files={"describe-flow-logs.json": flow_logs((FL_A, VPC, ADVISED, "2026-01-15T09:00:00+00:00"))},
) | inventory(
    control_plane(B, "prod", attached="2026-10-01T02:00:00+00:00"), own=(A, D), when=f"2026-10-01T063000Z/{ACCOUNT}/{REGION}",
    files={"describe-flow-logs.json": ACCEPT_ONLY} | CUSTODY)

# --- the answer ---------------------------------------------------------------------------------------------------------------

WEAK = "accept-only,missing-fields,recreated"
# State, records, flow logs that count and weaknesses for the hours 0 to 5.
HOURS = {
    A: [("OK", 1, FL_A, None), ("NODATA", 1, FL_A, None), ("SKIPDATA", 2, FL_A, "recreated"), ("GAP", 0, None, "recreated"), ("OK", 2, FL_B, WEAK),
        ("LATE", 0, None, None)],
    B: [("N/A", 0, None, None), ("N/A", 0, None, None), ("OK", 2, FL_A, "recreated"), ("GAP", 0, None, "recreated"), ("OK", 1, FL_B, WEAK),
        ("LATE", 0, None, None)],
    C: [("OK", 1, FL_A, None)] + [("UNKNOWN", 0, None, None)] * 4 + [("LATE", 0, None, None)],
    D: [("GAP", 0, None, None)] * 5 + [("LATE", 0, None, None)],
}
ROWS = [{"cluster": "prod", "interface_id": eni.id, "hour": f"2026-10-01T{hour:02}:00:00Z", "state": state, "records": records, "flow_logs": flow_log,
         "weaknesses": weak}
        for eni, hours in HOURS.items() for hour, (state, records, flow_log, weak) in enumerate(hours)]


def at(clock):
    return f"2026-10-01T{clock}:00Z"


def gap(eni, state, start, end, hours, files):
    return {"interface_id": eni.id, "state": state, "from": at(start), "to": at(end), "hours": hours, "objects_delivered": files}


def missing(start, end, periods, judgement):
    return {"from": at(start), "to": at(end), "periods": periods, "judgement": judgement}


EXPECTED = {
    "args": ["--from", at("00:00"), "--to", at("06:00"), "--as-of", at("06:00"), "--settle", "30m"],
    "rows": ROWS,
    "interface_hours": {"expected": 22, "logged": 7,
                        "by_state": {"OK": 5, "NODATA": 1, "SKIPDATA": 1, "GAP": 7, "LATE": 4, "UNKNOWN": 4, "N/A": 2}},
    "by_day": [{"cluster": "prod", "day": "2026-10-01", "interfaces": 4, "hours_expected": 22, "hours_covered": 7, "covered_share": 0.3181}],
    "gaps": [
        gap(A, "SKIPDATA", "02:00", "03:00", 1, 1), gap(A, "GAP", "03:00", "04:00", 1, 0), gap(A, "LATE", "05:00", "06:00", 1, 0),
        gap(B, "GAP", "03:00", "04:00", 1, 0), gap(B, "LATE", "05:00", "06:00", 1, 0),
        gap(C, "UNKNOWN", "01:00", "05:00", 4, 5), gap(C, "LATE", "05:00", "06:00", 1, 0),
        gap(D, "GAP", "00:00", "05:00", 5, 7), gap(D, "LATE", "05:00", "06:00", 1, 0),
    ],
    "deliveries": [
        {"flow_log_id": FL_A, "account_id": ACCOUNT, "region": REGION, "from": at("00:00"), "from_basis": "period", "to": at("04:05"),
         "to_basis": "life", "objects": 4, "objects_outside": 0, "objects_per_period_max": 1, "periods_expected": 49, "periods_delivered": 4,
         "missing": [missing("00:00", "00:05", 1, "nothing-due"), missing("00:15", "01:30", 15, "logged-around"),
                     missing("01:35", "02:40", 13, "logged-around"), missing("02:45", "04:05", 16, "silent")]},
        {"flow_log_id": FL_B, "account_id": ACCOUNT, "region": REGION, "from": at("03:55"), "from_basis": "life", "to": at("05:30"),
         "to_basis": "settling", "objects": 3, "objects_outside": 0, "objects_per_period_max": 2, "periods_expected": 19, "periods_delivered": 2,
         "missing": [missing("03:55", "04:05", 2, "silent"), missing("04:10", "04:15", 1, "nothing-due"), missing("04:20", "05:30", 14, "silent")]},
    ],
    "flow_logs": [
        {"flow_log_id": FL_A, "resource_id": VPC, "level": "vpc", "traffic_type": "ALL", "max_aggregation_interval": 600, "objects": 4,
         "missing_required_fields": [], "missing_recommended_fields": [], "format_differs": False, "replaces": [], "replaced_by": [FL_B],
         "interfaces": [A.id, B.id, C.id], "weaknesses": [], "listed_to": "2026-09-30T23:00:01Z"},
        {"flow_log_id": FL_B, "resource_id": VPC, "level": "vpc", "traffic_type": "ACCEPT", "max_aggregation_interval": 600, "objects": 3,
         "missing_required_fields": [],
         "missing_recommended_fields": ["tcp-flags", "flow-direction", "pkt-srcaddr", "pkt-dstaddr", "traffic-path", "pkt-src-aws-service",
                                        "pkt-dst-aws-service"],
         "format_differs": False, "replaces": [FL_A], "replaced_by": [], "interfaces": [A.id, B.id],
         "weaknesses": ["accept-only", "missing-fields", "recreated"], "created": at("03:55")},
    ],
    "flow_log_changes": [
        {"interface_id": A.id, "before": FL_A, "after": FL_B, "ended": "2026-10-01T02:41:00Z", "began": at("04:05")},
        {"interface_id": B.id, "before": FL_A, "after": FL_B, "ended": "2026-10-01T02:43:30Z", "began": at("04:16")},
    ],
    "weaknesses": [
        {"flow_log_id": FL_B, "weakness": weakness, "spans": [{"interface_id": eni.id, "from": at(start), "to": at("05:00")} for eni in (A, B)]}
        for weakness, start in (("accept-only", "04:00"), ("missing-fields", "04:00"), ("recreated", "02:00"))
    ],
    "unknown_interfaces": [{"interface_id": STRANGER.id, "cluster": None, "in_logs": True, "first_start": at("00:10"), "last_end": "2026-10-01T00:11:30Z"}],
    "unseen_interfaces": [{"interface_id": D.id, "cluster": "prod", "by_state": {"GAP": 5, "LATE": 1}, "flow_logs": [FL_A, FL_B]}],
    "custody": [{"bucket": BUCKET, "is_source": False, "unknown": ["get-public-access-block"], "facts": [
        {"call": "get-bucket-policy", "found": "1 statement lets others than log delivery write or delete", "protection": "absent"},
        {"call": "get-bucket-versioning", "found": "Enabled", "protection": "protects"},
        {"call": "get-object-lock-configuration", "found": "GOVERNANCE, 400 days", "protection": "partly"},
    ]}],
}

README = """# Coverage

`every-state`: six hours (2026-10-01, 00:00 to 06:00 UTC) of cluster `prod`, asked as of 06:00 with a settle delay of 30 minutes, so that hours
that end by 05:30 are closed. `expected.json` holds the answer to `flowproof report coverage` with its `args`; keys that it lacks are left open.
Everything was derived by hand from docs/coverage.md.

| interface | inventory | 00 | 01 | 02 | 03 | 04 | 05 |
|---|---|---|---|---|---|---|---|
| eni-0a1… | in both snapshots (23:00 the day before, 06:30) | OK | NODATA | SKIPDATA | GAP | OK | LATE |
| eni-0b1… | attached at 02:00, in the second | N/A | N/A | OK | GAP | OK | LATE |
| eni-0c1… | in the first, absent from the second | OK | UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN | LATE |
| eni-0d1… | in both, never in the logs | GAP | GAP | GAP | GAP | GAP | LATE |
| eni-0f1… | not at all; three clients on 443, two hosts on 10250 | | | | | | |

24 hours, 2 of them N/A: 22 expected; OK 5, NODATA 1, SKIPDATA 1 = 7 covered (7 ÷ 22 = 0.3181, cut); GAP 7, UNKNOWN 4, LATE 4.

Flow log fl-0aaa… (VPC, ALL, all fields) delivers at 00:05, 00:10, 01:30 and 02:40; it is gone by 06:30. Flow log fl-0bbb… (VPC, ACCEPT only, default
format) was created at 03:55 and delivers at 04:05 and, twice, at 04:15. Its first record starts at 04:05, where the grid of the first one ends:
00:00 to 04:05 are 49 periods. Of the five-minute spans without a file those shorter than the interval of ten minutes mean nothing, those
whose hours have records of the flow log are open, and those that reach into hours 03 or 05, where it recorded nothing, are silent.
"""
