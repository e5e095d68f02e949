//! Any bytes as a log object in any shape: text, CSV, JSON, gzip, zstd, Parquet, recognised as the program does.
//!
//! The first eight bytes say how the rest is cut and wrapped, and whose records are wanted. Properties: every line is accounted for once; where the pieces are
//! cut, and how the text is compressed, changes nothing; what is not wanted is still counted; lines read a column at a time are as those read
//! one by one.
#![no_main]

mod drive;

use drive::{everything, read};
use flowproof::decode::decompress::Encoding;
use flowproof::decode::{Interfaces, Tally, Validation, Wanted};
use flowproof::flow::RecordKind;
use flowproof::flow::field::id;
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::sync::Arc;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fuzz_target!(init: flowproof::decode::contained::quiet_panics(), |data: &[u8]| {
    let Some((control, stored)) = data.split_first_chunk::<8>() else { return };
    let [wrap, cuts @ ..] = control;
    let pieces: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) * usize::from(*cut) / 4).collect();
    let kind = if wrap & 8 == 0 { RecordKind::Vpc } else { RecordKind::TransitGateway };
    let everything = Wanted { kind, ..everything() };
    let whole = read(stored, &[], &everything);
    whole.agrees(&read(stored, &pieces, &everything));
    if Encoding::sniff(stored) == Encoding::Plain && whole.fault.is_none() && !stored.is_empty() {
        let middle = stored.len() * usize::from(cuts[0]) / 256;
        let wrapped = match wrap & 3 {
            0 => return,
            1 => gzip(stored),
            2 => [gzip(&stored[..middle]), gzip(&stored[middle..])].concat(),
            _ => zstd::encode_all(stored, 1).expect("memory takes all"),
        };
        whole.agrees(&read(&wrapped, &[], &everything));
        whole.agrees(&read(&wrapped, &pieces, &everything));
    }
    if wrap & 4 != 0 {
        let nothing = Wanted { interfaces: Interfaces::Only(Arc::default()), ..everything.clone() };
        let counted = read(stored, &[], &nothing);
        assert_eq!((counted.tally.rows, counted.tally.lines), (0, whole.tally.lines));
        // With every column checked, a record is judged alike whether it is wanted or not.
        assert_eq!((counted.tally.ok, &counted.rejects), (whole.tally.ok, &whole.rejects));
    }
    if wrap & 16 != 0 {
        let lax = Wanted { validation: Validation::ReadColumns, ..everything.clone() };
        let accepted = Wanted { values: vec![(id::ACTION, vec!["ACCEPT".to_owned()])], ..lax.clone() };
        let (all, some) = (read(stored, &[], &lax), read(stored, &pieces, &accepted));
        // What is left out because of its values hides nothing.
        if all.fault.is_none() {
            assert_eq!((some.tally.ok, some.tally.nodata, &some.rejects), (all.tally.ok, all.tally.nodata, &all.rejects));
        }
        assert!(some.tally.rows <= all.tally.rows && some.tally.adds_up());
    }
    if wrap & 32 != 0 && let Some(one_by_one) = with_spaces(stored) {
        let (runs, lines) = (read(stored, &pieces, &everything), read(&one_by_one, &[], &everything));
        let told = |read: &drive::Read| read.rejects.iter().map(|reject| (reject.line, reject.reason)).collect::<Vec<_>>();
        assert_eq!((runs.fault.is_some(), told(&runs)), (lines.fault.is_some(), told(&lines)));
        assert_eq!(runs.rows, lines.rows);
        let counted = |mut tally: Tally| {
            tally.text_bytes = 0;
            tally
        };
        assert_eq!(counted(runs.tally), counted(lines.tally));
    }
});

/// The same lines with a space at their ends, which no plain line has: they are read one by one. `None` where a space would be a part of
/// something.
fn with_spaces(text: &[u8]) -> Option<Vec<u8>> {
    let is_other = |byte: &u8| matches!(byte, b'{' | b'[' | b',' | b'\t' | b'"');
    let fits = Encoding::sniff(text) == Encoding::Plain && !text.iter().any(is_other);
    // One more byte must not make a line too long.
    let fits = fits && text.split(|byte| *byte == b'\n').all(|line| line.len() < 12_000);
    fits.then(|| {
        text.split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| match line.strip_suffix(b"\n") {
                Some(line) => [line, b" \n"].concat(),
                None => line.to_vec(),
            })
            .collect()
    })
}
