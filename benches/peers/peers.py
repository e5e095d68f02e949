#!/usr/bin/env python3
"""The same question to flowproof, DuckDB, Polars and DataFusion's own readers, in turn, over the same gzip or Parquet files.

    benches/peers/peers.py FOLDER [--flowproof target/release/flowproof] [--threads 2] [--rounds 5] [--questions count,egress]

FOLDER is what `cargo run --release --example generate -- --to-dir FOLDER` wrote. Each run is a process of its own: wall, CPU and peak memory are
the process's, start-up of Python included for the peers (0.1 to 0.5 s, printed as "nothing"). All must give one answer before a time is printed.
Needs `pip install duckdb polars datafusion`; the interpreter that runs this is used.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import report_questions

COLUMNS = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id instance-id "
    "tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
).split()
INTEGERS = {"version", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags", "traffic-path"}
KEYS = ["cluster_arn", "dst_addr", "dst_port", "protocol"]
SUMS = ["records_accepted", "records_rejected", "packets_accepted", "packets_rejected", "bytes_accepted", "bytes_rejected"]

# What leaves a control plane's interface, the API server's own answers (port 443) apart. In generated estates that is what report egress calls
# destinations: whoever talks to another port of the interface was called by it.
EGRESS = """
SELECT c.cluster_arn, "pkt-dstaddr" AS dst_addr, {dstport} AS dst_port, {protocol} AS protocol,
  count(*) FILTER (WHERE action = 'ACCEPT') AS records_accepted, count(*) FILTER (WHERE action = 'REJECT') AS records_rejected,
  coalesce(sum({packets}) FILTER (WHERE action = 'ACCEPT'), 0) AS packets_accepted, coalesce(sum({packets}) FILTER (WHERE action = 'REJECT'), 0) AS packets_rejected,
  coalesce(sum({bytes}) FILTER (WHERE action = 'ACCEPT'), 0) AS bytes_accepted, coalesce(sum({bytes}) FILTER (WHERE action = 'REJECT'), 0) AS bytes_rejected
FROM flows JOIN planes c ON "interface-id" = c.interface_id
WHERE "log-status" = 'OK' AND "flow-direction" = 'egress' AND {srcport} <> 443
GROUP BY 1, 2, 3, 4
"""
# Bytes that left an interface for an address in another AZ; whose AZ an address is in is given to the peers as a table.
AZS = """
SELECT l.az_id AS src_az_id, r.az_id AS dst_az_id, sum({bytes}) AS bytes
FROM flows JOIN interfaces l ON "interface-id" = l.interface_id JOIN addresses r ON "pkt-dstaddr" = r.address
WHERE "log-status" = 'OK' AND action = 'ACCEPT' AND "flow-direction" = 'egress' AND l.az_id <> r.az_id
GROUP BY 1, 2
"""
# Bytes that passed the interfaces of NAT gateways, each way.
NAT = """
SELECT "interface-id" AS interface_id, "flow-direction" AS direction, sum({bytes}) AS bytes
FROM flows JOIN gateways g ON "interface-id" = g.interface_id
WHERE "log-status" = 'OK' AND action = 'ACCEPT'
GROUP BY 1, 2
"""
OWN = {
    "count": "SELECT count(*) AS records, sum(bytes) AS bytes FROM flows",
    "egress-sql": """
SELECT cluster_arn, pkt_dstaddr AS dst_addr, dstport AS dst_port, protocol,
  count(*) FILTER (WHERE action = 'ACCEPT') AS records_accepted, count(*) FILTER (WHERE action = 'REJECT') AS records_rejected,
  coalesce(sum(packets) FILTER (WHERE action = 'ACCEPT'), 0) AS packets_accepted, coalesce(sum(packets) FILTER (WHERE action = 'REJECT'), 0) AS packets_rejected,
  coalesce(sum(bytes) FILTER (WHERE action = 'ACCEPT'), 0) AS bytes_accepted, coalesce(sum(bytes) FILTER (WHERE action = 'REJECT'), 0) AS bytes_rejected
FROM flows WHERE interface_kind = 'eks-control-plane' AND log_status = 'OK' AND flow_direction = 'egress' AND srcport <> 443 GROUP BY 1, 2, 3, 4""",
    "azs": """
SELECT local_az_id AS src_az_id, peer_az_id AS dst_az_id, sum(bytes) AS bytes FROM flows
WHERE log_status = 'OK' AND action = 'ACCEPT' AND flow_direction = 'egress' AND peer_eni IS NOT NULL AND local_az_id <> peer_az_id GROUP BY 1, 2""",
    "nat": """
SELECT interface_id, flow_direction AS direction, sum(bytes) AS bytes FROM flows
WHERE interface_kind = 'nat-gateway' AND log_status = 'OK' AND action = 'ACCEPT' GROUP BY 1, 2""",
}
# All three in one run: one statement, with columns of one kind.
ALL = """
SELECT 'egress' AS question, cluster_arn AS a, dst_addr AS b, CAST(dst_port AS VARCHAR) AS c, CAST(protocol AS VARCHAR) AS d, bytes_accepted + bytes_rejected AS bytes FROM ({egress})
UNION ALL SELECT 'azs', src_az_id, dst_az_id, '', '', bytes FROM ({azs})
UNION ALL SELECT 'nat', interface_id, direction, '', '', bytes FROM ({nat})
"""
OWN["all"] = ALL.format(egress=OWN["egress-sql"], azs=OWN["azs"], nat=OWN["nat"])
# What the peers are given of the inventory: asked of flowproof.
TABLES = {
    "planes": "SELECT interface_id, cluster_arn FROM enis WHERE kind = 'eks-control-plane'",
    "interfaces": "SELECT interface_id, az_id FROM enis WHERE az_id IS NOT NULL",
    "gateways": "SELECT interface_id FROM enis WHERE kind = 'nat-gateway'",
    "addresses": "SELECT DISTINCT peer_addr AS address, peer_az_id AS az_id FROM flows WHERE flow_direction = 'egress' AND peer_eni IS NOT NULL",
}
GIVEN = TABLES | report_questions.TABLES
SQL = {"count": None, "egress": EGRESS, "egress-sql": EGRESS, "azs": AZS, "nat": NAT, "all": ALL.format(egress=EGRESS, azs=AZS, nat=NAT)}
NAMES = ["dstport", "protocol", "packets", "bytes", "srcport", "start", "traffic-path"]
COUNT = 'SELECT count(*) AS records, sum({bytes}) AS bytes FROM flows'


def is_parquet(folder):
    return next((folder / "logs").rglob("*.parquet"), None) is not None


def renamed():
    """AWS's columns of Parquet under their names in its texts."""
    columns = ((name.replace("-", "_"), name) for name in COLUMNS)
    return ", ".join(f'"{column}" AS "{name}"' for column, name in columns)


def table(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def duckdb_(folder, question, threads):
    import duckdb
    con = duckdb.connect(config={"threads": threads})
    kinds = ", ".join(f"'{name}': '{'BIGINT' if name in INTEGERS else 'VARCHAR'}'" for name in COLUMNS)
    if is_parquet(folder):
        con.sql(f"CREATE VIEW flows AS SELECT {renamed()} FROM read_parquet('{folder}/logs/**/*.parquet')")
    else:
        con.sql(f"CREATE VIEW flows AS SELECT * FROM read_csv('{folder}/logs/**/*.gz', delim=' ', header=true, nullstr='-', quote='', auto_detect=false, "
            f"columns={{{kinds}}})")
    for name in GIVEN:
        con.sql(f"CREATE TABLE {name} AS SELECT * FROM read_json('{folder}/{name}.json')")
    numbers = {name: f'"{name}"' for name in NAMES}
    if question in report_questions.QUESTIONS:
        one_pass, statements = report_questions.QUESTIONS[question]
        con.sql("CREATE TABLE hourly AS " + one_pass.format(**{name.replace("-", "_"): column for name, column in numbers.items()}))
        return [[name, *row] for name, sql in statements.items() for row in con.sql(sql).fetchall()]
    sql = (SQL[question] or COUNT).format(**numbers)
    rows = con.sql(sql)
    names = rows.columns
    return [dict(zip(names, row)) for row in rows.fetchall()]


def datafusion_(folder, question, threads):
    import datafusion
    import pyarrow as pa
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads).set("datafusion.execution.listing_table_ignore_subdirectory", "false"))
    if is_parquet(folder):
        context.register_parquet("files", f"{folder}/logs", file_extension=".parquet")
        context.register_view("flows", context.sql(f"SELECT {renamed()} FROM files"))
    else:
        # Its CSV reader knows no mark for NULL within data, so numbers come as text.
        schema = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
        context.register_csv("flows", f"{folder}/logs", schema=schema, has_header=True, delimiter=" ", file_extension=".gz", file_compression_type="gzip")
    for name in GIVEN:
        context.register_record_batches(name, [pa.Table.from_pylist(table(folder, name)).to_batches()])
    number = '"{0}"' if is_parquet(folder) else "CAST(nullif(\"{0}\", '-') AS BIGINT)"
    numbers = {name: number.format(name) for name in NAMES}
    if question in report_questions.QUESTIONS:
        one_pass, statements = report_questions.QUESTIONS[question]
        hourly = context.sql(one_pass.format(**{name.replace("-", "_"): column for name, column in numbers.items()})).collect()
        context.register_record_batches("hourly", [hourly])
        return [[name, *row.values()] for name, sql in statements.items() for row in context.sql(sql).to_arrow_table().to_pylist()]
    sql = (SQL[question] or COUNT).format(**numbers)
    return context.sql(sql).to_arrow_table().to_pylist()


def polars_(folder, question, threads):
    import polars as pl
    kinds = {name: pl.Int64 if name in INTEGERS else pl.String for name in COLUMNS}
    if is_parquet(folder):
        flows = pl.scan_parquet(f"{folder}/logs/**/*.parquet").rename({name.replace("-", "_"): name for name in COLUMNS if "-" in name})
    else:
        flows = pl.scan_csv(f"{folder}/logs/**/*.gz", separator=" ", null_values="-", schema=kinds, quote_char=None)
    if question == "count":
        rows = flows.select(pl.len().alias("records"), pl.col("bytes").sum()).collect(engine="streaming")
        return rows.to_dicts()
    if question in report_questions.QUESTIONS:
        one_pass, statements = report_questions.QUESTIONS[question]
        tables = pl.SQLContext(flows=flows, **{name: pl.LazyFrame(table(folder, name)) for name in report_questions.TABLES})
        tables.register("hourly", tables.execute(one_pass.format(**{name.replace("-", "_"): f'"{name}"' for name in NAMES})).collect(engine="streaming"))
        return [[name, *row] for name, sql in statements.items() for row in tables.execute(sql).collect(engine="streaming").rows()]
    frames = polars_frames(pl, flows, folder)
    if question != "all":
        return frames[question.removesuffix("-sql")].collect(engine="streaming").to_dicts()
    # One plan, so that what the three have in common is read once.
    egress, azs, nat = pl.collect_all([frames["egress"], frames["azs"], frames["nat"]], engine="streaming")
    rows = [("egress", row["cluster_arn"], row["dst_addr"], str(row["dst_port"]), str(row["protocol"]), row["bytes_accepted"] + row["bytes_rejected"])
            for row in egress.to_dicts()]
    rows += [("azs", row["src_az_id"], row["dst_az_id"], "", "", row["bytes"]) for row in azs.to_dicts()]
    rows += [("nat", row["interface_id"], row["direction"], "", "", row["bytes"]) for row in nat.to_dicts()]
    return [dict(zip(["question", "a", "b", "c", "d", "bytes"], row)) for row in rows]


def polars_frames(pl, flows, folder):
    taken = flows.filter((pl.col("log-status") == "OK") & (pl.col("action") == "ACCEPT"))
    ends = taken.filter(pl.col("flow-direction") == "egress").join(pl.LazyFrame(table(folder, "interfaces")), left_on="interface-id", right_on="interface_id")
    ends = ends.join(pl.LazyFrame(table(folder, "addresses")), left_on="pkt-dstaddr", right_on="address", suffix="_dst")
    azs = ends.filter(pl.col("az_id") != pl.col("az_id_dst")).group_by(src_az_id="az_id", dst_az_id="az_id_dst").agg(pl.col("bytes").sum())
    gateways = taken.join(pl.LazyFrame(table(folder, "gateways")), left_on="interface-id", right_on="interface_id")
    nat = gateways.group_by(interface_id="interface-id", direction="flow-direction").agg(pl.col("bytes").sum())
    accepted, rejected = pl.col("action") == "ACCEPT", pl.col("action") == "REJECT"
    kept = flows.filter((pl.col("log-status") == "OK") & (pl.col("flow-direction") == "egress") & (pl.col("srcport") != 443))
    joined = kept.join(pl.LazyFrame(table(folder, "planes")), left_on="interface-id", right_on="interface_id")
    egress = joined.group_by("cluster_arn", pl.col("pkt-dstaddr").alias("dst_addr"), pl.col("dstport").alias("dst_port"), "protocol").agg(
        accepted.sum().alias("records_accepted"), rejected.sum().alias("records_rejected"),
        *(pl.col(what).filter(which).sum().alias(f"{what}_{name}") for what in ("packets", "bytes") for which, name in ((accepted, "accepted"), (rejected, "rejected"))))
    return {"egress": egress, "azs": azs, "nat": nat}


def nothing(folder, question, threads):
    import duckdb, polars, datafusion  # noqa: E401, F401
    return None


ENGINES = {"duckdb": duckdb_, "polars": polars_, "datafusion": datafusion_, "nothing": nothing}


def flowproof(binary, folder, question, threads):
    if question == "egress" or question in report_questions.QUESTIONS:
        return [binary, "report", question.removesuffix("-report"), f"{folder}/logs", "--inventory", f"{folder}/inventory", "--threads", str(threads), "-o", "json"]
    return [binary, "sql", f"{folder}/logs", "--inventory", f"{folder}/inventory", "--threads", str(threads), "-o", "json", "-c", OWN[question]]


def answer(question, text):
    found = json.loads(text)
    if question in report_questions.QUESTIONS:
        return sorted(map(tuple, report_questions.said(question, found) if isinstance(found, dict) else found))
    rows = found["rows"] if isinstance(found, dict) else found
    names = KEYS + SUMS if question.startswith("egress") else ["records", "bytes"] if question == "count" else list((rows or [{}])[0])
    return sorted(tuple(row[name] for name in names) for row in rows or [])


def run(command, environment):
    since = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    text, complaint = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: {complaint.decode()}")
    return text, (time.perf_counter() - since, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flowproof", default="target/release/flowproof")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", default="count,egress,egress-sql,azs,nat,all,nat-report,cross-az-report")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine:
        print(json.dumps(ENGINES[args.engine](args.folder, args.questions, args.threads)))
        return
    for name, sql in GIVEN.items():
        found, _ = run([args.flowproof, "sql", f"{args.folder}/logs", "--inventory", f"{args.folder}/inventory", "-o", "json", "-c", sql], os.environ)
        (args.folder / f"{name}.json").write_bytes(found)
    environment = os.environ | {"POLARS_MAX_THREADS": str(args.threads)}
    for question in args.questions.split(","):
        commands = {"flowproof": flowproof(args.flowproof, args.folder, question, args.threads)}
        for engine in ENGINES:
            commands[engine] = [sys.executable, __file__, str(args.folder), "--engine", engine, "--questions", question, "--threads", str(args.threads)]
        wanted, readings = None, {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                text, reading = run(command, environment)
                readings[name].append(reading)
                if name != "nothing":
                    given = answer(question, text)
                    wanted = wanted or given
                    if given != wanted:
                        sys.exit(f"{question}: {name} answers otherwise: {[row for row in given if row not in wanted][:3]} for {[row for row in wanted if row not in given][:3]}")
        print(f"{question}: {len(wanted)} rows, all agree; medians of {args.rounds} rounds in turn, {args.threads} threads")
        own = statistics.median(wall for wall, _, _ in readings["flowproof"])
        for name, all_of in readings.items():
            wall, cpu, memory = (statistics.median(column) for column in zip(*all_of))
            print(f"  {name:<11} {wall:7.2f} s wall {cpu:7.2f} s CPU {memory:6.0f} MB   flowproof's wall is {own / wall:.2f} of it")


if __name__ == "__main__":
    main()
