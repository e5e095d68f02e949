//! `flowproof plan` and `flowproof iam-policy`: what a run would read, and what it must be allowed to.

use super::output::{self, OutputArgs};
use super::run::{LogsArgs, S3Args};
use super::{Context, QuietArgs, Status};
use crate::decode::Wanted;
use crate::enrich::Tagger;
use crate::error::{Error, Result};
use crate::intake::Intake;
use crate::inventory::{Eni, InterfaceKind};
use crate::pipeline::{self, Input, Scan};
use crate::query::Logs;
use crate::query::functions::format_bytes;
use crate::report::Format;
use crate::source::{self, Given, Permission, Pruned, S3Options};
use crate::time::rfc3339;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Objects that a plan reads to estimate time and volume (design §2).
const SAMPLE_MAX: usize = 20;

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    logs: LogsArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    pub(super) quiet: QuietArgs,
}

/// Options of `iam-policy`.
#[derive(Debug, Args)]
pub struct IamPolicyArgs {
    /// s3://bucket/prefix of logs or inventory, or an access point
    #[arg(value_name = "LOGS", required_unless_present = "objects_from")]
    logs: Vec<String>,
    /// A list of objects: an S3 Inventory manifest.json, or a file with one URI per line (repeatable)
    #[arg(long, value_name = "LIST")]
    objects_from: Vec<String>,
    #[command(flatten)]
    s3: S3Args,
}

/// An IAM policy (IAM user guide, "IAM JSON policy elements reference").
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy<'a> {
    version: &'static str,
    statement: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    sid: String,
    effect: &'static str,
    action: &'static str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

/// What a sample says about the whole.
struct Sample {
    objects: usize,
    bytes: u64,
    text_bytes: u64,
    records: u64,
    seconds: f64,
}

/// Says what a run would read.
///
/// # Errors
/// If the listing fails or the sample cannot be read.
pub async fn plan(args: PlanArgs, context: &Context) -> Result<Status> {
    if args.logs.is_empty() {
        return Err(Error::usage("no LOGS are given").with_hint("flowproof plan s3://bucket/prefix"));
    }
    if args.logs.reads_stdin() {
        return Err(Error::usage("a plan lists what lies somewhere; standard input can only be read")
            .with_hint("plan a place, or a file with the list"));
    }
    let logs = args.logs.open(context).await?;
    let sample = sample(&logs).await?;
    let document = document(&logs, &sample);
    let mut out = output::stdout();
    match args.output.format() {
        Format::Json | Format::Ndjson => {
            serde_json::to_writer_pretty(&mut out, &document).map_err(|error| Error::from(std::io::Error::from(error)))?;
            writeln!(out)?;
        }
        Format::Table | Format::Markdown | Format::Csv | Format::Tsv => page(&document, &mut out)?,
        Format::Parquet | Format::Arrow | Format::Html => {
            return Err(Error::usage("a plan is not a table").with_hint("use -o table or -o json"));
        }
    }
    out.flush()?;
    Ok(Status::Done)
}

/// Reads some objects spread evenly over the listing, all columns, as fast as this machine does.
async fn sample(logs: &Arc<Logs>) -> Result<Sample> {
    let step = logs.inputs.len().div_ceil(SAMPLE_MAX).max(1);
    let inputs: Arc<[Input]> = logs.inputs.iter().step_by(step).cloned().collect();
    let scan = Scan {
        inputs: Arc::clone(&inputs),
        wanted: Arc::new(Wanted { time: logs.window, ..Wanted::default() }),
        tagger: Arc::new(Tagger::new(Arc::clone(&logs.inventory), Vec::new())),
        log_format: logs.log_format.clone(),
        threads: logs.threads,
    };
    let intake = Arc::new(Intake::default());
    let started = Instant::now();
    let mut parts = pipeline::run(scan, Arc::clone(&intake));
    while let Some(part) = parts.recv().await {
        part?;
    }
    let totals = intake.totals()?;
    let records = totals.ok + totals.nodata + totals.skipdata + totals.outside_window;
    Ok(Sample {
        objects: inputs.len(),
        bytes: totals.bytes,
        text_bytes: totals.text_bytes,
        records,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn document(logs: &Logs, sample: &Sample) -> Value {
    let listed = &logs.listed;
    let total: u64 = logs.inputs.iter().map(|input| input.object.size).sum();
    // An estimate: shares of the sample scaled to the whole; never part of a report.
    let scale = if sample.bytes > 0 { total as f64 / sample.bytes as f64 } else { 0.0 };
    let scaled = |value: u64| (value as f64 * scale).round() as u64;
    let stamps = || logs.inputs.iter().filter_map(|input| input.object.key.time);
    let of = |get: fn(&Input) -> Option<&str>| logs.inputs.iter().filter_map(get).collect::<BTreeSet<_>>();
    let pruned = |pruned: &Pruned| json!({ "objects": pruned.objects, "bytes": pruned.bytes, "prefixes": pruned.prefixes });
    let on_path = |eni: &Eni| eni.kind == InterfaceKind::EksControlPlane || eni.kind.is_path_device();
    let not_needed = logs.inputs.iter().filter(|input| {
        let id = input.object.key.flow_log_id.as_deref();
        id.and_then(|id| logs.inventory.flow_log_may_cover(id, &on_path)) == Some(false)
    });
    let (skipped, skipped_bytes) = not_needed.fold((0u64, 0u64), |(objects, bytes), input| (objects + 1, bytes + input.object.size));
    let remote = logs.inputs.iter().filter(|input| input.object.uri.starts_with("s3://")).count();
    json!({
        "objects": logs.inputs.len(),
        "bytes": total,
        "accounts": of(|input| input.object.key.account.as_deref()),
        "regions": of(|input| input.object.key.region.as_deref()),
        "flow_log_ids": of(|input| input.object.key.flow_log_id.as_deref()),
        "first_key_time": stamps().min().map(rfc3339),
        "last_key_time": stamps().max().map(rfc3339),
        "requests": { "list": if remote > 0 { listed.requests } else { 0 }, "get": remote },
        "superseded": listed.superseded,
        "notes": listed.notes,
        "foreign": { "objects": listed.foreign, "prefixes": listed.foreign_prefixes, "examples": listed.foreign_examples },
        "pruned": {
            "account": pruned(&listed.pruned.account),
            "region": pruned(&listed.pruned.region),
            "time": pruned(&listed.pruned.time),
            "flow_log_id": pruned(&listed.pruned.flow_log_id),
        },
        "not_needed_for_egress": { "objects": skipped, "bytes": skipped_bytes },
        "sample": { "objects": sample.objects, "bytes": sample.bytes, "text_bytes": sample.text_bytes, "records": sample.records, "seconds": sample.seconds },
        "estimate": { "text_bytes": scaled(sample.text_bytes), "records": scaled(sample.records), "seconds": sample.seconds * scale },
        "request_cost": Value::Null,
    })
}

fn page(document: &Value, out: &mut dyn Write) -> Result<()> {
    let of = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    let count = |pointer: &str| of(pointer).as_u64().unwrap_or(0);
    let bytes = |pointer: &str| format_bytes(count(pointer));
    let text = |pointer: &str| of(pointer).as_str().unwrap_or("unknown").to_owned();
    let number = |pointer: &str| of(pointer).as_array().map_or(0, Vec::len);
    writeln!(
        out,
        "objects      {} ({}), keys from {} to {}",
        count("/objects"),
        bytes("/bytes"),
        text("/first_key_time"),
        text("/last_key_time")
    )?;
    writeln!(
        out,
        "from         accounts: {}, regions: {}, flow logs: {}",
        number("/accounts"),
        number("/regions"),
        number("/flow_log_ids")
    )?;
    writeln!(
        out,
        "requests     {} LIST, {} GET; their price is not in the price list yet, so no cost is shown",
        count("/requests/list"),
        count("/requests/get")
    )?;
    for by in ["account", "region", "time", "flow_log_id"] {
        let at = |what: &str| format!("/pruned/{by}/{what}");
        let (objects, prefixes) = (count(&at("objects")), count(&at("prefixes")));
        if objects + prefixes > 0 {
            writeln!(out, "pruned       by {by}: {objects} objects ({}) seen, {prefixes} whole prefixes not entered", bytes(&at("bytes")))?;
        }
    }
    if count("/superseded") > 0 {
        writeln!(out, "superseded   {} older versions and delete markers of the S3 Inventory", count("/superseded"))?;
    }
    writeln!(out, "foreign      {} objects, {} prefixes that hold no flow logs", count("/foreign/objects"), count("/foreign/prefixes"))?;
    writeln!(
        out,
        "egress       {} objects ({}) of flow logs that cover no control plane nor its path would not be read",
        count("/not_needed_for_egress/objects"),
        bytes("/not_needed_for_egress/bytes")
    )?;
    let seconds = |pointer: &str| of(pointer).as_f64().unwrap_or(0.0);
    writeln!(out, "sample       {} objects ({}) in {:.1} s", count("/sample/objects"), bytes("/sample/bytes"), seconds("/sample/seconds"))?;
    writeln!(
        out,
        "estimate     {} records, {} of text, {:.0} s on this machine",
        count("/estimate/records"),
        bytes("/estimate/text_bytes"),
        seconds("/estimate/seconds").ceil()
    )?;
    Ok(())
}

/// Prints the least-privilege IAM policy.
///
/// # Errors
/// A usage error for a place that is not in S3.
pub async fn iam_policy(args: IamPolicyArgs, context: &Context) -> Result<Status> {
    // The policy follows from the names alone: no credentials are needed to ask for it.
    let options = S3Options { no_sign_request: true, role_arn: None, external_id: None, ..args.s3.options(context) };
    let given = Given { logs: args.logs, objects_from: args.objects_from, ..Given::default() };
    let permissions: Vec<Permission> = source::permissions(given, &options).await?;
    if permissions.is_empty() {
        return Err(Error::usage("files on disk need no IAM policy").with_hint("give s3://bucket/prefix"));
    }
    if permissions.iter().any(|permission| permission.resource.contains(":accesspoint/")) {
        tracing::warn!(
            "an access point grants nothing alone: its bucket's policy must allow the same, or delegate to access points (s3:DataAccessPointAccount)"
        );
    }
    let statements = permissions.iter().enumerate().map(|(at, permission)| Statement {
        sid: format!("FlowproofRead{}", at + 1),
        effect: "Allow",
        action: permission.action,
        resource: &permission.resource,
        condition: permission.prefix.as_ref().map(|prefix| json!({ "StringLike": { "s3:prefix": prefix } })),
    });
    let policy = Policy { version: "2012-10-17", statement: statements.collect() };
    let mut out = output::stdout();
    serde_json::to_writer_pretty(&mut out, &policy).map_err(|error| Error::from(std::io::Error::from(error)))?;
    writeln!(out)?;
    out.flush()?;
    Ok(Status::Done)
}
