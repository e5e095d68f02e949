//! Who stands at the two ends of a record, as numbers: an interface with its subnet, VPC and account; the other end with what the
//! inventory says of it; the way between them.
//!
//! The columns of the same names in `flows` ([`crate::enrich`]) are made by the same look-ups, text by text; here each is made once
//! for all records that ask alike.

use super::hourly::passes_for_others;
use super::names::{NONE, Names};
use super::part_columns::{PartColumns, int64};
use crate::decode::columns::parse_address;
use crate::decode::text_column::{NO_VIEW, Texts, inline};
use crate::enrich::FlowColumn;
use crate::enrich::endpoint::EndColumns;
use crate::enrich::lately::Lately;
use crate::flow::field::{FieldId, id};
use crate::inventory::ranges::is_private;
use crate::inventory::{Eni, InterfaceKind, Inventory, VpcLink};
use crate::time::UnixSeconds;
use arrow::array::{Int64Array, RecordBatch};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// What a record says of its interface.
const RECORDED: [FieldId; 7] = [id::INTERFACE_ID, id::ACCOUNT_ID, id::REGION, id::VPC_ID, id::SUBNET_ID, id::AZ_ID, id::SUBLOCATION_TYPE];
/// What it says of the next hop.
const HOP: [FieldId; 3] = [id::NEXT_HOP_INTERFACE_ID, id::NEXT_HOP_AZ_ID, id::NEXT_HOP_INTERFACE_TYPE];
/// Other ends remembered: those of a few objects; when there are more, it starts anew.
const REMEMBERED_MAX: usize = 1 << 16;

/// Texts that go together, as one number.
#[derive(Debug)]
pub struct Contexts<const N: usize> {
    /// Numbers by the hash of their texts.
    index: HashTable<u32>,
    all: Vec<Context<N>>,
    state: RandomState,
}

#[derive(Debug)]
struct Context<const N: usize> {
    numbers: [u32; N],
    hash: u64,
    /// The texts, one behind the other: most rows ask for a context that is known, and comparing should be one look.
    texts: Box<str>,
    lengths: [u32; N],
}

impl<const N: usize> Context<N> {
    fn is(&self, texts: &[Option<&str>; N]) -> bool {
        let mut rest = self.texts.as_bytes();
        texts.iter().zip(&self.lengths).zip(&self.numbers).all(|((text, length), number)| match text {
            None => *number == NONE,
            Some(text) => {
                let same = *number != NONE && text.len() == *length as usize && rest.starts_with(text.as_bytes());
                rest = rest.get(text.len()..).unwrap_or_default();
                same
            }
        })
    }
}

impl<const N: usize> Default for Contexts<N> {
    fn default() -> Contexts<N> {
        Contexts { index: HashTable::new(), all: Vec::new(), state: RandomState::default() }
    }
}

impl<const N: usize> Contexts<N> {
    fn find(&self, texts: &[Option<&str>; N]) -> Result<u32, u64> {
        let hash = self.state.hash_one(texts);
        let is_same = |known: &u32| self.is(*known, texts);
        self.index.find(hash, is_same).copied().ok_or(hash)
    }

    fn of(&mut self, texts: &[Option<&str>; N], names: &mut Names) -> u32 {
        let hash = match self.find(texts) {
            Ok(known) => return known,
            Err(hash) => hash,
        };
        self.push(texts, texts.map(|text| text.map_or(NONE, |text| names.intern(text))), hash)
    }

    /// The context of texts that have numbers.
    fn of_numbers(&mut self, numbers: [u32; N], names: &Names) -> u32 {
        let texts = numbers.map(|number| (number != NONE).then(|| names.get(number)));
        self.find(&texts).unwrap_or_else(|hash| self.push(&texts, numbers, hash))
    }

    fn push(&mut self, texts: &[Option<&str>; N], numbers: [u32; N], hash: u64) -> u32 {
        let number = self.all.len() as u32;
        self.all.push(Context {
            numbers,
            hash,
            texts: texts.iter().flatten().copied().collect::<String>().into(),
            lengths: texts.map(|text| text.map_or(0, str::len) as u32),
        });
        self.index.insert_unique(hash, number, |known| self.all.get(*known as usize).map_or(0, |known| known.hash));
        number
    }

    fn is(&self, number: u32, texts: &[Option<&str>; N]) -> bool {
        self.all.get(number as usize).is_some_and(|known| known.is(texts))
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns the numbers of a context's texts.
    pub fn get(&self, at: u32) -> [u32; N] {
        self.all.get(at as usize).map_or([NONE; N], |known| known.numbers)
    }
}

/// All that were met.
#[derive(Debug)]
pub struct Parties {
    inventory: Arc<Inventory>,
    /// Whether nobody reads who has a private address, but at interfaces that pass on what is others'.
    outside_only: bool,
    /// Texts.
    pub names: Names,
    /// Interfaces: id, account, region, VPC, subnet, AZ id (recorded, else of the inventory), sublocation type.
    pub locals: Contexts<7>,
    /// Other ends: interface, account, region, VPC, AZ id, kind, name, link, service.
    pub peers: Contexts<9>,
    /// Ways: NAT class, service of the interface's end, next hop's interface, its AZ id, its type.
    pub ways: Contexts<5>,
    /// Interfaces by what records say of them, and what they are.
    recorded: Contexts<7>,
    known: Vec<Known>,
    remembered: HashMap<Asked, u32, RandomState>,
    /// The other end and the way of which nothing is known.
    nobody: u32,
    nowhere: u32,
    /// The number of the stretch of time of the last record, and from when to when it lasts.
    stretch: (u32, Range<UnixSeconds>),
    /// Of this batch, by the views of what records say: interfaces, other ends, own ends with their services, and ways.
    lately_interfaces: Lately<[u128; 7], u32>,
    lately_peers: Lately<AskedPeer, (Option<IpAddr>, u32)>,
    lately_own: Lately<u128, (Option<IpAddr>, u32)>,
    lately_ways: Lately<(Option<&'static str>, u32, [u128; 3]), u32>,
    /// By context of another end: the one without its pod, or [`NONE`] where nobody has asked.
    without_pods: Vec<u32>,
    /// AWS services by address, or [`NONE`].
    services: HashMap<IpAddr, u32, RandomState>,
}

/// An interface as recorded.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Number of its context.
    pub local: u32,
    /// Number of its id, or [`NONE`].
    pub interface: u32,
    /// Number of the id of its VPC, recorded, else of the inventory, or [`NONE`].
    pub vpc: u32,
    eni: Option<u32>,
    /// Of the inventory, else recorded: in its terms the other end's address is meant.
    asking_vpc: u32,
}

/// What decides who the other end is: the interface's VPC, the other end's address, its recorded service, the stretch of time.
type Asked = (u32, IpAddr, u32, u32);

/// The same, by the views of the texts.
#[derive(Debug, PartialEq, Eq)]
struct AskedPeer {
    address: u128,
    service: u128,
    vpc: u32,
    epoch: u32,
    is_read: bool,
}

/// A record's ends.
#[derive(Debug)]
pub struct Party {
    /// Number of the interface's context.
    pub local: u32,
    /// Of the other end's.
    pub peer: u32,
    /// Of the way's.
    pub way: u32,
    /// Whether the packets left the interface, if that is known.
    pub egress: Option<bool>,
    /// Address of the interface's end.
    pub local_addr: Option<IpAddr>,
    /// Address of the other end.
    pub peer_addr: Option<IpAddr>,
    /// What the interface is, if the inventory knows it.
    pub kind: Option<InterfaceKind>,
    /// At a NAT gateway, which of a conversation's four records it is.
    pub nat_class: Option<&'static str>,
}

/// A part's columns that say who stands at the ends.
#[derive(Debug)]
pub struct PartyColumns {
    recorded: [Texts; 7],
    hop: [Texts; 3],
    start: Int64Array,
    /// Addresses, ports, direction.
    pub ends: EndColumns,
}

impl PartyColumns {
    /// Takes the columns of a batch.
    pub fn new(batch: &RecordBatch) -> PartyColumns {
        let columns = PartColumns(batch);
        let texts = |field| columns.views(FlowColumn::Aws(field));
        let start = columns.int64s(FlowColumn::Aws(id::START));
        PartyColumns { recorded: RECORDED.map(texts), hop: HOP.map(texts), start, ends: EndColumns::new(batch) }
    }
}

impl Parties {
    /// Starts with nobody. With `outside_only` nothing is looked up of private addresses, but at interfaces that pass on what is others'.
    pub fn new(inventory: Arc<Inventory>, outside_only: bool) -> Parties {
        /// Slots for what a batch asks, as powers of two: some dozens of interfaces and ways, some hundreds of addresses, and room for
        /// most to have one to themselves.
        const FEW: u32 = 8;
        const MANY: u32 = 11;
        let (mut names, mut peers, mut ways) = (Names::default(), Contexts::default(), Contexts::default());
        Parties {
            inventory,
            outside_only,
            nobody: peers.of(&[None; 9], &mut names),
            nowhere: ways.of(&[None; 5], &mut names),
            names,
            locals: Contexts::default(),
            peers,
            ways,
            recorded: Contexts::default(),
            known: Vec::new(),
            remembered: HashMap::default(),
            stretch: (0, 0..0),
            lately_interfaces: Lately::new(FEW),
            lately_peers: Lately::new(MANY),
            lately_own: Lately::new(MANY),
            lately_ways: Lately::new(FEW),
            without_pods: Vec::new(),
            services: HashMap::default(),
        }
    }

    /// Forgets what was told by the views of the batch before.
    pub fn start_batch(&mut self) {
        self.lately_interfaces.clear();
        self.lately_peers.clear();
        self.lately_own.clear();
        self.lately_ways.clear();
    }

    /// Returns who stands at the ends of a record of this interface.
    pub fn of(&mut self, columns: &PartyColumns, at: usize, known: Known) -> Party {
        let ends = &columns.ends;
        let interface = known.eni.and_then(|eni| self.inventory.enis().get(eni as usize));
        let kind = interface.map(|eni| eni.kind);
        let egress = ends.egress(at, interface);
        // Periods are half-open, so the last instant of one that has no end is the one before.
        let start = int64(&columns.start, at).unwrap_or(i64::MAX - 1);
        let is_read = !self.outside_only || kind.is_some_and(passes_for_others);
        let other = egress.map(|egress| !egress);
        let (local_addr, service) = self.own_end(ends, at, egress);
        if !is_read && starts_as_private(ends.end_view(at, other)) {
            return Party {
                local: known.local,
                peer: self.nobody,
                way: self.nowhere,
                egress,
                local_addr,
                peer_addr: None,
                kind,
                nat_class: None,
            };
        }
        let (peer_addr, peer) = self.peer(ends, at, (other, start), (known, is_read));
        let is_nat = kind == Some(InterfaceKind::NatGateway);
        let nat_class = egress.filter(|_| is_nat).map(|egress| ends.nat_class(at, egress, self.peers.get(peer)[3] != NONE));
        let way = self.way(columns, at, nat_class, service);
        Party { local: known.local, peer, way, egress, local_addr, peer_addr, kind, nat_class }
    }

    /// Returns the interface of a record.
    pub fn interface(&mut self, columns: &PartyColumns, at: usize) -> Known {
        let views: [u128; 7] = std::array::from_fn(|column| columns.recorded[column].view(at));
        // Equal ids may have several views, but the same bytes at their ends, which are the random ones.
        let last = columns.recorded[0].get(at).and_then(|id| id.as_bytes().last_chunk::<8>());
        let place = self.lately_interfaces.place(last.map_or(0, |last| u128::from(u64::from_le_bytes(*last))));
        let texts = || std::array::from_fn(|column| columns.recorded[column].get(at));
        let number = match self.lately_interfaces.get(place) {
            Some((known, number)) if *known == views => *number,
            Some((known, number)) if self.recorded.is(*number, &texts()) => {
                *known = views;
                *number
            }
            _ => {
                let number = self.recorded_as(&texts());
                self.lately_interfaces.put(place, views, number);
                number
            }
        };
        const NOBODY: Known = Known { local: NONE, interface: NONE, vpc: NONE, eni: None, asking_vpc: NONE };
        self.known.get(number as usize).copied().unwrap_or(NOBODY)
    }

    fn recorded_as(&mut self, recorded: &[Option<&str>; 7]) -> u32 {
        let number = self.recorded.of(recorded, &mut self.names);
        if (number as usize) < self.known.len() {
            return number;
        }
        let eni = recorded[0].and_then(|interface| self.inventory.eni_index(interface));
        let mut texts = *recorded;
        let held: Option<&Eni> = eni.and_then(|eni| self.inventory.enis().get(eni as usize));
        texts[5] = recorded[5].or_else(|| held.and_then(|eni| eni.az_id.as_deref()));
        let of_inventory = held.and_then(|eni| eni.vpc_id.as_deref());
        let mut number_of = |text: Option<&str>| text.map_or(NONE, |text| self.names.intern(text));
        let (vpc, asking_vpc) = (number_of(recorded[3].or(of_inventory)), number_of(of_inventory.or(recorded[3])));
        let interface = number_of(recorded[0]);
        self.known.push(Known { local: self.locals.of(&texts, &mut self.names), interface, vpc, eni, asking_vpc });
        number
    }

    /// The other end: its address, and its context.
    fn peer(
        &mut self,
        ends: &EndColumns,
        at: usize,
        (is_source, start): (Option<bool>, UnixSeconds),
        (known, is_read): (Known, bool),
    ) -> (Option<IpAddr>, u32) {
        if !self.stretch.1.contains(&start) {
            self.stretch = self.inventory.stretch(start);
        }
        let (address, service) = (ends.end_view(at, is_source), ends.service_view(at, is_source));
        let asked = AskedPeer { address, service, vpc: known.asking_vpc, epoch: self.stretch.0, is_read };
        let place = self.lately_peers.place(address);
        if let Some((_, answer)) = self.lately_peers.get(place).filter(|(known, _)| **known == asked) {
            return *answer;
        }
        let address = ends.end(at, is_source).and_then(parse_address);
        let peer = match address {
            Some(private) if !is_read && is_private(private) => self.nobody,
            _ => self.other_end((known.eni, known.asking_vpc), address, ends.service(at, is_source), start),
        };
        let answer = (address, peer);
        self.lately_peers.put(place, asked, answer);
        answer
    }

    /// The interface's own end: its address, and the number of its service, or [`NONE`].
    fn own_end(&mut self, ends: &EndColumns, at: usize, is_source: Option<bool>) -> (Option<IpAddr>, u32) {
        let view = ends.end_view(at, is_source);
        let place = self.lately_own.place(view);
        let (address, service) = match self.lately_own.get(place) {
            Some((known, answer)) if *known == view => *answer,
            _ => {
                let address = ends.end(at, is_source).and_then(parse_address);
                let answer = (address, address.map_or(NONE, |address| self.service(address)));
                self.lately_own.put(place, view, answer);
                answer
            }
        };
        (address, ends.service(at, is_source).map_or(service, |recorded| self.names.intern(recorded)))
    }

    fn way(&mut self, columns: &PartyColumns, at: usize, nat_class: Option<&'static str>, service: u32) -> u32 {
        let hop: [u128; 3] = std::array::from_fn(|column| columns.hop[column].view(at));
        if nat_class.is_none() && service == NONE && hop == [NO_VIEW; 3] {
            return self.nowhere;
        }
        let place = self.lately_ways.place(hop[0] ^ u128::from(service));
        let asked = (nat_class, service, hop);
        if let Some((_, way)) = self.lately_ways.get(place).filter(|(known, _)| **known == asked) {
            return *way;
        }
        let [hop, az, kind_of_hop] = std::array::from_fn(|column| columns.hop[column].get(at));
        let service = (service != NONE).then(|| self.names.get(service));
        let way = match self.ways.find(&[nat_class, service, hop, az, kind_of_hop]) {
            Ok(known) => known,
            Err(_) => {
                let service = service.map(str::to_owned);
                self.ways.of(&[nat_class, service.as_deref(), hop, az, kind_of_hop], &mut self.names)
            }
        };
        self.lately_ways.put(place, asked, way);
        way
    }

    fn other_end(
        &mut self,
        (eni, own_vpc): (Option<u32>, u32),
        address: Option<IpAddr>,
        recorded: Option<&str>,
        start: UnixSeconds,
    ) -> u32 {
        let Some(address) = address else {
            return self.peers.of(&[None, None, None, None, None, None, None, None, recorded], &mut self.names);
        };
        let service = recorded.map_or(NONE, |service| self.names.intern(service));
        let asked = (own_vpc, address, service, self.stretch.0);
        if let Some(known) = self.remembered.get(&asked) {
            return *known;
        }
        let own = (own_vpc != NONE).then(|| self.names.get(own_vpc));
        let found = self.inventory.peer(eni, own, address, start);
        let link = own.zip(found.vpc_id).and_then(|(own, other)| self.inventory.vpc_link(own, other, start));
        let texts = [
            found.eni.map(|eni| &*eni.id),
            found.account_id,
            found.region,
            found.vpc_id,
            found.az_id,
            found.kind,
            found.name.as_deref(),
            link.map(VpcLink::as_str),
            recorded.or_else(|| self.inventory.aws_range(address).map(|range| &*range.service)),
        ];
        let peer = self.peers.of(&texts, &mut self.names);
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        self.remembered.insert(asked, peer);
        peer
    }

    /// Returns the context of another end of which nothing is known.
    pub fn nobody(&self) -> u32 {
        self.nobody
    }

    /// Returns the context of a way of which nothing is known.
    pub fn nowhere(&self) -> u32 {
        self.nowhere
    }

    /// Returns the context of another end, whichever pod of its interface it is.
    pub fn without_pod(&mut self, peer: u32) -> u32 {
        if let Some(known) = self.without_pods.get(peer as usize).filter(|known| **known != NONE) {
            return *known;
        }
        let mut numbers = self.peers.get(peer);
        let name = &mut numbers[6];
        if *name != NONE && self.names.get(*name).starts_with("pod/") {
            *name = NONE;
        }
        let without = self.peers.of_numbers(numbers, &self.names);
        self.without_pods.resize(self.peers.count(), NONE);
        if let Some(known) = self.without_pods.get_mut(peer as usize) {
            *known = without;
        }
        without
    }

    /// The AWS service whose published range holds an address.
    fn service(&mut self, address: IpAddr) -> u32 {
        if is_private(address) {
            return NONE;
        }
        if let Some(known) = self.services.get(&address) {
            return *known;
        }
        let service = self.inventory.aws_range(address).map_or(NONE, |range| self.names.intern(&range.service));
        if self.services.len() >= REMEMBERED_MAX {
            self.services.clear();
        }
        self.services.insert(address, service);
        service
    }
}

/// Whether the text of a view begins as those of 10.0.0.0/8 alone do: told without reading the address. Others may be private too.
fn starts_as_private(view: u128) -> bool {
    const START: u128 = inline(b"10.") >> 32;
    view != NO_VIEW && (view >> 32) & 0xff_ffff == START
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;

    #[test]
    fn what_starts_as_private_is() {
        for (text, want) in [
            ("10.0.0.1", true),
            ("10.255.255.255", true),
            ("10.1", true),
            ("100.64.0.1", false),
            ("110.0.0.1", false),
            ("1.0.0.1", false),
            ("10::1", false),
            ("192.168.0.1", false),
            ("", false),
        ] {
            let array = StringViewArray::from_iter_values([text]);
            assert_eq!(starts_as_private(array.views()[0]), want, "{text}");
            if let (true, Some(address)) = (want, parse_address(text)) {
                assert!(is_private(address), "{text}");
            }
        }
        assert!(!starts_as_private(NO_VIEW));
    }

    #[test]
    fn contexts_are_the_same_only_where_every_text_is() {
        let (mut contexts, mut names) = (Contexts::<3>::default(), Names::default());
        let asked = [
            [Some("a"), Some("b"), None],
            [Some("ab"), None, None],
            [Some("a"), None, Some("b")],
            [None, Some("ab"), None],
            [Some(""), Some("a"), Some("b")],
            [None, Some("a"), Some("b")],
            [Some("a"), Some("b"), Some("")],
            [None, None, None],
        ];
        for round in 0..2 {
            for (number, texts) in asked.iter().enumerate() {
                assert_eq!(contexts.of(texts, &mut names), number as u32, "{texts:?} in round {round}");
            }
        }
        for (number, texts) in asked.iter().enumerate() {
            let named = contexts.get(number as u32).map(|number| (number != NONE).then(|| names.get(number)));
            assert_eq!(named, *texts);
        }
        assert_eq!(contexts.get(99), [NONE; 3]);
    }
}
