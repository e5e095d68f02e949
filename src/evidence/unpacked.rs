//! Payload files of a bundle brought to where they can be read at will: exactly the bytes that were digested when it was read.

use super::contents::Contents;
use super::digest::{Digesting, Fixity};
use super::payload::CONTEXT;
use crate::error::{Error, Result};
use crate::inventory;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Largest file of the payload that is read into memory: the results of a bundle with hundreds of thousands of destinations.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// A bundle whose payload can be read.
#[derive(Debug)]
pub struct Unpacked {
    bundle: PathBuf,
    spill_dir: PathBuf,
    /// Names and digests of its files, and its tag files.
    pub contents: Contents,
}

impl Unpacked {
    /// Reads a bundle; copies of its files will go to `spill_dir`.
    ///
    /// # Errors
    /// As [`Contents::read`]; if a zip is none that flowproof makes.
    pub fn open(bundle: &Path, spill_dir: &Path) -> Result<Unpacked> {
        let contents = Contents::read(bundle)?;
        if let Some(fault) = &contents.zip_fault {
            let hint = "unzip it, and name the folder; flowproof evidence verify says more";
            return Err(Error::failed(format!("the zip is none of a bundle: {fault}")).at(bundle.display().to_string()).with_hint(hint));
        }
        Ok(Unpacked { bundle: bundle.to_owned(), spill_dir: spill_dir.to_owned(), contents })
    }

    fn fault(&self, name: &str, what: impl Into<String>) -> Error {
        Error::failed(what).at(format!("{}: data/{name}", self.bundle.display()))
    }

    /// Copies a file of the payload to a temporary one.
    ///
    /// # Errors
    /// If the bundle has no such file, it is another than when the bundle was read, or the copy cannot be written.
    pub fn file(&self, name: &str) -> Result<NamedTempFile> {
        let fault = |error: std::io::Error| self.fault(name, "cannot be read").caused_by(error);
        let stored = format!("data/{name}");
        let known = *self.contents.files().get(&stored).ok_or_else(|| self.fault(name, "the bundle has no such file"))?;
        let mut copy = NamedTempFile::new_in(&self.spill_dir).map_err(fault)?;
        let fixity = if self.contents.is_zip {
            let mut zip = zip::ZipArchive::new(File::open(&self.bundle).map_err(fault)?).map_err(|error| fault(error.into()))?;
            let in_folder = |full: &String| full.split_once('/').is_some_and(|(_, inside)| inside == stored);
            let full = zip
                .file_names()
                .filter_map(|full| Some(full.ok()?.into_owned()))
                .find(in_folder)
                .ok_or_else(|| self.fault(name, "the zip has no such file"))?;
            let member = zip.by_name(&full).map_err(|error| fault(error.into()))?;
            copied(member, known.size, copy.as_file_mut())
        } else {
            let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(self.bundle.join(&stored));
            copied(file.map_err(fault)?, known.size, copy.as_file_mut())
        };
        if fixity.map_err(fault)? != known {
            return Err(self.fault(name, "it changed while it was read"));
        }
        Ok(copy)
    }

    /// Returns the bytes of a file of the payload.
    ///
    /// # Errors
    /// As [`Unpacked::file`]; if it is larger than 1 GiB.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.file(name)?;
        if file.as_file().metadata()?.len() > MEMORY_BYTES_MAX {
            return Err(self.fault(name, "it is larger than 1 GiB, which no such file is"));
        }
        std::fs::read(file.path()).map_err(|error| self.fault(name, "cannot be read").caused_by(error))
    }

    /// Returns a file of the payload that is JSON.
    ///
    /// # Errors
    /// As [`Unpacked::bytes`]; if it is not of that form.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let hint = "it may be of another version of flowproof: run.json names the one that made it";
        let fault = |error: serde_json::Error| self.fault(name, "not of the form that is read here").caused_by(error).with_hint(hint);
        serde_json::from_slice(&self.bytes(name)?).map_err(fault)
    }

    /// Returns the files of the inventory with the paths that they were read under.
    ///
    /// # Errors
    /// As [`Unpacked::bytes`]; if the list of them is malformed.
    pub fn inventory(&self) -> Result<Vec<inventory::File>> {
        let list = self.bytes(CONTEXT)?;
        let mut rows = csv::Reader::from_reader(list.as_slice());
        let read = |row: Result<(String, String, u64, String), csv::Error>| {
            let (file, path, ..) = row.map_err(|error| self.fault(CONTEXT, format!("malformed: {error}")))?;
            Ok(inventory::File { path: as_it_was(&path).to_owned(), bytes: self.bytes(&file)?.into() })
        };
        rows.deserialize().map(read).collect()
    }
}

/// Takes off the quote that CSV puts before what a spreadsheet would take for a formula.
pub(super) fn as_it_was(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@'])).unwrap_or(cell)
}

fn copied(from: impl Read, size: u64, to: &mut File) -> std::io::Result<Fixity> {
    let mut digesting = Digesting::new(to);
    std::io::copy(&mut from.take(size.saturating_add(1)), &mut digesting)?;
    digesting.flush()?;
    Ok(digesting.end().1)
}
