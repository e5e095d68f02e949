//! `report coverage`: what was logged of each control plane, hour by hour; gaps, files, flow logs, and how the bucket is kept.
//!
//! The JSON is the ledger in full. It says what is covered and what weakens that, and leaves conclusions to those who draw them.

use super::document::{Cell, Column, Document, Section, Table};
use super::{Inputs, Report, coverage_page, egress_document, incomplete_objects, page, sections, value};
use crate::error::Result;
use crate::inventory::Inventory;
use crate::query::coverage::State;
use crate::query::deliveries::{Delivery, Judgement};
use crate::query::flow_log_use::{FlowLogUse, Span};
use crate::query::functions::format_bytes;
use crate::query::ledger::{BucketCustody, ClusterDay, Gap, Ledger, cluster_of};
use crate::query::{Engine, Logs, library};
use crate::time::{DAY, UnixSeconds, rfc3339};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the report is made of, besides the rows.
#[derive(Debug)]
pub struct Coverage<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The inventory that it speaks of.
    pub inventory: &'a Inventory,
    /// What was read.
    pub inputs: &'a Inputs,
    /// Objects that could not be read whole: URI, status, reason.
    pub faults: &'a [(String, &'static str, String)],
}

/// Makes the report.
///
/// # Errors
/// If logs cannot be read at all, or a query fails.
pub async fn report(logs: &Arc<Logs>, engine: &Engine) -> Result<Report> {
    let query = library::find("coverage")?;
    let (schema, rows) = engine.collect(query.sql, &[]).await?;
    let egress = logs.egress().await?;
    let ledger = Ledger::of(logs, &egress);
    let facts = &egress.summary.facts;
    let inputs = Inputs::of(&egress.totals, facts.duplicate_records, logs.validation.name());
    let coverage = Coverage { ledger: &ledger, inventory: &logs.inventory, inputs: &inputs, faults: &egress.totals.faults };
    let mut notes = coverage.notes();
    if facts.duplicate_records > 0 {
        let ids: Vec<&str> = facts.duplicate_flow_logs.iter().map(|id| if id.is_empty() { "(no id)" } else { id }).collect();
        notes.push(format!(
            "{} records ({}) were written by overlapping flow logs too; set aside: {}",
            facts.duplicate_records,
            format_bytes(facts.duplicate_bytes),
            ids.join(", ")
        ));
    }
    if facts.unattributed_records > 0 {
        notes.push(format!("{} records name no interface, so they cover none", facts.unattributed_records));
    }
    if egress.skipped.0 > 0 {
        notes.push(format!(
            "{} objects ({}) of flow logs that can cover no control plane were not opened: {}",
            egress.skipped.0,
            format_bytes(egress.skipped.1),
            egress.skipped.2.join(", ")
        ));
    }
    notes.extend(logs.listed.notes.iter().cloned());
    notes.extend(logs.inventory.warnings().iter().map(|warning| format!("inventory: {warning}")));
    notes.push("a covered hour shows that logging was live, not that every packet was logged: flow logs never hold traffic to the Amazon DNS resolver, instance metadata and time service, or DHCP".to_owned());
    let text = coverage_page::page(&coverage, &notes);
    let further = coverage.further(query.sql);
    let document = coverage.document(&notes, query.sql);
    let period = ledger.period;
    Ok(Report { name: "coverage", period, inputs, schema, rows, notes, further, money: Vec::new(), page: text, document })
}

/// Returns whether any hour is a gap, or silent without anybody knowing why.
pub fn has_gaps(report: &Report) -> bool {
    let by_state = report.further.get("interface_hours").and_then(|hours| hours.get("by_state"));
    [State::Gap, State::Unknown].iter().any(|state| by_state.is_some_and(|by_state| by_state.get(state.as_str()).is_some()))
}

fn states(by_state: &BTreeMap<State, u64>) -> Value {
    by_state.iter().map(|(state, hours)| (state.as_str().to_owned(), value::count(*hours))).collect::<Map<_, _>>().into()
}

/// A share of ten-thousandths as a number from 0 to 1 with four digits.
fn share(of_ten_thousand: Option<u64>) -> Value {
    of_ten_thousand.map_or(Value::Null, |share| json!(share as f64 / 10_000.0))
}

fn instant(t: Option<UnixSeconds>) -> Value {
    t.map_or(Value::Null, |t| rfc3339(t).into())
}

impl Coverage<'_> {
    /// Returns an interface's id.
    pub fn interface(&self, eni: u32) -> &str {
        self.inventory.enis().get(eni as usize).map_or("", |eni| &*eni.id)
    }

    /// Returns the document: the picture of the hours, what is missing, and days by cluster.
    fn document(&self, notes: &[String], sql: &str) -> Document {
        let mut document = sections::begun("Coverage of EKS control planes", self.ledger.period, self.inputs, self.faults.len());
        for (state, hours) in self.by_state() {
            document.fact(format!("interface-hours {}", state.as_str()), Cell::number(hours));
        }
        document.push(egress_document::coverage(self.inventory, &self.ledger.hours));
        document.push(self.days_section());
        document.push(self.flow_logs_section());
        sections::end(&mut document, notes, self.inputs, self.faults, sql);
        document
    }

    fn days_section(&self) -> Section {
        let columns = ["cluster", "day"].map(Column::text).into_iter();
        let columns = columns.chain(["interfaces", "hours", "covered", "share"].map(Column::number)).collect();
        let mut table = Table::new("Covered share of each cluster's interface-hours", columns);
        for day in &self.ledger.days {
            table.push_with(|| {
                let share =
                    day.covered_share().map_or_else(|| "none expected".to_owned(), |share| format!("{}.{:02} %", share / 100, share % 100));
                vec![
                    Cell::text(&*day.cluster_arn),
                    Cell::text(rfc3339(day.day).chars().take("2026-10-01".len()).collect::<String>()),
                    Cell::number(day.interfaces),
                    Cell::number(day.expected()),
                    Cell::number(day.covered()),
                    Cell::text(share),
                ]
            });
        }
        let mut section = Section::new("days", "Days");
        section.table(table);
        section
    }

    fn flow_logs_section(&self) -> Section {
        let columns = vec![Column::text("flow log"), Column::wrapped("weakness"), Column::number("interface spans touched")];
        let mut table = Table::new("What flow logs cannot show", columns);
        for touched in &self.ledger.flow_logs.touched {
            table.push_with(|| {
                vec![
                    Cell::text(if touched.flow_log_id.is_empty() { "(no id)" } else { &touched.flow_log_id }),
                    Cell::text(touched.weakness.says()),
                    Cell::number(touched.spans.len() as u64),
                ]
            });
        }
        let mut section = Section::new("flow-logs", "Flow logs");
        section.paragraph("A weakness counts for those interfaces and hours only in which its flow log does.");
        section.table(table);
        section
    }

    /// Returns the hours of all clusters by state.
    pub fn by_state(&self) -> BTreeMap<State, u64> {
        let mut by_state = BTreeMap::new();
        self.ledger.hours.iter().for_each(|hour| *by_state.entry(hour.state).or_default() += 1);
        by_state
    }

    fn cluster_of(&self, eni: u32) -> (Option<&str>, Option<&str>) {
        let cluster = cluster_of(self.inventory, eni);
        (cluster.map(|cluster| &*cluster.name), cluster.map(|cluster| &*cluster.arn))
    }

    fn notes(&self) -> Vec<String> {
        let ledger = self.ledger;
        let mut notes: Vec<String> = self.faults.iter().map(|(uri, status, reason)| format!("{status}: {uri}: {reason}")).collect();
        if self.inputs.records.rejected > 0 {
            notes.push(format!(
                "{} lines are not records; the table rejects holds each with its place and reason",
                self.inputs.records.rejected
            ));
        }
        let without = |day: &&ClusterDay| day.expected() == 0;
        let mut empty: Vec<&str> = ledger.days.iter().filter(without).map(|day| &*day.cluster_arn).collect();
        empty.dedup();
        for arn in empty {
            notes.push(format!("{arn}: on some days no control-plane interface of it is known, so nothing shows that it was logged"));
        }
        for touched in ledger.flow_logs.touched.iter().filter(|touched| !touched.spans.is_empty()) {
            notes.push(format!("{}: {}", flow_log_name(&touched.flow_log_id), touched.weakness.says()));
        }
        for flow_log in ledger.flow_logs.used.iter().filter(|flow_log| flow_log.format_differs) {
            notes.push(format!(
                "{}: its objects have another format than describe-flow-logs shows; they are not as AWS wrote them, or the inventory is wrong",
                flow_log_name(&flow_log.id)
            ));
        }
        let silent = |delivery: &Delivery| delivery.missing.iter().filter(|span| span.judgement == Judgement::Silent).count();
        for delivery in &ledger.deliveries {
            if silent(delivery) > 0 {
                notes.push(format!(
                    "{}: {} without a file in hours without a record of a control plane, which is never idle",
                    flow_log_name(&delivery.flow_log_id),
                    page::plural(silent(delivery) as u64, "span")
                ));
            }
        }
        if ledger.objects_without_stamp > 0 {
            notes.push(format!(
                "{} objects have no time in their names, so no grid of deliveries can hold them",
                ledger.objects_without_stamp
            ));
        }
        let suspects: Vec<&str> =
            ledger.unknown.iter().filter(|unknown| unknown.in_logs).map(|unknown| unknown.interface_id.as_str()).collect();
        if !suspects.is_empty() {
            notes.push(format!(
                "interfaces that behave like a control plane's but are not in the inventory, not included: {}",
                suspects.join(", ")
            ));
        }
        for bucket in ledger.custody.iter().filter(|bucket| !bucket.unknown.is_empty()) {
            notes.push(format!("bucket {}: unknown for want of {}", bucket.bucket, bucket.unknown.join(", ")));
        }
        notes
    }

    /// Further keys of the JSON.
    fn further(&self, sql: &str) -> Map<String, Value> {
        let ledger = self.ledger;
        let by_state = self.by_state();
        let sum = |of: fn(State) -> bool| by_state.iter().filter(|(state, _)| of(**state)).map(|(_, hours)| hours).sum::<u64>();
        let mut further = Map::new();
        let mut put = |key: &str, value: Value| _ = further.insert(key.to_owned(), value);
        put("as_of", instant(ledger.closing.as_of));
        put("settle_seconds", ledger.closing.settle_s.into());
        put(
            "interface_hours",
            json!({ "expected": value::count(sum(State::is_expected)), "logged": value::count(sum(State::is_logged)), "by_state": states(&by_state) }),
        );
        put("by_day", ledger.days.iter().map(|day| self.day(day)).collect());
        put("gaps", ledger.gaps.iter().map(|gap| self.gap(gap)).collect());
        put("deliveries", ledger.deliveries.iter().map(delivery).collect());
        put("objects_without_stamp", value::count(ledger.objects_without_stamp));
        put("flow_logs", ledger.flow_logs.used.iter().map(|flow_log| self.flow_log(flow_log)).collect());
        put("flow_log_changes", self.changes());
        put("weaknesses", self.weaknesses());
        put("unknown_interfaces", self.unknown());
        put("unseen_interfaces", self.unseen());
        put("custody", ledger.custody.iter().map(bucket).collect());
        put("incomplete_objects", incomplete_objects(self.faults));
        put("sql", sql.into());
        further
    }

    fn day(&self, day: &ClusterDay) -> Value {
        let weaknesses = self.ledger.weaknesses_on(self.inventory, &day.cluster_arn, day.day);
        let weak =
            |(id, weakness): &(&str, &crate::query::flow_log_use::Weakness)| json!({ "flow_log_id": id, "weakness": weakness.name() });
        json!({
            "cluster": &*day.cluster,
            "cluster_arn": &*day.cluster_arn,
            "day": rfc3339(day.day).get(..10),
            "interfaces": day.interfaces,
            "hours_expected": day.expected(),
            "hours_covered": day.covered(),
            "covered_share": share(day.covered_share()),
            "by_state": states(&day.by_state),
            "weaknesses": weaknesses.iter().map(weak).collect::<Vec<_>>(),
        })
    }

    fn gap(&self, gap: &Gap) -> Value {
        let (cluster, arn) = self.cluster_of(gap.span.eni);
        json!({
            "cluster": cluster,
            "cluster_arn": arn,
            "interface_id": self.interface(gap.span.eni),
            "state": gap.state.as_str(),
            "from": rfc3339(gap.span.from),
            "to": rfc3339(gap.span.to),
            "hours": gap.hours(),
            "objects_delivered": gap.objects_delivered,
        })
    }

    fn flow_log(&self, flow_log: &FlowLogUse) -> Value {
        let configuration = flow_log.configuration.as_ref();
        let text = |of: fn(&crate::inventory::model::FlowLog) -> &Option<Arc<str>>| configuration.and_then(|found| of(found).as_deref());
        let [ok, nodata, skipdata] = flow_log.records.map(value::count);
        json!({
            "flow_log_id": id(&flow_log.id),
            "in_inventory": configuration.is_some(),
            "resource_id": text(|found| &found.resource_id),
            "level": flow_log.level(),
            "traffic_type": text(|found| &found.traffic_type),
            "max_aggregation_interval": configuration.and_then(|found| found.aggregation_max_s),
            "log_format": text(|found| &found.log_format),
            "formats_seen": flow_log.layouts,
            "format_differs": flow_log.format_differs,
            "missing_required_fields": flow_log.missing_required,
            "missing_recommended_fields": flow_log.missing_recommended,
            "destination": text(|found| &found.destination),
            "status": text(|found| &found.status),
            "deliver_status": text(|found| &found.deliver_status),
            "created": instant(configuration.and_then(|found| found.created_at)),
            "listed_from": instant(flow_log.listed.0),
            "listed_to": instant(flow_log.listed.1),
            "objects": value::count(flow_log.objects),
            "objects_read": value::count(flow_log.objects_read),
            "bytes": value::count(flow_log.bytes),
            "records": { "ok": ok, "nodata": nodata, "skipdata": skipdata },
            "first_start": instant(flow_log.first_start),
            "last_end": instant(flow_log.last_end),
            "interfaces": flow_log.interfaces.iter().map(|eni| self.interface(*eni)).collect::<Vec<_>>(),
            "replaces": flow_log.replaces,
            "replaced_by": flow_log.replaced_by,
            "weaknesses": flow_log.weaknesses.iter().map(|weakness| weakness.name()).collect::<Vec<_>>(),
        })
    }

    fn changes(&self) -> Value {
        let change = |seam: &crate::query::flow_log_use::Seam| {
            json!({
                "interface_id": self.interface(seam.eni),
                "before": seam.before,
                "after": seam.after,
                "ended": rfc3339(seam.ended),
                "began": rfc3339(seam.began),
            })
        };
        self.ledger.flow_logs.seams.iter().map(change).collect()
    }

    fn weaknesses(&self) -> Value {
        let span = |span: &Span| json!({ "interface_id": self.interface(span.eni), "from": rfc3339(span.from), "to": rfc3339(span.to) });
        let touched = |touched: &crate::query::flow_log_use::Touched| {
            json!({
                "flow_log_id": id(&touched.flow_log_id),
                "weakness": touched.weakness.name(),
                "means": touched.weakness.says(),
                "spans": touched.spans.iter().map(span).collect::<Vec<_>>(),
            })
        };
        self.ledger.flow_logs.touched.iter().map(touched).collect()
    }

    fn unknown(&self) -> Value {
        let unknown = |unknown: &crate::query::ledger::UnknownInterface| {
            json!({
                "interface_id": unknown.interface_id,
                "cluster": unknown.cluster.as_deref(),
                "reason": unknown.reason,
                "in_logs": unknown.in_logs,
                "first_start": instant(unknown.seen.0),
                "last_end": instant(unknown.seen.1),
            })
        };
        self.ledger.unknown.iter().map(unknown).collect()
    }

    fn unseen(&self) -> Value {
        let unseen = |unseen: &crate::query::ledger::UnseenInterface| {
            let (cluster, arn) = self.cluster_of(unseen.eni);
            json!({
                "cluster": cluster,
                "cluster_arn": arn,
                "interface_id": self.interface(unseen.eni),
                "by_state": states(&unseen.by_state),
                "flow_logs": unseen.flow_logs,
            })
        };
        self.ledger.unseen.iter().map(unseen).collect()
    }
}

/// Returns an id; null for objects whose key names none.
fn id(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty())
}

/// Returns what a flow log is called.
pub fn flow_log_name(id: &str) -> &str {
    if id.is_empty() { "(no flow log id)" } else { id }
}

fn delivery(delivery: &Delivery) -> Value {
    let missing = |span: &crate::query::deliveries::Missing| {
        json!({
            "from": rfc3339(span.from),
            "to": rfc3339(span.to),
            "periods": span.periods(),
            "judgement": span.judgement.as_str(),
        })
    };
    json!({
        "flow_log_id": id(&delivery.flow_log_id),
        "account_id": delivery.account_id.as_deref(),
        "region": delivery.region.as_deref(),
        "from": rfc3339(delivery.from.0),
        "from_basis": delivery.from.1.as_str(),
        "to": rfc3339(delivery.to.0),
        "to_basis": delivery.to.1.as_str(),
        "objects": value::count(delivery.objects),
        "objects_outside": value::count(delivery.objects_outside),
        "objects_per_period_max": value::count(delivery.objects_max),
        "periods_expected": delivery.periods_expected(),
        "periods_delivered": delivery.periods_delivered,
        "missing": delivery.missing.iter().map(missing).collect::<Vec<_>>(),
    })
}

fn bucket(bucket: &BucketCustody) -> Value {
    let fact = |known: &crate::query::ledger::KnownFact| {
        let (protection, why) = known.fact.judge();
        json!({
            "call": known.fact.call(),
            "found": known.fact.found(),
            "protection": protection.as_str(),
            "why": why,
            "statements": statements(&known.fact),
            "seen_from": instant(known.seen.0),
            "seen_to": instant(known.seen.1),
            "proven_for_period": known.proven,
        })
    };
    json!({
        "bucket": bucket.bucket,
        "is_source": bucket.is_source,
        "facts": bucket.facts.iter().map(fact).collect::<Vec<_>>(),
        "unknown": bucket.unknown,
    })
}

/// The statements of a policy that bear on tampering; null for other facts.
fn statements(fact: &crate::inventory::custody::CustodyFact) -> Value {
    let crate::inventory::custody::CustodyFact::Policy(Some(statements)) = fact else { return Value::Null };
    let statement = |statement: &crate::inventory::custody::Statement| {
        json!({
            "sid": statement.sid.as_deref(),
            "effect": if statement.allows { "Allow" } else { "Deny" },
            "principals": statement.principals.iter().map(|principal| &**principal).collect::<Vec<_>>(),
            "actions": statement.actions,
            "has_condition": statement.has_condition,
            "open": statement.is_open(),
        })
    };
    statements.iter().map(statement).collect()
}

/// Returns the first second of the UTC day.
pub fn day_of(t: UnixSeconds) -> UnixSeconds {
    t.div_euclid(DAY) * DAY
}
