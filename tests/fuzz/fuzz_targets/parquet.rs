//! Any bytes as a Parquet file: AWS's own, re-written ones, Security Lake's OCSF, transit gateways'.
//!
//! The input is a file, or (where it does not begin with the magic) one whose magic and footer length are put right, so that
//! mutations are not lost on twelve bytes. Properties: rows and rejects are accounted for once; reading again, only some
//! columns, and in a window around all time (which takes two passes), gives the same.
#![no_main]

mod drive;

use drive::{everything, read};
use flowproof::decode::{Validation, Wanted};
use flowproof::flow::field::FieldId;
use flowproof::time::TimeRange;
use libfuzzer_sys::fuzz_target;

fn repaired(data: &[u8]) -> Vec<u8> {
    let Some((length, body)) = data.split_first_chunk::<2>() else { return Vec::new() };
    let length = u32::from(u16::from_le_bytes(*length)).min(body.len() as u32);
    [b"PAR1", body, &length.to_le_bytes(), b"PAR1"].concat()
}

fuzz_target!(init: flowproof::decode::contained::quiet_panics(), |data: &[u8]| {
    let file = if data.starts_with(b"PAR1") { data.to_vec() } else { repaired(data) };
    if !file.starts_with(b"PAR1") {
        return;
    }
    let whole = read(&file, &[], &everything());
    whole.agrees(&read(&file, &[], &everything()));
    let columns = Wanted { validation: Validation::ReadColumns, ..everything() };
    let in_window = Wanted { time: TimeRange { from: Some(i64::MIN), to: None }, ..columns.clone() };
    read(&file, &[], &columns).agrees(&read(&file, &[], &in_window));
    let some = Wanted { fields: vec![FieldId(3), FieldId(9)], extra: false, validation: Validation::ReadColumns, ..Wanted::default() };
    let part = read(&file, &[], &some);
    // Fewer columns are read, so less damage is met; never fewer rows.
    assert!(part.fault.is_none() || whole.fault.is_some(), "{:?}", part.fault);
    assert!(part.tally.lines >= whole.tally.lines, "{:?} {:?}", part.tally, whole.tally);
});
