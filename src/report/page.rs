//! What the pages for a terminal share: the line about what was read, wrapped notes, a table.

use super::Inputs;
use super::table::{Column, align};
use crate::error::printable;
use crate::query::functions::format_bytes;

/// A column: its heading, whether it stands at the right, and how far it may be cut.
pub type PageColumn<'a> = (&'a str, bool, Option<usize>);
/// Columns of a terminal that a page is readable on (design §5).
pub const WIDTH: usize = 100;
/// Faults that a page lists one by one.
const LISTED_MAX: usize = 5;

/// Says what a report was made from, and what of it could not be read: URI, status, reason.
pub fn inputs(inputs: &Inputs, faults: &[(String, &'static str, String)]) -> String {
    let records = &inputs.records;
    let mut text = String::new();
    let mut of_records = vec![format!("{} ok", records.ok), format!("{} nodata", records.nodata), format!("{} skipdata", records.skipdata)];
    let unusual = [
        (records.rejected, "rejected"),
        (records.duplicate, "duplicate"),
        (records.outside_window, "outside the period"),
        (records.transit_gateway, "of transit gateways"),
    ];
    of_records.extend(unusual.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    let objects = plural(inputs.objects, "object");
    text += &wrap_plain(&format!("{objects} ({}), records: {}", format_bytes(inputs.bytes), of_records.join(", ")));
    if !faults.is_empty() {
        text += &format!("INCOMPLETE: {} could not be read whole:\n", plural(faults.len() as u64, "object"));
        for (uri, status, reason) in faults.iter().take(LISTED_MAX) {
            text += &wrap(&printable(&format!("{status}: {uri}: {reason}")), WIDTH);
        }
    }
    text
}

/// Returns the block of notes; nothing if there are none.
pub fn notes<'a>(notes: impl Iterator<Item = &'a String>) -> String {
    let lines: String = notes.map(|note| wrap(&printable(note), WIDTH)).collect();
    if lines.is_empty() { lines } else { format!("\nnotes\n{lines}") }
}

/// Returns a table within the page.
pub fn table(columns: &[PageColumn<'_>], rows: &[Vec<String>]) -> String {
    let columns: Vec<Column> =
        columns.iter().map(|(name, right, shrink_to)| Column { name: (*name).to_owned(), right: *right, shrink_to: *shrink_to }).collect();
    align(&columns, rows, Some(WIDTH - 2)).lines().map(|line| format!("  {line}\n")).collect()
}

/// Returns a count with its noun.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Wraps a line of the head.
pub fn wrap_plain(text: &str) -> String {
    wrap(text, WIDTH).lines().map(|line| format!("{}\n", line.strip_prefix("  * ").unwrap_or(line))).collect()
}

/// Wraps a note at words, with a hanging indent.
pub fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec!["  *".to_owned()];
    for word in text.split(' ') {
        let fits = lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() <= width);
        match lines.last_mut() {
            Some(line) if fits || line.trim() == "*" => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("    {word}")),
        }
    }
    lines.join("\n") + "\n"
}
