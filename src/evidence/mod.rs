//! What an auditor gets: statements judged, the controls they speak to, and renderings of both.

pub mod results;
pub mod controls;
pub mod limits;
pub mod oscal;
