//! `flowproof inventory`: what is known at an instant, what is missing for which answer, and how to collect it.

use super::output::{self, OutputArgs};
use super::run::{InventoryArgs, S3Args};
use super::{Context, Status, catalogue};
use crate::error::{Error, Result};
use crate::inventory::{self, Inventory, ScriptOptions};
use crate::report::{Format, renderer, value};
use crate::time::{parse_instant, rfc3339};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use clap::{Args, Subcommand};
use std::io::Write;
use std::sync::Arc;

/// What to do with an inventory.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the inventory says at an instant
    Show(ShowArgs),
    /// Say what is present, partial or missing for which answer, and the command that gets it
    Check(CheckArgs),
    /// Print a shell script of read-only AWS CLI and kubectl calls that collects an inventory
    Script(ScriptArgs),
}

/// Options of `inventory show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Instant, UTC [default: every fact with its period]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Only this table (repeatable)
    #[arg(long, value_name = "NAME")]
    table: Vec<String>,
    #[command(flatten)]
    inventory: InventoryArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    output: OutputArgs,
}

/// Options of `inventory check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    inventory: InventoryArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    output: OutputArgs,
}

/// Options of `inventory script`.
#[derive(Debug, Args)]
pub struct ScriptArgs {
    /// Folder that the script writes into
    #[arg(long, value_name = "DIR", default_value = "flowproof-inventory")]
    to_dir: String,
    /// Account to collect from (repeatable) [default: that of the credentials]
    #[arg(long, value_name = "ID")]
    account: Vec<String>,
    /// Region to collect from (repeatable) [default: that of the configuration]
    #[arg(long = "in-region", value_name = "REGION")]
    in_region: Vec<String>,
    /// Role to assume in each account
    #[arg(long, value_name = "NAME")]
    role_name: Option<String>,
    /// External id of that role
    #[arg(long, value_name = "ID", requires = "role_name")]
    external_id: Option<String>,
    /// Bucket of the logs, asked for versioning, Object Lock, policy and public access block (repeatable)
    #[arg(long, value_name = "NAME", value_parser = bucket)]
    bucket: Vec<String>,
    /// Leave out the calls to the clusters' API servers
    #[arg(long)]
    no_kubernetes: bool,
}

/// Takes the name of a bucket, also out of an S3 URI.
fn bucket(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("s3://").and_then(|rest| rest.split('/').next()).unwrap_or(text);
    inventory::custody::is_bucket(name)
        .then(|| name.to_owned())
        .ok_or_else(|| "no name of a bucket (3 to 63 of a-z, 0-9, . and -)".to_owned())
}

/// Runs an inventory command.
///
/// # Errors
/// If the inventory cannot be read, or the output cannot be written.
pub async fn run(command: Command, context: &Context) -> Result<Status> {
    match command {
        Command::Show(args) => show(args, context).await,
        Command::Check(args) => {
            let inventory = args.inventory.read(context, &args.s3.options(context)).await?;
            check(&inventory, args.output)
        }
        Command::Script(args) => {
            let options = ScriptOptions {
                to_dir: args.to_dir,
                accounts: args.account,
                regions: args.in_region,
                role_name: args.role_name,
                external_id: args.external_id,
                kubernetes: !args.no_kubernetes,
                buckets: args.bucket,
            };
            let mut out = output::stdout();
            out.write_all(inventory::script(&options).as_bytes())?;
            out.flush()?;
            Ok(Status::Done)
        }
    }
}

async fn show(args: ShowArgs, context: &Context) -> Result<Status> {
    let inventory = args.inventory.read(context, &args.s3.options(context)).await?;
    let at = args
        .at
        .as_deref()
        .map(|text| parse_instant(text, context.now).ok_or_else(|| Error::usage(format!("--at {text:?} is not a time"))))
        .transpose()?;
    if inventory.is_empty() {
        return Err(no_inventory());
    }
    let all = at.map_or_else(|| inventory::tables(&inventory), |at| inventory::tables_at(&inventory, at));
    if let Some(unknown) = args.table.iter().find(|name| !all.iter().any(|(known, _)| known == name)) {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return Err(Error::usage(format!("there is no inventory table {unknown:?}")).with_hint(format!("one of {}", names.join(", "))));
    }
    let chosen = all
        .into_iter()
        .filter(|(name, batch)| if args.table.is_empty() { batch.num_rows() > 0 } else { args.table.iter().any(|wanted| wanted == name) });
    let mut out = output::stdout();
    write_tables(&chosen.collect::<Vec<_>>(), at, args.output.format(), &mut out)?;
    out.flush()?;
    Ok(Status::Done)
}

/// The tables at an instant.
#[derive(serde::Serialize)]
struct Tables<'a> {
    at: Option<String>,
    #[serde(flatten)]
    tables: std::collections::BTreeMap<&'a str, Vec<value::Row<'a>>>,
}

fn write_tables(tables: &[(&str, RecordBatch)], at: Option<i64>, format: Format, out: &mut (dyn Write + Send)) -> Result<()> {
    if format == Format::Json {
        let rows = |batch| value::rows(std::slice::from_ref(batch));
        let document = Tables { at: at.map(rfc3339), tables: tables.iter().map(|(name, batch)| (*name, rows(batch))).collect() };
        serde_json::to_writer_pretty(&mut *out, &document).map_err(|error| Error::from(std::io::Error::from(error)))?;
        return Ok(writeln!(out)?);
    }
    if tables.len() != 1 && matches!(format, Format::Parquet | Format::Arrow | Format::Html) {
        return Err(Error::usage("this format holds one table").with_hint("choose one with --table NAME"));
    }
    for (name, batch) in tables {
        if tables.len() > 1 {
            writeln!(out, "{}{name}", if format == Format::Markdown { "## " } else { "# " })?;
        }
        let mut writer = renderer(format, &batch.schema(), out)?;
        writer.batch(batch)?;
        writer.end()?;
        drop(writer);
        if tables.len() > 1 {
            writeln!(out)?;
        }
    }
    Ok(())
}

fn check(inventory: &Inventory, output: OutputArgs) -> Result<Status> {
    let findings = inventory::check(inventory);
    let texts = |of: &dyn Fn(&inventory::Finding) -> String| -> ArrayRef {
        Arc::new(findings.iter().map(|finding| Some(of(finding))).collect::<StringArray>())
    };
    if output.format() == Format::Table {
        let mut out = output::stdout();
        for finding in &findings {
            writeln!(out, "{:<8} {}", finding.presence.as_str(), finding.answer)?;
            writeln!(out, "         {}", crate::error::printable(&finding.found))?;
            if finding.presence != inventory::Presence::Present {
                writeln!(out, "         without it: {}\n         get it: {}", finding.why, finding.command)?;
            }
        }
        out.flush()?;
        return Ok(Status::Done);
    }
    let columns: [(&str, ArrayRef); 5] = [
        ("answer", texts(&|finding| finding.answer.to_owned())),
        ("presence", texts(&|finding| finding.presence.as_str().to_owned())),
        ("found", texts(&|finding| finding.found.clone())),
        ("why", texts(&|finding| finding.why.to_owned())),
        ("command", texts(&|finding| finding.command.to_owned())),
    ];
    catalogue::write(output, &columns)
}

fn no_inventory() -> Error {
    Error::usage("no inventory is given, or it is empty")
        .with_hint("flowproof inventory script > collect.sh; run it where the AWS CLI may read, then add --inventory DIR")
}
