//! What must hold of costs on any estate: ends add up to movements, a silent interface is made up for by the others, sums
//! by hour lose nothing, and money follows from what is printed.
//!
//! The oracle is the generator's text, read here with string splits: each packet's record at its sender is paired with the one
//! at its receiver, which the engine never does. Estates have a thousandth of the truth runs' records.

use crate::generator::rng::Rng;
use crate::generator::truth::Truth;
use crate::generator::{Config, Container, Format, generate};
use crate::runs::{self, Run, Setting};
use flowproof::cost::prices::PriceList;
use flowproof::inventory::Inventory;
use flowproof::query::library;
use flowproof::report::by::By;
use flowproof::report::charges::Charges;
use rust_decimal::Decimal;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// A generated estate, its objects plain text.
pub(crate) struct Estate {
    dir: tempfile::TempDir,
    pub(crate) truth: Truth,
    inventory: Arc<Inventory>,
}

/// One site with two clusters, its two NAT gateways, and traffic of two hours.
fn one_site(seed: u64, format: Format) -> Config {
    Config { seed, records: 5_000, accounts: 1, clusters: 2, minutes: 80, files: 6, format, ..Config::default() }
}

/// Four sites in two regions of two accounts.
pub(crate) fn four_sites(seed: u64, records: u64) -> Config {
    Config { seed, records, accounts: 2, regions: 2, minutes: 120, files: 16, ..Config::default() }
}

/// (source AZ, destination AZ, category).
type Pair = (String, String, String);

impl Estate {
    pub(crate) fn of(config: &Config) -> Estate {
        let dir = tempfile::tempdir().unwrap();
        let truth = generate(&Config { container: Container::PlainText, ..config.clone() }, dir.path());
        let inventory = runs::read_inventory(&dir.path().join("inventory"));
        Estate { dir, truth, inventory }
    }

    pub(crate) fn run(&self, setting: Setting) -> Run {
        runs::open_logs(&[self.dir.path().join("logs").to_str().unwrap()], &self.inventory, setting)
    }

    /// The same objects without the lines of an interface.
    pub(crate) fn without(&self, interface: &str) -> (tempfile::TempDir, Run) {
        let dir = tempfile::tempdir().unwrap();
        for object in &self.truth.objects {
            let text = std::fs::read_to_string(self.dir.path().join("logs").join(&object.key)).unwrap();
            let kept: String = text.lines().filter(|line| line.split(' ').nth(2) != Some(interface)).map(|line| format!("{line}\n")).collect();
            let path = dir.path().join(&object.key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, kept).unwrap();
        }
        let run = runs::open_logs(&[dir.path().to_str().unwrap()], &self.inventory, Setting::default());
        (dir, run)
    }

    /// Every packet flow of a window that two interfaces recorded.
    fn legs(&self) -> Vec<Leg> {
        let mut sent: HashMap<String, Leg> = HashMap::new();
        let mut received: HashMap<String, (String, String, bool)> = HashMap::new();
        for object in &self.truth.objects {
            let text = std::fs::read_to_string(self.dir.path().join("logs").join(&object.key)).unwrap();
            let header: Vec<&str> = text.lines().next().unwrap().split(' ').collect();
            for line in text.lines().skip(1) {
                let record: HashMap<&str, &str> = header.iter().copied().zip(line.split(' ')).collect();
                if record["log-status"] != "OK" {
                    continue;
                }
                let names = ["vpc-id", "pkt-srcaddr", "pkt-dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end"];
                let key = names.map(|name| record[name]).join(" ");
                let (interface, az) = (record["interface-id"].to_owned(), record["az-id"].to_owned());
                let accepted = record["action"] == "ACCEPT";
                let known = if record["flow-direction"] == "egress" {
                    let leg = Leg {
                        from: (interface, az),
                        to: (String::new(), String::new()),
                        sent: accepted,
                        received: false,
                        src_addr: record["pkt-srcaddr"].to_owned(),
                        dst_addr: record["pkt-dstaddr"].to_owned(),
                        bytes: record["bytes"].parse().unwrap(),
                    };
                    sent.insert(key, leg).is_some()
                } else {
                    received.insert(key, (interface, az, accepted)).is_some()
                };
                assert!(!known, "two records are the same: {line}");
            }
        }
        let mut legs = Vec::new();
        for (key, leg) in sent {
            if let Some((interface, az, accepted)) = received.remove(&key) {
                legs.push(Leg { to: (interface, az), received: accepted, ..leg });
            }
        }
        legs
    }

    fn kind(&self, interface: &str) -> &'static str {
        self.truth.interfaces.iter().find(|known| known.interface_id == interface).unwrap().kind
    }

    /// What lies between two interfaces.
    fn category(&self, one: &str, two: &str) -> &'static str {
        let kinds = [self.kind(one), self.kind(two)];
        let category = |(kind, category): &(&str, &'static str)| kinds.contains(kind).then_some(*category);
        let all = [("nat-gateway", "nat"), ("vpc-endpoint", "endpoint"), ("rds", "database"), ("eks-control-plane", "eks-control-plane")];
        all.iter().find_map(category).unwrap_or("direct")
    }

    /// Whether AWS meters an interface's end of a movement of that category.
    fn is_metered(&self, interface: &str, category: &str) -> bool {
        match category {
            "endpoint" => false,
            "database" => self.kind(interface) != "rds",
            "eks-control-plane" => self.kind(interface) != "eks-control-plane",
            _ => true,
        }
    }

    /// Interfaces with any record.
    fn recorders(&self) -> Vec<String> {
        let all = self.truth.interfaces.iter().filter(|interface| interface.records.total() > 0);
        all.map(|interface| interface.interface_id.clone()).collect()
    }
}

/// Packets of one direction in one window: from whom, to whom, accepted at either.
struct Leg {
    from: (String, String),
    to: (String, String),
    sent: bool,
    received: bool,
    src_addr: String,
    dst_addr: String,
    bytes: u64,
}

/// Metered ends of a movement.
fn ends(category: &str) -> u64 {
    match category {
        "direct" | "nat" => 2,
        "database" | "eks-control-plane" => 1,
        _ => 0,
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {row}")).to_owned()
}

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("{key} is no count in {row}"))
}

/// Bytes by pair, and of them the imputed ones.
fn moved(run: &Run) -> (BTreeMap<Pair, (u64, u64)>, Value) {
    let report = parsed(&run.cross_az_text(&runs::charges()));
    let pairs = report["rows"].as_array().unwrap().iter().map(|row| {
        let (bytes, imputed) = (number(row, "bytes"), number(row, "imputed_bytes"));
        assert_eq!(bytes, number(row, "observed_bytes") + imputed, "{row}");
        assert_eq!(number(row, "metered_ends"), ends(&text(row, "category")), "{row}");
        ((text(row, "src_az_id"), text(row, "dst_az_id"), text(row, "category")), (bytes, imputed))
    });
    (pairs.collect(), report)
}

/// Bytes of regional transfer by category and side, as the ends are charged.
fn ledger(run: &Run) -> BTreeMap<(String, String), u64> {
    let rows = run.sql("SELECT category, operation, sum(bytes) AS bytes FROM meters WHERE meter = 'inter-az-bytes' GROUP BY 1, 2");
    rows.iter().map(|row| ((text(row, "category"), text(row, "operation")), number(row, "bytes"))).collect()
}

#[test]
fn ends_are_movements_times_ends() {
    for seed in [31, 32, 33] {
        let estate = Estate::of(&four_sites(seed, 8_000));
        let run = estate.run(Setting::default());
        let mut by_ends: BTreeMap<String, u64> = BTreeMap::new();
        for ((category, _), bytes) in ledger(&run) {
            *by_ends.entry(category).or_default() += bytes;
        }
        let mut of_truth: BTreeMap<String, u64> = BTreeMap::new();
        for row in estate.truth.cross_az.iter().filter(|row| ends(row.kind) > 0) {
            *of_truth.entry(row.kind.to_owned()).or_default() += row.bytes * ends(row.kind);
        }
        assert_eq!(by_ends, of_truth, "seed {seed}");
        assert!(by_ends.len() == 4 && by_ends.values().all(|bytes| *bytes > 0));

        // The records of the ends themselves: each accepted one at a metered end counts at that end; what the receiver rejected
        // has none there, and is charged to it all the same.
        let mut records: BTreeMap<(String, String), u64> = BTreeMap::new();
        for leg in estate.legs().iter().filter(|leg| leg.from.1 != leg.to.1 && leg.sent) {
            let category = estate.category(&leg.from.0, &leg.to.0);
            for (interface, operation) in [(&leg.from.0, "out"), (&leg.to.0, "in")] {
                if estate.is_metered(interface, category) {
                    *records.entry((category.to_owned(), operation.to_owned())).or_default() += leg.bytes;
                }
            }
        }
        assert_eq!(ledger(&run), records, "seed {seed}");
        let rejected: u64 = estate.legs().iter().filter(|leg| leg.sent && !leg.received).map(|leg| leg.bytes).sum();
        assert!(rejected > 0, "an estate in which every receiver accepts proves less");
    }
}

/// Leaves an interface out and compares with what the records of the others must come to.
fn check_without(estate: &Estate, legs: &[Leg], gone: &str, logs: &Estate) -> (u64, u64) {
    let mut wanted: BTreeMap<Pair, (u64, u64)> = BTreeMap::new();
    let (mut short, mut imputed_ends, mut by_side) = (0, 0, BTreeMap::new());
    for leg in legs.iter().filter(|leg| leg.from.1 != leg.to.1 && leg.sent) {
        let category = estate.category(&leg.from.0, &leg.to.0);
        if leg.from.0 == gone && !leg.received {
            short += leg.bytes;
            continue;
        }
        let (bytes, imputed) = wanted.entry((leg.from.1.clone(), leg.to.1.clone(), category.to_owned())).or_default();
        *bytes += leg.bytes;
        for (interface, operation) in [(&leg.from.0, "out"), (&leg.to.0, "in")] {
            if estate.is_metered(interface, category) {
                *by_side.entry((category.to_owned(), operation.to_owned())).or_default() += leg.bytes;
                if interface == gone {
                    *imputed += leg.bytes;
                    imputed_ends += leg.bytes;
                }
            }
        }
    }
    let (_dir, run) = logs.without(gone);
    let (got, report) = moved(&run);
    let what = format!("without {gone} ({})", estate.kind(gone));
    assert_eq!(got, wanted, "{what}");
    assert_eq!(ledger(&run), by_side, "{what}");
    assert_eq!(report["meter"]["imputed_bytes"], imputed_ends, "{what}");
    assert_eq!(report["unresolved"]["bytes"], 0, "{what}");
    let nat = parsed(&run.nat_text(&runs::charges()));
    let nat = nat["rows"].as_array().unwrap().iter().map(|row| {
        (row["nat_gateway_id"].as_str().map(str::to_owned), text(row, "client_addr"), number(row, "bytes_up"), number(row, "bytes_down"))
    });
    let of_truth = estate
        .truth
        .nat
        .iter()
        .map(|row| (Some(row.nat_gateway_id.clone()), row.client_addr.clone(), row.bytes_up, row.bytes_down));
    assert_eq!(nat.collect::<BTreeSet<_>>(), of_truth.collect(), "{what}");
    (short, imputed_ends)
}

#[test]
fn without_any_one_interface_the_others_make_up_for_it() {
    let estate = Estate::of(&one_site(41, Format::V11));
    let legs = estate.legs();
    let truth: u64 = estate.truth.cross_az.iter().map(|row| row.bytes).sum();
    let paired: u64 = legs.iter().filter(|leg| leg.sent && leg.from.1 != leg.to.1).map(|leg| leg.bytes).sum();
    assert_eq!(paired, truth, "the pairs of records are the truth");
    let (mut short, mut imputed) = (0, 0);
    for gone in estate.recorders() {
        let (here, ends) = check_without(&estate, &legs, &gone, &estate);
        (short, imputed) = (short + here, imputed + ends);
    }
    assert!(short > 0 && imputed > 0);
}
