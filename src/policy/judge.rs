//! A connection against a policy: which rules approve it at the time of its records, or what it is instead.
//!
//! A connection is approved if, from the start of its first egress record to the start of its last one, there is at every instant a
//! rule that matches on address, port, source and path, and holds then. A rule that ends inside a long connection so ends the
//! approval of what comes after, unless another one takes over without a gap.

use super::paths::{Allowed, Devices, Possible};
use super::resolve::{Resolution, Resolver};
use super::{Paths, Policy, Rule, Target};
use crate::inventory::{Eni, Inventory, Peer};
use crate::time::UnixSeconds;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Ends whose rules are remembered; beyond, they are found again.
const REMEMBERED_MAX: usize = 65_536;

/// One connection that a control plane opened, or tried to.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// ARN of the cluster.
    pub cluster_arn: &'a str,
    /// The control-plane interface, as an index into [`Inventory::enis`]; always one of that cluster.
    pub recorder: Option<u32>,
    /// Address that was contacted.
    pub addr: IpAddr,
    /// Its port; 0 for protocols without ports.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Ways of the packets, as in the column `path` of `connections`; none if the logs do not say.
    pub paths: &'a BTreeSet<String>,
    /// Start of the first and of the last egress record; `None` if the records carry no time.
    pub times: Option<(UnixSeconds, UnixSeconds)>,
}

/// What a policy says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A rule approves it, all the time.
    Approved,
    /// No rule is for this destination.
    Unapproved,
    /// A rule was for it, and had ended.
    Expired,
    /// A rule is for it, and had not begun or not been approved.
    TooEarly,
    /// A rule is for it, and allows other ways only.
    WrongPath,
    /// What the answer needs is missing: a reference that the inventory cannot resolve, or the path.
    Indeterminate,
}

impl Verdict {
    /// Returns the text of the column `verdict`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Unapproved => "unapproved",
            Self::Expired => "expired",
            Self::TooEarly => "too-early",
            Self::WrongPath => "wrong-path",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// Returns whether it violates the policy; what is indeterminate does not.
    pub fn is_violation(self) -> bool {
        !matches!(self, Self::Approved | Self::Indeterminate)
    }
}

/// A verdict with the rules that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Indices of rules, the most specific prefix first, then in the order of the file: those that approve, else those that the
    /// verdict is about.
    pub rules: Vec<usize>,
    /// Of `expired` and `too-early`: the first instant of the connection at which no rule approves it.
    pub since: Option<UnixSeconds>,
}

/// A rule that names a destination, or may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hit {
    rule: usize,
    resolution: Resolution,
}

/// A rule for a connection, with all but the time decided.
struct Case<'a> {
    hit: Hit,
    rule: &'a Rule,
    path: Allowed,
}

/// (recorder, address, port, protocol, stretch of time).
type Ends = (u32, IpAddr, u16, u8, (u32, u32));

/// A policy with an inventory, ready to judge.
#[derive(Debug)]
pub struct Judge {
    policy: Arc<Policy>,
    inventory: Arc<Inventory>,
    resolver: Resolver,
    devices: Devices,
    /// Whether any target means something else at another time.
    is_dated: bool,
    remembered: Mutex<HashMap<Ends, Arc<[Hit]>, RandomState>>,
}

impl Judge {
    /// Makes a judge; references are resolved against the inventory.
    pub fn new(policy: &Policy, inventory: Arc<Inventory>) -> Judge {
        let is_dated = |target: &Target| !matches!(target, Target::Net(_) | Target::Aws { .. });
        Judge {
            resolver: Resolver::new(policy, Arc::clone(&inventory)),
            devices: Devices::new(&inventory),
            is_dated: policy.rules.iter().flat_map(|rule| &rule.to).any(is_dated),
            policy: Arc::new(policy.clone()),
            remembered: Mutex::default(),
            inventory,
        }
    }

    /// Returns the policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns what references of the policy resolve to.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Returns the ids of rules, joined by `,`: the column `approved_by`.
    pub fn ids(&self, rules: &[usize]) -> String {
        rules.iter().filter_map(|at| self.policy.rules.get(*at)).map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Returns who held the address that was contacted.
    pub fn peer(&self, attempt: &Attempt<'_>, t: UnixSeconds) -> Peer<'_> {
        self.inventory.peer(attempt.recorder, None, attempt.addr, t)
    }

    /// Returns what is known of the ways that a connection's packets took.
    pub fn paths(&self, attempt: &Attempt<'_>) -> Paths {
        let Some((first, _)) = attempt.times else { return Paths([Possible::ANY].into()) };
        let (vpc, peer) = (self.recorder(attempt).and_then(|eni| eni.vpc_id.as_deref()), self.peer(attempt, first));
        Paths(attempt.paths.iter().map(|path| self.devices.read(path, vpc, attempt.addr, &peer)).collect())
    }

    /// Judges a connection.
    pub fn judge(&self, attempt: &Attempt<'_>) -> Judgement {
        let hits = match attempt.times {
            Some((first, last)) => self.hits_throughout(attempt, first.min(last), first.max(last)),
            None => self.find(attempt, None).into(),
        };
        let needs_path = |hit: &&Hit| self.policy.rules.get(hit.rule).is_some_and(|rule| !rule.path.is_empty());
        let paths = hits.iter().find(needs_path).map(|_| self.paths(attempt));
        let case = |hit: &Hit| {
            let rule = self.policy.rules.get(hit.rule)?;
            let path = paths.as_ref().map_or(Allowed::Yes, |paths| paths.allowed(&rule.path));
            Some(Case { hit: *hit, rule, path })
        };
        let cases: Vec<Case<'_>> = hits.iter().filter_map(case).collect();
        match attempt.times {
            Some((first, last)) => decide(&cases, first.min(last), first.max(last)),
            None => undated(&cases),
        }
    }

    fn recorder(&self, attempt: &Attempt<'_>) -> Option<&Eni> {
        self.inventory.enis().get(attempt.recorder? as usize)
    }

    /// Rules that name the destination at both instants.
    fn hits_throughout(&self, attempt: &Attempt<'_>, first: UnixSeconds, last: UnixSeconds) -> Arc<[Hit]> {
        let at_first = self.hits(attempt, first);
        if !self.is_dated || self.resolver.epoch(first) == self.resolver.epoch(last) {
            return at_first;
        }
        let at_last = self.hits(attempt, last);
        let both = at_first.iter().filter_map(|hit| {
            let other = at_last.iter().find(|other| other.rule == hit.rule)?;
            Some(Hit { rule: hit.rule, resolution: hit.resolution.and(other.resolution) })
        });
        both.collect()
    }

    fn hits(&self, attempt: &Attempt<'_>, t: UnixSeconds) -> Arc<[Hit]> {
        let Some(recorder) = attempt.recorder else { return self.find(attempt, Some(t)).into() };
        let epoch = if self.is_dated { self.resolver.epoch(t) } else { (0, 0) };
        let ends = (recorder, attempt.addr, attempt.port, attempt.protocol, epoch);
        if let Some(hits) = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&ends) {
            return Arc::clone(hits);
        }
        let hits: Arc<[Hit]> = self.find(attempt, Some(t)).into();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(ends, Arc::clone(&hits));
        hits
    }

    /// Asks every rule; those that match on port and source and name the address, or may.
    fn find(&self, attempt: &Attempt<'_>, t: Option<UnixSeconds>) -> Vec<Hit> {
        let peer = t.filter(|_| self.is_dated).map(|t| self.peer(attempt, t));
        let at = peer.as_ref().zip(t);
        let fits = |rule: &Rule| {
            (rule.ports.is_empty() || rule.ports.iter().any(|ports| ports.contains(attempt.protocol, attempt.port)))
                && (rule.from.is_empty() || rule.from.iter().any(|source| source.names(attempt.cluster, attempt.cluster_arn)))
        };
        let hit = |(at_rule, rule): (usize, &Rule)| {
            let targets = rule.to.iter().map(|target| self.resolver.resolve(target, attempt.addr, at));
            let resolution = targets.fold(Resolution::No, Resolution::or);
            (resolution != Resolution::No).then_some(Hit { rule: at_rule, resolution })
        };
        self.policy.rules.iter().enumerate().filter(|(_, rule)| fits(rule)).filter_map(hit).collect()
    }
}

impl Case<'_> {
    fn is_named(&self) -> bool {
        matches!(self.hit.resolution, Resolution::Yes(_))
    }
}

/// Returns the first instant from `first` to `last` at which no rule holds; `None` if there always is one.
fn gap<'a>(rules: impl Iterator<Item = &'a Rule> + Clone, first: UnixSeconds, last: UnixSeconds) -> Option<UnixSeconds> {
    let mut t = first;
    while t <= last {
        match rules.clone().filter(|rule| rule.holds_at(t)).map(|rule| rule.expires).max() {
            Some(end) => t = end,
            None => return Some(t),
        }
    }
    None
}

/// Rules by how specific their match is, then in the order of the file.
fn ranked<'a>(cases: impl Iterator<Item = &'a Case<'a>>) -> Vec<usize> {
    let mut ranked: Vec<(Reverse<u8>, usize)> =
        cases.map(|case| (Reverse(if let Resolution::Yes(length) = case.hit.resolution { length } else { 0 }), case.hit.rule)).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, rule)| rule).collect()
}

fn decide(cases: &[Case<'_>], first: UnixSeconds, last: UnixSeconds) -> Judgement {
    // A rule that ends before it begins never holds.
    let overlaps = |case: &&Case<'_>| case.rule.starts().map_or(first, |start| start.max(first)) <= last.min(case.rule.expires - 1);
    let uncovered = |which: &dyn Fn(&&Case<'_>) -> bool| gap(cases.iter().filter(which).map(|case| case.rule), first, last);
    let made = |verdict, rules, since| Judgement { verdict, rules, since };
    let approves = |case: &&Case<'_>| case.is_named() && case.path == Allowed::Yes;
    if uncovered(&approves).is_none() {
        return made(Verdict::Approved, ranked(cases.iter().filter(approves).filter(overlaps)), None);
    }
    let may_approve = |case: &&Case<'_>| case.path != Allowed::No;
    if uncovered(&may_approve).is_none() {
        let open = cases.iter().filter(may_approve).filter(overlaps).filter(|case| !approves(case));
        return made(Verdict::Indeterminate, ranked(open), None);
    }
    let is_named = |case: &&Case<'_>| case.is_named();
    if uncovered(&is_named).is_none() {
        let wrong = cases.iter().filter(is_named).filter(overlaps).filter(|case| case.path == Allowed::No);
        return made(Verdict::WrongPath, ranked(wrong), None);
    }
    // What is nearest to an approval says best what is wrong.
    let is_on_path = cases.iter().any(|case| case.is_named() && case.path != Allowed::No);
    let near = |case: &&Case<'_>| case.is_named() && (case.path != Allowed::No || !is_on_path);
    let Some(since) = uncovered(&near).filter(|_| cases.iter().any(|case| near(&case))) else {
        return made(Verdict::Unapproved, Vec::new(), None);
    };
    let ended: Vec<usize> = ranked(cases.iter().filter(near).filter(|case| case.rule.expires <= since));
    if ended.is_empty() {
        let early = cases.iter().filter(near).filter(|case| case.rule.starts().is_some_and(|start| start > since));
        return made(Verdict::TooEarly, ranked(early), Some(since));
    }
    made(Verdict::Expired, ended, Some(since))
}

/// Without a time nothing is approved, since every rule ends.
fn undated(cases: &[Case<'_>]) -> Judgement {
    let open = ranked(cases.iter().filter(|case| case.path != Allowed::No));
    let verdict = if open.is_empty() { Verdict::Unapproved } else { Verdict::Indeterminate };
    Judgement { verdict, rules: open, since: None }
}
