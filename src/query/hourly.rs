//! One scan's batches → sums per hour, flow log, interface, ends and way: the operator behind `hourly`.
//!
//! It only adds, so batches come in any order. Texts are kept as numbers, and what goes together (an interface with its
//! subnet, VPC and account; the other end with what the inventory says of it) as one number ([`super::parties`]). What the sums
//! mean is decided in [`super::hours`], once everything has been seen.

use super::biflow::LineRef;
use super::collect::Covered;
use super::grain::Grain;
use super::names::{NONE, Names};
use super::part_columns::{Fetch, PartColumns, Status, Statuses, int32, int64};
use super::parties::{Known, Parties, PartyColumns};
use super::spill::{Decode, Encode, PARTITIONS, Reader, Store};
use crate::decode::text_column::{Texts, inline};
use crate::enrich::lately::Lately;
use crate::enrich::{Derived, FlowColumn};
use crate::error::Result;
use crate::flow::field::{FieldId, id};
use crate::inventory::{InterfaceKind, Inventory};
use crate::pipeline::Part;
use crate::source::LogKey;
use crate::time::{HOUR, UnixSeconds, earlier, hour_of};
use arrow::array::{Int32Array, Int64Array, RecordBatch};
use foldhash::fast::{FixedState, RandomState};
use hashbrown::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

/// Tags of the interface, its instance and their Auto Scaling group, as the record has them.
pub const TAGS: [FieldId; 6] = [id::INTERFACE_TAG, id::INTERFACE_TAG_2, id::INSTANCE_TAG, id::INSTANCE_TAG_2, id::ASG_TAG, id::ASG_TAG_2];

/// Fields that the operator reads besides.
const FIELDS: [FieldId; 27] = [
    id::INTERFACE_ID,
    id::ACCOUNT_ID,
    id::REGION,
    id::VPC_ID,
    id::SUBNET_ID,
    id::AZ_ID,
    id::SUBLOCATION_TYPE,
    id::SRCADDR,
    id::DSTADDR,
    id::SRCPORT,
    id::DSTPORT,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::PKT_SRC_AWS_SERVICE,
    id::PKT_DST_AWS_SERVICE,
    id::FLOW_DIRECTION,
    id::TRAFFIC_PATH,
    id::NEXT_HOP_INTERFACE_ID,
    id::NEXT_HOP_AZ_ID,
    id::NEXT_HOP_INTERFACE_TYPE,
    id::PROTOCOL,
    id::PACKETS,
    id::BYTES,
    id::START,
    id::END,
    id::ACTION,
    id::LOG_STATUS,
];

/// Returns the columns that the operator reads.
pub fn columns() -> Vec<FlowColumn> {
    FIELDS.iter().chain(&TAGS).copied().map(FlowColumn::Aws).chain([FlowColumn::Derived(Derived::LogLine)]).collect()
}

/// Which way a record's packets went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the interface.
    Ingress,
    /// From the interface.
    Egress,
    /// Not said, and not to be told from the addresses.
    Unknown,
}

/// What distinguishes sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// First second of the hour of `start`.
    pub hour: UnixSeconds,
    /// Index among the flow-log ids.
    pub flow_log: u32,
    /// Context of the interface.
    pub local: u32,
    /// Context of the other end.
    pub peer: u32,
    /// Context of the way.
    pub way: u32,
    /// Address of the interface's end.
    pub local_addr: Option<IpAddr>,
    /// Address of the other end.
    pub peer_addr: Option<IpAddr>,
    /// IANA protocol number.
    pub protocol: Option<u8>,
    /// The lower port.
    pub service_port: Option<u16>,
    /// Traffic-path code.
    pub path: Option<u8>,
    /// Direction.
    pub direction: Direction,
    /// Whether the action is REJECT.
    pub rejected: bool,
    /// Log status.
    pub status: Status,
}

/// An address as a number; of two families they may be the same, which a hash may be too.
fn bits(address: Option<IpAddr>) -> u128 {
    match address {
        Some(IpAddr::V4(address)) => u128::from(address.to_bits()) | 1 << 32,
        Some(IpAddr::V6(address)) => address.to_bits(),
        None => 0,
    }
}

/// Four wide words, since to hash field by field costs more than all else that is done with a record's key.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let wide = |words: [u32; 4]| words.into_iter().fold(0, |wide, word| wide << 32 | u128::from(word));
        let [hour, hour_low] = [(self.hour >> 32) as u32, self.hour as u32];
        let small = |value: Option<u8>| value.map_or(1 << 8, u32::from);
        let port = self.service_port.map_or(1 << 16, u32::from);
        let kinds = (self.direction as u32) << 3 | (self.status as u32) << 1 | u32::from(self.rejected);
        state.write_u128(bits(self.local_addr) ^ wide([self.way, 0, 0, 0]));
        state.write_u128(bits(self.peer_addr) ^ wide([small(self.path) << 9 | small(self.protocol), 0, 0, 0]));
        state.write_u128(wide([hour, hour_low, self.flow_log, self.local]));
        state.write_u128(wide([self.peer, port, kinds, 0]));
    }
}

/// An instant of a record as sums keep it: by one more than its seconds, so that none at all takes no room of its own. Decoding
/// takes none from 2100 on.
type Moment = Option<NonZeroU32>;

fn moment(at: Option<UnixSeconds>) -> Moment {
    NonZeroU32::MIN.checked_add(u32::try_from(at?).ok()?)
}

fn instant(moment: Moment) -> Option<UnixSeconds> {
    Some(UnixSeconds::from(moment?.get()) - 1)
}

/// Where a record stands, after when it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: u32,
    object: u32,
    line: u64,
}

impl Place {
    /// Returns the object and the line.
    pub fn line(self) -> LineRef {
        (self.object, self.line)
    }
}

/// Sums of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Record that starts first; ties: the lower line.
    pub first: Place,
    /// Record that starts last; ties: the higher line.
    pub last: Place,
    start_min: Moment,
    end_max: Moment,
}

impl Sums {
    /// Returns the least `start`.
    pub fn start_min(&self) -> Option<UnixSeconds> {
        instant(self.start_min)
    }

    /// Returns the greatest `end`.
    pub fn end_max(&self) -> Option<UnixSeconds> {
        instant(self.end_max)
    }

    /// Adds another part; returns whether this was the first one.
    pub fn merge(&mut self, other: &Sums) -> bool {
        let is_first = self.records == 0;
        self.records += other.records;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.start_min = match (self.start_min, other.start_min) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self.end_max = self.end_max.max(other.end_max);
        self.first = if is_first { other.first } else { self.first.min(other.first) };
        self.last = self.last.max(other.last);
        is_first
    }
}

/// Bytes that a key with its sums takes in memory, with the table's spare room.
pub const ENTRY_BYTES: usize = (size_of::<Key>() + size_of::<Sums>()) * 7 / 4;

/// That an interface wrote an address as its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// VPC, or [`NONE`].
    pub vpc: u32,
    /// The interface.
    pub interface: u32,
    /// One of its contexts.
    pub local: u32,
    /// Least `start` of such records.
    pub from: UnixSeconds,
    /// Greatest `end`.
    pub to: UnixSeconds,
}

/// Bytes of traffic by ten minutes of the hour in which its records start.
pub type Stretches = [u64; 6];

/// Seconds of such a stretch.
pub const STRETCH: i64 = HOUR / 6;

/// What a flow log wrote of an interface in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrote {
    /// Index among the flow-log ids.
    pub flow_log: u32,
    /// How much.
    pub covered: Covered,
    /// When.
    pub stretches: Stretches,
}

impl Wrote {
    fn nothing(flow_log: u32) -> Wrote {
        Wrote { flow_log, covered: Covered::default(), stretches: Stretches::default() }
    }

    /// Counts a record that starts at `from`, in an hour, of an object with so many fields.
    fn count(&mut self, (status, sums): (Status, &Sums), (from, hour): (UnixSeconds, UnixSeconds), fields: u32) {
        let Wrote { covered, stretches, .. } = self;
        covered.start_min = earlier(covered.start_min, sums.start_min());
        covered.end_max = covered.end_max.max(sums.end_max());
        covered.fields_max = covered.fields_max.max(fields);
        match status {
            Status::NoData => covered.nodata += 1,
            Status::SkipData => covered.skipdata += 1,
            Status::Ok => {
                covered.ok += 1;
                covered.bytes = covered.bytes.saturating_add(sums.bytes);
                if let Some(bytes) = stretches.get_mut(((from - hour) / STRETCH) as usize) {
                    *bytes = bytes.saturating_add(sums.bytes);
                }
            }
        }
    }

    fn merge(&mut self, other: &Wrote) {
        let (covered, more) = (&mut self.covered, &other.covered);
        covered.ok += more.ok;
        covered.nodata += more.nodata;
        covered.skipdata += more.skipdata;
        covered.bytes = covered.bytes.saturating_add(more.bytes);
        covered.start_min = earlier(covered.start_min, more.start_min);
        covered.end_max = covered.end_max.max(more.end_max);
        covered.fields_max = covered.fields_max.max(more.fields_max);
        for (bytes, more) in self.stretches.iter_mut().zip(other.stretches) {
            *bytes = bytes.saturating_add(more);
        }
    }
}

/// By (interface, hour): what each flow log wrote.
pub type Coverage = HashMap<(u32, UnixSeconds), Vec<Wrote>, RandomState>;

/// What a flow log wrote of an interface in an hour.
fn wrote(coverage: &mut Coverage, of: (u32, UnixSeconds), flow_log: u32) -> &mut Wrote {
    let of_hour = coverage.entry(of).or_default();
    let at = of_hour.iter().position(|wrote| wrote.flow_log == flow_log).unwrap_or(of_hour.len());
    if at == of_hour.len() {
        of_hour.push(Wrote::nothing(flow_log));
    }
    &mut of_hour[at]
}

/// By hour: interfaces, and addresses.
pub type Served = (HashSet<(UnixSeconds, u32), RandomState>, HashSet<(UnixSeconds, IpAddr), RandomState>);

/// Account and region that the keys of a flow log's objects name.
pub type Scope = (Option<Arc<str>>, Option<Arc<str>>);

/// The sums of a scan.
#[derive(Debug)]
pub struct Hourly {
    pub(super) inventory: Arc<Inventory>,
    pub(super) grain: Grain,
    /// Context of another end of which nothing is known.
    pub(super) nobody: u32,
    /// Context of a way of which nothing is known.
    pub(super) nowhere: u32,
    /// Whether the inventory says the same throughout the hour of the last record that asked.
    pub(super) steady: (Option<UnixSeconds>, bool),
    /// By hour in which it does not, context of the interface and address: whether it says the same of that address.
    pub(super) steady_addresses: HashMap<(UnixSeconds, u32, IpAddr), bool, RandomState>,
    /// Flow-log ids; the empty text stands for objects whose key names none.
    pub flow_logs: Names,
    /// Who was met, and all other texts.
    pub parties: Parties,
    /// The sums.
    pub sums: Store<Key, Sums>,
    /// By (interface, hour): what each flow log wrote.
    pub coverage: Coverage,
    /// Addresses that interfaces wrote as their own.
    pub own: HashMap<IpAddr, Vec<Own>, RandomState>,
    /// By (interface, hour): tags that its records carry, as (key, value); of the flow log whose keys are not known, the field's name
    /// stands for the key.
    pub tags: HashMap<(u32, UnixSeconds), Vec<(u32, u32)>, RandomState>,
    /// Clients that a NAT gateway's own interface logged, by hour: interface, or address where it is not known.
    pub served: Served,
    /// By flow log: what the keys of its objects name.
    pub scopes: HashMap<u32, Scope, RandomState>,
    /// OK records of interfaces without a direction, and their bytes.
    pub undirected: (u64, u64),
    /// OK records without interface-id.
    pub unattributed: u64,
    flow_log_of_object: HashMap<usize, u32, RandomState>,
    /// Of this batch, by the last digits of an interface's number: what was written of it in an hour besides what stands in `coverage`.
    writing: Vec<Option<((u32, UnixSeconds), Wrote)>>,
    /// Likewise, what no statement tells apart, besides what stands in `sums`.
    unread: Vec<Option<(Key, Sums)>>,
    /// Of this batch, by own address and context: a range of time that is known of it already.
    lately_own: Lately<(IpAddr, u32), (UnixSeconds, UnixSeconds)>,
}

/// Slots for own addresses of a batch, as a power of two.
const OWN_SLOTS: u32 = 11;
/// Slots for interfaces of a batch.
const WRITING_SLOTS: usize = 256;

/// Partition hash: fixed, so that all parts of one key meet in one partition.
const PARTITION_HASH: FixedState = FixedState::with_seed(0x5eed);

/// The partition of a key: all that was logged of one conversation in an hour, by whomever and in both directions, lies in one,
/// since what a record means may depend on another's (a NAT gateway or a firewall that passed the same packets on). Where the other
/// end's address does not matter, nothing does, and what lies between the same two is together, so that it can be added up.
fn partition(key: &Key) -> usize {
    let (local, peer) = (bits(key.local_addr), bits(key.peer_addr));
    let port = u128::from(key.service_port.map_or(1 << 16, u32::from)) << 16 | u128::from(key.protocol.map_or(1 << 8, u16::from));
    let when = u128::from(key.hour.cast_unsigned()) << 64;
    let hash = match key.peer_addr {
        Some(_) => PARTITION_HASH.hash_one((when | port, local ^ peer, local.wrapping_add(peer))),
        None => PARTITION_HASH.hash_one((key.local, key.peer)),
    };
    hash as usize % PARTITIONS
}

impl Hourly {
    /// Makes an empty collection. Beyond `entries_max` entries in memory, sums go to files under `spill_folder`.
    pub fn new(inventory: Arc<Inventory>, grain: Grain, entries_max: usize, spill_folder: PathBuf) -> Hourly {
        let parties = Parties::new(Arc::clone(&inventory), grain == Grain::NatGateways);
        Hourly {
            nobody: parties.nobody(),
            nowhere: parties.nowhere(),
            steady: (None, false),
            steady_addresses: HashMap::default(),
            parties,
            inventory,
            grain,
            flow_logs: Names::default(),
            sums: Store::new(entries_max, spill_folder),
            coverage: HashMap::default(),
            own: HashMap::default(),
            tags: HashMap::default(),
            served: Default::default(),
            scopes: HashMap::default(),
            undirected: (0, 0),
            unattributed: 0,
            flow_log_of_object: HashMap::default(),
            writing: vec![None; WRITING_SLOTS],
            unread: vec![None; WRITING_SLOTS],
            lately_own: Lately::new(OWN_SLOTS),
        }
    }

    /// Takes the rows of a part, whose columns are [`columns`].
    ///
    /// # Errors
    /// If sums must be spilled and cannot be.
    pub fn add(&mut self, part: &Part, key: &LogKey) -> Result<()> {
        let flow_log = match self.flow_log_of_object.get(&part.object) {
            Some(known) => *known,
            None => {
                let index = self.flow_logs.intern(key.flow_log_id.as_deref().unwrap_or_default());
                self.flow_log_of_object.insert(part.object, index);
                // Objects without an id may come from anywhere.
                if key.flow_log_id.is_some() {
                    self.scopes.entry(index).or_insert_with(|| (key.account.clone(), key.region.clone()));
                }
                index
            }
        };
        let rows = Rows::new(&part.batch);
        if rows.tags.iter().any(|column| !column.is_empty()) {
            self.learn_tags(&rows, part.batch.num_rows(), key);
        }
        self.parties.start_batch();
        let (fetch, count) = (Fetch::of(&part.batch), part.batch.num_rows());
        for first in (0..count).step_by(Fetch::ROWS) {
            let block = first..count.min(first + Fetch::ROWS);
            fetch.rows(&block);
            block.into_iter().try_for_each(|at| self.row(&rows, at, part, flow_log))?;
        }
        for at in 0..WRITING_SLOTS {
            self.write_down(at);
            self.add_unread(at)?;
        }
        Ok(())
    }

    fn row(&mut self, rows: &Rows, at: usize, part: &Part, flow_log: u32) -> Result<()> {
        let (start, end) = (int64(&rows.start, at), int64(&rows.end, at));
        let from = start.or(end).unwrap_or(0);
        let status = rows.statuses.at(at);
        let known = self.parties.interface(&rows.parties, at);
        let party = self.parties.of(&rows.parties, at, known);
        let key = Key {
            hour: hour_of(from),
            flow_log,
            local: party.local,
            peer: party.peer,
            way: party.way,
            local_addr: party.local_addr,
            peer_addr: party.peer_addr,
            protocol: int32(&rows.protocol, at).map(|protocol| protocol as u8),
            service_port: rows.parties.ends.service_port(at),
            path: int32(&rows.path, at).and_then(|path| u8::try_from(path).ok()),
            direction: match party.egress {
                Some(true) => Direction::Egress,
                Some(false) => Direction::Ingress,
                None => Direction::Unknown,
            },
            rejected: rows.action.view(at) == const { inline(b"REJECT") },
            status,
        };
        let count = |array| int64(array, at).unwrap_or(0) as u64;
        let place = Place { at: u32::try_from(from).unwrap_or(0), object: part.object as u32, line: rows.line.value(at) as u64 };
        let sums = Sums {
            records: 1,
            packets: count(&rows.packets),
            bytes: count(&rows.bytes),
            start_min: moment(start),
            end_max: moment(end),
            first: place,
            last: place,
        };
        let Known { interface, vpc, .. } = known;
        if interface == NONE {
            self.unattributed += u64::from(status == Status::Ok);
        } else {
            if status == Status::Ok && key.direction == Direction::Unknown {
                self.undirected = (self.undirected.0 + 1, self.undirected.1.saturating_add(sums.bytes));
            }
            self.cover(interface, &key, &sums, from, part.fields);
            if status == Status::Ok && !party.kind.is_some_and(passes_for_others) {
                self.learn(vpc, interface, &key, from, end.unwrap_or(from));
            }
        }
        let is_of_client = matches!(party.nat_class, Some("A" | "A*" | "D" | "D*"));
        if is_of_client && status == Status::Ok && !key.rejected {
            let [client, ..] = self.parties.peers.get(key.peer);
            match key.peer_addr.filter(|_| client == NONE) {
                Some(address) => drop(self.served.1.insert((key.hour, address))),
                None => drop(self.served.0.insert((key.hour, client))),
            }
        }
        let key = self.grained(key, &party);
        if key.peer != self.nobody || key.direction != Direction::Unknown {
            return self.sums.add(partition(&key), key, |held| isize::from(held.merge(&sums)));
        }
        // Many records of an interface come to the same sum here, one soon after the other.
        let slot = interface as usize % WRITING_SLOTS;
        if let Some(Some((held, more))) = self.unread.get_mut(slot)
            && *held == key
        {
            more.merge(&sums);
            return Ok(());
        }
        self.add_unread(slot)?;
        if let Some(free) = self.unread.get_mut(slot) {
            *free = Some((key, sums));
        }
        Ok(())
    }

    fn add_unread(&mut self, slot: usize) -> Result<()> {
        match self.unread.get_mut(slot).and_then(Option::take) {
            Some((key, more)) => self.sums.add(partition(&key), key, |held| isize::from(held.merge(&more))),
            None => Ok(()),
        }
    }

    fn cover(&mut self, interface: u32, key: &Key, sums: &Sums, from: UnixSeconds, fields: u32) {
        let at = interface as usize % WRITING_SLOTS;
        let of = (interface, key.hour);
        if !matches!(self.writing.get(at), Some(Some((writing, _))) if *writing == of) {
            self.write_down(at);
            // The first record stands there at once: whoever asks for the interface is to find it.
            wrote(&mut self.coverage, of, key.flow_log).count((key.status, sums), (from, key.hour), fields);
            if let Some(writing) = self.writing.get_mut(at) {
                *writing = Some((of, Wrote::nothing(key.flow_log)));
            }
        } else if let Some(Some((_, wrote))) = self.writing.get_mut(at) {
            wrote.count((key.status, sums), (from, key.hour), fields);
        }
    }

    fn write_down(&mut self, at: usize) {
        if let Some((of, more)) = self.writing.get_mut(at).and_then(Option::take) {
            wrote(&mut self.coverage, of, more.flow_log).merge(&more);
        }
    }

    /// Whether an interface has records of its own in an hour.
    pub(super) fn is_logged(&self, interface: u32, hour: UnixSeconds) -> bool {
        self.coverage.get(&(interface, hour)).into_iter().flatten().any(|wrote| wrote.covered.ok + wrote.covered.nodata > 0)
    }

    /// Remembers that the interface had the address; ids are never reused, so a range of time is enough.
    fn learn(&mut self, vpc: u32, interface: u32, key: &Key, from: UnixSeconds, to: UnixSeconds) {
        let (Some(address), true) = (key.local_addr, key.direction != Direction::Unknown) else { return };
        let place = self.lately_own.place(bits(key.local_addr));
        if let Some((of, known)) = self.lately_own.get(place)
            && *of == (address, key.local)
            && known.0 <= from
            && known.1 >= to
        {
            return;
        }
        let holders = self.own.entry(address).or_default();
        let known = match holders.iter_mut().find(|own| own.interface == interface && own.vpc == vpc) {
            Some(own) => {
                (own.from, own.to) = (own.from.min(from), own.to.max(to));
                // Numbers of contexts depend on which record came first, so the choice goes by text; what says more is greater.
                let texts = |local| self.parties.locals.get(local).map(|name| (name != NONE).then(|| self.parties.names.get(name)));
                if own.local != key.local && texts(key.local) > texts(own.local) {
                    own.local = key.local;
                }
                (own.from, own.to)
            }
            None => {
                holders.push(Own { vpc, interface, local: key.local, from, to });
                (from, to)
            }
        };
        self.lately_own.put(place, (address, key.local), known);
    }

    /// Remembers the tags of each interface in each hour.
    fn learn_tags(&mut self, rows: &Rows, count: usize, key: &LogKey) {
        let id = key.flow_log_id.as_deref().unwrap_or_default();
        let keys = TAGS.map(|field| {
            let field = field.field().name;
            self.parties.names.intern(self.inventory.tag_key(id, field).unwrap_or(field))
        });
        for at in 0..count {
            let (Some(interface), Some(from)) = (rows.parties.ends.interface(at), int64(&rows.start, at).or(int64(&rows.end, at))) else {
                continue;
            };
            let found = rows.tags.iter().zip(keys).filter_map(|(column, key)| Some((key, column.get(at)?)));
            for (key, value) in found {
                let tag = (key, self.parties.names.intern(value));
                let held = self.tags.entry((self.parties.names.intern(interface), hour_of(from))).or_default();
                if !held.contains(&tag) {
                    held.push(tag);
                }
            }
        }
    }
}

/// Packets of others pass through such an interface: the addresses in them are not its own.
pub(super) fn passes_for_others(kind: InterfaceKind) -> bool {
    use InterfaceKind::{FirewallEndpoint, GatewayLoadBalancerEndpoint, Gwlb, NatGateway, TransitGateway};
    matches!(kind, NatGateway | TransitGateway | FirewallEndpoint | GatewayLoadBalancerEndpoint | Gwlb)
}

/// A part's columns.
struct Rows {
    parties: PartyColumns,
    tags: [Texts; 6],
    protocol: Int32Array,
    packets: Int64Array,
    bytes: Int64Array,
    start: Int64Array,
    end: Int64Array,
    action: Texts,
    path: Int32Array,
    line: Int64Array,
    statuses: Statuses,
}

impl Rows {
    fn new(batch: &RecordBatch) -> Rows {
        let columns = PartColumns(batch);
        let texts = |field| columns.views(FlowColumn::Aws(field));
        let int32s = |column| columns.int32s(column);
        let int64s = |column| columns.int64s(column);
        Rows {
            parties: PartyColumns::new(batch),
            tags: TAGS.map(texts),
            protocol: int32s(FlowColumn::Aws(id::PROTOCOL)),
            packets: int64s(FlowColumn::Aws(id::PACKETS)),
            bytes: int64s(FlowColumn::Aws(id::BYTES)),
            start: int64s(FlowColumn::Aws(id::START)),
            end: int64s(FlowColumn::Aws(id::END)),
            action: texts(id::ACTION),
            path: int32s(FlowColumn::Aws(id::TRAFFIC_PATH)),
            line: int64s(FlowColumn::Derived(Derived::LogLine)),
            statuses: columns.statuses(),
        }
    }
}

impl Encode for Key {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hour.encode(out);
        [self.flow_log, self.local, self.peer, self.way].iter().for_each(|value| value.encode(out));
        self.local_addr.encode(out);
        self.peer_addr.encode(out);
        self.protocol.encode(out);
        self.service_port.map(u32::from).encode(out);
        self.path.encode(out);
        [self.direction as u8, u8::from(self.rejected), self.status as u8].iter().for_each(|value| value.encode(out));
    }
}

impl Decode for Key {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Key {
            hour: i64::decode(from)?,
            flow_log: u32::decode(from)?,
            local: u32::decode(from)?,
            peer: u32::decode(from)?,
            way: u32::decode(from)?,
            local_addr: Option::decode(from)?,
            peer_addr: Option::decode(from)?,
            protocol: Option::decode(from)?,
            service_port: Option::<u32>::decode(from)?.map(u16::try_from).transpose().ok()?,
            path: Option::decode(from)?,
            direction: match u8::decode(from)? {
                0 => Direction::Ingress,
                1 => Direction::Egress,
                _ => Direction::Unknown,
            },
            rejected: u8::decode(from)? != 0,
            status: match u8::decode(from)? {
                0 => Status::Ok,
                1 => Status::NoData,
                _ => Status::SkipData,
            },
        })
    }
}

impl Encode for Place {
    fn encode(&self, out: &mut Vec<u8>) {
        self.at.encode(out);
        self.object.encode(out);
        self.line.encode(out);
    }
}

impl Decode for Place {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Place { at: u32::decode(from)?, object: u32::decode(from)?, line: u64::decode(from)? })
    }
}

impl Encode for Sums {
    fn encode(&self, out: &mut Vec<u8>) {
        [self.records, self.packets, self.bytes].iter().for_each(|value| value.encode(out));
        self.first.encode(out);
        self.last.encode(out);
        [self.start_min, self.end_max].iter().for_each(|moment| moment.map_or(0, NonZeroU32::get).encode(out));
    }
}

impl Decode for Sums {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Sums {
            records: u64::decode(from)?,
            packets: u64::decode(from)?,
            bytes: u64::decode(from)?,
            first: Place::decode(from)?,
            last: Place::decode(from)?,
            start_min: NonZeroU32::new(u32::decode(from)?),
            end_max: NonZeroU32::new(u32::decode(from)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spilled_sums_come_back() {
        let key = Key {
            hour: -3_600,
            flow_log: 1,
            local: 2,
            peer: 3,
            way: 4,
            local_addr: Some([10, 0, 0, 1].into()),
            peer_addr: "2a02::1".parse().ok(),
            protocol: Some(6),
            service_port: Some(443),
            path: None,
            direction: Direction::Unknown,
            rejected: true,
            status: Status::SkipData,
        };
        let sums = Sums {
            records: 1,
            packets: 2,
            bytes: u64::MAX,
            first: Place { at: 5, object: 1, line: 1 << 40 },
            last: Place { at: 7, object: 3, line: 4 },
            start_min: moment(Some(0)),
            end_max: None,
        };
        assert_eq!((sums.start_min(), sums.end_max()), (Some(0), None));
        for (direction, status) in
            [(Direction::Ingress, Status::Ok), (Direction::Egress, Status::NoData), (Direction::Unknown, Status::SkipData)]
        {
            let key = Key { direction, status, ..key };
            let mut bytes = Vec::new();
            key.encode(&mut bytes);
            sums.encode(&mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!((Key::decode(&mut reader), Sums::decode(&mut reader)), (Some(key), Some(sums)));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn instants_come_back() {
        for at in [None, Some(0), Some(1), Some(4_102_444_799)] {
            assert_eq!(instant(moment(at)), at);
        }
    }

    #[test]
    fn both_directions_of_a_conversation_lie_in_one_partition_and_are_two_keys() {
        let key = Key {
            hour: 7_200,
            flow_log: 1,
            local: 2,
            peer: 3,
            way: 4,
            local_addr: Some([10, 0, 0, 1].into()),
            peer_addr: Some([10, 0, 0, 2].into()),
            protocol: Some(6),
            service_port: Some(443),
            path: Some(1),
            direction: Direction::Egress,
            rejected: false,
            status: Status::Ok,
        };
        let back = Key { local_addr: key.peer_addr, peer_addr: key.local_addr, local: 9, peer: 8, direction: Direction::Ingress, ..key };
        assert_eq!(partition(&key), partition(&back));
        // Each differs from the first in one part, and so does its hash.
        let others = [
            back,
            Key { hour: 10_800, ..key },
            Key { flow_log: 2, ..key },
            Key { local: 3, ..key },
            Key { peer: 2, ..key },
            Key { way: 5, ..key },
            Key { local_addr: "::a00:1".parse().ok(), ..key },
            Key { peer_addr: None, ..key },
            Key { protocol: None, ..key },
            Key { service_port: None, ..key },
            Key { path: None, ..key },
            Key { direction: Direction::Unknown, ..key },
            Key { rejected: true, ..key },
            Key { status: Status::NoData, ..key },
        ];
        let hash = |key: &Key| PARTITION_HASH.hash_one(key);
        let hashes: HashSet<u64> = others.iter().chain([&key]).map(hash).collect();
        assert_eq!(hashes.len(), others.len() + 1);
        let partitions: HashSet<usize> = (0..2_000).map(|local| partition(&Key { local, peer_addr: None, ..key })).collect();
        assert_eq!(partitions.len(), PARTITIONS);
    }

    #[test]
    fn parts_of_sums_come_to_the_same_in_any_order() {
        let record = |at: u32, line: u64, end: Option<UnixSeconds>| {
            let place = Place { at, object: 1, line };
            let start_min = moment(Some(UnixSeconds::from(at)).filter(|at| *at > 0));
            Sums { records: 1, packets: 2, bytes: 3, first: place, last: place, start_min, end_max: moment(end) }
        };
        let parts = [record(50, 7, Some(60)), record(50, 3, None), record(0, 9, Some(99)), record(70, 1, Some(10))];
        for turn in 0..parts.len() {
            let mut sums = Sums::default();
            for at in 0..parts.len() {
                assert_eq!(sums.merge(&parts[(at + turn) % parts.len()]), at == 0);
            }
            assert_eq!((sums.records, sums.packets, sums.bytes), (4, 8, 12));
            assert_eq!((sums.first.line(), sums.last.line()), ((1, 9), (1, 1)));
            assert_eq!((sums.start_min(), sums.end_max()), (Some(50), Some(99)));
        }
    }
}
