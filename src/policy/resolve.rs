//! References of a policy against the inventory: whether a target names an address, as of an instant.
//!
//! An answer is only given where the inventory proves it. What it does not know (an interface that it lacks, ranges that were not
//! collected, groups between two listings that differ) is unknown, unless the address cannot be meant for another reason.

use super::{Policy, Target};
use crate::inventory::ranges::is_private;
use crate::inventory::timeline::Claim;
use crate::inventory::{Eni, InterfaceKind, Inventory, Peer};
use crate::time::UnixSeconds;
use hashbrown::HashMap;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// Whether a target names an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// It does; with the length of the prefix that matched, full length for an interface.
    Yes(u8),
    /// It does not.
    No,
    /// The inventory does not say.
    Unknown,
}

impl Resolution {
    /// Returns the better of two: one target of a rule is enough, and the longest prefix counts.
    #[must_use]
    pub fn or(self, other: Resolution) -> Resolution {
        match (self, other) {
            (Self::Yes(a), Self::Yes(b)) => Self::Yes(a.max(b)),
            (Self::Yes(length), _) | (_, Self::Yes(length)) => Self::Yes(length),
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No, Self::No) => Self::No,
        }
    }

    /// Returns what holds at two instants: only what does at both.
    #[must_use]
    pub fn and(self, other: Resolution) -> Resolution {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes(a), Self::Yes(b)) => Self::Yes(a.min(b)),
        }
    }
}

/// What an inventory holds of the things that a policy names.
#[derive(Debug)]
pub struct Resolver {
    inventory: Arc<Inventory>,
    /// Entries of managed prefix lists, by id of the list.
    lists: HashMap<Arc<str>, Vec<(IpNet, Claim)>>,
    endpoints: HashMap<Arc<str>, Endpoint>,
    /// Instants at which an answer may change, beside those of [`Inventory::epoch`]; sorted.
    turns: Vec<UnixSeconds>,
}

/// What is known of a VPC endpoint.
#[derive(Debug, Default)]
struct Endpoint {
    /// Its interfaces, as indices.
    enis: Vec<u32>,
    /// Whether the inventory has all of them.
    is_whole: bool,
    /// Of a gateway endpoint: the prefix list of its service, if the inventory has it.
    gateway: Option<Option<Arc<str>>>,
}

impl Resolver {
    /// Looks up what the targets of a policy name.
    pub fn new(policy: &Policy, inventory: Arc<Inventory>) -> Resolver {
        let targets = || policy.rules.iter().flat_map(|rule| &rule.to);
        let endpoints: HashMap<Arc<str>, Endpoint> = targets()
            .filter_map(|target| if let Target::Endpoint(id) = target { Some((Arc::clone(id), endpoint(&inventory, id)?)) } else { None })
            .collect();
        let listed = targets().filter_map(|target| if let Target::PrefixList(id) = target { Some(id) } else { None });
        let of_gateways = endpoints.values().filter_map(|endpoint| endpoint.gateway.as_ref()?.as_ref());
        let mut lists: HashMap<Arc<str>, Vec<(IpNet, Claim)>> = listed.chain(of_gateways).map(|id| (Arc::clone(id), Vec::new())).collect();
        for held in inventory.prefix_entries() {
            if let Some(entries) = lists.get_mut(&held.item.list_id) {
                entries.push((held.item.cidr, held.claim));
            }
        }
        let of_lists = lists.values().flatten().flat_map(|(_, claim)| [claim.valid.from, claim.valid.to]);
        let mut turns: Vec<UnixSeconds> = inventory.group_turns().chain(of_lists).collect();
        turns.sort_unstable();
        turns.dedup();
        Resolver { lists, endpoints, turns, inventory }
    }

    /// Returns the number of the stretch of time that `t` lies in: at all instants of one, the answers are the same.
    pub fn epoch(&self, t: UnixSeconds) -> (u32, u32) {
        (self.inventory.epoch(t), self.turns.partition_point(|turn| *turn <= t) as u32)
    }

    /// Returns whether a target names `addr`, which `peer` held at the instant; without an instant, only ranges are sure.
    pub fn resolve(&self, target: &Target, addr: IpAddr, at: Option<(&Peer<'_>, UnixSeconds)>) -> Resolution {
        let full = if addr.is_ipv4() { 32 } else { 128 };
        match (target, at) {
            (Target::Net(net), _) if net.contains(&addr) => Resolution::Yes(net.prefix_len()),
            (Target::Net(_), _) => Resolution::No,
            (Target::Aws { service, region }, _) => self.aws(service, region.as_deref(), addr),
            (_, None) => Resolution::Unknown,
            (Target::PrefixList(id), Some((_, t))) => self.listed(id, addr, t),
            (Target::Interface(id), Some((peer, _))) => self.interface(id, addr, peer, full),
            (Target::Group(id), Some((peer, t))) => match peer.eni {
                Some(eni) => self.inventory.in_group(eni, id, t).map_or(Resolution::Unknown, |has| yes_if(has, full)),
                None => unknown_if(self.may_be_an_interfaces(addr)),
            },
            (Target::Endpoint(id), Some((peer, t))) => self.endpoint(id, addr, peer, t, full),
        }
    }

    /// Returns why the inventory cannot resolve a target at any time; `None` if it can.
    pub fn missing(&self, target: &Target) -> Option<&'static str> {
        match target {
            Target::Aws { .. } if !self.inventory.has_aws_ranges() => Some("the inventory has no ip-ranges.json"),
            Target::Aws { service, region } if !self.inventory.has_aws_range_of(service, region.as_deref()) => {
                Some("ip-ranges.json has no such service and region")
            }
            Target::Interface(id) if self.inventory.eni_index(id).is_none() => Some("the inventory has no such interface"),
            Target::Endpoint(id) if !self.endpoints.contains_key(id) => Some("the inventory has no such endpoint"),
            Target::Endpoint(id) if self.endpoints.get(id).is_some_and(|endpoint| self.lacks_list(endpoint)) => {
                Some("the inventory has no prefix list of this gateway endpoint's service")
            }
            Target::PrefixList(id) if self.lists.get(id).is_none_or(Vec::is_empty) => Some("the inventory has no entries of this list"),
            Target::Group(id) if !self.inventory.enis().iter().any(|eni| eni.groups.contains(id)) => {
                Some("the inventory has no interface with this group")
            }
            _ => None,
        }
    }

    fn lacks_list(&self, endpoint: &Endpoint) -> bool {
        let has_entries = |list: &Arc<str>| self.lists.get(list).is_some_and(|entries| !entries.is_empty());
        endpoint.gateway.as_ref().is_some_and(|list| !list.as_ref().is_some_and(has_entries))
    }

    /// Whether an address that the inventory knows no holder of may be that of an interface.
    fn may_be_an_interfaces(&self, addr: IpAddr) -> bool {
        is_private(addr) || self.inventory.is_in_a_vpc(addr)
    }

    fn aws(&self, service: &str, region: Option<&str>, addr: IpAddr) -> Resolution {
        // Ranges of services are public: what is private is none of them, whatever was collected.
        if is_private(addr) {
            return Resolution::No;
        }
        if !self.inventory.has_aws_ranges() {
            return Resolution::Unknown;
        }
        let ranges = self.inventory.aws_ranges(addr).into_iter();
        let own =
            ranges.filter(|range| range.service.eq_ignore_ascii_case(service) && region.is_none_or(|region| &*range.region == region));
        own.map(|range| Resolution::Yes(range.prefix.prefix_len())).fold(Resolution::No, Resolution::or)
    }

    fn listed(&self, id: &str, addr: IpAddr, t: UnixSeconds) -> Resolution {
        let entries = self.lists.get(id).map_or(&[][..], Vec::as_slice);
        if !entries.iter().any(|(_, claim)| claim.contains(t)) {
            return Resolution::Unknown;
        }
        let around = entries.iter().filter(|(net, claim)| net.contains(&addr) && claim.contains(t));
        around.map(|(net, _)| Resolution::Yes(net.prefix_len())).fold(Resolution::No, Resolution::or)
    }

    fn interface(&self, id: &str, addr: IpAddr, peer: &Peer<'_>, full: u8) -> Resolution {
        match (peer.eni, self.inventory.eni_index(id).and_then(|at| self.inventory.enis().get(at as usize))) {
            (Some(eni), _) => yes_if(&*eni.id == id, full),
            (None, Some(named)) => unknown_if(named.owns(addr)),
            (None, None) => unknown_if(self.may_be_an_interfaces(addr)),
        }
    }

    fn endpoint(&self, id: &str, addr: IpAddr, peer: &Peer<'_>, t: UnixSeconds, full: u8) -> Resolution {
        if let Some(eni) = peer.eni {
            return yes_if(is_of_endpoint(eni, id), full);
        }
        let Some(endpoint) = self.endpoints.get(id) else { return Resolution::Unknown };
        match &endpoint.gateway {
            Some(Some(list)) => self.listed(list, addr, t),
            Some(None) => unknown_if(!is_private(addr)),
            None => {
                let owns = |at: &u32| self.inventory.enis().get(*at as usize).is_some_and(|eni| eni.owns(addr));
                unknown_if(endpoint.enis.iter().any(owns) || (!endpoint.is_whole && self.may_be_an_interfaces(addr)))
            }
        }
    }
}

fn yes_if(yes: bool, length: u8) -> Resolution {
    if yes { Resolution::Yes(length) } else { Resolution::No }
}

fn unknown_if(unknown: bool) -> Resolution {
    if unknown { Resolution::Unknown } else { Resolution::No }
}

fn is_of_endpoint(eni: &Eni, id: &str) -> bool {
    const KINDS: [InterfaceKind; 3] =
        [InterfaceKind::VpcEndpoint, InterfaceKind::FirewallEndpoint, InterfaceKind::GatewayLoadBalancerEndpoint];
    KINDS.contains(&eni.kind) && eni.resource.as_deref() == Some(id)
}

/// Finds an endpoint; `None` if the inventory lacks it.
fn endpoint(inventory: &Inventory, id: &str) -> Option<Endpoint> {
    let of_id = |(at, eni): (u32, &Eni)| is_of_endpoint(eni, id).then_some(at);
    let enis: Vec<u32> = (0..).zip(inventory.enis()).filter_map(of_id).collect();
    let held = inventory.vpc_endpoints().iter().rfind(|held| &*held.item.id == id);
    let Some(item) = held.map(|held| &held.item) else {
        return (!enis.is_empty()).then_some(Endpoint { enis, is_whole: false, gateway: None });
    };
    let is_gateway = item.kind.as_deref() == Some("Gateway");
    let list = || inventory.prefix_lists().iter().find(|list| Some(&list.item.name) == item.service.as_ref());
    Some(Endpoint {
        is_whole: !item.interface_ids.is_empty() && item.interface_ids.iter().all(|eni| inventory.eni_index(eni).is_some()),
        gateway: is_gateway.then(|| list().map(|list| Arc::clone(&list.item.id))),
        enis,
    })
}
