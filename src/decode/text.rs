//! Blocks of text → records, across block edges: lines, headers, blanks, rejects.
//!
//! A block may end anywhere; the result does not depend on where (a property test holds it to that).

use super::columns::{Cell, Cells, Columns};
use super::reject::{Reason, Reject};
use super::{BATCH_ROWS, Decoded, Tally, Wanted};
use crate::error::Result;
use crate::flow::Layout;
use std::sync::Arc;

/// Longest line taken for a record. The longest real one (54 fields with ARNs and tags) is under 4 KiB.
pub const LINE_LEN_MAX: usize = 64 << 10;

/// Rejects handed on with one batch at most; an endless stream of bad lines must not pile up in memory.
const REJECTS_PENDING_MAX: usize = 1_024;

/// Decodes the text of one object.
#[derive(Debug)]
pub struct TextDecoder {
    layout: LayoutState,
    columns: Columns,
    tally: Tally,
    rejects: Vec<Reject>,
    /// Start of a line whose end is in the next block.
    carry: Vec<u8>,
    /// Whether the line in `carry` is already too long, so that its rest is skipped.
    overlong: bool,
    tokens: Vec<(u32, u32)>,
}

/// Where the layout of the records comes from.
#[derive(Debug)]
enum LayoutState {
    /// Nothing seen yet, and no option.
    Unseen,
    /// From a header, the option, or the default format.
    Known { columns: usize },
    /// The object has no header and its first line is not of the default format.
    Missing,
    /// A transit gateway's.
    TransitGateway,
}

struct Tokens<'a> {
    line: &'a str,
    spans: &'a [(u32, u32)],
}

impl Cells for Tokens<'_> {
    #[inline]
    fn cell(&self, at: usize) -> Cell<'_> {
        let text = self.spans.get(at).and_then(|(from, to)| self.line.get(*from as usize..*to as usize));
        text.map_or(Cell::Null, Cell::Text)
    }
}

impl TextDecoder {
    /// Makes a decoder; `layout` is that of `--log-format`, for objects without a header.
    pub fn new(wanted: Arc<Wanted>, layout: Option<&Layout>) -> TextDecoder {
        let first = layout.cloned().unwrap_or_else(Layout::default_format);
        let columns = Columns::new(wanted, &first);
        let mut decoder = TextDecoder {
            layout: LayoutState::Unseen,
            columns,
            tally: Tally::default(),
            rejects: Vec::new(),
            carry: Vec::new(),
            overlong: false,
            tokens: Vec::new(),
        };
        if let Some(layout) = layout {
            decoder.use_layout(layout);
        }
        decoder
    }

    /// Returns the accounting so far; a line that has not ended yet is not in it.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes the next block of text, cut anywhere.
    pub fn block(&mut self, block: &[u8]) {
        self.tally.text_bytes += block.len() as u64;
        let mut rest = block;
        if !self.carry.is_empty() || self.overlong {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return self.keep(rest);
            };
            self.keep(&rest[..end]);
            rest = &rest[end + 1..];
            self.end_carried_line();
        }
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.line(&rest[..end]);
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    /// Takes the end of the text: a last line without a line break counts.
    pub fn end(&mut self) {
        if !self.carry.is_empty() || self.overlong {
            self.end_carried_line();
        }
    }

    /// Returns whether enough is collected to be handed on.
    pub fn is_full(&self) -> bool {
        self.columns.len() >= BATCH_ROWS || self.rejects.len() >= REJECTS_PENDING_MAX
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

    fn keep(&mut self, part: &[u8]) {
        if self.overlong {
            return;
        }
        let room = (LINE_LEN_MAX + 1).saturating_sub(self.carry.len());
        self.carry.extend_from_slice(&part[..part.len().min(room)]);
        self.overlong = self.carry.len() > LINE_LEN_MAX;
    }

    fn end_carried_line(&mut self) {
        let carry = std::mem::take(&mut self.carry);
        self.overlong = false;
        self.line(&carry);
        self.carry = carry;
        self.carry.clear();
    }

    fn line(&mut self, raw: &[u8]) {
        self.tally.lines += 1;
        if let Err((reason, detail)) = self.try_line(raw) {
            self.tally.rejects += 1;
            self.rejects.push(Reject::new(self.tally.lines, reason, detail, raw));
        }
    }

    fn try_line(&mut self, raw: &[u8]) -> Result<(), (Reason, String)> {
        if raw.len() > LINE_LEN_MAX {
            return Err((Reason::LineTooLong, String::new()));
        }
        let raw = if self.tally.lines == 1 { raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw) } else { raw };
        let line = std::str::from_utf8(raw).map_err(|_| (Reason::NotText, String::new()))?;
        let line = line.trim_ascii();
        if line.is_empty() {
            self.tally.blanks += 1;
            return Ok(());
        }
        let mut tokens = std::mem::take(&mut self.tokens);
        split(line.as_bytes(), &mut tokens);
        let outcome = self.record(line, &tokens);
        self.tokens = tokens;
        outcome
    }

    fn record(&mut self, line: &str, spans: &[(u32, u32)]) -> Result<(), (Reason, String)> {
        // Only a line that starts with a lower-case letter can be a header; a record may too (`eni-…` first).
        if line.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && let Some(layout) = Layout::from_header(line)
        {
            self.tally.headers += 1;
            self.use_layout(&layout);
            return Ok(());
        }
        let cells = Tokens { line, spans };
        if matches!(self.layout, LayoutState::Unseen) {
            self.try_default_format(&cells);
        }
        let columns = match self.layout {
            LayoutState::Known { columns } => columns,
            LayoutState::TransitGateway => return Err((Reason::TransitGateway, String::new())),
            LayoutState::Missing | LayoutState::Unseen => return Err((Reason::NoHeader, String::new())),
        };
        if line.contains('\0') {
            return Err((Reason::NotText, String::new()));
        }
        match spans.len().cmp(&columns) {
            std::cmp::Ordering::Less => Err((Reason::TooFewFields, format!("{} of {columns} fields", spans.len()))),
            std::cmp::Ordering::Greater => Err((Reason::TooManyFields, format!("{} instead of {columns} fields", spans.len()))),
            std::cmp::Ordering::Equal => self.columns.push(&cells, self.tally.lines, &mut self.tally),
        }
    }

    fn use_layout(&mut self, layout: &Layout) {
        self.tally.saw_layout(layout);
        if layout.is_transit_gateway() {
            self.layout = LayoutState::TransitGateway;
            return;
        }
        self.layout = LayoutState::Known { columns: layout.columns.len() };
        self.columns.set_layout(layout);
    }

    /// An object without a header is read in the default format only if its first line has 14 fields whose types fit.
    fn try_default_format(&mut self, cells: &Tokens<'_>) {
        let default = Layout::default_format();
        let strict = Wanted { validation: super::Validation::Full, ..Wanted::default() };
        let mut probe = Columns::new(Arc::new(strict), &default);
        let fits = cells.spans.len() == default.columns.len() && probe.push(cells, 1, &mut Tally::default()).is_ok();
        if fits {
            self.use_layout(&default);
        } else {
            self.layout = LayoutState::Missing;
        }
    }
}

/// Finds the tokens of a line: runs of ASCII spaces and tabs separate (AWS's own sample has a double space).
#[inline]
fn split(line: &[u8], tokens: &mut Vec<(u32, u32)>) {
    tokens.clear();
    let mut from = 0;
    for at in memchr::memchr2_iter(b' ', b'\t', line) {
        if at > from {
            tokens.push((from as u32, at as u32));
        }
        from = at + 1;
    }
    if line.len() > from {
        tokens.push((from as u32, line.len() as u32));
    }
}
