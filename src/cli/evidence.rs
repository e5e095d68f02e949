//! `flowproof evidence`: keys, and sealed bundles verified and shown.

use super::output::{self, OutputArgs};
use super::run::{Asked, LogsArgs, S3Args};
use super::{Context, Status, catalogue};
use crate::error::{Error, Kind, Result, printable};
use crate::evidence::bag::{BAG_ENVELOPE, RESULTS_ENVELOPE};
use crate::evidence::collect::{Collection, collect};
use crate::evidence::payload::POLICY;
use crate::evidence::statement::Statement;
use crate::evidence::verify::Check;
use crate::evidence::{Contents, KeyPair, Ledger, PublicKey, Report, Surroundings, verify};
use crate::evidence::{canonical, rerun};
use crate::policy::Policy;
use crate::query::coverage::Closing;
use crate::report::Format;
use crate::source::Digests;
use crate::time::parse_instant;
use arrow::array::{ArrayRef, Int64Array, StringArray};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect the evidence of a period into a sealed bundle
    Collect(Box<super::collect::CollectArgs>),
    /// Say whether a bundle is exactly what the holder of the key sealed; exit code 6 if it is not
    Verify(Box<VerifyArgs>),
    /// Show what a bundle says, and its files
    Show(ShowArgs),
    /// Lead from a figure to the log lines behind it, from a line to its figures, or draw lines to check by hand
    Trace(Box<super::trace::TraceArgs>),
    /// Make an Ed25519 key pair: PATH, for signing, and PATH.pub, for those who verify
    Keygen(KeygenArgs),
}

/// Options of `evidence verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Bundle: its folder, or the zip of it
    #[arg(value_name = "DIR|ZIP")]
    bundle: PathBuf,
    /// Public key (PEM) of the one who sealed it, got by another way than the bundle
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Bundle of the period before, that this one must follow
    #[arg(long, value_name = "DIR|ZIP")]
    previous: Option<PathBuf>,
    /// Ledger of runs, that must be whole and name this bundle
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Read the inputs again and compare their digests: the LOGS as they were given to collect
    #[arg(long, value_name = "LOGS", num_args = 1.., help_heading = "Inputs")]
    inputs: Vec<String>,
    /// Also compute the results again, from these inputs and what the bundle holds, and compare them
    #[arg(long, requires = "inputs", help_heading = "Inputs")]
    rerun: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    output: OutputArgs,
}

/// Options of `evidence show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Bundle: its folder, or the zip of it
    #[arg(value_name = "DIR|ZIP")]
    bundle: PathBuf,
    /// Public key (PEM) to verify it with first; without it, nothing is verified
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Options of `evidence keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// File of the private key; neither it nor PATH.pub may exist
    path: PathBuf,
}

impl Command {
    /// Returns whether only errors go to stderr.
    pub fn is_quiet(&self) -> bool {
        matches!(self, Command::Collect(args) if args.is_quiet())
    }
}

/// Runs a command about evidence.
///
/// # Errors
/// If a file cannot be read or written; of kind [`Kind::Unverified`] if a bundle does not verify.
pub fn run(command: Command, context: &Context) -> Result<Status> {
    match command {
        Command::Collect(args) => super::run::block_on(context, super::collect::run(*args, context)),
        Command::Verify(args) => super::run::block_on(context, verify_bundle(&args, context)),
        Command::Show(args) => show(&args),
        Command::Trace(args) => super::run::block_on(context, super::trace::run(*args, context)),
        Command::Keygen(args) => keygen(&args),
    }
}

fn keygen(args: &KeygenArgs) -> Result<Status> {
    let keys = KeyPair::generate()?;
    let public = keys.write(&args.path)?;
    let mut out = output::stdout();
    writeln!(out, "private key  {}", printable(&args.path.display().to_string()))?;
    writeln!(out, "public key   {}", printable(&public.display().to_string()))?;
    writeln!(out, "key id       {}", keys.public().id()?)?;
    out.flush()?;
    Ok(Status::Done)
}

async fn verify_bundle(args: &VerifyArgs, context: &Context) -> Result<Status> {
    let key = PublicKey::read(&args.key)?;
    let contents = Contents::read_keeping(&args.bundle, |name| !args.inputs.is_empty() && rerun::is_needed(name))?;
    let previous = args.previous.as_deref().map(Contents::read).transpose()?;
    let history = args.ledger.as_deref().map(|path| Ledger::at(path).verify()).transpose()?;
    let surroundings = Surroundings { previous: previous.as_ref(), ledger: history.as_ref() };
    let mut report = verify(&contents, &key, &surroundings);
    // What a bundle says of its inputs is worth a look only if the bundle is what was sealed.
    if !args.inputs.is_empty() && report.is_verified() {
        report.checks.extend(against_inputs(args, &contents, context).await?);
    }
    if args.output.format() == Format::Json {
        write_json(&as_json(&report, &key.id()?))?;
    } else {
        write_checks(&report, args.output)?;
    }
    judge(&report, args.bundle.display().to_string())
}

/// Reads the inputs again, and if asked computes the results again.
async fn against_inputs(args: &VerifyArgs, contents: &Contents, context: &Context) -> Result<Vec<Check>> {
    let recorded = rerun::recorded(contents)?;
    let logs_args = LogsArgs::of_rerun(args.inputs.clone(), args.s3.clone(), &recorded.params);
    let policy = recorded.policy.clone().map(|text| Policy::parse(text, POLICY)).transpose()?;
    let inventory = Arc::new(logs_args.inventory.inventory_of(recorded.inventory.clone(), context)?);
    let digests = Arc::new(Digests::default());
    let as_of = recorded.params.as_of.as_deref().and_then(|text| parse_instant(text, 0));
    let asked = Asked {
        policy: policy.as_ref(),
        closing: Some(Closing { as_of, settle_s: recorded.params.settle_seconds }),
        inventory: Some(inventory),
        digests: Some(Arc::clone(&digests)),
        validate_full: true,
        ..Asked::default()
    };
    let logs = logs_args.open_for(context, asked).await?;
    if !args.rerun {
        return Ok(vec![rerun::inputs_check(&recorded, &logs.inputs, &digests).await]);
    }
    let collection = Collection {
        logs: Arc::clone(&logs),
        digests: Arc::clone(&digests),
        inventory: &recorded.inventory,
        policy: policy.as_ref(),
        controls: &recorded.params.controls,
    };
    let collected = collect(collection).await?;
    let again = canonical::to_bytes(&collected.results)?;
    Ok(vec![rerun::inputs_check(&recorded, &logs.inputs, &digests).await, rerun::results_check(&recorded, &again)])
}

pub(super) fn judge(report: &Report, bundle: String) -> Result<Status> {
    match (report.failed(), report.checks.len()) {
        (0, _) => Ok(Status::Done),
        (failed, of) => {
            let error = Error::new(Kind::Unverified, format!("the bundle does not verify: {failed} of {of} checks failed")).at(bundle);
            Err(error
                .with_hint("nothing in it may be relied on; ask its sender for the bundle as it was sealed, and for the key once more"))
        }
    }
}

/// Writes a row for each note of a check, so that each difference can be filtered and counted.
fn write_checks(report: &Report, output: OutputArgs) -> Result<Status> {
    let (mut names, mut outcomes, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for check in &report.checks {
        let more = (check.notes.more > 0).then(|| format!("and {} more", check.notes.more));
        let first = check.notes.first.iter().map(|note| printable(note).into_owned());
        let before = notes.len();
        notes.extend(first.chain(more).map(Some));
        if notes.len() == before {
            notes.push(None);
        }
        names.resize(notes.len(), check.name);
        outcomes.resize(notes.len(), check.outcome.as_str());
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("check", Arc::new(StringArray::from(names))),
        ("outcome", Arc::new(StringArray::from(outcomes))),
        ("note", Arc::new(StringArray::from(notes))),
    ];
    catalogue::write(output, &columns)
}

fn as_json(report: &Report, key_id: &str) -> Value {
    let checks = report.checks.iter().map(|check| {
        json!({ "check": check.name, "outcome": check.outcome.as_str(), "notes": check.notes.first, "notes_left_out": check.notes.more })
    });
    json!({ "verified": report.is_verified(), "key_id": key_id, "checks": checks.collect::<Value>() })
}

fn show(args: &ShowArgs) -> Result<Status> {
    let contents = Contents::read(&args.bundle)?;
    let place = args.bundle.display().to_string();
    let verified_with = match &args.key {
        None => None,
        Some(path) => {
            let key = PublicKey::read(path)?;
            judge(&verify(&contents, &key, &Surroundings::default()), place.clone())
                .map_err(|error| error.with_hint("flowproof evidence verify says what is wrong with it"))?;
            Some(key.id()?)
        }
    };
    let says = |name: &str| -> Result<Value> {
        let bytes = contents.bytes(name).ok_or_else(|| Error::failed(format!("no bundle: it has no {name}")).at(place.clone()))?;
        Ok(Statement::unverified(bytes).map_err(|error| error.at(format!("{place}: {name}")))?.predicate)
    };
    let (results, bag) = (says(RESULTS_ENVELOPE)?, says(BAG_ENVELOPE)?);
    let format = args.output.format();
    if format == Format::Json {
        let files = contents.files().iter().map(|(name, file)| {
            let size = crate::report::value::count(file.size);
            json!({ "name": name, "bytes": size, "sha256": file.digest.to_string() })
        });
        write_json(&json!({ "verified": verified_with.is_some(), "key_id": verified_with, "results": results, "bag": bag,
            "files": files.collect::<Value>() }))?;
        return Ok(Status::Done);
    }
    if format == Format::Table {
        let mut out = output::stdout();
        match &verified_with {
            Some(key_id) => writeln!(out, "Verified with the key {key_id}.")?,
            None => writeln!(out, "NOTHING OF THIS WAS VERIFIED: give the signer's public key with --key.")?,
        }
        for (title, predicate) in [("Results", &results), ("Bag", &bag)] {
            writeln!(out, "\n{title}")?;
            let text = serde_json::to_string_pretty(predicate).map_err(std::io::Error::from)?;
            text.lines().try_for_each(|line| writeln!(out, "  {}", printable(line)))?;
        }
        writeln!(out)?;
        out.flush()?;
    } else if verified_with.is_none() {
        tracing::warn!("nothing of this was verified: give the signer's public key with --key");
    }
    let files = contents.files();
    let columns: [(&str, ArrayRef); 3] = [
        ("file", Arc::new(files.keys().map(Some).collect::<StringArray>())),
        ("bytes", Arc::new(files.values().map(|file| i64::try_from(file.size).ok()).collect::<Int64Array>())),
        ("sha256", Arc::new(files.values().map(|file| Some(file.digest.to_string())).collect::<StringArray>())),
    ];
    catalogue::write(args.output, &columns)
}

fn write_json(value: &Value) -> Result<()> {
    let mut out = output::stdout();
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}
