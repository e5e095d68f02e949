//! `flowproof evidence collect`: logs, inventory and policy → a sealed bundle.

use super::output;
use super::report::needs_control_planes;
use super::run::{Asked, ClosingArgs, LogsArgs};
use super::{Context, QuietArgs, Status};
use crate::error::{Error, Result};
use crate::evidence::bag::BAG_ENVELOPE;
use crate::evidence::collect::{Collected, Collection, collect};
use crate::evidence::given::REPERFORM_TEXT;
use crate::evidence::ledger::{Entry, Event};
use crate::evidence::payload::{Params, Payload, predicate, run_digest};
use crate::evidence::results::{Results, Verdict};
use crate::evidence::verify::LEDGER;
use crate::evidence::{Bag, Contents, Digest, KeyPair, Ledger, PublicKey, Seal, Sealed, Signer, archive};
use crate::policy::Policy;
use crate::query::coverage::Closing;
use crate::report::page;
use crate::source::Digests;
use crate::time::{parse_instant, rfc3339};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stands in place of a credential.
const REDACTED: &str = "REDACTED";
/// Parameters of a presigned URL that give access (S3 API reference, "Authenticating requests: using query parameters").
const SIGNED: [&str; 3] = ["X-Amz-Signature=", "X-Amz-Security-Token=", "X-Amz-Credential="];

/// Options of `evidence collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    #[command(flatten)]
    logs: LogsArgs,
    /// Folder of the bundle; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    to_dir: PathBuf,
    /// Approved destinations (TOML); without it no statement about approval passes
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Private key (Ed25519, PEM) that seals the bundle; flowproof evidence keygen makes one
    #[arg(long, value_name = "FILE", conflicts_with = "sign_command", help_heading = "Seal")]
    sign_key: Option<PathBuf>,
    /// Command that signs: the message on its stdin, the Ed25519 signature (64 bytes or base64) on its stdout
    #[arg(long, value_name = "CMD", requires = "sign_public_key", help_heading = "Seal")]
    sign_command: Option<String>,
    /// Public key (PEM) of the command's signatures
    #[arg(long, value_name = "FILE", help_heading = "Seal")]
    sign_public_key: Option<PathBuf>,
    /// Bundle of the period before, which this one names
    #[arg(long, value_name = "DIR|ZIP", help_heading = "Seal")]
    previous: Option<PathBuf>,
    /// Also write a request for a time stamp (RFC 3161)
    #[arg(long, help_heading = "Seal")]
    time_stamp_request: bool,
    /// Also write the bundle as one zip
    #[arg(long, value_name = "FILE", help_heading = "Seal")]
    zip: Option<PathBuf>,
    /// Ledger of runs [default: flowproof-runs.jsonl beside the bundle]
    #[arg(long, value_name = "FILE", help_heading = "Seal")]
    ledger: Option<PathBuf>,
    /// Framework or control to report on, such as nist-800-53 or pci-dss-4:1.2.5 (repeatable) [default: all]
    #[arg(long, value_name = "ID")]
    control: Vec<String>,
    #[command(flatten)]
    closing: ClosingArgs,
    /// Exit with 3 if a statement fails, with 4 if hours are not covered
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT", help_heading = "Checks")]
    fail_on: Vec<FailOn>,
    #[command(flatten)]
    quiet: QuietArgs,
}

/// `--fail-on`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A statement that fails
    Findings,
    /// Hours in which an interface should have been logged and was not
    Gaps,
}

impl CollectArgs {
    /// Returns whether only errors go to stderr.
    pub fn is_quiet(&self) -> bool {
        self.quiet.quiet
    }

    fn signer(&self) -> Result<Signer> {
        match (&self.sign_key, &self.sign_command, &self.sign_public_key) {
            (Some(path), ..) => Ok(Signer::KeyFile(KeyPair::read(path)?)),
            (None, Some(command), Some(public)) => Ok(Signer::Command { command: command.clone(), public: PublicKey::read(public)? }),
            _ => Err(Error::usage("nothing says who seals the bundle")
                .with_hint("flowproof evidence keygen KEY; then --sign-key KEY, or --sign-command for a KMS or HSM")),
        }
    }

    /// The digest of the bag envelope of the bundle before.
    fn previous(&self) -> Result<Option<Digest>> {
        let Some(path) = &self.previous else { return Ok(None) };
        let contents = Contents::read(path)?;
        let envelope = contents
            .bytes(BAG_ENVELOPE)
            .ok_or_else(|| Error::usage(format!("no bundle: it has no {BAG_ENVELOPE}")).at(path.display().to_string()))?;
        Ok(Some(Digest::of(envelope)))
    }
}

/// Collects and seals.
///
/// # Errors
/// If logs or inventory cannot be read, the policy is invalid, the signer fails, or the bundle cannot be written. The ledger then says
/// that the run was discarded.
pub async fn run(args: CollectArgs, context: &Context) -> Result<Status> {
    if args.logs.is_empty() {
        return Err(Error::usage("no LOGS are given")
            .with_hint("flowproof evidence collect s3://bucket/prefix --inventory DIR --policy FILE --to-dir DIR --sign-key KEY"));
    }
    // What can be wrong with the command line is found before anything is read.
    let (signer, previous) = (args.signer()?, args.previous()?);
    let policy = args.policy.as_deref().map(Policy::read).transpose()?;
    let bag = Bag::create(&args.to_dir)?;
    let ledger = args.ledger.as_ref().map_or_else(|| Ledger::beside(&args.to_dir), Ledger::at);
    let name = format!("{} {}", args.to_dir.display(), rfc3339(context.now));
    let started = ledger.append(&Entry::new(context.now, Event::Started, name.clone()))?;
    let sealing = Sealing { signer, previous, policy, bag, ledger: &ledger, started, name: &name };
    match seal(&args, sealing, context).await {
        Ok(status) => Ok(status),
        Err(error) => {
            let reason: String = error.to_string().chars().take(512).collect();
            let mut discarded = Entry::new(context.now, Event::Discarded, name);
            discarded.reason = Some(reason);
            ledger.append(&discarded)?;
            Err(error)
        }
    }
}

struct Sealing<'a> {
    signer: Signer,
    previous: Option<Digest>,
    policy: Option<Policy>,
    bag: Bag,
    ledger: &'a Ledger,
    /// Digest of the ledger's line about the start of this run.
    started: Digest,
    name: &'a str,
}

async fn seal(args: &CollectArgs, sealing: Sealing<'_>, context: &Context) -> Result<Status> {
    let Sealing { signer, previous, policy, mut bag, ledger, started, name } = sealing;
    let options = args.logs.s3.options(context);
    let files = args.logs.inventory.files(context, &options).await?;
    let inventory = Arc::new(args.logs.inventory.inventory_of(files.clone(), context)?);
    let (digests, closing) = (Arc::new(Digests::default()), args.closing.closing(context)?);
    let asked = Asked {
        policy: policy.as_ref(),
        closing: Some(closing),
        inventory: Some(inventory),
        digests: Some(Arc::clone(&digests)),
        validate_full: true,
        ..Asked::default()
    };
    let logs = args.logs.open_for(context, asked).await?;
    needs_control_planes(&logs)?;
    let progress = output::progress(context, &logs);
    let collection = Collection { logs: Arc::clone(&logs), digests, inventory: &files, policy: policy.as_ref(), controls: &args.control };
    let collected = collect(collection).await?;
    let params = params(args, &collected, closing, context)?;
    let run = run_facts(args, context)?;
    let payload = Payload { collected: &collected, params: &params, inventory: &files, policy: policy.as_ref(), run: &run };
    payload.write(&mut bag).await?;
    drop(progress);

    let results = &collected.results;
    let seal = Seal {
        results: predicate(results, &params)?,
        bag: Map::from_iter([
            ("run".to_owned(), Value::from(run_digest(results, &params)?.to_string())),
            (LEDGER.to_owned(), Value::from(started.to_string())),
        ]),
        previous,
        sealed_at: Some(context.now),
        reperform: Some(REPERFORM_TEXT.to_owned()),
        time_stamp_request: args.time_stamp_request,
        ..Seal::new(&signer)
    };
    let sealed = bag.seal(&seal)?;
    if let Some(zip) = &args.zip {
        archive::write(&sealed.dir, zip)?;
    }
    let mut finished = Entry::new(context.now, Event::Finished, name);
    finished.bundle = Some(sealed.envelope.to_string());
    ledger.append(&finished)?;
    write_page(&collected, &sealed, args)?;
    Ok(status(results, args, context))
}

fn params(args: &CollectArgs, collected: &Collected, closing: Closing, context: &Context) -> Result<Params> {
    let prune = args.logs.prune(context)?;
    // Once every hour of the period is closed, when that was looked at changes nothing, and must not change the digest.
    let period = crate::time::TimeRange {
        from: parse_instant(&collected.results.period.from, 0),
        to: parse_instant(&collected.results.period.to, 0),
    };
    let as_of = closing.of_period(period).as_of;
    Ok(Params {
        from: prune.time.from.map(rfc3339),
        to: prune.time.to.map(rfc3339),
        as_of: as_of.map(rfc3339),
        settle_seconds: closing.settle_s,
        log_accounts: prune.accounts,
        log_regions: prune.regions,
        flow_log_ids: prune.flow_log_ids,
        log_format: args.logs.log_format(context),
        inventory_as_of: args.logs.inventory.inventory_as_of.clone(),
        controls: args.control.clone(),
    })
}

/// Who ran what, when, where: all that may differ between two runs over the same inputs.
fn run_facts(args: &CollectArgs, context: &Context) -> Result<Value> {
    let program = std::env::current_exe().ok().and_then(|path| std::fs::read(path).ok());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    Ok(json!({
        "tool": format!("flowproof {}", env!("CARGO_PKG_VERSION")),
        "program_sha256": program.map(|bytes| Digest::of(&bytes).to_string()),
        "started": rfc3339(context.now),
        "host": host,
        "user": context.environment.user,
        "arguments": std::env::args_os().map(|argument| without_credentials(&argument.to_string_lossy())).collect::<Vec<_>>(),
        "threads": args.logs.threads(context),
    }))
}

/// Leaves out of each URL in an argument who asks: user and password (RFC 3986, 3.2.1), and what gives access to a presigned one.
fn without_credentials(argument: &str) -> String {
    let (mut left, mut out) = (argument, String::with_capacity(argument.len()));
    while let Some(at) = left.find("://") {
        let (before, after) = left.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).unwrap_or(after.len());
        // A password may hold an @ that nobody encoded.
        let user = after.get(..authority).and_then(|authority| authority.rfind('@'));
        if user.is_some() {
            out.push_str(REDACTED);
        }
        left = after.get(user.unwrap_or(0)..).unwrap_or_default();
    }
    out.push_str(left);
    SIGNED.iter().fold(out, |text, parameter| {
        let mut parts = text.split(parameter);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let value = part.find(|c: char| matches!(c, '&' | '#' | '\'' | '"') || c.is_whitespace()).unwrap_or(part.len());
            out.extend([parameter, REDACTED, part.get(value..).unwrap_or_default()]);
        }
        out
    })
}

fn status(results: &Results, args: &CollectArgs, context: &Context) -> Status {
    let failed = results.statements.iter().any(|statement| statement.verdict == Verdict::Fail);
    let gaps = results.gaps.iter().any(|gap| matches!(gap.state.as_str(), "GAP" | "UNKNOWN"));
    let rejects = args.logs.max_rejects(context).is_some_and(|max| results.inputs.rejected > max);
    match failed && args.fail_on.contains(&FailOn::Findings) {
        true => Status::Findings,
        false if results.inputs.objects_incomplete > 0 || rejects || gaps && args.fail_on.contains(&FailOn::Gaps) => Status::Incomplete,
        false => Status::Done,
    }
}

/// Says what was found, and how it is verified.
fn write_page(collected: &Collected, sealed: &Sealed, args: &CollectArgs) -> Result<()> {
    let results = &collected.results;
    let mut out = output::stdout();
    writeln!(out, "evidence {} to {} (UTC)", results.period.from, results.period.to)?;
    for cluster in &results.clusters {
        let modes: Vec<&str> = cluster.egress_modes.iter().map(|mode| mode.as_deref().unwrap_or("mode unknown")).collect();
        writeln!(out, "\n{}  {}", crate::error::printable(&cluster.cluster_arn), crate::error::printable(&modes.join(", then ")))?;
        let of_cluster = results.statements.iter().filter(|statement| statement.cluster_arn == cluster.cluster_arn);
        let rows: Vec<Vec<String>> = of_cluster
            .map(|one| vec![one.id.clone(), one.verdict.name().to_owned(), one.violations.to_string(), one.reason.clone()])
            .collect();
        let columns = [("id", false, None), ("verdict", false, None), ("violations", true, None), ("why", false, Some(20))];
        write!(out, "{}", page::table(&columns, &rows))?;
    }
    let count = |verdict: Verdict| results.statements.iter().filter(|statement| statement.verdict == verdict).count();
    writeln!(
        out,
        "\n{} PASS, {} FAIL, {} INDETERMINATE; {} destinations; sealed in {}",
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Indeterminate),
        results.destinations.len(),
        sealed.dir.display()
    )?;
    writeln!(out, "statement over the results  sha256 {}\nstatement over the bag      sha256 {}", sealed.results, sealed.envelope)?;
    writeln!(out, "verify: flowproof evidence verify {} --key {}", sealed.dir.display(), public_key(args).display())?;
    Ok(out.flush()?)
}

fn public_key(args: &CollectArgs) -> PathBuf {
    let beside = |path: &PathBuf| {
        let mut name = path.as_os_str().to_owned();
        name.push(".pub");
        PathBuf::from(name)
    };
    args.sign_public_key.clone().or_else(|| args.sign_key.as_ref().map(beside)).unwrap_or_else(|| Path::new("KEY.pub").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_of_the_command_line_gives_nobody_access() {
        for (argument, expected) in [
            ("https://user:pw@host", "https://REDACTED@host"),
            ("--endpoint-url=http://user:pw@host:9000/a@b?c@d", "--endpoint-url=http://REDACTED@host:9000/a@b?c@d"),
            ("https://token@host/x", "https://REDACTED@host/x"),
            ("https://user:p@ss:w@rd@[fd00::1]:9000", "https://REDACTED@[fd00::1]:9000"),
            ("https://user:@host", "https://REDACTED@host"),
            ("https://käthe:pässwort@höst/ü", "https://REDACTED@höst/ü"),
            (
                "curl -s https://a:b@one/x 'https://c:d@two?e' --data-binary @-",
                "curl -s https://REDACTED@one/x 'https://REDACTED@two?e' --data-binary @-",
            ),
            (
                "curl 'https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F2026&X-Amz-Date=1&X-Amz-Security-Token=t&X-Amz-Signature=0f' -o x",
                "curl 'https://b.s3.amazonaws.com/k?X-Amz-Credential=REDACTED&X-Amz-Date=1&X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED' -o x",
            ),
            // Nothing to leave out.
            ("s3://bucket/prefix/a@b/x.log.gz", "s3://bucket/prefix/a@b/x.log.gz"),
            ("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/a/", "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/a/"),
            ("https://host:9000", "https://host:9000"),
            ("security@example.com", "security@example.com"),
            ("://", "://"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(argument), expected);
        }
    }
}
