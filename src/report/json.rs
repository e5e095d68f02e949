//! JSON: one array of row objects, or one object a line. Never truncated.

use super::{Renderer, value};
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use std::io::Write;

/// A JSON array of row objects.
pub struct Array<'a> {
    out: &'a mut (dyn Write + Send),
    first: bool,
}

impl<'a> Array<'a> {
    /// Opens the array.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn new(out: &'a mut (dyn Write + Send)) -> Result<Array<'a>> {
        out.write_all(b"[")?;
        Ok(Array { out, first: true })
    }
}

impl Renderer for Array<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        for row in 0..batch.num_rows() {
            self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
            self.first = false;
            write_row(self.out, batch, row)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(self.out.write_all(if self.first { b"]\n" } else { b"\n]\n" })?)
    }
}

/// One JSON object a line.
pub struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
}

impl<'a> Lines<'a> {
    /// Writes to `out`.
    pub fn new(out: &'a mut (dyn Write + Send)) -> Lines<'a> {
        Lines { out }
    }
}

impl Renderer for Lines<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        for row in 0..batch.num_rows() {
            write_row(self.out, batch, row)?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

fn write_row(out: &mut (dyn Write + Send), batch: &RecordBatch, row: usize) -> Result<()> {
    serde_json::to_writer(out, &value::Row { batch, row }).map_err(|error| Error::from(std::io::Error::from(error)))
}
