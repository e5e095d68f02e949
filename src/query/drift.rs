//! `layouts`: which formats appear, from when to when, and which fields a report would have liked and does not get.

use super::collect;
use crate::enrich::fields_read;
use crate::flow::field::{FieldId, id};
use crate::flow::{Layout, RecordKind};
use crate::intake::LayoutTotal;
use std::collections::BTreeMap;

/// What `report cross-az` reads beside the addresses and counters that every format has.
const CROSS_AZ: [FieldId; 8] = [
    id::INTERFACE_ID,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::AZ_ID,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
    id::NEXT_HOP_INTERFACE_ID,
    id::NEXT_HOP_AZ_ID,
];

/// What `report nat` reads beside them: the packet's addresses tell the four legs of a NAT gateway apart.
const NAT: [FieldId; 5] = [id::INTERFACE_ID, id::PKT_SRCADDR, id::PKT_DSTADDR, id::FLOW_DIRECTION, id::RESOURCE_ID];

/// Fields that a report wants and a layout lacks, as AWS names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// For `report egress`.
    pub egress: Vec<&'static str>,
    /// For `report cross-az`.
    pub cross_az: Vec<&'static str>,
    /// For `report nat`.
    pub nat: Vec<&'static str>,
}

/// Returns what a layout lacks; `None` for records that these reports do not read.
pub fn missing(layout: &Layout) -> Option<Missing> {
    if layout.kind() != RecordKind::Vpc || layout.columns.is_empty() {
        return None;
    }
    let lacks =
        |wanted: &[FieldId]| wanted.iter().filter(|field| layout.position(**field).is_none()).map(|field| field.field().name).collect();
    Some(Missing { egress: lacks(&fields_read(collect::COLUMNS)), cross_az: lacks(&CROSS_AZ), nat: lacks(&NAT) })
}

/// Says which fields a report would have used and did not get, and that the format changed.
pub fn notes(layouts: &[LayoutTotal], of: impl Fn(&Missing) -> &Vec<&'static str>) -> Vec<String> {
    let of_vpc: Vec<(u64, Missing)> = layouts.iter().filter_map(|total| Some((total.seen.records, missing(&total.seen.layout)?))).collect();
    let records: u64 = of_vpc.iter().map(|(records, _)| records).sum();
    let mut lacking: BTreeMap<&str, u64> = BTreeMap::new();
    for (records, missing) in &of_vpc {
        of(missing).iter().for_each(|field| *lacking.entry(field).or_default() += records);
    }
    let lacking: Vec<String> = lacking
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(field, count)| if count == records { field.to_owned() } else { format!("{field} ({count} of {records} records)") })
        .collect();
    let mut notes = Vec::new();
    if !lacking.is_empty() {
        notes.push(format!("fields that would say more and that these logs lack: {}", lacking.join(", ")));
    }
    if layouts.len() > 1 {
        notes.push(format!("the logs have {} layouts; flowproof sql -q layouts shows them, and from when to when", layouts.len()));
    }
    notes
}
