//! Columns of typed files as a table that is read a column at a time.

use super::columns::{INSTANT_MAX, Status, append_extra};
use super::records::LINE_LEN_MAX;
use super::separators::{head_of, head_within};
use super::table::{MISSING, Seen, Table};
use super::text_column::{INLINE_MAX, TextColumn, inline};
use super::values::{Row, Uniform, Values};
use super::words::{is_ipv4, is_other_address};
use super::{BATCH_TEXT_BYTES, Interfaces};
use crate::flow::field::FieldType;
use crate::flow::{Column, Layout};
use arrow::array::{Array, MapBuilder, StringBuilder, StringViewArray};
use std::sync::Arc;

/// Rows of a typed file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrays<'a> {
    columns: &'a [Values],
    /// Which rows; all, if that is not said.
    rows: Option<&'a [u32]>,
    count: usize,
}

impl<'a> Arrays<'a> {
    /// Returns so many rows as a table; `None` if they have to be looked at one by one: where a column holds other things than its field
    /// does, or bytes that are no text, or where the texts may be longer than a line or are more than a batch has.
    pub(super) fn new(columns: &'a [Values], layout: &Layout, count: usize) -> Option<Arrays<'a>> {
        let (mut longest, mut bytes) = (0, 0);
        for (values, column) in columns.iter().zip(&layout.columns) {
            let is_text = match column {
                Column::Known(field) => Some(field.field().kind == FieldType::Text),
                Column::Unknown(_) => None,
            };
            match values.uniform()? {
                Uniform::Nothing => {}
                Uniform::Numbers(_) => Some(()).filter(|()| is_text != Some(true))?,
                Uniform::Texts(texts) => {
                    Some(()).filter(|()| is_text != Some(false))?;
                    let lengths = || texts.views().iter().map(|view| length(*view));
                    longest += lengths().max().unwrap_or(0);
                    bytes += lengths().sum::<usize>();
                }
            }
        }
        (longest <= LINE_LEN_MAX && bytes <= BATCH_TEXT_BYTES).then_some(Arrays { columns, rows: None, count })
    }

    /// The row of the batch that a record is.
    #[inline]
    fn row(&self, record: usize) -> usize {
        match self.rows {
            Some(rows) => rows.get(record).map_or(usize::MAX, |row| *row as usize),
            None => record,
        }
    }

    fn texts(&self, at: usize) -> Texts<'a> {
        let values = self.columns.get(at);
        let array = values.and_then(|values| match values.uniform() {
            Some(Uniform::Texts(array)) => Some((values, array)),
            _ => None,
        });
        Texts(array)
    }

    #[inline]
    fn rows(&self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.count).map(|record| self.row(record))
    }
}

/// A column of texts, or of nothing.
#[derive(Debug, Clone, Copy)]
struct Texts<'a>(Option<(&'a Values, &'a StringViewArray)>);

impl<'a> Texts<'a> {
    /// The view of a row's text, if there is one, whatever it says.
    #[inline]
    fn any_view(&self, row: usize) -> Option<u128> {
        let (_, array) = self.0?;
        array.views().get(row).copied().filter(|_| array.is_valid(row))
    }

    /// The view of a row's text, if it is a value.
    #[inline]
    fn view(&self, row: usize) -> Option<u128> {
        self.any_view(row).filter(|view| self.is_value(*view))
    }

    #[inline]
    fn is_value(&self, view: u128) -> bool {
        self.0.is_some_and(|(values, _)| !values.is_missing(view))
    }

    /// The first bytes of a row's text, as [`head_within`] has them.
    #[inline]
    fn head(&self, row: usize, view: u128) -> u128 {
        if length(view) <= INLINE_MAX {
            return view >> 32;
        }
        // Behind a text others stand as a rule, so that sixteen bytes can be read.
        let (buffer, from) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
        let rest = self.0.and_then(|(_, array)| array.data_buffers().get(buffer)?.get(from..));
        rest.map_or_else(|| head_of(self.bytes(row)), |rest| head_within(rest, length(view)))
    }

    /// The bytes of a row's text.
    #[inline]
    fn bytes(&self, row: usize) -> &'a [u8] {
        self.0.filter(|(_, array)| row < array.len()).map_or(&[], |(_, array)| array.value(row).as_bytes())
    }
}

/// The bytes of the text that a view stands for.
#[inline]
fn length(view: u128) -> usize {
    view as u32 as usize
}

impl Table for Arrays<'_> {
    type Part<'p>
        = Arrays<'p>
    where
        Self: 'p;

    fn count(&self) -> usize {
        self.count
    }

    fn part<'p>(&'p self, records: &[usize], places: &'p mut Vec<u32>) -> Arrays<'p> {
        places.clear();
        places.extend(records.iter().map(|record| self.row(*record) as u32));
        Arrays { columns: self.columns, rows: Some(places), count: records.len() }
    }

    fn statuses(&self, at: usize, into: &mut Vec<Status>) {
        const OK: u128 = inline(b"OK");
        const NO_DATA: u128 = inline(b"NODATA");
        const SKIP_DATA: u128 = inline(b"SKIPDATA");
        let texts = self.texts(at);
        into.extend(self.rows().map(|row| match texts.any_view(row) {
            Some(OK) => Status::Ok,
            Some(NO_DATA) => Status::NoData,
            Some(SKIP_DATA) => Status::SkipData,
            _ => Status::Unknown,
        }));
    }

    fn instants(&self, at: usize, into: &mut Vec<i64>) -> bool {
        self.numbers(at, INSTANT_MAX, into)
    }

    fn numbers(&self, at: usize, below: i64, into: &mut Vec<i64>) -> bool {
        let Some(Uniform::Numbers(array)) = self.columns.get(at).and_then(Values::uniform) else {
            into.resize(self.count, MISSING);
            return true;
        };
        let values = array.values();
        let is_sound = |number: i64| (number as u64) < below as u64;
        if array.null_count() == 0 && self.rows.is_none() {
            into.extend_from_slice(values);
            return values.iter().fold(true, |sound, number| sound & is_sound(*number));
        }
        let mut are_sound = true;
        into.extend(self.rows().map(|row| match values.get(row) {
            Some(number) if array.is_valid(row) => {
                are_sound &= is_sound(*number);
                *number
            }
            _ => MISSING,
        }));
        are_sound
    }

    fn are_actions(&self, at: usize) -> bool {
        const ACCEPT: u128 = inline(b"ACCEPT");
        const REJECT: u128 = inline(b"REJECT");
        let texts = self.texts(at);
        self.rows().all(|row| match texts.any_view(row) {
            None | Some(ACCEPT | REJECT) => true,
            Some(other) => !texts.is_value(other),
        })
    }

    fn are_addresses(&self, at: usize) -> bool {
        /// Addresses remembered: the same ones come again and again.
        const LATELY: usize = 512;
        let texts = self.texts(at);
        let is_sound = |row: usize, view: u128| {
            is_ipv4(texts.head(row, view), length(view)) || !texts.is_value(view) || is_other_address(texts.bytes(row))
        };
        let mut lately = [0; LATELY];
        self.rows().all(|row| {
            let Some(view) = texts.any_view(row) else { return true };
            let mixed = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let Some(known) = lately.get_mut((mixed >> (u64::BITS - LATELY.ilog2())) as usize) else { return is_sound(row, view) };
            *known == view || {
                *known = view;
                is_sound(row, view)
            }
        })
    }

    fn leave_interfaces(&self, at: usize, interfaces: &Interfaces, seen: &mut Seen, records: &mut Vec<usize>) {
        let texts = self.texts(at);
        records.retain(|record| {
            let row = self.row(*record);
            seen.is_wanted(interfaces, texts.view(row).map(|_| texts.bytes(row)))
        });
    }

    fn leave_values(&self, at: usize, values: &[String], records: &mut Vec<usize>) {
        let texts = self.texts(at);
        if let [value] = values
            && value.len() <= INLINE_MAX
        {
            let wanted = Some(inline(value.as_bytes())).filter(|view| texts.is_value(*view));
            return records.retain(|record| wanted.is_some() && texts.any_view(self.row(*record)) == wanted);
        }
        let views: Vec<Option<u128>> =
            values.iter().map(|value| Some(value.as_bytes()).filter(|it| it.len() <= INLINE_MAX).map(inline)).collect();
        records.retain(|record| {
            let row = self.row(*record);
            let is = |view: u128, (of, value): (&Option<u128>, &String)| match of {
                Some(of) => *of == view,
                None => value.len() == length(view) && value.as_bytes() == texts.bytes(row),
            };
            texts.any_view(row).is_some_and(|view| views.iter().zip(values).any(|one| is(view, one)) && texts.is_value(view))
        });
    }

    fn append_texts(&self, at: usize, into: &mut TextColumn) -> usize {
        match self.texts(at) {
            Texts(Some((values, array))) => into.extend_views(array, self.rows, |view| values.is_missing(view)),
            Texts(None) => {
                into.extend_nulls(self.count);
                0
            }
        }
    }

    fn append_extra(&self, unknown: &[(usize, Arc<str>)], into: &mut MapBuilder<StringBuilder, StringBuilder>) -> usize {
        self.rows().map(|row| append_extra(into, &Row { columns: self.columns, row, rest: &[] }, unknown)).sum()
    }
}
