//! `report cost`: what this traffic costs at list price, line by line as a bill has it, and whose it is.

use super::Report;
use super::by::By;
use super::cells::cells;
use super::charges::{self, Charges, QUANTITY_SCALE, Unpriced, dollars, range, sum};
use super::document::{self, Bar, Bars, Block, Cell, Document, Section};
use super::page::{self, PageColumn};
use super::scanned::Scan;
use super::sections;
use super::value::Json;
use crate::cost::prices::{Direction, Meter, usage_type_of};
use crate::error::Result;
use crate::inventory::Inventory;
use crate::query::functions::format_bytes;
use crate::query::grain::Grain;
use crate::query::rows::{ColumnDoc, Rows, Value, money, schema};
use crate::query::{Engine, Logs, library};
use arrow::datatypes::DataType::{self, Int64, Utf8};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows that the terminal shows; the other formats hold all.
const ROWS_SHOWN_MAX: usize = 60;

/// Returns what the statements tell apart, with and without a bill: owners by service and namespace are finer than interfaces.
pub fn grain(by: &By) -> Grain {
    match by {
        By::Named("service" | "namespace") => Grain::Pods,
        _ => Grain::Interfaces,
    }
}

/// What distinguishes rows, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Account that is charged.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// What lies between, or what it is for.
    pub category: String,
    /// Usage type as on a bill; the meter's name where its prefix is not known.
    pub usage_type: String,
    /// Operation as on a bill.
    pub operation: Option<String>,
    /// Whose traffic it is.
    pub owner: Option<String>,
    /// Number of the price tier.
    tier: usize,
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Bytes; `None` for hours.
    pub bytes: Option<u64>,
    /// … of ends with records of their own.
    pub observed: Option<u64>,
    /// Gigabytes or hours.
    pub quantity: Decimal,
    /// `GB` or `hour`.
    pub unit: &'static str,
    /// Price of a unit.
    pub unit_price: Option<Decimal>,
    /// Cost at list price.
    pub cost: Option<Decimal>,
    /// … of what AWS meters for certain.
    pub cost_min: Option<Decimal>,
}

/// The rows of a run.
pub type Lines = BTreeMap<Key, Line>;

/// What a run costs.
#[derive(Debug)]
pub struct Costs {
    /// What the scan found out.
    pub scan: Scan,
    /// The rows.
    pub lines: Lines,
    unpriced: Unpriced,
    sql: &'static str,
}

impl Costs {
    /// Computes them; `places` say where gateways and endpoints stand that the inventory gives no region.
    ///
    /// # Errors
    /// If logs cannot be read at all, or a query fails.
    pub async fn of(logs: &Arc<Logs>, engine: &Engine, by: &By, charges: &Charges, places: &Places) -> Result<Costs> {
        let mut unpriced = Unpriced::new();
        let scan = Scan::of(logs, |missing| &missing.nat).await?;
        let (mut lines, sql) = lines(engine, by, charges, &mut unpriced).await?;
        hours(&mut lines, standing(&logs.inventory, places), by, &scan, charges, &mut unpriced);
        Ok(Costs { scan, lines, unpriced, sql })
    }
}

/// Makes the report; `before` is what the period costs that this one is compared with.
///
/// # Errors
/// Only if rows and columns disagree, which is a fault of this library.
pub fn report(costs: Costs, inventory: &Inventory, by: &By, charges: &Charges, before: Option<&Costs>) -> Result<Report> {
    let Costs { mut scan, lines, unpriced, sql } = costs;
    let columns = columns(before.is_some());
    let mut rows = Rows::new(&columns);
    let mut keys: Vec<&Key> = lines.keys().chain(before.iter().flat_map(|before| before.lines.keys())).collect();
    keys.sort();
    keys.dedup();
    let none = Line::default();
    for key in keys {
        let line = lines.get(key);
        let name = key.account.as_deref().and_then(|account| inventory.account_name(account));
        push(key, name, line.unwrap_or(&none), line.is_some(), before.map(|before| before.lines.get(key)), &mut rows);
    }
    scan.notes.push(charges::basis(charges));
    scan.notes.push("NAT gateway and endpoint hours are those of every gateway and interface endpoint of the inventory, for each hour begun in the period".to_owned());
    scan.notes.extend(charges::note(&unpriced));
    let page = page_of(&scan, inventory, by, &lines, before);
    let mut document = document_of(&scan, inventory, by, &lines, before);
    sections::end_of_scan(&mut document, &scan, sql);
    let total = sum(lines.values().map(|line| line.cost));
    let mut totals =
        vec![("list_cost", charges::json(total)), ("list_cost_min", charges::json(sum(lines.values().map(|line| line.cost_min))))];
    if let Some(before) = before {
        let earlier = sum(before.lines.values().map(|line| line.cost));
        totals.extend([
            ("previous_period", Json::Plain(before.scan.window().into())),
            ("previous_list_cost", charges::json(earlier)),
            ("change", charges::json(total.zip(earlier).and_then(|(now, then)| now.checked_sub(then)))),
        ]);
    }
    let further = scan.further(sql);
    Ok(Report {
        name: "cost",
        period: scan.period,
        inputs: scan.inputs,
        schema: schema(&columns),
        rows: vec![rows.finish()?],
        notes: scan.notes,
        further,
        money: vec![("totals", Json::Object(totals))],
        page,
        document,
    })
}

/// Returns the rows of what is metered by the byte, and the SQL behind them.
async fn lines(engine: &Engine, by: &By, charges: &Charges, unpriced: &mut Unpriced) -> Result<(Lines, &'static str)> {
    let query = library::find("costs")?;
    let mut params = by.params();
    params.push(("nat_az_ends".to_owned(), charges.nat_az_ends.to_string()));
    let (_, batches) = engine.collect(query.sql, &query.bind(&params, 0)?).await?;
    let mut sums: BTreeMap<(Key, Meter), (u64, u64, u64)> = BTreeMap::new();
    for row in cells(&batches) {
        let name = row.text("meter").unwrap_or_default();
        let to = row.text("to_region").unwrap_or_default();
        let meter = if name == "inter-region-bytes" { Ok(Meter::InterRegionBytes { to }) } else { name.parse() };
        let Ok(meter) = meter else { continue };
        let direction = if row.text("operation").as_deref() == Some("in") { Direction::In } else { Direction::Out };
        let region = row.text("region");
        let key = Key {
            account: row.text("account_id"),
            category: row.text("category").unwrap_or_default(),
            usage_type: region.as_deref().and_then(|region| usage_type_of(region, &meter, direction)).unwrap_or(name),
            operation: operation(&meter, direction).map(str::to_owned),
            owner: row.text("owner"),
            region,
            tier: 0,
        };
        let (bytes, observed, certain) = sums.entry((key, meter)).or_default();
        *bytes += row.count("bytes");
        *observed += row.count("observed_bytes");
        *certain += row.count("bytes_min");
    }
    let mut lines = Lines::new();
    let mut month = charges.month();
    for ((key, meter), (bytes, observed, certain)) in sums {
        let region = key.region.as_deref();
        let parts = month.parts(region, &meter, bytes, unpriced);
        // Tiers share what is observed, and what is metered for certain, from the first on.
        let (mut observed, mut certain) = (observed, certain);
        for (tier, part) in parts.into_iter().enumerate() {
            let of_part = |left: &mut u64| {
                let here = part.bytes.min(*left);
                *left -= here;
                here
            };
            let (observed, certain) = (of_part(&mut observed), of_part(&mut certain));
            let line = Line {
                bytes: Some(part.bytes),
                observed: Some(observed),
                quantity: charges.quantity(part.bytes),
                unit: "GB",
                unit_price: part.unit_price,
                cost: part.cost,
                cost_min: if certain == part.bytes { part.cost } else { charges.at(part.unit_price, certain) },
            };
            lines.insert(Key { tier, ..key.clone() }, line);
        }
    }
    Ok((lines, query.sql))
}

/// The operation on a bill (CUR guide, "Understanding data transfer charges").
pub fn operation(meter: &Meter, direction: Direction) -> Option<&'static str> {
    Some(match (meter, direction) {
        (Meter::InterAzBytes, Direction::Out) => "InterZone-Out",
        (Meter::InterAzBytes, Direction::In) => "InterZone-In",
        (Meter::PublicIpBytes, Direction::Out) => "PublicIP-Out",
        (Meter::PublicIpBytes, Direction::In) => "PublicIP-In",
        (Meter::NatBytes | Meter::NatHours, _) => "NatGateway",
        (Meter::RegionalNatBytes | Meter::RegionalNatAzHours, _) => "RegionalNatGateway",
        (Meter::TransitGatewayBytes, _) => "TransitGatewayVPC",
        (Meter::EndpointBytes | Meter::EndpointAzHours, _) => "VpcEndpoint",
        _ => return None,
    })
}

/// Account and region of each VPC, as the records have them: AWS CLI output does not say them of gateways and endpoints.
pub type Places = BTreeMap<String, (Option<String>, Option<String>)>;

const PLACES: &str = include_str!("../../queries/parts/places.sql");

/// Something that is charged by the hour, whether used or not.
#[derive(Debug)]
pub struct Standing<'a> {
    /// Account that is charged.
    pub account: Option<&'a str>,
    /// Region.
    pub region: Option<&'a str>,
    /// VPC.
    pub vpc: Option<&'a str>,
    /// Its meter.
    pub meter: Meter,
    category: &'static str,
    /// How many hours an hour of it is: one for each AZ of an endpoint or of a regional gateway.
    pub count: u64,
}

impl<'a> Standing<'a> {
    /// Returns whose it is.
    pub fn owner(&self, by: &By) -> Option<&'a str> {
        match by {
            By::Named("account") => self.account,
            By::Named("vpc") => self.vpc,
            _ => None,
        }
    }
}

/// Returns account and region of each VPC in the records.
///
/// # Errors
/// If the query fails.
pub async fn places(engine: &Engine) -> Result<Places> {
    let (_, places) = engine.collect(PLACES, &[]).await?;
    Ok(cells(&places).filter_map(|row| Some((row.text("vpc_id")?, (row.text("account_id"), row.text("region"))))).collect())
}

/// Returns the inventory's NAT gateways and interface endpoints, by id.
pub fn standing<'a>(inventory: &'a Inventory, places: &'a Places) -> BTreeMap<&'a str, Standing<'a>> {
    let mut standing: BTreeMap<&str, Standing<'_>> = BTreeMap::new();
    for held in inventory.nat_gateways() {
        let is_regional = held.item.is_regional();
        if held.item.state.as_deref() != Some("deleted") {
            let one = Standing {
                account: held.account_id.as_deref(),
                region: held.region.as_deref(),
                vpc: held.item.vpc_id.as_deref(),
                meter: if is_regional { Meter::RegionalNatAzHours } else { Meter::NatHours },
                category: "nat",
                // A regional gateway is charged for each AZ that it is in.
                count: if is_regional { held.item.zones.len().max(1) as u64 } else { 1 },
            };
            standing.insert(&held.item.id, one);
        }
    }
    for held in inventory.vpc_endpoints() {
        if held.item.kind.as_deref() == Some("Interface") && held.item.state.as_deref() != Some("deleted") {
            let one = Standing {
                account: held.account_id.as_deref(),
                region: held.region.as_deref(),
                vpc: held.item.vpc_id.as_deref(),
                meter: Meter::EndpointAzHours,
                category: "endpoint",
                count: held.item.subnet_ids.len().max(1) as u64,
            };
            standing.insert(&held.item.id, one);
        }
    }
    for one in standing.values_mut() {
        if let Some((account, region)) = one.vpc.and_then(|vpc| places.get(vpc)) {
            (one.account, one.region) = (one.account.or(account.as_deref()), one.region.or(region.as_deref()));
        }
    }
    standing
}

/// Adds the hours of what is charged by the hour.
fn hours(lines: &mut Lines, standing: BTreeMap<&str, Standing<'_>>, by: &By, scan: &Scan, charges: &Charges, unpriced: &mut Unpriced) {
    let mut sums: BTreeMap<(Key, Meter), u64> = BTreeMap::new();
    for one in standing.into_values() {
        let owner = one.owner(by);
        let key = Key {
            account: one.account.map(str::to_owned),
            region: one.region.map(str::to_owned),
            category: one.category.to_owned(),
            usage_type: one
                .region
                .and_then(|region| usage_type_of(region, &one.meter, Direction::Out))
                .unwrap_or_else(|| one.meter.to_string()),
            operation: operation(&one.meter, Direction::Out).map(str::to_owned),
            owner: owner.map(str::to_owned),
            tier: 0,
        };
        *sums.entry((key, one.meter)).or_default() += one.count * scan.hours();
    }
    for ((key, meter), hours) in sums.into_iter().filter(|(_, hours)| *hours > 0) {
        let cost = charges.hours(key.region.as_deref(), &meter, hours, unpriced);
        let unit_price = charges.unit_price(key.region.as_deref(), &meter, unpriced);
        lines.insert(key, Line { quantity: Decimal::from(hours), unit: "hour", unit_price, cost, cost_min: cost, ..Line::default() });
    }
}

#[rustfmt::skip]
fn columns(compared: bool) -> Vec<ColumnDoc> {
    let quantity = || DataType::Decimal128(38, QUANTITY_SCALE as i8);
    let mut columns = vec![
        ("account_id", Utf8, "Account that is charged"),
        ("account_name", Utf8, "Its name, where the inventory has `organizations list-accounts`"),
        ("region", Utf8, "Region"),
        ("category", Utf8, "What lies between, or what it is for"),
        ("usage_type", Utf8, "Usage type as on a bill"),
        ("operation", Utf8, "Operation as on a bill"),
        ("bytes", Int64, "Bytes; NULL for hours"),
        ("observed_bytes", Int64, "… at ends that have records of their own"),
        ("quantity", quantity(), "Gigabytes or hours"),
        ("unit", Utf8, "`GB` or `hour`"),
        ("unit_price", quantity(), "List price of a unit, in US dollars"),
        ("list_cost", money(), "Cost at list price"),
        ("list_cost_min", money(), "… of what AWS meters for certain"),
        ("owner", Utf8, "Whose traffic it is"),
    ];
    if compared {
        columns.extend([
            ("previous_quantity", quantity(), "Quantity in the period that this one is compared with"),
            ("previous_list_cost", money(), "Its cost"),
            ("change", money(), "How much more this period costs"),
            ("is_new", DataType::Boolean, "Whether the period before has no such line"),
        ]);
    }
    columns
}

fn push(key: &Key, account_name: Option<&str>, line: &Line, is_now: bool, before: Option<Option<&Line>>, rows: &mut Rows) {
    let optional = |count: Option<u64>| Value::Int64(count.and_then(|count| i64::try_from(count).ok()));
    let zero = Some(Decimal::new(0, 6));
    let values = [
        Value::Text(key.account.as_deref()),
        Value::Text(account_name),
        Value::Text(key.region.as_deref()),
        Value::Text(Some(&key.category)),
        Value::Text(Some(&key.usage_type)),
        Value::Text(key.operation.as_deref()),
        optional(line.bytes),
        optional(line.observed),
        Value::Decimal(Some(line.quantity)),
        Value::Text(is_now.then_some(line.unit)),
        Value::Decimal(line.unit_price),
        Value::Decimal(if is_now { line.cost } else { zero }),
        Value::Decimal(if is_now { line.cost_min } else { zero }),
        Value::Text(key.owner.as_deref()),
    ];
    let compared = before.into_iter().flat_map(|before| {
        let now = if is_now { line.cost } else { zero };
        let then = before.map_or(zero, |line| line.cost);
        [
            Value::Decimal(before.map(|line| line.quantity)),
            Value::Decimal(then),
            Value::Decimal(now.zip(then).and_then(|(now, then)| now.checked_sub(then))),
            Value::Bool(before.is_none()),
        ]
    });
    rows.push(&values.into_iter().chain(compared).collect::<Vec<_>>());
}

/// The columns of the page, and the first rows of it, the dearest on top.
fn paged(inventory: &Inventory, by: &By, lines: &Lines, rows_max: usize) -> (Vec<PageColumn<'static>>, Vec<Vec<String>>) {
    let mut sorted: Vec<(&Key, &Line)> = lines.iter().collect();
    sorted.sort_by_key(|(key, line)| (std::cmp::Reverse(line.cost), (*key).clone()));
    let cells = |(key, line): &(&Key, &Line)| {
        let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        // An account is better known by its name.
        let account = |id: &Option<String>| match id.as_deref().and_then(|id| inventory.account_name(id)) {
            Some(name) => name.to_owned(),
            None => of(id),
        };
        let cost = range(line.cost_min, line.cost);
        let quantity = line.bytes.map_or_else(|| format!("{} h", line.quantity), format_bytes);
        let mut cells = vec![
            account(&key.account),
            key.usage_type.clone(),
            key.category.clone(),
            key.operation.clone().unwrap_or_default(),
            quantity,
            cost,
        ];
        if *by != By::Default {
            cells.insert(0, if *by == By::Named("account") { account(&key.owner) } else { of(&key.owner) });
        }
        cells
    };
    let mut columns = vec![
        ("account", false, None),
        ("usage type", false, Some(16)),
        ("category", false, Some(8)),
        ("operation", false, Some(8)),
        ("quantity", true, None),
        ("list cost", true, None),
    ];
    if *by != By::Default {
        columns.insert(0, ("owner", false, Some(12)));
    }
    (columns, sorted.iter().take(rows_max).map(cells).collect())
}

/// The page for a terminal.
fn page_of(scan: &Scan, inventory: &Inventory, by: &By, lines: &Lines, before: Option<&Costs>) -> String {
    let total = sum(lines.values().map(|line| line.cost));
    let mut page = format!("Cost of this traffic at list price, {}\n", scan.window());
    page += &match before {
        Some(before) => {
            format!("{}; {} in {}\n", dollars(total), dollars(sum(before.lines.values().map(|line| line.cost))), before.scan.window())
        }
        None if total.is_none() => "not all prices are known\n".to_owned(),
        None => format!("{}\n", dollars(total)),
    };
    page += &page::inputs(&scan.inputs, &scan.faults);
    page.push('\n');
    let (columns, rows) = paged(inventory, by, lines, ROWS_SHOWN_MAX);
    page += &page::table(&columns, &rows);
    if lines.len() > ROWS_SHOWN_MAX {
        page += &format!("  … {} more rows; -o csv writes all\n", lines.len() - ROWS_SHOWN_MAX);
    }
    page + &page::notes(scan.notes.iter())
}

/// The document: bars by usage type and by owner, and the rows.
fn document_of(scan: &Scan, inventory: &Inventory, by: &By, lines: &Lines, before: Option<&Costs>) -> Document {
    let mut document = sections::begun("Cost of this traffic at list price", scan.period, &scan.inputs, scan.faults.len());
    let total = sum(lines.values().map(|line| line.cost));
    document.fact("list cost (an estimate)", Cell::Text(range(sum(lines.values().map(|line| line.cost_min)), total)));
    if let Some(before) = before {
        let earlier = sum(before.lines.values().map(|line| line.cost));
        document.fact(format!("… in {}", before.scan.window()), Cell::Text(dollars(earlier)));
    }
    let mut section = Section::new("rows", "Line by line");
    section.push(Block::Bars(bars("List cost by usage type", lines, |key| key.usage_type.clone())));
    if *by != By::Default {
        section.push(Block::Bars(bars("List cost by owner", lines, |key| key.owner.clone().unwrap_or_else(|| "-".to_owned()))));
    }
    let (columns, rows) = paged(inventory, by, lines, document::ROWS_SHOWN_MAX);
    section.table(sections::paged("What costs most first", &columns, rows, lines.len()));
    document.push(section);
    document
}

/// Sums of cost, in millionths of a dollar; one without a price has no length.
fn bars(caption: &str, lines: &Lines, label: impl Fn(&Key) -> String) -> Bars {
    let mut sums: BTreeMap<String, Option<Decimal>> = BTreeMap::new();
    for (key, line) in lines {
        let cost = sums.entry(label(key)).or_insert(Some(Decimal::ZERO));
        *cost = sum([*cost, line.cost]);
    }
    let millionths = |cost: Decimal| cost.checked_mul(Decimal::from(1_000_000)).and_then(|cost| u64::try_from(cost.trunc()).ok());
    let bar = |(label, cost): (String, Option<Decimal>)| Bar { label, weight: cost.and_then(millionths).unwrap_or(0), text: dollars(cost) };
    Bars::of(caption, "list cost", sums.into_iter().map(bar))
}
