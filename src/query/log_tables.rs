//! Tables that come from reading logs as a whole: `coverage`, `objects`, `layouts`, `rejects`.

use super::coverage::CoverageHour;
use super::drift::{self, Missing};
use super::ledger::Ledger;
use super::rows::{ColumnDoc, schema, utc};
use super::{Logs, failed};
use crate::decode::{Interfaces, LayoutSeen, Validation, Wanted};
use crate::enrich::Tagger;
use crate::error::{Error, Result};
use crate::intake::{self, LayoutTotal, ObjectRead};
use crate::pipeline::{self, Input, Part, Scan};
use crate::time::TimeRange;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampSecondArray};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;

type BatchStream = stream::BoxStream<'static, Result<RecordBatch>>;
type Produce = dyn Fn(Arc<Logs>) -> BatchStream + Send + Sync;

/// A table of one partition that is made when it is asked for.
struct Lazily {
    schema: SchemaRef,
    logs: Arc<Logs>,
    produce: Box<Produce>,
}

impl fmt::Debug for Lazily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazily").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PartitionStream for Lazily {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let produced = match self.logs.needs_inputs() {
            Ok(()) => (self.produce)(Arc::clone(&self.logs)),
            Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
        };
        let batches = produced.map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

fn table(
    logs: &Arc<Logs>,
    schema: SchemaRef,
    produce: impl Fn(Arc<Logs>) -> BatchStream + Send + Sync + 'static,
) -> Result<Arc<dyn TableProvider>> {
    let partition = Lazily { schema: Arc::clone(&schema), logs: Arc::clone(logs), produce: Box::new(produce) };
    Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(partition)]).map_err(failed)?))
}

/// Runs work that does not wait where it holds up nobody who does.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::failed("a worker stopped").caused_by(error)))
}

fn times(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampSecondArray>().with_timezone("UTC"))
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn counts(values: impl IntoIterator<Item = u64>) -> ArrayRef {
    Arc::new(values.into_iter().map(|value| i64::try_from(value).unwrap_or(i64::MAX)).collect::<Int64Array>())
}

/// The columns of a table.
pub type ColumnList = Vec<ColumnDoc>;

/// Columns of `coverage`.
fn coverage_columns() -> ColumnList {
    use DataType::{Int64, Utf8};
    vec![
        ("cluster", Utf8, "EKS cluster of the interface"),
        ("cluster_arn", Utf8, "ARN of the cluster"),
        ("interface_id", Utf8, "Control-plane interface"),
        ("hour", utc(), "First instant of the hour"),
        ("state", Utf8, "`OK`, `NODATA`, `SKIPDATA`, `GAP`, `LATE`, `UNKNOWN` or `N/A`"),
        ("records_ok", Int64, "Records of traffic"),
        ("records_nodata", Int64, "Records that say that there was no traffic"),
        ("records_skipdata", Int64, "Records that say that records were lost"),
        ("flow_logs", Utf8, "Flow logs that wrote of it and count, by id; those set aside as duplicates are not among them"),
        ("weaknesses", Utf8, "What these cannot show: `accept-only`, `missing-fields`, …"),
    ]
}

/// Returns the columns of `coverage`, `layouts`, `objects` and `rejects`.
pub fn columns() -> [(&'static str, ColumnList); 4] {
    [("coverage", coverage_columns()), ("layouts", layout_columns()), ("objects", object_columns()), ("rejects", reject_columns())]
}

/// Returns `coverage`: control-plane interface × hour.
///
/// # Errors
/// None in practice: the schema is its own.
pub fn coverage(logs: &Arc<Logs>) -> Result<Arc<dyn TableProvider>> {
    table(logs, schema(&coverage_columns()), |logs| {
        stream::once(async move {
            let egress = logs.egress().await?;
            let ledger = Ledger::of(&logs, &egress);
            let hours = &ledger.hours;
            let ids = |hour: &CoverageHour| {
                let counted = egress.summary.counted_in(hour.eni, hour.hour).iter();
                let mut ids: Vec<&str> = counted.map(|at| egress.summary.flow_log_id(*at)).filter(|id| !id.is_empty()).collect();
                ids.sort_unstable();
                Some(ids.join(",")).filter(|ids| !ids.is_empty())
            };
            let weaknesses = |hour: &CoverageHour| {
                let names: Vec<&str> = ledger.weaknesses_at(hour.eni, hour.hour).into_iter().collect();
                Some(names.join(",")).filter(|names| !names.is_empty())
            };
            let eni = |index: u32| logs.inventory.enis().get(index as usize);
            let cluster = |index: u32| eni(index)?.cluster.and_then(|cluster| logs.inventory.clusters().get(cluster as usize));
            let arrays = vec![
                texts(hours.iter().map(|hour| cluster(hour.eni).map(|cluster| &*cluster.name))),
                texts(hours.iter().map(|hour| cluster(hour.eni).map(|cluster| &*cluster.arn))),
                texts(hours.iter().map(|hour| eni(hour.eni).map(|eni| &*eni.id))),
                times(hours.iter().map(|hour| Some(hour.hour))),
                texts(hours.iter().map(|hour| Some(hour.state.as_str()))),
                counts(hours.iter().map(|hour| hour.covered.ok)),
                counts(hours.iter().map(|hour| hour.covered.nodata)),
                counts(hours.iter().map(|hour| hour.covered.skipdata)),
                Arc::new(hours.iter().map(ids).collect::<StringArray>()),
                Arc::new(hours.iter().map(weaknesses).collect::<StringArray>()),
            ];
            Ok(RecordBatch::try_new(schema(&coverage_columns()), arrays)?)
        })
        .boxed()
    })
}

impl super::Egress {
    /// Returns the window with open ends closed by the records themselves.
    pub fn window(&self, asked: TimeRange) -> TimeRange {
        TimeRange { from: asked.from.or(self.totals.start_min), to: asked.to.or(self.totals.end_max) }
    }
}

/// Columns of `objects`.
fn object_columns() -> ColumnList {
    use DataType::{Int64, Utf8};
    vec![
        ("log_object", Utf8, "URI or path"),
        ("account_id", Utf8, "Account of the flow log, from the key"),
        ("region", Utf8, "Region of the flow log, from the key"),
        ("flow_log_id", Utf8, "Flow log, from the key"),
        ("key_time", utc(), "Time stamp of the key"),
        ("size", Int64, "Stored bytes"),
        ("etag", Utf8, "Entity tag in S3"),
        ("modified", utc(), "When it was last written"),
        ("encoding", Utf8, "`gzip`, `zstd`, `plain` or `parquet`"),
        ("shape", Utf8, "How records stand in it; several if it changes"),
        ("status", Utf8, "`read`, `partial` or `unreadable`"),
        ("reason", Utf8, "Why it was not read whole, and where that was noticed"),
        ("lines", Int64, "Lines of text, log events in JSON, or rows in Parquet"),
        ("headers", Int64, "Lines that name the columns"),
        ("blanks", Int64, "Empty lines"),
        ("control_messages", Int64, "Control messages of CloudWatch Logs"),
        ("records_ok", Int64, "Records of traffic"),
        ("records_nodata", Int64, "Records that say that there was no traffic"),
        ("records_skipdata", Int64, "Records that say that records were lost"),
        ("records_rejected", Int64, "Lines that are not records"),
        ("records_outside_window", Int64, "Records that start outside the window"),
        ("records_transit_gateway", Int64, "Records of transit gateways"),
        ("inversions", Int64, "Records that end before they start"),
        ("first_start", utc(), "Least `start` of records in the window"),
        ("last_end", utc(), "Greatest `end` of records in the window"),
        ("fields", Int64, "Most fields of any layout in it"),
        ("layout", Utf8, "Its layouts"),
    ]
}

/// Returns `objects`: every input object with its accounting; every column is validated.
///
/// # Errors
/// None in practice: the schema is its own.
pub fn objects(logs: &Arc<Logs>) -> Result<Arc<dyn TableProvider>> {
    table(logs, schema(&object_columns()), |logs| {
        let logs_read = Arc::clone(&logs);
        stream::once(async move { object_rows(&logs_read.inputs, &read_whole(&logs).await?) }).boxed()
    })
}

/// Reads every object, every column checked, and returns what became of them.
async fn read_whole(logs: &Logs) -> Result<Vec<(usize, ObjectRead)>> {
    let intake = logs.new_intake();
    let mut parts = pipeline::run(whole(logs), Arc::clone(&intake));
    while let Some(part) = parts.recv().await {
        part?;
    }
    Ok(intake.objects())
}

/// Columns of `layouts`.
fn layout_columns() -> ColumnList {
    use DataType::{Int64, Utf8};
    vec![
        ("shape", Utf8, "How records stand in the objects: `text`, `csv`, `subscription`, `parquet`, …"),
        ("record_kind", Utf8, "`vpc` or `transit-gateway`"),
        ("fields", Int64, "Number of fields"),
        ("layout", Utf8, "Fields in their order, as AWS names them"),
        ("objects", Int64, "Objects that it appears in"),
        ("records", Int64, "Records in the window"),
        ("first_start", utc(), "Least `start` of those"),
        ("last_end", utc(), "Greatest `end` of those"),
        ("missing_egress", Utf8, "Fields that `report egress` would use and that it lacks"),
        ("missing_cross_az", Utf8, "Fields that `report cross-az` would use and that it lacks"),
        ("missing_nat", Utf8, "Fields that `report nat` would use and that it lacks"),
    ]
}

/// Returns `layouts`: every layout that appears, from when to when, and what it lacks.
///
/// # Errors
/// None in practice: the schema is its own.
pub fn layouts(logs: &Arc<Logs>) -> Result<Arc<dyn TableProvider>> {
    table(logs, schema(&layout_columns()), |logs| {
        stream::once(async move {
            let objects = read_whole(&logs).await?;
            layout_rows(&intake::layouts(objects.iter().flat_map(|(_, read)| &read.tally.layouts)))
        })
        .boxed()
    })
}

fn layout_rows(layouts: &[LayoutTotal]) -> Result<RecordBatch> {
    let missing: Vec<_> = layouts.iter().map(|total| drift::missing(&total.seen.layout)).collect();
    let lacks = |of: fn(&Missing) -> &[&'static str]| -> ArrayRef {
        Arc::new(missing.iter().map(|missing| missing.as_ref().map(|missing| of(missing).join(","))).collect::<StringArray>())
    };
    let names: Vec<String> = layouts.iter().map(|total| total.seen.layout.to_string()).collect();
    let arrays = vec![
        texts(layouts.iter().map(|total| Some(total.seen.shape.name()))),
        texts(layouts.iter().map(|total| Some(total.seen.layout.kind().name()))),
        counts(layouts.iter().map(|total| total.seen.layout.columns.len() as u64)),
        texts(names.iter().map(|name| Some(name.as_str()))),
        counts(layouts.iter().map(|total| total.objects)),
        counts(layouts.iter().map(|total| total.seen.records)),
        times(layouts.iter().map(|total| total.seen.start_min)),
        times(layouts.iter().map(|total| total.seen.end_max)),
        lacks(|missing| &missing.egress),
        lacks(|missing| &missing.cross_az),
        lacks(|missing| &missing.nat),
    ];
    Ok(RecordBatch::try_new(schema(&layout_columns()), arrays)?)
}

fn object_rows(inputs: &[Input], objects: &[(usize, ObjectRead)]) -> Result<RecordBatch> {
    let rows: Vec<_> = objects.iter().filter_map(|(at, read)| Some((&inputs.get(*at)?.object, read))).collect();
    let joined = |read: &ObjectRead, of: fn(&LayoutSeen) -> String, by: &str| {
        let mut parts: Vec<String> = read.tally.layouts.iter().map(of).collect();
        parts.dedup();
        parts.join(by)
    };
    let layouts: Vec<String> = rows.iter().map(|(_, read)| joined(read, |seen| seen.layout.to_string(), " | ")).collect();
    let shapes: Vec<String> = rows.iter().map(|(_, read)| joined(read, |seen| seen.shape.name().to_owned(), ",")).collect();
    let arrays = vec![
        texts(rows.iter().map(|(object, _)| Some(&*object.uri))),
        texts(rows.iter().map(|(object, _)| object.key.account.as_deref())),
        texts(rows.iter().map(|(object, _)| object.key.region.as_deref())),
        texts(rows.iter().map(|(object, _)| object.key.flow_log_id.as_deref())),
        times(rows.iter().map(|(object, _)| object.key.time)),
        counts(rows.iter().map(|(object, _)| object.size)),
        texts(rows.iter().map(|(object, _)| object.etag.as_deref())),
        times(rows.iter().map(|(object, _)| object.modified)),
        texts(rows.iter().map(|(_, read)| read.encoding.map(|encoding| encoding.name()))),
        texts(shapes.iter().map(|shape| Some(shape.as_str()).filter(|shape| !shape.is_empty()))),
        texts(rows.iter().map(|(_, read)| Some(read.status()))),
        texts(rows.iter().map(|(_, read)| read.fault.as_deref())),
        counts(rows.iter().map(|(_, read)| read.tally.lines)),
        counts(rows.iter().map(|(_, read)| read.tally.headers)),
        counts(rows.iter().map(|(_, read)| read.tally.blanks)),
        counts(rows.iter().map(|(_, read)| read.tally.control)),
        counts(rows.iter().map(|(_, read)| read.tally.ok)),
        counts(rows.iter().map(|(_, read)| read.tally.nodata)),
        counts(rows.iter().map(|(_, read)| read.tally.skipdata)),
        counts(rows.iter().map(|(_, read)| read.tally.rejects)),
        counts(rows.iter().map(|(_, read)| read.tally.outside_window)),
        counts(rows.iter().map(|(_, read)| read.tally.passed_over)),
        counts(rows.iter().map(|(_, read)| read.tally.inversions)),
        times(rows.iter().map(|(_, read)| read.tally.start_min())),
        times(rows.iter().map(|(_, read)| read.tally.end_max())),
        counts(rows.iter().map(|(_, read)| u64::from(read.tally.fields_max()))),
        texts(layouts.iter().map(|layout| Some(layout.as_str()))),
    ];
    Ok(RecordBatch::try_new(schema(&object_columns()), arrays)?)
}

/// Columns of `rejects`.
fn reject_columns() -> ColumnList {
    use DataType::{Int64, Utf8};
    vec![
        ("log_object", Utf8, "URI or path of the object"),
        ("log_line", Int64, "Line, log event or row in it; 1-based"),
        ("reason", Utf8, "Why it is not a record"),
        ("detail", Utf8, "Which value is wrong"),
        ("raw", Utf8, "The line, cut after 4 KiB"),
    ]
}

/// Returns `rejects`: every line that is not a record; every column is validated.
///
/// # Errors
/// None in practice: the schema is its own.
pub fn rejects(logs: &Arc<Logs>) -> Result<Arc<dyn TableProvider>> {
    table(logs, schema(&reject_columns()), |logs| {
        let parts = pipeline::run(whole(&logs), logs.new_intake());
        let next = |mut parts: mpsc::Receiver<Result<Part>>| async move { parts.recv().await.map(|part| (part, parts)) };
        stream::unfold(parts, next).map(move |part| reject_rows(&logs.inputs, &part?)).boxed()
    })
}

fn reject_rows(inputs: &[Input], part: &Part) -> Result<RecordBatch> {
    let uri = inputs.get(part.object).map(|input| &*input.object.uri);
    let rejects = &part.rejects;
    let arrays = vec![
        texts(rejects.iter().map(|_| uri)),
        counts(rejects.iter().map(|reject| reject.line)),
        texts(rejects.iter().map(|reject| Some(reject.reason.name()))),
        texts(rejects.iter().map(|reject| Some(reject.detail.as_str()).filter(|detail| !detail.is_empty()))),
        texts(rejects.iter().map(|reject| Some(reject.text.as_str()))),
    ];
    Ok(RecordBatch::try_new(schema(&reject_columns()), arrays)?)
}

/// A scan that checks every line, of whatever kind, and hands on no column.
fn whole(logs: &Logs) -> Scan {
    let wanted =
        Wanted { validation: Validation::Full, interfaces: Interfaces::Only(Arc::default()), time: logs.window, ..Wanted::default() };
    Scan {
        inputs: Arc::clone(&logs.inputs),
        wanted: Arc::new(wanted),
        tagger: Arc::new(Tagger::new(Arc::clone(&logs.inventory), Vec::new())),
        log_format: logs.log_format.clone(),
        threads: logs.threads,
    }
}
