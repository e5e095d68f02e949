//! Checking a bundle against its inputs: are they still what was read, and do they still come to the same results?

use super::contents::{Contents, Named};
use super::digest::{Digest, hex};
use super::payload::{CONTEXT, PARAMS, POLICY, Params, RESULTS};
use super::verify::{Check, Outcome};
use crate::error::{Error, Result};
use crate::inventory;
use crate::pipeline::Input;
use crate::source::Digests;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use std::collections::BTreeMap;

/// Inputs read at a time.
const READS_IN_FLIGHT_MAX: usize = 16;

/// Returns whether a file of a bundle is needed for a check against the inputs.
pub fn is_needed(name: &str) -> bool {
    let Some(name) = name.strip_prefix("data/") else { return false };
    name == PARAMS || name == POLICY || name == RESULTS || name.starts_with("inputs/") || name.starts_with("context/")
}

/// What a bundle was made from, as it says itself.
#[derive(Debug)]
pub struct Recorded {
    /// The parameters.
    pub params: Params,
    /// The policy's text.
    pub policy: Option<String>,
    /// The inventory's files under the paths that they had.
    pub inventory: Vec<inventory::File>,
    /// The results, canonical.
    pub results: Vec<u8>,
    /// Digest of each input that was read, by URI; empty for one that could not be.
    pub inputs: BTreeMap<String, String>,
}

/// Reads what a bundle was made from; [`is_needed`] files must have been kept.
///
/// # Errors
/// If a file is missing, too large to be kept, or not what flowproof writes.
pub fn recorded(contents: &Contents) -> Result<Recorded> {
    let bytes = |name: &str| {
        let name = format!("data/{name}");
        contents.bytes(&name).ok_or_else(|| Error::failed("the bundle lacks this file, or it is too large to be read").at(name))
    };
    let wrong = |name: &str| Error::failed("this is not what flowproof writes").at(format!("data/{name}"));
    let table = |name: &str| -> Result<Vec<BTreeMap<String, String>>> {
        let mut reader = csv::Reader::from_reader(bytes(name)?);
        reader.deserialize().collect::<std::result::Result<_, _>>().map_err(|error| wrong(name).caused_by(error))
    };
    let cell = |row: &BTreeMap<String, String>, column: &str| row.get(column).cloned().unwrap_or_default();
    let mut files = Vec::new();
    for row in table(CONTEXT)? {
        files.push(inventory::File { path: cell(&row, "path"), bytes: bytes::Bytes::copy_from_slice(bytes(&cell(&row, "file"))?) });
    }
    let mut inputs = BTreeMap::new();
    let lists = contents.files().keys().filter_map(|name| name.strip_prefix("data/")).filter(|name| name.starts_with("inputs/"));
    for list in lists {
        for row in table(list)?.iter().filter(|row| cell(row, "status") != "left-out") {
            inputs.insert(cell(row, "log_object"), cell(row, "sha256"));
        }
    }
    let policy = contents.bytes(&format!("data/{POLICY}")).map(|text| String::from_utf8(text.to_vec()).map_err(|_| wrong(POLICY)));
    Ok(Recorded {
        params: serde_json::from_slice(bytes(PARAMS)?).map_err(|error| wrong(PARAMS).caused_by(error))?,
        policy: policy.transpose()?,
        inventory: files,
        results: bytes(RESULTS)?.to_vec(),
        inputs,
    })
}

/// Reads every input again that has no digest yet, and compares digests both ways; the sources must take digests.
pub async fn inputs_check(recorded: &Recorded, inputs: &[Input], digests: &Digests) -> Check {
    let read = |input: Input| async move {
        if digests.of(&input.object.uri).is_some() {
            // Read to its end when the results were computed again.
            return (input.object.uri.to_string(), None);
        }
        let body = async { input.source.read(&input.object).await?.try_for_each(|_| std::future::ready(Ok(()))).await };
        (input.object.uri.to_string(), body.await.err().map(|error: Error| error.to_string()))
    };
    let wanted = inputs.iter().filter(|input| recorded.inputs.contains_key(&*input.object.uri)).cloned();
    let faults: BTreeMap<String, Option<String>> = stream::iter(wanted).map(read).buffer_unordered(READS_IN_FLIGHT_MAX).collect().await;
    let mut notes = Named::default();
    for (uri, digest) in &recorded.inputs {
        match (faults.get(uri), digests.of(uri)) {
            (None, _) => notes.push(format!("{uri}: not among the inputs given")),
            (Some(Some(fault)), _) => notes.push(format!("{uri}: {fault}")),
            (Some(None), Some(now)) if hex(&now) == *digest => {}
            (Some(None), now) => {
                notes.push(format!("{uri}: is now sha256 {}, was {digest}", now.map_or_else(|| "unknown".to_owned(), |now| hex(&now))));
            }
        }
    }
    let outcome = if notes.is_empty() { Outcome::Ok } else { Outcome::Failed };
    let new = inputs.iter().filter(|input| !recorded.inputs.contains_key(&*input.object.uri)).count();
    if new > 0 {
        notes.push(format!("{new} objects stand there that the bundle does not name, or that it left out"));
    }
    Check { name: "inputs read again", outcome, notes }
}

/// Compares results that were computed again with those of the bundle, and names what differs.
pub fn results_check(recorded: &Recorded, again: &[u8]) -> Check {
    let mut notes = Named::default();
    if recorded.results != again {
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        differences("", &parse(&recorded.results), &parse(again), &mut notes);
        if notes.is_empty() {
            notes.push(format!("written otherwise: sha256 {}, was {}", Digest::of(again), Digest::of(&recorded.results)));
        }
    }
    Check { name: "results computed again", outcome: if notes.is_empty() { Outcome::Ok } else { Outcome::Failed }, notes }
}

/// Names the places at which two values differ (JSON Pointer, RFC 6901).
fn differences(place: &str, was: &Value, is: &Value, notes: &mut Named) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            let keys: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for key in keys {
                let (was, is) = (was.get(key).unwrap_or(&Value::Null), is.get(key).unwrap_or(&Value::Null));
                differences(&format!("{place}/{key}"), was, is, notes);
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            was.iter().zip(is).enumerate().for_each(|(at, (was, is))| differences(&format!("{place}/{at}"), was, is, notes));
        }
        (Value::Array(was), Value::Array(is)) => notes.push(format!("{place}: {} items, were {}", is.len(), was.len())),
        (was, is) if was != is => notes.push(format!("{place}: {is}, was {was}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_named_by_its_place() {
        let mut notes = Named::default();
        let was = json!({ "a": [{ "b": 1 }], "c": "x", "d": [1], "same": { "deep": [1, 2] } });
        let is = json!({ "a": [{ "b": 2 }], "d": [1, 2], "same": { "deep": [1, 2] } });
        differences("", &was, &is, &mut notes);
        assert_eq!(notes.first, ["/a/0/b: 2, was 1", "/c: null, was \"x\"", "/d: 2 items, were 1"]);
    }
}
