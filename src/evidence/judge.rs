//! Rows of findings → verdicts: per statement, cluster and UTC day, then rolled up without hiding a day.
//!
//! The order is fixed: a violation is a FAIL, whatever else was not seen; else anything that is missing or open is INDETERMINATE; PASS
//! is what remains, and only if something was shown to be live. Nothing passes for want of input.

use super::catalogue::{Definition, Need};
use super::results::{Exception, Statement, StatementDay, Verdict};
use crate::error::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use std::collections::{BTreeMap, BTreeSet};

/// One row of a statement's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Cluster.
    pub cluster_arn: String,
    /// `2026-10-01`.
    pub day: String,
    /// What was tested: a destination, an interface, an object.
    pub subject: String,
    /// What came out.
    pub finding: Finding,
    /// Why, in words.
    pub reason: String,
    /// How many items the row stands for.
    pub items: u64,
    /// `log_object:log_line` of the first record behind it.
    pub first_line: Option<String>,
}

/// What came out of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// It agrees with the statement.
    Pass,
    /// It agrees with the statement, and a reader should see it: what is claimed to be listed is listed so.
    Noted,
    /// It cannot be said.
    Indeterminate,
    /// It contradicts the statement.
    Violation,
}

/// What is known of a cluster's day before any statement is tested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Day {
    /// Cluster.
    pub cluster_arn: String,
    /// `2026-10-01`.
    pub day: String,
    /// Interface-hours in which records were due.
    pub hours_expected: u64,
    /// Of these, covered by records of traffic or of no traffic.
    pub hours_covered: u64,
    /// What keeps the day from being `CUSTOMER_ROUTED` throughout, in words.
    pub not_routed: Option<String>,
    /// Why accepted traffic is not, or not all, recorded.
    pub accepted_missing: Option<String>,
    /// Why rejected traffic is not, or not all, recorded.
    pub rejected_missing: Option<String>,
    /// Fields that a format lacks, as AWS names them.
    pub fields_missing: BTreeSet<String>,
    /// What else keeps the records of the day from being whole, in words: periods that were not delivered, objects not read whole.
    pub open: Vec<String>,
}

impl Day {
    fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::Coverage if self.hours_expected == 0 => Some("no hour of a control-plane interface was expected to be logged".to_owned()),
            Need::Coverage if self.hours_covered < self.hours_expected => {
                let missing = self.hours_expected - self.hours_covered;
                Some(format!("{missing} of {} interface-hours are not covered", self.hours_expected))
            }
            Need::Coverage => self.open.first().cloned(),
            Need::CustomerRouted => self.not_routed.clone(),
            Need::Accepted => self.accepted_missing.clone(),
            Need::Rejected => self.rejected_missing.clone(),
            Need::Field(field) => self.fields_missing.contains(field).then(|| format!("a flow log's format lacks {field}")),
        }
    }

    fn covered_per_10000(&self) -> Option<u64> {
        (self.hours_expected > 0).then(|| self.hours_covered.saturating_mul(10_000) / self.hours_expected)
    }
}

/// Judges a statement by its rows, for every day of every cluster in scope.
pub fn judge(definition: &Definition, rows: &[Row], days: &[Day]) -> (Vec<Statement>, Vec<Exception>) {
    let mut of_day: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        of_day.entry((&row.cluster_arn, &row.day)).or_default().push(row);
    }
    let mut statements: BTreeMap<&str, Vec<StatementDay>> = BTreeMap::new();
    let mut exceptions = Vec::new();
    for day in days {
        let rows = of_day.get(&(day.cluster_arn.as_str(), day.day.as_str())).map_or(&[][..], Vec::as_slice);
        statements.entry(&day.cluster_arn).or_default().push(judge_day(definition, rows, day));
        exceptions.extend(rows.iter().filter(|row| row.finding != Finding::Pass).map(|row| Exception {
            statement: definition.id.to_owned(),
            cluster_arn: row.cluster_arn.clone(),
            day: row.day.clone(),
            verdict: match row.finding {
                Finding::Violation => Verdict::Fail,
                Finding::Indeterminate => Verdict::Indeterminate,
                Finding::Pass | Finding::Noted => Verdict::Pass,
            },
            subject: row.subject.clone(),
            reason: row.reason.clone(),
            items: row.items,
            first_line: row.first_line.clone(),
        }));
    }
    exceptions.sort_by(|a, b| {
        (&a.cluster_arn, &a.day, b.verdict, &a.subject, &a.reason).cmp(&(&b.cluster_arn, &b.day, a.verdict, &b.subject, &b.reason))
    });
    (statements.into_iter().map(|(cluster_arn, days)| rolled_up(definition, cluster_arn, days)).collect(), exceptions)
}

fn judge_day(definition: &Definition, rows: &[&Row], day: &Day) -> StatementDay {
    let items = |finding| rows.iter().filter(|row| row.finding == finding).map(|row| row.items).sum::<u64>();
    let (noted, violations, indeterminate) = (items(Finding::Noted), items(Finding::Violation), items(Finding::Indeterminate));
    let passed = items(Finding::Pass) + noted;
    let lacks = definition.needs.iter().find_map(|need| day.lacks(*need));
    let is_live = definition.needs.contains(&Need::Coverage) && day.hours_covered > 0;
    let (verdict, reason) = if violations > 0 {
        (Verdict::Fail, told(rows, Finding::Violation, violations))
    } else if let Some(lacks) = lacks {
        (Verdict::Indeterminate, lacks)
    } else if indeterminate > 0 {
        (Verdict::Indeterminate, told(rows, Finding::Indeterminate, indeterminate))
    } else if passed == 0 && !is_live {
        (Verdict::Indeterminate, "there was nothing to test".to_owned())
    } else if passed == 0 {
        (Verdict::Pass, "nothing of the kind was recorded, and logging is shown to have been live".to_owned())
    } else if noted > 0 {
        (Verdict::Pass, format!("{passed} tested, none violates it; listed: {}", told(rows, Finding::Noted, noted)))
    } else {
        (Verdict::Pass, format!("{passed} tested, none violates it"))
    };
    StatementDay {
        day: day.day.clone(),
        verdict,
        reason,
        covered_per_10000: day.covered_per_10000(),
        population: passed + violations + indeterminate,
        tested: passed + violations,
        violations,
        indeterminate,
    }
}

/// Says how many items are why what they are: the most frequent reason with its first subject.
fn told(rows: &[&Row], finding: Finding, items: u64) -> String {
    let mut by_reason: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.finding == finding) {
        let (count, subject) = by_reason.entry(&row.reason).or_insert((0, &row.subject));
        *count += row.items;
        *subject = (*subject).min(&row.subject);
    }
    let Some((reason, (count, subject))) = by_reason.iter().max_by_key(|(reason, (count, _))| (*count, std::cmp::Reverse(*reason))) else {
        return String::new();
    };
    if *count == items { format!("{items}: {reason}: {subject}") } else { format!("{items}, of these {count}: {reason}: {subject}") }
}

fn rolled_up(definition: &Definition, cluster_arn: &str, days: Vec<StatementDay>) -> Statement {
    let verdict = days.iter().map(|day| day.verdict).max().unwrap_or(Verdict::Indeterminate);
    let such: Vec<&StatementDay> = days.iter().filter(|day| day.verdict == verdict).collect();
    let reason = match such.as_slice() {
        [] => "the cluster did not live in the period".to_owned(),
        [only] if days.len() == 1 => only.reason.clone(),
        [first, ..] => format!("{} of {} days; {}: {}", such.len(), days.len(), first.day, first.reason),
    };
    let sum = |of: fn(&StatementDay) -> u64| days.iter().map(of).sum();
    Statement {
        id: definition.id.to_owned(),
        text: definition.text().to_owned(),
        cluster_arn: cluster_arn.to_owned(),
        verdict,
        reason,
        population: sum(|day| day.population),
        tested: sum(|day| day.tested),
        violations: sum(|day| day.violations),
        indeterminate: sum(|day| day.indeterminate),
        sql: definition.path(),
        days,
    }
}

/// Reads the rows of a statement.
///
/// # Errors
/// If a column is missing or a finding is none: a fault of the statement's SQL.
pub fn rows(definition: &Definition, batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let fault = |what: &str| Error::failed(format!("statement {} yields {what}; this is a fault of flowproof", definition.id));
    let mut rows = Vec::new();
    for batch in batches {
        let texts = |name: &str| -> Result<Vec<Option<String>>> {
            let column = batch.column_by_name(name).ok_or_else(|| fault(&format!("no column {name}")))?;
            let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8)?;
            Ok(column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
        };
        let items = batch.column_by_name("items").ok_or_else(|| fault("no column items"))?;
        let items = arrow::compute::cast(items, &arrow::datatypes::DataType::Int64)?;
        let (clusters, days, subjects) = (texts("cluster_arn")?, texts("day")?, texts("subject")?);
        let (findings, reasons, lines) = (texts("finding")?, texts("reason")?, texts("first_line")?);
        for at in 0..batch.num_rows() {
            let text = |column: &[Option<String>]| column.get(at).cloned().flatten().unwrap_or_default();
            let finding = match text(&findings).as_str() {
                "pass" => Finding::Pass,
                "noted" => Finding::Noted,
                "violation" => Finding::Violation,
                "indeterminate" => Finding::Indeterminate,
                other => return Err(fault(&format!("the finding {other:?}"))),
            };
            rows.push(Row {
                cluster_arn: text(&clusters),
                day: text(&days),
                subject: text(&subjects),
                finding,
                reason: text(&reasons),
                items: if items.is_valid(at) { items.as_primitive::<Int64Type>().value(at).unsigned_abs() } else { 0 },
                first_line: lines.get(at).cloned().flatten(),
            });
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::CATALOGUE;
    use super::*;

    fn definition(needs: &'static [Need]) -> Definition {
        Definition { id: "X1", sql: "-- statement: It holds.\n", needs }
    }

    fn row(finding: Finding, items: u64) -> Row {
        let reason = format!("{finding:?}").to_lowercase();
        Row { cluster_arn: "a".into(), day: "2026-10-05".into(), subject: "s".into(), finding, reason, items, first_line: None }
    }

    fn whole() -> Day {
        Day { cluster_arn: "a".into(), day: "2026-10-05".into(), hours_expected: 48, hours_covered: 48, ..Day::default() }
    }

    #[track_caller]
    fn check(needs: &'static [Need], rows: &[Row], day: Day, expected: (Verdict, &str)) {
        let (statements, _) = judge(&definition(needs), rows, &[day]);
        assert_eq!(statements.iter().map(|one| (one.verdict, one.reason.as_str())).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn a_violation_goes_before_a_hole_and_a_hole_before_a_pass() {
        use Finding::{Indeterminate, Pass, Violation};
        const NEEDS: &[Need] = &[Need::Coverage];
        let gap = || Day { hours_covered: 47, ..whole() };
        let all = [row(Pass, 5), row(Indeterminate, 2), row(Violation, 1)];
        check(NEEDS, &all, gap(), (Verdict::Fail, "1: violation: s"));
        check(NEEDS, &all[..2], gap(), (Verdict::Indeterminate, "1 of 48 interface-hours are not covered"));
        check(NEEDS, &all[..2], whole(), (Verdict::Indeterminate, "2: indeterminate: s"));
        check(NEEDS, &all[..1], gap(), (Verdict::Indeterminate, "1 of 48 interface-hours are not covered"));
        check(NEEDS, &all[..1], whole(), (Verdict::Pass, "5 tested, none violates it"));
    }

    #[test]
    fn nothing_passes_for_want_of_input() {
        check(&[], &[], whole(), (Verdict::Indeterminate, "there was nothing to test"));
        let live = "nothing of the kind was recorded, and logging is shown to have been live";
        check(&[Need::Coverage], &[], whole(), (Verdict::Pass, live));
        let none = Day { hours_expected: 0, hours_covered: 0, ..whole() };
        let reason = "no hour of a control-plane interface was expected to be logged";
        check(&[Need::Coverage], &[], none, (Verdict::Indeterminate, reason));
    }

    #[test]
    fn each_need_that_is_not_met_says_so() {
        let one = [row(Finding::Pass, 1)];
        let missing = |text: &str| Some(text.to_owned());
        check(&[Need::CustomerRouted], &one, Day { not_routed: missing("m"), ..whole() }, (Verdict::Indeterminate, "m"));
        check(&[Need::Accepted], &one, Day { accepted_missing: missing("r"), ..whole() }, (Verdict::Indeterminate, "r"));
        check(&[Need::Rejected], &one, Day { rejected_missing: missing("a"), ..whole() }, (Verdict::Indeterminate, "a"));
        let fields = Day { fields_missing: BTreeSet::from(["tcp-flags".to_owned()]), ..whole() };
        check(&[Need::Field("tcp-flags")], &one, fields.clone(), (Verdict::Indeterminate, "a flow log's format lacks tcp-flags"));
        check(&[Need::Field("action")], &one, fields, (Verdict::Pass, "1 tested, none violates it"));
        check(&[Need::Coverage], &one, Day { open: vec!["o".into()], ..whole() }, (Verdict::Indeterminate, "o"));
    }

    #[test]
    fn days_are_rolled_up_to_the_worst_and_kept() {
        let days = ["2026-10-05", "2026-10-06", "2026-10-07"].map(|day| Day { day: day.into(), ..whole() });
        let rows = [row(Finding::Pass, 2), Row { day: "2026-10-06".into(), ..row(Finding::Violation, 3) }];
        let (statements, exceptions) = judge(&definition(&[]), &rows, &days);
        let one = &statements[0];
        assert_eq!((one.verdict, one.population, one.tested, one.violations), (Verdict::Fail, 5, 5, 3));
        assert_eq!(one.reason, "1 of 3 days; 2026-10-06: 3: violation: s");
        let verdicts: Vec<Verdict> = one.days.iter().map(|day| day.verdict).collect();
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Indeterminate]);
        assert_eq!(exceptions.len(), 1);
    }

    #[test]
    fn every_statement_is_a_sentence() {
        for definition in &CATALOGUE {
            assert!(definition.text().ends_with('.') && definition.text().len() > 20, "{}", definition.id);
        }
    }
}
