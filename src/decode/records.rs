//! Lines and JSON documents → records: which layout a line has, headers, blanks, rejects.

use super::columns::{Cell, Cells, Columns, Fault};
use super::headerless::Headerless;
use super::json::{self, Document, Pairs, Unusable};
use super::reject::{Reason, Reject};
use super::separators::{Plain, Run};
use super::shape::Shape;
use super::{Decoded, Tally, Validation, Wanted};
use crate::error::Result;
use crate::flow::{Header, Layout, Separator};
use csv_core::ReadRecordResult;
use std::sync::Arc;

/// Longest line taken for a record. ARNs, ids and numbers of the 54 fields are under 2 KiB; six tag values of 256 ASCII characters,
/// percent-encoded, under 5. Operators of the engine join rows to batches of 8,192 whatever their size, so this also bounds
/// a batch: with 16 KiB, queries that sort such lines pass 400 MB.
pub const LINE_LEN_MAX: usize = 12 << 10;

/// What the lines and documents of one object come to.
#[derive(Debug)]
pub struct Records {
    columns: Columns,
    tally: Tally,
    rejects: Vec<Reject>,
    known: Headerless,
    /// The latest header of the object.
    header: Option<Arc<Layout>>,
    /// Set by a header of exported log events: number of columns, position of the record, separator.
    messages: Option<(usize, usize, Separator)>,
    /// The log group of the current document.
    group: Option<String>,
    /// The layout that `columns` is set to, and for which lines.
    active: Option<Active>,
    /// The default format, and columns to try it on.
    default: (Arc<Layout>, Columns),
    cells: Split,
}

/// The layout in use.
#[derive(Debug)]
struct Active {
    layout: Arc<Layout>,
    shape: Shape,
    origin: Origin,
}

/// Where a layout comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A header of the object.
    Header,
    /// The user or the inventory.
    Known,
    /// The line fits the default format.
    Default,
    /// The names in a JSON document.
    Names,
}

impl Records {
    /// Makes an empty collection; `known` says what records without a header are.
    pub fn new(wanted: Arc<Wanted>, known: Headerless) -> Records {
        let default = Arc::new(Layout::default_format());
        let strict = Wanted { validation: Validation::Full, ..Wanted::default() };
        let probe = Columns::new(Arc::new(strict), &default);
        Records {
            columns: Columns::new(wanted, &default),
            tally: Tally::default(),
            rejects: Vec::new(),
            known,
            header: None,
            messages: None,
            group: None,
            active: None,
            default: (default, probe),
            cells: Split::default(),
        }
    }

    /// Returns the accounting so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Counts text.
    pub fn text_bytes(&mut self, count: usize) {
        self.tally.text_bytes += count as u64;
    }

    /// Returns whether a batch is collected.
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    /// Returns the number of rejects collected.
    pub fn rejects(&self) -> usize {
        self.rejects.len()
    }

    /// Hands on what is collected, if anything.
    ///
    /// # Errors
    /// Only if columns and schema disagree, which is a fault of this library.
    pub fn take(&mut self) -> Result<Option<Decoded>> {
        if self.columns.is_empty() && self.rejects.is_empty() {
            return Ok(None);
        }
        let mut decoded = self.columns.finish()?;
        decoded.rejects = std::mem::take(&mut self.rejects);
        Ok(Some(decoded))
    }

    /// Returns how many values a plain line must have to be a record: a header or the user has said which they are, and nothing stands
    /// around them.
    pub fn plain_width(&self) -> Option<usize> {
        let is_plain = |active: &&Active| {
            active.shape == Shape::Text
                && active.layout.separator == Separator::Spaces
                && matches!(active.origin, Origin::Header | Origin::Known)
        };
        let active = self.active.as_ref().filter(|_| self.messages.is_none()).filter(is_plain)?;
        Some(active.layout.columns.len())
    }

    /// Takes plain lines of that many values, if that is all there is to each; else none of them.
    pub fn run(&mut self, run: &Run<'_>) -> bool {
        let is_unusual = |raw: &[u8]| raw.len() > LINE_LEN_MAX || has_timestamp(raw) || starts_document(raw);
        if run.lines().any(|line| is_unusual(line.raw)) || !self.take_run(run) {
            return false;
        }
        self.tally.lines += run.count() as u64;
        true
    }

    fn take_run(&mut self, run: &Run<'_>) -> bool {
        let first = self.tally.lines + 1;
        self.columns.push_table(run, |line| first + line as u64, &mut self.tally)
    }

    /// Takes a plain line, if that is all there is to it; else [`Records::line`] says what it is.
    #[inline]
    pub fn plain(&mut self, raw: &[u8], values: &Plain<'_>) -> bool {
        // With a log-status that is one, it is no line of names: those are not upper-case.
        let is_record = self.plain_width() == Some(values.count()) && self.columns.has_status(values);
        if !is_record || raw.len() > LINE_LEN_MAX || has_timestamp(raw) {
            return false;
        }
        self.count(raw, |records| records.columns.push(values, records.tally.lines, &mut records.tally));
        true
    }

    /// Takes a line, without its end.
    pub fn line(&mut self, raw: &[u8]) {
        self.count(raw, |records| records.try_line(raw));
    }

    /// Takes a JSON document: one or many events, each counted like a line.
    pub fn document(&mut self, raw: &[u8]) {
        match json::parse(raw) {
            Ok(document) => self.parsed(raw, document),
            Err(Unusable::BadJson(detail)) => self.unreadable(raw, Reason::BadJson, detail),
            Err(Unusable::NotARecord(detail)) => self.unreadable(raw, Reason::NotARecord, detail),
        }
    }

    /// Counts what could not be read as one reject.
    pub fn unreadable(&mut self, raw: &[u8], reason: Reason, detail: String) {
        self.count(raw, |_| Err((reason, detail)));
    }

    fn count(&mut self, raw: &[u8], take: impl FnOnce(&mut Records) -> Result<(), Fault>) {
        self.tally.lines += 1;
        if let Err((reason, detail)) = take(self) {
            self.tally.rejected(self.tally.lines, reason);
            self.rejects.push(Reject::new(self.tally.lines, reason, detail, raw));
        }
    }

    fn parsed(&mut self, raw: &[u8], document: Document<'_>) {
        match document {
            Document::Control => {
                self.tally.lines += 1;
                self.tally.control += 1;
            }
            Document::Subscription { group, events } => {
                self.enter_group(group.as_deref());
                self.events(&events, Shape::Subscription);
            }
            Document::Events(events) => {
                self.enter_group(None);
                self.events(&events, Shape::LogEvents);
            }
            Document::Message(message) => {
                self.enter_group(None);
                self.event(&message, None, Shape::JsonMessages);
            }
            Document::Pairs(pairs) => {
                self.count(raw, |records| match records.named(&pairs, Shape::JsonRecords) {
                    Some(taken) => taken,
                    None => Err((Reason::NotARecord, "no names of flow records".to_owned())),
                });
            }
        }
    }

    fn enter_group(&mut self, group: Option<&str>) {
        if self.group.as_deref() != group {
            self.group = group.map(str::to_owned);
            // What was found out for the lines of one group does not hold for another's.
            self.active = None;
        }
    }

    fn events(&mut self, events: &json::Events<'_>, shape: Shape) {
        match events.each(|event| self.event(&event.message, event.extracted.as_ref(), shape)) {
            Ok(0) => {
                self.tally.lines += 1;
                self.tally.blanks += 1;
            }
            Ok(_) => {}
            Err(detail) => self.unreadable(&[], Reason::NotARecord, detail),
        }
    }

    fn event(&mut self, message: &str, extracted: Option<&Pairs<'_>>, shape: Shape) {
        // A forwarder may have taken a whole file for one message.
        for line in message.trim_ascii_end().split('\n') {
            self.count(line.as_bytes(), |records| records.message(line, extracted, shape));
        }
    }

    fn message(&mut self, line: &str, extracted: Option<&Pairs<'_>>, shape: Shape) -> Result<(), Fault> {
        let line = line.trim_ascii();
        if line.len() > LINE_LEN_MAX {
            return Err((Reason::LineTooLong, String::new()));
        }
        if line.is_empty() {
            self.tally.blanks += 1;
            return Ok(());
        }
        match self.record(line, shape) {
            Err((Reason::NoHeader, detail)) => match extracted.and_then(|pairs| self.named(pairs, shape)) {
                Some(taken) => taken,
                None => Err((Reason::NoHeader, detail)),
            },
            taken => taken,
        }
    }

    fn try_line(&mut self, raw: &[u8]) -> Result<(), Fault> {
        if raw.len() > LINE_LEN_MAX {
            return Err((Reason::LineTooLong, String::new()));
        }
        let raw = if self.tally.lines == 1 { raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw) } else { raw };
        let line = std::str::from_utf8(raw).map_err(|_| (Reason::NotText, String::new()))?;
        // In a table with tabs, those at the ends separate values.
        let tabs = |layout: &Active| layout.layout.separator == Separator::Tab;
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            self.tally.blanks += 1;
            return Ok(());
        }
        let line = if self.active.as_ref().is_some_and(tabs) { line.trim_end_matches(['\r', '\n']) } else { trimmed };
        self.record(line, Shape::Text)
    }

    /// Takes a record, or a header, that stands in an object in this way.
    fn record(&mut self, line: &str, shape: Shape) -> Result<(), Fault> {
        // Names start with a lower-case letter, perhaps in quotes; a record may too (`eni-…` first).
        if line.as_bytes().first().is_some_and(|first| first.is_ascii_lowercase() || matches!(first, b'"' | b'@'))
            && let Some(header) = Header::parse(line)
        {
            self.tally.headers += 1;
            self.use_header(header, shape);
            return Ok(());
        }
        if memchr::memchr(0, line.as_bytes()).is_some() {
            return Err((Reason::NotText, String::new()));
        }
        if shape != Shape::Text {
            return self.values(line, shape);
        }
        if let Some((columns, at, separator)) = self.messages {
            self.cells.split(line, separator)?;
            self.cells.expect(columns)?;
            let message = match self.cells.of(line).cell(at) {
                Cell::Text(message) => message.trim_ascii().to_owned(),
                _ => String::new(),
            };
            return self.record(&message, Shape::CsvMessages);
        }
        match after_timestamp(line) {
            Some(record) => self.values(record, Shape::ExportTask),
            None => self.values(line, Shape::Text),
        }
    }

    fn use_header(&mut self, header: Header, shape: Shape) {
        self.active = None;
        match header {
            Header::Records(layout) => {
                let layout = Arc::new(layout);
                // A header within an exported message leaves the table around it as it is.
                if shape == Shape::Text {
                    self.messages = None;
                }
                // A header without records is a layout all the same.
                self.activate(Arc::clone(&layout), shape, Origin::Header);
                self.header = Some(layout);
            }
            Header::Messages { columns, at, separator } => self.messages = Some((columns, at, separator)),
        }
    }

    fn values(&mut self, line: &str, shape: Shape) -> Result<(), Fault> {
        let ready = |active: &Active| active.origin != Origin::Names && active.origin != Origin::Default && active.shape.is(shape);
        let mut split = false;
        if !self.active.as_ref().is_some_and(ready) {
            split = self.find_layout(line, shape)?;
        }
        let Some(Active { layout, .. }) = &self.active else { return Err((Reason::NoHeader, String::new())) };
        if !split {
            self.cells.split(line, layout.separator)?;
        }
        self.cells.expect(layout.columns.len())?;
        self.columns.push(&self.cells.of(line), self.tally.lines, &mut self.tally)
    }

    /// Finds the layout of a line; returns whether the line has been split on the way.
    fn find_layout(&mut self, line: &str, shape: Shape) -> Result<bool, Fault> {
        if let Some(layout) = &self.header {
            self.activate(Arc::clone(layout), shape, Origin::Header);
            return Ok(false);
        }
        if let Some(layout) = &self.known.layout {
            self.activate(Arc::clone(layout), shape, Origin::Known);
            return Ok(false);
        }
        match self.group.as_ref().map(|group| (group, self.known.log_groups.get(group))) {
            Some((_, Some(Some(layout)))) => {
                self.activate(Arc::clone(layout), shape, Origin::Known);
                return Ok(false);
            }
            Some((group, Some(None))) => {
                return Err((Reason::NoHeader, format!("the flow logs of log group {group} have several formats")));
            }
            _ => {}
        }
        // Line by line: streams of several flow logs mix, and only the lines of version 2 can be told.
        let (default, probe) = &mut self.default;
        self.cells.split(line, Separator::Spaces)?;
        let cells = self.cells.of(line);
        let fits = self.cells.expect(default.columns.len()).is_ok() && probe.push(&cells, 1, &mut Tally::default()).is_ok();
        if !fits {
            return Err((Reason::NoHeader, String::new()));
        }
        // What the probe collected is of no use.
        if probe.len() >= super::BATCH_ROWS {
            probe.clear();
        }
        let default = Arc::clone(default);
        self.activate(default, shape, Origin::Default);
        Ok(true)
    }

    /// Takes names and values as a record; `None` if too few of the names are fields.
    fn named(&mut self, pairs: &Pairs<'_>, shape: Shape) -> Option<Result<(), Fault>> {
        if pairs.text_len() > LINE_LEN_MAX {
            return Some(Err((Reason::LineTooLong, String::new())));
        }
        let names: Vec<&str> = pairs.names().collect();
        let layout = Layout::of_names(&names, Separator::Spaces)?;
        self.activate(Arc::new(layout), shape, Origin::Names);
        Some(self.columns.push(&pairs.values(), self.tally.lines, &mut self.tally))
    }

    fn activate(&mut self, layout: Arc<Layout>, shape: Shape, origin: Origin) {
        let shape = match (shape, layout.separator) {
            (Shape::Text, Separator::Comma) => Shape::Csv,
            (Shape::Text, Separator::Tab) => Shape::Tsv,
            _ => shape,
        };
        if let Some(active) = &mut self.active
            && active.shape == shape
            && (Arc::ptr_eq(&active.layout, &layout) || active.layout == layout)
        {
            active.origin = origin;
            return;
        }
        self.tally.use_layout(&layout, shape);
        self.columns.set_layout(&layout, layout.kind());
        self.active = Some(Active { layout, shape, origin });
    }
}

impl Shape {
    /// Returns whether lines of a text that are asked for as `asked` have this shape.
    fn is(self, asked: Shape) -> bool {
        self == asked || (asked == Shape::Text && matches!(self, Shape::Csv | Shape::Tsv))
    }
}

/// Returns what follows the timestamp that a CloudWatch export task writes before each event:
/// `2018-09-22T20:28:14.000Z ` (CloudWatch Logs user guide, "Exporting log data to Amazon S3").
fn after_timestamp(line: &str) -> Option<&str> {
    has_timestamp(line.as_bytes()).then(|| line.get(TIMESTAMP.len()..).map(str::trim_ascii_start))?
}

/// Returns whether a JSON document starts here, where a line might.
pub fn starts_document(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'{' | b'['))
}

/// The form of such a timestamp; `0` stands for any digit.
const TIMESTAMP: &[u8; 25] = b"0000-00-00T00:00:00.000Z ";

#[inline]
fn has_timestamp(line: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    line.get(10) == Some(&b'T') && line.len() >= TIMESTAMP.len() && line.iter().zip(TIMESTAMP).all(fits)
}

/// The values of a line.
#[derive(Debug, Default)]
struct Split {
    spans: Vec<(u32, u32)>,
    /// Values without their quotes, where the line has quotes.
    unquoted: Option<String>,
}

/// The values of a line, with the line.
struct Tokens<'a> {
    text: &'a str,
    spans: &'a [(u32, u32)],
}

impl Cells for Tokens<'_> {
    #[inline]
    fn cell(&self, at: usize) -> Cell<'_> {
        let text = self.spans.get(at).and_then(|(from, to)| self.text.get(*from as usize..*to as usize));
        text.filter(|text| !text.is_empty()).map_or(Cell::Null, Cell::Text)
    }
}

impl Split {
    #[inline]
    fn of<'a>(&'a self, line: &'a str) -> Tokens<'a> {
        Tokens { text: self.unquoted.as_deref().unwrap_or(line), spans: &self.spans }
    }

    #[inline]
    fn expect(&self, columns: usize) -> Result<(), Fault> {
        match self.spans.len().cmp(&columns) {
            std::cmp::Ordering::Less => Err((Reason::TooFewFields, format!("{} of {columns} fields", self.spans.len()))),
            std::cmp::Ordering::Greater => Err((Reason::TooManyFields, format!("{} instead of {columns} fields", self.spans.len()))),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    #[inline]
    fn split(&mut self, line: &str, separator: Separator) -> Result<(), Fault> {
        self.unquoted = None;
        match separator {
            Separator::Spaces => split_runs(line.as_bytes(), &mut self.spans),
            Separator::Tab => split_at(line, b'\t', &mut self.spans),
            Separator::Comma if line.contains('"') => return self.unquote(line),
            Separator::Comma => split_at(line, b',', &mut self.spans),
        }
        Ok(())
    }

    fn unquote(&mut self, line: &str) -> Result<(), Fault> {
        // A field is never longer than the line, and has a separator of its own or is the last.
        let (mut text, mut ends) = (vec![0; line.len()], vec![0; line.len() + 1]);
        let mut reader = csv_core::Reader::new();
        let (mut state, _, written, mut fields) = reader.read_record(line.as_bytes(), &mut text, &mut ends);
        let mut total = written;
        if state == ReadRecordResult::InputEmpty {
            let (ended, _, written, more) =
                reader.read_record(&[], text.get_mut(total..).unwrap_or_default(), ends.get_mut(fields..).unwrap_or_default());
            (state, total, fields) = (ended, total + written, fields + more);
        }
        text.truncate(total);
        let text = String::from_utf8(text).map_err(|_| (Reason::NotText, String::new()))?;
        let quotes = line.bytes().filter(|byte| *byte == b'"').count();
        if state != ReadRecordResult::Record || quotes % 2 == 1 {
            return Err((Reason::NotText, "a quote is not closed".to_owned()));
        }
        self.spans.clear();
        let mut from = 0;
        for end in ends.iter().take(fields) {
            self.spans.push((from as u32, *end as u32));
            from = *end;
        }
        self.unquoted = Some(text);
        Ok(())
    }
}

/// Finds the values of a line: runs of ASCII spaces and tabs separate (AWS's own sample has a double space).
#[inline]
fn split_runs(line: &[u8], spans: &mut Vec<(u32, u32)>) {
    spans.clear();
    let mut from = 0;
    for at in memchr::memchr2_iter(b' ', b'\t', line) {
        if at > from {
            spans.push((from as u32, at as u32));
        }
        from = at + 1;
    }
    if line.len() > from {
        spans.push((from as u32, line.len() as u32));
    }
}

/// Finds the values of a line between single separators; spaces around them are not theirs.
fn split_at(line: &str, separator: u8, spans: &mut Vec<(u32, u32)>) {
    spans.clear();
    let mut from = 0;
    let ends = memchr::memchr_iter(separator, line.as_bytes()).chain([line.len()]);
    for end in ends {
        let value = line.get(from..end).unwrap_or_default();
        let start = from + (value.len() - value.trim_ascii_start().len());
        spans.push((start as u32, (start + value.trim_ascii().len()) as u32));
        from = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str, separator: Separator) -> Vec<Option<String>> {
        let mut split = Split::default();
        split.split(line, separator).unwrap();
        let tokens = split.of(line);
        let cell = |at| match tokens.cell(at) {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        };
        (0..split.spans.len()).map(cell).collect()
    }

    fn some(values: &[&str]) -> Vec<Option<String>> {
        values.iter().map(|value| Some((*value).to_owned()).filter(|value| !value.is_empty())).collect()
    }

    #[test]
    fn values_are_split_as_their_header_says() {
        assert_eq!(values("2  1\t-", Separator::Spaces), some(&["2", "1", "-"]));
        assert_eq!(values("\t2\t\t1\t", Separator::Tab), some(&["", "2", "", "1", ""]));
        assert_eq!(values("2,, 1 ,", Separator::Comma), some(&["2", "", "1", ""]));
        assert_eq!(values(r#""2","a ""b"", c",,"""#, Separator::Comma), some(&["2", "a \"b\", c", "", ""]));
        assert_eq!(values(" 2 1 ", Separator::Spaces), some(&["2", "1"]));
        assert_eq!(values("", Separator::Spaces), some(&[]));
        assert_eq!(values("2, a\t,1", Separator::Comma), some(&["2", "a", "1"]));
        for open in ["\"2,1", "2,a\"b,1", "\"2\",\"1"] {
            assert_eq!(Split::default().split(open, Separator::Comma).unwrap_err().0, Reason::NotText, "{open}");
        }
        let mut split = Split::default();
        split.split("1 2 3", Separator::Spaces).unwrap();
        let reason = |columns| split.expect(columns).err().map(|(reason, _)| reason);
        assert_eq!([2, 3, 4].map(reason), [Some(Reason::TooManyFields), None, Some(Reason::TooFewFields)]);
    }

    #[test]
    fn the_timestamp_of_an_export_task_is_not_part_of_the_record() {
        assert_eq!(after_timestamp("2018-09-22T20:28:14.000Z 2 1234"), Some("2 1234"));
        assert_eq!(after_timestamp("2018-09-22 20:28:14.000Z 2 1234"), None);
        assert_eq!(after_timestamp("2018-09-22T20:28:14.000Z"), None);
        assert_eq!(after_timestamp("2018-09-22T20:28:14.000z 2 1234"), None);
        assert_eq!(after_timestamp("2018-0x-22T20:28:14.000Z 2 1234"), None);
        assert_eq!(after_timestamp("2018-09-22T20:28:14.000Z   2 1234"), Some("2 1234"));
    }

    const RECORD: &str = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";

    fn records() -> Records {
        let wanted = Wanted { fields: vec![crate::flow::field::id::SRCADDR], ..Wanted::default() };
        Records::new(Arc::new(wanted), Headerless::default())
    }

    /// Takes lines or documents, and returns the reasons of the rejects, the rows and the blanks.
    fn taken(parts: &[&str], take: impl Fn(&mut Records, &[u8])) -> (Vec<Reason>, u64, u64) {
        let mut records = records();
        parts.iter().for_each(|part| take(&mut records, part.as_bytes()));
        let tally = records.tally().clone();
        assert!(tally.adds_up() && records.rejects() as u64 == tally.rejects, "{tally:?}");
        let rejects = records.take().unwrap().map_or(Vec::new(), |decoded| decoded.rejects);
        assert!(records.rejects() == 0 && records.take().unwrap().is_none());
        (rejects.iter().map(|reject| reject.reason).collect(), tally.rows, tally.blanks)
    }

    /// The record with so many spaces in it that it is `len` bytes long.
    fn padded(len: usize) -> String {
        RECORD.replacen(' ', &" ".repeat(len - RECORD.len() + 1), 1)
    }

    #[test]
    fn a_record_is_as_long_as_a_line_at_most_in_whatever_it_stands() {
        let [fits, too_long, longer] = [0, 1, 2].map(|more| padded(LINE_LEN_MAX + more));
        let outcome = (vec![Reason::LineTooLong; 2], 2, 0);
        assert_eq!(taken(&[&fits, &too_long, &longer, RECORD], Records::line), outcome);
        let message = |text: &str| format!(r#"{{"message":"  {text} "}}"#);
        assert_eq!(taken(&[&message(&fits), &message(&too_long), &message(&longer), &message(RECORD)], Records::document), outcome);
        // Names and values as they stand, with the quotes of texts.
        let pairs = |len: usize| format!(r#"{{"srcaddr":"10.0.0.1","bytes":7,"beside":"{}"}}"#, "x".repeat(len - 31));
        assert_eq!(
            taken(&[&pairs(LINE_LEN_MAX), &pairs(LINE_LEN_MAX + 1), &pairs(LINE_LEN_MAX + 2), &pairs(31)], Records::document),
            outcome
        );
    }

    #[test]
    fn blanks_are_lines_that_hold_nothing() {
        assert_eq!(taken(&["", " \t", RECORD, "\r"], Records::line), (vec![], 1, 3));
        let lines = format!(r#"{{"message":"\n{RECORD}\n \n{RECORD}\n\n"}}"#);
        assert_eq!(taken(&[&lines, &lines], Records::document), (vec![], 4, 4));
        // A document of no events is one, too.
        assert_eq!(taken(&[r#"{"events":[]}"#, r#"{"logEvents":[]}"#, r#"{"events":[]}"#], Records::document), (vec![], 0, 3));
        let mut control = records();
        (0..2).for_each(|_| control.document(br#"{"messageType":"CONTROL_MESSAGE","logEvents":[]}"#));
        assert_eq!((control.tally().lines, control.tally().control), (2, 2));
        // Only the first line can start with a byte order mark.
        let marked = format!("\u{feff}{RECORD}");
        assert_eq!(taken(&[&marked, &marked, &marked], Records::line), (vec![Reason::NoHeader; 2], 1, 0));
        // Tabs at the ends of a table's lines separate values that are missing; spaces around a record do not.
        let table = ["srcaddr\tbytes\tvpc-id", "10.0.0.1\t7\t\r", "\t7\tvpc-1", " \t", "10.0.0.1\t7"];
        assert_eq!(taken(&table, Records::line), (vec![Reason::TooFewFields], 2, 1));
        assert_eq!(taken(&["srcaddr bytes", "\t10.0.0.1 7 \r", "10.0.0.1 7\t"], Records::line), (vec![], 2, 0));
    }

    #[test]
    fn lines_without_a_header_are_records_of_the_default_format_or_none() {
        let words = ["2"; 14].join(" ");
        let mixed = ["2 1 eni-1", &words, RECORD, "2 1 eni-1", &words, RECORD];
        let none = Reason::NoHeader;
        assert_eq!(taken(&mixed, Records::line), (vec![none; 4], 2, 0));
        let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
        let headed = [&[header][..], &mixed[..3]].concat();
        assert_eq!(taken(&headed, Records::line), (vec![Reason::TooFewFields, Reason::BadStatus], 1, 0));
    }

    #[test]
    fn exported_messages_hold_a_record_each() {
        let quoted = format!("1418530010000,\"{RECORD}\"");
        let table = ["@timestamp,@message", &quoted, &format!("1,{RECORD}"), "1", "1,", "1,\"2 1 eni-1\""];
        assert_eq!(taken(&table, Records::line), (vec![Reason::TooFewFields, Reason::NoHeader, Reason::NoHeader], 2, 0));
        // A header within a message is that of the records, and leaves the table as it is.
        let headed = ["@timestamp,@message", "1,srcaddr bytes", "1,10.0.0.1 7", "1,10.0.0.2 7"];
        assert_eq!(taken(&headed, Records::line), (vec![], 2, 0));
        // A header of records ends the table.
        assert_eq!(taken(&["@timestamp,@message", &quoted, "srcaddr bytes", "10.0.0.1 7"], Records::line), (vec![], 2, 0));
        let stamped = format!("2018-09-22T20:28:14.000Z {RECORD}");
        assert_eq!(taken(&[&stamped, RECORD, &stamped], Records::line), (vec![], 3, 0));
    }

    #[test]
    fn records_are_counted_by_the_shape_they_have() {
        let shapes = |lines: &[&str]| {
            let mut records = records();
            lines.iter().for_each(|line| records.line(line.as_bytes()));
            records.tally().layouts.iter().map(|seen| (seen.shape, seen.records)).collect::<Vec<_>>()
        };
        let stamped = format!("2018-09-22T20:28:14.000Z {RECORD}");
        assert_eq!(shapes(&["srcaddr,bytes", "10.0.0.1,7", "10.0.0.2,7"]), [(Shape::Csv, 2)]);
        assert_eq!(shapes(&["srcaddr\tbytes", "10.0.0.1\t7", "10.0.0.2\t7"]), [(Shape::Tsv, 2)]);
        assert_eq!(shapes(&["srcaddr bytes", "10.0.0.1 7", "bytes srcaddr", "7 10.0.0.1"]), [(Shape::Text, 1), (Shape::Text, 1)]);
        assert_eq!(shapes(&["@timestamp,@message", "1,srcaddr bytes", "1,10.0.0.1 7"]), [(Shape::CsvMessages, 1)]);
        let stamped_table = ["srcaddr,bytes", "10.0.0.1,7", "2018-09-22T20:28:14.000Z 10.0.0.1,7"];
        assert_eq!(shapes(&stamped_table), [(Shape::Csv, 1), (Shape::ExportTask, 1)]);
        let headed = ["srcaddr bytes", "10.0.0.1 7", "2018-09-22T20:28:14.000Z 10.0.0.1 7", "10.0.0.1 7"];
        assert_eq!(shapes(&headed), [(Shape::Text, 2), (Shape::ExportTask, 1)]);
        assert_eq!(shapes(&[&stamped, RECORD, RECORD, &stamped, &stamped]), [(Shape::ExportTask, 3), (Shape::Text, 2)]);
    }

    #[test]
    fn records_of_a_log_group_have_its_format() {
        let layout = |names: &[&str]| Some(Arc::new(Layout::of_any_names(names)));
        let groups = [("one", layout(&["srcaddr", "bytes"])), ("other", layout(&["bytes", "srcaddr"])), ("several", None)];
        let log_groups = Arc::new(groups.map(|(group, layout)| (group.to_owned(), layout)).into_iter().collect());
        let mut records = records();
        records.known = Headerless { layout: None, log_groups };
        let document = |group: &str, record: &str| {
            format!(r#"{{"messageType":"DATA_MESSAGE","logGroup":"{group}","logEvents":[{{"message":"{record}"}}]}}"#)
        };
        for (group, record) in [
            ("one", "10.0.0.1 7"),
            ("one", "10.0.0.2 7"),
            ("other", "7 10.0.0.3"),
            ("one", "10.0.0.4 7"),
            ("several", "10.0.0.5 7"),
            ("unknown", "10.0.0.6 7"),
            ("unknown", RECORD),
        ] {
            records.document(document(group, record).as_bytes());
        }
        records.document(br#"{"message":"10.0.0.7 7"}"#);
        let decoded = records.take().unwrap().unwrap();
        let addresses: Vec<_> = arrow::array::AsArray::as_string_view(decoded.batch.column(0)).iter().flatten().collect();
        assert_eq!(addresses, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "172.31.16.139"]);
        let rejects: Vec<_> =
            decoded.rejects.iter().map(|reject| (reject.line, reject.reason, reject.detail.contains("several"))).collect();
        assert_eq!(rejects, [(5, Reason::NoHeader, true), (6, Reason::NoHeader, false), (8, Reason::NoHeader, false)]);
    }

    #[test]
    fn messages_that_nothing_tells_the_format_of_are_read_by_the_names_beside_them() {
        let event =
            |message: &str, addr: &str| format!(r#"{{"message":"{message}","extractedFields":{{"srcaddr":"{addr}","bytes":"7"}}}}"#);
        let document = |events: &[String]| format!(r#"{{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{}]}}"#, events.join(","));
        // Their order is not that of the message.
        let named = document(&[
            event("7 10.0.0.1", "10.0.0.1"),
            event("7 10.0.0.2", "10.0.0.2"),
            event(RECORD, "10.0.0.3"),
            event("7 10.0.0.4", "10.0.0.4"),
        ]);
        assert_eq!(taken(&[&named, &named], Records::document), (vec![], 8, 0));
        let strange = r#"{"events":[{"message":"7 10.0.0.1","extractedFields":{"one":"7","two":"10.0.0.1"}}]}"#;
        assert_eq!(taken(&[strange, &format!("{{\"message\":\"{RECORD}\"}}")], Records::document), (vec![Reason::NoHeader], 1, 0));
        // A document of names and values says nothing of the lines after it, nor of the next one.
        let pairs =
            [r#"{"srcaddr":"10.0.0.1","bytes":7}"#, r#"{"bytes":7,"srcaddr":"10.0.0.2"}"#, r#"{"message":"10.0.0.3 7"}"#, r#"{"one":1}"#];
        assert_eq!(taken(&pairs, Records::document), (vec![Reason::NoHeader, Reason::NotARecord], 2, 0));
    }

    #[test]
    fn a_batch_is_full_by_its_rows() {
        let mut records = records();
        (1..super::super::BATCH_ROWS).for_each(|_| records.line(RECORD.as_bytes()));
        assert!(!records.is_full());
        records.line(RECORD.as_bytes());
        assert!(records.is_full());
        // What the default format was tried on does not pile up.
        assert!(records.default.1.len() < super::super::BATCH_ROWS);
    }
}
