//! Pictures of a document, as SVG within its HTML: the heat map of coverage, bars, and flows from where by which way to where.
//!
//! Colours come from the page's style sheet by class, so that they follow light and dark; each state of the heat map has a pattern
//! too, and each picture a title, a description and a table of its numbers.

use super::document::{Bars, CELL_LETTERS_MAX, Cell, Column, Flow, Flows, HEAT_ROWS_MAX, HeatMap, State, Table, grouped, runs, visible};
use super::table::cut;
use crate::time::{DAY, HOUR, rfc3339};
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of every picture, in its own units, which are CSS pixels where there is room.
const WIDTH: f64 = 1120.0;
/// Room for labels at the left of heat maps and bars, and the columns of a terminal that fit into it.
const LABEL_WIDTH: f64 = 250.0;
const LABEL_COLUMNS: usize = 36;
const ROW_HEIGHT: f64 = 22.0;
/// Least distance between two marks of the time axis.
const TICK_DISTANCE_MIN: f64 = 92.0;

/// Returns the first text of a picture for those who cannot see it.
fn named(id: &str, title: &str, description: &str) -> Markup {
    html! {
        title id={ (id) "-title" } { (shown(title, CELL_LETTERS_MAX)) }
        desc id={ (id) "-desc" } { (description) }
    }
}

/// A text within a number of columns of a terminal, which letters of any script are measured by.
fn shown(text: &str, columns: usize) -> String {
    cut(&visible(text, CELL_LETTERS_MAX).0, columns)
}

/// Returns a heat map: a row for each interface, a column for each hour or day.
pub fn heat_map(map: &HeatMap, id: &str) -> Markup {
    let steps = map.steps().max(1);
    let step_width = ((WIDTH - LABEL_WIDTH) / steps as f64).min(40.0);
    let top = 8.0;
    let bottom = top + map.rows.len() as f64 * ROW_HEIGHT;
    let legend = map.legend();
    let legend_top = bottom + 34.0;
    let height = legend_top + (legend.len().div_ceil(3) as f64) * 20.0 + 4.0;
    let description = format!(
        "{} rows, {steps} columns of {} from {}. {}",
        map.rows.len(),
        if map.step_s == HOUR { "an hour" } else { "a day, of which the worst hour counts," },
        rfc3339(map.from),
        legend.iter().map(|state| format!("{}: {} of the cells.", state.name(), cells_of(map, *state))).collect::<Vec<_>>().join(" ")
    );
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (n(height)) } width=(WIDTH) height=(n(height)) role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            (named(id, &map.caption, &description))
            defs { @for state in &legend { (pattern(*state, id)) } }
            @for (at, (label, states)) in map.rows.iter().enumerate() {
                @let y = top + at as f64 * ROW_HEIGHT;
                text x=(n(LABEL_WIDTH - 12.0)) y=(n(y + 15.0)) text-anchor="end" { (shown(label, LABEL_COLUMNS)) }
                @for state in &legend {
                    @let path = row_path(states, *state, step_width, y);
                    @if !path.is_empty() {
                        path d=(path) class=(class(*state)) {}
                        @if has_marks(*state) { path d=(path) fill={ "url(#" (id) "-" (class(*state)) ")" } {} }
                    }
                }
            }
            (time_axis(map, steps, step_width, top, bottom))
            @for (at, state) in legend.iter().enumerate() {
                @let x = LABEL_WIDTH + (at % 3) as f64 * 236.0;
                @let y = legend_top + (at / 3) as f64 * 20.0;
                rect x=(n(x)) y=(n(y)) width="14" height="14" class=(class(*state)) {}
                @if has_marks(*state) { rect x=(n(x)) y=(n(y)) width="14" height="14" fill={ "url(#" (id) "-" (class(*state)) ")" } {} }
                rect x=(n(x)) y=(n(y)) width="14" height="14" class="rule" {}
                text .soft x=(n(x + 20.0)) y=(n(y + 11.0)) { (state.name()) ": " (state.meaning()) }
            }
        }
        @if map.total > map.rows.len() { p.rest { "The first " (grouped(HEAT_ROWS_MAX as u64)) " of " (grouped(map.total as u64)) " rows." } }
    }
}

fn cells_of(map: &HeatMap, state: State) -> String {
    grouped(map.rows.iter().flat_map(|(_, states)| states).filter(|other| **other == state).count() as u64)
}

/// All cells of a state in a row, runs merged: 60 interfaces over a month stay small.
fn row_path(states: &[State], state: State, width: f64, y: f64) -> String {
    let mut path = String::new();
    for (_, from, to) in runs(states).into_iter().filter(|(other, ..)| *other == state) {
        // Writing to a String cannot fail.
        let _ = write!(
            path,
            "M{} {}h{}v{}H{}z",
            n(LABEL_WIDTH + from as f64 * width),
            n(y + 1.5),
            n((to - from) as f64 * width),
            n(ROW_HEIGHT - 3.0),
            n(LABEL_WIDTH + from as f64 * width)
        );
    }
    path
}

fn class(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::NoData => "nodata",
        State::SkipData => "skipdata",
        State::Gap => "gap",
        State::Late => "late",
        State::NotApplicable => "na",
        State::Unknown => "unknown",
    }
}

fn has_marks(state: State) -> bool {
    state != State::Ok
}

/// What tells a state apart without colour.
fn pattern(state: State, id: &str) -> Markup {
    let marks = match state {
        State::Ok => return html! {},
        State::NoData => "M3 4h2",
        State::SkipData => "M-2 2L2 -2M0 8L8 0M6 10L10 6",
        State::Gap => "M0 0L8 8M0 8L8 0",
        State::Late => "M2 0V8M6 0V8",
        State::NotApplicable => "M0 4H8",
        State::Unknown => "M0 2H8M0 6H8",
    };
    html! {
        pattern id={ (id) "-" (class(state)) } width="8" height="8" patternUnits="userSpaceOnUse" { path d=(marks) class={ (class(state)) " mark" } {} }
    }
}

fn time_axis(map: &HeatMap, steps: usize, step_width: f64, top: f64, bottom: f64) -> Markup {
    // The least step of the clock or calendar whose marks do not crowd.
    let every = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY];
    let wide_enough = |every: &i64| *every >= map.step_s && (*every / map.step_s) as f64 * step_width >= TICK_DISTANCE_MIN;
    let every = every.into_iter().find(wide_enough).unwrap_or(364 * DAY);
    let at = |step: usize| map.from.saturating_add(map.step_s.saturating_mul(step as i64));
    let is_tick = |step: usize| step == 0 || at(step).rem_euclid(every) == 0;
    let mut ticks: Vec<usize> = (0..steps).filter(|step| is_tick(*step)).collect();
    // The first mark says the date; one that stands too near to it gives way.
    if let [first, second, ..] = ticks.as_slice()
        && (second - first) as f64 * step_width < TICK_DISTANCE_MIN
    {
        ticks.remove(1);
    }
    let label = |step: usize| {
        let text = rfc3339(at(step));
        let (day, time) = text.split_once('T').unwrap_or((&text, ""));
        let time = time.get(..5).unwrap_or_default();
        if time == "00:00" || step == 0 && map.step_s == DAY {
            day.to_owned()
        } else if step == 0 {
            format!("{day} {time}")
        } else {
            time.to_owned()
        }
    };
    html! {
        @for step in ticks {
            @let x = LABEL_WIDTH + step as f64 * step_width;
            path .rule d={ "M" (n(x)) " " (n(top)) "V" (n(bottom + 6.0)) } {}
            text .soft x=(n(x + 2.0)) y=(n(bottom + 18.0)) { (label(step)) }
        }
    }
}

/// Returns bars, the longest first.
pub fn bars(bars: &Bars, id: &str) -> Markup {
    const AMOUNT_WIDTH: f64 = 130.0;
    let greatest = bars.bars.iter().map(|bar| bar.weight).max().unwrap_or(0).max(1);
    let height = bars.bars.len() as f64 * 26.0 + 8.0;
    let length = |weight: u64| (WIDTH - LABEL_WIDTH - AMOUNT_WIDTH) * (weight as f64 / greatest as f64);
    let description = format!("{} bars, {}; the longest is the greatest.", bars.bars.len(), visible(&bars.unit, CELL_LETTERS_MAX).0);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (n(height)) } width=(WIDTH) height=(n(height)) role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            (named(id, &bars.caption, &description))
            path .rule d={ "M" (n(LABEL_WIDTH)) " 0V" (n(height)) } {}
            @for (at, bar) in bars.bars.iter().enumerate() {
                @let y = 4.0 + at as f64 * 26.0;
                @let long = length(bar.weight);
                text x=(n(LABEL_WIDTH - 12.0)) y=(n(y + 16.0)) text-anchor="end" { (shown(&bar.label, LABEL_COLUMNS)) }
                rect .bar x=(n(LABEL_WIDTH)) y=(n(y + 3.0)) width=(n(long)) height="18" {}
                text x=(n(LABEL_WIDTH + long + 8.0)) y=(n(y + 16.0)) { (shown(&bar.text, 22)) }
            }
        }
        @if bars.total > bars.bars.len() { p.rest { "The greatest " (bars.bars.len()) " of " (grouped(bars.total as u64)) "; the table has the others." } }
    }
}

/// Returns the numbers of bars.
pub fn table_of_bars(bars: &Bars) -> Table {
    let mut table = Table::new(bars.caption.clone(), vec![Column::wrapped("what"), Column::number(bars.unit.clone())]);
    bars.bars.iter().for_each(|bar| table.push(vec![Cell::text(&bar.label), Cell::text(&bar.text)]));
    table
}

/// A name in one column of a picture of flows.
struct Node {
    weight: u64,
    is_alert: bool,
    y: f64,
    height: f64,
    /// Where the next band begins, at its left and its right side.
    next: [f64; 2],
}

const NODE_WIDTH: f64 = 10.0;
/// Left edges of the three columns of nodes.
const COLUMNS: [f64; 3] = [190.0, 460.0, 730.0];
/// Columns of a terminal that a label may take.
const LABELS: [usize; 3] = [25, 32, 54];
/// Height that all flows together take, beside what small ones get so that they can be seen.
const FLOWS_HEIGHT: f64 = 260.0;
const NODE_HEIGHT_MIN: f64 = 18.0;
const NODE_DISTANCE: f64 = 8.0;
const BAND_MIN: f64 = 1.5;

/// Returns three columns of names with bands between them, as wide as what flows.
pub fn flows(flows: &Flows, id: &str) -> Markup {
    const TOP: f64 = 30.0;
    let total = flows.flows.iter().map(|flow| flow.weight as f64).sum::<f64>().max(1.0);
    let scale = FLOWS_HEIGHT / total;
    let mut columns: Vec<BTreeMap<&str, Node>> = (0..3).map(|column| nodes(&flows.flows, column)).collect();
    let mut bottom = TOP;
    for nodes in &mut columns {
        bottom = bottom.max(place(nodes, scale, TOP));
    }
    let bands: Vec<Markup> = [0, 1].into_iter().flat_map(|left| bands(flows, &mut columns, left, scale)).collect();
    let height = bottom + 6.0;
    let description = format!("{} flows; the same as a table stands below.", flows.flows.len());
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (n(height)) } width=(WIDTH) height=(n(height)) role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            (named(id, &flows.caption, &description))
            @for (column, head) in flows.heads.iter().enumerate() {
                @let (x, anchor) = label_place(column);
                text .soft x=(n(x)) y="14" text-anchor=(anchor) { (shown(head, 30)) }
            }
            @for band in &bands { (band) }
            @for (column, nodes) in columns.iter().enumerate() {
                @for (name, node) in nodes { (node_of(name, node, column)) }
            }
        }
    }
}

fn label_place(column: usize) -> (f64, &'static str) {
    let left = COLUMNS.get(column).copied().unwrap_or_default();
    if column == 0 { (left - 8.0, "end") } else { (left + NODE_WIDTH + 8.0, "start") }
}

fn node_of(name: &str, node: &Node, column: usize) -> Markup {
    let (x, anchor) = label_place(column);
    let left = COLUMNS.get(column).copied().unwrap_or_default();
    let columns = LABELS.get(column).copied().unwrap_or(24);
    html! {
        rect .node .alert[node.is_alert] x=(n(left)) y=(n(node.y)) width=(n(NODE_WIDTH)) height=(n(node.height)) {}
        text .halo .alert-text[node.is_alert] x=(n(x)) y=(n(node.y + node.height / 2.0 + 4.5)) text-anchor=(anchor) {
            @if node.is_alert { "✕ " } (shown(name, columns))
        }
    }
}

fn nodes(flows: &[Flow], column: usize) -> BTreeMap<&str, Node> {
    let mut nodes: BTreeMap<&str, Node> = BTreeMap::new();
    for flow in flows {
        let name = flow.ends.get(column).map(String::as_str).unwrap_or_default();
        let node = nodes.entry(name).or_insert(Node { weight: 0, is_alert: false, y: 0.0, height: 0.0, next: [0.0; 2] });
        node.weight = node.weight.saturating_add(flow.weight);
        node.is_alert |= flow.is_alert && column == 2;
    }
    nodes
}

/// Gives each node its place, the heaviest on top; returns where the column ends.
fn place(nodes: &mut BTreeMap<&str, Node>, scale: f64, top: f64) -> f64 {
    let mut order: Vec<(u64, &str)> = nodes.iter().map(|(name, node)| (node.weight, *name)).collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut y = top;
    for (_, name) in order {
        let Some(node) = nodes.get_mut(name) else { continue };
        node.y = y;
        node.height = (node.weight as f64 * scale).max(NODE_HEIGHT_MIN);
        node.next = [y; 2];
        y += node.height + NODE_DISTANCE;
    }
    y
}

/// The bands between a column and the next.
fn bands(flows: &Flows, columns: &mut [BTreeMap<&str, Node>], left: usize, scale: f64) -> Vec<Markup> {
    let mut sums: BTreeMap<(&str, &str), (u64, bool)> = BTreeMap::new();
    for flow in &flows.flows {
        let end = |column: usize| flow.ends.get(column).map(String::as_str).unwrap_or_default();
        let sum = sums.entry((end(left), end(left + 1))).or_default();
        *sum = (sum.0.saturating_add(flow.weight), sum.1 || flow.is_alert && left == 1);
    }
    // From top to bottom on both sides, so that bands cross as little as they can.
    let y = |columns: &[BTreeMap<&str, Node>], column: usize, name: &str| {
        columns.get(column).and_then(|nodes| nodes.get(name)).map_or(0.0, |node| node.y)
    };
    let mut order: Vec<_> = sums.into_iter().collect();
    order.sort_by(|a, b| {
        let place = |names: &(&str, &str)| (y(columns, left, names.0), y(columns, left + 1, names.1));
        let (a, b) = (place(&a.0), place(&b.0));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut drawn = Vec::new();
    for ((from, to), (weight, is_alert)) in order {
        let width = weight as f64 * scale;
        let mut start = |column: usize, name: &str, side: usize| -> f64 {
            let Some(node) = columns.get_mut(column).and_then(|nodes| nodes.get_mut(name)) else { return 0.0 };
            // A node that was made taller to be seen holds its bands in its middle.
            let slack = ((node.height - node.weight as f64 * scale) / 2.0).max(0.0);
            let Some(next) = node.next.get_mut(side) else { return 0.0 };
            let y = *next + slack;
            *next += width;
            y
        };
        let (y0, y1) = (start(left, from, 1), start(left + 1, to, 0));
        let width = width.max(BAND_MIN);
        let x0 = COLUMNS.get(left).copied().unwrap_or_default() + NODE_WIDTH;
        let x1 = COLUMNS.get(left + 1).copied().unwrap_or_default();
        let middle = f64::midpoint(x0, x1);
        let path = format!(
            "M{x0} {a}C{m} {a} {m} {b} {x1} {b}v{w}C{m} {d} {m} {c} {x0} {c}z",
            a = n(y0),
            b = n(y1),
            c = n(y0 + width),
            d = n(y1 + width),
            m = n(middle),
            w = n(width),
            x0 = n(x0),
            x1 = n(x1)
        );
        drawn.push(html! { path .band .alert[is_alert] d=(path) {} });
    }
    drawn
}

/// Returns the numbers of flows.
pub fn table_of_flows(flows: &Flows) -> Table {
    let columns = flows.heads.iter().map(Column::wrapped).chain([Column::number("amount"), Column::text("to look at")]);
    let mut table = Table::new(flows.caption.clone(), columns.collect());
    for flow in &flows.flows {
        table.push_with(|| {
            let ends = flow.ends.iter().map(Cell::text);
            ends.chain([Cell::text(&flow.text), Cell::text(if flow.is_alert { "yes" } else { "" })]).collect()
        });
    }
    table
}

/// A length with at most one decimal.
fn n(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_of_sixty_interfaces_stays_small_also_if_no_two_hours_are_alike() {
        let hours = (0..60).flat_map(|eni| {
            (0..744)
                .map(move |hour| (format!("eni-{eni:017x}"), hour * HOUR, if (hour + eni) % 2 == 0 { State::Ok } else { State::NoData }))
        });
        let picture = heat_map(&HeatMap::of("coverage", hours), "coverage-0").into_string();
        assert!(picture.len() < 2 << 20, "{} bytes", picture.len());
        let quiet = (0..60).flat_map(|eni| (0..744).map(move |hour| (format!("eni-{eni:017x}"), hour * HOUR, State::Ok)));
        let picture = heat_map(&HeatMap::of("coverage", quiet), "coverage-0").into_string();
        assert!(picture.len() < 16 << 10, "{} bytes", picture.len());
        assert_eq!(picture.matches("class=\"ok\"").count(), 61, "a run each, and the legend");
    }

    #[test]
    fn runs_of_a_row_become_one_path() {
        let states = [State::Ok, State::Ok, State::Gap, State::Ok];
        assert_eq!(row_path(&states, State::Ok, 10.0, 0.0), "M250 1.5h20v19H250zM280 1.5h10v19H280z");
        assert_eq!(row_path(&states, State::Gap, 10.0, 0.0), "M270 1.5h10v19H270z");
        assert_eq!(row_path(&states, State::Late, 10.0, 0.0), "");
    }

    #[test]
    fn lengths_have_one_decimal_at_most() {
        assert_eq!([n(1.0), n(0.25), n(960.0)], ["1", "0.2", "960"]);
    }
}
