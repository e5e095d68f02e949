//! The sealed bundle: what it holds, that other tools accept it, and that no change to it goes unseen.
//!
//! The tools that an auditor has (bash, coreutils, jq, OpenSSL, unzip, python's zipfile) are the oracle; CONTRIBUTING names them.

use crate::program::{files, flowproof};
use flowproof::evidence::bag::{BAG_ENVELOPE, RESULTS_ENVELOPE, TIME_STAMP_REPLY, TIME_STAMP_REQUEST, UNSIGNED};
use flowproof::evidence::dsse::{Envelope, EnvelopeSignature};
use flowproof::evidence::ledger::{Entry, Event};
use flowproof::evidence::statement::{BAG_PREDICATE, RESULTS_PREDICATE, Statement};
use flowproof::evidence::verify::Outcome;
use flowproof::evidence::{
    Bag, Contents, Digest, FILE_BYTES_MAX, KeyPair, Ledger, Report, Seal, Sealed, Signer, Surroundings, archive, verify,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 2026-11-01T00:00:00Z.
const SEALED_AT: i64 = 1_793_491_200;
const README: &str = include_str!("../src/evidence/readme.txt");

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The seal of a sample, of which all but `results` may differ between two runs.
fn seal(signer: &Signer) -> Seal<'_> {
    Seal {
        results: object(
            json!({ "run": "5f1c", "period": { "from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z" }, "verdict": "PASS" }),
        ),
        bag: object(json!({ "run": "5f1c/1" })),
        info: vec![("External-Identifier".to_owned(), "evidence-prod-2026-10".to_owned())],
        sealed_at: Some(SEALED_AT),
        time_stamp_request: true,
        ..Seal::new(signer)
    }
}

/// A payload with every kind of file: text, nothing, bytes that do not shrink, more than one read, deep and beside each other.
fn payload(run: &str) -> Vec<(&'static str, Vec<u8>)> {
    let rows = (0..4_000).map(|row| format!("10.20.{}.{},443,6,approved\r\n", row / 250, row % 250));
    let mut noise = Digest::of(b"noise").0.to_vec();
    while noise.len() < 3_000 {
        noise.extend(Digest::of(&noise).0);
    }
    vec![
        ("results.json", b"{\"verdict\":\"PASS\"}\n".to_vec()),
        ("run.json", format!("{{\"host\":{run:?}}}\n").into_bytes()),
        ("destinations.csv", rows.collect::<String>().into_bytes()),
        ("exceptions.csv", Vec::new()),
        ("inputs/files.csv", b"object,sha256\r\n".to_vec()),
        ("inputs-by-day.bin", noise),
    ]
}

fn sealed_with(dir: &Path, run: &str, seal: &Seal<'_>) -> Sealed {
    let mut bag = Bag::create(dir).unwrap();
    for (path, bytes) in payload(run) {
        bag.add(path, &bytes).unwrap();
    }
    bag.seal(seal).unwrap()
}

/// A sealed sample in a temporary folder, with its keys.
struct Sample {
    folder: tempfile::TempDir,
    keys: KeyPair,
    dir: PathBuf,
    sealed: Sealed,
}

impl Sample {
    fn new() -> Sample {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyPair::generate().unwrap();
        keys.write(&folder.path().join("audit.key")).unwrap();
        let dir = folder.path().join("evidence-prod-2026-10");
        let sealed = sealed_with(&dir, "a", &seal(&Signer::KeyFile(keys.clone())));
        Sample { folder, keys, dir, sealed }
    }

    fn key(&self) -> String {
        self.folder.path().join("audit.key.pub").to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    fn zip(&self) -> PathBuf {
        let zip = self.folder.path().join("evidence.zip");
        archive::write(&self.dir, &zip).unwrap();
        zip
    }

    fn verify(&self, path: &Path) -> Report {
        verify(&Contents::read(path).unwrap(), &self.keys.public(), &Surroundings::default())
    }

    /// Checks that a check failed and says so.
    #[track_caller]
    fn fails(&self, check: &str, note: &str) {
        let report = self.verify(&self.dir);
        let found = report.checks.iter().find(|found| found.name == check).unwrap_or_else(|| panic!("no check {check:?}"));
        assert_eq!(found.outcome, Outcome::Failed, "{check}: {report:#?}");
        assert!(found.notes.first.iter().any(|text| text.contains(note)), "{note:?} is not in {:?}", found.notes);
    }
}

/// Copies a bundle, links and all.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").args(["-a"]).args([from, to]).status().unwrap().success());
}

/// Runs a tool with some input; its exit must be good.
#[track_caller]
fn tool(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

#[test]
fn what_is_sealed_verifies_as_folder_and_as_zip() {
    let sample = Sample::new();
    for path in [sample.dir.clone(), sample.zip()] {
        let report = sample.verify(&path);
        assert!(report.is_verified(), "{report:#?}");
        assert!(report.checks.iter().filter(|check| check.outcome == Outcome::Ok).count() >= 10, "{report:#?}");
    }
    // Nobody else's key will do.
    let other = KeyPair::generate().unwrap().public();
    let report = verify(&Contents::read(&sample.dir).unwrap(), &other, &Surroundings::default());
    let failed: Vec<&str> = report.checks.iter().filter(|check| check.outcome == Outcome::Failed).map(|check| check.name).collect();
    assert_eq!(failed, ["public key copy", "signature over the bag", "signature over the results"]);
}

#[test]
fn two_runs_sign_the_same_results() {
    let sample = Sample::new();
    let signer = Signer::KeyFile(sample.keys.clone());
    let again = sample.folder.path().join("again");
    let later = Seal { bag: object(json!({ "run": "5f1c/2" })), sealed_at: Some(SEALED_AT + 86_400), ..seal(&signer) };
    let second = sealed_with(&again, "b", &later);
    assert_eq!(second.results, sample.sealed.results);
    assert_ne!(second.envelope, sample.sealed.envelope);
    let (first, second): (BTreeMap<_, _>, BTreeMap<_, _>) = (files(&sample.dir).into_iter().collect(), files(&again).into_iter().collect());
    let differing: Vec<&str> = first.iter().filter(|(name, bytes)| second[*name] != **bytes).map(|(name, _)| name.as_str()).collect();
    let expected = ["bag-info.txt", BAG_ENVELOPE, TIME_STAMP_REQUEST, "data/run.json", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
    assert_eq!(differing, expected);

    // All the same: all the same, and so is the zip.
    let third = sample.folder.path().join("third/evidence-prod-2026-10");
    sealed_with(&third, "a", &seal(&signer));
    assert_eq!(files(&third), files(&sample.dir));
    let zips = [("1.zip", &third), ("2.zip", &sample.dir)].map(|(name, dir)| {
        let zip = sample.folder.path().join(name);
        let fixity = archive::write(dir, &zip).unwrap();
        let bytes = std::fs::read(zip).unwrap();
        assert_eq!(Digest::of(&bytes), fixity.digest);
        bytes
    });
    assert!(zips[0] == zips[1]);
}

#[test]
fn one_flipped_bit_in_any_file_is_caught() {
    let sample = Sample::new();
    let mut dice = Dice(0x5eed);
    for (name, bytes) in files(&sample.dir) {
        let path = sample.dir.join(&name);
        let random: Vec<usize> = (0..6).filter(|_| !bytes.is_empty()).map(|_| dice.below(bytes.len())).collect();
        let ends = [0, bytes.len().saturating_sub(1)].into_iter().filter(|_| !bytes.is_empty());
        for at in ends.chain(random) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << dice.below(8);
            std::fs::write(&path, &changed).unwrap();
            assert!(!sample.verify(&sample.dir).is_verified(), "{name}, byte {at}: {} to {}", bytes[at], changed[at]);
        }
        // Cut off, grown, gone.
        if !bytes.is_empty() {
            std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
            assert!(!sample.verify(&sample.dir).is_verified(), "{name} without its last byte");
        }
        std::fs::write(&path, [&bytes[..], b"\n"].concat()).unwrap();
        assert!(!sample.verify(&sample.dir).is_verified(), "{name} with a line feed more");
        std::fs::remove_file(&path).unwrap();
        // Who drops the request for a time stamp takes away nothing that was proven.
        assert_eq!(sample.verify(&sample.dir).is_verified(), name == TIME_STAMP_REQUEST, "without {name}");
        std::fs::write(&path, &bytes).unwrap();
    }
    assert!(sample.verify(&sample.dir).is_verified());
}

#[test]
fn one_flipped_bit_anywhere_in_the_zip_is_caught() {
    let sample = Sample::new();
    let zip = sample.zip();
    let bytes = std::fs::read(&zip).unwrap();
    let mut dice = Dice(0x21b);
    // The headers are in the last part and at each file's start; the rest is spread evenly.
    let tail = bytes.len() - 2_500;
    let positions = (0..250).map(|_| dice.below(bytes.len())).chain(0..50).chain((tail..bytes.len()).step_by(13));
    let mut dice = Dice(0xb17);
    for at in positions.collect::<BTreeSet<_>>() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << dice.below(8);
        std::fs::write(&zip, &changed).unwrap();
        let report = sample.verify(&zip);
        assert!(!report.is_verified(), "byte {at} of {}", bytes.len());
    }
    for cut in [0, 3, 4, 29, 30, bytes.len() / 2, tail, bytes.len() - 1] {
        std::fs::write(&zip, &bytes[..cut]).unwrap();
        assert_eq!(sample.verify(&zip).checks[0].outcome, Outcome::Failed, "cut at {cut}");
    }
    // What cannot be read any further is not judged.
    std::fs::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(sample.verify(&zip).checks[1].outcome, Outcome::NotChecked);
    std::fs::write(&zip, [&bytes[..], b"\0"].concat()).unwrap();
    assert_eq!(sample.verify(&zip).checks[0].notes.first.len(), 1);
    std::fs::write(&zip, &bytes).unwrap();
    assert!(sample.verify(&zip).is_verified());
}

#[test]
fn what_differs_is_named() {
    let check = |change: &dyn Fn(&Path), check: &str, note: &str| {
        let sample = Sample::new();
        change(&sample.dir);
        sample.fails(check, note);
    };
    let write = |name: &'static str, bytes: &'static [u8]| move |dir: &Path| std::fs::write(dir.join(name), bytes).unwrap();
    let changed =
        format!("data/results.json: changed; signed is {}, it has {}", Digest::of(b"{\"verdict\":\"PASS\"}\n"), Digest::of(b"{}"));
    check(&write("data/results.json", b"{}"), "files of the bag", &changed);
    check(&write("data/results.json", b"{}"), "files of the results", &changed);
    check(&write("data/results.json", b"{}"), "manifest", "data/results.json: changed; listed is");
    check(&write("data/run.json", b"{}"), "files of the bag", "data/run.json: changed");
    check(&write("data/extra.csv", b""), "files of the bag", "data/extra.csv: not signed");
    check(&write("data/extra.csv", b""), "files of the results", "data/extra.csv: not signed");
    check(&write("data/extra.csv", b""), "manifest", "data/extra.csv: not listed");
    check(&write("data/extra.csv", b""), "bag declaration and Payload-Oxum", "Payload-Oxum is not ");
    check(&write("fetch.txt", b""), "layout", "fetch.txt: no file of a bundle");
    check(&write("README.txt", b""), "tag manifest", "README.txt: changed");
    check(&write("bagit.txt", b"BagIt-Version: 0.97\n"), "bag declaration and Payload-Oxum", "bagit.txt: not BagIt 1.0's");
    check(&write("signer.pub.pem", b""), "public key copy", "not the key given");
    check(&write(TIME_STAMP_REQUEST, b""), "time stamp", "not the request for bag.intoto.json");
    check(&write(TIME_STAMP_REPLY, b"about something else"), "time stamp", "not about bag.intoto.json");
    check(&write(BAG_ENVELOPE, b"{}"), "signature over the bag", "bag.intoto.json: not a DSSE envelope");
    check(&|dir| std::fs::remove_file(dir.join("data/exceptions.csv")).unwrap(), "files of the bag", "data/exceptions.csv: missing");
    check(&|dir| std::fs::remove_file(dir.join("data/exceptions.csv")).unwrap(), "manifest", "data/exceptions.csv: missing");
    check(
        &|dir| std::fs::rename(dir.join("data/run.json"), dir.join("data/ran.json")).unwrap(),
        "files of the results",
        "data/ran.json: not signed",
    );

    // Of very many, the first are named and all are counted.
    let sample = Sample::new();
    (0..50).for_each(|at| std::fs::write(sample.dir.join(format!("data/{at}")), "").unwrap());
    let report = sample.verify(&sample.dir);
    let extra = report.checks.iter().find(|check| check.name == "files of the bag").unwrap();
    assert_eq!((extra.notes.first.len(), extra.notes.count()), (20, 50));
}

#[test]
fn hostile_folders_are_refused() {
    let check = |change: &dyn Fn(&Path), note: &str| {
        let sample = Sample::new();
        change(&sample.dir);
        sample.fails("layout", note);
    };
    let link = |from: &'static str, to: &'static str| move |dir: &Path| std::os::unix::fs::symlink(from, dir.join(to)).unwrap();
    check(&link("/etc/passwd", "data/passwd"), "data/passwd: a symbolic link");
    check(&link("/", "data/root"), "data/root: a symbolic link");
    check(&link("README.txt", "README"), "README: a symbolic link");
    check(&|dir| drop(tool(Command::new("mkfifo").arg(dir.join("data/pipe")), b"")), "data/pipe: not a regular file");
    check(&|dir| std::fs::create_dir(dir.join("data/empty")).unwrap(), "data/empty/: a folder without a file");
    check(&|dir| std::fs::write(dir.join("data/Results.json"), "").unwrap(), "differs from another one's in case only");
    check(&|dir| std::fs::write(dir.join("data/a b"), "").unwrap(), "data/a b: a name with other than");
    check(&|dir| std::fs::write(dir.join(".hidden"), "").unwrap(), ".hidden: a part that starts with");
    check(&|dir| std::fs::write(dir.join("data").join("x".repeat(200)), "").unwrap(), "a name of 200 bytes or more");
    let not_text = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"data/\xff");
    check(&|dir| std::fs::write(dir.join(not_text), "").unwrap(), "data/\u{fffd}: not a regular file");
    // A sparse file of more than is read: found by its size, not by reading it.
    let huge = |dir: &Path| std::fs::File::create(dir.join("data/huge")).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    check(&huge, "data/huge: 17179869185 bytes; 17179869184 are the limit");

    // A link in place of a file that was signed, to a copy of it.
    let sample = Sample::new();
    let file = sample.dir.join("data/results.json");
    let outside = sample.folder.path().join("outside.json");
    std::fs::rename(&file, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &file).unwrap();
    sample.fails("layout", "data/results.json: a symbolic link");
    sample.fails("files of the bag", "data/results.json: missing");
    // A tag file too large to be one is not held in memory, and not believed.
    let sample = Sample::new();
    std::fs::File::options().write(true).open(sample.dir.join(BAG_ENVELOPE)).unwrap().set_len(20 << 20).unwrap();
    sample.fails("signature over the bag", "bag.intoto.json: too large to be one");
}

#[test]
fn envelopes_that_are_not_the_sealed_ones_are_refused() {
    let check = |change: &dyn Fn(&Sample, &mut Envelope), note: &str| {
        let sample = Sample::new();
        let path = sample.dir.join(BAG_ENVELOPE);
        let mut envelope = Envelope::parse(&std::fs::read(&path).unwrap()).unwrap();
        change(&sample, &mut envelope);
        std::fs::write(&path, envelope.to_bytes().unwrap()).unwrap();
        sample.fails("signature over the bag", note);
    };
    check(&|_, envelope| envelope.payload_type = "application/json".to_owned(), "the payload type is \"application/json\"");
    check(&|_, envelope| envelope.payload = envelope.payload.replacen('A', "B", 1), "the signature is not the key's");
    check(&|_, envelope| envelope.payload = format!("{}====", envelope.payload), "the payload is not base64");
    check(&|_, envelope| envelope.signatures.clear(), "the signature is not the key's");
    check(&|_, envelope| envelope.signatures[0].keyid = String::new(), "the key id is not that of the key");
    let second = EnvelopeSignature { keyid: String::new(), sig: "AAAA".to_owned() };
    check(&|_, envelope| envelope.signatures.push(second.clone()), "there are 2 signatures instead of one");
    let spare_bits = |_: &Sample, envelope: &mut Envelope| {
        let sig = &mut envelope.signatures[0].sig;
        assert!(sig.ends_with("=="));
        // One of the spare bits of the last digit.
        let spare = sig.len() - 3;
        let digit = sig.remove(spare);
        sig.insert(spare, char::from(digit as u8 + 1));
    };
    check(&spare_bits, "the signature is not the key's");
    // Another statement of the same key: the results' in place of the bag's, and the bag's of another bundle.
    let others = |sample: &Sample, envelope: &mut Envelope| {
        *envelope = Envelope::parse(&std::fs::read(sample.dir.join(RESULTS_ENVELOPE)).unwrap()).unwrap();
    };
    check(&others, "the predicate type is \"https://flowproof.dev/evidence/results/v1\"");
    let forged = |sample: &Sample, envelope: &mut Envelope| {
        let files = BTreeMap::from([("data/results.json".to_owned(), Digest::of(b""))]);
        let signer = Signer::KeyFile(KeyPair::generate().unwrap());
        *envelope = Envelope::parse(&Statement::new(&files, BAG_PREDICATE, json!({})).sign(&signer).unwrap()).unwrap();
        assert_ne!(signer.public(), sample.keys.public());
    };
    check(&forged, "the signature is not the key's");

    // What the key signed, but not as a bundle has it.
    let rewritten = |payload: &[u8], note: &str| {
        let sample = Sample::new();
        let signer = Signer::KeyFile(sample.keys.clone());
        let envelope = Envelope::sign("application/vnd.in-toto+json", payload, &signer).unwrap();
        std::fs::write(sample.dir.join(BAG_ENVELOPE), envelope.to_bytes().unwrap()).unwrap();
        sample.fails("signature over the bag", note);
    };
    let head = "{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicate\":{},\"predicateType\":";
    rewritten(b"[]", "not an in-toto statement");
    rewritten(format!("{head}\"{BAG_PREDICATE}\",\"subject\":[] }}").as_bytes(), "the statement is not in its canonical form");
    rewritten(format!("{head}\"{RESULTS_PREDICATE}\",\"subject\":[]}}").as_bytes(), "the predicate type is");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    rewritten(deep.as_bytes(), "not an in-toto statement");
    let sample = Sample::new();
    let bytes = std::fs::read(sample.dir.join(BAG_ENVELOPE)).unwrap();
    std::fs::write(sample.dir.join(BAG_ENVELOPE), [b" ", &bytes[..]].concat()).unwrap();
    sample.fails("signature over the bag", "not in its canonical form");
}

#[test]
fn foreign_zips_are_refused() {
    use zip::write::{SimpleFileOptions, ZipWriter};
    let sample = Sample::new();
    let all = files(&sample.dir);
    let path = sample.folder.path().join("foreign.zip");
    let check = |note: &str, build: &dyn Fn(&mut ZipWriter<std::fs::File>)| {
        let mut zip = ZipWriter::new(std::fs::File::create(&path).unwrap());
        build(&mut zip);
        zip.finish().unwrap();
        let report = sample.verify(&path);
        let fault = &report.checks[0];
        assert_eq!((fault.name, fault.outcome), ("zip is the one of its files", Outcome::Failed), "{note}");
        assert!(fault.notes.first[0].contains(note), "{note:?} is not in {:?}", fault.notes);
        assert!(!report.is_verified());
    };
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    // The same files, made by another writer: not deflated, or deflated otherwise.
    let all_with = |options: SimpleFileOptions| {
        let all = &all;
        move |zip: &mut ZipWriter<std::fs::File>| {
            for (name, bytes) in all {
                zip.start_file(format!("evidence/{name}"), options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
    };
    check("not a header as flowproof writes it", &all_with(options.compression_method(zip::CompressionMethod::Stored)));
    check("is deflated in another way", &all_with(options.compression_level(Some(1))));
    check("not in a folder with a safe name", &|zip| {
        zip.start_file("../../etc/cron.d/x", options).unwrap();
        zip.write_all(b"* * * * * root true\n").unwrap();
    });
    check("\"evidence/../../x\" is not allowed in a bundle", &|zip| zip.start_file("evidence/../../x", options).unwrap());
    // That it is a link stands in the directory at the end; what is before it may be that of a file.
    check("", &|zip| zip.add_symlink("evidence/data", "/etc", options).unwrap());
    check("at its start", &|zip| zip.set_comment("nothing").unwrap());
    std::fs::write(&path, "PK").unwrap();
    assert!(sample.verify(&path).checks[0].notes.first[0].contains("cut off"));
    std::fs::write(&path, vec![b'x'; 100]).unwrap();
    assert!(sample.verify(&path).checks[0].notes.first[0].contains("not a zip as flowproof writes it"));
}

#[test]
fn other_tools_take_the_zip() {
    let sample = Sample::new();
    let zip = sample.zip();
    let told = String::from_utf8(tool(Command::new("unzip").arg("-t").arg(&zip), b"")).unwrap();
    assert!(told.contains("No errors detected"), "{told}");
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
        for i in z.infolist():\n assert i.date_time == (1980, 1, 1, 0, 0, 0) and i.external_attr >> 16 == 0o100644, i\n\
        print(len(z.namelist()), z.namelist() == sorted(z.namelist()))";
    let told = String::from_utf8(tool(Command::new("python3").args(["-c", script]).arg(&zip), b"")).unwrap();
    assert_eq!(told, format!("{} True\n", files(&sample.dir).len()));
    let mut read = zip::ZipArchive::new(std::fs::File::open(&zip).unwrap()).unwrap();
    assert_eq!(read.len(), files(&sample.dir).len());
    assert_eq!(read.by_index(0).unwrap().name().unwrap(), "evidence-prod-2026-10/README.txt");

    // Unpacked, it is the bundle again, and zips to the same bytes.
    let unpacked = sample.folder.path().join("unpacked");
    tool(Command::new("unzip").arg("-q").arg(&zip).arg("-d").arg(&unpacked), b"");
    let dir = unpacked.join("evidence-prod-2026-10");
    assert_eq!(files(&dir), files(&sample.dir));
    assert!(sample.verify(&dir).is_verified());
    let again = sample.folder.path().join("again.zip");
    archive::write(&dir, &again).unwrap();
    assert!(std::fs::read(again).unwrap() == std::fs::read(&zip).unwrap());
    // A zip is not overwritten, and what must not be in one ends it.
    assert!(archive::write(&dir, &zip).unwrap_err().to_string().contains("exists"));
    std::os::unix::fs::symlink("/etc", dir.join("data/etc")).unwrap();
    let told = archive::write(&dir, &sample.folder.path().join("link.zip")).unwrap_err().to_string();
    assert!(told.contains("data/etc: a symbolic link"), "{told}");
    assert!(!sample.folder.path().join("link.zip").exists());
}

/// The commands that the bundle's own README gives, as they stand there.
fn commands_by_hand(readme: &str) -> String {
    let part = readme.split("\nVERIFY BY HAND\n").nth(1).unwrap().split("\nWHAT IT SAYS\n").next().unwrap();
    part.lines().filter_map(|line| line.strip_prefix("    ")).flat_map(|line| [line, "\n"]).collect()
}

/// Runs them in a bundle; returns whether they end with VERIFIED, and all that they said.
fn by_hand(dir: &Path, script: &str, key: &Path) -> (bool, String) {
    let output = Command::new("bash").args(["-c", script]).current_dir(dir).env("KEY", key).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert_eq!(output.status.success(), told.ends_with("VERIFIED\n"), "{told}");
    (output.status.success(), told)
}

#[test]
fn the_readme_verifies_it_without_flowproof() {
    let sample = Sample::new();
    let readme = std::fs::read_to_string(sample.dir.join("README.txt")).unwrap();
    let script = commands_by_hand(&readme);
    assert_eq!(script, commands_by_hand(README));
    assert!(script.lines().count() > 20, "{script}");
    let key = PathBuf::from(sample.key());
    let (verified, told) = by_hand(&sample.dir, &script, &key);
    assert!(verified, "{told}");
    assert_eq!(told.matches("Signature Verified Successfully").count(), 2, "{told}");

    let other = sample.folder.path().join("other.key");
    let others = KeyPair::generate().unwrap();
    others.write(&other).unwrap();
    let (verified, told) = by_hand(&sample.dir, &script, &sample.folder.path().join("other.key.pub"));
    assert!(!verified, "{told}");

    let check = |what: &str, change: &dyn Fn(&Path)| {
        let dir = sample.folder.path().join("changed");
        copy(&sample.dir, &dir);
        change(&dir);
        let (verified, told) = by_hand(&dir, &script, &key);
        assert!(!verified, "{what}: {told}");
        assert!(!sample.verify(&dir).is_verified(), "{what}: flowproof says the same");
        std::fs::remove_dir_all(&dir).unwrap();
    };
    check("an extra file in the payload", &|dir| std::fs::write(dir.join("data/extra"), "").unwrap());
    check("an extra file at the top", &|dir| std::fs::write(dir.join("fetch.txt"), "").unwrap());
    check("an extra file that is named almost like an unsigned one", &|dir| std::fs::write(dir.join("bagxintoto.json"), "").unwrap());
    check("a link", &|dir| std::os::unix::fs::symlink("/etc", dir.join("data/etc")).unwrap());
    check("a file cut off", &|dir| {
        let file = std::fs::File::options().write(true).open(dir.join("data/destinations.csv")).unwrap();
        file.set_len(1_000).unwrap();
    });
    check("a file changed, the manifests rewritten", &|dir| {
        std::fs::write(dir.join("data/results.json"), "{}").unwrap();
        let again = "sha256sum $(cut -c67- manifest-sha256.txt) > m; mv m manifest-sha256.txt
            sha256sum $(cut -c67- tagmanifest-sha256.txt) > m; mv m tagmanifest-sha256.txt
            sha256sum --check --quiet manifest-sha256.txt tagmanifest-sha256.txt";
        tool(Command::new("bash").args(["-ec", again]).current_dir(dir), b"");
    });
    check("run.json changed", &|dir| std::fs::write(dir.join("data/run.json"), "{}").unwrap());
    check("the payload type changed", &|dir| {
        let text = std::fs::read_to_string(dir.join(BAG_ENVELOPE)).unwrap();
        std::fs::write(dir.join(BAG_ENVELOPE), text.replace("application/vnd.in-toto+json", "application/json")).unwrap();
    });
    check("the results' envelope in place of the bag's", &|dir| {
        std::fs::copy(dir.join(RESULTS_ENVELOPE), dir.join(BAG_ENVELOPE)).unwrap();
    });
    check("no results' envelope", &|dir| std::fs::remove_file(dir.join(RESULTS_ENVELOPE)).unwrap());
    check("another key's copy", &|dir| std::fs::write(dir.join("signer.pub.pem"), others.public().to_pem().unwrap()).unwrap());
    for name in files(&sample.dir).iter().map(|(name, _)| name).filter(|name| *name != TIME_STAMP_REQUEST) {
        check(&format!("a byte more at the end of {name}"), &|dir| {
            let mut file = std::fs::File::options().append(true).open(dir.join(name)).unwrap();
            file.write_all(b"x").unwrap();
        });
    }
}

#[test]
fn manifests_are_what_coreutils_and_the_standard_say() {
    let sample = Sample::new();
    let listed = |name: &str| std::fs::read_to_string(sample.dir.join(name)).unwrap();
    let names = |text: &str| text.lines().map(|line| line[66..].to_owned()).collect::<Vec<_>>();
    let check = Command::new("sha256sum")
        .args(["--check", "--quiet", "--strict", "manifest-sha256.txt", "tagmanifest-sha256.txt"])
        .current_dir(&sample.dir)
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
    // Sorted by bytes: `-` stands before `/`.
    let payload = ["destinations.csv", "exceptions.csv", "inputs-by-day.bin", "inputs/files.csv", "results.json", "run.json"];
    assert_eq!(names(&listed("manifest-sha256.txt")), payload.map(|name| format!("data/{name}")));
    assert_eq!(names(&listed("tagmanifest-sha256.txt")), ["README.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt"]);
    assert_eq!(listed("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    let octets: usize = self::payload("a").iter().map(|(_, bytes)| bytes.len()).sum();
    let info = format!(
        "Bag-Software-Agent: flowproof {}\nBagging-Date: 2026-11-01\nExternal-Identifier: evidence-prod-2026-10\nPayload-Oxum: {octets}.6\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(listed("bag-info.txt"), info);
    let statement = |name: &str| Statement::unverified(&std::fs::read(sample.dir.join(name)).unwrap()).unwrap();
    assert_eq!(
        statement(RESULTS_ENVELOPE).predicate,
        json!({ "period": { "from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z" }, "previous": null, "run": "5f1c", "verdict": "PASS" })
    );
    let bag: Vec<String> = statement(BAG_ENVELOPE).files().unwrap().into_keys().collect();
    let all: Vec<String> = files(&sample.dir).into_iter().map(|(name, _)| name).filter(|name| !UNSIGNED.contains(&name.as_str())).collect();
    assert_eq!(bag.iter().collect::<BTreeSet<_>>(), all.iter().collect::<BTreeSet<_>>());
    let results: Vec<String> = statement(RESULTS_ENVELOPE).files().unwrap().into_keys().collect();
    assert_eq!(results, payload[..5].iter().map(|name| format!("data/{name}")).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs bagit and securesystemslib from PyPI; by hand, see tests/heavy/README.md"]
fn other_readers_of_bags_and_envelopes_agree() {
    let sample = Sample::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/heavy/bundle/validate.py");
    let ask = |key: &str| {
        let output = Command::new("python3").arg(&script).args([sample.path(), key]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (accepted, told) = ask(&sample.key());
    assert!(accepted && told.contains(&format!("bag: {}", sample.keys.public().id().unwrap())), "{told}");
    let other = sample.folder.path().join("other.key");
    let other = KeyPair::generate().unwrap().write(&other).unwrap();
    let (accepted, told) = ask(other.to_str().unwrap());
    assert!(!accepted && told.contains("securesystemslib: results"), "{told}");
    std::fs::write(sample.dir.join("data/extra"), "x").unwrap();
    let (accepted, told) = ask(&sample.key());
    assert!(!accepted && told.contains("Payload-Oxum"), "{told}");
}

#[test]
fn keys_and_signatures_go_both_ways_with_openssl() {
    let sample = Sample::new();
    let at = |name: &str| sample.folder.path().join(name);
    let openssl = |args: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(sample.folder.path()).args(args);
        command
    };
    // Ours is read by OpenSSL, with the same public key.
    let public = tool(&mut openssl(&["pkey", "-in", "audit.key", "-pubout"]), b"");
    assert_eq!(public, std::fs::read(at("audit.key.pub")).unwrap());
    std::fs::write(at("message"), "a message").unwrap();
    std::fs::write(at("signature"), sample.keys.sign(b"a message")).unwrap();
    let args = ["pkeyutl", "-verify", "-pubin", "-inkey", "audit.key.pub", "-rawin", "-in", "message", "-sigfile", "signature"];
    tool(&mut openssl(&args), b"");
    // OpenSSL's is read by us, and signs the same.
    tool(&mut openssl(&["genpkey", "-algorithm", "ed25519", "-out", "theirs.key"]), b"");
    tool(&mut openssl(&["pkeyutl", "-sign", "-inkey", "theirs.key", "-rawin", "-in", "message", "-out", "signature"]), b"");
    let theirs = KeyPair::read(&at("theirs.key")).unwrap();
    assert_eq!(theirs.sign(b"a message")[..], std::fs::read(at("signature")).unwrap());

    // Other kinds of keys are refused by name.
    tool(&mut openssl(&["genpkey", "-algorithm", "x25519", "-out", "x.key"]), b"");
    assert!(KeyPair::read(&at("x.key")).unwrap_err().to_string().contains("not an Ed25519 private key"));
    tool(&mut openssl(&["pkey", "-in", "x.key", "-pubout", "-out", "x.pub"]), b"");
    assert!(flowproof::evidence::PublicKey::read(&at("x.pub")).unwrap_err().to_string().contains("not an Ed25519 public key"));
    tool(&mut openssl(&["pkey", "-in", "theirs.key", "-aes256", "-passout", "pass:x", "-out", "locked.key"]), b"");
    assert!(KeyPair::read(&at("locked.key")).unwrap_err().hint().unwrap().contains("encrypted"));
}

#[test]
fn a_command_signs_in_place_of_a_key_file() {
    let sample = Sample::new();
    // OpenSSL 3.0 signs Ed25519 from a file only, not from a pipe.
    let key = sample.folder.path().join("audit.key");
    let sign = format!("m=$(mktemp); cat > $m; openssl pkeyutl -sign -inkey '{}' -rawin -in $m; rm $m", key.display());
    for command in [sign.clone(), format!("({sign}) | base64")] {
        let signer = Signer::Command { command, public: sample.keys.public() };
        let dir = tempfile::tempdir_in(sample.folder.path()).unwrap();
        let sealed = sealed_with(&dir.path().join("b"), "a", &seal(&signer));
        assert!(sample.verify(&dir.path().join("b")).is_verified());
        assert_eq!((sealed.results, sealed.envelope), (sample.sealed.results, sample.sealed.envelope), "Ed25519 has one signature");
    }
    // A failing signer leaves nothing that looks sealed, and nothing else.
    for command in ["exit 1", "head -c 64 /dev/zero", "echo no"] {
        let signer = Signer::Command { command: command.to_owned(), public: sample.keys.public() };
        let dir = tempfile::tempdir_in(sample.folder.path()).unwrap();
        let mut bag = Bag::create(&dir.path().join("b")).unwrap();
        bag.add("results.json", b"{}").unwrap();
        assert!(bag.seal(&seal(&signer)).is_err(), "{command}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{command}");
    }
}

#[test]
fn the_time_stamp_request_is_openssls() {
    let sample = Sample::new();
    let args = ["ts", "-query", "-data", BAG_ENVELOPE, "-sha256", "-cert", "-no_nonce"];
    let theirs = tool(Command::new("openssl").args(args).current_dir(&sample.dir), b"");
    assert_eq!(std::fs::read(sample.dir.join(TIME_STAMP_REQUEST)).unwrap(), theirs);
    let args = ["ts", "-query", "-text", "-in", TIME_STAMP_REQUEST];
    let text = String::from_utf8(tool(Command::new("openssl").args(args).current_dir(&sample.dir), b"")).unwrap();
    assert!(text.contains("Hash Algorithm: sha256") && text.contains("Certificate required: yes"), "{text}");

    // A reply that names the envelope is pointed out, not judged.
    std::fs::write(sample.dir.join(TIME_STAMP_REPLY), [b"reply", &sample.sealed.envelope.0[..]].concat()).unwrap();
    let report = sample.verify(&sample.dir);
    let stamp = report.checks.iter().find(|check| check.name == "time stamp").unwrap();
    assert_eq!(stamp.outcome, Outcome::NotChecked);
    assert!(stamp.notes.first[0].contains("openssl ts -verify -data bag.intoto.json -in bag.intoto.json.tsr"), "{stamp:?}");
    assert!(report.is_verified());
}

#[test]
fn nothing_looks_sealed_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    let names =
        || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    let mut bag = Bag::create(&dir).unwrap();
    bag.add("results.json", b"{}").unwrap();
    assert!(!dir.exists() && names()[0].starts_with(".evidence.unsealed-"), "{:?}", names());
    drop(bag);
    assert!(names().is_empty(), "{:?}", names());

    // What was written half is not sealed.
    let keys = KeyPair::generate().unwrap();
    let signer = Signer::KeyFile(keys.clone());
    let mut bag = Bag::create(&dir).unwrap();
    bag.add("results.json", b"{}").unwrap();
    let mut half = bag.create_file("half.csv").unwrap();
    half.write_all(b"a,b").unwrap();
    drop(half);
    let told = bag.seal(&seal(&signer)).unwrap_err().to_string();
    assert_eq!(told, "data/half.csv: this file was not written to its end");
    assert!(names().is_empty(), "{:?}", names());

    std::fs::create_dir(&dir).unwrap();
    sealed_with(&dir, "a", &seal(&signer));
    assert_eq!(names(), ["evidence"]);
    let told = Bag::create(&dir).unwrap_err();
    assert!(told.to_string().contains("not empty"), "{told}");
    assert!(verify(&Contents::read(&dir).unwrap(), &keys.public(), &Surroundings::default()).is_verified());

    // Names that lead elsewhere, or that another file has.
    let other = folder.path().join("other");
    let mut bag = Bag::create(&other).unwrap();
    bag.add("a/b.csv", b"").unwrap();
    for path in ["", "/etc/passwd", "../x", "a/../../x", "a/b.csv", "A/B.csv", "é", "a b", &"x".repeat(195)] {
        assert!(bag.add(path, b"").is_err(), "{path:?}");
    }
    // A file in place of a folder cannot be written, and is said.
    assert!(bag.add("a", b"").is_err());
    let lone = Seal { info: vec![("Note".to_owned(), "two\nlines".to_owned())], ..seal(&signer) };
    assert!(bag.seal(&lone).unwrap_err().to_string().contains("no line for bag-info.txt"));
    assert!(Bag::create(&other).unwrap().seal(&seal(&signer)).unwrap_err().to_string().contains("no results"));
    let mut only_run = Bag::create(&other).unwrap();
    only_run.add("run.json", b"{}").unwrap();
    assert!(only_run.seal(&seal(&signer)).is_err());
    let mut chained = Bag::create(&other).unwrap();
    chained.add("results.json", b"{}").unwrap();
    let twice = Seal { results: object(json!({ "previous": null })), ..seal(&signer) };
    assert!(chained.seal(&twice).is_err());
    assert_eq!(names(), ["evidence"]);
}

#[test]
fn the_commands_say_it_and_exit_with_6() {
    let sample = Sample::new();
    let (dir, key) = (sample.path(), sample.key());
    let json = flowproof(&["evidence", "verify", dir, "--key", &key, "-o", "json"]).exits(0).json();
    assert_eq!((&json["verified"], &json["key_id"]), (&json!(true), &json!(sample.keys.public().id().unwrap())));
    assert!(json["checks"].as_array().unwrap().iter().all(|check| check["outcome"] != "failed"));
    let zip = sample.zip();
    let table = flowproof(&["evidence", "verify", zip.to_str().unwrap(), "--key", &key, "-o", "table"]).exits(0).text();
    assert!(table.contains("zip is the one of its files") && table.contains("ok"), "{table}");

    // What it says, and whether anybody vouches for it.
    let shown = flowproof(&["evidence", "show", dir, "-o", "table"]).exits(0).text();
    assert!(shown.starts_with("NOTHING OF THIS WAS VERIFIED") && shown.contains("\"verdict\": \"PASS\""), "{shown}");
    flowproof(&["evidence", "show", dir, "-o", "csv"]).exits(0).tells("nothing of this was verified");
    let shown = flowproof(&["evidence", "show", dir, "--key", &key, "-o", "json"]).exits(0).json();
    assert_eq!((&shown["verified"], &shown["results"]["run"]), (&json!(true), &json!("5f1c")));
    let results = shown["files"].as_array().unwrap().iter().find(|file| file["name"] == "data/results.json").unwrap();
    assert_eq!(results["sha256"], Digest::of(b"{\"verdict\":\"PASS\"}\n").to_string());

    std::fs::write(sample.dir.join("data/\u{1b}[2J"), "").unwrap();
    std::fs::write(sample.dir.join("data/results.json"), "{}").unwrap();
    let told = flowproof(&["evidence", "verify", dir, "--key", &key, "-o", "csv"]).exits(6).tells("does not verify: ").tells("hint: ");
    assert!(told.text().contains("files of the results,failed,\"data/results.json: changed; signed is "), "{}", told.text());
    assert!(told.text().contains("data/\\u{1b}[2J: a name with other than letters"), "{}", told.text());
    for format in ["table", "csv", "json", "ndjson"] {
        let written = flowproof(&["evidence", "verify", dir, "--key", &key, "-o", format]).exits(6).text();
        assert!(!written.contains('\u{1b}'), "{written:?}");
    }
    flowproof(&["evidence", "show", dir, "--key", &key]).exits(6).without_results();

    // Faults of the question are not those of the bundle.
    flowproof(&["evidence", "verify", "none", "--key", &key]).exits(1).tells("none: cannot read the bundle");
    flowproof(&["evidence", "verify", dir]).exits(2);
    let private = sample.folder.path().join("audit.key");
    flowproof(&["evidence", "verify", dir, "--key", private.to_str().unwrap()]).exits(1).tells("this is a private key");
    flowproof(&["evidence", "show", "sample-logs"]).exits(1).tells("no bundle: it has no results.intoto.json");
}

#[test]
fn keygen_makes_a_pair_and_never_overwrites_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    let path = path.to_str().unwrap();
    let told = flowproof(&["evidence", "keygen", path]).exits(0).text();
    let public = flowproof::evidence::PublicKey::read(Path::new(&format!("{path}.pub"))).unwrap();
    assert!(told.contains(&public.id().unwrap()), "{told}");
    let before = std::fs::read(path).unwrap();
    flowproof(&["evidence", "keygen", path]).exits(1).tells("never overwritten").without_results();
    assert_eq!(std::fs::read(path).unwrap(), before);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn bundles_are_chained_and_runs_are_kept() {
    let sample = Sample::new();
    let signer = Signer::KeyFile(sample.keys.clone());
    let ledger = Ledger::beside(&sample.dir);
    let start = ledger.append(&Entry::new(SEALED_AT, Event::Started, "2026-11")).unwrap();
    let dir = sample.folder.path().join("evidence-prod-2026-11");
    let mut next = Seal { previous: Some(sample.sealed.envelope), ..seal(&signer) };
    next.bag.insert("ledger".to_owned(), start.to_string().into());
    let sealed = sealed_with(&dir, "a", &next);
    let entry = Entry { bundle: Some(sealed.envelope.to_string()), ..Entry::new(SEALED_AT + 60, Event::Finished, "2026-11") };
    let (dir, key, ledger_path) = (dir.to_str().unwrap(), sample.key(), ledger.path().to_str().unwrap());
    let verify = |further: &[&str]| flowproof(&[&["evidence", "verify", dir, "--key", &key, "-o", "csv"], further].concat());
    let tells = |further: &[&str], code: i32, text: &str| {
        let told = verify(further).exits(code).text();
        assert!(told.contains(text), "{text:?} is not in {told}");
    };
    tells(&[], 0, &format!("previous bundle,not checked,it is the one whose bag.intoto.json has {}", sample.sealed.envelope));
    tells(&["--previous", sample.path()], 0, "previous bundle,ok,");
    tells(&["--previous", dir], 6, "previous bundle,failed,\"it follows ");
    tells(&["--previous", "docs"], 6, "previous bundle,failed,the one given has no bag.intoto.json");
    let zip = sample.zip();
    tells(&["--previous", zip.to_str().unwrap()], 0, "previous bundle,ok,");
    tells(&["--ledger", ledger_path], 6, "ledger of runs,failed,it names no finished run with this bundle");
    ledger.append(&entry).unwrap();
    tells(&["--ledger", ledger_path], 0, "ledger of runs,ok,");

    // A ledger that was made anew is whole, but does not hold the line that the bundle names.
    let text = std::fs::read_to_string(ledger.path()).unwrap();
    std::fs::remove_file(ledger.path()).unwrap();
    ledger.append(&entry).unwrap();
    tells(&["--ledger", ledger_path], 6, &format!("is not in it: {start}"));
    std::fs::write(ledger.path(), text.replace("started", "finished")).unwrap();
    tells(&["--ledger", ledger_path], 6, "ledger of runs,failed,\"line 2: it follows ");
    // The first of a chain has nothing before it.
    flowproof(&["evidence", "verify", sample.path(), "--key", &key, "--previous", dir]).exits(6);
}
