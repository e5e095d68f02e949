//! CSV (RFC 4180) and TSV: a header, then the rows; NULL is empty.

use super::{Renderer, value};
use crate::error::{Error, Result, printable};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::borrow::Cow;
use std::io::Write;

/// Rows with a delimiter between their cells.
pub struct Delimited<'a> {
    writer: csv::Writer<&'a mut (dyn Write + Send)>,
}

impl<'a> Delimited<'a> {
    /// Writes the header.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn new(schema: &SchemaRef, out: &'a mut (dyn Write + Send), delimiter: u8) -> Result<Delimited<'a>> {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
        writer.write_record(schema.fields().iter().map(|field| field.name())).map_err(fault)?;
        Ok(Delimited { writer })
    }
}

impl Renderer for Delimited<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                let text = value::text(column, row).unwrap_or_default();
                let text = if value::is_number(column.data_type()) { text } else { inert(text) };
                self.writer.write_field(text).map_err(fault)?;
            }
            self.writer.write_record(None::<&[u8]>).map_err(fault)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(self.writer.flush()?)
    }
}

/// A spreadsheet runs a text that starts like a formula (OWASP, "CSV Injection"; ASVS 5 adds NUL, and some spreadsheets fold
/// full-width forms), and a terminal obeys control characters; names in logs are untrusted. Tabs and ends of lines are data.
fn inert(text: String) -> String {
    const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];
    let is_formula = text.starts_with(FORMULA);
    if !is_formula && matches!(printable(&text), Cow::Borrowed(_)) {
        return text;
    }
    let mut out = if is_formula { "'".to_owned() } else { String::new() };
    for part in text.split_inclusive(['\t', '\r', '\n']) {
        let end = part.len() - usize::from(part.ends_with(['\t', '\r', '\n']));
        out += &printable(part.get(..end).unwrap_or_default());
        out += part.get(end..).unwrap_or_default();
    }
    out
}

fn fault(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Error::failed(format!("cannot write CSV: {other:?}")),
    }
}
