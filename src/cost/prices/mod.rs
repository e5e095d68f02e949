//! The price list: which meter costs how much in which region, since when, and who says so.
//!
//! US dollars, list price, before discounts and tax. What is not confirmed is not in the built-in list (`builtin.toml`), and a
//! price that is not known is `None` all the way to the report, never 0 and never a neighbour's. Files come on top: our own
//! format (`file.rs`), or what AWS publishes (`aws_json.rs`, `aws_csv.rs`).

mod money;
mod meter;
mod check;
mod file;
mod offer;
mod aws_json;
mod aws_csv;

pub use check::{Finding, Severity};
pub use meter::{Direction, Meter, Unit, meter_of_line, parse_usage_type, usage_type, usage_type_of};
pub use money::{COST_SCALE, decimal, list_cost};

use crate::error::{Error, Result};
use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

/// The built-in list; the only place in this repository that holds a price.
const BUILTIN: &str = include_str!("builtin.toml");

/// Bytes in a GB if the user does not say otherwise. No AWS text defines it; every indirect sign is for 2^30.
pub const BYTES_PER_GB_DEFAULT: u64 = 1 << 30;

/// A price for a part of a month's volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Where it begins, in units of the price.
    pub from: Decimal,
    /// Where it ends, exclusive; `None` for the last.
    pub to: Option<Decimal>,
    /// US dollars a unit; `None` if it is not known.
    pub rate: Option<Decimal>,
}

/// What a meter costs in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Region code.
    pub region: String,
    /// What is metered.
    pub meter: Meter,
    /// By volume, from 0 to no end, without gap or overlap.
    pub tiers: Vec<Tier>,
    /// What the rates are for.
    pub unit: Unit,
    /// The day for which the source states it, `YYYY-MM-DD`.
    pub as_of: Option<String>,
    /// Who says so: a key of the file's sources, or service, version and SKU of the AWS Price List.
    pub source: String,
}

impl Price {
    /// Returns the rate of the first tier.
    pub fn unit_price(&self) -> Option<Decimal> {
        self.tiers.first()?.rate
    }
}

/// What a month has free, over all regions together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// `internet-egress` or `regional-transfer`.
    pub name: String,
    /// Names of the meters that share it.
    pub meters: Vec<String>,
    /// How much, in GB.
    pub gb_per_month: Decimal,
    /// Who says so.
    pub source: String,
}

/// Prices by region and meter, with what their files say about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceList {
    prices: BTreeMap<String, BTreeMap<Meter, Price>>,
    allowances: BTreeMap<String, Allowance>,
    sources: BTreeMap<String, String>,
    /// Products of AWS's files that are none of our meters.
    pub ignored: u64,
    /// What a reader of the list should know: pages that are missing, prices in other currencies.
    pub notes: Vec<String>,
    /// What is wrong in a file that parses; a list that is computed with has none.
    faults: Vec<Finding>,
}

impl PriceList {
    /// Returns the built-in prices: confirmed figures only.
    ///
    /// # Errors
    /// None; a test reads it.
    pub fn builtin() -> Result<PriceList> {
        PriceList::parse(BUILTIN.as_bytes(), "built-in prices")
    }

    /// Returns the built-in prices with those of some files on top; the last one that has a price wins.
    ///
    /// # Errors
    /// If a file cannot be read, or is no price list.
    pub fn with_files<P: AsRef<Path>>(paths: &[P]) -> Result<PriceList> {
        let mut list = PriceList::builtin()?;
        for path in paths {
            list.merge(PriceList::read(path.as_ref())?);
        }
        Ok(list)
    }

    /// Reads a file: our format, or one of the AWS Price List. Streams, so that a file of AWS may have any size.
    ///
    /// # Errors
    /// With file and line, if it cannot be read, or is no sound price list.
    pub fn read(path: &Path) -> Result<PriceList> {
        PriceList::read_unchecked(path)?.sound(&path.display().to_string())
    }

    /// Reads bytes as [`PriceList::read`] does; errors name `place`.
    ///
    /// # Errors
    /// With place and line, if they are no sound price list.
    pub fn parse(bytes: &[u8], place: &str) -> Result<PriceList> {
        read_any(bytes, place)?.sound(place)
    }

    /// Reads a file whose faults are wanted rather than an error: `prices check`.
    ///
    /// # Errors
    /// With file and line, if it cannot be read at all.
    pub fn read_unchecked(path: &Path) -> Result<PriceList> {
        let place = path.display().to_string();
        let fault = |error| Error::usage("cannot read the price list").at(&place).caused_by(error);
        read_any(BufReader::with_capacity(READ_BYTES, std::fs::File::open(path).map_err(fault)?), &place)
    }

    fn sound(self, place: &str) -> Result<PriceList> {
        match self.faults.first() {
            None => Ok(self),
            Some(fault) => {
                Err(Error::failed(fault.to_string()).at(place).with_hint("flowproof prices check FILE lists everything that is wrong"))
            }
        }
    }

    /// Puts another list on top.
    pub fn merge(&mut self, other: PriceList) {
        for (region, prices) in other.prices {
            self.prices.entry(region).or_default().extend(prices);
        }
        self.allowances.extend(other.allowances);
        self.sources.extend(other.sources);
        self.ignored += other.ignored;
        self.notes.extend(other.notes);
        self.faults.extend(other.faults);
    }

    /// Adds a price, in place of one of the same region and meter, which is returned.
    pub fn insert(&mut self, price: Price) -> Option<Price> {
        self.prices.entry(price.region.clone()).or_default().insert(price.meter.clone(), price)
    }

    /// Returns the price of a meter in a region, if it is known.
    pub fn get(&self, region: &str, meter: &Meter) -> Option<&Price> {
        self.prices.get(region)?.get(meter)
    }

    /// Returns the rate of the first tier, if it is known.
    pub fn unit_price(&self, region: &str, meter: &Meter) -> Option<Decimal> {
        self.get(region, meter)?.unit_price()
    }

    /// Returns what a month has free of a meter.
    pub fn allowance(&self, meter: &Meter) -> Option<&Allowance> {
        self.allowances.values().find(|allowance| allowance.meters.iter().any(|name| name == meter.name()))
    }

    /// Returns every price, by region and meter.
    pub fn iter(&self) -> impl Iterator<Item = &Price> {
        self.prices.values().flat_map(BTreeMap::values)
    }

    /// Returns the regions that have a price.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.prices.keys().map(String::as_str)
    }

    /// Returns whether there is no price.
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty()
    }

    /// Returns what the file says of a source's key.
    pub fn source(&self, key: &str) -> Option<&str> {
        self.sources.get(key).map(String::as_str)
    }

    /// Writes our format. Reading it gives the same prices.
    pub fn to_toml(&self) -> String {
        file::write(self)
    }

    /// Drops the prices that `keep` does not want.
    pub fn retain(&mut self, keep: impl Fn(&Price) -> bool) {
        for prices in self.prices.values_mut() {
            prices.retain(|_, price| keep(price));
        }
        self.prices.retain(|_, prices| !prices.is_empty());
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// Tells formats apart by their first byte: JSON has a bracket, the CSV of AWS begins with `"FormatVersion"`.
fn read_any(mut input: impl BufRead, place: &str) -> Result<PriceList> {
    let fault = |error: std::io::Error| Error::failed("cannot read the price list").at(place).caused_by(error);
    if input.fill_buf().map_err(fault)?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let start = input.fill_buf().map_err(fault)?.trim_ascii_start();
    let mut list = match start.first() {
        Some(b'{') => aws_json::read(input, place)?,
        // An array; but a TOML table's name begins with a letter, and an array of tables with another bracket.
        Some(b'[') if !matches!(start.get(1), Some(b'a'..=b'z' | b'[')) => aws_json::read(input, place)?,
        _ if start.starts_with(b"\"FormatVersion\",") || start.starts_with(b"FormatVersion,") => aws_csv::read(input, place)?,
        _ => file::read(input, place)?,
    };
    let unsound = list.iter().filter_map(check::unsound_tiers).collect::<Vec<_>>();
    list.faults.extend(unsound);
    Ok(list)
}

/// Returns the prices as a table, a row for each tier.
///
/// # Errors
/// None in practice; that of the columns not fitting together.
pub fn table(list: &PriceList) -> Result<RecordBatch> {
    let rows: Vec<(&Price, &Tier)> = list.iter().flat_map(|price| price.tiers.iter().map(move |tier| (price, tier))).collect();
    let text =
        |of: &dyn Fn(&Price) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(|(price, _)| of(price)).collect::<StringArray>()) };
    let decimals = |of: &dyn Fn(&Tier) -> Option<Decimal>| -> Result<ArrayRef> {
        let values = rows.iter().map(|(_, tier)| of(tier).and_then(units)).collect::<Decimal128Array>();
        Ok(Arc::new(values.with_precision_and_scale(TABLE_PRECISION, TABLE_SCALE)?))
    };
    let columns = vec![
        text(&|price| Some(price.region.clone())),
        text(&|price| Some(price.meter.to_string())),
        text(&|price| usage_type(&price.region, &price.meter)),
        decimals(&|tier| Some(tier.from))?,
        decimals(&|tier| tier.to)?,
        text(&|price| Some(price.unit.as_str().to_owned())),
        decimals(&|tier| tier.rate)?,
        text(&|price| price.as_of.clone()),
        text(&|price| Some(price.source.clone())),
    ];
    Ok(RecordBatch::try_new(table_schema(), columns)?)
}

/// Digits of the table's decimals.
const TABLE_PRECISION: u8 = 38;
/// Decimal places of the table's decimals: as many as AWS writes.
const TABLE_SCALE: i8 = 10;

/// Returns the columns of [`table`].
pub fn table_schema() -> Arc<Schema> {
    let decimal = DataType::Decimal128(TABLE_PRECISION, TABLE_SCALE);
    let field = |name: &str, kind: &DataType, nullable| Field::new(name, kind.clone(), nullable);
    Arc::new(Schema::new(vec![
        field("region", &DataType::Utf8, false),
        field("meter", &DataType::Utf8, false),
        field("usage_type", &DataType::Utf8, true),
        field("tier_from", &decimal, false),
        field("tier_to", &decimal, true),
        field("unit", &DataType::Utf8, false),
        field("rate", &decimal, true),
        field("as_of", &DataType::Utf8, true),
        field("source", &DataType::Utf8, false),
    ]))
}

/// As an integer of the table's scale.
fn units(number: Decimal) -> Option<i128> {
    let number = number.round_dp(TABLE_SCALE.unsigned_abs().into());
    number.mantissa().checked_mul(10_i128.pow(u32::from(TABLE_SCALE.unsigned_abs()).saturating_sub(number.scale())))
}
