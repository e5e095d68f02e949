//! What an IAM role may do, as far as its own policies say.
//!
//! Reads `get-role`, `list-attached-role-policies`, `list-role-policies`, `get-role-policy`, `get-policy-version` and
//! `get-account-authorization-details` of `aws iam`. Judges one action on all resources, as `ec2:Describe…` is (Service
//! Authorization Reference: these actions know no resources). Service control policies, session policies and permissions boundaries
//! that are not collected are beyond it. Rules: IAM user guide, "Policy evaluation logic"; a deny beats every allow.

use crate::inventory::Inventory;
use crate::inventory::json::{elements, member, text};
use crate::inventory::model::{Held, ManagedPolicy, Role, RoleFact, Statement};
use crate::inventory::reach::held_at;
use crate::inventory::snapshot::{Item, Sighting, resource, shared};
use crate::inventory::timeline::Claim;
use crate::time::UnixSeconds;
use serde_json::Value;
use std::sync::Arc;

/// Returns the call that shows such facts: what one call says, another need not.
pub(super) fn call_of(fact: &RoleFact) -> &'static str {
    match fact {
        RoleFact::Boundary(_) => "Role",
        RoleFact::Attached(_) => "AttachedPolicies",
        RoleFact::Inline(_) => "PolicyNames",
        RoleFact::Policy { .. } => "PolicyDocument",
    }
}

fn said(v: &Value, name: Option<Arc<str>>, fact: RoleFact) -> Sighting {
    // Where the document leaves the name out, a wrapper or the path gives it.
    resource(v, Item::Role(Role { name: name.unwrap_or_default(), fact }), None)
}

/// Reads the output of a call that is about one role or policy; returns whether it was one.
pub(super) fn document(v: &Value, out: &mut Vec<Sighting>) -> bool {
    let before = out.len();
    if let Some(role) = member(v, "Role").filter(|role| member(role, "RoleName").is_some()) {
        out.push(said(role, shared(role, "RoleName"), RoleFact::Boundary(boundary(role))));
    }
    if member(v, "AttachedPolicies").is_some_and(Value::is_array) {
        out.push(said(v, shared(v, "RoleName"), attached(elements(v, "AttachedPolicies"))));
    }
    if member(v, "PolicyNames").is_some_and(Value::is_array) {
        let mut names: Vec<Arc<str>> = elements(v, "PolicyNames").iter().filter_map(Value::as_str).map(Arc::from).collect();
        names.sort_unstable();
        out.push(said(v, shared(v, "RoleName"), RoleFact::Inline(names)));
    }
    if let (Some(role), Some(name), Some(document)) = (shared(v, "RoleName"), shared(v, "PolicyName"), member(v, "PolicyDocument")) {
        out.extend(statements(document).map(|statements| said(v, Some(role), RoleFact::Policy { name, statements })));
    }
    if let Some(version) = member(v, "PolicyVersion").filter(|version| version.is_object()) {
        out.extend(policy_version(v, shared(v, "PolicyArn").unwrap_or_default(), version));
        // A version that is not in force was recognised all the same.
        return true;
    }
    out.len() > before
}

/// Reads a role of `get-account-authorization-details`.
pub(super) fn role_detail(v: &Value, out: &mut Vec<Sighting>) {
    let name = shared(v, "RoleName");
    if name.is_none() {
        return;
    }
    out.push(said(v, name.clone(), RoleFact::Boundary(boundary(v))));
    out.push(said(v, name.clone(), attached(elements(v, "AttachedManagedPolicies"))));
    let own = elements(v, "RolePolicyList");
    let mut names: Vec<Arc<str>> = own.iter().filter_map(|policy| shared(policy, "PolicyName")).collect();
    names.sort_unstable();
    out.push(said(v, name.clone(), RoleFact::Inline(names)));
    for policy in own {
        let statements = member(policy, "PolicyDocument").and_then(statements);
        if let (Some(of), Some(statements)) = (shared(policy, "PolicyName"), statements) {
            out.push(said(v, name.clone(), RoleFact::Policy { name: of, statements }));
        }
    }
}

/// Reads a managed policy of `get-account-authorization-details`; `list-policies` has no versions, and says nothing here.
pub(super) fn policy_detail(v: &Value, out: &mut Vec<Sighting>) {
    let Some(arn) = shared(v, "Arn") else { return };
    out.extend(elements(v, "PolicyVersionList").iter().filter_map(|version| policy_version(v, Arc::clone(&arn), version)));
}

fn boundary(role: &Value) -> Option<Arc<str>> {
    member(role, "PermissionsBoundary").and_then(|boundary| shared(boundary, "PermissionsBoundaryArn"))
}

fn attached(policies: &[Value]) -> RoleFact {
    let mut arns: Vec<Arc<str>> = policies.iter().filter_map(|policy| shared(policy, "PolicyArn")).collect();
    arns.sort_unstable();
    RoleFact::Attached(arns)
}

/// Reads a version of a managed policy, if it is the one in force.
fn policy_version(v: &Value, id: Arc<str>, version: &Value) -> Option<Sighting> {
    if member(version, "IsDefaultVersion").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let statements = statements(member(version, "Document")?)?;
    Some(resource(v, Item::Policy(ManagedPolicy { id, statements }), None))
}

/// Reads the statements of a policy: an object, or its text, which IAM's API and AWS Config write with `%XX` escapes.
fn statements(document: &Value) -> Option<Vec<Statement>> {
    let parsed;
    let document = match document.as_str() {
        Some(text) => {
            parsed = serde_json::from_str::<Value>(text).ok().or_else(|| serde_json::from_str(&unescaped(text)?).ok())?;
            &parsed
        }
        None => document,
    };
    let listed = member(document, "Statement")?;
    let list = listed.as_array().map_or(std::slice::from_ref(listed), Vec::as_slice);
    let mut statements: Vec<Statement> = list.iter().filter_map(statement).collect();
    // A statement that cannot be read might deny.
    if statements.len() < list.len() {
        return None;
    }
    statements.sort_unstable();
    Some(statements)
}

fn statement(v: &Value) -> Option<Statement> {
    let words = |name: &str| match member(v, name) {
        Some(Value::String(word)) => vec![Arc::from(word.as_str())],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        _ => Vec::new(),
    };
    Some(Statement {
        allow: match text(v, "Effect")? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        },
        actions: words("Action"),
        not_actions: words("NotAction"),
        resources: words("Resource"),
        conditional: member(v, "Condition").is_some() || member(v, "NotResource").is_some(),
    })
}

/// Undoes `%XX`; `None` if what comes out is no UTF-8.
fn unescaped(text: &str) -> Option<String> {
    let hex = |at: usize| text.get(at + 1..at + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match hex(at).filter(|_| *byte == b'%') {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// What a role's policies say about an action on all resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// They allow it: by which of them.
    Allowed(String),
    /// They do not, and all of them are known; or one denies it. Why.
    Refused(String),
    /// Something that decides is not known: what.
    Unclear(String),
}

/// What the statements of one policy say about an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Nothing,
    Allow,
    Deny,
    /// Under a condition, or for some resources.
    Perhaps,
}

impl Inventory {
    /// Returns whether a role's policies allowed an action at `t`, and which facts that rests on.
    pub fn role_may(&self, role_arn: &str, action: &str, t: UnixSeconds) -> (Permission, Vec<(Arc<str>, Claim)>) {
        let account = role_arn.split(':').nth(4);
        let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let of_role = |held: &&Held<Role>| {
            &*held.item.name == name && held.claim.contains(t) && (held.account_id.is_none() || held.account_id.as_deref() == account)
        };
        let facts: Vec<&Held<Role>> = self.roles().iter().filter(of_role).collect();
        let rests: Vec<(Arc<str>, Claim)> = facts.iter().map(|held| (Arc::clone(&held.item.name), held.claim)).take(1).collect();
        let mut unknown = Vec::new();
        let mut policies: Vec<(&str, &[Statement])> = Vec::new();
        match facts.iter().find_map(|held| if let RoleFact::Attached(arns) = &held.item.fact { Some(arns) } else { None }) {
            None => unknown.push("the list of its managed policies (list-attached-role-policies)".to_owned()),
            Some(arns) => {
                for arn in arns {
                    match self.policy(arn, t) {
                        Some(statements) => policies.push((arn, statements)),
                        None => unknown.push(format!("what {arn} allows (get-policy-version)")),
                    }
                }
            }
        }
        match facts.iter().find_map(|held| if let RoleFact::Inline(names) = &held.item.fact { Some(names) } else { None }) {
            None => unknown.push("the list of the policies in it (list-role-policies)".to_owned()),
            Some(names) => {
                for wanted in names {
                    let own = facts.iter().find_map(|held| match &held.item.fact {
                        RoleFact::Policy { name, statements } if name == wanted => Some((&**name, &**statements)),
                        _ => None,
                    });
                    match own {
                        Some(own) => policies.push(own),
                        None => unknown.push(format!("what its policy {wanted} allows (get-role-policy)")),
                    }
                }
            }
        }
        let bounded = match facts.iter().find_map(|held| if let RoleFact::Boundary(by) = &held.item.fact { Some(by) } else { None }) {
            None => {
                unknown.push("whether it has a permissions boundary (get-role)".to_owned());
                None
            }
            Some(None) => None,
            Some(Some(arn)) => match self.policy(arn, t) {
                Some(statements) => Some((&**arn, statements)),
                None => {
                    unknown.push(format!("what its permissions boundary {arn} allows (get-policy-version)"));
                    None
                }
            },
        };
        (judged(action, &policies, bounded, &unknown), rests)
    }

    /// The statements of a managed policy, by its ARN, or by its name where the document had no more.
    fn policy(&self, arn: &str, t: UnixSeconds) -> Option<&[Statement]> {
        let name = arn.rsplit('/').next();
        let exact = held_at(self.policies(), t, |policy| &*policy.id == arn);
        let found = exact.or_else(|| held_at(self.policies(), t, |policy| Some(&*policy.id) == name))?;
        Some(&found.item.statements)
    }
}

fn judged(action: &str, policies: &[(&str, &[Statement])], bounded: Option<(&str, &[Statement])>, unknown: &[String]) -> Permission {
    let all: Vec<(&str, Says)> = policies.iter().map(|(name, statements)| (*name, says(statements, action))).collect();
    let limit = bounded.map(|(name, statements)| (name, says(statements, action)));
    if let Some((name, _)) = all.iter().chain(&limit).find(|(_, says)| *says == Says::Deny) {
        return Permission::Refused(format!("{name} denies it"));
    }
    let allowed = all.iter().find(|(_, says)| *says == Says::Allow);
    let perhaps = all.iter().chain(&limit).find(|(_, says)| *says == Says::Perhaps);
    let outside = limit.filter(|(_, says)| *says == Says::Nothing);
    match (allowed, perhaps, outside) {
        (_, _, Some((name, _))) => Permission::Refused(format!("the permissions boundary {name} does not allow it")),
        _ if !unknown.is_empty() => Permission::Unclear(format!("not collected: {}", unknown.join("; "))),
        (_, Some((name, _)), _) => Permission::Unclear(format!("{name} speaks of it under a condition, or for some resources only")),
        (Some((name, _)), None, None) => Permission::Allowed(format!("{name} allows it")),
        (None, None, None) => Permission::Refused("none of its policies allows it".to_owned()),
    }
}

fn says(statements: &[Statement], action: &str) -> Says {
    let (mut allows, mut denies, mut perhaps_allows, mut perhaps_denies) = (false, false, false, false);
    for statement in statements.iter().filter(|statement| about(statement, action)) {
        let everywhere = !statement.conditional && statement.resources.iter().any(|resource| &**resource == "*");
        match (statement.allow, everywhere) {
            (true, true) => allows = true,
            (false, true) => denies = true,
            // An allow for some resources is none for an action that knows none.
            (true, false) => perhaps_allows |= statement.conditional,
            (false, false) => perhaps_denies = true,
        }
    }
    match (denies, perhaps_denies, allows, perhaps_allows) {
        (true, ..) => Says::Deny,
        (_, true, ..) | (_, _, false, true) => Says::Perhaps,
        (_, _, true, _) => Says::Allow,
        _ => Says::Nothing,
    }
}

fn about(statement: &Statement, action: &str) -> bool {
    match statement.not_actions.is_empty() {
        true => statement.actions.iter().any(|pattern| matches(pattern, action)),
        false => !statement.not_actions.iter().any(|pattern| matches(pattern, action)),
    }
}

/// Returns whether a pattern with `*` and `?` fits, whatever the case (IAM JSON policy elements: Action).
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and up to where it is taken to reach.
    let mut star: Option<(usize, usize)> = None;
    while seen < action.len() {
        match (pattern.get(at), action.get(seen)) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(b'?'), Some(_)) => (at, seen) = (at + 1, seen + 1),
            (Some(wanted), Some(found)) if wanted.eq_ignore_ascii_case(found) => (at, seen) = (at + 1, seen + 1),
            _ => match star {
                None => return false,
                Some((of, reached)) => {
                    (at, seen) = (of + 1, reached + 1);
                    star = Some((of, reached + 1));
                }
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Vec<Statement> {
        statements(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn patterns_have_stars_and_any_case() {
        for (pattern, fits) in [
            ("*", true),
            ("ec2:*", true),
            ("ec2:Describe*", true),
            ("EC2:describevpcs", true),
            ("ec2:DescribeVpc?", true),
            ("ec2:*Vpcs", true),
            ("*:*V*s", true),
            ("ec2:DescribeVpc", false),
            ("ec2:DescribeVpcs?", false),
            ("s3:*", false),
            ("", false),
        ] {
            assert_eq!(matches(pattern, "ec2:DescribeVpcs"), fits, "{pattern}");
        }
    }

    #[test]
    fn a_policy_says_what_its_statements_say() {
        let check = |statements: &str, want: Says| {
            let policy = policy(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#));
            assert_eq!(says(&policy, "ec2:DescribeVpcs"), want, "{statements}");
        };
        let allow = r#"{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":"*"}"#;
        let conditional =
            r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#;
        let deny = r#"{"Effect":"Deny","Action":"ec2:DescribeVpcs","Resource":"*"}"#;
        let deny_some =
            r#"{"Effect":"Deny","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}"#;
        check(allow, Says::Allow);
        check(conditional, Says::Perhaps);
        check(&format!("[{allow},{conditional}]"), Says::Allow);
        check(&format!("[{conditional},{allow}]"), Says::Allow);
        check(&format!("[{allow},{deny}]"), Says::Deny);
        check(&format!("[{deny_some},{allow}]"), Says::Perhaps);
        check(r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#, Says::Allow);
        check(r#"{"Effect":"Deny","NotAction":"ec2:*","Resource":"*"}"#, Says::Nothing);
        check(r#"{"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:vpc/*"}"#, Says::Nothing);
        check(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, Says::Nothing);
        check("[]", Says::Nothing);
    }

    #[test]
    fn what_is_not_known_is_never_allowed() {
        let allow = policy(r#"{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}"#);
        let nothing = policy(r#"{"Statement":[]}"#);
        let deny = policy(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#);
        let of = |policies: &[&[Statement]], bounded: Option<&[Statement]>, unknown: &[&str]| {
            let policies: Vec<(&str, &[Statement])> = policies.iter().map(|statements| ("p", *statements)).collect();
            let unknown: Vec<String> = unknown.iter().map(|text| (*text).to_owned()).collect();
            match judged("ec2:DescribeVpcs", &policies, bounded.map(|statements| ("b", statements)), &unknown) {
                Permission::Allowed(_) => "allowed",
                Permission::Refused(_) => "refused",
                Permission::Unclear(_) => "unclear",
            }
        };
        assert_eq!(of(&[&allow], None, &[]), "allowed");
        assert_eq!(of(&[&allow], None, &["x"]), "unclear", "what is not known may deny");
        assert_eq!(of(&[&nothing], None, &["x"]), "unclear");
        assert_eq!(of(&[&nothing], None, &[]), "refused");
        assert_eq!(of(&[], None, &[]), "refused");
        assert_eq!(of(&[&allow, &deny], None, &["x"]), "refused", "a deny is enough");
        assert_eq!(of(&[&allow], Some(&nothing), &[]), "refused");
        assert_eq!(of(&[&allow], Some(&allow), &[]), "allowed");
    }

    #[test]
    fn documents_are_read_escaped_too() {
        let plain = r#"{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}"#;
        let escaped: String = plain.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(statements(&Value::String(escaped)), Some(policy(plain)));
        assert_eq!(statements(&Value::String(plain.to_owned())), Some(policy(plain)));
        assert_eq!(statements(&Value::String("%7".to_owned())), None);
        let half = r#"{"Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"},{"Action":"ec2:*"}]}"#;
        assert_eq!(statements(&serde_json::from_str(half).unwrap()), None, "a statement that cannot be read might deny");
    }
}
