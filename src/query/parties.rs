//! Who stands at the two ends of a record, as numbers: an interface with its subnet, VPC and account; the other end with what the
//! inventory says of it; the way between them.
//!
//! The columns of the same names in `flows` ([`crate::enrich`]) are made by the same look-ups, text by text; here each is made once
//! for all records that ask alike.

use super::names::{NONE, Names};
use super::part_columns::{PartColumns, int64, text};
use crate::decode::columns::parse_address;
use crate::enrich::FlowColumn;
use crate::enrich::endpoint::EndColumns;
use crate::flow::field::{FieldId, id};
use crate::inventory::{Eni, InterfaceKind, Inventory, VpcLink};
use crate::time::UnixSeconds;
use arrow::array::{Int64Array, RecordBatch, StringViewArray};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use std::hash::BuildHasher;
use std::net::IpAddr;
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
        let is_same = |known: &u32| self.all.get(*known as usize).is_some_and(|known| known.is(texts));
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
    /// By context of another end: the one without its pod, or [`NONE`] where nobody has asked.
    without_pods: Vec<u32>,
    /// AWS services by address, or [`NONE`].
    services: HashMap<IpAddr, u32, RandomState>,
}

/// An interface as recorded.
#[derive(Debug, Clone, Copy)]
struct Known {
    local: u32,
    eni: Option<u32>,
    /// Number of the id of its VPC, of the inventory, else recorded, or [`NONE`].
    vpc: u32,
}

/// What decides who the other end is: the interface's VPC, the other end's address, its recorded service, the stretch of time.
type Asked = (u32, IpAddr, u32, u32);

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
    recorded: [StringViewArray; 7],
    hop: [StringViewArray; 3],
    start: Int64Array,
    /// Addresses, ports, direction.
    pub ends: EndColumns,
}

impl PartyColumns {
    /// Takes the columns of a batch.
    pub fn new(batch: &RecordBatch) -> PartyColumns {
        let columns = PartColumns(batch);
        let texts = |field| columns.texts(FlowColumn::Aws(field));
        let start = columns.int64s(FlowColumn::Aws(id::START));
        PartyColumns { recorded: RECORDED.map(texts), hop: HOP.map(texts), start, ends: EndColumns::new(batch) }
    }
}

impl Parties {
    /// Starts with nobody.
    pub fn new(inventory: Arc<Inventory>) -> Parties {
        Parties {
            inventory,
            names: Names::default(),
            locals: Contexts::default(),
            peers: Contexts::default(),
            ways: Contexts::default(),
            recorded: Contexts::default(),
            known: Vec::new(),
            remembered: HashMap::default(),
            without_pods: Vec::new(),
            services: HashMap::default(),
        }
    }

    /// Returns who stands at the ends of a record.
    pub fn of(&mut self, columns: &PartyColumns, at: usize) -> Party {
        let ends = &columns.ends;
        let recorded: [Option<&str>; 7] = std::array::from_fn(|column| text(&columns.recorded[column], at));
        let Known { local, eni, vpc: own_vpc } = self.interface(&recorded);
        let interface = eni.and_then(|eni| self.inventory.enis().get(eni as usize));
        let egress = ends.egress(at, interface);
        let address = |is_source| ends.end(at, is_source).and_then(parse_address);
        let (local_addr, peer_addr) = (address(egress), address(egress.map(|egress| !egress)));
        let kind = interface.map(|eni| eni.kind);
        // Periods are half-open, so the last instant of one that has no end is the one before.
        let start = int64(&columns.start, at).unwrap_or(i64::MAX - 1);
        let peer = self.other_end((eni, own_vpc), peer_addr, ends.service(at, egress.map(|egress| !egress)), start);
        let [_, _, _, vpc, ..] = self.peers.get(peer);
        let is_nat = kind == Some(InterfaceKind::NatGateway);
        let nat_class = egress.filter(|_| is_nat).map(|egress| ends.nat_class(at, egress, vpc != NONE));
        let service = match (ends.service(at, egress), local_addr) {
            (Some(service), _) => self.names.intern(service),
            (None, Some(address)) => self.service(address),
            (None, None) => NONE,
        };
        let [hop, az, kind_of_hop] = std::array::from_fn(|column| text(&columns.hop[column], at));
        let service = (service != NONE).then(|| self.names.get(service));
        let way = match self.ways.find(&[nat_class, service, hop, az, kind_of_hop]) {
            Ok(known) => known,
            Err(_) => {
                let service = service.map(str::to_owned);
                self.ways.of(&[nat_class, service.as_deref(), hop, az, kind_of_hop], &mut self.names)
            }
        };
        Party { local, peer, way, egress, local_addr, peer_addr, kind, nat_class }
    }

    fn interface(&mut self, recorded: &[Option<&str>; 7]) -> Known {
        let number = self.recorded.of(recorded, &mut self.names);
        if let Some(known) = self.known.get(number as usize) {
            return *known;
        }
        let eni = recorded[0].and_then(|interface| self.inventory.eni_index(interface));
        let mut texts = *recorded;
        let held: Option<&Eni> = eni.and_then(|eni| self.inventory.enis().get(eni as usize));
        texts[5] = recorded[5].or_else(|| held.and_then(|eni| eni.az_id.as_deref()));
        let vpc = held.and_then(|eni| eni.vpc_id.as_deref()).or(recorded[3]);
        let vpc = vpc.map_or(NONE, |vpc| self.names.intern(vpc));
        let known = Known { local: self.locals.of(&texts, &mut self.names), eni, vpc };
        self.known.push(known);
        known
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
        let asked = (own_vpc, address, service, self.inventory.epoch(start));
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
    pub fn nobody(&mut self) -> u32 {
        self.peers.of_numbers([NONE; 9], &self.names)
    }

    /// Returns the context of a way of which nothing is known.
    pub fn nowhere(&mut self) -> u32 {
        self.ways.of_numbers([NONE; 5], &self.names)
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

#[cfg(test)]
mod tests {
    use super::*;

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
