//! A column of texts being collected: Arrow's string views (Arrow columnar format, "Variable-size Binary View Layout").
//!
//! The builder of the arrow crate asks more of each value than a value of a flow log is worth: it cost a third of decoding all
//! columns.

use arrow::array::builder::{NullBufferBuilder, make_view};
use arrow::array::{ArrayRef, StringViewArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use std::sync::Arc;

/// Longest text that stands in its view.
const INLINE_MAX: usize = 12;
/// Bytes after which a buffer is closed. A text is shorter than a line, so places in a buffer stay numbers of 32 bits.
const BUFFER_BYTES: usize = 1 << 20;

/// Collects texts.
#[derive(Debug)]
pub struct TextColumn {
    views: Vec<u128>,
    /// Bytes of the longer texts.
    open: Vec<u8>,
    closed: Vec<Buffer>,
    nulls: NullBufferBuilder,
}

impl Default for TextColumn {
    fn default() -> TextColumn {
        TextColumn { views: Vec::new(), open: Vec::new(), closed: Vec::new(), nulls: NullBufferBuilder::new(0) }
    }
}

impl TextColumn {
    /// Adds a text.
    #[inline]
    pub fn push(&mut self, text: &str) {
        let view = match short(text.as_bytes()) {
            Some(view) => view,
            None => self.long(text),
        };
        self.views.push(view);
        self.nulls.append_non_null();
    }

    /// Adds a missing value.
    #[inline]
    pub fn push_null(&mut self) {
        self.views.push(0);
        self.nulls.append_null();
    }

    fn long(&mut self, text: &str) -> u128 {
        if self.open.len() + text.len() > BUFFER_BYTES {
            self.close();
        }
        let view = make_view(text.as_bytes(), self.closed.len() as u32, self.open.len() as u32);
        self.open.extend_from_slice(text.as_bytes());
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
        self.close();
        let views = ScalarBuffer::from(std::mem::take(&mut self.views));
        let buffers = std::mem::take(&mut self.closed);
        // SAFETY: every view was made by `short` or `make_view`, from a whole `&str` and, if it is long, the number of the buffer and the
        // place in it at which its bytes were then put; buffers only grow, and are closed in the order of their numbers. Nulls
        // are appended with the views, one for one.
        Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers, self.nulls.finish()) })
    }
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
    use arrow::array::{Array, AsArray};
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
}
