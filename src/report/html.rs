//! HTML: a document as one file that loads nothing, runs nothing, reads well on screens light and dark and prints with page
//! numbers. The policy in its head forbids scripts and requests even if a text should get past the escaping.

use super::document::{
    Block, CELL_LETTERS_MAX, CODE_LETTERS_MAX, Cell, Column, Document, Matrix, PARAGRAPH_LETTERS_MAX, Section, Table, Tone, cut_mark,
    grouped, visible,
};
use super::svg;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("html.css");
/// Nothing is loaded but what the file holds itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Returns the page.
pub fn page(document: &Document) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content={ "flowproof " (env!("CARGO_PKG_VERSION")) };
                meta name="referrer" content="no-referrer";
                title { (plain(&document.title)) @if !document.subtitle.is_empty() { ", " (plain(&document.subtitle)) } }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to content" }
                header {
                    h1 { (text(&document.title, CELL_LETTERS_MAX)) }
                    @if !document.subtitle.is_empty() { p.subtitle { (text(&document.subtitle, CELL_LETTERS_MAX)) } }
                    @if !document.cover.is_empty() { (facts(&document.cover, "cover")) }
                    @if let Some(verdicts) = &document.verdicts { (table(verdicts, "verdicts")) }
                }
                nav aria-labelledby="contents" {
                    h2 #contents { "Contents" }
                    ol {
                        @for section in &document.sections { li { a href={ "#" (section.id) } { (text(&section.heading, CELL_LETTERS_MAX)) } } }
                    }
                }
                main #content { @for of in &document.sections { (section(of)) } }
                footer {
                    "Made by flowproof " (env!("CARGO_PKG_VERSION")) ". All times are UTC. Names stem from logs and inventories; characters that cannot be \
                     seen are written as \\u{…}."
                }
            }
        }
    };
    markup.into_string()
}

fn section(section: &Section) -> Markup {
    let heading = format!("{}-heading", section.id);
    html! {
        section id=(section.id) aria-labelledby=(heading) {
            h2 id=(heading) { (text(&section.heading, CELL_LETTERS_MAX)) }
            @for (at, of) in section.blocks.iter().enumerate() { (block(of, &format!("{}-{at}", section.id))) }
        }
    }
}

fn block(block: &Block, id: &str) -> Markup {
    match block {
        Block::Paragraph(sentences) => html! { p { (text(sentences, PARAGRAPH_LETTERS_MAX)) } },
        Block::Heading(heading) => html! { h3 { (text(heading, CELL_LETTERS_MAX)) } },
        Block::List { items, total } => html! {
            ul { @for item in items { li { (text(item, PARAGRAPH_LETTERS_MAX)) } } }
            @if *total > items.len() { p.rest { "… and " (grouped((total - items.len()) as u64)) " more; --export FILE.json holds all." } }
        },
        Block::Facts(list) => facts(list, "facts"),
        Block::Table(of) => table(of, id),
        Block::HeatMap(map) => figure(&map.caption, &svg::heat_map(map, id), &map.stretches(), id),
        Block::Bars(bars) => figure(&bars.caption, &svg::bars(bars, id), &svg::table_of_bars(bars), id),
        Block::Flows(flows) => figure(&flows.caption, &svg::flows(flows, id), &svg::table_of_flows(flows), id),
        Block::Matrix(of) => matrix(of, id),
        Block::Code { caption, text: lines } => html! {
            figure {
                figcaption { (text(caption, CELL_LETTERS_MAX)) }
                pre tabindex="0" { code { (code(lines)) } }
            }
        },
    }
}

/// A picture with its numbers in a table, for who cannot see it.
fn figure(caption: &str, picture: &Markup, numbers: &Table, id: &str) -> Markup {
    html! {
        figure { figcaption { (text(caption, CELL_LETTERS_MAX)) } (picture) }
        @if !numbers.rows.is_empty() { details { summary { "The same as a table" } (table(numbers, &format!("{id}-table"))) } }
    }
}

fn facts(facts: &[(String, Cell)], class: &str) -> Markup {
    html! {
        dl class=(class) {
            @for (label, value) in facts { div { dt { (text(label, CELL_LETTERS_MAX)) } dd { (cell(value)) } } }
        }
    }
}

fn table(table: &Table, id: &str) -> Markup {
    let caption = format!("{id}-caption");
    html! {
        div.scroll role="region" tabindex="0" aria-labelledby=(caption) {
            table {
                caption id=(caption) { (text(&table.caption, CELL_LETTERS_MAX)) }
                thead { tr { @for column in &table.columns { th scope="col" class=[class(column)] { (text(&column.name, CELL_LETTERS_MAX)) } } } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
                                @if at == 0 { th scope="row" class=[class(column)] { (cell(value)) } }
                                @else { td class=[class(column)] { (cell(value)) } }
                            }
                        }
                    }
                    @if table.rows.is_empty() { tr { td.none colspan=(table.columns.len().max(1)) { "none" } } }
                }
            }
        }
        @if let Some(rest) = table.rest() { p.rest { (text(&rest, PARAGRAPH_LETTERS_MAX)) } }
    }
}

fn class(column: &Column) -> Option<&'static str> {
    match (column.is_number, column.wraps) {
        (true, _) => Some("n"),
        (_, true) => Some("w"),
        _ => None,
    }
}

/// Shades a cell by its share of the greatest, in five steps; the amount stands in it.
fn matrix(matrix: &Matrix, id: &str) -> Markup {
    let greatest = matrix.values.iter().flatten().flatten().map(|(weight, _)| *weight).max().unwrap_or(0).max(1);
    let shade = |weight: u64| match weight {
        0 => None,
        weight => Some(format!("s{}", (u128::from(weight) * 5).div_ceil(u128::from(greatest)))),
    };
    let caption = format!("{id}-caption");
    html! {
        div.scroll role="region" tabindex="0" aria-labelledby=(caption) {
            table.matrix {
                caption id=(caption) { (text(&matrix.caption, CELL_LETTERS_MAX)) }
                thead {
                    tr {
                        th scope="col" { (text(&matrix.corner.0, CELL_LETTERS_MAX)) " ↓  " (text(&matrix.corner.1, CELL_LETTERS_MAX)) " →" }
                        @for name in &matrix.columns { th scope="col" { (text(name, CELL_LETTERS_MAX)) } }
                    }
                }
                tbody {
                    @for (name, values) in matrix.rows.iter().zip(&matrix.values) {
                        tr {
                            th scope="row" { (text(name, CELL_LETTERS_MAX)) }
                            @for value in values {
                                @match value {
                                    Some((weight, words)) => td class=[shade(*weight)] { (text(words, CELL_LETTERS_MAX)) },
                                    None => td.none { "–" },
                                }
                            }
                        }
                    }
                }
            }
        }
        @if matrix.left_out > 0 { p.rest { (grouped(matrix.left_out as u64)) " more names are left out; --export FILE.csv writes all." } }
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell {
        Cell::Text(value) => text(value, CELL_LETTERS_MAX),
        Cell::Badge(word) if word.is_empty() => html! {},
        Cell::Badge(word) => {
            let tone = Tone::of(word);
            let class = match tone {
                Tone::Good => "badge good",
                Tone::Bad => "badge bad",
                Tone::Unsure => "badge unsure",
                Tone::Neutral => "badge neutral",
            };
            html! { span class=(class) { span aria-hidden="true" { (tone.sign()) " " } (text(word, CELL_LETTERS_MAX)) } }
        }
    }
}

/// An untrusted text: escaped, cut, what cannot be seen made visible, and its direction kept from its neighbours.
fn text(text: &str, letters_max: usize) -> Markup {
    let (shown, cut) = visible(text, letters_max);
    // Letters below the first right-to-left block cannot turn their neighbours around.
    let may_turn = shown.chars().any(|c| c >= '\u{590}');
    html! {
        @if may_turn { bdi { (shown) } } @else { (shown) }
        @if let Some(letters) = cut { span.cut { (cut_mark(letters)) } }
    }
}

fn plain(text: &str) -> String {
    visible(text, CELL_LETTERS_MAX).0.into_owned()
}

/// Lines as they stand; what cannot be seen is visible in them too.
fn code(lines: &str) -> Markup {
    let (kept, cut) = super::document::shortened(lines, CODE_LETTERS_MAX);
    html! {
        @for line in kept.lines() { (visible(line, usize::MAX).0) "\n" }
        @if let Some(letters) = cut { span.cut { (cut_mark(letters)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::{Bar, Bars, Flows, HeatMap, Matrix, State};
    use crate::time::HOUR;

    fn small() -> Document {
        let mut document = Document::new("EKS API server egress", "2026-10-05 to 2026-10-06");
        document.fact("clusters", Cell::number(1_234));
        let mut verdicts = Table::new("Conclusions", vec![Column::text("id"), Column::text("verdict")]);
        for (id, verdict) in [("S1", "PASS"), ("S2", "FAIL"), ("S3", "INDETERMINATE")] {
            verdicts.push(vec![Cell::text(id), Cell::badge(verdict)]);
        }
        document.verdicts = Some(verdicts);
        let mut section = Section::new("coverage", "Coverage");
        section.paragraph("What the logs say.").heading("By hour");
        let states = [("eni-1", 0, State::Ok), ("eni-1", 1, State::Ok), ("eni-1", 2, State::Gap), ("eni-2", 2, State::NoData)];
        let states = states.map(|(eni, hour, state)| (eni.to_owned(), 1_759_622_400 + hour * HOUR, state));
        section.push(Block::HeatMap(HeatMap::of("Interfaces by hour", states)));
        document.push(section);
        let mut section = Section::new("amounts", "Amounts");
        let bar = |label: &str, weight: u64| Bar { label: label.to_owned(), weight, text: format!("{weight} B") };
        section.push(Block::Bars(Bars::of("By category", "bytes", [bar("nat", 5), bar("direct", 10)])));
        let amounts = [("az1", "az2", 10), ("az2", "az1", 1), ("az1", "az2", 5)].map(|(a, b, n)| (a.to_owned(), b.to_owned(), n));
        section.push(Block::Matrix(Matrix::of("From AZ to AZ", ("from", "to"), amounts, |n| format!("{n} B"))));
        let ends = |end: &str| ["c".to_owned(), "vpc".to_owned(), end.to_owned()];
        section.push(Block::Flows(Flows::of(
            "Who went where",
            ["cluster", "path", "destination"],
            [(ends("a"), 9, false), (ends("b"), 1, true)],
            |n| format!("{n} B"),
        )));
        section.list(["one", "two"]).code("SQL", "SELECT 1\n  FROM \"a<b\"");
        document.push(section);
        document
    }

    #[test]
    fn a_small_document() {
        let page = page(&small()).replace(STYLE, "…").replace('>', ">\n");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("page", page);
            insta::assert_snapshot!("markdown", crate::report::markdown::of(&small()));
        });
    }

    #[test]
    fn nothing_is_loaded_and_the_same_document_is_the_same_page() {
        let first = page(&small());
        assert_eq!(first, page(&small()));
        for load in ["http:", "https:", "src=", "@import", "<script", "<link", "javascript:"] {
            assert!(!first.contains(load), "{load}");
        }
        assert_eq!(first.matches("url(").count(), first.matches("url(#").count());
    }

    #[test]
    fn a_style_sheet_stays_a_style_sheet() {
        assert!(!STYLE.contains('<'), "it stands in the page as it is");
    }
}
