"""Vector's `parse_aws_vpc_flow_log` (VRL, by pyVRL 0.0.2 of PyPI) against flowproof: `python3 tests/heavy/parsers/with_vrl.py`.

It reads one line with the fields of its layout, up to version 5; there is no reader of files. Fields that it does not know are taken out of
fields and line first, else it would refuse the line.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import compare

compare.in_venv("vrl", "--only-binary=:all:", "pyVRL==0.0.2")

from pyvrl import Transform

# Differences whose reason is known; the table in ../README.md says what they mean.
KNOWN = [
    (r"/(aws-sample-tcp-flags|odd-text)/.*refused: ", "two spaces are an empty field"),
    (r"/ms-timestamps/.*'start': \(\d{13}, \d{10}\)", "milliseconds are kept"),
    (r"lines: .*reject (bad-(status|address|action)|not-text)", "text not checked"),
]
PROGRAM = Transform(".parsed, .fault = parse_aws_vpc_flow_log(.line, .fields)\n.")


UNKNOWN = "ecs- reject-reason resource-id encryption-status instance-tag interface-tag asg-tag interface-type next-hop- tgw- resource-type packets-lost- hops"


def read_line(fields, line):
    unknown = {at for at, name in enumerate(fields) if name.startswith(tuple(UNKNOWN.split()))}
    # Not by split(): a doubled space is for the parser to read.
    tokens = line.split(" ") if unknown else []
    line = " ".join(token for at, token in enumerate(tokens) if at not in unknown) if unknown else line
    names = [name.replace("-", "_") for at, name in enumerate(fields) if at not in unknown]
    result = PROGRAM.remap({"line": line, "fields": " ".join(names)})
    if result["fault"]:
        raise ValueError(result["fault"])
    return result["parsed"]


compare.main("VRL (pyVRL 0.0.2)", KNOWN, read_line)
