//! What flow logs can never show: the claims of `limits.toml`, and their rendering `data/limits.txt`.
//!
//! They are printed beside the conclusions that they bound, so that nobody reads more into a PASS than records can carry.

use super::results::Limit;
use crate::error::{Error, Result};
use serde::Deserialize;

/// Width of `data/limits.txt` in characters.
const WIDTH: usize = 78;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    limit: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    claim: String,
    text: String,
    statements: Vec<String>,
}

/// Returns every claim that flow logs cannot support, in the order of the file.
///
/// # Errors
/// If the embedded file is malformed, which a test rules out.
pub fn limits() -> Result<Vec<Limit>> {
    let file: File = toml::from_str(include_str!("limits.toml"))
        .map_err(|error| Error::failed("the embedded limits cannot be read").at("limits.toml").caused_by(error))?;
    Ok(file.limit.into_iter().map(|e| Limit { id: e.id, text: format!("{} {}", e.claim, e.text), statements: e.statements }).collect())
}

/// Returns the claims that bound at least one of these statements, each with those of them that it bounds.
///
/// # Errors
/// As [`limits`].
pub fn limits_for<S: AsRef<str>>(statements: &[S]) -> Result<Vec<Limit>> {
    let asked = |id: &String| statements.iter().any(|statement| statement.as_ref() == id);
    let mut limits = limits()?;
    limits.iter_mut().for_each(|limit| limit.statements.retain(asked));
    limits.retain(|limit| !limit.statements.is_empty());
    Ok(limits)
}

/// Returns the claims as plain text, wrapped at 78 characters: `data/limits.txt`.
pub fn limits_text(limits: &[Limit]) -> String {
    let mut out = String::from("WHAT THIS EVIDENCE CANNOT SHOW\n\n");
    out.push_str(&wrapped(
        "",
        "",
        "Flow logs cannot give what follows, whoever reads them. It bounds the conclusions that are named with it.",
    ));
    let digits = limits.len().to_string().len();
    for (at, limit) in limits.iter().enumerate() {
        let first = format!("{:>digits$}. ", at + 1);
        let rest = " ".repeat(first.len());
        out.push('\n');
        out.push_str(&wrapped(&first, &rest, &limit.text));
        out.push_str(&wrapped(&rest, &rest, &format!("[{}] bounds {}", limit.id, limit.statements.join(", "))));
    }
    out
}

/// Breaks text at spaces; a word longer than the line stands alone. Widths are counted in characters.
fn wrapped(first: &str, rest: &str, text: &str) -> String {
    let mut out = first.to_owned();
    let mut width = first.chars().count();
    let mut begun = false;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if begun && width + 1 + len > WIDTH {
            out.push('\n');
            out.push_str(rest);
            width = rest.chars().count();
        } else if begun {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += len;
        begun = true;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_fourteen_with_ids_of_their_own() {
        let limits = limits().unwrap();
        assert_eq!(limits.len(), 14);
        let ids: BTreeSet<&str> = limits.iter().map(|limit| limit.id.as_str()).collect();
        assert_eq!(ids.len(), 14);
        for limit in &limits {
            assert!(limit.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", limit.id);
            assert!(limit.text.ends_with('.') && !limit.statements.is_empty(), "{}", limit.id);
            for statement in &limit.statements {
                assert!(crate::evidence::controls::STATEMENTS.contains(&statement.as_str()), "{}: {statement}", limit.id);
            }
        }
    }

    #[test]
    fn only_what_applies_is_named() {
        let ids = |statements: &[&str]| {
            limits_for(statements).unwrap().into_iter().map(|limit| (limit.id, limit.statements.join(","))).collect::<Vec<_>>()
        };
        let pair = |id: &str, statements: &str| (id.to_owned(), statements.to_owned());
        assert_eq!(ids(&["S5"]), [pair("approval-authority", "S5"), pair("compliance", "S5")]);
        assert_eq!(
            ids(&["E2", "A1"]),
            [pair("whole-path", "E2"), pair("all-control-plane-egress", "A1"), pair("money", "E2"), pair("compliance", "A1,E2")]
        );
        assert_eq!(ids(&["Z9"]), []);
        // Every statement is bounded: none can be read as a promise of compliance.
        for statement in crate::evidence::controls::STATEMENTS {
            assert!(!ids(&[statement]).is_empty(), "{statement}");
        }
    }

    #[test]
    fn text_is_wrapped() {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!("limits", limits_text(&limits().unwrap()));
        });
        let text = limits_text(&limits().unwrap());
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH && !line.ends_with(' ')), "{text}");
        let long = "x".repeat(100);
        assert_eq!(wrapped("1. ", "   ", &format!("a {long} é")), format!("1. a\n   {long}\n   é\n"));
        assert_eq!(wrapped("", "", &"y".repeat(WIDTH)), format!("{}\n", "y".repeat(WIDTH)));
        assert_eq!(wrapped("", "", &format!("{} z", "y".repeat(WIDTH - 2))), format!("{} z\n", "y".repeat(WIDTH - 2)));
        assert_eq!(wrapped("", "", &format!("{} z", "y".repeat(WIDTH - 1))), format!("{}\nz\n", "y".repeat(WIDTH - 1)));
    }
}
