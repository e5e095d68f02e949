//! The log generator: one coherent estate of any size, its flow logs, its inventory and the truth about them.
//!
//! Seeded and deterministic: the same [`Config`] writes the same bytes, whatever the number of threads. It shares no code
//! with the engine on purpose: its truth is the oracle of tests and benches, so a mistake must not be made twice. It is
//! a module of the test binary and of the example `generate`.
//!
//! [`generate`] writes below its folder:
//!
//! * `logs/`: the objects of one VPC-level flow log per site, keyed as AWS keys them (or loose);
//! * `inventory/`: two snapshots of raw AWS CLI and kubectl JSON, of the period's first second and of its end;
//! * `truth.json`: [`Truth`].
//!
//! What the truth means:
//!
//! * `egress`: one row per (cluster ARN, destination address, port, protocol) that a control-plane interface opened a
//!   connection to, or tried to. Records, packets and bytes are the *outbound* records at the control-plane interface, by action;
//!   replies are accepted inbound ones; `first_seen`/`last_seen` are the least `start` and greatest `end` of outbound
//!   records. Answers of the API server (local port 443) are no destinations. Outcomes add up to `connections`.
//! * `cross_az`: bytes between different AZ ids, accepted at the sender, each movement once, under the first kind that applies: `nat`
//!   (only the hop between client and gateway), `endpoint`, `database`, `eks-control-plane`, `direct`.
//! * `nat`: per gateway and client address the bytes up (class A: client to gateway) and down (class D).
//! * `cross_az_days`, `nat_days`: the same bytes as a bill has them, by account, region and day ([`bill`] writes it).
//! * `interfaces`, `records`, `objects`: counts of what was written.
//!
//! Every situation is meant to have one reading. In the 14 fields of version 2 too, the ports tell who opened a connection; no
//! 5-tuple returns within 600 s; what is dead, refused or blocked is so for good. Only the outcome `refused`
//! cannot be seen without `tcp-flags`.
//!
//! The traffic: most records are of pods and servers talking to each other, databases, S3, the internet; some
//! per cent are of control-plane interfaces, and most of these are calls *to* the API server. Destinations of each API server:
//! webhooks, CRD conversion, metrics-server, kubelets, a proxied pod, a resolver, PrivateLink and internet OIDC
//! issuers through NAT, IPv6 ones in every second cluster, and a refused, a rejected, a reply-blocked, a dropped and a dead one.
#![allow(dead_code, reason = "each target that includes the module uses a part of it")]
#![allow(clippy::expect_used, reason = "a generator that cannot write has nothing better to do than stop")]

pub(crate) mod bill;
pub(crate) mod columns;
pub(crate) mod connection;
pub(crate) mod estate;
pub(crate) mod inventory;
pub(crate) mod objects;
pub(crate) mod ports;
pub(crate) mod record;
pub(crate) mod rng;
pub(crate) mod traffic;
pub(crate) mod truth;

use estate::Site;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use truth::{ClusterTruth, CrossAzDayTruth, InterfaceTruth, Ledger, NatDayTruth, NatTruth, ObjectTruth, Statuses, Truth};

/// Which fields, in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The default format: 14 fields.
    V2,
    /// The 29 fields up to version 5 in AWS's order.
    V5,
    /// The same in alphabetical order.
    V5Alphabetical,
    /// The same in an order of each object's own.
    V5Random,
    /// All 54 fields in AWS's order.
    V11,
}

/// How objects are keyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Plain,
    PlainHourly,
    Hive,
    HiveHourly,
    /// Files in one folder whose names say nothing.
    Loose,
}

/// How records are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Gzip,
    /// Gzip in members of about 1 MiB of text.
    GzipMultiMember,
    PlainText,
    Zstd,
    Parquet,
}

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) seed: u64,
    /// Records to aim for; the truth has the exact number. Less than about 50 per site and window cannot be met.
    pub(crate) records: u64,
    /// Log objects; at least one per site. 0: as AWS delivers, one per site and five minutes.
    pub(crate) files: usize,
    pub(crate) format: Format,
    pub(crate) layout: Layout,
    pub(crate) container: Container,
    pub(crate) accounts: usize,
    /// 1 or 2. Every account has one VPC, a site, in each.
    pub(crate) regions: usize,
    /// Clusters, two to a site; sites beyond them have servers only.
    pub(crate) clusters: usize,
    /// Nodes per cluster, at least 3; 0: by the number of records.
    pub(crate) nodes: usize,
    /// First second of the period (Unix seconds, a multiple of 600).
    pub(crate) start: i64,
    /// Length of the period; rounded up to a multiple of 10.
    pub(crate) minutes: u64,
    /// Sites written at a time; changes nothing in the output.
    pub(crate) threads: usize,
}

impl Default for Config {
    /// Returns a small estate: 20,000 records of one hour, 3 accounts, 4 clusters.
    fn default() -> Config {
        Config {
            seed: 1,
            records: 20_000,
            files: 0,
            format: Format::V5,
            layout: Layout::Plain,
            container: Container::Gzip,
            accounts: 3,
            regions: 1,
            clusters: 4,
            nodes: 0,
            // 2026-10-05T22:40:00Z: the period crosses midnight, which is a partition's edge.
            start: 1_791_240_000,
            minutes: 60,
            threads: 1,
        }
    }
}

impl Config {
    /// Returns an estate in proportion to a number of records.
    pub(crate) fn of(seed: u64, records: u64) -> Config {
        let (accounts, regions, clusters, minutes) = match records {
            0..200_000 => (3, 1, 4, 60),
            200_000..4_000_000 => (3, 1, 5, 120),
            _ => (3, 2, 8, 240),
        };
        Config { seed, records, accounts, regions, clusters, minutes, ..Config::default() }
    }

    /// Second after the period.
    pub(crate) fn end(&self) -> i64 {
        self.start + self.minutes.max(1).next_multiple_of(10) as i64 * 60
    }

    /// Number of aggregation windows of a length in seconds.
    pub(crate) fn windows(&self, window: i64) -> u64 {
        ((self.end() - self.start) / window) as u64
    }

    /// Nodes of one cluster.
    pub(crate) fn nodes(&self) -> usize {
        match (self.nodes, self.records) {
            (0, 0..200_000) => 3,
            (0, 200_000..4_000_000) => 6,
            (0, _) => 15,
            (nodes, _) => nodes,
        }
    }

    /// Records of one site: an equal share.
    pub(crate) fn records_of_site(&self, site: usize) -> u64 {
        let sites = estate::site_count(self) as u64;
        let before = |site: u64| self.records * site / sites;
        before(site as u64 + 1) - before(site as u64)
    }

    /// Objects of one site, an equal share but at least one; none where AWS's own pace decides.
    pub(crate) fn files_of_site(&self, site: usize) -> Option<u64> {
        let sites = estate::site_count(self);
        (self.files > 0).then(|| ((self.files * (site + 1) / sites - self.files * site / sites) as u64).max(1))
    }
}

/// Writes logs, inventory and `truth.json` below `dir` and returns the truth.
///
/// Panics if a file cannot be written or the period does not begin on a multiple of 600 s.
pub(crate) fn generate(config: &Config, dir: &Path) -> Truth {
    assert!(config.start.rem_euclid(600) == 0, "the period begins on a multiple of 600 s");
    let sites: Vec<Site> = (0..estate::site_count(config)).map(|index| estate::site(config, index)).collect();
    let logs = dir.join("logs");
    std::fs::create_dir_all(&logs).expect("creating the log folder");
    inventory::write(config, &sites, &dir.join("inventory"));
    let truth = sum(config, &sites, write_logs(config, &sites, &logs));
    let mut text = serde_json::to_string_pretty(&truth).expect("JSON of our own");
    text.push('\n');
    std::fs::write(dir.join("truth.json"), text).expect("writing the truth");
    truth
}

type SiteResult = (Ledger, Vec<ObjectTruth>);

/// Writes every site's logs, a few sites at a time, and returns their results in the order of the sites.
fn write_logs(config: &Config, sites: &[Site], logs: &Path) -> Vec<SiteResult> {
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<usize, SiteResult>> = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(site) = sites.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = traffic::Traffic::new(config, site, objects::Objects::new(config, site, logs)).run();
            results.lock().expect("no thread panicked").insert(site.index, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..config.threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    results.into_inner().expect("no thread panicked").into_values().collect()
}

fn sum(config: &Config, sites: &[Site], results: Vec<SiteResult>) -> Truth {
    let mut truth = Truth {
        seed: config.seed,
        from: config.start,
        to: config.end(),
        records: Statuses::default(),
        headers: 0,
        lines: 0,
        objects: Vec::new(),
        clusters: Vec::new(),
        interfaces: Vec::new(),
        egress: Vec::new(),
        cross_az: Vec::new(),
        nat: Vec::new(),
        cross_az_days: Vec::new(),
        nat_days: Vec::new(),
    };
    let mut moved = Vec::new();
    for (site, (ledger, objects)) in sites.iter().zip(results) {
        moved.extend(ledger.cross_az(&site.az_ids));
        for (&(nat, client), &(bytes_up, bytes_down)) in &ledger.nat {
            let client_addr = site.addresses[client as usize].text.clone();
            truth.nat.push(NatTruth { nat_gateway_id: site.nats[nat as usize].id.clone(), client_addr, bytes_up, bytes_down });
        }
        let (account, region) = (|| site.account.clone(), || site.region.clone());
        truth.cross_az_days.extend(ledger.moved_by_day.iter().map(|(&(day, kind, service_sends), &bytes)| CrossAzDayTruth {
            account_id: account(),
            region: region(),
            day,
            kind: kind.name(),
            service_sends,
            bytes,
        }));
        truth.nat_days.extend(ledger.nat_by_day.iter().map(|(&(day, nat), &bytes)| NatDayTruth {
            account_id: account(),
            region: region(),
            day,
            nat_gateway_id: site.nats[nat as usize].id.clone(),
            bytes,
        }));
        for (eni, &records) in site.enis.iter().zip(&ledger.interfaces) {
            truth.records.add(&records);
            truth.interfaces.push(InterfaceTruth { interface_id: eni.id.clone(), kind: eni.kind.name(), records });
        }
        truth.clusters.extend(site.clusters.iter().map(|cluster| ClusterTruth {
            name: cluster.name.clone(),
            arn: cluster.arn.clone(),
            account_id: site.account.clone(),
            region: site.region.clone(),
            vpc_id: site.vpc.clone(),
            interfaces: cluster.control.iter().map(|&eni| site.enis[eni as usize].id.clone()).collect(),
        }));
        truth.egress.extend(ledger.egress.into_iter().filter(|row| row.connections > 0));
        truth.objects.extend(objects);
    }
    truth.cross_az = truth::merge_cross_az(moved.into_iter());
    truth.headers = if config.container == Container::Parquet { 0 } else { truth.objects.len() as u64 };
    truth.lines = truth.records.total() + truth.headers;
    truth.objects.sort_by(|a, b| a.key.cmp(&b.key));
    truth.clusters.sort_by(|a, b| a.arn.cmp(&b.arn));
    truth.interfaces.sort_by(|a, b| a.interface_id.cmp(&b.interface_id));
    truth.nat.sort_by(|a, b| (&a.nat_gateway_id, &a.client_addr).cmp(&(&b.nat_gateway_id, &b.client_addr)));
    truth
        .egress
        .sort_by(|a, b| (&a.cluster_arn, &a.dst_addr, a.dst_port, a.protocol).cmp(&(&b.cluster_arn, &b.dst_addr, b.dst_port, b.protocol)));
    truth
}
