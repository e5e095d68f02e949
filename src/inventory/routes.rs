//! Route tables: where a subnet sends packets, as of an instant.

use super::Inventory;
use super::model::{Held, Route, RouteTable, VpcEndpoint};
use super::timeline::Claim;
use crate::time::UnixSeconds;
use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// Route tables by who uses them.
#[derive(Debug, Default)]
pub(super) struct Routing {
    tables: Vec<Table>,
    of_subnet: HashMap<Arc<str>, Vec<usize>>,
    main_of_vpc: HashMap<Arc<str>, Vec<usize>>,
}

/// A version of a route table.
#[derive(Debug)]
struct Table {
    claim: Claim,
    /// Destinations that are networks, with their targets.
    routes: Vec<(IpNet, Arc<str>)>,
    /// Whether a prefix list leads to a gateway endpoint.
    has_gateway_endpoint: bool,
}

impl Routing {
    pub(super) fn new(tables: &[Held<RouteTable>], endpoints: &[Held<VpcEndpoint>]) -> Routing {
        let mut routing = Routing::default();
        // The endpoint's own listing names its tables too, should the tables be of another day.
        let of_endpoints: HashSet<&str> = endpoints.iter().flat_map(|held| &held.item.route_table_ids).map(|table| &**table).collect();
        for (at, held) in tables.iter().enumerate() {
            let active = || held.item.routes.iter().filter(|route| route.state.as_deref() != Some("blackhole"));
            let route = |route: &Route| Some((route.destination.parse().ok()?, Arc::clone(route.target.as_ref()?)));
            let has_gateway_endpoint = of_endpoints.contains(&*held.item.id)
                || active().any(|route| route.target.as_deref().is_some_and(|target| target.starts_with("vpce-")));
            routing.tables.push(Table { claim: held.claim, routes: active().filter_map(route).collect(), has_gateway_endpoint });
            for subnet in &held.item.subnet_ids {
                routing.of_subnet.entry(Arc::clone(subnet)).or_default().push(at);
            }
            if let Some(vpc) = held.item.vpc_id.as_ref().filter(|_| held.item.main) {
                routing.main_of_vpc.entry(Arc::clone(vpc)).or_default().push(at);
            }
        }
        routing
    }

    fn table(&self, subnet_id: &str, vpc_id: Option<&str>, t: UnixSeconds) -> Option<&Table> {
        let valid = |places: &Vec<usize>| places.iter().filter_map(|at| self.tables.get(*at)).find(|table| table.claim.contains(t));
        // A subnet without a table of its own uses the main one (VPC user guide, "Subnet route tables").
        self.of_subnet.get(subnet_id).and_then(valid).or_else(|| self.main_of_vpc.get(vpc_id?).and_then(valid))
    }
}

/// Where a subnet sends the packets for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop<'a> {
    /// Target of the route with the longest prefix, e.g. `nat-…`.
    pub target: &'a str,
    /// Whether the table also leads some prefix list to a gateway endpoint, which goes before.
    pub has_gateway_endpoint: bool,
}

impl Inventory {
    /// Returns where a subnet sends the packets for an address; prefix lists are left out.
    pub fn next_hop(&self, subnet_id: &str, vpc_id: Option<&str>, address: IpAddr, t: UnixSeconds) -> Option<NextHop<'_>> {
        let table = self.routing.table(subnet_id, vpc_id, t)?;
        let covering = table.routes.iter().filter(|(network, _)| network.contains(&address));
        let (_, target) = covering.max_by_key(|(network, _)| network.prefix_len())?;
        Some(NextHop { target, has_gateway_endpoint: table.has_gateway_endpoint })
    }
}
