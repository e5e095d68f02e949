//! One cell of a batch, as text and as JSON: the same in every format.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rust_decimal::Decimal;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// Largest integer that every JSON reader keeps exact (RFC 8259 §6): 2^53.
const JSON_INTEGER_MAX: u64 = 1 << 53;

/// Timestamps are RFC 3339 in UTC, whole seconds where they are whole.
const TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

fn options() -> FormatOptions<'static> {
    FormatOptions::new().with_timestamp_format(Some(TIMESTAMP)).with_timestamp_tz_format(Some(TIMESTAMP)).with_display_error(false)
}

/// Returns an integer as a JSON number up to 2^53, else as text.
pub fn count(value: u64) -> Value {
    if value <= JSON_INTEGER_MAX { Value::Number(value.into()) } else { Value::String(value.to_string()) }
}

fn integer(value: i64) -> Value {
    if value.unsigned_abs() <= JSON_INTEGER_MAX { Value::Number(value.into()) } else { Value::String(value.to_string()) }
}

/// Returns a cell as text; `None` for NULL.
pub fn text(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Some(array.as_string_view().value(row).to_owned()),
        DataType::Map(..) | DataType::Struct(_) | DataType::List(_) | DataType::LargeList(_) => Some(json(array, row).to_string()),
        // A timestamp beyond the calendar cannot be shown as one; SQL can compute such values.
        _ => ArrayFormatter::try_new(array, &options())
            .ok()
            .map(|formatter| formatter.value(row).try_to_string().unwrap_or_else(|_| "out of range".to_owned())),
    }
}

/// Returns a cell as JSON.
pub fn json(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => integer(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => integer(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => count(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => count(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => count(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => count(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => Number::from_f64(array.as_primitive::<Float32Type>().value(row).into()).map_or(Value::Null, Value::Number),
        DataType::Float64 => Number::from_f64(array.as_primitive::<Float64Type>().value(row)).map_or(Value::Null, Value::Number),
        DataType::Decimal128(_, scale) if *scale <= 0 => {
            i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).map_or(Value::Null, integer)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            (0..entries.len()).map(|at| (text(keys, at).unwrap_or_default(), json(values, at))).collect::<Map<_, _>>().into()
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), json(column, row))).collect::<Map<_, _>>().into()
        }
        _ => text(array, row).map_or(Value::Null, Value::String),
    }
}

fn list(values: &ArrayRef) -> Value {
    (0..values.len()).map(|at| json(values, at)).collect()
}

/// JSON that may hold money: decimals are number literals with the digits that they have, which no reader's choice of a number
/// type changes on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// Anything without money.
    Plain(Value),
    /// Money, or NULL.
    Money(Option<Decimal>),
    /// A list.
    List(Vec<Json>),
    /// An object, its keys in this order.
    Object(Vec<(&'static str, Json)>),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Plain(value) => value.serialize(serializer),
            Json::Money(None) => serializer.serialize_none(),
            Json::Money(Some(money)) => literal(&money.to_string(), serializer),
            Json::List(list) => serializer.collect_seq(list),
            Json::Object(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// Writes a decimal as a number literal.
fn literal<S: Serializer>(digits: &str, serializer: S) -> Result<S::Ok, S::Error> {
    RawValue::from_string(digits.to_owned()).map_err(S::Error::custom)?.serialize(serializer)
}

/// One cell of a row.
struct Cell<'a> {
    column: &'a ArrayRef,
    row: usize,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.column.data_type() {
            DataType::Decimal128(_, scale) if *scale > 0 && self.column.is_valid(self.row) => {
                literal(&text(self.column, self.row).unwrap_or_default(), serializer)
            }
            _ => json(self.column, self.row).serialize(serializer),
        }
    }
}

/// One row of a batch, as a JSON object with its keys in the order of the columns.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The batch.
    pub batch: &'a RecordBatch,
    /// Index of the row.
    pub row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.batch.schema_ref().fields();
        serializer
            .collect_map(fields.iter().zip(self.batch.columns()).map(|(field, column)| (field.name(), Cell { column, row: self.row })))
    }
}

/// Returns the rows of some batches.
pub fn rows(batches: &[RecordBatch]) -> Vec<Row<'_>> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| Row { batch, row })).collect()
}

/// Returns whether a column is aligned to the right.
pub fn is_number(kind: &DataType) -> bool {
    kind.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, TimestampSecondArray};
    use std::sync::Arc;

    #[test]
    fn integers_beyond_what_json_readers_keep_are_text() {
        let array: ArrayRef = Arc::new(Int64Array::from(vec![9_007_199_254_740_992, 9_007_199_254_740_993]));
        assert_eq!(json(&array, 0).to_string(), "9007199254740992");
        assert_eq!(json(&array, 1).to_string(), "\"9007199254740993\"");
    }

    #[test]
    fn timestamps_are_rfc_3339() {
        let array: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0]).with_timezone("UTC"));
        assert_eq!(text(&array, 0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(json(&array, 0), Value::String("1970-01-01T00:00:00Z".into()));
    }
}
