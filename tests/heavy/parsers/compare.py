"""Compares, record by record, what another parser of flow-log records reads with what `flowproof sql … -o ndjson` reads.

Other parsers take one line and the names of its fields, so this file finds lines and names on its own: headers, `--log-format`,
`describe-flow-logs`, the default format; lines of text, of an export task, and `message`s in JSON. It shares nothing with the
engine. A parser is a script beside this one; see with_flowlogs_reader.py.
"""

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
DEFAULT = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status".split()
NAMES = set(DEFAULT) | set(
    "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service "
    "pkt-dst-aws-service flow-direction traffic-path tgw-id resource-type tgw-src-az-id tgw-dst-az-id".split())
EXPORTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?=\S)")


def in_venv(name, *requirements):
    """Goes on in a virtual environment under target/ that has the requirements."""
    home = ROOT / "target" / "heavy" / name
    python = home / "bin" / "python"
    if Path(sys.executable) == python:
        return
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    # -P keeps this folder from the search path: a script here must not hide the package that it tests.
    os.execv(python, [str(python), "-P", *sys.argv])


# --- lines and their fields -----------------------------------------------------------------------------------------------


def unpacked(data):
    while data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except EOFError:
            return None  # cut off: the engine keeps what came before, this script does not
    return data


def is_header(tokens):
    return all(re.fullmatch(r"[a-z][a-z0-9-]*", token) for token in tokens) and sum(token in NAMES for token in tokens) * 2 >= len(tokens)


def documents(text):
    """JSON documents one after the other; None for the rest if that is not JSON."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        at = len(text) - len(text[at:].lstrip())
        if at == len(text):
            return
        try:
            document, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            end = text.find("\n", at)
            document, at = None, len(text) if end < 0 else end
        yield document


def messages(text):
    """(number, log group, record) of each event in JSON documents."""
    number = 0
    for document in documents(text):
        found = [document] if isinstance(document, dict) else []
        if found and document.get("messageType") == "DATA_MESSAGE":
            found = document["logEvents"]
        elif found and isinstance(document.get("events"), list):
            found = document["events"]
        elif not found or document.get("messageType"):
            number += 1
            continue
        for event in found:
            number += 1
            if isinstance(event.get("message"), str):
                yield number, isinstance(document, dict) and document.get("logGroup"), event["message"]


def formats_of(folder):
    """What the inventory says of formats: by flow log id and by log group (None where a group has several)."""
    by = {}
    for path in folder.glob("inventory/**/describe-flow-logs.json"):
        for log in json.loads(path.read_bytes())["FlowLogs"]:
            fields = tuple(re.findall(r"\$\{([^}]+)\}", log["LogFormat"]))
            by[log["FlowLogId"]] = fields
            if group := log.get("LogGroupName"):
                by[group] = fields if by.get(group, fields) == fields else None
    return by


def lines_of(data, path, args, formats):
    """(number, fields or None, record) of each line that may be a record."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    told = args[args.index("--log-format") + 1].replace("${", "").replace("}", "").split() if "--log-format" in args else None
    flow_log = re.search(r"_(fl-\w+)_", path.name)
    if text.lstrip()[:1] in ("{", "["):
        numbered = messages(text)
    else:
        numbered = ((number, None, line) for number, line in enumerate(text.split("\n"), 1))
    header = None
    for number, group, line in numbered:
        line = EXPORTED.sub("", line.strip(" \t\r"), count=1)
        tokens = line.split()
        if not tokens or "," in line or "\t" in line:  # tables are not what other parsers read
            continue
        if is_header(tokens):
            header = tokens
            continue
        fields = header or told or formats.get(flow_log and flow_log[1]) or (formats.get(group) if group else None)
        if not fields and group not in formats and len(tokens) == len(DEFAULT):
            fields = DEFAULT
        yield number, fields, line


# --- the engine -------------------------------------------------------------------------------------------------------------


def ask(binary, folder, args, sql):
    inventory = ["--inventory", str(folder / "inventory")] if (folder / "inventory").is_dir() else []
    logs = str(folder / "logs") if (folder / "logs").is_dir() else str(folder)
    done = subprocess.run([binary, "sql", logs, *inventory, *args, "-o", "ndjson", "-c", sql], capture_output=True, text=True, cwd=ROOT)
    # 4: an object could not be read whole; the rows are those before the damage.
    if done.returncode not in (0, 4):
        return None, done.stderr.strip()
    return [json.loads(row) for row in done.stdout.splitlines()], ""


def engine(binary, folder, args):
    """Records and reject reasons by (object, number)."""
    records = {}
    for table in ("flows", "tgw_flows"):
        rows, fault = ask(binary, folder, args, f"SELECT * FROM {table}")
        if rows is None and "tgw_flows" not in fault:
            sys.exit(f"{folder}: {fault}")
        records |= {(row["log_object"], row["log_line"]): row for row in rows or []}
    rejects, fault = ask(binary, folder, args, "SELECT log_object, log_line, reason FROM rejects")
    return records, {(row["log_object"], row["log_line"]): row["reason"] for row in rejects}


# --- the comparison -----------------------------------------------------------------------------------------------------------


def main(parser, known, read_line, read_file=None):
    """Compares all folders; `known` are (pattern of a difference, reason). Ends with 1 if there is a difference that is not known.

    `read_line(fields, line)` returns the fields that the parser knows, by column name, or raises; `read_file(path, data)` returns
    such records of a whole object as the parser itself would find them, or raises.
    """
    options = argparse.ArgumentParser(description=f"{parser} against flowproof")
    options.add_argument("--bin", default="target/debug/flowproof", help="flowproof (default: the debug build)")
    options.add_argument("--all", action="store_true", help="show every difference, not the first of each kind")
    options.add_argument("folders", nargs="*", type=Path, help="folders with logs/ (and inventory/); default: all of sample-logs/")
    options = options.parse_args()
    binary = str(ROOT / options.bin) if "/" in options.bin else options.bin
    folders = [folder.resolve().relative_to(ROOT) if folder.resolve().is_relative_to(ROOT) else folder.resolve() for folder in options.folders]
    os.chdir(ROOT)
    folders = folders or [Path("sample-logs/estate"), *sorted(Path("sample-logs/cases").iterdir())]
    found, totals = Counter(), Counter()
    for folder in folders:
        expected = folder / "expected.json"
        args = json.loads(expected.read_bytes()).get("args", []) if expected.is_file() else []
        args = [arg for at, arg in enumerate(args) if "--log-format" in args[max(0, at - 1):at + 1]]  # windows belong to a run, not to a parser
        records, rejects = engine(binary, folder, args)
        formats = formats_of(folder)
        logs = folder / "logs" if (folder / "logs").is_dir() else folder
        for path in sorted(path for path in logs.rglob("*") if path.is_file()):
            data = unpacked(path.read_bytes())
            ours = {number: row for (object, number), row in records.items() if object == str(path)}
            if path.name == "aws-logs-write-test" or data is None:
                print(f"{path}: not compared, {'cut off' if data is None else 'no log'}")
                continue
            lines, whole, differences = compare_lines(path, data, args, formats, ours, rejects, read_line), None, []
            if read_file:
                whole = compare_file(path, data, ours, read_file)
            for way, result in (("lines", lines), ("file", whole)):
                if not result or not result["compared"]:
                    continue
                totals.update({f"{way} compared": result["compared"], f"{way} equal": result["equal"]})
                print(f"{path}: {way}: {result['compared']} compared, {result['equal']} equal")
                differences += [f"{way}: {text}" for text in result["differences"]]
            for text in differences:
                reason = next((reason for pattern, reason in known if re.search(pattern, f"{path}: {text}")), None)
                found[reason] += 1
                if options.all or reason is None or found[reason] == 1:
                    print(f"  {text}\n    -> {reason or 'NOT KNOWN'}")
    print()
    for way in ("lines", "file"):
        if totals[f"{way} compared"]:
            print(f"{parser}, {way}: {totals[f'{way} compared']} records compared, {totals[f'{way} equal']} equal")
    for reason, count in found.most_common():
        print(f"{count:6} {reason or 'NOT KNOWN'}")
    sys.exit(1 if found[None] else 0)


def compare_lines(path, data, args, formats, ours, rejects, read_line):
    result = {"compared": 0, "equal": 0, "differences": []}
    if data[:4] == b"PAR1":
        return result
    for number, fields, line in lines_of(data, path, args, formats):
        own, rejected = ours.get(number), rejects.get((str(path), number))
        if not fields:
            if own:
                result["differences"].append(f"line {number}: flowproof knows a format, this script does not")
            continue
        result["compared"] += 1
        try:
            theirs, fault = read_line(fields, line), None
        except Exception as error:
            theirs, fault = None, f"{type(error).__name__}: {error}"
        if own is None and theirs is None:
            result["equal"] += 1  # both refuse it
        elif own is None:
            result["differences"].append(f"line {number}: read, where flowproof has {f'reject {rejected}' if rejected else 'nothing'}")
        elif theirs is None:
            result["differences"].append(f"line {number}: refused: {fault}")
        elif unequal := {name: (value, own.get(name)) for name, value in theirs.items() if value != own.get(name)}:
            result["differences"].append(f"line {number}: (theirs, ours) {unequal}")
        else:
            result["equal"] += 1
    return result


def compare_file(path, data, ours, read_file):
    """As bags: a parser of files does not say on which line it found a record."""
    try:
        theirs = read_file(path, data)
    except Exception as error:
        return {"compared": len(ours), "equal": 0, "differences": [f"refused: {type(error).__name__}: {error}"] if ours else []}
    if theirs is None:
        return None
    names = sorted({name for record in theirs for name in record})
    bag = lambda rows: Counter(json.dumps([row.get(name) for name in names]) for row in rows)
    left, right = bag(theirs), bag(ours.values())
    equal = (left & right).total()
    differences = [f"{kind}: {records.total()} records" for kind, records in (("only theirs", left - right), ("only ours", right - left)) if records]
    return {"compared": max(len(theirs), len(ours)), "equal": equal, "differences": differences}
