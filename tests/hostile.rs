//! Hostile input: each bad object lies beside a good one. It is reported with its place, the rest of the run completes, nothing of it
//! reaches the terminal raw, and memory stays within the budget of design §8.
//!
//! Here bombs are as large as a test may take; `tests/heavy/hostile/` makes them full size.

use crate::program::{Outcome, command};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use flate2::{Compress, Compression, Crc, FlushCompress};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Design §8: peak memory for any volume and file size.
const MEMORY_KB_MAX: u64 = 400_000;
/// A run that takes longer hangs: the longest here takes a minute without optimisation on an idle core, and machines of CI are shared.
const RUN_S_MAX: u64 = 300;
/// A case whose ten records and three rows are known.
const GOOD: &str = "sample-logs/cases/prefix-names";
const GOOD_RECORDS: u64 = 10;

pub(crate) const HEADER: &str =
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// Runs a program to its end, and returns the most memory it held, in kB.
fn measured(mut command: std::process::Command) -> (Outcome, u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
    let mut child = command.stdout(file("out")).stderr(file("err")).stdin(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut peak_kb, began) = (0, Instant::now());
    let code = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended.code();
        }
        // The high-water mark only rises, so the last reading before the end counts.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.trim().strip_suffix(" kB"));
        peak_kb = mark.map_or(peak_kb, |kb| kb.trim().parse().unwrap());
        if began.elapsed() > Duration::from_secs(RUN_S_MAX) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} did not end in {RUN_S_MAX} s");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    (Outcome { code, bytes: text("out"), stderr: String::from_utf8(text("err")).unwrap() }, peak_kb)
}

/// Runs the program with two threads and checks what must hold however bad its input is.
#[track_caller]
fn bounded(args: &[&str]) -> Outcome {
    checked(command(&[args, &["--threads", "2"]].concat()))
}

#[track_caller]
fn checked(command: std::process::Command) -> Outcome {
    let (outcome, peak_kb) = measured(command);
    assert!(outcome.code.is_some(), "a signal ended it: {}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert!(peak_kb < MEMORY_KB_MAX, "{peak_kb} kB: {}", outcome.stderr);
    for text in [&outcome.stderr, &String::from_utf8_lossy(&outcome.bytes).into_owned()] {
        let raw = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}'));
        assert_eq!(raw, None, "{text:?}");
    }
    outcome
}

/// A folder of logs with one good object.
pub(crate) struct Scene {
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOOD).join("logs/flows.log");
        std::fs::copy(good, folder.path().join("logs/good.log")).unwrap();
        Scene { folder }
    }

    pub(crate) fn with(name: &str, bytes: &[u8]) -> Scene {
        let scene = Scene::new();
        scene.add(name, bytes);
        scene
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    pub(crate) fn add(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.logs().join(name), bytes).unwrap();
    }

    #[track_caller]
    pub(crate) fn sql(&self, format: &str, statement: &str, further: &[&str]) -> Outcome {
        let logs = self.logs();
        bounded(&[&["sql", logs.to_str().unwrap(), "-o", format, "-c", statement], further].concat())
    }

    /// Rows of every object, by name, from a run that ends with `code`.
    #[track_caller]
    pub(crate) fn objects(&self, code: i32) -> Vec<Value> {
        let statement = "SELECT log_object, status, reason, lines, records_ok, records_rejected FROM objects ORDER BY log_object";
        let rows = self.sql("json", statement, &[]).exits(code).json();
        rows.as_array().unwrap().clone()
    }

    /// The bad object is named with its place by `report egress` and `sql`, as table, JSON and Markdown; the good one is read whole.
    #[track_caller]
    pub(crate) fn is_incomplete(&self, name: &str, told: &[&str]) {
        let rows = self.sql("table", "SELECT count(*) AS n FROM flows WHERE log_object LIKE '%good.log'", &[]).exits(4);
        assert!(rows.text().contains(&GOOD_RECORDS.to_string()), "{}", rows.text());
        for told in told.iter().chain([&name]) {
            assert!(rows.stderr.contains(told), "{told:?} is not in: {}", rows.stderr);
        }
        self.good_rows_stand(4, Some((name, told)));
    }

    /// Lines of the bad object are rejects: counted, with line and reason, and over `--max-rejects` the run is incomplete; without
    /// that option it ends with `code`.
    #[track_caller]
    pub(crate) fn has_rejects(&self, name: &str, line: u64, reason: &str, code: i32) {
        let statement = format!("SELECT log_line AS line, reason FROM rejects WHERE log_object LIKE '%{name}' ORDER BY log_line LIMIT 1");
        let first = &self.sql("json", &statement, &[]).exits(code).json()[0];
        assert!(first["line"] == line && first["reason"] == reason, "{first}");
        self.sql("markdown", "SELECT count(*) FROM flows", &["--max-rejects", "0"]).exits(4).tells("are not records");
        self.good_rows_stand(code, Some((name, &[][..])).filter(|_| code == 4));
    }

    /// The report's rows are those of the good object alone.
    #[track_caller]
    pub(crate) fn good_rows_stand(&self, code: i32, bad: Option<(&str, &[&str])>) {
        let inventory = format!("{GOOD}/inventory");
        let logs = self.logs();
        let report = |format| bounded(&["report", "egress", logs.to_str().unwrap(), "--inventory", &inventory, "-o", format]);
        let answer = report("json").exits(code).json();
        let rows: Vec<(Value, Value)> =
            answer["rows"].as_array().unwrap().iter().map(|row| (row["dst_addr"].clone(), row["bytes_accepted"].clone())).collect();
        let alone =
            crate::program::flowproof(&["report", "egress", &format!("{GOOD}/logs"), "--inventory", &inventory, "-o", "json"]).json();
        let expected: Vec<(Value, Value)> =
            alone["rows"].as_array().unwrap().iter().map(|row| (row["dst_addr"].clone(), row["bytes_accepted"].clone())).collect();
        assert_eq!(rows, expected);
        if let Some((name, told)) = bad {
            let named = answer["incomplete_objects"].to_string();
            assert!(told.iter().chain([&name]).all(|told| named.contains(told)), "{named}");
        }
        for format in ["table", "markdown"] {
            let text = report(format).exits(code).text();
            assert!(bad.is_none_or(|(name, _)| text.contains(name)), "{text}");
        }
    }
}

pub(crate) fn records(count: usize) -> String {
    let line = |at: usize| {
        format!(
            "2 111122223333 eni-{at:017} 10.0.0.1 10.0.{}.{} 44321 443 6 {at} {} 1790848800 1790848860 ACCEPT OK\n",
            at / 250 % 250,
            at % 250,
            at * 97
        )
    };
    (0..count).map(line).collect()
}

fn log(count: usize) -> Vec<u8> {
    format!("{HEADER}\n{}", records(count)).into_bytes()
}

/// A sequence that looks random and is the same in each run (SplitMix64).
pub(crate) fn noise(seed: u64) -> impl Iterator<Item = u64> {
    (1_u64..).map(move |at| {
        let mut z = seed.wrapping_add(at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

pub(crate) fn noise_bytes(seed: u64, count: usize) -> Vec<u8> {
    noise(seed).take(count).map(|number| number as u8).collect()
}

/// Writes one gzip member whose text is `head`, then `block` so many times, then `tail`. A block is compressed once: after a full
/// flush its bytes do not depend on what was before, so they can be repeated.
pub(crate) fn gzip_bomb(path: &Path, head: &[u8], block: &[u8], times: u64, tail: &[u8]) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let (deflated, crc) = (deflated(block), crc_of(block));
    let mut all = crc_of(head);
    out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]).unwrap();
    out.write_all(&self::deflated(head)).unwrap();
    for _ in 0..times {
        out.write_all(&deflated).unwrap();
        all.combine(&crc);
    }
    out.write_all(&self::deflated(tail)).unwrap();
    all.combine(&crc_of(tail));
    // An empty last block, the checksum and the length (RFC 1951 §3.2.6, RFC 1952 §2.3.1).
    out.write_all(&[3, 0]).unwrap();
    out.write_all(&all.sum().to_le_bytes()).unwrap();
    let length = head.len() as u64 + block.len() as u64 * times + tail.len() as u64;
    out.write_all(&(length as u32).to_le_bytes()).unwrap();
    out.flush().unwrap();
}

fn crc_of(text: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(text);
    crc
}

/// Deflates a text and aligns its end to a byte.
fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 16 + 1_024);
    let mut compress = Compress::new(Compression::best(), false);
    while compress.total_in() < text.len() as u64 {
        out.reserve(4_096);
        compress.compress_vec(&text[compress.total_in() as usize..], &mut out, FlushCompress::None).unwrap();
    }
    loop {
        out.reserve(4_096);
        let before = out.len();
        compress.compress_vec(&[], &mut out, FlushCompress::Full).unwrap();
        if out.len() < out.capacity() || out.len() == before {
            return out;
        }
    }
}

/// Returns the gzip of a text.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

// ---- text, gzip, zstd

#[test]
fn a_gzip_bomb_in_one_line() {
    let scene = Scene::new();
    gzip_bomb(&scene.logs().join("bomb.log.gz"), format!("{HEADER}\n").as_bytes(), &[b'a'; 16 << 20], 128, &[]);
    scene.has_rejects("bomb.log.gz", 2, "line-too-long", 4);
}

#[test]
fn a_gzip_bomb_between_good_lines() {
    let scene = Scene::new();
    gzip_bomb(&scene.logs().join("bomb.log.gz"), &log(3), &[0; 16 << 20], 16, format!("\n{}", records(2)).as_bytes());
    scene.has_rejects("bomb.log.gz", 5, "line-too-long", 4);
    assert_eq!(scene.objects(4)[0]["records_ok"], 5);
}

#[test]
fn a_gzip_bomb_of_many_lines() {
    let scene = Scene::new();
    let lines = 3_000_000;
    gzip_bomb(&scene.logs().join("bomb.log.gz"), format!("{HEADER}\n").as_bytes(), &b"x\n".repeat(1_000), lines / 1_000, &[]);
    scene.has_rejects("bomb.log.gz", 2, "too-few-fields", 4);
    assert_eq!(scene.objects(4)[0]["records_rejected"], lines);
}

#[test]
fn a_gzip_bomb_of_headers_and_blanks() {
    let scene = Scene::new();
    gzip_bomb(&scene.logs().join("bomb.log.gz"), &log(1), format!("{HEADER}\n\n\n").repeat(100).as_bytes(), 300, b"z\n");
    scene.has_rejects("bomb.log.gz", 90_003, "too-few-fields", 0);
}

#[test]
fn an_endless_line_of_plain_text() {
    let scene = Scene::new();
    let file = std::fs::File::create(scene.logs().join("endless.log")).unwrap();
    file.set_len(2 << 30).unwrap();
    scene.has_rejects("endless.log", 1, "line-too-long", 4);
}

#[test]
fn a_zstd_bomb() {
    let scene = Scene::new();
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
    bomb.write_all(format!("{HEADER}\n").as_bytes()).unwrap();
    let frame = bomb.finish().unwrap();
    let block = zstd::encode_all(&vec![b'a'; 64 << 20][..], 1).unwrap();
    scene.add("bomb.log.zst", &[frame, block.repeat(32)].concat());
    scene.has_rejects("bomb.log.zst", 2, "line-too-long", 4);
}

#[test]
fn a_zstd_frame_that_wants_a_window_of_two_gigabytes() {
    // RFC 8878 §3.1.1.1.2: exponent 21 of the window descriptor; then one last block of one repeated byte.
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3][..], &[0x03 | (1 << 3), 0x00, 0x00, b'a']].concat();
    Scene::with("window.log.zst", &frame).is_incomplete("window.log.zst", &["stored byte 0"]);
}

#[test]
fn gzip_in_gzip_in_gzip() {
    let scene = Scene::new();
    gzip_bomb(&scene.logs().join("inner.gz"), b"", &[b'a'; 16 << 20], 128, &[]);
    let inner = std::fs::read(scene.logs().join("inner.gz")).unwrap();
    std::fs::remove_file(scene.logs().join("inner.gz")).unwrap();
    for (name, bytes) in [("twice.log.gz", gzip(&inner)), ("thrice.log.gz", gzip(&gzip(&inner)))] {
        scene.add(name, &bytes);
    }
    // How often gzip is unwrapped is decode's choice; nothing of it may count as a record, or stay unsaid.
    let objects = scene.sql("json", "SELECT * FROM objects WHERE log_object NOT LIKE '%good.log'", &[]).json();
    assert_eq!(objects.as_array().unwrap().len(), 2);
    for object in objects.as_array().unwrap() {
        assert_eq!(object["records_ok"], 0);
        assert!(object["records_rejected"].as_u64().unwrap() > 0 || object["status"] != "read", "{object}");
    }
}

#[test]
fn truncated_gzip_anywhere() {
    let scene = Scene::new();
    let stored = gzip(&log(2_000));
    let cuts: Vec<usize> =
        (1..40).map(|at| stored.len() * at / 40).chain([2, 9, 10, 11, stored.len() - 9, stored.len() - 8, stored.len() - 1]).collect();
    cuts.iter().for_each(|cut| scene.add(&format!("cut-{cut:06}.log.gz"), &stored[..*cut]));
    let objects = scene.objects(4);
    for (object, cut) in objects.iter().zip({
        let mut cuts = cuts.clone();
        cuts.sort_unstable();
        cuts
    }) {
        assert_ne!(object["status"], "read", "cut at {cut}: {object}");
        let reason = object["reason"].as_str().unwrap();
        assert!(reason.contains("after line") && reason.contains("stored byte"), "{reason}");
        assert!(object["records_ok"].as_u64().unwrap() <= 2_000 && object["records_rejected"] == 0, "{object}");
    }
    scene.is_incomplete(&format!("cut-{:06}.log.gz", cuts[20]), &["damaged after line", "stored byte"]);
}

#[test]
fn flipped_bits_in_gzip_never_pass_unsaid() {
    let scene = Scene::new();
    let text = log(300);
    let stored = gzip(&text);
    for (at, number) in noise(11).take(150).enumerate() {
        let mut bytes = stored.clone();
        bytes[number as usize % stored.len()] ^= 1 << (number >> 60 & 7);
        scene.add(&format!("flip-{at:03}.log.gz"), &bytes);
    }
    let sound = scene.sql(
        "json",
        "SELECT log_object, count(*) AS n, sum(bytes) AS bytes, sum(packets) AS packets FROM flows GROUP BY 1 ORDER BY 1",
        &[],
    );
    let sound = sound.exits(4).json();
    let (bytes, packets) = ((0..300_u64).map(|at| at * 97).sum::<u64>(), (0..300_u64).sum::<u64>());
    let mut damaged = 0;
    for object in scene.objects(4).iter().filter(|object| !object["log_object"].as_str().unwrap().ends_with("good.log")) {
        if object["status"] != "read" {
            damaged += 1;
            continue;
        }
        // A flip in the header's name, time or system changes nothing; one in the magic makes it text, which is no record.
        let rows = sound.as_array().unwrap().iter().find(|row| row["log_object"] == object["log_object"]);
        match rows {
            Some(rows) => assert_eq!((&rows["n"], &rows["bytes"], &rows["packets"]), (&json!(300), &json!(bytes), &json!(packets))),
            None => assert!(object["records_rejected"].as_u64().unwrap() > 0, "{object}"),
        }
    }
    assert!(damaged > 140, "{damaged}");
    scene.good_rows_stand(4, None);
}

#[test]
fn random_bytes_named_as_a_log() {
    let scene = Scene::with("noise.log.gz", &noise_bytes(1, 1 << 20));
    scene.has_rejects("noise.log.gz", 1, "not-text", 4);
    let magic = [&[0x1f, 0x8b, 8, 0][..], &noise_bytes(2, 1 << 20)].concat();
    Scene::with("noise.log.gz", &magic).is_incomplete("noise.log.gz", &["damaged after line 0", "stored byte 10"]);
    let magic = [&[0x28, 0xb5, 0x2f, 0xfd][..], &noise_bytes(3, 1 << 20)].concat();
    Scene::with("noise.log.gz", &magic).is_incomplete("noise.log.gz", &["damaged after line 0", "stored byte 0"]);
    let magic = [&b"PAR1"[..], &noise_bytes(4, 1 << 20)].concat();
    Scene::with("noise.log.gz", &magic).is_incomplete("noise.log.gz", &["Parquet"]);
}

#[test]
fn escapes_in_lines_headers_and_layouts_do_not_reach_the_terminal() {
    let scene = Scene::new();
    let odd = "\x1b[2J\x1b]0;owned\x07\u{202e}\u{9b}31m\x08\x7f";
    let record = records(1).replace("ACCEPT", odd);
    scene.add("odd.log", format!("{HEADER}\n{record}{odd}\n\x1b[31m{HEADER}\n{HEADER} {odd}\n").as_bytes());
    for statement in ["SELECT * FROM rejects", "SELECT * FROM objects"] {
        for format in ["table", "markdown"] {
            scene.sql(format, statement, &["--validate", "full"]).exits(4);
        }
    }
}

// ---- inventory

/// The good case's inventory with one more file, and the report over the good case's logs.
#[track_caller]
fn with_inventory(name: &str, bytes: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOOD).join("inventory");
    for (path, bytes) in crate::program::files(&good) {
        std::fs::create_dir_all(folder.path().join(&path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(&path), bytes).unwrap();
    }
    let place = folder.path().join("2026-10-01T000000Z").join(name);
    std::fs::write(place, bytes).unwrap();
    bounded(&["report", "egress", &format!("{GOOD}/logs"), "--inventory", folder.path().to_str().unwrap(), "-o", "json"])
}

#[track_caller]
fn is_malformed(name: &str, bytes: &[u8], told: &[&str]) {
    let outcome = with_inventory(name, bytes).exits(1).without_results();
    for told in told.iter().chain([&name]) {
        assert!(outcome.stderr.contains(told), "{told:?} is not in: {}", outcome.stderr);
    }
}

/// A text of about so many MB: a head, a part many times with separators, a tail.
fn huge(megabytes: usize, head: &str, part: &str, tail: &str) -> Vec<u8> {
    let times = (megabytes << 20) / (part.len() + 1);
    [head, &vec![part; times].join(","), tail].concat().into_bytes()
}

#[test]
fn inventory_that_is_not_json() {
    for (name, bytes, told) in [
        ("cut.json", b"{\"NetworkInterfaces\": [{".to_vec(), "cut.json:1:"),
        ("trailing.json", b"{}\n}".to_vec(), "trailing.json:2:1"),
        ("not-utf8.json", b"{\"Vpcs\": [{\"VpcId\": \"vpc-\xff\xfe\"}]}".to_vec(), "not-utf8.json:1:"),
        ("noise.json", [b"{", &noise_bytes(7, 10_000)[..]].concat(), "noise.json:1:"),
        ("number.json", b"{\"Vpcs\": [{\"x\": 1e999999}]}".to_vec(), "number.json:1:"),
        ("control.json", b"{\"Vpcs\": \"\x1b[2J\"}".to_vec(), "control.json:1:"),
        ("deep-lists.json", vec![b'['; 100_000], "recursion limit exceeded"),
        ("deep-objects.json", "{\"a\":".repeat(100_000).into_bytes(), "recursion limit exceeded"),
        ("deep-data.json", "{\"data\":".repeat(100_000).into_bytes(), "recursion limit exceeded"),
        ("deep-element.json", format!("{{\"Vpcs\":[{}", "[".repeat(100_000)).into_bytes(), "recursion limit exceeded"),
        ("cut.json.gz", gzip(b"{\"Vpcs\": []}")[..20].to_vec(), "cannot be inflated"),
        ("noise.json.gz", [&[0x1f, 0x8b, 8, 0][..], &noise_bytes(8, 1_000)].concat(), "cannot be inflated"),
    ] {
        is_malformed(name, &bytes, &[told]);
    }
}

#[test]
fn inventory_of_tens_of_megabytes() {
    /// Past the bounds of values and of resources; of one text each 64 bytes count as a value, so that takes 100 MB.
    const MOST: usize = 40;
    for (name, bytes, told) in [
        ("numbers.json", huge(MOST, "{\"x\":[", "0", "]}"), "values"),
        ("element.json", huge(MOST, "{\"Vpcs\":[{\"Tags\":[", "{}", "]}]}"), "values"),
        ("untyped.json", huge(MOST, "{\"items\":[", "0", "]}"), "values"),
        ("pages.json", huge(MOST, "[", "{\"items\":[],\"Vpcs\":[]}", "]"), "resources"),
        ("string.json", huge(100, "{\"x\":\"", "aaaaaaaaaaaaaaa", "\"}"), "values"),
        ("keys.json", huge(MOST, "{", "\"k\":0", ",\"Vpcs\":[0}"), "keys.json:1:"),
    ] {
        is_malformed(name, &bytes, &[told, &format!("{name}:1:")]);
    }
    // What says nothing does no harm.
    for (name, bytes) in [
        ("empty.json", huge(MOST, "{\"Vpcs\":[", "{}", "]}")),
        ("same-pages.json", huge(MOST, "[", "{\"items\":[]}", "]")),
        ("documents.json", huge(MOST, "[", "{\"region\":\"x\"}", "]")),
        ("spaces.json", huge(MOST, "{}", &" ".repeat(1_000), "").into_iter().filter(|byte| *byte != b',').collect()),
    ] {
        let rows = with_inventory(name, &bytes).exits(0).json();
        assert_eq!(rows["rows"].as_array().unwrap().len(), 4, "{name}");
    }
}

#[test]
fn inventory_bombs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.gz");
    for (name, head, block, told) in [
        ("string.json.gz", "{\"x\":\"", vec![b'a'; 16 << 20], "a string is longer than 16 MiB"),
        ("quotes.json.gz", "{\"x\":\"", b"\\\"".repeat(8 << 20), "a string is longer than 16 MiB"),
        ("numbers.json.gz", "{\"x\":[0", b",0".repeat(1 << 20), "values"),
        ("key.json.gz", "{\"", vec![b'k'; 16 << 20], "a string is longer than 16 MiB"),
    ] {
        gzip_bomb(&path, head.as_bytes(), &block, 64, b"");
        is_malformed(name, &std::fs::read(&path).unwrap(), &[told]);
    }
}

#[test]
fn inventory_of_the_wrong_types() {
    for text in [
        r#"{"NetworkInterfaces": {"NetworkInterfaceId": 1}, "Subnets": 7, "Vpcs": null, "NatGateways": "x", "items": true}"#,
        r#"{"NetworkInterfaces": [[], 1, null, "x", {"NetworkInterfaceId": 5, "PrivateIpAddress": {}}, {"NetworkInterfaceId": "eni-0a100000000000001", "Attachment": [], "Groups": {}, "PrivateIpAddresses": "10.0.0.1", "TagSet": [1, {"Key": 1}]}]}"#,
        r#"{"Subnets": [{"SubnetId": "subnet-1", "CidrBlock": "999.0.0.0/99"}, {"SubnetId": "subnet-2", "CidrBlock": "0.0.0.0/0"}]}"#,
        r#"{"cluster": {"name": [], "arn": 5}, "Vpcs": [], "Vpcs": [{"VpcId": "vpc-1"}], "Vpcs": 3, "cluster": 4}"#,
        r#"{"collected_at": -99999999999999999999999, "data": {"Vpcs": [{"VpcId": "vpc-9"}]}}"#,
        r#"{"collected_at": 1e308, "data": [{"data": {"collected_at": "9999-99-99T99:99:99Z"}}]}"#,
        r#"{"Records": [{"eventName": "CreateNetworkInterface", "eventTime": 18446744073709551615, "eventSource": 1}], "configurationItems": [{"configurationItemCaptureTime": "0000-00-00", "configuration": "{\"a\":"}]}"#,
        r#"{"FlowLogs": [{"FlowLogId": "fl-1", "ResourceId": "vpc-1", "LogFormat": "${", "CreationTime": "+999999-01-01T00:00:00Z"}]}"#,
        r#"{"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "\u0000\u001b[2J\ud83d\ude00", "namespace": "x"}, "status": {"podIPs": [{"ip": "::ffff:10.0.0.1"}, {"ip": "not"}], "podIP": 5}}]}"#,
        r#"{"syncToken": "-1", "prefixes": [{"ip_prefix": "10.0.0.0/33"}, {"ip_prefix": 1, "service": []}], "ipv6_prefixes": {}}"#,
    ] {
        let answer = with_inventory("odd.json", text.as_bytes()).exits(0).json();
        assert_eq!(answer["rows"].as_array().unwrap().len(), 4, "{text}");
    }
}

#[test]
fn names_in_the_inventory_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let odd = "\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u009b31m";
    let text = format!(
        r#"{{"Vpcs": [{{"VpcId": "vpc-{odd}", "Tags": [{{"Key": "Name", "Value": "{odd}"}}]}}],
        "NetworkInterfaces": [{{"NetworkInterfaceId": "eni-{odd}", "Description": "{odd}", "PrivateIpAddress": "10.0.0.1", "VpcId": "vpc-{odd}"}}],
        "clusters": ["{odd}"], "cluster": {{"name": "{odd}", "arn": "arn:aws:eks:eu-central-1:111122223333:cluster/{odd}"}}}}"#
    );
    std::fs::write(folder.path().join("\x1b[31mred\nsecond line.json"), text).unwrap();
    std::fs::write(folder.path().join("\x1b[31mnothing.json"), "{}").unwrap();
    let inventory = folder.path().to_str().unwrap();
    for args in [
        &["inventory", "show", "-o", "table"][..],
        &["inventory", "show", "-o", "markdown"],
        &["inventory", "check", "-o", "table"],
        &["inventory", "check", "-o", "markdown"],
    ] {
        checked(command(&[args, &["--inventory", inventory]].concat())).exits(0);
    }
    std::fs::write(folder.path().join("\x1b[31mbroken.json"), "{").unwrap();
    checked(command(&["inventory", "show", "--inventory", inventory])).exits(1).without_results().tells("broken.json:1:1");
}

// ---- names

/// Names that a file system takes; each is a folder or a file with one record.
const NAMES: [&str; 7] = [
    "new\nline.log",
    "\x1b[2J\x1b]0;owned\x07.log",
    "dots..in..name..log",
    "car\rriage\ttab.log",
    "\u{202e}gol.log",
    "'; DROP TABLE flows; --.log",
    "%2e%2e%2f%0a.log",
];

#[test]
fn names_of_files_that_carry_anything() {
    let scene = Scene::new();
    let longest = format!("{}.log", "n".repeat(251));
    for name in NAMES.iter().copied().chain([&*longest]) {
        scene.add(name, &log(1));
        std::fs::create_dir(scene.logs().join(format!("d{name}").chars().take(255).collect::<String>())).unwrap();
        std::fs::write(scene.logs().join(format!("d{name}").chars().take(255).collect::<String>()).join("a.log"), log(1)).unwrap();
    }
    scene.add("\x1b[31mbad.log.gz", &gzip(&log(100))[..200]);
    let expected = 2 * (NAMES.len() as u64 + 1);
    let statement = "SELECT count(*) AS n, count(DISTINCT log_object) AS objects FROM flows WHERE log_object NOT LIKE '%good.log' AND log_object NOT LIKE '%bad.log.gz'";
    assert_eq!(scene.sql("json", statement, &[]).exits(4).json()[0], json!({ "n": expected, "objects": expected }));
    for format in ["table", "markdown"] {
        scene.sql(format, "SELECT log_object, log_line FROM flows ORDER BY 1, 2", &[]).exits(4).tells("bad.log.gz");
    }
    for args in [&["plan"][..], &["plan", "-v"], &["plan", "-o", "markdown"]] {
        bounded(&[args, &[scene.logs().to_str().unwrap()]].concat()).exits(0);
    }
    scene.good_rows_stand(4, Some(("bad.log.gz", &["damaged after line"])));
}

#[test]
fn a_name_that_is_not_utf8_is_told_and_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    std::fs::write(scene.logs().join(std::ffi::OsStr::from_bytes(b"a\xff\x1b[2J.log")), log(1)).unwrap();
    scene.good_rows_stand(0, None);
    let answer = scene.sql("json", "SELECT count(*) AS n FROM flows", &["-v"]).exits(0);
    assert_eq!(answer.json()[0]["n"], GOOD_RECORDS);
    answer.tells("not UTF-8");
}

#[test]
fn keys_of_a_bucket_that_carry_anything() {
    let server = S3Server::start_blocking();
    let good = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(GOOD).join("logs/flows.log")).unwrap();
    server.put("logs", "in/good.log", good);
    let longest = format!("in/{}.log", "k".repeat(1_024 - 7));
    let mut keys: Vec<String> =
        ["../up.log", "a/../../../../tmp/hostile.log", "/absolute.log", "//twice.log", "a//b.log", "./here.log", "\\back.log"]
            .iter()
            .map(|name| format!("in/{name}"))
            .collect();
    keys.extend(NAMES.iter().map(|name| format!("in/{name}")));
    keys.push(longest);
    keys.iter().for_each(|key| server.put("logs", key, log(1)));
    server.put("logs", "in/\x1b[31mbad.log.gz", gzip(&log(100))[..200].to_vec());
    let on_server = |args: &[&str]| {
        let mut command = command(&[args, &["--endpoint-url", server.endpoint_url(), "--region", "eu-central-1"]].concat());
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        checked(command)
    };
    let statement = "SELECT count(*) AS n, count(DISTINCT log_object) AS objects FROM flows WHERE log_object NOT LIKE '%good.log' AND log_object NOT LIKE '%bad.log.gz'";
    let rows = on_server(&["sql", "s3://logs/in/", "-o", "json", "-c", statement]).exits(4).tells("bad.log.gz").json();
    assert_eq!(rows[0], json!({ "n": keys.len(), "objects": keys.len() }));
    for args in [
        &["sql", "-o", "table", "-c", "SELECT log_object FROM flows"][..],
        &["sql", "-o", "markdown", "-c", "SELECT * FROM objects"],
        &["report", "egress", "--inventory", &format!("{GOOD}/inventory"), "-o", "table"],
    ] {
        on_server(&[args, &["s3://logs/in/"]].concat()).exits(4);
    }
    on_server(&["plan", "s3://logs/in/"]).exits(0);
    assert!(!Path::new("/tmp/hostile.log").exists());
}
