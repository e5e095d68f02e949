//! The page of `report coverage` for a terminal: a strip of hours per interface and day, then what stands behind it.

use super::coverage::{Coverage, day_of, flow_log_name};
use super::page::{self, WIDTH, plural};
use crate::error::printable;
use crate::query::coverage::{CoverageHour, State};
use crate::query::deliveries::{Delivery, Judgement};
use crate::query::flow_log_use::{FlowLogUse, Touched};
use crate::query::ledger::cluster_of;
use crate::time::{HOUR, UnixSeconds, rfc3339};
use std::collections::BTreeMap;

/// Interface-days of a cluster that are shown; where there are more, those with nothing amiss go first.
const STRIPS_SHOWN_MAX: usize = 40;
/// Lines of each of the lists below.
const LINES_SHOWN_MAX: usize = 20;

/// One character per hour.
fn mark(state: State) -> char {
    match state {
        State::Ok => '#',
        State::NoData => 'o',
        State::SkipData => 'S',
        State::Gap => 'G',
        State::Late => 'L',
        State::Unknown => '?',
        State::NotApplicable => '.',
    }
}

/// Makes the page.
pub(super) fn page(coverage: &Coverage<'_>, notes: &[String]) -> String {
    let mut page = head(coverage);
    page += &strips(coverage);
    page += &gaps(coverage);
    page += &flow_logs(coverage);
    page += &deliveries(coverage);
    page += &interfaces(coverage);
    page += &custody(coverage);
    // What the sections above say is not said again.
    let is_above = |note: &str| {
        let weak = coverage.ledger.flow_logs.touched.iter().any(|touched| note.ends_with(&touched.weakness.says()));
        weak || note.starts_with("bucket ") || note.starts_with("interfaces that behave")
    };
    page + &page::notes(notes.iter().filter(|note| !is_above(note)))
}

fn head(coverage: &Coverage<'_>) -> String {
    let instant = |t: Option<i64>| t.map_or_else(|| "…".to_owned(), rfc3339);
    let ledger = coverage.ledger;
    let by_state = coverage.by_state();
    let sum = |of: fn(State) -> bool| by_state.iter().filter(|(state, _)| of(**state)).map(|(_, hours)| hours).sum::<u64>();
    let (expected, logged) = (sum(State::is_expected), sum(State::is_logged));
    let counts: Vec<String> = State::ALL
        .into_iter()
        .filter(|state| state.is_expected())
        .filter_map(|state| Some(format!("{} {}", by_state.get(&state)?, state.as_str())))
        .collect();
    let mut head = format!("Coverage of EKS control planes, {} to {}\n", instant(ledger.period.from), instant(ledger.period.to));
    head += &match expected {
        0 => "no control-plane interface is known to have existed in the period\n".to_owned(),
        _ => format!("{logged} of {expected} interface-hours logged ({}): {}\n", percent(logged, expected), counts.join(", ")),
    };
    if let Some(as_of) = ledger.closing.as_of {
        head += &format!("as of {}; a silent hour is late until {} after its end\n", rfc3339(as_of), span(ledger.closing.settle_s));
    }
    head + &page::inputs(coverage.inputs, coverage.faults)
}

/// A span of time in its largest whole unit.
fn span(seconds: i64) -> String {
    let (unit, noun) = [(HOUR, "hour"), (60, "minute")].into_iter().find(|(unit, _)| seconds % unit == 0).unwrap_or((1, "second"));
    plural((seconds / unit).unsigned_abs(), noun)
}

/// Percent with one digit, rounded down: 100 only if all.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    if tenths == 1_000 { "100 %".to_owned() } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

/// A day of an interface.
struct Strip {
    interface: String,
    day: UnixSeconds,
    hours: Vec<(UnixSeconds, State)>,
}

impl Strip {
    fn is_whole(&self) -> bool {
        self.hours.iter().all(|(_, state)| matches!(state, State::Ok | State::NoData | State::NotApplicable))
    }

    fn line(&self) -> String {
        let mut marks = [' '; 24];
        for (hour, state) in &self.hours {
            if let Some(place) = usize::try_from((hour - self.day) / HOUR).ok().and_then(|at| marks.get_mut(at)) {
                *place = mark(*state);
            }
        }
        let parts: Vec<String> = marks.chunks(6).map(|part| part.iter().collect()).collect();
        let count = |of: fn(State) -> bool| self.hours.iter().filter(|(_, state)| of(*state)).count();
        let day = rfc3339(self.day);
        let day = day.get(..10).unwrap_or_default();
        format!(
            "  {:<21}  {day}  |{}|  {} of {}\n",
            printable(&self.interface),
            parts.join("|"),
            count(State::is_logged),
            count(State::is_expected)
        )
    }
}

fn strips(coverage: &Coverage<'_>) -> String {
    let mut by_cluster: BTreeMap<&str, BTreeMap<(u32, UnixSeconds), Vec<&CoverageHour>>> = BTreeMap::new();
    for cluster in coverage.inventory.clusters() {
        by_cluster.entry(&cluster.arn).or_default();
    }
    for hour in &coverage.ledger.hours {
        let Some(cluster) = cluster_of(coverage.inventory, hour.eni) else { continue };
        by_cluster.entry(&cluster.arn).or_default().entry((hour.eni, day_of(hour.hour))).or_default().push(hour);
    }
    let mut text = String::new();
    for (arn, days) in by_cluster {
        let clusters = coverage.inventory.clusters();
        let Some(cluster) = clusters.iter().rev().find(|cluster| &*cluster.arn == arn) else { continue };
        let place = [cluster.region.as_deref(), cluster.account_id.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let count = |of: fn(State) -> bool| days.values().flatten().filter(|hour| of(hour.state)).count() as u64;
        let (logged, expected) = (count(State::is_logged), count(State::is_expected));
        text += &match expected {
            0 => format!(
                "\n{}  {place}\n  no control-plane interface of it is known in the period: nothing shows that it was logged\n",
                printable(&cluster.name)
            ),
            _ => format!("\n{}  {place}  {} logged\n", printable(&cluster.name), percent(logged, expected)),
        };
        let strip = |((eni, day), hours): ((u32, UnixSeconds), Vec<&CoverageHour>)| Strip {
            interface: coverage.interface(eni).to_owned(),
            day,
            hours: hours.iter().map(|hour| (hour.hour, hour.state)).collect(),
        };
        let mut strips: Vec<Strip> =
            days.into_iter().map(strip).filter(|strip| strip.hours.iter().any(|(_, state)| state.is_expected())).collect();
        let all = strips.len();
        if all > STRIPS_SHOWN_MAX {
            strips.sort_by_key(Strip::is_whole);
            strips.truncate(STRIPS_SHOWN_MAX);
            strips.sort_by(|a, b| (&a.interface, a.day).cmp(&(&b.interface, b.day)));
        }
        strips.iter().for_each(|strip| text += &strip.line());
        if all > strips.len() {
            text += &format!("  … {} more interface-days; -o csv writes all\n", all - strips.len());
        }
    }
    let legend = State::ALL.map(|state| format!("{} {}", mark(state), state.as_str()));
    text + &format!("\n  {}\n", legend.join("   "))
}

/// A heading and a table, with what is left out of it.
fn section(heading: &str, columns: &[(&str, bool, Option<usize>)], mut rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let more = rows.len().saturating_sub(LINES_SHOWN_MAX);
    rows.truncate(LINES_SHOWN_MAX);
    let rest = if more > 0 { format!("  … {more} more; -o json writes all\n") } else { String::new() };
    format!("\n{heading}\n{}{rest}", page::table(columns, &rows))
}

fn gaps(coverage: &Coverage<'_>) -> String {
    let row = |gap: &crate::query::ledger::Gap| {
        let files = gap.objects_delivered.map_or_else(|| "-".to_owned(), |objects| objects.to_string());
        let span = gap.span;
        let cells = [coverage.interface(span.eni), gap.state.as_str()].map(str::to_owned).into_iter();
        cells.chain([rfc3339(span.from), rfc3339(span.to), gap.hours().to_string(), files]).collect()
    };
    let columns = [
        ("interface", false, Some(21)),
        ("state", false, None),
        ("from", false, None),
        ("to", false, None),
        ("hours", true, None),
        ("files", true, None),
    ];
    section(
        "gaps, with the files that the interface's flow logs delivered in them",
        &columns,
        coverage.ledger.gaps.iter().map(row).collect(),
    )
}

fn flow_logs(coverage: &Coverage<'_>) -> String {
    let row = |flow_log: &FlowLogUse| {
        let configuration = flow_log.configuration.as_ref();
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        let day = |t: Option<UnixSeconds>| t.map_or_else(|| "-".to_owned(), |t| rfc3339(t).get(..16).unwrap_or_default().to_owned());
        vec![
            flow_log_name(&flow_log.id).to_owned(),
            or_unknown(configuration.and_then(|found| found.traffic_type.as_deref()).map(str::to_owned)),
            or_unknown(flow_log.level().map(str::to_owned)),
            or_unknown(configuration.and_then(|found| found.aggregation_max_s).map(|seconds| format!("{seconds} s"))),
            day(flow_log.first_start),
            day(flow_log.last_end),
            flow_log.objects.to_string(),
        ]
    };
    let columns = [
        ("flow log", false, Some(20)),
        ("traffic", false, None),
        ("on", false, Some(7)),
        ("interval", true, None),
        ("first record", false, None),
        ("last record", false, None),
        ("files", true, None),
    ];
    let mut text = section("flow logs", &columns, coverage.ledger.flow_logs.used.iter().map(row).collect());
    let touched: Vec<&Touched> = coverage.ledger.flow_logs.touched.iter().filter(|touched| !touched.spans.is_empty()).collect();
    for touched in touched.iter().take(LINES_SHOWN_MAX) {
        let hours: i64 = touched.spans.iter().map(|span| (span.to - span.from) / HOUR).sum();
        let line = format!(
            "{}: {} ({})",
            flow_log_name(&touched.flow_log_id),
            touched.weakness.says(),
            plural(hours.unsigned_abs(), "interface-hour")
        );
        text += &page::wrap(&printable(&line), WIDTH);
    }
    if touched.len() > LINES_SHOWN_MAX {
        text += &format!("  … {} more; -o json writes all\n", touched.len() - LINES_SHOWN_MAX);
    }
    text
}

fn deliveries(coverage: &Coverage<'_>) -> String {
    let row = |delivery: &Delivery| {
        let of = |judgement: Judgement| delivery.missing.iter().filter(|span| span.judgement == judgement).count();
        let words = [
            (Judgement::Silent, "silent"),
            (Judgement::LoggedAround, "logged around"),
            (Judgement::NothingDue, "nothing due"),
            (Judgement::NotJudged, "not judged"),
        ];
        let missing: Vec<String> = words
            .into_iter()
            .filter(|(judgement, _)| of(*judgement) > 0)
            .map(|(judgement, word)| format!("{} {word}", of(judgement)))
            .collect();
        let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
        vec![
            flow_log_name(&delivery.flow_log_id).to_owned(),
            or_none(delivery.account_id.as_deref()),
            or_none(delivery.region.as_deref()),
            format!("{} of {}", delivery.periods_delivered, delivery.periods_expected()),
            if missing.is_empty() { "-".to_owned() } else { missing.join(", ") },
        ]
    };
    let columns = [
        ("flow log", false, Some(20)),
        ("account", false, None),
        ("region", false, Some(9)),
        ("periods", true, None),
        ("spans without a file", false, Some(12)),
    ];
    let heading = "files, by periods of five minutes; a period without a file alone proves nothing";
    section(heading, &columns, coverage.ledger.deliveries.iter().map(row).collect())
}

fn interfaces(coverage: &Coverage<'_>) -> String {
    let unknown = coverage.ledger.unknown.iter().map(|unknown| {
        let place = if unknown.in_logs { "logs only" } else { "inventory, not counted" };
        vec![unknown.interface_id.clone(), place.to_owned(), unknown.reason.clone()]
    });
    let unseen = coverage.ledger.unseen.iter().map(|unseen| {
        let states: Vec<String> = unseen.by_state.iter().map(|(state, hours)| format!("{hours} {}", state.as_str())).collect();
        let on = match &*unseen.flow_logs {
            [] => "no flow log on it is known".to_owned(),
            ids => format!("on it: {}", ids.join(", ")),
        };
        vec![coverage.interface(unseen.eni).to_owned(), "inventory only".to_owned(), format!("{}; {on}", states.join(", "))]
    });
    let columns = [("interface", false, Some(21)), ("where", false, None), ("why", false, Some(20))];
    section("interfaces that logs and inventory do not share", &columns, unknown.chain(unseen).collect())
}

fn custody(coverage: &Coverage<'_>) -> String {
    let mut text = String::new();
    for bucket in coverage.ledger.custody.iter().take(LINES_SHOWN_MAX) {
        text += &format!("  {}\n", printable(&bucket.bucket));
        for known in &bucket.facts {
            let (protection, why) = known.fact.judge();
            let held = if known.proven { "" } else { "; not shown for the whole period" };
            let line = format!("{}: {}, {}: {why}{held}", known.fact.call(), known.fact.found(), protection.as_str());
            text += &page::wrap(&printable(&line), WIDTH);
        }
        for call in &bucket.unknown {
            text += &format!("  * {call}: unknown\n");
        }
    }
    if text.is_empty() { text } else { format!("\ncustody\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY;

    #[test]
    fn a_strip_has_a_mark_per_hour() {
        let day = 20_000 * DAY;
        let hours = vec![
            (day + 2 * HOUR, State::Ok),
            (day + 3 * HOUR, State::Gap),
            (day + 4 * HOUR, State::NotApplicable),
            (day + 23 * HOUR, State::Unknown),
        ];
        let strip = Strip { interface: "eni-0a".to_owned(), day, hours };
        assert_eq!(strip.line(), "  eni-0a                 2024-10-04  |  #G. |      |      |     ?|  1 of 3\n");
        assert!(!strip.is_whole());
    }

    #[test]
    fn percent_is_rounded_down() {
        assert_eq!([percent(0, 0), percent(999_999, 1_000_000), percent(1, 1), percent(1, 3)], ["0.0 %", "99.9 %", "100 %", "33.3 %"]);
    }
}
