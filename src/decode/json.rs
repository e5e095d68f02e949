//! JSON documents that wrap records: finding where one ends, and what it holds.
//!
//! CloudWatch Logs sends subscription documents (CloudWatch Logs user guide, "Real-time processing of log data with
//! subscriptions"), which Firehose writes to S3 one after the other without anything between them; others write a document
//! for each record. Their ends are found by counting brackets, so that a block may end anywhere.

use super::columns::{Cell, Cells};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Longest document. CloudWatch sends at most 1 MB at a time, and its API answers with at most 1 MB of events.
pub const DOCUMENT_LEN_MAX: usize = 8 << 20;

/// What a part of a document came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Scanned {
    /// It ends after so many bytes of the part.
    End(usize),
    /// It goes on.
    Open,
    /// It cannot be JSON: a line ends within a string. The line ends after so many bytes.
    Broken(usize),
}

/// Finds the end of a document that starts with `{`.
#[derive(Debug, Default)]
pub struct Scanner {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    /// Takes the next part of the document.
    pub fn scan(&mut self, part: &[u8]) -> Scanned {
        let mut at = 0;
        while let Some(byte) = part.get(at) {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else {
                    match byte {
                        b'"' => self.in_string = false,
                        b'\\' => self.escaped = true,
                        b'\n' => return Scanned::Broken(at + 1),
                        _ => {
                            let rest = part.get(at..).unwrap_or_default();
                            at += memchr::memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len());
                            continue;
                        }
                    }
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return Scanned::End(at + 1);
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        Scanned::Open
    }
}

/// A document, by what it holds.
#[derive(Debug)]
pub enum Document<'a> {
    /// A control message of CloudWatch Logs.
    Control,
    /// Log events of a group.
    Subscription {
        /// Log group.
        group: Option<Cow<'a, str>>,
        /// Its events.
        events: Events<'a>,
    },
    /// Log events of `aws logs filter-log-events`.
    Events(Events<'a>),
    /// One message.
    Message(Cow<'a, str>),
    /// Names and values.
    Pairs(Pairs<'a>),
}

/// The log events of a document.
#[derive(Debug)]
pub struct Events<'a> {
    name: &'static str,
    value: &'a RawValue,
}

impl<'a> Events<'a> {
    /// Hands on the events one by one; returns how many there were. They are not collected: a hostile document has millions.
    ///
    /// # Errors
    /// What is wrong after the events that were handed on.
    pub fn each(&self, take: impl FnMut(Event<'a>)) -> Result<u64, String> {
        struct Reader<F>(F);
        impl<'de, F: FnMut(Event<'de>)> Visitor<'de> for Reader<F> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of log events")
            }

            fn visit_seq<A: SeqAccess<'de>>(mut self, mut events: A) -> Result<u64, A::Error> {
                let mut count = 0;
                while let Some(event) = events.next_element()? {
                    (self.0)(event);
                    count += 1;
                }
                Ok(count)
            }
        }
        let mut reader = serde_json::Deserializer::from_str(self.value.get());
        reader.deserialize_seq(Reader(take)).map_err(|error| format!("{}: {error}", self.name))
    }
}

/// A log event.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// The record, or several lines of them.
    #[serde(borrow, default)]
    pub message: Cow<'a, str>,
    /// Its values by name, if the subscription filter names them.
    #[serde(borrow, default, rename = "extractedFields")]
    pub extracted: Option<Pairs<'a>>,
}

/// Why a document was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It does not parse.
    BadJson(String),
    /// It parses, but holds no records.
    NotARecord(String),
}

/// Names and values of a JSON object, in its order.
#[derive(Debug)]
pub struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Pairs<'a> {
    /// Returns the names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Returns the bytes of names and values.
    pub fn text_len(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.get().len()).sum()
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        serde_json::from_str::<Text<'a>>(self.get(name)?.get()).ok().map(|text| text.0)
    }

    /// Returns the values, ready to be read as cells.
    pub fn values(&self) -> Values<'a> {
        Values(self.0.iter().map(|(_, value)| Scalar::of(value)).collect())
    }
}

/// A string that borrows where it can.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    pairs.push((name.0, value));
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Reader).map(Pairs)
    }
}

/// A value of a JSON object.
#[derive(Debug)]
enum Scalar<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(i64),
    /// Something that no field is, as it stands.
    Other(&'a str),
}

impl<'a> Scalar<'a> {
    fn of(value: &'a RawValue) -> Scalar<'a> {
        let raw = value.get();
        match raw.as_bytes().first() {
            Some(b'n') => Scalar::Null,
            Some(b'"') => serde_json::from_str::<Text<'a>>(raw).map_or(Scalar::Other(raw), |text| Scalar::Text(text.0)),
            Some(b'-' | b'0'..=b'9') => serde_json::from_str::<i64>(raw).map_or_else(|_| Scalar::fraction(raw), Scalar::Number),
            _ => Scalar::Other(raw),
        }
    }

    /// Some writers give every number a fraction (`443.0`), or an exponent.
    fn fraction(raw: &'a str) -> Scalar<'a> {
        let whole = raw.parse::<f64>().ok().and_then(super::columns::whole);
        whole.map_or(Scalar::Other(raw), Scalar::Number)
    }
}

/// The values of [`Pairs`], by position.
#[derive(Debug)]
pub struct Values<'a>(Vec<Scalar<'a>>);

impl Cells for Values<'_> {
    fn cell(&self, at: usize) -> Cell<'_> {
        match self.0.get(at) {
            Some(Scalar::Text(text)) if !text.is_empty() => Cell::Text(text),
            Some(Scalar::Number(number)) => Cell::Number(*number),
            Some(Scalar::Other(raw)) => Cell::Text(raw),
            _ => Cell::Null,
        }
    }
}

/// Reads a document.
///
/// # Errors
/// Why it holds no records.
pub fn parse(raw: &[u8]) -> Result<Document<'_>, Unusable> {
    let pairs: Pairs<'_> = serde_json::from_slice(raw).map_err(|error| unusable(raw, &error))?;
    let events = |name: &'static str| pairs.get(name).map(|value| Events { name, value });
    let kind = pairs.text("messageType");
    if kind.as_deref() == Some("CONTROL_MESSAGE") {
        return Ok(Document::Control);
    }
    if let Some(events) = events("logEvents") {
        return Ok(Document::Subscription { group: pairs.text("logGroup"), events });
    }
    if kind.is_some() {
        return Err(Unusable::NotARecord("no logEvents".to_owned()));
    }
    if let Some(events) = events("events") {
        return Ok(Document::Events(events));
    }
    match pairs.text("message").or_else(|| pairs.text("@message")) {
        Some(message) => Ok(Document::Message(message)),
        None => Ok(Document::Pairs(pairs)),
    }
}

fn unusable(raw: &[u8], error: &serde_json::Error) -> Unusable {
    match serde_json::from_slice::<IgnoredAny>(raw) {
        Ok(_) => Unusable::NotARecord(String::new()),
        Err(_) => Unusable::BadJson(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Vec<usize> {
        // However the text is cut, its documents end at the same places.
        let mut found: Vec<Vec<usize>> = Vec::new();
        for size in [1, 2, 3, text.len()] {
            let (mut scanner, mut ends, mut at) = (Scanner::default(), Vec::new(), 0);
            while at < text.len() {
                let part = &text.as_bytes()[at..text.len().min(at + size)];
                match scanner.scan(part) {
                    Scanned::End(count) => {
                        at += count;
                        ends.push(at);
                        scanner = Scanner::default();
                    }
                    Scanned::Open => at += part.len(),
                    Scanned::Broken(count) => {
                        at += count;
                        scanner = Scanner::default();
                    }
                }
            }
            found.push(ends);
        }
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
        found.remove(0)
    }

    #[test]
    fn documents_end_where_their_brackets_close() {
        assert_eq!(ends(r#"{"a":1}{"b":[{}]}"#), [7, 17]);
        assert_eq!(ends(r#"{"a":"}\"{"}{}"#), [12, 14]);
        assert_eq!(ends("{\"a\":\"cut\n{}"), [12], "a line cannot end in a string");
        assert_eq!(ends(r#"{"a":"\\"}{}"#), [10, 12]);
        assert_eq!(Scanner::default().scan(b"{\"cut\n{}"), Scanned::Broken(6), "the line break goes with the line");
    }

    #[test]
    fn documents_are_told_apart_by_what_they_hold() {
        assert!(matches!(parse(br#"{"messageType":"CONTROL_MESSAGE","logEvents":[]}"#), Ok(Document::Control)));
        let Ok(Document::Subscription { group, events }) =
            parse(br#"{"messageType":"DATA_MESSAGE","logGroup":"/vpc","logEvents":[{"id":"1","timestamp":1,"message":"a\tb"}]}"#)
        else {
            panic!("a subscription")
        };
        let mut messages = Vec::new();
        assert_eq!(events.each(|event| messages.push(event.message.into_owned())), Ok(1));
        assert_eq!((group.as_deref(), &*messages[0]), (Some("/vpc"), "a\tb"));
        let Ok(Document::Events(events)) = parse(br#"{"events":[{"message":"2"},7],"nextToken":"x"}"#) else { panic!("events") };
        let mut count = 0;
        assert!(events.each(|_| count += 1).is_err());
        assert_eq!(count, 1, "events before a bad one are handed on");
        assert!(matches!(parse(br#"{"message":"2 1"}"#), Ok(Document::Message(text)) if text == "2 1"));
        assert!(matches!(parse(br#"{"srcaddr":"10.0.0.1","bytes":1}"#), Ok(Document::Pairs(_))));
        assert!(matches!(parse(br#"{"messageType":"DATA_MESSAGE"}"#), Err(Unusable::NotARecord(_))));
        assert!(matches!(parse(b"{\"a\"}"), Err(Unusable::BadJson(_))));
    }

    #[test]
    fn values_keep_what_they_are() {
        let Ok(Document::Pairs(pairs)) = parse(br#"{"a":"x\u0041","b":7,"c":null,"d":443.0,"e":true,"f":"","g":1e3,"h":0.5}"#) else {
            panic!("pairs")
        };
        assert_eq!(pairs.names().collect::<String>(), "abcdefgh");
        let values = pairs.values();
        let shown: Vec<String> = (0..9).map(|at| format!("{:?}", values.cell(at))).collect();
        let wanted =
            ["Text(\"xA\")", "Number(7)", "Null", "Number(443)", "Text(\"true\")", "Null", "Number(1000)", "Text(\"0.5\")", "Null"];
        assert_eq!(shown, wanted);
    }
}
