//! Stored bytes → text: gzip of any number of members, zstd, none; recognised by magic bytes, never by suffix.
//!
//! Two ways to the same text. An object that is one gzip member of at most [`WHOLE_TEXT_MAX`] bytes of text goes through
//! libdeflate in one call; everything else streams through zlib-rs, which costs half as much again. Both check the CRC
//! and the length of each member (RFC 1952 §2.3.1; [`super::gzip`]).

use super::gzip::{Members, Sum, Trailer, inflate_member};
use std::sync::{Mutex, PoisonError};
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

/// Largest object that is read whole before it is decoded. AWS writes at most about 75 MB; its usual five-minute
/// objects are far smaller.
pub const WHOLE_STORED_MAX: u64 = 8 << 20;

/// Most text that one call may inflate into one buffer.
pub const WHOLE_TEXT_MAX: usize = 64 << 20;

/// Most text in such buffers over all threads; beyond it objects stream, so that many threads do not need many buffers.
const WHOLE_TEXT_IN_FLIGHT_MAX: usize = 192 << 20;

/// Text of an object in one buffer, which goes back to the others with the value.
#[derive(Debug)]
struct WholeText {
    text: Vec<u8>,
}

impl std::ops::Deref for WholeText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text
    }
}

/// Buffers for whole texts, kept for the next object: to map and clear 38 MB anew for each costs a tenth of a run.
#[derive(Debug)]
struct Buffers {
    /// Bytes of buffers in use.
    in_use: usize,
    free: Vec<Vec<u8>>,
}

static BUFFERS: Mutex<Buffers> = Mutex::new(Buffers { in_use: 0, free: Vec::new() });

/// Buffers kept for reuse; more threads than that share them.
const BUFFERS_FREE_MAX: usize = 2;

impl Buffers {
    fn lock() -> std::sync::MutexGuard<'static, Buffers> {
        BUFFERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a buffer of `size` bytes with any content, if there is room for it.
    fn take(size: usize) -> Option<WholeText> {
        let mut buffers = Buffers::lock();
        if buffers.in_use + size > WHOLE_TEXT_IN_FLIGHT_MAX {
            return None;
        }
        buffers.in_use += size;
        let mut text = buffers.free.pop().unwrap_or_default();
        drop(buffers);
        text.resize(size, 0);
        Some(WholeText { text })
    }
}

/// Gives the free buffers back; those of a scan that goes on come back to it with their texts.
pub fn free_buffers() {
    Buffers::lock().free.clear();
}

impl Drop for WholeText {
    fn drop(&mut self) {
        let mut buffers = Buffers::lock();
        buffers.in_use = buffers.in_use.saturating_sub(self.text.len());
        if buffers.free.len() < BUFFERS_FREE_MAX {
            buffers.free.push(std::mem::take(&mut self.text));
        }
    }
}

/// Stored bytes given to a streaming decoder at once. Deflate expands at most 1,032 times, so a hostile slice yields
/// under 17 MB.
const SLICE: usize = 16 << 10;

/// How an object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// Apache Parquet.
    Parquet,
    /// Text as it is.
    Plain,
}

impl Encoding {
    /// Recognises the first bytes of an object.
    pub fn sniff(first: &[u8]) -> Encoding {
        match first {
            [0x1f, 0x8b, ..] => Encoding::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Encoding::Zstd,
            [b'P', b'A', b'R', b'1', ..] => Encoding::Parquet,
            _ => Encoding::Plain,
        }
    }

    /// Returns the name used in the table `objects`.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
            Encoding::Parquet => "parquet",
            Encoding::Plain => "plain",
        }
    }
}

/// The text of an object that is one gzip member, and how much of it was handed on. A text is longer than the last level of the cache, so
/// to sum it up at once would fetch it from memory once more: that is done block by block, as it is read.
#[derive(Debug)]
pub struct WholeGzip {
    text: WholeText,
    taken: usize,
    sum: Sum,
    trailer: Trailer,
}

impl WholeGzip {
    /// Inflates an object that is exactly one gzip member. Returns `None` if it is not, or is damaged within: the streaming
    /// decoder then finds out which, and where.
    pub fn inflate(stored: &[u8]) -> Option<WholeGzip> {
        let trailer = Trailer::of(stored)?;
        let size = trailer.len as usize;
        if size > WHOLE_TEXT_MAX || size == 0 || size / 1_033 > stored.len() || is_several_members(stored, trailer.len.to_le_bytes()) {
            return None;
        }
        let mut text = Buffers::take(size)?;
        inflate_member(stored, &mut text.text).then(|| WholeGzip { text, taken: 0, sum: Sum::default(), trailer })
    }

    /// Returns the text that was not handed on yet.
    pub fn rest(&self) -> &[u8] {
        self.text.get(self.taken..).unwrap_or_default()
    }

    /// Returns the next text, of this length at most; empty at the end.
    pub fn block(&mut self, len_max: usize) -> &[u8] {
        let from = self.taken;
        self.taken = self.text.len().min(from.saturating_add(len_max));
        let block = self.text.get(from..self.taken).unwrap_or_default();
        self.sum.update(block);
        block
    }

    /// Says whether all that was handed on is the text that was compressed.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self) -> std::io::Result<()> {
        self.sum.check(self.trailer)
    }
}

/// libdeflate stops after the first member and does not say where. If a first member of `size` bytes ended before the last
/// four bytes, its length field would stand there, followed by the next member's magic.
fn is_several_members(stored: &[u8], size_le: [u8; 4]) -> bool {
    memchr::memmem::find_iter(stored, &size_le).any(|at| stored.get(at + 4..at + 6) == Some(&[0x1f, 0x8b]))
}

/// A streaming decoder: stored bytes in, text out, in bounded steps.
pub struct Inflater {
    decoder: Decoder,
}

enum Decoder {
    Plain,
    Gzip(Box<Members>),
    Zstd(Box<Frames>),
}

/// Zstandard frames, one after the other (RFC 8878 §3.1).
struct Frames {
    decoder: zstd::stream::raw::Decoder<'static>,
    out: Vec<u8>,
    /// Whether a frame has begun and not ended: an object that ends then is cut.
    open: bool,
}

impl Frames {
    /// Text handed on at once.
    const OUT: usize = 128 << 10;
    /// Text of one step, give or take [`Frames::OUT`]: four stored bytes can stand for a block of 128 KiB.
    const STEP: usize = 1 << 20;
    /// Greatest window, as a power of two: the decoder holds it for each object. Compression levels up to 21 need no more;
    /// the library's own limit is 27.
    const WINDOW_LOG_MAX: u32 = 26;

    fn new() -> std::io::Result<Frames> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(zstd::stream::raw::DParameter::WindowLogMax(Self::WINDOW_LOG_MAX))?;
        Ok(Frames { decoder, out: vec![0; Self::OUT], open: false })
    }

    /// Returns how many of the stored bytes were taken; the text of those was handed on.
    fn write(&mut self, stored: &[u8], text: &mut impl FnMut(&[u8])) -> std::io::Result<usize> {
        let mut input = InBuffer::around(stored);
        let mut handed_on = 0;
        loop {
            let mut output = OutBuffer::around(&mut self.out[..]);
            self.open = self.decoder.run(&mut input, &mut output)? != 0;
            let full = output.pos() == Self::OUT;
            text(output.as_slice());
            handed_on += output.pos();
            if !self.open {
                self.decoder.reinit()?;
            }
            // Once all is taken, what is left inside the decoder is less than a block.
            let drained = input.pos() == stored.len() && !(full && self.open);
            if drained || handed_on >= Self::STEP && input.pos() < stored.len() {
                return Ok(input.pos());
            }
        }
    }

    fn end(&self) -> std::io::Result<()> {
        if self.open { Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the zstd frame is cut")) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.decoder {
            Decoder::Plain => "plain",
            Decoder::Gzip(_) => "gzip",
            Decoder::Zstd(_) => "zstd",
        };
        write!(f, "Inflater({name})")
    }
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater { decoder: Decoder::Plain }
    }
}

impl Inflater {
    /// Returns whether there is nothing to inflate.
    pub fn is_plain(&self) -> bool {
        matches!(self.decoder, Decoder::Plain)
    }

    /// Makes a decoder for text stored in this encoding.
    ///
    /// # Errors
    /// If the zstd context cannot be allocated.
    pub fn new(encoding: Encoding) -> std::io::Result<Inflater> {
        let decoder = match encoding {
            Encoding::Plain | Encoding::Parquet => Decoder::Plain,
            Encoding::Gzip => Decoder::Gzip(Box::<Members>::default()),
            Encoding::Zstd => Decoder::Zstd(Box::new(Frames::new()?)),
        };
        Ok(Inflater { decoder })
    }

    /// Takes up to [`SLICE`] of the stored bytes, hands their text to `text`, and returns how many were taken.
    ///
    /// # Errors
    /// If the stored bytes are damaged; text before the damage was handed on.
    pub fn step(&mut self, stored: &[u8], mut text: impl FnMut(&[u8])) -> std::io::Result<usize> {
        let slice = &stored[..stored.len().min(SLICE)];
        match &mut self.decoder {
            Decoder::Plain => {
                text(slice);
                Ok(slice.len())
            }
            Decoder::Gzip(members) => members.write(slice, &mut text).map(|()| slice.len()),
            Decoder::Zstd(frames) => frames.write(slice, &mut text),
        }
    }

    /// Takes the end of the stored bytes.
    ///
    /// # Errors
    /// If they end in the middle of a member or frame.
    pub fn end(&mut self) -> std::io::Result<()> {
        match &mut self.decoder {
            Decoder::Plain => Ok(()),
            Decoder::Gzip(members) => members.end(),
            Decoder::Zstd(frames) => frames.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// The whole text, if the way in one call takes it and finds it sound.
    fn whole_gzip(stored: &[u8]) -> Option<Vec<u8>> {
        let (mut whole, mut text) = (WholeGzip::inflate(stored)?, Vec::new());
        while !whole.rest().is_empty() {
            text.extend_from_slice(whole.block(1_000));
        }
        whole.check().is_ok().then_some(text)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn stream(encoding: Encoding, stored: &[u8]) -> (Vec<u8>, std::io::Result<()>) {
        let mut inflater = Inflater::new(encoding).unwrap();
        let (mut out, mut rest) = (Vec::new(), stored);
        while !rest.is_empty() {
            match inflater.step(rest, |text| out.extend_from_slice(text)) {
                Ok(taken) => rest = &rest[taken..],
                Err(error) => return (out, Err(error)),
            }
        }
        let end = inflater.end();
        (out, end)
    }

    #[test]
    fn one_member_inflates_whole_and_streaming_alike() {
        let text = b"version account-id\n".repeat(10_000);
        assert_eq!(whole_gzip(&gzip(&text)).as_deref(), Some(&text[..]));
        assert_eq!(stream(Encoding::Gzip, &gzip(&text)).0, text);
    }

    #[test]
    fn encodings_are_told_by_their_magic() {
        let check = |first: &[u8], name, debug| {
            let encoding = Encoding::sniff(first);
            assert_eq!((encoding.name(), &*format!("{:?}", Inflater::new(encoding).unwrap())), (name, debug), "{first:?}");
        };
        check(&gzip(b"text"), "gzip", "Inflater(gzip)");
        check(&zstd::encode_all(&b"text"[..], 1).unwrap(), "zstd", "Inflater(zstd)");
        check(b"PAR1rows", "parquet", "Inflater(plain)");
        [&b""[..], b"PAR", b"PARE", &[0x1f], &[0x28, 0xb5, 0x2f], b"version"]
            .into_iter()
            .for_each(|first| check(first, "plain", "Inflater(plain)"));
    }

    #[test]
    fn whole_texts_keep_to_their_room() {
        // One test, since the room is the process's; other tests need little of it.
        assert!(Buffers::take(WHOLE_TEXT_IN_FLIGHT_MAX + 1).is_none());
        for _ in 0..2 {
            let half = Buffers::take(WHOLE_TEXT_IN_FLIGHT_MAX / 2).unwrap();
            assert!(Buffers::take(WHOLE_TEXT_IN_FLIGHT_MAX / 2 + 1).is_none());
            drop(half);
        }
        let largest = gzip(&vec![b'a'; WHOLE_TEXT_MAX]);
        assert_eq!(whole_gzip(&largest).map(|text| text.len()), Some(WHOLE_TEXT_MAX));
        assert!(whole_gzip(&gzip(&vec![b'a'; WHOLE_TEXT_MAX + 1])).is_none());
        // Nothing to read is read the other way, and much of the same in few bytes is not.
        assert!(whole_gzip(&gzip(b"")).is_none());
        assert_eq!(whole_gzip(&gzip(&[b'a'; 1_000])).map(|text| text.len()), Some(1_000));
    }

    #[test]
    fn several_members_are_never_taken_for_one() {
        // Twice the same member: trailer, length and CRC of the last are those of the first.
        let member = gzip(b"same\n");
        let twice = [member.clone(), member].concat();
        assert!(whole_gzip(&twice).is_none());
        assert_eq!(stream(Encoding::Gzip, &twice).0, b"same\nsame\n");
    }

    #[test]
    fn damage_is_noticed_at_every_byte() {
        let stored = gzip(&b"2 123456789010 eni-1235b8ca123456789\n".repeat(50));
        for at in 0..stored.len() {
            let truncated = &stored[..at];
            assert!(whole_gzip(truncated).is_none(), "cut at {at}");
            assert!(stream(Encoding::Gzip, truncated).1.is_err() || at == 0, "cut at {at}");
        }
        let mut flipped = stored.clone();
        let crc = flipped.len() - 8;
        flipped[crc] ^= 1;
        assert!(whole_gzip(&flipped).is_none());
        assert!(stream(Encoding::Gzip, &flipped).1.is_err());
    }

    #[test]
    fn a_cut_zstd_object_is_noticed_at_every_byte() {
        let stored = zstd::encode_all(&b"2 123456789010 eni-1235b8ca123456789\n".repeat(50)[..], 1).unwrap();
        for at in 1..stored.len() {
            assert!(stream(Encoding::Zstd, &stored[..at]).1.is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_step_hands_on_little_whatever_the_stored_bytes_stand_for() {
        let block = zstd::encode_all(&vec![b'a'; 32 << 20][..], 1).unwrap();
        let (stored, mut inflater) = (block.repeat(4), Inflater::new(Encoding::Zstd).unwrap());
        let (mut rest, mut all) = (&stored[..], 0);
        while !rest.is_empty() {
            let mut step = 0;
            let taken = inflater.step(rest, |text| step += text.len()).unwrap();
            assert!(step <= Frames::STEP + 2 * Frames::OUT, "{step}");
            (rest, all) = (&rest[taken..], all + step);
        }
        inflater.end().unwrap();
        assert_eq!(all, 128 << 20);
    }

    #[test]
    fn what_is_longer_than_a_slice_or_a_step_streams_whole() {
        // Digits of a generator: little to compress, so that frames and members go on over many slices.
        let noise =
            |seed: u64| std::iter::successors(Some(seed), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)));
        let dense: Vec<u8> = noise(7).take(60_000).flat_map(|number| number.to_string().into_bytes()).collect();
        // And much text in a single slice: what the decoder still holds when all is taken must come out too.
        let lengths =
            [Frames::OUT - 1, Frames::OUT, Frames::STEP - 1, Frames::STEP, Frames::STEP + 1, Frames::STEP + 100_000, 3 * Frames::STEP + 5];
        for text in lengths.map(|len| vec![b'a'; len]).into_iter().chain([dense]) {
            let (out, end) = stream(Encoding::Zstd, &zstd::encode_all(&text[..], 1).unwrap());
            assert!(end.is_ok() && out == text, "zstd: {} of {} bytes, {end:?}", out.len(), text.len());
            let (out, end) = stream(Encoding::Gzip, &gzip(&text));
            assert!(end.is_ok() && out == text, "gzip: {} of {} bytes, {end:?}", out.len(), text.len());
        }
    }

    #[test]
    fn zstd_frames_stream() {
        let text = b"line of text\n".repeat(5_000);
        let stored = [zstd::encode_all(&text[..], 1).unwrap(), zstd::encode_all(&text[..], 1).unwrap()].concat();
        let (out, end) = stream(Encoding::Zstd, &stored);
        assert!(end.is_ok());
        assert_eq!(out, [text.clone(), text].concat());
    }
}
