//! Parquet → batches: columns by name, coerced to the types of [`flow::field`](crate::flow::field).
//!
//! Files of different subscriptions have different columns in different orders, and re-written ones other names and types
//! (`values`), so nothing is taken by position; Security Lake's have a schema of their own (`ocsf`). The decoder asks for byte
//! ranges and reads nothing itself.

use super::columns::{Cell, Cells, Columns, Fault};
use super::contained::contained;
use super::object::Step;
use super::ocsf;
use super::page_guard::{self, PageGuard};
use super::records::LINE_LEN_MAX;
use super::reject::{Reason, Reject, TEXT_LEN_MAX};
use super::shape::Shape;
use super::values::Values;
use super::{BATCH_ROWS, Tally, Validation, Wanted};
use crate::error::Result;
use crate::flow::field::{FieldId, id};
use crate::flow::{Column, Layout};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};
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
    is_ocsf: bool,
    guard: Option<PageGuard>,
    rows_claimed: u64,
}

#[derive(Debug)]
enum State {
    Footer(Box<ParquetMetaDataPushDecoder>),
    Rows(Box<ParquetPushDecoder>),
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
            is_ocsf: false,
            guard: None,
            rows_claimed: 0,
        }
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
            (State::Rows(_), Some(guard)) => guard.check(&ranges, &data),
            _ => Ok(()),
        };
        if let Err(fault) = refused {
            return self.fail(format!("damaged after row {}: {fault}", self.tally.lines));
        }
        let pushed = match &mut self.state {
            State::Footer(footer) => footer.push_ranges(ranges, data),
            State::Rows(rows) => rows.push_ranges(ranges, data),
            State::Done(_) => Ok(()),
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
                        Ok(DecodeResult::Data(metadata)) => self.open(metadata),
                        Ok(DecodeResult::Finished) => Err("damaged after row 0: the footer ended early".to_owned()),
                        Err(error) => Err(format!("damaged after row 0: {error}")),
                    }
                }
                State::Rows(rows) => match contained(|| rows.try_decode()).unwrap_or_else(|fault| Err(ParquetError::General(fault))) {
                    Ok(DecodeResult::NeedsData(ranges)) => return Ok(self.needs(ranges)),
                    Ok(DecodeResult::Data(batch)) => self.rows(&batch),
                    Ok(DecodeResult::Finished) => {
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
        let together: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).fold(0, u64::saturating_add);
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

    fn open(&mut self, metadata: ParquetMetaData) -> Result<(), String> {
        self.guard = Some(PageGuard::new(&metadata, self.size).map_err(|fault| format!("damaged after row 0: {fault}"))?);
        let schema = metadata.file_metadata().schema_descr();
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
        let mask = ProjectionMask::roots(schema, keep.iter().copied());
        let shape = if self.is_ocsf { Shape::SecurityLake } else { Shape::Parquet };
        let kind = layout.kind();
        self.tally.use_layout(&Arc::new(layout.clone()), shape);
        self.layout = match self.is_ocsf {
            true => layout,
            false => Layout { columns: keep.iter().filter_map(|at| layout.columns.get(*at).cloned()).collect(), ..layout },
        };
        self.columns.set_layout(&self.layout, kind);
        self.rows_claimed = metadata.row_groups().iter().map(|group| group.num_rows().max(0) as u64).sum();
        // The Arrow schema that some writers embed adds nothing to the file's own types, and arrow-ipc panics on a damaged one.
        let types = contained(|| parquet_to_arrow_schema(schema, None))
            .unwrap_or_else(|fault| Err(ParquetError::General(fault)))
            .map_err(|error| format!("damaged after row 0: {error}"))?;
        let fields: Vec<Field> = types.fields().iter().map(|field| as_views(field)).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        // Security Lake's rows are made anew in memory, so fewer are held at once.
        let batch_rows = if self.is_ocsf { BATCH_ROWS / 16 } else { BATCH_ROWS };
        let build = || {
            let builder = ParquetPushDecoderBuilder::try_new_decoder_with_options(Arc::new(metadata), options)?;
            builder.with_projection(mask).with_batch_size(batch_rows).build()
        };
        let rows = contained(build)
            .unwrap_or_else(|fault| Err(ParquetError::General(fault)))
            .map_err(|error: ParquetError| format!("damaged after row 0: {error}"))?;
        self.state = State::Rows(Box::new(rows));
        Ok(())
    }

    fn reads(&self, layout: &Layout, at: usize) -> bool {
        const ALWAYS: [FieldId; 4] = [id::LOG_STATUS, id::INTERFACE_ID, id::START, id::END];
        const WITHOUT_STATUS: [FieldId; 5] = [id::SRCADDR, id::DSTADDR, id::PACKETS, id::BYTES, id::ACTION];
        match layout.columns.get(at) {
            Some(Column::Known(field)) => {
                self.wanted.validation == Validation::Full
                    || self.wanted.fields.contains(field)
                    || ALWAYS.contains(field)
                    || (layout.position(id::LOG_STATUS).is_none() && WITHOUT_STATUS.contains(field))
            }
            Some(Column::Unknown(_)) => self.wanted.extra,
            None => false,
        }
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let at = self.tally.lines;
        let unreadable = |error: arrow::error::ArrowError| format!("after row {at}: {error}");
        if self.is_ocsf {
            let mapped = ocsf::map(batch).map_err(unreadable)?;
            let class = |row| mapped.other_class(row);
            self.take(&mapped.columns, &mapped.rest, batch.num_rows(), class);
        } else {
            let field = |at: usize| match self.layout.columns.get(at) {
                Some(Column::Known(field)) => Some(*field),
                _ => None,
            };
            let columns = batch.columns().iter().enumerate().map(|(at, array)| Values::new(array, field(at)));
            let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
            self.take(&columns, &[], batch.num_rows(), |_| None);
        }
        Ok(())
    }

    fn take(&mut self, columns: &[Values], rest: &[ocsf::Pairs], rows: usize, other_class: impl Fn(usize) -> Option<i64>) {
        for row in 0..rows {
            self.tally.lines += 1;
            let cells = Row { columns, row, rest: rest.get(row).map_or(&[], Vec::as_slice) };
            let taken: Result<(), Fault> = match other_class(row) {
                Some(class) => Err((Reason::NotARecord, format!("OCSF class {class}"))),
                // As for a line of text: a row bounds what a batch can hold.
                None if cells.text_len() > LINE_LEN_MAX => Err((Reason::LineTooLong, String::new())),
                None => match columns.iter().find_map(|values| values.unusable(row)) {
                    Some(reason) => Err((reason, String::new())),
                    None => self.columns.push(&cells, self.tally.lines, &mut self.tally),
                },
            };
            if let Err((reason, detail)) = taken {
                self.tally.rejected(reason);
                self.rejects.push(Reject::new(self.tally.lines, reason, detail, self.row_text(&cells).as_bytes()));
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

struct Row<'a> {
    columns: &'a [Values],
    row: usize,
    rest: &'a [(String, String)],
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

impl Row<'_> {
    fn text_len(&self) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray, StructArray};
    use parquet::arrow::ArrowWriter;

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
        assert_eq!(read(&some, &names), ["vpc_id", "interface_id", "start", "end", "log_status"]);
        assert_eq!(read(&Wanted { extra: true, ..some.clone() }, &names).last().unwrap(), "unknown");
        assert_eq!(read(&Wanted { validation: Validation::Full, ..some.clone() }, &names), names[..8]);
        // Without a status, the traffic tells records of none.
        assert_eq!(
            read(&some, &["version", "srcaddr", "dstaddr", "packets", "bytes", "action"]),
            ["srcaddr", "dstaddr", "packets", "bytes", "action"]
        );
    }
}
