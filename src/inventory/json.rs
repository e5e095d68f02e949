//! Reading inventory JSON: documents one after another, long listings element by element, both spellings of keys.
//!
//! Recognised by content: this file knows how a document is built (pages, wrappers, concatenated documents), and hands each
//! element to `snapshot` or `kubernetes`, which know what it means. Untrusted: files are bounded in size, also after
//! inflating, in depth (serde_json stops at 128 levels), and in what of them stands in memory as JSON at once; gzip is inflated
//! as it is read. A malformed one is an error with line and column.

use crate::error::{Error, Result};
use crate::inventory::element::{Json, Tape};
use crate::inventory::names::Names;
use crate::inventory::snapshot::{self, Sighting};
use crate::inventory::{File, Unread, kubernetes};
use crate::time::{UnixSeconds, find_stamp, parse_instant};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Read};

/// Largest inventory file, after inflating: a listing of about a million interfaces.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Longest string of a file that is inflated as it is read.
const STRING_BYTES_MAX: usize = 16 << 20;

/// Most values (numbers, strings, keys, lists) kept of one element of a listing, or of one document beside its listings. The
/// largest honest ones, lists of pods without kinds, have some hundred thousand; a value takes about 70 bytes.
const VALUES_MAX: usize = 1_500_000;

/// Most resources, pages and wrapped documents of a file: more than the largest honest ones have. Twelve bytes can make one.
const SIGHTINGS_MAX: usize = 1_500_000;

/// What one document says of itself and of the world.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// `collected_at`, `account_id`, `region`, `cluster` of a wrapper.
    pub(super) wrapper: Value,
    /// What was seen.
    pub(super) sightings: Vec<Sighting>,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Documents with a wrapper of their own.
    pub(super) wrapped: Vec<Document>,
    /// Everything else, to which the path's time and scope apply.
    pub(super) plain: Vec<Sighting>,
    /// Whether anything was recognised.
    pub(super) recognised: bool,
}

impl Contents {
    fn check<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.plain.len() + self.wrapped.len() <= SIGHTINGS_MAX {
            true => Ok(()),
            false => Err(E::custom(format!("more than {SIGHTINGS_MAX} resources"))),
        }
    }
}

/// Gets a file, reads it and drops its bytes; returns its path beside what it holds.
pub(super) fn read_once(file: Unread) -> (String, Result<Contents>) {
    let path = file.path.clone();
    (path, file.read().and_then(|file| read(&file)))
}

/// Reads a file.
///
/// # Errors
/// The file is too large, not valid gzip, or not JSON; with file, line and column.
fn read(file: &File) -> Result<Contents> {
    if file.bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = std::io::BufReader::new(Inflated::new(&file.bytes));
        let first = text.fill_buf().map_err(|error| not_gzip(file, error))?;
        let mark = if first.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let is_json = begins_as_json(&first[mark..]);
        text.consume(mark);
        return if is_json { documents(file, serde_json::Deserializer::from_reader(text)) } else { Ok(Contents::default()) };
    }
    if file.bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::failed(too_large()).at(file.path.clone()));
    }
    let text = file.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&file.bytes);
    if begins_as_json(text) { documents(file, serde_json::Deserializer::from_slice(text)) } else { Ok(Contents::default()) }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A README or a CSV beside the JSON is no damaged inventory file, only none.
fn begins_as_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn documents<'de, R: serde_json::de::Read<'de>>(file: &File, mut deserializer: serde_json::Deserializer<R>) -> Result<Contents> {
    let (mut contents, mut names) = (Contents::default(), Names::default());
    while let Err(error) = deserializer.end() {
        // What cannot be read on is no end of a document.
        let read = if error.is_io() { Err(error) } else { Node { out: &mut contents, names: &mut names }.deserialize(&mut deserializer) };
        read.map_err(|error| if error.is_io() { not_gzip(file, error.into()) } else { malformed(file, &error) })?;
    }
    Ok(contents)
}

fn malformed(file: &File, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let cause = message.split(" at line ").next().unwrap_or(&message);
    Error::failed(format!("malformed inventory file: {cause}"))
        .at(format!("{}:{}:{}", file.path, error.line(), error.column()))
        .with_hint("collect the file again, or move it out of the inventory folder")
}

fn not_gzip(file: &File, error: std::io::Error) -> Error {
    Error::failed("malformed inventory file: it cannot be inflated").at(file.path.clone()).caused_by(error)
}

fn too_large() -> String {
    format!("the file has more than {} GiB of text, which no inventory file has", FILE_BYTES_MAX >> 30)
}

/// Text of a gzip file, inflated as it is read: neither all of it nor a string without end stands in memory.
struct Inflated<'a> {
    text: flate2::read::MultiGzDecoder<&'a [u8]>,
    bytes: u64,
    /// Bytes of the string that is being read, and whether a backslash precedes the next.
    string: Option<usize>,
    escaped: bool,
}

impl<'a> Inflated<'a> {
    fn new(stored: &'a [u8]) -> Inflated<'a> {
        Inflated { text: flate2::read::MultiGzDecoder::new(stored), bytes: 0, string: None, escaped: false }
    }

    fn follow(&mut self, byte: u8) {
        self.string = match (self.string, byte) {
            (None, b'"') => Some(0),
            (Some(_), b'"') if !self.escaped => None,
            (length, _) => length.map(|length| length + 1),
        };
        self.escaped = self.string.is_some() && byte == b'\\' && !self.escaped;
    }
}

impl Read for Inflated<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.text.read(out)?;
        self.bytes += count as u64;
        for byte in &out[..count] {
            self.follow(*byte);
        }
        if self.bytes > FILE_BYTES_MAX {
            return Err(std::io::Error::other(too_large()));
        }
        if self.string.is_some_and(|length| length > STRING_BYTES_MAX) {
            return Err(std::io::Error::other(format!("a string is longer than {} MiB", STRING_BYTES_MAX >> 20)));
        }
        Ok(count)
    }
}

/// How many values may still be kept.
pub(super) struct Bound<'a> {
    pub(super) left: &'a mut usize,
}

impl Bound<'_> {
    /// Counts a value or key of so many bytes of text.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn take<E: serde::de::Error>(&mut self, text_bytes: usize) -> Result<(), E> {
        let left = self.left.checked_sub(1 + text_bytes / 64);
        *self.left = left.ok_or_else(|| E::custom(format!("a resource of more than {VALUES_MAX} values")))?;
        Ok(())
    }
}

/// A value of which only so much is kept.
struct Bounded<'a> {
    left: &'a mut usize,
}

impl Bounded<'_> {
    fn take<E: serde::de::Error>(&mut self, text_bytes: usize) -> Result<(), E> {
        Bound { left: &mut *self.left }.take(text_bytes)
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visits of the scalars of a [`Value`].
macro_rules! bounded_scalars {
    ($($visit:ident: $type:ty;)*) => {
        $(fn $visit<E: serde::de::Error>(mut self, value: $type) -> Result<Value, E> {
            self.take(0)?;
            Ok(Value::from(value))
        })*
    };
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    bounded_scalars! {
        visit_bool: bool;
        visit_i64: i64;
        visit_u64: u64;
        visit_f64: f64;
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("inventory JSON")
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<Value, E> {
        self.take(0)?;
        Ok(Value::Null)
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<Value, E> {
        self.take(text.len())?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(Bounded { left: self.left })? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.take(key.len())?;
            object.insert(key, map.next_value_seed(Bounded { left: self.left })?);
        }
        Ok(Value::Object(object))
    }
}

/// A document, a page of an array of pages, or the data of a wrapper.
struct Node<'a> {
    out: &'a mut Contents,
    names: &'a mut Names,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visits that ignore a scalar where a listing or document could stand.
macro_rules! ignore_scalars {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("inventory JSON")
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
    };
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();
    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut pages: A) -> Result<(), A::Error> {
        while pages.next_element_seed(Node { out: &mut *self.out, names: &mut *self.names })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut inner = Contents::default();
        let mut rest = Map::new();
        let mut untyped = Vec::new();
        let mut left = VALUES_MAX;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "data" {
                map.next_value_seed(Node { out: &mut inner, names: &mut *self.names })?;
            } else if let Some(listing) = snapshot::listing(&key) {
                map.next_value_seed(Listing { listing, out: &mut inner, names: &mut *self.names, untyped: &mut untyped, left: &mut left })?;
            } else {
                rest.insert(key.into_owned(), map.next_value_seed(Bounded { left: &mut left })?);
            }
        }
        let rest = Value::Object(rest);
        kubernetes::untyped_items(&rest, &untyped, &mut inner.plain);
        let before = inner.plain.len();
        inner.recognised |= snapshot::object(&rest, &mut inner.plain);
        self.names.share(inner.plain.get_mut(before..).unwrap_or_default());
        self.out.recognised |= inner.recognised;
        self.out.wrapped.append(&mut inner.wrapped);
        if is_wrapper(&rest) && !inner.plain.is_empty() {
            self.out.wrapped.push(Document { wrapper: rest, sightings: inner.plain });
        } else {
            // An empty page says no more than the empty page before it.
            let repeated = match (self.out.plain.last(), &*inner.plain) {
                (Some(Sighting::Listed(last)), [Sighting::Listed(key)]) => last == key,
                _ => false,
            };
            if !repeated {
                self.out.plain.append(&mut inner.plain);
            }
        }
        self.out.check()
    }
}

/// Keys by which a wrapper gives time and scope to the data inside.
const WRAPPER_KEYS: [&str; 14] = [
    "collected_at",
    "collectedAt",
    "account_id",
    "accountId",
    "region",
    "cluster_name",
    "clusterName",
    "cluster_arn",
    "clusterArn",
    "prefix_list_id",
    "role_name",
    "roleName",
    "policy_arn",
    "policyArn",
];

fn is_wrapper(rest: &Value) -> bool {
    // A resolver query log line carries account_id and region too; it is dated by itself.
    let names_cluster = rest.get("cluster").is_some_and(Value::is_string);
    rest.get("query_name").is_none() && (names_cluster || WRAPPER_KEYS.iter().any(|key| rest.get(*key).is_some()))
}

/// The elements of a listing, read one at a time so that a large one never stands in memory as JSON.
struct Listing<'a> {
    listing: &'static snapshot::Listing,
    out: &'a mut Contents,
    names: &'a mut Names,
    untyped: &'a mut Vec<Value>,
    /// What may still be kept of the document.
    left: &'a mut usize,
}

impl Listing<'_> {
    /// Reads interfaces, of which there are most.
    fn interfaces<'de, A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut tape = Tape::default();
        loop {
            let mut left = *self.left;
            if elements.next_element_seed(tape.next(&mut left))?.is_none() {
                return Ok(());
            }
            if let Some(mut eni) = snapshot::eni(tape.element()) {
                self.names.share_eni(&mut eni);
                self.out.plain.push(Sighting::Eni(Box::new(eni)));
            }
            self.out.check()?;
        }
    }
}

impl<'de> DeserializeSeed<'de> for Listing<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Listing<'_> {
    type Value = ();
    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.out.recognised = true;
        self.out.plain.push(Sighting::Listed(self.listing.key));
        if self.listing.key == snapshot::NETWORK_INTERFACES {
            return self.interfaces(elements);
        }
        loop {
            let mut left = *self.left;
            let Some(element) = elements.next_element_seed(Bounded { left: &mut left })? else { return Ok(()) };
            if self.listing.key == "items" && element.get("kind").is_none() {
                self.untyped.push(element);
                *self.left = left;
            } else {
                let before = self.out.plain.len();
                (self.listing.read)(&element, &mut self.out.plain);
                self.names.share(self.out.plain.get_mut(before..).unwrap_or_default());
            }
            self.out.check()?;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Longest key that is looked up in its camelCase spelling.
const KEY_BYTES_MAX: usize = 64;

/// Returns a member by its PascalCase name, also in camelCase (Config, CloudTrail); null is absent.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    let found = object.get(name).or_else(|| {
        let mut camel = [0_u8; KEY_BYTES_MAX];
        let camel = camel.get_mut(..name.len())?;
        camel.copy_from_slice(name.as_bytes());
        camel.first_mut()?.make_ascii_lowercase();
        object.get(std::str::from_utf8(camel).ok()?)
    });
    found.filter(|value| !value.is_null())
}

/// Returns a non-empty string member.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.text(name)
}

/// Returns the elements of a member that is an array, or CloudTrail's `{"items": […]}`.
pub(super) fn elements<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let Some(list) = member(value, name) else { return &[] };
    let list = list.get("items").or_else(|| list.get("item")).unwrap_or(list);
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Returns an instant member: RFC 3339, or a number of seconds or milliseconds.
pub(super) fn instant<'a, J: Json<'a>>(value: J, name: &str) -> Option<UnixSeconds> {
    value.member(name)?.as_instant()
}

/// Returns the instant that a value writes.
pub(super) fn instant_of(value: &Value) -> Option<UnixSeconds> {
    match value {
        Value::String(text) => instant_of_text(text),
        Value::Number(number) => instant_of_number(number.as_f64()?),
        _ => None,
    }
}

/// Returns the instant that a text writes.
pub(super) fn instant_of_text(text: &str) -> Option<UnixSeconds> {
    // No clock: a relative time is no evidence, so only absolute ones are taken.
    if !text.starts_with(|c: char| c.is_ascii_digit()) || text.len() < 10 {
        return None;
    }
    if text.contains('-') { parse_instant(text, 0).or_else(|| find_stamp(text)) } else { find_stamp(text) }
}

/// Returns the instant that a number of seconds or milliseconds writes.
pub(super) fn instant_of_number(number: f64) -> Option<UnixSeconds> {
    /// Numbers from here on are milliseconds (the year 5138 in seconds).
    const MILLISECONDS_FROM: f64 = 1e11;
    let number = Some(number).filter(|number| number.is_finite() && *number > 0.0)?;
    Some(if number >= MILLISECONDS_FROM { number / 1000.0 } else { number } as i64)
}
