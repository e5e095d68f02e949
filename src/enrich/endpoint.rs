//! Both ends of each record of a batch: direction, local and peer, and what the inventory says of them.

use super::lately::Lately;
use super::orientation::{self, OneRecord};
use super::{Derived, FlowColumn, numbers};
use crate::decode::columns::parse_address;
use crate::decode::text_column::{NO_VIEW, TextColumn, Texts, inline};
use crate::flow::field::{FieldId, id};
use crate::inventory::ranges::is_private;
use crate::inventory::{Eni, InterfaceKind, Inventory, Peer, VpcLink};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, MapBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::Int32Type;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

/// The ends of a batch's records, as far as the wanted columns need them.
#[derive(Debug)]
pub struct Endpoints<'a> {
    inventory: &'a Inventory,
    columns: EndColumns,
    rows: Vec<Row>,
    peers: Vec<Peer<'a>>,
    verdicts: Vec<Option<orientation::Verdict>>,
    start: Int64Array,
}

/// The decoded columns that ends are read from; NULL throughout where a field was not decoded.
#[derive(Debug)]
pub struct EndColumns {
    interface: Texts,
    vpc: Texts,
    az: Texts,
    addresses: [Texts; 4],
    ports: [Int32Array; 2],
    services: [Texts; 2],
    direction: Texts,
    path: Int32Array,
}

const EGRESS: u128 = inline(b"egress");
const INGRESS: u128 = inline(b"ingress");

/// What the inventory was asked of the other end: whose address it is in a VPC, told by where its id stands, at a time.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    vpc: usize,
    address: IpAddr,
    epoch: u32,
}

impl Hash for Asked {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let address = match self.address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        state.write_u128(address ^ u128::from(self.epoch) << 32);
        state.write_usize(self.vpc);
    }
}

/// One record's ends.
#[derive(Debug, Default)]
struct Row {
    eni: Option<u32>,
    egress: Option<bool>,
    /// Which of the peers.
    peer: Option<u32>,
}

impl<'a> Endpoints<'a> {
    /// Reads the ends of a batch's records.
    pub fn new(inventory: &'a Inventory, batch: &RecordBatch, wanted: &[FlowColumn]) -> Endpoints<'a> {
        let asks = |of: &[Derived]| wanted.iter().any(|column| matches!(column, FlowColumn::Derived(derived) if of.contains(derived)));
        let columns = EndColumns::new(batch);
        let start = numbers(batch, id::START);
        let anything =
            wanted.iter().any(|column| matches!(column, FlowColumn::Derived(derived) if derived.row().reads.contains(&id::INTERFACE_ID)));
        let mut ends = Endpoints { inventory, columns, rows: Vec::new(), peers: Vec::new(), verdicts: Vec::new(), start };
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
        (ends.rows, ends.peers) = ends.read_rows(batch.num_rows(), with_peer);
        if asks(&[Derived::Initiator, Derived::InitiatorRule]) {
            ends.verdicts = ends.orient(batch);
        }
        ends
    }

    fn read_rows(&self, count: usize, with_peer: bool) -> (Vec<Row>, Vec<Peer<'a>>) {
        /// Slots for interfaces and for other ends of a batch, as powers of two; one of few rows needs fewer.
        const ENIS: u32 = 7;
        const PEERS: u32 = 11;
        let bits = count.max(1).ilog2();
        // Records of a batch lie close in time, and name the same ends again and again.
        let mut enis: Lately<u128, Option<u32>> = Lately::new(ENIS.min(bits));
        let mut lately: Lately<(u128, usize, u32), Option<u32>> = Lately::new(PEERS.min(bits));
        let mut found: HashMap<Asked, u32, RandomState> = HashMap::default();
        let (mut epoch, mut stretch) = (0, 0..0);
        let mut logged: HashMap<&str, &str, RandomState> = HashMap::default();
        let mut peers = Vec::new();
        let rows = (0..count)
            .map(|at| {
                let view = self.columns.interface.view(at);
                let place = enis.place(view);
                let eni = match enis.get(place) {
                    Some((known, eni)) if *known == view => *eni,
                    _ => {
                        let eni = self.columns.interface(at).and_then(|name| self.inventory.eni_index(name));
                        enis.put(place, view, eni);
                        eni
                    }
                };
                let egress = self.columns.egress(at, self.eni(eni));
                let mut row = Row { eni, egress, peer: None };
                if with_peer && let Some(is_source) = egress.map(|egress| !egress) {
                    let (vpc, start) = (self.own_vpc(at, eni), self.start_of(at));
                    // An id of the inventory stands in one place or a few, and to hash what it says costs more than all the rest.
                    let is_known = self.eni(eni).is_some_and(|eni| eni.vpc_id.is_some());
                    let vpc_place = if is_known { vpc } else { vpc.map(|vpc| *logged.entry(vpc).or_insert(vpc)) };
                    let vpc_place = vpc_place.map_or(0, |vpc| vpc.as_ptr() as usize);
                    if !stretch.contains(&start) {
                        (epoch, stretch) = self.inventory.stretch(start);
                    }
                    let asked = (self.columns.end_view(at, Some(is_source)), vpc_place, epoch);
                    let place = lately.place(asked.0);
                    row.peer = match lately.get(place) {
                        Some((known, peer)) if *known == asked => *peer,
                        _ => {
                            let address = self.columns.end(at, Some(is_source)).and_then(parse_address);
                            let peer = address.map(|address| {
                                *found.entry(Asked { vpc: vpc_place, address, epoch }).or_insert_with(|| {
                                    peers.push(self.inventory.peer(eni, vpc, address, start));
                                    peers.len() as u32 - 1
                                })
                            });
                            lately.put(place, asked, peer);
                            peer
                        }
                    };
                }
                row
            })
            .collect();
        (rows, peers)
    }

    fn peer(&self, row: &Row) -> Option<&Peer<'a>> {
        self.peers.get(row.peer? as usize)
    }

    /// The VPC in whose terms the other end's address is meant.
    fn own_vpc(&self, at: usize, eni: Option<u32>) -> Option<&str> {
        self.eni(eni).and_then(|eni| eni.vpc_id.as_deref()).or_else(|| self.columns.vpc(at))
    }

    /// Instant as of which the inventory is asked: the record's start.
    fn start_of(&self, at: usize) -> i64 {
        // Periods are half-open, so the last instant of one that has no end is the one before.
        if self.start.is_valid(at) { self.start.value(at) } else { i64::MAX - 1 }
    }

    fn eni(&self, eni: Option<u32>) -> Option<&'a Eni> {
        self.inventory.enis().get(eni? as usize)
    }

    fn orient(&self, batch: &RecordBatch) -> Vec<Option<orientation::Verdict>> {
        let protocol = int32(batch, id::PROTOCOL);
        let flags = int32(batch, id::TCP_FLAGS);
        let of = |(at, row): (usize, &Row)| {
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
            Derived::PeerTags => self.tags(|row| self.peer(row).and_then(|peer| peer.eni)),
            Derived::PeerService => self.service(|egress| !egress),
            Derived::LocalService => self.service(|egress| egress),
            Derived::ServicePort => self.service_ports(),
            Derived::PeerName => self.texts(|_, row| self.peer(row).and_then(|peer| peer.name.as_deref())),
            _ => self.texts(|at, row| self.text(derived, at, row)),
        }
    }

    fn text(&self, derived: Derived, at: usize, row: &Row) -> Option<&str> {
        let peer = self.peer(row);
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
    fn link(&self, at: usize, row: &Row) -> Option<&'static str> {
        let own = self.own_vpc(at, row.eni)?;
        let other = self.peer(row)?.vpc_id?;
        self.inventory.vpc_link(own, other, self.start_of(at)).map(VpcLink::as_str)
    }

    fn nat_class(&self, at: usize, row: &Row) -> Option<&'static str> {
        self.eni(row.eni).filter(|eni| eni.kind == InterfaceKind::NatGateway)?;
        Some(self.columns.nat_class(at, row.egress?, self.peer(row).is_some_and(|peer| peer.vpc_id.is_some())))
    }

    fn verdict(&self, at: usize) -> Option<&orientation::Verdict> {
        self.verdicts.get(at)?.as_ref()
    }

    fn cluster(&self, row: &Row) -> Option<&'a crate::inventory::Cluster> {
        self.inventory.clusters().get(self.eni(row.eni)?.cluster? as usize)
    }

    fn texts<'s>(&'s self, value: impl Fn(usize, &Row) -> Option<&'s str>) -> ArrayRef {
        let mut texts = Repeated::default();
        self.rows.iter().enumerate().for_each(|(at, row)| texts.push(value(at, row)));
        texts.column.finish()
    }

    fn ports(&self, is_source: impl Fn(bool) -> bool) -> ArrayRef {
        let ports = self.rows.iter().enumerate().map(|(at, row)| self.columns.port(at, row.egress.map(&is_source)).map(i32::from));
        Arc::new(Int32Array::from_iter(ports))
    }

    fn tags(&self, eni: impl Fn(&Row) -> Option<&'a Eni>) -> ArrayRef {
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
        Arc::new(Int32Array::from_iter((0..self.start.len()).map(|at| self.columns.service_port(at).map(i32::from))))
    }

    fn service(&self, is_source: impl Fn(bool) -> bool) -> ArrayRef {
        self.texts(|at, row| {
            let is_source = row.egress.map(&is_source);
            self.columns.service(at, is_source).or_else(|| {
                let address = self.columns.end(at, is_source).and_then(parse_address);
                Some(&*self.inventory.aws_range(address?)?.service)
            })
        })
    }
}

/// Places of texts remembered.
const LATELY: usize = 256;

/// A column of texts that stand in the inventory or in other columns: one that was put down lately is not put down again.
#[derive(Default)]
struct Repeated<'s> {
    column: TextColumn,
    /// Where such texts are, and the rows that hold them.
    lately: Vec<Option<(&'s str, usize)>>,
    rows: usize,
}

impl<'s> Repeated<'s> {
    #[inline]
    fn push(&mut self, text: Option<&'s str>) {
        match text {
            None => self.column.push_null(),
            Some(text) => {
                if self.lately.is_empty() {
                    self.lately.resize(LATELY, None);
                }
                let mixed = (text.as_ptr() as usize as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                match self.lately.get_mut((mixed >> (u64::BITS - LATELY.ilog2())) as usize) {
                    Some(Some((known, row))) if std::ptr::eq(*known, text) => self.column.push_again(*row),
                    place => {
                        if let Some(place) = place {
                            *place = Some((text, self.rows));
                        }
                        self.column.push(text);
                    }
                }
            }
        }
        self.rows += 1;
    }
}

impl EndColumns {
    /// Takes the columns of a batch of records; what it lacks is NULL.
    pub fn new(batch: &RecordBatch) -> EndColumns {
        EndColumns {
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

    /// The recording interface.
    pub fn interface(&self, at: usize) -> Option<&str> {
        self.interface.get(at)
    }

    /// Its VPC, as recorded.
    pub fn vpc(&self, at: usize) -> Option<&str> {
        self.vpc.get(at)
    }

    /// Its AZ id, as recorded.
    pub fn az(&self, at: usize) -> Option<&str> {
        self.az.get(at)
    }

    /// Whether the packets left the interface: as logged, else as a path code says, else by the interface's addresses.
    pub fn egress(&self, at: usize, eni: Option<&Eni>) -> Option<bool> {
        match self.direction.view(at) {
            EGRESS => return Some(true),
            INGRESS => return Some(false),
            _ if self.path.is_valid(at) => return Some(true),
            _ => {}
        }
        let owns = |column: &Texts| Some(eni?.owns(parse_address(column.get(at)?)?));
        let [source, destination, ..] = &self.addresses;
        match (owns(source), owns(destination)) {
            (Some(true), Some(false)) => Some(true),
            (Some(false), Some(true)) => Some(false),
            _ => None,
        }
    }

    /// The address of the source's or the destination's end, as in the packet.
    #[inline]
    pub fn end(&self, at: usize, is_source: Option<bool>) -> Option<&str> {
        let (packet, wire) = self.addresses_of(is_source?);
        packet.get(at).or_else(|| wire.get(at))
    }

    /// The view of that address, or [`NO_VIEW`](crate::decode::text_column::NO_VIEW).
    #[inline]
    pub fn end_view(&self, at: usize, is_source: Option<bool>) -> u128 {
        let Some(is_source) = is_source else { return NO_VIEW };
        let (packet, wire) = self.addresses_of(is_source);
        match packet.view(at) {
            NO_VIEW => wire.view(at),
            view => view,
        }
    }

    /// The columns of an end's address, as in the packet and as on the wire.
    #[inline]
    fn addresses_of(&self, is_source: bool) -> (&Texts, &Texts) {
        let [source, destination, packet_source, packet_destination] = &self.addresses;
        if is_source { (packet_source, source) } else { (packet_destination, destination) }
    }

    /// The address of the interface's own end as on the wire.
    fn wire_end(&self, at: usize, egress: bool) -> Option<&str> {
        self.addresses_of(egress).1.get(at)
    }

    /// The address of the interface's own end as in the packet, where the format has it.
    fn packet_end(&self, at: usize, egress: bool) -> Option<&str> {
        self.addresses_of(egress).0.get(at)
    }

    /// Which of the four records that a NAT gateway's interface writes of a conversation this is (VPC user guide, "Traffic
    /// through a NAT gateway"): towards the client the packet has another address than the interface, towards the remote it has
    /// not. A format without the packet's addresses cannot tell; then the client is the end that lies in a VPC (`peer_in_vpc`) or
    /// is private, and the class has a star.
    pub fn nat_class(&self, at: usize, egress: bool, peer_in_vpc: bool) -> &'static str {
        let packet = self.packet_end(at, egress);
        let towards_client = match packet {
            Some(packet) => Some(packet) != self.wire_end(at, egress),
            None => peer_in_vpc || self.end(at, Some(!egress)).and_then(parse_address).is_some_and(is_private),
        };
        match (egress, towards_client, packet.is_some()) {
            (false, true, true) => "A",
            (false, true, false) => "A*",
            (true, false, true) => "B",
            (true, false, false) => "B*",
            (false, false, true) => "C",
            (false, false, false) => "C*",
            (true, true, true) => "D",
            (true, true, false) => "D*",
        }
    }

    /// The port of the source's or the destination's end.
    pub fn port(&self, at: usize, is_source: Option<bool>) -> Option<u16> {
        let [source, destination] = &self.ports;
        let column = if is_source? { source } else { destination };
        column.is_valid(at).then(|| column.value(at)).and_then(|port| u16::try_from(port).ok())
    }

    /// The lower of the two ports.
    pub fn service_port(&self, at: usize) -> Option<u16> {
        Some(self.port(at, Some(true))?.min(self.port(at, Some(false))?))
    }

    /// The AWS service of the source's or the destination's end, as recorded.
    pub fn service(&self, at: usize, is_source: Option<bool>) -> Option<&str> {
        self.service_column(is_source?).get(at)
    }

    /// The view of that text, or [`NO_VIEW`](crate::decode::text_column::NO_VIEW).
    #[inline]
    pub fn service_view(&self, at: usize, is_source: Option<bool>) -> u128 {
        is_source.map_or(NO_VIEW, |is_source| self.service_column(is_source).view(at))
    }

    #[inline]
    fn service_column(&self, is_source: bool) -> &Texts {
        let [source, destination] = &self.services;
        if is_source { source } else { destination }
    }
}

fn texts(batch: &RecordBatch, field: FieldId) -> Texts {
    Texts::of(batch.column_by_name(field.field().column))
}

fn int32(batch: &RecordBatch, field: FieldId) -> Int32Array {
    let array = batch.column_by_name(field.field().column).and_then(|array| array.as_primitive_opt::<Int32Type>());
    array.cloned().unwrap_or_else(|| Int32Array::new_null(batch.num_rows()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::field::FieldType;
    use crate::inventory::{File, Options};
    use arrow::array::StringArray;
    use arrow::compute::cast;
    use arrow::datatypes::DataType;

    /// Two peered VPCs, a NAT gateway, and a cluster whose webhook listens on port 9443.
    fn inventory() -> Inventory {
        let eni = |id: &str, vpc: &str, addr: &str, more: &str| {
            format!(
                r#"{{"NetworkInterfaceId":"{id}","VpcId":"{vpc}","SubnetId":"subnet-{vpc}","PrivateIpAddress":"{addr}","OwnerId":"111122223333",
                "AvailabilityZone":"eu-central-1a"{more}}}"#
            )
        };
        let plane = r#","InterfaceType":"interface","Description":"Amazon EKS prod","RequesterId":"AROAX:AmazonEKS","Attachment":{"AttachTime":"2026-01-02T00:00:00Z","InstanceOwnerId":"444455556666"}"#;
        let first = [
            eni("eni-a", "vpc-1", "10.1.0.1", r#","InterfaceType":"interface","TagSet":[{"Key":"Name","Value":"shop"}]"#),
            eni("eni-nat", "vpc-1", "10.1.0.5", r#","InterfaceType":"nat_gateway""#),
            eni("eni-plane", "vpc-1", "10.1.0.9", plane),
            eni("eni-b", "vpc-2", "10.2.0.1", r#","InterfaceType":"interface""#),
        ];
        let second = [&first[..3], &[eni("eni-c", "vpc-2", "10.2.0.1", r#","InterfaceType":"interface""#)]].concat();
        let list = |enis: &[String]| format!(r#"{{"NetworkInterfaces":[{}]}}"#, enis.join(","));
        let cluster = r#"{"cluster":{"name":"prod","arn":"arn:aws:eks:eu-central-1:111122223333:cluster/prod","createdAt":"2026-01-01T00:00:00Z",
            "resourcesVpcConfig":{"subnetIds":["subnet-vpc-1"],"vpcId":"vpc-1"}}}"#;
        let webhook = r#"{"apiVersion":"v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"w"},
            "webhooks":[{"name":"w","clientConfig":{"url":"https://10.2.0.1:9443/x"}}]}"#;
        let files = [
            ("2026-02-01/eu-central-1/e.json", list(&first)),
            ("2026-02-03/eu-central-1/e.json", list(&second)),
            (
                "2026-02-01/s.json",
                r#"{"Subnets":[{"SubnetId":"subnet-vpc-1","VpcId":"vpc-1","CidrBlock":"10.1.0.0/24","AvailabilityZoneId":"euc1-az1"},
                    {"SubnetId":"subnet-public","VpcId":"vpc-1","CidrBlock":"198.51.100.0/24","AvailabilityZoneId":"euc1-az2"}]}"#.to_owned(),
            ),
            (
                "2026-02-01/p.json",
                r#"{"VpcPeeringConnections":[{"VpcPeeringConnectionId":"pcx-1","Status":{"Code":"active"},"RequesterVpcInfo":{"VpcId":"vpc-1"},"AccepterVpcInfo":{"VpcId":"vpc-2"}}]}"#.to_owned(),
            ),
            ("2026-02-01/prod/c.json", cluster.to_owned()),
            ("2026-02-01/prod/k.json", webhook.to_owned()),
            (
                "2026-02-01/r.json",
                r#"{"syncToken":"1","prefixes":[{"ip_prefix":"3.5.136.0/22","service":"S3","region":"eu-central-1"}]}"#.to_owned(),
            ),
        ];
        let file = |(path, text): (&str, String)| File { path: path.to_owned(), bytes: text.into_bytes().into() };
        Inventory::from_files(files.map(file).to_vec(), &Options::default()).unwrap()
    }

    /// A batch of records, given as `field=value` with spaces between; what is left out is NULL.
    fn batch(records: &[&str]) -> RecordBatch {
        let pairs = |record: &'static str| record.split(' ').filter_map(|pair| pair.split_once('='));
        let records: Vec<&'static str> = records.iter().map(|record| &*record.to_string().leak()).collect();
        let mut names: Vec<&str> = records.iter().flat_map(|record| pairs(record)).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let column = |name: &str| {
            let field = FieldId::by_any_name(name).unwrap().field();
            let texts = records.iter().map(|record| pairs(record).find(|(key, _)| *key == name).map(|(_, value)| value));
            let kind = match field.kind {
                FieldType::Text => DataType::Utf8View,
                FieldType::Int32 => DataType::Int32,
                FieldType::Int64 => DataType::Int64,
            };
            (field.column, cast(&StringArray::from_iter(texts), &kind).unwrap(), true)
        };
        RecordBatch::try_from_iter_with_nullable(names.into_iter().map(column)).unwrap()
    }

    /// Returns a derived column of such records, `-` for NULL.
    fn column(derived: Derived, records: &[&str]) -> Vec<String> {
        let inventory = inventory();
        let ends = Endpoints::new(&inventory, &batch(records), &[FlowColumn::Derived(derived)]);
        let array = ends.array(derived);
        assert_eq!(array.len(), records.len());
        let options = arrow::util::display::FormatOptions::default().with_null("-");
        let shown = arrow::util::display::ArrayFormatter::try_new(&array, &options).unwrap();
        (0..array.len()).map(|row| shown.value(row).to_string()).collect()
    }

    #[test]
    fn directions_are_as_logged_else_of_a_path_else_of_the_addresses() {
        let records = [
            "interface_id=eni-a srcaddr=9.9.9.9 dstaddr=10.1.0.1 flow_direction=egress traffic_path=1",
            "interface_id=eni-a srcaddr=10.1.0.1 dstaddr=9.9.9.9 flow_direction=ingress traffic_path=1",
            "interface_id=eni-a srcaddr=9.9.9.9 dstaddr=10.1.0.1 traffic_path=8",
            "interface_id=eni-a srcaddr=10.1.0.1 dstaddr=9.9.9.9",
            "interface_id=eni-a srcaddr=9.9.9.9 dstaddr=10.1.0.1",
            "interface_id=eni-a srcaddr=10.1.0.1 dstaddr=10.1.0.1",
            "interface_id=eni-a srcaddr=9.9.9.9 dstaddr=8.8.8.8",
            "interface_id=eni-x srcaddr=10.1.0.1 dstaddr=9.9.9.9",
            "interface_id=eni-a srcaddr=10.1.0.1",
            "srcaddr=10.1.0.1 dstaddr=9.9.9.9",
        ];
        let want = ["egress", "ingress", "egress", "egress", "ingress", "-", "-", "-", "-", "-"];
        assert_eq!(column(Derived::Direction, &records), want);
    }

    #[test]
    fn ends_are_those_of_the_packet_where_it_has_any() {
        let records = [
            "flow_direction=egress srcaddr=10.1.0.1 dstaddr=10.1.0.5 pkt_srcaddr=10.1.0.2 pkt_dstaddr=9.9.9.9 srcport=40000 dstport=443",
            "flow_direction=ingress srcaddr=10.1.0.1 dstaddr=10.1.0.5 pkt_dstaddr=9.9.9.9 srcport=40000 dstport=443",
            "flow_direction=egress srcaddr=10.1.0.1 dstaddr=10.1.0.5 dstport=443",
            "srcaddr=10.1.0.1 dstaddr=10.1.0.5 srcport=7 dstport=70000",
            "flow_direction=ingress srcport=70000 dstport=0",
        ];
        let check = |derived, want: [&str; 5]| assert_eq!(column(derived, &records), want, "{derived:?}");
        check(Derived::LocalAddr, ["10.1.0.2", "9.9.9.9", "10.1.0.1", "-", "-"]);
        check(Derived::PeerAddr, ["9.9.9.9", "10.1.0.1", "10.1.0.5", "-", "-"]);
        check(Derived::LocalPort, ["40000", "443", "-", "-", "0"]);
        check(Derived::PeerPort, ["443", "40000", "443", "-", "-"]);
        check(Derived::ServicePort, ["443", "443", "-", "-", "-"]);
    }

    #[test]
    fn peers_are_looked_up_as_of_the_start() {
        let of = |interface: &str, peer: &str, start: i64| {
            format!("interface_id={interface} flow_direction=egress dstaddr={peer} start={start}")
        };
        let [first, second] = [1_769_904_000, 1_770_076_800]; // 2026-02-01 and 2026-02-03
        let records = [
            of("eni-a", "10.2.0.1", first),
            of("eni-a", "10.2.0.1", second),
            of("eni-a", "10.1.0.5", first),
            of("eni-x", "10.1.0.5", first) + " vpc_id=vpc-2 az_id=euc1-az9",
            of("eni-a", "198.51.100.9", first),
            of("eni-a", "9.9.9.9", first),
            of("eni-a", "nowhere", first),
            format!("interface_id=eni-a dstaddr=10.2.0.1 start={first}"),
        ];
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let check = |derived, want: [&str; 8]| assert_eq!(column(derived, &records), want, "{derived:?}");
        check(Derived::PeerEni, ["eni-b", "eni-c", "eni-nat", "eni-nat", "-", "-", "-", "-"]);
        check(Derived::PeerVpcId, ["vpc-2", "vpc-2", "vpc-1", "vpc-1", "vpc-1", "-", "-", "-"]);
        check(Derived::PeerKind, ["other", "other", "nat-gateway", "nat-gateway", "-", "-", "-", "-"]);
        check(Derived::PeerAzId, ["-", "-", "euc1-az1", "euc1-az1", "euc1-az2", "-", "-", "-"]);
        check(Derived::PeerAccountId, ["111122223333", "111122223333", "111122223333", "111122223333", "-", "-", "-", "-"]);
        check(Derived::PeerLink, ["peering", "peering", "same-vpc", "peering", "same-vpc", "-", "-", "-"]);
        check(Derived::LocalAzId, ["euc1-az1", "euc1-az1", "euc1-az1", "euc1-az9", "euc1-az1", "euc1-az1", "euc1-az1", "euc1-az1"]);
        check(Derived::InterfaceKind, ["other", "other", "other", "-", "other", "other", "other", "other"]);
        check(
            Derived::LocalTags,
            ["{Name: shop}", "{Name: shop}", "{Name: shop}", "-", "{Name: shop}", "{Name: shop}", "{Name: shop}", "{Name: shop}"],
        );
        check(Derived::PeerTags, ["{}", "{}", "{}", "{}", "-", "-", "-", "-"]);
        let back = [
            "interface_id=eni-nat flow_direction=ingress srcaddr=10.1.0.1 start=1769904000",
            "interface_id=eni-a flow_direction=ingress srcaddr=10.1.0.9 start=1769904000",
        ];
        assert_eq!(column(Derived::PeerName, &back), ["shop", "prod"]);
        assert_eq!(column(Derived::PeerRegion, &back), ["eu-central-1", "eu-central-1"]);
    }

    #[test]
    fn what_the_inventory_says_changes_only_from_one_epoch_to_the_next() {
        let inventory = inventory();
        let from = inventory.eni_index("eni-a");
        let addresses =
            ["10.2.0.1", "10.1.0.5", "10.1.0.9", "10.1.0.77", "198.51.100.9", "9.9.9.9"].map(|text| parse_address(text).unwrap());
        let said = |t| {
            let peers = addresses.map(|address| format!("{:?}", inventory.peer(from, None, address, t)));
            (peers, inventory.vpc_link("vpc-1", "vpc-2", t))
        };
        let (mut last, mut changes, mut epochs) = (None, 0, 0);
        // From 2025-12-31 to 2026-02-10, by ten minutes: before, between and after the snapshots.
        for t in (1_767_139_200..1_770_681_600).step_by(600) {
            let now = (inventory.epoch(t), said(t));
            if let Some((epoch, before)) = &last {
                assert!(*epoch <= now.0);
                assert!(*epoch != now.0 || *before == now.1, "{t}: {before:?} {:?}", now.1);
                changes += u32::from(*before != now.1);
                epochs += u32::from(*epoch != now.0);
            }
            last = Some(now);
        }
        assert!(changes > 1 && changes <= epochs && epochs < 20, "{changes} changes over {epochs} epochs");
    }

    #[test]
    fn a_nat_gateway_writes_four_records_of_a_conversation() {
        let nat = |rest: &str| format!("interface_id=eni-nat {rest}");
        let records = [
            nat("flow_direction=ingress srcaddr=10.1.0.1 dstaddr=10.1.0.5 pkt_srcaddr=10.1.0.1 pkt_dstaddr=9.9.9.9"),
            nat("flow_direction=egress srcaddr=10.1.0.5 dstaddr=9.9.9.9 pkt_srcaddr=10.1.0.5 pkt_dstaddr=9.9.9.9"),
            nat("flow_direction=ingress srcaddr=9.9.9.9 dstaddr=10.1.0.5 pkt_srcaddr=9.9.9.9 pkt_dstaddr=10.1.0.5"),
            nat("flow_direction=egress srcaddr=10.1.0.5 dstaddr=10.1.0.1 pkt_srcaddr=9.9.9.9 pkt_dstaddr=10.1.0.1"),
            // Without the packet's addresses: the client lies in a VPC of the inventory, or is private.
            nat("flow_direction=ingress srcaddr=198.51.100.9 dstaddr=10.1.0.5"),
            nat("flow_direction=egress srcaddr=10.1.0.5 dstaddr=192.168.7.7"),
            nat("flow_direction=egress srcaddr=10.1.0.5 dstaddr=9.9.9.9"),
            nat("flow_direction=ingress srcaddr=9.9.9.9 dstaddr=10.1.0.5"),
            nat("srcaddr=9.9.9.9 dstaddr=8.8.8.8"),
            "interface_id=eni-a flow_direction=egress srcaddr=10.1.0.1 dstaddr=9.9.9.9".to_owned(),
            "interface_id=eni-x flow_direction=egress srcaddr=10.1.0.1 dstaddr=9.9.9.9".to_owned(),
        ];
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        assert_eq!(column(Derived::NatClass, &records), ["A", "B", "C", "D", "A*", "D*", "B*", "C*", "-", "-", "-"]);
    }

    #[test]
    fn initiators_of_single_records() {
        let of = |interface: &str, rest: &str| format!("interface_id={interface} {rest}");
        let records = [
            of("eni-a", "flow_direction=egress protocol=6 tcp_flags=2 srcport=40000 dstport=443"),
            of("eni-a", "flow_direction=ingress protocol=6 tcp_flags=2 srcport=40000 dstport=443"),
            of("eni-a", "flow_direction=egress protocol=6 tcp_flags=16 srcport=40000 dstport=443"),
            of("eni-a", "flow_direction=egress tcp_flags=2 srcport=40000 dstport=443"),
            of("eni-a", "protocol=6 tcp_flags=2 srcport=40000 dstport=443"),
            of("eni-plane", "flow_direction=egress protocol=6 dstaddr=10.2.0.1 srcport=40000 dstport=9443"),
            of("eni-plane", "flow_direction=egress protocol=6 dstaddr=10.2.0.1 srcport=40000 dstport=9444"),
            of("eni-plane", "flow_direction=egress protocol=6 dstaddr=10.2.0.2 srcport=443 dstport=40000"),
            of("eni-plane", "flow_direction=ingress protocol=6 srcaddr=10.2.0.1 srcport=9443 dstport=40000"),
            of("eni-x", "flow_direction=egress protocol=6 dstaddr=10.2.0.1 srcport=40000 dstport=9443"),
        ];
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        assert_eq!(column(Derived::Initiator, &records), ["local", "peer", "-", "-", "-", "local", "local", "peer", "local", "-"]);
        assert_eq!(column(Derived::InitiatorRule, &records), ["2", "2", "-", "-", "-", "5", "6", "4", "5", "-"]);
        assert_eq!(column(Derived::Cluster, &records), ["-", "-", "-", "-", "-", "prod", "prod", "prod", "prod", "-"]);
        let arn = column(Derived::ClusterArn, &records);
        assert_eq!((&*arn[0], &*arn[5]), ("-", "arn:aws:eks:eu-central-1:111122223333:cluster/prod"));
    }

    #[test]
    fn services_are_as_logged_or_of_the_published_ranges() {
        let records = [
            "flow_direction=egress srcaddr=10.1.0.1 dstaddr=3.5.137.1",
            "flow_direction=ingress srcaddr=3.5.137.1 dstaddr=10.1.0.1",
            "flow_direction=egress srcaddr=10.1.0.1 dstaddr=9.9.9.9 pkt_dst_aws_service=DYNAMODB pkt_src_aws_service=EC2",
            "srcaddr=10.1.0.1 dstaddr=3.5.137.1 pkt_dst_aws_service=S3",
        ];
        assert_eq!(column(Derived::PeerService, &records), ["S3", "S3", "DYNAMODB", "-"]);
        assert_eq!(column(Derived::LocalService, &records), ["-", "-", "EC2", "-"]);
    }
}
