//! `report egress`: which destinations each cluster's API server contacted through the VPC, by which path, with what
//! outcome, and how much of the period the logs cover.

use super::cells::{Cells, cells};
use super::page::{self, WIDTH, plural};
use super::policy::Judged;
use super::table::{Column, align, cut};
use super::{Inputs, Report, egress_document, incomplete_objects, value};
use crate::error::{Result, printable};
use crate::intake::LayoutTotal;
use crate::inventory::{Cluster, EgressMode, InterfaceKind, Inventory};
use crate::query::coverage::{CoverageHour, State};
use crate::query::drift;
use crate::query::functions::{format_bytes, protocol_name};
use crate::query::summary::Facts;
use crate::query::{Egress, Engine, Logs, library};
use crate::time::{TimeRange, rfc3339};
use arrow::array::RecordBatch;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// Destinations of one cluster that the terminal shows; the other formats hold all.
const DESTINATIONS_SHOWN_MAX: usize = 40;
/// Columns of the page that are shown only where a line has something there.
const UNSURE: usize = 7;
const VERDICT: usize = 8;

/// What a run found out besides the rows.
pub(super) struct Findings {
    pub(super) period: TimeRange,
    pub(super) inputs: Inputs,
    pub(super) coverage: Vec<CoverageHour>,
    facts: Facts,
    pub(super) faults: Vec<(String, &'static str, String)>,
    skipped: (u64, u64, Vec<String>),
    undecided: Vec<(String, i64)>,
    certainty: Certainty,
    layouts: Vec<LayoutTotal>,
    /// Flow logs that do not record all traffic, and what they record.
    partial_logs: BTreeSet<(String, String)>,
}

/// How much of what the API server opened was decided by a handshake.
#[derive(Default)]
struct Certainty {
    bytes: i64,
    bytes_certain: i64,
    with_syn: i64,
    complementary: i64,
}

/// The hours of a cluster by state.
#[derive(Default)]
pub(super) struct Hours {
    by_state: BTreeMap<&'static str, u64>,
    gaps: Vec<String>,
    unknown: Vec<String>,
    late: Vec<String>,
    skipped: Vec<String>,
}

/// Makes the report.
///
/// # Errors
/// If logs cannot be read at all, or a query fails.
pub async fn report(logs: &Arc<Logs>, engine: &Engine) -> Result<Report> {
    let query = library::find("egress")?;
    let (schema, rows) = engine.collect(query.sql, &[]).await?;
    let (undecided, certainty) = orientation(engine).await?;
    let egress = logs.egress().await?;
    let findings = findings(logs, &egress, undecided, certainty);
    let judged = Judged::of(logs, &egress)?;
    let mut notes = notes(&logs.inventory, &findings);
    notes.extend(logs.listed.notes.iter().cloned());
    let page = page(&logs.inventory, &findings, judged.as_ref(), &rows, &notes);
    notes.extend(judged.iter().flat_map(Judged::notes));
    let document = egress_document::document(&logs.inventory, &findings, &rows, &notes, query.sql);
    let mut further = further(&logs.inventory, &findings, query.sql);
    further.extend(judged.iter().map(|judged| ("policy".to_owned(), judged.document())));
    let (period, inputs) = (findings.period, findings.inputs);
    Ok(Report { name: "egress", period, inputs, schema, rows, notes, further, money: Vec::new(), page, document })
}

const ORIENTATION: &str = include_str!("../../queries/parts/orientation.sql");

/// Undecided connections by cluster ARN, and how much was decided by handshakes.
async fn orientation(engine: &Engine) -> Result<(Vec<(String, i64)>, Certainty)> {
    let (_, batches) = engine.collect(ORIENTATION, &[]).await?;
    let mut undecided = Vec::new();
    let mut certainty = Certainty::default();
    for row in cells(&batches) {
        let of = |name: &str| i64::try_from(row.count(name)).unwrap_or(i64::MAX);
        if of("undecided") > 0 {
            undecided.push((row.text("cluster_arn").unwrap_or_default(), of("undecided")));
        }
        certainty.bytes = certainty.bytes.saturating_add(of("bytes"));
        certainty.bytes_certain = certainty.bytes_certain.saturating_add(of("bytes_certain"));
        certainty.with_syn += of("with_syn");
        certainty.complementary += of("complementary");
    }
    Ok((undecided, certainty))
}

fn findings(logs: &Logs, egress: &Egress, undecided: Vec<(String, i64)>, certainty: Certainty) -> Findings {
    let totals = &egress.totals;
    let period = egress.window(logs.window);
    let facts = egress.summary.facts.clone();
    Findings {
        period,
        inputs: Inputs::of(totals, facts.duplicate_records, logs.validation.name()),
        coverage: egress.summary.coverage(period, logs.closing.of_period(period)),
        facts,
        faults: totals.faults.clone(),
        skipped: egress.skipped.clone(),
        undecided,
        certainty,
        layouts: totals.layouts.clone(),
        partial_logs: partial_logs(&logs.inventory, egress),
    }
}

/// Flow logs among those read that record accepts or rejects only (CreateFlowLogs, TrafficType).
fn partial_logs(inventory: &Inventory, egress: &Egress) -> BTreeSet<(String, String)> {
    let read: BTreeSet<&str> = egress.inputs.iter().filter_map(|input| input.object.key.flow_log_id.as_deref()).collect();
    let partial = inventory.flow_logs().iter().filter(|held| read.contains(&*held.item.id)).filter_map(|held| {
        let kind = held.item.traffic_type.as_deref().filter(|kind| *kind != "ALL")?;
        Some((held.item.id.to_string(), kind.to_owned()))
    });
    partial.collect()
}

/// The egress modes of a cluster in the period, in order; more than one where it changed.
pub(super) fn modes(cluster: &Cluster, period: TimeRange) -> Vec<EgressMode> {
    let seen = cluster.mode_seen.iter().filter(|(t, _)| period.contains(*t)).map(|(_, mode)| mode.clone());
    let at = |t: Option<i64>| t.map(|t| cluster.mode_at(t));
    let mut modes: Vec<EgressMode> = at(period.from).into_iter().chain(seen).chain(at(period.to)).collect();
    modes.dedup();
    if modes.is_empty() { vec![cluster.egress_mode.clone()] } else { modes }
}

/// The modes in words: `CUSTOMER_ROUTED`, or `AWS_MANAGED, then CUSTOMER_ROUTED`.
pub(super) fn mode_names(modes: &[EgressMode]) -> String {
    modes.iter().map(|mode| mode.as_deref().unwrap_or("mode unknown")).collect::<Vec<_>>().join(", then ")
}

/// What the egress mode means for what can be seen (EKS user guide, "Control plane egress").
pub(super) fn visibility(modes: &[EgressMode]) -> &'static str {
    match modes {
        [mode] => match mode.as_deref() {
            Some("CUSTOMER_ROUTED") => "egress of the API server goes through the VPC: destinations outside are visible here",
            Some("AWS_MANAGED") => "destinations outside the VPC leave through AWS: none seen here does not mean none contacted",
            Some(_) => "AWS does not say what this mode routes through the VPC: nothing follows from destinations not seen",
            None => "the inventory does not say the mode: nothing follows from destinations not seen",
        },
        _ => "the mode changed in the period: destinations outside the VPC are visible only while it is CUSTOMER_ROUTED",
    }
}

fn is_customer_routed(modes: &[EgressMode]) -> bool {
    matches!(modes, [mode] if mode.as_deref() == Some("CUSTOMER_ROUTED"))
}

/// Clusters that matter to a run: all of the inventory, by ARN.
pub(super) fn clusters(inventory: &Inventory) -> BTreeMap<&str, Vec<&Cluster>> {
    let mut clusters: BTreeMap<&str, Vec<&Cluster>> = BTreeMap::new();
    inventory.clusters().iter().for_each(|cluster| clusters.entry(&cluster.arn).or_default().push(cluster));
    clusters
}

pub(super) fn hours_of(inventory: &Inventory, arn: &str, coverage: &[CoverageHour]) -> Hours {
    let mut hours = Hours::default();
    for hour in coverage {
        let Some(eni) = inventory.enis().get(hour.eni as usize) else { continue };
        let cluster = eni.cluster.and_then(|cluster| inventory.clusters().get(cluster as usize));
        if cluster.is_none_or(|cluster| &*cluster.arn != arn) || !hour.state.is_expected() {
            continue;
        }
        *hours.by_state.entry(hour.state.as_str()).or_default() += 1;
        let place = || format!("{} {}", eni.id, rfc3339(hour.hour));
        match hour.state {
            State::Gap => hours.gaps.push(place()),
            State::Unknown => hours.unknown.push(place()),
            State::Late => hours.late.push(place()),
            State::SkipData => hours.skipped.push(place()),
            _ => {}
        }
    }
    hours
}

impl Hours {
    pub(super) fn total(&self) -> u64 {
        self.by_state.values().sum()
    }

    pub(super) fn logged(&self) -> u64 {
        State::ALL.into_iter().filter(|state| state.is_logged()).filter_map(|state| self.by_state.get(state.as_str())).sum()
    }

    /// `logged 4 of 4 interface-hours, SKIPDATA in 1 (eni-… 2026-…)`.
    pub(super) fn line(&self) -> String {
        if self.total() == 0 {
            return "coverage unknown: the logs do not show that this cluster was logged in the period at all".to_owned();
        }
        let mut line = format!("logged {} of {} interface-hours", self.logged(), self.total());
        let kinds = [("gaps", &self.gaps), ("unknown", &self.unknown), ("not yet settled", &self.late), ("SKIPDATA", &self.skipped)];
        for (name, places) in kinds {
            if let Some(first) = places.first() {
                let more = if places.len() > 1 { ", …" } else { "" };
                // Writing to a String cannot fail.
                let _ = write!(line, "; {name} in {} ({first}{more})", places.len());
            }
        }
        line
    }
}

fn notes(inventory: &Inventory, findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let facts = &findings.facts;
    for (arn, clusters) in clusters(inventory) {
        for modes in clusters.iter().map(|cluster| modes(cluster, findings.period)).filter(|modes| !is_customer_routed(modes)) {
            notes.push(format!("{arn}: {}: {}", mode_names(&modes), visibility(&modes)));
        }
        let hours = hours_of(inventory, arn, &findings.coverage);
        if hours.logged() < hours.total() || !hours.skipped.is_empty() {
            notes.push(format!("{arn}: {}", hours.line()));
        }
        let without_eni = !inventory.enis().iter().any(|eni| {
            eni.kind == InterfaceKind::EksControlPlane
                && eni.cluster.and_then(|at| inventory.clusters().get(at as usize)).is_some_and(|cluster| &*cluster.arn == arn)
        });
        if without_eni {
            notes.push(format!("{arn}: the inventory has no control-plane interface of this cluster, so nothing of it can be shown"));
        }
    }
    for (uri, status, reason) in &findings.faults {
        notes.push(format!("{status}: {uri}: {reason}"));
    }
    if findings.inputs.records.rejected > 0 {
        notes.push(format!(
            "{} lines are not records; the table rejects holds each with its place and reason",
            findings.inputs.records.rejected
        ));
    }
    notes.extend(drift::notes(&findings.layouts, |missing| &missing.egress));
    if facts.duplicate_records > 0 {
        let ids: Vec<&str> = facts.duplicate_flow_logs.iter().map(|id| if id.is_empty() { "(no id)" } else { id }).collect();
        notes.push(format!(
            "{} records ({}) were written by overlapping flow logs too and count once; set aside: {}; {} bytes of them lie outside the range of the flow log that counts and are in doubt",
            facts.duplicate_records,
            format_bytes(facts.duplicate_bytes),
            ids.join(", "),
            facts.in_doubt_bytes
        ));
    }
    if facts.unattributed_records > 0 {
        notes.push(format!(
            "{} records name no interface, so nobody can tell whose they are; a format without interface-id shows no control plane",
            facts.unattributed_records
        ));
    }
    if facts.undirected_records > 0 {
        notes.push(format!(
            "{} records of control-plane interfaces have neither flow-direction nor an address that the inventory knows as the interface's; they are in no row",
            facts.undirected_records
        ));
    }
    if !facts.suspects.is_empty() {
        notes.push(format!(
            "interfaces that behave like a control plane's but are not in the inventory, not included: {}",
            facts.suspects.join(", ")
        ));
    }
    for (arn, connections) in &findings.undecided {
        notes.push(format!("{arn}: who opened {connections} connections cannot be told; they are in no row"));
    }
    notes.extend(
        findings
            .partial_logs
            .iter()
            .map(|(id, what)| format!("flow log {id} records {what} traffic only: what it does not show may still have happened")),
    );
    if findings.skipped.0 > 0 {
        notes.push(format!(
            "{} objects ({}) of flow logs that cover neither a control plane nor a device on its path were not read: {}",
            findings.skipped.0,
            format_bytes(findings.skipped.1),
            findings.skipped.2.join(", ")
        ));
    }
    notes.extend(inventory.warnings().iter().map(|warning| format!("inventory: {warning}")));
    notes.push("flow logs never hold traffic to the Amazon DNS resolver, instance metadata and time service, DHCP, or what was said inside a connection".to_owned());
    notes
}

fn layout_document(total: &LayoutTotal) -> Value {
    let seen = &total.seen;
    json!({
        "shape": seen.shape.name(),
        "record_kind": seen.layout.kind().name(),
        "layout": seen.layout.to_string(),
        "objects": total.objects,
        "records": value::count(seen.records),
        "first_start": seen.start_min.map(rfc3339),
        "last_end": seen.end_max.map(rfc3339),
        "missing": drift::missing(&seen.layout).map(|missing| missing.egress),
    })
}

/// Further keys of the JSON.
fn further(inventory: &Inventory, findings: &Findings, sql: &str) -> Map<String, Value> {
    let of_cluster = |(arn, clusters): (&str, Vec<&Cluster>)| {
        let hours = hours_of(inventory, arn, &findings.coverage);
        let last = clusters.last();
        let modes = last.map(|cluster| modes(cluster, findings.period)).unwrap_or_default();
        json!({
            "cluster": last.map(|cluster| &*cluster.name),
            "cluster_arn": arn,
            "egress_mode": modes.last().and_then(EgressMode::as_deref),
            "egress_modes": modes.iter().map(EgressMode::as_deref).collect::<Vec<_>>(),
            "visibility": visibility(&modes),
            "interface_hours": { "expected": hours.total(), "logged": hours.logged(), "by_state": hours.by_state },
            "gaps": hours.gaps,
            "unknown": hours.unknown,
            "late": hours.late,
            "skipdata": hours.skipped,
        })
    };
    let certainty = &findings.certainty;
    let facts = &findings.facts;
    let mut further = Map::new();
    further.insert("clusters".into(), clusters(inventory).into_iter().map(of_cluster).collect());
    further.insert("undecided".into(), json!({ "connections": findings.undecided.iter().map(|(_, count)| count).sum::<i64>(), "undirected_records": facts.undirected_records }));
    further.insert(
        "handshakes".into(),
        json!({ "bytes": certainty.bytes, "bytes_certain": certainty.bytes_certain, "connections_with_syn": certainty.with_syn, "complementary": certainty.complementary }),
    );
    further.insert(
        "duplicates".into(),
        json!({ "records": facts.duplicate_records, "bytes": value::count(facts.duplicate_bytes), "in_doubt_bytes": value::count(facts.in_doubt_bytes), "flow_log_ids": facts.duplicate_flow_logs }),
    );
    further.insert("suspected_interfaces".into(), json!(facts.suspects));
    further.insert("incomplete_objects".into(), incomplete_objects(&findings.faults));
    further.insert(
        "objects_not_needed".into(),
        json!({ "objects": findings.skipped.0, "bytes": findings.skipped.1, "flow_log_ids": findings.skipped.2 }),
    );
    further.insert("layouts".into(), findings.layouts.iter().map(layout_document).collect());
    further.insert("sql".into(), sql.into());
    further
}

/// One destination as the terminal shows it.
struct Line {
    cells: Vec<String>,
    /// Whether it violates the policy.
    violates: bool,
    failed: u64,
    outside: bool,
    unnamed: bool,
    bytes: u64,
}

/// The destination: `address:port`, with the protocol if it is not TCP.
pub(super) fn destination(row: &Cells<'_>) -> String {
    let (address, port) = (row.text("dst_addr").unwrap_or_default(), row.count("dst_port"));
    let protocol = protocol_name(row.count("protocol") as i32).unwrap_or_default().to_lowercase();
    let place = match (port, address.contains(':')) {
        (0, _) => address,
        (_, true) => format!("[{address}]:{port}"),
        (_, false) => format!("{address}:{port}"),
    };
    if protocol == "tcp" { place } else { format!("{place}/{protocol}") }
}

/// How connections failed, in words, and how many did.
pub(super) fn failures(row: &Cells<'_>) -> (String, u64) {
    let problems = [("rejected", "rejected"), ("unanswered", "unanswered"), ("refused", "refused"), ("reply_blocked", "reply blocked")];
    let counts = problems.map(|(key, word)| (row.count(key), word));
    let words: Vec<String> = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    (words.join(", "), counts.iter().map(|(count, _)| count).sum())
}

/// Whether packets left the VPC. Where the logs do not say the path, the kind of the destination does.
pub(super) fn outside(row: &Cells<'_>) -> bool {
    match row.text("path").filter(|path| !path.is_empty()) {
        Some(path) => path.split(',').any(|path| path != "vpc"),
        None => matches!(row.text("dst_kind").as_deref(), Some("internet" | "aws-service")),
    }
}

fn line(row: &Cells<'_>) -> (String, Line) {
    let of = |name: &str| row.text(name).unwrap_or_default();
    let (name, (failed_words, failed), confidence) = (of("dst_name"), failures(row), of("confidence"));
    let (out, back) = (row.count("bytes_accepted").saturating_add(row.count("bytes_rejected")), row.count("reply_bytes"));
    let unnamed = name.is_empty();
    let verdict = of("verdict");
    let violates = !matches!(verdict.as_str(), "" | "approved" | "indeterminate");
    let cells = vec![
        destination(row),
        if unnamed { of("dst_kind") } else { short_name(&name) },
        of("path"),
        row.count("connections").to_string(),
        if failed == 0 { "-".to_owned() } else { failed_words },
        format_bytes(out),
        format_bytes(back),
        if matches!(confidence.as_str(), "certain" | "high") { String::new() } else { confidence },
        verdict,
    ];
    (of("cluster_arn"), Line { cells, violates, failed, outside: outside(row), unnamed, bytes: out.saturating_add(back) })
}

/// Kubernetes kinds are long; the other formats have them in full.
pub(super) fn short_name(name: &str) -> String {
    const SHORT: [(&str, &str); 3] = [
        ("validatingwebhookconfiguration/", "webhook/"),
        ("mutatingwebhookconfiguration/", "webhook/"),
        ("customresourcedefinition/", "crd/"),
    ];
    let names = name.split(',').map(|name| SHORT.iter().fold(name.to_owned(), |name, (long, short)| name.replacen(long, short, 1)));
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// The page for a terminal: readable at 100 columns, what matters on top.
fn page(inventory: &Inventory, findings: &Findings, judged: Option<&Judged<'_>>, rows: &[RecordBatch], notes: &[String]) -> String {
    let mut by_cluster: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for row in cells(rows) {
        let (arn, line) = line(&row);
        by_cluster.entry(arn).or_default().push(line);
    }
    let mut page = head(findings, &by_cluster);
    judged.iter().for_each(|judged| page.push_str(&judged.head()));
    for (arn, clusters) in clusters(inventory) {
        let lines = by_cluster.remove(arn).unwrap_or_default();
        page.push('\n');
        page.push_str(&cluster_block(inventory, findings, arn, &clusters, lines, WIDTH));
    }
    let shown =
        notes.iter().filter(|note| !note.starts_with("arn:") || note.contains("cannot be told") || note.contains("has no control-plane"));
    judged.iter().for_each(|judged| page.push_str(&judged.block()));
    page + &page::notes(shown)
}

fn head(findings: &Findings, by_cluster: &BTreeMap<String, Vec<Line>>) -> String {
    let instant = |t: Option<i64>| t.map_or_else(|| "…".to_owned(), rfc3339);
    let inputs = &findings.inputs;
    let destinations: usize = by_cluster.values().map(Vec::len).sum();
    let failing = by_cluster.values().flatten().filter(|line| line.failed > 0).count();
    let outside = by_cluster.values().flatten().filter(|line| line.outside).count();
    let certainty = &findings.certainty;
    let share = if certainty.bytes > 0 {
        format!("; handshake seen for {} % of bytes", percent(certainty.bytes_certain, certainty.bytes))
    } else {
        String::new()
    };
    let mut head = format!("EKS API server egress, {} to {}\n", instant(findings.period.from), instant(findings.period.to));
    let counted = plural(destinations as u64, "destination");
    head += &format!("{counted}: {outside} outside the VPC, {failing} with failed connections{share}\n");
    head += &page::inputs(inputs, &findings.faults);
    head
}

/// Whole percent, rounded down: 100 only if all.
fn percent(part: i64, whole: i64) -> i64 {
    i64::try_from(i128::from(part) * 100 / i128::from(whole.max(1))).unwrap_or(0)
}

fn cluster_block(
    inventory: &Inventory,
    findings: &Findings,
    arn: &str,
    clusters: &[&Cluster],
    mut lines: Vec<Line>,
    width: usize,
) -> String {
    let Some(cluster) = clusters.last() else { return String::new() };
    let modes = modes(cluster, findings.period);
    let place = [cluster.region.as_deref(), cluster.account_id.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut block = format!("{}  {}  {place}\n", printable(&cluster.name), printable(&mode_names(&modes)));
    block += &format!("  {}\n", visibility(&modes));
    block += &wrap_indented(&hours_of(inventory, arn, &findings.coverage).line(), width);
    if lines.is_empty() {
        block += "  no destination in the period\n";
        return block;
    }
    lines.sort_by(|a, b| {
        let key = |line: &Line| (!line.violates, line.failed == 0, !line.outside, !line.unnamed, std::cmp::Reverse(line.bytes));
        key(a).cmp(&key(b)).then_with(|| a.cells.cmp(&b.cells))
    });
    let column = |name: &str, right, shrink_to| Column { name: name.to_owned(), right, shrink_to };
    // Most pages need no word about certainty: what is not certain or highly so is marked, and only then.
    let is_marked = |at: usize| lines.iter().any(|line| line.cells.get(at).is_some_and(|mark| !mark.is_empty()));
    let judged = is_marked(VERDICT);
    // The widest is cut first; these least widths let every page fit.
    let least = |alone, beside_a_verdict| Some(if judged { beside_a_verdict } else { alone });
    let columns = [
        column("destination", false, Some(21)),
        column("what", false, least(12, 8)),
        column("path", false, least(10, 6)),
        column("conns", true, None),
        column("failed", false, least(12, 8)),
        column("out", true, None),
        column("replies", true, None),
        column("unsure", false, None),
        column("verdict", false, Some(10)),
    ];
    let shown = |at: &usize| !matches!(*at, UNSURE | VERDICT) || is_marked(*at);
    let kept: Vec<usize> = (0..columns.len()).filter(shown).collect();
    let columns: Vec<Column> = columns.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, column)| column).collect();
    let cells = |line: Line| line.cells.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, cell)| cell).collect();
    let all = lines.len();
    let rows: Vec<Vec<String>> = lines.into_iter().take(DESTINATIONS_SHOWN_MAX).map(cells).collect();
    for text in align(&columns, &rows, Some(width - 2)).lines() {
        block += &format!("  {text}\n");
    }
    if all > rows.len() {
        block += &format!("  … {} more destinations; -o csv writes all\n", all - rows.len());
    }
    block
}

fn wrap_indented(text: &str, width: usize) -> String {
    format!("  {}\n", cut(text, width.saturating_sub(2)))
}

/// Returns whether any hour that should have been logged was not, or a cluster's hours cannot be judged at all.
pub fn has_gaps(report: &Report) -> bool {
    let clusters = report.further.get("clusters").and_then(Value::as_array);
    let has = |cluster: &Value, key| cluster.get(key).and_then(Value::as_array).is_some_and(|hours| !hours.is_empty());
    clusters.into_iter().flatten().any(|cluster| has(cluster, "gaps") || has(cluster, "unknown"))
}
