//! Runs of the engine through the library: logs and inventory in, the report's JSON or the rows of SQL out.
//!
//! The one place in the tests that knows how a run is put together.

use arrow::array::RecordBatch;
use flowproof::cost::prices::PriceList;
use flowproof::decode::{Tally, Validation};
use flowproof::flow::Layout;
use flowproof::intake::Intake;
use flowproof::inventory::{self, Inventory};
use flowproof::pipeline::Input;
use flowproof::query::coverage::Closing;
use flowproof::query::grain::Grain;
use flowproof::query::{Engine, Logs, MEMORY_LIMIT_DEFAULT, Scans, Tables, library};
use flowproof::report::by::By;
use flowproof::report::charges::Charges;
use flowproof::report::{Format, Report, cost, cross_az, egress, nat, value};
use flowproof::source::{self, ListCounts, Prune, S3Options};
use flowproof::time::TimeRange;
use futures::TryStreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How a run is set, apart from what it reads.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) window: TimeRange,
    pub(crate) closing: Closing,
    pub(crate) threads: usize,
    pub(crate) memory_limit: usize,
    pub(crate) validation: Validation,
    pub(crate) log_format: Option<Arc<Layout>>,
    /// What the sums of reports tell apart.
    pub(crate) grain: Grain,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting {
            window: TimeRange::default(),
            closing: Closing::default(),
            threads: 2,
            memory_limit: MEMORY_LIMIT_DEFAULT,
            validation: Validation::ReadColumns,
            log_format: None,
            grain: Grain::Pods,
        }
    }
}

/// Logs, an inventory and an engine over them.
pub(crate) struct Run {
    logs: Arc<Logs>,
    engine: Engine,
    /// Those of reports, whose sums are coarser.
    reported: Arc<Logs>,
    of_sums: Engine,
    spill_dir: tempfile::TempDir,
    runtime: Runtime,
}

/// Opens `DIR/logs` with `DIR/inventory`.
pub(crate) fn open(dir: &Path, setting: Setting) -> Run {
    open_logs(&[dir.join("logs").to_str().unwrap()], &read_inventory(&dir.join("inventory")), setting)
}

/// Opens LOGS as a user names them.
pub(crate) fn open_logs(logs: &[&str], inventory: &Arc<Inventory>, setting: Setting) -> Run {
    let (inputs, listed) = list(logs, setting.window);
    open_inputs(inputs, listed, inventory, setting)
}

/// Lists the objects of LOGS as a user names them.
pub(crate) fn list(logs: &[&str], window: TimeRange) -> (Vec<Input>, ListCounts) {
    let places: Vec<String> = logs.iter().map(|place| (*place).to_owned()).collect();
    let prune = Prune { time: window, ..Prune::default() };
    let listing = async {
        let sources = source::open(&places, &S3Options::default()).await.unwrap();
        source::list_all(&sources, &prune).await.unwrap()
    };
    let (objects, listed) = runtime().block_on(listing);
    (objects.into_iter().map(|(source, object)| Input { source, object }).collect(), listed)
}

/// Opens objects of any source.
pub(crate) fn open_inputs(inputs: Vec<Input>, listed: ListCounts, inventory: &Arc<Inventory>, setting: Setting) -> Run {
    let spill_dir = tempfile::tempdir().unwrap();
    let inputs: Arc<[Input]> = inputs.into();
    let logs_of = |grain| {
        Arc::new(Logs {
            inputs: Arc::clone(&inputs),
            listed: listed.clone(),
            inventory: Arc::clone(inventory),
            policy: None,
            window: setting.window,
            closing: setting.closing,
            validation: setting.validation,
            log_format: setting.log_format.clone(),
            threads: setting.threads,
            memory_limit: setting.memory_limit,
            spill_dir: spill_dir.path().to_owned(),
            scans: Scans::default(),
            tables: Tables::default(),
            grain,
        })
    };
    let (logs, reported) = (logs_of(Grain::Full), logs_of(setting.grain));
    let (engine, of_sums) = (Engine::new(&logs).unwrap(), Engine::of_sums(&reported).unwrap());
    Run { logs, engine, reported, of_sums, spill_dir, runtime: runtime() }
}

/// Reads every file below a folder as inventory.
pub(crate) fn read_inventory(dir: &Path) -> Arc<Inventory> {
    let files = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let file = |entry: walkdir::DirEntry| inventory::File {
        path: entry.path().display().to_string(),
        bytes: std::fs::read(entry.path()).unwrap().into(),
    };
    Arc::new(Inventory::from_files(files.map(file).collect(), &inventory::Options::default()).unwrap())
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Returns the program's own way of charging: prices that are built in, 2^30 bytes, two ends.
pub(crate) fn charges() -> Charges {
    Charges { prices: PriceList::builtin().unwrap(), bytes_per_gb: 1 << 30, nat_az_ends: 2, month_to_date: BTreeMap::new() }
}

/// The statement with another table for `hourly` and the views over that.
fn over(table: &str, sql: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find(word) {
        let (between, from) = rest.split_at(at);
        let (name, after) = from.split_at(from.find(|c| !word(c)).unwrap_or(from.len()));
        out += between;
        out += &match name {
            "hourly" => table.to_owned(),
            name if library::VIEWS.iter().any(|(view, _)| *view == name) => format!("{table}_{name}"),
            name => name.to_owned(),
        };
        rest = after;
    }
    out + rest
}

fn rows(batches: &[RecordBatch]) -> Vec<Value> {
    value::rows(batches).iter().map(|row| serde_json::to_value(row).unwrap()).collect()
}

fn json(report: &Report) -> String {
    let mut out = Vec::new();
    report.write(Format::Json, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

impl Run {
    /// Returns `report cross-az -o json`, byte for byte.
    pub(crate) fn cross_az_text(&self, charges: &Charges) -> String {
        let report = cross_az::report(&self.reported, &self.of_sums, &By::Default, cross_az::Charge::Split, charges);
        json(&self.runtime.block_on(report).unwrap())
    }

    /// Returns `report nat -o json`, byte for byte.
    pub(crate) fn nat_text(&self, charges: &Charges) -> String {
        json(&self.runtime.block_on(nat::report(&self.reported, &self.of_sums, &By::Default, charges)).unwrap())
    }

    /// Returns `report cost -o json`, byte for byte.
    pub(crate) fn cost_text(&self, by: &By, charges: &Charges) -> String {
        let costs = async {
            let places = cost::places(&self.of_sums).await?;
            cost::Costs::of(&self.reported, &self.of_sums, by, charges, &places).await
        };
        json(&cost::report(self.runtime.block_on(costs).unwrap(), &self.logs.inventory, by, charges, None).unwrap())
    }

    /// Returns `report egress -o json`, byte for byte.
    pub(crate) fn report_text(&self) -> String {
        json(&self.runtime.block_on(egress::report(&self.reported, &self.of_sums)).unwrap())
    }

    /// Returns `report egress -o json`.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.report_text()).unwrap()
    }

    /// Returns the rows of a statement, each an object.
    pub(crate) fn sql(&self, sql: &str) -> Vec<Value> {
        self.sql_in(&self.engine, sql)
    }

    /// Returns the rows of a statement, as reports ask it.
    pub(crate) fn rows_in_reports(&self, sql: &str) -> Vec<Value> {
        self.sql_in(&self.of_sums, sql)
    }

    fn sql_in(&self, engine: &Engine, sql: &str) -> Vec<Value> {
        let collected = self.runtime.block_on(engine.collect(sql, &[]));
        let (_, batches) = collected.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows(&batches)
    }

    /// Returns the rows of a statement that may not wait for itself.
    pub(crate) fn sql_in_time(&self, sql: &str) -> Vec<Value> {
        let collect = self.engine.collect(sql, &[]);
        let in_time = async { tokio::time::timeout(Duration::from_secs(120), collect).await };
        let (_, batches) = self.runtime.block_on(in_time).unwrap_or_else(|_| panic!("no answer: {sql}")).unwrap();
        rows(&batches)
    }

    /// Returns why a statement fails.
    pub(crate) fn refuses(&self, sql: &str) -> String {
        self.runtime.block_on(self.engine.collect(sql, &[])).expect_err(sql).to_string()
    }

    /// Runs a statement that makes a table or a view.
    pub(crate) fn execute(&self, sql: &str) {
        let run = async {
            let rows = self.engine.sql(sql, &[], true).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            rows.batches.try_collect::<Vec<_>>().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        };
        self.runtime.block_on(run);
    }

    /// Makes the shipped views once more, over another table in the place of `hourly`; their names begin with the table's.
    pub(crate) fn views_over(&self, table: &str) {
        for (name, sql) in library::VIEWS {
            self.execute(&format!("CREATE VIEW {table}_{name} AS {}", over(table, sql)));
        }
    }

    /// Returns the rows of a shipped query over those views.
    pub(crate) fn shipped_over(&self, table: &str, name: &str, params: &[(&str, &str)]) -> Vec<Value> {
        self.query(&over(table, library::find(name).unwrap().sql), name, params)
    }

    /// Returns the rows of a shipped query.
    pub(crate) fn shipped(&self, name: &str, params: &[(&str, &str)]) -> Vec<Value> {
        self.query(library::find(name).unwrap().sql, name, params)
    }

    /// Returns the rows of a shipped query, as reports ask it.
    pub(crate) fn shipped_in_reports(&self, name: &str, params: &[(&str, &str)]) -> Vec<Value> {
        self.query_in(&self.of_sums, library::find(name).unwrap().sql, name, params)
    }

    fn query(&self, sql: &str, name: &str, params: &[(&str, &str)]) -> Vec<Value> {
        self.query_in(&self.engine, sql, name, params)
    }

    fn query_in(&self, engine: &Engine, sql: &str, name: &str, params: &[(&str, &str)]) -> Vec<Value> {
        let given: Vec<(String, String)> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let bound = library::find(name).unwrap().bind(&given, 0).unwrap();
        let (_, batches) = self.runtime.block_on(engine.collect(sql, &bound)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows(&batches)
    }

    /// Returns the one value of the one row of a statement.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let rows = self.sql(sql);
        let values: Vec<&Value> = rows.iter().flat_map(|row| row.as_object().unwrap().values()).collect();
        assert_eq!(values.len(), 1, "{sql}");
        values[0].as_i64().unwrap_or_else(|| panic!("{sql}: {}", values[0]))
    }

    fn intakes(&self) -> Vec<Arc<Intake>> {
        self.logs.intakes().into_iter().chain(self.reported.intakes()).collect()
    }

    /// Returns the accounting of every object in the scan behind the report.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.intakes()[0].objects().into_iter().map(|(_, read)| read.tally).collect()
    }

    /// Returns the positions of the objects that each scan so far has read.
    pub(crate) fn scans(&self) -> Vec<Vec<usize>> {
        self.intakes().iter().map(|intake| intake.objects().iter().map(|(at, _)| *at).collect()).collect()
    }

    /// Returns the URIs of the objects that a run reads.
    pub(crate) fn objects(&self) -> Vec<String> {
        self.logs.inputs.iter().map(|input| input.object.uri.to_string()).collect()
    }

    /// Returns whether connections went to disk.
    pub(crate) fn has_spilled(&self) -> bool {
        let mut entries = std::fs::read_dir(self.spill_dir.path()).unwrap();
        entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("flowproof-"))
    }
}
