//! `flowproof policy`: a draft of the approved destinations from what was observed, and what is wrong, odd or due in a policy.

use super::output::{self, OutputArgs};
use super::report::{needs_control_planes, warn_of_faults};
use super::run::{Asked, LogsArgs};
use super::{Context, QuietArgs, Status, catalogue};
use crate::error::{Error, Result};
use crate::policy::{Finding, Policy, Severity, findings};
use crate::time::{parse_instant, rfc3339};
use arrow::array::{ArrayRef, Int64Array, StringArray};
use clap::{Args, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a policy drafted from the destinations that were observed, every entry marked for review
    Init(InitArgs),
    /// Say what is wrong, odd or due in a policy; with LOGS, also what went against it
    Check(CheckArgs),
}

/// Options of `policy init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    logs: LogsArgs,
    #[command(flatten)]
    quiet: QuietArgs,
}

/// Options of `policy check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Approved destinations (TOML)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    logs: LogsArgs,
    /// Instant that "expired" and "expires soon" refer to, UTC [default: now]
    #[arg(long, value_name = "TIME", help_heading = "Policy")]
    as_of: Option<String>,
    /// Exit with 3 on findings of severity fail
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT", help_heading = "Checks")]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    quiet: QuietArgs,
}

/// `--fail-on`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Findings of severity fail
    Findings,
}

impl Command {
    /// Returns whether only errors go to stderr.
    pub fn is_quiet(&self) -> bool {
        match self {
            Command::Init(args) => args.quiet.quiet,
            Command::Check(args) => args.quiet.quiet,
        }
    }
}

/// Runs a policy command.
///
/// # Errors
/// If logs, inventory or policy cannot be read, the policy is not valid, or the output cannot be written.
pub async fn run(command: Command, context: &Context) -> Result<Status> {
    match command {
        Command::Init(args) => init(args, context).await,
        Command::Check(args) => check(args, context).await,
    }
}

async fn init(args: InitArgs, context: &Context) -> Result<Status> {
    if args.logs.is_empty() {
        let hint = "flowproof policy init s3://bucket/prefix --inventory DIR > approved.toml";
        return Err(Error::usage("no LOGS are given").with_hint(hint));
    }
    let logs = args.logs.open(context).await?;
    needs_control_planes(&logs)?;
    let progress = output::progress(context, &logs);
    let draft = logs.egress().await?.draft(&logs)?;
    drop(progress);
    let mut out = output::stdout();
    out.write_all(draft.write().as_bytes())?;
    out.flush()?;
    warn_of_faults(&logs, args.logs.max_rejects(context))
}

async fn check(args: CheckArgs, context: &Context) -> Result<Status> {
    let now = match args.as_of.as_deref() {
        None => context.now,
        Some(text) => parse_instant(text, context.now)
            .ok_or_else(|| Error::usage(format!("--as-of {text:?} is not a time")).with_hint("write 2026-10-03 or 2026-10-03T08:00:00Z"))?,
    };
    let place = args.file.display().to_string();
    let policy = match Policy::parse(Policy::text_of(&args.file)?, &place) {
        Ok(policy) => policy,
        Err(faults) => {
            write(&faults.findings(), args.output)?;
            return Err(faults.into());
        }
    };
    let logs = args.logs.open_for(context, Asked { policy: Some(&policy), ..Asked::default() }).await?;
    let mut status = Status::Done;
    let usage = match &logs.policy {
        Some(judge) if !args.logs.is_empty() => {
            needs_control_planes(&logs)?;
            let progress = output::progress(context, &logs);
            let usage = logs.egress().await?.usage(judge, &logs)?;
            drop(progress);
            status = warn_of_faults(&logs, args.logs.max_rejects(context))?;
            let counts = usage.destinations();
            tracing::info!("{} of {} destinations violate {}", counts.violating, counts.all, policy.title());
            Some(usage)
        }
        _ => None,
    };
    let resolver = logs.policy.as_deref().filter(|_| !logs.inventory.is_empty()).map(|judge| judge.resolver());
    let all = findings(&policy, usage.as_ref(), resolver, Some(now));
    write(&all, args.output)?;
    let failed = all.iter().any(|finding| finding.severity == Severity::Fail);
    Ok(if failed && args.fail_on.contains(&FailOn::Findings) { Status::Findings } else { status })
}

fn write(findings: &[Finding], output: OutputArgs) -> Result<Status> {
    let texts = |of: &dyn Fn(&Finding) -> Option<String>| -> ArrayRef { Arc::new(findings.iter().map(of).collect::<StringArray>()) };
    let numbers = |of: &dyn Fn(&Finding) -> Option<u64>| -> ArrayRef {
        Arc::new(findings.iter().map(|finding| of(finding).and_then(|number| i64::try_from(number).ok())).collect::<Int64Array>())
    };
    let columns = [
        ("id", texts(&|finding| Some(finding.id.to_owned()))),
        ("severity", texts(&|finding| Some(finding.severity.as_str().to_owned()))),
        ("rule", texts(&|finding| finding.rule.clone())),
        ("line", numbers(&|finding| finding.line.map(|line| line as u64))),
        ("column", numbers(&|finding| finding.column.map(|column| column as u64))),
        ("cluster_arn", texts(&|finding| finding.cluster_arn.clone())),
        ("destination", texts(&|finding| finding.destination.clone())),
        ("connections", numbers(&|finding| finding.connections)),
        ("first_seen", texts(&|finding| finding.first_seen.map(rfc3339))),
        ("last_seen", texts(&|finding| finding.last_seen.map(rfc3339))),
        ("finding", texts(&|finding| Some(finding.what.clone()))),
    ];
    catalogue::write(output, &columns)
}
