//! `report cross-az`: bytes between AZs, by pair or by owner, what of them AWS meters, and what that costs at list price.

use super::Report;
use super::by::By;
use super::cells::{Cells, cells};
use super::charges::{self, Charges, Unpriced, dollars, range};
use super::document::{self, Bar, Bars, Block, Cell, Column, Document, Matrix, Section, Table};
use super::page::{self, PageColumn};
use super::scanned::Scan;
use super::sections;
use super::value::{self, Json};
use crate::cost::prices::Meter;
use crate::error::Result;
use crate::query::functions::format_bytes;
use crate::query::grain::Grain;
use crate::query::rows::{ColumnDoc, Rows, Value, money, schema};
use crate::query::{Engine, Logs, library};
use arrow::datatypes::DataType::{Int32, Int64, Utf8};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows that the terminal shows; the other formats hold all.
const ROWS_SHOWN_MAX: usize = 40;

/// What its statements tell apart: candidates for zone-aware routing are pods and services, of bytes between AZs.
pub const GRAIN: Grain = Grain::PodsBetweenZones;

/// Who pays for a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Each metered end its own owner, as AWS bills it.
    Split,
    /// The sender, for both ends.
    Sender,
    /// The receiver, for both ends.
    Receiver,
}

impl Charge {
    /// Returns the name used in options and queries.
    pub fn name(self) -> &'static str {
        match self {
            Charge::Split => "split",
            Charge::Sender => "sender",
            Charge::Receiver => "receiver",
        }
    }
}

/// One row, by pair of AZs or by owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Line {
    /// Source and destination AZ, or owner.
    key: (Option<String>, Option<String>),
    category: String,
    /// Bytes, or bytes sent.
    bytes: u64,
    /// Observed bytes, or bytes received.
    other: u64,
    ends: (u64, u64),
    metered: u64,
    cost: Option<Decimal>,
    cost_min: Option<Decimal>,
}

/// Sums over all rows.
#[derive(Debug, Default)]
struct Total {
    bytes: u64,
    observed: u64,
    metered: u64,
    metered_observed: u64,
    cost: Option<Decimal>,
    cost_min: Option<Decimal>,
}

/// Makes the report.
///
/// # Errors
/// If logs cannot be read at all, or a query fails.
pub async fn report(logs: &Arc<Logs>, engine: &Engine, by: &By, charge: Charge, charges: &Charges) -> Result<Report> {
    let mut unpriced = Unpriced::new();
    let nat_az_ends = ("nat_az_ends".to_owned(), charges.nat_az_ends.to_string());
    let pairs = library::find("cross-az")?;
    let given = [nat_az_ends.clone(), ("unresolved".to_owned(), "1".to_owned())];
    let (_, batches) = engine.collect(pairs.sql, &pairs.bind(&given, 0)?).await?;
    let (pair_lines, total) = of_pairs(&batches, charges, &mut unpriced);
    let unresolved = unresolved(&batches, charges, &mut unpriced);
    let candidates = candidates(engine, charges, &mut unpriced).await?;
    let mut scan = Scan::of(logs, |missing| &missing.cross_az).await?;
    let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let moved: Vec<_> = pair_lines.iter().map(|line| (of(&line.key.0), of(&line.key.1), line.category.clone(), line.bytes)).collect();
    let (sql, columns, lines) = match by {
        By::Default => (pairs.sql, pair_columns(), pair_lines),
        by => {
            let owners = library::find("cross-az-owners")?;
            let mut params = by.params();
            params.extend([("charge".to_owned(), charge.name().to_owned()), nat_az_ends]);
            let (_, batches) = engine.collect(owners.sql, &owners.bind(&params, 0)?).await?;
            (owners.sql, owner_columns(), of_owners(&batches, charges, &mut unpriced))
        }
    };
    let mut rows = Rows::new(&columns);
    lines.iter().for_each(|line| push(line, by, &mut rows));
    if unresolved.0 > 0 {
        scan.notes.insert(
            0,
            format!(
                "{} could not be given an AZ at both ends, so 0 to 2 ends of them may be metered: at most {}",
                format_bytes(unresolved.0),
                dollars(unresolved.1)
            ),
        );
    }
    if total.bytes > total.observed {
        scan.notes.insert(
            0,
            format!(
                "{} of {} are imputed: the interface of a metered end has no records of its own in that hour",
                format_bytes(total.bytes - total.observed),
                format_bytes(total.bytes)
            ),
        );
    }
    if lines.iter().any(|line| line.category == "load-balancer") {
        scan.notes.push(
            "behind a load balancer that preserves client addresses, replies look as if they went from target to client directly"
                .to_owned(),
        );
    }
    scan.notes.push(charges::basis(charges));
    scan.notes.extend(charges::note(&unpriced));
    let page = page_of(&scan, by, charge, &lines, &total);
    let mut document = document_of(&scan, by, charge, &moved, &lines, &total);
    document.fact("without an AZ at both ends", Cell::text(format_bytes(unresolved.0)));
    document.push(zone_aware(&candidates));
    sections::end_of_scan(&mut document, &scan, sql);
    let money = vec![
        (
            "unresolved",
            Json::Object(vec![
                ("bytes", Json::Plain(value::count(unresolved.0))),
                ("metered_ends_max", Json::Plain(2.into())),
                ("list_cost_max", charges::json(unresolved.1)),
            ]),
        ),
        (
            "meter",
            Json::Object(vec![
                ("observed_bytes", Json::Plain(value::count(total.metered_observed))),
                ("imputed_bytes", Json::Plain(value::count(total.metered.saturating_sub(total.metered_observed)))),
                ("list_cost", charges::json(total.cost)),
                ("list_cost_min", charges::json(total.cost_min)),
            ]),
        ),
        ("recommendations", Json::List(candidates.iter().map(Candidate::json).collect())),
    ];
    let further = scan.further(sql);
    Ok(Report {
        name: "cross-az",
        period: scan.period,
        inputs: scan.inputs,
        schema: schema(&columns),
        rows: vec![rows.finish()?],
        notes: scan.notes,
        further,
        money,
        page,
        document,
    })
}

/// The meter of a category's ends.
fn meter(category: &str) -> Meter {
    if category == "peering" { Meter::PeeringBytes } else { Meter::InterAzBytes }
}

fn of_pairs(batches: &[arrow::array::RecordBatch], charges: &Charges, unpriced: &mut Unpriced) -> (Vec<Line>, Total) {
    let mut total = Total { cost: Some(Decimal::new(0, 6)), cost_min: Some(Decimal::new(0, 6)), ..Total::default() };
    let mut lines: Vec<Line> = Vec::new();
    for row in cells(batches).filter(|row| !is_unresolved(row)) {
        let category = row.text("category").unwrap_or_default();
        let (region, meter) = (row.text("region"), meter(&category));
        let (metered, metered_min) = (row.count("metered_bytes"), row.count("metered_bytes_min"));
        let line = Line {
            key: (row.text("src_az_id"), row.text("dst_az_id")),
            bytes: row.count("bytes"),
            other: row.count("observed_bytes"),
            ends: (row.count("metered_ends"), row.count("metered_ends_min")),
            metered,
            cost: charges.bytes(region.as_deref(), &meter, metered, unpriced),
            cost_min: charges.bytes(region.as_deref(), &meter, metered_min, unpriced),
            category,
        };
        total.bytes += line.bytes;
        total.observed += line.other;
        total.metered += metered;
        total.metered_observed += row.count("observed_end_bytes");
        total.cost = charges::sum([total.cost, line.cost]);
        total.cost_min = charges::sum([total.cost_min, line.cost_min]);
        merge(&mut lines, line);
    }
    (lines, total)
}

fn of_owners(batches: &[arrow::array::RecordBatch], charges: &Charges, unpriced: &mut Unpriced) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in cells(batches) {
        let category = row.text("category").unwrap_or_default();
        let (region, meter) = (row.text("region"), meter(&category));
        let metered = row.count("metered_bytes");
        let line = Line {
            key: (row.text("owner"), None),
            bytes: row.count("bytes_out"),
            other: row.count("bytes_in"),
            ends: (0, 0),
            metered,
            cost: charges.bytes(region.as_deref(), &meter, metered, unpriced),
            cost_min: charges.bytes(region.as_deref(), &meter, row.count("metered_bytes_min"), unpriced),
            category,
        };
        merge(&mut lines, line);
    }
    lines
}

/// Adds a line to the one before it if only the region differs.
fn merge(lines: &mut Vec<Line>, line: Line) {
    match lines.last_mut() {
        Some(last) if last.key == line.key && last.category == line.category && last.ends == line.ends => {
            last.bytes += line.bytes;
            last.other += line.other;
            last.metered += line.metered;
            last.cost = charges::sum([last.cost, line.cost]);
            last.cost_min = charges::sum([last.cost_min, line.cost_min]);
        }
        _ => lines.push(line),
    }
}

fn is_unresolved(row: &Cells<'_>) -> bool {
    row.text("src_az_id").is_none() || row.text("dst_az_id").is_none()
}

/// Bytes whose AZs are not known at both ends, and what they cost if both ends are metered.
fn unresolved(batches: &[arrow::array::RecordBatch], charges: &Charges, unpriced: &mut Unpriced) -> (u64, Option<Decimal>) {
    let mut by_region: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for row in cells(batches).filter(is_unresolved) {
        *by_region.entry(row.text("region")).or_default() += row.count("bytes");
    }
    let mut cost = Some(Decimal::new(0, 6));
    for (region, bytes) in &by_region {
        let both_ends = bytes.saturating_mul(2);
        cost = charges::sum([cost, charges.bytes(region.as_deref(), &Meter::InterAzBytes, both_ends, unpriced)]);
    }
    (by_region.values().sum(), cost)
}

/// What would show a candidate wrong.
const FALSIFIED_IF: &str = "the far end is the only one, or holds what is not in the client's own AZ";

/// A service that might gain by zone-aware routing.
struct Candidate {
    service: Option<String>,
    src: Option<String>,
    dst: Option<String>,
    bytes: u64,
    metered: u64,
    saving: Option<Decimal>,
}

impl Candidate {
    fn json(&self) -> Json {
        Json::Object(vec![
            ("kind", Json::Plain("zone-aware-routing".into())),
            ("service", Json::Plain(self.service.clone().into())),
            ("src", Json::Plain(self.src.clone().into())),
            ("dst", Json::Plain(self.dst.clone().into())),
            ("bytes", Json::Plain(value::count(self.bytes))),
            ("metered_bytes", Json::Plain(value::count(self.metered))),
            ("saving", charges::json(self.saving)),
            ("falsified_if", Json::Plain(FALSIFIED_IF.into())),
        ])
    }
}

/// Services that might gain by zone-aware routing.
async fn candidates(engine: &Engine, charges: &Charges, unpriced: &mut Unpriced) -> Result<Vec<Candidate>> {
    let query = library::find("zone-aware-candidates")?;
    let (_, batches) = engine.collect(query.sql, &query.bind(&[], 0)?).await?;
    let candidate = |row: Cells<'_>| {
        let category = row.text("category").unwrap_or_default();
        let metered = row.count("metered_bytes");
        Candidate {
            service: row.text("service"),
            src: row.text("src"),
            dst: row.text("dst"),
            bytes: row.count("bytes"),
            metered,
            saving: charges.bytes(row.text("region").as_deref(), &meter(&category), metered, unpriced),
        }
    };
    Ok(cells(&batches).map(candidate).collect())
}

fn zone_aware(candidates: &[Candidate]) -> Section {
    let columns = vec![
        Column::wrapped("service"),
        Column::wrapped("from"),
        Column::wrapped("to"),
        Column::number("bytes"),
        Column::number("metered"),
        Column::number("at most saved"),
    ];
    let mut table = Table::new("Services that might be kept within an AZ", columns);
    for one in candidates {
        table.push_with(|| {
            let of = |text: &Option<String>| Cell::optional(text.as_deref());
            let amounts = [format_bytes(one.bytes), format_bytes(one.metered), dollars(one.saving)].map(Cell::Text);
            [of(&one.service), of(&one.src), of(&one.dst)].into_iter().chain(amounts).collect()
        });
    }
    let mut section = Section::new("recommendations", "What zone-aware routing might save");
    section.paragraph(format!("Savings are those of this period at list price. Not if {FALSIFIED_IF}."));
    section.table(table);
    section
}

#[rustfmt::skip]
fn pair_columns() -> Vec<ColumnDoc> {
    vec![
        ("src_az_id", Utf8, "AZ id of the sender"),
        ("dst_az_id", Utf8, "AZ id of the receiver"),
        ("category", Utf8, "What lies between"),
        ("bytes", Int64, "Bytes moved, each movement once"),
        ("observed_bytes", Int64, "… every metered end of which has records of its own"),
        ("imputed_bytes", Int64, "… a metered end of which has none"),
        ("metered_ends", Int32, "Ends of a movement that AWS meters"),
        ("metered_ends_min", Int32, "… for certain"),
        ("list_cost", money(), "Cost at list price, in US dollars"),
        ("list_cost_min", money(), "… of the ends that are metered for certain"),
    ]
}

#[rustfmt::skip]
fn owner_columns() -> Vec<ColumnDoc> {
    vec![
        ("owner", Utf8, "Whose bytes"),
        ("category", Utf8, "What lies between"),
        ("bytes_out", Int64, "Bytes sent to other AZs"),
        ("bytes_in", Int64, "Bytes received from other AZs"),
        ("metered_bytes", Int64, "Bytes of metered ends that are charged to this owner"),
        ("list_cost", money(), "Cost at list price, in US dollars"),
        ("list_cost_min", money(), "… of the ends that are metered for certain"),
    ]
}

fn push(line: &Line, by: &By, rows: &mut Rows) {
    let costs = [Value::Decimal(line.cost), Value::Decimal(line.cost_min)];
    if *by == By::Default {
        rows.push(
            &[
                Value::Text(line.key.0.as_deref()),
                Value::Text(line.key.1.as_deref()),
                Value::Text(Some(&line.category)),
                Value::Count(line.bytes),
                Value::Count(line.other),
                Value::Count(line.bytes.saturating_sub(line.other)),
                Value::Int32(i32::try_from(line.ends.0).ok()),
                Value::Int32(i32::try_from(line.ends.1).ok()),
            ]
            .into_iter()
            .chain(costs)
            .collect::<Vec<_>>(),
        );
    } else {
        rows.push(
            &[
                Value::Text(line.key.0.as_deref()),
                Value::Text(Some(&line.category)),
                Value::Count(line.bytes),
                Value::Count(line.other),
                Value::Count(line.metered),
            ]
            .into_iter()
            .chain(costs)
            .collect::<Vec<_>>(),
        );
    }
}

/// The columns of the page, and the first rows of it: what costs most, or weighs most, first, since a reader looks for that.
fn paged(by: &By, lines: &[Line], rows_max: usize) -> (Vec<PageColumn<'static>>, Vec<Vec<String>>) {
    let mut sorted: Vec<&Line> = lines.iter().collect();
    sorted.sort_by_key(|line| (std::cmp::Reverse(line.cost), std::cmp::Reverse(line.metered), std::cmp::Reverse(line.bytes)));
    let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows = sorted.iter().take(rows_max);
    if *by == By::Default {
        let cells = |line: &&Line| {
            let ends = if line.ends.0 == line.ends.1 { line.ends.0.to_string() } else { format!("{}–{}", line.ends.1, line.ends.0) };
            let imputed = line.bytes.saturating_sub(line.other);
            let imputed = if imputed == 0 { String::new() } else { format_bytes(imputed) };
            vec![
                of(&line.key.0),
                of(&line.key.1),
                line.category.clone(),
                format_bytes(line.bytes),
                imputed,
                ends,
                range(line.cost_min, line.cost),
            ]
        };
        let columns = [
            ("from", false, None),
            ("to", false, None),
            ("category", false, None),
            ("bytes", true, None),
            ("imputed", true, None),
            ("ends", true, None),
            ("list cost", true, None),
        ];
        (columns.to_vec(), rows.map(cells).collect())
    } else {
        let cells = |line: &&Line| {
            vec![
                of(&line.key.0),
                line.category.clone(),
                format_bytes(line.bytes),
                format_bytes(line.other),
                format_bytes(line.metered),
                range(line.cost_min, line.cost),
            ]
        };
        let columns = [
            ("owner", false, Some(20)),
            ("category", false, None),
            ("sent", true, None),
            ("received", true, None),
            ("metered", true, None),
            ("list cost", true, None),
        ];
        (columns.to_vec(), rows.map(cells).collect())
    }
}

/// Who is charged, in words.
fn charged(charge: Charge) -> &'static str {
    match charge {
        Charge::Split => "each metered end to its own owner, as AWS bills it",
        Charge::Sender => "both ends to the sender",
        Charge::Receiver => "both ends to the receiver",
    }
}

/// The page for a terminal.
fn page_of(scan: &Scan, by: &By, charge: Charge, lines: &[Line], total: &Total) -> String {
    let mut page = format!("Bytes between AZs, {}\n", scan.window());
    page += &format!(
        "{} moved; {} metered, list cost {}\n",
        format_bytes(total.bytes),
        format_bytes(total.metered),
        range(total.cost_min, total.cost)
    );
    page += &page::inputs(&scan.inputs, &scan.faults);
    page.push('\n');
    let (columns, rows) = paged(by, lines, ROWS_SHOWN_MAX);
    page += &page::table(&columns, &rows);
    if *by != By::Default {
        page += &format!("  charged: {}\n", charged(charge));
    }
    if lines.len() > ROWS_SHOWN_MAX {
        page += &format!("  … {} more rows; -o csv writes all\n", lines.len() - ROWS_SHOWN_MAX);
    }
    page + &page::notes(scan.notes.iter())
}

/// The document: the matrix of AZs, what lies between, the rows.
fn document_of(scan: &Scan, by: &By, charge: Charge, pairs: &[(String, String, String, u64)], lines: &[Line], total: &Total) -> Document {
    let mut document = sections::begun("Bytes between AZs", scan.period, &scan.inputs, scan.faults.len());
    document.fact("moved between AZs", Cell::text(format_bytes(total.bytes)));
    document.fact("… of that imputed", Cell::text(format_bytes(total.bytes.saturating_sub(total.observed))));
    document.fact("metered by AWS", Cell::text(format_bytes(total.metered)));
    document.fact("list cost (an estimate)", Cell::text(range(total.cost_min, total.cost)));
    let mut section = Section::new("azs", "From AZ to AZ");
    section.paragraph("Bytes moved, each movement once, between different AZs. AZ ids name the same place in every account.");
    let amounts = pairs.iter().map(|(src, dst, _, bytes)| (src.clone(), dst.clone(), *bytes));
    section.push(Block::Matrix(Matrix::of("Bytes moved", ("from", "to"), amounts, format_bytes)));
    let mut by_category: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, _, category, bytes) in pairs {
        let sum = by_category.entry(category).or_default();
        *sum = sum.saturating_add(*bytes);
    }
    let bar = |(category, weight): (&str, u64)| Bar { label: category.to_owned(), weight, text: format_bytes(weight) };
    section.push(Block::Bars(Bars::of("Bytes moved, by what lies between", "bytes", by_category.into_iter().map(bar))));
    document.push(section);
    let mut section = Section::new("rows", if *by == By::Default { "By pair of AZs" } else { "By owner" });
    if *by != By::Default {
        section.paragraph(format!("Charged: {}.", charged(charge)));
    }
    let (columns, rows) = paged(by, lines, document::ROWS_SHOWN_MAX);
    section.table(sections::paged("What costs most first", &columns, rows, lines.len()));
    document.push(section);
    document
}
