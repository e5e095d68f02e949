//! Service control policies: whether one would have denied a cluster whose egress does not go through the customer's VPC.
//!
//! Read from `aws organizations describe-policy`. Only a plain form is recognised: a statement that denies an action on every resource
//! where `eks:controlPlaneEgressMode` is another than `CUSTOMER_ROUTED` (EKS user guide, "Control plane egress", condition key). Where a
//! policy is attached is not looked at; anything less plain is not taken for a denial.

use super::model::CUSTOMER_ROUTED;
use crate::inventory::json::text;
use serde_json::Value;
use std::sync::Arc;

/// What creates a cluster, and what changes its mode.
const ACTIONS: [&str; 2] = ["eks:CreateCluster", "eks:UpdateClusterConfig"];
/// The condition key.
const MODE: &str = "eks:controlPlaneEgressMode";

/// A service control policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceControlPolicy {
    /// Name.
    pub name: Arc<str>,
    /// Whether it denies both creating a cluster with and changing one to any other mode than `CUSTOMER_ROUTED`.
    pub requires_customer_routed: bool,
}

/// Reads a policy, if the document is one.
pub(super) fn read(value: &Value) -> Option<ServiceControlPolicy> {
    let policy = value.get("Policy")?;
    let summary = policy.get("PolicySummary")?;
    if text(summary, "Type") != Some("SERVICE_CONTROL_POLICY") {
        return None;
    }
    let content: Value = text(policy, "Content").and_then(|content| serde_json::from_str(content).ok()).unwrap_or_default();
    let one = content.get("Statement").map(std::slice::from_ref).unwrap_or_default();
    let statements = content.get("Statement").and_then(Value::as_array).map_or(one, Vec::as_slice);
    let denied = |action: &&str| statements.iter().any(|statement| denies(statement, action));
    Some(ServiceControlPolicy {
        name: text(summary, "Name").unwrap_or("unnamed").into(),
        requires_customer_routed: ACTIONS.iter().all(denied),
    })
}

fn denies(statement: &Value, action: &str) -> bool {
    let lists = |name: &str| {
        let member = statement.get(name);
        let one = member.and_then(Value::as_str).into_iter();
        one.chain(member.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)).collect::<Vec<_>>()
    };
    let of_action = |pattern: &&str| pattern.eq_ignore_ascii_case(action) || matches!(*pattern, "*" | "eks:*");
    text(statement, "Effect") == Some("Deny")
        && lists("Action").iter().any(of_action)
        && lists("Resource").contains(&"*")
        && statement.get("Condition").and_then(Value::as_object).is_some_and(|conditions| {
            let is_mode_alone =
                |tests: &Value| tests.as_object().is_some_and(|tests| tests.len() == 1 && tests.keys().all(|key| is_mode(key)));
            // "Null: false" narrows the denial to requests that name a mode, which is what changes one.
            let tests =
                |tests: &Value| is_mode_alone(tests) && tests.as_object().is_some_and(|tests| tests.values().all(is_customer_routed));
            let is_known = |(operator, tested): (&String, &Value)| match operator.as_str() {
                "StringNotEquals" | "StringNotEqualsIgnoreCase" | "StringNotEqualsIfExists" => tests(tested),
                "Null" => is_mode_alone(tested),
                _ => false,
            };
            conditions.iter().all(is_known) && conditions.keys().any(|operator| operator.starts_with("StringNotEquals"))
        })
}

fn is_mode(key: &str) -> bool {
    key.eq_ignore_ascii_case(MODE)
}

fn is_customer_routed(value: &Value) -> bool {
    let one = value.as_str().into_iter();
    let all: Vec<&str> = one.chain(value.as_array().into_iter().flatten().filter_map(Value::as_str)).collect();
    all == [CUSTOMER_ROUTED]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn required(statements: Value) -> bool {
        let content = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let summary = json!({ "Name": "eks-egress", "Type": "SERVICE_CONTROL_POLICY" });
        read(&json!({ "Policy": { "PolicySummary": summary, "Content": content } })).unwrap().requires_customer_routed
    }

    fn deny(actions: Value, condition: Value) -> Value {
        json!({ "Effect": "Deny", "Action": actions, "Resource": "*", "Condition": condition })
    }

    #[test]
    fn only_a_plain_denial_of_both_actions_counts() {
        let not_routed = json!({ "StringNotEquals": { "eks:controlPlaneEgressMode": "CUSTOMER_ROUTED" } });
        let named = json!({ "StringNotEquals": { "eks:controlPlaneEgressMode": ["CUSTOMER_ROUTED"] },
            "Null": { "eks:controlPlaneEgressMode": "false" } });
        let both = json!(["eks:CreateCluster", "eks:UpdateClusterConfig"]);
        assert!(required(json!([deny(both.clone(), not_routed.clone())])));
        let apart = json!([deny(json!("eks:CreateCluster"), not_routed.clone()), deny(json!("eks:UpdateClusterConfig"), named)]);
        assert!(required(apart));
        assert!(!required(json!([deny(json!("eks:CreateCluster"), not_routed.clone())])), "the mode could be changed later");
        let managed = json!({ "StringNotEquals": { "eks:controlPlaneEgressMode": ["CUSTOMER_ROUTED", "AWS_MANAGED"] } });
        assert!(!required(json!([deny(both.clone(), managed)])));
        let narrowed = json!({ "StringNotEquals": { "eks:controlPlaneEgressMode": "CUSTOMER_ROUTED", "aws:PrincipalArn": "x" } });
        assert!(!required(json!([deny(both.clone(), narrowed)])), "who is excepted is not known");
        let mut allowed = deny(both, not_routed);
        allowed["Effect"] = json!("Allow");
        assert!(!required(json!([allowed])));
        assert_eq!(read(&json!({ "Policy": "{}" })), None, "a bucket policy");
    }
}
