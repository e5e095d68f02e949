//! The logs of a run, and the scan behind `connections` and `hourly`: one for both where the statements name both.

use super::biflow::{Ends, Session};
use super::collect::{self, Collector};
use super::coverage::Closing;
use super::grain::Grain;
use super::hourly::{self, Hourly, Key, Sums};
use super::hours::Hours;
use super::recording::{self, Recorded, Recording};
use super::summary::Summary;
use crate::decode::{Interfaces, Validation, Wanted};
use crate::enrich::{FlowColumn, Tagger, fields_read};
use crate::error::{Error, Result};
use crate::flow::{Layout, RecordKind};
use crate::intake::{Intake, Totals};
use crate::inventory::{Eni, InterfaceKind, Inventory};
use crate::pipeline::{self, Input, Part, Scan};
use crate::policy::Judge;
use crate::source::{ListCounts, LogKey};
use crate::time::TimeRange;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Default of `--memory-limit`: what queries may hold before they spill, and a quarter of it for the summary of connections.
/// Decoding's own budget comes on top.
pub const MEMORY_LIMIT_DEFAULT: usize = 192 << 20;
/// The logs and the inventory of a run, and how to read them.
#[derive(Debug)]
pub struct Logs {
    /// The objects, sorted by URI.
    pub inputs: Arc<[Input]>,
    /// What the listing saw.
    pub listed: ListCounts,
    /// Who holds which address.
    pub inventory: Arc<Inventory>,
    /// Which destinations are approved; without it nothing is judged.
    pub policy: Option<Arc<Judge>>,
    /// Window of the records.
    pub window: TimeRange,
    /// When silent hours are no longer late.
    pub closing: Closing,
    /// Which columns must hold values of their type.
    pub validation: Validation,
    /// Layout of objects without a header.
    pub log_format: Option<Arc<Layout>>,
    /// Objects decoded at once, and partitions of a query.
    pub threads: usize,
    /// Bytes that queries may hold before they spill.
    pub memory_limit: usize,
    /// Folder for spill files.
    pub spill_dir: PathBuf,
    /// What the hourly sums tell apart.
    pub grain: Grain,
    /// Accounting of every scan of this run.
    pub scans: Scans,
    /// What became of `connections` and `hourly`.
    pub tables: Tables,
}

/// The tables that a scan fills: what they came to, once they are filled, and which of them the statements of the run name.
#[derive(Debug, Default)]
pub struct Tables {
    filled: tokio::sync::Mutex<Filled>,
    connections_named: AtomicBool,
    hourly_named: AtomicBool,
}

#[derive(Debug, Default)]
struct Filled {
    connections: Option<Arc<Egress>>,
    hourly: Option<Arc<Scanned>>,
}

impl Tables {
    /// Tells that a statement names `connections`: should `hourly` be asked first, one scan fills both.
    pub fn name_connections(&self) {
        self.connections_named.store(true, Ordering::Relaxed);
    }

    /// Tells that a statement names `hourly`, likewise.
    pub fn name_hourly(&self) {
        self.hourly_named.store(true, Ordering::Relaxed);
    }
}

/// Accounting of the scans of a run.
#[derive(Debug, Default)]
pub struct Scans(Mutex<Vec<Arc<Intake>>>);

/// The finished scan of control-plane traffic.
#[derive(Debug)]
pub struct Egress {
    /// What it means.
    pub summary: Summary,
    /// Its accounting.
    pub totals: Totals,
    /// The same, object by object.
    pub intake: Arc<Intake>,
    /// The objects that it read.
    pub inputs: Arc<[Input]>,
    /// Objects left out because their flow logs cannot cover a control plane or its path: (objects, stored bytes, flow logs).
    pub skipped: (u64, u64, Vec<String>),
    /// The raw records of control planes, if they were asked for.
    pub recorded: Option<Recorded>,
}

/// The finished scan of all traffic.
#[derive(Debug)]
pub struct Scanned {
    /// What it means.
    pub hours: Hours,
    /// Its accounting.
    pub totals: Totals,
}

impl Logs {
    /// Returns the fault of asking a table of logs when none are given: an empty table would look like an answer.
    pub fn needs_inputs(&self) -> Result<()> {
        if self.inputs.is_empty() {
            return Err(Error::usage("this reads logs, and no LOGS are given")
                .with_hint("flowproof sql LOGS… -c SQL: s3://bucket/prefix, folders, files or globs"));
        }
        Ok(())
    }

    /// Returns an accounting for a new scan.
    pub fn new_intake(&self) -> Arc<Intake> {
        let intake = Arc::new(Intake::default());
        self.scans.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&intake));
        intake
    }

    /// Returns the accounting of the scans so far.
    pub fn intakes(&self) -> Vec<Arc<Intake>> {
        self.scans.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the connections of control planes, from a scan that is made when first asked for.
    ///
    /// # Errors
    /// If a source denies everything, spilled parts cannot be written, or accounting does not add up.
    pub async fn egress(&self) -> Result<Arc<Egress>> {
        self.connections(false).await
    }

    /// Makes that scan, and keeps the raw records of control planes besides; to be asked before anything else reads `connections`.
    ///
    /// # Errors
    /// As [`Logs::egress`]; if the records cannot be kept in the spill folder.
    pub async fn egress_recorded(&self) -> Result<Arc<Egress>> {
        self.connections(true).await
    }

    async fn connections(&self, is_recorded: bool) -> Result<Arc<Egress>> {
        let mut filled = self.tables.filled.lock().await;
        if let Some(egress) = &filled.connections {
            return Ok(Arc::clone(egress));
        }
        let with_hourly = filled.hourly.is_none() && self.tables.hourly_named.load(Ordering::Relaxed);
        let share = self.memory_limit / (1 + usize::from(with_hourly));
        let mut connecting = Connecting::new(self, share, with_hourly, is_recorded)?;
        let mut summing = with_hourly.then(|| self.summing(share));
        let intake = self.pass(Some(&mut connecting), summing.as_mut()).await?;
        if let Some(summing) = summing {
            filled.hourly = Some(Arc::new(self.summed(summing, share, &intake)?));
        }
        let egress = Arc::new(connecting.egress(self, share, intake)?);
        filled.connections = Some(Arc::clone(&egress));
        Ok(egress)
    }

    /// Returns the sums of all traffic by hour, from a scan that is made when first asked for.
    ///
    /// # Errors
    /// If a source denies everything, spilled sums cannot be written, or accounting does not add up.
    pub async fn hourly(&self) -> Result<Arc<Scanned>> {
        let mut filled = self.tables.filled.lock().await;
        if let Some(scanned) = &filled.hourly {
            return Ok(Arc::clone(scanned));
        }
        let with_connections = filled.connections.is_none() && self.tables.connections_named.load(Ordering::Relaxed);
        let share = self.memory_limit / (1 + usize::from(with_connections));
        let mut connecting = if with_connections { Some(Connecting::new(self, share, true, false)?) } else { None };
        let mut summing = self.summing(share);
        let intake = self.pass(connecting.as_mut(), Some(&mut summing)).await?;
        let scanned = Arc::new(self.summed(summing, share, &intake)?);
        filled.hourly = Some(Arc::clone(&scanned));
        if let Some(connecting) = connecting {
            filled.connections = Some(Arc::new(connecting.egress(self, share, intake)?));
        }
        Ok(scanned)
    }

    /// Reads the objects once, and hands every batch to the operators that are to be filled; returns the accounting.
    async fn pass(&self, mut connecting: Option<&mut Connecting>, mut summing: Option<&mut Hourly>) -> Result<Arc<Intake>> {
        let mut columns = connecting.as_ref().map_or_else(Vec::new, |connecting| connecting.columns());
        if summing.is_some() {
            let known = columns.len();
            columns.extend(hourly::columns().into_iter().filter(|column| !columns[..known].contains(column)).collect::<Vec<_>>());
        }
        let (inputs, interfaces) = match &connecting {
            Some(connecting) if summing.is_none() => (Arc::clone(&connecting.inputs), self.on_path_only()),
            _ => (Arc::clone(&self.inputs), Interfaces::All),
        };
        let wanted = Wanted {
            kind: RecordKind::Vpc,
            fields: fields_read(&columns),
            extra: columns.contains(&FlowColumn::Extra),
            interfaces,
            time: self.window,
            validation: self.validation,
            ..Wanted::default()
        };
        let scan = Scan {
            inputs: Arc::clone(&inputs),
            wanted: Arc::new(wanted),
            tagger: Arc::new(Tagger::new(Arc::clone(&self.inventory), columns)),
            log_format: self.log_format.clone(),
            threads: self.threads,
        };
        let intake = self.new_intake();
        let mut parts = pipeline::run(scan, Arc::clone(&intake));
        while let Some(part) = parts.recv().await {
            let part = part?;
            let Some(input) = inputs.get(part.object) else { continue };
            if let Some(summing) = &mut summing {
                summing.add(&part, &input.object.key)?;
            }
            if let Some(connecting) = &mut connecting {
                connecting.add(&part, &input.object.key)?;
            }
        }
        Ok(intake)
    }

    /// Leaves out what the inventory knows as neither a control plane's interface nor a device on its path.
    fn on_path_only(&self) -> Interfaces {
        Interfaces::AllBut(Arc::new(self.inventory.enis().iter().filter(|eni| !is_on_path(eni)).map(|eni| eni.id.to_string()).collect()))
    }

    /// The empty sums of `hourly`, in their share of the memory.
    fn summing(&self, share: usize) -> Hourly {
        Hourly::new(Arc::clone(&self.inventory), self.grain, share / 4 / hourly::ENTRY_BYTES, self.spill_dir.clone())
    }

    fn summed(&self, summing: Hourly, share: usize, intake: &Intake) -> Result<Scanned> {
        // The buffers of decoding are free again by now.
        let sums_max = share * 2 / 3 / size_of::<(Key, Sums)>();
        Ok(Scanned { hours: Hours::new(summing, Arc::clone(&self.inventory), sums_max)?, totals: intake.totals()? })
    }
}

fn is_on_path(eni: &Eni) -> bool {
    eni.kind == InterfaceKind::EksControlPlane || eni.kind.is_path_device()
}

/// The operator behind `connections`, with what it leaves out and keeps besides.
struct Connecting {
    collector: Collector,
    recording: Option<Recording>,
    /// The objects whose flow logs can cover a control plane or its path.
    inputs: Arc<[Input]>,
    /// Their places among the objects of the scan, ascending, if that reads others too.
    places: Option<Vec<usize>>,
    skipped: (u64, u64, Vec<String>),
}

impl Connecting {
    fn new(logs: &Logs, share: usize, among_others: bool, is_recorded: bool) -> Result<Connecting> {
        let is_skipped = |input: &Input| {
            let id = input.object.key.flow_log_id.as_deref();
            id.and_then(|id| logs.inventory.flow_log_may_cover(id, &is_on_path)) == Some(false)
        };
        let (mut places, mut inputs, mut objects, mut bytes, mut flow_logs) = (Vec::new(), Vec::new(), 0, 0, BTreeSet::new());
        for (place, input) in logs.inputs.iter().enumerate() {
            if is_skipped(input) {
                (objects, bytes) = (objects + 1, bytes + input.object.size);
                flow_logs.extend(input.object.key.flow_log_id.as_deref().map(str::to_owned));
            } else {
                places.push(place);
                inputs.push(input.clone());
            }
        }
        let sessions_max = share / 4 / collect::PART_BYTES;
        Ok(Connecting {
            collector: Collector::new(Arc::clone(&logs.inventory), sessions_max, logs.spill_dir.clone()),
            recording: if is_recorded { Some(Recording::new(&logs.inventory, &logs.spill_dir)?) } else { None },
            inputs: inputs.into(),
            places: among_others.then_some(places),
            skipped: (objects, bytes, flow_logs.into_iter().collect()),
        })
    }

    fn columns(&self) -> Vec<FlowColumn> {
        if self.recording.is_some() { recording::columns() } else { collect::COLUMNS.to_vec() }
    }

    fn add(&mut self, part: &Part, key: &LogKey) -> Result<()> {
        let object = match &self.places {
            None => part.object,
            Some(places) => match places.binary_search(&part.object) {
                Ok(place) => place,
                // An object that is left out.
                Err(_) => return Ok(()),
            },
        };
        self.collector.add(part, object, key.flow_log_id.as_deref())?;
        self.recording.iter_mut().try_for_each(|recording| recording.add(part))
    }

    fn egress(self, logs: &Logs, share: usize, intake: Arc<Intake>) -> Result<Egress> {
        let intake = match &self.places {
            None => intake,
            Some(places) => Arc::new(intake.of_some(places)),
        };
        // The buffers of decoding are free again by now.
        let sessions_max = share * 2 / 3 / size_of::<(Ends, Vec<Session>, Session)>();
        Ok(Egress {
            summary: Summary::new(self.collector, Arc::clone(&logs.inventory), sessions_max)?,
            totals: intake.totals()?,
            intake,
            inputs: self.inputs,
            skipped: self.skipped,
            recorded: self.recording.map(Recording::finish).transpose()?,
        })
    }
}
