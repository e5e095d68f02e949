#!/usr/bin/env python3
"""What questions cost in floors: the CPU of each, in turn with that of inflating the same objects by libdeflate and no more.

    benches/floor.py FOLDER [--flowproof target/release/flowproof] [--threads 2] [--rounds 5]

FOLDER is what the generator wrote, gzip. The floor is libdeflate with each member's CRC, on one thread over objects in memory; of the questions
(peers.py) the whole process counts. All run with one thread too, and must answer the same each time. Behind the bar: medians of wall and CPU,
the CPU in floors, the greatest peak of memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import peers

FLOOR = "inflating (the floor)"
INFLATE = ["cargo", "bench", "--quiet", "--bench", "stages", "--", "--floor"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flowproof", default="target/release/flowproof")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    asked = [(question, threads) for question in ["count", "egress-sql", "nat", "azs", "all", "egress", "nat-report", "cross-az-report"] for threads in sorted({1, args.threads})]
    readings, texts = {FLOOR: [], **{case: [] for case in asked}}, set()
    answers = {}
    for _ in range(args.rounds):
        seconds, text = subprocess.check_output([*INFLATE, str(args.folder.resolve())]).split()
        readings[FLOOR].append((float(seconds), float(seconds), 0))
        texts.add(text)
        for question, threads in asked:
            given, reading = peers.run(peers.flowproof(args.flowproof, args.folder, question, threads), os.environ)
            readings[question, threads].append(reading)
            answer = peers.answer(question, given)
            assert answers.setdefault(question, answer) == answer, f"{question}: {threads} thread(s) answer otherwise"
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
