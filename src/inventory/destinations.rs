//! Name and kind of a destination of a cluster's API server.
//!
//! The first basis that applies gives the name; the order is that of `docs/meanings.md`: what the cluster's configuration
//! calls, then kubelets, then interfaces, then names by DNS, then pods, then ranges. All names that a basis gives are
//! kept, since one pod can back several webhooks.

use crate::inventory::Inventory;
use crate::inventory::kinds::InterfaceKind;
use crate::inventory::model::{CallTarget, Cluster, KubeFact, KubeHeld};
use crate::inventory::peers::{Peer, pod_name};
use crate::inventory::ranges::is_private;
use crate::inventory::timeline::Claim;
use crate::time::UnixSeconds;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Port of the kubelet API.
const KUBELET: u16 = 10_250;
/// TCP's protocol number.
const TCP: u8 = 6;

/// What a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `webhook`, `kubelet`, `vpc-endpoint`, …, `private`, `internet`.
    pub kind: &'static str,
    /// Names, sorted and unique; none for `private` and `internet`.
    pub names: Vec<String>,
    /// What the answer rests on.
    pub basis: &'static str,
}

impl Destination {
    fn new(kind: &'static str, basis: &'static str, names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self { kind, names, basis }
    }
}

/// An end that the configuration of a cluster calls, with the object that does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listener {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) basis: &'static str,
    pub(super) claim: Claim,
}

/// A host that the configuration of a cluster names, and what for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamedHost {
    pub(super) kind: &'static str,
    pub(super) host: Arc<str>,
}

/// A DNS answer: which host an address stood for, when, and to which VPC that was said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    pub(super) host: Arc<str>,
    pub(super) at: UnixSeconds,
    pub(super) vpc_id: Option<Arc<str>>,
}

/// Order of the kinds where one end is several things.
const KIND_ORDER: [&str; 3] = ["webhook", "aggregated-api", "crd-conversion"];

impl Inventory {
    /// Returns what the end is, as seen from a control-plane interface (`recorder`) of the cluster at `t`.
    ///
    /// `aws_service` is the record's `pkt-dst-aws-service`, if it has one.
    #[expect(clippy::too_many_arguments, reason = "one destination of one record: each of these decides")]
    pub fn destination(
        &self,
        cluster: u32,
        recorder: u32,
        addr: IpAddr,
        port: u16,
        protocol: u8,
        t: UnixSeconds,
        aws_service: Option<&str>,
    ) -> Destination {
        let peer = self.peer(Some(recorder), None, addr, t);
        let of_cluster = self.clusters.get(cluster as usize);
        self.configured(cluster, addr, port, protocol, t)
            .or_else(|| self.kubelet(cluster, &peer, addr, port, protocol, t))
            .or_else(|| interface(&peer))
            .or_else(|| self.by_dns(cluster, of_cluster, addr, t))
            .or_else(|| self.pod(cluster, &peer, addr, t))
            .or_else(|| hybrid_node(of_cluster?, addr))
            .or_else(|| self.prefix_list(addr, t))
            .or_else(|| self.aws_service(addr, aws_service))
            .or_else(|| node(&peer))
            .unwrap_or_else(|| {
                let private = is_private(addr) || self.book.is_in_a_vpc(addr);
                Destination::new(if private { "private" } else { "internet" }, "address", [])
            })
    }

    /// Returns the names under which the destinations that the cluster's configuration calls are known: objects that call a service,
    /// and hosts.
    pub fn configured_callers(&self, cluster: u32) -> BTreeSet<String> {
        let calls = self.kube.iter().filter(|held| held.cluster == cluster).filter_map(|held| match &held.fact {
            KubeFact::Call { caller, name, target: CallTarget::Service { .. }, .. } => Some(format!("{}/{name}", caller.resource())),
            KubeFact::Call { target: CallTarget::Url { host, .. }, .. } => Some(host.to_string()),
            _ => None,
        });
        let hosts = self.hosts.get(&cluster).into_iter().flatten().map(|named| named.host.to_string());
        calls.chain(hosts).collect()
    }

    /// Returns whether the inventory has Kubernetes objects of the cluster that name what it calls.
    pub fn has_kubernetes(&self, cluster: u32) -> bool {
        self.kube.iter().any(|held| held.cluster == cluster)
    }

    /// Returns whether a webhook, API service or conversion of the cluster calls this end at any time.
    pub fn is_configured_listener(&self, cluster: u32, addr: IpAddr, port: u16) -> bool {
        self.listeners.contains_key(&(cluster, addr, port))
    }

    /// Returns all such ends: (cluster, address, port); sorted.
    pub fn configured_listeners(&self) -> BTreeSet<(u32, IpAddr, u16)> {
        self.listeners.keys().copied().collect()
    }

    fn configured(&self, cluster: u32, addr: IpAddr, port: u16, protocol: u8, t: UnixSeconds) -> Option<Destination> {
        if protocol != TCP {
            return None;
        }
        let listeners = self.listeners.get(&(cluster, addr, port))?;
        let valid = best_at(listeners, |listener| &listener.claim, t);
        let kind = KIND_ORDER.into_iter().find(|kind| valid.iter().any(|listener| listener.kind == *kind))?;
        let basis = valid.iter().find(|listener| listener.kind == kind)?.basis;
        Some(Destination::new(kind, basis, valid.iter().map(|listener| listener.name.clone())))
    }

    fn facts_at(&self, index: &hashbrown::HashMap<IpAddr, Vec<u32>>, cluster: u32, addr: IpAddr, t: UnixSeconds) -> Vec<&KubeHeld> {
        let facts = index.get(&addr).into_iter().flatten().filter_map(|index| self.kube.get(*index as usize));
        let facts: Vec<&KubeHeld> = facts.filter(|held| held.cluster == cluster).collect();
        best_at(&facts, |held| &held.claim, t).into_iter().copied().collect()
    }

    fn kubelet(&self, cluster: u32, peer: &Peer<'_>, addr: IpAddr, port: u16, protocol: u8, t: UnixSeconds) -> Option<Destination> {
        if port != KUBELET || protocol != TCP {
            return None;
        }
        let facts = self.facts_at(&self.nodes, cluster, addr, t);
        let names: Vec<_> = facts
            .iter()
            .filter_map(|held| if let KubeFact::Node { name, .. } = &held.fact { Some(format!("kubelet/{name}")) } else { None })
            .collect();
        if !names.is_empty() {
            return Some(Destination::new("kubelet", "node", names));
        }
        let node = peer.eni.filter(|_| peer.kind == Some(InterfaceKind::EksNode.as_str()))?;
        Some(Destination::new("kubelet", "eni", [format!("kubelet/{}", node.instance_id.as_ref().unwrap_or(&node.id))]))
    }

    fn by_dns(&self, cluster: u32, of_cluster: Option<&Cluster>, addr: IpAddr, t: UnixSeconds) -> Option<Destination> {
        let hosts = self.hosts.get(&cluster)?;
        let vpc = of_cluster.and_then(|cluster| cluster.vpc_id.as_deref());
        let answers =
            self.answers.get(&addr)?.iter().filter(|answer| answer.vpc_id.is_none() || vpc.is_none() || answer.vpc_id.as_deref() == vpc);
        let named: Vec<(&NamedHost, i64)> = answers
            .flat_map(|answer| hosts.iter().filter(|host| host.host == answer.host).map(|host| (host, answer.at.abs_diff(t) as i64)))
            .collect();
        let (nearest, _) = named.iter().min_by_key(|(host, distance)| (*distance, *host))?;
        Some(Destination::new(
            nearest.kind,
            "dns",
            named.iter().filter(|(host, _)| host.kind == nearest.kind).map(|(host, _)| host.host.to_string()),
        ))
    }

    fn pod(&self, cluster: u32, peer: &Peer<'_>, addr: IpAddr, t: UnixSeconds) -> Option<Destination> {
        let names: Vec<String> = self.facts_at(&self.pods, cluster, addr, t).iter().filter_map(|held| pod_name(&held.fact)).collect();
        if !names.is_empty() {
            return Some(Destination::new("pod", "pod", names));
        }
        (peer.kind == Some(InterfaceKind::EksPod.as_str())).then(|| {
            let name = peer.name.as_deref().filter(|name| name.starts_with("pod/")).unwrap_or("pod");
            Destination::new("pod", "eni", [name.to_owned()])
        })
    }

    fn prefix_list(&self, addr: IpAddr, t: UnixSeconds) -> Option<Destination> {
        let entries = self.listed_ranges.containing(addr).flat_map(|(_, entries)| entries);
        let names: Vec<String> = entries.filter(|(_, claim)| claim.contains(t)).map(|(name, _)| name.to_string()).collect();
        (!names.is_empty()).then(|| Destination::new("prefix-list", "prefix-list", names))
    }

    fn aws_service(&self, addr: IpAddr, logged: Option<&str>) -> Option<Destination> {
        let ranges = self.ranges.candidates(addr);
        let name = |service: &str, region: Option<&str>| region.map_or_else(|| service.to_owned(), |region| format!("{service} {region}"));
        if let Some(service) = logged.filter(|service| !service.is_empty() && *service != "-") {
            let region = ranges.iter().find(|range| &*range.service == service).map(|range| &*range.region);
            return Some(Destination::new("aws-service", "pkt-dst-aws-service", [name(service, region)]));
        }
        let best = ranges.first()?;
        let specific =
            ranges.iter().filter(|range| range.prefix == best.prefix && (&*range.service == "AMAZON") == (&*best.service == "AMAZON"));
        Some(Destination::new("aws-service", "ip-ranges", specific.map(|range| name(&range.service, Some(&range.region)))))
    }
}

/// Returns the items that held at `t`; those that were seen around `t` before those that are carried on.
fn best_at<T>(items: &[T], claim: impl Fn(&T) -> &Claim, t: UnixSeconds) -> Vec<&T> {
    let valid: Vec<&T> = items.iter().filter(|item| claim(item).contains(t)).collect();
    let seen: Vec<&T> = valid.iter().copied().filter(|item| !claim(item).is_extrapolated_at(t)).collect();
    if seen.is_empty() { valid } else { seen }
}

fn interface(peer: &Peer<'_>) -> Option<Destination> {
    let eni = peer.eni?;
    let kind = peer.kind.filter(|kind| !["eks-node", "eks-pod", "other"].contains(kind))?;
    let name = match eni.kind {
        InterfaceKind::EksControlPlane => peer.name.as_deref(),
        _ => eni.resource.as_deref(),
    };
    Some(Destination::new(kind, "eni", [name.unwrap_or(&eni.id).to_owned()]))
}

fn hybrid_node(cluster: &Cluster, addr: IpAddr) -> Option<Destination> {
    let networks = cluster.remote_node_networks.iter().chain(&cluster.remote_pod_networks);
    let network: &IpNet = networks.filter(|network| network.contains(&addr)).max_by_key(|network| network.prefix_len())?;
    Some(Destination::new("hybrid-node", "remote-network", [network.to_string()]))
}

fn node(peer: &Peer<'_>) -> Option<Destination> {
    let eni = peer.eni.filter(|_| peer.kind == Some(InterfaceKind::EksNode.as_str()))?;
    Some(Destination::new("eks-node", "eni", [eni.instance_id.as_ref().unwrap_or(&eni.id).to_string()]))
}
