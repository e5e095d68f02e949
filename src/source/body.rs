//! Lists are parsed on a thread of their own: stored bytes as a blocking reader, bounded lines, and rows back to the waiting side.

use super::Bytestream;
use crate::error::{Error, Result};
use bytes::{Buf, Bytes};
use flate2::bufread::MultiGzDecoder;
use futures::stream::{self, Stream, StreamExt};
use md5::{Digest, Md5};
use std::io::{self, BufRead, BufReader, Read};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Longest line of a list, bytes: sixty-four times the longest S3 key.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Rows handed over at a time.
const BATCH_ROWS: usize = 1_024;
/// Batches waiting to be taken.
const BATCHES_IN_FLIGHT_MAX: usize = 4;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The stored bytes of an object as a blocking reader, with their count and MD5. Only for threads that may wait.
pub(super) struct Body {
    waiting: Handle,
    stream: Bytestream,
    chunk: Bytes,
    md5: Md5,
    count: u64,
    is_cut: bool,
}

impl Body {
    pub(super) fn new(waiting: Handle, stream: Bytestream) -> Body {
        Body { waiting, stream, chunk: Bytes::new(), md5: Md5::new(), count: 0, is_cut: false }
    }

    /// Whether the bytes stopped coming before their end.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns how many bytes were delivered, and their MD5 in hexadecimal.
    pub(super) fn seal(self) -> (u64, String) {
        let digest: String = self.md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (self.count, digest)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() && !self.is_cut {
            match self.waiting.block_on(self.stream.next()) {
                None => break,
                Some(Ok(chunk)) => {
                    self.md5.update(&chunk);
                    self.count += chunk.len() as u64;
                    self.chunk = chunk;
                }
                Some(Err(fault)) => {
                    self.is_cut = true;
                    return Err(io::Error::other(fault));
                }
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, length: usize) {
        self.chunk.advance(length.min(self.chunk.len()));
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.chunk[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Text that may be stored as gzip, found out by its first bytes.
pub(super) enum Text {
    Plain(Body),
    Gzip(Box<BufReader<MultiGzDecoder<Body>>>),
}

impl Text {
    pub(super) fn open(mut body: Body) -> io::Result<Text> {
        let gzip = body.fill_buf()?.starts_with(&GZIP_MAGIC);
        Ok(if gzip { Text::Gzip(Box::new(BufReader::with_capacity(64 << 10, MultiGzDecoder::new(body)))) } else { Text::Plain(body) })
    }

    /// Returns the stored bytes behind it.
    pub(super) fn into_body(self) -> Body {
        match self {
            Text::Plain(body) => body,
            Text::Gzip(text) => text.into_inner().into_inner(),
        }
    }

    fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Text::Plain(body) => body,
            Text::Gzip(text) => text,
        }
    }

    /// Returns the next line without its end; `None` after the last.
    ///
    /// # Errors
    /// Those of the stored bytes; a line that is too long.
    pub(super) fn line<'a>(&mut self, line: &'a mut Vec<u8>) -> io::Result<Option<&'a [u8]>> {
        line.clear();
        let length = self.reader().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
        if length > LINE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is longer than 64 KiB"));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        Ok((length > 0).then(|| text.strip_suffix(b"\r").unwrap_or(text)))
    }

    /// Reads to the end; `None` if there is more than the limit.
    pub(super) fn whole(&mut self, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.reader().take(bytes_max + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
    }

    /// Returns the first byte that is no white space, and leaves it unread.
    pub(super) fn first_byte(&mut self) -> io::Result<Option<u8>> {
        const BLANK: &[u8] = b"\xef\xbb\xbf \t\r\n";
        loop {
            let bytes = self.reader().fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let blank = bytes.iter().take_while(|byte| BLANK.contains(byte)).count();
            if let Some(first) = bytes.get(blank) {
                return Ok(Some(*first));
            }
            self.reader().consume(blank);
        }
    }
}

/// Returns the crate's own error that a reader passed on, or makes one with the place.
pub(super) fn fault_of(fault: io::Error, place: &str) -> Error {
    match fault.downcast::<Error>() {
        Ok(own) => own,
        Err(fault) => Error::failed("cannot read the list").at(place).caused_by(fault),
    }
}

/// Where a thread puts its rows.
pub(super) struct Rows<T> {
    batch: Vec<T>,
    taker: mpsc::Sender<Vec<T>>,
}

impl<T> Rows<T> {
    /// Hands a row over.
    ///
    /// # Errors
    /// If nobody takes rows any more.
    pub(super) fn push(&mut self, row: T) -> Result<()> {
        self.batch.push(row);
        if self.batch.len() < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.taker.blocking_send(batch).map_err(|_| Error::failed("the listing was given up"))
    }
}

/// Runs work that yields rows on a thread of its own, once the first row is asked for.
pub(super) fn on_thread<T: Send + 'static>(
    work: impl FnOnce(Handle, &mut Rows<T>) -> Result<()> + Send + 'static,
) -> impl Stream<Item = Result<T>> + Send + 'static {
    let start = async move {
        let (taker, rows) = mpsc::channel(BATCHES_IN_FLIGHT_MAX);
        let waiting = Handle::current();
        let thread = tokio::task::spawn_blocking(move || {
            let mut rows = Rows { batch: Vec::with_capacity(BATCH_ROWS), taker };
            work(waiting, &mut rows)?;
            rows.flush()
        });
        stream::unfold((rows, Some(thread)), |(mut rows, thread)| async move {
            if let Some(batch) = rows.recv().await {
                return Some((batch.into_iter().map(Ok).collect::<Vec<_>>(), (rows, thread)));
            }
            // A panic is a fault of a decoding library on hostile bytes.
            let fault = match thread?.await {
                Ok(Ok(())) => return None,
                Ok(Err(fault)) => fault,
                Err(fault) => Error::failed("the list could not be parsed").caused_by(fault),
            };
            Some((vec![Err(fault)], (rows, None)))
        })
        .flat_map(stream::iter)
    };
    stream::once(start).flatten()
}
