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
    /// Gigabytes already used this month before the period, by the name of the allowance, or of the meter if it has none.
    pub month_to_date: BTreeMap<String, Decimal>,
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

    /// Starts the month's account.
    pub fn month(&self) -> Month<'_> {
        Month { charges: self, volumes: BTreeMap::new(), free: BTreeMap::new() }
    }

    /// Returns the cost of `bytes` as their share of what all bytes of a meter cost.
    pub fn share(&self, bytes: u64, all: u64, cost: Option<Decimal>) -> Option<Decimal> {
        if bytes == 0 {
            return self.at(None, 0);
        }
        Some(millionths(cost?.checked_mul(Decimal::from(bytes))?.checked_div(Decimal::from(all))?))
    }

    /// Returns whether the month's volume of a meter is known, so that tiers and allowances apply.
    pub fn is_tiered(&self, meter: &Meter) -> bool {
        self.already(meter).is_some()
    }

    /// The volume of the month before the run: that of the allowance which the meter is part of, else its own.
    fn already(&self, meter: &Meter) -> Option<u64> {
        let name = self.prices.allowance(meter).map_or(meter.name(), |allowance| &allowance.name);
        self.month_to_date.get(name).map(|gb| self.to_bytes(*gb))
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

/// What a run takes of a month: tiers of a meter go on by region, a free allowance over all regions.
#[derive(Debug)]
pub struct Month<'a> {
    charges: &'a Charges,
    /// By region and meter: bytes that were paid for.
    volumes: BTreeMap<(Option<String>, Meter), u64>,
    /// By allowance: bytes of all kinds.
    free: BTreeMap<String, u64>,
}

impl Month<'_> {
    /// Takes further bytes of a meter, and splits them by what they cost.
    ///
    /// Free bytes stand on lines of their own, and the first tier is that "beyond the global free tier" (as AWS's price list and
    /// bills describe it), so tiers begin behind the allowance.
    pub fn parts(&mut self, region: Option<&str>, meter: &Meter, bytes: u64, unpriced: &mut Unpriced) -> Vec<Part> {
        let charges = self.charges;
        let price = region.and_then(|region| charges.prices.get(region, meter));
        let (Some(already), Some(price)) = (charges.already(meter), price) else {
            let unit_price = charges.unit_price(region, meter, unpriced);
            let cost = unit_price.and_then(|rate| list_cost(u128::from(bytes), charges.bytes_per_gb, rate, 1));
            return vec![Part { bytes, unit_price, cost }];
        };
        let (mut parts, mut left, mut free_in_all) = (Vec::new(), bytes, 0);
        if let Some(allowance) = charges.prices.allowance(meter) {
            free_in_all = charges.to_bytes(allowance.gb_per_month);
            let used = self.free.entry(allowance.name.clone()).or_insert(already);
            let free = free_in_all.saturating_sub(*used).min(left);
            *used = used.saturating_add(bytes);
            if free > 0 {
                parts.push(Part { bytes: free, unit_price: Some(Decimal::ZERO), cost: Some(Decimal::new(0, 6)) });
                left -= free;
            }
        }
        let key = (region.map(str::to_owned), meter.clone());
        let at = self.volumes.entry(key).or_insert(already.saturating_sub(free_in_all));
        for tier in &price.tiers {
            let to = tier.to.map_or(u64::MAX, |to| charges.to_bytes(to));
            let here = to.saturating_sub(*at).min(left);
            if here > 0 {
                let cost = tier.rate.and_then(|rate| list_cost(u128::from(here), charges.bytes_per_gb, rate, 1));
                if tier.rate.is_none() {
                    unpriced.insert((price.region.clone(), meter.to_string()));
                }
                parts.push(Part { bytes: here, unit_price: tier.rate, cost });
                (*at, left) = (at.saturating_add(here), left - here);
            }
        }
        parts
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

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn charges(month_to_date: &[(&str, u32)]) -> Charges {
        let month_to_date = month_to_date.iter().map(|(name, gb)| ((*name).to_owned(), Decimal::from(*gb))).collect();
        Charges { prices: PriceList::builtin().unwrap(), bytes_per_gb: GB, nat_az_ends: 2, month_to_date }
    }

    /// Bytes in GB and cost of each part.
    fn parts(month: &mut Month<'_>, region: &str, meter: &Meter, gb: u64) -> Vec<(u64, Option<String>)> {
        let parts = month.parts(Some(region), meter, gb * GB, &mut Unpriced::new());
        parts.into_iter().map(|part| (part.bytes / GB, part.cost.map(|cost| cost.normalize().to_string()))).collect()
    }

    #[test]
    fn tiers_are_walked_from_the_volume_of_the_month() {
        let check = |gb, already: Option<u32>, want: &[(u64, &str)]| {
            let charges = charges(&already.map(|gb| ("internet-egress", gb)).into_iter().collect::<Vec<_>>());
            let want: Vec<_> = want.iter().map(|(gb, cost)| (*gb, Some((*cost).to_owned()))).collect();
            assert_eq!(parts(&mut charges.month(), "us-east-1", &Meter::InternetEgressBytes, gb), want, "{gb} after {already:?}");
        };
        // Without the month's volume: the first tier, and nothing free.
        check(50, None, &[(50, "4.5")]);
        check(20_480, None, &[(20_480, "1843.2")]);
        // With it: 100 GB free, and tiers behind them: .09 to 10,240 GB, .085 to 51,200, .07 to 153,600, then .05.
        check(50, Some(0), &[(50, "0")]);
        check(50, Some(80), &[(20, "0"), (30, "2.7")]);
        check(10_340, Some(0), &[(100, "0"), (10_240, "921.6")]);
        check(100, Some(10_240), &[(100, "9")]);
        check(100, Some(10_290), &[(50, "4.5"), (50, "4.25")]);
        check(200_000, Some(100), &[(10_240, "921.6"), (40_960, "3481.6"), (102_400, "7168"), (46_400, "2320")]);
        check(1, Some(1_000_000), &[(1, "0.05")]);
    }

    #[test]
    fn an_allowance_is_shared_by_its_meters_and_by_all_regions_and_tiers_are_not() {
        let charges = charges(&[("regional-transfer", 0), ("internet-egress", 60)]);
        let mut month = charges.month();
        let of = |month: &mut Month<'_>, region, meter: &Meter, gb| {
            parts(month, region, meter, gb).into_iter().map(|(gb, cost)| (gb, cost.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(of(&mut month, "us-east-1", &Meter::InterAzBytes, 3), [(1, "0".to_owned()), (2, "0.02".to_owned())]);
        assert_eq!(of(&mut month, "us-east-1", &Meter::PublicIpBytes, 1), [(1, "0.01".to_owned())]);
        assert_eq!(of(&mut month, "us-east-1", &Meter::InternetEgressBytes, 50), [(40, "0".to_owned()), (10, "0.9".to_owned())]);
        assert_eq!(of(&mut month, "ap-northeast-1", &Meter::InternetEgressBytes, 1), [(1, "0.114".to_owned())]);
        assert_eq!(
            of(&mut month, "us-east-1", &Meter::InternetEgressBytes, 10_231),
            [(10_230, "920.7".to_owned()), (1, "0.085".to_owned())]
        );
    }

    #[test]
    fn a_tier_without_a_rate_is_not_known() {
        let charges = charges(&[("endpoint-bytes", 1_048_575)]);
        assert_eq!(
            parts(&mut charges.month(), "us-east-1", &Meter::EndpointBytes, 2),
            [(1, Some("0.01".to_owned())), (1, Some("0.006".to_owned()))]
        );
        assert_eq!(parts(&mut charges.month(), "eu-west-2", &Meter::EndpointBytes, 2), [(1, Some("0.01".to_owned())), (1, None)]);
        assert_eq!(parts(&mut charges.month(), "eu-central-1", &Meter::NatBytes, 1), [(1, None)], "not in the built-in list");
    }
}
