//! One test binary; a module per capability.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "rust-clippy #11119: helpers of tests are linted")]
#![allow(unreachable_pub, reason = "a test binary has no public interface")]

/// Bills in every shape and container: the same lines; what ties out and what does not.
mod bill;
/// `sample-logs/`: every folder against the answers worked out by hand.
mod cases;
/// The command line: exit codes, formats, help, configuration, and what must not get through.
mod cli;
/// `report coverage`: hours, gaps, files, flow logs and custody, against tables by hand and a recount of the records.
mod coverage;
/// What must hold of costs on any estate: ends and movements, silent interfaces, sums by hour, money from what is printed.
mod cost_properties;
/// Reports of costs beyond those figures: periods compared, the bill, FOCUS, owners, a firewall in the path.
mod cost_reports;
/// `sample-logs/costs/`: what traffic costs, against figures worked out by hand.
mod costs;
/// The sealed bundle: accepted by other tools, and no change to it unseen.
mod evidence;
/// Reports as documents: well-formed pages that load nothing, with the rows of the other formats; hostile names; 100,000 destinations.
mod documents;
/// Files that lie about themselves, written field by field.
mod forge;
/// Logs of any size with their inventory and the truth about them; shares no code with the engine.
mod generator;
/// The generator against itself.
mod generator_self;
/// Hostile input: reported with its place, the rest complete, memory within the budget.
mod hostile;
/// The same for Parquet: what a file claims of itself is not believed.
mod hostile_parquet;
/// Inventory files, as-of look-ups, the control-plane rule, and the collection script.
mod inventory;
/// Lists of objects in place of LIST, standard input, access points, requester-pays buckets.
mod listings;
/// What is left unread of Parquet changes no answer, and is not fetched.
mod parquet_pruning;
/// The policy: places of faults, approval at the time of the flow, references, findings, drafts, and the estate judged by hand.
mod policy;
/// What S3 keeps of each input beside its bytes: sealed for the very object that was read, or why it is not known.
mod kept;
/// Price lists: what AWS publishes, our own format, and the command over both.
mod prices;
/// The program as its user starts it: arguments in, exit code, stdout and stderr out.
mod program;
/// What must not matter: field order, cuts, compression, order and names of objects, threads, memory, push-down. And no line is lost.
mod properties;
/// Readiness for CUSTOMER_ROUTED and the failure drill, against states worked out by hand.
mod readiness;
/// Runs of the engine through the library, made in one place.
mod runs;
/// The same answers from S3 as from a disk, with every fault that a server may have.
mod s3;
/// An S3 server on loopback, with faults on demand.
mod s3_server;
/// What a bundle claims: verdicts against tables worked out by hand, missing inputs, hidden records, two runs alike.
mod statements;
/// Listing and reading, by one contract for disks and S3.
mod source;
/// The house rules, read from the sources: arrows, single homes, goldens, and documents that name what exists.
mod tidy;
/// `evidence trace`: figures against the lines behind them, lines against figures, samples; logs and bundles that changed.
mod trace;
/// The generator's truth against the report, at two million records and over every way to store them.
mod truth;
