//! Who opened a connection: the ordered rules, over one record or over both directions of a connection.
//!
//! The rules are those of docs/meanings.md. They look at sums over *all* records of a connection, so the order in
//! which records arrive changes nothing. `flow-direction` says which way a packet went, never who opened.
//!
//! Flags: AWS reports SYN as 2 and SYN-ACK as 18 (VPC user guide, "Flow log records", tcp-flags), OR-ed over an interval.

/// TCP's protocol number (IANA).
pub const TCP: u8 = 6;
/// UDP's protocol number (IANA).
pub const UDP: u8 = 17;
/// The only port on which a control-plane interface listens: the API server's.
pub const API_SERVER_PORT: u16 = 443;
/// Port of the kubelet API.
pub const KUBELET_PORT: u16 = 10_250;
/// Distinct remote ports on one (address, port) from which on it is taken for a listener (rule 7).
pub const LISTENER_REMOTE_PORTS_MIN: u32 = 3;

const SYN: u8 = 2;
const RST: u8 = 4;
const SYN_ACK: u8 = 18;
/// First port of the range that Linux clients use (`ip_local_port_range`).
const EPHEMERAL_FROM: u16 = 32_768;

/// An end of a connection, as its interface sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The recording interface's end.
    Local,
    /// The other end.
    Peer,
}

impl Side {
    /// Returns the value of the column `initiator`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Local => "local",
            Side::Peer => "peer",
        }
    }
}

/// How sure a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Undecided.
    None,
    /// A heuristic of ports or times.
    Low,
    /// What a control-plane interface normally does.
    Medium,
    /// Only one reading is plausible.
    High,
    /// The handshake was seen.
    Certain,
}

impl Confidence {
    /// Returns the value of the column `confidence`.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::None => "none",
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
            Confidence::Certain => "certain",
        }
    }
}

/// Who opened, by which rule, how sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Who opened; `None` if undecided.
    pub initiator: Option<Side>,
    /// Rule of docs/meanings.md.
    pub rule: &'static str,
    /// How sure.
    pub confidence: Confidence,
}

const fn verdict(initiator: Side, rule: &'static str, confidence: Confidence) -> Verdict {
    Verdict { initiator: Some(initiator), rule, confidence }
}

const UNDECIDED: Verdict = Verdict { initiator: None, rule: "11", confidence: Confidence::None };

/// Sums over one direction of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Way {
    /// Records accepted.
    pub accepted: u64,
    /// Records rejected by security groups or network ACLs at the interface.
    pub rejected: u64,
    /// OR of tcp-flags; `None` if no record had any.
    pub flags: Option<u8>,
    /// Least `start`.
    pub start_min: Option<i64>,
}

impl Way {
    fn records(&self) -> u64 {
        self.accepted + self.rejected
    }

    fn opens(&self) -> bool {
        self.flags.is_some_and(|flags| flags & SYN_ACK == SYN)
    }

    fn answers(&self) -> bool {
        self.flags.is_some_and(|flags| flags & SYN_ACK == SYN_ACK)
    }

    fn has_syn(&self) -> bool {
        self.flags.is_some_and(|flags| flags & SYN != 0)
    }
}

/// What is known of a connection of a control-plane interface.
#[derive(Debug, Clone, Copy, Default)]
pub struct Biflow {
    /// IANA protocol number.
    pub protocol: u8,
    /// Port of the interface's end.
    pub local_port: u16,
    /// Port of the other end.
    pub peer_port: u16,
    /// From the interface.
    pub out: Way,
    /// To the interface.
    pub back: Way,
    /// Whether the peer's (address, port) is known to listen: configured, or found by rules 1 and 2.
    pub peer_listens: bool,
    /// Whether enough distinct remote ports were seen on the peer's (address, port).
    pub peer_serves: bool,
    /// Whether enough distinct remote ports were seen on the interface's (address, port).
    pub local_serves: bool,
    /// Whether the interface opened an accepted connection to the peer's (address, port) in the same hour.
    pub contacted: bool,
}

impl Biflow {
    /// Decides who opened the connection: the first rule that fires.
    pub fn orient(&self) -> Verdict {
        self.by_handshake().or_else(|| self.by_reject()).or_else(|| self.by_ports()).or_else(|| self.by_time()).unwrap_or(UNDECIDED)
    }

    /// Rules 1, 2, 2b.
    fn by_handshake(&self) -> Option<Verdict> {
        if self.protocol != TCP {
            return None;
        }
        let (out, back) = (&self.out, &self.back);
        if out.opens() && back.answers() {
            return Some(verdict(Side::Local, "1", Confidence::Certain));
        }
        if back.opens() && out.answers() {
            return Some(verdict(Side::Peer, "1", Confidence::Certain));
        }
        if out.opens() && !back.has_syn() {
            return Some(verdict(Side::Local, "2", Confidence::Certain));
        }
        if back.opens() && !out.has_syn() {
            return Some(verdict(Side::Peer, "2", Confidence::Certain));
        }
        let opened_by = match (out.answers() && !back.has_syn(), back.answers() && !out.has_syn()) {
            (true, _) => Side::Peer,
            (_, true) => Side::Local,
            _ => return None,
        };
        // An initiator's own SYN and a recorded ACK could also add up to 18: the port rules win where they disagree.
        match self.by_listener() {
            Some(ports) if ports.initiator != Some(opened_by) => Some(Verdict { confidence: Confidence::Medium, ..ports }),
            _ => Some(verdict(opened_by, "2b", Confidence::High)),
        }
    }

    /// Rules `reply` and `reject`: nothing went out, and what came in was stopped. From an end that the interface had
    /// opened a connection to it is a reply; else, and at the API server's own port, an attempt that never got in.
    fn by_reject(&self) -> Option<Verdict> {
        let by = match self.contacted && self.local_port != API_SERVER_PORT {
            true => verdict(Side::Local, "reply", Confidence::High),
            false => verdict(Side::Peer, "reject", Confidence::Medium),
        };
        self.is_stopped().then_some(by)
    }

    /// Whether nothing went out, and all that came in was rejected.
    pub fn is_stopped(&self) -> bool {
        self.out.records() == 0 && self.back.rejected > 0 && self.back.accepted == 0
    }

    /// Rules 4 and 5.
    fn by_listener(&self) -> Option<Verdict> {
        if self.protocol != TCP {
            return None;
        }
        if self.local_port == API_SERVER_PORT && self.peer_port >= 1_024 {
            return Some(verdict(Side::Peer, "4", Confidence::High));
        }
        let known = self.peer_listens || matches!(self.peer_port, API_SERVER_PORT | KUBELET_PORT);
        (self.local_port >= 1_024 && known).then(|| verdict(Side::Local, "5", Confidence::High))
    }

    /// Rules 4 to 9.
    fn by_ports(&self) -> Option<Verdict> {
        if let Some(verdict) = self.by_listener() {
            return Some(verdict);
        }
        if self.protocol == TCP && self.local_port != API_SERVER_PORT {
            return Some(verdict(Side::Local, "6", Confidence::Medium));
        }
        if !has_ports(self.protocol) {
            return None;
        }
        if self.peer_serves != self.local_serves {
            let side = if self.peer_serves { Side::Local } else { Side::Peer };
            return Some(verdict(side, "7", Confidence::Medium));
        }
        if self.protocol != TCP && self.peer_port < 1_024 && self.peer_port > 0 {
            return Some(verdict(Side::Local, "8", Confidence::Medium));
        }
        match (self.local_port >= EPHEMERAL_FROM, self.peer_port >= EPHEMERAL_FROM) {
            (true, false) => Some(verdict(Side::Local, "9", Confidence::Low)),
            (false, true) => Some(verdict(Side::Peer, "9", Confidence::Low)),
            _ => None,
        }
    }

    /// Rule 10; a direction without any record is the later one.
    fn by_time(&self) -> Option<Verdict> {
        let side = match (self.out.start_min, self.back.start_min) {
            (Some(out), Some(back)) if out < back => Side::Local,
            (Some(out), Some(back)) if back < out => Side::Peer,
            (Some(_), None) => Side::Local,
            (None, Some(_)) => Side::Peer,
            _ => return None,
        };
        Some(verdict(side, "10", Confidence::Low))
    }

    /// Returns what became of a connection that the interface opened.
    pub fn outcome(&self) -> &'static str {
        let (out, back) = (&self.out, &self.back);
        if out.records() > 0 && out.accepted == 0 {
            "rejected"
        } else if back.records() > 0 && back.accepted == 0 {
            "reply-blocked"
        } else if self.protocol == TCP && out.has_syn() && back.flags.is_some_and(|flags| flags & RST != 0) && !back.has_syn() {
            "refused"
        } else if back.records() == 0 {
            "unanswered"
        } else {
            "answered"
        }
    }

    /// Whether handshake evidence contradicts itself (both sides opened, or both answered).
    pub fn flags_conflict(&self) -> bool {
        self.protocol == TCP && ((self.out.opens() && self.back.opens()) || (self.out.answers() && self.back.answers()))
    }
}

/// Returns whether a protocol has ports (TCP, UDP, DCCP, SCTP, UDP-Lite).
pub fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | 33 | 132 | 136)
}

/// One record, as its interface sees it.
#[derive(Debug, Clone, Copy)]
pub struct OneRecord {
    /// Whether the packets left the interface.
    pub egress: bool,
    /// IANA protocol number.
    pub protocol: u8,
    /// Port of the interface's end.
    pub local_port: u16,
    /// Port of the other end.
    pub peer_port: u16,
    /// tcp-flags.
    pub flags: Option<u8>,
    /// Whether the interface is a control plane's, whose only listener is port 443.
    pub control_plane: bool,
    /// Whether the peer's (address, port) is configured to listen.
    pub peer_listens: bool,
}

impl OneRecord {
    /// Decides who opened the connection, from this record alone.
    pub fn orient(&self) -> Verdict {
        let way = Way { accepted: 1, flags: self.flags, ..Way::default() };
        let (out, back) = if self.egress { (way, Way::default()) } else { (Way::default(), way) };
        let biflow = Biflow {
            protocol: self.protocol,
            local_port: self.local_port,
            peer_port: self.peer_port,
            out,
            back,
            peer_listens: self.peer_listens && self.control_plane,
            ..Biflow::default()
        };
        if self.control_plane { biflow.by_handshake().or_else(|| biflow.by_record_ports()) } else { self.by_flags() }.unwrap_or(UNDECIDED)
    }

    /// Rules 2 and 2b on an interface whose listeners are not known.
    fn by_flags(&self) -> Option<Verdict> {
        let flags = self.flags.filter(|_| self.protocol == TCP)?;
        let (sender, receiver) = if self.egress { (Side::Local, Side::Peer) } else { (Side::Peer, Side::Local) };
        match flags & SYN_ACK {
            SYN => Some(verdict(sender, "2", Confidence::Certain)),
            SYN_ACK => Some(verdict(receiver, "2b", Confidence::High)),
            _ => None,
        }
    }
}

impl Biflow {
    fn by_record_ports(&self) -> Option<Verdict> {
        self.by_ports().filter(|verdict| matches!(verdict.rule, "4" | "5" | "6" | "8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(records: u64, flags: impl Into<Option<u8>>) -> Way {
        Way { accepted: records, rejected: 0, flags: flags.into(), start_min: (records > 0).then_some(100) }
    }

    fn tcp(local_port: u16, peer_port: u16, out: Way, back: Way) -> Biflow {
        Biflow { protocol: TCP, local_port, peer_port, out, back, ..Biflow::default() }
    }

    #[test]
    fn each_rule_fires_in_its_turn() {
        use Confidence::{Certain, High, Low, Medium};
        let check = |biflow: Biflow, side, rule, confidence| {
            assert_eq!(biflow.orient(), Verdict { initiator: side, rule, confidence }, "{biflow:?}");
        };
        let none = Way::default();
        check(tcp(40_000, 9_443, way(1, 3), way(1, 19)), Some(Side::Local), "1", Certain);
        check(tcp(443, 40_000, way(1, 19), way(1, 3)), Some(Side::Peer), "1", Certain);
        check(tcp(40_000, 9_443, way(1, 2), none), Some(Side::Local), "2", Certain);
        check(tcp(40_000, 9_443, none, way(1, 2)), Some(Side::Peer), "2", Certain);
        check(tcp(40_000, 9_443, way(1, 0), way(1, 18)), Some(Side::Local), "2b", High);
        check(tcp(443, 40_000, way(1, 0), way(1, 18)), Some(Side::Peer), "4", Medium);
        check(tcp(40_000, 443, way(1, 0), way(1, 18)), Some(Side::Local), "2b", High);
        check(tcp(443, 40_000, way(1, 18), way(1, 0)), Some(Side::Peer), "2b", High);
        check(tcp(443, 40_000, way(1, 0), way(1, 0)), Some(Side::Peer), "4", High);
        check(tcp(40_000, 10_250, way(1, 0), way(1, 0)), Some(Side::Local), "5", High);
        check(Biflow { peer_listens: true, ..tcp(40_000, 7_777, way(1, None), none) }, Some(Side::Local), "5", High);
        check(tcp(40_000, 7_777, way(1, None), way(1, None)), Some(Side::Local), "6", Medium);
        check(tcp(40_000, 7_777, way(1, 2), way(1, 2)), Some(Side::Local), "6", Medium);
        let udp = |local_port, peer_port| Biflow { protocol: UDP, ..tcp(local_port, peer_port, way(1, None), way(1, None)) };
        check(Biflow { local_serves: true, ..udp(5_000, 6_000) }, Some(Side::Peer), "7", Medium);
        check(udp(40_000, 53), Some(Side::Local), "8", Medium);
        check(udp(5_000, 40_000), Some(Side::Peer), "9", Low);
        let late = Way { start_min: Some(200), ..way(1, None) };
        check(Biflow { protocol: 1, ..tcp(0, 0, way(1, None), late) }, Some(Side::Local), "10", Low);
        check(Biflow { protocol: 1, ..tcp(0, 0, way(1, None), way(1, None)) }, None, "11", Confidence::None);
        let rejected = Way { accepted: 0, rejected: 1, ..way(1, None) };
        check(tcp(40_000, 443, none, rejected), Some(Side::Peer), "reject", Medium);
        check(Biflow { contacted: true, ..tcp(40_000, 443, none, rejected) }, Some(Side::Local), "reply", High);
    }

    #[test]
    fn swapping_the_sides_flips_a_handshake() {
        for (out, back) in [(2, 18), (3, 19), (2, 0), (0, 18), (18, 0), (19, 3)] {
            let there = tcp(40_000, 41_000, way(1, out), way(1, back)).by_handshake().and_then(|verdict| verdict.initiator);
            let back_again = tcp(41_000, 40_000, way(1, back), way(1, out)).by_handshake().and_then(|verdict| verdict.initiator);
            assert!(there.is_some() && there != back_again, "{out} {back}");
        }
    }

    #[test]
    fn names() {
        assert_eq!([Side::Local, Side::Peer].map(Side::name), ["local", "peer"]);
        use Confidence::{Certain, High, Low, Medium, None};
        assert_eq!([None, Low, Medium, High, Certain].map(Confidence::name), ["none", "low", "medium", "high", "certain"]);
    }

    #[test]
    fn rules_of_ports_begin_and_end_at_their_ports() {
        let rule = |biflow: Biflow| (biflow.orient().rule, biflow.orient().initiator);
        let (local, peer) = (Some(Side::Local), Some(Side::Peer));
        let seen = way(1, 0);
        let of = |local_port, peer_port| rule(tcp(local_port, peer_port, seen, seen));
        // From an unprivileged port to the API server's; the same towards a known listener.
        assert_eq!((of(443, 1_024), of(443, 1_023)), (("4", peer), ("11", None)));
        assert_eq!(
            (of(1_024, 443), of(1_023, 443), of(1_024, 10_250), of(1_023, 10_250)),
            (("5", local), ("6", local), ("5", local), ("6", local))
        );
        assert_eq!((of(1_024, 444), of(444, 443), of(443, 443)), (("6", local), ("6", local), ("11", None)));
        let listens = |local_port| rule(Biflow { peer_listens: true, ..tcp(local_port, 7, seen, seen) });
        assert_eq!((listens(1_024), listens(1_023)), (("5", local), ("6", local)));
        let with = |protocol, local_port, peer_port| Biflow { protocol, ..tcp(local_port, peer_port, seen, seen) };
        for protocol in [UDP, 33, 132, 136] {
            let of = |local_port, peer_port| rule(with(protocol, local_port, peer_port));
            assert_eq!((of(1_023, 1_023), of(5_000, 1_024), of(5_000, 0)), (("8", local), ("11", None), ("11", None)), "{protocol}");
            assert_eq!((of(32_768, 32_767), of(32_767, 32_768)), (("9", local), ("9", peer)), "{protocol}");
            assert_eq!((of(32_768, 32_768), of(32_767, 32_767)), (("11", None), ("11", None)), "{protocol}");
            let serves = |peer_serves, local_serves| rule(Biflow { peer_serves, local_serves, ..with(protocol, 5_000, 6_000) });
            assert_eq!(
                [serves(true, false), serves(false, true), serves(true, true), serves(false, false)],
                [("7", local), ("7", peer), ("11", None), ("11", None)]
            );
        }
        for protocol in [1, 17 + 1, 50, 58] {
            assert_eq!(rule(with(protocol, 40_000, 53)), ("11", None), "{protocol} has no ports");
        }
        // TCP of an interface whose only listener is 443, at that port: which end serves decides.
        assert_eq!(rule(Biflow { peer_serves: true, ..tcp(443, 500, seen, seen) }), ("7", local));
        assert_eq!(rule(tcp(443, 500, seen, seen)), ("11", None), "rule 8 is not for TCP");
    }

    #[test]
    fn the_earlier_direction_opened() {
        let of = |out: Option<i64>, back: Option<i64>| {
            let way = |start_min| Way { start_min, ..way(1, None) };
            let verdict = Biflow { protocol: 1, ..tcp(0, 0, way(out), way(back)) }.orient();
            (verdict.rule, verdict.initiator)
        };
        let (local, peer, none) = (("10", Some(Side::Local)), ("10", Some(Side::Peer)), ("11", None));
        assert_eq!([of(Some(1), Some(2)), of(Some(2), Some(1)), of(Some(2), Some(2))], [local, peer, none]);
        assert_eq!([of(Some(1), None), of(None, Some(1)), of(None, None)], [local, peer, none]);
    }

    #[test]
    fn what_was_stopped_at_the_interface_never_got_in() {
        let of = |accepted, rejected| Way { accepted, rejected, flags: Some(2), start_min: Some(1) };
        let stopped = |out, back| tcp(40_000, 443, out, back).is_stopped();
        let none = Way::default();
        assert!(stopped(none, of(0, 1)));
        let others = [(none, none), (none, of(1, 0)), (none, of(1, 1)), (of(1, 0), of(0, 1)), (of(0, 1), of(0, 1)), (of(1, 1), none)];
        others.into_iter().for_each(|(out, back)| assert!(!stopped(out, back), "{out:?} {back:?}"));
        let rule = |contacted, local_port| {
            let back = Way { flags: None, ..of(0, 1) };
            Biflow { contacted, ..tcp(local_port, 40_000, none, back) }.orient()
        };
        assert_eq!(
            [(true, 500), (true, 443), (false, 500), (false, 443)].map(|(contacted, port)| rule(contacted, port).rule),
            ["reply", "reject", "reject", "reject"]
        );
    }

    #[test]
    fn one_record_is_judged_by_what_it_shows() {
        let record = |control_plane, egress, local_port, peer_port, flags| OneRecord {
            egress,
            protocol: TCP,
            local_port,
            peer_port,
            flags,
            control_plane,
            peer_listens: false,
        };
        let rule = |record: OneRecord| (record.orient().rule, record.orient().initiator);
        let (local, peer, none) = (Some(Side::Local), Some(Side::Peer), ("11", None));
        // Anywhere, only the handshake tells; and only that of TCP.
        for (flags, egress, want) in
            [(2, true, ("2", local)), (2, false, ("2", peer)), (18, true, ("2b", peer)), (18, false, ("2b", local))]
        {
            for more in [0, 1, 8, 41] {
                assert_eq!(rule(record(false, egress, 443, 40_000, Some(flags | more))), want, "{flags} {more} {egress}");
            }
        }
        for flags in [None, Some(0), Some(16), Some(1), Some(4), Some(25)] {
            assert_eq!(rule(record(false, true, 40_000, 443, flags)), none, "{flags:?}");
            // On a control plane's interface the ports tell.
            assert_eq!(rule(record(true, true, 40_000, 443, flags)), ("5", local), "{flags:?}");
            assert_eq!(rule(record(true, false, 443, 40_000, flags)), ("4", peer), "{flags:?}");
            assert_eq!(rule(record(true, false, 40_000, 7_777, flags)), ("6", local), "{flags:?}");
        }
        assert_eq!(rule(record(true, true, 443, 500, None)), none, "rules 7, 9 and 10 need more than one record");
        assert_eq!(rule(OneRecord { protocol: UDP, ..record(false, true, 40_000, 53, Some(2)) }), none);
        assert_eq!(rule(OneRecord { protocol: UDP, ..record(true, true, 40_000, 53, Some(2)) }), ("8", local));
        assert_eq!(rule(OneRecord { protocol: UDP, ..record(true, true, 40_000, 5_353, None) }), none);
        let listens = |control_plane| rule(OneRecord { peer_listens: true, ..record(control_plane, true, 40_000, 7_777, None) });
        assert_eq!((listens(true), listens(false)), (("5", local), none));
        assert_eq!(rule(record(true, true, 40_000, 9_443, Some(2))), ("2", local));
        assert_eq!(rule(record(true, false, 40_000, 9_443, Some(18))), ("2b", local));
    }

    #[test]
    fn flags_conflict_where_both_sides_opened_or_both_answered() {
        let of = |out, back| tcp(40_000, 443, way(1, out), way(1, back)).flags_conflict();
        assert!(of(2, 2) && of(18, 18) && of(3, 10));
        assert!(!of(2, 18) && !of(18, 2) && !of(2, 0) && !of(0, 18) && !of(0, 2) && !of(18, 16) && !of(0, 0));
        assert!(!Biflow { protocol: UDP, ..tcp(1, 2, way(1, 2), way(1, 2)) }.flags_conflict());
    }

    #[test]
    fn outcomes_count_what_was_accepted() {
        let of = |accepted, rejected, flags| Way { accepted, rejected, flags, start_min: None };
        let outcome = |out, back| tcp(40_000, 443, out, back).outcome();
        assert_eq!(outcome(of(1, 1, None), of(1, 1, None)), "answered");
        assert_eq!(outcome(of(0, 0, None), of(0, 0, None)), "unanswered");
        assert_eq!(outcome(of(0, 0, None), of(1, 0, None)), "answered");
        assert_eq!(outcome(of(0, 2, None), of(1, 0, None)), "rejected");
        assert_eq!(outcome(of(2, 2, None), of(0, 1, None)), "reply-blocked");
        assert_eq!(outcome(of(1, 0, Some(2)), of(1, 0, Some(20))), "refused");
        assert_eq!(outcome(of(1, 0, Some(2)), of(1, 0, Some(16))), "answered");
        assert_eq!(outcome(of(1, 0, Some(2)), of(1, 0, Some(22))), "answered");
        assert_eq!(outcome(of(1, 0, None), of(1, 0, Some(4))), "answered");
        let udp = Biflow { protocol: UDP, ..tcp(1, 2, of(1, 0, Some(2)), of(1, 0, Some(4))) };
        assert_eq!(udp.outcome(), "answered");
    }

    #[test]
    fn outcomes() {
        let none = Way::default();
        let rejected = |flags| Way { accepted: 0, rejected: 2, ..way(2, flags) };
        assert_eq!(tcp(40_000, 443, way(1, 3), way(1, 19)).outcome(), "answered");
        assert_eq!(tcp(40_000, 443, way(1, 2), way(1, 4)).outcome(), "refused");
        assert_eq!(tcp(40_000, 443, way(1, 0), way(1, 4)).outcome(), "answered");
        assert_eq!(tcp(40_000, 443, way(1, 7), way(1, 23)).outcome(), "answered");
        assert_eq!(tcp(40_000, 443, way(3, 2), none).outcome(), "unanswered");
        assert_eq!(tcp(40_000, 443, rejected(2), none).outcome(), "rejected");
        assert_eq!(tcp(40_000, 443, way(1, 2), rejected(18)).outcome(), "reply-blocked");
    }
}
