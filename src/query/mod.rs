//! SQL over logs and inventory: the local DataFusion engine. DataFusion types stay in this folder.

pub mod biflow;
pub mod collect;
pub mod connections;
pub mod coverage;
pub mod deliveries;
pub mod drift;
pub mod flow_log_use;
pub mod flow_table;
pub mod functions;
pub mod ledger;
pub mod grain;
pub mod library;
pub mod hourly;
pub mod hours;
pub mod inventory_table;
pub mod judged;
pub mod log_tables;
pub mod names;
pub mod narrowed;
pub mod nat_roles;
pub mod other_ends;
pub mod part_columns;
pub mod parties;
pub mod recorded_file;
pub mod recording;
pub mod rows;
pub mod spill;
pub mod summary;
pub mod summed_table;
pub mod traced;
pub mod views;

use crate::decode::{Interfaces, Validation, Wanted};
use crate::enrich::{FlowColumn, Tagger, fields_read};
use crate::error::{Error, Kind, Result};
use crate::flow::{Layout, RecordKind};
use crate::intake::{Intake, Totals};
use crate::inventory::{Eni, InterfaceKind, Inventory};
use crate::pipeline::{self, Input, Scan};
use crate::policy::Judge;
use crate::source::ListCounts;
use crate::time::TimeRange;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use biflow::{Ends, Session};
use collect::Collector;
use coverage::Closing;
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::{Stream, TryStreamExt};
use grain::Grain;
use hourly::{Hourly, Key, Sums};
use hours::Hours;
use inventory_table::InventoryTable;
use recording::{Recorded, Recording};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use summary::Summary;
use summed_table::SummedTable;
use tokio::sync::OnceCell;
use views::WithViews;

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

/// Values to bind to `$name`.
pub type Params = Vec<(String, ScalarValue)>;

/// A query's rows, as they come.
pub struct Rows {
    /// Columns.
    pub schema: SchemaRef,
    /// Batches.
    pub batches: Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>,
}

/// The local engine.
#[derive(Clone)]
pub struct Engine {
    context: SessionContext,
}

impl Engine {
    /// Makes an engine over some logs.
    ///
    /// # Errors
    /// If the spill folder cannot be used, or a table cannot be registered.
    pub fn new(logs: &Arc<Logs>) -> Result<Engine> {
        Engine::over(logs, false)
    }

    /// Makes an engine for statements that only sum the counts of `hourly`, as those of reports do: the table hands on fewer rows.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn of_sums(logs: &Arc<Logs>) -> Result<Engine> {
        Engine::over(logs, true)
    }

    fn over(logs: &Arc<Logs>, folded: bool) -> Result<Engine> {
        /// Consumers named when memory runs out.
        const CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);
        /// Rows that operators gather before they hand on: with texts as long as a line may be, twice as many filled memory.
        const QUERY_BATCH_ROWS: usize = crate::decode::BATCH_ROWS / 2;
        /// Part of a partition's memory that a sort sets aside for merging what it spilled: one in so many.
        const SORT_RESERVATION_SHARE: usize = 8;
        // A quarter of the memory is that of the sums of a scan.
        let memory = logs.memory_limit / 4 * 3;
        let pool = TrackConsumersPool::new(FairSpillPool::new(memory), CONSUMERS_NAMED);
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![logs.spill_dir.clone()]));
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk).build_arc().map_err(failed)?;
        let mut config = SessionConfig::new()
            .with_target_partitions(logs.threads.max(1))
            .with_batch_size(QUERY_BATCH_ROWS)
            .with_information_schema(true);
        // The default dialect takes a trailing comma, and so reads `SELECT a, cluster FROM …` as ending before `cluster`.
        config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
        // DataFusion sets 10 MiB aside for each sorting partition, which a small limit cannot give: every ORDER BY would fail.
        let reserved = &mut config.options_mut().execution.sort_spill_reservation_bytes;
        *reserved = (*reserved).min(memory / (SORT_RESERVATION_SHARE * logs.threads.max(1)));
        let (catalog, schema) = (config.options().catalog.default_catalog.clone(), config.options().catalog.default_schema.clone());
        let context = SessionContext::new_with_config_rt(config, runtime);
        let tables = Arc::new(WithViews::of(&context));
        context.catalog(&catalog).map(|catalog| catalog.register_schema(&schema, tables)).transpose().map_err(failed)?;
        functions::register(&context, &logs.inventory);
        let register = |name: &str, table| context.register_table(name, table).map(|_| ()).map_err(failed);
        register("flows", Arc::new(flow_table::FlowTable::new(Arc::clone(logs), RecordKind::Vpc)))?;
        register("tgw_flows", Arc::new(flow_table::FlowTable::new(Arc::clone(logs), RecordKind::TransitGateway)))?;
        register("connections", Arc::new(SummedTable::connections(logs)))?;
        register("hourly", Arc::new(SummedTable::hourly(logs, folded)))?;
        register("coverage", log_tables::coverage(logs)?)?;
        register("objects", log_tables::objects(logs)?)?;
        register("layouts", log_tables::layouts(logs)?)?;
        register("rejects", log_tables::rejects(logs)?)?;
        for table in &crate::inventory::TABLES {
            register(table.name, Arc::new(InventoryTable::new(*table, &logs.inventory)?))?;
        }
        let prices = crate::cost::prices::table(&crate::cost::prices::PriceList::builtin()?)?;
        register("prices", Arc::new(MemTable::try_new(prices.schema(), vec![vec![prices]]).map_err(failed)?))?;
        Ok(Engine { context })
    }

    /// Adds a table of this batch, or replaces the one of that name.
    ///
    /// # Errors
    /// If the engine refuses the name.
    pub fn add_table(&self, name: &str, rows: RecordBatch) -> Result<()> {
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).map_err(failed)?;
        self.context.deregister_table(name).map_err(failed)?;
        self.context.register_table(name, Arc::new(table)).map(|_| ()).map_err(failed)
    }

    /// Runs one statement; `params` are bound to `$name`.
    ///
    /// # Errors
    /// If the statement does not parse, plan or run, or would write while `allow_write` is off.
    pub async fn sql(&self, sql: &str, params: &[(String, ScalarValue)], allow_write: bool) -> Result<Rows> {
        let options = SQLOptions::new().with_allow_ddl(allow_write).with_allow_dml(allow_write).with_allow_statements(allow_write);
        let mut frame = self.context.sql_with_options(sql, options).await.map_err(failed)?;
        if !params.is_empty() {
            let values = params.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            frame = frame.with_param_values(ParamValues::Map(values)).map_err(failed)?;
        }
        let batches = frame.execute_stream().await.map_err(failed)?;
        Ok(Rows { schema: batches.schema(), batches: Box::pin(batches.map_err(failed)) })
    }

    /// Runs one statement and collects its rows.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn collect(&self, sql: &str, params: &[(String, ScalarValue)]) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let rows = self.sql(sql, params, false).await?;
        Ok((rows.schema, rows.batches.try_collect().await?))
    }
}

/// How DataFusion refuses what [`SQLOptions`] does not allow.
const WRITES: [&str; 3] = ["DDL not supported", "DML not supported", "Statement not supported"];

/// Returns a copy of the fault of ours that lies behind an engine fault.
fn ours_behind(error: &DataFusionError) -> Option<Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(fault) = cause {
        if let Some(ours) = fault.downcast_ref::<Error>() {
            let copy = Error::new(ours.kind(), ours.to_string());
            return Some(match ours.hint() {
                Some(hint) => copy.with_hint(hint),
                None => copy,
            });
        }
        cause = fault.source();
    }
    None
}

/// Turns an engine fault into ours; a fault of ours that went through the engine comes back as it was.
fn failed(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::failed("the query failed").caused_by(other),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => failed(*inner),
        // What several partitions wait for fails for each of them with one error that none owns.
        DataFusionError::Shared(shared) => match Arc::try_unwrap(shared) {
            Ok(inner) => failed(inner),
            Err(shared) => ours_behind(&shared).unwrap_or_else(|| Error::failed(shared.strip_backtrace())),
        },
        DataFusionError::SQL(parse, _) => Error::failed(format!("the SQL does not parse: {parse}")),
        DataFusionError::Plan(message) if WRITES.iter().any(|refused| message.starts_with(refused)) => {
            Error::new(Kind::Usage, "this statement would write")
                .with_hint("flowproof sql is read-only; add --allow-write to a local session")
        }
        DataFusionError::ResourcesExhausted(message) => {
            Error::failed(format!("out of memory: {message}")).with_hint("raise --memory-limit, or name a disk with --spill-dir")
        }
        DataFusionError::SchemaError(inner, _) => unknown_name(&inner.to_string()),
        DataFusionError::Plan(message) if message.starts_with("table ") && message.ends_with("not found") => unknown_name(&message),
        other => Error::failed(other.strip_backtrace()),
    }
}

/// DataFusion lists every column of every table here, which buries the one that is wrong.
fn unknown_name(message: &str) -> Error {
    let short = message.split("\nValid fields are").next().unwrap_or(message);
    Error::failed(short.trim_end_matches('.').to_owned()).with_hint("flowproof fields lists tables and columns")
}
