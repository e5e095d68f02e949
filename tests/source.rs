//! One contract for every source, run against a disk and against S3 over loopback; then what only S3 can do wrong.

use crate::s3_server::{ACCESS_KEY, EXTERNAL_ID, ROLE_ACCESS_KEY, Request, S3Server, SECRET_KEY};
use flowproof::error::{Error, Kind, Result};
use flowproof::source::key::{INTERVAL_MAX_S, LATE_DELIVERY_MAX_S, Limit, Recognised};
use flowproof::source::{self, ListCounts, LogKey, Object, Prune, ReadFault, S3Options, Source};
use flowproof::time::{DAY, TimeRange, UnixSeconds, parse_instant};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const BUCKET: &str = "org-flow-logs";
const ACCOUNT: &str = "111122223333";
const OTHER_ACCOUNT: &str = "444455556666";

fn instant(text: &str) -> UnixSeconds {
    parse_instant(text, 0).expect("an instant")
}

fn window(from: &str, to: &str) -> Prune {
    Prune { time: TimeRange { from: Some(instant(from)), to: Some(instant(to)) }, ..Prune::default() }
}

fn file(account: &str, region: &str, id: &str, stamp: &str, suffix: &str) -> String {
    format!("{account}_vpcflowlogs_{region}_{id}_{stamp}_0a1b2c3d{suffix}")
}

/// A key in the default layout, of the first flow log of an account.
fn plain(account: &str, region: &str, stamp: &str) -> String {
    let (year, month, day) = (&stamp[..4], &stamp[4..6], &stamp[6..8]);
    format!("AWSLogs/{account}/vpcflowlogs/{region}/{year}/{month}/{day}/{}", file(account, region, "fl-0aaa", stamp, ".log.gz"))
}

fn hive(account: &str, region: &str, stamp: &str) -> String {
    let (year, month, day) = (&stamp[..4], &stamp[4..6], &stamp[6..8]);
    let folders =
        format!("AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/year={year}/month={month}/day={day}");
    format!("{folders}/{}", file(account, region, "fl-0aaa", stamp, ".log.parquet"))
}

fn hourly(key: &str, hour: &str) -> String {
    let (folders, name) = key.rsplit_once('/').unwrap();
    format!("{folders}/{hour}/{name}")
}

/// A place to put objects, with the source that reads them.
enum Fixture {
    Disk(tempfile::TempDir),
    S3(S3Server),
}

impl Fixture {
    fn put(&self, key: &str, bytes: &[u8]) {
        match self {
            Fixture::Disk(folder) => {
                let path = folder.path().join(key);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            Fixture::S3(server) => server.put(BUCKET, key, bytes.to_vec()),
        }
    }

    fn arg(&self, key: &str) -> String {
        match self {
            Fixture::Disk(folder) => format!("{}/{key}", folder.path().display()),
            Fixture::S3(_) => format!("s3://{BUCKET}/{key}"),
        }
    }

    async fn open(&self, keys: &[&str]) -> Result<Vec<Arc<dyn Source>>> {
        let options = match self {
            Fixture::Disk(_) => S3Options::default(),
            Fixture::S3(server) => anonymous(server),
        };
        source::open(&keys.iter().map(|key| self.arg(key)).collect::<Vec<_>>(), &options).await
    }

    /// Lists below a key; the objects by their keys, sorted.
    async fn list(&self, key: &str, prune: &Prune) -> Result<(Vec<String>, ListCounts)> {
        let (objects, counts) = source::list_all(&self.open(&[key]).await?, prune).await?;
        let root = self.arg("");
        Ok((objects.iter().map(|(_, object)| object.uri.strip_prefix(&root).unwrap().to_owned()).collect(), counts))
    }

    async fn object(&self, key: &str) -> (Arc<dyn Source>, Object) {
        let (mut objects, _) = source::list_all(&self.open(&[key]).await.unwrap(), &Prune::default()).await.unwrap();
        assert_eq!(objects.len(), 1, "{key}");
        objects.remove(0)
    }
}

fn anonymous(server: &S3Server) -> S3Options {
    S3Options { endpoint_url: Some(server.endpoint_url().to_owned()), no_sign_request: true, ..S3Options::default() }
}

async fn s3() -> (S3Server, S3Options) {
    let server = S3Server::start().await;
    server.create_bucket(BUCKET);
    let options = anonymous(&server);
    (server, options)
}

/// Runs one test on every kind of source.
async fn contract(test: impl AsyncFn(&Fixture)) {
    test(&Fixture::Disk(tempfile::tempdir().unwrap())).await;
    let (server, _) = s3().await;
    test(&Fixture::S3(server)).await;
}

async fn read(source: &dyn Source, object: &Object) -> Result<Vec<u8>> {
    let chunks: Vec<_> = source.read(object).await?.try_collect().await?;
    Ok(chunks.concat())
}

fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn hint(error: &Error) -> &str {
    error.hint().unwrap_or_default()
}

// ---- the contract

#[tokio::test]
async fn every_layout_is_recognised_with_what_its_keys_say() {
    contract(async |at| {
        let keys = [
            plain(ACCOUNT, "us-east-1", "20260301T2355Z"),
            hourly(&plain(ACCOUNT, "us-gov-east-1", "20260302T0505Z"), "05"),
            hive(OTHER_ACCOUNT, "eu-west-1", "20260301T0000Z"),
            hourly(&hive(OTHER_ACCOUNT, "eu-west-1", "20260301T0705Z"), "hour=07"),
            plain(ACCOUNT, "us-east-1", "20260301T1000Z").replace("AWSLogs/", "AWSLogs/o-abcdef1234/"),
            hive(ACCOUNT, "us-east-1", "20260301T1005Z").replace("aws-service=", "service="),
            format!("network/prod/{}", plain(ACCOUNT, "us-east-1", "20260301T1010Z")),
        ];
        keys.iter().for_each(|key| at.put(key, b"x"));
        let (sources, mut want) = (at.open(&[""]).await.unwrap(), keys.clone());
        want.sort();
        let (objects, counts) = source::list_all(&sources, &Prune::default()).await.unwrap();
        let found: Vec<_> = objects.iter().map(|(_, object)| object.uri.strip_prefix(&at.arg("")).unwrap()).collect();
        assert_eq!(found, want);
        assert_eq!((counts.objects, counts.bytes, counts.foreign, counts.foreign_prefixes), (7, 7, 0, 0));
        for (_, object) in &objects {
            assert!(object.key.account.is_some() && object.key.region.is_some(), "{object:?}");
            assert_eq!(object.key.flow_log_id.as_deref(), Some("fl-0aaa"));
            assert!(object.key.path_time.unwrap().contains(object.key.time.unwrap()), "{object:?}");
            assert_eq!(object.size, 1);
            assert!(object.modified.is_some());
        }
        let layouts: std::collections::BTreeSet<_> = objects.iter().map(|(_, object)| object.key.layout.as_str()).collect();
        assert_eq!(layouts.into_iter().collect::<Vec<_>>(), ["hive", "hive-hourly", "plain", "plain-hourly"]);
    })
    .await;
}

#[tokio::test]
async fn logs_may_be_given_at_any_level() {
    contract(async |at| {
        let one = plain(ACCOUNT, "us-east-1", "20260301T1000Z");
        at.put(&one, b"x");
        at.put(&hourly(&hive(OTHER_ACCOUNT, "eu-west-1", "20260302T0705Z"), "hour=07"), b"x");
        let mut level = one.as_str();
        while let Some((parent, _)) = level.rsplit_once('/') {
            let below = if parent == "AWSLogs" { 2 } else { 1 };
            for arg in [parent.to_owned(), format!("{parent}/")] {
                let (found, counts) = at.list(&arg, &Prune::default()).await.unwrap();
                assert_eq!((found.len(), counts.foreign + counts.foreign_prefixes), (below, 0), "{arg}");
                assert_eq!(found[0], one);
            }
            level = parent;
        }
        assert_eq!(at.list(&one, &Prune::default()).await.unwrap().0, std::slice::from_ref(&one));
        let (_, object) = at.object(&one).await;
        assert_eq!(object.key.path_time.map(|day| day.from), Some(instant("2026-03-01")));
    })
    .await;
}

#[tokio::test]
async fn account_region_and_flow_log_prune() {
    contract(async |at| {
        for account in [ACCOUNT, OTHER_ACCOUNT] {
            for region in ["us-east-1", "eu-west-1"] {
                at.put(&plain(account, region, "20260301T1000Z"), b"xy");
                at.put(&plain(account, region, "20260301T1005Z").replace("fl-0aaa", "fl-0bbb"), b"xyz");
            }
        }
        let list = async |prune: Prune| at.list("", &prune).await.unwrap();

        let (found, counts) = list(Prune { accounts: vec![ACCOUNT.into()], ..Prune::default() }).await;
        assert_eq!((found.len(), counts.pruned.account.prefixes, counts.pruned.account.objects), (4, 1, 0));
        assert!(counts.pruned_examples[0].contains(OTHER_ACCOUNT));

        let (found, counts) = list(Prune { regions: vec!["eu-west-1".into()], ..Prune::default() }).await;
        assert_eq!((found.len(), counts.pruned.region.prefixes), (4, 2));

        let (found, counts) = list(Prune { flow_log_ids: vec!["fl-0bbb".into()], ..Prune::default() }).await;
        assert_eq!((found.len(), counts.pruned.flow_log_id.objects, counts.pruned.flow_log_id.bytes), (4, 4, 8));

        let skip = Arc::new(["fl-0bbb".to_owned()].into());
        let (found, counts) = list(Prune { skip_flow_log_ids: skip, ..Prune::default() }).await;
        assert_eq!((found.len(), counts.pruned.flow_log_id.objects, counts.pruned.flow_log_id.bytes), (4, 4, 12));
        assert_eq!((counts.objects, counts.bytes), (4, 8));

        let (found, counts) = list(Prune { accounts: vec!["999999999999".into()], ..Prune::default() }).await;
        assert_eq!((found.len(), counts.pruned.account.prefixes), (0, 2));
        let told = source::nothing_found(&at.open(&[""]).await.unwrap(), &counts);
        assert!(hint(&told).contains("--log-account left out 2 folders") && hint(&told).contains(ACCOUNT), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn time_prunes_days_and_files_but_keeps_the_margins() {
    contract(async |at| {
        for day in 1..=28 {
            for hour in [0, 12, 23] {
                at.put(&plain(ACCOUNT, "us-east-1", &format!("202602{day:02}T{hour:02}55Z")), b"x");
                at.put(&hive(OTHER_ACCOUNT, "us-east-1", &format!("202602{day:02}T{hour:02}55Z")), b"x");
            }
        }
        let (found, counts) = at.list("", &window("2026-02-10", "2026-02-11")).await.unwrap();
        let days: Vec<_> = found.iter().filter(|key| key.contains(ACCOUNT)).map(|key| &key[key.len() - 31..key.len() - 16]).collect();
        // The last file of the 9th may hold records that end, by a clock 60 s off, on the 10th; those of the 11th may be late.
        let want: Vec<_> = ["0209T2355Z", "0210T0055Z", "0210T1255Z", "0210T2355Z", "0211T0055Z", "0211T1255Z", "0211T2355Z"].into();
        assert_eq!(found.len(), 2 * want.len(), "{days:?}");
        for want in want {
            assert_eq!(found.iter().filter(|key| key.contains(want)).count(), 2, "{want} in {found:?}");
        }
        // The 12th is looked at: its first file may hold records of an interval that started a day late.
        assert_eq!((counts.pruned.time.prefixes, counts.pruned.time.objects), (2 * 24, 2 * 5));
        let (found, _) = at.list("", &window("2026-03-10", "2026-03-11")).await.unwrap();
        assert_eq!(found.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn foreign_keys_are_skipped_and_counted() {
    contract(async |at| {
        let log = plain(ACCOUNT, "us-east-1", "20260301T1000Z");
        let day = log.rsplit_once('/').unwrap().0.to_owned();
        at.put(&log, b"x");
        let uuid = "0f1e2d3c-1111-2222-3333-444455556666";
        for name in [
            "aws-logs-write-test",
            "_SUCCESS",
            ".hidden.log.gz",
            "README.md",
            &format!("{uuid}.csv"),
            &format!("{uuid}.csv.metadata"),
            "SHA256SUMS",
            &format!("{ACCOUNT}_CloudTrail_us-east-1_20260301T1000Z_x.json.gz"),
        ] {
            at.put(&format!("{day}/{name}"), b"foreign");
        }
        at.put(&format!("AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/01/{ACCOUNT}_CloudTrail_x.json.gz"), b"foreign");
        at.put(&format!("AWSLogs/{ACCOUNT}/elasticloadbalancing/us-east-1/2026/03/01/x.log.gz"), b"foreign");
        at.put("AWSLogs/aws-logs-write-test", b"foreign");
        let (found, counts) = at.list("", &Prune::default()).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&log));
        assert_eq!((counts.foreign, counts.foreign_prefixes, counts.beside), (9, 2, 0), "{counts:?}");
        assert_eq!(counts.foreign_examples.len(), source::EXAMPLES_MAX);
        // An object that the user names is read, whatever its name.
        let (found, counts) = at.list(&format!("{day}/{uuid}.csv"), &Prune::default()).await.unwrap();
        assert_eq!((found.len(), counts.foreign), (1, 0));
    })
    .await;
}

/// A bucket is not walked whole for what may lie beside `AWSLogs/`, and says so; a folder on disk is.
#[tokio::test]
async fn what_lies_beside_a_layout_is_read_on_disk_and_counted_in_s3() {
    let keys = [plain(ACCOUNT, "us-east-1", "20260301T1000Z"), "beside.log".to_owned(), "export/task/stream/000000.gz".to_owned()];
    let folder = tempfile::tempdir().unwrap();
    for key in &keys {
        let path = folder.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }
    let (server, options) = s3().await;
    keys.iter().for_each(|key| server.put(BUCKET, key, &b"x"[..]));
    for (place, read, beside) in [(folder.path().to_str().unwrap().to_owned(), 3, 0), (format!("s3://{BUCKET}/"), 1, 2)] {
        let sources = source::open(&[place], &options).await.unwrap();
        let (objects, counts) = source::list_all(&sources, &Prune::default()).await.unwrap();
        assert_eq!((objects.len(), counts.beside), (read, beside), "{counts:?}");
    }
}

#[tokio::test]
async fn loose_files_are_taken_where_no_layout_is() {
    contract(async |at| {
        let named = file(ACCOUNT, "us-east-1", "fl-0aaa", "20260301T1000Z", ".log.gz");
        for name in
            ["a.log", "b.log.gz", "sub/c.parquet", "sub/deep/er/still/here/d.txt", "eni-0123456789abcdef0-all/000000.gz", "nosuffix"]
        {
            at.put(&format!("export/{name}"), b"x");
        }
        at.put(&format!("export/{named}"), b"x");
        at.put("export/aws-logs-write-test", b"x");
        at.put("export/.git/config", b"x");
        let (found, counts) = at.list("export", &Prune::default()).await.unwrap();
        assert_eq!((found.len(), counts.foreign, counts.foreign_prefixes), (7, 1, 1), "{found:?} {counts:?}");
        // What a loose file's name says prunes, and what does not tell is kept.
        let (found, counts) = at.list("export/", &Prune { accounts: vec![OTHER_ACCOUNT.into()], ..Prune::default() }).await.unwrap();
        assert_eq!((found.len(), counts.pruned.account.objects), (6, 1));
        let (_, object) = at.object("export/a.log").await;
        assert_eq!(object.key, LogKey::default());
    })
    .await;
}

#[tokio::test]
async fn one_object_reached_twice_is_taken_once() {
    contract(async |at| {
        let key = plain(ACCOUNT, "us-east-1", "20260301T1000Z");
        at.put(&key, b"x");
        let sources = at.open(&["", "AWSLogs/", &key]).await.unwrap();
        let (objects, counts) = source::list_all(&sources, &Prune::default()).await.unwrap();
        assert_eq!((objects.len(), counts.objects, counts.bytes), (1, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn more_objects_than_a_page() {
    contract(async |at| {
        let day = "AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/01";
        for at_object in 0..2_600 {
            at.put(&format!("{day}/{}", file(ACCOUNT, "us-east-1", &format!("fl-{at_object:04}"), "20260301T1000Z", ".log.gz")), b"xyz");
        }
        for at_object in 0..1_100 {
            at.put(&format!("loose/{at_object:04}.log"), b"x");
        }
        let (found, counts) = at.list("AWSLogs", &Prune::default()).await.unwrap();
        assert_eq!((found.len(), counts.objects, counts.bytes), (2_600, 2_600, 7_800));
        assert!(found.is_sorted());
        assert_eq!(at.list("loose", &Prune::default()).await.unwrap().0.len(), 1_100);
    })
    .await;
}

#[tokio::test]
async fn bytes_come_back_whole_and_by_range() {
    contract(async |at| {
        let bytes = noise(3_000_000);
        at.put("big.log", &bytes);
        at.put("empty.log", b"");
        let (source, object) = at.object("big.log").await;
        assert!(read(&*source, &object).await.unwrap() == bytes);
        let range = source.read_range(&object, 1_000_000..2_500_000).await.unwrap();
        assert!(range[..] == bytes[1_000_000..2_500_000]);
        assert_eq!(source.read_range(&object, 2_999_996..3_000_000).await.unwrap()[..], bytes[2_999_996..]);
        assert!(source.read_range(&object, 5..5).await.unwrap().is_empty());
        assert!(source.read_range(&object, 10..3_000_001).await.is_err());
        let (source, object) = at.object("empty.log").await;
        assert!(read(&*source, &object).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn small_objects_come_together_each_with_its_own_fault() {
    contract(async |at| {
        let bytes = noise(2_500_000);
        at.put("logs/a.log", b"first");
        at.put("logs/b.log", b"gone");
        at.put("logs/c.log", b"replaced");
        at.put("logs/d.log", b"");
        at.put("logs/e.log", &bytes);
        let (listed, _) = source::list_all(&at.open(&["logs/"]).await.unwrap(), &Prune::default()).await.unwrap();
        let source = Arc::clone(&listed[0].0);
        let objects: Vec<&Object> = listed.iter().map(|(_, object)| object).collect();
        match at {
            Fixture::Disk(folder) => std::fs::remove_file(folder.path().join("logs/b.log")).unwrap(),
            Fixture::S3(server) => server.delete(BUCKET, "logs/b.log"),
        }
        at.put("logs/c.log", b"another one");
        let read = source.read_each(&objects).await;
        let [a, b, c, d, e] = read.try_into().unwrap();
        let fault = |read: Result<bytes::Bytes>| ReadFault::of(&read.unwrap_err()).cloned();
        assert_eq!((&a.unwrap()[..], d.unwrap().len()), (&b"first"[..], 0));
        assert_eq!((fault(b), fault(c)), (Some(ReadFault::Gone), Some(ReadFault::Replaced)));
        assert!(e.unwrap()[..] == bytes);
    })
    .await;
}

#[tokio::test]
async fn a_replaced_or_deleted_object_is_noticed() {
    contract(async |at| {
        at.put("a.log", b"first");
        let (source, object) = at.object("a.log").await;
        at.put("a.log", b"second!");
        let fault = read(&*source, &object).await.unwrap_err();
        assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Replaced), "{fault}");
        let fault = source.read_range(&object, 0..2).await.unwrap_err();
        assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Replaced), "{fault}");
        match at {
            Fixture::Disk(folder) => std::fs::remove_file(folder.path().join("a.log")).unwrap(),
            Fixture::S3(server) => server.delete(BUCKET, "a.log"),
        }
        let fault = read(&*source, &object).await.unwrap_err();
        assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Gone), "{fault}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_place_is_answered_with_the_nearest() {
    contract(async |at| {
        at.put(&plain(ACCOUNT, "us-east-1", "20260301T1000Z"), b"x");
        at.put(&plain(ACCOUNT, "eu-west-1", "20260301T1000Z"), b"x");
        let fault = at.list(&format!("AWSLogs/{ACCOUNT}/vpcflowlogs/us-esat-1/2026/"), &Prune::default()).await.unwrap_err();
        assert_eq!(fault.kind(), Kind::Usage);
        assert!(fault.to_string().contains("us-esat-1") && hint(&fault).contains("us-east-1"), "{fault:?}");
    })
    .await;
}

// ---- the disk alone

#[tokio::test]
async fn a_glob_matches_files_and_folders() {
    let at = Fixture::Disk(tempfile::tempdir().unwrap());
    for key in ["a/one.log", "a/README.md", "b/two.log", "c/three.txt"] {
        at.put(key, b"x");
    }
    assert_eq!(at.list("?/*.log", &Prune::default()).await.unwrap().0, ["a/one.log", "b/two.log"]);
    assert_eq!(at.list("[ab]", &Prune::default()).await.unwrap().0, ["a/one.log", "b/two.log"]);
    let (found, counts) = at.list("a/*", &Prune::default()).await.unwrap();
    assert_eq!((found.len(), counts.foreign), (1, 1));
    assert_eq!(at.list("z*", &Prune::default()).await.unwrap_err().kind(), Kind::Usage);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_once() {
    let at = Fixture::Disk(tempfile::tempdir().unwrap());
    at.put("logs/2026/a.log", b"x");
    let Fixture::Disk(folder) = &at else { unreachable!() };
    let logs = folder.path().join("logs");
    std::os::unix::fs::symlink(&logs, logs.join("2026/loop")).unwrap();
    std::os::unix::fs::symlink(logs.join("2026"), logs.join("0-latest")).unwrap();
    std::os::unix::fs::symlink(logs.join("nowhere"), logs.join("broken.log")).unwrap();
    std::os::unix::fs::symlink(logs.join("2026/a.log"), logs.join("b.log")).unwrap();
    let (found, counts) = at.list("logs", &Prune::default()).await.unwrap();
    assert_eq!((found.len(), counts.foreign), (1, 1), "{found:?}");
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_noticed() {
    let at = Fixture::Disk(tempfile::tempdir().unwrap());
    at.put("a.log", &noise(3_000_000));
    let (source, object) = at.object("a.log").await;
    let mut chunks = source.read(&object).await.unwrap();
    chunks.try_next().await.unwrap();
    at.put("a.log", &noise(3_000_001));
    let fault = chunks.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Replaced));
}

#[tokio::test]
async fn what_was_read_before_a_fault_is_handed_on() {
    let at = Fixture::Disk(tempfile::tempdir().unwrap());
    let bytes = noise(3_000_000);
    at.put("a.log", &bytes);
    let (source, object) = at.object("a.log").await;
    let mut chunks = source.read(&object).await.unwrap();
    // Cut behind the first chunk, which is there already.
    at.put("a.log", &bytes[..1_500_000]);
    let first = chunks.try_next().await.unwrap().unwrap();
    assert!(first[..] == bytes[..first.len()] && first.len() < bytes.len());
    assert_eq!(ReadFault::of(&chunks.try_next().await.unwrap_err()), Some(&ReadFault::Replaced));
}

#[tokio::test]
async fn arguments_that_name_nothing_are_usage_errors() {
    for arg in [
        "s3://",
        "s3://b",
        "s3:///prefix",
        "s3a://bucket/x",
        "gs://bucket/x",
        "arn:aws:s3:::bucket/x",
        "no/such/folder",
        "s3://bucket/*.gz",
    ] {
        let fault = source::open(&[arg.to_owned()], &S3Options { no_sign_request: true, ..S3Options::default() }).await.unwrap_err();
        assert_eq!(fault.kind(), Kind::Usage, "{arg}: {fault}");
        assert!(fault.to_string().contains(arg) && fault.hint().is_some(), "{fault:?}");
    }
    let role = S3Options { external_id: Some("x".into()), ..S3Options::default() };
    assert_eq!(source::open(&["s3://bucket/".to_owned()], &role).await.unwrap_err().kind(), Kind::Usage);
}

// ---- S3 alone

#[tokio::test]
async fn a_bucket_is_never_walked_whole() {
    let (server, options) = s3().await;
    for account in 0..20 {
        for day in 0..60 {
            let stamp = chrono::DateTime::from_timestamp(instant("2026-01-01") + day * DAY, 0).unwrap().format("%Y%m%dT0000Z").to_string();
            server.put(BUCKET, &plain(&format!("{account:012}"), "us-east-1", &stamp), &b"x"[..]);
        }
        server.put(BUCKET, &format!("AWSLogs/{account:012}/CloudTrail/us-east-1/2026/01/01/x.json.gz"), &b"x"[..]);
    }
    for part in 0..300 {
        server.put(BUCKET, &format!("warehouse/part={part}/deep/er/x.parquet"), &b"x"[..]);
    }
    let list = async |arg: &str, prune: Prune| {
        server.clear_requests();
        let sources = source::open(&[format!("s3://{BUCKET}/{arg}")], &options).await.unwrap();
        let (objects, counts) = source::list_all(&sources, &prune).await.unwrap();
        let requests = server.requests();
        assert_eq!(counts.requests, requests.len() as u64);
        (objects.len(), requests)
    };
    let day = window("2026-02-10", "2026-02-11");
    let (found, requests) = list("AWSLogs/", Prune { accounts: vec!["000000000007".into()], ..day.clone() }).await;
    // AWSLogs, account, vpcflowlogs, region, year, month; then the 10th, the 9th (its last file may reach over midnight), and the
    // 11th and 12th (late by a day, and an interval).
    assert_eq!((found, requests.len()), (3, 6 + 4), "{requests:#?}");
    let (found, requests) = list("AWSLogs/", day.clone()).await;
    assert_eq!((found, requests.len()), (60, 1 + 20 * 9));
    assert!(!requests.iter().any(|request| request.key.contains("CloudTrail") || request.key.contains("/01/")));
    // From the bucket's top, the search for AWSLogs/ is bounded too.
    let (found, requests) = list("", day).await;
    assert_eq!(found, 60);
    assert!(requests.len() <= 256 + 1 + 20 * 9, "{}", requests.len());
    // A month, to its folder's day.
    let (found, requests) = list("AWSLogs/000000000007/vpcflowlogs/us-east-1/2026/01/3", Prune::default()).await;
    assert_eq!((found, requests.len()), (2, 4));
}

#[tokio::test]
async fn a_layout_is_found_behind_more_names_than_a_page_and_beside_another() {
    let (server, options) = s3().await;
    let (near, far) =
        (plain(ACCOUNT, "us-east-1", "20260301T1000Z"), format!("org/network/logs/{}", plain(ACCOUNT, "eu-west-1", "20260301T1000Z")));
    (0..1_100).for_each(|name| server.put(BUCKET, &format!("0-crowd/{name:04}/x.log"), &b"x"[..]));
    (0..1_100).for_each(|name| server.put(BUCKET, &format!("crowded/{name:04}.log"), &b"x"[..]));
    server.put(BUCKET, &format!("crowded/{near}"), &b"x"[..]);
    server.put(BUCKET, &far, &b"x"[..]);
    server.put(BUCKET, "a/b/c/d/e/AWSLogs/too-deep.log", &b"x"[..]);
    let list = async |arg: &str| {
        let sources = source::open(&[format!("s3://{BUCKET}/{arg}")], &options).await.unwrap();
        let (objects, counts) = source::list_all(&sources, &Prune::default()).await.unwrap();
        (objects.iter().map(|(_, object)| object.uri.to_string()).collect::<Vec<_>>(), counts)
    };
    let (found, counts) = list("crowded/").await;
    assert_eq!(found, [format!("s3://{BUCKET}/crowded/{near}")]);
    assert_eq!((counts.foreign, counts.foreign_prefixes), (1_000, 1), "{:?}", counts.foreign_examples);
    // What lies beyond the search's bounds is not read, and not passed over in silence.
    let (found, counts) = list("").await;
    assert_eq!(found.len(), 2, "{found:?}");
    let reasons: Vec<_> = counts.foreign_examples.iter().map(|(_, reason)| reason.as_str()).collect();
    assert!(counts.foreign_prefixes > 800 && reasons.contains(&"only its first names were searched for AWSLogs/"), "{counts:?}");
}

#[tokio::test]
async fn busy_servers_and_cut_bodies_change_nothing() {
    let (server, options) = s3().await;
    let bytes = noise(700_000);
    for stamp in 0..40 {
        server.put(BUCKET, &plain(ACCOUNT, "us-east-1", &format!("20260301T{:02}{:02}Z", stamp / 12, stamp % 12 * 5)), bytes.clone());
    }
    server.slow_down_every(5);
    server.cut_bodies(2, 7);
    let sources = source::open(&[format!("s3://{BUCKET}/")], &options).await.unwrap();
    let (objects, _) = source::list_all(&sources, &Prune::default()).await.unwrap();
    assert_eq!(objects.len(), 40);
    for (source, object) in &objects {
        assert!(read(&**source, object).await.unwrap() == bytes);
    }
    let (source, object) = &objects[0];
    assert!(source.read_range(object, 100..600_000).await.unwrap()[..] == bytes[100..600_000]);
    let resumed: Vec<Request> = server.requests().into_iter().filter(|request| request.range.is_some()).collect();
    assert!(resumed.len() > 15 && resumed.iter().all(|request| request.if_match), "{}", resumed.len());
}

#[tokio::test]
async fn a_big_object_is_read_in_parts_and_in_order() {
    let (server, _) = s3().await;
    let bytes = noise((17 << 20) + 7);
    server.put(BUCKET, "big.log", bytes.clone());
    let at = Fixture::S3(server);
    let (source, object) = at.object("big.log").await;
    let Fixture::S3(server) = &at else { unreachable!() };
    let parts = || {
        let requests = server.requests().into_iter().filter(|request| request.method == "GET");
        // Those in flight arrive in any order.
        requests.map(|request| (request.range.expect("a range"), request.if_match)).collect::<BTreeSet<_>>()
    };
    let expected: BTreeSet<(String, bool)> =
        (0..18_u64).map(|part| (format!("bytes={}-{}", part << 20, ((part + 1) << 20).min((17 << 20) + 7) - 1), true)).collect();
    server.clear_requests();
    assert!(read(&*source, &object).await.unwrap() == bytes);
    assert_eq!((parts(), server.requests().len()), (expected, 18));
    // Far away several are in flight.
    server.clear_requests();
    server.latency(Duration::from_millis(300));
    assert!(read(&*source, &object).await.unwrap() == bytes);
    assert!(server.waiting_max() > 1, "{} at a time", server.waiting_max());
    assert_eq!(server.requests().len(), 18);
    server.latency(Duration::ZERO);
    // Cut bodies are resumed, each within its part.
    server.cut_bodies(3, 7);
    server.clear_requests();
    assert!(read(&*source, &object).await.unwrap() == bytes);
    assert!(parts().len() > 18 && parts().iter().all(|(_, if_match)| *if_match));
    server.cut_bodies(u64::MAX, 0);
    // Replaced under way: what was delivered is the beginning of the old object, and the fault is told.
    let mut stream = source.read(&object).await.unwrap();
    let mut got = stream.next().await.unwrap().unwrap().to_vec();
    server.put(BUCKET, "big.log", noise(5));
    let fault = loop {
        match stream.next().await.expect("a fault") {
            Ok(chunk) => got.extend_from_slice(&chunk),
            Err(fault) => break fault,
        }
    };
    assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Replaced), "{fault}");
    assert!(got.len() < bytes.len() && bytes.starts_with(&got));
}

#[tokio::test]
async fn an_object_replaced_between_two_requests_is_noticed() {
    let (server, options) = s3().await;
    server.put(BUCKET, "a.log", noise(100_000));
    let sources = source::open(&[format!("s3://{BUCKET}/a.log")], &options).await.unwrap();
    let (objects, _) = source::list_all(&sources, &Prune::default()).await.unwrap();
    server.replace_mid_read(BUCKET, "a.log", vec![b'x'; 100_000]);
    let fault = read(&*objects[0].0, &objects[0].1).await.unwrap_err();
    assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Replaced), "{fault}");
}

#[tokio::test]
async fn a_body_that_never_ends_gives_up_and_says_where() {
    let (server, options) = s3().await;
    server.put(BUCKET, "a.log", noise(100_000));
    server.cut_body_at(BUCKET, "a.log", 0);
    let sources = source::open(&[format!("s3://{BUCKET}/a.log")], &options).await.unwrap();
    let (objects, _) = source::list_all(&sources, &Prune::default()).await.unwrap();
    let fault = read(&*objects[0].0, &objects[0].1).await.unwrap_err();
    assert_eq!(ReadFault::of(&fault), Some(&ReadFault::Cut { at: 0 }), "{fault}");
    assert!(fault.to_string().contains("gave up at byte 0"));
}

#[tokio::test]
async fn denied_access_names_what_is_missing() {
    let (server, options) = s3().await;
    server.put(BUCKET, "open/a.log", &b"x"[..]);
    server.put(BUCKET, "shut/a.log", &b"x"[..]);
    server.deny_list(BUCKET, "shut/");
    server.deny_get(BUCKET, "open/");
    let open = async |arg: &str| source::open(&[format!("s3://{arg}")], &options).await.unwrap();
    let fault = source::list_all(&open(&format!("{BUCKET}/shut/")).await, &Prune::default()).await.unwrap_err();
    assert_eq!(fault.kind(), Kind::Access);
    assert!(hint(&fault).contains("s3:ListBucket on arn:aws:s3:::org-flow-logs") && hint(&fault).contains("shut/*"), "{fault:?}");
    let (objects, _) = source::list_all(&open(&format!("{BUCKET}/open/")).await, &Prune::default()).await.unwrap();
    let fault = read(&*objects[0].0, &objects[0].1).await.unwrap_err();
    assert_eq!(fault.kind(), Kind::Access);
    assert!(hint(&fault).contains("s3:GetObject on arn:aws:s3:::org-flow-logs/open/a.log"), "{fault:?}");
    let fault = source::list_all(&open("no-such-bucket/x").await, &Prune::default()).await.unwrap_err();
    assert_eq!(fault.kind(), Kind::Usage, "{fault:?}");
    let permissions = open(&format!("{BUCKET}/open/")).await[0].permissions();
    let told: Vec<_> = permissions.iter().map(|needed| format!("{} {} {:?}", needed.action, needed.resource, needed.prefix)).collect();
    assert_eq!(
        told,
        [r#"s3:ListBucket arn:aws:s3:::org-flow-logs Some("open/*")"#, "s3:GetObject arn:aws:s3:::org-flow-logs/open/* None",]
    );
}

#[tokio::test]
async fn the_buckets_region_is_found_by_itself() {
    let (server, options) = s3().await;
    server.put(BUCKET, "a/a.log", &b"x"[..]);
    server.region(BUCKET, "cn-north-1");
    let options = S3Options { request_payer: true, ..options };
    let sources = source::open(&[format!("s3://{BUCKET}/a/")], &options).await.unwrap();
    let (objects, _) = source::list_all(&sources, &Prune::default()).await.unwrap();
    assert_eq!(objects.len(), 1);
    assert_eq!(sources[0].permissions()[0].resource, "arn:aws-cn:s3:::org-flow-logs");
    assert!(server.requests().iter().all(|request| request.payer && request.signed_by.is_none()));
}

/// Runs [`signed_in_its_own_environment`] with these variables and no others of AWS, as the chain reads the process's own.
fn signed(server: &S3Server, variables: &[(&str, &str)]) -> (bool, String) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "source::signed_in_its_own_environment", "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        child.env_remove(name);
    }
    let nowhere = "/nonexistent/aws";
    child.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", nowhere).env("AWS_SHARED_CREDENTIALS_FILE", nowhere);
    child.env("TEST_ENDPOINT", server.endpoint_url()).env("AWS_ENDPOINT_URL_STS", server.endpoint_url());
    let done = child.envs(variables.iter().copied()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    (done.status.success(), said)
}

#[tokio::test]
#[ignore = "run by other tests, in a process with an environment of its own"]
async fn signed_in_its_own_environment() {
    #[expect(clippy::disallowed_methods, reason = "the parent test passes its parameters by the environment")]
    let given = |name: &str| std::env::var(name).ok();
    let options = S3Options {
        endpoint_url: given("TEST_ENDPOINT"),
        profile: given("TEST_PROFILE"),
        role_arn: given("TEST_ROLE"),
        external_id: given("TEST_EXTERNAL_ID"),
        ..S3Options::default()
    };
    let listed = async {
        let sources = source::open(&[format!("s3://{BUCKET}/a/")], &options).await?;
        let (objects, _) = source::list_all(&sources, &Prune::default()).await?;
        read(&*objects[0].0, &objects[0].1).await
    };
    match listed.await {
        Ok(bytes) => assert_eq!(bytes, b"x"),
        Err(fault) => panic!("{:?}: {fault} (hint: {})", fault.kind(), hint(&fault)),
    }
}

#[tokio::test]
async fn credentials_come_from_the_chain() {
    let (server, _) = s3().await;
    server.put(BUCKET, "a/a.log", &b"x"[..]);
    server.region(BUCKET, "eu-central-1");
    server.deny_anonymous();
    let keys = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let signers = || server.requests().into_iter().map(|request| request.signed_by).collect::<std::collections::BTreeSet<_>>();

    let (done, said) = signed(&server, &keys);
    assert!(done, "{said}");
    assert_eq!(signers().into_iter().collect::<Vec<_>>(), [Some(ACCESS_KEY.to_owned())]);

    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("config");
    std::fs::write(&profile, format!("[profile audit]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")).unwrap();
    let (done, said) = signed(&server, &[("AWS_CONFIG_FILE", profile.to_str().unwrap()), ("TEST_PROFILE", "audit")]);
    assert!(done, "{said}");

    server.clear_requests();
    let role = [("TEST_ROLE", "arn:aws:iam::111122223333:role/audit"), ("TEST_EXTERNAL_ID", EXTERNAL_ID)];
    let (done, said) = signed(&server, &[&keys[..], &role[..]].concat());
    assert!(done, "{said}");
    assert_eq!(signers().into_iter().collect::<Vec<_>>(), [Some(ROLE_ACCESS_KEY.to_owned())]);
}

#[tokio::test]
async fn missing_and_wrong_credentials_are_told_with_the_next_action() {
    let (server, _) = s3().await;
    server.put(BUCKET, "a/a.log", &b"x"[..]);
    let check = |variables: &[(&str, &str)], want: &[&str]| {
        let (done, said) = signed(&server, variables);
        assert!(!done && want.iter().all(|want| said.contains(want)), "{want:?} in {said}");
    };
    let key = ("AWS_ACCESS_KEY_ID", ACCESS_KEY);
    check(&[], &["Access: no AWS credentials were found", "--no-sign-request"]);
    check(&[("TEST_PROFILE", "nobody")], &["Access: no AWS credentials were found", "profile nobody"]);
    check(
        &[key, ("AWS_SECRET_ACCESS_KEY", "wrong")],
        &["Access: s3://org-flow-logs/a/", "SignatureDoesNotMatch", "aws sts get-caller-identity"],
    );
    let role =
        [key, ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("TEST_ROLE", "arn:aws:iam::111122223333:role/audit"), ("TEST_EXTERNAL_ID", "wrong")];
    check(&role, &["Access: no AWS credentials", "allow sts:AssumeRole on arn:aws:iam::111122223333:role/audit", "--external-id"]);
}

#[tokio::test]
async fn odd_keys_survive_listing_and_reading() {
    let (server, options) = s3().await;
    for key in ["odd/a b+c%20&é.log", "odd/\u{1}.log", "odd//double.log"] {
        server.put(BUCKET, key, key.to_owned());
    }
    let sources = source::open(&[format!("s3://{BUCKET}/odd/")], &options).await.unwrap();
    let (objects, _) = source::list_all(&sources, &Prune::default()).await.unwrap();
    assert_eq!(objects.len(), 3, "{objects:?}");
    for (source, object) in &objects {
        let key = object.uri.strip_prefix("s3://org-flow-logs/").unwrap();
        assert_eq!(read(&**source, object).await.unwrap(), key.as_bytes());
    }
}

#[tokio::test]
async fn pages_are_asked_for_in_parallel() {
    let (server, options) = s3().await;
    for day in 1..=28 {
        server.put(BUCKET, &plain(ACCOUNT, "us-east-1", &format!("202602{day:02}T0000Z")), &b"x"[..]);
    }
    server.latency(Duration::from_millis(40));
    let sources = source::open(&[format!("s3://{BUCKET}/AWSLogs/{ACCOUNT}/vpcflowlogs/us-east-1/2026/02/")], &options).await.unwrap();
    let (objects, counts) = source::list_all(&sources, &Prune::default()).await.unwrap();
    assert_eq!((objects.len(), counts.requests), (28, 29));
    assert!(server.waiting_max() > 4, "{} at a time", server.waiting_max());
}

// ---- keys

#[test]
fn keys_as_they_are_met() {
    let check = |key: &str, want: &str| {
        let found = match LogKey::parse(key) {
            Recognised::Log(key) => format!("log {} {}", key.account.as_deref().unwrap_or("-"), key.layout.as_str()),
            Recognised::Loose => "loose".to_owned(),
            Recognised::Foreign(reason) => reason.to_owned(),
        };
        assert_eq!(found, want, "{key}");
    };
    check(&plain(ACCOUNT, "us-east-1", "20260301T1000Z"), "log 111122223333 plain");
    check(&format!("backup/{}", plain(ACCOUNT, "us-east-1", "20260301T1000Z")), "log 111122223333 plain");
    check(&plain(ACCOUNT, "us-east-1", "20260301T1000Z")["AWSLogs/".len()..], "log 111122223333 plain");
    check(&file(ACCOUNT, "cn-north-1", "fl-0aaa", "20260301T1000Z", ".log.gz"), "log 111122223333 loose");
    check("AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/01/renamed.log.gz", "log 111122223333 plain");
    check("AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/02/30/x.log.gz", "not a day folder");
    check("AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/01/24/x.log.gz", "not an hour folder");
    check("AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/13/01/x.log.gz", "not a month folder");
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/x.json.gz", "another AWS service's logs");
    check("AWSLogs/my.log", "outside any vpcflowlogs/ folder");
    check("my.log", "loose");
    check("x.parquet", "loose");
    check("logs/", "folder marker");
    check("", "folder marker");
    check("logs/part-0.gz", "loose");
    check("logs/x.log.gz.sha256", "manifest, checksum or signature");
    check("exports/aws-logs-write-test", "write test of an AWS service");
    check("table/_delta_log/0000.json", "hidden folder");
    // Security Lake, under any prefix, and its other sources.
    let lake = "region=us-east-1/accountId=111122223333/eventDay=20261001/0a1b.gz.parquet";
    check(&format!("aws/VPC_FLOW/1.0/{lake}"), "log 111122223333 security-lake");
    check(&format!("copy/of/aws/VPC_FLOW/2.0/{lake}"), "log 111122223333 security-lake");
    check(&format!("VPC_FLOW/{lake}"), "log 111122223333 security-lake");
    check(&format!("aws/CLOUD_TRAIL_MGMT/2.0/{lake}"), "another source of Security Lake");
    check(&format!("aws/ROUTE53/2.0/{lake}"), "another source of Security Lake");
    check("aws/VPC_FLOW/2.0/region=us-east-1/accountId=unknown/x.parquet", "not an account folder");
    check("aws/VPC_FLOW/2.0/metadata/v1.json", "not a region folder");
    check("backups/WAF/x.log", "loose");
    check("aws/x.log", "loose");
    // Transit gateway flow logs, in Hive folders as either page of AWS writes them.
    for service in ["aws-service=vpcflowlogs", "service=vpcflowlogs"] {
        let key = hive(ACCOUNT, "us-east-1", "20260301T1000Z").replace("aws-service=vpcflowlogs", service);
        check(&key, "log 111122223333 hive");
    }
    // CloudWatch export tasks, and Firehose without a suffix.
    check("exports/0f1e2d3c-1111-2222-3333-444455556666/eni-0123456789abcdef0-all/000000.gz", "loose");
    check("2026/10/01/08/flow-1-2026-10-01-08-00-00-0f1e2d3c-1111-2222-3333-444455556666", "loose");
    for folder in ["", "exports/", "a/b/c/d/e/", "AWSLogs/", "AWSLogs/111122223333/vpcflowlogs/", "aws/VPC_FLOW/2.0/"] {
        check(&format!("{folder}aws-logs-write-test"), "write test of an AWS service");
    }
}

#[tokio::test]
async fn security_lake_is_pruned_by_region_and_account_but_not_by_its_event_day() {
    contract(async |at| {
        for (source, version) in [("VPC_FLOW", "1.0"), ("VPC_FLOW", "2.0"), ("CLOUD_TRAIL_MGMT", "2.0"), ("ROUTE53", "2.0")] {
            for region in ["us-east-1", "eu-west-1"] {
                for account in [ACCOUNT, OTHER_ACCOUNT] {
                    for day in ["20261001", "20261002"] {
                        let folders = format!("lake/aws/{source}/{version}/region={region}/accountId={account}/eventDay={day}");
                        at.put(&format!("{folders}/0a1b2c.gz.parquet"), b"x");
                    }
                }
            }
        }
        for level in ["", "lake", "lake/aws/"] {
            let (found, counts) = at.list(level, &Prune::default()).await.unwrap();
            assert_eq!(found.len(), 16, "{level}: {found:?}");
            assert!(found.iter().all(|key| key.contains("/VPC_FLOW/")));
            assert!(counts.foreign_prefixes >= 2, "{counts:?}");
        }
        let (found, counts) = at.list("", &Prune { regions: vec!["eu-west-1".into()], ..Prune::default() }).await.unwrap();
        assert_eq!((found.len(), counts.pruned.region.prefixes), (8, 2));
        let (found, counts) = at.list("", &Prune { accounts: vec![ACCOUNT.into()], ..Prune::default() }).await.unwrap();
        assert_eq!((found.len(), counts.pruned.account.prefixes), (8, 4));
        assert_eq!(at.list("lake/aws/VPC_FLOW/2.0", &window("2026-10-02", "2026-10-03")).await.unwrap().0.len(), 8);
        let (_, object) = at.object("lake/aws/VPC_FLOW/2.0/region=eu-west-1/accountId=111122223333/eventDay=20261001/").await;
        assert_eq!((object.key.account.as_deref(), object.key.region.as_deref()), (Some(ACCOUNT), Some("eu-west-1")));
        assert_eq!((object.key.layout.as_str(), object.key.path_time), ("security-lake", None));
    })
    .await;
}

proptest! {
    #[test]
    fn parsing_never_panics(key in "\\PC{0,80}|(AWSLogs|vpcflowlogs|year=|month=|[0-9]{2,12}|o-[a-z]{10}|/|=|_|us-east-1|\\PC){0,20}") {
        let _ = LogKey::parse(&key);
    }

    #[test]
    fn what_a_key_is_made_from_is_read_back(
        account in "[0-9]{12}", region in "[a-z]{2}-(gov-)?[a-z]{4,9}-[1-9]", id in "fl-[0-9a-f]{8,17}", minutes in 0i64..50_000_000,
        is_hive: bool, is_hourly: bool, prefix in "([a-z]{1,8}/){0,3}", suffix in "\\.log\\.(gz|parquet)",
    ) {
        let time = minutes / 5 * 300;
        let at = chrono::DateTime::from_timestamp(time, 0).unwrap();
        let name = format!("{account}_vpcflowlogs_{region}_{id}_{}_0a1b{suffix}", at.format("%Y%m%dT%H%MZ"));
        let folders = if is_hive {
            format!("aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/{}", at.format("year=%Y/month=%m/day=%d"))
        } else {
            format!("{account}/vpcflowlogs/{region}/{}", at.format("%Y/%m/%d"))
        };
        let hour = match (is_hourly, is_hive) {
            (false, _) => String::new(),
            (true, false) => at.format("/%H").to_string(),
            (true, true) => at.format("/hour=%H").to_string(),
        };
        let Recognised::Log(key) = LogKey::parse(&format!("{prefix}AWSLogs/{folders}{hour}/{name}")) else { panic!("not recognised") };
        prop_assert_eq!(key.account.as_deref(), Some(&*account));
        prop_assert_eq!(key.region.as_deref(), Some(&*region));
        prop_assert_eq!(key.flow_log_id.as_deref(), Some(&*id));
        prop_assert_eq!(key.time, Some(time));
        let period = key.path_time.unwrap();
        prop_assert!(period.contains(time));
        prop_assert_eq!(period.to - period.from, if is_hourly { 3_600 } else { DAY });
        let layout = if is_hive { "hive" } else { "plain" }.to_owned() + if is_hourly { "-hourly" } else { "" };
        prop_assert_eq!(key.layout.as_str(), &*layout);
    }

    /// A record that ends in a file's bucket, within AWS's interval and clock slack, and is delivered within the stated delay,
    /// is never lost to pruning; and whatever a folder's pruning leaves out, its files' would have left out too.
    #[test]
    fn pruning_keeps_every_record_of_the_window(
        end in 1_700_000_000i64..1_800_000_000, interval in 0..=INTERVAL_MAX_S, off in -60i64..=60, delay in 0..=LATE_DELIVERY_MAX_S,
        from_before in 0i64..200_000, to_after in 1i64..200_000,
    ) {
        let start = end - interval + off;
        let prune = Prune { time: TimeRange { from: Some(start - from_before), to: Some(start + to_after) }, ..Prune::default() };
        for stamp in [end / 300 * 300, (end + delay) / 300 * 300] {
            let at = chrono::DateTime::from_timestamp(stamp, 0).unwrap();
            let key = plain(ACCOUNT, "us-east-1", &at.format("%Y%m%dT%H%MZ").to_string());
            let Recognised::Log(key) = LogKey::parse(&key) else { panic!("not recognised") };
            prop_assert_eq!(prune.rejects(&key), None::<Limit>);
            prop_assert_eq!(prune.rejects(&LogKey { time: None, ..key }), None::<Limit>);
        }
    }
}
