//! flowproof: answers from AWS VPC Flow Logs that can be proven.
//!
//! The modules in reading order; each uses only those before it, so the list can be read once, from top to bottom:
//!
//! * [`error`] and [`time`]: faults with their next action; instants, ranges, the injected clock.
//! * [`flow`]: what a record is. The one table of AWS fields, and the layout that says where each stands.
//! * [`source`]: where logs lie. Lists keys and hands out bytes, from S3 and disks.
//! * [`decode`]: bytes → Arrow batches and rejects. No I/O, and no way to fail on content.
//! * [`inventory`]: who held which address, and which interface was whose, as of an instant.
//! * [`policy`]: which destinations are approved, by whom and until when; what a connection is by that.
//! * [`enrich`]: tags records with both; decides who opened a connection.
//! * [`pipeline`]: **the story**, list → read → decode → tag → sink. Start here to see how it moves.
//! * [`query`]: SQL over it all. `flows` streams, `connections` is joined from one scan.
//! * [`report`]: rows and documents on their way out, a file for each format.
//! * [`evidence`]: statements judged for an auditor, the sealed bundle that holds them, and its check by anybody.
//! * [`config`] and [`cli`]: options composed, commands run, exit codes chosen.
//!
//! Sample logs → SQL → rows:
//!
//! ```
//! use flowproof::{decode::Validation, error::Result, inventory::Inventory, pipeline::Input, source, time::TimeRange};
//! use flowproof::query::{Engine, Logs, MEMORY_LIMIT_DEFAULT, Scans, Tables, coverage::Closing};
//! use std::sync::Arc;
//!
//! async fn rejected() -> Result<String> {
//!     let sources = source::open(&["sample-logs/estate/logs".to_owned()], &source::S3Options::default()).await?;
//!     let (objects, listed) = source::list_all(&sources, &source::Prune::default()).await?;
//!     let logs = Arc::new(Logs {
//!         inputs: objects.into_iter().map(|(source, object)| Input { source, object }).collect(),
//!         inventory: Arc::new(Inventory::default()),
//!         policy: None,
//!         window: TimeRange::default(),
//!         closing: Closing::default(),
//!         validation: Validation::ReadColumns,
//!         log_format: None,
//!         threads: 2,
//!         memory_limit: MEMORY_LIMIT_DEFAULT,
//!         spill_dir: std::env::temp_dir(),
//!         scans: Scans::default(),
//!         tables: Tables::default(),
//!         listed,
//!         grain: Default::default(),
//!     });
//!     let sql = "SELECT dstaddr, dstport, count(*) AS records FROM flows WHERE action = 'REJECT' GROUP BY dstaddr, dstport";
//!     let (_, rows) = Engine::new(&logs)?.collect(sql, &[]).await?;
//!     Ok(arrow::util::pretty::pretty_format_batches(&rows)?.to_string())
//! }
//!
//! # fn main() -> Result<()> {
//! let table = tokio::runtime::Runtime::new()?.block_on(rejected())?;
//! assert!(table.contains("| 10.20.12.40 | 8443    | 3       |"), "{table}");
//! # Ok(())
//! # }
//! ```

pub mod error;
pub mod time;
pub mod flow;
pub mod source;
pub mod decode;
pub mod inventory;
pub mod policy;
pub mod cost;
pub mod enrich;
pub mod intake;
pub mod pipeline;
pub mod query;
pub mod report;
pub mod evidence;
pub mod config;
pub mod cli;
