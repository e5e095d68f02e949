//! The one way to write a JSON value: RFC 8785 (JCS). Sorted keys, no spaces, ECMAScript's numbers.
//!
//! Integers above 2^53 are refused, because JCS would round them to the next double: counts that may pass it must be text.

use super::digest::Digest;
use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;

/// Largest integer that a double keeps exact.
const INTEGER_MAX: u64 = 1 << 53;

/// Returns the canonical bytes of a value.
///
/// # Errors
/// If it holds an integer beyond ±2^53, with its place, or cannot be JSON.
pub fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    let fault = |error: serde_json::Error| Error::failed("a value cannot be written as canonical JSON").caused_by(error);
    let value = serde_json::to_value(value).map_err(fault)?;
    check(&value, &mut Vec::new())?;
    serde_json_canonicalizer::to_vec(&value).map_err(fault)
}

/// Returns the digest of a value's canonical bytes.
///
/// # Errors
/// As [`to_bytes`].
pub fn digest(value: &impl Serialize) -> Result<Digest> {
    Ok(Digest::of(&to_bytes(value)?))
}

fn check(value: &Value, place: &mut Vec<String>) -> Result<()> {
    let mut inside = |name: String, value| {
        place.push(name);
        check(value, place)?;
        place.pop();
        Ok(())
    };
    match value {
        Value::Array(values) => values.iter().enumerate().try_for_each(|(at, value)| inside(at.to_string(), value)),
        Value::Object(values) => values.iter().try_for_each(|(name, value)| inside(name.clone(), value)),
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_some_and(|size| size > INTEGER_MAX) {
                let error = Error::failed(format!("the integer {number} is beyond 2^53")).at(place.join("."));
                return Err(error.with_hint("write it as text: readers of JSON round larger numbers"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_way_to_write_it() {
        let check = |value: Value, want: &str| assert_eq!(String::from_utf8(to_bytes(&value).unwrap()).unwrap(), want);
        // By UTF-16 units U+1F600 (D83D DE00) stands before U+FB33, by code points after it (RFC 8785 §3.2.3).
        check(
            json!({"\u{fb33}": 1, "\u{1f600}": 2, "b": [true, null], "a": "\u{e9}\n"}),
            "{\"a\":\"é\\n\",\"b\":[true,null],\"😀\":2,\"\u{fb33}\":1}",
        );
        // RFC 8785 §3.2.2.3: numbers as ECMAScript writes them.
        check(json!([1e21, 1.0, 0.000001, 1e-7, -0.0, 4.5]), "[1e+21,1,0.000001,1e-7,0,4.5]");
    }

    #[test]
    fn integers_that_would_be_rounded_are_refused() {
        assert_eq!(
            to_bytes(&json!([9_007_199_254_740_992_u64, -9_007_199_254_740_992_i64])).unwrap(),
            b"[9007199254740992,-9007199254740992]"
        );
        for beyond in [json!(9_007_199_254_740_993_u64), json!(-9_007_199_254_740_993_i64), json!(u64::MAX)] {
            let error = to_bytes(&json!({"totals": [{"bytes": beyond}]})).unwrap_err();
            assert!(error.to_string().starts_with("totals.0.bytes: the integer "), "{error}");
        }
    }
}
