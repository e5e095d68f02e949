//! `evidence trace`: figures against the lines that AWS wrote, counted by hand with zcat and awk over `sample-logs/estate` and its cases.

use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, Outcome, files, flowproof, flowproof_on};
use crate::s3_server::S3Server;
use flowproof::evidence::results::Results;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bundle, made by the program.
struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    /// Of the estate, with its policy.
    fn new() -> Sample {
        Sample::of(ESTATE_LOGS, ESTATE_INVENTORY, &["--policy", "sample-logs/estate/approved.toml"], &flowproof)
    }

    /// Of a case.
    fn of_case(case: &str) -> Sample {
        let of = |what: &str| format!("sample-logs/cases/{case}/{what}");
        Sample::of(&of("logs"), &of("inventory"), &[], &flowproof)
    }

    fn of(logs: &str, inventory: &str, more: &[&str], run: &dyn Fn(&[&str]) -> Outcome) -> Sample {
        let sample = Sample { folder: tempfile::tempdir().unwrap() };
        flowproof(&["evidence", "keygen", &sample.path("key")]).exits(0);
        let (dir, key, zip) = (sample.dir(), sample.path("key"), sample.path("bundle.zip"));
        let to = ["evidence", "collect", logs, "--inventory", inventory, "--to-dir", &dir, "--sign-key", &key, "--zip", &zip];
        run(&[&to, more].concat()).exits(0);
        sample
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn dir(&self) -> String {
        self.path("bundle")
    }

    fn results(&self) -> Results {
        serde_json::from_slice(&std::fs::read(Path::new(&self.dir()).join("data/results.json")).unwrap()).unwrap()
    }

    #[track_caller]
    fn trace(&self, args: &[&str]) -> Outcome {
        flowproof(&[&["evidence", "trace", &self.dir()], args].concat())
    }
}

/// Rows of an answer in JSON, one object a line.
fn rows(outcome: &Outcome) -> Vec<Value> {
    outcome.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sum(rows: &[Value], role: &str, action: &str, column: &str) -> u64 {
    let of = rows.iter().filter(|row| row["role"] == role && row["action"] == action);
    of.map(|row| row[column].as_u64().unwrap()).sum()
}

fn line_of(row: &Value) -> String {
    format!("{}:{}", row["log_object"].as_str().unwrap(), row["log_line"])
}

/// A line as `zcat -f OBJECT | sed -n Np` prints it.
fn by_sed(object: &str, line: &Value) -> String {
    let script = format!("zcat -f '{object}' | sed -n {line}p");
    let output = Command::new("sh").args(["-c", &script]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

#[test]
fn the_records_of_a_destination_come_to_its_figures() {
    let sample = Sample::new();
    // By hand: a kubelet of payments, 12 records each way of 4,940 and 43,200 bytes; three attempts of 180 bytes on a private host, all rejected.
    for (destination, role, action, records, bytes) in [
        ("10.20.13.10 tcp/10250", "request", "ACCEPT", 12, 59_280),
        ("10.20.13.10:10250", "reply", "ACCEPT", 12, 518_400),
        ("10.20.12.40", "request", "REJECT", 3, 540),
        ("10.20.12.40:8443", "reply", "ACCEPT", 0, 0),
    ] {
        let outcome = sample.trace(&[destination, "-o", "ndjson"]).exits(0).tells("nothing of this was verified");
        let rows = rows(&outcome);
        let count = rows.iter().filter(|row| row["role"] == role && row["action"] == action).count();
        assert_eq!((count, sum(&rows, role, action, "bytes")), (records, bytes), "{destination} {role}");
        let places: Vec<(&str, u64)> =
            rows.iter().map(|row| (row["log_object"].as_str().unwrap(), row["log_line"].as_u64().unwrap())).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
}

#[test]
fn every_destination_agrees_and_has_its_first_and_last_line() {
    let sample = Sample::new();
    for row in sample.results().destinations {
        let asked = format!("{}:{}", row.dst_addr, row.dst_port);
        let asked = if row.dst_addr.contains(':') { format!("[{}]:{}", row.dst_addr, row.dst_port) } else { asked };
        let outcome = sample.trace(&[&asked, "--cluster", &row.cluster_arn, "-o", "ndjson"]).exits(0);
        let rows = rows(&outcome);
        let lines: BTreeSet<String> = rows.iter().map(line_of).collect();
        assert!(lines.contains(&row.first_line) && lines.contains(&row.last_line), "{asked}: {lines:?}");
        assert!(rows.iter().all(|line| line["cluster"] == row.cluster), "{asked}");
        assert_eq!(sum(&rows, "request", "ACCEPT", "bytes"), row.bytes_accepted, "{asked}");
        assert_eq!(sum(&rows, "reply", "ACCEPT", "bytes"), row.reply_bytes, "{asked}");
    }
    let text = sample.trace(&["10.20.13.10", "-o", "table"]).exits(0).text();
    assert!(text.contains("payments  10.20.13.10 tcp/10250  expired") && text.contains("agrees"), "{text}");
    assert!(!text.contains("DIFFERS") && !text.contains("NOT AMONG"), "{text}");
}

#[test]
fn the_text_is_that_of_the_stored_line() {
    let sample = Sample::new();
    let zip = sample.path("bundle.zip");
    for bundle in [sample.dir(), zip] {
        let key = sample.path("key.pub");
        let args = ["evidence", "trace", &bundle, "10.20.13.10", "--key", &key, "--inputs", ESTATE_LOGS, "-o", "ndjson"];
        let outcome = flowproof(&args).exits(0);
        assert!(!outcome.stderr.contains("verified"), "{}", outcome.stderr);
        let rows = rows(&outcome);
        assert_eq!(rows.len(), 24);
        for row in rows {
            assert_eq!(row["raw"].as_str().unwrap(), by_sed(row["log_object"].as_str().unwrap(), &row["log_line"]));
        }
    }
}

#[test]
fn a_line_leads_to_the_figures_that_it_entered() {
    let sample = Sample::new();
    let results = sample.results();
    let rejected = results.destinations.iter().find(|row| row.dst_addr == "10.20.12.40").unwrap();
    let rows_of = |place: &str, more: &[&str]| rows(&sample.trace(&[&[place, "-o", "ndjson"], more].concat()).exits(0));
    let figures = rows_of(&rejected.first_line, &[]);
    let has = |figure: &str, subject: &str, verdict: &str| {
        figures.iter().any(|row| row["figure"] == figure && row["subject"] == subject && row["verdict"] == verdict)
    };
    assert!(has("destination", "payments 10.20.12.40 tcp/8443", "unapproved"), "{figures:#?}");
    assert!(has("exception", "C6 2026-10-05 10.20.12.40 tcp/8443", "FAIL"), "{figures:#?}");
    assert!(has("exception", "D1 2026-10-05 10.20.12.40 tcp/8443", "PASS"), "{figures:#?}");
    assert!(has("statement", "C2 2026-10-05", "FAIL"), "{figures:#?}");
    // The header of the object is no record, and a record of another interface is none of the bundle's.
    let (object, _) = rejected.first_line.rsplit_once(':').unwrap();
    let header = rows_of(&format!("{object}:1"), &["--inputs", ESTATE_LOGS]);
    assert!(header[0]["says"].as_str().unwrap().starts_with("version account-id") && header[1]["verdict"] == "none", "{header:#?}");
    sample.trace(&[&format!("{object}:1")]).exits(1).tells("with --inputs");
    let control_plane: BTreeSet<&String> = results.clusters.iter().flat_map(|cluster| &cluster.interfaces).collect();
    let objects: BTreeSet<&str> = results.destinations.iter().filter_map(|row| Some(row.first_line.rsplit_once(':')?.0)).collect();
    let lines = objects.iter().flat_map(|object| (2..60).map(move |line| (*object, line, by_sed(object, &line.into()))));
    let is_another = |text: &str| !text.is_empty() && !control_plane.iter().any(|id| text.contains(id.as_str()));
    let (object, line, text) = lines.into_iter().find(|(.., text)| is_another(text)).unwrap();
    let other = rows_of(&format!("{object}:{line}"), &["--inputs", ESTATE_LOGS]);
    assert_eq!((other[0]["says"].as_str().unwrap(), other[1]["verdict"].as_str().unwrap()), (text.as_str(), "another"));
}

#[test]
fn what_others_opened_and_what_tells_no_traffic_is_no_destination() {
    let sample = Sample::new();
    let interface = "eni-0a200000000000001";
    let rows_of = rows(&sample.trace(&[interface, "-o", "ndjson"]).exits(0));
    assert!(rows_of.iter().all(|row| row["interface_id"] == interface));
    let first = |role: &str| rows_of.iter().find(|row| row["role"] == role).map(line_of);
    let (inbound, request) = (first("inbound").unwrap(), first("request").unwrap());
    for (place, is_destination) in [(inbound, false), (request, true)] {
        let figures = rows(&sample.trace(&[&place, "-o", "ndjson"]).exits(0));
        assert_eq!(figures.iter().any(|row| row["figure"] == "destination"), is_destination, "{figures:#?}");
    }
}

#[test]
fn a_sample_is_drawn_by_its_seed_alone() {
    let sample = Sample::new();
    let draw = |seed: &str, count: &str| {
        let outcome = sample.trace(&["--sample", count, "--seed", seed, "--inputs", ESTATE_LOGS, "-o", "ndjson"]).exits(0);
        rows(&outcome)
    };
    let first = draw("audit-2026", "7");
    assert_eq!(first.len(), 7);
    assert_eq!(first, draw("audit-2026", "7"));
    assert_ne!(first, draw("audit-2027", "7"));
    for (at, row) in first.iter().enumerate() {
        assert_eq!((row["no"].as_u64(), &row["checked"]), (Some(at as u64 + 1), &Value::Null));
        assert_eq!(row["raw"].as_str().unwrap(), by_sed(row["log_object"].as_str().unwrap(), &row["log_line"]));
    }
    // The rule of the draw, with sha256sum over all places of all interfaces.
    let mut places: Vec<String> = Vec::new();
    for interface in sample.results().clusters.iter().flat_map(|cluster| cluster.interfaces.clone()) {
        let outcome = sample.trace(&[&interface, "-o", "ndjson"]);
        places.extend(rows(&outcome).iter().map(line_of));
    }
    let script = "while read -r place; do printf 'audit-2026:%s' \"$place\" | sha256sum | cut -c1-64 | tr '\\n' ' '; echo \"$place\"; done \
                  | sort | head -7 | cut -d' ' -f2-";
    let mut shell =
        Command::new("sh").args(["-c", script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), (places.join("\n") + "\n").as_bytes()).unwrap();
    let drawn = String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap();
    let expected: BTreeSet<&str> = drawn.lines().collect();
    assert_eq!(first.iter().map(line_of).collect::<BTreeSet<_>>(), expected.into_iter().map(str::to_owned).collect());
}

/// Copies the estate's logs to a folder and returns the object of a place there.
fn copied_logs(to: &Path, object: &str) -> PathBuf {
    assert!(Command::new("cp").args(["-r", ESTATE_LOGS]).arg(to).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    to.join(Path::new(object).strip_prefix(ESTATE_LOGS).unwrap())
}

#[test]
fn an_object_that_changed_is_told_and_its_text_left_out() {
    let sample = Sample::new();
    let results = sample.results();
    let row = results.destinations.iter().find(|row| row.dst_addr == "10.20.12.40").unwrap();
    let logs = sample.folder.path().join("copy");
    let object = copied_logs(&logs, row.first_line.rsplit_once(':').unwrap().0);
    let logs = logs.to_str().unwrap();
    let ask = || sample.trace(&["10.20.12.40", "--inputs", logs, "-o", "ndjson"]);
    // A copy elsewhere is the same object as long as its bytes are.
    assert!(rows(&ask().exits(0)).iter().all(|row| row["raw"].is_string()));
    let script = format!("zcat '{0}' | sed 's/8443/8444/' | gzip -n > '{0}.new' && mv '{0}.new' '{0}'", object.display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let outcome = ask().exits(6).tells("not the object that was sealed");
    assert!(rows(&outcome).iter().all(|row| row["raw"].is_null()));
}

#[test]
fn a_bundle_that_lies_is_told_and_never_trusted() {
    let sample = Sample::new();
    let path = |name: &str| Path::new(&sample.dir()).join("data").join(name);
    let results = std::fs::read_to_string(path("results.json")).unwrap();
    std::fs::write(path("results.json"), results.replace("\"bytes_accepted\":59280", "\"bytes_accepted\":59281")).unwrap();
    sample.trace(&["10.20.13.10"]).exits(6).tells("bytes accepted: 59281 reported, 59280 found");
    sample.trace(&["10.20.13.10", "--key", &sample.path("key.pub")]).exits(6).without_results();
    std::fs::write(path("results.json"), results.replace("\"cluster\":\"payments\"", "\"cluster\":\"\\u001b[31mred\"")).unwrap();
    let text = sample.trace(&["10.20.13.10", "-o", "table"]).exits(0).text();
    assert!(!text.contains('\u{1b}') && text.contains("[31mred"), "{text}");
    // Any byte of the records may be another: an error at worst.
    let records = std::fs::read(path("records/control-plane.parquet")).unwrap();
    for at in (0..24).map(|part| records.len() * part / 24).chain([records.len() - 6, records.len() - 40]) {
        let mut damaged = records.clone();
        damaged[at] ^= 0xff;
        std::fs::write(path("records/control-plane.parquet"), damaged).unwrap();
        let outcome = sample.trace(&["10.20.13.10"]);
        assert!(matches!(outcome.code, Some(0 | 1 | 6)) && !outcome.stderr.contains("panicked"), "byte {at}: {outcome:?}");
    }
    std::fs::write(path("records/control-plane.parquet"), &records[..records.len() / 2]).unwrap();
    sample.trace(&["10.20.13.10"]).exits(1).tells("records of the bundle cannot be read");
}

#[test]
fn what_cannot_be_traced_says_what_can() {
    let sample = Sample::new();
    for wrong in ["nonsense", "10.0.0.1:x", "10.0.0.1 tcp/70000", "s3://bucket/x.log.gz:0", ""] {
        sample.trace(&[wrong]).exits(2).tells("neither a destination nor a line").without_results();
    }
    sample.trace(&["192.0.2.1"]).exits(1).tells("no record of 192.0.2.1");
    sample.trace(&["10.20.13.10", "--sample", "3"]).exits(2).without_results();
    sample.trace(&[]).exits(2).without_results();
}

/// The control-plane interface of the cases, and the roles of its records in the order of their places: by hand, see the sums in
/// `sample-logs/README.md`.
#[test]
fn each_record_of_a_case_counts_as_what_it_is() {
    const INTERFACE: &str = "eni-0a100000000000001";
    let pair = [(2, "request"), (3, "reply")];
    let aside = [(2, "set-aside"), (3, "set-aside")];
    for (case, roles) in [
        // An echo and its answer; a router's message; NTP and its answer; two ports that nobody knows, at the same time.
        ("icmp-and-undecided", [&pair[..], &[(4, "inbound"), (5, "request"), (6, "reply"), (7, "undecided"), (8, "undecided")]].concat()),
        ("ipv6", [&pair[..], &[(4, "request"), (5, "reply"), (6, "request"), (7, "reply")]].concat()),
        // Two objects of the flow log with 29 fields, then two of the one with 14.
        ("overlapping-flow-logs", [pair, pair, aside, aside].concat()),
        // One log replaced the other: both count.
        ("replaced-flow-log", [pair, pair].concat()),
        // Rows count from 1; 3 and 4 are the pod's side; 5 is NODATA.
        ("parquet", vec![(1, "request"), (2, "reply"), (5, "coverage")]),
    ] {
        let sample = Sample::of_case(case);
        let rows = rows(&sample.trace(&[INTERFACE, "-o", "ndjson"]).exits(0));
        let found: Vec<(u64, &str)> = rows.iter().map(|row| (row["log_line"].as_u64().unwrap(), row["role"].as_str().unwrap())).collect();
        assert_eq!(found, roles, "{case}");
        let mut aside = rows.iter().filter(|row| row["role"] == "set-aside");
        assert!(aside.all(|row| row["flow_log_id"] == "fl-0bbb0000000000002"), "{case}");
    }
}

#[test]
fn figures_of_the_cases_come_from_their_records() {
    // Requests and replies, records and bytes; what all records of it count as.
    let check = |case: &str, answers: &[(&str, [u64; 4], &str)]| {
        let sample = Sample::of_case(case);
        for (destination, expected, roles) in answers {
            let rows = rows(&sample.trace(&[destination, "-o", "ndjson"]).exits(0));
            let count = |role: &str| rows.iter().filter(|row| row["role"] == role).count() as u64;
            let bytes = |role: &str| sum(&rows, role, "ACCEPT", "bytes");
            let found = [count("request"), bytes("request"), count("reply"), bytes("reply")];
            assert_eq!((found, rows.len() as u64), (*expected, expected[0] + expected[2]), "{case}: {destination}");
            let text = sample.trace(&[destination, "-o", "table"]).exits(0).text();
            assert!(text.contains(&format!("records of it: {roles}\n")), "{case}: {destination}: {text}");
            assert_eq!(
                text.contains("records that another flow log wrote too are set aside"),
                roles.contains("set-aside"),
                "{case}: {text}"
            );
            assert!(!text.contains("DIFFERS") && !text.contains("NOT AMONG"), "{case}: {destination}: {text}");
        }
    };
    let webhook = ([2, 1_800, 2, 1_600], "2 request, 2 reply");
    check(
        "ipv6",
        &[
            ("[2001:db8:1:3::118]:9443", webhook.0, webhook.1),
            ("2001:0db8:0001:0003:0000:0000:0000:0118", webhook.0, webhook.1),
            ("[2001:DB8:1:3::118] tcp/9443", webhook.0, webhook.1),
            ("2001:db8:ffff::80", [1, 900, 1, 6_000], "1 request, 1 reply"),
        ],
    );
    check("overlapping-flow-logs", &[("10.0.3.118:9443", [2, 4_000, 2, 6_000], "2 request, 2 reply, 4 set-aside")]);
    check("replaced-flow-log", &[("10.0.3.118:9443", [2, 4_000, 2, 6_000], "2 request, 2 reply")]);
    check("parquet", &[("10.0.3.118", [1, 1_000, 1, 2_000], "1 request, 1 reply")]);
    check(
        "icmp-and-undecided",
        &[
            ("10.0.9.60 icmp", [1, 168, 1, 168], "1 request, 1 reply"),
            ("10.0.9.61 udp/123", [1, 76, 1, 76], "1 request, 1 reply"),
            ("10.0.9.62:20001", [0; 4], "2 undecided"),
            ("10.0.0.1", [0; 4], "1 inbound"),
        ],
    );
}

#[test]
fn what_enters_no_figure_says_why() {
    let figures = |sample: &Sample, place: &str| -> Vec<(String, String, String)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let rows = rows(&sample.trace(&[place, "-o", "ndjson"]).exits(0));
        rows.iter().map(|row| (text(row, "figure"), text(row, "subject"), text(row, "verdict"))).collect()
    };
    let has = |figures: &[(String, String, String)], wanted: [&str; 3]| {
        figures.iter().any(|(figure, subject, verdict)| [figure.as_str(), subject, verdict] == wanted)
    };
    // Set aside: it is in no sum, so there is nothing else to say.
    let sample = Sample::of_case("overlapping-flow-logs");
    let rows_of = rows(&sample.trace(&["eni-0a100000000000001", "-o", "ndjson"]).exits(0));
    let found = figures(&sample, &line_of(rows_of.iter().find(|row| row["role"] == "set-aside").unwrap()));
    assert_eq!(found, [("record".to_owned(), "eni-0a100000000000001".to_owned(), "set-aside".to_owned())]);
    let found = figures(&sample, &line_of(&rows_of[0]));
    assert!(has(&found, ["destination", "prod 10.0.3.118 tcp/9443", ""]), "{found:#?}");

    // Undecided: no destination, and the list of destinations is not complete because of it.
    let sample = Sample::of_case("icmp-and-undecided");
    for line in [7, 8] {
        let found = figures(&sample, &format!("sample-logs/cases/icmp-and-undecided/logs/flows.log:{line}"));
        assert!(has(&found, ["record", "eni-0a100000000000001", "undecided"]), "{found:#?}");
        assert!(has(&found, ["exception", "C1 2026-10-01 10.0.9.62 udp/20001", "INDETERMINATE"]), "{found:#?}");
        assert!(has(&found, ["statement", "C1 2026-10-01", "INDETERMINATE"]), "{found:#?}");
        assert!(found.iter().all(|(figure, ..)| figure != "destination"), "{found:#?}");
    }
}

#[test]
fn logs_in_a_bucket_are_traced_as_those_on_a_disk() {
    const CASE: &str = "sample-logs/cases/overlapping-flow-logs";
    let server = S3Server::start_blocking();
    let logs = format!("{CASE}/logs");
    for (path, bytes) in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(&logs)) {
        server.put("org-flow-logs", &path, bytes);
    }
    let on_server = |args: &[&str]| flowproof_on(&server, args);
    let sample = Sample::of("s3://org-flow-logs", &format!("{CASE}/inventory"), &[], &on_server);
    let ask = |target: &[&str], inputs: &str| {
        let (dir, key) = (sample.dir(), sample.path("key.pub"));
        on_server(&[&["evidence", "trace", &dir], target, &["--key", &key, "--inputs", inputs, "-o", "ndjson"]].concat())
    };
    // From the bucket, and from a copy on a disk.
    let stored = |row: &Value| row["log_object"].as_str().unwrap().replace("s3://org-flow-logs", &logs);
    for inputs in ["s3://org-flow-logs", &logs] {
        for (target, count) in [(&["10.0.3.118:9443"][..], 4), (&["eni-0a100000000000001"], 8), (&["--sample", "5", "--seed", "x"], 5)] {
            let rows = rows(&ask(target, inputs).exits(0));
            assert_eq!(rows.len(), count, "{target:?}");
            for row in &rows {
                assert!(row["log_object"].as_str().unwrap().starts_with("s3://org-flow-logs/AWSLogs/"), "{row}");
                assert_eq!(row["raw"].as_str().unwrap(), by_sed(&stored(row), &row["log_line"]), "{target:?}");
            }
        }
    }
    let first = rows(&ask(&["10.0.3.118:9443"], "s3://org-flow-logs").exits(0)).remove(0);
    let figures = rows(&ask(&[&line_of(&first)], "s3://org-flow-logs").exits(0));
    assert_eq!((&figures[0]["says"], &figures[1]["verdict"]), (&first["raw"], &"request".into()));

    // Another object at the same key is not the one that was sealed; one that is gone has no text.
    let object = first["log_object"].as_str().unwrap();
    let key = object.strip_prefix("s3://org-flow-logs/").unwrap();
    let changed =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(stored(&rows(&ask(&["eni-0a100000000000001"], &logs))[7]))).unwrap();
    server.put("org-flow-logs", key, changed);
    let outcome = ask(&["10.0.3.118:9443"], "s3://org-flow-logs").exits(6).tells(&format!("{object}: not the object that was sealed"));
    let texts: Vec<bool> = rows(&outcome).iter().map(|row| row["raw"].is_string()).collect();
    assert_eq!(texts, [false, false, true, true]);
    server.delete("org-flow-logs", key);
    let outcome = ask(&["10.0.3.118:9443"], "s3://org-flow-logs").exits(0).tells(&format!("{object}: --inputs has no such object"));
    assert_eq!(rows(&outcome).iter().map(|row| row["raw"].is_string()).collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn rows_of_parquet_have_no_text_and_that_is_said() {
    let sample = Sample::of_case("parquet");
    let logs = "sample-logs/cases/parquet/logs";
    let outcome = sample.trace(&["10.0.3.118", "--inputs", logs, "-o", "ndjson"]).exits(0).tells("a row of Parquet has no text");
    assert!(rows(&outcome).iter().all(|row| row["raw"].is_null()));
    let figures = rows(&sample.trace(&[&format!("{logs}/flows.log.parquet:2"), "-o", "ndjson"]).exits(0));
    assert_eq!(figures[0]["verdict"], "reply");
    // The pod's side of the same packets.
    let other = rows(&sample.trace(&[&format!("{logs}/flows.log.parquet:3"), "--inputs", logs, "-o", "ndjson"]).exits(0));
    assert_eq!(other[0]["verdict"], "another", "{other:#?}");
    let beyond = rows(&sample.trace(&[&format!("{logs}/flows.log.parquet:6"), "--inputs", logs, "-o", "ndjson"]).exits(0));
    assert_eq!(beyond[0]["verdict"], "none", "{beyond:#?}");
}
