//! How a bucket is walked: by prefixes, level by level, and never whole once a layout was recognised.
//!
//! The layout is found by listing folders from where the user points (`AWSLogs/`, account, `vpcflowlogs`, region, year, month,
//! day), leaving out at each level what the limits exclude; days are then listed whole, in parallel. Where no `AWSLogs/` is
//! found within stated bounds, the prefix is listed whole. Once one is found, whatever lies outside is counted and not walked:
//! a central bucket holds far more than flow logs.

use super::key::{Level, Place, Recognised};
use super::listing::{Judge, Listing};
use super::s3::S3Source;
use super::{LogKey, Object};
use crate::error::Result;
use crate::time::UnixSeconds;
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use std::collections::VecDeque;
use std::sync::Arc;

/// LIST requests under way at a time: enough to hide their ~100 ms each, far below what S3 allows one prefix (5,500 a second).
const LISTS_IN_FLIGHT_MAX: usize = 16;
/// How many folders below the prefix `AWSLogs/` is looked for.
const SEARCH_DEPTH_MAX: usize = 4;
/// How many folders are listed while looking for `AWSLogs/`: two seconds at the width above, and a tenth of a cent.
const SEARCH_FOLDERS_MAX: usize = 256;

/// One page of a listing.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Found>,
    /// Folders of a listing by level, with their `/`.
    pub(super) folders: Vec<String>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// An object of a page.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) etag: Option<Arc<str>>,
    pub(super) modified: Option<UnixSeconds>,
}

impl Found {
    fn object(&self, uri: &str, key: LogKey) -> Object {
        Object { uri: uri.into(), key, size: self.size, etag: self.etag.clone(), modified: self.modified }
    }
}

/// Lists the log objects below the source's prefix.
pub(super) fn list(source: S3Source, judge: Judge) -> Listing {
    let walk = Walk { source, judge: judge.clone(), strict: false, waiting: Vec::new(), ready: VecDeque::new() };
    let start = async move { Ok((walk.start().await?, FuturesUnordered::new())) };
    let objects = stream::once(start).map(|walk| match walk {
        Ok((walk, running)) => stream::try_unfold((walk, running), next_object).boxed(),
        Err(fault) => stream::once(async move { Err(fault) }).boxed(),
    });
    Listing::new(judge, objects.flatten().boxed())
}

/// A page that was asked for.
type Asked = BoxFuture<'static, Result<(Task, Page)>>;

/// A listing under way. Folders wait last in, first out, so that few of them wait however large the bucket is.
struct Walk {
    source: S3Source,
    judge: Judge,
    /// `AWSLogs/` was found: keys that follow no layout are strangers.
    strict: bool,
    waiting: Vec<Task>,
    ready: VecDeque<Object>,
}

/// What the search for `AWSLogs/` came upon.
#[derive(Debug, Default)]
struct Search {
    layouts: Vec<(String, Place)>,
    beside: Vec<String>,
    /// Folders of something else, with the reason.
    foreign: Vec<(String, &'static str)>,
    /// Folders that the bounds left unseen.
    unseen: Vec<String>,
    /// Folders with more names than a page, of which the rest was left unseen.
    half_seen: Vec<String>,
}

impl Search {
    /// Sorts what stands below a folder; returns the folders to look into next.
    fn sort_out(&mut self, looked: &Looked) -> Vec<(String, Place)> {
        let mut next = Vec::new();
        if looked.page.next.is_some() {
            self.half_seen.push(looked.folder.clone());
        }
        for folder in &looked.below {
            match looked.place.enter(last_part(folder)) {
                Ok(below) if below.level == Level::Outside => next.push((folder.clone(), below)),
                Ok(below) => self.layouts.push((folder.clone(), below)),
                Err(reason) => self.foreign.push((folder.clone(), reason)),
            }
        }
        next
    }
}

/// The first page of a folder.
#[derive(Debug)]
struct Looked {
    folder: String,
    place: Place,
    below: Vec<String>,
    page: Page,
}

/// A page to ask for.
#[derive(Debug)]
struct Task {
    prefix: String,
    /// What the path up to the last `/` of the prefix says.
    place: Place,
    /// Lists what lies below folders too.
    whole: bool,
    token: Option<String>,
}

impl Task {
    fn new(prefix: String, place: Place) -> Task {
        let whole = place.level.is_listed_whole();
        Task { prefix, place, whole, token: None }
    }
}

async fn next_object(
    (mut walk, mut running): (Walk, FuturesUnordered<Asked>),
) -> Result<Option<(Object, (Walk, FuturesUnordered<Asked>))>> {
    loop {
        if let Some(object) = walk.ready.pop_front() {
            return Ok(Some((object, (walk, running))));
        }
        while running.len() < LISTS_IN_FLIGHT_MAX
            && let Some(mut task) = walk.waiting.pop()
        {
            let (source, judge) = (walk.source.clone(), walk.judge.clone());
            running.push(Box::pin(async move {
                let page = source.page(&task.prefix, !task.whole, task.token.take(), &judge).await?;
                Ok((task, page))
            }));
        }
        match running.next().await {
            Some(page) => {
                let (task, page) = page?;
                walk.take(task, page);
            }
            None if walk.judge.counts().saw_nothing() => return Err(walk.source.nothing_at(&walk.judge).await),
            None => return Ok(None),
        }
    }
}

impl Walk {
    /// Finds out what the prefix is: one object, a folder, or the beginning of names; and where the layout starts.
    async fn start(mut self) -> Result<Walk> {
        let mut prefix = self.source.prefix.clone();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            let page = self.source.page(&prefix, true, None, &self.judge).await?;
            // Keys come in order, so the key that is the prefix itself comes first.
            if let Some(object) = page.objects.iter().find(|object| object.key == prefix) {
                let (folder, name) = split(&prefix);
                self.yield_named(object, Place::of(folder).object(name));
                return Ok(self);
            }
            // `logs` means `logs/`, not also `logs-old/`, where such a folder exists.
            let folder = format!("{prefix}/");
            if page.folders.contains(&folder) {
                prefix = folder;
            }
        }
        let place = Place::of(split(&prefix).0);
        if place.level != Level::Outside {
            self.waiting.push(Task::new(prefix, place));
            return Ok(self);
        }
        self.search(prefix, place).await?;
        Ok(self)
    }

    /// Looks for `AWSLogs/` folder by folder, within bounds; lists the prefix whole if there is none.
    async fn search(&mut self, prefix: String, place: Place) -> Result<()> {
        let mut level = vec![(prefix.clone(), place.clone())];
        let (mut search, mut first, mut folders_left) = (Search::default(), None, SEARCH_FOLDERS_MAX);
        for depth in 0..=SEARCH_DEPTH_MAX {
            // Half of what is left for each level, so that a wide one leaves something for what lies deeper.
            let over = level.split_off(level.len().min(folders_left.div_ceil(2)));
            search.unseen.extend(over.into_iter().map(|(folder, _)| folder));
            folders_left -= level.len();
            let looks: Vec<_> = level.drain(..).map(|(folder, place)| self.look(folder, place)).collect();
            let looked: Vec<Looked> = stream::iter(looks).buffered(LISTS_IN_FLIGHT_MAX).try_collect().await?;
            let mut below = Vec::new();
            for looked in looked {
                below.extend(search.sort_out(&looked).into_iter().enumerate());
                if depth == 0 {
                    first = Some(looked.page);
                } else {
                    search.beside.extend(looked.page.objects.iter().map(|object| object.key.clone()));
                }
            }
            // The first folder of each parent, then the second of each: no parent's crowd hides the others.
            below.sort_by_key(|(rank, _)| *rank);
            level.extend(below.into_iter().map(|(_, folder)| folder));
            if level.is_empty() {
                break;
            }
        }
        search.unseen.extend(level.into_iter().map(|(folder, _)| folder));
        if search.layouts.is_empty() {
            self.list_whole(prefix, place, first);
            return Ok(());
        }
        self.strict = true;
        for object in first.iter().flat_map(|page| &page.objects) {
            self.take_object(object, base(&prefix), &place);
        }
        self.leave_out(&search);
        for (folder, place) in search.layouts {
            if let Some(place) = self.judge.within(place, &self.source.uri_of(&folder)) {
                self.waiting.push(Task::new(folder, place));
            }
        }
        Ok(())
    }

    /// Lists one page of a folder, and asks for its `AWSLogs/` by name if the page ends too early to tell.
    async fn look(&self, folder: String, place: Place) -> Result<Looked> {
        let page = self.source.page(&folder, true, None, &self.judge).await?;
        let mut below: Vec<String> = page.folders.clone();
        let logs = format!("{}AWSLogs/", base(&folder));
        if page.next.is_some() && logs.starts_with(&folder) && !below.contains(&logs) {
            let asked = self.source.page(&logs, true, None, &self.judge).await?;
            if !asked.objects.is_empty() || !asked.folders.is_empty() {
                below.push(logs);
            }
        }
        Ok(Looked { folder, place, below, page })
    }

    /// Counts what the search came upon outside `AWSLogs/`.
    fn leave_out(&self, search: &Search) {
        for key in &search.beside {
            self.judge.beside(&self.source.uri_of(key));
        }
        for (folder, reason) in &search.foreign {
            self.judge.foreign_folder(&self.source.uri_of(folder), reason);
        }
        for folder in &search.unseen {
            self.judge.folder_beside(&self.source.uri_of(folder), "not searched for AWSLogs/: name it to read it");
        }
        for folder in &search.half_seen {
            self.judge.folder_beside(&self.source.uri_of(folder), "only its first names were searched for AWSLogs/");
        }
    }

    /// Lists everything below a prefix: its folders in parallel if they are all known.
    fn list_whole(&mut self, prefix: String, place: Place, first: Option<Page>) {
        let Some(first) = first.filter(|page| page.next.is_none()) else {
            self.waiting.push(Task::new(prefix, place));
            return;
        };
        for object in &first.objects {
            self.take_object(object, base(&prefix), &place);
        }
        for folder in &first.folders {
            if let Some(below) = self.judge.folder(&place, last_part(folder), &self.source.uri_of(folder)) {
                self.waiting.push(Task::new(folder.to_owned(), below));
            }
        }
    }

    fn take(&mut self, task: Task, page: Page) {
        let base = base(&task.prefix);
        for object in &page.objects {
            self.take_object(object, base, &task.place);
        }
        for folder in &page.folders {
            if let Some(below) = self.judge.folder(&task.place, last_part(folder), &self.source.uri_of(folder)) {
                self.waiting.push(Task::new(folder.to_owned(), below));
            }
        }
        if let Some(token) = page.next {
            self.waiting.push(Task { token: Some(token), ..task });
        }
    }

    fn take_object(&mut self, found: &Found, base: &str, place: &Place) {
        let key = found.key.as_str();
        // A folder's own marker is no file in it.
        if key == base {
            return self.judge.foreign(&self.source.uri_of(key), "folder marker");
        }
        let recognised = place.below(key.strip_prefix(base).unwrap_or(key));
        let uri = self.source.uri_of(key);
        let key = self.judge.object(recognised, &uri, found.size, self.strict);
        self.ready.extend(key.map(|key| found.object(&uri, key)));
    }

    fn yield_named(&mut self, found: &Found, recognised: Recognised) {
        let uri = self.source.uri_of(&found.key);
        let key = self.judge.named(recognised, &uri, found.size);
        self.ready.extend(key.map(|key| found.object(&uri, key)));
    }
}

/// Splits a key into its folders and its name.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('/').unwrap_or(("", key))
}

/// Returns a key up to and with its last `/`.
fn base(prefix: &str) -> &str {
    prefix.rfind('/').map_or("", |at| &prefix[..=at])
}

/// Returns the name of a folder: `b` of `a/b/`, and nothing of `a//`.
fn last_part(folder: &str) -> &str {
    split(folder.strip_suffix('/').unwrap_or(folder)).1
}
