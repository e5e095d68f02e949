//! A report as a document: a title, a cover, and sections of blocks. Every report fills one, and so does the evidence bundle;
//! `html` and `markdown` write it. It knows nothing of either.
//!
//! All texts are untrusted, also those of our own making, since they hold names from logs and inventories: the renderers escape
//! each one. What is too long or too many is cut here or by the renderers, with the full length stated: the rows themselves are in
//! CSV and JSON.
//!
//! ```
//! use flowproof::report::document::{Cell, Column, Document, Section, Table};
//! use flowproof::report::{html, markdown};
//!
//! let mut document = Document::new("EKS API server egress", "October 2026");
//! document.fact("clusters", Cell::number(2));
//! let mut table = Table::new("Destinations", vec![Column::text("destination"), Column::number("bytes"), Column::text("verdict")]);
//! table.push(vec![Cell::text("198.51.100.80:443"), Cell::text("6.4 KiB"), Cell::badge("PASS")]);
//! let mut section = Section::new("destinations", "Destinations");
//! section.paragraph("What the API servers opened, by destination.").table(table);
//! document.push(section);
//!
//! let page = html::page(&document);
//! assert!(page.contains("<h2") && page.contains("PASS"));
//! assert!(markdown::of(&document).contains("| 198.51.100.80:443 | 6.4 KiB | ✓ PASS |"));
//! ```

use crate::error::printable;
use crate::time::{DAY, HOUR, UnixSeconds};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Letters of a cell, a label or a caption that are shown.
pub const CELL_LETTERS_MAX: usize = 240;
/// Letters of a paragraph or of an item of a list.
pub const PARAGRAPH_LETTERS_MAX: usize = 4_000;
/// Letters of a text that is shown as it stands.
pub const CODE_LETTERS_MAX: usize = 200_000;
/// Rows of a table that a document shows (evidence for auditors: the first 2,000, the rest in CSV).
pub const ROWS_SHOWN_MAX: usize = 2_000;
/// Items of a list that a document shows.
pub const ITEMS_SHOWN_MAX: usize = 500;
/// Interfaces of a heat map that are drawn.
pub const HEAT_ROWS_MAX: usize = 240;
/// Hours that a heat map draws one by one (a month); of longer periods it draws days.
pub const HOURS_DRAWN_MAX: usize = 31 * 24;
/// Bars of a picture.
pub const BARS_SHOWN_MAX: usize = 30;
/// Rows and columns of a matrix.
pub const MATRIX_SIDE_MAX: usize = 40;
/// Nodes in one column of a picture of flows; what is left is drawn as one.
pub const NODES_SHOWN_MAX: usize = 24;

/// A document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// What it is, e.g. `EKS API server egress`.
    pub title: String,
    /// What it is about: period, scope.
    pub subtitle: String,
    /// The cover block: labels and values.
    pub cover: Vec<(String, Cell)>,
    /// What is concluded, one row a statement; stands on the cover.
    pub verdicts: Option<Table>,
    /// The body.
    pub sections: Vec<Section>,
}

impl Document {
    /// Returns a document without content.
    pub fn new(title: impl Into<String>, subtitle: impl Into<String>) -> Document {
        Document { title: title.into(), subtitle: subtitle.into(), ..Document::default() }
    }

    /// Adds a line to the cover.
    pub fn fact(&mut self, label: impl Into<String>, value: Cell) -> &mut Document {
        self.cover.push((label.into(), value));
        self
    }

    /// Adds a section; an id that is taken gets a number, so that every link has one target.
    pub fn push(&mut self, mut section: Section) -> &mut Document {
        let is_taken = |id: &str| self.sections.iter().any(|other| other.id == id);
        if is_taken(&section.id) {
            let numbered = (2..).map(|number| format!("{}-{number}", section.id)).find(|id| !is_taken(id));
            section.id = numbered.unwrap_or_default();
        }
        self.sections.push(section);
        self
    }
}

/// A section: an anchor, a heading, and what stands below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Anchor: lower-case ASCII letters, digits and `-`.
    pub id: String,
    /// Heading.
    pub heading: String,
    /// Content.
    pub blocks: Vec<Block>,
}

impl Section {
    /// Returns an empty section; other letters of the id become `-`.
    pub fn new(id: &str, heading: impl Into<String>) -> Section {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let id: String = id.chars().take(60).map(plain).collect();
        let id = if id.is_empty() { "section".to_owned() } else { id };
        Section { id, heading: heading.into(), blocks: Vec::new() }
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: impl Into<String>) -> &mut Section {
        self.push(Block::Paragraph(text.into()))
    }

    /// Adds a heading below that of the section.
    pub fn heading(&mut self, text: impl Into<String>) -> &mut Section {
        self.push(Block::Heading(text.into()))
    }

    /// Adds a list; nothing if it is empty.
    pub fn list(&mut self, items: impl IntoIterator<Item = impl Into<String>>) -> &mut Section {
        let mut all = items.into_iter();
        let items: Vec<String> = all.by_ref().take(ITEMS_SHOWN_MAX).map(Into::into).collect();
        let total = items.len() + all.count();
        if items.is_empty() { self } else { self.push(Block::List { items, total }) }
    }

    /// Adds labels with their values.
    pub fn facts(&mut self, facts: Vec<(String, Cell)>) -> &mut Section {
        self.push(Block::Facts(facts))
    }

    /// Adds a table.
    pub fn table(&mut self, table: Table) -> &mut Section {
        self.push(Block::Table(table))
    }

    /// Adds a text that is shown as it stands, such as SQL.
    pub fn code(&mut self, caption: impl Into<String>, text: impl Into<String>) -> &mut Section {
        self.push(Block::Code { caption: caption.into(), text: text.into() })
    }

    /// Adds any block.
    pub fn push(&mut self, block: Block) -> &mut Section {
        self.blocks.push(block);
        self
    }
}

/// A part of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Sentences.
    Paragraph(String),
    /// A heading below the section's.
    Heading(String),
    /// The first items of a list, and how many there are.
    List {
        /// Items, at most [`ITEMS_SHOWN_MAX`].
        items: Vec<String>,
        /// How many there are in all.
        total: usize,
    },
    /// Labels and values.
    Facts(Vec<(String, Cell)>),
    /// A table.
    Table(Table),
    /// States of interfaces by hour.
    HeatMap(HeatMap),
    /// Amounts side by side.
    Bars(Bars),
    /// Amounts by two names.
    Matrix(Matrix),
    /// What goes from where by which way to where.
    Flows(Flows),
    /// A text as it stands.
    Code {
        /// What it is.
        caption: String,
        /// The text.
        text: String,
    },
}

/// A value in a table or beside a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text; empty for nothing.
    Text(String),
    /// A word that judges, such as `PASS` or `GAP`: shown with a sign and a colour.
    Badge(String),
}

impl Cell {
    /// Returns a text.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// Returns an optional text; nothing is empty.
    pub fn optional(text: Option<impl Into<String>>) -> Cell {
        Cell::Text(text.map(Into::into).unwrap_or_default())
    }

    /// Returns a count, its digits in groups of three.
    pub fn number(count: u64) -> Cell {
        Cell::Text(grouped(count))
    }

    /// Returns a judging word.
    pub fn badge(word: impl Into<String>) -> Cell {
        Cell::Badge(word.into())
    }
}

/// Returns a count with its digits in groups of three.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a judging word means, so that colour is never the only sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Against expectation.
    Bad,
    /// Not known.
    Unsure,
    /// No judgement.
    Neutral,
    /// As expected.
    Good,
}

impl Tone {
    /// Returns the tone of a word; one that is not known judges nothing.
    pub fn of(word: &str) -> Tone {
        match word.to_ascii_uppercase().replace(['_', '-'], " ").as_str() {
            "PASS" | "OK" | "APPROVED" | "READY" | "VERIFIED" | "YES" => Tone::Good,
            "FAIL" | "GAP" | "UNAPPROVED" | "NOT APPROVED" | "VIOLATION" | "EXPIRED" | "MISSING" | "UNREADABLE" | "NO" => Tone::Bad,
            "INDETERMINATE" | "SKIPDATA" | "LATE" | "UNKNOWN" | "NOT ASSESSED" | "PARTIAL" | "UNSURE" => Tone::Unsure,
            _ => Tone::Neutral,
        }
    }

    /// Returns the sign that stands before the word.
    pub fn sign(self) -> char {
        match self {
            Tone::Good => '✓',
            Tone::Bad => '✕',
            Tone::Unsure => '?',
            Tone::Neutral => '·',
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Whether it stands at the right.
    pub is_number: bool,
    /// Whether its texts may wrap on a screen.
    pub wraps: bool,
}

impl Column {
    /// Returns a column of short texts.
    pub fn text(name: impl Into<String>) -> Column {
        Column { name: name.into(), is_number: false, wraps: false }
    }

    /// Returns a column of texts that wrap.
    pub fn wrapped(name: impl Into<String>) -> Column {
        Column { wraps: true, ..Column::text(name) }
    }

    /// Returns a column of amounts.
    pub fn number(name: impl Into<String>) -> Column {
        Column { is_number: true, ..Column::text(name) }
    }
}

/// A table: the first rows, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows that are shown, at most [`ROWS_SHOWN_MAX`].
    pub rows: Vec<Vec<Cell>>,
    /// How many there are in all.
    pub total: usize,
    /// File that holds all of them, if one does.
    pub rest_in: Option<String>,
}

impl Table {
    /// Returns a table without rows.
    pub fn new(caption: impl Into<String>, columns: Vec<Column>) -> Table {
        Table { caption: caption.into(), columns, ..Table::default() }
    }

    /// Adds a row; beyond [`ROWS_SHOWN_MAX`] it is only counted.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.push_with(|| row);
    }

    /// Adds a row that is made only if it is shown.
    pub fn push_with(&mut self, row: impl FnOnce() -> Vec<Cell>) {
        if self.rows.len() < ROWS_SHOWN_MAX {
            self.rows.push(row());
        }
        self.total += 1;
    }

    /// Returns the sentence about rows that are not shown; `None` if all are.
    pub fn rest(&self) -> Option<String> {
        if self.total <= self.rows.len() {
            return None;
        }
        let all = self.rest_in.as_deref().map_or_else(|| "--export FILE.csv writes all".to_owned(), |file| format!("{file} holds all"));
        Some(format!("The first {} of {} rows; {all}.", grouped(self.rows.len() as u64), grouped(self.total as u64)))
    }
}

/// What is known of an interface's hour (`docs/meanings.md`, coverage). Greater is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The interface did not exist.
    NotApplicable,
    /// Traffic was recorded.
    Ok,
    /// No traffic, and the log says so.
    NoData,
    /// Records may still be delivered.
    Late,
    /// It is not known whether the interface existed.
    Unknown,
    /// Records were lost.
    SkipData,
    /// No record at all.
    Gap,
}

impl State {
    /// All of them, in the order of a legend.
    pub const ALL: [State; 7] = [State::Ok, State::NoData, State::SkipData, State::Gap, State::Late, State::NotApplicable, State::Unknown];

    /// Returns the state of a name; one that is not known is `UNKNOWN`.
    pub fn named(name: &str) -> State {
        State::ALL.into_iter().find(|state| state.name() == name).unwrap_or(State::Unknown)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::NoData => "NODATA",
            State::SkipData => "SKIPDATA",
            State::Gap => "GAP",
            State::Late => "LATE",
            State::NotApplicable => "N/A",
            State::Unknown => "UNKNOWN",
        }
    }

    /// Returns what it means.
    pub fn meaning(self) -> &'static str {
        match self {
            State::Ok => "traffic recorded",
            State::NoData => "no traffic, and the log says so",
            State::SkipData => "records lost",
            State::Gap => "no record at all",
            State::Late => "records may still come",
            State::NotApplicable => "no interface",
            State::Unknown => "not known whether the interface existed",
        }
    }
}

/// States of interfaces by hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeatMap {
    /// What it shows.
    pub caption: String,
    /// First second of the first column.
    pub from: UnixSeconds,
    /// Seconds of a column: an hour, or a day of which the worst hour counts.
    pub step_s: i64,
    /// Label and states, one for each column; at most [`HEAT_ROWS_MAX`].
    pub rows: Vec<(String, Vec<State>)>,
    /// How many rows there are in all.
    pub total: usize,
}

impl HeatMap {
    /// Makes it of (label, hour, state) in any order; an hour that a label lacks is N/A.
    pub fn of(caption: impl Into<String>, hours: impl IntoIterator<Item = (String, UnixSeconds, State)>) -> HeatMap {
        let mut by_label: BTreeMap<String, BTreeMap<i64, State>> = BTreeMap::new();
        for (label, hour, state) in hours {
            let known = by_label.entry(label).or_default().entry(hour.div_euclid(HOUR)).or_insert(state);
            *known = state.max(*known);
        }
        let ends = |hours: &BTreeMap<i64, State>| Some((*hours.first_key_value()?.0, *hours.last_key_value()?.0));
        let ends = by_label.values().filter_map(ends).reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
        let Some((first, last)) = ends else { return HeatMap { caption: caption.into(), step_s: HOUR, ..HeatMap::default() } };
        let is_hourly = usize::try_from(last - first).unwrap_or(usize::MAX) < HOURS_DRAWN_MAX;
        let (step_s, hours_of_step) = if is_hourly { (HOUR, 1) } else { (DAY, DAY / HOUR) };
        let (first, last) = (first.div_euclid(hours_of_step), last.div_euclid(hours_of_step));
        let worst = |hours: &BTreeMap<i64, State>, step: i64| {
            hours.range(step * hours_of_step..(step + 1) * hours_of_step).map(|(_, state)| *state).max().unwrap_or(State::NotApplicable)
        };
        let total = by_label.len();
        let row = |(label, hours): (String, BTreeMap<i64, State>)| (label, (first..=last).map(|step| worst(&hours, step)).collect());
        let rows = by_label.into_iter().take(HEAT_ROWS_MAX).map(row).collect();
        HeatMap { caption: caption.into(), from: first * step_s, step_s, rows, total }
    }

    /// Returns the columns.
    pub fn steps(&self) -> usize {
        self.rows.iter().map(|(_, states)| states.len()).max().unwrap_or(0)
    }

    /// Returns the states that appear, in the order of a legend.
    pub fn legend(&self) -> Vec<State> {
        let seen: BTreeSet<State> = self.rows.iter().flat_map(|(_, states)| states.iter().copied()).collect();
        State::ALL.into_iter().filter(|state| seen.contains(state)).collect()
    }

    /// Returns the picture as a table: each stretch of one state, with its first second and its end.
    pub fn stretches(&self) -> Table {
        let columns = ["interface", "state", "from", "to"].map(Column::text).into_iter().chain([Column::number("hours")]);
        let mut table = Table::new(format!("{}: stretches of one state", self.caption), columns.collect());
        for (label, states) in &self.rows {
            for (state, from, to) in runs(states) {
                let at = |step: usize| crate::time::rfc3339(self.from.saturating_add(self.step_s.saturating_mul(step as i64)));
                let hours = (to - from) as u64 * self.step_s.div_euclid(HOUR).unsigned_abs();
                table.push_with(|| {
                    vec![Cell::text(label), Cell::badge(state.name()), Cell::text(at(from)), Cell::text(at(to)), Cell::number(hours)]
                });
            }
        }
        table
    }
}

/// Returns runs of equal states: state, first column, column after the last.
pub fn runs(states: &[State]) -> Vec<(State, usize, usize)> {
    let mut runs: Vec<(State, usize, usize)> = Vec::new();
    for (at, state) in states.iter().enumerate() {
        match runs.last_mut() {
            Some((last, _, to)) if last == state => *to = at + 1,
            _ => runs.push((*state, at, at + 1)),
        }
    }
    runs
}

/// Amounts side by side, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bars {
    /// What it shows.
    pub caption: String,
    /// What is measured, e.g. `bytes` or `list cost`.
    pub unit: String,
    /// The first bars, at most [`BARS_SHOWN_MAX`].
    pub bars: Vec<Bar>,
    /// How many there are in all.
    pub total: usize,
}

/// One amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// Whose it is.
    pub label: String,
    /// The amount in any unit, the same for all bars: only proportions are drawn.
    pub weight: u64,
    /// The amount in words, e.g. `1.5 GiB`.
    pub text: String,
}

impl Bars {
    /// Makes them, the longest first.
    pub fn of(caption: impl Into<String>, unit: impl Into<String>, bars: impl IntoIterator<Item = Bar>) -> Bars {
        let mut bars: Vec<Bar> = bars.into_iter().collect();
        bars.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.label.cmp(&b.label)));
        let total = bars.len();
        bars.truncate(BARS_SHOWN_MAX);
        Bars { caption: caption.into(), unit: unit.into(), bars, total }
    }
}

/// Amounts by two names, e.g. bytes from AZ to AZ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    /// What it shows.
    pub caption: String,
    /// What rows and columns are, e.g. `from` and `to`.
    pub corner: (String, String),
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// For each row its amounts by column: weight and words.
    pub values: Vec<Vec<Option<(u64, String)>>>,
    /// Rows and columns that are left out.
    pub left_out: usize,
}

impl Matrix {
    /// Makes it of (row, column, weight); equal places add up.
    pub fn of(
        caption: impl Into<String>,
        corner: (&str, &str),
        amounts: impl IntoIterator<Item = (String, String, u64)>,
        words: impl Fn(u64) -> String,
    ) -> Matrix {
        let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (row, column, weight) in amounts {
            let sum = sums.entry((row, column)).or_default();
            *sum = sum.saturating_add(weight);
        }
        let rows: BTreeSet<&String> = sums.keys().map(|(row, _)| row).collect();
        let columns: BTreeSet<&String> = sums.keys().map(|(_, column)| column).collect();
        let left_out = rows.len().saturating_sub(MATRIX_SIDE_MAX) + columns.len().saturating_sub(MATRIX_SIDE_MAX);
        let some = |names: BTreeSet<&String>| names.into_iter().take(MATRIX_SIDE_MAX).cloned().collect::<Vec<_>>();
        let (rows, columns) = (some(rows), some(columns));
        let value = |row: &String, column: &String| {
            let weight = *sums.get(&(row.clone(), column.clone()))?;
            Some((weight, words(weight)))
        };
        let values = rows.iter().map(|row| columns.iter().map(|column| value(row, column)).collect()).collect();
        Matrix { caption: caption.into(), corner: (corner.0.to_owned(), corner.1.to_owned()), rows, columns, values, left_out }
    }
}

/// What goes from where by which way to where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flows {
    /// What it shows.
    pub caption: String,
    /// Headings of the three columns.
    pub heads: [String; 3],
    /// The flows, the heaviest first.
    pub flows: Vec<Flow>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Left, middle and right.
    pub ends: [String; 3],
    /// Bytes or records: the width.
    pub weight: u64,
    /// The amount in words.
    pub text: String,
    /// Whether a reader should look here: nothing came back, or it was not approved.
    pub is_alert: bool,
}

impl Flows {
    /// Makes them of (ends, weight, whether to look here): alike ends add up; beyond [`NODES_SHOWN_MAX`] names of a column, those
    /// that weigh least become one, and those to look at are kept first.
    pub fn of(
        caption: impl Into<String>,
        heads: [&str; 3],
        flows: impl IntoIterator<Item = ([String; 3], u64, bool)>,
        words: impl Fn(u64) -> String,
    ) -> Flows {
        let mut sums: BTreeMap<[String; 3], (u64, bool)> = BTreeMap::new();
        for (ends, weight, is_alert) in flows {
            let sum = sums.entry(ends).or_default();
            *sum = (sum.0.saturating_add(weight), sum.1 || is_alert);
        }
        for column in 0..3 {
            sums = merge_least(sums, column);
        }
        let flow = |(ends, (weight, is_alert)): ([String; 3], (u64, bool))| Flow { ends, weight, text: words(weight), is_alert };
        let mut flows: Vec<Flow> = sums.into_iter().map(flow).collect();
        flows.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.ends.cmp(&b.ends)));
        Flows { caption: caption.into(), heads: heads.map(str::to_owned), flows }
    }
}

/// Makes one of the names in a column that are too many.
fn merge_least(sums: BTreeMap<[String; 3], (u64, bool)>, column: usize) -> BTreeMap<[String; 3], (u64, bool)> {
    let name = |ends: &[String; 3]| ends.get(column).cloned().unwrap_or_default();
    let mut names: BTreeMap<String, (bool, u64)> = BTreeMap::new();
    for (ends, (weight, is_alert)) in &sums {
        let of_name = names.entry(name(ends)).or_default();
        *of_name = (of_name.0 || *is_alert, of_name.1.saturating_add(*weight));
    }
    if names.len() <= NODES_SHOWN_MAX {
        return sums;
    }
    let mut ranked: Vec<(String, (bool, u64))> = names.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let kept: BTreeSet<String> = ranked.iter().take(NODES_SHOWN_MAX - 1).map(|(name, _)| name.clone()).collect();
    let others = format!("{} others", grouped((ranked.len() - kept.len()) as u64));
    let mut merged: BTreeMap<[String; 3], (u64, bool)> = BTreeMap::new();
    for (mut ends, (weight, is_alert)) in sums {
        if !kept.contains(&name(&ends))
            && let Some(end) = ends.get_mut(column)
        {
            end.clone_from(&others);
        }
        let sum = merged.entry(ends).or_default();
        *sum = (sum.0.saturating_add(weight), sum.1 || is_alert);
    }
    merged
}

/// Returns a text within a limit of letters, with what cannot be seen made visible; and how long it was if it was cut.
pub fn visible(text: &str, letters_max: usize) -> (Cow<'_, str>, Option<usize>) {
    let (kept, cut) = shortened(text, letters_max);
    (printable(kept), cut)
}

/// Returns a text within a limit of letters, and how long it was if it was cut.
pub fn shortened(text: &str, letters_max: usize) -> (&str, Option<usize>) {
    match text.char_indices().nth(letters_max) {
        None => (text, None),
        Some((end, _)) => (text.get(..end).unwrap_or_default(), Some(text.chars().count())),
    }
}

/// Returns what stands behind a text that was cut.
pub fn cut_mark(letters: usize) -> String {
    format!("… ({} characters; whole in CSV and JSON)", grouped(letters as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups() {
        for (count, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), expected);
        }
    }

    #[test]
    fn a_table_keeps_the_first_rows_and_counts_all() {
        let mut table = Table::new("t", vec![Column::number("n")]);
        (0..2_000).for_each(|n| table.push(vec![Cell::number(n)]));
        assert_eq!((table.rows.len(), table.rest()), (2_000, None));
        table.push(vec![Cell::number(2_000)]);
        assert_eq!(table.rows.len(), 2_000);
        assert_eq!(table.rest().unwrap(), "The first 2,000 of 2,001 rows; --export FILE.csv writes all.");
        table.rest_in = Some("destinations.csv".to_owned());
        assert_eq!(table.rest().unwrap(), "The first 2,000 of 2,001 rows; destinations.csv holds all.");
    }

    #[test]
    fn sections_have_anchors_of_their_own() {
        let mut document = Document::new("t", "");
        for id in ["Coverage <1>", "Coverage <1>", "Coverage <1>"] {
            document.push(Section::new(id, "c"));
        }
        let ids: Vec<&str> = document.sections.iter().map(|section| section.id.as_str()).collect();
        assert_eq!(ids, ["coverage--1-", "coverage--1--2", "coverage--1--3"]);
    }

    #[test]
    fn hours_that_lack_are_not_applicable_and_of_long_periods_the_worst_hour_of_a_day_counts() {
        let hour = |n: i64, state| ("eni-1".to_owned(), n * HOUR, state);
        let short = HeatMap::of("c", [hour(1, State::Ok), hour(3, State::Gap), ("eni-0".to_owned(), HOUR, State::NoData)]);
        assert_eq!((short.from, short.step_s, short.steps()), (HOUR, HOUR, 3));
        assert_eq!(short.rows[0].1, [State::NoData, State::NotApplicable, State::NotApplicable]);
        assert_eq!(short.rows[1].1, [State::Ok, State::NotApplicable, State::Gap]);
        // 40 days, with records lost in one hour of the second.
        let long = HeatMap::of("c", (0..40 * 24).map(|n| hour(n, if n == 30 { State::SkipData } else { State::Ok })));
        assert_eq!((long.step_s, long.steps()), (DAY, 40));
        assert_eq!(runs(&long.rows[0].1), [(State::Ok, 0, 1), (State::SkipData, 1, 2), (State::Ok, 2, 40)]);
        let stretches = long.stretches();
        assert_eq!(stretches.rows[1][3], Cell::text("1970-01-03T00:00:00Z"));
        assert_eq!(stretches.rows[2][4], Cell::number(38 * 24));
    }

    #[test]
    fn too_many_destinations_become_one_and_those_to_look_at_stay() {
        let flow = |n: u64| (["c".to_owned(), "p".to_owned(), format!("d{n:02}")], n * 10, n == 1);
        let flows = Flows::of("f", ["a", "b", "c"], (1..=30).map(flow), |n| n.to_string());
        assert_eq!(flows.flows.len(), NODES_SHOWN_MAX);
        assert_eq!(flows.flows.iter().map(|flow| flow.weight).sum::<u64>(), (1..=30).map(|n| n * 10).sum::<u64>());
        // d01 is kept for its alert; d30 to d09 for their weight; d02 to d08 are the rest.
        let others = flows.flows.iter().find(|flow| flow.ends[2] == "7 others").unwrap();
        assert_eq!((others.weight, others.is_alert), (350, false));
        assert!(flows.flows.iter().any(|flow| flow.ends[2] == "d01" && flow.is_alert));
    }

    #[test]
    fn words_that_judge_have_a_sign() {
        for (word, tone) in [("PASS", Tone::Good), ("not_approved", Tone::Bad), ("NOT_ASSESSED", Tone::Unsure), ("vpc", Tone::Neutral)] {
            assert_eq!(Tone::of(word), tone, "{word}");
        }
    }

    #[test]
    fn texts_are_cut_between_letters() {
        assert_eq!(visible("äöü", 3), ("äöü".into(), None));
        assert_eq!(visible("äöü", 2), ("äö".into(), Some(3)));
        assert_eq!(visible("a\u{1b}[31m", 9), ("a\\u{1b}[31m".into(), None));
    }
}
