//! The column chunks of a row group, in memory → batches.
//!
//! The `parquet` crate does the reading, but for one step: pages in gzip, which is what AWS writes, are inflated by libdeflate, in one
//! call and into no more than they claim. The crate's way through zlib-rs makes a new state for each page and costs twice as much.

use super::page_guard::Header;
use arrow::array::RecordBatch;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use libdeflater::Decompressor;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups, RowSelection};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ParquetError>;

/// Some columns of a row group; push-based, as the crate's decoder is.
pub struct Chunks {
    of: ArrowReaderMetadata,
    group: usize,
    mask: ProjectionMask,
    /// Which rows; all, if that is not said.
    selection: Option<RowSelection>,
    batch_rows: usize,
    held: Vec<(Range<u64>, Bytes)>,
    reader: Option<ParquetRecordBatchReader>,
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Chunks {
    /// Starts to read the columns of a row group.
    pub fn new(of: ArrowReaderMetadata, group: usize, mask: ProjectionMask, selection: Option<RowSelection>, batch_rows: usize) -> Chunks {
        Chunks { of, group, mask, selection, batch_rows, held: Vec::new(), reader: None }
    }

    /// Gives the bytes of ranges.
    pub fn push(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) {
        self.held.extend(ranges.into_iter().zip(data));
    }

    /// Goes on.
    ///
    /// # Errors
    /// The crate's, which may panic too.
    pub fn try_decode(&mut self) -> Result<DecodeResult<RecordBatch>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let missing: Vec<Range<u64>> = self.ranges().filter(|range| self.held(range).is_none()).collect();
                if !missing.is_empty() {
                    return Ok(DecodeResult::NeedsData(missing));
                }
                let reader = self.open()?;
                self.reader.insert(reader)
            }
        };
        Ok(reader.next().transpose()?.map_or(DecodeResult::Finished, DecodeResult::Data))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.of.metadata()
    }

    fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let columns = self.metadata().row_group(self.group).columns().iter().enumerate();
        columns.filter(|(leaf, _)| self.mask.leaf_included(*leaf)).map(|(_, chunk)| range(chunk))
    }

    fn held(&self, range: &Range<u64>) -> Option<&Bytes> {
        self.held.iter().find(|(held, _)| held == range).map(|(_, bytes)| bytes)
    }

    fn open(&mut self) -> Result<ParquetRecordBatchReader> {
        let schema = self.metadata().file_metadata().schema_descr();
        let levels = parquet_to_arrow_field_levels(schema, self.mask.clone(), Some(self.of.schema().fields()))?;
        let selection = self.selection.take();
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &*self, self.batch_rows, selection)
    }
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata().row_group(self.group).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.metadata().row_group(self.group).column(leaf);
        let bytes = self.held(&range(chunk)).ok_or_else(|| ParquetError::General(format!("column {leaf} was not read")))?;
        Ok(Box::new(OneChunk(Some(pages(chunk, bytes, self.num_rows())))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata().row_group(self.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.of.metadata()
    }
}

fn range(chunk: &ColumnChunkMetaData) -> Range<u64> {
    let (start, length) = chunk.byte_range();
    start..start + length
}

/// The pages of a column chunk.
fn pages(chunk: &ColumnChunkMetaData, bytes: &Bytes, rows: usize) -> Result<Box<dyn PageReader>> {
    let is_gzip = matches!(chunk.compression(), Compression::GZIP(_));
    // The chunk by itself, in which places are counted from its own beginning.
    let alone = ColumnChunkMetaData::builder(chunk.column_descr_ptr())
        .set_compression(if is_gzip { Compression::UNCOMPRESSED } else { chunk.compression() })
        .set_total_compressed_size(i64::try_from(bytes.len())?)
        .set_data_page_offset(0)
        .build()?;
    let stored = SerializedPageReader::new(Arc::new(bytes.clone()), &alone, rows, None)?;
    if !is_gzip {
        return Ok(Box::new(stored));
    }
    let (mut headers, mut at) = (VecDeque::new(), 0);
    while at < bytes.len() {
        let header = Header::read(bytes, &mut at).map_err(|fault| ParquetError::General(fault.to_owned()))?;
        at = at.saturating_add(usize::try_from(header.compressed)?);
        // The crate passes over the others without a word.
        if header.is_data() || header.is_dictionary() {
            headers.push_back(header);
        }
    }
    Ok(Box::new(Gzipped { stored, headers, inflater: Decompressor::new() }))
}

/// The one chunk of a column of a row group.
struct OneChunk(Option<Result<Box<dyn PageReader>>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take()
    }
}

impl PageIterator for OneChunk {}

/// Pages in gzip.
struct Gzipped {
    /// As they are stored.
    stored: SerializedPageReader<Bytes>,
    /// What those that are left say of themselves.
    headers: VecDeque<Header>,
    inflater: Decompressor,
}

impl PageReader for Gzipped {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.stored.get_next_page()? else { return Ok(None) };
        let header = self.headers.pop_front().ok_or_else(|| ParquetError::General("a page without a header".to_owned()))?;
        let (Page::DataPage { buf, .. } | Page::DataPageV2 { buf, .. } | Page::DictionaryPage { buf, .. }) = &mut page;
        if !header.is_plain {
            *buf = inflated(buf, &header, &mut self.inflater)?;
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.stored.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.headers.pop_front();
        self.stored.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.stored.at_record_boundary()
    }
}

impl Iterator for Gzipped {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Inflates the body of a page, but for the levels that stand before the values of a version 2 page.
fn inflated(body: &Bytes, header: &Header, inflater: &mut Decompressor) -> Result<Bytes> {
    let (levels, size) = (usize::try_from(header.levels)?, usize::try_from(header.uncompressed)?);
    let fault = |what: &str| ParquetError::General(format!("a page of {size} bytes {what}"));
    let (levels, stored) = body.split_at_checked(levels).filter(|_| levels <= size).ok_or_else(|| fault("has more levels than that"))?;
    let mut page = vec![0; size];
    let (head, values) = page.split_at_mut(levels.len());
    head.copy_from_slice(levels);
    // A page without values may be stored as nothing at all (parquet-format, "Data Pages").
    if values.is_empty() {
        return Ok(page.into());
    }
    // libdeflate stops after a first member; the length at the end shows as a rule whether it is the only one.
    let is_one = u32::try_from(values.len()).is_ok_and(|size| stored.ends_with(&size.to_le_bytes()));
    if !is_one || inflater.gzip_decompress(stored, values).ok() != Some(values.len()) {
        let mut members = MultiGzDecoder::new(stored);
        members.read_exact(values).map_err(|error| fault(&format!("does not decompress to them: {error}")))?;
        if members.read(&mut [0])? > 0 {
            return Err(fault("decompresses to more"));
        }
    }
    Ok(page.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelector};
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use std::io::Write;

    fn file(compression: Compression, version: WriterVersion) -> Bytes {
        let rows = 3_000;
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|row| (row % 7 > 0).then_some(row * 7_919))));
        let texts: ArrayRef = Arc::new(StringArray::from_iter((0..rows).map(|row| (row % 5 > 0).then(|| format!("eni-{}", row % 9)))));
        let none: ArrayRef = Arc::new(StringArray::from_iter((0..rows).map(|_| None::<&str>)));
        let batch = RecordBatch::try_from_iter([("bytes", numbers), ("interface_id", texts), ("vpc_id", none)]).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_writer_version(version)
            .set_data_page_row_count_limit(300)
            .set_write_batch_size(100)
            .set_max_row_group_row_count(Some(2_000))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    /// The batches of a row group, by ourselves and by the crate.
    fn both(file: &Bytes, group: usize, leaves: &[usize], selection: Option<RowSelection>) -> [Vec<RecordBatch>; 2] {
        let of = ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).unwrap();
        let mask = ProjectionMask::leaves(of.metadata().file_metadata().schema_descr(), leaves.iter().copied());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), of.clone()).with_batch_size(128);
        let builder = builder.with_row_groups(vec![group]).with_projection(mask.clone());
        let reader = match selection.clone() {
            Some(selection) => builder.with_row_selection(selection).build().unwrap(),
            None => builder.build().unwrap(),
        };
        let theirs = reader.map(|batch| batch.unwrap()).collect();
        let (mut chunks, mut ours) = (Chunks::new(of, group, mask, selection, 128), Vec::new());
        loop {
            match chunks.try_decode().unwrap() {
                DecodeResult::NeedsData(ranges) => {
                    let data = ranges.iter().map(|range| file.slice(range.start as usize..range.end as usize)).collect();
                    chunks.push(ranges, data);
                }
                DecodeResult::Data(batch) => ours.push(batch),
                DecodeResult::Finished => return [ours, theirs],
            }
        }
    }

    #[test]
    fn batches_are_those_of_the_crate() {
        let every = |skip: usize, select: usize| {
            RowSelection::from([RowSelector::skip(skip), RowSelector::select(select)].repeat(1_000 / (skip + select)))
        };
        let compressions = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
            Compression::LZ4_RAW,
        ];
        for compression in compressions {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let file = file(compression, version);
                for group in [0, 1] {
                    for selection in [None, Some(every(1, 2)), Some(every(350, 10)), Some(every(900, 100))] {
                        for leaves in [&[0, 1, 2][..], &[1], &[]] {
                            let [ours, theirs] = both(&file, group, leaves, selection.clone());
                            assert!(!theirs.is_empty());
                            assert_eq!(ours, theirs, "{compression:?}, {version:?}, group {group}, leaves {leaves:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn pages_inflate_to_what_they_claim_or_not_at_all() {
        let gzip = |text: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let check = |body: Vec<u8>, levels: i64, size: i64, want: Option<&[u8]>| {
            let header = Header::of(levels, size);
            let found = inflated(&body.into(), &header, &mut Decompressor::new());
            assert_eq!(found.as_deref().ok(), want, "{levels} bytes of levels, {size} in all");
        };
        let text = b"text of a page, text of a page";
        check(gzip(text), 0, 30, Some(text));
        check([&b"ab"[..], &gzip(text)].concat(), 2, 32, Some(b"abtext of a page, text of a page"));
        // Several members, also such that the last one's length is that of all.
        check([gzip(&text[..10]), gzip(&text[10..])].concat(), 0, 30, Some(text));
        check([gzip(text), gzip(b"")].concat(), 0, 30, Some(text));
        check([gzip(b""), gzip(text)].concat(), 0, 30, Some(text));
        // No values: nothing is stored, or something that is not looked at.
        check(Vec::new(), 0, 0, Some(b""));
        check(b"ab".to_vec(), 2, 2, Some(b"ab"));
        for size in [1 << 20, 31, 29] {
            check(gzip(text), 0, size, None);
        }
        check(gzip(text), 31, 30, None);
        check(gzip(text), -1, 30, None);
        check(gzip(text), 0, -1, None);
        check(b"abc".to_vec(), 4, 4, None);
        let sound = gzip(text);
        (0..sound.len()).for_each(|end| check(sound[..end].to_vec(), 0, 30, None));
        for at in 10..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x11;
            check(damaged, 0, 30, None);
        }
    }
}
