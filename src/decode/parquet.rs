//! Parquet → batches: columns by name, coerced to the types of [`flow::field`](crate::flow::field).
//!
//! Files of different subscriptions have different columns in different orders, and re-written ones other names and types
//! (`values`), so nothing is taken by position; Security Lake's have a schema of their own (`ocsf`). The decoder asks for byte
//! ranges and reads nothing itself.
//!
//! A record that the columns by which records are counted show to be unwanted is counted, and nothing else of it is checked, as
//! columns that a run does not read are not; `row_groups` uses that to leave pages and groups unread. Where all is checked
//! (`--validate full`), and in Security Lake's files, all is read.

use super::arrays::Arrays;
use super::columns::{Cell, Cells, Columns, Fault};
use super::contained::contained;
use super::dictionary::Dictionary;
use super::object::Step;
use super::ocsf;
use super::page_guard::{self, PageGuard};
use super::records::LINE_LEN_MAX;
use super::reject::{Reason, Reject, TEXT_LEN_MAX};
use super::row_groups::{Part, Projection, RowGroups, proofs};
use super::shape::Shape;
use super::values::{Row, Values};
use super::{BATCH_ROWS, Interfaces, Tally, Validation, Wanted};
use crate::error::Result;
use crate::flow::field::{FieldId, id};
use crate::flow::{Column, Layout};
use crate::time::TimeRange;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};
use parquet::schema::types::SchemaDescriptor;
use std::ops::Range;
use std::sync::Arc;

/// Most stored bytes asked for at once: the columns that are read of a row group.
const RANGES_LEN_MAX: u64 = 192 << 20;

/// Decodes one Parquet object.
#[derive(Debug)]
pub struct ParquetDecoder {
    wanted: Arc<Wanted>,
    state: State,
    columns: Columns,
    tally: Tally,
    rejects: Vec<Reject>,
    size: u64,
    /// What the columns read hold.
    layout: Layout,
    /// Positions in it of the columns by which records are counted.
    counting: Vec<usize>,
    is_ocsf: bool,
    /// Whether records may be unwanted, and are judged by those columns before anything else of them is looked at.
    some_are_unwanted: bool,
    /// Whether single pages are read where the file says where they lie.
    by_pages: bool,
    guard: Option<PageGuard>,
    rows_claimed: u64,
    /// By column that is read: the dictionary of the last batch.
    dictionaries: Vec<Option<Arc<Dictionary>>>,
}

#[derive(Debug)]
enum State {
    Footer(Box<ParquetMetaDataPushDecoder>),
    /// Where pages lie is being read. Without it, the file is read as those that do not say so.
    PageIndex(Box<ParquetMetaDataPushDecoder>, Arc<ParquetMetaData>),
    Opening(Arc<ParquetMetaData>),
    Rows(Box<RowGroups>),
    Done(Option<String>),
}

impl ParquetDecoder {
    /// Makes a decoder for an object of `size` bytes.
    pub fn new(wanted: Arc<Wanted>, size: u64) -> ParquetDecoder {
        let state = match ParquetMetaDataPushDecoder::try_new(size) {
            Ok(footer) => State::Footer(Box::new(footer.with_page_index_policy(PageIndexPolicy::Skip))),
            Err(error) => State::Done(Some(format!("damaged after row 0: {error}"))),
        };
        let columns = Columns::new(Arc::clone(&wanted), &Layout::default());
        ParquetDecoder {
            wanted,
            state,
            columns,
            tally: Tally::default(),
            rejects: Vec::new(),
            size,
            layout: Layout::default(),
            counting: Vec::new(),
            is_ocsf: false,
            some_are_unwanted: false,
            by_pages: false,
            guard: None,
            rows_claimed: 0,
            dictionaries: Vec::new(),
        }
    }

    /// Reads single pages where the file says where they lie: for objects whose bytes are fetched as they are asked for.
    #[must_use]
    pub fn by_pages(self) -> ParquetDecoder {
        ParquetDecoder { by_pages: true, ..self }
    }

    /// Returns the accounting so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Gives the ranges that the last step asked for.
    pub fn push(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) {
        let refused = match (&self.state, &self.guard) {
            (State::Footer(_), _) => ranges.iter().zip(&data).try_for_each(|(range, bytes)| match self.size - range.end.min(self.size) {
                0 => page_guard::tail(bytes, self.size),
                _ => page_guard::footer(bytes),
            }),
            (State::PageIndex(_, metadata), _) => match (&*ranges, &*data) {
                ([range], [bytes]) if page_guard::page_index(metadata, range, bytes).is_ok() => Ok(()),
                _ => return self.state = State::Opening(Arc::clone(metadata)),
            },
            (State::Rows(groups), Some(guard)) => {
                let (held, held_data) = groups.held();
                guard.check(&[held, &ranges].concat(), &[held_data, &data].concat())
            }
            _ => Ok(()),
        };
        if let Err(fault) = refused {
            return self.fail(format!("damaged after row {}: {fault}", self.tally.lines));
        }
        let pushed = match &mut self.state {
            State::Footer(footer) | State::PageIndex(footer, _) => footer.push_ranges(ranges, data),
            State::Rows(rows) => rows.push(ranges, data),
            State::Opening(_) | State::Done(_) => Ok(()),
        };
        if let Err(error) = pushed {
            self.fail(error.to_string());
        }
    }

    /// Ends the object early because it could not be read on.
    pub fn fail(&mut self, fault: String) {
        self.state = State::Done(Some(fault));
    }

    /// Decodes on until a batch is full, ranges are needed, or the object ends.
    ///
    /// # Errors
    /// Only for faults of this library; damage in the object ends it with [`Step::Done`].
    pub fn step(&mut self) -> Result<Step> {
        while !self.columns.is_full() && self.rejects.len() < BATCH_ROWS {
            let outcome = match &mut self.state {
                State::Footer(footer) => {
                    match contained(|| footer.try_decode()).unwrap_or_else(|fault| Err(ParquetError::General(fault))) {
                        Ok(DecodeResult::NeedsData(ranges)) => return Ok(self.needs(ranges)),
                        Ok(DecodeResult::Data(metadata)) => self.found(metadata),
                        Ok(DecodeResult::Finished) => Err("damaged after row 0: the footer ended early".to_owned()),
                        Err(error) => Err(format!("damaged after row 0: {error}")),
                    }
                }
                State::PageIndex(index, metadata) => {
                    let metadata = Arc::clone(metadata);
                    self.state = match contained(|| index.try_decode()) {
                        Ok(Ok(DecodeResult::NeedsData(ranges))) if page_guard::is_page_index(&ranges, self.size) => {
                            return Ok(self.needs(ranges));
                        }
                        Ok(Ok(DecodeResult::Data(with_pages))) => State::Opening(Arc::new(with_pages)),
                        _ => State::Opening(metadata),
                    };
                    Ok(())
                }
                State::Opening(metadata) => {
                    let metadata = Arc::clone(metadata);
                    self.open(metadata)
                }
                State::Rows(groups) => match contained(|| groups.step()).unwrap_or_else(|fault| Err(ParquetError::General(fault))) {
                    Ok(Part::Needs(ranges)) => {
                        // Those of the group before have served.
                        self.dictionaries.clear();
                        return Ok(self.needs(ranges));
                    }
                    Ok(Part::Counting { batch, is_outside }) => self.count(&batch, is_outside),
                    Ok(Part::Rows { batch, numbers }) => self.rows(&batch, &numbers),
                    Ok(Part::Outside(rows)) => {
                        self.tally.lines += rows;
                        self.tally.outside_window += rows;
                        Ok(())
                    }
                    Ok(Part::End) => {
                        self.state = State::Done(None);
                        // Pages that end early end the crate's reader quietly.
                        let (found, claimed) = (self.tally.lines, self.rows_claimed);
                        if found == claimed { Ok(()) } else { Err(format!("damaged after row {found}: the footer claims {claimed} rows")) }
                    }
                    Err(error) => Err(format!("damaged after row {}: {error}", self.tally.lines)),
                },
                State::Done(_) => break,
            };
            if let Err(fault) = outcome {
                self.fail(fault);
            }
        }
        if !self.columns.is_empty() || !self.rejects.is_empty() {
            let mut decoded = self.columns.finish()?;
            decoded.rejects = std::mem::take(&mut self.rejects);
            return Ok(Step::Decoded(decoded));
        }
        match &mut self.state {
            State::Done(fault) => Ok(Step::Done(fault.take())),
            _ => Ok(Step::Needs(Vec::new())),
        }
    }

    fn needs(&mut self, ranges: Vec<Range<u64>>) -> Step {
        let sane = |range: &Range<u64>| range.start <= range.end && range.end <= self.size;
        let held = match &self.state {
            State::Rows(groups) => groups.held().1.iter().map(|bytes| bytes.len() as u64).sum(),
            _ => 0,
        };
        let together: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).fold(held, u64::saturating_add);
        if !ranges.iter().all(sane) || together > RANGES_LEN_MAX {
            let row = self.tally.lines;
            self.fail(format!(
                "damaged after row {row}: a row group lies outside the file, or is larger than {} MiB",
                RANGES_LEN_MAX >> 20
            ));
            return Step::Needs(Vec::new());
        }
        Step::Needs(ranges)
    }

    /// Takes the footer.
    fn found(&mut self, metadata: ParquetMetaData) -> Result<(), String> {
        let metadata = Arc::new(metadata);
        // What is read whole needs no places of pages.
        let some_are_left_out = self.wanted.time != TimeRange::default() || !matches!(self.wanted.interfaces, Interfaces::All);
        let index = (self.by_pages && some_are_left_out && self.wanted.validation != Validation::Full)
            .then(|| ParquetMetaDataPushDecoder::try_new_with_metadata(self.size, (*metadata).clone()).ok());
        self.state = match index.flatten() {
            Some(index) => {
                let index = index.with_column_index_policy(PageIndexPolicy::Skip).with_offset_index_policy(PageIndexPolicy::Optional);
                State::PageIndex(Box::new(index), metadata)
            }
            None => State::Opening(metadata),
        };
        Ok(())
    }

    fn open(&mut self, metadata: Arc<ParquetMetaData>) -> Result<(), String> {
        let guard = PageGuard::new(&metadata, self.size).map_err(|fault| format!("damaged after row 0: {fault}"))?;
        let descriptor = metadata.file_metadata().schema_descr_ptr();
        let schema: &SchemaDescriptor = &descriptor;
        let names: Vec<&str> = schema.root_schema().get_fields().iter().map(|field| field.name()).collect();
        self.is_ocsf = ocsf::is_ocsf(&names);
        let layout = if self.is_ocsf { ocsf::layout() } else { Layout::of_any_names(&names) };
        if !layout.columns.iter().any(|column| matches!(column, Column::Known(_))) {
            return Err(format!("no column of a flow log among: {}", names.join(" ").chars().take(200).collect::<String>()));
        }
        let keep: Vec<usize> = match self.is_ocsf {
            true => (0..names.len()).filter(|at| names.get(*at).is_some_and(|name| ocsf::reads(name))).collect(),
            false => (0..names.len()).filter(|at| self.reads(&layout, *at)).collect(),
        };
        let kind = layout.kind();
        let shape = if self.is_ocsf { Shape::SecurityLake } else { Shape::Parquet };
        self.tally.use_layout(&Arc::new(layout.clone()), shape);
        self.rows_claimed = metadata.row_groups().iter().map(|group| group.num_rows().max(0) as u64).sum();
        // The Arrow schema that some writers embed adds nothing to the file's own types, and arrow-ipc panics on a damaged one.
        let types = contained(|| parquet_to_arrow_schema(schema, None))
            .unwrap_or_else(|fault| Err(ParquetError::General(fault)))
            .map_err(|error| format!("damaged after row 0: {error}"))?;
        let types = Schema::new(types.fields().iter().map(|field| as_views(field)).collect::<Vec<Field>>());
        let is_judged_early = !self.is_ocsf && self.wanted.validation != Validation::Full;
        let (proofs, status) = match is_judged_early {
            true => (proofs(&metadata, &types, &names, &layout, self.wanted.time), layout.position(id::LOG_STATUS)),
            false => (Vec::new(), None),
        };
        let counts = |at: &usize| is_judged_early && counts(&layout, *at, &self.wanted);
        self.counting = (0..keep.len()).filter(|at| keep.get(*at).is_some_and(counts)).collect();
        let (has_window, is_of_kind) = (self.wanted.time != TimeRange::default(), kind == self.wanted.kind);
        self.some_are_unwanted = is_judged_early && (has_window || !is_of_kind || !matches!(self.wanted.interfaces, Interfaces::All));
        // Rows of wanted interfaces are all over a file as a rule, so that a second pass decodes nearly all pages again: it pays for itself
        // where bytes are fetched as they are asked for.
        let in_two_passes = self.some_are_unwanted && (has_window || !is_of_kind || self.by_pages);
        let roots = |roots: &mut dyn Iterator<Item = usize>| ProjectionMask::roots(schema, roots);
        let projection = Projection {
            all: roots(&mut keep.iter().copied()),
            counting: (in_two_passes && self.counting.len() < keep.len()).then(|| roots(&mut keep.iter().copied().filter(counts))),
            status: roots(&mut status.into_iter()),
        };
        self.layout = match self.is_ocsf {
            true => layout,
            false => Layout { columns: keep.iter().filter_map(|at| layout.columns.get(*at).cloned()).collect(), ..layout },
        };
        self.columns.set_layout(&self.layout, kind);
        let (metadata, guard) = guard.with_pages(metadata, &projection.all);
        self.guard = Some(guard);
        let types = if self.is_ocsf { types } else { with_dictionaries(&types, &metadata) };
        let options = ArrowReaderOptions::new().with_schema(Arc::new(types));
        // Security Lake's rows are made anew in memory, so fewer are held at once.
        let batch_rows = if self.is_ocsf { BATCH_ROWS / 16 } else { BATCH_ROWS };
        let reader = contained(|| ArrowReaderMetadata::try_new(metadata, options))
            .unwrap_or_else(|fault| Err(ParquetError::General(fault)))
            .map_err(|error: ParquetError| format!("damaged after row 0: {error}"))?;
        self.state = State::Rows(Box::new(RowGroups::new(reader, projection, proofs, batch_rows)));
        Ok(())
    }

    fn reads(&self, layout: &Layout, at: usize) -> bool {
        match layout.columns.get(at) {
            Some(Column::Known(field)) => {
                self.wanted.validation == Validation::Full || self.wanted.fields.contains(field) || counts(layout, at, &self.wanted)
            }
            Some(Column::Unknown(_)) => self.wanted.extra,
            None => false,
        }
    }

    /// Counts the rows that the columns read show to be unwanted, and says which the others are.
    fn count(&mut self, batch: &RecordBatch, is_outside: bool) -> Result<(), String> {
        let status = self.layout.position(id::LOG_STATUS);
        let read: Vec<usize> = if is_outside { status.into_iter().collect() } else { self.counting.clone() };
        let mut columns: Vec<Values> = self.layout.columns.iter().map(|_| Values::default()).collect();
        for (at, array) in read.iter().zip(batch.columns()) {
            if let Some(column) = columns.get_mut(*at) {
                *column = self.values(*at, array)?;
            }
        }
        let rows = Arrays::new(&columns, &self.layout, batch.num_rows()).filter(|_| !is_outside);
        if let Some(needed) = rows.and_then(|rows| self.columns.pass_over_table(&rows, &mut self.tally)) {
            self.tally.lines += needed.iter().filter(|needed| !**needed).count() as u64;
            if let State::Rows(groups) = &mut self.state {
                groups.keep(&needed);
            }
            return Ok(());
        }
        let mut needed = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let is_unwanted = match is_outside {
                true => self.columns.pass_over_outside(&Row { columns: &columns, row, rest: &[] }, &mut self.tally),
                false => self.pass_over(&columns, row),
            };
            self.tally.lines += u64::from(is_unwanted);
            needed.push(!is_unwanted);
        }
        if let State::Rows(groups) = &mut self.state {
            groups.keep(&needed);
        }
        Ok(())
    }

    /// Counts a row if the columns by which records are counted show that it is a record and not wanted; returns whether it was.
    fn pass_over(&mut self, columns: &[Values], row: usize) -> bool {
        let cells = Row { columns, row, rest: &[] };
        self.columns.pass_over(&cells, || cells.is_sound(&self.counting), &mut self.tally)
    }

    fn values(&mut self, at: usize, array: &ArrayRef) -> Result<Values, String> {
        let field = match self.layout.columns.get(at) {
            Some(Column::Known(field)) => Some(*field),
            _ => None,
        };
        if self.dictionaries.len() <= at {
            self.dictionaries.resize(at + 1, None);
        }
        let mut none = None;
        let last = self.dictionaries.get_mut(at).unwrap_or(&mut none);
        Values::next(array, field, last).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &arrow::error::ArrowError) -> String {
        format!("after row {}: {error}", self.tally.lines)
    }

    fn rows(&mut self, batch: &RecordBatch, numbers: &[u64]) -> Result<(), String> {
        if self.is_ocsf {
            let mapped = ocsf::map(batch).map_err(|error| self.unreadable(&error))?;
            let class = |row| mapped.other_class(row);
            self.take(&mapped.columns, &mapped.rest, numbers, class);
        } else {
            let columns = batch.columns().iter().enumerate().map(|(at, array)| self.values(at, array));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            if !self.take_at_once(&columns, numbers) {
                self.take(&columns, &[], numbers, |_| None);
            }
        }
        Ok(())
    }

    /// Takes rows as [`ParquetDecoder::take`] does, or none of them if one is not like most.
    fn take_at_once(&mut self, columns: &[Values], numbers: &[u64]) -> bool {
        let number = |row: usize| numbers.get(row).copied().unwrap_or_default();
        let is_taken =
            Arrays::new(columns, &self.layout, numbers.len()).is_some_and(|rows| self.columns.push_table(&rows, number, &mut self.tally));
        self.tally.lines += if is_taken { numbers.len() as u64 } else { 0 };
        is_taken
    }

    fn take(&mut self, columns: &[Values], rest: &[ocsf::Pairs], numbers: &[u64], other_class: impl Fn(usize) -> Option<i64>) {
        for (row, number) in numbers.iter().copied().enumerate() {
            self.tally.lines += 1;
            let cells = Row { columns, row, rest: rest.get(row).map_or(&[], Vec::as_slice) };
            let fault = || match other_class(row) {
                Some(class) => Some((Reason::NotARecord, format!("OCSF class {class}"))),
                // As for a line of text: a row bounds what a batch can hold.
                None if cells.text_len() > LINE_LEN_MAX => Some((Reason::LineTooLong, String::new())),
                None => Some((columns.iter().find_map(|values| values.unusable(row))?, String::new())),
            };
            let taken: Result<(), Fault> = if self.some_are_unwanted {
                let is_sound = || cells.is_sound(&self.counting);
                self.columns.push_if_wanted(&cells, number, &mut self.tally, is_sound, fault)
            } else {
                fault().map_or_else(|| self.columns.push(&cells, number, &mut self.tally), Err)
            };
            if let Err((reason, detail)) = taken {
                self.tally.rejected(number, reason);
                self.rejects.push(Reject::new(number, reason, detail, self.row_text(&cells).as_bytes()));
            }
        }
    }

    fn row_text(&self, cells: &Row<'_>) -> String {
        let value = |at| match cells.cell(at) {
            Cell::Null => "-".to_owned(),
            Cell::Text(text) => text.chars().take(TEXT_LEN_MAX).collect(),
            Cell::Number(number) => number.to_string(),
        };
        let name = |column: &Column| match column {
            Column::Known(field) => field.field().column.to_owned(),
            Column::Unknown(name) => name.to_string(),
        };
        let pairs = self.layout.columns.iter().enumerate().map(|(at, column)| format!("{}={}", name(column), value(at)));
        pairs.collect::<Vec<_>>().join(" ")
    }
}

/// Whether records are counted by the column at a position of a layout.
fn counts(layout: &Layout, at: usize, wanted: &Wanted) -> bool {
    const ALWAYS: [FieldId; 3] = [id::LOG_STATUS, id::START, id::END];
    const WITHOUT_STATUS: [FieldId; 5] = [id::SRCADDR, id::DSTADDR, id::PACKETS, id::BYTES, id::ACTION];
    let without_status = layout.position(id::LOG_STATUS).is_none();
    let by_interface = !matches!(wanted.interfaces, Interfaces::All);
    let counts = |field: &FieldId| {
        ALWAYS.contains(field) || by_interface && *field == id::INTERFACE_ID || without_status && WITHOUT_STATUS.contains(field)
    };
    matches!(layout.columns.get(at), Some(Column::Known(field)) if counts(field))
}

/// Texts are read as views: a value of a dictionary then stands in memory once, however many rows name it.
fn as_views(field: &Field) -> Field {
    let inner = |field: &Arc<Field>| Arc::new(as_views(field));
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
}

/// Columns of which every page names texts of a dictionary are read with it. The crate makes one of other pages' texts, batch by batch.
fn with_dictionaries(types: &Schema, metadata: &ParquetMetaData) -> Schema {
    let schema = metadata.file_metadata().schema_descr();
    let is_named = |leaf: usize| {
        let mut pages = metadata.row_groups().iter().map(|group| group.columns().get(leaf)?.page_encoding_stats_mask());
        pages.all(|mask| mask.is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY)))
    };
    let root = |at: usize| (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == at);
    let field = |(at, field): (usize, &Arc<Field>)| match field.data_type() {
        DataType::Utf8View if root(at).is_some_and(is_named) => {
            let named = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new((**field).clone().with_data_type(named))
        }
        _ => Arc::clone(field),
    };
    Schema::new(types.fields().iter().enumerate().map(field).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{BATCH_TEXT_BYTES, Fitting};
    use crate::flow::RecordKind;
    use arrow::array::{BinaryArray, Float64Array, Int32Array, Int64Array, StringArray, StructArray};
    use arrow::compute::cast;
    use parquet::arrow::ArrowWriter;
    use proptest::prelude::*;

    fn file(columns: Vec<(&str, ArrayRef)>) -> Bytes {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap().into()
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn wanted() -> Arc<Wanted> {
        Arc::new(Wanted { fields: vec![id::INTERFACE_ID, id::SRCADDR], extra: true, ..Wanted::default() })
    }

    /// Decodes a file: rows and rejects of each batch, the rejects, and the fault.
    fn decode(file: &Bytes) -> (Vec<(usize, usize)>, Vec<Reject>, Option<String>) {
        let mut decoder = ParquetDecoder::new(wanted(), file.len() as u64);
        let (mut batches, mut rejects) = (Vec::new(), Vec::new());
        loop {
            match decoder.step().unwrap() {
                Step::Decoded(decoded) => {
                    batches.push((decoded.batch.num_rows(), decoded.rejects.len()));
                    rejects.extend(decoded.rejects);
                }
                Step::Needs(ranges) => {
                    let data = ranges.iter().map(|range| file.slice(range.start as usize..range.end as usize)).collect();
                    decoder.push(ranges, data);
                }
                Step::Done(fault) => return (batches, rejects, fault),
                Step::Hungry => unreachable!("it asks for ranges"),
            }
        }
    }

    #[test]
    fn batches_end_when_they_are_full_of_rows_or_of_rejects() {
        let of = |address: &str, rows: usize| decode(&file(vec![("srcaddr", texts(&vec![address; rows]))]));
        assert_eq!(of("10.0.0.1", 20_000).0, [(8_192, 0), (8_192, 0), (3_616, 0)]);
        assert_eq!(of("nowhere", 16_385).0, [(0, 8_192), (0, 8_192), (0, 1)]);
        // Security Lake's rows are read in smaller parts, and batches are as large all the same.
        let version: Vec<(Arc<Field>, ArrayRef)> = vec![(Arc::new(Field::new("log_name", DataType::Utf8, false)), texts(&["x"; 10_000]))];
        let lake = file(vec![
            ("class_uid", Arc::new(Int64Array::from(vec![4_001; 10_000]))),
            ("metadata", Arc::new(StructArray::from(version))),
            ("status_code", texts(&["OK"; 10_000])),
        ]);
        assert_eq!(decode(&lake).0, [(8_192, 0), (1_808, 0)]);
    }

    #[test]
    fn a_row_is_as_long_as_a_line_at_most() {
        let pad = |less: usize| "x".repeat(LINE_LEN_MAX - less);
        let columns = |last: [&str; 3]| vec![("interface_id", texts(&["eni-1"; 3])), ("beside", texts(&last))];
        let (batches, rejects, fault) = decode(&file(columns([&pad(5), &pad(4), &pad(6)])));
        assert_eq!((batches, fault), (vec![(2, 1)], None));
        assert_eq!(rejects.iter().map(|reject| (reject.line, reject.reason)).collect::<Vec<_>>(), [(2, Reason::LineTooLong)]);
        let values = Values::of_texts(["eni-1", "eni-23"].into_iter().map(Some).collect());
        let row = |row, rest| Row { columns: std::slice::from_ref(&values), row, rest }.text_len();
        let rest = [("ab".to_owned(), "cdefg".to_owned()), ("h".to_owned(), String::new())];
        assert_eq!((row(0, &[][..]), row(1, &[]), row(0, &rest)), (5, 6, 13));
    }

    #[test]
    fn what_a_file_claims_is_checked_before_it_is_read() {
        let sound = file(vec![("srcaddr", texts(&["10.0.0.1"; 9]))]);
        let fault = |at: usize, bytes: &[u8]| {
            let mut damaged = sound.to_vec();
            damaged[at..at + bytes.len()].copy_from_slice(bytes);
            decode(&damaged.into()).2.unwrap()
        };
        let end = sound.len() - 8;
        let longest = fault(end, &[0xff; 4]);
        assert!(longest.starts_with("damaged after row 0: a footer of 4294967295 bytes is claimed"), "{longest}");
        let length = u32::from_le_bytes(sound[end..end + 4].try_into().unwrap()) as usize;
        let footer = fault(end - length, &[0xff]);
        assert!(footer.starts_with("damaged after row 0: the footer is damaged at its byte"), "{footer}");
        let page = fault(4, &[0xff]);
        assert!(page.starts_with("damaged after row 0: page at byte 4: damaged header"), "{page}");
    }

    #[test]
    fn ranges_lie_in_the_file_and_are_not_too_many_bytes() {
        let size = RANGES_LEN_MAX * 4;
        let check = |ranges: &[(u64, u64)], fits: bool| {
            let ranges: Vec<Range<u64>> = ranges.iter().map(|(from, to)| *from..*to).collect();
            let mut decoder = ParquetDecoder::new(wanted(), size);
            let asked = decoder.needs(ranges.clone());
            assert!(matches!(asked, Step::Needs(asked) if asked == if fits { ranges.clone() } else { Vec::new() }), "{ranges:?}");
            assert_eq!(matches!(decoder.step(), Ok(Step::Done(Some(_)))), !fits, "{ranges:?}");
        };
        check(&[(0, RANGES_LEN_MAX)], true);
        check(&[(7, 8), (0, RANGES_LEN_MAX - 1), (size, size)], true);
        check(&[(0, RANGES_LEN_MAX + 1)], false);
        check(&[(7, 8), (0, RANGES_LEN_MAX)], false);
        check(&[(size - 1, size + 1)], false);
        check(&[(8, 7)], false);
        let mut decoder = ParquetDecoder::new(wanted(), size);
        decoder.fail("it could not be read on".into());
        assert!(matches!(decoder.step(), Ok(Step::Done(Some(fault))) if fault == "it could not be read on"));
    }

    #[test]
    fn columns_that_nobody_asks_for_are_not_read() {
        let read = |wanted: &Wanted, names: &[&str]| {
            let decoder = ParquetDecoder::new(Arc::new(wanted.clone()), 100);
            let layout = Layout::of_any_names(names);
            (0..names.len() + 1).filter(|at| decoder.reads(&layout, *at)).map(|at| names[at].to_owned()).collect::<Vec<_>>()
        };
        let some = Wanted { fields: vec![id::VPC_ID], ..Wanted::default() };
        let names = ["version", "vpc_id", "interface_id", "start", "end", "log_status", "srcaddr", "bytes", "unknown"];
        assert_eq!(read(&some, &names), ["vpc_id", "start", "end", "log_status"]);
        let of_one = Wanted { interfaces: Interfaces::Only(Arc::new(["eni-1".to_owned()].into_iter().collect())), ..some.clone() };
        assert_eq!(read(&of_one, &names), ["vpc_id", "interface_id", "start", "end", "log_status"]);
        assert_eq!(read(&Wanted { extra: true, ..some.clone() }, &names).last().unwrap(), "unknown");
        assert_eq!(read(&Wanted { validation: Validation::Full, ..some.clone() }, &names), names[..8]);
        // Without a status, the traffic tells records of none.
        assert_eq!(
            read(&some, &["version", "srcaddr", "dstaddr", "packets", "bytes", "action"]),
            ["srcaddr", "dstaddr", "packets", "bytes", "action"]
        );
    }

    /// A batch of typed columns from seeds, a value for each: as AWS writes it, or rarely one that is not like most.
    fn batch(seeds: &[u64], types: u64) -> RecordBatch {
        let of = |name: &str, at: usize| {
            let next = |seed: &u64| {
                seed.wrapping_mul(6_364_136_223_846_793_005).rotate_left(at as u32 * 5 + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
            };
            let pick = |usual: &[Option<&str>], odd: &[Option<&str>], next: u64| {
                let from = if next.is_multiple_of(211) { odd } else { usual };
                from[(next / 211) as usize % from.len()].map(str::to_owned)
            };
            let (usual, odd): (&[Option<&str>], &[Option<&str>]) = match name {
                "interface_id" => (
                    &[
                        Some("eni-1235b8ca123456789"),
                        Some("eni-0000000000000000a"),
                        Some("eni-1"),
                        Some("-"),
                        None,
                        Some("eni-0000000000000000b"),
                    ],
                    &[Some("None"), Some("eni-\u{e9}")],
                ),
                "srcaddr" | "dstaddr" => (
                    &[Some("10.0.0.1"), Some("192.168.100.200"), Some("-"), Some("2a02:cf40::1"), Some("172.16.0.12"), None, Some("null")],
                    &[Some("10.0.0"), Some("256.1.1.1"), Some("nowhere"), Some("1.2.3.04")],
                ),
                "srcport" => (&[Some("443"), Some("65535"), Some("0"), None], &[Some("65536"), Some("-1")]),
                "bytes" => (&[Some("4249"), Some("0"), Some("1234567890"), None], &[Some("90000000000000"), Some("-5")]),
                "start" => (&[Some("1418530010"), Some("1418530070"), None], &[Some("1418530010123"), Some("9999999999")]),
                "end" => (&[Some("1418530100"), Some("1418530071"), Some("1418530005"), None], &[Some("1518530010")]),
                "action" => (&[Some("ACCEPT"), Some("REJECT"), Some("-"), None], &[Some("accept"), Some("NaN")]),
                "log_status" => (&[Some("OK"), Some("OK"), Some("NODATA"), Some("SKIPDATA")], &[Some("OK?"), None, Some("-")]),
                "account_id" => (&[Some("123456789010"), Some("000000000001")], &[None]),
                _ => (&[Some("the-known-and-very-much-so"), Some("x"), None, Some("<NA>")], &[Some("")]),
            };
            let values: Vec<Option<String>> = seeds.iter().map(|seed| pick(usual, odd, next(seed))).collect();
            let numbers = || values.iter().map(|value| value.as_ref().map(|value| value.parse::<i64>().unwrap()));
            let array: ArrayRef = match (name, (types >> at) % 3) {
                ("srcport" | "bytes" | "start" | "end", 0) => {
                    Arc::new(numbers().map(|number| number.map(|number| number as f64)).collect::<Float64Array>())
                }
                ("srcport", 1) => Arc::new(numbers().map(|number| number.map(|number| number as i32)).collect::<Int32Array>()),
                ("srcport" | "bytes" | "start" | "end", _) => Arc::new(numbers().collect::<Int64Array>()),
                ("account_id", 0) => Arc::new(numbers().collect::<Int64Array>()),
                (_, 1) => Arc::new(values.iter().map(|value| value.as_ref().map(String::as_bytes)).collect::<BinaryArray>()),
                _ => Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>()),
            };
            (name.to_owned(), array)
        };
        let names =
            ["interface_id", "srcaddr", "dstaddr", "srcport", "bytes", "start", "end", "action", "log_status", "account_id", "beside"];
        RecordBatch::try_from_iter(names.into_iter().enumerate().map(|(at, name)| of(name, at))).unwrap()
    }

    /// Everything that is asked of decoding here.
    fn all_asked() -> Vec<Wanted> {
        let some = || Arc::new(["eni-0000000000000000a".to_owned(), "eni-1".to_owned()].into_iter().collect());
        let fields = vec![id::ACCOUNT_ID, id::INTERFACE_ID, id::SRCADDR, id::DSTADDR, id::SRCPORT, id::BYTES, id::START, id::ACTION];
        let all = Wanted { fields, extra: true, ..Wanted::default() };
        let window = TimeRange { from: Some(1_418_530_011), to: None };
        let values = |field, values: &[&str]| vec![(field, values.iter().map(|value| (*value).to_owned()).collect())];
        let any_of = || {
            let accepted = vec![(id::ACTION, vec!["ACCEPT".to_owned()])];
            vec![
                Fitting { interfaces: Interfaces::Only(some()), values: accepted.clone() },
                Fitting {
                    values: [accepted, vec![(id::SRCADDR, vec!["192.168.100.200".to_owned(), "-".to_owned()])]].concat(),
                    ..Fitting::default()
                },
            ]
        };
        vec![
            Wanted { fields: vec![id::BYTES], ..Wanted::default() },
            Wanted { validation: Validation::Full, interfaces: Interfaces::Only(some()), ..all.clone() },
            Wanted { interfaces: Interfaces::AllBut(some()), values: values(id::ACTION, &["ACCEPT"]), ..all.clone() },
            Wanted { values: values(id::SRCADDR, &["2a02:cf40::1", "192.168.100.200", "-"]), ..all.clone() },
            Wanted { values: values(id::ACTION, &["-"]), ..all.clone() },
            Wanted { values: values(id::INTERFACE_ID, &["eni-0000000000000000a"]), ..all.clone() },
            Wanted { interfaces: Interfaces::Only(some()), time: window, ..all.clone() },
            Wanted { any_of: any_of(), ..all.clone() },
            Wanted { interfaces: Interfaces::AllBut(some()), any_of: any_of(), ..all.clone() },
            Wanted { time: window, ..all.clone() },
            Wanted { kind: RecordKind::TransitGateway, ..all.clone() },
            all,
        ]
    }

    /// A decoder that has read the footer of such a file, and the columns that it reads of its rows: texts as views or, of some columns,
    /// with a dictionary.
    fn opened(wanted: &Wanted, batch: &RecordBatch, named: u64) -> (ParquetDecoder, Vec<Values>) {
        let columns = batch.schema_ref().fields().iter().map(|field| field.name().as_str()).zip(batch.columns().iter().cloned());
        let file = file(columns.collect());
        let mut decoder = ParquetDecoder::new(Arc::new(wanted.clone()), file.len() as u64);
        while !matches!(decoder.state, State::Rows(_)) {
            let Step::Needs(ranges) = decoder.step().unwrap() else { unreachable!("a footer is all that was read") };
            if matches!(decoder.state, State::Footer(_)) {
                let data = ranges.iter().map(|range| file.slice(range.start as usize..range.end as usize)).collect();
                decoder.push(ranges, data);
            }
        }
        let names = decoder.layout.columns.clone().into_iter().map(|column| match column {
            Column::Known(field) => field.field().column.to_owned(),
            Column::Unknown(name) => name.to_string(),
        });
        let column = |(at, name): (usize, String)| {
            let array = batch.column_by_name(&name).unwrap();
            let views = as_views(&Field::new(&name, array.data_type().clone(), true)).data_type().clone();
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            let kind = if views == DataType::Utf8View && named >> at & 1 == 1 { dictionary } else { views };
            decoder.values(at, &cast(array, &kind).unwrap()).unwrap()
        };
        let columns = names.enumerate().collect::<Vec<_>>().into_iter().map(column).collect();
        (decoder, columns)
    }

    type Taken = (RecordBatch, Vec<(u64, Reason, String)>, Tally);

    fn taken(decoder: &mut ParquetDecoder) -> Taken {
        let batch = decoder.columns.finish().unwrap().batch;
        let rejects = std::mem::take(&mut decoder.rejects);
        (batch, rejects.into_iter().map(|reject| (reject.line, reject.reason, reject.detail)).collect(), decoder.tally.clone())
    }

    /// Whether the rows were taken at once, with dictionaries of some columns.
    fn assert_as_one_by_one(wanted: &Wanted, batch: &RecordBatch, named: u64) -> bool {
        let numbers: Vec<u64> = (0..batch.num_rows()).map(|row| 1 + 2 * row as u64).collect();
        let (mut by_row, columns) = opened(wanted, batch, 0);
        by_row.take(&columns, &[], &numbers, |_| None);
        let (mut at_once, columns) = opened(wanted, batch, named);
        if named > 0 {
            let (mut named_by_row, columns) = opened(wanted, batch, named);
            named_by_row.take(&columns, &[], &numbers, |_| None);
            assert_eq!(taken(&mut named_by_row), {
                let (mut again, columns) = opened(wanted, batch, 0);
                again.take(&columns, &[], &numbers, |_| None);
                taken(&mut again)
            });
        }
        let is_taken = at_once.take_at_once(&columns, &numbers);
        if !is_taken {
            assert_eq!(at_once.tally.lines, 0);
            return false;
        }
        let (found, expected) = (taken(&mut at_once), taken(&mut by_row));
        assert!(found.0.columns().iter().all(|column| column.to_data().validate_full().is_ok()));
        assert_eq!(found, expected);
        assert!(found.2.adds_up());
        // What the first pass says of them.
        let (mut counting, columns) = opened(wanted, batch, named);
        let unwanted: Vec<bool> = (0..batch.num_rows()).map(|row| counting.pass_over(&columns, row)).collect();
        let mut tally = Tally { lines: 0, ..opened(wanted, batch, named).0.tally };
        let rows = Arrays::new(&columns, &counting.layout, batch.num_rows()).unwrap();
        let needed = counting.columns.pass_over_table(&rows, &mut tally).unwrap();
        assert_eq!((needed.iter().map(|needed| !needed).collect::<Vec<_>>(), tally), (unwanted, counting.tally));
        true
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn rows_taken_at_once_are_as_one_by_one(
            seeds in proptest::collection::vec(any::<u64>(), 1..300),
            types in any::<u64>(),
            named in any::<u64>(),
        ) {
            let batch = batch(&seeds, types);
            for wanted in all_asked() {
                assert_as_one_by_one(&wanted, &batch, 0);
                assert_as_one_by_one(&wanted, &batch, named);
            }
        }
    }

    #[test]
    fn most_rows_are_taken_at_once_and_some_are_not() {
        // The property above says something only if both ways are gone.
        let mut counts = [0, 0];
        for first in 0..40u64 {
            let batch = batch(&(0..20).map(|seed| first * 20 + seed).collect::<Vec<_>>(), first);
            for wanted in all_asked() {
                let of = [0, u64::MAX].map(|named| assert_as_one_by_one(&wanted, &batch, named));
                assert_eq!(of[0], of[1]);
                counts[usize::from(of[0])] += 1;
            }
        }
        assert!(counts[0] > 10 && counts[1] > 100, "{counts:?}");
    }

    #[test]
    fn rows_of_other_kinds_are_taken_one_by_one() {
        let arrays = |columns: Vec<(&str, ArrayRef)>| {
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let wanted = Wanted { fields: vec![id::SRCADDR, id::SRCPORT], extra: true, ..Wanted::default() };
            let (decoder, columns) = opened(&wanted, &batch, 0);
            Arrays::new(&columns, &decoder.layout, batch.num_rows()).is_some()
        };
        let ports = || Arc::new(Int64Array::from(vec![443, 80])) as ArrayRef;
        assert!(arrays(vec![("srcaddr", texts(&["10.0.0.1", "-"])), ("srcport", ports()), ("beside", ports())]));
        assert!(!arrays(vec![("srcaddr", ports()), ("srcport", ports())]));
        assert!(!arrays(vec![("srcaddr", texts(&["10.0.0.1", "-"])), ("srcport", texts(&["443", "80"]))]));
        assert!(!arrays(vec![("srcaddr", texts(&["x", "y"])), ("srcport", Arc::new(Float64Array::from(vec![1.0, 0.5])))]));
        assert!(!arrays(vec![("srcaddr", Arc::new(BinaryArray::from(vec![&b"x"[..], &b"\xff"[..]])))]));
        let long = |len: usize| "x".repeat(len);
        let of =
            |first: usize, second: usize| arrays(vec![("srcaddr", texts(&[&long(first), ""])), ("beside", texts(&["", &long(second)]))]);
        assert!(of(LINE_LEN_MAX / 2, LINE_LEN_MAX / 2));
        // No row is too long, but to see that takes a look at each.
        assert!(!of(LINE_LEN_MAX / 2, LINE_LEN_MAX / 2 + 1));
        let of = |rows: usize| arrays(vec![("srcaddr", texts(&vec![long(LINE_LEN_MAX).as_str(); rows]))]);
        assert_eq!([of(BATCH_TEXT_BYTES / LINE_LEN_MAX), of(BATCH_TEXT_BYTES / LINE_LEN_MAX + 1)], [true, false]);
    }
}
