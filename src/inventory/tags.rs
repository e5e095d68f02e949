//! Tags of AWS resources.
//!
//! A sorted list and no map: there are hundreds of thousands of interfaces with two or three tags each, and the smallest node of a map
//! has room for eleven.

use std::sync::Arc;

/// Tags of an AWS resource, each key once.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tags(Box<[(Arc<str>, Arc<str>)]>);

impl Tags {
    /// Makes no tags.
    pub fn new() -> Tags {
        Tags::default()
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Arc<str>> {
        let at = self.0.binary_search_by(|(own, _)| (**own).cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Returns the keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Takes in other tags; of a key that both have, the other's value counts.
    pub fn extend(&mut self, other: Tags) {
        if self.0.is_empty() {
            *self = other;
        } else if !other.0.is_empty() {
            *self = std::mem::take(&mut self.0).into_iter().chain(other.0).collect();
        }
    }

    /// Puts for each key and value what `shared` makes of it, which must be the same text.
    pub(super) fn share(&mut self, mut shared: impl FnMut(&mut Arc<str>)) {
        for (key, value) in &mut self.0 {
            shared(key);
            shared(value);
        }
    }
}

impl FromIterator<(Arc<str>, Arc<str>)> for Tags {
    /// Collects tags; of a key that comes twice, the later value counts.
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<str>)>>(tags: I) -> Tags {
        let mut list: Vec<(Arc<str>, Arc<str>)> = tags.into_iter().collect();
        list.reverse();
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        list.dedup_by(|(a, _), (b, _)| a == b);
        Tags(list.into())
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = (&'a Arc<str>, &'a Arc<str>);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (Arc<str>, Arc<str>)>, fn(&'a (Arc<str>, Arc<str>)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[(&str, &str)]) -> Tags {
        list.iter().map(|(key, value)| (Arc::from(*key), Arc::from(*value))).collect()
    }

    fn listed(tags: &Tags) -> Vec<(&str, &str)> {
        tags.into_iter().map(|(key, value)| (&**key, &**value)).collect()
    }

    #[test]
    fn of_a_key_the_later_value_counts() {
        let mut own = tags(&[("team", "web"), ("Name", "a"), ("team", "net"), ("Name", "b"), ("team", "ops")]);
        assert_eq!(listed(&own), [("Name", "b"), ("team", "ops")]);
        assert_eq!(own.keys().map(|key| &**key).collect::<Vec<_>>(), ["Name", "team"]);
        own.extend(Tags::new());
        own.extend(tags(&[("team", "db"), ("env", "prod")]));
        assert_eq!(listed(&own), [("Name", "b"), ("env", "prod"), ("team", "db")]);
        assert_eq!(
            ["Name", "env", "team", "x", ""].map(|key| own.get(key).map(|value| &**value)),
            [Some("b"), Some("prod"), Some("db"), None, None]
        );
        let mut none = Tags::new();
        none.extend(own.clone());
        assert_eq!((none, listed(&Tags::new())), (own, vec![]));
    }

    #[test]
    fn shared_texts_stay_the_same_texts() {
        let mut own = tags(&[("a", "x"), ("b", "x")]);
        let one: Arc<str> = "x".into();
        own.share(|text| {
            if **text == *one {
                *text = Arc::clone(&one);
            }
        });
        assert_eq!(listed(&own), [("a", "x"), ("b", "x")]);
        assert_eq!(Arc::strong_count(&one), 3);
    }
}
