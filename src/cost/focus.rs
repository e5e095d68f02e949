//! Our export in the shape of FOCUS 1.2: what flow logs tell of each charge, for the tools that read FOCUS.
//!
//! An estimate is not an invoice: its `BilledCost`, `EffectiveCost` and `ContractedCost` are 0 and its money is `ListCost`.
//! Once a bill is tied out, a row may carry its part of a billed line in the `Allocated…` columns, which are FOCUS 1.3's.
//! `x_FocusVersion` says so in each row. Units are binary and called so: FOCUS's `GB` would be 10^9 bytes. Null is not 0: an
//! unknown price leaves the cell empty.

use crate::error::{Error, Result};
use crate::time::{UnixSeconds, rfc3339};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::io::Write;

/// Decimals of a pricing quantity: with a price of ten decimals its product has no more digits than a [`Decimal`].
pub const QUANTITY_DECIMALS: u32 = 12;

/// One charge.
#[derive(Debug, Clone, Default)]
pub struct FocusRow {
    /// Payer.
    pub billing_account_id: String,
    /// Its name.
    pub billing_account_name: Option<String>,
    /// Account that used it.
    pub sub_account_id: String,
    /// Its name.
    pub sub_account_name: Option<String>,
    /// Billing month.
    pub billing_period: (UnixSeconds, UnixSeconds),
    /// Period of the charge.
    pub charge_period: (UnixSeconds, UnixSeconds),
    /// Currency of prices and costs.
    pub currency: String,
    /// One sentence.
    pub description: String,
    /// Region.
    pub region_id: String,
    /// Charged resource.
    pub resource_id: Option<String>,
    /// Its name.
    pub resource_name: Option<String>,
    /// Its kind, e.g. `nat-gateway`.
    pub resource_type: Option<String>,
    /// AZ, if the charge is of one alone.
    pub availability_zone: Option<String>,
    /// Service as AWS bills it.
    pub service_name: String,
    /// `Network Connectivity`, `Network Infrastructure`, …
    pub service_subcategory: String,
    /// Usage type with the region's code.
    pub usage_type: String,
    /// Usage type without it.
    pub sku_meter: String,
    /// Operation, e.g. `InterZone-Out`.
    pub operation: String,
    /// Quantity, of [`QUANTITY_DECIMALS`] at most.
    pub pricing_quantity: Decimal,
    /// `GiB` or `Hours`.
    pub unit: &'static str,
    /// Price of one unit; `None` if unknown.
    pub list_unit_price: Option<Decimal>,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
    /// VPC of the charged end.
    pub source_vpc: Option<String>,
    /// AZ id of the sender.
    pub source_az_id: Option<String>,
    /// AZ id of the receiver.
    pub destination_az_id: Option<String>,
    /// The other end.
    pub peer_resource_id: Option<String>,
    /// `ingress` or `egress`, seen from the charged end.
    pub direction: Option<&'static str>,
    /// Which end is charged.
    pub metered_end: Option<&'static str>,
    /// Whether it was concluded from the other end's records.
    pub imputed: bool,
    /// How sure the attribution is.
    pub confidence: Option<&'static str>,
    /// Records or query behind the row.
    pub evidence: Option<String>,
    /// The part of a billed line, once tied out.
    pub allocated: Option<Allocated>,
}

/// A part of a billed line.
#[derive(Debug, Clone, Default)]
pub struct Allocated {
    /// The part.
    pub billed_cost: Decimal,
    /// Method, e.g. `flow-log-bytes`.
    pub method_id: String,
    /// The share of the line, 0 to 1.
    pub ratio: Decimal,
    /// The resource that the part is of.
    pub resource_id: String,
    /// Its name.
    pub resource_name: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A column: its name, and its cell. `None` is null.
type Column = (&'static str, fn(&FocusRow) -> Result<Option<String>>);

/// The columns of every file, in the order of FOCUS's own list; then ours.
const COLUMNS: [Column; 53] = [
    ("AvailabilityZone", |row| Ok(row.availability_zone.clone())),
    ("BilledCost", |row| Ok(Some(number(row.billed_cost())))),
    ("BillingAccountId", |row| text(&row.billing_account_id)),
    ("BillingAccountName", |row| Ok(row.billing_account_name.clone())),
    ("BillingCurrency", |row| text(&row.currency)),
    ("BillingPeriodEnd", |row| Ok(Some(rfc3339(row.billing_period.1)))),
    ("BillingPeriodStart", |row| Ok(Some(rfc3339(row.billing_period.0)))),
    ("ChargeCategory", |_| text("Usage")),
    ("ChargeClass", |_| Ok(None)),
    ("ChargeDescription", |row| text(&row.description)),
    ("ChargeFrequency", |_| text("Usage-Based")),
    ("ChargePeriodEnd", |row| Ok(Some(rfc3339(row.charge_period.1)))),
    ("ChargePeriodStart", |row| Ok(Some(rfc3339(row.charge_period.0)))),
    ("ConsumedQuantity", |row| Ok(Some(number(row.pricing_quantity)))),
    ("ConsumedUnit", |row| text(row.unit)),
    ("ContractedCost", |row| Ok(Some(number(row.billed_cost())))),
    ("ContractedUnitPrice", |_| Ok(None)),
    ("EffectiveCost", |row| Ok(Some(number(row.billed_cost())))),
    ("InvoiceIssuerName", |_| text("AWS")),
    ("ListCost", |row| Ok(row.list_cost()?.map(number))),
    ("ListUnitPrice", |row| Ok(row.list_unit_price.map(number))),
    ("PricingCategory", |_| text("Standard")),
    ("PricingQuantity", |row| Ok(Some(number(row.pricing_quantity)))),
    ("PricingUnit", |row| text(row.unit)),
    ("ProviderName", |_| text("AWS")),
    ("PublisherName", |_| text("AWS")),
    ("RegionId", |row| text(&row.region_id)),
    ("RegionName", |_| Ok(None)),
    ("ResourceId", |row| Ok(row.resource_id.clone())),
    ("ResourceName", |row| Ok(row.resource_name.clone())),
    ("ResourceType", |row| Ok(row.resource_type.clone())),
    ("ServiceCategory", |_| text("Networking")),
    ("ServiceName", |row| text(&row.service_name)),
    ("ServiceSubcategory", |row| text(&row.service_subcategory)),
    ("SkuId", |_| Ok(None)),
    ("SkuMeter", |row| text(&row.sku_meter)),
    ("SkuPriceId", |_| Ok(None)),
    ("SubAccountId", |row| text(&row.sub_account_id)),
    ("SubAccountName", |row| Ok(row.sub_account_name.clone())),
    ("Tags", |row| json(&row.tags)),
    ("x_Confidence", |row| Ok(row.confidence.map(str::to_owned))),
    ("x_DestinationAzId", |row| Ok(row.destination_az_id.clone())),
    ("x_Direction", |row| Ok(row.direction.map(str::to_owned))),
    ("x_FlowLogEvidence", |row| Ok(row.evidence.clone())),
    ("x_FocusVersion", |row| text(if row.allocated.is_some() { "1.2 with Allocated columns of 1.3" } else { "1.2" })),
    ("x_Imputed", |row| text(if row.imputed { "true" } else { "false" })),
    ("x_MeteredEnd", |row| Ok(row.metered_end.map(str::to_owned))),
    ("x_Mode", |row| text(if row.allocated.is_some() { "reconciled" } else { "estimate" })),
    ("x_Operation", |row| text(&row.operation)),
    ("x_PeerResourceId", |row| Ok(row.peer_resource_id.clone())),
    ("x_SourceAzId", |row| Ok(row.source_az_id.clone())),
    ("x_SourceVpc", |row| Ok(row.source_vpc.clone())),
    ("x_UsageType", |row| text(&row.usage_type)),
];

/// The columns that a reconciled file has besides, in front of ours.
const ALLOCATED: [Column; 5] = [
    ("AllocatedMethodDetails", |row| row.allocated.as_ref().map(|part| details(row, part)).transpose()),
    ("AllocatedMethodId", |row| Ok(row.allocated.as_ref().map(|part| part.method_id.clone()))),
    ("AllocatedResourceId", |row| Ok(row.allocated.as_ref().map(|part| part.resource_id.clone()))),
    ("AllocatedResourceName", |row| Ok(row.allocated.as_ref().and_then(|part| part.resource_name.clone()))),
    ("AllocatedTags", |row| row.allocated.as_ref().map_or(Ok(None), |part| json(&part.tags))),
];

impl FocusRow {
    /// Returns `ListUnitPrice` × `PricingQuantity`, every digit of it; `None` without a price.
    ///
    /// # Errors
    /// The product has more than 28 digits: the quantity has more than [`QUANTITY_DECIMALS`].
    pub fn list_cost(&self) -> Result<Option<Decimal>> {
        let Some(price) = self.list_unit_price else { return Ok(None) };
        let (price, quantity) = (price.normalize(), self.pricing_quantity.normalize());
        let exact = price.mantissa().checked_mul(quantity.mantissa());
        let exact = exact.and_then(|digits| Decimal::try_from_i128_with_scale(digits, price.scale() + quantity.scale()).ok());
        exact.map(Some).ok_or_else(|| Error::failed(format!("{price} × {quantity} has too many digits for a list cost")))
    }

    fn billed_cost(&self) -> Decimal {
        self.allocated.as_ref().map_or(Decimal::ZERO, |part| part.billed_cost)
    }
}

/// Writes rows as CSV. The file has the `Allocated…` columns if `reconciled`; rows without a part leave them empty.
///
/// # Errors
/// The writer fails, or a list cost cannot be shown exactly.
pub fn write(out: impl Write, rows: impl IntoIterator<Item = FocusRow>, reconciled: bool) -> Result<()> {
    let ours = COLUMNS.iter().position(|(name, _)| name.starts_with("x_")).unwrap_or(COLUMNS.len());
    let (standard, ours) = COLUMNS.split_at(ours);
    let allocated: &[Column] = if reconciled { &ALLOCATED } else { &[] };
    let columns = || standard.iter().chain(allocated).chain(ours);
    let mut out = csv::Writer::from_writer(out);
    out.write_record(columns().map(|(name, _)| name)).map_err(unwritten)?;
    for row in rows {
        for (_, cell) in columns() {
            out.write_field(cell(&row)?.unwrap_or_default()).map_err(unwritten)?;
        }
        out.write_record(None::<&[u8]>).map_err(unwritten)?;
    }
    out.flush()?;
    Ok(())
}

fn unwritten(fault: csv::Error) -> Error {
    match fault.into_kind() {
        csv::ErrorKind::Io(fault) => fault.into(),
        fault => Error::failed(format!("cannot write CSV: {fault:?}")),
    }
}

fn number(value: Decimal) -> String {
    value.normalize().to_string()
}

#[expect(clippy::unnecessary_wraps, reason = "a cell of the table")]
fn text(value: &str) -> Result<Option<String>> {
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

fn json(tags: &BTreeMap<String, String>) -> Result<Option<String>> {
    serde_json::to_string(tags).map(Some).map_err(|fault| Error::failed("tags cannot be written").caused_by(fault))
}

/// The JSON of FOCUS 1.3's `AllocatedMethodDetails`; numbers keep their decimal digits.
fn details(row: &FocusRow, part: &Allocated) -> Result<String> {
    let unit = serde_json::to_string(row.unit).map_err(|fault| Error::failed("a unit cannot be written").caused_by(fault))?;
    let (ratio, quantity) = (number(part.ratio), number(row.pricing_quantity));
    Ok(format!(r#"{{"Elements":[{{"AllocatedRatio":{ratio},"UsageUnit":{unit},"UsageQuantity":{quantity}}}]}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn row() -> FocusRow {
        FocusRow {
            billing_account_id: "999900001111".to_owned(),
            sub_account_id: "111122223333".to_owned(),
            billing_period: (1_790_812_800, 1_793_491_200),
            charge_period: (1_791_158_400, 1_791_244_800),
            currency: "USD".to_owned(),
            description: "between availability zones, sent".to_owned(),
            region_id: "eu-central-1".to_owned(),
            resource_id: Some("i-0a".to_owned()),
            service_name: "Amazon Elastic Compute Cloud".to_owned(),
            service_subcategory: "Network Connectivity".to_owned(),
            usage_type: "EUC1-DataTransfer-Regional-Bytes".to_owned(),
            sku_meter: "DataTransfer-Regional-Bytes".to_owned(),
            operation: "InterZone-Out".to_owned(),
            pricing_quantity: Decimal::new(1_234_567_890_123, 12),
            unit: "GiB",
            list_unit_price: Some(Decimal::new(1, 2)),
            tags: BTreeMap::from([("team".to_owned(), "a \"b\", c".to_owned())]),
            source_az_id: Some("euc1-az1".to_owned()),
            destination_az_id: Some("euc1-az2".to_owned()),
            direction: Some("egress"),
            ..FocusRow::default()
        }
    }

    /// The cells of the first row by column.
    fn cells(row: FocusRow, reconciled: bool) -> BTreeMap<String, String> {
        let mut bytes = Vec::new();
        write(&mut bytes, [row], reconciled).unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let header = reader.headers().unwrap().clone();
        let record = reader.records().next().unwrap().unwrap();
        header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    }

    /// The columns that FOCUS 1.2 calls mandatory.
    const MANDATORY: &str = "BilledCost EffectiveCost ListCost ContractedCost BillingAccountId BillingAccountName BillingCurrency \
        BillingPeriodStart BillingPeriodEnd ChargePeriodStart ChargePeriodEnd ChargeCategory ChargeClass ChargeDescription InvoiceIssuerName \
        ProviderName PublisherName PricingQuantity PricingUnit ServiceCategory ServiceName";

    #[test]
    fn an_estimate_is_no_invoice() {
        let cells = cells(row(), false);
        for name in MANDATORY.split_whitespace() {
            assert!(cells.contains_key(name), "{name}");
        }
        for name in ["BilledCost", "EffectiveCost", "ContractedCost"] {
            assert_eq!(cells[name], "0");
        }
        assert_eq!(cells["ListCost"], "0.01234567890123");
        assert_eq!((&*cells["PricingUnit"], &*cells["PricingQuantity"], &*cells["ListUnitPrice"]), ("GiB", "1.234567890123", "0.01"));
        assert_eq!((&*cells["x_FocusVersion"], &*cells["x_Mode"], &*cells["x_Imputed"]), ("1.2", "estimate", "false"));
        assert_eq!(cells["ChargePeriodStart"], "2026-10-05T00:00:00Z");
        assert_eq!(cells["Tags"], r#"{"team":"a \"b\", c"}"#);
        assert!(!cells.keys().any(|name| name.starts_with("Allocated")));
        let known: BTreeSet<char> = cells.keys().filter_map(|name| name.chars().next()).collect();
        assert!(known.iter().all(|first| first.is_ascii_uppercase() || *first == 'x'));
    }

    #[test]
    fn an_unknown_price_is_null() {
        let cells = cells(FocusRow { list_unit_price: None, ..row() }, false);
        assert_eq!((&*cells["ListCost"], &*cells["ListUnitPrice"]), ("", ""));
    }

    #[test]
    fn a_part_of_the_bill_has_the_allocated_columns() {
        let part = Allocated {
            billed_cost: Decimal::new(12_345, 6),
            method_id: "flow-log-bytes".to_owned(),
            ratio: Decimal::new(25, 2),
            resource_id: "checkout".to_owned(),
            ..Allocated::default()
        };
        let cells = cells(FocusRow { allocated: Some(part), ..row() }, true);
        assert_eq!((&*cells["BilledCost"], &*cells["EffectiveCost"], &*cells["x_Mode"]), ("0.012345", "0.012345", "reconciled"));
        assert_eq!((&*cells["AllocatedMethodId"], &*cells["AllocatedResourceId"]), ("flow-log-bytes", "checkout"));
        assert_eq!(
            cells["AllocatedMethodDetails"],
            r#"{"Elements":[{"AllocatedRatio":0.25,"UsageUnit":"GiB","UsageQuantity":1.234567890123}]}"#
        );
        assert_eq!((&*cells["AllocatedTags"], &*cells["AllocatedResourceName"]), ("{}", ""));
    }

    #[test]
    fn a_list_cost_is_exact_or_refused() {
        let cost =
            |price: Decimal, quantity: Decimal| FocusRow { list_unit_price: Some(price), pricing_quantity: quantity, ..row() }.list_cost();
        assert_eq!(cost(Decimal::new(52, 3), Decimal::new(1, 12)).unwrap(), Some(Decimal::new(52, 15)));
        assert_eq!(cost(Decimal::ZERO, Decimal::MAX).unwrap(), Some(Decimal::ZERO));
        let third = Decimal::ONE / Decimal::from(3);
        assert!(cost(third, third).unwrap_err().to_string().contains("too many digits"));
    }
}
