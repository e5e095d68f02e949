//! Reading inventory JSON: documents one after another, long listings element by element, both spellings of keys.
//!
//! Recognised by content: this file knows how a document is built (pages, wrappers, concatenated documents), and hands each
//! element to `snapshot` or `kubernetes`, which know what it means. Untrusted: files are bounded in size, also after
//! inflating, and in depth (serde_json stops at 128 levels); a malformed one is an error with line and column.

use crate::error::{Error, Result};
use crate::inventory::snapshot::{self, Sighting};
use crate::inventory::{File, kubernetes};
use crate::time::{UnixSeconds, find_stamp, parse_instant};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::io::Read;

/// Largest inventory file, after inflating: a listing of about a million interfaces.
const FILE_BYTES_MAX: u64 = 2 << 30;

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

/// Reads a file.
///
/// # Errors
/// The file is too large, not valid gzip, or not JSON; with file, line and column.
pub(super) fn read(file: &File) -> Result<Contents> {
    let bytes = inflated(file)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(&bytes);
    let mut contents = Contents::default();
    // A README or a CSV beside the JSON is no damaged inventory file, only none.
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Ok(contents);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    while deserializer.end().is_err() {
        Node { out: &mut contents }.deserialize(&mut deserializer).map_err(|error| malformed(file, &error))?;
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

fn inflated(file: &File) -> Result<Cow<'_, [u8]>> {
    let too_large = || Error::failed(format!("inventory file is larger than {} GiB", FILE_BYTES_MAX >> 30)).at(file.path.clone());
    if !file.bytes.starts_with(&[0x1f, 0x8b]) {
        return if file.bytes.len() as u64 > FILE_BYTES_MAX { Err(too_large()) } else { Ok(Cow::Borrowed(&file.bytes)) };
    }
    let mut text = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(&file.bytes[..]);
    reader
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| Error::failed("malformed inventory file: not valid gzip").at(file.path.clone()).caused_by(error))?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(too_large()) } else { Ok(Cow::Owned(text)) }
}

/// A document, a page of an array of pages, or the data of a wrapper.
struct Node<'a> {
    out: &'a mut Contents,
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
        while pages.next_element_seed(Node { out: &mut *self.out })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut inner = Contents::default();
        let mut rest = Map::new();
        let mut untyped = Vec::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "data" {
                map.next_value_seed(Node { out: &mut inner })?;
            } else if let Some(listing) = snapshot::listing(&key) {
                map.next_value_seed(Listing { listing, out: &mut inner, untyped: &mut untyped })?;
            } else {
                rest.insert(key.into_owned(), map.next_value()?);
            }
        }
        let rest = Value::Object(rest);
        kubernetes::untyped_items(&rest, &untyped, &mut inner.plain);
        inner.recognised |= snapshot::object(&rest, &mut inner.plain);
        self.out.recognised |= inner.recognised;
        self.out.wrapped.append(&mut inner.wrapped);
        if is_wrapper(&rest) {
            self.out.wrapped.push(Document { wrapper: rest, sightings: inner.plain });
        } else {
            self.out.plain.append(&mut inner.plain);
        }
        Ok(())
    }
}

/// Keys by which a wrapper gives time and scope to the data inside.
const WRAPPER_KEYS: [&str; 10] = [
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
    untyped: &'a mut Vec<Value>,
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
        while let Some(element) = elements.next_element::<Value>()? {
            if self.listing.key == "items" && element.get("kind").is_none() {
                self.untyped.push(element);
            } else {
                (self.listing.read)(&element, &mut self.out.plain);
            }
        }
        Ok(())
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
    member(value, name)?.as_str().filter(|text| !text.is_empty())
}

/// Returns the elements of a member that is an array, or CloudTrail's `{"items": […]}`.
pub(super) fn elements<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let Some(list) = member(value, name) else { return &[] };
    let list = list.get("items").or_else(|| list.get("item")).unwrap_or(list);
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Returns an instant member: RFC 3339, or a number of seconds or milliseconds.
pub(super) fn instant(value: &Value, name: &str) -> Option<UnixSeconds> {
    instant_of(member(value, name)?)
}

/// Returns the instant that a value writes.
pub(super) fn instant_of(value: &Value) -> Option<UnixSeconds> {
    /// Numbers from here on are milliseconds (the year 5138 in seconds).
    const MILLISECONDS_FROM: f64 = 1e11;
    match value {
        // No clock: a relative time is no evidence, so only absolute ones are taken.
        Value::String(text) if text.starts_with(|c: char| c.is_ascii_digit()) && text.len() >= 10 => {
            if text.contains('-') {
                parse_instant(text, 0).or_else(|| find_stamp(text))
            } else {
                find_stamp(text)
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite() && *number > 0.0)?;
            Some(if number >= MILLISECONDS_FROM { number / 1000.0 } else { number } as i64)
        }
        _ => None,
    }
}
