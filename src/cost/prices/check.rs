//! What is wrong, odd or missing in a price list.

use super::{Meter, Price, PriceList};
use crate::cost::region_codes::is_region;
use rust_decimal::Decimal;
use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The list is wrong, or very likely so.
    Fault,
    /// The list is not whole; what is missing will be null in reports.
    Note,
}

impl Severity {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Fault => "fault",
            Severity::Note => "note",
        }
    }
}

/// Something about a list that its user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Region it is about; may be empty.
    pub region: String,
    /// Meter as written; may be empty.
    pub meter: String,
    /// What it is.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject: Vec<&str> = [&self.region, &self.meter].into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        match subject.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", subject.join(" "), self.message),
        }
    }
}

/// Above this share of the built-in rate, a difference is rather a slip of the pen than a change of price.
const DIFFERENCE_MAX: Decimal = Decimal::from_parts(5, 0, 0, false, 1);

impl PriceList {
    /// Returns what is wrong in a list that is meant to be laid over `builtin`, faults first.
    pub fn check(&self, builtin: &PriceList) -> Vec<Finding> {
        let mut findings = self.faults.clone();
        for region in self.regions().filter(|region| !is_region(region)) {
            findings.push(finding(Severity::Fault, region, "", "is no region that this version knows"));
        }
        findings.extend(self.iter().filter_map(|price| {
            let Meter::InterRegionBytes { to } = &price.meter else { return None };
            let message = if *to == price.region { "goes to its own region" } else { "goes to a region that this version does not know" };
            (*to == price.region || !is_region(to)).then(|| about(Severity::Fault, price, message))
        }));
        findings.extend(self.iter().filter_map(|price| differs(price, builtin.get(&price.region, &price.meter)?)));
        findings.extend(self.regions().filter_map(|region| self.missing(region, builtin)));
        findings.extend(self.notes.iter().map(|note| finding(Severity::Note, "", "", note)));
        if self.is_empty() {
            findings.push(finding(Severity::Fault, "", "", "holds no price of a meter"));
        }
        // Stable: within a severity, the order above.
        findings.sort_by_key(|finding| finding.severity);
        findings
    }

    fn missing(&self, region: &str, builtin: &PriceList) -> Option<Finding> {
        let known = |name: &str| {
            let of = |list: &PriceList| list.prices.get(region).is_some_and(|prices| prices.keys().any(|meter| meter.name() == name));
            of(self) || of(builtin)
        };
        let missing: Vec<&str> = Meter::names().filter(|name| !known(name)).collect();
        let message = format!("no price, here or built in, for {}", missing.join(", "));
        (!missing.is_empty()).then(|| finding(Severity::Note, region, "", &message))
    }
}

fn finding(severity: Severity, region: &str, meter: &str, message: &str) -> Finding {
    Finding { severity, region: region.to_owned(), meter: meter.to_owned(), message: message.to_owned() }
}

fn about(severity: Severity, price: &Price, message: &str) -> Finding {
    finding(severity, &price.region, &price.meter.to_string(), message)
}

/// Compares tiers that begin at the same volume.
fn differs(price: &Price, builtin: &Price) -> Option<Finding> {
    price.tiers.iter().find_map(|tier| {
        let usual = builtin.tiers.iter().find(|known| known.from == tier.from)?.rate?;
        let rate = tier.rate?;
        let far = rate.saturating_sub(usual).abs() > usual.saturating_mul(DIFFERENCE_MAX);
        let (rate, usual, source) = (rate.normalize(), usual.normalize(), &builtin.source);
        let message = format!("{rate} is more than 50 % off the built-in {usual} ({source})");
        far.then(|| about(Severity::Fault, price, &message))
    })
}

/// Returns what keeps tiers from covering every volume exactly once.
pub(super) fn unsound_tiers(price: &Price) -> Option<Finding> {
    let (Some(first), Some(last)) = (price.tiers.first(), price.tiers.last()) else {
        return Some(about(Severity::Fault, price, "has no tier and no rate"));
    };
    let empty = price.tiers.iter().find(|tier| tier.to.is_some_and(|to| to <= tier.from));
    let broken = price.tiers.windows(2).find_map(|pair| match pair {
        [before, after] => match before.to {
            Some(to) if to == after.from => None,
            Some(to) if to < after.from => Some(format!("tiers leave out a part: nothing from {to} to {}", after.from)),
            Some(to) => Some(format!("tiers overlap from {} to {to}", after.from)),
            None => Some(format!("tiers overlap from {}", after.from)),
        },
        _ => None,
    });
    let message = match (empty, broken, last.to) {
        _ if !first.from.is_zero() => format!("tiers begin at {}, not at 0", first.from),
        (Some(tier), ..) => format!("the tier from {} to {} is empty", tier.from, tier.to.unwrap_or_default()),
        (_, Some(broken), _) => broken,
        (_, _, Some(to)) => format!("tiers end at {to}; the last one needs no end"),
        _ => return None,
    };
    Some(about(Severity::Fault, price, &message))
}
