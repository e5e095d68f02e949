//! Values as they stand in plain lines: a run of such lines is a table that is read a column at a time.

use super::Interfaces;
use super::columns::{INSTANT_MAX, Status, append_extra, eight_digits, parse_address};
use super::separators::{HEAD, Run, Word, head_of};
use super::table::{MISSING, Seen, Table};
use super::text_column::TextColumn;
use arrow::array::{MapBuilder, StringBuilder};
use std::sync::Arc;

impl Table for Run<'_> {
    type Part<'p>
        = Run<'p>
    where
        Self: 'p;

    fn count(&self) -> usize {
        Run::count(self)
    }

    fn part<'p>(&'p self, records: &[usize], places: &'p mut Vec<u32>) -> Run<'p> {
        self.only(records, places)
    }

    fn statuses(&self, at: usize, into: &mut Vec<Status>) {
        into.extend(self.column(at).map(|word| status_of(&word)));
    }

    fn instants(&self, at: usize, into: &mut Vec<i64>) -> bool {
        instants_of(self.column(at), into)
    }

    fn numbers(&self, at: usize, below: i64, into: &mut Vec<i64>) -> bool {
        numbers_of(self.column(at), below, into)
    }

    fn are_actions(&self, at: usize) -> bool {
        self.column(at).all(|word| is_action(&word))
    }

    fn are_addresses(&self, at: usize, as_in: Option<usize>) -> bool {
        let is_address = |word: Word<'_>| is_ipv4(word.head(), word.length()) || word.is_missing() || is_other_address(word.bytes());
        let Some(known) = as_in else { return self.column(at).all(is_address) };
        let is_same = |word: &Word<'_>, known: &Word<'_>| word.length() < HEAD && word.head() == known.head();
        self.column(at).zip(self.column(known)).all(|(word, known)| is_same(&word, &known) || is_address(word))
    }

    fn leave_interfaces(&self, at: usize, interfaces: &Interfaces, seen: &mut Seen, records: &mut Vec<usize>) {
        leave(self, at, records, |word| seen.is_wanted(interfaces, Some(word.bytes()).filter(|_| !word.is_missing())));
    }

    fn leave_values(&self, at: usize, values: &[String], records: &mut Vec<usize>) {
        let heads: Vec<u128> = values.iter().map(|value| head_of(value.as_bytes())).collect();
        leave(self, at, records, |word| {
            let head = word.head();
            let is = |(of, value): (&u128, &String)| *of == head && (word.length() <= HEAD || value.as_bytes() == word.bytes());
            !word.is_missing() && heads.iter().zip(values).any(is)
        });
    }

    fn append_texts(&self, at: usize, into: &mut TextColumn) -> usize {
        into.extend_words(self.column(at))
    }

    fn append_extra(&self, unknown: &[(usize, Arc<str>)], into: &mut MapBuilder<StringBuilder, StringBuilder>) -> usize {
        self.lines().filter_map(|line| line.plain).map(|plain| append_extra(into, &plain, unknown)).sum()
    }
}

/// Leaves of some lines, which ascend, those with a fitting value.
fn leave(run: &Run<'_>, at: usize, lines: &mut Vec<usize>, mut is_fitting: impl FnMut(&Word<'_>) -> bool) {
    let (mut words, mut next) = (run.column(at), 0);
    lines.retain(|line| {
        let word = words.nth(line - next);
        next = line + 1;
        word.is_some_and(|word| is_fitting(&word))
    });
}

#[inline]
fn status_of(word: &Word<'_>) -> Status {
    const OK: u64 = short(b"OK");
    const NO_DATA: u64 = short(b"NODATA");
    const SKIP_DATA: u64 = short(b"SKIPDATA");
    match word.short() {
        OK => Status::Ok,
        NO_DATA => Status::NoData,
        SKIP_DATA => Status::SkipData,
        _ => Status::Unknown,
    }
}

/// [`Word::short`] of a text of eight bytes or fewer.
const fn short(text: &[u8]) -> u64 {
    assert!(text.len() <= 8);
    let (mut head, mut at) = (0, text.len());
    while at > 0 {
        at -= 1;
        head = head << 8 | text[at] as u64;
    }
    head
}

/// Reads a column of numbers below another; returns whether all are. [`MISSING`] stands for `-`.
#[inline]
fn numbers_of<'a>(words: impl ExactSizeIterator<Item = Word<'a>>, below: i64, into: &mut Vec<i64>) -> bool {
    let mut is_sound = true;
    into.clear();
    into.extend(words.map(|word| {
        let number = number(&word);
        is_sound &= number < below as u64 || number == MISSING as u64;
        number as i64
    }));
    is_sound
}

/// Reads a column of instants in seconds as [`numbers_of`] would: most share their first eight of ten digits with the one before.
#[inline]
fn instants_of<'a>(words: impl ExactSizeIterator<Item = Word<'a>>, into: &mut Vec<i64>) -> bool {
    let (mut eight, mut hundreds, mut is_sound) = (0, 0, true);
    into.clear();
    into.extend(words.map(|word| {
        if let ([.., tens @ b'0'..=b'9', ones @ b'0'..=b'9'], 10) = (word.bytes(), word.length()) {
            let first = word.first_eight();
            if first != eight {
                match eight_digits(first.to_le_bytes()) {
                    Some(digits) => (eight, hundreds) = (first, digits * 100),
                    None => {
                        is_sound = false;
                        return MISSING;
                    }
                }
            }
            let instant = hundreds + i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
            is_sound &= instant < INSTANT_MAX;
            return instant;
        }
        let number = number(&word);
        is_sound &= number < INSTANT_MAX as u64 || number == MISSING as u64;
        number as i64
    }));
    is_sound
}

/// What [`number`] returns for what is none: not below anything.
const NO_NUMBER: u64 = i64::MAX as u64;

/// Reads a number of sixteen digits at most; [`MISSING`] for `-`, [`NO_NUMBER`] for everything else.
#[inline]
fn number(word: &Word<'_>) -> u64 {
    const ZEROS: u64 = short(b"00000000");
    let (len, first) = (word.length(), word.first_eight());
    if len <= 8 {
        // The last digit goes to the top, zeros below the first.
        let shift = (64 - 8 * len as u32) % 64;
        return match eight_digits((first << shift | ZEROS & ((1 << shift) - 1)).to_le_bytes()) {
            Some(number) if len > 0 => number as u64,
            _ if word.is_missing() => MISSING as u64,
            _ => NO_NUMBER,
        };
    }
    if len > HEAD {
        return NO_NUMBER;
    }
    let shift = (128 - 8 * len as u32) % 64;
    let rest = (word.head() >> 64) as u64;
    // As above, and what falls out of the second word belongs to the first.
    let (low, high) = match shift {
        0 => (first, rest),
        _ => (first << shift | ZEROS & ((1 << shift) - 1), rest << shift | first >> (64 - shift)),
    };
    match (eight_digits(low.to_le_bytes()), eight_digits(high.to_le_bytes())) {
        (Some(low), Some(high)) => low as u64 * 100_000_000 + high as u64,
        _ => NO_NUMBER,
    }
}

#[inline]
fn is_action(word: &Word<'_>) -> bool {
    const ACCEPT: u64 = short(b"ACCEPT");
    const REJECT: u64 = short(b"REJECT");
    const NONE: u64 = short(b"-");
    matches!(word.short(), ACCEPT | REJECT | NONE)
}

/// Returns whether bytes are an address of any kind.
#[inline(never)]
pub(super) fn is_other_address(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).ok().and_then(parse_address).is_some()
}

/// Returns whether a value is an IPv4 address of four decimal parts, as [`parse_address`] has it; looks at all its bytes at once, which
/// are given by its [`Word::head`] and their number.
#[inline]
pub(super) fn is_ipv4(head: u128, len: usize) -> bool {
    let len = len as u32;
    if len >= HEAD as u32 {
        return false;
    }
    let (dots, digits) = dots_and_digits(head);
    // The place behind the last byte ends the fourth part.
    let behind = 1u32 << len;
    let mut ends = dots | behind;
    if dots | digits != behind - 1 || ends.count_ones() != 4 {
        return false;
    }
    let (low, high) = (head as u64, (head >> 64) as u64);
    let (mut from, mut is_sound) = (0, true);
    for _ in 0..4 {
        let end = ends.trailing_zeros();
        ends &= ends - 1;
        // Three bytes, of which the first may be one of the last two of the lower half.
        let bytes = if from < 8 { low >> (8 * from) | (high << 8) << (56 - 8 * from) } else { high >> (8 * (from - 8)) };
        is_sound &= is_part(bytes as u32, end - from);
        from = end + 1;
    }
    is_sound
}

/// A bit for each byte that is a dot, and for each that is a digit.
#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "functions for processors with SSE2, on registers alone")]
fn dots_and_digits(head: u128) -> (u32, u32) {
    use std::arch::x86_64::{_mm_and_si128, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    // SAFETY: every processor of this architecture has SSE2, and none of these touches memory.
    unsafe {
        let bytes = _mm_set_epi64x((head >> 64) as i64, head as i64);
        let of = |byte: u8| _mm_set1_epi8(byte as i8);
        let digits = _mm_and_si128(_mm_cmpgt_epi8(bytes, of(b'0' - 1)), _mm_cmpgt_epi8(of(b'9' + 1), bytes));
        (_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, of(b'.'))) as u32, _mm_movemask_epi8(digits) as u32)
    }
}

/// A bit for each byte that is a dot, and for each that is a digit.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn dots_and_digits(head: u128) -> (u32, u32) {
    one_by_one(head)
}

/// The same, a byte at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn one_by_one(head: u128) -> (u32, u32) {
    let bits = |is: fn(&u8) -> bool| head.to_le_bytes().iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(is(byte)));
    (bits(|byte| *byte == b'.'), bits(u8::is_ascii_digit))
}

/// Returns whether the first `len` bytes, which are digits, are a number up to 255 without a leading zero.
#[inline]
fn is_part(bytes: u32, len: u32) -> bool {
    /// By length: the least number as it is written, and how many others there are, some of which are not of digits.
    const RANGES: [(u32, u32); 4] = [(1, 0), (0x30, 9), (0x3130, 0x3939 - 0x3130), (0x31_3030, 0x32_3535 - 0x31_3030)];
    let Some((least, others)) = RANGES.get(len as usize) else { return false };
    // The first digit counts most.
    let written = (bytes.swap_bytes() as u64 >> (32 - 8 * len)) as u32;
    written.wrapping_sub(*least) <= *others
}

#[cfg(test)]
mod tests {
    use super::super::columns::Columns;
    use super::super::headerless::Headerless;
    use super::super::text::TextDecoder;
    use super::super::{Decoded, Fitting, Tally, Validation, Wanted};
    use super::*;
    use crate::flow::field::{FieldId, id};
    use crate::time::TimeRange;
    use arrow::compute::concat_batches;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Does something with a value as it stands in a line, with others around it or at the end of a window.
    fn with_word<T: PartialEq + std::fmt::Debug>(value: &str, of: impl Fn(&Word<'_>) -> T) -> T {
        let mut marks = super::super::separators::Marks::default();
        let mut seen = |line: &str, column| {
            let mut lines = marks.lines(line.as_bytes());
            of(&lines.run(line.split(' ').count()).unwrap().column(column).next().unwrap())
        };
        let last = seen(&format!("1 {value}\n"), 1);
        assert_eq!(seen(&format!("1.1.1.1 {value} 2.2.2.2222222222222222\n"), 1), last, "{value}");
        last
    }

    fn read(text: &str, below: i64) -> Option<i64> {
        with_word(text, |word| {
            let mut numbers = Vec::new();
            numbers_of(std::iter::once(*word), below, &mut numbers).then(|| numbers[0])
        })
    }

    #[test]
    fn numbers_are_those_of_single_lines() {
        let texts =
            ["0", "7", "00000000", "12345678", "123456789", "000000000000001", "1234567890123456", "-", "--", "-1", "+1", "1x", "x", "1.5"];
        for text in texts.into_iter().map(str::to_owned).chain((1..=20).map(|len| "9876543210987654321098"[..len].to_owned())) {
            let wanted = match text.as_str() {
                "-" => Some(MISSING),
                // Longer ones are left to the other way.
                _ => text.parse().ok().filter(|_| text.len() <= HEAD && text.bytes().all(|byte| byte.is_ascii_digit())),
            };
            assert_eq!(read(&text, i64::MAX), wanted, "{text}");
        }
        assert_eq!([65_535, 65_536].map(|below| read("65535", below)), [None, Some(65_535)]);
        for at in 0..16 {
            for byte in (0x21..0x7f).filter(|byte: &u8| !byte.is_ascii_digit()) {
                let mut text = *b"1234567890123456";
                text[at] = byte;
                for from in 0..=at {
                    let text = std::str::from_utf8(&text[from..]).unwrap();
                    assert_eq!(read(text, i64::MAX), Some(MISSING).filter(|_| text == "-"), "{text}");
                }
            }
        }
    }

    #[test]
    fn instants_are_numbers() {
        let texts =
            ["1418530010", "1418530099", "1418530100", "-", "7", "1418530101", "0000000000", "4102444799", "14185301", "1418530102"];
        let lines: String = texts.iter().map(|text| format!("{text} x\n")).collect();
        let (mut marks, mut found, mut wanted) = (super::super::separators::Marks::default(), Vec::new(), Vec::new());
        let run = marks.lines(lines.as_bytes()).run(2).unwrap();
        assert!(instants_of(run.column(0), &mut found) && numbers_of(run.column(0), INSTANT_MAX, &mut wanted));
        assert_eq!(found, wanted);
        for odd in ["4102444800", "14185300x0", "1418530o10", "141853001x", "1418530010123", "now"] {
            let lines = format!("1418530010 x\n{odd} x\n");
            assert!(!instants_of(marks.lines(lines.as_bytes()).run(2).unwrap().column(0), &mut found), "{odd}");
        }
    }

    fn assert_address(text: &str) {
        assert_eq!(with_word(text, |word| is_ipv4(word.head(), word.length())), text.parse::<std::net::Ipv4Addr>().is_ok(), "{text}");
    }

    #[test]
    fn bytes_are_told_apart_as_one_by_one() {
        for byte in 0..=0x7f {
            for at in 0..HEAD {
                let mut bytes = *b"0123456789./:\x00-x";
                bytes[at] = byte;
                let head = u128::from_le_bytes(bytes);
                assert_eq!(dots_and_digits(head), one_by_one(head), "{byte:#04x} at {at}");
            }
        }
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        let parts = [
            "0", "1", "00", "01", "001", "9", "10", "99", "100", "199", "249", "255", "256", "260", "300", "999", "1000", "", "x", "-1",
            ":", "/",
        ];
        for part in parts {
            for at in 0..4 {
                let mut address = ["192", "0", "2", "255"];
                address[at] = part;
                assert_address(&address.join("."));
            }
            for text in [part.to_owned(), format!("1.{part}"), format!("1.2.{part}"), format!("1.2.3.4.{part}"), format!(".1.2.3.{part}")] {
                if !text.is_empty() {
                    assert_address(&text);
                }
            }
        }
        [
            "255.255.255.255",
            "255.255.255.2555",
            "111.111.111.11.",
            "1.2.3.4/32",
            "::1",
            "1,2,3,4",
            "...",
            "1...2",
            "1.2.3.4.",
            "12345678.1.2.3",
        ]
        .into_iter()
        .for_each(assert_address);
    }

    const FIELDS: &[FieldId] =
        &[id::ACCOUNT_ID, id::INTERFACE_ID, id::SRCADDR, id::DSTADDR, id::SRCPORT, id::PROTOCOL, id::BYTES, id::START, id::ACTION];

    /// A value as AWS writes it, or one that is not like most.
    fn value(name: &str, seed: u64) -> String {
        let of = |values: &[&str]| values[seed as usize % values.len()].to_owned();
        // Of twelve, one is odd: some runs have none and some have several.
        match (name, seed.is_multiple_of(97)) {
            ("srcaddr" | "dstaddr", false) => of(&["10.0.0.1", "192.168.100.200", "-", "2a02:cf40::1", "8.8.8.8"]),
            ("srcaddr" | "dstaddr", true) => of(&["10.0.0", "256.1.1.1", "1.2.3.04", "10.0.0.1x", "nowhere"]),
            ("srcport", false) => of(&["443", "65535", "0", "-"]),
            ("srcport", true) => of(&["65536", "x", "4 43"]),
            ("protocol", odd) => of(if odd { &["256", "tcp"] } else { &["6", "17", "-"] }),
            ("bytes", odd) => of(if odd { &["12345678901234567", "1e5", "-5"] } else { &["4249", "0", "1234567890", "-"] }),
            ("start", odd) => of(if odd { &["1418530010123", "9999999999", "now"] } else { &["1418530010", "1418530070", "-"] }),
            ("end", odd) => of(if odd { &["1418530010", "1518530010"] } else { &["1418530100", "1418530071"] }),
            ("action", odd) => of(if odd { &["accept", "ACCEPTED"] } else { &["ACCEPT", "REJECT", "-"] }),
            ("log-status", odd) => of(if odd { &["OK?", "{OK}"] } else { &["OK", "OK", "NODATA", "SKIPDATA"] }),
            ("interface-id", _) => of(&["eni-1235b8ca123456789", "eni-0000000000000000a", "eni-1", "-", "eni-0000000000000000b"]),
            ("account-id", _) => of(&["123456789010", "1234567890100000000", "x", "-"]),
            (_, _) => of(&["beyond", "the-known-and-very-much-so", "-"]),
        }
    }

    const NAMES: &[&str] = &[
        "version",
        "account-id",
        "interface-id",
        "srcaddr",
        "dstaddr",
        "srcport",
        "protocol",
        "bytes",
        "start",
        "end",
        "action",
        "log-status",
        "new-field",
    ];

    fn lines(seeds: &[u64]) -> Vec<Vec<String>> {
        let of = |seed: &u64| {
            let next = |at: usize| {
                seed.wrapping_mul(6_364_136_223_846_793_005).rotate_left(at as u32 * 5 + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
            };
            NAMES.iter().enumerate().map(|(at, name)| value(name, next(at))).collect()
        };
        std::iter::once(NAMES.iter().map(|name| (*name).to_owned()).collect()).chain(seeds.iter().map(of)).collect()
    }

    type Decodes = (arrow::array::RecordBatch, Vec<(u64, super::super::reject::Reason, String)>, Tally);

    fn decoded(wanted: &Wanted, lines: &[Vec<String>], separator: &str) -> Decodes {
        let mut text = TextDecoder::new(Arc::new(wanted.clone()), Headerless::default());
        lines.iter().for_each(|line| text.block(format!("{}\n", line.join(separator)).as_bytes()));
        collected(text, wanted)
    }

    fn collected(mut text: TextDecoder, wanted: &Wanted) -> Decodes {
        text.end();
        let parts: Vec<Decoded> = std::iter::from_fn(|| text.take().unwrap()).collect();
        let batch = concat_batches(&super::super::schema(wanted), parts.iter().map(|part| &part.batch)).unwrap();
        let rejects = parts.iter().flat_map(|part| &part.rejects).map(|reject| (reject.line, reject.reason, reject.detail.clone()));
        (batch, rejects.collect(), Tally { text_bytes: 0, ..text.tally().clone() })
    }

    /// Everything that is asked of decoding here.
    fn all_asked() -> Vec<Wanted> {
        let some = || Arc::new(["eni-0000000000000000a".to_owned(), "eni-1".to_owned()].into_iter().collect());
        let all = Wanted { fields: FIELDS.to_vec(), extra: true, ..Wanted::default() };
        let any_of = || {
            let accepted = vec![(id::ACTION, vec!["ACCEPT".to_owned()])];
            vec![
                Fitting { interfaces: Interfaces::Only(some()), values: accepted.clone() },
                Fitting {
                    values: [accepted, vec![(id::SRCADDR, vec!["192.168.100.200".to_owned(), "-".to_owned()])]].concat(),
                    ..Fitting::default()
                },
            ]
        };
        vec![
            Wanted { fields: vec![id::BYTES], ..Wanted::default() },
            Wanted { validation: Validation::Full, interfaces: Interfaces::Only(some()), ..all.clone() },
            Wanted { interfaces: Interfaces::AllBut(some()), values: vec![(id::ACTION, vec!["ACCEPT".into()])], ..all.clone() },
            Wanted { values: vec![(id::ACCOUNT_ID, vec!["1234567890100000000".into(), "x".into()])], ..all.clone() },
            Wanted { time: TimeRange { from: Some(1_418_530_011), to: None }, ..all.clone() },
            Wanted { any_of: any_of(), ..all.clone() },
            Wanted { interfaces: Interfaces::AllBut(some()), any_of: any_of(), ..all.clone() },
            all,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        /// Two spaces between values are as good as one, but no plain line has them: such lines go the other way, one by one.
        #[test]
        fn runs_are_as_their_lines(seeds in proptest::collection::vec(any::<u64>(), 1..300)) {
            let lines = lines(&seeds);
            let whole: String = lines.iter().map(|line| line.join(" ") + "\n").collect();
            for wanted in all_asked() {
                let one_by_one = decoded(&wanted, &lines, "  ");
                let mut text = TextDecoder::new(Arc::new(wanted.clone()), Headerless::default());
                text.block(whole.as_bytes());
                prop_assert_eq!(&collected(text, &wanted), &one_by_one);
                prop_assert!(one_by_one.2.adds_up());
            }
        }
    }

    #[test]
    fn most_runs_have_no_odd_value_and_some_have() {
        // The property above says something only if both ways are gone.
        let mut taken = [0, 0];
        for first in 0..40u64 {
            let (text, mut marks) = (lines(&[first * 3, first * 3 + 1, first * 3 + 2]), super::super::separators::Marks::default());
            let rows: String = text[1..].iter().map(|line| line.join(" ") + "\n").collect();
            let mut columns = Columns::new(Arc::new(all_asked().pop().unwrap()), &crate::flow::Layout::of_any_names(NAMES));
            if let Some(run) = marks.lines(rows.as_bytes()).run(NAMES.len()) {
                taken[usize::from(columns.push_table(&run, |line| 1 + line as u64, &mut Tally::default()))] += 1;
            }
        }
        assert!(taken[0] > 3 && taken[1] > 10, "{taken:?}");
    }
}
