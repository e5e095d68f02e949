//! The truth: what the logs say, summed while the traffic is planned, never by reading the output back.
//!
//! Written as `truth.json`. Everything but `objects` and `headers` is the same whatever the number of files and threads.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a generated estate's logs contain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Truth {
    /// The seed.
    pub(crate) seed: u64,
    /// First second of the period (Unix seconds).
    pub(crate) from: i64,
    /// Second after the period (Unix seconds); every record's `start` and `end` lie inside.
    pub(crate) to: i64,
    /// Records by log status.
    pub(crate) records: Statuses,
    /// Header lines (one per text object; 0 in Parquet).
    pub(crate) headers: u64,
    /// Text lines (records and headers; in Parquet the rows).
    pub(crate) lines: u64,
    /// Every log object, in the order of its key.
    pub(crate) objects: Vec<ObjectTruth>,
    /// Every cluster, in the order of its ARN.
    pub(crate) clusters: Vec<ClusterTruth>,
    /// Records per interface, in the order of its id.
    pub(crate) interfaces: Vec<InterfaceTruth>,
    /// What the control-plane interfaces contacted, by (cluster ARN, address, port, protocol).
    pub(crate) egress: Vec<EgressTruth>,
    /// Bytes between different AZs, each movement once, by (source, destination, kind).
    pub(crate) cross_az: Vec<CrossAzTruth>,
    /// Bytes through NAT gateways, by (gateway, client).
    pub(crate) nat: Vec<NatTruth>,
    /// The same bytes as in `cross_az` as a bill has them: by (account, region, day, kind, direction).
    pub(crate) cross_az_days: Vec<CrossAzDayTruth>,
    /// The same bytes as in `nat` as a bill has them: by (account, region, day, gateway).
    pub(crate) nat_days: Vec<NatDayTruth>,
}

/// Records by log status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Statuses {
    /// Traffic.
    pub(crate) ok: u64,
    /// No traffic in the window.
    pub(crate) nodata: u64,
    /// Records were lost in the window.
    pub(crate) skipdata: u64,
}

impl Statuses {
    /// Returns all records.
    pub(crate) fn total(&self) -> u64 {
        self.ok + self.nodata + self.skipdata
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: &Statuses) {
        self.ok += other.ok;
        self.nodata += other.nodata;
        self.skipdata += other.skipdata;
    }
}

/// One log object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ObjectTruth {
    /// Path below `logs/`, with `/`.
    pub(crate) key: String,
    /// The flow log that wrote it (in a loose layout the key does not say so).
    pub(crate) flow_log_id: String,
    /// Fields in the object's order, joined by a space.
    pub(crate) fields: String,
    /// Records by log status.
    pub(crate) records: Statuses,
    /// Bytes of the decompressed text; 0 for Parquet.
    pub(crate) text_bytes: u64,
    /// Bytes on disk.
    pub(crate) stored_bytes: u64,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ClusterTruth {
    /// Its name; several accounts may use the same one.
    pub(crate) name: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// Its account.
    pub(crate) account_id: String,
    /// Its region.
    pub(crate) region: String,
    /// Its VPC.
    pub(crate) vpc_id: String,
    /// Its control-plane interfaces, replaced ones too.
    pub(crate) interfaces: Vec<String>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InterfaceTruth {
    /// Its id.
    pub(crate) interface_id: String,
    /// `eks-control-plane`, `eks-node`, `nat-gateway`, `vpc-endpoint`, `rds`, `resolver` or `other`.
    pub(crate) kind: &'static str,
    /// Records by log status.
    pub(crate) records: Statuses,
}

/// One destination of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EgressTruth {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// The cluster's ARN.
    pub(crate) cluster_arn: String,
    /// Destination address.
    pub(crate) dst_addr: String,
    /// Destination port.
    pub(crate) dst_port: u16,
    /// IANA protocol number.
    pub(crate) protocol: u8,
    /// Why the generator contacts it (for a reader; not a claim about `dst_kind`).
    pub(crate) purpose: &'static str,
    /// The NAT gateways it was reached by, if any.
    pub(crate) via_nat: BTreeSet<String>,
    /// `traffic-path` of the outbound records.
    pub(crate) traffic_path: u8,
    /// Outbound records with action ACCEPT at the control-plane interface, and so on.
    pub(crate) records_accepted: u64,
    pub(crate) records_rejected: u64,
    pub(crate) packets_accepted: u64,
    pub(crate) packets_rejected: u64,
    pub(crate) bytes_accepted: u64,
    pub(crate) bytes_rejected: u64,
    /// Packets of accepted inbound records of the same connections.
    pub(crate) reply_packets: u64,
    /// Bytes of accepted inbound records of the same connections.
    pub(crate) reply_bytes: u64,
    /// Connections opened, or tried.
    pub(crate) connections: u64,
    /// Connections by outcome; they add up. `refused` shows only in formats with `tcp-flags`: without them a
    /// refused connection looks answered.
    pub(crate) answered: u64,
    pub(crate) unanswered: u64,
    pub(crate) refused: u64,
    pub(crate) rejected: u64,
    pub(crate) reply_blocked: u64,
    /// Least `start` of the outbound records (Unix seconds).
    pub(crate) first_seen: i64,
    /// Greatest `end` of the outbound records (Unix seconds).
    pub(crate) last_seen: i64,
}

/// Bytes moved from one AZ to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CrossAzTruth {
    /// AZ id of the sender.
    pub(crate) src_az_id: String,
    /// AZ id of the receiver (for `nat`, the other end of the hop between client and gateway).
    pub(crate) dst_az_id: String,
    /// `nat`, `endpoint`, `database`, `eks-control-plane` or `direct`; the first that applies.
    pub(crate) kind: &'static str,
    /// Bytes accepted at the sender.
    pub(crate) bytes: u64,
}

/// Bytes of one client through one NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NatTruth {
    /// The gateway.
    pub(crate) nat_gateway_id: String,
    /// The client's address (a pod's traffic leaves the VPC as its node's).
    pub(crate) client_addr: String,
    /// Client to gateway (class A).
    pub(crate) bytes_up: u64,
    /// Gateway to client (class D).
    pub(crate) bytes_down: u64,
}

/// Bytes between AZs on one day in one account, which both ends are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CrossAzDayTruth {
    /// The account.
    pub(crate) account_id: String,
    /// The region.
    pub(crate) region: String,
    /// First second of the day (UTC).
    pub(crate) day: i64,
    /// As in `cross_az`.
    pub(crate) kind: &'static str,
    /// Whether the sender is the interface that gives the kind: the database, the endpoint, the gateway, …
    pub(crate) service_sends: bool,
    /// Bytes accepted at the sender.
    pub(crate) bytes: u64,
}

/// Bytes through one NAT gateway on one day, up and down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NatDayTruth {
    /// The account.
    pub(crate) account_id: String,
    /// The region.
    pub(crate) region: String,
    /// First second of the day (UTC).
    pub(crate) day: i64,
    /// The gateway.
    pub(crate) nat_gateway_id: String,
    /// Bytes of classes A and D.
    pub(crate) bytes: u64,
}

/// What a movement between AZs is accounted under; ordered as the first match goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Movement {
    Nat,
    Endpoint,
    Database,
    ControlPlane,
    Direct,
}

impl Movement {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Movement::Nat => "nat",
            Movement::Endpoint => "endpoint",
            Movement::Database => "database",
            Movement::ControlPlane => "eks-control-plane",
            Movement::Direct => "direct",
        }
    }
}

/// The sums of one site.
pub(crate) struct Ledger {
    /// One row per destination of the plan; those never contacted are left out of the truth.
    pub(crate) egress: Vec<EgressTruth>,
    /// Bytes by (source AZ, destination AZ, kind).
    pub(crate) moved: BTreeMap<(u8, u8, Movement), u64>,
    /// The same by (day, kind, whether the kind's own interface sends).
    pub(crate) moved_by_day: BTreeMap<(i64, Movement, bool), u64>,
    /// Bytes up and down by (gateway, client address).
    pub(crate) nat: BTreeMap<(u32, u32), (u64, u64)>,
    /// Bytes both ways by (day, gateway).
    pub(crate) nat_by_day: BTreeMap<(i64, u32), u64>,
    /// Records per interface.
    pub(crate) interfaces: Vec<Statuses>,
}

impl Ledger {
    /// Adds bytes that moved between two AZs; inside one AZ nothing is kept.
    pub(crate) fn moved(&mut self, (from, to): (u8, u8), kind: Movement, day: i64, service_sends: bool, bytes: u64) {
        if from != to {
            *self.moved.entry((from, to, kind)).or_default() += bytes;
            *self.moved_by_day.entry((day, kind, service_sends)).or_default() += bytes;
        }
    }

    /// Returns the movements with the AZs named.
    pub(crate) fn cross_az(&self, az_ids: &[String]) -> impl Iterator<Item = CrossAzTruth> {
        self.moved.iter().map(|(&(from, to, kind), &bytes)| CrossAzTruth {
            src_az_id: az_ids[usize::from(from)].clone(),
            dst_az_id: az_ids[usize::from(to)].clone(),
            kind: kind.name(),
            bytes,
        })
    }
}

/// Sums movements of several sites: accounts share AZ ids.
pub(crate) fn merge_cross_az(rows: impl Iterator<Item = CrossAzTruth>) -> Vec<CrossAzTruth> {
    let mut sums: BTreeMap<(String, String, &'static str), u64> = BTreeMap::new();
    for row in rows {
        *sums.entry((row.src_az_id, row.dst_az_id, row.kind)).or_default() += row.bytes;
    }
    sums.into_iter().map(|((src_az_id, dst_az_id, kind), bytes)| CrossAzTruth { src_az_id, dst_az_id, kind, bytes }).collect()
}
