//! `flowproof report`: one question, one document.

use super::output::{self, OutputArgs};
use super::run::{Asked, ClosingArgs, LogsArgs};
use super::{Context, QuietArgs, Status};
use crate::cost::focus;
use crate::cost::prices::{BYTES_PER_GB_DEFAULT, PriceList, decimal};
use crate::error::{Error, Result, printable};
use crate::intake::ObjectRead;
use crate::policy::Policy;
use crate::query::coverage::{Closing, SETTLE_DEFAULT_S};
use crate::query::grain::Grain;
use crate::query::{Engine, Logs};
use crate::report::by::By;
use crate::report::charges::Charges;
use crate::report::cross_az::Charge;
use crate::report::{Format, Report, charges_focus, cost, coverage, cross_az, drill, egress, nat, policy, readiness, tie_out};
use crate::time::{TimeRange, parse_instant};
use clap::{Args, Subcommand, ValueEnum};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The questions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Which destinations did each EKS API server contact through the VPC, by which path, with what outcome?
    Egress(EgressArgs),
    /// How many bytes moved between AZs, what of them AWS meters, and what that costs
    CrossAz(CrossAzArgs),
    /// Who drives NAT, what it costs, and what could leave it
    Nat(NatArgs),
    /// What this traffic costs, line by line as a bill has it, and whose it is
    Cost(CostReportArgs),
    /// Which hours of each EKS control plane do the logs cover, and what stands behind that?
    Coverage(CoverageArgs),
    /// Is each cluster ready for CUSTOMER_ROUTED, a switch that cannot be undone? From the inventory; LOGS are optional
    Readiness(ReadinessArgs),
}

/// Options of every report.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    logs: LogsArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Also write the report to a file, in the format of its suffix (repeatable): html, md, csv, json, ndjson, parquet, …
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    export: Vec<String>,
    /// Exit with 4 on hours without logs (gaps), with 3 on findings (of a policy; of what is missing in report readiness)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT", help_heading = "Checks")]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    quiet: QuietArgs,
}

/// Options of `report egress`.
#[derive(Debug, Args)]
pub struct EgressArgs {
    #[command(flatten)]
    report: ReportArgs,
    /// Approved destinations (TOML): judge every connection at the time of its records
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    policy: Option<PathBuf>,
    /// Show what changed in outcomes since another period: previous (as long, just before) or FROM..TO
    #[arg(long, value_name = "PERIOD")]
    compare: Option<String>,
}

/// Options of `report coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    closing: ClosingArgs,
}

/// Options of `report readiness`.
#[derive(Debug, Args)]
pub struct ReadinessArgs {
    #[command(flatten)]
    cost: CostArgs,
    /// Instant to judge, UTC [default: the latest snapshot of the inventory]
    #[arg(long, value_name = "TIME", help_heading = "Inventory")]
    at: Option<String>,
}

/// Options of reports of costs.
#[derive(Debug, Args)]
pub struct CostArgs {
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    pricing: PricingArgs,
}

/// How bytes become money.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prices")]
struct PricingArgs {
    /// Price list: flowproof's format, or output of the AWS Price List (repeatable; later files go before earlier ones, all before
    /// the built-in list)
    #[arg(long, value_name = "FILE")]
    prices: Vec<PathBuf>,
    /// Bytes of a gigabyte on the bill; AWS does not define it
    #[arg(long, value_name = "N", default_value_t = BYTES_PER_GB_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    bytes_per_gb: u64,
    /// Metered ends of the hop between a client and a NAT gateway in another AZ; AWS does not say
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    nat_az_ends: u8,
    /// Volume of the month before the period, so that tiers and free allowances apply: internet-egress, or in report cost
    /// regional-transfer and endpoint-bytes (repeatable)
    #[arg(long, value_name = "METER=GB")]
    month_to_date: Vec<String>,
}

impl PricingArgs {
    fn charges(&self) -> Result<Charges> {
        let month_to_date = self.month_to_date.iter().map(|text| volume(text)).collect::<Result<_>>()?;
        let prices = PriceList::with_files(&self.prices)?;
        Ok(Charges { prices, bytes_per_gb: self.bytes_per_gb, nat_az_ends: self.nat_az_ends, month_to_date })
    }
}

/// Reads `METER=GB`.
fn volume(text: &str) -> Result<(String, Decimal)> {
    let fault = || {
        Error::usage(format!("{text:?} is no volume of a meter"))
            .with_hint("--month-to-date internet-egress=5000 (gigabytes); also regional-transfer and endpoint-bytes")
    };
    let (name, gb) = text.split_once('=').ok_or_else(fault)?;
    if !["internet-egress", "regional-transfer", "endpoint-bytes"].contains(&name) {
        return Err(fault());
    }
    Ok((name.to_owned(), decimal(gb).ok_or_else(fault)?))
}

/// Options of `report cross-az`.
#[derive(Debug, Args)]
pub struct CrossAzArgs {
    #[command(flatten)]
    cost: CostArgs,
    /// What rows are for: az-pair, account, vpc, subnet, eni, service, cluster, namespace or tag:KEY
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
    /// Who pays for a movement, where rows are for owners
    #[arg(long, value_enum, default_value_t = ChargeArg::Split, value_name = "WHO")]
    charge: ChargeArg,
}

/// `--charge`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChargeArg {
    /// Each metered end its own owner, as AWS bills it
    Split,
    /// The sender
    Sender,
    /// The receiver
    Receiver,
}

/// Options of `report nat`.
#[derive(Debug, Args)]
pub struct NatArgs {
    #[command(flatten)]
    cost: CostArgs,
    /// What rows are for: client, destination, service, pair, gateway, cluster, namespace or tag:KEY
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
}

/// Options of `report cost`.
#[derive(Debug, Args)]
pub struct CostReportArgs {
    #[command(flatten)]
    cost: CostArgs,
    /// Whose traffic: account, vpc, subnet, eni, service, cluster, namespace or tag:KEY
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
    /// Compare with another period: previous (as long, just before) or FROM..TO
    #[arg(long, value_name = "PERIOD")]
    compare: Option<String>,
    /// The bill to explain and to divide among owners: Cost and Usage Report (2.0 or legacy) or FOCUS export, CSV or Parquet
    /// (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    cur: Vec<PathBuf>,
    /// Also write the charges as a FOCUS-shaped CSV file: estimates, or with --cur the bill's dollars by owner
    #[arg(long, value_name = "FILE")]
    focus: Option<String>,
}

/// Owners of traffic that rows may be for.
const OWNERS: &[&str] = &["account", "vpc", "subnet", "eni", "service", "cluster", "namespace"];

impl Command {
    fn report_args(&self) -> &ReportArgs {
        match self {
            Command::Egress(args) => &args.report,
            Command::Readiness(args) => &args.cost.report,
            Command::CrossAz(args) => &args.cost.report,
            Command::Nat(args) => &args.cost.report,
            Command::Cost(args) => &args.cost.report,
            Command::Coverage(args) => &args.report,
        }
    }

    fn policy(&self) -> Option<&Path> {
        match self {
            Command::Egress(args) => args.policy.as_deref(),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Command::Egress(_) => "egress",
            Command::Readiness(_) => "readiness",
            Command::CrossAz(_) => "cross-az",
            Command::Nat(_) => "nat",
            Command::Cost(_) => "cost",
            Command::Coverage(_) => "coverage",
        }
    }

    fn closing(&self, context: &Context) -> Result<Closing> {
        match self {
            Command::Coverage(args) => args.closing.closing(context),
            _ => Ok(Closing { as_of: Some(context.now), settle_s: SETTLE_DEFAULT_S }),
        }
    }

    /// Returns whether only errors go to stderr.
    pub fn is_quiet(&self) -> bool {
        self.report_args().quiet.quiet
    }

    /// Returns what the sums behind the report must tell apart.
    fn grain(&self) -> Result<Grain> {
        Ok(match self {
            Command::Egress(_) | Command::Coverage(_) | Command::Readiness(_) => Grain::Full,
            Command::CrossAz(_) => cross_az::GRAIN,
            Command::Nat(_) => nat::GRAIN,
            Command::Cost(args) => cost::grain(&By::parse(args.by.as_deref(), "none", OWNERS)?),
        })
    }

    async fn report(&self, logs: &Arc<Logs>, engine: &Engine, context: &Context) -> Result<Report> {
        match self {
            Command::Egress(args) => {
                needs_control_planes(logs)?;
                match &args.compare {
                    None => egress::report(logs, engine).await,
                    Some(period) => {
                        let before = earlier(&args.report, period, logs, context).await?;
                        drill::report((logs, engine), (&before.0, &before.1)).await
                    }
                }
            }
            Command::Readiness(args) => {
                let at = |text: &String| {
                    parse_instant(text, context.now)
                        .ok_or_else(|| Error::usage(format!("--at {text:?} is not a time")).with_hint("write 2026-10-03T08:00:00Z"))
                };
                let at = args.at.as_ref().map(at).transpose()?;
                if logs.inventory.is_empty() {
                    return Err(Error::usage("report readiness needs an inventory: it is what is judged").with_hint(
                        "flowproof inventory script > collect.sh; run it where the AWS CLI may read, then add --inventory DIR",
                    ));
                }
                readiness::report(logs, engine, &args.cost.pricing.charges()?, at).await
            }
            Command::Coverage(_) => {
                needs_control_planes(logs)?;
                coverage::report(logs, engine).await
            }
            Command::CrossAz(args) => {
                let by = By::parse(args.by.as_deref(), "az-pair", OWNERS)?;
                let charge = match args.charge {
                    ChargeArg::Split => Charge::Split,
                    ChargeArg::Sender => Charge::Sender,
                    ChargeArg::Receiver => Charge::Receiver,
                };
                cross_az::report(logs, engine, &by, charge, &args.cost.pricing.charges()?).await
            }
            Command::Nat(args) => {
                let by = By::parse(args.by.as_deref(), "client", &["destination", "service", "pair", "gateway", "cluster", "namespace"])?;
                nat::report(logs, engine, &by, &args.cost.pricing.charges()?).await
            }
            Command::Cost(args) => {
                let by = By::parse(args.by.as_deref(), "none", OWNERS)?;
                let charges = args.cost.pricing.charges()?;
                if !args.cur.is_empty() {
                    let tied = tie_out::tied_out(logs, engine, &by, &charges, &args.cur).await?;
                    if let Some(path) = &args.focus {
                        output::to_file(path, |file| focus::write(file, charges_focus::parts_of_a_bill(&tied, &logs.inventory), true))?;
                    }
                    return tie_out::report(tied, &by);
                }
                let mut places = cost::places(engine).await?;
                let before = match &args.compare {
                    None => None,
                    Some(period) => {
                        let (logs, engine) = earlier(&args.cost.report, period, logs, context).await?;
                        // A period without records takes from the other where its gateways stand.
                        let mut both = cost::places(&engine).await?;
                        both.append(&mut places);
                        places = both;
                        Some(cost::Costs::of(&logs, &engine, &by, &charges, &places).await?)
                    }
                };
                let costs = cost::Costs::of(logs, engine, &by, &charges, &places).await?;
                if let Some(path) = &args.focus {
                    let rows = charges_focus::rows(&costs.lines, costs.scan.period, &charges, &logs.inventory);
                    output::to_file(path, |file| focus::write(file, rows, false))?;
                }
                cost::report(costs, &logs.inventory, &by, &charges, before.as_ref())
            }
        }
    }
}

/// Opens the logs of the period that is compared with.
async fn earlier(args: &ReportArgs, period: &str, logs: &Arc<Logs>, context: &Context) -> Result<(Arc<Logs>, Engine)> {
    let window = match period.split_once("..") {
        Some((from, to)) => TimeRange::parse(Some(from), Some(to), context.now)?,
        None if period == "previous" => match (logs.window.from, logs.window.to) {
            (Some(from), Some(to)) => TimeRange { from: Some(from - (to - from)), to: Some(from) },
            _ => return Err(Error::usage("--compare previous needs --from and --to").with_hint("or name the period: --compare FROM..TO")),
        },
        None => return Err(Error::usage(format!("{period:?} is no period")).with_hint("--compare previous, or --compare FROM..TO")),
    };
    let asked = Asked { window: Some(window), grain: logs.grain, ..Asked::default() };
    let logs = args.logs.open_for(context, asked).await?;
    let engine = Engine::of_sums(&logs)?;
    Ok((logs, engine))
}

/// `--fail-on`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Destinations that violate the policy, or what report readiness finds missing
    Findings,
    /// Hours in which an interface should have been logged and was not
    Gaps,
}

/// Runs a report.
///
/// # Errors
/// If logs or inventory cannot be read, or the output cannot be written.
pub async fn run(command: Command, context: &Context) -> Result<Status> {
    let args = command.report_args();
    if args.logs.is_empty() && !matches!(command, Command::Readiness(_)) {
        return Err(
            Error::usage("no LOGS are given").with_hint(format!("flowproof report {} s3://bucket/prefix --inventory DIR", command.name()))
        );
    }
    let formats = args.export.iter().map(|path| Format::of_file(path).map(|format| (path, format))).collect::<Result<Vec<_>>>()?;
    // Before anything is listed: a misspelt policy is found at once.
    let policy = command.policy().map(Policy::read).transpose()?;
    let asked = Asked { policy: policy.as_ref(), closing: Some(command.closing(context)?), grain: command.grain()?, ..Asked::default() };
    let logs = args.logs.open_for(context, asked).await?;
    let progress = output::progress(context, &logs);
    let engine = Engine::of_sums(&logs)?;
    let report = command.report(&logs, &engine, context).await?;
    drop(progress);
    for (path, format) in formats {
        output::to_file(path, |file| report.write(format, file))?;
    }
    report.write(args.output.format(), &mut output::stdout())?;
    Ok(status(&report, args, context))
}

/// Without control-plane interfaces every row would be missing, which must not look like an answer.
pub(super) fn needs_control_planes(logs: &Logs) -> Result<()> {
    let inventory = &logs.inventory;
    if inventory.is_empty() {
        return Err(Error::usage("this needs an inventory: the logs do not say which interfaces are a control plane's")
            .with_hint("flowproof inventory script > collect.sh; run it where the AWS CLI may read, then add --inventory DIR"));
    }
    if inventory.clusters().is_empty() {
        return Err(Error::usage("the inventory has no EKS cluster (describe-cluster)")
            .with_hint("flowproof inventory check --inventory DIR says what is missing and how to get it"));
    }
    Ok(())
}

fn status(report: &Report, args: &ReportArgs, context: &Context) -> Status {
    let incomplete =
        report.further.get("incomplete_objects").and_then(serde_json::Value::as_array).is_some_and(|objects| !objects.is_empty());
    let rejects = args.logs.max_rejects(context).is_some_and(|max| report.inputs.records.rejected > max);
    let gaps = args.fail_on.contains(&FailOn::Gaps) && (egress::has_gaps(report) || coverage::has_gaps(report));
    let missing = report.further.get("findings").and_then(serde_json::Value::as_u64).is_some_and(|findings| findings > 0);
    match args.fail_on.contains(&FailOn::Findings) && (policy::has_violations(report) || missing) {
        true => Status::Findings,
        false if incomplete || rejects || gaps => Status::Incomplete,
        false => Status::Done,
    }
}

/// Says on stderr what could not be read whole, and whether that makes a run incomplete. A statement may scan an object
/// several times; it counts once.
///
/// # Errors
/// An access error if no object at all could be read for lack of permission.
pub fn warn_of_faults(logs: &Arc<Logs>, max_rejects: Option<u64>) -> Result<Status> {
    let mut objects: BTreeMap<Arc<str>, ObjectRead> = BTreeMap::new();
    for intake in logs.intakes() {
        intake.totals()?;
        for (_, read) in intake.objects() {
            let known = objects.entry(Arc::clone(&read.uri)).or_insert_with(|| read.clone());
            if read.tally.rejects > known.tally.rejects || (known.fault.is_none() && read.fault.is_some()) {
                *known = read;
            }
        }
    }
    let mut status = Status::Done;
    for read in objects.values() {
        if let Some(fault) = &read.fault {
            tracing::warn!("{}: {}: {}", read.status(), printable(&read.uri), printable(fault));
            status = Status::Incomplete;
        }
    }
    let rejects: u64 = objects.values().map(|read| read.tally.rejects).sum();
    if rejects > 0 {
        tracing::warn!("{rejects} lines are not records; SELECT * FROM rejects shows them");
    }
    Ok(if max_rejects.is_some_and(|max| rejects > max) { Status::Incomplete } else { status })
}
