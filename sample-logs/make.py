"""Writes every file of sample-logs/ again, byte for byte: `python3 make.py` (`--check` compares and writes nothing).

Needs Python 3.11 and, for the Parquet files, pyarrow 26.0.1. The tables are in estate.py, cases.py, exports.py, costs.py and
coverage.py,
the shapes of files in shapes.py. Expected answers are written down there by hand from the product's contract; no engine made them.
"""

import sys

sys.dont_write_bytecode = True

from pathlib import Path

import cases
import costs
import coverage
import estate
import exports  # registers its cases
import readiness
from shapes import as_json

HERE = Path(__file__).parent
SOURCES = {".gitattributes", "make.py", "shapes.py", "estate.py", "cases.py", "exports.py", "costs.py", "coverage.py", "readiness.py", "estate/approved.toml"}


def main():
    files = {"README.md": cases.readme(estate.README_ROW).encode()}
    files |= folder("estate", estate.logs(), estate.inventory(), estate.EXPECTED)
    for case in cases.CASES:
        files |= folder(f"cases/{case.name}", case.logs, case.inventory, case.expected)
    files["costs/README.md"] = costs.readme().encode()
    for case in costs.COSTS:
        files |= folder(f"costs/{case.name}", case.logs, case.inventory, case.expected)
        files |= {f"costs/{case.name}/{path}": content if isinstance(content, bytes) else as_json(content) for path, content in case.files.items()}
    files["coverage/README.md"] = coverage.README.encode()
    files |= folder("coverage/every-state", coverage.LOGS, coverage.INVENTORY, coverage.EXPECTED)
    files |= folder("readiness", readiness.LOGS, readiness.inventory(), readiness.EXPECTED)
    files |= folder("drill", readiness.DRILL_LOGS, readiness.DRILL_INVENTORY, readiness.DRILL)
    stale = {str(path.relative_to(HERE)) for path in HERE.rglob("*") if path.is_file()} - set(files) - SOURCES
    changed = sorted(path for path, content in files.items() if not (HERE / path).is_file() or (HERE / path).read_bytes() != content)
    if "--check" in sys.argv:
        print("\n".join([f"differs: {path}" for path in changed] + [f"not made here: {path}" for path in sorted(stale)]) or "all files agree")
        sys.exit(1 if changed or stale else 0)
    for path in sorted(stale):
        print("removing", path)
        (HERE / path).unlink()
    for path in changed:
        (HERE / path).parent.mkdir(parents=True, exist_ok=True)
        (HERE / path).write_bytes(files[path])
    print(f"{len(files)} files, {len(changed)} written, {len(cases.CASES)} cases, {len(costs.COSTS)} of costs")


def folder(name, logs, inventory, expected):
    files = {f"{name}/logs/{path}": content if isinstance(content, bytes) else optional(content, HERE / name / "logs" / path)
             for path, content in logs.items()}
    files |= {f"{name}/inventory/{path}": content if isinstance(content, bytes) else as_json(content) for path, content in inventory.items()}
    return files | {f"{name}/expected.json": as_json(expected)}


def optional(make, path):
    """A file whose maker needs a library; without the library the file that is there stays."""
    try:
        return make()
    except ModuleNotFoundError as missing:
        print(f"{path.name} not made: {missing}", file=sys.stderr)
        return path.read_bytes()


main()
