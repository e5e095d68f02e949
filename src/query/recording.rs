//! The raw records of control-plane interfaces, kept aside while a scan passes: what a bundle hands to whoever checks it.
//!
//! Parts come in no fixed order, so they lie in a temporary file first and are sorted by place on their way out.

use super::{Engine, failed};
use crate::enrich::{Derived, FlowColumn};
use crate::error::{Error, Result};
use crate::flow::field::id;
use crate::inventory::{InterfaceKind, Inventory};
use crate::pipeline::Part;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::context::SessionContext;
use datafusion::execution::options::ParquetReadOptions;
use foldhash::fast::RandomState;
use futures::TryStreamExt;
use hashbrown::HashSet;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::path::Path;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Rows of a row group: small enough that sorting and writing hold few of them.
const ROW_GROUP_ROWS: usize = 65_536;

/// What is kept of a record: all that AWS wrote, where it stands, and what it says from the interface's side.
pub fn columns() -> Vec<FlowColumn> {
    const MADE: [Derived; 10] = [
        Derived::LogObject,
        Derived::LogLine,
        Derived::FlowLogId,
        Derived::Direction,
        Derived::LocalAddr,
        Derived::LocalPort,
        Derived::PeerAddr,
        Derived::PeerPort,
        Derived::Cluster,
        Derived::ClusterArn,
    ];
    let made = |column: &FlowColumn| !matches!(column, FlowColumn::Derived(derived) if !MADE.contains(derived));
    FlowColumn::all().into_iter().filter(made).collect()
}

/// Takes the records as they come.
#[derive(Debug)]
pub struct Recording {
    writer: ArrowWriter<std::fs::File>,
    file: NamedTempFile,
    schema: SchemaRef,
    interfaces: HashSet<Arc<str>, RandomState>,
    rows: u64,
}

/// All records, unsorted, in a file that goes with this.
#[derive(Debug)]
pub struct Recorded {
    file: NamedTempFile,
    /// How many there are.
    pub rows: u64,
}

impl Recording {
    /// Starts a temporary file in `folder`.
    ///
    /// # Errors
    /// If the folder takes no file.
    pub fn new(inventory: &Inventory, folder: &Path) -> Result<Recording> {
        let fault = |error: std::io::Error| {
            let hint = "name a folder that exists and takes files with --spill-dir";
            Error::failed("cannot make a temporary file").at(folder.display().to_string()).caused_by(error).with_hint(hint)
        };
        let file = tempfile::Builder::new().suffix(".parquet").tempfile_in(folder).map_err(fault)?;
        let schema = crate::enrich::schema(&columns());
        let properties =
            WriterProperties::builder().set_compression(Compression::LZ4_RAW).set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        let writer = ArrowWriter::try_new(file.reopen().map_err(fault)?, SchemaRef::clone(&schema), Some(properties.build()));
        let control_planes = inventory.enis().iter().filter(|eni| eni.kind == InterfaceKind::EksControlPlane);
        Ok(Recording {
            writer: writer.map_err(unwritten)?,
            file,
            schema,
            interfaces: control_planes.map(|eni| Arc::clone(&eni.id)).collect(),
            rows: 0,
        })
    }

    /// Keeps the rows of control-plane interfaces; the part must have [`columns`] among its columns.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, part: &Part) -> Result<()> {
        let interface = FlowColumn::Aws(id::INTERFACE_ID).name();
        let Some(ids) = part.batch.column_by_name(interface).and_then(|column| column.as_string_view_opt()) else { return Ok(()) };
        let ours: BooleanArray = ids.iter().map(|id| Some(id.is_some_and(|id| self.interfaces.contains(id)))).collect();
        if ours.true_count() == 0 {
            return Ok(());
        }
        let kept = self.schema.fields().iter().filter_map(|field| part.batch.column_by_name(field.name()).cloned()).collect();
        let kept = filter_record_batch(&RecordBatch::try_new(SchemaRef::clone(&self.schema), kept)?, &ours)?;
        self.rows += kept.num_rows() as u64;
        self.writer.write(&kept).map_err(unwritten)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<Recorded> {
        self.writer.close().map_err(unwritten)?;
        Ok(Recorded { file: self.file, rows: self.rows })
    }
}

impl Recorded {
    /// Hands on all records in the order of their places: object, then line.
    ///
    /// # Errors
    /// If the file cannot be read back, sorting needs more disk than there is, or `take` fails.
    pub async fn sorted(&self, engine: &Engine, mut take: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        /// Rows that sorting gathers at once. With all 59 columns a row takes up to 3 KB in memory: of the engine's own batches, the few
        /// that a merge holds did not fit beside each other.
        const GATHERED_ROWS: usize = 512;
        let config = engine.context.copied_config().with_target_partitions(1).with_batch_size(GATHERED_ROWS);
        let context = SessionContext::new_with_config_rt(config, engine.context.runtime_env());
        let path = self.file.path().display().to_string();
        let options = ParquetReadOptions::default().file_extension(".parquet");
        context.register_parquet("recorded", path, options).await.map_err(failed)?;
        let sorted = context.sql("SELECT * FROM recorded ORDER BY log_object, log_line").await.map_err(failed)?;
        let mut batches = sorted.execute_stream().await.map_err(failed)?;
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            take(batch)?;
        }
        Ok(())
    }
}

fn unwritten(error: ParquetError) -> Error {
    Error::failed("cannot keep the records of control planes").caused_by(error)
}
