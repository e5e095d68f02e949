//! Bills: Cost and Usage Reports and FOCUS exports → one line per account, region, usage type, operation, resource and day.
//!
//! Only what is metered in a VPC becomes a line. All else is counted with its cost, so that lines, rest and what stands apart
//! add up to the file. Sums are decimal, and nothing is converted: a quantity is in the bill's unit. Rests on
//! `line_item_line_item_type` of the CUR data dictionary, and on the usage types of "Understand codes for Amazon VPC in
//! billing and usage reports" and "Understanding data transfer charges".

use super::bill_columns::{Field, Shape};
use super::bill_rows::{Row, region_of_cell, rows};
use super::region_codes::{region_of_prefix, split_usage_type};
use crate::error::{Error, Result};
use crate::time::{DAY, UnixSeconds};
use parquet::file::reader::ChunkReader;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Lines kept; each takes some 250 bytes, and a month of 30,000 instances in both directions has about as many.
const LINES_MAX: usize = 2_000_000;
/// Notes kept: each kind is said once, but files may be odd in many ways.
const NOTES_MAX: usize = 20;

/// Line item types that are usage at its price; FOCUS calls both `Usage`. Others stand apart by their type.
const USAGE_TYPES: [&str; 2] = ["Usage", "DiscountedUsage"];
/// How the meters of VPCs begin; behind the region's code.
const METERS: [&str; 9] = [
    "NatGateway-",
    "RegionalNatGateway-",
    "VpcPeering-",
    "VpcEndpoint-",
    "TransitGateway-",
    "PublicIPv4:",
    "NetworkFirewall",
    "DataTransfer-xAZ-",
    "DataTransfer-AZ-",
];
/// Transfer meters, which services that are in no VPC have as well.
const TRANSFERS: [&str; 4] =
    ["DataTransfer-Regional-Bytes", "DataTransfer-Out-Bytes", "Global-DataTransfer-Regional-Bytes", "Global-DataTransfer-Out-Bytes"];
/// Services whose transfer never crosses an interface of a VPC of ours: product code (x_ServiceCode), and name in FOCUS.
const OUTSIDE_VPC: [&str; 20] = [
    "AmazonS3",
    "Amazon Simple Storage Service",
    "AmazonS3GlacierDeepArchive",
    "AmazonGlacier",
    "AmazonCloudFront",
    "Amazon CloudFront",
    "AmazonDynamoDB",
    "Amazon DynamoDB",
    "AWSQueueService",
    "Amazon Simple Queue Service",
    "AmazonSNS",
    "Amazon Simple Notification Service",
    "AmazonSES",
    "AmazonApiGateway",
    "AmazonCloudWatch",
    "AmazonKinesis",
    "AmazonECR",
    "AmazonECRPublic",
    "awskms",
    "AmazonLightsail",
];
/// Its meters, `Endpoint-Hour` and `Traffic-GB-Processed`, do not name the service.
const FIREWALL: [&str; 2] = ["AWSNetworkFirewall", "AWS Network Firewall"];

/// What a line of the bill is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Account that used it.
    pub account_id: Arc<str>,
    /// Region; `global` for free allowances.
    pub region: Arc<str>,
    /// Usage type without the region's code: `NatGateway-Bytes`.
    pub usage_type: Arc<str>,
    /// Operation, e.g. `InterZone-In`; empty if the bill does not say.
    pub operation: Arc<str>,
    /// Resource as billed: an ARN, an instance; empty if the bill is without resources.
    pub resource_id: Arc<str>,
    /// First second of the day (UTC) in which the usage began.
    pub day: UnixSeconds,
}

/// What was billed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// Usage in the unit of [`unit()`].
    pub quantity: Decimal,
    /// Cost as billed: unblended, in FOCUS `BilledCost`.
    pub cost: Decimal,
    /// Cost at public prices; `None` if a line was without.
    pub list_cost: Option<Decimal>,
    /// Lines of the bill.
    pub lines: u64,
}

/// Lines that are only counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines of the bill.
    pub lines: u64,
    /// Their cost.
    pub cost: Decimal,
}

/// A bill, summed while its files are read.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// Usage of network meters.
    pub lines: BTreeMap<Key, Amounts>,
    /// Usage of all else, by product code.
    pub rest: BTreeMap<String, Tally>,
    /// Tax, credits, refunds, fees, discounts, … by line item type, and whether they are of a network meter.
    pub apart: BTreeMap<(String, bool), Tally>,
    /// The one currency.
    pub currency: Option<String>,
    /// Longest charge period of a network line in seconds: 3,600 in hourly bills; above a day, days cannot be told apart.
    pub period_max_s: i64,
    /// What a reader should know, in words.
    pub notes: BTreeSet<String>,
    names: HashSet<Arc<str>>,
}

/// Adds a file to a bill: CSV, gzip or not, or Parquet. `place` names it in messages.
///
/// # Errors
/// The file is no bill, is damaged, has a malformed line, or is in another currency. The bill is of no use then: part of the
/// file is in it.
pub fn read<R: ChunkReader + 'static>(place: &str, file: R, bill: &mut Bill) -> Result<Shape> {
    let form = rows(place, file, &mut |row| bill.add(row))?;
    if form.double_cost {
        bill.note("costs are stored as binary floating-point numbers; the shortest decimal text of each is what was summed");
    }
    Ok(form.shape)
}

/// Returns the unit of a network meter: `GB` as AWS counts them, `Hrs`, or `Gbps-Hrs`.
pub fn unit(usage_type: &str) -> &'static str {
    if usage_type.ends_with("Gbps") {
        "Gbps-Hrs"
    } else if usage_type.ends_with("Bytes") || usage_type.contains("-GB-") {
        "GB"
    } else {
        "Hrs"
    }
}

impl Bill {
    /// Returns all lines that were read.
    pub fn lines_read(&self) -> u64 {
        let tallies = self.rest.values().chain(self.apart.values());
        self.lines.values().map(|amounts| amounts.lines).sum::<u64>() + tallies.map(|tally| tally.lines).sum::<u64>()
    }

    /// Returns the cost of all lines that were read; `None` beyond 28 digits.
    pub fn cost(&self) -> Option<Decimal> {
        let tallies = self.rest.values().chain(self.apart.values()).map(|tally| tally.cost);
        self.lines.values().map(|amounts| amounts.cost).chain(tallies).try_fold(Decimal::ZERO, Decimal::checked_add)
    }

    fn add(&mut self, row: &Row<'_>) -> Result<()> {
        self.check_currency(row)?;
        let cost = row.number(Field::Cost)?;
        let service = row.text(Field::Service).unwrap_or_default();
        let usage_type = row.text(Field::UsageType).unwrap_or_default();
        let (code, meter) = split_usage_type(usage_type);
        let network = is_network(meter, service);
        let line_type = row.required(Field::LineType)?;
        if !USAGE_TYPES.contains(&line_type) {
            return tally(&mut self.apart, (line_type.to_owned(), network), cost.unwrap_or_default());
        }
        if !network {
            return tally(&mut self.rest, service.to_owned(), cost.unwrap_or_default());
        }
        row.required(Field::Cost)?;
        row.required(Field::Quantity)?;
        row.required(Field::Start)?;
        self.check_unit(row.text(Field::Unit), meter)?;
        let start = row.instant(Field::Start)?.unwrap_or_default();
        if let Some(end) = row.instant(Field::End)? {
            self.period_max_s = self.period_max_s.max(end - start);
            if end - start > DAY {
                self.note("charge periods are longer than a day: each stands at its first day");
            }
        }
        let region = self.region(row, code, meter);
        let key = Key {
            account_id: self.name(row.required(Field::Account)?),
            region: self.name(&region),
            usage_type: self.name(meter),
            operation: self.name(row.text(Field::Operation).unwrap_or_default()),
            resource_id: self.name(row.text(Field::Resource).unwrap_or_default()),
            day: start.div_euclid(DAY) * DAY,
        };
        if self.lines.len() >= LINES_MAX && !self.lines.contains_key(&key) {
            return Err(Error::failed(format!("the bill has more than {LINES_MAX} network lines"))
                .with_hint("give one month at a time, or an export without resource ids"));
        }
        let (quantity, list_cost) = (row.number(Field::Quantity)?.unwrap_or_default(), row.number(Field::ListCost)?);
        let amounts = Amounts { quantity, cost: cost.unwrap_or_default(), list_cost, lines: 1 };
        match self.lines.get_mut(&key) {
            Some(sum) => *sum = sum.plus(&amounts)?,
            None => {
                self.lines.insert(key, amounts);
            }
        }
        Ok(())
    }

    fn check_currency(&mut self, row: &Row<'_>) -> Result<()> {
        match (row.text(Field::Currency), &self.currency) {
            (Some(currency), None) => self.currency = Some(currency.to_owned()),
            (Some(currency), Some(known)) if currency != known => {
                let fault = format!("a line in {currency} in a bill in {known}");
                return Err(Error::failed(fault).with_hint("give the files of one payer and currency at a time"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Refuses units that would change the figure; others are known under several names.
    fn check_unit(&mut self, billed: Option<&str>, meter: &str) -> Result<()> {
        let Some(billed) = billed else { return Ok(()) };
        let lower = billed.to_ascii_lowercase();
        let known: &[&str] = match unit(meter) {
            "GB" => &["gb", "gib", "gigabyte", "gigabytes", "gbytes"],
            "Hrs" => &["hrs", "hr", "h", "hour", "hours"],
            _ => &["gbps-hrs", "gbps-hours", "gbps-hour"],
        };
        if known.contains(&&*lower) {
            return Ok(());
        }
        if matches!(&*lower, "b" | "byte" | "bytes" | "kb" | "mb" | "mib" | "tb" | "tib" | "s" | "sec" | "second" | "seconds") {
            return Err(Error::failed(format!("{meter} in {billed}, which AWS bills in {}", unit(meter))));
        }
        self.note(&format!("the unit {billed:?} of {meter} is taken as {}", unit(meter)));
        Ok(())
    }

    /// By the region's own column, else by the usage type's code, else by the AZ; without a code a meter is us-east-1's.
    fn region(&mut self, row: &Row<'_>, code: Option<&str>, meter: &str) -> String {
        if let Some(region) = row.text(Field::Region).and_then(region_of_cell).filter(|region| !region.is_empty()) {
            return region;
        }
        if meter.starts_with("Global-") {
            return "global".to_owned();
        }
        if let Some(region) = code.and_then(region_of_prefix) {
            return region.to_owned();
        }
        let of_zone = |zone: &str| zone.trim_end_matches(|c: char| c.is_ascii_lowercase()).to_owned();
        match (row.text(Field::Zone).map(of_zone).filter(|region| !region.is_empty()), code) {
            (Some(region), _) => region,
            (None, None) => "us-east-1".to_owned(),
            (None, Some(code)) => {
                self.note(&format!("no region is known for the code {code}"));
                code.to_owned()
            }
        }
    }

    /// Returns one shared copy of a name: a bill repeats each a thousand times.
    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.names.get(text) {
            return Arc::clone(known);
        }
        let name: Arc<str> = text.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    fn note(&mut self, text: &str) {
        if self.notes.len() < NOTES_MAX && !self.notes.contains(text) {
            self.notes.insert(text.to_owned());
        }
    }
}

impl Amounts {
    fn plus(&self, other: &Amounts) -> Result<Amounts> {
        Ok(Amounts {
            quantity: sum(self.quantity, other.quantity)?,
            cost: sum(self.cost, other.cost)?,
            list_cost: self.list_cost.zip(other.list_cost).map(|(one, two)| sum(one, two)).transpose()?,
            lines: self.lines + other.lines,
        })
    }
}

fn sum(one: Decimal, two: Decimal) -> Result<Decimal> {
    one.checked_add(two).ok_or_else(|| Error::failed(format!("the sum of {one} and {two} has too many digits")))
}

fn tally<K: Ord>(tallies: &mut BTreeMap<K, Tally>, key: K, cost: Decimal) -> Result<()> {
    let tally = tallies.entry(key).or_default();
    tally.lines += 1;
    tally.cost = sum(tally.cost, cost)?;
    Ok(())
}

/// Returns whether a meter (without the region's code) belongs to a VPC.
fn is_network(meter: &str, service: &str) -> bool {
    let transfer = TRANSFERS.contains(&meter) || meter.ends_with("AWS-Out-Bytes");
    METERS.iter().any(|start| meter.starts_with(start)) || FIREWALL.contains(&service) || transfer && !OUTSIDE_VPC.contains(&service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const HEADER: &str = "line_item_usage_account_id,line_item_usage_type,line_item_operation,line_item_usage_start_date,line_item_usage_end_date,\
        line_item_usage_amount,line_item_unblended_cost,line_item_line_item_type,line_item_product_code,product_region_code,\
        line_item_availability_zone,line_item_currency_code,pricing_unit\n";

    fn bill(lines: &str) -> Result<Bill> {
        let mut bill = Bill::default();
        read("cur.csv", Bytes::from(format!("{HEADER}{lines}")), &mut bill)?;
        Ok(bill)
    }

    /// A line with what a case is about; the rest is as usual.
    fn line(usage_type: &str, line_type: &str, service: &str, region: &str, zone: &str) -> String {
        format!(
            "111122223333,{usage_type},,2026-10-05T07:00:00Z,2026-10-05T08:00:00Z,1.5,0.015,{line_type},{service},{region},{zone},USD,\n"
        )
    }

    #[test]
    fn network_meters_are_told_from_others() {
        let check = |meter: &str, service: &str, want: bool| assert_eq!(is_network(meter, service), want, "{meter} of {service}");
        check("NatGateway-Bytes", "AmazonEC2", true);
        check("NatGateway-Prvd-Gbps", "AmazonEC2", true);
        check("RegionalNatGateway-Hours", "AmazonEC2", true);
        check("DataTransfer-Regional-Bytes", "AmazonEC2", true);
        check("DataTransfer-xAZ-In-Bytes", "AmazonRDS", true);
        check("DataTransfer-Out-Bytes", "AmazonEC2", true);
        check("DataTransfer-Out-Bytes", "AmazonS3", false);
        check("DataTransfer-Out-Bytes", "AmazonCloudFront", false);
        check("DataTransfer-In-Bytes", "AmazonEC2", false);
        check("EU-AWS-Out-Bytes", "AmazonEC2", true);
        check("AWS-Out-Bytes", "AmazonEC2", true);
        check("EU-AWS-In-Bytes", "AmazonEC2", false);
        check("VpcEndpoint-GWLBE-Bytes", "AmazonVPC", true);
        check("PublicIPv4:IdleAddress", "AmazonVPC", true);
        check("Traffic-GB-Processed", "AWSNetworkFirewall", true);
        check("Traffic-GB-Processed", "AmazonOther", false);
        check("BoxUsage:t3.micro", "AmazonEC2", false);
    }

    #[test]
    fn units_of_meters() {
        let check = |meter: &str, want: &str| assert_eq!(unit(meter), want, "{meter}");
        check("NatGateway-Bytes", "GB");
        check("NatGateway-Hours", "Hrs");
        check("NatGateway-Prvd-Gbps", "Gbps-Hrs");
        check("Traffic-GB-Processed", "GB");
        check("Endpoint-Hour", "Hrs");
        check("PublicIPv4:InUseAddress", "Hrs");
    }

    #[test]
    fn the_region_has_four_sources() {
        let check = |usage_type: &str, region: &str, zone: &str, want: &str, meter: &str| {
            let bill = bill(&line(usage_type, "Usage", "AmazonEC2", region, zone)).unwrap();
            let key = bill.lines.keys().next().unwrap();
            assert_eq!((&*key.region, &*key.usage_type), (want, meter), "{usage_type}");
        };
        check("EUC1-NatGateway-Bytes", "eu-central-1", "", "eu-central-1", "NatGateway-Bytes");
        check("APS3-NatGateway-Bytes", "", "", "ap-south-1", "NatGateway-Bytes");
        check("XYZ1-NatGateway-Bytes", "", "xy-south-1b", "xy-south-1", "NatGateway-Bytes");
        check("XYZ1-NatGateway-Bytes", "", "", "XYZ1", "NatGateway-Bytes");
        check("NatGateway-Bytes", "", "", "us-east-1", "NatGateway-Bytes");
        check("USE1-EU-AWS-Out-Bytes", "", "", "us-east-1", "EU-AWS-Out-Bytes");
        check("Global-DataTransfer-Out-Bytes", "", "", "global", "Global-DataTransfer-Out-Bytes");
    }

    #[test]
    fn nothing_is_lost() {
        let all = [
            line("NatGateway-Bytes", "Usage", "AmazonEC2", "", ""),
            line("USE1-NatGateway-Bytes", "DiscountedUsage", "AmazonEC2", "", ""),
            line("BoxUsage:t3.micro", "Usage", "AmazonEC2", "", ""),
            line("", "Tax", "AmazonEC2", "", ""),
            line("NatGateway-Bytes", "Credit", "AmazonEC2", "", ""),
        ];
        let bill = bill(&all.concat()).unwrap();
        let sum = bill.lines.values().next().unwrap();
        assert_eq!((bill.lines.len(), sum.lines, sum.quantity, sum.cost), (1, 2, Decimal::new(30, 1), Decimal::new(30, 3)));
        assert_eq!(bill.rest["AmazonEC2"].lines, 1);
        assert_eq!(bill.apart.keys().cloned().collect::<Vec<_>>(), [("Credit".to_owned(), true), ("Tax".to_owned(), false)]);
        assert_eq!((bill.lines_read(), bill.cost()), (5, Some(Decimal::new(75, 3))));
        assert_eq!((bill.currency.as_deref(), bill.period_max_s), (Some("USD"), 3_600));
    }

    #[test]
    fn faults_have_their_place() {
        let good = line("NatGateway-Bytes", "Usage", "AmazonEC2", "", "");
        let check = |bad: String, want: &str| assert_eq!(bill(&format!("{good}{bad}")).unwrap_err().to_string(), want);
        check(good.replace("0.015", "abc"), r#"cur.csv:3: line_item_unblended_cost "abc" is not a number"#);
        check(good.replace("0.015", ""), "cur.csv:3: line_item_unblended_cost is empty");
        check(good.replace(",1.5,", ",,"), "cur.csv:3: line_item_usage_amount is empty");
        check(good.replace("2026-10-05T07", "5.10.2026"), r#"cur.csv:3: line_item_usage_start_date "5.10.2026:00:00Z" is not a time"#);
        check(good.replace("111122223333", ""), "cur.csv:3: line_item_usage_account_id is empty");
        check(good.replace("Usage", ""), "cur.csv:3: line_item_line_item_type is empty");
        check(good.replace("USD", "EUR"), "cur.csv:3: a line in EUR in a bill in USD");
        check(good.replace("USD,", "USD,Bytes"), "cur.csv:3: NatGateway-Bytes in Bytes, which AWS bills in GB");
        check("1,2,3\n".to_owned(), "cur.csv:3: 3 fields instead of the 13 of the header");
    }

    #[test]
    fn odd_units_and_long_periods_are_noted() {
        let odd =
            line("NatGateway-Bytes", "Usage", "AmazonEC2", "", "").replace("USD,", "USD,Things").replace("2026-10-05T08", "2026-11-01T00");
        let bill = bill(&odd).unwrap();
        assert_eq!(bill.period_max_s, 26 * DAY + 17 * 3_600);
        let notes: Vec<&str> = bill.notes.iter().map(String::as_str).collect();
        assert_eq!(
            notes,
            [
                "charge periods are longer than a day: each stands at its first day",
                r#"the unit "Things" of NatGateway-Bytes is taken as GB"#
            ]
        );
    }
}
