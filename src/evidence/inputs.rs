//! The list of inputs: every log object with its identity, fixity and accounting, in `data/inputs/`.
//!
//! Up to [`FILE_ROWS_MAX`] objects stand in one `files.csv`; more are sharded, and the root of a Merkle tree over all lines
//! (RFC 6962 §2.1) stands for the list.

use super::digest::hex;
use crate::error::Result;
use crate::intake::ObjectRead;
use crate::pipeline::Input;
use crate::report::{Format, renderer};
use crate::source::{Kept, Sha256Digest};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampSecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Objects that one file of the list holds.
pub const FILE_ROWS_MAX: usize = 100_000;

/// An object as the list names it.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// What was listed.
    pub input: Input,
    /// What became of it; `None` if it was left out, because its flow log cannot cover a control plane or its path.
    pub read: Option<ObjectRead>,
    /// SHA-256 of its stored bytes; `None` if they could not be read to the end.
    pub sha256: Option<Sha256Digest>,
    /// What its place keeps about it: version id and checksum.
    pub kept: Kept,
    /// Why its place did not tell that.
    pub kept_fault: Option<String>,
}

impl InputFile {
    /// Returns `read`, `partial`, `unreadable` or `left-out`.
    pub fn status(&self) -> &'static str {
        self.read.as_ref().map_or("left-out", ObjectRead::status)
    }
}

/// The list as files.
#[derive(Debug)]
pub struct InputList {
    /// Path below `data/` and text of each file.
    pub files: Vec<(String, Vec<u8>)>,
    /// SHA-256 of the one file, or the Merkle root over the lines of all.
    pub digest: Sha256Digest,
}

/// Returns whether a path below `data/` is that of the list, or of a part of it.
pub fn is_part_of_list(path: &str) -> bool {
    path.strip_prefix("inputs/files").is_some_and(|rest| rest.ends_with(".csv"))
}

/// Returns the list of inputs, which must be sorted by URI.
///
/// # Errors
/// None in practice: the rows are written to memory.
pub fn list(inputs: &[InputFile]) -> Result<InputList> {
    let mut files = Vec::new();
    let sharded = inputs.len() > FILE_ROWS_MAX;
    let mut tree = Tree::default();
    for (at, shard) in inputs.chunks(FILE_ROWS_MAX).enumerate() {
        let text = csv(shard)?;
        text.split_inclusive(|byte| *byte == b'\n').skip(1).for_each(|line| tree.add(line.trim_ascii_end()));
        let name = if sharded { format!("inputs/files-{at:05}.csv") } else { "inputs/files.csv".to_owned() };
        files.push((name, text));
    }
    if files.is_empty() {
        files.push(("inputs/files.csv".to_owned(), csv(&[])?));
    }
    let digest = match files.as_slice() {
        [(_, only)] => Sha256::digest(only).into(),
        _ => tree.root(),
    };
    Ok(InputList { files, digest })
}

fn csv(inputs: &[InputFile]) -> Result<Vec<u8>> {
    let batch = rows(inputs)?;
    let mut text = Vec::new();
    let mut out = renderer(Format::Csv, &batch.schema(), &mut text)?;
    out.batch(&batch)?;
    out.end()?;
    drop(out);
    Ok(text)
}

/// Returns the rows of the list.
///
/// # Errors
/// None in practice: the columns are its own.
pub fn rows(inputs: &[InputFile]) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&InputFile) -> Option<String>| -> ArrayRef { Arc::new(inputs.iter().map(of).collect::<StringArray>()) };
    let number = |of: &dyn Fn(&InputFile) -> Option<u64>| -> ArrayRef {
        let values = inputs.iter().map(|input| of(input).map(|value| i64::try_from(value).unwrap_or(i64::MAX)));
        Arc::new(values.collect::<Int64Array>())
    };
    let time = |of: &dyn Fn(&InputFile) -> Option<i64>| -> ArrayRef {
        Arc::new(inputs.iter().map(of).collect::<TimestampSecondArray>().with_timezone("UTC"))
    };
    let tally = |of: fn(&crate::decode::Tally) -> u64| move |input: &InputFile| input.read.as_ref().map(|read| of(&read.tally));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("log_object", text(&|it| Some(it.input.object.uri.to_string()))),
        ("version_id", text(&|it| it.kept.version_id.clone())),
        ("size", number(&|it| Some(it.input.object.size))),
        ("etag", text(&|it| it.input.object.etag.as_ref().map(|etag| etag.to_string()))),
        ("s3_checksum", text(&|it| it.kept.checksum.clone())),
        ("s3_fault", text(&|it| it.kept_fault.clone())),
        ("sha256", text(&|it| it.sha256.map(|digest| hex(&digest)))),
        ("account_id", text(&|it| it.input.object.key.account.as_ref().map(|account| account.to_string()))),
        ("region", text(&|it| it.input.object.key.region.as_ref().map(|region| region.to_string()))),
        ("flow_log_id", text(&|it| it.input.object.key.flow_log_id.as_ref().map(|id| id.to_string()))),
        ("status", text(&|it| Some(it.status().to_owned()))),
        ("reason", text(&|it| it.read.as_ref()?.fault.clone())),
        ("lines", number(&tally(|tally| tally.lines))),
        ("headers", number(&tally(|tally| tally.headers))),
        ("blanks", number(&tally(|tally| tally.blanks))),
        ("records_ok", number(&tally(|tally| tally.ok))),
        ("records_nodata", number(&tally(|tally| tally.nodata))),
        ("records_skipdata", number(&tally(|tally| tally.skipdata))),
        ("records_rejected", number(&tally(|tally| tally.rejects))),
        ("records_outside_window", number(&tally(|tally| tally.outside_window))),
        ("first_start", time(&|it| it.read.as_ref()?.tally.start_min())),
        ("last_end", time(&|it| it.read.as_ref()?.tally.end_max())),
    ];
    let utc = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
    let field = |(name, array): &(&str, ArrayRef)| {
        let kind = if matches!(array.data_type(), DataType::Timestamp(..)) { utc.clone() } else { array.data_type().clone() };
        Field::new(*name, kind, true)
    };
    let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    Ok(RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect())?)
}

/// A Merkle tree over leaves that come one by one (RFC 6962 §2.1): it holds one hash per level.
#[derive(Debug, Default)]
struct Tree {
    /// Complete subtrees from the left: number of leaves, hash.
    peaks: Vec<(u64, Sha256Digest)>,
}

impl Tree {
    fn add(&mut self, leaf: &[u8]) {
        let hash = Sha256::new().chain_update([0]).chain_update(leaf).finalize().into();
        self.peaks.push((1, hash));
        while let [.., (left_leaves, left), (right_leaves, right)] = self.peaks.as_slice()
            && left_leaves == right_leaves
        {
            let joined = (left_leaves + right_leaves, node(left, right));
            self.peaks.truncate(self.peaks.len() - 2);
            self.peaks.push(joined);
        }
    }

    fn root(self) -> Sha256Digest {
        let mut peaks = self.peaks.into_iter().rev().map(|(_, hash)| hash);
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(last, |right, left| node(&left, &right)),
        }
    }
}

fn node(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 §2.1, as it is written there.
    fn by_definition(leaves: &[&[u8]]) -> Sha256Digest {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new().chain_update([0]).chain_update(leaf).finalize().into(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let texts: Vec<Vec<u8>> = (0..70u8).map(|at| vec![at; usize::from(at) % 5]).collect();
        for count in 0..texts.len() {
            let leaves: Vec<&[u8]> = texts[..count].iter().map(Vec::as_slice).collect();
            let mut tree = Tree::default();
            leaves.iter().for_each(|leaf| tree.add(leaf));
            assert_eq!(tree.root(), by_definition(&leaves), "{count} leaves");
        }
    }

    /// Two leaves, computed with coreutils: printf '\0a' | sha256sum, and so on.
    #[test]
    fn a_root_can_be_computed_by_hand() {
        let mut tree = Tree::default();
        tree.add(b"");
        assert_eq!(hex(&tree.root()), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }
}
