//! The statements: what is claimed of a cluster, each a sentence with the SQL that tests it and what it cannot do without.
//!
//! A statement's SQL yields rows `(cluster_arn, day, subject, finding, reason, items, first_line)` with a finding of `pass`,
//! `noted`, `violation` or `indeterminate`; [`super::judge`] makes verdicts of them. Ids are those of the control-plane egress reference (A1–F2);
//! S5, validity of the policy, is added.

/// What must be given and whole before the rows of a statement can amount to a PASS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every hour of the day is covered by flow logs: elsewhere a violation may hide.
    Coverage,
    /// The cluster was `CUSTOMER_ROUTED` all day: else egress to destinations outside the VPC cannot be seen.
    CustomerRouted,
    /// Accepted traffic is recorded.
    Accepted,
    /// Rejected traffic is recorded.
    Rejected,
    /// The field is in every format that was written.
    Field(&'static str),
}

/// A statement.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// `A1` to `F2`, `S5`.
    pub id: &'static str,
    /// Header and statement in SQL, as executed.
    pub sql: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
}

impl Definition {
    /// Returns the sentence that is judged, from the header of the SQL.
    pub fn text(&self) -> &'static str {
        self.sql.lines().find_map(|line| line.strip_prefix("-- statement:")).unwrap_or("").trim()
    }

    /// Returns the path of the SQL in a bundle, below `data/`.
    pub fn path(&self) -> String {
        format!("sql/{}.sql", self.id)
    }
}

use Need::{Accepted, Coverage, CustomerRouted, Field, Rejected};

/// What every statement about destinations needs.
const ADDRESSES: [Need; 3] = [Field("srcaddr"), Field("dstaddr"), Field("dstport")];
const DESTINATIONS: &[Need] = &[CustomerRouted, Coverage, Accepted, ADDRESSES[0], ADDRESSES[1], ADDRESSES[2]];

macro_rules! statement {
    ($id:literal, $needs:expr) => {
        Definition { id: $id, sql: include_str!(concat!("../../queries/evidence/", $id, ".sql")), needs: $needs }
    };
}

/// Every statement, in the order of reports.
pub static CATALOGUE: [Definition; 22] = [
    statement!("A1", &[]),
    statement!("A2", &[]),
    statement!("A3", &[]),
    statement!("B1", &[]),
    statement!("B2", &[Field("log-status")]),
    statement!("B3", &[Coverage, Field("log-status")]),
    statement!("B4", &[]),
    statement!("B5", &[]),
    statement!("C1", DESTINATIONS),
    statement!("C2", &[CustomerRouted, Coverage, Accepted, Field("action"), ADDRESSES[0], ADDRESSES[1], ADDRESSES[2]]),
    statement!("C3", DESTINATIONS),
    statement!("C4", DESTINATIONS),
    statement!("C5", &[]),
    statement!("C6", DESTINATIONS),
    statement!("D1", &[CustomerRouted, Coverage, Rejected, Field("action")]),
    statement!("D2", &[CustomerRouted, Coverage, Accepted, Field("tcp-flags")]),
    statement!("D3", &[Coverage, Accepted]),
    statement!("E1", &[Coverage, Accepted]),
    statement!("E2", &[Coverage, Accepted]),
    statement!("F1", &[]),
    statement!("F2", &[]),
    statement!("S5", &[]),
];
