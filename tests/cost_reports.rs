//! What the reports of costs do beyond the hand-made figures of `costs`: comparing periods, the bill, FOCUS, owners' names,
//! a firewall in the path.

use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, flowproof};
use rust_decimal::Decimal;
use serde_json::Value;
use std::path::Path;

/// The case in which the gateway is in another AZ than its client: 10 GB up, 100 GB down.
const LOGS: &str = "sample-logs/costs/nat-other-az/logs";
const INVENTORY: &str = "sample-logs/costs/nat-other-az/inventory";
const GATEWAY: &str = "arn:aws:ec2:us-east-1:111122223333:natgateway/nat-0c057000000000006";

fn report(name: &str, logs: &str, inventory: &str, options: &[&str]) -> Value {
    let mut args = vec!["report", name, logs, "--inventory", inventory, "-o", "json"];
    args.extend(options);
    flowproof(&args).exits(0).json()
}

/// Money and quantities are number literals; as text, so that nothing is lost.
fn decimal(value: &Value) -> Decimal {
    value.to_string().parse().unwrap_or_else(|_| panic!("{value} is no number"))
}

fn rows(report: &Value) -> &[Value] {
    report["rows"].as_array().unwrap()
}

#[test]
fn a_period_compared_with_itself_has_not_changed_and_with_an_empty_one_all_is_new() {
    let hour = ["--from", "2026-10-01T10:00:00Z", "--to", "2026-10-01T11:00:00Z"];
    let same = [&hour[..], &["--compare", "2026-10-01T10:00:00Z..2026-10-01T11:00:00Z"]].concat();
    let same = report("cost", LOGS, INVENTORY, &same);
    assert_eq!(rows(&same).len(), 5);
    for row in rows(&same) {
        assert_eq!((decimal(&row["change"]), &row["is_new"]), (Decimal::ZERO, &Value::Bool(false)), "{row}");
        assert_eq!(row["list_cost"], row["previous_list_cost"]);
    }
    let earlier = report("cost", LOGS, INVENTORY, &[&hour[..], &["--compare", "previous"]].concat());
    let of_traffic = |row: &&Value| !row["bytes"].is_null();
    for row in rows(&earlier).iter().filter(of_traffic) {
        assert_eq!((&row["change"], &row["is_new"]), (&row["list_cost"], &Value::Bool(true)), "{row}");
    }
    assert_eq!(earlier["totals"]["previous_period"], "2026-10-01T09:00:00Z to 2026-10-01T10:00:00Z");
    // The gateway stood there in the hour before too: what it costs by the hour has not changed.
    let hours = rows(&earlier).iter().find(|row| row["unit"] == "hour").unwrap();
    assert_eq!((decimal(&hours["change"]), &hours["is_new"]), (Decimal::ZERO, &Value::Bool(false)), "{hours}");
    assert_eq!(decimal(&hours["previous_list_cost"]), Decimal::new(45, 3));
    flowproof(&["report", "cost", LOGS, "--inventory", INVENTORY, "--compare", "previous"])
        .exits(2)
        .tells("--from and --to")
        .without_results();
    flowproof(&["report", "cost", LOGS, "--inventory", INVENTORY, "--compare", "last week"])
        .exits(2)
        .tells("is no period")
        .without_results();
}

#[test]
fn tiers_of_one_line_share_what_is_observed_and_what_is_certain() {
    let cost = report("cost", LOGS, INVENTORY, &["--month-to-date", "regional-transfer=0"]);
    let of = |operation: &str| {
        let rows = rows(&cost).iter().filter(|row| row["operation"] == operation);
        let figures = ["bytes", "observed_bytes", "list_cost", "list_cost_min"];
        rows.map(|row| figures.map(|name| row[name].to_string().parse::<Decimal>().unwrap())).collect::<Vec<_>>()
    };
    let gb = |count: i64| Decimal::from(count << 30);
    let cents = |count| Decimal::new(count, 2);
    // 110 GB in, 1 GB of them free; 100 GB (the client's end) are metered for certain, and the free one comes first.
    assert_eq!(of("InterZone-In"), [[gb(1), gb(1), cents(0), cents(0)], [gb(109), gb(109), cents(109), cents(99)]]);
    // Out, the free one is used up; the client's end has 10 GB.
    assert_eq!(of("InterZone-Out"), [[gb(110), gb(110), cents(110), cents(10)]]);
}

const BILL_HEAD: &str = "line_item_usage_account_id,line_item_usage_type,line_item_operation,line_item_resource_id,line_item_usage_start_date,\
    line_item_usage_end_date,line_item_usage_amount,line_item_unblended_cost,line_item_line_item_type,line_item_product_code,\
    product_region_code,line_item_currency_code";

/// A bill of the hour; of 120 GB between AZs in one direction the logs have 110.
fn bill(folder: &Path) -> String {
    let line = |day: &str, usage: &str, operation: &str, resource: &str, amount: &str, cost: &str| {
        format!(
            "111122223333,{usage},{operation},{resource},2026-10-{day}T10:00:00Z,2026-10-{day}T11:00:00Z,{amount},{cost},Usage,AmazonEC2,us-east-1,USD"
        )
    };
    let lines = [
        BILL_HEAD.to_owned(),
        line("01", "NatGateway-Bytes", "NatGateway", GATEWAY, "110", "4.95"),
        line("01", "NatGateway-Hours", "NatGateway", GATEWAY, "1", "0.045"),
        line("01", "DataTransfer-Regional-Bytes", "InterZone-Out", "i-0abc", "120", "1.20"),
        line("01", "DataTransfer-Regional-Bytes", "InterZone-In", "i-0abc", "110", "1.10"),
        line("01", "DataTransfer-Out-Bytes", "RunInstances", "i-0abc", "10", "0.90"),
        line("01", "BoxUsage:m5.large", "RunInstances", "i-0abc", "1", "0.096"),
        line("02", "NatGateway-Bytes", "NatGateway", GATEWAY, "7", "0.315"),
    ];
    let path = folder.join("cur.csv");
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_bill_is_explained_and_divided_among_owners_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let bill = bill(folder.path());
    let tied = report("cost", LOGS, INVENTORY, &["--cur", &bill, "--by", "eni"]);
    let explained = |usage: &str, operation: &str| {
        let found = rows(&tied).iter().find(|row| row["usage_type"] == usage && row["operation"] == operation);
        found.map(|row| (decimal(&row["explained_share"]), decimal(&row["unexplained_quantity"]))).unwrap()
    };
    assert_eq!(explained("NatGateway-Bytes", "NatGateway"), (Decimal::ONE, Decimal::ZERO));
    assert_eq!(explained("NatGateway-Hours", "NatGateway"), (Decimal::ONE, Decimal::ZERO));
    assert_eq!(explained("DataTransfer-Regional-Bytes", "InterZone-In"), (Decimal::ONE, Decimal::ZERO));
    // 110 ÷ 120, cut: 1 only where all is explained.
    assert_eq!(explained("DataTransfer-Regional-Bytes", "InterZone-Out"), (Decimal::new(916_666, 6), Decimal::from(10)));
    assert_eq!(explained("DataTransfer-Out-Bytes", "RunInstances"), (Decimal::ONE, Decimal::ZERO));
    // 4.95 + 0.045 + 1.20 + 1.10 + 0.90; the line of the second day is outside the period, that of the instance is no network's.
    let allocated = |owner: &str| -> Decimal {
        let parts = tied["allocation"].as_array().unwrap().iter().filter(|part| part["owner"] == owner || owner == "*");
        parts.map(|part| decimal(&part["billed_cost"])).sum()
    };
    assert_eq!(allocated("*"), Decimal::new(8_195, 3));
    assert_eq!(allocated("(unexplained)"), Decimal::new(1, 1));
    let notes = tied["notes"].to_string();
    assert!(notes.contains("1 network lines of the bill ($0.32) are of days outside the period"), "{notes}");
    assert_eq!(decimal(&tied["bill"]["other_products"][0]["cost"]), Decimal::new(96, 3));
    flowproof(&["report", "cost", LOGS, "--inventory", INVENTORY, "--cur", &bill, "--cur", &bill])
        .exits(2)
        .tells("given twice")
        .without_results();
    flowproof(&["report", "cost", LOGS, "--inventory", INVENTORY, "--cur", "Cargo.toml"]).exits(1).tells("Cargo.toml").without_results();
}

#[test]
fn charges_in_the_shape_of_focus_hold_what_the_report_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("focus.csv");
    let report = report("cost", LOGS, INVENTORY, &["--focus", path.to_str().unwrap()]);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let head = reader.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|column| column == name).unwrap();
    let (mut cost, mut count) = (Decimal::ZERO, 0);
    for record in reader.records().map(Result::unwrap) {
        let number = |name: &str| record[at(name)].parse::<Decimal>().unwrap();
        assert_eq!(number("ListUnitPrice") * number("PricingQuantity"), number("ListCost"));
        assert_eq!(number("BilledCost"), Decimal::ZERO);
        assert!(matches!(&record[at("PricingUnit")], "GiB" | "Hours"));
        assert_eq!((&record[at("BillingPeriodStart")], &record[at("BillingPeriodEnd")]), ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"));
        (cost, count) = (cost + number("ListCost"), count + 1);
    }
    assert_eq!((cost, count), (decimal(&report["totals"]["list_cost"]), rows(&report).len()));
}

#[test]
fn a_bill_in_the_shape_of_focus_has_each_line_divided_among_owners() {
    let folder = tempfile::tempdir().unwrap();
    let (bill, path) = (bill(folder.path()), folder.path().join("focus.csv"));
    report("cost", LOGS, INVENTORY, &["--cur", &bill, "--by", "eni", "--focus", path.to_str().unwrap()]);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let head = reader.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|column| column == name).unwrap();
    let mut lines: std::collections::BTreeMap<String, (Decimal, Decimal)> = std::collections::BTreeMap::new();
    let mut unexplained = Vec::new();
    for record in reader.records().map(Result::unwrap) {
        let number = |name: &str| record[at(name)].parse::<Decimal>().unwrap();
        let (cost, quantity) = lines.entry(format!("{} {}", &record[at("x_UsageType")], &record[at("x_Operation")])).or_default();
        (*cost, *quantity) = (*cost + number("BilledCost"), *quantity + number("PricingQuantity"));
        assert_eq!((number("EffectiveCost"), &record[at("x_Mode")]), (number("BilledCost"), "reconciled"));
        assert_eq!((&record[at("ListCost")], &record[at("AllocatedMethodId")]), ("", "flow-log-bytes"));
        assert_eq!((&record[at("ChargePeriodStart")], &record[at("ChargePeriodEnd")]), ("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"));
        if &record[at("AllocatedResourceId")] == "(unexplained)" {
            unexplained.push((record[at("BilledCost")].to_owned(), record[at("PricingQuantity")].to_owned()));
        }
    }
    // The lines of the bill of that day, each whole; of 120 GB sent between AZs the logs have 110.
    let line = |key: &str, cost: &str, quantity: &str| (key.to_owned(), (cost.parse().unwrap(), quantity.parse().unwrap()));
    let wanted = [
        line("DataTransfer-Out-Bytes RunInstances", "0.90", "10"),
        line("DataTransfer-Regional-Bytes InterZone-In", "1.10", "110"),
        line("DataTransfer-Regional-Bytes InterZone-Out", "1.20", "120"),
        line("NatGateway-Bytes NatGateway", "4.95", "110"),
        line("NatGateway-Hours NatGateway", "0.045", "1"),
    ];
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), wanted);
    assert_eq!(unexplained, [("0.1".to_owned(), "10".to_owned())]);
}

#[test]
fn owners_by_namespace_and_cluster_are_those_of_kubernetes() {
    let owners = |by: &str| {
        let report = report("cross-az", ESTATE_LOGS, ESTATE_INVENTORY, &["--by", by]);
        let owners: std::collections::BTreeSet<String> =
            rows(&report).iter().filter_map(|row| row["owner"].as_str().map(str::to_owned)).collect();
        owners.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(owners("namespace"), ["kube-system", "spark"]);
    assert_eq!(owners("cluster"), ["analytics", "payments"]);
    flowproof(&["report", "cross-az", ESTATE_LOGS, "--by", "colour"]).exits(2).tells("--by az-pair, account").without_results();
}

/// A folder with the logs of a conversation through a NAT gateway, and an inventory in which a firewall stands before it.
fn behind_a_firewall(folder: &Path) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let gb = 1_u64 << 30;
    let mut log = "account-id interface-id vpc-id az-id region srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol packets bytes start end action log-status flow-direction\n".to_owned();
    let mut record = |eni: &str, az: &str, src: &str, dst: &str, packet: (&str, &str), bytes: u64, direction: &str| {
        log += &format!(
            "111122223333 {eni} vpc-1 {az} us-east-1 {src} {dst} {} {} 40000 443 6 10 {bytes} 1790848800 1790848860 ACCEPT OK {direction}\n",
            packet.0, packet.1
        );
    };
    let (client, remote, nat) = ("10.0.1.5", "203.0.113.5", "10.0.0.20");
    for direction in ["ingress", "egress"] {
        record("eni-fw", "use1-az4", client, remote, (client, remote), 10 * gb, direction);
    }
    record("eni-nat", "use1-az4", client, nat, (client, remote), 10 * gb, "ingress");
    record("eni-nat", "use1-az4", nat, remote, (nat, remote), 10 * gb, "egress");
    // The same client to another remote, past the firewall.
    record("eni-nat", "use1-az4", "10.0.1.6", nat, ("10.0.1.6", remote), 2 * gb, "ingress");
    write("logs/flows.log", &log);
    let eni = |id: &str, kind: &str, address: &str, description: &str| {
        format!(
            r#"{{"NetworkInterfaceId":"{id}","VpcId":"vpc-1","SubnetId":"subnet-1","InterfaceType":"{kind}","Description":"{description}","PrivateIpAddress":"{address}","PrivateIpAddresses":[{{"PrivateIpAddress":"{address}","Primary":true}}],"OwnerId":"111122223333","AvailabilityZone":"us-east-1a","Status":"in-use"}}"#
        )
    };
    let enis = [
        eni("eni-nat", "nat_gateway", nat, "Interface for NAT Gateway nat-1"),
        eni("eni-fw", "gateway_load_balancer_endpoint", "10.0.0.30", "VPC Endpoint Interface vpce-1"),
        eni("eni-client", "interface", client, ""),
        eni("eni-other", "interface", "10.0.1.6", ""),
    ];
    write("inventory/enis.json", &format!(r#"{{"NetworkInterfaces":[{}]}}"#, enis.join(",")));
    write(
        "inventory/subnets.json",
        r#"{"Subnets":[{"SubnetId":"subnet-1","VpcId":"vpc-1","CidrBlock":"10.0.0.0/16","AvailabilityZone":"us-east-1a","AvailabilityZoneId":"use1-az4","OwnerId":"111122223333"}]}"#,
    );
    write(
        "inventory/endpoints.json",
        r#"{"VpcEndpoints":[{"VpcEndpointId":"vpce-1","VpcEndpointType":"GatewayLoadBalancer","VpcId":"vpc-1","State":"available","NetworkInterfaceIds":["eni-fw"],"SubnetIds":["subnet-1"],"Tags":[{"Key":"AWSNetworkFirewallManaged","Value":"true"}]}]}"#,
    );
    write("inventory/accounts.json", r#"{"Accounts":[{"Id":"111122223333","Name":"payments-prod","Status":"ACTIVE"}]}"#);
}

#[test]
fn a_firewall_in_the_path_takes_the_place_of_nat_processing() {
    let folder = tempfile::tempdir().unwrap();
    behind_a_firewall(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let nat = report("nat", &path("logs"), &path("inventory"), &[]);
    let costs: Vec<(&str, Decimal)> =
        rows(&nat).iter().map(|row| (row["client_addr"].as_str().unwrap(), decimal(&row["processing_cost"]))).collect();
    // 10 GB × 0.065 of the firewall; 2 GB × 0.045 of the gateway.
    assert_eq!(costs, [("10.0.1.5", Decimal::new(65, 2)), ("10.0.1.6", Decimal::new(9, 2))]);
    assert!(nat["notes"].to_string().contains("10 GiB passed a Network Firewall"), "{}", nat["notes"]);
    let name = flowproof(&["sql", "--inventory", &path("inventory"), "-c", "SELECT account_name('111122223333') AS name", "-o", "json"]);
    assert_eq!(name.exits(0).json(), serde_json::json!([{ "name": "payments-prod" }]));
    let cost = report("cost", &path("logs"), &path("inventory"), &[]);
    assert!(rows(&cost).iter().all(|row| row["account_name"] == "payments-prod"), "{cost}");
}
