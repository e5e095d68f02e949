//! Which connection each recorded record belongs to, and so which figure it entered: the summary of the scan made once more, from
//! the records that a bundle holds.

use super::biflow::{Ends, Session};
use super::collect::{Collector, PART_BYTES, Rows};
use super::part_columns::{PartColumns, Status, int64, text};
use super::recorded_file::{RecordedFile, columns};
use super::spill::PARTITIONS;
use super::summary::Summary;
use crate::enrich::orientation::Side;
use crate::enrich::{Derived, FlowColumn};
use crate::error::Result;
use crate::inventory::Inventory;
use crate::pipeline::Part;
use crate::time::{UnixSeconds, hour_of};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Place of a record: object and line.
pub type Place = (String, i64);

/// What a record counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Sent by the API server on a connection that it opened.
    Request,
    /// Sent to it on a connection that it opened.
    Reply,
    /// Of a connection that the other end opened.
    Inbound,
    /// Of a connection of which nobody can say who opened it.
    Undecided,
    /// Its direction is unknown.
    Undirected,
    /// Another flow log recorded the interface in the same hour, and that one counts.
    SetAside,
    /// No traffic, or lost records: it says what was covered.
    Coverage,
    /// Its interface is none of a control plane in the inventory.
    Stranger,
}

impl Role {
    /// Returns the name that tables use.
    pub fn name(self) -> &'static str {
        match self {
            Role::Request => "request",
            Role::Reply => "reply",
            Role::Inbound => "inbound",
            Role::Undecided => "undecided",
            Role::Undirected => "undirected",
            Role::SetAside => "set-aside",
            Role::Coverage => "coverage",
            Role::Stranger => "stranger",
        }
    }
}

/// Which records are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Those whose other end is this address, and port and protocol if given.
    Peer {
        /// Address.
        addr: IpAddr,
        /// Port.
        port: Option<u16>,
        /// IANA protocol number.
        protocol: Option<u8>,
    },
    /// Those of an interface.
    Interface(String),
    /// Those at these places.
    Places(std::collections::HashSet<Place>),
}

/// A record that was found: its row in the batch is at the same place.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// What it counts as.
    pub role: Role,
    /// Its ends, if it has a direction.
    pub ends: Option<Ends>,
}

/// Spans of connections with who opened them, by ends; sorted by time.
type Opened = HashMap<Ends, Vec<(UnixSeconds, UnixSeconds, Option<Side>)>, RandomState>;

/// The records of a bundle with what they mean.
#[derive(Debug)]
pub struct Traced {
    file: RecordedFile,
    inventory: Arc<Inventory>,
    summary: Summary,
}

impl Traced {
    /// Reads the records once and joins them into connections, as the scan of the logs did. Beyond `memory_limit` bytes, parts of
    /// connections go to files in `spill_dir`.
    ///
    /// # Errors
    /// If the file cannot be read or claims what cannot be, or parts cannot be spilled.
    pub fn open(path: &Path, inventory: Arc<Inventory>, memory_limit: usize, spill_dir: &Path) -> Result<Traced> {
        let file = RecordedFile::open(path)?;
        let mut collector = Collector::new(Arc::clone(&inventory), memory_limit / 4 / PART_BYTES, spill_dir.to_owned());
        let (mut objects, mut object) = (0, None);
        file.each(&columns(), |batch| {
            for part in by_object(&batch) {
                let columns = PartColumns(&part);
                let (name, flow_log) = (texts_at(&columns, Derived::LogObject, 0), texts_at(&columns, Derived::FlowLogId, 0));
                if object.is_some() && object != name {
                    objects += 1;
                }
                object = name;
                let fields = fields_with_values(&part);
                collector.add(&Part { object: objects, batch: part, rejects: Vec::new(), fields }, objects, flow_log.as_deref())?;
            }
            Ok(true)
        })?;
        let sessions_max = memory_limit * 2 / 3 / size_of::<(Ends, Vec<Session>, Session)>();
        let summary = Summary::new(collector, Arc::clone(&inventory), sessions_max)?;
        Ok(Traced { file, inventory, summary })
    }

    /// Returns how many records there are.
    pub fn records(&self) -> u64 {
        self.file.rows
    }

    /// Hands on the place of every record, in the order of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn places(&self, mut take: impl FnMut(&str, i64)) -> Result<()> {
        self.file.each(&[FlowColumn::Derived(Derived::LogObject), FlowColumn::Derived(Derived::LogLine)], |batch| {
            let columns = PartColumns(&batch);
            let objects = columns.texts(FlowColumn::Derived(Derived::LogObject));
            let lines = columns.int64s(FlowColumn::Derived(Derived::LogLine));
            (0..batch.num_rows()).for_each(|at| take(text(&objects, at).unwrap_or_default(), int64(&lines, at).unwrap_or(0)));
            Ok(true)
        })
    }

    /// Hands on the records that are wanted, in the order of the file, until `take` wants no more.
    ///
    /// # Errors
    /// If the file or spilled parts cannot be read, or `take` fails.
    pub fn find(&self, wanted: &Wanted, mut take: impl FnMut(RecordBatch, Vec<Found>) -> Result<bool>) -> Result<()> {
        let opened = self.opened(wanted)?;
        self.file.each(&columns(), |batch| {
            let (rows, columns) = (Rows::new(&batch), PartColumns(&batch));
            let objects = columns.texts(FlowColumn::Derived(Derived::LogObject));
            let flow_logs = columns.texts(FlowColumn::Derived(Derived::FlowLogId));
            let (mut at_rows, mut found) = (Vec::new(), Vec::new());
            for at in 0..batch.num_rows() {
                let ends = self.ends(&rows, at);
                if wants(wanted, &rows, ends.map(|(ends, _)| ends), text(&objects, at), at) {
                    at_rows.push(at as u64);
                    let role = self.role(&rows, at, ends, text(&flow_logs, at).unwrap_or_default(), &opened);
                    found.push(Found { role, ends: ends.map(|(ends, _)| ends) });
                }
            }
            if found.is_empty() { Ok(true) } else { take(take_record_batch(&batch, &UInt64Array::from(at_rows))?, found) }
        })
    }

    fn ends(&self, rows: &Rows, at: usize) -> Option<(Ends, bool)> {
        let eni = self.inventory.eni_index(rows.interface.get(at)?)?;
        rows.ends(eni, self.inventory.enis().get(eni as usize), at)
    }

    fn role(&self, rows: &Rows, at: usize, ends: Option<(Ends, bool)>, flow_log: &str, opened: &Opened) -> Role {
        let Some(eni) = rows.interface.get(at).and_then(|interface| self.inventory.eni_index(interface)) else {
            return Role::Stranger;
        };
        if rows.statuses.at(at) != Status::Ok {
            return Role::Coverage;
        }
        let (start, end) = (int64(&rows.start, at), int64(&rows.end, at));
        let from = start.or(end).unwrap_or(0);
        let counted = self.summary.counted.get(&(eni, hour_of(from)));
        let flow_log = self.summary.collector.flow_logs.find(flow_log);
        if !counted.zip(flow_log).is_some_and(|(counted, flow_log)| counted.contains(&flow_log)) {
            return Role::SetAside;
        }
        let Some((ends, egress)) = ends else { return Role::Undirected };
        let spans = opened.get(&ends).map(Vec::as_slice).unwrap_or_default();
        match spans.iter().find(|(first, last, _)| (*first..=*last).contains(&from)) {
            Some((.., Some(Side::Local))) if egress => Role::Request,
            Some((.., Some(Side::Local))) => Role::Reply,
            Some((.., Some(Side::Peer))) => Role::Inbound,
            _ => Role::Undecided,
        }
    }

    /// Who opened the connections of the records that are wanted.
    fn opened(&self, wanted: &Wanted) -> Result<Opened> {
        let of_places = match wanted {
            Wanted::Places(_) => Some(self.ends_at(wanted)?),
            _ => None,
        };
        let interface = match wanted {
            Wanted::Interface(interface) => self.inventory.eni_index(interface),
            _ => None,
        };
        let asked = |ends: &Ends| match wanted {
            Wanted::Peer { .. } => is_peer(wanted, ends),
            Wanted::Interface(_) => Some(ends.eni) == interface,
            Wanted::Places(_) => of_places.as_ref().is_some_and(|known| known.contains(ends)),
        };
        let mut opened = Opened::default();
        for partition in 0..PARTITIONS {
            for (ends, sessions) in self.summary.joined(partition)?.iter().filter(|(ends, _)| asked(ends)) {
                let span = |session| (session, self.summary.connection(ends, session).verdict.initiator);
                let spans = sessions.iter().map(span).map(|(session, side)| (session.from, session.to, side)).collect();
                opened.insert(*ends, spans);
            }
        }
        Ok(opened)
    }

    fn ends_at(&self, wanted: &Wanted) -> Result<HashSet<Ends, RandomState>> {
        let mut known = HashSet::default();
        self.file.each(&columns(), |batch| {
            let rows = Rows::new(&batch);
            let objects = PartColumns(&batch).texts(FlowColumn::Derived(Derived::LogObject));
            for at in (0..batch.num_rows()).filter(|at| wants(wanted, &rows, None, text(&objects, *at), *at)) {
                known.extend(self.ends(&rows, at).map(|(ends, _)| ends));
            }
            Ok(true)
        })?;
        Ok(known)
    }
}

fn is_peer(wanted: &Wanted, ends: &Ends) -> bool {
    let Wanted::Peer { addr, port, protocol } = wanted else { return false };
    ends.peer == *addr && port.is_none_or(|port| ends.peer_port == port) && protocol.is_none_or(|protocol| ends.protocol == protocol)
}

fn wants(wanted: &Wanted, rows: &Rows, ends: Option<Ends>, object: Option<&str>, at: usize) -> bool {
    match wanted {
        Wanted::Peer { .. } => ends.is_some_and(|ends| is_peer(wanted, &ends)),
        Wanted::Interface(interface) => rows.interface.get(at) == Some(interface),
        Wanted::Places(places) => {
            let place = object.map(str::to_owned).zip(int64(&rows.line, at));
            place.is_some_and(|place| places.contains(&place))
        }
    }
}

/// Cuts a batch where the object changes.
fn by_object(batch: &RecordBatch) -> Vec<RecordBatch> {
    let objects = PartColumns(batch).texts(FlowColumn::Derived(Derived::LogObject));
    let mut cuts = vec![0];
    cuts.extend((1..batch.num_rows()).filter(|at| text(&objects, *at) != text(&objects, at - 1)));
    cuts.push(batch.num_rows());
    cuts.windows(2).filter_map(|cut| Some(batch.slice(*cut.first()?, cut.last()?.checked_sub(*cut.first()?)?))).collect()
}

fn texts_at(columns: &PartColumns<'_>, column: Derived, at: usize) -> Option<String> {
    let array = columns.texts(FlowColumn::Derived(column));
    (at < array.len()).then(|| text(&array, at).map(str::to_owned)).flatten()
}

/// How rich the format of these records is, as far as they show it: the fields in which any of them has a value. Of flow logs that
/// overlap, the richest counts.
fn fields_with_values(part: &RecordBatch) -> u32 {
    let has_value = |(column, array): &(FlowColumn, &ArrayRef)| matches!(column, FlowColumn::Aws(_)) && array.null_count() < array.len();
    columns().into_iter().zip(part.columns()).filter(has_value).count() as u32
}
