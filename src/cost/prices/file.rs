//! Our own format of price lists: TOML, for the built-in prices and for yours (`docs/prices.md`).
//!
//! Numbers are strings, since a TOML number is a float, and 0.045 is none.

use super::check::{Finding, Severity};
use super::{Allowance, Meter, Price, PriceList, Tier, Unit, decimal};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::{BufRead, Read};
use toml::Spanned;

/// What a file calls its format.
const FORMAT: &str = "flowproof-prices-1";

/// Bytes of a file; every price of every region is below one million.
const BYTES_MAX: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Spanned<String>,
    #[serde(default)]
    currency: Option<Spanned<String>>,
    #[serde(default)]
    as_of: Option<Spanned<String>>,
    #[serde(default)]
    sources: BTreeMap<String, String>,
    #[serde(default)]
    allowance: Vec<AllowanceEntry>,
    #[serde(default)]
    price: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowanceEntry {
    name: String,
    meters: Vec<Spanned<String>>,
    gb_per_month: Spanned<String>,
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    region: String,
    meter: Spanned<String>,
    #[serde(default)]
    unit: Option<Spanned<String>>,
    #[serde(default)]
    rate: Option<Spanned<String>>,
    #[serde(default)]
    tiers: Vec<TierEntry>,
    #[serde(default)]
    as_of: Option<Spanned<String>>,
    #[serde(default)]
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierEntry {
    from: Spanned<String>,
    #[serde(default)]
    to: Option<Spanned<String>>,
    #[serde(default)]
    rate: Option<Spanned<String>>,
}

/// Reads a file.
///
/// # Errors
/// With place and line, for what is not TOML, not our keys or not a number. Faults that a check can list go into the list.
pub(super) fn read(input: impl BufRead, place: &str) -> Result<PriceList> {
    let mut text = String::new();
    let fault = |error| Error::failed("is not a price list").at(place).caused_by(error).with_hint(HINT);
    input.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(fault)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Error::failed(format!("has more than {BYTES_MAX} bytes")).at(place).with_hint(HINT));
    }
    let document: Document = toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or_else(|| place.to_owned(), |span| at(place, &text, span.start));
        Error::failed(error.message().to_owned()).at(at).with_hint(if error.message().contains("expected a string") {
            "write numbers in quotes: rate = \"0.045\""
        } else {
            HINT
        })
    })?;
    Reader { place, text: &text }.list(document)
}

const HINT: &str = "price lists are JSON or CSV of the AWS Price List, or the TOML of docs/prices.md";

fn at(place: &str, text: &str, offset: usize) -> String {
    format!("{place}:{}", line_of(text, offset))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

struct Reader<'a> {
    place: &'a str,
    text: &'a str,
}

impl Reader<'_> {
    fn list(&self, document: Document) -> Result<PriceList> {
        if document.format.get_ref() != FORMAT {
            return Err(self.wrong(&document.format, "is no known format", &format!("write format = \"{FORMAT}\"")));
        }
        if let Some(currency) = document.currency.filter(|currency| currency.get_ref() != "USD") {
            return Err(self.wrong(&currency, "is not supported as a currency", "prices are in US dollars, as AWS lists them"));
        }
        let as_of = document.as_of.as_ref().map(|text| self.day(text)).transpose()?;
        let mut list = PriceList { sources: document.sources, ..PriceList::default() };
        for entry in document.allowance {
            let gb_per_month = self.decimal(&entry.gb_per_month)?;
            if let Some(unknown) = entry.meters.iter().find(|meter| !Meter::names().any(|name| name == meter.get_ref())) {
                return Err(self.wrong(unknown, "is no meter", &format!("one of {}", Meter::names().collect::<Vec<_>>().join(", "))));
            }
            let meters = entry.meters.into_iter().map(Spanned::into_inner).collect();
            list.allowances.insert(entry.name.clone(), Allowance { name: entry.name, meters, gb_per_month, source: entry.source });
        }
        for entry in document.price {
            self.add(&mut list, entry, as_of.as_deref())?;
        }
        Ok(list)
    }

    fn add(&self, list: &mut PriceList, entry: Entry, as_of: Option<&str>) -> Result<()> {
        let line = line_of(self.text, entry.meter.span().start);
        let fault = |message: String| Finding {
            severity: Severity::Fault,
            region: entry.region.clone(),
            meter: entry.meter.get_ref().clone(),
            message: format!("{message} (line {line})"),
        };
        let Ok(meter) = entry.meter.get_ref().parse::<Meter>() else {
            list.faults.push(fault("is no meter".to_owned()));
            return Ok(());
        };
        if let Some(unit) = entry.unit.as_ref().filter(|unit| Unit::parse(unit.get_ref()) != Some(meter.unit())) {
            return Err(self.wrong(unit, "is not its unit", &format!("{meter} is priced by {}", meter.unit().as_str())));
        }
        let tiers = match &entry.rate {
            Some(_) if !entry.tiers.is_empty() => {
                return Err(self.wrong(&entry.meter, "has both a rate and tiers", "give one of them"));
            }
            Some(rate) => vec![Tier { from: rust_decimal::Decimal::ZERO, to: None, rate: Some(self.decimal(rate)?) }],
            None => entry.tiers.iter().map(|tier| self.tier(tier)).collect::<Result<_>>()?,
        };
        let as_of = entry.as_of.as_ref().map(|text| self.day(text)).transpose()?.or_else(|| as_of.map(str::to_owned));
        let source = entry.source.clone().unwrap_or_else(|| self.place.to_owned());
        let price = Price { region: entry.region.clone(), unit: meter.unit(), meter, tiers, as_of, source };
        if list.insert(price).is_some() {
            list.faults.push(fault("has two prices in the file".to_owned()));
        }
        Ok(())
    }

    fn tier(&self, tier: &TierEntry) -> Result<Tier> {
        Ok(Tier {
            from: self.decimal(&tier.from)?,
            to: tier.to.as_ref().map(|to| self.decimal(to)).transpose()?,
            rate: tier.rate.as_ref().map(|rate| self.decimal(rate)).transpose()?,
        })
    }

    fn decimal(&self, text: &Spanned<String>) -> Result<rust_decimal::Decimal> {
        decimal(text.get_ref()).ok_or_else(|| self.wrong(text, "is no decimal number from 0 up", "write it as \"0.045\""))
    }

    fn day(&self, text: &Spanned<String>) -> Result<String> {
        match text.get_ref().parse::<chrono::NaiveDate>() {
            Ok(day) => Ok(day.to_string()),
            Err(_) => Err(self.wrong(text, "is no day", "write it as \"2026-09-16\"")),
        }
    }

    fn wrong(&self, value: &Spanned<String>, what: &str, hint: &str) -> Error {
        Error::failed(format!("{:?} {what}", value.get_ref())).at(at(self.place, self.text, value.span().start)).with_hint(hint)
    }
}

/// Writes a list: what its readers should know as comments, then sources, allowances, and prices by region and meter.
pub(super) fn write(list: &PriceList) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    for note in &list.notes {
        line(format!("# {}", crate::error::printable(note)));
    }
    line(format!("format = \"{FORMAT}\"\ncurrency = \"USD\""));
    let used: BTreeSet<&str> =
        list.iter().map(|price| price.source.as_str()).chain(list.allowances.values().map(|allowance| allowance.source.as_str())).collect();
    let sources: Vec<_> = list.sources.iter().filter(|(key, _)| used.contains(key.as_str())).collect();
    if !sources.is_empty() {
        line("\n[sources]".to_owned());
    }
    for (key, text) in sources {
        line(format!("{} = {}", quoted(key), quoted(text)));
    }
    for allowance in list.allowances.values() {
        let meters: Vec<String> = allowance.meters.iter().map(|name| quoted(name)).collect();
        line(format!("\n[[allowance]]\nname = {}\nmeters = [{}]", quoted(&allowance.name), meters.join(", ")));
        line(format!("gb_per_month = \"{}\"\nsource = {}", allowance.gb_per_month, quoted(&allowance.source)));
    }
    for price in list.iter() {
        line(format!("\n[[price]]\nregion = {}\nmeter = {}", quoted(&price.region), quoted(&price.meter.to_string())));
        line(format!("unit = \"{}\"", price.unit.as_str()));
        match &price.tiers[..] {
            [Tier { from, to: None, rate: Some(rate) }] if from.is_zero() => line(format!("rate = \"{}\"", rate.normalize())),
            tiers => {
                line("tiers = [".to_owned());
                for tier in tiers {
                    let to = tier.to.map_or(String::new(), |to| format!(", to = \"{}\"", to.normalize()));
                    let rate = tier.rate.map_or(String::new(), |rate| format!(", rate = \"{}\"", rate.normalize()));
                    line(format!("    {{ from = \"{}\"{to}{rate} }},", tier.from.normalize()));
                }
                line("]".to_owned());
            }
        }
        if let Some(day) = &price.as_of {
            line(format!("as_of = {}", quoted(day)));
        }
        line(format!("source = {}", quoted(&price.source)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PriceList> {
        PriceList::parse(text.as_bytes(), "mine.toml")
    }

    #[track_caller]
    fn fails(text: &str, expected: &str) {
        let error = read(&format!("format = \"{FORMAT}\"\n{text}")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn faults_name_file_and_line() {
        let price = |rest: &str| format!("[[price]]\nregion = \"eu-west-1\"\nmeter = \"nat-bytes\"\n{rest}\n");
        fails(&price("rate = 0.048"), "mine.toml:5: invalid type: floating point `0.048`, expected a string");
        fails(&price("rate = \"0,048\""), "mine.toml:5: \"0,048\" is no decimal number");
        fails(&price("rate = \"-1\""), "mine.toml:5: \"-1\" is no decimal number");
        fails(&price("rates = \"0.048\""), "mine.toml:5: unknown field `rates`");
        fails(&price("rate = \"1\"\nunit = \"hour\""), "mine.toml:6: \"hour\" is not its unit");
        fails(&price("rate = \"1\"\nas_of = \"yesterday\""), "mine.toml:6: \"yesterday\" is no day");
        fails(&price("rate = \"1\"\ntiers = [{ from = \"0\" }]"), "mine.toml:4: \"nat-bytes\" has both");
        fails(&price(""), "mine.toml: eu-west-1 nat-bytes: has no tier");
        fails(&price("tiers = [{ from = \"1\" }]"), "begin at 1");
        fails(&price("tiers = [{ from = \"0\", to = \"5\" }, { from = \"6\" }]"), "nothing from 5 to 6");
        fails(&price("tiers = [{ from = \"0\", to = \"5\" }, { from = \"4\" }]"), "overlap from 4 to 5");
        fails(&price("tiers = [{ from = \"0\" }, { from = \"4\" }]"), "overlap from 4");
        fails(&price("tiers = [{ from = \"0\", to = \"5\" }]"), "end at 5");
        fails(&price("tiers = [{ from = \"0\", to = \"0\" }, { from = \"0\" }]"), "from 0 to 0 is empty");
        fails(&price("rate = \"1\"").repeat(2), "has two prices in the file (line 8)");
        fails("[[price]]\nregion = \"eu-west-1\"\nmeter = \"nat\"\nrate = \"1\"", "eu-west-1 nat: is no meter (line 4)");
        fails("currency = \"EUR\"", "mine.toml:2: \"EUR\" is not supported");
        fails("[[price]", "mine.toml:2: ");
        let error = read("format = \"prices-9\"").unwrap_err();
        assert_eq!(error.to_string(), "mine.toml:1: \"prices-9\" is no known format");
        for wrong in [&b""[..], b"\x00\xff\xfe", b"price,list\n1,2\n", b"\n\n\n"] {
            assert!(PriceList::parse(wrong, "mine.toml").unwrap_err().to_string().starts_with("mine.toml"));
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let list = PriceList::builtin().unwrap();
        let again = PriceList::parse(list.to_toml().as_bytes(), "again").unwrap();
        assert_eq!(again.iter().collect::<Vec<_>>(), list.iter().collect::<Vec<_>>());
        assert_eq!(again.allowances, list.allowances);
        assert_eq!(again.to_toml(), list.to_toml());
    }
}
