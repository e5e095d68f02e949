//! Every object of `sample-logs/cases` decoded and tagged whole: what comes out is what came out when the cases were last seen
//! to give their hand-made answers. A line for each object and way of asking; a changed hash names the object to look at.

#[cfg(test)]
mod tests {
    use crate::decode::decompress::Encoding;
    use crate::decode::headerless::Headerless;
    use crate::decode::object::{ObjectDecoder, Step};
    use crate::decode::parquet::ParquetDecoder;
    use crate::decode::{Decoded, Interfaces, Tally, Validation, Wanted};
    use crate::enrich::{FlowColumn, Provenance, Tagger, fields_read};
    use crate::flow::RecordKind;
    use crate::flow::field::id;
    use crate::inventory::{self, Inventory};
    use crate::time::TimeRange;
    use bytes::Bytes;
    use std::fmt::Write;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = walkdir::WalkDir::new(folder)
            .into_iter()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect();
        found.sort();
        found
    }

    fn inventory(case: &Path) -> Arc<Inventory> {
        let read = |path: &PathBuf| inventory::File { path: path.display().to_string(), bytes: std::fs::read(path).unwrap().into() };
        let files = files(&case.join("inventory")).iter().map(read).collect();
        Arc::new(Inventory::from_files(files, &inventory::Options::default()).unwrap())
    }

    /// Decodes an object, fed in pieces of `piece` bytes, as the pipeline does.
    fn decode(stored: &Bytes, piece: usize, wanted: &Arc<Wanted>, known: &Headerless) -> (Vec<Decoded>, Tally, Option<String>) {
        let mut decoded = Vec::new();
        if Encoding::sniff(stored) == Encoding::Parquet {
            let mut decoder = ParquetDecoder::new(Arc::clone(wanted), stored.len() as u64);
            loop {
                match decoder.step().unwrap() {
                    Step::Decoded(part) => decoded.push(part),
                    Step::Needs(ranges) => {
                        let data = ranges.iter().map(|range| stored.slice(range.start as usize..range.end as usize)).collect();
                        decoder.push(ranges, data);
                    }
                    Step::Hungry => unreachable!("Parquet asks for ranges"),
                    Step::Done(fault) => return (decoded, decoder.tally().clone(), fault),
                }
            }
        }
        let mut decoder = ObjectDecoder::new(Arc::clone(wanted), known.clone());
        let mut at = 0;
        loop {
            match decoder.step().unwrap() {
                Step::Decoded(part) => decoded.push(part),
                Step::Hungry => {
                    let end = stored.len().min(at + piece);
                    decoder.push(stored.slice(at..end), end == stored.len());
                    at = end;
                }
                Step::Needs(_) => unreachable!("text asks for no ranges"),
                Step::Done(fault) => return (decoded, decoder.tally().clone(), fault),
            }
        }
    }

    /// Rows with their values, a line each.
    fn dump(batch: &arrow::array::RecordBatch, out: &mut String) {
        let options = arrow::util::display::FormatOptions::default().with_null("");
        let fields = batch.schema();
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            for (field, column) in fields.fields().iter().zip(&columns) {
                let value = column.value(row).to_string();
                if !value.is_empty() {
                    write!(out, "{}={value} ", field.name()).unwrap();
                }
            }
            out.push('\n');
        }
    }

    /// FNV-1a, 64 bits: stays the same whatever the platform and the compiler.
    fn hash(text: &str) -> u64 {
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The ways in which objects are asked for: name, and what is wanted.
    fn ways() -> Vec<(&'static str, Vec<FlowColumn>, Wanted)> {
        let all = FlowColumn::all();
        let whole = Wanted { fields: fields_read(&all), extra: true, validation: Validation::Full, ..Wanted::default() };
        let gateways = FlowColumn::all_of_transit_gateways();
        let of_gateways = Wanted { kind: RecordKind::TransitGateway, fields: fields_read(&gateways), extra: true, ..Wanted::default() };
        let some = vec![FlowColumn::Aws(id::SRCADDR), FlowColumn::Aws(id::BYTES)];
        let one = Interfaces::Only(Arc::new(["eni-0a100000000000001".to_owned()].into_iter().collect()));
        // 2026-10-01, 10:00 to 10:01: some records of most cases lie outside.
        let window = TimeRange { from: Some(1_790_848_800), to: Some(1_790_848_860) };
        let part = Wanted { fields: fields_read(&some), interfaces: one, time: window, ..Wanted::default() };
        vec![("all", all, whole), ("tgw", gateways, of_gateways), ("some", some, part)]
    }

    #[test]
    fn decoded_and_tagged_as_when_the_cases_were_last_seen_right() {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/cases");
        let mut folders: Vec<PathBuf> = std::fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let mut lines = String::new();
        for case in folders {
            let inventory = inventory(&case);
            let known = Headerless { layout: None, log_groups: Arc::new(inventory.layouts_by_log_group()) };
            for path in files(&case.join("logs")) {
                let name = path.strip_prefix(&cases).unwrap().display().to_string();
                let stored = Bytes::from(std::fs::read(&path).unwrap());
                for (way, columns, wanted) in ways() {
                    let tagger = Tagger::new(Arc::clone(&inventory), columns);
                    let from = Provenance { log_object: name.as_str().into(), flow_log_id: None };
                    let wanted = Arc::new(wanted);
                    let texts = [stored.len().max(1), 1_000].map(|piece| {
                        let (decoded, tally, fault) = decode(&stored, piece, &wanted, &known);
                        let mut text = format!("{tally:?} {:?} {:?} {:?}\n", tally.start_min(), tally.end_max(), tally.fault());
                        for part in &decoded {
                            dump(&tagger.tag(&part.batch, &from).unwrap(), &mut text);
                            writeln!(text, "{:?}", part.rejects).unwrap();
                        }
                        (text, fault, tally)
                    });
                    let [(text, fault, tally), (in_pieces, fault_in_pieces, _)] = texts;
                    assert_eq!(fault.is_some(), fault_in_pieces.is_some(), "{name}");
                    if fault.is_none() {
                        assert_eq!(text, in_pieces, "{name}");
                    }
                    let fault = fault.map_or(String::new(), |fault| format!(" {fault}"));
                    writeln!(lines, "{:016x} {way} {} rows {} rejects {name}{fault}", hash(&text), tally.rows, tally.rejects).unwrap();
                }
            }
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("decoded", lines);
        });
    }
}
