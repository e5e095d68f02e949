//! What a Parquet file claims of itself, checked before the `parquet` crate acts on it.
//!
//! The crate (59.3) reserves what a file claims: a vector for the row groups of a footer, the children of a group, the values
//! of a dictionary, the bytes of a page. A claim of 2^31 either ends the process (a refused allocation does not unwind) or
//! fills its memory; a schema nested deeply enough overflows the stack; a negative offset panics. So four checks go first:
//! [`tail`] and [`footer`] on the footer's bytes, [`PageGuard::new`] on what was read from them, [`PageGuard::check`] on the column chunks of
//! a row group.
//! Structures are those of `parquet.thrift` in Thrift's compact protocol (apache/parquet-format, apache/thrift).

use bytes::Bytes;
use hashbrown::HashMap;
use parquet::arrow::ProjectionMask;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// Largest footer read; AWS's are a few kilobytes, and one of a thousand row groups with 29 columns is about 4 MB. Read, it
/// takes about ten times as much.
pub const FOOTER_BYTES_MAX: usize = 8 << 20;
/// Groups within groups; OCSF nests three deep.
const SCHEMA_DEPTH_MAX: usize = 32;
/// Structures within structures in a footer or page header; those of the format nest seven deep.
const THRIFT_DEPTH_MAX: usize = 24;
/// Rows that one stored byte may stand for. Flow records need about a byte each even where most columns repeat; run-length
/// encoding can claim 2^31 rows in ten bytes.
const ROWS_PER_BYTE_MAX: u64 = 1_000;
/// Rows that need no bytes to be believed.
const ROWS_FREE: u64 = 1 << 20;
/// Largest page, decompressed. Writers aim at 1 MiB.
const PAGE_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the dictionaries and the largest pages of a row group: what its columns hold at once.
const PAGES_BYTES_MAX: u64 = 96 << 20;
/// Stored bytes of the column chunks of a row group.
const CHUNKS_BYTES_MAX: u64 = 192 << 20;
/// Deflate expands at most 1,032 times (RFC 1951: 258 bytes from two bits).
const DEFLATE_RATIO_MAX: u64 = 1_032;
/// LZ4 expands at most 255 times.
const LZ4_RATIO_MAX: u64 = 255;

/// Checks the last eight bytes of a file of `size` bytes: the length of the footer, and the magic.
///
/// # Errors
/// If the footer is claimed to be longer than the file, which the crate subtracts without asking, or than any footer.
pub fn tail(last: &[u8], size: u64) -> Result<(), String> {
    let [a, b, c, d, magic @ ..] = last else { return Err("the file is too short for a footer".to_owned()) };
    if magic != b"PAR1" {
        return Err("the file does not end with the magic of an unencrypted Parquet file: it is cut, or something else".to_owned());
    }
    let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    // The magic stands at both ends.
    if length > size.saturating_sub(12) || length > FOOTER_BYTES_MAX as u64 {
        return Err(format!("a footer of {length} bytes is claimed in a file of {size}"));
    }
    Ok(())
}

/// Checks the bytes of a footer, without its last eight.
///
/// # Errors
/// What is claimed and cannot be.
pub fn footer(bytes: &[u8]) -> Result<(), String> {
    const SCHEMA: i16 = 2;
    const CHILDREN: i16 = 5;
    let mut children: Vec<i64> = Vec::new();
    let mut reader = Compact { bytes, at: 0 };
    reader
        .structure(&mut Vec::new(), &mut |path, claim| match (path, claim) {
            ([SCHEMA], Claim::Structure) => children.push(0),
            ([SCHEMA, CHILDREN], Claim::Number(count)) => {
                if let Some(last) = children.last_mut() {
                    *last = count;
                }
            }
            _ => {}
        })
        .map_err(|fault| format!("the footer is damaged at its byte {}: {fault}", reader.at))?;
    // Preorder: each entry is followed by its children.
    let mut open: Vec<i64> = Vec::new();
    for count in &children {
        if *count < 0 || *count > children.len() as i64 {
            return Err(format!("the schema has {} elements, and one claims {count} children", children.len()));
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        open.push(*count);
        if open.len() > SCHEMA_DEPTH_MAX {
            return Err(format!("the schema is nested more than {SCHEMA_DEPTH_MAX} deep"));
        }
    }
    Ok(())
}

/// Whether ranges may be those of a page index in a file of `size` bytes.
pub fn is_page_index(ranges: &[Range<u64>], size: u64) -> bool {
    ranges.iter().all(|range| range.start <= range.end && range.end <= size && range.end - range.start <= FOOTER_BYTES_MAX as u64)
}

/// Checks the bytes of a page index, which lie at `range`: structures that claim no more than they hold.
///
/// # Errors
/// What is claimed and cannot be.
pub fn page_index(metadata: &ParquetMetaData, range: &Range<u64>, bytes: &[u8]) -> Result<(), String> {
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let (Some(offset), Some(length)) = (chunk.offset_index_offset(), chunk.offset_index_length()) else { continue };
        let at = u64::try_from(offset).ok().and_then(|offset| usize::try_from(offset.checked_sub(range.start)?).ok());
        let end = at.and_then(|at| at.checked_add(usize::try_from(length).ok()?));
        let index = at.zip(end).and_then(|(at, end)| bytes.get(at..end)).ok_or("a page index lies outside its bytes")?;
        Compact { bytes: index, at: 0 }.structure(&mut Vec::new(), &mut |_, _| {})?;
    }
    Ok(())
}

/// The column chunks of a file, whose pages are to be checked.
#[derive(Debug)]
pub struct PageGuard {
    /// How each chunk is compressed, by where it begins and ends.
    chunks: BTreeMap<(u64, u64), Compression>,
    /// Rows of single pages, by where they begin, as the page index says.
    pages: HashMap<u64, u64>,
}

impl PageGuard {
    /// Checks what was read from the footer of a file of `size` bytes.
    ///
    /// # Errors
    /// What is claimed and cannot be.
    pub fn new(metadata: &ParquetMetaData, size: u64) -> Result<PageGuard, String> {
        let mut chunks = BTreeMap::new();
        let mut rows: u64 = 0;
        for (at, group) in metadata.row_groups().iter().enumerate() {
            let claimed = u64::try_from(group.num_rows()).map_err(|_| format!("row group {at} claims {} rows", group.num_rows()))?;
            rows = rows.saturating_add(claimed);
            for (column, chunk) in group.columns().iter().enumerate() {
                let range = range(chunk).filter(|range| range.end <= size);
                let range = range.ok_or_else(|| format!("column {column} of row group {at} lies outside the file"))?;
                chunks.insert((range.start, range.end), chunk.compression());
            }
        }
        if rows > size.saturating_mul(ROWS_PER_BYTE_MAX).saturating_add(ROWS_FREE) {
            return Err(format!("the footer claims {rows} rows in {size} bytes"));
        }
        Ok(PageGuard { chunks, pages: HashMap::new() })
    }

    /// Takes the pages of the columns that are read from the page index, and returns the metadata without that index if what it says
    /// cannot be, or says nothing of rows: where values repeat within a row.
    #[must_use]
    pub fn with_pages(mut self, metadata: Arc<ParquetMetaData>, read: &ProjectionMask) -> (Arc<ParquetMetaData>, PageGuard) {
        if metadata.offset_index().is_none() {
            return (metadata, self);
        }
        match pages(&metadata, read) {
            Some(pages) => {
                self.pages = pages;
                (metadata, self)
            }
            None => (Arc::new((*metadata).clone().into_builder().set_offset_index(None).build()), self),
        }
    }

    /// Checks column chunks, or single pages of them, as they were read, before they are decoded: `data` are the bytes of `ranges`.
    ///
    /// # Errors
    /// What a page claims and cannot be, with its place in the file.
    pub fn check(&self, ranges: &[Range<u64>], data: &[Bytes]) -> Result<(), String> {
        let mut held = Held::default();
        for (range, bytes) in ranges.iter().zip(data) {
            let (chunk, compression) = self.chunk(range).ok_or_else(|| format!("no column chunk lies at byte {}", range.start))?;
            let counts = !self.pages.is_empty();
            let pages = walk(bytes, compression, counts, |at| self.pages.get(&(range.start + at)).copied());
            let (dictionaries, largest) = pages.map_err(|(at, fault)| format!("page at byte {}: {fault}", range.start + at))?;
            held.add(chunk, bytes.len() as u64, dictionaries, largest);
        }
        let (stored, held) = held.sum();
        if stored > CHUNKS_BYTES_MAX || held > PAGES_BYTES_MAX {
            return Err(format!("a row group of {stored} stored bytes with pages of {held} bytes is larger than memory allows"));
        }
        Ok(())
    }

    /// Returns the chunk that a range is, or is pages of.
    fn chunk(&self, range: &Range<u64>) -> Option<((u64, u64), Compression)> {
        let whole = (range.start, range.end);
        if let Some(compression) = self.chunks.get(&whole) {
            return Some((whole, *compression));
        }
        let (chunk, compression) = self.chunks.range(..=(range.start, u64::MAX)).next_back()?;
        (!self.pages.is_empty() && range.end <= chunk.1).then_some((*chunk, *compression))
    }
}

/// What the ranges of a row group hold at once: of each chunk its dictionaries and its largest page.
#[derive(Default)]
struct Held {
    stored: u64,
    by_chunk: HashMap<(u64, u64), (u64, u64)>,
}

impl Held {
    fn add(&mut self, chunk: (u64, u64), stored: u64, dictionaries: u64, largest: u64) {
        self.stored += stored;
        let held = self.by_chunk.entry(chunk).or_default();
        *held = (held.0 + dictionaries, held.1.max(largest));
    }

    fn sum(&self) -> (u64, u64) {
        (self.stored, self.by_chunk.values().map(|(dictionaries, largest)| dictionaries + largest).sum())
    }
}

/// Returns the rows of each page of the columns that are read, by where it begins.
fn pages(metadata: &ParquetMetaData, read: &ProjectionMask) -> Option<HashMap<u64, u64>> {
    let schema = metadata.file_metadata().schema_descr();
    let mut pages = HashMap::new();
    for (group, of_columns) in metadata.row_groups().iter().zip(metadata.offset_index()?) {
        let rows = u64::try_from(group.num_rows()).ok()?;
        for (at, chunk) in group.columns().iter().enumerate().filter(|(at, _)| read.leaf_included(*at)) {
            if schema.column(at).max_rep_level() > 0 {
                return None;
            }
            let (chunk, locations) = (range(chunk)?, of_columns.get(at)?.page_locations());
            let first = locations.first()?;
            if first.first_row_index != 0 || u64::try_from(first.offset).ok()? < chunk.start {
                return None;
            }
            for (at, page) in locations.iter().enumerate() {
                let (begin, size) = (u64::try_from(page.offset).ok()?, u64::try_from(page.compressed_page_size).ok()?);
                let next = locations.get(at + 1);
                let bytes_end = next.map_or(Some(chunk.end), |next| u64::try_from(next.offset).ok())?;
                let rows_end = next.map_or(Some(rows), |next| u64::try_from(next.first_row_index).ok())?;
                if begin.checked_add(size)? > bytes_end || size == 0 {
                    return None;
                }
                pages.insert(begin, rows_end.checked_sub(u64::try_from(page.first_row_index).ok()?)?);
            }
        }
    }
    Some(pages)
}

/// Where a column chunk lies, if it lies anywhere: the crate's own `byte_range` panics on negative numbers.
fn range(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()?;
    let end = start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
    Some(start..end)
}

/// Walks the pages of a column chunk, or some of them; `rows` tells how many a page at a place among the bytes is said to hold. With
/// `counts`, what gzip may inflate to is found out, for the crate; `chunks` inflates it into no more than it claims. Returns the bytes
/// of its dictionaries and of its largest page.
fn walk(bytes: &[u8], compression: Compression, counts: bool, rows: impl Fn(u64) -> Option<u64>) -> Result<(u64, u64), (u64, String)> {
    let (mut dictionaries, mut largest) = (0, 0);
    let mut at = 0;
    while at < bytes.len() {
        let place = at as u64;
        let header = Header::read(bytes, &mut at).map_err(|fault| (place, format!("damaged header: {fault}")))?;
        let claims = || (place, format!("{} bytes stored and {} decompressed are claimed", header.compressed, header.uncompressed));
        let compressed = usize::try_from(header.compressed).map_err(|_| claims())?;
        let uncompressed = u64::try_from(header.uncompressed).ok().filter(|size| *size <= PAGE_BYTES_MAX).ok_or_else(claims)?;
        let body = at.checked_add(compressed).and_then(|end| bytes.get(at..end)).ok_or_else(claims)?;
        at += compressed;
        if header.crc.is_some_and(|crc| crc as u32 != checksum(body)) {
            return Err((place, "the checksum does not fit".to_owned()));
        }
        if header.values < 0 || header.is_dictionary() && header.values as u64 > uncompressed {
            return Err((place, format!("{} values are claimed in {uncompressed} bytes", header.values)));
        }
        if let Some(rows) = rows(place).filter(|rows| *rows != header.values as u64) {
            return Err((place, format!("{rows} values by the page index, and {} by the page", header.values)));
        }
        let levels = usize::try_from(header.levels).ok().filter(|levels| *levels <= compressed).ok_or_else(claims)?;
        let size = if header.is_plain {
            compressed as u64
        } else if !counts && matches!(compression, Compression::GZIP(_)) {
            // The length at the end of a member (RFC 1952), which `chunks` goes by as a rule.
            let length = body.last_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
            if length > PAGE_BYTES_MAX {
                return Err(too_large(place));
            }
            uncompressed
        } else {
            levels as u64 + decompressed(&body[levels..], uncompressed, compression, place)?
        };
        if header.is_dictionary() { dictionaries += size } else { largest = largest.max(size) }
    }
    Ok((dictionaries, largest))
}

/// The checksum of a page (parquet.thrift, `PageHeader.crc`); the crate looks at it only with a feature that is off.
fn checksum(body: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(body);
    crc.sum()
}

/// Returns what a page's body decompresses to. Snappy, zstd and raw LZ4 are given a buffer of the claimed size; the crate's gzip
/// and framed LZ4 write as much as there is.
fn decompressed(body: &[u8], claimed: u64, compression: Compression, place: u64) -> Result<u64, (u64, String)> {
    let most = |ratio: u64| (body.len() as u64).saturating_mul(ratio);
    match compression {
        Compression::UNCOMPRESSED => Ok(body.len() as u64),
        Compression::GZIP(_) if most(DEFLATE_RATIO_MAX) > PAGE_BYTES_MAX => {
            let mut inflater = flate2::write::MultiGzDecoder::new(Counter(0));
            match inflater.write_all(body) {
                Err(fault) if fault.kind() == std::io::ErrorKind::OutOfMemory => Err(too_large(place)),
                // Other damage is the crate's to report, with the rows before it.
                _ => Ok(inflater.get_ref().0),
            }
        }
        Compression::LZ4 if most(LZ4_RATIO_MAX) > PAGE_BYTES_MAX => Err(too_large(place)),
        _ => Ok(claimed),
    }
}

fn too_large(place: u64) -> (u64, String) {
    (place, format!("decompresses to more than {} MiB", PAGE_BYTES_MAX >> 20))
}

/// Counts bytes up to the limit.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        if self.0 > PAGE_BYTES_MAX { Err(std::io::ErrorKind::OutOfMemory.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a page header says.
#[derive(Debug, Default)]
pub(super) struct Header {
    kind: i64,
    /// Bytes of the page, levels included.
    pub(super) uncompressed: i64,
    /// Bytes that are stored of it.
    pub(super) compressed: i64,
    values: i64,
    /// CRC-32 of the stored bytes, where the writer gave one.
    crc: Option<i64>,
    /// Bytes of levels that stand uncompressed before the values of a version 2 page.
    pub(super) levels: i64,
    /// Whether a version 2 page says that it is not compressed.
    pub(super) is_plain: bool,
}

impl Header {
    /// A header of a page of values that says no more.
    #[cfg(test)]
    pub(super) fn of(levels: i64, uncompressed: i64) -> Header {
        Header { levels, uncompressed, ..Header::default() }
    }

    /// Reads the header at a place, and moves behind it.
    pub(super) fn read(bytes: &[u8], at: &mut usize) -> Result<Header, &'static str> {
        const DATA: i16 = 5;
        const DICTIONARY: i16 = 7;
        const DATA_V2: i16 = 8;
        let mut header = Header { compressed: -1, uncompressed: -1, ..Header::default() };
        let mut reader = Compact { bytes, at: *at };
        reader.structure(&mut Vec::new(), &mut |path, claim| {
            let Claim::Number(number) = claim else { return };
            match path {
                [1] => header.kind = number,
                [2] => header.uncompressed = number,
                [3] => header.compressed = number,
                [4] => header.crc = Some(number),
                [DATA | DICTIONARY | DATA_V2, 1] => header.values = number,
                [DATA_V2, 5 | 6] => header.levels = header.levels.saturating_add(if number < 0 { i64::MIN } else { number }),
                [DATA_V2, 7] => header.is_plain = number == 0,
                _ => {}
            }
        })?;
        *at = reader.at;
        Ok(header)
    }

    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == 2
    }

    /// Whether it is a page of values, of either version.
    pub(super) fn is_data(&self) -> bool {
        matches!(self.kind, 0 | 3)
    }
}

/// What a walk over a structure comes by.
enum Claim {
    /// An element of a list of structures begins.
    Structure,
    /// A number, or a truth value as 0 or 1.
    Number(i64),
}

type Seen<'a> = &'a mut dyn FnMut(&[i16], Claim);

/// A walk over Thrift's compact protocol that allocates nothing by what it reads.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Compact<'_> {
    fn byte(&mut self) -> Result<u8, &'static str> {
        let byte = *self.bytes.get(self.at).ok_or("it ends early")?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, count: u64) -> Result<(), &'static str> {
        let left = self.bytes.len() - self.at;
        let count = usize::try_from(count).ok().filter(|count| *count <= left).ok_or("a value is longer than what is left")?;
        self.at += count;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number has more than ten bytes")
    }

    fn zigzag(&mut self) -> Result<i64, &'static str> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn structure(&mut self, path: &mut Vec<i16>, seen: Seen<'_>) -> Result<(), &'static str> {
        if path.len() > THRIFT_DEPTH_MAX {
            return Err("structures are nested too deeply");
        }
        let mut field: i16 = 0;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Ok(());
            }
            field = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).map_err(|_| "a field has no number")?,
                delta => field.checked_add(i16::from(delta)).ok_or("a field has no number")?,
            };
            path.push(field);
            match kind {
                // In a field, the type is the value.
                1 | 2 => seen(path, Claim::Number(i64::from(kind == 1))),
                _ => self.value(kind, path, seen)?,
            }
            path.pop();
        }
    }

    fn value(&mut self, kind: u8, path: &mut Vec<i16>, seen: Seen<'_>) -> Result<(), &'static str> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => {
                let number = self.zigzag()?;
                seen(path, Claim::Number(number));
                Ok(())
            }
            7 => self.skip(8),
            8 => {
                let length = self.varint()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                // Each element takes a byte at least, so a true count cannot exceed what is left.
                if count > (self.bytes.len() - self.at) as u64 {
                    return Err("a list claims more elements than there are bytes");
                }
                (0..count).try_for_each(|_| self.element(head & 0x0f, path, seen))
            }
            11 => {
                let count = self.varint()?;
                if count > (self.bytes.len() - self.at) as u64 {
                    return Err("a map claims more entries than there are bytes");
                }
                let kinds = if count == 0 { 0 } else { self.byte()? };
                for _ in 0..count {
                    self.element(kinds >> 4, path, seen)?;
                    self.element(kinds & 0x0f, path, seen)?;
                }
                Ok(())
            }
            12 => self.structure(path, seen),
            13 => self.skip(16),
            _ => Err("a value has no known type"),
        }
    }

    /// Reads an element of a list or map; lists within lists count as depth.
    fn element(&mut self, kind: u8, path: &mut Vec<i16>, seen: Seen<'_>) -> Result<(), &'static str> {
        if kind == 12 {
            seen(path, Claim::Structure);
            return self.structure(path, seen);
        }
        if matches!(kind, 9..=11) {
            if path.len() > THRIFT_DEPTH_MAX {
                return Err("lists are nested too deeply");
            }
            path.push(0);
            let outcome = self.value(kind, path, seen);
            path.pop();
            return outcome;
        }
        self.value(kind, path, seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages_of(bytes: &[u8], compression: Compression) -> Result<u64, (u64, String)> {
        walk(bytes, compression, true, |_| None).map(|(dictionaries, largest)| dictionaries + largest)
    }
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::ParquetMetaDataReader;
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use std::sync::Arc;

    fn file(compression: Compression, version: WriterVersion, rows: usize) -> Bytes {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|row| row * 7_919)));
        let texts: ArrayRef = Arc::new(StringArray::from_iter((0..rows).map(|row| (row % 5 > 0).then(|| format!("eni-{}", row % 9)))));
        let batch = RecordBatch::try_from_iter([("bytes", numbers), ("interface_id", texts)]).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).set_writer_version(version).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    fn thrift(file: &[u8]) -> &[u8] {
        let end = file.len() - 8;
        let length = u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize;
        &file[end - length..end]
    }

    fn read(file: &Bytes) -> (ParquetMetaData, Vec<Range<u64>>) {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(file).unwrap();
        let ranges = metadata.row_groups().iter().flat_map(|group| group.columns()).map(|chunk| range(chunk).unwrap()).collect();
        (metadata, ranges)
    }

    fn cut(file: &Bytes, ranges: &[Range<u64>]) -> Vec<Bytes> {
        ranges.iter().map(|range| file.slice(range.start as usize..range.end as usize)).collect()
    }

    #[test]
    fn honest_files_pass() {
        for compression in
            [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default()), Compression::ZSTD(Default::default())]
        {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let file = file(compression, version, 50_000);
                footer(thrift(&file)).unwrap();
                let (found, ranges) = read(&file);
                let guard = PageGuard::new(&found, file.len() as u64).unwrap();
                guard.check(&ranges, &cut(&file, &ranges)).unwrap();
            }
        }
    }

    #[test]
    fn a_footer_longer_than_the_file_is_refused() {
        let of = |length: u32| [&length.to_le_bytes()[..], b"PAR1"].concat();
        tail(&of(88), 100).unwrap();
        assert_eq!(tail(&of(89), 100).unwrap_err(), "a footer of 89 bytes is claimed in a file of 100");
        assert!(tail(&of(FOOTER_BYTES_MAX as u32), 1 << 40).is_ok());
        assert!(tail(&of(FOOTER_BYTES_MAX as u32 + 1), 1 << 40).is_err() && tail(&of(0)[1..], 100).is_err());
        assert!(tail(b"\0\0\0\0PARE", 100).unwrap_err().contains("magic"));
    }

    #[test]
    fn a_chunk_outside_the_file_is_named() {
        let file = file(Compression::SNAPPY, WriterVersion::PARQUET_1_0, 10);
        let (found, ranges) = read(&file);
        let fault = PageGuard::new(&found, ranges[1].end - 1).unwrap_err();
        assert_eq!(fault, "column 1 of row group 0 lies outside the file");
    }

    #[test]
    fn rows_are_believed_as_far_as_the_bytes_can_hold_them() {
        let file = file(Compression::SNAPPY, WriterVersion::PARQUET_1_0, 10);
        let size = file.len() as u64;
        let claimed = |rows: u64| {
            let (found, _) = read(&file);
            let group = found.row_group(0).clone().into_builder().set_num_rows(rows as i64).build().unwrap();
            PageGuard::new(&found.into_builder().set_row_groups(vec![group]).build(), size).map(|_| ())
        };
        let most = size * ROWS_PER_BYTE_MAX + (1 << 20);
        assert_eq!((claimed(most), claimed(most + 1)), (Ok(()), Err(format!("the footer claims {} rows in {size} bytes", most + 1))));
        assert_eq!(claimed(-1i64 as u64).unwrap_err(), "row group 0 claims -1 rows");
    }

    /// A field of a structure: the step from the last number, its type, its bytes.
    fn field(step: u8, kind: u8, bytes: &[u8]) -> Vec<u8> {
        [&[step << 4 | kind], bytes].concat()
    }

    fn number(value: u64) -> Vec<u8> {
        zigzag(value as i64)
    }

    fn zigzag(value: i64) -> Vec<u8> {
        let mut value = (value << 1 ^ value >> 63) as u64;
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }

    #[test]
    fn lists_of_more_elements_than_bytes_are_refused() {
        // Field 4 (row groups): a list of 2^31 - 1 structures.
        let bytes = field(4, 9, &[0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]);
        assert!(footer(&bytes).unwrap_err().contains("more elements than there are bytes"));
    }

    #[test]
    fn schemas_nested_too_deeply_or_with_children_that_are_not_there_are_refused() {
        let element = |children: u64| [field(5, 5, &number(children)), vec![0]].concat();
        let schema = |elements: Vec<Vec<u8>>| {
            let count = number(elements.len() as u64 / 2);
            let head = if elements.len() < 15 { vec![(elements.len() as u8) << 4 | 12] } else { [vec![0xfc], count].concat() };
            [field(2, 9, &head), elements.concat(), vec![0]].concat()
        };
        footer(&schema(vec![element(2), element(0), element(0)])).unwrap();
        assert!(footer(&schema(vec![element(2_000_000_000), element(0)])).unwrap_err().contains("children"));
        assert!(footer(&schema(vec![element(1); 1_000])).unwrap_err().contains("nested more than 32 deep"));
        assert!(
            footer(&schema(vec![element(1), [field(5, 5, &zigzag(-5)), vec![0]].concat()]))
                .unwrap_err()
                .ends_with("2 elements, and one claims -5 children")
        );
        let chain = |depth: usize| footer(&schema([vec![element(1); depth - 1], vec![element(0), element(0)]].concat()));
        assert!(chain(SCHEMA_DEPTH_MAX).is_ok() && chain(SCHEMA_DEPTH_MAX + 1).is_err());
        // Wide is not deep.
        let wide = [vec![element(999)], vec![element(0); 999]].concat();
        footer(&schema(wide)).unwrap();
        let groups = std::iter::once(element(41)).chain((0..40).flat_map(|_| [element(1), element(0)])).collect();
        footer(&schema([groups, vec![element(0)]].concat())).unwrap();
    }

    #[test]
    fn a_footer_with_values_of_every_type_is_walked_to_its_end() {
        let schema = field(1, 9, &[&[0x2c][..], &field(5, 5, &number(1)), &[0], &field(5, 5, &number(0)), &[0]].concat());
        let before: Vec<Vec<u8>> = vec![
            vec![0x01, 2],                                          // a field far away: its number in full
            field(1, 1, &[]),                                       // true
            field(1, 2, &[]),                                       // false
            field(1, 3, &[0xff]),                                   // byte
            field(1, 4, &zigzag(-300)),                             // i16
            field(1, 5, &zigzag(i64::from(i32::MIN))),              // i32
            field(1, 6, &zigzag(i64::MIN)),                         // i64, of ten bytes
            field(1, 7, &[0x19; 8]),                                // double
            field(1, 8, &[&[3][..], &[0x19; 3]].concat()),          // binary
            field(1, 8, &[0]),                                      // an empty one
            field(1, 9, &[0x25, 2, 0x80, 1]),                       // list of two i32
            field(1, 9, &[0x05]),                                   // of none
            field(1, 10, &[0x21, 1, 2]),                            // set of two bool
            field(1, 9, &[&[0xf3, 16][..], &[0x19; 16]].concat()),  // list of 16: its count in full
            field(1, 9, &[0x19, 0x28, 1, 0x19, 0]),                 // list of a list of two binaries
            field(1, 11, &[2, 0x58, 1, 1, 0x19, 2, 2, 0x19, 0x19]), // map of i32 to binary
            field(1, 11, &[0]),                                     // of nothing
            field(1, 11, &[1, 0x3c, 7, 0x15, 2, 0]),                // of byte to structure
            field(1, 12, &[field(1, 12, &[0]), vec![0]].concat()),  // structures
            field(1, 13, &[0x19; 16]),                              // uuid
        ];
        // The schema is field 2, so what was before it is left behind with a number in full.
        let far = [vec![0x05], zigzag(40), zigzag(7)].concat();
        let last = [vec![0x09], zigzag(2), schema[1..].to_vec(), vec![0]].concat();
        let whole = [far, before.concat(), last].concat();
        footer(&whole).unwrap();
        for at in 0..whole.len() {
            assert!(footer(&whole[..at]).is_err(), "cut at {at}");
        }
        // It was seen: with a child less, the schema does not add up.
        let mut odd = whole.clone();
        let count = odd.len() - 7;
        assert_eq!(odd[count..], [0x55, 2, 0, 0x55, 0, 0, 0]);
        odd[count + 1] = 40;
        assert!(footer(&odd).unwrap_err().contains("claims 20 children"));
        assert!(footer(&field(1, 14, &[0])).unwrap_err().contains("no known type"));
        assert!(footer(&field(1, 8, &[&[9][..], &[0; 8]].concat())).unwrap_err().contains("longer than what is left"));
        assert!(footer(&field(1, 9, &[0x43, 0, 0, 0])).unwrap_err().contains("more elements than there are bytes"));
        assert!(footer(&field(1, 11, &[4, 0x33, 0, 0])).unwrap_err().contains("more entries than there are bytes"));
        assert!(footer(&field(1, 5, &[0xff; 11])).unwrap_err().contains("more than ten bytes"));
    }

    #[test]
    fn structures_and_lists_nest_as_deep_as_the_limit() {
        let structures = |depth: usize| [vec![0x1c; depth], vec![0; depth + 1]].concat();
        assert!(footer(&structures(THRIFT_DEPTH_MAX)).is_ok());
        assert!(footer(&structures(THRIFT_DEPTH_MAX + 1)).unwrap_err().contains("nested too deeply"));
        // A field that holds a list of lists of lists.
        let lists = |depth: usize| [vec![0x19], vec![0x19; depth], vec![0x05, 0]].concat();
        assert!(footer(&lists(THRIFT_DEPTH_MAX)).is_ok());
        assert!(footer(&lists(THRIFT_DEPTH_MAX + 1)).unwrap_err().contains("lists are nested too deeply"));
    }

    fn page(uncompressed: u64, values: u64, dictionary: bool, body: &[u8]) -> Vec<u8> {
        let kind = field(1, 5, &number(if dictionary { 2 } else { 0 }));
        let sizes = [field(1, 5, &number(uncompressed)), field(1, 5, &number(body.len() as u64))].concat();
        let inner = [field(1, 5, &number(values)), vec![0]].concat();
        let inner = field(if dictionary { 4 } else { 2 }, 12, &inner);
        [kind, sizes, inner, vec![0], body.to_vec()].concat()
    }

    #[test]
    fn pages_that_claim_more_than_memory_are_refused() {
        let (ok, gzip) = (page(100, 10, false, b"body"), Compression::GZIP(Default::default()));
        assert_eq!(pages_of(&ok, Compression::SNAPPY), Ok(100));
        let claims = |bytes: &[u8], compression| pages_of(bytes, compression).unwrap_err();
        let after = claims(&[ok.clone(), page(i32::MAX as u64, 1, false, b"x")].concat(), Compression::SNAPPY);
        assert_eq!(after, (ok.len() as u64, "1 bytes stored and 2147483647 decompressed are claimed".to_owned()));
        assert!(claims(&page(8, 1_000_000, true, b"x"), Compression::SNAPPY).1.contains("1000000 values are claimed in 8 bytes"));
        assert!(claims(&ok[..ok.len() - 1], Compression::SNAPPY).1.contains("are claimed"));
        // A gzip page says little and holds much.
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(&vec![0; 65 << 20]).unwrap();
        assert!(claims(&page(8, 1, false, &bomb.finish().unwrap()), gzip).1.contains("more than 64 MiB"));
    }

    #[test]
    fn what_is_held_at_once_is_all_dictionaries_and_the_largest_page() {
        let of = |pages: &[Vec<u8>]| pages_of(&pages.concat(), Compression::SNAPPY);
        let (dictionary, data) = (|size| page(size, size, true, b"body"), |size| page(size, 1_000_000, false, b"body"));
        assert_eq!(of(&[]), Ok(0));
        assert_eq!(of(&[dictionary(100), data(30), data(70), dictionary(50), data(60)]), Ok(220));
        assert_eq!((of(&[data(PAGE_BYTES_MAX)]), of(&[data(PAGE_BYTES_MAX + 1)]).is_err()), (Ok(PAGE_BYTES_MAX), true));
        assert!(of(&[page(100, 101, true, b"body")]).unwrap_err().1.contains("101 values are claimed in 100 bytes"));
        assert!(of(&[page(100, -1i64 as u64, false, b"body")]).unwrap_err().1.contains("-1 values are claimed"));
        // Without its sizes a header says nothing.
        for sizes in [&[field(2, 5, &number(4))][..], &[field(3, 5, &number(4))], &[]] {
            let header = [sizes.concat(), vec![0], b"body".to_vec()].concat();
            assert!(pages_of(&header, Compression::SNAPPY).is_err(), "{sizes:?}");
            assert!(pages_of(&header[..header.len() - 4], Compression::SNAPPY).is_err(), "{sizes:?}, at the end");
        }
        // Version 2: levels stand before the values and are not compressed, and a page may say that it is not at all.
        let second = |levels: [i64; 2], plain: &[u8]| {
            let sizes = [field(1, 5, &number(3)), field(1, 5, &number(100)), field(1, 5, &number(4))].concat();
            let inner =
                [field(1, 5, &number(9)), field(4, 5, &zigzag(levels[0])), field(1, 5, &zigzag(levels[1])), plain.to_vec(), vec![0]]
                    .concat();
            pages_of(&[sizes, field(5, 12, &inner), vec![0], b"body".to_vec()].concat(), Compression::SNAPPY)
        };
        assert_eq!([[0, 0], [1, 2], [4, 0]].map(|levels| second(levels, &[])), [Ok(100), Ok(103), Ok(104)]);
        assert_eq!((second([1, 2], &[0x12]), second([1, 2], &[0x11])), (Ok(4), Ok(103)));
        for levels in [[5, 0], [0, 5], [-1, 0], [0, -1], [-1, 4], [5, -1], [-1, -1]] {
            assert!(second(levels, &[]).is_err(), "{levels:?}");
        }
    }

    #[test]
    fn a_row_group_is_not_larger_than_memory_allows() {
        let check = |chunks: &[Bytes], compression| {
            let ranges: Vec<Range<u64>> = (0..).zip(chunks).map(|(at, chunk)| at << 30..(at << 30) + chunk.len() as u64).collect();
            let compressions = ranges.iter().map(|range| ((range.start, range.end), compression)).collect();
            let guard = PageGuard { chunks: compressions, pages: HashMap::new() };
            guard.check(&ranges, chunks)
        };
        let held = |size: u64| Bytes::from(page(size, 1, false, b"body"));
        assert_eq!(check(&[held(PAGES_BYTES_MAX / 2), held(PAGES_BYTES_MAX / 2)], Compression::SNAPPY), Ok(()));
        let fault = check(&[held(PAGES_BYTES_MAX / 2), held(PAGES_BYTES_MAX / 2 + 1)], Compression::SNAPPY).unwrap_err();
        assert!(fault.contains("with pages of 100663297 bytes"), "{fault}");
        // Many pages of a mebibyte, header and all: only their sum is large.
        let header = page(1 << 20, 1, false, &[0; 1 << 19]).len() - (1 << 19);
        let one = page(1 << 20, 1, false, &vec![0; (1 << 20) - header]);
        assert_eq!(one.len(), 1 << 20);
        let third = Bytes::from(one.repeat((CHUNKS_BYTES_MAX / 3) as usize >> 20));
        let (all, more) = (vec![third; 3], Bytes::from(page(1, 1, false, b"x")));
        assert_eq!(check(&all, Compression::UNCOMPRESSED), Ok(()));
        assert!(check(&[&all[..], &[more]].concat(), Compression::UNCOMPRESSED).unwrap_err().contains("a row group of 2013"));
    }

    #[test]
    fn what_a_page_decompresses_to_is_found_out_where_its_bytes_allow_too_much() {
        let of = |claimed: u64, body: &[u8], compression| pages_of(&page(claimed, 1, false, body), compression);
        let gzip = |text: &[u8], level| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let of_gzip = |claimed, body: &[u8]| of(claimed, body, Compression::GZIP(Default::default()));
        assert_eq!(of(100, b"body", Compression::UNCOMPRESSED), Ok(4));
        assert_eq!(of(100, b"body", Compression::ZSTD(Default::default())), Ok(100));
        // Few bytes cannot become much, so the claim stands; of many the text is counted.
        assert_eq!(of_gzip(100, &gzip(b"abc", flate2::Compression::none())), Ok(100));
        // Up to a buffer of the library's, 32 KiB, is not written yet and not counted.
        let plenty = vec![7; 200_000];
        assert!(matches!(of_gzip(100, &gzip(&plenty, flate2::Compression::none())), Ok(150_000..=200_000)));
        let best = flate2::Compression::best();
        let largest = gzip(&vec![0; PAGE_BYTES_MAX as usize], best);
        assert!(largest.len() as u64 * DEFLATE_RATIO_MAX > PAGE_BYTES_MAX);
        assert!(of_gzip(100, &largest).is_ok_and(|size| size > PAGE_BYTES_MAX - (64 << 10)));
        assert!(of_gzip(100, &gzip(&vec![0; PAGE_BYTES_MAX as usize + (64 << 10)], best)).unwrap_err().1.contains("more than 64 MiB"));
        assert!(
            Counter(PAGE_BYTES_MAX - 2).write(b"xx").is_ok_and(|count| count == 2) && Counter(PAGE_BYTES_MAX - 1).write(b"xx").is_err()
        );
        assert_eq!(of_gzip(100, &plenty), Ok(0), "damage is told by who reads it");
        // Not counted, it is what it claims, but for one that says itself that it is larger than any page.
        let uncounted = |body: &[u8]| walk(&page(100, 1, false, body), Compression::GZIP(Default::default()), false, |_| None);
        assert_eq!(uncounted(&gzip(&plenty, best)), Ok((0, 100)));
        assert_eq!(uncounted(&largest), Ok((0, 100)));
        assert!(uncounted(&gzip(&vec![0; PAGE_BYTES_MAX as usize + 1], best)).unwrap_err().1.contains("more than 64 MiB"));
        let most = (PAGE_BYTES_MAX / LZ4_RATIO_MAX) as usize;
        assert_eq!(of(100, &vec![0; most], Compression::LZ4), Ok(100));
        assert!(of(100, &vec![0; most + 1], Compression::LZ4).unwrap_err().1.contains("more than 64 MiB"));
    }

    #[test]
    fn checksums_are_compared_where_there_are_any() {
        let with = |crc: u32| {
            let signed = i64::from(crc as i32);
            let sizes = [5, 4].map(|size| field(1, 5, &number(size))).concat();
            let crc = field(1, 5, &zigzag(signed));
            [field(1, 5, &number(0)), sizes, crc, vec![0], b"body".to_vec()].concat()
        };
        // The check value of CRC-32 as everyone states it.
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(pages_of(&with(checksum(b"body")), Compression::SNAPPY), Ok(5));
        let without_sizes = [field(1, 5, &number(0)), vec![0], b"body".to_vec()].concat();
        assert!(pages_of(&without_sizes, Compression::SNAPPY).is_err());
        let without_stored_size = [field(1, 5, &number(0)), field(1, 5, &number(5)), vec![0], b"b".to_vec()].concat();
        assert!(pages_of(&without_stored_size, Compression::SNAPPY).is_err());
        assert_eq!(pages_of(&with(checksum(b"body") ^ 1), Compression::SNAPPY), Err((0, "the checksum does not fit".to_owned())));
    }

    #[test]
    fn any_bytes_are_walked_to_an_end() {
        let file = file(Compression::SNAPPY, WriterVersion::PARQUET_1_0, 100);
        let thrift = thrift(&file);
        for at in 0..thrift.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = thrift.to_vec();
                bytes[at] ^= flip;
                let _ = footer(&bytes);
                let _ = pages_of(&bytes, Compression::SNAPPY);
            }
            assert!(footer(&thrift[..at]).is_err(), "cut at {at}");
        }
    }
}
