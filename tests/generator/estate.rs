//! The estate: sites (one VPC with one flow log in one account and region), their interfaces, clusters and destinations.
//!
//! Every site has three AZs, a public and a private subnet in each, NAT gateways, interface endpoints, a gateway endpoint
//! for S3, a database and a Resolver inbound endpoint. AZ *names* map to AZ *ids* differently in each account, as AWS does.
//! In the first site's first cluster both control-plane interfaces are replaced half-way, and a pod then gets the
//! first one's address. Odd sites (1, 4, …) aggregate over 600 s, the others over 60 s.

use super::Config;
use super::rng::Rng;
use std::net::Ipv6Addr;

/// One address. The same text may stand twice: when an address changes hands, each holder has its own entry.
pub(crate) struct Address {
    pub(crate) text: String,
    pub(crate) v6: bool,
    /// AWS's name of the public range it is in.
    pub(crate) service: Option<&'static str>,
    /// The interface that holds it, if it is in the VPC.
    pub(crate) eni: Option<u32>,
}

/// What an interface belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ControlPlane,
    Node,
    NatGateway,
    Endpoint,
    Database,
    Resolver,
    Plain,
}

impl Kind {
    /// Returns the name used in the truth file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::ControlPlane => "eks-control-plane",
            Kind::Node => "eks-node",
            Kind::NatGateway => "nat-gateway",
            Kind::Endpoint => "vpc-endpoint",
            Kind::Database => "rds",
            Kind::Resolver => "resolver",
            Kind::Plain => "other",
        }
    }
}

/// One interface.
pub(crate) struct Eni {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) description: String,
    pub(crate) subnet: usize,
    pub(crate) az: u8,
    /// Primary private IPv4 address.
    pub(crate) primary: u32,
    pub(crate) v6: Option<u32>,
    /// Secondary IPv4 addresses, each with the instant from which it is held.
    pub(crate) secondary: Vec<(u32, i64)>,
    /// Instance, if it is the customer's.
    pub(crate) instance: Option<String>,
    pub(crate) instance_tag: Option<String>,
    /// Seconds in which it exists (half-open).
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The cluster that it serves.
    pub(crate) cluster: Option<usize>,
}

impl Eni {
    /// Returns the value of `interface-type` (and `next-hop-interface-type`), if AWS fills it.
    pub(crate) fn interface_type_field(&self) -> Option<&'static str> {
        match self.kind {
            Kind::NatGateway => Some("nat_gateway"),
            Kind::Endpoint => Some("vpc_endpoint"),
            _ => None,
        }
    }

    /// Returns whether it exists during the whole of `from..to`.
    pub(crate) fn spans(&self, from: i64, to: i64) -> bool {
        self.from <= from && to <= self.to
    }
}

/// One subnet.
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) cidr: String,
    pub(crate) cidr_v6: String,
    pub(crate) az: u8,
    pub(crate) public: bool,
    next_host: u32,
    base: u32,
}

/// One NAT gateway.
pub(crate) struct Nat {
    pub(crate) id: String,
    pub(crate) eni: u32,
    pub(crate) public_ip: String,
}

/// One worker node (in a site without clusters, a plain server): a primary interface and one with more pod addresses.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) instance: String,
    pub(crate) eni: u32,
    pub(crate) second_eni: u32,
    pub(crate) cluster: Option<usize>,
}

/// One pod, or on a site without clusters one address of a server.
pub(crate) struct Pod {
    pub(crate) address: u32,
    pub(crate) name: String,
    pub(crate) namespace: &'static str,
    pub(crate) node: usize,
    /// Instant from which it has the address.
    pub(crate) from: i64,
}

/// How packets travel from the client's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// To an interface of the same VPC, which logs them too (`traffic-path` 1).
    Vpc,
    /// Through a NAT gateway of the site (1 at the client, 8 at the gateway).
    Nat(u32),
    /// Out by the egress-only internet gateway (8).
    InternetGateway,
    /// To the gateway endpoint for S3 (7).
    GatewayEndpoint,
}

impl Route {
    /// Returns the `traffic-path` of the client's outbound records.
    pub(crate) fn traffic_path(self) -> u8 {
        match self {
            Route::Vpc | Route::Nat(_) => 1,
            Route::InternetGateway => 8,
            Route::GatewayEndpoint => 7,
        }
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// The server answers with RST.
    Refused,
    /// Nobody answers.
    Unanswered,
    /// The client's own security group rejects.
    Rejected,
    /// The server's security group rejects: accepted here, no answer.
    DroppedAtTarget,
    /// The client's network ACL rejects the answers.
    ReplyBlocked,
}

/// One destination of a cluster's API server.
pub(crate) struct Destination {
    pub(crate) purpose: &'static str,
    pub(crate) address: u32,
    pub(crate) port: u16,
    pub(crate) protocol: u8,
    /// To what end it is dialled; a NAT route is replaced by the gateway of the interface's AZ.
    pub(crate) route: Route,
    pub(crate) fate: Fate,
    /// Row of the ledger.
    pub(crate) row: usize,
}

/// Which Kubernetes object calls a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    ValidatingWebhook,
    MutatingWebhook,
    ApiService,
    Conversion,
}

/// A Kubernetes service that the API server calls.
pub(crate) struct Service {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) caller: Caller,
    /// Pods behind it, as positions in [`Site::pods`].
    pub(crate) pods: Vec<usize>,
}

/// One EKS cluster.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// Control-plane interfaces, replaced ones too.
    pub(crate) control: Vec<u32>,
    pub(crate) nodes: Vec<usize>,
    /// Positions in [`Site::pods`].
    pub(crate) pods: Vec<usize>,
    pub(crate) services: Vec<Service>,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) security_group: String,
}

/// One VPC with its flow log.
pub(crate) struct Site {
    pub(crate) index: usize,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) vpc: String,
    pub(crate) cidr: String,
    pub(crate) cidr_v6: String,
    pub(crate) flow_log: String,
    /// Longest aggregation interval in seconds.
    pub(crate) window: i64,
    pub(crate) az_names: Vec<String>,
    pub(crate) az_ids: Vec<String>,
    /// Private subnets of the three AZs, then the public ones.
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) enis: Vec<Eni>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) nats: Vec<Nat>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) bastion: u32,
    pub(crate) databases: Vec<u32>,
    /// Endpoint ids with the addresses of their interfaces; the first is `oidc-eks`, the second `ecr.api`, the last is idle.
    pub(crate) endpoints: Vec<(String, &'static str, Vec<u32>)>,
    pub(crate) s3_endpoint: String,
    pub(crate) resolver: u32,
    pub(crate) internet: Vec<u32>,
    pub(crate) s3: Vec<u32>,
    /// When the first cluster's control-plane interfaces are replaced, on site 0.
    pub(crate) replaced_at: Option<i64>,
    rows: usize,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const REGIONS: [(&str, &str, [&str; 3]); 2] = [
    ("eu-central-1", "eu-central-1.compute.internal", ["euc1-az2", "euc1-az3", "euc1-az1"]),
    ("us-east-1", "ec2.internal", ["use1-az4", "use1-az6", "use1-az1"]),
];
const NAMES: [&str; 6] = ["prod", "prod-2", "payments", "batch", "edge", "research"];
/// The AWS-owned account of the control-plane instances.
pub(crate) const EKS_ACCOUNT: &str = "444455556666";

/// Returns the number of sites of a configuration.
pub(crate) fn site_count(config: &Config) -> usize {
    config.accounts.max(1) * config.regions.clamp(1, REGIONS.len())
}

/// Builds site `index` of the estate.
pub(crate) fn site(config: &Config, index: usize) -> Site {
    let rng = &mut Rng::new(config.seed, index as u64 * 16 + 1);
    let accounts = config.accounts.max(1);
    let account_index = index % accounts;
    let (region, _, az_ids) = REGIONS[index / accounts];
    // A leading zero in the first account: it must survive every table.
    let account =
        if account_index == 0 { "012345678901".to_owned() } else { format!("{:012}", 111_122_223_333 + account_index as u64 * 1_000_003) };
    let net = 20 + index as u32;
    assert!(net < 256, "at most 236 sites fit the address plan");
    let mut site = Site {
        index,
        account,
        region: region.to_owned(),
        vpc: rng.id("vpc-"),
        cidr: format!("10.{net}.0.0/16"),
        cidr_v6: format!("2600:1f14:{net:x}::/56"),
        flow_log: rng.id("fl-"),
        window: if index % 3 == 1 { 600 } else { 60 },
        az_names: ["a", "b", "c"].iter().map(|letter| format!("{region}{letter}")).collect(),
        az_ids: (0..3).map(|i| az_ids[(i + account_index) % 3].to_owned()).collect(),
        subnets: Vec::new(),
        enis: Vec::new(),
        addresses: Vec::new(),
        nats: Vec::new(),
        nodes: Vec::new(),
        pods: Vec::new(),
        clusters: Vec::new(),
        bastion: 0,
        databases: Vec::new(),
        endpoints: Vec::new(),
        s3_endpoint: rng.id("vpce-"),
        resolver: 0,
        internet: Vec::new(),
        s3: Vec::new(),
        replaced_at: None,
        rows: 0,
    };
    site.add_subnets(net, rng);
    site.add_network(rng, config);
    let clusters: Vec<usize> = (0..config.clusters).filter(|c| (c / 2) % site_count(config) == index).collect();
    for position in 0..clusters.len() {
        site.add_cluster(position, config, rng);
    }
    if clusters.is_empty() {
        site.add_nodes(None, config, rng);
    }
    for cluster in 0..site.clusters.len() {
        site.add_destinations(cluster);
    }
    site
}

impl Site {
    fn add_subnets(&mut self, net: u32, rng: &mut Rng) {
        for public in [false, true] {
            for az in 0..3u8 {
                let third = if public { 240 + u32::from(az) } else { u32::from(az) * 32 };
                self.subnets.push(Subnet {
                    id: rng.id("subnet-"),
                    cidr: format!("10.{net}.{third}.0/{}", if public { 24 } else { 19 }),
                    cidr_v6: format!("2600:1f14:{net:x}:{third:x}::/64"),
                    az,
                    public,
                    next_host: 10,
                    base: (10 << 24) | (net << 16) | (third << 8),
                });
            }
        }
    }

    /// Adds what every VPC has beside its servers.
    fn add_network(&mut self, rng: &mut Rng, config: &Config) {
        let (from, to) = (config.start, config.end());
        let gateways = if self.index == 0 { 2 } else { 1 };
        for az in 0..gateways {
            let id = rng.id("nat-");
            let eni = self.add_eni(rng, Kind::NatGateway, format!("Interface for NAT Gateway {id}"), 3 + az, (from, to));
            self.nats.push(Nat { id, eni, public_ip: format!("198.51.100.{}", 10 + self.index * 2 + az) });
        }
        for az in 0..2 {
            let eni = self.add_eni(rng, Kind::Database, "RDSNetworkInterface".to_owned(), az, (from, to));
            self.databases.push(self.enis[eni as usize].primary);
        }
        for (service, azs) in [("oidc-eks", 0..2), ("ecr.api", 0..2), ("monitoring", 2..3)] {
            let id = rng.id("vpce-");
            let addresses = azs
                .map(|az| {
                    let eni = self.add_eni(rng, Kind::Endpoint, format!("VPC Endpoint Interface {id}"), az, (from, to));
                    self.enis[eni as usize].primary
                })
                .collect();
            self.endpoints.push((id, service, addresses));
        }
        let description = format!("Route 53 Resolver: {}:{}", rng.id("rslvr-in-"), rng.id("rni-"));
        let resolver = self.add_eni(rng, Kind::Resolver, description, 2, (from, to));
        self.resolver = self.enis[resolver as usize].primary;
        let bastion = self.add_eni(rng, Kind::Plain, "bastion".to_owned(), 2, (from, to));
        self.enis[bastion as usize].instance = Some(rng.id("i-"));
        self.bastion = self.enis[bastion as usize].primary;
        for host in 0..8 {
            let address = self.add_address(format!("203.0.113.{}", 20 + host), None, None);
            self.internet.push(address);
        }
        let s3_range = if self.region == "us-east-1" { "3.5.0" } else { "3.5.136" };
        for host in 0..6 {
            let address = self.add_address(format!("{s3_range}.{}", 40 + host), Some("S3"), None);
            self.s3.push(address);
        }
    }

    fn add_address(&mut self, text: String, service: Option<&'static str>, eni: Option<u32>) -> u32 {
        let v6 = text.contains(':');
        self.addresses.push(Address { text, v6, service, eni });
        self.addresses.len() as u32 - 1
    }

    fn next_v4(&mut self, subnet: usize) -> String {
        let subnet = &mut self.subnets[subnet];
        let room = if subnet.public { 254 } else { 8_190 };
        assert!(subnet.next_host < room, "subnet {} is full: fewer nodes, please", subnet.cidr);
        let number = subnet.base + subnet.next_host;
        subnet.next_host += 1;
        std::net::Ipv4Addr::from(number).to_string()
    }

    fn add_eni(&mut self, rng: &mut Rng, kind: Kind, description: String, subnet: usize, (from, to): (i64, i64)) -> u32 {
        let text = self.next_v4(subnet);
        let index = self.enis.len() as u32;
        let primary = self.add_address(text, None, Some(index));
        self.enis.push(Eni {
            id: rng.id("eni-"),
            kind,
            description,
            subnet,
            az: self.subnets[subnet].az,
            primary,
            v6: None,
            secondary: Vec::new(),
            instance: None,
            instance_tag: None,
            from,
            to,
            cluster: None,
        });
        index
    }

    fn add_v6(&mut self, eni: u32, host: u128) {
        let subnet = &self.subnets[self.enis[eni as usize].subnet];
        let base: Ipv6Addr = subnet.cidr_v6.trim_end_matches("/64").parse().expect("the plan's own prefix");
        let text = Ipv6Addr::from(u128::from(base) + host).to_string();
        self.enis[eni as usize].v6 = Some(self.add_address(text, None, Some(eni)));
    }

    fn add_cluster(&mut self, position: usize, config: &Config, rng: &mut Rng) {
        // The second site starts elsewhere in the list, so that another account has a `prod` of its own.
        let start = if self.index.is_multiple_of(2) { 0 } else { 5 };
        let base = NAMES[(start + position) % NAMES.len()];
        let name = if position < NAMES.len() { base.to_owned() } else { format!("{base}-{position}") };
        let arn = format!("arn:aws:eks:{}:{}:cluster/{name}", self.region, self.account);
        let (from, to) = (config.start, config.end());
        let replaced = self.index == 0 && position == 0;
        let half = from + (to - from) / 2 / self.window * self.window;
        let mut control = Vec::new();
        for az in 0..2 {
            let ends = if replaced { half } else { to };
            control.push(self.add_eni(rng, Kind::ControlPlane, format!("Amazon EKS {name}"), az, (from, ends)));
        }
        if replaced {
            self.replaced_at = Some(half);
            for az in 1..3 {
                control.push(self.add_eni(rng, Kind::ControlPlane, format!("Amazon EKS {name}"), az, (half, to)));
            }
        }
        for &eni in &control {
            self.enis[eni as usize].cluster = Some(position);
            if position == 1 {
                self.add_v6(eni, 0x100 + u128::from(eni));
            }
        }
        let security_group = rng.id("sg-");
        self.clusters.push(Cluster {
            name,
            arn,
            control,
            nodes: Vec::new(),
            pods: Vec::new(),
            services: Vec::new(),
            destinations: Vec::new(),
            security_group,
        });
        self.add_nodes(Some(position), config, rng);
        if replaced {
            self.hand_over_address(position, half, to, rng);
        }
    }

    /// Gives the address of the first replaced control-plane interface to a pod on a new interface of the same subnet.
    fn hand_over_address(&mut self, cluster: usize, half: i64, to: i64, rng: &mut Rng) {
        let old = self.clusters[cluster].control[0];
        let (text, subnet) = (self.addresses[self.enis[old as usize].primary as usize].text.clone(), self.enis[old as usize].subnet);
        let node = self.clusters[cluster].nodes.iter().copied().find(|&n| self.enis[self.nodes[n].eni as usize].subnet == subnet);
        let node = node.expect("every cluster has a node in each AZ");
        // A quarter of the remaining time passes before the address is used again. Its new holder is an interface that never
        // talked to the old one: nobody can take its records for traffic with itself.
        let from = half + (to - half) / 4 / self.window * self.window;
        let instance = self.nodes[node].instance.clone();
        let eni = self.add_eni(rng, Kind::Node, format!("aws-K8S-{instance}"), subnet, (from, to));
        let tag = self.enis[self.nodes[node].eni as usize].instance_tag.clone();
        let holder = &mut self.enis[eni as usize];
        (holder.instance, holder.instance_tag, holder.cluster) = (Some(instance), tag, Some(cluster));
        let address = self.add_address(text, None, Some(eni));
        self.enis[eni as usize].secondary.push((address, from));
        self.pods.push(Pod { address, name: "latecomer-0".to_owned(), namespace: "shop", node, from });
        self.clusters[cluster].pods.push(self.pods.len() - 1);
    }

    fn add_nodes(&mut self, cluster: Option<usize>, config: &Config, rng: &mut Rng) {
        let (from, to) = (config.start, config.end());
        let pods_per_eni = if config.records < 1_000_000 { 4 } else { 10 };
        for number in 0..config.nodes().max(3) {
            let subnet = number % 3;
            let instance = rng.id("i-");
            let eni = self.add_eni(rng, Kind::Node, String::new(), subnet, (from, to));
            let second_eni = self.add_eni(rng, Kind::Node, format!("aws-K8S-{instance}"), subnet, (from, to));
            let position = self.nodes.len();
            for which in [eni, second_eni] {
                let holder = &mut self.enis[which as usize];
                holder.instance = Some(instance.clone());
                holder.instance_tag = Some(if number % 2 == 0 { "team%20checkout".to_owned() } else { "platform".to_owned() });
                holder.cluster = cluster;
                if cluster.is_none() {
                    holder.kind = Kind::Plain;
                    holder.description = "app server".to_owned();
                }
                for pod in 0..pods_per_eni {
                    let text = self.next_v4(subnet);
                    let address = self.add_address(text, None, Some(which));
                    self.enis[which as usize].secondary.push((address, from));
                    let namespace = ["kube-system", "shop", "data"][pod % 3];
                    self.pods.push(Pod { address, name: format!("app-{}", self.pods.len()), namespace, node: position, from });
                    if let Some(cluster) = cluster {
                        self.clusters[cluster].pods.push(self.pods.len() - 1);
                    }
                }
            }
            if cluster == Some(1) {
                self.add_v6(eni, 0x10 + number as u128);
            }
            let primary = &self.addresses[self.enis[eni as usize].primary as usize].text;
            let name = format!("ip-{}.{}", primary.replace('.', "-"), self.dns_suffix());
            self.nodes.push(Node { name, instance, eni, second_eni, cluster });
            if let Some(cluster) = cluster {
                self.clusters[cluster].nodes.push(position);
            }
        }
    }

    /// Returns the domain of the region's private names.
    pub(crate) fn dns_suffix(&self) -> &'static str {
        REGIONS.iter().find(|(region, ..)| *region == self.region).map_or("", |(_, suffix, _)| suffix)
    }

    fn add_destinations(&mut self, cluster: usize) {
        let pods = self.clusters[cluster].pods.clone();
        let services = [
            ("kyverno", "kyverno-svc", 9443, Caller::ValidatingWebhook, vec![pods[0], pods[9]]),
            ("cert-manager", "cert-manager-webhook", 10_250, Caller::MutatingWebhook, vec![pods[1]]),
            ("istio-system", "istiod", 443, Caller::MutatingWebhook, vec![pods[10]]),
            ("gatekeeper-system", "gatekeeper-webhook", 8443, Caller::ValidatingWebhook, vec![pods[2]]),
            ("kube-system", "metrics-server", 10_250, Caller::ApiService, vec![pods[17]]),
            ("crossplane-system", "crossplane-webhooks", 9443, Caller::Conversion, vec![pods[11]]),
        ];
        let mut list: Vec<(&'static str, u32, u16, u8, Route, Fate)> = Vec::new();
        for (namespace, name, port, caller, behind) in services {
            let purpose = match caller {
                Caller::ValidatingWebhook | Caller::MutatingWebhook => "webhook",
                Caller::ApiService => "aggregated-api",
                Caller::Conversion => "crd-conversion",
            };
            list.extend(behind.iter().map(|&pod| (purpose, self.pods[pod].address, port, TCP, Route::Vpc, Fate::Answered)));
            self.clusters[cluster].services.push(Service { namespace, name, port, caller, pods: behind });
        }
        for &node in &self.clusters[cluster].nodes {
            list.push(("kubelet", self.enis[self.nodes[node].eni as usize].primary, 10_250, TCP, Route::Vpc, Fate::Answered));
        }
        let pod = |position: usize| self.pods[pods[position]].address;
        list.extend([
            ("proxy", pod(4), 8080, TCP, Route::Vpc, Fate::Answered),
            ("refused", pod(5), 8443, TCP, Route::Vpc, Fate::Refused),
            ("rejected", pod(12), 6443, TCP, Route::Vpc, Fate::Rejected),
            ("reply-blocked", pod(13), 4443, TCP, Route::Vpc, Fate::ReplyBlocked),
            ("dropped-at-target", pod(18), 15_017, TCP, Route::Vpc, Fate::DroppedAtTarget),
            ("resolver", self.resolver, 53, UDP, Route::Vpc, Fate::Answered),
            ("private-link", self.endpoints[0].2[0], 443, TCP, Route::Vpc, Fate::Answered),
            ("private-link", self.endpoints[0].2[1], 443, TCP, Route::Vpc, Fate::Answered),
            ("issuer", self.internet[0], 443, TCP, Route::Nat(0), Fate::Answered),
            ("issuer", self.internet[1], 443, TCP, Route::Nat(0), Fate::Answered),
            ("webhook-by-url", self.internet[2], 8443, TCP, Route::Nat(0), Fate::Answered),
            ("dead-webhook", self.internet[3], 8443, TCP, Route::Nat(0), Fate::Unanswered),
        ]);
        let regional = if self.region == "us-east-1" { "44.194.17.9" } else { "18.184.17.9" };
        let issuer = self.add_address(regional.to_owned(), Some("AMAZON"), None);
        list.push(("issuer", issuer, 443, TCP, Route::Nat(0), Fate::Answered));
        if cluster == 1 {
            let node = self.nodes[self.clusters[cluster].nodes[0]].eni;
            let host_network = self.enis[node as usize].v6.expect("nodes of the second cluster have IPv6 addresses");
            list.push(("webhook-ipv6", host_network, 9443, TCP, Route::Vpc, Fate::Answered));
            let outside = self.add_address("2001:db8:53::443".to_owned(), None, None);
            list.push(("issuer-ipv6", outside, 443, TCP, Route::InternetGateway, Fate::Answered));
        }
        for (purpose, address, port, protocol, route, fate) in list {
            let row = self.rows;
            self.rows += 1;
            self.clusters[cluster].destinations.push(Destination { purpose, address, port, protocol, route, fate, row });
        }
    }

    /// Returns the NAT gateway that interfaces of an AZ use: their own AZ's, else the first.
    pub(crate) fn nat_of(&self, az: u8) -> u32 {
        self.nats.iter().position(|nat| self.enis[nat.eni as usize].az == az).unwrap_or(0) as u32
    }

    /// Returns the interface that holds an address of the VPC.
    pub(crate) fn holder(&self, address: u32) -> Option<u32> {
        self.addresses[address as usize].eni
    }

    /// Returns the address that the interface's own side shows: its primary one for IPv4 (flow-log records, `srcaddr`).
    pub(crate) fn shown(&self, eni: u32, address: u32) -> u32 {
        if self.addresses[address as usize].v6 { address } else { self.enis[eni as usize].primary }
    }
}
