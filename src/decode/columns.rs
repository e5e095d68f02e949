//! One record's cells → typed Arrow columns: the checks and the accounting that text and Parquet share.
//!
//! A record is checked whole before anything is appended, so a reject never leaves half a row behind. `-` is NULL in
//! every column (VPC user guide, "Flow log records": not applicable or not computable for this record).

use super::reject::Reason;
use super::table::Scratch;
use super::text_column::TextColumn;
use super::validity::Validity;
use super::{BATCH_ROWS, BATCH_TEXT_BYTES, Decoded, Fitting, Tally, Validation, Wanted, schema};
use crate::error::Result;
use crate::flow::field::{FIELD_COUNT, FieldId, FieldType, id};
use crate::flow::{Column, Layout, RecordKind};
use crate::time::UnixSeconds;
use arrow::array::{ArrayRef, Int32Array, Int64Array, MapBuilder, RecordBatch, StringBuilder};
use std::net::IpAddr;
use std::sync::Arc;

/// One value of a record as it stands in the object.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Missing.
    Null,
    /// Text; `-` is missing.
    Text(&'a str),
    /// A number of a typed file.
    Number(i64),
}

impl<'a> Cell<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Cell::Text(text) if text != "-" => Some(text),
            _ => None,
        }
    }

    fn is_missing(self) -> bool {
        matches!(self, Cell::Null | Cell::Text("-"))
    }
}

/// The cells of one record, by position.
pub trait Cells {
    /// Returns the cell at a position of the layout.
    fn cell(&self, at: usize) -> Cell<'_>;

    /// Hands on names and values beside the columns of the layout.
    fn beside(&self, _take: &mut dyn FnMut(&str, &str)) {}
}

/// First instant that no record can carry: 2100-01-01. Microseconds and garbage lie beyond.
pub(super) const INSTANT_MAX: i64 = 4_102_444_800;
/// Longest time from `start` to `end`, in seconds; a flow log aggregates over ten minutes at most.
pub const INTERVAL_MAX: i64 = 86_400;
/// First volume that no record can carry: 400 Gbit/s for ten minutes are 3 × 10^13 bytes. Sums stay far from overflow.
const VOLUME_MAX: i64 = 1 << 46;
/// Timestamps from here on are milliseconds: 10^11 s is the year 5138, 10^11 ms is 1973.
pub const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Why a record was not taken, with the field at fault.
pub type Fault = (Reason, String);

/// Where the columns of a layout stand, resolved once per layout.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) is_wanted: bool,
    pub(super) status: Option<usize>,
    pub(super) interface: Option<usize>,
    pub(super) start: Option<usize>,
    pub(super) end: Option<usize>,
    /// Cells that are all missing in a NODATA record when the format has no `log-status`.
    traffic: Vec<usize>,
    /// Fields to check, with their positions and what numbers in them are below as a rule.
    pub(super) checked: Vec<(usize, FieldId, i64)>,
    /// Position of each wanted column, in the order of [`Wanted::fields`].
    pub(super) wanted: Vec<Option<usize>>,
    /// Position of each column by whose value records are wanted, in the order of [`Wanted::values`].
    pub(super) values: Vec<Option<usize>>,
    /// The same for each of [`Wanted::any_of`].
    pub(super) any_of: Vec<Vec<Option<usize>>>,
    pub(super) unknown: Vec<(usize, Arc<str>)>,
}

impl Slots {
    fn new(layout: &Layout, kind: RecordKind, wanted: &Wanted) -> Slots {
        let position = |field| layout.position(field);
        let read = |field: &FieldId| wanted.validation == Validation::Full || wanted.fields.contains(field);
        let known = layout.columns.iter().enumerate().filter_map(|(at, column)| match column {
            Column::Known(field) => Some((at, *field)),
            Column::Unknown(_) => None,
        });
        Slots {
            is_wanted: kind == wanted.kind,
            status: position(id::LOG_STATUS),
            interface: position(id::INTERFACE_ID),
            start: position(id::START),
            end: position(id::END),
            traffic: [id::SRCADDR, id::DSTADDR, id::PACKETS, id::BYTES, id::ACTION].into_iter().filter_map(position).collect(),
            checked: known.filter(|(_, field)| read(field) && is_checked(*field)).map(|(at, field)| (at, field, below(field))).collect(),
            wanted: wanted.fields.iter().map(|field| position(*field)).collect(),
            values: wanted.values.iter().map(|(field, _)| position(*field)).collect(),
            any_of: wanted.any_of.iter().map(|one| one.values.iter().map(|(field, _)| position(*field)).collect()).collect(),
            unknown: layout.unknown().map(|(at, name)| (at, Arc::clone(name))).collect(),
        }
    }
}

fn is_checked(field: FieldId) -> bool {
    field.field().kind != FieldType::Text || matches!(field, id::SRCADDR | id::DSTADDR | id::PKT_SRCADDR | id::PKT_DSTADDR | id::ACTION)
}

#[derive(Debug)]
pub(super) enum Builder {
    Int32(Vec<i32>, Validity),
    Int64(Vec<i64>, Validity),
    Text(Box<TextColumn>),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    NoData,
    SkipData,
    /// None of these, until a fault is made of it.
    Unknown,
}

/// What the columns say by which records are counted.
pub(super) struct Judged {
    pub(super) status: Status,
    pub(super) start: Option<UnixSeconds>,
    pub(super) end: Option<UnixSeconds>,
    pub(super) in_window: bool,
    pub(super) is_wanted: bool,
}

/// Collects records into batches.
#[derive(Debug)]
pub struct Columns {
    pub(super) wanted: Arc<Wanted>,
    pub(super) slots: Slots,
    pub(super) builders: Vec<Builder>,
    pub(super) extra: Option<MapBuilder<StringBuilder, StringBuilder>>,
    pub(super) lines: Vec<i64>,
    /// Bytes of text collected.
    pub(super) text_bytes: usize,
    numbers: [Option<i64>; FIELD_COUNT],
    /// What reading tables needs between their columns.
    pub(super) scratch: Scratch,
}

impl Columns {
    /// Makes columns for what is wanted, for objects of this layout.
    pub fn new(wanted: Arc<Wanted>, layout: &Layout) -> Columns {
        let slots = Slots::new(layout, layout.kind(), &wanted);
        let builders = wanted.fields.iter().map(|field| builder(field.field().kind)).collect();
        let extra = wanted.extra.then(|| MapBuilder::new(None, StringBuilder::new(), StringBuilder::new()));
        let scratch = Scratch::default();
        Columns { wanted, slots, builders, extra, lines: Vec::new(), text_bytes: 0, numbers: [None; FIELD_COUNT], scratch }
    }

    /// Changes the layout of the records to come; `kind` is that of the whole object, of which these may be some columns.
    pub fn set_layout(&mut self, layout: &Layout, kind: RecordKind) {
        self.slots = Slots::new(layout, kind, &self.wanted);
    }

    /// Returns the number of records collected.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns whether a batch is collected: of that many records, or of that much text.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES
    }

    /// Returns whether no record is collected.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns whether the layout has a `log-status`, and the record one of its values.
    #[inline]
    pub fn has_status(&self, cells: &impl Cells) -> bool {
        self.slots.status.is_some_and(|at| matches!(cells.cell(at), Cell::Text("OK" | "NODATA" | "SKIPDATA")))
    }

    /// Takes one record, and counts it.
    ///
    /// # Errors
    /// The reason and the field at fault; then nothing was appended and nothing but the caller's reject is to be counted.
    #[inline]
    pub fn push(&mut self, cells: &impl Cells, line: u64, tally: &mut Tally) -> Result<(), Fault> {
        let mut judged = self.judge(cells)?;
        if judged.is_wanted || self.wanted.validation == Validation::Full {
            self.check(cells)?;
        }
        judged.is_wanted = judged.is_wanted && self.has_values(cells);
        self.count(&judged, tally);
        if !judged.is_wanted {
            return Ok(());
        }
        tally.rows += 1;
        self.append(cells, line);
        Ok(())
    }

    /// The same for a record that the columns by which records are counted may show to be unwanted, as [`Columns::pass_over`] does; `fault`
    /// says what else makes a reject of it, before its values.
    ///
    /// # Errors
    /// As for [`Columns::push`].
    pub fn push_if_wanted(
        &mut self,
        cells: &impl Cells,
        line: u64,
        tally: &mut Tally,
        is_sound: impl FnOnce() -> bool,
        fault: impl FnOnce() -> Option<Fault>,
    ) -> Result<(), Fault> {
        let mut judged = match self.judge(cells) {
            Ok(judged) => judged,
            Err(bad) => return Err(fault().unwrap_or(bad)),
        };
        if judged.is_wanted || judged.in_window && !is_sound() {
            if let Some(fault) = fault() {
                return Err(fault);
            }
            self.check(cells)?;
        }
        judged.is_wanted = judged.is_wanted && self.has_values(cells);
        self.count(&judged, tally);
        if judged.is_wanted {
            tally.rows += 1;
            self.append(cells, line);
        }
        Ok(())
    }

    /// Counts a record if the columns by which records are counted show that it is one and not wanted; returns whether it was.
    /// Nothing else of it is looked at. A record outside the window is so by its status and its times, whatever the others of these
    /// columns hold; `is_sound` says whether they hold values.
    pub fn pass_over(&self, cells: &impl Cells, is_sound: impl FnOnce() -> bool, tally: &mut Tally) -> bool {
        match self.judge(cells) {
            Ok(judged) if !judged.is_wanted && (!judged.in_window || is_sound()) => {
                self.count(&judged, tally);
                true
            }
            _ => false,
        }
    }

    /// The same for a record that is known to start outside the window; only its status is looked at.
    pub fn pass_over_outside(&self, cells: &impl Cells, tally: &mut Tally) -> bool {
        let is_record = self.status(cells).is_ok();
        tally.outside_window += u64::from(is_record);
        is_record
    }

    #[inline]
    fn judge(&self, cells: &impl Cells) -> Result<Judged, Fault> {
        let status = self.status(cells)?;
        let start = self.time(cells, self.slots.start, id::START)?;
        let end = self.time(cells, self.slots.end, id::END)?;
        if let (Some(start), Some(end)) = (start, end)
            && end - start > INTERVAL_MAX
        {
            return Err((Reason::BadNumber, format!("end is {} s after start", end - start)));
        }
        let in_window = start.is_none_or(|start| self.wanted.time.contains(start));
        let interface = self.slots.interface.and_then(|at| cells.cell(at).text());
        let is_wanted = in_window && self.slots.is_wanted && self.wanted.interfaces.wants(interface);
        Ok(Judged { status, start, end, in_window, is_wanted })
    }

    /// Returns whether a record has the values by which records are wanted, and fits. It was checked like any other before: what is left out
    /// because of its values hides no reject.
    #[inline]
    fn has_values(&self, cells: &impl Cells) -> bool {
        let is_one_of = |(at, (_, values)): (&Option<usize>, &(FieldId, Vec<String>))| match at.map_or(Cell::Null, |at| cells.cell(at)) {
            Cell::Null | Cell::Text("-") => false,
            Cell::Text(text) => values.iter().any(|value| value == text),
            Cell::Number(number) => values.contains(&number.to_string()),
        };
        let fits = |(at, one): (&Vec<Option<usize>>, &Fitting)| {
            one.interfaces.wants(self.slots.interface.and_then(|at| cells.cell(at).text())) && at.iter().zip(&one.values).all(is_one_of)
        };
        let any_of = &self.wanted.any_of;
        self.slots.values.iter().zip(&self.wanted.values).all(is_one_of)
            && (any_of.is_empty() || self.slots.any_of.iter().zip(any_of).any(fits))
    }

    #[inline]
    pub(super) fn count(&self, judged: &Judged, tally: &mut Tally) {
        if !judged.in_window {
            tally.outside_window += 1;
            return;
        }
        tally.saw(judged.start, judged.end);
        tally.inversions += u64::from(judged.start.zip(judged.end).is_some_and(|(start, end)| end < start));
        if !self.slots.is_wanted {
            tally.passed_over += 1;
            return;
        }
        match judged.status {
            Status::Ok => tally.ok += 1,
            Status::NoData => tally.nodata += 1,
            Status::SkipData => tally.skipdata += 1,
            Status::Unknown => {}
        }
        tally.dropped += u64::from(!judged.is_wanted);
    }

    #[inline]
    fn status(&self, cells: &impl Cells) -> Result<Status, Fault> {
        let Some(at) = self.slots.status else {
            let idle = !self.slots.traffic.is_empty() && self.slots.traffic.iter().all(|at| cells.cell(*at).is_missing());
            return Ok(if idle { Status::NoData } else { Status::Ok });
        };
        match cells.cell(at) {
            Cell::Text("OK") => Ok(Status::Ok),
            Cell::Text("NODATA") => Ok(Status::NoData),
            Cell::Text("SKIPDATA") => Ok(Status::SkipData),
            other => Err((Reason::BadStatus, format!("log-status {}", shown(other)))),
        }
    }

    fn time(&self, cells: &impl Cells, at: Option<usize>, field: FieldId) -> Result<Option<UnixSeconds>, Fault> {
        match at {
            Some(at) => number(cells.cell(at), field, INSTANT_MAX),
            None => Ok(None),
        }
    }

    /// Checks every column that is read, and keeps the numbers.
    fn check(&mut self, cells: &impl Cells) -> Result<(), Fault> {
        for (at, field, below) in &self.slots.checked {
            let cell = cells.cell(*at);
            match field.field().kind {
                FieldType::Text => check_text(cell, *field)?,
                FieldType::Int32 | FieldType::Int64 => {
                    let value = number(cell, *field, *below)?;
                    if let Some(kept) = self.numbers.get_mut(field.index()) {
                        *kept = value;
                    }
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, cells: &impl Cells, line: u64) {
        for ((builder, at), field) in self.builders.iter_mut().zip(&self.slots.wanted).zip(&self.wanted.fields) {
            let number = at.and_then(|_| self.numbers.get(field.index()).copied().flatten());
            match builder {
                Builder::Int32(values, valid) => {
                    values.push(number.and_then(|value| i32::try_from(value).ok()).unwrap_or_default());
                    valid.push(number.is_some());
                }
                Builder::Int64(values, valid) => {
                    values.push(number.unwrap_or_default());
                    valid.push(number.is_some());
                }
                Builder::Text(builder) => match at.map_or(Cell::Null, |at| cells.cell(at)) {
                    Cell::Text("-") | Cell::Null => builder.push_null(),
                    Cell::Text(text) => {
                        self.text_bytes += text.len();
                        builder.push(text)
                    }
                    Cell::Number(value) => builder.push(&value.to_string()),
                },
            }
        }
        if let Some(extra) = &mut self.extra {
            self.text_bytes += append_extra(extra, cells, &self.slots.unknown);
        }
        self.lines.push(line as i64);
    }

    /// Forgets the records collected.
    pub fn clear(&mut self) {
        self.builders = self.wanted.fields.iter().map(|field| builder(field.field().kind)).collect();
        self.extra = self.wanted.extra.then(|| MapBuilder::new(None, StringBuilder::new(), StringBuilder::new()));
        self.lines.clear();
    }

    /// Hands on the records collected.
    ///
    /// # Errors
    /// Only if columns and schema disagree, which is a fault of this module.
    pub fn finish(&mut self) -> Result<Decoded> {
        self.text_bytes = 0;
        let mut arrays: Vec<ArrayRef> = self.builders.iter_mut().map(finish).collect();
        if let Some(extra) = &mut self.extra {
            arrays.push(Arc::new(extra.finish()));
        }
        arrays.push(Arc::new(Int64Array::from(taken(&mut self.lines))));
        Ok(Decoded { batch: RecordBatch::try_new(schema(&self.wanted), arrays)?, rejects: Vec::new() })
    }
}

pub(super) fn append_extra(
    extra: &mut MapBuilder<StringBuilder, StringBuilder>,
    cells: &impl Cells,
    unknown: &[(usize, Arc<str>)],
) -> usize {
    let (mut present, mut bytes) = (false, 0);
    for (at, name) in unknown {
        let number;
        let text = match cells.cell(*at) {
            Cell::Number(value) => {
                number = value.to_string();
                Some(number.as_str())
            }
            cell => cell.text(),
        };
        if let Some(text) = text {
            extra.keys().append_value(name);
            extra.values().append_value(text);
            bytes += name.len() + text.len();
            present = true;
        }
    }
    cells.beside(&mut |name, value| {
        extra.keys().append_value(name);
        extra.values().append_value(value);
        present = true;
    });
    // Keys and values were appended in step, so closing the entry cannot fail.
    let _ = extra.append(present);
    bytes
}

fn builder(kind: FieldType) -> Builder {
    match kind {
        FieldType::Int32 => Builder::Int32(Vec::new(), Validity::default()),
        FieldType::Int64 => Builder::Int64(Vec::new(), Validity::default()),
        FieldType::Text => Builder::Text(Box::default()),
    }
}

/// Takes what was collected and leaves as much room: the next batch is as large as a rule.
fn taken<T>(values: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(values.len());
    std::mem::replace(values, next)
}

fn finish(builder: &mut Builder) -> ArrayRef {
    match builder {
        Builder::Int32(values, valid) => Arc::new(Int32Array::new(taken(values).into(), valid.finish())),
        Builder::Int64(values, valid) => Arc::new(Int64Array::new(taken(values).into(), valid.finish())),
        Builder::Text(builder) => builder.finish(),
    }
}

/// Returns what numbers of a field are below as a rule: nothing else need be asked of such a one.
fn below(field: FieldId) -> i64 {
    match field {
        id::SRCPORT | id::DSTPORT => 65_536,
        id::PROTOCOL | id::TCP_FLAGS => 256,
        id::START | id::END => INSTANT_MAX,
        _ if field.field().kind == FieldType::Int32 => i64::from(i32::MAX),
        _ => VOLUME_MAX,
    }
}

/// Reads a number of a field and checks its range; `below` is [`below`] of the field.
#[inline]
fn number(cell: Cell<'_>, field: FieldId, below: i64) -> Result<Option<i64>, Fault> {
    match cell {
        Cell::Null | Cell::Text("-") => return Ok(None),
        Cell::Text(text) => {
            if let Some(value) = parse_number(text.as_bytes()).filter(|value| *value < below) {
                return Ok(Some(value));
            }
        }
        Cell::Number(_) => {}
    }
    unusual_number(cell, field)
}

/// Reads an instant as `start` and `end` hold it.
pub fn instant(cell: Cell<'_>) -> Option<UnixSeconds> {
    number(cell, id::START, INSTANT_MAX).ok().flatten()
}

/// Reads a number that is not like most: of a typed file, at the end of its range, in other units, or none.
#[inline(never)]
fn unusual_number(cell: Cell<'_>, field: FieldId) -> Result<Option<i64>, Fault> {
    let value = match cell {
        Cell::Null => return Ok(None),
        Cell::Number(value) => Some(value),
        Cell::Text(text) => parse_number(text.as_bytes()),
    };
    let fits = |value: &i64| match field {
        id::SRCPORT | id::DSTPORT => (0..=65_535).contains(value),
        id::PROTOCOL | id::TCP_FLAGS => (0..=255).contains(value),
        id::START | id::END => *value >= 0,
        _ if field.field().kind == FieldType::Int32 => (0..=i64::from(i32::MAX)).contains(value),
        _ => (0..VOLUME_MAX).contains(value),
    };
    let seconds = |value: i64| if matches!(field, id::START | id::END) && value >= MILLISECONDS_FROM { value / 1_000 } else { value };
    let plausible = |value: &i64| !matches!(field, id::START | id::END) || *value < INSTANT_MAX;
    match value.filter(fits).map(seconds).filter(plausible) {
        Some(value) => Ok(Some(value)),
        None => Err((Reason::BadNumber, format!("{} {}", field.field().name, shown(cell)))),
    }
}

/// Returns a number without fraction that is exact in both types.
pub fn whole(value: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT_MAX).then_some(value as i64)
}

/// Reads a decimal number without sign; at most 18 digits, so that it cannot overflow.
#[inline]
fn parse_number(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    let (head, rest) = match text.split_first_chunk::<8>() {
        Some((eight, rest)) => (eight_digits(*eight)?, rest),
        None => (0, text),
    };
    rest.iter().try_fold(head, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Reads eight digits as one word: neighbours are joined to numbers of two, four, eight digits.
#[inline]
pub(super) fn eight_digits(digits: [u8; 8]) -> Option<i64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(digits);
    // '0' to '9' are 0x30 to 0x39: with 6 added the upper half is still 3.
    let upper = |word: u64| word & (ONES * 0xf0);
    let is_digits = upper(word) == ONES * 0x30 && upper(word.wrapping_add(ONES * 6)) == ONES * 0x30;
    let by_two = (word & (ONES * 0x0f)).wrapping_mul(10 * 0x100 + 1) >> 8;
    let by_four = (by_two & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 * 0x1_0000 + 1) >> 16;
    let all = (by_four & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32;
    is_digits.then_some(all as i64)
}

fn check_text(cell: Cell<'_>, field: FieldId) -> Result<(), Fault> {
    let Some(text) = cell.text() else {
        return if matches!(cell, Cell::Number(_)) {
            Err((Reason::BadAddress, format!("{} is a number", field.field().name)))
        } else {
            Ok(())
        };
    };
    if field == id::ACTION {
        return if matches!(text, "ACCEPT" | "REJECT") { Ok(()) } else { Err((Reason::BadAction, format!("action {}", shown(cell)))) };
    }
    if parse_address(text).is_some() { Ok(()) } else { Err((Reason::BadAddress, format!("{} {}", field.field().name, shown(cell)))) }
}

/// Reads an IPv4 or IPv6 address; an IPv4-mapped IPv6 address stays IPv6.
#[inline]
pub fn parse_address(text: &str) -> Option<IpAddr> {
    match parse_ipv4(text.as_bytes()) {
        Some(v4) => Some(IpAddr::from(v4.to_be_bytes())),
        None => text.parse().ok(),
    }
}

/// Reads the common case, four decimal parts; the standard library's parser costs three times as much here.
#[inline]
fn parse_ipv4(text: &[u8]) -> Option<u32> {
    if text.len() > 15 {
        return None;
    }
    let (mut address, mut part, mut digits, mut dots) = (0u32, 0u32, 0u32, 0u32);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                // A leading zero is ambiguous (octal), as for the standard library.
                if digits == 3 || (digits > 0 && part == 0) {
                    return None;
                }
                part = part * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && part < 256 && dots < 3 => {
                address = address << 8 | part;
                (part, digits) = (0, 0);
                dots += 1;
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && part < 256).then_some(address << 8 | part)
}

fn shown(cell: Cell<'_>) -> String {
    /// Characters of a bad value that a message shows.
    const SHOWN_MAX: usize = 40;
    match cell {
        Cell::Null => "is missing".to_owned(),
        Cell::Number(value) => value.to_string(),
        Cell::Text(text) => format!("{:?}", text.chars().take(SHOWN_MAX).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(cell: Cell<'_>, field: FieldId) -> Result<Option<i64>, Fault> {
        super::number(cell, field, below(field))
    }

    #[test]
    fn eight_digits_are_read_at_once_and_nothing_else_is_taken_for_one() {
        for len in 1..=18 {
            let digits: Vec<u8> = (0..len).map(|at| b'0' + (at * 7 % 10) as u8).collect();
            let value = std::str::from_utf8(&digits).unwrap().parse().unwrap();
            assert_eq!(parse_number(&digits), Some(value));
            for at in 0..len {
                for byte in (0..=255).filter(|byte: &u8| !byte.is_ascii_digit()) {
                    let mut other = digits.clone();
                    other[at] = byte;
                    assert_eq!(parse_number(&other), None, "{byte:#04x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn addresses_agree_with_the_standard_library() {
        for text in [
            "10.0.0.1",
            "255.255.255.255",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "0.0.0.0",
            "1..2.3",
            "",
            "2a02:cf40::1",
            "::ffff:1.2.3.4",
            "1.2.3.4 ",
            "-",
        ] {
            assert_eq!(parse_address(text), text.parse().ok(), "{text:?}");
        }
    }

    #[test]
    fn the_fast_way_takes_what_the_standard_library_takes_and_nothing_else() {
        let parts = [
            "0", "1", "00", "01", "001", "9", "10", "99", "100", "199", "249", "255", "256", "260", "300", "999", "1000", "", "x", "-1",
            "1 ",
        ];
        let check = |text: &str| {
            let want = text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
            assert_eq!(parse_ipv4(text.as_bytes()), want, "{text:?}");
        };
        for part in parts {
            for at in 0..4 {
                let mut address = ["192", "0", "2", "255"];
                address[at] = part;
                check(&address.join("."));
            }
            check(part);
            check(&format!("1.{part}"));
            check(&format!("1.2.{part}"));
            check(&format!("1.2.3.4.{part}"));
            check(&format!(".1.2.3.{part}"));
        }
        ["255.255.255.255", "255.255.255.2555", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/32", "::1", "1,2,3,4", "...", "1...2"]
            .into_iter()
            .for_each(check);
    }

    #[test]
    fn numbers_keep_to_their_fields_range() {
        let check = |field, text, want: Option<Option<i64>>| assert_eq!(number(Cell::Text(text), field).ok(), want, "{text}");
        check(id::SRCPORT, "443", Some(Some(443)));
        check(id::SRCPORT, "65536", None);
        check(id::PROTOCOL, "256", None);
        check(id::BYTES, "-", Some(None));
        check(id::BYTES, "-5", None);
        check(id::BYTES, "30000000000000", Some(Some(30_000_000_000_000)));
        check(id::BYTES, "999999999999999999", None);
        check(id::START, "1418530010123456", None);
        check(id::TCP_FLAGS, "258", None);
        check(id::BYTES, "9999999999999999999", None);
        check(id::BYTES, "", None);
        check(id::START, "1418530010123", Some(Some(1_418_530_010)));
        check(id::TCP_FLAGS, "4294967296", None);
    }

    #[test]
    fn ranges_end_where_they_should() {
        let largest = |field, fits: i64| {
            assert_eq!(number(Cell::Number(fits), field), Ok(Some(fits)), "{}", field.field().name);
            assert!(number(Cell::Number(fits + 1), field).is_err(), "{}", field.field().name);
            assert!(number(Cell::Number(-1), field).is_err(), "{}", field.field().name);
            assert_eq!(number(Cell::Number(0), field), Ok(Some(0)), "{}", field.field().name);
        };
        [id::SRCPORT, id::DSTPORT].into_iter().for_each(|field| largest(field, 65_535));
        [id::PROTOCOL, id::TCP_FLAGS].into_iter().for_each(|field| largest(field, 255));
        [id::VERSION, id::TRAFFIC_PATH, id::ENCRYPTION_STATUS].into_iter().for_each(|field| largest(field, i64::from(i32::MAX)));
        [id::PACKETS, id::BYTES, FieldId::by_name("packets-lost-no-route").unwrap()]
            .into_iter()
            .for_each(|field| largest(field, (1 << 46) - 1));
        // Seconds end in 2099, from 10^11 on they are milliseconds, and those end in 2099 too.
        for field in [id::START, id::END] {
            largest(field, 4_102_444_799);
            assert!(number(Cell::Number(99_999_999_999), field).is_err());
            assert_eq!(number(Cell::Number(100_000_000_000), field), Ok(Some(100_000_000)));
            assert_eq!(number(Cell::Number(4_102_444_799_999), field), Ok(Some(4_102_444_799)));
            assert!(number(Cell::Number(4_102_444_800_000), field).is_err());
        }
        assert_eq!(
            [whole(9_007_199_254_740_992.0), whole(-3.0), whole(0.5), whole(9_007_199_254_740_994.0), whole(f64::NAN)],
            [Some(9_007_199_254_740_992), Some(-3), None, None, None]
        );
        assert_eq!(parse_number(b"999999999999999999"), Some(999_999_999_999_999_999));
        assert_eq!(parse_number(b"1000000000000000000"), None);
    }

    /// Values by name, as a record of them.
    struct Record<'a>(&'a [(&'a str, Cell<'a>)]);

    impl Cells for Record<'_> {
        fn cell(&self, at: usize) -> Cell<'_> {
            self.0[at].1
        }
    }

    /// Columns of `bytes`, `interface-id` and what is unknown, with so many records of these values.
    fn filled(records: usize, interface: &str, more: &[(&str, Cell<'_>)]) -> Columns {
        let wanted = Wanted { fields: vec![id::INTERFACE_ID, id::BYTES], extra: true, ..Wanted::default() };
        let values = [&[("bytes", Cell::Number(7)), ("interface-id", Cell::Text(interface))], more].concat();
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        let mut columns = Columns::new(Arc::new(wanted), &Layout::of_any_names(&names));
        (0..records).for_each(|_| columns.push(&Record(&values), 1, &mut Tally::default()).unwrap());
        columns
    }

    #[test]
    fn a_batch_is_full_by_rows_or_by_text() {
        let full = |records, interface: &str, more: &[(&str, Cell<'_>)]| filled(records, interface, more).is_full();
        assert_eq!((full(BATCH_ROWS - 1, "-", &[]), full(BATCH_ROWS, "-", &[])), (false, true));
        let half = "x".repeat(BATCH_TEXT_BYTES / 2);
        assert_eq!([1, 2].map(|records| full(records, &half, &[])), [false, true]);
        // Names and values of unknown fields count together, all of them.
        let [less, enough] = [3, 2].map(|less| "x".repeat(BATCH_TEXT_BYTES / 2 - less));
        let two = |text| [("a1", Cell::Text(text)), ("b2", Cell::Text(text))];
        assert_eq!((full(1, "-", &two(&less)), full(1, "-", &two(&enough))), (false, true));
        let mut columns = filled(2, &half, &[]);
        assert_eq!(columns.finish().unwrap().batch.num_rows(), 2);
        assert!(!columns.is_full() && columns.is_empty(), "handed on");
    }

    #[test]
    fn what_is_cleared_is_gone_and_columns_without_a_hole_carry_no_bitmap() {
        let mut columns = filled(3, "-", &[]);
        columns.clear();
        assert!(columns.is_empty());
        let batch = columns.finish().unwrap().batch;
        assert!(batch.num_rows() == 0 && batch.columns().iter().all(|column| column.is_empty()));
        let batch = filled(3, "-", &[("bytes-beyond", Cell::Null)]).finish().unwrap().batch;
        assert_eq!([0, 1, 2].map(|column| batch.column(column).null_count()), [3, 0, 3]);
        assert!(batch.column(1).nulls().is_none());
    }

    /// Takes one record, and returns its reject's reason and detail, or what was counted.
    fn push(wanted: &Wanted, values: &[(&str, Cell<'_>)]) -> Result<Tally, Fault> {
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        let mut columns = Columns::new(Arc::new(wanted.clone()), &Layout::of_any_names(&names));
        let mut tally = Tally { lines: 1, ..Tally::default() };
        columns.push(&Record(values), 1, &mut tally)?;
        assert_eq!((columns.len() as u64, columns.is_empty()), (tally.rows, tally.rows == 0));
        assert!(tally.adds_up(), "{tally:?}");
        Ok(tally)
    }

    #[test]
    fn records_are_judged_by_what_they_hold() {
        use Cell::{Null, Number, Text};
        let all = Wanted { fields: vec![id::SRCADDR, id::BYTES], ..Wanted::default() };
        let ok = ("log-status", Text("OK"));
        // An interval of a day is taken, one second more is not.
        assert_eq!(push(&all, &[("start", Number(5)), ("end", Number(86_405)), ok]).map(|tally| tally.ok), Ok(1));
        assert_eq!(
            push(&all, &[("start", Number(5)), ("end", Number(86_406)), ok]),
            Err((Reason::BadNumber, "end is 86401 s after start".into()))
        );
        let inverted = push(&all, &[("start", Number(9)), ("end", Number(8)), ok]).unwrap();
        assert_eq!((inverted.ok, inverted.inversions), (1, 1));
        assert_eq!(push(&all, &[("start", Number(8)), ("end", Number(8)), ok]).unwrap().inversions, 0);
        // Without a status, a record whose traffic is all missing tells of none.
        assert_eq!(push(&all, &[("srcaddr", Null), ("bytes", Text("-"))]).unwrap().nodata, 1);
        assert_eq!(push(&all, &[("srcaddr", Null), ("bytes", Number(0))]).unwrap().ok, 1);
        assert_eq!(push(&all, &[("version", Number(2))]).unwrap().ok, 1);
        for (status, counts) in [("OK", (1, 0, 0)), ("NODATA", (0, 1, 0)), ("SKIPDATA", (0, 0, 1))] {
            let tally = push(&all, &[("log-status", Text(status))]).unwrap();
            assert_eq!((tally.ok, tally.nodata, tally.skipdata), counts);
        }
        assert_eq!(push(&all, &[("log-status", Null)]).unwrap_err().0, Reason::BadStatus);
        // Text fields of a type must have it, also as numbers of a typed file.
        assert_eq!(push(&all, &[("srcaddr", Number(7)), ok]).unwrap_err().0, Reason::BadAddress);
        assert_eq!(push(&all, &[("srcaddr", Text("10.0.0")), ok]).unwrap_err().0, Reason::BadAddress);
        assert!(push(&all, &[("dstaddr", Text("no")), ("action", Text("no")), ok]).is_ok(), "not read, not checked");
        let full = Wanted { validation: Validation::Full, ..all.clone() };
        assert_eq!(push(&full, &[("dstaddr", Text("no")), ok]).unwrap_err().0, Reason::BadAddress);
        assert_eq!(push(&full, &[("action", Text("no")), ok]).unwrap_err().0, Reason::BadAction);
        // What is not wanted is counted, and with `full` still checked.
        let none = Wanted { interfaces: super::super::Interfaces::Only(Arc::default()), ..all.clone() };
        let tally = push(&none, &[("interface-id", Text("eni-1")), ("bytes", Text("x")), ok]).unwrap();
        assert_eq!((tally.ok, tally.dropped, tally.rows), (1, 1, 0));
        let none = Wanted { validation: Validation::Full, ..none };
        assert!(push(&none, &[("interface-id", Text("eni-1")), ("bytes", Text("x")), ok]).is_err());
        // A value that is not wanted hides no reject; a missing one is no value.
        let west = Wanted { values: vec![(id::REGION, vec!["us-west-2".into(), "7".into()])], ..all.clone() };
        for (region, rows) in [(Text("us-west-2"), 1), (Number(7), 1), (Text("us-west-1"), 0), (Text("-"), 0), (Null, 0)] {
            let tally = push(&west, &[("region", region), ("bytes", Text("1")), ok]).unwrap();
            assert_eq!((tally.ok, tally.dropped, tally.rows), (1, 1 - rows, rows), "{region:?}");
            assert_eq!(push(&west, &[("region", region), ("bytes", Text("x")), ok]).unwrap_err().0, Reason::BadNumber);
        }
        assert_eq!(push(&west, &[("bytes", Text("1")), ok]).unwrap().rows, 0, "no such column");
        // One way to fit is enough, but all of it.
        let one = |interface: &str, region: &str| Fitting {
            interfaces: super::super::Interfaces::Only(Arc::new([interface.to_owned()].into_iter().collect())),
            values: vec![(id::REGION, vec![region.to_owned()])],
        };
        let either = Wanted { any_of: vec![one("eni-1", "us-west-2"), one("eni-2", "us-east-1")], ..all.clone() };
        for (interface, region, rows) in [
            ("eni-1", "us-west-2", 1),
            ("eni-1", "us-east-1", 0),
            ("eni-2", "us-east-1", 1),
            ("eni-2", "us-west-2", 0),
            ("eni-3", "us-east-1", 0),
        ] {
            let tally = push(&either, &[("interface-id", Text(interface)), ("region", Text(region)), ok]).unwrap();
            assert_eq!((tally.ok, tally.dropped, tally.rows), (1, 1 - rows, rows), "{interface} {region}");
        }
        let later = Wanted { time: crate::time::TimeRange { from: Some(10), to: None }, ..all.clone() };
        assert_eq!(push(&later, &[("start", Number(9)), ok]).unwrap().outside_window, 1);
        assert_eq!(push(&later, &[("start", Number(10)), ok]).unwrap().rows, 1);
        let gateways = Wanted { kind: RecordKind::TransitGateway, ..all };
        assert_eq!(push(&gateways, &[("bytes", Number(1)), ok]).unwrap().passed_over, 1);
        assert_eq!(push(&gateways, &[("tgw-id", Text("tgw-1")), ("bytes", Number(1)), ok]).unwrap().rows, 1);
    }
}
