//! gzip (RFC 1952): members, one after the other, streamed.
//!
//! What surrounds the deflate streams is read here; libdeflate sums up their text.

use super::deflate::{Stop, Stream};
use libdeflater::Crc;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Longest header that is taken for one: its extra field has up to 64 KiB, names and comments a few hundred bytes.
const HEADER_LEN_MAX: usize = 128 << 10;
/// CRC-32 and length modulo 2^32, little-endian (§2.3.1).
const TRAILER_LEN: usize = 8;

/// What a member says of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trailer {
    crc: u32,
    /// Length modulo 2^32.
    len: u32,
}

impl Trailer {
    fn read(bytes: [u8; TRAILER_LEN]) -> Trailer {
        let [c0, c1, c2, c3, len @ ..] = bytes;
        Trailer { crc: u32::from_le_bytes([c0, c1, c2, c3]), len: u32::from_le_bytes(len) }
    }
}

/// The text of a member so far.
#[derive(Default)]
struct Sum {
    crc: Crc,
    len: u32,
}

impl Sum {
    fn update(&mut self, text: &[u8]) {
        self.crc.update(text);
        self.len = self.len.wrapping_add(text.len() as u32);
    }

    /// Says whether the text is the one that was compressed.
    fn check(&self, trailer: Trailer) -> Result<()> {
        let is_same = trailer == Trailer { crc: self.crc.sum(), len: self.len };
        if is_same { Ok(()) } else { Err(damaged("corrupt gzip stream does not have a matching checksum")) }
    }
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// Returns how long the header is that these bytes start with (§2.3); nothing if it goes on beyond them.
fn header_len(bytes: &[u8]) -> Result<Option<usize>> {
    const FHCRC: u8 = 1 << 1;
    const FEXTRA: u8 = 1 << 2;
    const FNAME: u8 = 1 << 3;
    const FCOMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 0b1110_0000;
    // Magic and compression method, which is deflate; then flags, time of modification, extra flags, system.
    const START: [u8; 3] = [0x1f, 0x8b, 8];
    if bytes.iter().zip(START).any(|(byte, wanted)| *byte != wanted) || bytes.get(3).is_some_and(|flags| flags & RESERVED != 0) {
        return Err(damaged("invalid gzip header"));
    }
    let read = || {
        let flags = bytes.get(3)?;
        let mut len = 10;
        if flags & FEXTRA != 0 {
            let extra: [u8; 2] = bytes.get(len..len + 2)?.try_into().ok()?;
            len += 2 + usize::from(u16::from_le_bytes(extra));
        }
        for text in [FNAME, FCOMMENT] {
            if flags & text != 0 {
                len += 1 + memchr::memchr(0, bytes.get(len..)?)?;
            }
        }
        let sum = if flags & FHCRC != 0 { Some(<[u8; 2]>::try_from(bytes.get(len..len + 2)?).ok()?) } else { None };
        let of_sum = sum.map(|sum| (bytes.get(..len).unwrap_or_default(), u16::from_le_bytes(sum)));
        len += if of_sum.is_some() { 2 } else { 0 };
        (len <= bytes.len()).then_some((len, of_sum))
    };
    match read() {
        Some((_, Some((header, sum)))) if libdeflater::crc32(header) as u16 != sum => Err(damaged("invalid gzip header")),
        Some((len, _)) => Ok(Some(len)),
        None if bytes.len() > HEADER_LEN_MAX => Err(damaged("invalid gzip header")),
        None => Ok(None),
    }
}

/// Streams kept for the next object: to make one clears its window and tables.
static FREE: Mutex<Vec<Box<Stream>>> = Mutex::new(Vec::new());
const FREE_MAX: usize = 16;

/// A stream that goes back to the others in the end.
#[derive(Default)]
struct Lent(Option<Box<Stream>>);

impl Lent {
    fn free() -> MutexGuard<'static, Vec<Box<Stream>>> {
        FREE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream, which is at its beginning at first.
    fn get(&mut self) -> &mut Stream {
        self.0.get_or_insert_with(|| {
            // Apart from the next line, which may have to make one: the others need not wait for that.
            let free = Lent::free().pop();
            let mut stream = free.unwrap_or_default();
            stream.reset();
            stream
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = Lent::free();
        if free.len() < FREE_MAX {
            free.extend(self.0.take());
        }
    }
}

/// A streaming decoder of members: stored bytes in, text out. It starts with the first.
#[derive(Default)]
pub struct Members {
    at: At,
    /// The beginning of a header or trailer that goes on in the next stored bytes.
    held: Vec<u8>,
    stream: Lent,
    sum: Sum,
}

/// What the next stored bytes are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Header,
    Stream,
    Trailer,
}

impl Members {
    /// Takes some of the next stored bytes, hands on their text, a window at most and what little is left of the next, and returns how many
    /// were taken.
    ///
    /// # Errors
    /// If they are damaged; text before the damage was handed on.
    pub fn step(&mut self, stored: &[u8], text: &mut impl FnMut(&[u8])) -> Result<usize> {
        match self.at {
            At::Header => self.header(stored),
            At::Stream => self.inflate(stored, text),
            At::Trailer => self.trailer(stored),
        }
    }

    /// Takes the end of the stored bytes.
    ///
    /// # Errors
    /// If they end in the middle of a member.
    pub fn end(&self) -> Result<()> {
        let is_whole = self.at == At::Header && self.held.is_empty();
        if is_whole { Ok(()) } else { Err(Error::new(ErrorKind::UnexpectedEof, "the gzip member is cut")) }
    }

    fn header(&mut self, stored: &[u8]) -> Result<usize> {
        let held = self.held.len();
        // As a rule it is there whole, and nothing is copied.
        let len = if held == 0 { header_len(stored)? } else { None };
        let len = match len {
            Some(len) => len,
            None => {
                self.held.extend_from_slice(stored);
                let Some(len) = header_len(&self.held)? else { return Ok(stored.len()) };
                len
            }
        };
        self.held.clear();
        self.at = At::Stream;
        Ok(len.saturating_sub(held))
    }

    fn inflate(&mut self, stored: &[u8], text: &mut impl FnMut(&[u8])) -> Result<usize> {
        let stream = self.stream.get();
        let mut taken = 0;
        loop {
            let outcome = stream.step(stored.get(taken..).unwrap_or_default());
            self.sum.update(stream.text());
            text(stream.text());
            let (more, stop) = outcome?;
            taken += more;
            match stop {
                // What fills the window may have more behind it, though all stored bytes are taken.
                Stop::Full if taken == stored.len() => {}
                Stop::Full | Stop::Starved => return Ok(taken),
                Stop::End => break,
            }
        }
        self.at = At::Trailer;
        // Seven at most, which is no whole trailer.
        self.held.extend(std::iter::from_fn(|| stream.left_over()));
        stream.reset();
        Ok(taken)
    }

    fn trailer(&mut self, stored: &[u8]) -> Result<usize> {
        let some = stored.get(..stored.len().min(TRAILER_LEN - self.held.len())).unwrap_or_default();
        self.held.extend_from_slice(some);
        if let Some(trailer) = self.held.first_chunk() {
            std::mem::take(&mut self.sum).check(Trailer::read(*trailer))?;
            self.held.clear();
            self.at = At::Header;
        }
        Ok(some.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Members as another program writes them, with every part that a header can have.
    fn members() -> Vec<Vec<u8>> {
        let text = |seed: u8| (0..70_000_u32).map(|at| b'a' + (at.wrapping_mul(u32::from(seed) | 1) >> 7) as u8 % 26).collect::<Vec<u8>>();
        let builders = [
            flate2::GzBuilder::new(),
            flate2::GzBuilder::new().filename("flows.log").comment("of a test"),
            flate2::GzBuilder::new().extra(vec![7; 300]).mtime(1_700_000_000),
        ];
        let written = builders.into_iter().zip([text(1), text(77), Vec::new()]).map(|(builder, text)| {
            let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        });
        written.collect()
    }

    /// The same as gzip with the header's own sum, which no encoder here writes.
    fn with_header_sum(member: &[u8]) -> Vec<u8> {
        let len = header_len(member).unwrap().unwrap();
        let mut header = member[..len].to_vec();
        header[3] |= 2;
        let sum = libdeflater::crc32(&header) as u16;
        [&header, &sum.to_le_bytes()[..], &member[len..]].concat()
    }

    fn streamed(stored: &[u8], slice: usize) -> (Vec<u8>, Result<()>) {
        let (mut members, mut out) = (Members::default(), Vec::new());
        for mut slice in stored.chunks(slice) {
            while !slice.is_empty() {
                match members.step(slice, &mut |text| out.extend_from_slice(text)) {
                    Ok(taken) => slice = &slice[taken..],
                    Err(error) => return (out, Err(error)),
                }
            }
        }
        let end = members.end();
        (out, end)
    }

    /// What the decoder of the crate says.
    fn by_flate2(stored: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(stored), &mut out).ok().map(|_| out)
    }

    #[test]
    fn members_are_those_of_another_decoder_however_they_are_cut() {
        let all = members();
        let summed: Vec<u8> = all.iter().flat_map(|member| with_header_sum(member)).collect();
        for stored in [all.concat(), summed, all[0].clone()] {
            let wanted = by_flate2(&stored).unwrap();
            for slice in [1, 2, 7, 100, 16 << 10, stored.len()] {
                let (out, end) = streamed(&stored, slice);
                assert!(end.is_ok() && out == wanted, "slices of {slice}: {} of {}, {end:?}", out.len(), wanted.len());
            }
        }
    }

    #[test]
    fn damage_is_noticed_where_another_decoder_notices_it() {
        let stored: Vec<u8> = members().iter().skip(1).flat_map(|member| with_header_sum(member)).collect();
        for cut in (1..stored.len()).filter(|cut| cut % 97 == 0 || *cut < 60 || stored.len() - cut < 400) {
            let is_whole = by_flate2(&stored[..cut]).is_some();
            assert_eq!(streamed(&stored[..cut], 1_000).1.is_ok(), is_whole, "cut at {cut}");
        }
        for at in (0..stored.len()).filter(|at| at % 97 == 0 || *at < 60 || stored.len() - at < 400) {
            for bit in [0, 3, 7] {
                let mut flipped = stored.clone();
                flipped[at] ^= 1 << bit;
                // Times, systems and names say nothing of the text; with the header's sum they are checked all the same.
                let (out, end) = streamed(&flipped, 1_000);
                assert_eq!(end.is_ok().then_some(out), by_flate2(&flipped), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn what_follows_a_member_is_another_one() {
        for more in [&b"\0"[..], b"\0\0\0\0\0\0\0\0", b"\x1f", b"\x1f\x8b\x08\xff", b"text"] {
            let (out, end) = streamed(&[&members()[0], more].concat(), 10_000);
            assert!(end.is_err() && out.len() == 70_000, "{more:?}");
        }
    }

    #[test]
    fn a_header_has_an_end() {
        let endless = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &vec![b'n'; 4 << 20]].concat();
        let (out, end) = streamed(&endless, 16 << 10);
        assert!(out.is_empty() && end.is_err());
        let mut members = Members::default();
        let taken = endless.chunks(16 << 10).take_while(|slice| members.step(slice, &mut |_| {}).is_ok()).count();
        assert!(taken * (16 << 10) <= HEADER_LEN_MAX && members.held.len() <= HEADER_LEN_MAX + (16 << 10));
    }
}
