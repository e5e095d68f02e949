//! Standard input as an object: spooled to a temporary file that no name leads to, so that it can be read more than once and by
//! ranges, and is gone with the run. Bodies of other sources can be spooled likewise.

use super::key::{Prune, Recognised};
use super::listing::{Judge, Listing};
use super::local::on_disk;
use super::{Bytestream, Object, Source};
use crate::error::{Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// How standard input is written as an argument, and shown.
pub const STDIN: &str = "-";
/// Bytes moved at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Standard input, spooled.
#[derive(Debug, Clone)]
pub(super) struct Spooled {
    file: Arc<Mutex<File>>,
    size: u64,
}

impl Spooled {
    /// Reads to the end.
    ///
    /// # Errors
    /// If the input cannot be read, or the folder does not take it.
    pub(super) fn read(mut input: impl Read, folder: &Path) -> Result<Spooled> {
        let mut file = temporary(folder)?;
        let size = copy(&mut input, &mut file, folder)?;
        Ok(Spooled { file: Arc::new(Mutex::new(file)), size })
    }

    /// Receives a body to its end.
    ///
    /// # Errors
    /// Those of the body; if the folder does not take it.
    pub(super) async fn receive(mut body: Bytestream, folder: &Path) -> Result<Spooled> {
        let (mut file, mut size) = (temporary(folder)?, 0);
        while let Some(chunk) = body.next().await {
            let (chunk, folder) = (chunk?, folder.to_owned());
            let length = chunk.len() as u64;
            let written = move || file.write_all(&chunk).map_err(|fault| unwritable(&folder, size, fault)).map(|()| file);
            file = on_disk(written).await?;
            size += length;
        }
        Ok(Spooled { file: Arc::new(Mutex::new(file)), size })
    }

    /// Returns what stands for it.
    pub(super) fn object(&self) -> Object {
        Object { uri: STDIN.into(), key: super::LogKey::default(), size: self.size, etag: None, modified: None }
    }

    fn range(&self, range: Range<u64>) -> Result<Bytes> {
        let fault = |fault: std::io::Error| Error::failed("cannot read what was spooled").at(STDIN).caused_by(fault);
        if range.start > range.end || range.end > self.size {
            return Err(Error::failed(format!("bytes {}..{} lie outside the input", range.start, range.end)).at(STDIN));
        }
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(CHUNK_BYTES)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(range.start)).and_then(|_| file.read_exact(&mut bytes)).map_err(fault)?;
        Ok(bytes.into())
    }
}

/// Makes a file in a folder that no name leads to.
pub(super) fn temporary(folder: &Path) -> Result<File> {
    tempfile::tempfile_in(folder).map_err(|fault| {
        let hint = "name a folder that exists and takes files with --spill-dir";
        Error::failed("cannot make a temporary file").at(folder.display().to_string()).caused_by(fault).with_hint(hint)
    })
}

fn copy(input: &mut impl Read, file: &mut impl Write, folder: &Path) -> Result<u64> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut size = 0;
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
            Err(fault) => return Err(Error::failed("cannot read standard input").caused_by(fault)),
        };
        file.write_all(&buffer[..length]).map_err(|fault| unwritable(folder, size, fault))?;
        size += length as u64;
    }
    file.flush().map_err(|fault| unwritable(folder, size, fault))?;
    Ok(size)
}

/// Says that a folder did not take what was to be spooled.
pub(super) fn unwritable(folder: &Path, written: u64, fault: std::io::Error) -> Error {
    let hint = format!("{written} bytes were written; free some space there, or name another folder with --spill-dir");
    Error::failed("cannot spool the input").at(folder.display().to_string()).caused_by(fault).with_hint(hint)
}

#[async_trait]
impl Source for Spooled {
    fn uri(&self) -> &str {
        STDIN
    }

    fn list(&self, prune: &Prune) -> Listing {
        let judge = Judge::new(prune);
        let object = judge.named(Recognised::Loose, STDIN, self.size).map(|_| Ok(self.object()));
        Listing::new(judge, stream::iter(object).boxed())
    }

    async fn read(&self, _: &Object) -> Result<Bytestream> {
        let ranges = (0..self.size).step_by(CHUNK_BYTES).map(|at| at..self.size.min(at + CHUNK_BYTES as u64)).collect::<Vec<_>>();
        let spooled = self.clone();
        let chunks = stream::iter(ranges).then(move |range| {
            let spooled = spooled.clone();
            on_disk(move || spooled.range(range))
        });
        Ok(chunks.boxed())
    }

    async fn read_range(&self, _: &Object, range: Range<u64>) -> Result<Bytes> {
        let spooled = self.clone();
        on_disk(move || spooled.range(range)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with this much room.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_names_the_folder_and_the_way_out() {
        let fault = copy(&mut std::io::repeat(b'x').take(3 << 20), &mut Full(2 << 20), Path::new("/spill")).unwrap_err();
        assert!(fault.to_string().starts_with("/spill: cannot spool the input: "), "{fault}");
        assert!(fault.hint().unwrap().contains("2097152 bytes") && fault.hint().unwrap().contains("--spill-dir"), "{fault:?}");
        assert_eq!(copy(&mut &b"abc"[..], &mut Full(3), Path::new("/spill")).unwrap(), 3);
    }
}
