//! Which rows of a column being collected hold a value: 64 to a word.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// A bit for each row, and how many rows hold no value.
#[derive(Debug, Default)]
pub struct Validity {
    words: Vec<u64>,
    rows: usize,
    holes: usize,
}

impl Validity {
    /// Adds a row.
    #[inline]
    pub fn push(&mut self, is_valid: bool) {
        self.extend(1, u64::from(is_valid));
    }

    /// Adds up to 64 rows, whose bits are the lowest; the others are zeros.
    #[inline]
    pub fn extend(&mut self, rows: usize, bits: u64) {
        let shift = self.rows % 64;
        if let Some(last) = self.words.last_mut().filter(|_| shift > 0) {
            *last |= bits << shift;
        }
        if shift == 0 {
            self.words.push(bits);
        } else if shift + rows > 64 {
            self.words.push(bits >> (64 - shift));
        }
        self.rows += rows;
        self.holes += rows - bits.count_ones() as usize;
    }

    /// Adds a row for each.
    #[inline]
    pub fn extend_from(&mut self, valid: impl IntoIterator<Item = bool>) {
        let (mut rows, mut bits) = (0, 0);
        for is_valid in valid {
            bits |= u64::from(is_valid) << rows;
            rows += 1;
            if rows == 64 {
                self.extend(64, bits);
                (rows, bits) = (0, 0);
            }
        }
        if rows > 0 {
            self.extend(rows, bits);
        }
    }

    /// Adds rows without a value.
    pub fn extend_nulls(&mut self, rows: usize) {
        self.extend_same(rows, false);
    }

    /// Adds rows that all hold a value, or none of which does.
    pub fn extend_same(&mut self, rows: usize, are_valid: bool) {
        let word = if are_valid { u64::MAX } else { 0 };
        (0..rows / 64).for_each(|_| self.extend(64, word));
        if !rows.is_multiple_of(64) {
            self.extend(rows % 64, word >> (64 - rows % 64));
        }
    }

    /// Returns the bits, `None` if every row holds a value, and starts anew.
    pub fn finish(&mut self) -> Option<NullBuffer> {
        let Validity { words, rows, holes } = std::mem::take(self);
        self.words.reserve(words.len());
        (holes > 0).then(|| NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(words), 0, rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bits_come_back(parts in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 0..200), 0..6), single in any::<bool>()) {
            let mut validity = Validity::default();
            for _ in 0..2 {
                for part in &parts {
                    if single { part.iter().for_each(|bit| validity.push(*bit)) } else { validity.extend_from(part.iter().copied()) }
                    validity.extend_same(part.len(), single);
                }
                let wanted: Vec<bool> = parts.iter().flat_map(|part| part.iter().copied().chain(part.iter().map(|_| single))).collect();
                let holes = wanted.iter().filter(|bit| !**bit).count();
                let found = validity.finish();
                prop_assert_eq!(found.as_ref().map_or(0, NullBuffer::null_count), holes);
                prop_assert_eq!(found.map(|bits| bits.iter().collect::<Vec<_>>()), Some(wanted).filter(|_| holes > 0));
            }
        }
    }
}
