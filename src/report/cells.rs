//! Rows of a query, cell by cell.

use super::value;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

/// Returns the rows of some batches.
pub fn cells(batches: &[RecordBatch]) -> impl Iterator<Item = Cells<'_>> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| Cells { batch, row }))
}

impl Cells<'_> {
    /// Returns a column's text; `None` for NULL.
    pub fn text(&self, name: &str) -> Option<String> {
        value::text(self.batch.column_by_name(name)?, self.row)
    }

    /// Returns a column's count; 0 for NULL.
    pub fn count(&self, name: &str) -> u64 {
        let Some(array) = self.batch.column_by_name(name).filter(|array| array.is_valid(self.row)) else { return 0 };
        let small = || array.as_primitive_opt::<Int32Type>().map(|values| values.value(self.row).into());
        let number: Option<i64> = array.as_primitive_opt::<Int64Type>().map(|values| values.value(self.row)).or_else(small);
        number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    }

    /// Returns whether a column says yes.
    pub fn is(&self, name: &str) -> bool {
        let array = self.batch.column_by_name(name).and_then(|array| array.as_boolean_opt());
        array.is_some_and(|array| array.is_valid(self.row) && array.value(self.row))
    }
}
