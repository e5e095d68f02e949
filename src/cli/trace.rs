//! `flowproof evidence trace`: from a figure to its log lines, from a line to its figures, and a sample to check by hand.

use super::evidence::judge;
use super::output::{self, OutputArgs};
use super::run::{LogsArgs, S3Args};
use super::{Context, Status, catalogue};
use crate::config::parse_size;
use crate::enrich::{Derived, FlowColumn};
use crate::error::{Error, Kind, Result, printable};
use crate::evidence::digest::Digest;
use crate::evidence::raw_lines::{RawLines, fetch};
use crate::evidence::trace::{Figure, Summed, Target, Trace, shown};
use crate::evidence::unpacked::Unpacked;
use crate::evidence::{PublicKey, Surroundings, verify};
use crate::pipeline::Input;
use crate::query::part_columns::PartColumns;
use crate::query::traced::{Found, Place};
use crate::query::{Engine, Logs, MEMORY_LIMIT_DEFAULT};
use crate::report::{Format, page, renderer, value};
use crate::time::parse_instant;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches that wait to be written.
const BATCHES_IN_FLIGHT_MAX: usize = 4;

/// Columns of a record as they are shown.
const SHOWN: [&str; 17] = [
    "log_object",
    "log_line",
    "start",
    "end",
    "interface_id",
    "srcaddr",
    "srcport",
    "dstaddr",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "action",
    "log_status",
    "direction",
    "cluster",
    "flow_log_id",
];

/// Options of `evidence trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Bundle: its folder, or the zip of it
    #[arg(value_name = "DIR|ZIP")]
    bundle: PathBuf,
    /// Destination (ADDRESS, ADDRESS:PORT, [V6]:PORT, "ADDRESS tcp/PORT"), control-plane interface (eni-…), or line (s3://bucket/x.log.gz:18422)
    #[arg(value_name = "DESTINATION|LINE", required_unless_present = "sample", conflicts_with = "sample")]
    target: Option<String>,
    /// Public key (PEM) to verify the bundle with first; without it, nothing is verified
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The logs of the bundle, for the text of each line: s3://bucket/prefix, folders, files (repeatable)
    #[arg(long, value_name = "LOGS", num_args = 1..)]
    inputs: Vec<String>,
    /// Only this cluster, by name or ARN
    #[arg(long, value_name = "NAME|ARN", conflicts_with = "sample")]
    cluster: Option<String>,
    /// Write at most so many records; sums are over all of them
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Draw so many records out of all, as a sheet to check by hand
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    sample: Option<u32>,
    /// What the draw starts from: the same seed draws the same records
    #[arg(long, value_name = "TEXT", default_value = "1", requires = "sample")]
    seed: String,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    s3: S3Args,
}

/// Runs the command.
///
/// # Errors
/// If the bundle or the logs cannot be read; of kind [`Kind::Unverified`] if the bundle does not verify, its figures are not what its
/// records come to, or an object is not the one that was sealed.
pub async fn run(args: TraceArgs, context: &Context) -> Result<Status> {
    let target = args.target.as_deref().map(Target::parse).transpose()?;
    let memory_limit = context.file.memory_limit.as_deref().and_then(parse_size).unwrap_or(MEMORY_LIMIT_DEFAULT);
    let spill_dir = context.file.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
    let key = args.key.as_deref().map(PublicKey::read).transpose()?;
    let bundle = args.bundle.clone();
    let trace = blocking(move || {
        let unpacked = Unpacked::open(&bundle, &spill_dir)?;
        match &key {
            None => tracing::warn!("nothing of this was verified: give the signer's public key with --key"),
            Some(key) => {
                judge(&verify(&unpacked.contents, key, &Surroundings::default()), bundle.display().to_string())
                    .map_err(|error| error.with_hint("flowproof evidence verify says what is wrong with it"))?;
            }
        }
        Trace::open(unpacked, memory_limit, &spill_dir)
    });
    let trace = Arc::new(trace.await?);
    let logs = if args.inputs.is_empty() { None } else { Some(args.logs(&trace).open(context).await?) };
    match target {
        Some(Target::Line(place)) => line(&args, trace, logs, place).await,
        Some(target) => behind(&args, trace, logs, target).await,
        None => sample(&args, trace, logs).await,
    }
}

impl TraceArgs {
    fn logs(&self, trace: &Trace) -> LogsArgs {
        LogsArgs::at(self.inputs.clone(), self.s3.clone(), trace.log_format.clone())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::failed("the trace broke off").caused_by(error))?
}

/// Batches of records as they are found, on a thread of their own.
type Batches = mpsc::Receiver<Result<(RecordBatch, Vec<Found>)>>;

fn batches(find: impl FnOnce(&mut dyn FnMut(RecordBatch, Vec<Found>) -> Result<bool>) -> Result<()> + Send + 'static) -> Batches {
    let (sink, batches) = mpsc::channel(BATCHES_IN_FLIGHT_MAX);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = find(&mut |batch, found| Ok(sink.blocking_send(Ok((batch, found))).is_ok())) {
            let _ = sink.blocking_send(Err(error));
        }
    });
    batches
}

/// The records behind a destination or of an interface.
async fn behind(args: &TraceArgs, trace: Arc<Trace>, logs: Option<Arc<Logs>>, target: Target) -> Result<Status> {
    let (of, cluster, what) = (Arc::clone(&trace), args.cluster.clone(), target.clone());
    let summed = blocking(move || of.sum(&what, cluster.as_deref())).await?;
    if summed.roles.is_empty() && summed.destinations.is_empty() {
        let hint = format!("{} records were looked through; flowproof evidence show lists what the bundle holds", trace.records());
        let what = args.target.as_deref().unwrap_or_default();
        return Err(Error::failed(format!("the bundle has no record of {what}")).at(args.bundle.display().to_string()).with_hint(hint));
    }
    let mut out = output::stdout();
    if args.output.format() == Format::Table {
        out.write_all(head(&summed).as_bytes())?;
        out.flush()?;
    }
    let mut raw = Raw::new(&trace, logs, &summed.objects)?;
    let (of, cluster) = (Arc::clone(&trace), args.cluster.clone());
    let found = batches(move |take| of.behind(&target, cluster.as_deref(), take));
    write(args, found, &mut raw, false).await?;
    raw.outcome()?;
    if !summed.agrees() {
        for traces in summed.destinations.iter().filter(|traces| !traces.agree()) {
            let row = &traces.reported;
            let differ = traces.figures().into_iter().filter(|(_, reported, found)| reported != found);
            let differ: Vec<String> = differ.map(|(name, reported, found)| format!("{name}: {reported} reported, {found} found")).collect();
            tracing::warn!("{}", printable(&format!("{} {}:{}: {}", row.cluster, row.dst_addr, row.dst_port, differ.join("; "))));
        }
        let what = "the records are not what the results say";
        let more =
            if summed.unreported > 0 { format!(": {} records of no reported destination", summed.unreported) } else { String::new() };
        return Err(Error::new(Kind::Unverified, format!("{what}{more}")).with_hint("rely on neither; ask the sender how it was made"));
    }
    Ok(Status::Done)
}

/// What the results say, beside what the records come to.
fn head(summed: &Summed) -> String {
    let mut text = String::new();
    for traces in &summed.destinations {
        let row = &traces.reported;
        let protocol = crate::query::functions::protocol_name(row.protocol.into()).unwrap_or_else(|| format!("protocol {}", row.protocol));
        let verdict = row.verdict.as_deref().unwrap_or("not judged");
        let by = row.approved_by.as_deref().map(|by| format!(", by {by}")).unwrap_or_default();
        let title = format!("{}  {} {}/{}  {verdict}{by}", row.cluster, row.dst_addr, protocol.to_lowercase(), row.dst_port);
        text += &format!("{}\n", printable(&title));
        let cells = |(name, reported, found): (&str, String, String)| {
            let same = if reported == found { "agrees" } else { "DIFFERS" };
            vec![name.to_owned(), printable(&reported).into_owned(), printable(&found).into_owned(), same.to_owned()]
        };
        let lines = |(name, ..): &(&str, String, String)| name.ends_with("line");
        let figures = traces.figures();
        let rows: Vec<Vec<String>> = figures.iter().filter(|figure| !lines(figure)).cloned().map(cells).collect();
        text += &page::table(&[("figure", false, None), ("reported", true, None), ("records", true, None), ("", false, None)], &rows);
        for (name, reported, found) in figures.iter().filter(|figure| lines(figure)) {
            let same = if reported == found { "among them" } else { "NOT AMONG THEM" };
            text += &format!("  {name}  {}  {same}\n", printable(reported));
        }
        if traces.sums.set_aside > 0 {
            text += &format!("  {} records that another flow log wrote too are set aside\n", traces.sums.set_aside);
        }
        text.push('\n');
    }
    let roles: Vec<String> = summed.roles.iter().map(|(role, count)| format!("{count} {}", role.name())).collect();
    text += &format!("records of it: {}\n\n", roles.join(", "));
    text
}

async fn sample(args: &TraceArgs, trace: Arc<Trace>, logs: Option<Arc<Logs>>) -> Result<Status> {
    let count = args.sample.unwrap_or(1) as usize;
    tracing::info!("{count} of {} records, by the least SHA-256 of SEED:OBJECT:LINE, seed {:?}", trace.records(), args.seed);
    let (of, seed) = (Arc::clone(&trace), args.seed.clone());
    let objects = blocking(move || {
        let mut objects = BTreeSet::new();
        of.sample(count, &seed, |batch, _| {
            objects.extend((0..batch.num_rows()).map(|at| place(&batch, at).0));
            Ok(true)
        })?;
        Ok(objects)
    });
    let mut raw = Raw::new(&trace, logs, &objects.await?)?;
    let (of, seed) = (Arc::clone(&trace), args.seed.clone());
    let found = batches(move |take| of.sample(count, &seed, take));
    write(args, found, &mut raw, true).await?;
    raw.outcome()?;
    Ok(Status::Done)
}

/// The figures of a line.
async fn line(args: &TraceArgs, trace: Arc<Trace>, logs: Option<Arc<Logs>>, place: Place) -> Result<Status> {
    let (of, at) = (Arc::clone(&trace), place.clone());
    let mut figures = blocking(move || of.figures(&at)).await?;
    let mut raw = Raw::new(&trace, logs.clone(), &BTreeSet::from([place.0.clone()]))?;
    let text = raw.text(&place).await?;
    raw.outcome()?;
    if figures.is_empty() {
        let Some(logs) = logs else {
            return Err(Error::failed("the bundle has no record of a control plane there")
                .at(shown(&place))
                .with_hint("with --inputs LOGS it is said what stands there, and why it entered no figure"));
        };
        let input = raw.input(&place.0).cloned().ok_or_else(|| Error::failed("--inputs has no such object").at(shown(&place)))?;
        figures.push(elsewhere(logs, input, &place, &trace).await?);
    }
    if let Some(text) = text {
        let raw = Figure { figure: "raw", subject: format!("{}:{}", place.0, place.1), verdict: String::new(), says: text };
        figures.insert(0, raw);
    }
    let texts = |of: fn(&Figure) -> &str| -> ArrayRef { Arc::new(figures.iter().map(|figure| Some(of(figure))).collect::<StringArray>()) };
    let columns = [
        ("figure", texts(|figure| figure.figure)),
        ("subject", texts(|figure| &figure.subject)),
        ("verdict", texts(|figure| &figure.verdict)),
        ("says", texts(|figure| &figure.says)),
    ];
    catalogue::write(args.output, &columns)
}

/// Why a line of the logs is no record of the bundle.
async fn elsewhere(logs: Arc<Logs>, input: Input, (object, line): &Place, trace: &Trace) -> Result<Figure> {
    let subject = format!("{object}:{line}");
    let figure = |verdict: &str, says: String| Figure { figure: "record", subject: subject.clone(), verdict: verdict.to_owned(), says };
    let logs = Arc::try_unwrap(logs).map_err(|_| Error::failed("the logs are in use"))?;
    let engine = Engine::new(&Arc::new(Logs { inputs: Arc::from([input]), ..logs }))?;
    let sql = format!("SELECT reason, detail FROM rejects WHERE log_line = {line}");
    let first = |batches: Vec<RecordBatch>| batches.into_iter().find(|batch| batch.num_rows() > 0);
    let cell = |batch: &RecordBatch, at: usize| batch.columns().get(at).and_then(|column| value::text(column, 0)).unwrap_or_default();
    if let Some(batch) = first(engine.collect(&sql, &[]).await?.1) {
        return Ok(figure("rejected", format!("it is not a record: {} {}", cell(&batch, 0), cell(&batch, 1))));
    }
    let sql = format!("SELECT interface_id, start FROM flows WHERE log_line = {line}");
    let Some(batch) = first(engine.collect(&sql, &[]).await?.1) else {
        return Ok(figure("none", "no record stands there: a header, an empty line, or nothing".to_owned()));
    };
    let (interface, start) = (cell(&batch, 0), cell(&batch, 1).parse::<i64>().ok());
    let period = &trace.results.period;
    let (from, to) = (parse_instant(&period.from, 0), parse_instant(&period.to, 0));
    let before = start.zip(from).is_some_and(|(start, from)| start < from);
    let after = start.zip(to).is_some_and(|(start, to)| start >= to);
    if before || after {
        return Ok(figure("outside", format!("it starts outside the period from {} to {}", period.from, period.to)));
    }
    if interface.is_empty() {
        return Ok(figure("unattributed", "it names no interface".to_owned()));
    }
    if !trace.results.clusters.iter().any(|cluster| cluster.interfaces.contains(&interface)) {
        return Ok(figure("another", format!("it is of {interface}, which is no control-plane interface of the clusters in scope")));
    }
    Err(Error::new(Kind::Unverified, format!("it is a record of {interface}, and the bundle does not have it"))
        .at(shown(&(object.clone(), *line))))
}

fn place(batch: &RecordBatch, at: usize) -> Place {
    let columns = PartColumns(batch);
    let objects = columns.texts(FlowColumn::Derived(Derived::LogObject));
    let lines = columns.int64s(FlowColumn::Derived(Derived::LogLine));
    let object = objects.is_valid(at).then(|| objects.value(at).to_owned());
    (object.unwrap_or_default(), if lines.is_valid(at) { lines.value(at) } else { 0 })
}

/// Writes records as they come.
async fn write(args: &TraceArgs, mut found: Batches, raw: &mut Raw, is_sample: bool) -> Result<()> {
    let mut out = output::stdout();
    let (mut left, mut number) = (args.limit.unwrap_or(usize::MAX), 0);
    let schema = rows_schema(raw.is_asked(), is_sample)?;
    let mut writer = renderer(args.output.format(), &schema, &mut out)?;
    while let Some(batch) = found.recv().await {
        let (batch, found) = batch?;
        let count = batch.num_rows().min(left);
        let batch = batch.slice(0, count);
        let mut columns: Vec<ArrayRef> = Vec::new();
        if is_sample {
            columns.push(Arc::new((0..count as i64).map(|at| Some(number + at + 1)).collect::<Int64Array>()));
        }
        number += count as i64;
        for name in SHOWN {
            columns.push(batch.column_by_name(name).cloned().ok_or_else(|| Error::failed(format!("the records have no column {name}")))?);
        }
        columns.push(Arc::new(found.iter().take(count).map(|found| Some(found.role.name())).collect::<StringArray>()));
        if raw.is_asked() {
            let mut texts = Vec::with_capacity(count);
            for at in 0..count {
                texts.push(raw.text(&place(&batch, at)).await?);
            }
            columns.push(Arc::new(StringArray::from(texts)));
        }
        if is_sample {
            columns.push(Arc::new(StringArray::new_null(count)));
        }
        writer.batch(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
        left -= count;
        if left == 0 {
            break;
        }
    }
    writer.end()?;
    drop(writer);
    Ok(out.flush()?)
}

fn rows_schema(with_raw: bool, is_sample: bool) -> Result<SchemaRef> {
    let text = |name: &str| Field::new(name, arrow::datatypes::DataType::Utf8, true);
    let mut fields = Vec::new();
    if is_sample {
        fields.push(Field::new("no", arrow::datatypes::DataType::Int64, true));
    }
    let recorded = crate::enrich::schema(&crate::query::recorded_file::columns());
    for name in SHOWN {
        fields.push(recorded.field_with_name(name)?.clone().with_nullable(true));
    }
    fields.push(text("role"));
    if with_raw {
        fields.push(text("raw"));
    }
    if is_sample {
        fields.push(text("checked"));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The texts of lines, from the logs that were given: each object is fetched once, and used only if it is the one that was sealed.
struct Raw {
    spill_dir: PathBuf,
    inputs: Option<BTreeMap<String, Input>>,
    /// Inputs by the last part of their names, where that is theirs alone: the logs may have been copied elsewhere.
    by_name: BTreeMap<String, Option<Input>>,
    digests: BTreeMap<String, Option<Digest>>,
    open: Option<(String, Option<RawLines>)>,
    differ: u64,
}

impl Raw {
    fn new(trace: &Trace, logs: Option<Arc<Logs>>, objects: &BTreeSet<String>) -> Result<Raw> {
        let inputs = logs.as_ref().map(|logs| logs.inputs.iter().map(|input| (input.object.uri.to_string(), input.clone())).collect());
        let mut by_name: BTreeMap<String, Option<Input>> = BTreeMap::new();
        for input in logs.iter().flat_map(|logs| logs.inputs.iter()) {
            let alone = by_name.entry(last_part(&input.object.uri).to_owned());
            alone.and_modify(|input| *input = None).or_insert_with(|| Some(input.clone()));
        }
        let digests = if logs.is_some() { trace.digests(objects)? } else { BTreeMap::new() };
        let spill_dir = logs.as_ref().map_or_else(std::env::temp_dir, |logs| logs.spill_dir.clone());
        Ok(Raw { spill_dir, inputs, by_name, digests, open: None, differ: 0 })
    }

    fn is_asked(&self) -> bool {
        self.inputs.is_some()
    }

    fn input(&self, object: &str) -> Option<&Input> {
        let inputs = self.inputs.as_ref()?;
        inputs.get(object).or_else(|| self.by_name.get(last_part(object))?.as_ref())
    }

    /// Returns the text of a line; `None`, and a warning, if there is none that can be relied on.
    async fn text(&mut self, place: &Place) -> Result<Option<String>> {
        if !self.is_asked() {
            return Ok(None);
        }
        if self.open.as_ref().is_none_or(|(object, _)| *object != place.0) {
            let lines = self.open(&place.0).await?;
            self.open = Some((place.0.clone(), lines));
        }
        let Some((_, Some(lines))) = &mut self.open else { return Ok(None) };
        match lines.line(u64::try_from(place.1).unwrap_or(0)) {
            Ok(text) => Ok(Some(text)),
            Err(why) => {
                tracing::warn!("{}: {why}", shown(place));
                Ok(None)
            }
        }
    }

    async fn open(&mut self, object: &str) -> Result<Option<RawLines>> {
        let Some(input) = self.input(object) else {
            tracing::warn!("{}: --inputs has no such object", printable(object));
            return Ok(None);
        };
        let (digest, stored) = fetch(input, &self.spill_dir).await?;
        match self.digests.get(object) {
            Some(Some(sealed)) if *sealed == digest => Ok(Some(RawLines::open(stored)?)),
            Some(Some(sealed)) => {
                tracing::warn!("{}: not the object that was sealed: it has {digest}, sealed is {sealed}", printable(object));
                self.differ += 1;
                Ok(None)
            }
            Some(None) | None => {
                tracing::warn!("{}: the bundle has no digest of it, so nothing says that it is the same", printable(object));
                Ok(Some(RawLines::open(stored)?))
            }
        }
    }

    fn outcome(&self) -> Result<()> {
        match self.differ {
            0 => Ok(()),
            count => Err(Error::new(Kind::Unverified, format!("{count} objects are not those that were sealed"))
                .with_hint("their texts are left out; what the bundle says of them cannot be checked against these files")),
        }
    }
}

fn last_part(uri: &str) -> &str {
    uri.rsplit('/').next().unwrap_or(uri)
}
