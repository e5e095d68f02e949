//! What a policy says of a report's destinations: its name and digest, how many violate it, and the findings.

use super::Report;
use super::page::{self, WIDTH, plural, wrap_plain};
use crate::error::{Result, printable};
use crate::policy::usage::{Count, Destinations};
use crate::policy::{Finding, Policy, findings};
use crate::query::{Egress, Logs};
use crate::time::rfc3339;
use serde_json::{Value, json};

/// Findings that notes and the page list; the JSON holds all.
const LISTED_MAX: usize = 50;

/// A policy with what the connections of a report mean for it.
#[derive(Debug)]
pub struct Judged<'a> {
    policy: &'a Policy,
    /// Destinations by whether they are approved.
    pub destinations: Destinations,
    approved: Vec<Count>,
    findings: Vec<Finding>,
}

impl<'a> Judged<'a> {
    /// Judges the connections of a run; `None` without a policy. Findings are as of the end of the period, so that a report says the
    /// same whenever it is made.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    pub fn of(logs: &'a Logs, egress: &Egress) -> Result<Option<Judged<'a>>> {
        let Some(judge) = &logs.policy else { return Ok(None) };
        let usage = egress.usage(judge, logs)?;
        let findings = findings(judge.policy(), Some(&usage), Some(judge.resolver()), usage.period.to);
        Ok(Some(Judged { policy: judge.policy(), destinations: usage.destinations(), approved: usage.approved, findings }))
    }

    fn summary(&self) -> String {
        let Destinations { all, violating, indeterminate } = self.destinations;
        let open = if indeterminate > 0 { format!(", {indeterminate} cannot be judged") } else { String::new() };
        let verb = if violating == 1 { "violates" } else { "violate" };
        format!("{violating} of {} {verb} it{open}", plural(all, "destination"))
    }

    /// Returns notes: the policy, what cannot be judged, and the findings.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("policy {}: {}", self.policy.title(), self.summary())];
        if self.destinations.indeterminate > 0 {
            notes.push(
                "policy: what is indeterminate is neither approved nor a violation: the inventory cannot resolve a reference, or the logs do not say the path"
                    .to_owned(),
            );
        }
        notes.extend(self.findings.iter().take(LISTED_MAX).map(|finding| format!("policy {}", sentence(finding, true))));
        if self.findings.len() > LISTED_MAX {
            notes.push(format!("policy: {} more findings; -o json holds all", self.findings.len() - LISTED_MAX));
        }
        notes
    }

    /// Returns the lines under the head of the page.
    pub fn head(&self) -> String {
        wrap_plain(&printable(&format!("policy {}", self.policy.title()))) + &wrap_plain(&self.summary())
    }

    /// Returns the block of findings for the page; nothing if there are none.
    pub fn block(&self) -> String {
        if self.findings.is_empty() {
            return String::new();
        }
        let listed = self.findings.iter().take(LISTED_MAX);
        let lines: String = listed.map(|finding| page::wrap(&printable(&sentence(finding, false)), WIDTH)).collect();
        let more = self.findings.len().saturating_sub(LISTED_MAX);
        let more = if more > 0 { format!("  … {more} more findings; -o json holds all\n") } else { String::new() };
        format!("\nfindings of the policy\n{lines}{more}")
    }

    /// Returns it for the JSON.
    pub fn document(&self) -> Value {
        let rule = |(rule, count): (&crate::policy::Rule, &Count)| {
            json!({
                "id": rule.id,
                "line": rule.line,
                "connections": count.connections,
                "first_seen": count.first.map(rfc3339),
                "last_seen": count.last.map(rfc3339),
            })
        };
        let Destinations { all, violating, indeterminate } = self.destinations;
        json!({
            "file": self.policy.place,
            "name": self.policy.name,
            "version": self.policy.version,
            "sha256": self.policy.digest,
            "destinations": { "all": all, "violating": violating, "indeterminate": indeterminate },
            "rules": self.policy.rules.iter().zip(&self.approved).map(rule).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(Finding::document).collect::<Vec<_>>(),
        })
    }
}

/// `P1 fail: rule, cluster, destination: what`; the page, which is by cluster, leaves the ARN out.
fn sentence(finding: &Finding, with_cluster: bool) -> String {
    let cluster = finding.cluster_arn.as_ref().filter(|_| with_cluster);
    let about: Vec<&str> =
        [finding.rule.as_ref(), cluster, finding.destination.as_ref()].into_iter().flatten().map(String::as_str).collect();
    format!("{} {}: {}: {}", finding.id, finding.severity.as_str(), about.join(", "), finding.what)
}

/// Returns whether any destination of a report violates its policy.
pub fn has_violations(report: &Report) -> bool {
    let destinations = report.further.get("policy").and_then(|policy| policy.get("destinations"));
    destinations.and_then(|counts| counts.get("violating")).and_then(Value::as_u64).is_some_and(|violating| violating > 0)
}
