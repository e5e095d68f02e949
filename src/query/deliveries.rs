//! What was delivered: for each flow log, account and region the five-minute grid of its files, and what is missing in it.
//!
//! AWS publishes to S3 every five minutes, in any number of files; the stamp of a name is the period in which its records end
//! (VPC user guide, "Flow log files"). A period in which no record ended has no file, so a missing period alone proves nothing: it
//! is judged by what the flow log recorded of control-plane interfaces, which are never idle, in the hours around it. Spans
//! are kept, never single periods. Rests on names only: no object is opened for it.

use super::biflow::EniIndex;
use super::coverage::Closing;
use super::flow_log_use::{FlowLogUse, FlowLogs};
use super::{Egress, Logs};
use crate::source::key::{INTERVAL_MAX_S, STAMP_BUCKET_S};
use crate::time::{HOUR, UnixSeconds, hour_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a missing span means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// It is shorter than the flow log's aggregation interval: none of its records need have ended in it.
    NothingDue,
    /// The flow log recorded control-plane interfaces in every hour that the span touches: files may be missing, or there was
    /// nothing to publish.
    LoggedAround,
    /// In an hour that the span touches the flow log recorded no control-plane interface: what it should hold is not there.
    Silent,
    /// The flow log recorded no control-plane interface in the period at all, so its silence cannot be judged.
    NotJudged,
}

impl Judgement {
    /// Returns the judgement as tables write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Judgement::NothingDue => "nothing-due",
            Judgement::LoggedAround => "logged-around",
            Judgement::Silent => "silent",
            Judgement::NotJudged => "not-judged",
        }
    }
}

/// Periods one after another without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// First second of the first.
    pub from: UnixSeconds,
    /// First second after the last.
    pub to: UnixSeconds,
    /// What that means.
    pub judgement: Judgement,
}

impl Missing {
    /// Returns how many periods of five minutes it has.
    pub fn periods(&self) -> i64 {
        (self.to - self.from) / STAMP_BUCKET_S
    }
}

/// What bounds a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The period that was asked for.
    Period,
    /// The first or last file: nothing says that the flow log existed before or after.
    File,
    /// The flow log was created or deleted then, or another took over.
    Life,
    /// Files of later periods may still arrive.
    Settling,
}

impl Bound {
    /// Returns the bound as tables write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Bound::Period => "period",
            Bound::File => "file",
            Bound::Life => "life",
            Bound::Settling => "settling",
        }
    }
}

/// The files of one flow log in one account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `fl-…`; empty where keys name none.
    pub flow_log_id: String,
    /// Account of the keys.
    pub account_id: Option<Arc<str>>,
    /// Region of the keys.
    pub region: Option<Arc<str>>,
    /// Objects with a stamp.
    pub objects: u64,
    /// First second of the grid, and what bounds it.
    pub from: (UnixSeconds, Bound),
    /// First second after the grid, and what bounds it.
    pub to: (UnixSeconds, Bound),
    /// Objects outside the grid: the listing has a margin for late records.
    pub objects_outside: u64,
    /// Periods of the grid with at least one object.
    pub periods_delivered: i64,
    /// Most objects of one period.
    pub objects_max: u64,
    /// Periods without an object, as spans in order.
    pub missing: Vec<Missing>,
}

impl Delivery {
    /// Returns the periods of the grid.
    pub fn periods_expected(&self) -> i64 {
        (self.to.0 - self.from.0).max(0) / STAMP_BUCKET_S
    }
}

type Group = (String, Option<Arc<str>>, Option<Arc<str>>);

/// Returns the deliveries, by flow log, account and region, and how many objects have no stamp.
pub fn deliveries(logs: &Logs, egress: &Egress, closing: Closing, flow_logs: &FlowLogs) -> (Vec<Delivery>, u64) {
    let mut stamps: BTreeMap<Group, Vec<UnixSeconds>> = BTreeMap::new();
    let mut without_stamp = 0;
    for key in logs.inputs.iter().map(|input| &input.object.key) {
        let Some(stamp) = key.time else {
            without_stamp += 1;
            continue;
        };
        let group = (key.flow_log_id.as_deref().unwrap_or_default().to_owned(), key.account.clone(), key.region.clone());
        stamps.entry(group).or_default().push(period_of(stamp));
    }
    let recorded = recorded_hours(egress, flow_logs);
    let none = (FlowLogUse::default(), BTreeSet::new());
    let of_group = |(group, mut stamps): (Group, Vec<UnixSeconds>)| {
        stamps.sort_unstable();
        let flow_log = flow_logs.find(&group.0).unwrap_or(&none.0);
        let hours = recorded.get(group.0.as_str()).unwrap_or(&none.1);
        delivery(group, &stamps, bounds(logs, closing, flow_log, flow_logs, &stamps), flow_log, hours)
    };
    (stamps.into_iter().map(of_group).collect(), without_stamp)
}

fn period_of(t: UnixSeconds) -> UnixSeconds {
    t.div_euclid(STAMP_BUCKET_S) * STAMP_BUCKET_S
}

/// The hours in which each flow log recorded any control-plane interface.
fn recorded_hours<'a>(egress: &'a Egress, flow_logs: &FlowLogs) -> BTreeMap<&'a str, BTreeSet<UnixSeconds>> {
    let interfaces: BTreeSet<EniIndex> = flow_logs.used.iter().flat_map(|flow_log| &flow_log.interfaces).copied().collect();
    let mut hours: BTreeMap<&str, BTreeSet<UnixSeconds>> = BTreeMap::new();
    for (hour, logs) in interfaces.iter().flat_map(|eni| egress.summary.logged_hours(*eni)) {
        for (flow_log, covered) in logs {
            let of_log = hours.entry(egress.summary.flow_log_id(*flow_log)).or_default();
            of_log.insert(hour);
            // A file holds what ends in its period, which may have begun in the hour before.
            of_log.extend(covered.end_max.map(hour_of));
        }
    }
    hours
}

type Bounds = ((UnixSeconds, Bound), (UnixSeconds, Bound));

/// From when to when files are expected.
fn bounds(logs: &Logs, closing: Closing, flow_log: &FlowLogUse, flow_logs: &FlowLogs, stamps: &[UnixSeconds]) -> Bounds {
    let (first, last) = (stamps.first().copied().unwrap_or(0), stamps.last().copied().unwrap_or(0));
    let configuration = flow_log.configuration.as_ref();
    let created = configuration.and_then(|configuration| configuration.created_at).map(period_of);
    let from = match (logs.window.from.map(period_of), created) {
        (Some(from), Some(created)) if created > from => (created, Bound::Life),
        (Some(from), Some(_)) => (from, Bound::Period),
        (from, _) => (first.max(from.unwrap_or(first)), Bound::File),
    };
    // A flow log that the inventory shows to the end of the period was there to deliver.
    let took_over = flow_log.replaced_by.iter().filter_map(|id| flow_logs.find(id)?.first_start).min().map(period_of);
    let outlives = |to: UnixSeconds| flow_log.listed.1.is_none_or(|seen| seen >= to);
    let to = match logs.window.to.map(|to| period_of(to + STAMP_BUCKET_S - 1)) {
        Some(to) => match took_over {
            Some(end) if end < to => (end.max(last + STAMP_BUCKET_S), Bound::Life),
            _ if configuration.is_some() && outlives(to) => (to, Bound::Period),
            _ => (to.min(last + STAMP_BUCKET_S), Bound::File),
        },
        None => (last + STAMP_BUCKET_S, Bound::File),
    };
    let settled = closing.as_of.map_or(i64::MAX, |as_of| period_of(as_of.saturating_sub(closing.settle_s)));
    let due = settled.max(last + STAMP_BUCKET_S);
    let to = if due < to.0 { (due, Bound::Settling) } else { to };
    // Of a flow log whose files all lie in the margin of the listing the grid is empty.
    (from, (to.0.max(from.0), to.1))
}

fn delivery(group: Group, stamps: &[UnixSeconds], (from, to): Bounds, flow_log: &FlowLogUse, hours: &BTreeSet<UnixSeconds>) -> Delivery {
    let interval = flow_log.configuration.as_ref().and_then(|configuration| configuration.aggregation_max_s).unwrap_or(INTERVAL_MAX_S);
    let judge = |from: UnixSeconds, to: UnixSeconds| match () {
        () if to - from < interval => Judgement::NothingDue,
        () if hours.is_empty() => Judgement::NotJudged,
        () if (hour_of(from)..to).step_by(HOUR as usize).all(|hour| hours.contains(&hour)) => Judgement::LoggedAround,
        () => Judgement::Silent,
    };
    let mut missing = Vec::new();
    let mut next = from.0;
    let (mut delivered, mut objects_max, mut outside) = (0, 0, 0);
    let mut rest = stamps;
    while let Some(stamp) = rest.first() {
        let count = rest.iter().take_while(|other| *other == stamp).count();
        rest = rest.get(count..).unwrap_or_default();
        if *stamp < from.0 || *stamp >= to.0 {
            outside += count as u64;
            continue;
        }
        if *stamp > next {
            missing.push(Missing { from: next, to: *stamp, judgement: judge(next, *stamp) });
        }
        next = stamp + STAMP_BUCKET_S;
        delivered += 1;
        objects_max = objects_max.max(count as u64);
    }
    if next < to.0 {
        missing.push(Missing { from: next, to: to.0, judgement: judge(next, to.0) });
    }
    let (flow_log_id, account_id, region) = group;
    Delivery {
        flow_log_id,
        account_id,
        region,
        objects: stamps.len() as u64,
        from,
        to,
        objects_outside: outside,
        periods_delivered: delivered,
        objects_max,
        missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(stamps: &[i64], from: i64, to: i64, interval: Option<i64>, hours: &[i64]) -> Delivery {
        let configuration = crate::inventory::model::FlowLog {
            id: "fl-0a".into(),
            resource_id: None,
            log_format: None,
            tag_fields: crate::inventory::tags::Tags::new(),
            traffic_type: None,
            aggregation_max_s: interval,
            status: None,
            deliver_status: None,
            destination: None,
            created_at: None,
        };
        let flow_log = FlowLogUse { configuration: Some(configuration), ..FlowLogUse::default() };
        let group = ("fl-0a".to_owned(), None, None);
        delivery(group, stamps, ((from, Bound::Period), (to, Bound::Period)), &flow_log, &hours.iter().copied().collect())
    }

    #[test]
    fn periods_without_a_file_are_spans() {
        // Periods 0, 300, 600 (twice), 1,500 of a grid 0..2,100: missing are 900..1,500 and 1,800..2,100.
        let delivery = made(&[0, 300, 600, 600, 1_500, 2_100], 0, 2_100, Some(600), &[0]);
        let spans: Vec<_> = delivery.missing.iter().map(|span| (span.from, span.to, span.periods(), span.judgement)).collect();
        assert_eq!(spans, [(900, 1_500, 2, Judgement::LoggedAround), (1_800, 2_100, 1, Judgement::NothingDue)]);
        assert_eq!((delivery.periods_expected(), delivery.periods_delivered, delivery.objects_max), (7, 4, 2));
        assert_eq!((delivery.objects, delivery.objects_outside), (6, 1));
    }

    #[test]
    fn a_missing_span_is_judged_by_the_hours_that_it_touches() {
        let judged = |stamps: &[i64], interval, hours: &[i64]| made(stamps, 0, 10_800, interval, hours).missing.last().unwrap().judgement;
        // All of 300..10,800: the hours 0, 3,600 and 7,200.
        assert_eq!(judged(&[0], None, &[0, 3_600, 7_200]), Judgement::LoggedAround);
        assert_eq!(judged(&[0], None, &[0, 7_200]), Judgement::Silent, "an hour between is silent");
        assert_eq!(judged(&[0], None, &[]), Judgement::NotJudged);
        // 10,500..10,800 is shorter than ten minutes, not than one.
        let all_but_the_last: Vec<i64> = (0..35).map(|at| at * 300).collect();
        assert_eq!(judged(&all_but_the_last, None, &[0, 3_600, 7_200]), Judgement::NothingDue);
        assert_eq!(judged(&all_but_the_last, Some(60), &[0, 3_600, 7_200]), Judgement::LoggedAround);
    }
}
