//! `flowproof prices`: what is known of list prices, lists of AWS into our format, and what is wrong with one.

use super::output::{self, OutputArgs};
use super::{Status, catalogue};
use crate::cost::prices::{Finding, Meter, Price, PriceList, Severity, Tier, usage_type};
use crate::cost::region_codes::is_region;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, StringArray};
use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// What to do with prices.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the list prices that are known: built in, and from files
    Show(ShowArgs),
    /// Print prices of the AWS Price List in our format
    Import(ImportArgs),
    /// Say what is wrong, odd or missing in price files; exit code 1 if anything is wrong
    Check(CheckArgs),
}

/// Options of `prices show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Only this region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Only this meter, such as nat-bytes or inter-region-bytes:eu-west-1
    #[arg(long, value_name = "METER")]
    meter: Option<String>,
    /// Price list on top of the built-in one: our TOML or a file of the AWS Price List (repeatable, the last wins)
    #[arg(long, value_name = "FILE")]
    prices: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Options of `prices import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Bulk offer file (JSON or CSV), or output of `aws pricing get-products`; the last one that has a price wins
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Options of `prices check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Price list: our TOML or a file of the AWS Price List
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs a command about prices.
///
/// # Errors
/// If a file is no price list, or the output cannot be written; for `check`, if a file has a fault.
pub fn run(command: &Command) -> Result<Status> {
    match command {
        Command::Show(args) => show(args),
        Command::Import(args) => import(args),
        Command::Check(args) => check(args),
    }
}

fn show(args: &ShowArgs) -> Result<Status> {
    if let Some(meter) = args.meter.as_deref().filter(|meter| !Meter::names().any(|name| name == *meter)) {
        meter.parse::<Meter>()?;
    }
    let mut list = PriceList::with_files(&args.prices)?;
    tell_notes(&list);
    if let Some(region) = args.region.as_deref().filter(|region| !is_region(region) && list.regions().all(|known| known != *region)) {
        return Err(Error::usage(format!("there is no region {region:?}")).with_hint("write its code, such as eu-west-1"));
    }
    list.retain(|price| {
        let wanted = |meter: &String| meter == price.meter.name() || *meter == price.meter.to_string();
        args.region.as_ref().is_none_or(|region| *region == price.region) && args.meter.as_ref().is_none_or(wanted)
    });
    let rows: Vec<(&Price, &Tier)> = list.iter().flat_map(|price| price.tiers.iter().map(move |tier| (price, tier))).collect();
    let texts = |of: &dyn Fn(&Price, &Tier) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(price, tier)| of(price, tier)).collect::<StringArray>())
    };
    // As the price list has them, not padded to a common scale.
    let number = |number: Decimal| number.normalize().to_string();
    let columns = [
        ("region", texts(&|price, _| Some(price.region.clone()))),
        ("meter", texts(&|price, _| Some(price.meter.to_string()))),
        ("usage_type", texts(&|price, _| usage_type(&price.region, &price.meter))),
        ("from", texts(&|_, tier| Some(number(tier.from)))),
        ("to", texts(&|_, tier| tier.to.map(number))),
        ("unit", texts(&|price, _| Some(price.unit.as_str().to_owned()))),
        ("rate", texts(&|_, tier| tier.rate.map(number))),
        ("as_of", texts(&|price, _| price.as_of.clone())),
        ("source", texts(&|price, _| Some(price.source.clone()))),
    ];
    catalogue::write(args.output, &columns)
}

fn tell_notes(list: &PriceList) {
    for note in &list.notes {
        tracing::warn!("{}", crate::error::printable(note));
    }
}

fn import(args: &ImportArgs) -> Result<Status> {
    let mut list = PriceList::default();
    for path in &args.files {
        list.merge(PriceList::read(path)?);
    }
    if list.is_empty() {
        let error = Error::failed("the files hold no price of a network meter");
        return Err(error.with_hint("NAT gateways are in AmazonEC2, transfer in AWSDataTransfer, endpoints and addresses in AmazonVPC"));
    }
    tell_notes(&list);
    list.notes.push(format!("products left out because they are no network meter: {}", list.ignored));
    let mut out = output::stdout();
    out.write_all(list.to_toml().as_bytes())?;
    out.flush()?;
    Ok(Status::Done)
}

fn check(args: &CheckArgs) -> Result<Status> {
    let builtin = PriceList::builtin()?;
    let mut rows: Vec<(String, Finding)> = Vec::new();
    for path in &args.files {
        let findings = PriceList::read_unchecked(path)?.check(&builtin);
        rows.extend(findings.into_iter().map(|finding| (path.display().to_string(), finding)));
    }
    let texts = |of: &dyn Fn(&(String, Finding)) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row)).filter(|text| !text.is_empty())).collect::<StringArray>())
    };
    let columns = [
        ("file", texts(&|(file, _)| file)),
        ("severity", texts(&|(_, finding)| finding.severity.as_str())),
        ("region", texts(&|(_, finding)| &finding.region)),
        ("meter", texts(&|(_, finding)| &finding.meter)),
        ("finding", texts(&|(_, finding)| &finding.message)),
    ];
    catalogue::write(args.output, &columns)?;
    match rows.iter().filter(|(_, finding)| finding.severity == Severity::Fault).count() {
        0 => Ok(Status::Done),
        1 => Err(Error::failed("price lists have 1 fault")),
        faults => Err(Error::failed(format!("price lists have {faults} faults"))),
    }
}
