//! What was observed of each rule: how often it approved something, and what went against it.
//!
//! Sums, minima and maxima only, so the order of the connections does not matter.

use super::{Attempt, Judgement, Policy, Verdict};
use crate::time::{TimeRange, UnixSeconds, earlier};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many connections, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Connections.
    pub connections: u64,
    /// Least start of their first egress record.
    pub first: Option<UnixSeconds>,
    /// Greatest start of their last egress record.
    pub last: Option<UnixSeconds>,
}

impl Count {
    fn add(&mut self, times: Option<(UnixSeconds, UnixSeconds)>) {
        self.connections += 1;
        self.first = earlier(self.first, times.map(|(first, _)| first));
        self.last = self.last.max(times.map(|(_, last)| last));
    }
}

/// A destination of a cluster's API server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// ARN of the cluster.
    pub cluster_arn: String,
    /// Address.
    pub addr: IpAddr,
    /// Port.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
}

/// Connections to one destination that were not approved, for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violation {
    /// How many, and when.
    pub count: Count,
    /// The first instant at which no rule approved one of them, where a rule had ended or not begun.
    pub since: Option<UnixSeconds>,
    /// Ways of the packets, as in the column `path`.
    pub paths: BTreeSet<String>,
}

/// What the connections of a period mean for a policy.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// The period that was looked at.
    pub period: TimeRange,
    /// By rule, in the order of the file: what it approved.
    pub approved: Vec<Count>,
    /// Indices of rules that were the reason of any verdict, also one against a connection.
    pub touched: BTreeSet<usize>,
    /// What was not approved, by verdict, rule (none for `unapproved`) and destination; `indeterminate` among it.
    pub others: BTreeMap<(Verdict, Option<usize>, Spot), Violation>,
    /// Destinations by their worst verdict, as `report egress` counts them: see [`Usage::destinations`].
    spots: BTreeMap<Spot, BTreeSet<Verdict>>,
}

impl Usage {
    /// Starts to count for a policy.
    pub fn new(policy: &Policy, period: TimeRange) -> Usage {
        Usage { period, approved: vec![Count::default(); policy.rules.len()], ..Usage::default() }
    }

    /// Counts a connection.
    pub fn add(&mut self, attempt: &Attempt<'_>, judgement: &Judgement) {
        let spot = Spot { cluster_arn: attempt.cluster_arn.to_owned(), addr: attempt.addr, port: attempt.port, protocol: attempt.protocol };
        self.spots.entry(spot.clone()).or_default().insert(judgement.verdict);
        self.touched.extend(&judgement.rules);
        if judgement.verdict == Verdict::Approved {
            for rule in &judgement.rules {
                if let Some(count) = self.approved.get_mut(*rule) {
                    count.add(attempt.times);
                }
            }
            return;
        }
        let rules: Vec<Option<usize>> = match &judgement.rules[..] {
            [] => vec![None],
            rules => rules.iter().copied().map(Some).collect(),
        };
        for rule in rules {
            let violation = self.others.entry((judgement.verdict, rule, spot.clone())).or_default();
            violation.count.add(attempt.times);
            violation.since = earlier(violation.since, judgement.since);
            violation.paths.extend(attempt.paths.iter().cloned());
        }
    }

    /// Returns how many destinations there are, and how many of them have any connection that violates the policy, or none such
    /// but one that is indeterminate.
    pub fn destinations(&self) -> Destinations {
        let has = |of: fn(Verdict) -> bool| move |verdicts: &&BTreeSet<Verdict>| verdicts.iter().any(|verdict| of(*verdict));
        let violating = self.spots.values().filter(has(Verdict::is_violation)).count() as u64;
        let open = self.spots.values().filter(|verdicts| !has(Verdict::is_violation)(verdicts));
        let indeterminate = open.filter(has(|verdict| verdict == Verdict::Indeterminate)).count() as u64;
        Destinations { all: self.spots.len() as u64, violating, indeterminate }
    }
}

/// Destinations by whether the policy approves them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Destinations {
    /// All of them.
    pub all: u64,
    /// Those with a connection that violates the policy.
    pub violating: u64,
    /// Of the others, those with a connection that could not be judged.
    pub indeterminate: u64,
}
