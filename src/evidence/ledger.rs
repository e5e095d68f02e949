//! The ledger of runs: every collection that was started, and what became of it, also of those that were thrown away.
//!
//! JSON Lines, only ever appended to; each line carries the SHA-256 digest of the line before it (without its line feed), so that
//! none can be changed, taken out or put in between without the next one showing it. Whoever can write the file can still cut its
//! end off, or write all of it anew: a digest of its last line that is kept elsewhere, as a bundle does, is what shows that.
//!
//! Appending holds an exclusive lock of the file (`flock`, by the standard library), and a line goes in with one write and is on
//! the disk before the lock is given back: two runs at once queue up.

use super::canonical;
use super::digest::Digest;
use crate::error::{Error, Result};
use crate::time::{UnixSeconds, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The ledger's name, where no other is given.
pub const FILE_NAME: &str = "flowproof-runs.jsonl";
/// Most bytes of a line; a reason is a sentence.
const LINE_BYTES_MAX: usize = 16 << 10;

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It began.
    Started,
    /// It ended with a sealed bundle.
    Finished,
    /// It ended without one, or its bundle is not to be used.
    Discarded,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, UTC (RFC 3339).
    pub at: String,
    /// Digest of the bag envelope, of a finished run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// What happened.
    pub event: Event,
    /// Digest of the line before, null in the first; [`Ledger::append`] sets it.
    pub previous: Option<String>,
    /// Why it was discarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which run: the same text in all of its lines.
    pub run: String,
}

impl Entry {
    /// Returns an entry without bundle and reason.
    pub fn new(at: UnixSeconds, event: Event, run: impl Into<String>) -> Entry {
        Entry { at: rfc3339(at), bundle: None, event, previous: None, reason: None, run: run.into() }
    }
}

/// A ledger in a file.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

/// What a ledger holds, as far as it is whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Lines that are whole and follow the one before.
    pub lines: usize,
    /// The first line that is not (from 1), and why.
    pub broken: Option<(usize, String)>,
    /// Digests of all whole lines.
    pub digests: BTreeSet<Digest>,
    /// Digests of the bundles of finished runs.
    pub bundles: BTreeSet<String>,
    /// Runs that were started and neither finished nor discarded.
    pub open: BTreeSet<String>,
}

impl Ledger {
    /// Returns the ledger in a file, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Ledger {
        Ledger { path: path.into() }
    }

    /// Returns the ledger beside a bundle: one for all bundles of a folder.
    pub fn beside(bundle: &Path) -> Ledger {
        Ledger::at(bundle.parent().unwrap_or(Path::new("")).join(FILE_NAME))
    }

    /// Returns its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, and returns its digest: what a bundle may keep of the ledger.
    ///
    /// # Errors
    /// If the file cannot be written, or its last line is not a whole one.
    pub fn append(&self, entry: &Entry) -> Result<Digest> {
        let mut file = File::options().create(true).append(true).read(true).open(&self.path).map_err(|error| self.fault(error))?;
        file.lock().map_err(|error| self.fault(error))?;
        let previous = self.last_line(&mut file)?.map(|line| Digest::of(&line).to_string());
        let mut line = canonical::to_bytes(&Entry { previous, ..entry.clone() })?;
        if line.len() >= LINE_BYTES_MAX {
            return Err(Error::failed("the entry is too long for a line").at(self.place()));
        }
        let digest = Digest::of(&line);
        line.push(b'\n');
        file.write_all(&line).and_then(|()| file.sync_all()).map_err(|error| self.fault(error))?;
        Ok(digest)
    }

    /// Reads it from its first line on, up to the first that is broken.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn verify(&self) -> Result<History> {
        let mut lines = BufReader::new(File::open(&self.path).map_err(|error| self.fault(error))?);
        let mut history = History::default();
        let mut previous = None;
        let mut line = Vec::new();
        loop {
            line.clear();
            lines.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).map_err(|error| self.fault(error))?;
            if line.is_empty() {
                return Ok(history);
            }
            let entry = match check(&line, previous) {
                Ok(entry) => entry,
                Err(fault) => {
                    history.broken = Some((history.lines + 1, fault));
                    return Ok(history);
                }
            };
            let digest = Digest::of(line.trim_ascii_end());
            previous = Some(digest);
            history.digests.insert(digest);
            history.lines += 1;
            match entry.event {
                Event::Started => {
                    history.open.insert(entry.run);
                }
                Event::Finished | Event::Discarded => {
                    history.open.remove(&entry.run);
                    history.bundles.extend(entry.bundle.filter(|_| entry.event == Event::Finished));
                }
            }
        }
    }

    /// Returns the last line without its line feed; none of an empty file.
    fn last_line(&self, file: &mut File) -> Result<Option<Vec<u8>>> {
        let size = file.seek(SeekFrom::End(0)).map_err(|error| self.fault(error))?;
        let tail = size.min(LINE_BYTES_MAX as u64);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(size - tail)).and_then(|_| file.read_to_end(&mut bytes)).map_err(|error| self.fault(error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = bytes.strip_suffix(b"\n").map(|lines| lines.rsplit(|byte| *byte == b'\n').next().unwrap_or(lines));
        match line {
            Some(line) if serde_json::from_slice::<Entry>(line).is_ok() => Ok(Some(line.to_vec())),
            _ => {
                let error = Error::failed("the ledger's last line is not a whole entry, so nothing can follow it").at(self.place());
                Err(error.with_hint("keep the file under another name as it is, and a new ledger starts"))
            }
        }
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn fault(&self, error: std::io::Error) -> Error {
        Error::failed("cannot read or write the ledger of runs").at(self.place()).caused_by(error)
    }
}

fn check(line: &[u8], previous: Option<Digest>) -> Result<Entry, String> {
    let text = line.strip_suffix(b"\n").ok_or("it has no end")?;
    let entry: Entry = serde_json::from_slice(text).map_err(|error| format!("it is not an entry: {error}"))?;
    if !canonical::to_bytes(&entry).is_ok_and(|bytes| bytes == text) {
        return Err("it is not written as an entry is".to_owned());
    }
    let expected = previous.map(|digest| digest.to_string());
    if entry.previous != expected {
        let says = entry.previous.as_deref().unwrap_or("no line");
        return Err(format!("it follows {says}, and {} stands before it", expected.as_deref().unwrap_or("no line")));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(folder: &Path) -> Ledger {
        let ledger = Ledger::beside(&folder.join("evidence-2026-10"));
        ledger.append(&Entry::new(1_790_812_800, Event::Started, "a")).unwrap();
        ledger.append(&Entry { reason: Some("wrong policy\n".to_owned()), ..Entry::new(1_790_812_860, Event::Discarded, "a") }).unwrap();
        ledger.append(&Entry::new(1_790_812_920, Event::Started, "b")).unwrap();
        ledger
    }

    #[test]
    fn each_line_carries_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let text = std::fs::read_to_string(ledger.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"at":"2026-10-01T00:00:00Z","event":"started","previous":null,"run":"a"}"#);
        assert_eq!(
            lines[1],
            format!(
                r#"{{"at":"2026-10-01T00:01:00Z","event":"discarded","previous":"{}","reason":"wrong policy\n","run":"a"}}"#,
                Digest::of(lines[0].as_bytes())
            )
        );
        let history = ledger.verify().unwrap();
        assert_eq!((history.lines, history.broken, history.open), (3, None, BTreeSet::from(["b".to_owned()])));
        assert!(history.digests.contains(&Digest::of(lines[2].as_bytes())));
    }

    #[test]
    fn the_first_broken_line_is_named() {
        let check = |change: &dyn Fn(&mut Vec<String>), line: usize, why: &str| {
            let folder = tempfile::tempdir().unwrap();
            let ledger = ledger(folder.path());
            let mut lines: Vec<String> = std::fs::read_to_string(ledger.path()).unwrap().split_inclusive('\n').map(str::to_owned).collect();
            change(&mut lines);
            std::fs::write(ledger.path(), lines.concat()).unwrap();
            let (at, fault) = ledger.verify().unwrap().broken.unwrap();
            assert_eq!(at, line, "{fault}");
            assert!(fault.contains(why), "{fault}");
        };
        check(&|lines| lines[0] = lines[0].replace("\"a\"", "\"c\""), 2, "it follows");
        check(&|lines| drop(lines.remove(1)), 2, "it follows");
        check(&|lines| drop(lines.remove(0)), 1, "no line stands before it");
        check(&|lines| lines.swap(0, 2), 1, "it follows");
        check(&|lines| lines.insert(1, lines[0].clone()), 2, "it follows no line");
        check(&|lines| lines[2] = lines[2].replace(":\"b", ": \"b"), 3, "not written as");
        check(&|lines| lines[2] = "half of".to_owned(), 3, "no end");
        check(&|lines| lines[1] = "\n".to_owned(), 2, "not an entry");
    }

    #[test]
    fn nothing_follows_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let mut bytes = std::fs::read(ledger.path()).unwrap();
        bytes.pop();
        std::fs::write(ledger.path(), &bytes).unwrap();
        assert!(ledger.append(&Entry::new(0, Event::Started, "c")).unwrap_err().to_string().contains("not a whole entry"));
        assert_eq!(std::fs::read(ledger.path()).unwrap(), bytes);
    }

    #[test]
    fn runs_at_once_queue_up() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::at(folder.path().join("l"));
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let ledger = &ledger;
                scope.spawn(move || {
                    for at in 0..10 {
                        ledger.append(&Entry::new(at, Event::Started, format!("{worker}-{at}"))).unwrap();
                    }
                });
            }
        });
        let history = ledger.verify().unwrap();
        assert_eq!((history.lines, history.broken, history.open.len()), (80, None, 80));
    }
}
