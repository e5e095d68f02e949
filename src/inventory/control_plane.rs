//! The scored rule that decides whether an interface belongs to a cluster's control plane.
//!
//! A description alone proves nothing: anyone can name an interface `Amazon EKS x`, and `contains` would mix `prod` with
//! `prod-2`. Five rules: 1 the exact cluster name, 2 the requester's session, 3 an attachment that belongs to another
//! account and names no instance, 4 subnet and VPC, 5 the cluster security group. 1 and 4 accept; 1 with 2, 3 or 5 accepts with
//! a warning; 1 alone is a suspect. Source: EKS user guide, network requirements; samples of describe-network-interfaces.

use crate::inventory::model::{Cluster, ControlPlaneMatch, Eni};
use std::sync::Arc;

/// What EKS writes before the cluster's name.
const DESCRIPTION: &str = "Amazon EKS ";
/// End of the requester id: the session name of EKS's role.
const REQUESTER: &str = ":AmazonEKS";
/// A cluster is created before its interfaces; clocks of two services differ by less than this.
const CLOCK_SKEW_S: i64 = 300;

/// What the rule says about one interface.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It does not look like one.
    NotOne,
    /// It belongs to the cluster of this index.
    Accepted(u32, ControlPlaneMatch),
    /// It looks like one, but is not counted.
    Suspected(Arc<str>, String),
}

/// Returns the cluster name that a description carries.
pub(super) fn cluster_name(description: &str) -> Option<&str> {
    description.strip_prefix(DESCRIPTION).filter(|name| !name.is_empty())
}

/// Judges one interface against the clusters of its name.
pub(super) fn judge(eni: &Eni, clusters: &[Cluster], named: &[u32]) -> Judgement {
    let Some(name) = cluster_name(&eni.description) else { return Judgement::NotOne };
    let in_scope = |cluster: &Cluster, rules: &[u8]| {
        let same = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| a.is_none() || b.is_none() || a == b;
        // In a shared subnet the owner of the interface need not be the owner of the cluster.
        same(&eni.region, &cluster.region) && (same(&eni.account_id, &cluster.account_id) || rules.contains(&4))
    };
    let scored = named.iter().filter_map(|index| {
        let cluster = clusters.get(*index as usize)?;
        let rules = rules(eni, cluster);
        in_scope(cluster, &rules).then_some((*index, cluster, rules))
    });
    let scored: Vec<_> = scored.collect();
    if scored.is_empty() {
        let reason = format!("the inventory has no describe-cluster of {name} in its account and region");
        return Judgement::Suspected(name.into(), reason);
    }
    let fitting = scored.iter().filter(|(_, cluster, _)| lives_with(eni, cluster));
    // Of several lives of one name the latest that began before the interface did.
    let Some((index, _, rules)) = fitting.max_by_key(|(index, cluster, rules)| (cluster.created_at, rules.len(), *index)) else {
        return Judgement::Suspected(name.into(), format!("no cluster {name} of the inventory lived at its time"));
    };
    let has = |rule| rules.contains(&rule);
    if !(has(2) || has(3) || has(4) || has(5)) {
        let reason = "only its description says so: requester, attachment, subnet and security groups do not".to_owned();
        return Judgement::Suspected(name.into(), reason);
    }
    let mut warnings = Vec::new();
    if !has(4) {
        warnings.push("its subnet is not among the cluster's: the subnets were changed, or the capture is old".to_owned());
    }
    if eni.instance_id.is_some() {
        warnings.push("it is attached to an instance of this account, which EKS's own never are".to_owned());
    }
    if eni.requester_id.is_some() && !has(2) && !has(3) {
        warnings.push("its requester is not EKS".to_owned());
    }
    Judgement::Accepted(*index, ControlPlaneMatch { score: rules.len() as u8, rules: rules.clone(), warnings })
}

/// Returns the rules that hold; the name is compared by whoever found the cluster.
fn rules(eni: &Eni, cluster: &Cluster) -> Vec<u8> {
    let subnet = eni.subnet_id.as_ref().is_some_and(|subnet| cluster.subnet_ids.binary_search(subnet).is_ok());
    let same_vpc = eni.vpc_id.is_none() || cluster.vpc_id.is_none() || eni.vpc_id == cluster.vpc_id;
    let group = cluster.cluster_security_group_id.as_ref().is_some_and(|group| eni.groups.contains(group));
    let checks = [
        true,
        eni.requester_id.as_ref().is_some_and(|requester| requester.ends_with(REQUESTER)),
        eni.foreign_owner && eni.instance_id.is_none(),
        subnet && same_vpc,
        group,
    ];
    (1..).zip(checks).filter(|(_, holds)| *holds).map(|(rule, _)| rule).collect()
}

/// Returns whether the interface can have belonged to this life of the cluster.
fn lives_with(eni: &Eni, cluster: &Cluster) -> bool {
    let born = cluster.created_at.unwrap_or(i64::MIN).saturating_sub(CLOCK_SKEW_S);
    match eni.known_from {
        Some(from) => born <= from && from < cluster.valid.to,
        None => eni.valid.to > born,
    }
}
