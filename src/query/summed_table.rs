//! Tables of a finished scan, `connections` and `hourly`: the columns that a query names, made whenever it names them.

use super::log_tables::blocking;
use super::rows::schema;
use super::spill::PARTITIONS;
use super::{Egress, Logs, Scanned, connections, hours};
use crate::error;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// What a scan came to.
pub trait Summed: fmt::Debug + Send + Sync {
    /// Returns the rows of a partition: of the table's columns those that are wanted, by their places.
    ///
    /// # Errors
    /// If spilled parts cannot be read back.
    fn batch(&self, partition: usize, wanted: &[usize], logs: &Logs) -> error::Result<RecordBatch>;
}

/// Scans some logs, or returns what a scan came to before.
type Scan = fn(Arc<Logs>) -> BoxFuture<'static, error::Result<Arc<dyn Summed>>>;

/// The table. Sums are small and their rows are wide, so the rows are not kept: each mention makes its own.
pub struct SummedTable {
    logs: Arc<Logs>,
    schema: SchemaRef,
    scan: Scan,
    streams: usize,
}

impl SummedTable {
    /// Returns `connections`, in the order of their ends.
    pub fn connections(logs: &Arc<Logs>) -> SummedTable {
        let scan: Scan = |logs| async move { Ok(logs.egress().await? as Arc<dyn Summed>) }.boxed();
        SummedTable { logs: Arc::clone(logs), schema: schema(&connections::COLUMNS), scan, streams: 1 }
    }

    /// Returns `hourly`, in no order.
    pub fn hourly(logs: &Arc<Logs>) -> SummedTable {
        let scan: Scan = |logs| async move { Ok(logs.hourly().await? as Arc<dyn Summed>) }.boxed();
        SummedTable { logs: Arc::clone(logs), schema: schema(&hours::COLUMNS), scan, streams: logs.threads.clamp(1, PARTITIONS) }
    }
}

impl Summed for Egress {
    fn batch(&self, partition: usize, wanted: &[usize], logs: &Logs) -> error::Result<RecordBatch> {
        connections::batch(partition, wanted, &logs.inventory, &self.inputs, &self.summary)
    }
}

impl Summed for Scanned {
    fn batch(&self, partition: usize, wanted: &[usize], logs: &Logs) -> error::Result<RecordBatch> {
        self.hours.batch(partition, wanted, &logs.inputs)
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

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.logs.needs_inputs().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let columns: Arc<[usize]> = projection.map_or_else(|| (0..self.schema.fields().len()).collect(), |asked| asked.as_slice().into());
        let schema = Arc::new(self.schema.project(&columns)?);
        let stream = |first| -> Arc<dyn PartitionStream> {
            let (logs, schema, columns) = (Arc::clone(&self.logs), Arc::clone(&schema), Arc::clone(&columns));
            Arc::new(Share { logs, schema, scan: self.scan, columns, first, step: self.streams })
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
        let scan = (self.scan)(Arc::clone(&logs));
        // What one stream has to itself is made on all threads, and handed on in order.
        let at_once = (self.logs.threads / self.step).max(1);
        let batches = async move {
            let summed = scan.await?;
            let batch = move |partition| {
                let (logs, summed, columns) = (Arc::clone(&logs), Arc::clone(&summed), Arc::clone(&columns));
                blocking(move || summed.batch(partition, &columns, &logs))
            };
            Ok::<_, error::Error>(stream::iter(partitions).map(batch).buffered(at_once))
        };
        let batches = stream::once(batches).try_flatten().map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches.boxed()))
    }
}
