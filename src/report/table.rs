//! Aligned columns for a terminal.

use super::{Renderer, value};
use crate::error::{Result, printable};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::io::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows that a terminal table shows; more cannot be read there, and aligning them needs them all in memory.
const ROWS_SHOWN_MAX: usize = 10_000;

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Whether cells stand at the right edge.
    pub right: bool,
    /// Width that the column may be cut down to, if it may be cut.
    pub shrink_to: Option<usize>,
}

/// Returns rows as aligned text, cut to `width` where columns may be cut. Control characters are escaped.
pub fn align(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    const GAP: usize = 2;
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| printable(cell).into_owned()).collect()).collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.width()).collect();
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.width()));
    }
    if let Some(width) = width {
        let available = width.saturating_sub(GAP * columns.len().saturating_sub(1));
        shrink(columns, &mut widths, available);
    }
    let line = |cells: &[String]| {
        let padded = columns.iter().zip(cells).zip(&widths).map(|((column, cell), width)| pad(&cut(cell, *width), *width, column.right));
        let mut line = padded.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned();
        line.push('\n');
        line
    };
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut text = line(&names) + &line(&rules);
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

/// A row of a query plan as several rows: its cells have line breaks, which elsewhere are escaped like all control characters,
/// because a name in a log could forge a row with them.
fn plan_lines(row: &[String]) -> Vec<Vec<String>> {
    let count = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
    (0..count).map(|at| row.iter().map(|cell| cell.lines().nth(at).unwrap_or_default().to_owned()).collect()).collect()
}

/// Takes a character at a time from the widest column that may still be cut.
fn shrink(columns: &[Column], widths: &mut [usize], available: usize) {
    while widths.iter().sum::<usize>() > available {
        let spare = |(at, width): (usize, &usize)| {
            columns.get(at).and_then(|column| column.shrink_to).map_or(0, |least| width.saturating_sub(least))
        };
        let widest =
            widths.iter().enumerate().filter(|(at, width)| spare((*at, width)) > 0).max_by_key(|(_, width)| **width).map(|(at, _)| at);
        match widest.and_then(|at| widths.get_mut(at)) {
            Some(width) => *width -= 1,
            None => return,
        }
    }
}

/// Cuts text to a width, with an ellipsis.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used + 1 > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.width()));
    if right { fill + text } else { text.to_owned() + &fill }
}

/// A table of a query's rows: cells are never cut.
pub struct Table<'a> {
    out: &'a mut (dyn Write + Send),
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    more: usize,
    is_plan: bool,
}

impl<'a> Table<'a> {
    /// Collects rows for `out`.
    pub fn new(schema: &SchemaRef, out: &'a mut (dyn Write + Send)) -> Table<'a> {
        let column = |field: &std::sync::Arc<arrow::datatypes::Field>| Column {
            name: printable(field.name()).into_owned(),
            right: value::is_number(field.data_type()),
            shrink_to: None,
        };
        let is_plan = schema.fields().iter().map(|field| field.name().as_str()).eq(["plan_type", "plan"]);
        Table { out, columns: schema.fields().iter().map(column).collect(), rows: Vec::new(), more: 0, is_plan }
    }
}

impl Renderer for Table<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let room = ROWS_SHOWN_MAX.saturating_sub(self.rows.len()).min(batch.num_rows());
        self.more += batch.num_rows() - room;
        let cells = |row| batch.columns().iter().map(|column| value::text(column, row).unwrap_or_else(|| "NULL".to_owned())).collect();
        let rows = (0..room).map(cells);
        match self.is_plan {
            true => self.rows.extend(rows.flat_map(|row: Vec<String>| plan_lines(&row))),
            false => self.rows.extend(rows),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.out.write_all(align(&self.columns, &self.rows, None).as_bytes())?;
        let plural = if self.rows.len() + self.more == 1 { "" } else { "s" };
        match self.more {
            0 => writeln!(self.out, "({} row{plural})", self.rows.len())?,
            more => writeln!(self.out, "({} rows, {more} of them not shown: -o csv writes all)", self.rows.len() + more)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_cut_where_they_may_be() {
        let column = |name: &str, shrink_to| Column { name: name.into(), right: false, shrink_to };
        let text = align(&[column("a", None), column("b", Some(4))], &[vec!["12345678".into(), "abcdefghij".into()]], Some(16));
        assert_eq!(text, "a         b\n────────  ──────\n12345678  abcde…\n");
    }

    #[test]
    fn escapes_are_shown_not_sent() {
        let column = Column { name: "a".into(), right: false, shrink_to: None };
        assert!(!align(&[column], &[vec!["\u{1b}[31m".into()]], None).contains('\u{1b}'));
    }
}
