//! The table `hourly`: of the sums of a finished scan, the columns that a query names, made whenever it names them.

use super::log_tables::blocking;
use super::rows::schema;
use super::spill::PARTITIONS;
use super::{Logs, hours};
use crate::error::Error;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// The table. Sums are small and their rows are wide, so the rows are not kept: each mention makes its own.
#[derive(Debug)]
pub struct HourTable {
    logs: Arc<Logs>,
    schema: SchemaRef,
}

impl HourTable {
    /// Makes the table over some logs, which are scanned when its rows are first asked for.
    pub fn new(logs: &Arc<Logs>) -> HourTable {
        HourTable { logs: Arc::clone(logs), schema: schema(&hours::COLUMNS) }
    }
}

#[async_trait]
impl TableProvider for HourTable {
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
        let streams = self.logs.threads.clamp(1, PARTITIONS);
        let stream = |first| -> Arc<dyn PartitionStream> {
            let (logs, schema, columns) = (Arc::clone(&self.logs), Arc::clone(&schema), Arc::clone(&columns));
            Arc::new(Hours { logs, schema, columns, first, step: streams })
        };
        let exec = StreamingTableExec::try_new(Arc::clone(&schema), (0..streams).map(stream).collect(), None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// Every so many-th partition of the sums, from one on.
#[derive(Debug)]
struct Hours {
    logs: Arc<Logs>,
    schema: SchemaRef,
    columns: Arc<[usize]>,
    first: usize,
    step: usize,
}

impl PartitionStream for Hours {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (logs, columns, partitions) = (Arc::clone(&self.logs), Arc::clone(&self.columns), (self.first..PARTITIONS).step_by(self.step));
        let batches = async move {
            let scanned = logs.hourly().await?;
            Ok::<_, Error>(stream::iter(partitions).then(move |partition| {
                let (logs, scanned, columns) = (Arc::clone(&logs), Arc::clone(&scanned), Arc::clone(&columns));
                blocking(move || scanned.hours.batch(partition, &columns, &logs.inputs))
            }))
        };
        let batches = stream::once(batches).try_flatten().map_err(|error| DataFusionError::External(Box::new(error)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches.boxed()))
    }
}
