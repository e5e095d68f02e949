//! Logs on a disk: a folder, a file, or a glob.
//!
//! A folder tree that mirrors a bucket is recognised and pruned as in S3. Where no layout is recognised, every file below a
//! folder that the user named may be a log. This is not for pipes: a file must stay as it is while it is read.

use super::key::{Place, Prune};
use super::listing::{Judge, Listing};
use super::{Bytestream, Object, ReadFault, Source};
use crate::error::{Error, Result};
use crate::time::UnixSeconds;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use std::collections::{HashSet, VecDeque};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Bytes read from a file at a time: large enough that a thread switch costs nothing, small enough to stay in cache.
const CHUNK_BYTES: usize = 1 << 20;
/// Deepest folder below the named one; a mirror of a bucket needs 12.
const DEPTH_MAX: usize = 64;
/// Names shown when a path does not exist.
const NEAREST_MAX: usize = 5;

/// One LOGS argument on a disk.
#[derive(Debug)]
pub(super) struct LocalSource {
    arg: String,
    /// What the user named; for a glob, what it matched.
    starts: Vec<Start>,
    /// The folder of the file whose identity was asked for last, and where it really is.
    folder: Mutex<Option<(PathBuf, PathBuf)>>,
}

#[derive(Debug, Clone)]
struct Start {
    path: String,
    /// Named as it is, not by a glob: its name does not make it foreign.
    named: bool,
}

impl LocalSource {
    /// Opens a folder, a file or a glob.
    pub(super) fn open(arg: &str) -> Result<LocalSource> {
        let path = tidy(arg);
        if Path::new(&path).exists() {
            return Ok(LocalSource { arg: arg.to_owned(), starts: vec![Start { path, named: true }], folder: Mutex::default() });
        }
        if !arg.contains(['*', '?', '[']) {
            return Err(Error::usage("no such file or folder").at(arg).with_hint(nearest(Path::new(&path))));
        }
        let bad = |fault: String| Error::usage(format!("not a glob: {fault}")).at(arg);
        let mut starts = Vec::new();
        for found in glob::glob(&path).map_err(|fault| bad(fault.to_string()))? {
            let found =
                found.map_err(|fault| Error::failed("cannot read the folder").at(fault.path().to_string_lossy()).caused_by(fault))?;
            if let Some(path) = found.to_str() {
                starts.push(Start { path: tidy(path), named: false });
            }
        }
        if starts.is_empty() {
            return Err(Error::usage("the glob matches nothing").at(arg).with_hint("quote it, and see what `ls` finds"));
        }
        Ok(LocalSource { arg: arg.to_owned(), starts, folder: Mutex::default() })
    }
}

impl LocalSource {
    /// Opens files that are named elsewhere, by `arg`.
    pub(super) fn files_of(arg: &str) -> LocalSource {
        LocalSource { arg: arg.to_owned(), starts: Vec::new(), folder: Mutex::default() }
    }
}

/// Looks at one file.
///
/// # Errors
/// [`ReadFault::Missing`]; it is no file, or may not be looked at.
pub(super) async fn look(path: &str) -> Result<Object> {
    let path = tidy(path);
    on_disk(move || match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(object(&path, super::LogKey::default(), &metadata)),
        Ok(_) => Err(Error::failed("not a file").at(path)),
        Err(fault) if matches!(fault.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Err(ReadFault::Missing.error(&path))
        }
        Err(fault) => Err(unreadable(&path, fault)),
    })
    .await
}

#[async_trait]
impl Source for LocalSource {
    fn uri(&self) -> &str {
        &self.arg
    }

    fn list(&self, prune: &Prune) -> Listing {
        let judge = Judge::new(prune);
        let walk = Walk::new(self.starts.clone(), judge.clone());
        let objects = stream::try_unfold(walk, |mut walk| async move {
            loop {
                if let Some(object) = walk.ready.pop_front() {
                    return Ok(Some((object, walk)));
                }
                let more;
                (walk, more) = on_disk(move || {
                    let more = walk.step()?;
                    Ok((walk, more))
                })
                .await?;
                if !more && walk.ready.is_empty() {
                    return Ok(None);
                }
            }
        });
        Listing::new(judge, objects.boxed())
    }

    async fn read(&self, object: &Object) -> Result<Bytestream> {
        let object = object.clone();
        // A small file is opened, read and closed in one go: three ways to another thread and back cost more than its bytes.
        let first = on_disk(move || Reader::open(object)?.chunk()).await?;
        let (first, rest) = first.map_or((None, None), |(chunk, reader)| (Some(chunk), reader));
        let rest = stream::try_unfold(rest, |reader| async move {
            match reader {
                Some(reader) => on_disk(move || reader.chunk()).await,
                None => Ok(None),
            }
        });
        Ok(stream::iter(first.map(Ok)).chain(rest).boxed())
    }

    async fn read_each(&self, objects: &[&Object]) -> Vec<Result<Bytes>> {
        let given: Vec<Object> = objects.iter().map(|object| (*object).clone()).collect();
        let read = on_disk(move || Ok(given.into_iter().map(|object| Reader::open(object)?.whole()).collect::<Vec<_>>())).await;
        read.unwrap_or_else(|error| objects.iter().map(|_| Err(Error::failed(error.to_string()))).collect())
    }

    async fn read_range(&self, object: &Object, range: std::ops::Range<u64>) -> Result<Bytes> {
        let object = object.clone();
        on_disk(move || {
            let mut reader = Reader::open(object)?;
            if range.start > range.end || range.end > reader.object.size {
                return Err(Error::failed(format!("bytes {}..{} lie outside the file", range.start, range.end)).at(&*reader.object.uri));
            }
            reader.range(range).map(Bytes::from)
        })
        .await
    }

    fn identity(&self, object: &Object) -> Arc<str> {
        let path = Path::new(&*object.uri);
        // Objects come folder by folder, and to find out where a folder really is asks the system for each of its parents.
        let beside = || {
            let (folder, name) = (path.parent()?, path.file_name()?);
            if std::fs::symlink_metadata(path).ok()?.is_symlink() {
                return None;
            }
            let mut last = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
            if last.as_ref().is_none_or(|(known, _)| known != folder) {
                let folder_or_here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                *last = Some((folder.to_owned(), std::fs::canonicalize(folder_or_here).ok()?));
            }
            last.as_ref().map(|(_, real)| real.join(name))
        };
        // A file that vanished since is told when it is read.
        let real = beside().or_else(|| std::fs::canonicalize(path).ok());
        real.map_or_else(|| Arc::clone(&object.uri), |path| path.to_string_lossy().into())
    }
}

/// Runs file work off the waiting threads.
pub(super) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(fault) => Err(Error::failed("reading from disk was stopped").caused_by(fault)),
    }
}

/// A walk over folders in sorted order.
#[derive(Debug)]
struct Walk {
    judge: Judge,
    starts: VecDeque<Start>,
    folders: Vec<Folder>,
    /// Folders behind links, walked last: where a link and a real path lead to one folder, the real path names it.
    links: VecDeque<Folder>,
    visited: HashSet<PathBuf>,
    ready: VecDeque<Object>,
}

#[derive(Debug)]
struct Folder {
    path: String,
    place: Place,
    depth: usize,
}

impl Walk {
    fn new(starts: Vec<Start>, judge: Judge) -> Walk {
        Walk { judge, starts: starts.into(), folders: Vec::new(), links: VecDeque::new(), visited: HashSet::new(), ready: VecDeque::new() }
    }

    /// Reads one folder, or takes up the next start; returns whether anything is left to do.
    fn step(&mut self) -> Result<bool> {
        if let Some(folder) = self.folders.pop() {
            self.folder(folder)?;
        } else if let Some(start) = self.starts.pop_front() {
            self.start(start)?;
        } else if let Some(folder) = self.links.pop_front() {
            self.folder(folder)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn start(&mut self, start: Start) -> Result<()> {
        let metadata = std::fs::metadata(&start.path).map_err(|fault| unreadable(&start.path, fault))?;
        if metadata.is_dir() {
            let place = Place::of(&start.path);
            self.folders.push(Folder { path: start.path, place, depth: 0 });
        } else if metadata.is_file() {
            let (folder, name) = start.path.rsplit_once('/').unwrap_or(("", &start.path));
            let recognised = Place::of(folder).object(name);
            let key = if start.named {
                self.judge.named(recognised, &start.path, metadata.len())
            } else {
                self.judge.object(recognised, &start.path, metadata.len(), false)
            };
            self.ready.extend(key.map(|key| object(&start.path, key, &metadata)));
        } else {
            let hint = "give its bytes on standard input, with - as LOGS: a log must stay as it is while it is read";
            return Err(Error::usage("neither a file nor a folder").at(start.path).with_hint(hint));
        }
        Ok(())
    }

    fn folder(&mut self, folder: Folder) -> Result<()> {
        let canonical = std::fs::canonicalize(&folder.path).map_err(|fault| unreadable(&folder.path, fault))?;
        if !self.visited.insert(canonical) {
            return Ok(());
        }
        self.judge.request();
        let (mut files, mut below) = (Vec::new(), Vec::new());
        for name in self.names(&folder)? {
            let path = join(&folder.path, &name);
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => below.push((name, path)),
                Ok(metadata) if metadata.is_file() => files.push((name, path, metadata)),
                Ok(_) => self.judge.foreign(&path, "neither a file nor a folder"),
                Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => self.judge.foreign(&path, "link to nothing"),
                Err(fault) => return Err(unreadable(&path, fault)),
            }
        }
        for (name, path, metadata) in files {
            let key = self.judge.object(folder.place.object(&name), &path, metadata.len(), false);
            self.ready.extend(key.map(|key| object(&path, key, &metadata)));
        }
        // The last in is the first out: reversed, the walk goes in sorted order.
        for (name, path) in below.into_iter().rev() {
            let Some(place) = self.judge.folder(&folder.place, &name, &path) else { continue };
            if folder.depth >= DEPTH_MAX {
                return Err(Error::failed(format!("more than {DEPTH_MAX} folders deep")).at(path));
            }
            let next = Folder { path, place, depth: folder.depth + 1 };
            if Path::new(&next.path).is_symlink() { self.links.push_front(next) } else { self.folders.push(next) }
        }
        Ok(())
    }

    fn names(&self, folder: &Folder) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder.path).map_err(|fault| unreadable(&folder.path, fault))? {
            let name = entry.map_err(|fault| unreadable(&folder.path, fault))?.file_name();
            match name.into_string() {
                Ok(name) => names.push(name),
                Err(name) => self.judge.foreign(&join(&folder.path, &name.to_string_lossy()), "the name is not UTF-8"),
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

fn object(path: &str, key: super::LogKey, metadata: &Metadata) -> Object {
    Object { uri: path.into(), key, size: metadata.len(), etag: None, modified: modified_s(metadata) }
}

/// An open file that must stay the one that was listed.
#[derive(Debug)]
struct Reader {
    file: File,
    object: Object,
    modified: Option<SystemTime>,
    at: u64,
}

impl Reader {
    fn open(object: Object) -> Result<Reader> {
        let file = match File::open(&*object.uri) {
            Ok(file) => file,
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Err(ReadFault::Gone.error(&object.uri)),
            Err(fault) => return Err(unreadable(&object.uri, fault)),
        };
        let metadata = file.metadata().map_err(|fault| unreadable(&object.uri, fault))?;
        if metadata.len() != object.size || modified_s(&metadata) != object.modified {
            return Err(ReadFault::Replaced.error(&object.uri));
        }
        Ok(Reader { file, object, modified: metadata.modified().ok(), at: 0 })
    }

    /// Returns the next bytes, if any are left, and the reader if more are; after the last, the file was seen to be the same as at
    /// the start.
    fn chunk(mut self) -> Result<Option<(Bytes, Option<Reader>)>> {
        let end = self.object.size.min(self.at + CHUNK_BYTES as u64);
        let chunk = Bytes::from(self.fill(end - self.at)?);
        self.at = end;
        if self.at < self.object.size {
            return Ok(Some((chunk, Some(self))));
        }
        self.check()?;
        Ok(Some((chunk, None)).filter(|(chunk, _)| !chunk.is_empty()))
    }

    /// Returns all bytes, with the same check.
    fn whole(mut self) -> Result<Bytes> {
        let whole = self.fill(self.object.size)?;
        self.check()?;
        Ok(whole.into())
    }

    fn range(&mut self, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(range.start)).map_err(|fault| unreadable(&self.object.uri, fault))?;
        self.fill(range.end - range.start)
    }

    fn fill(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(usize::try_from(length).unwrap_or(CHUNK_BYTES));
        let read = (&mut self.file).take(length).read_to_end(&mut chunk).map_err(|fault| unreadable(&self.object.uri, fault))?;
        if read as u64 != length {
            return Err(ReadFault::Replaced.error(&self.object.uri));
        }
        Ok(chunk)
    }

    /// Compares the open file, and the file that now has its name, with what was opened.
    fn check(&self) -> Result<()> {
        let same = |metadata: std::io::Result<Metadata>| {
            metadata.is_ok_and(|metadata| metadata.len() == self.object.size && metadata.modified().ok() == self.modified)
        };
        if same(self.file.metadata()) && same(std::fs::metadata(&*self.object.uri)) {
            return Ok(());
        }
        Err(ReadFault::Replaced.error(&self.object.uri))
    }
}

fn modified_s(metadata: &Metadata) -> Option<UnixSeconds> {
    let since = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn unreadable(path: &str, fault: std::io::Error) -> Error {
    Error::failed("cannot read").at(path).caused_by(fault)
}

/// Drops what does not change where a path leads, so that one file has one name: `./a//b/` is `a/b`.
pub(super) fn tidy(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "." => name.to_owned(),
        "/" => format!("/{name}"),
        _ => format!("{folder}/{name}"),
    }
}

/// Names what stands in the nearest folder that exists.
fn nearest(path: &Path) -> String {
    let Some(folder) = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir()) else {
        return "no folder of this path exists".to_owned();
    };
    let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let wanted = path.strip_prefix(folder).ok().and_then(|rest| rest.iter().next()).map(|part| part.to_string_lossy().into_owned());
    let names = std::fs::read_dir(shown).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let names = super::nearest_names(names, &wanted.unwrap_or_default(), NEAREST_MAX);
    if names.is_empty() { format!("{} is empty", shown.display()) } else { format!("{} holds {}", shown.display(), names.join(", ")) }
}
