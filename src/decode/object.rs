//! One object's stored bytes → batches, in bounded steps that a thread pool can run.

use super::decompress::{Encoding, Inflater};
use super::headerless::Headerless;
use super::text::TextDecoder;
use super::{Decoded, Tally, Wanted};
use crate::error::Result;
use bytes::{Buf, Bytes};
use std::sync::Arc;

/// Text given to the line splitter at once, of what was kept or inflated ahead.
const TEXT_BLOCK: usize = 256 << 10;

/// Text inflated ahead at once, give or take a window of the inflater.
const AHEAD_TEXT: usize = 1 << 20;

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Rows or rejects.
    Decoded(Decoded),
    /// The next stored bytes are needed, or what is being inflated ahead.
    Hungry,
    /// These byte ranges are needed (Parquet); none: step again.
    Needs(Vec<std::ops::Range<u64>>),
    /// The object is done: whole, or up to the damage described.
    Done(Option<String>),
}

/// Decodes one text object.
#[derive(Debug)]
pub struct ObjectDecoder {
    text: TextDecoder,
    source: Source,
    stored_taken: u64,
    last: bool,
    /// Whether all stored bytes came at once.
    is_whole: bool,
    fault: Option<String>,
    /// What an inflater stumbled over, and whether it was the inner one; told once the text before it is decoded.
    damage: Option<(std::io::Error, bool)>,
    ended: bool,
    /// Whether the inflater is away, in an [`Ahead`].
    is_ahead: bool,
    /// A buffer for it.
    spare: Vec<u8>,
}

/// The inflating of an object, apart from the rest of its decoding, so that two threads can do the two at a time.
#[derive(Debug)]
pub struct Ahead {
    inflater: Inflater,
    stored: Bytes,
    stored_taken: u64,
    text: Vec<u8>,
    is_last: bool,
    at_end: bool,
    damage: Option<std::io::Error>,
}

impl Ahead {
    /// Inflates the next text: a block of it, or as much as the stored bytes there are hold.
    #[must_use]
    pub fn run(mut self) -> Ahead {
        while self.text.len() < AHEAD_TEXT && self.damage.is_none() && !self.at_end {
            let text = &mut self.text;
            let outcome = match (self.stored.is_empty(), self.is_last) {
                (true, false) => break,
                (true, true) => {
                    self.at_end = true;
                    self.inflater.end().map(|()| 0)
                }
                (false, _) => self.inflater.step(&self.stored, |more| text.extend_from_slice(more)),
            };
            match outcome {
                Ok(taken) => {
                    self.stored.advance(taken);
                    self.stored_taken += taken as u64;
                }
                Err(error) => self.damage = Some(error),
            }
        }
        self
    }
}

#[derive(Debug)]
enum Source {
    /// Nothing read yet.
    Empty,
    /// The first bytes, or all of them.
    Unopened(Bytes),
    /// Stored bytes not inflated yet, and what inflates them.
    Streaming { stored: Bytes, outer: Stage, inner: Inner },
}

/// An inflater, and what came out of it.
#[derive(Debug)]
struct Stage {
    inflater: Inflater,
    inflated: Vec<u8>,
    taken: usize,
    at_end: bool,
}

/// What the inflated bytes are.
#[derive(Debug)]
enum Inner {
    /// Too few of them are there to tell.
    Unknown,
    /// Text.
    Text,
    /// Compressed once more: Firehose compresses what CloudWatch Logs has compressed.
    Compressed(Stage),
}

impl Stage {
    fn new(encoding: Encoding) -> std::io::Result<Stage> {
        Ok(Stage { inflater: Inflater::new(encoding)?, inflated: Vec::new(), taken: 0, at_end: false })
    }

    fn rest(&self) -> &[u8] {
        self.inflated.get(self.taken..).unwrap_or_default()
    }

    /// Inflates a slice of the stored bytes, or their end if there are none; returns how many were taken.
    fn inflate(&mut self, stored: &[u8]) -> std::io::Result<usize> {
        self.inflated.drain(..self.taken);
        self.taken = 0;
        let inflated = &mut self.inflated;
        if stored.is_empty() {
            self.at_end = true;
            return self.inflater.end().map(|()| 0);
        }
        self.inflater.step(stored, |text| inflated.extend_from_slice(text))
    }
}

/// Bytes after which a compression is recognised.
const MAGIC_LEN: usize = 4;

impl ObjectDecoder {
    /// Makes a decoder; `known` says what records without a header are.
    pub fn new(wanted: Arc<Wanted>, known: Headerless) -> ObjectDecoder {
        let text = TextDecoder::new(wanted, known);
        ObjectDecoder {
            text,
            source: Source::Empty,
            stored_taken: 0,
            last: false,
            is_whole: false,
            fault: None,
            damage: None,
            ended: false,
            is_ahead: false,
            spare: Vec::new(),
        }
    }

    /// Gives the next stored bytes, `last` with the end of the object. Call it when a step was [`Step::Hungry`]; the work is
    /// done by the next step.
    pub fn push(&mut self, bytes: Bytes, last: bool) {
        self.last = last;
        match &mut self.source {
            Source::Streaming { stored, .. } => *stored = bytes,
            _ => {
                self.is_whole = last;
                self.source = Source::Unopened(bytes);
            }
        }
    }

    /// Takes the inflating of a compressed text away for a block, if there are stored bytes to inflate. Until it is given back,
    /// steps decode what text there is. An object that came whole stays in the cache of one thread.
    pub fn detach(&mut self) -> Option<Ahead> {
        let Source::Streaming { stored, outer, inner: Inner::Text } = &mut self.source else { return None };
        let is_due = !outer.inflater.is_plain() && !outer.at_end && (self.last || !stored.is_empty());
        if !is_due || self.is_whole || self.is_ahead || self.damage.is_some() || self.fault.is_some() {
            return None;
        }
        self.is_ahead = true;
        Some(Ahead {
            inflater: std::mem::take(&mut outer.inflater),
            stored: std::mem::take(stored),
            stored_taken: 0,
            text: std::mem::take(&mut self.spare),
            is_last: self.last,
            at_end: false,
            damage: None,
        })
    }

    /// Gives back what was taken, with its text. Call it when a step was [`Step::Hungry`].
    pub fn attach(&mut self, ahead: Ahead) {
        let Source::Streaming { stored, outer, .. } = &mut self.source else { return };
        self.is_ahead = false;
        self.stored_taken += ahead.stored_taken;
        self.damage = ahead.damage.map(|error| (error, false));
        *stored = ahead.stored;
        self.spare = std::mem::replace(&mut outer.inflated, ahead.text);
        self.spare.clear();
        (outer.inflater, outer.taken, outer.at_end) = (ahead.inflater, 0, ahead.at_end);
    }

    /// Ends the object early because it could not be read on.
    pub fn fail(&mut self, fault: String) {
        self.fault = Some(fault);
    }

    fn open(&mut self, stored: Bytes) -> Source {
        let encoding = Encoding::sniff(&stored);
        match Stage::new(encoding) {
            Ok(outer) => Source::Streaming { stored, outer, inner: Inner::Unknown },
            Err(error) => {
                self.fault = Some(error.to_string());
                Source::Empty
            }
        }
    }

    /// Returns the accounting so far.
    pub fn tally(&self) -> &Tally {
        self.text.tally()
    }

    /// Decodes on until a batch is full, input is needed, or the object ends.
    ///
    /// # Errors
    /// Only for faults of this library; damage in the object ends it with [`Step::Done`].
    pub fn step(&mut self) -> Result<Step> {
        while !self.text.is_full() && self.fault.is_none() && !self.ended {
            match &mut self.source {
                Source::Empty if self.last => self.ended = true,
                Source::Empty => return Ok(Step::Hungry),
                Source::Unopened(stored) => {
                    let stored = std::mem::take(stored);
                    self.source = self.open(stored);
                }
                Source::Streaming { .. } => {
                    if self.stream() == Flow::Hungry {
                        return Ok(Step::Hungry);
                    }
                }
            }
            if let Some(fault) = self.text.fault() {
                self.fault = Some(fault);
            }
        }
        match self.text.take()? {
            Some(decoded) => Ok(Step::Decoded(decoded)),
            None => Ok(Step::Done(self.fault.take())),
        }
    }

    /// Takes one small step: text to lines if there is any, else stored bytes to text, and that to lines if it is known to be text.
    fn stream(&mut self) -> Flow {
        let Source::Streaming { stored, outer, inner } = &mut self.source else { return Flow::On };
        if matches!(inner, Inner::Unknown) && (outer.rest().len() >= MAGIC_LEN || outer.at_end || self.damage.is_some()) {
            match inner_of(outer) {
                Ok(found) => *inner = found,
                Err(fault) => self.fault = Some(fault),
            }
            return Flow::On;
        }
        let text = match inner {
            Inner::Unknown => None,
            Inner::Text => Some(&mut *outer),
            Inner::Compressed(stage) => Some(stage),
        };
        // What was inflated ahead may be many lines, so it goes on in pieces.
        if let Some(stage) = text
            && !stage.rest().is_empty()
        {
            let rest = stage.rest();
            let block = &rest[..rest.len().min(TEXT_BLOCK)];
            self.text.block(block);
            stage.taken += block.len();
            return Flow::On;
        }
        if self.is_ahead {
            return Flow::Hungry;
        }
        // The piece of a line before the damage is not a record, even where it looks like one.
        let goes_on = matches!(inner, Inner::Compressed(_)) && !outer.rest().is_empty();
        if let Some((error, _)) = self.damage.take_if(|(_, of_inner)| *of_inner || !goes_on) {
            self.fault = Some(damage(&error, self.stored_taken, self.text.tally().lines));
            return Flow::On;
        }
        let (outcome, of_inner) = match inner {
            Inner::Compressed(stage) if stage.at_end => {
                self.text.end();
                self.ended = true;
                return Flow::On;
            }
            Inner::Compressed(stage) if !outer.rest().is_empty() || outer.at_end => {
                let outcome = stage.inflate(outer.rest());
                outer.taken += outcome.as_ref().copied().unwrap_or(0);
                (outcome, true)
            }
            Inner::Text if outer.at_end => {
                self.text.end();
                self.ended = true;
                return Flow::On;
            }
            _ if stored.is_empty() && !self.last => return Flow::Hungry,
            _ => {
                // Text is decoded where it is inflated, what is not known to be text yet is kept.
                let outcome = match inner {
                    Inner::Text if !stored.is_empty() => outer.inflater.step(stored, |block| self.text.block(block)),
                    _ => outer.inflate(stored),
                };
                let taken = outcome.as_ref().copied().unwrap_or(0);
                *stored = stored.slice(taken..);
                self.stored_taken += taken as u64;
                (outcome, false)
            }
        };
        if let Err(error) = outcome {
            self.damage = Some((error, of_inner));
        }
        Flow::On
    }
}

/// Whether a step can be taken.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    On,
    Hungry,
}

/// Says what inflated bytes are, by their first ones.
fn inner_of(outer: &Stage) -> Result<Inner, String> {
    match Encoding::sniff(outer.rest()) {
        Encoding::Plain => Ok(Inner::Text),
        Encoding::Parquet => Err("Parquet within gzip or zstd: its footer cannot be reached; decompress the object once".to_owned()),
        encoding => Stage::new(encoding).map(Inner::Compressed).map_err(|error| error.to_string()),
    }
}

fn damage(error: &std::io::Error, stored_taken: u64, lines: u64) -> String {
    format!("damaged after line {lines} (stored byte {stored_taken} or the 16 KiB after it): {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::field::id;
    use std::io::Write;

    const TEXT: &[u8] =
        b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
        2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n\
        2 123456789010 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n";

    fn wanted() -> Arc<Wanted> {
        Arc::new(Wanted { fields: vec![id::SRCADDR, id::BYTES], ..Wanted::default() })
    }

    /// Decodes in one thread's way and in that of two, which must be the same.
    fn run(parts: &[&[u8]]) -> (usize, Tally, Option<String>) {
        let read = run_as(parts, false);
        assert_eq!(run_as(parts, true), read);
        read
    }

    fn run_as(parts: &[&[u8]], inflates_ahead: bool) -> (usize, Tally, Option<String>) {
        let mut decoder = ObjectDecoder::new(wanted(), Headerless::default());
        let (mut rows, mut next, mut ahead) = (0, 0, None);
        loop {
            if ahead.is_none() && inflates_ahead {
                ahead = decoder.detach().map(Ahead::run);
            }
            match decoder.step().unwrap() {
                Step::Decoded(decoded) => rows += decoded.batch.num_rows(),
                Step::Hungry => match ahead.take() {
                    Some(inflated) => decoder.attach(inflated),
                    None => {
                        decoder.push(Bytes::copy_from_slice(parts[next]), next + 1 == parts.len());
                        next += 1;
                    }
                },
                Step::Needs(_) => unreachable!("text asks for no ranges"),
                Step::Done(fault) => return (rows, decoder.tally().clone(), fault),
            }
        }
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What flate2's reader gets out of gzip, or gzip in gzip, that is cut.
    fn recovered(stored: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let _ = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(stored), &mut text);
        if Encoding::sniff(&text) == Encoding::Gzip { recovered(&text) } else { text }
    }

    #[test]
    fn every_way_in_gives_the_same() {
        let stored = gzip(TEXT);
        let members = [gzip(&TEXT[..100]), gzip(&TEXT[100..])].concat();
        let (half, rest) = stored.split_at(stored.len() / 2);
        let whole = run(&[TEXT]);
        assert_eq!(whole.0, 2);
        assert!(whole.1.adds_up());
        let (twice, of_members) = (gzip(&members), [gzip(&stored[..20]), gzip(&stored[20..])].concat());
        let parts = [
            vec![&stored[..]],
            vec![half, rest],
            vec![&members[..]],
            vec![&TEXT[..7], &TEXT[7..]],
            vec![&twice[..]],
            vec![&of_members[..]],
        ];
        for parts in parts {
            assert_eq!(run(&parts), whole);
        }
    }

    #[test]
    fn damage_keeps_the_rows_before_it_but_not_the_cut_line() {
        let text = [TEXT, &TEXT[115..].repeat(2_000)].concat();
        let stored = gzip(&text);
        let (rows, tally, fault) = run(&[&stored[..stored.len() / 2]]);
        assert!(rows > 0 && fault.unwrap().starts_with("damaged after line"));
        assert!(tally.adds_up() && tally.rejects == 0);
    }

    #[test]
    fn a_text_that_is_not_the_one_compressed_is_told_in_one_call_as_in_slices() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(TEXT).unwrap();
        let mut stored = encoder.finish().unwrap();
        assert_eq!(run(&[&stored]).2, None);
        // One digit of a count, which is as good a digit as before.
        let at = memchr::memmem::find(&stored, b"4249").unwrap();
        stored[at + 3] = b'8';
        let (half, rest) = stored.split_at(stored.len() / 2);
        for parts in [vec![&stored[..]], vec![half, rest]] {
            let (rows, tally, fault) = run(&parts);
            assert!(rows == 2 && tally.adds_up() && tally.lines == 3, "{rows} {tally:?}");
            assert!(fault.unwrap().ends_with("corrupt gzip stream does not have a matching checksum"));
        }
    }

    #[test]
    fn documents_without_an_end_are_a_fault_and_brackets_alone_a_reject() {
        const DOCUMENT: &str =
            r#"{"message": "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"}"#;
        let whole = run(&[format!("[{DOCUMENT},{DOCUMENT}]").as_bytes()]);
        assert_eq!((whole.0, whole.1.rejects, whole.2), (2, 0, None));
        let cut = run(&[format!("{DOCUMENT}\n{{\"message\": 1, {DOCUMENT}\n{DOCUMENT}\n").as_bytes()]);
        assert_eq!((cut.0, cut.1.rejects), (1, 1));
        assert_eq!(cut.2.unwrap(), "the JSON document after event 1 has no end");
        let open = run(&[format!("[{DOCUMENT},").as_bytes()]);
        assert_eq!((open.0, open.1.rejects, open.2.unwrap()), (1, 0, "the text ends within an array of JSON documents".to_owned()));
        for brackets in ["[[[[", "{]", "[ [\n"] {
            let (rows, tally, fault) = run(&[brackets.as_bytes()]);
            assert_eq!((rows, tally.rejects > 0 || fault.is_some()), (0, true), "{brackets}");
        }
    }

    #[test]
    fn an_object_that_could_not_be_read_on_ends_with_what_is_told() {
        let mut decoder = ObjectDecoder::new(wanted(), Headerless::default());
        assert!(matches!(decoder.step().unwrap(), Step::Hungry));
        decoder.push(Bytes::from_static(TEXT), false);
        assert!(matches!(decoder.step().unwrap(), Step::Hungry));
        decoder.fail("the connection broke".to_owned());
        let Step::Decoded(decoded) = decoder.step().unwrap() else { panic!("the rows before") };
        assert_eq!(decoded.batch.num_rows(), 2);
        assert!(matches!(decoder.step().unwrap(), Step::Done(Some(fault)) if fault == "the connection broke"));
    }

    #[test]
    fn long_texts_go_on_in_blocks_and_batches_whatever_they_are_stored_as() {
        // Lines that differ, so that they go over many slices in whatever they are stored.
        let line = |at: u64| {
            let odd = at.wrapping_mul(6_364_136_223_846_793_005) >> 32;
            format!(
                "2 123456789010 eni-{odd:08x} 172.31.16.139 172.31.16.21 {} 22 6 20 {odd} 1418530010 1418530070 ACCEPT OK\n",
                odd % 65_536
            )
        };
        let text = [TEXT.to_vec(), (0..18_000).map(line).collect::<String>().into_bytes()].concat();
        assert!(text.len() > 5 * TEXT_BLOCK);
        let stored = [
            text.clone(),
            gzip(&text),
            gzip(&gzip(&text)),
            zstd::encode_all(&text[..], 1).unwrap(),
            zstd::encode_all(&gzip(&text)[..], 1).unwrap(),
        ];
        for stored in stored {
            let pieces: Vec<&[u8]> = stored.chunks(10_000).collect();
            for parts in [vec![&stored[..]], pieces] {
                let (rows, tally, fault) = run(&parts);
                assert_eq!((rows, tally.text_bytes, fault), (18_002, text.len() as u64, None));
            }
            // Cut at the end: what is before is there, and the damage is told with its place.
            let cut = &stored[..stored.len() - 9];
            let (rows, tally, fault) = run(&[cut]);
            let is_plain = Encoding::sniff(&stored) == Encoding::Plain;
            assert!(rows > 9_000 && fault.is_none() == is_plain && tally.adds_up(), "{rows} {fault:?}");
            if Encoding::sniff(&stored) == Encoding::Gzip {
                // Of what another inflater gets out of the same bytes, all but the slice in which the damage was met.
                let lines = recovered(cut).iter().filter(|byte| **byte == b'\n').count();
                assert!(rows < lines && lines - rows < 1_500, "{rows} of {lines}");
            }
            let place = format!("(stored byte {} or the 16 KiB after it)", cut.len());
            assert!(fault.is_none_or(|fault| fault.contains(&place)), "{place}");
        }
    }

    #[test]
    fn a_line_longer_than_any_record_stays_so_however_it_is_cut() {
        const RECORD: &str = "2 123456789010 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
        let max = crate::decode::records::LINE_LEN_MAX;
        let padded = format!("{RECORD:max$}");
        let whole = run(&[padded.as_bytes(), b"\n"]);
        assert_eq!((whole.0, whole.1.rejects), (1, 0));
        for rest in ["x\n", "x", " \n"] {
            for parts in [vec![padded.as_bytes(), rest.as_bytes()], vec![&padded.as_bytes()[..max - 1], b" ", rest.as_bytes()]] {
                let (rows, tally, _) = run(&parts);
                assert_eq!((rows, tally.rejects), (0, 1), "{rest:?}");
            }
        }
    }

    #[test]
    fn empty_object_has_no_rows_and_no_fault() {
        assert_eq!(run(&[b""]), (0, Tally::default(), None));
    }
}
