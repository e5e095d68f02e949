//! Where the time of `report egress` goes: each stage on one core over the same objects, then the whole report.
//!
//! `cargo bench --bench stages -- [RECORDS [FILES]]`, 10 million records in 64 objects by default. The estate is generated from a
//! seed and kept under `target/bench-data/`. Every stage checks its answer against the generator's truth before a time is
//! printed; times are medians of [`ROUNDS`] rounds in which the stages take turns. `-- --floor FOLDER` only inflates the objects of a
//! generated estate, and prints seconds of CPU and bytes of text (`floor.py` asks for it).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench fails loudly and prints its result"
)]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "the generator is a module of the tests, used in part here")]

#[path = "../tests/generator/mod.rs"]
mod generator;

use bytes::Bytes;
use flowproof::decode::decompress::{Encoding, Inflater};
use flowproof::decode::headerless::Headerless;
use flowproof::decode::object::{ObjectDecoder, Step};
use flowproof::decode::separators::Marks;
use flowproof::decode::{Decoded, Interfaces, Tally, Wanted};
use flowproof::enrich::{Derived, FlowColumn, Provenance, Tagger, fields_read};
use flowproof::flow::field::{FieldId, id};
use flowproof::inventory::{File, InterfaceKind, Inventory, Options};
use flowproof::query::collect;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds in which every stage runs once.
const ROUNDS: usize = 3;
/// Fields of a version 5 record.
const V5_FIELDS: u8 = 29;

struct Estate {
    objects: Vec<Bytes>,
    inventory: Arc<Inventory>,
    records: u64,
}

/// Its name, and the work with its check.
type Stage<'a> = (&'static str, Box<dyn Fn() + 'a>);

fn main() {
    let folder = std::env::args().skip_while(|argument| argument != "--floor").nth(1);
    if let Some(folder) = folder {
        floor(Path::new(&folder));
        return;
    }
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let records = numbers.first().copied().unwrap_or(10_000_000);
    let files = numbers.get(1).copied().unwrap_or(64) as usize;
    let estate = estate(records, files);
    let stored: usize = estate.objects.iter().map(Bytes::len).sum();
    let text: usize = inflate(&estate.objects);
    println!("{} records, {} objects, {:.1} MB stored, {:.1} MB of text", estate.records, estate.objects.len(), mb(stored), mb(text));
    let all: Vec<FieldId> = (0..V5_FIELDS).map(FieldId).collect();
    let counted = vec![id::BYTES];
    let egress = collect::COLUMNS.to_vec();
    let dropped: Arc<_> = Arc::new(of_no_interest(&estate.inventory));
    let early = |fields| Wanted { fields, interfaces: Interfaces::AllBut(Arc::clone(&dropped)), ..Wanted::default() };
    let stages: Vec<Stage<'_>> = vec![
        ("inflate (the floor)", Box::new(|| check(inflate(&estate.objects) == text))),
        ("inflate in windows, as the program does", Box::new(|| check(windows(&estate) == text))),
        ("+ every separator found, no more", Box::new(|| check(separators(&estate) == estate.records + files as u64))),
        ("+ every line: count, status, window", Box::new(|| check(decode(&estate, &Wanted::default(), None) == estate.records))),
        (
            "+ one column",
            Box::new(|| check(decode(&estate, &Wanted { fields: counted.clone(), ..Wanted::default() }, None) == estate.records)),
        ),
        (
            "+ all 29 columns",
            Box::new(|| check(decode(&estate, &Wanted { fields: all.clone(), ..Wanted::default() }, None) == estate.records)),
        ),
        ("egress: decode, early drop", Box::new(|| check(decode(&estate, &early(fields_read(&egress)), None) == estate.records))),
        (
            "egress: decode, early drop, tag",
            Box::new(|| check(decode(&estate, &early(fields_read(&egress)), Some(&egress)) == estate.records)),
        ),
        (
            "all rows: direction and ends",
            Box::new(|| {
                check(decode(&estate, &Wanted { fields: fields_read(&ends()), ..Wanted::default() }, Some(&ends())) == estate.records)
            }),
        ),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); stages.len()];
    for _ in 0..ROUNDS {
        for ((_, stage), times) in stages.iter().zip(&mut times) {
            let started = Instant::now();
            stage();
            times.push(started.elapsed());
        }
    }
    println!("{:<40} {:>8} {:>8} {:>14} {:>10}", "stage, one core", "s", "÷ floor", "records/s", "MB text/s");
    let floor = median(&mut times[0].clone());
    for ((name, _), times) in stages.iter().zip(&mut times) {
        let time = median(times).as_secs_f64();
        println!(
            "{name:<40} {time:>8.2} {:>8.2} {:>14.0} {:>10.0}",
            time / floor.as_secs_f64(),
            estate.records as f64 / time,
            mb(text) / time
        );
    }
}

/// Inflates in windows; returns the bytes of text.
fn windows(estate: &Estate) -> usize {
    let mut bytes = 0;
    estate.objects.iter().for_each(|object| in_windows(object, |window| bytes += window.len()));
    bytes
}

/// Finds the ends of all values; returns the number of lines, headers among them.
fn separators(estate: &Estate) -> u64 {
    /// What the decoder looks through at once.
    const BLOCK: usize = 16 << 10;
    let (mut marks, mut lines) = (Marks::default(), 0);
    for object in &estate.objects {
        in_windows(object, |window| {
            let mut rest = window;
            while !rest.is_empty() {
                let (mut taken, block) = (0, &rest[..rest.len().min(BLOCK)]);
                for line in marks.lines(block) {
                    taken += line.raw.len() + 1;
                    lines += 1;
                }
                // The rest of the window is the beginning of a line that ends in the next.
                rest = if taken == 0 { &[] } else { &rest[taken..] };
            }
        });
    }
    lines
}

/// Hands on the text of an object as the program inflates it, with its CRC checked.
fn in_windows(object: &Bytes, mut window: impl FnMut(&[u8])) {
    let (mut inflater, mut stored) = (Inflater::new(Encoding::Gzip).expect("a gzip decoder"), &object[..]);
    while !stored.is_empty() {
        let taken = inflater.step(stored, &mut window).expect("sound gzip");
        stored = &stored[taken..];
    }
    inflater.end().expect("whole gzip");
}

/// Columns that a cost query asks of every record.
fn ends() -> Vec<FlowColumn> {
    vec![FlowColumn::Derived(Derived::Direction), FlowColumn::Derived(Derived::LocalAddr), FlowColumn::Derived(Derived::PeerAddr)]
}

fn of_no_interest(inventory: &Inventory) -> hashbrown::HashSet<String, foldhash::fast::RandomState> {
    let wanted = |kind: InterfaceKind| kind == InterfaceKind::EksControlPlane || kind.is_path_device();
    inventory.enis().iter().filter(|eni| !wanted(eni.kind)).map(|eni| eni.id.to_string()).collect()
}

/// Decodes every object; returns the records accounted for.
fn decode(estate: &Estate, wanted: &Wanted, columns: Option<&[FlowColumn]>) -> u64 {
    let wanted = Arc::new(wanted.clone());
    let tagger = columns.map(|columns| Tagger::new(Arc::clone(&estate.inventory), columns.to_vec()));
    let from = Provenance { log_object: "object".into(), flow_log_id: None };
    let tallies = estate.objects.iter().map(|object| {
        let mut decoder = ObjectDecoder::new(Arc::clone(&wanted), Headerless::default());
        loop {
            match decoder.step().unwrap() {
                Step::Hungry => decoder.push(object.clone(), true),
                Step::Decoded(Decoded { batch, .. }) => {
                    if let Some(tagger) = &tagger {
                        std::hint::black_box(tagger.tag(&batch, &from).unwrap());
                    }
                }
                Step::Needs(_) => panic!("text asks for no ranges"),
                Step::Done(fault) => {
                    check(fault.is_none());
                    return decoder.tally().clone();
                }
            }
        }
    });
    tallies
        .map(|tally: Tally| {
            check(tally.adds_up());
            tally.ok + tally.nodata + tally.skipdata
        })
        .sum()
}

/// Prints what inflating a folder's objects takes.
fn floor(folder: &Path) {
    let objects: Vec<Bytes> = read(&folder.join("logs")).into_iter().map(|file| file.bytes).collect();
    let since = on_cpu();
    let text = inflate(&objects);
    println!("{:.3} {text}", on_cpu() - since);
}

/// Seconds that this thread has run (Linux, Documentation/scheduler/sched-stats.rst: the first number of schedstat, in nanoseconds).
fn on_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = stat.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.expect("a number") / 1e9
}

/// Inflates every object by libdeflate alone, which checks its CRC; returns the bytes of text.
fn inflate(objects: &[Bytes]) -> usize {
    let mut buffer = Vec::new();
    objects.iter().map(|object| inflated(object, &mut buffer).len()).sum()
}

/// The text of an object, in a buffer that keeps its room.
fn inflated<'b>(object: &Bytes, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    let size = u32::from_le_bytes(*object.last_chunk().expect("gzip ends with its length"));
    buffer.resize(size as usize, 0);
    let written = libdeflater::Decompressor::new().gzip_decompress(object, buffer);
    check(written == Ok(buffer.len()));
    buffer
}

fn check(holds: bool) {
    assert!(holds, "a stage got another answer than the truth");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn estate(records: u64, files: usize) -> Estate {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench-data")).join(format!("v5-{records}-{files}"));
    if !dir.join("truth.json").is_file() {
        let config = generator::Config { files, ..generator::Config::of(1, records) };
        generator::generate(&config, &dir);
    }
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("truth.json")).unwrap()).unwrap();
    let of = |name: &str| truth["records"][name].as_u64().unwrap();
    let objects = read(&dir.join("logs")).into_iter().map(|file| file.bytes).collect();
    let inventory = Arc::new(Inventory::from_files(read(&dir.join("inventory")), &Options::default()).unwrap());
    Estate { objects, inventory, records: of("ok") + of("nodata") + of("skipdata") }
}

fn read(dir: &Path) -> Vec<File> {
    let files = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files.map(|entry| File { path: entry.path().display().to_string(), bytes: std::fs::read(entry.path()).unwrap().into() }).collect()
}
