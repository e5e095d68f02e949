//! Where logs lie: one trait over disks and S3, and the way from a LOGS argument to it.
//!
//! A source lists log objects and reads their stored bytes. It does not look inside them: decompressing and decoding stand
//! in `decode`. Everything that is not yielded is counted by reason (`listing`), and what a key says is read in `key`.

pub mod aws;
mod body;
mod digest;
pub mod key;
mod listing;
mod local;
mod named;
mod parts;
mod place;
mod s3;
mod s3_inventory;
mod spool;
mod walk;

pub use aws::S3Options;
pub use digest::{Digested, Digests, Sha256Digest};
pub use key::{LogKey, Prune};
pub use listing::{EXAMPLES_MAX, ListCounts, Listing, Pruned, PrunedBy};
pub use spool::STDIN;

use crate::error::{Error, Result};
use crate::time::UnixSeconds;
use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// How many sources are listed at a time: a shell may expand one glob into thousands of arguments.
const SOURCES_IN_FLIGHT_MAX: usize = 8;

/// The stored bytes of an object, in order.
pub type Bytestream = stream::BoxStream<'static, Result<bytes::Bytes>>;

/// A log object as it was listed.
#[derive(Clone, Debug)]
pub struct Object {
    /// `s3://bucket/key`, or the path as the user would write it.
    pub uri: Arc<str>,
    /// What the key says.
    pub key: LogKey,
    /// Stored bytes.
    pub size: u64,
    /// Entity tag, without quotes; files of a disk have none.
    pub etag: Option<Arc<str>>,
    /// When it was last written.
    pub modified: Option<UnixSeconds>,
}

/// What a place keeps about an object beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Version id, where the bucket has versions.
    pub version_id: Option<String>,
    /// Checksum, as `ALGORITHM:BASE64`.
    pub checksum: Option<String>,
}

/// Why an object could not be read whole; found in an error by [`ReadFault::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFault {
    /// It is no longer the object that was listed.
    Replaced,
    /// It is no longer there.
    Gone,
    /// A list names it, and it is not there.
    Missing,
    /// The bytes stopped coming, and asking again did not help.
    Cut {
        /// Bytes that were delivered.
        at: u64,
    },
}

impl ReadFault {
    /// Returns the read fault behind an error, if that is what it is.
    pub fn of(error: &Error) -> Option<&ReadFault> {
        std::error::Error::source(error)?.downcast_ref()
    }

    fn error(self, uri: &str) -> Error {
        let hint = match self {
            ReadFault::Replaced | ReadFault::Gone => "run again: the listing is out of date",
            ReadFault::Missing => "correct the list that names it",
            ReadFault::Cut { .. } => "run again; if it stays, look at the network and at S3's health",
        };
        Error::failed("cannot read the object whole").at(uri).with_hint(hint).caused_by(self)
    }
}

impl std::fmt::Display for ReadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadFault::Replaced => f.write_str("it was replaced after it was listed"),
            ReadFault::Gone => f.write_str("it was deleted after it was listed"),
            ReadFault::Missing => f.write_str("there is no such object"),
            ReadFault::Cut { at } => write!(f, "gave up at byte {at}"),
        }
    }
}

impl std::error::Error for ReadFault {}

/// One IAM statement's worth of what a source needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// IAM action, `s3:ListBucket`.
    pub action: &'static str,
    /// Resource, as an ARN pattern.
    pub resource: String,
    /// Pattern of the condition key `s3:prefix` that narrows a listing.
    pub prefix: Option<String>,
}

/// A place that holds log objects.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Returns the place as the user wrote it.
    fn uri(&self) -> &str;

    /// Lists log objects within the limits, folders in parallel, in no fixed order.
    ///
    /// The stream fails if nothing at all stands at the place, or it may not be listed.
    fn list(&self, prune: &Prune) -> Listing;

    /// Streams the stored bytes from the first to the last. A failed request resumes where it stopped.
    ///
    /// # Errors
    /// The object is not the one that was listed, is gone, may not be read, or its bytes stop coming (see [`ReadFault`]);
    /// the stream yields the same errors later on.
    async fn read(&self, object: &Object) -> Result<Bytestream>;

    /// Reads a range of the stored bytes; it must lie inside the object.
    ///
    /// # Errors
    /// As for [`Source::read`].
    async fn read_range(&self, object: &Object, range: std::ops::Range<u64>) -> Result<bytes::Bytes>;

    /// Reads small objects whole, and returns the bytes of each in the order given.
    ///
    /// # Errors
    /// Of each object, as for [`Source::read`] and its stream.
    async fn read_each(&self, objects: &[&Object]) -> Vec<Result<bytes::Bytes>> {
        let one = async |object| whole(self.read(object).await?).await;
        futures::future::join_all(objects.iter().map(|object| one(*object))).await
    }

    /// Asks what the place keeps about an object beside its bytes; a disk keeps nothing. It is about the very object that was listed.
    ///
    /// # Errors
    /// As for [`Source::read`]; nothing tells that object from another one.
    async fn kept(&self, object: &Object) -> Result<Kept> {
        let _ = object;
        Ok(Kept::default())
    }

    /// Returns what names an object wherever it was reached from: two ways to write a path name one file.
    fn identity(&self, object: &Object) -> Arc<str> {
        Arc::clone(&object.uri)
    }

    /// Returns the IAM actions and resources that reading this source needs; none for a disk.
    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }
}

/// Reads a stream to its end, and returns all its bytes.
///
/// # Errors
/// As for [`Source::read`].
pub async fn whole(mut body: Bytestream) -> Result<bytes::Bytes> {
    let first = body.try_next().await?.unwrap_or_default();
    let Some(second) = body.try_next().await? else { return Ok(first) };
    let mut all = bytes::BytesMut::from(first);
    all.extend_from_slice(&second);
    while let Some(more) = body.try_next().await? {
        all.extend_from_slice(&more);
    }
    Ok(all.freeze())
}

/// What a run was given to read.
#[derive(Default)]
pub struct Given {
    /// LOGS: places, or `-` for standard input.
    pub logs: Vec<String>,
    /// Lists of objects: S3 Inventory manifests and files of URIs, or `-`.
    pub objects_from: Vec<String>,
    /// Standard input, if there is one to read.
    pub stdin: Option<Box<dyn std::io::Read + Send>>,
    /// Folder for what must be spooled.
    pub spool_dir: PathBuf,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("logs", &self.logs).field("objects_from", &self.objects_from).finish_non_exhaustive()
    }
}

/// Opens every LOGS argument.
///
/// # Errors
/// As for [`open_given`].
pub async fn open(args: &[String], options: &S3Options) -> Result<Vec<Arc<dyn Source>>> {
    open_given(Given { logs: args.to_vec(), ..Given::default() }, options).await
}

/// Opens all that was given: LOGS, then lists of objects. Standard input is read to its end.
///
/// # Errors
/// A usage error that names the argument, if one names nothing that can be read; an access error without credentials; a full
/// disk while standard input is spooled.
pub async fn open_given(given: Given, options: &S3Options) -> Result<Vec<Arc<dyn Source>>> {
    let Given { logs, objects_from, mut stdin, spool_dir } = given;
    if logs.iter().chain(&objects_from).filter(|arg| *arg == STDIN).count() > 1 {
        return Err(Error::usage("standard input can be read once").at(STDIN).with_hint("give - once, as LOGS or as --objects-from"));
    }
    let access = Arc::new(aws::Access::new(options));
    let mut sources: Vec<Arc<dyn Source>> = Vec::with_capacity(logs.len() + objects_from.len());
    for arg in &logs {
        let source = match &**arg {
            STDIN => Arc::new(spooled(stdin.take(), &spool_dir).await?),
            _ => open_place(arg, &access).await?,
        };
        sources.push(source);
    }
    for arg in &objects_from {
        let spooled = if arg == STDIN { Some(spooled(stdin.take(), &spool_dir).await?) } else { None };
        sources.push(Arc::new(named::NamedObjects::open(arg, spooled, Arc::clone(&access), &spool_dir).await?));
    }
    Ok(sources)
}

async fn spooled(stdin: Option<Box<dyn std::io::Read + Send>>, folder: &std::path::Path) -> Result<spool::Spooled> {
    let Some(stdin) = stdin else {
        return Err(Error::usage("there is no standard input to read here").at(STDIN).with_hint("name a place"));
    };
    let folder = folder.to_owned();
    local::on_disk(move || spool::Spooled::read(stdin, &folder)).await
}

async fn open_place(arg: &str, access: &aws::Access) -> Result<Arc<dyn Source>> {
    if let Some(place) = place::in_s3(arg) {
        // A name that cannot be read is told before credentials are asked for.
        place::parse(arg, place)?;
        return Ok(Arc::new(s3::S3Source::open(arg, place, access.connection().await?)?));
    }
    Ok(Arc::new(local::LocalSource::open(on_disk_path(arg)?)?))
}

/// Returns the path that an argument names, if it is one.
fn on_disk_path(arg: &str) -> Result<&str> {
    match arg.split_once("://") {
        Some(("file", path)) => Ok(path),
        Some(("s3a" | "s3n", place)) => {
            Err(Error::usage("not a place that logs are read from").at(arg).with_hint(format!("write s3://{place}")))
        }
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            let hint = "give s3://bucket/prefix, a folder, a file or a glob";
            Err(Error::usage(format!("{scheme}:// is not a place that logs are read from")).at(arg).with_hint(hint))
        }
        _ => Ok(arg),
    }
}

/// Returns the IAM actions and resources that reading what was given needs.
///
/// # Errors
/// As for [`open_given`]; a usage error for a list that must be read to know.
pub async fn permissions(given: Given, options: &S3Options) -> Result<Vec<Permission>> {
    let Given { logs, objects_from, spool_dir, .. } = given;
    for arg in logs.iter().chain(&objects_from) {
        if let Some(place) = place::in_s3(arg)
            && place::parse(arg, place)?.0.is_alias()
        {
            let hint = "give its ARN: aws s3control list-access-points --account-id ID shows it beside the alias";
            return Err(Error::usage("IAM policies cannot name an access point by its alias").at(arg).with_hint(hint));
        }
    }
    let sources = open(&logs, options).await?;
    let mut permissions: Vec<Permission> = sources.iter().flat_map(|source| source.permissions()).collect();
    let access = Arc::new(aws::Access::new(options));
    for arg in &objects_from {
        permissions.extend(named::permissions(arg, &access, &spool_dir).await?);
    }
    permissions.sort();
    permissions.dedup();
    Ok(permissions)
}

/// Collects the objects of all sources, sorted by URI, each with its source; one that two arguments reach is taken once.
///
/// The counts are those of the listings: an object reached twice is counted twice there, and once in the list.
///
/// # Errors
/// The first listing that fails.
pub async fn list_all(sources: &[Arc<dyn Source>], prune: &Prune) -> Result<(Vec<(Arc<dyn Source>, Object)>, ListCounts)> {
    let listings = sources.iter().cloned().map(|source| async move {
        let mut listing = source.list(prune);
        let (mut objects, mut names) = (Vec::new(), Names::default());
        while let Some(mut object) = listing.try_next().await? {
            let LogKey { account, region, flow_log_id, .. } = &mut object.key;
            [account, region, flow_log_id].into_iter().flatten().for_each(|name| names.share(name));
            objects.push((source.clone(), object));
        }
        Ok::<_, Error>((objects, listing.counts()))
    });
    // In the order of the arguments, so that of two failures always the same is told.
    let listings: Vec<_> = stream::iter(listings.collect::<Vec<_>>()).buffered(SOURCES_IN_FLIGHT_MAX).try_collect().await?;
    let (mut all, mut counts) = (Vec::new(), ListCounts::default());
    for (objects, seen) in listings {
        if all.is_empty() {
            all = objects
        } else {
            all.extend(objects)
        }
        counts.add(seen);
    }
    if counts.beside > 0 {
        let is_beside = |(_, reason): &&(String, String)| reason.contains("beside") || reason.contains("searched");
        let such_as = counts.foreign_examples.iter().find(is_beside).map_or_else(String::new, |(uri, _)| format!(", such as {uri}"));
        counts.notes.push(format!(
            "{} objects or folders beside AWS's folders were not read{such_as}: a bucket that holds AWSLogs/ is not walked whole; name them as LOGS too if they are flow logs",
            counts.beside
        ));
    }
    all.sort_by(|(_, a), (_, b)| a.uri.cmp(&b.uri));
    let mut taken: HashSet<Arc<str>> = HashSet::with_capacity(all.len());
    let listed = all.len();
    all.retain(|(source, object)| taken.insert(source.identity(object)));
    if all.len() < listed {
        counts.objects = all.len() as u64;
        counts.bytes = all.iter().map(|(_, object)| object.size).sum();
    }
    Ok((all, counts))
}

/// Names that recur in a million keys, held once.
#[derive(Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn share(&mut self, name: &mut Arc<str>) {
        match self.0.get(name) {
            Some(known) => *name = Arc::clone(known),
            None => drop(self.0.insert(Arc::clone(name))),
        }
    }
}

/// Says why no object was left to read: what was listed, what the limits and the names left out, and what there is instead.
pub fn nothing_found(sources: &[Arc<dyn Source>], counts: &ListCounts) -> Error {
    let places: Vec<&str> = sources.iter().map(|source| source.uri()).collect();
    let pruned = counts.pruned.total();
    let left_out = |name: &str, pruned: &Pruned| {
        (*pruned != Pruned::default()).then(|| format!("{name} left out {} folders and {} objects", pruned.prefixes, pruned.objects))
    };
    let mut told: Vec<String> = [
        left_out("--log-account", &counts.pruned.account),
        left_out("--log-region", &counts.pruned.region),
        left_out("--from/--to", &counts.pruned.time),
        left_out("--flow-log-id", &counts.pruned.flow_log_id),
    ]
    .into_iter()
    .flatten()
    .collect();
    if pruned != Pruned::default() {
        told.push(format!("there is {}", counts.pruned_examples.join(", ")));
    }
    if counts.foreign + counts.foreign_prefixes > 0 {
        let examples: Vec<_> = counts.foreign_examples.iter().map(|(uri, reason)| format!("{uri} ({reason})")).collect();
        let total = counts.foreign + counts.foreign_prefixes;
        told.push(format!("{total} files or folders are something else, such as {}", examples.join(", ")));
    }
    if told.is_empty() {
        told.push("nothing stands there".to_owned());
    }
    Error::usage("no flow log objects to read").at(places.join(", ")).with_hint(told.join("; "))
}

/// Returns the names that share most of their beginning with what was asked for, nearest first.
fn nearest_names(names: impl Iterator<Item = String>, wanted: &str, names_max: usize) -> Vec<String> {
    let shared = |name: &str| name.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
    let mut names: Vec<String> = names.collect();
    names.sort_by(|a, b| shared(b).cmp(&shared(a)).then_with(|| a.cmp(b)));
    names.truncate(names_max);
    names
}
