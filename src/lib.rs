//! flowproof: answers from AWS VPC Flow Logs that can be proven.

pub mod error;
pub mod time;
pub mod flow;
pub mod source;
pub mod decode;
pub mod inventory;
pub mod enrich;
pub mod pipeline;
pub mod query;
pub mod report;
pub mod config;
pub mod cli;
