//! Partials that do not fit into memory: appended to partition files, read back one partition at a time.
//!
//! Keys are partitioned by hash, so all parts of one key meet again in one file. The files live in a temporary folder
//! that goes with the value.

use crate::error::{Error, Result};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use std::fs::File;
use std::hash::Hash;
use std::io::{BufReader, BufWriter, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Partitions: a spill of sixty-four times the memory budget is still read back within it.
pub const PARTITIONS: usize = 64;
/// Longest encoded entry; a session with a thousand next hops has under 9 KiB.
const ENTRY_LEN_MAX: u32 = 16 << 20;

/// A value with a fixed byte form (little-endian), for spill files only.
pub trait Encode {
    /// Appends the byte form.
    fn encode(&self, out: &mut Vec<u8>);
}

/// A value that can be read back.
pub trait Decode: Sized {
    /// Reads the next value; `None` if the bytes end early.
    fn decode(from: &mut Reader<'_>) -> Option<Self>;
}

/// Bytes being decoded.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// Returns whether all is decoded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl Encode for $kind {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Decode for $kind {
            fn decode(from: &mut Reader<'_>) -> Option<Self> {
                from.take().map(<$kind>::from_le_bytes)
            }
        }
    )*};
}
integers!(u8, u32, u64, i64);

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        u8::from(self.is_some()).encode(out);
        self.iter().for_each(|value| value.encode(out));
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        match u8::decode(from)? {
            0 => Some(None),
            _ => T::decode(from).map(Some),
        }
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl<A: Decode, B: Decode> Decode for (A, B) {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::decode(from)?, B::decode(from)?))
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.len() as u32).encode(out);
        self.iter().for_each(|value| value.encode(out));
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_slice().encode(out);
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let count = u32::decode(from)?;
        // As much as is needed, since a vector that grows makes room for four; but not on the word of a damaged file alone.
        let mut values = Vec::with_capacity(count.min(1 << 10) as usize);
        for _ in 0..count {
            values.push(T::decode(from)?);
        }
        Some(values)
    }
}

impl Encode for IpAddr {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            IpAddr::V4(v4) => {
                4u8.encode(out);
                out.extend_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                6u8.encode(out);
                out.extend_from_slice(&v6.octets());
            }
        }
    }
}

impl Decode for IpAddr {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        match u8::decode(from)? {
            4 => from.take::<4>().map(IpAddr::from),
            _ => from.take::<16>().map(IpAddr::from),
        }
    }
}

/// Partition files in a temporary folder.
#[derive(Debug)]
pub struct Spill {
    folder: PathBuf,
    files: Vec<BufWriter<File>>,
}

impl Spill {
    /// Makes the files in a new folder of its own under `parent`.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new(parent: &Path) -> Result<Spill> {
        /// Tells the folders of one process apart.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = parent.join(format!("flowproof-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let fault = |error: std::io::Error| {
            let place = folder.display().to_string();
            Error::failed("cannot make a spill file").at(place).caused_by(error).with_hint("name a writable folder with --spill-dir")
        };
        // Only a folder that is new and ours alone: its name can be guessed, and the parent may be everybody's.
        std::fs::create_dir_all(parent).and_then(|()| private_folder(&folder)).map_err(fault)?;
        let files = (0..PARTITIONS)
            .map(|partition| File::create(folder.join(partition.to_string())).map(BufWriter::new))
            .collect::<std::io::Result<_>>()
            .map_err(fault)?;
        Ok(Spill { folder, files })
    }

    /// Appends an entry to a partition.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn append(&mut self, partition: usize, entry: &[u8]) -> Result<()> {
        if let Some(file) = self.files.get_mut(partition) {
            file.write_all(&(entry.len() as u32).to_le_bytes())?;
            file.write_all(entry)?;
        }
        Ok(())
    }

    /// Ends the appending: every entry is in its file.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.files.iter_mut().try_for_each(BufWriter::flush)?)
    }

    /// Puts other entries in the place of a partition's.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn replace<T: Encode>(&self, partition: usize, entries: impl Iterator<Item = T>) -> Result<()> {
        let new = self.folder.join(format!("{partition}.new"));
        let (mut file, mut bytes) = (BufWriter::new(File::create(&new)?), Vec::new());
        for entry in entries {
            bytes.clear();
            entry.encode(&mut bytes);
            file.write_all(&(bytes.len() as u32).to_le_bytes())?;
            file.write_all(&bytes)?;
        }
        file.flush()?;
        Ok(std::fs::rename(new, self.folder.join(partition.to_string()))?)
    }

    /// Hands the entries of a partition to `each`, as of the last flush, until it wants no more; it wants nothing where it cannot read one.
    ///
    /// # Errors
    /// If the file cannot be read back as far.
    pub fn read(&self, partition: usize, mut each: impl FnMut(&mut Reader<'_>) -> Option<bool>) -> Result<()> {
        let mut file = BufReader::new(File::open(self.folder.join(partition.to_string()))?);
        let mut entry = Vec::new();
        loop {
            let mut length = [0; 4];
            match file.read_exact(&mut length) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let length = u32::from_le_bytes(length);
            entry.resize(length.min(ENTRY_LEN_MAX) as usize, 0);
            file.read_exact(&mut entry)?;
            if !each(&mut Reader::new(&entry)).ok_or_else(|| Error::failed("a spill file is damaged"))? {
                return Ok(());
            }
        }
    }
}

/// Values by key and partition, in memory up to a bound, then in files; parts of one key are merged by whoever reads them, or once
/// by [`Store::settle`].
#[derive(Debug)]
pub struct Store<K, V> {
    memory: Vec<HashMap<K, V, RandomState>>,
    /// By partition, once the parts of each key are merged: the values, or nothing where they are in its file.
    settled: Vec<Option<Vec<(K, V)>>>,
    /// Parts in files.
    spilled: usize,
    held: usize,
    held_max: usize,
    spill: Option<Spill>,
    spill_folder: PathBuf,
}

impl<K: Clone + Hash + Eq + Encode + Decode + Send + Sync, V: Clone + Default + Encode + Decode + Send + Sync> Store<K, V> {
    /// Makes an empty store that holds so many values in memory.
    pub fn new(held_max: usize, spill_folder: PathBuf) -> Store<K, V> {
        let memory = std::iter::repeat_with(HashMap::default).take(PARTITIONS).collect();
        Store { memory, settled: Vec::new(), spilled: 0, held: 0, held_max, spill: None, spill_folder }
    }

    /// Updates the value of a key; `update` returns by how much it has grown, or shrunk. The partition is a function of the key.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn add(&mut self, partition: usize, key: K, update: impl FnOnce(&mut V) -> isize) -> Result<()> {
        let Some(memory) = self.memory.get_mut(partition) else { return Ok(()) };
        self.held = self.held.saturating_add_signed(update(memory.entry(key).or_default()));
        if self.held > self.held_max { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::new(&self.spill_folder)?),
        };
        let mut entry = Vec::new();
        for (partition, memory) in self.memory.iter_mut().enumerate() {
            for (key, value) in memory.drain() {
                entry.clear();
                key.encode(&mut entry);
                value.encode(&mut entry);
                spill.append(partition, &entry)?;
                self.spilled += 1;
            }
        }
        self.held = 0;
        Ok(())
    }

    /// Ends the collection: what is in memory joins what was spilled.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn finish(&mut self) -> Result<()> {
        if self.spill.is_some() {
            self.spill()?;
            self.memory.clear();
        }
        self.spill.as_mut().map_or(Ok(()), Spill::flush)
    }

    /// Hands over the values of a partition, if none was spilled; the collection has ended.
    pub fn take(&mut self, partition: usize) -> Option<HashMap<K, V, RandomState>> {
        self.memory.get_mut(partition).filter(|_| self.spill.is_none()).map(std::mem::take)
    }

    /// Ends the collection, and merges the parts of each key, so that whoever reads values reads each once: from memory, if there
    /// are no more than `values_max` parts, else from files. In each partition those come first whose keys lead.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn settle(&mut self, values_max: usize, merge: impl Fn(&mut V, V) + Sync, leads: impl Fn(&K) -> bool + Sync) -> Result<()> {
        self.finish()?;
        let taken: Vec<_> = (0..PARTITIONS).map(|partition| self.take(partition)).collect();
        let (spill, is_held) = (&self.spill, self.spilled <= values_max);
        let settle = |(partition, values): (usize, Option<HashMap<K, V, RandomState>>)| -> Result<Option<Vec<(K, V)>>> {
            let in_order = |values: HashMap<K, V, RandomState>| {
                let (mut leading, others): (Vec<_>, Vec<_>) = values.into_iter().partition(|(key, _)| leads(key));
                leading.extend(others);
                leading
            };
            let (None, Some(spill)) = (&values, spill) else { return Ok(values.map(in_order)) };
            let mut merged: HashMap<K, V, RandomState> = HashMap::default();
            self.read(partition, |key, part| merge(merged.entry(key.clone()).or_default(), part))?;
            if is_held {
                return Ok(Some(in_order(merged)));
            }
            spill.replace(partition, in_order(merged).into_iter()).map(|()| None)
        };
        let settled = taken.into_par_iter().enumerate().map(settle).collect::<Result<_>>()?;
        self.settled = settled;
        Ok(())
    }

    /// Hands the values of a partition to `each` until it wants no more; the store is settled.
    ///
    /// # Errors
    /// If a spill file cannot be read back.
    pub fn each(&self, partition: usize, mut each: impl FnMut(&K, &V) -> bool) -> Result<()> {
        match (self.settled.get(partition), &self.spill) {
            (Some(Some(values)), _) => {
                values.iter().all(|(key, value)| each(key, value));
            }
            (Some(None), Some(spill)) => spill.read(partition, |entry| Some(each(&K::decode(entry)?, &V::decode(entry)?)))?,
            _ => return Err(Error::failed("a store was read before it was settled")),
        }
        Ok(())
    }

    /// Hands every part of a partition to `each`; the collection has ended.
    ///
    /// # Errors
    /// If a spill file cannot be read back.
    pub fn read(&self, partition: usize, mut each: impl FnMut(&K, V)) -> Result<()> {
        match &self.spill {
            Some(spill) => spill.read(partition, |entry| {
                let key = K::decode(entry)?;
                each(&key, V::decode(entry)?);
                Some(true)
            }),
            None => {
                let parts = self.memory.get(partition).into_iter().flatten();
                parts.for_each(|(key, value)| each(key, value.clone()));
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir(folder)
}

impl Drop for Spill {
    fn drop(&mut self) {
        // Nothing is lost with a temporary folder that stays.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
