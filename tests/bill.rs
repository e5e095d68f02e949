//! Bills: each shape in each container gives the same lines, and the estate's bill ties out with the generator's truth.
//!
//! Columns are named as in AWS's data dictionaries (CUR 2.0, legacy CUR, FOCUS 1.2 with AWS columns); the files are made here.

use crate::cost_properties::{Estate, four_sites};
use crate::generator::bill::{Prices, cur2, hours_touched, metered_ends, nat_arn};
use crate::generator::truth::Truth;
use crate::generator::{Config, generate};
use crate::runs::{Run, Setting};
use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, MapBuilder, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use flowproof::cost::bill::{Bill, read};
use flowproof::cost::bill_columns::Shape;
use flowproof::cost::bill_shares::{UNEXPLAINED, allocate};
use flowproof::cost::bill_tie_out::{Estimate, TieOut, tie_out};
use flowproof::cost::prices::{Direction, Meter, usage_type_of};
use flowproof::error::Result;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

/// Columns in the order of [`LINES`].
const CUR2: &str = "line_item_usage_account_id line_item_usage_type line_item_operation line_item_resource_id line_item_usage_start_date \
    line_item_usage_end_date line_item_usage_amount line_item_unblended_cost pricing_public_on_demand_cost line_item_line_item_type \
    line_item_product_code product_region_code line_item_currency_code pricing_unit line_item_usage_account_name";
const LEGACY: &str = "lineItem/UsageAccountId lineItem/UsageType lineItem/Operation lineItem/ResourceId lineItem/UsageStartDate \
    lineItem/UsageEndDate lineItem/UsageAmount lineItem/UnblendedCost pricing/publicOnDemandCost lineItem/LineItemType \
    lineItem/ProductCode product/regionCode lineItem/CurrencyCode pricing/unit product/ProductName";
const LEGACY_ATHENA: &str = "line_item_usage_account_id line_item_usage_type line_item_operation line_item_resource_id \
    line_item_usage_start_date line_item_usage_end_date line_item_usage_amount line_item_unblended_cost pricing_public_on_demand_cost \
    line_item_line_item_type line_item_product_code product_region line_item_currency_code pricing_unit product_product_name";
const FOCUS: &str = "SubAccountId x_UsageType x_Operation ResourceId ChargePeriodStart ChargePeriodEnd ConsumedQuantity BilledCost ListCost \
    ChargeCategory x_ServiceCode RegionId BillingCurrency ConsumedUnit ServiceName";

const NAT: &str = "arn:aws:ec2:eu-central-1:111122223333:natgateway/nat-0a";
const MORNING: [&str; 2] = ["2026-10-05T07:00:00Z", "2026-10-05T08:00:00Z"];
const NOON: [&str; 2] = ["2026-10-05T12:00:00Z", "2026-10-05T13:00:00Z"];
const NEXT_DAY: [&str; 2] = ["2026-10-06T00:00:00Z", "2026-10-06T01:00:00Z"];

type Line = (&'static str, &'static str, &'static str, [&'static str; 2], [&'static str; 3], &'static str, &'static str, &'static str);

/// Usage type, operation, resource, period, quantity with cost and list cost, line item type, product code, region.
const LINES: [Line; 9] = [
    ("EUC1-NatGateway-Bytes", "NatGateway", NAT, MORNING, ["1.5", "0.078", "0.078"], "Usage", "AmazonEC2", "eu-central-1"),
    (
        "EUC1-NatGateway-Bytes",
        "NatGateway",
        NAT,
        NOON,
        ["0.0000000410", "0.0000000021", "0.0000000021"],
        "Usage",
        "AmazonEC2",
        "eu-central-1",
    ),
    ("EUC1-NatGateway-Bytes", "NatGateway", NAT, NEXT_DAY, ["2", "0.104", "0.104"], "Usage", "AmazonEC2", "eu-central-1"),
    ("DataTransfer-Regional-Bytes", "InterZone-In", "i-0a", MORNING, ["3.25", "0.0325", "0.0325"], "Usage", "AmazonEC2", ""),
    ("USE1-EU-AWS-Out-Bytes", "", "i-0a", MORNING, ["0.1", "0.002", "0.002"], "Usage", "AmazonEC2", "us-east-1"),
    ("EU-DataTransfer-Out-Bytes", "GetObject", "bucket", MORNING, ["5", "0.45", "0.45"], "Usage", "AmazonS3", "eu-west-1"),
    ("EUC1-BoxUsage:m5.large", "RunInstances", "i-0a", MORNING, ["1", "0.115", "0.115"], "Usage", "AmazonEC2", "eu-central-1"),
    ("EUC1-NatGateway-Bytes", "NatGateway", NAT, MORNING, ["0", "-0.01", "0"], "Credit", "AmazonEC2", "eu-central-1"),
    ("", "", "", MORNING, ["0", "0.19", "0"], "Tax", "AmazonEC2", ""),
];

fn cells() -> Vec<Vec<&'static str>> {
    let line = |&(usage_type, operation, resource, [start, end], [quantity, cost, list_cost], kind, service, region): &Line| {
        let unit = if usage_type.ends_with("Bytes") { "GB" } else { "" };
        let named = "Some, \"name\"";
        vec![
            "111122223333",
            usage_type,
            operation,
            resource,
            start,
            end,
            quantity,
            cost,
            list_cost,
            kind,
            service,
            region,
            "USD",
            unit,
            named,
        ]
    };
    LINES.iter().map(line).collect()
}

fn csv(header: &str) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(header.split_whitespace()).unwrap();
    cells().iter().for_each(|line| out.write_record(line).unwrap());
    out.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// How numbers are stored.
#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    Decimal,
    Double,
    Text,
}

fn parquet(header: &str, numbers: Numbers) -> Vec<u8> {
    let cells = cells();
    let columns = header.split_whitespace().enumerate().map(|(at, name)| {
        let texts = || cells.iter().map(|line| line[at]);
        let array: ArrayRef = match at {
            4 | 5 => {
                let instants = texts().map(|text| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis());
                Arc::new(TimestampMillisecondArray::from_iter_values(instants).with_timezone("UTC"))
            }
            6..=8 if numbers == Numbers::Double => {
                Arc::new(Float64Array::from_iter_values(texts().map(|text| text.parse::<f64>().unwrap())))
            }
            6..=8 if numbers == Numbers::Decimal => {
                let mantissas = texts().map(|text| {
                    let mut number: Decimal = text.parse().unwrap();
                    number.rescale(18);
                    number.mantissa()
                });
                Arc::new(Decimal128Array::from_iter_values(mantissas).with_precision_and_scale(38, 18).unwrap())
            }
            _ => Arc::new(texts().map(|text| (!text.is_empty()).then_some(text)).collect::<StringArray>()),
        };
        (name, array)
    });
    stored(&RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap())
}

/// A Parquet file with row groups of two rows.
fn stored(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut out = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    out.write(batch).unwrap();
    out.close().unwrap();
    bytes
}

fn bill(place: &str, bytes: Vec<u8>) -> Result<(Shape, Bill)> {
    let mut bill = Bill::default();
    let shape = read(place, Bytes::from(bytes), &mut bill)?;
    Ok((shape, bill))
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn every_shape_and_container_gives_the_same_lines() {
    let (_, wanted) = bill("cur.csv", csv(CUR2)).unwrap();
    let shown: Vec<String> = wanted
        .lines
        .iter()
        .map(|(key, sum)| {
            let day = flowproof::time::rfc3339(key.day);
            let (quantity, cost) = (sum.quantity.normalize(), sum.cost.normalize());
            format!("{} {} {} {} {day}: {quantity} {cost} {}", key.region, key.usage_type, key.operation, key.resource_id, sum.lines)
        })
        .collect();
    assert_eq!(
        shown,
        [
            format!("eu-central-1 NatGateway-Bytes NatGateway {NAT} 2026-10-05T00:00:00Z: 1.500000041 0.0780000021 2"),
            format!("eu-central-1 NatGateway-Bytes NatGateway {NAT} 2026-10-06T00:00:00Z: 2 0.104 1"),
            "us-east-1 DataTransfer-Regional-Bytes InterZone-In i-0a 2026-10-05T00:00:00Z: 3.25 0.0325 1".to_owned(),
            "us-east-1 EU-AWS-Out-Bytes  i-0a 2026-10-05T00:00:00Z: 0.1 0.002 1".to_owned(),
        ]
    );
    assert_eq!((wanted.rest["AmazonS3"].cost, wanted.rest["AmazonEC2"].cost), (dec("0.45"), dec("0.115")));
    assert_eq!(
        (wanted.apart[&("Credit".to_owned(), true)].cost, wanted.apart[&("Tax".to_owned(), false)].cost),
        (dec("-0.01"), dec("0.19"))
    );
    assert_eq!((wanted.lines_read(), wanted.cost().unwrap().normalize()), (9, dec("0.9615000021")));
    let mut files = Vec::new();
    for (header, shape) in [(CUR2, Shape::Cur2), (LEGACY, Shape::LegacyCur), (LEGACY_ATHENA, Shape::LegacyCur), (FOCUS, Shape::Focus)] {
        files.push((shape, "csv", csv(header)));
        files.push((shape, "csv.gz", gzip(&csv(header))));
        files.push((shape, "lower-case csv", csv(&header.to_lowercase().replace("lineitem/", "lineItem/"))));
        for numbers in [Numbers::Decimal, Numbers::Double, Numbers::Text] {
            files.push((shape, if numbers == Numbers::Double { "double" } else { "parquet" }, parquet(header, numbers)));
        }
    }
    for (shape, container, bytes) in files {
        let (found, got) = bill(container, bytes).unwrap();
        assert_eq!(found, shape, "{container}");
        assert_eq!(got.lines, wanted.lines, "{shape:?} {container}");
        assert_eq!((&got.rest, &got.apart, &got.currency), (&wanted.rest, &wanted.apart, &wanted.currency), "{shape:?} {container}");
        assert_eq!(got.period_max_s, 3_600);
        let noted = got.notes.iter().any(|note| note.contains("floating-point"));
        assert_eq!(noted, container == "double", "{shape:?} {container}: {:?}", got.notes);
    }
}

#[test]
fn several_files_add_up() {
    let mut bill = Bill::default();
    read("1.csv", Bytes::from(csv(CUR2)), &mut bill).unwrap();
    let once = bill.cost().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("2.parquet"), parquet(FOCUS, Numbers::Decimal)).unwrap();
    read("2.parquet", std::fs::File::open(dir.path().join("2.parquet")).unwrap(), &mut bill).unwrap();
    assert_eq!((bill.lines.len(), bill.lines_read(), bill.cost()), (4, 18, Some(once + once)));
}

#[test]
fn the_product_map_tells_the_region_where_no_column_does() {
    let header = CUR2.replace("product_region_code", "product");
    let mut regions = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut text = csv::Writer::from_writer(Vec::new());
    text.write_record(header.split_whitespace()).unwrap();
    for line in cells() {
        regions.keys().append_value("product_name");
        regions.values().append_value("x");
        if !line[11].is_empty() {
            regions.keys().append_value("region");
            regions.values().append_value(line[11]);
        }
        regions.append(true).unwrap();
        let json = if line[11].is_empty() { "{}".to_owned() } else { format!(r#"{{"product_name":"x","region":"{}"}}"#, line[11]) };
        text.write_record(line.iter().enumerate().map(|(at, cell)| if at == 11 { &json } else { *cell })).unwrap();
    }
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (at, name) in header.split_whitespace().enumerate() {
        let texts =
            || Arc::new(cells().iter().map(|line| line[at]).collect::<Vec<_>>().into_iter().map(Some).collect::<StringArray>()) as ArrayRef;
        columns.push((name.to_owned(), if at == 11 { Arc::new(regions.finish()) } else { texts() }));
    }
    let (_, wanted) = bill("cur.csv", csv(CUR2)).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(bill("map.parquet", stored(&batch)).unwrap().1.lines, wanted.lines);
    assert_eq!(bill("map.csv", text.into_inner().unwrap()).unwrap().1.lines, wanted.lines);
}

#[test]
fn what_is_no_bill_or_is_damaged_says_so_with_its_place() {
    let fault = |bytes: Vec<u8>| bill("x", bytes).unwrap_err().to_string();
    let check = |bytes: Vec<u8>, want: &str| {
        let got = fault(bytes);
        assert!(got.starts_with(want), "{got} instead of {want}");
    };
    check(Vec::new(), "x: the file is empty");
    check(b"P".to_vec(), "x: neither a Cost and Usage Report nor a FOCUS export");
    check(b"PK\x03\x04".to_vec(), "x: a ZIP archive is not read");
    check(br#"{"assemblyId": "1", "reportKeys": []}"#.to_vec(), "x: neither a Cost and Usage Report nor a FOCUS export");
    check(gzip(&[b'x'; 5 << 20]), "x: cannot be read: a line is longer than 4194304 bytes");
    check(b"PAR1".to_vec(), "x: not a sound Parquet file");
    let whole = csv(CUR2);
    let packed = gzip(&whole);
    check(packed[..packed.len() / 2].to_vec(), "x");
    assert!(bill("x", packed[..packed.len() - 9].to_vec()).is_err());
    let columnar = parquet(CUR2, Numbers::Decimal);
    check(columnar[..columnar.len() - 20].to_vec(), "x: not a sound Parquet file");
    let text = String::from_utf8(whole.clone()).unwrap();
    check(text.replacen("0.104", "0,104", 1).into_bytes(), "x:4: 16 fields instead of the 15 of the header");
    check(text.replacen("0.104", "much", 1).into_bytes(), r#"x:4: line_item_unblended_cost "much" is not a number"#);
    let mut latin = whole;
    let at = latin.windows(5).position(|bytes| bytes == b"Inter").unwrap();
    latin[at] = 0xe9;
    check(latin, "x:5: not UTF-8");
}

#[test]
fn rows_of_parquet_have_their_number() {
    let batch = RecordBatch::try_from_iter(CUR2.split_whitespace().enumerate().map(|(at, name)| {
        let lines = cells();
        let column: ArrayRef = match at {
            7 => Arc::new(Float64Array::from_iter_values((0..lines.len()).map(|row| if row == 4 { f64::NAN } else { 0.5 }))),
            _ => Arc::new(lines.iter().map(|line| Some(line[at])).collect::<StringArray>()),
        };
        (name, column)
    }))
    .unwrap();
    let fault = bill("cur.parquet", stored(&batch)).unwrap_err();
    assert_eq!(fault.to_string(), r#"cur.parquet: row 5: line_item_unblended_cost "NaN" is not a number"#);
}

/// What the truth says of each meter, as a report over complete logs would.
fn estimates(truth: &Truth, prices: &Prices) -> Vec<Estimate> {
    let gb = |bytes: u64| Decimal::from(bytes) / Decimal::from(prices.bytes_per_gb);
    let mut regional: BTreeMap<(&str, &str, &str, i64), u64> = BTreeMap::new();
    for row in &truth.cross_az_days {
        let (out, into) = metered_ends(row, prices.nat_az_ends);
        for (operation, metered) in [("InterZone-Out", out), ("InterZone-In", into)] {
            if metered {
                *regional.entry((&row.account_id, &row.region, operation, row.day)).or_default() += row.bytes;
            }
        }
    }
    let estimate = |account: &str, region: &str, usage_type: &str, operation: &str, resource: Option<String>, day, quantity| Estimate {
        account: account.to_owned(),
        region: region.to_owned(),
        usage_type: usage_type.to_owned(),
        operation: operation.to_owned(),
        resource,
        day,
        observed_quantity: quantity,
        imputed_quantity: Decimal::ZERO,
    };
    let mut all: Vec<Estimate> = regional
        .into_iter()
        .map(|((account, region, operation, day), bytes)| {
            estimate(account, region, "DataTransfer-Regional-Bytes", operation, None, day, gb(bytes))
        })
        .collect();
    for row in &truth.nat_days {
        let (account, region, id) = (&*row.account_id, &*row.region, Some(row.nat_gateway_id.clone()));
        all.push(estimate(account, region, "NatGateway-Bytes", "", id.clone(), row.day, gb(row.bytes)));
        all.push(estimate(account, region, "NatGateway-Hours", "", id, row.day, hours_touched(truth, row.day).into()));
    }
    all
}

/// The truth of a small estate that crosses midnight, and its bill.
fn estate(seed: u64, prices: &Prices) -> (Truth, Bill) {
    let dir = tempfile::tempdir().unwrap();
    let truth = generate(&Config { seed, minutes: 120, regions: 2, ..Config::default() }, dir.path());
    let (shape, bill) = bill("cur.csv", cur2(&truth, prices).into_bytes()).unwrap();
    assert_eq!(shape, Shape::Cur2);
    (truth, bill)
}

#[test]
fn the_bill_of_an_estate_ties_out() {
    for (seed, nat_az_ends) in [(1, 2), (2, 1), (3, 2)] {
        let prices = Prices { nat_az_ends, ..Prices::default() };
        let (truth, bill) = estate(seed, &prices);
        let days: BTreeSet<i64> = bill.lines.keys().map(|key| key.day).collect();
        assert_eq!(days.len(), 2, "the period crosses midnight");
        let rows = tie_out(&bill, &estimates(&truth, &prices));
        let (ours, service): (Vec<TieOut>, Vec<TieOut>) = rows.into_iter().partition(|row| !row.usage_type.contains("xAZ"));
        assert!(ours.len() > 20 && !service.is_empty());
        for row in &ours {
            assert_eq!((row.explained_share, row.reason.as_str()), (Some(Decimal::ONE), ""), "{row:?}");
        }
        for row in &service {
            assert_eq!((row.explained_share, row.billed_cost), (Some(Decimal::ZERO), Decimal::ZERO), "{row:?}");
            assert!(row.reason.starts_with("RDS side"), "{row:?}");
        }
        let billed: Decimal = ours.iter().chain(&service).map(|row| row.billed_cost).sum();
        assert_eq!(billed, bill.lines.values().map(|sum| sum.cost).sum::<Decimal>());
    }
}

#[test]
fn what_is_not_logged_is_what_stays_unexplained() {
    let prices = Prices::default();
    let (truth, bill) = estate(1, &prices);
    let gone = truth.nat_days[0].nat_gateway_id.clone();
    let lost = |estimate: &Estimate| estimate.resource.as_deref() == Some(&gone) && estimate.usage_type == "NatGateway-Bytes";
    let mut known = estimates(&truth, &prices);
    let before = known.len();
    known.retain(|estimate| !lost(estimate));
    let row = truth.nat_days.iter().find(|row| row.nat_gateway_id == gone).unwrap();
    let arn = nat_arn(&row.region, &row.account_id, &gone);
    let rows = tie_out(&bill, &known);
    let open: Vec<&TieOut> =
        rows.iter().filter(|row| !row.usage_type.contains("xAZ") && row.explained_share != Some(Decimal::ONE)).collect();
    assert_eq!(open.len(), before - known.len());
    for row in open {
        assert_eq!(
            (row.resource.as_deref(), &*row.usage_type, &*row.reason),
            (Some(&*arn), "NatGateway-Bytes", "no logs for this resource")
        );
        assert_eq!(row.unexplained_quantity, row.billed_quantity);
    }
}

#[test]
fn dollars_of_the_bill_are_divided_to_the_last_digit() {
    let (truth, bill) = estate(2, &Prices::default());
    for (key, sum) in bill.lines.iter().filter(|(key, _)| &*key.usage_type == "NatGateway-Bytes") {
        let clients: Vec<(String, Decimal)> = truth
            .nat
            .iter()
            .filter(|row| key.resource_id.ends_with(&row.nat_gateway_id))
            .map(|row| (row.client_addr.clone(), (row.bytes_up + row.bytes_down).into()))
            .collect();
        let parts = allocate(sum.cost, &clients, 1_000.into());
        assert_eq!(parts.iter().map(|(_, part)| *part).sum::<Decimal>(), sum.cost);
        assert_eq!((parts.len(), parts.last().unwrap().0.as_str()), (clients.len() + 1, UNEXPLAINED));
    }
}

#[test]
fn the_days_of_the_truth_add_up_to_its_totals() {
    let (truth, _) = estate(4, &Prices::default());
    for kind in ["nat", "endpoint", "database", "eks-control-plane", "direct"] {
        let all: u64 = truth.cross_az.iter().filter(|row| row.kind == kind).map(|row| row.bytes).sum();
        let days: u64 = truth.cross_az_days.iter().filter(|row| row.kind == kind).map(|row| row.bytes).sum();
        assert_eq!(days, all, "{kind}");
    }
    let nat: u64 = truth.nat.iter().map(|row| row.bytes_up + row.bytes_down).sum();
    assert_eq!(truth.nat_days.iter().map(|row| row.bytes).sum::<u64>(), nat);
}

/// What a run's meters come to in the terms of a bill: only what the generated bill has lines of.
fn metered(run: &Run) -> Vec<Estimate> {
    let rows = run.sql(
        "SELECT account_id, region, meter, operation, resource, date_trunc('day', hour) AS day, \
         coalesce(sum(bytes) FILTER (WHERE observed), 0) AS observed, coalesce(sum(bytes) FILTER (WHERE NOT observed), 0) AS imputed \
         FROM meters WHERE meter IN ('inter-az-bytes', 'nat-bytes') GROUP BY 1, 2, 3, 4, 5, 6",
    );
    let estimate = |row: &serde_json::Value| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let gb = |key: &str| Decimal::from(row[key].as_u64().unwrap()) / Decimal::from(1 << 30);
        let meter: Meter = text("meter").parse().unwrap();
        let direction = if text("operation") == "in" { Direction::In } else { Direction::Out };
        Estimate {
            account: text("account_id"),
            region: text("region"),
            // The region whose usage types have no prefix.
            usage_type: usage_type_of("us-east-1", &meter, direction).unwrap(),
            operation: match (&meter, direction) {
                (Meter::InterAzBytes, Direction::In) => "InterZone-In",
                (Meter::InterAzBytes, Direction::Out) => "InterZone-Out",
                _ => "NatGateway",
            }
            .to_owned(),
            resource: row["resource"].as_str().map(str::to_owned),
            day: chrono::DateTime::parse_from_rfc3339(&text("day")).unwrap().timestamp(),
            observed_quantity: gb("observed"),
            imputed_quantity: gb("imputed"),
        }
    };
    rows.iter().map(estimate).collect()
}

/// Rows of a tie-out of bytes, without the database's own side.
fn tied(bill: &Bill, run: &Run) -> Vec<TieOut> {
    let rows = tie_out(bill, &metered(run));
    rows.into_iter().filter(|row| row.unit == "GB" && !row.usage_type.contains("xAZ")).collect()
}

fn bytes_of(quantity: Decimal) -> u64 {
    u64::try_from((quantity * Decimal::from(1 << 30)).round()).unwrap()
}

#[test]
fn the_logs_of_an_estate_explain_its_bill() {
    let estate = Estate::of(&four_sites(91, 16_000));
    let (_, bill) = bill("cur.csv", cur2(&estate.truth, &Prices::default()).into_bytes()).unwrap();
    let full = estate.run(Setting::default());
    let rows = tied(&bill, &full);
    // Two accounts in two regions on two days, out and in; and gateways on the days on which they were used.
    assert_eq!(rows.len(), 2 * 2 * 2 * 2 + estate.truth.nat_days.len());
    for row in &rows {
        assert_eq!((row.explained_share, row.imputed_quantity, &*row.reason), (Some(Decimal::ONE), Decimal::ZERO, ""), "{row:?}");
    }

    // Without a gateway's own records, those of its clients explain it all; with an only gateway they say which.
    let only = full.sql("SELECT min(nat_gateway_id) AS nat FROM nat_gateways WHERE vpc_id IS NOT NULL GROUP BY vpc_id HAVING count(DISTINCT nat_gateway_id) = 1 ORDER BY 1");
    let is_used = |nat: &&str| estate.truth.nat.iter().any(|used| used.nat_gateway_id == **nat);
    let nat = only.iter().filter_map(|row| row["nat"].as_str()).find(is_used).unwrap().to_owned();
    let eni = full.sql(&format!("SELECT DISTINCT interface_id FROM enis WHERE resource = '{nat}'"))[0]["interface_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_dir, run) = estate.without(&eni);
    for row in tied(&bill, &run) {
        assert_eq!((row.explained_share, &*row.reason), (Some(Decimal::ONE), ""), "{row:?}");
        let is_its = row.resource.as_deref().is_some_and(|resource| resource.ends_with(&nat));
        assert!(
            row.usage_type != "NatGateway-Bytes" || is_its == (row.observed_quantity.is_zero() && !row.imputed_quantity.is_zero()),
            "{row:?}"
        );
    }

    // Without the interface that sent most in vain, exactly that stays unexplained, where its account and region are billed.
    let mut vain: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for leg in estate.legs().iter().filter(|leg| leg.sent && leg.from.1 != leg.to.1) {
        let category = estate.category(&leg.from.0, &leg.to.0);
        let metered = |interface: &str| u64::from(estate.is_metered(interface, category));
        let (short, imputed) = vain.entry(leg.from.0.clone()).or_default();
        if leg.received {
            *imputed += leg.bytes * metered(&leg.from.0);
        } else {
            *short += leg.bytes * (metered(&leg.from.0) + metered(&leg.to.0));
        }
        if metered(&leg.to.0) == 1 {
            vain.entry(leg.to.0.clone()).or_default().1 += leg.bytes;
        }
    }
    let (gone, (short, imputed)) = vain.into_iter().max_by_key(|(_, (short, _))| *short).unwrap();
    assert!(short > 0);
    let (_dir, run) = estate.without(&gone);
    let rows = tied(&bill, &run);
    let sum = |of: fn(&TieOut) -> Decimal| bytes_of(rows.iter().filter(|row| row.usage_type != "NatGateway-Bytes").map(of).sum());
    assert_eq!((sum(|row| row.unexplained_quantity), sum(|row| row.imputed_quantity)), (short, imputed));
    let place = full.sql(&format!("SELECT DISTINCT account_id, region FROM flows WHERE interface_id = '{gone}'"));
    for row in rows.iter().filter(|row| row.explained_share != Some(Decimal::ONE) || !row.imputed_quantity.is_zero()) {
        assert_eq!((&place[0]["account_id"], &place[0]["region"]), (&row.account_id.clone().into(), &row.region.clone().into()), "{row:?}");
        assert!(row.reason.is_empty() || row.reason.starts_with("partly logged"), "{row:?}");
    }
}
