//! How the bucket of the logs is kept: versioning, Object Lock, who may write and delete, public access.
//!
//! Read from raw `aws s3api` output, which does not name the bucket: a `{"Bucket": …}` wrapper does, as the collection script
//! writes it, else the name of the file or of its folder. Flow logs are not signed by AWS, so these facts are what speaks for
//! them before they are first hashed. A bucket policy is listed, not evaluated: identity policies, access points, service
//! control policies, ACLs and conditions decide too (S3 user guide, "How Amazon S3 authorizes a request").

use crate::inventory::json::{member, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The service that delivers flow logs.
const DELIVERY_SERVICE: &str = "delivery.logs.amazonaws.com";
/// What changes or removes logs, or the protection of them.
const TAMPERING: [&str; 7] = [
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketPolicy",
];

/// One fact about a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CustodyFact {
    /// `get-bucket-versioning`: `Enabled`, `Suspended`, or `None` if it was never switched on; and MFA delete.
    Versioning {
        /// Status.
        status: Option<Arc<str>>,
        /// Whether deleting a version takes a second factor.
        mfa_delete: bool,
    },
    /// `get-object-lock-configuration`; `None` if there is none.
    ObjectLock(Option<ObjectLock>),
    /// `get-bucket-policy`: the statements that bear on tampering; `None` if there is no policy.
    Policy(Option<Vec<Statement>>),
    /// `get-public-access-block`: whether all four settings are on; `None` if there is none.
    PublicAccessBlock(Option<bool>),
}

impl CustodyFact {
    /// Returns the call that shows the fact.
    pub fn call(&self) -> &'static str {
        match self {
            CustodyFact::Versioning { .. } => "get-bucket-versioning",
            CustodyFact::ObjectLock(_) => "get-object-lock-configuration",
            CustodyFact::Policy(_) => "get-bucket-policy",
            CustodyFact::PublicAccessBlock(_) => "get-public-access-block",
        }
    }

    /// Returns what was found, in a few words.
    pub fn found(&self) -> String {
        match self {
            CustodyFact::Versioning { status, mfa_delete } => {
                let status = status.as_deref().unwrap_or("never enabled");
                if *mfa_delete { format!("{status}, MFA delete") } else { status.to_owned() }
            }
            CustodyFact::ObjectLock(None) | CustodyFact::Policy(None) | CustodyFact::PublicAccessBlock(None) => "none".to_owned(),
            CustodyFact::ObjectLock(Some(lock)) => match (&lock.mode, lock.days, lock.years) {
                (Some(mode), Some(days), _) => format!("{mode}, {days} days"),
                (Some(mode), None, Some(years)) => format!("{mode}, {years} years"),
                _ => "enabled without default retention".to_owned(),
            },
            CustodyFact::Policy(Some(statements)) => {
                let open = statements.iter().filter(|statement| statement.is_open()).count();
                match open {
                    0 => "no statement lets others than log delivery write or delete".to_owned(),
                    1 => "1 statement lets others than log delivery write or delete".to_owned(),
                    open => format!("{open} statements let others than log delivery write or delete"),
                }
            }
            CustodyFact::PublicAccessBlock(Some(true)) => "all four settings on".to_owned(),
            CustodyFact::PublicAccessBlock(Some(false)) => "not all settings on".to_owned(),
        }
    }

    /// Returns how far the fact protects logs from being changed unseen, and why.
    pub fn judge(&self) -> (Protection, &'static str) {
        match self {
            CustodyFact::Versioning { status: Some(status), .. } if &**status == "Enabled" => {
                (Protection::Protects, "an overwritten or deleted object leaves its version behind")
            }
            CustodyFact::Versioning { .. } => (Protection::Absent, "an object can be overwritten or deleted without trace"),
            CustodyFact::ObjectLock(Some(ObjectLock { mode: Some(mode), .. })) if &**mode == "COMPLIANCE" => {
                (Protection::Protects, "nobody can overwrite or delete a version before its retention ends")
            }
            CustodyFact::ObjectLock(Some(ObjectLock { mode: Some(_), .. })) => {
                (Protection::Partly, "who has s3:BypassGovernanceRetention can delete a version before its retention ends")
            }
            CustodyFact::ObjectLock(Some(_)) => (Protection::Partly, "only versions that were given a retention of their own are locked"),
            CustodyFact::ObjectLock(None) => (Protection::Absent, "no version is locked"),
            CustodyFact::Policy(None) => (Protection::Partly, "there is no bucket policy; identity policies decide, and are not seen here"),
            CustodyFact::Policy(Some(statements)) if statements.iter().any(Statement::is_open) => {
                (Protection::Absent, "who they are is listed; whether anything else denies it to them is not seen here")
            }
            CustodyFact::Policy(Some(_)) => {
                (Protection::Partly, "the bucket policy lets nobody but log delivery write; identity policies are not seen here")
            }
            CustodyFact::PublicAccessBlock(Some(true)) => {
                (Protection::Protects, "neither ACLs nor policies can open the bucket to the public")
            }
            CustodyFact::PublicAccessBlock(_) => (Protection::Absent, "ACLs or a policy may open the bucket to the public"),
        }
    }
}

/// How far a fact protects logs from being changed unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// It does.
    Protects,
    /// It does, but for what the reason names.
    Partly,
    /// It does not.
    Absent,
}

impl Protection {
    /// Returns the word used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Protection::Protects => "protects",
            Protection::Partly => "partly",
            Protection::Absent => "absent",
        }
    }
}

/// Every call that shows a fact about a bucket.
pub const FACTS: [&str; 4] = ["get-bucket-versioning", "get-object-lock-configuration", "get-bucket-policy", "get-public-access-block"];

/// Object Lock of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectLock {
    /// `COMPLIANCE` (nobody shortens it) or `GOVERNANCE` (who has the permission may); `None` without default retention.
    pub mode: Option<Arc<str>>,
    /// Default retention of new objects, days.
    pub days: Option<i64>,
    /// The same in years, where the bucket says years.
    pub years: Option<i64>,
}

/// A statement of a bucket policy that bears on tampering.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// `Sid`, if it has one.
    pub sid: Option<Arc<str>>,
    /// Whether it allows; else it denies.
    pub allows: bool,
    /// Principals, as the policy writes them, such as `AWS:arn:…`, `Service:…`, `*`; with `not ` before each of a `NotPrincipal`.
    pub principals: Vec<Arc<str>>,
    /// What it allows or denies, of the actions that change or remove logs or their protection.
    pub actions: Vec<&'static str>,
    /// Whether a condition narrows it.
    pub has_condition: bool,
}

impl Statement {
    /// Returns whether it lets anyone but the delivery of logs write or delete.
    pub fn is_open(&self) -> bool {
        let delivery = format!("Service:{DELIVERY_SERVICE}");
        self.allows && self.principals.iter().any(|principal| **principal != *delivery)
    }
}

/// A fact about a bucket, as an inventory holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Custody {
    /// Name of the bucket.
    pub bucket: Arc<str>,
    /// The fact.
    pub fact: CustodyFact,
}

/// Members under which the collection script keeps each call's output, and the call.
const WRAPPED: [&str; 4] = ["BucketVersioning", "ObjectLock", "BucketPolicy", "PublicAccessBlock"];

/// Reads the facts of a document, and the bucket that a wrapper names.
pub(super) fn read(value: &Value) -> (Option<Arc<str>>, Vec<CustodyFact>) {
    let bucket = value.get("Bucket").and_then(Value::as_str).filter(|name| is_bucket(name)).map(Arc::from);
    let mut facts = Vec::new();
    if bucket.is_some() {
        for key in WRAPPED {
            let Some(inner) = value.get(key) else { continue };
            facts.extend(match key {
                "BucketVersioning" => Some(versioning(inner)),
                "ObjectLock" if inner.is_null() => Some(CustodyFact::ObjectLock(None)),
                "BucketPolicy" if inner.is_null() => Some(CustodyFact::Policy(None)),
                "PublicAccessBlock" if inner.is_null() => Some(CustodyFact::PublicAccessBlock(None)),
                _ => raw(inner),
            });
        }
    }
    facts.extend(raw(value));
    // `{}` is what the CLI shows of a bucket whose versioning was never switched on; alone it could be anything.
    let keys = value.as_object().map_or(0, serde_json::Map::len) - usize::from(bucket.is_some());
    let is_versioning = |key: &str| matches!(value.get(key).and_then(Value::as_str), Some("Enabled" | "Suspended" | "Disabled"));
    if facts.is_empty() && is_versioning("Status") && keys == 1 + usize::from(is_versioning("MFADelete")) {
        facts.push(versioning(value));
    }
    (bucket, facts)
}

fn versioning(value: &Value) -> CustodyFact {
    CustodyFact::Versioning { status: text(value, "Status").map(Arc::from), mfa_delete: text(value, "MFADelete") == Some("Enabled") }
}

/// Reads output that its own members give away.
fn raw(value: &Value) -> Option<CustodyFact> {
    if let Some(lock) = value.get("ObjectLockConfiguration").filter(|lock| lock.is_object()) {
        let retention = member(lock, "Rule").and_then(|rule| member(rule, "DefaultRetention"));
        let number = |name| retention.and_then(|retention| member(retention, name)).and_then(Value::as_i64);
        let is_on = text(lock, "ObjectLockEnabled") == Some("Enabled");
        return Some(CustodyFact::ObjectLock(is_on.then(|| ObjectLock {
            mode: retention.and_then(|retention| text(retention, "Mode")).map(Arc::from),
            days: number("Days"),
            years: number("Years"),
        })));
    }
    if let Some(block) = value.get("PublicAccessBlockConfiguration").filter(|block| block.is_object()) {
        let settings = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
        let is_on = |name: &&str| member(block, name).and_then(Value::as_bool) == Some(true);
        return Some(CustodyFact::PublicAccessBlock(Some(settings.iter().all(is_on))));
    }
    let policy: Value = serde_json::from_str(value.get("Policy")?.as_str()?).ok()?;
    policy.get("Statement").map(|statements| {
        let one = std::slice::from_ref(statements);
        let all = statements.as_array().map_or(one, Vec::as_slice);
        CustodyFact::Policy(Some(all.iter().filter_map(statement).collect()))
    })
}

/// Reads a statement if it bears on tampering.
fn statement(value: &Value) -> Option<Statement> {
    let actions = match (value.get("Action"), value.get("NotAction")) {
        (Some(actions), _) => TAMPERING.into_iter().filter(|action| matches_any(actions, action)).collect(),
        (None, Some(others)) => TAMPERING.into_iter().filter(|action| !matches_any(others, action)).collect::<Vec<_>>(),
        (None, None) => return None,
    };
    if actions.is_empty() {
        return None;
    }
    let principals = match (value.get("Principal"), value.get("NotPrincipal")) {
        (Some(principal), _) => principals(principal, ""),
        (None, Some(others)) => principals(others, "not "),
        (None, None) => BTreeSet::new(),
    };
    Some(Statement {
        sid: text(value, "Sid").map(Arc::from),
        allows: text(value, "Effect") == Some("Allow"),
        principals: principals.into_iter().map(Arc::from).collect(),
        actions,
        has_condition: value.get("Condition").and_then(Value::as_object).is_some_and(|condition| !condition.is_empty()),
    })
}

/// One text, or a list of texts.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str().into_iter();
    one.chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn principals(value: &Value, before: &str) -> BTreeSet<String> {
    let named = value.as_object().into_iter().flatten();
    let named = named.flat_map(|(kind, names)| texts(names).map(move |name| format!("{before}{kind}:{name}")));
    texts(value).map(|name| format!("{before}{name}")).chain(named).collect()
}

fn matches_any(patterns: &Value, action: &str) -> bool {
    texts(patterns).any(|pattern| matches_pattern(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
}

/// `*` stands for any text, `?` for one character (IAM JSON policy elements, Action).
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to take up again with one more character for the last star: no pattern takes more than the product of both lengths.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(own) if own == byte || *own == b'?' => (p, t) = (p + 1, t + 1),
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// Names of files that hold one call's output, longest first, without which the rest of the name is the bucket's.
const CALLS: [&str; 11] = [
    "get-object-lock-configuration",
    "object-lock-configuration",
    "get-public-access-block",
    "get-bucket-versioning",
    "public-access-block",
    "bucket-versioning",
    "get-bucket-policy",
    "bucket-policy",
    "object-lock",
    "versioning",
    "policy",
];

/// Returns the bucket that a path names: `get-bucket-policy_NAME.json`, `NAME.versioning.json`, or `NAME/get-bucket-policy.json`.
pub(super) fn bucket_of_path(path: &str) -> Option<Arc<str>> {
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
    let file = parts.next()?;
    let file = file.strip_suffix(".gz").unwrap_or(file);
    let stem = file.strip_suffix(".json").unwrap_or(file);
    let separators = ['-', '_', '.', '@', ' '];
    let around = |call: &str| stem.strip_prefix(call).or_else(|| stem.strip_suffix(call)).map(|rest| rest.trim_matches(separators));
    let rest = CALLS.iter().find_map(|call| around(call))?;
    let name = if rest.is_empty() { parts.next()? } else { rest };
    // A folder that is a time, an account or a region is no bucket.
    let is_other = crate::time::find_stamp(name).is_some() || name.bytes().all(|b| b.is_ascii_digit());
    (is_bucket(name) && !is_other).then(|| name.into())
}

/// Returns whether a text can be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens.
pub fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

/// Returns the bucket of an S3 URI, or of the ARN that `describe-flow-logs` shows as destination.
pub fn bucket_of(place: &str) -> Option<&str> {
    let rest = place.strip_prefix("s3://").or_else(|| place.starts_with("arn:").then(|| place.split(":s3:::").nth(1)).flatten())?;
    rest.split('/').next().filter(|name| is_bucket(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> Vec<CustodyFact> {
        read(&serde_json::from_str(json).unwrap()).1
    }

    #[test]
    fn output_is_recognised_by_content() {
        let status = |status: Option<&str>| vec![CustodyFact::Versioning { status: status.map(Arc::from), mfa_delete: false }];
        assert_eq!(facts(r#"{"Status": "Enabled"}"#), status(Some("Enabled")));
        assert_eq!(facts(r#"{"Status": "Suspended", "MFADelete": "Disabled"}"#), status(Some("Suspended")));
        assert_eq!(facts(r#"{"Status": "Enabled", "Name": "a job"}"#), [], "another thing with a status");
        assert_eq!(facts(r#"{"Status": "ACTIVE"}"#), []);
        assert_eq!(facts("{}"), []);
        assert_eq!(facts(r#"{"Bucket": "logs", "BucketVersioning": {}}"#), status(None));
        assert_eq!(facts(r#"{"Bucket": "logs", "ObjectLock": null}"#), [CustodyFact::ObjectLock(None)]);
        assert_eq!(facts(r#"{"Policy": {"Arn": "arn:aws:iam::1:policy/x"}}"#), [], "a policy of IAM");
        let lock = ObjectLock { mode: Some("COMPLIANCE".into()), days: Some(400), years: None };
        let text = r#"{"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 400}}}}"#;
        assert_eq!(facts(text), [CustodyFact::ObjectLock(Some(lock))]);
        let block = |last: bool| {
            facts(&format!(
                r#"{{"PublicAccessBlockConfiguration": {{"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": {last}}}}}"#
            ))
        };
        assert_eq!(
            (block(true), block(false)),
            (vec![CustodyFact::PublicAccessBlock(Some(true))], vec![CustodyFact::PublicAccessBlock(Some(false))])
        );
    }

    fn statements(policy: &str) -> Vec<Statement> {
        let document = serde_json::json!({ "Policy": policy });
        match read(&document).1.pop() {
            Some(CustodyFact::Policy(Some(statements))) => statements,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn statements_that_allow_more_than_delivery_are_open() {
        let check = |statement: &str, open: Option<bool>| {
            let found = statements(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#));
            assert_eq!(found.first().map(Statement::is_open), open, "{statement}");
        };
        let delivery = r#""Principal": {"Service": "delivery.logs.amazonaws.com"}"#;
        check(&format!(r#"{{"Effect": "Allow", {delivery}, "Action": "s3:PutObject"}}"#), Some(false));
        check(&format!(r#"{{"Effect": "Allow", {delivery}, "Action": ["s3:GetBucketAcl", "s3:ListBucket"]}}"#), None);
        check(r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:Get*"}"#, None);
        check(r#"{"Effect": "Allow", "Principal": "*", "Action": "S3:del*"}"#, Some(true));
        check(r#"{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}, "Action": "*"}"#, Some(true));
        check(
            r#"{"Effect": "Allow", "Principal": {"Service": ["delivery.logs.amazonaws.com", "x.amazonaws.com"]}, "Action": "s3:P?tObject"}"#,
            Some(true),
        );
        check(r#"{"Effect": "Allow", "NotPrincipal": {"Service": "delivery.logs.amazonaws.com"}, "NotAction": "s3:Get*"}"#, Some(true));
        check(r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}"#, Some(false));
        assert!(statements(r#"{"Statement": {"Effect": "Deny", "Principal": "*", "NotAction": "s3:*"}}"#).is_empty());
    }

    #[test]
    fn patterns_have_stars_and_question_marks() {
        let check = |pattern: &str, want: bool| assert_eq!(matches_pattern(pattern, "s3:deleteobject"), want, "{pattern}");
        check("s3:deleteobject", true);
        check("s3:deleteobjectversion", false);
        check("s3:*object", true);
        check("*", true);
        check("s3:*e*e*t*", true);
        check("s3:delete?bject", true);
        check("s3:delete", false);
        check("", false);
    }

    #[test]
    fn buckets_of_paths_and_destinations() {
        let check = |path: &str, want: Option<&str>| assert_eq!(bucket_of_path(path).as_deref(), want, "{path}");
        check("inv/2026-10-02T000000Z/get-bucket-policy_flow-logs.json", Some("flow-logs"));
        check("inv/flow-logs.versioning.json", Some("flow-logs"));
        check("inv/flow-logs/get-object-lock-configuration.json.gz", Some("flow-logs"));
        check("inv/2026-10-02T000000Z/get-bucket-policy.json", None);
        check("inv/111122223333/get-bucket-policy.json", None);
        check("inv/flow-logs/other.json", None);
        assert_eq!(bucket_of("s3://flow-logs/AWSLogs/x"), Some("flow-logs"));
        assert_eq!(bucket_of("arn:aws:s3:::flow-logs/prefix/"), Some("flow-logs"));
        assert_eq!((bucket_of("arn:aws:logs:eu:1:log-group:x"), bucket_of("/tmp/logs"), bucket_of("s3:///x")), (None, None, None));
    }
}
