//! `report coverage`: the case worked out by hand, by the real program; the ledger against a naive recount of generated logs.

use crate::generator::{Config, generate};
use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, flowproof};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

const CASE: &str = "sample-logs/coverage/every-state";

fn on_case(further: &[&str]) -> Vec<String> {
    let fixed =
        ["report", "coverage", "sample-logs/coverage/every-state/logs", "--inventory", "sample-logs/coverage/every-state/inventory"];
    fixed.iter().chain(further).map(|arg| (*arg).to_owned()).collect()
}

fn run(args: &[String]) -> crate::program::Outcome {
    flowproof(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(format!("{CASE}/expected.json")).unwrap()).unwrap()
}

fn case_args(further: &[&str]) -> Vec<String> {
    let expected = expected();
    let own: Vec<&str> = expected["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    on_case(&[&own, further].concat())
}

/// Every value that is expected is there: objects may have more keys, lists have as many elements.
fn check(place: &str, got: &Value, want: &Value) {
    match want {
        Value::Object(want) => want.iter().for_each(|(key, want)| check(&format!("{place}.{key}"), &got[key], want)),
        Value::Array(want) => {
            assert_eq!(got.as_array().map(Vec::len), Some(want.len()), "{place}: {got:#}");
            want.iter().enumerate().for_each(|(at, want)| check(&format!("{place}[{at}]"), &got[at], want));
        }
        want => assert_eq!(got, want, "{place}"),
    }
}

#[test]
fn every_state_with_what_stands_behind_it() {
    let report = run(&case_args(&["-o", "json"])).exits(0).json();
    for (key, want) in expected().as_object().unwrap() {
        if key != "args" {
            check(key, &report[key], want);
        }
    }
    let csv = run(&case_args(&["-o", "csv"])).exits(0).text();
    assert!(csv.starts_with("cluster,interface_id,hour,state,records,"), "the contract's columns come first: {csv}");
}

#[test]
fn gaps_fail_a_run_and_late_hours_do_not() {
    let with = |args: &[&str]| run(&case_args(&[&["-o", "csv", "--fail-on", "gaps"], args].concat()));
    with(&[]).exits(4);
    let last_hours = ["--from", "2026-10-01T04:00:00Z", "--to", "2026-10-01T06:00:00Z", "--fail-on", "gaps", "-o", "csv"];
    let open = [&last_hours[..], &["--as-of", "2026-10-01T06:00:00Z"]].concat();
    assert!(run(&on_case(&open)).exits(0).text().contains(",LATE,"));
    let closed = [&last_hours[..], &["--as-of", "2026-10-01T06:00:00Z", "--settle", "0s"]].concat();
    assert!(run(&on_case(&closed)).exits(4).text().contains(",GAP,"));
    run(&on_case(&["--settle", "soon"])).exits(2).tells("--settle").without_results();
    run(&on_case(&["--as-of", "soon"])).exits(2).tells("--as-of").without_results();
    flowproof(&["report", "coverage", ESTATE_LOGS]).exits(2).tells("this needs an inventory").without_results();
}

#[test]
fn a_period_that_is_closed_does_not_depend_on_when_it_is_asked() {
    let at = |as_of: &str| run(&on_case(&["-o", "json", "--to", "2026-10-01T06:00:00Z", "--as-of", as_of])).exits(0).text();
    // Closed from 06:00 of the next day on: a day after its last hour.
    assert_eq!(at("2026-10-02T06:00:00Z"), at("2030-01-01"));
    assert_ne!(at("2026-10-02T05:59:59Z"), at("2030-01-01"));
}

#[test]
fn the_page_fits_a_terminal_and_shows_each_hour() {
    let page = run(&case_args(&["-o", "table"])).exits(0).text();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("coverage-table", page);
    });
    let estate = flowproof(&["report", "coverage", ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "-o", "table"]).exits(0).text();
    for line in page.lines().chain(estate.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn the_table_says_what_the_report_says() {
    let sql = "SELECT * FROM coverage ORDER BY interface_id, hour";
    let (logs, inventory) = (format!("{CASE}/logs"), format!("{CASE}/inventory"));
    let window = ["--from", "2026-10-01T00:00:00Z", "--to", "2026-10-01T06:00:00Z"];
    let args = [&["sql", &logs, "--inventory", &inventory, "-o", "json", "-c", sql], &window[..]].concat();
    let table = flowproof(&args).exits(0).json();
    let report = run(&on_case(&[&window[..], &["-o", "json"]].concat())).exits(0).json();
    let of = |rows: &Value| {
        let row = |row: &Value| ["interface_id", "hour", "state", "flow_logs", "weaknesses"].map(|key| row[key].clone());
        rows.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(of(&table), of(&report["rows"]));
    let hours: u64 = report["by_day"].as_array().unwrap().iter().map(|day| day["hours_expected"].as_u64().unwrap()).sum();
    assert_eq!(report["interface_hours"]["expected"].as_u64(), Some(hours));
}

/// OK, NODATA and SKIPDATA records by interface and hour, straight from the text of the logs.
fn recount(logs: &Path) -> BTreeMap<(String, i64), [u64; 3]> {
    let mut counts: BTreeMap<(String, i64), [u64; 3]> = BTreeMap::new();
    for (_, bytes) in crate::program::files(logs) {
        let mut text = String::new();
        MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().unwrap().split(' ').collect();
        let at = |name: &str| head.iter().position(|field| *field == name).unwrap();
        let (interface, start, status) = (at("interface-id"), at("start"), at("log-status"));
        for line in lines {
            let cells: Vec<&str> = line.split(' ').collect();
            let hour = cells[start].parse::<i64>().unwrap() / 3_600 * 3_600;
            let place = ["OK", "NODATA", "SKIPDATA"].iter().position(|name| *name == cells[status]).unwrap();
            counts.entry((cells[interface].to_owned(), hour)).or_default()[place] += 1;
        }
    }
    counts
}

/// Control-plane interfaces by snapshot, straight from the listings: EKS describes no other interface so.
fn listed(inventory: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut listed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, bytes) in crate::program::files(inventory).into_iter().filter(|(path, _)| path.ends_with("describe-network-interfaces.json"))
    {
        let listing: Value = serde_json::from_slice(&bytes).unwrap();
        let of_eks = |eni: &&Value| eni["Description"].as_str().unwrap().starts_with("Amazon EKS ");
        let ids = listing["NetworkInterfaces"].as_array().unwrap().iter().filter(of_eks);
        let ids = ids.map(|eni| eni["NetworkInterfaceId"].as_str().unwrap().to_owned());
        listed.entry(path.split('/').next().unwrap().to_owned()).or_default().extend(ids);
    }
    listed
}

#[test]
fn the_ledger_is_a_recount_of_the_records() {
    for seed in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { minutes: 300, ..Config::of(seed, 20_000) };
        generate(&config, folder.path());
        let (logs, inventory) = (folder.path().join("logs"), folder.path().join("inventory"));
        // Hours 2 and 3 of the period are not delivered: every file of them is gone.
        let first = config.start / 3_600 * 3_600;
        for (path, _) in crate::program::files(&logs) {
            let stamp = path.rsplit('_').nth(1).unwrap();
            let clock = chrono::NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%MZ").unwrap().and_utc().timestamp();
            if (first + 2 * 3_600..first + 4 * 3_600).contains(&clock) {
                std::fs::remove_file(logs.join(path)).unwrap();
            }
        }
        let (counts, snapshots) = (recount(&logs), listed(&inventory));
        let window = [config.start, config.end()].map(flowproof::time::rfc3339);
        let places = [&logs, &inventory].map(|path| path.to_str().unwrap());
        let args = ["report", "coverage", places[0], "--inventory", places[1], "--from", &window[0], "--to", &window[1], "-o", "json"];
        let report = flowproof(&[&args[..], &["--as-of", "2030-01-01"]].concat()).exits(0).json();
        let always: BTreeSet<&String> = snapshots.values().flatten().filter(|id| snapshots.values().all(|ids| ids.contains(*id))).collect();
        let of_planes: BTreeSet<&String> = snapshots.values().flatten().collect();

        let mut found: BTreeMap<(String, i64), [u64; 3]> = BTreeMap::new();
        let mut by_state: BTreeMap<String, u64> = BTreeMap::new();
        let mut gaps = 0;
        for row in report["rows"].as_array().unwrap() {
            let id = row["interface_id"].as_str().unwrap().to_owned();
            let hour = flowproof::time::parse_instant(row["hour"].as_str().unwrap(), 0).unwrap();
            let records = ["records_ok", "records_nodata", "records_skipdata"].map(|name| row[name].as_u64().unwrap());
            let naive = counts.get(&(id.clone(), hour)).copied().unwrap_or_default();
            let state = row["state"].as_str().unwrap();
            assert_eq!((records, row["records"].as_u64()), (naive, Some(naive.iter().sum())), "{id} {hour}");
            match naive {
                [_, _, lost] if lost > 0 => assert_eq!(state, "SKIPDATA"),
                [ok, ..] if ok > 0 => assert_eq!(state, "OK"),
                [_, nodata, _] if nodata > 0 => assert_eq!(state, "NODATA"),
                _ if always.contains(&id) => {
                    assert_eq!(state, "GAP", "{id} {hour}: in both snapshots, so it was there");
                    gaps += 1;
                }
                _ => assert!(["GAP", "UNKNOWN", "N/A"].contains(&state), "{state}"),
            }
            *by_state.entry(state.to_owned()).or_default() += 1;
            found.insert((id, hour), records);
        }
        // No hour of a control plane is left out, and there are gaps where files are.
        let left_out: Vec<_> = counts.keys().filter(|key| of_planes.contains(&key.0) && !found.contains_key(*key)).collect();
        assert!(left_out.is_empty(), "{left_out:?}");
        assert!(gaps >= always.len(), "{gaps} gaps of {} interfaces", always.len());
        for (state, hours) in &by_state {
            assert_eq!(report["interface_hours"]["by_state"][state].as_u64(), Some(*hours), "{state}");
        }
        let days = report["by_day"].as_array().unwrap();
        let sum = |key: &str| days.iter().map(|day| day[key].as_u64().unwrap()).sum::<u64>();
        let expected: u64 = by_state.iter().filter(|(state, _)| *state != "N/A").map(|(_, hours)| hours).sum();
        assert_eq!(sum("hours_expected"), expected);
        assert_eq!(sum("hours_covered"), found.values().filter(|records| records.iter().sum::<u64>() > 0).count() as u64);
        // Each site's files stop for the two hours: 24 periods, in one span.
        for delivery in report["deliveries"].as_array().unwrap() {
            let longest = delivery["missing"].as_array().unwrap().iter().map(|span| span["periods"].as_u64().unwrap()).max();
            assert!(longest >= Some(24), "{delivery:#}");
        }
    }
}
