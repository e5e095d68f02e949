//! Texts as OSCAL's data types want them. Names come from logs and inventories: none may end a line, become markup or leave its place.
//!
//! The patterns are those of the JSON schema 1.2.2: `StringDatatype` is one line without outer blanks, `MarkupLineDatatype` is one line of
//! Markdown, `TokenDatatype` a name. `.` and `\s` mean there what ECMA-262 says, so U+2028, U+2029 and U+FEFF count too.

use crate::error::printable;

/// Returns the text as one line without outer blanks, or nothing if nothing is left. Control characters are escaped.
pub(super) fn line(text: &str) -> Option<String> {
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let kept = printable(text.trim_matches(blank));
    let line = kept.chars().fold(String::with_capacity(kept.len()), |mut out, c| {
        match c {
            '\u{2028}' | '\u{2029}' | '\u{feff}' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
        out
    });
    (!line.is_empty()).then_some(line)
}

/// Returns the text as one line of Markdown that means itself; `(none)` if nothing is left.
pub(super) fn markup(text: &str) -> String {
    let Some(line) = line(text) else { return "(none)".to_owned() };
    let mut out = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    let mut before = None;
    while let Some(c) = letters.next() {
        // Between letters it is no emphasis (CommonMark §6.2), and names such as CUSTOMER_ROUTED stay readable.
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '_' if inside(before) && inside(letters.peek().copied()) => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '~' | '^' | '#' => out.extend(['\\', c]),
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Returns a URI reference from `data/oscal/` to a file below `data/` (RFC 3986 §4.2).
pub(super) fn href(path: &str) -> String {
    path.bytes().fold("../".to_owned(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, expected) in [
            ("prod", Some("prod")),
            ("  two words\t", Some("two words")),
            ("a\nb", Some("a\\u{a}b")),
            ("a\u{2028}b\u{feff}", Some("a\\u{2028}b")),
            ("\u{feff} \n", None),
            ("", None),
            ("\u{202e}live", Some("\\u{202e}live")),
            ("\u{1b}[31mred", Some("\\u{1b}[31mred")),
            ("prod-\u{e9}\u{4e2d}", Some("prod-\u{e9}\u{4e2d}")),
        ] {
            assert_eq!(line(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn markup_means_itself() {
        for (text, expected) in [
            ("", "(none)"),
            ("CUSTOMER_ROUTED since 2026-10-01", "CUSTOMER_ROUTED since 2026-10-01"),
            ("_x_ *y* `z`", "\\_x\\_ \\*y\\* \\`z\\`"),
            ("<script>alert(1)</script> & co", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co"),
            ("![a](javascript:b)", "!\\[a\\](javascript:b)"),
            ("{{ insert: param, x }}\\", "\\{\\{ insert: param, x \\}\\}\\\\"),
            ("# head\n* item", "\\# head\\\\u\\{a\\}\\* item"),
        ] {
            assert_eq!(markup(text), expected, "{text:?}");
        }
    }

    #[test]
    fn references_are_encoded() {
        for (path, expected) in [
            ("destinations.csv", "../destinations.csv"),
            ("sql/c2 destinations.sql", "../sql/c2%20destinations.sql"),
            ("a#b?c%d:\u{e9}", "../a%23b%3Fc%25d%3A%C3%A9"),
        ] {
            assert_eq!(href(path), expected, "{path:?}");
        }
    }
}
