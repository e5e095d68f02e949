//! The same report from disk, from an S3 server on loopback, and from one that answers late, each a process of its own, in turn.
//!
//! `cargo bench --bench s3 -- FOLDER [MILLISECONDS [ROUNDS]]`; FOLDER is what the generator wrote. CPU is flowproof's alone: the server
//! is this process. All answers must be the same but for where the objects lie.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench fails loudly and prints its result"
)]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "the server is a module of the tests, used in part here")]

#[path = "../tests/s3_server.rs"]
mod s3_server;

use s3_server::S3Server;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BUCKET: &str = "logs";
const COUNT: &str = "SELECT count(*) AS records, sum(bytes) AS bytes FROM flows";

/// What a run took.
#[derive(Clone, Copy)]
struct Reading {
    wall: f64,
    cpu: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let folder = arguments.first().expect("the folder of an estate");
    let late: u64 = arguments.get(1).map_or(30, |text| text.parse().unwrap());
    let rounds: usize = arguments.get(2).map_or(3, |text| text.parse().unwrap());
    let logs = Path::new(folder).join("logs");
    let (near, far) = (S3Server::start_blocking(), S3Server::start_blocking());
    far.latency(Duration::from_millis(late));
    let mut objects = 0;
    for entry in walkdir::WalkDir::new(&logs).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let key = entry.path().strip_prefix(&logs).unwrap().to_str().unwrap();
        let bytes = bytes::Bytes::from(std::fs::read(entry.path()).unwrap());
        near.put(BUCKET, key, bytes.clone());
        far.put(BUCKET, key, bytes);
        objects += 1;
    }
    let in_bucket = format!("s3://{BUCKET}/");
    let places = [
        ("disk", logs.to_str().unwrap(), None),
        ("loopback S3", &in_bucket, Some(near.endpoint_url())),
        ("S3, each answer late", &in_bucket, Some(far.endpoint_url())),
    ];
    let mut readings: Vec<Vec<Reading>> = vec![Vec::new(); places.len()];
    let mut answer: Option<Vec<u8>> = None;
    for _ in 0..rounds {
        for ((name, place, endpoint), readings) in places.iter().zip(&mut readings) {
            let (reading, given) = run(place, *endpoint);
            assert_eq!(*answer.get_or_insert(given.clone()), given, "{name} answers otherwise");
            readings.push(reading);
        }
    }
    println!("{objects} objects, {late} ms late; {COUNT}; medians of {rounds} rounds in turn");
    let first = median(&readings[0], |reading| reading.cpu);
    for ((name, ..), readings) in places.iter().zip(&readings) {
        let (wall, cpu) = (median(readings, |reading| reading.wall), median(readings, |reading| reading.cpu));
        println!("{name:<24} {wall:>6.2} s wall {cpu:>6.2} s CPU   CPU ÷ disk {:.2}", cpu / first);
    }
}

#[expect(clippy::zombie_processes, reason = "`wait` waits for it, and learns what it used")]
fn run(place: &str, endpoint: Option<&str>) -> (Reading, Vec<u8>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowproof"));
    command.args(["sql", place, "-o", "json", "-c", COUNT]).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(endpoint) = endpoint {
        command.args(["--endpoint-url", endpoint, "--region", "eu-west-1", "--no-sign-request"]);
    }
    let since = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut given = Vec::new();
    std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut given).unwrap();
    let cpu = wait(child.id());
    (Reading { wall: since.elapsed().as_secs_f64(), cpu }, given)
}

/// Waits for a process, and returns the seconds of CPU that it used.
#[expect(unsafe_code, reason = "the standard library does not tell what a child used")]
fn wait(process: u32) -> f64 {
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: wait4 writes a status and a usage to the places given; zeros are a valid usage.
    let usage = unsafe {
        assert_eq!(libc::wait4(process.cast_signed(), &mut status, 0, usage.as_mut_ptr()), process.cast_signed());
        usage.assume_init()
    };
    assert_eq!(status, 0, "the run failed");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn median(readings: &[Reading], of: impl Fn(&Reading) -> f64) -> f64 {
    let mut values: Vec<f64> = readings.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
