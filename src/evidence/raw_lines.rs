//! Lines of log objects as they were stored: what an auditor holds beside a record.

use super::digest::{Digest, Digesting};
use crate::decode::decompress::Encoding;
use crate::decode::records::LINE_LEN_MAX;
use crate::error::{Error, Result};
use crate::pipeline::Input;
use futures::TryStreamExt;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::Path;

/// Greatest window of a zstd frame, as a power of two: as decoding takes it.
const WINDOW_LOG_MAX: u32 = 26;
/// Compressions within each other that are looked through: Firehose compresses what CloudWatch Logs has compressed.
const LAYERS_MAX: usize = 2;

/// The text of one object, line after line.
pub struct RawLines {
    text: Text,
    /// Lines that were passed.
    passed: u64,
}

enum Text {
    Lines(Box<dyn BufRead + Send>),
    /// Rows that are no lines, and what they are.
    None(&'static str),
}

impl std::fmt::Debug for RawLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawLines").field("passed", &self.passed).finish_non_exhaustive()
    }
}

/// Fetches an object once: its stored bytes go to an unnamed file in `spill_dir`.
///
/// # Errors
/// If it cannot be read, or the folder takes no file.
pub async fn fetch(input: &Input, spill_dir: &Path) -> Result<(Digest, File)> {
    let fault = |error: std::io::Error| Error::failed("cannot keep the object").at(spill_dir.display().to_string()).caused_by(error);
    let mut spool = Digesting::new(tempfile::tempfile_in(spill_dir).map_err(fault)?);
    let mut body = input.source.read(&input.object).await?;
    while let Some(chunk) = body.try_next().await? {
        spool.write_all(&chunk).map_err(fault)?;
    }
    let (mut file, fixity) = spool.end();
    file.rewind().map_err(fault)?;
    Ok((fixity.digest, file))
}

impl RawLines {
    /// Opens the text of stored bytes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn open(stored: File) -> Result<RawLines> {
        let mut text: Box<dyn BufRead + Send> = Box::new(BufReader::new(stored));
        for _ in 0..=LAYERS_MAX {
            text = match Encoding::sniff(text.fill_buf()?) {
                Encoding::Parquet => return Ok(RawLines { text: Text::None("a row of Parquet has no text"), passed: 0 }),
                Encoding::Plain => {
                    let first = text.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
                    let text = match first {
                        Some(b'{' | b'[') => Text::None("an event in JSON has no line of its own"),
                        _ => Text::Lines(text),
                    };
                    return Ok(RawLines { text, passed: 0 });
                }
                Encoding::Gzip => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(text))),
                Encoding::Zstd => {
                    let mut frames = zstd::stream::read::Decoder::with_buffer(text)?;
                    frames.window_log_max(WINDOW_LOG_MAX)?;
                    Box::new(BufReader::new(frames))
                }
            };
        }
        Ok(RawLines { text: Text::None("compressed more than twice"), passed: 0 })
    }

    /// Returns a line, without its line break, cut after the greatest length of a record; lines are asked for in their order.
    ///
    /// # Errors
    /// Why there is no text: it is no text, the line was passed, the text ends before it, or is damaged.
    pub fn line(&mut self, line: u64) -> Result<String, String> {
        let text = match &mut self.text {
            Text::None(why) => return Err((*why).to_owned()),
            Text::Lines(text) => text,
        };
        if line <= self.passed {
            return Err(format!("line {line} is not after line {}", self.passed));
        }
        loop {
            let wanted = self.passed + 1 == line;
            let mut kept = Vec::new();
            let more = read_line(&mut **text, wanted.then_some(&mut kept))
                .map_err(|error| format!("damaged after line {}: {error}", self.passed))?;
            if !more {
                return Err(format!("the object ends after line {}", self.passed));
            }
            self.passed += 1;
            if wanted {
                return Ok(String::from_utf8_lossy(&kept).into_owned());
            }
        }
    }
}

/// Passes a line; returns whether there was one.
fn read_line(text: &mut dyn BufRead, mut kept: Option<&mut Vec<u8>>) -> std::io::Result<bool> {
    let mut any = false;
    loop {
        let block = match text.fill_buf() {
            Ok(block) => block,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if block.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = memchr::memchr(b'\n', block);
        let part = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        if let Some(kept) = &mut kept {
            let room = LINE_LEN_MAX.saturating_sub(kept.len()).min(part.len());
            kept.extend_from_slice(part.get(..room).unwrap_or_default());
        }
        let taken = end.map_or(block.len(), |end| end + 1);
        text.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}
