//! One connection and the records that its packets leave on every interface that they cross.
//!
//! Addresses follow the VPC user guide: an interface's own side shows its primary IPv4 address, `pkt-*` the real ends. Through a zonal
//! NAT gateway each packet is logged three times: by the client, and by the gateway coming in and going out.

use super::estate::{Fate, Route, Site};
use super::record::{NO_HOP, Record, Status};

/// One connection between two addresses.
#[derive(Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) client: u32,
    pub(crate) server: u32,
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    pub(crate) protocol: u8,
    pub(crate) route: Route,
    pub(crate) fate: Fate,
    /// The port that the NAT gateway uses outside.
    pub(crate) nat_port: u16,
    /// Row of the ledger, for connections that a control-plane interface opened.
    pub(crate) row: Option<usize>,
}

/// One direction of a connection in one window.
#[derive(Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) flags: u8,
}

impl Connection {
    /// Hands over the records of the client's packets in one window, on every interface that they cross.
    pub(crate) fn records_up(&self, site: &Site, leg: &Leg, add: &mut impl FnMut(Record)) {
        let &Connection { client, server, client_port, server_port, route, .. } = self;
        let client_eni = site.holder(client);
        let server_eni = site.holder(server);
        let accepted_here = self.fate != Fate::Rejected;
        if let Some(eni) = client_eni {
            let hop = match route {
                Route::Vpc => server_eni,
                Route::Nat(nat) => Some(site.nats[nat as usize].eni),
                _ => None,
            };
            add(Record {
                accept: accepted_here,
                path: route.traffic_path(),
                ..self.outbound(site, eni, leg, (client, server), (client_port, server_port), hop)
            });
        }
        if !accepted_here {
            return;
        }
        match route {
            Route::Vpc => {
                if let Some(eni) = server_eni {
                    let accept = self.fate != Fate::DroppedAtTarget;
                    add(Record { accept, ..self.inbound(site, eni, leg, (client, server), (client_port, server_port), client_eni) });
                }
            }
            Route::Nat(nat) => {
                let gateway = site.nats[nat as usize].eni;
                let outside = site.enis[gateway as usize].primary;
                add(self.inbound(site, gateway, leg, (client, server), (client_port, server_port), client_eni));
                add(Record { path: 8, ..self.outbound(site, gateway, leg, (outside, server), (self.nat_port, server_port), None) });
            }
            Route::InternetGateway | Route::GatewayEndpoint => {}
        }
    }

    /// Hands over the records of the server's packets in one window.
    pub(crate) fn records_down(&self, site: &Site, leg: &Leg, add: &mut impl FnMut(Record)) {
        let &Connection { client, server, client_port, server_port, route, .. } = self;
        let client_eni = site.holder(client);
        let server_eni = site.holder(server);
        let mut sender = server_eni;
        match route {
            Route::Vpc => {
                if let Some(eni) = server_eni {
                    add(Record { path: 1, ..self.outbound(site, eni, leg, (server, client), (server_port, client_port), client_eni) });
                }
            }
            Route::Nat(nat) => {
                let gateway = site.nats[nat as usize].eni;
                let outside = site.enis[gateway as usize].primary;
                add(self.inbound(site, gateway, leg, (server, outside), (server_port, self.nat_port), None));
                add(Record { path: 1, ..self.outbound(site, gateway, leg, (server, client), (server_port, client_port), client_eni) });
                sender = Some(gateway);
            }
            Route::InternetGateway | Route::GatewayEndpoint => {}
        }
        if let Some(eni) = client_eni {
            let accept = self.fate != Fate::ReplyBlocked;
            add(Record { accept, ..self.inbound(site, eni, leg, (server, client), (server_port, client_port), sender) });
        }
    }

    fn outbound(&self, site: &Site, eni: u32, leg: &Leg, (from, to): (u32, u32), ports: (u16, u16), hop: Option<u32>) -> Record {
        Record { src: site.shown(eni, from), dst: to, ..self.record(eni, leg, (from, to), ports, true, hop) }
    }

    fn inbound(&self, site: &Site, eni: u32, leg: &Leg, (from, to): (u32, u32), ports: (u16, u16), hop: Option<u32>) -> Record {
        Record { src: from, dst: site.shown(eni, to), ..self.record(eni, leg, (from, to), ports, false, hop) }
    }

    fn record(&self, eni: u32, leg: &Leg, (from, to): (u32, u32), ports: (u16, u16), egress: bool, hop: Option<u32>) -> Record {
        Record {
            status: Status::Ok,
            eni,
            src: from,
            dst: to,
            pkt_src: from,
            pkt_dst: to,
            src_port: ports.0,
            dst_port: ports.1,
            protocol: self.protocol,
            packets: leg.packets,
            bytes: leg.bytes,
            start: leg.start,
            end: leg.end,
            accept: true,
            flags: leg.flags,
            egress,
            path: 0,
            hop: hop.unwrap_or(NO_HOP),
        }
    }
}
