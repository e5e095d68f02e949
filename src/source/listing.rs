//! A listing under way: the objects it yields, and the counts of what it saw and left out.
//!
//! Whatever is not yielded is counted here by reason, so that "nothing found" can say what was there instead.

use super::key::{Limit, Place, Prune, Recognised};
use super::{LogKey, Object};
use crate::error::Result;
use futures::stream::{BoxStream, Stream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// How many examples of foreign or pruned keys a listing keeps.
pub const EXAMPLES_MAX: usize = 5;

/// What one limit left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Objects that were listed and left out.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Folders that were left out whole, without a look at what they hold.
    pub prefixes: u64,
}

impl Pruned {
    fn add(&mut self, other: &Pruned) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.prefixes += other.prefixes;
    }
}

/// What each limit of [`Prune`] left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedBy {
    /// By account.
    pub account: Pruned,
    /// By region.
    pub region: Pruned,
    /// By time.
    pub time: Pruned,
    /// By flow log id.
    pub flow_log_id: Pruned,
}

impl PrunedBy {
    fn of(&mut self, limit: Limit) -> &mut Pruned {
        match limit {
            Limit::Account => &mut self.account,
            Limit::Region => &mut self.region,
            Limit::Time => &mut self.time,
            Limit::FlowLogId => &mut self.flow_log_id,
        }
    }

    /// Returns the sum over all limits.
    pub fn total(&self) -> Pruned {
        let mut total = Pruned::default();
        [&self.account, &self.region, &self.time, &self.flow_log_id].into_iter().for_each(|pruned| total.add(pruned));
        total
    }
}

/// What a listing saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListCounts {
    /// Objects yielded.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// LIST requests made, folders of a disk read, or lists of objects and their parts read.
    pub requests: u64,
    /// Older versions and delete markers that an S3 Inventory names.
    pub superseded: u64,
    /// Keys that are something else than a flow log.
    pub foreign: u64,
    /// Folders of something else that were not entered.
    pub foreign_prefixes: u64,
    /// What the limits left out.
    pub pruned: PrunedBy,
    /// Of both, those that nobody looked into because flow logs lie beside them.
    pub beside: u64,
    /// Some foreign keys and folders with the reason, sorted; at most [`EXAMPLES_MAX`].
    pub foreign_examples: Vec<(String, String)>,
    /// Some folders and objects that the limits left out, sorted; at most [`EXAMPLES_MAX`].
    pub pruned_examples: Vec<String>,
    /// What a reader of the answer must know about the listing, sorted.
    pub notes: Vec<String>,
}

impl ListCounts {
    /// Adds the counts of another listing.
    pub fn add(&mut self, other: ListCounts) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.superseded += other.superseded;
        self.foreign += other.foreign;
        self.foreign_prefixes += other.foreign_prefixes;
        self.beside += other.beside;
        self.pruned.account.add(&other.pruned.account);
        self.pruned.region.add(&other.pruned.region);
        self.pruned.time.add(&other.pruned.time);
        self.pruned.flow_log_id.add(&other.pruned.flow_log_id);
        other.foreign_examples.into_iter().for_each(|example| keep_smallest(&mut self.foreign_examples, example));
        other.pruned_examples.into_iter().for_each(|example| keep_smallest(&mut self.pruned_examples, example));
        self.notes.extend(other.notes);
        self.notes.sort_unstable();
        self.notes.dedup();
    }

    /// Returns whether nothing at all stood where the listing looked.
    pub(super) fn saw_nothing(&self) -> bool {
        self.objects == 0 && self.foreign == 0 && self.foreign_prefixes == 0 && self.pruned.total() == Pruned::default()
    }
}

/// Keeps the first examples in sorted order, so that what is shown does not depend on the order of arrival.
fn keep_smallest<T: Ord>(kept: &mut Vec<T>, example: T) {
    if let Err(at) = kept.binary_search(&example)
        && at < EXAMPLES_MAX
    {
        kept.insert(at, example);
        kept.truncate(EXAMPLES_MAX);
    }
}

/// Judges what a listing meets, and counts it.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    prune: Arc<Prune>,
    counts: Arc<Mutex<ListCounts>>,
}

impl Judge {
    pub(super) fn new(prune: &Prune) -> Judge {
        Judge { prune: Arc::new(prune.clone()), counts: Arc::default() }
    }

    pub(super) fn counts(&self) -> ListCounts {
        self.with(|counts| counts.clone())
    }

    /// Returns a judge with the same limits and counts of its own.
    pub(super) fn apart(&self) -> Judge {
        Judge { prune: Arc::clone(&self.prune), counts: Arc::default() }
    }

    /// Adds the counts of another judge.
    pub(super) fn take_in(&self, other: &Judge) {
        let counts = other.counts();
        self.with(|own| own.add(counts));
    }

    fn with<T>(&self, change: impl FnOnce(&mut ListCounts) -> T) -> T {
        // A panic elsewhere cannot leave counts half changed: they are plain sums.
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn request(&self) {
        self.with(|counts| counts.requests += 1);
    }

    /// Counts what an inventory names and a listing would not.
    pub(super) fn superseded(&self) {
        self.with(|counts| counts.superseded += 1);
    }

    /// Adds the size of an object that was yielded before it was known.
    pub(super) fn sized(&self, bytes: u64) {
        self.with(|counts| counts.bytes += bytes);
    }

    /// Says what a reader of the answer must know.
    pub(super) fn note(&self, text: String) {
        self.with(|counts| counts.notes.push(text));
    }

    /// Returns the folder below, unless it is foreign or pruned; `uri` names it in examples.
    pub(super) fn folder(&self, place: &Place, name: &str, uri: &str) -> Option<Place> {
        let below = match place.enter(name) {
            Ok(below) => below,
            Err(reason) => {
                self.foreign_folder(uri, reason);
                return None;
            }
        };
        self.within(below, uri)
    }

    /// Returns a folder unless a limit leaves it out.
    pub(super) fn within(&self, place: Place, uri: &str) -> Option<Place> {
        let Some(limit) = self.prune.rejects_place(&place) else { return Some(place) };
        self.with(|counts| {
            counts.pruned.of(limit).prefixes += 1;
            keep_smallest(&mut counts.pruned_examples, uri.to_owned());
        });
        None
    }

    /// Counts a folder that was not entered.
    pub(super) fn foreign_folder(&self, uri: &str, reason: &str) {
        self.with(|counts| {
            counts.foreign_prefixes += 1;
            keep_smallest(&mut counts.foreign_examples, (uri.to_owned(), reason.to_owned()));
        });
    }

    /// Counts an object that may be a log, but that lies beside AWS's folders.
    pub(super) fn beside(&self, uri: &str) {
        self.foreign(uri, "beside the folders of flow logs, not in them");
        self.with(|counts| counts.beside += 1);
    }

    /// Counts a folder beside AWS's folders that was not searched, or not to its end.
    pub(super) fn folder_beside(&self, uri: &str, reason: &str) {
        self.foreign_folder(uri, reason);
        self.with(|counts| counts.beside += 1);
    }

    /// Counts an object that is something else.
    pub(super) fn foreign(&self, uri: &str, reason: &str) {
        self.with(|counts| {
            counts.foreign += 1;
            keep_smallest(&mut counts.foreign_examples, (uri.to_owned(), reason.to_owned()));
        });
    }

    /// Returns the key of an object to yield, unless it is foreign or pruned. Loose files count as foreign where `strict`.
    pub(super) fn object(&self, recognised: Recognised, uri: &str, size: u64, strict: bool) -> Option<LogKey> {
        let key = match recognised {
            Recognised::Log(key) => key,
            Recognised::Loose if strict => {
                self.beside(uri);
                return None;
            }
            Recognised::Loose => LogKey::default(),
            Recognised::Foreign(reason) => {
                self.foreign(uri, reason);
                return None;
            }
        };
        self.limits(key, uri, size)
    }

    /// Returns the key of an object that the user named, unless a limit leaves it out: its name makes it no stranger.
    pub(super) fn named(&self, recognised: Recognised, uri: &str, size: u64) -> Option<LogKey> {
        let key = if let Recognised::Log(key) = recognised { key } else { LogKey::default() };
        self.limits(key, uri, size)
    }

    fn limits(&self, key: LogKey, uri: &str, size: u64) -> Option<LogKey> {
        let limit = self.prune.rejects(&key);
        self.with(|counts| match limit {
            Some(limit) => {
                let pruned = counts.pruned.of(limit);
                pruned.objects += 1;
                pruned.bytes += size;
                keep_smallest(&mut counts.pruned_examples, uri.to_owned());
            }
            None => {
                counts.objects += 1;
                counts.bytes += size;
            }
        });
        limit.is_none().then_some(key)
    }
}

/// The objects of a source, in no fixed order; the counts are complete when the stream has ended.
pub struct Listing {
    objects: BoxStream<'static, Result<Object>>,
    judge: Judge,
}

impl Listing {
    pub(super) fn new(judge: Judge, objects: BoxStream<'static, Result<Object>>) -> Listing {
        Listing { objects, judge }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> ListCounts {
        self.judge.counts()
    }
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing").field("judge", &self.judge).finish_non_exhaustive()
    }
}

impl Stream for Listing {
    type Item = Result<Object>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.objects.as_mut().poll_next(context)
    }
}
