//! Bytes in, Arrow batches and rejects out: text, CSV and JSON (gzip, zstd, plain), and Parquet.
//!
//! Stored bytes become text in `decompress`, text becomes lines and JSON documents in `text`, those become records in
//! `records`; `parquet` has its own way; all records become rows in `columns`. Decoding does no I/O, cannot fail on content and never panics on it: a line that is not a record becomes a
//! counted [`Reject`], an object whose compression is damaged yields the rows before the damage. What to produce comes as
//! [`Wanted`], so that unasked-for columns cost nothing and unwanted interfaces are dropped early.

pub mod arrays;
pub mod chunks;
pub mod columns;
pub mod contained;
pub mod decompress;
pub mod deflate;
pub mod dictionary;
pub mod gzip;
pub mod headerless;
pub mod json;
pub mod object;
pub mod ocsf;
pub mod page_guard;
pub mod parquet;
pub mod records;
pub mod reject;
pub mod row_groups;
pub mod separators;
pub mod shape;
pub mod table;
pub mod text;
pub mod text_column;
pub mod validity;
pub mod values;
pub mod words;

use crate::flow::field::FieldId;
use crate::flow::{Layout, RecordKind};
use crate::time::{TimeRange, UnixSeconds};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use hashbrown::HashSet;
use reject::{Reason, Reject};
use shape::Shape;
use std::sync::Arc;

/// Rows after which a batch is handed on: DataFusion's own batch size.
pub const BATCH_ROWS: usize = 8_192;
/// Text after which a batch is handed on although it has fewer rows: ten times that of a real one.
pub const BATCH_TEXT_BYTES: usize = 8 << 20;

/// What decoding must produce.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Whose records; those of the other kind are counted and passed over.
    pub kind: RecordKind,
    /// AWS fields, ascending; the batch's columns stand in this order.
    pub fields: Vec<FieldId>,
    /// Whether `extra` (fields of later versions) follows them.
    pub extra: bool,
    /// Interfaces whose records are wanted; the others are counted and dropped before their columns are read.
    pub interfaces: Interfaces,
    /// Values that records must have in columns of text, one of them in each; the others are dropped alike. A missing value is none.
    pub values: Vec<(FieldId, Vec<String>)>,
    /// Of those, records are wanted that fit one of these; all, if there are none. The others are dropped alike.
    pub any_of: Vec<Fitting>,
    /// Window: records with `start` outside are counted and dropped.
    pub time: TimeRange,
    /// Which columns must hold values of their type.
    pub validation: Validation,
}

/// One of several ways to be wanted: as [`Wanted::interfaces`] and [`Wanted::values`].
#[derive(Debug, Clone, Default)]
pub struct Fitting {
    /// Interfaces whose records fit.
    pub interfaces: Interfaces,
    /// Values that fitting records have.
    pub values: Vec<(FieldId, Vec<String>)>,
}

/// Which columns must hold values of their type (`--validate`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Validation {
    /// Those that the run reads.
    #[default]
    ReadColumns,
    /// All.
    Full,
}

impl Validation {
    /// Returns the name used in `inputs.validation`.
    pub fn name(self) -> &'static str {
        match self {
            Validation::ReadColumns => "read-columns",
            Validation::Full => "full",
        }
    }
}

/// The interfaces whose records are wanted.
#[derive(Debug, Clone, Default)]
pub enum Interfaces {
    /// Every record.
    #[default]
    All,
    /// Records of these interfaces.
    Only(Arc<HashSet<String, foldhash::fast::RandomState>>),
    /// Records of every interface except these: those wanted, and those that the inventory does not know.
    AllBut(Arc<HashSet<String, foldhash::fast::RandomState>>),
}

impl Interfaces {
    /// Returns whether a record of this interface is wanted (`None`: a record without interface).
    #[inline]
    pub fn wants(&self, interface: Option<&str>) -> bool {
        match (self, interface) {
            (Interfaces::All, _) => true,
            (Interfaces::Only(set), Some(id)) => set.contains(id),
            (Interfaces::Only(_), None) => false,
            (Interfaces::AllBut(set), Some(id)) => !set.contains(id),
            (Interfaces::AllBut(_), None) => true,
        }
    }
}

/// Rows and rejects of a part of an object.
#[derive(Debug)]
pub struct Decoded {
    /// The wanted fields, then `extra` if wanted, then `log_line`.
    pub batch: RecordBatch,
    /// Lines that are not records.
    pub rejects: Vec<Reject>,
}

/// Accounting of an object: `lines = headers + blanks + control + rejects + ok + nodata + skipdata + outside_window +
/// passed_over`, and `ok + nodata + skipdata = rows + dropped`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines of decompressed text, log events of JSON documents, or rows of a Parquet file.
    pub lines: u64,
    /// Lines that name the columns.
    pub headers: u64,
    /// Empty lines.
    pub blanks: u64,
    /// Control messages of CloudWatch Logs.
    pub control: u64,
    /// Lines that are not records.
    pub rejects: u64,
    /// Records of traffic in the window.
    pub ok: u64,
    /// Records of no traffic in the window.
    pub nodata: u64,
    /// Records of lost records in the window.
    pub skipdata: u64,
    /// Records that start outside the window.
    pub outside_window: u64,
    /// Records in the window of the kind that is not wanted.
    pub passed_over: u64,
    /// Records that end before they start.
    pub inversions: u64,
    /// First reject: its line and reason.
    pub first_reject: Option<(u64, Reason)>,
    /// First line that is longer than any record.
    pub first_overlong: Option<u64>,
    /// Records of unwanted interfaces, or with unwanted values.
    pub dropped: u64,
    /// Records handed on.
    pub rows: u64,
    /// Bytes of decompressed text (0 for Parquet).
    pub text_bytes: u64,
    /// Layouts in the order in which they appeared, without repetition, with what stood in them.
    pub layouts: Vec<LayoutSeen>,
    /// Position in `layouts` of the one in use.
    layout: usize,
}

/// A layout of an object, and the records in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutSeen {
    /// How records stand in the object.
    pub shape: Shape,
    /// Their columns; empty where an object has more than [`LAYOUTS_KEPT_MAX`] and these are the rest.
    pub layout: Arc<Layout>,
    /// Records in the window.
    pub records: u64,
    /// Least `start` of those.
    pub start_min: Option<UnixSeconds>,
    /// Greatest `end` of those.
    pub end_max: Option<UnixSeconds>,
}

impl Tally {
    /// Returns whether every line has been accounted for exactly once.
    pub fn adds_up(&self) -> bool {
        let records = self.ok + self.nodata + self.skipdata;
        let other = self.headers + self.blanks + self.control + self.rejects;
        self.lines == other + records + self.outside_window + self.passed_over && records == self.rows + self.dropped
    }

    /// Returns why an object that could be read to its end was not read whole all the same, if so: nothing in it is a flow
    /// record, or a line is longer than any.
    pub fn fault(&self) -> Option<String> {
        let records = self.ok + self.nodata + self.skipdata + self.outside_window + self.passed_over;
        match (self.first_reject, self.first_overlong) {
            // What is recognisably something else was never a part of the logs.
            (Some((line, reason)), _) if reason != Reason::NotARecord && records + self.control == 0 => {
                Some(format!("none of its {} lines is a flow record; the first reject is line {line}: {}", self.lines, reason.name()))
            }
            (_, Some(line)) => Some(format!("line {line} is longer than any flow record")),
            _ => None,
        }
    }

    /// Counts a reject; they come in the order of their lines.
    fn rejected(&mut self, line: u64, reason: Reason) {
        self.rejects += 1;
        self.first_reject.get_or_insert((line, reason));
        if reason == Reason::LineTooLong {
            self.first_overlong.get_or_insert(line);
        }
    }

    /// Returns the least `start` of records in the window.
    pub fn start_min(&self) -> Option<UnixSeconds> {
        self.layouts.iter().filter_map(|seen| seen.start_min).min()
    }

    /// Returns the greatest `end` of records in the window.
    pub fn end_max(&self) -> Option<UnixSeconds> {
        self.layouts.iter().filter_map(|seen| seen.end_max).max()
    }

    /// Returns the most fields of any layout: how rich the format is.
    pub fn fields_max(&self) -> u32 {
        self.layouts.iter().map(|seen| seen.layout.columns.len() as u32).max().unwrap_or(0)
    }

    /// Counts a record in the window.
    fn saw(&mut self, start: Option<i64>, end: Option<i64>) {
        self.saw_all(1, start, end);
    }

    /// Counts records in the window, of which these are the least and the greatest times.
    fn saw_all(&mut self, records: u64, start: Option<i64>, end: Option<i64>) {
        if let Some(seen) = self.layouts.get_mut(self.layout) {
            seen.records += records;
            seen.start_min = crate::time::earlier(seen.start_min, start);
            // No time is less than any.
            seen.end_max = seen.end_max.max(end);
        }
    }

    /// Takes the layout of the records to come.
    fn use_layout(&mut self, layout: &Arc<Layout>, shape: Shape) {
        let same = |seen: &LayoutSeen| seen.shape == shape && (Arc::ptr_eq(&seen.layout, layout) || seen.layout == *layout);
        self.layout = match self.layouts.iter().position(same) {
            Some(at) => at,
            None => {
                let layout = if self.layouts.len() < LAYOUTS_KEPT_MAX { Arc::clone(layout) } else { Arc::default() };
                if self.layouts.len() <= LAYOUTS_KEPT_MAX {
                    self.layouts.push(LayoutSeen { shape, layout, records: 0, start_min: None, end_max: None });
                }
                self.layouts.len() - 1
            }
        };
    }
}

/// Layouts remembered for one object; concatenated files have a few, hostile ones millions.
pub const LAYOUTS_KEPT_MAX: usize = 16;

/// Returns the schema of the batches that decoding makes: the wanted fields, `extra`, `log_line`.
pub fn schema(wanted: &Wanted) -> SchemaRef {
    let mut fields: Vec<Field> = wanted.fields.iter().map(|id| Field::new(id.field().column, id.field().kind.arrow(), true)).collect();
    if wanted.extra {
        fields.push(extra_field());
    }
    fields.push(Field::new("log_line", DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

/// Returns the column `extra`: map of text, fields of versions that are not known yet.
pub fn extra_field() -> Field {
    let entries = Fields::from(vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Utf8, true)]);
    Field::new("extra", DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_adds_up_only_if_every_count_is_right() {
        let sound = Tally {
            headers: 1,
            blanks: 2,
            control: 4,
            rejects: 8,
            ok: 16,
            nodata: 32,
            skipdata: 64,
            outside_window: 128,
            passed_over: 256,
            rows: 100,
            dropped: 12,
            lines: 511,
            ..Tally::default()
        };
        assert!(sound.adds_up());
        let counts: [fn(&mut Tally) -> &mut u64; 12] = [
            |tally| &mut tally.headers,
            |tally| &mut tally.blanks,
            |tally| &mut tally.control,
            |tally| &mut tally.rejects,
            |tally| &mut tally.ok,
            |tally| &mut tally.nodata,
            |tally| &mut tally.skipdata,
            |tally| &mut tally.outside_window,
            |tally| &mut tally.passed_over,
            |tally| &mut tally.rows,
            |tally| &mut tally.dropped,
            |tally| &mut tally.lines,
        ];
        for count in counts {
            let mut tally = sound.clone();
            *count(&mut tally) += 1;
            assert!(!tally.adds_up(), "{tally:?}");
        }
    }

    #[test]
    fn interfaces_are_wanted_as_asked() {
        let set = || Arc::new(["eni-1".to_owned()].into_iter().collect());
        let asked = |interfaces: Interfaces| [Some("eni-1"), Some("eni-2"), None].map(|interface| interfaces.wants(interface));
        assert_eq!(asked(Interfaces::All), [true, true, true]);
        assert_eq!(asked(Interfaces::Only(set())), [true, false, false]);
        assert_eq!(asked(Interfaces::AllBut(set())), [false, true, true]);
        assert_eq!([Validation::ReadColumns.name(), Validation::Full.name()], ["read-columns", "full"]);
    }

    #[test]
    fn an_object_without_a_record_is_not_read_whole_unless_it_is_something_else() {
        let rejects = |reason, overlong| Tally {
            lines: 3,
            rejects: 3,
            first_reject: Some((2, reason)),
            first_overlong: overlong,
            ..Tally::default()
        };
        let none = rejects(Reason::NoHeader, None).fault().unwrap();
        assert!(none.contains("none of its 3 lines") && none.contains("line 2: no-header"), "{none}");
        assert_eq!(rejects(Reason::NotARecord, None).fault(), None);
        assert_eq!(Tally::default().fault(), None);
        let counts: [fn(&mut Tally) -> &mut u64; 6] = [
            |tally| &mut tally.ok,
            |tally| &mut tally.nodata,
            |tally| &mut tally.skipdata,
            |tally| &mut tally.outside_window,
            |tally| &mut tally.passed_over,
            |tally| &mut tally.control,
        ];
        for count in counts {
            let mut some = rejects(Reason::BadNumber, None);
            *count(&mut some) = 1;
            assert_eq!(some.fault(), None, "{some:?}");
            some.first_overlong = Some(7);
            assert_eq!(some.fault().as_deref(), Some("line 7 is longer than any flow record"));
        }
    }

    #[test]
    fn layouts_are_counted_apart_and_the_first_reject_stays_the_first() {
        let mut tally = Tally::default();
        let layouts: Vec<Arc<Layout>> =
            (0..LAYOUTS_KEPT_MAX + 3).map(|at| Arc::new(Layout::of_any_names(&["srcaddr", &format!("x{at}")]))).collect();
        for (at, layout) in layouts.iter().enumerate() {
            tally.use_layout(layout, Shape::Text);
            tally.saw(Some(100 + at as i64), Some(200 - at as i64));
        }
        tally.use_layout(&Arc::new((*layouts[1]).clone()), Shape::Text);
        tally.saw(Some(7), None);
        tally.use_layout(&layouts[1], Shape::Csv);
        tally.saw(None, Some(900));
        let seen: Vec<(u64, usize)> = tally.layouts.iter().map(|seen| (seen.records, seen.layout.columns.len())).collect();
        // Those beyond the limit share an entry without columns, which the other shape of the second layout falls into too.
        let wanted: Vec<(u64, usize)> = (0..LAYOUTS_KEPT_MAX).map(|at| (if at == 1 { 2 } else { 1 }, 2)).chain([(4, 0)]).collect();
        assert_eq!(seen, wanted);
        assert_eq!((tally.start_min(), tally.end_max(), tally.fields_max()), (Some(7), Some(900), 2));
        tally.rejected(5, Reason::BadStatus);
        tally.rejected(6, Reason::LineTooLong);
        tally.rejected(7, Reason::LineTooLong);
        assert_eq!((tally.rejects, tally.first_reject, tally.first_overlong), (3, Some((5, Reason::BadStatus)), Some(6)));
    }
}
