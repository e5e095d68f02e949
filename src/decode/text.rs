//! Blocks of text → lines and JSON documents, across block edges.
//!
//! A block may end anywhere; the result does not depend on where (a property test holds it to that).

use super::headerless::Headerless;
use super::json::{DOCUMENT_LEN_MAX, Scanned, Scanner};
use super::records::{LINE_LEN_MAX, Records, starts_document};
use super::reject::{Reason, TEXT_LEN_MAX};
use super::separators::{Marks, Run};
use super::{Decoded, Tally, Wanted};
use crate::error::Result;
use std::sync::Arc;

/// Rejects with which a batch is handed on, and those of the block of text that brought them; an endless stream of bad lines must not pile up
/// in memory.
const REJECTS_PENDING_MAX: usize = 1_024;

/// Text looked through at once for plain lines: with what is found in it, it stays in the first levels of the cache.
const WINDOW: usize = 16 << 10;
/// The first such window, so that little is looked through in vain where documents stand between the lines.
const WINDOW_MIN: usize = 4 << 10;

/// Decodes the text of one object.
#[derive(Debug)]
pub struct TextDecoder {
    records: Records,
    marks: Marks,
    at: At,
    /// Start of a line or document whose end is in the next block.
    carry: Vec<u8>,
    fault: Option<String>,
}

/// Where in the text the decoder stands.
#[derive(Debug)]
enum At {
    /// At the start of a line.
    Line,
    /// In a line whose start is carried.
    InLine,
    /// In a line of which enough is carried to know that it is too long.
    InOverlong,
    /// Behind a document, or in an array of documents: what may stand between them is skipped.
    Between { in_array: bool },
    /// In a document whose start is carried.
    InDocument { scanner: Scanner, in_array: bool },
}

impl TextDecoder {
    /// Makes a decoder; `known` says what records without a header are.
    pub fn new(wanted: Arc<Wanted>, known: Headerless) -> TextDecoder {
        TextDecoder { records: Records::new(wanted, known), marks: Marks::default(), at: At::Line, carry: Vec::new(), fault: None }
    }

    /// Returns the accounting so far; a line that has not ended yet is not in it.
    pub fn tally(&self) -> &Tally {
        self.records.tally()
    }

    /// Takes the next block of text, cut anywhere.
    pub fn block(&mut self, block: &[u8]) {
        self.records.text_bytes(block.len());
        let mut rest = block;
        while !rest.is_empty() && self.fault.is_none() {
            let taken = match &mut self.at {
                At::Line => self.lines(rest),
                At::InLine | At::InOverlong => self.on_line(rest),
                At::Between { .. } => self.between(rest),
                At::InDocument { .. } => self.on_document(rest),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Takes the end of the text: a last line without a line break counts.
    pub fn end(&mut self) {
        match std::mem::replace(&mut self.at, At::Line) {
            At::Line | At::Between { in_array: false } => {}
            At::Between { in_array: true } => self.fault = Some("the text ends within an array of JSON documents".to_owned()),
            At::InLine | At::InOverlong => self.records.line(&self.carry),
            At::InDocument { .. } => {
                let events = self.tally().lines;
                let detail = "the text ends within the document".to_owned();
                self.records.unreadable(&self.carry, Reason::BadJson, detail);
                // A document that lost its end takes all that follow into itself, so one reject would hide how much is lost.
                self.fault = Some(format!("the JSON document after event {events} has no end"));
            }
        }
        self.carry.clear();
    }

    /// Returns why the text cannot be read on, once.
    pub fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// Returns whether enough is collected to be handed on.
    pub fn is_full(&self) -> bool {
        self.records.is_full() || self.records.rejects() >= REJECTS_PENDING_MAX
    }

    /// Hands on what is collected, if anything.
    ///
    /// # Errors
    /// Only if columns and schema disagree, which is a fault of this library.
    pub fn take(&mut self) -> Result<Option<Decoded>> {
        self.records.take()
    }

    /// Takes whole lines, up to a document or a line that goes on in the next block.
    fn lines(&mut self, block: &[u8]) -> usize {
        let (mut at, mut size) = (0, WINDOW_MIN);
        while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
            if starts_document(rest) {
                self.at = At::Between { in_array: false };
                return at;
            }
            if self.records.plain_width().is_some() {
                let taken = self.window(&rest[..rest.len().min(size)]);
                if taken > 0 {
                    (at, size) = (at + taken, (size * 2).min(WINDOW));
                    continue;
                }
            }
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.at = At::InLine;
                return at + self.keep_line(rest);
            };
            self.records.line(rest.get(..end).unwrap_or_default());
            at += end + 1;
        }
        at
    }

    /// Takes the lines that end in a window, up to a document; returns how much of the window they are.
    fn window(&mut self, window: &[u8]) -> usize {
        let mut taken = 0;
        let mut lines = self.marks.lines(window);
        loop {
            let run = self.records.plain_width().and_then(|width| lines.run(width));
            if let Some(run) = run.filter(|run| self.records.run(run)) {
                taken += run.text_len();
                continue;
            }
            // What is not taken as a run is taken line by line: all of it, so that no line is tried twice.
            let (of_run, other) = (run.into_iter().flat_map(Run::lines), run.is_none().then(|| lines.next()).flatten());
            let before = taken;
            for line in of_run.chain(other) {
                if starts_document(line.raw) {
                    return taken;
                }
                let is_taken = line.plain.is_some_and(|plain| self.records.plain(line.raw, &plain));
                if !is_taken {
                    self.records.line(line.raw);
                }
                taken += line.raw.len() + 1;
            }
            if taken == before {
                return taken;
            }
        }
    }

    fn on_line(&mut self, block: &[u8]) -> usize {
        let Some(end) = memchr::memchr(b'\n', block) else { return self.keep_line(block) };
        self.keep_line(block.get(..end).unwrap_or_default());
        self.records.line(&self.carry);
        self.carry.clear();
        self.at = At::Line;
        end + 1
    }

    fn keep_line(&mut self, part: &[u8]) -> usize {
        if matches!(self.at, At::InLine) {
            let room = (LINE_LEN_MAX + 1).saturating_sub(self.carry.len());
            self.carry.extend_from_slice(&part[..part.len().min(room)]);
            if self.carry.len() > LINE_LEN_MAX {
                self.at = At::InOverlong;
            }
        }
        part.len()
    }

    fn between(&mut self, block: &[u8]) -> usize {
        let At::Between { in_array } = &mut self.at else { return 0 };
        for (at, byte) in block.iter().enumerate() {
            match byte {
                b'[' if !*in_array => *in_array = true,
                b']' => *in_array = false,
                b'{' => {
                    self.at = At::InDocument { scanner: Scanner::default(), in_array: *in_array };
                    return at;
                }
                b'\n' if !*in_array => {
                    self.at = At::Line;
                    return at + 1;
                }
                b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
                _ => {
                    self.at = At::InLine;
                    return at;
                }
            }
        }
        block.len()
    }

    fn on_document(&mut self, block: &[u8]) -> usize {
        let At::InDocument { scanner, in_array } = &mut self.at else { return 0 };
        let in_array = *in_array;
        let (taken, ended) = match scanner.scan(block) {
            Scanned::End(taken) => (taken, true),
            Scanned::Broken(taken) => {
                self.keep_document(&block[..taken]);
                let detail = "a line ends within a string".to_owned();
                self.records.unreadable(&self.carry, Reason::BadJson, detail);
                self.carry.clear();
                self.at = At::Line;
                return taken;
            }
            Scanned::Open => (block.len(), false),
        };
        let part = &block[..taken];
        if self.carry.len() + part.len() > DOCUMENT_LEN_MAX {
            // One reject would hide how much is lost, so it is the object that cannot be read on.
            let events = self.tally().lines;
            self.fault = Some(format!("the JSON document after event {events} is longer than {} MiB", DOCUMENT_LEN_MAX >> 20));
            self.carry.clear();
            self.at = At::Line;
            return taken;
        }
        if !ended {
            self.carry.extend_from_slice(part);
            return taken;
        }
        if self.carry.is_empty() {
            self.records.document(part);
        } else {
            self.carry.extend_from_slice(part);
            self.records.document(&self.carry);
            self.carry.clear();
        }
        self.at = At::Between { in_array };
        taken
    }

    /// Keeps as much of a document as a reject shows.
    fn keep_document(&mut self, part: &[u8]) {
        let room = TEXT_LEN_MAX.saturating_sub(self.carry.len());
        self.carry.extend_from_slice(&part[..part.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::field::id;

    const RECORD: &str = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";

    fn decoder() -> TextDecoder {
        TextDecoder::new(Arc::new(Wanted { fields: vec![id::SRCADDR], ..Wanted::default() }), Headerless::default())
    }

    /// Decodes a text in blocks of this size: rows, reasons and texts of the rejects, fault.
    fn decode(text: &str, block: usize) -> (u64, Vec<(Reason, String)>, Option<String>) {
        let mut decoder = decoder();
        text.as_bytes().chunks(block).for_each(|block| decoder.block(block));
        decoder.end();
        let rejects = decoder.take().unwrap().map_or(Vec::new(), |decoded| decoded.rejects);
        let tally = decoder.tally();
        assert!(tally.adds_up(), "{tally:?}");
        (tally.rows, rejects.into_iter().map(|reject| (reject.reason, reject.text)).collect(), decoder.fault())
    }

    fn padded(len: usize) -> String {
        RECORD.replacen(' ', &" ".repeat(len - RECORD.len() + 1), 1)
    }

    #[test]
    fn lines_of_the_greatest_length_are_taken_wherever_blocks_end() {
        let text = format!("{RECORD}\n{}\n{}\n{}\n{RECORD}", padded(LINE_LEN_MAX), padded(LINE_LEN_MAX + 1), padded(2 * LINE_LEN_MAX));
        for block in [1_000, LINE_LEN_MAX - 1, LINE_LEN_MAX, LINE_LEN_MAX + 1, text.len()] {
            let (rows, rejects, fault) = decode(&text, block);
            let reasons: Vec<Reason> = rejects.iter().map(|(reason, _)| *reason).collect();
            assert_eq!((rows, reasons, fault), (3, vec![Reason::LineTooLong; 2], None), "blocks of {block}");
        }
    }

    #[test]
    fn documents_of_the_greatest_length_are_taken_wherever_blocks_end() {
        let document = |len: usize| {
            let text = format!(r#"{{"message":"{RECORD}","beside":""}}"#);
            text.replace(r#""beside":""#, &format!(r#""beside":"{}"#, "x".repeat(len - text.len())))
        };
        for block in [DOCUMENT_LEN_MAX / 3, DOCUMENT_LEN_MAX, DOCUMENT_LEN_MAX + 1] {
            let text = document(DOCUMENT_LEN_MAX);
            assert_eq!(text.len(), DOCUMENT_LEN_MAX);
            assert_eq!(decode(&text, block), (1, vec![], None), "blocks of {block}");
            let fault = decode(&format!("{RECORD}\n{}\n{RECORD}\n", document(DOCUMENT_LEN_MAX + 1)), block);
            let wanted = "the JSON document after event 1 is longer than 8 MiB";
            assert_eq!(fault, (1, vec![], Some(wanted.to_owned())), "blocks of {block}");
        }
    }

    #[test]
    fn what_stands_between_documents_is_skipped_and_anything_else_is_a_line() {
        let document = format!(r#"{{"message":"{RECORD}"}}"#);
        let check = |text: String, rows: u64, rejects: &[(Reason, &str)], fault: Option<&str>| {
            let rejects: Vec<(Reason, String)> = rejects.iter().map(|(reason, text)| (*reason, (*text).to_owned())).collect();
            for block in [1, 7, text.len()] {
                assert_eq!(decode(&text, block), (rows, rejects.clone(), fault.map(str::to_owned)), "{text} in blocks of {block}");
            }
        };
        check(format!("{document}{document}\n{RECORD}\n{document} \t\r, {document}"), 5, &[], None);
        check(format!("[{document},\r\n\t{document}]\n{RECORD}\n[{document}]"), 4, &[], None);
        check(format!("{document}[{document},{document}]{document}\n"), 4, &[], None);
        check(format!("{document}x\n{RECORD}"), 2, &[(Reason::NoHeader, "x")], None);
        check(format!("[[{document}]"), 0, &[(Reason::NoHeader, &format!("[{document}]"))], None);
        check(format!("[{document}"), 1, &[], Some("the text ends within an array of JSON documents"));
        let open = r#"{"message":"cut"#;
        check(format!("{open}\n{RECORD}\n{document}"), 2, &[(Reason::BadJson, &format!("{open}\n"))], None);
        check(
            format!("{RECORD}\n{{{document}"),
            1,
            &[(Reason::BadJson, &format!("{{{document}"))],
            Some("the JSON document after event 1 has no end"),
        );
        check(format!("{document}\n{{\"message\":7}}\n"), 1, &[(Reason::NotARecord, r#"{"message":7}"#)], None);
    }

    #[test]
    fn a_batch_is_full_by_rows_or_by_rejects() {
        let full = |line: &str, lines: usize| {
            let mut decoder = decoder();
            (0..lines).for_each(|_| decoder.block(format!("{line}\n").as_bytes()));
            decoder.is_full()
        };
        assert_eq!([1, super::super::BATCH_ROWS - 1, super::super::BATCH_ROWS].map(|lines| full(RECORD, lines)), [false, false, true]);
        assert_eq!([1, REJECTS_PENDING_MAX - 1, REJECTS_PENDING_MAX].map(|lines| full("2 1", lines)), [false, false, true]);
    }

    #[test]
    fn nothing_is_read_after_a_fault_and_all_text_is_counted() {
        let mut decoder = decoder();
        decoder.block(RECORD.as_bytes());
        decoder.fault = Some("told".into());
        decoder.block(b"\n2 1\n");
        assert_eq!((decoder.tally().lines, decoder.tally().text_bytes), (0, RECORD.len() as u64 + 5));
        assert_eq!((decoder.fault(), decoder.fault()), (Some("told".into()), None));
    }
}
