//! Rows of values → a batch.

use crate::error::Result;
use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampSecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use rust_decimal::Decimal;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

/// One column: name, type, meaning.
pub type ColumnDoc = (&'static str, DataType, &'static str);

/// Returns the type of an instant.
pub fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))
}

/// Returns the type of money: millionths of a dollar.
pub fn money() -> DataType {
    DataType::Decimal128(38, 6)
}

/// Returns the schema of some columns.
pub fn schema(columns: &[ColumnDoc]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, kind, _)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

/// One value of a row.
#[expect(missing_debug_implementations, reason = "a function has none")]
pub enum Value<'a> {
    /// A text, or NULL.
    Text(Option<&'a str>),
    /// A small number, or NULL.
    Int32(Option<i32>),
    /// A number, or NULL.
    Int64(Option<i64>),
    /// A count.
    Count(u64),
    /// Yes or no.
    Bool(bool),
    /// An instant, or NULL.
    Time(Option<i64>),
    /// An amount, or NULL.
    Decimal(Option<Decimal>),
    /// An address in words, or NULL.
    Address(Option<IpAddr>),
    /// A text, or NULL, that is looked up only where its column is wanted.
    Found(&'a dyn Fn() -> Option<&'a str>),
    /// A text, or NULL, that is made only where its column is wanted.
    Made(&'a dyn Fn() -> Option<String>),
}

/// Rows being collected.
#[derive(Debug)]
pub struct Rows {
    schema: SchemaRef,
    /// By column; none where it is not wanted.
    builders: Vec<Option<Builder>>,
    /// Which columns make up the batch, in its order.
    wanted: Vec<usize>,
    len: usize,
    folded: Option<Folded>,
}

/// Which rows there are, so that one that is like another but for its counts is added to it.
#[derive(Debug, Default)]
struct Folded {
    /// Rows by the hash of their words.
    index: HashTable<u32>,
    /// What stands in the columns of a row, as words; each row has as many.
    words: Vec<u64>,
    /// Numbers of texts that are made for a row.
    made: HashMap<String, u64, RandomState>,
    state: RandomState,
    /// Those of the row that is being added.
    new: Vec<u64>,
}

/// One builder, by type.
#[derive(Debug)]
enum Builder {
    Text(StringBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Bool(BooleanBuilder),
    Time(TimestampSecondBuilder),
    Decimal(Decimal128Builder, u32),
}

impl Rows {
    /// Starts a batch of some columns.
    pub fn new(columns: &[ColumnDoc]) -> Rows {
        Rows::of(columns, (0..columns.len()).collect())
    }

    /// Starts a batch of those columns that are wanted, by their places; rows are still pushed with all values.
    pub fn of(columns: &[ColumnDoc], wanted: Vec<usize>) -> Rows {
        let builder = |(_, kind, _): &ColumnDoc| match kind {
            DataType::Int32 => Builder::Int32(Int32Builder::new()),
            DataType::Int64 => Builder::Int64(Int64Builder::new()),
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            DataType::Decimal128(_, scale) => {
                Builder::Decimal(Decimal128Builder::new().with_data_type(kind.clone()), u32::try_from(*scale).unwrap_or(0))
            }
            DataType::Timestamp(..) => Builder::Time(TimestampSecondBuilder::new().with_timezone("UTC")),
            _ => Builder::Text(StringBuilder::new()),
        };
        let builders = columns.iter().enumerate().map(|(at, column)| wanted.contains(&at).then(|| builder(column))).collect();
        let batch: Vec<ColumnDoc> = wanted.iter().filter_map(|at| columns.get(*at).cloned()).collect();
        Rows { schema: schema(&batch), builders, wanted, len: 0, folded: None }
    }

    /// Starts a batch in which rows that are alike in all that is wanted but counts are one: their counts are added up.
    pub fn folding(columns: &[ColumnDoc], wanted: Vec<usize>) -> Rows {
        Rows { folded: Some(Folded::default()), ..Rows::of(columns, wanted) }
    }

    /// Returns the number of rows.
    pub fn count(&self) -> usize {
        self.len
    }

    /// Adds a row, its values in the order of the columns.
    pub fn push(&mut self, values: &[Value<'_>]) {
        if let Some(folded) = &mut self.folded {
            let wanted = self.builders.iter().zip(values).filter(|(builder, _)| builder.is_some()).map(|(_, value)| value);
            if let Some(row) = folded.row(wanted, self.len as u32) {
                return self.add(row as usize, values);
            }
        }
        self.len += 1;
        for (builder, value) in self.builders.iter_mut().zip(values) {
            let Some(builder) = builder else { continue };
            match (builder, value) {
                (Builder::Text(builder), Value::Text(value)) => builder.append_option(*value),
                (Builder::Text(builder), Value::Address(value)) => builder.append_option(value.map(|address| address.to_string())),
                (Builder::Text(builder), Value::Found(value)) => builder.append_option(value()),
                (Builder::Text(builder), Value::Made(value)) => builder.append_option(value()),
                (Builder::Int32(builder), Value::Int32(value)) => builder.append_option(*value),
                (Builder::Int64(builder), Value::Count(value)) => builder.append_value(count(*value)),
                (Builder::Int64(builder), Value::Int64(value)) => builder.append_option(*value),
                (Builder::Bool(builder), Value::Bool(value)) => builder.append_value(*value),
                (Builder::Time(builder), Value::Time(value)) => builder.append_option(*value),
                (Builder::Decimal(builder, scale), Value::Decimal(value)) => {
                    builder.append_option(value.and_then(|value| units(value, *scale)))
                }
                // Types and values stand in the same order; a slip shows as a length mismatch at the end.
                _ => {}
            }
        }
    }

    /// Adds the counts of a row to one that is there.
    fn add(&mut self, row: usize, values: &[Value<'_>]) {
        for (builder, value) in self.builders.iter_mut().zip(values) {
            if let (Some(Builder::Int64(builder)), Value::Count(value)) = (builder, value)
                && let Some(sum) = builder.values_slice_mut().get_mut(row)
            {
                *sum = sum.saturating_add(count(*value));
            }
        }
    }

    /// Ends the batch.
    ///
    /// # Errors
    /// Only if a row and the columns disagree, which is a fault of the caller.
    pub fn finish(mut self) -> Result<RecordBatch> {
        let made = |at: &usize| self.builders.get_mut(*at).and_then(Option::take);
        let arrays = self.wanted.iter().filter_map(made).map(|builder| -> ArrayRef {
            match builder {
                Builder::Text(mut builder) => Arc::new(builder.finish()),
                Builder::Int32(mut builder) => Arc::new(builder.finish()),
                Builder::Int64(mut builder) => Arc::new(builder.finish()),
                Builder::Bool(mut builder) => Arc::new(builder.finish()),
                Builder::Time(mut builder) => Arc::new(builder.finish()),
                Builder::Decimal(mut builder, _) => Arc::new(builder.finish()),
            }
        });
        let arrays = arrays.collect();
        Ok(RecordBatch::try_new_with_options(self.schema, arrays, &RecordBatchOptions::new().with_row_count(Some(self.len)))?)
    }
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Folded {
    /// Returns the row that is like the new one, or takes the new one as `next`.
    fn row<'v, 'w: 'v>(&mut self, values: impl Iterator<Item = &'v Value<'w>>, next: u32) -> Option<u32> {
        self.new.clear();
        values.for_each(|value| value.words(&mut self.new, &mut self.made));
        let (hash, stride) = (self.state.hash_one(&*self.new), self.new.len());
        let place = |row: &u32| *row as usize * stride..(*row as usize + 1) * stride;
        let is_same = |row: &u32| self.words.get(place(row)) == Some(&*self.new);
        if let Some(row) = self.index.find(hash, is_same) {
            return Some(*row);
        }
        self.words.extend_from_slice(&self.new);
        let (words, state) = (&self.words, &self.state);
        self.index.insert_unique(hash, next, |row| words.get(place(row)).map_or(0, |words| state.hash_one(words)));
        None
    }
}

impl Value<'_> {
    /// Appends what tells the value from others of its column; nothing for a count. Texts are told by where they stand: of two
    /// that are equal in two places nothing is lost but a fold.
    fn words(&self, words: &mut Vec<u64>, made: &mut HashMap<String, u64, RandomState>) {
        const NULL: u64 = 1 << 32;
        let place = |text: &Option<&str>| text.map_or([0, NULL], |text| [text.as_ptr() as u64, text.len() as u64]);
        match self {
            Value::Count(_) => {}
            Value::Text(text) => words.extend(place(text)),
            Value::Address(None) => words.extend([0, 0, NULL]),
            Value::Address(Some(IpAddr::V4(v4))) => words.extend([u64::from(v4.to_bits()), 0, 4]),
            Value::Address(Some(IpAddr::V6(v6))) => words.extend([v6.to_bits() as u64, (v6.to_bits() >> 64) as u64, 6]),
            Value::Found(find) => words.extend(place(&find())),
            Value::Made(make) => words.push(make().map_or(NULL, |text| {
                let next = made.len() as u64;
                *made.entry(text).or_insert(next)
            })),
            Value::Int32(value) => words.push(value.map_or(NULL, |value| u64::from(value.cast_unsigned()))),
            Value::Bool(value) => words.push(u64::from(*value)),
            Value::Int64(value) | Value::Time(value) => words.extend([u64::from(value.is_some()), value.unwrap_or(0).cast_unsigned()]),
            Value::Decimal(value) => match value.map(|value| value.normalize().mantissa().cast_unsigned()) {
                Some(mantissa) => {
                    words.extend([mantissa as u64, (mantissa >> 64) as u64, value.map_or(0, |value| u64::from(value.normalize().scale()))])
                }
                None => words.extend([0, 0, NULL]),
            },
        }
    }
}

/// Returns a decimal in units of the column's last place. `Decimal` itself ends at 28 digits, where its own rescaling leaves the
/// scale as it is; the column has 38. NULL beyond those.
fn units(mut value: Decimal, scale: u32) -> Option<i128> {
    value.rescale(scale);
    value.mantissa().checked_mul(10_i128.checked_pow(scale.checked_sub(value.scale())?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_alike_are_one_and_their_counts_are_added_up() {
        let columns: [ColumnDoc; 6] = [
            ("text", DataType::Utf8, ""),
            ("number", DataType::Int32, ""),
            ("time", utc(), ""),
            ("made", DataType::Utf8, ""),
            ("bytes", DataType::Int64, ""),
            ("yes", DataType::Boolean, ""),
        ];
        let text = "aab";
        let (first, second) = (&text[..1], &text[1..2]);
        let make = |made: Option<&'static str>| move || made.map(str::to_owned);
        let sums = |wanted: &[usize], folding: bool| {
            let mut rows = if folding { Rows::folding(&columns, wanted.to_vec()) } else { Rows::of(&columns, wanted.to_vec()) };
            let mut push =
                |text: Option<&str>, number: Option<i32>, time: Option<i64>, made: Option<&'static str>, bytes: u64, yes: bool| {
                    rows.push(&[
                        Value::Text(text),
                        Value::Int32(number),
                        Value::Time(time),
                        Value::Made(&make(made)),
                        Value::Count(bytes),
                        Value::Bool(yes),
                    ]);
                };
            push(Some(first), Some(-1), Some(5), Some("x"), 1, true);
            push(Some(first), Some(-1), Some(5), Some("x"), 2, true);
            push(Some(first), None, Some(5), Some("x"), 4, true);
            push(Some(first), Some(-1), None, Some("x"), 8, true);
            push(None, Some(-1), Some(0), Some("x"), 16, true);
            push(Some(first), Some(-1), Some(5), None, 32, true);
            push(Some(first), Some(-1), Some(5), Some("x"), u64::MAX, false);
            push(Some(second), Some(-1), Some(5), Some("x"), 64, true);
            push(Some(first), None, Some(5), Some("x"), 128, true);
            let count = rows.count();
            let batch = rows.finish().unwrap();
            assert_eq!((batch.num_rows(), batch.num_columns()), (count, wanted.len()));
            let at = wanted.iter().position(|at| *at == 4).unwrap();
            let bytes: &arrow::array::Int64Array = arrow::array::AsArray::as_primitive(batch.column(at));
            bytes.values().to_vec()
        };
        assert_eq!(sums(&[0, 1, 2, 3, 4, 5], false).len(), 9);
        assert_eq!(sums(&[0, 1, 2, 3, 4, 5], true), [3, 132, 8, 16, 32, i64::MAX, 64], "a text in another place is another");
        assert_eq!(sums(&[4, 5], true), [255, i64::MAX]);
        assert_eq!(sums(&[2, 4], true), [i64::MAX, 8, 16]);
        assert_eq!(sums(&[4], true), [i64::MAX]);
    }

    #[test]
    fn addresses_are_one_only_where_they_are_the_same() {
        let columns: [ColumnDoc; 2] = [("address", DataType::Utf8, ""), ("bytes", DataType::Int64, "")];
        let mut rows = Rows::folding(&columns, vec![0, 1]);
        for text in ["0.0.0.0", "::", "-", "10.0.0.1", "::a00:1", "a00:1::", "10.0.0.1", "::", "-"] {
            rows.push(&[Value::Address(text.parse().ok()), Value::Count(1)]);
        }
        let batch = rows.finish().unwrap();
        let texts: Vec<_> = arrow::array::AsArray::as_string::<i32>(batch.column(0)).iter().map(|text| text.unwrap_or("-")).collect();
        let counts: &arrow::array::Int64Array = arrow::array::AsArray::as_primitive(batch.column(1));
        assert_eq!(texts, ["0.0.0.0", "::", "-", "10.0.0.1", "::a00:1", "a00:1::"]);
        assert_eq!(counts.values().to_vec(), [1, 2, 2, 2, 1, 1]);
    }

    #[test]
    fn decimals_keep_their_value_in_a_column_with_more_places() {
        let check = |text: &str, scale, want| assert_eq!(units(text.parse().unwrap(), scale), want, "{text}");
        check("1.5", 10, Some(15_000_000_000));
        check("0.1234567", 6, Some(123_457));
        // 21 digits before the point and 10 behind are more than a `Decimal` has.
        check("100000000000000000000", 10, Some(10_i128.pow(30)));
        check("79228162514264337593543950335", 6, Some(79_228_162_514_264_337_593_543_950_335_000_000));
        check("79228162514264337593543950335", 10, None);
    }
}
