//! Tables of a finished scan, `connections` and `hourly`: the columns that a query names, made whenever it names them.

use super::log_tables::blocking;
use super::narrowed::Narrowed;
use super::rows::schema;
use super::spill::PARTITIONS;
use super::{Egress, Logs, Scanned, Tables, connections, hours};
use crate::error;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a statement asks of a partition's rows.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Of the table's columns those that are wanted, by their places.
    pub columns: &'a [usize],
    /// Whether rows that are alike in all of those but counts may be one, with their counts added up.
    pub folded: bool,
    /// Rows that it leaves out.
    pub narrowed: Narrowed,
}

/// What a scan came to.
pub trait Summed: fmt::Debug + Send + Sync {
    /// Hands on the rows of a partition until `take` wants no more.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    fn batches(&self, partition: usize, asked: Asked<'_>, logs: &Logs, take: &mut dyn FnMut(RecordBatch) -> bool) -> error::Result<()>;
}

/// Scans some logs, or returns what a scan came to before.
type Scan = fn(Arc<Logs>) -> BoxFuture<'static, error::Result<Arc<dyn Summed>>>;

/// The table. Sums are small and their rows are wide, so the rows are not kept: each mention makes its own.
pub struct SummedTable {
    logs: Arc<Logs>,
    schema: SchemaRef,
    scan: Scan,
    name: fn(&Tables),
    streams: usize,
    folded: bool,
    is_narrowed: bool,
}

impl SummedTable {
    /// Returns `connections`, in the order of their ends.
    pub fn connections(logs: &Arc<Logs>) -> SummedTable {
        let scan: Scan = |logs| async move { Ok(logs.egress().await? as Arc<dyn Summed>) }.boxed();
        let (logs, schema, name) = (Arc::clone(logs), schema(&connections::COLUMNS), Tables::name_connections);
        SummedTable { logs, schema, scan, name, streams: 1, folded: false, is_narrowed: false }
    }

    /// Returns `hourly`, in no order. `folded` is for statements that only sum its counts: rows in which a statement sees no other
    /// difference are one.
    pub fn hourly(logs: &Arc<Logs>, folded: bool) -> SummedTable {
        let scan: Scan = |logs| async move { Ok(logs.hourly().await? as Arc<dyn Summed>) }.boxed();
        let streams = logs.threads.clamp(1, PARTITIONS);
        let (logs, schema, name) = (Arc::clone(logs), schema(&hours::COLUMNS), Tables::name_hourly);
        SummedTable { logs, schema, scan, name, streams, folded, is_narrowed: true }
    }
}

impl Summed for Egress {
    fn batches(&self, partition: usize, asked: Asked<'_>, logs: &Logs, take: &mut dyn FnMut(RecordBatch) -> bool) -> error::Result<()> {
        let from = (&*logs.inventory, &*self.inputs, &self.summary, logs.policy.as_deref());
        connections::batches(partition, asked.columns, from, take)
    }
}

impl Summed for Scanned {
    fn batches(&self, partition: usize, asked: Asked<'_>, logs: &Logs, take: &mut dyn FnMut(RecordBatch) -> bool) -> error::Result<()> {
        self.hours.batches(partition, asked, &logs.inputs, take)
    }
}

impl fmt::Debug for SummedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SummedTable").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SummedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let is_useful = |filter: &&Expr| self.is_narrowed && Narrowed::default().learn(filter);
        let support = |useful| if useful { TableProviderFilterPushDown::Inexact } else { TableProviderFilterPushDown::Unsupported };
        Ok(filters.iter().map(is_useful).map(support).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.logs.needs_inputs().map_err(|error| DataFusionError::External(Box::new(error)))?;
        (self.name)(&self.logs.tables);
        let columns: Arc<[usize]> = projection.map_or_else(|| (0..self.schema.fields().len()).collect(), |asked| asked.as_slice().into());
        let schema = Arc::new(self.schema.project(&columns)?);
        let mut narrowed = Narrowed::default();
        filters.iter().for_each(|filter| {
            narrowed.learn(filter);
        });
        let stream = |first| -> Arc<dyn PartitionStream> {
            let (logs, schema, columns) = (Arc::clone(&self.logs), Arc::clone(&schema), Arc::clone(&columns));
            Arc::new(Share { logs, schema, scan: self.scan, columns, folded: self.folded, narrowed, first, step: self.streams })
        };
        let exec = StreamingTableExec::try_new(Arc::clone(&schema), (0..self.streams).map(stream).collect(), None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// Every so many-th partition of the sums, from one on.
struct Share {
    logs: Arc<Logs>,
    schema: SchemaRef,
    scan: Scan,
    columns: Arc<[usize]>,
    folded: bool,
    narrowed: Narrowed,
    first: usize,
    step: usize,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PartitionStream for Share {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (logs, columns, partitions) = (Arc::clone(&self.logs), Arc::clone(&self.columns), (self.first..PARTITIONS).step_by(self.step));
        let (scan, folded, narrowed) = ((self.scan)(Arc::clone(&logs)), self.folded, self.narrowed);
        // What one stream has to itself is made on all threads, and handed on in order.
        let at_once = (self.logs.threads / self.step).max(1);
        let batches = async move {
            let summed = scan.await?;
            let started = move |partition| {
                let (logs, summed, columns) = (Arc::clone(&logs), Arc::clone(&summed), Arc::clone(&columns));
                std::future::ready(made(move |take| summed.batches(partition, Asked { columns: &columns, folded, narrowed }, &logs, take)))
            };
            Ok::<_, error::Error>(stream::iter(partitions).map(started).buffered(at_once).flatten())
        };
        let batches = stream::once(batches).try_flatten().map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches.boxed()))
    }
}

/// Starts to make batches where it holds up nobody, a few ahead of whoever takes them.
fn made(
    make: impl FnOnce(&mut dyn FnMut(RecordBatch) -> bool) -> error::Result<()> + Send + 'static,
) -> impl Stream<Item = error::Result<RecordBatch>> {
    const AHEAD: usize = 2;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let job = tokio::spawn(blocking(move || make(&mut |batch| sender.blocking_send(batch).is_ok())));
    stream::unfold(Some((receiver, job)), |making| async move {
        let (mut receiver, job) = making?;
        if let Some(batch) = receiver.recv().await {
            return Some((Ok(batch), Some((receiver, job))));
        }
        // The end of the batches may be a fault.
        let outcome = job.await.unwrap_or_else(|error| Err(error::Error::failed("a worker stopped").caused_by(error)));
        outcome.err().map(|error| (Err(error), None))
    })
}
