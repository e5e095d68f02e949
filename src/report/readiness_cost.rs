//! The rows of `report readiness` that are about money: what the switch makes the customer pay for.
//!
//! Only what was measured is priced: no volume is assumed. Before the switch, destinations outside the VPC are in no flow log, so
//! their cost stays unknown; what can be priced then is the hours of a NAT gateway that is not there yet.

use super::cells::cells;
use super::charges::{Charges, Unpriced, sum};
use super::readiness::{Observed, Row, State};
use super::readiness_checks::{Asked, stands_in};
use crate::cost::prices::Meter;
use crate::error::Result;
use crate::inventory::dialled::Place;
use crate::inventory::model::CUSTOMER_ROUTED;
use crate::inventory::reach::End;
use crate::query::Engine;
use crate::time::HOUR;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Hours of a month, as AWS's own estimates take them.
const HOURS_OF_MONTH: u64 = 730;

/// How monthly_list_cost comes about.
pub(super) const FORMULA: &str = "monthly_list_cost of a destination = bytes of the period × 730 h ÷ hours of the period, priced: through a NAT gateway price(NAT per \
    GB) × both ways, plus price(between AZs) × ends × both ways where the gateway is in another AZ, plus price(internet out per GB) × bytes up to the internet; through \
    a transit gateway price(transit gateway per GB) × bytes up; of a NAT gateway to be added, price(NAT per hour) × 730. Other traffic of a \
    control-plane interface pays none of these";

const MEASURED: &str = include_str!("../../queries/parts/outside-bytes.sql");

/// Bytes of one interface with one destination.
pub(super) struct Exchange {
    cluster_arn: String,
    interface: String,
    addr: IpAddr,
    port: u64,
    kind: String,
    name: Option<String>,
    up: u64,
    down: u64,
}

/// What the logs show of what API servers contacted.
pub(super) type Measured = Vec<Exchange>;

/// Measures it; also returns the statement.
///
/// # Errors
/// If the logs cannot be read, or the statement fails.
pub(super) async fn measured(engine: &Engine) -> Result<(Measured, &'static str)> {
    let (_, batches) = engine.collect(MEASURED, &[]).await?;
    let exchanges = cells(&batches).filter_map(|row| {
        Some(Exchange {
            cluster_arn: row.text("cluster_arn")?,
            interface: row.text("interface_id")?,
            addr: row.text("dst_addr")?.parse().ok()?,
            port: row.count("dst_port"),
            kind: row.text("dst_kind").unwrap_or_default(),
            name: row.text("dst_name"),
            up: row.count("bytes_up"),
            down: row.count("bytes_down"),
        })
    });
    Ok((exchanges.collect(), MEASURED))
}

/// Returns the rows of cost of a cluster.
pub(super) fn rows(asked: &Asked<'_>, observed: Option<&Observed>, charges: &Charges, unpriced: &mut Unpriced) -> Vec<Row> {
    let mut rows = gateways(asked, charges, unpriced);
    let mut seen: BTreeMap<(IpAddr, u64), Vec<&Exchange>> = BTreeMap::new();
    for exchange in observed.iter().flat_map(|observed| &observed.measured).filter(|one| one.cluster_arn == *asked.cluster.arn) {
        if asked.inventory.place(asked.cluster, exchange.addr, asked.t).is_some_and(|place| place != Place::Inside) {
            seen.entry((exchange.addr, exchange.port)).or_default().push(exchange);
        }
    }
    for ((addr, port), exchanges) in &seen {
        let hours = observed.map_or(0, hours);
        rows.push(priced(asked, *addr, *port, exchanges, hours, charges, unpriced));
    }
    let measured = |end: &End, port: u16| match end {
        End::Addr(addr) => seen.contains_key(&(*addr, u64::from(port))),
        // A name's bytes stand under the addresses that it had.
        End::AnyV4 | End::AnyV6 => false,
    };
    for one in &asked.destinations {
        let outside: Vec<_> = one.ends.iter().filter(|(end, _)| !asked.is_inside(*end)).collect();
        let host = one.dialled.rsplit_once(':').map_or(&*one.dialled, |(host, _)| host);
        let by_name =
            seen.values().flatten().any(|exchange| exchange.name.as_deref().is_some_and(|name| name.split(',').any(|name| name == host)));
        if outside.is_empty() || by_name || outside.iter().all(|(end, port)| measured(end, *port)) {
            continue;
        }
        let routed = asked.cluster.mode_at(asked.t).as_deref() == Some(CUSTOMER_ROUTED);
        let why = match (observed.is_some(), routed) {
            (false, _) => "no logs are given, so no bytes are known",
            (true, true) => "the logs have no bytes for it",
            (true, false) => "until the switch its bytes leave through AWS and are in no flow log",
        };
        let mut row = Row::new("cost", one.label.clone(), State::Unknown, why);
        row.dialled = Some(one.dialled.clone());
        rows.push(row.because(
            "what the switch adds to the bill is per gigabyte, and no volume is assumed",
            "measure a cluster like it that is CUSTOMER_ROUTED, then give its logs",
        ));
    }
    rows
}

fn hours(observed: &Observed) -> u64 {
    let length = observed.period.to.zip(observed.period.from).map_or(0, |(to, from)| to.saturating_sub(from));
    u64::try_from(length.max(0)).unwrap_or(0).div_ceil(HOUR.unsigned_abs())
}

/// A month's bytes at the rate of the period.
fn in_a_month(bytes: u64, hours: u64) -> Option<u64> {
    u64::try_from(u128::from(bytes) * u128::from(HOURS_OF_MONTH) / u128::from((hours > 0).then_some(hours)?)).ok()
}

fn priced(
    asked: &Asked<'_>,
    addr: IpAddr,
    port: u64,
    exchanges: &[&Exchange],
    hours: u64,
    charges: &Charges,
    unpriced: &mut Unpriced,
) -> Row {
    let region = asked.cluster.region.as_deref();
    let mut costs: Vec<Option<Decimal>> = Vec::new();
    let mut by: Vec<String> = Vec::new();
    let mut rests = crate::inventory::reach::Rests::new();
    for one in exchanges {
        let subnet = asked.enis.iter().find(|(_, eni)| *eni.id == *one.interface).and_then(|(_, eni)| eni.subnet_id.clone());
        let (Some(up), Some(both)) = (in_a_month(one.up, hours), in_a_month(one.up.saturating_add(one.down), hours)) else {
            costs.push(None);
            continue;
        };
        let Some(subnet) = subnet else {
            costs.push(None);
            by.push(format!("{}: not a control-plane interface then", one.interface));
            continue;
        };
        let led = asked.route(&subnet, End::Addr(addr));
        by.push(format!("{} by {}", one.interface, led.target.as_deref().unwrap_or("no known route")));
        rests.extend(led.rests);
        let target = led.target.as_deref().unwrap_or_default();
        if let Some(nat) = led.nat.filter(|nat| *nat.item.id == *target) {
            let meter = if nat.item.is_regional() { Meter::RegionalNatBytes } else { Meter::NatBytes };
            costs.push(charges.bytes(region, &meter, both, unpriced));
            costs.push(match asked.subnet(&subnet).and_then(|subnet| stands_in(asked, &nat.item, &subnet.item)) {
                Some(true) => charges.at(None, 0),
                Some(false) => charges.bytes(region, &Meter::InterAzBytes, both.saturating_mul(charges.nat_az_ends.into()), unpriced),
                None => None,
            });
            costs.push(match &*one.kind {
                "internet" | "oidc-issuer" | "webhook" => charges.bytes(region, &Meter::InternetEgressBytes, up, unpriced),
                // What an AWS service charges for its own traffic is not known from its address.
                _ => None,
            });
        } else if target.starts_with("tgw-") {
            costs.push(charges.bytes(region, &Meter::TransitGatewayBytes, up, unpriced));
        } else {
            costs.push(None);
        }
    }
    let cost = sum(costs);
    let bytes = exchanges.iter().map(|one| one.up.saturating_add(one.down)).sum();
    let state = if cost.is_some() { State::Ok } else { State::Unknown };
    let mut row = Row::new("cost", format!("{addr}:{port}"), state, format!("{bytes} bytes in {hours} h; {}", by.join(", ")));
    row.dialled = exchanges.iter().find_map(|one| one.name.clone()).or_else(|| Some(addr.to_string()));
    (row.bytes, row.monthly_cost) = (Some(bytes), cost);
    row.because(
        "a way or a price that is not known leaves the cost open",
        "flowproof prices import makes a list for --prices; aws ec2 describe-route-tables",
    )
    .resting(rests)
}

/// NAT gateways that AZs with control-plane subnets lack.
fn gateways(asked: &Asked<'_>, charges: &Charges, unpriced: &mut Unpriced) -> Vec<Row> {
    let mut lacking: BTreeMap<Arc<str>, Vec<&str>> = BTreeMap::new();
    for id in asked.subnets.keys() {
        let Some(subnet) = asked.subnet(id) else { continue };
        let Some(az) = &subnet.item.az_id else { continue };
        let own = |nat: &&crate::inventory::Held<crate::inventory::model::NatGateway>| {
            nat.claim.contains(asked.t) && nat.item.vpc_id.as_deref() == asked.vpc() && nat.item.state.as_deref() == Some("available")
        };
        let known = asked.inventory.nat_gateways().iter().filter(own).map(|nat| stands_in(asked, &nat.item, &subnet.item));
        let known: Vec<Option<bool>> = known.collect();
        // A way out by something else than NAT needs no gateway here.
        let led = asked.route(id, End::AnyV4);
        let wants = led.state == State::Missing || led.nat.is_some();
        if wants && known.iter().all(|stands| *stands == Some(false)) {
            lacking.entry(Arc::clone(az)).or_default().push(id);
        }
    }
    let region = asked.cluster.region.as_deref();
    let of_az = |(az, subnets): (Arc<str>, Vec<&str>)| {
        let cost = charges.hours(region, &Meter::NatHours, HOURS_OF_MONTH, unpriced);
        let state = if cost.is_some() { State::Ok } else { State::Unknown };
        let mut row = Row::new(
            "cost",
            format!("NAT gateway in {az}"),
            state,
            format!("{HOURS_OF_MONTH} h if one is added, for {}", subnets.join(", ")),
        );
        row.monthly_cost = cost;
        row.because("no confirmed list price is known", "flowproof prices import makes a list for --prices")
    };
    lacking.into_iter().map(of_az).collect()
}
