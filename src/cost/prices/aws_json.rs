//! JSON of the AWS Price List: bulk offer files, the output of `aws pricing get-products`, and its documents one by one.
//!
//! A bulk file has hundreds of megabytes, so it streams: of products, only those of our meters are kept, and of terms, only
//! theirs. Products stand before terms in what AWS writes.

use super::PriceList;
use super::offer::{Attributes, Edition, Found, Reading, Targets, Term};
use crate::error::{Error, Result};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

/// Reads JSON: a bulk file, the output of `get-products`, an array of its documents, or several of these in a row.
///
/// # Errors
/// With place, line and column.
pub(super) fn read(input: impl BufRead, place: &str) -> Result<PriceList> {
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
        let (mut wanted, mut found, mut edition) = (None::<Targets>, Vec::new(), Edition::default());
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
    wanted: &'a mut Targets,
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

/// Terms: kind of offer → SKU → offer → price dimensions, or kind of offer → offer. Only `OnDemand`, and only of products that are kept.
struct Terms<'a> {
    reading: &'a mut Reading,
    wanted: &'a mut Targets,
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
        // Where a document is one product (get-products), its offers stand here without a level for the SKU: `SKU.OFFER`.
        let mut flat: BTreeMap<String, Vec<Term>> = BTreeMap::new();
        while let Some(sku) = map.next_key::<String>()? {
            if let Some((sku, _)) = sku.split_once('.') {
                if wanted.contains_key(sku) {
                    flat.entry(sku.to_owned()).or_default().push(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
                continue;
            }
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
        for (sku, terms) in flat {
            if let Some(target) = wanted.remove(&sku) {
                found.extend(reading.found(&sku, target, &terms).map_err(A::Error::custom)?);
            }
        }
        Ok(())
    }
}
