//! Parquet objects: AWS's column names and types, gzip pages; strings that are missing are `-`, numbers NULL.
//!
//! AWS documents names and types; that missing strings are `-` was seen in a file derived from AWS's own.

use super::estate::Site;
use super::record::{FIELDS, INT32, INT64, Record, Value};
use arrow::array::{ArrayRef, Int32Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

const BATCH_ROWS: usize = 8_192;
const ROW_GROUP_ROWS: usize = 131_072;

enum Builder {
    Int32(Int32Builder),
    Int64(Int64Builder),
    Text(StringBuilder),
}

/// One Parquet object being written.
pub(crate) struct Columns {
    writer: ArrowWriter<BufWriter<File>>,
    schema: Arc<Schema>,
    fields: Vec<usize>,
    version: i64,
    builders: Vec<Builder>,
    rows: usize,
}

impl Columns {
    /// Starts an object with the fields at these positions of [`FIELDS`].
    pub(crate) fn new(file: BufWriter<File>, fields: &[usize], version: i64) -> Columns {
        let columns = fields.iter().map(|&field| Field::new(FIELDS[field].replace('-', "_"), data_type(field), true));
        let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).expect("starting a Parquet object");
        let builders = fields.iter().map(|&field| builder(field)).collect();
        Columns { writer, schema, fields: fields.to_vec(), version, builders, rows: 0 }
    }

    /// Adds a row.
    pub(crate) fn write(&mut self, record: &Record, site: &Site) {
        for (builder, &field) in self.builders.iter_mut().zip(&self.fields) {
            let value = record.value(field, self.version, site);
            let number = if let Value::Int(number) = value { Some(number) } else { None };
            match builder {
                Builder::Int32(builder) => builder.append_option(number.map(|number| number as i32)),
                Builder::Int64(builder) => builder.append_option(number),
                Builder::Text(builder) => builder.append_value(if let Value::Text(text) = value { text } else { "-" }),
            }
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS {
            self.flush();
        }
    }

    /// Writes the footer.
    pub(crate) fn finish(mut self) {
        self.flush();
        self.writer.close().expect("closing a Parquet object");
    }

    fn flush(&mut self) {
        let arrays: Vec<ArrayRef> = self
            .builders
            .iter_mut()
            .map(|builder| match builder {
                Builder::Int32(builder) => Arc::new(builder.finish()) as ArrayRef,
                Builder::Int64(builder) => Arc::new(builder.finish()) as ArrayRef,
                Builder::Text(builder) => Arc::new(builder.finish()) as ArrayRef,
            })
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).expect("columns of one length");
        self.writer.write(&batch).expect("writing a Parquet object");
        self.rows = 0;
    }
}

fn data_type(field: usize) -> DataType {
    if INT32.contains(&field) {
        DataType::Int32
    } else if INT64.contains(&field) {
        DataType::Int64
    } else {
        DataType::Utf8
    }
}

fn builder(field: usize) -> Builder {
    match data_type(field) {
        DataType::Int32 => Builder::Int32(Int32Builder::new()),
        DataType::Int64 => Builder::Int64(Int64Builder::new()),
        _ => Builder::Text(StringBuilder::new()),
    }
}
