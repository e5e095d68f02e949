//! What was observed → a policy for review: an entry per destination, with what a person has to add left empty.
//!
//! A draft approves exactly what it was made from, once its empty fields are filled in; until then it is no valid policy (P6), so
//! that nobody approves by not looking. Names come from logs and clusters and are untrusted: they are escaped wherever they stand.

use super::resolve::{Resolution, Resolver};
use super::{Attempt, Judge, Path, Policy, Ports, Source, Target, values};
use crate::error::printable;
use crate::inventory::{Destination, Inventory, Peer};
use crate::time::{DAY, UnixSeconds, rfc3339};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// How long a drafted approval holds after the last connection that was seen: a quarter, so that somebody looks again.
const HOLDS_S: i64 = 90 * DAY;
/// Names that an entry lists.
const NAMES_MAX: usize = 20;
/// Characters of an id before its number.
const ID_MAX: usize = 80;

/// A draft in the making.
#[derive(Debug)]
pub struct Draft {
    inventory: Arc<Inventory>,
    /// Without rules: it reads paths and peers.
    judge: Judge,
    resolver: Resolver,
    groups: BTreeMap<Group, BTreeMap<Target, Seen>>,
    connections: u64,
    undated: u64,
}

/// What is approved together: the same thing, for one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    cluster: String,
    cluster_arn: String,
    kind: String,
    name: String,
}

/// What was seen of a target.
#[derive(Debug, Clone, Default)]
struct Seen {
    ports: BTreeSet<Ports>,
    /// Known paths.
    paths: BTreeSet<Path>,
    /// Whether the path of some connection is not known.
    path_unknown: bool,
    names: BTreeSet<String>,
    /// Addresses behind a reference.
    addresses: BTreeSet<std::net::IpAddr>,
    connections: u64,
    first: Option<UnixSeconds>,
    last: Option<UnixSeconds>,
}

impl Seen {
    fn merge(&mut self, other: &Seen) {
        self.paths.extend(&other.paths);
        self.path_unknown |= other.path_unknown;
        self.names.extend(other.names.iter().cloned());
        self.addresses.extend(&other.addresses);
        self.connections += other.connections;
        self.first = crate::time::earlier(self.first, other.first);
        self.last = self.last.max(other.last);
    }
}

impl Draft {
    /// Starts a draft; peers are looked up in the inventory.
    pub fn new(inventory: &Arc<Inventory>) -> Draft {
        let none = Policy::default();
        Draft {
            judge: Judge::new(&none, Arc::clone(inventory)),
            resolver: Resolver::new(&none, Arc::clone(inventory)),
            inventory: Arc::clone(inventory),
            groups: BTreeMap::new(),
            connections: 0,
            undated: 0,
        }
    }

    /// Takes in a connection and what its destination is.
    pub fn add(&mut self, attempt: &Attempt<'_>, destination: &Destination) {
        self.connections += 1;
        // Approval is a matter of time: what has none cannot be approved.
        let Some((first, last)) = attempt.times else {
            self.undated += 1;
            return;
        };
        let target = self.target(attempt, destination, first, last);
        let name = match destination.kind {
            // Nodes come and go; their kubelets are one thing to approve.
            "kubelet" => String::new(),
            _ if destination.names.is_empty() => attempt.addr.to_string(),
            _ => destination.names.join(", "),
        };
        let group = Group {
            cluster: attempt.cluster.to_owned(),
            cluster_arn: attempt.cluster_arn.to_owned(),
            kind: destination.kind.to_owned(),
            name,
        };
        let seen = self.groups.entry(group).or_default().entry(target).or_default();
        let (from, to) = if values::has_ports(attempt.protocol) { (attempt.port, attempt.port) } else { (0, u16::MAX) };
        seen.ports.insert(Ports { protocol: Some(attempt.protocol), first: from, last: to });
        match self.judge.paths(attempt).known() {
            Some(paths) => seen.paths.extend(paths),
            None => seen.path_unknown = true,
        }
        let count = Seen {
            names: destination.names.iter().cloned().collect(),
            addresses: [attempt.addr].into(),
            connections: 1,
            first: Some(first),
            last: Some(last),
            ..Seen::default()
        };
        seen.merge(&count);
    }

    /// Names an address by what it belongs to, where the inventory proves that at both instants.
    fn target(&self, attempt: &Attempt<'_>, destination: &Destination, first: UnixSeconds, last: UnixSeconds) -> Target {
        let (before, after) = (self.judge.peer(attempt, first), self.judge.peer(attempt, last));
        let holds = |target: &Target| {
            let at = |peer, t| matches!(self.resolver.resolve(target, attempt.addr, Some((peer, t))), Resolution::Yes(_));
            at(&before, first) && at(&after, last)
        };
        let reference = self.reference(attempt, destination, &before);
        reference.filter(holds).unwrap_or_else(|| Target::Net(IpNet::from(attempt.addr)))
    }

    fn reference(&self, attempt: &Attempt<'_>, destination: &Destination, peer: &Peer<'_>) -> Option<Target> {
        let Some(eni) = peer.eni else {
            let range = self.inventory.aws_range(attempt.addr).filter(|_| destination.kind == "aws-service")?;
            // Ranges of customers' machines name nobody.
            let is_named = !["AMAZON", "EC2"].contains(&&*range.service);
            return is_named.then(|| Target::Aws { service: Arc::clone(&range.service), region: Some(Arc::clone(&range.region)) });
        };
        match peer.kind {
            Some("eks-node" | "eks-pod") => {
                let own = eni.cluster.and_then(|at| self.inventory.clusters().get(at as usize));
                let of_cluster =
                    own.and_then(|cluster| cluster.cluster_security_group_id.as_ref()).filter(|group| eni.groups.contains(group));
                of_cluster.or_else(|| eni.groups.first().filter(|_| eni.groups.len() == 1)).map(|group| Target::Group(Arc::clone(group)))
            }
            Some("vpc-endpoint" | "gateway-load-balancer-endpoint" | "firewall-endpoint") => eni.resource.clone().map(Target::Endpoint),
            _ => Some(Target::Interface(Arc::clone(&eni.id))),
        }
    }

    /// Returns the draft as TOML.
    pub fn write(&self) -> String {
        let mut out = String::from(HEAD);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# Drafted from {}.", counted(self.connections - self.undated, "connection", "s"));
        if self.undated > 0 {
            let left_out = counted(self.undated, "connection", "s");
            let _ = writeln!(out, "# Left out: {left_out} whose records have no time, so that no approval can be judged.");
        }
        out += "\npolicy  = \"1\"\nname    = \"control-plane egress\"\nversion = \"draft\"\ndefault = \"deny\"\n";
        if self.groups.is_empty() {
            out += "\n# No connection that a control plane opened was seen: nothing is approved.\n";
        }
        let mut ids = BTreeSet::new();
        for (group, targets) in &self.groups {
            for (ports, targets) in by_ports(targets) {
                self.entry(&mut out, &mut ids, group, &ports, &targets);
            }
        }
        out
    }

    fn entry(&self, out: &mut String, ids: &mut BTreeSet<String>, group: &Group, ports: &BTreeSet<Ports>, targets: &[(&Target, &Seen)]) {
        let mut all = Seen::default();
        targets.iter().for_each(|(_, seen)| all.merge(seen));
        let what = if group.name.is_empty() { group.kind.clone() } else { format!("{} {}", group.kind, group.name) };
        let (first, last) = (all.first.unwrap_or_default(), all.last.unwrap_or_default());
        let quoted_list = |items: &mut dyn Iterator<Item = String>| items.map(|item| quoted(&item)).collect::<Vec<_>>().join(", ");
        let mut line = |text: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{text}");
        };
        line(String::new());
        line(format!("# REVIEW {}", printable(&what)));
        line(format!(
            "# Seen: {} to {}, first {}, last {}.",
            counted(all.connections, "connection", "s"),
            counted(all.addresses.len() as u64, "address", "es"),
            rfc3339(first),
            rfc3339(last)
        ));
        line("[[allow]]".to_owned());
        line(format!("id         = {}", quoted(&unique_id(ids, &group.cluster, &what))));
        line(format!("to         = [{}]", quoted_list(&mut targets.iter().map(|(target, _)| target.to_string()))));
        if !all.names.is_empty() {
            let more = all.names.len().saturating_sub(NAMES_MAX);
            let more = if more > 0 { format!("  # … and {more} more") } else { String::new() };
            line(format!("names      = [{}]{more}", quoted_list(&mut all.names.iter().take(NAMES_MAX).cloned())));
        }
        line(format!("ports      = [{}]", quoted_list(&mut ports.iter().map(ToString::to_string))));
        line(format!("from       = [{}]", quoted(&self.source(group).to_string())));
        if all.path_unknown || all.paths.is_empty() {
            line("# path: the logs do not say by which way every packet went".to_owned());
        } else {
            line(format!("path       = [{}]", quoted_list(&mut all.paths.iter().map(ToString::to_string))));
        }
        for key in ["owner ", "reason", "ticket"] {
            line(format!("{key}     = \"\"  # REVIEW"));
        }
        line(format!("not_before = {}", day(first)));
        line(format!("expires    = {}  # REVIEW", day(last.saturating_add(HOLDS_S))));
    }

    /// Names the cluster; by ARN where several have its name.
    fn source(&self, group: &Group) -> Source {
        let shared = self.inventory.clusters().iter().any(|other| *other.name == *group.cluster && *other.arn != *group.cluster_arn);
        if shared || group.cluster.starts_with("arn:") {
            Source::ClusterArn(group.cluster_arn.clone())
        } else {
            Source::ClusterName(group.cluster.clone())
        }
    }
}

const HEAD: &str = "\
# A draft: what was observed, not what is approved.
# Each entry needs a person who fills in owner, reason and ticket, and who looks at what is marked REVIEW;
# until then `flowproof policy check` says that it is no valid policy. Remove what should not be approved.
# The keys are described in docs/policy.md.
";

/// Targets that were contacted on the same ports: merging others would approve what was not seen.
fn by_ports(targets: &BTreeMap<Target, Seen>) -> BTreeMap<BTreeSet<Ports>, Vec<(&Target, &Seen)>> {
    let mut by_ports: BTreeMap<BTreeSet<Ports>, Vec<(&Target, &Seen)>> = BTreeMap::new();
    for (target, seen) in targets {
        by_ports.entry(seen.ports.clone()).or_default().push((target, seen));
    }
    by_ports
}

fn counted(count: u64, noun: &str, plural: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { plural })
}

fn day(t: UnixSeconds) -> String {
    rfc3339(t).split('T').next().unwrap_or_default().to_owned()
}

/// Makes an id of what is plain in the names.
fn unique_id(ids: &mut BTreeSet<String>, cluster: &str, what: &str) -> String {
    let mut id = String::new();
    for letter in format!("{cluster} {what}").chars().map(|letter| letter.to_ascii_lowercase()) {
        match letter.is_ascii_alphanumeric() {
            true => id.push(letter),
            false if !id.is_empty() && !id.ends_with('-') => id.push('-'),
            false => {}
        }
    }
    id.truncate(ID_MAX);
    let id = id.trim_end_matches('-');
    let id = if id.is_empty() { "destination" } else { id };
    let numbered = (2..).map(|number: u64| format!("{id}-{number}"));
    let free = std::iter::once(id.to_owned()).chain(numbered).find(|id| !ids.contains(id)).unwrap_or_default();
    ids.insert(free.clone());
    free
}

/// Writes a TOML basic string; what a terminal or an editor would act on is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            _ if printable(letter.encode_utf8(&mut [0; 4])).len() != letter.len_utf8() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\U{:08X}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_inert() {
        for name in ["plain", "a\"\nexpires = 9999-01-01\n[[allow]]\n#", "\\", "\u{1b}[2J", "\u{202e}txt", "\"\"\"", "'''", "a\u{0}b\u{7f}"]
        {
            let text = format!("key = {}  # {}\n", quoted(name), printable(name));
            let table: toml::Table = text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!((table.len(), table["key"].as_str()), (1, Some(name)));
            assert!(!text.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }

    #[test]
    fn ids_are_plain_and_unique() {
        let mut ids = BTreeSet::new();
        let mut id = |what: &str| unique_id(&mut ids, "Prod", what);
        assert_eq!(
            [id("webhook a/b"), id("webhook a b"), id("webhook\n\"a\"-b")],
            ["prod-webhook-a-b", "prod-webhook-a-b-2", "prod-webhook-a-b-3"]
        );
        assert_eq!(id(&"ä-".repeat(300)), "prod");
        assert!(id(&"x".repeat(300)).len() <= ID_MAX);
        assert_eq!([0; 2].map(|_| unique_id(&mut BTreeSet::new(), "", "\u{202e}")), ["destination"; 2]);
    }
}
