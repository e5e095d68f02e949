//! The results as a document for people: `report.html` and `report.md`, with nothing in them that the results do not say.

use super::results::{Destination, Results, StatementDay, Verdict};
use crate::query::functions::{format_bytes, protocol_name};
use crate::report::cluster_labels::ClusterLabels;
use crate::report::document::{Block, Cell, Column, Document, Flows, HeatMap, Section, State, Table};
use crate::time::{HOUR, UnixSeconds, parse_instant};
use std::collections::BTreeMap;

/// Makes the document of a run, which its digest names.
pub fn document(results: &Results, run: &str) -> Document {
    let mut document =
        Document::new("Evidence of API-server egress", format!("{} to {} (UTC, half-open)", results.period.from, results.period.to));
    cover(results, run, &mut document);
    document.verdicts = Some(conclusions(results));
    document.push(limits(results));
    document.push(scope(results));
    document.push(days(results));
    document.push(coverage(results));
    document.push(destinations(results));
    document.push(picture(results));
    document.push(exceptions(results));
    document.push(controls(results));
    document.push(method(results));
    document
}

fn cover(results: &Results, run: &str, document: &mut Document) {
    let count = |verdict: Verdict| results.statements.iter().filter(|statement| statement.verdict == verdict).count() as u64;
    document.fact("clusters", Cell::number(results.clusters.len() as u64));
    document.fact("statements that PASS", Cell::number(count(Verdict::Pass)));
    document.fact("… that FAIL", Cell::number(count(Verdict::Fail)));
    document.fact("… INDETERMINATE", Cell::number(count(Verdict::Indeterminate)));
    document.fact("run", Cell::text(run));
    document.fact("made by", Cell::text(&*results.tool));
    document.fact("digest of the inputs", Cell::text(&*results.inputs.digest));
    document.fact("digest of the inventory", Cell::text(&*results.inputs.inventory_digest));
    let policy = results.policy.as_ref().map_or_else(
        || "none: nothing about approval can pass".to_owned(),
        |policy| format!("{} {} (sha256 {})", policy.name, policy.version, policy.sha256),
    );
    document.fact("policy", Cell::text(policy));
    document
        .fact("to verify", Cell::text("flowproof evidence verify BUNDLE --key KEY; without flowproof, as README.txt of the bundle says"));
}

fn labels(results: &Results) -> ClusterLabels {
    ClusterLabels::of(results.clusters.iter().map(|cluster| (&*cluster.cluster_arn, &*cluster.cluster)))
}

fn conclusions(results: &Results) -> Table {
    let labels = labels(results);
    let columns = vec![
        Column::text("id"),
        Column::text("cluster"),
        Column::text("verdict"),
        Column::wrapped("statement"),
        Column::number("population"),
        Column::number("tested"),
        Column::number("violations"),
        Column::number("open"),
        Column::wrapped("why"),
    ];
    let mut table = Table::new("Conclusions: the worst day of each cluster decides", columns);
    for one in &results.statements {
        table.push_with(|| {
            vec![
                Cell::text(&*one.id),
                Cell::text(labels.get(&one.cluster_arn)),
                Cell::badge(one.verdict.name()),
                Cell::text(&*one.text),
                Cell::number(one.population),
                Cell::number(one.tested),
                Cell::number(one.violations),
                Cell::number(one.indeterminate),
                Cell::text(&*one.reason),
            ]
        });
    }
    table
}

fn limits(results: &Results) -> Section {
    let mut section = Section::new("limits", "What this cannot show");
    section.paragraph("Flow logs cannot give what follows, whoever reads them. It bounds the conclusions above.");
    section.list(results.limits.iter().map(|limit| format!("{} ({})", limit.text, limit.statements.join(", "))));
    section.list(&results.notes);
    section
}

fn scope(results: &Results) -> Section {
    let columns = vec![
        Column::wrapped("cluster"),
        Column::text("account"),
        Column::text("region"),
        Column::text("VPC"),
        Column::text("egress mode"),
        Column::wrapped("control-plane interfaces"),
    ];
    let mut table = Table::new("Clusters in scope", columns);
    for cluster in &results.clusters {
        table.push_with(|| {
            let modes: Vec<&str> = cluster.egress_modes.iter().map(|mode| mode.as_deref().unwrap_or("unknown")).collect();
            vec![
                Cell::text(&*cluster.cluster_arn),
                Cell::optional(cluster.account_id.as_deref()),
                Cell::optional(cluster.region.as_deref()),
                Cell::optional(cluster.vpc_id.as_deref()),
                Cell::text(modes.join(", then ")),
                Cell::text(cluster.interfaces.join(", ")),
            ]
        });
    }
    let mut section = Section::new("scope", "Scope");
    section.table(table);
    section
}

/// The days that do not pass: rolled-up verdicts must not hide them.
fn days(results: &Results) -> Section {
    let labels = labels(results);
    let columns = vec![
        Column::text("day"),
        Column::text("id"),
        Column::text("cluster"),
        Column::text("verdict"),
        Column::text("covered"),
        Column::wrapped("why"),
    ];
    let mut table = Table::new("Days of a statement that do not pass", columns);
    table.rest_in = Some("statements.csv".to_owned());
    let open = results.statements.iter().flat_map(|one| one.days.iter().map(move |day| (one, day)));
    for (one, day) in open.filter(|(_, day)| day.verdict != Verdict::Pass) {
        table.push_with(|| {
            vec![
                Cell::text(&*day.day),
                Cell::text(&*one.id),
                Cell::text(labels.get(&one.cluster_arn)),
                Cell::badge(day.verdict.name()),
                Cell::text(share(day)),
                Cell::text(&*day.reason),
            ]
        });
    }
    let mut section = Section::new("days", "Day by day");
    section.paragraph("Every statement is judged for each UTC day. All days, with those that pass, stand in statements.csv.");
    section.table(table);
    section
}

fn share(day: &StatementDay) -> String {
    day.covered_per_10000.map_or_else(String::new, |share| format!("{}.{:02} %", share / 100, share % 100))
}

fn state(letter: char) -> State {
    match letter {
        'O' => State::Ok,
        'N' => State::NoData,
        'S' => State::SkipData,
        'G' => State::Gap,
        'L' => State::Late,
        '-' => State::NotApplicable,
        _ => State::Unknown,
    }
}

fn coverage(results: &Results) -> Section {
    let labels = labels(results);
    let start = |day: &str| parse_instant(day, 0).unwrap_or(0);
    let hours = results.coverage.iter().flat_map(|day| {
        let label = format!("{} {}", labels.get(&day.cluster_arn), day.interface_id);
        let from: UnixSeconds = start(&day.day);
        day.hours.chars().zip(0..).map(move |(letter, hour)| (label.clone(), from + hour * HOUR, state(letter)))
    });
    let mut section = Section::new("coverage", "Coverage");
    section.paragraph("For each control-plane interface and hour, what the logs say of it. What is not recorded in an hour without records may still have happened.");
    section.push(Block::HeatMap(HeatMap::of("Control-plane interfaces by hour", hours)));
    let columns = ["subject", "state", "from", "to"].map(Column::text).into_iter().collect();
    let mut table = Table::new("Spans without proof", columns);
    table.rest_in = Some("gaps.csv".to_owned());
    for gap in &results.gaps {
        table.push_with(|| {
            vec![Cell::text(&*gap.subject), Cell::badge(&*gap.state), Cell::text(&*gap.period.from), Cell::text(&*gap.period.to)]
        });
    }
    section.table(table);
    section
}

fn place(one: &Destination) -> String {
    let protocol = protocol_name(i32::from(one.protocol)).map_or_else(|| one.protocol.to_string(), |name| name.to_lowercase());
    format!("{} {protocol}/{}", one.dst_addr, one.dst_port)
}

fn destinations(results: &Results) -> Section {
    let labels = labels(results);
    let columns = vec![
        Column::text("destination"),
        Column::wrapped("name"),
        Column::wrapped("cluster"),
        Column::text("verdict"),
        Column::wrapped("approved by"),
        Column::wrapped("path"),
        Column::number("connections"),
        Column::number("out"),
        Column::number("back"),
        Column::wrapped("first seen"),
        Column::wrapped("last seen"),
        Column::wrapped("who opened it"),
    ];
    let mut table = Table::new("Destinations, those that are not approved first, then by bytes", columns);
    table.rest_in = Some("destinations.csv".to_owned());
    for one in &results.destinations {
        table.push_with(|| {
            vec![
                Cell::text(place(one)),
                Cell::text(one.dst_name.clone().or_else(|| one.dst_kind.clone()).unwrap_or_default()),
                Cell::text(labels.get(&one.cluster_arn)),
                one.verdict.as_deref().map_or_else(|| Cell::text("not judged"), Cell::badge),
                Cell::optional(one.approved_by.as_deref()),
                Cell::text(one.path.as_deref().unwrap_or("not recorded")),
                Cell::number(one.connections),
                Cell::text(format_bytes(one.bytes_accepted)),
                Cell::text(format_bytes(one.reply_bytes)),
                Cell::text(one.first_seen.as_deref().unwrap_or_default()),
                Cell::text(one.last_seen.as_deref().unwrap_or_default()),
                Cell::text(format!("rule {}, {}", one.initiator_rule, one.confidence)),
            ]
        });
    }
    let mut section = Section::new("destinations", "Destinations");
    section.paragraph(
        "Full population: every record of the period was read, none was sampled. Connections are counted from aggregated records.",
    );
    section.table(table);
    section
}

fn picture(results: &Results) -> Section {
    let labels = labels(results);
    let mut section = Section::new("paths", "Who went where");
    let flow = |one: &Destination| {
        let is_alert = one.verdict.as_deref().is_some_and(|verdict| !matches!(verdict, "approved" | "indeterminate"));
        let path = one.path.as_deref().unwrap_or("path not recorded").replace(',', ", ");
        ([labels.get(&one.cluster_arn).to_owned(), path, place(one)], one.bytes_accepted.saturating_add(one.reply_bytes), is_alert)
    };
    section.paragraph("Bytes both ways, from cluster by path to destination. Those that the policy does not approve are marked.");
    let heads = ["cluster", "path", "destination"];
    section.push(Block::Flows(Flows::of("Clusters, paths and destinations", heads, results.destinations.iter().map(flow), format_bytes)));
    section
}

fn exceptions(results: &Results) -> Section {
    let labels = labels(results);
    let columns = vec![
        Column::text("id"),
        Column::text("day"),
        Column::text("cluster"),
        Column::text("verdict"),
        Column::wrapped("subject"),
        Column::wrapped("why"),
        Column::number("items"),
        Column::wrapped("first record"),
    ];
    let mut table = Table::new("What violates a statement, leaves it open, or is listed by it", columns);
    table.rest_in = Some("exceptions.csv".to_owned());
    let mut all: Vec<_> = results.exceptions.iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.verdict));
    for one in all {
        table.push_with(|| {
            vec![
                Cell::text(&*one.statement),
                Cell::text(&*one.day),
                Cell::text(labels.get(&one.cluster_arn)),
                Cell::badge(if one.verdict == Verdict::Pass { "listed" } else { one.verdict.name() }),
                Cell::text(&*one.subject),
                Cell::text(&*one.reason),
                Cell::number(one.items),
                Cell::optional(one.first_line.as_deref()),
            ]
        });
    }
    let mut section = Section::new("exceptions", "Exceptions");
    section.table(table);
    if let Some(policy) = &results.policy {
        let columns = vec![Column::text("finding"), Column::text("severity"), Column::text("rule"), Column::wrapped("what")];
        let mut table = Table::new("Findings about the policy", columns);
        table.rest_in = Some("policy/findings.csv".to_owned());
        for finding in &policy.findings {
            table.push_with(|| {
                vec![
                    Cell::text(&*finding.id),
                    Cell::badge(&*finding.severity),
                    Cell::optional(finding.rule.as_deref()),
                    Cell::text(&*finding.what),
                ]
            });
        }
        section.table(table);
    }
    section
}

fn controls(results: &Results) -> Section {
    let columns = vec![
        Column::text("control"),
        Column::wrapped("title"),
        Column::text("verdict"),
        Column::text("statements"),
        Column::wrapped("what they show"),
        Column::wrapped("what they cannot"),
        Column::text("mapping"),
    ];
    let mut section = Section::new("controls", "Controls");
    section.paragraph("Every control that was asked for, also those that flow logs cannot assess. This supports an assertion about them; it does not make one.");
    let mut by_framework: BTreeMap<&str, Table> = BTreeMap::new();
    for one in &results.controls {
        let table = by_framework.entry(&one.framework).or_insert_with(|| Table::new(&*one.framework, columns.clone()));
        table.push_with(|| {
            vec![
                Cell::text(&*one.control),
                Cell::text(&*one.title),
                Cell::badge(one.verdict.map_or("NOT ASSESSED", Verdict::name)),
                Cell::text(one.statements.join(", ")),
                Cell::text(&*one.shows),
                Cell::text(&*one.cannot_show),
                Cell::text(&*one.confidence),
            ]
        });
    }
    by_framework.into_values().for_each(|table| _ = section.table(table));
    section
}

fn method(results: &Results) -> Section {
    let inputs = &results.inputs;
    let mut section = Section::new("method", "Method and inputs");
    section.list([
        "Every log object of the scope is read once, digested as it is read, and every line of it is accounted for.",
        "Records of control-plane interfaces, found by the inventory as of each record's start, are joined into connections of both directions.",
        "Who opened a connection is decided by its handshake, else by ports; each decision carries its rule and how sure it is.",
        "What the control plane opened is judged by the policy at the time of its records, by address, port, source and path.",
        "Where several flow logs wrote the same traffic, one counts; hours are covered by records of traffic or of no traffic.",
        "A statement fails by one violation; it is INDETERMINATE if anything that it needs is missing; only else does it pass.",
    ]);
    let fact = |label: &str, count: u64| (label.to_owned(), Cell::number(count));
    section.facts(vec![
        fact("log objects read", inputs.objects),
        fact("… not read whole", inputs.objects_incomplete),
        fact("… left out, as they can hold no control plane's traffic", inputs.objects_left_out),
        ("stored bytes".to_owned(), Cell::text(format_bytes(inputs.bytes))),
        fact("lines", inputs.lines),
        fact("records of traffic", inputs.ok),
        fact("records of no traffic", inputs.nodata),
        fact("records of lost records", inputs.skipdata),
        fact("lines that are no records", inputs.rejected),
        fact("records outside the period", inputs.outside_window),
        fact("records that another flow log wrote too", inputs.duplicate),
        fact("files of the inventory", inputs.inventory_files),
    ]);
    section.paragraph(
        "The statements' SQL stands in sql/, the inputs in inputs/, the inventory in context/, the records of control planes in records/.",
    );
    section
}
