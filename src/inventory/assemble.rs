//! Files → inventory: reads them in parallel, dates and scopes each sighting, and joins them into lives.
//!
//! The story in order: read → scope → resources with periods → clusters → interfaces → Kubernetes → indexes. Files are
//! sorted first, so that their order cannot change the result. Interfaces are by far the most: of files only a few stand in memory at
//! once, and what was seen of an interface goes when it is joined.

use crate::error::Result;
use crate::inventory::configuration;
use crate::inventory::control_plane::{self, Judgement};
use crate::inventory::custody::{self, Custody};
use crate::inventory::destinations::Answer;
use crate::inventory::json::{self, Contents};
use crate::inventory::kinds::{self, InterfaceKind};
use crate::inventory::members::{
    cluster_of_tags, connect_gateways, endpoint_kinds, fits, instance_clusters, join_cluster, member_of, new_eni, one_key, overlay,
};
use crate::inventory::model::*;
use crate::inventory::ranges::Ranges;
use crate::inventory::routes::Routing;
use crate::inventory::scope::Scope;
use crate::inventory::snapshot::{CLUSTER_NAMES, ClusterSighting, EniSighting, Item, NETWORK_INTERFACES, Owner, Sighting};
use crate::inventory::timeline::{Group, Life, Scopes, Seen, Timeline};
use crate::inventory::{Inventory, Options, Unread};
use crate::time::{UnixSeconds, ValidPeriod};
use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Kind of a resource, its id, and the account where ids are unique within one only.
type ResourceKey = (&'static str, Arc<str>, Option<Arc<str>>);
/// AZ names are an account's own.
type ZoneName = (Option<Arc<str>>, Arc<str>);

/// What was listed where: the unit in which absence proves something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Listed {
    Aws { key: &'static str, account: Option<Arc<str>>, region: Option<Arc<str>> },
    Kube { kind: &'static str, cluster: u32 },
}

/// A fact about an interface that can come and go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum EniFact {
    Exists,
    Primary(IpAddr),
    Secondary(IpAddr),
    Prefix(IpNet),
}

/// A Kubernetes object that waits until its cluster is known.
struct Waiting {
    scope: Arc<Scope>,
    kind: &'static str,
    thing: String,
    life: Life,
    facts: Vec<KubeFact>,
}

/// A requested mode change that waits until its cluster is known.
struct Change {
    scope: Arc<Scope>,
    cluster: Option<Arc<str>>,
    owner: Owner,
    at: UnixSeconds,
    mode: String,
    status: String,
}

/// A sighting of an interface, with its time and the listing that it stood in.
struct Sighted {
    seen: Seen,
    listed: Option<u32>,
    eni: EniSighting,
}

/// Stored bytes of files that are read at once, if they are more files than threads: enough for files of unlike sizes to even out.
const BYTES_AT_ONCE: u64 = 16 << 20;

/// Sightings of interfaces that were joined and yet take memory: a few MiB of them.
const JOINED_MAX: usize = 16_384;

#[derive(Default)]
struct Builder {
    inventory: Inventory,
    scopes: Scopes<Listed>,
    eni_sightings: Vec<Sighted>,
    resources: Timeline<ResourceKey, Item>,
    owners: HashMap<(&'static str, Arc<str>), Owner>,
    gone: Vec<(Arc<str>, UnixSeconds)>,
    clusters: Vec<(Seen, Cluster)>,
    clusters_gone: Vec<(Arc<str>, Owner, UnixSeconds)>,
    issuers: Vec<(Arc<str>, Owner, Arc<str>)>,
    changes: Vec<Change>,
    names: Vec<(Arc<str>, Owner, Seen)>,
    waiting: Vec<Waiting>,
    ranges: Vec<(i64, Vec<crate::inventory::ranges::AwsRange>)>,
    undated: HashSet<Arc<str>>,
}

/// Reads the files and joins them.
///
/// # Errors
/// That of the first file in order of paths which cannot be read or is malformed.
pub(super) fn assemble(mut files: Vec<Unread>, options: &Options) -> Result<Inventory> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut builder = Builder::default();
    let mut files = files.into_iter().peekable();
    while files.peek().is_some() {
        let (mut some, mut bytes) = (Vec::new(), 0);
        while let Some(file) = files.next_if(|_| some.len() < rayon::current_num_threads() || bytes < BYTES_AT_ONCE) {
            bytes += file.size;
            some.push(file);
        }
        let read: Vec<(String, Result<Contents>)> = some.into_par_iter().map(json::read_once).collect();
        for (path, contents) in read {
            builder.take_file(&path, contents?, options);
        }
    }
    Ok(builder.finish())
}

impl Builder {
    fn take_file(&mut self, path: &str, contents: Contents, options: &Options) {
        if !contents.recognised {
            self.inventory.warnings.push(format!("{path}: not recognised as inventory, ignored"));
        }
        let scope = Arc::new(Scope::of_path(path, options.as_of));
        for document in contents.wrapped {
            let scope = Arc::new(scope.within(&document.wrapper));
            document.sightings.into_iter().for_each(|sighting| self.take(&scope, sighting));
        }
        contents.plain.into_iter().for_each(|sighting| self.take(&scope, sighting));
    }

    /// Takes one sighting with the time and scope of its document.
    fn take(&mut self, scope: &Arc<Scope>, sighting: Sighting) {
        let dated = scope.at.map_or(Seen::Undated, Seen::At);
        let owned = |owner: &Owner| Owner {
            account: scope.owner.account.clone().or_else(|| owner.account.clone()),
            region: scope.owner.region.clone().or_else(|| owner.region.clone()),
        };
        match sighting {
            Sighting::Listed(key) => {
                let Owner { account, region } = scope.owner.clone();
                if account.is_some() && region.is_some() {
                    self.scopes.listed(Listed::Aws { key: one_key(key), account, region }, dated);
                }
            }
            Sighting::Eni(eni) => {
                let owner = owned(&eni.owner);
                self.take_eni(scope, owner, *eni, dated);
            }
            Sighting::Resource { mut item, owner, life, seen } => {
                let owner = owned(&owner);
                if !self.name(&mut item, scope) {
                    return;
                }
                let (key, id) = item.key();
                let id = id.clone();
                let seen_at = self.dating(scope, seen, dated);
                let listed = (seen.is_none() && item.is_listed())
                    .then(|| self.scopes.listed(Listed::Aws { key, account: owner.account.clone(), region: owner.region.clone() }, dated));
                // AZ names mean something else in each account, and names of roles are an account's own.
                let is_own = key == "AvailabilityZones" || matches!(*item, Item::Role(_));
                let per_account = if is_own { owner.account.clone() } else { None };
                self.owners.entry((key, id.clone())).or_insert(owner);
                self.resources.observe((key, id, per_account), listed, seen_at, life, [*item]);
            }
            Sighting::PrefixEntry { cidr, description } => {
                if let Some(list_id) = scope.prefix_list.clone() {
                    let item = Item::PrefixEntry(PrefixEntry { list_id: list_id.clone(), cidr, description });
                    self.resources.observe(("Entries", list_id, None), None, dated, Life::default(), [item]);
                }
            }
            Sighting::Custody { bucket, fact } => match bucket.or_else(|| custody::bucket_of_path(&scope.path)) {
                Some(bucket) => {
                    let seen = self.dating(scope, None, dated);
                    let item = Item::Custody(Custody { bucket: bucket.clone(), fact });
                    let (call, _) = item.key();
                    // Of each bucket the call shows that one alone: it proves no absence of others.
                    self.resources.observe((call, bucket, None), None, seen, Life::default(), [item]);
                }
                None => {
                    let hint = "name it GET-CALL_BUCKET.json or wrap it in {\"Bucket\": …}";
                    self.inventory.warnings.push(format!("{}: {} of an unknown bucket, ignored; {hint}", scope.path, fact.call()));
                }
            },
            Sighting::Gone { id, at } => self.gone.push((id, at)),
            Sighting::Cluster(sighting) => {
                let ClusterSighting { seen, cluster } = *sighting;
                let seen = self.dating(scope, seen, dated);
                self.clusters.push((seen, cluster));
            }
            Sighting::ClusterGone { name, owner, at } => self.clusters_gone.push((name, owner, at)),
            Sighting::ClusterName(name) => self.names.push((name, scope.owner.clone(), dated)),
            Sighting::ModeChange { cluster, owner, at, mode, status } => {
                let owner = owned(&owner);
                self.changes.push(Change { scope: scope.clone(), cluster, owner, at, mode, status });
            }
            Sighting::Issuer { cluster, owner, url } => self.issuers.push((cluster, owned(&owner), url)),
            Sighting::Kube { kind, thing, life, facts } => {
                self.dating(scope, None, dated);
                self.waiting.push(Waiting { scope: scope.clone(), kind, thing, life, facts });
            }
            Sighting::Range(_) => {}
            Sighting::Ranges { token, ranges } => self.ranges.push((token, ranges)),
            Sighting::Answer { at, vpc_id, host, addrs } => {
                for addr in addrs {
                    self.inventory.answers.entry(addr).or_default().push(Answer { host: host.clone(), at, vpc_id: vpc_id.clone() });
                }
            }
        }
    }

    /// Gives what IAM shows without a name the one of the wrapper or path; returns whether it has one now.
    fn name(&mut self, item: &mut Item, scope: &Scope) -> bool {
        let (name, from, what) = match item {
            Item::Role(role) => (&mut role.name, &scope.role, "role_name"),
            Item::Policy(policy) => (&mut policy.id, &scope.policy, "policy_arn"),
            _ => return true,
        };
        if name.is_empty() {
            *name = from.clone().unwrap_or_default();
        }
        if name.is_empty() {
            let hint = format!("wrap it in {{\"{what}\": …, \"data\": …}}");
            self.inventory.warnings.push(format!("{}: does not say whose permissions these are, ignored; {hint}", scope.path));
            return false;
        }
        true
    }

    /// Returns how a sighting is dated, and counts files that leave it open.
    fn dating(&mut self, scope: &Scope, own: Option<Seen>, dated: Seen) -> Seen {
        let seen = own.unwrap_or(dated);
        if seen == Seen::Undated && !self.undated.contains(&scope.path) {
            self.undated.insert(scope.path.clone());
        }
        seen
    }

    fn take_eni(&mut self, scope: &Scope, owner: Owner, mut eni: EniSighting, dated: Seen) {
        let seen = self.dating(scope, eni.seen, dated);
        let listing = Listed::Aws { key: NETWORK_INTERFACES, account: owner.account.clone(), region: owner.region.clone() };
        let listed = (eni.seen.is_none() && !eni.beside).then(|| self.scopes.listed(listing, dated));
        if let (Seen::At(t) | Seen::From(t), Some(from)) = (seen, eni.life.from)
            && from > t
        {
            eni.life.from = None;
        }
        eni.owner = owner;
        self.eni_sightings.push(Sighted { seen, listed, eni });
    }

    fn finish(mut self) -> Inventory {
        let mut ended: HashMap<Arc<str>, Life> = HashMap::new();
        for (id, at) in std::mem::take(&mut self.gone) {
            let life = Life { from: None, to: Some(at) };
            for key in ["NatGateways", "VpcEndpoints", "Subnets", "FlowLogs"] {
                self.resources.sharpen(&(key, id.clone(), None), life);
            }
            ended.entry(id).or_default().join(life);
        }
        self.finish_resources();
        self.finish_clusters();
        self.finish_enis(&ended);
        self.finish_kube();
        self.finish_indexes();
        self.inventory.find_turns();
        self.finish_warnings();
        self.inventory
    }

    /// Dates the Kubernetes facts of each cluster, and hands them to the look-ups.
    fn finish_kube(&mut self) {
        let mut facts: Timeline<(u32, &'static str, String), KubeFact> = Timeline::default();
        let waiting = std::mem::take(&mut self.waiting);
        let folders = configuration::folders(&self.inventory, waiting.iter().map(|waiting| (waiting.scope.folder(), &*waiting.facts)));
        let mut unplaced: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for Waiting { scope, kind, thing, life, facts: seen_facts } in waiting {
            let mut clusters = self.clusters_of_scope(&scope);
            if clusters.is_empty() {
                clusters.extend(folders.get(scope.folder()));
            }
            let seen = scope.at.map_or(Seen::Undated, Seen::At);
            // Of several lives of one name the one that lived when the objects were collected.
            let lived = |index: &&u32| {
                self.inventory.clusters.get(**index as usize).is_some_and(|c| scope.at.is_none_or(|at| c.valid.contains(at)))
            };
            let Some(cluster) = clusters.iter().filter(lived).max().or(clusters.iter().max()).copied() else {
                *unplaced.entry(scope.path.clone()).or_default() += 1;
                continue;
            };
            let listed = self.scopes.listed(Listed::Kube { kind, cluster }, seen);
            facts.observe((cluster, kind, thing), Some(listed), seen, life, seen_facts);
        }
        for (path, count) in unplaced {
            let hint = "put them in a folder named like the cluster";
            self.inventory.warnings.push(format!("{path}: {count} Kubernetes objects of an unknown cluster, ignored; {hint}"));
        }
        for ((cluster, ..), fact, claims) in facts.claims(&self.scopes, |_| false) {
            self.inventory.kube.extend(claims.into_iter().map(|claim| KubeHeld { cluster, fact: fact.clone(), claim }));
        }
        self.inventory.kube.sort_by(|a, b| (a.cluster, &a.fact, a.claim).cmp(&(b.cluster, &b.fact, b.claim)));
        configuration::index(&mut self.inventory);
    }

    /// Builds what look-ups need beyond addresses.
    fn finish_indexes(&mut self) {
        let inventory = &mut self.inventory;
        for (at, subnet) in (0..).zip(&inventory.subnets) {
            inventory.book.add_subnet(at, &subnet.item);
        }
        for vpc in &inventory.vpcs {
            vpc.item.cidrs.iter().for_each(|cidr| inventory.book.add_vpc_range(&vpc.item.id, *cidr));
        }
        for peering in inventory.peerings.iter().filter(|peering| peering.item.status.as_deref() == Some("active")) {
            inventory.book.connect(&peering.item.requester_vpc_id, &peering.item.accepter_vpc_id, peering.claim, false);
        }
        connect_gateways(inventory);
        for (at, eni) in (0..).zip(&inventory.enis) {
            for place in [&eni.vpc_id, &eni.subnet_id].into_iter().flatten() {
                inventory.enis_of.entry(place.clone()).or_default().push(at);
            }
        }
        inventory.routing = Routing::new(&inventory.route_tables, &inventory.vpc_endpoints);
        for (at, flow_log) in (0..).zip(&inventory.flow_logs) {
            inventory.flow_log_ids.insert(flow_log.item.id.clone(), at);
        }
        let names: HashMap<&Arc<str>, &PrefixList> = inventory.prefix_lists.iter().map(|list| (&list.item.id, &list.item)).collect();
        for entry in &inventory.prefix_entries {
            let list = names.get(&entry.item.list_id);
            // AWS's own lists are its services' ranges, which ip-ranges names better.
            if list.is_none_or(|list| list.owner.as_deref() != Some("AWS")) {
                let name = list.map_or(&entry.item.list_id, |list| &list.name).clone();
                inventory.listed_ranges.insert(entry.item.cidr, (name, entry.claim));
            }
        }
        inventory.answers.values_mut().for_each(|answers| {
            answers.sort_unstable();
            answers.dedup();
        });
        inventory.ranges = Ranges::new(std::mem::take(&mut self.ranges));
        let mut snapshots: Vec<UnixSeconds> = Vec::new();
        let mut scopes: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for key in self.scopes.keys() {
            if let Listed::Aws { key: NETWORK_INTERFACES, account, region } = key {
                snapshots.extend(self.scopes.find(key).into_iter().flatten());
                scopes.extend(account.clone().zip(region.clone()));
            }
        }
        snapshots.sort_unstable();
        snapshots.dedup();
        scopes.sort_unstable();
        inventory.eni_snapshots = snapshots;
        inventory.eni_scopes = scopes;
    }

    fn finish_warnings(&mut self) {
        let inventory = &mut self.inventory;
        for suspect in &inventory.suspects {
            let Suspect { interface_id, cluster_name, reason } = suspect;
            inventory.warnings.push(format!("{interface_id}: suspected control-plane interface of {cluster_name}, not counted: {reason}"));
        }
        if !self.undated.is_empty() {
            let count = self.undated.len();
            let one = "1 inventory file has no as-of time and is taken as valid always".to_owned();
            let text = if count == 1 { one } else { format!("{count} inventory files have no as-of time and are taken as valid always") };
            inventory.warnings.push(format!("{text}; put them in a folder named like 2026-03-01T230000Z or give --inventory-as-of"));
        }
        inventory.warnings.sort_unstable();
        inventory.warnings.dedup();
    }

    fn finish_resources(&mut self) {
        let claims = std::mem::take(&mut self.resources).claims(&self.scopes, |_| false);
        for ((key, id, account), item, claims) in claims {
            let owner = self.owners.get(&(key, id)).cloned().unwrap_or_default();
            let account_id = account.or(owner.account);
            for claim in claims {
                self.inventory.push(item.clone(), account_id.clone(), owner.region.clone(), claim);
            }
        }
        let zones: HashMap<ZoneName, Arc<str>> =
            self.inventory.zones.iter().map(|zone| ((zone.account_id.clone(), zone.item.name.clone()), zone.item.id.clone())).collect();
        for subnet in self.inventory.subnets.iter_mut().filter(|subnet| subnet.item.az_id.is_none()) {
            let name = subnet.item.az_name.clone();
            subnet.item.az_id = name.and_then(|name| zones.get(&(subnet.account_id.clone(), name)).cloned());
        }
    }

    fn finish_clusters(&mut self) {
        let mut sightings = std::mem::take(&mut self.clusters);
        // A Config item may lack the creation time; it then belongs to the life that was there.
        sightings.sort_by(|a, b| (&a.1.arn, a.1.created_at, a.0).cmp(&(&b.1.arn, b.1.created_at, b.0)));
        let mut clusters: Vec<Cluster> = Vec::new();
        let (dated, open): (Vec<_>, Vec<_>) = sightings.into_iter().partition(|(_, cluster)| cluster.created_at.is_some());
        for (seen, cluster) in dated.into_iter().chain(open) {
            let same = clusters
                .iter_mut()
                .rev()
                .find(|known| known.arn == cluster.arn && (cluster.created_at.is_none() || known.created_at == cluster.created_at));
            let at = match seen {
                Seen::Undated => i64::MIN,
                Seen::At(t) | Seen::From(t) => t,
            };
            match same {
                Some(known) => join_cluster(known, cluster, at),
                None => {
                    let mode = cluster.egress_mode.clone();
                    clusters.push(Cluster { mode_seen: vec![(at, mode)], ..cluster });
                }
            }
        }
        clusters.sort_by(|a, b| (&a.arn, a.created_at).cmp(&(&b.arn, b.created_at)));
        for at in 1..clusters.len() {
            let (before, after) = clusters.split_at_mut(at);
            if let (Some(before), Some(after)) = (before.last_mut(), after.first())
                && before.arn == after.arn
            {
                before.valid.to = after.created_at.unwrap_or(i64::MAX);
            }
        }
        for (name, owner, at) in std::mem::take(&mut self.clusters_gone) {
            let lives = clusters.iter_mut().filter(|c| c.name == name && fits(&owner, &c.account_id, &c.region));
            if let Some(cluster) = lives.filter(|c| c.valid.from <= at && at <= c.valid.to).max_by_key(|c| c.valid.from) {
                cluster.valid.to = at;
            }
        }
        for (name, owner, url) in std::mem::take(&mut self.issuers) {
            for cluster in clusters.iter_mut().filter(|c| c.name == name && fits(&owner, &c.account_id, &c.region)) {
                cluster.identity_issuers.push(url.clone());
            }
        }
        self.inventory.clusters = clusters;
        self.end_unlisted_clusters();
        self.take_changes();
        for cluster in &mut self.inventory.clusters {
            cluster.identity_issuers.sort_unstable();
            cluster.identity_issuers.dedup();
            cluster.mode_seen.sort_unstable();
            cluster.mode_seen.dedup();
            cluster.mode_changes.sort_unstable();
            cluster.mode_changes.dedup();
        }
    }

    /// A cluster that a later `list-clusters` of its scope lacks had ended by then.
    fn end_unlisted_clusters(&mut self) {
        let mut listed: HashSet<(Arc<str>, UnixSeconds, Owner)> = HashSet::new();
        for (name, owner, seen) in &self.names {
            if let Seen::At(t) = seen {
                listed.insert((name.clone(), *t, owner.clone()));
            }
        }
        for cluster in &mut self.inventory.clusters {
            let owner = Owner { account: cluster.account_id.clone(), region: cluster.region.clone() };
            let key = Listed::Aws { key: CLUSTER_NAMES, account: owner.account.clone(), region: owner.region.clone() };
            let last_seen = cluster.mode_seen.iter().map(|(at, _)| *at).chain(cluster.created_at).max().unwrap_or(i64::MIN);
            let is_listed = |t: UnixSeconds| listed.contains(&(cluster.name.clone(), t, owner.clone()));
            let instants = self.scopes.find(&key).into_iter().flatten().copied();
            let missing = instants.filter(|t| *t > last_seen && !is_listed(*t)).min();
            if let Some(missing) = missing.filter(|missing| *missing < cluster.valid.to) {
                let listings = self.scopes.find(&key).into_iter().flatten().copied();
                let last = listings.filter(|t| *t < missing && is_listed(*t)).max().unwrap_or(last_seen).max(last_seen);
                cluster.valid.to = last.saturating_add(1);
            }
        }
        let mut names: Vec<Arc<str>> = std::mem::take(&mut self.names).into_iter().map(|(name, ..)| name).collect();
        names.sort_unstable();
        names.dedup();
        self.inventory.cluster_names = names;
    }

    fn take_changes(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            let named = change.cluster.as_deref();
            let index = match named {
                Some(name) => self.clusters_named(name, &change.owner),
                None => self.clusters_of_scope(&change.scope),
            };
            let lived =
                index.iter().copied().filter(|i| self.inventory.clusters.get(*i as usize).is_some_and(|c| c.valid.contains(change.at)));
            let Some(cluster) = lived.max().and_then(|i| self.inventory.clusters.get_mut(i as usize)) else {
                self.inventory
                    .warnings
                    .push(format!("{}: an update of the egress mode names no cluster of the inventory, ignored", change.scope.path));
                continue;
            };
            if change.status == "Failed" || change.status == "Cancelled" {
                continue;
            }
            if change.status == "Successful" {
                cluster.mode_seen.push((change.scope.at.unwrap_or(i64::MIN).max(change.at), EgressMode::Known(change.mode.clone())));
            }
            // CloudTrail and describe-update show the same change; the earlier entry is kept with the later word on it.
            match cluster.mode_changes.iter_mut().find(|(at, mode, _)| *mode == change.mode && at.abs_diff(change.at) < 60) {
                Some(known) => {
                    known.0 = known.0.min(change.at);
                    if change.status == "Successful" {
                        known.2 = change.status;
                    }
                }
                None => cluster.mode_changes.push((change.at, change.mode, change.status)),
            }
        }
    }

    fn clusters_named(&self, name: &str, owner: &Owner) -> Vec<u32> {
        let clusters = (0..).zip(&self.inventory.clusters);
        clusters.filter(|(_, c)| *c.name == *name && fits(owner, &c.account_id, &c.region)).map(|(index, _)| index).collect()
    }

    /// Returns the clusters that a document without a cluster's name can be about.
    fn clusters_of_scope(&self, scope: &Scope) -> Vec<u32> {
        let clusters = || (0..).zip(&self.inventory.clusters).filter(|(_, c)| fits(&scope.owner, &c.account_id, &c.region));
        let named: Vec<u32> = clusters().filter(|(_, c)| scope.names_cluster(&c.name, &c.arn)).map(|(index, _)| index).collect();
        if !named.is_empty() || scope.cluster.is_some() {
            return named;
        }
        let ending = || clusters().filter(|(_, c)| scope.ends_with_cluster(&c.name));
        if let Some(longest) = ending().map(|(_, c)| c.name.len()).max() {
            return ending().filter(|(_, c)| c.name.len() == longest).map(|(index, _)| index).collect();
        }
        let all: Vec<u32> = clusters().map(|(index, _)| index).collect();
        let arns: HashSet<&str> = clusters().map(|(_, c)| &*c.arn).collect();
        if arns.len() == 1 { all } else { Vec::new() }
    }

    /// Joins the sightings of each interface; `ended` says when interfaces were deleted.
    fn finish_enis(&mut self, ended: &HashMap<Arc<str>, Life>) {
        let mut sightings = std::mem::take(&mut self.eni_sightings);
        // The last first, so that they are taken off the end and the room behind is given back; of equals the first stays first.
        sightings.reverse();
        sightings.sort_by_cached_key(|sighted| Reverse((Arc::clone(&sighted.eni.id), sighted.seen)));
        let mut enis: Vec<Eni> = Vec::with_capacity(sightings.chunk_by(|a, b| a.eni.id == b.eni.id).count());
        while let Some(first) = sightings.pop() {
            let id = Arc::clone(&first.eni.id);
            let mut own = vec![first];
            own.extend(std::iter::from_fn(|| sightings.pop_if(|next| next.eni.id == id)));
            if sightings.capacity() - sightings.len() > JOINED_MAX {
                sightings.shrink_to_fit();
            }
            let eni = self.join(enis.len() as u32, own, ended);
            enis.extend(eni);
        }
        self.inventory.eni_ids = (0..).zip(&enis).map(|(at, eni)| (eni.id.clone(), at)).collect();
        self.inventory.enis = enis;
        self.name_az();
        self.classify();
    }

    /// Makes the interface of this index of its sightings, the earliest first, with addresses, prefixes and life.
    fn join(&mut self, at: u32, sightings: Vec<Sighted>, ended: &HashMap<Arc<str>, Life>) -> Option<Eni> {
        let mut eni = new_eni(&sightings.first()?.eni.id);
        self.inventory.groups.observe(&eni.id, sightings.iter().map(|sighted| (sighted.seen, &sighted.eni)));
        let mut facts: Group<EniFact> = Group::default();
        for Sighted { seen, listed, eni: sighting } in sightings {
            let shown = std::iter::once(EniFact::Exists)
                .chain(sighting.primary.iter().copied().map(EniFact::Primary))
                .chain(sighting.secondary.iter().copied().map(EniFact::Secondary))
                .chain(sighting.prefixes.iter().copied().map(EniFact::Prefix));
            facts.observe(listed, seen, sighting.life, shown);
            overlay(&mut eni, sighting);
        }
        if let Some(life) = ended.get(&eni.id) {
            facts.sharpen(*life);
        }
        eni.primary.sort_unstable();
        eni.primary.dedup();
        eni.public.sort_unstable();
        eni.public.dedup();
        let book = &mut self.inventory.book;
        let vpc = book.vpc(eni.vpc_id.as_ref().unwrap_or(&Arc::default()));
        let lifelong = |fact: &EniFact| matches!(fact, EniFact::Exists | EniFact::Primary(_));
        facts.claims(&self.scopes, lifelong, |fact, claims| match fact {
            EniFact::Exists => {
                let (Some(first), Some(last)) = (claims.first(), claims.last()) else { return };
                eni.valid = ValidPeriod { from: first.valid.from, to: last.valid.to };
                eni.possible = ValidPeriod { from: first.possible.from, to: last.possible.to };
                eni.known_from = Some(first.seen.from).filter(|from| *from != i64::MIN);
                eni.known_to = Some(last.seen.to).filter(|to| *to != i64::MAX);
            }
            EniFact::Primary(addr) | EniFact::Secondary(addr) => {
                eni.addresses.extend(claims.iter().map(|claim| (addr, claim.valid)));
                let primary = matches!(fact, EniFact::Primary(_)) || eni.primary.contains(&addr);
                book.hold_address(vpc, at, addr, &claims, primary);
            }
            EniFact::Prefix(prefix) => {
                eni.prefixes.extend(claims.iter().map(|claim| (prefix, claim.valid)));
                book.hold_prefix(vpc, at, prefix, &claims);
            }
        });
        eni.addresses.sort_unstable();
        eni.addresses.shrink_to_fit();
        eni.prefixes.shrink_to_fit();
        Some(eni)
    }

    /// AZ ids that the listing lacks come from the subnet, or from the account's AZ names.
    fn name_az(&mut self) {
        let inventory = &mut self.inventory;
        let subnets: HashMap<Arc<str>, Arc<str>> =
            inventory.subnets.iter().filter_map(|subnet| Some((subnet.item.id.clone(), subnet.item.az_id.clone()?))).collect();
        let zones: HashMap<_, _> =
            inventory.zones.iter().map(|zone| ((zone.account_id.as_ref(), &zone.item.name), &zone.item.id)).collect();
        for eni in inventory.enis.iter_mut().filter(|eni| eni.az_id.is_none()) {
            let of_subnet = eni.subnet_id.as_ref().and_then(|subnet| subnets.get(subnet)).cloned();
            eni.az_id = of_subnet.or_else(|| zones.get(&(eni.account_id.as_ref(), eni.az_name.as_ref()?)).map(|id| Arc::clone(id)));
        }
    }

    /// Decides what each interface belongs to.
    fn classify(&mut self) {
        let mut enis = std::mem::take(&mut self.inventory.enis);
        let inventory = &mut self.inventory;
        let mut by_name: HashMap<Arc<str>, Vec<u32>> = HashMap::new();
        (0..).zip(&inventory.clusters).for_each(|(index, cluster)| by_name.entry(cluster.name.clone()).or_default().push(index));
        let endpoints = endpoint_kinds(inventory);
        let nats: HashMap<Arc<str>, Arc<str>> = inventory
            .nat_gateways
            .iter()
            .flat_map(|nat| nat.item.addresses.iter().filter_map(|address| Some((address.interface_id.clone()?, nat.item.id.clone()))))
            .collect();
        let members = instance_clusters(inventory, &enis);
        for eni in &mut enis {
            let family = kinds::family(&eni.interface_type, &eni.description, eni.requester_id.as_deref());
            (eni.kind, eni.resource) = (family.kind, family.resource);
            eni.instance_id = eni.instance_id.take().or(family.instance_id);
            if let Some((kind, endpoint)) = endpoints.get(&eni.id) {
                (eni.kind, eni.resource) = (*kind, Some(endpoint.clone()));
            }
            if let Some(nat) = nats.get(&eni.id) {
                (eni.kind, eni.resource) = (InterfaceKind::NatGateway, Some(nat.clone()));
            }
            let named = control_plane::cluster_name(&eni.description).and_then(|name| by_name.get(name));
            match control_plane::judge(eni, &inventory.clusters, named.map_or(&[], Vec::as_slice)) {
                Judgement::Accepted(cluster, matched) => {
                    for warning in &matched.warnings {
                        inventory.warnings.push(format!("{}: counted as control-plane interface, but {warning}", eni.id));
                    }
                    (eni.kind, eni.cluster, eni.control_plane) = (InterfaceKind::EksControlPlane, Some(cluster), Some(Box::new(matched)));
                }
                Judgement::Suspected(cluster_name, reason) => {
                    inventory.suspects.push(Suspect { interface_id: eni.id.clone(), cluster_name, reason });
                }
                Judgement::NotOne => {
                    let name = cluster_of_tags(&eni.tags).or_else(|| members.get(eni.instance_id.as_ref()?).map(|name| &**name));
                    if let (InterfaceKind::Other, Some(_), Some(_)) = (eni.kind, name, &eni.instance_id) {
                        eni.kind = InterfaceKind::EksNode;
                    }
                    // EKS Fargate: the pod's own interface on an instance of another account.
                    if let (InterfaceKind::Other, Some(_), None, true) = (eni.kind, name, &eni.instance_id, eni.foreign_owner) {
                        eni.kind = InterfaceKind::EksPod;
                    }
                    if matches!(eni.kind, InterfaceKind::EksNode | InterfaceKind::EksPod) {
                        eni.cluster = name.and_then(|name| by_name.get(name)).and_then(|named| member_of(eni, &inventory.clusters, named));
                    }
                }
            }
        }
        inventory.enis = enis;
    }
}
