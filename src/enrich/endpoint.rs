//! Both ends of each record of a batch: direction, local and peer, and what the inventory says of them.

use super::orientation::{self, OneRecord};
use super::{Derived, FlowColumn, numbers};
use crate::decode::columns::parse_address;
use crate::flow::field::{FieldId, id};
use crate::inventory::ranges::is_private;
use crate::inventory::{Eni, InterfaceKind, Inventory, Peer, VpcLink};
use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, MapBuilder, RecordBatch, StringBuilder, StringViewArray, StringViewBuilder,
};
use arrow::datatypes::Int32Type;
use std::sync::Arc;

/// The ends of a batch's records, as far as the wanted columns need them.
#[derive(Debug)]
pub struct Endpoints<'a> {
    inventory: &'a Inventory,
    columns: Columns,
    rows: Vec<Row<'a>>,
    verdicts: Vec<Option<orientation::Verdict>>,
    start: Int64Array,
}

/// The decoded columns that ends are read from; NULL throughout where a field was not decoded.
#[derive(Debug)]
struct Columns {
    interface: StringViewArray,
    vpc: StringViewArray,
    az: StringViewArray,
    addresses: [StringViewArray; 4],
    ports: [Int32Array; 2],
    services: [StringViewArray; 2],
    direction: StringViewArray,
    path: Int32Array,
}

/// One record's ends.
#[derive(Debug, Default)]
struct Row<'a> {
    eni: Option<u32>,
    egress: Option<bool>,
    peer: Option<Peer<'a>>,
}

impl<'a> Endpoints<'a> {
    /// Reads the ends of a batch's records.
    pub fn new(inventory: &'a Inventory, batch: &RecordBatch, wanted: &[FlowColumn]) -> Endpoints<'a> {
        let asks = |of: &[Derived]| wanted.iter().any(|column| matches!(column, FlowColumn::Derived(derived) if of.contains(derived)));
        let columns = Columns::new(batch);
        let start = numbers(batch, id::START);
        let anything =
            wanted.iter().any(|column| matches!(column, FlowColumn::Derived(derived) if derived.row().reads.contains(&id::INTERFACE_ID)));
        let mut ends = Endpoints { inventory, columns, rows: Vec::new(), verdicts: Vec::new(), start };
        if !anything {
            return ends;
        }
        let with_peer = asks(&[
            Derived::PeerAzId,
            Derived::PeerKind,
            Derived::PeerName,
            Derived::PeerEni,
            Derived::PeerVpcId,
            Derived::PeerTags,
            Derived::NatClass,
            Derived::PeerAccountId,
            Derived::PeerRegion,
            Derived::PeerLink,
        ]);
        ends.rows = ends.read_rows(batch.num_rows(), with_peer);
        if asks(&[Derived::Initiator, Derived::InitiatorRule]) {
            ends.verdicts = ends.orient(batch);
        }
        ends
    }

    fn read_rows(&self, count: usize, with_peer: bool) -> Vec<Row<'a>> {
        // Records of one interface tend to stand together.
        let mut last: Option<(&str, Option<u32>)> = None;
        (0..count)
            .map(|at| {
                let eni = self.columns.interface(at).and_then(|name| match last {
                    Some((known, eni)) if known == name => eni,
                    _ => {
                        let eni = self.inventory.eni_index(name);
                        last = Some((name, eni));
                        eni
                    }
                });
                let egress = self.columns.egress(at, self.eni(eni));
                let mut row = Row { eni, egress, peer: None };
                if with_peer && let Some(address) = self.columns.end(at, egress.map(|egress| !egress)).and_then(parse_address) {
                    row.peer = Some(self.inventory.peer(eni, self.columns.vpc(at), address, self.start_of(at)));
                }
                row
            })
            .collect()
    }

    /// Instant as of which the inventory is asked: the record's start.
    fn start_of(&self, at: usize) -> i64 {
        if self.start.is_valid(at) { self.start.value(at) } else { i64::MAX }
    }

    fn eni(&self, eni: Option<u32>) -> Option<&'a Eni> {
        self.inventory.enis().get(eni? as usize)
    }

    fn orient(&self, batch: &RecordBatch) -> Vec<Option<orientation::Verdict>> {
        let protocol = int32(batch, id::PROTOCOL);
        let flags = int32(batch, id::TCP_FLAGS);
        let of = |(at, row): (usize, &Row<'_>)| {
            let egress = row.egress?;
            let protocol = protocol.is_valid(at).then(|| protocol.value(at) as u8)?;
            let eni = self.eni(row.eni);
            let cluster = eni.filter(|eni| eni.kind == InterfaceKind::EksControlPlane).and_then(|eni| eni.cluster);
            let peer_port = self.columns.port(at, Some(!egress)).unwrap_or(0);
            let peer = self.columns.end(at, Some(!egress)).and_then(parse_address);
            let listens = cluster.zip(peer).is_some_and(|(cluster, peer)| self.inventory.is_configured_listener(cluster, peer, peer_port));
            let record = OneRecord {
                egress,
                protocol,
                local_port: self.columns.port(at, Some(egress)).unwrap_or(0),
                peer_port,
                flags: flags.is_valid(at).then(|| flags.value(at) as u8),
                control_plane: cluster.is_some(),
                peer_listens: listens,
            };
            Some(record.orient())
        };
        self.rows.iter().enumerate().map(of).collect()
    }

    /// Returns a derived column.
    pub fn array(&self, derived: Derived) -> ArrayRef {
        match derived {
            Derived::LocalPort => self.ports(|egress| egress),
            Derived::PeerPort => self.ports(|egress| !egress),
            Derived::LocalTags => self.tags(|row| self.eni(row.eni)),
            Derived::PeerTags => self.tags(|row| row.peer.as_ref().and_then(|peer| peer.eni)),
            Derived::PeerService => self.service(|egress| !egress),
            Derived::LocalService => self.service(|egress| egress),
            Derived::ServicePort => self.service_ports(),
            Derived::PeerName => self.texts(|_, row| row.peer.as_ref().and_then(|peer| peer.name.as_deref())),
            _ => self.texts(|at, row| self.text(derived, at, row)),
        }
    }

    fn text<'s>(&'s self, derived: Derived, at: usize, row: &'s Row<'a>) -> Option<&'s str> {
        let peer = row.peer.as_ref();
        match derived {
            Derived::Direction => row.egress.map(|egress| if egress { "egress" } else { "ingress" }),
            Derived::LocalAddr => self.columns.end(at, row.egress),
            Derived::PeerAddr => self.columns.end(at, row.egress.map(|egress| !egress)),
            Derived::Initiator => self.verdict(at)?.initiator.map(orientation::Side::name),
            Derived::InitiatorRule => self.verdict(at).filter(|verdict| verdict.initiator.is_some()).map(|verdict| verdict.rule),
            Derived::InterfaceKind => self.eni(row.eni).map(|eni| eni.kind.as_str()),
            Derived::Cluster => self.cluster(row).map(|cluster| &*cluster.name),
            Derived::ClusterArn => self.cluster(row).map(|cluster| &*cluster.arn),
            Derived::LocalAzId => self.columns.az(at).or_else(|| self.eni(row.eni).and_then(|eni| eni.az_id.as_deref())),
            Derived::PeerAzId => peer.and_then(|peer| peer.az_id),
            Derived::PeerKind => peer.and_then(|peer| peer.kind),
            Derived::PeerEni => peer.and_then(|peer| peer.eni).map(|eni| &*eni.id),
            Derived::PeerVpcId => peer.and_then(|peer| peer.vpc_id),
            Derived::PeerAccountId => peer.and_then(|peer| peer.account_id),
            Derived::PeerRegion => peer.and_then(|peer| peer.region),
            Derived::PeerLink => self.link(at, row),
            Derived::NatClass => self.nat_class(at, row),
            _ => None,
        }
    }

    /// How the VPCs of both ends are joined.
    fn link(&self, at: usize, row: &Row<'a>) -> Option<&'static str> {
        let own = self.eni(row.eni).and_then(|eni| eni.vpc_id.as_deref()).or_else(|| self.columns.vpc(at))?;
        let other = row.peer.as_ref()?.vpc_id?;
        self.inventory.vpc_link(own, other, self.start_of(at)).map(VpcLink::as_str)
    }

    /// The four records that a NAT gateway's interface writes of a conversation (VPC user guide, "Traffic through a NAT
    /// gateway"): towards the client the packet has another address than the interface, towards the remote it has not. A
    /// format without the packet's addresses cannot tell; then the client is the end that lies in a VPC or is private, and the
    /// class has a star.
    fn nat_class(&self, at: usize, row: &Row<'a>) -> Option<&'static str> {
        self.eni(row.eni).filter(|eni| eni.kind == InterfaceKind::NatGateway)?;
        let egress = row.egress?;
        let towards_client = match self.columns.packet_end(at, egress) {
            Some(packet) => Some(packet) != self.columns.wire_end(at, egress),
            None => {
                let in_vpc = row.peer.as_ref().is_some_and(|peer| peer.vpc_id.is_some());
                in_vpc || self.columns.end(at, Some(!egress)).and_then(parse_address).is_some_and(is_private)
            }
        };
        let is_named = self.columns.packet_end(at, egress).is_some();
        Some(match (egress, towards_client, is_named) {
            (false, true, true) => "A",
            (false, true, false) => "A*",
            (true, false, true) => "B",
            (true, false, false) => "B*",
            (false, false, true) => "C",
            (false, false, false) => "C*",
            (true, true, true) => "D",
            (true, true, false) => "D*",
        })
    }

    fn verdict(&self, at: usize) -> Option<&orientation::Verdict> {
        self.verdicts.get(at)?.as_ref()
    }

    fn cluster(&self, row: &Row<'_>) -> Option<&'a crate::inventory::Cluster> {
        self.inventory.clusters().get(self.eni(row.eni)?.cluster? as usize)
    }

    fn texts<'s>(&'s self, value: impl Fn(usize, &'s Row<'a>) -> Option<&'s str>) -> ArrayRef {
        let mut builder = StringViewBuilder::with_capacity(self.rows.len()).with_deduplicate_strings();
        self.rows.iter().enumerate().for_each(|(at, row)| builder.append_option(value(at, row)));
        Arc::new(builder.finish())
    }

    fn ports(&self, is_source: impl Fn(bool) -> bool) -> ArrayRef {
        let ports = self.rows.iter().enumerate().map(|(at, row)| self.columns.port(at, row.egress.map(&is_source)).map(i32::from));
        Arc::new(Int32Array::from_iter(ports))
    }

    fn tags(&self, eni: impl Fn(&Row<'a>) -> Option<&'a Eni>) -> ArrayRef {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in &self.rows {
            let tags = eni(row).map(|eni| &eni.tags);
            for (key, value) in tags.into_iter().flatten() {
                builder.keys().append_value(key);
                builder.values().append_value(value);
            }
            // Keys and values were appended in step, so closing the entry cannot fail.
            let _ = builder.append(tags.is_some());
        }
        Arc::new(builder.finish())
    }

    fn service_ports(&self) -> ArrayRef {
        let lower = |at| Some(i32::from(self.columns.port(at, Some(true))?.min(self.columns.port(at, Some(false))?)));
        Arc::new(Int32Array::from_iter((0..self.start.len()).map(lower)))
    }

    fn service(&self, is_source: impl Fn(bool) -> bool) -> ArrayRef {
        let mut builder = StringViewBuilder::with_capacity(self.rows.len()).with_deduplicate_strings();
        for (at, row) in self.rows.iter().enumerate() {
            let is_source = row.egress.map(&is_source);
            match self.columns.service(at, is_source) {
                Some(service) => builder.append_value(service),
                None => {
                    let ranges = self.columns.end(at, is_source).and_then(parse_address).map(|address| self.inventory.aws_ranges(address));
                    builder.append_option(ranges.as_ref().and_then(|ranges| ranges.first()).map(|range| range.service.as_ref()));
                }
            }
        }
        Arc::new(builder.finish())
    }
}

impl Columns {
    fn new(batch: &RecordBatch) -> Columns {
        Columns {
            interface: texts(batch, id::INTERFACE_ID),
            vpc: texts(batch, id::VPC_ID),
            az: texts(batch, id::AZ_ID),
            addresses: [id::SRCADDR, id::DSTADDR, id::PKT_SRCADDR, id::PKT_DSTADDR].map(|field| texts(batch, field)),
            ports: [id::SRCPORT, id::DSTPORT].map(|field| int32(batch, field)),
            services: [id::PKT_SRC_AWS_SERVICE, id::PKT_DST_AWS_SERVICE].map(|field| texts(batch, field)),
            direction: texts(batch, id::FLOW_DIRECTION),
            path: int32(batch, id::TRAFFIC_PATH),
        }
    }

    fn interface(&self, at: usize) -> Option<&str> {
        value(&self.interface, at)
    }

    fn vpc(&self, at: usize) -> Option<&str> {
        value(&self.vpc, at)
    }

    fn az(&self, at: usize) -> Option<&str> {
        value(&self.az, at)
    }

    /// Whether the packets left the interface: as logged, else as a path code says, else by the interface's addresses.
    fn egress(&self, at: usize, eni: Option<&Eni>) -> Option<bool> {
        match value(&self.direction, at) {
            Some("egress") => return Some(true),
            Some("ingress") => return Some(false),
            _ if self.path.is_valid(at) => return Some(true),
            _ => {}
        }
        let owns = |column: &StringViewArray| Some(eni?.owns(parse_address(value(column, at)?)?));
        let [source, destination, ..] = &self.addresses;
        match (owns(source), owns(destination)) {
            (Some(true), Some(false)) => Some(true),
            (Some(false), Some(true)) => Some(false),
            _ => None,
        }
    }

    /// The address of the source's or the destination's end, as in the packet.
    fn end(&self, at: usize, is_source: Option<bool>) -> Option<&str> {
        let [source, destination, packet_source, packet_destination] = &self.addresses;
        if is_source? {
            value(packet_source, at).or_else(|| value(source, at))
        } else {
            value(packet_destination, at).or_else(|| value(destination, at))
        }
    }

    /// The address of the interface's own end as on the wire.
    fn wire_end(&self, at: usize, egress: bool) -> Option<&str> {
        let [source, destination, ..] = &self.addresses;
        value(if egress { source } else { destination }, at)
    }

    /// The address of the interface's own end as in the packet, where the format has it.
    fn packet_end(&self, at: usize, egress: bool) -> Option<&str> {
        let [_, _, source, destination] = &self.addresses;
        value(if egress { source } else { destination }, at)
    }

    fn port(&self, at: usize, is_source: Option<bool>) -> Option<u16> {
        let [source, destination] = &self.ports;
        let column = if is_source? { source } else { destination };
        column.is_valid(at).then(|| column.value(at)).and_then(|port| u16::try_from(port).ok())
    }

    fn service(&self, at: usize, is_source: Option<bool>) -> Option<&str> {
        let [source, destination] = &self.services;
        value(if is_source? { source } else { destination }, at)
    }
}

fn value(array: &StringViewArray, at: usize) -> Option<&str> {
    (at < array.len() && array.is_valid(at)).then(|| array.value(at))
}

fn texts(batch: &RecordBatch, field: FieldId) -> StringViewArray {
    let array = batch.column_by_name(field.field().column).and_then(|array| array.as_string_view_opt());
    array.cloned().unwrap_or_else(|| StringViewArray::new_null(batch.num_rows()))
}

fn int32(batch: &RecordBatch, field: FieldId) -> Int32Array {
    let array = batch.column_by_name(field.field().column).and_then(|array| array.as_primitive_opt::<Int32Type>());
    array.cloned().unwrap_or_else(|| Int32Array::new_null(batch.num_rows()))
}
