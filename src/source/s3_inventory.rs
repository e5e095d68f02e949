//! S3 Inventory: what a manifest says, and the rows of its data files.
//!
//! Rests on the S3 user guide, "Locating your inventory list" (manifest, its keys, MD5 of the files) and "Amazon S3 Inventory
//! list" (columns; keys are URL-encoded in CSV and in CSV alone). Everything in it is untrusted: it may have been edited.

use super::body::{Body, Text, fault_of};
use super::place::Holder;
use super::spool::{temporary, unwritable};
use crate::error::{Error, Result};
use crate::time::UnixSeconds;
use arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

/// Largest manifest, bytes; each of its files takes some 200.
pub(super) const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Longest key, bytes (S3 user guide, "Naming Amazon S3 objects").
const KEY_BYTES_MAX: usize = 1_024;
/// Rows of a Parquet file taken at a time.
const BATCH_ROWS: usize = 1_024;

/// A manifest that can be read.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The bucket that the inventory is of.
    pub(super) source: Holder,
    /// Where the data files lie; `None` if the manifest does not say.
    pub(super) destination: Option<Holder>,
    /// When the listing began.
    pub(super) created: Option<UnixSeconds>,
    /// Its data files.
    pub(super) files: Vec<DataFile>,
    format: Format,
}

/// A data file of a manifest.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct DataFile {
    pub(super) key: String,
    pub(super) size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

#[derive(Debug)]
enum Format {
    Csv(Columns),
    Parquet,
}

/// An object that an inventory names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: String,
    /// Stored bytes; `None` if the inventory was made without sizes.
    pub(super) size: Option<u64>,
    pub(super) etag: Option<Arc<str>>,
    pub(super) modified: Option<UnixSeconds>,
}

/// What a row of a data file is.
pub(super) enum Entry {
    Current(Row),
    /// An older version or a delete marker.
    Superseded,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    source_bucket: String,
    destination_bucket: Option<String>,
    file_format: String,
    file_schema: String,
    creation_timestamp: Option<serde_json::Value>,
    files: Vec<DataFile>,
}

impl Manifest {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// A usage error if it is something else, or in a format that is not read.
    pub(super) fn parse(bytes: &[u8], arg: &str) -> Result<Manifest> {
        let fault = |text: String| Error::usage(text).at(arg);
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let document: Document = serde_json::from_slice(bytes).map_err(|error| {
            let hint = "give the manifest.json of an S3 Inventory, or a file with one URI or path per line";
            fault("this JSON is no S3 Inventory manifest".to_owned()).caused_by(error).with_hint(hint)
        })?;
        let format = match document.file_format.to_ascii_uppercase().as_str() {
            "CSV" => Format::Csv(Columns::find(document.file_schema.split(','))),
            "PARQUET" => Format::Parquet,
            other => {
                let hint = "configure the S3 Inventory with output format CSV or Parquet";
                return Err(fault(format!("an S3 Inventory in {other} is not read, only CSV and Parquet")).with_hint(hint));
            }
        };
        if let Format::Csv(columns) = &format {
            columns.check(arg)?;
        }
        let bucket = |name: &str| {
            let name = name.rsplit(':').next().unwrap_or_default();
            Holder::bucket(name).ok_or_else(|| fault(format!("the manifest names no bucket, but {name:?}")))
        };
        let created = document.creation_timestamp.and_then(|stamp| stamp.as_i64().or_else(|| stamp.as_str()?.parse().ok()));
        Ok(Manifest {
            source: bucket(&document.source_bucket)?,
            destination: document.destination_bucket.as_deref().map(bucket).transpose()?,
            created: created.map(|milliseconds: i64| milliseconds.div_euclid(1_000)),
            files: document.files,
            format,
        })
    }

    /// Reads a data file on a thread that may wait. Its rows count only if this returns without an error: the checksum comes last.
    ///
    /// # Errors
    /// It is not the file that the manifest names, is damaged, or cannot be read or spooled; or `each` fails.
    pub(super) fn read(
        &self,
        file: &DataFile,
        place: &str,
        body: Body,
        spool_dir: &Path,
        each: &mut dyn FnMut(Entry) -> Result<()>,
    ) -> Result<()> {
        match &self.format {
            Format::Csv(columns) => {
                let mut text = Text::open(body).map_err(|fault| fault_of(fault, place))?;
                let read = self.csv(columns, &mut text, place, each);
                // Of a file that is not the one meant, this is the thing to say.
                check(file, text.into_body(), place)?;
                read
            }
            Format::Parquet => {
                let mut spooled = temporary(spool_dir)?;
                let body = spool(body, &mut spooled, spool_dir, place)?;
                check(file, body, place)?;
                self.parquet(spooled, place, each)
            }
        }
    }

    fn csv(&self, columns: &Columns, text: &mut Text, place: &str, each: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let (mut line, mut fields, mut number) = (Vec::new(), Vec::new(), 0u64);
        loop {
            number += 1;
            let at = || format!("{place}:{number}");
            let Some(line) = text.line(&mut line).map_err(|fault| fault_of(fault, &at()))? else { return Ok(()) };
            let Some(line) = std::str::from_utf8(line).ok().filter(|line| split(line, &mut fields)) else {
                return Err(Error::failed("not a line of CSV").at(at()));
            };
            if fields.len() != columns.count {
                let fault = format!("{} fields instead of the {} of fileSchema: {line:.80}", fields.len(), columns.count);
                return Err(Error::failed(fault).at(at()));
            }
            let field =
                |column: Option<usize>| column.and_then(|at| fields.get(at)).map(|field| &**field).filter(|field| !field.is_empty());
            // S3 writes a space as `+` here; a `+` of the key itself is `%2B`.
            let key = field(columns.key).unwrap_or_default().replace('+', " ");
            let key =
                percent_encoding::percent_decode_str(&key).decode_utf8().map_err(|_| Error::failed("the key is not UTF-8").at(at()))?;
            let size = match field(columns.size) {
                None => None,
                Some(size) => Some(size.parse().map_err(|_| Error::failed(format!("{size:?} is not a size")).at(at()))?),
            };
            let found = Found {
                bucket: field(columns.bucket),
                key: Some(&key),
                size,
                etag: field(columns.etag),
                modified: field(columns.modified).and_then(instant),
                is_latest: flag(field(columns.is_latest)),
                is_marker: flag(field(columns.is_marker)),
            };
            each(self.entry(found, columns.size.is_some()).map_err(|fault| fault.at(at()))?)?;
        }
    }

    fn parquet(&self, file: File, place: &str, each: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let damaged = |fault: parquet::errors::ParquetError| Error::failed("not a sound Parquet file").at(place).caused_by(fault);
        let stored = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(damaged)?;
        let options = ArrowReaderOptions::new().with_schema(as_views(stored.schema()));
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(damaged)?;
        let all = Columns::find(builder.schema().fields().iter().map(|field| field.name().as_str()));
        all.check(place)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), all.wanted());
        let mut row = 0u64;
        for batch in builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(damaged)? {
            let batch = batch.map_err(|fault| Error::failed("not a sound Parquet file").at(place).caused_by(fault))?;
            let columns = Columns::find(batch.schema_ref().fields().iter().map(|field| field.name().as_str()));
            let parts = Parts::of(&batch, &columns).map_err(|fault| Error::from(fault).at(place))?;
            for at in 0..batch.num_rows() {
                row += 1;
                let at_row = |fault: Error| fault.at(format!("{place}: row {row}"));
                let size = match &parts.size {
                    Some(sizes) if !sizes.is_null(at) => {
                        let size = sizes.as_primitive::<Int64Type>().value(at);
                        Some(u64::try_from(size).map_err(|_| at_row(Error::failed(format!("{size} is not a size"))))?)
                    }
                    _ => None,
                };
                let found = Found {
                    bucket: text(&parts.bucket, at),
                    key: text(&parts.key, at),
                    size,
                    etag: text(&parts.etag, at),
                    modified: parts.modified(at),
                    is_latest: flag(text(&parts.is_latest, at)),
                    is_marker: flag(text(&parts.is_marker, at)),
                };
                each(self.entry(found, columns.size.is_some()).map_err(at_row)?)?;
            }
        }
        Ok(())
    }

    /// Judges one row; delete markers have no size.
    fn entry(&self, found: Found<'_>, sized: bool) -> Result<Entry> {
        if found.is_latest == Some(false) || found.is_marker == Some(true) {
            return Ok(Entry::Superseded);
        }
        if found.bucket.is_some_and(|bucket| bucket != self.source.name) {
            return Err(Error::failed(format!(
                "a row of bucket {:?} in the inventory of {}",
                found.bucket.unwrap_or_default(),
                self.source.name
            )));
        }
        let Some(key) = found.key.filter(|key| !key.is_empty()) else { return Err(Error::failed("a row without a key")) };
        if key.len() > KEY_BYTES_MAX {
            return Err(Error::failed(format!("a key of {} bytes, which S3 does not allow", key.len())));
        }
        if sized && found.size.is_none() {
            return Err(Error::failed("a row without a size"));
        }
        let etag = found.etag.map(|etag| etag.trim_matches('"').into());
        Ok(Entry::Current(Row { key: key.to_owned(), size: found.size, etag, modified: found.modified }))
    }
}

/// One row as it was found.
struct Found<'a> {
    bucket: Option<&'a str>,
    key: Option<&'a str>,
    size: Option<u64>,
    etag: Option<&'a str>,
    modified: Option<UnixSeconds>,
    is_latest: Option<bool>,
    is_marker: Option<bool>,
}

/// Where the columns that are read stand.
#[derive(Debug, Default)]
struct Columns {
    count: usize,
    bucket: Option<usize>,
    key: Option<usize>,
    size: Option<usize>,
    modified: Option<usize>,
    etag: Option<usize>,
    is_latest: Option<usize>,
    is_marker: Option<usize>,
}

impl Columns {
    /// Finds columns by name: `LastModifiedDate` in CSV is `last_modified_date` in Parquet.
    fn find<'a>(names: impl Iterator<Item = &'a str>) -> Columns {
        let mut columns = Columns::default();
        for (at, name) in names.enumerate() {
            columns.count = at + 1;
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
            let column = match &*plain {
                "bucket" => &mut columns.bucket,
                "key" => &mut columns.key,
                "size" => &mut columns.size,
                "lastmodifieddate" => &mut columns.modified,
                "etag" => &mut columns.etag,
                "islatest" => &mut columns.is_latest,
                "isdeletemarker" => &mut columns.is_marker,
                _ => continue,
            };
            *column = Some(at);
        }
        columns
    }

    fn check(&self, place: &str) -> Result<()> {
        match (self.bucket, self.key) {
            (Some(_), Some(_)) => Ok(()),
            _ => Err(Error::failed("an S3 Inventory has the columns Bucket and Key; here one is missing").at(place)),
        }
    }

    fn wanted(&self) -> impl Iterator<Item = usize> {
        [self.bucket, self.key, self.size, self.modified, self.etag, self.is_latest, self.is_marker].into_iter().flatten()
    }
}

/// The columns of a batch; flags as text, as in CSV.
struct Parts {
    bucket: Option<StringViewArray>,
    key: Option<StringViewArray>,
    etag: Option<StringViewArray>,
    is_latest: Option<StringViewArray>,
    is_marker: Option<StringViewArray>,
    size: Option<Arc<dyn Array>>,
    seconds: Option<Arc<dyn Array>>,
    date: Option<StringViewArray>,
}

impl Parts {
    fn of(batch: &RecordBatch, columns: &Columns) -> Result<Parts, arrow::error::ArrowError> {
        let typed = |at: Option<usize>, kind: &DataType| at.map(|at| cast(batch.column(at), kind)).transpose();
        let texts = |at: Option<usize>| {
            Ok::<_, arrow::error::ArrowError>(typed(at, &DataType::Utf8View)?.map(|column| column.as_string_view().clone()))
        };
        let modified = columns.modified.map(|at| batch.column(at));
        let (seconds, date) = match modified.map(|column| column.data_type().clone()) {
            Some(DataType::Timestamp(_, zone)) => {
                let seconds = typed(columns.modified, &DataType::Timestamp(TimeUnit::Second, zone))?;
                (seconds.map(|seconds| cast(&seconds, &DataType::Int64)).transpose()?, None)
            }
            _ => (None, texts(columns.modified)?),
        };
        Ok(Parts {
            bucket: texts(columns.bucket)?,
            key: texts(columns.key)?,
            etag: texts(columns.etag)?,
            is_latest: texts(columns.is_latest)?,
            is_marker: texts(columns.is_marker)?,
            size: typed(columns.size, &DataType::Int64)?,
            seconds,
            date,
        })
    }

    fn modified(&self, at: usize) -> Option<UnixSeconds> {
        match &self.seconds {
            Some(seconds) => (!seconds.is_null(at)).then(|| seconds.as_primitive::<Int64Type>().value(at)),
            None => text(&self.date, at).and_then(instant),
        }
    }
}

/// Text as views into the pages: a dictionary with one long value cannot grow with the rows that name it.
fn as_views(schema: &Schema) -> SchemaRef {
    let view = |field: &FieldRef| match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new_with_metadata(schema.fields().iter().map(view).collect::<Vec<_>>(), schema.metadata().clone()))
}

fn text(column: &Option<StringViewArray>, at: usize) -> Option<&str> {
    column.as_ref().filter(|column| !column.is_null(at)).map(|column| column.value(at))
}

fn flag(text: Option<&str>) -> Option<bool> {
    text.and_then(|text| if text.eq_ignore_ascii_case("true") { Some(true) } else { text.eq_ignore_ascii_case("false").then_some(false) })
}

fn instant(text: &str) -> Option<UnixSeconds> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp())
}

/// Splits a line of CSV (RFC 4180, without line breaks in fields); returns whether its quotes are sound.
fn split(line: &str, fields: &mut Vec<String>) -> bool {
    fields.clear();
    let mut rest = line;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let Some((part, after)) = rest.split_once('"') else { return false };
                field.push_str(part);
                rest = after;
                let Some(after) = rest.strip_prefix('"') else { break };
                field.push('"');
                rest = after;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

/// Compares what was read to its end with what the manifest says of it; where the bytes stopped coming, that was told before.
fn check(file: &DataFile, mut body: Body, place: &str) -> Result<()> {
    loop {
        let length = body.fill_buf().map_err(|fault| fault_of(fault, place))?.len();
        if length == 0 {
            break;
        }
        body.consume(length);
    }
    if body.is_cut() {
        return Ok(());
    }
    let (count, md5) = body.seal();
    if count == file.size && md5.eq_ignore_ascii_case(&file.md5) {
        return Ok(());
    }
    let fault =
        format!("not the data file that the manifest names: {count} bytes with MD5 {md5} instead of {} with {}", file.size, file.md5);
    Err(Error::failed(fault).at(place).with_hint("take manifest and data files of one and the same inventory"))
}

fn spool(mut body: Body, into: &mut File, folder: &Path, place: &str) -> Result<Body> {
    let mut written = 0;
    loop {
        let bytes = body.fill_buf().map_err(|fault| fault_of(fault, place))?;
        let length = bytes.len();
        if length == 0 {
            return Ok(body);
        }
        into.write_all(bytes).map_err(|fault| unwritable(folder, written, fault))?;
        written += length as u64;
        body.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_csv() {
        let check = |line: &str, want: Option<&[&str]>| {
            let mut fields = Vec::new();
            let sound = split(line, &mut fields);
            assert_eq!(sound.then(|| fields.iter().map(String::as_str).collect::<Vec<_>>()).as_deref(), want, "{line}");
        };
        check(r#""a","b c","""d""",""#, None);
        check(r#""a","b c","""d""","""#, Some(&["a", "b c", "\"d\"", ""]));
        check(r#""a","b,c","""d""","",e"#, Some(&["a", "b,c", "\"d\"", "", "e"]));
        check("a,,c", Some(&["a", "", "c"]));
        check("", Some(&[""]));
        check(r#""a"b,c"#, None);
    }
}
