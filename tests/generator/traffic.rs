//! The traffic of one site, planned window by window and handed to the log objects as it is planned.
//!
//! A plan is made of connections. A short one lives inside one aggregation window; a long one is kept and adds
//! records in every window until it ends. Each direction of a connection is one record per window on every interface that
//! the packets cross. The ledger is summed here, from the connections, never from the records written.

use super::Config;
use super::connection::{Connection, Leg};
use super::estate::{Destination, Eni, Fate, Kind, Route, Site};
use super::objects::Objects;
use super::ports::Ports;
use super::record::{Record, Status};
use super::rng::Rng;
use super::truth::{EgressTruth, Ledger, Movement};
use std::collections::{BTreeMap, BTreeSet};

const TCP: u8 = 6;
const UDP: u8 = 17;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const SYN_ACK: u8 = 18;

/// Failures in a row to find a pair with a free port, after which the window stays below its share.
const MISSES_MAX: u32 = 64;

/// Packets and bytes per packet of a connection's two directions, each drawn evenly from a range.
#[derive(Clone, Copy)]
struct Volume {
    up: (u64, u64, u64),
    down: (u64, u64, u64),
}

const SMALL: Volume = Volume { up: (4, 12, 180), down: (4, 12, 240) };
const REQUEST: Volume = Volume { up: (6, 30, 310), down: (6, 40, 820) };
const DOWNLOAD: Volume = Volume { up: (20, 400, 60), down: (30, 900, 1_420) };
const UPLOAD: Volume = Volume { up: (30, 700, 1_400), down: (20, 300, 56) };
const QUERY: Volume = Volume { up: (1, 2, 72), down: (1, 2, 140) };

/// A connection longer than a window.
struct Live {
    connection: Connection,
    volume: Volume,
    /// First and last second; both may lie outside the period.
    from: i64,
    until: i64,
}

/// Plans and writes the traffic of one site.
pub(crate) struct Traffic<'a> {
    site: &'a Site,
    config: &'a Config,
    rng: Rng,
    out: Objects<'a>,
    pub(crate) ledger: Ledger,
    ports: Vec<Ports>,
    nat_ports: Vec<u16>,
    live: Vec<Live>,
    /// Whether the interface had a record in this window.
    busy: Vec<bool>,
    start: i64,
    written: u64,
}

impl<'a> Traffic<'a> {
    /// Prepares the traffic of a site.
    pub(crate) fn new(config: &'a Config, site: &'a Site, out: Objects<'a>) -> Traffic<'a> {
        let mut rng = Rng::new(config.seed, site.index as u64 * 16 + 2);
        let ports = site.addresses.iter().map(|_| Ports::new(rng.next())).collect();
        Traffic {
            site,
            config,
            rng,
            out,
            ledger: Ledger {
                egress: egress_rows(site),
                moved: BTreeMap::new(),
                moved_by_day: BTreeMap::new(),
                nat: BTreeMap::new(),
                nat_by_day: BTreeMap::new(),
                interfaces: vec![Default::default(); site.enis.len()],
            },
            ports,
            nat_ports: vec![1_024; site.nats.len()],
            live: Vec::new(),
            busy: vec![false; site.enis.len()],
            start: config.start,
            written: 0,
        }
    }

    /// Writes the whole period and returns the ledger and the closed objects.
    pub(crate) fn run(mut self) -> (Ledger, Vec<super::truth::ObjectTruth>) {
        let windows = self.config.windows(self.site.window);
        let share = self.config.records_of_site(self.site.index);
        self.open_standing_connections();
        for window in 0..windows {
            self.start = self.config.start + window as i64 * self.site.window;
            self.out.begin_window(window);
            self.busy.fill(false);
            self.continue_live();
            self.open_one_of_each(window, windows);
            let target = share * (window + 1) / windows;
            let mut misses = 0;
            while self.written < target && misses < MISSES_MAX {
                misses = if self.open_any() { 0 } else { misses + 1 };
            }
            self.report_silence(window, windows);
        }
        (self.ledger, self.out.finish())
    }

    /// Last second of the window.
    fn last(&self) -> i64 {
        self.start + self.site.window - 1
    }

    /// Opens what lives for most of the period: connections from before it, watches, log streams, database pools.
    fn open_standing_connections(&mut self) {
        let site = self.site;
        let (from, to) = (self.config.start, self.config.end());
        let before = from - 7_200;
        for cluster in &site.clusters {
            let (first, last) = (cluster.control[0], cluster.control[cluster.control.len() - 1]);
            for &control in &cluster.control {
                let eni = &site.enis[control as usize];
                // A webhook over HTTP/2: no handshake in the period, unless the interface is new.
                self.open_egress_live(&cluster.destinations[0], eni, if eni.from == from { before } else { eni.from + 3 }, to + 60);
            }
            // `kubectl logs -f` begins and ends inside the period.
            let span = to - from;
            if let Some(kubelet) = cluster.destinations.iter().find(|d| d.purpose == "kubelet") {
                self.open_egress_live(kubelet, &site.enis[last as usize], to - span * 3 / 8 + 5, to - span / 8 + 21);
                self.open_egress_live(kubelet, &site.enis[first as usize], from + span / 8 + 5, from + span * 3 / 8 + 21);
            }
            for &node in &cluster.nodes {
                let client = site.enis[site.nodes[node].eni as usize].primary;
                let control = &site.enis[*self.rng.pick(&cluster.control) as usize];
                let since = if control.from == from { before } else { control.from + 8 };
                self.open_live(client, control.primary, (443, TCP), Route::Vpc, (since, control.to.min(to + 60) - 1), REQUEST, None);
            }
        }
        for pod in 0..2 {
            let database = self.site.databases[pod % site.databases.len()];
            self.open_live(site.pods[pod * 5].address, database, (5_432, TCP), Route::Vpc, (before, to + 60), REQUEST, None);
        }
    }

    fn open_egress_live(&mut self, to: &Destination, from: &Eni, since: i64, until: i64) {
        let until = if from.to < self.config.end() { until.min(from.to - 1) } else { until };
        if since < until {
            self.open_live(from.primary, to.address, (to.port, to.protocol), to.route, (since, until), REQUEST, Some(to.row));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a connection has this many sides; a struct for one caller says no more")]
    fn open_live(
        &mut self,
        client: u32,
        server: u32,
        (server_port, protocol): (u16, u8),
        route: Route,
        (from, until): (i64, i64),
        volume: Volume,
        row: Option<usize>,
    ) -> bool {
        let Some(client_port) = self.ports[client as usize].long() else { return false };
        let connection = Connection { client, server, client_port, server_port, protocol, route, fate: Fate::Answered, nat_port: 0, row };
        self.count_connection(&connection);
        self.live.push(Live { connection, volume, from, until });
        true
    }

    /// Adds this window's records of every long connection, and lets go of those that end.
    fn continue_live(&mut self) {
        let (start, last) = (self.start, self.last());
        let mut live = std::mem::take(&mut self.live);
        live.retain(|one| {
            if one.from <= last {
                let opens = one.from >= start;
                let closes = one.until <= last;
                let (from, to) = (one.from.max(start), one.until.min(last));
                let fin = if closes { FIN } else { 0 };
                let up = self.leg(one.volume.up, from, to, if opens { SYN } else { 0 } | fin);
                let down = self.leg(one.volume.down, from, to, if opens { SYN_ACK } else { 0 } | fin);
                self.carry(&one.connection, Some(up), Some(down));
            }
            one.until > last
        });
        live.append(&mut self.live);
        self.live = live;
    }

    /// Contacts every destination of every cluster at least once, evenly over the period.
    fn open_one_of_each(&mut self, window: u64, windows: u64) {
        let site = self.site;
        for (position, cluster) in site.clusters.iter().enumerate() {
            let count = cluster.destinations.len() as u64;
            for (index, destination) in cluster.destinations.iter().enumerate() {
                if index as u64 * windows / count == window {
                    self.open_egress(position, destination);
                }
            }
        }
    }

    /// Opens one connection of the everyday mix; false if there was no port for it.
    fn open_any(&mut self) -> bool {
        let site = self.site;
        if !site.clusters.is_empty() {
            let cluster = self.rng.below(site.clusters.len() as u64) as usize;
            match self.rng.below(1_000) {
                0..120 => return self.open_api_call(cluster),
                120..165 => {
                    let destination = self.rng.pick(&site.clusters[cluster].destinations);
                    return self.open_egress(cluster, destination);
                }
                _ => {}
            }
        }
        let pod = self.any_pod();
        let client = site.pods[pod].address;
        // Outside the VPC a pod's traffic shows its node's address: the VPC CNI translates by default.
        let node = site.enis[site.nodes[site.pods[pod].node].eni as usize].primary;
        match self.rng.below(1_000) {
            0..80 => {
                let server = *self.rng.pick(&site.internet);
                self.open(node, server, (443, TCP), Route::Nat(0), Fate::Answered, DOWNLOAD, None)
            }
            80..160 => {
                let server = *self.rng.pick(&site.s3);
                let volume = if self.rng.below(3) == 0 { UPLOAD } else { DOWNLOAD };
                self.open(node, server, (443, TCP), Route::GatewayEndpoint, Fate::Answered, volume, None)
            }
            160..270 => {
                let server = *self.rng.pick(&site.databases);
                self.open(client, server, (5_432, TCP), Route::Vpc, Fate::Answered, REQUEST, None)
            }
            270..350 => {
                let server = *self.rng.pick(&site.endpoints[1].2);
                self.open(client, server, (443, TCP), Route::Vpc, Fate::Answered, DOWNLOAD, None)
            }
            350..470 => self.open_between_pods(pod, (53, UDP), Fate::Answered, QUERY),
            470..480 => self.open_between_pods(pod, (9_100, TCP), Fate::DroppedAtTarget, SMALL),
            480..490 => self.open_long_between_pods(pod),
            490..620 => self.open_between_pods(pod, (6_379, TCP), Fate::Answered, SMALL),
            620..700 => self.open_between_pods(pod, (9_092, TCP), Fate::Answered, UPLOAD),
            _ => self.open_between_pods(pod, (8_080, TCP), Fate::Answered, REQUEST),
        }
    }

    /// A node, pod or administrator calls the API server's port 443.
    fn open_api_call(&mut self, cluster: usize) -> bool {
        let site = self.site;
        let Some(control) = self.live_control(cluster) else { return false };
        let server = site.enis[control as usize].primary;
        let client = match self.rng.below(10) {
            0 => site.bastion,
            1..4 => {
                let node = *self.rng.pick(&site.clusters[cluster].nodes);
                site.enis[site.nodes[node].eni as usize].primary
            }
            _ => {
                let pod = &site.pods[*self.rng.pick(&site.clusters[cluster].pods)];
                if pod.from > self.start {
                    return false;
                }
                pod.address
            }
        };
        self.open(client, server, (443, TCP), Route::Vpc, Fate::Answered, REQUEST, None)
    }

    /// The API server contacts a destination.
    fn open_egress(&mut self, cluster: usize, to: &Destination) -> bool {
        let site = self.site;
        let Some(control) = self.live_control(cluster) else { return false };
        let eni = &site.enis[control as usize];
        let client = if site.addresses[to.address as usize].v6 { eni.v6.unwrap_or(eni.primary) } else { eni.primary };
        let volume = if to.protocol == UDP { QUERY } else { SMALL };
        self.open(client, to.address, (to.port, to.protocol), to.route, to.fate, volume, Some(to.row))
    }

    fn live_control(&mut self, cluster: usize) -> Option<u32> {
        let (start, end) = (self.start, self.start + self.site.window);
        let control = &self.site.clusters[cluster].control;
        let alive: usize = control.iter().filter(|&&eni| self.site.enis[eni as usize].spans(start, end)).count();
        let chosen = self.rng.below(alive.max(1) as u64) as usize;
        control.iter().copied().filter(|&eni| self.site.enis[eni as usize].spans(start, end)).nth(chosen)
    }

    /// Returns a pod that has its address by now.
    fn any_pod(&mut self) -> usize {
        loop {
            let pod = self.rng.below(self.site.pods.len() as u64) as usize;
            if self.site.pods[pod].from <= self.start {
                return pod;
            }
        }
    }

    /// Returns the addresses of a pod and of another one on another node; pods of one node talk without leaving it.
    fn pair(&mut self, client: usize) -> Option<(u32, u32)> {
        let server = self.any_pod();
        let pods = &self.site.pods;
        (pods[client].node != pods[server].node).then(|| (pods[client].address, pods[server].address))
    }

    fn open_between_pods(&mut self, client: usize, port: (u16, u8), fate: Fate, volume: Volume) -> bool {
        let Some((client, server)) = self.pair(client) else { return false };
        self.open(client, server, port, Route::Vpc, fate, volume, None)
    }

    fn open_long_between_pods(&mut self, client: usize) -> bool {
        let Some((client, server)) = self.pair(client) else { return false };
        let from = self.start + self.rng.below(self.site.window as u64) as i64;
        let until = from + self.site.window * self.rng.between(1, 8) as i64;
        let opened = self.open_live(client, server, (50_051, TCP), Route::Vpc, (from, until), REQUEST, None);
        if opened && let Some(one) = self.live.pop() {
            // Opened after this window's turn of the long ones: its first records are written here.
            let (last, flags) = (self.last(), SYN);
            let up = self.leg(one.volume.up, from, last, flags);
            let down = self.leg(one.volume.down, from, last, SYN_ACK);
            self.carry(&one.connection, Some(up), Some(down));
            self.live.push(one);
        }
        opened
    }

    #[expect(clippy::too_many_arguments, reason = "a connection has this many sides; a struct for one caller says no more")]
    fn open(
        &mut self,
        client: u32,
        server: u32,
        (server_port, protocol): (u16, u8),
        route: Route,
        fate: Fate,
        volume: Volume,
        row: Option<usize>,
    ) -> bool {
        let (start, last) = (self.start, self.last());
        let Some(client_port) = self.ports[client as usize].short(start, last) else { return false };
        let from = start + self.rng.below(self.site.window as u64) as i64;
        let length = self.rng.below(1 + (last - from).min(25) as u64) as i64;
        let to = from + length;
        let route = match route {
            Route::Nat(_) => Route::Nat(self.site.nat_of(self.site.holder(client).map_or(0, |eni| self.site.enis[eni as usize].az))),
            other => other,
        };
        let nat_port = match route {
            Route::Nat(nat) => self.next_nat_port(nat),
            _ => 0,
        };
        let connection = Connection { client, server, client_port, server_port, protocol, route, fate, nat_port, row };
        self.count_connection(&connection);
        let tcp = |flags: u8| if protocol == TCP { flags } else { 0 };
        let (up, down) = match fate {
            Fate::Answered => {
                let up = self.leg(volume.up, from, to, tcp(SYN | FIN));
                let delay = i64::from(to > from) * self.rng.below(2) as i64;
                (up, Some(self.leg(volume.down, from + delay, to, tcp(SYN_ACK | FIN))))
            }
            Fate::Refused => (self.leg((1, 1, 60), from, to, SYN), Some(self.leg((1, 1, 40), from, to, RST))),
            Fate::ReplyBlocked => (self.leg((3, 5, 60), from, to, SYN), Some(self.leg((3, 5, 60), from, to, SYN_ACK))),
            Fate::Unanswered | Fate::Rejected | Fate::DroppedAtTarget => (self.leg((2, 5, 60), from, to, SYN), None),
        };
        self.carry(&connection, Some(up), down);
        true
    }

    fn next_nat_port(&mut self, nat: u32) -> u16 {
        let next = &mut self.nat_ports[nat as usize];
        *next = if *next == u16::MAX { 1_024 } else { *next + 1 };
        *next
    }

    fn leg(&mut self, (least, most, packet_bytes): (u64, u64, u64), start: i64, end: i64, flags: u8) -> Leg {
        let packets = self.rng.between(least, most);
        // SYN packets have 60 bytes; others vary a little around the mean.
        let spread = if packet_bytes > 60 { self.rng.below(packet_bytes / 8) } else { 0 };
        Leg { packets, bytes: packets * (packet_bytes + spread), start, end, flags }
    }

    /// Counts a connection under its outcome.
    fn count_connection(&mut self, connection: &Connection) {
        let Some(row) = connection.row else { return };
        let row = &mut self.ledger.egress[row];
        row.connections += 1;
        match connection.fate {
            Fate::Answered => row.answered += 1,
            Fate::Refused => row.refused += 1,
            Fate::Rejected => row.rejected += 1,
            Fate::ReplyBlocked => row.reply_blocked += 1,
            Fate::Unanswered | Fate::DroppedAtTarget => row.unanswered += 1,
        }
        if let Route::Nat(nat) = connection.route {
            let id = &self.site.nats[nat as usize].id;
            if !row.via_nat.contains(id) {
                row.via_nat.insert(id.clone());
            }
        }
    }

    /// Writes one window of a connection on every interface that it crosses, and sums it.
    fn carry(&mut self, connection: &Connection, up: Option<Leg>, down: Option<Leg>) {
        self.sum(connection, up.as_ref(), down.as_ref());
        let mut records: [Option<Record>; 6] = [None; 6];
        let mut count = 0;
        let mut add = |record: Record| {
            records[count] = Some(record);
            count += 1;
        };
        if let Some(leg) = &up {
            connection.records_up(self.site, leg, &mut add);
        }
        if let Some(leg) = &down {
            connection.records_down(self.site, leg, &mut add);
        }
        // AWS documents no order inside an object.
        let reversed = self.rng.below(2) == 0;
        for position in 0..count {
            let position = if reversed { count - 1 - position } else { position };
            if let Some(record) = records[position] {
                self.write(&record);
            }
        }
    }

    /// Adds one window of a connection to the ledger.
    fn sum(&mut self, connection: &Connection, up: Option<&Leg>, down: Option<&Leg>) {
        if let Some(row) = connection.row {
            let row = &mut self.ledger.egress[row];
            if let Some(leg) = up {
                let rejected = connection.fate == Fate::Rejected;
                let (records, packets, bytes) = if rejected {
                    (&mut row.records_rejected, &mut row.packets_rejected, &mut row.bytes_rejected)
                } else {
                    (&mut row.records_accepted, &mut row.packets_accepted, &mut row.bytes_accepted)
                };
                *records += 1;
                *packets += leg.packets;
                *bytes += leg.bytes;
                row.first_seen = row.first_seen.min(leg.start);
                row.last_seen = row.last_seen.max(leg.end);
            }
            if let Some(leg) = down
                && connection.fate != Fate::ReplyBlocked
            {
                row.reply_packets += leg.packets;
                row.reply_bytes += leg.bytes;
            }
        }
        // A window has one day: both are multiples of 600 s.
        let day = self.start.div_euclid(86_400) * 86_400;
        let (up, down) = (up.map_or(0, |leg| leg.bytes), down.map_or(0, |leg| leg.bytes));
        let Some(client) = self.site.holder(connection.client) else { return };
        let other = match connection.route {
            Route::Vpc => self.site.holder(connection.server),
            Route::Nat(nat) => {
                let sums = self.ledger.nat.entry((nat, connection.client)).or_default();
                sums.0 += up;
                sums.1 += down;
                *self.ledger.nat_by_day.entry((day, nat)).or_default() += up + down;
                Some(self.site.nats[nat as usize].eni)
            }
            Route::InternetGateway | Route::GatewayEndpoint => None,
        };
        if let Some(other) = other
            && connection.fate != Fate::Rejected
        {
            let (client, other) = (&self.site.enis[client as usize], &self.site.enis[other as usize]);
            let kind = movement(client.kind, other.kind);
            let is_service = |eni: &Eni| kind != Movement::Direct && movement(eni.kind, eni.kind) == kind;
            self.ledger.moved((client.az, other.az), kind, day, is_service(client), up);
            if down > 0 {
                self.ledger.moved((other.az, client.az), kind, day, is_service(other), down);
            }
        }
    }

    fn write(&mut self, record: &Record) {
        self.busy[record.eni as usize] = true;
        let sums = &mut self.ledger.interfaces[record.eni as usize];
        match record.status {
            Status::Ok => sums.ok += 1,
            Status::NoData => sums.nodata += 1,
            Status::SkipData => sums.skipdata += 1,
        }
        self.written += 1;
        self.out.write(record);
    }

    /// Writes NODATA for interfaces without a record in this window, and the few SKIPDATA records of the site.
    fn report_silence(&mut self, window: u64, windows: u64) {
        let (start, last) = (self.start, self.last());
        for eni in 0..self.site.enis.len() as u32 {
            if !self.busy[eni as usize] && self.site.enis[eni as usize].spans(start, last + 1) {
                self.write(&Record::silent(Status::NoData, eni, start, last));
            }
        }
        if window == windows / 3 {
            self.write(&Record::silent(Status::SkipData, self.site.nodes[0].eni, start, last));
        }
        if window == windows * 2 / 3
            && let Some(cluster) = self.site.clusters.last()
        {
            self.write(&Record::silent(Status::SkipData, cluster.control[1], start, last));
        }
    }
}

fn movement(one: Kind, other: Kind) -> Movement {
    let kind = |kind: Kind| match kind {
        Kind::NatGateway => Movement::Nat,
        Kind::Endpoint => Movement::Endpoint,
        Kind::Database => Movement::Database,
        Kind::ControlPlane => Movement::ControlPlane,
        Kind::Node | Kind::Resolver | Kind::Plain => Movement::Direct,
    };
    kind(one).min(kind(other))
}

/// Returns an empty row for every destination of the site, in the order of their `row`.
fn egress_rows(site: &Site) -> Vec<EgressTruth> {
    let rows = site.clusters.iter().flat_map(|cluster| cluster.destinations.iter().map(move |destination| (cluster, destination)));
    rows.map(|(cluster, destination)| EgressTruth {
        cluster: cluster.name.clone(),
        cluster_arn: cluster.arn.clone(),
        dst_addr: site.addresses[destination.address as usize].text.clone(),
        dst_port: destination.port,
        protocol: destination.protocol,
        purpose: destination.purpose,
        via_nat: BTreeSet::new(),
        traffic_path: destination.route.traffic_path(),
        records_accepted: 0,
        records_rejected: 0,
        packets_accepted: 0,
        packets_rejected: 0,
        bytes_accepted: 0,
        bytes_rejected: 0,
        reply_packets: 0,
        reply_bytes: 0,
        connections: 0,
        answered: 0,
        unanswered: 0,
        refused: 0,
        rejected: 0,
        reply_blocked: 0,
        first_seen: i64::MAX,
        last_seen: i64::MIN,
    })
    .collect()
}
