#!/usr/bin/env python3
"""Hides one thing at a time in millions of records, and asks whether the evidence tells: `python3 tests/heavy/injections/run.py`.

    run.py [--records N] [--count N | --only N…] [--seed N] [--program target/release/flowproof] [--generator target/release/examples/generate]

An estate is generated with a file per flow log and five minutes, and everything that its control planes contacted is approved. Then, one
at a time, at random: a line of a control-plane interface to a destination that nobody approved is put at a random place of a random file
(three of four), or a random file is taken away. Each time `evidence collect` runs over all records, and the script, which knows what it
did, asks:

- a line: statement C2 of that cluster and day fails, which it didn't before, and names the file and the line; `evidence trace` of the
  destination gives that line and no other, with its raw text;
- a file: each cluster of that account and region loses C2 on that day (INDETERMINATE, or still FAIL), the gap is named by flow log and
  period, B5 names it too, and `evidence trace` of a line of it finds none.

Prints a line per injection, and ends with 1 if one went unseen.
"""

import argparse
import csv
import gzip
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAME = re.compile(r"(\d{12})_vpcflowlogs_([a-z0-9-]+)_(fl-[0-9a-f]+)_(\d{8}T\d{4})Z_")
# Nothing that the generator writes lies in TEST-NET-2.
NOWHERE = "198.51.100."


class Estate:
    """A generated estate with an approved list of all that it contacts."""

    def __init__(self, args):
        self.program = args.program
        self.dir = ROOT / "target" / "heavy" / "injections" / f"{args.records}"
        if not (self.dir / "truth.json").exists():
            subprocess.run([args.generator, "--records", str(args.records), "--files", "0", "--to-dir", self.dir], check=True)
        self.policy, self.key = self.dir / "approved.toml", self.dir / "key"
        if not self.policy.exists():
            draft = self.ask("policy", "init", self.dir / "logs", "--inventory", self.dir / "inventory").stdout
            self.policy.write_text(re.sub(r'^((owner|reason|ticket) += )"".*$', r'\1"drill"', draft, flags=re.M))
        if not self.key.exists():
            self.ask("evidence", "keygen", self.key)
        self.period = []
        self.objects = sorted((self.dir / "logs").rglob("*.log.gz"))
        rows = self.ask("sql", "--inventory", self.dir / "inventory", "-o", "csv", "-c",
                        "SELECT interface_id, cluster_arn FROM enis WHERE kind = 'eks-control-plane' AND cluster_arn IS NOT NULL").stdout
        self.planes = {row["interface_id"]: row["cluster_arn"] for row in csv.DictReader(io.StringIO(rows))}

    def ask(self, *args, may_end=(0,)):
        done = subprocess.run([self.program, *args], capture_output=True, text=True)
        assert done.returncode in may_end, f"{args}: {done.returncode}\n{done.stderr}"
        return done

    def copy(self, place):
        """The logs once more, by links: only what an injection changes is written."""
        shutil.rmtree(place, ignore_errors=True)
        for path in self.objects:
            to = place / path.relative_to(self.dir / "logs")
            to.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, to)

    def collect(self, logs, bundle):
        shutil.rmtree(bundle, ignore_errors=True)
        began = time.monotonic()
        self.ask("evidence", "collect", logs, "--inventory", self.dir / "inventory", "--policy", self.policy, "--as-of", "2026-10-09",
                 *self.period, "--to-dir", bundle, "--sign-key", self.key)
        return json.loads((bundle / "data" / "results.json").read_text()), time.monotonic() - began

    def trace(self, bundle, what, *more):
        done = self.ask("evidence", "trace", bundle, what, "--key", f"{self.key}.pub", "-o", "csv", *more, may_end=(0, 1, 2, 5))
        return list(csv.DictReader(io.StringIO(done.stdout)))


def verdicts(results, statement):
    """Verdicts of a statement by cluster and day."""
    found = [one for one in results["statements"] if one["id"] == statement]
    return {(one["cluster_arn"], day["day"]): day["verdict"] for one in found for day in one["days"]}


def instant(second):
    return datetime.fromtimestamp(second, timezone.utc)


def hidden_line(lines, planes, dice):
    """Returns a line as a control plane's interface would have it, to somewhere that nobody approved, or None without such an interface."""
    header = lines[0].split()
    at = {name: header.index(name) for name in header}
    models = [line for line in lines[1:] if (row := line.split())[at["interface-id"]] in planes
              and row[at["flow-direction"]] == "egress" and row[at["protocol"]] == "6" and row[at["action"]] == "ACCEPT" and row[at["type"]] == "IPv4"]
    if not models:
        return None
    row = dice.choice(models).split()
    destination, port = f"{NOWHERE}{dice.randrange(1, 255)}", str(dice.randrange(1024, 32768))
    changes = {"dstaddr": destination, "pkt-dstaddr": destination, "dstport": port, "srcport": str(dice.randrange(32768, 60999)), "tcp-flags": "2"}
    for name, value in changes.items():
        row[at[name]] = value
    return " ".join(row), row[at["interface-id"]], f"{destination}:{port}", instant(int(row[at["start"]])).strftime("%Y-%m-%d")


def inject_line(estate, before, work, dice):
    while True:
        path = dice.choice(estate.objects)
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        if hidden := hidden_line(lines, estate.planes, dice):
            break
    text, interface, destination, day = hidden
    number = dice.randrange(2, len(lines) + 2)
    lines.insert(number - 1, text)
    changed = work / "logs" / path.relative_to(estate.dir / "logs")
    changed.unlink()
    changed.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 1, mtime=0))
    place = f"{changed}:{number}"

    results, seconds = estate.collect(work / "logs", work / "bundle")
    of = (estate.planes[interface], day)
    was, now = verdicts(before, "C2")[of], verdicts(results, "C2")[of]
    assert was != "FAIL" and now == "FAIL", f"{place}: C2 of {of} was {was}, is {now}"
    others = {key for key, verdict in verdicts(results, "C2").items() if verdict != verdicts(before, "C2")[key]}
    assert others == {of}, f"{place}: C2 changed for {others}"
    named = [one["first_line"] for one in results["exceptions"] if one["statement"] == "C2" and (one["cluster_arn"], one["day"]) == of]
    assert place in named, f"{place} is not among {named}"
    traced = estate.trace(work / "bundle", destination, "--inputs", work / "logs")
    assert [f"{row['log_object']}:{row['log_line']}" for row in traced] == [place], f"{place}: traced {traced}"
    assert text in traced[0].values(), f"{place}: its text is not in {traced[0]}"
    return f"line  C2 {was} -> {now}, traced to line {number:>6} of {len(lines) - 1} in {path.name}", seconds


def spans(subject, flow_log, instant):
    """Whether `fl-… FROM to TO` names a span of this flow log with this instant in it."""
    parts = subject.split(" ")
    return len(parts) == 4 and parts[0] == flow_log and parts[1] <= instant < parts[3]


def inject_gap(estate, before, work, dice):
    path = dice.choice(estate.objects)
    account, region, flow_log, stamp = NAME.search(path.name).groups()
    begins = datetime.strptime(stamp, "%Y%m%dT%H%M").replace(tzinfo=timezone.utc)
    gone = work / "logs" / path.relative_to(estate.dir / "logs")
    gone.unlink()

    results, seconds = estate.collect(work / "logs", work / "bundle")
    day = begins.strftime("%Y-%m-%d")
    here = [key for key in verdicts(before, "C2") if key[1] == day and key[0].split(":")[3:5] == [region, account]]
    now = verdicts(results, "C2")
    # A region may have flow logs and no cluster: then only the gap is to be told.
    assert all(now[key] == "INDETERMINATE" for key in here), f"{gone}: C2 is {[now[key] for key in here]}"
    gaps = list(csv.DictReader((work / "bundle" / "data" / "gaps.csv").open()))
    wanted = begins.strftime("%Y-%m-%dT%H:%M:00Z")
    named = [gap for gap in gaps if flow_log in gap["subject"] and gap["from"] <= wanted < gap["to"] and gap["state"] != "NOTHING-DUE"]
    assert named, f"{gone}: no gap of {flow_log} at {wanted}"
    told = [one for one in results["exceptions"] if one["statement"] == "B5" and one["day"] == day and spans(one["subject"], flow_log, wanted)]
    assert told or not here, f"{gone}: B5 does not name it"
    traced = estate.trace(work / "bundle", f"{gone}:2")
    assert not traced, f"{gone}: {traced}"
    before_here = sorted({verdicts(before, "C2")[key] for key in here})
    return f"file  C2 {'/'.join(before_here) or 'of no cluster'} -> {'INDETERMINATE' if here else '-'}, gap {named[0]['state']} {flow_log} {wanted}", seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--only", type=int, action="append", help="only this one of them; repeatable")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "flowproof")
    parser.add_argument("--generator", type=Path, default=ROOT / "target" / "release" / "examples" / "generate")
    args = parser.parse_args()
    estate = Estate(args)
    work = estate.dir / "work"
    estate.copy(work / "logs")
    first, _ = estate.collect(work / "logs", work / "bundle")
    # The period is stated from here on: a file that is missing at its ends is a gap like any other.
    estate.period = ["--from", first["period"]["from"], "--to", first["period"]["to"]]
    before, seconds = estate.collect(work / "logs", work / "bundle")
    counted = {verdict: list(verdicts(before, "C2").values()).count(verdict) for verdict in ["PASS", "INDETERMINATE", "FAIL"]}
    print(f"{before['inputs']['ok']:,} records in {len(estate.objects)} files; C2 by cluster and day before: {counted}; collect {seconds:.1f} s")
    assert counted["FAIL"] == 0
    took, seen = [], 0
    numbers = args.only or range(1, args.count + 1)
    for number in numbers:
        dice = random.Random(f"{args.seed}-{number}")
        estate.copy(work / "logs")
        inject = inject_gap if dice.random() < 0.25 else inject_line
        try:
            said, seconds = inject(estate, before, work, dice)
            seen += 1
        except AssertionError as fault:
            said, seconds = f"UNSEEN: {fault}", 0
        took.append(seconds)
        print(f"{number:>4} {said} ({seconds:.1f} s)", flush=True)
    print(f"{seen} of {len(numbers)} injections seen and named; collect {statistics.median(took):.1f} s in the median")
    sys.exit(seen != len(numbers))


if __name__ == "__main__":
    main()
