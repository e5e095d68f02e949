//! What a run leaves unread of a Parquet file changes no answer: rows, rejects and every count are those of the same records as text,
//! which is read to its end by code that shares nothing with it but the checks of a record.

use crate::generator::rng::Rng;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use flowproof::decode::headerless::Headerless;
use flowproof::decode::object::{ObjectDecoder, Step};
use flowproof::decode::parquet::ParquetDecoder;
use flowproof::decode::reject::Reason;
use flowproof::decode::{Decoded, Interfaces, Tally, Validation, Wanted};
use flowproof::flow::field::id;
use flowproof::time::TimeRange;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;

const NOON: i64 = 1_790_856_000;

/// One record as a writer has it; `None` is missing.
#[derive(Clone)]
struct Record {
    interface: Option<u8>,
    source: &'static str,
    bytes: i64,
    start: Option<i64>,
    end: Option<i64>,
    status: &'static str,
}

impl Record {
    fn at(start: i64) -> Record {
        Record { interface: Some(1), source: "10.0.0.1", bytes: start % 1_000, start: Some(start), end: Some(start + 60), status: "OK" }
    }
}

fn interface(number: u8) -> String {
    format!("eni-{number:017}")
}

fn as_text(records: &[Record]) -> Vec<u8> {
    let number = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    let line = |record: &Record| {
        let Record { source, bytes, status, .. } = record;
        let interface = record.interface.map_or("-".to_owned(), interface);
        format!("{interface} {source} {bytes} {} {} {status}\n", number(record.start), number(record.end))
    };
    let lines: String = records.iter().map(line).collect();
    format!("interface-id srcaddr bytes start end log-status\n{lines}").into_bytes()
}

/// How a file is written.
#[derive(Debug, Clone)]
struct Written {
    group_rows: usize,
    page_rows: usize,
    statistics: EnabledStatistics,
    dictionaries: bool,
    version: WriterVersion,
    /// Start and end as numbers of four or eight bytes, as text, as timestamps, or in milliseconds.
    times: u8,
}

const TIMES: u8 = 5;

impl Default for Written {
    fn default() -> Written {
        let (statistics, version) = (EnabledStatistics::Page, WriterVersion::PARQUET_1_0);
        Written { group_rows: 1_000, page_rows: 100, statistics, dictionaries: true, version, times: 1 }
    }
}

fn as_parquet(records: &[Record], written: &Written) -> Bytes {
    let times = |of: fn(&Record) -> Option<i64>| -> ArrayRef {
        let seconds = records.iter().map(of);
        match written.times {
            0 => Arc::new(seconds.map(|time| time.map(|time| time as i32)).collect::<Int32Array>()),
            1 => Arc::new(seconds.collect::<Int64Array>()),
            2 => Arc::new(seconds.map(|time| time.map(|time| time.to_string())).collect::<StringArray>()),
            3 => Arc::new(seconds.map(|time| time.map(|time| time * 1_000)).collect::<TimestampMillisecondArray>()),
            _ => Arc::new(seconds.map(|time| time.map(|time| time * 1_000)).collect::<Int64Array>()),
        }
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("interface_id", Arc::new(records.iter().map(|record| record.interface.map(interface)).collect::<StringArray>())),
        ("srcaddr", Arc::new(records.iter().map(|record| Some(record.source)).collect::<StringArray>())),
        ("bytes", Arc::new(records.iter().map(|record| Some(record.bytes)).collect::<Int64Array>())),
        ("start", times(|record| record.start)),
        ("end", times(|record| record.end)),
        ("log_status", Arc::new(records.iter().map(|record| Some(record.status)).collect::<StringArray>())),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(written.group_rows))
        .set_data_page_row_count_limit(written.page_rows)
        .set_write_batch_size(written.page_rows.min(64))
        .set_statistics_enabled(written.statistics)
        .set_dictionary_enabled(written.dictionaries)
        .set_writer_version(written.version)
        .build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

/// What decoding came to; the header of the text is left out of lines and counts.
#[derive(Debug, PartialEq, Default)]
struct Read {
    rows: Vec<(i64, String, Option<i64>)>,
    rejects: Vec<(u64, Reason)>,
    tally: Tally,
    seen: Vec<(u64, Option<i64>, Option<i64>)>,
    fault: Option<String>,
}

impl Read {
    fn take(&mut self, decoded: &Decoded, headers: u64) {
        let batch = &decoded.batch;
        let sources = batch.column_by_name("srcaddr").unwrap().as_string_view();
        let bytes = batch.column_by_name("bytes").unwrap().as_primitive::<Int64Type>();
        let lines = batch.column_by_name("log_line").unwrap().as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let bytes = bytes.is_valid(row).then(|| bytes.value(row));
            self.rows.push((lines.value(row) - headers as i64, sources.value(row).to_owned(), bytes));
        }
        self.rejects.extend(decoded.rejects.iter().map(|reject| (reject.line - headers, reject.reason)));
    }

    fn end(mut self, tally: &Tally, fault: Option<String>, headers: u64) -> Read {
        assert!(tally.adds_up(), "{tally:?}");
        self.seen = tally.layouts.iter().map(|seen| (seen.records, seen.start_min, seen.end_max)).collect();
        let first_reject = tally.first_reject.map(|(line, reason)| (line - headers, reason));
        self.tally = tally.clone();
        // Text is counted in bytes, and how records stand in it has another name.
        (self.tally.headers, self.tally.text_bytes, self.tally.first_reject) = (0, 0, first_reject);
        self.tally.lines -= headers;
        self.tally.layouts.clear();
        self.fault = fault;
        self
    }
}

fn read_text(records: &[Record], wanted: &Wanted) -> Read {
    let mut decoder = ObjectDecoder::new(Arc::new(wanted.clone()), Headerless::default());
    let mut read = Read::default();
    loop {
        match decoder.step().unwrap() {
            Step::Decoded(decoded) => read.take(&decoded, 1),
            Step::Hungry => decoder.push(as_text(records).into(), true),
            Step::Needs(_) => unreachable!("text asks for no ranges"),
            Step::Done(fault) => return read.end(decoder.tally(), fault, 1),
        }
    }
}

/// Reads a file, and says which bytes were asked for.
fn read_parquet(file: &Bytes, wanted: &Wanted, by_pages: bool) -> (Read, Vec<Range<u64>>) {
    let decoder = ParquetDecoder::new(Arc::new(wanted.clone()), file.len() as u64);
    let mut decoder = if by_pages { decoder.by_pages() } else { decoder };
    let (mut read, mut asked) = (Read::default(), Vec::new());
    loop {
        match decoder.step().unwrap() {
            Step::Decoded(decoded) => read.take(&decoded, 0),
            Step::Needs(ranges) => {
                asked.extend_from_slice(&ranges);
                let data = ranges.iter().map(|range| file.slice(range.start as usize..range.end as usize)).collect();
                decoder.push(ranges, data);
            }
            Step::Hungry => unreachable!("it asks for ranges"),
            Step::Done(fault) => return (read.end(decoder.tally(), fault, 0), asked),
        }
    }
}

fn wanted(interfaces: Interfaces, time: TimeRange) -> Wanted {
    Wanted { fields: vec![id::SRCADDR, id::BYTES], interfaces, time, ..Wanted::default() }
}

fn only(numbers: &[u8]) -> Interfaces {
    Interfaces::Only(Arc::new(numbers.iter().map(|number| interface(*number)).collect()))
}

fn bytes_of(asked: &[Range<u64>]) -> u64 {
    asked.iter().map(|range| range.end - range.start).sum()
}

fn odd_records(rng: &mut Rng, rows: u64, is_sorted: bool) -> Vec<Record> {
    let (oddity, step) = ([0, 0, 10, 200][rng.below(4) as usize], 1 + rng.below(30) as i64);
    let odd = |rng: &mut Rng| oddity > 0 && rng.below(oddity) == 0;
    let mut at = NOON;
    let mut run = (0, 0);
    let mut record = |rng: &mut Rng| {
        at = if is_sorted { at + rng.below(step as u64 + 1) as i64 } else { NOON + rng.below(7_200) as i64 };
        // Interfaces stand together for a while, as in a file of one subnet.
        if run.1 == 0 {
            run = (rng.below(5) as u8, 1 + rng.below(400));
        }
        run.1 -= 1;
        let mut record = Record { interface: Some(run.0), ..Record::at(at) };
        if odd(rng) {
            record.status = ["NODATA", "SKIPDATA", "NOPE", "NOPE"][rng.below(4) as usize];
        }
        if odd(rng) {
            record.start = [None, Some(0), Some(-5)][rng.below(3) as usize];
        }
        if odd(rng) {
            record.end = [None, Some(at - 7), Some(at + 86_400), Some(at + 90_000), Some(-1)][rng.below(5) as usize];
        }
        if odd(rng) {
            record.source = "nowhere";
        }
        if odd(rng) {
            record.bytes = -record.bytes - 1;
        }
        if odd(rng) {
            record.interface = None;
        }
        record
    };
    (0..rows).map(|_| record(rng)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any records in any file, for any window and interfaces.
    #[test]
    fn what_is_left_unread_changes_no_row_and_no_count(seed in any::<u64>()) {
        let mut rng = Rng::new(seed, 0);
        let (rows, is_sorted) = (rng.below(3_000), rng.below(2) == 0);
        let records = odd_records(&mut rng, rows, is_sorted);
        let pick = |rng: &mut Rng, limits: &[usize]| limits[rng.below(limits.len() as u64) as usize];
        let written = Written {
            group_rows: pick(&mut rng, &[50, 500, 2_000, 100_000]),
            page_rows: pick(&mut rng, &[10, 100, 20_000]),
            statistics: [EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page][rng.below(3) as usize],
            dictionaries: rng.below(2) == 0,
            version: [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0][rng.below(2) as usize],
            times: rng.below(TIMES.into()) as u8,
        };
        let instant = |rng: &mut Rng| (rng.below(3) > 0).then(|| NOON + rng.below(9_000) as i64 - 900);
        let time = TimeRange { from: instant(&mut rng), to: instant(&mut rng) };
        let interfaces = match rng.below(4) {
            0 => Interfaces::All,
            1 => only(&[rng.below(5) as u8]),
            2 => only(&[]),
            _ => Interfaces::AllBut(Arc::new([interface(rng.below(5) as u8)].into_iter().collect())),
        };
        let mut wanted = wanted(interfaces, time);
        if rng.below(5) == 0 {
            wanted.validation = Validation::Full;
        }
        let (file, expected) = (as_parquet(&records, &written), read_text(&records, &wanted));
        for by_pages in [false, true] {
            let (read, _) = read_parquet(&file, &wanted, by_pages);
            prop_assert_eq!(&read, &expected, "seed {}, {:?}, {:?}, by pages: {}", seed, &written, &wanted, by_pages);
        }
    }
}

#[test]
fn groups_outside_the_window_are_not_fetched() {
    let records: Vec<Record> = (0..10_000).map(|second| Record::at(NOON + second)).collect();
    let file = as_parquet(&records, &Written::default());
    let hour = |from: i64, to: i64| wanted(Interfaces::All, TimeRange { from: Some(NOON + from), to: Some(NOON + to) });
    let (all, asked_all) = read_parquet(&file, &wanted(Interfaces::All, TimeRange::default()), true);
    assert_eq!((all.rows.len(), all.tally.outside_window), (10_000, 0));
    let (third, asked) = read_parquet(&file, &hour(2_000, 3_000), true);
    assert_eq!((third.rows.len(), third.rows[0].0, third.tally.outside_window), (1_000, 2_001, 9_000));
    assert_eq!((third.tally.lines, third.seen), (10_000, vec![(1_000, Some(NOON + 2_000), Some(NOON + 3_059))]));
    assert!(bytes_of(&asked) * 2 < bytes_of(&asked_all), "{} of {}", bytes_of(&asked), bytes_of(&asked_all));
    let (none, asked) = read_parquet(&file, &hour(-100, 0), false);
    assert_eq!((none.rows.len(), none.tally.outside_window), (0, 10_000));
    // The footer alone.
    assert_eq!(asked.len(), 2);

    // One status that is none: its group gives up its status, and of the rest what tells of the reject.
    let mut records = records;
    records[4_321].status = "NOPE";
    let file = as_parquet(&records, &Written::default());
    let (one, asked) = read_parquet(&file, &hour(-100, 0), true);
    assert_eq!((&*one.rejects, one.tally.outside_window), (&[(4_322, Reason::BadStatus)][..], 9_999));
    assert!(bytes_of(&asked) * 2 < bytes_of(&asked_all), "{} of {}", bytes_of(&asked), bytes_of(&asked_all));
}

#[test]
fn pages_of_other_interfaces_are_not_fetched() {
    let of = |at: i64| Record { interface: Some((at / 2_500) as u8), ..Record::at(NOON + at) };
    let records: Vec<Record> = (0..10_000).map(of).collect();
    let written = Written { group_rows: 10_000, dictionaries: false, ..Written::default() };
    let file = as_parquet(&records, &written);
    let wanted = wanted(only(&[2]), TimeRange::default());
    let ((by_chunks, asked_chunks), (by_pages, asked_pages)) = (read_parquet(&file, &wanted, false), read_parquet(&file, &wanted, true));
    assert_eq!(by_chunks, by_pages);
    assert_eq!((by_pages.rows.len(), by_pages.rows[0].0, by_pages.tally.ok, by_pages.tally.dropped), (2_500, 5_001, 10_000, 7_500));
    // Of `srcaddr` and `bytes` a quarter, a page at a time: 25 of the 100 pages of each.
    let pages = asked_pages.iter().filter(|range| asked_chunks.iter().any(|all| all.start <= range.start && range.end < all.end)).count();
    assert!((50..=60).contains(&pages), "{asked_pages:?} {asked_chunks:?}");
    assert!(bytes_of(&asked_pages) < bytes_of(&asked_chunks));
    // Where nothing is wanted, nothing but what is counted by is read.
    let (none, asked) = read_parquet(&file, &self::wanted(only(&[9]), TimeRange::default()), true);
    assert_eq!((none.rows.len(), none.tally.ok, none.tally.dropped), (0, 10_000, 10_000));
    assert!(bytes_of(&asked) < bytes_of(&asked_pages));
    // What is checked whole is read whole.
    let full = Wanted { validation: Validation::Full, ..wanted };
    assert!(bytes_of(&read_parquet(&file, &full, true).1) >= bytes_of(&asked_chunks));
}

#[test]
fn a_row_that_nobody_wants_is_not_judged_by_what_else_it_holds() {
    let long: &'static str = Box::leak("x".repeat(20_000).into_boxed_str());
    let mut records: Vec<Record> = (0..20).map(|second| Record::at(NOON + second)).collect();
    records[3].source = long;
    records[17].source = long;
    // In one pass, in two, and by pages: the one in the window is a reject.
    for (group_rows, statistics) in [(5, EnabledStatistics::Page), (20, EnabledStatistics::None)] {
        let file = as_parquet(&records, &Written { group_rows, statistics, ..Written::default() });
        for (from, rejects) in [(10, vec![18]), (18, vec![]), (0, vec![4, 18])] {
            let wanted = wanted(Interfaces::All, TimeRange { from: Some(NOON + from), to: None });
            for by_pages in [false, true] {
                let (read, _) = read_parquet(&file, &wanted, by_pages);
                assert_eq!(read.rejects.iter().map(|(line, _)| *line).collect::<Vec<_>>(), rejects);
                assert_eq!(read.tally.outside_window, from as u64);
            }
        }
    }
}

#[test]
fn a_page_index_that_lies_is_not_believed() {
    let records: Vec<Record> = (0..400).map(|at| Record { interface: Some((at / 100) as u8), ..Record::at(NOON + at) }).collect();
    let sound = as_parquet(&records, &Written { group_rows: 400, page_rows: 20, dictionaries: false, ..Written::default() });
    let wanted = wanted(only(&[2]), TimeRange::default());
    let (expected, asked) = read_parquet(&sound, &wanted, true);
    assert_eq!(expected.rows.len(), 100);
    // The page index is what is asked for after the footer.
    let index = asked[2].clone();
    assert!(index.end < sound.len() as u64 && index.end - index.start < 16_000, "{index:?}");
    for (at, flip) in (index.start as usize..index.end as usize).step_by(3).zip([0x01, 0x10, 0x80, 0x06].into_iter().cycle()) {
        let mut bytes = sound.to_vec();
        bytes[at] ^= flip;
        let (read, _) = read_parquet(&bytes.into(), &wanted, true);
        // Either it is noticed, or it made no difference.
        if read.fault.is_none() {
            assert_eq!(read, expected, "byte {at} ^ {flip}");
        }
    }
}
