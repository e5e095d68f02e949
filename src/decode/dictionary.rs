//! Columns of texts of a typed file: as they stand, or as keys of a dictionary.
//!
//! A column chunk of a Parquet file holds each of its texts once as a rule, and a key for each row. What is asked of a text (is it an
//! address, is it of a wanted interface) is then asked once for all rows of the chunk, and the texts of rows that nobody wants are
//! never put together.

use arrow::array::types::Int32Type;
use arrow::array::{Array, AsArray, DictionaryArray, Int32Array, StringArray, StringViewArray};
use std::sync::{Arc, OnceLock};

/// Batches that share a dictionary, roughly: what a batch may spend on all texts of one, for each of its own.
const SHARED_BY: usize = 16;

/// The texts of a column chunk.
#[derive(Debug)]
pub struct Dictionary {
    /// As the file has them: while they are held, no others can come to lie where they do.
    stored: StringArray,
    texts: StringViewArray,
    longest: usize,
    /// What was asked of all of them.
    are_addresses: OnceLock<bool>,
    /// By whose interfaces, and the answers.
    are_wanted: OnceLock<(usize, Vec<bool>)>,
}

impl Dictionary {
    fn new(stored: &StringArray) -> Dictionary {
        let texts = StringViewArray::from(stored);
        let longest = lengths(&texts).max().unwrap_or(0);
        Dictionary { stored: stored.clone(), texts, longest, are_addresses: OnceLock::new(), are_wanted: OnceLock::new() }
    }

    fn is_of(&self, stored: &StringArray) -> bool {
        let place = |of: &StringArray| (of.value_offsets().as_ptr(), of.value_data().as_ptr(), of.len());
        place(&self.stored) == place(stored)
    }
}

/// The texts of some rows of a column.
#[derive(Debug)]
pub struct Texts {
    /// Each row's, or each one that rows name.
    texts: StringViewArray,
    named: Option<(Int32Array, Arc<Dictionary>)>,
}

impl From<StringViewArray> for Texts {
    fn from(texts: StringViewArray) -> Texts {
        Texts { texts, named: None }
    }
}

impl Texts {
    /// Takes an array with a dictionary of texts; `last` is that of the batch before, and becomes that of this one. `None` for other
    /// arrays, and for dictionaries with missing texts.
    pub fn named(array: &dyn Array, last: &mut Option<Arc<Dictionary>>) -> Option<Texts> {
        let array: &DictionaryArray<Int32Type> = array.as_any().downcast_ref()?;
        let stored = array.values().as_string_opt::<i32>().filter(|stored| stored.null_count() == 0)?;
        let dictionary = match last.take().filter(|last| last.is_of(stored)) {
            Some(same) => same,
            None => Arc::new(Dictionary::new(stored)),
        };
        *last = Some(Arc::clone(&dictionary));
        Some(Texts { texts: dictionary.texts.clone(), named: Some((array.keys().clone(), dictionary)) })
    }

    /// Returns the texts, in which [`Texts::place`] says where that of a row stands.
    #[inline]
    pub fn texts(&self) -> &StringViewArray {
        &self.texts
    }

    /// Returns where the text of a row stands, if it has one.
    #[inline]
    pub fn place(&self, row: usize) -> Option<usize> {
        match &self.named {
            None => (row < self.texts.len() && self.texts.is_valid(row)).then_some(row),
            Some((keys, _)) => (row < keys.len() && keys.is_valid(row)).then(|| keys.value(row) as usize),
        }
    }

    /// Returns whether rows name texts of a dictionary.
    pub fn are_named(&self) -> bool {
        self.named.is_some()
    }

    /// Returns the key of each row, if all have one.
    pub fn keys(&self) -> Option<&[i32]> {
        self.named.as_ref().filter(|(keys, _)| keys.null_count() == 0).map(|(keys, _)| &keys.values()[..])
    }

    /// Returns whether there are many rows for each text: so many that to ask something of all texts costs no more than to ask it of each
    /// row's.
    pub fn are_few_for(&self, rows: usize) -> bool {
        self.named.is_some() && self.texts.len() <= rows
    }

    /// Returns no less than the bytes of the longest text, and of those of all rows.
    pub fn bounds(&self) -> (usize, usize) {
        match &self.named {
            Some((keys, dictionary)) => (dictionary.longest, dictionary.longest * keys.len()),
            None => lengths(&self.texts).fold((0, 0), |(longest, bytes), len| (longest.max(len), bytes + len)),
        }
    }

    /// Returns the bytes of the texts of all rows.
    pub fn bytes(&self) -> usize {
        let len = |row| self.place(row).and_then(|at| self.texts.views().get(at)).map_or(0, |view| *view as u32 as usize);
        (0..self.named.as_ref().map_or(self.texts.len(), |(keys, _)| keys.len())).map(len).sum()
    }

    /// Returns whether all texts that rows may name are addresses, as `is_address` says of the text at a place, if that is worth finding
    /// out for so many rows. Where it is not so, a row that names another may be one that nobody asks about.
    pub fn are_addresses(&self, rows: usize, is_address: impl Fn(usize) -> bool) -> bool {
        let Some((_, dictionary)) = &self.named else { return false };
        match dictionary.are_addresses.get() {
            Some(known) => *known,
            None if self.texts.len() > rows * SHARED_BY => false,
            None => *dictionary.are_addresses.get_or_init(|| (0..self.texts.len()).all(is_address)),
        }
    }

    /// Returns for each text whether it names a wanted interface, as `is_wanted` says, if that is worth finding out for so many rows.
    /// Of several sets of interfaces, told apart by `way`, the first that asks has its answers kept.
    pub fn are_wanted(&self, rows: usize, way: usize, is_wanted: impl FnMut(usize) -> bool) -> Option<&[bool]> {
        let (_, dictionary) = self.named.as_ref()?;
        if dictionary.are_wanted.get().is_none() && self.texts.len() > rows * SHARED_BY {
            return None;
        }
        let (of, are_wanted) = dictionary.are_wanted.get_or_init(|| (way, (0..self.texts.len()).map(is_wanted).collect()));
        (*of == way).then_some(are_wanted)
    }
}

fn lengths(texts: &StringViewArray) -> impl Iterator<Item = usize> {
    texts.views().iter().map(|view| *view as u32 as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn named(keys: Vec<Option<i32>>, stored: &Arc<StringArray>) -> DictionaryArray<Int32Type> {
        DictionaryArray::new(keys.into(), Arc::clone(stored) as arrow::array::ArrayRef)
    }

    #[test]
    fn a_dictionary_serves_until_another_comes() {
        let stored = || Arc::new(StringArray::from(vec!["a", "bcd", "a text that is too long for a view"]));
        let (one, other) = (stored(), stored());
        let mut last = None;
        let mut take = |keys, stored: &Arc<StringArray>| {
            let texts = Texts::named(&named(keys, stored), &mut last).unwrap();
            let asked = Cell::new(0);
            texts.are_addresses(3, |_| {
                asked.set(asked.get() + 1);
                true
            });
            let of = |row| texts.place(row).map(|at| texts.texts().value(at).to_owned());
            ((0..4).map(of).collect::<Vec<_>>(), texts.bounds(), texts.bytes(), asked.get())
        };
        let text = |text: &str| Some(text.to_owned());
        let long = "a text that is too long for a view";
        assert_eq!(take(vec![Some(1), None, Some(2)], &one), (vec![text("bcd"), None, text(long), None], (34, 102), 37, 3));
        assert_eq!(take(vec![Some(0)], &one), (vec![text("a"), None, None, None], (34, 34), 1, 0), "it was asked before");
        assert_eq!(take(vec![Some(0)], &other), (vec![text("a"), None, None, None], (34, 34), 1, 3));
    }

    #[test]
    fn all_texts_are_asked_about_where_that_costs_no_more() {
        let many = Arc::new(StringArray::from_iter_values((0..SHARED_BY as i32 * 2).map(|number| number.to_string())));
        let of = |rows: usize| {
            let texts = Texts::named(&named(vec![Some(0); rows], &many), &mut None).unwrap();
            (texts.are_addresses(rows, |at| at < 99), texts.are_wanted(rows, 0, |at| at == 1).map(<[bool]>::len), texts.are_few_for(rows))
        };
        assert_eq!(of(1), (false, None, false));
        assert_eq!(of(2), (true, Some(SHARED_BY * 2), false));
        assert_eq!(of(SHARED_BY * 2), (true, Some(SHARED_BY * 2), true));
        let plain = Texts::from(StringViewArray::from(vec!["a"]));
        assert!(!plain.are_few_for(9) && !plain.are_addresses(9, |_| true) && plain.are_wanted(9, 0, |_| true).is_none());
    }

    #[test]
    fn other_arrays_have_no_such_texts() {
        let with_none = Arc::new(StringArray::from(vec![Some("a"), None]));
        assert!(Texts::named(&named(vec![Some(0)], &with_none), &mut None).is_none());
        assert!(Texts::named(&*with_none, &mut None).is_none());
    }
}
