#!/usr/bin/env python3
"""OSCAL documents against the JSON schema and compliance-trestle: `python3 tests/oscal/check.py [--schema FILE] [DOCUMENT]…`.

Without documents it takes those that `cargo test oscal` writes to `target/tmp/oscal/`. Both judges are asked first about documents that
are known to be wrong, so that a judge who takes everything is noticed. The environment (PyPI, versions below) goes to
`target/heavy/oscal/` and is made once.

The schema is a release asset of github.com/usnistgov/OSCAL (oscal_complete_schema.json, 1.2.2) and is not part of this repository: it is
taken from `../shared/schemas/` if it is there, or from --schema; else only trestle is asked, and the last line says so. Its patterns
hold `\\p{L}`, which Python's `re` cannot run; check-jsonschema's default engine can.
"""

import argparse
import copy
import json
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "heavy" / "oscal"
SCHEMA = ROOT.parent / "shared" / "schemas" / "oscal_complete_schema-1-2-2.json"
REQUIREMENTS = ["compliance-trestle==5.2.0", "check-jsonschema==0.39.0"]


def environment():
    """Returns the folder of programs, made anew if the versions changed."""
    home, mark = WORK / "venv", WORK / "venv" / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS)
    if not mark.exists() or mark.read_text() != wanted:
        began = time.monotonic()
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS], check=True)
        mark.write_text(wanted)
        print(f"environment: {', '.join(REQUIREMENTS)}, made in {time.monotonic() - began:.0f} s")
    return home / "bin"


def ask(command, **options):
    """Returns whether a judge accepts, and what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def judges(programs, schema):
    """Yields name and function, which takes the path of a document."""
    if schema:
        yield "schema", lambda path: ask([programs / "check-jsonschema", "--schemafile", schema, path])
    workspace = WORK / "workspace"
    if not (workspace / ".trestle").is_dir():
        workspace.mkdir(parents=True, exist_ok=True)
        subprocess.run([programs / "trestle", "init", "--local"], cwd=workspace, check=True, capture_output=True)

    def trestle(path):
        place = workspace / "assessment-results" / "document" / "assessment-results.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(Path(path).read_bytes())
        return ask([programs / "trestle", "validate", "-f", place.relative_to(workspace)], cwd=workspace)

    yield "trestle", trestle


def wrong(document):
    """Yields documents that break one rule each, and what is wrong with them."""

    def changed(change):
        copied = copy.deepcopy(document)
        change(copied["assessment-results"])
        return copied

    def first(results, name):
        return results["results"][0][name][0]

    yield "a third state", changed(lambda r: first(r, "findings")["target"]["status"].update(state="indeterminate"))
    yield "an empty array", changed(lambda r: r["results"][0].update(observations=[]))
    yield "an empty value", changed(lambda r: first(r, "props").update(value=""))
    yield "a control id that is no token", changed(
        lambda r: r["results"][0]["reviewed-controls"]["control-selections"][0]["include-controls"][0].update({"control-id": "7(5)"})
    )
    yield "a date without a zone", changed(lambda r: r["metadata"].update({"last-modified": "2026-10-03T00:00:00"}))
    yield "no import-ap", changed(lambda r: r.pop("import-ap"))
    yield "an unknown field", changed(lambda r: r.update(verdict="PASS"))


def unresolved(document):
    """Returns references that lead nowhere, and identifiers that stand twice."""
    defined, used = [], []

    def walk(value):
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            for key, field in value.items():
                if key == "uuid":
                    defined.append(field)
                elif key.endswith("-uuid"):
                    used.append(field)
                elif key == "href" and field.startswith("#"):
                    used.append(field[1:])
                walk(field)

    walk(document)
    return sorted(set(used) - set(defined)) + sorted({uuid for uuid in defined if defined.count(uuid) > 1}), len(used)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--schema", type=Path, help="oscal_complete_schema.json of 1.2.2")
    parser.add_argument("documents", nargs="*", type=Path)
    options = parser.parse_args()
    if options.schema and not options.schema.is_file():
        parser.error(f"{options.schema} is no file")
    schema = options.schema or (SCHEMA if SCHEMA.is_file() else None)
    documents = options.documents or sorted((ROOT / "target" / "tmp" / "oscal").glob("*.json"))
    if not documents:
        parser.error("there is no document in target/tmp/oscal: run `cargo test oscal` first")
    faults = 0
    asked = list(judges(environment(), schema))

    example = next((d for d in (json.loads(path.read_text("utf-8")) for path in documents) if d["assessment-results"]["results"][0].get("findings")), None)
    if example is None:
        print("no document holds a finding: the judges were not tried on wrong documents")
    for what, document in wrong(example) if example else ():
        path = WORK / "wrong.json"
        path.write_text(json.dumps(document), "utf-8")
        took = [name for name, judge in asked if judge(path)[0]]
        print(f"wrong on purpose, {what}: refused by {', '.join(name for name, _ in asked if name not in took) or 'none'}")
        faults += len(took)
    for path in documents:
        for name, judge in asked:
            accepted, said = judge(path)
            print(f"{path.name}: {name}: {'valid' if accepted else 'REFUSED'}")
            if not accepted:
                print(said)
                faults += 1
        bad, references = unresolved(json.loads(path.read_text("utf-8")))
        print(f"{path.name}: {references} references, {len(bad)} unresolved or ambiguous")
        faults += len(bad)
    print(f"{len(documents)} documents, {faults} faults" + ("" if schema else "; the schema was not at hand, only trestle was asked"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
