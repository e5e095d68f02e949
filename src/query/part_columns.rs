//! The columns of a part, as the operators over a scan read them.

use crate::decode::text_column::{NO_VIEW, Texts, inline};
use crate::enrich::FlowColumn;
use crate::flow::field::id;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{Int32Type, Int64Type};
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;

/// A record's log-status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Traffic.
    Ok,
    /// No traffic.
    NoData,
    /// Lost records.
    SkipData,
}

/// Columns by name; a column that is missing is NULL throughout.
#[derive(Debug, Clone, Copy)]
pub struct PartColumns<'a>(pub &'a RecordBatch);

impl PartColumns<'_> {
    /// Returns a column of texts.
    pub fn texts(&self, column: FlowColumn) -> StringViewArray {
        let array = self.0.column_by_name(column.name()).and_then(|array| array.as_string_view_opt());
        array.cloned().unwrap_or_else(|| StringViewArray::new_null(self.0.num_rows()))
    }

    /// Returns a column of texts that are mostly told by their views.
    pub fn views(&self, column: FlowColumn) -> Texts {
        Texts::of(self.0.column_by_name(column.name()))
    }

    /// Returns a column of small numbers.
    pub fn int32s(&self, column: FlowColumn) -> Int32Array {
        let array = self.0.column_by_name(column.name()).and_then(|array| array.as_primitive_opt::<Int32Type>());
        array.cloned().unwrap_or_else(|| Int32Array::new_null(self.0.num_rows()))
    }

    /// Returns a column of numbers.
    pub fn int64s(&self, column: FlowColumn) -> Int64Array {
        let array = self.0.column_by_name(column.name()).and_then(|array| array.as_primitive_opt::<Int64Type>());
        array.cloned().unwrap_or_else(|| Int64Array::new_null(self.0.num_rows()))
    }

    /// Returns what tells the log-status of each row.
    pub fn statuses(&self) -> Statuses {
        Statuses {
            status: self.views(FlowColumn::Aws(id::LOG_STATUS)),
            traffic: [id::SRCADDR, id::DSTADDR, id::PACKETS, id::BYTES, id::ACTION].map(|field| {
                let column = self.0.column_by_name(field.field().column);
                column.cloned().unwrap_or_else(|| Arc::new(StringViewArray::new_null(self.0.num_rows())))
            }),
        }
    }
}

/// The values of a part's columns, to be fetched before they are read row by row.
///
/// A row's values lie in as many places as there are columns, and in the cache of the thread that decoded them: an operator that goes
/// from row to row waits for one after the other. Asked for a column at a time, they come many at once.
#[derive(Debug)]
pub struct Fetch<'a>(Vec<(&'a [u8], usize)>);

impl<'a> Fetch<'a> {
    /// Rows that are fetched at a time: of thirty columns, about what fits into the first cache.
    pub const ROWS: usize = 64;

    /// Takes the columns of numbers and texts of a batch; of texts what tells them, which is most that is read of them. Of a
    /// column that is missing nothing is read.
    pub fn of(batch: &'a RecordBatch) -> Fetch<'a> {
        let values = |column: &'a ArrayRef| {
            let texts = column.as_string_view_opt().map(|array| (array.views().inner().as_slice(), size_of::<u128>()));
            let int64s = || column.as_primitive_opt::<Int64Type>().map(|array| (array.values().inner().as_slice(), size_of::<i64>()));
            let int32s = || column.as_primitive_opt::<Int32Type>().map(|array| (array.values().inner().as_slice(), size_of::<i32>()));
            texts.or_else(int64s).or_else(int32s)
        };
        let is_read = |column: &&ArrayRef| column.null_count() < column.len();
        Fetch(batch.columns().iter().filter(is_read).filter_map(values).collect())
    }

    /// Fetches the values of some rows.
    pub fn rows(&self, rows: &Range<usize>) {
        /// Bytes that a processor fetches at once.
        const LINE: usize = 64;
        for (values, width) in &self.0 {
            let values = values.get(rows.start * width..rows.end * width).unwrap_or_default();
            values.iter().step_by(LINE).for_each(|byte| {
                black_box(*byte);
            });
        }
    }
}

/// What tells the log-status of each row.
#[derive(Debug)]
pub struct Statuses {
    status: Texts,
    /// Columns that are all missing in a NODATA record.
    traffic: [ArrayRef; 5],
}

impl Statuses {
    /// Returns the log-status of a row.
    pub fn at(&self, at: usize) -> Status {
        const NODATA: u128 = inline(b"NODATA");
        const SKIPDATA: u128 = inline(b"SKIPDATA");
        match self.status.view(at) {
            NODATA => Status::NoData,
            SKIPDATA => Status::SkipData,
            // A format without log-status: decoding counted it the same way.
            NO_VIEW if !self.traffic.iter().any(|column| column.is_valid(at)) => Status::NoData,
            _ => Status::Ok,
        }
    }
}

/// Returns the text of a row.
pub fn text(array: &StringViewArray, at: usize) -> Option<&str> {
    array.is_valid(at).then(|| array.value(at))
}

/// Returns the small number of a row.
pub fn int32(array: &Int32Array, at: usize) -> Option<i32> {
    array.is_valid(at).then(|| array.value(at))
}

/// Returns the number of a row.
pub fn int64(array: &Int64Array, at: usize) -> Option<i64> {
    array.is_valid(at).then(|| array.value(at))
}
