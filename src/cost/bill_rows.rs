//! The rows of a bill's file: CSV, plain or gzip, and Parquet, each cell as the text that a CSV would hold.
//!
//! Not judged here: what a row means (`bill`). A bill is AWS's and trusted; what is not one must still end in a clear message.

use super::bill_columns::{Columns, Field, Shape};
use crate::error::{Error, Result};
use crate::time::{UnixSeconds, rfc3339};
use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use flate2::read::MultiGzDecoder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use rust_decimal::Decimal;
use std::io::Read;
use std::str::FromStr;

/// Rows of a Parquet file taken at a time.
const BATCH_ROWS: usize = 4_096;
/// Longest line of a CSV, bytes: some hundred columns and all tags of a resource take a few thousand.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Keys of the map `product` that tell the region, the best first.
const REGION_KEYS: [&str; 3] = ["region_code", "regionCode", "region"];

/// One row.
pub(super) struct Row<'a> {
    columns: &'a Columns,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Record(&'a csv::StringRecord),
    Batch(&'a [StringArray], usize),
}

/// What is known of a file beside its rows.
pub(super) struct Form {
    pub(super) shape: Shape,
    /// Whether costs are stored as binary floating-point numbers.
    pub(super) double_cost: bool,
}

impl<'a> Row<'a> {
    /// Returns a field's text; `None` where it is empty or null, or has no column.
    pub(super) fn text(&self, field: Field) -> Option<&'a str> {
        let cell = |column: usize| match &self.cells {
            Cells::Record(record) => record.get(column),
            Cells::Batch(arrays, row) => arrays.get(column).filter(|array| array.is_valid(*row)).map(|array| array.value(*row)),
        };
        self.columns.of(field).iter().filter_map(|&column| cell(column)).map(str::trim).find(|text| !text.is_empty())
    }

    /// Returns a field's text, which must be there.
    pub(super) fn required(&self, field: Field) -> Result<&'a str> {
        self.text(field).ok_or_else(|| Error::failed(format!("{} is empty", self.columns.name(field))))
    }

    /// Returns a number; `None` where the cell is empty.
    pub(super) fn number(&self, field: Field) -> Result<Option<Decimal>> {
        let wrong = |text| Error::failed(format!("{} {text:?} is not a number", self.columns.name(field)));
        self.text(field).map(|text| decimal(text).ok_or_else(|| wrong(text))).transpose()
    }

    /// Returns an instant; `None` where the cell is empty.
    pub(super) fn instant(&self, field: Field) -> Result<Option<UnixSeconds>> {
        let wrong = |text| Error::failed(format!("{} {text:?} is not a time", self.columns.name(field)));
        self.text(field).map(|text| instant(text).ok_or_else(|| wrong(text))).transpose()
    }
}

/// Hands over every row of a file; an error of `each` gets the row's place.
pub(super) fn rows<R: ChunkReader + 'static>(place: &str, file: R, each: &mut dyn FnMut(&Row<'_>) -> Result<()>) -> Result<Form> {
    let damaged = |fault: parquet::errors::ParquetError| Error::failed("cannot be read").at(place).caused_by(fault);
    if file.len() == 0 {
        return Err(Error::failed("the file is empty").at(place));
    }
    let magic = file.get_bytes(0, file.len().min(4) as usize).map_err(damaged)?;
    match &magic[..] {
        b"PAR1" => parquet(place, file, each),
        [0x1f, 0x8b, ..] => csv(place, MultiGzDecoder::new(file.get_read(0).map_err(damaged)?), each),
        [b'P', b'K', ..] => Err(Error::failed("a ZIP archive is not read").at(place).with_hint("unpack it and give the CSV in it")),
        _ => csv(place, file.get_read(0).map_err(damaged)?, each),
    }
}

fn csv(place: &str, text: impl Read, each: &mut dyn FnMut(&Row<'_>) -> Result<()>) -> Result<Form> {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(Lines { text, length: 0 });
    let fault = |fault: csv::Error| csv_fault(fault, place);
    let columns = Columns::find(reader.headers().map_err(fault)?.iter()).map_err(|fault| fault.at(place))?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(fault)? {
        let row = Row { columns: &columns, cells: Cells::Record(&record) };
        each(&row).map_err(|fault| fault.at(format!("{place}:{}", record.position().map_or(0, csv::Position::line))))?;
    }
    Ok(Form { shape: columns.shape, double_cost: false })
}

/// Text whose lines are not endless.
struct Lines<R> {
    text: R,
    length: usize,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.text.read(into)?;
        match memchr::memrchr(b'\n', &into[..count]) {
            Some(end) => self.length = count - end - 1,
            None => self.length += count,
        }
        if self.length > LINE_BYTES_MAX {
            return Err(std::io::Error::other(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
        }
        Ok(count)
    }
}

fn csv_fault(fault: csv::Error, place: &str) -> Error {
    let at = fault.position().map_or_else(|| place.to_owned(), |position| format!("{place}:{}", position.line()));
    let error = match fault.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            Error::failed(format!("{len} fields instead of the {expected_len} of the header"))
        }
        csv::ErrorKind::Utf8 { .. } => Error::failed("not UTF-8"),
        _ => Error::failed("cannot be read").caused_by(fault),
    };
    error.at(at)
}

fn parquet<R: ChunkReader + 'static>(place: &str, file: R, each: &mut dyn FnMut(&Row<'_>) -> Result<()>) -> Result<Form> {
    let damaged = |fault: parquet::errors::ParquetError| Error::failed("not a sound Parquet file").at(place).caused_by(fault);
    let unread = |fault: ArrowError| Error::failed("not a sound Parquet file").at(place).caused_by(fault);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
    let names = |schema: &arrow::datatypes::Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let all = Columns::find(names(builder.schema()).iter().map(String::as_str)).map_err(|fault| fault.at(place))?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), all.wanted());
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(damaged)?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    // Places within the projection.
    let columns = Columns::find(names(&schema).iter().map(String::as_str)).map_err(|fault| fault.at(place))?;
    let double = |column: &usize| matches!(schema.field(*column).data_type(), DataType::Float64 | DataType::Float32);
    let double_cost = columns.of(Field::Cost).iter().any(double);
    let mut done = 0;
    for batch in reader {
        let batch = batch.map_err(unread)?;
        let arrays: Vec<StringArray> = batch.columns().iter().map(text).collect::<Result<_, _>>().map_err(unread)?;
        for row in 0..batch.num_rows() {
            each(&Row { columns: &columns, cells: Cells::Batch(&arrays, row) })
                .map_err(|fault| fault.at(format!("{place}: row {}", done + row + 1)))?;
        }
        done += batch.num_rows();
    }
    Ok(Form { shape: all.shape, double_cost })
}

/// Returns a column as text: floating-point numbers by their shortest decimal digits, instants as RFC 3339, maps as their region.
fn text(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    Ok(match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().iter().map(|value| value.map(|value| value.to_string())).collect(),
        DataType::Float32 => column.as_primitive::<Float32Type>().iter().map(|value| value.map(|value| value.to_string())).collect(),
        DataType::Timestamp(_, zone) => {
            let seconds = cast(&cast(column, &DataType::Timestamp(TimeUnit::Second, zone.clone()))?, &DataType::Int64)?;
            seconds.as_primitive::<Int64Type>().iter().map(|value| value.map(rfc3339)).collect()
        }
        DataType::Map(..) => (0..column.len()).map(|row| region_of(column.as_map(), row)).collect::<Result<StringArray, _>>()?,
        _ => cast(column, &DataType::Utf8)?.as_string::<i32>().clone(),
    })
}

fn region_of(maps: &MapArray, row: usize) -> Result<Option<String>, ArrowError> {
    if maps.is_null(row) {
        return Ok(None);
    }
    let entries = maps.value(row);
    let (keys, values) = (cast(entries.column(0), &DataType::Utf8)?, cast(entries.column(1), &DataType::Utf8)?);
    let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
    let value = |wanted: &&str| (0..keys.len()).find(|&at| keys.value(at) == *wanted && values.is_valid(at)).map(|at| values.value(at));
    Ok(REGION_KEYS.iter().find_map(value).map(str::to_owned))
}

/// Returns the region out of the JSON that a CSV holds for the map `product`; other text as it is.
pub(super) fn region_of_cell(cell: &str) -> Option<String> {
    if !cell.starts_with('{') {
        return Some(cell.to_owned());
    }
    let map: serde_json::Value = serde_json::from_str(cell).ok()?;
    REGION_KEYS.iter().find_map(|key| map.get(key)?.as_str()).map(str::to_owned)
}

/// Reads a number as bills write it, `4.1E-7` too; digits beyond the 28 of a [`Decimal`] are rounded off.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific_lossy(text).ok();
    }
    // The crate would take `1_000` too.
    let plain = text.bytes().all(|letter| letter.is_ascii_digit() || matches!(letter, b'.' | b'-' | b'+'));
    Decimal::from_str(text).ok().filter(|_| plain)
}

/// Reads an instant as bills and Athena write it; without a zone it is UTC.
fn instant(text: &str) -> Option<UnixSeconds> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
    }
    let bare = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"].iter().find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok());
    match naive {
        Some(instant) => Some(instant.and_utc().timestamp()),
        None => DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.timestamp()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_bills_write_them() {
        let check =
            |text: &str, want: Option<&str>| assert_eq!(decimal(text).map(|n| n.normalize().to_string()).as_deref(), want, "{text}");
        check("0.0000000410", Some("0.000000041"));
        check("4.1E-7", Some("0.00000041"));
        check("-12.5", Some("-12.5"));
        check("1e3", Some("1000"));
        check("0.00000000000000000000000000000000001", Some("0"));
        check("1_000", None);
        check("1,5", None);
        check("NaN", None);
        check("", None);
        check("79228162514264337593543950336", None);
        check(&0.1f64.to_string(), Some("0.1"));
        check(&1e-12f64.to_string(), Some("0.000000000001"));
    }

    #[test]
    fn instants_as_bills_write_them() {
        for text in [
            "2026-10-05T07:00:00Z",
            "2026-10-05T07:00:00.000Z",
            "2026-10-05 07:00:00",
            "2026-10-05 07:00:00.000",
            "2026-10-05 07:00:00.000 UTC",
            "2026-10-05T09:00:00+02:00",
        ] {
            assert_eq!(instant(text).map(rfc3339).as_deref(), Some("2026-10-05T07:00:00Z"), "{text}");
        }
        assert_eq!(instant("2026-10-05").map(rfc3339).as_deref(), Some("2026-10-05T00:00:00Z"));
        assert_eq!(instant("now"), None);
        assert_eq!(instant("05/10/2026"), None);
    }

    #[test]
    fn a_region_out_of_the_product_map() {
        assert_eq!(region_of_cell(r#"{"product_name":"x","region_code":"eu-west-2"}"#).as_deref(), Some("eu-west-2"));
        assert_eq!(region_of_cell(r#"{"product_name":"x"}"#), None);
        assert_eq!(region_of_cell("eu-west-2").as_deref(), Some("eu-west-2"));
    }
}
