//! An element of a long listing while it is read: flat, in room that the next element uses again.
//!
//! A JSON tree of one interface takes some hundred allocations, which cost more than to parse it. Readers ask for members through
//! [`Json`] and do not see which of the two they have.

use crate::inventory::json::{self, Bound};
use crate::time::UnixSeconds;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What readers ask of JSON, however it is kept. Of a key that comes twice the last counts.
pub(super) trait Json<'a>: Copy + 'a {
    /// Returns a member by its PascalCase name, also in camelCase (Config, CloudTrail); null is absent.
    fn member(self, name: &str) -> Option<Self>;
    /// Returns a member that is a text and not empty.
    fn text(self, name: &str) -> Option<&'a str> {
        self.member(name)?.as_text().filter(|text| !text.is_empty())
    }
    /// Returns the text that it is.
    fn as_text(self) -> Option<&'a str>;
    /// Returns the flag that it is.
    fn as_flag(self) -> Option<bool>;
    /// Returns the instant that it writes.
    fn as_instant(self) -> Option<UnixSeconds>;
    /// Returns the elements of the member that is an array, or CloudTrail's `{"items": […]}`.
    fn elements(self, name: &str) -> impl Iterator<Item = Self>;
    /// Returns the members of the object that it is, in order of keys.
    fn pairs(self) -> impl Iterator<Item = (&'a str, Self)>;
}

impl<'a> Json<'a> for &'a Value {
    fn member(self, name: &str) -> Option<Self> {
        json::member(self, name)
    }

    fn as_text(self) -> Option<&'a str> {
        self.as_str()
    }

    fn as_flag(self) -> Option<bool> {
        self.as_bool()
    }

    fn as_instant(self) -> Option<UnixSeconds> {
        json::instant_of(self)
    }

    fn elements(self, name: &str) -> impl Iterator<Item = Self> {
        json::elements(self, name).iter()
    }

    fn pairs(self) -> impl Iterator<Item = (&'a str, Self)> {
        self.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }
}

/// A value; of a list or object what it holds follows, up to `end`. In an object each value follows its key.
#[derive(Debug, Clone, Copy)]
enum Node {
    Null,
    Flag(bool),
    Number(f64),
    Text { from: u32, to: u32 },
    List { end: u32 },
    Object { end: u32 },
}

/// The values of an element in the order in which they stand, and their texts in one.
#[derive(Debug, Default)]
pub(super) struct Tape {
    nodes: Vec<Node>,
    texts: String,
}

impl Tape {
    /// Returns what takes the next element in place of the one before.
    pub(super) fn next<'a>(&'a mut self, left: &'a mut usize) -> Write<'a> {
        self.clear();
        Write { tape: self, bound: Bound { left } }
    }

    fn clear(&mut self) {
        /// Values whose room is kept for the next element; hardly any has more.
        const KEPT_MAX: usize = 1 << 16;
        if self.nodes.len() > KEPT_MAX {
            *self = Tape::default();
        }
        self.nodes.clear();
        self.texts.clear();
    }

    /// Returns the element.
    pub(super) fn element(&self) -> Element<'_> {
        Element { tape: self, at: 0 }
    }

    fn put(&mut self, text: &str) -> Node {
        let from = self.texts.len() as u32;
        self.texts.push_str(text);
        Node::Text { from, to: self.texts.len() as u32 }
    }
}

/// A value on a tape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    tape: &'a Tape,
    at: usize,
}

impl<'a> Element<'a> {
    fn node(self) -> Node {
        self.tape.nodes.get(self.at).copied().unwrap_or(Node::Null)
    }

    /// Returns the values from here to `end`, each without what it holds.
    fn until(self, end: u32) -> impl Iterator<Item = Element<'a>> {
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let value = Element { tape: self.tape, at };
            at = match value.node() {
                _ if at >= end as usize => return None,
                Node::List { end } | Node::Object { end } => end as usize,
                _ => at + 1,
            };
            Some(value)
        })
    }

    /// Returns the members as they are written, also those of one key.
    fn written(self) -> impl Iterator<Item = (&'a str, Self)> {
        let mut values = if let Node::Object { end } = self.node() { Some(self.until(end)) } else { None };
        std::iter::from_fn(move || {
            let values = values.as_mut()?;
            Some((values.next()?.as_text()?, values.next()?))
        })
    }

    fn named(self, name: &str) -> Option<Self> {
        self.written().filter(|(key, _)| *key == name).last().map(|(_, value)| value)
    }
}

impl<'a> Json<'a> for Element<'a> {
    fn member(self, name: &str) -> Option<Self> {
        let (first, rest) = name.as_bytes().split_first()?;
        let (mut pascal, mut camel) = (None, None);
        for (key, value) in self.written() {
            match key.as_bytes().split_first() {
                Some((own, own_rest)) if own_rest.len() == rest.len() && own.eq_ignore_ascii_case(first) && own_rest == rest => {
                    if own == first {
                        pascal = Some(value);
                    } else if own.is_ascii_lowercase() {
                        camel = Some(value);
                    }
                }
                _ => {}
            }
        }
        pascal.or(camel).filter(|value| !matches!(value.node(), Node::Null))
    }

    fn as_text(self) -> Option<&'a str> {
        match self.node() {
            Node::Text { from, to } => self.tape.texts.get(from as usize..to as usize),
            _ => None,
        }
    }

    fn as_flag(self) -> Option<bool> {
        match self.node() {
            Node::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    fn as_instant(self) -> Option<UnixSeconds> {
        match self.node() {
            Node::Number(number) => json::instant_of_number(number),
            _ => json::instant_of_text(self.as_text()?),
        }
    }

    fn elements(self, name: &str) -> impl Iterator<Item = Self> {
        let list = self.member(name).map(|list| list.named("items").or_else(|| list.named("item")).unwrap_or(list));
        let list = list.and_then(|list| if let Node::List { end } = list.node() { Some(list.until(end)) } else { None });
        list.into_iter().flatten()
    }

    fn pairs(self) -> impl Iterator<Item = (&'a str, Self)> {
        self.written().collect::<BTreeMap<_, _>>().into_iter()
    }
}

/// Writes a value to the tape's end.
pub(super) struct Write<'a> {
    tape: &'a mut Tape,
    bound: Bound<'a>,
}

impl Write<'_> {
    fn scalar<E: serde::de::Error>(mut self, node: Node) -> Result<(), E> {
        self.bound.take(0)?;
        self.tape.nodes.push(node);
        Ok(())
    }

    fn inner(&mut self) -> Write<'_> {
        Write { tape: &mut *self.tape, bound: Bound { left: &mut *self.bound.left } }
    }
}

impl<'de> DeserializeSeed<'de> for Write<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Write<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("inventory JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar(Node::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Node::Flag(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Node::Number(value as f64))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Node::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Node::Number(value))
    }

    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<(), E> {
        self.bound.take(text.len())?;
        let node = self.tape.put(text);
        self.tape.nodes.push(node);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        self.bound.take(0)?;
        let at = self.tape.nodes.len();
        self.tape.nodes.push(Node::Null);
        while elements.next_element_seed(self.inner())?.is_some() {}
        let end = self.tape.nodes.len() as u32;
        self.tape.nodes[at] = Node::List { end };
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.bound.take(0)?;
        let at = self.tape.nodes.len();
        self.tape.nodes.push(Node::Null);
        while let Some(bytes) = map.next_key_seed(Key { tape: &mut *self.tape })? {
            self.bound.take(bytes)?;
            map.next_value_seed(self.inner())?;
        }
        let end = self.tape.nodes.len() as u32;
        self.tape.nodes[at] = Node::Object { end };
        Ok(())
    }
}

/// Writes a key to the tape's end; returns its bytes.
struct Key<'a> {
    tape: &'a mut Tape,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<usize, E> {
        let node = self.tape.put(text);
        self.tape.nodes.push(node);
        Ok(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What any reader can ask, in words.
    fn said<'a, J: Json<'a>>(v: J) -> Vec<String> {
        let mut out = Vec::new();
        for name in ["Name", "name", "Items", "Nothing", "List", "Told", "Deep", "At"] {
            let found = v.member(name);
            out.push(format!("{name}: {:?} {:?}", found.and_then(J::as_text), found.and_then(J::as_flag)));
            out.push(format!("{name}: {:?}", found.and_then(J::as_instant)));
            out.push(format!(
                "{name}: {:?}",
                v.elements(name).map(|one| (one.as_text(), one.member("A").and_then(J::as_text))).collect::<Vec<_>>()
            ));
            let pairs: Vec<_> = found.into_iter().flat_map(J::pairs).map(|(key, value)| (key, value.as_text())).collect();
            out.push(format!("{name}: {pairs:?}"));
        }
        out
    }

    #[test]
    fn a_tape_says_what_a_tree_says() {
        let mut tape = Tape::default();
        for text in [
            r#"{"Name":"x","name":"y","Told":true,"At":"2026-10-01T06:00:00Z"}"#,
            r#"{"name":"y","NAME":"z","told":false,"at":1790000000}"#,
            r#"{"Name":null,"name":"y","At":1790000000000.5,"List":["a",{"A":"b"},3,[],["A"]]}"#,
            r#"{"Name":"first","Name":"last","list":{"items":[{"a":"c"},"d"],"item":["e"]},"At":-5}"#,
            r#"{"List":{"item":["e"]},"Deep":{"Name":"in","List":[[[{}]],{"x":{"y":[1,"z"]}}],"A":"b"},"Name":"behind"}"#,
            r#"{"List":{"items":null,"item":["e"]},"Items":"é\"\u00e9","Deep":{"k":"v","l":[],"m":{}},"At":"10/01/2026"}"#,
            r#"{"Deep":{"z":"1","a":"2","z":3,"a":"4"}}"#,
            r#"["Name","x"]"#,
            r#""Name""#,
            r#"{}"#,
            r#"7"#,
            r#"{"":"empty","N":"x","\u00c4ame":"y","ame":"z","@ame":"no","Name2":"no"}"#,
        ] {
            let mut left = 100;
            tape.next(&mut left).deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
            let tree: Value = serde_json::from_str(text).unwrap();
            assert_eq!(said(tape.element()), said(&tree), "{text}");
        }
        let at = |text: &str, tape: &mut Tape| {
            let mut left = 100;
            tape.next(&mut left).deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
            (100 - left, tape.element().member("At").and_then(Element::as_instant))
        };
        assert_eq!(at(r#"{"At":1790000000000.5}"#, &mut tape), (3, Some(1_790_000_000)), "an object, a key and a number");
        assert_eq!(at(r#"{"At":["2026"]}"#, &mut tape), (4, None));
    }

    #[test]
    fn more_values_than_may_be_kept_are_a_fault() {
        let mut tape = Tape::default();
        let mut read = |text: &str, mut left: usize| {
            tape.next(&mut left).deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(|error| error.to_string())
        };
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(640));
        assert!(read("[1,2,3]", 4).is_ok() && read(r#"{"a":{"b":null}}"#, 5).is_ok() && read(&long, 13).is_ok());
        for (text, left) in [("[1,2,3]", 3), (r#"{"a":{"b":null}}"#, 4), (&*long, 12)] {
            assert!(read(text, left).unwrap_err().contains("values"), "{text}");
        }
        assert!(read("[1,", 9).unwrap_err().contains("EOF"));
    }
}
