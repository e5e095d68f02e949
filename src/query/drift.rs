//! `layouts`: which formats appear, from when to when, and which fields a report would have liked and does not get.

use super::collect;
use crate::enrich::fields_read;
use crate::flow::field::{FieldId, id};
use crate::flow::{Layout, RecordKind};

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
