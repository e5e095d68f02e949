//! Any bytes as a deflate stream (RFC 1951).
//!
//! The first four bytes say how the rest is cut. Properties: text, end and what stands behind it are those of zlib-rs, up to damage as well; where
//! the pieces are cut changes nothing.
#![no_main]

use flate2::{Decompress, FlushDecompress, Status};
use flowproof::decode::deflate::{Stop, Stream};
use libfuzzer_sys::fuzz_target;

/// A stream of 64 KiB may hold 67 MB; after so much nothing new comes.
const TEXT_MAX: usize = 2 << 20;

/// Text, up to [`TEXT_MAX`]; whether the stream came to its end; how many bytes stand behind it.
type Inflated = (Vec<u8>, Option<usize>);

fn ours(stored: &[u8], cuts: &[usize]) -> Inflated {
    let (mut stream, mut out, mut rest) = (Stream::default(), Vec::new(), stored);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() && out.len() < TEXT_MAX {
        let (mut slice, after) = rest.split_at(rest.len().min(*cuts.next().expect("a cut")));
        rest = after;
        loop {
            let step = stream.step(slice);
            out.extend_from_slice(stream.text());
            let Ok((taken, stop)) = step else { return (out, None) };
            slice = &slice[taken..];
            match stop {
                Stop::Full if out.len() < TEXT_MAX => {}
                Stop::Full | Stop::Starved => break,
                Stop::End => {
                    let left_over = std::iter::from_fn(|| stream.left_over()).count();
                    return (out, Some(left_over + slice.len() + rest.len()));
                }
            }
        }
    }
    (out, None)
}

fn by_zlib(stored: &[u8]) -> Inflated {
    let (mut stream, mut out, mut buffer) = (Decompress::new(false), Vec::new(), vec![0; 1 << 16]);
    while out.len() < TEXT_MAX {
        let (taken, made) = (stream.total_in() as usize, stream.total_out());
        let status = stream.decompress(&stored[taken..], &mut buffer, FlushDecompress::None);
        let more = (stream.total_out() - made) as usize;
        out.extend_from_slice(&buffer[..more]);
        match status {
            Ok(Status::StreamEnd) => return (out, Some(stored.len() - stream.total_in() as usize)),
            Ok(_) if more > 0 || stream.total_in() as usize > taken => {}
            _ => return (out, None),
        }
    }
    (out, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((cuts, stored)) = data.split_first_chunk::<4>() else { return };
    let cuts = cuts.map(|cut| 1 + usize::from(cut) * usize::from(cut));
    let wanted = by_zlib(stored);
    for found in [ours(stored, &[usize::MAX]), ours(stored, &cuts)] {
        let compared = wanted.0.len().min(found.0.len()).min(TEXT_MAX);
        assert!(found.0[..compared] == wanted.0[..compared], "the text");
        if wanted.0.len() < TEXT_MAX {
            assert_eq!((found.0.len(), found.1), (wanted.0.len(), wanted.1));
        } else {
            assert!(found.0.len() >= TEXT_MAX);
        }
    }
});
