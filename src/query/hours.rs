//! What the sums of a finished scan mean: overlapping flow logs resolved, the other ends found. Rows of `hourly`.

use super::hourly::{Direction, Hourly, Key, Place, STRETCH, Sums, Wrote};
use super::names::NONE;
use super::nat_roles::{Conversations, Nat, Seen};
use super::other_ends::Peer;
use super::part_columns::Status;
use super::rows::{ColumnDoc, Rows, Value, utc};
use super::summary::counted;
use super::summed_table::Asked;
use crate::decode::BATCH_ROWS;
use crate::error::Result;
use crate::inventory::ranges::is_private;
use crate::inventory::{Cluster, Eni, InterfaceKind, Inventory};
use crate::pipeline::Input;
use crate::time::UnixSeconds;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// Every column of `hourly`.
#[rustfmt::skip]
pub static COLUMNS: LazyLock<Vec<ColumnDoc>> = LazyLock::new(|| {
    use DataType::{Boolean, Int32, Int64, Utf8};
    vec![
        ("hour", utc(), "Hour in which the records start"),
        ("flow_log_id", Utf8, "Flow log that wrote them, from the objects' keys"),
        ("counted", Boolean, "Whether this flow log counts for the interface in this hour; of overlapping ones one does"),
        ("account_id", Utf8, "Account of the interface: as recorded, else from the inventory, else from the key"),
        ("region", Utf8, "Region of the interface, likewise"),
        ("vpc_id", Utf8, "VPC of the interface, as recorded or from the inventory"),
        ("subnet_id", Utf8, "Subnet of the interface, likewise"),
        ("interface_id", Utf8, "Recording interface"),
        ("interface_kind", Utf8, "What it is, from the inventory, e.g. `nat-gateway`"),
        ("interface_name", Utf8, "Its name, from the inventory; on a node `pod/NAMESPACE/NAME` where the address is a pod's"),
        ("resource", Utf8, "Resource that it belongs to, e.g. `nat-…`"),
        ("cluster", Utf8, "EKS cluster that it belongs to"),
        ("cluster_arn", Utf8, "ARN of that cluster"),
        ("local_az_id", Utf8, "Its AZ id"),
        ("tags", Utf8, "Tags in the interface's own records of that hour (version 11), as `key=value&…`, percent-encoded; `tag_value` reads them"),
        ("direction", Utf8, "`ingress` or `egress` at the interface"),
        ("local_addr", Utf8, "Address of the interface's end, as in the packet"),
        ("peer_addr", Utf8, "Address of the other end"),
        ("peer_scope", Utf8, "`public`, `private`, or `link-local` (169.254.0.0/16)"),
        ("peer_range_region", Utf8, "Region of the published AWS range that holds it, or `GLOBAL`"),
        ("protocol", Int32, "IANA protocol number"),
        ("service_port", Int32, "The lower of the two ports"),
        ("action", Utf8, "`ACCEPT` or `REJECT`"),
        ("log_status", Utf8, "`OK`, `NODATA` or `SKIPDATA`"),
        ("traffic_path", Int32, "Code of the path that egress traffic took"),
        ("nat_class", Utf8, "At a NAT gateway, which of a conversation's four records: `A` to `D`"),
        ("local_service", Utf8, "AWS service of the interface's end in the packet (at a NAT gateway: beyond it)"),
        ("remote_addr", Utf8, "At a NAT gateway, towards the client: the address beyond it, where the format has packet addresses"),
        ("remote_scope", Utf8, "As `peer_scope`, of that address"),
        ("remote_range_region", Utf8, "As `peer_range_region`, of that address"),
        ("nat_role", Utf8, "`gateway`: record of class A or D; `client`: a client's own record of traffic through NAT, where no gateway's interface logged it in that hour"),
        ("nat_gateway_id", Utf8, "For both: the gateway"),
        ("nat_interface_id", Utf8, "… its interface"),
        ("nat_vpc_id", Utf8, "… its VPC"),
        ("nat_subnet_id", Utf8, "… its subnet"),
        ("nat_az_id", Utf8, "… its AZ id; of a regional gateway the client's, where it has addresses there"),
        ("nat_availability", Utf8, "… `zonal` or `regional`"),
        ("inspected", Boolean, "… whether a Network Firewall's endpoint logged these packets too"),
        ("next_hop_interface_id", Utf8, "Interface that is the next hop"),
        ("next_hop_interface_type", Utf8, "Its type"),
        ("next_hop_resource", Utf8, "Resource that it belongs to, from the inventory"),
        ("peer_account_id", Utf8, "Account of the other end"),
        ("peer_region", Utf8, "Region of the other end"),
        ("peer_vpc_id", Utf8, "VPC of the other end"),
        ("peer_subnet_id", Utf8, "Subnet of the other end"),
        ("peer_az_id", Utf8, "AZ id of the other end"),
        ("peer_eni", Utf8, "Interface that held the other end's address"),
        ("peer_kind", Utf8, "What the other end is"),
        ("peer_name", Utf8, "Name of the other end"),
        ("peer_resource", Utf8, "Resource that the other end belongs to"),
        ("peer_cluster", Utf8, "EKS cluster that the other end belongs to"),
        ("peer_tags", Utf8, "As `tags`, of the other end"),
        ("peer_link", Utf8, "How its VPC is joined to the interface's: `same-vpc`, `peering`, `transit-gateway`"),
        ("peer_service", Utf8, "AWS service of the other end"),
        ("peer_basis", Utf8, "What the other end's AZ is known from: `inventory`, `records` (its own), `next-hop`"),
        ("peer_logged", Boolean, "Whether the other end's interface has records of its own in this hour"),
        ("records", Int64, "Records"),
        ("packets", Int64, "Packets"),
        ("bytes", Int64, "Bytes"),
        ("start_time", utc(), "Least `start`"),
        ("end_time", utc(), "Greatest `end`"),
        ("first_line", Utf8, "`log_object:log_line` of the record that starts first"),
        ("last_line", Utf8, "… that starts last"),
    ]
});

/// Numbers about a scan that a report over `hourly` must state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// OK records that another flow log also wrote.
    pub duplicate_records: u64,
    /// Bytes of those.
    pub duplicate_bytes: u64,
    /// Bytes of those that lie, by ten minutes in which records start, wholly outside the range of the flow logs that count: real, or not.
    pub in_doubt_bytes: u64,
    /// Flow logs whose records were set aside; sorted.
    pub duplicate_flow_logs: BTreeSet<String>,
    /// Interface-hours in which records were lost.
    pub skipdata_hours: u64,
    /// Interface-hours with any record.
    pub logged_hours: u64,
    /// Interfaces.
    pub interfaces: u64,
    /// … that the inventory does not know.
    pub strangers: u64,
    /// OK records of known interfaces without a direction.
    pub undirected_records: u64,
    /// Bytes of those.
    pub undirected_bytes: u64,
    /// OK records without interface-id.
    pub unattributed_records: u64,
}

/// A finished scan.
#[derive(Debug)]
pub struct Hours {
    pub(super) hourly: Hourly,
    pub(super) inventory: Arc<Inventory>,
    counted: Counted,
    /// Interfaces that say they are in a Local Zone, a Wavelength Zone or on an Outpost.
    pub(super) beside_zones: HashSet<u32, RandomState>,
    /// By context of an interface: what the inventory says of it.
    locals: Vec<Local>,
    /// By number of a text: the interface of that id.
    enis: Vec<Option<u32>>,
    /// By number of a text: whether it has the two parts of an availability zone's id.
    zones: Vec<bool>,
    /// By VPC: position of its NAT gateway among the inventory's, if it has one alone.
    pub(super) gateways: HashMap<Arc<str>, Option<usize>, RandomState>,
    /// What a report must state.
    pub facts: Facts,
}

/// An interface, once for all its sums.
#[derive(Debug, Clone, Copy)]
struct Local {
    eni: Option<u32>,
    /// Number of its VPC's id, recorded or of the inventory, or [`NONE`].
    vpc: u32,
}

/// What a statement reads of that which is costly to find, or that tells sums apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reads {
    /// What a row has to do with NAT.
    nat: bool,
    /// Address and name of the interface's own end.
    own_ends: bool,
    /// Protocol or port.
    services: bool,
    /// Instants or lines.
    records: bool,
    /// The hour, or what is kept by hour.
    hours: bool,
}

impl Reads {
    fn of(columns: &[usize]) -> Reads {
        let any = |is_it: fn(&str) -> bool| columns.iter().filter_map(|at| COLUMNS.get(*at)).any(|(name, ..)| is_it(name));
        Reads {
            // The class stands in the sum's way; what follows from it does not.
            nat: any(|name| (name.starts_with("nat_") && name != "nat_class") || name == "inspected"),
            own_ends: any(|name| matches!(name, "local_addr" | "interface_name") || name.starts_with("remote_")),
            services: any(|name| matches!(name, "protocol" | "service_port")),
            records: any(|name| matches!(name, "start_time" | "end_time" | "first_line" | "last_line")),
            hours: any(|name| matches!(name, "hour" | "tags" | "peer_tags")),
        }
    }

    /// The key of all sums that a statement cannot tell from this one, but for what [`Moment`] says, if it reads nothing else. Who
    /// stands at the other end's address may hang on when a sum begins: where that matters, sums stay as they are.
    fn coarser(self, key: &Key) -> Option<Key> {
        if self.nat || self.records || key.peer_addr.is_some() {
            return None;
        }
        let service = self.services.then_some((key.protocol, key.service_port));
        let (protocol, service_port) = service.unwrap_or_default();
        let hour = if self.hours { key.hour } else { 0 };
        Some(Key { hour, local_addr: key.local_addr.filter(|_| self.own_ends), protocol, service_port, ..*key })
    }
}

/// What a row says of a sum's hour where it does not name it: sums of two hours of which it says the same make one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Moment {
    counts: bool,
    is_peer_logged: bool,
    /// Stretches of time in which the inventory's answers are the same: that of the hour, and that in which the sum begins.
    epochs: [u32; 2],
}

/// What was looked up for rows of a partition.
#[derive(Default)]
struct Lookups {
    conversations: Conversations,
    /// Pods by context of the interface, address, and stretch of time in which the inventory's answers are the same.
    pods: HashMap<(u32, IpAddr, u32), Option<Arc<str>>, RandomState>,
}

/// By (interface, hour): the flow logs that count.
type Counted = HashMap<(u32, UnixSeconds), Vec<u32>, RandomState>;

/// Bytes that were set aside although the flow logs that count say nothing of that time.
fn in_doubt_bytes(hour: UnixSeconds, of_hour: &[Wrote], chosen: &[u32]) -> u64 {
    let counts = |wrote: &&Wrote| chosen.contains(&wrote.flow_log);
    let is_covered = |from: UnixSeconds| {
        of_hour.iter().filter(counts).any(|Wrote { covered, .. }| {
            covered.start_min.is_none_or(|start| start < from + STRETCH) && covered.end_max.is_none_or(|end| end > from)
        })
    };
    let aside = of_hour.iter().filter(|wrote| !counts(wrote)).flat_map(|wrote| wrote.stretches.iter().zip(0..));
    aside.filter(|(_, at)| !is_covered(hour + at * STRETCH)).fold(0, |sum, (bytes, _)| sum.saturating_add(*bytes))
}

impl Hours {
    /// Finishes a scan. Up to `sums_max` sums are kept in memory.
    ///
    /// # Errors
    /// If spilled sums cannot be written.
    pub fn new(mut hourly: Hourly, inventory: Arc<Inventory>, sums_max: usize) -> Result<Hours> {
        let merge = |held: &mut Sums, part: Sums| {
            held.merge(&part);
        };
        // A sum without the other end's address tells nothing of others, nor of NAT.
        hourly.sums.settle(sums_max, merge, |key| key.peer_addr.is_some())?;
        let of = |wrote: &Vec<Wrote>| match wrote.as_slice() {
            [only] => vec![only.flow_log],
            several => counted(several.iter().map(|wrote| (wrote.flow_log, wrote.covered)).collect(), &hourly.flow_logs),
        };
        let counted: Counted = hourly.coverage.iter().map(|(key, flow_logs)| (*key, of(flow_logs))).collect();
        let mut facts = Facts { logged_hours: hourly.coverage.len() as u64, ..Facts::default() };
        for (key, of_hour) in &hourly.coverage {
            facts.skipdata_hours += u64::from(of_hour.iter().any(|wrote| wrote.covered.skipdata > 0));
            let chosen = counted.get(key).map_or(&[][..], Vec::as_slice);
            for wrote in of_hour.iter().filter(|wrote| !chosen.contains(&wrote.flow_log)) {
                facts.duplicate_records += wrote.covered.ok;
                facts.duplicate_bytes = facts.duplicate_bytes.saturating_add(wrote.covered.bytes);
                facts.duplicate_flow_logs.insert(hourly.flow_logs.get(wrote.flow_log).to_owned());
            }
            facts.in_doubt_bytes = facts.in_doubt_bytes.saturating_add(in_doubt_bytes(key.1, of_hour, chosen));
        }
        (facts.undirected_records, facts.undirected_bytes) = hourly.undirected;
        facts.unattributed_records = hourly.unattributed;
        let interfaces: BTreeSet<u32> = hourly.coverage.keys().map(|(interface, _)| *interface).collect();
        facts.interfaces = interfaces.len() as u64;
        facts.strangers = interfaces.iter().filter(|name| inventory.eni_index(hourly.parties.names.get(**name)).is_none()).count() as u64;
        let mut gateways: HashMap<Arc<str>, Option<usize>, RandomState> = HashMap::default();
        for (at, held) in inventory.nat_gateways().iter().enumerate() {
            let Some(vpc) = &held.item.vpc_id else { continue };
            let is_same = |known: usize| inventory.nat_gateways().get(known).is_some_and(|known| known.item.id == held.item.id);
            let entry = gateways.entry(Arc::clone(vpc)).or_insert(Some(at));
            *entry = entry.filter(|known| is_same(*known));
        }
        let parties = &mut hourly.parties;
        let mut locals = Vec::with_capacity(parties.locals.count());
        for context in 0..parties.locals.count() as u32 {
            let [interface, _, _, vpc, ..] = parties.locals.get(context);
            let eni = Some(interface)
                .filter(|interface| *interface != NONE)
                .and_then(|interface| inventory.eni_index(parties.names.get(interface)));
            let held = eni.and_then(|eni| inventory.enis().get(eni as usize)).and_then(|eni| eni.vpc_id.as_deref());
            let vpc = if vpc == NONE { held.map_or(NONE, |vpc| parties.names.intern(vpc)) } else { vpc };
            locals.push(Local { eni, vpc });
        }
        let holders = hourly.own.values().flatten();
        let beside_zones = holders.filter(|own| parties.locals.get(own.local)[6] != NONE).map(|own| own.interface).collect();
        let enis = parties.names.iter().map(|name| inventory.eni_index(name)).collect();
        let zones = parties.names.iter().map(|name| name.split('-').count() == 2).collect();
        Ok(Hours { hourly, inventory, counted, beside_zones, locals, enis, zones, gateways, facts })
    }

    /// Hands on the rows of a partition, in no order, until `take` wants no more; of [`COLUMNS`], those that are wanted, by their
    /// places. Rows that its filters leave out need not be among them. Where it folds, rows alike in those columns are one.
    ///
    /// # Errors
    /// If spilled sums cannot be read back.
    pub fn batches(&self, partition: usize, asked: Asked<'_>, inputs: &[Input], take: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let mut lookups = Lookups::default();
        let Asked { columns, folded, narrowed } = asked;
        let reads = Reads::of(columns);
        if reads.nat {
            self.hourly.sums.each(partition, |key, sums| {
                if self.may_tell_of_others(key) {
                    lookups.conversations.take(&self.seen(key, sums));
                }
                key.peer_addr.is_some()
            })?;
        }
        let start = || if folded { Rows::folding(&COLUMNS, columns.to_vec()) } else { Rows::of(&COLUMNS, columns.to_vec()) };
        let (mut rows, mut goes_on) = (start(), Ok(true));
        let mut push = |key: &Key, sums: &Sums| {
            if !matches!(goes_on, Ok(true)) {
                return false;
            }
            self.row(&self.seen(key, sums), (reads, inputs), &mut lookups, &mut rows);
            if rows.count() >= BATCH_ROWS {
                goes_on = std::mem::replace(&mut rows, start()).finish().map(&mut *take);
            }
            matches!(goes_on, Ok(true))
        };
        // To make a row costs more than to add up sums of which rows alike would be made.
        let mut alike: HashMap<(Key, Moment), (UnixSeconds, Sums), RandomState> = HashMap::default();
        self.hourly.sums.each(partition, |key, sums| {
            if key.peer_addr.is_none() && narrowed.needs_address() {
                return false;
            }
            let [class, ..] = self.hourly.parties.ways.get(key.way);
            if !narrowed.may_keep(key, self.name(class)) {
                return true;
            }
            match reads.coarser(key).filter(|_| folded) {
                Some(coarser) => {
                    let (_, alike) = alike.entry((coarser, self.moment(key, sums))).or_insert((key.hour, Sums::default()));
                    alike.merge(sums);
                    true
                }
                None => push(key, sums),
            }
        })?;
        alike.iter().all(|((key, _), (hour, sums))| push(&Key { hour: *hour, ..*key }, sums));
        if goes_on? { rows.finish().map(take).map(drop) } else { Ok(()) }
    }

    fn moment(&self, key: &Key, sums: &Sums) -> Moment {
        let [interface, ..] = self.hourly.parties.locals.get(key.local);
        let [peer, ..] = self.hourly.parties.peers.get(key.peer);
        let epochs = [key.hour, sums.start_min().unwrap_or(key.hour)].map(|at| self.inventory.epoch(at));
        Moment { counts: self.counts(interface, key), is_peer_logged: peer != NONE && self.hourly.is_logged(peer, key.hour), epochs }
    }

    /// Whether the flow log of a sum counts for the interface in its hour.
    fn counts(&self, interface: u32, key: &Key) -> bool {
        interface == NONE || self.counted.get(&(interface, key.hour)).is_some_and(|flow_logs| flow_logs.contains(&key.flow_log))
    }

    /// Whether a sum can be what [`Conversations`] look for.
    fn may_tell_of_others(&self, key: &Key) -> bool {
        let may_be_outward = || key.path.is_none_or(|path| path == 1) && key.peer_addr.is_some_and(|peer| !is_private(peer));
        let is_firewall = || self.local(key).1.is_some_and(|eni| eni.kind == InterfaceKind::FirewallEndpoint);
        key.status == Status::Ok
            && match key.direction {
                Direction::Egress => may_be_outward(),
                Direction::Ingress => is_firewall(),
                Direction::Unknown => false,
            }
    }

    /// The interface of a sum: number of its VPC's id, and itself.
    fn local(&self, key: &Key) -> (u32, Option<&Eni>) {
        let local = self.locals.get(key.local as usize);
        (local.map_or(NONE, |local| local.vpc), local.and_then(|local| self.inventory.enis().get(local.eni? as usize)))
    }

    pub(super) fn name(&self, number: u32) -> Option<&str> {
        (number != NONE).then(|| self.hourly.parties.names.get(number))
    }

    /// The AZ id, unless the end is in a Local Zone, a Wavelength Zone or on an Outpost, which have prices of their own. AZ ids have two
    /// parts (`use1-az4`), those of other zones more (`use1-bos1-az1`): EC2 user guide, "Local Zones".
    pub(super) fn zone(&self, az: u32, sublocation: u32) -> Option<&str> {
        self.name(az).filter(|_| sublocation == NONE && self.zones.get(az as usize) == Some(&true))
    }

    /// The interface of an id, by the id's number.
    pub(super) fn eni(&self, interface: u32) -> Option<&Eni> {
        self.inventory.enis().get((*self.enis.get(interface as usize)?)? as usize)
    }

    fn cluster(&self, eni: Option<&Eni>) -> Option<&Cluster> {
        self.inventory.clusters().get(eni?.cluster? as usize)
    }

    /// The pod behind the interface's own end.
    fn pod(&self, eni: &Eni, vpc: Option<&str>, key: &Key, sums: &Sums) -> Option<Arc<str>> {
        let found = self.inventory.peer(self.inventory.eni_index(&eni.id), vpc, key.local_addr?, sums.start_min().unwrap_or(key.hour));
        found.name.filter(|name| name.starts_with("pod/")).map(Arc::from)
    }

    /// The tags that an interface's records carry, by key; of several values of a key within the hour, the last by text.
    fn tags(&self, interface: u32, hour: UnixSeconds) -> Option<String> {
        let name = |number| self.hourly.parties.names.get(number);
        let by_key: BTreeMap<&str, &str> = {
            let mut tags: Vec<(&str, &str)> = self.hourly.tags.get(&(interface, hour))?.iter().map(|(k, v)| (name(*k), name(*v))).collect();
            tags.sort_unstable();
            tags.into_iter().collect()
        };
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        // Values stand percent-encoded in the records, by rules that AWS does not state.
        let value = |raw: &str| encoded(&percent_decode_str(raw).decode_utf8_lossy());
        Some(by_key.into_iter().map(|(key, raw)| format!("{}={}", encoded(key), value(raw))).collect::<Vec<_>>().join("&"))
    }

    /// `unknown` is what AWS writes for some interfaces that services made.
    pub(super) fn account<'a>(&'a self, recorded: u32, eni: Option<&'a Eni>) -> Option<&'a str> {
        let recorded = self.name(recorded).filter(|account| *account != "unknown");
        recorded.or_else(|| eni.and_then(|eni| eni.account_id.as_deref()))
    }

    fn seen<'a>(&'a self, key: &'a Key, sums: &'a Sums) -> Seen<'a> {
        let [interface, _, _, _, subnet, ..] = self.hourly.parties.locals.get(key.local);
        let (own_vpc, eni) = self.local(key);
        let vpc_id = self.name(own_vpc);
        let peer = if key.status == Status::Ok { self.peer(key, sums, own_vpc) } else { Peer::NOBODY };
        let [class, _, _, _, hop_type] = self.hourly.parties.ways.get(key.way);
        let counts = self.counts(interface, key);
        let subnet = self.name(subnet).or_else(|| eni.and_then(|eni| eni.subnet_id.as_deref()));
        let (class, hop_type, inventory) = (self.name(class), self.name(hop_type), &*self.inventory);
        Seen { inventory, key, sums, interface, eni, vpc_id, subnet, peer, class, hop_type, counts }
    }

    fn row(&self, seen: &Seen<'_>, (reads, inputs): (Reads, &[Input]), lookups: &mut Lookups, rows: &mut Rows) {
        let Seen { key, sums, eni, vpc_id, peer, .. } = seen;
        let (key, sums, eni, vpc_id) = (*key, *sums, *eni, *vpc_id);
        let [interface, account, region, _, subnet, az, sublocation] = self.hourly.parties.locals.get(key.local);
        let peer_eni = self.eni(peer.interface);
        let nat = if reads.nat { self.nat(seen, &lookups.conversations) } else { Nat::default() };
        let cluster = self.cluster(eni);
        let [nat_class, local_service, hop, _, hop_type] = self.hourly.parties.ways.get(key.way);
        let hop_eni = self.eni(hop);
        let of_key = self.hourly.scopes.get(&key.flow_log);
        let flow_log = Some(self.hourly.flow_logs.get(key.flow_log)).filter(|id| !id.is_empty());
        let remote = key.local_addr.filter(|_| matches!(seen.class, Some("A" | "D")));
        let range_region = |address: Option<IpAddr>| self.inventory.aws_range(address?).map(|range| &*range.region);
        let line = |place: Place| {
            let (object, line) = place.line();
            inputs.get(object as usize).map(|input| format!("{}:{line}", input.object.uri))
        };
        let direction = match key.direction {
            Direction::Ingress => Some("ingress"),
            Direction::Egress => Some("egress"),
            Direction::Unknown => None,
        };
        let has_pods = |eni: &&Eni| matches!(eni.kind, InterfaceKind::EksNode | InterfaceKind::EksPod);
        let pod = eni.filter(|eni| reads.own_ends && has_pods(eni)).zip(key.local_addr).and_then(|(eni, address)| {
            let asked = (key.local, address, self.inventory.epoch(sums.start_min().unwrap_or(key.hour)));
            lookups.pods.entry(asked).or_insert_with(|| self.pod(eni, vpc_id, key, sums)).clone()
        });
        let is_traffic = key.status == Status::Ok;
        #[rustfmt::skip]
        rows.push(&[
            Value::Time(Some(key.hour)),
            Value::Text(flow_log),
            Value::Bool(seen.counts),
            Value::Text(self.account(account, eni).or_else(|| of_key.and_then(|(account, _)| account.as_deref()))),
            Value::Text(self.name(region).or_else(|| eni.and_then(|eni| eni.region.as_deref())).or_else(|| of_key.and_then(|(_, region)| region.as_deref()))),
            Value::Text(vpc_id),
            Value::Text(self.name(subnet).or_else(|| eni.and_then(|eni| eni.subnet_id.as_deref()))),
            Value::Text(self.name(interface)),
            Value::Text(eni.map(|eni| eni.kind.as_str())),
            Value::Text(pod.as_deref().or_else(|| eni.and_then(|eni| self.inventory.eni_name(eni)))),
            Value::Text(eni.and_then(|eni| eni.resource.as_deref())),
            Value::Text(cluster.map(|cluster| &*cluster.name)),
            Value::Text(cluster.map(|cluster| &*cluster.arn)),
            Value::Text(self.zone(az, sublocation)),
            Value::Made(&|| self.tags(interface, key.hour)),
            Value::Text(direction),
            Value::Address(key.local_addr),
            Value::Address(key.peer_addr),
            Value::Text(key.peer_addr.map(scope)),
            Value::Found(&|| range_region(key.peer_addr)),
            Value::Int32(key.protocol.map(i32::from)),
            Value::Int32(key.service_port.map(i32::from)),
            Value::Text(is_traffic.then_some(if key.rejected { "REJECT" } else { "ACCEPT" })),
            Value::Text(Some(match key.status { Status::Ok => "OK", Status::NoData => "NODATA", Status::SkipData => "SKIPDATA" })),
            Value::Int32(key.path.map(i32::from)),
            Value::Text(self.name(nat_class)),
            Value::Text(self.name(local_service)),
            Value::Address(remote),
            Value::Text(remote.map(scope)),
            Value::Found(&|| range_region(remote)),
            Value::Text(nat.role),
            Value::Text(nat.gateway),
            Value::Text(nat.interface),
            Value::Text(nat.vpc),
            Value::Text(nat.subnet),
            Value::Text(nat.az),
            Value::Text(nat.availability),
            Value::Bool(nat.inspected),
            Value::Text(self.name(hop)),
            Value::Text(self.name(hop_type)),
            Value::Text(hop_eni.and_then(|eni| eni.resource.as_deref())),
            Value::Text(peer.account),
            Value::Text(peer.region),
            Value::Text(peer.vpc),
            Value::Text(peer.subnet),
            Value::Text(peer.az),
            Value::Text(peer.eni),
            Value::Text(peer.kind),
            Value::Text(peer.name),
            Value::Text(peer_eni.and_then(|eni| eni.resource.as_deref())),
            Value::Text(self.cluster(peer_eni).map(|cluster| &*cluster.name)),
            Value::Made(&|| self.tags(peer.interface, key.hour)),
            Value::Text(peer.link),
            Value::Text(peer.service),
            Value::Text(peer.basis),
            Value::Bool(peer.logged),
            Value::Count(sums.records),
            Value::Count(sums.packets),
            Value::Count(sums.bytes),
            Value::Time(sums.start_min()),
            Value::Time(sums.end_max()),
            Value::Made(&|| line(sums.first)),
            Value::Made(&|| line(sums.last)),
        ]);
    }
}

/// What an address is by itself: link-local is IPv4's 169.254.0.0/16 (RFC 3927), where instances reach services of their host.
fn scope(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => "link-local",
        _ if is_private(address) => "private",
        _ => "public",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::collect::Covered;

    #[test]
    fn in_doubt_is_what_lies_outside_of_all_that_counts() {
        let wrote = |flow_log, from, to, stretches| {
            let covered = Covered { start_min: from, end_max: to, ..Covered::default() };
            Wrote { flow_log, covered, stretches }
        };
        let aside = wrote(9, Some(0), Some(3_600), [1, 2, 4, 8, 16, 32]);
        let check = |counts: &[(Option<i64>, Option<i64>)], want: u64| {
            let mut of_hour = vec![aside];
            of_hour.extend(counts.iter().zip(0..).map(|((from, to), id)| wrote(id, *from, *to, [64; 6])));
            let chosen: Vec<u32> = (0..counts.len() as u32).collect();
            assert_eq!(in_doubt_bytes(0, &of_hour, &chosen), want, "{counts:?}");
        };
        check(&[(Some(0), Some(3_600))], 0);
        check(&[(Some(600), Some(1_800))], 1 + 8 + 16 + 32);
        check(&[(Some(599), Some(1_801))], 16 + 32);
        check(&[(Some(600), Some(1_200)), (Some(3_000), Some(3_601))], 1 + 4 + 8 + 16);
        check(&[(None, None)], 0);
        check(&[(None, Some(1_200))], 4 + 8 + 16 + 32);
        assert_eq!(in_doubt_bytes(0, &[aside], &[9]), 0);
    }
}
