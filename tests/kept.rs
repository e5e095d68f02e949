//! What S3 keeps of each input beside its bytes: version id and checksum stand in a bundle for the very object that was read, or the
//! bundle says why they do not.

use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, Outcome, files, flowproof, flowproof_on};
use crate::s3_server::S3Server;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flowproof::evidence::Digest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const BUCKET: &str = "org-flow-logs";
/// A checksum that one object was uploaded with: CRC-64/NVME of `123456789`, which is the algorithm's check value.
const CRC64NVME: &str = "rosUhgp5mIg=";

/// The estate in a bucket, and what is collected of it.
struct Estate {
    server: S3Server,
    objects: BTreeMap<String, Vec<u8>>,
    folder: tempfile::TempDir,
}

impl Estate {
    fn new() -> Estate {
        let server = S3Server::start_blocking();
        let logs = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(ESTATE_LOGS));
        let objects: BTreeMap<String, Vec<u8>> = logs.into_iter().map(|(path, bytes)| (format!("logs/{path}"), bytes)).collect();
        objects.iter().for_each(|(key, bytes)| server.put(BUCKET, key, bytes.clone()));
        let estate = Estate { server, objects, folder: tempfile::tempdir().unwrap() };
        flowproof(&["evidence", "keygen", &estate.path("key")]).exits(0);
        estate
    }

    /// With versions and checksums, as an auditor would have the bucket.
    fn versioned() -> Estate {
        let estate = Estate::new();
        estate.server.keep_versions(BUCKET);
        estate.server.keep_checksums(BUCKET);
        estate.server.crc64nvme(BUCKET, estate.key(5), CRC64NVME);
        estate
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn key(&self, at: usize) -> &str {
        self.objects.keys().nth(at).unwrap()
    }

    #[track_caller]
    fn collect(&self, logs: &[&str], to: &str) -> Outcome {
        let (to, key) = (self.path(to), self.path("key"));
        let args = ["--inventory", ESTATE_INVENTORY, "--to-dir", &to, "--sign-key", &key];
        flowproof_on(&self.server, &[&["evidence", "collect"], logs, &args].concat()).exits(0)
    }

    /// Rows of the list of inputs by key: the cells by column.
    fn inputs(&self, bundle: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(Path::new(&self.path(bundle)).join("data/inputs/files.csv")).unwrap();
        let rows = reader.deserialize().map(|row| row.unwrap());
        let key = |row: &BTreeMap<String, String>| row["log_object"].strip_prefix("s3://org-flow-logs/").unwrap().to_owned();
        rows.map(|row: BTreeMap<String, String>| (key(&row), row)).collect()
    }

    /// Notes of the results about what S3 did not tell.
    fn notes(&self, bundle: &str) -> Vec<String> {
        let results = std::fs::read(Path::new(&self.path(bundle)).join("data/results.json")).unwrap();
        let results: Value = serde_json::from_slice(&results).unwrap();
        let notes = results["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap());
        notes.filter(|note| note.contains("s3_fault")).map(str::to_owned).collect()
    }

    /// Checks the rows of all objects but some, whose `s3_fault` is checked in its place.
    #[track_caller]
    fn check(&self, bundle: &str, faults: &BTreeMap<&str, &str>) {
        let inputs = self.inputs(bundle);
        assert_eq!(inputs.keys().collect::<Vec<_>>(), self.objects.keys().collect::<Vec<_>>());
        for (key, row) in &inputs {
            let digest = Digest::of(&self.objects[key]);
            assert_eq!((&*row["status"], &row["sha256"]), ("read", &digest.to_string()), "{key}");
            match faults.get(&**key) {
                Some(fault) => {
                    assert_eq!((&*row["version_id"], &*row["s3_checksum"]), ("", ""), "{key}");
                    assert!(row["s3_fault"].contains(fault), "{fault:?} is not in {:?}", row["s3_fault"]);
                }
                None => {
                    let checksum = match key == self.key(5) {
                        true => format!("CRC64NVME:{CRC64NVME}"),
                        false => format!("SHA256:{}", BASE64_STANDARD.encode(digest.0)),
                    };
                    let version = self.server.version_id(BUCKET, key);
                    assert_eq!((&row["version_id"], &row["s3_checksum"], &*row["s3_fault"]), (&version, &checksum, ""), "{key}");
                }
            }
        }
    }
}

#[test]
fn version_and_checksum_are_those_of_the_object() {
    let estate = Estate::versioned();
    // Each object is of a version of its own; one is not the first that stood at its key.
    let again = estate.key(3);
    estate.server.put(BUCKET, again, estate.objects[again].clone());
    estate.collect(&["s3://org-flow-logs/logs"], "bundle");
    estate.check("bundle", &BTreeMap::new());
    assert_eq!(estate.notes("bundle"), [""; 0]);
    let asked: Vec<_> = estate.server.requests().into_iter().filter(|request| request.method == "HEAD").collect();
    assert_eq!(asked.len(), estate.objects.len());
    assert!(asked.iter().all(|request| request.if_match && request.checksum), "{asked:?}");

    // The same inputs come to the same results; a version over the same bytes is another input.
    let (bundle, key) = (estate.path("bundle"), estate.path("key.pub"));
    let args = ["evidence", "verify", &bundle, "--key", &key, "--inputs", "s3://org-flow-logs/logs", "--rerun", "-o", "csv"];
    let verify = || flowproof_on(&estate.server, &args);
    verify().exits(0);
    estate.server.put(BUCKET, again, estate.objects[again].clone());
    let told = verify().exits(6).text();
    assert!(told.contains("inputs read again,ok") && told.contains("/inputs/digest: "), "{told}");
}

#[test]
fn a_bucket_that_keeps_nothing_is_no_fault() {
    let estate = Estate::new();
    estate.collect(&["s3://org-flow-logs/logs"], "bundle");
    for (key, row) in estate.inputs("bundle") {
        let cells = ["version_id", "s3_checksum", "s3_fault"].map(|column| &*row[column]);
        assert_eq!((cells, &row["etag"]), (["", "", ""], &estate.server.etag(BUCKET, &key)), "{key}");
    }
    assert_eq!(estate.notes("bundle"), [""; 0]);
}

#[test]
fn what_a_list_names_has_its_version_too() {
    let estate = Estate::versioned();
    let list = estate.objects.keys().map(|key| format!("s3://{BUCKET}/{key}\n")).collect::<String>();
    std::fs::write(estate.path("list"), list).unwrap();
    estate.collect(&["--objects-from", &estate.path("list")], "bundle");
    estate.check("bundle", &BTreeMap::new());
}

/// Each of these was read whole; what stands at its key later is another matter.
#[test]
fn what_is_not_known_is_said_for_each_object() {
    let estate = Estate::versioned();
    let keys = [1, 2, 4, 6].map(|at| estate.key(at));
    estate.server.deny_head(BUCKET, keys[0]);
    estate.server.replace_before_head(BUCKET, keys[1], &b"version account-id\n2 111122223333\n"[..]);
    estate.server.replace_before_head(BUCKET, keys[2], estate.objects[keys[2]].clone());
    estate.server.delete_before_head(BUCKET, keys[3]);
    let outcome = estate.collect(&["s3://org-flow-logs/logs"], "bundle");
    let replaced = "it was replaced after it was listed";
    let faults = ["access denied to read: HTTP 403", replaced, replaced, "it was deleted after it was listed"];
    estate.check("bundle", &keys.into_iter().zip(faults).collect());
    let said = format!(
        "version id and checksum of 4 objects are not known (s3_fault in the list of inputs), the first: s3://{BUCKET}/{}: access denied to read",
        keys[0]
    );
    let notes = estate.notes("bundle");
    assert!(notes.len() == 1 && notes[0].starts_with(&said), "{notes:?}");
    outcome.tells(&said);
}
