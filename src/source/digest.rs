//! Stored bytes digested as they pass: a wrapper around any source.
//!
//! Evidence names every input by the SHA-256 of what was stored. The bytes are read once: an object that is read by ranges (a large
//! Parquet file) is spooled to a temporary file on its first range and served from there.

use super::listing::Listing;
use super::spool::Spooled;
use super::{Bytestream, Kept, Object, Permission, Prune, Source};
use crate::error::Result;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Objects that stay spooled at a time: more than are decoded at once, so that none is fetched again in practice.
const SPOOLED_MAX: usize = 64;

/// SHA-256 of stored bytes, 32 bytes.
pub type Sha256Digest = [u8; 32];

/// The digests of the objects that were read to their ends, by URI.
#[derive(Debug, Default)]
pub struct Digests(Mutex<HashMap<Arc<str>, Sha256Digest>>);

impl Digests {
    /// Returns the digest of an object; `None` if it was not read to its end.
    pub fn of(&self, uri: &str) -> Option<Sha256Digest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(uri).copied()
    }

    fn set(&self, uri: Arc<str>, digest: Sha256Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uri, digest);
    }
}

/// A spooled object, once the first who asked has fetched it.
type Cell = Arc<OnceCell<Spooled>>;

/// A source whose stored bytes are digested.
#[derive(Debug)]
pub struct Digested {
    inner: Arc<dyn Source>,
    digests: Arc<Digests>,
    spool_dir: PathBuf,
    /// Objects read by ranges, the one asked for last at the end.
    spooled: Mutex<VecDeque<(Arc<str>, Cell)>>,
}

impl Digested {
    /// Wraps a source; what must be spooled goes to unnamed files in `spool_dir`.
    pub fn new(inner: Arc<dyn Source>, digests: Arc<Digests>, spool_dir: PathBuf) -> Digested {
        Digested { inner, digests, spool_dir, spooled: Mutex::default() }
    }

    fn cell(&self, uri: &Arc<str>) -> Cell {
        let mut spooled = self.spooled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = spooled.iter().position(|(of, _)| of == uri).and_then(|at| spooled.remove(at));
        let (uri, cell) = known.unwrap_or_else(|| (Arc::clone(uri), Cell::default()));
        if spooled.len() >= SPOOLED_MAX {
            spooled.pop_front();
        }
        spooled.push_back((uri, Arc::clone(&cell)));
        cell
    }
}

#[async_trait]
impl Source for Digested {
    fn uri(&self) -> &str {
        self.inner.uri()
    }

    fn list(&self, prune: &Prune) -> Listing {
        self.inner.list(prune)
    }

    async fn read(&self, object: &Object) -> Result<Bytestream> {
        let body = self.inner.read(object).await?;
        let (digests, uri) = (Arc::clone(&self.digests), Arc::clone(&object.uri));
        let passing = stream::try_unfold((body, Sha256::new()), move |(mut body, mut sha)| {
            let (digests, uri) = (Arc::clone(&digests), Arc::clone(&uri));
            async move {
                match body.try_next().await? {
                    Some(chunk) => {
                        sha.update(&chunk);
                        Ok(Some((chunk, (body, sha))))
                    }
                    None => {
                        digests.set(uri, sha.finalize().into());
                        Ok(None)
                    }
                }
            }
        });
        Ok(passing.boxed())
    }

    async fn read_range(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        let cell = self.cell(&object.uri);
        let spool = || async { Spooled::receive(self.read(object).await?, &self.spool_dir).await };
        cell.get_or_try_init(spool).await?.read_range(object, range).await
    }

    async fn kept(&self, object: &Object) -> Result<Kept> {
        self.inner.kept(object).await
    }

    fn identity(&self, object: &Object) -> Arc<str> {
        self.inner.identity(object)
    }

    fn permissions(&self) -> Vec<Permission> {
        self.inner.permissions()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digest: Option<Sha256Digest>) -> String {
        digest.map_or_else(String::new, |digest| digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// SHA-256 of `abc`: FIPS 180-4, example B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    async fn of_abc(folder: &std::path::Path) -> (Digested, Object, Arc<Digests>) {
        std::fs::write(folder.join("x.log"), "abc").unwrap();
        let sources = super::super::open(&[folder.display().to_string()], &super::super::S3Options::default()).await.unwrap();
        let (mut objects, _) = super::super::list_all(&sources, &Prune::default()).await.unwrap();
        let (source, object) = objects.pop().unwrap();
        let digests = Arc::new(Digests::default());
        (Digested::new(source, Arc::clone(&digests), folder.to_owned()), object, digests)
    }

    #[tokio::test]
    async fn a_body_read_to_its_end_has_a_digest() {
        let folder = tempfile::tempdir().unwrap();
        let (source, object, digests) = of_abc(folder.path()).await;
        let mut body = source.read(&object).await.unwrap();
        assert_eq!(body.try_next().await.unwrap().unwrap(), "abc");
        assert_eq!(digests.of(&object.uri), None, "the end was not seen");
        assert_eq!(body.try_next().await.unwrap(), None);
        assert_eq!(hex(digests.of(&object.uri)), ABC);
    }

    #[tokio::test]
    async fn ranges_come_from_one_reading_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (source, object, digests) = of_abc(folder.path()).await;
        assert_eq!(source.read_range(&object, 1..3).await.unwrap(), "bc");
        assert_eq!(hex(digests.of(&object.uri)), ABC);
        std::fs::remove_file(folder.path().join("x.log")).unwrap();
        assert_eq!(source.read_range(&object, 0..1).await.unwrap(), "a");
        assert!(source.read_range(&object, 0..4).await.is_err());
    }
}
