//! `sample-logs/costs/`: what traffic costs, by the real program against figures worked out by hand.
//!
//! Numbers are compared as the decimals that are written, never through binary floating point, so that a figure is right to
//! its last digit.

use crate::program;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

/// Makes a test of each case, and the list of them.
macro_rules! costs {
    ($($test:ident: $name:literal,)*) => {
        const COSTS: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                check(concat!("sample-logs/costs/", $name));
            }
        )*
    };
}

costs! {
    address_reuse_hours: "address-reuse-hours",
    address_reuse_inventory: "address-reuse-inventory",
    address_reuse_within_hour: "address-reuse-within-hour",
    alb: "alb",
    aws_sample_nat: "aws-sample-nat",
    aws_sample_nat_six: "aws-sample-nat-six",
    both_ends_differ: "both-ends-differ",
    both_logged: "both-logged",
    bytes_per_gb: "bytes-per-gb",
    control_plane_other_az: "control-plane-other-az",
    cost_by_cluster: "cost-by-cluster",
    cost_lines: "cost-lines",
    interface_endpoint: "interface-endpoint",
    internet_direct: "internet-direct",
    ipv6: "ipv6",
    month_to_date: "month-to-date",
    nat_by_route: "nat-by-route",
    nat_by_route_v2: "nat-by-route-v2",
    nat_elsewhere: "nat-elsewhere",
    nat_eni_logged_in_part: "nat-eni-logged-in-part",
    nat_eni_not_logged: "nat-eni-not-logged",
    nat_hours: "nat-hours",
    nat_other_az: "nat-other-az",
    nat_regional: "nat-regional",
    nat_without_pkt: "nat-without-pkt",
    nlb: "nlb",
    no_inventory: "no-inventory",
    one_cidr_two_vpcs: "one-cidr-two-vpcs",
    only_receiver: "only-receiver",
    only_sender: "only-sender",
    overlapping_flow_logs: "overlapping-flow-logs",
    peering_accounts: "peering-accounts",
    peering_one_side: "peering-one-side",
    prices_given: "prices-given",
    rds_other_az: "rds-other-az",
    region_without_price: "region-without-price",
    rejected_at_receiver: "rejected-at-receiver",
    s3_of_another_region: "s3-of-another-region",
    s3_through_nat: "s3-through-nat",
    skipdata_hour: "skipdata-hour",
    sublocations: "sublocations",
    tags_of_records: "tags-of-records",
    tags_without_keys: "tags-without-keys",
    transit_gateway: "transit-gateway",
    unresolved: "unresolved",
    v2_only: "v2-only",
}

#[test]
fn no_case_is_forgotten() {
    let entries = std::fs::read_dir("sample-logs/costs").unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), COSTS.iter().map(|name| (*name).to_owned()).collect());
    let readme = std::fs::read_to_string("sample-logs/costs/README.md").unwrap();
    let without_row: Vec<&&str> = COSTS.iter().filter(|name| !readme.contains(&format!("| [`{name}`]({name}) |"))).collect();
    assert_eq!(without_row, [&""; 0], "cases without a row in the README");
}

#[test]
fn decimals_are_compared_by_value_and_to_the_last_digit() {
    let same = |expected: &str, got: &str| same(&raw(expected), &raw(got));
    assert!(same("8.05", "8.050000") && same("0", "0.000000") && same("10737418240", "10737418240"));
    assert!(!same("0.2", "0.200001") && !same("0.1", "0.1000000000000000055511151231257827") && !same("0", "null") && !same("null", "0"));
    assert!(same(r#"{"a": {"b": [1, {"c": 2.0}]}}"#, r#"{"a": {"b": [{"c": 2, "d": 3}, 1, 4]}, "e": 5}"#));
    assert!(
        !same(r#"{"a": 1}"#, r#"{"b": 1}"#)
            && !same(r#"{"a": null}"#, "{}")
            && !same("[1, 1]", "[1, 2]")
            && !same("[]", "[1]")
            && same("[]", "[]")
    );
}

/// The content of an `expected.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    runs: Vec<Run>,
}

/// One run and what of its answer is compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    args: Vec<String>,
    exit_code: i32,
    keys: Box<RawValue>,
    rows: Vec<Box<RawValue>>,
    #[serde(default)]
    some_rows: bool,
}

impl Run {
    /// Returns whether the contract gives the rows their order.
    fn is_ordered(&self) -> bool {
        matches!(self.args[1].as_str(), "cross-az" | "nat") && !self.args.iter().any(|arg| arg == "--by")
    }
}

fn check(folder: &str) {
    let text = std::fs::read_to_string(format!("{folder}/expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    assert!(!expected.runs.is_empty());
    for run in &expected.runs {
        check_run(folder, run);
    }
}

fn check_run(folder: &str, run: &Run) {
    let (logs, inventory) = (format!("{folder}/logs"), format!("{folder}/inventory"));
    // Files of the case itself are named from its folder.
    let given: Vec<String> = run.args.iter().map(|arg| arg.replace("FOLDER", folder)).collect();
    let (report, options) = given.split_at(2);
    let mut args: Vec<&str> = report.iter().map(String::as_str).collect();
    args.push(&logs);
    if Path::new(&inventory).is_dir() {
        args.extend(["--inventory", &inventory]);
    }
    args.extend(options.iter().map(String::as_str).chain(["-o", "json"]));
    let outcome = program::flowproof(&args).exits(run.exit_code);
    let (said, text) = (&outcome.stderr, outcome.text());
    let answer = raw(&text);
    assert!(same(&run.keys, &answer), "{args:?}: keys are not {}\n{text}\n{said}", run.keys);
    let rows: Vec<Box<RawValue>> = serde_json::from_str(members(&answer).unwrap()["rows"].get()).unwrap();
    rows.iter().for_each(|row| check_money(row));
    let mut taken = BTreeSet::new();
    let mut places = Vec::new();
    for wanted in &run.rows {
        let place = rows.iter().enumerate().position(|(at, row)| !taken.contains(&at) && same(wanted, row));
        let place = place.unwrap_or_else(|| panic!("{args:?}: no row is {wanted}\n{text}\n{said}"));
        taken.insert(place);
        places.push(place);
    }
    assert!(run.some_rows || taken.len() == rows.len(), "{args:?}: {} rows, not {}\n{text}", rows.len(), taken.len());
    assert!(!run.is_ordered() || places.is_sorted(), "{args:?}: rows are not in their order\n{text}");
}

/// Every figure in dollars has six decimals, or there is none.
fn check_money(row: &RawValue) {
    for (name, value) in members(row).unwrap() {
        if name.contains("cost") && value.get() != "null" {
            let decimals = value.get().split_once('.').map_or("", |(_, decimals)| decimals);
            assert!(decimals.len() == 6 && decimals.bytes().all(|b| b.is_ascii_digit()), "{name} is {value} in {row}");
        }
    }
}

/// Returns whether the answer has what is expected: of an object the keys that are given, of a list the entries that are
/// given (none: it is empty), anything else whole.
fn same(expected: &RawValue, got: &RawValue) -> bool {
    if let Some(wanted) = members(expected) {
        let Some(found) = members(got) else { return false };
        return wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| same(wanted, found)));
    }
    if let (Ok(wanted), Ok(mut found)) = (list(expected), list(got)) {
        return (!wanted.is_empty() || found.is_empty())
            && wanted.iter().all(|wanted| found.iter().position(|found| same(wanted, found)).map(|at| found.remove(at)).is_some());
    }
    match (Decimal::from_str(expected.get()), Decimal::from_str(got.get())) {
        (Ok(wanted), Ok(found)) => wanted == found,
        _ => expected.get() == got.get(),
    }
}

fn list(of: &RawValue) -> serde_json::Result<Vec<Box<RawValue>>> {
    serde_json::from_str(of.get())
}

fn members(of: &RawValue) -> Option<BTreeMap<String, Box<RawValue>>> {
    serde_json::from_str(of.get()).ok()
}

fn raw(text: &str) -> Box<RawValue> {
    serde_json::from_str(text).unwrap()
}
