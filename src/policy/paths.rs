//! The ways of packets, as a policy names them, and what the column `path` says of them.
//!
//! The column holds what was observed: `via DEVICE` where another interface logged the packet or a next-hop field names one, else
//! the name of the `traffic-path` code (`docs/meanings.md`). A code can leave open which way it was: code 1 is any device of the
//! VPC, code 2 an internet gateway or a gateway endpoint. Such a path stands for all ways that it may have been.

use crate::inventory::ranges::is_private;
use crate::inventory::{Eni, InterfaceKind, Inventory, Peer};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A way that packets take out of a control-plane interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Through a NAT gateway, or an instance that does the same.
    Nat,
    /// Through a VPC endpoint, interface or gateway.
    Vpce,
    /// Through a VPC peering.
    Peering,
    /// Through a transit gateway.
    Tgw,
    /// Through a Network Firewall or Gateway Load Balancer endpoint.
    Firewall,
    /// Through an internet gateway without NAT.
    Igw,
    /// Within the VPC.
    Local,
    /// Through a virtual private gateway (VPN, Direct Connect).
    Vgw,
    /// Through the local gateway of an Outpost.
    Lgw,
}

/// Every path with its word.
const WORDS: [(Path, &str); 9] = [
    (Path::Nat, "nat"),
    (Path::Vpce, "vpce"),
    (Path::Peering, "peering"),
    (Path::Tgw, "tgw"),
    (Path::Firewall, "firewall"),
    (Path::Igw, "igw"),
    (Path::Local, "local"),
    (Path::Vgw, "vgw"),
    (Path::Lgw, "lgw"),
];

impl Path {
    /// The words, for messages.
    pub(super) const NAMES: &'static str = "one of nat, vpce, peering, tgw, firewall, igw, local, vgw, lgw";

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Path> {
        WORDS.iter().find(|(_, word)| *word == text).map(|(path, _)| *path)
    }

    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        WORDS.iter().find(|(path, _)| *path == self).map_or("", |(_, word)| word)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one entry of `path` may have been: a set of paths, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Possible(u16);

impl Possible {
    /// Nothing is known.
    pub const ANY: Possible = Possible((1 << WORDS.len()) - 1);

    fn of(paths: &[Path]) -> Possible {
        Possible(paths.iter().fold(0, |bits, path| bits | path.bit()))
    }

    /// Returns the words of all paths that are possible, joined by `|`.
    pub fn words(self) -> String {
        WORDS.iter().filter(|(path, _)| self.0 & path.bit() != 0).map(|(_, word)| *word).collect::<Vec<_>>().join("|")
    }

    /// Returns the path, if only one is possible.
    pub fn only(self) -> Option<Path> {
        let mut possible = WORDS.iter().map(|(path, _)| *path).filter(|path| self.0 & path.bit() != 0);
        possible.next().filter(|_| possible.next().is_none())
    }
}

/// What is known of the ways of a connection's packets: all of them were taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Paths(pub BTreeSet<Possible>);

/// Whether a rule's `path` allows the ways that were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Each of them.
    Yes,
    /// One of them is another way for certain.
    No,
    /// The logs do not say.
    Unknown,
}

impl Paths {
    /// Returns whether all of them are among `allowed`; no entry allows any.
    pub fn allowed(&self, allowed: &[Path]) -> Allowed {
        let bits = Possible::of(allowed).0;
        if allowed.is_empty() || (!self.0.is_empty() && self.0.iter().all(|taken| taken.0 & !bits == 0)) {
            Allowed::Yes
        } else if self.0.iter().any(|taken| taken.0 & bits == 0) {
            Allowed::No
        } else {
            Allowed::Unknown
        }
    }

    /// Returns the paths, if each of them is known; sorted.
    pub fn known(&self) -> Option<Vec<Path>> {
        let known: Option<BTreeSet<Path>> = self.0.iter().map(|possible| possible.only()).collect();
        known.filter(|paths| !paths.is_empty()).map(|paths| paths.into_iter().collect())
    }
}

/// The devices of an inventory by the name that `via` calls them.
#[derive(Debug, Default)]
pub(super) struct Devices(HashMap<Arc<str>, Path>);

impl Devices {
    pub(super) fn new(inventory: &Inventory) -> Devices {
        let named = |eni: &Eni| Some((Arc::clone(eni.resource.as_ref().unwrap_or(&eni.id)), through(eni)?));
        Devices(inventory.enis().iter().filter_map(named).collect())
    }

    /// Reads an entry of `path`, of a connection whose recorder lies in `vpc` and whose peer is `peer`.
    pub(super) fn read(&self, path: &str, vpc: Option<&str>, addr: IpAddr, peer: &Peer<'_>) -> Possible {
        if let Some(device) = path.strip_prefix("via ") {
            return self.0.get(device).copied().or_else(|| by_prefix(device)).map_or(Possible::ANY, |path| Possible::of(&[path]));
        }
        match path {
            "vpc" => within(vpc, addr, peer),
            "igw-or-gateway-endpoint" => Possible::of(&[Path::Igw, Path::Vpce]),
            "vgw" => Possible::of(&[Path::Vgw]),
            "peering" | "inter-region-peering" => Possible::of(&[Path::Peering]),
            "local-gateway" => Possible::of(&[Path::Lgw]),
            "gateway-endpoint" => Possible::of(&[Path::Vpce]),
            "internet-gateway" => Possible::of(&[Path::Igw]),
            // A code that AWS added since.
            _ => Possible::ANY,
        }
    }
}

/// The way through an interface; `None` for one that nothing passes through.
fn through(eni: &Eni) -> Option<Path> {
    match eni.kind {
        InterfaceKind::NatGateway => Some(Path::Nat),
        InterfaceKind::VpcEndpoint => Some(Path::Vpce),
        InterfaceKind::FirewallEndpoint | InterfaceKind::GatewayLoadBalancerEndpoint | InterfaceKind::Gwlb => Some(Path::Firewall),
        InterfaceKind::TransitGateway => Some(Path::Tgw),
        InterfaceKind::Other if eni.is_path_device() => Some(Path::Nat),
        _ => None,
    }
}

/// Ids that say what they are the ids of. A `vpce-` may be a firewall's, so it is none.
fn by_prefix(device: &str) -> Option<Path> {
    const PREFIXES: [(&str, Path); 3] = [("nat-", Path::Nat), ("tgw-", Path::Tgw), ("gwy/", Path::Firewall)];
    PREFIXES.iter().find(|(prefix, _)| device.starts_with(prefix)).map(|(_, path)| *path)
}

/// Code 1: "through another resource in the same VPC", which may be the destination itself or a device on the way.
fn within(vpc: Option<&str>, addr: IpAddr, peer: &Peer<'_>) -> Possible {
    const DEVICES: [Path; 4] = [Path::Nat, Path::Vpce, Path::Tgw, Path::Firewall];
    match peer.vpc_id {
        Some(of_peer) if vpc == Some(of_peer) => match peer.eni.map(|eni| eni.kind) {
            Some(InterfaceKind::VpcEndpoint) => Possible::of(&[Path::Vpce]),
            _ => Possible::of(&[Path::Local]),
        },
        None if is_private(addr) => Possible(Possible::of(&DEVICES).0 | Path::Local.bit()),
        _ => Possible::of(&DEVICES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(possible: &[&[Path]]) -> Paths {
        Paths(possible.iter().map(|paths| Possible::of(paths)).collect())
    }

    #[test]
    fn a_rule_allows_what_was_taken_for_certain() {
        use Path::*;
        let check = |taken: &[&[Path]], allowed: &[Path], want| assert_eq!(paths(taken).allowed(allowed), want, "{taken:?} {allowed:?}");
        check(&[&[Nat]], &[], Allowed::Yes);
        check(&[], &[], Allowed::Yes);
        check(&[], &[Nat], Allowed::Unknown);
        check(&[&[Nat]], &[Nat], Allowed::Yes);
        check(&[&[Nat]], &[Vpce, Igw], Allowed::No);
        check(&[&[Nat], &[Firewall]], &[Nat], Allowed::No);
        check(&[&[Nat], &[Firewall]], &[Nat, Firewall], Allowed::Yes);
        check(&[&[Igw, Vpce]], &[Vpce], Allowed::Unknown);
        check(&[&[Igw, Vpce]], &[Vpce, Igw], Allowed::Yes);
        check(&[&[Igw, Vpce]], &[Nat], Allowed::No);
        check(&[&[Igw, Vpce], &[Nat]], &[Vpce], Allowed::No);
        assert_eq!(Paths([Possible::ANY].into()).allowed(&[Nat]), Allowed::Unknown);
        assert_eq!(paths(&[&[Nat], &[Firewall]]).known(), Some(vec![Nat, Firewall]));
        assert_eq!((paths(&[&[Nat], &[Igw, Vpce]]).known(), paths(&[]).known()), (None, None));
    }

    #[test]
    fn words_are_those_of_the_message() {
        let words: Vec<&str> = WORDS.iter().map(|(_, word)| *word).collect();
        assert_eq!(Path::NAMES, format!("one of {}", words.join(", ")));
        assert!(WORDS.iter().all(|(path, word)| Path::parse(word) == Some(*path) && path.as_str() == *word));
        assert_eq!(Path::parse("NAT"), None);
    }
}
