//! Parse, run, exit; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowproof::cli::main(&flowproof::time::SystemClock)
}
