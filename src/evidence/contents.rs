//! What a bundle holds, read once and trusting nothing: every file's name, size and digest, and the bytes of the few that are read.
//!
//! Nothing is written, no link is followed, memory is bounded. What a bundle must not hold (links, devices, unsafe names, too
//! much) is a fault that is named; whether the rest is right is for [`super::verify`] to say.

use super::digest::{Digesting, Fixity};
use super::{BUNDLE_BYTES_MAX, CHUNK_BYTES, FILE_BYTES_MAX, FILES_MAX, KEPT_BYTES_MAX, KEPT_FILE_BYTES_MAX, archive, names};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use walkdir::WalkDir;

/// Of many faults or differences, so many are named; the rest is counted.
pub const NAMED_MAX: usize = 20;

/// Things by name, of which the first few are kept and the rest is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The first ones.
    pub first: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Named {
    /// Adds one.
    pub fn push(&mut self, text: impl Into<String>) {
        if self.first.len() < NAMED_MAX {
            self.first.push(text.into());
        } else {
            self.more += 1;
        }
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.first.len() + self.more
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// A bundle as it was read.
#[derive(Debug, Default)]
pub struct Contents {
    files: BTreeMap<String, Fixity>,
    kept: BTreeMap<String, Vec<u8>>,
    kept_bytes: u64,
    bytes: u64,
    in_lower_case: BTreeSet<String>,
    /// What a bundle must not hold.
    pub faults: Named,
    /// Whether it is a zip.
    pub is_zip: bool,
    /// Why a zip is not what would be made of its files; reading ended there.
    pub zip_fault: Option<String>,
}

impl Contents {
    /// Reads the bundle in a directory or a zip; keeps the bytes of tag files (all outside `data/`).
    ///
    /// # Errors
    /// If there is no such file or directory, or it cannot be read.
    pub fn read(path: &Path) -> Result<Contents> {
        Contents::read_keeping(path, |_| false)
    }

    /// Reads it, and keeps also the bytes of payload files that `wanted` names, up to [`KEPT_FILE_BYTES_MAX`] each.
    ///
    /// # Errors
    /// As [`Contents::read`].
    pub fn read_keeping(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Contents> {
        let fault = |error: std::io::Error| Error::failed("cannot read the bundle").at(path.display().to_string()).caused_by(error);
        let mut contents = Contents::default();
        let is_kept = |name: &str| !name.starts_with("data/") || wanted(name);
        if std::fs::metadata(path).map_err(fault)?.is_dir() {
            contents.read_directory(path, &is_kept).map_err(fault)?;
        } else {
            contents.is_zip = true;
            contents.zip_fault = archive::read(path, &mut contents, &is_kept).map_err(fault)?;
        }
        Ok(contents)
    }

    /// Returns every file with size and digest, by name.
    pub fn files(&self) -> &BTreeMap<String, Fixity> {
        &self.files
    }

    /// Returns the bytes of a file that was kept; they are those that were digested.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.kept.get(name).map(Vec::as_slice)
    }

    fn read_directory(&mut self, root: &Path, is_kept: &dyn Fn(&str) -> bool) -> std::io::Result<()> {
        // A name has less than 200 bytes, so a deeper folder cannot hold one; a few more levels are seen, to be named.
        let walk = WalkDir::new(root).min_depth(1).max_depth(names::NAME_BYTES_MAX / 2 + 2).follow_links(false).sort_by_file_name();
        let mut folders = BTreeSet::new();
        for entry in walk {
            let entry = entry?;
            let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
            let shown = below.to_string_lossy().into_owned();
            let kind = entry.file_type();
            if self.files.len() + folders.len() >= 2 * FILES_MAX {
                self.faults.push(format!("more than {} files and folders; reading ended", 2 * FILES_MAX));
                break;
            }
            if kind.is_dir() {
                folders.insert(shown);
                continue;
            }
            let Some(name) = below.to_str().filter(|_| kind.is_file()) else {
                let what = if kind.is_symlink() { "a symbolic link" } else { "not a regular file" };
                self.faults.push(format!("{shown}: {what}"));
                continue;
            };
            // The file may have been replaced since it was listed: neither a link nor a pipe is waited for.
            let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(entry.path());
            let file = match file.and_then(|file| Ok((file.metadata()?, file))) {
                Ok((metadata, file)) if metadata.is_file() => file,
                Ok(_) => {
                    self.faults.push(format!("{shown}: not a regular file"));
                    continue;
                }
                Err(error) => {
                    self.faults.push(format!("{shown}: cannot be opened: {error}"));
                    continue;
                }
            };
            let size = file.metadata()?.len();
            if self.admit(name, size) {
                self.take(name, size, file, is_kept(name), &mut std::io::sink())?;
            }
        }
        let is_empty = |folder: &&String| {
            let inside = format!("{folder}/");
            self.files.range(inside.clone()..).next().is_none_or(|(name, _)| !name.starts_with(&inside))
        };
        for folder in folders.iter().filter(is_empty).cloned().collect::<Vec<_>>() {
            self.faults.push(format!("{folder}/: a folder without a file"));
        }
        Ok(())
    }

    /// Says whether a file may be read: a safe and new name, and a size within the limits. What is wrong becomes a fault.
    pub(super) fn admit(&mut self, name: &str, size: u64) -> bool {
        let fault = if let Some(fault) = names::fault(name) {
            Some(fault.to_owned())
        } else if self.files.contains_key(name) {
            Some("named twice".to_owned())
        } else if !self.in_lower_case.insert(name.to_ascii_lowercase()) {
            Some("a name that differs from another one's in case only".to_owned())
        } else if self.files.len() >= FILES_MAX {
            Some(format!("more than {FILES_MAX} files"))
        } else if size > FILE_BYTES_MAX {
            Some(format!("{size} bytes; {FILE_BYTES_MAX} are the limit"))
        } else if self.bytes.saturating_add(size) > BUNDLE_BYTES_MAX {
            Some(format!("with its {size} bytes the bundle has more than {BUNDLE_BYTES_MAX}"))
        } else {
            None
        };
        let admitted = fault.is_none();
        if let Some(fault) = fault {
            self.faults.push(format!("{name}: {fault}"));
        }
        admitted
    }

    /// Reads a file that was admitted with `size`, up to one byte more; `copy` gets all of it.
    pub(super) fn take(&mut self, name: &str, size: u64, from: impl Read, keep: bool, copy: &mut dyn Write) -> std::io::Result<()> {
        let keep = keep && size <= KEPT_FILE_BYTES_MAX.min(KEPT_BYTES_MAX - self.kept_bytes);
        let mut from = from.take(size + 1);
        let mut kept = Vec::new();
        let mut digesting = Digesting::new(copy);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            digesting.write_all(&chunk[..count])?;
            if keep {
                kept.extend_from_slice(&chunk[..count]);
            }
        }
        let (_, fixity) = digesting.end();
        if fixity.size != size {
            let than = if fixity.size > size { "more" } else { "fewer" };
            self.faults.push(format!("{name}: {than} bytes than its size of {size}"));
        }
        self.bytes = self.bytes.saturating_add(fixity.size);
        if keep {
            self.kept_bytes += fixity.size.min(size);
            self.kept.insert(name.to_owned(), kept);
        }
        self.files.insert(name.to_owned(), fixity);
        Ok(())
    }
}
