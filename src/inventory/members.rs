//! Joining sightings of one thing, and finding out what belongs to which cluster.
//!
//! Pure steps of `assemble`: later sightings overlay earlier ones, tags name clusters, endpoints and gateways name their
//! interfaces.

use crate::inventory::Inventory;
use crate::inventory::kinds::InterfaceKind;
use crate::inventory::model::*;
use crate::inventory::snapshot::{EniSighting, Item, Owner};
use crate::inventory::tags::Tags;
use crate::inventory::timeline::Claim;
use crate::time::{UnixSeconds, ValidPeriod};
use hashbrown::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Returns the one key of listings that show the same kind of resource.
pub(super) fn one_key(key: &'static str) -> &'static str {
    if key == "TransitGatewayVpcAttachments" { "TransitGatewayAttachments" } else { key }
}

/// Returns whether an owner, as far as it is known, is that account and region.
pub(super) fn fits(owner: &Owner, account: &Option<Arc<str>>, region: &Option<Arc<str>>) -> bool {
    let same = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| a.is_none() || b.is_none() || a == b;
    same(&owner.account, account) && same(&owner.region, region)
}

pub(super) fn new_eni(id: &Arc<str>) -> Eni {
    Eni {
        id: id.clone(),
        kind: InterfaceKind::Other,
        cluster: None,
        control_plane: None,
        account_id: None,
        region: None,
        vpc_id: None,
        subnet_id: None,
        az_id: None,
        az_name: None,
        instance_id: None,
        resource: None,
        description: Arc::default(),
        interface_type: Arc::default(),
        requester_id: None,
        groups: Vec::new(),
        source_dest_check: None,
        primary: Vec::new(),
        addresses: Vec::new(),
        prefixes: Vec::new(),
        public: Vec::new(),
        tags: Tags::new(),
        valid: ValidPeriod::ALWAYS,
        possible: ValidPeriod::ALWAYS,
        known_from: None,
        known_to: None,
        foreign_owner: false,
    }
}

/// Lays a later sighting over what earlier ones showed; what it leaves out stays.
pub(super) fn overlay(eni: &mut Eni, seen: EniSighting) {
    fn set<T>(to: &mut Option<T>, from: Option<T>) {
        if from.is_some() {
            *to = from;
        }
    }
    let owner_id = seen.owner_id.or(seen.owner.account);
    eni.foreign_owner |= match (&seen.instance_owner, &owner_id) {
        (Some(holder), Some(owner)) => holder != owner,
        _ => false,
    };
    set(&mut eni.account_id, owner_id);
    set(&mut eni.region, seen.owner.region);
    set(&mut eni.vpc_id, seen.vpc_id);
    set(&mut eni.subnet_id, seen.subnet_id);
    set(&mut eni.az_id, seen.az_id);
    set(&mut eni.az_name, seen.az_name);
    set(&mut eni.instance_id, seen.instance_id);
    set(&mut eni.requester_id, seen.requester_id);
    set(&mut eni.source_dest_check, seen.source_dest_check);
    if let Some(description) = seen.description {
        eni.description = description;
    }
    if let Some(interface_type) = seen.interface_type {
        eni.interface_type = interface_type;
    }
    if !seen.groups.is_empty() {
        eni.groups = seen.groups;
    }
    append(&mut eni.primary, seen.primary);
    append(&mut eni.public, seen.public);
    eni.tags.extend(seen.tags);
}

/// Adds addresses; the first sighting's list is taken as it is, which is most often all.
fn append(to: &mut Vec<IpAddr>, from: Vec<IpAddr>) {
    if to.is_empty() {
        *to = from;
    } else {
        to.extend(from);
    }
}

/// Lays another sighting of the same life of a cluster over the known one.
pub(super) fn join_cluster(known: &mut Cluster, seen: Cluster, at: UnixSeconds) {
    fn set<T>(to: &mut Option<T>, from: Option<T>) {
        if from.is_some() {
            *to = from;
        }
    }
    fn add<T: Ord>(to: &mut Vec<T>, from: Vec<T>) {
        to.extend(from);
        to.sort_unstable();
        to.dedup();
    }
    known.mode_seen.push((at, seen.egress_mode.clone()));
    if seen.egress_mode != EgressMode::Unknown {
        known.egress_mode = seen.egress_mode;
    }
    set(&mut known.vpc_id, seen.vpc_id);
    set(&mut known.cluster_security_group_id, seen.cluster_security_group_id);
    set(&mut known.version, seen.version);
    set(&mut known.status, seen.status);
    set(&mut known.role_arn, seen.role_arn);
    set(&mut known.ip_family, seen.ip_family);
    set(&mut known.oidc_issuer, seen.oidc_issuer);
    add(&mut known.subnet_ids, seen.subnet_ids);
    add(&mut known.security_group_ids, seen.security_group_ids);
    add(&mut known.remote_node_networks, seen.remote_node_networks);
    add(&mut known.remote_pod_networks, seen.remote_pod_networks);
    add(&mut known.service_cidrs, seen.service_cidrs);
    known.endpoint_access = (seen.endpoint_access.0.or(known.endpoint_access.0), seen.endpoint_access.1.or(known.endpoint_access.1));
}

/// Tags whose value is a cluster's name.
const CLUSTER_TAGS: [&str; 5] =
    ["aws:eks:cluster-name", "eks:cluster-name", "eks:eks-cluster-name", "cluster.k8s.amazonaws.com/name", "alpha.eksctl.io/cluster-name"];
/// Tag whose key ends in a cluster's name.
const CLUSTER_TAG_PREFIX: &str = "kubernetes.io/cluster/";

/// Returns the cluster that tags name.
pub(super) fn cluster_of_tags(tags: &Tags) -> Option<&str> {
    let valued = CLUSTER_TAGS.iter().find_map(|key| tags.get(key)).map(|name| &**name);
    valued.or_else(|| tags.keys().find_map(|key| key.strip_prefix(CLUSTER_TAG_PREFIX))).filter(|name| !name.is_empty())
}

/// Returns the cluster name of each instance, by its own tags or those of its interfaces.
pub(super) fn instance_clusters(inventory: &Inventory, enis: &[Eni]) -> HashMap<Arc<str>, Arc<str>> {
    let of_instances = inventory.instances.iter().map(|instance| (Some(&instance.item.id), &instance.item.tags));
    let of_enis = enis.iter().map(|eni| (eni.instance_id.as_ref(), &eni.tags));
    let mut out: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    for (instance, tags) in of_instances.chain(of_enis) {
        if let (Some(instance), Some(name)) = (instance, cluster_of_tags(tags)) {
            out.entry(instance.clone()).or_insert_with(|| name.into());
        }
    }
    out
}

/// Returns which of the clusters of one name an interface belongs to: same scope, latest life that began before its end.
pub(super) fn member_of(eni: &Eni, clusters: &[Cluster], named: &[u32]) -> Option<u32> {
    let owner = Owner { account: eni.account_id.clone(), region: eni.region.clone() };
    let lives = named.iter().filter_map(|index| Some((*index, clusters.get(*index as usize)?)));
    let mut lives: Vec<_> = lives.filter(|(_, cluster)| fits(&owner, &cluster.account_id, &cluster.region)).collect();
    lives.sort_by_key(|(index, cluster)| (cluster.created_at, *index));
    let start = eni.known_from.unwrap_or(eni.valid.to.saturating_sub(1));
    lives.iter().rev().find(|(_, cluster)| cluster.valid.from <= start).or(lives.first()).map(|(index, _)| *index)
}

/// Returns kind and id of the endpoint behind each of its interfaces: the listing knows better than the description.
pub(super) fn endpoint_kinds(inventory: &Inventory) -> HashMap<Arc<str>, (InterfaceKind, Arc<str>)> {
    let mut out = HashMap::new();
    for endpoint in &inventory.vpc_endpoints {
        let kind = match endpoint.item.kind.as_deref() {
            Some("GatewayLoadBalancer") if endpoint.item.is_firewall() => InterfaceKind::FirewallEndpoint,
            Some("GatewayLoadBalancer") => InterfaceKind::GatewayLoadBalancerEndpoint,
            _ => InterfaceKind::VpcEndpoint,
        };
        for interface in &endpoint.item.interface_ids {
            out.insert(interface.clone(), (kind, endpoint.item.id.clone()));
        }
    }
    out
}

/// Connects the VPCs that hang on one transit gateway.
pub(super) fn connect_gateways(inventory: &mut Inventory) {
    let mut on: HashMap<&Arc<str>, Vec<(&Arc<str>, Claim)>> = HashMap::new();
    for attachment in &inventory.attachments {
        let live = attachment.item.state.as_deref().is_none_or(|state| state == "available");
        if let (true, "vpc", Some(vpc)) = (live, &*attachment.item.kind, &attachment.item.resource_id) {
            on.entry(&attachment.item.transit_gateway_id).or_default().push((vpc, attachment.claim));
        }
    }
    for vpcs in on.values() {
        for (at, (a, since_a)) in vpcs.iter().enumerate() {
            for (b, since_b) in vpcs.iter().skip(at + 1) {
                if let Some(both) = since_a.and(since_b).filter(|_| a != b) {
                    inventory.book.connect(a, b, both, true);
                }
            }
        }
    }
}

impl Inventory {
    /// Adds a resource to its list.
    pub(super) fn push(&mut self, item: Item, account_id: Option<Arc<str>>, region: Option<Arc<str>>, claim: Claim) {
        macro_rules! lists {
            ($($variant:ident => $list:ident),* $(,)?) => {
                match item { $(Item::$variant(item) => self.$list.push(Held { item, account_id, region, claim })),* }
            };
        }
        lists!(
            Subnet => subnets, Vpc => vpcs, Nat => nat_gateways, Endpoint => vpc_endpoints, RouteTable => route_tables,
            FlowLog => flow_logs, LoadBalancer => load_balancers, Attachment => attachments, Peering => peerings,
            SecurityGroup => security_groups, NetworkAcl => network_acls, DhcpOptions => dhcp_options,
            Resolver => resolver_endpoints, Instance => instances, PrefixList => prefix_lists, PrefixEntry => prefix_entries,
            Zone => zones, Account => accounts, Custody => custody, ServiceControl => service_control_policies, VpcAttribute => vpc_attributes, Role => roles, Policy => policies,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_of_one_kind_have_one_key() {
        assert_eq!(
            ["TransitGatewayVpcAttachments", "TransitGatewayAttachments", "Subnets"].map(one_key),
            ["TransitGatewayAttachments", "TransitGatewayAttachments", "Subnets"]
        );
    }

    #[test]
    fn owners_fit_as_far_as_they_are_known() {
        let some = |text: &str| Some(Arc::from(text)).filter(|text: &Arc<str>| !text.is_empty());
        let check = |a: (&str, &str), b: (&str, &str), want: bool| {
            let fits = |a: (&str, &str), b: (&str, &str)| fits(&Owner { account: some(a.0), region: some(a.1) }, &some(b.0), &some(b.1));
            assert_eq!((fits(a, b), fits(b, a)), (want, want), "{a:?} {b:?}");
        };
        check(("1", "eu"), ("1", "eu"), true);
        check(("1", "eu"), ("2", "eu"), false);
        check(("1", "eu"), ("1", "us"), false);
        check(("1", "eu"), ("2", "us"), false);
        check(("", "eu"), ("2", "eu"), true);
        check(("", "eu"), ("2", "us"), false);
        check(("1", ""), ("1", "us"), true);
        check(("", ""), ("2", "us"), true);
    }

    #[test]
    fn tags_name_clusters() {
        let of = |tags: &[(&str, &str)]| {
            let tags: Tags = tags.iter().map(|(key, value)| (Arc::from(*key), Arc::from(*value))).collect();
            cluster_of_tags(&tags).map(str::to_owned)
        };
        assert_eq!(of(&[("Name", "prod")]), None);
        for key in CLUSTER_TAGS {
            assert_eq!(of(&[("Name", "x"), (key, "prod")]).as_deref(), Some("prod"), "{key}");
            assert_eq!(of(&[(key, "")]), None, "{key}");
        }
        assert_eq!(of(&[("kubernetes.io/cluster/prod", "owned")]).as_deref(), Some("prod"));
        assert_eq!(of(&[("kubernetes.io/cluster/", "owned")]), None);
        assert_eq!(
            of(&[("kubernetes.io/cluster/one", "owned"), ("eks:cluster-name", "other")]).as_deref(),
            Some("other"),
            "the value goes first"
        );
    }
}
