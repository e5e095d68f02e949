#!/usr/bin/env python3
"""What questions cost in floors: the CPU of each, in turn with that of inflating the same objects by libdeflate and no more.

    benches/floor.py FOLDER [--flowproof target/release/flowproof] [--threads 2] [--rounds 5]

FOLDER is what the generator wrote, gzip. The floor is libdeflate with each member's CRC, on one thread over objects in memory; of the questions
(peers.py) the whole process counts. All questions run with one thread too. Behind the bar: medians of wall and CPU, the CPU in floors, the
greatest peak of memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import peers

FLOOR = "inflating (the floor)"
INFLATE = ["cargo", "bench", "--quiet", "--bench", "stages", "--", "--floor"]


def run(command):
    since, process = time.perf_counter(), os.fork()
    if process == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(command[0], command)
    _, status, usage = os.wait4(process, 0)
    assert status == 0, command
    return time.perf_counter() - since, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flowproof", default="target/release/flowproof")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    asked = [(question, threads) for question in ["count", "egress-sql", "nat", "azs", "all", "egress"] for threads in {args.threads, 1}]
    readings, texts = {FLOOR: [], **{case: [] for case in asked}}, set()
    for _ in range(args.rounds):
        seconds, text = subprocess.check_output([*INFLATE, str(args.folder.resolve())]).split()
        readings[FLOOR].append((float(seconds), float(seconds), 0))
        texts.add(text)
        for question, threads in asked:
            readings[question, threads].append(run(peers.flowproof(args.flowproof, args.folder, question, threads)))
    assert len(texts) == 1, texts
    floor = statistics.median(cpu for _, cpu, _ in readings[FLOOR])
    for case, all_of in readings.items():
        name = case if case == FLOOR else "{}, {} thread(s)".format(*case)
        wall, cpu = (statistics.median(reading[at] for reading in all_of) for at in (0, 1))
        each = "  ".join("{:.2f} {:.2f}".format(*reading) for reading in all_of)
        peak = max(reading[2] for reading in all_of)
        print(f"{name:<26} {each} | {wall:.2f} s, {cpu:.2f} s CPU, {cpu / floor:.2f} floors, {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
