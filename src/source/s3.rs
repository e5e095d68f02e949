//! Logs in S3: listing by prefixes, and bodies that resume where they were cut.
//!
//! The layout is found by listing folders level by level from where the user points (`AWSLogs/`, account, `vpcflowlogs`,
//! region, year, month, day), leaving out at each level what the limits exclude; days are then listed whole, in parallel.
//! Where no `AWSLogs/` is found within stated bounds, the prefix is listed whole. Once one is found, whatever lies outside is
//! counted and not walked: a central bucket holds far more than flow logs.
//!
//! Rests on the S3 API reference: ListObjectsV2 (keys in UTF-8 order, 1,000 a page), GetObject with `Range` and `If-Match`
//! (412 if the object was replaced), and 301 or 400 with `x-amz-bucket-region` from a bucket in another region.

use super::aws::{Bucket, Connection, chain};
use super::key::{Level, Place, Prune, Recognised};
use super::listing::{Judge, Listing};
use super::{Bytestream, LogKey, Object, Permission, ReadFault, Source};
use crate::error::{Error, Result};
use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{EncodingType, RequestPayer};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// LIST requests under way at a time: enough to hide their ~100 ms each, far below what S3 allows one prefix (5,500 a second).
const LISTS_IN_FLIGHT_MAX: usize = 16;
/// How many folders below the prefix `AWSLogs/` is looked for.
const SEARCH_DEPTH_MAX: usize = 4;
/// How many folders are listed while looking for `AWSLogs/`.
const SEARCH_FOLDERS_MAX: usize = 128;
/// How often one body is resumed; a body that is cut more often is the sign of a fault that asking again does not mend.
const RESUMES_MAX: u32 = 16;
/// How often in a row a body may end without a single new byte; with the pauses below that is about 3 s of silence.
const FRUITLESS_MAX: u32 = 6;
const RESUME_PAUSE_FIRST: Duration = Duration::from_millis(50);
const RESUME_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often one request follows a bucket to another region.
const MOVES_MAX: usize = 2;
/// Prefixes named when nothing was found.
const NEAREST_MAX: usize = 5;
/// Parents looked at for them.
const NEAREST_PARENTS_MAX: usize = 8;

/// One `s3://` argument.
#[derive(Debug, Clone)]
pub(super) struct S3Source {
    arg: String,
    bucket: Arc<Bucket>,
    prefix: String,
}

impl S3Source {
    /// Opens `bucket/prefix`; nothing is asked of S3 yet.
    pub(super) fn open(arg: &str, place: &str, connection: &mut Connection) -> Result<S3Source> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let named = (3..=63).contains(&bucket.len()) && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !named {
            return Err(Error::usage("not a bucket name").at(arg).with_hint("write s3://bucket/prefix"));
        }
        if prefix.contains(['*', '?']) {
            let hint = "globs work on a disk; in S3 give a prefix, and narrow it with --log-account, --log-region, --from, --to";
            return Err(Error::usage("a prefix, not a glob, is expected here").at(arg).with_hint(hint));
        }
        Ok(S3Source { arg: arg.to_owned(), bucket: connection.bucket(bucket), prefix: prefix.to_owned() })
    }

    fn uri_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket.name)
    }

    fn arn_of(&self, key: &str) -> String {
        let region = self.bucket.region();
        let partition = match () {
            () if region.starts_with("cn-") => "aws-cn",
            () if region.starts_with("us-gov-") => "aws-us-gov",
            () if region.starts_with("eusc-") => "aws-eusc",
            () => "aws",
        };
        match key {
            "" => format!("arn:{partition}:s3:::{}", self.bucket.name),
            _ => format!("arn:{partition}:s3:::{}/{key}", self.bucket.name),
        }
    }

    fn payer(&self) -> Option<RequestPayer> {
        self.bucket.request_payer.then_some(RequestPayer::Requester)
    }

    /// Lists one page; its keys are decoded.
    async fn page(&self, prefix: &str, delimiter: bool, token: Option<String>, judge: &Judge) -> Result<ListObjectsV2Output> {
        for _ in 0..=MOVES_MAX {
            judge.request();
            let request = self.bucket.client().list_objects_v2().bucket(&self.bucket.name).prefix(prefix);
            let request = request.set_delimiter(delimiter.then(|| "/".to_owned())).set_continuation_token(token.clone());
            // Keys may hold characters that XML cannot carry; one such key must not make a bucket unreadable.
            match request.encoding_type(EncodingType::Url).set_request_payer(self.payer()).send().await {
                Ok(page) => return Ok(decoded(page)),
                Err(fault) => {
                    let fault = Fault::of(fault);
                    if !self.follow(&fault).await {
                        return Err(self.explain_list(fault, prefix));
                    }
                }
            }
        }
        Err(Error::failed("S3 names one region after another for this bucket").at(self.uri_of("")))
    }

    /// Asks for an object's bytes, all or from `range`; only for the object that was listed.
    async fn get(&self, object: &Object, range: Option<Range<u64>>) -> Result<GetObjectOutput> {
        let key = object.uri.strip_prefix("s3://").and_then(|uri| uri.split_once('/')).map_or("", |(_, key)| key);
        for _ in 0..=MOVES_MAX {
            let asked = range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
            let request = self.bucket.client().get_object().bucket(&self.bucket.name).key(key).set_range(asked);
            let request = request.set_if_match(object.etag.as_ref().map(|etag| format!("\"{etag}\"")));
            match request.set_request_payer(self.payer()).send().await {
                Ok(answer) if answer.e_tag().is_some_and(|etag| object.etag.as_deref().is_some_and(|listed| listed != unquoted(etag))) => {
                    return Err(ReadFault::Replaced.error(&object.uri));
                }
                Ok(answer) if range.as_ref().is_some_and(|range| !answers_range(&answer, range)) => {
                    return Err(Error::failed("the server does not answer ranges").at(&*object.uri));
                }
                Ok(answer) => return Ok(answer),
                Err(fault) => {
                    let fault = Fault::of(fault);
                    if !self.follow(&fault).await {
                        return Err(self.explain_get(fault, object, key));
                    }
                }
            }
        }
        Err(Error::failed("S3 names one region after another for this bucket").at(&*object.uri))
    }

    /// Moves to the bucket's region if that is what S3 asks for; returns whether to ask again.
    async fn follow(&self, fault: &Fault) -> bool {
        if !fault.is_elsewhere() {
            return false;
        }
        let region = match &fault.region {
            Some(region) => Some(region.clone()),
            None => match self.bucket.client().head_bucket().bucket(&self.bucket.name).send().await {
                Ok(answer) => answer.bucket_region,
                Err(fault) => Fault::of(fault).region,
            },
        };
        let Some(region) = region else { return false };
        self.bucket.move_to(&region);
        true
    }

    fn explain_list(&self, fault: Fault, prefix: &str) -> Error {
        let uri = self.uri_of(prefix);
        match fault.code.as_str() {
            "NoSuchBucket" => Error::usage("no such bucket").at(uri).with_hint("check the name with `aws s3 ls`"),
            "AccessDenied" | "AllAccessDisabled" | "403" => {
                let hint = format!(
                    "allow s3:ListBucket on {} (condition s3:prefix \"{prefix}*\"); `flowproof iam-policy` prints the whole policy",
                    self.arn_of("")
                );
                Error::access("access denied to list").at(uri).caused_by(fault).with_hint(hint)
            }
            _ => fault.into_error("cannot list", uri),
        }
    }

    fn explain_get(&self, fault: Fault, object: &Object, key: &str) -> Error {
        match (fault.status, fault.code.as_str()) {
            (412, _) | (_, "PreconditionFailed") => ReadFault::Replaced.error(&object.uri),
            // A range beyond the end: the object became shorter.
            (416, _) => ReadFault::Replaced.error(&object.uri),
            (404, _) => ReadFault::Gone.error(&object.uri),
            (_, "AccessDenied" | "AllAccessDisabled" | "403") => {
                let hint =
                    format!("allow s3:GetObject on {} (and kms:Decrypt on its key if it is encrypted with SSE-KMS)", self.arn_of(key));
                Error::access("access denied to read").at(&*object.uri).caused_by(fault).with_hint(hint)
            }
            (_, "InvalidObjectState") => {
                let hint = "the object is archived (Glacier): restore it first";
                Error::failed("cannot read").at(&*object.uri).caused_by(fault).with_hint(hint)
            }
            _ => fault.into_error("cannot read", object.uri.to_string()),
        }
    }

    /// Says that nothing stands at the prefix, and what stands nearest to it.
    async fn nothing_at(&self, judge: &Judge) -> Error {
        let error = Error::usage("nothing found").at(&self.arg);
        let mut listed = self.prefix.as_str();
        for _ in 0..NEAREST_PARENTS_MAX {
            let parent = listed.trim_end_matches('/').rfind('/').map_or("", |at| &listed[..=at]);
            let Ok(page) = self.page(parent, true, None, judge).await else {
                return error.with_hint(format!("listed {}", self.uri_of(&self.prefix)));
            };
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            let keys = page.contents().iter().filter_map(|object| object.key());
            let names = super::nearest_names(folders.chain(keys).map(str::to_owned), &self.prefix, NEAREST_MAX);
            if !names.is_empty() {
                let names: Vec<_> = names.iter().map(|name| self.uri_of(name)).collect();
                return error.with_hint(format!("listed {}; the nearest that exist: {}", self.uri_of(&self.prefix), names.join(", ")));
            }
            if parent.is_empty() {
                break;
            }
            listed = parent;
        }
        error.with_hint(format!("listed {}; the bucket is empty", self.uri_of(&self.prefix)))
    }
}

#[async_trait]
impl Source for S3Source {
    fn uri(&self) -> &str {
        &self.arg
    }

    fn list(&self, prune: &Prune) -> Listing {
        let judge = Judge::new(prune);
        let walk = Walk { source: self.clone(), judge: judge.clone(), strict: false, waiting: Vec::new(), ready: VecDeque::new() };
        let start = async move { Ok((walk.start().await?, FuturesUnordered::new())) };
        let objects = stream::once(start).map(|walk| match walk {
            Ok((walk, running)) => stream::try_unfold((walk, running), next_object).boxed(),
            Err(fault) => stream::once(async move { Err(fault) }).boxed(),
        });
        Listing::new(judge, objects.flatten().boxed())
    }

    async fn read(&self, object: &Object) -> Result<Bytestream> {
        let answer = self.get(object, None).await?;
        if answer.content_length().is_some_and(|length| u64::try_from(length).ok() != Some(object.size)) {
            return Err(ReadFault::Replaced.error(&object.uri));
        }
        let body =
            Body { source: self.clone(), object: object.clone(), body: answer.body, at: 0, end: object.size, resumes: 0, fruitless: 0 };
        Ok(stream::try_unfold(body, |mut body| async move { Ok(body.chunk().await?.map(|chunk| (chunk, body))) }).boxed())
    }

    async fn read_range(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > object.size {
            return Err(Error::failed(format!("bytes {}..{} lie outside the object", range.start, range.end)).at(&*object.uri));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let answer = self.get(object, Some(range.clone())).await?;
        let (source, object) = (self.clone(), object.clone());
        let mut body = Body { source, object, body: answer.body, at: range.start, end: range.end, resumes: 0, fruitless: 0 };
        let mut whole = BytesMut::new();
        while let Some(chunk) = body.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    fn permissions(&self) -> Vec<Permission> {
        let prefix = (!self.prefix.is_empty()).then(|| format!("{}*", self.prefix));
        let objects = self.arn_of(&format!("{}*", self.prefix));
        vec![
            Permission { action: "s3:ListBucket", resource: self.arn_of(""), prefix },
            Permission { action: "s3:GetObject", resource: objects, prefix: None },
        ]
    }
}

/// A body that is being read, up to `end`.
struct Body {
    source: S3Source,
    object: Object,
    body: ByteStream,
    at: u64,
    end: u64,
    resumes: u32,
    fruitless: u32,
}

impl Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            if self.at == self.end {
                return Ok(None);
            }
            match self.body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    self.at += chunk.len() as u64;
                    self.fruitless = 0;
                    if self.at > self.end {
                        return Err(ReadFault::Replaced.error(&self.object.uri));
                    }
                    return Ok(Some(chunk));
                }
                Some(Err(fault)) => self.resume(Some(chain(&fault))).await?,
                None => self.resume(None).await?,
            }
        }
    }

    /// Asks for the bytes that are missing.
    async fn resume(&mut self, cause: Option<String>) -> Result<()> {
        let (at, uri) = (self.at, &self.object.uri);
        if self.resumes >= RESUMES_MAX || self.fruitless >= FRUITLESS_MAX {
            return Err(ReadFault::Cut { at }.error(uri));
        }
        let pause = RESUME_PAUSE_FIRST.saturating_mul(1 << self.fruitless).min(RESUME_PAUSE_MAX);
        self.resumes += 1;
        self.fruitless += 1;
        tracing::debug!(object = %uri, at, resumes = self.resumes, cause = cause.as_deref().unwrap_or("it ended early"), "body was cut; resuming");
        tokio::time::sleep(pause).await;
        match self.source.get(&self.object, Some(at..self.end)).await {
            Ok(answer) => self.body = answer.body,
            Err(fault) if ReadFault::of(&fault).is_some() || fault.kind() == crate::error::Kind::Access => return Err(fault),
            Err(fault) => {
                tracing::warn!(object = %uri, at, %fault, "cannot resume");
                return Err(ReadFault::Cut { at }.error(uri));
            }
        }
        Ok(())
    }
}

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
    hidden: Vec<String>,
    /// Folders that the bounds left unseen.
    unseen: Vec<String>,
}

impl Search {
    /// Sorts what stands below a folder; returns the folders to look into next.
    fn sort_out(&mut self, looked: &Looked) -> Vec<(String, Place)> {
        let mut next = Vec::new();
        for folder in &looked.below {
            match looked.place.enter(last_part(folder)) {
                Ok(below) if below.level == Level::Outside => next.push((folder.clone(), below)),
                Ok(below) => self.layouts.push((folder.clone(), below)),
                Err(_) => self.hidden.push(folder.clone()),
            }
        }
        next
    }
}

/// The first page of a folder.
#[derive(Debug)]
struct Looked {
    place: Place,
    below: Vec<String>,
    page: ListObjectsV2Output,
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
    /// Days are listed whole: their hours are few, and the file stamps tell the same.
    fn new(prefix: String, place: Place) -> Task {
        let whole = place.level >= Level::Hours || place.level == Level::Outside;
        Task { prefix, place, whole, token: None }
    }
}

type Page = Result<(Task, ListObjectsV2Output)>;

async fn next_object(
    (mut walk, mut running): (Walk, FuturesUnordered<BoxFuture<'static, Page>>),
) -> Result<Option<(Object, (Walk, FuturesUnordered<BoxFuture<'static, Page>>))>> {
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
            if let Some(object) = page.contents().iter().find(|object| object.key() == Some(&*prefix)) {
                let (folder, name) = split(&prefix);
                self.yield_named(object, Place::of(folder).object(name));
                return Ok(self);
            }
            // `logs` means `logs/`, not also `logs-old/`, where such a folder exists.
            let folder = format!("{prefix}/");
            if page.common_prefixes().iter().any(|found| found.prefix() == Some(&*folder)) {
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
            search.unseen.extend(level.split_off(level.len().min(folders_left)).into_iter().map(|(folder, _)| folder));
            folders_left -= level.len();
            let looks: Vec<_> = level.drain(..).map(|(folder, place)| self.look(folder, place)).collect();
            let looked: Vec<Looked> = stream::iter(looks).buffered(LISTS_IN_FLIGHT_MAX).try_collect().await?;
            for looked in looked {
                level.extend(search.sort_out(&looked));
                if depth == 0 {
                    first = Some(looked.page);
                } else {
                    search.beside.extend(looked.page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
                }
            }
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
        for object in first.iter().flat_map(|page| page.contents()) {
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
        let mut below: Vec<String> = page.common_prefixes().iter().filter_map(|below| below.prefix().map(str::to_owned)).collect();
        let logs = format!("{}AWSLogs/", base(&folder));
        if page.is_truncated() == Some(true) && logs.starts_with(&folder) && !below.contains(&logs) {
            let asked = self.source.page(&logs, true, None, &self.judge).await?;
            if !asked.contents().is_empty() || !asked.common_prefixes().is_empty() {
                below.push(logs);
            }
        }
        Ok(Looked { place, below, page })
    }

    /// Counts what the search came upon outside `AWSLogs/`.
    fn leave_out(&self, search: &Search) {
        for key in &search.beside {
            self.judge.foreign(&self.source.uri_of(key), "beside AWSLogs/, not in it");
        }
        for folder in &search.hidden {
            self.judge.foreign_folder(&self.source.uri_of(folder), "hidden folder");
        }
        for folder in &search.unseen {
            self.judge.foreign_folder(&self.source.uri_of(folder), "not searched for AWSLogs/: name it to read it");
        }
    }

    /// Lists everything below a prefix: its folders in parallel if they are all known.
    fn list_whole(&mut self, prefix: String, place: Place, first: Option<ListObjectsV2Output>) {
        let Some(first) = first.filter(|page| page.is_truncated() != Some(true)) else {
            self.waiting.push(Task::new(prefix, place));
            return;
        };
        for object in first.contents() {
            self.take_object(object, base(&prefix), &place);
        }
        for folder in first.common_prefixes().iter().filter_map(|folder| folder.prefix()) {
            if let Some(below) = self.judge.folder(&place, last_part(folder), &self.source.uri_of(folder)) {
                self.waiting.push(Task::new(folder.to_owned(), below));
            }
        }
    }

    fn take(&mut self, task: Task, page: ListObjectsV2Output) {
        let base = base(&task.prefix);
        for object in page.contents() {
            self.take_object(object, base, &task.place);
        }
        for folder in page.common_prefixes().iter().filter_map(|folder| folder.prefix()) {
            if let Some(below) = self.judge.folder(&task.place, last_part(folder), &self.source.uri_of(folder)) {
                self.waiting.push(Task::new(folder.to_owned(), below));
            }
        }
        if let Some(token) = page.next_continuation_token.filter(|_| page.is_truncated == Some(true)) {
            self.waiting.push(Task { token: Some(token), ..task });
        }
    }

    fn take_object(&mut self, found: &aws_sdk_s3::types::Object, base: &str, place: &Place) {
        let Some(key) = found.key() else { return };
        // A folder's own marker is no file in it.
        if key == base {
            return self.judge.foreign(&self.source.uri_of(key), "folder marker");
        }
        let recognised = place.below(key.strip_prefix(base).unwrap_or(key));
        let uri = self.source.uri_of(key);
        let key = self.judge.object(recognised, &uri, size(found), self.strict);
        self.ready.extend(key.map(|key| object(&uri, key, found)));
    }

    fn yield_named(&mut self, found: &aws_sdk_s3::types::Object, recognised: Recognised) {
        let uri = self.source.uri_of(found.key().unwrap_or_default());
        let key = self.judge.named(recognised, &uri, size(found));
        self.ready.extend(key.map(|key| object(&uri, key, found)));
    }
}

/// Whether an answer holds the range that was asked for: a server that knows no ranges sends the whole object.
fn answers_range(answer: &GetObjectOutput, range: &Range<u64>) -> bool {
    answer.content_range().is_some_and(|told| told.starts_with(&format!("bytes {}-{}/", range.start, range.end - 1)))
}

/// Undoes `encoding-type=url`, for servers that know it.
fn decoded(mut page: ListObjectsV2Output) -> ListObjectsV2Output {
    if page.encoding_type() != Some(&EncodingType::Url) {
        return page;
    }
    let decode = |text: &mut Option<String>| {
        if let Some(text) = text.as_mut().filter(|text| text.contains(['%', '+'])) {
            *text = percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        }
    };
    page.contents.iter_mut().flatten().for_each(|object| decode(&mut object.key));
    page.common_prefixes.iter_mut().flatten().for_each(|folder| decode(&mut folder.prefix));
    page
}

fn size(object: &aws_sdk_s3::types::Object) -> u64 {
    object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

fn object(uri: &str, key: LogKey, found: &aws_sdk_s3::types::Object) -> Object {
    let etag = found.e_tag().map(|etag| unquoted(etag).into());
    Object { uri: uri.into(), key, size: size(found), etag, modified: found.last_modified().map(|at| at.secs()) }
}

fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// Splits a key into its folders and its name.
fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('/').unwrap_or(("", key))
}

/// Returns a key up to and with its last `/`.
fn base(prefix: &str) -> &str {
    prefix.rfind('/').map_or("", |at| &prefix[..=at])
}

/// Returns the name of a folder `a/b/`: `b`.
fn last_part(folder: &str) -> &str {
    split(folder.trim_end_matches('/')).1
}

/// What S3 said, without the operation's own type.
#[derive(Debug)]
struct Fault {
    status: u16,
    code: String,
    text: String,
    region: Option<String>,
}

impl Fault {
    fn of<E>(error: SdkError<E>) -> Fault
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let answer = error.raw_response();
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        let region = answer.and_then(|answer| answer.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let code = error.code().map_or_else(|| status.to_string(), str::to_owned);
        let text = match error.message() {
            Some(message) => format!("{code}: {message}"),
            None => chain(&error),
        };
        // Credentials that run out during a run fail before a request is sent, so S3 gives no code for it.
        let code = if status == 0 && text.contains("redentials") { "ExpiredToken".to_owned() } else { code };
        Fault { status, code, text, region }
    }

    /// Whether the bucket lies in another region than was asked.
    fn is_elsewhere(&self) -> bool {
        self.status == 301
            || self.status == 307
            || matches!(&*self.code, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            || self.status == 400 && self.region.is_some() && self.code == "400"
    }

    fn into_error(self, message: &str, uri: String) -> Error {
        let hint = match &*self.code {
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" => "check the credentials with `aws sts get-caller-identity`",
            "ExpiredToken" | "TokenRefreshRequired" => "the credentials have expired: sign in again, such as by `aws sso login`",
            "RequestTimeTooSkewed" => "set this machine's clock",
            "SlowDown" | "503" | "RequestLimitExceeded" => {
                return Error::failed(message).at(uri).caused_by(self).with_hint("S3 asks to slow down: try again later");
            }
            "0" => return Error::failed(message).at(uri).caused_by(self).with_hint("check the network, --endpoint-url and --region"),
            _ => return Error::failed(message).at(uri).caused_by(self),
        };
        Error::access(message).at(uri).caused_by(self).with_hint(hint)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}
