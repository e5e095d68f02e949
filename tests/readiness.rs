//! `report readiness` and the failure drill of `report egress --compare`, against the states that `sample-logs/readiness.py` works
//! out by hand.

use crate::program::flowproof;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const LOGS: &str = "sample-logs/readiness/logs";
const INVENTORY: &str = "sample-logs/readiness/inventory";
const DRILL_LOGS: &str = "sample-logs/drill/logs";
const DRILL_INVENTORY: &str = "sample-logs/drill/inventory";

fn expected(folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(format!("sample-logs/{folder}/expected.json")).unwrap()).unwrap()
}

fn readiness(args: &[&str]) -> Value {
    flowproof(&[&["report", "readiness"], args, &["--inventory", INVENTORY, "-o", "json"]].concat()).exits(0).json()
}

fn rows(report: &Value) -> &[Value] {
    report["rows"].as_array().unwrap()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

/// Cluster, check and subject → state.
fn states(report: &Value) -> BTreeMap<(String, String, String), String> {
    let of = |row: &Value| {
        let key = ["cluster", "check", "subject"].map(|key| text(row, key).to_owned());
        (key.into(), text(row, "state").to_owned())
    };
    rows(report).iter().map(of).collect()
}

#[test]
fn every_state_of_every_check_is_as_worked_out_by_hand() {
    let expected = expected("readiness");
    let report = readiness(&[]);
    let mut wanted = BTreeMap::new();
    for (cluster, rows) in expected["states"].as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            wanted.insert((cluster.clone(), text(row, "check").to_owned(), text(row, "subject").to_owned()), text(row, "state").to_owned());
        }
    }
    let got = states(&report);
    let differing: Vec<_> = got
        .iter()
        .filter(|(key, state)| wanted.get(*key) != Some(state))
        .map(|(key, state)| (key, Some(state), wanted.get(key)))
        .chain(wanted.iter().filter(|(key, _)| !got.contains_key(*key)).map(|(key, state)| (key, None, Some(state))))
        .collect();
    assert!(differing.is_empty(), "got, wanted: {differing:#?}");
    assert_eq!(rows(&report).len(), got.len(), "two rows have one key");
    for cluster in report["clusters"].as_array().unwrap() {
        assert_eq!(cluster["verdict"], expected["verdicts"][text(cluster, "cluster")], "{cluster}");
        let count =
            |state: &str| rows(&report).iter().filter(|row| row["cluster"] == cluster["cluster"] && text(row, "state") == state).count();
        for state in ["ok", "missing", "unknown"] {
            assert_eq!(cluster[state], count(state), "{cluster}");
        }
    }
    for row in rows(&report) {
        assert_eq!((row["why"].is_null(), row["fix"].is_null()), (row["state"] == "ok", row["state"] == "ok"), "{row}");
        assert!(!text(row, "detail").is_empty(), "{row}");
    }
}

#[test]
fn checks_have_the_states_that_they_can_have() {
    let mut by_check: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((_, check, _), state) in states(&readiness(&[])) {
        by_check.entry(check).or_default().insert(state);
    }
    for (check, states) in by_check {
        // Of an issuer's name it can only be unknown where it leads; money is known or not.
        let possible: &[&str] =
            if ["oidc-issuer", "cost"].contains(&check.as_str()) { &["ok", "unknown"] } else { &["missing", "ok", "unknown"] };
        assert_eq!(states.iter().map(String::as_str).collect::<Vec<_>>(), possible, "{check}");
    }
}

#[test]
fn each_call_says_where_it_would_be_dialled_and_what_follows_if_it_fails() {
    let expected = expected("readiness");
    let report = readiness(&[]);
    let of_alpha =
        |subject: &str| rows(&report).iter().find(|row| text(row, "cluster") == "alpha" && text(row, "subject") == subject).unwrap();
    for (subject, dialled) in expected["dialled"].as_object().unwrap() {
        assert_eq!(of_alpha(subject)["dialled"], *dialled);
    }
    let hook = of_alpha("validatingwebhookconfiguration/kyverno check.kyverno.example.com");
    assert_eq!((text(hook, "failure_policy"), hook["timeout_s"].as_i64()), ("Fail", Some(10)));
    assert!(text(hook, "detail").contains("inside the VPC"), "{hook}");
    assert!(text(of_alpha("https://login.corp.example.com/realms/k8s"), "detail").contains("outside the VPC"));
}

#[test]
fn states_rest_on_resources_and_their_time() {
    let report = readiness(&[]);
    let rests = |check: &str, subject: &str| {
        let row = rows(&report).iter().find(|row| text(row, "check") == check && text(row, "subject") == subject).unwrap();
        text(row, "rests_on").to_owned()
    };
    let day = "(2026-10-01T00:00:00Z)";
    assert_eq!(
        rests("route", "subnet-0a100000000000001 → 0.0.0.0/0"),
        format!("nat-0a100000000000001 {day}, rtb-0a0 {day}, rtb-0a1 {day}")
    );
    assert_eq!(rests("nacl", "subnet-0b200000000000002 outbound"), format!("acl-0b000000000000002 {day}"));
    assert_eq!(rests("iam", "alpha-role ec2:DescribeVpcs"), format!("alpha-role {day}"));
    assert_eq!(report["as_of"], "2026-10-01T00:00:00Z");
    // Before the clusters were made there is nothing to judge.
    let early = readiness(&["--at", "2025-01-01T00:00:00Z"]);
    assert_eq!((rows(&early).len(), early["clusters"].as_array().unwrap().len()), (0, 0));
    assert!(early["notes"].to_string().contains("3 clusters of the inventory did not live then"), "{}", early["notes"]);
}

#[test]
fn with_logs_coverage_is_observed_and_bytes_are_priced() {
    let expected = expected("readiness");
    let hour = ["--from", "2026-10-01T10:00:00Z", "--to", "2026-10-01T11:00:00Z"];
    let report = readiness(&[&[LOGS], &hour[..]].concat());
    let observed: BTreeMap<&str, &Value> =
        rows(&report).iter().filter_map(|row| Some((text(row, "subject").strip_suffix(" observed")?, &row["state"]))).collect();
    assert_eq!(serde_json::json!(observed), expected["observed"]);
    let costs: BTreeMap<String, String> = rows(&report)
        .iter()
        .filter(|row| !row["monthly_list_cost"].is_null())
        .map(|row| (format!("{} {}", text(row, "cluster"), text(row, "subject")), row["monthly_list_cost"].to_string()))
        .collect();
    assert_eq!(serde_json::json!(costs), expected["monthly_list_cost"]);
    let measured = rows(&report).iter().find(|row| text(row, "subject") == "198.51.100.80:443").unwrap();
    assert_eq!((measured["bytes"].as_u64(), text(measured, "dialled")), (Some(2 << 30), "login.corp.example.com"));
    assert!(!states(&report).contains_key(&("alpha".into(), "cost".into(), "login.corp.example.com:443".into())), "it was measured");
}

#[test]
fn findings_end_a_run_with_3_and_nothing_else_does() {
    let run = |options: &[&str]| flowproof(&[&["report", "readiness", "--inventory", INVENTORY, "-o", "csv"], options].concat());
    run(&[]).exits(0);
    run(&["--fail-on", "findings"]).exits(3);
    run(&["--fail-on", "gaps"]).exits(0);
    flowproof(&["report", "readiness"]).exits(2).tells("needs an inventory").without_results();
    run(&["--at", "soon"]).exits(2).tells("is not a time").without_results();
    let page = flowproof(&["report", "readiness", "--inventory", INVENTORY, "-o", "table"]).exits(0).text();
    for line in page.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 100, "{line}");
    }
    for verdict in ["READY: ", "NOT READY: ", "CANNOT BE SAID: "] {
        assert!(page.contains(verdict), "{verdict} in {page}");
    }
}

fn drill(options: &[&str]) -> Value {
    let args = ["report", "egress", DRILL_LOGS, "--inventory", DRILL_INVENTORY, "-o", "json"];
    flowproof(&[&args, options].concat()).exits(0).json()
}

const AFTER: [&str; 4] = ["--from", "2026-10-01T11:00:00Z", "--to", "2026-10-01T12:00:00Z"];

#[test]
fn a_drill_is_read_off_and_what_changed_comes_first() {
    let report = drill(&[&AFTER[..], &["--compare", "previous"]].concat());
    let wanted = expected("drill");
    let wanted = wanted["changes"].as_array().unwrap();
    let order = |rows: &[Value]| rows.iter().map(|row| text(row, "dst_addr").to_owned()).collect::<Vec<_>>();
    assert_eq!(order(rows(&report)), order(wanted));
    for (row, wanted) in rows(&report).iter().zip(wanted) {
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(row[key], *value, "{key} of {row}");
        }
    }
    // Every key of the report, and the same values, for what was seen in the period.
    let plain = drill(&AFTER);
    for row in rows(&plain) {
        let same = rows(&report).iter().find(|one| one["dst_addr"] == row["dst_addr"]).unwrap();
        for (key, value) in row.as_object().unwrap() {
            assert_eq!(same[key], *value, "{key}");
        }
    }
    assert_eq!(report["compared_with"], serde_json::json!({ "from": "2026-10-01T10:00:00Z", "to": "2026-10-01T11:00:00Z" }));
    let page = flowproof(
        &[&["report", "egress", DRILL_LOGS, "--inventory", DRILL_INVENTORY, "-o", "table", "--compare", "previous"], &AFTER[..]].concat(),
    );
    let page = page.exits(0).text();
    assert!(page.contains("what changed since 2026-10-01T10:00:00Z to 2026-10-01T11:00:00Z"), "{page}");
    assert!(page.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 100), "{page}");
}

#[test]
fn what_is_not_seen_in_a_gap_is_not_gone() {
    let silent = ["--from", "2026-10-01T12:00:00Z", "--to", "2026-10-01T13:00:00Z"];
    let report = drill(&[&silent[..], &["--compare", "2026-10-01T10:00:00Z..2026-10-01T11:00:00Z"]].concat());
    assert_eq!(rows(&report).len(), 5);
    for row in rows(&report) {
        assert_eq!(text(row, "change"), "not seen, but the logs have gaps", "{row}");
    }
    assert!(report["notes"].to_string().contains("the period is not logged whole for prod"), "{}", report["notes"]);
    let back = drill(&[&AFTER[..], &["--compare", "2026-10-01T12:00:00Z..2026-10-01T13:00:00Z"]].concat());
    assert!(rows(&back).iter().all(|row| text(row, "change") == "new, but the logs before have gaps"), "{back}");
}
