//! One object's stored bytes → batches, in bounded steps that a thread pool can run.

use super::decompress::{Encoding, Inflater, WholeText, whole_gzip};
use super::text::TextDecoder;
use super::{Decoded, Tally, Wanted};
use crate::error::Result;
use crate::flow::Layout;
use bytes::Bytes;
use std::sync::Arc;

/// Text given to the line splitter at once; small enough to stay in the second-level cache.
const TEXT_BLOCK: usize = 256 << 10;

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// Rows or rejects.
    Decoded(Decoded),
    /// The next stored bytes are needed.
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
    fault: Option<String>,
    /// What the inflater stumbled over; told once the text before it is decoded.
    damage: Option<std::io::Error>,
    /// Whether the inflater came to the end.
    at_end: bool,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    /// Nothing read yet.
    Empty,
    /// The first bytes, or all of them.
    Unopened(Bytes),
    /// The whole text, and how much of it is decoded.
    Whole { text: WholeText, taken: usize },
    /// Stored bytes not inflated yet.
    Streaming { inflater: Inflater, stored: Bytes, inflated: Vec<u8>, taken: usize },
}

impl ObjectDecoder {
    /// Makes a decoder; `layout` is that of `--log-format`.
    pub fn new(wanted: Arc<Wanted>, layout: Option<&Layout>) -> ObjectDecoder {
        let text = TextDecoder::new(wanted, layout);
        ObjectDecoder { text, source: Source::Empty, stored_taken: 0, last: false, fault: None, damage: None, at_end: false, ended: false }
    }

    /// Gives the next stored bytes, `last` with the end of the object. Call it when a step was [`Step::Hungry`]; the work is
    /// done by the next step.
    pub fn push(&mut self, bytes: Bytes, last: bool) {
        self.last = last;
        match &mut self.source {
            Source::Streaming { stored, .. } => *stored = bytes,
            _ => self.source = Source::Unopened(bytes),
        }
    }

    /// Ends the object early because it could not be read on.
    pub fn fail(&mut self, fault: String) {
        self.fault = Some(fault);
    }

    fn open(&mut self, stored: Bytes) -> Source {
        let encoding = Encoding::sniff(&stored);
        if self.last
            && encoding == Encoding::Gzip
            && let Some(text) = whole_gzip(&stored)
        {
            return Source::Whole { text, taken: 0 };
        }
        match Inflater::new(encoding) {
            Ok(inflater) => Source::Streaming { inflater, stored, inflated: Vec::new(), taken: 0 },
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

    fn is_drained(&self) -> bool {
        !matches!(&self.source, Source::Streaming { inflated, taken, .. } if *taken < inflated.len())
    }

    /// Decodes on until a batch is full, input is needed, or the object ends.
    ///
    /// # Errors
    /// Only for faults of this library; damage in the object ends it with [`Step::Done`].
    pub fn step(&mut self) -> Result<Step> {
        while !self.text.is_full() && self.fault.is_none() && !self.ended {
            if self.is_drained() {
                if let Some(error) = self.damage.take() {
                    self.fault = Some(damage(&error, self.stored_taken, self.text.tally().lines));
                    break;
                }
                if self.at_end {
                    self.text.end();
                    self.ended = true;
                    break;
                }
            }
            match &mut self.source {
                Source::Empty if self.last => self.ended = true,
                Source::Empty => return Ok(Step::Hungry),
                Source::Unopened(stored) => {
                    let stored = std::mem::take(stored);
                    self.source = self.open(stored);
                }
                Source::Whole { text, taken } => {
                    let block = &text[*taken..text.len().min(*taken + TEXT_BLOCK)];
                    self.text.block(block);
                    *taken += block.len();
                    if *taken == text.len() {
                        self.text.end();
                        self.ended = true;
                    }
                }
                // A hostile slice inflates to millions of lines, so text goes on in pieces whatever it came from.
                Source::Streaming { inflated, taken, .. } if *taken < inflated.len() => {
                    let block = &inflated[*taken..inflated.len().min(*taken + TEXT_BLOCK)];
                    self.text.block(block);
                    *taken += block.len();
                }
                Source::Streaming { stored, .. } if stored.is_empty() && !self.last => return Ok(Step::Hungry),
                Source::Streaming { inflater, stored, inflated, taken } => {
                    inflated.clear();
                    *taken = 0;
                    let at_end = stored.is_empty();
                    let outcome = match at_end {
                        true => inflater.end(|text| inflated.extend_from_slice(text)).map(|()| 0),
                        false => inflater.step(stored, |text| inflated.extend_from_slice(text)),
                    };
                    match outcome {
                        // The piece of a line before the damage is not a record, even where it looks like one.
                        Err(error) => self.damage = Some(error),
                        Ok(_) if at_end => self.at_end = true,
                        Ok(count) => {
                            *stored = stored.slice(count..);
                            self.stored_taken += count as u64;
                        }
                    }
                }
            }
        }
        match self.text.take()? {
            Some(decoded) => Ok(Step::Decoded(decoded)),
            None => Ok(Step::Done(self.fault.take())),
        }
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

    fn run(parts: &[&[u8]]) -> (usize, Tally, Option<String>) {
        let mut decoder = ObjectDecoder::new(wanted(), None);
        let (mut rows, mut next) = (0, 0);
        loop {
            match decoder.step().unwrap() {
                Step::Decoded(decoded) => rows += decoded.batch.num_rows(),
                Step::Hungry => {
                    decoder.push(Bytes::copy_from_slice(parts[next]), next + 1 == parts.len());
                    next += 1;
                }
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

    #[test]
    fn every_way_in_gives_the_same() {
        let stored = gzip(TEXT);
        let members = [gzip(&TEXT[..100]), gzip(&TEXT[100..])].concat();
        let (half, rest) = stored.split_at(stored.len() / 2);
        let whole = run(&[TEXT]);
        assert_eq!(whole.0, 2);
        assert!(whole.1.adds_up());
        for parts in [vec![&stored[..]], vec![half, rest], vec![&members[..]], vec![&TEXT[..7], &TEXT[7..]]] {
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
    fn empty_object_has_no_rows_and_no_fault() {
        assert_eq!(run(&[b""]), (0, Tally::default(), None));
    }
}
