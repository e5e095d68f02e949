//! `report egress` as a document: clusters and what can be seen of them, coverage hour by hour, a picture of who went where, and
//! each destination, those that were not approved first.

use super::cells::{Cells, cells};
use super::cluster_labels::ClusterLabels;
use super::document::{Block, Cell, Column, Document, Flows, HeatMap, Section, State, Table, Tone, grouped};
use super::egress::{Findings, clusters, destination, failures, hours_of, mode_names, modes, outside, short_name, visibility};
use super::sections;
use crate::inventory::Inventory;
use crate::query::coverage::{CoverageHour, State as Hour};
use crate::query::functions::format_bytes;
use crate::time::{HOUR, UnixSeconds, rfc3339};
use arrow::array::RecordBatch;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Makes the document.
pub(super) fn document(inventory: &Inventory, findings: &Findings, rows: &[RecordBatch], notes: &[String], sql: &str) -> Document {
    let mut document = sections::begun("EKS API server egress", findings.period, &findings.inputs, findings.faults.len());
    let rows = sorted(rows);
    let failed = rows.iter().filter(|row| failures(row).1 > 0).count();
    let hours: Vec<_> = clusters(inventory).into_keys().map(|arn| hours_of(inventory, arn, &findings.coverage)).collect();
    let (expected, logged) = (hours.iter().map(|hours| hours.total()).sum::<u64>(), hours.iter().map(|hours| hours.logged()).sum::<u64>());
    document.fact("clusters", Cell::number(clusters(inventory).len() as u64));
    document
        .fact("interface-hours logged", Cell::text(if expected == 0 { "unknown".to_owned() } else { format!("{logged} of {expected}") }));
    document.fact("destinations", Cell::number(rows.len() as u64));
    document.fact("… outside the VPC", Cell::number(rows.iter().filter(|row| outside(row)).count() as u64));
    document.fact("… with failed connections", Cell::number(failed as u64));
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    rows.iter().filter_map(|row| row.text("verdict")).for_each(|verdict| *verdicts.entry(verdict).or_default() += 1);
    for (verdict, count) in verdicts {
        document.fact(format!("… {}", verdict.to_lowercase()), Cell::number(count));
    }
    let labels = labels(inventory);
    document.push(clusters_section(inventory, findings, &rows));
    document.push(coverage(inventory, &findings.coverage));
    document.push(picture(&rows, &labels));
    document.push(destinations(&rows, &labels));
    if failed > 0 {
        document.push(failed_section(&rows, &labels));
    }
    sections::end(&mut document, notes, &findings.inputs, &findings.faults, sql);
    document
}

fn labels(inventory: &Inventory) -> ClusterLabels {
    ClusterLabels::of(inventory.clusters().iter().map(|cluster| (&*cluster.arn, &*cluster.name)))
}

fn cluster(row: &Cells<'_>, labels: &ClusterLabels) -> String {
    labels.get(&row.text("cluster_arn").unwrap_or_default()).to_owned()
}

/// Bytes both ways.
fn bytes(row: &Cells<'_>) -> u64 {
    sent(row).saturating_add(row.count("reply_bytes"))
}

fn sent(row: &Cells<'_>) -> u64 {
    row.count("bytes_accepted").saturating_add(row.count("bytes_rejected"))
}

fn tone(row: &Cells<'_>) -> Tone {
    row.text("verdict").map_or(Tone::Neutral, |verdict| Tone::of(&verdict))
}

/// Not approved first, then by bytes; the order of rows decides between equals.
fn sorted(batches: &[RecordBatch]) -> Vec<Cells<'_>> {
    let mut rows: Vec<_> = cells(batches).map(|row| ((tone(&row), Reverse(bytes(&row))), row)).collect();
    rows.sort_by_key(|(key, _)| *key);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn clusters_section(inventory: &Inventory, findings: &Findings, rows: &[Cells<'_>]) -> Section {
    let columns = vec![
        Column::text("cluster"),
        Column::wrapped("place"),
        Column::text("egress mode"),
        Column::wrapped("what can be seen"),
        Column::number("destinations"),
        Column::wrapped("coverage"),
    ];
    let mut of_cluster: BTreeMap<String, u64> = BTreeMap::new();
    rows.iter().for_each(|row| *of_cluster.entry(row.text("cluster_arn").unwrap_or_default()).or_default() += 1);
    let mut table = Table::new("Clusters of the inventory", columns);
    for (arn, versions) in clusters(inventory) {
        let Some(cluster) = versions.last() else { continue };
        let modes = modes(cluster, findings.period);
        let place = [&cluster.account_id, &cluster.region, &cluster.vpc_id].into_iter().flatten().map(|part| &**part).collect::<Vec<_>>();
        table.push(vec![
            Cell::text(&*cluster.name),
            Cell::text(place.join(", ")),
            Cell::text(mode_names(&modes)),
            Cell::text(visibility(&modes)),
            Cell::number(of_cluster.get(arn).copied().unwrap_or(0)),
            Cell::text(hours_of(inventory, arn, &findings.coverage).line()),
        ]);
    }
    let mut section = Section::new("clusters", "Clusters");
    section.paragraph("Whose API servers these are, and what their egress mode lets flow logs show.");
    section.table(table);
    section
}

/// Label of an interface, with its cluster's.
fn label(inventory: &Inventory, labels: &ClusterLabels, eni: u32) -> String {
    let Some(eni) = inventory.enis().get(eni as usize) else { return String::new() };
    let cluster = eni.cluster.and_then(|at| inventory.clusters().get(at as usize));
    cluster.map_or_else(|| eni.id.to_string(), |cluster| format!("{} {}", labels.get(&cluster.arn), eni.id))
}

pub(super) fn coverage(inventory: &Inventory, hours: &[CoverageHour]) -> Section {
    let mut section = Section::new("coverage", "Coverage");
    if hours.is_empty() {
        section.paragraph("Coverage is unknown: the logs do not show that any control-plane interface was logged in the period at all.");
        return section;
    }
    section.paragraph(
        "For each control-plane interface and hour, what the logs say of it. What is not recorded in an hour without records may still have happened.",
    );
    let labels = labels(inventory);
    let states = hours.iter().map(|hour| (label(inventory, &labels, hour.eni), hour.hour, State::named(hour.state.as_str())));
    section.push(Block::HeatMap(HeatMap::of("Control-plane interfaces by hour", states)));
    let columns = ["interface", "state", "from", "to"].map(Column::text).into_iter().chain([Column::number("hours")]);
    let mut table = Table::new("Hours without records, or with records lost", columns.collect());
    for (eni, state, from, to) in incomplete_hours(hours) {
        let count = (to - from).div_euclid(HOUR).unsigned_abs();
        table.push_with(|| {
            vec![
                Cell::text(label(inventory, &labels, eni)),
                Cell::badge(state),
                Cell::text(rfc3339(from)),
                Cell::text(rfc3339(to)),
                Cell::number(count),
            ]
        });
    }
    section.table(table);
    section
}

/// Stretches of hours with records lost or without any: interface, state, first second, end.
fn incomplete_hours(hours: &[CoverageHour]) -> Vec<(u32, &'static str, UnixSeconds, UnixSeconds)> {
    let mut stretches: Vec<(u32, &'static str, UnixSeconds, UnixSeconds)> = Vec::new();
    for hour in hours.iter().filter(|hour| !matches!(hour.state, Hour::Ok | Hour::NoData | Hour::NotApplicable)) {
        match stretches.last_mut() {
            Some((eni, state, _, to)) if (*eni, *state, *to) == (hour.eni, hour.state.as_str(), hour.hour) => *to += HOUR,
            _ => stretches.push((hour.eni, hour.state.as_str(), hour.hour, hour.hour + HOUR)),
        }
    }
    stretches
}

/// Whether a reader should look here: nothing was answered, or it was not approved.
fn is_alert(row: &Cells<'_>) -> bool {
    tone(row) == Tone::Bad || failures(row).1 > 0 && row.count("answered") == 0
}

fn picture(rows: &[Cells<'_>], labels: &ClusterLabels) -> Section {
    let mut section = Section::new("picture", "Who went where");
    if rows.is_empty() {
        section.paragraph("No destination was contacted in the period, as far as these logs show.");
        return section;
    }
    section.paragraph("What counts is bytes, both ways. Those to look at, marked by ✕ in the picture: no connection was answered, or the destination is not approved.");
    let flow = |row: &Cells<'_>| {
        let path = row.text("path").unwrap_or_else(|| "path not recorded".to_owned());
        let name = row.text("dst_name").map_or_else(|| destination(row), |name| format!("{}  {}", destination(row), short(&name)));
        ([cluster(row, labels), path.replace(',', ", "), name], bytes(row), is_alert(row))
    };
    section.push(Block::Flows(Flows::of(
        "Clusters, paths and destinations",
        ["cluster", "path", "destination"],
        rows.iter().map(flow),
        format_bytes,
    )));
    section
}

/// The first of several names, without its kind: the table has them in full.
fn short(names: &str) -> String {
    let mut all = names.split(',');
    let first = all.next().unwrap_or_default();
    let name = first.rsplit_once('/').map_or(first, |(_, name)| name);
    match all.count() {
        0 => name.to_owned(),
        more => format!("{name} +{more}"),
    }
}

fn name_and_kind(row: &Cells<'_>) -> String {
    let of = |name: &str| row.text(name).unwrap_or_default();
    match (short_name(&of("dst_name")), of("dst_kind").replace(',', ", ")) {
        (name, kind) if name.is_empty() => kind,
        (name, kind) if kind.is_empty() => name,
        (name, kind) => format!("{name} ({kind})"),
    }
}

fn destinations(rows: &[Cells<'_>], labels: &ClusterLabels) -> Section {
    let is_judged = rows.iter().any(|row| row.text("verdict").is_some());
    let mut columns = vec![Column::text("destination"), Column::wrapped("name"), Column::wrapped("cluster")];
    if is_judged {
        columns.extend([Column::text("verdict"), Column::wrapped("approved by")]);
    }
    columns.extend([
        Column::wrapped("path"),
        Column::number("conns"),
        Column::wrapped("failed"),
        Column::number("records"),
        Column::number("out"),
        Column::number("replies"),
        Column::wrapped("first and last seen"),
        Column::text("confidence"),
    ]);
    let mut table = Table::new(format!("{} destinations, by bytes", grouped(rows.len() as u64)), columns);
    for row in rows {
        table.push_with(|| {
            let of = |name: &str| row.text(name).unwrap_or_default();
            let mut cells = vec![Cell::text(destination(row)), Cell::text(name_and_kind(row)), Cell::text(cluster(row, labels))];
            if is_judged {
                cells.extend([Cell::badge(of("verdict")), Cell::text(of("approved_by").replace(',', ", "))]);
            }
            cells.extend([
                Cell::text(of("path").replace(',', ", ")),
                Cell::number(row.count("connections")),
                Cell::text(failures(row).0),
                Cell::number(row.count("records_accepted").saturating_add(row.count("records_rejected"))),
                Cell::text(format_bytes(sent(row))),
                Cell::text(format_bytes(row.count("reply_bytes"))),
                Cell::text(format!("{} {}", of("first_seen"), of("last_seen"))),
                Cell::text(of("confidence")),
            ]);
            cells
        });
    }
    let mut section = Section::new("destinations", "Destinations");
    section.paragraph(
        "What the API servers opened, or tried to open, through their interfaces in the VPC. The first and the last log line of each stand in CSV and JSON, \
         so that any figure can be traced to the lines it came from.",
    );
    section.table(table);
    section
}

fn failed_section(rows: &[Cells<'_>], labels: &ClusterLabels) -> Section {
    let columns = vec![
        Column::text("destination"),
        Column::wrapped("name"),
        Column::text("cluster"),
        Column::number("conns"),
        Column::number("answered"),
        Column::wrapped("failed"),
        Column::wrapped("path"),
    ];
    let mut table = Table::new("Destinations with failed connections", columns);
    for row in rows.iter().filter(|row| failures(row).1 > 0) {
        table.push_with(|| {
            let of = |name: &str| Cell::text(row.text(name).unwrap_or_default().replace(',', ", "));
            vec![
                Cell::text(destination(row)),
                of("dst_name"),
                Cell::text(cluster(row, labels)),
                Cell::number(row.count("connections")),
                Cell::number(row.count("answered")),
                Cell::text(failures(row).0),
                of("path"),
            ]
        });
    }
    let mut section = Section::new("failed", "Failed connections");
    section.paragraph(
        "Unanswered: no reply was recorded. Refused: the destination reset the connection. Rejected: a security group or network ACL at the interface. \
         Reply blocked: the reply was rejected here.",
    );
    section.table(table);
    section
}
