//! The story: list → read → decode → tag → sink.
//!
//! Waiting (listing, reading) happens on tokio, computing (inflate, tokenise, type, tag) on rayon; a bounded channel hands
//! batches to whoever asked. Memory is a fixed budget, whatever the input: stored bytes in flight are bounded by a
//! semaphore, decoded parts by the channel, and an object is decoded in bounded steps.

use crate::decode::decompress::{Encoding, WHOLE_STORED_MAX, free_buffers};
use crate::decode::headerless::{Headerless, LogGroups};
use crate::decode::object::{Ahead, ObjectDecoder, Step};
use crate::decode::parquet::ParquetDecoder;
use crate::decode::reject::Reject;
use crate::decode::shape::Shape;
use crate::decode::{Decoded, LayoutSeen, Tally, Wanted};
use crate::enrich::{Provenance, Tagger};
use crate::error::{Error, Kind, Result};
use crate::flow::Layout;
use crate::source::{Bytestream, Object, Source};
use arrow::array::RecordBatch;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Objects being fetched at once: enough to hide 30 ms of latency behind the decoding of objects of 60 kB (by Little's law 90 of them),
/// measured by `benches/s3.rs`.
const READS_IN_FLIGHT_MAX: usize = 128;
/// Stored bytes fetched ahead of decoding, over all objects.
const READ_AHEAD_BYTES: u64 = 32 << 20;
/// Tagged parts waiting for the sink.
const PARTS_IN_FLIGHT_MAX: usize = 4;
/// Stored bytes of a big object given to one decoding step.
const CHUNK: usize = 1 << 20;

/// Chunks of a big object read ahead of its decoding.
const CHUNKS_AHEAD_MAX: usize = 1;

/// Requests in flight for ranges of one Parquet object.
const RANGES_IN_FLIGHT_MAX: usize = 8;
/// Bytes between two ranges that are read along with them: at 30 ms of latency a request takes as long as thirty times so many.
const GAP_BYTES_MAX: u64 = 64 << 10;

/// One object to read, and where from.
#[derive(Debug, Clone)]
pub struct Input {
    /// Where the object is.
    pub source: Arc<dyn Source>,
    /// The object.
    pub object: Object,
}

/// What to read and what to make of it.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The objects.
    pub inputs: Arc<[Input]>,
    /// What decoding must produce.
    pub wanted: Arc<Wanted>,
    /// What the columns become.
    pub tagger: Arc<Tagger>,
    /// Layout of records without a header (`--log-format`); it goes before what the inventory says.
    pub log_format: Option<Arc<Layout>>,
    /// Objects decoded at once.
    pub threads: usize,
}

/// Some tagged rows and rejects of one object.
#[derive(Debug)]
pub struct Part {
    /// Index of the object in [`Scan::inputs`].
    pub object: usize,
    /// Rows with the tagger's columns.
    pub batch: RecordBatch,
    /// Lines that are not records.
    pub rejects: Vec<Reject>,
    /// Most fields of the object's layouts so far: how rich its format is.
    pub fields: u32,
}

/// Starts reading every object; its rows come in batches of no fixed order, its accounting goes to `intake`.
pub fn run(scan: Scan, intake: Arc<Intake>) -> mpsc::Receiver<Result<Part>> {
    let (sink, parts) = mpsc::channel(PARTS_IN_FLIGHT_MAX);
    let budget = Arc::new(Semaphore::new(permits(READ_AHEAD_BYTES) as usize));
    let log_groups = Arc::new(scan.tagger.inventory().layouts_by_log_group());
    tokio::spawn(async move {
        let (scan, decoding) = (Arc::new(scan), AtomicUsize::new(0));
        stream::iter(0..scan.inputs.len())
            .map(|at| fetch(Arc::clone(&scan), at, Arc::clone(&budget)))
            .buffer_unordered(READS_IN_FLIGHT_MAX)
            .map(|fetched| decode(Arc::clone(&scan), Arc::clone(&log_groups), fetched, &sink, &intake, &decoding))
            .buffer_unordered(scan.threads.max(1))
            .take_while(|outcome| std::future::ready(!matches!(outcome, Outcome::SinkGone)))
            .for_each(|outcome| intake.object_done(outcome, &sink))
            .await;
        free_buffers();
    });
    parts
}

/// An object's first bytes, and the rest.
struct Fetched {
    at: usize,
    body: Result<Body>,
    _budget: Option<OwnedSemaphorePermit>,
}

enum Body {
    Whole(Bytes),
    Streaming { first: Bytes, rest: Option<mpsc::Receiver<Result<Bytes>>> },
}

/// What became of an object.
enum Outcome {
    Done { at: usize, read: ObjectRead },
    Broken(Error),
    SinkGone,
}

fn permits(bytes: u64) -> u32 {
    (bytes >> 10).max(1) as u32
}

async fn fetch(scan: Arc<Scan>, at: usize, budget: Arc<Semaphore>) -> Fetched {
    let size = scan.inputs.get(at).map_or(0, |input| input.object.size);
    let budget = budget.acquire_many_owned(permits(size.min(WHOLE_STORED_MAX))).await.ok();
    // A task of its own, so that bodies arrive while others are being handed to the decoders.
    let task = tokio::spawn(async move {
        let Some(Input { source, object }) = scan.inputs.get(at) else {
            return Err(Error::failed("no such object"));
        };
        let mut rest = source.read(object).await?;
        if object.size <= WHOLE_STORED_MAX {
            let mut whole = BytesMut::with_capacity(object.size as usize);
            while let Some(chunk) = rest.next().await {
                whole.extend_from_slice(&chunk?);
            }
            return Ok(Body::Whole(whole.freeze()));
        }
        let first = next_chunk(&mut rest).await?;
        // Of Parquet other ranges are read.
        let rest = (Encoding::sniff(&first) != Encoding::Parquet).then(|| read_ahead(rest));
        Ok(Body::Streaming { first, rest })
    });
    let body = task.await.unwrap_or_else(|error| Err(Error::failed("a reading task stopped").caused_by(error)));
    Fetched { at, body, _budget: budget }
}

/// Reads on while what was read is decoded.
fn read_ahead(mut rest: Bytestream) -> mpsc::Receiver<Result<Bytes>> {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD_MAX);
    tokio::spawn(async move {
        loop {
            let chunk = next_chunk(&mut rest).await;
            let is_last = chunk.as_ref().map_or(true, Bytes::is_empty);
            if sender.send(chunk).await.is_err() || is_last {
                return;
            }
        }
    });
    chunks
}

/// Reads on until a chunk is worth a step; empty at the end.
async fn next_chunk(rest: &mut Bytestream) -> Result<Bytes> {
    let mut chunk = match rest.next().await {
        None => return Ok(Bytes::new()),
        Some(first) => first?,
    };
    if chunk.len() < CHUNK {
        let mut joined = BytesMut::from(chunk);
        while joined.len() < CHUNK {
            match rest.next().await {
                Some(more) => joined.extend_from_slice(&more?),
                None => break,
            }
        }
        chunk = joined.freeze();
    }
    Ok(chunk)
}

async fn decode(
    scan: Arc<Scan>,
    log_groups: Arc<LogGroups>,
    fetched: Fetched,
    sink: &mpsc::Sender<Result<Part>>,
    intake: &Intake,
    decoding: &AtomicUsize,
) -> Outcome {
    let at = fetched.at;
    let Some(Input { source, object }) = scan.inputs.get(at) else {
        return Outcome::Broken(Error::failed("no such object"));
    };
    let body = match fetched.body {
        Ok(body) => body,
        Err(error) => return Outcome::Done { at, read: ObjectRead::unreadable(object, &error) },
    };
    let first = match &body {
        Body::Whole(bytes) | Body::Streaming { first: bytes, .. } => bytes,
    };
    let encoding = Encoding::sniff(first);
    let feed = match (encoding, body) {
        (Encoding::Parquet, Body::Whole(whole)) => Feed::Ranges { whole: Some(whole), source: Arc::clone(source), object: object.clone() },
        (Encoding::Parquet, _) => Feed::Ranges { whole: None, source: Arc::clone(source), object: object.clone() },
        (_, Body::Whole(whole)) => Feed::Stored { next: Some((whole, true)), rest: None },
        (_, Body::Streaming { first, rest }) => Feed::Stored { next: Some((first, false)), rest },
    };
    let decoder = match &feed {
        Feed::Ranges { whole, .. } => {
            let decoder = ParquetDecoder::new(Arc::clone(&scan.wanted), object.size);
            Decoder::Parquet(Box::new(if whole.is_none() { decoder.by_pages() } else { decoder }))
        }
        Feed::Stored { .. } => {
            let of_flow_log = || scan.tagger.inventory().layout_of_flow_log(object.key.flow_log_id.as_deref()?);
            let layout = scan.log_format.clone().or_else(of_flow_log);
            Decoder::Text(Box::new(ObjectDecoder::new(Arc::clone(&scan.wanted), Headerless { layout, log_groups })))
        }
    };
    let from = Provenance { log_object: Arc::clone(&object.uri), flow_log_id: object.key.flow_log_id.clone() };
    decoding.fetch_add(1, Ordering::Relaxed);
    let is_core_idle = || decoding.load(Ordering::Relaxed) < scan.threads;
    let outcome = drive(&scan.tagger, Job { at, encoding, from, object }, decoder, feed, sink, intake, is_core_idle).await;
    decoding.fetch_sub(1, Ordering::Relaxed);
    outcome
}

struct Job<'a> {
    at: usize,
    encoding: Encoding,
    from: Provenance,
    object: &'a Object,
}

/// Steps a decoder to its end, giving it what it asks for and passing on what it makes.
async fn drive(
    tagger: &Arc<Tagger>,
    job: Job<'_>,
    decoder: Decoder,
    mut feed: Feed,
    sink: &mpsc::Sender<Result<Part>>,
    intake: &Intake,
    is_core_idle: impl Fn() -> bool,
) -> Outcome {
    let Job { at, encoding, from, object } = job;
    let mut slot = decoder;
    let mut ahead = None;
    loop {
        // A big object keeps two threads busy where there is one to spare; else it is better off in the cache of one.
        if ahead.is_none() && is_core_idle() {
            ahead = slot.detach().map(|inflating| start_on_cpu(|| inflating.run()));
        }
        let (tagger, provenance) = (Arc::clone(tagger), from.clone());
        let stepped = on_cpu(move || {
            let step = slot.step().and_then(|step| tag(step, &tagger, &provenance));
            (slot, step)
        })
        .await;
        let (mut decoder, step) = match stepped {
            Ok((decoder, Ok(step))) => (decoder, step),
            Ok((_, Err(error))) => return Outcome::Broken(error),
            Err(panic) => return Outcome::Done { at, read: ObjectRead::unreadable(object, &panic) },
        };
        match step {
            Tagged::Part { batch, rejects } => {
                intake.progress.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
                let part = Part { object: at, batch, rejects, fields: decoder.tally().fields_max() };
                if sink.send(Ok(part)).await.is_err() {
                    return Outcome::SinkGone;
                }
            }
            Tagged::Hungry(ranges) => match ahead.take() {
                None => feed.give(&mut decoder, ranges).await,
                Some(inflating) => match inflating.await {
                    Ok(inflated) => decoder.attach(inflated),
                    Err(panic) => return Outcome::Done { at, read: ObjectRead::unreadable(object, &panic) },
                },
            },
            Tagged::Done(fault) => {
                let fault = fault.or_else(|| decoder.tally().fault());
                let (uri, size) = (Arc::clone(&object.uri), object.size);
                return Outcome::Done {
                    at,
                    read: ObjectRead { uri, size, tally: decoder.tally().clone(), encoding: Some(encoding), fault, access: None },
                };
            }
        }
        slot = decoder;
    }
}

enum Tagged {
    Part { batch: RecordBatch, rejects: Vec<Reject> },
    Hungry(Vec<Range<u64>>),
    Done(Option<String>),
}

fn tag(step: Step, tagger: &Tagger, from: &Provenance) -> Result<Tagged> {
    Ok(match step {
        Step::Decoded(Decoded { batch, rejects }) => Tagged::Part { batch: tagger.tag(&batch, from)?, rejects },
        Step::Hungry => Tagged::Hungry(Vec::new()),
        Step::Needs(ranges) => Tagged::Hungry(ranges),
        Step::Done(fault) => Tagged::Done(fault),
    })
}

enum Decoder {
    Text(Box<ObjectDecoder>),
    Parquet(Box<ParquetDecoder>),
}

impl Decoder {
    fn step(&mut self) -> Result<Step> {
        match self {
            Decoder::Text(decoder) => decoder.step(),
            Decoder::Parquet(decoder) => decoder.step(),
        }
    }

    fn tally(&self) -> &Tally {
        match self {
            Decoder::Text(decoder) => decoder.tally(),
            Decoder::Parquet(decoder) => decoder.tally(),
        }
    }

    fn detach(&mut self) -> Option<Ahead> {
        match self {
            Decoder::Text(decoder) => decoder.detach(),
            Decoder::Parquet(_) => None,
        }
    }

    fn attach(&mut self, ahead: Ahead) {
        if let Decoder::Text(decoder) = self {
            decoder.attach(ahead);
        }
    }

    fn fail(&mut self, fault: String) {
        match self {
            Decoder::Text(decoder) => decoder.fail(fault),
            Decoder::Parquet(decoder) => decoder.fail(fault),
        }
    }
}

/// Where a decoder's input comes from.
enum Feed {
    Stored { next: Option<(Bytes, bool)>, rest: Option<mpsc::Receiver<Result<Bytes>>> },
    Ranges { whole: Option<Bytes>, source: Arc<dyn Source>, object: Object },
}

impl Feed {
    async fn give(&mut self, decoder: &mut Decoder, ranges: Vec<Range<u64>>) {
        let given = match (self, &mut *decoder) {
            (Feed::Stored { next, rest }, Decoder::Text(decoder)) => {
                stored(next, rest).await.map(|(bytes, last)| decoder.push(bytes, last))
            }
            (Feed::Ranges { whole, source, object }, Decoder::Parquet(decoder)) => {
                let data = match whole {
                    Some(whole) => slices(whole, &ranges),
                    None => read_ranges(source.as_ref(), object, &ranges).await,
                };
                data.map(|data| decoder.push(ranges, data))
            }
            _ => Err(Error::failed("a decoder asked for what its format does not have")),
        };
        if let Err(error) = given {
            decoder.fail(error.to_string());
        }
    }
}

async fn stored(next: &mut Option<(Bytes, bool)>, rest: &mut Option<mpsc::Receiver<Result<Bytes>>>) -> Result<(Bytes, bool)> {
    if let Some(next) = next.take() {
        return Ok(next);
    }
    let chunk = match rest {
        // Its task ends with an empty chunk or a fault, so without either it was stopped.
        Some(rest) => rest.recv().await.unwrap_or_else(|| Err(Error::failed("a reading task stopped")))?,
        None => Bytes::new(),
    };
    let last = chunk.is_empty();
    Ok((chunk, last))
}

fn slices(whole: &Bytes, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let slice = |range: &Range<u64>| {
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        (range.start <= range.end && range.end <= whole.len()).then(|| whole.slice(range))
    };
    ranges.iter().map(|range| slice(range).ok_or_else(|| Error::failed("a range lies outside the object"))).collect()
}

/// Reads ranges, those that nearly touch in one request, some requests at a time.
async fn read_ranges(source: &dyn Source, object: &Object, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let requests = joined(ranges);
    let read = |range: Range<u64>| async move { source.read_range(object, range).await };
    let data: Vec<Bytes> =
        stream::iter(requests.iter().cloned().map(read).collect::<Vec<_>>()).buffered(RANGES_IN_FLIGHT_MAX).try_collect().await?;
    let slice = |range: &Range<u64>| {
        let at = requests.partition_point(|request| request.start <= range.start).checked_sub(1)?;
        let (request, bytes) = (requests.get(at)?, data.get(at)?);
        let within = usize::try_from(range.start - request.start).ok()?..usize::try_from(range.end.checked_sub(request.start)?).ok()?;
        (within.start <= within.end && within.end <= bytes.len()).then(|| bytes.slice(within))
    };
    ranges.iter().map(|range| slice(range).ok_or_else(|| Error::failed("a range was not read whole"))).collect()
}

/// Joins ranges that overlap or have little between them; what comes out ascends.
fn joined(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES_MAX) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Runs a computation on the thread pool. A panic in it (a fault of a decoding library on hostile bytes) ends that
/// object, not the process.
async fn on_cpu<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    start_on_cpu(work).await
}

/// The same, begun at once: the result is waited for later.
fn start_on_cpu<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = Result<T>> {
    let (done, result) = oneshot::channel();
    rayon::spawn(move || {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // The receiver is gone only when the run was cancelled, or the object ended.
        let _ = done.send(outcome.map_err(|_| Error::failed("the decoder could not cope with this object")));
    });
    async { result.await.unwrap_or_else(|_| Err(Error::failed("the thread pool stopped"))) }
}

/// How an object was read.
#[derive(Debug, Clone)]
pub struct ObjectRead {
    /// URI of the object.
    pub uri: Arc<str>,
    /// Its stored bytes.
    pub size: u64,
    /// Its accounting.
    pub tally: Tally,
    /// How it is stored; `None` if nothing of it could be read.
    pub encoding: Option<Encoding>,
    /// Why it was not read whole.
    pub fault: Option<String>,
    /// The hint of a permission fault.
    access: Option<String>,
}

impl ObjectRead {
    fn unreadable(object: &Object, error: &Error) -> ObjectRead {
        let access = (error.kind() == Kind::Access).then(|| error.hint().unwrap_or_default().to_owned());
        ObjectRead {
            uri: Arc::clone(&object.uri),
            size: object.size,
            tally: Tally::default(),
            encoding: None,
            fault: Some(error.to_string()),
            access,
        }
    }

    /// Returns `read`, `partial` or `unreadable`.
    pub fn status(&self) -> &'static str {
        match &self.fault {
            None => "read",
            Some(_) if self.tally.lines > 0 => "partial",
            Some(_) => "unreadable",
        }
    }
}

/// What a run has read so far, for progress displays.
#[derive(Debug, Default)]
pub struct Progress {
    /// Objects done.
    pub objects: AtomicU64,
    /// Stored bytes of those.
    pub bytes: AtomicU64,
    /// Rows handed on.
    pub rows: AtomicU64,
    /// Rejected lines.
    pub rejects: AtomicU64,
}

/// The accounting of a run: every object ends as read, partly read or unreadable.
#[derive(Debug, Default)]
pub struct Intake {
    objects: Mutex<Vec<(usize, ObjectRead)>>,
    /// For progress displays.
    pub progress: Progress,
}

/// Sums over the objects of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects opened and read, with or without matching rows.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Their decompressed text.
    pub text_bytes: u64,
    /// Records of traffic in the window.
    pub ok: u64,
    /// Records of no traffic.
    pub nodata: u64,
    /// Records of lost records.
    pub skipdata: u64,
    /// Lines that are not records.
    pub rejected: u64,
    /// Records that start outside the window.
    pub outside_window: u64,
    /// Records in the window of the kind that was not asked for.
    pub passed_over: u64,
    /// Objects that could not be read whole: URI, status, reason; sorted.
    pub faults: Vec<(String, &'static str, String)>,
    /// The layouts that appeared, by first record.
    pub layouts: Vec<LayoutTotal>,
    /// Least `start` in the window.
    pub start_min: Option<i64>,
    /// Greatest `end` in the window.
    pub end_max: Option<i64>,
}

/// A layout, and what stood in it over all objects of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutTotal {
    /// The sums over objects.
    pub seen: LayoutSeen,
    /// Objects that it appeared in.
    pub objects: u64,
}

impl Intake {
    async fn object_done(&self, outcome: Outcome, sink: &mpsc::Sender<Result<Part>>) {
        let error = match outcome {
            Outcome::SinkGone => return,
            Outcome::Broken(error) => error,
            Outcome::Done { at, read } => {
                let (uri, size) = (Arc::clone(&read.uri), read.size);
                self.progress.objects.fetch_add(1, Ordering::Relaxed);
                self.progress.bytes.fetch_add(size, Ordering::Relaxed);
                self.progress.rejects.fetch_add(read.tally.rejects, Ordering::Relaxed);
                let adds_up = read.tally.adds_up();
                self.objects.lock().unwrap_or_else(PoisonError::into_inner).push((at, read));
                if adds_up {
                    return;
                }
                Error::failed("lines read and lines accounted for differ; this is a fault of flowproof").at(&*uri)
            }
        };
        // A sink that is gone does not want the error either.
        let _ = sink.send(Err(error)).await;
    }

    /// Returns what became of each object, by its index in the scan.
    pub fn objects(&self) -> Vec<(usize, ObjectRead)> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone();
        objects.sort_unstable_by_key(|(at, _)| *at);
        objects
    }

    /// Sums up a finished run.
    ///
    /// # Errors
    /// An access error if no object at all could be read for lack of permission.
    pub fn totals(&self) -> Result<Totals> {
        let mut totals = Totals::default();
        let mut denied = None;
        let objects = self.objects();
        for (_, read) in &objects {
            totals.add(read);
            denied = denied.or_else(|| read.access.clone().zip(read.fault.clone()));
        }
        totals.layouts = layouts(objects.iter().flat_map(|(_, read)| &read.tally.layouts));
        match denied {
            Some((hint, fault)) if totals.objects == 0 => Err(Error::access(fault).with_hint(hint)),
            _ => Ok(totals),
        }
    }
}

/// Sums layouts up over objects.
pub fn layouts<'a>(seen: impl Iterator<Item = &'a LayoutSeen>) -> Vec<LayoutTotal> {
    let mut totals: HashMap<(Shape, &Layout), LayoutTotal> = HashMap::new();
    for one in seen {
        let new = || LayoutTotal { seen: LayoutSeen { records: 0, ..one.clone() }, objects: 0 };
        let total = totals.entry((one.shape, &*one.layout)).or_insert_with(new);
        total.objects += 1;
        total.seen.records += one.records;
        total.seen.start_min = total.seen.start_min.into_iter().chain(one.start_min).min();
        total.seen.end_max = total.seen.end_max.into_iter().chain(one.end_max).max();
    }
    let mut totals: Vec<LayoutTotal> = totals.into_values().collect();
    totals.sort_by_cached_key(|total| {
        (total.seen.start_min.is_none(), total.seen.start_min, total.seen.shape, total.seen.layout.to_string())
    });
    totals
}

impl Totals {
    fn add(&mut self, read: &ObjectRead) {
        let tally = &read.tally;
        if read.status() != "unreadable" {
            self.objects += 1;
            self.bytes += read.size;
        }
        self.text_bytes += tally.text_bytes;
        self.ok += tally.ok;
        self.nodata += tally.nodata;
        self.skipdata += tally.skipdata;
        self.rejected += tally.rejects;
        self.outside_window += tally.outside_window;
        self.passed_over += tally.passed_over;
        self.start_min = self.start_min.into_iter().chain(tally.start_min()).min();
        self.end_max = self.end_max.into_iter().chain(tally.end_max()).max();
        if let Some(fault) = &read.fault {
            self.faults.push((read.uri.to_string(), read.status(), fault.clone()));
        }
    }
}
