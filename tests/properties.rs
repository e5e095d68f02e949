//! What must not matter does not: how records are stored, cut, ordered, named and computed changes no answer; and nothing is lost.
//!
//! One generated estate is held in memory and handed to the engine in other dress each time. The seed of a failing dress stands in
//! the message; every dress is made from its seed alone.

use crate::cases;
use crate::generator::rng::Rng;
use crate::generator::{Config, Container, generate};
use crate::runs::{self, Run, Setting};
use async_trait::async_trait;
use bytes::Bytes;
use flowproof::decode::decompress::WHOLE_STORED_MAX;
use flowproof::decode::headerless::Headerless;
use flowproof::decode::object::{ObjectDecoder, Step};
use flowproof::decode::records::LINE_LEN_MAX;
use flowproof::decode::reject::Reject;
use flowproof::decode::text::TextDecoder;
use flowproof::decode::{Decoded, Tally, Validation, Wanted, schema};
use flowproof::enrich::{FlowColumn, fields_read};
use flowproof::flow::field::FieldId;
use flowproof::inventory::Inventory;
use flowproof::pipeline::Input;
use flowproof::source::key::Recognised;
use flowproof::source::{Bytestream, ListCounts, Listing, LogKey, Object, Prune, Source};
use futures::StreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A generated estate in memory: two hours, so that hours have edges, and objects of several flow logs.
struct Estate {
    inventory: Arc<Inventory>,
    /// Key and text of every object.
    texts: Vec<(String, String)>,
}

static ESTATE: LazyLock<Estate> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { seed: 11, records: 9_000, minutes: 120, files: 24, container: Container::PlainText, ..Config::default() };
    let truth = generate(&config, dir.path());
    let text = |key: &str| std::fs::read_to_string(dir.path().join("logs").join(key)).unwrap();
    let texts = truth.objects.iter().map(|object| (object.key.clone(), text(&object.key))).collect();
    Estate { inventory: runs::read_inventory(&dir.path().join("inventory")), texts }
});

/// One object as it is put before the engine.
#[derive(Clone)]
struct Put {
    uri: String,
    /// The key that says which flow log it is of.
    key: String,
    /// Stored bytes that the listing claims; above [`WHOLE_STORED_MAX`] the object is streamed.
    size: u64,
    stored: Vec<u8>,
}

/// Objects in memory, whose bytes come late and in pieces.
#[derive(Debug)]
struct Shelf {
    objects: HashMap<String, Bytes>,
    seed: u64,
}

#[async_trait]
impl Source for Shelf {
    fn uri(&self) -> &str {
        "shelf"
    }

    fn list(&self, _: &Prune) -> Listing {
        unreachable!("the inputs are given")
    }

    async fn read(&self, object: &Object) -> flowproof::error::Result<Bytestream> {
        let stored = self.objects[&*object.uri].clone();
        let mut rng = Rng::new(self.seed, object.uri.bytes().fold(0, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)));
        // Objects end in another order than they begin.
        tokio::time::sleep(Duration::from_millis(rng.below(8))).await;
        let pieces: Vec<Bytes> = cut(&mut rng, stored.len(), 6).into_iter().map(|range| stored.slice(range)).collect();
        Ok(futures::stream::iter(pieces.into_iter().map(Ok)).boxed())
    }

    async fn read_range(&self, object: &Object, range: Range<u64>) -> flowproof::error::Result<Bytes> {
        Ok(self.objects[&*object.uri].slice(range.start as usize..range.end as usize))
    }
}

/// Cuts `0..len` into up to `pieces_max` ranges, empty ones too.
fn cut(rng: &mut Rng, len: usize, pieces_max: u64) -> Vec<Range<usize>> {
    let mut edges: Vec<usize> = (1..rng.between(1, pieces_max)).map(|_| rng.below(len as u64 + 1) as usize).collect();
    edges.extend([0, len]);
    edges.sort_unstable();
    edges.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

fn put_before(puts: Vec<Put>, seed: u64, setting: Setting) -> Run {
    let key = |put: &Put| match LogKey::parse(&put.key) {
        Recognised::Log(key) => key,
        other => panic!("{} is {other:?}", put.key),
    };
    let objects = puts.iter().map(|put| Object { uri: put.uri.as_str().into(), key: key(put), size: put.size, etag: None, modified: None });
    let mut objects: Vec<Object> = objects.collect();
    objects.sort_by(|a, b| a.uri.cmp(&b.uri));
    let source: Arc<dyn Source> = Arc::new(Shelf { objects: puts.into_iter().map(|put| (put.uri, put.stored.into())).collect(), seed });
    let inputs = objects.into_iter().map(|object| Input { source: Arc::clone(&source), object }).collect();
    runs::open_inputs(inputs, ListCounts::default(), &ESTATE.inventory, setting)
}

/// The estate as it was generated.
fn plain() -> Vec<Put> {
    let put = |(key, text): &(String, String)| Put {
        uri: key.clone(),
        key: key.clone(),
        size: text.len() as u64,
        stored: text.clone().into_bytes(),
    };
    ESTATE.texts.iter().map(put).collect()
}

/// Statements whose rows come in one order only.
const STATEMENTS: [&str; 6] = [
    "SELECT interface_id, interface_kind, count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes, \
     min(start) AS first, max(\"end\") AS last FROM flows GROUP BY interface_id, interface_kind ORDER BY 1",
    "SELECT log_object, log_line, flow_log_id, direction, local_addr, local_port, peer_addr, peer_port, initiator, \
     initiator_rule, cluster, peer_kind, peer_name, peer_az_id, tcp_flags, bytes, start_time, log_status \
     FROM flows WHERE interface_kind = 'eks-control-plane' ORDER BY log_object, log_line",
    "SELECT * FROM connections ORDER BY interface_id, protocol, local_addr, local_port, peer_addr, peer_port, start_time",
    "SELECT * FROM coverage ORDER BY interface_id, hour",
    "SELECT log_object, flow_log_id, status, lines, headers, blanks, records_ok, records_nodata, records_skipdata, \
     records_rejected, first_start, last_end, fields FROM objects ORDER BY log_object",
    "SELECT srcaddr, dstport, count(*) AS records FROM flows GROUP BY srcaddr, dstport \
     ORDER BY records DESC NULLS LAST, srcaddr, dstport LIMIT 50",
];

/// The report and the statements, byte for byte.
fn answers(run: &Run) -> Vec<String> {
    let rows = |sql: &str| run.sql(sql).iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    [run.report_text()].into_iter().chain(STATEMENTS.map(rows)).collect()
}

/// The answers to the estate as it was generated.
static ANSWERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let answers = answers(&put_before(plain(), 0, Setting::default()));
    // Answers that say something: no statement is empty.
    assert!(answers.iter().all(|answer| answer.len() > 500), "{answers:?}");
    answers
});

fn assert_same(what: &str, got: &[String]) {
    for (got, wanted) in got.iter().zip(ANSWERS.iter()) {
        if got != wanted {
            let line = got.lines().zip(wanted.lines()).find(|(got, wanted)| got != wanted);
            panic!("{what}: {} bytes instead of {}; first difference: {line:#?}", got.len(), wanted.len());
        }
    }
    assert_eq!(got.len(), ANSWERS.len());
}

#[test]
fn threads_change_no_byte() {
    for threads in [1, 2, 8] {
        let run = put_before(plain(), threads as u64, Setting { threads, ..Setting::default() });
        assert_same(&format!("{threads} threads"), &answers(&run));
    }
}

#[test]
fn spilling_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    generate(&Config { seed: 12, records: 150_000, ..Config::default() }, dir.path());
    let roomy = runs::open(dir.path(), Setting::default());
    let tight = runs::open(dir.path(), Setting { memory_limit: 5 << 20, ..Setting::default() });
    for (run, spills) in [(&roomy, false), (&tight, true)] {
        run.report_text();
        assert_eq!(run.has_spilled(), spills);
    }
    assert_eq!(tight.report_text(), roomy.report_text());
    for sql in [STATEMENTS[0], STATEMENTS[2], STATEMENTS[3]] {
        assert_eq!(tight.sql(sql), roomy.sql(sql), "{sql}");
    }
}

/// Puts the columns of a text in another order.
fn reorder(rng: &mut Rng, text: &str) -> String {
    let mut order: Vec<usize> = (0..text.lines().next().unwrap().split(' ').count()).collect();
    rng.shuffle(&mut order);
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        order.iter().map(|at| fields[*at]).collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Stores a text plain, as gzip members or as zstd frames, cut anywhere.
fn store(rng: &mut Rng, text: &[u8]) -> Vec<u8> {
    let way = rng.below(4);
    let ranges = cut(rng, text.len(), 5);
    match way {
        0 => text.to_owned(),
        1 => gzip(text),
        2 => ranges.into_iter().flat_map(|range| gzip(&text[range])).collect(),
        _ => ranges.into_iter().flat_map(|range| zstd::encode_all(&text[range], 1).unwrap()).collect(),
    }
}

/// The same answers, but for the layouts that they were found in.
fn assert_same_but_layouts(got: &[String]) {
    let records =
        |report: &Value| -> u64 { report["layouts"].as_array().unwrap().iter().map(|layout| layout["records"].as_u64().unwrap()).sum() };
    let [mut report, mut wanted] = [&got[0], &ANSWERS[0]].map(|text| serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(records(&report), records(&wanted));
    for report in [&mut report, &mut wanted] {
        report.as_object_mut().unwrap().remove("layouts");
        report["notes"].as_array_mut().unwrap().retain(|note| !note.as_str().unwrap().contains(" layouts; "));
    }
    assert_eq!(report, wanted);
    assert_eq!(&got[1..], &ANSWERS[1..]);
}

/// Writes the lines of a text in another shape; the header keeps its number, and so does every record.
fn reshape(rng: &mut Rng, text: &str) -> String {
    let lines = || text.lines();
    let joined =
        |by: &str, of: &dyn Fn(&str) -> String| lines().map(|line| line.split(' ').map(of).collect::<Vec<_>>().join(by) + "\n").collect();
    let event = |line: &str| serde_json::json!({ "id": "1", "timestamp": 1_791_240_000_000u64, "message": line });
    match rng.below(9) {
        7 => serde_json::json!({ "message": text }).to_string(),
        0 => joined(",", &|value| {
            if value.starts_with(|c: char| c.is_ascii_lowercase()) && FieldId::by_name(value).is_some() {
                value.replace('-', "_")
            } else {
                value.to_owned()
            }
        }),
        1 => joined(",", &|value| format!("\"{value}\"")),
        2 => joined("\t", &|value| if value == "-" { String::new() } else { value.to_owned() }),
        3 => lines()
            .enumerate()
            .map(|(at, line)| if at == 0 { format!("{line}\n") } else { format!("2026-10-05T08:00:00.000Z {line}\n") })
            .collect(),
        4 => lines()
            .map(|line| serde_json::json!({ "message": format!("{line}\n") }).to_string() + if rng.below(2) == 0 { "\n" } else { "" })
            .collect(),
        5 => {
            let events: Vec<Value> = lines().map(event).collect();
            let document = |events: &[Value]| {
                serde_json::json!({ "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": events })
                    .to_string()
            };
            cut(rng, events.len(), 5).into_iter().filter(|range| !range.is_empty()).map(|range| document(&events[range])).collect()
        }
        6 => serde_json::to_string_pretty(&serde_json::json!({ "events": lines().map(event).collect::<Vec<_>>(), "nextToken": "x" }))
            .unwrap(),
        _ => text.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    /// Field order, compression, member and block boundaries, arrival order, threads: all at once.
    #[test]
    fn dress_changes_no_byte(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 0);
        let mut puts = plain();
        for put in &mut puts {
            let text = reorder(rng, std::str::from_utf8(&put.stored).unwrap());
            put.stored = store(rng, text.as_bytes());
        }
        let threads = *rng.pick(&[1, 2, 8]);
        let run = put_before(puts, seed, Setting { threads, ..Setting::default() });
        // Other orders of fields are other layouts; nothing else may differ.
        assert_same_but_layouts(&answers(&run));
    }

    /// Objects rewritten in the shapes of other tools, each with its header, so that every record keeps its number.
    #[test]
    fn shapes_change_no_byte(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 3);
        let mut puts = plain();
        for put in &mut puts {
            let shaped = reshape(rng, std::str::from_utf8(&put.stored).unwrap());
            put.stored = store(rng, shaped.as_bytes());
        }
        let run = put_before(puts, seed, Setting { threads: *rng.pick(&[1, 2, 8]), ..Setting::default() });
        assert_same_but_layouts(&answers(&run));
    }

    /// The same by the way that big objects take: streamed, never whole in memory.
    #[test]
    fn streamed_objects_change_no_byte(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 1);
        let mut puts = plain();
        for put in &mut puts {
            put.stored = store(rng, &put.stored);
            put.size += WHOLE_STORED_MAX;
        }
        let added = puts.len() as u64 * WHOLE_STORED_MAX;
        let mut report = put_before(puts, seed, Setting::default()).report();
        report["inputs"]["bytes"] = (report["inputs"]["bytes"].as_u64().unwrap() - added).into();
        prop_assert_eq!(&report, &serde_json::from_str::<Value>(&ANSWERS[0]).unwrap());
    }

    /// Records dealt to other objects under other names: the answers differ in names alone.
    #[test]
    fn names_and_sizes_of_objects_do_not_matter(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 2);
        let puts = redealt(rng);
        let text = |put: &Put| (put.uri.clone(), String::from_utf8(put.stored.clone()).unwrap());
        let texts: BTreeMap<String, String> = puts.iter().map(text).collect();
        let run = put_before(puts, seed, Setting { threads: *rng.pick(&[1, 2, 8]), ..Setting::default() });
        let (got, mut wanted) = (run.report(), serde_json::from_str::<Value>(&ANSWERS[0]).unwrap());
        for row in got["rows"].as_array().unwrap() {
            names_a_record_of_the_row(row, "first_line", &texts);
            names_a_record_of_the_row(row, "last_line", &texts);
        }
        let without = |report: &Value| {
            let mut rows = report["rows"].clone();
            let nameless = |row: &mut Value| row.as_object_mut().unwrap().retain(|key, _| key != "first_line" && key != "last_line");
            rows.as_array_mut().unwrap().iter_mut().for_each(nameless);
            rows
        };
        prop_assert_eq!(without(&got), without(&wanted));
        for key in ["period", "clusters", "undecided", "handshakes", "duplicates", "notes"] {
            prop_assert_eq!(got[key].clone(), wanted[key].take(), "{}", key);
        }
        prop_assert_eq!(&got["inputs"]["records"], &wanted["inputs"]["records"]);
        let rows = run.sql(STATEMENTS[0]).iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(&rows, &ANSWERS[1]);
    }
}

/// Deals the records of each flow log to other objects: pieces in any order, several to an object, a header before each.
fn redealt(rng: &mut Rng) -> Vec<Put> {
    let mut pieces: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (key, text) in &ESTATE.texts {
        let Recognised::Log(read) = LogKey::parse(key) else { panic!("{key} is no log") };
        let (header, records) = text.split_once('\n').unwrap();
        let lines: Vec<&str> = records.lines().collect();
        let of_flow_log = pieces.entry(read.flow_log_id.unwrap().to_string()).or_default();
        for range in cut(rng, lines.len(), 4) {
            let piece = [header].into_iter().chain(lines[range].iter().copied()).map(|line| format!("{line}\n")).collect();
            of_flow_log.push((key.clone(), piece));
        }
    }
    let mut puts = Vec::new();
    for mut pieces in pieces.into_values() {
        rng.shuffle(&mut pieces);
        for range in cut(rng, pieces.len(), 8).into_iter().filter(|range| !range.is_empty()) {
            let stored: String = pieces[range.clone()].iter().map(|(_, piece)| piece.as_str()).collect();
            let uri = format!("elsewhere/{:016x}.log", rng.next());
            puts.push(Put { uri, key: pieces[range.start].0.clone(), size: stored.len() as u64, stored: stored.into_bytes() });
        }
    }
    puts
}

/// Looks up the line that a row names and compares what a reader would.
fn names_a_record_of_the_row(row: &Value, name: &str, texts: &BTreeMap<String, String>) {
    let (uri, line) = row[name].as_str().unwrap().rsplit_once(':').unwrap();
    let line: usize = line.parse().unwrap();
    let lines: Vec<&str> = texts[uri].lines().take(line).collect();
    assert_eq!(lines.len(), line, "{row}");
    let header = lines.iter().rev().find(|line| line.starts_with("version ")).unwrap();
    let record: HashMap<&str, &str> = header.split(' ').zip(lines[line - 1].split(' ')).collect();
    assert_eq!((record["pkt-dstaddr"], record["flow-direction"]), (row["dst_addr"].as_str().unwrap(), "egress"), "{row}");
    assert_eq!(record["dstport"], row["dst_port"].to_string(), "{row}");
    if name == "first_line" {
        assert_eq!(flowproof::time::rfc3339(record["start"].parse().unwrap()), row["first_seen"].as_str().unwrap(), "{row}");
    }
}

/// Lines and documents of other shapes, and of none. None changes what later lines are taken for, so that the good lines
/// of a text stay good; a document may be followed by another one on its line.
const ODD_LINES: [&str; 14] = [
    "bogus line",
    "2018-09-22T20:28:14.000Z 2 111122223333 eni-3 10.0.0.1 10.0.0.2 1 2 6 1 1 1 1 ACCEPT OK",
    r#"{"message":"2 111122223333 eni-3 10.0.0.1 10.0.0.2 1 2 6 1 1 1 1 ACCEPT OK"}"#,
    r#"{"messageType":"CONTROL_MESSAGE","logEvents":[]}{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[{"id":"1","message":"- - -"},{"message":"}{\""}]}"#,
    r#"{"srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","bytes":7,"log_status":"OK"} {"srcAddr":"10.0.0.1","logStatus":"OK"}"#,
    r#"[{"events":[{"message":"2 1"}]},{}]"#,
    r#"{"a":{"b":[1,2,{"c":"\u0041\n"}]}}"#,
    r#"{"cut":"in a str"#,
    r#"{"not json}"#,
    "{}",
    "[",
    "}{",
    "\"quoted\",\"line\"",
    "a,b,c",
];

/// A text with everything that a line can be: records, headers in two orders, blanks, and what is none of these.
fn odd_text(rng: &mut Rng, lines: u64) -> Vec<u8> {
    const HEADER: &str =
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
    const OTHER: &str = "log-status action end start bytes packets protocol dstport srcport dstaddr srcaddr interface-id hops";
    let mut text: Vec<u8> = if rng.below(4) == 0 { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
    text.extend_from_slice(HEADER.as_bytes());
    for _ in 0..lines {
        text.extend_from_slice(if rng.below(8) == 0 { b"\r\n" } else { b"\n" });
        let (port, bytes, start) = (rng.below(70_000), rng.next() >> rng.between(20, 60), 1_791_240_000 + rng.below(7_200));
        match rng.below(24) {
            0 => {}
            1 => text.extend_from_slice(HEADER.as_bytes()),
            2 => text.extend_from_slice(OTHER.as_bytes()),
            3 => text.extend_from_slice(rng.pick(&ODD_LINES).as_bytes()),
            4 => text.extend_from_slice(b"\xff\xfe\xfd"),
            5 => text.extend_from_slice(b"2 1 eni-\0 10.0.0.1 10.0.0.2 1 2 6 1 1 1 1 ACCEPT OK"),
            6 => text.extend_from_slice(b"2 111122223333 eni-1 - - - - - - - 1791240000 1791240060 - NODATA"),
            7 => text.extend_from_slice("2 111122223333 eni-ü 10.0.0.1 10.0.0.2 1 2 6 1 1 1 1 ACCEPT OK".as_bytes()),
            8 if rng.below(8) == 0 => text.extend(std::iter::repeat_n(b'x', LINE_LEN_MAX - 2 + rng.below(4) as usize)),
            9..15 => {
                let line = format!("OK ACCEPT {start} {start} {bytes} 7 6 {port} 443 2001:db8::1 10.0.0.1 eni-1 3");
                text.extend_from_slice(line.as_bytes());
            }
            _ => {
                let line = format!("2 111122223333 eni-2  10.0.0.1 10.0.0.2 {port} 443 6 7 {bytes} {start} {start} REJECT OK ");
                text.extend_from_slice(line.as_bytes());
            }
        }
    }
    if rng.below(2) == 0 {
        text.push(b'\n');
    }
    text
}

/// All columns of the table, every value checked.
fn all_wanted() -> Arc<Wanted> {
    Arc::new(Wanted { fields: fields_read(&FlowColumn::all()), extra: true, validation: Validation::Full, ..Wanted::default() })
}

/// What decoding came to, joined.
#[derive(Debug, PartialEq)]
struct Joined {
    rows: arrow::array::RecordBatch,
    rejects: Vec<Reject>,
    tally: Tally,
    /// Of the text as a whole: a document or an array without its end.
    fault: Option<String>,
}

fn join(decoded: Vec<Decoded>, tally: &Tally, fault: Option<String>) -> Joined {
    let rows = arrow::compute::concat_batches(&schema(&all_wanted()), decoded.iter().map(|decoded| &decoded.batch)).unwrap();
    Joined { rows, rejects: decoded.into_iter().flat_map(|decoded| decoded.rejects).collect(), tally: tally.clone(), fault }
}

fn decode_blocks(blocks: &[&[u8]]) -> Joined {
    let mut decoder = TextDecoder::new(all_wanted(), Headerless::default());
    let mut decoded = Vec::new();
    for block in blocks {
        decoder.block(block);
        // Handing on early and late must not matter either.
        if block.len() % 2 == 0 || decoder.is_full() {
            decoded.extend(decoder.take().unwrap());
        }
    }
    decoder.end();
    decoded.extend(decoder.take().unwrap());
    let fault = decoder.fault();
    join(decoded, decoder.tally(), fault)
}

fn decode_stored(stored: &[Bytes]) -> Joined {
    let mut decoder = ObjectDecoder::new(all_wanted(), Headerless::default());
    let (mut decoded, mut next) = (Vec::new(), 0);
    loop {
        match decoder.step().unwrap() {
            Step::Decoded(part) => decoded.push(part),
            Step::Hungry => {
                decoder.push(stored[next].clone(), next + 1 == stored.len());
                next += 1;
            }
            Step::Needs(_) => unreachable!("text asks for no ranges"),
            Step::Done(fault) => return join(decoded, decoder.tally(), fault),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    /// Text fed in blocks cut anywhere, and stored in any way, is the same rows, rejects and counts.
    #[test]
    fn cuts_change_no_row(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 3);
        let lines = rng.below(60);
        let text = odd_text(rng, lines);
        let whole = decode_blocks(&[&text]);
        prop_assert!(whole.tally.adds_up());
        prop_assert_eq!(whole.rejects.len() as u64, whole.tally.rejects);
        prop_assert_eq!(whole.rows.num_rows() as u64, whole.tally.rows);
        let lines = text.split_inclusive(|byte| *byte == b'\n').count() as u64;
        // Documents count by their events.
        if !text.iter().any(|byte| matches!(byte, b'[' | b'{')) {
            prop_assert_eq!(whole.tally.lines, lines);
        }
        let blocks: Vec<&[u8]> = cut(rng, text.len(), 40).into_iter().map(|range| &text[range]).collect();
        prop_assert_eq!(&decode_blocks(&blocks), &whole);
        let stored = Bytes::from(store(rng, &text));
        // The first bytes say how an object is stored, so the pipeline gives at least these at once.
        let head = stored.len().min(4);
        let rest = stored.slice(head..);
        let mut pieces: Vec<Bytes> = cut(rng, rest.len(), 12).into_iter().map(|range| rest.slice(range)).collect();
        pieces[0] = stored.slice(..head + pieces[0].len());
        prop_assert_eq!(&decode_stored(&pieces), &whole);
    }
}

#[test]
fn bytes_one_by_one_are_the_same_rows() {
    let text = odd_text(&mut Rng::new(1, 4), 200);
    let whole = decode_blocks(&[&text]);
    assert!(whole.rows.num_rows() > 50 && whole.rejects.len() > 5, "{:?}", whole.tally);
    assert_eq!(decode_blocks(&text.chunks(1).collect::<Vec<_>>()), whole);
}

/// The report's figures by another way: plain sums over the records of `flows`. In the generated estate whoever talks to a port
/// of the interface other than 443 was called by the interface, so no rule of orientation is needed.
const EGRESS_OVER_FLOWS: &str = r#"
WITH called AS (
  SELECT *, max("end") OVER (PARTITION BY interface_id, protocol, local_addr, local_port, peer_addr, peer_port
                             ORDER BY start, "end" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM flows WHERE interface_kind = 'eks-control-plane' AND log_status = 'OK' AND local_port <> 443
)
SELECT cluster_arn, peer_addr AS dst_addr, peer_port AS dst_port, protocol,
  count(*) FILTER (WHERE direction = 'egress' AND action = 'ACCEPT') AS records_accepted,
  count(*) FILTER (WHERE direction = 'egress' AND action = 'REJECT') AS records_rejected,
  coalesce(sum(packets) FILTER (WHERE direction = 'egress' AND action = 'ACCEPT'), 0) AS packets_accepted,
  coalesce(sum(packets) FILTER (WHERE direction = 'egress' AND action = 'REJECT'), 0) AS packets_rejected,
  coalesce(sum(bytes) FILTER (WHERE direction = 'egress' AND action = 'ACCEPT'), 0) AS bytes_accepted,
  coalesce(sum(bytes) FILTER (WHERE direction = 'egress' AND action = 'REJECT'), 0) AS bytes_rejected,
  coalesce(sum(packets) FILTER (WHERE direction = 'ingress' AND action = 'ACCEPT'), 0) AS reply_packets,
  coalesce(sum(bytes) FILTER (WHERE direction = 'ingress' AND action = 'ACCEPT'), 0) AS reply_bytes,
  count(*) FILTER (WHERE before IS NULL OR start - before > 600) AS connections,
  min(start_time) FILTER (WHERE direction = 'egress') AS first_seen,
  max(end_time) FILTER (WHERE direction = 'egress') AS last_seen
FROM called
GROUP BY cluster_arn, peer_addr, peer_port, protocol
HAVING count(*) FILTER (WHERE direction = 'egress') > 0
ORDER BY cluster_arn, dst_addr, dst_port, protocol"#;

#[test]
fn the_report_equals_sums_over_flows() {
    for seed in [21, 22, 23] {
        let dir = tempfile::tempdir().unwrap();
        generate(&Config { seed, records: 12_000, ..Config::default() }, dir.path());
        let run = runs::open(dir.path(), Setting::default());
        let summed = run.sql(EGRESS_OVER_FLOWS);
        assert!(summed.len() > 20, "{}", summed.len());
        let mut rows = run.report()["rows"].take();
        for row in rows.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|key, _| summed[0].get(key).is_some());
        }
        assert_eq!(rows, Value::from(summed), "seed {seed}");
    }
}

/// Takes every column that a scan looks at away from it: what stands above a limit is not pushed below it.
fn after_full_scan(filter: &str) -> String {
    format!("SELECT {FINGERPRINT} FROM (SELECT * FROM flows LIMIT 1000000000) AS flows WHERE {filter}")
}

fn pushed_down(filter: &str) -> String {
    format!("SELECT {FINGERPRINT} FROM flows WHERE {filter}")
}

const FINGERPRINT: &str = "count(*) AS records, sum(bytes) AS bytes, sum(log_line) AS lines, \
    sum(log_line * start % 1000003) AS mixed, min(interface_id) AS first, max(log_object) AS last";

/// Columns whose values objects and lines are dropped by.
const DROPPED_BY: &[&str] = &[
    "interface_id",
    "interface_kind",
    "cluster",
    "cluster_arn",
    "log_object",
    "flow_log_id",
    "action",
    "flow_direction",
    "srcaddr",
    "pkt_dst_aws_service",
];

/// A random condition over columns that objects and lines are dropped by.
fn condition(rng: &mut Rng, values: &BTreeMap<&str, Vec<String>>, depth: u32) -> String {
    if depth > 0 {
        let mut inner = || condition(rng, values, depth - 1);
        let (left, right) = (inner(), inner());
        return match rng.below(7) {
            0..3 => format!("({left} AND {right})"),
            3..5 => format!("({left} OR {right})"),
            5 => format!("NOT ({left})"),
            _ => left,
        };
    }
    if rng.below(3) == 0 {
        return time_condition(rng);
    }
    let column = *rng.pick(DROPPED_BY);
    let mut value = || format!("'{}'", rng.pick(&values[column]));
    let (one, two, three) = (value(), value(), value());
    match rng.below(12) {
        0..4 => format!("{column} = {one}"),
        4 => format!("{one} = {column}"),
        5 => format!("{column} IN ({one}, {two}, {three})"),
        6 => format!("({column} = {one} OR {column} = {two})"),
        7 => format!("{column} <> {one}"),
        8 => format!("{column} NOT IN ({one}, {two})"),
        9 => format!("{column} IS NULL"),
        10 => format!("{column} LIKE concat(left({one}, 5), '%')"),
        _ => format!("coalesce({column}, 'none') IN ('none', {one})"),
    }
}

fn time_condition(rng: &mut Rng) -> String {
    let start = 1_791_240_000 + rng.below(7_400) as i64 - 100;
    let later = start + rng.below(3_000) as i64;
    let stamp = |t: i64| format!("TIMESTAMP '{}'", flowproof::time::rfc3339(t));
    match rng.below(10) {
        0 => format!("start >= {start}"),
        1 => format!("start < {start}"),
        2 => format!("{start} < start"),
        3 => format!("start BETWEEN {start} AND {later}"),
        4 => format!("start NOT BETWEEN {start} AND {later}"),
        5 => format!("start_time >= {}", stamp(start)),
        6 => format!("{} >= start_time", stamp(start)),
        7 => format!("start_time > {} + INTERVAL '500 milliseconds'", stamp(start)),
        8 => format!("start > {start}.5"),
        _ => format!("start = {}", start / 60 * 60),
    }
}

/// Distinct values of the columns that lines and objects are dropped by, and one that does not occur.
fn values(run: &Run) -> BTreeMap<&'static str, Vec<String>> {
    let of = |column: &str| {
        let rows = run.sql(&format!("SELECT DISTINCT {column} AS value FROM flows WHERE {column} IS NOT NULL ORDER BY value"));
        let found = rows.iter().map(|row| row["value"].as_str().unwrap().to_owned());
        found.chain(["eks-none".to_owned()]).collect()
    };
    DROPPED_BY.iter().map(|column| (*column, of(column))).collect()
}

static SHELF: LazyLock<Run> = LazyLock::new(|| put_before(plain(), 5, Setting::default()));
static VALUES: LazyLock<BTreeMap<&str, Vec<String>>> = LazyLock::new(|| values(&SHELF));

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is dropped early is what the condition would have dropped.
    #[test]
    fn dropping_early_is_filtering_late(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 6);
        let depth = rng.below(4) as u32;
        let filter = condition(rng, &VALUES, depth);
        prop_assert_eq!(SHELF.sql(&pushed_down(&filter)), SHELF.sql(&after_full_scan(&filter)), "{}", filter);
    }

    /// Questions that share a scan are answered as each alone.
    #[test]
    fn asked_together_is_asked_alone(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 7);
        let questions: Vec<String> = (0..2 + rng.below(3)).map(|branch| {
            let depth = rng.below(3) as u32;
            let filter = condition(rng, &VALUES, depth);
            format!("SELECT {branch} AS branch, * FROM ({})", pushed_down(&filter))
        }).collect();
        let alone: Vec<Value> = questions.iter().flat_map(|sql| SHELF.sql(sql)).collect();
        let together = questions.join(" UNION ALL ");
        prop_assert_eq!(SHELF.sql(&format!("{together} ORDER BY branch")), alone, "{}", together);
    }
}

/// How many branches of a plan share a scan.
fn sharing(run: &Run, sql: &str) -> usize {
    let rows = run.sql(&format!("EXPLAIN {sql}"));
    let plans: Vec<&str> = rows.iter().filter_map(|row| row["plan"].as_str()).collect();
    plans.concat().matches("shared by").count()
}

#[test]
fn statements_of_any_shape_that_share_a_scan_come_to_an_end() {
    const PORTS: &str = "SELECT dstport AS a, sum(bytes) AS b FROM flows WHERE action = 'ACCEPT' GROUP BY dstport";
    const KINDS: &str = "SELECT protocol AS a, count(*) AS b FROM flows WHERE interface_kind = 'eks-control-plane' GROUP BY protocol";
    const ALL: &str = "SELECT 7 AS a, count(*) AS b FROM flows";
    const TOP: &str = "SELECT srcport AS a, bytes AS b FROM flows ORDER BY bytes DESC, srcport, log_object, log_line LIMIT 5";
    let union = |branches: &[&str]| branches.iter().map(|sql| format!("SELECT * FROM ({sql})")).collect::<Vec<_>>().join(" UNION ALL ");
    let (two, three) = (union(&[PORTS, KINDS]), union(&[PORTS, KINDS, ALL]));
    // How many branches share a scan, and how many scans there are.
    let shapes = [
        (2, 1, two.clone()),
        (3, 1, three.clone()),
        (3, 1, format!("{three} ORDER BY b DESC, a LIMIT 3")),
        (2, 1, format!("SELECT a, count(*) AS n, sum(b) AS c FROM ({two}) GROUP BY a HAVING sum(b) > 10")),
        (2, 1, format!("SELECT count(*) AS n FROM ({two})")),
        (3, 1, format!("SELECT a, b, sum(b) OVER (PARTITION BY a) AS c FROM ({three})")),
        (2, 1, format!("SELECT DISTINCT a FROM ({})", union(&[PORTS, TOP]))),
        (2, 1, format!("SELECT * FROM ({PORTS}) UNION SELECT * FROM ({KINDS})")),
        (2, 1, format!("WITH sums AS ({PORTS}) SELECT * FROM sums WHERE a < 1024 UNION ALL SELECT * FROM sums WHERE a >= 1024")),
        (2, 1, format!("{two} UNION ALL VALUES (1, 2)")),
        (2, 2, union(&[PORTS, "SELECT log_line AS a, bytes AS b FROM flows WHERE dstport = 443", KINDS])),
        (2, 2, union(&[PORTS, "SELECT count(*) AS a, sum(bytes) AS b FROM (SELECT * FROM flows LIMIT 100000)", KINDS])),
        (0, 2, format!("SELECT l.a, l.b, r.b AS c FROM ({PORTS}) AS l JOIN ({KINDS}) AS r ON l.a > r.a")),
        (0, 2, "SELECT dstport AS a, bytes AS b FROM flows UNION ALL SELECT srcport, bytes FROM flows".to_owned()),
        (0, 2, union(&[PORTS, "SELECT count(*) AS a, count(*) AS b FROM tgw_flows"])),
        (0, 2, "SELECT (SELECT count(*) FROM flows) AS a, (SELECT sum(bytes) FROM flows) AS b".to_owned()),
    ];
    // Whether a union shares in a join depends on which side of it the engine reads first.
    let joins = [
        format!("SELECT l.a, l.b, r.b AS c FROM ({two}) AS l JOIN ({two}) AS r ON l.a = r.a"),
        format!("SELECT * FROM ({two}) WHERE a IN (SELECT dstport FROM flows WHERE action = 'REJECT')"),
    ];
    let sorted = |mut rows: Vec<Value>| {
        rows.sort_by_cached_key(Value::to_string);
        rows
    };
    for threads in [1, 2, 8] {
        let run = put_before(plain(), 8, Setting { threads, ..Setting::default() });
        run.execute("CREATE TABLE held AS SELECT * FROM flows");
        for (branches, scans, sql) in &shapes {
            assert_eq!(sharing(&run, sql), *branches, "{threads} threads: {sql}");
            let before = run.scans().len();
            let shared = sorted(run.sql_in_time(sql));
            assert_eq!(run.scans().len() - before, *scans, "{threads} threads: {sql}");
            let alone = sorted(run.sql(&sql.replace(" flows", " held")));
            assert_eq!(shared, alone, "{threads} threads: {sql}");
            assert!(!alone.is_empty(), "{sql}");
        }
        for sql in &joins {
            assert_eq!(sorted(run.sql_in_time(sql)), sorted(run.sql(&sql.replace(" flows", " held"))), "{threads} threads: {sql}");
        }
    }
}

#[test]
fn a_shared_scan_ends_for_all_branches_when_one_has_had_enough() {
    let run = put_before(plain(), 9, Setting { threads: 2, ..Setting::default() });
    let sql = "SELECT dstport AS a, sum(bytes) AS b FROM flows GROUP BY dstport \
               UNION ALL SELECT srcport, sum(bytes) FROM flows GROUP BY srcport LIMIT 1";
    assert_eq!(sharing(&run, sql), 2);
    assert_eq!(run.sql_in_time(sql).len(), 1);
    // What cannot be added up fails in one branch, and so does the statement.
    let broken = "SELECT sum(bytes) AS a FROM flows UNION ALL SELECT sum(9223372036854775807 / (bytes - bytes)) FROM flows";
    assert_eq!(sharing(&run, broken), 2);
    assert!(run.refuses(broken).contains("ivide by zero"), "{}", run.refuses(broken));
}

#[test]
fn the_late_filter_reads_all_and_the_early_one_does_not() {
    let plan = |sql: &str| Value::from(SHELF.sql(&format!("EXPLAIN {sql}"))).to_string();
    let filter = "interface_kind = 'eks-control-plane' AND start >= 1791243000";
    let (early, late) = (plan(&pushed_down(filter)), plan(&after_full_scan(filter)));
    assert!(early.contains("interfaces=") && !early.contains("objects_pruned=0"), "{early}");
    assert!(!late.contains("interfaces=") && late.contains("objects_pruned=0"), "{late}");
}

#[test]
fn dropping_early_is_filtering_late_in_every_case() {
    for folder in cases::folders() {
        let run = cases::open(&folder, Validation::ReadColumns);
        for (column, values) in values(&run) {
            // One late statement answers for all values.
            let late = run.sql(&format!(
                "SELECT {column} AS value, {FINGERPRINT} FROM (SELECT * FROM flows LIMIT 1000000000) AS flows \
                 WHERE {column} IS NOT NULL GROUP BY value"
            ));
            assert_eq!(late.len() + 1, values.len(), "{folder}: {column} has all but the value that is not there");
            for value in &values {
                let mut early = run.sql(&pushed_down(&format!("{column} = '{value}'")));
                match late.iter().find(|row| row["value"] == **value) {
                    Some(row) => {
                        early[0]["value"] = value.as_str().into();
                        assert_eq!(&early[0], row, "{folder}: {column} = {value}");
                    }
                    None => assert_eq!(early[0]["records"], 0, "{folder}: {column} = {value}"),
                }
            }
            let listed: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
            let filter = format!("{column} IN ({})", listed.join(", "));
            assert_eq!(run.sql(&pushed_down(&filter)), run.sql(&after_full_scan(&filter)), "{folder}: {filter}");
        }
    }
}

#[test]
fn a_limit_yields_exactly_so_many_rows() {
    let runs = [1, 2, 8].map(|threads| put_before(plain(), 7, Setting { threads, ..Setting::default() }));
    let total = runs[0].number("SELECT count(*) FROM flows");
    let ours = runs[0].number("SELECT count(*) FROM flows WHERE interface_kind = 'eks-control-plane'");
    assert!(total > 8_192 && ours > 100 && ours < total);
    for run in &runs {
        let rows = |sql: String| run.sql(&sql).len() as i64;
        for limit in [0, 1, 500, total - 1, total + 5] {
            assert_eq!(rows(format!("SELECT log_line FROM flows LIMIT {limit}")), limit.min(total));
        }
        for limit in [1, ours - 1, ours, ours + 1] {
            let filtered = format!("SELECT log_line FROM flows WHERE interface_kind = 'eks-control-plane' LIMIT {limit}");
            assert_eq!(rows(filtered), limit.min(ours));
        }
        assert_eq!(rows(format!("SELECT log_line FROM flows LIMIT 50 OFFSET {}", total - 20)), 20);
        assert_eq!(rows("SELECT log_line, bytes FROM flows ORDER BY bytes DESC NULLS LAST, log_object, log_line LIMIT 9".to_owned()), 9);
    }
}

#[test]
fn checking_every_column_changes_nothing_but_finds_more() {
    let full = Setting { validation: Validation::Full, ..Setting::default() };
    let mut report = put_before(plain(), 8, full.clone()).report();
    assert_eq!(report["inputs"]["validation"].take(), "full");
    report["inputs"]["validation"] = "read-columns".into();
    assert_eq!(report, serde_json::from_str::<Value>(&ANSWERS[0]).unwrap());

    // `version` is a number that the report does not read.
    let mut puts = plain();
    let text = String::from_utf8(puts[0].stored.clone()).unwrap();
    let damaged = |(at, line): (usize, &str)| if at == 3 { format!("5x{}\n", &line[1..]) } else { format!("{line}\n") };
    puts[0].stored = text.lines().enumerate().map(damaged).collect::<String>().into();
    let uri = puts[0].uri.clone();
    let lax = put_before(puts.clone(), 8, Setting::default());
    let strict = put_before(puts, 8, full);
    let rejected = |run: &Run| run.report()["inputs"]["records"]["rejected"].clone();
    assert_eq!((rejected(&lax), rejected(&strict)), (json!(0), json!(1)));
    assert_eq!(lax.number("SELECT count(*) FROM flows"), strict.number("SELECT count(*) FROM flows") + 1);
    assert_eq!(lax.number("SELECT count(version) FROM flows"), strict.number("SELECT count(version) FROM flows"));
    let found = json!([{ "log_object": uri, "log_line": 4, "reason": "bad-number" }]);
    assert_eq!(Value::from(lax.sql("SELECT log_object, log_line, reason FROM rejects")), found);
    assert_eq!(Value::from(strict.sql("SELECT log_object, log_line, reason FROM rejects")), found);
}

/// Every line of every object is in exactly one count, and the tables hold as many rows as the counts say.
fn assert_accounts(what: &str, run: &Run) {
    let objects = run.sql(
        "SELECT log_object, lines, headers, blanks, control_messages, records_ok, records_nodata, records_skipdata, records_rejected, \
         records_outside_window, records_transit_gateway FROM objects ORDER BY log_object",
    );
    assert_eq!(objects.iter().map(|row| row["log_object"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), run.objects(), "{what}");
    let (mut records, mut of_gateways) = (0, 0);
    for row in &objects {
        let of = |keys: &[&str]| keys.iter().map(|key| row[key].as_i64().unwrap()).sum::<i64>();
        let in_window = of(&["records_ok", "records_nodata", "records_skipdata"]);
        let parts = of(&["headers", "blanks", "control_messages", "records_rejected", "records_outside_window", "records_transit_gateway"])
            + in_window;
        assert_eq!(of(&["lines"]), parts, "{what}: {row}");
        records += in_window;
        of_gateways += of(&["records_transit_gateway"]);
    }
    assert_eq!(run.number("SELECT count(*) FILTER (WHERE log_line > 0) FROM flows"), records, "{what}");
    assert_eq!(run.number("SELECT count(*) FILTER (WHERE log_line > 0) FROM tgw_flows"), of_gateways, "{what}");
    assert_eq!(run.number("SELECT sum(records) FROM layouts"), records + of_gateways, "{what}");
    let counted = run.sql("SELECT log_object, records_rejected AS n FROM objects WHERE records_rejected > 0 ORDER BY log_object");
    assert_eq!(run.sql("SELECT log_object, count(*) AS n FROM rejects GROUP BY log_object ORDER BY log_object"), counted, "{what}");
    let distinct = run.number("SELECT count(*) FROM (SELECT DISTINCT log_object, log_line FROM rejects)");
    assert_eq!(distinct, run.number("SELECT count(*) FROM rejects"), "{what}");
}

#[test]
fn every_line_of_every_case_is_accounted_for() {
    for folder in cases::folders() {
        assert_accounts(&folder, &cases::open(&folder, Validation::Full));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damaged text: lines may become rejects, blanks or other records, none may vanish.
    #[test]
    fn damaged_text_loses_no_line(seed in any::<u64>()) {
        let rng = &mut Rng::new(seed, 9);
        let mut puts = plain();
        puts.truncate(3);
        for put in &mut puts {
            for _ in 0..rng.between(1, 60) {
                let at = rng.below(put.stored.len() as u64) as usize;
                match rng.below(4) {
                    0 => put.stored[at] = rng.next() as u8,
                    1 => put.stored[at] = *rng.pick(b" \n\t-9aZ\0"),
                    2 => drop(put.stored.drain(at..(at + rng.below(40) as usize).min(put.stored.len()))),
                    _ => put.stored.insert(at, *rng.pick(b" \n\r0")),
                }
            }
        }
        let lines: usize = puts.iter().map(|put| put.stored.split_inclusive(|byte| *byte == b'\n').count()).sum();
        let run = put_before(puts, seed, Setting { validation: Validation::Full, ..Setting::default() });
        assert_accounts(&format!("seed {seed}"), &run);
        prop_assert_eq!(run.number("SELECT sum(lines) FROM objects"), lines as i64);
        prop_assert!(run.number("SELECT count(*) FROM rejects") > 0);
        run.report();
    }
}
