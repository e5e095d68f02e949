//! The row groups of a Parquet file, one after the other, and of each only what a run needs.
//!
//! Where records may be unwanted there are two passes over a group. The first reads the columns by which records are counted
//! (status, interface, start, end) and is told which rows are needed; the second reads all columns of those rows alone. A
//! group that its statistics prove to start outside the window needs no second pass, and at most its status for the first.
//! What becomes of a record does not depend on the passes: `parquet` judges it by the same columns either way.

use super::chunks::Chunks;
use super::columns::{Cell, INTERVAL_MAX, MILLISECONDS_FROM, instant};
use super::contained::contained;
use super::values::Values;
use crate::flow::Layout;
use crate::flow::field::{FieldId, id};
use crate::time::{TimeRange, UnixSeconds};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Schema};
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection, RowSelector};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use std::ops::Range;

/// Largest row group, in rows, that is read in two passes: where every other row is needed, saying which takes 16 bytes a row.
const COUNTED_ROWS_MAX: u64 = 1 << 21;
/// Rows in a row that must not be needed to leave out a page, or nearly.
const GAP_ROWS_MIN: usize = 4_096;
/// Row groups read in one pass after one in which less than half stood in such gaps.
const WHOLE_GROUPS: u32 = 7;

/// What the statistics of a row group prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    Nothing,
    /// Its records start outside the window; those without a known status are rejects.
    OutsideByStatus,
    /// Its rows are records that start outside the window.
    Outside,
}

/// Which columns the passes read.
#[derive(Debug, Clone)]
pub struct Projection {
    /// All that the run reads.
    pub all: ProjectionMask,
    /// Those by which records are counted, if there are others and records may be unwanted.
    pub counting: Option<ProjectionMask>,
    /// The status.
    pub status: ProjectionMask,
}

/// What comes next.
#[derive(Debug)]
pub enum Part {
    /// These byte ranges are needed.
    Needs(Vec<Range<u64>>),
    /// Rows of the counting columns, or of the status alone if they are known to be outside the window: say by
    /// [`RowGroups::keep`] which are needed.
    Counting {
        /// Their values.
        batch: RecordBatch,
        /// Whether they start outside the window.
        is_outside: bool,
    },
    /// Rows with all columns.
    Rows {
        /// Their values.
        batch: RecordBatch,
        /// Their numbers in the file, from 1.
        numbers: Vec<u64>,
    },
    /// So many records that start outside the window.
    Outside(u64),
    /// Every group was read.
    End,
}

/// Reads row groups; push-based, as the crate's decoder is.
#[derive(Debug)]
pub struct RowGroups {
    reader: ArrowReaderMetadata,
    projection: Projection,
    proofs: Vec<Proof>,
    batch_rows: usize,
    group: usize,
    /// Rows of the groups before.
    before: u64,
    pass: Pass,
    /// What the first pass read, for the second.
    held: (Vec<Range<u64>>, Vec<Bytes>),
    whole_groups_left: u32,
}

#[derive(Debug)]
enum Pass {
    Between,
    Counting { decoder: Decoder, is_outside: bool, rows: Selected },
    Reading { decoder: Decoder, rows: Selected, next: u64 },
}

#[derive(Debug)]
enum Decoder {
    Chunks(Box<Chunks>),
    /// Of single pages, where the file says where they lie.
    Pages(Box<ParquetPushDecoder>),
}

impl Decoder {
    fn push(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<(), ParquetError> {
        match self {
            Decoder::Chunks(chunks) => {
                chunks.push(ranges, data);
                Ok(())
            }
            Decoder::Pages(pages) => pages.push_ranges(ranges, data),
        }
    }

    fn try_decode(&mut self) -> Result<DecodeResult<RecordBatch>, ParquetError> {
        match self {
            Decoder::Chunks(chunks) => chunks.try_decode(),
            Decoder::Pages(pages) => pages.try_decode(),
        }
    }
}

impl RowGroups {
    /// Makes a reader; `proofs` has an entry for each row group.
    pub fn new(reader: ArrowReaderMetadata, projection: Projection, proofs: Vec<Proof>, batch_rows: usize) -> RowGroups {
        let held = (Vec::new(), Vec::new());
        RowGroups { reader, projection, proofs, batch_rows, group: 0, before: 0, pass: Pass::Between, held, whole_groups_left: 0 }
    }

    /// Returns the ranges, and their bytes, that are kept for the second pass.
    pub fn held(&self) -> (&[Range<u64>], &[Bytes]) {
        (&self.held.0, &self.held.1)
    }

    /// Gives the ranges that were asked for.
    ///
    /// # Errors
    /// The crate's.
    pub fn push(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<(), ParquetError> {
        match &mut self.pass {
            Pass::Between => Ok(()),
            Pass::Counting { decoder, .. } => {
                self.held.0.extend_from_slice(&ranges);
                self.held.1.extend_from_slice(&data);
                decoder.push(ranges, data)
            }
            Pass::Reading { decoder, .. } => decoder.push(ranges, data),
        }
    }

    /// Says of the rows counted last, in order, whether they are needed.
    pub fn keep(&mut self, needed: &[bool]) {
        if let Pass::Counting { rows, .. } = &mut self.pass {
            needed.iter().for_each(|needed| rows.push(*needed));
        }
    }

    /// Goes on.
    ///
    /// # Errors
    /// The crate's, which may panic too.
    pub fn step(&mut self) -> Result<Part, ParquetError> {
        loop {
            match &mut self.pass {
                Pass::Between => {
                    if let Some(part) = self.enter()? {
                        return Ok(part);
                    }
                }
                Pass::Counting { decoder, is_outside, .. } => match decoder.try_decode()? {
                    DecodeResult::NeedsData(ranges) => return Ok(Part::Needs(ranges)),
                    DecodeResult::Data(batch) => return Ok(Part::Counting { batch, is_outside: *is_outside }),
                    DecodeResult::Finished => self.read_what_is_needed()?,
                },
                Pass::Reading { decoder, rows, next } => match decoder.try_decode()? {
                    DecodeResult::NeedsData(ranges) => return Ok(Part::Needs(ranges)),
                    DecodeResult::Data(batch) => {
                        let mut numbers = Vec::with_capacity(batch.num_rows());
                        while numbers.len() < batch.num_rows() {
                            numbers.extend(rows.next_numbers(next, batch.num_rows() - numbers.len()).map(|number| self.before + number));
                        }
                        return Ok(Part::Rows { batch, numbers });
                    }
                    DecodeResult::Finished => self.leave(),
                },
            }
        }
    }

    /// Enters the next group.
    fn enter(&mut self) -> Result<Option<Part>, ParquetError> {
        let rows = match self.reader.metadata().row_groups().get(self.group) {
            Some(group) => u64::try_from(group.num_rows()).unwrap_or(0),
            None => return Ok(Some(Part::End)),
        };
        let proof = self.proofs.get(self.group).copied().unwrap_or(Proof::Nothing);
        if proof == Proof::Outside {
            self.leave();
            return Ok(Some(Part::Outside(rows)));
        }
        let counting = match proof {
            _ if rows > COUNTED_ROWS_MAX => None,
            Proof::OutsideByStatus => Some(self.projection.status.clone()),
            _ if self.whole_groups_left > 0 => None,
            _ => self.projection.counting.clone(),
        };
        self.pass = match counting {
            Some(mask) => {
                let decoder = self.decoder(mask, None)?;
                Pass::Counting { decoder, is_outside: proof != Proof::Nothing, rows: Selected::default() }
            }
            None => {
                self.whole_groups_left = self.whole_groups_left.saturating_sub(1);
                let decoder = self.decoder(self.projection.all.clone(), None)?;
                Pass::Reading { decoder, rows: Selected::all(), next: 0 }
            }
        };
        Ok(None)
    }

    fn decoder(&self, mask: ProjectionMask, selection: Option<RowSelection>) -> Result<Decoder, ParquetError> {
        let reader = self.reader.clone();
        let selection = match selection {
            Some(selection) if reader.metadata().offset_index().is_some() => selection,
            some => return Ok(Decoder::Chunks(Box::new(Chunks::new(reader, self.group, mask, some, self.batch_rows)))),
        };
        let builder = ParquetPushDecoderBuilder::new_with_metadata(reader);
        let builder = builder.with_row_groups(vec![self.group]).with_projection(mask).with_batch_size(self.batch_rows);
        Ok(Decoder::Pages(Box::new(builder.with_row_selection(selection).build()?)))
    }

    fn read_what_is_needed(&mut self) -> Result<(), ParquetError> {
        let Pass::Counting { rows, is_outside, .. } = std::mem::replace(&mut self.pass, Pass::Between) else { return Ok(()) };
        if !is_outside && rows.in_gaps() < rows.len() / 2 {
            self.whole_groups_left = WHOLE_GROUPS;
        }
        if rows.needed() == 0 {
            self.leave();
            return Ok(());
        }
        let mut decoder = self.decoder(self.projection.all.clone(), Some(RowSelection::from(rows.runs.clone())))?;
        let (ranges, data) = self.held.clone();
        decoder.push(ranges, data)?;
        self.pass = Pass::Reading { decoder, rows, next: 0 };
        Ok(())
    }

    fn leave(&mut self) {
        let rows = self.reader.metadata().row_groups().get(self.group).map_or(0, |group| group.num_rows());
        self.before += u64::try_from(rows).unwrap_or(0);
        self.group += 1;
        self.held = (Vec::new(), Vec::new());
        self.pass = Pass::Between;
    }
}

/// Rows of a group: runs of those that are needed and those that are not, and how far they were numbered.
#[derive(Debug, Default)]
struct Selected {
    runs: Vec<RowSelector>,
    run: usize,
    /// Rows of the run that were numbered.
    numbered: usize,
}

impl Selected {
    /// Every row, however many come.
    fn all() -> Selected {
        Selected { runs: vec![RowSelector::select(usize::MAX)], ..Selected::default() }
    }

    fn push(&mut self, needed: bool) {
        match self.runs.last_mut() {
            Some(run) if run.skip != needed => run.row_count += 1,
            _ => self.runs.push(if needed { RowSelector::select(1) } else { RowSelector::skip(1) }),
        }
    }

    fn len(&self) -> usize {
        self.runs.iter().map(|run| run.row_count).sum()
    }

    /// Rows that are not needed in runs that are long, or all there are.
    fn in_gaps(&self) -> usize {
        let is_gap = |run: &&RowSelector| run.skip && (run.row_count >= GAP_ROWS_MIN || self.runs.len() == 1);
        self.runs.iter().filter(is_gap).map(|run| run.row_count).sum()
    }

    fn needed(&self) -> usize {
        self.runs.iter().filter(|run| !run.skip).map(|run| run.row_count).sum()
    }

    /// Returns the numbers, from 1, of the next rows that are needed, `max` of them at most; `at` are the rows before them.
    fn next_numbers(&mut self, at: &mut u64, max: usize) -> Range<u64> {
        let mut count = max;
        while let Some(run) = self.runs.get(self.run) {
            if !run.skip && self.numbered < run.row_count {
                count = max.min(run.row_count - self.numbered);
                self.numbered += count;
                break;
            }
            *at += if run.skip { run.row_count as u64 } else { 0 };
            (self.run, self.numbered) = (self.run + 1, 0);
        }
        let first = *at + 1;
        *at += count as u64;
        first..*at + 1
    }
}

/// Says of each row group what its statistics prove; `names` are the file's columns, of which `layout` says what they hold.
pub fn proofs(metadata: &ParquetMetaData, types: &Schema, names: &[&str], layout: &Layout, window: TimeRange) -> Vec<Proof> {
    let proven = || proven(metadata, types, names, layout, window);
    let found = if window == TimeRange::default() { None } else { contained(proven).ok().flatten() };
    found.unwrap_or_else(|| vec![Proof::Nothing; metadata.num_row_groups()])
}

fn proven(metadata: &ParquetMetaData, types: &Schema, names: &[&str], layout: &Layout, window: TimeRange) -> Option<Vec<Proof>> {
    let of = |field: FieldId| {
        let name = *names.get(layout.position(field)?)?;
        // The converter goes by name.
        (names.iter().filter(|other| **other == name).count() == 1).then(|| Extremes::read(metadata, types, name, field)).flatten()
    };
    let has = |field| layout.position(field).is_some();
    let (start, end, status) = (of(id::START)?, of(id::END), of(id::LOG_STATUS));
    if has(id::END) && end.is_none() {
        return None;
    }
    let is_outside = |at| {
        let (earliest, latest) = start.instants(at)?;
        let is_apart = window.to.is_some_and(|to| earliest >= to) || window.from.is_some_and(|from| latest < from);
        // A record may not last longer than that, and without a start it is in every window.
        let is_sound = match &end {
            Some(end) => end.instants(at)?.1 - earliest <= INTERVAL_MAX,
            None => true,
        };
        Some(is_apart && is_sound && start.has_no_null(at))
    };
    let has_known_status = |at| match &status {
        Some(status) => status.is_one_of(at, &["OK", "NODATA", "SKIPDATA"]),
        None => !has(id::LOG_STATUS),
    };
    let proof = |at| match is_outside(at) {
        Some(true) if has_known_status(at) => Proof::Outside,
        Some(true) => Proof::OutsideByStatus,
        _ => Proof::Nothing,
    };
    Some((0..metadata.num_row_groups()).map(proof).collect())
}

/// Least and greatest values of a column, and its missing ones, by row group.
struct Extremes {
    kind: DataType,
    least: Values,
    greatest: Values,
    nulls: UInt64Array,
}

impl Extremes {
    fn read(metadata: &ParquetMetaData, types: &Schema, name: &str, field: FieldId) -> Option<Extremes> {
        let converter = StatisticsConverter::try_new(name, types, metadata.file_metadata().schema_descr()).ok()?;
        let converter = converter.with_missing_null_counts_as_zero(false);
        let (groups, values) = (|| metadata.row_groups().iter(), |array: &ArrayRef| Values::new(array, Some(field)).ok());
        let (least, greatest) = (converter.row_group_mins(groups()).ok()?, converter.row_group_maxes(groups()).ok()?);
        let nulls = converter.row_group_null_counts(groups()).ok()?;
        Some(Extremes { kind: least.data_type().clone(), least: values(&least)?, greatest: values(&greatest)?, nulls })
    }

    /// Returns the bounds of a group's instants, if they stand in numbers that grow as time does.
    fn instants(&self, group: usize) -> Option<(UnixSeconds, UnixSeconds)> {
        let in_order = self.kind.is_integer() || matches!(self.kind, DataType::Timestamp(..));
        let (Cell::Number(least), Cell::Number(greatest)) = (self.least.cell(group), self.greatest.cell(group)) else { return None };
        let in_one_unit = (least >= MILLISECONDS_FROM) == (greatest >= MILLISECONDS_FROM);
        (in_order && in_one_unit).then_some(())?;
        Some((instant(Cell::Number(least))?, instant(Cell::Number(greatest))?))
    }

    fn has_no_null(&self, group: usize) -> bool {
        self.nulls.is_valid(group) && self.nulls.value(group) == 0
    }

    /// Returns whether all values of a group are the same one of these. Bounds that were cut to the same text bound it alone.
    fn is_one_of(&self, group: usize, texts: &[&str]) -> bool {
        match (self.least.cell(group), self.greatest.cell(group)) {
            (Cell::Text(least), Cell::Text(greatest)) => least == greatest && texts.contains(&least) && self.has_no_null(group),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_numbers_whatever_is_left_out() {
        let check = |needed: &[u8], numbers: &[u64]| {
            let mut rows = Selected::default();
            needed.iter().for_each(|needed| rows.push(*needed == b'x'));
            assert_eq!((rows.len(), rows.needed()), (needed.len(), numbers.len()));
            for max in 1..4 {
                let (mut at, mut found) = (0, Vec::new());
                (rows.run, rows.numbered) = (0, 0);
                while found.len() < numbers.len() {
                    found.extend(rows.next_numbers(&mut at, max.min(numbers.len() - found.len())));
                }
                assert_eq!(found, numbers);
            }
        };
        check(b"", &[]);
        check(b"...", &[]);
        check(b"xxx", &[1, 2, 3]);
        check(b".x..xx.x", &[2, 5, 6, 8]);
        check(b"x......x.", &[1, 8]);
        let (mut all, mut at) = (Selected::all(), 0);
        assert_eq!([2, 0, 3].map(|max| all.next_numbers(&mut at, max)), [1..3, 3..3, 3..6]);
    }
}
