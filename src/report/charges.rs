//! What bytes and hours cost at list price: the rules of a report's money, in one place.
//!
//! Decimal throughout, one rounding to a millionth of a dollar at the end of each row. Tiers and free allowances go by the
//! month, which no report sees whole; so they apply only from a volume that the user states for the month to date, and without
//! it every byte costs what the first costs.

use super::value::Json;
use crate::cost::prices::{Meter, PriceList, list_cost};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::{BTreeMap, BTreeSet};

/// Prices, and how they are applied.
#[derive(Debug, Clone)]
pub struct Charges {
    /// The price list.
    pub prices: PriceList,
    /// Bytes of a gigabyte on the bill; AWS does not define it.
    pub bytes_per_gb: u64,
    /// Metered ends of the hop between a client and a NAT gateway in another AZ: 1 or 2; AWS does not say.
    pub nat_az_ends: u8,
    /// Gigabytes already used this month before the period, by meter.
    pub month_to_date: BTreeMap<Meter, Decimal>,
}

/// A part of a volume, at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Bytes.
    pub bytes: u64,
    /// Price of a unit; `None` if it is not known.
    pub unit_price: Option<Decimal>,
    /// Cost, to the millionth.
    pub cost: Option<Decimal>,
}

/// Prices that were needed and are not known: (region, meter).
pub type Unpriced = BTreeSet<(String, String)>;

impl Charges {
    /// Returns the price of a unit in the first tier; a price that is missing is noted.
    pub fn unit_price(&self, region: Option<&str>, meter: &Meter, unpriced: &mut Unpriced) -> Option<Decimal> {
        let price = region.and_then(|region| self.prices.get(region, meter)).and_then(|price| price.unit_price());
        if price.is_none() {
            unpriced.insert((region.unwrap_or("(no region)").to_owned(), meter.to_string()));
        }
        price
    }

    /// Returns what metered bytes cost; nothing costs nothing, also where the price is not known.
    pub fn bytes(&self, region: Option<&str>, meter: &Meter, bytes: u64, unpriced: &mut Unpriced) -> Option<Decimal> {
        if bytes == 0 {
            return self.at(None, 0);
        }
        let rate = self.unit_price(region, meter, unpriced);
        self.at(rate, bytes)
    }

    /// Returns what metered bytes cost at a price; nothing costs nothing, also where the price is not known.
    pub fn at(&self, unit_price: Option<Decimal>, bytes: u64) -> Option<Decimal> {
        if bytes == 0 { Some(Decimal::new(0, 6)) } else { list_cost(u128::from(bytes), self.bytes_per_gb, unit_price?, 1) }
    }

    /// Returns what hours cost.
    pub fn hours(&self, region: Option<&str>, meter: &Meter, hours: u64, unpriced: &mut Unpriced) -> Option<Decimal> {
        let rate = self.unit_price(region, meter, unpriced)?;
        Some(millionths(rate.checked_mul(Decimal::from(hours))?))
    }

    /// Splits the bytes of a meter by what they cost: tiers from the month to date on, after what is left of a free allowance.
    /// `before` are bytes of this run that come first.
    pub fn parts(&self, region: Option<&str>, meter: &Meter, bytes: u64, before: u64, unpriced: &mut Unpriced) -> Vec<Part> {
        let price = region.and_then(|region| self.prices.get(region, meter));
        let (Some(already), Some(price)) = (self.month_to_date.get(meter), price) else {
            let unit_price = self.unit_price(region, meter, unpriced);
            let cost = unit_price.and_then(|rate| list_cost(u128::from(bytes), self.bytes_per_gb, rate, 1));
            return vec![Part { bytes, unit_price, cost }];
        };
        let mut parts = Vec::new();
        let mut at = self.to_bytes(*already).saturating_add(before);
        let mut left = bytes;
        if let Some(allowance) = self.prices.allowance(meter) {
            let free = self.to_bytes(allowance.gb_per_month).saturating_sub(at).min(left);
            if free > 0 {
                parts.push(Part { bytes: free, unit_price: Some(Decimal::ZERO), cost: Some(Decimal::new(0, 6)) });
                left -= free;
                at = at.saturating_add(free);
            }
        }
        for tier in &price.tiers {
            let to = tier.to.map_or(u64::MAX, |to| self.to_bytes(to));
            let here = to.saturating_sub(at).min(left);
            if here > 0 {
                let cost = tier.rate.and_then(|rate| list_cost(u128::from(here), self.bytes_per_gb, rate, 1));
                if tier.rate.is_none() {
                    unpriced.insert((price.region.clone(), meter.to_string()));
                }
                parts.push(Part { bytes: here, unit_price: tier.rate, cost });
                (at, left) = (at.saturating_add(here), left - here);
            }
        }
        parts
    }

    /// Returns the cost of `bytes` as their share of all bytes of a meter.
    pub fn share(&self, region: Option<&str>, meter: &Meter, bytes: u64, all: u64, unpriced: &mut Unpriced) -> Option<Decimal> {
        if bytes == 0 || !self.month_to_date.contains_key(meter) {
            return self.bytes(region, meter, bytes, unpriced);
        }
        let total = sum(self.parts(region, meter, all, 0, unpriced).into_iter().map(|part| part.cost))?;
        Some(millionths(total.checked_mul(Decimal::from(bytes))?.checked_div(Decimal::from(all))?))
    }

    /// Returns bytes as the quantity on a bill, to ten decimals.
    pub fn quantity(&self, bytes: u64) -> Decimal {
        let exact = Decimal::from(bytes).checked_div(Decimal::from(self.bytes_per_gb)).unwrap_or_default();
        exact.round_dp_with_strategy(QUANTITY_SCALE, RoundingStrategy::MidpointNearestEven)
    }

    fn to_bytes(&self, gb: Decimal) -> u64 {
        gb.checked_mul(Decimal::from(self.bytes_per_gb)).and_then(|bytes| u64::try_from(bytes.trunc()).ok()).unwrap_or(u64::MAX)
    }
}

/// Decimal places of a quantity.
pub const QUANTITY_SCALE: u32 = 10;

/// Rounds to the millionth of a dollar, half to even.
pub fn millionths(amount: Decimal) -> Decimal {
    let mut rounded = amount.round_dp_with_strategy(6, RoundingStrategy::MidpointNearestEven);
    rounded.rescale(6);
    rounded
}

/// Returns the sum if all amounts are known.
pub fn sum(amounts: impl IntoIterator<Item = Option<Decimal>>) -> Option<Decimal> {
    amounts.into_iter().try_fold(Decimal::new(0, 6), |sum, amount| sum.checked_add(amount?))
}

/// Returns an amount for a reader, in dollars and cents; small amounts with four digits.
pub fn dollars(amount: Option<Decimal>) -> String {
    match amount {
        None => "no price".to_owned(),
        Some(amount) if !amount.is_zero() && amount < Decimal::new(1, 2) => format!("${}", amount.round_dp(6).normalize()),
        Some(amount) => format!("${:.2}", amount.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven)),
    }
}

/// Returns `$1.00`, or `$0.50–$1.00` where AWS does not say what it meters.
pub fn range(least: Option<Decimal>, most: Option<Decimal>) -> String {
    if least == most || most.is_none() { dollars(most) } else { format!("{}–{}", dollars(least), dollars(most)) }
}

/// Says once which prices are missing, and how to get them.
pub fn note(unpriced: &Unpriced) -> Option<String> {
    if unpriced.is_empty() {
        return None;
    }
    let missing: Vec<String> = unpriced.iter().map(|(region, meter)| format!("{meter} in {region}")).collect();
    Some(format!(
        "no confirmed list price for {}: bytes are shown without money; flowproof prices import makes a list for --prices from AWS's Price List",
        missing.join(", ")
    ))
}

/// Says how money was computed.
pub fn basis(charges: &Charges) -> String {
    let tiers = if charges.month_to_date.is_empty() {
        "the first tier and no free allowance, as the month to date is not given (--month-to-date)"
    } else {
        "tiers and allowances from the month to date given"
    };
    format!(
        "money is an estimate at list price, before discounts and tax: {} bytes per GB, {tiers}; {} metered {} of the hop between a client and a NAT gateway in another AZ",
        charges.bytes_per_gb,
        charges.nat_az_ends,
        if charges.nat_az_ends == 1 { "end" } else { "ends" }
    )
}

/// Returns money for the JSON.
pub fn json(amount: Option<Decimal>) -> Json {
    Json::Money(amount)
}
