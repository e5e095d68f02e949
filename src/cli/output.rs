//! Stdout, files, messages and progress: the only place that touches the terminal.

use super::{Context, Global, When};
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::intake::Progress;
use crate::query::Logs;
use crate::report::Format;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{BufWriter, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// `-o`: how results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Aligned columns
    Table,
    /// Comma-separated (RFC 4180)
    Csv,
    /// Tab-separated
    Tsv,
    /// One JSON document
    Json,
    /// One JSON object a line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC stream
    Arrow,
}

/// The option `-o`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputArgs {
    /// How results are written to stdout [default: table on a terminal, csv when piped]
    #[arg(short, long, visible_alias = "format", value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output: Option<OutputFormat>,
}

impl OutputArgs {
    /// Returns the format for stdout.
    pub fn format(self) -> Format {
        match self.output {
            None if std::io::stdout().is_terminal() => Format::Table,
            None | Some(OutputFormat::Csv) => Format::Csv,
            Some(OutputFormat::Table) => Format::Table,
            Some(OutputFormat::Tsv) => Format::Tsv,
            Some(OutputFormat::Json) => Format::Json,
            Some(OutputFormat::Ndjson) => Format::Ndjson,
            Some(OutputFormat::Markdown) => Format::Markdown,
            Some(OutputFormat::Parquet) => Format::Parquet,
            Some(OutputFormat::Arrow) => Format::Arrow,
        }
    }
}

/// Returns stdout, buffered.
pub fn stdout() -> BufWriter<std::io::Stdout> {
    BufWriter::new(std::io::stdout())
}

/// Makes a file, and hands it to `write`. A file that could not be written whole is left behind and named in the error.
///
/// # Errors
/// With the file's path.
pub fn to_file(path: &str, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let fault = |error: std::io::Error| Error::failed("cannot write").at(path).caused_by(error);
    let mut file = BufWriter::new(std::fs::File::create(path).map_err(fault)?);
    write(&mut file)?;
    file.flush().map_err(fault)
}

/// Starts messages on stderr: warnings; with `-v` also information, with `-vv` details.
pub fn start_messages(global: &Global, quiet: bool, environment: &Environment) {
    let level = match (quiet, global.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "info",
        (..) => "debug",
    };
    // The SDK's own messages are for its developers.
    let filter = EnvFilter::new(format!("error,flowproof={level}"));
    let messages = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if global.log_json {
        let _ = messages.json().try_init();
    } else {
        let _ = messages.without_time().with_ansi(colors_stderr(global, environment)).try_init();
    }
}

/// Returns whether messages are coloured.
pub fn colors_stderr(global: &Global, environment: &Environment) -> bool {
    match global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => !environment.no_color && std::io::stderr().is_terminal(),
    }
}

/// A progress line on stderr, shown after a second; it goes away with the value.
#[derive(Debug)]
pub struct ProgressLine {
    bar: ProgressBar,
    task: tokio::task::JoinHandle<()>,
}

/// Shows how far the scans of a run are, if the terminal and the options want it.
pub fn progress(context: &Context, logs: &Arc<Logs>) -> Option<ProgressLine> {
    let wanted = match context.global.progress {
        When::Always => true,
        When::Never => false,
        When::Auto => !context.quiet && std::io::stderr().is_terminal(),
    };
    if !wanted || logs.inputs.is_empty() {
        return None;
    }
    let total: u64 = logs.inputs.iter().map(|input| input.object.size).sum();
    let bar = ProgressBar::new(total);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:20} {percent:>3} %  {bytes} of {total_bytes}  {binary_bytes_per_sec}  {msg}  {eta} left")
    {
        bar.set_style(style);
    }
    let (shown, logs) = (bar.clone(), Arc::clone(logs));
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        loop {
            show(&shown, &logs);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    Some(ProgressLine { bar, task })
}

fn show(bar: &ProgressBar, logs: &Logs) {
    let intakes = logs.intakes();
    let sum = |of: fn(&Progress) -> &AtomicU64| intakes.iter().map(|intake| of(&intake.progress).load(Ordering::Relaxed)).sum::<u64>();
    bar.set_position(sum(|progress| &progress.bytes));
    bar.set_message(format!(
        "{} objects, {} rows, {} rejects",
        sum(|progress| &progress.objects),
        sum(|progress| &progress.rows),
        sum(|progress| &progress.rejects)
    ));
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
