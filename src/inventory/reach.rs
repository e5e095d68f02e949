//! May a packet leave: what route tables, security groups and network ACLs say at an instant.
//!
//! Three answers, never two: yes, no, and not known, each with the resources that it rests on. An end whose address is not known
//! (a host name) passes only where a rule is for every address. Rules: VPC user guide, "Security group rules" (all allow; any rule
//! of any group suffices), "Network ACL rules" (by number, the first that fits decides), "Route priority" (longest prefix).

use crate::inventory::Inventory;
use crate::inventory::model::{Held, Route, RouteTable, Rule};
use crate::inventory::timeline::Claim;
use crate::time::{UnixSeconds, rfc3339};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Ports that replies come back to (EKS user guide, "Control plane egress": network ACLs).
pub const EPHEMERAL: (u16, u16) = (1024, 65_535);
/// TCP's and UDP's protocol numbers.
pub const TCP: u8 = 6;
/// As [`TCP`].
pub const UDP: u8 = 17;

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// To this address.
    Addr(IpAddr),
    /// To some IPv4 address that is not known.
    AnyV4,
    /// To some IPv6 address that is not known.
    AnyV6,
}

/// How a network stands to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// The end is in it.
    In,
    /// It may be.
    Perhaps,
    /// It is not.
    Out,
}

impl End {
    fn fit(self, network: &IpNet) -> Fit {
        let of_any = |same: bool| match (same, network.prefix_len()) {
            (false, _) => Fit::Out,
            (true, 0) => Fit::In,
            (true, _) => Fit::Perhaps,
        };
        match (self, network) {
            (Self::Addr(addr), network) => {
                if network.contains(&addr) {
                    Fit::In
                } else {
                    Fit::Out
                }
            }
            (Self::AnyV4, network) => of_any(network.addr().is_ipv4()),
            (Self::AnyV6, network) => of_any(network.addr().is_ipv6()),
        }
    }

    /// Returns whether it is an end of IPv6.
    pub fn is_v6(self) -> bool {
        matches!(self, Self::AnyV6 | Self::Addr(IpAddr::V6(_)))
    }
}

/// Whether packets pass, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// They do.
    Yes(String),
    /// They do not.
    No(String),
    /// What decides is not known.
    Unclear(String),
}

/// The facts that an answer rests on: resource and when it was so.
pub type Rests = BTreeMap<Arc<str>, Claim>;

/// Returns the version of a resource that held at `t`; one that was seen around `t` before one that is carried on.
pub fn held_at<T>(list: &[Held<T>], t: UnixSeconds, wanted: impl Fn(&T) -> bool) -> Option<&Held<T>> {
    let valid = list.iter().filter(|held| wanted(&held.item) && held.claim.contains(t));
    valid.min_by_key(|held| held.claim.is_extrapolated_at(t))
}

/// Returns when a fact that is used at `t` was last seen to hold: an instant, or `undated`.
pub fn as_of(claim: &Claim, t: UnixSeconds) -> String {
    let last = claim.seen.to.saturating_sub(1);
    match claim.dated {
        false => "undated".to_owned(),
        // What is said of before the first sighting rests on that.
        true => rfc3339(t.min(last).max(claim.seen.from.min(last))),
    }
}

/// A subnet's route for an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way<'a> {
    /// By a route of this table.
    By(&'a Held<RouteTable>, &'a Route),
    /// The table has none.
    Nowhere(&'a Held<RouteTable>),
    /// The table is not in the inventory, or a prefix list whose ranges are not known might lead elsewhere.
    Unclear(String),
}

impl Inventory {
    /// Returns the instant of the latest sighting of anything that a look at one instant can be about; `None` without any time.
    pub fn latest_sighting(&self) -> Option<UnixSeconds> {
        fn last<T>(list: &[Held<T>]) -> Option<UnixSeconds> {
            list.iter().filter(|held| held.claim.dated).map(|held| held.claim.seen.to.saturating_sub(1)).max()
        }
        let of_clusters = self.clusters().iter().flat_map(|cluster| cluster.mode_seen.iter().map(|(at, _)| *at)).max();
        let of_kube = self.kube().iter().filter(|held| held.claim.dated).map(|held| held.claim.seen.to.saturating_sub(1)).max();
        let lists = [last(self.subnets()), last(self.vpcs()), last(self.route_tables()), last(self.security_groups())];
        let all = lists.into_iter().chain([of_clusters, of_kube, self.eni_snapshots.last().copied()]).flatten();
        all.filter(|at| *at > i64::MIN && *at < i64::MAX - 1).max()
    }

    /// Returns the route table of a subnet at `t`: its own, else the VPC's main one.
    pub fn route_table_of(&self, subnet_id: &str, vpc_id: Option<&str>, t: UnixSeconds) -> Option<&Held<RouteTable>> {
        let own = held_at(self.route_tables(), t, |table| table.subnet_ids.iter().any(|subnet| &**subnet == subnet_id));
        let main = || held_at(self.route_tables(), t, |table| table.main && vpc_id.is_some() && table.vpc_id.as_deref() == vpc_id);
        own.or_else(main)
    }

    /// Returns the route that a subnet's packets to an end take at `t`.
    pub fn way(&self, subnet_id: &str, vpc_id: Option<&str>, end: End, t: UnixSeconds) -> Way<'_> {
        let Some(table) = self.route_table_of(subnet_id, vpc_id, t) else {
            return Way::Unclear(format!("the route table of {subnet_id} is not in the inventory"));
        };
        let mut best: Option<(u8, &Route)> = None;
        for route in &table.item.routes {
            let prefix = match route.destination.parse::<IpNet>() {
                Ok(network) => (end.fit(&network) == Fit::In).then(|| network.prefix_len()),
                // Gateway endpoints lead AWS's own lists elsewhere, which no end of an API server is in.
                Err(_) if route.target.as_deref().is_some_and(|target| target.starts_with("vpce-")) => None,
                Err(_) => match (self.in_list(&route.destination, end, t), end) {
                    (None, End::Addr(_)) => {
                        return Way::Unclear(format!("{}: the ranges of {} are not in the inventory", table.item.id, route.destination));
                    }
                    (prefix, _) => prefix.flatten(),
                },
            };
            if let Some(prefix) = prefix.filter(|prefix| best.is_none_or(|(longest, _)| *prefix > longest)) {
                best = Some((prefix, route));
            }
        }
        best.map_or(Way::Nowhere(table), |(_, route)| Way::By(table, route))
    }

    /// Longest range of a prefix list around an end; `None` if the list's ranges are not known.
    fn in_list(&self, list_id: &str, end: End, t: UnixSeconds) -> Option<Option<u8>> {
        let ranges = || self.prefix_entries().iter().filter(|held| &*held.item.list_id == list_id && held.claim.contains(t));
        ranges().next()?;
        Some(ranges().filter(|held| end.fit(&held.item.cidr) == Fit::In).map(|held| held.item.cidr.prefix_len()).max())
    }

    /// Returns whether security groups let packets out to an end, whose own groups are given where they are known.
    pub fn groups_let_out(
        &self,
        groups: &[Arc<str>],
        end: End,
        end_groups: Option<&[Arc<str>]>,
        (protocol, port): (u8, u16),
        t: UnixSeconds,
        rests: &mut Rests,
    ) -> Reach {
        let (mut perhaps, mut unknown) = (Vec::new(), Vec::new());
        if groups.is_empty() {
            return Reach::Unclear("no security group of the control plane is known".to_owned());
        }
        for id in groups {
            let Some(group) = held_at(self.security_groups(), t, |group| group.id == *id) else {
                unknown.push(&**id);
                continue;
            };
            rests.insert(Arc::clone(id), group.claim);
            for rule in group.item.egress.iter().filter(|rule| is_for(rule, protocol) && holds_port(rule, port)) {
                match self.group_rule_fits(rule, end, end_groups, t) {
                    Fit::In => return Reach::Yes(format!("{id} lets it out")),
                    Fit::Perhaps => perhaps.push(&**id),
                    Fit::Out => {}
                }
            }
        }
        perhaps.dedup();
        match (unknown.is_empty(), perhaps.is_empty()) {
            (false, _) => Reach::Unclear(format!("the rules of {} are not in the inventory", unknown.join(", "))),
            (true, false) => {
                Reach::Unclear(format!("a rule of {} may be for it: its address or its groups are not known", perhaps.join(", ")))
            }
            (true, true) => Reach::No(format!("no rule of {} lets it out", groups.join(", "))),
        }
    }

    fn group_rule_fits(&self, rule: &Rule, end: End, end_groups: Option<&[Arc<str>]>, t: UnixSeconds) -> Fit {
        let mut best = Fit::Out;
        for peer in &rule.peers {
            let fit = match peer.parse::<IpNet>() {
                Ok(network) => end.fit(&network),
                Err(_) if peer.starts_with("pl-") => match self.in_list(peer, end, t) {
                    Some(Some(_)) => Fit::In,
                    Some(None) if matches!(end, End::Addr(_)) => Fit::Out,
                    _ => Fit::Perhaps,
                },
                // A group stands for the private addresses of the interfaces that have it.
                Err(_) => match (end_groups, end) {
                    (Some(groups), _) if groups.contains(peer) => Fit::In,
                    (Some(_), _) => Fit::Out,
                    (None, _) => Fit::Perhaps,
                },
            };
            match fit {
                Fit::In => return Fit::In,
                Fit::Perhaps => best = Fit::Perhaps,
                Fit::Out => {}
            }
        }
        best
    }

    /// Returns whether the network ACL of a subnet lets packets out to an end's port, or its replies in on the ephemeral ports.
    pub fn acl_lets(&self, subnet_id: &str, end: End, (protocol, port): (u8, u16), out: bool, t: UnixSeconds, rests: &mut Rests) -> Reach {
        let of_subnet = held_at(self.network_acls(), t, |acl| acl.subnet_ids.iter().any(|subnet| &**subnet == subnet_id));
        let Some(acl) = of_subnet else {
            return Reach::Unclear(format!("the network ACL of {subnet_id} is not in the inventory"));
        };
        rests.insert(Arc::clone(&acl.item.id), acl.claim);
        let (rules, ports) = if out { (&acl.item.egress, (port, port)) } else { (&acl.item.ingress, EPHEMERAL) };
        match decide(rules, end, protocol, ports) {
            Some(true) => Reach::Yes(format!("{} lets it through", acl.item.id)),
            Some(false) => Reach::No(format!("{} does not let it through", acl.item.id)),
            None => Reach::Unclear(format!("{} has rules for ranges that it may be in: its address is not known", acl.item.id)),
        }
    }
}

/// Walks the rules of a network ACL by number: whether all ports pass, not all do, or that cannot be told.
fn decide(rules: &[Rule], end: End, protocol: u8, (first, last): (u16, u16)) -> Option<bool> {
    let mut rules: Vec<&Rule> = rules.iter().filter(|rule| is_for(rule, protocol)).collect();
    rules.sort_by_key(|rule| rule.number.unwrap_or(i64::MAX));
    // Ports that no rule has decided yet.
    let mut open = vec![(i64::from(first), i64::from(last))];
    let mut clear = true;
    for rule in rules {
        let network = rule.peers.iter().find_map(|peer| peer.parse::<IpNet>().ok());
        let (from, to) = port_range(rule);
        let touches = open.iter().any(|(first, last)| from <= *last && *first <= to);
        match network.map_or(Fit::Perhaps, |network| end.fit(&network)) {
            Fit::Out => {}
            Fit::Perhaps => clear &= !touches,
            Fit::In if !touches => {}
            Fit::In if !rule.allow => return if clear { Some(false) } else { None },
            Fit::In => open = open.into_iter().flat_map(|span| without(span, (from, to))).collect(),
        }
        if open.is_empty() {
            return if clear { Some(true) } else { None };
        }
    }
    // What no rule is for is denied.
    if clear { Some(false) } else { None }
}

/// What is left of a span of ports without another.
fn without((first, last): (i64, i64), (from, to): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    [(first, last.min(from - 1)), (first.max(to + 1), last)].into_iter().filter(|(first, last)| first <= last)
}

/// Ports of a rule: all where it names none.
fn port_range(rule: &Rule) -> (i64, i64) {
    match (rule.port_from, rule.port_to) {
        // Of "all", security groups write no ports or -1.
        (Some(from), Some(to)) if from >= 0 && to >= 0 => (from, to),
        _ => (0, i64::from(u16::MAX)),
    }
}

fn holds_port(rule: &Rule, port: u16) -> bool {
    let (from, to) = port_range(rule);
    (from..=to).contains(&i64::from(port))
}

/// Returns whether a rule is for a protocol: by number, by name as security groups write it, or for all.
fn is_for(rule: &Rule, protocol: u8) -> bool {
    match &*rule.protocol {
        "-1" | "all" => true,
        "tcp" => protocol == TCP,
        "udp" => protocol == UDP,
        number => number.parse() == Ok(protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(number: i64, allow: bool, protocol: &str, ports: Option<(i64, i64)>, network: &str) -> Rule {
        let (port_from, port_to) = ports.unzip();
        Rule { number: Some(number), protocol: protocol.into(), port_from, port_to, peers: vec![network.into()], allow }
    }

    #[test]
    fn the_first_rule_that_fits_decides_for_each_port() {
        let to = End::Addr("10.0.3.4".parse().unwrap());
        let check = |rules: &[Rule], end: End, ports: (u16, u16), want: Option<bool>| {
            assert_eq!(decide(rules, end, TCP, ports), want, "{end:?} {ports:?} {rules:?}");
        };
        let all = rule(100, true, "-1", None, "0.0.0.0/0");
        let none = rule(32_767, false, "-1", None, "0.0.0.0/0");
        let https = rule(90, true, "6", Some((443, 443)), "0.0.0.0/0");
        let replies = rule(80, true, "6", Some((1024, 65_535)), "0.0.0.0/0");
        let few = rule(80, true, "6", Some((32_768, 60_999)), "0.0.0.0/0");
        let low = rule(81, true, "6", Some((1024, 32_767)), "0.0.0.0/0");
        let high = rule(82, true, "6", Some((61_000, 65_535)), "0.0.0.0/0");
        let deny_here = rule(10, false, "6", Some((443, 443)), "10.0.0.0/8");
        let udp = rule(5, false, "17", None, "0.0.0.0/0");
        for end in [to, End::AnyV4] {
            check(&[all.clone(), none.clone()], end, (443, 443), Some(true));
            check(std::slice::from_ref(&none), end, (443, 443), Some(false));
            check(&[], end, (443, 443), Some(false));
            check(&[https.clone(), none.clone()], end, (443, 443), Some(true));
            check(&[https.clone(), none.clone()], end, (8443, 8443), Some(false));
            check(&[replies.clone(), none.clone()], end, EPHEMERAL, Some(true));
            check(&[few.clone(), none.clone()], end, EPHEMERAL, Some(false));
            check(&[few.clone(), low.clone(), high.clone(), none.clone()], end, EPHEMERAL, Some(true));
            check(&[udp.clone(), all.clone()], end, (443, 443), Some(true));
        }
        check(&[deny_here.clone(), all.clone()], to, (443, 443), Some(false));
        check(&[deny_here.clone(), all.clone()], to, (8443, 8443), Some(true));
        check(&[deny_here.clone(), all.clone()], End::AnyV4, (443, 443), None);
        check(&[deny_here, none.clone()], End::AnyV4, (443, 443), None);
        check(&[all, none], End::AnyV6, (443, 443), Some(false));
    }

    #[test]
    fn ends_lie_in_networks_as_far_as_they_are_known() {
        let check = |end: End, network: &str, want: Fit| assert_eq!(end.fit(&network.parse().unwrap()), want, "{end:?} {network}");
        let v4 = End::Addr("10.0.3.4".parse().unwrap());
        check(v4, "10.0.0.0/16", Fit::In);
        check(v4, "10.1.0.0/16", Fit::Out);
        check(v4, "::/0", Fit::Out);
        check(End::AnyV4, "0.0.0.0/0", Fit::In);
        check(End::AnyV4, "10.0.0.0/8", Fit::Perhaps);
        check(End::AnyV4, "::/0", Fit::Out);
        check(End::AnyV6, "::/0", Fit::In);
        check(End::AnyV6, "2001:db8::/32", Fit::Perhaps);
        check(End::AnyV6, "0.0.0.0/0", Fit::Out);
    }

    #[test]
    fn protocols_and_ports_are_written_in_several_ways() {
        let of = |protocol: &str, ports| rule(1, true, protocol, ports, "0.0.0.0/0");
        for (text, tcp, udp) in [
            ("-1", true, true),
            ("all", true, true),
            ("tcp", true, false),
            ("6", true, false),
            ("udp", false, true),
            ("17", false, true),
            ("icmp", false, false),
        ] {
            assert_eq!((is_for(&of(text, None), TCP), is_for(&of(text, None), UDP)), (tcp, udp), "{text}");
        }
        assert!(holds_port(&of("tcp", None), 443) && holds_port(&of("-1", Some((-1, -1))), 443));
        assert_eq!([442, 443, 444, 445].map(|port| holds_port(&of("tcp", Some((443, 444))), port)), [false, true, true, false]);
    }
}
