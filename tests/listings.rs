//! What stands in for LIST (S3 Inventory, files of URIs), standard input, access points and requester-pays buckets: the same
//! answers as from a listing, and every fault named.

use crate::generator::{Config, Container, generate};
use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, Outcome, command, files, finish, flowproof, flowproof_on};
use crate::s3::widen;
use crate::s3_server::S3Server;
use arrow::array::{ArrayRef, BooleanArray, DictionaryArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::Int32Type;
use md5::{Digest, Md5};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

const BUCKET: &str = "org-flow-logs";
const LISTS: &str = "org-inventories";
const FOLDER: &str = "lists/org-flow-logs/daily";
const CREATED: &str = "1772330400000";
const CSV: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag";

/// One row of an inventory.
#[derive(Clone)]
struct Row {
    key: String,
    size: Option<u64>,
    etag: String,
    latest: bool,
    marker: bool,
}

fn row(key: &str, size: usize, etag: &str) -> Row {
    Row { key: key.to_owned(), size: Some(size as u64), etag: etag.to_owned(), latest: true, marker: false }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// Encodes a key as S3 does in CSV.
fn encoded(key: &str) -> String {
    key.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn csv(rows: &[Row]) -> Vec<u8> {
    let line = |row: &Row| {
        let size = row.size.map(|size| size.to_string()).unwrap_or_default();
        let fields = [BUCKET, &encoded(&row.key), "v1", &row.latest.to_string(), &row.marker.to_string(), &size];
        let fields: Vec<_> = fields.iter().map(|field| format!("\"{field}\"")).collect();
        format!("{},\"2026-03-01T00:00:00.000Z\",\"{}\"\n", fields.join(","), row.etag)
    };
    gzip(rows.iter().map(line).collect::<String>().as_bytes())
}

fn parquet(rows: &[Row]) -> Vec<u8> {
    let texts = |of: fn(&Row) -> String| Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>()) as ArrayRef;
    let flags = |of: fn(&Row) -> bool| Arc::new(rows.iter().map(|row| Some(of(row))).collect::<BooleanArray>()) as ArrayRef;
    let written = rows.iter().map(|_| Some(1_772_323_200_000)).collect::<TimestampMillisecondArray>();
    let batch = RecordBatch::try_from_iter([
        ("bucket", texts(|_| BUCKET.to_owned())),
        ("key", texts(|row| row.key.clone())),
        ("version_id", texts(|_| "v1".to_owned())),
        ("is_latest", flags(|row| row.latest)),
        ("is_delete_marker", flags(|row| row.marker)),
        ("size", Arc::new(rows.iter().map(|row| row.size.map(|size| size as i64)).collect::<Int64Array>()) as ArrayRef),
        ("last_modified_date", Arc::new(written) as ArrayRef),
        ("e_tag", texts(|row| row.etag.clone())),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// Rows that all name one long key.
fn bomb(rows: usize, length: usize) -> Vec<u8> {
    let column = |value: String| {
        let values = Arc::new(StringArray::from(vec![value]));
        Arc::new(DictionaryArray::<Int32Type>::new(vec![0; rows].into(), values)) as ArrayRef
    };
    let batch = RecordBatch::try_from_iter([("bucket", column(BUCKET.to_owned())), ("key", column("a".repeat(length)))]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_page_size_limit(8 << 20).set_compression(Compression::SNAPPY).build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn manifest(format: &str, schema: &str, data: &[(String, Vec<u8>)]) -> Value {
    let files: Vec<_> = data.iter().map(|(key, bytes)| json!({ "key": key, "size": bytes.len(), "MD5checksum": md5(bytes) })).collect();
    json!({
        "sourceBucket": BUCKET, "destinationBucket": format!("arn:aws:s3:::{LISTS}"), "version": "2016-11-30",
        "creationTimestamp": CREATED, "fileFormat": format, "fileSchema": schema, "files": files,
    })
}

/// Logs in a bucket, and their inventory where a test puts it.
struct Estate {
    server: S3Server,
    rows: Vec<Row>,
}

impl Estate {
    fn empty() -> Estate {
        let server = S3Server::start_blocking();
        server.create_bucket(BUCKET);
        server.create_bucket(LISTS);
        Estate { server, rows: Vec::new() }
    }

    fn new() -> Estate {
        let mut estate = Estate::empty();
        let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join(ESTATE_LOGS);
        files(&logs).into_iter().for_each(|(path, bytes)| estate.put(&format!("logs/{path}"), &bytes));
        estate
    }

    fn put(&mut self, key: &str, bytes: &[u8]) {
        self.server.put(BUCKET, key, bytes.to_vec());
        self.rows.push(row(key, bytes.len(), &self.server.etag(BUCKET, key)));
    }

    /// Puts an inventory of the rows into a bucket, in two data files; returns its URI.
    fn inventory(&self, format: &str) -> String {
        let (first, second) = self.rows.split_at(self.rows.len() / 2);
        let is_csv = format == "CSV";
        let (name, schema) = if is_csv { ("csv.gz", CSV) } else { ("parquet", "message s3.inventory { … }") };
        let write = |rows: &[Row]| if is_csv { csv(rows) } else { parquet(rows) };
        let data =
            [first, second].iter().enumerate().map(|(at, rows)| (format!("{FOLDER}/data/{at}.{name}"), write(rows))).collect::<Vec<_>>();
        self.store(&manifest(format, schema, &data), data)
    }

    fn store(&self, manifest: &Value, data: Vec<(String, Vec<u8>)>) -> String {
        data.into_iter().for_each(|(key, bytes)| self.server.put(LISTS, &key, bytes));
        let key = format!("{FOLDER}/2026-03-01T02-00Z/manifest.json");
        self.server.put(LISTS, &key, manifest.to_string());
        format!("s3://{LISTS}/{key}")
    }

    fn run(&self, args: &[&str]) -> Outcome {
        flowproof_on(&self.server, args)
    }

    fn report(&self, args: &[&str]) -> Outcome {
        self.run(&[&["report", "egress", "--inventory", ESTATE_INVENTORY, "-o", "json"], args].concat())
    }

    fn listed(&self) -> Value {
        self.report(&[&format!("s3://{BUCKET}/logs")]).exits(0).json()
    }

    /// Objects of SQL's table, by key.
    fn objects(&self, args: &[&str]) -> Vec<String> {
        let args = [&["sql", "-o", "json", "-c", "SELECT log_object FROM objects ORDER BY log_object"], args].concat();
        let rows = self.run(&args).exits(0).json();
        let uris = rows.as_array().unwrap().iter().map(|row| row["log_object"].as_str().unwrap().to_owned());
        uris.map(|uri| uri.strip_prefix(&format!("s3://{BUCKET}/")).unwrap_or(&uri).to_owned()).collect()
    }
}

fn list(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn logs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(ESTATE_LOGS);
    files(&root).into_iter().map(|(path, _)| root.join(path)).collect()
}

fn incomplete(answer: &Value) -> Vec<String> {
    answer["incomplete_objects"].as_array().unwrap().iter().map(|object| object["log_object"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn same_answer(found: &Value, wanted: &Value) {
    for key in ["rows", "inputs", "undecided", "handshakes"] {
        assert!(found[key] == wanted[key], "{key}: {:#} is not {:#}", found[key], wanted[key]);
    }
}

// ---- requester pays, access points

#[test]
fn requester_pays_is_agreed_to_in_every_request() {
    let mut estate = Estate::new();
    let dir = tempfile::tempdir().unwrap();
    let one = Config { seed: 3, records: 20_000, files: 1, accounts: 1, clusters: 1, container: Container::Parquet, ..Config::default() };
    generate(&one, dir.path());
    let name = files(&dir.path().join("logs")).remove(0).0;
    widen(&dir.path().join("logs").join(&name));
    let bytes = std::fs::read(dir.path().join("logs").join(&name)).unwrap();
    estate.put(&format!("big/{name}"), &bytes);
    estate.server.requester_pays(BUCKET);
    let place = format!("s3://{BUCKET}/logs");
    estate.report(&[&place]).exits(5).without_results().tells("access denied to list").tells("add --request-payer");
    let named = list(&format!("{place}/{}\n", estate.rows[0].key));
    estate.report(&["--objects-from", path(&named)]).exits(5).without_results().tells("access denied to read").tells("add --request-payer");

    estate.server.clear_requests();
    estate.report(&[&place, "--request-payer"]).exits(0);
    let named = list(&estate.rows.iter().map(|row| format!("s3://{BUCKET}/{}\n", row.key)).collect::<String>());
    let count = ["sql", "-c", "SELECT count(bytes) FROM flows", "--request-payer", "--objects-from", path(&named)];
    estate.run(&count).exits(0);
    let requests = estate.server.requests();
    for method in ["LIST", "GET", "HEAD"] {
        assert!(requests.iter().any(|request| request.method == method), "{method}");
    }
    assert!(requests.iter().any(|request| request.range.is_some()), "no ranges");
    assert!(requests.iter().all(|request| request.payer));
}

#[test]
fn an_alias_is_a_bucket_name_and_no_iam_resource() {
    let estate = Estate::empty();
    let alias = "my-ap-abc123def456-s3alias";
    let (name, bytes) = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(ESTATE_LOGS)).remove(0);
    estate.server.put(alias, &format!("logs/{name}"), bytes);
    assert_eq!(estate.objects(&[&format!("s3://{alias}/logs/")]), [format!("s3://{alias}/logs/{name}")]);
    flowproof(&["iam-policy", &format!("s3://{alias}/logs/")]).exits(2).without_results().tells("alias").tells("give its ARN");
}

#[test]
fn the_iam_policy_of_an_access_point() {
    let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap";
    for scheme in ["s3://", ""] {
        let outcome = flowproof(&["iam-policy", &format!("{scheme}{point}/AWSLogs/")]).exits(0).tells("delegate");
        let statements = outcome.json()["Statement"].clone();
        assert_eq!(statements[0]["Resource"], format!("{point}/object/AWSLogs/*"));
        assert_eq!((&statements[0]["Action"], &statements[1]["Action"]), (&json!("s3:GetObject"), &json!("s3:ListBucket")));
        assert_eq!(statements[1]["Resource"], point);
        assert_eq!(statements[1]["Condition"]["StringLike"]["s3:prefix"], "AWSLogs/*");
    }
    let multi = "s3://arn:aws:s3::123456789012:accesspoint/xyz.mrap/AWSLogs";
    for command in ["plan", "iam-policy"] {
        flowproof(&[command, multi]).exits(2).without_results().tells("multi-region access points are not read").tells("SigV4A");
    }
}

// ---- S3 Inventory

#[test]
fn an_inventory_gives_the_answer_of_a_listing_without_one() {
    for format in ["CSV", "Parquet"] {
        let estate = Estate::new();
        let wanted = estate.listed();
        let uri = estate.inventory(format);
        estate.server.clear_requests();
        let outcome = estate.report(&["--objects-from", &uri]).exits(0).tells("as of 2026-03-01T02:00:00Z");
        let found = outcome.json();
        same_answer(&found, &wanted);
        let notes = found["notes"].as_array().unwrap();
        let told = |text: &str| notes.iter().any(|note| note.as_str().unwrap().contains(text));
        assert!(told("the listing of s3://org-flow-logs is as of 2026-03-01T02:00:00Z"), "{notes:?}");
        let requests = estate.server.requests();
        assert!(requests.iter().all(|request| request.method != "LIST"), "{format}");
        let logs: Vec<_> = requests.iter().filter(|request| request.bucket == BUCKET).collect();
        assert!(logs.len() == estate.rows.len() && logs.iter().all(|request| request.method == "GET" && request.if_match), "{format}");
        // Objects reached by both ways count once.
        same_answer(&estate.report(&["--objects-from", &uri, &format!("s3://{BUCKET}/logs")]).exits(0).json(), &wanted);
    }
}

#[test]
fn an_inventory_is_recognised_and_pruned_like_a_listing() {
    let mut estate = Estate::new();
    for foreign in
        ["warehouse/part=1/x.parquet", "logs/AWSLogs/aws-logs-write-test", "logs/AWSLogs/111122223333/CloudTrail/x.json.gz", "0/a.log"]
    {
        estate.put(foreign, b"foreign");
    }
    let older = Row { latest: false, ..row("logs/AWSLogs/old.log.gz", 5, "e") };
    let marker = Row { marker: true, size: None, ..row("logs/AWSLogs/gone.log.gz", 0, "") };
    estate.rows.extend([older, marker]);
    for format in ["CSV", "Parquet"] {
        let uri = estate.inventory(format);
        let logs = estate.rows.len() - 6;
        let plan = estate.run(&["plan", "--objects-from", &uri, "-o", "json"]).exits(0).json();
        assert_eq!((&plan["objects"], &plan["superseded"], &plan["foreign"]["objects"]), (&json!(logs), &json!(2), &json!(4)), "{plan:#}");
        let plan = estate.run(&["plan", "--objects-from", &uri, "-o", "json", "--log-account", "222233334444"]).exits(0).json();
        assert_eq!(plan["objects"].as_u64().unwrap() + plan["pruned"]["account"]["objects"].as_u64().unwrap(), logs as u64, "{plan:#}");
        assert!(plan["pruned"]["account"]["bytes"].as_u64().unwrap() > 0);
        let page = estate.run(&["plan", "--objects-from", &uri, "-o", "table"]).exits(0).text();
        assert!(page.contains("superseded   2 older versions"), "{page}");
        let outcome = estate.run(&["plan", "--objects-from", &uri, "--from", "2030-01-01"]).without_results();
        outcome.tells("--from/--to left out");
    }
}

#[test]
fn a_bucket_of_loose_files_has_no_strangers() {
    let mut estate = Estate::empty();
    let text = std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/cases/rejects/logs").join(first_file("sample-logs/cases/rejects/logs")),
    )
    .unwrap();
    for key in [
        "2026/10/01/08/flow-1-2026-10-01-08-00-00-0f1e2d3c-1111-2222-3333-444455556666",
        "export/task/eni-all/000000.gz",
        "export/aws-logs-write-test",
    ] {
        estate.put(key, &text);
    }
    let uri = estate.inventory("CSV");
    let found = estate.objects(&["--objects-from", &uri]);
    assert_eq!(found, [estate.rows[0].key.clone(), estate.rows[1].key.clone()]);
    assert_eq!(estate.objects(&[&format!("s3://{BUCKET}")]), found);
}

fn first_file(folder: &str) -> String {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).remove(0).0
}

#[test]
fn a_manifest_on_disk_finds_its_data_in_a_mirror_or_beside_it() {
    let estate = Estate::new();
    let wanted = estate.listed();
    let data = vec![(format!("{FOLDER}/data/0.csv.gz"), csv(&estate.rows))];
    let manifest = manifest("CSV", CSV, &data).to_string();
    for (at, to) in [
        (format!("{FOLDER}/2026-03-01T02-00Z/manifest.json"), data[0].0.clone()),
        ("manifest.json".to_owned(), "0.csv.gz".to_owned()),
        ("manifest.json".to_owned(), "data/0.csv.gz".to_owned()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in [(&at, manifest.as_bytes()), (&to, &data[0].1)] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let found = estate.report(&["--objects-from", folder.path().join(&at).to_str().unwrap()]).exits(0).json();
        same_answer(&found, &wanted);
        let policy = flowproof(&["iam-policy", "--objects-from", folder.path().join(&at).to_str().unwrap()]).exits(0).json();
        assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::org-flow-logs/*");
        std::fs::remove_file(folder.path().join(&to)).unwrap();
        let outcome = estate.report(&["--objects-from", folder.path().join(&at).to_str().unwrap()]).exits(1).without_results();
        outcome.tells("0.csv.gz").tells("neither beside the manifest nor in a mirror");
    }
}

#[test]
fn the_iam_policy_of_an_inventory_in_a_bucket() {
    let uri = format!("s3://{LISTS}/{FOLDER}/2026-03-01T02-00Z/manifest.json");
    let policy = flowproof(&["iam-policy", "--objects-from", &uri]).exits(0).json();
    let resources: Vec<_> =
        policy["Statement"].as_array().unwrap().iter().map(|statement| statement["Resource"].as_str().unwrap()).collect();
    assert_eq!(resources, ["arn:aws:s3:::org-flow-logs/*", "arn:aws:s3:::org-inventories/lists/org-flow-logs/daily/*"]);
    flowproof(&["iam-policy", "--objects-from", "s3://org-inventories/list.txt"]).exits(2).tells("copy the list to disk");
    let named = list("# both\ns3://org-flow-logs/a/b/x.log\ns3://org-flow-logs/a/c/x.log\nlocal.log\n");
    let policy = flowproof(&["iam-policy", "--objects-from", path(&named)]).exits(0).json();
    assert_eq!(policy["Statement"][0]["Resource"], "arn:aws:s3:::org-flow-logs/a/*");
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
}

#[test]
fn objects_that_changed_since_the_inventory_are_faults_of_their_own() {
    let estate = Estate::new();
    let uri = estate.inventory("Parquet");
    let (gone, replaced) = (&estate.rows[1].key, &estate.rows[4].key);
    estate.server.delete(BUCKET, gone);
    // Of the same length: only the tag tells.
    estate.server.put(BUCKET, replaced, vec![b'x'; estate.rows[4].size.unwrap() as usize]);
    let answer = estate.report(&["--objects-from", &uri]).exits(4).json();
    let named = [gone, replaced].map(|key| format!("s3://{BUCKET}/{key}"));
    assert_eq!(incomplete(&answer), named);
    let reasons: Vec<_> = answer["incomplete_objects"].as_array().unwrap().iter().map(|object| object["reason"].to_string()).collect();
    assert!(reasons[0].contains("deleted after it was listed") && reasons[1].contains("replaced after it was listed"), "{reasons:?}");
    assert_eq!(answer["inputs"]["objects"], estate.rows.len() - 2);
}

#[test]
fn an_inventory_without_sizes_asks_for_them() {
    let estate = Estate::new();
    let lines: String = estate.rows.iter().map(|row| format!("\"{BUCKET}\",\"{}\"\n", encoded(&row.key))).collect();
    let data = vec![(format!("{FOLDER}/data/0.csv.gz"), gzip(lines.as_bytes()))];
    let uri = estate.store(&manifest("CSV", "Bucket, Key", &data), data);
    let wanted = estate.listed();
    estate.server.clear_requests();
    same_answer(&estate.report(&["--objects-from", &uri]).exits(0).json(), &wanted);
    let heads = estate.server.requests().iter().filter(|request| request.method == "HEAD" && request.bucket == BUCKET).count();
    assert_eq!(heads, estate.rows.len());
}

#[test]
fn odd_keys_come_back_from_every_format() {
    let mut estate = Estate::empty();
    let text = std::fs::read(logs().remove(0)).unwrap();
    let long = format!("x/{}/{}.log", "a".repeat(500), "b".repeat(1_024 - 2 - 501 - 4));
    assert_eq!(long.len(), 1_024);
    let mut keys = [
        "x/a b+c%20&é.log",
        "x/two\nlines.log",
        "x/\"quoted\",.log",
        "x/100%.log",
        "x/\u{1b}[2J.log",
        "x//double.log",
        "x/../up.log",
        &long,
    ]
    .map(str::to_owned);
    keys.sort();
    keys.iter().for_each(|key| estate.put(key, &text));
    for format in ["CSV", "Parquet"] {
        assert_eq!(estate.objects(&["--objects-from", &estate.inventory(format)]), keys, "{format}");
    }
    let lines: Vec<_> = keys.iter().filter(|key| !key.contains('\n')).map(|key| format!("s3://{BUCKET}/{key}")).collect();
    assert_eq!(estate.objects(&["--objects-from", path(&list(&lines.join("\r\n")))]).len(), keys.len() - 1);
}

#[test]
fn hostile_and_broken_inventories_fail_by_name() {
    let estate = Estate::new();
    let key = format!("{FOLDER}/data/0.csv.gz");
    let sound = csv(&estate.rows);
    let fails = |manifest: &Value, data: &[u8], code: i32, want: &str| {
        let uri = estate.store(manifest, vec![(key.clone(), data.to_vec())]);
        estate.report(&["--objects-from", &uri]).exits(code).without_results().tells(want);
    };
    let of = |data: &[u8]| manifest("CSV", CSV, &[(key.clone(), data.to_vec())]);
    fails(&manifest("ORC", "struct<…>", &[]), &sound, 2, "only CSV and Parquet");
    fails(&json!({ "what": "else" }), &sound, 2, "no S3 Inventory manifest");
    fails(&manifest("CSV", "Size, ETag", &[]), &sound, 1, "Bucket and Key");
    // Not the bytes that the manifest names: fewer, others, none.
    fails(&of(&sound), &sound[..sound.len() / 2], 1, "where the manifest says");
    let mut other = sound.clone();
    *other.last_mut().unwrap() ^= 1;
    fails(&of(&sound), &other, 1, "not the data file that the manifest names");
    fails(&of(&vec![b'x'; sound.len()]), &sound, 1, "not the data file that the manifest names");
    // The bytes that the manifest names, but damaged before.
    let cut = &sound[..sound.len() - 9];
    fails(&of(cut), cut, 1, "0.csv.gz");
    for (line, want) in [
        ("\"org-flow-logs\",\"a\"\n".to_owned(), "2 fields instead of the 8"),
        ("\"org-flow-logs\",\"a".to_owned(), "not a line of CSV"),
        ("x".repeat(100_000), "longer than 64 KiB"),
        ("\"other\",\"a\",\"\",\"true\",\"false\",\"1\",\"\",\"\"\n".to_owned(), "a row of bucket \"other\""),
        ("\"org-flow-logs\",\"a\",\"\",\"true\",\"false\",\"-1\",\"\",\"\"\n".to_owned(), "\"-1\" is not a size"),
        ("\"org-flow-logs\",\"\",\"\",\"true\",\"false\",\"1\",\"\",\"\"\n".to_owned(), "without a key"),
        ("\"org-flow-logs\",\"%ff\",\"\",\"true\",\"false\",\"1\",\"\",\"\"\n".to_owned(), "not UTF-8"),
    ] {
        let data = gzip(line.as_bytes());
        fails(&of(&data), &data, 1, want);
        estate.report(&["--objects-from", &estate.store(&of(&data), vec![(key.clone(), data.clone())])]).tells("0.csv.gz:1");
    }
    let not_parquet = manifest("Parquet", "message s3.inventory {}", &[(key.clone(), sound.clone())]);
    fails(&not_parquet, &sound, 1, "not a sound Parquet file");
    // The bytes stop coming, and asking again does not help.
    for format in ["CSV", "Parquet"] {
        let estate = Estate::new();
        let uri = estate.inventory(format);
        let name = if format == "CSV" { "0.csv.gz" } else { "0.parquet" };
        estate.server.cut_body_at(LISTS, &format!("{FOLDER}/data/{name}"), 0);
        estate.report(&["--objects-from", &uri]).exits(1).without_results().tells("gave up at byte 0").tells(name);
    }
    // A few bytes of dictionary that stand for a hundred megabytes of keys.
    let data = bomb(2_000, 64 << 10);
    assert!(data.len() < 64 << 10, "{}", data.len());
    fails(&manifest("Parquet", "message s3.inventory {}", &[(key.clone(), data.clone())]), &data, 1, "a key of 65536 bytes");
    // A manifest that names itself.
    let own = format!("{FOLDER}/2026-03-01T02-00Z/manifest.json");
    fails(&manifest("CSV", CSV, &[(own, Vec::new())]), &sound, 1, "where the manifest says 0");

    // On disk, a key leads nowhere outside the folders around the manifest.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    std::fs::write(folder.path().join("secret.csv.gz"), &sound).unwrap();
    for key in ["../secret.csv.gz", "/etc/passwd", "a/../../secret.csv.gz", ""] {
        let at = folder.path().join("in/manifest.json");
        std::fs::write(&at, manifest("CSV", CSV, &[(key.to_owned(), sound.clone())]).to_string()).unwrap();
        estate.report(&["--objects-from", at.to_str().unwrap()]).exits(1).without_results().tells("is not looked for on disk");
    }
}

#[test]
fn a_list_follows_its_buckets_to_their_regions_and_survives_busy_servers() {
    let estate = Estate::new();
    let wanted = estate.listed();
    let text: String = estate.rows.iter().map(|row| format!("s3://{BUCKET}/{}\n", row.key)).collect();
    let (uri, named) = (estate.inventory("Parquet"), list(&text));
    estate.server.region(BUCKET, "ap-southeast-2");
    estate.server.region(LISTS, "us-west-2");
    estate.server.slow_down_every(5);
    estate.server.cut_bodies(3, 1);
    for from in [&*uri, path(&named)] {
        same_answer(&estate.report(&["--objects-from", from]).exits(0).json(), &wanted);
    }
}

// ---- files of URIs

#[test]
fn lines_name_objects_of_disks_and_buckets() {
    let estate = Estate::new();
    let wanted = estate.listed();
    let uris: Vec<_> = estate.rows.iter().map(|row| format!("s3://{BUCKET}/{}", row.key)).collect();
    let text = format!("\u{feff}# from a colleague\r\n\r\n{}\r\n{}\r\n", uris.join("\r\n"), uris[0]);
    let plain = list(&text);
    same_answer(&estate.report(&["--objects-from", path(&plain)]).exits(0).json(), &wanted);
    estate.server.put(LISTS, "list.txt.gz", gzip(text.as_bytes()));
    same_answer(&estate.report(&["--objects-from", &format!("s3://{LISTS}/list.txt.gz")]).exits(0).json(), &wanted);
    // Two lists, one by each way.
    let (first, second) = uris.split_at(3);
    let (first, second) = (list(&first.join("\n")), list(&second.join("\n")));
    same_answer(&estate.report(&["--objects-from", path(&first), "--objects-from", path(&second)]).exits(0).json(), &wanted);

    // Paths are relative to the current folder; what is named is no stranger, whatever its name.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(logs().remove(0), folder.path().join("README.md")).unwrap();
    std::fs::copy(logs().remove(1), folder.path().join("b.log")).unwrap();
    std::fs::write(folder.path().join("list"), "./README.md\nb.log\nfile://b.log\n").unwrap();
    let mut sql = command(&["sql", "-o", "csv", "-c", "SELECT log_object, status FROM objects ORDER BY 1", "--objects-from", "list"]);
    sql.current_dir(folder.path());
    assert_eq!(finish(sql).exits(0).text(), "log_object,status\nREADME.md,read\nb.log,read\n");
}

#[test]
fn what_a_list_names_and_is_not_there_is_a_fault_of_its_own() {
    let estate = Estate::new();
    estate.server.deny_get(BUCKET, "denied/");
    let real = logs().remove(0);
    let missing = [format!("s3://{BUCKET}/logs/missing.log.gz"), format!("s3://{BUCKET}/denied/x.log"), "/no/such/file.log".to_owned()];
    let folder = std::env::temp_dir().display().to_string();
    let text = format!("s3://{BUCKET}/{}\n{}\n{}\n{folder}\n", estate.rows[0].key, missing.join("\n"), real.display());
    let answer = estate.report(&["--objects-from", path(&list(&text))]).exits(4).json();
    assert_eq!(answer["inputs"]["objects"], 2);
    let mut wanted: Vec<_> = missing.iter().cloned().chain([folder]).collect();
    wanted.sort();
    assert_eq!(incomplete(&answer), wanted);
    let reasons = answer["incomplete_objects"].to_string();
    for reason in ["there is no such object", "access denied to read", "not a file"] {
        assert!(reasons.contains(reason), "{reason} in {reasons}");
    }
    // What the limits leave out is not asked for.
    estate.server.clear_requests();
    let text: String = estate.rows.iter().map(|row| format!("s3://{BUCKET}/{}\n", row.key)).collect();
    let plan = estate.run(&["plan", "-o", "json", "--objects-from", path(&list(&text)), "--log-account", "222233334444"]).exits(0).json();
    let heads = estate.server.requests().iter().filter(|request| request.method == "HEAD").count();
    assert_eq!(plan["objects"], heads);
    assert!(heads < estate.rows.len());
}

#[test]
fn unusable_lines_are_told_with_file_and_line() {
    for (line, want) in [
        ("http://example.org/x.log", "http:// is not a place"),
        ("s3://org-flow-logs", "names a bucket, not an object"),
        ("s3://org-flow-logs/", "names a bucket, not an object"),
        ("s3://x/a", "not a bucket name"),
        ("arn:aws:s3::123456789012:accesspoint/xyz.mrap/a", "SigV4A"),
    ] {
        let named = list(&format!("# list\n\n{line}\n"));
        let args = ["sql", "-c", "SELECT 1 FROM flows", "--no-sign-request", "--objects-from", path(&named)];
        flowproof(&args).exits(2).without_results().tells(&format!("{}:3: ", path(&named))).tells(want).tells("hint: ");
    }
    let mut named = tempfile::NamedTempFile::new().unwrap();
    named.write_all(b"a.log\n\xff\xfea\n").unwrap();
    let outcome = flowproof(&["plan", "--objects-from", path(&named)]).exits(2);
    outcome.tells(":2: the line is not UTF-8");
    flowproof(&["plan", "--objects-from", path(&list("# nothing\n"))]).exits(2).tells("no flow log objects to read");
    flowproof(&["plan", "--objects-from", "/no/such/list"]).exits(2).tells("no list of objects to read");
    flowproof(&["plan", "--objects-from", "sample-logs"]).exits(2).tells("not a file");
}

// ---- standard input

/// Runs the program with bytes on standard input.
fn piped(args: &[&str], input: &[u8]) -> Outcome {
    let mut child = command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may refuse before it reads.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Outcome { code: output.status.code(), bytes: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

#[test]
fn standard_input_in_every_container() {
    for container in [Container::PlainText, Container::Gzip, Container::Zstd, Container::Parquet] {
        let dir = tempfile::tempdir().unwrap();
        generate(&Config { seed: 7, records: 45_000, files: 1, accounts: 1, clusters: 1, container, ..Config::default() }, dir.path());
        let (name, bytes) = files(&dir.path().join("logs")).remove(0);
        // Outside the layout, so that its name says no more than `-` does.
        let file = dir.path().join("loose");
        std::fs::rename(dir.path().join("logs").join(name), &file).unwrap();
        let inventory = dir.path().join("inventory");
        let args = |logs: &str| ["report", "egress", logs, "--inventory", inventory.to_str().unwrap(), "-o", "json"].map(str::to_owned);
        let run = |logs: &str| args(logs);
        let wanted = flowproof(&run(file.to_str().unwrap()).each_ref().map(String::as_str)).exits(0).text();
        let found = piped(&run("-").each_ref().map(String::as_str), &bytes).exits(0).text();
        assert!(!found.contains("\"rows\": []"), "{container:?}");
        assert!(found == wanted.replace(file.to_str().unwrap(), "-"), "{container:?}");
    }
}

#[test]
fn standard_input_is_read_as_often_as_a_statement_needs() {
    let bytes = std::fs::read(logs().remove(0)).unwrap();
    let sql = "SELECT (SELECT count(*) FROM flows) AS a, (SELECT count(*) FROM flows) AS b, (SELECT min(log_object) FROM flows) AS o, (SELECT size FROM objects) AS s";
    let row = piped(&["sql", "-", "-o", "json", "-c", sql], &bytes).exits(0).json()[0].clone();
    assert!(row["a"].as_u64().unwrap() > 0 && row["a"] == row["b"], "{row}");
    assert_eq!((row["o"].as_str(), row["s"].as_u64()), (Some("-"), Some(bytes.len() as u64)));
    // A list may come the same way.
    let text: String = logs().iter().map(|path| format!("{}\n", path.display())).collect();
    let count = ["sql", "--objects-from", "-", "-o", "json", "-c", "SELECT count(*) AS n FROM objects"];
    assert_eq!(piped(&count, text.as_bytes()).exits(0).json()[0]["n"], logs().len());
    assert_eq!(piped(&["sql", "-", "-o", "json", "-c", "SELECT count(*) AS n FROM flows"], b"").exits(0).json()[0]["n"], 0);
}

#[test]
fn standard_input_where_it_makes_no_sense() {
    piped(&["sql", "-", "-", "-c", "SELECT 1"], b"x").exits(2).tells("standard input can be read once");
    piped(&["sql", "-", "--objects-from", "-", "-c", "SELECT 1"], b"x").exits(2).tells("standard input can be read once");
    piped(&["plan", "-"], b"x").exits(2).tells("standard input");
    piped(&["iam-policy", "-"], b"x").exits(2).tells("standard input");
    let outcome = piped(&["sql", "-", "-c", "SELECT count(*) FROM flows", "--spill-dir", "/no/such/folder"], b"x");
    outcome.exits(1).tells("/no/such/folder: cannot make a temporary file").tells("--spill-dir");
}

#[cfg(unix)]
#[test]
#[expect(unsafe_code, reason = "a terminal is asked of the system")]
fn a_terminal_is_not_waited_for() {
    use std::os::fd::{FromRawFd, OwnedFd};
    let (mut ours, mut theirs) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: openpty writes two descriptors into the places given, and takes NULL for what is not wanted.
    let opened = unsafe { libc::openpty(&mut ours, &mut theirs, none, std::ptr::null(), std::ptr::null()) };
    assert_eq!(opened, 0);
    // SAFETY: both descriptors were just opened, and nothing else owns them.
    let (_ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    let mut command = command(&["sql", "-", "-c", "SELECT count(*) FROM flows"]);
    command.stdin(theirs);
    finish(command).exits(2).without_results().tells("standard input is a terminal").tells("hint: pipe the logs in");
}
