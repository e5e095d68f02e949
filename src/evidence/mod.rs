//! The sealed bundle: what an auditor is handed, and how anybody checks that it is whole and unchanged.
//!
//! A bundle is a BagIt directory (RFC 8493), or the one zip of it, with two signed statements: one over the results, one over
//! everything. The container (from `digest` to `verify`) knows nothing of what the results mean: payload and predicates are handed in.
//!
//! Sealing: [`Bag::create`] → [`Bag::add`] → [`Bag::seal`] (→ [`archive::write`]). Checking: [`Contents::read`] takes in names,
//! digests and tag files, trusting nothing; [`verify`] judges them.
//!
//! ```
//! use flowproof::evidence::{Bag, Contents, KeyPair, Seal, Signer, verify, Surroundings};
//!
//! # fn main() -> flowproof::error::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path().join("evidence-2026-10");
//! let keys = KeyPair::generate()?;
//! let mut bag = Bag::create(&dir)?;
//! bag.add("results.json", b"{}")?;
//! bag.seal(&Seal::new(&Signer::KeyFile(keys.clone())))?;
//!
//! let report = verify(&Contents::read(&dir)?, &keys.public(), &Surroundings::default());
//! assert!(report.is_verified());
//! # Ok(())
//! # }
//! ```

pub mod digest;
pub mod canonical;
pub mod names;
pub mod keys;
pub mod dsse;
pub mod statement;
pub mod time_stamp;
pub mod bag;
pub mod contents;
pub mod archive;
pub mod ledger;
pub mod verify;
pub mod results;
pub mod catalogue;
pub mod judge;
pub mod inputs;
pub mod facts;
pub mod given;
pub mod controls;
pub mod limits;
pub mod oscal;
pub mod collect;
pub mod document;
pub mod payload;
pub mod rerun;
pub mod unpacked;
pub mod raw_lines;
pub mod trace;

pub use bag::{Bag, Seal, Sealed};
pub use contents::Contents;
pub use digest::Digest;
pub use keys::{KeyPair, PublicKey, Signer};
pub use ledger::Ledger;
pub use verify::{Report, Surroundings, verify};

/// Most files that a bundle may hold. One of a month has some dozens; a zip with more would need a longer directory.
pub const FILES_MAX: usize = 10_000;
/// Most bytes of a file. The list of a month's input objects is the largest: 300 bytes for each of tens of millions.
pub const FILE_BYTES_MAX: u64 = 16 << 30;
/// Most bytes of all files together.
pub const BUNDLE_BYTES_MAX: u64 = 32 << 30;
/// Most bytes of a file that is kept in memory: envelopes and manifests of [`FILES_MAX`] files have less.
pub const KEPT_FILE_BYTES_MAX: u64 = 16 << 20;
/// Most bytes of all files that are kept in memory.
pub const KEPT_BYTES_MAX: u64 = 64 << 20;
/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;
