//! What a finished scan means: overlapping flow logs resolved, parts joined into connections, connections oriented.

use super::biflow::{Ends, EniIndex, PartialKey, Session, Way, add_session, hours};
use super::collect::{Collector, Covered, Stranger};
use super::names::Names;
use super::spill::PARTITIONS;
use crate::enrich::orientation::{self, API_SERVER_PORT, Biflow, LISTENER_REMOTE_PORTS_MIN, Side, TCP, Verdict, has_ports};
use crate::error::Result;
use crate::inventory::{Eni, Inventory};
use crate::time::{HOUR, UnixSeconds};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Clients on its port 443 and hosts on their port 10250 from which on an unknown interface is suspected to be a control plane's.
const SUSPECT_CLIENTS_MIN: usize = 3;
const SUSPECT_KUBELETS_MIN: usize = 2;

/// A connection of a control-plane interface with everything that is known of it.
#[derive(Debug)]
pub struct Connection<'a> {
    /// Its ends.
    pub ends: &'a Ends,
    /// Its sums.
    pub session: &'a Session,
    /// Who opened it.
    pub verdict: Verdict,
    /// What became of it, if the interface opened it.
    pub outcome: Option<&'static str>,
    /// Whether the handshake contradicts itself.
    pub flags_conflict: bool,
}

/// The connections of each pair of ends, sorted by ends.
pub type Joined = Vec<(Ends, Vec<Session>)>;

/// Numbers about a scan that a report must state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// OK records of control-plane interfaces that another flow log also wrote.
    pub duplicate_records: u64,
    /// Bytes of those.
    pub duplicate_bytes: u64,
    /// Bytes of those outside the range of the flow log that counts: real, or not.
    pub in_doubt_bytes: u64,
    /// Flow logs whose records were set aside; sorted.
    pub duplicate_flow_logs: BTreeSet<String>,
    /// Records of control-plane interfaces without a direction.
    pub undirected_records: u64,
    /// OK records without interface-id, which nobody can attribute.
    pub unattributed_records: u64,
    /// Unknown interfaces that behave like a control plane's; sorted.
    pub suspects: Vec<String>,
    /// Unknown interfaces.
    pub strangers: u64,
}

/// (interface, peer, peer port, protocol, hour number).
type Contact = (EniIndex, IpAddr, u16, u8, i64);

/// A finished scan.
#[derive(Debug)]
pub struct Summary {
    pub(super) collector: Collector,
    /// By partition, if all of them are in memory.
    held: Vec<Joined>,
    pub(super) inventory: Arc<Inventory>,
    /// By (interface, hour): the flow logs that count.
    pub(super) counted: HashMap<(EniIndex, UnixSeconds), Vec<u32>, RandomState>,
    listeners: HashSet<(IpAddr, u16), RandomState>,
    remote_ports: HashMap<(IpAddr, u16, u8), Vec<u16>, RandomState>,
    /// Ends that an interface reached by accepted egress, by hour: a rejected packet from there is a blocked reply.
    contacts: HashSet<Contact, RandomState>,
    /// What the report must state.
    pub facts: Facts,
}

impl Summary {
    /// Finishes a scan. Up to `sessions_max` connections are kept in memory.
    ///
    /// # Errors
    /// If spilled parts cannot be written or read back.
    pub fn new(mut collector: Collector, inventory: Arc<Inventory>, sessions_max: usize) -> Result<Summary> {
        collector.partials.finish()?;
        let counted = counted_flow_logs(&collector);
        let facts = Facts {
            undirected_records: collector.undirected,
            unattributed_records: collector.unattributed,
            suspects: suspects(&collector.strangers).map(|(interface, _)| interface.to_owned()).collect(),
            strangers: collector.strangers.len() as u64,
            ..Facts::default()
        };
        let (listeners, remote_ports, contacts) = (HashSet::default(), HashMap::default(), HashSet::default());
        let mut summary = Summary { collector, held: Vec::new(), inventory, counted, listeners, remote_ports, contacts, facts };
        summary.count_duplicates()?;
        summary.hold(sessions_max)?;
        summary.learn_listeners()?;
        Ok(summary)
    }

    /// Returns the texts behind next hops and services.
    pub fn names(&self) -> &Names {
        &self.collector.names
    }

    /// Returns the interfaces that the inventory does not know and that behave like a control plane's, by id.
    pub fn suspects(&self) -> impl Iterator<Item = (&str, &Stranger)> {
        suspects(&self.collector.strangers)
    }

    /// Joins the parts once, if what they come to has room in memory; else they are joined each time that they are read.
    fn hold(&mut self, sessions_max: usize) -> Result<()> {
        let (partials, counted, held) = (&mut self.collector.partials, &self.counted, AtomicUsize::new(0));
        let taken: Vec<_> = (0..PARTITIONS).map(|partition| partials.take(partition)).collect();
        let partials = &self.collector.partials;
        let join = |(partition, parts): (usize, Option<HashMap<PartialKey, Vec<Session>, RandomState>>)| {
            let mut joining = Joining::new(counted);
            match parts {
                Some(parts) => parts.into_iter().for_each(|(key, sessions)| joining.add(&key, sessions)),
                None if held.load(Ordering::Relaxed) > sessions_max => return Ok(None),
                None => partials.read(partition, |key, sessions| joining.add(key, sessions))?,
            }
            let joined = joining.joined();
            held.fetch_add(joined.iter().map(|(_, sessions)| sessions.len()).sum(), Ordering::Relaxed);
            Ok(Some(joined))
        };
        let joined: Option<Vec<Joined>> = taken.into_par_iter().enumerate().map(join).collect::<Result<_>>()?;
        self.held = joined.unwrap_or_default();
        Ok(())
    }

    /// Returns the sessions of a partition, sorted by ends and start.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    pub fn joined(&self, partition: usize) -> Result<Cow<'_, Joined>> {
        if let Some(held) = self.held.get(partition) {
            return Ok(Cow::Borrowed(held));
        }
        let mut joining = Joining::new(&self.counted);
        self.collector.partials.read(partition, |key, sessions| joining.add(key, sessions))?;
        Ok(Cow::Owned(joining.joined()))
    }

    fn count_duplicates(&mut self) -> Result<()> {
        for (key, flow_logs) in &self.collector.coverage {
            let Some(counted) = self.counted.get(key) else { continue };
            for (flow_log, covered) in flow_logs.iter().filter(|(flow_log, _)| !counted.contains(flow_log)) {
                self.facts.duplicate_records += covered.ok;
                self.facts.duplicate_bytes = self.facts.duplicate_bytes.saturating_add(covered.bytes);
                self.facts.duplicate_flow_logs.insert(self.collector.flow_logs.get(*flow_log).to_owned());
            }
        }
        if self.facts.duplicate_records > 0 {
            self.facts.in_doubt_bytes = self.in_doubt_bytes()?;
        }
        Ok(())
    }

    /// Bytes of set-aside parts that lie wholly outside the ranges of the flow logs that count in that hour.
    fn in_doubt_bytes(&self) -> Result<u64> {
        let (counted, coverage) = (&self.counted, &self.collector.coverage);
        let mut bytes = 0;
        for partition in 0..PARTITIONS {
            self.collector.partials.read(partition, |key, sessions| {
                let at = (key.ends.eni, key.hour);
                let Some(chosen) = counted.get(&at).filter(|chosen| !chosen.contains(&key.flow_log)) else { return };
                let of_hour = coverage.get(&at);
                let covers = |session: &Session| {
                    chosen.iter().filter_map(|flow_log| of_hour?.get(flow_log)).any(|range| {
                        range.start_min.is_none_or(|from| session.to > from) && range.end_max.is_none_or(|to| session.from < to)
                    })
                };
                for session in sessions.iter().filter(|session| !covers(session)) {
                    let of = |way: &Way| way.accepted.bytes.saturating_add(way.rejected.bytes);
                    bytes = u64::saturating_add(bytes, of(&session.egress).saturating_add(of(&session.ingress)));
                }
            })?;
        }
        Ok(bytes)
    }

    /// Rules 1 and 2 show who listens; rule 7 needs how many remote ports an end has; rule `reply`, who was contacted.
    fn learn_listeners(&mut self) -> Result<()> {
        let (mut listeners, mut remote_ports) = (std::mem::take(&mut self.listeners), std::mem::take(&mut self.remote_ports));
        let mut stopped: HashSet<(EniIndex, IpAddr, u16, u8), RandomState> = HashSet::default();
        for partition in 0..PARTITIONS {
            for (ends, sessions) in self.joined(partition)?.iter() {
                for session in sessions {
                    let flow = biflow(ends, session);
                    let verdict = flow.orient();
                    if verdict.initiator == Some(Side::Local) && matches!(verdict.rule, "1" | "2") && session.ingress.records() > 0 {
                        listeners.insert((ends.peer, ends.peer_port));
                    }
                    if flow.is_stopped() && ends.local_port != API_SERVER_PORT {
                        stopped.insert((ends.eni, ends.peer, ends.peer_port, ends.protocol));
                    }
                }
                if ends.protocol != TCP && has_ports(ends.protocol) {
                    let mut saw = |address, port, remote| {
                        let ports: &mut Vec<u16> = remote_ports.entry((address, port, ends.protocol)).or_default();
                        if ports.len() < LISTENER_REMOTE_PORTS_MIN as usize && !ports.contains(&remote) {
                            ports.push(remote);
                        }
                    };
                    saw(ends.peer, ends.peer_port, ends.local_port);
                    saw(ends.local, ends.local_port, ends.peer_port);
                }
            }
        }
        (self.listeners, self.remote_ports) = (listeners, remote_ports);
        if stopped.is_empty() { Ok(()) } else { self.learn_contacts(&stopped) }
    }

    /// Finds who was contacted, of those whose packets were stopped: few ends, however many connections there are.
    fn learn_contacts(&mut self, stopped: &HashSet<(EniIndex, IpAddr, u16, u8), RandomState>) -> Result<()> {
        let mut contacts = std::mem::take(&mut self.contacts);
        for partition in 0..PARTITIONS {
            for (ends, sessions) in self.joined(partition)?.iter() {
                if !stopped.contains(&(ends.eni, ends.peer, ends.peer_port, ends.protocol)) {
                    continue;
                }
                let opened = |session: &&Session| {
                    session.egress.accepted.records > 0 && biflow(ends, session).orient().initiator == Some(Side::Local)
                };
                for session in sessions.iter().filter(opened) {
                    contacts.extend(hours(session).map(|hour| (ends.eni, ends.peer, ends.peer_port, ends.protocol, hour)));
                }
            }
        }
        self.contacts = contacts;
        Ok(())
    }

    /// Returns what is known of a connection.
    pub fn connection<'a>(&self, ends: &'a Ends, session: &'a Session) -> Connection<'a> {
        let cluster = self.eni(ends.eni).and_then(|eni| eni.cluster);
        let configured = cluster.is_some_and(|cluster| self.inventory.is_configured_listener(cluster, ends.peer, ends.peer_port));
        let serves = |address, port| {
            self.remote_ports.get(&(address, port, ends.protocol)).is_some_and(|ports| ports.len() >= LISTENER_REMOTE_PORTS_MIN as usize)
        };
        let biflow = Biflow {
            peer_listens: configured || self.listeners.contains(&(ends.peer, ends.peer_port)),
            peer_serves: serves(ends.peer, ends.peer_port),
            local_serves: serves(ends.local, ends.local_port),
            contacted: hours(session).any(|hour| self.contacts.contains(&(ends.eni, ends.peer, ends.peer_port, ends.protocol, hour))),
            ..biflow(ends, session)
        };
        let verdict = biflow.orient();
        let outcome = (verdict.initiator == Some(Side::Local)).then(|| biflow.outcome());
        Connection { ends, session, verdict, outcome, flags_conflict: biflow.flags_conflict() }
    }

    /// Returns the ways of a connection's packets, sorted: devices that logged them or are the next hop, else the names of the path codes.
    pub fn paths(&self, ends: &Ends, session: &Session) -> BTreeSet<String> {
        let vpc = self.eni(ends.eni).and_then(|eni| eni.vpc_id.clone());
        let seen = self.collector.evidence.get(&(ends.local, ends.peer, ends.peer_port, ends.protocol));
        let in_time = |hour: UnixSeconds| hours(session).contains(&hour.div_euclid(HOUR));
        let loggers = seen.into_iter().flatten().filter(|(_, hour)| in_time(*hour)).filter_map(|(device, _)| self.eni(*device));
        let hops = session.next_hops.iter().filter_map(|hop| self.inventory.eni_index(self.names().get(*hop)));
        let hops = hops.filter_map(|hop| self.eni(hop)).filter(|eni| eni.kind.is_path_device() && !eni.owns(ends.peer));
        let devices =
            loggers.filter(|eni| eni.vpc_id == vpc).chain(hops).map(|eni| format!("via {}", eni.resource.as_ref().unwrap_or(&eni.id)));
        let devices: BTreeSet<String> = devices.collect();
        if !devices.is_empty() {
            return devices;
        }
        (0..32).filter(|code| session.paths & 1 << code != 0).map(traffic_path_name).collect()
    }

    fn eni(&self, eni: EniIndex) -> Option<&Eni> {
        self.inventory.enis().get(eni as usize)
    }
}

/// Parts of connections being joined: those of the flow logs that count.
struct Joining<'a> {
    counted: &'a HashMap<(EniIndex, UnixSeconds), Vec<u32>, RandomState>,
    joined: HashMap<Ends, Vec<Session>, RandomState>,
}

impl<'a> Joining<'a> {
    fn new(counted: &'a HashMap<(EniIndex, UnixSeconds), Vec<u32>, RandomState>) -> Joining<'a> {
        Joining { counted, joined: HashMap::default() }
    }

    fn add(&mut self, key: &PartialKey, sessions: Vec<Session>) {
        if !self.counted.get(&(key.ends.eni, key.hour)).is_some_and(|flow_logs| flow_logs.contains(&key.flow_log)) {
            return;
        }
        let all = self.joined.entry(key.ends).or_default();
        if all.is_empty() {
            *all = sessions;
        } else {
            sessions.into_iter().for_each(|session| add_session(all, session));
        }
    }

    fn joined(self) -> Joined {
        let mut joined: Joined = self.joined.into_iter().collect();
        joined.sort_unstable_by_key(|(ends, _)| *ends);
        joined
    }
}

fn biflow(ends: &Ends, session: &Session) -> Biflow {
    let way = |way: &Way| orientation::Way {
        accepted: way.accepted.records,
        rejected: way.rejected.records,
        flags: way.flags,
        start_min: way.start_min,
    };
    Biflow {
        protocol: ends.protocol,
        local_port: ends.local_port,
        peer_port: ends.peer_port,
        out: way(&session.egress),
        back: way(&session.ingress),
        ..Biflow::default()
    }
}

/// Per interface and hour: the flow logs that count.
fn counted_flow_logs(collector: &Collector) -> HashMap<(EniIndex, UnixSeconds), Vec<u32>, RandomState> {
    let of = |flow_logs: &BTreeMap<u32, Covered>| {
        counted(flow_logs.iter().map(|(flow_log, covered)| (*flow_log, *covered)).collect(), &collector.flow_logs)
    };
    collector.coverage.iter().map(|(key, flow_logs)| (*key, of(flow_logs))).collect()
}

/// Of the flow logs of one interface and hour, those that count: where ranges are disjoint, all; where they overlap, the
/// richest format, then the lowest id.
pub fn counted(mut candidates: Vec<(u32, Covered)>, flow_logs: &Names) -> Vec<u32> {
    let overlap = |a: &Covered, b: &Covered| match (a.start_min, a.end_max, b.start_min, b.end_max) {
        (Some(a_from), Some(a_to), Some(b_from), Some(b_to)) => a_from < b_to.max(b_from + 1) && b_from < a_to.max(a_from + 1),
        _ => true,
    };
    candidates.sort_by_key(|(flow_log, covered)| (std::cmp::Reverse(covered.fields_max), flow_logs.get(*flow_log)));
    let mut chosen: Vec<(u32, Covered)> = Vec::new();
    for (flow_log, covered) in candidates {
        if chosen.iter().all(|(_, other)| !overlap(&covered, other)) {
            chosen.push((flow_log, covered));
        }
    }
    chosen.into_iter().map(|(flow_log, _)| flow_log).collect()
}

fn suspects(strangers: &BTreeMap<String, Stranger>) -> impl Iterator<Item = (&str, &Stranger)> {
    let suspect = |stranger: &Stranger| {
        !stranger.has_instance && stranger.clients.len() >= SUSPECT_CLIENTS_MIN && stranger.kubelets.len() >= SUSPECT_KUBELETS_MIN
    };
    strangers.iter().filter(move |(_, stranger)| suspect(stranger)).map(|(interface, stranger)| (interface.as_str(), stranger))
}

/// Returns the name of a traffic-path code (VPC user guide, "Flow log records", traffic-path; 2026 wording).
pub fn traffic_path_name(code: i32) -> String {
    match code {
        1 => "vpc",
        2 => "igw-or-gateway-endpoint",
        3 => "vgw",
        4 => "peering",
        5 => "inter-region-peering",
        6 => "local-gateway",
        7 => "gateway-endpoint",
        8 => "internet-gateway",
        code => return format!("path-{code}"),
    }
    .to_owned()
}
