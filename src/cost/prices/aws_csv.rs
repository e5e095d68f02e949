//! CSV of the AWS Price List: a bulk offer file with products and terms in one row.

use super::PriceList;
use super::offer::{Attributes, Dimension, Edition, Reading, Targets, Term, Text};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

/// Rows of a CSV before its header; AWS writes five.
const CSV_METADATA_ROWS_MAX: u64 = 20;

/// Reads a bulk file in CSV: some rows of metadata, a header, and a row for each price dimension.
///
/// # Errors
/// With place and line.
pub(super) fn read(input: impl BufRead, place: &str) -> Result<PriceList> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let fault = |at: String, message: String| {
        Error::failed(message).at(at).with_hint("give a bulk offer file of the AWS Price List; see docs/prices.md")
    };
    let wrong = |line: u64, message: String| fault(format!("{place}:{line}"), message);
    let (mut reading, mut edition, mut columns) = (Reading::new(), Edition::default(), None::<HashMap<String, usize>>);
    // By SKU and offer; the CSV has products and terms in one row.
    let mut targets: Targets = HashMap::new();
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
