//! The coverage ledger: what was logged of each control plane, hour by hour, and what stands behind that.
//!
//! One document of plain values from one scan: hours and their gaps, days per cluster, flow logs and their weaknesses, files and
//! missing periods, interfaces that logs and inventory do not share, and how the bucket is kept. Statements about coverage are
//! made from it alone. It judges each thing by itself; whether a statement passes is not decided here.

use super::biflow::EniIndex;
use super::coverage::{Closing, CoverageHour, State};
use super::deliveries::{Delivery, deliveries};
use super::flow_log_use::{FlowLogs, Span, Weakness};
use super::{Egress, Logs};
use crate::inventory::custody::{FACTS, bucket_of};
use crate::inventory::{Cluster, Eni, InterfaceKind, Inventory, custody};
use crate::time::{DAY, HOUR, TimeRange, UnixSeconds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was logged, and what stands behind that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The period, open ends closed by the records.
    pub period: TimeRange,
    /// When silent hours were no longer late; independent of the run's time where all of them were not.
    pub closing: Closing,
    /// Every hour of each control-plane interface, by interface and time.
    pub hours: Vec<CoverageHour>,
    /// Hours one after another that are GAP, SKIPDATA, LATE or UNKNOWN; by interface and time.
    pub gaps: Vec<Gap>,
    /// Each cluster's days, by ARN and day; also those of clusters without any interface.
    pub days: Vec<ClusterDay>,
    /// Files of each flow log.
    pub deliveries: Vec<Delivery>,
    /// Objects whose name has no stamp, which no grid can hold.
    pub objects_without_stamp: u64,
    /// Flow logs, seams between them, and weaknesses with the hours that they touch.
    pub flow_logs: FlowLogs,
    /// Interfaces that may be a control plane's and that the inventory does not have as one; by id.
    pub unknown: Vec<UnknownInterface>,
    /// Control-plane interfaces without any record in the period; by index.
    pub unseen: Vec<UnseenInterface>,
    /// The buckets of the logs, by name.
    pub custody: Vec<BucketCustody>,
}

/// Hours of an interface in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Interface and time.
    pub span: Span,
    /// What they have in common.
    pub state: State,
    /// Stamped objects that the flow logs of the interface delivered in that time: without any, the delivery is missing and not
    /// the interface. `None` if no flow log of the interface is known.
    pub objects_delivered: Option<u64>,
}

impl Gap {
    /// Returns the number of hours.
    pub fn hours(&self) -> i64 {
        (self.span.to - self.span.from) / HOUR
    }
}

/// Interface-hours of a cluster on one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDay {
    /// Name of the cluster.
    pub cluster: Arc<str>,
    /// ARN.
    pub cluster_arn: Arc<str>,
    /// First second of the day.
    pub day: UnixSeconds,
    /// Interfaces that may have existed on it.
    pub interfaces: u64,
    /// Hours by state.
    pub by_state: BTreeMap<State, u64>,
}

impl ClusterDay {
    /// Returns the hours in a state.
    pub fn count(&self, state: State) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }

    /// Returns the hours in which an interface should have logged, or may have.
    pub fn expected(&self) -> u64 {
        self.by_state.iter().filter(|(state, _)| state.is_expected()).map(|(_, hours)| hours).sum()
    }

    /// Returns the hours in which logging was shown to be live.
    pub fn covered(&self) -> u64 {
        self.by_state.iter().filter(|(state, _)| state.is_logged()).map(|(_, hours)| hours).sum()
    }

    /// Returns the share of covered hours in ten-thousandths, rounded down: 10,000 only if all are. `None` without any.
    pub fn covered_share(&self) -> Option<u64> {
        let expected = self.expected();
        (expected > 0).then(|| self.covered().saturating_mul(10_000) / expected)
    }
}

/// An interface that may be a control plane's, and that is counted as none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownInterface {
    /// The interface.
    pub interface_id: String,
    /// Cluster that the inventory's description names.
    pub cluster: Option<Arc<str>>,
    /// Why it is suspected, or why it is not counted.
    pub reason: String,
    /// Whether the logs show it behave like one; else only the inventory names it.
    pub in_logs: bool,
    /// Least `start` and greatest `end` of its records, where they were kept.
    pub seen: (Option<UnixSeconds>, Option<UnixSeconds>),
}

/// A control-plane interface of the inventory without records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnseenInterface {
    /// The interface.
    pub eni: EniIndex,
    /// Its hours by state: none of them is logged.
    pub by_state: BTreeMap<State, u64>,
    /// Configured flow logs that should have recorded it; sorted.
    pub flow_logs: Vec<String>,
}

/// What is known of how a bucket is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketCustody {
    /// The bucket.
    pub bucket: String,
    /// Whether logs of this run were read from it.
    pub is_source: bool,
    /// Facts that held at any time of the period; by call and time.
    pub facts: Vec<KnownFact>,
    /// Calls that would show what is not known.
    pub unknown: Vec<&'static str>,
}

/// A fact about a bucket with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFact {
    /// The fact.
    pub fact: custody::CustodyFact,
    /// First and last instant at which it was seen.
    pub seen: (Option<UnixSeconds>, Option<UnixSeconds>),
    /// Whether sightings enclose the period; else it is carried on from the nearest one.
    pub proven: bool,
}

impl Ledger {
    /// Makes the ledger of a finished scan.
    pub fn of(logs: &Logs, egress: &Egress) -> Ledger {
        let inventory = &logs.inventory;
        let period = egress.window(logs.window);
        let closing = logs.closing.of_period(period);
        let hours = egress.summary.coverage(period, closing);
        let flow_logs = FlowLogs::of(logs, egress);
        let (deliveries, objects_without_stamp) = deliveries(logs, egress, closing, &flow_logs);
        Ledger {
            period,
            closing,
            gaps: gaps(logs, &hours, &flow_logs),
            days: days(inventory, &hours, period),
            unknown: unknown(inventory, egress),
            unseen: unseen(inventory, &hours),
            custody: bucket_custody(logs, period),
            hours,
            deliveries,
            objects_without_stamp,
            flow_logs,
        }
    }

    /// Returns the weaknesses that touch an interface's hour, by name, each once.
    pub fn weaknesses_at(&self, eni: EniIndex, hour: UnixSeconds) -> BTreeSet<&'static str> {
        let touches = |spans: &[Span]| {
            let behind = spans.partition_point(|span| (span.eni, span.from) <= (eni, hour));
            behind.checked_sub(1).and_then(|at| spans.get(at)).is_some_and(|span| span.eni == eni && hour < span.to)
        };
        self.flow_logs.touched.iter().filter(|touched| touches(&touched.spans)).map(|touched| touched.weakness.name()).collect()
    }

    /// Returns the weaknesses that touch any hour of a cluster's day, with their flow logs.
    pub fn weaknesses_on<'a>(&'a self, inventory: &'a Inventory, arn: &str, day: UnixSeconds) -> BTreeSet<(&'a str, &'a Weakness)> {
        let touches = |span: &Span| {
            let is_own = cluster_of(inventory, span.eni).is_some_and(|cluster| &*cluster.arn == arn);
            is_own && span.from < day + DAY && day < span.to
        };
        let touched = self.flow_logs.touched.iter().filter(|touched| touched.spans.iter().any(touches));
        touched.map(|touched| (touched.flow_log_id.as_str(), &touched.weakness)).collect()
    }

    /// Returns whether any hour is a gap, or silent without anybody knowing why.
    pub fn has_gaps(&self) -> bool {
        self.hours.iter().any(|hour| hour.state.is_unlogged())
    }
}

/// Returns the cluster of a control-plane interface.
pub fn cluster_of(inventory: &Inventory, eni: EniIndex) -> Option<&Cluster> {
    inventory.clusters().get(inventory.enis().get(eni as usize)?.cluster? as usize)
}

fn day_of(t: UnixSeconds) -> UnixSeconds {
    t.div_euclid(DAY) * DAY
}

/// Configured flow logs that watch an interface, its subnet or its VPC; sorted.
fn flow_logs_on(inventory: &Inventory, eni: &Eni) -> Vec<String> {
    let places = [Some(&eni.id), eni.subnet_id.as_ref(), eni.vpc_id.as_ref()];
    let watches = |resource: &Arc<str>| places.iter().flatten().any(|place| *place == resource);
    let on = inventory.flow_logs().iter().filter(|held| held.item.resource_id.as_ref().is_some_and(watches));
    on.map(|held| held.item.id.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn gaps(logs: &Logs, hours: &[CoverageHour], flow_logs: &FlowLogs) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let is_gap = |state: State| state.is_unlogged() || matches!(state, State::SkipData | State::Late);
    for hour in hours.iter().filter(|hour| is_gap(hour.state)) {
        match gaps.last_mut() {
            Some(last) if last.span.eni == hour.eni && last.state == hour.state && last.span.to == hour.hour => last.span.to += HOUR,
            _ => {
                let span = Span { eni: hour.eni, from: hour.hour, to: hour.hour + HOUR };
                gaps.push(Gap { span, state: hour.state, objects_delivered: None });
            }
        }
    }
    count_deliveries(logs, &mut gaps, flow_logs);
    gaps
}

/// Counts the files that the flow logs of each gap's interface delivered in it.
fn count_deliveries(logs: &Logs, gaps: &mut [Gap], flow_logs: &FlowLogs) {
    let mut stamps: BTreeMap<&str, Vec<UnixSeconds>> = BTreeMap::new();
    for key in logs.inputs.iter().map(|input| &input.object.key) {
        if let (Some(id), Some(stamp)) = (key.flow_log_id.as_deref(), key.time) {
            stamps.entry(id).or_default().push(stamp);
        }
    }
    stamps.values_mut().for_each(|stamps| stamps.sort_unstable());
    let mut ids: BTreeMap<EniIndex, BTreeSet<String>> = BTreeMap::new();
    for gap in gaps {
        let of_eni = ids.entry(gap.span.eni).or_insert_with(|| {
            let configured = logs.inventory.enis().get(gap.span.eni as usize).map(|eni| flow_logs_on(&logs.inventory, eni));
            let wrote = flow_logs.used.iter().filter(|flow_log| flow_log.interfaces.contains(&gap.span.eni));
            configured.into_iter().flatten().chain(wrote.map(|flow_log| flow_log.id.clone())).filter(|id| !id.is_empty()).collect()
        });
        let count = |id: &String| {
            let stamps = stamps.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            let before = |t: UnixSeconds| stamps.partition_point(|stamp| *stamp < t) as u64;
            before(gap.span.to) - before(gap.span.from)
        };
        gap.objects_delivered = (!of_eni.is_empty()).then(|| of_eni.iter().map(count).sum());
    }
}

fn days(inventory: &Inventory, hours: &[CoverageHour], period: TimeRange) -> Vec<ClusterDay> {
    let mut days: BTreeMap<(&Arc<str>, UnixSeconds), ClusterDay> = BTreeMap::new();
    let new = |cluster: &Cluster, day| ClusterDay {
        cluster: cluster.name.clone(),
        cluster_arn: cluster.arn.clone(),
        day,
        interfaces: 0,
        by_state: BTreeMap::new(),
    };
    // A cluster of which nothing is known has its days too: nothing logged is no coverage.
    if let (Some(from), Some(to)) = (period.from, period.to) {
        let from = from.max(to.saturating_sub(super::coverage::HOURS_JUDGED_MAX * HOUR));
        for cluster in inventory.clusters() {
            let (from, to) = (from.max(cluster.valid.from), to.min(cluster.valid.to));
            for day in (day_of(from)..to).step_by(DAY as usize) {
                days.entry((&cluster.arn, day)).or_insert_with(|| new(cluster, day));
            }
        }
    }
    let mut interfaces: BTreeSet<(EniIndex, UnixSeconds)> = BTreeSet::new();
    for hour in hours {
        let Some(cluster) = cluster_of(inventory, hour.eni) else { continue };
        let day = day_of(hour.hour);
        let of_day = days.entry((&cluster.arn, day)).or_insert_with(|| new(cluster, day));
        *of_day.by_state.entry(hour.state).or_default() += 1;
        of_day.interfaces += u64::from(hour.state.is_expected() && interfaces.insert((hour.eni, day)));
    }
    days.into_values().collect()
}

fn unknown(inventory: &Inventory, egress: &Egress) -> Vec<UnknownInterface> {
    let strangers = egress.summary.suspects().map(|(id, stranger)| UnknownInterface {
        interface_id: id.to_owned(),
        cluster: None,
        reason: format!(
            "not in the inventory; {} clients on its port 443, {} hosts reached on port 10250",
            at_least(stranger.clients.len()),
            at_least(stranger.kubelets.len())
        ),
        in_logs: true,
        seen: (stranger.start_min, stranger.end_max),
    });
    let suspects = inventory.suspects().iter().map(|suspect| UnknownInterface {
        interface_id: suspect.interface_id.to_string(),
        cluster: Some(suspect.cluster_name.clone()),
        reason: suspect.reason.clone(),
        in_logs: false,
        seen: (None, None),
    });
    let mut unknown: Vec<UnknownInterface> = strangers.chain(suspects).collect();
    unknown.sort_unstable();
    unknown
}

/// Beyond a bound, peers are not remembered.
fn at_least(count: usize) -> String {
    if count >= super::collect::STRANGER_PEERS_MAX { format!("{count} or more") } else { count.to_string() }
}

fn unseen(inventory: &Inventory, hours: &[CoverageHour]) -> Vec<UnseenInterface> {
    let mut of_eni: BTreeMap<EniIndex, BTreeMap<State, u64>> = BTreeMap::new();
    for hour in hours {
        *of_eni.entry(hour.eni).or_default().entry(hour.state).or_default() += 1;
    }
    let silent = of_eni.into_iter().filter(|(_, by_state)| !by_state.keys().any(|state| state.is_logged()));
    let with_flow_logs = silent.filter_map(|(at, by_state)| {
        let eni = inventory.enis().get(at as usize).filter(|eni| eni.kind == InterfaceKind::EksControlPlane)?;
        Some(UnseenInterface { eni: at, by_state, flow_logs: flow_logs_on(inventory, eni) })
    });
    with_flow_logs.collect()
}

fn bucket_custody(logs: &Logs, period: TimeRange) -> Vec<BucketCustody> {
    let mut buckets: BTreeMap<&str, bool> = BTreeMap::new();
    logs.inventory.custody().iter().for_each(|held| _ = buckets.insert(&held.item.bucket, false));
    let read: BTreeSet<&str> = logs.inputs.iter().filter_map(|input| input.object.key.flow_log_id.as_deref()).collect();
    let of_flow_logs = logs.inventory.flow_logs().iter().filter(|held| read.contains(&*held.item.id));
    buckets.extend(of_flow_logs.filter_map(|held| bucket_of(held.item.destination.as_deref()?)).map(|bucket| (bucket, false)));
    buckets.extend(logs.inputs.iter().filter_map(|input| bucket_of(&input.object.uri)).map(|bucket| (bucket, true)));
    let of_bucket = |(bucket, is_source): (&str, bool)| {
        let (from, to) = (period.from.unwrap_or(i64::MIN), period.to.unwrap_or(i64::MAX));
        let held = logs.inventory.custody().iter().filter(|held| &*held.item.bucket == bucket);
        let of_period = held.filter(|held| held.claim.valid.from < to && from < held.claim.valid.to);
        let facts: Vec<KnownFact> = of_period
            .map(|held| KnownFact {
                fact: held.item.fact.clone(),
                seen: (
                    Some(held.claim.seen.from).filter(|t| held.claim.dated && *t != i64::MIN),
                    Some(held.claim.seen.to).filter(|t| held.claim.dated && *t != i64::MAX).map(|t| t - 1),
                ),
                proven: held.claim.dated && held.claim.seen.from <= from && to <= held.claim.seen.to,
            })
            .collect();
        let is_known = |call: &&str| facts.iter().any(|known| known.fact.call() == *call);
        let unknown = FACTS.into_iter().filter(|call| !is_known(call)).collect();
        BucketCustody { bucket: bucket.to_owned(), is_source, facts, unknown }
    };
    buckets.into_iter().map(of_bucket).collect()
}
