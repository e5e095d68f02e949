//! `sample-logs/`: the estate and every case give the answers that were worked out by hand.
//!
//! Each case is a test of its own. The binary is run once per case as a user runs it; what it prints is what the library
//! answers, and everything else is asked of the library.

use crate::runs::{self, Run, Setting};
use assert_cmd::Command;
use flowproof::decode::Validation;
use flowproof::flow::Layout;
use flowproof::time::TimeRange;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Makes a test of each case, and the list of them.
macro_rules! cases {
    ($($test:ident: $name:literal,)*) => {
        const CASES: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                check(concat!("sample-logs/cases/", $name));
            }
        )*
    };
}

cases! {
    alphabetical: "alphabetical",
    api_answers: "api-answers",
    aws_sample_ipv6: "aws-sample-ipv6",
    aws_sample_nat: "aws-sample-nat",
    aws_sample_nodata_skipdata: "aws-sample-nodata-skipdata",
    aws_sample_tcp_flags: "aws-sample-tcp-flags",
    aws_sample_transit_gateway: "aws-sample-transit-gateway",
    blocked_reply: "blocked-reply",
    csv_athena: "csv-athena",
    csv_messages: "csv-messages",
    csv_names: "csv-names",
    custom_dns: "custom-dns",
    destination_names: "destination-names",
    egress_modes: "egress-modes",
    eni_replaced: "eni-replaced",
    export_task: "export-task",
    export_task_log_format: "export-task-log-format",
    flow_log_format: "flow-log-format",
    future_field: "future-field",
    header_only: "header-only",
    hive_and_hourly_keys: "hive-and-hourly-keys",
    icmp_and_undecided: "icmp-and-undecided",
    inventory_history: "inventory-history",
    ipv6: "ipv6",
    json_messages: "json-messages",
    json_records: "json-records",
    json_rejects: "json-rejects",
    log_events: "log-events",
    log_group_layouts: "log-group-layouts",
    long_connection: "long-connection",
    metrics_server_and_kubelet: "metrics-server-and-kubelet",
    mixed_shapes: "mixed-shapes",
    ms_timestamps: "ms-timestamps",
    multi_member_gzip: "multi-member-gzip",
    no_header: "no-header",
    odd_flags: "odd-flags",
    odd_text: "odd-text",
    odd_values: "odd-values",
    oidc_through_nat: "oidc-through-nat",
    outcomes: "outcomes",
    overlapping_flow_logs: "overlapping-flow-logs",
    parquet: "parquet",
    parquet_rewritten: "parquet-rewritten",
    prefix_names: "prefix-names",
    recreated_cluster: "recreated-cluster",
    rejects: "rejects",
    repeated_header: "repeated-header",
    replaced_flow_log: "replaced-flow-log",
    reused_port: "reused-port",
    security_lake: "security-lake",
    skipdata_nodata: "skipdata-nodata",
    spoofed_description: "spoofed-description",
    subscription_firehose: "subscription-firehose",
    transit_gateway_format: "transit-gateway-format",
    transit_gateway_logs: "transit-gateway-logs",
    truncated_gzip: "truncated-gzip",
    tsv: "tsv",
    unknown_account: "unknown-account",
    v11: "v11",
    v2_only: "v2-only",
    webhook_ports: "webhook-ports",
    window: "window",
    wrong_suffixes: "wrong-suffixes",
}

#[test]
fn estate() {
    check("sample-logs/estate");
}

#[test]
fn no_case_is_forgotten() {
    let folders = std::fs::read_dir("sample-logs/cases").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), CASES.iter().map(|name| (*name).to_owned()).collect());
    let readme = std::fs::read_to_string("sample-logs/README.md").unwrap();
    let without_row: Vec<&&str> = CASES.iter().filter(|name| !readme.contains(&format!("| [`{name}`](cases/{name}) |"))).collect();
    assert_eq!(without_row, [&""; 0], "cases without a row in the README");
}

#[test]
fn the_files_are_those_that_make_py_writes() {
    Command::new("python3").args(["sample-logs/make.py", "--check"]).assert().success().stdout("all files agree\n");
}

/// Folders of every case and of the estate, for tests that hold on all of them.
pub(crate) fn folders() -> impl Iterator<Item = String> {
    CASES.iter().map(|name| format!("sample-logs/cases/{name}")).chain(["sample-logs/estate".to_owned()])
}

/// Opens a case with the arguments that it names.
pub(crate) fn open(folder: &str, validation: Validation) -> Run {
    let args = args(&expected(folder));
    let of = |name: &str| args.iter().position(|arg| arg == name).map(|at| args[at + 1].as_str());
    let window = TimeRange::parse(of("--from"), of("--to"), 0).unwrap();
    let log_format = of("--log-format").map(|text| Arc::new(Layout::from_log_format(text).unwrap()));
    runs::open(Path::new(folder), Setting { window, validation, log_format, ..Setting::default() })
}

fn expected(folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(format!("{folder}/expected.json")).unwrap()).unwrap()
}

fn args(expected: &Value) -> Vec<String> {
    list(expected, "args").iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

/// The entries of an optional key.
fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).map_or(&[], |list| list.as_array().unwrap())
}

fn check(folder: &str) {
    let expected = expected(folder);
    for key in expected.as_object().unwrap().keys() {
        let known = ["exit_code", "args", "records", "rows", "rejects", "undecided", "connections", "flows"];
        assert!(known.contains(&key.as_str()), "expected.json has the key {key}, which nothing compares");
    }
    let run = open(folder, Validation::ReadColumns);
    let text = run.report_text();
    check_binary(folder, &expected, &text);
    let report: Value = serde_json::from_str(&text).unwrap();
    check_keys("records", &report["inputs"]["records"], &expected["records"]);
    check_rows(folder, &report, &expected);
    if let Some(undecided) = expected.get("undecided") {
        check_keys("undecided", &report["undecided"], undecided);
    }
    for query in list(&expected, "flows") {
        let sql = query["sql"].as_str().unwrap();
        assert_eq!(Value::from(run.sql(sql)), query["rows"], "{sql}");
    }
    check_rejects(folder, &run, &expected);
    let connections = run.sql("SELECT * FROM connections ORDER BY interface_id, start_time, local_port");
    for wanted in list(&expected, "connections") {
        let wanted = wanted.as_object().unwrap();
        let found = connections.iter().any(|connection| wanted.iter().all(|(key, value)| connection[key] == *value));
        assert!(found, "no connection is {wanted:?} among {connections:#?}");
    }
}

/// The binary prints what the library answers, and ends with the code that the case names.
fn check_binary(folder: &str, expected: &Value, text: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowproof"));
    command.args(["report", "egress", &format!("{folder}/logs"), "--inventory", &format!("{folder}/inventory"), "-o", "json"]);
    let output = command.args(args(expected)).env("XDG_CONFIG_HOME", "sample-logs").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code().map(Value::from).as_ref(), expected.get("exit_code"), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), text, "{said}");
}

/// Every expected key has the expected value.
fn check_keys(what: &str, got: &Value, expected: &Value) {
    let expected = expected.as_object().unwrap_or_else(|| panic!("{what} is not given"));
    let got: Map<String, Value> = expected.keys().map(|key| (key.clone(), got[key].clone())).collect();
    assert_eq!(got, *expected, "{what}");
}

fn check_rows(folder: &str, report: &Value, expected: &Value) {
    let key = |row: &Value| ["cluster_arn", "dst_addr", "dst_port", "protocol"].map(|name| row[name].to_string());
    let by_key = |of: &Value| list(of, "rows").iter().map(|row| (key(row), row.clone())).collect::<BTreeMap<_, _>>();
    let (got, wanted) = (by_key(report), by_key(expected));
    assert_eq!(got.len(), list(report, "rows").len(), "two rows have one key");
    assert_eq!(got.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "destinations");
    for (key, mut row) in wanted {
        for line in ["first_line", "last_line"] {
            if let Some(relative) = row[line].as_str() {
                row[line] = format!("{folder}/{relative}").into();
            }
        }
        check_keys(&format!("row {key:?}"), &got[&key], &row);
    }
}

fn check_rejects(folder: &str, run: &Run, expected: &Value) {
    let got: Vec<Value> = run.sql("SELECT log_object, log_line, reason FROM rejects ORDER BY log_object, log_line");
    let wanted: Vec<Value> = list(expected, "rejects")
        .iter()
        .map(|reject| {
            let object = format!("{folder}/{}", reject["object"].as_str().unwrap());
            serde_json::json!({ "log_object": object, "log_line": reject["line"], "reason": reject["reason"] })
        })
        .collect();
    assert_eq!(got, wanted, "rejects");
}
