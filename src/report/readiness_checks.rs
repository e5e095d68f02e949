//! The checks of `report readiness`: one function each, from a cluster's inventory to rows.
//!
//! What the checks rest on: EKS user guide, "Control plane egress" and its troubleshooting page; VPC user guide on route tables,
//! NAT gateways and DNS attributes.

use super::readiness::{Observed, Row, State};
use crate::inventory::dialled::{Dial, Leads, Place};
use crate::inventory::model::{CUSTOMER_ROUTED, FlowLog, NatGateway, Route, Subnet};
use crate::inventory::permissions::Permission;
use crate::inventory::ranges::is_private;
use crate::inventory::reach::{End, Reach, Rests, TCP, UDP, Way, held_at};
use crate::inventory::{Cluster, Eni, Held, InterfaceKind, Inventory};
use crate::query::coverage::State as Hour;
use crate::time::{UnixSeconds, rfc3339};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Port of the kubelet API.
const KUBELET: u16 = 10_250;
/// Port of DNS.
const DNS: u16 = 53;
/// What DHCP options call the resolver of the VPC.
const AMAZON_DNS: &str = "AmazonProvidedDNS";
/// Actions that the cluster's role needs for the switch.
const ACTIONS: [&str; 2] = ["ec2:DescribeVpcs", "ec2:DescribeDhcpOptions"];
/// Fields without which a destination or the way a connection ended is not shown.
const FIELDS: [&str; 16] = [
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
    "tcp-flags",
    "flow-direction",
    "pkt-srcaddr",
    "pkt-dstaddr",
];
/// Devices that a route may lead through before the internet: a firewall, then a NAT gateway, then another firewall.
const HOPS_MAX: u8 = 4;
/// Ends that a cell names; the count says how many there are.
const ENDS_NAMED_MAX: usize = 3;

/// One thing that the API server must reach.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// What it is called in rows.
    pub(super) label: String,
    pub(super) dialled: String,
    pub(super) ends: BTreeSet<(End, u16)>,
    pub(super) protocol: u8,
    pub(super) rests: Rests,
}

/// A cluster and what the checks share.
pub(super) struct Asked<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) cluster: &'a Cluster,
    index: u32,
    pub(super) t: UnixSeconds,
    dials: Vec<Dial>,
    pub(super) enis: Vec<(u32, &'a Eni)>,
    /// Subnets that hold control-plane interfaces or may, each with the interfaces in it.
    pub(super) subnets: BTreeMap<Arc<str>, Vec<&'a Eni>>,
    pub(super) destinations: Vec<Destination>,
}

impl<'a> Asked<'a> {
    /// Gathers it.
    pub(super) fn of(inventory: &'a Inventory, index: u32, cluster: &'a Cluster, t: UnixSeconds) -> Asked<'a> {
        let own = |eni: &Eni| eni.kind == InterfaceKind::EksControlPlane && eni.cluster == Some(index) && eni.valid.contains(t);
        let enis: Vec<(u32, &Eni)> = (0..).zip(inventory.enis()).filter(|(_, eni)| own(eni)).collect();
        let mut subnets: BTreeMap<Arc<str>, Vec<&Eni>> = cluster.subnet_ids.iter().map(|id| (Arc::clone(id), Vec::new())).collect();
        for (_, eni) in &enis {
            if let Some(subnet) = &eni.subnet_id {
                subnets.entry(Arc::clone(subnet)).or_default().push(eni);
            }
        }
        let mut asked =
            Asked { inventory, cluster, index, t, dials: inventory.dials(index, cluster, t), enis, subnets, destinations: Vec::new() };
        asked.destinations = asked.destinations();
        asked
    }

    pub(super) fn vpc(&self) -> Option<&str> {
        self.cluster.vpc_id.as_deref()
    }

    fn destinations(&self) -> Vec<Destination> {
        let mut found: BTreeMap<String, Destination> = BTreeMap::new();
        for dial in &self.dials {
            let (ends, dialled) = self.ends(dial);
            if !ends.is_empty() {
                let one = Destination { label: dial.target.clone(), dialled, ends, protocol: TCP, rests: Rests::new() };
                found.entry(dial.target.clone()).or_insert(one);
            }
        }
        let mut all: Vec<Destination> = found.into_values().collect();
        let nodes = self.inventory.nodes_of(self.index, self.t);
        if !nodes.is_empty() {
            let ends: BTreeSet<(End, u16)> = nodes.iter().map(|(_, addr, _)| (End::Addr(*addr), KUBELET)).collect();
            let rests = nodes.iter().map(|(name, _, claim)| (Arc::clone(name), *claim)).collect();
            all.push(Destination { label: "kubelets".to_owned(), dialled: named(&ends), ends, protocol: TCP, rests });
        }
        let servers: BTreeSet<(End, u16)> = self.resolvers().into_iter().map(|addr| (End::Addr(addr), DNS)).collect();
        if !servers.is_empty() {
            for (protocol, name) in [(UDP, "resolvers, UDP"), (TCP, "resolvers, TCP")] {
                let dialled = named(&servers);
                all.push(Destination { label: name.to_owned(), dialled, ends: servers.clone(), protocol, rests: Rests::new() });
            }
        }
        all
    }

    /// Resolvers that the DHCP options name by address.
    fn resolvers(&self) -> Vec<IpAddr> {
        let options = self.dhcp_options().map(|held| &held.item.name_servers);
        options.into_iter().flatten().filter_map(|server| server.parse().ok()).collect()
    }

    fn dhcp_options(&self) -> Option<&'a Held<crate::inventory::model::DhcpOptions>> {
        let vpc = held_at(self.inventory.vpcs(), self.t, |vpc| Some(&*vpc.id) == self.vpc())?;
        let id = vpc.item.dhcp_options_id.as_ref()?;
        held_at(self.inventory.dhcp_options(), self.t, |options| options.id == *id)
    }

    /// Where a call goes, for rules and routes, and in words. A public name moves, so it stands for any address.
    fn ends(&self, dial: &Dial) -> (BTreeSet<(End, u16)>, String) {
        match &dial.leads {
            Leads::Ends(ends) => {
                let ends: BTreeSet<(End, u16)> = ends.iter().map(|(addr, port)| (End::Addr(*addr), *port)).collect();
                let words = named(&ends);
                (ends, words)
            }
            Leads::Host { host, port, addrs } => {
                let private = self.endpoint_addrs(dial);
                let addrs = if private.is_empty() { addrs } else { &private };
                let any = addrs.is_empty() || addrs.iter().any(|addr| !self.is_at_home(*addr));
                let at_home = addrs.iter().filter(|addr| self.is_at_home(**addr)).map(|addr| (End::Addr(*addr), *port));
                (at_home.chain(any.then_some((End::AnyV4, *port))).collect(), format!("{host}:{port}"))
            }
            Leads::Nowhere(_) | Leads::Unclear(_) => (BTreeSet::new(), dial.target.clone()),
        }
    }

    /// Whether an address is one of a private network: it does not change behind its name as those of the internet do.
    fn is_at_home(&self, addr: IpAddr) -> bool {
        is_private(addr) || self.inventory.place(self.cluster, addr, self.t) == Some(Place::Inside)
    }

    /// Addresses of the VPC's endpoint for the cluster's own issuer, where the issuer's name leads to it.
    fn endpoint_addrs(&self, dial: &Dial) -> BTreeSet<IpAddr> {
        let own = self.cluster.oidc_issuer.as_deref() == Some(&*dial.subject) && dial.check == "oidc-issuer";
        let endpoint = self.inventory.endpoint_of(self.vpc(), "oidc-eks", self.t).filter(|_| own).map(|held| &held.item);
        let endpoint = endpoint.filter(|one| one.state.as_deref() == Some("available") && one.private_dns == Some(true));
        let interfaces = endpoint.into_iter().flat_map(|one| &one.interface_ids);
        let enis = interfaces.filter_map(|id| self.inventory.enis().get(self.inventory.eni_index(id)? as usize));
        enis.flat_map(|eni| eni.primary.iter().copied()).collect()
    }

    /// The security groups of the control plane: each set that an interface has, else those that the cluster names.
    fn group_sets(&self) -> BTreeSet<Vec<Arc<str>>> {
        let of_enis: BTreeSet<Vec<Arc<str>>> = self.enis.iter().map(|(_, eni)| eni.groups.clone()).collect();
        if !of_enis.is_empty() {
            return of_enis;
        }
        let named = self.cluster.cluster_security_group_id.iter().chain(&self.cluster.security_group_ids);
        BTreeSet::from([named.cloned().collect()])
    }

    pub(super) fn subnet(&self, id: &str) -> Option<&'a Held<Subnet>> {
        held_at(self.inventory.subnets(), self.t, |subnet| *subnet.id == *id)
    }

    /// Returns whether an end is known to be within the VPC.
    pub(super) fn is_inside(&self, end: End) -> bool {
        matches!(end, End::Addr(addr) if self.inventory.place(self.cluster, addr, self.t) == Some(Place::Inside))
    }
}

fn named(ends: &BTreeSet<(End, u16)>) -> String {
    let place = |(end, port): &(End, u16)| match end {
        End::Addr(IpAddr::V6(addr)) => format!("[{addr}]:{port}"),
        End::Addr(addr) => format!("{addr}:{port}"),
        End::AnyV4 | End::AnyV6 => format!("any address:{port}"),
    };
    let mut words: Vec<String> = ends.iter().take(ENDS_NAMED_MAX).map(place).collect();
    if ends.len() > ENDS_NAMED_MAX {
        words.push(format!("and {} more", ends.len() - ENDS_NAMED_MAX));
    }
    words.join(", ")
}

/// Returns the rows of a cluster but those of cost.
pub(super) fn rows(asked: &Asked<'_>, observed: Option<&Observed>) -> Vec<Row> {
    let mut rows = vec![mode(asked)];
    rows.extend(dials(asked));
    rows.extend(routes(asked));
    rows.extend(security_groups(asked));
    rows.extend(network_acls(asked));
    rows.extend(dns(asked));
    rows.extend(nat_azs(asked));
    rows.extend(flow_logs(asked));
    rows.extend(observed.into_iter().flat_map(|observed| observed_hours(asked, observed)));
    rows.extend(iam(asked));
    rows
}

fn mode(asked: &Asked<'_>) -> Row {
    let mode = asked.cluster.mode_at(asked.t);
    let (state, detail) = match (mode.as_deref(), asked.cluster.status.as_deref()) {
        (Some(CUSTOMER_ROUTED), _) => (State::Ok, "CUSTOMER_ROUTED already: there is no way back".to_owned()),
        (Some("AWS_MANAGED"), Some("ACTIVE")) => (State::Ok, "AWS_MANAGED; the switch cannot be undone".to_owned()),
        (Some("AWS_MANAGED"), Some(status)) => (State::Missing, format!("AWS_MANAGED, but the cluster is {status}, not ACTIVE")),
        (Some("AWS_MANAGED"), None) => (State::Unknown, "AWS_MANAGED; the status of the cluster is not known".to_owned()),
        (Some(mode), _) => (State::Unknown, format!("{mode}: AWS does not say what this mode routes through the VPC")),
        (None, _) => (State::Unknown, "the inventory does not say the mode".to_owned()),
    };
    Row::new("mode", "egress mode", state, detail)
        .because("only an ACTIVE cluster can be switched, and only from a known mode", "aws eks describe-cluster with a current AWS CLI")
        .resting(Rests::from([(Arc::clone(&asked.cluster.arn), asked.cluster.seen_at(asked.t))]))
}

fn dials(asked: &Asked<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = asked.dials.iter().map(|dial| dialled(asked, dial)).collect();
    if !asked.inventory.has_objects(asked.index, asked.t) {
        for check in ["webhook", "conversion-webhook", "aggregated-api"] {
            rows.push(
                Row::new(check, "Kubernetes objects", State::Unknown, "no Kubernetes object of the cluster is in the inventory").because(
                    "what the API server calls stands in them alone",
                    "collect them with kubectl: flowproof inventory script has the calls",
                ),
            );
        }
    }
    rows
}

fn dialled(asked: &Asked<'_>, dial: &Dial) -> Row {
    let place = |addr: &IpAddr| asked.inventory.place(asked.cluster, *addr, asked.t);
    let places = |addrs: &mut dyn Iterator<Item = &IpAddr>| -> (State, String) {
        let all: BTreeSet<Option<Place>> = addrs.map(place).collect();
        let sure = all.iter().all(|place| place.is_some_and(|place| place != Place::Private));
        let words =
            all.iter().map(|place| place.map_or("not known whether in the VPC: its ranges are not in the inventory", Place::as_str));
        (if sure { State::Ok } else { State::Unknown }, words.collect::<Vec<_>>().join("; "))
    };
    let (state, detail) = match &dial.leads {
        Leads::Nowhere(why) => (State::Missing, why.clone()),
        Leads::Unclear(why) => (State::Unknown, why.clone()),
        Leads::Ends(ends) => places(&mut ends.iter().map(|(addr, _)| addr)),
        Leads::Host { host, addrs, .. } => {
            let private = asked.endpoint_addrs(dial);
            match (private.is_empty(), addrs.is_empty()) {
                (false, _) => (State::Ok, "inside the VPC, by the VPC endpoint for oidc-eks".to_owned()),
                (true, false) => places(&mut addrs.iter()),
                (true, true) if is_of_aws(host) => (State::Ok, "outside the VPC, at AWS".to_owned()),
                (true, true) => (State::Unknown, "by name; the inventory has no DNS answer for it".to_owned()),
            }
        }
    };
    let fix = match (&dial.leads, dial.check) {
        (Leads::Nowhere(_), _) => "mend the object, its Service or its pods, or remove it",
        (Leads::Host { .. }, _) => "add Route 53 Resolver query logs of the VPC to the inventory, after looking the name up from within it",
        _ => "kubectl get services,endpointslices -A -o json; aws ec2 describe-vpcs",
    };
    let mut row = Row::new(dial.check, dial.subject.clone(), state, format!("{}: {detail}", dial.target));
    row.dialled = Some(asked.ends(dial).1);
    (row.failure_policy, row.timeout_s) = (dial.failure_policy.clone(), dial.timeout_s);
    row.because("a call that cannot be made fails, or is passed over if its failure policy is Ignore", fix)
        .resting(Rests::from([(Arc::from(dial.subject.as_str()), dial.claim)]))
}

/// Whether a host is an endpoint of AWS, which none of the customer's zones would hold.
fn is_of_aws(host: &str) -> bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu"].iter().any(|domain| host.ends_with(domain))
}

/// Whose address the packets have on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The control-plane interface's, which no internet gateway passes.
    Interface,
    /// A NAT gateway's, which has a public one.
    Gateway,
}

/// Where a route leads.
#[derive(Debug, Clone)]
pub(super) struct Led<'a> {
    pub(super) state: State,
    pub(super) detail: String,
    pub(super) rests: Rests,
    /// The NAT gateway that it leads to first.
    pub(super) nat: Option<&'a Held<NatGateway>>,
    /// Target of the first route.
    pub(super) target: Option<Arc<str>>,
}

impl<'a> Asked<'a> {
    /// Follows a subnet's route for an end until it leaves the VPC.
    fn led(&self, subnet_id: &str, end: End, hops: u8, source: Source) -> Led<'a> {
        let mut led = Led { state: State::Unknown, detail: String::new(), rests: Rests::new(), nat: None, target: None };
        let vpc = self.subnet(subnet_id).map(|held| &*held.item.vpc_id).or(self.cluster.vpc_id.as_deref());
        match self.inventory.way(subnet_id, vpc, end, self.t) {
            Way::Unclear(why) => led.detail = why,
            Way::Nowhere(table) => {
                led.rests.insert(Arc::clone(&table.item.id), table.claim);
                (led.state, led.detail) = (State::Missing, format!("{} has no route for it", table.item.id));
            }
            Way::By(table, route) => {
                led.rests.insert(Arc::clone(&table.item.id), table.claim);
                led.target = route.target.clone();
                self.follow(&mut led, &table.item.id, route, end, (hops, source));
            }
        }
        led
    }

    fn follow(&self, led: &mut Led<'a>, table: &str, route: &Route, end: End, (hops, source): (u8, Source)) {
        let by = format!("{table}: {} → {}", route.destination, route.target.as_deref().unwrap_or("a target that is not known"));
        let mut says = |state: State, more: &str| (led.state, led.detail) = (state, format!("{by}{more}"));
        let target = match (route.state.as_deref(), route.target.as_deref()) {
            (Some("blackhole"), _) => return says(State::Missing, ", a blackhole"),
            (Some("active"), Some(target)) => target,
            _ => return says(State::Unknown, ", whose target or state is not known"),
        };
        let private = matches!(end, End::Addr(addr) if is_private(addr));
        let kind = target.split('-').next().unwrap_or(target);
        match kind {
            "local" => says(State::Ok, ""),
            "nat" if private => says(State::Unknown, ", though a NAT gateway does not lead to a private address by itself"),
            "nat" => self.through_nat(led, &by, target, end, hops),
            "igw" if source == Source::Gateway => says(State::Ok, ""),
            "igw" if end.is_v6() => {
                says(State::Unknown, ": whether a control plane's IPv6 address passes an internet gateway is not documented")
            }
            "igw" => says(State::Missing, ": a control-plane interface has no public address, so an internet gateway does not help"),
            "eigw" if end.is_v6() => says(State::Ok, ""),
            "pcx" => match (end, self.peered(target, end)) {
                (_, Some(claim)) => {
                    says(State::Ok, "");
                    led.rests.insert(target.into(), claim);
                }
                (End::Addr(_), None) => says(State::Unknown, ": the peering or the other VPC's ranges are not known to hold it"),
                _ => says(State::Missing, ": a peering does not lead to the internet"),
            },
            "vpce" => self.through_endpoint(led, &by, target, end, (hops, source)),
            _ => says(State::Unknown, ": what lies behind is not read"),
        }
    }

    /// When an active peering led to a VPC that holds the address.
    fn peered(&self, id: &str, end: End) -> Option<crate::inventory::timeline::Claim> {
        let End::Addr(addr) = end else { return None };
        let peering = held_at(self.inventory.peerings(), self.t, |peering| &*peering.id == id)?;
        let other = [&peering.item.requester_vpc_id, &peering.item.accepter_vpc_id].into_iter().find(|vpc| Some(&***vpc) != self.vpc())?;
        let vpc = held_at(self.inventory.vpcs(), self.t, |vpc| vpc.id == *other)?;
        let holds = vpc.item.cidrs.iter().any(|range| range.contains(&addr));
        (holds && peering.item.status.as_deref() == Some("active")).then_some(peering.claim)
    }

    fn through_nat(&self, led: &mut Led<'a>, by: &str, target: &str, end: End, hops: u8) {
        let mut says = |state: State, more: &str| (led.state, led.detail) = (state, format!("{by}{more}"));
        let Some(nat) = held_at(self.inventory.nat_gateways(), self.t, |nat| &*nat.id == target) else {
            return says(State::Unknown, ", which is not in the inventory");
        };
        led.rests.insert(Arc::clone(&nat.item.id), nat.claim);
        led.nat = Some(nat);
        let mut says = |state: State, more: &str| (led.state, led.detail) = (state, format!("{by}{more}"));
        match (nat.item.state.as_deref(), nat.item.connectivity.as_deref()) {
            (Some("available"), Some("public")) => {}
            (Some("available"), other) => {
                return says(State::Unknown, &format!(", a NAT gateway of connectivity {}", other.unwrap_or("that is not known")));
            }
            (Some(state), _) => return says(State::Missing, &format!(", which is {state}")),
            (None, _) => return says(State::Unknown, ", whose state is not known"),
        }
        if nat.item.is_regional() {
            return says(State::Ok, ", regional");
        }
        match nat.item.subnet_id.as_deref() {
            None => says(State::Unknown, ", whose subnet is not known"),
            Some(subnet) => self.beyond(led, by, &[Arc::from(subnet)], end, (hops, Source::Gateway)),
        }
    }

    fn through_endpoint(&self, led: &mut Led<'a>, by: &str, target: &str, end: End, (hops, source): (u8, Source)) {
        let found = held_at(self.inventory.vpc_endpoints(), self.t, |endpoint| &*endpoint.id == target);
        let mut says = |state: State, more: &str| (led.state, led.detail) = (state, format!("{by}{more}"));
        let Some(endpoint) = found else { return says(State::Unknown, ", which is not in the inventory") };
        match endpoint.item.state.as_deref() {
            Some("available") => {}
            Some(state) => return says(State::Missing, &format!(", which is {state}")),
            None => return says(State::Unknown, ", whose state is not known"),
        }
        led.rests.insert(Arc::clone(&endpoint.item.id), endpoint.claim);
        self.beyond(led, by, &endpoint.item.subnet_ids, end, (hops, source));
    }

    /// What follows behind a device: the routes of its own subnets.
    fn beyond(&self, led: &mut Led<'a>, by: &str, subnets: &[Arc<str>], end: End, (hops, source): (u8, Source)) {
        let mut worst: Option<Led<'a>> = None;
        for subnet in subnets.iter().filter(|_| hops > 0) {
            let next = self.led(subnet, end, hops - 1, source);
            if worst.as_ref().is_none_or(|worst| next.state < worst.state) {
                worst = Some(next);
            }
        }
        match worst {
            None => (led.state, led.detail) = (State::Unknown, format!("{by}; the way beyond is not known")),
            Some(next) => {
                (led.state, led.detail) = (next.state, format!("{by}, then {}", next.detail));
                led.rests.extend(next.rests);
                led.nat = led.nat.or(next.nat);
            }
        }
    }

    /// Returns where a subnet's packets to an end are led.
    pub(super) fn route(&self, subnet_id: &str, end: End) -> Led<'a> {
        self.led(subnet_id, end, HOPS_MAX, Source::Interface)
    }
}

fn standing(enis: &[&Eni]) -> String {
    match enis {
        [] => "configured, no control-plane interface in it now".to_owned(),
        enis => enis.iter().map(|eni| &*eni.id).collect::<Vec<_>>().join(", "),
    }
}

fn routes(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "a call that finds no way out times out, and with the failure policy Fail so does what it guards";
    let mut ends: BTreeMap<End, String> = BTreeMap::from([(End::AnyV4, "0.0.0.0/0".to_owned())]);
    if asked.cluster.ip_family.as_deref() == Some("ipv6") {
        ends.insert(End::AnyV6, "::/0".to_owned());
    }
    let outside = asked.destinations.iter().flat_map(|one| &one.ends).filter(|(end, _)| !asked.is_inside(*end));
    for (end, _) in outside {
        if let End::Addr(addr) = end {
            ends.insert(*end, addr.to_string());
        }
    }
    let mut rows = Vec::new();
    for (subnet, enis) in &asked.subnets {
        for (end, label) in &ends {
            let led = asked.route(subnet, *end);
            let fix = match led.state {
                State::Missing => format!("give {subnet} a route for {label} through a NAT gateway, firewall or transit gateway, and mend what is behind it"),
                _ => "aws ec2 describe-route-tables; aws ec2 describe-nat-gateways; aws ec2 describe-vpc-endpoints; try what lies behind a transit gateway".to_owned(),
            };
            let mut row = Row::new("route", format!("{subnet} → {label}"), led.state, format!("{}; {}", led.detail, standing(enis)));
            row.dialled = Some(label.clone());
            rows.push(row.because(WHY, fix).resting(led.rests));
        }
    }
    rows
}

/// The worst of several answers, with its reason.
fn worst(answers: Vec<Reach>) -> (State, String) {
    let of = |reach: &Reach| match reach {
        Reach::No(why) => (State::Missing, why.clone()),
        Reach::Unclear(why) => (State::Unknown, why.clone()),
        Reach::Yes(why) => (State::Ok, why.clone()),
    };
    answers.iter().map(of).min().unwrap_or((State::Unknown, "nothing is known of it".to_owned()))
}

fn security_groups(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "what no rule lets out is rejected at the control-plane interface";
    let sets = asked.group_sets();
    let recorder = asked.enis.first().map(|(index, _)| *index);
    let mut rows: Vec<Row> = Vec::new();
    for one in &asked.destinations {
        let mut rests = one.rests.clone();
        let mut answers = Vec::new();
        for groups in &sets {
            for (end, port) in &one.ends {
                let peer = match end {
                    End::Addr(addr) => asked.inventory.peer(recorder, asked.vpc(), *addr, asked.t).eni,
                    _ => None,
                };
                // Of an address outside of all that is known, no group holds; within, only its interface says.
                let own = peer.map(|eni| &*eni.groups);
                let own = if own.is_none() && !asked.is_inside(*end) { Some(&[][..]) } else { own };
                answers.push(asked.inventory.groups_let_out(groups, *end, own, (one.protocol, *port), asked.t, &mut rests));
            }
        }
        let (state, detail) = worst(answers);
        let mut row = Row::new("security-group", one.label.clone(), state, detail);
        row.dialled = Some(one.dialled.clone());
        rows.push(
            row.because(
                WHY,
                match state {
                    State::Missing => format!("let the cluster's security group out to {}", one.dialled),
                    _ => "aws ec2 describe-security-groups; aws ec2 get-managed-prefix-list-entries".to_owned(),
                },
            )
            .resting(rests),
        );
    }
    if !asked.destinations.iter().any(|one| one.label == "kubelets") {
        let row = Row::new("security-group", "kubelets", State::Unknown, "no node of the cluster is in the inventory");
        rows.push(row.because("the API server reaches kubelets at port 10250 of each node", "kubectl get nodes -o json"));
    }
    rows
}

fn network_acls(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "a network ACL that drops requests or replies makes calls time out";
    let mut rows = Vec::new();
    for (subnet, enis) in &asked.subnets {
        let ranges = asked.subnet(subnet).map(|held| held.item.cidrs.clone()).unwrap_or_default();
        for (out, direction) in [(true, "outbound"), (false, "replies inbound 1024-65535")] {
            let mut rests = Rests::new();
            let mut answers = Vec::new();
            for one in &asked.destinations {
                for (end, port) in &one.ends {
                    // Within a subnet no network ACL is passed.
                    if matches!(end, End::Addr(addr) if ranges.iter().any(|range| range.contains(addr))) {
                        continue;
                    }
                    let of_one = |why: String| format!("{}: {why}", one.label);
                    answers.push(match asked.inventory.acl_lets(subnet, *end, (one.protocol, *port), out, asked.t, &mut rests) {
                        Reach::No(why) => Reach::No(of_one(why)),
                        Reach::Unclear(why) if why.contains("rules for ranges") => Reach::Unclear(of_one(why)),
                        other => other,
                    });
                }
            }
            let (state, detail) = worst(answers);
            let fix = match state {
                State::Missing => format!("let the network ACL of {subnet} pass {direction}"),
                _ => "aws ec2 describe-network-acls".to_owned(),
            };
            rows.push(
                Row::new("nacl", format!("{subnet} {direction}"), state, format!("{detail}; {}", standing(enis)))
                    .because(WHY, fix)
                    .resting(rests),
            );
        }
    }
    rows
}

fn dns(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "names of webhooks and issuers are resolved by the resolver of the VPC after the switch";
    let vpc = asked.vpc().unwrap_or("(no VPC)");
    let mut rests = Rests::new();
    let options = asked.dhcp_options();
    if let Some(held) = options {
        rests.insert(Arc::clone(&held.item.id), held.claim);
    }
    let (state, detail) = match options.map(|held| &held.item) {
        None => (State::Unknown, "the DHCP options set of the VPC is not in the inventory".to_owned()),
        Some(options) if options.name_servers.iter().any(|server| &**server == AMAZON_DNS) => {
            (State::Ok, format!("{} names {}", options.id, options.name_servers.join(", ")))
        }
        Some(options) if options.name_servers.is_empty() => (State::Missing, format!("{} names no resolver", options.id)),
        Some(options) => {
            let servers = options.name_servers.join(", ");
            (State::Unknown, format!("{} names {servers}: whether they resolve every name is not to be seen here", options.id))
        }
    };
    let fix = "add AmazonProvidedDNS to the DHCP options (taken up within about an hour), or try each name at those resolvers; aws ec2 describe-dhcp-options";
    let mut rows = vec![Row::new("dns", format!("{vpc} DHCP options"), state, detail).because(WHY, fix).resting(rests)];
    for attribute in ["enableDnsSupport", "enableDnsHostnames"] {
        let held =
            held_at(asked.inventory.vpc_attributes(), asked.t, |one| Some(&*one.vpc_id) == asked.vpc() && one.attribute == attribute);
        let (state, detail) = match held.map(|held| held.item.on) {
            Some(true) => (State::Ok, "on"),
            Some(false) => (State::Missing, "off"),
            None => (State::Unknown, "not in the inventory"),
        };
        let fix = match state {
            State::Missing => format!("aws ec2 modify-vpc-attribute --vpc-id {vpc}: turn {attribute} on"),
            _ => format!("aws ec2 describe-vpc-attribute --vpc-id {vpc} --attribute {attribute}"),
        };
        let rests = held.map(|held| (Arc::from(format!("{vpc} {attribute}")), held.claim)).into_iter().collect();
        rows.push(Row::new("dns", format!("{vpc} {attribute}"), state, detail).because(WHY, fix).resting(rests));
    }
    rows
}

/// Whether a NAT gateway stands in an AZ; `None` if either place is not known.
pub(super) fn stands_in(asked: &Asked<'_>, nat: &NatGateway, subnet: &Subnet) -> Option<bool> {
    if nat.is_regional() {
        let zones = [&subnet.az_id, &subnet.az_name].into_iter().flatten();
        return (!nat.zones.is_empty()).then(|| zones.into_iter().any(|zone| nat.zones.contains(zone)));
    }
    let own = asked.subnet(nat.subnet_id.as_deref()?)?.item.az_id.as_ref()?;
    Some(own == subnet.az_id.as_ref()?)
}

fn nat_azs(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "each byte to a NAT gateway in another AZ costs on the way there, and that AZ's outage is this one's too";
    let mut rows = Vec::new();
    for (id, enis) in &asked.subnets {
        let Some(subnet) = asked.subnet(id) else {
            let row = Row::new("nat-az", &**id, State::Unknown, "the subnet is not in the inventory");
            rows.push(row.because(WHY, "aws ec2 describe-subnets"));
            continue;
        };
        let az = subnet.item.az_id.as_deref().or(subnet.item.az_name.as_deref()).unwrap_or("its AZ");
        let led = asked.route(id, End::AnyV4);
        let (state, detail) = match led.nat {
            Some(nat) => match stands_in(asked, &nat.item, &subnet.item) {
                Some(true) => (State::Ok, format!("{} stands in {az}", nat.item.id)),
                Some(false) => (State::Missing, format!("the route leads to {}, which is not in {az}", nat.item.id)),
                None => (State::Unknown, format!("the AZ of {} or of the subnet is not known", nat.item.id)),
            },
            None if led.state == State::Missing => (State::Missing, "no NAT gateway is on the way out".to_owned()),
            None => (State::Unknown, "no NAT gateway of the inventory is on the way out".to_owned()),
        };
        let fix = match state {
            State::Missing => format!("put a NAT gateway into {az} and lead {id} to it, or accept the cost between AZs"),
            _ => "aws ec2 describe-nat-gateways; aws ec2 describe-subnets; aws ec2 describe-route-tables".to_owned(),
        };
        let mut rests = led.rests;
        rests.insert(Arc::clone(id), subnet.claim);
        rows.push(Row::new("nat-az", &**id, state, format!("{detail}; {}", standing(enis))).because(WHY, fix).resting(rests));
    }
    rows
}

/// What a flow log lacks: certain lacks, and what is not known.
fn lacks(log: &FlowLog) -> (Vec<String>, Vec<&'static str>) {
    let (mut lacks, mut unknown) = (Vec::new(), Vec::new());
    let mut needs = |value: Option<&str>, wanted: &str, what: &'static str| match value {
        None => unknown.push(what),
        Some(value) if value == wanted => {}
        Some(value) => lacks.push(format!("{what} is {value}")),
    };
    needs(log.traffic_type.as_deref(), "ALL", "traffic type");
    needs(log.status.as_deref(), "ACTIVE", "status");
    needs(log.deliver_status.as_deref(), "SUCCESS", "delivery");
    match &log.log_format {
        None => unknown.push("format"),
        Some(format) => {
            let has: BTreeSet<&str> = format.split_whitespace().map(|word| word.trim_start_matches("${").trim_end_matches('}')).collect();
            let without: Vec<&str> = FIELDS.into_iter().filter(|field| !has.contains(field)).collect();
            if !without.is_empty() {
                lacks.push(format!("no {}", without.join(", ")));
            }
        }
    }
    (lacks, unknown)
}

fn flow_logs(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "what is not logged cannot be shown: neither which destinations were contacted nor that there were no others";
    let mut rows = Vec::new();
    let valid: Vec<&Held<FlowLog>> = asked.inventory.flow_logs().iter().filter(|held| held.claim.contains(asked.t)).collect();
    let same = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| a.is_none() || b.is_none() || a == b;
    let listed = valid.iter().any(|held| same(&held.account_id, &asked.cluster.account_id) && same(&held.region, &asked.cluster.region));
    for (subnet, enis) in &asked.subnets {
        let covers = |resource: &str| Some(resource) == asked.vpc() || *resource == **subnet;
        let around: Vec<&&Held<FlowLog>> = valid.iter().filter(|held| held.item.resource_id.as_deref().is_some_and(covers)).collect();
        let on_enis = valid.iter().filter(|held| enis.iter().any(|eni| Some(&eni.id) == held.item.resource_id.as_ref())).count();
        let judged = around.iter().map(|held| {
            let (lacks, unknown) = lacks(&held.item);
            let interval = held.item.aggregation_max_s.map_or_else(|| "not known".to_owned(), |seconds| format!("{seconds} s"));
            let id = &held.item.id;
            match (lacks.is_empty(), unknown.is_empty()) {
                (true, true) => (State::Ok, format!("{id}: ALL, every field needed, aggregation interval {interval}")),
                (true, false) => (State::Unknown, format!("{id}: not known: {}", unknown.join(", "))),
                (false, _) => (State::Missing, format!("{id}: {}", lacks.join("; "))),
            }
        });
        let (state, detail) = judged.max().unwrap_or_else(|| match (listed, on_enis) {
            (false, _) => (State::Unknown, "no describe-flow-logs of its account and region is in the inventory".to_owned()),
            (true, 0) => (State::Missing, "no flow log of the VPC or the subnet".to_owned()),
            (true, _) => (State::Missing, "only flow logs of single interfaces, which end when EKS replaces these".to_owned()),
        });
        let fix = match state {
            State::Missing => {
                "make a flow log of the VPC or subnet: traffic type ALL, interval 60 s, every field that docs/readiness.md names".to_owned()
            }
            _ => "aws ec2 describe-flow-logs".to_owned(),
        };
        let rests = around.iter().map(|held| (Arc::clone(&held.item.id), held.claim)).collect();
        rows.push(Row::new("flow-logs", &**subnet, state, format!("{detail}; {}", standing(enis))).because(WHY, fix).resting(rests));
    }
    rows
}

/// Coverage as the logs show it.
fn observed_hours(asked: &Asked<'_>, observed: &Observed) -> Vec<Row> {
    let of_eni = |(index, eni): &(u32, &Eni)| {
        let hours: Vec<_> = observed.coverage.iter().filter(|hour| hour.eni == *index && hour.state.is_expected()).collect();
        let count = |state: Hour| hours.iter().filter(|hour| hour.state == state).count();
        let (gaps, lost) = (count(Hour::Gap), count(Hour::SkipData) + count(Hour::Unknown) + count(Hour::Late));
        let logged = hours.iter().filter(|hour| hour.state.is_logged()).count();
        let detail = format!("logged {logged} of {} hours, {} with SKIPDATA", hours.len(), count(Hour::SkipData));
        let first = hours.iter().find(|hour| hour.state == Hour::Gap).map(|hour| format!("; first gap {}", rfc3339(hour.hour)));
        let state = match (hours.len(), gaps, lost) {
            (0, ..) => State::Unknown,
            (_, 0, 0) => State::Ok,
            (_, 0, _) => State::Unknown,
            _ => State::Missing,
        };
        Row::new("flow-logs", format!("{} observed", eni.id), state, format!("{detail}{}", first.unwrap_or_default())).because(
            "an interface of a control plane is never idle, so an hour without records was not logged",
            "find out why delivery stopped: report egress names every gap",
        )
    };
    asked.enis.iter().map(of_eni).collect()
}

fn iam(asked: &Asked<'_>) -> Vec<Row> {
    const WHY: &str = "EKS reads the VPC and its DHCP options with the cluster's role; without that it keeps an old resolver";
    ACTIONS
        .iter()
        .map(|action| {
            let Some(arn) = asked.cluster.role_arn.as_deref() else {
                let row = Row::new("iam", format!("cluster role {action}"), State::Unknown, "the role of the cluster is not in the inventory");
                return row.because(WHY, "aws eks describe-cluster");
            };
            let name = arn.rsplit('/').next().unwrap_or(arn);
            let (permission, rests) = asked.inventory.role_may(arn, action, asked.t);
            let (state, detail) = match permission {
                Permission::Allowed(by) => (State::Ok, by),
                Permission::Refused(why) => (State::Missing, why),
                Permission::Unclear(why) => (State::Unknown, why),
            };
            let fix = match state {
                State::Missing => format!("let {name} do {action} on all resources, e.g. by AmazonEKSClusterPolicy"),
                _ => "aws iam get-role, list-attached-role-policies, list-role-policies, get-policy-version; flowproof inventory script has them".to_owned(),
            };
            Row::new("iam", format!("{name} {action}"), state, detail).because(WHY, fix).resting(rests.into_iter().collect())
        })
        .collect()
}
