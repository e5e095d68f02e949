//! The policy: which destinations the API servers of EKS clusters may contact, who answers for each, and until when.
//!
//! A policy is a TOML file that people write and review (`docs/policy.md`). It only ever allows: what no rule approves is a
//! violation. Approval is judged at the time of the flow, never at the time of the report, and a rule that names something by
//! reference (`eni:`, `sg:`, `aws:` …) is resolved against the inventory as of that time. Where an input for the answer is
//! missing the verdict is `indeterminate`, never `approved`.
//!
//! Text → [`Policy`] (`read`, `values`) → [`Judge`] (`judge`, with `resolve` and `paths`) → [`Judgement`] per connection → [`Usage`]
//! → [`Finding`]s (`lint`). `draft` goes the other way: from what was observed to a file for review.

pub mod draft;
pub mod judge;
pub mod lint;
pub mod paths;
pub mod read;
pub mod resolve;
pub mod usage;
pub mod values;

pub use judge::{Attempt, Judge, Judgement, Verdict};
pub use lint::{Finding, Severity, findings};
pub use paths::{Path, Paths};
pub use read::{Fault, Faults};
pub use usage::{Usage, Violation};

use crate::time::UnixSeconds;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// A policy that is valid: every rule has an owner, a reason, a ticket and an end.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where it was read from.
    pub place: String,
    /// What its owner calls it; may be empty.
    pub name: String,
    /// Which version of it this is; may be empty.
    pub version: String,
    /// The file, byte for byte.
    pub text: String,
    /// SHA-256 of the file, in lower-case hexadecimal digits.
    pub digest: String,
    /// The rules in the order of the file.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// Returns how a report names it: name, version and digest, of which the first two may be missing.
    pub fn title(&self) -> String {
        let named = [self.name.as_str(), self.version.as_str()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
        let named = if named.is_empty() { self.place.clone() } else { named };
        format!("{named} (sha256 {})", self.digest)
    }
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique and stable, of `a-z`, `0-9` and `-`.
    pub id: String,
    /// What may be contacted; at least one.
    pub to: Vec<Target>,
    /// Host names, for readers: flow logs hold none, so they decide nothing.
    pub names: Vec<String>,
    /// Protocols and ports; none means any.
    pub ports: Vec<Ports>,
    /// Whose API server; none means that of any cluster.
    pub from: Vec<Source>,
    /// Ways that packets may take; none means any.
    pub path: Vec<Path>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// Where it was asked for.
    pub ticket: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was approved; flows before were not.
    pub approved_on: Option<UnixSeconds>,
    /// First instant at which it holds.
    pub not_before: Option<UnixSeconds>,
    /// First instant at which it no longer holds.
    pub expires: UnixSeconds,
    /// Line of the file, 1-based.
    pub line: usize,
}

impl Rule {
    /// Returns the first instant at which it approves: the later of `not_before` and `approved_on`.
    pub fn starts(&self) -> Option<UnixSeconds> {
        self.not_before.max(self.approved_on)
    }

    /// Returns whether it holds at `t`.
    pub fn holds_at(&self, t: UnixSeconds) -> bool {
        self.starts().is_none_or(|start| start <= t) && t < self.expires
    }
}

/// What a rule approves, as `to` names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A CIDR, or an address as one of full length.
    Net(IpNet),
    /// `aws:SERVICE` or `aws:SERVICE/region`: ranges of `ip-ranges.json`.
    Aws {
        /// Service as `ip-ranges.json` writes it, e.g. `S3`.
        service: Arc<str>,
        /// Region, or `GLOBAL`.
        region: Option<Arc<str>>,
    },
    /// `vpce:vpce-…`: a VPC endpoint.
    Endpoint(Arc<str>),
    /// `sg:sg-…`: interfaces with that security group.
    Group(Arc<str>),
    /// `eni:eni-…`: an interface.
    Interface(Arc<str>),
    /// `pl:pl-…`: a managed prefix list.
    PrefixList(Arc<str>),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => write!(f, "{net}"),
            Self::Aws { service, region: None } => write!(f, "aws:{service}"),
            Self::Aws { service, region: Some(region) } => write!(f, "aws:{service}/{region}"),
            Self::Endpoint(id) => write!(f, "vpce:{id}"),
            Self::Group(id) => write!(f, "sg:{id}"),
            Self::Interface(id) => write!(f, "eni:{id}"),
            Self::PrefixList(id) => write!(f, "pl:{id}"),
        }
    }
}

/// A protocol with a range of its ports, as `ports` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// IANA protocol number; `None` for any.
    pub protocol: Option<u8>,
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

impl Ports {
    /// Returns whether it names this port of this protocol.
    pub fn contains(&self, protocol: u8, port: u16) -> bool {
        self.protocol.is_none_or(|own| own == protocol) && self.first <= port && port <= self.last
    }

    /// Returns whether it names all that another does.
    pub fn covers(&self, other: &Ports) -> bool {
        let protocol = self.protocol.is_none() || self.protocol == other.protocol;
        protocol && self.first <= other.first && other.last <= self.last
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(protocol) = self.protocol else { return f.write_str("any") };
        f.write_str(&values::protocol_name(protocol))?;
        match (self.first, self.last) {
            (0, u16::MAX) => Ok(()),
            (first, last) if first == last => write!(f, "/{first}"),
            (first, last) => write!(f, "/{first}-{last}"),
        }
    }
}

/// Whose API server, as `from` names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `cluster:NAME`: clusters of that name, in any account and region.
    ClusterName(String),
    /// `cluster:arn:…`: one cluster.
    ClusterArn(String),
}

impl Source {
    /// Returns whether it names this cluster.
    pub fn names(&self, cluster: &str, arn: &str) -> bool {
        match self {
            Self::ClusterName(name) => name == cluster,
            Self::ClusterArn(own) => own == arn,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterName(text) | Self::ClusterArn(text) => write!(f, "cluster:{text}"),
        }
    }
}
