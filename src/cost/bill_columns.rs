//! The columns of a bill: which of them say what, in Cost and Usage Reports and in FOCUS exports.
//!
//! Rests on the data dictionaries of CUR 2.0 and of the legacy CUR (AWS Data Exports user guide) and on the FOCUS
//! specification 1.0–1.2 with AWS's columns (`x_…`). Names are compared by letters and digits alone: `lineItem/UsageType` in
//! CSV is `line_item_usage_type` in Parquet and `lineitem_usagetype` in Redshift.

use crate::error::{Error, Result};

/// What a bill was exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Cost and Usage Report 2.0 of AWS Data Exports.
    Cur2,
    /// Legacy Cost and Usage Report.
    LegacyCur,
    /// FOCUS 1.0 or later.
    Focus,
}

impl Shape {
    /// Returns the name that AWS gives it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Cur2 => "CUR 2.0",
            Shape::LegacyCur => "legacy CUR",
            Shape::Focus => "FOCUS",
        }
    }
}

/// What is read of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    UsageType,
    LineType,
    Cost,
    Account,
    Start,
    Quantity,
    Service,
    Operation,
    Resource,
    Region,
    Zone,
    End,
    ListCost,
    Unit,
    Currency,
}

/// One field with its columns in a CUR and in FOCUS; the first that is filled counts.
struct Names {
    field: Field,
    required: bool,
    cur: &'static [&'static str],
    focus: &'static [&'static str],
}

impl Names {
    fn by(&self, shape: Shape) -> &'static [&'static str] {
        if shape == Shape::Focus { self.focus } else { self.cur }
    }
}

const fn names(field: Field, required: bool, cur: &'static [&'static str], focus: &'static [&'static str]) -> Names {
    Names { field, required, cur, focus }
}

/// The table, by the order of [`Field`].
const FIELDS: [Names; 15] = [
    names(Field::UsageType, true, &["line_item_usage_type"], &["x_UsageType", "SkuMeter"]),
    names(Field::LineType, true, &["line_item_line_item_type"], &["ChargeCategory"]),
    names(Field::Cost, true, &["line_item_unblended_cost"], &["BilledCost"]),
    names(Field::Account, true, &["line_item_usage_account_id"], &["SubAccountId", "BillingAccountId"]),
    names(Field::Start, true, &["line_item_usage_start_date"], &["ChargePeriodStart"]),
    names(Field::Quantity, true, &["line_item_usage_amount"], &["ConsumedQuantity", "PricingQuantity"]),
    names(Field::Service, false, &["line_item_product_code"], &["x_ServiceCode", "ServiceName"]),
    names(Field::Operation, false, &["line_item_operation"], &["x_Operation"]),
    names(Field::Resource, false, &["line_item_resource_id"], &["ResourceId"]),
    // The map `product` of CUR 2.0 comes last: it is read only where no column of its own tells the region.
    names(Field::Region, false, &["product_region_code", "product_region", "product_from_region_code", "product"], &["RegionId"]),
    names(Field::Zone, false, &["line_item_availability_zone"], &["AvailabilityZone"]),
    names(Field::End, false, &["line_item_usage_end_date"], &["ChargePeriodEnd"]),
    names(Field::ListCost, false, &["pricing_public_on_demand_cost"], &["ListCost"]),
    names(Field::Unit, false, &["pricing_unit"], &["ConsumedUnit", "PricingUnit"]),
    names(Field::Currency, false, &["line_item_currency_code"], &["BillingCurrency"]),
];

/// Where the fields stand in one file.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) shape: Shape,
    places: [Vec<usize>; FIELDS.len()],
}

impl Columns {
    /// Finds the fields by the names of the columns.
    ///
    /// # Errors
    /// The columns are no bill's, or one that must be there is missing.
    pub(super) fn find<'a>(header: impl Iterator<Item = &'a str>) -> Result<Columns> {
        let raw: Vec<&str> = header.collect();
        let header: Vec<String> = raw.iter().map(|name| plain(name)).collect();
        let at = |name: &str| header.iter().position(|column| *column == plain(name));
        let shape = match (at("line_item_usage_type"), at("ChargeCategory")) {
            (Some(_), _) if raw.iter().any(|name| name.starts_with("lineItem/")) => Shape::LegacyCur,
            // CUR 2.0 has these in its map `product`.
            (Some(_), _) if at("product_product_name").or(at("product_region")).is_some() => Shape::LegacyCur,
            (Some(_), _) => Shape::Cur2,
            (None, Some(_)) => Shape::Focus,
            (None, None) => {
                return Err(Error::failed(
                    "neither a Cost and Usage Report nor a FOCUS export: there is no column line_item_usage_type, \
                     lineItem/UsageType or ChargeCategory",
                )
                .with_hint("give the data files of an AWS data export (CSV, CSV.gz or Parquet), not its manifest"));
            }
        };
        let places = FIELDS.each_ref().map(|names| {
            let mut found: Vec<usize> = names.by(shape).iter().filter_map(|name| at(name)).collect();
            if names.field == Field::Region && found.len() > 1 && found.last() == at("product").as_ref() {
                found.pop();
            }
            found
        });
        let missing = FIELDS.iter().zip(&places).filter(|(names, found)| names.required && found.is_empty());
        let missing: Vec<&str> = missing.map(|(names, _)| names.by(shape)[0]).collect();
        if !missing.is_empty() {
            let fault = format!("this {} export lacks the column {}", shape.name(), missing.join(", "));
            return Err(Error::failed(fault).with_hint("add it to the export's column selection"));
        }
        Ok(Columns { shape, places })
    }

    /// Returns the columns that may hold a field, the best first.
    pub(super) fn of(&self, field: Field) -> &[usize] {
        &self.places[field as usize]
    }

    /// Returns the usual name of a field's column, for messages.
    pub(super) fn name(&self, field: Field) -> &'static str {
        FIELDS[field as usize].by(self.shape)[0]
    }

    /// Returns every column that is read.
    pub(super) fn wanted(&self) -> impl Iterator<Item = usize> {
        self.places.iter().flatten().copied()
    }
}

/// Letters and digits of a name, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUR: &str = "line_item_usage_account_id line_item_usage_type line_item_usage_start_date line_item_usage_amount \
                       line_item_unblended_cost line_item_line_item_type";

    #[test]
    fn the_table_stands_in_the_order_of_the_fields() {
        for (at, names) in FIELDS.iter().enumerate() {
            assert_eq!(names.field as usize, at, "{:?}", names.field);
        }
    }

    #[test]
    fn shapes_by_their_columns() {
        let check = |header: &str, want| assert_eq!(Columns::find(header.split_whitespace()).unwrap().shape, want, "{header}");
        check(CUR, Shape::Cur2);
        check(&format!("{CUR} product_region"), Shape::LegacyCur);
        check(
            "lineItem/UsageAccountId lineItem/UsageType lineItem/UsageStartDate lineItem/UsageAmount lineItem/UnblendedCost lineItem/LineItemType",
            Shape::LegacyCur,
        );
        check("SubAccountId x_UsageType ChargePeriodStart ConsumedQuantity BilledCost ChargeCategory", Shape::Focus);
        check("subaccountid skumeter chargeperiodstart pricingquantity billedcost chargecategory", Shape::Focus);
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = |header: &str| Columns::find(header.split_whitespace()).unwrap_err().to_string();
        assert!(fault("a b c").starts_with("neither a Cost and Usage Report nor a FOCUS export"));
        let short = CUR.replace("line_item_usage_amount", "").replace("line_item_unblended_cost", "");
        assert_eq!(fault(&short), "this CUR 2.0 export lacks the column line_item_unblended_cost, line_item_usage_amount");
    }

    #[test]
    fn the_product_map_is_the_last_resort() {
        let with = Columns::find(format!("{CUR} product product_region_code").split_whitespace()).unwrap();
        assert_eq!(with.of(Field::Region), [7]);
        let alone = Columns::find(format!("{CUR} product").split_whitespace()).unwrap();
        assert_eq!(alone.of(Field::Region), [6]);
    }
}
