//! Objects that a list names (`--objects-from`): the data files of an S3 Inventory, or lines with one URI or path each.
//!
//! The list stands for LIST requests. An inventory names whole buckets, so its keys are recognised and pruned as a listing's
//! are; what a file of lines names is read whatever its name. An object that is gone, or is another one by now, is a fault of
//! that object; a list that cannot be read whole fails the run, because nothing would tell what is missing.

use super::aws::Access;
use super::body::{Body, Rows, Text, fault_of, on_thread};
use super::key::{Place, Prune, Recognised, recognise};
use super::listing::{Judge, Listing};
use super::local::{self, LocalSource, on_disk};
use super::place::{self, Holder};
use super::s3::S3Source;
use super::s3_inventory::{DataFile, Entry, MANIFEST_BYTES_MAX, Manifest, Row};
use super::spool::{STDIN, Spooled};
use super::{Bytestream, Kept, LogKey, Object, Permission, Source};
use crate::error::{Error, Kind, Result};
use crate::time::rfc3339;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Objects looked at (HEAD) at a time: enough to hide 30 ms each, far below what S3 allows one prefix.
const LOOKS_IN_FLIGHT_MAX: usize = 64;
/// Data files of an inventory read at a time: each may hold tens of millions of rows, and takes a thread.
const DATA_FILES_IN_FLIGHT_MAX: usize = 4;
/// Folders above a manifest that may be the mirror of its bucket's top; S3's own layout needs four.
const MIRROR_DEPTH_MAX: usize = 32;

/// One `--objects-from` argument.
#[derive(Debug, Clone)]
pub(super) struct NamedObjects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arg: String,
    access: Arc<Access>,
    list: (Arc<dyn Source>, Object),
    what: What,
    spool_dir: PathBuf,
    disk: LocalSource,
    /// Objects that could not be looked at: kind, message, hint.
    faults: Mutex<HashMap<Arc<str>, (Kind, String, String)>>,
}

#[derive(Debug)]
enum What {
    Lines,
    Inventory(Box<Manifest>),
}

/// Which rows of an inventory are wanted. Loose files are strangers if the bucket holds a layout anywhere, which is known after
/// the last row; buckets with loose files alone are rare, so only they are gone through again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Logs,
    Loose,
}

/// An object that a list names; `sized` if nothing is left to ask.
struct Named {
    object: Object,
    sized: bool,
}

impl NamedObjects {
    /// Finds the list and what it is.
    ///
    /// # Errors
    /// A usage error if there is no such list, or it is no list; an access error.
    pub(super) async fn open(arg: &str, spooled: Option<Spooled>, access: Arc<Access>, spool_dir: &Path) -> Result<NamedObjects> {
        let list: (Arc<dyn Source>, Object) = match (spooled, place::in_s3(arg)) {
            (Some(spooled), _) => {
                let object = spooled.object();
                (Arc::new(spooled), object)
            }
            (None, Some(_)) => {
                let (holder, key) = s3_object(arg)?;
                let source = S3Source::whole(&holder, access.connection().await?);
                let object = look_in_s3(&source, key).await.map_err(|fault| no_list(arg, fault))?;
                (Arc::new(source), object)
            }
            (None, None) => {
                let path = super::on_disk_path(arg)?;
                (Arc::new(LocalSource::files_of(arg)), local::look(path).await.map_err(|fault| no_list(arg, fault))?)
            }
        };
        let body = list.0.read(&list.1).await?;
        let (waiting, at) = (Handle::current(), arg.to_owned());
        let what = on_disk(move || What::find(Body::new(waiting, body), &at)).await?;
        if matches!(what, What::Inventory(_)) {
            // Its objects lie in S3: better to hear now that there are no credentials.
            access.connection().await?;
        }
        let (arg, disk) = (arg.to_owned(), LocalSource::files_of(arg));
        Ok(NamedObjects(Arc::new(Inner { arg, access, list, what, spool_dir: spool_dir.to_owned(), disk, faults: Mutex::default() })))
    }

    /// The objects that lines name, looked at.
    fn lines(&self, judge: &Judge) -> BoxStream<'static, Result<Object>> {
        let (inner, judge) = (Arc::clone(&self.0), judge.clone());
        let looked = Arc::clone(&self.0).entries().map(move |line| {
            let (inner, judge) = (Arc::clone(&inner), judge.clone());
            async move {
                let line = line?;
                let (folder, name) = line.path().rsplit_once('/').unwrap_or(("", line.path()));
                // What is pruned by its name is not asked for.
                let Some(key) = judge.named(Place::of(folder).object(name), &line.uri(), 0) else { return Ok(None) };
                inner.look(&line, key, &judge).await.map(Some)
            }
        });
        looked.buffer_unordered(LOOKS_IN_FLIGHT_MAX).try_filter_map(|object| std::future::ready(Ok(object))).boxed()
    }

    /// The objects that an inventory names and the limits leave.
    fn inventory(&self, manifest: &Manifest, judge: &Judge) -> BoxStream<'static, Result<Object>> {
        let age = match manifest.created {
            Some(created) => format!("as of {}", rfc3339(created)),
            None => "of an unknown time".to_owned(),
        };
        let (source, arg) = (&manifest.source.name, &self.0.arg);
        judge.note(format!("the listing of s3://{source} is {age}, by the S3 Inventory {arg}: objects written later are not in it"));
        let (layout, strangers) = (Arc::new(AtomicBool::new(false)), judge.apart());
        let logs = self.rows(Pass::Logs, judge, &strangers, &layout);
        let (named, all) = (self.clone(), judge.clone());
        let rest = stream::once(async move {
            if layout.load(Ordering::Relaxed) {
                all.take_in(&strangers);
                return stream::empty().boxed();
            }
            named.rows(Pass::Loose, &all, &strangers, &layout)
        });
        let inner = Arc::clone(&self.0);
        let judge = judge.clone();
        let objects = logs.chain(rest.flatten()).map(move |named| {
            let (inner, judge) = (Arc::clone(&inner), judge.clone());
            async move {
                let Named { object, sized } = named?;
                if sized {
                    return Ok(object);
                }
                let line = Line::parse(&object.uri)?;
                inner.look(&line, object.key, &judge).await
            }
        });
        objects.buffer_unordered(LOOKS_IN_FLIGHT_MAX).boxed()
    }

    /// Goes through the data files, some at a time.
    fn rows(&self, pass: Pass, judge: &Judge, strangers: &Judge, layout: &Arc<AtomicBool>) -> BoxStream<'static, Result<Named>> {
        let files = match &self.0.what {
            What::Inventory(manifest) => manifest.files.len(),
            What::Lines => 0,
        };
        let (inner, judge, strangers, layout) = (Arc::clone(&self.0), judge.clone(), strangers.clone(), Arc::clone(layout));
        let open = move |at: usize| {
            let (inner, judge, strangers, layout) = (Arc::clone(&inner), judge.clone(), strangers.clone(), Arc::clone(&layout));
            let rows = async move {
                let What::Inventory(manifest) = &inner.what else { return Err(Error::failed("not an inventory")) };
                let Some(file) = manifest.files.get(at).cloned() else { return Err(Error::failed("no such data file")) };
                let (source, object) = inner.data_file(manifest, &file).await?;
                judge.request();
                let body = source.read(&object).await.map_err(|fault| unread_data_file(&file, fault))?;
                Ok(on_thread(move |waiting, rows| {
                    let What::Inventory(manifest) = &inner.what else { return Ok(()) };
                    let sift = Sift { pass, judge, strangers, layout, source: &manifest.source };
                    let body = Body::new(waiting, body);
                    manifest.read(&file, &object.uri, body, &inner.spool_dir, &mut |entry| sift.row(entry, rows))
                }))
            };
            stream::once(rows).try_flatten().boxed()
        };
        stream::iter(0..files).map(open).flatten_unordered(DATA_FILES_IN_FLIGHT_MAX).boxed()
    }
}

impl What {
    fn find(body: Body, arg: &str) -> Result<What> {
        let fault = |fault: std::io::Error| fault_of(fault, arg);
        let mut text = Text::open(body).map_err(fault)?;
        if text.first_byte().map_err(fault)? != Some(b'{') {
            return Ok(What::Lines);
        }
        match text.whole(MANIFEST_BYTES_MAX).map_err(fault)? {
            Some(json) => Ok(What::Inventory(Box::new(Manifest::parse(&json, arg)?))),
            None => Err(Error::usage("larger than 64 MiB, which no manifest is").at(arg)),
        }
    }
}

/// Sorts the rows of a data file.
struct Sift<'a> {
    pass: Pass,
    judge: Judge,
    /// Counts of loose files, in case that they are strangers.
    strangers: Judge,
    /// Whether a layout was seen anywhere.
    layout: Arc<AtomicBool>,
    source: &'a Holder,
}

impl Sift<'_> {
    fn row(&self, entry: Entry, rows: &mut Rows<Named>) -> Result<()> {
        let Entry::Current(Row { key, size, etag, modified }) = entry else {
            if self.pass == Pass::Logs {
                self.judge.superseded();
            }
            return Ok(());
        };
        let (recognised, inside) = recognise(&key);
        if inside {
            self.layout.store(true, Ordering::Relaxed);
        }
        let (uri, bytes) = (self.source.uri_of(&key), size.unwrap_or(0));
        let key = match (self.pass, recognised) {
            (Pass::Logs, Recognised::Loose) => self.strangers.object(Recognised::Loose, &uri, bytes, true),
            (Pass::Logs, recognised) => self.judge.object(recognised, &uri, bytes, false),
            (Pass::Loose, Recognised::Loose) => self.judge.object(Recognised::Loose, &uri, bytes, false),
            (Pass::Loose, _) => None,
        };
        let Some(key) = key else { return Ok(()) };
        rows.push(Named { object: Object { uri: uri.into(), key, size: bytes, etag, modified }, sized: size.is_some() })
    }
}

impl Inner {
    /// The lines of the list.
    fn entries(self: Arc<Self>) -> BoxStream<'static, Result<Line>> {
        let open = async move {
            let body = self.list.0.read(&self.list.1).await?;
            Ok::<_, Error>(on_thread(move |waiting, rows| {
                let fault = |fault: std::io::Error, number: u64| fault_of(fault, &format!("{}:{number}", self.arg));
                let mut text = Text::open(Body::new(waiting, body)).map_err(|error| fault(error, 1))?;
                let (mut buffer, mut number) = (Vec::new(), 0);
                loop {
                    number += 1;
                    let at = || format!("{}:{number}", self.arg);
                    let Some(line) = text.line(&mut buffer).map_err(|error| fault(error, number))? else { return Ok(()) };
                    let line = std::str::from_utf8(line).map_err(|_| Error::usage("the line is not UTF-8").at(at()))?;
                    let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { line };
                    if line.trim().is_empty() || line.trim_start().starts_with('#') {
                        continue;
                    }
                    let named = Line::parse(line).map_err(|fault| {
                        let hint = fault.hint().unwrap_or("write one s3://bucket/key or path per line").to_owned();
                        Error::usage(fault.to_string()).at(at()).with_hint(hint)
                    });
                    rows.push(named?)?;
                }
            }))
        };
        stream::once(open).try_flatten().boxed()
    }

    /// Asks for size and tag; what cannot be looked at is told when it is read.
    async fn look(&self, line: &Line, key: LogKey, judge: &Judge) -> Result<Object> {
        let looked = match line {
            Line::S3(holder, name) => look_in_s3(&S3Source::whole(holder, self.access.connection().await?), name).await,
            Line::Disk(path) => local::look(path).await,
        };
        let uri: Arc<str> = line.uri().into();
        Ok(match looked {
            Ok(object) => {
                judge.sized(object.size);
                Object { key, ..object }
            }
            Err(fault) => {
                let kept = (fault.kind(), fault.to_string(), fault.hint().unwrap_or_default().to_owned());
                self.faults.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(&uri), kept);
                Object { uri, key, size: 0, etag: None, modified: None }
            }
        })
    }

    /// Finds a data file: in the bucket that the manifest names or lies in; for a manifest on disk, in the mirror around it.
    async fn data_file(&self, manifest: &Manifest, file: &DataFile) -> Result<(Arc<dyn Source>, Object)> {
        let (source, object): (Arc<dyn Source>, Object) = match place::in_s3(&self.arg) {
            Some(place) => {
                let holder = match &manifest.destination {
                    Some(holder) => holder.clone(),
                    None => place::parse(&self.arg, place)?.0,
                };
                let source = S3Source::whole(&holder, self.access.connection().await?);
                let object = look_in_s3(&source, &file.key).await.map_err(|fault| unread_data_file(file, fault))?;
                (Arc::new(source), object)
            }
            None => (Arc::new(LocalSource::files_of(&self.arg)), self.mirrored(&file.key).await?),
        };
        if object.size != file.size {
            let fault = format!("{} bytes long, where the manifest says {}", object.size, file.size);
            return Err(Error::failed(fault).at(&*object.uri).with_hint("take manifest and data files of one and the same inventory"));
        }
        Ok((source, object))
    }

    /// Finds a key in the folders around the manifest: below one that mirrors the bucket's top, else beside the manifest.
    async fn mirrored(&self, key: &str) -> Result<Object> {
        let parts: Vec<&str> = key.split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..") || part.contains('\0')) {
            let fault = format!("a data file {key:?} is not looked for on disk");
            return Err(Error::failed(fault).at(&self.arg).with_hint("no S3 Inventory writes such a key: is the manifest as it was?"));
        }
        let path = local::tidy(super::on_disk_path(&self.arg)?);
        let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
        let name = parts.last().copied().unwrap_or_default();
        let above = folder.ancestors().take(MIRROR_DEPTH_MAX).map(|folder| folder.join(key));
        for candidate in above.chain([folder.join(name), folder.join("data").join(name)]) {
            if let Some(path) = candidate.to_str().filter(|_| candidate.is_file()) {
                return local::look(path).await;
            }
        }
        let hint = format!("copy {key} to the same folders as in its bucket, or to where the manifest is");
        Err(Error::failed(format!("the data file {key:?} is neither beside the manifest nor in a mirror of its bucket"))
            .at(&self.arg)
            .with_hint(hint))
    }

    async fn source_of(&self, object: &Object) -> Result<Option<S3Source>> {
        let Some(place) = place::in_s3(&object.uri) else { return Ok(None) };
        let (holder, _) = place::parse(&object.uri, place)?;
        Ok(Some(S3Source::whole(&holder, self.access.connection().await?)))
    }

    /// Tells what came of looking at an object.
    fn check(&self, object: &Object) -> Result<()> {
        match self.faults.lock().unwrap_or_else(PoisonError::into_inner).get(&object.uri) {
            None => Ok(()),
            Some((kind, message, hint)) => Err(Error::new(*kind, message.clone()).with_hint(hint.clone())),
        }
    }
}

/// One line of a list.
enum Line {
    S3(Holder, String),
    Disk(String),
}

impl Line {
    fn parse(text: &str) -> Result<Line> {
        if place::in_s3(text).is_some() {
            let (holder, key) = s3_object(text)?;
            return Ok(Line::S3(holder, key.to_owned()));
        }
        let path = super::on_disk_path(text)?;
        if path.is_empty() || path.contains('\0') {
            return Err(Error::usage("not a path").at(text));
        }
        Ok(Line::Disk(local::tidy(path)))
    }

    fn uri(&self) -> String {
        match self {
            Line::S3(holder, key) => holder.uri_of(key),
            Line::Disk(path) => path.clone(),
        }
    }

    /// Returns what the layout is read from.
    fn path(&self) -> &str {
        match self {
            Line::S3(_, path) | Line::Disk(path) => path,
        }
    }
}

fn s3_object(text: &str) -> Result<(Holder, &str)> {
    let (holder, key) = place::parse(text, place::in_s3(text).unwrap_or_default())?;
    if key.is_empty() {
        return Err(Error::usage("names a bucket, not an object").at(text).with_hint("write s3://bucket/key"));
    }
    Ok((holder, key))
}

async fn look_in_s3(source: &S3Source, key: &str) -> Result<Object> {
    let found = source.head(key).await?;
    let uri = source.uri_of(key).into();
    Ok(Object { uri, key: LogKey::default(), size: found.size, etag: found.etag, modified: found.modified })
}

fn no_list(arg: &str, fault: Error) -> Error {
    if fault.kind() == Kind::Access {
        return fault;
    }
    let hint = "give the manifest.json of an S3 Inventory, or a file with one URI or path per line";
    Error::usage("no list of objects to read").at(arg).caused_by(fault).with_hint(hint)
}

fn unread_data_file(file: &DataFile, fault: Error) -> Error {
    let hint = fault.hint().unwrap_or("take a newer S3 Inventory").to_owned();
    Error::new(fault.kind(), format!("cannot read the data file {:?} of the S3 Inventory", file.key)).caused_by(fault).with_hint(hint)
}

#[async_trait]
impl Source for NamedObjects {
    fn uri(&self) -> &str {
        &self.0.arg
    }

    fn list(&self, prune: &Prune) -> Listing {
        let judge = Judge::new(prune);
        judge.request();
        let objects = match &self.0.what {
            What::Lines => self.lines(&judge),
            What::Inventory(manifest) => self.inventory(manifest, &judge),
        };
        Listing::new(judge, objects)
    }

    async fn read(&self, object: &Object) -> Result<Bytestream> {
        self.0.check(object)?;
        match self.0.source_of(object).await? {
            Some(source) => source.read(object).await,
            None => self.0.disk.read(object).await,
        }
    }

    async fn read_range(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        self.0.check(object)?;
        match self.0.source_of(object).await? {
            Some(source) => source.read_range(object, range).await,
            None => self.0.disk.read_range(object, range).await,
        }
    }

    async fn kept(&self, object: &Object) -> Result<Kept> {
        self.0.check(object)?;
        match self.0.source_of(object).await? {
            Some(source) => source.kept(object).await,
            None => self.0.disk.kept(object).await,
        }
    }

    fn identity(&self, object: &Object) -> Arc<str> {
        if place::in_s3(&object.uri).is_some() { Arc::clone(&object.uri) } else { self.0.disk.identity(object) }
    }
}

/// Returns what reading the objects of a list needs. A list in S3 is not read for it: the policy is what permits that.
///
/// # Errors
/// A usage error if the list must be read to know what it names; as for [`NamedObjects::open`].
pub(super) async fn permissions(arg: &str, access: &Arc<Access>, spool_dir: &Path) -> Result<Vec<Permission>> {
    if arg == STDIN {
        return Err(Error::usage("standard input names no place in S3").at(arg).with_hint("write the list to a file, and name that"));
    }
    if place::in_s3(arg).is_some() {
        let (holder, key) = s3_object(arg)?;
        let Some((folder, bucket)) = inventory_folder(key) else {
            let hint = "copy the list to disk and name the copy; add s3:GetObject on the list itself";
            return Err(Error::usage("the list must be read to tell what its objects need").at(arg).with_hint(hint));
        };
        let connection = access.connection().await?;
        return Ok(vec![
            S3Source::whole(&holder, connection).reading(&format!("{folder}/*")),
            S3Source::whole(&bucket, connection).reading("*"),
        ]);
    }
    let named = NamedObjects::open(arg, None, Arc::clone(access), spool_dir).await?;
    let mut shared: BTreeMap<String, (Holder, String)> = BTreeMap::new();
    if let What::Inventory(manifest) = &named.0.what {
        shared.insert(String::new(), (manifest.source.clone(), String::new()));
    }
    if matches!(named.0.what, What::Lines) {
        let mut lines = Arc::clone(&named.0).entries();
        while let Some(line) = lines.try_next().await? {
            let Line::S3(holder, key) = line else { continue };
            let folder = key.rfind('/').map_or("", |at| &key[..=at]);
            let (_, prefix) = shared.entry(holder.name.clone()).or_insert_with(|| (holder, folder.to_owned()));
            shorten(prefix, folder);
        }
    }
    let connection = access.connection().await?;
    Ok(shared.values().map(|(holder, prefix)| S3Source::whole(holder, connection).reading(&format!("{prefix}*"))).collect())
}

/// Cuts a prefix down to the folders that it shares with another.
fn shorten(prefix: &mut String, folder: &str) {
    if folder.starts_with(&**prefix) {
        return;
    }
    let shared = prefix.bytes().zip(folder.bytes()).take_while(|(a, b)| a == b).count();
    prefix.truncate(prefix.as_bytes()[..shared].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1));
}

/// Reads `{prefix}/{source bucket}/{configuration}/{YYYY-MM-DDTHH-MMZ}/manifest.json` (S3 user guide, "Locating your inventory
/// list"): the configuration's folder, and the bucket.
fn inventory_folder(key: &str) -> Option<(&str, Holder)> {
    let (folder, stamp) = key.strip_suffix("/manifest.json")?.rsplit_once('/')?;
    chrono::NaiveDateTime::parse_from_str(stamp, "%Y-%m-%dT%H-%MZ").ok()?;
    let (above, _) = folder.rsplit_once('/')?;
    Some((folder, Holder::bucket(above.rsplit('/').next()?)?))
}
