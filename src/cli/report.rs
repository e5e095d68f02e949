//! `flowproof report`: one question, one document.

use super::output::{self, OutputArgs};
use super::run::LogsArgs;
use super::{Context, QuietArgs, Status};
use crate::error::{Error, Result, printable};
use crate::pipeline::ObjectRead;
use crate::query::{Engine, Logs};
use crate::report::{Format, Report, egress};
use clap::{Args, Subcommand, ValueEnum};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The questions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Which destinations did each EKS API server contact through the VPC, by which path, with what outcome?
    Egress(ReportArgs),
}

/// Options of every report.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    logs: LogsArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Also write the report to a file, in the format of its suffix (repeatable): csv, json, ndjson, md, parquet, …
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    export: Vec<String>,
    /// Exit with 4 on hours without logs (gaps), with 3 on findings of a policy
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT", help_heading = "Checks")]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    quiet: QuietArgs,
}

impl Command {
    /// Returns whether only errors go to stderr.
    pub fn is_quiet(&self) -> bool {
        let Command::Egress(args) = self;
        args.quiet.quiet
    }
}

/// `--fail-on`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Findings of a policy; without a policy there are none
    Findings,
    /// Hours in which an interface should have been logged and was not
    Gaps,
}

/// Runs a report.
///
/// # Errors
/// If logs or inventory cannot be read, or the output cannot be written.
pub async fn run(command: Command, context: &Context) -> Result<Status> {
    let Command::Egress(args) = command;
    if args.logs.is_empty() {
        return Err(Error::usage("no LOGS are given").with_hint("flowproof report egress s3://bucket/prefix --inventory DIR"));
    }
    let formats = args.export.iter().map(|path| Format::of_file(path).map(|format| (path, format))).collect::<Result<Vec<_>>>()?;
    let logs = args.logs.open(context).await?;
    needs_control_planes(&logs)?;
    let progress = output::progress(context, &logs);
    let engine = Engine::new(&logs)?;
    let report = egress::report(&logs, &engine).await?;
    drop(progress);
    for (path, format) in formats {
        output::to_file(path, |file| report.write(format, file))?;
    }
    report.write(args.output.format(), &mut output::stdout())?;
    Ok(status(&report, &args, context))
}

/// Without control-plane interfaces every row would be missing, which must not look like an answer.
fn needs_control_planes(logs: &Logs) -> Result<()> {
    let inventory = &logs.inventory;
    if inventory.is_empty() {
        return Err(Error::usage("report egress needs an inventory: the logs do not say which interfaces are a control plane's")
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
    let gaps = args.fail_on.contains(&FailOn::Gaps) && egress::has_gaps(report);
    if incomplete || rejects || gaps { Status::Incomplete } else { Status::Done }
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
