//! What documents of all reports share: the facts of the cover, how records were counted, notes, limits, the SQL behind.

use super::document::{Cell, Column, Document, Section, Table};
use super::page::PageColumn;
use super::scanned::Scan;
use super::{Inputs, value};
use crate::query::functions::format_bytes;
use crate::time::{TimeRange, rfc3339};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// Returns a period in words.
pub fn period(period: TimeRange) -> String {
    let instant = |t: Option<i64>| t.map_or_else(|| "open".to_owned(), rfc3339);
    format!("{} to {}", instant(period.from), instant(period.to))
}

/// Returns a document with what every cover says: the period, and what was read.
pub fn begun(title: &str, of: TimeRange, inputs: &Inputs, faults: usize) -> Document {
    let mut document = Document::new(title, format!("{} (UTC, the end excluded)", period(of)));
    document.fact("log objects read", Cell::text(format!("{} ({})", super::document::grouped(inputs.objects), format_bytes(inputs.bytes))));
    document.fact("records of traffic", Cell::number(inputs.records.ok));
    if faults > 0 {
        document.fact("objects not read whole", Cell::badge(format!("INCOMPLETE: {faults}")));
    }
    document
}

/// Adds what stands at the end of every document over a scan: notes, how records were counted, the SQL.
pub fn end(document: &mut Document, notes: &[String], inputs: &Inputs, faults: &[(String, &'static str, String)], sql: &str) {
    let mut section = Section::new("notes", "Notes and limits");
    if notes.is_empty() {
        section.paragraph("There is nothing to note.");
    }
    section.list(notes);
    document.push(section);
    document.push(counted(inputs, faults));
    let mut section = Section::new("sql", "The SQL behind");
    section.paragraph(
        "The statement that made the rows, over the tables that flowproof sql has too. Run it there to check a figure, or to ask further.",
    );
    section.code("Statement", sql);
    document.push(section);
}

/// Adds the end of a document over `hourly`.
pub fn end_of_scan(document: &mut Document, scan: &Scan, sql: &str) {
    end(document, &scan.notes, &scan.inputs, &scan.faults, sql);
}

/// How lines became records, and what could not be read.
fn counted(inputs: &Inputs, faults: &[(String, &'static str, String)]) -> Section {
    let records = &inputs.records;
    let rows = [
        ("ok", records.ok, "traffic in the period"),
        ("nodata", records.nodata, "an interval without traffic"),
        ("skipdata", records.skipdata, "an interval of which AWS lost records"),
        ("rejected", records.rejected, "lines that are not records; the table rejects holds each with its place and reason"),
        ("outside the period", records.outside_window, "read, and not counted"),
        ("duplicate", records.duplicate, "written by another flow log too; counted once"),
        ("of transit gateways", records.transit_gateway, "which no report over interfaces reads"),
    ];
    let mut table =
        Table::new("Records by what became of them", vec![Column::text("records"), Column::number("count"), Column::wrapped("meaning")]);
    for (name, count, meaning) in rows {
        table.push(vec![Cell::text(name), Cell::number(count), Cell::text(meaning)]);
    }
    let mut section = Section::new("inputs", "What was read");
    section.facts(vec![
        ("log objects".to_owned(), Cell::number(inputs.objects)),
        ("stored bytes".to_owned(), Cell::number(inputs.bytes)),
        ("validation".to_owned(), Cell::text(inputs.validation)),
    ]);
    section.paragraph("All records in the period were analysed; nothing was sampled.");
    section.table(table);
    if !faults.is_empty() {
        let columns = vec![Column::wrapped("object"), Column::text("status"), Column::wrapped("reason")];
        let mut table = Table::new("Objects that could not be read whole", columns);
        for (uri, status, reason) in faults {
            table.push_with(|| vec![Cell::text(uri), Cell::badge(status.to_uppercase()), Cell::text(reason)]);
        }
        section.table(table);
    }
    section
}

/// Returns the rows of a page as a table of a document; `total` counts those that are not given too.
pub fn paged(caption: &str, columns: &[PageColumn<'_>], rows: Vec<Vec<String>>, total: usize) -> Table {
    let columns = columns.iter().map(|(name, right, shrink_to)| match (right, shrink_to) {
        (true, _) => Column::number(*name),
        (false, Some(_)) => Column::wrapped(*name),
        (false, None) => Column::text(*name),
    });
    let mut table = Table::new(caption, columns.collect());
    rows.into_iter().for_each(|row| table.push(row.into_iter().map(Cell::Text).collect()));
    table.total = total;
    table
}

/// Returns rows as they are in the other formats, with their columns' names.
pub fn rows(caption: &str, schema: &SchemaRef, batches: &[RecordBatch]) -> Table {
    let column = |field: &std::sync::Arc<arrow::datatypes::Field>| {
        let name = field.name().replace('_', " ");
        if value::is_number(field.data_type()) { Column::number(name) } else { Column::text(name) }
    };
    let mut table = Table::new(caption, schema.fields().iter().map(column).collect());
    for batch in batches {
        for row in 0..batch.num_rows() {
            table.push_with(|| batch.columns().iter().map(|column| Cell::optional(value::text(column, row))).collect());
        }
    }
    table
}
