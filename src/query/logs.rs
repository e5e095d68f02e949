//! The logs of a run, and the scans behind `connections` and `hourly`.

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
use crate::pipeline::{self, Input, Scan};
use crate::policy::Judge;
use crate::source::ListCounts;
use crate::time::TimeRange;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

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
    /// The one scan behind `connections` and `report egress`.
    pub summary: OnceCell<Arc<Egress>>,
    /// The one scan behind `hourly` and the reports of cost.
    pub hours: OnceCell<Arc<Scanned>>,
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

    /// Returns the connections of control planes, from one scan that is made when first asked for.
    ///
    /// # Errors
    /// If a source denies everything, spilled parts cannot be written, or accounting does not add up.
    pub async fn egress(&self) -> Result<Arc<Egress>> {
        self.summary.get_or_try_init(|| async { Ok(Arc::new(self.scan_egress(None).await?)) }).await.cloned()
    }

    /// Makes that scan, and keeps the raw records of control planes besides; to be asked before anything else reads `connections`.
    ///
    /// # Errors
    /// As [`Logs::egress`]; if the records cannot be kept in the spill folder.
    pub async fn egress_recorded(&self) -> Result<Arc<Egress>> {
        let scan = || async {
            let recording = Recording::new(&self.inventory, &self.spill_dir)?;
            Ok(Arc::new(self.scan_egress(Some(recording)).await?))
        };
        self.summary.get_or_try_init(scan).await.cloned()
    }

    async fn scan_egress(&self, mut recording: Option<Recording>) -> Result<Egress> {
        let on_path = |eni: &Eni| eni.kind == InterfaceKind::EksControlPlane || eni.kind.is_path_device();
        let skip = |input: &Input| {
            let id = input.object.key.flow_log_id.as_deref();
            id.and_then(|id| self.inventory.flow_log_may_cover(id, &on_path)) == Some(false)
        };
        let (skipped, inputs): (Vec<Input>, Vec<Input>) = self.inputs.iter().cloned().partition(skip);
        let inputs: Arc<[Input]> = inputs.into();
        let dropped = self.inventory.enis().iter().filter(|eni| !on_path(eni)).map(|eni| eni.id.to_string()).collect();
        let columns = if recording.is_some() { recording::columns() } else { collect::COLUMNS.to_vec() };
        let wanted = Wanted {
            kind: RecordKind::Vpc,
            fields: fields_read(&columns),
            extra: columns.contains(&FlowColumn::Extra),
            interfaces: Interfaces::AllBut(Arc::new(dropped)),
            values: Vec::new(),
            time: self.window,
            validation: self.validation,
        };
        let tagger = Arc::new(Tagger::new(Arc::clone(&self.inventory), columns));
        let scan = Scan {
            inputs: Arc::clone(&inputs),
            wanted: Arc::new(wanted),
            tagger,
            log_format: self.log_format.clone(),
            threads: self.threads,
        };
        let intake = self.new_intake();
        let mut collector =
            Collector::new(Arc::clone(&self.inventory), self.memory_limit / 4 / collect::PART_BYTES, self.spill_dir.clone());
        let mut parts = pipeline::run(scan, Arc::clone(&intake));
        while let Some(part) = parts.recv().await {
            let part = part?;
            let flow_log = inputs.get(part.object).and_then(|input| input.object.key.flow_log_id.as_deref());
            collector.add(&part, flow_log)?;
            recording.iter_mut().try_for_each(|recording| recording.add(&part))?;
        }
        let mut flow_logs: Vec<String> =
            skipped.iter().filter_map(|input| input.object.key.flow_log_id.as_deref().map(str::to_owned)).collect();
        flow_logs.sort_unstable();
        flow_logs.dedup();
        Ok(Egress {
            // The buffers of decoding are free again by now.
            summary: Summary::new(
                collector,
                Arc::clone(&self.inventory),
                self.memory_limit * 2 / 3 / size_of::<(Ends, Vec<Session>, Session)>(),
            )?,
            totals: intake.totals()?,
            intake,
            inputs,
            skipped: (skipped.len() as u64, skipped.iter().map(|input| input.object.size).sum(), flow_logs),
            recorded: recording.map(Recording::finish).transpose()?,
        })
    }
}

impl Logs {
    /// Returns the sums of all traffic by hour, from one scan that is made when first asked for.
    ///
    /// # Errors
    /// If a source denies everything, spilled sums cannot be written, or accounting does not add up.
    pub async fn hourly(&self) -> Result<Arc<Scanned>> {
        self.hours.get_or_try_init(|| async { Ok(Arc::new(self.scan_hourly().await?)) }).await.cloned()
    }

    async fn scan_hourly(&self) -> Result<Scanned> {
        let columns = hourly::columns();
        let wanted = Wanted {
            kind: RecordKind::Vpc,
            fields: fields_read(&columns),
            extra: false,
            interfaces: Interfaces::All,
            values: Vec::new(),
            time: self.window,
            validation: self.validation,
        };
        let scan = Scan {
            inputs: Arc::clone(&self.inputs),
            wanted: Arc::new(wanted),
            tagger: Arc::new(Tagger::new(Arc::clone(&self.inventory), columns)),
            log_format: self.log_format.clone(),
            threads: self.threads,
        };
        let intake = self.new_intake();
        let mut hourly =
            Hourly::new(Arc::clone(&self.inventory), self.grain, self.memory_limit / 4 / hourly::ENTRY_BYTES, self.spill_dir.clone());
        let mut parts = pipeline::run(scan, Arc::clone(&intake));
        while let Some(part) = parts.recv().await {
            let part = part?;
            if let Some(input) = self.inputs.get(part.object) {
                hourly.add(&part, &input.object.key)?;
            }
        }
        let sums_max = self.memory_limit * 2 / 3 / size_of::<(Key, Sums)>();
        Ok(Scanned { hours: Hours::new(hourly, Arc::clone(&self.inventory), sums_max)?, totals: intake.totals()? })
    }
}
