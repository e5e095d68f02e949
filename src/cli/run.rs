//! What the commands share: LOGS and their options → listed objects, inventory, window.

use super::Context;
use crate::config::{File, parse_size};
use crate::decode::Validation;
use crate::error::{Error, Kind, Result, printable};
use crate::evidence::payload::Params;
use crate::flow::Layout;
use crate::inventory::{self, Inventory};
use crate::pipeline::Input;
use crate::policy::{Judge, Policy};
use crate::query::coverage::Closing;
use crate::query::grain::Grain;
use crate::query::{Logs, MEMORY_LIMIT_DEFAULT, Scans, Tables};
use crate::source::{self, Digested, Digests, Given, ListCounts, Prune, S3Options, STDIN, Source};
use crate::time::{TimeRange, parse_instant, parse_span};
use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt, stream};
use std::future::Future;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How S3 is reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "S3")]
pub struct S3Args {
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Region of S3 [default: the bucket's own]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// S3 endpoint; buckets are then addressed by path
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Role to assume for reading
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// External id of that role
    #[arg(long, value_name = "ID", requires = "role_arn")]
    external_id: Option<String>,
    /// Do not sign requests (public buckets)
    #[arg(long)]
    no_sign_request: bool,
    /// Agree to pay for requests and transfer (requester-pays buckets)
    #[arg(long)]
    request_payer: bool,
}

impl S3Args {
    /// Composes flags, environment and file.
    pub fn options(&self, context: &Context) -> S3Options {
        let File { profile, region, endpoint_url, role_arn, external_id, no_sign_request, request_payer, .. } = context.file.clone();
        S3Options {
            profile: self.profile.clone().or(profile),
            region: self.region.clone().or(region),
            endpoint_url: self.endpoint_url.clone().or_else(|| context.environment.endpoint_url.clone()).or(endpoint_url),
            role_arn: self.role_arn.clone().or(role_arn),
            external_id: self.external_id.clone().or(external_id),
            no_sign_request: self.no_sign_request || no_sign_request,
            request_payer: self.request_payer || request_payer,
        }
    }
}

/// Where the inventory is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Inventory")]
pub struct InventoryArgs {
    /// Folder with AWS CLI output, AWS Config items, CloudTrail records, Kubernetes objects (local or s3://)
    #[arg(long = "inventory", value_name = "DIR")]
    pub dirs: Vec<String>,
    /// When files without a time of their own were collected
    #[arg(long, value_name = "TIME")]
    pub inventory_as_of: Option<String>,
}

/// Which logs are read, and how.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// s3://bucket/prefix, access points, folders, files or globs, at any level of a layout; - for standard input
    #[arg(value_name = "LOGS")]
    pub logs: Vec<String>,
    /// Objects that a list names: an S3 Inventory manifest.json, or a file with one URI or path per line; local, s3:// or -
    /// (repeatable)
    #[arg(long, value_name = "LIST", help_heading = "Which logs")]
    objects_from: Vec<String>,
    /// First instant of the period, UTC: 2026-10-03, 2026-10-03T08:00:00Z, now-7d, 7d
    #[arg(long, value_name = "TIME", help_heading = "Period")]
    pub from: Option<String>,
    /// First instant after the period
    #[arg(long, value_name = "TIME", help_heading = "Period")]
    pub to: Option<String>,
    /// Only flow logs of this account (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Which logs")]
    log_account: Vec<String>,
    /// Only flow logs of this region (repeatable)
    #[arg(long, value_name = "REGION", help_heading = "Which logs")]
    log_region: Vec<String>,
    /// Only this flow log (repeatable)
    #[arg(long, value_name = "FL-ID", help_heading = "Which logs")]
    flow_log_id: Vec<String>,
    /// Fields of objects without a header, e.g. "version account-id …"
    #[arg(long, value_name = "FIELDS", help_heading = "Which logs")]
    log_format: Option<String>,
    /// Which columns must hold values of their type
    #[arg(long, value_enum, default_value_t = ValidateArg::ReadColumns, value_name = "WHAT", help_heading = "Checks")]
    validate: ValidateArg,
    /// Exit with 4 if more lines than this are not records [default: unlimited]
    #[arg(long, value_name = "N", help_heading = "Checks")]
    max_rejects: Option<u64>,
    /// Objects decoded at once [default: the processors]
    #[arg(long, value_name = "N", help_heading = "Resources")]
    threads: Option<usize>,
    /// What queries may hold in memory before they spill, e.g. 400M
    #[arg(long, value_name = "SIZE", help_heading = "Resources")]
    memory_limit: Option<String>,
    /// Folder for spill files [default: the system's temporary folder]
    #[arg(long, value_name = "DIR", help_heading = "Resources")]
    spill_dir: Option<PathBuf>,
    /// Where the inventory is
    #[command(flatten)]
    pub inventory: InventoryArgs,
    /// How S3 is reached
    #[command(flatten)]
    pub s3: S3Args,
}

/// `--validate`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ValidateArg {
    /// Those that the run reads
    ReadColumns,
    /// All
    Full,
}

/// Least memory that DataFusion's operators can work in.
const MEMORY_LIMIT_MIN: usize = 32 << 20;
/// Most objects decoded at once: each has buffers of up to 72 MiB while it is being inflated.
const THREADS_MAX: usize = 256;

/// Runs a command on the runtime; an interrupt ends it.
///
/// # Errors
/// Those of the command, or [`Kind::Interrupted`].
pub fn block_on<T>(context: &Context, work: impl Future<Output = Result<T>>) -> Result<T> {
    let _ = context;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            _ = tokio::signal::ctrl_c() => Err(Error::new(Kind::Interrupted, "interrupted")),
        }
    });
    // Readers and decoders of an abandoned run are not waited for.
    runtime.shutdown_background();
    outcome
}

impl LogsArgs {
    /// Logs at these places, with nothing else asked of them.
    pub fn at(logs: Vec<String>, s3: S3Args, log_format: Option<String>) -> LogsArgs {
        LogsArgs {
            logs,
            objects_from: Vec::new(),
            from: None,
            to: None,
            log_account: Vec::new(),
            log_region: Vec::new(),
            flow_log_id: Vec::new(),
            log_format,
            validate: ValidateArg::ReadColumns,
            max_rejects: None,
            threads: None,
            memory_limit: None,
            spill_dir: None,
            inventory: InventoryArgs::default(),
            s3,
        }
    }

    /// Returns whether no logs are named.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.objects_from.is_empty()
    }

    /// Returns whether standard input is to be read.
    pub fn reads_stdin(&self) -> bool {
        self.logs.iter().chain(&self.objects_from).any(|arg| arg == STDIN)
    }

    fn spill_dir(&self, context: &Context) -> PathBuf {
        self.spill_dir.clone().or_else(|| context.file.spill_dir.clone()).unwrap_or_else(std::env::temp_dir)
    }

    fn given(&self, context: &Context) -> Result<Given> {
        let stdin = std::io::stdin();
        if self.reads_stdin() && stdin.is_terminal() {
            let hint = "pipe the logs in, such as by zcat x.log.gz | flowproof … -";
            return Err(Error::usage("standard input is a terminal").at(STDIN).with_hint(hint));
        }
        Ok(Given {
            logs: self.logs.clone(),
            objects_from: self.objects_from.clone(),
            stdin: self.reads_stdin().then(|| Box::new(stdin) as Box<_>),
            spool_dir: self.spill_dir(context),
        })
    }

    /// Returns the limits of the listing, with the period.
    ///
    /// # Errors
    /// A usage error for a time that is none.
    pub fn prune(&self, context: &Context) -> Result<Prune> {
        let either = |flag: &[String], file: &[String]| if flag.is_empty() { file.to_vec() } else { flag.to_vec() };
        Ok(Prune {
            accounts: either(&self.log_account, &context.file.log_account),
            regions: either(&self.log_region, &context.file.log_region),
            flow_log_ids: either(&self.flow_log_id, &context.file.flow_log_id),
            time: TimeRange::parse(self.from.as_deref(), self.to.as_deref(), context.now)?,
            ..Prune::default()
        })
    }

    /// Returns how many objects are decoded at once.
    pub fn threads(&self, context: &Context) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.or(context.file.threads).filter(|threads| *threads > 0).unwrap_or_else(processors).min(THREADS_MAX)
    }

    /// Returns the logs of a run that is made again: places, S3 and resources as they are given now, all else as it was then.
    pub fn of_rerun(places: Vec<String>, s3: S3Args, then: &Params) -> LogsArgs {
        LogsArgs {
            logs: places,
            objects_from: Vec::new(),
            from: then.from.clone(),
            to: then.to.clone(),
            log_account: then.log_accounts.clone(),
            log_region: then.log_regions.clone(),
            flow_log_id: then.flow_log_ids.clone(),
            log_format: then.log_format.clone(),
            validate: ValidateArg::Full,
            max_rejects: None,
            threads: None,
            memory_limit: None,
            spill_dir: None,
            inventory: InventoryArgs { dirs: Vec::new(), inventory_as_of: then.inventory_as_of.clone() },
            s3,
        }
    }

    /// Returns the fields of objects without a header, as they were given.
    pub fn log_format(&self, context: &Context) -> Option<String> {
        self.log_format.clone().or_else(|| context.file.log_format.clone())
    }

    /// Returns how many rejects a run may have.
    pub fn max_rejects(&self, context: &Context) -> Option<u64> {
        self.max_rejects.or(context.file.max_rejects)
    }

    /// Lists the logs and reads the inventory.
    ///
    /// # Errors
    /// A usage error if nothing is found; access errors; a malformed inventory file.
    pub async fn open(&self, context: &Context) -> Result<Arc<Logs>> {
        self.open_for(context, Asked::default()).await
    }

    /// As [`LogsArgs::open`], for a command that asks for more.
    ///
    /// # Errors
    /// As [`LogsArgs::open`].
    pub async fn open_for(&self, context: &Context, asked: Asked<'_>) -> Result<Arc<Logs>> {
        let Asked { window, policy, closing, inventory, digests, validate_full, grain } = asked;
        let mut prune = self.prune(context)?;
        prune.time = window.unwrap_or(prune.time);
        let options = self.s3.options(context);
        let threads = self.threads(context);
        let memory_limit = match self.memory_limit.as_ref().or(context.file.memory_limit.as_ref()) {
            None => MEMORY_LIMIT_DEFAULT,
            Some(text) => parse_size(text)
                .ok_or_else(|| Error::usage(format!("--memory-limit {text:?} is not a size")).with_hint("write 400M or 2G"))?,
        };
        if memory_limit < MEMORY_LIMIT_MIN {
            return Err(Error::usage("--memory-limit is below 32 MiB, which no query can work in"));
        }
        let log_format = self.log_format.as_ref().or(context.file.log_format.as_ref()).map(|text| {
            Layout::from_log_format(text).ok_or_else(|| {
                Error::usage(format!("--log-format {text:?} names no flow-log fields"))
                    .with_hint("write the names as in the flow log's definition; flowproof fields lists them")
            })
        });
        // A second call, as in tests, finds the pool built; it then keeps its size.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        let (inputs, listed) = if self.is_empty() { Default::default() } else { list(self.given(context)?, &options, &prune).await? };
        let inputs = match digests {
            Some(digests) => digested(&inputs, &digests, &self.spill_dir(context)),
            None => inputs,
        };
        let inventory = match inventory {
            Some(inventory) => inventory,
            None => Arc::new(self.inventory.read(context, &options).await?),
        };
        Ok(Arc::new(Logs {
            inputs,
            listed,
            policy: policy.map(|policy| Arc::new(Judge::new(policy, Arc::clone(&inventory)))),
            inventory,
            window: prune.time,
            closing: closing.unwrap_or(Closing { as_of: Some(context.now), ..Closing::default() }),
            validation: if validate_full || self.validate == ValidateArg::Full { Validation::Full } else { Validation::ReadColumns },
            log_format: log_format.transpose()?.map(Arc::new),
            threads,
            memory_limit,
            spill_dir: self.spill_dir(context),
            grain,
            scans: Scans::default(),
            tables: Tables::default(),
        }))
    }
}

/// When a silent hour is a gap and no longer late.
#[derive(Debug, Args)]
pub struct ClosingArgs {
    /// Instant as of which the logs are judged; for a period that is over for longer than the delay it changes nothing
    /// [default: now]
    #[arg(long, value_name = "TIME", help_heading = "Period")]
    as_of: Option<String>,
    /// How long after its end an hour without records is late rather than a gap, such as 24h or 90m
    #[arg(long, value_name = "SPAN", default_value = "24h", help_heading = "Period")]
    settle: String,
}

impl ClosingArgs {
    /// Reads both.
    ///
    /// # Errors
    /// A usage error if one is no time or no span of time.
    pub fn closing(&self, context: &Context) -> Result<Closing> {
        let as_of = match &self.as_of {
            None => context.now,
            Some(text) => parse_instant(text, context.now).ok_or_else(|| {
                Error::usage(format!("--as-of {text:?} is not a time")).with_hint("write 2026-10-03T08:00:00Z, 2026-10-03 or now-1d (UTC)")
            })?,
        };
        let settle_s = parse_span(&self.settle)
            .ok_or_else(|| Error::usage(format!("--settle {:?} is not a span of time", self.settle)).with_hint("write 24h, 90m or 0s"))?;
        Ok(Closing { as_of: Some(as_of), settle_s })
    }
}

/// What a command asks of LOGS beyond their options.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// Another window than that of the options.
    pub window: Option<TimeRange>,
    /// A policy that connections are judged by.
    pub policy: Option<&'a Policy>,
    /// When silent hours are closed, if not by the clock and the default delay.
    pub closing: Option<Closing>,
    /// An inventory that was read already.
    pub inventory: Option<Arc<Inventory>>,
    /// Where the digests of all stored bytes go.
    pub digests: Option<Arc<Digests>>,
    /// Whether all columns must hold values of their type, whatever the options say.
    pub validate_full: bool,
    /// What the sums of `hourly` must tell apart.
    pub grain: Grain,
}

/// Puts the taking of digests between the objects and their sources.
fn digested(inputs: &[Input], digests: &Arc<Digests>, spool_dir: &Path) -> Arc<[Input]> {
    let mut wrapped: Vec<(Arc<dyn Source>, Arc<dyn Source>)> = Vec::new();
    let mut wrap = |source: &Arc<dyn Source>| match wrapped.iter().find(|(inner, _)| Arc::ptr_eq(inner, source)) {
        Some((_, outer)) => Arc::clone(outer),
        None => {
            let outer: Arc<dyn Source> = Arc::new(Digested::new(Arc::clone(source), Arc::clone(digests), spool_dir.to_owned()));
            wrapped.push((Arc::clone(source), Arc::clone(&outer)));
            outer
        }
    };
    inputs.iter().map(|input| Input { source: wrap(&input.source), object: input.object.clone() }).collect()
}

async fn list(given: Given, options: &S3Options, prune: &Prune) -> Result<(Arc<[Input]>, ListCounts)> {
    let sources: Vec<Arc<dyn Source>> = source::open_given(given, options).await?;
    let (objects, counts) = source::list_all(&sources, prune).await?;
    if objects.is_empty() {
        return Err(source::nothing_found(&sources, &counts));
    }
    counts.notes.iter().for_each(|note| tracing::warn!("{note}"));
    tracing::info!("listed {} objects, {} stored bytes, {} requests", counts.objects, counts.bytes, counts.requests);
    if counts.foreign > 0 {
        let examples: Vec<_> = counts.foreign_examples.iter().map(|(uri, reason)| format!("{uri} ({reason})")).collect();
        tracing::info!("passed over {} objects that are no flow logs: {}", counts.foreign, printable(&examples.join(", ")));
    }
    Ok((objects.into_iter().map(|(source, object)| Input { source, object }).collect(), counts))
}

impl InventoryArgs {
    /// Reads the inventory; empty if none is named.
    ///
    /// # Errors
    /// If a folder cannot be read or a file is malformed.
    pub async fn read(&self, context: &Context, options: &S3Options) -> Result<Inventory> {
        match self.unread(context, options).await? {
            files if files.is_empty() => Ok(Inventory::default()),
            files => self.inventory(|options| Inventory::from_unread(files, options), context),
        }
    }

    /// Reads the files of the inventory as they are; none if no folder is named.
    ///
    /// # Errors
    /// If a folder or file cannot be read.
    pub async fn files(&self, context: &Context, options: &S3Options) -> Result<Vec<inventory::File>> {
        self.unread(context, options).await?.into_iter().map(inventory::Unread::read).collect()
    }

    async fn unread(&self, context: &Context, options: &S3Options) -> Result<Vec<inventory::Unread>> {
        inventory_files(if self.dirs.is_empty() { &context.file.inventory } else { &self.dirs }, options).await
    }

    /// Makes the inventory of its files.
    ///
    /// # Errors
    /// If a file is malformed.
    pub fn inventory_of(&self, files: Vec<inventory::File>, context: &Context) -> Result<Inventory> {
        self.inventory(|options| Inventory::from_files(files, options), context)
    }

    fn inventory(&self, read: impl FnOnce(&inventory::Options) -> Result<Inventory>, context: &Context) -> Result<Inventory> {
        let as_of = self.inventory_as_of.as_deref().map(|text| {
            parse_instant(text, context.now)
                .ok_or_else(|| Error::usage(format!("--inventory-as-of {text:?} is not a time")).with_hint("write 2026-10-03T08:00:00Z"))
        });
        let inventory = read(&inventory::Options { as_of: as_of.transpose()? })?;
        inventory.warnings().iter().for_each(|warning| tracing::warn!("inventory: {warning}"));
        Ok(inventory)
    }
}

/// Largest inventory file; `describe-network-interfaces` of 200,000 interfaces is under 400 MB.
const INVENTORY_FILE_MAX: u64 = 1 << 30;
/// Inventory files read at once.
const INVENTORY_READS_MAX: usize = 8;

async fn inventory_files(dirs: &[String], options: &S3Options) -> Result<Vec<inventory::Unread>> {
    let mut files = Vec::new();
    for dir in dirs {
        if dir.starts_with("s3://") {
            let sources = source::open(std::slice::from_ref(dir), options).await?;
            let (objects, _) = source::list_all(&sources, &Prune::default()).await?;
            let read = |(source, object): (Arc<dyn Source>, source::Object)| async move {
                let body: Vec<bytes::Bytes> = source.read(&object).await?.try_collect().await?;
                Ok::<_, Error>(inventory::File { path: object.uri.to_string(), bytes: body.concat().into() }.into())
            };
            files.extend(stream::iter(objects).map(read).buffer_unordered(INVENTORY_READS_MAX).try_collect::<Vec<_>>().await?);
        } else {
            files.extend(local_files(dir)?);
        }
    }
    Ok(files)
}

fn local_files(dir: &str) -> Result<Vec<inventory::Unread>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(dir).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            Error::usage("cannot read the inventory")
                .at(dir)
                .caused_by(error)
                .with_hint("flowproof inventory script prints the commands that collect one")
        })?;
        let hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        if hidden || !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path().display().to_string();
        let fault = |path: &str, error: std::io::Error| Error::failed("cannot read").at(path).caused_by(error);
        let size = entry.metadata().map_err(|error| fault(&path, error.into()))?.len();
        if size > INVENTORY_FILE_MAX {
            return Err(Error::failed("the file is larger than 1 GiB, which no inventory file is").at(&path));
        }
        let (on_disk, named) = (entry.into_path(), path.clone());
        let read = move || std::fs::read(on_disk).map(bytes::Bytes::from).map_err(|error| fault(&named, error));
        files.push(inventory::Unread { path, size, read: Box::new(read) });
    }
    Ok(files)
}
