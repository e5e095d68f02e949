//! Price lists: what AWS publishes in its four shapes, our own format, and the command over both.
//!
//! The samples are made by hand from the shapes that AWS documents (reference of network costs, §1.4), with made-up SKUs; no file
//! of AWS is copied.

use crate::program::flowproof;
use flowproof::cost::prices::{Finding, Meter, PriceList, Severity, decimal, list_cost, table};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::LazyLock;

fn number(text: &str) -> Decimal {
    decimal(text).unwrap()
}

/// A product: SKU, usage type, operation, further attributes.
fn product(sku: &str, usage_type: &str, operation: &str, further: Value) -> Value {
    let mut attributes = json!({ "usagetype": usage_type, "operation": operation });
    attributes.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    json!({ "sku": sku, "productFamily": "-", "attributes": attributes })
}

/// Its offer: tiers of begin, end and rate.
fn offer(sku: &str, unit: &str, tiers: &[(&str, &str, &str)]) -> Value {
    let dimensions = tiers.iter().enumerate().map(|(at, (begin, end, rate))| {
        let code = format!("{sku}.JRTCKXETXF.{at}");
        let dimension = json!({ "rateCode": code, "description": "…", "beginRange": begin, "endRange": end, "unit": unit,
            "pricePerUnit": { "USD": rate }, "appliesTo": [] });
        (code, dimension)
    });
    let dimensions: serde_json::Map<_, _> = dimensions.collect();
    json!({ format!("{sku}.JRTCKXETXF"): { "sku": sku, "offerTermCode": "JRTCKXETXF", "effectiveDate": "2026-09-01T00:00:00Z",
        "priceDimensions": dimensions, "termAttributes": {} } })
}

const FLAT: &str = "Inf";

/// NAT gateways of a region with every trap among them; transfer; endpoints with tiers.
fn products() -> Vec<(Value, Value)> {
    let in_region = json!({ "servicecode": "AmazonEC2", "regionCode": "eu-central-1", "locationType": "AWS Region" });
    let transfer = |kind: &str, further: Value| {
        let mut all = json!({ "servicecode": "AWSDataTransfer", "fromRegionCode": "eu-central-1", "transferType": kind });
        all.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        all
    };
    let vpc = json!({ "servicecode": "AmazonVPC", "regionCode": "eu-central-1" });
    let row = |sku: &str, usage: &str, operation: &str, further: &Value, unit: &str, tiers: &[(&str, &str, &str)]| {
        (product(sku, usage, operation, further.clone()), offer(sku, unit, tiers))
    };
    let external = transfer("AWS Outbound", json!({ "toLocation": "External", "toLocationType": "Other" }));
    let osaka = transfer("InterRegion Outbound", json!({ "toRegionCode": "ap-northeast-3", "toLocationType": "AWS Region" }));
    let bands = [("0", "10240", "0.0910000000"), ("51200", "153600", "0.0710000000"), ("153600", "Inf", "0.0510000000")];
    let egress = [bands[0], ("10240", "51200", "0.0860000000"), bands[1], bands[2]];
    vec![
        row("NATH", "EUC1-NatGateway-Hours", "NatGateway", &in_region, "Hrs", &[("0", FLAT, "0.0520000000")]),
        row("NATB", "EUC1-NatGateway-Bytes", "NatGateway", &in_region, "GB", &[("0", FLAT, "0.0520000000")]),
        row("RNATH", "EUC1-RegionalNatGateway-Hours", "RegionalNatGateway", &in_region, "Hrs", &[("0", FLAT, "0.0530000000")]),
        row("RNATB", "EUC1-RegionalNatGateway-Bytes", "RegionalNatGateway", &in_region, "GB", &[("0", FLAT, "0.0540000000")]),
        row("PRVDB", "EUC1-NatGateway-Prvd-Bytes", "NatGateway", &in_region, "GB", &[("0", FLAT, "0.0000000000")]),
        row("PRVDG", "EUC1-NatGateway-Prvd-Gbps", "NatGateway", &in_region, "Gbps-hrs", &[("0", FLAT, "1.1640000000")]),
        row("BOX", "EUC1-BoxUsage:m5.large", "RunInstances", &in_region, "Hrs", &[("0", FLAT, "0.1150000000")]),
        row("REG", "EUC1-DataTransfer-Regional-Bytes", "", &transfer("IntraRegion", json!({})), "GB", &[("0", FLAT, "0.0100000000")]),
        row("XAZ", "EUC1-DataTransfer-xAZ-Out-Bytes", "", &transfer("IntraRegion", json!({})), "GB", &[("0", FLAT, "0.0000000000")]),
        row("OUT", "EUC1-DataTransfer-Out-Bytes", "", &external, "GB", &egress),
        row("FREE", "Global-DataTransfer-Out-Bytes", "", &external, "GB", &[("0", "100", "0.0000000000")]),
        row("OSAKA", "EUC1-APN3-AWS-Out-Bytes", "", &osaka, "GB", &[("0", FLAT, "0.0800000000")]),
        row("PEERI", "EUC1-VpcPeering-In-Bytes", "", &vpc, "GB", &[("0", FLAT, "0.0100000000")]),
        row("PEERO", "EUC1-VpcPeering-Out-Bytes", "", &vpc, "GB", &[("0", FLAT, "0.0100000000")]),
        row(
            "EPB",
            "EUC1-VpcEndpoint-Bytes",
            "VpcEndpoint",
            &vpc,
            "GB",
            &[("0", "1048576", "0.0100000000"), ("1048576", "5242880", "0.0060000000"), ("5242880", "Inf", "0.0040000000")],
        ),
        row("EPH", "EUC1-VpcEndpoint-Hours", "VpcEndpoint", &vpc, "Hrs", &[("0", FLAT, "0.0120000000")]),
        row("TGWB", "EUC1-TransitGateway-Bytes", "TransitGatewayVPC", &vpc, "GB", &[("0", FLAT, "0.0200000000")]),
        row("TGWP", "EUC1-TransitGateway-Bytes", "TransitGatewayPeering", &vpc, "GB", &[("0", FLAT, "0.0000000000")]),
        row("IPU", "EUC1-PublicIPv4:InUseAddress", "AllocateAddressVPC", &vpc, "Hrs", &[("0", FLAT, "0.0050000000")]),
        row("IPI", "EUC1-PublicIPv4:IdleAddress", "AllocateAddressVPC", &vpc, "Hrs", &[("0", FLAT, "0.0050000000")]),
    ]
}

fn sku(product: &Value) -> String {
    product["sku"].as_str().unwrap().to_owned()
}

/// The bulk file: products before terms, as AWS writes it.
fn bulk(rows: &[(Value, Value)]) -> String {
    let products: serde_json::Map<_, _> = rows.iter().map(|(product, _)| (sku(product), product.clone())).collect();
    let terms: serde_json::Map<_, _> = rows.iter().map(|(product, offer)| (sku(product), offer.clone())).collect();
    format!(
        r#"{{"formatVersion":"v1.0","disclaimer":"…","offerCode":"AmazonEC2","version":"20260925174521","publicationDate":"2026-09-25T17:45:21Z",
            "products":{},"terms":{{"Reserved":{{"BOX":{{"x":[1,2.5,null]}}}},"OnDemand":{}}},"attributesList":{{}}}}"#,
        Value::Object(products),
        Value::Object(terms)
    )
}

fn documents(rows: &[(Value, Value)]) -> Vec<Value> {
    let document = |(product, offer): &(Value, Value)| {
        json!({ "product": product, "serviceCode": "AmazonEC2", "terms": { "OnDemand": { sku(product): offer } },
            "version": "20260925174521", "publicationDate": "2026-09-25T17:45:21Z" })
    };
    rows.iter().map(document).collect()
}

/// What `aws pricing get-products` prints: documents as texts.
fn get_products(rows: &[(Value, Value)]) -> String {
    let texts: Vec<String> = documents(rows).iter().map(Value::to_string).collect();
    serde_json::to_string_pretty(&json!({ "FormatVersion": "aws_v1", "PriceList": texts })).unwrap()
}

/// The CSV of a bulk file, with the columns that matter and one that does not.
fn bulk_csv(rows: &[(Value, Value)]) -> String {
    let mut text = "\"FormatVersion\",\"v1.0\"\n\"Disclaimer\",\"a, b\"\n\"Publication Date\",\"2026-09-25T17:45:21Z\"\n\
        \"Version\",\"20260925174521\"\n\"OfferCode\",\"AmazonEC2\"\n\"SKU\",\"OfferTermCode\",\"RateCode\",\"TermType\",\
        \"PriceDescription\",\"EffectiveDate\",\"StartingRange\",\"EndingRange\",\"Unit\",\"PricePerUnit\",\"Currency\",\
        \"serviceCode\",\"From Region Code\",\"To Region Code\",\"To Location\",\"transferType\",\"usageType\",\"operation\",\"Region Code\"\n"
        .to_owned();
    for (product, offers) in rows {
        let attribute = |name: &str| product["attributes"][name].as_str().unwrap_or_default().to_owned();
        let named = ["servicecode", "fromRegionCode", "toRegionCode", "toLocation", "transferType", "usagetype", "operation", "regionCode"];
        for offer in offers.as_object().unwrap().values() {
            for dimension in offer["priceDimensions"].as_object().unwrap().values() {
                let of = |name: &str| dimension[name].as_str().unwrap().to_owned();
                let mut cells =
                    vec![sku(product), "JRTCKXETXF".into(), of("rateCode"), "OnDemand".into(), "\"\"quoted\"\", with a comma".into()];
                cells.extend(["2026-09-01".into(), of("beginRange"), of("endRange"), of("unit")]);
                cells.extend([dimension["pricePerUnit"]["USD"].as_str().unwrap().to_owned(), "USD".into()]);
                cells.extend(named.map(attribute));
                text.push_str(&format!("\"{}\"\n", cells.join("\",\"")));
            }
        }
    }
    text
}

fn read(text: &str) -> PriceList {
    PriceList::parse(text.as_bytes(), "file").unwrap()
}

#[track_caller]
fn fails(text: &str, expected: &str) {
    let error = PriceList::parse(text.as_bytes(), "file").unwrap_err();
    assert!(error.to_string().starts_with("file") && error.to_string().contains(expected), "{error}");
    assert!(error.hint().is_some(), "{error}");
}

fn rate(list: &PriceList, meter: &str) -> Option<String> {
    list.unit_price("eu-central-1", &meter.parse().unwrap()).map(|rate| rate.to_string())
}

#[test]
fn the_four_shapes_of_aws_give_the_same_prices() {
    let rows = products();
    let list = read(&bulk(&rows));
    for (meter, expected) in [
        ("nat-hours", "0.0520000000"),
        ("nat-bytes", "0.0520000000"),
        ("regional-nat-az-hours", "0.0530000000"),
        ("regional-nat-bytes", "0.0540000000"),
        ("inter-az-bytes", "0.0100000000"),
        ("public-ip-bytes", "0.0100000000"),
        ("peering-bytes", "0.0100000000"),
        ("internet-egress-bytes", "0.0910000000"),
        ("inter-region-bytes:ap-northeast-3", "0.0800000000"),
        ("endpoint-bytes", "0.0100000000"),
        ("endpoint-az-hours", "0.0120000000"),
        ("transit-gateway-bytes", "0.0200000000"),
        ("public-ipv4-hours", "0.0050000000"),
    ] {
        assert_eq!(rate(&list, meter).as_deref(), Some(expected), "{meter}");
    }
    assert_eq!(list.iter().count(), 13);
    // Prvd-Bytes, Prvd-Gbps, BoxUsage, xAZ, Global, and the transit gateway's peering.
    assert_eq!(list.ignored, 6);
    let nat = list.get("eu-central-1", &Meter::NatBytes).unwrap();
    assert_eq!((nat.as_of.as_deref(), nat.source.as_str()), (Some("2026-09-25"), "AmazonEC2 20260925174521 SKU NATB"));

    let lines = documents(&rows).iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    for text in [
        get_products(&rows),
        Value::Array(documents(&rows)).to_string(),
        serde_json::to_string(&documents(&rows).iter().map(Value::to_string).collect::<Vec<_>>()).unwrap(),
        lines,
        bulk_csv(&rows),
        format!("\u{feff}\r\n  {}", bulk(&rows)),
    ] {
        assert_eq!(read(&text), list, "{}", &text[..60]);
    }
    // Ours again.
    assert_eq!(
        read(&list.to_toml()).iter().map(|price| &price.tiers).collect::<Vec<_>>(),
        list.iter().map(|price| &price.tiers).collect::<Vec<_>>()
    );
}

#[test]
fn products_that_disagree_are_an_error_and_never_a_sum() {
    let mut rows = products();
    let mut twin = rows[1].clone();
    twin.0["sku"] = json!("NATB2");
    twin.1 = offer("NATB2", "GB", &[("0", FLAT, "0.0520")]);
    rows.push(twin.clone());
    assert_eq!(rate(&read(&bulk(&rows)), "nat-bytes").as_deref(), Some("0.0520000000"), "the same price twice is one price");
    rows.last_mut().unwrap().1 = offer("NATB2", "GB", &[("0", FLAT, "0.0450")]);
    for text in [bulk(&rows), get_products(&rows), bulk_csv(&rows)] {
        let error = PriceList::parse(text.as_bytes(), "file").unwrap_err().to_string();
        assert!(error.contains("eu-central-1 nat-bytes: SKU NATB and SKU NATB2 have different rates"), "{error}");
    }
}

#[test]
fn regions_come_from_code_and_prefix_and_must_agree() {
    let one = |usage: &str, further: Value| {
        let list = read(&bulk(&[(product("S", usage, "NatGateway", further), offer("S", "GB", &[("0", FLAT, "0.05")]))]));
        (list.iter().next().map(|price| price.region.clone()), list.notes.len())
    };
    let named = |region: &str, notes| (Some(region.to_owned()), notes);
    assert_eq!(one("EU-NatGateway-Bytes", json!({ "regionCode": "eu-west-1" })), named("eu-west-1", 0));
    assert_eq!(one("EU-NatGateway-Bytes", json!({})), named("eu-west-1", 0));
    assert_eq!(one("APS1-NatGateway-Bytes", json!({})), named("ap-southeast-1", 0));
    assert_eq!(one("APS3-NatGateway-Bytes", json!({})), named("ap-south-1", 0));
    assert_eq!(one("NatGateway-Bytes", json!({})), named("us-east-1", 0));
    assert_eq!(one("USE1-NatGateway-Bytes", json!({ "regionCode": "us-east-1" })), named("us-east-1", 0));
    assert_eq!(one("ILC1-NatGateway-Bytes", json!({ "regionCode": "il-central-1" })), named("il-central-1", 0));
    // A local zone, by prefix or by kind of place; and a prefix of another region.
    assert_eq!(one("LAX1-NatGateway-Bytes", json!({ "regionCode": "us-west-2" })), (None, 1));
    assert_eq!(one("USW2-NatGateway-Bytes", json!({ "regionCode": "us-west-2", "locationType": "AWS Local Zone" })), (None, 0));
    assert_eq!(one("APS1-NatGateway-Bytes", json!({ "regionCode": "ap-south-1" })), (None, 1));
    assert_eq!(one("NatGateway-Bytes", json!({ "servicecode": "AmazonVPC2" })), (None, 0));
}

#[test]
fn numbers_keep_every_digit() {
    let with = |rate: &str| bulk(&products()[1..2]).replace("\"0.0520000000\"", rate);
    // As text, and as a JSON number, of which a float would keep 17 digits.
    for digits in ["0.0520000000000000000000000001", "0.1", "0.30000000000000004", "1e-7", "0"] {
        let expected = decimal(digits).unwrap();
        for text in [with(digits), with(&format!("\"{digits}\""))] {
            assert_eq!(read(&text).unit_price("eu-central-1", &Meter::NatBytes), Some(expected), "{digits}");
        }
    }
    assert_eq!(list_cost(110 << 30, 1 << 30, number("0.0450000000"), 1).unwrap().to_string(), "4.950000");
}

#[test]
fn the_built_in_list_holds_confirmed_figures_only() {
    let list = PriceList::builtin().unwrap();
    assert_eq!(list.iter().count(), 108);
    assert_eq!(list.regions().count(), 17);
    for price in list.iter() {
        assert!(price.as_of.as_deref().is_some_and(|day| ("2020-01-23"..="2026-11-20").contains(&day)), "{price:?}");
        assert!(list.source(&price.source).is_some(), "{price:?}");
        assert!(price.unit_price().is_some(), "{price:?}");
    }
    let rate = |region: &str, meter: &str| list.unit_price(region, &meter.parse().unwrap()).map(|rate| rate.to_string());
    assert_eq!(rate("us-east-1", "nat-bytes").as_deref(), Some("0.045"));
    assert_eq!(rate("eu-west-1", "nat-hours").as_deref(), Some("0.048"));
    assert_eq!(rate("ap-northeast-1", "inter-region-bytes:ap-northeast-3").as_deref(), Some("0.09"));
    assert_eq!(rate("us-east-1", "gwlb-endpoint-bytes").as_deref(), Some("0.0035"));
    // Recalled, not read: never loaded.
    for (region, meter) in [
        ("eu-central-1", "nat-bytes"),
        ("us-west-1", "nat-hours"),
        ("eu-north-1", "nat-bytes"),
        ("ap-south-1", "nat-bytes"),
        ("sa-east-1", "nat-hours"),
        ("us-east-1", "regional-nat-bytes"),
        ("us-east-1", "inter-region-bytes:us-east-2"),
        ("us-east-2", "internet-egress-bytes"),
        ("us-east-2", "inter-az-bytes"),
        ("eu-west-1", "internet-egress-bytes"),
    ] {
        assert_eq!(rate(region, meter), None, "{region} {meter}");
    }
    let findings = list.check(&list);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Note), "{findings:?}");
}

#[test]
fn later_files_win_price_by_price() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = "format = \"flowproof-prices-1\"\n[[price]]\nregion = \"eu-central-1\"\nmeter = \"nat-bytes\"\nrate = \"0.04\"\n";
    let paths = [file("aws.json", &bulk(&products())), file("ours.toml", ours)];
    let list = PriceList::with_files(&paths).unwrap();
    assert_eq!(rate(&list, "nat-bytes").as_deref(), Some("0.04"));
    assert_eq!(rate(&list, "nat-hours").as_deref(), Some("0.0520000000"));
    assert_eq!(list.unit_price("us-east-1", &Meter::NatBytes), Some(number("0.045")));
    let list = PriceList::with_files(&[&paths[1], &paths[0]]).unwrap();
    assert_eq!(rate(&list, "nat-bytes").as_deref(), Some("0.0520000000"));
    let error = PriceList::with_files(&[folder.path().join("none.json")]).unwrap_err();
    assert!(error.to_string().contains("none.json: cannot read the price list"), "{error}");
}

#[test]
fn malformed_files_are_told_with_their_place() {
    let sound = bulk(&products());
    fails(&sound[..sound.len() / 2], "line ");
    fails("{}", "neither products nor PriceList at line 1 column 2");
    fails("[{}]", "neither products nor PriceList");
    fails("[1]", "expected a document of the AWS Price List at line 1");
    fails("{\"PriceList\": [\"{\\\"product\\\": 1}\"]}", "a text in PriceList is no document: invalid type");
    fails("{\"terms\":{\"OnDemand\":{}},\"products\":{}}", "terms stand before products");
    fails(&format!("{sound} trailing"), "line ");
    fails(&sound.replace("0.0860000000", "0,086"), "SKU OUT: \"0,086\" is no decimal number");
    fails(&sound.replace("0.0860000000", "-0.086"), "SKU OUT: \"-0.086\" is no decimal number");
    fails(
        &sound.replace("\"endRange\":\"51200\"", "\"endRange\":\"51000\""),
        "internet-egress-bytes: tiers leave out a part: nothing from 51000 to 51200",
    );
    fails(&sound.replace("\"endRange\":\"51200\"", "\"endRange\":\"51300\""), "tiers overlap from 51200 to 51300");
    let hours = bulk(&[(products()[1].0.clone(), offer("NATB", "Hrs", &[("0", FLAT, "0.052")]))]);
    fails(&hours, "SKU NATB is priced by \"Hrs\", but nat-bytes is by GB");
    fails("\"FormatVersion\",\"v1.0\"\n", "file:1: no header begins with SKU");
    fails(&bulk_csv(&products()).replace("0.0860000000", "?"), "SKU OUT: \"?\" is no decimal number");
    fails("", "file:1: missing field `format`");
    // A page of several says so; a price in another currency is no price.
    let page = get_products(&products()).replacen('{', "{\"NextToken\":\"abc\",", 1);
    assert_eq!(read(&page).notes, ["NextToken is set: this is one page, and there are more"]);
    let unpriced = sound.replace("\"NATB\":{\"NATB.", "\"NATX\":{\"NATX.");
    assert_eq!(rate(&read(&unpriced), "nat-bytes"), None);
    assert_eq!(read(&unpriced).notes, ["left out: products of network meters without a price on demand: 1"]);
    let yuan = read(&bulk(&products()[1..2]).replace("USD", "CNY"));
    assert!(yuan.is_empty() && yuan.notes == ["left out: SKU NATB has no price in USD, but in CNY"], "{:?}", yuan.notes);
}

proptest! {
    /// Damage is an error or another price list, never a panic; and what is accepted can be computed with, shown and written.
    #[test]
    fn damaged_files_stop_nothing(shape in 0..4_usize, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        static SHAPES: LazyLock<[String; 4]> = LazyLock::new(|| {
            let rows = products();
            [bulk(&rows), get_products(&rows), bulk_csv(&rows), read(&bulk(&rows)).to_toml()]
        });
        let mut bytes = SHAPES[shape].clone().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            // Half of the edits take a byte that has a meaning in one of the formats.
            bytes[at] = if byte < 128 { byte } else { b"0123456789.eE-\"{}[],:\n"[usize::from(byte) % 22] };
        }
        if let Ok(list) = PriceList::parse(&bytes, "file") {
            prop_assert_eq!(table(&list).unwrap().num_rows(), list.iter().map(|price| price.tiers.len()).sum::<usize>());
            let again = read(&list.to_toml());
            prop_assert_eq!(again.iter().map(|price| &price.tiers).collect::<Vec<_>>(), list.iter().map(|price| &price.tiers).collect::<Vec<_>>());
            for price in list.iter() {
                list_cost(u128::MAX, 1, price.unit_price().unwrap_or_default(), u32::MAX);
            }
            list.check(&list);
        }
    }
}

#[test]
fn the_table_has_a_row_for_each_tier() {
    let batch = table(&read(&bulk(&products()))).unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&[batch]).unwrap().to_string();
    let line = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        assert!(text.lines().any(|line| cells(line).windows(words.len()).any(|run| run == words)), "{words:?} is not in\n{text}");
    };
    line(&["eu-central-1", "nat-bytes", "EUC1-NatGateway-Bytes", "0.0000000000", "", "GB", "0.0520000000", "2026-09-25"]);
    line(&["internet-egress-bytes", "EUC1-DataTransfer-Out-Bytes", "10240.0000000000", "51200.0000000000", "GB", "0.0860000000"]);
    line(&["inter-region-bytes:ap-northeast-3", "EUC1-APN3-AWS-Out-Bytes"]);
    assert_eq!(text.lines().count(), 4 + 13 + 3 + 2);
    assert_eq!(table(&PriceList::default()).unwrap().num_rows(), 0);
}

#[test]
fn check_finds_what_is_wrong_odd_or_missing() {
    let builtin = PriceList::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let check = |prices: &[(&str, &str, &str)]| {
        let entries = prices.iter().map(|(region, meter, rest)| format!("[[price]]\nregion = \"{region}\"\nmeter = \"{meter}\"\n{rest}\n"));
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, format!("format = \"flowproof-prices-1\"\n{}", entries.collect::<String>())).unwrap();
        PriceList::read_unchecked(&path).unwrap().check(&builtin)
    };
    let faults = |findings: Vec<Finding>| -> Vec<String> {
        findings.iter().filter(|finding| finding.severity == Severity::Fault).map(ToString::to_string).collect()
    };
    assert_eq!(faults(check(&[("us-east-1", "nat-bytes", "rate = \"0.03\"")])), [""; 0]);
    assert_eq!(faults(check(&[("us-east-1", "nat-bytes", "rate = \"0.0225\"")])), [""; 0], "50 % off is the bound");
    assert_eq!(
        faults(check(&[
            ("us-east-1", "nat-bytes", "rate = \"0.09\""),
            ("us-east-1", "nat-giga", "rate = \"0.09\""),
            ("us-middle-1", "nat-bytes", "rate = \"0.09\""),
            ("us-east-1", "inter-region-bytes:us-east-1", "rate = \"0.09\""),
            ("us-east-1", "endpoint-bytes", "tiers = [{ from = \"0\", to = \"9\", rate = \"0.01\" }, { from = \"10\" }]"),
        ])),
        [
            "us-east-1 nat-giga: is no meter (line 8)",
            "us-east-1 endpoint-bytes: tiers leave out a part: nothing from 9 to 10",
            "us-middle-1: is no region that this version knows",
            "us-east-1 inter-region-bytes:us-east-1: goes to its own region",
            "us-east-1 nat-bytes: 0.09 is more than 50 % off the built-in 0.045 (S-USE1C-EC2)",
        ]
    );
    let notes = check(&[("eu-central-1", "nat-bytes", "rate = \"0.052\"")]);
    assert!(notes[0].to_string().starts_with("eu-central-1: no price, here or built in, for nat-hours, regional-nat-bytes,"), "{notes:?}");
    assert_eq!(faults(check(&[])), ["holds no price of a meter"]);
}

#[test]
fn the_command_shows_imports_and_checks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (aws, ours, wrong) = (path("aws.json"), path("ours.toml"), path("wrong.toml"));
    std::fs::write(&aws, get_products(&products())).unwrap();

    let shown = flowproof(&["prices", "show", "--region", "us-east-1", "--meter", "internet-egress-bytes", "-o", "csv"]).exits(0).text();
    let first = "us-east-1,internet-egress-bytes,DataTransfer-Out-Bytes,0,10240,GB,0.09,2026-09-16,S-USE1C\n";
    assert!(shown.starts_with(&format!("region,meter,usage_type,from,to,unit,rate,as_of,source\n{first}")), "{shown}");
    assert_eq!(shown.lines().count(), 5);
    let osaka = flowproof(&["prices", "show", "--meter", "inter-region-bytes", "-o", "ndjson"]).exits(0).text();
    assert_eq!(osaka.lines().count(), 4, "{osaka}");
    flowproof(&["prices", "show", "--meter", "nat"]).exits(2).without_results().tells("there is no meter \"nat\"").tells("nat-bytes");

    flowproof(&["prices", "show", "--region", "eu-centrl-1"]).exits(2).without_results().tells("there is no region \"eu-centrl-1\"");
    flowproof(&["prices", "show", "--region", "eu-central-1", "-o", "csv"]).exits(0);

    let imported = flowproof(&["prices", "import", &aws]).exits(0).text();
    std::fs::write(&ours, &imported).unwrap();
    assert!(imported.contains("# products left out because they are no network meter: 6\n"), "{imported}");
    assert_eq!(
        flowproof(&["prices", "import", &ours]).exits(0).text().lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(),
        imported.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>()
    );
    let show = |file: &str| flowproof(&["prices", "show", "--region", "eu-central-1", "--prices", file, "-o", "csv"]).exits(0).text();
    assert_eq!(show(&ours), show(&aws));
    assert!(
        show(&ours).contains("eu-central-1,nat-bytes,EUC1-NatGateway-Bytes,0,,GB,0.052,2026-09-25,AmazonEC2 20260925174521 SKU NATB\n")
    );

    flowproof(&["prices", "check", &ours, &aws]).exits(0);
    std::fs::write(&wrong, imported.replace("rate = \"0.012\"", "rate = \"0.012\"\nunit = \"GB\"").replace("unit = \"hour\"\n", ""))
        .unwrap();
    flowproof(&["prices", "check", &wrong]).exits(1).tells("is not its unit");
    std::fs::write(&wrong, imported.replace("eu-central-1", "us-east-1").replace("meter = \"nat-bytes\"", "meter = \"nat\"")).unwrap();
    let told = flowproof(&["prices", "check", &wrong, "-o", "csv"]).exits(1).tells("price lists have 1 fault");
    assert!(told.text().contains("fault,us-east-1,nat,is no meter (line "), "{}", told.text());
    let told = flowproof(&["prices", "show", "--prices", &wrong]).exits(1).without_results();
    told.tells("us-east-1 nat: is no meter").tells("hint: flowproof prices check");
    flowproof(&["prices", "import", &path("none.json")]).exits(2).without_results().tells("none.json: cannot read");
}
