#!/usr/bin/env python3
"""The same question to flowproof, DuckDB, Polars and DataFusion's own CSV reader, in turn, over the same gzip files.

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
NAMES = ["dstport", "protocol", "packets", "bytes", "srcport"]
COUNT = 'SELECT count(*) AS records, sum({bytes}) AS bytes FROM flows'


def planes(folder):
    return json.loads((folder / "planes.json").read_text())


def duckdb_(folder, question, threads):
    import duckdb
    con = duckdb.connect(config={"threads": threads})
    kinds = ", ".join(f"'{name}': '{'BIGINT' if name in INTEGERS else 'VARCHAR'}'" for name in COLUMNS)
    con.sql(f"CREATE VIEW flows AS SELECT * FROM read_csv('{folder}/logs/**/*.gz', delim=' ', header=true, nullstr='-', quote='', auto_detect=false, "
            f"columns={{{kinds}}})")
    con.sql(f"CREATE TABLE planes AS SELECT * FROM read_json('{folder}/planes.json')")
    sql = (EGRESS if question == "egress" else COUNT).format(**{name: f'"{name}"' for name in NAMES})
    rows = con.sql(sql)
    names = rows.columns
    return [dict(zip(names, row)) for row in rows.fetchall()]


def datafusion_(folder, question, threads):
    import datafusion
    import pyarrow as pa
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads).set("datafusion.execution.listing_table_ignore_subdirectory", "false"))
    # Its CSV reader knows no mark for NULL within data, so numbers come as text.
    schema = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])
    context.register_csv("flows", f"{folder}/logs", schema=schema, has_header=True, delimiter=" ", file_extension=".gz", file_compression_type="gzip")
    context.register_record_batches("planes", [pa.Table.from_pylist(planes(folder)).to_batches()])
    sql = (EGRESS if question == "egress" else COUNT).format(**{name: f"CAST(nullif(\"{name}\", '-') AS BIGINT)" for name in NAMES})
    return context.sql(sql).to_arrow_table().to_pylist()


def polars_(folder, question, threads):
    import polars as pl
    kinds = {name: pl.Int64 if name in INTEGERS else pl.String for name in COLUMNS}
    flows = pl.scan_csv(f"{folder}/logs/**/*.gz", separator=" ", null_values="-", schema=kinds, quote_char=None)
    if question == "count":
        rows = flows.select(pl.len().alias("records"), pl.col("bytes").sum()).collect(engine="streaming")
        return rows.to_dicts()
    accepted, rejected = pl.col("action") == "ACCEPT", pl.col("action") == "REJECT"
    kept = flows.filter((pl.col("log-status") == "OK") & (pl.col("flow-direction") == "egress") & (pl.col("srcport") != 443))
    joined = kept.join(pl.LazyFrame(planes(folder)), left_on="interface-id", right_on="interface_id")
    rows = joined.group_by("cluster_arn", pl.col("pkt-dstaddr").alias("dst_addr"), pl.col("dstport").alias("dst_port"), "protocol").agg(
        accepted.sum().alias("records_accepted"), rejected.sum().alias("records_rejected"),
        *(pl.col(what).filter(which).sum().alias(f"{what}_{name}") for what in ("packets", "bytes") for which, name in ((accepted, "accepted"), (rejected, "rejected"))))
    return rows.collect(engine="streaming").to_dicts()


def nothing(folder, question, threads):
    import duckdb, polars, datafusion  # noqa: E401, F401
    return None


ENGINES = {"duckdb": duckdb_, "polars": polars_, "datafusion": datafusion_, "nothing": nothing}


def flowproof(binary, folder, question, threads):
    if question == "egress":
        return [binary, "report", "egress", f"{folder}/logs", "--inventory", f"{folder}/inventory", "--threads", str(threads), "-o", "json"]
    return [binary, "sql", f"{folder}/logs", "--threads", str(threads), "-o", "json", "-c", "SELECT count(*) AS records, sum(bytes) AS bytes FROM flows"]


def answer(question, text):
    found = json.loads(text)
    rows = found["rows"] if isinstance(found, dict) else found
    names = KEYS + SUMS if question == "egress" else ["records", "bytes"]
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
    parser.add_argument("--questions", default="count,egress")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine:
        print(json.dumps(ENGINES[args.engine](args.folder, args.questions, args.threads)))
        return
    sql = "SELECT interface_id, cluster_arn FROM enis WHERE kind = 'eks-control-plane'"
    found, _ = run([args.flowproof, "sql", "--inventory", f"{args.folder}/inventory", "-o", "json", "-c", sql], os.environ)
    (args.folder / "planes.json").write_bytes(found)
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


main()
