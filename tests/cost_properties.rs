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
use flowproof::query::grain::Grain;
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
    kinds: HashMap<String, &'static str>,
}

/// One site with two clusters, its two NAT gateways, and traffic of two hours.
fn one_site(seed: u64, format: Format) -> Config {
    Config { seed, records: 5_000, accounts: 1, clusters: 2, minutes: 80, files: 6, format, ..Config::default() }
}

/// Four sites in two regions of two accounts.
pub(crate) fn four_sites(seed: u64, records: u64) -> Config {
    Config { seed, records, accounts: 2, regions: 2, minutes: 120, files: 16, ..Config::default() }
}

/// A quarter of it holds four thousand sums, fewer than a site has; less, and DataFusion's own joins and sorts have too little.
const TIGHT: usize = 6 << 20;

/// (source AZ, destination AZ, category).
type Pair = (String, String, String);

impl Estate {
    pub(crate) fn of(config: &Config) -> Estate {
        let dir = tempfile::tempdir().unwrap();
        let truth = generate(&Config { container: Container::PlainText, ..config.clone() }, dir.path());
        let inventory = runs::read_inventory(&dir.path().join("inventory"));
        let kinds = truth.interfaces.iter().map(|interface| (interface.interface_id.clone(), interface.kind)).collect();
        Estate { dir, truth, inventory, kinds }
    }

    pub(crate) fn run(&self, setting: Setting) -> Run {
        runs::open_logs(&[self.dir.path().join("logs").to_str().unwrap()], &self.inventory, setting)
    }

    /// The same, with an inventory that lacks the route tables.
    fn without_routes(mut self) -> Estate {
        let inventory = self.dir.path().join("inventory");
        let tables: Vec<_> = walkdir::WalkDir::new(&inventory)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_name() == "describe-route-tables.json")
            .collect();
        assert!(!tables.is_empty());
        tables.iter().for_each(|table| std::fs::remove_file(table.path()).unwrap());
        self.inventory = runs::read_inventory(&inventory);
        self
    }

    /// The same, with an inventory in which the flow log of one VPC is that of an instance's interface.
    fn with_a_flow_log_of_an_instance(mut self) -> Estate {
        let inventory = self.dir.path().join("inventory");
        let read = |path: &Path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
        let mut moved: Option<(Value, Value)> = None;
        for entry in walkdir::WalkDir::new(&inventory).sort_by_file_name().into_iter().map(Result::unwrap) {
            if entry.file_name() != "describe-flow-logs.json" {
                continue;
            }
            let mut logs = read(entry.path());
            let of_vpc = logs["FlowLogs"][0]["ResourceId"].clone();
            let (vpc, interface) = moved.get_or_insert_with(|| {
                let all = read(&entry.path().with_file_name("describe-network-interfaces.json"));
                let is_instance = |interface: &&Value| interface["Attachment"]["InstanceId"].is_string();
                let one = all["NetworkInterfaces"].as_array().unwrap().iter().find(is_instance).unwrap();
                (of_vpc.clone(), one["NetworkInterfaceId"].clone())
            });
            if of_vpc == *vpc {
                logs["FlowLogs"][0]["ResourceId"] = interface.clone();
                std::fs::write(entry.path(), logs.to_string()).unwrap();
            }
        }
        assert!(moved.is_some());
        self.inventory = runs::read_inventory(&inventory);
        self
    }

    /// The same objects without the lines of an interface.
    pub(crate) fn without(&self, interface: &str) -> (tempfile::TempDir, Run) {
        let dir = tempfile::tempdir().unwrap();
        for object in &self.truth.objects {
            let text = std::fs::read_to_string(self.dir.path().join("logs").join(&object.key)).unwrap();
            let kept: String =
                text.lines().filter(|line| line.split(' ').nth(2) != Some(interface)).map(|line| format!("{line}\n")).collect();
            let path = dir.path().join(&object.key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, kept).unwrap();
        }
        let run = runs::open_logs(&[dir.path().to_str().unwrap()], &self.inventory, Setting::default());
        (dir, run)
    }

    /// Every packet flow of a window that two interfaces recorded.
    pub(crate) fn legs(&self) -> Vec<Leg> {
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

    pub(crate) fn kind(&self, interface: &str) -> &'static str {
        self.kinds[interface]
    }

    /// What lies between two interfaces.
    pub(crate) fn category(&self, one: &str, two: &str) -> &'static str {
        let kinds = [self.kind(one), self.kind(two)];
        let category = |(kind, category): &(&str, &'static str)| kinds.contains(kind).then_some(*category);
        let all = [("nat-gateway", "nat"), ("vpc-endpoint", "endpoint"), ("rds", "database"), ("eks-control-plane", "eks-control-plane")];
        all.iter().find_map(category).unwrap_or("direct")
    }

    /// Whether AWS meters an interface's end of a movement of that category.
    pub(crate) fn is_metered(&self, interface: &str, category: &str) -> bool {
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
pub(crate) struct Leg {
    pub(crate) from: (String, String),
    pub(crate) to: (String, String),
    pub(crate) sent: bool,
    pub(crate) received: bool,
    pub(crate) bytes: u64,
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

/// Bytes between AZs by pair, and of them those of which a metered end has no records; none may be without an AZ.
fn moved(run: &Run) -> BTreeMap<Pair, (u64, u64)> {
    let rows = run.sql(
        "SELECT coalesce(src_az_id, '?') AS src, coalesce(dst_az_id, '?') AS dst, category, sum(bytes) AS bytes, \
         coalesce(sum(bytes) FILTER (WHERE src_ends > 0 AND NOT src_logged OR dst_ends > 0 AND NOT dst_logged), 0) AS imputed, \
         min(src_ends + dst_ends) AS ends_min, max(src_ends + dst_ends) AS ends_max \
         FROM movements WHERE (src_az_id IS DISTINCT FROM dst_az_id) OR src_az_id IS NULL GROUP BY 1, 2, 3",
    );
    let pair = |row: &Value| {
        let ends = ends(&text(row, "category"));
        assert_eq!((number(row, "ends_min"), number(row, "ends_max")), (ends, ends), "{row}");
        ((text(row, "src"), text(row, "dst"), text(row, "category")), (number(row, "bytes"), number(row, "imputed")))
    };
    rows.iter().map(pair).collect()
}

/// Bytes up and down by gateway and client.
fn through_nat(run: &Run) -> BTreeSet<(String, String, u64, u64)> {
    let rows = run.sql(
        "SELECT coalesce(nat_gateway_id, '?') AS nat, client_addr, coalesce(sum(bytes) FILTER (WHERE up), 0) AS up, \
         coalesce(sum(bytes) FILTER (WHERE NOT up), 0) AS down FROM nat_transfers GROUP BY 1, 2",
    );
    rows.iter().map(|row| (text(row, "nat"), text(row, "client_addr"), number(row, "up"), number(row, "down"))).collect()
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
fn check_without(estate: &Estate, legs: &[Leg], gone: &str, logs: &Estate, names_gateways: bool) -> (u64, u64) {
    let mut wanted: BTreeMap<Pair, (u64, u64)> = BTreeMap::new();
    let (mut short, mut imputed_ends, mut by_side) = (0, 0, BTreeMap::new());
    // Without a next hop or a route nothing says which of two gateways it was, nor in which AZ.
    let nameless = estate.kind(gone) == "nat-gateway" && !names_gateways;
    let az = |end: &(String, String)| if nameless && end.0 == gone { "?".to_owned() } else { end.1.clone() };
    for leg in legs.iter().filter(|leg| az(&leg.from) != az(&leg.to) && leg.sent) {
        let category = estate.category(&leg.from.0, &leg.to.0);
        if leg.from.0 == gone && !leg.received {
            short += leg.bytes;
            continue;
        }
        let (bytes, imputed) = wanted.entry((az(&leg.from), az(&leg.to), category.to_owned())).or_default();
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
    let what = format!("without {gone} ({})", estate.kind(gone));
    assert_eq!(moved(&run), wanted, "{what}");
    let is_nameless =
        |nat: &str| nameless && run.number(&format!("SELECT count(*) FROM enis WHERE resource = '{nat}' AND interface_id = '{gone}'")) > 0;
    let name = |nat: &str| if is_nameless(nat) { "?".to_owned() } else { nat.to_owned() };
    let of_truth = estate.truth.nat.iter().map(|row| (name(&row.nat_gateway_id), row.client_addr.clone(), row.bytes_up, row.bytes_down));
    assert_eq!(through_nat(&run), of_truth.collect(), "{what}");
    if estate.kind(gone) == "nat-gateway" && names_gateways {
        assert_eq!(ledger(&run), by_side, "{what}");
        let report = parsed(&run.cross_az_text(&runs::charges()));
        assert_eq!((&report["meter"]["imputed_bytes"], &report["unresolved"]["bytes"]), (&imputed_ends.into(), &0.into()), "{what}");
    }
    (short, imputed_ends)
}

/// Every interface of one site, its gateways among them, by turns over the seeds; with next hops or routes each gateway is known by
/// name.
fn each_in_turn(seed: u64, format: Format, has_routes: bool, take: impl Fn(usize, &str) -> bool) -> u64 {
    let estate = Estate::of(&one_site(seed, Format::V11));
    // The plan does not depend on the format.
    let other = (format != Format::V11).then(|| Estate::of(&one_site(seed, format)));
    let other = if has_routes { other } else { other.map(Estate::without_routes) };
    let legs = estate.legs();
    let truth: u64 = estate.truth.cross_az.iter().map(|row| row.bytes).sum();
    let paired: u64 = legs.iter().filter(|leg| leg.sent && leg.from.1 != leg.to.1).map(|leg| leg.bytes).sum();
    assert_eq!(paired, truth, "the pairs of records are the truth");
    let (mut short, mut imputed) = (0, 0);
    for (_, gone) in estate.recorders().iter().enumerate().filter(|(at, gone)| take(*at, estate.kind(gone))) {
        let (here, ends) = check_without(&estate, &legs, gone, other.as_ref().unwrap_or(&estate), format == Format::V11 || has_routes);
        (short, imputed) = (short + here, imputed + ends);
    }
    assert!(imputed > 0);
    short
}

#[test]
fn without_any_one_interface_the_others_make_up_for_it() {
    let short = each_in_turn(41, Format::V11, false, |at, kind| kind == "nat-gateway" || at % 3 == 0);
    assert!(short > 0, "no sender was left out whose bytes are rejected");
}

#[test]
fn a_gateway_that_cannot_be_named_keeps_its_bytes() {
    each_in_turn(43, Format::V5, false, |_, kind| kind == "nat-gateway");
}

#[test]
fn a_gateway_that_is_not_logged_is_known_by_the_route() {
    each_in_turn(44, Format::V5, true, |_, kind| kind == "nat-gateway");
}

#[test]
fn without_any_one_interface_the_others_make_up_for_it_in_fourteen_fields() {
    each_in_turn(42, Format::V2, true, |at, kind| kind == "nat-gateway" || at % 4 == 1);
}

/// What a scan's sums are compared with: the same by plain SQL over the records.
const SUMS: [(&str, &str); 2] = [
    (
        "SELECT hour, flow_log_id, interface_id, interface_kind, log_status, action, direction, local_addr, peer_addr, protocol, service_port, \
         traffic_path, nat_class, sum(records) AS records, sum(packets) AS packets, sum(bytes) AS bytes, min(start_time) AS first, \
         max(end_time) AS last FROM hourly GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13",
        "SELECT date_trunc('hour', start_time) AS hour, flow_log_id, interface_id, interface_kind, log_status, action, direction, local_addr, \
         peer_addr, protocol, service_port, traffic_path, nat_class, count(*) AS records, coalesce(sum(packets), 0) AS packets, \
         coalesce(sum(bytes), 0) AS bytes, min(start_time) AS first, max(end_time) AS last FROM flows \
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13",
    ),
    (
        "SELECT sum(records) AS records, sum(packets) AS packets, sum(bytes) AS bytes FROM hourly",
        "SELECT count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes FROM flows",
    ),
];

/// Rows in an order of their own.
fn sorted(run: &Run, sql: &str) -> Vec<String> {
    let mut rows: Vec<String> = run.sql(sql).iter().map(Value::to_string).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn sums_by_hour_are_sums_over_records() {
    for (seed, format) in [(51, Format::V5), (52, Format::V2)] {
        let estate = Estate::of(&Config { format, ..four_sites(seed, 20_000) });
        let roomy = estate.run(Setting::default());
        for (by_hour, of_records) in SUMS {
            let rows = sorted(&roomy, by_hour);
            assert!(!rows.is_empty());
            assert_eq!(rows, sorted(&roomy, of_records), "{format:?}");
        }
        assert!(!roomy.has_spilled());
        let tight = estate.run(Setting { memory_limit: TIGHT, ..Setting::default() });
        assert_eq!(sorted(&tight, "SELECT * FROM hourly"), sorted(&roomy, "SELECT * FROM hourly"), "{format:?}");
        assert!(tight.has_spilled());
    }
}

/// The three reports, byte for byte.
fn reports(run: &Run) -> [String; 3] {
    let charges = runs::charges();
    [run.cross_az_text(&charges), run.nat_text(&charges), run.cost_text(&By::Default, &charges)]
}

#[test]
fn threads_order_and_memory_change_no_byte_of_a_report() {
    let estate = Estate::of(&four_sites(61, 20_000));
    let wanted = reports(&estate.run(Setting::default()));
    assert!(wanted.iter().all(|text| text.len() > 2_000));
    let others = [
        (8, 192 << 20, Grain::Pods),
        (1, TIGHT, Grain::Pods),
        (1, TIGHT, Grain::Full),
        (2, 192 << 20, Grain::Full),
        (8, 192 << 20, Grain::PodsBetweenZones),
    ];
    for (threads, memory_limit, grain) in others {
        let (mut inputs, listed) = runs::list(&[estate.dir.path().join("logs").to_str().unwrap()], Setting::default().window);
        Rng::new(61, threads as u64).shuffle(&mut inputs);
        let run = runs::open_inputs(inputs, listed, &estate.inventory, Setting { threads, memory_limit, grain, ..Setting::default() });
        assert_eq!(reports(&run), wanted, "{threads} threads, {memory_limit} bytes, {grain:?}");
        assert_eq!(run.has_spilled(), memory_limit == TIGHT && grain == Grain::Full);
    }
}

#[test]
fn a_report_reads_every_object_once() {
    let estate = Estate::of(&four_sites(62, 3_000));
    let run = estate.run(Setting::default());
    run.cost_text(&By::Named("cluster"), &runs::charges());
    let objects: Vec<usize> = (0..estate.truth.objects.len()).collect();
    assert_eq!(run.scans(), std::slice::from_ref(&objects), "one scan, and each object once in it");
    reports(&run);
    assert_eq!(run.scans(), [objects], "further reports need no further scan");
}

#[test]
fn a_statement_that_reads_both_tables_reads_every_object_once() {
    let estate = Estate::of(&four_sites(63, 20_000)).with_a_flow_log_of_an_instance();
    let tables = |run: &Run| ["connections", "coverage", "hourly"].map(|table| sorted(run, &format!("SELECT * FROM {table}")));
    let alone = estate.run(Setting::default());
    let want = tables(&alone);
    assert!(want.iter().all(|rows| rows.len() > 10));
    let all: Vec<usize> = (0..estate.truth.objects.len()).collect();
    let read: Vec<usize> = alone.scans().iter().map(Vec::len).collect();
    assert!(
        read.len() == 2 && read[0] < all.len() && read[1] == all.len(),
        "of {}, those that cannot tell of control planes are left out: {read:?}",
        all.len()
    );

    // Whichever of them is asked first, and where neither has room.
    let counts = "SELECT count(*) FROM connections UNION ALL SELECT count(*) FROM hourly";
    let inside = "SELECT count(*) FROM hourly WHERE interface_id IN (SELECT interface_id FROM connections)";
    let outside = "SELECT count(*) FROM connections WHERE interface_id IN (SELECT interface_id FROM hourly)";
    for (sql, threads, memory_limit) in [(counts, 1, TIGHT), (inside, 2, 192 << 20), (outside, 8, 192 << 20)] {
        let run = estate.run(Setting { threads, memory_limit, ..Setting::default() });
        run.sql(sql);
        assert_eq!(run.scans(), std::slice::from_ref(&all), "{sql}");
        assert_eq!(run.has_spilled(), memory_limit == TIGHT);
        assert!(tables(&run) == want, "{sql}, {threads} threads, {memory_limit} bytes");
        assert_eq!(run.scans().len(), 1, "what is read afterwards is there already");
    }
}

/// `hourly` by plain SQL over the records, for estates without overlapping flow logs and with all interfaces known.
const FLAT: &str = "CREATE TABLE flat AS WITH \
    logged AS (SELECT DISTINCT date_trunc('hour', start_time) AS logged_hour, interface_id AS logged_id FROM flows WHERE log_status <> 'SKIPDATA'), \
    known AS (SELECT interface_id AS known_id, kind, resource, cluster, subnet_id AS subnet, instance_id, addresses, \
        coalesce(CASE kind WHEN 'eks-control-plane' THEN cluster END, resource, eni_tag(interface_id, 'Name'), instance_id) AS name FROM enis), \
    records AS (SELECT *, date_trunc('hour', start_time) AS hour FROM flows) \
    SELECT hour, flow_log_id, true AS counted, account_id, region, vpc_id, subnet_id, interface_id, interface_kind, own.name AS interface_name, \
        own.resource AS resource, CAST(NULL AS VARCHAR) AS tags, CAST(NULL AS VARCHAR) AS peer_tags, records.cluster, records.cluster_arn, local_az_id, direction, local_addr, peer_addr, protocol, service_port, \
        CASE WHEN cidr_contains('169.254.0.0/16', peer_addr) THEN 'link-local' WHEN is_private(peer_addr) THEN 'private' WHEN peer_addr IS NOT NULL THEN 'public' END AS peer_scope, \
        aws_region(peer_addr) AS peer_range_region, action, log_status, traffic_path, nat_class, local_service, \
        CASE WHEN nat_class IN ('A', 'D') THEN local_addr END AS remote_addr, \
        CASE WHEN nat_class NOT IN ('A', 'D') OR nat_class IS NULL OR local_addr IS NULL THEN NULL \
            WHEN cidr_contains('169.254.0.0/16', local_addr) THEN 'link-local' WHEN is_private(local_addr) THEN 'private' ELSE 'public' END AS remote_scope, \
        CASE WHEN nat_class IN ('A', 'D') THEN aws_region(local_addr) END AS remote_range_region, \
        CASE WHEN nat_class IN ('A', 'A*', 'D', 'D*') AND action = 'ACCEPT' THEN 'gateway' END AS nat_role, \
        CASE WHEN nat_class IN ('A', 'A*', 'D', 'D*') THEN own.resource END AS nat_gateway_id, interface_id AS nat_interface_id, \
        vpc_id AS nat_vpc_id, subnet_id AS nat_subnet_id, local_az_id AS nat_az_id, 'zonal' AS nat_availability, false AS inspected, \
        next_hop_interface_id, next_hop_interface_type, hop.resource AS next_hop_resource, peer_account_id, peer_region, peer_vpc_id, \
        peer.subnet AS peer_subnet_id, peer_az_id, peer_eni, peer_kind, peer_name, peer.resource AS peer_resource, \
        peer.cluster AS peer_cluster, peer_link, peer_service, CASE WHEN peer_az_id IS NOT NULL THEN 'inventory' END AS peer_basis, \
        logged_id IS NOT NULL AS peer_logged, count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes, min(start_time) AS start_time, \
        max(end_time) AS end_time, CAST(NULL AS VARCHAR) AS first_line, CAST(NULL AS VARCHAR) AS last_line \
    FROM records LEFT JOIN known AS own ON interface_id = own.known_id LEFT JOIN known AS peer ON peer_eni = peer.known_id \
        LEFT JOIN known AS hop ON next_hop_interface_id = hop.known_id LEFT JOIN logged ON peer_eni = logged_id AND hour = logged_hour \
    GROUP BY hour, flow_log_id, account_id, region, vpc_id, subnet_id, interface_id, interface_kind, own.name, own.resource, records.cluster, \
        records.cluster_arn, local_az_id, direction, local_addr, peer_addr, protocol, service_port, action, log_status, traffic_path, nat_class, \
        local_service, next_hop_interface_id, next_hop_interface_type, hop.resource, peer_account_id, peer_region, \
        peer_vpc_id, peer.subnet, peer_az_id, peer_eni, peer_kind, peer_name, peer.resource, peer.cluster, peer_link, peer_service, logged_id";

#[test]
fn reports_over_records_are_reports_over_sums() {
    for (seed, format) in [(71, Format::V5), (72, Format::V11)] {
        let estate = Estate::of(&Config { format, ..four_sites(seed, 5_000) });
        let run = estate.run(Setting::default());
        run.execute(FLAT);
        run.views_over("flat");
        let by = |by| [("by", by)];
        let asked: [(&str, &[(&str, &str)]); 6] = [
            ("cross-az", &[]),
            ("cross-az-owners", &by("subnet")),
            ("nat", &[]),
            ("nat", &by("service")),
            ("costs", &[("nat_az_ends", "1")]),
            ("costs", &by("eni")),
        ];
        for (name, params) in asked {
            let rows = run.shipped(name, params);
            assert!(rows.len() > 3, "{name}");
            assert_eq!(run.shipped_over("flat", name, params), rows, "{format:?} {name} {params:?}");
        }
    }
}

/// A shipped query and its parameters.
type Asked<'a> = (&'a str, &'a [(&'a str, &'a str)]);

#[test]
fn sums_alike_are_one_row_in_reports_and_nothing_else_is_different() {
    for (seed, format) in [(73, Format::V5), (74, Format::V2)] {
        let estate = Estate::of(&Config { format, ..four_sites(seed, 8_000) });
        let whole = estate.run(Setting::default());
        // With each grain the statements that need it; those of the grains behind it need less.
        let by = |by| [("by", by)];
        let asked: [(Grain, &[Asked<'_>]); 5] = [
            (Grain::Full, &[]),
            (
                Grain::Pods,
                &[
                    ("cross-az-owners", &by("namespace")),
                    ("costs", &by("service")),
                    ("meters-by-day", &by("service")),
                    ("meters-by-day", &by("namespace")),
                ],
            ),
            (
                Grain::PodsBetweenZones,
                &[
                    ("cross-az", &[]),
                    ("cross-az-owners", &by("account")),
                    ("cross-az-owners", &by("service")),
                    ("zone-aware-candidates", &[("limit", "1000")]),
                ],
            ),
            (
                Grain::Interfaces,
                &[("costs", &by("eni")), ("costs", &by("cluster")), ("meters-by-day", &by("subnet")), ("meters-by-day", &[])],
            ),
            (Grain::NatGateways, &[("nat", &by("pair")), ("nat", &by("service")), ("nat", &by("namespace")), ("nat", &by("destination"))]),
        ];
        let mut before = i64::MAX;
        for (grain, asked) in asked {
            let run = estate.run(Setting { grain, ..Setting::default() });
            for (name, params) in asked {
                let rows = whole.shipped(name, params);
                assert!(rows.len() > 3, "{name}");
                assert_eq!(run.shipped_in_reports(name, params), rows, "{format:?} {grain:?} {name} {params:?}");
            }
            let rows = run.rows_in_reports("SELECT count(*) AS rows, sum(bytes) AS bytes, sum(records) AS records FROM hourly");
            let all = whole.sql("SELECT sum(bytes) AS bytes, sum(records) AS records FROM hourly");
            assert_eq!((&rows[0]["bytes"], &rows[0]["records"]), (&all[0]["bytes"], &all[0]["records"]), "{grain:?}");
            // A row of all columns is a sum.
            let sums = run.rows_in_reports("SELECT * FROM hourly").len() as i64;
            assert!(sums < before, "{grain:?}: {sums} sums, and {before} before");
            before = sums;
        }
    }
}

/// Prices in millionths of a dollar, each another prime so that no two can be mistaken for each other: region, meter, rate.
const RATES: [(&str, &str, i128); 12] = [
    ("eu-central-1", "endpoint-az-hours", 12_011),
    ("us-east-1", "endpoint-az-hours", 11_027),
    ("eu-central-1", "nat-bytes", 52_009),
    ("eu-central-1", "nat-hours", 52_021),
    ("eu-central-1", "inter-az-bytes", 10_007),
    ("eu-central-1", "internet-egress-bytes", 90_001),
    ("eu-central-1", "endpoint-bytes", 12_007),
    ("us-east-1", "nat-bytes", 45_007),
    ("us-east-1", "nat-hours", 45_013),
    ("us-east-1", "inter-az-bytes", 10_009),
    ("us-east-1", "internet-egress-bytes", 90_007),
    ("us-east-1", "endpoint-bytes", 11_003),
];

fn rate(region: &str, meter: &str) -> i128 {
    RATES.iter().find(|row| (row.0, row.1) == (region, meter)).unwrap_or_else(|| panic!("{meter} in {region}")).2
}

/// Numerator by denominator, half to even.
fn nearest(numerator: i128, denominator: i128) -> i128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    whole + i128::from(rest * 2 > denominator || rest * 2 == denominator && whole % 2 == 1)
}

/// Millionths of a dollar for bytes at so many ends.
fn millionths(bytes: u64, ends: u64, rate: i128) -> i128 {
    nearest(i128::from(bytes) * i128::from(ends) * rate, 1 << 30)
}

type Members = BTreeMap<String, Box<RawValue>>;

fn rows_of(report: &str) -> (Members, Vec<Members>) {
    let whole: Members = serde_json::from_str(report).unwrap();
    let rows = serde_json::from_str(whole["rows"].get()).unwrap();
    (whole, rows)
}

/// A figure in dollars as it is printed, in millionths: never by way of a float.
fn money(of: &Members, name: &str) -> i128 {
    let (dollars, decimals) = of[name].get().split_once('.').unwrap_or_else(|| panic!("{name} is {}", of[name]));
    assert_eq!(decimals.len(), 6, "{name} is {}", of[name]);
    format!("{dollars}{decimals}").parse().unwrap()
}

fn string(of: &Members, name: &str) -> String {
    serde_json::from_str::<Option<String>>(of[name].get()).unwrap().unwrap_or_default()
}

fn count(of: &Members, name: &str) -> u64 {
    of[name].get().parse().unwrap_or_else(|_| panic!("{name} is {}", of[name]))
}

fn region_of_zone(zone: &str) -> &'static str {
    if zone.starts_with("euc1") { "eu-central-1" } else { "us-east-1" }
}

#[test]
fn money_follows_from_printed_bytes_and_prices() {
    let prices = RATES.map(|(region, meter, rate)| {
        format!("[[price]]\nregion = \"{region}\"\nmeter = \"{meter}\"\nrate = \"0.{rate:06}\"\nsource = \"test\"\n")
    });
    let list = format!("format = \"flowproof-prices-1\"\ncurrency = \"USD\"\nas_of = \"2026-11-01\"\n{}", prices.concat());
    let mut charges = Charges { ..runs::charges() };
    charges.prices.merge(PriceList::parse(list.as_bytes(), "test.toml").unwrap());
    let estate = Estate::of(&four_sites(81, 16_000));
    let run = estate.run(Setting::default());

    let (_, rows) = rows_of(&run.cross_az_text(&charges));
    assert!(rows.len() > 30);
    for row in &rows {
        let rate = rate(region_of_zone(&string(row, "src_az_id")), "inter-az-bytes");
        let cost = |ends| millionths(count(row, "bytes"), count(row, ends), rate);
        assert_eq!((money(row, "list_cost"), money(row, "list_cost_min")), (cost("metered_ends"), cost("metered_ends_min")), "{row:?}");
    }

    // What left each gateway for the internet, by client: the rest goes to AWS or to nowhere.
    let beyond = run.sql(
        "SELECT nat_gateway_id, client_addr, sum(bytes) AS bytes FROM nat_transfers \
        WHERE up AND remote_addr LIKE '203.0.113.%' GROUP BY 1, 2",
    );
    let beyond: HashMap<(String, String), u64> =
        beyond.iter().map(|row| ((text(row, "nat_gateway_id"), text(row, "client_addr")), number(row, "bytes"))).collect();
    let (whole, rows) = rows_of(&run.nat_text(&charges));
    assert!(rows.len() > 10, "{} rows", rows.len());
    let mut processed: HashMap<String, u64> = HashMap::new();
    rows.iter().for_each(|row| *processed.entry(string(row, "nat_gateway_id")).or_default() += count(row, "bytes_processed"));
    let (mut total, mut crossing) = (0, HashMap::<&str, u64>::new());
    for row in &rows {
        let (nat, zones) = (string(row, "nat_gateway_id"), [string(row, "client_az_id"), string(row, "nat_az_id")]);
        let region = region_of_zone(&zones[0]);
        let bytes = count(row, "bytes_processed");
        assert_eq!(bytes, count(row, "bytes_up") + count(row, "bytes_down"));
        let is_crossing = u64::from(zones[0] != zones[1]);
        *crossing.entry(region).or_default() += is_crossing * bytes;
        let processing = millionths(bytes, 1, rate(region, "nat-bytes"));
        let [leg, leg_min] = [2, 1].map(|ends| millionths(bytes, ends * is_crossing, rate(region, "inter-az-bytes")));
        let up = beyond.get(&(nat.clone(), string(row, "client_addr"))).copied().unwrap_or(0);
        let transfer = millionths(up, 1, rate(region, "internet-egress-bytes"));
        let got = ["processing_cost", "cross_az_cost", "transfer_cost", "list_cost", "list_cost_min"].map(|name| money(row, name));
        assert_eq!(got, [processing, leg, transfer, processing + leg + transfer, processing + leg_min + transfer], "{row:?}");
        // Two hours begun, shared by bytes.
        let hours = nearest(2 * rate(region, "nat-hours") * i128::from(bytes), i128::from(processed[&nat]));
        assert_eq!(money(row, "hours_cost"), hours, "{row:?}");
        total += processing + leg + transfer;
    }
    let totals: Members = serde_json::from_str(whole["totals"].get()).unwrap();
    assert_eq!(money(&totals, "list_cost"), total);

    let (whole, rows) = rows_of(&run.cost_text(&By::Default, &charges));
    assert!(rows.len() > 30);
    let (mut total, mut total_min, mut crossing_min) = (0, 0, HashMap::<String, Vec<i128>>::new());
    for row in &rows {
        let (region, usage_type) = (string(row, "region"), string(row, "usage_type"));
        let meter = match usage_type.trim_start_matches("EUC1-") {
            "DataTransfer-Regional-Bytes" => "inter-az-bytes",
            "NatGateway-Bytes" => "nat-bytes",
            "NatGateway-Hours" => "nat-hours",
            "DataTransfer-Out-Bytes" => "internet-egress-bytes",
            "VpcEndpoint-Bytes" => "endpoint-bytes",
            "VpcEndpoint-Hours" => "endpoint-az-hours",
            other => panic!("{other} is no meter of this estate"),
        };
        assert_eq!(usage_type.starts_with("EUC1-"), region == "eu-central-1", "{row:?}");
        let (price, cost) = (rate(&region, meter), money(row, "list_cost"));
        assert_eq!(row["unit_price"].get().parse::<Decimal>().unwrap(), Decimal::new(price as i64, 6), "{row:?}");
        if meter.ends_with("-hours") {
            assert_eq!(cost, row["quantity"].get().parse::<Decimal>().unwrap().normalize().mantissa() * price, "{row:?}");
        } else {
            assert_eq!(cost, millionths(count(row, "bytes"), 1, price), "{row:?}");
            let quantity = nearest(i128::from(count(row, "bytes")) * 10_i128.pow(10), 1 << 30);
            assert_eq!(row["quantity"].get().parse::<Decimal>().unwrap(), Decimal::from_i128_with_scale(quantity, 10), "{row:?}");
        }
        let least = money(row, "list_cost_min");
        match (meter, &*string(row, "category")) {
            ("inter-az-bytes", "eks-control-plane") => assert_eq!(least, 0, "{row:?}"),
            ("inter-az-bytes", "nat") => crossing_min.entry(region).or_default().push(least),
            _ => assert_eq!(least, cost, "{row:?}"),
        }
        (total, total_min) = (total + cost, total_min + least);
    }
    // For certain one end of each hop between AZs: the client's. Each row is rounded once.
    for (region, bytes) in crossing {
        let rows = crossing_min.remove(region).unwrap_or_default();
        let off = rows.iter().sum::<i128>() - millionths(bytes, 1, rate(region, "inter-az-bytes"));
        assert!(off.unsigned_abs() <= rows.len() as u128, "{region}: off by {off}");
    }
    assert_eq!(crossing_min.len(), 0);
    let totals: Members = serde_json::from_str(whole["totals"].get()).unwrap();
    assert_eq!((money(&totals, "list_cost"), money(&totals, "list_cost_min")), (total, total_min));
}
