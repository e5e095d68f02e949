//! How finely the sums of a run are told apart.
//!
//! `hourly` in SQL tells everything apart. A report asks less, and most records lie between two interfaces that the inventory knows
//! and that both log: their addresses and ports say nothing further, and the receiver's record only repeats the sender's. What no
//! statement of a report can tell apart is then one sum from the start. What a sum means must not depend on which records came
//! before it: it is left out only where all that a report reads of it is settled already.

use super::hourly::{Direction, Hourly, Key, passes_for_others};
use super::names::NONE;
use super::part_columns::Status;
use super::parties::Party;
use crate::inventory::InterfaceKind;
use crate::inventory::ranges::is_private;
use crate::time::{HOUR, UnixSeconds};
use std::net::IpAddr;

/// Addresses of which it is remembered whether they change hands within an hour; when there are more, it starts anew.
const STEADY_MAX: usize = 1 << 16;

/// What the sums of a run tell apart; each kind serves what the ones behind it serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Grain {
    /// All that `hourly` promises.
    #[default]
    Full,
    /// For statements that only sum what was accepted and metered: pods and services.
    Pods,
    /// … those only of what is not known to stay in its AZ.
    PodsBetweenZones,
    /// … interfaces, neither pods nor services.
    Interfaces,
    /// … only what passed a NAT gateway.
    NatGateways,
}

impl Hourly {
    /// Returns the key of a record's sum.
    pub(super) fn grained(&mut self, key: Key, party: &Party) -> Key {
        if self.grain == Grain::Full {
            return key;
        }
        // No report reads B and C, which are A and D after and before translation, nor what was dropped or lost.
        if key.status != Status::Ok || key.rejected || matches!(party.nat_class, Some("B" | "C")) {
            return self.unread(key);
        }
        if self.grain == Grain::NatGateways && !may_tell_of_nat(&key, party) {
            return self.unread(key);
        }
        if !self.is_settled(&key, party) {
            return key;
        }
        match key.direction {
            Direction::Egress => self.sent(key, party.kind),
            // The sender logs in this hour, so its own record is the one that counts.
            _ => self.unread(key),
        }
    }

    /// Whether both ends are known whatever else the logs say, and the other one logs in this hour.
    fn is_settled(&self, key: &Key, party: &Party) -> bool {
        let [own, ..] = self.parties.locals.get(key.local);
        let [other, _, _, vpc, ..] = self.parties.peers.get(key.peer);
        own != NONE
            && other != NONE
            && vpc != NONE
            && key.direction != Direction::Unknown
            && party.nat_class.is_none()
            && !party.kind.is_some_and(passes_for_others)
            && key.peer_addr.is_some_and(is_private)
            && self.is_logged(other, key.hour)
    }

    fn sent(&mut self, key: Key, kind: Option<InterfaceKind>) -> Key {
        let [_, _, _, _, _, own_az, _] = self.parties.locals.get(key.local);
        let [_, _, _, _, az, ..] = self.parties.peers.get(key.peer);
        // The way tells the AZ of an end that the inventory does not place.
        let way = if az == NONE { key.way } else { self.nowhere };
        let tells_pods = match self.grain {
            Grain::Full | Grain::Pods => true,
            Grain::PodsBetweenZones => az == NONE || az != own_az,
            Grain::Interfaces | Grain::NatGateways => false,
        };
        if !tells_pods {
            let peer = self.parties.without_pod(key.peer);
            return Key { peer, way, local_addr: None, peer_addr: None, protocol: None, service_port: None, ..key };
        }
        let has_pods = matches!(kind, Some(InterfaceKind::EksNode | InterfaceKind::EksPod));
        // Whose an address is goes by when a sum begins: within an hour in which that changes, its sums stay as they are.
        if has_pods && !key.local_addr.is_none_or(|address| self.is_steady(key.local, address, key.hour)) {
            return key;
        }
        Key { way, local_addr: key.local_addr.filter(|_| has_pods), peer_addr: None, ..key }
    }

    /// A sum that no report reads, but for its interface: whose account and region a VPC is.
    fn unread(&self, key: Key) -> Key {
        Key {
            peer: self.nobody,
            way: self.nowhere,
            local_addr: None,
            peer_addr: None,
            protocol: None,
            service_port: None,
            path: None,
            direction: Direction::Unknown,
            ..key
        }
    }

    /// Whether the inventory says the same of an interface's address throughout an hour.
    fn is_steady(&mut self, local: u32, address: IpAddr, hour: UnixSeconds) -> bool {
        if self.steady.0 != Some(hour) {
            self.steady = (Some(hour), self.inventory.epoch(hour) == self.inventory.epoch(hour.saturating_add(HOUR - 1)));
        }
        if self.steady.1 {
            return true;
        }
        if self.steady_addresses.len() >= STEADY_MAX {
            self.steady_addresses.clear();
        }
        *self.steady_addresses.entry((hour, local, address)).or_insert_with(|| {
            let [interface, _, _, vpc, ..] = self.parties.locals.get(local);
            let name = |number: u32| (number != NONE).then(|| self.parties.names.get(number));
            let recorder = name(interface).and_then(|interface| self.inventory.eni_index(interface));
            self.inventory.is_steady(recorder, name(vpc), address, hour..hour.saturating_add(HOUR))
        })
    }
}

/// Whether a sum is a NAT gateway's own, or may be of what its clients sent and got through it, or of what a firewall passed on of that.
fn may_tell_of_nat(key: &Key, party: &Party) -> bool {
    let is_public = || key.peer_addr.is_some_and(|peer| !is_private(peer));
    let may_pass = match key.direction {
        // Any other path does not lead to a gateway.
        Direction::Egress => key.path.is_none_or(|path| path == 1),
        Direction::Ingress => true,
        Direction::Unknown => false,
    };
    party.nat_class.is_some() || party.kind == Some(InterfaceKind::FirewallEndpoint) || (may_pass && is_public())
}
