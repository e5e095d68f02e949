//! flowproof: answers from AWS VPC Flow Logs that can be proven.

pub mod cli;
pub mod config;
pub mod decode;
pub mod enrich;
pub mod error;
pub mod flow;
pub mod inventory;
pub mod pipeline;
pub mod query;
pub mod report;
pub mod source;
pub mod time;
