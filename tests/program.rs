//! The program as its user starts it: arguments in, exit code, stdout and stderr out. Nothing of this machine reaches it: no
//! environment but a path and the variables that a test sets, and no home.

use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use std::path::Path;
use std::process::{Command, Stdio};

/// Logs of the sample estate, relative to the package, where the program is started.
pub const ESTATE_LOGS: &str = "sample-logs/estate/logs";
/// Its inventory.
pub const ESTATE_INVENTORY: &str = "sample-logs/estate/inventory";

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Results, as written.
    pub bytes: Vec<u8>,
    /// Everything else.
    pub stderr: String,
}

impl Outcome {
    /// Returns stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).expect("stdout is UTF-8")
    }

    /// Returns stdout as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|fault| panic!("{fault}: {}\n{}", self.text(), self.stderr))
    }

    /// Checks the exit code, and shows the messages if it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Outcome {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }

    /// Checks that stderr holds a text.
    #[track_caller]
    pub fn tells(self, text: &str) -> Outcome {
        assert!(self.stderr.contains(text), "{text:?} is not in: {}", self.stderr);
        self
    }

    /// Checks that nothing went to stdout.
    #[track_caller]
    pub fn without_results(self) -> Outcome {
        assert_eq!(self.text(), "", "{}", self.stderr);
        self
    }
}

/// Returns the program, ready to start in the package's folder.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowproof"));
    command.args(args).env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    // Without a home, neither the user's configuration nor AWS profiles are found; without metadata, no waiting for it.
    command.env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Outcome {
    let output = command.output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    Outcome { code: output.status.code(), bytes: output.stdout, stderr }
}

/// Runs the program with arguments.
pub fn flowproof(args: &[&str]) -> Outcome {
    finish(command(args))
}

/// Runs it with the credentials and the endpoint of a server.
pub fn flowproof_on(server: &S3Server, args: &[&str]) -> Outcome {
    let mut command = command(args);
    command.args(["--endpoint-url", server.endpoint_url(), "--region", "eu-central-1"]);
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    finish(command)
}

/// Every file below a folder: path relative to it, with `/`, and bytes; by path.
pub fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(|entry| entry.expect("a readable folder"));
    let files = entries.filter(|entry| entry.file_type().is_file()).map(|entry| {
        let path = entry.path().strip_prefix(root).expect("below the root").to_str().expect("a UTF-8 path").to_owned();
        (path, std::fs::read(entry.path()).expect("a readable file"))
    });
    files.collect()
}
