//! Public ranges of AWS (`ip-ranges.json`): which service may own an address.
//!
//! `AMAZON` is the superset of all services, so a specific one at equal or longer length is preferred; every candidate
//! is returned, since one range can carry several. Source: VPC user guide, "AWS IP address ranges".

use crate::inventory::json::text;
use hashbrown::HashMap;
use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// A range that AWS publishes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsRange {
    /// Range.
    pub prefix: IpNet,
    /// Service: `S3`, `EC2`, `AMAZON`, …
    pub service: Arc<str>,
    /// Region, or `GLOBAL`.
    pub region: Arc<str>,
}

/// Service name of the range that contains all others.
const SUPERSET: &str = "AMAZON";

impl AwsRange {
    /// Reads an element of `prefixes` or `ipv6_prefixes`.
    pub(super) fn read(v: &Value) -> Option<AwsRange> {
        let prefix: IpNet = text(v, "ip_prefix").or_else(|| text(v, "ipv6_prefix"))?.parse().ok()?;
        Some(AwsRange { prefix: prefix.trunc(), service: text(v, "service")?.into(), region: text(v, "region")?.into() })
    }
}

/// Items by network, found by address: one hash look-up per prefix length in use.
#[derive(Debug)]
pub(super) struct ByNet<T> {
    nets: HashMap<IpNet, Vec<T>>,
    /// First bytes of IPv4 addresses that lie in any network, as bits: private ones lie in none of those published.
    heads_v4: [u64; 4],
    /// Lengths in use, longest first.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
}

impl<T> Default for ByNet<T> {
    fn default() -> Self {
        Self { nets: HashMap::new(), heads_v4: [0; 4], lengths_v4: Vec::new(), lengths_v6: Vec::new() }
    }
}

impl<T> ByNet<T> {
    pub(super) fn insert(&mut self, net: IpNet, item: T) {
        let lengths = if net.addr().is_ipv4() { &mut self.lengths_v4 } else { &mut self.lengths_v6 };
        if let Err(at) = lengths.binary_search_by(|length| net.prefix_len().cmp(length)) {
            lengths.insert(at, net.prefix_len());
        }
        if let (IpAddr::V4(first), IpAddr::V4(last)) = (net.network(), net.broadcast()) {
            for head in first.octets()[0]..=last.octets()[0] {
                self.heads_v4[usize::from(head) / 64] |= 1 << (head % 64);
            }
        }
        self.nets.entry(net.trunc()).or_default().push(item);
    }

    /// Returns every item, in no order.
    pub(super) fn items(&self) -> impl Iterator<Item = &T> {
        self.nets.values().flatten()
    }

    /// Returns the networks that contain the address, longest first.
    pub(super) fn containing(&self, addr: IpAddr) -> impl Iterator<Item = (IpNet, &[T])> {
        let lengths = match addr {
            IpAddr::V4(v4) => {
                let head = v4.octets()[0];
                let is_in_any = self.heads_v4[usize::from(head) / 64] & 1 << (head % 64) != 0;
                if is_in_any { &self.lengths_v4[..] } else { &[] }
            }
            IpAddr::V6(_) => &self.lengths_v6[..],
        };
        lengths.iter().filter_map(move |length| {
            let net = IpNet::new(addr, *length).ok()?.trunc();
            self.nets.get(&net).map(|items| (net, items.as_slice()))
        })
    }
}

/// The newest list of ranges in the inventory.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    by_net: ByNet<AwsRange>,
    token: Option<i64>,
    pub(super) count: usize,
}

impl Ranges {
    /// Takes the ranges of the newest copy; `copies` are (token, ranges).
    pub(super) fn new(copies: Vec<(i64, Vec<AwsRange>)>) -> Self {
        let Some(token) = copies.iter().map(|(token, _)| *token).max() else { return Self::default() };
        let mut ranges: Vec<AwsRange> = copies.into_iter().filter(|(at, _)| *at == token).flat_map(|(_, ranges)| ranges).collect();
        ranges.sort_unstable();
        ranges.dedup();
        let mut by_net = ByNet::default();
        let count = ranges.len();
        ranges.into_iter().for_each(|range| by_net.insert(range.prefix, range));
        Self { by_net, token: Some(token), count }
    }

    /// Returns `syncToken` of the copy in use: seconds since 1970.
    pub(super) fn token(&self) -> Option<i64> {
        self.token
    }

    /// Returns every range, in no order.
    pub(super) fn items(&self) -> impl Iterator<Item = &AwsRange> {
        self.by_net.items()
    }

    /// Returns all candidates, the best first: specific services before the superset, then longer prefixes.
    pub(super) fn candidates(&self, addr: IpAddr) -> Vec<AwsRange> {
        let mut found: Vec<AwsRange> = self.by_net.containing(addr).flat_map(|(_, ranges)| ranges).cloned().collect();
        found.sort_by(|a, b| rank(a).cmp(&rank(b)));
        found
    }

    /// Returns the first of the candidates.
    pub(super) fn best(&self, addr: IpAddr) -> Option<&AwsRange> {
        self.by_net.containing(addr).flat_map(|(_, ranges)| ranges).min_by(|a, b| rank(a).cmp(&rank(b)))
    }
}

/// EC2 covers customers' own machines as well; a named service at the same length says more.
fn rank(range: &AwsRange) -> (bool, std::cmp::Reverse<u8>, &AwsRange) {
    (&*range.service == SUPERSET, std::cmp::Reverse(range.prefix.prefix_len()), range)
}

/// Returns whether the address is private by itself: RFC 1918, CGNAT, ULA, link-local, loopback.
pub fn is_private(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(prefix: &str, service: &str) -> AwsRange {
        AwsRange { prefix: prefix.parse().unwrap(), service: service.into(), region: "eu-central-1".into() }
    }

    #[test]
    fn specific_services_come_before_the_superset() {
        let old = vec![range("3.0.0.0/8", "OLD")];
        let new =
            vec![range("3.5.136.0/22", "AMAZON"), range("3.5.136.0/22", "S3"), range("3.5.0.0/16", "EC2"), range("2a05:d014::/36", "EC2")];
        let ranges = Ranges::new(vec![(2, new), (1, old)]);
        let names = |addr: &str| {
            let (addr, of) = (addr.parse().unwrap(), |range: &AwsRange| range.service.to_string());
            let names: Vec<_> = ranges.candidates(addr).iter().map(of).collect();
            assert_eq!(ranges.best(addr).map(of), names.first().cloned(), "{addr}");
            names
        };
        assert_eq!(names("3.5.137.9"), ["S3", "EC2", "AMAZON"]);
        assert_eq!(names("2a05:d014::1"), ["EC2"]);
        assert!(names("8.8.8.8").is_empty());
        assert_eq!((ranges.token(), ranges.count, Ranges::new(vec![]).token()), (Some(2), 4, None));
    }

    #[test]
    fn networks_of_every_length_are_found_longest_first() {
        let mut nets = ByNet::default();
        for net in ["10.0.0.0/8", "10.1.2.3/32", "10.1.0.0/16", "0.0.0.0/0", "10.1.9.9/16", "fd00::/8"] {
            nets.insert(net.parse().unwrap(), net);
        }
        let found =
            |addr: &str| nets.containing(addr.parse().unwrap()).map(|(net, items)| (net.to_string(), items.to_vec())).collect::<Vec<_>>();
        let of = |net: &str, items: &[&'static str]| (net.to_owned(), items.to_vec());
        let (all, ten, sixteen) =
            (of("0.0.0.0/0", &["0.0.0.0/0"]), of("10.0.0.0/8", &["10.0.0.0/8"]), of("10.1.0.0/16", &["10.1.0.0/16", "10.1.9.9/16"]));
        assert_eq!(found("10.1.2.3"), [of("10.1.2.3/32", &["10.1.2.3/32"]), sixteen.clone(), ten.clone(), all.clone()]);
        assert_eq!(found("10.1.2.4"), [sixteen, ten, all.clone()]);
        assert_eq!((found("11.0.0.1"), found("fd01::1"), found("fe00::1")), (vec![all], vec![of("fd00::/8", &["fd00::/8"])], vec![]));
    }

    #[test]
    fn private_addresses() {
        let check = |addr: &str, want: bool| assert_eq!(is_private(addr.parse().unwrap()), want, "{addr}");
        check("10.1.2.3", true);
        check("100.64.0.1", true);
        check("100.128.0.1", false);
        ["172.16.0.1", "192.168.1.1", "169.254.169.254", "127.0.0.1", "100.127.255.255", "fe80::1", "::1"]
            .into_iter()
            .for_each(|addr| check(addr, true));
        ["100.63.255.255", "101.64.0.1", "99.100.0.1", "172.32.0.1", "2001:db8::1", "0.0.0.0"]
            .into_iter()
            .for_each(|addr| check(addr, false));
        check("fd00::1", true);
        check("8.8.8.8", false);
    }
}
