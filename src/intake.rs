//! The accounting of a run: what became of every object, and of every line in it.

use crate::decode::decompress::Encoding;
use crate::decode::shape::Shape;
use crate::decode::{LayoutSeen, Tally};
use crate::error::{Error, Kind, Result};
use crate::flow::Layout;
use crate::source::Object;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// An object that was read, whole or up to the fault.
    pub fn read(object: &Object, tally: Tally, encoding: Encoding, fault: Option<String>) -> ObjectRead {
        let fault = fault.or_else(|| tally.fault());
        ObjectRead { uri: Arc::clone(&object.uri), size: object.size, tally, encoding: Some(encoding), fault, access: None }
    }

    /// An object of which nothing could be read, or nothing further.
    pub fn unreadable(object: &Object, error: &Error) -> ObjectRead {
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
    /// Takes what became of an object, by its index in the scan.
    ///
    /// # Errors
    /// If its lines were not accounted for exactly once, which is a fault of this library.
    pub fn object_done(&self, at: usize, read: ObjectRead) -> Result<()> {
        self.progress.objects.fetch_add(1, Ordering::Relaxed);
        self.progress.bytes.fetch_add(read.size, Ordering::Relaxed);
        self.progress.rejects.fetch_add(read.tally.rejects, Ordering::Relaxed);
        let outcome = match read.tally.adds_up() {
            true => Ok(()),
            false => Err(Error::failed("lines read and lines accounted for differ; this is a fault of flowproof").at(&*read.uri)),
        };
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).push((at, read));
        outcome
    }

    /// Returns what became of each object, by its index in the scan.
    pub fn objects(&self) -> Vec<(usize, ObjectRead)> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone();
        objects.sort_unstable_by_key(|(at, _)| *at);
        objects
    }

    /// Returns the accounting of some objects alone, those at these places of the scan, ascending; their places become those among these.
    pub fn of_some(&self, places: &[usize]) -> Intake {
        let objects = self.objects().into_iter().filter_map(|(at, read)| Some((places.binary_search(&at).ok()?, read)));
        Intake { objects: Mutex::new(objects.collect()), progress: Progress::default() }
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
