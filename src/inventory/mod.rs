//! ENIs, subnets, gateways, EKS clusters and Kubernetes objects; look-ups as of an instant.
//!
//! An inventory is read from files that the user collected (raw AWS CLI output, Config, CloudTrail, `kubectl`,
//! `ip-ranges.json`), recognised by content. It is always asked as of an instant, never "now", and it never calls AWS.
//! Reading it: `json` (documents) → `snapshot`, `kubernetes` (sightings) → `assemble` with `timeline` (periods) → look-ups here,
//! in `peers`, `routes` and `destinations`.

pub mod check;
pub mod control_plane;
pub mod custody;
pub mod destinations;
pub mod groups;
pub mod dialled;
pub mod kinds;
pub mod model;
pub mod peers;
pub mod permissions;
pub mod ranges;
pub mod reach;
pub mod routes;
pub mod script;
pub mod service_control;
pub mod tables;
pub mod tags;
pub mod timeline;

mod assemble;
mod configuration;
mod element;
mod json;
mod kubernetes;
mod members;
mod names;
mod scope;
mod snapshot;

use crate::error::Result;
use crate::flow::Layout;
use crate::time::UnixSeconds;
use destinations::{Answer, Listener, NamedHost};
use hashbrown::HashMap;
use ranges::is_private;
use std::net::IpAddr;
use std::sync::Arc;

pub use check::{Finding, Presence, check};
pub use destinations::Destination;
pub use kinds::InterfaceKind;
pub use model::{Cluster, ControlPlaneMatch, EgressMode, Eni, Held, KubeFact, KubeHeld, Suspect};
pub use peers::{Basis, Peer, VpcLink};
pub use ranges::AwsRange;
pub use script::{ScriptOptions, script};
pub use tables::{TABLES, Table, tables, tables_at};

/// An inventory file as it was read from disk or S3.
#[derive(Debug, Clone)]
pub struct File {
    /// Path or URI; its parts may carry an as-of time, an account, a region or a cluster name.
    pub path: String,
    /// Contents, plain or gzip.
    pub bytes: bytes::Bytes,
}

/// An inventory file of which the bytes are got when its turn has come and dropped when it is read, so that few stand in memory at once.
pub struct Unread {
    /// As in [`File`].
    pub path: String,
    /// Bytes that it will have, as far as is known: files are read together until they are many.
    pub size: u64,
    /// Gets its bytes.
    pub read: Box<dyn FnOnce() -> Result<bytes::Bytes> + Send>,
}

impl Unread {
    /// Returns the file with its bytes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(self) -> Result<File> {
        Ok(File { bytes: (self.read)()?, path: self.path })
    }
}

impl From<File> for Unread {
    fn from(file: File) -> Unread {
        Unread { path: file.path, size: file.bytes.len() as u64, read: Box::new(move || Ok(file.bytes)) }
    }
}

/// How an inventory is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// As-of time of files that carry none themselves.
    pub as_of: Option<UnixSeconds>,
}

/// Everything that is known about the network at any instant.
#[derive(Debug, Default)]
pub struct Inventory {
    enis: Vec<Eni>,
    eni_ids: HashMap<Arc<str>, u32>,
    clusters: Vec<Cluster>,
    suspects: Vec<Suspect>,
    cluster_names: Vec<Arc<str>>,
    warnings: Vec<String>,
    /// Instants of ENI listings, sorted.
    eni_snapshots: Vec<UnixSeconds>,
    eni_scopes: Vec<(Arc<str>, Arc<str>)>,

    subnets: Vec<Held<model::Subnet>>,
    vpcs: Vec<Held<model::Vpc>>,
    nat_gateways: Vec<Held<model::NatGateway>>,
    vpc_endpoints: Vec<Held<model::VpcEndpoint>>,
    route_tables: Vec<Held<model::RouteTable>>,
    flow_logs: Vec<Held<model::FlowLog>>,
    load_balancers: Vec<Held<model::LoadBalancer>>,
    attachments: Vec<Held<model::TransitGatewayAttachment>>,
    peerings: Vec<Held<model::Peering>>,
    security_groups: Vec<Held<model::SecurityGroup>>,
    network_acls: Vec<Held<model::NetworkAcl>>,
    dhcp_options: Vec<Held<model::DhcpOptions>>,
    resolver_endpoints: Vec<Held<model::ResolverEndpoint>>,
    instances: Vec<Held<model::Instance>>,
    prefix_lists: Vec<Held<model::PrefixList>>,
    prefix_entries: Vec<Held<model::PrefixEntry>>,
    zones: Vec<Held<model::AvailabilityZone>>,
    accounts: Vec<Held<model::Account>>,
    custody: Vec<Held<custody::Custody>>,
    service_control_policies: Vec<Held<service_control::ServiceControlPolicy>>,
    vpc_attributes: Vec<Held<model::VpcAttribute>>,
    roles: Vec<Held<model::Role>>,
    policies: Vec<Held<model::ManagedPolicy>>,

    kube: Vec<KubeHeld>,
    /// Indexes into `kube` by address: nodes, and everything that names a pod.
    nodes: HashMap<IpAddr, Vec<u32>>,
    pods: HashMap<IpAddr, Vec<u32>>,
    listeners: HashMap<(u32, IpAddr, u16), Vec<Listener>>,
    hosts: HashMap<u32, Vec<NamedHost>>,
    answers: HashMap<IpAddr, Vec<Answer>>,
    listed_ranges: ranges::ByNet<(Arc<str>, timeline::Claim)>,
    ranges: ranges::Ranges,
    book: peers::Book,
    /// Instants at which anything changes that says who held an address, sorted.
    turns: Vec<UnixSeconds>,
    enis_of: HashMap<Arc<str>, Vec<u32>>,
    flow_log_ids: HashMap<Arc<str>, u32>,
    routing: routes::Routing,
    groups: groups::Groups,
}

/// Lists of resources, each sorted by id and time.
macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident: $item:ty;)*) => {
        $($(#[$doc])* pub fn $name(&self) -> &[Held<$item>] { &self.$name })*
    };
}

impl Inventory {
    /// Reads an inventory; the order of the files does not matter.
    ///
    /// # Errors
    /// A file is malformed or too large; the error names file, line and column. A file that is merely not recognised is
    /// a warning.
    pub fn from_files(mut files: Vec<File>, options: &Options) -> Result<Inventory> {
        files.sort_unstable_by(|a, b| (&a.path, &a.bytes).cmp(&(&b.path, &b.bytes)));
        Inventory::from_unread(files.into_iter().map(Unread::from).collect(), options)
    }

    /// Reads an inventory of files that are opened one after another; their order matters only among files of one path.
    ///
    /// # Errors
    /// As [`Inventory::from_files`], or that of the first file, by path, whose bytes cannot be got.
    pub fn from_unread(files: Vec<Unread>, options: &Options) -> Result<Inventory> {
        assemble::assemble(files, options)
    }

    /// Returns whether it knows no resource at all.
    pub fn is_empty(&self) -> bool {
        self.enis.is_empty() && self.clusters.is_empty() && self.subnets.is_empty() && self.kube.is_empty() && self.flow_logs.is_empty()
    }

    /// Returns what the user should know about the files: unrecognised ones, missing times, doubtful matches.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns what an account is called, as last seen.
    pub fn account_name(&self, account_id: &str) -> Option<&str> {
        latest(&self.accounts, account_id, |account| &account.id).map(|account| &*account.name)
    }

    /// Returns a tag of an interface, else of its instance, else of its subnet.
    pub fn eni_tag(&self, interface_id: &str, key: &str) -> Option<&str> {
        let eni = self.enis.get(self.eni_index(interface_id)? as usize)?;
        let instance = || latest(&self.instances, eni.instance_id.as_deref()?, |instance| &instance.id);
        let subnet = || latest(&self.subnets, eni.subnet_id.as_deref()?, |subnet| &subnet.id);
        let value = eni.tags.get(key).or_else(|| instance()?.tags.get(key)).or_else(|| subnet()?.tags.get(key));
        value.map(|value| &**value)
    }

    /// Returns a NAT gateway, as last seen.
    pub fn nat_gateway(&self, id: &str) -> Option<&model::NatGateway> {
        latest(&self.nat_gateways, id, |gateway| &gateway.id)
    }

    /// Returns the key of the tag whose value a flow log writes into a field, e.g. `interface-tag`.
    pub fn tag_key(&self, flow_log_id: &str, field: &str) -> Option<&str> {
        let fields = &latest(&self.flow_logs, flow_log_id, |flow_log| &flow_log.id)?.tag_fields;
        fields.get(field).map(|key| &**key)
    }

    /// Returns the interfaces, one entry per id with its whole life, sorted by id.
    pub fn enis(&self) -> &[Eni] {
        &self.enis
    }

    /// Returns the index of an interface by its id, whatever the time: ids are never reused.
    pub fn eni_index(&self, interface_id: &str) -> Option<u32> {
        self.eni_ids.get(interface_id).copied()
    }

    /// Returns the clusters, sorted by ARN and creation.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// Returns the interfaces that look like control-plane interfaces but are not counted.
    pub fn suspects(&self) -> &[Suspect] {
        &self.suspects
    }

    /// Returns the Kubernetes facts, sorted by cluster and fact.
    pub fn kube(&self) -> &[KubeHeld] {
        &self.kube
    }

    lists! {
        /// Returns the subnets.
        subnets: model::Subnet;
        /// Returns the VPCs.
        vpcs: model::Vpc;
        /// Returns the NAT gateways.
        nat_gateways: model::NatGateway;
        /// Returns the VPC endpoints.
        vpc_endpoints: model::VpcEndpoint;
        /// Returns the route tables.
        route_tables: model::RouteTable;
        /// Returns the flow logs.
        flow_logs: model::FlowLog;
        /// Returns the load balancers.
        load_balancers: model::LoadBalancer;
        /// Returns the transit gateway attachments.
        attachments: model::TransitGatewayAttachment;
        /// Returns the VPC peerings.
        peerings: model::Peering;
        /// Returns the security groups.
        security_groups: model::SecurityGroup;
        /// Returns the network ACLs.
        network_acls: model::NetworkAcl;
        /// Returns the DHCP options sets.
        dhcp_options: model::DhcpOptions;
        /// Returns the Route 53 Resolver endpoints.
        resolver_endpoints: model::ResolverEndpoint;
        /// Returns the instances.
        instances: model::Instance;
        /// Returns the managed prefix lists.
        prefix_lists: model::PrefixList;
        /// Returns the entries of prefix lists.
        prefix_entries: model::PrefixEntry;
        /// Returns the availability zones as each account names them.
        zones: model::AvailabilityZone;
        /// Returns the accounts of the organisation.
        accounts: model::Account;
        /// Returns how buckets are kept, each fact by itself, by call and bucket.
        custody: custody::Custody;
        /// Returns the service control policies.
        service_control_policies: service_control::ServiceControlPolicy;
        /// Returns the attributes of VPCs.
        vpc_attributes: model::VpcAttribute;
        /// Returns what is known of IAM roles.
        roles: model::Role;
        /// Returns the managed IAM policies.
        policies: model::ManagedPolicy;
    }

    /// Returns the AZ id of a subnet.
    pub fn az_of_subnet(&self, subnet_id: Option<&str>) -> Option<&str> {
        let subnet_id = subnet_id?;
        let at = self.subnets.partition_point(|subnet| &*subnet.item.id < subnet_id);
        let versions = self.subnets.get(at..)?.iter().take_while(|subnet| &*subnet.item.id == subnet_id);
        versions.filter_map(|subnet| subnet.item.az_id.as_deref()).last()
    }

    /// Returns all AWS ranges around a public address: specific services first, then longer prefixes.
    pub fn aws_ranges(&self, addr: IpAddr) -> Vec<AwsRange> {
        if is_private(addr) { Vec::new() } else { self.ranges.candidates(addr) }
    }

    /// Returns the first of [`Inventory::aws_ranges`]; none has private addresses.
    pub fn aws_range(&self, addr: IpAddr) -> Option<&AwsRange> {
        if is_private(addr) { None } else { self.ranges.best(addr) }
    }

    /// Returns whether `ip-ranges.json` was read.
    pub fn has_aws_ranges(&self) -> bool {
        self.ranges.count > 0
    }

    /// Returns whether `ip-ranges.json` has any range of a service, in a region if one is given.
    pub fn has_aws_range_of(&self, service: &str, region: Option<&str>) -> bool {
        let is_of = |range: &AwsRange| range.service.eq_ignore_ascii_case(service) && region.is_none_or(|region| &*range.region == region);
        self.ranges.items().any(is_of)
    }

    /// Returns whether any VPC of the inventory has a range around the address.
    pub fn is_in_a_vpc(&self, addr: IpAddr) -> bool {
        self.book.is_in_a_vpc(addr)
    }

    /// Returns the columns of a flow log's records, if `describe-flow-logs` was read and names fields.
    pub fn layout_of_flow_log(&self, flow_log_id: &str) -> Option<Arc<Layout>> {
        let held = self.flow_logs.get(*self.flow_log_ids.get(flow_log_id)? as usize)?;
        Layout::from_log_format(held.item.log_format.as_deref()?).map(Arc::new)
    }

    /// Returns the columns of the records in each CloudWatch log group; `None` where its flow logs have several formats.
    pub fn layouts_by_log_group(&self) -> HashMap<String, Option<Arc<Layout>>> {
        let mut groups: HashMap<String, Option<Arc<Layout>>> = HashMap::new();
        for held in &self.flow_logs {
            let Some(group) = held.item.destination.as_deref().and_then(log_group) else { continue };
            let layout = held.item.log_format.as_deref().and_then(Layout::from_log_format).map(Arc::new);
            groups
                .entry(group.to_owned())
                .and_modify(|known| *known = known.take().filter(|known| layout.as_ref() == Some(known)))
                .or_insert(layout);
        }
        groups
    }

    /// Returns whether a flow log may hold records of a wanted interface; `None` if the inventory lacks the flow log.
    ///
    /// Says no only where the inventory proves it: it lists interfaces of that VPC or subnet, and none is wanted.
    pub fn flow_log_may_cover(&self, flow_log_id: &str, wanted: &dyn Fn(&Eni) -> bool) -> Option<bool> {
        let held = self.flow_logs.get(*self.flow_log_ids.get(flow_log_id)? as usize)?;
        let Some(resource) = held.item.resource_id.as_deref() else { return Some(true) };
        if resource.starts_with("eni-") {
            // An interface that the inventory lacks may be a control-plane interface of the past.
            return Some(self.eni_index(resource).and_then(|index| self.enis.get(index as usize)).is_none_or(wanted));
        }
        if !(resource.starts_with("vpc-") || resource.starts_with("subnet-")) {
            return Some(true);
        }
        let inside = self.enis_of.get(resource).into_iter().flatten().filter_map(|index| self.enis.get(*index as usize));
        let mut known = false;
        for eni in inside {
            known = true;
            if wanted(eni) {
                return Some(true);
            }
        }
        Some(!known || self.may_have_had_a_control_plane(resource, wanted))
    }

    /// A subnet or VPC of a cluster can have held control-plane interfaces that no snapshot caught.
    fn may_have_had_a_control_plane(&self, resource: &str, wanted: &dyn Fn(&Eni) -> bool) -> bool {
        let mut own = self.clusters.iter().enumerate().filter(|(_, cluster)| {
            cluster.vpc_id.as_deref() == Some(resource) || cluster.subnet_ids.iter().any(|subnet| &**subnet == resource)
        });
        own.any(|(index, cluster)| {
            let of_vpc = cluster.vpc_id.as_ref().and_then(|vpc| self.enis_of.get(vpc)).into_iter().flatten();
            let mut planes = of_vpc
                .filter_map(|at| self.enis.get(*at as usize))
                .filter(|eni| eni.control_plane.is_some() && eni.cluster == Some(index as u32));
            let first = planes.next();
            first.is_none_or(|first| wanted(first) || planes.any(wanted))
        })
    }
}

/// Returns the last version of a resource; lists are sorted by id and time.
fn latest<'a, T>(list: &'a [Held<T>], id: &str, id_of: impl Fn(&T) -> &str) -> Option<&'a T> {
    let behind = list.partition_point(|held| id_of(&held.item) <= id);
    list.get(behind.checked_sub(1)?).map(|held| &held.item).filter(|item| id_of(item) == id)
}

/// Reads the log group of a destination: its name, or an ARN (`arn:aws:logs:…:log-group:NAME:*`); `None` for a bucket.
fn log_group(destination: &str) -> Option<&str> {
    match destination.split_once(":log-group:") {
        Some((_, name)) => Some(name.trim_end_matches(":*")),
        None => Some(destination).filter(|name| !name.starts_with("arn:")),
    }
}
