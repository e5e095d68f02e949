//! Rows of values → a batch.

use crate::error::Result;
use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampSecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use rust_decimal::Decimal;
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
        Rows { schema: schema(&batch), builders, wanted, len: 0 }
    }

    /// Adds a row, its values in the order of the columns.
    pub fn push<'a>(&mut self, values: impl IntoIterator<Item = Value<'a>>) {
        self.len += 1;
        for (builder, value) in self.builders.iter_mut().zip(values) {
            let Some(builder) = builder else { continue };
            match (builder, value) {
                (Builder::Text(builder), Value::Text(value)) => builder.append_option(value),
                (Builder::Text(builder), Value::Made(value)) => builder.append_option(value()),
                (Builder::Int32(builder), Value::Int32(value)) => builder.append_option(value),
                (Builder::Int64(builder), Value::Count(value)) => builder.append_value(i64::try_from(value).unwrap_or(i64::MAX)),
                (Builder::Int64(builder), Value::Int64(value)) => builder.append_option(value),
                (Builder::Bool(builder), Value::Bool(value)) => builder.append_value(value),
                (Builder::Time(builder), Value::Time(value)) => builder.append_option(value),
                (Builder::Decimal(builder, scale), Value::Decimal(value)) => {
                    builder.append_option(value.and_then(|value| units(value, *scale)))
                }
                // Types and values stand in the same order; a slip shows as a length mismatch at the end.
                _ => {}
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
