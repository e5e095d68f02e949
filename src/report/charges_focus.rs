//! The rows of `report cost` in the shape of FOCUS, for tools that read it: estimates, or a bill's dollars by owner.

use super::charges::Charges;
use super::cost::{Key, Line, Lines};
use super::tie_out::TiedOut;
use crate::cost::bill_shares::UNEXPLAINED;
use crate::cost::focus::{Allocated, FocusRow, QUANTITY_DECIMALS};
use crate::cost::prices::BYTES_PER_GB_DEFAULT;
use crate::cost::region_codes::{split_usage_type, usage_type_in};
use crate::inventory::Inventory;
use crate::time::{DAY, TimeRange, UnixSeconds};
use chrono::{DateTime, Datelike, Months};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;

/// Returns the charges of a run, observed and imputed ones apart.
pub fn rows<'a>(
    lines: &'a Lines,
    period: TimeRange,
    charges: &'a Charges,
    inventory: &'a Inventory,
) -> impl Iterator<Item = FocusRow> + 'a {
    lines.iter().flat_map(move |(key, line)| {
        let parts = match (line.bytes, line.observed) {
            (Some(bytes), Some(observed)) => vec![(Some(observed), false), (Some(bytes.saturating_sub(observed)), true)],
            _ => vec![(None, false)],
        };
        parts
            .into_iter()
            .filter(|(bytes, _)| *bytes != Some(0))
            .map(move |(bytes, imputed)| estimate(key, line, bytes, imputed, period, charges, inventory))
    })
}

fn estimate(
    key: &Key,
    line: &Line,
    bytes: Option<u64>,
    imputed: bool,
    period: TimeRange,
    charges: &Charges,
    inventory: &Inventory,
) -> FocusRow {
    let (from, to) = (period.from.unwrap_or(0), period.to.unwrap_or(0));
    let quantity = match bytes {
        Some(bytes) => Decimal::from(bytes).checked_div(Decimal::from(charges.bytes_per_gb)).unwrap_or_default(),
        None => line.quantity,
    };
    let is_binary = charges.bytes_per_gb == BYTES_PER_GB_DEFAULT;
    let account = key.account.clone().unwrap_or_default();
    let name = inventory.account_name(&account).map(str::to_owned);
    FocusRow {
        billing_account_id: account.clone(),
        billing_account_name: name.clone(),
        sub_account_id: account,
        sub_account_name: name,
        billing_period: month(from),
        charge_period: (from, to),
        currency: "USD".to_owned(),
        description: format!("{} ({}), estimated from VPC Flow Logs", key.usage_type, key.category),
        region_id: key.region.clone().unwrap_or_default(),
        service_subcategory: if key.category == "nat" { "Network Infrastructure" } else { "Network Connectivity" }.to_owned(),
        operation: key.operation.clone().unwrap_or_default(),
        pricing_quantity: quantity.round_dp_with_strategy(QUANTITY_DECIMALS, RoundingStrategy::MidpointNearestEven),
        unit: match bytes {
            Some(_) if is_binary => "GiB",
            Some(_) => "GB",
            None => "Hours",
        },
        list_unit_price: line.unit_price,
        tags: key.owner.iter().map(|owner| ("owner".to_owned(), owner.clone())).collect(),
        imputed,
        confidence: Some(if line.cost == line.cost_min { "high" } else { "low" }),
        evidence: Some("flowproof report cost".to_owned()),
        ..of_usage_type(&key.usage_type)
    }
}

/// Returns a bill's dollars by owner: the parts of a line add up to it. Quantities are the bill's own, in its unit; list prices stand
/// in the bill itself and not here.
pub fn parts_of_a_bill<'a>(tied: &'a TiedOut, inventory: &'a Inventory) -> impl Iterator<Item = FocusRow> + 'a {
    tied.parts.iter().map(move |part| {
        let row = &part.row;
        let usage_type = usage_type_in(&row.region, &row.usage_type).unwrap_or_else(|| row.usage_type.clone());
        let name = inventory.account_name(&row.account_id).map(str::to_owned);
        let is_explained = part.owner != UNEXPLAINED;
        FocusRow {
            billing_account_id: row.account_id.clone(),
            billing_account_name: name.clone(),
            sub_account_id: row.account_id.clone(),
            sub_account_name: name,
            billing_period: month(row.day),
            charge_period: if tied.is_monthly { month(row.day) } else { (row.day, row.day + DAY) },
            currency: tied.bill.currency.clone().unwrap_or_default(),
            description: format!("{usage_type}, part of {} by VPC Flow Logs", part.owner),
            region_id: row.region.clone(),
            resource_id: row.resource.clone(),
            service_subcategory: if row.usage_type.contains("NatGateway") { "Network Infrastructure" } else { "Network Connectivity" }
                .to_owned(),
            operation: row.operation.clone(),
            pricing_quantity: part.quantity,
            unit: if row.unit == "Hrs" { "Hours" } else { row.unit },
            confidence: Some(if is_explained { "high" } else { "low" }),
            evidence: Some("flowproof report cost --cur".to_owned()),
            allocated: Some(Allocated {
                billed_cost: part.cost,
                method_id: "flow-log-bytes".to_owned(),
                ratio: part.quantity.checked_div(row.billed_quantity).unwrap_or_default(),
                resource_id: part.owner.clone(),
                resource_name: None,
                tags: BTreeMap::new(),
            }),
            ..of_usage_type(&usage_type)
        }
    })
}

/// What a usage type says by itself.
fn of_usage_type(usage_type: &str) -> FocusRow {
    let (_, sku_meter) = split_usage_type(usage_type);
    let is_vpc = ["VpcEndpoint", "TransitGateway", "VpcPeering", "PublicIPv4"].iter().any(|name| sku_meter.starts_with(name));
    FocusRow {
        // As AWS names them: transfer and NAT are billed with EC2, peering's transfer too, endpoints and gateways with VPC.
        service_name: if is_vpc { "Amazon Virtual Private Cloud" } else { "Amazon Elastic Compute Cloud" }.to_owned(),
        usage_type: usage_type.to_owned(),
        sku_meter: sku_meter.to_owned(),
        ..FocusRow::default()
    }
}

/// The month of an instant.
fn month(t: UnixSeconds) -> (UnixSeconds, UnixSeconds) {
    let first = DateTime::from_timestamp(t.div_euclid(DAY) * DAY, 0).and_then(|day| day.with_day(1));
    let next = first.and_then(|first| first.checked_add_months(Months::new(1)));
    (first.map_or(t, |first| first.timestamp()), next.map_or(t, |next| next.timestamp()))
}
