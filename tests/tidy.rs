//! The house rules, read from the sources: what a machine can check need not reach a reviewer.

use crate::program::files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Above this many lines a file is named; flat tables may be long.
const LINES_NOTED: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn texts(folder: &str, suffix: &str) -> BTreeMap<String, String> {
    let named = files(&root().join(folder)).into_iter().filter(|(path, _)| path.ends_with(suffix));
    named.map(|(path, bytes)| (format!("{folder}/{path}"), String::from_utf8(bytes).expect("UTF-8"))).collect()
}

/// Lines of code: without comments, and without the tests at the end of a file; numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    let lines = text[..tests].lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Modules in the order of `lib.rs`, which is that of reading.
fn modules() -> Vec<String> {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

/// The module that a file of `src/` belongs to; none for `lib.rs` and `main.rs`.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split(['/', '.']).next()?;
    (!matches!(inside, "lib.rs" | "main.rs")).then_some(name)
}

/// Modules that a line names by `crate::`, alone or in braces.
fn named(line: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let after = &line[at + found.len()..];
        match after.strip_prefix('{') {
            None => names.push(word(after)),
            Some(group) => {
                let mut depth = 0;
                let parts = group.split(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    c == ',' && depth == 0
                });
                names.extend(parts.map(|part| word(part.trim())));
            }
        }
    }
    names
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let all = texts("src", ".rs").into_iter().chain(texts("tests", ".rs"));
    none(&all.filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| format!("{path} does not open with //!")).collect::<Vec<_>>());
}

#[test]
fn arrows_run_one_way() {
    let modules = modules();
    assert_eq!(modules.first().map(String::as_str), Some("error"), "lib.rs lists modules in reading order");
    assert_eq!(modules.last().map(String::as_str), Some("cli"));
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut faults = Vec::new();
    let mut arrows = 0;
    for (path, text) in texts("src", ".rs") {
        let Some(own) = module_of(&path) else { continue };
        let here = place(own).unwrap_or_else(|| panic!("{path}: lib.rs does not list {own}"));
        // A path through `super` must not climb out of the module unseen.
        let top = path.matches('/').count() == 1 || path.ends_with("/mod.rs");
        for (at, line) in code(&text) {
            for name in named(line) {
                arrows += 1;
                match place(&name) {
                    Some(there) if there <= here => {}
                    Some(_) => faults.push(format!("{path}:{at}: {own} stands before {name} and must not use it")),
                    None => faults.push(format!("{path}:{at}: crate::{name} is no module")),
                }
            }
            if line.contains("super::super::") || top && line.contains("super::") && !line.contains("pub(super)") {
                faults.push(format!("{path}:{at}: write crate:: for what lies outside the module"));
            }
        }
    }
    assert!(arrows > 100, "{arrows} arrows were seen");
    none(&faults);
}

#[test]
fn arrows_in_braces_are_seen() {
    assert_eq!(named("use crate::{error::{Error, Result}, time};"), ["error", "time"]);
    assert_eq!(named("let x: crate::flow::Layout = crate::decode::layout();"), ["flow", "decode"]);
}

#[test]
fn each_thing_has_one_home() {
    /// What, where it may stand, and why nowhere else.
    const HOMES: &[(&[&str], &[&str], &str)] = &[
        (&["aws_sdk_", "aws_config", "aws_credential"], &["src/source/s3.rs", "src/source/aws.rs"], "AWS types stay behind `Source`"),
        (&["datafusion"], &["src/query/"], "an upgrade of the engine touches one folder"),
        (&["env::var", "env::vars"], &["src/config.rs"], "one reader of the environment"),
        (&["env::temp_dir"], &["src/cli/"], "the library writes where it is told to"),
        (&["println!", "eprintln!", "print!(", "eprint!(", "dbg!"], &[], "output goes through cli/output.rs and errors"),
        (&["io::stdout", "io::stderr"], &["src/cli/"], "the library does not touch the terminal"),
        (&["Utc::now", "Local::now", "SystemTime::now"], &["src/time.rs"], "the clock is injected"),
        // A plan measures how fast this machine reads its sample: a duration, which is no part of any report.
        (&["Instant::now"], &["src/time.rs", "src/cli/plan.rs"], "the clock is injected"),
        (
            &[".unwrap()", ".unwrap_err()", ".expect(\"", "panic!(", "unreachable!(", "todo!(", "unimplemented!("],
            &[],
            "content must not stop a run",
        ),
        (&["process::exit", "process::abort"], &[], "exit codes come from main"),
    ];
    let mut faults = Vec::new();
    // Tests may stop, in a file of their own as below the code.
    for (path, text) in texts("src", ".rs").into_iter().filter(|(path, _)| !path.ends_with("/tests.rs")) {
        for (at, line) in code(&text) {
            for (words, homes, why) in HOMES {
                let word = words.iter().find(|word| line.contains(**word));
                if let Some(word) = word.filter(|_| !homes.iter().any(|home| path.starts_with(home))) {
                    faults.push(format!("{path}:{at}: {word}: {why}"));
                }
            }
        }
    }
    none(&faults);
    let all: String = texts("src", ".rs").into_values().collect();
    for (words, homes, _) in HOMES.iter().filter(|(_, homes, _)| !homes.is_empty()) {
        assert!(words.iter().any(|word| all.contains(word)), "nothing lives in {homes:?} any more");
    }
}

#[test]
fn no_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/main.rs")).unwrap();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "main") else { continue };
        let wired = main.contains(&format!("\nmod {stem};\n")) || manifest.contains(&format!("path = \"tests/{name}\""));
        if !wired {
            faults.push(format!("tests/{name} is neither a module of tests/main.rs nor a target of its own"));
        }
    }
    // Each line of the list says what its module is about.
    let lines: Vec<&str> = main.lines().collect();
    for (before, line) in lines.iter().zip(lines.iter().skip(1)) {
        if line.starts_with("mod ") && !before.starts_with("/// ") {
            faults.push(format!("tests/main.rs: {line} has no description"));
        }
    }
    for (path, text) in texts("src", ".rs").iter().filter(|(path, _)| path.ends_with("mod.rs")) {
        let folder = path.trim_end_matches("mod.rs");
        for (other, _) in texts("src", ".rs").iter().filter(|(other, _)| other.starts_with(folder) && *other != path) {
            let stem = other.trim_start_matches(folder).trim_end_matches(".rs").trim_end_matches("/mod");
            if !stem.contains('/') && !text.contains(&format!("mod {stem};")) {
                faults.push(format!("{other} is in no module"));
            }
        }
    }
    none(&faults);
}

#[test]
fn no_golden_file_is_orphaned() {
    let source = std::fs::read_to_string(root().join("tests/cli.rs")).unwrap();
    let mut exact: BTreeSet<String> = crate::cli::help_names().into_iter().collect();
    exact.extend(flowproof::query::library::QUERIES.iter().map(|query| format!("query-{}", query.name)));
    exact.extend(source.split("golden!(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    for report in ["egress", "sql"] {
        exact.extend(["table", "csv", "tsv", "json", "ndjson", "markdown"].map(|format| format!("{report}-{format}")));
    }
    // That of tests/coverage.rs.
    exact.insert("coverage-table".to_owned());
    let found: BTreeSet<String> =
        files(&root().join("tests/snapshots")).into_iter().map(|(path, _)| path.trim_end_matches(".snap").to_owned()).collect();
    assert_eq!(found, exact);
}

#[test]
fn long_files_are_named() {
    let mut all = 0;
    for (path, text) in texts("src", ".rs").into_iter().chain(texts("tests", ".rs")) {
        let lines = text.lines().count();
        all += lines;
        if lines > LINES_NOTED {
            println!("{path}: {lines} lines");
        }
    }
    println!("{all} lines in all");
}

/// Commands in the code blocks of a document, with their place; lines that end in `\` or within quotes go on.
fn commands_in(path: &str, text: &str) -> Vec<(String, Vec<String>)> {
    let mut commands = Vec::new();
    let mut open: Option<(String, String)> = None;
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            assert!(open.is_none(), "{path}:{}: a command does not end in its block", at + 1);
            continue;
        }
        if let Some((place, so_far)) = open.take() {
            let longer = format!("{so_far}\n{line}");
            open = finish(&mut commands, place, longer);
            continue;
        }
        let block = fenced || line.starts_with("    ");
        let line = line.trim().trim_start_matches("$ ");
        if block
            && (line.starts_with("flowproof ") || line.starts_with("cargo run ") && line.contains(" -- "))
            && !line.contains("--example")
        {
            open = finish(&mut commands, format!("{path}:{}", at + 1), line.to_owned());
        }
    }
    commands
}

/// Adds a command that is whole, or hands it back.
fn finish(commands: &mut Vec<(String, Vec<String>)>, place: String, text: String) -> Option<(String, String)> {
    match words(&text) {
        Some(words) => commands.push((place, words)),
        None => return Some((place, text)),
    }
    None
}

/// Splits a command line as a shell does, up to the end of the command; `None` if it goes on.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') if letters.peek().is_none() => return None,
            (None, '\\') if letters.peek() == Some(&'\n') => {
                letters.next();
            }
            (None, '|' | ';' | '&' | '\n') => break,
            (None, '>') if word.is_none() || word.as_deref() == Some("2") => {
                word = None;
                break;
            }
            (None, '#') if word.is_none() => break,
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return None;
    }
    words.extend(word);
    Some(words)
}

#[test]
fn documents_name_commands_that_exist() {
    let top = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut documents: Vec<String> = top.filter(|name| name.ends_with(".md")).collect();
    documents.extend(files(&root().join("docs")).into_iter().map(|(path, _)| format!("docs/{path}")).filter(|path| path.ends_with(".md")));
    documents.push("sample-logs/README.md".to_owned());
    let mut faults = Vec::new();
    let mut seen = 0;
    for path in &documents {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        for (place, words) in commands_in(path, &text) {
            let words = match words.iter().position(|word| word == "--") {
                Some(at) if words[0] == "cargo" => [&["flowproof".to_owned()], &words[at + 1..]].concat(),
                _ => words,
            };
            // A synopsis is not a command.
            if words.iter().any(|word| word.starts_with(['<', '[']) || word.contains('…')) {
                continue;
            }
            seen += 1;
            if let Err(fault) = flowproof::cli::definition().try_get_matches_from(&words)
                && fault.use_stderr()
            {
                faults.push(format!("{place}: {}\n  {}", words.join(" "), fault.to_string().lines().next().unwrap_or_default()));
            }
        }
    }
    assert!(seen > 0, "no command was found in {documents:?}");
    println!("{seen} commands in {} documents", documents.len());
    none(&faults);
}

#[test]
fn command_lines_are_split_as_a_shell_does() {
    let text = "```sh\n$ flowproof sql logs -c \"SELECT 'a b'\n  FROM flows\" -o csv | head -1   # first\nflowproof plan a \\\n  b > plan.txt\n```\nflowproof is\n";
    let commands: Vec<Vec<String>> = commands_in("x", text).into_iter().map(|(_, words)| words).collect();
    let expected =
        [&["flowproof", "sql", "logs", "-c", "SELECT 'a b'\n  FROM flows", "-o", "csv"][..], &["flowproof", "plan", "a", "b"][..]];
    assert_eq!(commands, expected);
}
