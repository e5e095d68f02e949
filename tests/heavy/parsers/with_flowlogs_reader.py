"""flowlogs-reader (PyPI, 5.0.1) against flowproof: `python3 tests/heavy/parsers/with_flowlogs_reader.py`.

Two ways into it: `FlowRecord.from_cwl_event` for each line with the fields of its layout, and `S3FlowLogsReader._read_file` for
whole objects, to which a client is given that hands out the file instead of an object of S3. The second takes what is not
compressed only compressed, so text is packed first.
"""

import gzip
import io
import sys
import warnings
from calendar import timegm
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import compare

compare.in_venv("flowlogs-reader", "flowlogs-reader==5.0.1")
warnings.simplefilter("ignore")

from flowlogs_reader import FlowRecord
from flowlogs_reader.flowlogs_reader import S3FlowLogsReader

# Differences whose reason is known; the table in ../README.md says what they mean.
KNOWN = [
    (r"lines: .*refused: ValueError: invalid literal for int\(\) with base 10: '-'", "no `-` in start and end"),
    (r"lines: .*reject too-(few|many)-fields", "number of fields not checked"),
    (r"lines: .*reject (bad-(status|address|action)|not-text)", "text not checked"),
    (r"lines: .*reject bad-number", "numbers without bounds"),
    (r"/(skipdata-nodata|window)/.*file: ", "no `-` in start and end"),
    (r"/(future-field|v11|odd-values)/.*file: ", "fields up to version 5"),
    (r"/(odd-text|repeated-header|multi-member-gzip|transit-gateway-logs)/.*file: ", "header in mid-file is a record"),
    (r"/aws-sample-tcp-flags/.*file: ", "two spaces are an empty field"),
    (r"/(no-header|export-task\S*|flow-log-format)/.*file: ", "first record is taken for a header"),
    (r"/rejects/.*file: ", "text not checked"),
    (r"/(csv|json|tsv|log-events|subscription|log-group)\S*/.*file: ", "not a shape that its file reader knows"),
    (r"/mixed-shapes/.*/(exported|cwl|athena)/.*file: ", "not a shape that its file reader knows"),
    (r"file: refused: (ParquetFormatException|NameError: name 'snappy')", "its Parquet reader stops at pages that every writer of today makes"),
    (r"/(security-lake|mixed-shapes)/.*parquet: file: ", "its Parquet reader stops at pages that every writer of today makes"),
]


def columns(record):
    """What a record says, by flowproof's column names; their times are datetimes, and keep milliseconds."""
    values = {name: getattr(record, name) for name in FlowRecord.__slots__}
    return values | {name: timegm(values[name].utctimetuple()) for name in ("start", "end") if values[name]}


def read_line(fields, line):
    fields = [name.replace("-", "_") for name in fields]
    record = columns(FlowRecord.from_cwl_event({"message": line}, fields))
    return {name: value for name, value in record.items() if name in fields}


class FileClient:
    """Stands for boto3's S3 client: one object, which is a file."""

    def __init__(self, data):
        self.data = data

    def get_object(self, **_):
        return {"Body": io.BytesIO(self.data), "ContentLength": len(self.data)}


def read_file(path, data):
    parquet = data[:4] == b"PAR1"
    reader = S3FlowLogsReader("bucket", boto_client=FileClient(data if parquet else gzip.compress(data)))
    rows = reader._read_file("object.parquet" if parquet else "object.log.gz")
    found, refused = [], 0
    for row in rows:
        try:
            # Missing columns are None, as flowproof's NULL; those of no file here are left out by the comparison.
            found.append(columns(FlowRecord(row)))
        except Exception:
            refused += 1  # as their own loop does
    named = {name for record in found for name in record if record[name] is not None}
    return [{name: record[name] for name in named} for record in found]


compare.main("flowlogs-reader 5.0.1", KNOWN, read_line, read_file)
