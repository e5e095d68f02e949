#!/usr/bin/env python3
"""Re-performs bundles by a stranger: `python3 tests/reperform/check.py [PROGRAM]` (default `target/debug/flowproof`).

Collects a bundle of the estate and of some cases, and runs its own `data/reperform.sql` as it is, in DuckDB from PyPI, which shares no code
with flowproof. Each must come to no difference; then, one by one, a figure, a verdict, a record and a file are taken away or changed, and each
must be noticed. The environment goes to `target/heavy/reperform/` and is made once.
"""

import subprocess
import shutil
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "heavy" / "reperform" / "venv"
REQUIREMENT = "duckdb==2.0.0"
SAMPLES = ROOT / "sample-logs"
CASES = ["overlapping-flow-logs", "outcomes", "blocked-reply", "icmp-and-undecided", "ipv6", "api-answers", "long-connection"]
RUN = "import duckdb; print('\\n'.join(line for (line,) in duckdb.sql(open('data/reperform.sql').read()).fetchall()))"
DROP = """import duckdb
path = 'data/records/control-plane.parquet'
rows = duckdb.sql(f"CREATE TABLE kept AS SELECT * FROM '{path}' ORDER BY log_object, log_line OFFSET 1")
duckdb.sql(f"COPY kept TO '{path}'")"""


def python():
    """Returns the interpreter of the environment, made anew if the version changed."""
    mark = HOME / "requirement.txt"
    if not mark.exists() or mark.read_text() != REQUIREMENT:
        began = time.monotonic()
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([HOME / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT], check=True)
        mark.write_text(REQUIREMENT)
        print(f"environment: {REQUIREMENT}, made in {time.monotonic() - began:.0f} s")
    return HOME / "bin" / "python"


def run(interpreter, bundle, script=RUN):
    done = subprocess.run([interpreter, "-c", script], cwd=bundle, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout.strip().splitlines(), done.stderr


def collect(program, folder, name, source, policy=()):
    inventory = ["--inventory", source / "inventory"]
    bundle = folder / name
    done = subprocess.run(
        [program, "evidence", "collect", source / "logs", *inventory, *policy, "--to-dir", bundle, "--sign-key", folder / "key"],
        capture_output=True, text=True,
    )
    assert (bundle / "README.txt").exists(), f"{name}: {done.stderr}"
    return bundle


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1))


def tampered(interpreter, bundle, folder, what, change, told):
    copy = folder / f"tampered-{what.replace(' ', '-')}"
    shutil.copytree(bundle, copy)
    change(copy / "data")
    code, lines, error = run(interpreter, copy)
    said = "\n".join(lines) + error
    assert told in said and (code != 0 or lines[-1] != "0 differences"), f"{what} went unseen:\n{said}"
    print(f"noticed: {what}")


def main():
    program = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target" / "debug" / "flowproof").resolve()
    interpreter = python()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run([program, "evidence", "keygen", folder / "key"], check=True, capture_output=True)
        estate = collect(program, folder, "estate", SAMPLES / "estate", ["--policy", SAMPLES / "estate" / "approved.toml"])
        bundles = [estate] + [collect(program, folder, name, SAMPLES / "cases" / name) for name in CASES]
        for bundle in bundles:
            assert (bundle / "data" / "reperform.sql").read_bytes() == (ROOT / "queries" / "evidence" / "reperform.sql").read_bytes()
            code, lines, error = run(interpreter, bundle)
            assert code == 0 and lines[-1] == "0 differences", f"{bundle.name}:\n" + "\n".join(lines) + error
            print(f"{bundle.name}: {'; '.join(lines)}")

        def drop(data):
            code, _, error = run(interpreter, data.parent, DROP)
            assert code == 0, error

        changes = [
            ("one count", lambda data: replace_in(data / "destinations.csv", ",vpc,12,0,456,", ",vpc,13,0,456,"), "records_accepted: stated 13"),
            ("a verdict", lambda data: replace_in(data / "statements.csv", "payments,2026-10-05,FAIL,1: the rule", "payments,2026-10-05,PASS,1: the rule"), "verdict: stated PASS, worked out FAIL"),
            ("a record taken out", drop, "coverage.csv"),
            ("a rule that ends later", lambda data: replace_in(data / "given" / "rules.csv", "2026-10-05T09:00:00Z", "2026-10-06T09:00:00Z"), "stated expired, worked out approved"),
            ("a missing file", lambda data: (data / "given" / "ways.csv").unlink(), "ways.csv"),
            ("missing records", lambda data: (data / "records" / "control-plane.parquet").unlink(), "control-plane.parquet"),
        ]
        for what, change, told in changes:
            tampered(interpreter, estate, folder, what, change, told)
    print(f"{len(bundles)} bundles came to the same; {len(changes)} of {len(changes)} changes were noticed")


if __name__ == "__main__":
    main()
