//! What can fail, and where it happened.
//!
//! A fault in the *content* of a log is not an error: it is a counted reject or a partly read object
//! (`decode`, `intake::Intake`). What is left here stops a run, and says what, where and what to do next.
//! Messages are lower case without a full stop; the next action goes into [`Error::hint`].

use std::fmt;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who can mend a fault; decides the exit code (design §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The run failed: a malformed inventory file, SQL that does not plan, a full disk. Exit code 1.
    Failed,
    /// The command line or configuration asks for something that does not exist. Exit code 2.
    Usage,
    /// Credentials or S3 permissions are missing. Exit code 5.
    Access,
    /// A bundle is not what the holder of the key sealed. Exit code 6.
    Unverified,
    /// The user interrupted the run. Exit code 130.
    Interrupted,
    /// The reader of our output went away; ends quietly.
    BrokenPipe,
}

/// A fault with its place, and the next action where one is known.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    place: Option<String>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error that fails the run.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Makes an error about the command line or the configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Makes an error about credentials or permissions.
    pub fn access(message: impl Into<String>) -> Self {
        Self::new(Kind::Access, message)
    }

    /// Makes an error of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None, hint: None, source: None }
    }

    /// Returns the same to tell somebody else: what it says, and the hint.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { hint: self.hint.clone(), ..Self::new(self.kind, self.to_string()) }
    }

    /// Adds the file, object or line that the fault is about.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Adds the user's next action, best as a command.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the underlying fault.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns who can mend the fault.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the next action, if one is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}: ", printable(place))?;
        }
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe { Kind::BrokenPipe } else { Kind::Failed };
        Self::new(kind, "input or output failed").caused_by(error)
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::failed("columns do not fit together").caused_by(error)
    }
}

/// Returns text that is safe on a terminal: control characters are escaped.
///
/// Object keys, log lines and inventory names are untrusted (design §9): an escape sequence in one of
/// them must not reach the terminal.
pub fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    // Controls; what turns the direction of writing; what ends a line or cannot be seen at all, so that two names look alike.
    let unsafe_char = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    if !text.chars().any(unsafe_char) {
        return text.into();
    }
    text.chars()
        .fold(String::with_capacity(text.len() + 8), |mut out, c| {
            if unsafe_char(c) {
                out.extend(c.escape_unicode())
            } else {
                out.push(c)
            }
            out
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_place_and_cause() {
        let cause = std::io::Error::other("disk full");
        let error = Error::failed("cannot write").at("out.csv").caused_by(cause).with_hint("free some space");
        assert_eq!(error.to_string(), "out.csv: cannot write: disk full");
        assert_eq!(error.hint(), Some("free some space"));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}"), "a\\u{1b}[2Jb\\u{202e}");
        assert!(matches!(printable("plain"), std::borrow::Cow::Borrowed(_)));
    }
}
