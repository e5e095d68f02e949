//! Tagging: decoded batches in, the columns of `flows` out.
//!
//! A row's tags depend on that row and the inventory alone, so batches can be tagged in any order and on any thread. What
//! is asked of the inventory is asked *as of* the record's `start`.

pub mod endpoint;
pub mod lately;
pub mod orientation;
#[cfg(test)]
mod sample_logs;

use crate::error::{Error, Result};
use crate::flow::field::{FieldId, id, transit_gateway_fields, vpc_fields};
use crate::inventory::Inventory;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, TimestampSecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use endpoint::Endpoints;
use std::sync::Arc;

/// One column of `flows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FlowColumn {
    /// A field as AWS wrote it.
    Aws(FieldId),
    /// Fields of versions that are not known yet.
    Extra,
    /// A column made here.
    Derived(Derived),
}

/// Columns that are made here, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is documented once, in DERIVED")]
pub enum Derived {
    StartTime,
    EndTime,
    LogObject,
    LogLine,
    FlowLogId,
    Direction,
    LocalAddr,
    LocalPort,
    PeerAddr,
    PeerPort,
    Initiator,
    InitiatorRule,
    InterfaceKind,
    Cluster,
    ClusterArn,
    LocalAzId,
    PeerAzId,
    PeerKind,
    PeerName,
    PeerEni,
    PeerVpcId,
    PeerService,
    LocalTags,
    PeerTags,
    ServicePort,
    LocalService,
    NatClass,
    PeerAccountId,
    PeerRegion,
    PeerLink,
}

/// What a derived column is called, holds and means.
#[derive(Debug)]
pub struct DerivedColumn {
    /// Which one.
    pub column: Derived,
    /// SQL name.
    pub name: &'static str,
    /// What a value says.
    pub meaning: &'static str,
    /// AWS fields that it is made from.
    pub reads: &'static [FieldId],
}

const ENDS: &[FieldId] =
    &[id::INTERFACE_ID, id::SRCADDR, id::DSTADDR, id::START, id::PKT_SRCADDR, id::PKT_DSTADDR, id::FLOW_DIRECTION, id::TRAFFIC_PATH];
const PORTS: &[FieldId] = &[
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::SRCPORT,
    id::DSTPORT,
    id::START,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
];
const ORIENTED: &[FieldId] = &[
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::SRCPORT,
    id::DSTPORT,
    id::PROTOCOL,
    id::START,
    id::TCP_FLAGS,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
];
const PEER: &[FieldId] = &[
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::START,
    id::VPC_ID,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
];
const SERVICE: &[FieldId] = &[
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::START,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
    id::PKT_SRC_AWS_SERVICE,
    id::PKT_DST_AWS_SERVICE,
];

const fn d(column: Derived, name: &'static str, meaning: &'static str, reads: &'static [FieldId]) -> DerivedColumn {
    DerivedColumn { column, name, meaning, reads }
}

/// Every derived column, in the order of the table.
#[rustfmt::skip]
pub static DERIVED: [DerivedColumn; 30] = [
    d(Derived::StartTime, "start_time", "`start` as a UTC timestamp", &[id::START]),
    d(Derived::EndTime, "end_time", "`end` as a UTC timestamp", &[id::END]),
    d(Derived::LogObject, "log_object", "URI or path of the object that holds the record", &[]),
    d(Derived::LogLine, "log_line", "Line in the decompressed text, log event in JSON, or row in the Parquet file; 1-based", &[]),
    d(Derived::FlowLogId, "flow_log_id", "Flow log that wrote the record, from the object's key", &[]),
    d(Derived::Direction, "direction", "`ingress` or `egress` at the interface: `flow-direction`, else from the addresses", ENDS),
    d(Derived::LocalAddr, "local_addr", "Address of the interface's end, as in the packet", ENDS),
    d(Derived::LocalPort, "local_port", "Port of the interface's end", PORTS),
    d(Derived::PeerAddr, "peer_addr", "Address of the other end, as in the packet", ENDS),
    d(Derived::PeerPort, "peer_port", "Port of the other end", PORTS),
    d(Derived::Initiator, "initiator", "Who opened the connection, from this record alone: `local`, `peer` or NULL", ORIENTED),
    d(Derived::InitiatorRule, "initiator_rule", "Rule that decided `initiator`", ORIENTED),
    d(Derived::InterfaceKind, "interface_kind", "What the recording interface is, from the inventory, e.g. `eks-control-plane`", &[id::INTERFACE_ID]),
    d(Derived::Cluster, "cluster", "EKS cluster that the recording interface belongs to", &[id::INTERFACE_ID]),
    d(Derived::ClusterArn, "cluster_arn", "ARN of that cluster", &[id::INTERFACE_ID]),
    d(Derived::LocalAzId, "local_az_id", "AZ id of the interface: `az-id`, else from the inventory", &[id::INTERFACE_ID, id::AZ_ID]),
    d(Derived::PeerAzId, "peer_az_id", "AZ id of the other end, from the inventory", PEER),
    d(Derived::PeerKind, "peer_kind", "What the other end is, from the inventory", PEER),
    d(Derived::PeerName, "peer_name", "Name of the other end, from the inventory", PEER),
    d(Derived::PeerEni, "peer_eni", "Interface that held the other end's address at that time", PEER),
    d(Derived::PeerVpcId, "peer_vpc_id", "VPC of the other end", PEER),
    d(Derived::PeerService, "peer_service", "AWS service of the other end: `pkt-*-aws-service`, else from ip-ranges", SERVICE),
    d(Derived::LocalTags, "local_tags", "Tags of the recording interface", &[id::INTERFACE_ID]),
    d(Derived::PeerTags, "peer_tags", "Tags of the interface at the other end", PEER),
    d(Derived::ServicePort, "service_port", "The lower of the two ports: as a rule the one that is served", &[id::SRCPORT, id::DSTPORT]),
    d(Derived::LocalService, "local_service", "AWS service of the interface's end as in the packet: at a NAT gateway, of what lies beyond it", SERVICE),
    d(Derived::NatClass, "nat_class", "At a NAT gateway's interface, which of a conversation's four records this is: `A` from the client, `B` to the remote, `C` from the remote, `D` to the client; with `*` where the format has no packet addresses", PEER),
    d(Derived::PeerAccountId, "peer_account_id", "Account of the other end, from the inventory", PEER),
    d(Derived::PeerRegion, "peer_region", "Region of the other end, from the inventory", PEER),
    d(Derived::PeerLink, "peer_link", "How the other end's VPC is joined to the interface's: `same-vpc`, `peering`, `transit-gateway`, or NULL", PEER),
];

impl Derived {
    /// Returns what the column is called, holds and means.
    pub fn row(self) -> &'static DerivedColumn {
        &DERIVED[self as usize]
    }
}

impl FlowColumn {
    /// Returns every column of `flows`, in order.
    pub fn all() -> Vec<FlowColumn> {
        let aws = vpc_fields().map(FlowColumn::Aws);
        aws.chain([FlowColumn::Extra]).chain(DERIVED.iter().map(|row| FlowColumn::Derived(row.column))).collect()
    }

    /// Returns every column of `tgw_flows`, in order: what stands in the record, and where the record stands.
    pub fn all_of_transit_gateways() -> Vec<FlowColumn> {
        const MADE: [Derived; 5] = [Derived::StartTime, Derived::EndTime, Derived::LogObject, Derived::LogLine, Derived::FlowLogId];
        let aws = transit_gateway_fields().map(FlowColumn::Aws);
        aws.chain([FlowColumn::Extra]).chain(MADE.map(FlowColumn::Derived)).collect()
    }

    /// Returns the SQL name.
    pub fn name(self) -> &'static str {
        match self {
            FlowColumn::Aws(field) => field.field().column,
            FlowColumn::Extra => "extra",
            FlowColumn::Derived(derived) => derived.row().name,
        }
    }

    /// Returns the column's name, type and nullability.
    pub fn field(self) -> Field {
        let timestamp = || DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
        match self {
            FlowColumn::Aws(field) => Field::new(self.name(), field.field().kind.arrow(), true),
            FlowColumn::Extra => crate::decode::extra_field(),
            FlowColumn::Derived(Derived::StartTime | Derived::EndTime) => Field::new(self.name(), timestamp(), true),
            FlowColumn::Derived(Derived::LogLine) => Field::new(self.name(), DataType::Int64, false),
            FlowColumn::Derived(Derived::LogObject) => Field::new(self.name(), DataType::Utf8View, false),
            FlowColumn::Derived(Derived::LocalPort | Derived::PeerPort | Derived::ServicePort) => {
                Field::new(self.name(), DataType::Int32, true)
            }
            FlowColumn::Derived(Derived::LocalTags | Derived::PeerTags) => crate::decode::extra_field().with_name(self.name()),
            FlowColumn::Derived(_) => Field::new(self.name(), DataType::Utf8View, true),
        }
    }
}

/// Returns the schema of the given columns.
pub fn schema(columns: &[FlowColumn]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|column| column.field()).collect::<Vec<_>>()))
}

/// Returns the AWS fields that must be decoded to make the given columns, ascending.
pub fn fields_read(columns: &[FlowColumn]) -> Vec<FieldId> {
    let mut fields: Vec<FieldId> = columns
        .iter()
        .flat_map(|column| match column {
            FlowColumn::Aws(field) => std::slice::from_ref(field),
            FlowColumn::Extra => &[],
            FlowColumn::Derived(derived) => derived.row().reads,
        })
        .copied()
        .collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// The object that a batch comes from.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// URI or path.
    pub log_object: Arc<str>,
    /// From the object's key.
    pub flow_log_id: Option<Arc<str>>,
}

/// Makes the columns of `flows`.
#[derive(Debug)]
pub struct Tagger {
    inventory: Arc<Inventory>,
    columns: Vec<FlowColumn>,
    schema: SchemaRef,
}

impl Tagger {
    /// Makes a tagger that yields the given columns.
    pub fn new(inventory: Arc<Inventory>, columns: Vec<FlowColumn>) -> Tagger {
        let schema = schema(&columns);
        Tagger { inventory, columns, schema }
    }

    /// Returns the schema of tagged batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the inventory that tags come from.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// Tags a decoded batch.
    ///
    /// # Errors
    /// Only if the batch lacks a field that a column needs, which is a fault of the caller.
    pub fn tag(&self, batch: &RecordBatch, from: &Provenance) -> Result<RecordBatch> {
        let endpoints = Endpoints::new(&self.inventory, batch, &self.columns);
        let arrays = self.columns.iter().map(|column| self.column(*column, batch, from, &endpoints)).collect::<Result<Vec<_>>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }

    fn column(&self, column: FlowColumn, batch: &RecordBatch, from: &Provenance, endpoints: &Endpoints<'_>) -> Result<ArrayRef> {
        let rows = batch.num_rows();
        Ok(match column {
            FlowColumn::Aws(_) | FlowColumn::Extra | FlowColumn::Derived(Derived::LogLine) => {
                let missing = || Error::failed(format!("column {} was not decoded", column.name()));
                Arc::clone(batch.column_by_name(column.name()).ok_or_else(missing)?)
            }
            FlowColumn::Derived(Derived::StartTime) => timestamps(batch, id::START),
            FlowColumn::Derived(Derived::EndTime) => timestamps(batch, id::END),
            FlowColumn::Derived(Derived::LogObject) => constant(Some(&from.log_object), rows),
            FlowColumn::Derived(Derived::FlowLogId) => constant(from.flow_log_id.as_deref(), rows),
            FlowColumn::Derived(derived) => endpoints.array(derived),
        })
    }
}

fn timestamps(batch: &RecordBatch, field: FieldId) -> ArrayRef {
    let seconds = numbers(batch, field);
    let (_, values, nulls) = seconds.into_parts();
    Arc::new(TimestampSecondArray::new(values, nulls).with_timezone("UTC"))
}

/// Returns a column of integers; all NULL if it was not decoded.
fn numbers(batch: &RecordBatch, field: FieldId) -> Int64Array {
    match batch.column_by_name(field.field().column) {
        Some(array) if *array.data_type() == DataType::Int64 => array.as_primitive::<Int64Type>().clone(),
        _ => Int64Array::new_null(batch.num_rows()),
    }
}

/// Returns one value for every row; the text is stored once.
fn constant(text: Option<&str>, rows: usize) -> ArrayRef {
    match text {
        None => Arc::new(StringViewArray::new_null(rows)),
        Some(text) => Arc::new(std::iter::repeat_n(Some(text), rows).collect::<ConstantText>().0),
    }
}

/// A string array whose equal neighbours share their bytes.
struct ConstantText(StringViewArray);

impl<'a> FromIterator<Option<&'a str>> for ConstantText {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(values: I) -> Self {
        let mut builder = arrow::array::StringViewBuilder::new().with_deduplicate_strings();
        values.into_iter().for_each(|value| builder.append_option(value));
        ConstantText(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_columns_stand_at_their_own_position() {
        for (at, row) in DERIVED.iter().enumerate() {
            assert_eq!(row.column as usize, at, "{}", row.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = FlowColumn::all().into_iter().map(FlowColumn::name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(count, 54 + 1 + 30);
    }
}
