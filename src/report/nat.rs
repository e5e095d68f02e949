//! `report nat`: who drives NAT, what each part of it costs at list price, and what could leave it.

use super::Report;
use super::by::By;
use super::cells::{Cells, cells};
use super::charges::{self, Charges, Unpriced, dollars, sum};
use super::cost::{Standing, places, standing};
use super::document::{self, Bar, Bars, Block, Cell, Column, Document, Section, Table};
use super::nat_savings::{Recommendation, recommendations};
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
use arrow::datatypes::DataType::{Int64, Utf8};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows that the terminal shows; the other formats hold all.
const ROWS_SHOWN_MAX: usize = 40;

/// What its statements tell apart; at NAT gateways, and of what goes through them, sums are never coarser than their records' ends.
pub const GRAIN: Grain = Grain::NatGateways;

/// How list_cost comes about.
const FORMULA: &str = "processing_cost = price(NAT per GB) × (bytes_up + bytes_down), or price(Network Firewall per GB) where a firewall endpoint \
    logged the packets too; cross_az_cost = price(between AZs per GB and end) × \
    ends × (bytes_up + bytes_down) where client and gateway are in different AZs; transfer_cost = price(internet out per GB) × \
    bytes_up to the internet, or price(between regions) × bytes_up to other regions, or price(public address per GB) × both ways to \
    EC2 in the region, or 0 to other AWS services; list_cost = their sum. hours_cost = price(NAT per hour) × hours begun in the period, \
    shared by bytes_processed among those who used the gateway";

/// What groups rows: gateway, client, destination, owner.
type Key = (Option<String>, Option<String>, Option<String>, Option<String>);

/// One row.
#[derive(Debug, Clone, Default)]
struct Line {
    client_az: BTreeSet<String>,
    nat_az: BTreeSet<String>,
    basis: BTreeSet<String>,
    up: u64,
    down: u64,
    processing: Option<Decimal>,
    cross_az: Option<Decimal>,
    cross_az_min: Option<Decimal>,
    /// Whether the AZ of client or gateway is not known for some of it, so that the hop has no cost.
    az_unknown: bool,
    transfer: Option<Decimal>,
    hours: Option<Decimal>,
}

impl Line {
    /// Nothing yet, which costs nothing.
    fn empty() -> Line {
        let zero = Some(Decimal::new(0, 6));
        Line { processing: zero, cross_az: zero, cross_az_min: zero, transfer: zero, hours: zero, ..Line::default() }
    }

    fn processed(&self) -> u64 {
        self.up + self.down
    }

    fn cost(&self) -> Option<Decimal> {
        sum([self.processing, self.cross_az, self.transfer])
    }

    fn cost_min(&self) -> Option<Decimal> {
        sum([self.processing, self.cross_az_min, self.transfer])
    }
}

/// One row of the query.
pub(super) struct Part {
    pub(super) key: Key,
    pub(super) region: Option<String>,
    pub(super) service: Option<String>,
    pub(super) meter: Option<Meter>,
    pub(super) remote_unknown: bool,
    /// What is metered at the gateway.
    pub(super) processing: Meter,
    pub(super) vpc: Option<String>,
    pub(super) client_az: Option<String>,
    pub(super) nat_az: Option<String>,
    pub(super) basis: String,
    pub(super) up: u64,
    pub(super) down: u64,
}

impl Part {
    fn of(row: Cells<'_>) -> Part {
        let to = || row.text("remote_region").unwrap_or_default();
        Part {
            key: (row.text("nat_gateway_id"), row.text("client"), row.text("destination"), row.text("owner")),
            region: row.text("region"),
            service: row.text("remote_service"),
            meter: match row.text("remote_meter").as_deref() {
                Some("internet-egress-bytes") => Some(Meter::InternetEgressBytes),
                Some("inter-region-bytes") => Some(Meter::InterRegionBytes { to: to() }),
                Some("public-ip-bytes") => Some(Meter::PublicIpBytes),
                _ => None,
            },
            remote_unknown: row.is("is_remote_unknown"),
            processing: row.text("processing_meter").and_then(|name| name.parse().ok()).unwrap_or(Meter::NatBytes),
            vpc: row.text("client_vpc_id"),
            client_az: row.text("client_az_id"),
            nat_az: row.text("nat_az_id"),
            basis: row.text("basis").unwrap_or_default(),
            up: row.count("bytes_up"),
            down: row.count("bytes_down"),
        }
    }

    pub(super) fn processed(&self) -> u64 {
        self.up + self.down
    }

    /// Whether the hop to the gateway crosses AZs, if that is known.
    pub(super) fn crosses(&self) -> Option<bool> {
        Some(self.client_az.as_ref()? != self.nat_az.as_ref()?)
    }

    /// Bytes that are metered beyond the gateway.
    fn metered_beyond(&self) -> u64 {
        match self.meter {
            Some(Meter::PublicIpBytes) => self.processed(),
            Some(_) => self.up,
            None => 0,
        }
    }
}

/// Makes the report.
///
/// # Errors
/// If logs cannot be read at all, or a query fails.
pub async fn report(logs: &Arc<Logs>, engine: &Engine, by: &By, charges: &Charges) -> Result<Report> {
    let mut unpriced = Unpriced::new();
    let query = library::find("nat")?;
    let mut params = by.params();
    params.push(("nat_az_ends".to_owned(), charges.nat_az_ends.to_string()));
    let (_, batches) = engine.collect(query.sql, &query.bind(&params, 0)?).await?;
    let parts: Vec<Part> = cells(&batches).map(Part::of).collect();
    let mut scan = Scan::of(logs, |missing| &missing.nat).await?;
    let mut lines = lines(&parts, charges, &mut unpriced);
    let places = places(engine).await?;
    let idle = share_hours(&mut lines, &standing(&logs.inventory, &places), &parts, scan.hours(), charges, &mut unpriced);
    // By destination and by service, bytes whose remote cannot be told stand without their clients, who are asked for then.
    let by_gateway = match by {
        By::Named("destination" | "service") => {
            let params = query.bind(&[("by".to_owned(), "gateway".to_owned())], 0)?;
            let (_, batches) = engine.collect(query.sql, &params).await?;
            cells(&batches).map(Part::of).collect()
        }
        _ => Vec::new(),
    };
    let of_clients = if by_gateway.is_empty() { &parts } else { &by_gateway };
    let recommendations = recommendations(of_clients, scan.hours(), charges, &mut unpriced);
    let columns = columns(by);
    let mut rows = Rows::new(&columns);
    lines.iter().for_each(|(key, line)| push(key, line, by, &mut rows));
    notes(&mut scan, &parts, idle, charges, &unpriced);
    let page = page_of(&scan, by, &lines, &recommendations);
    let mut document = document_of(&scan, by, &lines, idle, &recommendations);
    sections::end_of_scan(&mut document, &scan, query.sql);
    let list_cost = sum(lines.values().map(Line::cost));
    let totals = Json::Object(vec![
        ("bytes_processed", Json::Plain(value::count(lines.values().map(Line::processed).sum()))),
        ("list_cost", charges::json(list_cost)),
        ("hours_cost", charges::json(sum(lines.values().map(|line| line.hours)))),
        ("idle_hours_cost", charges::json(idle)),
    ]);
    let mut further = scan.further(query.sql);
    further.insert("formula".into(), FORMULA.into());
    let recommended = recommendations.iter().map(Recommendation::json).collect();
    Ok(Report {
        name: "nat",
        period: scan.period,
        inputs: scan.inputs,
        schema: schema(&columns),
        rows: vec![rows.finish()?],
        notes: scan.notes,
        further,
        money: vec![("totals", totals), ("recommendations", Json::List(recommended))],
        page,
        document,
    })
}

fn lines(parts: &[Part], charges: &Charges, unpriced: &mut Unpriced) -> BTreeMap<Key, Line> {
    let mut beyond: BTreeMap<(Option<String>, Meter), u64> = BTreeMap::new();
    for part in parts {
        if let Some(meter) = &part.meter {
            *beyond.entry((part.region.clone(), meter.clone())).or_default() += part.metered_beyond();
        }
    }
    let mut month = charges.month();
    let mut tiered: BTreeMap<(&Option<String>, &Meter), Option<Decimal>> = BTreeMap::new();
    for ((region, meter), bytes) in beyond.iter().filter(|((_, meter), _)| charges.is_tiered(meter)) {
        let parts = month.parts(region.as_deref(), meter, *bytes, unpriced);
        tiered.insert((region, meter), sum(parts.into_iter().map(|part| part.cost)));
    }
    let mut lines: BTreeMap<Key, Line> = BTreeMap::new();
    // Sums first: a row is rounded once.
    let mut sums: BTreeMap<(Key, Option<String>), Bytes> = BTreeMap::new();
    for part in parts {
        let line = lines.entry(part.key.clone()).or_insert_with(Line::empty);
        line.client_az.extend(part.client_az.clone());
        line.nat_az.extend(part.nat_az.clone());
        line.basis.insert(part.basis.clone());
        line.up += part.up;
        line.down += part.down;
        let bytes = sums.entry((part.key.clone(), part.region.clone())).or_default();
        *bytes.processed.entry(part.processing.clone()).or_default() += part.processed();
        match part.crosses() {
            Some(true) => bytes.crossing += part.processed(),
            Some(false) => {}
            None => bytes.az_unknown = true,
        }
        match &part.meter {
            Some(meter) => *bytes.beyond.entry(meter.clone()).or_default() += part.metered_beyond(),
            None => bytes.remote_unknown |= part.remote_unknown,
        }
    }
    for ((key, place), bytes) in sums {
        let region = place.as_deref();
        let Some(line) = lines.get_mut(&key) else { continue };
        for (meter, here) in &bytes.processed {
            line.processing = sum([line.processing, charges.bytes(region, meter, *here, unpriced)]);
        }
        let mut crossing = |ends: u64| match bytes.az_unknown {
            true => None,
            false => charges.bytes(region, &Meter::InterAzBytes, bytes.crossing.saturating_mul(ends), unpriced),
        };
        let (most, least) = (crossing(charges.nat_az_ends.into()), crossing(1));
        line.az_unknown |= bytes.az_unknown;
        line.cross_az = sum([line.cross_az, most]);
        line.cross_az_min = sum([line.cross_az_min, least]);
        for (meter, here) in &bytes.beyond {
            let cost = match tiered.get(&(&place, meter)) {
                Some(cost) => charges.share(*here, beyond.get(&(place.clone(), meter.clone())).copied().unwrap_or(0), *cost),
                None => charges.bytes(region, meter, *here, unpriced),
            };
            line.transfer = sum([line.transfer, cost]);
        }
        if bytes.remote_unknown {
            line.transfer = None;
        }
    }
    lines
}

/// Bytes of a row in a region.
#[derive(Debug, Default)]
struct Bytes {
    /// At the gateway, or at a Network Firewall in the path, which waives the gateway's processing.
    processed: BTreeMap<Meter, u64>,
    crossing: u64,
    az_unknown: bool,
    beyond: BTreeMap<Meter, u64>,
    remote_unknown: bool,
}

/// Shares the hours of each gateway by the bytes that it processed; returns what gateways cost that nobody used.
fn share_hours(
    lines: &mut BTreeMap<Key, Line>,
    standing: &BTreeMap<&str, Standing<'_>>,
    parts: &[Part],
    hours: u64,
    charges: &Charges,
    unpriced: &mut Unpriced,
) -> Option<Decimal> {
    let mut used: BTreeMap<&str, (Option<&str>, u64)> = BTreeMap::new();
    for part in parts {
        if let Some(gateway) = part.key.0.as_deref() {
            let (region, bytes) = used.entry(gateway).or_default();
            *region = region.or(part.region.as_deref());
            *bytes += part.processed();
        }
    }
    // A gateway that the inventory lacks is taken for a zonal one.
    let meter_of = |gateway: &str| standing.get(gateway).map_or((Meter::NatHours, 1), |one| (one.meter.clone(), one.count));
    for (key, line) in lines.iter_mut() {
        let Some((gateway, (region, bytes))) = key.0.as_deref().and_then(|gateway| Some((gateway, used.get(gateway)?))) else {
            line.hours = None;
            continue;
        };
        let (meter, count) = meter_of(gateway);
        let cost = charges.hours(*region, &meter, hours.saturating_mul(count), unpriced);
        line.hours = cost.and_then(|cost| {
            let shared = cost.checked_mul(Decimal::from(line.processed()))?;
            Some(charges::millionths(shared.checked_div(Decimal::from((*bytes).max(1)))?))
        });
    }
    let gateways = standing.iter().filter(|(_, one)| matches!(one.meter, Meter::NatHours | Meter::RegionalNatAzHours));
    let idle = gateways.filter(|(id, _)| !used.contains_key(*id)).map(|(_, one)| one);
    sum(idle.map(|one| charges.hours(one.region, &one.meter, hours.saturating_mul(one.count), unpriced)).collect::<Vec<_>>())
}

fn notes(scan: &mut Scan, parts: &[Part], idle: Option<Decimal>, charges: &Charges, unpriced: &Unpriced) {
    let bytes = |of: &dyn Fn(&&Part) -> bool| parts.iter().filter(of).map(Part::processed).sum::<u64>();
    let mut first = Vec::new();
    let imputed = bytes(&|part| part.basis == "instance-eni");
    if imputed > 0 {
        first.push(format!(
            "{} are from the clients' own records, as no gateway's interface was logged with them in that hour",
            format_bytes(imputed)
        ));
    }
    let nameless = bytes(&|part| part.key.0.is_none());
    if nameless > 0 {
        first.push(format!("{} went through a gateway that cannot be named", format_bytes(nameless)));
    }
    let unplaced = bytes(&|part| part.crosses().is_none());
    if unplaced > 0 {
        first.push(format!("{}: the AZ of client or gateway is not known, so the hop between AZs has no cost", format_bytes(unplaced)));
    }
    let remote_unknown = bytes(&|part| part.remote_unknown);
    if remote_unknown > 0 {
        first.push(format!(
            "{}: the format has no packet addresses, so clients and destinations stand apart, and transfer has no cost by client",
            format_bytes(remote_unknown)
        ));
    }
    let inspected = bytes(&|part| part.processing == Meter::FirewallBytes);
    if inspected > 0 {
        first.push(format!(
            "{} passed a Network Firewall, which waives NAT processing and hours one to one: its price per GB is taken instead",
            format_bytes(inspected)
        ));
    }
    if idle.is_some_and(|idle| !idle.is_zero()) {
        first.push(format!("gateways that nobody used in the period cost {} in hours, which are in no row", dollars(idle)));
    }
    first.append(&mut scan.notes);
    first.push(charges::basis(charges));
    first.extend(charges::note(unpriced));
    scan.notes = first;
}

/// The columns that say what a row is for.
fn key_columns(by: &By) -> Vec<ColumnDoc> {
    let gateway = ("nat_gateway_id", Utf8, "NAT gateway");
    let client = ("client_addr", Utf8, "Address of the client, as the gateway sees it");
    let destination = ("dst_addr", Utf8, "Address beyond the gateway");
    match by {
        By::Default => vec![gateway, client],
        By::Named("destination") => vec![gateway, destination],
        By::Named("pair") => vec![gateway, client, destination],
        By::Named("gateway") => vec![gateway],
        By::Named("service") => vec![gateway, ("service", Utf8, "AWS service, else protocol and port")],
        By::Named(_) => vec![gateway, ("owner", Utf8, "EKS cluster whose control plane is the client")],
        By::Tag(_) => vec![gateway, ("owner", Utf8, "Value of the client's tag")],
    }
}

fn columns(by: &By) -> Vec<ColumnDoc> {
    let mut columns = key_columns(by);
    columns.extend([
        ("client_az_id", Utf8, "AZ id of the client"),
        ("nat_az_id", Utf8, "AZ id of the gateway"),
        ("bytes_up", Int64, "Bytes from clients"),
        ("bytes_down", Int64, "Bytes to clients"),
        ("bytes_processed", Int64, "Bytes that the gateway processed"),
        ("processing_cost", money(), "Processing at list price, in US dollars"),
        ("cross_az_cost", money(), "The hop between AZs"),
        ("transfer_cost", money(), "What lies beyond: internet, other regions"),
        ("list_cost", money(), "The sum of the three"),
        ("list_cost_min", money(), "… with one metered end of the hop between AZs"),
        ("hours_cost", money(), "Share of the gateway's hours"),
        ("basis", Utf8, "`nat-eni` or `instance-eni`: whose records"),
    ]);
    columns
}

fn push(key: &Key, line: &Line, by: &By, rows: &mut Rows) {
    let (gateway, client, destination, owner) = key;
    let keys: Vec<&Option<String>> = match by {
        By::Default => vec![gateway, client],
        By::Named("destination") => vec![gateway, destination],
        By::Named("pair") => vec![gateway, client, destination],
        By::Named("gateway") => vec![gateway],
        _ => vec![gateway, owner],
    };
    let joined = |set: &BTreeSet<String>| (!set.is_empty()).then(|| set.iter().cloned().collect::<Vec<_>>().join(","));
    let (client_az, nat_az, basis) = (joined(&line.client_az), joined(&line.nat_az), joined(&line.basis));
    let values = keys.into_iter().map(|key| Value::Text(key.as_deref())).chain([
        Value::Text(client_az.as_deref()),
        Value::Text(nat_az.as_deref()),
        Value::Count(line.up),
        Value::Count(line.down),
        Value::Count(line.processed()),
        Value::Decimal(line.processing),
        Value::Decimal(line.cross_az),
        Value::Decimal(line.transfer),
        Value::Decimal(line.cost()),
        Value::Decimal(line.cost_min()),
        Value::Decimal(line.hours),
        Value::Text(basis.as_deref()),
    ]);
    rows.push(&values.collect::<Vec<_>>());
}

/// The columns of the page, and the first rows of it, the dearest on top.
fn paged<'a>(by: &'a By, lines: &BTreeMap<Key, Line>, rows_max: usize) -> (Vec<PageColumn<'a>>, Vec<Vec<String>>) {
    let mut sorted: Vec<(&Key, &Line)> = lines.iter().collect();
    sorted.sort_by_key(|(key, line)| (std::cmp::Reverse(line.cost()), std::cmp::Reverse(line.processed()), (*key).clone()));
    let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let cells = |(key, line): &(&Key, &Line)| {
        let what = match by {
            By::Default => of(&key.1),
            By::Named("destination") => of(&key.2),
            By::Named("pair") => format!("{} → {}", of(&key.1), of(&key.2)),
            By::Named("gateway") => String::new(),
            _ => of(&key.3),
        };
        let with_hop = |amount: Option<Decimal>| match amount {
            None if line.az_unknown => "AZ unknown".to_owned(),
            amount => dollars(amount),
        };
        vec![
            of(&key.0),
            what,
            format_bytes(line.up),
            format_bytes(line.down),
            dollars(line.processing),
            with_hop(line.cross_az),
            dollars(line.transfer),
            with_hop(line.cost()),
        ]
    };
    let head = match by {
        By::Default => "client",
        By::Named("gateway") => "",
        By::Named(name) => name,
        By::Tag(key) => key,
    };
    let columns = [
        ("gateway", false, Some(12)),
        (head, false, Some(12)),
        ("up", true, None),
        ("down", true, None),
        ("processing", true, None),
        ("AZ hop", true, None),
        ("transfer", true, None),
        ("list cost", true, None),
    ];
    (columns.to_vec(), sorted.iter().take(rows_max).map(cells).collect())
}

/// The page for a terminal.
fn page_of(scan: &Scan, by: &By, lines: &BTreeMap<Key, Line>, recommendations: &[Recommendation]) -> String {
    let processed: u64 = lines.values().map(Line::processed).sum();
    let total = |of: &dyn Fn(&Line) -> Option<Decimal>| dollars(sum(lines.values().map(of)));
    let mut page = format!("NAT, {}\n", scan.window());
    page += &match sum(lines.values().map(Line::cost)) {
        None => format!("{} processed; not all prices are known\n", format_bytes(processed)),
        Some(cost) => format!(
            "{} processed, list cost {}: processing {}, between AZs {}, transfer {}; hours {}\n",
            format_bytes(processed),
            dollars(Some(cost)),
            total(&|line| line.processing),
            total(&|line| line.cross_az),
            total(&|line| line.transfer),
            total(&|line| line.hours)
        ),
    };
    page += &page::inputs(&scan.inputs, &scan.faults);
    page.push('\n');
    let (columns, rows) = paged(by, lines, ROWS_SHOWN_MAX);
    page += &page::table(&columns, &rows);
    if lines.len() > ROWS_SHOWN_MAX {
        page += &format!("  … {} more rows; -o csv writes all\n", lines.len() - ROWS_SHOWN_MAX);
    }
    if !recommendations.is_empty() {
        page += "\nwould save in this period\n";
        for one in recommendations {
            let place = one.vpc.as_deref().unwrap_or("?");
            let line = format!(
                "{} for {} in {place}: {} ({}). Not if {}",
                one.kind,
                one.service,
                dollars(one.saving),
                one.arithmetic,
                one.falsified_if
            );
            page += &page::wrap(&crate::error::printable(&line), page::WIDTH);
        }
    }
    page + &page::notes(scan.notes.iter())
}

/// The document: whose bytes they are, the rows, what would save money.
fn document_of(scan: &Scan, by: &By, lines: &BTreeMap<Key, Line>, idle: Option<Decimal>, recommendations: &[Recommendation]) -> Document {
    let total = |of: &dyn Fn(&Line) -> Option<Decimal>| Cell::Text(dollars(sum(lines.values().map(of))));
    let mut document = sections::begun("NAT gateways", scan.period, &scan.inputs, scan.faults.len());
    document.fact("processed", Cell::text(format_bytes(lines.values().map(Line::processed).sum())));
    document.fact("list cost (an estimate)", total(&Line::cost));
    document.fact("… processing", total(&|line| line.processing));
    document.fact("… between AZs", total(&|line| line.cross_az));
    document.fact("… transfer beyond", total(&|line| line.transfer));
    document.fact("hours of used gateways", total(&|line| line.hours));
    document.fact("hours of unused gateways", Cell::Text(dollars(idle)));
    let (columns, rows) = paged(by, lines, document::ROWS_SHOWN_MAX);
    let label = |key: &Key| {
        let parts: Vec<&str> = [&key.0, &key.1, &key.2, &key.3].into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
    };
    let bar = |(key, line): (&Key, &Line)| Bar { label: label(key), weight: line.processed(), text: format_bytes(line.processed()) };
    let mut section = Section::new("rows", "Who drives NAT");
    section.push(Block::Bars(Bars::of("Bytes processed, both ways", "bytes", lines.iter().map(bar))));
    section.table(sections::paged("What costs most first", &columns, rows, lines.len()));
    section.paragraph(FORMULA);
    document.push(section);
    let mut section = Section::new("recommendations", "What would save money");
    section.paragraph("Savings are those of this period at list price, with the arithmetic behind, and what would show each wrong.");
    let columns = vec![
        Column::text("what"),
        Column::text("for"),
        Column::text("in"),
        Column::number("bytes"),
        Column::number("saving"),
        Column::wrapped("arithmetic"),
        Column::wrapped("not if"),
    ];
    let mut table = Table::new("Recommendations", columns);
    for one in recommendations {
        table.push_with(|| {
            vec![
                Cell::text(one.kind),
                Cell::text(&one.service),
                Cell::optional(one.vpc.as_deref()),
                Cell::text(format_bytes(one.bytes)),
                Cell::text(dollars(one.saving)),
                Cell::text(&one.arithmetic),
                Cell::text(one.falsified_if),
            ]
        });
    }
    section.table(table);
    document.push(section);
    document
}
