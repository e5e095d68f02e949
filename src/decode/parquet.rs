//! Parquet → batches: columns by name, coerced to the types of [`flow::field`](crate::flow::field).
//!
//! Files of different subscriptions have different columns in different orders, and re-written ones other names and types
//! (`values`), so nothing is taken by position; Security Lake's have a schema of their own (`ocsf`). The decoder asks for byte
//! ranges and reads nothing itself.

use super::columns::{Cell, Cells, Columns, Fault};
use super::object::Step;
use super::ocsf;
use super::reject::{Reason, Reject};
use super::shape::Shape;
use super::values::Values;
use super::{BATCH_ROWS, Tally, Validation, Wanted};
use crate::error::Result;
use crate::flow::field::{FieldId, id};
use crate::flow::{Column, Layout};
use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};
use std::ops::Range;
use std::sync::Arc;

/// Largest footer that is read; AWS's files have footers of a few kilobytes.
const RANGE_LEN_MAX: u64 = 256 << 20;

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
            Err(error) => State::Done(Some(error.to_string())),
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
        }
    }

    /// Returns the accounting so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Gives the ranges that the last step asked for.
    pub fn push(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) {
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
        while self.columns.len() < BATCH_ROWS {
            let outcome = match &mut self.state {
                State::Footer(footer) => match footer.try_decode() {
                    Ok(DecodeResult::NeedsData(ranges)) => return Ok(self.needs(ranges)),
                    Ok(DecodeResult::Data(metadata)) => self.open(metadata),
                    Ok(DecodeResult::Finished) => Err("the footer ended early".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
                State::Rows(rows) => match rows.try_decode() {
                    Ok(DecodeResult::NeedsData(ranges)) => return Ok(self.needs(ranges)),
                    Ok(DecodeResult::Data(batch)) => self.rows(&batch),
                    Ok(DecodeResult::Finished) => {
                        self.state = State::Done(None);
                        Ok(())
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
        let sane = |range: &Range<u64>| range.start <= range.end && range.end <= self.size && range.end - range.start <= RANGE_LEN_MAX;
        if !ranges.iter().all(sane) {
            self.fail("the footer names pages outside the file or beyond 256 MiB".to_owned());
            return Step::Needs(Vec::new());
        }
        Step::Needs(ranges)
    }

    fn open(&mut self, metadata: ParquetMetaData) -> Result<(), String> {
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
        let rows = ParquetPushDecoderBuilder::try_new_decoder(Arc::new(metadata))
            .and_then(|builder| builder.with_projection(mask).with_batch_size(BATCH_ROWS).build())
            .map_err(|error: ParquetError| error.to_string())?;
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
                None => self.columns.push(&cells, self.tally.lines, &mut self.tally),
            };
            if let Err((reason, detail)) = taken {
                self.tally.rejects += 1;
                self.rejects.push(Reject::new(self.tally.lines, reason, detail, self.row_text(&cells).as_bytes()));
            }
        }
    }

    fn row_text(&self, cells: &Row<'_>) -> String {
        let value = |at| match cells.cell(at) {
            Cell::Null => "-".to_owned(),
            Cell::Text(text) => text.to_owned(),
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

impl Cells for Row<'_> {
    #[inline]
    fn cell(&self, at: usize) -> Cell<'_> {
        self.columns.get(at).map_or(Cell::Null, |values| values.cell(self.row))
    }

    fn beside(&self, take: &mut dyn FnMut(&str, &str)) {
        self.rest.iter().for_each(|(name, value)| take(name, value));
    }
}
