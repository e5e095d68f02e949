//! Stored bytes → text: gzip of any number of members, zstd, none; recognised by magic bytes, never by suffix.
//!
//! The CRC and the length of each gzip member are checked (RFC 1952 §2.3.1; [`super::gzip`]).

use super::gzip::Members;
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

/// Largest object that is read whole before it is decoded. AWS writes at most about 75 MB; its usual five-minute
/// objects are far smaller.
pub const WHOLE_STORED_MAX: u64 = 8 << 20;

/// Stored bytes given to a streaming decoder at once.
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
    /// Text of one step, give or take twice as much: four stored bytes can stand for a block of 128 KiB.
    const STEP: usize = Self::OUT;
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
            Decoder::Gzip(members) => members.step(slice, &mut text),
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
    fn damage_is_noticed_at_every_byte() {
        let stored = gzip(&b"2 123456789010 eni-1235b8ca123456789\n".repeat(50));
        for at in 0..stored.len() {
            let truncated = &stored[..at];
            assert!(stream(Encoding::Gzip, truncated).1.is_err() || at == 0, "cut at {at}");
        }
        let mut flipped = stored.clone();
        let crc = flipped.len() - 8;
        flipped[crc] ^= 1;
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
