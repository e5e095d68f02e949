//! The way from a figure of a bundle to the log lines behind it, and from a line to the figures that it entered.
//!
//! The records stand in the bundle; which connection each belongs to is worked out anew from them and the inventory, and the sums of
//! what is found are laid beside what the results say.

use super::digest::Digest;
use super::inputs::is_part_of_list;
use super::payload::{PARAMS, Params, RECORDS, RESULTS};
use super::results::{Destination, Results};
use super::unpacked::{Unpacked, as_it_was};
use crate::enrich::{Derived, FlowColumn};
use crate::error::{Error, Result, printable};
use crate::flow::field::id;
use crate::inventory::{Inventory, Options};
use crate::query::biflow::Ends;
use crate::query::functions::protocol_name;
use crate::query::part_columns::{PartColumns, int64, text};
use crate::query::traced::{Found, Place, Role, Traced, Wanted};
use crate::time::{DAY, UnixSeconds, parse_instant, rfc3339};
use arrow::array::RecordBatch;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Most records of a sample: what people can check by hand is far less.
pub const SAMPLE_MAX: usize = 100_000;

/// What is traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A destination: address, port, protocol.
    Destination(IpAddr, Option<u16>, Option<u8>),
    /// A control-plane interface.
    Interface(String),
    /// A line of an object.
    Line(Place),
}

impl Target {
    /// Reads `ADDRESS`, `ADDRESS:PORT`, `[V6]:PORT`, `ADDRESS PROTOCOL/PORT`, `eni-…` or `OBJECT:LINE`.
    ///
    /// # Errors
    /// A usage error with the forms.
    pub fn parse(written: &str) -> Result<Target> {
        let addr = |text: &str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse::<IpAddr>().ok();
        if let Some(addr) = addr(written) {
            return Ok(Target::Destination(addr, None, None));
        }
        if let Ok(both) = written.parse::<SocketAddr>() {
            return Ok(Target::Destination(both.ip(), Some(both.port()), None));
        }
        if let Some((Some(addr), named)) = written.split_once(' ').map(|(first, rest)| (addr(first), rest)) {
            let (protocol, port) = named.split_once('/').map_or((named, None), |(protocol, port)| (protocol, Some(port)));
            let number = protocol.strip_prefix("protocol ").unwrap_or(protocol).parse().ok();
            let by_name =
                || (0..=u8::MAX).find(|number| protocol_name((*number).into()).is_some_and(|name| name.eq_ignore_ascii_case(protocol)));
            if let (Some(protocol), Ok(port)) = (number.or_else(by_name), port.map(str::parse).transpose()) {
                return Ok(Target::Destination(addr, port, Some(protocol)));
            }
        }
        if written.starts_with("eni-") {
            return Ok(Target::Interface(written.to_owned()));
        }
        match written.rsplit_once(':').map(|(object, line)| (object, line.parse::<i64>())) {
            Some((object, Ok(line))) if line > 0 && !object.is_empty() => Ok(Target::Line((object.to_owned(), line))),
            _ => Err(Error::usage(format!("{written:?} is neither a destination nor a line"))
                .with_hint("write 10.0.0.1, 10.0.0.1:443, [fd00::1]:443, \"10.0.0.1 tcp/443\", eni-0a1b… or s3://bucket/key.log.gz:18422")),
        }
    }

    fn wanted(&self) -> Wanted {
        match self {
            Target::Destination(addr, port, protocol) => Wanted::Peer { addr: *addr, port: *port, protocol: *protocol },
            Target::Interface(interface) => Wanted::Interface(interface.clone()),
            Target::Line(place) => Wanted::Places(HashSet::from([place.clone()])),
        }
    }
}

/// Sums over the records that were found of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests that were accepted.
    pub records_accepted: u64,
    /// Requests that were rejected.
    pub records_rejected: u64,
    /// Bytes of accepted requests.
    pub bytes_accepted: u64,
    /// Bytes of accepted replies.
    pub reply_bytes: u64,
    /// Replies.
    pub replies: u64,
    /// Records of the same other end that another flow log wrote too.
    pub set_aside: u64,
    /// Least `start` and greatest `end` of requests.
    requests_seen: (Option<UnixSeconds>, Option<UnixSeconds>),
    /// First and last time of any record: what counts where requests lack one.
    seen: (Option<UnixSeconds>, Option<UnixSeconds>),
    has_first_line: bool,
    has_last_line: bool,
}

/// A destination's row in the results, beside what its records come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// The row.
    pub reported: Destination,
    /// The sums.
    pub sums: Sums,
}

impl Traces {
    /// Returns each figure as it is reported and as the records have it.
    pub fn figures(&self) -> Vec<(&'static str, String, String)> {
        let (row, sums) = (&self.reported, &self.sums);
        let (requests, all) = (sums.requests_seen, sums.seen);
        let time = |t: Option<UnixSeconds>| t.map(rfc3339).unwrap_or_default();
        let there = |is: bool, line: &str| if is { line.to_owned() } else { "not among them".to_owned() };
        vec![
            ("records accepted", row.records_accepted.to_string(), sums.records_accepted.to_string()),
            ("records rejected", row.records_rejected.to_string(), sums.records_rejected.to_string()),
            ("bytes accepted", row.bytes_accepted.to_string(), sums.bytes_accepted.to_string()),
            ("reply bytes", row.reply_bytes.to_string(), sums.reply_bytes.to_string()),
            ("first seen", row.first_seen.clone().unwrap_or_default(), time(requests.0.or(all.0))),
            ("last seen", row.last_seen.clone().unwrap_or_default(), time(requests.1.or(all.1))),
            ("first line", row.first_line.clone(), there(sums.has_first_line, &row.first_line)),
            ("last line", row.last_line.clone(), there(sums.has_last_line, &row.last_line)),
        ]
    }

    /// Returns whether the records come to what is reported.
    pub fn agree(&self) -> bool {
        self.figures().iter().all(|(_, reported, found)| reported == found)
    }
}

/// What a trace of a destination or interface found.
#[derive(Debug, Default)]
pub struct Summed {
    /// Destinations of the results, in their order.
    pub destinations: Vec<Traces>,
    /// Records by what they count as.
    pub roles: BTreeMap<Role, u64>,
    /// Records of requests and replies that belong to no destination of the results.
    pub unreported: u64,
    /// Objects that hold what was found.
    pub objects: BTreeSet<String>,
}

impl Summed {
    /// Returns whether the records come to what the results say.
    pub fn agrees(&self) -> bool {
        self.unreported == 0 && self.destinations.iter().all(Traces::agree)
    }
}

/// A figure that a line entered, or why it entered none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// `record`, `destination`, `exception`, `statement`.
    pub figure: &'static str,
    /// What it is about.
    pub subject: String,
    /// What is concluded.
    pub verdict: String,
    /// In words.
    pub says: String,
}

/// A bundle whose figures can be traced.
#[derive(Debug)]
pub struct Trace {
    /// The bundle.
    pub unpacked: Unpacked,
    /// What it says.
    pub results: Results,
    /// Fields of objects without a header, as they were given.
    pub log_format: Option<String>,
    traced: Traced,
}

/// What a record is in the results: cluster, address, port, protocol.
type Key = (String, IpAddr, u16, u8);

impl Trace {
    /// Reads the results, the inventory and the records of a bundle.
    ///
    /// # Errors
    /// If one of them is missing, or not of the form that is read here.
    pub fn open(unpacked: Unpacked, memory_limit: usize, spill_dir: &Path) -> Result<Trace> {
        let results: Results = unpacked.json(RESULTS)?;
        let params: Params = unpacked.json(PARAMS)?;
        let as_of = params.inventory_as_of.as_deref().and_then(|text| parse_instant(text, 0));
        let inventory = Arc::new(Inventory::from_files(unpacked.inventory()?, &Options { as_of })?);
        let records = unpacked.file(RECORDS)?;
        let traced = Traced::open(records.path(), inventory, memory_limit, spill_dir)?;
        Ok(Trace { unpacked, results, log_format: params.log_format, traced })
    }

    /// Returns how many records the bundle holds.
    pub fn records(&self) -> u64 {
        self.traced.records()
    }

    /// Sums the records of a destination or interface; with `cluster`, of that name or ARN only.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub fn sum(&self, target: &Target, cluster: Option<&str>) -> Result<Summed> {
        let mut summed = Summed::default();
        let mut keys: BTreeMap<Key, usize> = BTreeMap::new();
        for row in self.results.destinations.iter().filter(|row| is_of(row, target, cluster)) {
            let Some(key) = key_of(row) else { continue };
            keys.insert(key, summed.destinations.len());
            summed.destinations.push(Traces { reported: row.clone(), sums: Sums::default() });
        }
        self.records_of(target, cluster, |batch, found| {
            let columns = Columns::new(&batch);
            for (at, found) in found.iter().enumerate() {
                *summed.roles.entry(found.role).or_default() += 1;
                summed.objects.insert(columns.place(at).0);
                let key = found.ends.map(|ends| (columns.cluster_arn(at).to_owned(), ends.peer, ends.peer_port, ends.protocol));
                let of = key.and_then(|key| keys.get(&key)).and_then(|at| summed.destinations.get_mut(*at));
                match of {
                    Some(traces) => columns.add(at, found.role, traces),
                    None if matches!(found.role, Role::Request | Role::Reply) && matches!(target, Target::Destination(..)) => {
                        summed.unreported += 1;
                    }
                    None => {}
                }
            }
            Ok(true)
        })?;
        Ok(summed)
    }

    /// Hands on the records of a target in the order of their places; of a destination those that its figures are made of.
    ///
    /// # Errors
    /// If the records cannot be read, or `take` fails.
    pub fn behind(
        &self,
        target: &Target,
        cluster: Option<&str>,
        mut take: impl FnMut(RecordBatch, Vec<Found>) -> Result<bool>,
    ) -> Result<()> {
        let counts = |found: &Found| !matches!(target, Target::Destination(..)) || matches!(found.role, Role::Request | Role::Reply);
        self.records_of(target, cluster, |batch, found| {
            let (batch, found) = kept(&batch, &found, |at| found.get(at).is_some_and(counts))?;
            if found.is_empty() { Ok(true) } else { take(batch, found) }
        })
    }

    fn records_of(
        &self,
        target: &Target,
        cluster: Option<&str>,
        mut take: impl FnMut(RecordBatch, Vec<Found>) -> Result<bool>,
    ) -> Result<()> {
        self.traced.find(&target.wanted(), |batch, found| {
            let columns = Columns::new(&batch);
            let (batch, found) = kept(&batch, &found, |at| cluster.is_none_or(|cluster| columns.is_cluster(at, cluster)))?;
            if found.is_empty() { Ok(true) } else { take(batch, found) }
        })
    }

    /// Draws `count` records by the least SHA-256 digests of `SEED:OBJECT:LINE`, and hands them on in the order of their places.
    ///
    /// # Errors
    /// If the records cannot be read, or `take` fails.
    pub fn sample(&self, count: usize, seed: &str, take: impl FnMut(RecordBatch, Vec<Found>) -> Result<bool>) -> Result<()> {
        let count = count.min(SAMPLE_MAX);
        let mut drawn: BinaryHeap<(Digest, Place)> = BinaryHeap::new();
        self.traced.places(|object, line| {
            let digest = Digest::of(format!("{seed}:{object}:{line}").as_bytes());
            if drawn.len() < count || drawn.peek().is_some_and(|(greatest, _)| digest < *greatest) {
                drawn.push((digest, (object.to_owned(), line)));
                if drawn.len() > count {
                    drawn.pop();
                }
            }
        })?;
        self.traced.find(&Wanted::Places(drawn.into_iter().map(|(_, place)| place).collect()), take)
    }

    /// Returns the figures that the record at a place entered; none if the bundle has no such record.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub fn figures(&self, place: &Place) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        self.traced.find(&Target::Line(place.clone()).wanted(), |batch, found| {
            let columns = Columns::new(&batch);
            for (at, found) in found.iter().enumerate() {
                self.figures_of(&columns, at, *found, &mut figures);
            }
            Ok(true)
        })?;
        Ok(figures)
    }

    fn figures_of(&self, columns: &Columns, at: usize, found: Found, figures: &mut Vec<Figure>) {
        let line = columns.line(at);
        let (arn, interface) = (columns.cluster_arn(at), columns.interface(at));
        let label = found.ends.map(|ends| label(&ends));
        let name = label.clone().unwrap_or_default();
        let says = match found.role {
            Role::Request => format!("the API server sent it to {name}"),
            Role::Reply => format!("{name} answered the API server"),
            Role::Inbound => format!("{name} opened the connection: it is no destination of the API server"),
            Role::Undecided => format!("nobody can say whether the API server or {name} opened the connection"),
            Role::Undirected => "it has no direction, and enters no connection".to_owned(),
            Role::SetAside => "another flow log recorded the interface in the same hour and counts: this one is set aside".to_owned(),
            Role::Coverage => "it tells no traffic; it counts for the coverage of its hour".to_owned(),
            Role::Stranger => "the inventory in the bundle does not know its interface".to_owned(),
        };
        figures.push(Figure { figure: "record", subject: interface.to_owned(), verdict: found.role.name().to_owned(), says });
        if matches!(found.role, Role::SetAside | Role::Stranger) {
            return;
        }
        let is_destination = |row: &&Destination| {
            let key = found.ends.map(|ends| (arn.to_owned(), ends.peer, ends.peer_port, ends.protocol));
            matches!(found.role, Role::Request | Role::Reply) && key.is_some() && key_of(row) == key
        };
        let destinations: Vec<&Destination> = self.results.destinations.iter().filter(is_destination).collect();
        for row in &destinations {
            let says = format!(
                "{} records accepted, {} rejected; {} bytes accepted; {} reply bytes; approved by {}",
                row.records_accepted,
                row.records_rejected,
                row.bytes_accepted,
                row.reply_bytes,
                row.approved_by.as_deref().unwrap_or("no rule")
            );
            let verdict = row.verdict.clone().unwrap_or_default();
            figures.push(Figure { figure: "destination", subject: format!("{} {name}", row.cluster), verdict, says });
        }
        if destinations.is_empty() && matches!(found.role, Role::Request | Role::Reply) {
            let says = "the results have no such destination: they are not what these records come to".to_owned();
            figures.push(Figure { figure: "destination", subject: name, verdict: "MISSING".to_owned(), says });
        }
        let day = columns.start(at).map(|start| rfc3339(start.div_euclid(DAY) * DAY)).unwrap_or_default();
        let day = day.get(..10).unwrap_or_default();
        let concerns = |subject: &str, first_line: Option<&str>| {
            label.as_deref() == Some(subject) || subject == interface || first_line == Some(line.as_str())
        };
        for one in self.results.exceptions.iter().filter(|one| one.cluster_arn == arn && one.day == day) {
            if concerns(&one.subject, one.first_line.as_deref()) {
                let subject = format!("{} {day} {}", one.statement, one.subject);
                figures.push(Figure { figure: "exception", subject, verdict: one.verdict.name().to_owned(), says: one.reason.clone() });
            }
        }
        for statement in self.results.statements.iter().filter(|statement| statement.cluster_arn == arn) {
            for judged in statement.days.iter().filter(|judged| judged.day == day) {
                let says = format!("{} ({})", statement.text, judged.reason);
                let subject = format!("{} {day}", statement.id);
                figures.push(Figure { figure: "statement", subject, verdict: judged.verdict.name().to_owned(), says });
            }
        }
    }

    /// Returns the digests that the list of inputs has of these objects: none if it does not list one or could not digest it.
    ///
    /// # Errors
    /// If the list is missing or malformed.
    pub fn digests(&self, objects: &BTreeSet<String>) -> Result<BTreeMap<String, Option<Digest>>> {
        let mut digests = BTreeMap::new();
        let lists: Vec<String> = self
            .unpacked
            .contents
            .files()
            .keys()
            .filter_map(|name| name.strip_prefix("data/"))
            .filter(|name| is_part_of_list(name))
            .map(str::to_owned)
            .collect();
        for name in &lists {
            let fault = |error: csv::Error| Error::failed(format!("malformed: {error}")).at(format!("data/{name}"));
            let mut rows = csv::Reader::from_path(self.unpacked.file(name)?.path()).map_err(fault)?;
            let headers = rows.headers().map_err(fault)?.clone();
            let column = |wanted: &str| headers.iter().position(|header| header == wanted);
            let (Some(object_at), Some(digest_at)) = (column("log_object"), column("sha256")) else {
                return Err(Error::failed("the list of inputs has no columns log_object and sha256").at(format!("data/{name}")));
            };
            for row in rows.records() {
                let row = row.map_err(fault)?;
                let object = as_it_was(row.get(object_at).unwrap_or_default());
                if objects.contains(object) {
                    digests.insert(object.to_owned(), row.get(digest_at).and_then(|digest| digest.parse().ok()));
                }
            }
        }
        Ok(digests)
    }
}

fn is_of(row: &Destination, target: &Target, cluster: Option<&str>) -> bool {
    let Target::Destination(addr, port, protocol) = target else { return false };
    row.dst_addr.parse() == Ok(*addr)
        && port.is_none_or(|port| row.dst_port == port)
        && protocol.is_none_or(|protocol| row.protocol == protocol)
        && cluster.is_none_or(|cluster| row.cluster == cluster || row.cluster_arn == cluster)
}

fn key_of(row: &Destination) -> Option<Key> {
    Some((row.cluster_arn.clone(), row.dst_addr.parse().ok()?, row.dst_port, row.protocol))
}

/// Returns an end as the statements name it: `10.0.0.1 tcp/443`.
fn label(ends: &Ends) -> String {
    let name = protocol_name(ends.protocol.into()).map(|name| name.to_lowercase());
    match (ends.protocol, name) {
        (6 | 17 | 132, Some(name)) => format!("{} {name}/{}", ends.peer, ends.peer_port),
        (_, Some(name)) => format!("{} {name}", ends.peer),
        (number, None) => format!("{} protocol {number}", ends.peer),
    }
}

fn kept(batch: &RecordBatch, found: &[Found], keep: impl Fn(usize) -> bool) -> Result<(RecordBatch, Vec<Found>)> {
    let mask: Vec<bool> = (0..found.len()).map(keep).collect();
    let rest = found.iter().zip(&mask).filter(|(_, keep)| **keep).map(|(found, _)| *found).collect();
    Ok((arrow::compute::filter_record_batch(batch, &mask.into())?, rest))
}

/// The columns that sums and figures are made from.
struct Columns {
    objects: arrow::array::StringViewArray,
    lines: arrow::array::Int64Array,
    start: arrow::array::Int64Array,
    end: arrow::array::Int64Array,
    bytes: arrow::array::Int64Array,
    action: arrow::array::StringViewArray,
    interface: arrow::array::StringViewArray,
    cluster: arrow::array::StringViewArray,
    cluster_arn: arrow::array::StringViewArray,
}

impl Columns {
    fn new(batch: &RecordBatch) -> Columns {
        let columns = PartColumns(batch);
        Columns {
            objects: columns.texts(FlowColumn::Derived(Derived::LogObject)),
            lines: columns.int64s(FlowColumn::Derived(Derived::LogLine)),
            start: columns.int64s(FlowColumn::Aws(id::START)),
            end: columns.int64s(FlowColumn::Aws(id::END)),
            bytes: columns.int64s(FlowColumn::Aws(id::BYTES)),
            action: columns.texts(FlowColumn::Aws(id::ACTION)),
            interface: columns.texts(FlowColumn::Aws(id::INTERFACE_ID)),
            cluster: columns.texts(FlowColumn::Derived(Derived::Cluster)),
            cluster_arn: columns.texts(FlowColumn::Derived(Derived::ClusterArn)),
        }
    }

    fn place(&self, at: usize) -> Place {
        (text(&self.objects, at).unwrap_or_default().to_owned(), int64(&self.lines, at).unwrap_or(0))
    }

    /// The place as the results write it.
    fn line(&self, at: usize) -> String {
        let (object, line) = self.place(at);
        format!("{object}:{line}")
    }

    fn start(&self, at: usize) -> Option<UnixSeconds> {
        int64(&self.start, at).or_else(|| int64(&self.end, at))
    }

    fn cluster_arn(&self, at: usize) -> &str {
        text(&self.cluster_arn, at).unwrap_or_default()
    }

    fn interface(&self, at: usize) -> &str {
        text(&self.interface, at).unwrap_or_default()
    }

    fn is_cluster(&self, at: usize, cluster: &str) -> bool {
        self.cluster_arn(at) == cluster || text(&self.cluster, at) == Some(cluster)
    }

    fn add(&self, at: usize, role: Role, traces: &mut Traces) {
        let Traces { reported, sums } = traces;
        let bytes = u64::try_from(int64(&self.bytes, at).unwrap_or(0)).unwrap_or(0);
        let rejected = text(&self.action, at) == Some("REJECT");
        match role {
            Role::Request | Role::Reply => {}
            Role::SetAside => {
                sums.set_aside += 1;
                return;
            }
            _ => return,
        }
        match (role, rejected) {
            (Role::Request, true) => sums.records_rejected += 1,
            (Role::Request, false) => {
                sums.records_accepted += 1;
                sums.bytes_accepted = sums.bytes_accepted.saturating_add(bytes);
            }
            (_, true) => sums.replies += 1,
            (_, false) => {
                sums.replies += 1;
                sums.reply_bytes = sums.reply_bytes.saturating_add(bytes);
            }
        }
        let (start, end) = (int64(&self.start, at), int64(&self.end, at));
        let widen = |(first, last): &mut (_, Option<UnixSeconds>), (start, end): (_, Option<UnixSeconds>)| {
            *first = crate::time::earlier(*first, start);
            *last = (*last).max(end);
        };
        // An end before its start is its start, as where connections are joined.
        widen(&mut sums.seen, (start.or(end), end.max(start)));
        if role == Role::Request {
            widen(&mut sums.requests_seen, (start, end));
        }
        let line = self.line(at);
        sums.has_first_line |= line == reported.first_line;
        sums.has_last_line |= line == reported.last_line;
    }
}

/// Returns a place as text that is safe on a terminal.
pub fn shown(place: &Place) -> String {
    format!("{}:{}", printable(&place.0), place.1)
}
