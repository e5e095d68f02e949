//! `flowproof sql`: ad hoc SQL over logs and inventory.

use super::output::{self, OutputArgs};
use super::run::{Asked, LogsArgs};
use super::{Context, Status, report};
use crate::error::{Error, Result};
use crate::policy::Policy;
use crate::query::{Engine, Params, library};
use crate::report::renderer;
use clap::Args;
use futures::StreamExt;
use std::io::Write;
use std::path::PathBuf;

/// Run ad hoc SQL over logs and inventory
#[derive(Debug, Args)]
#[command(after_help = "flowproof fields lists the tables and columns, flowproof queries list the shipped queries.")]
pub struct SqlArgs {
    #[command(flatten)]
    logs: LogsArgs,
    /// The statement
    // A statement may begin with a comment.
    #[arg(short, long, value_name = "SQL", allow_hyphen_values = true, help_heading = "What to run")]
    command: Option<String>,
    /// A file with the statement
    #[arg(short, long, value_name = "FILE", conflicts_with = "command", help_heading = "What to run")]
    file: Option<String>,
    /// A shipped query
    #[arg(short, long, value_name = "NAME", conflicts_with_all = ["command", "file"], help_heading = "What to run")]
    query: Option<String>,
    /// A parameter of the statement, bound to $k (repeatable)
    #[arg(long, value_name = "k=v", help_heading = "What to run")]
    param: Vec<String>,
    /// Approved destinations (TOML), for approved_by and verdict of connections
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    policy: Option<PathBuf>,
    /// Say nothing but errors on stderr
    #[arg(long, conflicts_with = "verbose", help_heading = "Messages")]
    pub(super) quiet: bool,
    /// Allow statements that write (CREATE, COPY, INSERT, SET)
    #[arg(long, help_heading = "What to run")]
    allow_write: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the statement and writes its rows as they come.
///
/// # Errors
/// If the statement does not run, or its output cannot be written.
pub async fn run(args: SqlArgs, context: &Context) -> Result<Status> {
    let given = args.param.iter().map(|param| parameter(param)).collect::<Result<Vec<_>>>()?;
    let (sql, params) = statement(&args, &given, context.now)?;
    let policy = args.policy.as_deref().map(Policy::read).transpose()?;
    let logs = args.logs.open_for(context, Asked { policy: policy.as_ref(), ..Asked::default() }).await?;
    let progress = output::progress(context, &logs);
    let engine = Engine::new(&logs)?;
    let mut rows = engine.sql(&sql, &params, args.allow_write).await?;
    let mut out = output::stdout();
    let mut writer = renderer(args.output.format(), &rows.schema, &mut out)?;
    while let Some(batch) = rows.batches.next().await {
        writer.batch(&batch?)?;
    }
    drop(progress);
    writer.end()?;
    drop(writer);
    out.flush()?;
    report::warn_of_faults(&logs, args.logs.max_rejects(context))
}

fn statement(args: &SqlArgs, given: &[(String, String)], now: i64) -> Result<(String, Params)> {
    if let Some(name) = &args.query {
        let query = library::find(name)?;
        return Ok((query.sql.to_owned(), query.bind(given, now)?));
    }
    let sql = match (&args.command, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(path)) => {
            std::fs::read_to_string(path).map_err(|error| Error::usage("cannot read the statement").at(path).caused_by(error))?
        }
        (None, None) => {
            return Err(Error::usage("no statement is given").with_hint("add -c SQL, -f FILE or -q NAME (flowproof queries list)"));
        }
    };
    Ok((sql, given.iter().map(|(name, value)| (name.clone(), library::untyped(value))).collect()))
}

fn parameter(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').ok_or_else(|| Error::usage(format!("--param {text:?} is not k=v")))?;
    Ok((name.trim_start_matches('$').to_owned(), value.to_owned()))
}
