//! `report readiness`: is a cluster ready for `CUSTOMER_ROUTED`, a switch that cannot be undone.
//!
//! One row per cluster, check and subject, each `ok`, `missing` or `unknown`. What is not known is never `ok`. Every state rests on
//! named resources and on when they were seen. The checks stand in `readiness_checks`, the money in `readiness_cost`.

use super::charges::{self, Charges, Unpriced, dollars};
use super::document::{Cell, Column, Document, Section, Table};
use super::page::{self, WIDTH, plural, table};
use super::readiness_checks::{self as checks, Asked};
use super::readiness_cost::{self as money_of, Measured};
use super::{Inputs, Report, incomplete_objects, sections, value};
use crate::error::Result;
use crate::inventory::reach::{Rests, as_of};
use crate::inventory::{Cluster, Inventory};
use crate::query::coverage::CoverageHour;
use crate::query::rows::{ColumnDoc, Rows, Value, money, schema};
use crate::query::{Engine, Logs};
use crate::time::{TimeRange, UnixSeconds, rfc3339};
use arrow::datatypes::DataType::{Int64, Utf8};
use rust_decimal::Decimal;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether what a check asks for is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is not.
    Missing,
    /// The inventory does not say.
    Unknown,
    /// It is.
    Ok,
}

impl State {
    /// Returns the word used in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
        }
    }
}

/// The checks in their order, what each is for, and whether a cluster that fails it is not ready.
const CHECKS: [(&str, &str); 13] = [
    ("mode", "egress"),
    ("webhook", "egress"),
    ("conversion-webhook", "egress"),
    ("aggregated-api", "egress"),
    ("oidc-issuer", "egress"),
    ("route", "egress"),
    ("security-group", "egress"),
    ("nacl", "egress"),
    ("dns", "egress"),
    ("iam", "egress"),
    ("flow-logs", "evidence"),
    ("nat-az", "cost"),
    ("cost", "cost"),
];

/// One finding about one subject.
#[derive(Debug, Clone)]
pub struct Row {
    /// Name of the check.
    pub check: &'static str,
    /// What was looked at.
    pub subject: String,
    /// Where the API server would dial: addresses and ports, or a name.
    pub dialled: Option<String>,
    /// What was found.
    pub detail: String,
    /// Whether it is there.
    pub state: State,
    /// Why that matters, unless it is there.
    pub why: Option<&'static str>,
    /// What to do, unless it is there.
    pub fix: Option<String>,
    /// `Fail` or `Ignore`.
    pub failure_policy: Option<Arc<str>>,
    /// How long the API server waits, in seconds.
    pub timeout_s: Option<i64>,
    /// Resources, and when each was seen.
    pub rests: Rests,
    /// Bytes that were measured, both ways.
    pub bytes: Option<u64>,
    /// What it costs in a month, at list price.
    pub monthly_cost: Option<Decimal>,
}

impl Row {
    /// Starts a row.
    pub fn new(check: &'static str, subject: impl Into<String>, state: State, detail: impl Into<String>) -> Row {
        Row {
            check,
            subject: subject.into(),
            dialled: None,
            detail: detail.into(),
            state,
            why: None,
            fix: None,
            failure_policy: None,
            timeout_s: None,
            rests: Rests::new(),
            bytes: None,
            monthly_cost: None,
        }
    }

    /// Adds why it matters and what to do, where it is not there.
    pub fn because(mut self, why: &'static str, fix: impl Into<String>) -> Row {
        if self.state != State::Ok {
            (self.why, self.fix) = (Some(why), Some(fix.into()));
        }
        self
    }

    /// Adds what it rests on.
    pub fn resting(mut self, rests: Rests) -> Row {
        self.rests.extend(rests);
        self
    }

    /// What the check is for: `egress`, `evidence` or `cost`.
    fn concern(&self) -> &'static str {
        CHECKS.iter().find(|(check, _)| *check == self.check).map_or("egress", |(_, concern)| concern)
    }

    fn order(&self) -> usize {
        CHECKS.iter().position(|(check, _)| *check == self.check).unwrap_or(CHECKS.len())
    }
}

/// A cluster with its rows.
struct Judged<'a> {
    cluster: &'a Cluster,
    rows: Vec<Row>,
}

impl Judged<'_> {
    fn count(&self, state: State, concerns: &[&str]) -> usize {
        self.rows.iter().filter(|row| row.state == state && concerns.contains(&row.concern())).count()
    }

    /// What follows from the rows: money never makes a cluster unready.
    fn verdict(&self) -> &'static str {
        const DECIDING: [&str; 2] = ["egress", "evidence"];
        match (self.count(State::Missing, &DECIDING), self.count(State::Unknown, &DECIDING)) {
            (0, 0) => "ready",
            (0, _) => "cannot be said",
            _ => "not ready",
        }
    }
}

/// What the logs add to the inventory.
pub(super) struct Observed {
    pub(super) period: TimeRange,
    inputs: Inputs,
    pub(super) coverage: Vec<CoverageHour>,
    pub(super) measured: Measured,
    faults: Vec<(String, &'static str, String)>,
    sql: &'static str,
}

/// Makes the report as of `at`, else as of the latest snapshot. Logs may be none; then nothing is measured.
///
/// # Errors
/// If logs are given and cannot be read at all.
pub async fn report(logs: &Arc<Logs>, engine: &Engine, charges: &Charges, at: Option<UnixSeconds>) -> Result<Report> {
    let observed = if logs.inputs.is_empty() { None } else { Some(observed(logs, engine).await?) };
    of(&logs.inventory, observed, charges, at.unwrap_or_else(|| latest(&logs.inventory)), logs.listed.notes.clone())
}

/// The instant of the latest snapshot; of an inventory without times, the end of all of them.
fn latest(inventory: &Inventory) -> UnixSeconds {
    inventory.latest_sighting().unwrap_or(i64::MAX - 1)
}

async fn observed(logs: &Arc<Logs>, engine: &Engine) -> Result<Observed> {
    let egress = logs.egress().await?;
    let (measured, sql) = money_of::measured(engine).await?;
    let period = egress.window(logs.window);
    Ok(Observed {
        period,
        inputs: Inputs::of(&egress.totals, egress.summary.facts.duplicate_records, logs.validation.name()),
        coverage: egress.summary.coverage(period, logs.closing.of_period(period)),
        measured,
        faults: egress.totals.faults.clone(),
        sql,
    })
}

fn of(inventory: &Inventory, observed: Option<Observed>, charges: &Charges, t: UnixSeconds, mut notes: Vec<String>) -> Result<Report> {
    let mut unpriced = Unpriced::new();
    let lived = |cluster: &&(u32, &Cluster)| cluster.1.valid.contains(t);
    let all: Vec<(u32, &Cluster)> = (0..).zip(inventory.clusters()).collect();
    let judged: Vec<Judged<'_>> = all
        .iter()
        .filter(lived)
        .map(|(index, cluster)| {
            let asked = Asked::of(inventory, *index, cluster, t);
            let mut rows = checks::rows(&asked, observed.as_ref());
            rows.extend(money_of::rows(&asked, observed.as_ref(), charges, &mut unpriced));
            rows.sort_by(|a, b| (a.order(), &a.subject, &a.detail).cmp(&(b.order(), &b.subject, &b.detail)));
            Judged { cluster, rows }
        })
        .collect();
    notes.splice(0..0, standing_notes(inventory, &all, &judged, t));
    if let Some(observed) = &observed {
        notes.extend(observed.faults.iter().map(|(uri, status, reason)| format!("{status}: {uri}: {reason}")));
    }
    notes.push(money_of::FORMULA.to_owned());
    notes.push(charges::basis(charges));
    notes.extend(charges::note(&unpriced));
    notes.extend(inventory.warnings().iter().map(|warning| format!("inventory: {warning}")));
    let columns = columns();
    let mut rows = Rows::new(&columns);
    judged.iter().for_each(|judged| judged.rows.iter().for_each(|row| push(judged.cluster, row, t, &mut rows)));
    let page = page_of(&judged, observed.as_ref(), t, &notes);
    let (period, inputs) = observed.as_ref().map(|observed| (observed.period, observed.inputs.clone())).unwrap_or_default();
    let (schema, rows) = (schema(&columns), vec![rows.finish()?]);
    let document = document(&judged, (period, &inputs), observed.as_ref(), &notes);
    Ok(Report {
        name: "readiness",
        period,
        inputs,
        schema,
        rows,
        notes,
        further: further(&judged, observed.as_ref(), t),
        money: Vec::new(),
        page,
        document,
    })
}

/// The document: each cluster's checks, what is missing first.
fn document(judged: &[Judged<'_>], (period, inputs): (TimeRange, &Inputs), observed: Option<&Observed>, notes: &[String]) -> Document {
    let faults = observed.map_or(&[][..], |observed| &observed.faults);
    let mut document = sections::begun("Readiness for CUSTOMER_ROUTED", period, inputs, faults.len());
    for one in judged {
        let mut rows: Vec<&Row> = one.rows.iter().collect();
        rows.sort_by_key(|row| (row.state != State::Missing, row.state != State::Unknown));
        let columns = ["check", "state"].map(Column::text).into_iter();
        let columns = columns.chain(["subject", "dialled", "found", "what to do"].map(Column::wrapped)).collect();
        let mut table = Table::new("Checks, what is missing first", columns);
        for row in rows {
            table.push_with(|| {
                vec![
                    Cell::text(row.check),
                    Cell::badge(row.state.as_str()),
                    Cell::text(&*row.subject),
                    Cell::optional(row.dialled.as_deref()),
                    Cell::text(&*row.detail),
                    Cell::optional(row.fix.as_deref().filter(|_| row.state != State::Ok)),
                ]
            });
        }
        let mut section = Section::new(&one.cluster.arn, &*one.cluster.name);
        section.paragraph(&*one.cluster.arn);
        section.table(table);
        document.push(section);
    }
    sections::end(&mut document, notes, inputs, faults, observed.map_or("", |observed| observed.sql));
    document
}

/// What holds for every row.
fn standing_notes(inventory: &Inventory, all: &[(u32, &Cluster)], judged: &[Judged<'_>], t: UnixSeconds) -> Vec<String> {
    let mut notes = vec![
        format!("as of {}: every state rests on the resources under rests_on, each with the time at which it was last seen", instant(t)),
        "not read: service control policies, the rules of the other end's security groups, firewalls' rules, what lies behind transit gateways and VPNs, and whether an issuer's certificate chains to a public CA, which EKS requires".to_owned(),
        "endpoints are those of the EndpointSlices, ready or not; the Amazon resolver is reached past security groups and network ACLs".to_owned(),
    ];
    if inventory.clusters().is_empty() {
        notes.push("the inventory has no EKS cluster (describe-cluster), so nothing is judged".to_owned());
    }
    let gone = all.len() - judged.len();
    if gone > 0 {
        notes.push(format!("{} of the inventory did not live then and are left out", plural(gone as u64, "cluster")));
    }
    notes
}

fn instant(t: UnixSeconds) -> String {
    if t >= i64::MAX - 1 { "no time: the inventory's files have none".to_owned() } else { rfc3339(t) }
}

#[rustfmt::skip]
fn columns() -> Vec<ColumnDoc> {
    vec![
        ("cluster", Utf8, "Cluster"),
        ("cluster_arn", Utf8, "Its ARN"),
        ("check", Utf8, "What is asked"),
        ("subject", Utf8, "What was looked at"),
        ("dialled", Utf8, "Where the API server would dial"),
        ("detail", Utf8, "What was found"),
        ("state", Utf8, "`ok`, `missing` or `unknown`"),
        ("why", Utf8, "Why it matters, unless it is there"),
        ("fix", Utf8, "What to do, unless it is there"),
        ("concern", Utf8, "`egress`, `evidence` or `cost`"),
        ("failure_policy", Utf8, "`Fail` or `Ignore`, of a webhook"),
        ("timeout_s", Int64, "How long the API server waits for a webhook"),
        ("rests_on", Utf8, "Resources, and when each was seen"),
        ("bytes", Int64, "Bytes measured in the period, both ways"),
        ("monthly_list_cost", money(), "Expected new cost of 730 hours, at list price"),
    ]
}

fn rests_on(rests: &Rests, t: UnixSeconds) -> String {
    rests.iter().map(|(id, claim)| format!("{id} ({})", as_of(claim, t))).collect::<Vec<_>>().join(", ")
}

fn push(cluster: &Cluster, row: &Row, t: UnixSeconds, rows: &mut Rows) {
    let rests = Some(rests_on(&row.rests, t)).filter(|text| !text.is_empty());
    rows.push(&[
        Value::Text(Some(&cluster.name)),
        Value::Text(Some(&cluster.arn)),
        Value::Text(Some(row.check)),
        Value::Text(Some(&row.subject)),
        Value::Text(row.dialled.as_deref()),
        Value::Text(Some(&row.detail)),
        Value::Text(Some(row.state.as_str())),
        Value::Text(row.why),
        Value::Text(row.fix.as_deref()),
        Value::Text(Some(row.concern())),
        Value::Text(row.failure_policy.as_deref()),
        Value::Int64(row.timeout_s),
        Value::Text(rests.as_deref()),
        Value::Int64(row.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))),
        Value::Decimal(row.monthly_cost),
    ]);
}

/// Interfaces of which the logs show hours without records, as `--fail-on gaps` asks for.
fn gaps_of(one: &Judged<'_>) -> Vec<String> {
    let observed = one.rows.iter().filter(|row| row.state == State::Missing && row.check == "flow-logs");
    observed.filter_map(|row| row.subject.strip_suffix(" observed").map(str::to_owned)).collect()
}

fn further(judged: &[Judged<'_>], observed: Option<&Observed>, t: UnixSeconds) -> Map<String, serde_json::Value> {
    const ALL: [&str; 3] = ["egress", "evidence", "cost"];
    let of = |one: &Judged<'_>| {
        json!({
            "cluster": &*one.cluster.name,
            "cluster_arn": &*one.cluster.arn,
            "egress_mode": one.cluster.mode_at(t).as_deref(),
            "verdict": one.verdict(),
            "ok": one.count(State::Ok, &ALL),
            "missing": one.count(State::Missing, &ALL),
            "unknown": one.count(State::Unknown, &ALL),
            "gaps": gaps_of(one),
        })
    };
    let findings: usize = judged.iter().map(|one| one.count(State::Missing, &ALL)).sum();
    let mut further = Map::new();
    further.insert("as_of".into(), if t >= i64::MAX - 1 { serde_json::Value::Null } else { rfc3339(t).into() });
    further.insert("clusters".into(), judged.iter().map(of).collect());
    further.insert("findings".into(), value::count(findings as u64));
    if let Some(observed) = observed {
        further.insert("incomplete_objects".into(), incomplete_objects(&observed.faults));
        further.insert("sql".into(), observed.sql.into());
    }
    further
}

/// The page for a terminal: verdicts first, then what is missing and what is not known with what to do, then the counts of the rest.
fn page_of(judged: &[Judged<'_>], observed: Option<&Observed>, t: UnixSeconds, notes: &[String]) -> String {
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    judged.iter().for_each(|one| *verdicts.entry(one.verdict()).or_default() += 1);
    let counted: Vec<String> = ["not ready", "cannot be said", "ready"]
        .iter()
        .filter_map(|verdict| verdicts.get(verdict).map(|count| format!("{count} {verdict}")))
        .collect();
    let mut page = format!("Readiness for CUSTOMER_ROUTED, as of {}\n", instant(t));
    page += &page::wrap_plain(&format!(
        "{}: {}; the switch cannot be undone",
        plural(judged.len() as u64, "cluster"),
        if counted.is_empty() { "none judged".to_owned() } else { counted.join(", ") }
    ));
    match observed {
        Some(observed) => page += &page::inputs(&observed.inputs, &observed.faults),
        None => page += "no logs given: coverage is what describe-flow-logs says, and nothing is measured\n",
    }
    judged.iter().for_each(|one| page += &cluster_block(one, t));
    page + &page::notes(notes.iter())
}

fn cluster_block(one: &Judged<'_>, t: UnixSeconds) -> String {
    const ALL: [&str; 3] = ["egress", "evidence", "cost"];
    let cluster = one.cluster;
    let mode = cluster.mode_at(t);
    let place = [cluster.region.as_deref(), cluster.account_id.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut block = format!(
        "\n{}  {}  {place}\n",
        crate::error::printable(&cluster.name),
        crate::error::printable(mode.as_deref().unwrap_or("mode unknown"))
    );
    let counts = [State::Ok, State::Missing, State::Unknown].map(|state| format!("{} {}", one.count(state, &ALL), state.as_str()));
    block += &format!("  {}: {}\n", one.verdict().to_uppercase(), counts.join(", "));
    block += &calls(&one.rows);
    for state in [State::Missing, State::Unknown] {
        let rows: Vec<&Row> = one.rows.iter().filter(|row| row.state == state).collect();
        if !rows.is_empty() {
            block += &format!("\n  {}\n", state.as_str());
            block += &to_do(&rows);
        }
    }
    let mut there: BTreeMap<usize, (&str, usize)> = BTreeMap::new();
    one.rows.iter().filter(|row| row.state == State::Ok).for_each(|row| there.entry(row.order()).or_insert((row.check, 0)).1 += 1);
    if !there.is_empty() {
        let words: Vec<String> = there.values().map(|(check, count)| format!("{check} {count}")).collect();
        block += &format!("\n  ok\n{}", page::wrap(&words.join(", "), WIDTH));
    }
    let costs: Vec<Option<Decimal>> = one.rows.iter().filter(|row| row.check == "cost").map(|row| row.monthly_cost).collect();
    let known: Vec<Option<Decimal>> = costs.iter().copied().filter(Option::is_some).collect();
    if !known.is_empty() {
        let open = if known.len() < costs.len() { ", and what is not known" } else { "" };
        block += &format!("\n  expected new cost a month: {}{open}\n", dollars(charges::sum(known)));
    }
    block
}

/// What makes the API server dial out, and where to.
fn calls(rows: &[Row]) -> String {
    const CALLS: [&str; 4] = ["webhook", "conversion-webhook", "aggregated-api", "oidc-issuer"];
    let called = rows.iter().filter(|row| CALLS.contains(&row.check) && row.dialled.is_some());
    let cells: Vec<Vec<String>> = called
        .map(|row| {
            let policy = [row.failure_policy.as_deref().map(str::to_owned), row.timeout_s.map(|seconds| format!("{seconds} s"))];
            vec![
                row.check.to_owned(),
                short(&row.subject).to_owned(),
                row.dialled.clone().unwrap_or_default(),
                policy.into_iter().flatten().collect::<Vec<_>>().join(", "),
                row.state.as_str().to_owned(),
            ]
        })
        .collect();
    if cells.is_empty() {
        return String::new();
    }
    let columns = [
        ("what dials", false, None),
        ("name", false, Some(18)),
        ("where to", false, Some(18)),
        ("on failure", false, None),
        ("", false, None),
    ];
    format!("\n{}", table(&columns, &cells))
}

/// The kind of an object is told by its check, and a URL by its host.
fn short(subject: &str) -> &str {
    let subject = subject.strip_prefix("https://").unwrap_or(subject);
    match subject.split_once('/') {
        Some((kind, name))
            if ["validatingwebhookconfiguration", "mutatingwebhookconfiguration", "apiservice", "customresourcedefinition"]
                .contains(&kind) =>
        {
            name
        }
        _ => subject,
    }
}

/// By check: why it matters, what was found, and behind all that have one remedy the remedy.
fn to_do(rows: &[&Row]) -> String {
    let mut text = String::new();
    let mut rows = rows.iter().peekable();
    let mut said = None;
    while let Some(row) = rows.next() {
        if said.replace(row.check) != Some(row.check) {
            let why = page::wrap(&format!("{}: {}", row.check, row.why.unwrap_or_default()), WIDTH);
            text += &why.replacen("  * ", "  ", 1);
        }
        text += &page::wrap(&crate::error::printable(&format!("{}: {}", row.subject, row.detail)), WIDTH);
        let same = rows.peek().is_some_and(|next| (next.check, &next.fix) == (row.check, &row.fix));
        if let (false, Some(fix)) = (same, row.fix.as_deref()) {
            let remedy = page::wrap(&crate::error::printable(&format!("to do: {fix}")), WIDTH - 2);
            text += &remedy.lines().map(|line| format!("  {}\n", line.replacen("  * ", "    ", 1))).collect::<String>();
        }
    }
    text
}
