//! The files of a bundle, all made from the results and from what was read.

use super::bag::Bag;
use super::canonical;
use super::catalogue::CATALOGUE;
use super::collect::Collected;
use super::digest::{Digest, Fixity};
use super::document;
use super::given;
use super::limits;
use super::oscal::{self, BundleFile, RunIdentity};
use super::results::Results;
use crate::error::{Error, Result, printable};
use crate::inventory;
use crate::policy::Policy;
use crate::query::library;
use crate::report::{Format, Renderer, columnar, html, markdown, renderer};
use crate::time::parse_instant;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;

/// Where the raw records of control planes lie, below `data/`.
pub const RECORDS: &str = "records/control-plane.parquet";
/// The parameters that determine the results together with the inputs.
pub const PARAMS: &str = "params.json";
/// The results.
pub const RESULTS: &str = "results.json";
/// The list of inventory files: the name of each in the bundle, its path as it was given, size and digest.
pub const CONTEXT: &str = "context/files.csv";
/// The policy, byte for byte.
pub const POLICY: &str = "policy/approved.toml";

/// What determines the results besides the inputs: a second run must be asked the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// First instant of the period, RFC 3339; `null` where it was left open.
    pub from: Option<String>,
    /// First instant after it.
    pub to: Option<String>,
    /// Instant as of which silent hours are judged; `null`: long after the period.
    pub as_of: Option<String>,
    /// Seconds after its end in which an hour may still receive records.
    pub settle_seconds: i64,
    /// Accounts, regions and flow logs that the listing was limited to.
    pub log_accounts: Vec<String>,
    /// …
    pub log_regions: Vec<String>,
    /// …
    pub flow_log_ids: Vec<String>,
    /// `--log-format`, if it was given.
    pub log_format: Option<String>,
    /// As-of time of inventory files that carry none.
    pub inventory_as_of: Option<String>,
    /// Controls and frameworks that were asked for; none means all.
    pub controls: Vec<String>,
}

/// What goes into a bundle.
#[derive(Clone, Copy)]
pub struct Payload<'a> {
    /// The results with what they were made from.
    pub collected: &'a Collected,
    /// The parameters.
    pub params: &'a Params,
    /// Files of the inventory.
    pub inventory: &'a [inventory::File],
    /// The policy.
    pub policy: Option<&'a Policy>,
    /// Who ran what, when, where.
    pub run: &'a Value,
}

/// Returns the digest that names a run: over its inputs and parameters, and the version of the tool.
///
/// # Errors
/// None in practice: it holds text only.
pub fn run_digest(results: &Results, params: &Params) -> Result<Digest> {
    canonical::digest(&json!({
        "inputs": results.inputs.digest,
        "inventory": results.inputs.inventory_digest,
        "policy": results.policy.as_ref().map(|policy| &policy.sha256),
        "params": params,
        "tool": results.tool,
    }))
}

/// Returns what the statement over the results says of them.
///
/// # Errors
/// As [`run_digest`].
pub fn predicate(results: &Results, params: &Params) -> Result<Map<String, Value>> {
    let verdict = |statement: &super::results::Statement| json!({ "statement": statement.id, "cluster_arn": statement.cluster_arn, "verdict": statement.verdict });
    let predicate = json!({
        "run": run_digest(results, params)?.to_string(),
        "tool": results.tool,
        "period": results.period,
        "scope": results.clusters.iter().map(|cluster| &cluster.cluster_arn).collect::<Vec<_>>(),
        "verdicts": results.statements.iter().map(verdict).collect::<Vec<_>>(),
        "inputs": results.inputs.digest,
        "inventory": results.inputs.inventory_digest,
        "policy": results.policy.as_ref().map(|policy| &policy.sha256),
    });
    Ok(match predicate {
        Value::Object(predicate) => predicate,
        _ => Map::new(),
    })
}

impl Payload<'_> {
    /// Writes every file into the bag.
    ///
    /// # Errors
    /// If a file cannot be written, or the records cannot be read back.
    pub async fn write(&self, bag: &mut Bag) -> Result<()> {
        let (collected, results) = (self.collected, &self.collected.results);
        bag.add(RESULTS, &canonical::to_bytes(results)?)?;
        bag.add(PARAMS, &canonical::to_bytes(self.params)?)?;
        bag.add("limits.txt", limits::limits_text(&results.limits).as_bytes())?;
        self.write_tables(bag)?;
        for (name, text) in &collected.inputs.files {
            bag.add(name, text)?;
        }
        if let Some(policy) = self.policy {
            bag.add(POLICY, policy.text.as_bytes())?;
        }
        self.write_context(bag)?;
        for definition in &CATALOGUE {
            bag.add(&definition.path(), definition.sql.as_bytes())?;
        }
        bag.add("sql/egress.sql", library::find("egress")?.sql.as_bytes())?;
        for (name, sql) in library::VIEWS.iter().filter(|(name, _)| *name == "connections_by_day") {
            bag.add(&format!("sql/{name}.sql"), sql.as_bytes())?;
        }
        bag.add(given::REPERFORM, given::REPERFORM_SQL.as_bytes())?;
        for (path, rows) in &collected.given {
            add_rows(bag, path, rows)?;
        }
        self.write_records(bag).await?;
        self.write_documents(bag)?;
        self.write_oscal(bag)?;
        let run = serde_json::to_vec_pretty(self.run).map_err(|error| Error::failed("run.json cannot be written").caused_by(error))?;
        bag.add("run.json", &run)?;
        Ok(())
    }

    fn write_tables(&self, bag: &mut Bag) -> Result<()> {
        let results = &self.collected.results;
        let mut file = bag.create_file("destinations.csv")?;
        if let Some(first) = self.collected.destinations.first() {
            let mut out = renderer(Format::Csv, &first.schema(), &mut file)?;
            self.collected.destinations.iter().try_for_each(|batch| out.batch(batch))?;
            out.end()?;
        }
        file.finish()?;

        let days = || results.statements.iter().flat_map(|statement| statement.days.iter().map(move |day| (statement, day)));
        let statements = vec![
            texts("statement", days().map(|(statement, _)| Some(statement.id.as_str()))),
            texts("cluster_arn", days().map(|(statement, _)| Some(statement.cluster_arn.as_str()))),
            texts("day", days().map(|(_, day)| Some(day.day.as_str()))),
            texts("verdict", days().map(|(_, day)| Some(day.verdict.name()))),
            texts("reason", days().map(|(_, day)| Some(day.reason.as_str()))),
            numbers("covered_per_10000", days().map(|(_, day)| day.covered_per_10000)),
            numbers("population", days().map(|(_, day)| Some(day.population))),
            numbers("tested", days().map(|(_, day)| Some(day.tested))),
            numbers("violations", days().map(|(_, day)| Some(day.violations))),
            numbers("indeterminate", days().map(|(_, day)| Some(day.indeterminate))),
            texts("text", days().map(|(statement, _)| Some(statement.text.as_str()))),
        ];
        add_csv(bag, "statements.csv", statements)?;
        let exceptions = || results.exceptions.iter();
        let columns = vec![
            texts("statement", exceptions().map(|one| Some(one.statement.as_str()))),
            texts("cluster_arn", exceptions().map(|one| Some(one.cluster_arn.as_str()))),
            texts("day", exceptions().map(|one| Some(one.day.as_str()))),
            texts("verdict", exceptions().map(|one| Some(one.verdict.name()))),
            texts("subject", exceptions().map(|one| Some(one.subject.as_str()))),
            texts("reason", exceptions().map(|one| Some(one.reason.as_str()))),
            numbers("items", exceptions().map(|one| Some(one.items))),
            texts("first_line", exceptions().map(|one| one.first_line.as_deref())),
        ];
        add_csv(bag, "exceptions.csv", columns)?;
        let coverage = || results.coverage.iter();
        let columns = vec![
            texts("cluster_arn", coverage().map(|day| Some(day.cluster_arn.as_str()))),
            texts("interface_id", coverage().map(|day| Some(day.interface_id.as_str()))),
            texts("day", coverage().map(|day| Some(day.day.as_str()))),
            texts("hours", coverage().map(|day| Some(day.hours.as_str()))),
            numbers("records", coverage().map(|day| Some(day.records))),
        ];
        add_csv(bag, "coverage.csv", columns)?;
        let gaps = || results.gaps.iter();
        let columns = vec![
            texts("cluster_arn", gaps().map(|gap| Some(gap.cluster_arn.as_str()))),
            texts("subject", gaps().map(|gap| Some(gap.subject.as_str()))),
            texts("state", gaps().map(|gap| Some(gap.state.as_str()))),
            texts("from", gaps().map(|gap| Some(gap.period.from.as_str()))),
            texts("to", gaps().map(|gap| Some(gap.period.to.as_str()))),
        ];
        add_csv(bag, "gaps.csv", columns)?;
        let controls = || results.controls.iter();
        let columns = vec![
            texts("framework", controls().map(|one| Some(one.framework.as_str()))),
            texts("control", controls().map(|one| Some(one.control.as_str()))),
            texts("title", controls().map(|one| Some(one.title.as_str()))),
            texts("verdict", controls().map(|one| Some(one.verdict.map_or("NOT_ASSESSED", |verdict| verdict.name())))),
            owned("statements", controls().map(|one| one.statements.join(","))),
            texts("shows", controls().map(|one| Some(one.shows.as_str()))),
            texts("cannot_show", controls().map(|one| Some(one.cannot_show.as_str()))),
            texts("confidence", controls().map(|one| Some(one.confidence.as_str()))),
        ];
        add_csv(bag, "controls.csv", columns)?;
        if let Some(policy) = &results.policy {
            let findings = || policy.findings.iter();
            let columns = vec![
                texts("finding", findings().map(|one| Some(one.id.as_str()))),
                texts("severity", findings().map(|one| Some(one.severity.as_str()))),
                texts("rule", findings().map(|one| one.rule.as_deref())),
                texts("what", findings().map(|one| Some(one.what.as_str()))),
            ];
            add_csv(bag, "policy/findings.csv", columns)?;
        }
        Ok(())
    }

    /// The inventory's files, byte for byte, under names that every archive takes; a list says which path each had.
    fn write_context(&self, bag: &mut Bag) -> Result<()> {
        let mut files: Vec<&inventory::File> = self.inventory.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let names: Vec<String> = (0..files.len()).map(|at| format!("context/{at:05}.{}", suffix(&files, at))).collect();
        for (name, file) in names.iter().zip(&files) {
            bag.add(name, &file.bytes)?;
        }
        let fixities: Vec<Fixity> = files.iter().map(|file| Fixity::of(&file.bytes)).collect();
        let columns = vec![
            texts("file", names.iter().map(|name| Some(name.as_str()))),
            texts("path", files.iter().map(|file| Some(file.path.as_str()))),
            numbers("size", fixities.iter().map(|fixity| Some(fixity.size))),
            owned("sha256", fixities.iter().map(|fixity| fixity.digest.to_string())),
        ];
        add_csv(bag, CONTEXT, columns)
    }

    async fn write_records(&self, bag: &mut Bag) -> Result<()> {
        let Some(recorded) = &self.collected.egress.recorded else { return Ok(()) };
        let schema = crate::enrich::schema(&crate::query::recording::columns());
        let mut file = bag.create_file(RECORDS)?;
        {
            let mut writer = columnar::Parquet::new(&schema, &mut file)?;
            recorded.sorted(&self.collected.engine, |batch| writer.batch(&batch)).await?;
            writer.end()?;
        }
        file.finish().map(|_| ())
    }

    fn write_documents(&self, bag: &mut Bag) -> Result<()> {
        let results = &self.collected.results;
        let document = document::document(results, &run_digest(results, self.params)?.to_string());
        bag.add("report.html", html::page(&document).as_bytes())?;
        bag.add("report.md", markdown::of(&document).as_bytes())?;
        Ok(())
    }

    fn write_oscal(&self, bag: &mut Bag) -> Result<()> {
        let results = &self.collected.results;
        let file = |(name, fixity): (&String, &Fixity)| {
            let path = name.strip_prefix("data/").unwrap_or(name);
            BundleFile { path: path.to_owned(), media_type: media_type(path).to_owned(), sha256: fixity.digest.to_string() }
        };
        let files: Vec<BundleFile> = bag.files().iter().map(file).collect();
        let digest = run_digest(results, self.params)?.to_string();
        let collected = parse_instant(&results.period.to, 0).unwrap_or(0);
        let run = RunIdentity { run_digest: &digest, collected, parameters: PARAMS };
        if let Some(document) = oscal::assessment_results(results, &files, &run)? {
            bag.add("oscal/assessment-results.json", document.to_json()?.as_bytes())?;
        }
        Ok(())
    }
}

fn suffix(files: &[&inventory::File], at: usize) -> &'static str {
    match files.get(at).map(|file| file.path.as_str()) {
        Some(path) if path.ends_with(".gz") => "json.gz",
        _ => "json",
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
        "csv" => "text/csv",
        "json" => "application/json",
        "html" => "text/html",
        "md" => "text/markdown",
        "sql" => "application/sql",
        "toml" => "application/toml",
        "txt" => "text/plain",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}

/// Returns a path as one line of a list.
pub fn one_line(path: &str) -> String {
    printable(path).into_owned()
}

fn owned(name: &'static str, values: impl Iterator<Item = String>) -> (&'static str, ArrayRef) {
    (name, Arc::new(StringArray::from_iter_values(values)))
}

fn texts<'a>(name: &'static str, values: impl Iterator<Item = Option<&'a str>>) -> (&'static str, ArrayRef) {
    (name, Arc::new(values.collect::<StringArray>()))
}

fn numbers(name: &'static str, values: impl Iterator<Item = Option<u64>>) -> (&'static str, ArrayRef) {
    (name, Arc::new(values.map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))).collect::<Int64Array>()))
}

fn add_csv(bag: &mut Bag, path: &str, columns: Vec<(&'static str, ArrayRef)>) -> Result<()> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    add_rows(bag, path, &RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect())?)
}

fn add_rows(bag: &mut Bag, path: &str, rows: &RecordBatch) -> Result<()> {
    let mut file = bag.create_file(path)?;
    {
        let mut out: Box<dyn Renderer + '_> = renderer(Format::Csv, &rows.schema(), &mut file)?;
        out.batch(rows)?;
        out.end()?;
    }
    file.flush().map_err(|error| Error::failed("cannot write").at(path.to_owned()).caused_by(error))?;
    file.finish().map(|_| ())
}
