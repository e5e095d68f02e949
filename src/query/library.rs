//! The shipped queries: files in `queries/`, each one question, embedded with their headers.

use crate::error::{Error, Result};
use crate::time::parse_instant;
use datafusion::common::ScalarValue;
use std::sync::LazyLock;

/// A shipped query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Name: the file's stem.
    pub name: &'static str,
    /// What it answers.
    pub question: &'static str,
    /// What a row is.
    pub answers: &'static str,
    /// Parameters: name, SQL type, default.
    pub params: Vec<(&'static str, &'static str, Option<&'static str>)>,
    /// Header and statement, as shipped.
    pub sql: &'static str,
}

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../queries/", $name, ".sql")))),*]
    };
}

/// Every file of `queries/`, by name; a test holds folder and list together.
const FILES: &[(&str, &str)] = embed![
    "connections-by-outcome",
    "costs",
    "coverage",
    "coverage-hours",
    "cross-az",
    "cross-az-owners",
    "egress",
    "inbound-api-clients",
    "layouts",
    "meters-by-day",
    "nat",
    "objects-read",
    "rejected-records",
    "top-talkers",
    "zone-aware-candidates"
];

/// The views: name and statement, each before those that read it.
pub const VIEWS: &[(&str, &str)] = &[
    ("nat_transfers", include_str!("../../queries/views/nat_transfers.sql")),
    ("nat_marginals", include_str!("../../queries/views/nat_marginals.sql")),
    ("movements", include_str!("../../queries/views/movements.sql")),
    ("meters", include_str!("../../queries/views/meters.sql")),
    ("connections_by_day", include_str!("../../queries/views/connections_by_day.sql")),
];

/// Returns every shipped query, by name.
pub static QUERIES: LazyLock<Vec<Query>> = LazyLock::new(|| FILES.iter().map(|(name, sql)| read(name, sql)).collect());

/// Finds a shipped query.
///
/// # Errors
/// A usage error that lists the names.
pub fn find(name: &str) -> Result<&'static Query> {
    QUERIES.iter().find(|query| query.name == name).ok_or_else(|| {
        let names: Vec<&str> = QUERIES.iter().map(|query| query.name).collect();
        Error::usage(format!("there is no query {name:?}")).with_hint(format!("one of {}; see flowproof queries list", names.join(", ")))
    })
}

fn read(name: &'static str, sql: &'static str) -> Query {
    let header =
        |key: &str| sql.lines().find_map(|line| line.strip_prefix("-- ")?.strip_prefix(key)?.strip_prefix(':')).unwrap_or("").trim();
    let params = header("params").split(',').filter_map(|param| {
        let (declared, default) = param.split_once('=').map_or((param, None), |(declared, default)| (declared, Some(default.trim())));
        let (name, kind) = declared.trim().strip_prefix('$')?.split_once(' ')?;
        Some((name, kind.trim(), default))
    });
    Query { name, question: header("question"), answers: header("answers"), params: params.collect(), sql }
}

impl Query {
    /// Returns the values to bind: those given, else the defaults.
    ///
    /// # Errors
    /// A usage error for a parameter that is unknown, missing, or not of its type.
    pub fn bind(&self, given: &[(String, String)], now: i64) -> Result<super::Params> {
        if let Some((name, _)) = given.iter().find(|(name, _)| !self.params.iter().any(|(known, ..)| known == name)) {
            let known: Vec<&str> = self.params.iter().map(|(name, ..)| *name).collect();
            let hint = if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
            return Err(Error::usage(format!("query {} has no parameter {name:?}", self.name)).with_hint(hint));
        }
        let value = |(name, kind, default): &(&str, &str, Option<&str>)| {
            let text = given.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str()).or(*default);
            let text = text.ok_or_else(|| {
                Error::usage(format!("query {} needs parameter {name}", self.name)).with_hint(format!("add --param {name}=VALUE ({kind})"))
            })?;
            let value = typed(text, kind, now).ok_or_else(|| Error::usage(format!("parameter {name}: {text:?} is not a {kind}")))?;
            Ok(((*name).to_owned(), value))
        };
        self.params.iter().map(value).collect()
    }
}

/// Reads a parameter of free SQL: a number where it is one, else text.
pub fn untyped(text: &str) -> ScalarValue {
    text.parse().map_or_else(|_| ScalarValue::Utf8(Some(text.to_owned())), |number| ScalarValue::Int64(Some(number)))
}

fn typed(text: &str, kind: &str, now: i64) -> Option<ScalarValue> {
    match kind {
        "BIGINT" => text.parse().ok().map(|number| ScalarValue::Int64(Some(number))),
        "TIMESTAMP" => parse_instant(text, now).map(|t| ScalarValue::TimestampSecond(Some(t), Some("UTC".into()))),
        "VARCHAR" => Some(ScalarValue::Utf8(Some(text.to_owned()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_and_list_agree() {
        let mut stems: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries"))
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".sql").map(str::to_owned))
            .collect();
        stems.sort();
        assert_eq!(stems, QUERIES.iter().map(|query| query.name).collect::<Vec<_>>());
    }

    #[test]
    fn every_header_is_complete() {
        for query in QUERIES.iter() {
            assert!(query.question.ends_with('?') && !query.answers.is_empty(), "{}", query.name);
        }
    }

    #[test]
    fn parameters_are_bound_by_type() {
        let query = find("top-talkers").unwrap();
        assert_eq!(query.bind(&[], 0).unwrap(), [("limit".to_owned(), ScalarValue::Int64(Some(20)))]);
        assert!(query.bind(&[("limit".into(), "many".into())], 0).is_err());
        assert!(query.bind(&[("bound".into(), "1".into())], 0).is_err());
    }
}
