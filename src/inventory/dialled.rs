//! Where an API server would dial: what its cluster's configuration calls, resolved at an instant.
//!
//! A Service is dialled at its pods' addresses and target ports, not at its cluster address: Service port number → its name → the
//! endpoint slices' port of that name (`k8s.io/apiserver/pkg/util/proxy`). A URL is dialled by name; which address that is, only
//! DNS answers of the inventory say. Knows nothing of routes, groups and flow records.

use crate::inventory::Inventory;
use crate::inventory::kubernetes::url_target;
use crate::inventory::model::{CallTarget, Caller, Cluster, KubeFact, KubeHeld, VpcEndpoint};
use crate::inventory::reach::held_at;
use crate::inventory::timeline::Claim;
use crate::time::{UnixSeconds, ValidPeriod};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Something that makes the API server dial out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// `webhook`, `aggregated-api`, `conversion-webhook` or `oidc-issuer`.
    pub check: &'static str,
    /// Which: kind and name of the object, or the issuer's URL.
    pub subject: String,
    /// What it names: `service NAMESPACE/NAME:PORT`, or host and port.
    pub target: String,
    /// Where that leads.
    pub leads: Leads,
    /// `Fail` or `Ignore`, of a webhook.
    pub failure_policy: Option<Arc<str>>,
    /// How long the API server waits, in seconds, of a webhook.
    pub timeout_s: Option<i64>,
    /// When that was so.
    pub claim: Claim,
}

/// Where a call leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// To these addresses and ports.
    Ends(BTreeSet<(IpAddr, u16)>),
    /// To a name; with the addresses that DNS answers gave for it, perhaps none.
    Host {
        /// Name.
        host: Arc<str>,
        /// Port.
        port: u16,
        /// Addresses.
        addrs: BTreeSet<IpAddr>,
    },
    /// Nowhere: why.
    Nowhere(String),
    /// Not known: what is missing.
    Unclear(String),
}

/// Where an address stands, as seen from a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the VPC.
    Inside,
    /// Outside of it.
    Outside,
    /// In the ranges of remote nodes or pods.
    Remote,
    /// A private address in none of the known ranges.
    Private,
}

impl Place {
    /// Returns it in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inside => "inside the VPC",
            Self::Outside => "outside the VPC",
            Self::Remote => "on a remote network",
            Self::Private => "a private address outside the VPC's ranges",
        }
    }
}

impl Inventory {
    /// Returns what makes the API server of a cluster dial out at `t`, in a fixed order.
    pub fn dials(&self, index: u32, cluster: &Cluster, t: UnixSeconds) -> Vec<Dial> {
        let facts: Vec<&KubeHeld> = self.kube().iter().filter(|held| held.cluster == index && held.claim.contains(t)).collect();
        let mut dials: Vec<Dial> = facts.iter().filter_map(|held| self.call(cluster, &facts, held)).collect();
        let issuers = cluster.oidc_issuer.iter().chain(&cluster.identity_issuers);
        let claim = cluster.seen_at(t);
        for issuer in issuers.collect::<BTreeSet<_>>() {
            let Some(CallTarget::Url { host, port }) = url_target(issuer) else { continue };
            dials.push(Dial {
                check: "oidc-issuer",
                subject: issuer.to_string(),
                target: format!("{host}:{port}"),
                leads: self.host(cluster, &host, port),
                failure_policy: None,
                timeout_s: None,
                claim,
            });
        }
        dials.sort_by(|a, b| (a.check, &a.subject, &a.target, &a.failure_policy).cmp(&(b.check, &b.subject, &b.target, &b.failure_policy)));
        dials.dedup();
        dials
    }

    fn call(&self, cluster: &Cluster, facts: &[&KubeHeld], held: &KubeHeld) -> Option<Dial> {
        let KubeFact::Call { caller, name, hook, target, timeout_s, failure_policy } = &held.fact else { return None };
        let (target, leads) = match target {
            CallTarget::Service { namespace, name, port } => {
                (format!("service {namespace}/{name}:{port}"), service_ends(facts, namespace, name, *port))
            }
            CallTarget::Url { host, port } => (format!("{host}:{port}"), self.host(cluster, host, *port)),
        };
        let of = hook.as_ref().map(|hook| format!(" {hook}")).unwrap_or_default();
        Some(Dial {
            check: match caller {
                Caller::Validating | Caller::Mutating => "webhook",
                Caller::ApiService => "aggregated-api",
                Caller::Conversion => "conversion-webhook",
            },
            subject: format!("{}/{name}{of}", caller.resource()),
            target,
            leads,
            failure_policy: failure_policy.clone(),
            timeout_s: *timeout_s,
            claim: held.claim,
        })
    }

    /// Where a host leads: an address literal, or what DNS said to the cluster's VPC.
    fn host(&self, cluster: &Cluster, host: &Arc<str>, port: u16) -> Leads {
        if let Ok(addr) = host.parse() {
            return Leads::Ends(BTreeSet::from([(addr, port)]));
        }
        let said = |vpc: &Option<Arc<str>>| vpc.is_none() || cluster.vpc_id.is_none() || *vpc == cluster.vpc_id;
        let answers = self.answers.iter().filter(|(_, answers)| answers.iter().any(|answer| answer.host == *host && said(&answer.vpc_id)));
        Leads::Host { host: Arc::clone(host), port, addrs: answers.map(|(addr, _)| *addr).collect() }
    }

    /// Returns whether Kubernetes objects of a cluster were collected at all.
    pub fn has_objects(&self, index: u32, t: UnixSeconds) -> bool {
        self.kube().iter().any(|held| held.cluster == index && held.claim.contains(t))
    }

    /// Returns the nodes of a cluster at `t`: name and InternalIP.
    pub fn nodes_of(&self, index: u32, t: UnixSeconds) -> Vec<(Arc<str>, IpAddr, Claim)> {
        let held = self.kube().iter().filter(|held| held.cluster == index && held.claim.contains(t));
        held.filter_map(|held| match &held.fact {
            KubeFact::Node { name, addr, .. } => Some((Arc::clone(name), *addr, held.claim)),
            _ => None,
        })
        .collect()
    }

    /// Returns where an address stands, as seen from a cluster; `None` if the ranges of its VPC are not known.
    pub fn place(&self, cluster: &Cluster, addr: IpAddr, t: UnixSeconds) -> Option<Place> {
        let vpc = held_at(self.vpcs(), t, |vpc| cluster.vpc_id.as_ref() == Some(&vpc.id))?;
        if vpc.item.cidrs.iter().any(|range| range.contains(&addr)) {
            return Some(Place::Inside);
        }
        if cluster.remote_node_networks.iter().chain(&cluster.remote_pod_networks).any(|range| range.contains(&addr)) {
            return Some(Place::Remote);
        }
        let elsewhere =
            super::ranges::is_private(addr) && self.vpcs().iter().all(|other| !other.item.cidrs.iter().any(|range| range.contains(&addr)));
        Some(if elsewhere { Place::Private } else { Place::Outside })
    }

    /// Returns the interface endpoint of a VPC for an AWS service's name (`oidc-eks`), whatever its state.
    pub fn endpoint_of(&self, vpc_id: Option<&str>, service: &str, t: UnixSeconds) -> Option<&super::Held<VpcEndpoint>> {
        held_at(self.vpc_endpoints(), t, |endpoint| {
            endpoint.vpc_id.as_deref() == vpc_id && endpoint.service.as_deref().and_then(|name| name.rsplit('.').next()) == Some(service)
        })
    }
}

impl Cluster {
    /// Returns when the cluster was last seen up to `t`, as the claim of a fact that its description states.
    pub fn seen_at(&self, t: UnixSeconds) -> Claim {
        let seen = self.mode_seen.iter().map(|(at, _)| *at).filter(|at| *at <= t && *at != i64::MIN).max();
        let to = seen.map_or(i64::MAX, |at| at.saturating_add(1));
        Claim { valid: self.valid, seen: ValidPeriod { from: i64::MIN, to }, possible: self.valid, dated: seen.is_some() }
    }
}

/// Resolves a Service's port to the pods behind it.
fn service_ends(facts: &[&KubeHeld], namespace: &str, name: &str, port: u16) -> Leads {
    let mut ports: BTreeMap<u16, &Arc<str>> = BTreeMap::new();
    let (mut any_service, mut any_endpoint) = (false, false);
    for held in facts {
        match &held.fact {
            KubeFact::ServicePort { namespace: in_space, service, port, port_name, .. } => {
                any_service = true;
                if **in_space == *namespace && **service == *name {
                    ports.insert(*port, port_name);
                }
            }
            KubeFact::Endpoint { .. } => any_endpoint = true,
            _ => {}
        }
    }
    let Some(port_name) = ports.get(&port) else {
        return match (any_service, ports.is_empty()) {
            (false, _) => Leads::Unclear("no Service of the cluster is in the inventory".to_owned()),
            (true, true) => Leads::Nowhere(format!("there is no Service {namespace}/{name} with ports")),
            (true, false) => Leads::Nowhere(format!("Service {namespace}/{name} has no port {port}")),
        };
    };
    let ends: BTreeSet<(IpAddr, u16)> = facts
        .iter()
        .filter_map(|held| match &held.fact {
            KubeFact::Endpoint { namespace: in_space, service, port_name: of, port, addr, .. }
                if **in_space == *namespace && **service == *name && of == *port_name =>
            {
                Some((*addr, *port))
            }
            _ => None,
        })
        .collect();
    match (ends.is_empty(), any_endpoint) {
        (false, _) => Leads::Ends(ends),
        (true, true) => Leads::Nowhere(format!("Service {namespace}/{name} has no endpoint, so nothing is dialled")),
        (true, false) => Leads::Unclear("no EndpointSlice of the cluster is in the inventory".to_owned()),
    }
}
