//! One test binary; a module per capability.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "rust-clippy #11119: helpers of tests are linted")]
#![allow(unreachable_pub, reason = "a test binary has no public interface")]

/// An S3 server in memory, for every test that reads a bucket.
mod s3_server;
/// Listing, pruning and reading, on a disk and in S3.
mod source;
