//! Connections of a scan as a policy sees them: what each is by it, and what that means for its rules.

use super::biflow::{Ends, Session};
use super::collect::Collector;
use super::spill::PARTITIONS;
use super::summary::{Connection, Summary};
use super::{Egress, Logs};
use crate::enrich::orientation::Side;
use crate::error::Result;
use crate::inventory::{Destination, Inventory};
use crate::policy::draft::Draft;
use crate::policy::{Attempt, Judge, Judgement, Usage};
use crate::time::UnixSeconds;

/// Returns what a policy says of a connection; `None` for one that no known control plane opened.
pub fn judgement(judge: &Judge, connection: &Connection<'_>, inventory: &Inventory, summary: &Summary) -> Option<Judgement> {
    attempted(connection, inventory, summary, |attempt| judge.judge(attempt))
}

/// Hands a connection that the control plane opened to `then`.
fn attempted<T>(connection: &Connection<'_>, inventory: &Inventory, summary: &Summary, then: impl FnOnce(&Attempt<'_>) -> T) -> Option<T> {
    let Connection { ends, session, verdict, .. } = connection;
    let cluster = inventory.clusters().get(inventory.enis().get(ends.eni as usize)?.cluster? as usize)?;
    if verdict.initiator != Some(Side::Local) {
        return None;
    }
    let attempt = Attempt {
        cluster: &cluster.name,
        cluster_arn: &cluster.arn,
        recorder: Some(ends.eni),
        addr: ends.peer,
        port: ends.peer_port,
        protocol: ends.protocol,
        paths: &summary.paths(ends, session),
        times: times(session),
    };
    Some(then(&attempt))
}

/// Starts of the first and of the last record: of egress ones, of ingress ones where only blocked replies are left.
fn times(session: &Session) -> Option<(UnixSeconds, UnixSeconds)> {
    let way = if session.egress.records() > 0 { &session.egress } else { &session.ingress };
    let first = way.start_min?;
    Some((first, way.last.map_or(first, |(start, _)| start)))
}

/// Returns what the end of a connection is, for the cluster whose control plane it is of.
pub fn destination(ends: &Ends, session: &Session, inventory: &Inventory, summary: &Summary) -> Option<Destination> {
    let cluster = inventory.enis().get(ends.eni as usize)?.cluster?;
    // Numbers of names depend on which record came first, so the choice goes by name: a specific service before AMAZON.
    let services = session.services.iter().map(|service| summary.names().get(*service));
    let service = services.min_by_key(|name| (*name == "AMAZON", *name));
    Some(inventory.destination(cluster, ends.eni, ends.peer, ends.peer_port, ends.protocol, session.from, service))
}

impl Egress {
    /// Returns what the connections mean for the rules of a policy.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    pub fn usage(&self, judge: &Judge, logs: &Logs) -> Result<Usage> {
        let mut usage = Usage::new(judge.policy(), self.window(logs.window));
        self.each(&mut |connection| {
            attempted(connection, &logs.inventory, &self.summary, |attempt| usage.add(attempt, &judge.judge(attempt)));
        })?;
        Ok(usage)
    }

    /// Hands on every connection that a known control plane opened, with what a policy is asked about it.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    pub fn attempts(&self, logs: &Logs, then: &mut dyn FnMut(&Connection<'_>, &Attempt<'_>)) -> Result<()> {
        self.each(&mut |connection| {
            attempted(connection, &logs.inventory, &self.summary, |attempt| then(connection, attempt));
        })
    }

    /// Returns the most fields of the formats that each flow log wrote, by (interface, hour, flow log): what decides between overlapping ones.
    pub fn formats(&self) -> impl Iterator<Item = (u32, UnixSeconds, &str, u32)> {
        let Collector { coverage, flow_logs, .. } = &self.summary.collector;
        coverage.iter().flat_map(move |((eni, hour), of_hour)| {
            of_hour.iter().map(move |(flow_log, covered)| (*eni, *hour, flow_logs.get(*flow_log), covered.fields_max))
        })
    }

    /// Returns a policy for review that approves these connections.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    pub fn draft(&self, logs: &Logs) -> Result<Draft> {
        let mut draft = Draft::new(&logs.inventory);
        self.each(&mut |connection| {
            let Some(destination) = destination(connection.ends, connection.session, &logs.inventory, &self.summary) else { return };
            attempted(connection, &logs.inventory, &self.summary, |attempt| draft.add(attempt, &destination));
        })?;
        Ok(draft)
    }

    fn each(&self, then: &mut dyn FnMut(&Connection<'_>)) -> Result<()> {
        for partition in 0..PARTITIONS {
            for (ends, sessions) in self.summary.joined(partition)?.iter() {
                sessions.iter().for_each(|session| then(&self.summary.connection(ends, session)));
            }
        }
        Ok(())
    }
}
