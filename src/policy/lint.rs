//! Findings P1 to P11: what is wrong, odd or due in a policy, by itself and against what was observed.
//!
//! The table with what each means for an auditor stands in `docs/policy.md`. P6 is a fault of the file and comes from `read`.

use super::resolve::Resolver;
use super::usage::{Count, Spot, Usage, Violation};
use super::{Policy, Ports, Rule, Target, Verdict, values};
use crate::time::{DAY, UnixSeconds, rfc3339};
use ipnet::IpNet;
use serde_json::{Value, json};

/// Before its end a rule is due for renewal.
const RENEWAL_S: i64 = 30 * DAY;
/// Longest life of an approval: a leap year.
const LIFETIME_MAX_S: i64 = 366 * DAY;
/// Prefixes this short or shorter are too broad: an IPv6 /32 is what a whole provider gets.
const BROAD_V4: u8 = 8;
const BROAD_V6: u8 = 32;
/// Whole private ranges (RFC 1918); the third is as short as the first limit.
const PRIVATE: [&str; 2] = ["172.16.0.0/12", "192.168.0.0/16"];
/// Services of `ip-ranges.json` whose addresses any customer of AWS can have.
const RENTED: [&str; 2] = ["AMAZON", "EC2"];

/// How bad a finding is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy is violated, or is none.
    Fail,
    /// Somebody should look at it.
    Warn,
    /// Good to know.
    Info,
}

impl Severity {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// Something about a policy that its owner or an auditor should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `P1` to `P11`; `unapproved` and `indeterminate` for destinations, `unresolved` for a reference that the inventory lacks,
    /// `invalid` for a file that is no policy.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Id of the rule.
    pub rule: Option<String>,
    /// Line of the file, 1-based.
    pub line: Option<usize>,
    /// Column of the file, 1-based, of a fault.
    pub column: Option<usize>,
    /// ARN of the cluster whose API server was observed.
    pub cluster_arn: Option<String>,
    /// Destination that was observed, e.g. `198.51.100.80 tcp/443`.
    pub destination: Option<String>,
    /// Connections that it is about.
    pub connections: Option<u64>,
    /// Least start of their first egress record.
    pub first_seen: Option<UnixSeconds>,
    /// Greatest start of their last egress record.
    pub last_seen: Option<UnixSeconds>,
    /// What it is, in a sentence.
    pub what: String,
}

impl Finding {
    /// Makes a finding about no rule and nothing observed.
    pub fn new(id: &'static str, severity: Severity, what: impl Into<String>) -> Finding {
        Finding {
            id,
            severity,
            rule: None,
            line: None,
            column: None,
            cluster_arn: None,
            destination: None,
            connections: None,
            first_seen: None,
            last_seen: None,
            what: what.into(),
        }
    }

    /// Returns it as JSON; keys that do not apply are null.
    pub fn document(&self) -> Value {
        json!({
            "id": self.id,
            "severity": self.severity.as_str(),
            "rule": self.rule,
            "line": self.line,
            "column": self.column,
            "cluster_arn": self.cluster_arn,
            "destination": self.destination,
            "connections": self.connections,
            "first_seen": self.first_seen.map(rfc3339),
            "last_seen": self.last_seen.map(rfc3339),
            "finding": self.what,
        })
    }

    fn about(mut self, rule: &Rule) -> Finding {
        (self.rule, self.line) = (Some(rule.id.clone()), Some(rule.line));
        self
    }

    fn observed(mut self, spot: &Spot, count: &Count) -> Finding {
        self.cluster_arn = Some(spot.cluster_arn.clone());
        self.destination = Some(values::destination(spot.addr, spot.port, spot.protocol));
        self.connections = Some(count.connections);
        (self.first_seen, self.last_seen) = (count.first, count.last);
        self
    }
}

/// Returns the findings of a policy as of `now`: P1 to P11, then destinations that no rule is for and those that cannot be judged, then
/// unresolved references; each in the order of the file and of the destinations.
///
/// Without `usage`, what needs observation is left out (P1, P2, P5, P11 and destinations); without `resolver`, references are not looked up; without
/// `now`, nothing is due or over.
pub fn findings(policy: &Policy, usage: Option<&Usage>, resolver: Option<&Resolver>, now: Option<UnixSeconds>) -> Vec<Finding> {
    let mut all = Vec::new();
    let against = |id, verdict| usage.into_iter().flat_map(move |usage| violations(policy, usage, id, verdict));
    all.extend(against("P1", Verdict::Expired));
    all.extend(against("P2", Verdict::TooEarly));
    let used = |at: usize| usage.is_some_and(|usage| usage.touched.contains(&at));
    let rules = || policy.rules.iter().enumerate();
    all.extend(rules().filter(|(at, rule)| is_over(rule, now) && !used(*at)).map(|(_, rule)| {
        let known = if usage.is_some() { ", and no connection in the period fell under it" } else { "" };
        Finding::new("P3", Severity::Warn, format!("expired {}{known}: remove it", rfc3339(rule.expires))).about(rule)
    }));
    all.extend(policy.rules.iter().filter(|rule| !is_over(rule, now)).filter_map(|rule| {
        let left = rule.expires.saturating_sub(now?);
        let what = || format!("expires {}, in {} days: renew or remove it", rfc3339(rule.expires), left.div_euclid(DAY));
        (left <= RENEWAL_S).then(|| Finding::new("P4", Severity::Info, what()).about(rule))
    }));
    all.extend(usage.into_iter().flat_map(|usage| unused(policy, usage, now)));
    all.extend(policy.rules.iter().filter_map(broad));
    all.extend(shadowed(policy));
    all.extend(policy.rules.iter().filter_map(|rule| {
        let from = rule.starts().or(now)?;
        let days = rule.expires.saturating_sub(from).div_euclid(DAY);
        let since = if rule.starts().is_some() { "from its start" } else { "from now" };
        let finding = || Finding::new("P9", Severity::Warn, format!("holds for {days} days {since}; an approval is for a year at most"));
        (rule.expires.saturating_sub(from) > LIFETIME_MAX_S).then(|| finding().about(rule))
    }));
    all.extend(policy.rules.iter().filter_map(|rule| {
        let same = rule.approved_by.as_ref().is_some_and(|approver| approver.trim().eq_ignore_ascii_case(rule.owner.trim()));
        same.then(|| Finding::new("P10", Severity::Warn, format!("{} approved what is their own", rule.owner)).about(rule))
    }));
    all.extend(against("P11", Verdict::WrongPath));
    all.extend(against("unapproved", Verdict::Unapproved));
    all.extend(against("indeterminate", Verdict::Indeterminate));
    all.extend(resolver.into_iter().flat_map(|resolver| unresolved(policy, resolver)));
    all
}

fn is_over(rule: &Rule, now: Option<UnixSeconds>) -> bool {
    now.is_some_and(|now| rule.expires <= now)
}

/// What was not approved for one reason, rule by rule and destination by destination.
fn violations(policy: &Policy, usage: &Usage, id: &'static str, verdict: Verdict) -> Vec<Finding> {
    let of_verdict = usage.others.iter().filter(|((of, ..), _)| *of == verdict);
    let finding = |((_, at, spot), violation): (&(Verdict, Option<usize>, Spot), &Violation)| {
        let rule = at.and_then(|at| policy.rules.get(at));
        let severity = if verdict.is_violation() { Severity::Fail } else { Severity::Warn };
        let finding = Finding::new(id, severity, reason(verdict, rule, violation)).observed(spot, &violation.count);
        if let Some(rule) = rule { finding.about(rule) } else { finding }
    };
    of_verdict.map(finding).collect()
}

fn reason(verdict: Verdict, rule: Option<&Rule>, violation: &Violation) -> String {
    let Some(rule) = rule else { return "no rule is for this destination".to_owned() };
    let since = violation.since.map(rfc3339).unwrap_or_default();
    let taken = violation.paths.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let allowed = || rule.path.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(",");
    match verdict {
        Verdict::Expired => format!("contacted without approval from {since} on: the rule ended {}", rfc3339(rule.expires)),
        Verdict::TooEarly => format!("contacted at {since}, before the approval of {}", rule.starts().map(rfc3339).unwrap_or_default()),
        Verdict::WrongPath => format!("the right destination by the wrong path: went {taken}, approved is {}", allowed()),
        _ if rule.path.is_empty() => "cannot be judged: the inventory does not say whether the rule names this address".to_owned(),
        _ => {
            let taken = if taken.is_empty() { "nothing".to_owned() } else { taken };
            format!(
                "cannot be judged: the inventory does not resolve what the rule names, or the path {} cannot be told from {taken}",
                allowed()
            )
        }
    }
}

/// Rules of the period that approved nothing, nor were the reason of anything else; what has expired is P3.
fn unused(policy: &Policy, usage: &Usage, now: Option<UnixSeconds>) -> Vec<Finding> {
    let of_period = |rule: &Rule| {
        let began = usage.period.to.is_none_or(|to| rule.starts().is_none_or(|start| start < to));
        began && usage.period.from.is_none_or(|from| rule.expires > from) && !is_over(rule, now)
    };
    let idle = policy.rules.iter().enumerate().filter(|(at, rule)| of_period(rule) && !usage.touched.contains(at));
    idle.map(|(_, rule)| Finding::new("P5", Severity::Info, "no connection in the period needed it").about(rule)).collect()
}

/// What of a rule approves more than anybody can answer for.
fn broad(rule: &Rule) -> Option<Finding> {
    let mut parts: Vec<String> = rule.to.iter().filter(|target| is_broad(target)).map(ToString::to_string).collect();
    let any = |ports: &Ports| values::has_ports(ports.protocol.unwrap_or(6)) && ports.first <= 1 && ports.last == u16::MAX;
    if rule.ports.is_empty() || rule.ports.iter().any(any) {
        parts.push("any port".to_owned());
    }
    (!parts.is_empty()).then(|| Finding::new("P7", Severity::Warn, format!("approves too much: {}", parts.join(", "))).about(rule))
}

fn is_broad(target: &Target) -> bool {
    match target {
        Target::Net(IpNet::V4(net)) => {
            net.prefix_len() <= BROAD_V4
                || PRIVATE.iter().filter_map(|private| private.parse::<ipnet::Ipv4Net>().ok()).any(|private| net.contains(&private))
        }
        Target::Net(IpNet::V6(net)) => net.prefix_len() <= BROAD_V6,
        Target::Aws { service, .. } => RENTED.iter().any(|rented| rented.eq_ignore_ascii_case(service)),
        _ => false,
    }
}

/// Rules that another one makes needless: it approves all that they do, for as long.
fn shadowed(policy: &Policy) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, rule) in policy.rules.iter().enumerate() {
        let others = policy.rules.iter().enumerate().filter(|(other, _)| *other != at);
        // Of two that say the same, the later one is the duplicate.
        let by = others.clone().find(|(other, whole)| covers(whole, rule) && (*other < at || !covers(rule, whole)));
        if let Some((_, whole)) = by {
            let word = if covers(rule, whole) { "says the same as" } else { "approves nothing beyond" };
            found.push(Finding::new("P8", Severity::Warn, format!("{word} {} (line {})", whole.id, whole.line)).about(rule));
        }
    }
    found
}

fn covers(whole: &Rule, part: &Rule) -> bool {
    let time = whole.expires >= part.expires
        && match (whole.starts(), part.starts()) {
            (None, _) => true,
            (Some(start), Some(other)) => start <= other,
            (Some(_), None) => false,
        };
    time && part.to.iter().all(|target| whole.to.iter().any(|other| target_covers(other, target)))
        && narrows(&part.ports, &whole.ports, Ports::covers)
        && narrows(&part.from, &whole.from, PartialEq::eq)
        && narrows(&part.path, &whole.path, PartialEq::eq)
}

/// Whether a list asks for no more than another, where none at all stands for anything.
fn narrows<T>(part: &[T], whole: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    whole.is_empty() || (!part.is_empty() && part.iter().all(|one| whole.iter().any(|other| covers(other, one))))
}

fn target_covers(whole: &Target, part: &Target) -> bool {
    match (whole, part) {
        (Target::Net(whole), Target::Net(part)) => whole.contains(part),
        (Target::Aws { service, region: None }, Target::Aws { service: other, .. }) => service.eq_ignore_ascii_case(other),
        _ => whole == part,
    }
}

fn unresolved(policy: &Policy, resolver: &Resolver) -> Vec<Finding> {
    let missing = |rule: &Rule| {
        let targets: Vec<String> = rule.to.iter().filter_map(|target| Some(format!("{target}: {}", resolver.missing(target)?))).collect();
        let what = || format!("what it names cannot be judged: {}", targets.join("; "));
        (!targets.is_empty()).then(|| Finding::new("unresolved", Severity::Warn, what()).about(rule))
    };
    policy.rules.iter().filter_map(missing).collect()
}
