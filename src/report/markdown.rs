//! Markdown: a table of the rows; a report also has a head and its notes.

use super::{Renderer, Report, value};
use crate::error::{Result, printable};
use crate::time::rfc3339;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::io::Write;

/// A Markdown table.
pub struct Table<'a> {
    out: &'a mut (dyn Write + Send),
}

impl<'a> Table<'a> {
    /// Writes the head of the table.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn new(schema: &SchemaRef, out: &'a mut (dyn Write + Send)) -> Result<Table<'a>> {
        let names: Vec<String> = schema.fields().iter().map(|field| inert(field.name())).collect();
        let rules: Vec<&str> =
            schema.fields().iter().map(|field| if value::is_number(field.data_type()) { "---:" } else { "---" }).collect();
        writeln!(out, "| {} |\n| {} |", names.join(" | "), rules.join(" | "))?;
        Ok(Table { out })
    }
}

impl Renderer for Table<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch.columns().iter().map(|column| inert(&value::text(column, row).unwrap_or_default())).collect();
            writeln!(self.out, "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Writes the head of a report.
///
/// # Errors
/// If the output cannot be written.
pub fn head(report: &Report, out: &mut (dyn Write + Send)) -> Result<()> {
    let instant = |t: Option<i64>| t.map_or_else(|| "open".to_owned(), rfc3339);
    let records = &report.inputs.records;
    writeln!(out, "# {}\n", report.name)?;
    writeln!(out, "* period: {} to {} (UTC, half-open)", instant(report.period.from), instant(report.period.to))?;
    writeln!(
        out,
        "* inputs: {} objects, {} stored bytes, validation {}",
        report.inputs.objects, report.inputs.bytes, report.inputs.validation
    )?;
    writeln!(
        out,
        "* records: {} ok, {} nodata, {} skipdata, {} rejected, {} outside the window, {} duplicate, {} of transit gateways\n",
        records.ok, records.nodata, records.skipdata, records.rejected, records.outside_window, records.duplicate, records.transit_gateway
    )?;
    Ok(())
}

/// Writes the notes of a report.
///
/// # Errors
/// If the output cannot be written.
pub fn notes(report: &Report, out: &mut (dyn Write + Send)) -> Result<()> {
    writeln!(out)?;
    report.notes.iter().try_for_each(|note| writeln!(out, "* {}", inert(note)))?;
    Ok(())
}

/// Names in logs and inventories are untrusted: they must not become markup.
fn inert(text: &str) -> String {
    printable(text).chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '#' => out.extend(['\\', c]),
            c => out.push(c),
        }
        out
    })
}
