//! Biflows of control-plane interfaces: both directions of each connection joined, whatever the order of records.
//!
//! A record adds to a *partial*: one (interface, flow log, hour, protocol, both ends). Partials are sums, minima, maxima and
//! unions, so batches can be taken on any thread in any order and merged. Only at the end are overlapping flow logs
//! resolved, partials joined into connections, listeners learned and connections oriented ([`super::summary`]).
//! The terms egress and ingress are AWS's: seen from the recording interface.

use super::spill::{Decode, Encode, Reader};
use crate::time::{HOUR, UnixSeconds, earlier};
use smallvec::SmallVec;
use std::net::IpAddr;

/// Records of one pair of ends that lie further apart belong to different connections: the longest aggregation interval
/// of a flow log (VPC user guide, "Flow logs basics"), in seconds. A live connection would have logged something.
pub const CONNECTION_GAP_MAX: i64 = 600;

/// Index of an interface in the inventory.
pub type EniIndex = u32;

/// A line of an object: (index of the object among the sorted inputs, line).
pub type LineRef = (u32, u64);

/// What distinguishes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ends {
    /// The recording interface.
    pub eni: EniIndex,
    /// IANA protocol number.
    pub protocol: u8,
    /// The interface's end.
    pub local: IpAddr,
    /// Its port, 0 where there is none.
    pub local_port: u16,
    /// The other end.
    pub peer: IpAddr,
    /// Its port.
    pub peer_port: u16,
}

/// What distinguishes partials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartialKey {
    /// The ends.
    pub ends: Ends,
    /// Index of the flow log among those seen.
    pub flow_log: u32,
    /// First second of the hour of `start`.
    pub hour: UnixSeconds,
}

/// Records, packets and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Volume {
    fn add(&mut self, other: Volume) {
        self.records += other.records;
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Sums over one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Way {
    /// Records with action ACCEPT (or none in the format).
    pub accepted: Volume,
    /// Records with action REJECT.
    pub rejected: Volume,
    /// OR of tcp-flags, if any record had some.
    pub flags: Option<u8>,
    /// Least `start`.
    pub start_min: Option<UnixSeconds>,
    /// Greatest `end`.
    pub end_max: Option<UnixSeconds>,
    /// Record that starts first; ties: the lower line.
    pub first: Option<(UnixSeconds, LineRef)>,
    /// Record that starts last; ties: the higher line.
    pub last: Option<(UnixSeconds, LineRef)>,
}

impl Way {
    /// Adds the sums of another part.
    pub fn merge(&mut self, other: &Way) {
        self.accepted.add(other.accepted);
        self.rejected.add(other.rejected);
        self.flags = match (self.flags, other.flags) {
            (Some(a), Some(b)) => Some(a | b),
            (a, b) => a.or(b),
        };
        self.start_min = earlier(self.start_min, other.start_min);
        self.end_max = self.end_max.max(other.end_max);
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
    }

    /// Returns the records of both actions.
    pub fn records(&self) -> u64 {
        self.accepted.records + self.rejected.records
    }
}

/// A connection, or the part of one that lies in an hour of a flow log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Least `start` of any record.
    pub from: UnixSeconds,
    /// Greatest `end` of any record.
    pub to: UnixSeconds,
    /// From the interface.
    pub egress: Way,
    /// To the interface.
    pub ingress: Way,
    /// Traffic-path codes seen, as a bit set.
    pub paths: u32,
    /// Next-hop interfaces and AWS services seen, as indices into [`super::summary::Names`]; sorted.
    pub next_hops: Numbers,
    /// AWS services of the peer.
    pub services: Numbers,
}

/// Numbers of names: as a rule one or none, so without memory of their own.
pub type Numbers = SmallVec<[u32; 2]>;

impl Session {
    /// Adds another part of the same connection.
    pub fn merge(&mut self, other: &Session) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.egress.merge(&other.egress);
        self.ingress.merge(&other.ingress);
        self.paths |= other.paths;
        union(&mut self.next_hops, &other.next_hops);
        union(&mut self.services, &other.services);
    }
}

fn union(into: &mut Numbers, from: &[u32]) {
    for value in from {
        if let Err(at) = into.binary_search(value) {
            into.insert(at, *value);
        }
    }
}

/// Adds a session to the sessions of the same ends: those within the gap become one. The result is the set of
/// connected components, which does not depend on the order of additions. `sessions` is sorted, with gaps between them.
pub fn add_session(sessions: &mut Vec<Session>, mut new: Session) {
    let first = sessions.partition_point(|old| old.to.saturating_add(CONNECTION_GAP_MAX) < new.from);
    let near = sessions.iter().skip(first).take_while(|old| old.from <= new.to.saturating_add(CONNECTION_GAP_MAX)).count();
    // What is near one other is near no third with it: that one's distance to both is greater than the gap.
    if let (1, Some(old)) = (near, sessions.get_mut(first)) {
        old.merge(&new);
        return;
    }
    for old in sessions.drain(first..first + near) {
        new.merge(&old);
    }
    if sessions.is_empty() {
        // Most ends have one session, and a vector would make room for four.
        sessions.reserve_exact(1);
    }
    sessions.insert(first, new);
}

/// Returns the hours that a session touches.
pub fn hours(session: &Session) -> std::ops::RangeInclusive<i64> {
    session.from.div_euclid(HOUR)..=session.to.max(session.from).div_euclid(HOUR)
}

impl Encode for Ends {
    fn encode(&self, out: &mut Vec<u8>) {
        self.eni.encode(out);
        u32::from(self.protocol).encode(out);
        self.local.encode(out);
        u32::from(self.local_port).encode(out);
        self.peer.encode(out);
        u32::from(self.peer_port).encode(out);
    }
}

impl Decode for Ends {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Ends {
            eni: u32::decode(from)?,
            protocol: u8::try_from(u32::decode(from)?).ok()?,
            local: IpAddr::decode(from)?,
            local_port: u16::try_from(u32::decode(from)?).ok()?,
            peer: IpAddr::decode(from)?,
            peer_port: u16::try_from(u32::decode(from)?).ok()?,
        })
    }
}

impl Encode for PartialKey {
    fn encode(&self, out: &mut Vec<u8>) {
        self.ends.encode(out);
        self.flow_log.encode(out);
        self.hour.encode(out);
    }
}

impl Decode for PartialKey {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(PartialKey { ends: Ends::decode(from)?, flow_log: u32::decode(from)?, hour: i64::decode(from)? })
    }
}

impl Encode for Volume {
    fn encode(&self, out: &mut Vec<u8>) {
        [self.records, self.packets, self.bytes].iter().for_each(|value| value.encode(out));
    }
}

impl Decode for Volume {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Volume { records: u64::decode(from)?, packets: u64::decode(from)?, bytes: u64::decode(from)? })
    }
}

impl Encode for Way {
    fn encode(&self, out: &mut Vec<u8>) {
        self.accepted.encode(out);
        self.rejected.encode(out);
        self.flags.map(u32::from).encode(out);
        self.start_min.encode(out);
        self.end_max.encode(out);
        self.first.encode(out);
        self.last.encode(out);
    }
}

impl Decode for Way {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Way {
            accepted: Volume::decode(from)?,
            rejected: Volume::decode(from)?,
            flags: Option::<u32>::decode(from)?.map(u8::try_from).transpose().ok()?,
            start_min: Option::decode(from)?,
            end_max: Option::decode(from)?,
            first: Option::decode(from)?,
            last: Option::decode(from)?,
        })
    }
}

impl Encode for Session {
    fn encode(&self, out: &mut Vec<u8>) {
        self.from.encode(out);
        self.to.encode(out);
        self.egress.encode(out);
        self.ingress.encode(out);
        self.paths.encode(out);
        self.next_hops.as_slice().encode(out);
        self.services.as_slice().encode(out);
    }
}

impl Decode for Session {
    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        Some(Session {
            from: i64::decode(from)?,
            to: i64::decode(from)?,
            egress: Way::decode(from)?,
            ingress: Way::decode(from)?,
            paths: u32::decode(from)?,
            next_hops: Vec::decode(from)?.into(),
            services: Vec::decode(from)?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(from: i64, to: i64) -> Session {
        let volume = Volume { records: 1, packets: 1, bytes: 10 };
        let egress =
            Way { accepted: volume, start_min: Some(from), end_max: Some(to), first: Some((from, (0, from as u64))), ..Way::default() };
        Session { from, to, egress, ..Session::default() }
    }

    #[test]
    fn sessions_do_not_depend_on_order() {
        let parts = [session(0, 60), session(1_200, 1_260), session(600, 660), session(5_000, 5_060), session(5_660, 5_700)];
        let all = |order: &[usize]| {
            let mut sessions = Vec::new();
            order.iter().for_each(|at| add_session(&mut sessions, parts[*at].clone()));
            sessions
        };
        let want = all(&[0, 1, 2, 3, 4]);
        assert_eq!(want.iter().map(|session| (session.from, session.to)).collect::<Vec<_>>(), [(0, 1_260), (5_000, 5_700)]);
        for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 0, 3, 4, 2]] {
            assert_eq!(all(&order), want);
        }
    }

    #[test]
    fn spilled_partials_come_back() {
        let mut part = session(10, 70);
        part.ingress = Way { flags: Some(19), last: Some((5, (1, 2))), ..Way::default() };
        part.next_hops = Numbers::from_slice(&[1, 7]);
        let ends =
            Ends { eni: 3, protocol: 6, local: [10, 0, 0, 1].into(), local_port: 1, peer: "2a02::1".parse().unwrap(), peer_port: 443 };
        let key = PartialKey { ends, flow_log: 2, hour: -3_600 };
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        part.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(PartialKey::decode(&mut reader), Some(key));
        assert_eq!(Session::decode(&mut reader), Some(part));
        assert!(reader.is_empty());
    }
}
