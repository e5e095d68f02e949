//! The same answers from S3: the program against a server that speaks HTTP on loopback, sound and with faults on demand.

use crate::generator::{Config, Container, Layout, generate};
use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, Outcome, files, flowproof, flowproof_on};
use crate::s3_server::S3Server;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

const BUCKET: &str = "org-flow-logs";
/// Objects above this size are streamed, or read by ranges, instead of being held whole.
const BIG: usize = 8 << 20;

/// A folder of logs that exists twice: on disk, and in a bucket under the prefix `logs`.
struct Twice {
    server: S3Server,
    logs: PathBuf,
    inventory: PathBuf,
}

impl Twice {
    fn of(logs: &Path, inventory: &Path) -> Twice {
        let server = S3Server::start_blocking();
        server.create_bucket(BUCKET);
        files(logs).into_iter().for_each(|(path, bytes)| server.put(BUCKET, &format!("logs/{path}"), bytes));
        Twice { server, logs: logs.to_owned(), inventory: inventory.to_owned() }
    }

    fn estate() -> Twice {
        let of = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        Twice::of(&of(ESTATE_LOGS), &of(ESTATE_INVENTORY))
    }

    fn report(&self, logs: &str, further: &[&str]) -> Outcome {
        let inventory = self.inventory.to_str().unwrap();
        let args = ["report", "egress", logs, "--inventory", inventory, "-o", "json"];
        let args = [&args, further].concat();
        if logs.starts_with("s3://") { flowproof_on(&self.server, &args) } else { flowproof(&args) }
    }

    fn local(&self, further: &[&str]) -> Outcome {
        self.report(self.logs.to_str().unwrap(), further)
    }

    fn remote(&self, further: &[&str]) -> Outcome {
        self.report(&format!("s3://{BUCKET}/logs"), further)
    }

    /// The answer from S3 as it would read from the disk.
    fn as_local(&self, outcome: &Outcome) -> String {
        outcome.text().replace(&format!("s3://{BUCKET}/logs"), self.logs.to_str().unwrap())
    }

    #[track_caller]
    fn agrees(&self, further: &[&str]) {
        let local = self.local(further).exits(0);
        assert!(!local.json()["rows"].as_array().unwrap().is_empty(), "{further:?}");
        let remote = self.remote(further).exits(0);
        assert!(self.as_local(&remote) == local.text(), "{further:?}: the answers differ:\n{}", remote.text());
    }

    fn uri(&self, path: &str) -> String {
        format!("s3://{BUCKET}/logs/{path}")
    }

    /// Paths of the objects, by name.
    fn paths(&self) -> Vec<String> {
        files(&self.logs).into_iter().map(|(path, _)| path).collect()
    }

    /// Objects that were asked for, by key below the prefix.
    fn read(&self) -> BTreeSet<String> {
        let gets = self.server.requests().into_iter().filter(|request| request.method == "GET");
        gets.map(|request| request.key.strip_prefix("logs/").unwrap_or(&request.key).to_owned()).collect()
    }
}

/// A generated estate, made once for the tests that share it.
struct Generated {
    dir: tempfile::TempDir,
}

impl Generated {
    fn new(config: &Config) -> Generated {
        let dir = tempfile::tempdir().unwrap();
        generate(config, dir.path());
        Generated { dir }
    }

    fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    fn inventory(&self) -> PathBuf {
        self.dir.path().join("inventory")
    }

    fn twice(&self) -> Twice {
        Twice::of(&self.logs(), &self.inventory())
    }
}

/// More objects than two pages of a listing hold.
fn many(layout: Layout) -> Generated {
    Generated::new(&Config { seed: 11, records: 30_000, files: 2_600, layout, threads: 2, ..Config::default() })
}

static MANY: LazyLock<Generated> = LazyLock::new(|| many(Layout::Plain));

/// Three days of one cluster: the margin for late delivery is a day, so only the third day can be left unread.
static DAYS: LazyLock<Generated> = LazyLock::new(|| {
    let config = Config { seed: 5, records: 20_000, files: 72, accounts: 1, clusters: 1, minutes: 3 * 1_440, ..Config::default() };
    Generated::new(&config)
});

fn incomplete(answer: &Value) -> Vec<String> {
    let objects = answer["incomplete_objects"].as_array().unwrap();
    objects.iter().map(|object| object["log_object"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_estate_from_a_bucket() {
    let estate = Twice::estate();
    estate.agrees(&[]);
    estate.agrees(&["--threads", "1"]);
    assert!(estate.server.requests().iter().all(|request| request.signed_by.is_some()));
    assert!(estate.server.requests().iter().filter(|request| request.method == "GET").all(|request| request.if_match));
}

#[test]
fn any_level_of_the_layout_may_be_given() {
    let estate = Twice::estate();
    let whole = estate.local(&[]).json();
    for level in ["", "/logs", "/logs/AWSLogs/"] {
        let answer = estate.report(&format!("s3://{BUCKET}{level}"), &[]).exits(0).json();
        assert_eq!(answer["inputs"], whole["inputs"], "{level}");
        assert_eq!(answer["rows"].as_array().unwrap().len(), whole["rows"].as_array().unwrap().len(), "{level}");
    }
    let account = "AWSLogs/222233334444/vpcflowlogs/eu-central-1/2026/10/05";
    let local = estate.report(&format!("{}/{account}", estate.logs.display()), &[]).exits(0);
    let remote = estate.report(&estate.uri(account), &[]).exits(0);
    assert_eq!(estate.as_local(&remote), local.text());
}

#[test]
fn thousands_of_objects_plain() {
    let twice = MANY.twice();
    assert!(twice.paths().len() > 2_500);
    twice.agrees(&[]);
    assert!(twice.read().len() > 2_500);
}

#[test]
fn thousands_of_objects_hive() {
    let generated = many(Layout::HiveHourly);
    let twice = generated.twice();
    assert!(twice.paths().len() > 2_500);
    twice.agrees(&[]);
}

#[test]
fn a_server_that_asks_to_slow_down_changes_nothing() {
    let estate = Twice::estate();
    estate.server.slow_down_every(3);
    estate.agrees(&[]);
    let gets = estate.server.requests().iter().filter(|request| request.method == "GET").count();
    assert!(gets > estate.paths().len(), "requests were refused and repeated");
}

#[test]
fn bodies_cut_at_random_bytes_change_nothing() {
    let estate = Twice::estate();
    for seed in 1..=4 {
        estate.server.clear_requests();
        estate.server.cut_bodies(2, seed);
        estate.agrees(&[]);
        let resumed = estate.server.requests().iter().filter(|request| request.range.is_some()).count();
        assert!(resumed > 10, "{resumed} bodies were resumed");
    }
}

#[test]
fn both_faults_at_once_change_nothing_over_thousands_of_objects() {
    let twice = MANY.twice();
    twice.server.slow_down_every(7);
    twice.server.cut_bodies(10, 5);
    twice.agrees(&[]);
    let requests = twice.server.requests();
    assert!(requests.len() > 2_600 * 8 / 7, "requests were refused and repeated");
    let resumed = requests.iter().filter(|request| request.range.is_some()).count();
    assert!(resumed > 200, "{resumed} bodies were resumed");
}

#[test]
fn an_object_replaced_while_it_is_read_is_named_and_the_rest_is_complete() {
    let estate = Twice::estate();
    let path = estate.paths().into_iter().find(|path| path.contains("111122223333") && path.contains("0905Z")).unwrap();
    estate.server.replace_mid_read(BUCKET, &format!("logs/{path}"), &b"version account-id\n2 111122223333\n"[..]);
    let remote = estate.remote(&[]).exits(4);
    let answer = remote.json();
    assert_eq!(incomplete(&answer), [estate.uri(&path)]);
    let reason = answer["incomplete_objects"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("replaced"), "{reason}");

    // The rest is what a disk without the object gives: nothing of either version counts.
    let rest = tempfile::tempdir().unwrap();
    for (name, bytes) in files(&estate.logs).into_iter().filter(|(name, _)| *name != path) {
        let to = rest.path().join(&name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, &bytes).unwrap();
    }
    let root = rest.path().to_str().unwrap();
    let local = estate.report(root, &[]).exits(0).json();
    let remote: Value = serde_json::from_str(&remote.text().replace(&format!("s3://{BUCKET}/logs"), root)).unwrap();
    for key in ["rows", "inputs", "undecided", "handshakes"] {
        assert!(remote[key] == local[key], "{key}: {:#} is not {:#}", remote[key], local[key]);
    }
}

#[test]
fn an_object_whose_bytes_stop_coming_is_named() {
    let estate = Twice::estate();
    let path = estate.paths().remove(3);
    estate.server.cut_body_at(BUCKET, &format!("logs/{path}"), 0);
    let answer = estate.remote(&[]).exits(4).json();
    assert_eq!(incomplete(&answer), [estate.uri(&path)]);
    assert_eq!(answer["inputs"]["objects"], estate.paths().len() - 1);
}

#[test]
fn listing_denied_names_the_missing_action() {
    let estate = Twice::estate();
    estate.server.deny_list(BUCKET, "");
    let outcome = estate.remote(&[]).exits(5).without_results();
    outcome.tells("access denied to list").tells("hint: allow s3:ListBucket on arn:aws:s3:::org-flow-logs").tells("flowproof iam-policy");
}

#[test]
fn reading_denied_is_incomplete_for_one_object_and_access_for_all() {
    let estate = Twice::estate();
    let path = estate.paths().remove(0);
    estate.server.deny_get(BUCKET, &format!("logs/{path}"));
    let answer = estate.remote(&[]).exits(4).json();
    assert_eq!(incomplete(&answer), [estate.uri(&path)]);
    assert_eq!(answer["incomplete_objects"][0]["status"], "unreadable");

    estate.server.deny_get(BUCKET, "logs/");
    estate
        .remote(&[])
        .exits(5)
        .without_results()
        .tells("access denied to read")
        .tells("hint: allow s3:GetObject on arn:aws:s3:::org-flow-logs/");
}

#[test]
fn wrong_credentials_are_an_access_fault() {
    let estate = Twice::estate();
    let mut command = crate::program::command(&["report", "egress", &estate.uri(""), "--inventory", ESTATE_INVENTORY]);
    command.args(["--endpoint-url", estate.server.endpoint_url(), "--region", "eu-central-1"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAFLOWPROOFTEST000").env("AWS_SECRET_ACCESS_KEY", "wrong");
    crate::program::finish(command).exits(5).without_results().tells("SignatureDoesNotMatch").tells("hint: check the credentials");
}

#[test]
fn nothing_found_says_what_was_listed_and_what_is_near() {
    let estate = Twice::estate();
    let outcome = estate.report(&format!("s3://{BUCKET}/log/AWSLogs"), &[]).exits(2).without_results();
    outcome.tells("nothing found").tells("listed s3://org-flow-logs/log/AWSLogs").tells("the nearest that exist: s3://org-flow-logs/logs/");
    estate.report("s3://another-bucket/logs", &[]).exits(2).without_results().tells("no such bucket");
}

#[test]
fn a_window_reads_fewer_objects_and_gives_the_same_rows() {
    let days = DAYS.twice();
    // The generator's period begins at 2026-10-05T22:40.
    let window = ["--from", "2026-10-06T02:00:00Z", "--to", "2026-10-06T03:00:00Z"];
    days.agrees(&window);
    let read = days.read();
    assert!(read.len() < days.paths().len() / 2, "{} of {} objects were read", read.len(), days.paths().len());
    assert!(read.iter().all(|key| !key.contains("/2026/10/08/")), "{read:?}");
    let lists: Vec<_> = days.server.requests().into_iter().filter(|request| request.method == "LIST").collect();
    assert!(lists.iter().all(|request| !request.key.contains("/2026/10/08/")), "{lists:?}");

    // A window that leaves nothing says so instead of answering with no rows.
    let outcome = days.remote(&["--from", "2027-01-01", "--to", "2027-01-02"]).without_results();
    assert_ne!(outcome.code, Some(0));
    outcome.tells("no flow log objects to read").tells("--from/--to left out");
}

#[test]
fn account_region_and_flow_log_prune_the_listing() {
    let estate = Twice::estate();
    for (option, value, kept) in [
        ("--log-account", "222233334444", "222233334444_vpcflowlogs_eu-central-1_"),
        ("--log-region", "eu-central-1", "_vpcflowlogs_eu-central-1_"),
        ("--flow-log-id", "fl-0a4000000000000a4", "fl-0a4000000000000a4"),
    ] {
        estate.server.clear_requests();
        estate.agrees(&[option, value]);
        let read = estate.read();
        let expected: BTreeSet<String> = estate.paths().into_iter().filter(|path| path.contains(kept)).collect();
        assert_eq!(read, expected, "{option}");
    }
    estate.server.clear_requests();
    let outcome = estate.remote(&["--log-region", "eu-west-1"]).without_results();
    assert_ne!(outcome.code, Some(0));
    outcome.tells("--log-region left out");
    assert!(estate.read().is_empty());
}

#[test]
fn the_inventory_may_lie_in_a_bucket_too() {
    let estate = Twice::estate();
    for (path, bytes) in files(&estate.inventory) {
        estate.server.put(BUCKET, &format!("inventory/{path}"), bytes);
    }
    let local = estate.local(&[]).exits(0);
    let args = ["report", "egress", &estate.uri(""), "--inventory", &format!("s3://{BUCKET}/inventory"), "-o", "json"];
    let remote = flowproof_on(&estate.server, &args).exits(0);
    let shown = |text: String| text.replace(&format!("s3://{BUCKET}/logs"), "LOGS").replace(estate.logs.to_str().unwrap(), "LOGS");
    assert_eq!(shown(remote.text()), shown(local.text()));
}

#[test]
fn the_iam_policy_needs_no_server() {
    let policy = flowproof(&["iam-policy", "s3://org-flow-logs/AWSLogs", "s3://org-flow-logs/AWSLogs"]).exits(0).json();
    let expected = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "FlowproofRead1", "Effect": "Allow", "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::org-flow-logs/AWSLogs*",
            },
            {
                "Sid": "FlowproofRead2", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::org-flow-logs",
                "Condition": { "StringLike": { "s3:prefix": "AWSLogs*" } },
            },
        ],
    });
    assert_eq!(policy, expected);
    flowproof(&["iam-policy", ESTATE_LOGS]).exits(2).without_results().tells("need no IAM policy");
}

#[test]
fn plan_counts_without_reading_everything() {
    let twice = MANY.twice();
    let plan = flowproof_on(&twice.server, &["plan", &twice.uri(""), "-o", "json"]).exits(0).json();
    assert_eq!(plan["objects"], twice.paths().len());
    assert_eq!(plan["requests"]["get"], twice.paths().len());
    let bytes: usize = files(&twice.logs).iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(plan["bytes"], bytes);
    assert_eq!(plan["accounts"].as_array().unwrap().len(), 3);
    assert!(twice.read().len() <= 20, "a sample of at most 20 objects");
}

/// One object above the size up to which objects are held whole.
fn big(container: Container, records: u64) -> Generated {
    Generated::new(&Config { seed: 3, records, files: 1, accounts: 1, clusters: 1, container, ..Config::default() })
}

#[test]
fn a_big_object_is_streamed_and_resumed() {
    let generated = big(Container::PlainText, 45_000);
    let twice = generated.twice();
    let [(path, bytes)] = &files(&twice.logs)[..] else { panic!("one object") };
    assert!(bytes.len() > BIG, "{}", bytes.len());
    twice.agrees(&[]);
    twice.server.clear_requests();
    // Each answer brings a mebibyte at most: the object needs ten requests, each from where the last one ended.
    twice.server.cut_body_at(BUCKET, &format!("logs/{path}"), 1 << 20);
    twice.agrees(&[]);
    let ranges: Vec<String> = twice.server.requests().into_iter().filter_map(|request| request.range).collect();
    let expected: Vec<String> = (1..=bytes.len() >> 20).map(|part| format!("bytes={}-{}", part << 20, bytes.len() - 1)).collect();
    assert_eq!(ranges, expected);
}

#[test]
fn a_big_object_replaced_while_it_is_streamed_counts_up_to_there() {
    let generated = big(Container::PlainText, 45_000);
    let twice = generated.twice();
    let whole = twice.local(&[]).exits(0).json();
    let [(path, bytes)] = &files(&twice.logs)[..] else { panic!("one object") };
    twice.server.replace_mid_read(BUCKET, &format!("logs/{path}"), bytes[..bytes.len() - 1].to_vec());
    let answer = twice.remote(&[]).exits(4).json();
    assert_eq!(incomplete(&answer), [twice.uri(path)]);
    assert_eq!(answer["incomplete_objects"][0]["status"], "partial");
    let records = |answer: &Value| answer["inputs"]["records"]["ok"].as_u64().unwrap();
    assert!(records(&answer) > 0 && records(&answer) < records(&whole), "{} of {}", records(&answer), records(&whole));
}

#[test]
fn a_bigger_object_is_read_in_parts() {
    let generated = big(Container::PlainText, 90_000);
    let twice = generated.twice();
    let [(_, bytes)] = &files(&twice.logs)[..] else { panic!("one object") };
    assert!(bytes.len() > 16 << 20, "{}", bytes.len());
    twice.agrees(&[]);
    let gets = || twice.server.requests().into_iter().filter(|request| request.method == "GET").collect::<Vec<_>>();
    assert_eq!(gets().len(), bytes.len().div_ceil(1 << 20));
    assert!(gets().iter().all(|request| request.range.is_some() && request.if_match));
    twice.server.latency(std::time::Duration::from_millis(20));
    twice.server.cut_bodies(4, 3);
    twice.agrees(&[]);
}

#[test]
fn a_big_parquet_object_is_read_by_ranges() {
    let generated = big(Container::Parquet, 20_000);
    let [(path, _)] = &files(&generated.logs())[..] else { panic!("one object") };
    let size = widen(&generated.logs().join(path));
    assert!(size > BIG, "{size}");
    let twice = generated.twice();
    twice.agrees(&[]);
    let requests = twice.server.requests();
    let gets: Vec<_> = requests.iter().filter(|request| request.method == "GET").collect();
    // The first request is for the whole object, to see what it is; its body is let go after the first bytes.
    let ranges: Vec<&str> = gets.iter().filter_map(|request| request.range.as_deref()).collect();
    assert_eq!(gets.len() - ranges.len(), 1);
    let asked: usize = ranges.iter().map(|range| length(range)).sum();
    assert!(asked < size / 2, "the column that nobody reads is not fetched: {asked} of {size} bytes were");
    twice.server.cut_bodies(2, 9);
    twice.server.slow_down_every(4);
    twice.agrees(&[]);
}

fn length(range: &str) -> usize {
    let (from, to) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).expect("a range of bytes");
    to.parse::<usize>().expect("a number") + 1 - from.parse::<usize>().expect("a number")
}

/// Adds a column of a version to come, of text that does not compress, until the object is big; returns its size.
pub fn widen(path: &Path) -> usize {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.unwrap()).collect();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut noise = || {
        let text = (0..(BIG * 5 / 4).div_ceil(rows)).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b' ' + (state >> 57) as u8 % 94 + 1)
        });
        text.collect::<String>()
    };
    let narrow = batches[0].schema();
    let fields = narrow.fields().iter().cloned().chain([Arc::new(Field::new("note_to_come", DataType::Utf8, true))]);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), Arc::clone(&schema), None).unwrap();
    for batch in batches {
        let column: ArrayRef = Arc::new((0..batch.num_rows()).map(|_| Some(noise())).collect::<StringArray>());
        let columns = batch.columns().iter().cloned().chain([column]).collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()).unwrap();
    }
    writer.close().unwrap();
    std::fs::metadata(path).unwrap().len() as usize
}
