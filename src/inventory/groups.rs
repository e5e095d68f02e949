//! Security groups of interfaces, as of an instant.
//!
//! Most interfaces keep their groups for life. For those that do not, each sighting is kept: seen with a group before and after,
//! an interface was in it; where two neighbouring sightings differ, nobody can say in between.

use super::Inventory;
use super::model::Eni;
use super::snapshot::EniSighting;
use super::timeline::Seen;
use crate::time::UnixSeconds;
use hashbrown::HashMap;
use std::sync::Arc;

/// Sightings of the groups of interfaces whose groups changed.
#[derive(Debug, Default)]
pub(super) struct Groups {
    changed: HashMap<Arc<str>, Vec<Sighting>>,
}

/// The groups of an interface at an instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sighting {
    at: UnixSeconds,
    /// Whether they stayed so until the next sighting (a configuration item).
    stays: bool,
    groups: Vec<Arc<str>>,
}

impl Groups {
    /// Keeps the sightings of one interface if its groups changed; those without a time or without groups say nothing.
    pub(super) fn observe<'a>(&mut self, id: &Arc<str>, sightings: impl Iterator<Item = (Seen, &'a EniSighting)>) {
        let dated = |(seen, eni): (Seen, &EniSighting)| {
            let (at, stays) = match seen {
                Seen::Undated => return None,
                Seen::At(t) => (t, false),
                Seen::From(t) => (t, true),
            };
            let mut groups = eni.groups.clone();
            groups.sort_unstable();
            groups.dedup();
            Some(Sighting { at, stays, groups }).filter(|sighting| !sighting.groups.is_empty())
        };
        let mut own: Vec<Sighting> = sightings.filter_map(dated).collect();
        own.sort_unstable();
        own.dedup();
        if own.windows(2).any(|pair| matches!(pair, [a, b] if a.groups != b.groups)) {
            self.changed.insert(Arc::clone(id), own);
        }
    }

    fn at(&self, eni: &Eni, group: &str, t: UnixSeconds) -> Option<bool> {
        let has = |groups: &[Arc<str>]| groups.iter().any(|own| &**own == group);
        let Some(sightings) = self.changed.get(&eni.id) else { return Some(has(&eni.groups)) };
        let behind = sightings.partition_point(|sighting| sighting.at <= t);
        let before = behind.checked_sub(1).and_then(|at| sightings.get(at));
        let after = sightings.get(behind);
        match (before, after) {
            (Some(before), _) if before.stays || before.at == t => Some(has(&before.groups)),
            (Some(before), Some(after)) => Some(has(&before.groups)).filter(|there| *there == has(&after.groups)),
            (Some(only), None) | (None, Some(only)) => Some(has(&only.groups)),
            (None, None) => None,
        }
    }
}

impl Inventory {
    /// Returns whether an interface had a security group at `t`; `None` between sightings that differ.
    pub fn in_group(&self, eni: &Eni, group: &str, t: UnixSeconds) -> Option<bool> {
        self.groups.at(eni, group, t)
    }

    /// Returns the instants at which the answer of [`Inventory::in_group`] may change, in no order.
    pub fn group_turns(&self) -> impl Iterator<Item = UnixSeconds> {
        self.groups.changed.values().flatten().flat_map(|sighting| [sighting.at, sighting.at.saturating_add(1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{File, Options};

    #[test]
    fn groups_between_two_listings_are_known_where_both_agree() {
        let listing = |groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| format!(r#"{{"GroupId":"{group}"}}"#)).collect();
            format!(
                r#"{{"NetworkInterfaces":[{{"NetworkInterfaceId":"eni-1","VpcId":"vpc-1","PrivateIpAddress":"10.0.0.1","Groups":[{}]}}]}}"#,
                groups.join(",")
            )
        };
        let file = |time: &str, text: String| File { path: format!("{time}/eni.json"), bytes: text.into() };
        let files = vec![
            file("1970-01-01T000100Z", listing(&["sg-a", "sg-b"])),
            file("1970-01-01T000200Z", listing(&["sg-a"])),
            file("1970-01-01T000300Z", listing(&["sg-a", "sg-c"])),
        ];
        let inventory = Inventory::from_files(files, &Options::default()).unwrap();
        let eni = &inventory.enis()[0];
        let at = |group: &str| [0, 60, 61, 119, 120, 121, 180, 999].map(|t| inventory.in_group(eni, group, t));
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(at("sg-a"), [yes; 8]);
        assert_eq!(at("sg-b"), [yes, yes, None, None, no, no, no, no]);
        assert_eq!(at("sg-c"), [no, no, no, no, no, None, yes, yes]);
    }
}
