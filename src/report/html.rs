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
/// Columns above which a table prints on a page turned sideways.
const COLUMNS_UPRIGHT_MAX: usize = 7;

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
        section id=(section.id) .wide[is_wide(section)] aria-labelledby=(heading) {
            h2 id=(heading) { (text(&section.heading, CELL_LETTERS_MAX)) }
            @for (at, of) in section.blocks.iter().enumerate() { (block(of, &format!("{}-{at}", section.id))) }
        }
    }
}

fn is_wide(section: &Section) -> bool {
    section.blocks.iter().any(|block| matches!(block, Block::Table(table) if table.columns.len() > COLUMNS_UPRIGHT_MAX))
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
