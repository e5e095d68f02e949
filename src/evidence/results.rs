//! What a bundle says: `data/results.json`, from which every other rendering is made.
//!
//! It holds nothing that differs between two runs over the same inputs: clock, host and user stand in `run.json`. Counts are
//! numbers up to 2^53, else text (RFC 8785 §3.1 keeps no larger integer exact); instants are RFC 3339 in UTC; periods are half-open.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Version of this structure.
pub const SCHEMA: &str = "flowproof.evidence.results/1";

/// Counts that may pass 2^53: numbers up to there, else text.
mod count {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        crate::report::value::count(*value).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(value),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

/// What was found out about a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Everything in scope was seen, and nothing violates the statement.
    Pass,
    /// What was seen does not suffice to say.
    Indeterminate,
    /// Something violates the statement, whatever else was not seen.
    Fail,
}

impl Verdict {
    /// Returns the name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Indeterminate => "INDETERMINATE",
            Verdict::Fail => "FAIL",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The whole result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// Tool and version, without which the figures mean nothing: `flowproof 0.1.0`.
    pub tool: String,
    /// The audited period.
    pub period: Period,
    /// Clusters in scope, by ARN.
    pub clusters: Vec<ClusterScope>,
    /// One entry per statement and cluster, in the order of the catalogue, then by ARN.
    pub statements: Vec<Statement>,
    /// Every control that was asked for, with what the statements say of it.
    pub controls: Vec<Control>,
    /// Destinations, as `report egress` has them: unapproved first, then by bytes.
    pub destinations: Vec<Destination>,
    /// What violates a statement or leaves it open, by statement, cluster, day and subject.
    pub exceptions: Vec<Exception>,
    /// Hours of the control-plane interfaces by state.
    pub coverage: Vec<CoverageDay>,
    /// Contiguous spans without proof, by interface and time.
    pub gaps: Vec<Gap>,
    /// The policy that approval was judged by.
    pub policy: Option<PolicyUsed>,
    /// What was read.
    pub inputs: InputsUsed,
    /// What flow logs can never show, of what applies here (design §4, evidence §1.4).
    pub limits: Vec<Limit>,
    /// What a reader must know besides.
    pub notes: Vec<String>,
}

/// A half-open period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Period {
    /// Inclusive.
    pub from: String,
    /// Exclusive.
    pub to: String,
}

/// A cluster in scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterScope {
    /// Name.
    pub cluster: String,
    /// ARN.
    pub cluster_arn: String,
    /// Account.
    pub account_id: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// VPC.
    pub vpc_id: Option<String>,
    /// Egress modes in the period in order, verbatim; `null` where it is not known.
    pub egress_modes: Vec<Option<String>>,
    /// Control-plane interfaces that lived in the period.
    pub interfaces: Vec<String>,
}

/// One statement about one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Id of the catalogue: `A1` to `F2`, and `S5`.
    pub id: String,
    /// The sentence that is judged.
    pub text: String,
    /// Cluster.
    pub cluster_arn: String,
    /// The worst verdict of its days.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// Items in scope.
    pub population: u64,
    /// Items that could be judged.
    pub tested: u64,
    /// Items that violate the statement.
    pub violations: u64,
    /// Items that could not be judged.
    pub indeterminate: u64,
    /// Path of the SQL below `data/`.
    pub sql: String,
    /// One entry per UTC day of the period in which the cluster lived.
    pub days: Vec<StatementDay>,
}

/// One statement about one cluster on one UTC day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementDay {
    /// `2026-10-01`.
    pub day: String,
    /// Verdict.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// Covered share of the interface-hours, in 1/10,000; `null` if none were expected.
    pub covered_per_10000: Option<u64>,
    /// Items in scope.
    pub population: u64,
    /// Items that could be judged.
    pub tested: u64,
    /// Items that violate the statement.
    pub violations: u64,
    /// Items that could not be judged.
    pub indeterminate: u64,
}

/// A requirement of a framework, and what the statements say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// `NIST SP 800-53 rev 5`.
    pub framework: String,
    /// `SC-7(5)`.
    pub control: String,
    /// Its title, in our words.
    pub title: String,
    /// Statements that speak to it; empty if flow logs cannot assess it.
    pub statements: Vec<String>,
    /// The worst verdict of these statements; `null` if it is not assessed.
    pub verdict: Option<Verdict>,
    /// What the statements can show of it.
    pub shows: String,
    /// What they cannot.
    pub cannot_show: String,
    /// How sure the mapping is: `confirmed`, `from-memory` or `unconfirmed`.
    pub confidence: String,
}

/// A destination of a cluster's API server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// Name.
    pub cluster: String,
    /// ARN.
    pub cluster_arn: String,
    /// Address.
    pub dst_addr: String,
    /// Port.
    pub dst_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Names, joined by `,`.
    pub dst_name: Option<String>,
    /// What it is.
    pub dst_kind: Option<String>,
    /// Ways of the packets, joined by `,`.
    pub path: Option<String>,
    /// Outbound records, accepted.
    pub records_accepted: u64,
    /// Outbound records, rejected.
    pub records_rejected: u64,
    /// Outbound bytes, accepted.
    #[serde(with = "count")]
    pub bytes_accepted: u64,
    /// Inbound bytes of the same connections.
    #[serde(with = "count")]
    pub reply_bytes: u64,
    /// Connections (an estimate: records are aggregated).
    pub connections: u64,
    /// Of these, unanswered.
    pub unanswered: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Of these, rejected here.
    pub rejected: u64,
    /// Least `start` of outbound records; `null` if no record has a time.
    pub first_seen: Option<String>,
    /// Greatest `end` of outbound records, likewise.
    pub last_seen: Option<String>,
    /// Rules that say who opened it.
    pub initiator_rule: String,
    /// How sure that is.
    pub confidence: String,
    /// `log_object:log_line` of the first record.
    pub first_line: String,
    /// … of the last.
    pub last_line: String,
    /// Ids of the policy's rules that approve it, joined by `,`.
    pub approved_by: Option<String>,
    /// What the policy says of it.
    pub verdict: Option<String>,
}

/// Something that violates a statement, leaves it open, or is listed by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    /// Statement.
    pub statement: String,
    /// Cluster.
    pub cluster_arn: String,
    /// UTC day.
    pub day: String,
    /// `FAIL`, `INDETERMINATE`, or `PASS` for what a statement lists.
    pub verdict: Verdict,
    /// What it is about: a destination, an interface, an object, a rule.
    pub subject: String,
    /// Why, in words.
    pub reason: String,
    /// Items.
    pub items: u64,
    /// `log_object:log_line` of the first record behind it.
    pub first_line: Option<String>,
}

/// The hours of one control-plane interface on one UTC day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoverageDay {
    /// Cluster.
    pub cluster_arn: String,
    /// Interface.
    pub interface_id: String,
    /// UTC day.
    pub day: String,
    /// One letter per hour: `O`K, `N`ODATA, `S`KIPDATA, `G`AP, `L`ATE, `U`NKNOWN, `-` not there.
    pub hours: String,
    /// Records of all hours.
    pub records: u64,
}

/// A contiguous span without proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Cluster.
    pub cluster_arn: String,
    /// Interface, or `fl-… ACCOUNT REGION` of a delivery.
    pub subject: String,
    /// `GAP`, `SKIPDATA`, `LATE`, `UNKNOWN` or `NOT-DELIVERED`.
    pub state: String,
    /// Its span.
    pub period: Period,
}

/// The policy that approval was judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyUsed {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Rules.
    pub rules: u64,
    /// Findings about it, `P1` to `P11`.
    pub findings: Vec<PolicyFinding>,
}

/// A finding about the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyFinding {
    /// `P1` to `P11`.
    pub id: String,
    /// `fail`, `warn` or `info`.
    pub severity: String,
    /// Rule.
    pub rule: Option<String>,
    /// What it is, in words.
    pub what: String,
}

/// What was read. The objects themselves stand in `data/inputs/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputsUsed {
    /// Log objects read.
    pub objects: u64,
    /// Of these, not read whole.
    pub objects_incomplete: u64,
    /// Log objects left out: their flow logs cannot cover a control plane or its path.
    pub objects_left_out: u64,
    /// Stored bytes read.
    #[serde(with = "count")]
    pub bytes: u64,
    /// Lines read = headers + blanks + records + rejects + outside the window.
    pub lines: u64,
    /// Records of traffic in the window.
    pub ok: u64,
    /// Records of no traffic.
    pub nodata: u64,
    /// Records of lost records.
    pub skipdata: u64,
    /// Lines that are not records.
    pub rejected: u64,
    /// Records that start outside the window.
    pub outside_window: u64,
    /// Records that another flow log wrote too.
    pub duplicate: u64,
    /// SHA-256 over the list of objects with their digests (a Merkle root where it is sharded), hex.
    pub digest: String,
    /// Files of the inventory, and SHA-256 over their list.
    pub inventory_files: u64,
    /// Hex.
    pub inventory_digest: String,
}

/// A claim that flow logs cannot support.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// `no-other-traffic`, stable.
    pub id: String,
    /// The sentence.
    pub text: String,
    /// Statements that it bounds.
    pub statements: Vec<String>,
}
