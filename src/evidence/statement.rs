//! What an envelope of a bundle says: an in-toto Statement v1, files by digest and a predicate about them.
//!
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use super::canonical;
use super::digest::Digest;
use super::dsse::Envelope;
use super::keys::{PublicKey, Signer};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The payload type of every envelope in a bundle.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The predicate over the reproducible results: `data/` without `run.json`.
pub const RESULTS_PREDICATE: &str = "https://flowproof.dev/evidence/results/v1";
/// The predicate over the whole bag.
pub const BAG_PREDICATE: &str = "https://flowproof.dev/evidence/bag/v1";
/// The type of a statement.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Files by digest, and what is said of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// What is said.
    pub predicate: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// Makes a statement about files.
    pub fn new(files: &BTreeMap<String, Digest>, predicate_type: &str, predicate: Value) -> Statement {
        let subject = files
            .iter()
            .map(|(name, digest)| Subject { name: name.clone(), digest: BTreeMap::from([("sha256".to_owned(), digest.to_string())]) });
        Statement { kind: STATEMENT_TYPE.to_owned(), subject: subject.collect(), predicate_type: predicate_type.to_owned(), predicate }
    }

    /// Returns the envelope over it, as the bytes of a bundle's file.
    ///
    /// # Errors
    /// If the predicate has no canonical form, or the signer fails.
    pub fn sign(&self, signer: &Signer) -> Result<Vec<u8>> {
        Envelope::sign(PAYLOAD_TYPE, &canonical::to_bytes(self)?, signer)?.to_bytes()
    }

    /// Reads and checks an envelope of a bundle: written as we write it, signed once, by the key, under its id; then the statement in
    /// the very bytes that were verified.
    ///
    /// # Errors
    /// With the first thing that does not fit.
    pub fn open(bytes: &[u8], predicate_type: &str, key: &PublicKey) -> Result<Statement> {
        let envelope = Envelope::parse(bytes)?;
        let payload = envelope.verify(PAYLOAD_TYPE, key)?;
        if envelope.to_bytes()? != bytes || !envelope.has_canonical_base64() {
            return Err(Error::failed("the envelope is not in its canonical form"));
        }
        match envelope.signatures.as_slice() {
            [one] if one.keyid == key.id()? => {}
            [_] => return Err(Error::failed("the key id is not that of the key")),
            more => return Err(Error::failed(format!("there are {} signatures instead of one", more.len()))),
        }
        let statement: Statement =
            serde_json::from_slice(&payload).map_err(|error| Error::failed("the payload is not an in-toto statement").caused_by(error))?;
        if canonical::to_bytes(&statement)? != payload {
            return Err(Error::failed("the statement is not in its canonical form"));
        }
        if statement.kind != STATEMENT_TYPE {
            return Err(Error::failed(format!("the statement's type is {:?} instead of {STATEMENT_TYPE:?}", statement.kind)));
        }
        if statement.predicate_type != predicate_type {
            return Err(Error::failed(format!("the predicate type is {:?} instead of {predicate_type:?}", statement.predicate_type)));
        }
        Ok(statement)
    }

    /// Reads what an envelope says without checking who says it.
    ///
    /// # Errors
    /// If it is not an envelope over a statement.
    pub fn unverified(bytes: &[u8]) -> Result<Statement> {
        let envelope = Envelope::parse(bytes)?;
        let fault = || Error::failed("the payload is not an in-toto statement");
        let payload =
            base64::Engine::decode(&base64::prelude::BASE64_STANDARD, envelope.payload).map_err(|error| fault().caused_by(error))?;
        serde_json::from_slice(&payload).map_err(|error| fault().caused_by(error))
    }

    /// Returns the files with their digests.
    ///
    /// # Errors
    /// If a file stands there twice or without a SHA-256 digest.
    pub fn files(&self) -> Result<BTreeMap<String, Digest>> {
        let mut files = BTreeMap::new();
        for subject in &self.subject {
            let digest = subject.digest.get("sha256").ok_or_else(|| Error::failed("no SHA-256 digest").at(subject.name.clone()))?;
            if files.insert(subject.name.clone(), digest.parse()?).is_some() {
                return Err(Error::failed("named twice").at(subject.name.clone()));
            }
        }
        Ok(files)
    }
}
