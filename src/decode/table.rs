//! Records with the same columns, one after another → rows, a column at a time.
//!
//! A loop that reads one column of a hundred records does one thing: to read all columns so takes a third less than to go from column to
//! column within each record. It takes what AWS writes as a rule. Where any value of a table is of another kind, the table is not taken
//! at all, and [`Columns::push`] finds out about each of its records. Lines of text are such tables in `words`, the arrays of typed
//! files in `arrays`.

use super::columns::{Builder, Columns, INTERVAL_MAX, Judged, Status};
use super::text_column::TextColumn;
use super::validity::Validity;
use super::{Interfaces, Tally, Validation};
use crate::flow::field::{FIELD_COUNT, FieldId, FieldType, id};
use crate::time::TimeRange;
use arrow::array::{MapBuilder, StringBuilder};
use std::sync::Arc;

/// A number of a record that has none.
pub(super) const MISSING: i64 = -1;

/// Records with the same columns.
pub(super) trait Table {
    /// Some of the records.
    type Part<'p>: Table
    where
        Self: 'p;

    /// Returns the number of records.
    fn count(&self) -> usize;

    /// Returns some of the records; where they are is put into `places`.
    fn part<'p>(&'p self, records: &[usize], places: &'p mut Vec<u32>) -> Self::Part<'p>;

    /// Reads a column of statuses.
    fn statuses(&self, at: usize, into: &mut Vec<Status>);

    /// Reads a column of instants in seconds; returns whether all are such, or missing.
    fn instants(&self, at: usize, into: &mut Vec<i64>) -> bool;

    /// Reads a column of numbers below another; returns whether all are such, or missing.
    fn numbers(&self, at: usize, below: i64, into: &mut Vec<i64>) -> bool;

    /// Returns whether all values of a column are actions, or missing.
    fn are_actions(&self, at: usize) -> bool;

    /// Returns whether all values of a column are addresses, or missing. Those of another column, which is asked about as well, are the same as a rule.
    fn are_addresses(&self, at: usize, as_in: Option<usize>) -> bool;

    /// Leaves of the records, which ascend, those of wanted interfaces.
    fn leave_interfaces(&self, at: usize, interfaces: &Interfaces, seen: &mut Seen, records: &mut Vec<usize>);

    /// Leaves of the records, which ascend, those with one of these values in a column.
    fn leave_values(&self, at: usize, values: &[String], records: &mut Vec<usize>);

    /// Adds a column of texts; returns the bytes of those that are not missing.
    fn append_texts(&self, at: usize, into: &mut TextColumn) -> usize;

    /// Adds the values of unknown columns; returns the bytes of names and values.
    fn append_extra(&self, unknown: &[(usize, Arc<str>)], into: &mut MapBuilder<StringBuilder, StringBuilder>) -> usize;
}

/// What is needed between the columns of a table.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    records: Records,
    /// By field that holds numbers and is read: of the records whose values must be sound, then of those that become rows.
    numbers: Vec<Vec<i64>>,
    /// Where the values of those records are, and of these.
    checked_places: Vec<u32>,
    kept_places: Vec<u32>,
    seen: Seen,
    /// The same for each of [`Wanted::any_of`].
    fitting: Vec<Seen>,
}

/// What the columns say by which records are counted, by record.
#[derive(Debug, Default)]
struct Records {
    status: Vec<Status>,
    start: Vec<i64>,
    end: Vec<i64>,
    /// Records that are wanted by time and interface, ascending.
    kept: Vec<usize>,
}

impl Columns {
    /// Takes every record of a table as [`Columns::push`] would, and counts them; or takes none of them, and counts none, if one has a
    /// value that is not like most. `number` says which line or row of its object a record is.
    pub(super) fn push_table(&mut self, table: &impl Table, number: impl Fn(usize) -> u64, tally: &mut Tally) -> bool {
        // What is lent out of `self` here comes back at the end.
        let mut scratch = std::mem::take(&mut self.scratch);
        let Scratch { records, numbers, checked_places, kept_places, seen, fitting } = &mut scratch;
        let is_taken = self.judge_table(table, records) && {
            self.find_wanted(table, records, seen);
            // Of records that are not wanted nothing else is looked at, as a rule.
            if records.kept.len() == table.count() || self.wanted.validation == Validation::Full {
                self.take_checked(table, true, records, numbers, kept_places, fitting, number, tally)
            } else {
                self.take_checked(&table.part(&records.kept, checked_places), false, records, numbers, kept_places, fitting, number, tally)
            }
        };
        self.scratch = scratch;
        is_taken
    }

    /// Counts the records of a table of which the columns show by which records are counted that they are not wanted, as
    /// [`Columns::pass_over`] does, and says of each whether it is needed; or counts none, if one has a value that is not like most.
    pub(super) fn pass_over_table(&mut self, table: &impl Table, tally: &mut Tally) -> Option<Vec<bool>> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let records = &mut scratch.records;
        let needed = self.judge_table(table, records).then(|| {
            self.find_wanted(table, records, &mut scratch.seen);
            let mut needed = vec![false; table.count()];
            for record in &records.kept {
                if let Some(needed) = needed.get_mut(*record) {
                    *needed = true;
                }
            }
            for (record, _) in needed.iter().enumerate().filter(|(_, needed)| !**needed) {
                self.count(&self.judged(records, record, false), tally);
            }
            needed
        });
        self.scratch = scratch;
        needed
    }

    /// Takes the records whose values must be sound, all of the table or those that are kept, if they are.
    #[expect(clippy::too_many_arguments, reason = "parts of the scratch, which is lent out of `self`")]
    fn take_checked<T: Table>(
        &mut self,
        checked: &T,
        is_all: bool,
        records: &Records,
        numbers: &mut Vec<Vec<i64>>,
        places: &mut Vec<u32>,
        fitting: &mut Vec<Seen>,
        number: impl Fn(usize) -> u64,
        tally: &mut Tally,
    ) -> bool {
        if !self.check_table(checked, numbers) {
            return false;
        }
        let Records { start, end, kept, .. } = records;
        for (field, times) in [(id::START, start), (id::END, end)].into_iter().filter(|(field, _)| self.wanted.fields.contains(field)) {
            if let Some(numbers) = numbers.get_mut(field.index()) {
                if is_all { numbers.extend_from_slice(times) } else { numbers.extend(picked(times, kept)) }
            }
        }
        // Of the records checked those that become rows, if they are not all; and which ones of the table they are.
        let by_value = (!self.wanted.values.is_empty() || !self.wanted.any_of.is_empty()).then(|| {
            let mut rows: Vec<usize> = if is_all { kept.clone() } else { (0..kept.len()).collect() };
            leave_values(checked, &self.slots.values, &self.wanted.values, &mut rows);
            self.leave_fitting(checked, fitting, &mut rows);
            rows
        });
        let rows = by_value.as_ref().or(Some(kept).filter(|_| is_all)).filter(|rows| rows.len() < checked.count());
        let of_kept: Vec<usize>;
        let taken = match &by_value {
            None => kept,
            Some(rows) if is_all => rows,
            Some(rows) => {
                of_kept = picked(kept, rows).collect();
                &of_kept
            }
        };
        self.count_table(records, taken, tally);
        self.lines.extend(taken.iter().map(|record| number(*record) as i64));
        match rows {
            None => self.append_table(checked, numbers),
            Some(rows) => {
                numbers.iter_mut().filter(|numbers| !numbers.is_empty()).for_each(|numbers| *numbers = picked(numbers, rows).collect());
                self.append_table(&checked.part(rows, places), numbers);
            }
        }
        true
    }

    /// Reads the columns by which records are counted; returns whether all of them are sound.
    fn judge_table(&self, table: &impl Table, records: &mut Records) -> bool {
        let Records { status, start, end, .. } = records;
        let Some(at) = self.slots.status else { return false };
        status.clear();
        table.statuses(at, status);
        let instants = |at: Option<usize>, into: &mut Vec<i64>| {
            into.clear();
            let Some(at) = at else {
                into.resize(table.count(), MISSING);
                return true;
            };
            table.instants(at, into)
        };
        if !instants(self.slots.start, start) || !instants(self.slots.end, end) || status.contains(&Status::Unknown) {
            return false;
        }
        // Without an early end, so that many are looked at in one instruction.
        let is_too_long = |start: &i64, end: &i64| some(start) & some(end) & (end - start > INTERVAL_MAX);
        !start.iter().zip(&*end).fold(false, |found, (start, end)| found | is_too_long(start, end))
    }

    /// Finds out which records are wanted by time and interface.
    fn find_wanted(&self, table: &impl Table, records: &mut Records, seen: &mut Seen) {
        let Records { start, kept, .. } = records;
        kept.clear();
        if !self.slots.is_wanted {
            return;
        }
        kept.extend(0..table.count());
        if self.wanted.time != TimeRange::default() {
            kept.retain(|record| start.get(*record).is_some_and(|start| *start == MISSING || self.wanted.time.contains(*start)));
        }
        leave_interfaces(table, self.slots.interface, &self.wanted.interfaces, seen, kept);
    }

    /// Leaves the records that fit one of several ways to be wanted, if there are such.
    fn leave_fitting(&self, table: &impl Table, seen: &mut Vec<Seen>, records: &mut Vec<usize>) {
        if self.wanted.any_of.is_empty() {
            return;
        }
        let ways = 1..=self.wanted.any_of.len();
        if seen.is_empty() {
            seen.extend(ways.map(|way| Seen { way, ..Seen::default() }));
        }
        let mut fits = vec![false; table.count()];
        for ((one, at), seen) in self.wanted.any_of.iter().zip(&self.slots.any_of).zip(seen) {
            let mut some = records.clone();
            leave_interfaces(table, self.slots.interface, &one.interfaces, seen, &mut some);
            leave_values(table, at, &one.values, &mut some);
            for record in some {
                if let Some(fits) = fits.get_mut(record) {
                    *fits = true;
                }
            }
        }
        records.retain(|record| fits.get(*record) == Some(&true));
    }

    /// Checks the values of every record, and keeps the numbers; returns whether all are sound.
    fn check_table(&self, table: &impl Table, numbers: &mut Vec<Vec<i64>>) -> bool {
        numbers.resize_with(FIELD_COUNT, Vec::new);
        numbers.iter_mut().for_each(Vec::clear);
        self.slots.checked.iter().all(|(at, field, below)| match (field.field().kind, numbers.get_mut(field.index())) {
            _ if matches!(*field, id::START | id::END) => true,
            (FieldType::Text, _) if *field == id::ACTION => table.are_actions(*at),
            (FieldType::Text, _) => {
                // What a packet says differs where something forwards it.
                let like = [(id::PKT_SRCADDR, id::SRCADDR), (id::PKT_DSTADDR, id::DSTADDR)].into_iter().find(|(packet, _)| packet == field);
                let as_in = like.and_then(|(_, like)| self.slots.checked.iter().find(|(_, checked, _)| *checked == like));
                table.are_addresses(*at, as_in.map(|(at, ..)| *at))
            }
            (_, Some(numbers)) => table.numbers(*at, *below, numbers),
            (_, None) => false,
        })
    }

    /// Counts the records, of which some become rows.
    fn count_table(&self, records: &Records, taken: &[usize], tally: &mut Tally) {
        let Records { status, start, end, .. } = records;
        tally.rows += taken.len() as u64;
        if self.slots.is_wanted && self.wanted.time == TimeRange::default() {
            // All are in the window, and of the kind.
            let of = |one: Status| status.iter().filter(|status| **status == one).count() as u64;
            tally.ok += of(Status::Ok);
            tally.nodata += of(Status::NoData);
            tally.skipdata += of(Status::SkipData);
            tally.dropped += (status.len() - taken.len()) as u64;
            tally.inversions += start.iter().zip(end).filter(|(start, end)| end < start && some(end)).count() as u64;
            // Without a sign, a missing one is greater than any.
            let first = start.iter().map(|start| *start as u64).min().map(|first| first as i64);
            return tally.saw_all(status.len() as u64, first.filter(some), end.iter().copied().max().filter(some));
        }
        let mut left = taken.iter().peekable();
        for record in 0..status.len() {
            let is_wanted = left.next_if_eq(&&record).is_some();
            self.count(&self.judged(records, record, is_wanted), tally);
        }
    }

    /// What is known of a record.
    fn judged(&self, records: &Records, record: usize, is_wanted: bool) -> Judged {
        let Records { status, start, end, .. } = records;
        let time = |times: &[i64]| times.get(record).copied().filter(some);
        let (status, start, end) = (status.get(record).copied().unwrap_or(Status::Unknown), time(start), time(end));
        Judged { status, start, end, in_window: start.is_none_or(|start| self.wanted.time.contains(start)), is_wanted }
    }

    fn append_table(&mut self, table: &impl Table, numbers: &[Vec<i64>]) {
        for ((builder, at), field) in self.builders.iter_mut().zip(&self.slots.wanted).zip(&self.wanted.fields) {
            let numbers = at.and_then(|_| numbers.get(field.index())).map_or(&[][..], Vec::as_slice);
            match (builder, at) {
                (Builder::Int32(values, valid), Some(_)) => {
                    values.extend(numbers.iter().map(|number| (*number).max(0) as i32));
                    extend_valid(valid, numbers);
                }
                (Builder::Int64(values, valid), Some(_)) => {
                    values.extend(numbers.iter().map(|number| (*number).max(0)));
                    extend_valid(valid, numbers);
                }
                (Builder::Text(texts), Some(at)) => self.text_bytes += table.append_texts(*at, texts),
                (Builder::Int32(values, valid), None) => {
                    values.resize(values.len() + table.count(), 0);
                    valid.extend_nulls(table.count());
                }
                (Builder::Int64(values, valid), None) => {
                    values.resize(values.len() + table.count(), 0);
                    valid.extend_nulls(table.count());
                }
                (Builder::Text(texts), None) => texts.extend_nulls(table.count()),
            }
        }
        if let Some(extra) = &mut self.extra {
            self.text_bytes += table.append_extra(&self.slots.unknown, extra);
        }
    }
}

/// Adds which numbers there are: all, as a rule.
fn extend_valid(valid: &mut Validity, numbers: &[i64]) {
    match numbers.contains(&MISSING) {
        true => valid.extend_from(numbers.iter().map(|number| *number != MISSING)),
        false => valid.extend_same(numbers.len(), true),
    }
}

/// Whether a time is one.
fn some(time: &i64) -> bool {
    *time != MISSING
}

/// The values at some places.
fn picked<T: Copy>(values: &[T], at: &[usize]) -> impl Iterator<Item = T> {
    at.iter().filter_map(|at| values.get(*at)).copied()
}

/// Leaves the records of these interfaces.
fn leave_interfaces(table: &impl Table, at: Option<usize>, interfaces: &Interfaces, seen: &mut Seen, records: &mut Vec<usize>) {
    match (interfaces, at) {
        (Interfaces::All, _) => {}
        (interfaces, Some(at)) => table.leave_interfaces(at, interfaces, seen, records),
        (interfaces, None) if interfaces.wants(None) => {}
        (_, None) => records.clear(),
    }
}

/// Leaves the records that have one of the values in each of the fields, which stand in these columns.
fn leave_values(table: &impl Table, columns: &[Option<usize>], values: &[(FieldId, Vec<String>)], records: &mut Vec<usize>) {
    for (at, (_, values)) in columns.iter().zip(values) {
        match at {
            Some(at) => table.leave_values(*at, values, records),
            None => records.clear(),
        }
    }
}

/// Which interfaces are wanted, of those asked about last: an object holds the records of few.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: Vec<SeenOne>,
    /// Whose interfaces: 0 of all that is wanted, then by the ways to fit.
    pub(super) way: usize,
}

/// An id of 17 to 32 bytes, by its first and last sixteen, its length, and whether it is wanted.
type SeenOne = (u128, u128, usize, bool);

/// Bytes of an id that are compared at once.
const PART: usize = 16;
/// Interfaces remembered.
const SEEN_MAX: usize = 256;

impl Seen {
    /// Returns what [`Interfaces::wants`] says of an interface.
    #[inline]
    pub(super) fn is_wanted(&mut self, interfaces: &Interfaces, interface: Option<&[u8]>) -> bool {
        let parts = interface.and_then(|bytes| Some((bytes.first_chunk::<PART>()?, bytes.last_chunk::<PART>()?, bytes.len())));
        let Some((first, last, len)) = parts.filter(|(_, _, len)| (PART + 1..=2 * PART).contains(len)) else {
            return wants(interfaces, interface);
        };
        let (first, last) = (u128::from_le_bytes(*first), u128::from_le_bytes(*last));
        // The last bytes of an id are its random ones.
        let place = ((last >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SEEN_MAX.ilog2());
        if self.ids.is_empty() {
            self.ids.resize(SEEN_MAX, (0, 0, 0, false));
        }
        match self.ids.get_mut(place as usize) {
            Some((head, end, length, is_wanted)) if (*head, *end, *length) == (first, last, len) => *is_wanted,
            Some(other) => {
                let is_wanted = wants(interfaces, interface);
                *other = (first, last, len, is_wanted);
                is_wanted
            }
            None => wants(interfaces, interface),
        }
    }
}

#[inline(never)]
fn wants(interfaces: &Interfaces, interface: Option<&[u8]>) -> bool {
    interfaces.wants(interface.and_then(|bytes| std::str::from_utf8(bytes).ok()))
}
