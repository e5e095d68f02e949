//! `connections` as a SQL table: biflows of control-plane interfaces, one row each.

use super::judged;
use super::rows::{ColumnDoc, Rows, Value, utc};
use super::summary::{Connection, Summary};
use crate::decode::BATCH_ROWS;
use crate::error::Result;
use crate::inventory::Inventory;
use crate::pipeline::Input;
use crate::policy::{Judge, Verdict};
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use std::cell::OnceCell;
use std::sync::LazyLock;

/// Every column of `connections`.
#[rustfmt::skip]
pub static COLUMNS: LazyLock<Vec<ColumnDoc>> = LazyLock::new(|| {
    use DataType::{Boolean, Int32, Int64, Utf8};
    vec![
        ("cluster", Utf8, "EKS cluster of the interface"),
        ("cluster_arn", Utf8, "ARN of the cluster"),
        ("account_id", Utf8, "Account of the cluster"),
        ("region", Utf8, "Region of the cluster"),
        ("vpc_id", Utf8, "VPC of the interface"),
        ("interface_id", Utf8, "Control-plane interface"),
        ("protocol", Int32, "IANA protocol number"),
        ("local_addr", Utf8, "Address of the interface's end"),
        ("local_port", Int32, "Port of the interface's end"),
        ("peer_addr", Utf8, "Address of the other end"),
        ("peer_port", Int32, "Port of the other end"),
        ("peer_kind", Utf8, "What the other end is, for this cluster"),
        ("peer_name", Utf8, "Names of the other end, joined by `,`"),
        ("path", Utf8, "Ways of the packets, joined by `,`"),
        ("initiator", Utf8, "Who opened the connection: `local`, `peer` or NULL"),
        ("initiator_rule", Utf8, "Rule that decided"),
        ("confidence", Utf8, "`certain`, `high`, `medium`, `low` or `none`"),
        ("outcome", Utf8, "For `initiator` = `local`: `answered`, `refused`, `unanswered`, `rejected`, `reply-blocked`"),
        ("flags_conflict", Boolean, "Whether handshake flags contradict each other"),
        ("start_time", utc(), "Least `start` of any record"),
        ("end_time", utc(), "Greatest `end` of any record"),
        ("egress_start_time", utc(), "Least `start` of records that left the interface"),
        ("egress_end_time", utc(), "Greatest `end` of records that left the interface"),
        ("egress_tcp_flags", Int32, "OR of their tcp-flags"),
        ("egress_records_accepted", Int64, "Records that left the interface, accepted"),
        ("egress_records_rejected", Int64, "… rejected"),
        ("egress_packets_accepted", Int64, "Packets of the accepted ones"),
        ("egress_packets_rejected", Int64, "… of the rejected ones"),
        ("egress_bytes_accepted", Int64, "Bytes of the accepted ones"),
        ("egress_bytes_rejected", Int64, "… of the rejected ones"),
        ("ingress_tcp_flags", Int32, "OR of tcp-flags of records that entered the interface"),
        ("ingress_records_accepted", Int64, "Records that entered the interface, accepted"),
        ("ingress_records_rejected", Int64, "… rejected"),
        ("ingress_packets_accepted", Int64, "Packets of the accepted ones"),
        ("ingress_packets_rejected", Int64, "… of the rejected ones"),
        ("ingress_bytes_accepted", Int64, "Bytes of the accepted ones"),
        ("ingress_bytes_rejected", Int64, "… of the rejected ones"),
        ("first_start_time", utc(), "Start of the record in `first_line`"),
        ("first_line", Utf8, "`log_object:log_line` of the record that starts first: an egress one, else an ingress one"),
        ("last_start_time", utc(), "Start of the record in `last_line`"),
        ("last_line", Utf8, "`log_object:log_line` of the record that starts last, likewise"),
        ("approved_by", Utf8, "Rules of the policy that approve it, the most specific first, joined by `,`"),
        ("verdict", Utf8, "For `initiator` = `local`, with a policy: `approved`, `unapproved`, `expired`, `too-early`, `wrong-path`, `indeterminate`"),
    ]
});

/// What rows are made of: who is who, where lines stand, what was joined, and what is approved.
type Scanned<'a> = (&'a Inventory, &'a [Input], &'a Summary, Option<&'a Judge>);

/// Hands on the connections of a partition until `take` wants no more: of [`COLUMNS`] those that are wanted, by their places.
///
/// # Errors
/// If spilled parts cannot be read back.
pub fn batches(
    partition: usize,
    wanted: &[usize],
    (inventory, inputs, summary, judge): Scanned<'_>,
    take: &mut dyn FnMut(RecordBatch) -> bool,
) -> Result<()> {
    let start = || Rows::of(&COLUMNS, wanted.to_vec());
    let mut rows = start();
    for (ends, sessions) in summary.joined(partition)?.iter() {
        for session in sessions {
            row(&summary.connection(ends, session), (inventory, inputs, summary, judge), &mut rows);
            if rows.count() >= BATCH_ROWS && !take(std::mem::replace(&mut rows, start()).finish()?) {
                return Ok(());
            }
        }
    }
    take(rows.finish()?);
    Ok(())
}

fn row(connection: &Connection<'_>, (inventory, inputs, summary, judge): Scanned<'_>, rows: &mut Rows) {
    let Connection { ends, session, verdict, outcome, flags_conflict } = connection;
    let eni = inventory.enis().get(ends.eni as usize);
    let cluster = eni.and_then(|eni| eni.cluster).and_then(|cluster| inventory.clusters().get(cluster as usize));
    // Asked for where a column of it is wanted.
    let found = OnceCell::new();
    let peer = || {
        let find = || judged::destination(ends, session, inventory, summary);
        found.get_or_init(find).as_ref()
    };
    let paths = || summary.paths(ends, session).into_iter().collect::<Vec<_>>().join(",");
    let judged = OnceCell::new();
    let judgement = || {
        let judge = judge.filter(|_| outcome.is_some())?;
        let judgement = judged.get_or_init(|| judged::judgement(judge, connection, inventory, summary));
        Some((judge, judgement.as_ref()?))
    };
    let (egress, ingress) = (&session.egress, &session.ingress);
    let shown = if egress.records() > 0 { egress } else { ingress };
    let line = |at: Option<(i64, (u32, u64))>| {
        let (_, (object, line)) = at?;
        inputs.get(object as usize).map(|input| format!("{}:{line}", input.object.uri))
    };
    let started = |at: Option<(i64, _)>| at.map(|(start, _)| start);
    let dated = |t: i64| (shown.start_min.is_some() || shown.end_max.is_some()).then_some(t);
    #[rustfmt::skip]
    rows.push(&[
        Value::Text(cluster.map(|cluster| &*cluster.name)),
        Value::Text(cluster.map(|cluster| &*cluster.arn)),
        Value::Text(cluster.and_then(|cluster| cluster.account_id.as_deref())),
        Value::Text(cluster.and_then(|cluster| cluster.region.as_deref())),
        Value::Text(eni.and_then(|eni| eni.vpc_id.as_deref())),
        Value::Text(eni.map(|eni| &*eni.id)),
        Value::Int32(Some(i32::from(ends.protocol))),
        Value::Made(&|| Some(ends.local.to_string())),
        Value::Int32(Some(i32::from(ends.local_port))),
        Value::Made(&|| Some(ends.peer.to_string())),
        Value::Int32(Some(i32::from(ends.peer_port))),
        Value::Made(&|| peer().map(|peer| peer.kind.to_owned())),
        Value::Made(&|| peer().map(|peer| peer.names.join(",")).filter(|names| !names.is_empty())),
        Value::Made(&|| Some(paths()).filter(|paths| !paths.is_empty())),
        Value::Text(verdict.initiator.map(|side| side.name())),
        Value::Text(Some(verdict.rule)),
        Value::Text(Some(verdict.confidence.name())),
        Value::Text(*outcome),
        Value::Bool(*flags_conflict),
        Value::Time(dated(session.from)),
        Value::Time(dated(session.to)),
        Value::Time(egress.start_min),
        Value::Time(egress.end_max),
        Value::Int32(egress.flags.map(i32::from)),
        Value::Count(egress.accepted.records),
        Value::Count(egress.rejected.records),
        Value::Count(egress.accepted.packets),
        Value::Count(egress.rejected.packets),
        Value::Count(egress.accepted.bytes),
        Value::Count(egress.rejected.bytes),
        Value::Int32(ingress.flags.map(i32::from)),
        Value::Count(ingress.accepted.records),
        Value::Count(ingress.rejected.records),
        Value::Count(ingress.accepted.packets),
        Value::Count(ingress.rejected.packets),
        Value::Count(ingress.accepted.bytes),
        Value::Count(ingress.rejected.bytes),
        Value::Time(started(shown.first)),
        Value::Made(&|| line(shown.first)),
        Value::Time(started(shown.last)),
        Value::Made(&|| line(shown.last)),
        Value::Made(&|| judgement().and_then(|(judge, made)| (made.verdict == Verdict::Approved).then(|| judge.ids(&made.rules)))),
        Value::Found(&|| judgement().map(|(_, made)| made.verdict.as_str())),
    ]);
}
