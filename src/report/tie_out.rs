//! `report cost --cur`: the bill beside what the logs tell of it, and the bill's dollars divided among owners.

use super::Report;
use super::by::By;
use super::cells::cells;
use super::charges::{Charges, QUANTITY_SCALE, dollars, sum};
use super::cost::{Places, operation, places, standing};
use super::document::Section;
use super::page;
use super::scanned::Scan;
use super::sections;
use super::value::Json;
use crate::cost::bill::{Bill, read};
use crate::cost::bill_shares::allocate;
use crate::cost::bill_tie_out::{Estimate, TieOut, tie_out};
use crate::cost::prices::{Direction, Meter, usage_type_of};
use crate::cost::region_codes::UNPREFIXED;
use crate::error::{Error, Result};
use crate::query::rows::{ColumnDoc, Rows, Value, money, schema, utc};
use crate::query::{Engine, Logs, library};
use crate::time::{DAY, HOUR, TimeRange, UnixSeconds, rfc3339};
use arrow::datatypes::DataType::{Decimal128, Utf8};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Rows that the terminal shows; the other formats hold all.
const ROWS_SHOWN_MAX: usize = 40;
/// Owner of traffic that the grouping gives to nobody.
const NOBODY: &str = "(none)";

/// An estimate, and whose it is.
struct Owned {
    estimate: Estimate,
    owner: String,
}

/// A bill beside the logs.
#[derive(Debug)]
pub struct TiedOut {
    scan: Scan,
    /// The bill.
    pub bill: Bill,
    /// Whether its lines are longer than a day.
    pub is_monthly: bool,
    rows: Vec<TieOut>,
    /// The rows that cost something, divided among owners.
    pub parts: Vec<Part>,
    sql: &'static str,
}

/// An owner's part of a row.
#[derive(Debug, Clone)]
pub struct Part {
    /// The row.
    pub row: TieOut,
    /// Whose it is.
    pub owner: String,
    /// Part of the cost; all parts of a row add up to it.
    pub cost: Decimal,
    /// Part of the billed quantity, likewise.
    pub quantity: Decimal,
}

/// Compares bill and logs.
///
/// # Errors
/// A file is no bill or malformed, logs cannot be read at all, or a query fails.
pub async fn tied_out(logs: &Arc<Logs>, engine: &Engine, by: &By, charges: &Charges, files: &[PathBuf]) -> Result<TiedOut> {
    let mut bill = read_bill(files)?;
    let mut scan = Scan::of(logs, |missing| &missing.nat).await?;
    let is_monthly = bill.period_max_s > DAY;
    if let Some(left_out) = (!is_monthly).then(|| keep_period(&mut bill, scan.period)).filter(|(lines, _)| *lines > 0) {
        scan.notes.push(format!("{} network lines of the bill ({}) are of days outside the period", left_out.0, dollars(left_out.1)));
    }
    let (mut owned, sql) = estimates(logs, engine, by, &scan, charges).await?;
    if is_monthly {
        scan.notes.push(
            "the bill has lines longer than a day, so days cannot be told apart: all is compared on the first day of each line's month"
                .to_owned(),
        );
        owned.iter_mut().for_each(|owned| owned.estimate.day = first_of_month(owned.estimate.day));
    }
    let all: Vec<Estimate> = owned.iter().map(|owned| owned.estimate.clone()).collect();
    let rows = tie_out(&bill, &all);
    let parts = parts(&rows, &owned);
    Ok(TiedOut { scan, bill, is_monthly, rows, parts, sql })
}

/// Makes the report.
///
/// # Errors
/// Only if rows and columns disagree, which is a fault of this library.
pub fn report(tied: TiedOut, by: &By) -> Result<Report> {
    let TiedOut { mut scan, bill, is_monthly: _, rows, parts, sql } = tied;
    let mut allocation = Allocation::new();
    for part in parts {
        let sum = allocation.entry((part.owner, part.row.usage_type)).or_default();
        *sum = sum.saturating_add(part.cost);
    }
    let columns = columns();
    let mut table = Rows::new(&columns);
    rows.iter().for_each(|row| push(row, &mut table));
    scan.notes.extend(bill.notes.iter().map(|note| format!("bill: {note}")));
    scan.notes.push("quantities are the bill's own; the logs' are never scaled to fit. Estimates are observed where the metered end has records of its own, imputed where only the other end has".to_owned());
    let page = page_of(&scan, by, &bill, &rows, &allocation);
    let money = vec![("bill", totals(&bill, &rows)), ("allocation", allocated(&allocation))];
    let further = scan.further(sql);
    let (schema, rows) = (schema(&columns), vec![table.finish()?]);
    let mut document = sections::begun("The bill beside the flow logs", scan.period, &scan.inputs, scan.faults.len());
    let mut section = Section::new("rows", "Line by line");
    section.table(sections::rows("Lines of the bill, and what the logs tell of each", &schema, &rows));
    document.push(section);
    sections::end_of_scan(&mut document, &scan, sql);
    Ok(Report { name: "cost", period: scan.period, inputs: scan.inputs, schema, rows, notes: scan.notes, further, money, page, document })
}

fn read_bill(files: &[PathBuf]) -> Result<Bill> {
    let mut bill = Bill::default();
    let mut seen = BTreeSet::new();
    for path in files {
        let place = path.display().to_string();
        let real = std::fs::canonicalize(path).map_err(|error| Error::failed("cannot read the bill").at(&*place).caused_by(error))?;
        if !seen.insert(real) {
            return Err(Error::usage(format!("{place} is given twice: it would count twice")));
        }
        let file = std::fs::File::open(path).map_err(|error| Error::failed("cannot read the bill").at(&*place).caused_by(error))?;
        read(&place, file, &mut bill)?;
    }
    Ok(bill)
}

/// Drops the lines of days that the period does not touch; returns how many, and their cost.
fn keep_period(bill: &mut Bill, period: TimeRange) -> (u64, Option<Decimal>) {
    let touches = |day: UnixSeconds| period.from.is_none_or(|from| from < day + DAY) && period.to.is_none_or(|to| to > day);
    let left_out: Vec<_> = bill.lines.iter().filter(|(key, _)| !touches(key.day)).map(|(_, amounts)| *amounts).collect();
    bill.lines.retain(|key, _| touches(key.day));
    (left_out.iter().map(|amounts| amounts.lines).sum(), sum(left_out.iter().map(|amounts| Some(amounts.cost))))
}

async fn estimates(logs: &Arc<Logs>, engine: &Engine, by: &By, scan: &Scan, charges: &Charges) -> Result<(Vec<Owned>, &'static str)> {
    let query = library::find("meters-by-day")?;
    let mut params = by.params();
    params.push(("nat_az_ends".to_owned(), charges.nat_az_ends.to_string()));
    let (_, batches) = engine.collect(query.sql, &query.bind(&params, 0)?).await?;
    let mut owned = Vec::new();
    for row in cells(&batches) {
        let name = row.text("meter").unwrap_or_default();
        let region = row.text("region").unwrap_or_default();
        let direction = if row.text("operation").as_deref() == Some("in") { Direction::In } else { Direction::Out };
        let meter = match &*name {
            "inter-region-bytes" => Meter::InterRegionBytes { to: row.text("to_region").unwrap_or_default() },
            _ => name.parse()?,
        };
        let (bytes, observed) = (row.count("bytes"), row.count("observed_bytes"));
        owned.push(Owned {
            owner: row.text("owner").unwrap_or_else(|| NOBODY.to_owned()),
            estimate: Estimate {
                account: row.text("account_id").unwrap_or_default(),
                usage_type: usage_type(&region, &meter, direction).unwrap_or(name),
                operation: operation(&meter, direction).filter(|_| meter == Meter::InterAzBytes).unwrap_or_default().to_owned(),
                resource: row.text("resource").filter(|_| matches!(meter, Meter::NatBytes | Meter::RegionalNatBytes)),
                day: i64::try_from(row.count("day")).unwrap_or(0),
                observed_quantity: charges.quantity(observed),
                imputed_quantity: charges.quantity(bytes.saturating_sub(observed)),
                region,
            },
        });
    }
    let places = places(engine).await?;
    owned.extend(hours(logs, &places, by, scan));
    Ok((owned, query.sql))
}

/// The usage type without the region's code. That of transfer between regions names both.
fn usage_type(region: &str, meter: &Meter, direction: Direction) -> Option<String> {
    match meter {
        Meter::InterRegionBytes { .. } => usage_type_of(region, meter, direction)?.split_once('-').map(|(_, rest)| rest.to_owned()),
        _ => usage_type_of(UNPREFIXED, meter, direction),
    }
}

/// Hours of gateways and endpoints, day by day.
fn hours(logs: &Logs, places: &Places, by: &By, scan: &Scan) -> Vec<Owned> {
    let (Some(from), Some(to)) = (scan.period.from, scan.period.to) else { return Vec::new() };
    let mut owned = Vec::new();
    for (id, one) in standing(&logs.inventory, places) {
        let mut hour = from.div_euclid(HOUR) * HOUR;
        let mut by_day: BTreeMap<UnixSeconds, u64> = BTreeMap::new();
        while hour < to {
            *by_day.entry(hour.div_euclid(DAY) * DAY).or_default() += one.count;
            hour += HOUR;
        }
        for (day, hours) in by_day {
            owned.push(Owned {
                owner: one.owner(by).unwrap_or(NOBODY).to_owned(),
                estimate: Estimate {
                    account: one.account.unwrap_or_default().to_owned(),
                    region: one.region.unwrap_or_default().to_owned(),
                    usage_type: usage_type_of(UNPREFIXED, &one.meter, Direction::Out).unwrap_or_default(),
                    operation: String::new(),
                    resource: Some(id.to_owned()),
                    day,
                    observed_quantity: Decimal::from(hours),
                    imputed_quantity: Decimal::ZERO,
                },
            });
        }
    }
    owned
}

/// Dollars of the bill by owner and usage type.
type Allocation = BTreeMap<(String, String), Decimal>;

/// Divides the cost of each row by the bytes (or hours) of owners behind it; what no record explains is nobody's.
fn parts(rows: &[TieOut], owned: &[Owned]) -> Vec<Part> {
    let mut by_key: BTreeMap<(&str, &str, &str, UnixSeconds), Vec<&Owned>> = BTreeMap::new();
    for one in owned {
        let Estimate { account, region, usage_type, day, .. } = &one.estimate;
        by_key.entry((account, region, usage_type, *day)).or_default().push(one);
    }
    let mut parts = Vec::new();
    for row in rows.iter().filter(|row| !row.billed_cost.is_zero()) {
        let key = (&*row.account_id, &*row.region, &*row.usage_type, row.day);
        let resource = row.resource.as_deref().map(last_part);
        let behind = by_key.get(&key).into_iter().flatten().filter(|one| {
            let estimate = &one.estimate;
            (row.operation.is_empty() || estimate.operation.is_empty() || estimate.operation == row.operation)
                && (resource.is_none() || estimate.resource.as_deref().map(last_part) == resource)
        });
        let mut weights: BTreeMap<&str, Decimal> = BTreeMap::new();
        for one in behind {
            let weight = weights.entry(&one.owner).or_default();
            *weight = weight.saturating_add(one.estimate.observed_quantity).saturating_add(one.estimate.imputed_quantity);
        }
        let weights: Vec<(String, Decimal)> = weights.into_iter().map(|(owner, weight)| (owner.to_owned(), weight)).collect();
        let costs = allocate(row.billed_cost, &weights, row.unexplained_quantity);
        let quantities = allocate(row.billed_quantity, &weights, row.unexplained_quantity);
        let part = |((owner, cost), (_, quantity))| Part { row: row.clone(), owner, cost, quantity };
        parts.extend(costs.into_iter().zip(quantities).map(part));
    }
    parts
}

/// The id at the end of an ARN.
fn last_part(resource: &str) -> &str {
    resource.rsplit(['/', ':']).next().unwrap_or(resource)
}

fn first_of_month(day: UnixSeconds) -> UnixSeconds {
    use chrono::{DateTime, Datelike};
    DateTime::from_timestamp(day, 0).map_or(day, |date| day.div_euclid(DAY) * DAY - i64::from(date.day0()) * DAY)
}

/// A share, cut to six decimals, never rounded up: 1 only where all is explained.
fn share(explained: Decimal, billed: Decimal) -> Option<Decimal> {
    let share = explained.checked_div(billed)?;
    Some(share.min(Decimal::ONE).round_dp_with_strategy(6, RoundingStrategy::ToZero))
}

/// Sums by usage type.
#[derive(Default)]
struct OfType {
    billed: Decimal,
    unexplained: Decimal,
    cost: Decimal,
    unit: &'static str,
}

fn by_type(rows: &[TieOut]) -> BTreeMap<&str, OfType> {
    let mut types: BTreeMap<&str, OfType> = BTreeMap::new();
    for row in rows {
        let of = types.entry(&row.usage_type).or_default();
        of.billed = of.billed.saturating_add(row.billed_quantity);
        of.unexplained = of.unexplained.saturating_add(row.unexplained_quantity);
        of.cost = of.cost.saturating_add(row.billed_cost);
        of.unit = row.unit;
    }
    types
}

fn totals(bill: &Bill, rows: &[TieOut]) -> Json {
    let of = |(usage_type, of): (&str, OfType)| {
        Json::Object(vec![
            ("usage_type", Json::Plain(usage_type.into())),
            ("unit", Json::Plain(of.unit.into())),
            ("billed_quantity", Json::Money(Some(of.billed))),
            ("unexplained_quantity", Json::Money(Some(of.unexplained))),
            ("explained_share", Json::Money(share(of.billed.saturating_sub(of.unexplained), of.billed))),
            ("billed_cost", Json::Money(Some(of.cost))),
        ])
    };
    let rest = |(name, tally): (&String, &crate::cost::bill::Tally)| {
        Json::Object(vec![
            ("product", Json::Plain(name.clone().into())),
            ("lines", Json::Plain(tally.lines.into())),
            ("cost", Json::Money(Some(tally.cost))),
        ])
    };
    let apart = |((name, network), tally): (&(String, bool), &crate::cost::bill::Tally)| {
        Json::Object(vec![
            ("line_item_type", Json::Plain(name.clone().into())),
            ("is_network", Json::Plain((*network).into())),
            ("lines", Json::Plain(tally.lines.into())),
            ("cost", Json::Money(Some(tally.cost))),
        ])
    };
    Json::Object(vec![
        ("currency", Json::Plain(bill.currency.clone().into())),
        ("usage_types", Json::List(by_type(rows).into_iter().map(of).collect())),
        ("other_products", Json::List(bill.rest.iter().map(rest).collect())),
        ("other_line_items", Json::List(bill.apart.iter().map(apart).collect())),
    ])
}

fn allocated(allocation: &Allocation) -> Json {
    let of = |((owner, usage_type), cost): (&(String, String), &Decimal)| {
        Json::Object(vec![
            ("owner", Json::Plain(owner.clone().into())),
            ("usage_type", Json::Plain(usage_type.clone().into())),
            ("billed_cost", Json::Money(Some(*cost))),
        ])
    };
    Json::List(allocation.iter().map(of).collect())
}

#[rustfmt::skip]
fn columns() -> Vec<ColumnDoc> {
    let quantity = || Decimal128(38, QUANTITY_SCALE as i8);
    vec![
        ("account_id", Utf8, "Account that is charged"),
        ("region", Utf8, "Region"),
        ("usage_type", Utf8, "Usage type without the region's code"),
        ("operation", Utf8, "Operation; empty if several are one row"),
        ("resource_id", Utf8, "Resource as billed; NULL if several are one row"),
        ("day", utc(), "Day of the usage, UTC"),
        ("unit", Utf8, "`GB`, `Hrs`, …"),
        ("billed_quantity", quantity(), "As billed"),
        ("observed_quantity", quantity(), "From the metered end's own records"),
        ("imputed_quantity", quantity(), "From the other end's records"),
        ("explained_share", money(), "Share of the billed quantity that the logs explain, at most 1, never rounded up"),
        ("unexplained_quantity", quantity(), "Billed, but not in the logs"),
        ("over_estimated", quantity(), "In the logs, but not billed"),
        ("billed_cost", quantity(), "As billed"),
        ("reason", Utf8, "Known reasons for a difference"),
    ]
}

fn push(row: &TieOut, rows: &mut Rows) {
    rows.push(&[
        Value::Text(Some(&row.account_id)),
        Value::Text(Some(&row.region)),
        Value::Text(Some(&row.usage_type)),
        Value::Text(Some(&row.operation)),
        Value::Text(row.resource.as_deref()),
        Value::Time(Some(row.day)),
        Value::Text(Some(row.unit)),
        Value::Decimal(Some(row.billed_quantity)),
        Value::Decimal(Some(row.observed_quantity)),
        Value::Decimal(Some(row.imputed_quantity)),
        Value::Decimal(row.explained_share),
        Value::Decimal(Some(row.unexplained_quantity)),
        Value::Decimal(Some(row.over_estimated)),
        Value::Decimal(Some(row.billed_cost)),
        Value::Text(Some(&row.reason)),
    ]);
}

/// The page for a terminal: what the bill is made of and how much of it the logs explain, then whose it is, then the gaps.
fn page_of(scan: &Scan, by: &By, bill: &Bill, rows: &[TieOut], allocation: &Allocation) -> String {
    let cost = sum(rows.iter().map(|row| Some(row.billed_cost)));
    let currency = bill.currency.as_deref().unwrap_or("no currency");
    let mut page = format!("The bill and the logs, {}\n", scan.window());
    page += &format!("{} of network usage billed ({currency})\n", dollars(cost));
    page += &page::inputs(&scan.inputs, &scan.faults);
    page.push('\n');
    let percent = |share: Option<Decimal>| {
        share.map_or_else(
            || "-".to_owned(),
            |share| format!("{} %", (share * Decimal::ONE_HUNDRED).round_dp_with_strategy(2, RoundingStrategy::ToZero).normalize()),
        )
    };
    let types = by_type(rows);
    let of = |(usage_type, of): (&&str, &OfType)| {
        vec![
            (*usage_type).to_owned(),
            format!("{} {}", of.billed.round_dp(3).normalize(), of.unit),
            percent(share(of.billed.saturating_sub(of.unexplained), of.billed)),
            format!("{} {}", of.unexplained.round_dp(3).normalize(), of.unit),
            dollars(Some(of.cost)),
        ]
    };
    let columns = [
        ("usage type", false, Some(16)),
        ("billed", true, None),
        ("explained", true, None),
        ("unexplained", true, None),
        ("cost", true, None),
    ];
    page += &page::table(&columns, &types.iter().map(of).collect::<Vec<_>>());
    if *by != By::Default {
        let mut owners: BTreeMap<&str, Decimal> = BTreeMap::new();
        for ((owner, _), cost) in allocation {
            let part = owners.entry(owner).or_default();
            *part = part.saturating_add(*cost);
        }
        let mut owners: Vec<(&str, Decimal)> = owners.into_iter().collect();
        owners.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let lines: Vec<Vec<String>> =
            owners.iter().take(ROWS_SHOWN_MAX).map(|(owner, cost)| vec![(*owner).to_owned(), dollars(Some(*cost))]).collect();
        page.push('\n');
        page += &page::table(&[("owner", false, Some(20)), ("of the bill", true, None)], &lines);
    }
    let mut gaps: Vec<&TieOut> = rows.iter().filter(|row| !row.unexplained_quantity.is_zero()).collect();
    gaps.sort_by_key(|row| std::cmp::Reverse(row.billed_cost));
    if !gaps.is_empty() {
        let of = |row: &&TieOut| {
            vec![
                rfc3339(row.day).chars().take(10).collect(),
                row.account_id.clone(),
                row.usage_type.clone(),
                row.resource.as_deref().map(last_part).unwrap_or("-").to_owned(),
                format!("{} {}", row.unexplained_quantity.round_dp(3).normalize(), row.unit),
                row.reason.clone(),
            ]
        };
        page += "\nnot explained\n";
        let columns = [
            ("day", false, None),
            ("account", false, None),
            ("usage type", false, Some(14)),
            ("resource", false, Some(12)),
            ("quantity", true, None),
            ("reason", false, Some(12)),
        ];
        page += &page::table(&columns, &gaps.iter().take(ROWS_SHOWN_MAX).map(of).collect::<Vec<_>>());
        if gaps.len() > ROWS_SHOWN_MAX {
            page += &format!("  … {} more rows; -o csv writes all\n", gaps.len() - ROWS_SHOWN_MAX);
        }
    }
    page + &page::notes(scan.notes.iter())
}
