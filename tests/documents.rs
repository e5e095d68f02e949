//! Reports as documents: what a browser, a spreadsheet, a Markdown viewer and a terminal get to see.

use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, flowproof};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use flowproof::report::document::{Bar, Bars, Block, Cell, Column, Document, Flows, HeatMap, Matrix, Section, State, Table};
use flowproof::report::{Format, Inputs, Report, page};
use flowproof::time::TimeRange;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Elements that have no end tag (HTML, "Void elements").
const VOID: [&str; 4] = ["meta", "br", "wbr", "hr"];

/// What a page holds, read by a parser that forgives nothing: every tag closed in order, every attribute quoted.
#[derive(Debug, Default)]
struct Page {
    /// Elements: name, attributes.
    elements: Vec<(String, Vec<(String, String)>)>,
    /// All text outside the style sheet, escapes resolved.
    text: String,
}

impl Page {
    #[track_caller]
    fn read(html: &str) -> Page {
        let mut page = Page::default();
        let mut open: Vec<String> = Vec::new();
        let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a doctype");
        while !rest.is_empty() {
            let Some(tag) = rest.strip_prefix('<') else {
                let end = rest.find('<').unwrap_or(rest.len());
                if open.last().is_none_or(|name| name != "style") {
                    page.text += &resolved(&rest[..end]);
                }
                rest = &rest[end..];
                continue;
            };
            if let Some(end_tag) = tag.strip_prefix('/') {
                let (name, after) = end_tag.split_once('>').expect("an end tag");
                assert_eq!(open.pop().as_deref(), Some(name), "before {:?}", after.chars().take(80).collect::<String>());
                rest = after;
                continue;
            }
            let (name, attributes, after) = start_tag(tag);
            if !VOID.contains(&name.as_str()) {
                open.push(name.clone());
            }
            page.elements.push((name, attributes));
            rest = after;
        }
        assert!(open.is_empty(), "never closed: {open:?}");
        page
    }

    fn count(&self, name: &str) -> usize {
        self.elements.iter().filter(|(element, _)| element == name).count()
    }
}

type StartTag<'a> = (String, Vec<(String, String)>, &'a str);

fn start_tag(tag: &str) -> StartTag<'_> {
    let end = tag.find([' ', '>']).expect("a tag's end");
    let name = tag[..end].to_owned();
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name:?} is no tag");
    let (mut rest, mut attributes) = (&tag[end..], Vec::new());
    loop {
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        let attribute = rest.strip_prefix(' ').unwrap_or_else(|| panic!("in <{name}: {rest:.60}"));
        let end = attribute.find(['=', '>', ' ']).expect("an attribute's end");
        let key = attribute[..end].to_owned();
        assert!(key.chars().all(|c| c.is_ascii_alphabetic() || c == '-'), "{key:?} is no attribute of {name}");
        match attribute[end..].strip_prefix("=\"") {
            Some(value) => {
                let (value, after) = value.split_once('"').expect("a closing quote");
                attributes.push((key, resolved(value)));
                rest = after;
            }
            None => rest = &attribute[end..],
        }
    }
}

fn resolved(text: &str) -> String {
    let named = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let left = named.replace("&amp;", "");
    assert!(!left.contains('&'), "an escape that is none: {text:.80}");
    named.replace("&amp;", "&")
}

/// Nothing that a browser would fetch or run.
#[track_caller]
fn loads_nothing(page: &Page) {
    for (name, attributes) in &page.elements {
        assert!(
            !["script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "a-frame"].contains(&name.as_str()),
            "{name}"
        );
        for (key, value) in attributes {
            assert!(!key.starts_with("on") && !["src", "srcset", "style", "action", "data"].contains(&key.as_str()), "{name} {key}");
            assert!(key != "href" || value.starts_with('#'), "{name} href {value}");
            assert!(!value.contains("url(") || value.starts_with("url(#"), "{name} {key} {value}");
        }
    }
    let policy = |(name, attributes): &(String, Vec<(String, String)>)| {
        name == "meta" && attributes.iter().any(|(key, value)| key == "content" && value.starts_with("default-src 'none';"))
    };
    assert!(page.elements.iter().any(policy), "no policy");
}

fn export(report: &str, further: &[&str], suffix: &str, folder: &Path) -> String {
    let to = folder.join(format!("{report}.{suffix}"));
    let args = ["report", report, ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "-q", "--export", to.to_str().unwrap()];
    flowproof(&[&args, further].concat()).exits(0);
    std::fs::read_to_string(to).unwrap()
}

#[test]
fn each_report_is_a_page_that_loads_nothing_and_has_the_rows_of_its_json() {
    let folder = tempfile::tempdir().unwrap();
    // Bodies of tables that hold more than the rows: pictures and how records were counted.
    for (report, further, caption) in [
        ("egress", &[][..], "16 destinations, by bytes"),
        ("cross-az", &[], "What costs most first"),
        ("cross-az", &["--by", "account"], "What costs most first"),
        ("nat", &[], "What costs most first"),
        ("cost", &["--by", "vpc"], "What costs most first"),
    ] {
        let html = export(report, further, "html", folder.path());
        let page = Page::read(&html);
        loads_nothing(&page);
        assert_eq!(html, export(report, further, "html", folder.path()), "{report}: not the same twice");
        for landmark in ["header", "nav", "main", "footer", "h1"] {
            assert_eq!(page.count(landmark), 1, "{report}: {landmark}");
        }
        assert_eq!(page.count("caption"), page.count("table"), "{report}");
        assert_eq!(page.count("title"), 1 + page.count("svg"), "{report}: each picture has a title");
        let has = |key: &str| page.elements.iter().filter(|(_, attributes)| attributes.iter().any(|(other, _)| other == key)).count();
        assert_eq!(has("scope"), page.count("th"), "{report}");
        let args = ["report", report, ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "-o", "json", "-q"];
        let rows = flowproof(&[&args, further].concat()).exits(0).json()["rows"].as_array().unwrap().len();
        let table = &html[html.find(caption).unwrap_or_else(|| panic!("{report}: no {caption:?}"))..];
        let table = &table[..table.find("</table>").unwrap()];
        assert_eq!(table.matches("<tr>").count(), rows + 1, "{report} {further:?}");
    }
    assert_eq!(export("egress", &[], "htm", folder.path()), export("egress", &[], "html", folder.path()));
}

#[test]
fn rows_alone_are_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("x.pdf");
    flowproof(&["report", "egress", ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "--export", to.to_str().unwrap()])
        .exits(2)
        .tells(".ndjson, .html, .md")
        .without_results();
}

/// Names that someone could give to a cluster, a tag or a DNS record.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "<script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></svg><svg onload=alert(1)>",
        "]]><!--",
        "javascript:alert(1)",
        "&lt;script&gt;",
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "\0=1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(1)",
        "\u{202e}txt.exe\u{202c}",
        "\u{2067}abc\u{2069}\u{61c}",
        "שלום עולם",
        "a\u{200b}b\u{feff}c\u{e0041}",
        "line\u{2028}line\u{2029}",
        "\x1b[2J\x1b]0;owned\x07",
        "\u{9b}31m\x08\x7f",
        "a|b|c",
        "[x](javascript:alert(1))",
        "![x](http://example.com/x.png)",
        "# heading\n* item\n\n    code",
        "`code` *em* __strong__ ~~~",
        "http://example.com/",
        "{{7*7}} ${7*7}",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("<b>".repeat(3_500));
    names.push("\x1b[31m".repeat(2_100));
    names
}

/// A report with a name everywhere that a name can stand.
fn report_of(name: &str) -> Report {
    let cell = || Cell::text(name);
    let mut document = Document::new(name, name);
    document.fact(name, cell()).fact("verdict", Cell::badge(name));
    let mut table = Table::new(name, vec![Column::text(name), Column::wrapped(name), Column::number(name)]);
    table.push(vec![cell(), Cell::badge(name), cell()]);
    table.rest_in = Some(name.to_owned());
    table.total = 2;
    document.verdicts = Some(table.clone());
    let mut section = Section::new(name, name);
    section.paragraph(name).heading(name).list([name, name]).facts(vec![(name.to_owned(), cell())]).table(table).code(name, name);
    section.push(Block::HeatMap(HeatMap::of(name, [(name.to_owned(), 0, State::Gap)])));
    section.push(Block::Bars(Bars::of(name, name, [Bar { label: name.to_owned(), weight: 1, text: name.to_owned() }])));
    section.push(Block::Matrix(Matrix::of(name, (name, name), [(name.to_owned(), name.to_owned(), 1)], |_| name.to_owned())));
    let ends = || [name.to_owned(), name.to_owned(), name.to_owned()];
    section.push(Block::Flows(Flows::of(name, [name; 3], [(ends(), 1, true)], |_| name.to_owned())));
    document.push(section.clone());
    document.push(section);
    let columns: [(&str, ArrayRef); 2] =
        [("name", Arc::new(StringArray::from(vec![name]))), ("count", Arc::new(Int64Array::from(vec![-1])))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let row = vec![name.to_owned(), "-1".to_owned()];
    let notes = vec![name.to_owned()];
    Report {
        name: "egress",
        period: TimeRange::default(),
        inputs: Inputs::default(),
        schema: batch.schema(),
        rows: vec![batch],
        page: page::table(&[("name", false, Some(20)), ("count", true, None)], &[row]) + &page::notes(notes.iter()),
        notes,
        further: serde_json::Map::new(),
        money: Vec::new(),
        document,
    }
}

fn written(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    report.write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What no reader sees, or a terminal obeys.
fn unseen(c: char) -> bool {
    c.is_control() && c != '\n'
        || ['\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{e0041}'].contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// Markdown without its backslashes and what they escape.
fn without_escapes(markdown: &str) -> String {
    let mut letters = markdown.chars();
    let mut out = String::new();
    while let Some(letter) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else {
            out.push(letter);
        }
    }
    out
}

#[test]
fn hostile_names_are_inert_in_every_format() {
    for name in hostile() {
        let report = report_of(&name);
        let shown: String = name.chars().take(40).collect();
        let of = |format| written(&report, format);
        for (format, text) in
            [(Format::Html, of(Format::Html)), (Format::Markdown, of(Format::Markdown)), (Format::Table, of(Format::Table))]
        {
            assert_eq!(text.chars().find(|c| unseen(*c)), None, "{format:?} {shown:?}");
            // 10 kB stand whole in the two statements, and cut in a hundred other places.
            assert!(format == Format::Table || text.len() < 300_000, "{format:?} {shown:?}: {} bytes", text.len());
        }
        let page = Page::read(&of(Format::Html));
        loads_nothing(&page);
        // The name adds no element: as many as with a plain one.
        let plain = Page::read(&written(&report_of("plain"), Format::Html));
        let elements = |page: &Page| {
            page.elements.iter().map(|(name, _)| name.clone()).filter(|name| !["bdi", "span", "p", "li"].contains(&name.as_str())).count()
        };
        if !name.is_empty() {
            assert_eq!(elements(&page), elements(&plain), "{shown:?}");
        }
        let markdown = of(Format::Markdown);
        // Indented lines are code, in which nothing is markup.
        let markup: String = markdown.lines().filter(|line| !line.starts_with("    ")).collect::<Vec<_>>().join("\n");
        let unescaped = without_escapes(&markup);
        for raw in ["<", "](", "![", "`", "**"] {
            assert!(!unescaped.contains(raw), "{raw} {shown:?}");
        }
        let bars = |line: &str| without_escapes(line).matches('|').count();
        for block in markup.split("\n\n").filter(|block| block.starts_with('|')) {
            let counts: Vec<usize> = block.lines().map(bars).collect();
            assert!(counts.windows(2).all(|two| two[0] == two[1]), "{shown:?}: {block}");
        }
        let csv = of(Format::Csv);
        let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert!(!row[0].starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠']), "{shown:?}");
        assert_eq!(row[0].chars().find(|c| unseen(*c) && !['\t', '\r'].contains(c)), None, "{shown:?}");
        assert_eq!(&row[1], "-1", "a number is no formula");
        let json: serde_json::Value = serde_json::from_str(&of(Format::Json)).unwrap();
        assert_eq!(json["rows"][0]["name"], *name, "JSON holds names as they are");
    }
}

#[test]
fn csv_keeps_what_is_data() {
    for (name, expected) in [
        ("plain, with \"quotes\"", "plain, with \"quotes\""),
        ("two\nlines\tand a tab\r\n", "two\nlines\tand a tab\r\n"),
        ("=1", "'=1"),
        ("\u{2060}=1", "\\u{2060}=1"),
        ("a\x1bb\nc\0d", "a\\u{1b}b\nc\\u{0}d"),
        ("\0", "'\\u{0}"),
    ] {
        let csv = written(&report_of(name), Format::Csv);
        let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_bytes());
        assert_eq!(&reader.records().next().unwrap().unwrap()[0], expected);
    }
}

#[test]
fn a_name_of_ten_kilobytes_is_cut_and_says_how_long_it_was() {
    let html = written(&report_of(&"x".repeat(10_240)), Format::Html);
    assert!(html.contains("… (10,240 characters; whole in CSV and JSON)"));
    assert!(!html.contains(&"x".repeat(10_241)));
    // The statement stands as it is; nothing else is longer than a paragraph.
    assert!(html.matches(&"x".repeat(4_001)).count() <= 4);
}

/// Lines of one control-plane interface of the estate to 100,000 destinations, a TCP handshake each.
fn many_destinations(count: u32) -> String {
    let mut log =
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags \
                   flow-direction\n"
            .to_owned();
    for n in 0..count {
        let (a, b) = (n / 250, n % 250 + 1);
        let start = 1_791_187_200 + i64::from(n % 3_000);
        let line = |out: &mut String, from: &str, to: &str, ports: &str, flags: u8, direction: &str, bytes: u32| {
            let end = start + 30;
            let ends = format!("111122223333 eni-0a200000000000001 {from} {to} {ports} 6 5 {bytes}");
            writeln!(out, "5 {ends} {start} {end} ACCEPT OK {flags} {direction}").unwrap();
        };
        let there = format!("198.{}.{}.{b}", 18 + a / 250, a % 250);
        let port = 1_024 + n % 60_000;
        line(&mut log, "10.20.1.37", &there, &format!("{port} 443"), 3, "egress", 1_000 + n);
        line(&mut log, &there, "10.20.1.37", &format!("443 {port}"), 19, "ingress", 500);
    }
    log
}

#[test]
fn a_hundred_thousand_destinations_are_a_page_below_ten_megabytes() {
    const COUNT: u32 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("many.log"), many_destinations(COUNT)).unwrap();
    let to = |suffix: &str| folder.path().join(format!("egress.{suffix}")).to_str().unwrap().to_owned();
    let (log, html, markdown) = (folder.path().join("many.log").to_str().unwrap().to_owned(), to("html"), to("md"));
    let args = ["report", "egress", &log, "--inventory", ESTATE_INVENTORY, "-q", "-o", "csv", "--export", &html, "--export", &markdown];
    let outcome = flowproof(&args).exits(0);
    assert_eq!(outcome.text().lines().count(), COUNT as usize + 1, "CSV holds all");
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
    let page = Page::read(&html);
    assert!(page.text.contains("The first 2,000 of 100,000 rows; --export FILE.csv writes all."));
    // The heaviest come first: the last that was written has 1,000 + 99,999 bytes out.
    let table = &html[html.find("100,000 destinations, by bytes").expect("the table")..];
    let place = |destination: &str| table.find(destination);
    assert!(place("198.19.149.250:443").is_some_and(|first| place("198.19.149.249:443").is_some_and(|second| first < second)));
    assert_eq!(place("198.18.0.1:443"), None, "the lightest is not among the first 2,000");
    let markdown = std::fs::read_to_string(markdown).unwrap();
    assert!(markdown.contains("The first 2,000 of 100,000 rows"));
    println!("{} bytes of HTML, {} of Markdown", html.len(), markdown.len());
}
