//! Markdown: rows as a table, and a report's document.

use super::document::{
    Block, CELL_LETTERS_MAX, CODE_LETTERS_MAX, Cell, Column, Document, Matrix, PARAGRAPH_LETTERS_MAX, Table as DocumentTable, Tone,
    cut_mark, grouped, shortened,
};
use super::{Renderer, svg, value};
use crate::error::{Result, printable};
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

/// Returns a document. Pictures are tables of their numbers.
pub fn of(document: &Document) -> String {
    let mut out = format!("# {}\n", line(&document.title, CELL_LETTERS_MAX));
    if !document.subtitle.is_empty() {
        out += &format!("\n{}\n", line(&document.subtitle, CELL_LETTERS_MAX));
    }
    facts(&document.cover, &mut out);
    if let Some(verdicts) = &document.verdicts {
        table(verdicts, &mut out);
    }
    for section in &document.sections {
        out += &format!("\n## {}\n", line(&section.heading, CELL_LETTERS_MAX));
        section.blocks.iter().for_each(|of| block(of, &mut out));
    }
    out
}

fn block(block: &Block, out: &mut String) {
    match block {
        Block::Paragraph(text) => *out += &format!("\n{}\n", line(text, PARAGRAPH_LETTERS_MAX)),
        Block::Heading(text) => *out += &format!("\n### {}\n", line(text, CELL_LETTERS_MAX)),
        Block::List { items, total } => {
            out.push('\n');
            items.iter().for_each(|item| *out += &format!("* {}\n", line(item, PARAGRAPH_LETTERS_MAX)));
            if *total > items.len() {
                *out += &format!("\n… and {} more; --export FILE.json holds all.\n", grouped((total - items.len()) as u64));
            }
        }
        Block::Facts(of) => facts(of, out),
        Block::Table(of) => table(of, out),
        Block::HeatMap(map) => table(&map.stretches(), out),
        Block::Bars(bars) => table(&svg::table_of_bars(bars), out),
        Block::Flows(flows) => table(&svg::table_of_flows(flows), out),
        Block::Matrix(of) => matrix(of, out),
        Block::Code { caption, text } => {
            *out += &format!("\n{}\n\n", line(caption, CELL_LETTERS_MAX));
            let (kept, cut) = shortened(text, CODE_LETTERS_MAX);
            // An indented block cannot be ended by what stands in it.
            kept.lines().for_each(|text| *out += &format!("    {}\n", printable(text)));
            *out += &cut.map(|letters| format!("\n{}\n", cut_mark(letters))).unwrap_or_default();
        }
    }
}

fn facts(facts: &[(String, Cell)], out: &mut String) {
    if !facts.is_empty() {
        out.push('\n');
    }
    facts.iter().for_each(|(label, value)| *out += &format!("* {}: {}\n", line(label, CELL_LETTERS_MAX), cell(value)));
}

fn table(table: &DocumentTable, out: &mut String) {
    *out += &format!("\n{}\n\n", line(&table.caption, CELL_LETTERS_MAX));
    let names: Vec<String> = table.columns.iter().map(|column| line(&column.name, CELL_LETTERS_MAX)).collect();
    let rules: Vec<&str> = table.columns.iter().map(|column| if column.is_number { "---:" } else { "---" }).collect();
    *out += &format!("| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    for row in &table.rows {
        *out += &format!("| {} |\n", row.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    if table.rows.is_empty() {
        *out += "\n(none)\n";
    }
    if let Some(rest) = table.rest() {
        *out += &format!("\n{}\n", line(&rest, PARAGRAPH_LETTERS_MAX));
    }
}

fn matrix(matrix: &Matrix, out: &mut String) {
    let corner = format!("{} ↓ {} →", matrix.corner.0, matrix.corner.1);
    let columns = [Column::text(corner)].into_iter().chain(matrix.columns.iter().map(Column::number));
    let mut of = DocumentTable::new(matrix.caption.clone(), columns.collect());
    for (name, values) in matrix.rows.iter().zip(&matrix.values) {
        let words = values.iter().map(|value| Cell::optional(value.as_ref().map(|(_, words)| words)));
        of.push([Cell::text(name)].into_iter().chain(words).collect());
    }
    table(&of, out);
    if matrix.left_out > 0 {
        *out += &format!("\n{} more names are left out; --export FILE.csv writes all.\n", grouped(matrix.left_out as u64));
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => line(text, CELL_LETTERS_MAX),
        Cell::Badge(word) if word.is_empty() => String::new(),
        Cell::Badge(word) => format!("{} {}", Tone::of(word).sign(), line(word, CELL_LETTERS_MAX)),
    }
}

/// An untrusted text in one line: cut, and no markup.
fn line(text: &str, letters_max: usize) -> String {
    let (kept, cut) = shortened(text, letters_max);
    inert(kept) + &cut.map(cut_mark).unwrap_or_default()
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
