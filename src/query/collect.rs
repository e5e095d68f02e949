//! One scan's batches → partials of control-plane connections, coverage, path evidence, strangers.
//!
//! This is the operator behind `connections`. It only adds: sums, minima, maxima, sets. What the sums mean is decided in
//! [`super::summary`], once everything has been seen.

use super::biflow::{Ends, EniIndex, LineRef, PartialKey, Session, Volume, Way, add_session};
use super::names::Names;
use super::part_columns::{PartColumns, Status, Statuses, int32, int64, text};
use super::spill::{PARTITIONS, Store};
use crate::decode::columns::parse_address;
use crate::decode::text_column::Texts;
use crate::enrich::endpoint::EndColumns;
use crate::enrich::lately::Lately;
use crate::enrich::{Derived, FlowColumn};
use crate::error::Result;
use crate::flow::field::id;
use crate::inventory::{Eni, InterfaceKind, Inventory};
use crate::pipeline::Part;
use crate::time::{UnixSeconds, earlier, hour_of};
use arrow::array::{Array, Int32Array, Int64Array, RecordBatch, StringViewArray};
use foldhash::fast::{FixedState, RandomState};
use hashbrown::{HashMap, HashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Columns that the operator reads.
pub const COLUMNS: &[FlowColumn] = &[
    FlowColumn::Aws(id::INTERFACE_ID),
    FlowColumn::Aws(id::SRCADDR),
    FlowColumn::Aws(id::DSTADDR),
    FlowColumn::Aws(id::SRCPORT),
    FlowColumn::Aws(id::DSTPORT),
    FlowColumn::Aws(id::PROTOCOL),
    FlowColumn::Aws(id::PACKETS),
    FlowColumn::Aws(id::BYTES),
    FlowColumn::Aws(id::START),
    FlowColumn::Aws(id::END),
    FlowColumn::Aws(id::ACTION),
    FlowColumn::Aws(id::LOG_STATUS),
    FlowColumn::Aws(id::INSTANCE_ID),
    FlowColumn::Aws(id::TCP_FLAGS),
    FlowColumn::Aws(id::PKT_SRCADDR),
    FlowColumn::Aws(id::PKT_DSTADDR),
    FlowColumn::Aws(id::PKT_SRC_AWS_SERVICE),
    FlowColumn::Aws(id::PKT_DST_AWS_SERVICE),
    FlowColumn::Aws(id::FLOW_DIRECTION),
    FlowColumn::Aws(id::TRAFFIC_PATH),
    FlowColumn::Aws(id::NEXT_HOP_INTERFACE_ID),
    FlowColumn::Derived(Derived::LogLine),
];

/// Interfaces outside the inventory that are remembered; their number is the users' interfaces, not their records.
const STRANGERS_MAX: usize = 100_000;
/// Distinct peers remembered of such an interface: more do not change the suspicion.
pub const STRANGER_PEERS_MAX: usize = 16;

/// What one flow log wrote of one interface in one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covered {
    /// Records of traffic.
    pub ok: u64,
    /// Records of no traffic.
    pub nodata: u64,
    /// Records of lost records.
    pub skipdata: u64,
    /// Bytes of traffic.
    pub bytes: u64,
    /// Least `start`.
    pub start_min: Option<UnixSeconds>,
    /// Greatest `end`.
    pub end_max: Option<UnixSeconds>,
    /// Most fields of a format that it was written in.
    pub fields_max: u32,
}

/// An interface that the inventory does not know.
#[derive(Debug, Clone, Default)]
pub struct Stranger {
    /// Peers that connected to its port 443.
    pub clients: BTreeSet<IpAddr>,
    /// Hosts that it reached on port 10250.
    pub kubelets: BTreeSet<IpAddr>,
    /// Whether any record names an instance.
    pub has_instance: bool,
    /// Least `start`.
    pub start_min: Option<UnixSeconds>,
    /// Greatest `end`.
    pub end_max: Option<UnixSeconds>,
}

/// The far end of a packet as another interface saw it: (source, destination, destination port, protocol).
pub type Packet = (IpAddr, IpAddr, u16, u8);

/// The sums of a scan.
#[derive(Debug)]
pub struct Collector {
    inventory: Arc<Inventory>,
    /// Flow-log ids; the empty text stands for objects whose key names none.
    pub flow_logs: Names,
    /// Next hops and services.
    pub names: Names,
    /// Connections, in parts.
    pub partials: Partials,
    /// By (interface, hour): what each flow log wrote.
    pub coverage: BTreeMap<(EniIndex, UnixSeconds), BTreeMap<u32, Covered>>,
    /// Devices (by interface, hour) that logged a packet of a control-plane interface.
    pub evidence: HashMap<Packet, BTreeSet<(EniIndex, UnixSeconds)>, RandomState>,
    /// Interfaces that the inventory does not know.
    pub strangers: BTreeMap<String, Stranger>,
    /// Records of control-plane interfaces whose direction is unknown (no `flow-direction`, unknown addresses).
    pub undirected: u64,
    /// OK records without interface-id.
    pub unattributed: u64,
    control_plane_addresses: HashSet<IpAddr, RandomState>,
    flow_log_of_object: HashMap<usize, u32, RandomState>,
    /// Of this batch, by the view of its id: the interface, if the inventory knows it.
    lately: Lately<u128, Option<EniIndex>>,
}

/// Slots for interfaces of a batch, as a power of two.
const LATELY_SLOTS: u32 = 8;

/// Where a part comes from: the place of its object, the flow log's number, and the fields of its format.
#[derive(Debug, Clone, Copy)]
struct From {
    object: u32,
    flow_log: u32,
    fields: u32,
}

impl Collector {
    /// Makes an empty collector. Beyond `sessions_max` sessions in memory, partials go to files under `spill_folder`.
    pub fn new(inventory: Arc<Inventory>, sessions_max: usize, spill_folder: PathBuf) -> Collector {
        let of_control_plane = inventory.enis().iter().filter(|eni| eni.kind == InterfaceKind::EksControlPlane);
        let control_plane_addresses = of_control_plane.flat_map(|eni| eni.addresses.iter().map(|(address, _)| *address)).collect();
        Collector {
            inventory,
            flow_logs: Names::default(),
            names: Names::default(),
            partials: Store::new(sessions_max, spill_folder),
            coverage: BTreeMap::new(),
            evidence: HashMap::default(),
            strangers: BTreeMap::new(),
            undirected: 0,
            unattributed: 0,
            control_plane_addresses,
            flow_log_of_object: HashMap::default(),
            lately: Lately::new(LATELY_SLOTS),
        }
    }

    /// Takes the rows of a part, which have [`COLUMNS`] among their columns, of the object at this place among those that count.
    ///
    /// # Errors
    /// If partials must be spilled and cannot be.
    pub fn add(&mut self, part: &Part, object: usize, flow_log: Option<&str>) -> Result<()> {
        let flow_log = match self.flow_log_of_object.get(&object) {
            Some(known) => *known,
            None => {
                let index = self.flow_logs.intern(flow_log.unwrap_or_default());
                self.flow_log_of_object.insert(object, index);
                index
            }
        };
        let (rows, inventory) = (Rows::new(&part.batch), Arc::clone(&self.inventory));
        let from = From { object: object as u32, flow_log, fields: part.fields };
        self.lately.clear();
        for at in 0..part.batch.num_rows() {
            let view = rows.interface.view(at);
            let place = self.lately.place(view);
            let eni = match self.lately.get(place) {
                Some((known, eni)) if *known == view => *eni,
                _ => {
                    let eni = rows.interface.get(at).and_then(|interface| inventory.eni_index(interface));
                    self.lately.put(place, view, eni);
                    eni
                }
            };
            match eni.and_then(|eni| Some((eni, inventory.enis().get(eni as usize)?))) {
                Some((eni, interface)) if interface.kind == InterfaceKind::EksControlPlane => {
                    self.control_plane(eni, interface, &rows, at, from)?;
                }
                Some((eni, interface)) if interface.kind.is_path_device() => self.device(eni, interface, &rows, at),
                Some(_) => {}
                None => self.stranger(&rows, at),
            }
        }
        Ok(())
    }

    fn control_plane(&mut self, eni: EniIndex, interface: &Eni, rows: &Rows, at: usize, of: From) -> Result<()> {
        let From { object, flow_log, fields } = of;
        let (start, end) = (int64(&rows.start, at), int64(&rows.end, at));
        let bytes = int64(&rows.bytes, at).unwrap_or(0) as u64;
        let from = start.or(end).unwrap_or(0);
        let covered = self.coverage.entry((eni, hour_of(from))).or_default().entry(flow_log).or_default();
        covered.start_min = earlier(covered.start_min, start);
        covered.end_max = covered.end_max.max(end);
        covered.fields_max = covered.fields_max.max(fields);
        match rows.statuses.at(at) {
            Status::NoData => covered.nodata += 1,
            Status::SkipData => covered.skipdata += 1,
            Status::Ok => {
                covered.ok += 1;
                covered.bytes = covered.bytes.saturating_add(bytes);
                match rows.ends(eni, Some(interface), at) {
                    Some((ends, egress)) => {
                        let session = self.session(rows, at, (ends.peer, egress), from, (object, rows.line.value(at) as u64));
                        let partition = PARTITION_HASH.hash_one(ends) as usize % PARTITIONS;
                        return self.partials.add(partition, PartialKey { ends, flow_log, hour: hour_of(from) }, |sessions| {
                            let before = sessions.len();
                            add_session(sessions, session);
                            // A session that bridges two others makes one of three.
                            sessions.len() as isize - before as isize
                        });
                    }
                    None => self.undirected += 1,
                }
            }
        }
        Ok(())
    }

    fn session(&mut self, rows: &Rows, at: usize, (peer, egress): (IpAddr, bool), from: UnixSeconds, line: LineRef) -> Session {
        let (start, end) = (int64(&rows.start, at), int64(&rows.end, at));
        let volume =
            Volume { records: 1, packets: int64(&rows.packets, at).unwrap_or(0) as u64, bytes: int64(&rows.bytes, at).unwrap_or(0) as u64 };
        let rejected = text(&rows.action, at) == Some("REJECT");
        let way = Way {
            accepted: if rejected { Volume::default() } else { volume },
            rejected: if rejected { volume } else { Volume::default() },
            flags: int32(&rows.flags, at).map(|flags| flags as u8),
            start_min: start,
            end_max: end,
            first: Some((from, line)),
            last: Some((from, line)),
        };
        let path = int32(&rows.path, at).filter(|code| egress && (0..32).contains(code)).map_or(0, |code| 1 << code);
        let mut session = Session { from, to: end.unwrap_or(from).max(from), paths: path, ..Session::default() };
        if egress && let Some(hop) = text(&rows.next_hop, at) {
            session.next_hops.push(self.names.intern(hop));
        }
        if let Some(service) = rows.ends.service(at, Some(!egress)) {
            session.services.push(self.names.intern(service));
        } else if let Some(range) = self.inventory.aws_range(peer) {
            session.services.push(self.names.intern(&range.service));
        }
        *(if egress { &mut session.egress } else { &mut session.ingress }) = way;
        session
    }

    /// A NAT gateway, firewall endpoint or transit gateway that takes in a packet of a control-plane interface for somebody else.
    fn device(&mut self, device: EniIndex, eni: &Eni, rows: &Rows, at: usize) {
        let Some((ends, false)) = rows.ends(device, Some(eni), at) else { return };
        if !self.control_plane_addresses.contains(&ends.peer) || eni.owns(ends.local) || rows.statuses.at(at) != Status::Ok {
            return;
        }
        let hour = hour_of(int64(&rows.start, at).unwrap_or(0));
        self.evidence.entry((ends.peer, ends.local, ends.local_port, ends.protocol)).or_default().insert((device, hour));
    }

    fn stranger(&mut self, rows: &Rows, at: usize) {
        let Some(interface) = rows.interface.get(at) else {
            self.unattributed += u64::from(rows.statuses.at(at) == Status::Ok);
            return;
        };
        if !self.strangers.contains_key(interface) && self.strangers.len() >= STRANGERS_MAX {
            return;
        }
        let stranger = self.strangers.entry(interface.to_owned()).or_default();
        stranger.has_instance |= rows.instance.is_valid(at);
        stranger.start_min = earlier(stranger.start_min, int64(&rows.start, at));
        stranger.end_max = stranger.end_max.max(int64(&rows.end, at));
        let Some((ends, egress)) = rows.ends(0, None, at) else { return };
        if ends.local_port == 443 && ends.peer_port >= 1_024 && stranger.clients.len() < STRANGER_PEERS_MAX {
            stranger.clients.insert(ends.peer);
        } else if egress && ends.peer_port == 10_250 && stranger.kubelets.len() < STRANGER_PEERS_MAX {
            stranger.kubelets.insert(ends.peer);
        }
    }
}

/// A part's columns.
pub(super) struct Rows {
    pub(super) interface: Texts,
    protocol: Int32Array,
    packets: Int64Array,
    bytes: Int64Array,
    pub(super) start: Int64Array,
    pub(super) end: Int64Array,
    action: StringViewArray,
    instance: StringViewArray,
    flags: Int32Array,
    path: Int32Array,
    next_hop: StringViewArray,
    pub(super) line: Int64Array,
    ends: EndColumns,
    pub(super) statuses: Statuses,
}

impl Rows {
    pub(super) fn new(batch: &RecordBatch) -> Rows {
        let columns = PartColumns(batch);
        let texts = |column| columns.texts(column);
        let int32s = |column| columns.int32s(column);
        let int64s = |column| columns.int64s(column);
        Rows {
            interface: columns.views(FlowColumn::Aws(id::INTERFACE_ID)),
            protocol: int32s(FlowColumn::Aws(id::PROTOCOL)),
            packets: int64s(FlowColumn::Aws(id::PACKETS)),
            bytes: int64s(FlowColumn::Aws(id::BYTES)),
            start: int64s(FlowColumn::Aws(id::START)),
            end: int64s(FlowColumn::Aws(id::END)),
            action: texts(FlowColumn::Aws(id::ACTION)),
            instance: texts(FlowColumn::Aws(id::INSTANCE_ID)),
            flags: int32s(FlowColumn::Aws(id::TCP_FLAGS)),
            path: int32s(FlowColumn::Aws(id::TRAFFIC_PATH)),
            next_hop: texts(FlowColumn::Aws(id::NEXT_HOP_INTERFACE_ID)),
            line: int64s(FlowColumn::Derived(Derived::LogLine)),
            ends: EndColumns::new(batch),
            statuses: columns.statuses(),
        }
    }

    pub(super) fn ends(&self, eni: EniIndex, interface: Option<&Eni>, at: usize) -> Option<(Ends, bool)> {
        let egress = self.ends.egress(at, interface)?;
        let (local, peer) = (Some(egress), Some(!egress));
        let ends = Ends {
            eni,
            protocol: int32(&self.protocol, at).unwrap_or(0) as u8,
            local: parse_address(self.ends.end(at, local)?)?,
            local_port: self.ends.port(at, local).unwrap_or(0),
            peer: parse_address(self.ends.end(at, peer)?)?,
            peer_port: self.ends.port(at, peer).unwrap_or(0),
        };
        Some((ends, egress))
    }
}

/// Parts of connections by partition.
pub type Partials = Store<PartialKey, Vec<Session>>;

/// Partition hash: fixed, so that all parts of one pair of ends meet in one partition.
const PARTITION_HASH: FixedState = FixedState::with_seed(0x5eed);

/// Bytes that a part takes in memory: one session with its key and vector, and the table's spare room.
pub const PART_BYTES: usize = (size_of::<PartialKey>() + size_of::<Vec<Session>>()) * 7 / 4 + size_of::<Session>() + ALLOCATION_BYTES;

/// What the allocator needs beside what it gives.
const ALLOCATION_BYTES: usize = 16;
