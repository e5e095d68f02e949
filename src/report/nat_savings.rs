//! What would save money of what NAT costs: gateway and interface endpoints, gateways in each AZ; with the arithmetic, and what would
//! show it wrong.

use super::charges::{self, Charges, Unpriced, dollars, sum};
use super::nat::Part;
use super::value::{self, Json};
use crate::cost::prices::Meter;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Hours of a month, for break-evens (AWS Pricing Calculator).
const HOURS_PER_MONTH: u64 = 730;

/// Something that would save money.
pub(super) struct Recommendation {
    pub(super) kind: &'static str,
    pub(super) service: String,
    pub(super) vpc: Option<String>,
    pub(super) region: Option<String>,
    pub(super) bytes: u64,
    pub(super) saving: Option<Decimal>,
    pub(super) break_even_gb_per_month: Option<Decimal>,
    pub(super) arithmetic: String,
    pub(super) falsified_if: &'static str,
}

impl Recommendation {
    pub(super) fn json(&self) -> Json {
        Json::Object(vec![
            ("kind", Json::Plain(self.kind.into())),
            ("service", Json::Plain(self.service.clone().into())),
            ("vpc_id", Json::Plain(self.vpc.clone().into())),
            ("region", Json::Plain(self.region.clone().into())),
            ("bytes", Json::Plain(value::count(self.bytes))),
            ("saving", charges::json(self.saving)),
            ("break_even_gb_per_month", charges::json(self.break_even_gb_per_month)),
            ("arithmetic", Json::Plain(self.arithmetic.clone().into())),
            ("falsified_if", Json::Plain(self.falsified_if.into())),
        ])
    }
}

/// Region and VPC.
type Place<'a> = (Option<&'a str>, Option<&'a str>);

/// What clients of a VPC used.
#[derive(Default)]
struct Use<'a> {
    bytes: u64,
    /// … between AZs.
    crossing: u64,
    /// AZs of the clients.
    zones: BTreeSet<&'a str>,
}

/// What could leave NAT: S3 and DynamoDB of the region by gateway endpoints, other AWS services by interface endpoints; and what
/// a gateway in each AZ would save. Savings are those of the period.
pub(super) fn recommendations(parts: &[Part], hours: u64, charges: &Charges, unpriced: &mut Unpriced) -> Vec<Recommendation> {
    let mut by_service: BTreeMap<(Place<'_>, &str), Use<'_>> = BTreeMap::new();
    let mut crossing: BTreeMap<Place<'_>, Use<'_>> = BTreeMap::new();
    for part in parts {
        let place = (part.region.as_deref(), part.vpc.as_deref());
        // A service of another region has no endpoint here.
        if let (Some(service), None) = (part.service.as_deref(), &part.meter) {
            let used = by_service.entry((place, service)).or_default();
            used.bytes += part.processed();
            used.crossing += if part.crosses() == Some(true) { part.processed() } else { 0 };
            used.zones.extend(part.client_az.as_deref());
        }
        if part.crosses() == Some(true) {
            let used = crossing.entry(place).or_default();
            used.bytes += part.processed();
            used.zones.extend(part.client_az.as_deref());
        }
    }
    let mut found = Vec::new();
    for (((region, vpc), service), Use { bytes, crossing: crossed, zones }) in by_service {
        let processing = charges.bytes(region, &Meter::NatBytes, bytes, unpriced);
        let az_leg = charges.bytes(region, &Meter::InterAzBytes, crossed.saturating_mul(charges.nat_az_ends.into()), unpriced);
        let now = sum([processing, az_leg]);
        let (service, place) = (service.to_owned(), (vpc.map(str::to_owned), region.map(str::to_owned)));
        if matches!(&*service, "S3" | "DYNAMODB") {
            found.push(Recommendation {
                kind: "gateway-endpoint",
                arithmetic: format!(
                    "processing {} + hop between AZs {}; a gateway endpoint has no charge",
                    dollars(processing),
                    dollars(az_leg)
                ),
                service,
                vpc: place.0,
                region: place.1,
                bytes,
                saving: now,
                break_even_gb_per_month: None,
                falsified_if: "the route tables of these clients have the endpoint already, or a bucket policy names the gateway's address",
            });
            continue;
        }
        // The superset of all services: which endpoint it would be cannot be told.
        if service == "AMAZON" {
            continue;
        }
        let zones = zones.len().max(1) as u64;
        let (endpoint_bytes, endpoint_hours) = (
            charges.bytes(region, &Meter::EndpointBytes, bytes, unpriced),
            charges.hours(region, &Meter::EndpointAzHours, hours.saturating_mul(zones), unpriced),
        );
        let saving = now.zip(sum([endpoint_bytes, endpoint_hours])).and_then(|(now, then)| now.checked_sub(then));
        if saving.is_none_or(|saving| saving <= Decimal::ZERO) {
            continue;
        }
        found.push(Recommendation {
            kind: "interface-endpoint",
            arithmetic: format!(
                "now {}; endpoint bytes {} + {zones} AZs × {hours} hours {}",
                dollars(now),
                dollars(endpoint_bytes),
                dollars(endpoint_hours)
            ),
            break_even_gb_per_month: break_even(region, zones, charges, unpriced),
            service,
            vpc: place.0,
            region: place.1,
            bytes,
            saving,
            falsified_if: "the names of ip-ranges cover services that have no endpoint, or the service is dialled in another region",
        });
    }
    for ((region, vpc), Use { bytes, zones, .. }) in crossing {
        let now = charges.bytes(region, &Meter::InterAzBytes, bytes.saturating_mul(charges.nat_az_ends.into()), unpriced);
        let more = charges.hours(region, &Meter::NatHours, hours.saturating_mul(zones.len() as u64), unpriced);
        let saving = now.zip(more).and_then(|(now, more)| now.checked_sub(more)).filter(|saving| *saving > Decimal::ZERO);
        if saving.is_some() {
            found.push(Recommendation {
                kind: "nat-per-az",
                service: "NAT".to_owned(),
                vpc: vpc.map(str::to_owned),
                region: region.map(str::to_owned),
                bytes,
                arithmetic: format!("hop between AZs {}; {} more gateways × {hours} hours {}", dollars(now), zones.len(), dollars(more)),
                saving,
                break_even_gb_per_month: None,
                falsified_if: "there is a gateway in these AZs already that the route tables do not use: then only the routes are to change",
            });
        }
    }
    found.sort_by(|a, b| b.saving.cmp(&a.saving).then_with(|| (&a.service, &a.vpc).cmp(&(&b.service, &b.vpc))));
    found
}

/// Gigabytes a month from which on an interface endpoint costs less than NAT: AZs × price per hour × 730 ÷ (NAT per GB − endpoint per GB).
fn break_even(region: Option<&str>, zones: u64, charges: &Charges, unpriced: &mut Unpriced) -> Option<Decimal> {
    let hours = charges.hours(region, &Meter::EndpointAzHours, zones.saturating_mul(HOURS_PER_MONTH), unpriced)?;
    let nat = charges.unit_price(region, &Meter::NatBytes, unpriced)?;
    let endpoint = charges.unit_price(region, &Meter::EndpointBytes, unpriced)?;
    Some(hours.checked_div(nat.checked_sub(endpoint)?)?.round_dp(2)).filter(|gb| gb.is_sign_positive())
}
