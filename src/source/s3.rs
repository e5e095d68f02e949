//! S3: requests, what their answers mean, and bodies that resume where they were cut. How a bucket is walked stands in `walk`.
//!
//! Rests on the S3 API reference: ListObjectsV2 (keys in UTF-8 order, 1,000 a page), GetObject with `Range` and `If-Match`
//! (412 if the object was replaced), and 301 or 400 with `x-amz-bucket-region` from a bucket in another region.

use super::aws::{Bucket, Connection, chain};
use super::key::Prune;
use super::listing::{Judge, Listing};
use super::parts;
use super::place::{self, Holder};
use super::walk::{self, Found, Page};
use super::{Bytestream, Kept, Object, Permission, ReadFault, Source};
use crate::error::{Error, Result};
use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, EncodingType, RequestPayer};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

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
    pub(super) prefix: String,
}

impl S3Source {
    /// Opens what follows `s3://`, or the ARN of an access point; nothing is asked of S3 yet.
    pub(super) fn open(arg: &str, place: &str, connection: &Connection) -> Result<S3Source> {
        let (holder, prefix) = place::parse(arg, place)?;
        if prefix.contains(['*', '?']) {
            let hint = "globs work on a disk; in S3 give a prefix, and narrow it with --log-account, --log-region, --from, --to";
            return Err(Error::usage("a prefix, not a glob, is expected here").at(arg).with_hint(hint));
        }
        Ok(S3Source { arg: arg.to_owned(), bucket: connection.bucket(&holder), prefix: prefix.to_owned() })
    }

    /// Opens a bucket or access point as it is, for keys that are known.
    pub(super) fn whole(holder: &Holder, connection: &Connection) -> S3Source {
        S3Source { arg: holder.uri_of(""), bucket: connection.bucket(holder), prefix: String::new() }
    }

    pub(super) fn uri_of(&self, key: &str) -> String {
        self.bucket.holder.uri_of(key)
    }

    fn arn(&self) -> String {
        self.bucket.holder.arn(&self.bucket.region())
    }

    fn arn_of(&self, key: &str) -> String {
        self.bucket.holder.object_arn(key, &self.bucket.region())
    }

    /// Says what else may be behind a refusal.
    fn or_else(&self, mut hint: String) -> String {
        if self.bucket.holder.is_access_point() {
            hint.push_str("; the policies of the access point and of its bucket must allow it too");
        }
        if !self.bucket.request_payer {
            hint.push_str("; if it is a requester-pays bucket, add --request-payer");
        }
        hint
    }

    /// Returns what reading keys that match a pattern needs.
    pub(super) fn reading(&self, keys: &str) -> Permission {
        Permission { action: "s3:GetObject", resource: self.arn_of(keys), prefix: None }
    }

    fn payer(&self) -> Option<RequestPayer> {
        self.bucket.request_payer.then_some(RequestPayer::Requester)
    }

    /// Lists one page; its keys are decoded.
    pub(super) async fn page(&self, prefix: &str, delimiter: bool, token: Option<String>, judge: &Judge) -> Result<Page> {
        for _ in 0..=MOVES_MAX {
            judge.request();
            let request = self.bucket.client().list_objects_v2().bucket(&self.bucket.holder.name).prefix(prefix);
            let request = request.set_delimiter(delimiter.then(|| "/".to_owned())).set_continuation_token(token.clone());
            // Keys may hold characters that XML cannot carry; one such key must not make a bucket unreadable.
            match request.encoding_type(EncodingType::Url).set_request_payer(self.payer()).send().await {
                Ok(page) => return Ok(page_of(page)),
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
        let key = object.uri.strip_prefix(&self.uri_of("")).unwrap_or_default();
        for _ in 0..=MOVES_MAX {
            let asked = range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1));
            let request = self.bucket.client().get_object().bucket(&self.bucket.holder.name).key(key).set_range(asked);
            let request = request.set_if_match(object.etag.as_ref().map(|etag| format!("\"{etag}\"")));
            match request.set_request_payer(self.payer()).send().await {
                Ok(answer) if object.etag.is_some() && answer.e_tag().is_some_and(|etag| strong(etag) != object.etag.as_deref()) => {
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

    /// Reads a range that is not empty.
    async fn part(self, object: Object, range: Range<u64>) -> Result<Bytes> {
        let answer = self.get(&object, Some(range.clone())).await?;
        let mut whole = BytesMut::with_capacity((range.end - range.start) as usize);
        let mut body = Body { source: self, object, body: answer.body, at: range.start, end: range.end, resumes: 0, fruitless: 0 };
        while let Some(chunk) = body.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Asks what stands at a key.
    ///
    /// # Errors
    /// [`ReadFault::Missing`]; an access error; S3 cannot be reached.
    pub(super) async fn head(&self, key: &str) -> Result<Found> {
        let answer = self.ask(key, None).await?;
        Ok(Found {
            key: key.to_owned(),
            size: answer.content_length.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            etag: answer.e_tag.as_deref().and_then(strong).map(Arc::from),
            modified: answer.last_modified.map(|at| at.secs()),
        })
    }

    /// Asks for what is told of an object without its bytes: of whatever stands at the key, or of the object that was listed, with its
    /// checksum and only if it is still that one.
    async fn ask(&self, key: &str, listed: Option<&Object>) -> Result<HeadObjectOutput> {
        let uri = self.uri_of(key);
        let etag = listed.and_then(|object| object.etag.as_ref()).map(|etag| format!("\"{etag}\""));
        for _ in 0..=MOVES_MAX {
            let request = self.bucket.client().head_object().bucket(&self.bucket.holder.name).key(key);
            let request = request.set_if_match(etag.clone()).set_checksum_mode(listed.map(|_| ChecksumMode::Enabled));
            match request.set_request_payer(self.payer()).send().await {
                Ok(answer) => return Ok(answer),
                Err(fault) => {
                    let fault = Fault::of(fault);
                    if !self.follow(&fault).await {
                        return Err(match (fault.status, listed) {
                            (412, Some(_)) => ReadFault::Replaced.error(&uri),
                            (404, Some(_)) => ReadFault::Gone.error(&uri),
                            _ => self.explain_head(fault, uri, key),
                        });
                    }
                }
            }
        }
        Err(Error::failed("S3 names one region after another for this bucket").at(uri))
    }

    /// Moves to the bucket's region if that is what S3 asks for; returns whether to ask again.
    async fn follow(&self, fault: &Fault) -> bool {
        if !fault.is_elsewhere() {
            return false;
        }
        let region = match &fault.region {
            Some(region) => Some(region.clone()),
            None => match self.bucket.client().head_bucket().bucket(&self.bucket.holder.name).send().await {
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
                    self.arn()
                );
                Error::access("access denied to list").at(uri).caused_by(fault).with_hint(self.or_else(hint))
            }
            _ => fault.into_error("cannot list", uri),
        }
    }

    /// An answer to HEAD has no body, so all that S3 says is the status.
    fn explain_head(&self, fault: Fault, uri: String, key: &str) -> Error {
        match fault.status {
            404 if fault.code == "NoSuchBucket" => Error::failed("no such bucket").at(uri),
            404 => ReadFault::Missing.error(&uri),
            403 if !matches!(&*fault.code, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken") => {
                let hint = format!(
                    "allow s3:GetObject on {}; without s3:ListBucket on {} a missing object looks like this too",
                    self.arn_of(key),
                    self.arn()
                );
                Error::access("access denied to read").at(uri).caused_by(fault).with_hint(self.or_else(hint))
            }
            _ => fault.into_error("cannot read", uri),
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
                Error::access("access denied to read").at(&*object.uri).caused_by(fault).with_hint(self.or_else(hint))
            }
            (_, "InvalidObjectState") => {
                let hint = "the object is archived (Glacier): restore it first";
                Error::failed("cannot read").at(&*object.uri).caused_by(fault).with_hint(hint)
            }
            _ => fault.into_error("cannot read", object.uri.to_string()),
        }
    }

    /// Says that nothing stands at the prefix, and what stands nearest to it.
    pub(super) async fn nothing_at(&self, judge: &Judge) -> Error {
        let error = Error::usage("nothing found").at(&self.arg);
        let mut listed = self.prefix.as_str();
        for _ in 0..NEAREST_PARENTS_MAX {
            let parent = listed.trim_end_matches('/').rfind('/').map_or("", |at| &listed[..=at]);
            let Ok(page) = self.page(parent, true, None, judge).await else {
                return error.with_hint(format!("listed {}", self.uri_of(&self.prefix)));
            };
            let names = page.folders.into_iter().chain(page.objects.into_iter().map(|object| object.key));
            let names = super::nearest_names(names, &self.prefix, NEAREST_MAX);
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
        walk::list(self.clone(), Judge::new(prune))
    }

    async fn read(&self, object: &Object) -> Result<Bytestream> {
        if object.size >= parts::PARTS_FROM {
            let (source, object) = (self.clone(), object.clone());
            return Ok(parts::in_order(object.size, move |range| source.clone().part(object.clone(), range)));
        }
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
        self.clone().part(object.clone(), range).await
    }

    /// By HeadObject with checksum mode (S3 API reference); whether delivered flow logs carry a checksum is not documented. The answer is
    /// about the newest version, so it counts only if tag, time and size are still those of the object that was read.
    async fn kept(&self, object: &Object) -> Result<Kept> {
        let Some(etag) = object.etag.as_deref() else {
            return Err(Error::failed("it has no strong ETag, so nothing says which version was read").at(&*object.uri));
        };
        let key = object.uri.strip_prefix(&self.uri_of("")).unwrap_or_default();
        let answer = self.ask(key, Some(object)).await?;
        // A version that was written over the one that was read may hold the same bytes, and so have the same tag.
        let modified = answer.last_modified.map(|at| at.secs());
        let is_same = answer.e_tag.as_deref().and_then(strong) == Some(etag)
            && modified.zip(object.modified).is_none_or(|(now, listed)| now == listed)
            && answer.content_length.is_none_or(|size| u64::try_from(size).ok() == Some(object.size));
        if !is_same {
            return Err(ReadFault::Replaced.error(&object.uri));
        }
        let checksums = [
            ("CRC64NVME", answer.checksum_crc64_nvme),
            ("SHA512", answer.checksum_sha512),
            ("SHA256", answer.checksum_sha256),
            ("SHA1", answer.checksum_sha1),
            ("MD5", answer.checksum_md5),
            ("XXHASH128", answer.checksum_xxhash128),
            ("XXHASH3", answer.checksum_xxhash3),
            ("XXHASH64", answer.checksum_xxhash64),
            ("CRC32C", answer.checksum_crc32_c),
            ("CRC32", answer.checksum_crc32),
        ];
        let checksum = checksums.into_iter().find_map(|(name, value)| value.map(|value| format!("{name}:{value}")));
        Ok(Kept { version_id: answer.version_id.filter(|id| id != "null"), checksum })
    }

    fn permissions(&self) -> Vec<Permission> {
        let prefix = (!self.prefix.is_empty()).then(|| format!("{}*", self.prefix));
        vec![Permission { action: "s3:ListBucket", resource: self.arn(), prefix }, self.reading(&format!("{}*", self.prefix))]
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
        let cause = cause.as_deref().unwrap_or("it ended early");
        tracing::debug!(object = %uri, at, resumes = self.resumes, cause, "body was cut; resuming");
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

/// Whether an answer holds the range that was asked for: a server that knows no ranges sends the whole object.
fn answers_range(answer: &GetObjectOutput, range: &Range<u64>) -> bool {
    answer.content_range().is_some_and(|told| told.starts_with(&format!("bytes {}-{}/", range.start, range.end - 1)))
}

/// Takes what a walk needs out of an answer, and undoes `encoding-type=url` for servers that know it.
fn page_of(answer: ListObjectsV2Output) -> Page {
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let decode = |text: String| match encoded && text.contains(['%', '+']) {
        true => percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned(),
        false => text,
    };
    let next = answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true));
    let folders = answer.common_prefixes.into_iter().flatten().filter_map(|folder| folder.prefix).map(decode).collect();
    let found = |object: aws_sdk_s3::types::Object| {
        Some(Found {
            size: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            etag: object.e_tag.as_deref().and_then(strong).map(Arc::from),
            modified: object.last_modified.map(|at| at.secs()),
            key: decode(object.key?),
        })
    };
    Page { objects: answer.contents.into_iter().flatten().filter_map(found).collect(), folders, next }
}

/// Returns a tag without quotes; `None` for a weak one (`W/"…"`), which does not promise the same bytes (RFC 9110, 8.8.1).
fn strong(etag: &str) -> Option<&str> {
    (!etag.starts_with("W/")).then(|| etag.trim_matches('"'))
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
            // An answer to HEAD has no body; the SDK calls that an unhandled error.
            None if status >= 400 && error.code().is_none() => format!("HTTP {status}"),
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

#[cfg(test)]
mod tests {
    use super::super::aws::S3Options;
    use super::*;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
    use aws_sdk_s3::primitives::SdkBody;
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use std::sync::Mutex;

    /// A request: method, URL, signature, and whether its sender pays.
    type Seen = (String, String, String, bool);

    /// Stands for the network: answers each request, and keeps it.
    #[derive(Debug, Clone, Default)]
    struct Network {
        seen: Arc<Mutex<Vec<Seen>>>,
        denies: bool,
        version: Option<&'static str>,
    }

    impl HttpConnector for Network {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
            let (method, url) = (request.method().to_owned(), request.uri().to_owned());
            let payer = header("x-amz-request-payer") == "requester";
            self.seen.lock().unwrap().push((method.clone(), url.clone(), header("authorization"), payer));
            let object = "<Contents><Key>a/x.log</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>";
            let list = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{object}</ListBucketResult>");
            let (status, body) = match &*method {
                _ if self.denies => (403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>".to_owned()),
                "HEAD" => (200, String::new()),
                _ if url.contains("list-type=2") => (200, list),
                _ => (200, "x".to_owned()),
            };
            // HEAD tells the length of what GET would bring.
            let length = if method == "HEAD" { 1 } else { body.len() };
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            response.headers_mut().insert("content-length", length.to_string());
            response.headers_mut().insert("etag", "\"e\"");
            response.headers_mut().insert("last-modified", "Sun, 01 Mar 2026 00:00:00 GMT");
            response.headers_mut().insert("x-amz-version-id", self.version.unwrap_or("null"));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    impl HttpClient for Network {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    impl Network {
        fn open(&self, arg: &str, options: S3Options) -> S3Source {
            let keys = Credentials::new("AKIAFLOWPROOFTEST000", "not-a-secret", None, None, "test");
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::from_static("us-east-1"))
                .credentials_provider(SharedCredentialsProvider::new(keys))
                .http_client(SharedHttpClient::new(self.clone()))
                .build();
            S3Source::open(arg, place::in_s3(arg).unwrap(), &Connection::of(config, options)).unwrap()
        }

        /// Lists, looks and reads; returns the requests.
        async fn requests(&self, arg: &str, options: S3Options) -> Vec<Seen> {
            let source = self.open(arg, options);
            let mut objects = source.list(&Prune::default());
            let object = objects.next().await.unwrap().unwrap();
            assert_eq!(&*object.uri, source.uri_of("a/x.log"));
            source.head("a/x.log").await.unwrap();
            let body: Vec<_> = source.read(&object).await.unwrap().collect().await;
            assert_eq!(body.len(), 1);
            std::mem::take(&mut *self.seen.lock().unwrap())
        }
    }

    #[tokio::test]
    async fn access_points_are_asked_in_their_own_region_by_their_own_host() {
        let network = Network::default();
        for (arg, region, host) in [
            ("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/a/", "eu-west-1", "s3-accesspoint.eu-west-1.amazonaws.com"),
            ("arn:aws:s3:us-east-1:123456789012:accesspoint:my-ap/a/", "us-east-1", "s3-accesspoint.us-east-1.amazonaws.com"),
            ("arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/my-ap/a/", "cn-north-1", "s3-accesspoint.cn-north-1.amazonaws.com.cn"),
        ] {
            let requests = network.requests(arg, S3Options { request_payer: true, ..S3Options::default() }).await;
            let methods: Vec<_> = requests.iter().map(|(method, ..)| method.as_str()).collect();
            assert_eq!(methods, ["GET", "HEAD", "GET"], "{requests:?}");
            for (_, url, signature, payer) in &requests {
                assert!(url.starts_with(&format!("https://my-ap-123456789012.{host}/")), "{url}");
                assert!(signature.contains(&format!("/{region}/s3/aws4_request")), "{signature}");
                assert!(payer);
            }
            assert!(requests[2].1.ends_with("/a/x.log?x-id=GetObject"), "{}", requests[2].1);
        }
        let minio = S3Options { endpoint_url: Some("http://s3.example:9000".into()), ..S3Options::default() };
        let requests = network.requests("arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/a/", minio.clone()).await;
        assert!(requests.iter().all(|(_, url, _, payer)| url.starts_with("http://my-ap-123456789012.s3.example:9000/") && !payer));
        // A bucket beside it is named in the path, as before.
        let requests = network.requests("s3://my-ap-abc123-s3alias/a/", minio).await;
        assert!(requests.iter().all(|(_, url, ..)| url.starts_with("http://s3.example:9000/my-ap-abc123-s3alias")), "{requests:?}");
    }

    #[tokio::test]
    async fn a_refusal_names_every_policy_that_may_be_behind_it() {
        let network = Network { denies: true, ..Network::default() };
        let source = network.open("arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/a/", S3Options::default());
        let fault = source.list(&Prune::default()).next().await.unwrap().unwrap_err();
        let hint = fault.hint().unwrap();
        assert!(hint.contains("s3:ListBucket on arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap "), "{hint}");
        assert!(hint.contains("its bucket must allow it too") && hint.contains("add --request-payer"), "{hint}");
        let fault = source.head("a/x.log").await.unwrap_err();
        assert!(fault.hint().unwrap().contains("s3:GetObject on arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap/object/a/x.log"));
        let paying = network.open("s3://org-flow-logs/a/", S3Options { request_payer: true, ..S3Options::default() });
        let fault = paying.list(&Prune::default()).next().await.unwrap().unwrap_err();
        assert!(!fault.hint().unwrap().contains("--request-payer"), "{fault:?}");
    }

    /// Against a server that takes no notice of `If-Match`: what it tells is of another version unless tag, time and size agree.
    #[tokio::test]
    async fn what_is_kept_is_of_the_object_that_was_listed() {
        // 2026-03-01T00:00:00Z, as the server says.
        const WRITTEN: i64 = 1_772_323_200;
        let network = Network { version: Some("v1"), ..Network::default() };
        let source = network.open("s3://org-flow-logs/a/", S3Options::default());
        let object = |etag: Option<&str>, modified, size| Object {
            uri: "s3://org-flow-logs/a/x.log".into(),
            key: super::super::LogKey::default(),
            size,
            etag: etag.map(Arc::from),
            modified,
        };
        for (object, expected) in [
            (object(Some("e"), Some(WRITTEN), 1), Ok("v1")),
            (object(Some("e"), None, 1), Ok("v1")),
            (object(Some("f"), Some(WRITTEN), 1), Err("it was replaced after it was listed")),
            (object(Some("e"), Some(WRITTEN - 1), 1), Err("it was replaced after it was listed")),
            (object(Some("e"), Some(WRITTEN), 2), Err("it was replaced after it was listed")),
            (object(None, Some(WRITTEN), 1), Err("no strong ETag")),
        ] {
            match (source.kept(&object).await, expected) {
                (Ok(kept), Ok(version)) => assert_eq!(kept.version_id.as_deref(), Some(version), "{object:?}"),
                (Err(fault), Err(expected)) => assert!(fault.to_string().contains(expected), "{object:?}: {fault}"),
                (found, expected) => panic!("{object:?}: {found:?} is not {expected:?}"),
            }
        }
        // What was written before versions were switched on has the version "null", which names nothing.
        let source = Network::default().open("s3://org-flow-logs/a/", S3Options::default());
        assert_eq!(source.kept(&object(Some("e"), Some(WRITTEN), 1)).await.unwrap(), Kept::default());
    }
}
