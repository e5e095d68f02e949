//! A column of texts being collected: Arrow's string views (Arrow columnar format, "Variable-size Binary View Layout").
//!
//! The builder of the arrow crate asks more of each value than a value of a flow log is worth: it cost a third of decoding all
//! columns.

use super::separators::{HEAD, Word, head_of};
use super::validity::Validity;
use arrow::array::builder::make_view;
use arrow::array::{Array, ArrayRef, StringViewArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use std::sync::Arc;

/// Longest text that stands in its view.
pub const INLINE_MAX: usize = 12;
/// Bytes after which a buffer is closed. A text is shorter than a line, so places in a buffer stay numbers of 32 bits.
const BUFFER_BYTES: usize = 1 << 20;

/// Bytes of arrays that are kept for the texts of a batch: the dictionary of most writers has a MiB at most.
const SHARED_BYTES_MAX: usize = 1 << 20;
/// Of so many rows one must be taken for that: a batch of the few that are wanted of many others would hold all their bytes.
const SHARED_BY_MIN: usize = 16;

/// Long texts of which is remembered where they are.
const LATELY: usize = 64;

/// A text of 13 to 32 bytes: its first and last sixteen (0: it has fewer), and its view, which holds its length.
#[derive(Debug, Clone, Copy, Default)]
struct Put {
    head: u128,
    last: u128,
    view: u128,
}

/// Collects texts.
#[derive(Debug, Default)]
pub struct TextColumn {
    views: Vec<u128>,
    /// Bytes of the longer texts.
    open: Vec<u8>,
    closed: Vec<Buffer>,
    /// Bytes of those that are of arrays.
    shared: usize,
    valid: Validity,
    /// Long texts of this batch that were put down lately, by a mix of their bytes.
    lately: Vec<Put>,
}

impl TextColumn {
    /// Adds a text.
    #[inline]
    pub fn push(&mut self, text: &str) {
        let view = match short(text.as_bytes()) {
            Some(view) => view,
            None => self.long(text.as_bytes()),
        };
        self.views.push(view);
        self.valid.push(true);
    }

    /// Adds the text of an earlier row of this column, which has one.
    #[inline]
    pub fn push_again(&mut self, row: usize) {
        let view = self.views.get(row).copied();
        self.views.push(view.unwrap_or_default());
        self.valid.push(view.is_some());
    }

    /// Adds values of plain lines; returns the bytes of those that are not missing.
    #[inline]
    pub fn extend_words<'a>(&mut self, words: impl ExactSizeIterator<Item = Word<'a>>) -> usize {
        let (mut bytes, mut rows, mut valid) = (0, 0, 0);
        self.views.reserve(words.len());
        for word in words {
            let len = word.length();
            let is_missing = word.is_missing();
            let view = match len {
                ..=INLINE_MAX if is_missing => 0,
                ..=INLINE_MAX => word.head() << 32 | len as u128,
                _ => self.repeated(word.bytes(), word.head()),
            };
            bytes += if is_missing { 0 } else { len };
            self.views.push(view);
            valid |= u64::from(!is_missing) << rows;
            rows += 1;
            if rows == 64 {
                self.valid.extend(rows, valid);
                (rows, valid) = (0, 0);
            }
        }
        if rows > 0 {
            self.valid.extend(rows, valid);
        }
        bytes
    }

    /// Adds the texts of an array, or of some of its rows (one that is not there is missing); those of which the view says that they are
    /// missing become so. Returns the bytes of the others. The array's own bytes are kept where that holds little that is not needed.
    pub fn extend_views(&mut self, array: &StringViewArray, rows: Option<&[u32]>, is_missing: impl Fn(u128) -> bool) -> usize {
        let (views, buffers, nulls) = (array.views(), array.data_buffers(), array.nulls());
        let kept = self.shared + buffers.iter().map(Buffer::len).sum::<usize>();
        let is_shared = kept <= SHARED_BYTES_MAX && rows.is_none_or(|rows| rows.len() >= array.len() / SHARED_BY_MIN);
        let before = self.again(buffers).or_else(|| {
            if !is_shared {
                return None;
            }
            self.close();
            let before = (self.closed.len() as u128) << 64;
            self.closed.extend_from_slice(buffers);
            self.shared = kept;
            Some(before)
        });
        let mut bytes = 0;
        match rows {
            None => {
                let mut valid =
                    nulls.map(|nulls| nulls.inner().bit_chunks()).map(|bits| bits.iter_padded().collect::<Vec<_>>().into_iter());
                for views in views.chunks(64) {
                    let valid = valid.as_mut().map_or(u64::MAX, |valid| valid.next().unwrap_or_default());
                    bytes += self.extend_some(views, valid, before, array, &is_missing);
                }
            }
            Some(rows) => {
                for rows in rows.chunks(64) {
                    let mut some = [0; 64];
                    let mut valid = 0;
                    for (at, (view, row)) in some.iter_mut().zip(rows).enumerate() {
                        let found = views.get(*row as usize);
                        *view = found.copied().unwrap_or_default();
                        valid |= u64::from(found.is_some() && nulls.is_none_or(|nulls| nulls.is_valid(*row as usize))) << at;
                    }
                    bytes += self.extend_some(some.get(..rows.len()).unwrap_or_default(), valid, before, array, &is_missing);
                }
            }
        }
        bytes
    }

    /// Where the buffers of an array were put down, if they are the last ones: a dictionary serves many batches.
    fn again(&self, buffers: &[Buffer]) -> Option<u128> {
        let before = self.closed.len().checked_sub(buffers.len())?;
        let are_same = self.closed.iter().skip(before).zip(buffers).all(|(one, other)| one.ptr_eq(other) && one.len() == other.len());
        (!buffers.is_empty() && are_same).then_some((before as u128) << 64)
    }

    /// Adds up to 64 views of an array, of which some are valid; long ones as they are but for the number of their buffer, which is that
    /// many more here, or with their bytes. Returns the bytes of their texts.
    fn extend_some(
        &mut self,
        views: &[u128],
        valid: u64,
        before: Option<u128>,
        array: &StringViewArray,
        is_missing: impl Fn(u128) -> bool,
    ) -> usize {
        let all = u64::MAX >> (64 - views.len().clamp(1, 64));
        let mut valid = valid & all;
        for (at, view) in views.iter().enumerate() {
            valid &= !(u64::from(is_missing(*view)) << at);
        }
        self.valid.extend(views.len(), valid);
        if valid == all && before == Some(0) {
            self.views.extend_from_slice(views);
            return views.iter().map(|view| *view as u32 as usize).sum();
        }
        let mut bytes = 0;
        for (at, view) in views.iter().enumerate() {
            let is_valid = valid >> at & 1 == 1;
            let len = if is_valid { *view as u32 as usize } else { 0 };
            bytes += len;
            let view = match before {
                _ if !is_valid => 0,
                _ if len <= INLINE_MAX => *view,
                Some(before) => view + before,
                None => {
                    let text = bytes_of(array, *view);
                    self.repeated(text, head_of(text))
                }
            };
            self.views.push(view);
        }
        bytes
    }

    /// The view of a long text. Ids repeat: those put down lately are not put down again.
    #[inline]
    fn repeated(&mut self, bytes: &[u8], head: u128) -> u128 {
        let len = bytes.len();
        let last = match bytes.last_chunk::<HEAD>() {
            Some(last) if len <= 2 * HEAD => u128::from_le_bytes(*last),
            None => 0,
            Some(_) => return self.long(bytes),
        };
        // The last bytes of an id are its random ones.
        let mixed = (head as u64 ^ (head >> 64) as u64 ^ last as u64 ^ (last >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = (mixed >> (u64::BITS - LATELY.ilog2())) as usize;
        if self.lately.is_empty() {
            self.lately.resize(LATELY, Put::default());
        }
        if let Some(put) = self.lately.get(place)
            && (put.head, put.last, put.view as u32 as usize) == (head, last, len)
        {
            return put.view;
        }
        let view = self.long(bytes);
        if let Some(put) = self.lately.get_mut(place) {
            *put = Put { head, last, view };
        }
        view
    }

    /// Adds a missing value.
    #[inline]
    pub fn push_null(&mut self) {
        self.views.push(0);
        self.valid.push(false);
    }

    /// Adds missing values.
    pub fn extend_nulls(&mut self, rows: usize) {
        self.views.resize(self.views.len() + rows, 0);
        self.valid.extend_nulls(rows);
    }

    fn long(&mut self, text: &[u8]) -> u128 {
        if self.open.len() + text.len() > BUFFER_BYTES {
            self.close();
            // A batch that fills one will fill another: grown by doubling it would take half as much again as it holds.
            self.open.reserve_exact(BUFFER_BYTES);
        }
        let view = make_view(text, self.closed.len() as u32, self.open.len() as u32);
        self.open.extend_from_slice(text);
        view
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.closed.push(Buffer::from_vec(std::mem::take(&mut self.open)));
        }
    }

    /// Returns the column, and starts the next one.
    #[expect(unsafe_code, reason = "the crate would look through every text again")]
    pub fn finish(&mut self) -> ArrayRef {
        self.lately.clear();
        let room = self.open.len();
        self.close();
        // The next batch is as large as a rule; to grow to its size anew costs as much as to fill it.
        self.open.reserve(room);
        let next = Vec::with_capacity(self.views.len());
        let views = ScalarBuffer::from(std::mem::replace(&mut self.views, next));
        let buffers = std::mem::take(&mut self.closed);
        self.shared = 0;
        // SAFETY: every view was made from a whole `&str`, or from a `Word`, which is ASCII and whose head is its own bytes and zeros: it
        // holds a short one's length and bytes, or what `make_view` makes of a long one with the number of the buffer and the
        // place in it at which its bytes were then put; buffers only grow, and are closed in the order of their numbers. Or it is
        // the view of a sound array: a short one as it is, a long one with the number that its buffer has here, since all of the
        // array's were put behind those closed before. Nulls are appended with the views, one for one.
        Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers, self.valid.finish()) })
    }
}

/// Stands for a missing text among views: none is as long as this one would be.
pub const NO_VIEW: u128 = u128::MAX;

/// The texts of a column of a batch, to be read. A column that is missing is NULL throughout.
#[derive(Debug, Clone, Default)]
pub struct Texts(Option<StringViewArray>);

impl Texts {
    /// Takes a column.
    pub fn of(array: Option<&ArrayRef>) -> Texts {
        let array = array.and_then(|array| array.as_any().downcast_ref::<StringViewArray>());
        Texts(array.filter(|array| array.null_count() < array.len()).cloned())
    }

    /// Returns whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the text of a row.
    #[inline]
    pub fn get(&self, at: usize) -> Option<&str> {
        self.0.as_ref().filter(|array| at < array.len() && array.is_valid(at)).map(|array| array.value(at))
    }

    /// Returns the view of a row's text, or [`NO_VIEW`]. Views that are equal are equal texts; equal texts that are too long to stand in
    /// their views may have several.
    #[inline]
    pub fn view(&self, at: usize) -> u128 {
        let valid = self.0.as_ref().filter(|array| array.is_valid(at));
        valid.and_then(|array| array.views().get(at)).copied().unwrap_or(NO_VIEW)
    }
}

/// The bytes of a long text of an array.
fn bytes_of(array: &StringViewArray, view: u128) -> &[u8] {
    let (len, buffer, from) = (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as usize);
    array.data_buffers().get(buffer).and_then(|buffer| buffer.get(from..from + len)).unwrap_or_default()
}

/// Returns the view of a text that is known to be short enough to stand in it.
pub const fn inline(text: &[u8]) -> u128 {
    let (mut view, mut at) = (0, text.len());
    while at > 0 {
        at -= 1;
        view = view << 8 | text[at] as u128;
    }
    view << 32 | text.len() as u128
}

/// The view of a text that is short enough to stand in it: its length in the lowest four bytes, then its own.
#[inline]
fn short(text: &[u8]) -> Option<u128> {
    let len = text.len();
    if len > INLINE_MAX {
        return None;
    }
    let word = |from: usize| text.get(from..from + 8).and_then(|bytes| bytes.first_chunk::<8>()).map(|bytes| u64::from_le_bytes(*bytes));
    let half = |from: usize| text.get(from..from + 4).and_then(|bytes| bytes.first_chunk::<4>()).map(|bytes| u32::from_le_bytes(*bytes));
    // Two loads that overlap cover any length from four on.
    let bytes = match len {
        8.. => u128::from(word(0)?) | u128::from(half(len - 4)?) << (8 * (len - 4)),
        4.. => u128::from(half(0)?) | u128::from(half(len - 4)?) << (8 * (len - 4)),
        _ => text.iter().rev().fold(0, |bytes, byte| bytes << 8 | u128::from(*byte)),
    };
    Some(bytes << 32 | len as u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use proptest::prelude::*;

    #[test]
    fn short_views_are_those_of_the_crate() {
        for len in 0..=INLINE_MAX {
            let text: Vec<u8> = (0..len).map(|at| 200 + at as u8).collect();
            assert_eq!(short(&text), Some(make_view(&text, 0, 0)), "{len}");
        }
        assert_eq!(short(&[b'x'; INLINE_MAX + 1]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn texts_come_back(texts in proptest::collection::vec(proptest::option::of("[a-zé]{0,30}"), 0..60), repeat in 1usize..4_000) {
            let mut column = TextColumn::default();
            // The second one starts anew.
            for _ in 0..2 {
                let long: Vec<Option<String>> = texts.iter().map(|text| text.as_ref().map(|text| text.repeat(repeat))).collect();
                long.iter().for_each(|text| match text {
                    Some(text) => column.push(text),
                    None => column.push_null(),
                });
                let array = column.finish();
                prop_assert!(array.to_data().validate_full().is_ok());
                prop_assert_eq!(array.as_string_view().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>(), long);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn views_that_are_the_same_are_the_same_text(texts in proptest::collection::vec(proptest::option::of("[ab]{0,3}(long, and so elsewhere){0,2}"), 0..60)) {
            let mut column = TextColumn::default();
            texts.iter().for_each(|text| match text {
                Some(text) => column.push(text),
                None => column.push_null(),
            });
            let read = Texts::of(Some(&column.finish()));
            prop_assert_eq!(read.is_empty(), texts.iter().all(Option::is_none));
            for (at, text) in texts.iter().enumerate() {
                prop_assert_eq!(read.get(at), text.as_deref());
                prop_assert_eq!(read.view(at) == NO_VIEW, text.is_none());
                if let Some(text) = text.as_ref().filter(|text| text.len() <= INLINE_MAX) {
                    prop_assert_eq!(read.view(at), inline(text.as_bytes()));
                }
                for other in 0..at {
                    prop_assert!(read.view(at) != read.view(other) || texts[at] == texts[other]);
                }
            }
            prop_assert_eq!((read.get(texts.len()), Texts::of(None).view(0)), (None, NO_VIEW));
        }
    }

    /// What a column of some rows of arrays holds, which is what it should, and the bytes of other arrays that it keeps.
    fn of_arrays(parts: &[(StringViewArray, Option<Vec<u32>>)]) -> usize {
        let is_missing = |view: u128| view == inline(b"-") || view == inline(b"");
        let mut column = TextColumn::default();
        let (mut wanted, mut bytes, mut found) = (Vec::new(), 0, 0);
        for (array, rows) in parts {
            column.push("one of its own, before the others");
            wanted.push(Some("one of its own, before the others".to_owned()));
            found += column.extend_views(array, rows.as_deref(), is_missing);
            let all: Vec<u32> = (0..array.len() as u32).collect();
            for row in rows.as_ref().unwrap_or(&all) {
                let row = *row as usize;
                let text = array.is_valid(row).then(|| array.value(row).to_owned()).filter(|text| !["-", ""].contains(&&**text));
                bytes += text.as_ref().map_or(0, String::len);
                wanted.push(text);
            }
        }
        for again in (0..wanted.len()).filter(|row| wanted[*row].is_some()).collect::<Vec<_>>() {
            column.push_again(again);
            wanted.push(wanted[again].clone());
        }
        let array = column.finish();
        assert!(array.to_data().validate_full().is_ok());
        assert_eq!(array.as_string_view().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>(), wanted);
        assert_eq!(found, bytes);
        let theirs = |buffer: &&Buffer| {
            parts.iter().flat_map(|(array, _)| array.data_buffers()).any(|their| std::ptr::eq(their.as_ptr(), buffer.as_ptr()))
        };
        array.as_string_view().data_buffers().iter().filter(theirs).map(Buffer::len).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn texts_of_arrays_come_back(
            texts in proptest::collection::vec(proptest::collection::vec(proptest::option::of("-|[a-zé]{0,30}"), 0..200), 0..4),
            every in 1usize..40,
        ) {
            let array = |texts: &Vec<Option<String>>| texts.iter().map(Option::as_deref).collect::<StringViewArray>();
            let rows = |array: &StringViewArray| (0..array.len() as u32).step_by(every).collect::<Vec<u32>>();
            let parts: Vec<_> = texts.iter().map(array).map(|array| (array.clone(), Some(rows(&array)).filter(|_| every > 1))).collect();
            of_arrays(&parts);
            let sliced: Vec<_> = parts.iter().filter(|(array, _)| array.len() > 3).map(|(array, _)| (array.slice(1, array.len() - 2), None)).collect();
            of_arrays(&sliced);
        }
    }

    #[test]
    fn bytes_of_arrays_are_kept_where_most_of_them_are_needed() {
        let array =
            |rows: usize, len: usize| (0..rows).map(|row| Some(format!("{row:020}{}", "x".repeat(len - 20)))).collect::<StringViewArray>();
        let rows = |count: u32| Some((0..count).collect::<Vec<u32>>());
        assert_eq!(of_arrays(&[(array(100, 20), None)]), 2_000);
        assert_eq!(of_arrays(&[(array(160, 20), rows(10)), (array(100, 20), None)]), 5_200);
        assert_eq!(of_arrays(&[(array(160, 20), rows(9)), (array(100, 20), None)]), 2_000);
        let most = SHARED_BYTES_MAX;
        assert_eq!([most, most + 1].map(|len| of_arrays(&[(array(1, len), None)])), [most, 0]);
        assert_eq!(of_arrays(&[(array(1, most - 40), None), (array(1, 40), None), (array(1, 40), None)]), most);
    }
}
