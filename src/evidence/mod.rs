//! Evidence.

pub mod catalogue;
pub mod inputs;
pub mod judge;
pub mod results;
