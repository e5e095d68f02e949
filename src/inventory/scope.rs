//! Which instant, account, region and cluster a file speaks of.
//!
//! First found: a wrapper's members; the path, nearest part first; the user's option. Never the file's modification
//! time: a copied file would change its meaning.

use crate::inventory::json::instant_of;
use crate::inventory::snapshot::{Owner, is_account, owner_of_arn, region_of_zone};
use crate::time::{UnixSeconds, find_stamp};
use serde_json::Value;
use std::sync::Arc;

/// What is known of all sightings of one document.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) at: Option<UnixSeconds>,
    pub(super) owner: Owner,
    /// Cluster name or ARN that a wrapper gives.
    pub(super) cluster: Option<Arc<str>>,
    pub(super) prefix_list: Option<Arc<str>>,
    /// IAM role and policy, where the document itself does not name them.
    pub(super) role: Option<Arc<str>>,
    pub(super) policy: Option<Arc<str>>,
    pub(super) path: Arc<str>,
}

/// Leading parts of region names; a folder `my-app-1` is none.
const REGION_AREAS: [&str; 12] = ["us", "eu", "ap", "sa", "ca", "me", "af", "il", "cn", "mx", "eusc", "us-iso"];

fn is_region(part: &str) -> bool {
    region_of_zone(part) == Some(part)
        && part.split('-').count() >= 3
        && part.split('-').next().is_some_and(|area| REGION_AREAS.contains(&area))
}

/// Returns the words of a path part that could be an account, region or id.
fn words(part: &str) -> impl Iterator<Item = &str> {
    let stem = part.strip_suffix(".gz").unwrap_or(part);
    let stem = stem.rsplit_once('.').filter(|(_, suffix)| suffix.len() <= 6 && !suffix.contains('-')).map_or(stem, |(stem, _)| stem);
    std::iter::once(stem).chain(part.split(['_', '=', '.', ' ']))
}

/// Returns the name that stands behind a folder: `roles/NAME/…`, `policies/NAME.json`.
fn part_behind(path: &str, folder: &str) -> Option<Arc<str>> {
    let mut parts = path.rsplit(['/', '\\']);
    let mut below = parts.next()?;
    for part in parts {
        if part == folder {
            let stem = below.strip_suffix(".gz").unwrap_or(below);
            return Some(stem.strip_suffix(".json").unwrap_or(stem).into());
        }
        below = part;
    }
    None
}

impl Scope {
    /// Reads what the path says; `as_of` is for files without a time.
    pub(super) fn of_path(path: &str, as_of: Option<UnixSeconds>) -> Scope {
        let parts = || path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
        let word = |wanted: fn(&str) -> bool| parts().flat_map(words).find(|word| wanted(word)).map(Arc::from);
        Scope {
            at: parts().find_map(find_stamp).or(as_of),
            owner: Owner { account: word(is_account), region: word(is_region) },
            cluster: None,
            prefix_list: word(|word| word.starts_with("pl-")),
            role: part_behind(path, "roles"),
            policy: part_behind(path, "policies"),
            path: path.into(),
        }
    }

    /// Returns this scope with what a wrapper says on top.
    pub(super) fn within(&self, wrapper: &Value) -> Scope {
        let get = |names: &[&str]| names.iter().find_map(|name| wrapper.get(*name));
        let shared = |names: &[&str]| get(names).and_then(Value::as_str).filter(|text| !text.is_empty()).map(Arc::from);
        let cluster: Option<Arc<str>> = shared(&["cluster_arn", "clusterArn", "cluster_name", "clusterName", "cluster"]);
        let arn = cluster.as_deref().map(owner_of_arn).unwrap_or_default();
        Scope {
            at: get(&["collected_at", "collectedAt"]).and_then(instant_of).or(self.at),
            owner: Owner {
                account: shared(&["account_id", "accountId", "account"]).or(arn.account).or_else(|| self.owner.account.clone()),
                region: shared(&["region"]).or(arn.region).or_else(|| self.owner.region.clone()),
            },
            cluster: cluster.or_else(|| self.cluster.clone()),
            prefix_list: shared(&["prefix_list_id", "prefixListId"]).or_else(|| self.prefix_list.clone()),
            role: shared(&["role_name", "roleName"]).or_else(|| self.role.clone()),
            policy: shared(&["policy_arn", "policyArn"]).or_else(|| self.policy.clone()),
            path: self.path.clone(),
        }
    }

    /// Returns whether the path or wrapper names the cluster.
    pub(super) fn names_cluster(&self, name: &str, arn: &str) -> bool {
        if let Some(cluster) = &self.cluster {
            return **cluster == *name || **cluster == *arn;
        }
        self.path.split(['/', '\\']).any(|part| {
            part == name
                || part.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '_', ' ', '@']))
                || part.len() >= arn.len() && part.contains(&arn.replace(['/', ':'], "_"))
        })
    }

    /// Returns whether a part of the path ends with the cluster's name after a separator: `k8s-prod`, `kubectl_prod`.
    /// Weaker than [`Scope::names_cluster`]: `k8s-prod-2` ends with the name of a cluster `2` as well, so the longest name wins.
    pub(super) fn ends_with_cluster(&self, name: &str) -> bool {
        let ends = |part: &str| part.strip_suffix(name).is_some_and(|rest| rest.ends_with(['-', '_', '.', ' ', '@']));
        self.cluster.is_none()
            && self.path.split(['/', '\\']).any(|part| ends(part) || part.rsplit_once('.').is_some_and(|(stem, _)| ends(stem)))
    }

    /// Returns the folder that the file lies in.
    pub(super) fn folder(&self) -> &str {
        self.path.rfind(['/', '\\']).and_then(|at| self.path.get(..at)).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::rfc3339;

    #[test]
    fn paths_carry_time_and_scope() {
        let check = |path: &str, at: Option<&str>, account: Option<&str>, region: Option<&str>| {
            let scope = Scope::of_path(path, None);
            assert_eq!(scope.at.map(rfc3339).as_deref(), at, "{path}");
            assert_eq!((scope.owner.account.as_deref(), scope.owner.region.as_deref()), (account, region), "{path}");
        };
        check(
            "inv/2026-03-01T230000Z/111122223333/eu-central-1/describe-subnets.json",
            Some("2026-03-01T23:00:00Z"),
            Some("111122223333"),
            Some("eu-central-1"),
        );
        check("2026-03-01T230000Z/eni-2026-03-02T010000Z.json", Some("2026-03-02T01:00:00Z"), None, None);
        check("my-app-1/enis_us-gov-west-1_111122223333.json", None, Some("111122223333"), Some("us-gov-west-1"));
        check("eni.json", None, None, None);
        assert_eq!(Scope::of_path("eni.json", Some(7)).at, Some(7));
    }

    #[test]
    fn a_wrapper_beats_the_path() {
        let wrapper: Value = serde_json::from_str(r#"{"collected_at":"2026-03-03T00:00:00Z","account_id":"444455556666"}"#).unwrap();
        let scope = Scope::of_path("2026-03-01/eu-west-1/x.json", None).within(&wrapper);
        assert_eq!(scope.at.map(rfc3339).as_deref(), Some("2026-03-03T00:00:00Z"));
        assert_eq!((scope.owner.account.as_deref(), scope.owner.region.as_deref()), (Some("444455556666"), Some("eu-west-1")));
    }

    #[test]
    fn cluster_names_are_exact() {
        let scope = |path: &str| Scope::of_path(path, None);
        assert!(scope("k8s/prod/nodes.json").names_cluster("prod", "arn"));
        assert!(scope("k8s/prod.nodes.json").names_cluster("prod", "arn"));
        assert!(!scope("k8s/prod-2/nodes.json").names_cluster("prod", "arn"));
        assert!(!scope("k8s-prod-2/nodes.json").ends_with_cluster("prod"));
        assert!(scope("k8s-prod-2/nodes.json").ends_with_cluster("prod-2"));
        assert!(scope("kubectl/nodes-prod.json").ends_with_cluster("prod"));
    }
}
