//! The bill for a generated estate: a daily CUR 2.0 in CSV, written from the truth with the usage types that AWS documents.
//!
//! Which ends are metered is the contract's: both of `direct`, both or one of `nat`, the EC2 side alone of `database` and
//! `eks-control-plane`, none of `endpoint`. What a target then rejects was sent all the same, and is billed at both ends here
//! (AWS documents nothing about it). Hours are those that the period touches, begun ones in full.

use super::truth::{CrossAzDayTruth, Truth};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Decimals of usage and cost, as in CURs.
const DECIMALS: u32 = 10;
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// Product code, usage type without the region's code, operation.
type Meter<'a> = (&'a str, &'a str, &'a str);

/// What the generated bill is computed with, the same in every region.
#[derive(Debug, Clone)]
pub(crate) struct Prices {
    /// Bytes of a billed GB.
    pub(crate) bytes_per_gb: u64,
    /// Per GB and metered end between AZs.
    pub(crate) regional_gb: Decimal,
    /// Per GB through a NAT gateway.
    pub(crate) nat_gb: Decimal,
    /// Per hour of a NAT gateway.
    pub(crate) nat_hour: Decimal,
    /// Metered ends of the hop between a client and a NAT gateway in another AZ: 1 or 2.
    pub(crate) nat_az_ends: u8,
}

impl Default for Prices {
    /// Returns eu-central-1's figures in the order of their size, 2^30 bytes to a GB.
    fn default() -> Prices {
        Prices {
            bytes_per_gb: 1 << 30,
            regional_gb: Decimal::new(10, 3),
            nat_gb: Decimal::new(52, 3),
            nat_hour: Decimal::new(52, 3),
            nat_az_ends: 2,
        }
    }
}

/// Metered ends of a movement: whether it is billed as `InterZone-Out`, and as `InterZone-In`.
pub(crate) fn metered_ends(row: &CrossAzDayTruth, nat_az_ends: u8) -> (bool, bool) {
    match row.kind {
        "direct" => (true, true),
        "nat" if nat_az_ends == 2 => (true, true),
        "nat" | "database" | "eks-control-plane" => (!row.service_sends, row.service_sends),
        _ => (false, false),
    }
}

/// Returns the hours of a day that a period touches.
pub(crate) fn hours_touched(truth: &Truth, day: i64) -> i64 {
    let (from, to) = (truth.from.max(day), truth.to.min(day + DAY));
    if from >= to { 0 } else { (to - 1).div_euclid(HOUR) - from.div_euclid(HOUR) + 1 }
}

/// The ARN under which a gateway is billed.
pub(crate) fn nat_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:aws:ec2:{region}:{account}:natgateway/{id}")
}

/// Returns the bill as the CSV of a CUR 2.0 with daily granularity and resource ids, in which some lines are of something else.
pub(crate) fn cur2(truth: &Truth, prices: &Prices) -> String {
    let mut text =
        "bill_payer_account_id,line_item_availability_zone,line_item_currency_code,line_item_line_item_type,line_item_operation,\
        line_item_product_code,line_item_resource_id,line_item_unblended_cost,line_item_unblended_rate,line_item_usage_account_id,\
        line_item_usage_account_name,line_item_usage_amount,line_item_usage_end_date,line_item_usage_start_date,line_item_usage_type,\
        pricing_public_on_demand_cost,pricing_unit,product,product_region_code\n"
            .to_owned();
    let mut line = |who: (&str, &str, i64), meter: Meter<'_>, resource: &str, quantity: Decimal, price: Decimal| {
        let ((account, region, day), (service, usage_type, operation)) = (who, meter);
        let quantity = quantity.round_dp(DECIMALS);
        let cost = (quantity * price).round_dp(DECIMALS);
        let (start, end) = (instant(day), instant(day + DAY));
        let unit = if usage_type.ends_with("Bytes") { "GB" } else { "Hrs" };
        let product = format!(r#""{{""product_name"":""{service}"",""region"":""{region}""}}""#);
        text += &format!(
            "999900001111,,USD,Usage,{operation},{service},{resource},{cost},{price},{account},\"Account, {account}\",{quantity},{end},{start},\
             {}{usage_type},{cost},{unit},{product},{region}\n",
            code(region)
        );
    };
    let gb = |bytes: u64| Decimal::from(bytes) / Decimal::from(prices.bytes_per_gb);
    let mut regional: BTreeMap<(&str, &str, i64, Meter<'_>), u64> = BTreeMap::new();
    for row in &truth.cross_az_days {
        let (out, into) = metered_ends(row, prices.nat_az_ends);
        let mut add = |meter| *regional.entry((&row.account_id, &row.region, row.day, meter)).or_default() += row.bytes;
        if out {
            add(("AmazonEC2", "DataTransfer-Regional-Bytes", "InterZone-Out"));
        }
        if into {
            add(("AmazonEC2", "DataTransfer-Regional-Bytes", "InterZone-In"));
        }
        // The database's own end is metered too, at no charge.
        if row.kind == "database" {
            let direction = if row.service_sends { "DataTransfer-xAZ-Out-Bytes" } else { "DataTransfer-xAZ-In-Bytes" };
            add(("AmazonRDS", direction, "CreateDBInstance:0014"));
        }
    }
    for ((account, region, day, meter), bytes) in regional {
        let price = if meter.0 == "AmazonRDS" { Decimal::ZERO } else { prices.regional_gb };
        line((account, region, day), meter, "", gb(bytes), price);
    }
    for row in &truth.nat_days {
        let (who, arn) = ((&*row.account_id, &*row.region, row.day), nat_arn(&row.region, &row.account_id, &row.nat_gateway_id));
        line(who, ("AmazonEC2", "NatGateway-Bytes", "NatGateway"), &arn, gb(row.bytes), prices.nat_gb);
        line(who, ("AmazonEC2", "NatGateway-Hours", "NatGateway"), &arn, hours_touched(truth, row.day).into(), prices.nat_hour);
        line(who, ("AmazonEC2", "BoxUsage:m5.large", "RunInstances"), "i-0123456789abcdef0", 24.into(), Decimal::new(115, 3));
    }
    text
}

/// The code that a region's usage types begin with, with its hyphen.
fn code(region: &str) -> &'static str {
    match region {
        "eu-central-1" => "EUC1-",
        _ => "",
    }
}

fn instant(at: i64) -> String {
    chrono::DateTime::from_timestamp(at, 0).expect("a day of this century").format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
