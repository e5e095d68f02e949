//! What re-performing takes as given: facts of inventory and policy that the records do not hold, as tables beside them.
//!
//! `queries/evidence/reperform.sql` reads these and the records, and works out destinations and verdicts anew. So nothing here is a
//! count or a verdict: each table is what flowproof read in the inventory or the policy, for the interfaces and addresses that occur.

use super::judge::Day;
use crate::error::Result;
use crate::inventory::InterfaceKind;
use crate::policy::resolve::Resolution;
use crate::policy::{Policy, Target};
use crate::query::{Egress, Logs};
use crate::time::{UnixSeconds, rfc3339};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// How the figures are re-performed: a script for DuckDB that runs in the folder of a bundle.
pub const REPERFORM_SQL: &str = include_str!("../../queries/evidence/reperform.sql");
/// Where it lies, below `data/`.
pub const REPERFORM: &str = "reperform.sql";
/// What `README.txt` says about it; four spaces would make its commands part of the verification.
pub const REPERFORM_TEXT: &str = include_str!("reperform.txt");

/// Names of columns with whether they hold numbers.
type Columns = &'static [(&'static str, bool)];

#[rustfmt::skip]
const FORMATS: Columns = &[("interface_id", false), ("hour", false), ("flow_log_id", false), ("fields", true)];
const LISTENERS: Columns = &[("interface_id", false), ("addr", false), ("port", true)];
#[rustfmt::skip]
const RULES: Columns = &[
    ("rule_no", true), ("rule", false), ("target", false), ("first_addr", false), ("last_addr", false), ("prefix_length", true),
    ("protocol", true), ("first_port", true), ("last_port", true), ("cluster", false), ("cluster_arn", false), ("ways", false),
    ("starts", false), ("expires", false),
];
#[rustfmt::skip]
const REFERENCES: Columns = &[
    ("target", false), ("interface_id", false), ("addr", false), ("asked_from", false), ("asked_to", false), ("answer", false),
    ("prefix_length", true),
];
#[rustfmt::skip]
const WAYS: Columns = &[
    ("interface_id", false), ("protocol", true), ("peer_addr", false), ("peer_port", true), ("local_addr", false), ("local_port", true),
    ("start", false), ("path", false), ("ways", false),
];
#[rustfmt::skip]
const DAYS: Columns = &[
    ("cluster_arn", false), ("day", false), ("hours_expected", true), ("hours_covered", true), ("not_routed", false),
    ("accepted_missing", false), ("rejected_missing", false), ("fields_missing", false), ("open", false),
];

/// Returns the tables by their place below `data/`.
///
/// # Errors
/// If parts of connections that were spilled cannot be read back.
pub fn tables(logs: &Logs, egress: &Egress, policy: Option<&Policy>, days: &[Day]) -> Result<Vec<(&'static str, RecordBatch)>> {
    Ok(vec![
        ("given/days.csv", table(DAYS, days.iter().map(day).collect())?),
        ("given/formats.csv", table(FORMATS, formats(logs, egress))?),
        ("given/listeners.csv", table(LISTENERS, listeners(logs))?),
        ("given/references.csv", table(REFERENCES, references(logs, egress, policy)?)?),
        ("given/rules.csv", table(RULES, policy.map(rules).unwrap_or_default())?),
        ("given/ways.csv", table(WAYS, ways(logs, egress)?)?),
    ])
}

/// A row; numbers are written out until the table is made.
type Row = Vec<Option<String>>;

fn some(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn table(columns: Columns, mut rows: Vec<Row>) -> Result<RecordBatch> {
    let take = |(at, (name, is_number)): (usize, &(&'static str, bool))| {
        let texts = rows.iter_mut().map(|row| row.get_mut(at).and_then(Option::take));
        let array: ArrayRef = match is_number {
            true => Arc::new(texts.map(|text| text?.parse::<i64>().ok()).collect::<Int64Array>()),
            false => Arc::new(texts.collect::<StringArray>()),
        };
        (Field::new(*name, array.data_type().clone(), true), array)
    };
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.iter().enumerate().map(take).unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// What a cluster's day needs before any statement about destinations can pass on it.
fn day(day: &Day) -> Row {
    let list = |texts: Vec<&str>| (!texts.is_empty()).then(|| texts.join("; "));
    vec![
        some(&day.cluster_arn),
        some(&day.day),
        some(day.hours_expected),
        some(day.hours_covered),
        day.not_routed.clone(),
        day.accepted_missing.clone(),
        day.rejected_missing.clone(),
        list(day.fields_missing.iter().map(String::as_str).collect()),
        list(day.open.iter().map(String::as_str).collect()),
    ]
}

/// How many fields each flow log wrote: the richest of overlapping ones counts.
fn formats(logs: &Logs, egress: &Egress) -> Vec<Row> {
    let row = |(eni, hour, flow_log, fields): (u32, UnixSeconds, &str, u32)| {
        let interface = Some(interface_id(logs, eni)?);
        Some(vec![interface, some(rfc3339(hour)), Some(flow_log.to_owned()).filter(|id| !id.is_empty()), some(fields)])
    };
    let mut rows: Vec<Row> = egress.formats().filter_map(row).collect();
    rows.sort_unstable();
    rows
}

/// Ends that webhooks and API services of an interface's cluster are configured to be called at.
fn listeners(logs: &Logs) -> Vec<Row> {
    let configured = logs.inventory.configured_listeners();
    let control_planes = logs.inventory.enis().iter().filter(|eni| eni.kind == InterfaceKind::EksControlPlane);
    let of_eni = |eni: &crate::inventory::Eni| {
        let own = configured.iter().filter(|(cluster, ..)| Some(*cluster) == eni.cluster);
        own.map(|(_, addr, port)| vec![some(&eni.id), some(addr), some(port)]).collect::<Vec<Row>>()
    };
    let mut rows: Vec<Row> = control_planes.flat_map(of_eni).collect();
    rows.sort_unstable();
    rows
}

/// One row for each destination, port range and source of a rule.
fn rules(policy: &Policy) -> Vec<Row> {
    fn or_any<T>(list: &[T]) -> Vec<Option<&T>> {
        if list.is_empty() { vec![None] } else { list.iter().map(Some).collect() }
    }
    let mut rows = Vec::new();
    for (at, rule) in policy.rules.iter().enumerate() {
        for (target, ports, source) in rule.to.iter().flat_map(|target| {
            let sources = or_any(&rule.from);
            or_any(&rule.ports).into_iter().flat_map(move |ports| sources.clone().into_iter().map(move |source| (target, ports, source)))
        }) {
            let net = if let Target::Net(net) = target { Some(net) } else { None };
            let (name, arn) = match source {
                Some(crate::policy::Source::ClusterName(name)) => (some(name), None),
                Some(crate::policy::Source::ClusterArn(arn)) => (None, some(arn)),
                None => (None, None),
            };
            let ways = rule.path.iter().map(|path| path.as_str()).collect::<Vec<_>>().join("|");
            rows.push(vec![
                some(at + 1),
                some(&rule.id),
                some(target),
                net.map(|net| net.network().to_string()),
                net.map(|net| net.broadcast().to_string()),
                net.map(|net| net.prefix_len().to_string()),
                ports.and_then(|ports| ports.protocol).map(|protocol| protocol.to_string()),
                ports.map(|ports| ports.first.to_string()),
                ports.map(|ports| ports.last.to_string()),
                name,
                arn,
                Some(ways).filter(|ways| !ways.is_empty()),
                rule.starts().map(rfc3339),
                some(rfc3339(rule.expires)),
            ]);
        }
    }
    rows
}

/// Recorder, address, and stretch of time in which an answer stays the same.
type Asked = (u32, IpAddr, (u32, u32));

/// What the inventory says of the policy's references, for each address that was contacted and the times at which it was.
fn references(logs: &Logs, egress: &Egress, policy: Option<&Policy>) -> Result<Vec<Row>> {
    let (Some(judge), Some(policy)) = (&logs.policy, policy) else { return Ok(Vec::new()) };
    let mut targets: Vec<&Target> = policy.rules.iter().flat_map(|rule| &rule.to).filter(|to| !matches!(to, Target::Net(_))).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut asked: BTreeMap<Asked, (UnixSeconds, UnixSeconds)> = BTreeMap::new();
    if !targets.is_empty() {
        egress.attempts(logs, &mut |_, attempt| {
            let (Some(recorder), Some((first, last))) = (attempt.recorder, attempt.times) else { return };
            for t in [first, last] {
                let span = asked.entry((recorder, attempt.addr, judge.resolver().epoch(t))).or_insert((t, t));
                *span = (span.0.min(t), span.1.max(t));
            }
        })?;
    }
    let mut rows = Vec::new();
    for ((recorder, addr, _), (from, to)) in asked {
        let peer = logs.inventory.peer(Some(recorder), None, addr, from);
        for target in &targets {
            let (answer, length) = match judge.resolver().resolve(target, addr, Some((&peer, from))) {
                Resolution::Yes(length) => ("yes", some(length)),
                Resolution::Unknown => ("unknown", None),
                Resolution::No => continue,
            };
            let interface = interface_id(logs, recorder);
            rows.push(vec![some(target), interface, some(addr), some(rfc3339(from)), some(rfc3339(to)), some(answer), length]);
        }
    }
    rows.sort_unstable();
    Ok(rows)
}

/// Recorder, protocol, address and port that were contacted.
type Contacted = (u32, u8, IpAddr, u16);
/// A path as the logs tell it, and what it may be in the words of a policy.
type Way = (String, Option<String>);

/// Which way packets went. Other interfaces' records tell that, and a bundle does not hold them.
fn ways(logs: &Logs, egress: &Egress) -> Result<Vec<Row>> {
    // `None` for ends that were reached in more than one way: those have a row for each connection.
    let mut of_ends: BTreeMap<Contacted, Option<Way>> = BTreeMap::new();
    let contacted = |attempt: &crate::policy::Attempt<'_>| Some((attempt.recorder?, attempt.protocol, attempt.addr, attempt.port));
    let way = |attempt: &crate::policy::Attempt<'_>| -> Way {
        let possible = logs.policy.as_ref().map(|judge| judge.paths(attempt));
        let words = possible.map(|paths| paths.0.iter().map(|possible| possible.words()).collect::<Vec<_>>().join(";"));
        (attempt.paths.iter().cloned().collect::<Vec<_>>().join(","), words)
    };
    egress.attempts(logs, &mut |_, attempt| {
        let Some(ends) = contacted(attempt) else { return };
        let way = way(attempt);
        let known = of_ends.entry(ends).or_insert_with(|| Some(way.clone()));
        if known.as_ref().is_some_and(|known| *known != way) {
            *known = None;
        }
    })?;
    let row = |(eni, protocol, addr, port): Contacted, connection: [Option<String>; 3], (path, words): Way| {
        let [local_addr, local_port, start] = connection;
        let told = |text: String| Some(text).filter(|text| !text.is_empty());
        let ends = [interface_id(logs, eni), some(protocol), some(addr), some(port), local_addr, local_port, start];
        ends.into_iter().chain([told(path), words.and_then(told)]).collect::<Row>()
    };
    let mut rows: Vec<Row> = Vec::new();
    if of_ends.values().any(Option::is_none) {
        egress.attempts(logs, &mut |connection, attempt| {
            let Some(ends) = contacted(attempt).filter(|ends| of_ends.get(ends) == Some(&None)) else { return };
            let own = [some(connection.ends.local), some(connection.ends.local_port), some(rfc3339(connection.session.from))];
            rows.push(row(ends, own, way(attempt)));
        })?;
    }
    rows.extend(of_ends.into_iter().filter_map(|(ends, way)| Some(row(ends, [None, None, None], way?))));
    rows.sort_unstable();
    Ok(rows)
}

fn interface_id(logs: &Logs, eni: u32) -> Option<String> {
    logs.inventory.enis().get(eni as usize).map(|eni| eni.id.to_string())
}
