//! Parquet (zstd) and Arrow IPC: the rows with their types.

use super::Renderer;
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::Write;

/// An Apache Parquet file.
pub struct Parquet<'a> {
    writer: ArrowWriter<&'a mut (dyn Write + Send)>,
}

impl<'a> Parquet<'a> {
    /// Starts the file.
    ///
    /// # Errors
    /// If a column has a type that Parquet lacks.
    pub fn new(schema: &SchemaRef, out: &'a mut (dyn Write + Send)) -> Result<Parquet<'a>> {
        // The version string of the writer would make files differ between releases of the library.
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).set_created_by("flowproof".to_owned());
        let writer = ArrowWriter::try_new(out, SchemaRef::clone(schema), Some(properties.build())).map_err(fault)?;
        Ok(Parquet { writer })
    }
}

impl Renderer for Parquet<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(fault)
    }

    fn end(&mut self) -> Result<()> {
        self.writer.finish().map(|_| ()).map_err(fault)
    }
}

fn fault(error: parquet::errors::ParquetError) -> Error {
    Error::failed("cannot write Parquet").caused_by(error)
}

/// An Arrow IPC stream.
pub struct Ipc<'a> {
    writer: StreamWriter<&'a mut (dyn Write + Send)>,
}

impl<'a> Ipc<'a> {
    /// Writes the schema.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn new(schema: &SchemaRef, out: &'a mut (dyn Write + Send)) -> Result<Ipc<'a>> {
        Ok(Ipc { writer: StreamWriter::try_new(out, schema)? })
    }
}

impl Renderer for Ipc<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.writer.write(batch)?)
    }

    fn end(&mut self) -> Result<()> {
        Ok(self.writer.finish()?)
    }
}
