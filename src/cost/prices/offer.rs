//! Products and offers of the AWS Price List, in whichever shape they come: which of them are ours, and the prices they make.
//!
//! Several price dimensions of a product are tiers. Several products of one meter and region must agree, or it is an error: adding
//! them up is how zonal and regional NAT gateways came to cost double.

use super::meter::{Parts, split};
use super::{Meter, Price, PriceList, Tier, Unit, decimal};
use crate::cost::region_codes::{prefix_of_region, region_of_prefix};
use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Products of our meters that a file may have; all regions and all pairs of them come to less than 5000.
const PRODUCTS_MAX: usize = 200_000;
/// Tiers that a product may have; AWS has four or five.
const TIERS_MAX: usize = 100;
/// Notes kept of a file.
const NOTES_MAX: usize = 20;

/// What a file says of its product, in JSON's names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attributes {
    #[serde(alias = "usagetype")]
    pub(super) usage_type: String,
    pub(super) operation: String,
    #[serde(alias = "servicecode")]
    pub(super) service_code: String,
    pub(super) region_code: String,
    pub(super) from_region_code: String,
    pub(super) to_region_code: String,
    pub(super) location_type: String,
    pub(super) from_location_type: String,
    pub(super) to_location_type: String,
    pub(super) to_location: String,
    pub(super) transfer_type: String,
}

/// What a product is to us.
enum Matched {
    /// The price of meters in a region.
    Ours(String, Vec<Meter>),
    /// Nothing.
    No,
    /// It looks like ours, and contradicts itself.
    Contradiction,
}

impl Attributes {
    fn matched(&self) -> Matched {
        let Some(Parts { prefix, to_prefix, meter }) = split(&self.usage_type) else { return Matched::No };
        let outside = |place: &str| !matches!(place, "" | "AWS Region");
        if outside(&self.location_type) || outside(&self.from_location_type) {
            return Matched::No;
        }
        let any = |value: &str, known: &[&str]| value.is_empty() || known.contains(&value);
        let services: &[&str] = match meter {
            Meter::FirewallBytes | Meter::FirewallEndpointHours => &["AWSNetworkFirewall"],
            _ => &["AmazonEC2", "AmazonVPC", "AWSDataTransfer"],
        };
        let fits = match meter {
            Meter::NatBytes | Meter::NatHours => any(&self.operation, &["NatGateway"]),
            Meter::RegionalNatBytes | Meter::RegionalNatAzHours => any(&self.operation, &["RegionalNatGateway"]),
            // Attachments of VPNs, Direct Connect and peers have products of their own under the same usage type.
            Meter::TransitGatewayBytes | Meter::TransitGatewayAttachmentHours => any(&self.operation, &["TransitGatewayVPC"]),
            Meter::InterAzBytes => any(&self.transfer_type, &["IntraRegion"]),
            Meter::InternetEgressBytes => any(&self.transfer_type, &["AWS Outbound"]) && any(&self.to_location, &["External"]),
            Meter::InterRegionBytes { .. } => any(&self.transfer_type, &["InterRegion Outbound"]) && !outside(&self.to_location_type),
            // `Endpoint-Hour` is a usage type of several services.
            Meter::FirewallBytes | Meter::FirewallEndpointHours => !self.service_code.is_empty(),
            _ => true,
        };
        if !fits || !any(&self.service_code, services) {
            return Matched::No;
        }
        let code = if self.from_region_code.is_empty() { &self.region_code } else { &self.from_region_code };
        let Some(region) = region(code, prefix) else { return Matched::Contradiction };
        let meters = match meter {
            Meter::InterAzBytes => match self.operation.as_str() {
                "" => vec![Meter::InterAzBytes, Meter::PublicIpBytes],
                "InterZone-In" | "InterZone-Out" => vec![Meter::InterAzBytes],
                "PublicIP-In" | "PublicIP-Out" => vec![Meter::PublicIpBytes],
                "VPCPeering-In" | "VPCPeering-Out" => vec![Meter::PeeringBytes],
                _ => return Matched::No,
            },
            Meter::InterRegionBytes { .. } => match region_of(&self.to_region_code, to_prefix) {
                Some(to) => vec![Meter::InterRegionBytes { to }],
                None => return Matched::Contradiction,
            },
            meter => vec![meter],
        };
        Matched::Ours(region, meters)
    }
}

/// Region of a product: what AWS says by code, if the prefix does not contradict; `LAX1-…` in us-west-2 is a local zone.
fn region(code: &str, prefix: Option<&str>) -> Option<String> {
    match prefix {
        None if code.is_empty() => region_of_prefix("USE1").map(str::to_owned),
        None => Some(code.to_owned()),
        prefix => region_of(code, prefix),
    }
}

fn region_of(code: &str, prefix: Option<&str>) -> Option<String> {
    let named = prefix.and_then(region_of_prefix);
    match (code, named) {
        ("", named) => named.map(str::to_owned),
        (code, Some(named)) => (code == named).then(|| named.to_owned()),
        // A prefix that is not in our table is good for a region whose prefix is not either.
        (code, None) => prefix_of_region(code).is_none().then(|| code.to_owned()),
    }
}

/// One price dimension, as texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dimension {
    #[serde(default)]
    pub(super) unit: String,
    #[serde(default)]
    pub(super) begin_range: Option<Text>,
    #[serde(default)]
    pub(super) end_range: Option<Text>,
    pub(super) price_per_unit: BTreeMap<String, Text>,
}

/// A string, or a number by its digits.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().starts_with('"') {
            true => serde_json::from_str(raw.get()).map(Text).map_err(D::Error::custom),
            false => Ok(Text(raw.get().to_owned())),
        }
    }
}

/// One offer of a product.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Term {
    #[serde(default)]
    pub(super) effective_date: String,
    #[serde(default)]
    pub(super) price_dimensions: BTreeMap<String, Dimension>,
}

/// A product of ours with its rates.
pub(super) struct Found {
    pub(super) sku: String,
    pub(super) region: String,
    pub(super) meters: Vec<Meter>,
    pub(super) tiers: Vec<Tier>,
    pub(super) effective: String,
}

/// Products that are kept until their rates come: region and meters by SKU.
pub(super) type Targets = HashMap<String, (String, Vec<Meter>)>;

/// What a document says of itself.
#[derive(Default)]
pub(super) struct Edition {
    pub(super) service: String,
    pub(super) version: String,
    pub(super) published: String,
}

/// A price list that is being read.
pub(super) struct Reading {
    pub(super) list: PriceList,
    /// By region and meter, the SKU that the price is from.
    pub(super) skus: HashMap<(String, Meter), String>,
}

impl Reading {
    pub(super) fn new() -> Reading {
        Reading { list: PriceList::default(), skus: HashMap::new() }
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.list.notes.len() < NOTES_MAX {
            self.list.notes.push(text());
        }
    }

    /// Keeps a product if it is one of ours.
    pub(super) fn product(&mut self, wanted: &mut Targets, sku: &str, attributes: &Attributes) -> Result<(), String> {
        match attributes.matched() {
            Matched::Ours(region, meters) => {
                wanted.insert(sku.to_owned(), (region, meters));
            }
            Matched::No => self.list.ignored += 1,
            Matched::Contradiction => {
                self.list.ignored += 1;
                let Attributes { usage_type, region_code, from_region_code, .. } = attributes;
                self.note(|| format!("left out: SKU {sku}: {usage_type} is not of {from_region_code}{region_code}"));
            }
        }
        match wanted.len() > PRODUCTS_MAX {
            true => Err(format!("more than {PRODUCTS_MAX} products of network meters")),
            false => Ok(()),
        }
    }

    /// Makes tiers of a product's offers, which must agree.
    pub(super) fn found(&mut self, sku: &str, (region, meters): (String, Vec<Meter>), terms: &[Term]) -> Result<Option<Found>, String> {
        let mut found: Option<Found> = None;
        for term in terms {
            let Some(tiers) = self.tiers(sku, &meters, term)? else { continue };
            match &found {
                Some(other) if other.tiers != tiers => return Err(format!("SKU {sku} has two offers with different rates")),
                _ => {}
            }
            let effective = term.effective_date.clone();
            found = Some(Found { sku: sku.to_owned(), region: region.clone(), meters: meters.clone(), tiers, effective });
        }
        Ok(found)
    }

    fn tiers(&mut self, sku: &str, meters: &[Meter], term: &Term) -> Result<Option<Vec<Tier>>, String> {
        if term.price_dimensions.len() > TIERS_MAX {
            return Err(format!("SKU {sku} has more than {TIERS_MAX} tiers"));
        }
        let mut tiers = Vec::new();
        for dimension in term.price_dimensions.values() {
            let Some(Text(rate)) = dimension.price_per_unit.get("USD") else {
                let others = dimension.price_per_unit.keys().cloned().collect::<Vec<_>>().join(", ");
                self.note(|| format!("left out: SKU {sku} has no price in USD, but in {others}"));
                return Ok(None);
            };
            if let Some(meter) = meters.iter().find(|meter| Unit::parse(&dimension.unit) != Some(meter.unit())) {
                return Err(format!("SKU {sku} is priced by {:?}, but {meter} is by {}", dimension.unit, meter.unit().as_str()));
            }
            let number = |text: &str| decimal(text).ok_or_else(|| format!("SKU {sku}: {text:?} is no decimal number from 0 up"));
            let bound =
                |text: &Option<Text>| text.as_ref().map(|Text(text)| text.clone()).filter(|text| !matches!(text.as_str(), "" | "null"));
            let to = bound(&dimension.end_range).filter(|text| !text.eq_ignore_ascii_case("inf")).map(|text| number(&text)).transpose()?;
            let from = bound(&dimension.begin_range).map_or(Ok(Decimal::ZERO), |text| number(&text))?;
            tiers.push(Tier { from, to, rate: Some(number(rate)?) });
        }
        tiers.sort_by_key(|tier| tier.from);
        Ok((!tiers.is_empty()).then_some(tiers))
    }

    /// Adds what a document has found.
    pub(super) fn add(&mut self, found: Vec<Found>, edition: &Edition) -> Result<(), String> {
        for Found { sku, region, meters, tiers, effective } in found {
            let day = [&edition.published, &effective].into_iter().find_map(|text| text.get(..10)?.parse::<chrono::NaiveDate>().ok());
            for meter in meters {
                let key = (region.clone(), meter.clone());
                if let (Some(known), Some(other)) = (self.list.get(&region, &meter), self.skus.get(&key)) {
                    if known.tiers != tiers {
                        return Err(format!("{region} {meter}: SKU {other} and SKU {sku} have different rates"));
                    }
                    // Of products that agree the first by SKU, in whatever order the file has them.
                    if *other <= sku {
                        continue;
                    }
                }
                let source = [&edition.service, &edition.version, "SKU", &sku].into_iter().filter(|part| !part.is_empty());
                let price = Price {
                    region: region.clone(),
                    unit: meter.unit(),
                    meter,
                    tiers: tiers.clone(),
                    as_of: day.map(|day| day.to_string()),
                    source: source.collect::<Vec<_>>().join(" "),
                };
                self.skus.insert(key, sku.clone());
                self.list.insert(price);
            }
        }
        Ok(())
    }
}
