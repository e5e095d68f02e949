//! The rows of `report cost` in the shape of FOCUS, for tools that read it.

use super::charges::Charges;
use super::cost::{Key, Line, Lines};
use crate::cost::focus::{FocusRow, QUANTITY_DECIMALS};
use crate::cost::prices::BYTES_PER_GB_DEFAULT;
use crate::cost::region_codes::split_usage_type;
use crate::time::{DAY, TimeRange, UnixSeconds};
use chrono::{DateTime, Datelike, Months};
use rust_decimal::{Decimal, RoundingStrategy};

/// Returns the charges of a run, observed and imputed ones apart.
pub fn rows<'a>(lines: &'a Lines, period: TimeRange, charges: &'a Charges) -> impl Iterator<Item = FocusRow> + 'a {
    lines.iter().flat_map(move |(key, line)| {
        let parts = match (line.bytes, line.observed) {
            (Some(bytes), Some(observed)) => vec![(Some(observed), false), (Some(bytes.saturating_sub(observed)), true)],
            _ => vec![(None, false)],
        };
        parts
            .into_iter()
            .filter(|(bytes, _)| *bytes != Some(0))
            .map(move |(bytes, imputed)| row(key, line, bytes, imputed, period, charges))
    })
}

fn row(key: &Key, line: &Line, bytes: Option<u64>, imputed: bool, period: TimeRange, charges: &Charges) -> FocusRow {
    let (from, to) = (period.from.unwrap_or(0), period.to.unwrap_or(0));
    let quantity = match bytes {
        Some(bytes) => Decimal::from(bytes).checked_div(Decimal::from(charges.bytes_per_gb)).unwrap_or_default(),
        None => line.quantity,
    };
    let is_binary = charges.bytes_per_gb == BYTES_PER_GB_DEFAULT;
    let account = key.account.clone().unwrap_or_default();
    let (_, sku_meter) = split_usage_type(&key.usage_type);
    let is_vpc = ["VpcEndpoint", "TransitGateway", "VpcPeering", "PublicIPv4"].iter().any(|name| sku_meter.starts_with(name));
    FocusRow {
        billing_account_id: account.clone(),
        sub_account_id: account,
        billing_period: month(from),
        charge_period: (from, to),
        currency: "USD".to_owned(),
        description: format!("{} ({}), estimated from VPC Flow Logs", key.usage_type, key.category),
        region_id: key.region.clone().unwrap_or_default(),
        // As AWS names them: transfer and NAT are billed with EC2, peering's transfer too, endpoints and gateways with VPC.
        service_name: if is_vpc { "Amazon Virtual Private Cloud" } else { "Amazon Elastic Compute Cloud" }.to_owned(),
        service_subcategory: if key.category == "nat" { "Network Infrastructure" } else { "Network Connectivity" }.to_owned(),
        usage_type: key.usage_type.clone(),
        sku_meter: sku_meter.to_owned(),
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
        ..FocusRow::default()
    }
}

/// The month of an instant.
fn month(t: UnixSeconds) -> (UnixSeconds, UnixSeconds) {
    let first = DateTime::from_timestamp(t.div_euclid(DAY) * DAY, 0).and_then(|day| day.with_day(1));
    let next = first.and_then(|first| first.checked_add_months(Months::new(1)));
    (first.map_or(t, |first| first.timestamp()), next.map_or(t, |next| next.timestamp()))
}
