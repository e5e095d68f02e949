#!/usr/bin/env python3
"""What a page of many destinations takes: `report egress` with and without `--export x.html`, in turn.

    benches/page.py [--destinations 100000] [--flowproof target/release/flowproof] [--rounds 5]

The log is made here: an answered connection of a control plane of the sample estate to each destination. Prints medians of wall and CPU, and the bytes.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from reports import run

ROOT = Path(__file__).resolve().parents[1]
FORMAT = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags flow-direction"
SINCE = 1_791_187_200  # 2026-10-05T08:00:00Z


def log(count):
    yield FORMAT
    for n in range(count):
        start = SINCE + n % 3_000
        there, port = f"198.{18 + n // 62_500}.{n // 250 % 250}.{n % 250 + 1}", 1_024 + n % 60_000
        tail = f"{start} {start + 30} ACCEPT OK"
        yield f"5 111122223333 eni-0a200000000000001 10.20.1.37 {there} {port} 443 6 5 {1_000 + n} {tail} 3 egress"
        yield f"5 111122223333 eni-0a200000000000001 {there} 10.20.1.37 443 {port} 6 5 500 {tail} 19 ingress"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--destinations", type=int, default=100_000)
    parser.add_argument("--flowproof", default="target/release/flowproof")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        many, page = Path(folder) / "many.log", Path(folder) / "page.html"
        many.write_text("\n".join(log(args.destinations)) + "\n")
        report = [args.flowproof, "report", "egress", str(many), "--inventory", str(ROOT / "sample-logs/estate/inventory"), "-o", "csv", "-q"]
        commands = {"CSV alone": report, "CSV and page": [*report, "--export", str(page)]}
        taken = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                taken[name].append(run(command)[0])
        for name, readings in taken.items():
            wall, cpu, peak = (statistics.median(reading[at] for reading in readings) for at in range(3))
            print(f"{name:<13} {wall:.2f} s, {cpu:.2f} s CPU, {peak:.0f} MB")
        print(f"{args.destinations:,} destinations, a page of {page.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
