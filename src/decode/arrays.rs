//! Columns of typed files as a table that is read a column at a time.

use super::columns::{INSTANT_MAX, Status, append_extra};
use super::dictionary::Texts;
use super::records::LINE_LEN_MAX;
use super::separators::{head_of, head_within};
use super::table::{MISSING, Seen, Table};
use super::text_column::{INLINE_MAX, TextColumn, inline};
use super::values::{Row, Uniform, Values};
use super::words::{is_ipv4, is_other_address};
use super::{BATCH_TEXT_BYTES, Interfaces};
use crate::flow::field::FieldType;
use crate::flow::{Column, Layout};
use arrow::array::{Array, MapBuilder, StringBuilder};
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
        let (mut longest, mut bytes_max, mut all_texts) = (0, 0, Vec::new());
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
                    let (longest_here, bytes_here) = texts.bounds();
                    (longest, bytes_max) = (longest + longest_here, bytes_max + bytes_here);
                    all_texts.push(texts);
                }
            }
        }
        let fits = bytes_max <= BATCH_TEXT_BYTES || all_texts.iter().map(|texts| texts.bytes()).sum::<usize>() <= BATCH_TEXT_BYTES;
        (longest <= LINE_LEN_MAX && fits).then_some(Arrays { columns, rows: None, count })
    }

    /// The row of the batch that a record is.
    #[inline]
    fn row(&self, record: usize) -> usize {
        match self.rows {
            Some(rows) => rows.get(record).map_or(usize::MAX, |row| *row as usize),
            None => record,
        }
    }

    fn texts(&self, at: usize) -> Texted<'a> {
        let values = self.columns.get(at);
        let texts = values.and_then(|values| match values.uniform() {
            Some(Uniform::Texts(texts)) => Some((values, texts)),
            _ => None,
        });
        Texted(texts)
    }

    #[inline]
    fn rows(&self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.count).map(|record| self.row(record))
    }
}

/// A column of texts, or of nothing.
#[derive(Debug, Clone, Copy)]
struct Texted<'a>(Option<(&'a Values, &'a Texts)>);

impl<'a> Texted<'a> {
    /// Where a row's text stands, if there is one, whatever it says.
    #[inline]
    fn place(&self, row: usize) -> Option<usize> {
        self.0?.1.place(row)
    }

    /// The view of the text at a place.
    #[inline]
    fn view(&self, at: usize) -> u128 {
        self.0.and_then(|(_, texts)| texts.texts().views().get(at).copied()).unwrap_or_default()
    }

    #[inline]
    fn is_value(&self, view: u128) -> bool {
        self.0.is_some_and(|(values, _)| !values.is_missing(view))
    }

    /// The first bytes of the text at a place, as [`head_within`] has them.
    #[inline]
    fn head(&self, at: usize, view: u128) -> u128 {
        if length(view) <= INLINE_MAX {
            return view >> 32;
        }
        // Behind a text others stand as a rule, so that sixteen bytes can be read.
        let (buffer, from) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
        let rest = self.0.and_then(|(_, texts)| texts.texts().data_buffers().get(buffer)?.get(from..));
        rest.map_or_else(|| head_of(self.bytes(at)), |rest| head_within(rest, length(view)))
    }

    /// The bytes of the text at a place.
    #[inline]
    fn bytes(&self, at: usize) -> &'a [u8] {
        self.0.filter(|(_, texts)| at < texts.texts().len()).map_or(&[], |(_, texts)| texts.texts().value(at).as_bytes())
    }

    /// Adds what is judged of the text of each row, or of none. Where many rows share few texts, each is judged once.
    #[inline]
    fn judge<T: Copy>(&self, rows: impl ExactSizeIterator<Item = usize>, judge: impl Fn(Option<usize>) -> T, into: &mut Vec<T>) {
        let few = self.0.map(|(_, texts)| texts).filter(|texts| texts.are_few_for(rows.len()));
        let Some(texts) = few else { return into.extend(rows.map(|row| judge(self.place(row)))) };
        let (none, judged): (T, Vec<T>) = (judge(None), (0..texts.texts().len()).map(|at| judge(Some(at))).collect());
        let of = |at: usize| judged.get(at).copied().unwrap_or(none);
        match texts.keys() {
            Some(keys) if keys.len() == rows.len() => into.extend(keys.iter().map(|key| of(*key as usize))),
            Some(keys) => into.extend(rows.map(|row| keys.get(row).map_or(none, |key| of(*key as usize)))),
            None => into.extend(rows.map(|row| texts.place(row).map_or(none, of))),
        }
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
        let status = |at: Option<usize>| match at.map(|at| texts.view(at)) {
            Some(OK) => Status::Ok,
            Some(NO_DATA) => Status::NoData,
            Some(SKIP_DATA) => Status::SkipData,
            _ => Status::Unknown,
        };
        texts.judge(self.rows(), status, into);
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
        let is_action = |at: Option<usize>| match at.map(|at| texts.view(at)) {
            None | Some(ACCEPT | REJECT) => true,
            Some(other) => !texts.is_value(other),
        };
        let mut are_actions = Vec::new();
        texts.judge(self.rows(), is_action, &mut are_actions);
        !are_actions.contains(&false)
    }

    fn are_addresses(&self, at: usize, _: Option<usize>) -> bool {
        /// Addresses remembered: the same ones come again and again.
        const LATELY: usize = 512;
        let texts = self.texts(at);
        let is_sound = |at: usize, view: u128| {
            is_ipv4(texts.head(at, view), length(view)) || !texts.is_value(view) || is_other_address(texts.bytes(at))
        };
        if texts.0.is_some_and(|(_, of)| of.are_addresses(self.count, |at| is_sound(at, texts.view(at)))) {
            return true;
        }
        let mut lately = [0; LATELY];
        self.rows().all(|row| {
            let Some(at) = texts.place(row) else { return true };
            let view = texts.view(at);
            let mixed = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let Some(known) = lately.get_mut((mixed >> (u64::BITS - LATELY.ilog2())) as usize) else { return is_sound(at, view) };
            *known == view || {
                *known = view;
                is_sound(at, view)
            }
        })
    }

    fn leave_interfaces(&self, at: usize, interfaces: &Interfaces, seen: &mut Seen, records: &mut Vec<usize>) {
        let (texts, way) = (self.texts(at), seen.way);
        let mut is_wanted = |at: Option<usize>| {
            let value = at.filter(|at| texts.is_value(texts.view(*at)));
            seen.is_wanted(interfaces, value.map(|at| texts.bytes(at)))
        };
        match texts.0.and_then(|(_, of)| of.are_wanted(records.len(), way, |at| is_wanted(Some(at)))) {
            Some(wanted) => {
                let none = is_wanted(None);
                let of = |at: Option<usize>| at.and_then(|at| wanted.get(at)).copied().unwrap_or(none);
                records.retain(|record| of(texts.place(self.row(*record))));
            }
            None => records.retain(|record| is_wanted(texts.place(self.row(*record)))),
        }
    }

    fn leave_values(&self, at: usize, values: &[String], records: &mut Vec<usize>) {
        let texts = self.texts(at);
        let views: Vec<Option<u128>> =
            values.iter().map(|value| Some(value.as_bytes()).filter(|it| it.len() <= INLINE_MAX).map(inline)).collect();
        let is_one = |at: Option<usize>| {
            let Some(at) = at else { return false };
            let view = texts.view(at);
            let is = |(of, value): (&Option<u128>, &String)| match of {
                Some(of) => *of == view,
                None => value.len() == length(view) && value.as_bytes() == texts.bytes(at),
            };
            views.iter().zip(values).any(is) && texts.is_value(view)
        };
        let mut kept = Vec::with_capacity(records.len());
        texts.judge(records.iter().map(|record| self.row(*record)), is_one, &mut kept);
        let mut kept = kept.into_iter();
        records.retain(|_| kept.next().unwrap_or(false));
    }

    fn append_texts(&self, at: usize, into: &mut TextColumn) -> usize {
        let Texted(Some((values, texts))) = self.texts(at) else {
            into.extend_nulls(self.count);
            return 0;
        };
        let is_missing = |view| values.is_missing(view);
        if !texts.are_named() {
            return into.extend_views(texts.texts(), self.rows, is_missing);
        }
        // A row without a text names one that there is not.
        let places: Vec<u32> = match (texts.keys(), self.rows) {
            (Some(keys), None) => keys.iter().map(|key| key.cast_unsigned()).collect(),
            _ => self.rows().map(|row| texts.place(row).map_or(u32::MAX, |at| at as u32)).collect(),
        };
        into.extend_views(texts.texts(), Some(&places), is_missing)
    }

    fn append_extra(&self, unknown: &[(usize, Arc<str>)], into: &mut MapBuilder<StringBuilder, StringBuilder>) -> usize {
        self.rows().map(|row| append_extra(into, &Row { columns: self.columns, row, rest: &[] }, unknown)).sum()
    }
}
