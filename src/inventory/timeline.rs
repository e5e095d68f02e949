//! Sightings at instants → periods in which a fact held.
//!
//! A snapshot proves what was there at one instant. This file turns such instants into periods by the as-of rules of the
//! design: seen in neighbouring snapshots of one scope, it held between them; seen in one and absent from the next, it is
//! unknown between them, unless a create, attach or delete time says more; outside the snapshots the nearest one
//! holds, and is marked as extrapolated. It knows nothing of AWS and never asks what time it is now.

use crate::time::{UnixSeconds, ValidPeriod};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::hash::Hash;

/// When a fact held, and which part of that was seen rather than carried on from the nearest snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The whole period in which the fact is taken to hold.
    pub valid: ValidPeriod,
    /// The part of it that lies between sightings; the rest is extrapolated.
    pub seen: ValidPeriod,
    /// The period outside of which it is known not to have held: absent from a snapshot, not yet created, or deleted.
    pub possible: ValidPeriod,
    /// Whether any sighting has an as-of time; without one the fact is taken to hold always.
    pub dated: bool,
}

impl Claim {
    /// Returns whether the fact held at `t`.
    pub fn contains(&self, t: UnixSeconds) -> bool {
        self.valid.contains(t)
    }

    /// Returns whether the answer at `t` is carried on from the nearest snapshot.
    pub fn is_extrapolated_at(&self, t: UnixSeconds) -> bool {
        !self.seen.contains(t)
    }

    /// Returns the period in which both facts held, or `None` if there is none.
    pub(super) fn and(&self, other: &Claim) -> Option<Claim> {
        let both = |a: ValidPeriod, b: ValidPeriod| ValidPeriod { from: a.from.max(b.from), to: a.to.min(b.to) };
        let valid = both(self.valid, other.valid);
        let (seen, possible) = (both(self.seen, other.seen), both(self.possible, other.possible));
        (valid.from < valid.to).then_some(Claim { valid, seen, possible, dated: self.dated || other.dated })
    }
}

/// What is known of a thing's life beyond the snapshots: create, attach and delete times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) from: Option<UnixSeconds>,
    pub(super) to: Option<UnixSeconds>,
}

impl Life {
    pub(super) fn began(from: Option<UnixSeconds>) -> Self {
        Self { from, to: None }
    }

    /// Takes in other evidence of the same life: the earliest start, the latest end.
    pub(super) fn join(&mut self, other: Life) {
        self.from = self.from.into_iter().chain(other.from).min();
        self.to = self.to.into_iter().chain(other.to).max();
    }
}

/// How a sighting is dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// In a file without an as-of time.
    Undated,
    /// In a snapshot or an event at this instant.
    At(UnixSeconds),
    /// In a configuration item: the state from this instant until the next item of the same resource.
    From(UnixSeconds),
}

/// All sightings of one thing (an ENI, a subnet, a Service): which facts were seen of it, and when.
#[derive(Debug)]
pub(super) struct Group<V> {
    scopes: Vec<u32>,
    life: Life,
    seen: Vec<(V, Seen)>,
    /// Instants at which the thing was looked at, with or without facts.
    looked: Vec<Seen>,
}

/// Facts `V` about things `G`, and the instants at which each scope was listed.
#[derive(Debug)]
pub(super) struct Timeline<G, V> {
    groups: HashMap<G, Group<V>>,
}

/// The instants at which each scope (account, region and resource type; cluster and kind) was listed.
#[derive(Debug)]
pub(super) struct Scopes<S> {
    ids: HashMap<S, u32>,
    listed: Vec<BTreeSet<UnixSeconds>>,
}

impl<S: Hash + Eq> Default for Scopes<S> {
    fn default() -> Self {
        Self { ids: HashMap::new(), listed: Vec::new() }
    }
}

impl<S: Hash + Eq> Scopes<S> {
    /// Notes that the scope was listed, and returns its id.
    pub(super) fn listed(&mut self, scope: S, seen: Seen) -> u32 {
        let next = self.listed.len() as u32;
        let id = *self.ids.entry(scope).or_insert(next);
        if id == next {
            self.listed.push(BTreeSet::new());
        }
        if let (Seen::At(t), Some(listed)) = (seen, self.listed.get_mut(id as usize)) {
            listed.insert(t);
        }
        id
    }

    pub(super) fn instants(&self, id: u32) -> Option<&BTreeSet<UnixSeconds>> {
        self.listed.get(id as usize)
    }

    pub(super) fn find(&self, scope: &S) -> Option<&BTreeSet<UnixSeconds>> {
        self.instants(*self.ids.get(scope)?)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &S> {
        self.ids.keys()
    }
}

impl<G: Hash + Eq, V> Default for Timeline<G, V> {
    fn default() -> Self {
        Self { groups: HashMap::new() }
    }
}

impl<G: Hash + Eq + Ord + Clone, V: Ord> Timeline<G, V> {
    /// Notes that `thing` was looked at and shows `facts`; `scope` is the listing it stood in, if it stood in one.
    pub(super) fn observe(&mut self, thing: G, scope: Option<u32>, seen: Seen, life: Life, facts: impl IntoIterator<Item = V>) {
        self.groups.entry(thing).or_default().observe(scope, seen, life, facts);
    }

    /// Adds evidence of the life of a thing that was seen elsewhere.
    pub(super) fn sharpen(&mut self, thing: &G, life: Life) {
        if let Some(group) = self.groups.get_mut(thing) {
            group.sharpen(life);
        }
    }

    /// Returns each fact with the periods in which it held, sorted by thing, fact and time; `lifelong` as for [`Group::claims`].
    pub(super) fn claims<S: Hash + Eq>(self, scopes: &Scopes<S>, lifelong: impl Fn(&V) -> bool) -> Vec<(G, V, Vec<Claim>)> {
        let mut groups: Vec<(G, Group<V>)> = self.groups.into_iter().collect();
        groups.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut out = Vec::with_capacity(groups.len());
        for (thing, group) in groups {
            group.claims(scopes, &lifelong, |fact, claims| out.push((thing.clone(), fact, claims)));
        }
        out
    }
}

/// When a thing was looked for: every instant that proves it there or absent.
struct Looks {
    instants: Vec<UnixSeconds>,
    /// For each configuration item's instant the last instant at which its state still held.
    holds_until: Vec<(UnixSeconds, UnixSeconds)>,
    life: Life,
}

impl Looks {
    /// Returns the instants at which the fact is known to have held, sorted.
    fn presence(&self, seen: &[Seen]) -> Vec<UnixSeconds> {
        let mut instants = Vec::with_capacity(seen.len() * 2);
        for seen in seen {
            match *seen {
                Seen::Undated => {}
                Seen::At(t) => instants.push(t),
                Seen::From(t) => {
                    instants.push(t);
                    if let Ok(at) = self.holds_until.binary_search_by_key(&t, |(from, _)| *from) {
                        instants.extend(self.holds_until.get(at).map(|(_, until)| *until));
                    }
                }
            }
        }
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

impl<V> Default for Group<V> {
    fn default() -> Self {
        Self { scopes: Vec::new(), life: Life::default(), seen: Vec::new(), looked: Vec::new() }
    }
}

impl<V: Ord> Group<V> {
    /// Notes that the thing was looked at and shows `facts`; `scope` is the listing it stood in, if it stood in one.
    pub(super) fn observe(&mut self, scope: Option<u32>, seen: Seen, life: Life, facts: impl IntoIterator<Item = V>) {
        if let Some(scope) = scope
            && !self.scopes.contains(&scope)
        {
            self.scopes.push(scope);
        }
        self.life.join(life);
        self.looked.push(seen);
        self.seen.extend(facts.into_iter().map(|fact| (fact, seen)));
    }

    /// Adds evidence of the thing's life that was seen elsewhere.
    pub(super) fn sharpen(&mut self, life: Life) {
        self.life.join(life);
    }

    /// Hands on each fact with the periods in which it held, facts and periods in order.
    ///
    /// `lifelong` says which facts cannot change while the thing lives (an ENI's primary address): for these a
    /// create or attach time beats an incomplete snapshot that lacks the thing.
    pub(super) fn claims<S: Hash + Eq>(self, scopes: &Scopes<S>, lifelong: impl Fn(&V) -> bool, mut take: impl FnMut(V, Vec<Claim>)) {
        let looks = self.looks(scopes);
        for (fact, seen) in self.by_fact() {
            let presence = looks.presence(&seen);
            let claims =
                if presence.is_empty() { vec![undated(looks.life)] } else { runs(&presence, &looks.instants, looks.life, lifelong(&fact)) };
            take(fact, claims);
        }
    }

    fn looks<S: Hash + Eq>(&self, scopes: &Scopes<S>) -> Looks {
        let mut items: Vec<UnixSeconds> =
            self.looked.iter().filter_map(|seen| if let Seen::From(t) = seen { Some(*t) } else { None }).collect();
        items.sort_unstable();
        items.dedup();
        let ends = items.iter().skip(1).copied().map(Some).chain([self.life.to]);
        let holds_until: Vec<_> = items.iter().zip(ends).filter_map(|(from, next)| Some((*from, (next? - 1).max(*from)))).collect();
        let mut instants: Vec<UnixSeconds> =
            self.looked.iter().filter_map(|seen| if let Seen::At(t) = seen { Some(*t) } else { None }).collect();
        instants.extend(self.scopes.iter().filter_map(|scope| scopes.instants(*scope)).flatten());
        instants.extend(items);
        instants.extend(holds_until.iter().map(|(_, until)| *until));
        instants.sort_unstable();
        instants.dedup();
        Looks { instants, holds_until, life: self.life }
    }

    /// Returns the sightings by fact, facts in order.
    fn by_fact(mut self) -> Vec<(V, Vec<Seen>)> {
        self.seen.sort_unstable();
        let mut out: Vec<(V, Vec<Seen>)> = Vec::new();
        for (fact, seen) in self.seen {
            match out.last_mut() {
                Some((last, times)) if *last == fact => times.push(seen),
                _ => out.push((fact, vec![seen])),
            }
        }
        out
    }
}

/// A fact from files without an as-of time holds always, within the life that is known.
fn undated(life: Life) -> Claim {
    let from = life.from.unwrap_or(i64::MIN);
    let to = life.to.filter(|to| *to > from).unwrap_or(i64::MAX);
    let valid = ValidPeriod { from, to };
    Claim { valid, seen: valid, possible: valid, dated: false }
}

/// Returns the periods that unbroken runs of sightings prove.
///
/// `presence` is a sorted subset of `instants`; an instant without presence proves absence.
fn runs(presence: &[UnixSeconds], instants: &[UnixSeconds], life: Life, lifelong: bool) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut present = presence.iter().copied().peekable();
    let mut before: Option<UnixSeconds> = None;
    let mut run: Option<(UnixSeconds, UnixSeconds, Option<UnixSeconds>)> = None;
    for &at in instants {
        if present.next_if_eq(&at).is_some() {
            run = Some(run.map_or((at, at, before), |(first, _, before)| (first, at, before)));
        } else {
            if let Some((first, last, before)) = run.take() {
                let only = (claims.is_empty(), present.peek().is_none());
                claims.push(claim(first, last, before, Some(at), life, (lifelong && only.0, lifelong && only.1)));
            }
            before = Some(at);
        }
    }
    if let Some((first, last, before)) = run {
        claims.push(claim(first, last, before, None, life, (lifelong && claims.is_empty(), lifelong)));
    }
    claims
}

/// One run of sightings from `first` to `last`, with the nearest absences and the known life.
fn claim(
    first: UnixSeconds,
    last: UnixSeconds,
    before: Option<UnixSeconds>,
    after: Option<UnixSeconds>,
    life: Life,
    (starts_life, ends_life): (bool, bool),
) -> Claim {
    let born = life.from.filter(|born| *born <= first).filter(|born| starts_life || before.is_none_or(|before| *born > before));
    let died = life.to.filter(|died| *died > last).filter(|died| ends_life || after.is_none_or(|after| *died <= after));
    let from = born.unwrap_or(if before.is_some() { first } else { i64::MIN });
    let to = died.unwrap_or(if after.is_some() { last.saturating_add(1) } else { i64::MAX });
    let seen = ValidPeriod { from: born.unwrap_or(first), to: died.unwrap_or(last.saturating_add(1)) };
    let possible = ValidPeriod {
        from: born.or(before.map(|before| before.saturating_add(1))).unwrap_or(i64::MIN),
        to: died.or(after).unwrap_or(i64::MAX),
    };
    Claim { valid: ValidPeriod { from, to }, seen, possible, dated: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(presence: &[i64], instants: &[i64], life: (Option<i64>, Option<i64>), lifelong: bool) -> Vec<(i64, i64)> {
        runs(presence, instants, Life { from: life.0, to: life.1 }, lifelong).iter().map(|c| (c.valid.from, c.valid.to)).collect()
    }

    #[test]
    fn sightings_become_periods() {
        let none = (None, None);
        assert_eq!(periods(&[10, 20], &[10, 20], none, false), [(i64::MIN, i64::MAX)]);
        assert_eq!(periods(&[10, 20], &[5, 10, 20, 30], none, false), [(10, 21)]);
        assert_eq!(periods(&[10, 30], &[10, 20, 30], none, false), [(i64::MIN, 11), (30, i64::MAX)]);
        assert_eq!(periods(&[20], &[10, 20, 30], (Some(15), Some(25)), false), [(15, 25)]);
        assert_eq!(
            periods(&[20], &[10, 20, 30], (Some(5), Some(35)), false),
            [(20, 21)],
            "an address may come and go during the ENI's life"
        );
        assert_eq!(periods(&[20], &[10, 20, 30], (Some(5), Some(35)), true), [(5, 35)], "a primary address may not");
        assert_eq!(periods(&[20], &[20], (Some(15), None), false), [(15, i64::MAX)]);
    }

    #[test]
    fn between_a_sighting_and_an_absence_a_fact_is_possible() {
        let possible = |life: (Option<i64>, Option<i64>)| {
            let claims = runs(&[20, 40], &[10, 20, 30, 40, 50], Life { from: life.0, to: life.1 }, true);
            claims.iter().map(|claim| (claim.possible.from, claim.possible.to)).collect::<Vec<_>>()
        };
        assert_eq!(possible((None, None)), [(11, 30), (31, 50)]);
        assert_eq!(possible((Some(15), Some(45))), [(15, 30), (31, 45)], "where create and delete times say more, they count");
        let open = runs(&[20], &[20], Life::default(), true);
        assert_eq!((open[0].possible.from, open[0].possible.to), (i64::MIN, i64::MAX));
    }

    #[test]
    fn a_known_life_counts_up_to_the_absences_around_it() {
        let within = |from: i64, to: i64| periods(&[20], &[10, 20, 30], (Some(from), Some(to)), false);
        assert_eq!(within(11, 29), [(11, 29)]);
        assert_eq!(within(10, 30), [(20, 30)], "absent at 10, so it began later; ended at 30, so absent then");
        assert_eq!(within(20, 21), [(20, 21)]);
        assert_eq!(within(21, 20), [(20, 21)], "seen before it began and after it ended: the sighting stands");
        assert_eq!(within(12, 31), [(12, 21)], "absent at 30, so its life does not say when it left");
        // Of a fact that cannot change, the life bounds the first and the last run, not those between.
        let runs = |life, lifelong| periods(&[20, 40, 60], &[10, 20, 30, 40, 50, 60, 70], life, lifelong);
        assert_eq!(runs((Some(5), Some(75)), true), [(5, 21), (40, 41), (60, 75)]);
        assert_eq!(runs((Some(5), Some(75)), false), [(20, 21), (40, 41), (60, 61)]);
        let open = |life, lifelong| periods(&[20, 40], &[10, 20, 30, 40], life, lifelong);
        assert_eq!(open((Some(5), Some(75)), true), [(5, 21), (40, 75)]);
        assert_eq!(open((Some(5), None), true), [(5, 21), (40, i64::MAX)]);
        assert_eq!(periods(&[20], &[10, 20], (Some(5), None), true), [(5, i64::MAX)]);
        assert_eq!(periods(&[20], &[10, 20], (Some(5), None), false), [(20, i64::MAX)]);
    }

    #[test]
    fn what_was_seen_is_told_from_what_is_carried_on() {
        let claims = runs(&[20, 30], &[20, 30], Life { from: Some(15), to: None }, false);
        let extrapolated = |t: i64| (claims[0].contains(t), claims[0].is_extrapolated_at(t));
        assert_eq!([14, 15, 30, 31].map(extrapolated), [(false, true), (true, false), (true, false), (true, true)]);
        let of = |from, to, dated| Claim {
            valid: ValidPeriod { from, to },
            seen: ValidPeriod { from: from + 1, to: to - 1 },
            possible: ValidPeriod { from, to },
            dated,
        };
        let both = |a: (i64, i64, bool), b: (i64, i64, bool)| {
            let [ab, ba] = [of(a.0, a.1, a.2).and(&of(b.0, b.1, b.2)), of(b.0, b.1, b.2).and(&of(a.0, a.1, a.2))];
            assert_eq!(ab, ba);
            ab.map(|claim| (claim.valid.from, claim.valid.to, claim.seen.from, claim.seen.to, claim.dated))
        };
        assert_eq!(both((0, 20, true), (10, 30, false)), Some((10, 20, 11, 19, true)));
        assert_eq!(both((0, 20, false), (5, 15, false)), Some((5, 15, 6, 14, false)));
        assert_eq!(both((0, 20, true), (5, 15, true)), Some((5, 15, 6, 14, true)));
        assert_eq!(both((0, 10, true), (10, 20, true)), None, "one ends where the other begins");
        assert_eq!(both((0, 10, true), (12, 20, true)), None);
    }

    #[test]
    fn lives_are_joined_and_bound_what_has_no_time() {
        let mut life = Life::began(Some(10));
        assert_eq!(life, Life { from: Some(10), to: None });
        life.join(Life { from: Some(20), to: Some(30) });
        life.join(Life { from: Some(5), to: Some(25) });
        life.join(Life::default());
        assert_eq!(life, Life { from: Some(5), to: Some(30) });
        let period = |from, to| {
            let claim = undated(Life { from, to });
            assert!(!claim.dated && claim.valid == claim.seen);
            (claim.valid.from, claim.valid.to)
        };
        assert_eq!(period(None, None), (i64::MIN, i64::MAX));
        assert_eq!(period(Some(5), Some(6)), (5, 6));
        assert_eq!((period(Some(5), Some(5)), period(Some(5), Some(4))), ((5, i64::MAX), (5, i64::MAX)), "an end before the start is none");
    }

    #[test]
    fn scopes_know_when_they_were_listed() {
        let mut scopes: Scopes<&str> = Scopes::default();
        let ids = [("a", Seen::At(10)), ("b", Seen::Undated), ("a", Seen::At(5)), ("c", Seen::From(7))]
            .map(|(scope, seen)| scopes.listed(scope, seen));
        assert_eq!(ids, [0, 1, 0, 2]);
        let instants = |scope: &str| scopes.find(&scope).map(|found| found.iter().copied().collect::<Vec<_>>());
        assert_eq!((instants("a"), instants("b"), instants("c"), instants("d")), (Some(vec![5, 10]), Some(vec![]), Some(vec![]), None));
        assert_eq!(scopes.instants(0).map(BTreeSet::len), Some(2));
        let mut keys: Vec<_> = scopes.keys().copied().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["a", "b", "c"]);
    }

    #[test]
    fn a_thing_is_absent_where_one_of_its_listings_lacks_it() {
        let mut scopes: Scopes<u8> = Scopes::default();
        let mut timeline: Timeline<u8, char> = Timeline::default();
        for (scope, at, facts) in [(1, 10, "ab"), (1, 20, "b"), (2, 30, "a"), (1, 40, "a")] {
            let listed = scopes.listed(scope, Seen::At(at));
            timeline.observe(7, Some(listed), Seen::At(at), Life::default(), facts.chars());
        }
        scopes.listed(2, Seen::At(35));
        timeline.observe(8, None, Seen::Undated, Life::began(Some(3)), ['c']);
        let claims: Vec<(u8, char, Vec<_>)> = timeline
            .claims(&scopes, |_| false)
            .into_iter()
            .map(|(thing, fact, claims)| (thing, fact, claims.iter().map(|claim| (claim.valid.from, claim.valid.to)).collect()))
            .collect();
        let (min, max) = (i64::MIN, i64::MAX);
        assert_eq!(claims, [(7, 'a', vec![(min, 11), (30, 31), (40, max)]), (7, 'b', vec![(min, 21)]), (8, 'c', vec![(3, max)])]);
    }

    #[test]
    fn a_configuration_item_holds_until_the_next_one() {
        let scopes: Scopes<u8> = Scopes::default();
        let mut timeline: Timeline<u8, char> = Timeline::default();
        timeline.observe(1, None, Seen::From(10), Life::default(), ['a']);
        timeline.observe(1, None, Seen::From(20), Life::default(), ['b']);
        timeline.sharpen(&1, Life { from: None, to: Some(30) });
        let claims: Vec<_> =
            timeline.claims(&scopes, |_| false).into_iter().map(|(_, fact, c)| (fact, c[0].valid.from, c[0].valid.to)).collect();
        assert_eq!(claims, [('a', i64::MIN, 20), ('b', 20, 30)]);
    }
}
