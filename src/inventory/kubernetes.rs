//! Kubernetes objects → facts that name a destination of the API server.
//!
//! Reads `kubectl get … -o json`: nodes, pods, services, endpoint slices (and the older endpoints), webhook configurations,
//! API services and conversion webhooks. An API server dials the pod's address and target port, not the
//! cluster address; which end that is follows `k8s.io/apiserver/pkg/util/proxy`: Service port number → its name → the
//! endpoint slices' port of that name. Other kinds are ignored.

use crate::inventory::json::{elements, instant, member, text};
use crate::inventory::model::{CallTarget, Caller, KubeFact};
use crate::inventory::snapshot::Sighting;
use crate::inventory::timeline::Life;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// Port of a webhook or API service that names none.
const HTTPS: u16 = 443;

/// Reads one object.
pub(super) fn object(value: &Value, out: &mut Vec<Sighting>) {
    read(text(value, "kind").unwrap_or(""), value, out);
}

/// Reads the items of a typed list (`PodList`), whose elements do not repeat their kind.
pub(super) fn untyped_items(list: &Value, items: &[Value], out: &mut Vec<Sighting>) {
    let kind = text(list, "kind").and_then(|kind| kind.strip_suffix("List")).unwrap_or("");
    items.iter().for_each(|item| read(kind, item, out));
}

fn read(kind: &str, v: &Value, out: &mut Vec<Sighting>) {
    let Some(meta) = Meta::of(v) else { return };
    let (kind, thing, facts) = match kind {
        "Node" => ("Node", meta.path(), node(&meta, v)),
        "Pod" => ("Pod", meta.path(), pod(&meta, v)),
        "Service" => ("Service", meta.path(), service(&meta, v)),
        "EndpointSlice" => ("EndpointSlice", format!("{}/{}", meta.namespace, meta.service()), endpoint_slice(&meta, v)),
        "Endpoints" => ("Endpoints", meta.path(), endpoints(&meta, v)),
        "ValidatingWebhookConfiguration" => ("ValidatingWebhookConfiguration", meta.path(), webhooks(Caller::Validating, &meta, v)),
        "MutatingWebhookConfiguration" => ("MutatingWebhookConfiguration", meta.path(), webhooks(Caller::Mutating, &meta, v)),
        "APIService" => ("APIService", meta.path(), api_service(&meta, v)),
        "CustomResourceDefinition" => ("CustomResourceDefinition", meta.path(), conversion(&meta, v)),
        _ => return,
    };
    // A Service's endpoints move between slices, so a slice's own age says nothing about them.
    let created = if kind == "EndpointSlice" { None } else { meta.created };
    out.push(Sighting::Kube { kind, thing, life: Life::began(created), facts });
}

struct Meta<'a> {
    namespace: Arc<str>,
    name: Arc<str>,
    created: Option<i64>,
    value: &'a Value,
}

impl<'a> Meta<'a> {
    fn of(v: &'a Value) -> Option<Meta<'a>> {
        let value = member(v, "metadata")?;
        Some(Meta {
            namespace: text(value, "namespace").unwrap_or("").into(),
            name: text(value, "name")?.into(),
            created: instant(value, "creationTimestamp"),
            value,
        })
    }

    fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

fn port(v: &Value, name: &str) -> Option<u16> {
    member(v, name)?.as_u64()?.try_into().ok()
}

fn node(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let provider = member(v, "spec").and_then(|spec| text(spec, "providerID"));
    let instance_id: Option<Arc<str>> = provider.and_then(|id| id.rsplit('/').next()).filter(|id| id.starts_with("i-")).map(Arc::from);
    let addresses = member(v, "status").map(|status| elements(status, "addresses")).unwrap_or(&[]);
    let internal = addresses.iter().filter(|address| text(address, "type") == Some("InternalIP"));
    let addrs = internal.filter_map(|address| text(address, "address")?.parse().ok());
    addrs.map(|addr| KubeFact::Node { name: meta.name.clone(), addr, instance_id: instance_id.clone() }).collect()
}

fn pod(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let (spec, status) = (member(v, "spec"), member(v, "status"));
    // A host-network pod has its node's address, which is not the pod's to name.
    let host_network = spec.and_then(|spec| member(spec, "hostNetwork")).and_then(Value::as_bool) == Some(true);
    let finished = status.and_then(|status| text(status, "phase")).is_some_and(|phase| matches!(phase, "Succeeded" | "Failed"));
    let Some(status) = status.filter(|_| !host_network && !finished) else { return Vec::new() };
    let mut addrs: Vec<IpAddr> = elements(status, "podIPs").iter().filter_map(|ip| text(ip, "ip")?.parse().ok()).collect();
    addrs.extend(text(status, "podIP").and_then(|ip| ip.parse::<IpAddr>().ok()));
    addrs.sort_unstable();
    addrs.dedup();
    let node: Option<Arc<str>> = spec.and_then(|spec| text(spec, "nodeName")).map(Arc::from);
    let fact = |addr| KubeFact::Pod { namespace: meta.namespace.clone(), name: meta.name.clone(), addr, node: node.clone() };
    addrs.into_iter().map(fact).collect()
}

fn service(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let Some(spec) = member(v, "spec") else { return Vec::new() };
    let cluster_ip: Option<Arc<str>> = text(spec, "clusterIP").map(Arc::from);
    let fact = |p: &Value| {
        Some(KubeFact::ServicePort {
            namespace: meta.namespace.clone(),
            service: meta.name.clone(),
            port: port(p, "port")?,
            port_name: text(p, "name").unwrap_or("").into(),
            cluster_ip: cluster_ip.clone(),
        })
    };
    elements(spec, "ports").iter().filter_map(fact).collect()
}

impl Meta<'_> {
    /// Returns the Service that a slice belongs to.
    fn service(&self) -> &str {
        let label = member(self.value, "labels").and_then(|labels| labels.get("kubernetes.io/service-name"));
        label.and_then(Value::as_str).unwrap_or(&self.name)
    }
}

fn pod_target(endpoint: &Value) -> Option<Arc<str>> {
    let target = member(endpoint, "targetRef").filter(|target| text(target, "kind") == Some("Pod"))?;
    Some(format!("{}/{}", text(target, "namespace")?, text(target, "name")?).into())
}

fn endpoint_slice(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let mut out = Vec::new();
    for endpoint in elements(v, "endpoints") {
        let pod = pod_target(endpoint);
        for addr in elements(endpoint, "addresses").iter().filter_map(|addr| addr.as_str()?.parse().ok()) {
            for p in elements(v, "ports") {
                out.extend(endpoint_fact(meta, meta.service(), addr, p, pod.clone()));
            }
        }
    }
    out
}

fn endpoint_fact(meta: &Meta<'_>, service: &str, addr: IpAddr, p: &Value, pod: Option<Arc<str>>) -> Option<KubeFact> {
    Some(KubeFact::Endpoint {
        namespace: meta.namespace.clone(),
        service: service.into(),
        port_name: text(p, "name").unwrap_or("").into(),
        port: port(p, "port")?,
        addr,
        pod,
    })
}

fn endpoints(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let mut out = Vec::new();
    for subset in elements(v, "subsets") {
        for endpoint in elements(subset, "addresses").iter().chain(elements(subset, "notReadyAddresses")) {
            let Some(addr) = text(endpoint, "ip").and_then(|ip| ip.parse().ok()) else { continue };
            out.extend(elements(subset, "ports").iter().filter_map(|p| endpoint_fact(meta, &meta.name, addr, p, pod_target(endpoint))));
        }
    }
    out
}

fn service_target(service: &Value) -> Option<CallTarget> {
    Some(CallTarget::Service {
        namespace: text(service, "namespace")?.into(),
        name: text(service, "name")?.into(),
        port: port(service, "port").unwrap_or(HTTPS),
    })
}

fn client_target(config: &Value) -> Option<CallTarget> {
    member(config, "service").and_then(service_target).or_else(|| url_target(text(config, "url")?))
}

/// Returns host and port of an `https://` URL.
pub(super) fn url_target(url: &str) -> Option<CallTarget> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, port)) => (v6, port.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(HTTPS), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| CallTarget::Url { host: host.trim_end_matches('.').to_ascii_lowercase().into(), port })
}

fn call(caller: Caller, meta: &Meta<'_>, target: CallTarget) -> KubeFact {
    KubeFact::Call { caller, name: meta.name.clone(), hook: None, target, timeout_s: None, failure_policy: None }
}

fn webhooks(caller: Caller, meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let hook = |hook: &Value| {
        Some(KubeFact::Call {
            caller,
            name: meta.name.clone(),
            hook: text(hook, "name").map(Arc::from),
            target: client_target(member(hook, "clientConfig")?)?,
            timeout_s: member(hook, "timeoutSeconds").and_then(Value::as_i64),
            failure_policy: text(hook, "failurePolicy").map(Arc::from),
        })
    };
    elements(v, "webhooks").iter().filter_map(hook).collect()
}

fn api_service(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    // Without a service it is built into the API server.
    let target = member(v, "spec").and_then(|spec| member(spec, "service")).and_then(service_target);
    target.map(|target| call(Caller::ApiService, meta, target)).into_iter().collect()
}

fn conversion(meta: &Meta<'_>, v: &Value) -> Vec<KubeFact> {
    let conversion = member(v, "spec").and_then(|spec| member(spec, "conversion"));
    let webhook = conversion.filter(|c| text(c, "strategy") == Some("Webhook")).and_then(|c| member(c, "webhook"));
    let target = webhook.and_then(|webhook| client_target(member(webhook, "clientConfig")?));
    target.map(|target| call(Caller::Conversion, meta, target)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_host_and_port() {
        let check = |url: &str, want: Option<(&str, u16)>| {
            let got = url_target(url).map(|target| match target {
                CallTarget::Url { host, port } => (host.to_string(), port),
                CallTarget::Service { .. } => unreachable!("a URL"),
            });
            assert_eq!(got, want.map(|(host, port)| (host.to_owned(), port)), "{url}");
        };
        check("https://policy.corp.example.com:8443/v1/check", Some(("policy.corp.example.com", 8443)));
        check("https://10.1.2.3", Some(("10.1.2.3", 443)));
        check("https://[fd00::1]:9443/x", Some(("fd00::1", 9443)));
        check("https://user@Login.Example.com/realms", Some(("login.example.com", 443)));
        check("https://:1", None);
        check("nothing", None);
    }
}
