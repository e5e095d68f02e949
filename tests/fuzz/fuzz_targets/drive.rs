//! Any bytes as a log object: the decoder is chosen as `pipeline.rs` chooses it, and fed in pieces.

use arrow::array::RecordBatch;
use bytes::Bytes;
use flowproof::decode::decompress::Encoding;
use flowproof::decode::headerless::Headerless;
use flowproof::decode::object::{ObjectDecoder, Step};
use flowproof::decode::parquet::ParquetDecoder;
use flowproof::decode::reject::Reject;
use flowproof::decode::{Tally, Wanted, schema};
use flowproof::flow::Layout;
use flowproof::flow::field::{FIELDS, FieldId};
use std::sync::Arc;

/// All that reading an object comes to.
#[derive(Debug)]
pub struct Read {
    pub rows: RecordBatch,
    pub rejects: Vec<Reject>,
    pub tally: Tally,
    pub fault: Option<String>,
}

/// Everything is wanted.
pub fn everything() -> Wanted {
    let fields = (0..FIELDS.len() as u8).map(FieldId).collect();
    Wanted { fields, extra: true, validation: flowproof::decode::Validation::Full, ..Wanted::default() }
}

/// Records without a header: those of one log group have a format, those of another several.
fn known() -> Headerless {
    let layout = Layout::from_log_format("${log-status} ${srcaddr} ${dstaddr} ${bytes}").map(Arc::new);
    Headerless { layout: None, log_groups: Arc::new([("g".to_owned(), layout), ("h".to_owned(), None)].into_iter().collect()) }
}

enum Decoder {
    Text(ObjectDecoder),
    Parquet(ParquetDecoder),
}

/// Steps without progress after which a decoder is said to hang; every step hands on something, takes input, or ends.
const STEPS_MAX: usize = 1_000_000;

/// Bytes by which the encoding is recognised.
const MAGIC_BYTES: usize = 4;

/// Reads an object whose stored bytes arrive in pieces of these lengths; after the last length, the rest.
pub fn read(stored: &[u8], pieces: &[usize], wanted: &Wanted) -> Read {
    let wanted = Arc::new(wanted.clone());
    let whole = Bytes::copy_from_slice(stored);
    let mut decoder = match Encoding::sniff(stored) {
        Encoding::Parquet => Decoder::Parquet(ParquetDecoder::new(Arc::clone(&wanted), stored.len() as u64)),
        _ => Decoder::Text(ObjectDecoder::new(Arc::clone(&wanted), known())),
    };
    let (mut batches, mut rejects) = (Vec::new(), Vec::new());
    let (mut pieces, mut at) = (pieces.iter(), 0);
    for _ in 0..STEPS_MAX {
        let step = match &mut decoder {
            Decoder::Text(decoder) => decoder.step(),
            Decoder::Parquet(decoder) => decoder.step(),
        };
        match (step.expect("content is no error"), &mut decoder) {
            (Step::Decoded(decoded), _) => {
                // Texts are put down without another look at them.
                assert!(decoded.batch.columns().iter().all(|column| column.to_data().validate_full().is_ok()), "{:?}", decoded.batch);
                batches.push(decoded.batch);
                rejects.extend(decoded.rejects);
            }
            (Step::Hungry, Decoder::Text(decoder)) => {
                // As from the pipeline: the first piece shows how the object is stored, and none but the last is empty.
                let least = if at == 0 { MAGIC_BYTES } else { 1 };
                let length = pieces.next().map_or(usize::MAX, |length| (*length).max(least)).min(stored.len() - at);
                decoder.push(whole.slice(at..at + length), at + length == stored.len());
                at += length;
            }
            (Step::Needs(ranges), Decoder::Parquet(decoder)) => {
                let data = ranges.iter().map(|range| whole.slice(range.start as usize..range.end as usize)).collect();
                decoder.push(ranges, data);
            }
            (Step::Done(fault), decoder) => {
                let tally = match decoder {
                    Decoder::Text(decoder) => decoder.tally().clone(),
                    Decoder::Parquet(decoder) => decoder.tally().clone(),
                };
                let rows = arrow::compute::concat_batches(&schema(&wanted), &batches).expect("batches of one schema");
                let read = Read { rows, rejects, tally, fault };
                read.check();
                return read;
            }
            (step, _) => panic!("a decoder asked for what its format does not have: {step:?}"),
        }
    }
    panic!("the decoder does not come to an end");
}

impl Read {
    /// What holds for every object.
    fn check(&self) {
        assert!(self.tally.adds_up(), "{:?}", self.tally);
        assert_eq!(self.rows.num_rows() as u64, self.tally.rows);
        assert_eq!(self.rejects.len() as u64, self.tally.rejects);
        for reject in &self.rejects {
            assert!(reject.line > 0 && reject.line <= self.tally.lines, "{reject:?}");
        }
    }

    /// Checks that two ways to read the same object agree. Where it is damaged, how much comes before the damage may differ.
    pub fn agrees(&self, other: &Read) {
        assert_eq!(self.fault.is_some(), other.fault.is_some(), "{:?} {:?}", self.fault, other.fault);
        if self.fault.is_none() {
            assert_eq!(self.tally, other.tally);
            assert_eq!(self.rejects, other.rejects);
            assert_eq!(self.rows, other.rows);
        }
    }
}
