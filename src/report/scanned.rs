//! What every report over `hourly` says of the scan behind it: period, inputs, and what limits its answer.

use super::{Inputs, incomplete_objects, value};
use crate::error::Result;
use crate::query::Logs;
use crate::query::drift::{self, Missing};
use crate::query::functions::format_bytes;
use crate::query::hours::Facts;
use crate::time::{HOUR, TimeRange, rfc3339};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What a scan found out besides the rows.
#[derive(Debug)]
pub struct Scan {
    /// The window, open ends closed by the records.
    pub period: TimeRange,
    /// What was read.
    pub inputs: Inputs,
    /// Numbers about it.
    pub facts: Facts,
    /// Objects that could not be read whole: URI, status, reason.
    pub faults: Vec<(String, &'static str, String)>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

impl Scan {
    /// Takes them of a finished scan; `fields` says which fields the report would have used.
    ///
    /// # Errors
    /// If the logs cannot be read at all.
    pub async fn of(logs: &Arc<Logs>, fields: impl Fn(&Missing) -> &Vec<&'static str>) -> Result<Scan> {
        let scanned = logs.hourly().await?;
        let (totals, facts) = (&scanned.totals, scanned.hours.facts.clone());
        let period = TimeRange { from: logs.window.from.or(totals.start_min), to: logs.window.to.or(totals.end_max) };
        let inputs = Inputs::of(totals, facts.duplicate_records, logs.validation.name());
        let mut notes: Vec<String> = totals.faults.iter().map(|(uri, status, reason)| format!("{status}: {uri}: {reason}")).collect();
        if inputs.records.rejected > 0 {
            notes
                .push(format!("{} lines are not records; the table rejects holds each with its place and reason", inputs.records.rejected));
        }
        notes.extend(drift::notes(&totals.layouts, fields));
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
        if facts.skipdata_hours > 0 {
            notes.push(format!("in {} interface-hours records were lost (SKIPDATA): their bytes are too low", facts.skipdata_hours));
        }
        if facts.undirected_records > 0 {
            notes.push(format!(
                "{} records ({}) have neither flow-direction nor an address that the inventory knows as the interface's; they are in no row",
                facts.undirected_records,
                format_bytes(facts.undirected_bytes)
            ));
        }
        if facts.unattributed_records > 0 {
            notes.push(format!("{} records name no interface; they are in no row", facts.unattributed_records));
        }
        if logs.inventory.is_empty() {
            notes.push("without an inventory, NAT gateways, load balancers, endpoints, transit gateways and databases look like any interface: their bytes stand under direct; flowproof inventory script says how to collect one".to_owned());
        } else if facts.strangers > 0 {
            notes.push(format!("the inventory does not know {} of {} interfaces in the logs", facts.strangers, facts.interfaces));
        }
        notes.extend(logs.listed.notes.iter().cloned());
        notes.extend(logs.inventory.warnings().iter().map(|warning| format!("inventory: {warning}")));
        Ok(Scan { period, inputs, facts, faults: totals.faults.clone(), notes })
    }

    /// Returns the period in words: `FROM to TO`.
    pub fn window(&self) -> String {
        let instant = |t: Option<i64>| t.map_or_else(|| "…".to_owned(), rfc3339);
        format!("{} to {}", instant(self.period.from), instant(self.period.to))
    }

    /// Returns the hours begun in the period.
    pub fn hours(&self) -> u64 {
        let length = self.period.to.zip(self.period.from).map_or(0, |(to, from)| to.saturating_sub(from));
        u64::try_from(length.max(0)).unwrap_or(0).div_ceil(HOUR.unsigned_abs())
    }

    /// Returns further keys of the JSON.
    pub fn further(&self, sql: &str) -> Map<String, Value> {
        let facts = &self.facts;
        let mut further = Map::new();
        further.insert("skipdata_interface_hours".into(), value::count(facts.skipdata_hours));
        further.insert("logged_interface_hours".into(), value::count(facts.logged_hours));
        further.insert("incomplete_objects".into(), incomplete_objects(&self.faults));
        further.insert(
            "duplicates".into(),
            json!({ "records": facts.duplicate_records, "bytes": value::count(facts.duplicate_bytes), "in_doubt_bytes": value::count(facts.in_doubt_bytes), "flow_log_ids": facts.duplicate_flow_logs }),
        );
        further.insert("undirected".into(), json!({ "records": facts.undirected_records, "bytes": value::count(facts.undirected_bytes) }));
        further.insert("sql".into(), sql.into());
        further
    }
}
