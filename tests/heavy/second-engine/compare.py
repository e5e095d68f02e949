#!/usr/bin/env python3
"""A second engine for cross-AZ and NAT bytes: DuckDB, with SQL written from the reference's text alone (the .sql files beside this one).

Reads a folder made by the generator, computes, and compares with its truth.json and, with `--flowproof BINARY`, with flowproof's
reports. Shares nothing with flowproof: no code, no SQL. Prints every difference and ends with 1 if there is one.
"""

import argparse
import gzip
import hashlib
import ipaddress
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WORK = ROOT / "target" / "heavy" / "second-engine"
FIELDS = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id instance-id "
    "tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction "
    "traffic-path").split()
# "Address private" of the cost contract: RFC 1918, RFC 6598 (pods, costs §3.7), RFC 4193.
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]
FOREVER = 99_999_999_999


def in_venv():
    """Goes on in a virtual environment under target/ that has DuckDB."""
    python = WORK / "venv" / "bin" / "python"
    if Path(sys.executable) == python:
        return
    if not python.exists():
        venv.create(WORK / "venv", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "duckdb==2.0.0"], check=True)
    os.execv(python, [str(python), *sys.argv])


# --- the engine -----------------------------------------------------------------------------------------------------------


def opened(path):
    return gzip.open(path, "rt") if path.suffix == ".gz" else path.open()


def log_objects(folders):
    """Objects below folders with (flow log, number of fields); an object delivered twice is read once (costs §3.2.1)."""
    seen = set()
    for path in [path for folder in folders for path in sorted(folder.rglob("*.log*"))]:
        if not path.is_file():
            continue
        digest = (path.name, hashlib.sha256(path.read_bytes()).digest())
        if digest in seen:
            continue
        seen.add(digest)
        with opened(path) as text:
            header = text.readline().split()
        named = re.search(r"_(fl-[0-9a-z]+)_", path.name)
        yield str(path), named[1] if named else "", len(header)


def span(text):
    """First and last address of an address or prefix as hexadecimal; IPv4 apart from IPv6."""
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    base = 0xFFFF << 32 if net.version == 4 else 0
    return text, f"{base + int(net[0]):032x}", f"{base + int(net[-1]):032x}"


class Engine:
    """A folder's logs and inventory in DuckDB."""

    def __init__(self, folder, more_logs=(), threads=2):
        import duckdb

        self.db = duckdb.connect()
        self.db.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
        self.seconds = {}
        objects = list(log_objects([folder / "logs", *more_logs]))
        self.table("object", "filename VARCHAR, flow_log VARCHAR, fields INTEGER", objects)
        self.db.execute("CREATE TABLE field (" + ", ".join(f'"{name}" VARCHAR' for name in FIELDS) + ")")
        self.db.execute("SET VARIABLE objects = $1", [[o[0] for o in objects]])
        names = re.compile(r"(describe-|list-clusters|cloudtrail|ip-ranges).*\.json")
        documents = [str(p) for p in sorted((folder / "inventory").rglob("*.json")) if names.fullmatch(p.name)]
        self.db.execute("SET VARIABLE documents = $1", [documents])
        self.run("1-load.sql")
        mentions = [text for (text,) in self.db.execute("FROM mention").fetchall()]
        self.table("span", "text VARCHAR, low VARCHAR, high VARCHAR", [s for s in map(span, mentions) if s])
        self.table("private_range", "text VARCHAR, low VARCHAR, high VARCHAR", [span(p) for p in PRIVATE])
        self.run("2-inventory.sql")
        self.compute()

    def table(self, name, columns, rows):
        self.db.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
        if rows:
            values = ", ".join(f"unnest(${i + 1})" for i in range(len(rows[0])))
            self.db.execute(f"INSERT INTO {name} SELECT {values}", [list(column) for column in zip(*rows)])

    def run(self, file):
        since = time.perf_counter()
        self.db.execute((HERE / file).read_text())
        self.seconds[file] = time.perf_counter() - since

    def compute(self, without=()):
        """Computes with records of some interfaces left out: (interface, from second, to second)."""
        self.table("without", "eni VARCHAR, from_s BIGINT, to_s BIGINT", list(without))
        self.run("3-resolve.sql")
        self.run("4-movements.sql")

    def rows(self, sql, *parameters):
        answer = self.db.execute(sql, list(parameters))
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row)) for row in answer.fetchall()]

    def one(self, sql):
        return self.db.execute(sql).fetchone()[0]


# --- comparing ------------------------------------------------------------------------------------------------------------


class Comparison:
    """Counts figures and keeps those that differ."""

    def __init__(self):
        self.figures = 0
        self.different = []

    def equal(self, what, ours, theirs):
        self.figures += 1
        if ours != theirs:
            self.different.append((what, ours, theirs))

    def tables(self, name, ours, theirs, columns):
        """Compares {key: {column: value}}; a row of one side only differs in every column."""
        for key in sorted(ours.keys() | theirs.keys(), key=str):
            for column in columns:
                what = f"{name} {' '.join(map(str, key))}: {column}"
                self.equal(what, ours.get(key, {}).get(column), theirs.get(key, {}).get(column))

    def finish(self, of, other):
        if self.different:
            width = max(len(what) for what, *_ in self.different)
            print(f"{'':{width}}  {'second engine':>16}  {other:>16}")
        for what, ours, theirs in self.different:
            known = all(isinstance(value, int) for value in (ours, theirs))
            print(f"{what:{width}}  {ours!s:>16}  {theirs!s:>16}" + (f"  {ours - theirs:+}" if known else ""))
        print(f"{of}: {self.figures} figures compared with {other}, {len(self.different)} different")
        return not self.different


def keyed(rows, *keys):
    found = {}
    for row in rows:
        key = tuple(row[k] for k in keys)
        assert key not in found, f"two rows for {key}"
        found[key] = {k: number(v) for k, v in row.items()}
    return found


def number(value):
    """An integer beyond 2^53 is a string in flowproof's JSON."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) and len(value) > 15 else value


PAIR = ("src_az_id", "dst_az_id", "category")
CLIENT = ("nat_gateway_id", "client_addr")


def with_truth(engine, folder):
    truth = json.loads((folder / "truth.json").read_text())
    result = Comparison()
    statuses = Counter(dict(engine.db.execute("SELECT status, count(*) FROM counted GROUP BY ALL").fetchall()))
    for status in ("ok", "nodata", "skipdata"):
        result.equal(f"records: {status}", statuses[status.upper()], truth["records"][status])
    if "interfaces" in truth:
        per_interface = "SELECT eni AS interface_id, " + ", ".join(
            f"count(*) FILTER (status = '{status.upper()}') AS {status}" for status in ("ok", "nodata", "skipdata")) + " FROM counted GROUP BY ALL"
        interfaces = [{"interface_id": i["interface_id"], **i["records"]} for i in truth["interfaces"] if sum(i["records"].values())]
        result.tables("interface", keyed(engine.rows(per_interface), "interface_id"), keyed(interfaces, "interface_id"), ("ok", "nodata", "skipdata"))
    # The generator logs every interface and says nothing of ends; the case worked out by hand does.
    moved = [{"observed_bytes": row["bytes"], "imputed_bytes": 0, **row, "category": row["kind"]} for row in truth["cross_az"]]
    ends = ["metered_ends"] if any("metered_ends" in row for row in moved) else []
    result.tables("cross-az", keyed(engine.rows("FROM cross_az"), *PAIR), keyed(moved, *PAIR), ("bytes", "observed_bytes", "imputed_bytes", *ends))
    result.tables("nat", keyed(engine.rows("FROM nat"), *CLIENT), keyed(truth["nat"], *CLIENT), ("bytes_up", "bytes_down"))
    result.equal("unresolved bytes", engine.one("SELECT bytes FROM unresolved"), truth.get("unresolved_bytes", 0))
    # costs §3.2, the identity: the ledger of ends is bytes × ends of the movements, less the far end of what the receiver rejected.
    rejected = dict(engine.db.execute("SELECT category, sum(bytes)::HUGEINT FROM rejected_by_receiver WHERE dst_metered AND src_logged GROUP BY ALL").fetchall())
    by_movement = ledger(engine, "movement_ends")
    by_record = ledger(engine)
    for category in sorted(by_movement.keys() | by_record.keys()):
        result.equal(f"ends {category}: ledger and rejects, movements", by_record[category] + rejected.get(category, 0), by_movement[category])
    return result


def with_flowproof(engine, folder, binary):
    def report(name):
        command = [binary, "report", name, str(folder / "logs"), "--inventory", str(folder / "inventory"), "-o", "json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout, parse_float=Decimal)

    result = Comparison()
    theirs = report("cross-az")
    result.equal("cross-az: order of rows", [tuple(r[k] for k in PAIR) for r in theirs["rows"]], sorted(tuple(r[k] for k in PAIR) for r in theirs["rows"]))
    result.tables("cross-az", keyed(engine.rows("FROM cross_az"), *PAIR), keyed(theirs["rows"], *PAIR),
                  ("bytes", "observed_bytes", "imputed_bytes", "metered_ends", "metered_ends_min"))
    result.equal("cross-az: unresolved bytes", engine.one("SELECT bytes FROM unresolved"), number(theirs["unresolved"]["bytes"]))
    for column in ("observed_bytes", "imputed_bytes"):
        # flowproof meters movements; by how much the ledger of records differs (bytes that the receiver rejected) is shown above.
        ours = engine.one(f"SELECT coalesce(sum({column}), 0)::HUGEINT FROM movement_ends")
        result.equal(f"cross-az: meter {column} (movements × ends)", ours, number(theirs["meter"][column]))
    skipped = engine.one("SELECT count(DISTINCT (eni, hour)) FROM counted WHERE status = 'SKIPDATA'")
    result.equal("cross-az: skipdata interface hours", skipped, number(theirs["skipdata_interface_hours"]))
    statuses = Counter(dict(engine.db.execute("SELECT status, count(*) FROM record GROUP BY ALL").fetchall()))
    for status in ("ok", "nodata", "skipdata"):
        result.equal(f"cross-az: records {status}", statuses[status.upper()], number(theirs["inputs"]["records"][status]))
    theirs = report("nat")
    result.equal("nat: order of rows", [tuple(r[k] for k in CLIENT) for r in theirs["rows"]], sorted(tuple(r[k] for k in CLIENT) for r in theirs["rows"]))
    result.tables("nat", keyed(engine.rows("FROM nat"), *CLIENT), keyed(theirs["rows"], *CLIENT),
                  ("client_az_id", "nat_az_id", "bytes_up", "bytes_down", "bytes_processed", "basis"))
    return result


# --- interfaces left out: the identity of costs §3.2 ----------------------------------------------------------------------


def totals(engine):
    """Bytes by movement key and by NAT client; the identity is about these, however much of them is imputed."""
    moved = {tuple(row[k] for k in PAIR): row["bytes"] for row in engine.rows("FROM cross_az")}
    nat = {tuple(row[k] for k in CLIENT): (row["bytes_up"], row["bytes_down"]) for row in engine.rows("FROM nat")}
    imputed = engine.one("SELECT coalesce(sum(imputed_bytes), 0)::HUGEINT FROM cross_az")
    return moved, nat, imputed


def ledger(engine, table="ledger"):
    """Returns bytes of metered ends by category, observed or imputed."""
    return dict(engine.db.execute(f"SELECT category, observed_bytes + imputed_bytes FROM {table}").fetchall())


def lost(full, rest):
    """What the totals lack, by key; negative: too much."""
    return {key: full.get(key, 0) - rest.get(key, 0) for key in full.keys() | rest.keys() if full.get(key, 0) != rest.get(key, 0)}


def leave_out(engine, without):
    """Prints what changes when these interfaces' lines are missing; true if the identity holds."""
    engine.compute()
    moved, nat, _ = totals(engine)
    rejected = rejected_from(engine, [eni for eni, *_ in without])
    engine.compute(without)
    rest, nat_rest, imputed = totals(engine)
    missing, nat_missing = lost(moved, rest), {k: (nat.get(k), nat_rest.get(k)) for k in nat.keys() | nat_rest.keys() if nat.get(k) != nat_rest.get(k)}
    kinds = dict(engine.db.execute("SELECT eni, kind FROM interface").fetchall())
    names = ", ".join(f"{eni} ({kinds.get(eni, 'not in the inventory')}{when(since, until)})" for eni, since, until in without)
    print(f"without {names}: observed {sum(rest.values()) - imputed} + imputed {imputed} = {sum(rest.values())}, fully logged {sum(moved.values())}")
    for key, bytes_ in sorted(missing.items()):
        print(f"  {' '.join(key)}: {bytes_} bytes short, of them {rejected.get(key, 0)} rejected by the receiver")
    for key, (before, after) in sorted(nat_missing.items()):
        print(f"  {' '.join(key)}: {before} bytes up and down, now {after}")
    return not missing and not nat_missing


def when(since, until):
    return "" if (since, until) == (0, FOREVER) else f" from {since} to {until}"


def rejected_from(engine, enis):
    """Cross-AZ bytes that these interfaces sent and receivers rejected, while everything is logged."""
    found = Counter()
    for row in engine.rows("FROM rejected_by_receiver WHERE list_contains($1, src_eni)", enis):
        found[tuple(row[k] for k in PAIR)] += row["bytes"]
    return found


def leave_out_each(engine):
    """Leaves out each interface in turn, then pairs of kinds; prints by kind how often the identity holds."""
    engine.compute()
    moved, nat, _ = totals(engine)
    ends = ledger(engine)
    kinds = dict(engine.db.execute("SELECT eni, kind FROM interface WHERE eni IN (SELECT eni FROM record)").fetchall())
    rejected = {eni: rejected_from(engine, [eni]) for eni in kinds}
    # The ledger loses the end of a sender whose packets were rejected, and gains an end for a receiver that rejected them.
    shift = defaultdict(Counter)
    for row in engine.rows("FROM rejected_by_receiver"):
        shift[row["src_eni"]][row["category"]] += row["bytes"] * row["src_metered"]
        shift[row["dst_eni"]][row["category"]] -= row["bytes"] * row["dst_metered"]
    held, short, explained, imputed_bytes, ends_held, ends_explained = (Counter() for _ in range(6))
    for eni, kind in sorted(kinds.items(), key=lambda item: (item[1], item[0])):
        engine.compute([(eni, 0, FOREVER)])
        rest, nat_rest, imputed = totals(engine)
        missing = lost(moved, rest)
        held[kind] += not missing and nat == nat_rest
        short[kind] += sum(missing.values())
        imputed_bytes[kind] += imputed
        explained[kind] += nat == nat_rest and missing == dict(rejected[eni])
        missing = lost(ends, ledger(engine))
        ends_held[kind] += not missing
        ends_explained[kind] += missing == {category: bytes_ for category, bytes_ in shift[eni].items() if bytes_}
    print(f"{'':47}{'movements: observed + imputed':>42} {'':15} {'ledger of ends':>25}")
    print(f"{'one interface left out':24} {'interfaces':>10} {'imputed bytes':>14} {'as fully logged':>20} {'but for rejects':>20} {'bytes short':>12}"
          f" {'as fully logged':>18} {'but for rejects':>16}")
    for kind, count in sorted(Counter(kinds.values()).items()):
        print(f"{kind:24} {count:>10} {imputed_bytes[kind]:>14} {held[kind]:>20} {explained[kind]:>20} {short[kind]:>12} {ends_held[kind]:>18} {ends_explained[kind]:>16}")
    everything = sum(explained.values()) == sum(ends_explained.values()) == len(kinds)
    # Two at a time: the two interfaces of the largest movement between each two kinds.
    engine.compute()
    pairs = engine.rows("""
        SELECT category, least(src_kind, dst_kind) AS one, greatest(src_kind, dst_kind) AS other, arg_max([src_eni, dst_eni], bytes) AS enis
        FROM (SELECT m.category, m.src_eni, m.dst_eni, coalesce(m.src_kind, s.kind) AS src_kind, coalesce(m.dst_kind, d.kind) AS dst_kind, sum(m.bytes) AS bytes
              FROM movement m JOIN interface s ON s.eni = m.src_eni JOIN interface d ON d.eni = m.dst_eni GROUP BY ALL) GROUP BY ALL ORDER BY ALL""")
    print(f"{'both ends left out':48} {'bytes between them':>19} {'bytes short':>12} {'rejected':>10} {'NAT bytes short':>16}")
    for row in pairs:
        engine.compute()
        # Rejected by a receiver that is still logged: what the two sent each other is in `between` already.
        rejected = sum(r["bytes"] for r in engine.rows(
            "FROM rejected_by_receiver WHERE list_contains($1, src_eni) AND NOT list_contains($1, dst_eni)", row["enis"]))
        between = engine.db.execute(
            "SELECT coalesce(sum(bytes), 0)::HUGEINT FROM movement WHERE list_contains($1, src_eni) AND list_contains($1, dst_eni)", [row["enis"]]).fetchone()[0]
        engine.compute([(eni, 0, FOREVER) for eni in row["enis"]])
        rest, nat_rest, _ = totals(engine)
        missing = sum(lost(moved, rest).values())
        nat_missing = sum(sum(b) for b in nat.values()) - sum(sum(b) for b in nat_rest.values())
        print(f"{row['category'] + ': ' + row['one'] + ' and ' + row['other']:48} {between:>19} {missing:>12} {rejected:>10} {nat_missing:>16}")
        everything &= missing == between + rejected
    engine.compute()
    print("every shortfall is explained" if everything else "a shortfall is not explained")
    return everything


# --- the program ----------------------------------------------------------------------------------------------------------


def overlapping(folder):
    """Writes every second object once more as if by another flow log of the default format, and the first one twice; returns the folder."""
    to = WORK / "overlap"
    shutil.rmtree(to, ignore_errors=True)
    for position, path in enumerate(sorted(p for p in (folder / "logs").rglob("*.log*") if p.is_file())):
        if position == 0:
            (to / "again").mkdir(parents=True)
            (to / "again" / path.name).write_bytes(path.read_bytes())
        if position % 2:
            with opened(path) as text:
                lines = [line.split() for line in text]
            columns = [lines[0].index(name) for name in FIELDS[:14]]
            (to / "other").mkdir(exist_ok=True)
            name = re.sub(r"_fl-[0-9a-z]+_", "_fl-00000000000000000_", path.name).removesuffix(".gz") + ".gz"
            with gzip.open(to / "other" / name, "wt") as text:
                text.writelines(" ".join(line[c] for c in columns) + "\n" for line in lines)
    return to


def generate(binary, to, seed, records, format_):
    shutil.rmtree(to, ignore_errors=True)
    since = time.perf_counter()
    command = [binary, "--seed", str(seed), "--records", str(records), "--format", format_, "--to-dir", str(to)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - since


def check(folder, args, title):
    since = time.perf_counter()
    engine = Engine(folder)
    computed = time.perf_counter() - since
    results = [(with_truth(engine, folder), "truth.json")]
    if args.flowproof:
        results.append((with_flowproof(engine, folder, args.flowproof), "flowproof"))
    fine = all([result.finish(title, other) for result, other in results])
    figures = sum(result.figures for result, _ in results)
    if args.overlap:
        engine_twice = Engine(folder, [overlapping(folder)])
        same = totals(engine_twice) == totals(engine)
        fine &= same
        more = engine_twice.one("SELECT count(*) FROM record") - engine.one("SELECT count(*) FROM record")
        print(f"{title}: with {more} records once more by another flow log and an object twice: {'the same' if same else 'DIFFERENT'} totals")
    if args.without_interface:
        fine &= leave_out(engine, args.without_interface)
    if args.without_each:
        fine &= leave_out_each(engine)
    if args.details:
        for table in ("cross_az", "ledger", "movement_ends", "unresolved"):
            print(table)
            for row in engine.rows(f"FROM {table}"):
                print("  " + " ".join(f"{k}={v}" for k, v in row.items()))
        print("rejected by the receiver", engine.one("SELECT coalesce(sum(bytes), 0)::HUGEINT FROM rejected_by_receiver"))
    records = engine.one("SELECT count(*) FROM record")
    parts = ", ".join(f"{file[0]}: {seconds:.2f}" for file, seconds in engine.seconds.items())
    print(f"{title}: {records} records, {computed:.2f} s in DuckDB (last run of each file, {parts})")
    return fine, figures


def interface(text):
    """ENI or ENI@FROM-TO, in Unix seconds."""
    eni, _, period = text.partition("@")
    since, _, until = period.partition("-")
    return eni, int(since or 0), int(until or FOREVER)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="*", type=Path, help="folders made by the generator; without one, estates are generated")
    parser.add_argument("--generator", default=str(ROOT / "target" / "debug" / "examples" / "generate"), help="the built example `generate`")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--formats", default="v5,v2")
    parser.add_argument("--flowproof", metavar="BINARY", help="compare with its reports too")
    parser.add_argument("--without-interface", metavar="ENI[@FROM-TO]", action="append", type=interface, default=[], help="leave its lines out; may be repeated")
    parser.add_argument("--without-each", action="store_true", help="leave out every interface in turn, and both ends of a movement")
    parser.add_argument("--overlap", action="store_true", help="check that a second flow log over the same interfaces changes nothing")
    parser.add_argument("--details", action="store_true", help="print the tables")
    args = parser.parse_args()
    in_venv()
    import duckdb

    print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}")
    fine, figures, since = True, 0, time.perf_counter()
    for folder in args.folder:
        good, count = check(folder.resolve(), args, folder.name)
        fine, figures = fine and good, figures + count
    if not args.folder:
        for format_ in args.formats.split(","):
            for seed in range(1, args.seeds + 1):
                to = WORK / f"{format_}-{seed}"
                seconds = generate(args.generator, to, seed, args.records, format_)
                print(f"{format_}, seed {seed}: generated in {seconds:.1f} s")
                good, count = check(to, args, f"{format_}, seed {seed}")
                fine, figures = fine and good, figures + count
    print(f"{time.perf_counter() - since:.1f} s")
    print(f"{figures} figures compared, {'no difference' if fine else 'DIFFERENCES'}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
