//! What a flow record is.

pub mod field;
