//! The command line: what the user typed, what the program needs of it, and which exit code a fault has.

pub mod catalogue;
pub mod collect;
pub mod evidence;
pub mod inventory;
pub mod output;
pub mod plan;
pub mod policy;
pub mod prices;
pub mod report;
pub mod run;
pub mod sql;
pub mod trace;

use crate::config::{self, Environment};
use crate::error::{Error, Kind, Result, printable};
use crate::time::Clock;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::process::ExitCode;

/// Answers from AWS VPC Flow Logs that can be proven.
///
/// Reads flow logs where they lie (S3 or disk; text, gzip, zstd or Parquet; any field order and version), tags the
/// traffic of EKS control planes, and answers with reports and SQL.
#[derive(Debug, Parser)]
#[command(name = "flowproof", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: flowproof.toml here, else in $XDG_CONFIG_HOME/flowproof/]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Messages")]
    pub config: Option<String>,
    /// Say more on stderr; twice for every object
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Messages")]
    pub verbose: u8,
    /// Write messages as JSON lines
    #[arg(long, global = true, help_heading = "Messages")]
    pub log_json: bool,
    /// Show progress on stderr
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN", help_heading = "Messages")]
    pub progress: When,
    /// Colour messages (NO_COLOR is honoured)
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN", help_heading = "Messages")]
    pub color: When,
}

/// `-q`; `sql` spells it `--quiet` only, because its `-q` names a query.
#[derive(Debug, Clone, Copy, Args)]
pub struct QuietArgs {
    /// Say nothing but errors on stderr
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Messages")]
    pub quiet: bool,
}

/// When to do something that suits terminals only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer one question with a report
    #[command(subcommand)]
    Report(report::Command),
    /// Make a key, verify a sealed bundle, show what it says
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Run ad hoc SQL over logs and inventory
    Sql(sql::SqlArgs),
    /// List or show the shipped queries
    #[command(subcommand)]
    Queries(catalogue::Queries),
    /// List every column of `flows`, `connections` and the other tables, and the SQL functions
    Fields(catalogue::FieldsArgs),
    /// Show, check or collect what is known of interfaces, clusters and addresses
    #[command(subcommand)]
    Inventory(inventory::Command),
    /// Draft or check the list of approved destinations
    #[command(subcommand)]
    Policy(policy::Command),
    /// Show, import or check the list prices that costs are computed with
    #[command(subcommand)]
    Prices(prices::Command),
    /// Say what a run would read: objects, bytes, requests, S3 cost, what pruning saves
    Plan(plan::PlanArgs),
    /// Print the least-privilege IAM policy for reading LOGS
    IamPolicy(plan::IamPolicyArgs),
    /// Print a completion script
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

impl Command {
    fn is_quiet(&self) -> bool {
        match self {
            Command::Report(command) => command.is_quiet(),
            Command::Sql(args) => args.quiet,
            Command::Evidence(command) => command.is_quiet(),
            Command::Plan(args) => args.quiet.quiet,
            Command::Policy(command) => command.is_quiet(),
            _ => false,
        }
    }
}

/// What a command came to, beyond success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Done.
    Done,
    /// The output is written, but an input could not be read whole, or a limit was passed. Exit code 4.
    Incomplete,
    /// The output is written, and holds findings that `--fail-on` names; goes before what is incomplete. Exit code 3.
    Findings,
}

/// What every command gets from its surroundings.
#[derive(Debug)]
pub struct Context {
    /// Options of every command.
    pub global: Global,
    /// Whether only errors go to stderr.
    pub quiet: bool,
    /// The configuration file.
    pub file: config::File,
    /// What the environment says.
    pub environment: Environment,
    /// The current instant, read once.
    pub now: i64,
}

/// Parses the command line, runs the command, reports a fault, and returns the exit code (design §2).
pub fn main(clock: &dyn Clock) -> ExitCode {
    let Cli { command, global } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers and end with 0, everything else is usage.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let environment = Environment::read();
    let quiet = command.is_quiet();
    output::start_messages(&global, quiet, &environment);
    let color = output::colors_stderr(&global, &environment);
    let outcome = config::read_file(global.config.as_deref(), &environment).and_then(|file| {
        let context = Context { global, quiet, file, environment, now: clock.now() };
        run_command(command, &context)
    });
    match outcome {
        Ok(Status::Done) => ExitCode::SUCCESS,
        Ok(Status::Incomplete) => ExitCode::from(4),
        Ok(Status::Findings) => ExitCode::from(3),
        Err(error) => {
            tell(&error, color);
            ExitCode::from(exit_code(error.kind()))
        }
    }
}

fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::Access => 5,
        Kind::Unverified => 6,
        Kind::Interrupted => 130,
        // The reader had enough, as in `flowproof … | head`.
        Kind::BrokenPipe => 0,
    }
}

fn tell(error: &Error, color: bool) {
    if error.kind() == Kind::BrokenPipe {
        return;
    }
    let (red, bold, plain) = if color { ("\x1b[31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let mut stderr = std::io::stderr().lock();
    // Nothing can be done about a stderr that is gone.
    let _ = writeln!(stderr, "{red}error:{plain} {}", lines(&error.to_string()));
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "{bold}hint:{plain} {}", lines(hint));
    }
}

/// Escapes control characters but keeps line breaks, which our own messages and SQL errors have.
fn lines(text: &str) -> String {
    text.lines().map(|line| printable(line).into_owned()).collect::<Vec<_>>().join("\n")
}

fn run_command(command: Command, context: &Context) -> Result<Status> {
    match command {
        Command::Report(command) => run::block_on(context, report::run(command, context)),
        Command::Sql(args) => run::block_on(context, sql::run(args, context)),
        Command::Inventory(command) => run::block_on(context, inventory::run(command, context)),
        Command::Plan(args) => run::block_on(context, plan::plan(args, context)),
        Command::IamPolicy(args) => run::block_on(context, plan::iam_policy(args, context)),
        Command::Policy(command) => run::block_on(context, policy::run(command, context)),
        Command::Prices(command) => prices::run(&command),
        Command::Evidence(command) => evidence::run(command, context),
        Command::Queries(command) => catalogue::queries(&command),
        Command::Fields(args) => catalogue::fields(&args),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when its reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "flowproof", &mut script);
            std::io::stdout().lock().write_all(&script)?;
            Ok(Status::Done)
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout().lock())?;
            Ok(Status::Done)
        }
    }
}

/// Returns the definition of the command line, for tests of its help.
pub fn definition() -> clap::Command {
    Cli::command()
}
