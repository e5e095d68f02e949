//! An S3 server in memory, over loopback HTTP, with faults on demand. No state outlives it, and it runs on its own thread, so
//! that plain and async tests, and the binary in a process of its own, can all use it.
//!
//! Requests may be unsigned, or signed with [`ACCESS_KEY`] and [`SECRET_KEY`]; a wrong signature is refused. It answers
//! `sts:AssumeRole` too, with [`ROLE_ACCESS_KEY`], to whoever knows [`EXTERNAL_ID`].

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use hyper::{HeaderMap, Method, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// Access key id that the server knows.
pub const ACCESS_KEY: &str = "AKIAFLOWPROOFTEST000";
/// Its secret.
pub const SECRET_KEY: &str = "not-a-secret";
/// Access key id of the role that the server lets callers assume.
pub const ROLE_ACCESS_KEY: &str = "ASIAFLOWPROOFTEST000";
/// External id that the role asks for.
pub const EXTERNAL_ID: &str = "ticket-42";

/// Largest STS request that is looked at, bytes.
const STS_BYTES_MAX: usize = 64 * 1_024;
/// Most keys of one page, as in S3.
const PAGE_KEYS_MAX: usize = 1_000;
/// When the first object was written; each later one is a second younger, so that runs agree.
const FIRST_WRITE_S: u64 = 1_772_323_200;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `LIST`, `GET`, `HEAD` or `HEAD-BUCKET`.
    pub method: &'static str,
    /// Bucket.
    pub bucket: String,
    /// Key, or the prefix of a LIST.
    pub key: String,
    /// `Range` header.
    pub range: Option<String>,
    /// Whether a LIST asked for one level of folders.
    pub delimiter: bool,
    /// Whether the request carried `If-Match`.
    pub if_match: bool,
    /// Whether it asked for the checksum.
    pub checksum: bool,
    /// Access key id that signed it; `None` if it is unsigned.
    pub signed_by: Option<String>,
    /// Whether the requester agreed to pay.
    pub payer: bool,
}

#[derive(Debug, Clone)]
struct Stored {
    bytes: Bytes,
    etag: String,
    written_s: u64,
    /// CRC64NVME that was given with the object; others have their SHA-256.
    crc64nvme: Option<String>,
}

impl Stored {
    /// The version's id, from the time of its write, which no other has.
    fn version_id(&self) -> String {
        format!("version-{}", self.written_s)
    }

    fn meets(&self, condition: Option<&ETagCondition>) -> S3Result<()> {
        match condition {
            Some(ETagCondition::ETag(wanted)) if wanted.value() != self.etag => {
                Err(S3Error::with_message(S3ErrorCode::PreconditionFailed, "At least one of the preconditions you specified did not hold."))
            }
            _ => Ok(()),
        }
    }

    fn sha256(&self) -> String {
        BASE64_STANDARD.encode(Sha256::digest(&self.bytes))
    }
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    log: Vec<Request>,
    writes: u64,
    gets: u64,
    slow_down_every: Option<u64>,
    cut_every: Option<u64>,
    cut_seed: u64,
    cut_at: BTreeMap<(String, String), usize>,
    replace: BTreeMap<(String, String), Bytes>,
    /// What stands there from the next HEAD on; nothing, if it is deleted.
    before_head: BTreeMap<(String, String), Option<Bytes>>,
    versioned: Vec<String>,
    checksums: Vec<String>,
    latency: Duration,
    /// Requests that wait for their answer, and the most that ever did.
    waiting: usize,
    waiting_max: usize,
    denied_lists: Vec<(String, String)>,
    denied_gets: Vec<(String, String)>,
    denied_heads: Vec<(String, String)>,
    regions: BTreeMap<String, (String, bool)>,
    anonymous_denied: bool,
    requester_pays: Vec<String>,
}

/// A running server; it stops when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    state: Arc<Mutex<State>>,
    url: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl S3Server {
    /// Starts a server on a free loopback port.
    pub async fn start() -> S3Server {
        Self::start_blocking()
    }

    /// The same for tests that are not async.
    pub fn start_blocking() -> S3Server {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking socket");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let mut builder = S3ServiceBuilder::new(Memory(state.clone()));
        let mut auth = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        auth.register(ROLE_ACCESS_KEY.to_owned(), SECRET_KEY.into());
        builder.set_auth(auth);
        builder.set_access(Anyone);
        builder.set_route(Sts);
        let service = builder.build();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! { () = serve(listener, service) => {}, _ = stopped => {} }
            });
        });
        S3Server { state, url, stop: Some(stop), thread: Some(thread) }
    }

    /// Returns the URL for `--endpoint-url`.
    pub fn endpoint_url(&self) -> &str {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Stores an object, replacing one of the same key.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.state().put(bucket, key, bytes.into());
    }

    /// Returns an object's tag.
    pub fn etag(&self, bucket: &str, key: &str) -> String {
        self.state().buckets[bucket][key].etag.clone()
    }

    /// Makes an empty bucket.
    pub fn create_bucket(&self, bucket: &str) {
        self.state().buckets.entry(bucket.to_owned()).or_default();
    }

    /// Deletes an object.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.state().buckets.get_mut(bucket).and_then(|keys| keys.remove(key));
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().log.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.state().log.clear();
    }

    /// Answers every n-th request with 503 SlowDown.
    pub fn slow_down_every(&self, n: u64) {
        self.state().slow_down_every = Some(n);
    }

    /// Cuts the body of every n-th GET at a byte drawn from `seed`.
    pub fn cut_bodies(&self, every: u64, seed: u64) {
        let mut state = self.state();
        (state.cut_every, state.cut_seed) = (Some(every), seed);
    }

    /// Cuts every body of one object after this many bytes.
    pub fn cut_body_at(&self, bucket: &str, key: &str, at: usize) {
        self.state().cut_at.insert((bucket.to_owned(), key.to_owned()), at);
    }

    /// Cuts the next body of an object in the middle, and replaces the object before the next request.
    pub fn replace_mid_read(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.state().replace.insert((bucket.to_owned(), key.to_owned()), bytes.into());
    }

    /// Replaces an object before it is next asked for by HEAD.
    pub fn replace_before_head(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.state().before_head.insert((bucket.to_owned(), key.to_owned()), Some(bytes.into()));
    }

    /// Deletes an object before it is next asked for by HEAD.
    pub fn delete_before_head(&self, bucket: &str, key: &str) {
        self.state().before_head.insert((bucket.to_owned(), key.to_owned()), None);
    }

    /// Switches the versions of a bucket on.
    pub fn keep_versions(&self, bucket: &str) {
        self.state().versioned.push(bucket.to_owned());
    }

    /// Tells the checksum of a bucket's objects to whoever asks: SHA-256, if none was given.
    pub fn keep_checksums(&self, bucket: &str) {
        self.state().checksums.push(bucket.to_owned());
    }

    /// Gives an object a CRC64NVME, in base64, in place of its SHA-256.
    pub fn crc64nvme(&self, bucket: &str, key: &str, checksum: &str) {
        let mut state = self.state();
        let stored = state.buckets.get_mut(bucket).and_then(|keys| keys.get_mut(key)).expect("an object");
        stored.crc64nvme = Some(checksum.to_owned());
    }

    /// Returns the id of an object's newest version.
    pub fn version_id(&self, bucket: &str, key: &str) -> String {
        self.state().buckets[bucket][key].version_id()
    }

    /// Waits this long before every answer.
    pub fn latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Returns the most requests that waited for their answer at a time.
    pub fn waiting_max(&self) -> usize {
        self.state().waiting_max
    }

    /// Denies listing prefixes that start so.
    pub fn deny_list(&self, bucket: &str, prefix: &str) {
        self.state().denied_lists.push((bucket.to_owned(), prefix.to_owned()));
    }

    /// Denies reading keys that start so.
    pub fn deny_get(&self, bucket: &str, prefix: &str) {
        self.state().denied_gets.push((bucket.to_owned(), prefix.to_owned()));
    }

    /// Denies HEAD of keys that start so, which can be read.
    pub fn deny_head(&self, bucket: &str, prefix: &str) {
        self.state().denied_heads.push((bucket.to_owned(), prefix.to_owned()));
    }

    /// Denies unsigned requests.
    pub fn deny_anonymous(&self) {
        self.state().anonymous_denied = true;
    }

    /// Refuses whoever does not agree to pay, as S3 does for requester-pays buckets.
    pub fn requester_pays(&self, bucket: &str) {
        self.state().requester_pays.push(bucket.to_owned());
    }

    /// Lets a bucket lie in a region: requests signed for another, and the first unsigned one, are sent there.
    pub fn region(&self, bucket: &str, region: &str) {
        self.state().regions.insert(bucket.to_owned(), (region.to_owned(), false));
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            // A client that hangs up, and a body that is cut on purpose, end the connection with an error.
            let _ =
                hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// Lets unsigned requests in; `deny_anonymous` is judged with the other faults.
struct Anyone;

#[async_trait]
impl S3Access for Anyone {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}

/// `sts:AssumeRole`, which the SDK posts to the root of its endpoint.
struct Sts;

#[async_trait]
impl S3Route for Sts {
    fn is_match(&self, method: &Method, uri: &Uri, _: &HeaderMap, _: &mut hyper::http::Extensions) -> bool {
        method == Method::POST && uri.path() == "/"
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        match &request.credentials {
            Some(_) => Ok(()),
            None => Err(S3Error::with_message(S3ErrorCode::AccessDenied, "unsigned")),
        }
    }

    async fn call(&self, mut request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let form = request.input.store_all_limited(STS_BYTES_MAX).await.map_err(|_| S3Error::new(S3ErrorCode::InvalidRequest))?;
        let form = String::from_utf8_lossy(&form);
        if !form.contains("Action=AssumeRole") || !form.contains(&format!("ExternalId={EXTERNAL_ID}")) {
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, "not authorized to perform sts:AssumeRole"));
        }
        let credentials = format!(
            "<Credentials><AccessKeyId>{ROLE_ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        );
        let result = format!("<AssumeRoleResult>{credentials}</AssumeRoleResult>");
        let result = format!("<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{result}</AssumeRoleResponse>");
        Ok(S3Response::new(Body::from(result)))
    }
}

impl State {
    fn put(&mut self, bucket: &str, key: &str, bytes: Bytes) {
        let etag = format!("{:016x}{:08x}", fnv(&bytes), bytes.len());
        let stored = Stored { bytes, etag, written_s: FIRST_WRITE_S + self.writes, crc64nvme: None };
        self.writes += 1;
        self.buckets.entry(bucket.to_owned()).or_default().insert(key.to_owned(), stored);
    }

    /// Judges a request by the faults that are set, and writes it down.
    fn admit<T>(&mut self, request: &S3Request<T>, arrived: Request) -> S3Result<()> {
        let (bucket, key, method) = (arrived.bucket.clone(), arrived.key.clone(), arrived.method);
        // HeadBucket has no such header.
        let unpaid = !arrived.payer && method != "HEAD-BUCKET" && self.requester_pays.contains(&bucket);
        self.log.push(arrived);
        if self.slow_down_every.is_some_and(|n| (self.log.len() as u64).is_multiple_of(n)) {
            return Err(S3Error::with_message(S3ErrorCode::SlowDown, "Please reduce your request rate."));
        }
        if let Some((region, told)) = self.regions.get_mut(&bucket) {
            let asked = request.region.as_ref().map(|asked| asked.as_str());
            if asked.map_or(!*told, |asked| asked != region.as_str()) {
                *told = true;
                let mut error = S3Error::with_message(S3ErrorCode::PermanentRedirect, "Use the specified endpoint.");
                let headers = [(hyper::header::HeaderName::from_static("x-amz-bucket-region"), region.parse().unwrap())];
                error.set_headers(headers.into_iter().collect());
                return Err(error);
            }
        }
        let denied = match method {
            "LIST" => &self.denied_lists,
            _ => &self.denied_gets,
        };
        let head = if method == "HEAD" { &self.denied_heads[..] } else { &[] };
        let denied = denied.iter().chain(head).any(|(of, prefix)| *of == bucket && key.starts_with(&**prefix));
        if denied || unpaid || self.anonymous_denied && request.credentials.is_none() {
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied"));
        }
        if !self.buckets.contains_key(&bucket) {
            return Err(S3Error::with_message(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist"));
        }
        Ok(())
    }

    fn stored(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        let stored = self.buckets.get(bucket).and_then(|keys| keys.get(key)).cloned();
        stored.ok_or_else(|| S3Error::with_message(S3ErrorCode::NoSuchKey, "The specified key does not exist."))
    }

    /// Returns where to cut a body of this length, if it is to be cut.
    fn cut(&mut self, bucket: &str, key: &str, length: usize) -> Option<usize> {
        let object = (bucket.to_owned(), key.to_owned());
        self.gets += 1;
        if let Some(bytes) = self.replace.remove(&object) {
            self.put(bucket, key, bytes);
            return Some(length / 2);
        }
        if let Some(at) = self.cut_at.get(&object) {
            return Some((*at).min(length));
        }
        let every = self.cut_every.filter(|every| self.gets.is_multiple_of(*every))?;
        let draw = fnv(&[self.cut_seed.to_le_bytes(), self.gets.to_le_bytes(), every.to_le_bytes()].concat());
        (length > 0).then(|| (draw % length as u64) as usize)
    }
}

struct Memory(Arc<Mutex<State>>);

impl Memory {
    async fn admit<T>(&self, request: &S3Request<T>, arrived: Request) -> S3Result<()> {
        let latency = {
            let mut state = self.0.lock().unwrap();
            state.waiting += 1;
            state.waiting_max = state.waiting_max.max(state.waiting);
            state.latency
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let mut state = self.0.lock().unwrap();
        state.waiting -= 1;
        state.admit(request, arrived)
    }
}

fn arrived<T>(request: &S3Request<T>, method: &'static str, bucket: &str, key: &str) -> Request {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Request {
        method,
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        range: header("range"),
        delimiter: request.uri.query().is_some_and(|query| query.contains("delimiter=%2F")),
        if_match: header("if-match").is_some(),
        checksum: header("x-amz-checksum-mode").as_deref() == Some("ENABLED"),
        signed_by: request.credentials.as_ref().map(|by| by.access_key.clone()),
        payer: header("x-amz-request-payer").as_deref() == Some("requester"),
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn timestamp(seconds: u64) -> Timestamp {
    Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Percent-encodes a key as S3 does for `encoding-type=url`.
fn encode(key: &str) -> String {
    key.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[async_trait]
impl S3 for Memory {
    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let prefix = request.input.prefix.clone().unwrap_or_default();
        self.admit(&request, arrived(&request, "LIST", &request.input.bucket, &prefix)).await?;
        let input = &request.input;
        let url = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
        let name = |key: &str| if url { encode(key) } else { key.to_owned() };
        let keys_max = input.max_keys.map_or(PAGE_KEYS_MAX, |max| (max.max(0) as usize).min(PAGE_KEYS_MAX));
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let state = self.0.lock().unwrap();
        let (mut contents, mut folders, mut last, mut truncated) = (Vec::new(), Vec::<String>::new(), String::new(), false);
        for (key, stored) in state.buckets[&input.bucket].range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
            let folder = input.delimiter.as_ref().and_then(|delimiter| {
                key[prefix.len()..].find(&**delimiter).map(|at| key[..prefix.len() + at + delimiter.len()].to_owned())
            });
            let shown = folder.clone().unwrap_or_else(|| key.clone());
            if shown <= after || folder.as_ref().is_some_and(|folder| folders.last() == Some(folder)) {
                continue;
            }
            if contents.len() + folders.len() == keys_max {
                truncated = true;
                break;
            }
            last = shown;
            match folder {
                Some(folder) => folders.push(folder),
                None => contents.push(Object {
                    key: Some(name(key)),
                    size: Some(stored.bytes.len() as i64),
                    e_tag: Some(ETag::Strong(stored.etag.clone())),
                    last_modified: Some(timestamp(stored.written_s)),
                    ..Object::default()
                }),
            }
        }
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: Some(name(&prefix)),
            key_count: Some((contents.len() + folders.len()) as i32),
            max_keys: Some(keys_max as i32),
            is_truncated: Some(truncated),
            next_continuation_token: truncated.then_some(last),
            contents: Some(contents),
            common_prefixes: Some(folders.iter().map(|folder| CommonPrefix { prefix: Some(name(folder)) }).collect()),
            encoding_type: input.encoding_type.clone(),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        self.admit(&request, arrived(&request, "GET", &bucket, &key)).await?;
        let mut state = self.0.lock().unwrap();
        let stored = state.stored(&bucket, &key)?;
        stored.meets(request.input.if_match.as_ref())?;
        let whole = stored.bytes.len() as u64;
        let range = match &request.input.range {
            Some(range) => Some(range.check(whole).map_err(|_| S3Error::new(S3ErrorCode::InvalidRange))?),
            None => None,
        };
        let (from, to) = range.as_ref().map_or((0, whole), |range| (range.start, range.end));
        let part = stored.bytes.slice(from as usize..to as usize);
        let mut chunks: Vec<Result<Bytes, std::io::Error>> = Vec::new();
        match state.cut(&bucket, &key, part.len()) {
            Some(at) => {
                chunks.push(Ok(part.slice(..at)));
                chunks.push(Err(std::io::Error::other("cut on purpose")));
            }
            None => chunks.push(Ok(part)),
        }
        let body = stream::iter(chunks.into_iter().filter(|chunk| !matches!(chunk, Ok(bytes) if bytes.is_empty()))).then(async |chunk| {
            if chunk.is_err() {
                // Lets head and bytes before the cut go out; otherwise the connection just closes.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            chunk
        });
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(body)),
            content_length: Some((to - from) as i64),
            content_range: range.map(|_| format!("bytes {from}-{}/{whole}", to - 1)),
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(timestamp(stored.written_s)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let (bucket, key) = (&request.input.bucket, &request.input.key);
        let arrived = arrived(&request, "HEAD", bucket, key);
        let asks_checksum = arrived.checksum;
        self.admit(&request, arrived).await?;
        let mut state = self.0.lock().unwrap();
        match state.before_head.remove(&(bucket.clone(), key.clone())) {
            Some(Some(bytes)) => state.put(bucket, key, bytes),
            Some(None) => drop(state.buckets.get_mut(bucket).and_then(|keys| keys.remove(key))),
            None => {}
        }
        let stored = state.stored(bucket, key)?;
        stored.meets(request.input.if_match.as_ref())?;
        let told = asks_checksum && state.checksums.contains(bucket);
        Ok(S3Response::new(HeadObjectOutput {
            version_id: state.versioned.contains(bucket).then(|| stored.version_id()),
            checksum_sha256: (told && stored.crc64nvme.is_none()).then(|| stored.sha256()),
            checksum_crc64nvme: stored.crc64nvme.clone().filter(|_| told),
            content_length: Some(stored.bytes.len() as i64),
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(timestamp(stored.written_s)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.admit(&request, arrived(&request, "HEAD-BUCKET", &request.input.bucket, "")).await?;
        let region = self.0.lock().unwrap().regions.get(&request.input.bucket).map(|(region, _)| region.clone());
        Ok(S3Response::new(HeadBucketOutput { bucket_region: region, ..HeadBucketOutput::default() }))
    }

    async fn get_bucket_location(&self, request: S3Request<GetBucketLocationInput>) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.admit(&request, arrived(&request, "HEAD-BUCKET", &request.input.bucket, "")).await?;
        let region = self.0.lock().unwrap().regions.get(&request.input.bucket).map(|(region, _)| region.clone());
        let location = region.map(BucketLocationConstraint::from);
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: location }))
    }
}
