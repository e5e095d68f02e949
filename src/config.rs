//! All options composed: defaults < file < environment < flags. The only reader of environment variables.
//!
//! The file is `--config FILE`, else `flowproof.toml` in the working folder, else in `$XDG_CONFIG_HOME/flowproof/`
//! (`~/.config/flowproof/`). Its keys are the long options; an unknown key is an error.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::path::PathBuf;

/// Options as a configuration file gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// `--inventory`
    pub inventory: Vec<String>,
    /// `--log-account`
    pub log_account: Vec<String>,
    /// `--log-region`
    pub log_region: Vec<String>,
    /// `--flow-log-id`
    pub flow_log_id: Vec<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--threads`
    pub threads: Option<usize>,
    /// `--memory-limit`
    pub memory_limit: Option<String>,
    /// `--spill-dir`
    pub spill_dir: Option<PathBuf>,
    /// `--max-rejects`
    pub max_rejects: Option<u64>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--region`
    pub region: Option<String>,
    /// `--endpoint-url`
    pub endpoint_url: Option<String>,
    /// `--role-arn`
    pub role_arn: Option<String>,
    /// `--external-id`
    pub external_id: Option<String>,
    /// `--no-sign-request`
    pub no_sign_request: bool,
    /// `--request-payer`
    pub request_payer: bool,
}

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `NO_COLOR` is set to anything (no-color.org).
    pub no_color: bool,
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// Name of the user.
    pub user: Option<String>,
    /// Folder of the user's configuration files.
    pub config_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment of the process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Environment {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = || of("HOME").map(|home| PathBuf::from(home).join(".config"));
        Environment {
            no_color: of("NO_COLOR").is_some(),
            endpoint_url: of("AWS_ENDPOINT_URL_S3").or_else(|| of("AWS_ENDPOINT_URL")),
            user: of("USER").or_else(|| of("LOGNAME")),
            config_home: of("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home),
        }
    }
}

/// Reads the configuration file: the one asked for, else the first that exists.
///
/// # Errors
/// A usage error with the place, for a file that was asked for and is missing, or that does not fit.
pub fn read_file(asked: Option<&str>, environment: &Environment) -> Result<File> {
    let candidates = match asked {
        Some(path) => vec![PathBuf::from(path)],
        None => [
            Some(PathBuf::from("flowproof.toml")),
            environment.config_home.as_ref().map(|home| home.join("flowproof").join("flowproof.toml")),
        ]
        .into_iter()
        .flatten()
        .filter(|path| path.is_file())
        .collect(),
    };
    let Some(path) = candidates.first() else { return Ok(File::default()) };
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::usage("cannot read the configuration").at(&place).caused_by(error))?;
    toml::from_str(&text).map_err(|error| Error::usage("the configuration does not fit").at(place).caused_by(error))
}

/// Reads a size: bytes, or with K, M or G (binary; `KiB` and the like too).
pub fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text.get(digits.len()..)?.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_users_write_them() {
        assert_eq!(parse_size("400M"), Some(400 << 20));
        assert_eq!(parse_size("1 GiB"), Some(1 << 30));
        assert_eq!(parse_size("4096"), Some(4_096));
        assert_eq!(parse_size("much"), None);
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = toml::from_str::<File>("inventry = ['x']").unwrap_err();
        assert!(error.to_string().contains("inventry"));
    }
}
