//! The AWS Price List: bulk offer files (JSON, CSV), the output of `aws pricing get-products`, and its documents one by one.
//!
//! A bulk file has hundreds of megabytes, so it streams: of products, only those of our meters are kept, and of terms, only
//! theirs. Products stand before terms in what AWS writes. Several price dimensions of a product are tiers. Several products of
//! one meter and region must agree, or it is an error: adding them up is how zonal and regional NAT gateways came to cost double.

use super::meter::{Parts, billing_prefix, region_of_prefix, split};
use super::{Meter, Price, PriceList, Tier, Unit, decimal};
use crate::error::{Error, Result};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::BufRead;

/// Products of our meters that a file may have; all regions and all pairs of them come to less than 5000.
const PRODUCTS_MAX: usize = 200_000;
/// Tiers that a product may have; AWS has four or five.
const TIERS_MAX: usize = 100;
/// Notes kept of a file.
const NOTES_MAX: usize = 20;

/// What a file says of its product, in JSON's names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attributes {
    #[serde(alias = "usagetype")]
    usage_type: String,
    operation: String,
    #[serde(alias = "servicecode")]
    service_code: String,
    region_code: String,
    from_region_code: String,
    to_region_code: String,
    location_type: String,
    from_location_type: String,
    to_location_type: String,
    to_location: String,
    transfer_type: String,
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
        (code, None) => billing_prefix(code).is_none().then(|| code.to_owned()),
    }
}

/// One price dimension, as texts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    #[serde(default)]
    unit: String,
    #[serde(default)]
    begin_range: Option<Text>,
    #[serde(default)]
    end_range: Option<Text>,
    price_per_unit: BTreeMap<String, Text>,
}

/// A string, or a number by its digits.
struct Text(String);

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
struct Term {
    #[serde(default)]
    effective_date: String,
    #[serde(default)]
    price_dimensions: BTreeMap<String, Dimension>,
}

/// A product of ours with its rates.
struct Found {
    sku: String,
    region: String,
    meters: Vec<Meter>,
    tiers: Vec<Tier>,
    effective: String,
}

/// What a document says of itself.
#[derive(Default)]
struct Edition {
    service: String,
    version: String,
    published: String,
}

/// A file that is being read.
struct Reading {
    list: PriceList,
    /// By region and meter, the SKU that the price is from.
    skus: HashMap<(String, Meter), String>,
}

impl Reading {
    fn new() -> Reading {
        Reading { list: PriceList::default(), skus: HashMap::new() }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.list.notes.len() < NOTES_MAX {
            self.list.notes.push(text());
        }
    }

    /// Keeps a product if it is one of ours.
    fn product(&mut self, wanted: &mut HashMap<String, (String, Vec<Meter>)>, sku: &str, attributes: &Attributes) -> Result<(), String> {
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
    fn found(&mut self, sku: &str, (region, meters): (String, Vec<Meter>), terms: &[Term]) -> Result<Option<Found>, String> {
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
    fn add(&mut self, found: Vec<Found>, edition: &Edition) -> Result<(), String> {
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

/// Reads JSON: a bulk file, the output of `get-products`, an array of its documents, or several of these in a row.
///
/// # Errors
/// With place, line and column.
pub(super) fn read_json(input: impl BufRead, place: &str) -> Result<PriceList> {
    let mut reading = Reading::new();
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let mut read = |reading: &mut Reading| loop {
        Document { reading, within: false }.deserialize(&mut deserializer)?;
        if deserializer.end().is_ok() {
            return Ok(());
        }
    };
    read(&mut reading).map_err(|error: serde_json::Error| {
        let what = Error::failed("cannot read the AWS price list").at(place).caused_by(error);
        what.with_hint("give a bulk offer file, or the output of aws pricing get-products; see docs/prices.md")
    })?;
    Ok(reading.list)
}

/// A document, an array of documents, or within an array the text of one.
struct Document<'a> {
    reading: &'a mut Reading,
    within: bool,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document of the AWS Price List")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if !self.within {
            return Err(E::invalid_type(serde::de::Unexpected::Str(""), &self));
        }
        let fault = |error| E::custom(format!("a text in PriceList is no document: {error}"));
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Document { within: false, ..self }.deserialize(&mut deserializer).map_err(fault)?;
        deserializer.end().map_err(fault)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut documents: A) -> Result<(), A::Error> {
        while documents.next_element_seed(Document { reading: &mut *self.reading, within: true })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Document { reading, .. } = self;
        let (mut wanted, mut found, mut edition) = (None::<HashMap<_, _>>, Vec::new(), Edition::default());
        let mut listed = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "PriceList" => {
                    listed = true;
                    map.next_value_seed(Document { reading: &mut *reading, within: true })?;
                }
                "NextToken" => {
                    if map.next_value::<Option<String>>()?.is_some_and(|token| !token.is_empty()) {
                        reading.note(|| "NextToken is set: this is one page, and there are more".to_owned());
                    }
                }
                "products" => map.next_value_seed(Products { reading: &mut *reading, wanted: wanted.get_or_insert_default() })?,
                "product" => {
                    let product: Product = map.next_value()?;
                    reading.product(wanted.get_or_insert_default(), &product.sku, &product.attributes).map_err(A::Error::custom)?;
                }
                "terms" => match &mut wanted {
                    Some(wanted) => map.next_value_seed(Terms { reading: &mut *reading, wanted, found: &mut found })?,
                    None => return Err(A::Error::custom("terms stand before products, whose rates they are")),
                },
                "publicationDate" => edition.published = map.next_value()?,
                "version" => edition.version = map.next_value()?,
                "offerCode" | "serviceCode" => edition.service = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if wanted.is_none() && !listed {
            return Err(A::Error::custom("a document has neither products nor PriceList"));
        }
        let unpriced = wanted.map_or(0, |left| left.len());
        if unpriced > 0 {
            reading.note(|| format!("left out: products of network meters without a price on demand: {unpriced}"));
        }
        reading.add(found, &edition).map_err(A::Error::custom)
    }
}

#[derive(Deserialize)]
struct Product {
    #[serde(default)]
    sku: String,
    #[serde(default)]
    attributes: Attributes,
}

/// The products of a bulk file by SKU, of which ours are kept.
struct Products<'a> {
    reading: &'a mut Reading,
    wanted: &'a mut HashMap<String, (String, Vec<Meter>)>,
}

impl<'de> DeserializeSeed<'de> for Products<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Products<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("products by SKU")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((sku, product)) = map.next_entry::<String, Product>()? {
            self.reading.product(self.wanted, &sku, &product.attributes).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Terms: kind of offer → SKU → offer → price dimensions. Only `OnDemand`, and only of products that are kept.
struct Terms<'a> {
    reading: &'a mut Reading,
    wanted: &'a mut HashMap<String, (String, Vec<Meter>)>,
    found: &'a mut Vec<Found>,
}

impl<'de> DeserializeSeed<'de> for Terms<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Terms<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("terms of the AWS Price List")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(kind) = map.next_key::<String>()? {
            match kind.as_str() {
                "OnDemand" => {
                    map.next_value_seed(OnDemand(Terms {
                        reading: &mut *self.reading,
                        wanted: &mut *self.wanted,
                        found: &mut *self.found,
                    }))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The offers on demand, by SKU.
struct OnDemand<'a>(Terms<'a>);

impl<'de> DeserializeSeed<'de> for OnDemand<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OnDemand<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("offers by SKU")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let OnDemand(Terms { reading, wanted, found }) = self;
        while let Some(sku) = map.next_key::<String>()? {
            match wanted.remove(&sku) {
                Some(target) => {
                    let terms: BTreeMap<String, Term> = map.next_value()?;
                    let terms: Vec<Term> = terms.into_values().collect();
                    found.extend(reading.found(&sku, target, &terms).map_err(A::Error::custom)?);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Rows of a CSV before its header; AWS writes five.
const CSV_METADATA_ROWS_MAX: u64 = 20;

/// Reads a bulk file in CSV: some rows of metadata, a header, and a row for each price dimension.
///
/// # Errors
/// With place and line.
pub(super) fn read_csv(input: impl BufRead, place: &str) -> Result<PriceList> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let fault = |at: String, message: String| {
        Error::failed(message).at(at).with_hint("give a bulk offer file of the AWS Price List; see docs/prices.md")
    };
    let wrong = |line: u64, message: String| fault(format!("{place}:{line}"), message);
    let (mut reading, mut edition, mut columns) = (Reading::new(), Edition::default(), None::<HashMap<String, usize>>);
    // By SKU and offer; the CSV has products and terms in one row.
    let mut targets: HashMap<String, (String, Vec<Meter>)> = HashMap::new();
    let mut terms: BTreeMap<String, BTreeMap<String, Term>> = BTreeMap::new();
    let (mut row, mut last) = (csv::StringRecord::new(), String::new());
    loop {
        let line = rows.position().line();
        if !rows.read_record(&mut row).map_err(|error| wrong(line, error.to_string()))? {
            break;
        }
        let Some(columns) = &columns else {
            let value = || row.get(1).unwrap_or_default().to_owned();
            match row.get(0).unwrap_or_default() {
                "SKU" => columns = Some(row.iter().enumerate().map(|(at, name)| (plain(name), at)).collect()),
                "Publication Date" => edition.published = value(),
                "Version" => edition.version = value(),
                "OfferCode" => edition.service = value(),
                _ if line > CSV_METADATA_ROWS_MAX => return Err(wrong(line, "no header begins with SKU".to_owned())),
                _ => {}
            }
            continue;
        };
        let cell = |name: &str| columns.get(name).and_then(|at| row.get(*at)).unwrap_or_default().to_owned();
        if cell("termtype") != "OnDemand" {
            continue;
        }
        let (sku, offer) = (cell("sku"), cell("offertermcode"));
        // Rows of a product stand together, so that each is counted once.
        if sku != last && !targets.contains_key(&sku) {
            reading.product(&mut targets, &sku, &csv_attributes(&cell)).map_err(|message| wrong(line, message))?;
        }
        last.clone_from(&sku);
        if targets.contains_key(&sku) {
            let price_per_unit = BTreeMap::from([(cell("currency"), Text(cell("priceperunit")))]);
            let (begin_range, end_range) = (Some(Text(cell("startingrange"))), Some(Text(cell("endingrange"))));
            let dimension = Dimension { unit: cell("unit"), begin_range, end_range, price_per_unit };
            let offers = terms.entry(sku).or_default();
            let new = || Term { effective_date: cell("effectivedate"), price_dimensions: BTreeMap::new() };
            offers.entry(offer).or_insert_with(new).price_dimensions.insert(format!("{} {line}", cell("ratecode")), dimension);
        }
    }
    if columns.is_none() {
        return Err(wrong(1, "no header begins with SKU".to_owned()));
    }
    let mut found = Vec::new();
    for (sku, offers) in terms {
        let target = targets.remove(&sku).unwrap_or_default();
        let offers: Vec<Term> = offers.into_values().collect();
        found.extend(reading.found(&sku, target, &offers).map_err(|message| fault(place.to_owned(), message))?);
    }
    reading.add(found, &edition).map_err(|message| fault(place.to_owned(), message))?;
    Ok(reading.list)
}

fn csv_attributes(cell: &impl Fn(&str) -> String) -> Attributes {
    Attributes {
        usage_type: cell("usagetype"),
        operation: cell("operation"),
        service_code: cell("servicecode"),
        region_code: cell("regioncode"),
        from_region_code: cell("fromregioncode"),
        to_region_code: cell("toregioncode"),
        location_type: cell("locationtype"),
        from_location_type: cell("fromlocationtype"),
        to_location_type: cell("tolocationtype"),
        to_location: cell("tolocation"),
        transfer_type: cell("transfertype"),
    }
}

/// `From Region Code` and `fromRegionCode` are one column.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
