//! What the rows of a report of costs are for: `--by`.

use crate::error::{Error, Result};

/// A grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// What the report groups by unless told otherwise.
    Default,
    /// A grouping by name: `account`, `vpc`, `client`, …
    Named(&'static str),
    /// The value of a tag.
    Tag(String),
}

impl By {
    /// Reads `--by` of a report, whose own grouping and further ones are given.
    ///
    /// # Errors
    /// A usage error that names the groupings.
    pub fn parse(text: Option<&str>, default: &str, names: &'static [&'static str]) -> Result<By> {
        match text {
            None => Ok(By::Default),
            Some(text) if text == default => Ok(By::Default),
            Some(text) => match text.strip_prefix("tag:").filter(|key| !key.is_empty()) {
                Some(key) => Ok(By::Tag(key.to_owned())),
                None => names.iter().find(|name| **name == text).map(|name| By::Named(name)).ok_or_else(|| {
                    Error::usage(format!("there is no grouping {text:?}"))
                        .with_hint(format!("--by {default}, {} or tag:KEY", names.join(", ")))
                }),
            },
        }
    }

    /// Returns the parameters of the query behind.
    pub fn params(&self) -> Vec<(String, String)> {
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            By::Default => Vec::new(),
            By::Named(name) => vec![of("by", name)],
            By::Tag(key) => vec![of("by", "tag"), of("tag", key)],
        }
    }
}
