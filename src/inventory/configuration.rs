//! What a cluster's configuration makes its API server call: which address and port, by which object.
//!
//! Joins callers (webhooks, API services, conversions) with Services and their endpoints, each with its own period, so
//! that a pod's address names a webhook only while all three held. Knows nothing of flow records.

use crate::inventory::Inventory;
use crate::inventory::destinations::{Listener, NamedHost};
use crate::inventory::kinds::InterfaceKind;
use crate::inventory::kubernetes::url_target;
use crate::inventory::members::cluster_of_tags;
use crate::inventory::model::{CallTarget, Eni, KubeFact};
use crate::inventory::timeline::Claim;
use hashbrown::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A Service of a cluster.
type ServiceKey = (u32, Arc<str>, Arc<str>);
/// Name of the port, the port, and an address behind it, with when.
type Endpoint = (Arc<str>, u16, IpAddr, Claim);

/// Returns the cluster of each folder, by the nodes' instances and the `default/kubernetes` endpoints in it.
pub(super) fn folders<'a>(inventory: &Inventory, objects: impl Iterator<Item = (&'a str, &'a [KubeFact])>) -> HashMap<String, u32> {
    let mut by_address: HashMap<IpAddr, Vec<u32>> = HashMap::new();
    let mut by_instance: HashMap<&str, u32> = HashMap::new();
    for eni in &inventory.enis {
        let Some(cluster) = eni.cluster else { continue };
        if eni.kind == InterfaceKind::EksControlPlane {
            eni.primary.iter().for_each(|addr| by_address.entry(*addr).or_default().push(cluster));
        }
        if let Some(instance) = &eni.instance_id {
            by_instance.insert(instance, cluster);
        }
    }
    for instance in &inventory.instances {
        let named = cluster_of_tags(&instance.item.tags).and_then(|name| inventory.clusters.iter().rposition(|c| &*c.name == name));
        if let Some(cluster) = named {
            by_instance.entry(&instance.item.id).or_insert(cluster as u32);
        }
    }
    let mut votes: HashMap<String, Vec<u32>> = HashMap::new();
    for (folder, facts) in objects {
        for fact in facts {
            match fact {
                KubeFact::Node { instance_id: Some(instance), .. } => {
                    votes.entry_ref(folder).or_default().extend(by_instance.get(&**instance));
                }
                KubeFact::Endpoint { namespace, service, addr, .. } if &**namespace == "default" && &**service == "kubernetes" => {
                    votes.entry_ref(folder).or_default().extend(by_address.get(addr).into_iter().flatten());
                }
                _ => {}
            }
        }
    }
    // A folder whose objects point to two clusters is not decided.
    let agreed = |votes: Vec<u32>| votes.first().copied().filter(|first| votes.iter().all(|vote| vote == first));
    votes.into_iter().filter_map(|(folder, votes)| Some((folder, agreed(votes)?))).collect()
}

/// Builds the look-ups of destinations from the dated facts.
pub(super) fn index(inventory: &mut Inventory) {
    let mut ports: HashMap<ServiceKey, Vec<(u16, Arc<str>, Claim)>> = HashMap::new();
    let mut endpoints: HashMap<ServiceKey, Vec<Endpoint>> = HashMap::new();
    for (at, held) in (0..).zip(&inventory.kube) {
        match &held.fact {
            KubeFact::Node { addr, .. } => inventory.nodes.entry(*addr).or_default().push(at),
            KubeFact::Pod { addr, .. } => inventory.pods.entry(*addr).or_default().push(at),
            KubeFact::ServicePort { namespace, service, port, port_name, .. } => {
                let key = (held.cluster, namespace.clone(), service.clone());
                ports.entry(key).or_default().push((*port, port_name.clone(), held.claim));
            }
            KubeFact::Endpoint { namespace, service, port_name, port, addr, pod } => {
                if pod.is_some() {
                    inventory.pods.entry(*addr).or_default().push(at);
                }
                let key = (held.cluster, namespace.clone(), service.clone());
                endpoints.entry(key).or_default().push((port_name.clone(), *port, *addr, held.claim));
            }
            KubeFact::Call { .. } => {}
        }
    }
    forget_host_pods(inventory);
    for held in &inventory.kube {
        let KubeFact::Call { caller, name, target, .. } = &held.fact else { continue };
        let listener =
            |basis, claim| Listener { kind: caller.destination_kind(), name: format!("{}/{name}", caller.resource()), basis, claim };
        match target {
            CallTarget::Url { host, port } => match host.parse::<IpAddr>() {
                Ok(addr) => inventory.listeners.entry((held.cluster, addr, *port)).or_default().push(listener("url", held.claim)),
                Err(_) => inventory.hosts.entry(held.cluster).or_default().push(NamedHost { kind: "webhook", host: host.clone() }),
            },
            CallTarget::Service { namespace, name, port } => {
                let key = (held.cluster, namespace.clone(), name.clone());
                for (_, port_name, of_port) in ports.get(&key).into_iter().flatten().filter(|(number, ..)| number == port) {
                    for (_, end_port, addr, of_end) in endpoints.get(&key).into_iter().flatten().filter(|(name, ..)| name == port_name) {
                        if let Some(claim) = held.claim.and(of_port).and_then(|claim| claim.and(of_end)) {
                            inventory
                                .listeners
                                .entry((held.cluster, *addr, *end_port))
                                .or_default()
                                .push(listener("endpoint-slice", claim));
                        }
                    }
                }
            }
        }
    }
    for (at, cluster) in (0..).zip(&inventory.clusters) {
        for issuer in cluster.identity_issuers.iter().chain(&cluster.oidc_issuer) {
            if let Some(CallTarget::Url { host, .. }) = url_target(issuer) {
                inventory.hosts.entry(at).or_default().push(NamedHost { kind: "oidc-issuer", host });
            }
        }
    }
    for listeners in inventory.listeners.values_mut() {
        listeners.sort_unstable();
        listeners.dedup();
    }
    for hosts in inventory.hosts.values_mut() {
        hosts.sort_unstable();
        hosts.dedup();
    }
    claim_nodes(inventory);
}

/// An endpoint with a node's address is a host-network pod: the address is the node's, not the pod's.
fn forget_host_pods(inventory: &mut Inventory) {
    let nodes = &inventory.nodes;
    inventory.pods.retain(|addr, _| !nodes.contains_key(addr));
}

/// Interfaces of instances that Kubernetes calls nodes are nodes, whatever their tags say.
fn claim_nodes(inventory: &mut Inventory) {
    let mut by_instance: HashMap<&Arc<str>, u32> = HashMap::new();
    let mut by_address: HashMap<IpAddr, Vec<u32>> = HashMap::new();
    for held in &inventory.kube {
        if let KubeFact::Node { addr, instance_id, .. } = &held.fact {
            if let Some(instance) = instance_id {
                by_instance.insert(instance, held.cluster);
            }
            by_address.entry(*addr).or_default().push(held.cluster);
        }
    }
    let clusters = &inventory.clusters;
    let in_vpc = |eni: &Eni, cluster: &u32| clusters.get(*cluster as usize).is_some_and(|c| c.vpc_id.is_some() && c.vpc_id == eni.vpc_id);
    for eni in inventory.enis.iter_mut().filter(|eni| matches!(eni.kind, InterfaceKind::Other | InterfaceKind::EksNode)) {
        let Some(instance) = &eni.instance_id else { continue };
        let by_own = || eni.primary.iter().filter_map(|addr| by_address.get(addr)).flatten().find(|cluster| in_vpc(eni, cluster));
        if let Some(cluster) = by_instance.get(instance).or_else(by_own).copied() {
            eni.kind = InterfaceKind::EksNode;
            eni.cluster = eni.cluster.or(Some(cluster));
        }
    }
}
