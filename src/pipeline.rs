//! The story: list → read → decode → tag → sink.
//!
//! Waiting (listing, reading) happens on tokio, computing (inflate, tokenise, type, tag) on rayon; a bounded channel hands
//! batches to whoever asked. Memory is a fixed budget, whatever the input: stored bytes in flight are bounded by a
//! semaphore, decoded parts by the channel, and an object is decoded in bounded steps.

use crate::decode::decompress::{Encoding, WHOLE_STORED_MAX};
use crate::decode::headerless::{Headerless, LogGroups};
use crate::decode::object::{Ahead, ObjectDecoder, Step};
use crate::decode::parquet::ParquetDecoder;
use crate::decode::reject::Reject;
use crate::decode::{BATCH_ROWS, Decoded, Tally, Wanted};
use crate::enrich::{Provenance, Tagger};
use crate::error::{Error, Result};
use crate::flow::Layout;
use crate::intake::{Intake, ObjectRead};
use crate::source::{Bytestream, Object, Source};
use arrow::array::RecordBatch;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Objects being fetched at once: enough to hide 30 ms of latency behind the decoding of objects of 60 kB (by Little's law 90 of them),
/// measured by `benches/s3.rs`.
const READS_IN_FLIGHT_MAX: usize = 128;
/// Small objects that go from thread to thread together, and their stored bytes: to hand one over costs as much as to decode it.
const GROUP_OBJECTS_MAX: usize = 16;
const GROUP_BYTES_MAX: u64 = 256 << 10;
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

impl Part {
    /// What it takes of memory, in rows: a reject may hold as much as eight of them.
    fn worth(&self) -> usize {
        self.batch.num_rows() + 8 * self.rejects.len()
    }
}

/// Starts reading every object; its rows come in batches of no fixed order, its accounting goes to `intake`.
pub fn run(scan: Scan, intake: Arc<Intake>) -> mpsc::Receiver<Result<Part>> {
    let (sink, parts) = mpsc::channel(PARTS_IN_FLIGHT_MAX);
    let budget = Arc::new(Semaphore::new(permits(READ_AHEAD_BYTES) as usize));
    let reads = Arc::new(Semaphore::new(READS_IN_FLIGHT_MAX));
    let log_groups = Arc::new(scan.tagger.inventory().layouts_by_log_group());
    tokio::spawn(async move {
        let (scan, decoding) = (Arc::new(scan), AtomicUsize::new(0));
        stream::iter(groups(&scan.inputs))
            .map(|group| fetch(Arc::clone(&scan), group, Arc::clone(&budget), Arc::clone(&reads)))
            .buffer_unordered(READS_IN_FLIGHT_MAX)
            .map(|fetched| decode(Arc::clone(&scan), Arc::clone(&log_groups), fetched, &sink, &intake, &decoding))
            .buffer_unordered(scan.threads.max(1))
            .flat_map(stream::iter)
            .take_while(|outcome| std::future::ready(!matches!(outcome, Outcome::SinkGone)))
            .for_each(|outcome| object_done(outcome, &intake, &sink))
            .await;
    });
    parts
}

async fn object_done(outcome: Outcome, intake: &Intake, sink: &mpsc::Sender<Result<Part>>) {
    let error = match outcome {
        Outcome::SinkGone => return,
        Outcome::Broken(error) => error,
        Outcome::Done { at, read } => match intake.object_done(at, read) {
            Ok(()) => return,
            Err(error) => error,
        },
    };
    // A sink that is gone does not want the error either.
    let _ = sink.send(Err(error)).await;
}

/// Divides the objects into groups: neighbours at one place that are small, and all others by themselves.
fn groups(inputs: &[Input]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, Input { source, object }) in inputs.iter().enumerate() {
        let is_beside = at.checked_sub(1).and_then(|before| inputs.get(before)).is_some_and(|before| Arc::ptr_eq(&before.source, source));
        match groups.last_mut().filter(|group| is_beside && group.len() < GROUP_OBJECTS_MAX && bytes + object.size <= GROUP_BYTES_MAX) {
            Some(group) => {
                group.end = at + 1;
                bytes += object.size;
            }
            None => {
                groups.push(at..at + 1);
                bytes = object.size;
            }
        }
    }
    groups
}

/// The bodies of a group's objects: all of them, or one's first bytes and the rest.
struct Fetched {
    bodies: Vec<(usize, Result<Body>)>,
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

async fn fetch(scan: Arc<Scan>, group: Range<usize>, budget: Arc<Semaphore>, reads: Arc<Semaphore>) -> Fetched {
    let bytes = scan.inputs.get(group.clone()).into_iter().flatten().map(|input| input.object.size.min(WHOLE_STORED_MAX)).sum();
    let budget = budget.acquire_many_owned(permits(bytes)).await.ok();
    let in_flight = reads.acquire_many_owned(group.len() as u32).await.ok();
    // A task of its own, so that bodies arrive while others are being handed to the decoders.
    let of_group = group.clone();
    let task = tokio::spawn(async move {
        let _in_flight = in_flight;
        match scan.inputs.get(of_group).unwrap_or_default() {
            [input] => vec![body(input).await],
            inputs @ [Input { source, .. }, ..] => {
                let objects: Vec<&Object> = inputs.iter().map(|input| &input.object).collect();
                source.read_each(&objects).await.into_iter().map(|whole| whole.map(Body::Whole)).collect()
            }
            [] => Vec::new(),
        }
    });
    let bodies = match task.await {
        Ok(bodies) => group.zip(bodies).collect(),
        Err(error) => {
            let fault = error.to_string();
            group.map(|at| (at, Err(Error::failed(format!("a reading task stopped: {fault}"))))).collect()
        }
    };
    Fetched { bodies, _budget: budget }
}

async fn body(Input { source, object }: &Input) -> Result<Body> {
    if object.size <= WHOLE_STORED_MAX {
        let whole = source.read_each(&[object]).await.pop();
        return whole.unwrap_or_else(|| Err(Error::failed("an object was not read"))).map(Body::Whole);
    }
    let mut rest = source.read(object).await?;
    let first = next_chunk(&mut rest).await?;
    // Of Parquet other ranges are read.
    let rest = (Encoding::sniff(&first) != Encoding::Parquet).then(|| read_ahead(rest));
    Ok(Body::Streaming { first, rest })
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

/// Decodes the objects of a group.
async fn decode(
    scan: Arc<Scan>,
    log_groups: Arc<LogGroups>,
    fetched: Fetched,
    sink: &mpsc::Sender<Result<Part>>,
    intake: &Intake,
    decoding: &AtomicUsize,
) -> Vec<Outcome> {
    decoding.fetch_add(1, Ordering::Relaxed);
    let is_core_idle = || decoding.load(Ordering::Relaxed) < scan.threads;
    let mut outcomes = Vec::new();
    let mut open = Vec::new();
    for (at, body) in fetched.bodies {
        let Some(input) = scan.inputs.get(at) else { continue };
        match body {
            Ok(body) => open.push(Open::new(&scan, &log_groups, at, input, body)),
            Err(error) => outcomes.push(Outcome::Done { at, read: ObjectRead::unreadable(&input.object, &error) }),
        }
    }
    let tagger = Arc::clone(&scan.tagger);
    let open = if open.len() > 1 {
        // A panic of one is caught there, and leaves the others as they are.
        on_cpu(move || stepped_once(open, &tagger)).await.unwrap_or_else(|error| {
            outcomes.push(Outcome::Broken(error));
            Vec::new()
        })
    } else {
        open.into_iter().map(|(object, decoder)| (object, AtWork::Rests(decoder))).collect()
    };
    for (object, at_work) in open {
        outcomes.push(object.drive(at_work, &scan, sink, intake, is_core_idle).await);
        if matches!(outcomes.last(), Some(Outcome::SinkGone)) {
            break;
        }
    }
    decoding.fetch_sub(1, Ordering::Relaxed);
    outcomes
}

/// An object being decoded.
struct Open {
    at: usize,
    encoding: Encoding,
    from: Provenance,
    feed: Feed,
}

/// A decoder at rest, or what came out of its last steps: an error if it panicked.
enum AtWork {
    Rests(Decoder),
    Stepped(Result<(Decoder, Result<Steps>)>),
}

impl Open {
    fn new(scan: &Scan, log_groups: &Arc<LogGroups>, at: usize, Input { source, object }: &Input, body: Body) -> (Open, Decoder) {
        let encoding = Encoding::sniff(match &body {
            Body::Whole(bytes) | Body::Streaming { first: bytes, .. } => bytes,
        });
        let (decoder, feed) = match (encoding, body) {
            (Encoding::Parquet, body) => {
                let decoder = ParquetDecoder::new(Arc::clone(&scan.wanted), object.size);
                let (decoder, whole) = match body {
                    Body::Whole(whole) => (decoder, Some(whole)),
                    Body::Streaming { .. } => (decoder.by_pages(), None),
                };
                (Decoder::Parquet(Box::new(decoder)), Feed::Ranges { whole, source: Arc::clone(source), object: object.clone() })
            }
            (_, body) => {
                let of_flow_log = || scan.tagger.inventory().layout_of_flow_log(object.key.flow_log_id.as_deref()?);
                let layout = scan.log_format.clone().or_else(of_flow_log);
                let headerless = Headerless { layout, log_groups: Arc::clone(log_groups) };
                let mut decoder = ObjectDecoder::new(Arc::clone(&scan.wanted), headerless);
                let (first, rest, is_last) = match body {
                    Body::Whole(whole) => (whole, None, true),
                    Body::Streaming { first, rest } => (first, rest, false),
                };
                decoder.push(first, is_last);
                (Decoder::Text(Box::new(decoder)), Feed::Stored(rest))
            }
        };
        let from = Provenance { log_object: Arc::clone(&object.uri), flow_log_id: object.key.flow_log_id.clone() };
        (Open { at, encoding, from, feed }, decoder)
    }

    /// Steps the decoder to its end, giving it what it asks for and passing on what it makes.
    async fn drive(
        mut self,
        mut at_work: AtWork,
        scan: &Scan,
        sink: &mpsc::Sender<Result<Part>>,
        intake: &Intake,
        is_core_idle: impl Fn() -> bool,
    ) -> Outcome {
        let at = self.at;
        let Some(Input { object, .. }) = scan.inputs.get(at) else { return Outcome::Broken(Error::failed("no such object")) };
        let mut ahead = None;
        loop {
            let stepped = match at_work {
                AtWork::Stepped(stepped) => stepped,
                AtWork::Rests(mut decoder) => {
                    // A big object keeps two threads busy where there is one to spare; else it is better off in the cache of one.
                    if ahead.is_none() && is_core_idle() {
                        ahead = decoder.detach().map(|inflating| start_on_cpu(|| inflating.run()));
                    }
                    let (tagger, from) = (Arc::clone(&scan.tagger), self.from.clone());
                    on_cpu(move || {
                        let steps = steps(&mut decoder, at, &tagger, &from);
                        (decoder, steps)
                    })
                    .await
                }
            };
            let (mut decoder, Steps { parts, then }) = match stepped {
                Ok((decoder, Ok(steps))) => (decoder, steps),
                Ok((_, Err(error))) => return Outcome::Broken(error),
                Err(panic) => return Outcome::Done { at, read: ObjectRead::unreadable(object, &panic) },
            };
            for part in parts {
                intake.progress.rows.fetch_add(part.batch.num_rows() as u64, Ordering::Relaxed);
                if sink.send(Ok(part)).await.is_err() {
                    return Outcome::SinkGone;
                }
            }
            match then {
                Then::Goes => {}
                Then::Hungry(ranges) => match ahead.take() {
                    None => self.feed.give(&mut decoder, ranges).await,
                    Some(inflating) => match inflating.await {
                        Ok(inflated) => decoder.attach(inflated),
                        Err(panic) => return Outcome::Done { at, read: ObjectRead::unreadable(object, &panic) },
                    },
                },
                Then::Done(fault) => {
                    return Outcome::Done { at, read: ObjectRead::read(object, decoder.tally().clone(), self.encoding, fault) };
                }
            }
            at_work = AtWork::Rests(decoder);
        }
    }
}

/// Steps the decoders of a group, until there is a batch's worth; those left over are stepped one by one.
fn stepped_once(open: Vec<(Open, Decoder)>, tagger: &Tagger) -> Vec<(Open, AtWork)> {
    let mut worth = 0;
    let step = |(object, mut decoder): (Open, Decoder)| {
        if worth >= BATCH_ROWS {
            return (object, AtWork::Rests(decoder));
        }
        let stepped = caught(|| {
            let steps = steps(&mut decoder, object.at, tagger, &object.from);
            (decoder, steps)
        });
        if let Ok((_, Ok(steps))) = &stepped {
            worth += steps.parts.iter().map(Part::worth).sum::<usize>();
        }
        (object, AtWork::Stepped(stepped))
    };
    open.into_iter().map(step).collect()
}

/// What some steps of a decoder came to.
struct Steps {
    parts: Vec<Part>,
    then: Then,
}

enum Then {
    Goes,
    Hungry(Vec<Range<u64>>),
    Done(Option<String>),
}

/// Steps a decoder until there is a batch's worth, or nothing more to do. A small object is done in one go: to hand it from thread
/// to thread costs more than to decode it.
fn steps(decoder: &mut Decoder, object: usize, tagger: &Tagger, from: &Provenance) -> Result<Steps> {
    let (mut parts, mut worth) = (Vec::new(), 0);
    let then = loop {
        match decoder.step()? {
            Step::Decoded(Decoded { batch, rejects }) => {
                let part = Part { object, batch: tagger.tag(&batch, from)?, rejects, fields: decoder.tally().fields_max() };
                worth += part.worth();
                parts.push(part);
                if worth >= BATCH_ROWS {
                    break Then::Goes;
                }
            }
            Step::Hungry => break Then::Hungry(Vec::new()),
            Step::Needs(ranges) => break Then::Hungry(ranges),
            Step::Done(fault) => break Then::Done(fault),
        }
    };
    Ok(Steps { parts, then })
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
    /// What is read on.
    Stored(Option<mpsc::Receiver<Result<Bytes>>>),
    Ranges {
        whole: Option<Bytes>,
        source: Arc<dyn Source>,
        object: Object,
    },
}

impl Feed {
    async fn give(&mut self, decoder: &mut Decoder, ranges: Vec<Range<u64>>) {
        let given = match (self, &mut *decoder) {
            (Feed::Stored(rest), Decoder::Text(decoder)) => stored(rest).await.map(|(bytes, last)| decoder.push(bytes, last)),
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

async fn stored(rest: &mut Option<mpsc::Receiver<Result<Bytes>>>) -> Result<(Bytes, bool)> {
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
        // The receiver is gone only when the run was cancelled, or the object ended.
        let _ = done.send(caught(work));
    });
    async { result.await.unwrap_or_else(|_| Err(Error::failed("the thread pool stopped"))) }
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    outcome.map_err(|_| Error::failed("the decoder could not cope with this object"))
}
