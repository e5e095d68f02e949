//! Judging a bundle: is it exactly what the holder of the key sealed?
//!
//! Works on [`Contents`] alone, without a network, and says of each check what differs. Every check runs, whatever another found, so
//! that one run names all; what only a valid signature can vouch for is then marked as not checked, and so is all that stands
//! behind the first fault of a zip. Passing all means that no byte
//! of the bundle can be another, but for a time-stamp reply, which is left to OpenSSL and said to be.

use super::bag::{
    BAG_ENVELOPE, BAG_INFO, DECLARATION, DECLARATION_TEXT, KEY_COPY, LISTED_TAG_FILES, MANIFEST, PAYLOAD, PREVIOUS, README,
    RESULTS_ENVELOPE, RUN, TAG_MANIFEST, TIME_STAMP_REPLY, TIME_STAMP_REQUEST, UNSIGNED, manifest, oxum,
};
use super::contents::{Contents, Named};
use super::digest::{Digest, Fixity};
use super::keys::PublicKey;
use super::ledger::History;
use super::statement::{BAG_PREDICATE, RESULTS_PREDICATE, Statement};
use super::time_stamp;
use crate::error::Result;
use serde_json::Value;
use std::collections::BTreeMap;

/// The key of the bag's predicate that names the ledger's last line when the bundle was sealed.
pub const LEDGER: &str = "ledger";

const ZIP: &str = "zip is the one of its files";

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Ok,
    /// Not as it must be.
    Failed,
    /// It could not or need not be checked; the check's notes say why.
    NotChecked,
}

impl Outcome {
    /// Returns it as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::NotChecked => "not checked",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// What it came to.
    pub outcome: Outcome,
    /// What differs, or what is to be known.
    pub notes: Named,
}

/// All checks of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they build on each other.
    pub checks: Vec<Check>,
}

impl Report {
    /// Returns whether no check failed.
    pub fn is_verified(&self) -> bool {
        self.failed() == 0
    }

    /// Returns how many checks failed.
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|check| check.outcome == Outcome::Failed).count()
    }
}

/// What the bundle is checked against, beside the key.
#[derive(Debug, Default)]
pub struct Surroundings<'a> {
    /// The bundle of the period before.
    pub previous: Option<&'a Contents>,
    /// The ledger of runs.
    pub ledger: Option<&'a History>,
}

/// Checks a bundle with the public key that its reader trusts.
pub fn verify(contents: &Contents, key: &PublicKey, surroundings: &Surroundings<'_>) -> Report {
    if let Some(fault) = &contents.zip_fault {
        // What was read up to there is not all: what the other checks would miss may be behind it.
        let faults = std::iter::once(fault).chain(&contents.faults.first).cloned();
        let rest = noted("everything else", Outcome::NotChecked, "reading ended there; unpacked, the folder can be verified for more");
        return Report { checks: vec![check(ZIP, faults), rest] };
    }
    let bag = statement(contents, BAG_ENVELOPE, BAG_PREDICATE, key);
    let results = statement(contents, RESULTS_ENVELOPE, RESULTS_PREDICATE, key);
    let (signed_bag, signed_results) = (bag.as_ref().ok(), results.as_ref().ok());
    let mut checks = Vec::new();
    if contents.is_zip {
        checks.push(check(ZIP, None));
    }
    checks.extend([
        check("layout", layout(contents)),
        check("public key copy", key_copy(contents, key)),
        check("signature over the bag", bag.as_ref().err().cloned()),
        check("signature over the results", results.as_ref().err().cloned()),
        subjects("files of the bag", contents, signed_bag, |name| !UNSIGNED.contains(&name)),
        subjects("files of the results", contents, signed_results, |name| name.starts_with(PAYLOAD) && name != RUN),
        check("manifest", manifest_faults(contents, MANIFEST, |name| name.starts_with(PAYLOAD))),
        check("tag manifest", manifest_faults(contents, TAG_MANIFEST, |name| LISTED_TAG_FILES.contains(&name))),
        check("bag declaration and Payload-Oxum", bag_texts(contents)),
        time_stamp_check(contents),
        chain(signed_results, surroundings.previous),
        ledger(contents, signed_bag, surroundings.ledger),
    ]);
    Report { checks }
}

fn check(name: &'static str, faults: impl IntoIterator<Item = String>) -> Check {
    let mut notes = Named::default();
    faults.into_iter().for_each(|fault| notes.push(fault));
    let outcome = if notes.is_empty() { Outcome::Ok } else { Outcome::Failed };
    Check { name, outcome, notes }
}

fn noted(name: &'static str, outcome: Outcome, note: impl Into<String>) -> Check {
    let mut notes = Named::default();
    notes.push(note);
    Check { name, outcome, notes }
}

fn statement(contents: &Contents, name: &str, predicate_type: &str, key: &PublicKey) -> Result<Statement, String> {
    let bytes = kept(contents, name)?;
    Statement::open(bytes, predicate_type, key).map_err(|error| format!("{name}: {error}"))
}

fn kept<'a>(contents: &'a Contents, name: &str) -> Result<&'a [u8], String> {
    contents.bytes(name).ok_or_else(|| match contents.files().get(name) {
        Some(file) => format!("{name}: too large to be one ({} bytes)", file.size),
        None => format!("{name}: missing"),
    })
}

/// What must not be there, and what must.
fn layout(contents: &Contents) -> Vec<String> {
    let known = |name: &&String| {
        let name = name.as_str();
        name.starts_with(PAYLOAD)
            || LISTED_TAG_FILES.contains(&name)
            || UNSIGNED.contains(&name)
            || matches!(name, TAG_MANIFEST | RESULTS_ENVELOPE)
    };
    let required = [BAG_ENVELOPE, RESULTS_ENVELOPE, KEY_COPY, MANIFEST, TAG_MANIFEST, BAG_INFO, DECLARATION, README];
    let mut faults = contents.faults.first.clone();
    faults.extend((contents.faults.more > 0).then(|| format!("{} more of these", contents.faults.more)));
    faults.extend(contents.files().keys().filter(|name| !known(name)).map(|name| format!("{name}: no file of a bundle")));
    faults.extend(required.iter().filter(|name| !contents.files().contains_key(**name)).map(|name| format!("{name}: missing")));
    faults
}

fn key_copy(contents: &Contents, key: &PublicKey) -> Option<String> {
    let pem = match key.to_pem() {
        Ok(pem) => pem,
        Err(error) => return Some(error.to_string()),
    };
    match kept(contents, KEY_COPY) {
        Ok(copy) if copy == pem.as_bytes() => None,
        Ok(_) => Some(format!("{KEY_COPY}: not the key given")),
        Err(fault) => Some(fault),
    }
}

/// Compares files with a signed statement, both ways.
fn subjects(name: &'static str, contents: &Contents, statement: Option<&Statement>, covered: impl Fn(&str) -> bool) -> Check {
    let Some(statement) = statement else {
        return noted(name, Outcome::NotChecked, "without a valid signature nothing says which they are");
    };
    match statement.files() {
        Ok(signed) => check(name, differences(contents, &signed, covered, "signed")),
        Err(error) => noted(name, Outcome::Failed, error.to_string()),
    }
}

fn differences(contents: &Contents, said: &BTreeMap<String, Digest>, covered: impl Fn(&str) -> bool, word: &str) -> Vec<String> {
    let there: BTreeMap<&str, &Fixity> =
        contents.files().iter().map(|(name, file)| (name.as_str(), file)).filter(|(name, _)| covered(name)).collect();
    let changed = said.iter().filter_map(|(name, digest)| match there.get(name.as_str()) {
        None => Some(format!("{name}: missing")),
        Some(file) if file.digest != *digest => Some(format!("{name}: changed; {word} is {digest}, it has {}", file.digest)),
        Some(_) => None,
    });
    let extra = there.keys().filter(|name| !said.contains_key(**name)).map(|name| format!("{name}: not {word}"));
    changed.chain(extra).collect()
}

/// A manifest has one form only, so it is compared with the one that the files make; then it is said where they differ.
fn manifest_faults(contents: &Contents, name: &str, covered: impl Fn(&str) -> bool) -> Vec<String> {
    let text = match kept(contents, name) {
        Ok(text) => text,
        Err(fault) => return vec![fault],
    };
    let files = contents.files().iter().filter(|(name, _)| covered(name)).map(|(name, file)| (name.clone(), file.digest)).collect();
    if manifest(&files).as_bytes() == text {
        return Vec::new();
    }
    let listed = std::str::from_utf8(text).ok().and_then(|text| {
        let lines = text.lines().map(|line| line.split_once("  ").and_then(|(digest, file)| Some((file.to_owned(), digest.parse().ok()?))));
        lines.collect::<Option<BTreeMap<String, Digest>>>()
    });
    let faults = listed.map(|listed| differences(contents, &listed, covered, "listed")).unwrap_or_default();
    if faults.is_empty() { vec![format!("{name}: not written as a manifest is")] } else { faults }
}

fn bag_texts(contents: &Contents) -> Vec<String> {
    let mut faults = Vec::new();
    match kept(contents, DECLARATION) {
        Ok(text) if text == DECLARATION_TEXT.as_bytes() => {}
        Ok(_) => faults.push(format!("{DECLARATION}: not BagIt 1.0's")),
        Err(fault) => faults.push(fault),
    }
    let payload = contents.files().iter().filter(|(name, _)| name.starts_with(PAYLOAD)).map(|(_, file)| file);
    let expected = oxum(payload);
    let line = format!("Payload-Oxum: {expected}");
    match kept(contents, BAG_INFO).map(|text| String::from_utf8_lossy(text)) {
        Ok(text) if text.lines().filter(|said| said.starts_with("Payload-Oxum:")).eq([line.as_str()]) => {}
        Ok(_) => faults.push(format!("{BAG_INFO}: Payload-Oxum is not {expected}, which is what the payload has")),
        Err(fault) => faults.push(fault),
    }
    faults
}

fn time_stamp_check(contents: &Contents) -> Check {
    let name = "time stamp";
    let Some(envelope) = contents.files().get(BAG_ENVELOPE) else {
        return noted(name, Outcome::NotChecked, format!("{BAG_ENVELOPE}: missing"));
    };
    let has = |file: &str| contents.files().contains_key(file);
    if has(TIME_STAMP_REQUEST) && contents.bytes(TIME_STAMP_REQUEST) != Some(&time_stamp::request(envelope.digest)) {
        return noted(name, Outcome::Failed, format!("{TIME_STAMP_REQUEST}: not the request for {BAG_ENVELOPE}"));
    }
    if has(TIME_STAMP_REPLY) {
        if !contents.bytes(TIME_STAMP_REPLY).is_some_and(|reply| time_stamp::names(reply, envelope.digest)) {
            return noted(name, Outcome::Failed, format!("{TIME_STAMP_REPLY}: not about {BAG_ENVELOPE}"));
        }
        let command = format!("openssl ts -verify -data {BAG_ENVELOPE} -in {TIME_STAMP_REPLY} -CAfile TSA.pem");
        return noted(name, Outcome::NotChecked, format!("{TIME_STAMP_REPLY} is there; verify it with {command}"));
    }
    if has(TIME_STAMP_REQUEST) { check(name, None) } else { noted(name, Outcome::NotChecked, "the bundle has none") }
}

fn chain(results: Option<&Statement>, previous: Option<&Contents>) -> Check {
    let name = "previous bundle";
    let Some(results) = results else {
        return noted(name, Outcome::NotChecked, "without a valid signature nothing says which it is");
    };
    let said = match results.predicate.get(PREVIOUS) {
        Some(Value::Null) => None,
        Some(Value::String(digest)) => Some(digest.as_str()),
        _ => return noted(name, Outcome::Failed, "the results' predicate does not say which it is"),
    };
    let given = previous.map(|contents| contents.files().get(BAG_ENVELOPE).map(|file| file.digest.to_string()));
    match (said, given) {
        (None, None) => noted(name, Outcome::Ok, "this is the first of its chain"),
        (Some(said), None) => {
            noted(name, Outcome::NotChecked, format!("it is the one whose {BAG_ENVELOPE} has {said}; give it to compare"))
        }
        (_, Some(None)) => noted(name, Outcome::Failed, format!("the one given has no {BAG_ENVELOPE}")),
        (None, Some(Some(_))) => noted(name, Outcome::Failed, "this is the first of its chain, and one is given"),
        (Some(said), Some(Some(given))) if said == given => check(name, None),
        (Some(said), Some(Some(given))) => noted(name, Outcome::Failed, format!("it follows {said}, and {given} is given")),
    }
}

fn ledger(contents: &Contents, bag: Option<&Statement>, history: Option<&History>) -> Check {
    let name = "ledger of runs";
    let Some(history) = history else {
        return noted(name, Outcome::NotChecked, "none is given");
    };
    let mut faults = Vec::new();
    if let Some((line, why)) = &history.broken {
        faults.push(format!("line {line}: {why}"));
    }
    let Some(bag) = bag else {
        return if faults.is_empty() {
            noted(name, Outcome::NotChecked, "it is whole; without a valid signature nothing says whether it is this bundle's")
        } else {
            check(name, faults)
        };
    };
    match bag.predicate.get(LEDGER).and_then(Value::as_str).map(str::parse::<Digest>) {
        Some(Ok(digest)) if !history.digests.contains(&digest) => {
            faults.push(format!("the line that was its last when the bundle was sealed is not in it: {digest}"));
        }
        Some(Err(error)) => faults.push(error.to_string()),
        _ => {}
    }
    let envelope = contents.files().get(BAG_ENVELOPE).map(|file| file.digest.to_string());
    if !envelope.is_some_and(|digest| history.bundles.contains(&digest)) {
        faults.push("it names no finished run with this bundle".to_owned());
    }
    check(name, faults)
}
