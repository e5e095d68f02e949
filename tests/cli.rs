//! The command line: exit codes, where things are written, every format, help, configuration, and what must not get through.

use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, Outcome, command, finish, flowproof, flowproof_on};
use crate::s3_server::S3Server;
use arrow::array::RecordBatch;
use flowproof::report::{Format, renderer};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// Columns that a report's page may be wide.
const PAGE_WIDTH: usize = 100;

/// Compares with `tests/snapshots/NAME.snap`.
macro_rules! golden {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        })
    };
}

fn on_estate(args: &[&str]) -> Outcome {
    flowproof(&[args, &[ESTATE_LOGS, "--inventory", ESTATE_INVENTORY]].concat())
}

fn egress(further: &[&str]) -> Outcome {
    on_estate(&[&["report", "egress"], further].concat())
}

fn sql(statement: &str) -> Outcome {
    on_estate(&["sql", "-o", "json", "-c", statement])
}

fn case(name: &str) -> (String, String) {
    (format!("sample-logs/cases/{name}/logs"), format!("sample-logs/cases/{name}/inventory"))
}

fn on_case(name: &str, args: &[&str]) -> Outcome {
    let (logs, inventory) = case(name);
    flowproof(&[args, &[&logs, "--inventory", &inventory]].concat())
}

fn case_names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/cases");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every command of the definition with its subcommands, by its words.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    fn below(command: &clap::Command, words: &[String], all: &mut Vec<(Vec<String>, clap::Command)>) {
        all.push((words.to_vec(), command.clone()));
        for inner in command.get_subcommands() {
            below(inner, &[words, &[inner.get_name().to_owned()]].concat(), all);
        }
    }
    let mut definition = flowproof::cli::definition().term_width(PAGE_WIDTH);
    definition.build();
    let mut all = Vec::new();
    below(&definition, &[], &mut all);
    all
}

fn help_name(words: &[String]) -> String {
    if words.is_empty() { "help".to_owned() } else { format!("help-{}", words.join("-")) }
}

/// Names of the golden files of every command's help.
pub fn help_names() -> Vec<String> {
    commands().iter().map(|(words, _)| help_name(words)).collect()
}

/// Rows as `-o ndjson` writes them.
fn rows(batches: &[RecordBatch]) -> Value {
    let mut text = Vec::new();
    if let Some(first) = batches.first() {
        let mut lines = renderer(Format::Ndjson, &first.schema(), &mut text).unwrap();
        batches.iter().for_each(|batch| lines.batch(batch).unwrap());
        lines.end().unwrap();
    }
    String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect()
}

fn parquet_rows(bytes: Vec<u8>) -> Value {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
    rows(&reader.map(|batch| batch.unwrap()).collect::<Vec<_>>())
}

fn arrow_rows(bytes: &[u8]) -> Value {
    let reader = arrow::ipc::reader::StreamReader::try_new(bytes, None).unwrap();
    rows(&reader.map(|batch| batch.unwrap()).collect::<Vec<_>>())
}

#[test]
fn usage_faults_exit_with_2_and_say_what_to_do() {
    for (args, told, hint) in [
        (&["report", "egress"][..], "no LOGS are given", "flowproof report egress s3://bucket/prefix --inventory DIR"),
        (&["report", "egress", "nowhere", "--inventory", ESTATE_INVENTORY], "nowhere: no such file or folder", "holds"),
        (&["report", "egress", ESTATE_LOGS], "needs an inventory", "flowproof inventory script"),
        (&["report", "egress", ESTATE_LOGS, "--inventory", "tests/inventory/none"], "cannot read the inventory", "inventory script"),
        (&["report", "egress", ESTATE_LOGS, "--export", "egress.doc"], "names no format", "use .csv"),
        (&["report", "egress", ESTATE_LOGS, "--from", "yesterdayish"], "is not a time", "2026-10-03T08:00:00Z"),
        (&["report", "egress", ESTATE_LOGS, "--memory-limit", "much"], "is not a size", "write 400M or 2G"),
        (&["report", "egress", ESTATE_LOGS, "--log-region", "eu-west-1"], "no flow log objects to read", "--log-region left out"),
        (&["report", "egress", "arn:aws:s3:::logs"], "an ARN is not a place", "write s3://logs"),
        (&["report", "egress", "https://example.com/logs"], "https:// is not a place", "give s3://bucket/prefix"),
        (&["sql"], "no statement is given", "add -c SQL, -f FILE or -q NAME"),
        (&["sql", "-q", "egres"], "there is no query \"egres\"", "flowproof queries list"),
        (&["sql", "-q", "top-talkers", "--param", "bound=1"], "no parameter \"bound\"", "it takes limit"),
        (&["queries", "show", "none"], "there is no query", "one of connections-by-outcome"),
        (&["inventory", "show"], "no inventory is given", "flowproof inventory script"),
        (&["inventory", "show", "--inventory", ESTATE_INVENTORY, "--table", "enis,"], "no inventory table", "clusters, "),
        (&["plan"], "no LOGS are given", "flowproof plan s3://bucket/prefix"),
    ] {
        let outcome = flowproof(args).exits(2).without_results().tells("error: ").tells(told);
        let hints = outcome.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or_default();
        assert!(hints.contains(hint), "{args:?}: {}", outcome.stderr);
    }
    for args in [&[][..], &["bogus"], &["report"], &["sql", "-c", "SELECT 1", "-q", "egress"], &["report", "egress", "-o", "pdf"]] {
        assert!(flowproof(args).exits(2).without_results().stderr.contains("--help"), "{args:?}");
    }
}

#[test]
fn failures_exit_with_1_and_leave_stdout_empty() {
    sql("SELECT nope FROM flows").exits(1).without_results().tells("No field named nope");
    sql("SELEC 1").exits(1).without_results().tells("the SQL does not parse");
    sql("SELECT 1; SELECT 2").exits(1).without_results().tells("single SQL statement");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("describe-network-interfaces.json"), "{\"NetworkInterfaces\": [").unwrap();
    let malformed = flowproof(&["report", "egress", ESTATE_LOGS, "--inventory", folder.path().to_str().unwrap()]);
    malformed.exits(1).without_results().tells("describe-network-interfaces.json");
    egress(&["--export", "sample-logs/none/egress.csv"]).exits(1).tells("sample-logs/none/egress.csv: cannot write");
}

#[test]
fn an_interrupt_exits_with_130() {
    let server = S3Server::start_blocking();
    server.create_bucket("logs");
    server.latency(Duration::from_secs(20));
    let mut program =
        command(&["plan", "s3://logs", "--no-sign-request", "--endpoint-url", server.endpoint_url(), "--region", "eu-west-1"]);
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The connection is made once the program waits for its answer, and thus listens for signals.
    std::thread::sleep(Duration::from_secs(2));
    let pid = child.id().to_string();
    assert!(Command::new("/bin/sh").args(["-c", &format!("kill -INT {pid}")]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: interrupted\n");
}

#[test]
fn every_case_exits_as_it_should_with_a_page_that_fits() {
    for name in case_names() {
        let expected =
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("sample-logs/cases/{name}/expected.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let args: Vec<&str> = expected["args"].as_array().into_iter().flatten().map(|arg| arg.as_str().unwrap()).collect();
        let outcome = on_case(&name, &[&["report", "egress", "-o", "table"], &args[..]].concat());
        let page = outcome.exits(expected["exit_code"].as_i64().unwrap_or(0) as i32).text();
        check_page(&page, &name);
    }
}

#[track_caller]
fn check_page(page: &str, name: &str) {
    assert!(page.starts_with("EKS API server egress, "), "{name}: {page}");
    for line in page.lines() {
        // A path that is longer than a line has one to itself, so that it can be copied.
        if !line.trim().contains(' ') && line.contains('/') {
            continue;
        }
        assert!(line.width() <= PAGE_WIDTH, "{name}: {} columns: {line}", line.width());
    }
}

#[test]
fn rejects_over_the_limit_and_gaps_are_incomplete() {
    let with = |args: &[&str]| on_case("rejects", &[&["report", "egress", "-o", "csv"], args].concat());
    let free = with(&[]).exits(0).text();
    assert_eq!(with(&["--max-rejects", "100"]).exits(0).text(), free);
    // The output is written all the same.
    assert_eq!(with(&["--max-rejects", "0"]).exits(4).text(), free);
    let statement = ["sql", "-o", "csv", "-c", "SELECT count(*) AS n FROM rejects", "--max-rejects", "0"];
    assert!(on_case("rejects", &statement).exits(4).tells("lines are not records").text().starts_with("n\n"));

    let gaps = on_case("replaced-flow-log", &["report", "egress", "-o", "json"]).exits(0);
    // One snapshot, ten hours before: whether the silent interface still existed is unknown.
    let hours =
        gaps.json()["clusters"].as_array().unwrap().iter().map(|cluster| cluster["unknown"].as_array().unwrap().len()).sum::<usize>();
    assert!(hours > 0, "the case has hours without logs");
    let failing = on_case("replaced-flow-log", &["report", "egress", "-o", "json", "--fail-on", "gaps"]).exits(4);
    assert_eq!(failing.text(), gaps.text());
    egress(&["--fail-on", "findings,gaps"]).exits(0);
}

#[test]
fn a_damaged_object_is_incomplete_and_told() {
    let page = on_case("truncated-gzip", &["report", "egress", "-o", "table"]).exits(4).text();
    assert!(page.contains("INCOMPLETE: 1 object could not be read whole:\n  * partial: "), "{page}");
    let statement = ["sql", "-o", "csv", "-c", "SELECT count(*) AS n FROM flows"];
    on_case("truncated-gzip", &statement).exits(4).tells("partial: sample-logs/cases/truncated-gzip/logs/flows.log.gz");
    let quiet = on_case("truncated-gzip", &[&statement[..], &["--quiet"]].concat()).exits(4);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn messages_change_nothing_on_stdout() {
    let plain = egress(&["-o", "csv"]).exits(0);
    assert_eq!(plain.stderr, "");
    let verbose = egress(&["-o", "csv", "-vv"]).exits(0).tells("listed 37 objects");
    assert_eq!(verbose.text(), plain.text());
    let lines = egress(&["-o", "csv", "-v", "--log-json"]).exits(0);
    assert_eq!(lines.text(), plain.text());
    assert!(!lines.stderr.is_empty());
    for line in lines.stderr.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|fault| panic!("{fault}: {line}"));
    }
    let shown = egress(&["-o", "csv", "--progress", "always", "--threads", "1"]).exits(0);
    assert_eq!(shown.text(), plain.text());
}

#[test]
fn the_egress_report_in_every_format() {
    for format in ["table", "csv", "tsv", "json", "ndjson", "markdown"] {
        let text = egress(&["-o", format]).exits(0).text();
        assert_eq!(text, egress(&["--format", format]).exits(0).text(), "--format is an alias");
        golden!(format!("egress-{format}"), text);
    }
    check_page(&egress(&["-o", "table"]).text(), "estate");
    let judged = egress(&["-o", "table", "--policy", "sample-logs/estate/approved.toml"]).exits(0).text();
    check_page(&judged, "estate with a policy");
    golden!("egress-policy", judged);
    assert_eq!(egress(&[]).text(), egress(&["-o", "csv"]).text(), "csv when piped");
    let rows = egress(&["-o", "json"]).json()["rows"].take();
    assert_eq!(rows.as_array().unwrap().len(), 16);
    assert_eq!(parquet_rows(egress(&["-o", "parquet"]).exits(0).bytes), rows);
    assert_eq!(arrow_rows(&egress(&["-o", "arrow"]).exits(0).bytes), rows);
    let lines: Value = egress(&["-o", "ndjson"]).text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(lines, rows);
}

#[test]
fn sql_in_every_format() {
    let statement = "SELECT interface_kind, cluster, log_status, count(*) AS records, sum(bytes) AS bytes, min(start_time) AS first, \
                     action IS NULL AS silent, avg(packets) AS mean FROM flows \
                     GROUP BY interface_kind, cluster, log_status, silent ORDER BY 1, 2, 3, 7";
    let run = |format: &str| on_estate(&["sql", "-o", format, "-c", statement]).exits(0);
    for format in ["table", "csv", "tsv", "json", "ndjson", "markdown"] {
        golden!(format!("sql-{format}"), run(format).text());
    }
    let rows = run("json").json();
    assert_eq!(parquet_rows(run("parquet").bytes), rows);
    assert_eq!(arrow_rows(&run("arrow").bytes), rows);
    // An answer without rows is an answer.
    for (format, expected) in [("csv", "a\n"), ("tsv", "a\n"), ("ndjson", ""), ("json", "[]\n")] {
        let outcome = on_estate(&["sql", "-o", format, "-c", "SELECT version AS a FROM flows WHERE version = 99"]).exits(0);
        assert_eq!(outcome.text().replace("[\n]", "[]"), expected, "{format}");
    }
}

#[test]
fn exports_by_suffix_equal_what_stdout_gets() {
    let folder = tempfile::tempdir().unwrap();
    let to = |suffix: &str| folder.path().join(format!("egress.{suffix}"));
    let formats = [
        ("csv", "csv"),
        ("tsv", "tsv"),
        ("json", "json"),
        ("ndjson", "ndjson"),
        ("jsonl", "ndjson"),
        ("md", "markdown"),
        ("txt", "table"),
        ("arrow", "arrow"),
    ];
    let paths: Vec<PathBuf> = formats.iter().map(|(suffix, _)| to(suffix)).chain([to("parquet")]).collect();
    let exports: Vec<&str> = paths.iter().flat_map(|path| ["--export", path.to_str().unwrap()]).collect();
    let stdout = egress(&[&["-o", "csv"], &exports[..]].concat()).exits(0);
    assert_eq!(stdout.text(), egress(&["-o", "csv"]).text(), "exports leave stdout as it is");
    for (suffix, format) in formats {
        assert!(std::fs::read(to(suffix)).unwrap() == egress(&["-o", format]).bytes, "{suffix}");
    }
    assert_eq!(parquet_rows(std::fs::read(to("parquet")).unwrap()), egress(&["-o", "json"]).json()["rows"]);
}

#[test]
fn help_of_every_command() {
    let all = commands();
    assert!(all.len() > 12);
    for (words, mut command) in all {
        let name = help_name(&words);
        let help = command.render_long_help().to_string();
        for line in help.lines() {
            assert!(line.width() <= PAGE_WIDTH, "{name}: {line}");
        }
        golden!(name, help);
    }
    let shown = flowproof(&["report", "egress", "--help"]).exits(0);
    assert!(shown.text().contains("Usage: flowproof report egress [OPTIONS] [LOGS]..."), "{}", shown.text());
    assert_eq!(shown.stderr, "");
    assert_eq!(flowproof(&["--version"]).exits(0).text(), format!("flowproof {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_come_from_the_definition() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = flowproof(&["completions", shell]).exits(0).text();
        for word in ["iam-policy", "flow-log-id"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let manual = flowproof(&["man"]).exits(0).text();
    assert!(manual.contains(".TH flowproof 1") && manual.contains("iam\\-policy"), "{manual}");
}

#[test]
fn the_shipped_queries() {
    let listed = flowproof(&["queries", "list", "-o", "json"]).exits(0).json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|query| query["name"].as_str().unwrap()).collect();
    let mut files: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("queries"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".sql").map(str::to_owned))
        .collect();
    files.sort();
    assert_eq!(names, files);
    for name in names {
        let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("queries/{name}.sql"))).unwrap();
        assert_eq!(flowproof(&["queries", "show", name]).exits(0).text(), shipped);
        let answer = on_estate(&["sql", "-q", name, "-o", "csv"]).exits(0);
        assert_eq!(answer.stderr, "", "{name}");
        golden!(format!("query-{name}"), answer.text());
    }
    golden!("queries-list", flowproof(&["queries", "list", "-o", "csv"]).exits(0).text());
}

#[test]
fn the_query_behind_the_report_gives_its_rows() {
    let answer = egress(&["-o", "json"]).json();
    let (rows, statement) = (&answer["rows"], answer["sql"].as_str().unwrap());
    assert_eq!(&on_estate(&["sql", "-q", "egress", "-o", "json"]).exits(0).json(), rows);
    // So does the statement that the report names, which begins with a comment.
    assert!(statement.starts_with("-- question: "));
    assert_eq!(&sql(statement).exits(0).json(), rows);
}

#[test]
fn statements_from_an_argument_a_file_and_with_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("question.sql");
    std::fs::write(&file, "-- how many?\nSELECT count(*) AS n FROM flows WHERE action = $action AND bytes > $least\n").unwrap();
    let params = ["--param", "action=REJECT", "--param", "$least=100", "-o", "json"];
    let from_file = on_estate(&[&["sql", "-f", file.to_str().unwrap()], &params[..]].concat()).exits(0).json();
    // The three rejected attempts of the drill, 180 bytes each.
    assert_eq!(from_file, json!([{ "n": 3 }]));
    let statement = "SELECT count(*) AS n FROM flows WHERE action = $action AND bytes > $least";
    assert_eq!(on_estate(&[&["sql", "-c", statement], &params[..]].concat()).exits(0).json(), from_file);
    let one = on_estate(&["sql", "-q", "top-talkers", "--param", "limit=1", "-o", "json"]).exits(0).json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    on_estate(&["sql", "-q", "top-talkers", "--param", "limit=many"]).exits(2).without_results().tells("is not a BIGINT");
    on_estate(&["sql", "-c", "SELECT 1", "--param", "limit"]).exits(2).without_results().tells("is not k=v");
    flowproof(&["sql", "-f", "none.sql"]).exits(2).without_results().tells("none.sql: cannot read the statement");
    // Without logs there is still SQL.
    assert_eq!(flowproof(&["sql", "-c", "SELECT 6 * 7 AS n", "-o", "csv"]).exits(0).text(), "n\n42\n");
}

#[test]
fn views_are_tables_from_the_start() {
    let names = |kind: &str| {
        let listed = format!(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = '{kind}' ORDER BY 1"
        );
        let rows = sql(&listed).exits(0).json();
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (views, own) = (names("VIEW"), ["connections_by_day", "meters", "movements", "nat_marginals", "nat_transfers"]);
    assert!(own.iter().all(|name| views.iter().filter(|view| *view == name).count() == 1), "{views:?}");
    assert!(names("BASE TABLE").contains(&"flows".to_owned()));
    let columns = "SELECT count(*) AS n FROM information_schema.columns WHERE table_name = 'meters' AND column_name = 'meter'";
    assert_eq!(sql(columns).exits(0).json(), json!([{ "n": 1 }]));
    // A view of views, and one twice in a statement.
    assert_ne!(sql("SELECT count(*) AS n FROM meters").exits(0).json(), json!([{ "n": 0 }]));
    let twice = "SELECT count(*) > 0 AS some FROM movements a WHERE a.bytes = (SELECT max(bytes) FROM movements)";
    assert_eq!(sql(twice).exits(0).json(), json!([{ "some": true }]));
    // One of one's own name takes its place.
    let own = "CREATE OR REPLACE VIEW meters AS SELECT 7 AS n";
    on_estate(&["sql", "--allow-write", "-c", own]).exits(0);
    sql("SELECT * FROM metres").exits(1).without_results().tells("metres");
}

#[test]
fn writing_needs_leave() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let copy = format!("COPY (SELECT count(*) AS n FROM flows) TO '{}' STORED AS CSV", out.display());
    let external = format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}'", folder.path().display());
    let statements = ["CREATE TABLE t AS SELECT 1", "DROP TABLE flows", &external, &copy, "INSERT INTO flows SELECT * FROM flows"];
    for statement in statements.into_iter().chain(["SET datafusion.execution.batch_size = 1", "CREATE VIEW v AS SELECT 1"]) {
        let outcome = sql(statement).exits(2).without_results();
        outcome.tells("this statement would write").tells("hint: flowproof sql is read-only; add --allow-write");
    }
    assert!(!out.exists());
    on_estate(&["sql", "--allow-write", "-c", &copy]).exits(0);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "n\n1003\n");
    // A file is no table by its name.
    sql("SELECT * FROM '/etc/hostname'").exits(1).without_results().tells("not found");
}

#[test]
fn functions() {
    let ranges = tempfile::tempdir().unwrap();
    let document = r#"{"syncToken":"1","createDate":"2026-01-01-00-00-00","ipv6_prefixes":[],"prefixes":[
        {"ip_prefix":"198.51.100.0/24","region":"eu-west-1","service":"AMAZON","network_border_group":"eu-west-1"},
        {"ip_prefix":"198.51.100.0/26","region":"eu-west-1","service":"S3","network_border_group":"eu-west-1"}]}"#;
    std::fs::write(ranges.path().join("ip-ranges.json"), document).unwrap();
    let table = [
        ("cidr_contains('10.0.0.0/8', '10.1.2.3')", json!(true)),
        ("cidr_contains('10.0.0.0/8', '11.1.2.3')", json!(false)),
        ("cidr_contains('2001:db8::/32', '2001:db8::1')", json!(true)),
        ("cidr_contains('2001:db8::/32', '10.1.2.3')", json!(false)),
        ("cidr_contains('ten', '10.1.2.3')", Value::Null),
        ("cidr_contains('10.0.0.0/8', NULL)", Value::Null),
        ("ip_family('10.1.2.3')", json!(4)),
        ("ip_family('::1')", json!(6)),
        ("ip_family('-')", Value::Null),
        ("is_private('192.168.1.1')", json!(true)),
        ("is_private('100.64.0.1')", json!(true)),
        ("is_private('fd00::1')", json!(true)),
        ("is_private('8.8.8.8')", json!(false)),
        ("is_private('2600::1')", json!(false)),
        ("protocol_name(6)", json!("TCP")),
        ("protocol_name(58)", json!("ICMPv6")),
        ("protocol_name(253)", json!("253")),
        ("protocol_name(256)", Value::Null),
        ("tcp_flag_names(2)", json!("SYN")),
        ("tcp_flag_names(18)", json!("SYN|ACK")),
        ("tcp_flag_names(3)", json!("FIN|SYN")),
        ("tcp_flag_names(0)", json!("")),
        ("traffic_path_name(8)", json!("internet-gateway")),
        ("service_name(443)", json!("https")),
        ("service_name(10250)", json!("kubelet")),
        ("service_name(1)", Value::Null),
        ("service_name(9999999999)", Value::Null),
        ("aws_service('198.51.100.1')", json!("S3")),
        ("aws_service('198.51.100.200')", json!("AMAZON")),
        ("aws_service('203.0.113.1')", Value::Null),
        ("format_bytes(0)", json!("0 B")),
        ("format_bytes(1536)", json!("1.5 KiB")),
        ("format_bytes(1073741824)", json!("1 GiB")),
        ("join_distinct(column1) FROM (VALUES ('b,a'), ('a'), (NULL), ('c'))", json!("a,b,c")),
        ("join_distinct(column1) FROM (VALUES (CAST(NULL AS VARCHAR)))", Value::Null),
    ];
    // Each is asked as a constant, and the scalar ones as a column too: engines fold constants.
    let asked = |expression: &str| match expression.split_once(" FROM ") {
        Some((call, from)) => format!("SELECT {call} AS v FROM {from}"),
        None => format!("SELECT {expression} AS v"),
    };
    let union: Vec<String> = table
        .iter()
        .enumerate()
        .map(|(at, (expression, _))| format!("SELECT {at} AS at, CAST(v AS VARCHAR) AS v FROM ({})", asked(expression)))
        .collect();
    let statement = format!("{} ORDER BY at", union.join(" UNION ALL "));
    let inventory = ranges.path().to_str().unwrap();
    let answers = flowproof(&["sql", "--inventory", inventory, "-o", "json", "-c", &statement]).exits(0).json();
    for (row, (expression, expected)) in answers.as_array().unwrap().iter().zip(&table) {
        let expected = match expected {
            Value::Null | Value::String(_) => expected.clone(),
            other => Value::String(other.to_string()),
        };
        assert_eq!(row["v"], expected, "{expression}");
    }
    // Over columns of the logs, whose numbers are narrower than constants.
    let named = "SELECT DISTINCT protocol_name(protocol) AS p, service_name(dstport) AS s, ip_family(srcaddr) AS f, \
                 is_private(srcaddr) AS i FROM flows WHERE dstport = 10250";
    assert_eq!(sql(named).exits(0).json(), json!([{ "p": "TCP", "s": "kubelet", "f": 4, "i": true }]));
}

#[test]
fn fields_are_the_fields_of_aws_and_ours() {
    let fields = flowproof(&["fields", "-o", "json"]).exits(0).json();
    let fields = fields.as_array().unwrap();
    let versions = fields.iter().filter(|field| field["table"] == "flows" && field["version"].is_number()).count();
    assert_eq!(versions, 54);
    // Columns of `objects`, `rejects` and the like say by their names what they are.
    for field in fields.iter().filter(|field| ["flows", "connections", "function"].contains(&field["table"].as_str().unwrap())) {
        assert!(!field["meaning"].as_str().unwrap().is_empty(), "{field}");
    }
    // Every column that is listed can be asked for, and the other way round.
    let mut listed: Vec<&str> =
        fields.iter().filter(|field| field["table"] == "flows").map(|field| field["column"].as_str().unwrap()).collect();
    let one = sql("SELECT * FROM flows LIMIT 1").exits(0).json();
    let mut columns: Vec<&str> = one[0].as_object().unwrap().keys().map(String::as_str).collect();
    listed.sort_unstable();
    columns.sort_unstable();
    assert_eq!(listed, columns);
    golden!("fields", flowproof(&["fields", "-o", "csv"]).exits(0).text());
}

#[test]
fn the_inventory_at_an_instant() {
    let show = |at: &str| on_inventory("eni-replaced", &["show", "--at", at, "--table", "enis", "-o", "csv"]).exits(0).text();
    let (before, after) = (show("2026-10-01T09:30:00Z"), show("2026-10-01T13:00:00Z"));
    assert_ne!(before, after);
    golden!("inventory-show-before", before);
    golden!("inventory-show-after", after);
    // Without an instant every fact is shown with its period; one table is one table in every format.
    let whole = on_inventory("eni-replaced", &["show", "-o", "json"]).exits(0).json();
    assert_eq!(whole["at"], Value::Null);
    let enis = on_inventory("eni-replaced", &["show", "--table", "enis", "-o", "parquet"]).exits(0).bytes;
    assert_eq!(parquet_rows(enis), whole["enis"]);
    on_inventory("eni-replaced", &["show", "-o", "parquet"]).exits(2).without_results().tells("choose one with --table NAME");
}

fn on_inventory(case: &str, args: &[&str]) -> Outcome {
    flowproof(&[&["inventory"], args, &["--inventory", &format!("sample-logs/cases/{case}/inventory")]].concat())
}

#[test]
fn what_the_inventory_lacks_and_how_to_get_it() {
    let check = |format: &str| flowproof(&["inventory", "check", "--inventory", ESTATE_INVENTORY, "-o", format]).exits(0);
    golden!("inventory-check", check("table").text());
    for finding in check("json").json().as_array().unwrap() {
        assert!(["present", "partial", "missing"].contains(&finding["presence"].as_str().unwrap()), "{finding}");
        assert!(!finding["command"].as_str().unwrap().is_empty(), "{finding}");
    }
    // With nothing at all, everything is missing but the names that nothing asks for.
    let nothing = flowproof(&["inventory", "check", "-o", "json"]).exits(0).json();
    let present: Vec<&Value> = nothing.as_array().unwrap().iter().filter(|finding| finding["presence"] != "missing").collect();
    assert!(present.iter().all(|finding| finding["answer"] == "destinations named by DNS"), "{present:?}");
    assert!(nothing.as_array().unwrap().len() > 8);
}

#[test]
fn the_collection_script_is_a_shell_script() {
    let folder = tempfile::tempdir().unwrap();
    for (at, args) in [
        &["inventory", "script"][..],
        &[
            "inventory",
            "script",
            "--account",
            "111122223333",
            "--account",
            "222233334444",
            "--in-region",
            "eu-central-1",
            "--role-name",
            "Reader",
        ],
        &["inventory", "script", "--no-kubernetes", "--to-dir", "a folder; touch 'x' $(id)"],
    ]
    .iter()
    .enumerate()
    {
        let script = flowproof(args).exits(0).text();
        assert!(script.starts_with("#!/") && script.contains("describe-network-interfaces"), "{script}");
        let path = folder.path().join(format!("{at}.sh"));
        std::fs::write(&path, script).unwrap();
        let parsed = Command::new("/bin/sh").arg("-n").arg(&path).output().unwrap();
        assert!(parsed.status.success() && parsed.stderr.is_empty(), "{}", String::from_utf8_lossy(&parsed.stderr));
    }
}

#[test]
fn a_plan_on_a_disk() {
    let plan = on_estate(&["plan", "-o", "json"]).exits(0).json();
    let (objects, bytes) = (37, crate::program::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(ESTATE_LOGS)));
    assert_eq!(plan["objects"], objects);
    assert_eq!(plan["bytes"], bytes.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
    assert_eq!(plan["accounts"], json!(["111122223333", "222233334444"]));
    assert_eq!(plan["flow_log_ids"], json!(["fl-0a2000000000000a2", "fl-0a4000000000000a4"]));
    assert_eq!((plan["requests"]["list"].as_u64(), plan["requests"]["get"].as_u64()), (Some(0), Some(0)));
    assert_eq!(plan["first_key_time"], "2026-10-05T08:00:00Z");
    let page = on_estate(&["plan", "-o", "table"]).exits(0).text();
    assert!(page.starts_with("objects      37 (27.1 KiB), keys from 2026-10-05T08:00:00Z"), "{page}");
    let pruned = on_estate(&["plan", "-o", "json", "--log-account", "111122223333"]).exits(0).json();
    assert!(pruned["objects"].as_u64() < plan["objects"].as_u64());
    assert!(pruned["pruned"]["account"]["prefixes"].as_u64().unwrap() > 0, "{pruned}");
}

#[test]
fn configuration_file_environment_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let file = folder.path().join("flowproof.toml");
    let (logs, inventory) = case("rejects");
    std::fs::write(&file, format!("inventory = ['{root}/{inventory}']\nmax-rejects = 0\nendpoint-url = 'http://127.0.0.1:1'\n")).unwrap();
    let config = file.to_str().unwrap();
    let args = ["report", "egress", &logs, "-o", "csv", "--config", config];
    let told = on_case("rejects", &["report", "egress", "-o", "csv"]).text();
    assert_eq!(flowproof(&args).exits(4).text(), told.clone(), "inventory and limit come from the file");
    assert_eq!(flowproof(&[&args[..], &["--max-rejects", "100"]].concat()).exits(0).text(), told.clone(), "a flag beats the file");

    // The file of the working folder, and that of the user, are found by themselves.
    let logs = format!("{root}/{logs}");
    let mut here = command(&["report", "egress", &logs, "-o", "csv"]);
    here.current_dir(folder.path());
    finish(here).exits(4);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("flowproof")).unwrap();
    std::fs::copy(&file, home.path().join("flowproof/flowproof.toml")).unwrap();
    let mut user = command(&["report", "egress", &logs, "-o", "csv"]);
    user.env("XDG_CONFIG_HOME", home.path());
    finish(user).exits(4);

    // The environment beats the file.
    let server = S3Server::start_blocking();
    server.put("logs", "flows.log", std::fs::read(format!("{logs}/flows.log")).unwrap());
    let mut remote = command(&["report", "egress", "s3://logs", "--no-sign-request", "--region", "eu-west-1", "--config", config]);
    remote.env("AWS_ENDPOINT_URL", server.endpoint_url()).args(["--max-rejects", "100"]);
    finish(remote).exits(0);
    assert_eq!(flowproof_on(&server, &["plan", "s3://logs", "--config", config, "-o", "json"]).exits(0).json()["objects"], 1);

    std::fs::write(&file, "inventry = ['x']\n").unwrap();
    flowproof(&args).exits(2).without_results().tells("the configuration does not fit").tells("inventry").tells("flowproof.toml");
    flowproof(&["report", "egress", "--config", "none.toml"]).exits(2).without_results().tells("none.toml: cannot read");
}

#[test]
fn a_reader_that_has_enough_ends_the_run_quietly() {
    for format in ["ndjson", "csv"] {
        let args =
            ["sql", ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "-o", format, "-c", "SELECT a.* FROM flows a, (VALUES (1), (2), (3))"];
        let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(first.contains("account_id"), "{first}");
        assert_eq!((child.wait().unwrap().code(), &*told), (Some(0), ""), "{format}");
    }
}

#[test]
fn colours_only_where_they_are_wanted() {
    let with = |args: &[&str], variable: Option<(&str, &str)>| {
        let mut command = command(&[&["queries", "show", "none"], args].concat());
        command.envs(variable);
        finish(command).exits(2).stderr
    };
    assert!(with(&["--color", "always"], None).starts_with("\x1b[31merror:\x1b[0m "));
    for (args, variable) in [(&[][..], None), (&["--color", "never"], None), (&[], Some(("NO_COLOR", "1"))), (&["--color", "auto"], None)] {
        assert!(with(args, variable).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn what_stands_in_a_log_does_not_reach_the_terminal_or_a_spreadsheet() {
    let folder = tempfile::tempdir().unwrap();
    let header =
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id";
    let of = |vpc: &str| format!("2 111122223333 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1790848800 1790848810 ACCEPT OK {vpc}\n");
    let texts = ["\x1b[2J\x1b]0;owned\x07", "=HYPERLINK(\"http://x\")", "a|b<script>", "\u{202e}moc.elpmaxe"];
    let mut log = format!("{header}\n");
    texts.iter().for_each(|text| log.push_str(&of(text)));
    log.push_str("\x1b[31mnot a record\n");
    std::fs::write(folder.path().join("a.log"), log).unwrap();
    let ask = |format: &str, statement: &str| flowproof(&["sql", folder.path().to_str().unwrap(), "-o", format, "-c", statement]).exits(0);
    for statement in ["SELECT vpc_id FROM flows ORDER BY log_line", "SELECT * FROM rejects"] {
        for format in ["table", "markdown"] {
            let text = ask(format, statement).text();
            assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{format}: {text:?}");
            assert!(text.contains("u{1b}") || text.contains("u\\{1b}"), "{format}: {text:?}");
        }
        let escaped = ask("json", statement);
        assert!(!escaped.bytes.contains(&0x1b) && !ask("ndjson", statement).bytes.contains(&0x1b));
    }
    let markdown = ask("markdown", "SELECT vpc_id FROM flows").text();
    assert!(markdown.contains("a\\|b&lt;script&gt;"), "{markdown}");
    for format in ["csv", "tsv"] {
        let text = ask(format, "SELECT vpc_id FROM flows").text();
        assert!(text.contains("'=HYPERLINK"), "{text:?}");
        assert!(!text.lines().any(|line| line.trim_start_matches('"').starts_with('=')), "{text:?}");
    }
    // JSON says it as it is.
    let rows = ask("json", "SELECT vpc_id FROM flows ORDER BY log_line").json();
    assert_eq!(rows, texts.iter().map(|text| json!({ "vpc_id": text })).collect::<Value>());
    // Nor by the name of an object.
    let odd = folder.path().join("\x1b[31mred.log");
    std::fs::write(&odd, "nothing\n").unwrap();
    let told = flowproof(&["sql", folder.path().to_str().unwrap(), "-c", "SELECT count(*) FROM flows"]);
    assert!(!told.stderr.contains('\x1b'), "{:?}", told.stderr);
}
