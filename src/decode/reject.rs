//! Lines that are not records: the reason and the text, so that nothing is lost silently.

/// A line that was not taken as a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Line in the decompressed text, or row in the Parquet file; 1-based.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// What was wrong with which field, in words; empty if the reason says it all.
    pub detail: String,
    /// The line as read, cut after [`TEXT_LEN_MAX`] bytes.
    pub text: String,
}

/// Bytes of a rejected line that are kept; real records are under 1,500.
pub const TEXT_LEN_MAX: usize = 4_096;

/// Why a line was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Fewer tokens than the layout has columns.
    TooFewFields,
    /// More tokens than the layout has columns.
    TooManyFields,
    /// `log-status` is none of OK, NODATA, SKIPDATA.
    BadStatus,
    /// A number does not parse, or is out of its range.
    BadNumber,
    /// An address does not parse.
    BadAddress,
    /// `action` is neither ACCEPT nor REJECT.
    BadAction,
    /// Not UTF-8, or a NUL in it.
    NotText,
    /// Longer than any record.
    LineTooLong,
    /// Nothing says what the columns are: no header, no `--log-format`, no `describe-flow-logs`.
    NoHeader,
    /// A JSON document that does not parse, or that the object cuts off.
    BadJson,
    /// JSON or Parquet that holds something else than flow records.
    NotARecord,
}

impl Reason {
    /// Returns the name used in the table `rejects`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::TooFewFields => "too-few-fields",
            Reason::TooManyFields => "too-many-fields",
            Reason::BadStatus => "bad-status",
            Reason::BadNumber => "bad-number",
            Reason::BadAddress => "bad-address",
            Reason::BadAction => "bad-action",
            Reason::NotText => "not-text",
            Reason::LineTooLong => "line-too-long",
            Reason::NoHeader => "no-header",
            Reason::BadJson => "bad-json",
            Reason::NotARecord => "not-a-record",
        }
    }
}

impl Reject {
    /// Makes a reject of a raw line.
    pub fn new(line: u64, reason: Reason, detail: impl Into<String>, raw: &[u8]) -> Reject {
        let kept = &raw[..raw.len().min(TEXT_LEN_MAX)];
        Reject { line, reason, detail: detail.into(), text: String::from_utf8_lossy(kept).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_names_of_their_own() {
        use Reason::*;
        let all = [
            (TooFewFields, "too-few-fields"),
            (TooManyFields, "too-many-fields"),
            (BadStatus, "bad-status"),
            (BadNumber, "bad-number"),
            (BadAddress, "bad-address"),
            (BadAction, "bad-action"),
            (NotText, "not-text"),
            (LineTooLong, "line-too-long"),
            (NoHeader, "no-header"),
            (BadJson, "bad-json"),
            (NotARecord, "not-a-record"),
        ];
        all.into_iter().for_each(|(reason, name)| assert_eq!(reason.name(), name));
    }

    #[test]
    fn a_reject_keeps_the_start_of_its_line() {
        let text = |len: usize| Reject::new(1, Reason::NotText, "", &vec![b'x'; len]).text.len();
        assert_eq!([TEXT_LEN_MAX - 1, TEXT_LEN_MAX, TEXT_LEN_MAX + 1].map(text), [TEXT_LEN_MAX - 1, TEXT_LEN_MAX, TEXT_LEN_MAX]);
    }
}
