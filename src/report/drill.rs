//! `report egress --compare`: what changed in outcomes between two periods, so that a failure drill can be read off.
//!
//! The rule stands here once, and in words in docs/egress.md: rates decide, not single connections; and what was not seen while
//! the logs have a gap is not gone. Everything else of the report is that of the later period.

use super::cells::{Cells, cells};
use super::cluster_labels::ClusterLabels;
use super::document::Section;
use super::page::{self, table};
use super::{Report, egress, sections};
use crate::error::Result;
use crate::query::{Engine, Logs};
use crate::time::{TimeRange, rfc3339};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::{concat_batches, interleave};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Changes that the page shows; the other formats hold all.
const CHANGES_SHOWN_MAX: usize = 40;
/// An outcome of at most one connection in so many is passed over: retries and restarts are no change.
const PASSED_OVER: i64 = 10;
/// Counts of outcomes, in the order of the columns: answered first.
const COUNTS: [&str; 5] = ["answered", "unanswered", "refused", "rejected", "reply_blocked"];
/// How they are called, and which of two equally frequent failures names the outcome: the one closest to home.
const NAMES: [&str; 5] = ["answered", "unanswered", "refused", "rejected", "reply-blocked"];
const CLOSEST_FIRST: [usize; 4] = [3, 4, 2, 1];
/// Columns that say which destination a row is for: of one that was not seen again they are those of the earlier period.
const OF_DESTINATION: [&str; 11] =
    ["cluster", "cluster_arn", "account_id", "region", "vpc_id", "dst_addr", "dst_port", "protocol", "dst_name", "dst_kind", "path"];

/// How the connections with a destination ended, in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    /// 0 answered, 1 in part, 2 not.
    rank: u8,
    name: String,
}

/// Returns the outcome that counts of connections stand for; `None` of none.
fn outcome(counts: [i64; 5]) -> Option<Outcome> {
    let total: i64 = counts.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let [answered, ..] = counts;
    let failed = total.saturating_sub(answered);
    let of = |at: &usize| counts.get(*at).copied().unwrap_or(0);
    // The last of equal maxima wins, so they stand from the farthest to the closest.
    let worst = CLOSEST_FIRST.iter().rev().max_by_key(|at| of(at)).and_then(|at| NAMES.get(*at)).copied().unwrap_or("unanswered");
    match (total, failed.saturating_mul(PASSED_OVER) <= total, answered.saturating_mul(PASSED_OVER) <= total) {
        (0, ..) => None,
        (_, true, _) => Some(Outcome { rank: 0, name: "answered".to_owned() }),
        (_, _, true) => Some(Outcome { rank: 2, name: worst.to_owned() }),
        _ => Some(Outcome { rank: 1, name: format!("partly {worst}") }),
    }
}

/// A destination of one period.
#[derive(Debug, Clone)]
struct Seen {
    row: usize,
    counts: [i64; 5],
    connections: i64,
    outcome: Option<Outcome>,
}

/// What became of a destination: in words, and how far up it stands.
fn change(before: Option<&Option<Outcome>>, after: Option<&Option<Outcome>>, gaps: (bool, bool)) -> (String, u8) {
    match (before, after) {
        (Some(None), Some(None)) => ("unchanged".to_owned(), 5),
        (Some(Some(before)), Some(Some(after))) if before == after => ("unchanged".to_owned(), 5),
        (Some(before), Some(after)) => {
            let name = |outcome: &Option<Outcome>| outcome.as_ref().map_or_else(|| "undecided".to_owned(), |one| one.name.clone());
            let rank = |outcome: &Option<Outcome>| outcome.as_ref().map_or(0, |one| one.rank);
            (format!("{} → {}", name(before), name(after)), u8::from(rank(after) <= rank(before)))
        }
        (None, after) => {
            let failing = after.is_some_and(|after| after.as_ref().is_some_and(|one| one.rank > 0));
            let words = if gaps.0 { "new, but the logs before have gaps" } else { "new" };
            (words.to_owned(), if failing { 2 } else { 4 })
        }
        (Some(_), None) => (if gaps.1 { "not seen, but the logs have gaps" } else { "gone" }.to_owned(), 3),
    }
}

/// Identity of a destination: cluster ARN, address, port, protocol.
type Key = (String, String, u64, u64);

fn destinations(batch: &RecordBatch) -> BTreeMap<Key, Seen> {
    let of = |(row, cell): (usize, Cells<'_>)| {
        let key = (
            cell.text("cluster_arn").unwrap_or_default(),
            cell.text("dst_addr").unwrap_or_default(),
            cell.count("dst_port"),
            cell.count("protocol"),
        );
        let count = |name: &str| i64::try_from(cell.count(name)).unwrap_or(i64::MAX);
        let counts = COUNTS.map(count);
        (key, Seen { row, counts, connections: count("connections"), outcome: outcome(counts) })
    };
    cells(std::slice::from_ref(batch)).enumerate().map(of).collect()
}

/// Clusters of whose hours in a period some were not logged whole, or of which no hour was to be judged.
fn with_gaps(report: &Report) -> BTreeSet<String> {
    let incomplete = list(report.further.get("incomplete_objects")).next().is_some();
    let has_gap = |cluster: &&Value| {
        let any = |key: &str| list(cluster.get(key)).next().is_some();
        incomplete
            || any("gaps")
            || any("skipdata")
            || any("unknown")
            || any("late")
            || cluster.pointer("/interface_hours/expected").and_then(Value::as_u64).unwrap_or(0) == 0
    };
    let clusters = list(report.further.get("clusters")).filter(has_gap);
    clusters.filter_map(|cluster| cluster.get("cluster_arn")?.as_str().map(str::to_owned)).collect()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// A destination of either period.
struct Compared<'a> {
    key: &'a Key,
    before: Option<&'a Seen>,
    after: Option<&'a Seen>,
    change: String,
    class: u8,
}

/// Makes the report of a period, compared with an earlier one.
///
/// # Errors
/// If logs of either period cannot be read at all, or a query fails.
pub async fn report((logs, engine): (&Arc<Logs>, &Engine), (logs_before, engine_before): (&Arc<Logs>, &Engine)) -> Result<Report> {
    let before = egress::report(logs_before, engine_before).await?;
    let after = egress::report(logs, engine).await?;
    compared(&before, after)
}

fn compared(before: &Report, mut after: Report) -> Result<Report> {
    let batch_before = concat_batches(&before.schema, &before.rows)?;
    let batch_after = concat_batches(&after.schema, &after.rows)?;
    let (seen_before, seen_after) = (destinations(&batch_before), destinations(&batch_after));
    let (gaps_before, gaps_after) = (with_gaps(before), with_gaps(&after));
    let keys: BTreeSet<&Key> = seen_before.keys().chain(seen_after.keys()).collect();
    let mut rows: Vec<Compared<'_>> = keys
        .into_iter()
        .map(|key| {
            let (before, after) = (seen_before.get(key), seen_after.get(key));
            let gaps = (gaps_before.contains(&key.0), gaps_after.contains(&key.0));
            let (change, class) = change(before.map(|seen| &seen.outcome), after.map(|seen| &seen.outcome), gaps);
            Compared { key, before, after, change, class }
        })
        .collect();
    rows.sort_by(|a, b| (a.class, a.key).cmp(&(b.class, b.key)));
    let notes = notes(before, &after, &gaps_before, &gaps_after);
    after.notes.splice(0..0, notes);
    let section = section(before.period, &rows, &batch_before, &batch_after);
    // Behind the head, before the clusters.
    let at = after.page.find("\n\n").map_or(after.page.len(), |at| at + 1);
    after.page.insert_str(at, &section);
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *counted.entry(&row.change).or_default() += 1);
    after.further.insert("compared_with".into(), json!({ "from": before.period.from.map(rfc3339), "to": before.period.to.map(rfc3339) }));
    after.further.insert("changes".into(), json!(counted));
    let (schema, batch) = columns(&rows, &batch_before, &batch_after)?;
    (after.schema, after.rows) = (schema, vec![batch]);
    let mut changes = Section::new("changes", "What changed");
    changes.paragraph(format!("Outcomes of destinations, compared with {}; what changed comes first.", window(before.period)));
    changes.table(sections::rows("Destinations of both periods", &after.schema, &after.rows));
    after.document.sections.insert(0, changes);
    Ok(after)
}

fn notes(before: &Report, after: &Report, gaps_before: &BTreeSet<String>, gaps_after: &BTreeSet<String>) -> Vec<String> {
    let mut notes = vec![format!("compared with {}", window(before.period))];
    for (which, gaps) in [("the period before", gaps_before), ("the period", gaps_after)] {
        for arn in gaps {
            notes.push(format!(
                "{which} is not logged whole for {}: a destination not seen in it may still have been contacted",
                name_of(arn)
            ));
        }
    }
    let shared = before.period.intersect(after.period);
    if !shared.is_empty() {
        notes.push("the periods overlap: connections of both count in each".to_owned());
    }
    notes
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn window(period: TimeRange) -> String {
    let instant = |t: Option<i64>| t.map_or_else(|| "…".to_owned(), rfc3339);
    format!("{} to {}", instant(period.from), instant(period.to))
}

/// The columns of `report egress`, then those of the comparison.
fn columns(rows: &[Compared<'_>], before: &RecordBatch, after: &RecordBatch) -> Result<(SchemaRef, RecordBatch)> {
    let places: Vec<(usize, usize)> = rows
        .iter()
        .map(|row| match (row.after, row.before) {
            (Some(seen), _) => (0, seen.row),
            (None, Some(seen)) => (1, seen.row),
            (None, None) => (2, 0),
        })
        .collect();
    // What was not measured is nothing: counts are 0, all else is NULL.
    let empty = |kind: &DataType, rows: usize| -> ArrayRef {
        if *kind == DataType::Int64 { Arc::new(Int64Array::from(vec![0; rows])) } else { new_null_array(kind, rows) }
    };
    let mut fields: Vec<Field> = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (field, column) in after.schema().fields().iter().zip(after.columns()) {
        let earlier = match before.column_by_name(field.name()) {
            Some(column) if OF_DESTINATION.contains(&field.name().as_str()) => Arc::clone(column),
            _ => empty(field.data_type(), before.num_rows()),
        };
        arrays.push(interleave(&[column, &earlier, &empty(field.data_type(), 1)], &places)?);
        fields.push(field.as_ref().clone().with_nullable(true));
    }
    let mut add = |name: String, array: ArrayRef| {
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    };
    let texts = |of: &dyn Fn(&Compared<'_>) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let name = |seen: Option<&Seen>| seen?.outcome.as_ref().map(|one| one.name.clone());
    add(
        "before_connections".to_owned(),
        Arc::new(rows.iter().map(|row| Some(row.before.map_or(0, |seen| seen.connections))).collect::<Int64Array>()),
    );
    for (at, count) in COUNTS.iter().enumerate() {
        let of = |row: &Compared<'_>| Some(row.before.and_then(|seen| seen.counts.get(at).copied()).unwrap_or(0));
        add(format!("before_{count}"), Arc::new(rows.iter().map(of).collect::<Int64Array>()));
    }
    add("before_outcome".to_owned(), texts(&|row| name(row.before)));
    add("outcome".to_owned(), texts(&|row| name(row.after)));
    add("change".to_owned(), texts(&|row| Some(row.change.clone())));
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    Ok((Arc::clone(&schema), RecordBatch::try_new(schema, arrays)?))
}

/// "What changed", for the page.
fn section(period: TimeRange, rows: &[Compared<'_>], before: &RecordBatch, after: &RecordBatch) -> String {
    let mut text = format!("\nwhat changed since {}\n", window(period));
    let changed: Vec<&Compared<'_>> = rows.iter().filter(|row| row.change != "unchanged").collect();
    if changed.is_empty() {
        text += "  nothing: every destination was seen in both periods, with the same outcome\n";
        return text;
    }
    let labels = ClusterLabels::of(rows.iter().map(|row| (row.key.0.as_str(), name_of(&row.key.0))));
    let of = |row: &&&Compared<'_>| {
        let (arn, addr, port, protocol) = row.key;
        let batch = if row.after.is_some() { after } else { before };
        let at = row.after.or(row.before).map_or(0, |seen| seen.row);
        let cell = cells(std::slice::from_ref(batch)).nth(at);
        let what = cell.and_then(|cell| cell.text("dst_name").or_else(|| cell.text("dst_kind"))).unwrap_or_default();
        let place = if addr.contains(':') { format!("[{addr}]:{port}") } else { format!("{addr}:{port}") };
        let place = if *protocol == 6 { place } else { format!("{place}/{protocol}") };
        vec![labels.get(arn).to_owned(), place, egress::short_name(&what), counts(row.before), counts(row.after), row.change.clone()]
    };
    let cut: Vec<Vec<String>> = changed.iter().take(CHANGES_SHOWN_MAX).map(|row| of(&row)).collect();
    text += &table(
        &[
            ("cluster", false, Some(8)),
            ("destination", false, Some(18)),
            ("what", false, Some(10)),
            ("before", false, Some(12)),
            ("after", false, Some(12)),
            ("change", false, Some(22)),
        ],
        &cut,
    );
    if changed.len() > CHANGES_SHOWN_MAX {
        text += &format!("  … {} more; -o csv writes all\n", changed.len() - CHANGES_SHOWN_MAX);
    }
    let same = rows.len() - changed.len();
    if same > 0 {
        text += &format!("  unchanged: {}\n", page::plural(same as u64, "destination"));
    }
    text
}

fn counts(seen: Option<&Seen>) -> String {
    let Some(seen) = seen else { return "-".to_owned() };
    let words = seen.counts.iter().zip(NAMES).filter(|(count, _)| **count > 0).map(|(count, name)| format!("{count} {name}"));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_decide_what_an_outcome_is() {
        // answered, unanswered, refused, rejected, reply-blocked
        for (counts, want) in [
            ([100, 3, 0, 0, 0], "answered"),
            ([0, 60, 0, 0, 0], "unanswered"),
            ([9, 1, 0, 0, 0], "answered"),
            ([8, 1, 0, 0, 0], "partly unanswered"),
            ([1, 9, 0, 0, 0], "unanswered"),
            ([1, 8, 0, 0, 0], "partly unanswered"),
            ([60, 0, 40, 0, 0], "partly refused"),
            ([0, 2, 5, 1, 0], "refused"),
            ([0, 2, 2, 2, 2], "rejected"),
            ([0, 2, 2, 0, 2], "reply-blocked"),
            ([0, 2, 2, 0, 0], "refused"),
            ([1, 0, 0, 0, 0], "answered"),
            ([0, 0, 0, 0, 0], "-"),
        ] {
            assert_eq!(outcome(counts).map_or("-".to_owned(), |one| one.name), want, "{counts:?}");
        }
    }

    #[test]
    fn a_change_is_worded_and_ranked() {
        let of = |before: Option<[i64; 5]>, after: Option<[i64; 5]>, gaps: (bool, bool)| {
            change(before.map(outcome).as_ref(), after.map(outcome).as_ref(), gaps)
        };
        let check = |before, after, gaps, words: &str, class| assert_eq!(of(before, after, gaps), (words.to_owned(), class));
        let (good, dead, mixed) = (Some([100, 3, 0, 0, 0]), Some([0, 60, 0, 0, 0]), Some([50, 50, 0, 0, 0]));
        let none = (false, false);
        check(good, dead, none, "answered → unanswered", 0);
        check(good, mixed, none, "answered → partly unanswered", 0);
        check(mixed, dead, none, "partly unanswered → unanswered", 0);
        check(dead, Some([0, 0, 0, 7, 0]), none, "unanswered → rejected", 1);
        check(dead, good, none, "unanswered → answered", 1);
        check(good, Some([5, 0, 0, 0, 0]), none, "unchanged", 5);
        check(None, good, none, "new", 4);
        check(None, dead, none, "new", 2);
        check(None, good, (true, false), "new, but the logs before have gaps", 4);
        check(good, None, none, "gone", 3);
        check(good, None, (false, true), "not seen, but the logs have gaps", 3);
        check(good, None, (true, false), "gone", 3);
    }
}
