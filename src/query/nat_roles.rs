//! What a row of `hourly` has to do with NAT: a gateway's own record, or a client's of traffic that went through one.

use super::hourly::{Direction, Key, Sums};
use super::hours::Hours;
use super::other_ends::Peer;
use super::part_columns::Status;
use crate::inventory::model::NatGateway;
use crate::inventory::ranges::is_private;
use crate::inventory::routes::NextHop;
use crate::inventory::{Eni, InterfaceKind, Inventory};
use crate::time::UnixSeconds;
use foldhash::fast::RandomState;
use hashbrown::HashSet;
use std::net::IpAddr;

/// A sum, with who stands at both ends.
pub(super) struct Seen<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) key: &'a Key,
    pub(super) sums: &'a Sums,
    pub(super) interface: u32,
    pub(super) eni: Option<&'a Eni>,
    pub(super) vpc_id: Option<&'a str>,
    pub(super) subnet: Option<&'a str>,
    pub(super) peer: Peer<'a>,
    pub(super) class: Option<&'a str>,
    pub(super) hop_type: Option<&'a str>,
    pub(super) counts: bool,
}

/// Hour, interface, own and other address, protocol, port.
type Flow = (UnixSeconds, u32, IpAddr, IpAddr, Option<u8>, Option<u16>);

impl<'a> Seen<'a> {
    /// Where the route leads, of what goes to a public address.
    fn route(&self) -> Option<NextHop<'a>> {
        let outside = self.key.peer_addr.filter(|peer| self.key.status == Status::Ok && !is_private(*peer))?;
        self.inventory.next_hop(self.subnet?, self.vpc_id, outside, self.key.hour)
    }

    fn pair(&self) -> Option<(IpAddr, IpAddr)> {
        self.key.local_addr.zip(self.key.peer_addr)
    }

    fn flow(&self, (own, other): (IpAddr, IpAddr)) -> Flow {
        (self.key.hour, self.interface, own, other, self.key.protocol, self.key.service_port)
    }

    fn is_accepted(&self) -> bool {
        self.counts && self.key.status == Status::Ok && !self.key.rejected
    }

    /// A record to a public address that did not leave the VPC by itself: path 1 is another resource of the VPC, and of those
    /// that pass packets on to the internet, a NAT gateway, unless the next hop is known to be something else. Where the format
    /// has no path, the route must lead to one.
    fn is_outward(&self) -> bool {
        let kind = self.eni.map(|eni| eni.kind);
        self.class.is_none()
            && self.key.direction == Direction::Egress
            && (self.key.path == Some(1) || (self.key.path.is_none() && self.is_routed_to_nat()))
            && self.key.peer_addr.is_some_and(|peer| !is_private(peer))
            && self.peer.vpc.is_none()
            && self.peer.az.is_none()
            && kind.is_none_or(|kind| !kind.is_path_device())
            && self.hop_type.is_none_or(|kind| matches!(kind, "nat_gateway" | "regional_nat_gateway"))
    }

    /// A gateway endpoint's prefix list goes before the route to the gateway, and which services have one is known (VPC user
    /// guide, "Gateway endpoints").
    fn is_routed_to_nat(&self) -> bool {
        let is_of_endpoint = |hop: &NextHop<'_>| hop.has_gateway_endpoint && matches!(self.peer.service, Some("S3" | "DYNAMODB"));
        self.route().is_some_and(|hop| hop.target.starts_with("nat-") && !is_of_endpoint(&hop))
    }

    fn is_answer(&self) -> bool {
        self.class.is_none() && self.key.direction == Direction::Ingress
    }
}

/// What other records of a partition say of a conversation.
#[derive(Default)]
pub(super) struct Conversations {
    /// Flows that left by a NAT gateway.
    outward: HashSet<Flow, RandomState>,
    /// (hour, client, remote) that a Network Firewall's endpoint passed on.
    inspected: HashSet<(UnixSeconds, IpAddr, IpAddr), RandomState>,
}

impl Conversations {
    /// Takes a sum in.
    pub(super) fn take(&mut self, seen: &Seen<'_>) {
        let Some((own, other)) = seen.pair().filter(|_| seen.is_accepted()) else { return };
        if seen.is_outward() {
            self.outward.insert(seen.flow((own, other)));
        }
        let is_firewall = seen.eni.is_some_and(|eni| eni.kind == InterfaceKind::FirewallEndpoint);
        if is_firewall && seen.key.direction == Direction::Ingress {
            self.inspected.insert((seen.key.hour, other, own));
        }
    }
}

/// What a row has to do with NAT.
#[derive(Default)]
pub(super) struct Nat<'a> {
    pub(super) role: Option<&'static str>,
    pub(super) gateway: Option<&'a str>,
    pub(super) interface: Option<&'a str>,
    pub(super) vpc: Option<&'a str>,
    pub(super) subnet: Option<&'a str>,
    pub(super) az: Option<&'a str>,
    pub(super) availability: Option<&'static str>,
    pub(super) inspected: bool,
}

impl Hours {
    /// What a row has to do with NAT.
    pub(super) fn nat<'a>(&'a self, seen: &Seen<'a>, conversations: &Conversations) -> Nat<'a> {
        let Some(pair) = seen.pair().filter(|_| seen.is_accepted()) else { return Nat::default() };
        if let Some("A" | "A*" | "D" | "D*") = seen.class {
            let [interface, _, _, vpc, subnet, az, sublocation] = self.hourly.parties.locals.get(seen.key.local);
            let resource = seen.eni.and_then(|eni| eni.resource.as_deref());
            return Nat {
                role: Some("gateway"),
                gateway: resource.or(self.name(interface)),
                interface: self.name(interface),
                vpc: self.name(vpc).or(seen.vpc_id),
                subnet: self.name(subnet).or_else(|| seen.eni.and_then(|eni| eni.subnet_id.as_deref())),
                az: self.zone(az, sublocation),
                availability: Some("zonal"),
                // There the client is the peer, and what lies beyond is the interface's own end.
                inspected: conversations.inspected.contains(&(seen.key.hour, pair.1, pair.0)),
            };
        }
        let is_through = seen.is_outward() || (seen.is_answer() && conversations.outward.contains(&seen.flow(pair)));
        if !is_through || self.is_served(seen) {
            return Nat::default();
        }
        let (id, gateway) = self.gateway_of(seen);
        let subnet = gateway.and_then(|gateway| gateway.subnet_id.as_deref());
        let is_regional = gateway.is_some_and(NatGateway::is_regional) || seen.hop_type == Some("regional_nat_gateway");
        let [.., own_az, sublocation] = self.hourly.parties.locals.get(seen.key.local);
        // Each AZ of a regional gateway handles the traffic from that AZ (EC2 API reference, "AvailabilityZoneAddress").
        let of_zone =
            || self.zone(own_az, sublocation).filter(|az| gateway.is_some_and(|gateway| gateway.zones.iter().any(|zone| &**zone == *az)));
        Nat {
            role: Some("client"),
            gateway: id,
            interface: gateway.and_then(|gateway| gateway.addresses.iter().find_map(|address| address.interface_id.as_deref())),
            vpc: gateway.and_then(|gateway| gateway.vpc_id.as_deref()),
            subnet,
            az: if is_regional { of_zone() } else { self.inventory.az_of_subnet(subnet) },
            availability: Some(if is_regional { "regional" } else { "zonal" }),
            inspected: conversations.inspected.contains(&(seen.key.hour, pair.0, pair.1)),
        }
    }

    /// The gateway of a client's own record: the next hop where it is one, else where the route leads, else the only one of its VPC,
    /// unless the route leads out of the VPC: then NAT is elsewhere, behind a transit gateway for instance.
    fn gateway_of<'a>(&'a self, seen: &Seen<'a>) -> (Option<&'a str>, Option<&'a NatGateway>) {
        let [_, _, hop, ..] = self.hourly.parties.ways.get(seen.key.way);
        let hop = self.eni(hop).filter(|eni| eni.kind == InterfaceKind::NatGateway).and_then(|eni| eni.resource.as_deref());
        let route = seen.route();
        let is_here = route.is_none_or(|route| route.target.starts_with("vpce-"));
        let only = || seen.vpc_id.filter(|_| is_here).and_then(|vpc| self.gateways.get(vpc)).copied().flatten();
        let hop = hop.or_else(|| route.map(|route| route.target).filter(|target| target.starts_with("nat-")));
        let gateway = match hop {
            Some(id) => self.inventory.nat_gateway(id),
            None => only().and_then(|at| self.inventory.nat_gateways().get(at)).map(|held| &held.item),
        };
        (hop.or_else(|| gateway.map(|gateway| &*gateway.id)), gateway)
    }

    /// Whether a NAT gateway's interface logged this client in this hour.
    fn is_served(&self, seen: &Seen<'_>) -> bool {
        let (interfaces, addresses) = &self.hourly.served;
        let by_address = |own| addresses.contains(&(seen.key.hour, own));
        interfaces.contains(&(seen.key.hour, seen.interface)) || seen.key.local_addr.is_some_and(by_address)
    }
}
