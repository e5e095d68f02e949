//! Held to zlib-rs, by whose answer and text every stream here is judged, and to libdeflate.

use super::*;
use flate2::{Compression, Decompress, FlushDecompress, Status};
use proptest::prelude::*;
use std::io::Write;

/// A way to decode symbols.
type Symbols = fn(&mut Stream, &[u8], &mut usize) -> Result<Pause>;

/// Text, whether the stream came to its end, and the bytes behind it.
type Inflated = (Vec<u8>, bool, Vec<u8>);

/// Inflates slices with windows of so much text.
fn inflate_with<'a>(slices: impl IntoIterator<Item = &'a [u8]>, text: usize, symbols: Option<Symbols>) -> Inflated {
    let (mut stream, mut out) = (Stream::with_text(text), Vec::new());
    let mut slices = slices.into_iter();
    for mut slice in slices.by_ref() {
        loop {
            let step = match symbols {
                Some(symbols) => stream.step_with(slice, symbols),
                None => stream.step(slice),
            };
            out.extend_from_slice(stream.text());
            let Ok((taken, stop)) = step else { return (out, false, Vec::new()) };
            slice = &slice[taken..];
            match stop {
                Stop::Full => assert_eq!(stream.to.max(stream.full), stream.to),
                Stop::Starved => break assert!(slice.is_empty()),
                Stop::End => {
                    let left_over = std::iter::from_fn(|| stream.left_over());
                    return (
                        out,
                        true,
                        left_over.collect::<Vec<u8>>().into_iter().chain(slice.iter().copied()).chain(slices.flatten().copied()).collect(),
                    );
                }
            }
        }
    }
    (out, false, Vec::new())
}

fn by_zlib(stored: &[u8]) -> Inflated {
    let (mut stream, mut out, mut buffer) = (Decompress::new(false), Vec::new(), vec![0; 1 << 16]);
    loop {
        let (taken, made) = (stream.total_in() as usize, stream.total_out());
        let status = stream.decompress(&stored[taken..], &mut buffer, FlushDecompress::None);
        let more = (stream.total_out() - made) as usize;
        out.extend_from_slice(&buffer[..more]);
        match status {
            Ok(Status::StreamEnd) => return (out, true, stored[stream.total_in() as usize..].to_vec()),
            Ok(_) if more > 0 || (stream.total_in() as usize) > taken => {}
            _ => return (out, false, Vec::new()),
        }
    }
}

/// Checks that a stream is inflated as zlib-rs does it, however it is cut, whatever the window, on any processor.
fn check(stored: &[u8]) {
    let wanted = by_zlib(stored);
    // To keep the history behind every byte of a long text would take minutes.
    let text = if wanted.0.len() < 3_000 { [1, 100, 700, TEXT] } else { [9_000, 5_000, 40_000, TEXT] };
    for (number, slice) in [stored.len().max(1), 1, 7, 1_000].into_iter().enumerate() {
        for symbols in [None, Some(Stream::symbols as Symbols)] {
            let found = inflate_with(stored.chunks(slice), text[number], symbols);
            assert_eq!(found.1, wanted.1, "slices of {slice}");
            assert!(found == wanted, "slices of {slice}: {} and {} bytes of text", found.0.len(), wanted.0.len());
        }
    }
    assert!(inflate_with([stored], TEXT, None) == wanted);
    if let (text, true, behind) = wanted {
        let mut whole = vec![0; text.len()];
        let stream = &stored[..stored.len() - behind.len()];
        assert_eq!(libdeflater::Decompressor::new().deflate_decompress(stream, &mut whole), Ok(text.len()));
        assert!(whole == text);
    }
}

fn deflated(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Bits as a stream has them.
#[derive(Default)]
struct Written(Vec<u8>, u32);

impl Written {
    fn bits(mut self, bits: u32, count: u32) -> Written {
        for at in 0..count {
            if self.1.is_multiple_of(8) {
                self.0.push(0);
            }
            *self.0.last_mut().unwrap() |= ((bits >> at & 1) as u8) << (self.1 % 8);
            self.1 += 1;
        }
        self
    }

    /// A code, which is written from its highest bit on.
    fn code(self, code: u32, len: u32) -> Written {
        (0..len).rev().fold(self, |written, at| written.bits(code >> at & 1, 1))
    }
}

/// Numbers without a pattern.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed | 1), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)))
        .map(|number| number >> 33)
}

#[test]
fn blocks_by_hand() {
    let text = |stored: &[u8]| inflate_with([stored], TEXT, None);
    // §3.2.4: not compressed, not last; then an empty one that is.
    assert_eq!(text(&[0, 3, 0, !3, !0, b'a', b'b', b'c', 1, 0, 0, !0, !0, 9]), (b"abc".to_vec(), true, vec![9]));
    // §3.2.6: `a` is 0x30 + 0x61 in eight bits, the end seven zeros.
    let a = Written::default().bits(0b011, 3).code(0x91, 8).code(0, 7);
    assert_eq!(text(&a.0), (b"a".to_vec(), true, vec![]));
    // A length of 258 (code 285) at a distance of 1; then one of 3 at 259, which is where the text begins, and at 260, which is before it.
    let run = || Written::default().bits(0b011, 3).code(0x91, 8).code(0b1100_0101, 8).code(0, 5);
    assert_eq!(text(&run().code(0, 7).0), (vec![b'a'; 259], true, vec![]));
    let back = |extra: u32| run().code(1, 7).code(16, 5).bits(extra, 7).code(0, 7).0;
    assert_eq!(text(&back(2)), (vec![b'a'; 262], true, vec![]));
    assert_eq!(text(&back(3)), (vec![b'a'; 259], false, vec![]));
    for stored in [&a.0, &back(2), &back(3)] {
        check(stored);
    }
}

#[test]
fn lengths_and_distances_are_those_of_the_document() {
    // §3.2.5: code, least and greatest value.
    let ends = |entry: Entry, extra: u32| (entry.of_code(1).value(0), entry.of_code(1).value(u64::from((1_u32 << (extra + 1)) - 1)));
    let lengths = [(257, 0, 3, 3), (264, 0, 10, 10), (265, 1, 11, 12), (272, 2, 31, 34), (284, 5, 227, 258), (285, 0, 258, 258)];
    for (symbol, extra, least, greatest) in lengths {
        assert_eq!(ends(litlen(symbol), extra), (least, greatest), "{symbol}");
    }
    let dists = [(0, 0, 1, 1), (3, 0, 4, 4), (4, 1, 5, 6), (17, 7, 385, 512), (28, 13, 16_385, 24_576), (29, 13, 24_577, 32_768)];
    for (symbol, extra, least, greatest) in dists {
        assert_eq!(ends(dist(symbol), extra), (least, greatest), "{symbol}");
    }
    assert!(
        [286, 287].into_iter().all(|symbol| litlen(symbol).is(Entry::INVALID))
            && [30, 31].into_iter().all(|symbol| dist(symbol).is(Entry::INVALID))
    );
}

#[test]
fn what_encoders_write() {
    let log: Vec<u8> = noise(1)
        .take(6_000)
        .flat_map(|n| format!("2 123456789010 eni-{:x} 10.0.{}.{} OK\n", n % 50, n % 7, n >> 9 & 255).into_bytes())
        .collect();
    let dense: Vec<u8> = noise(2).take(150_000).map(|n| n as u8).collect();
    // Symbols as often as the numbers of Fibonacci have the longest codes.
    let counts = std::iter::successors(Some((1, 1)), |(a, b)| Some((*b, a + b))).map(|(a, _)| a);
    let skewed: Vec<u8> = counts.take(24).zip(b'a'..).flat_map(|(count, byte)| vec![byte; count]).collect();
    let shuffled: Vec<u8> = noise(3).take(300_000).map(|n| skewed[n as usize % skewed.len()]).collect();
    // A text that repeats itself from as far as it can, and from a little further, over several windows.
    let far = [&dense[..32_768], &dense[..32_768], &dense[..32_769], b"x", &dense[..32_768]].concat().repeat(3);
    // And texts that repeat themselves at every short distance.
    let near: Vec<u8> = (1..=80).flat_map(|period| dense[..period].repeat(600 / period + 2)).collect();
    for text in [&b""[..], b"a", &[b'a'; 70_000], &log, &dense, &shuffled, &far, &near] {
        for level in [0, 1, 4, 6, 9] {
            check(&[&deflated(text, level), &b"behind"[..]].concat());
        }
    }
}

#[test]
fn damage_is_found_where_zlib_finds_it() {
    let text: Vec<u8> = noise(4).take(300).flat_map(|n| format!("eni-{:x} {} OK\n", n % 9, n % 60_000).into_bytes()).collect();
    for level in [0, 1, 9] {
        let stored = deflated(&text, level);
        for at in (0..stored.len()).filter(|at| *at < 90 || at % 127 == 0) {
            for bit in 0..8 {
                let mut flipped = stored.clone();
                flipped[at] ^= 1 << bit;
                check(&flipped);
            }
            check(&stored[..at]);
        }
    }
}

#[test]
fn a_stream_starts_anew() {
    let (mut stream, stored) = (Stream::default(), deflated(b"text and text", 9));
    // After an end, in the middle of a block, after damage.
    for before in [&stored[..], &stored[..4], &[0b111]] {
        let _ = stream.step(before);
        stream.reset();
        assert_eq!(stream.step(&stored).unwrap(), (stored.len(), Stop::End));
        assert_eq!(stream.text(), b"text and text");
        stream.reset();
    }
    assert_eq!(format!("{stream:?}"), "Stream(Block, 0 bytes)");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts(parts in proptest::collection::vec(("[a-d]{0,9}", 1..400_usize), 0..40), level in 0..10_u32) {
        let text: String = parts.iter().map(|(part, times)| part.repeat(*times)).collect();
        check(&deflated(text.as_bytes(), level));
    }

    /// Blocks with fixed codes, of which every string of bits is some; then with codes that are made up.
    #[test]
    fn any_bits(start in prop_oneof![Just(0b011_u8), Just(0b010), 0..8_u8], bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes: Vec<u8> = bytes;
        check(&[&[start | bytes.first().map_or(0, |byte| byte << 3)], bytes.get(1..).unwrap_or_default()].concat());
    }

    #[test]
    fn any_lengths_of_codes(head in 0..(1_u32 << 14), lens in proptest::collection::vec(0..8_u32, 19), rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        // As a rule lengths that make a code: else all is over with the first of them.
        let mut room = 128;
        let lens: Vec<u32> = lens.iter().map(|len| { let takes = 128 >> len; if *len > 0 && takes <= room { room -= takes; *len } else { 0 } }).collect();
        let written = lens.iter().fold(Written::default().bits(0b101, 3).bits(head | 15 << 10, 14), |written, len| written.bits(*len, 3));
        check(&[&written.0[..], &rest].concat());
    }
}
