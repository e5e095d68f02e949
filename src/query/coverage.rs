//! Control-plane interface × hour: what the logs show of each hour in which an interface should have logged.
//!
//! An hour with records is what its records say. A silent one is judged: control-plane interfaces are never idle, so silence
//! of one that is known to have existed is a gap; silence where the inventory only carries its nearest snapshot on is unknown;
//! and silence that a late delivery may still fill is late. Delivery to S3 is best effort and has no bound (VPC user guide,
//! "Flow log limitations"), so an hour is closed by a delay that the caller chooses, counted from an instant that the caller
//! gives: nothing here reads a clock.

use super::biflow::EniIndex;
use super::collect::Covered;
use super::summary::Summary;
use crate::inventory::{Eni, InterfaceKind};
use crate::time::{DAY, HOUR, TimeRange, UnixSeconds, hour_of};
use std::collections::BTreeMap;

/// Hours judged for an interface, from the period's end back: three years. One record with a wild start must not make gaps
/// of half a century.
pub const HOURS_JUDGED_MAX: i64 = 3 * 366 * 24;
/// Part of an hour that an interface must have lived in for the hour to be expected in its log: one aggregation interval.
const EXPECTED_SECONDS_MIN: i64 = 600;
/// How long after its end an hour may still receive records, if nobody says otherwise.
pub const SETTLE_DEFAULT_S: i64 = DAY;

/// What the logs show of one interface's hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Traffic was recorded.
    Ok,
    /// AWS wrote that there was no traffic, and nothing else.
    NoData,
    /// AWS wrote that records were lost; one such record can stand for many.
    SkipData,
    /// The interface existed, and no record of it is there.
    Gap,
    /// No record yet, and the settle delay is not over.
    Late,
    /// The interface did not exist, or for less than one aggregation interval.
    NotApplicable,
    /// No record, and nobody knows whether the interface existed.
    Unknown,
}

impl State {
    /// Every state, in the order of tables.
    pub const ALL: [State; 7] = [State::Ok, State::NoData, State::SkipData, State::Gap, State::Late, State::Unknown, State::NotApplicable];

    /// Returns the state as tables write it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::NoData => "NODATA",
            State::SkipData => "SKIPDATA",
            State::Gap => "GAP",
            State::Late => "LATE",
            State::NotApplicable => "N/A",
            State::Unknown => "UNKNOWN",
        }
    }

    /// Returns whether logging was shown to be live in the hour, perhaps with losses.
    pub fn is_logged(self) -> bool {
        matches!(self, State::Ok | State::NoData | State::SkipData)
    }

    /// Returns whether the hour counts for or against coverage.
    pub fn is_expected(self) -> bool {
        self != State::NotApplicable
    }

    /// Returns whether an hour without records is to be answered for: a gap, or silence that nobody can explain.
    pub fn is_unlogged(self) -> bool {
        matches!(self, State::Gap | State::Unknown)
    }
}

/// When hours are closed: from then on a silent one is no longer late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// The instant as of which the logs were complete enough to be listed; `None`: long after the period.
    pub as_of: Option<UnixSeconds>,
    /// Seconds after its end in which an hour may still receive records.
    pub settle_s: i64,
}

impl Default for Closing {
    fn default() -> Closing {
        Closing { as_of: None, settle_s: SETTLE_DEFAULT_S }
    }
}

impl Closing {
    /// Returns whether records of an hour may still arrive.
    pub fn is_open(&self, hour: UnixSeconds) -> bool {
        self.as_of.is_some_and(|as_of| hour.saturating_add(HOUR) > as_of.saturating_sub(self.settle_s))
    }

    /// Returns the same closing with the earliest instant at which every hour of a period is closed, if `as_of` is later: what
    /// follows is the same, and no longer depends on when a run was made.
    #[must_use]
    pub fn of_period(self, period: TimeRange) -> Closing {
        let closed = period.to.map(|to| hour_end(to).saturating_add(self.settle_s));
        Closing { as_of: self.as_of.map(|as_of| closed.map_or(as_of, |closed| as_of.min(closed))), ..self }
    }
}

/// First instant after the hours that a period reaches into.
pub fn hour_end(to: UnixSeconds) -> UnixSeconds {
    hour_of(to.saturating_add(HOUR - 1))
}

/// One interface's hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageHour {
    /// The interface.
    pub eni: EniIndex,
    /// First second of the hour.
    pub hour: UnixSeconds,
    /// What the logs show of it.
    pub state: State,
    /// What was logged, over all flow logs.
    pub covered: Covered,
}

impl CoverageHour {
    /// Returns the records of the hour, of whatever status, over all flow logs.
    pub fn records(&self) -> u64 {
        self.covered.ok + self.covered.nodata + self.covered.skipdata
    }
}

impl Summary {
    /// Returns the state of every hour of `window` for each control-plane interface that may have existed in any of them, by
    /// interface and hour.
    pub fn coverage(&self, window: TimeRange, closing: Closing) -> Vec<CoverageHour> {
        let control_planes = self.inventory.enis().iter().enumerate().filter(|(_, eni)| eni.kind == InterfaceKind::EksControlPlane);
        control_planes.flat_map(|(at, eni)| self.hours_of(at as EniIndex, eni, window, closing)).collect()
    }

    fn hours_of(&self, index: EniIndex, eni: &Eni, window: TimeRange, closing: Closing) -> Vec<CoverageHour> {
        let (Some(from), Some(to)) = (window.from, window.to) else { return Vec::new() };
        let from = from.max(to.saturating_sub(HOURS_JUDGED_MAX * HOUR));
        let logged: BTreeMap<UnixSeconds, Covered> = self.logged_hours(index).map(|(hour, logs)| (hour, together(logs))).collect();
        let life = (from.max(eni.possible.from), to.min(eni.possible.to));
        if life.0 >= life.1 && logged.is_empty() {
            return Vec::new();
        }
        let known = known_life(eni, logged.values());
        let due = EXPECTED_SECONDS_MIN.min(life.1.saturating_sub(life.0)).max(1);
        let state = |hour: UnixSeconds, covered: &Covered| match covered {
            Covered { skipdata: 1.., .. } => State::SkipData,
            Covered { ok: 1.., .. } => State::Ok,
            Covered { nodata: 1.., .. } => State::NoData,
            _ if seconds_in(hour, life) < due => State::NotApplicable,
            _ if closing.is_open(hour) => State::Late,
            _ if seconds_in(hour, (life.0.max(known.0), life.1.min(known.1))) >= due => State::Gap,
            _ => State::Unknown,
        };
        // Records without a time stand in hour 0, which no window has unless its own start lies there.
        let early = logged.range(..hour_of(from)).filter(|(_, covered)| covered.start_min.is_some()).map(|(hour, _)| *hour);
        let judged = early.chain((hour_of(from)..hour_end(to)).step_by(HOUR as usize));
        let of_hour = |hour: UnixSeconds| {
            let covered = logged.get(&hour).copied().unwrap_or_default();
            CoverageHour { eni: index, hour, state: state(hour, &covered), covered }
        };
        let hours: Vec<CoverageHour> = judged.map(of_hour).collect();
        if hours.iter().any(|hour| hour.state.is_expected()) { hours } else { Vec::new() }
    }

    /// Returns the hours in which flow logs wrote of an interface, with what each of them wrote.
    pub fn logged_hours(&self, eni: EniIndex) -> impl Iterator<Item = (UnixSeconds, &BTreeMap<u32, Covered>)> {
        self.collector.coverage.range((eni, i64::MIN)..=(eni, i64::MAX)).map(|((_, hour), logs)| (*hour, logs))
    }

    /// Returns the flow logs that count for an interface in an hour; those set aside as duplicates are not among them.
    pub fn counted_in(&self, eni: EniIndex, hour: UnixSeconds) -> &[u32] {
        self.counted.get(&(eni, hour)).map_or(&[], |counted| counted)
    }

    /// Returns the id of a flow log; empty for objects whose key names none.
    pub fn flow_log_id(&self, flow_log: u32) -> &str {
        self.collector.flow_logs.get(flow_log)
    }
}

/// What all flow logs wrote together.
fn together(logs: &BTreeMap<u32, Covered>) -> Covered {
    let mut all = Covered::default();
    for of_log in logs.values() {
        all.ok += of_log.ok;
        all.nodata += of_log.nodata;
        all.skipdata += of_log.skipdata;
        all.bytes = all.bytes.saturating_add(of_log.bytes);
        all.start_min = all.start_min.into_iter().chain(of_log.start_min).min();
        all.end_max = all.end_max.max(of_log.end_max);
        all.fields_max = all.fields_max.max(of_log.fields_max);
    }
    all
}

/// The part of its life in which an interface is known to have existed: between the instants that prove it, which are create,
/// attach and delete times, sightings in the inventory, and its own records (ids are never reused). Empty if nothing does.
fn known_life<'a>(eni: &Eni, logged: impl Iterator<Item = &'a Covered>) -> (UnixSeconds, UnixSeconds) {
    let mut proofs: Vec<UnixSeconds> = eni.known_from.into_iter().chain(eni.known_to).collect();
    proofs.extend(logged.flat_map(|covered| covered.start_min.into_iter().chain(covered.end_max)));
    (proofs.iter().copied().min().unwrap_or(i64::MAX), proofs.iter().copied().max().unwrap_or(i64::MIN))
}

/// Seconds of an hour that lie in a half-open range.
fn seconds_in(hour: UnixSeconds, (from, to): (UnixSeconds, UnixSeconds)) -> i64 {
    to.min(hour.saturating_add(HOUR)).saturating_sub(from.max(hour)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_open_until_the_delay_after_its_end_is_over() {
        let open = |as_of: Option<i64>, settle_s: i64, hour: i64| Closing { as_of, settle_s }.is_open(hour);
        assert!(!open(None, DAY, 0), "without an instant everything is long over");
        // The hour 0 ends at 3,600 and is closed at 3,600 + 7,200.
        assert!(open(Some(10_799), 7_200, 0));
        assert!(!open(Some(10_800), 7_200, 0));
        assert!(open(Some(3_599), 0, 0) && !open(Some(3_600), 0, 0), "without a delay an hour is open while it runs");
    }

    #[test]
    fn a_period_that_is_closed_no_longer_depends_on_the_instant() {
        let period = TimeRange { from: Some(0), to: Some(5_000) };
        let of = |as_of| Closing { as_of, settle_s: 100 }.of_period(period).as_of;
        // The last hour that the period reaches into ends at 7,200.
        assert_eq!((of(Some(1_000_000)), of(Some(7_301)), of(Some(7_299)), of(None)), (Some(7_300), Some(7_300), Some(7_299), None));
    }

    #[test]
    fn seconds_of_an_hour_in_a_range() {
        assert_eq!(seconds_in(3_600, (0, 10_000)), 3_600);
        assert_eq!(seconds_in(3_600, (4_000, 4_600)), 600);
        assert_eq!(seconds_in(3_600, (i64::MAX, i64::MIN)), 0);
        assert_eq!(seconds_in(3_600, (i64::MIN, i64::MAX)), 3_600);
    }
}
