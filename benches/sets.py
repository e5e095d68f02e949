#!/usr/bin/env python3
"""The count and `report egress` over several sets of the generator, the first also with one thread, in turn.

    benches/sets.py FOLDER… [--flowproof target/release/flowproof] [--rounds 3]

Each reading: wall s, user s, system s, peak MB of the process; behind the bar, the medians of wall and CPU and of the peak. Answers are not compared
here (peers.py does), but a run that fails ends it.
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

COUNT = "SELECT count(*) AS records, sum(bytes) AS bytes FROM flows"


def run(command):
    since = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - since, usage.ru_utime, usage.ru_stime, usage.ru_maxrss / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--flowproof", default="target/release/flowproof")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cases = {}
    for at, folder in enumerate(args.folders):
        count = [args.flowproof, "sql", f"{folder}/logs", "-o", "json", "-c", COUNT]
        report = [args.flowproof, "report", "egress", f"{folder}/logs", "--inventory", f"{folder}/inventory", "-o", "json"]
        for name, command in [("count", count), ("report egress", report)]:
            cases[f"{folder.name} {name}"] = command
            if at == 0:
                cases[f"{folder.name} {name}, one thread"] = command + ["--threads", "1"]
    readings = {name: [] for name in cases}
    for _ in range(args.rounds):
        for name, command in cases.items():
            readings[name].append(run(command))
    for name, taken in readings.items():
        wall, cpu, peak = (statistics.median(of(one) for one in taken) for of in (lambda r: r[0], lambda r: r[1] + r[2], lambda r: r[3]))
        print(f"{name:<40}" + "  ".join("{:.2f} {:.2f} {:.2f} {:.0f}".format(*one) for one in taken) + f"  | {wall:.2f} s, {cpu:.2f} s CPU, {peak:.0f} MB")


if __name__ == "__main__":
    main()
