#!/usr/bin/env python3
"""The reports of costs by two binaries in turn: what each takes, and that both write the same bytes.

    benches/reports.py FOLDER… --before BINARY [--after target/release/flowproof] [--rounds 3] [--threads 2] [--report REPORT]…

A report may have options: --report "cost --by service". Behind the bar: medians of wall and CPU, and the greatest peak of memory. A run that
fails or answers otherwise than the one before ends it. Without --before, one is read.
"""

import argparse
import os
import shlex
import statistics
import tempfile
import time
from pathlib import Path

REPORTS = ["cross-az", "nat", "cost"]


def run(command):
    with tempfile.TemporaryFile() as out:
        since = time.perf_counter()
        process = os.fork()
        if process == 0:
            os.dup2(out.fileno(), 1)
            os.execv(command[0], command)
        _, status, usage = os.wait4(process, 0)
        wall = time.perf_counter() - since
        assert status == 0, command
        out.seek(0)
        return (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000), out.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--before")
    parser.add_argument("--after", default="target/release/flowproof")
    parser.add_argument("--report", action="append", help="with its options; repeatable")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    binaries = {name: path for name, path in [("before", args.before), ("after", args.after)] if path}
    for folder in args.folders:
        for report in args.report or REPORTS:
            taken, answer = {name: [] for name in binaries}, None
            for _ in range(args.rounds):
                for name, path in binaries.items():
                    inventory = ["--inventory", f"{folder}/inventory"] if (folder / "inventory").is_dir() else []
                    options = ["-o", "json", "--threads", str(args.threads)]
                    reading, said = run([path, "report", *shlex.split(report), f"{folder}/logs", *inventory, *options])
                    assert answer in (None, said), f"{folder} {report}: {name} answers otherwise"
                    answer = said
                    taken[name].append(reading)
            for name, readings in taken.items():
                wall, cpu = (statistics.median(reading[at] for reading in readings) for at in (0, 1))
                peak = max(reading[2] for reading in readings)
                each = "  ".join("{:.2f} {:.2f} {:.0f}".format(*reading) for reading in readings)
                print(f"{folder.name} {report} {name}: {each} | {wall:.2f} s, {cpu:.2f} s CPU, {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
