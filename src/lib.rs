//! flowproof: answers from AWS VPC Flow Logs that can be proven.

pub mod error;
pub mod time;
pub mod flow;
pub mod source;
