//! Who the other end of a conversation is, after a scan: the inventory, else what that end wrote of itself, else the next hop.

use super::hourly::{Key, Own, Sums};
use super::hours::Hours;
use super::names::NONE;
use std::net::IpAddr;

/// Who the other end is, after all.
#[derive(Debug)]
pub(super) struct Peer<'a> {
    /// Number of the interface's id, or [`NONE`].
    pub(super) interface: u32,
    pub(super) eni: Option<&'a str>,
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) vpc: Option<&'a str>,
    pub(super) subnet: Option<&'a str>,
    pub(super) az: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) link: Option<&'a str>,
    pub(super) service: Option<&'a str>,
    pub(super) basis: Option<&'static str>,
    pub(super) logged: bool,
}

impl Peer<'_> {
    pub(super) const NOBODY: Peer<'static> = Peer {
        interface: NONE,
        eni: None,
        account: None,
        region: None,
        vpc: None,
        subnet: None,
        az: None,
        kind: None,
        name: None,
        link: None,
        service: None,
        basis: None,
        logged: false,
    };
}

impl Hours {
    /// Interfaces of a VPC, or without a VPC of the only one, that wrote the address as their own while the sums ran.
    fn owners(&self, vpc: u32, is_certain: bool, address: Option<IpAddr>, sums: &Sums) -> Vec<&Own> {
        let all = address.and_then(|address| self.hourly.own.get(&address)).map_or(&[][..], Vec::as_slice);
        let (from, to) = (sums.start_min().unwrap_or(i64::MIN), sums.end_max().unwrap_or(i64::MAX));
        let in_time = |own: &&Own| own.from <= to && own.to >= from;
        let here: Vec<&Own> = all.iter().filter(|own| own.vpc == vpc).filter(in_time).collect();
        if is_certain || !here.is_empty() {
            return here;
        }
        let elsewhere: Vec<&Own> = all.iter().filter(in_time).collect();
        match elsewhere.first() {
            Some(first) if elsewhere.iter().all(|own| own.vpc == first.vpc) => elsewhere,
            _ => Vec::new(),
        }
    }

    pub(super) fn peer(&self, key: &Key, sums: &Sums, own_vpc: u32) -> Peer<'_> {
        let [eni, account, region, vpc, az, kind, name, link, service] = self.hourly.parties.peers.get(key.peer);
        let mut peer = Peer {
            interface: eni,
            eni: self.name(eni),
            account: self.name(account),
            region: self.name(region),
            vpc: self.name(vpc),
            az: self.zone(az, NONE),
            kind: self.name(kind),
            name: self.name(name),
            link: self.name(link),
            service: self.name(service),
            basis: self.zone(az, NONE).map(|_| "inventory"),
            logged: eni != NONE && self.hourly.is_logged(eni, key.hour),
            ..Peer::NOBODY
        };
        let (vpc, is_certain) = if vpc == NONE { (own_vpc, false) } else { (vpc, true) };
        let owners = self.owners(vpc, is_certain, key.peer_addr, sums);
        // An interface that logs in this hour speaks for itself.
        let is_known = peer.logged;
        // Whoever it was has written its own side, so this side must not stand for it.
        peer.logged |= !owners.is_empty();
        if let ([own], None) = (owners.as_slice(), peer.eni) {
            let [interface, account, region, _, _, az, sublocation] = self.hourly.parties.locals.get(own.local);
            let known = self.eni(interface);
            (peer.interface, peer.eni) = (interface, self.name(interface));
            peer.account = peer.account.or(self.account(account, known));
            peer.region = peer.region.or(self.name(region)).or(known.and_then(|eni| eni.region.as_deref()));
            peer.vpc = peer.vpc.or(self.name(own.vpc));
            peer.kind = peer.kind.or(known.map(|eni| eni.kind.as_str()));
            if let (None, Some(az)) = (peer.az, self.zone(az, sublocation)) {
                (peer.az, peer.basis) = (Some(az), Some("records"));
            }
        }
        // What the end says of itself goes before the subnet's zone: an Outpost's subnet has that of its parent.
        let is_beside_zones = self.beside_zones.contains(&eni)
            || owners.iter().any(|own| !is_known && self.beside_zones.contains(&own.interface))
            || (az != NONE && self.zone(az, NONE).is_none());
        if is_beside_zones {
            (peer.az, peer.basis) = (None, None);
        }
        let [_, _, _, hop_az, hop_type] = self.hourly.parties.ways.get(key.way);
        // Through a middlebox the hop is the middlebox (VPC user guide, "next-hop-*").
        let is_middlebox = self.name(hop_type).is_some_and(|kind| !matches!(kind, "interface" | "branch" | "trunk" | "efa" | "lambda"));
        if peer.az.is_none() && hop_az != NONE && !is_middlebox && !is_beside_zones {
            (peer.az, peer.basis) = (self.name(hop_az), Some("next-hop"));
        }
        if peer.link.is_none() {
            let link = self.name(own_vpc).zip(peer.vpc).and_then(|(own, other)| self.inventory.vpc_link(own, other, key.hour));
            peer.link = link.map(crate::inventory::VpcLink::as_str);
        }
        peer.subnet = self.eni(peer.interface).and_then(|eni| eni.subnet_id.as_deref());
        peer
    }
}
