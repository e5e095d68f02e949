//! SQL over logs and inventory: the local DataFusion engine. DataFusion types stay in this folder.

pub mod biflow;
pub mod collect;
pub mod connections;
pub mod coverage;
pub mod deliveries;
pub mod drift;
pub mod flow_log_use;
pub mod flow_scan;
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
pub mod logs;
pub mod names;
pub mod narrowed;
pub mod nat_roles;
pub mod other_ends;
pub mod part_columns;
pub mod parties;
pub mod recorded_file;
pub mod recording;
pub mod rows;
pub mod shared_scan;
pub mod spill;
pub mod summary;
pub mod summed_table;
pub mod traced;
pub mod views;

use crate::error::{Error, Kind, Result};
use crate::flow::RecordKind;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::{Stream, TryStreamExt};
use inventory_table::InventoryTable;
pub use logs::{Egress, Logs, MEMORY_LIMIT_DEFAULT, Scanned, Scans, Tables};
use shared_scan::ShareScans;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use summed_table::SummedTable;
use views::WithViews;

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
        // One group-by alone fills its memory before it spills, and hands on its groups as slices of what it holds: ORDER BY with LIMIT
        // then counts all of that once more, and finds no room. Two halves spill sooner.
        let partitions_min = if folded { 2 } else { 1 };
        // A quarter of the memory is that of the sums of a scan.
        let memory = logs.memory_limit / 4 * 3;
        let pool = TrackConsumersPool::new(FairSpillPool::new(memory), CONSUMERS_NAMED);
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![logs.spill_dir.clone()]));
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk).build_arc().map_err(failed)?;
        let mut config = SessionConfig::new()
            .with_target_partitions(logs.threads.max(partitions_min))
            .with_batch_size(QUERY_BATCH_ROWS)
            .with_information_schema(true);
        // The default dialect takes a trailing comma, and so reads `SELECT a, cluster FROM …` as ending before `cluster`.
        config.options_mut().sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
        // DataFusion sets 10 MiB aside for each sorting partition, which a small limit cannot give: every ORDER BY would fail.
        let reserved = &mut config.options_mut().execution.sort_spill_reservation_bytes;
        *reserved = (*reserved).min(memory / (SORT_RESERVATION_SHARE * logs.threads.max(1)));
        let (catalog, schema) = (config.options().catalog.default_catalog.clone(), config.options().catalog.default_schema.clone());
        let mut rules = PhysicalOptimizer::default().rules;
        rules.push(Arc::new(ShareScans));
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
        let context = SessionContext::new_with_state(state.with_physical_optimizer_rules(rules).build());
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
            return Some(ours.copy());
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
