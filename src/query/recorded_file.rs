//! The raw records of a bundle, read back in bounded steps: nothing that the Parquet file claims of itself is believed.

use super::recording;
use crate::decode::BATCH_ROWS;
use crate::decode::contained::contained;
use crate::decode::page_guard::{self, PageGuard};
use crate::enrich::FlowColumn;
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Most bytes asked for at once: the columns of a row group.
const RANGES_LEN_MAX: u64 = 1 << 30;

/// Returns the columns that are read: all that are recorded but the map of unknown fields, which no figure rests on.
pub fn columns() -> Vec<FlowColumn> {
    recording::columns().into_iter().filter(|column| !matches!(column, FlowColumn::Extra)).collect()
}

/// The file of [`recording`], opened and its footer checked.
#[derive(Debug)]
pub struct RecordedFile {
    file: File,
    size: u64,
    metadata: Arc<ParquetMetaData>,
    guard: PageGuard,
    /// Rows that the footer claims.
    pub rows: u64,
}

fn damaged(why: impl std::fmt::Display) -> Error {
    Error::failed(format!("the records of the bundle cannot be read: {why}"))
}

fn guarded<T>(call: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    contained(call).unwrap_or_else(|fault| Err(ParquetError::General(fault))).map_err(damaged)
}

impl RecordedFile {
    /// Opens a file.
    ///
    /// # Errors
    /// If it is no Parquet file, claims what cannot be, or lacks a column.
    pub fn open(path: &Path) -> Result<RecordedFile> {
        let file = File::open(path).map_err(damaged)?;
        let size = file.metadata().map_err(damaged)?.len();
        let mut decoder = guarded(|| ParquetMetaDataPushDecoder::try_new(size))?.with_page_index_policy(PageIndexPolicy::Skip);
        let metadata = loop {
            match guarded(|| decoder.try_decode())? {
                DecodeResult::Data(metadata) => break metadata,
                DecodeResult::Finished => return Err(damaged("the footer ended early")),
                DecodeResult::NeedsData(ranges) => {
                    let data = read(&file, size, &ranges, page_guard::FOOTER_BYTES_MAX as u64)?;
                    for (range, bytes) in ranges.iter().zip(&data) {
                        let checked = if range.end == size { page_guard::tail(bytes, size) } else { page_guard::footer(bytes) };
                        checked.map_err(damaged)?;
                    }
                    guarded(|| decoder.push_ranges(ranges, data))?;
                }
            }
        };
        let guard = PageGuard::new(&metadata, size).map_err(damaged)?;
        let rows = metadata.row_groups().iter().map(|group| group.num_rows().max(0) as u64).sum();
        let there =
            |name: &str| metadata.file_metadata().schema_descr().root_schema().get_fields().iter().any(|field| field.name() == name);
        if let Some(missing) = columns().into_iter().find(|column| !there(column.name())) {
            return Err(damaged(format!("there is no column {}", missing.name())));
        }
        Ok(RecordedFile { file, size, metadata: Arc::new(metadata), guard, rows })
    }

    /// Hands on the rows in the order of the file, with these columns, until `take` wants no more.
    ///
    /// # Errors
    /// If a page claims what cannot be, a column has another type than was recorded, or `take` fails.
    pub fn each(&self, columns: &[FlowColumn], mut take: impl FnMut(RecordBatch) -> Result<bool>) -> Result<()> {
        let mask = ProjectionMask::columns(self.metadata.file_metadata().schema_descr(), columns.iter().map(|column| column.name()));
        let schema = crate::enrich::schema(columns);
        // The Arrow schema that a writer embeds adds nothing here, and reading a damaged one panics.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let mut decoder = guarded(|| {
            let builder = ParquetPushDecoderBuilder::try_new_decoder_with_options(Arc::clone(&self.metadata), options)?;
            builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()
        })?;
        let mut rows = 0;
        loop {
            match guarded(|| decoder.try_decode())? {
                DecodeResult::Data(batch) => {
                    rows += batch.num_rows() as u64;
                    if !take(typed(&batch, &schema)?)? {
                        return Ok(());
                    }
                }
                // Pages that end early end the reader quietly.
                DecodeResult::Finished if rows == self.rows => return Ok(()),
                DecodeResult::Finished => return Err(damaged(format!("it ends after row {rows}, and its footer claims {}", self.rows))),
                DecodeResult::NeedsData(ranges) => {
                    let data = read(&self.file, self.size, &ranges, RANGES_LEN_MAX)?;
                    self.guard.check(&ranges, &data).map_err(damaged)?;
                    guarded(|| decoder.push_ranges(ranges, data))?;
                }
            }
        }
    }
}

fn read(file: &File, size: u64, ranges: &[Range<u64>], bytes_max: u64) -> Result<Vec<Bytes>> {
    let together = ranges.iter().map(|range| range.end.saturating_sub(range.start)).fold(0, u64::saturating_add);
    if together > bytes_max || ranges.iter().any(|range| range.start > range.end || range.end > size) {
        return Err(damaged(format!("a part of it lies outside, or is larger than {} MiB", bytes_max >> 20)));
    }
    let one = |range: &Range<u64>| {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut bytes, range.start).map_err(damaged)?;
        Ok(Bytes::from(bytes))
    };
    ranges.iter().map(one).collect()
}

/// Returns the batch with the columns of the schema, in its order and types.
fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let column = |field: &Arc<arrow::datatypes::Field>| {
        let array = batch.column_by_name(field.name()).ok_or_else(|| damaged(format!("there is no column {}", field.name())))?;
        cast(array, field.data_type()).map_err(|error| damaged(format!("column {}: {error}", field.name())))
    };
    let arrays = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    let nullable: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(nullable)), arrays)?)
}
