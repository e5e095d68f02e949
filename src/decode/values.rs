//! Columns of typed files → cells: what writers between AWS and the user have made of AWS's types.
//!
//! AWS writes INT32, INT64 and strings. pandas makes DOUBLE of an integer column with missing values, Glue and Firehose
//! make strings of numbers, Spark makes timestamps of seconds; a value is taken for what it says, whatever its type, and
//! what does not say a value of its field becomes a reject, never NULL.

use super::columns::{Cell, Cells, whole};
use super::dictionary::{Dictionary, Texts};
use super::records::LINE_LEN_MAX;
use super::reject::Reason;
use super::text_column::inline;
use crate::flow::field::{FieldId, id};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, StringArray, StringViewArray, TimestampSecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::sync::Arc;

/// What a column holds, if that is of one kind.
#[derive(Debug, Clone, Copy)]
pub enum Uniform<'a> {
    /// It was not read.
    Nothing,
    /// Whole numbers.
    Numbers(&'a Int64Array),
    /// Texts, some of which may say that there is no value ([`Values::is_missing`]).
    Texts(&'a Texts),
}

/// The values of one column.
#[derive(Debug, Default)]
pub struct Values {
    numbers: Option<Int64Array>,
    /// Where there is no number.
    texts: Option<Texts>,
    has_null_words: bool,
    /// For each row, why its bytes are no value, if there are such.
    unusable: Option<Unusable>,
}

impl Values {
    /// Reads a column that holds a field, or something unknown.
    ///
    /// # Errors
    /// Only if Arrow cannot do what its types allow.
    pub fn new(array: &ArrayRef, field: Option<FieldId>) -> Result<Values, ArrowError> {
        if let DataType::Dictionary(_, value) = array.data_type() {
            return Values::new(&cast(array, value)?, field);
        }
        let numbers = numbers(array, field)?;
        if let Some(numbers) = &numbers
            && field.is_some_and(is_account)
        {
            return Ok(Values::of_texts(numbers.iter().map(|number| number.map(|number| format!("{number:012}"))).collect()));
        }
        let needs_texts = numbers.as_ref().is_none_or(|numbers| numbers.null_count() > array.logical_null_count());
        let (texts, unusable) =
            if needs_texts { texts(array).map(|(texts, unusable)| (Some(texts.into()), unusable))? } else { (None, None) };
        Ok(Values { numbers, texts, has_null_words: field.is_some_and(|field| !is_tag(field)), unusable })
    }

    /// Does the same for the next rows of a column; texts with a dictionary are taken with it, which `last` holds from batch to batch.
    ///
    /// # Errors
    /// As for [`Values::new`].
    pub fn next(array: &ArrayRef, field: Option<FieldId>, last: &mut Option<Arc<Dictionary>>) -> Result<Values, ArrowError> {
        match Texts::named(array, last) {
            Some(texts) => {
                Ok(Values { texts: Some(texts), has_null_words: field.is_some_and(|field| !is_tag(field)), ..Values::default() })
            }
            None => Values::new(array, field),
        }
    }

    /// Takes texts as they are.
    pub fn of_texts(texts: StringViewArray) -> Values {
        Values { texts: Some(texts.into()), has_null_words: true, ..Values::default() }
    }

    /// Takes numbers as they are.
    pub fn of_numbers(numbers: Int64Array) -> Values {
        Values { numbers: Some(numbers), ..Values::default() }
    }

    /// Returns the cell of a row.
    #[inline]
    pub fn cell(&self, row: usize) -> Cell<'_> {
        if let Some(numbers) = &self.numbers
            && numbers.is_valid(row)
        {
            return Cell::Number(numbers.value(row));
        }
        match self.text_at(row) {
            Some((view, text)) if !self.is_missing(view) => Cell::Text(text),
            _ => Cell::Null,
        }
    }

    /// Returns the text of a row, whatever it says, and its view.
    #[inline]
    fn text_at(&self, row: usize) -> Option<(u128, &str)> {
        let texts = self.texts.as_ref()?;
        let (at, texts) = (texts.place(row)?, texts.texts());
        texts.views().get(at).map(|view| (*view, texts.value(at)))
    }

    /// Returns whether the text that a view stands for says that there is no value.
    #[inline]
    pub fn is_missing(&self, view: u128) -> bool {
        // What pandas and SQL engines write for a missing value when they write text.
        const WORDS: [u128; 6] = [inline(b"None"), inline(b"nan"), inline(b"NaN"), inline(b"<NA>"), inline(b"NULL"), inline(b"null")];
        match view as u32 {
            0 => true,
            1 => view == const { inline(b"-") },
            3 | 4 => self.has_null_words && WORDS.contains(&view),
            _ => false,
        }
    }

    /// Returns the column as one array; `None` if it takes more than one to say what it holds, or some bytes are no value.
    pub fn uniform(&self) -> Option<Uniform<'_>> {
        match (&self.numbers, &self.texts, &self.unusable) {
            (None, None, None) => Some(Uniform::Nothing),
            (Some(numbers), None, None) => Some(Uniform::Numbers(numbers)),
            (None, Some(texts), None) => Some(Uniform::Texts(texts)),
            _ => None,
        }
    }

    /// Returns the bytes of text in a row.
    pub fn text_len(&self, row: usize) -> usize {
        self.text_at(row).map_or(0, |(_, text)| text.len())
    }

    /// Returns why the bytes of a row are no value.
    pub fn unusable(&self, row: usize) -> Option<Reason> {
        self.unusable.as_ref().and_then(|rows| rows.get(row)).copied().flatten()
    }

    /// Returns the text of a row, if it holds any; of a text that no record has, as much as shows that it is too long.
    pub fn text(&self, row: usize) -> Option<String> {
        match self.cell(row) {
            Cell::Null => None,
            Cell::Text(text) if text.len() > LINE_LEN_MAX => Some("?".repeat(LINE_LEN_MAX + 1)),
            Cell::Text(text) => Some(text.to_owned()),
            Cell::Number(number) => Some(number.to_string()),
        }
    }

    /// Returns the number of a row, if it holds one.
    pub fn number(&self, row: usize) -> Option<i64> {
        match self.cell(row) {
            Cell::Number(number) => Some(number),
            Cell::Text(text) => text.parse().ok(),
            Cell::Null => None,
        }
    }
}

/// A row of some columns.
#[derive(Debug)]
pub struct Row<'a> {
    /// The columns.
    pub columns: &'a [Values],
    /// Its place in them.
    pub row: usize,
    /// What it holds beside them.
    pub rest: &'a [(String, String)],
}

impl Row<'_> {
    /// Returns whether some columns hold values, and no more text than a line.
    pub fn is_sound(&self, columns: &[usize]) -> bool {
        let values = || columns.iter().filter_map(|at| self.columns.get(*at));
        let text_len: usize = values().map(|values| values.text_len(self.row)).sum();
        text_len <= LINE_LEN_MAX && values().all(|values| values.unusable(self.row).is_none())
    }

    /// Returns the bytes of text in it.
    pub fn text_len(&self) -> usize {
        let rest = self.rest.iter().map(|(name, value)| name.len() + value.len());
        self.columns.iter().map(|values| values.text_len(self.row)).chain(rest).sum()
    }
}

impl Cells for Row<'_> {
    #[inline]
    fn cell(&self, at: usize) -> Cell<'_> {
        self.columns.get(at).map_or(Cell::Null, |values| values.cell(self.row))
    }

    fn beside(&self, take: &mut dyn FnMut(&str, &str)) {
        self.rest.iter().for_each(|(name, value)| take(name, value));
    }
}

/// Accounts are twelve digits (AWS Account Management guide); as a number they lose their leading zeros.
fn is_account(field: FieldId) -> bool {
    field == id::ACCOUNT_ID || matches!(field.field().name, "tgw-src-vpc-account-id" | "tgw-dst-vpc-account-id")
}

/// The value of a tag is the user's, who may call something `None`.
fn is_tag(field: FieldId) -> bool {
    (id::INSTANCE_TAG..=id::ASG_TAG_2).contains(&field)
}

/// Returns the values that are whole numbers; NULL where a value is missing or is none. `None` for columns of other things.
fn numbers(array: &ArrayRef, field: Option<FieldId>) -> Result<Option<Int64Array>, ArrowError> {
    Ok(Some(match array.data_type() {
        DataType::UInt64 => {
            array.as_any().downcast_ref::<UInt64Array>().into_iter().flatten().map(|value| i64::try_from(value?).ok()).collect()
        }
        kind if kind.is_integer() => cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64)?;
            floats.as_any().downcast_ref::<Float64Array>().into_iter().flatten().map(|value| whole(value?)).collect()
        }
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            let decimals = cast(array, &DataType::Decimal128(38, *scale))?;
            let one = u32::try_from(*scale).ok().and_then(|scale| 10i128.checked_pow(scale));
            let whole = |value: i128| one.filter(|one| value % one == 0).and_then(|one| i64::try_from(value / one).ok());
            decimals.as_any().downcast_ref::<Decimal128Array>().into_iter().flatten().map(|value| whole(value?)).collect()
        }
        DataType::Timestamp(_, zone) if matches!(field, Some(id::START | id::END)) => {
            let seconds = cast(array, &DataType::Timestamp(TimeUnit::Second, zone.clone()))?;
            seconds.as_any().downcast_ref::<TimestampSecondArray>().into_iter().flatten().collect()
        }
        _ => return Ok(None),
    }))
}

/// For each row, why it holds no value.
type Unusable = Vec<Option<Reason>>;

/// Returns the values as text, and why some are none.
fn texts(array: &ArrayRef) -> Result<(StringViewArray, Option<Unusable>), ArrowError> {
    let texts = match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::Utf8View)?,
        DataType::FixedSizeBinary(_) => return texts(&cast(array, &DataType::Binary)?),
        DataType::Binary | DataType::LargeBinary => return texts(&cast(array, &DataType::BinaryView)?),
        DataType::BinaryView => {
            // After the length: to look through a value of 60 MB once for every row that names it takes hours.
            let text = |bytes: &[u8]| match bytes.len() {
                ..=LINE_LEN_MAX => std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Reason::NotText),
                _ => Err(Reason::LineTooLong),
            };
            let bytes = array.as_binary_view();
            let is_short = bytes.iter().flatten().all(|bytes| bytes.len() <= LINE_LEN_MAX);
            match is_short.then(|| cast(array, &DataType::Utf8View)) {
                Some(Ok(texts)) if texts.null_count() == array.null_count() => texts,
                _ => {
                    let texts: Vec<_> = bytes.iter().map(|bytes| bytes.map(text).transpose()).collect();
                    let unusable = texts.iter().map(|text| text.as_ref().err().copied()).collect();
                    return Ok((texts.into_iter().map(|text| text.ok().flatten()).collect(), Some(unusable)));
                }
            }
        }
        _ => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(array, &options)?;
            let text = |row| array.is_valid(row).then(|| formatter.value(row).try_to_string()).transpose();
            let texts: StringArray = (0..array.len()).map(text).collect::<Result<Vec<_>, _>>()?.into_iter().collect();
            cast(&texts, &DataType::Utf8View)?
        }
    };
    Ok((texts.as_string_view().clone(), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryArray, Float64Array, Int32Array};

    fn shown(array: impl Array + 'static, field: FieldId) -> Vec<String> {
        shown_all(&(Arc::new(array) as ArrayRef), field)
    }

    fn shown_all(array: &ArrayRef, field: FieldId) -> Vec<String> {
        let values = Values::new(array, Some(field)).unwrap();
        (0..array.len()).map(|row| format!("{:?}", values.cell(row))).collect()
    }

    #[test]
    fn numbers_of_any_type_are_numbers() {
        let want = ["Number(443)", "Null"];
        assert_eq!(shown(Int32Array::from(vec![Some(443), None]), id::SRCPORT), want);
        assert_eq!(shown(Float64Array::from(vec![Some(443.0), None]), id::SRCPORT), want);
        assert_eq!(shown(Float64Array::from(vec![443.0, f64::NAN]), id::SRCPORT), want);
        let decimal = Decimal128Array::from(vec![Some(44_300), None]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(shown(decimal, id::SRCPORT), want);
        assert_eq!(shown(UInt64Array::from(vec![Some(443), None]), id::SRCPORT), want);
    }

    #[test]
    fn what_is_no_whole_number_stays_visible() {
        assert_eq!(shown(Float64Array::from(vec![0.5, 1.0, f64::INFINITY]), id::BYTES), ["Text(\"0.5\")", "Number(1)", "Text(\"inf\")"]);
        assert_eq!(shown(UInt64Array::from(vec![u64::MAX]), id::BYTES), ["Text(\"18446744073709551615\")"]);
        let decimal = Decimal128Array::from(vec![150]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(shown(decimal, id::BYTES), ["Text(\"1.50\")"]);
    }

    #[test]
    fn words_for_nothing_are_null_but_not_in_tags() {
        let words = vec!["None", "nan", "<NA>", "", "-", "null"];
        assert!(shown(StringArray::from(words.clone()), id::BYTES).iter().all(|cell| cell == "Null"));
        assert_eq!(shown(StringArray::from(words), id::INTERFACE_TAG)[0], "Text(\"None\")");
    }

    #[test]
    fn accounts_get_their_zeros_back_and_timestamps_become_seconds() {
        assert_eq!(shown(Int64Array::from(vec![12_345_678_901]), id::ACCOUNT_ID), ["Text(\"012345678901\")"]);
        let times = arrow::array::TimestampMillisecondArray::from(vec![1_418_530_010_000]);
        assert_eq!(shown(times, id::START), ["Number(1418530010)"]);
    }

    #[test]
    fn what_is_kept_beside_numbers_and_texts() {
        let numbers = Values::of_numbers(Int64Array::from(vec![Some(7), None]));
        assert_eq!(
            [0, 1].map(|row| (numbers.number(row), numbers.text(row), numbers.text_len(row))),
            [(Some(7), Some("7".into()), 0), (None, None, 0)]
        );
        let texts = Values::of_texts(StringViewArray::from_iter([Some("-42"), Some("eni-1"), Some("None"), None]));
        assert_eq!([0, 1, 2, 3].map(|row| texts.number(row)), [Some(-42), None, None, None]);
        assert_eq!([0, 1, 2, 3].map(|row| texts.text_len(row)), [3, 5, 4, 0]);
        assert_eq!([0, 1, 2, 3].map(|row| texts.text(row)), [Some("-42".to_owned()), Some("eni-1".to_owned()), None, None]);
        // A column of both: whole numbers are numbers, the others texts.
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(5.0), Some(0.5), None]));
        let both = Values::new(&floats, Some(id::BYTES)).unwrap();
        assert_eq!([0, 1, 2].map(|row| both.text(row)), [Some("5".to_owned()), Some("0.5".to_owned()), None]);
        assert_eq!([0, 1, 2].map(|row| both.number(row)), [Some(5), None, None]);
    }

    #[test]
    fn texts_longer_than_a_line_are_cut_or_said_to_be_too_long() {
        let of = |len: usize| "x".repeat(len);
        let long = [LINE_LEN_MAX - 1, LINE_LEN_MAX, LINE_LEN_MAX + 1, LINE_LEN_MAX * 3].map(of);
        let texts = Values::of_texts(long.iter().map(Some).collect());
        let cut = "?".repeat(LINE_LEN_MAX + 1);
        assert_eq!([0, 1, 2, 3].map(|row| texts.text(row)), [long[0].clone(), long[1].clone(), cut.clone(), cut].map(Some));
        let bytes: ArrayRef = Arc::new(BinaryArray::from_iter(long.iter().map(Some).chain([None])));
        let values = Values::new(&bytes, None).unwrap();
        let too_long = Some(Reason::LineTooLong);
        assert_eq!([0, 1, 2, 3, 4].map(|row| values.unusable(row)), [None, None, too_long, too_long, None]);
        assert_eq!([0, 1, 2, 3, 4].map(|row| values.text_len(row)), [LINE_LEN_MAX - 1, LINE_LEN_MAX, 0, 0, 0]);
        let all_too_long: ArrayRef = Arc::new(BinaryArray::from_iter(long[2..].iter().map(Some)));
        assert_eq!([0, 1].map(|row| Values::new(&all_too_long, None).unwrap().unusable(row)), [too_long; 2]);
    }

    #[test]
    fn columns_of_every_type_that_writers_choose() {
        use arrow::array::{Decimal256Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, LargeBinaryArray, LargeStringArray};
        use arrow::datatypes::{Int32Type, i256};
        let text = |array: ArrayRef, field| shown_all(&array, field);
        let fixed = FixedSizeBinaryArray::try_from_iter([b"eni-1", b"eni-2"].into_iter()).unwrap();
        assert_eq!(text(Arc::new(fixed), id::INTERFACE_ID), ["Text(\"eni-1\")", "Text(\"eni-2\")"]);
        assert_eq!(text(Arc::new(LargeBinaryArray::from(vec![&b"eni-1"[..]])), id::INTERFACE_ID), ["Text(\"eni-1\")"]);
        assert_eq!(text(Arc::new(LargeStringArray::from(vec!["eni-1"])), id::INTERFACE_ID), ["Text(\"eni-1\")"]);
        let words: DictionaryArray<Int32Type> = vec!["eni-1", "eni-2", "eni-1"].into_iter().collect();
        assert_eq!(text(Arc::new(words), id::INTERFACE_ID), ["Text(\"eni-1\")", "Text(\"eni-2\")", "Text(\"eni-1\")"]);
        assert_eq!(text(Arc::new(Float32Array::from(vec![6.0, 6.5])), id::PROTOCOL), ["Number(6)", "Text(\"6.5\")"]);
        let wide = Decimal256Array::from(vec![i256::from_i128(400_100)]).with_precision_and_scale(40, 2).unwrap();
        assert_eq!(text(Arc::new(wide), id::BYTES), ["Number(4001)"]);
        // Times of other fields are texts, and accounts that are not the record's own have their zeros too.
        let times = arrow::array::TimestampMillisecondArray::from(vec![1_418_530_010_000]);
        assert_eq!(text(Arc::new(times), id::BYTES), ["Text(\"2014-12-14T04:06:50\")"]);
        let account = FieldId::by_name("tgw-dst-vpc-account-id").unwrap();
        assert_eq!(text(Arc::new(Int64Array::from(vec![7])), account), ["Text(\"000000000007\")"]);
        assert_eq!(text(Arc::new(Int64Array::from(vec![7])), id::BYTES), ["Number(7)"]);
        assert_eq!(text(Arc::new(StringArray::from(vec!["None"])), id::ASG_TAG_2), ["Text(\"None\")"]);
    }

    #[test]
    fn bytes_are_text_or_said_to_be_none() {
        assert_eq!(shown(BinaryArray::from(vec![&b"eni-1"[..]]), id::INTERFACE_ID), ["Text(\"eni-1\")"]);
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![Some(&b"\xff\xfe"[..]), Some(&b"eni-1"[..]), None]));
        let values = Values::new(&bytes, Some(id::INTERFACE_ID)).unwrap();
        assert_eq!([0, 1, 2].map(|row| values.unusable(row)), [Some(Reason::NotText), None, None]);
        assert_eq!(values.text(1).as_deref(), Some("eni-1"));
    }
}
