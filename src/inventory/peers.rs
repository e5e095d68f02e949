//! Who held an address at an instant, as seen from a VPC.
//!
//! Private addresses mean nothing without a VPC. A peer is looked for in the recorder's own VPC, then in peered VPCs, then in
//! VPCs on the same transit gateway, and only then in the one VPC that holds the address at all. Several holders are
//! never guessed between. All look-ups are by hash; none walks the inventory.

use crate::inventory::Inventory;
use crate::inventory::kinds::InterfaceKind;
use crate::inventory::model::{Eni, Held, KubeFact, Subnet};
use crate::inventory::ranges::ByNet;
use crate::inventory::tags::Tags;
use crate::inventory::timeline::Claim;
use crate::time::UnixSeconds;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// How a peer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// In the recorder's own VPC.
    OwnVpc,
    /// In a peered VPC.
    Peered,
    /// In a VPC on the same transit gateway.
    TransitGateway,
    /// In the only VPC of the inventory that holds the address.
    Unique,
    /// Only the subnet or VPC is known, by its range.
    SubnetOnly,
    /// Several VPCs hold it.
    Ambiguous,
    /// Nothing is known.
    None,
}

impl Basis {
    /// Returns the name used in columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnVpc => "own-vpc",
            Self::Peered => "peered",
            Self::TransitGateway => "transit-gateway",
            Self::Unique => "unique",
            Self::SubnetOnly => "subnet",
            Self::Ambiguous => "ambiguous",
            Self::None => "none",
        }
    }
}

/// The other end of a record.
#[derive(Debug, Clone)]
pub struct Peer<'a> {
    /// Its interface.
    pub eni: Option<&'a Eni>,
    /// Kind of the interface; `eks-pod` for a pod's address on a node.
    pub kind: Option<&'static str>,
    /// Pod, resource, cluster or instance.
    pub name: Option<Cow<'a, str>>,
    /// AZ id, from the interface or the subnet.
    pub az_id: Option<&'a str>,
    /// VPC.
    pub vpc_id: Option<&'a str>,
    /// Subnet.
    pub subnet_id: Option<&'a str>,
    /// How it was found.
    pub basis: Basis,
    /// Whether the holder is carried on from the nearest snapshot.
    pub extrapolated: bool,
    /// Tags of the interface.
    pub tags: Option<&'a Tags>,
    /// Account, of the interface or the subnet.
    pub account_id: Option<&'a str>,
    /// Region, likewise.
    pub region: Option<&'a str>,
}

impl Peer<'_> {
    const UNKNOWN: Peer<'static> = Peer {
        eni: None,
        kind: None,
        name: None,
        az_id: None,
        vpc_id: None,
        subnet_id: None,
        basis: Basis::None,
        extrapolated: false,
        tags: None,
        account_id: None,
        region: None,
    };
}

/// How two VPCs are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VpcLink {
    /// They are one.
    Same,
    /// By a peering.
    Peering,
    /// Both are attached to one transit gateway.
    TransitGateway,
}

impl VpcLink {
    /// Returns the name used in columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same-vpc",
            Self::Peering => "peering",
            Self::TransitGateway => "transit-gateway",
        }
    }
}

/// One period in which an interface held an address or prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Holding {
    vpc: u32,
    eni: u32,
    claim: Claim,
    primary: bool,
}

/// The same as it is kept: most interfaces hold all their addresses for one period, which is kept once.
#[derive(Debug, Clone, Copy)]
struct Kept {
    vpc: u32,
    eni: u32,
    /// Index into [`Book::periods`].
    claim: u32,
    primary: bool,
}

/// The outcome of asking who of several held an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    One { eni: u32, primary: bool, extrapolated: bool },
    Unclear,
}

/// Addresses, prefixes, subnets and VPCs, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Book {
    vpcs: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    addresses: HashMap<IpAddr, SmallVec<[Kept; 1]>>,
    prefixes: ByNet<Kept>,
    /// Periods in which addresses and prefixes were held.
    periods: Vec<Claim>,
    /// Index of a subnet, by its ranges.
    subnets: ByNet<(u32, u32)>,
    vpc_ranges: ByNet<u32>,
    peered: HashMap<u32, Vec<(u32, Claim)>>,
    on_gateway: HashMap<u32, Vec<(u32, Claim)>>,
}

impl Book {
    pub(super) fn vpc(&mut self, id: &Arc<str>) -> u32 {
        let next = self.names.len() as u32;
        let index = *self.vpcs.entry(id.clone()).or_insert(next);
        if index == next {
            self.names.push(id.clone());
        }
        index
    }

    /// Returns the id of a VPC.
    pub(super) fn name(&self, vpc: u32) -> Option<&str> {
        self.names.get(vpc as usize).map(|name| &**name)
    }

    pub(super) fn hold_address(&mut self, vpc: u32, eni: u32, addr: IpAddr, claims: &[Claim], primary: bool) {
        for claim in claims {
            let claim = self.period(claim);
            self.addresses.entry(addr).or_default().push(Kept { vpc, eni, claim, primary });
        }
    }

    pub(super) fn hold_prefix(&mut self, vpc: u32, eni: u32, prefix: ipnet::IpNet, claims: &[Claim]) {
        for claim in claims {
            let claim = self.period(claim);
            self.prefixes.insert(prefix, Kept { vpc, eni, claim, primary: false });
        }
    }

    /// Returns the index of a period. Those of one interface come one after another, so only the last few can be the same.
    fn period(&mut self, claim: &Claim) -> u32 {
        /// An address that came and went has several, and the next one may have the same.
        const LOOKED_AT: usize = 8;
        let since = self.periods.len().saturating_sub(LOOKED_AT);
        let known = self.periods.iter().skip(since).position(|known| known == claim).map(|at| since + at);
        let at = known.unwrap_or(self.periods.len());
        if known.is_none() {
            self.periods.push(*claim);
        }
        at as u32
    }

    pub(super) fn add_subnet(&mut self, index: u32, subnet: &Subnet) {
        let vpc = self.vpc(&subnet.vpc_id);
        subnet.cidrs.iter().for_each(|cidr| self.subnets.insert(*cidr, (vpc, index)));
    }

    pub(super) fn add_vpc_range(&mut self, id: &Arc<str>, cidr: ipnet::IpNet) {
        let vpc = self.vpc(id);
        self.vpc_ranges.insert(cidr, vpc);
    }

    pub(super) fn connect(&mut self, a: &Arc<str>, b: &Arc<str>, claim: Claim, by_gateway: bool) {
        let (a, b) = (self.vpc(a), self.vpc(b));
        let links = if by_gateway { &mut self.on_gateway } else { &mut self.peered };
        links.entry(a).or_default().push((b, claim));
        links.entry(b).or_default().push((a, claim));
    }

    /// Returns every claim on a link between VPCs, in no order.
    fn links(&self) -> impl Iterator<Item = &Claim> {
        self.peered.values().chain(self.on_gateway.values()).flatten().map(|(_, claim)| claim)
    }

    fn holdings(&self, addr: IpAddr) -> impl Iterator<Item = Holding> {
        let prefixes = self.prefixes.containing(addr).flat_map(|(_, kept)| kept);
        let kept = self.addresses.get(&addr).into_iter().flatten().chain(prefixes);
        kept.filter_map(|kept| {
            let claim = *self.periods.get(kept.claim as usize)?;
            Some(Holding { vpc: kept.vpc, eni: kept.eni, claim, primary: kept.primary })
        })
    }

    /// Returns who of the VPC held the address at `t`.
    fn holder(&self, vpc: u32, addr: IpAddr, t: UnixSeconds) -> Holder {
        let here = || self.holdings(addr).filter(|holding| holding.vpc == vpc && holding.claim.contains(t));
        let seen = one(here().filter(|h| h.claim.dated && !h.claim.is_extrapolated_at(t)), false);
        if seen != Holder::Nobody {
            return seen;
        }
        let carried = one(here().filter(|h| h.claim.dated), true);
        match carried {
            Holder::Nobody => one(here(), false),
            Holder::Unclear => nearest(here().filter(|h| h.claim.dated), t),
            Holder::One { .. } => carried,
        }
    }

    /// Returns the subnet of the VPC that the address lies in, of several the one that existed at `t`.
    fn subnet(&self, vpc: u32, addr: IpAddr, t: UnixSeconds, subnets: &[Held<Subnet>]) -> Option<u32> {
        let inside = self.subnets.containing(addr).flat_map(|(_, found)| found).filter(|(of, _)| *of == vpc);
        let valid = |index: u32| subnets.get(index as usize).is_some_and(|subnet| subnet.claim.contains(t));
        inside.map(|(_, index)| *index).min_by_key(|index| !valid(*index))
    }

    fn covers(&self, vpc: u32, addr: IpAddr) -> bool {
        self.subnets.containing(addr).flat_map(|(_, found)| found).any(|(of, _)| *of == vpc)
            || self.vpc_ranges.containing(addr).flat_map(|(_, found)| found).any(|of| *of == vpc)
    }

    /// Returns whether any VPC of the inventory has a range around the address.
    pub(super) fn is_in_a_vpc(&self, addr: IpAddr) -> bool {
        self.subnets.containing(addr).next().is_some() || self.vpc_ranges.containing(addr).next().is_some()
    }
}

/// The instants at which what a claim says may change.
fn turns(claim: &Claim) -> [UnixSeconds; 4] {
    [claim.valid.from, claim.valid.to, claim.seen.from, claim.seen.to]
}

/// Returns the holder that all agree on.
fn one(mut holdings: impl Iterator<Item = Holding>, extrapolated: bool) -> Holder {
    let Some(first) = holdings.next() else { return Holder::Nobody };
    let mut primary = first.primary;
    for holding in holdings {
        if holding.eni != first.eni {
            return Holder::Unclear;
        }
        primary |= holding.primary;
    }
    Holder::One { eni: first.eni, primary, extrapolated }
}

/// Returns the holder of the nearest snapshot, unless `t` lies between snapshots that disagree.
fn nearest(holdings: impl Iterator<Item = Holding>, t: UnixSeconds) -> Holder {
    let holdings: Vec<Holding> = holdings.collect();
    let before = holdings.iter().all(|h| t < h.claim.seen.from);
    let after = holdings.iter().all(|h| t >= h.claim.seen.to);
    let distance = |h: &Holding| if before { h.claim.seen.from.saturating_sub(t) } else { t.saturating_sub(h.claim.seen.to) };
    if !before && !after {
        return Holder::Unclear;
    }
    let Some(least) = holdings.iter().map(distance).min() else { return Holder::Nobody };
    one(holdings.into_iter().filter(|h| distance(h) == least), true)
}

impl Inventory {
    /// Returns who held `addr` at `t`, as seen from the recorder's VPC.
    ///
    /// The recorder is an interface of the inventory, or only the VPC that its record names.
    pub fn peer(&self, recorder: Option<u32>, recorder_vpc: Option<&str>, addr: IpAddr, t: UnixSeconds) -> Peer<'_> {
        let recorder = recorder.and_then(|index| self.enis.get(index as usize));
        let own = recorder.and_then(|eni| eni.vpc_id.as_deref()).or(recorder_vpc).and_then(|vpc| self.book.vpcs.get(vpc)).copied();
        if let Some(own) = own {
            if let Some(peer) = self.peer_among(&[own], Basis::OwnVpc, addr, t) {
                return peer;
            }
            for (links, basis) in [(&self.book.peered, Basis::Peered), (&self.book.on_gateway, Basis::TransitGateway)] {
                let linked = links.get(&own).into_iter().flatten().filter(|(_, claim)| claim.contains(t));
                let mut vpcs: Vec<u32> = linked.map(|(vpc, _)| *vpc).filter(|vpc| *vpc != own).collect();
                vpcs.sort_unstable();
                vpcs.dedup();
                if let Some(peer) = self.peer_among(&vpcs, basis, addr, t) {
                    return peer;
                }
            }
        }
        let mut holding: Vec<u32> = self.book.holdings(addr).filter(|h| h.claim.contains(t)).map(|h| h.vpc).collect();
        holding.sort_unstable();
        holding.dedup();
        if let Some(peer) = self.peer_among(&holding, Basis::Unique, addr, t) {
            return peer;
        }
        let mut around: Vec<u32> = self.book.subnets.containing(addr).flat_map(|(_, found)| found).map(|(vpc, _)| *vpc).collect();
        around.sort_unstable();
        around.dedup();
        self.peer_among(&around, Basis::Unique, addr, t).unwrap_or(Peer::UNKNOWN)
    }

    /// Returns the number of the stretch of time that `t` lies in: at all instants of one, [`Inventory::peer`] and
    /// [`Inventory::vpc_link`] give the same answers.
    pub fn epoch(&self, t: UnixSeconds) -> u32 {
        self.stretch(t).0
    }

    /// Returns the number of that stretch, and from when to when it lasts.
    pub fn stretch(&self, t: UnixSeconds) -> (u32, Range<UnixSeconds>) {
        let next = self.turns.partition_point(|turn| *turn <= t);
        let from = next.checked_sub(1).and_then(|last| self.turns.get(last)).copied().unwrap_or(UnixSeconds::MIN);
        (next as u32, from..self.turns.get(next).copied().unwrap_or(UnixSeconds::MAX))
    }

    /// Finds the instants between such stretches, once all claims are known. What is nearest to an instant outside of all claims
    /// does not change before the next of their ends.
    pub(super) fn find_turns(&mut self) {
        let claims = self.book.periods.iter().chain(self.book.links()).chain(self.subnets.iter().map(|held| &held.claim));
        let mut turns: Vec<UnixSeconds> = claims.chain(self.kube.iter().map(|held| &held.claim)).flat_map(turns).collect();
        turns.sort_unstable();
        turns.dedup();
        self.turns = turns;
    }

    /// Returns whether the same interface held `addr` under the same name, as seen from a recorder, throughout a period, which is half-open.
    pub fn is_steady(&self, recorder: Option<u32>, recorder_vpc: Option<&str>, addr: IpAddr, period: Range<UnixSeconds>) -> bool {
        let holder = |t| {
            let peer = self.peer(recorder, recorder_vpc, addr, t);
            (peer.eni.map(|eni| &eni.id), peer.name)
        };
        let first = holder(period.start);
        let pods = self.pods.get(&addr).into_iter().flatten().filter_map(|index| self.kube.get(*index as usize)).map(|held| held.claim);
        let claims = self.book.holdings(addr).map(|holding| holding.claim).chain(self.book.links().copied()).chain(pods);
        claims.flat_map(|claim| turns(&claim)).filter(|turn| period.contains(turn)).all(|turn| holder(turn) == first)
    }

    /// Returns how two VPCs were joined at `t`; a peering goes before a transit gateway, as its routes are more specific by rule.
    pub fn vpc_link(&self, own: &str, other: &str, t: UnixSeconds) -> Option<VpcLink> {
        if own == other {
            return Some(VpcLink::Same);
        }
        let (own, other) = (self.book.vpcs.get(own)?, self.book.vpcs.get(other)?);
        let joins = |links: &HashMap<u32, Vec<(u32, Claim)>>| {
            links.get(own).into_iter().flatten().any(|(vpc, claim)| vpc == other && claim.contains(t))
        };
        match (joins(&self.book.peered), joins(&self.book.on_gateway)) {
            (true, _) => Some(VpcLink::Peering),
            (_, true) => Some(VpcLink::TransitGateway),
            _ => None,
        }
    }

    /// Looks in VPCs of equal standing: one holder is the peer, one range around it its subnet, more are ambiguous.
    fn peer_among(&self, vpcs: &[u32], basis: Basis, addr: IpAddr, t: UnixSeconds) -> Option<Peer<'_>> {
        let mut found = None;
        let mut holders = 0;
        for vpc in vpcs {
            if let Holder::One { eni, primary, extrapolated } = self.book.holder(*vpc, addr, t) {
                holders += 1;
                found = Some((eni, primary, extrapolated));
            }
        }
        match (found, holders) {
            (Some((eni, primary, extrapolated)), 1) => return self.held_by(eni, primary, extrapolated, basis, addr, t),
            (Some(_), _) => return Some(Peer { basis: Basis::Ambiguous, ..Peer::UNKNOWN }),
            (None, _) => {}
        }
        let mut covering = vpcs.iter().copied().filter(|vpc| self.book.covers(*vpc, addr));
        let vpc = covering.next()?;
        if covering.next().is_some() {
            return Some(Peer { basis: Basis::Ambiguous, ..Peer::UNKNOWN });
        }
        Some(self.in_subnet(vpc, addr, t))
    }

    fn in_subnet(&self, vpc: u32, addr: IpAddr, t: UnixSeconds) -> Peer<'_> {
        let subnet = self.book.subnet(vpc, addr, t, &self.subnets).and_then(|index| self.subnets.get(index as usize));
        let vpc_id = self.book.name(vpc);
        let pod = vpc_id.and_then(|vpc| self.pod_at(vpc, addr, t));
        Peer {
            kind: pod.as_ref().map(|_| InterfaceKind::EksPod.as_str()),
            name: pod.map(Cow::Owned),
            az_id: subnet.and_then(|subnet| subnet.item.az_id.as_deref()),
            vpc_id,
            subnet_id: subnet.map(|subnet| &*subnet.item.id),
            account_id: subnet.and_then(|subnet| subnet.account_id.as_deref()),
            region: subnet.and_then(|subnet| subnet.region.as_deref()),
            basis: Basis::SubnetOnly,
            ..Peer::UNKNOWN
        }
    }

    fn held_by(&self, eni: u32, primary: bool, extrapolated: bool, basis: Basis, addr: IpAddr, t: UnixSeconds) -> Option<Peer<'_>> {
        let eni = self.enis.get(eni as usize)?;
        let is_pod = eni.kind == InterfaceKind::EksPod || (eni.kind == InterfaceKind::EksNode && !primary);
        let kind = if is_pod { InterfaceKind::EksPod } else { eni.kind };
        let pod = if is_pod { eni.vpc_id.as_deref().and_then(|vpc| self.pod_at(vpc, addr, t)) } else { None };
        Some(Peer {
            eni: Some(eni),
            kind: Some(kind.as_str()),
            name: pod.map(Cow::Owned).or_else(|| self.eni_name(eni).map(Cow::Borrowed)),
            az_id: eni.az_id.as_deref(),
            vpc_id: eni.vpc_id.as_deref(),
            subnet_id: eni.subnet_id.as_deref(),
            basis,
            extrapolated,
            tags: Some(&eni.tags),
            account_id: eni.account_id.as_deref(),
            region: eni.region.as_deref(),
        })
    }

    /// Returns what an interface is called: its resource, its cluster's control plane, its node or instance, its `Name`.
    pub fn eni_name<'a>(&'a self, eni: &'a Eni) -> Option<&'a str> {
        let cluster =
            eni.cluster.filter(|_| eni.kind == InterfaceKind::EksControlPlane).and_then(|index| self.clusters.get(index as usize));
        let of_cluster = cluster.map(|cluster| &*cluster.name);
        of_cluster.or(eni.resource.as_deref()).or_else(|| eni.name_tag()).or(eni.instance_id.as_deref())
    }

    /// Returns `pod/NAMESPACE/NAME` of the pod that had the address in the VPC.
    fn pod_at(&self, vpc: &str, addr: IpAddr, t: UnixSeconds) -> Option<String> {
        let facts = self.pods.get(&addr)?.iter().filter_map(|index| self.kube.get(*index as usize));
        let here = |held: &&crate::inventory::model::KubeHeld| {
            held.claim.contains(t) && self.clusters.get(held.cluster as usize).is_some_and(|cluster| cluster.vpc_id.as_deref() == Some(vpc))
        };
        let held: Vec<_> = facts.filter(here).collect();
        let seen = held.iter().any(|held| !held.claim.is_extrapolated_at(t));
        let mut names = held.iter().filter(|held| !seen || !held.claim.is_extrapolated_at(t)).filter_map(|held| pod_name(&held.fact));
        let first = names.next()?;
        names.all(|name| name == first).then_some(first)
    }
}

/// Returns the pod that a fact names.
pub(super) fn pod_name(fact: &KubeFact) -> Option<String> {
    match fact {
        KubeFact::Pod { namespace, name, .. } => Some(format!("pod/{namespace}/{name}")),
        KubeFact::Endpoint { pod: Some(pod), .. } => Some(format!("pod/{pod}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ValidPeriod;

    fn claim(from: i64, to: i64) -> Claim {
        Claim { valid: ValidPeriod::ALWAYS, seen: ValidPeriod { from, to }, possible: ValidPeriod::ALWAYS, dated: true }
    }

    fn holding(eni: u32, seen: (i64, i64), primary: bool) -> Holding {
        Holding { vpc: 0, eni, claim: claim(seen.0, seen.1), primary }
    }

    #[test]
    fn names() {
        use Basis::*;
        let bases = [OwnVpc, Peered, TransitGateway, Unique, SubnetOnly, Ambiguous, None].map(Basis::as_str);
        assert_eq!(bases, ["own-vpc", "peered", "transit-gateway", "unique", "subnet", "ambiguous", "none"]);
        let links = [VpcLink::Same, VpcLink::Peering, VpcLink::TransitGateway].map(VpcLink::as_str);
        assert_eq!(links, ["same-vpc", "peering", "transit-gateway"]);
    }

    #[test]
    fn a_holder_is_one_that_all_agree_on() {
        let of = |holdings: &[Holding]| one(holdings.iter().copied(), true);
        let (first, again, other) = (holding(3, (0, 10), false), holding(3, (5, 20), true), holding(4, (0, 10), false));
        let found = |primary| Holder::One { eni: 3, primary, extrapolated: true };
        assert_eq!(of(&[]), Holder::Nobody);
        assert_eq!((of(&[first]), of(&[again])), (found(false), found(true)));
        assert_eq!((of(&[first, again]), of(&[again, first]), of(&[first, first])), (found(true), found(true), found(false)));
        assert_eq!((of(&[first, other]), of(&[first, again, other])), (Holder::Unclear, Holder::Unclear));
    }

    #[test]
    fn the_nearest_snapshot_tells_the_holder_outside_of_all_but_not_between() {
        let holdings = [holding(1, (10, 20), true), holding(2, (30, 40), true), holding(1, (12, 15), true)];
        let at = |t: i64| nearest(holdings.iter().copied(), t);
        let found = |eni| Holder::One { eni, primary: true, extrapolated: true };
        assert_eq!(
            [0, 9, 10, 25, 39, 40, 99].map(at),
            [found(1), found(1), Holder::Unclear, Holder::Unclear, Holder::Unclear, found(2), found(2)]
        );
        let same = [holding(1, (10, 20), true), holding(2, (10, 20), true)];
        assert_eq!([5, 20].map(|t| nearest(same.iter().copied(), t)), [Holder::Unclear; 2], "two of one snapshot");
        assert_eq!(nearest([].into_iter(), 5), Holder::Nobody);
    }

    #[test]
    fn ranges_belong_to_their_vpc() {
        let mut book = Book::default();
        let (a, b): (Arc<str>, Arc<str>) = ("vpc-a".into(), "vpc-b".into());
        assert_eq!([&a, &b, &a].map(|vpc| book.vpc(vpc)), [0, 1, 0]);
        assert_eq!([0, 1, 2].map(|vpc| book.name(vpc).map(str::to_owned)), [Some("vpc-a".to_owned()), Some("vpc-b".to_owned()), None]);
        let subnet = |id: &str, vpc: &Arc<str>, cidr: &str, valid: (i64, i64)| Held {
            item: Subnet {
                id: id.into(),
                vpc_id: vpc.clone(),
                cidrs: vec![cidr.parse().unwrap()],
                az_id: None,
                az_name: None,
                tags: Tags::new(),
            },
            account_id: None,
            region: None,
            claim: Claim { valid: ValidPeriod { from: valid.0, to: valid.1 }, ..claim(0, 0) },
        };
        let subnets = [
            subnet("s-b", &b, "10.0.1.0/24", (0, 100)),
            subnet("s-old", &a, "10.0.1.0/24", (0, 10)),
            subnet("s-new", &a, "10.0.1.0/24", (20, 100)),
        ];
        (0..).zip(&subnets).for_each(|(index, subnet)| book.add_subnet(index, &subnet.item));
        book.add_vpc_range(&b, "10.9.0.0/16".parse().unwrap());
        let addr = |text: &str| text.parse::<IpAddr>().unwrap();
        let found = |vpc, t| book.subnet(vpc, addr("10.0.1.7"), t, &subnets);
        assert_eq!((found(0, 5), found(0, 50), found(1, 50), found(2, 50)), (Some(1), Some(2), Some(0), None));
        assert_eq!(book.subnet(0, addr("10.0.2.7"), 50, &subnets), None);
        let covers = |text: &str| [0, 1, 2].map(|vpc| book.covers(vpc, addr(text)));
        assert_eq!((covers("10.0.1.7"), covers("10.9.1.1"), covers("10.8.0.1")), ([true, true, false], [false, true, false], [false; 3]));
        assert_eq!(["10.0.1.7", "10.9.1.1", "10.8.0.1"].map(|text| book.is_in_a_vpc(addr(text))), [true, true, false]);
    }

    #[test]
    fn of_holders_in_one_vpc_the_one_that_was_seen_goes_first() {
        let mut book = Book::default();
        let addr: IpAddr = "10.0.0.1".parse().unwrap();
        let at = |book: &Book, t| book.holder(0, addr, t);
        let undated = Claim { dated: false, ..claim(0, 0) };
        book.hold_address(0, 1, addr, &[undated], false);
        let found = |eni, primary, extrapolated| Holder::One { eni, primary, extrapolated };
        assert_eq!((at(&book, 5), book.holder(1, addr, 5)), (found(1, false, false), Holder::Nobody));
        book.hold_address(0, 2, addr, &[claim(10, 20)], true);
        assert_eq!(
            [5, 10, 19, 20].map(|t| at(&book, t)),
            [found(2, true, true), found(2, true, false), found(2, true, false), found(2, true, true)]
        );
        book.hold_prefix(0, 3, "10.0.0.0/28".parse().unwrap(), &[claim(30, 40)]);
        assert_eq!(
            [5, 15, 25, 35, 45].map(|t| at(&book, t)),
            [found(2, true, true), found(2, true, false), Holder::Unclear, found(3, false, false), found(3, false, true)]
        );
        let gone = Claim { valid: ValidPeriod { from: 0, to: 1 }, ..claim(0, 1) };
        book.hold_address(0, 4, addr, &[gone], true);
        assert_eq!(at(&book, 15), found(2, true, false), "who does not hold it any more does not count");
    }
}
