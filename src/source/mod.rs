//! Where logs lie: one trait over disks and S3, and the way from a LOGS argument to it.
//!
//! A source lists log objects and reads their stored bytes. It does not look inside them: decompressing and decoding stand
//! in `decode`. Everything that is not yielded is counted by reason (`listing`), and what a key says is read in `key`.

pub mod aws;
pub mod key;
mod listing;
mod local;
mod s3;
mod walk;

pub use aws::S3Options;
pub use key::{LogKey, Prune};
pub use listing::{EXAMPLES_MAX, ListCounts, Listing, Pruned, PrunedBy};

use crate::error::{Error, Result};
use crate::time::UnixSeconds;
use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashSet;
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

/// Why an object could not be read whole; found in an error by [`ReadFault::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFault {
    /// It is no longer the object that was listed.
    Replaced,
    /// It is no longer there.
    Gone,
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

    /// Returns what names an object wherever it was reached from: two ways to write a path name one file.
    fn identity(&self, object: &Object) -> String {
        object.uri.to_string()
    }

    /// Returns the IAM actions and resources that reading this source needs; none for a disk.
    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }
}

/// Opens every LOGS argument.
///
/// # Errors
/// A usage error that names the argument, if one names nothing that can be read; an access error without credentials.
pub async fn open(args: &[String], options: &S3Options) -> Result<Vec<Arc<dyn Source>>> {
    let mut connection = None;
    let mut sources: Vec<Arc<dyn Source>> = Vec::with_capacity(args.len());
    for arg in args {
        let source: Arc<dyn Source> = match arg.split_once("://") {
            Some(("s3", place)) => {
                let connection = match &mut connection {
                    Some(connection) => connection,
                    none => none.insert(aws::Connection::open(options).await?),
                };
                Arc::new(s3::S3Source::open(arg, place, connection)?)
            }
            Some(("file", path)) => Arc::new(local::LocalSource::open(path)?),
            Some(("s3a" | "s3n", place)) => {
                return Err(Error::usage("not a place that logs are read from").at(arg).with_hint(format!("write s3://{place}")));
            }
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                let hint = "give s3://bucket/prefix, a folder, a file or a glob";
                return Err(Error::usage(format!("{scheme}:// is not a place that logs are read from")).at(arg).with_hint(hint));
            }
            _ if arg.starts_with("arn:") => {
                let hint = format!("write s3://{}", arg.rsplit(':').next().unwrap_or_default());
                return Err(Error::usage("an ARN is not a place that logs are read from").at(arg).with_hint(hint));
            }
            _ => Arc::new(local::LocalSource::open(arg)?),
        };
        sources.push(source);
    }
    Ok(sources)
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
        let mut objects = Vec::new();
        while let Some(object) = listing.try_next().await? {
            objects.push((source.clone(), object));
        }
        Ok::<_, Error>((objects, listing.counts()))
    });
    // In the order of the arguments, so that of two failures always the same is told.
    let listings: Vec<_> = stream::iter(listings.collect::<Vec<_>>()).buffered(SOURCES_IN_FLIGHT_MAX).try_collect().await?;
    let (mut all, mut counts) = (Vec::new(), ListCounts::default());
    for (objects, seen) in listings {
        all.extend(objects);
        counts.add(seen);
    }
    all.sort_by(|(_, a), (_, b)| a.uri.cmp(&b.uri));
    let mut taken = HashSet::with_capacity(all.len());
    let listed = all.len();
    all.retain(|(source, object)| taken.insert(source.identity(object)));
    if all.len() < listed {
        counts.objects = all.len() as u64;
        counts.bytes = all.iter().map(|(_, object)| object.size).sum();
    }
    Ok((all, counts))
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
        told.push("the folder is empty".to_owned());
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
