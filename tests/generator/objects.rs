//! Log objects: names, field order, compression. One object of a site is open at a time.
//!
//! A site's period is cut into as many equal slots as it has objects. Where a slot is longer than AWS's five minutes, its
//! object carries the stamp of the last five minutes, as late delivery would; with `files: 0` every object is one
//! five-minute delivery. Where slots are shorter than a window, a window is cut by its planned number of records.

use super::columns::Columns;
use super::estate::Site;
use super::record::{FIELDS, FIELDS_V2, FIELDS_V5, Record, Status, Value};
use super::rng::Rng;
use super::truth::{ObjectTruth, Statuses};
use super::{Config, Container, Format, Layout};
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// AWS publishes every five minutes.
const DELIVERY_S: i64 = 300;
/// Text is handed to the compressor in blocks of about this size.
const BLOCK_BYTES: usize = 64 * 1024;
/// Text in one member of a multi-member gzip object.
const MEMBER_BYTES: u64 = 1024 * 1024;

/// The objects of one site's flow log.
pub(crate) struct Objects<'a> {
    config: &'a Config,
    site: &'a Site,
    root: PathBuf,
    /// Number of objects, windows and planned records per window: together they say where objects end.
    files: u64,
    windows: u64,
    per_window: u64,
    window: u64,
    in_window: u64,
    /// Records of this window after which the next object begins.
    cut_at: u64,
    /// Slot of the open object.
    slot: u64,
    open: Option<Open>,
    done: Vec<ObjectTruth>,
}

struct Open {
    body: Body,
    path: PathBuf,
    fields: Vec<usize>,
    version: i64,
    block: Vec<u8>,
    truth: ObjectTruth,
}

enum Body {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Members { member: GzEncoder<BufWriter<File>>, bytes: u64 },
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
    Parquet(Box<Columns>),
}

impl<'a> Objects<'a> {
    /// Prepares the objects of a site below `root`.
    pub(crate) fn new(config: &'a Config, site: &'a Site, root: &Path) -> Objects<'a> {
        let windows = config.windows(site.window);
        let per_window = (config.records_of_site(site.index) / windows).max(1);
        let deliveries = (windows * site.window as u64 / DELIVERY_S as u64).min(windows);
        let files = config.files_of_site(site.index).unwrap_or(deliveries).clamp(1, windows * per_window);
        Objects {
            config,
            site,
            root: root.to_owned(),
            files,
            windows,
            per_window,
            window: 0,
            in_window: 0,
            cut_at: 0,
            slot: 0,
            open: None,
            done: Vec::new(),
        }
    }

    /// Starts a window of the plan.
    pub(crate) fn begin_window(&mut self, window: u64) {
        self.window = window;
        self.in_window = 0;
        self.cut_at = 0;
    }

    /// Writes a record into the object of its slot.
    pub(crate) fn write(&mut self, record: &Record) {
        if self.in_window >= self.cut_at {
            self.turn();
        }
        self.in_window += 1;
        let site = self.site;
        let Some(open) = &mut self.open else { return };
        match record.status {
            Status::Ok => open.truth.records.ok += 1,
            Status::NoData => open.truth.records.nodata += 1,
            Status::SkipData => open.truth.records.skipdata += 1,
        }
        if let Body::Parquet(columns) = &mut open.body {
            columns.write(record, site);
            return;
        }
        put_line(&mut open.block, record, &open.fields, open.version, site);
        if open.block.len() >= BLOCK_BYTES {
            open.flush();
        }
    }

    /// Closes the last object and returns all of them.
    pub(crate) fn finish(mut self) -> Vec<ObjectTruth> {
        self.close();
        self.done
    }

    /// Finds the slot of this point of the plan, opens its object if it is another one, and says where it ends.
    fn turn(&mut self) {
        let total = self.windows * self.per_window;
        let position = self.window * self.per_window + self.in_window.min(self.per_window - 1);
        let slot = position * self.files / total;
        if self.open.is_none() || slot != self.slot {
            self.close();
            self.slot = slot;
            let next = ((slot + 1) * total).div_ceil(self.files);
            self.open((next - 1) / self.per_window);
        }
        let next = ((self.slot + 1) * total).div_ceil(self.files);
        let here = next - self.window * self.per_window;
        self.cut_at = if here >= self.per_window { u64::MAX } else { here };
    }

    /// Opens the object of the current slot, whose last window is given.
    fn open(&mut self, last_window: u64) {
        let last_second = self.config.start + (last_window as i64 + 1) * self.site.window - 1;
        let stamp = last_second / DELIVERY_S * DELIVERY_S;
        let rng = &mut Rng::new(self.config.seed, (self.site.index as u64 + 1) << 32 | self.slot);
        let key = self.key(stamp, rng.next() as u32);
        let (fields, version) = field_order(self.config.format, rng);
        let path = self.root.join(&key);
        std::fs::create_dir_all(path.parent().expect("a key has a folder")).expect("creating a log folder");
        let file = BufWriter::new(File::create(&path).expect("creating a log object"));
        let names: Vec<&str> = fields.iter().map(|&field| FIELDS[field]).collect();
        let body = match self.config.container {
            Container::PlainText => Body::Plain(file),
            Container::Gzip => Body::Gzip(GzEncoder::new(file, Compression::new(6))),
            Container::GzipMultiMember => Body::Members { member: GzEncoder::new(file, Compression::new(6)), bytes: 0 },
            Container::Zstd => Body::Zstd(zstd::Encoder::new(file, 3).expect("starting a zstd stream")),
            Container::Parquet => Body::Parquet(Box::new(Columns::new(file, &fields, version))),
        };
        let mut block = Vec::with_capacity(BLOCK_BYTES + 1024);
        if self.config.container != Container::Parquet {
            block.extend_from_slice(names.join(" ").as_bytes());
            block.push(b'\n');
        }
        self.open = Some(Open {
            body,
            path,
            version,
            block,
            truth: ObjectTruth {
                key,
                flow_log_id: self.site.flow_log.clone(),
                fields: names.join(" "),
                records: Statuses::default(),
                text_bytes: 0,
                stored_bytes: 0,
            },
            fields,
        });
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.done.push(open.close());
        }
    }

    fn key(&self, stamp: i64, hash: u32) -> String {
        let suffix = match self.config.container {
            Container::Gzip | Container::GzipMultiMember => "log.gz",
            Container::PlainText => "log",
            Container::Zstd => "log.zst",
            Container::Parquet => "log.parquet",
        };
        let Site { account, region, flow_log, .. } = self.site;
        let at = DateTime::<Utc>::from_timestamp(stamp, 0).expect("a time in the calendar");
        let name = format!("{account}_vpcflowlogs_{region}_{flow_log}_{}_{hash:08x}.{suffix}", at.format("%Y%m%dT%H%MZ"));
        let hive = format!(
            "AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/{}",
            at.format("year=%Y/month=%m/day=%d")
        );
        let plain = format!("AWSLogs/{account}/vpcflowlogs/{region}/{}", at.format("%Y/%m/%d"));
        match self.config.layout {
            Layout::Plain => format!("{plain}/{name}"),
            Layout::PlainHourly => format!("{plain}/{}/{name}", at.format("%H")),
            Layout::Hive => format!("{hive}/{name}"),
            Layout::HiveHourly => format!("{hive}/hour={}/{name}", at.format("%H")),
            Layout::Loose => format!("site-{:02}-{:05}.{suffix}", self.site.index, self.slot),
        }
    }
}

impl Open {
    fn flush(&mut self) {
        self.truth.text_bytes += self.block.len() as u64;
        let written = match &mut self.body {
            Body::Plain(file) => file.write_all(&self.block),
            Body::Gzip(file) => file.write_all(&self.block),
            Body::Zstd(file) => file.write_all(&self.block),
            Body::Members { member, bytes } => {
                *bytes += self.block.len() as u64;
                member.write_all(&self.block)
            }
            Body::Parquet(_) => Ok(()),
        };
        written.expect("writing a log object");
        self.block.clear();
        self.next_member();
    }

    /// Ends a gzip member that is large enough and begins the next one in the same file.
    fn next_member(&mut self) {
        let full = matches!(&self.body, Body::Members { bytes, .. } if *bytes >= MEMBER_BYTES);
        if full && let Body::Members { member, bytes } = &mut self.body {
            member.try_finish().expect("ending a gzip member");
            let file = member.get_ref().get_ref().try_clone().expect("sharing a log file");
            member.get_mut().flush().expect("writing a log object");
            *member = GzEncoder::new(BufWriter::new(file), Compression::new(6));
            *bytes = 0;
        }
    }

    fn close(mut self) -> ObjectTruth {
        self.flush();
        match self.body {
            Body::Plain(mut file) => file.flush(),
            Body::Gzip(file) => file.finish().and_then(|mut file| file.flush()),
            Body::Members { member, .. } => member.finish().and_then(|mut file| file.flush()),
            Body::Zstd(file) => file.finish().and_then(|mut file| file.flush()),
            Body::Parquet(columns) => {
                columns.finish();
                Ok(())
            }
        }
        .expect("closing a log object");
        self.truth.stored_bytes = std::fs::metadata(&self.path).expect("reading a log object's size").len();
        self.truth
    }
}

/// Returns the positions in [`FIELDS`] of a format's fields, in the object's order, and the value of `version`.
fn field_order(format: Format, rng: &mut Rng) -> (Vec<usize>, i64) {
    let mut v5: Vec<usize> = (0..FIELDS_V5).collect();
    match format {
        Format::V2 => ((0..FIELDS_V2).collect(), 2),
        Format::V5 => (v5, 5),
        Format::V5Alphabetical => {
            v5.sort_by_key(|&field| FIELDS[field]);
            (v5, 5)
        }
        Format::V5Random => {
            rng.shuffle(&mut v5);
            (v5, 5)
        }
        Format::V11 => ((0..FIELDS.len()).collect(), 11),
    }
}

/// Returns the `LogFormat` of a format as `describe-flow-logs` shows it.
pub(crate) fn log_format(format: Format) -> String {
    // A flow log has one order; the random one is an estate of flow logs that were re-created.
    let (fields, _) = field_order(if format == Format::V5Random { Format::V5 } else { format }, &mut Rng::new(0, 0));
    let names: Vec<String> = fields.iter().map(|&field| format!("${{{}}}", FIELDS[field])).collect();
    names.join(" ")
}

fn put_line(out: &mut Vec<u8>, record: &Record, fields: &[usize], version: i64, site: &Site) {
    for &field in fields {
        match record.value(field, version, site) {
            Value::Int(number) => put_number(out, number),
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Missing => out.push(b'-'),
        }
        out.push(b' ');
    }
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

/// Writes a number that is not negative.
fn put_number(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
