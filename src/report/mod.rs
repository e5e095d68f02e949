//! Results on their way out: a report, and the formats that rows can be written in.

pub mod by;
pub mod cells;
pub mod charges;
pub mod charges_focus;
pub mod cluster_labels;
pub mod columnar;
pub mod cost;
pub mod coverage;
mod coverage_page;
pub mod cross_az;
pub mod document;
pub mod egress;
pub mod drill;
mod egress_document;
pub mod html;
pub mod json;
pub mod markdown;
pub mod nat;
pub mod nat_savings;
pub mod page;
pub mod policy;
pub mod readiness;
mod readiness_checks;
mod readiness_cost;
pub mod scanned;
pub mod sections;
pub mod svg;
pub mod table;
pub mod tabular;
pub mod tie_out;
pub mod value;

use crate::error::{Error, Result};
use crate::intake::Totals;
use crate::time::{TimeRange, rfc3339};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::io::Write;
use value::Json;

/// Version of the result JSON (design §5).
pub const SCHEMA_VERSION: u32 = 1;

/// How rows are written (`-o`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for a terminal.
    Table,
    /// Comma-separated (RFC 4180).
    Csv,
    /// Tab-separated.
    Tsv,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// A Markdown table.
    Markdown,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC stream.
    Arrow,
    /// One page; of reports only.
    Html,
}

impl Format {
    /// Returns the format of a file name's suffix.
    ///
    /// # Errors
    /// A usage error for a suffix that stands for none.
    pub fn of_file(path: &str) -> Result<Format> {
        let suffix = path.rsplit_once('.').map_or("", |(_, suffix)| suffix).to_ascii_lowercase();
        match suffix.as_str() {
            "csv" => Ok(Format::Csv),
            "tsv" => Ok(Format::Tsv),
            "json" => Ok(Format::Json),
            "ndjson" | "jsonl" => Ok(Format::Ndjson),
            "md" | "markdown" => Ok(Format::Markdown),
            "parquet" => Ok(Format::Parquet),
            "arrow" => Ok(Format::Arrow),
            "txt" => Ok(Format::Table),
            "html" | "htm" => Ok(Format::Html),
            _ => Err(Error::usage(format!("the suffix of {path:?} names no format"))
                .with_hint("use .csv, .tsv, .json, .ndjson, .html, .md, .parquet, .arrow or .txt")),
        }
    }
}

/// Writes rows batch by batch.
pub trait Renderer {
    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// If the output cannot be written.
    fn batch(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what follows the last row.
    ///
    /// # Errors
    /// If the output cannot be written.
    fn end(&mut self) -> Result<()>;
}

/// Returns the renderer of a format. `table` keeps its rows until the end, the others write as they go.
///
/// # Errors
/// If the head of the output cannot be written.
pub fn renderer<'a>(format: Format, schema: &SchemaRef, out: &'a mut (dyn Write + Send)) -> Result<Box<dyn Renderer + 'a>> {
    Ok(match format {
        Format::Table => Box::new(table::Table::new(schema, out)),
        Format::Csv => Box::new(tabular::Delimited::new(schema, out, b',')?),
        Format::Tsv => Box::new(tabular::Delimited::new(schema, out, b'\t')?),
        Format::Json => Box::new(json::Array::new(out)?),
        Format::Ndjson => Box::new(json::Lines::new(out)),
        Format::Markdown => Box::new(markdown::Table::new(schema, out)?),
        Format::Parquet => Box::new(columnar::Parquet::new(schema, out)?),
        Format::Arrow => Box::new(columnar::Ipc::new(schema, out)?),
        Format::Html => return Err(Error::usage("rows alone are no page: html is for reports").with_hint("use csv or markdown")),
    })
}

/// Records by what became of them (design §5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Traffic in the window.
    pub ok: u64,
    /// No traffic.
    pub nodata: u64,
    /// Lost records.
    pub skipdata: u64,
    /// Lines that are not records.
    pub rejected: u64,
    /// Outside the window.
    pub outside_window: u64,
    /// Written by another flow log too.
    pub duplicate: u64,
    /// Of transit gateways, which no report over interfaces reads.
    pub transit_gateway: u64,
}

/// What a report was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Log objects opened and read.
    pub objects: u64,
    /// Stored bytes read.
    pub bytes: u64,
    /// Records.
    pub records: RecordCounts,
    /// `read-columns` or `full`.
    pub validation: &'static str,
}

impl Inputs {
    /// Makes them of a run's accounting.
    pub fn of(totals: &Totals, duplicate: u64, validation: &'static str) -> Inputs {
        let records = RecordCounts {
            ok: totals.ok,
            nodata: totals.nodata,
            skipdata: totals.skipdata,
            rejected: totals.rejected,
            outside_window: totals.outside_window,
            duplicate,
            transit_gateway: totals.passed_over,
        };
        Inputs { objects: totals.objects, bytes: totals.bytes, records, validation }
    }
}

/// Returns the objects that could not be read whole, for the JSON.
fn incomplete_objects(faults: &[(String, &'static str, String)]) -> Value {
    faults.iter().map(|(uri, status, reason)| json!({ "log_object": uri, "status": status, "reason": reason })).collect()
}

/// A finished report.
#[derive(Debug)]
pub struct Report {
    /// Name, e.g. `egress`.
    pub name: &'static str,
    /// The resolved window.
    pub period: TimeRange,
    /// What it was made from.
    pub inputs: Inputs,
    /// Columns of the rows.
    pub schema: SchemaRef,
    /// Rows, in a fixed order.
    pub rows: Vec<RecordBatch>,
    /// What a reader must know, in sentences.
    pub notes: Vec<String>,
    /// Further top-level keys of the JSON.
    pub further: Map<String, Value>,
    /// Further top-level keys that hold money.
    pub money: Vec<(&'static str, Json)>,
    /// The page for a terminal.
    pub page: String,
    /// The document for who reads or prints it.
    pub document: document::Document,
}

/// The result JSON, keys in the order in which a reader wants them. Counts are numbers up to 2^53, else text.
#[derive(Debug, Serialize)]
pub struct ResultJson<'a> {
    report: &'static str,
    schema_version: u32,
    period: Period,
    inputs: InputsDocument,
    rows: Vec<value::Row<'a>>,
    notes: &'a [String],
    #[serde(flatten)]
    further: &'a Map<String, Value>,
    #[serde(flatten, serialize_with = "entries")]
    money: &'a [(&'static str, Json)],
}

fn entries<S: Serializer>(entries: &&[(&'static str, Json)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
}

#[derive(Debug, Serialize)]
struct Period {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Serialize)]
struct InputsDocument {
    objects: Value,
    bytes: Value,
    records: RecordsDocument,
    validation: &'static str,
}

#[derive(Debug, Serialize)]
struct RecordsDocument {
    ok: Value,
    nodata: Value,
    skipdata: Value,
    rejected: Value,
    outside_window: Value,
    duplicate: Value,
    transit_gateway: Value,
}

impl Report {
    /// Returns the result JSON (design §5).
    pub fn result_json(&self) -> ResultJson<'_> {
        let records = &self.inputs.records;
        ResultJson {
            report: self.name,
            schema_version: SCHEMA_VERSION,
            period: Period { from: self.period.from.map(rfc3339), to: self.period.to.map(rfc3339) },
            inputs: InputsDocument {
                objects: value::count(self.inputs.objects),
                bytes: value::count(self.inputs.bytes),
                records: RecordsDocument {
                    ok: value::count(records.ok),
                    nodata: value::count(records.nodata),
                    skipdata: value::count(records.skipdata),
                    rejected: value::count(records.rejected),
                    outside_window: value::count(records.outside_window),
                    duplicate: value::count(records.duplicate),
                    transit_gateway: value::count(records.transit_gateway),
                },
                validation: self.inputs.validation,
            },
            rows: value::rows(&self.rows),
            notes: &self.notes,
            further: &self.further,
            money: &self.money,
        }
    }

    /// Writes the report in a format.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn write(&self, format: Format, out: &mut (dyn Write + Send)) -> Result<()> {
        match format {
            Format::Table => out.write_all(self.page.as_bytes())?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.result_json()).map_err(|error| Error::from(std::io::Error::from(error)))?;
                out.write_all(b"\n")?;
            }
            Format::Markdown => out.write_all(markdown::of(&self.document).as_bytes())?,
            Format::Html => out.write_all(html::page(&self.document).as_bytes())?,
            _ => self.write_rows(format, out)?,
        }
        Ok(out.flush()?)
    }

    fn write_rows(&self, format: Format, out: &mut (dyn Write + Send)) -> Result<()> {
        let mut renderer = renderer(format, &self.schema, out)?;
        self.rows.iter().try_for_each(|batch| renderer.batch(batch))?;
        renderer.end()
    }
}
