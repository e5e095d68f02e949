//! The inventory as Arrow tables, for SQL and `inventory show`.
//!
//! A row is one state of a resource with the period in which it held: `valid_from`, `valid_to` (UTC seconds; NULL is
//! unbounded). Lists are lists, tags are maps. Rows are sorted, so that the same inventory gives the same tables.

use crate::inventory::Inventory;
use crate::inventory::model::*;
use crate::inventory::tags::Tags;
use crate::inventory::timeline::Claim;
use crate::time::{UnixSeconds, ValidPeriod};
use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Int64Builder, ListBuilder, MapBuilder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampSecondArray,
};
use arrow::datatypes::{Field, Schema};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// A table of the inventory, to be made when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Name.
    pub name: &'static str,
    make: fn(&Inventory, Asked<'_>) -> Option<RecordBatch>,
}

/// What is asked of a table.
#[derive(Debug, Clone, Copy, Default)]
struct Asked<'a> {
    /// Only rows that held then.
    at: Option<UnixSeconds>,
    /// Only columns of these names.
    columns: Option<&'a [&'a str]>,
}

impl Table {
    /// Makes the table; `None` if its columns make no batch.
    pub fn rows(&self, inventory: &Inventory) -> Option<RecordBatch> {
        (self.make)(inventory, Asked::default())
    }

    /// Makes only the columns of these names, in the table's order; none leave the count of rows.
    pub fn columns(&self, inventory: &Inventory, names: &[&str]) -> Option<RecordBatch> {
        (self.make)(inventory, Asked { at: None, columns: Some(names) })
    }
}

/// Returns every table by name.
pub fn tables(inventory: &Inventory) -> Vec<(&'static str, RecordBatch)> {
    TABLES.iter().filter_map(|table| Some((table.name, table.rows(inventory)?))).collect()
}

/// Returns every table with the rows that held at `t`.
pub fn tables_at(inventory: &Inventory, t: UnixSeconds) -> Vec<(&'static str, RecordBatch)> {
    TABLES.iter().filter_map(|table| Some((table.name, (table.make)(inventory, Asked { at: Some(t), columns: None })?))).collect()
}

/// The columns of one table while they are filled.
struct Columns<'a, T> {
    rows: Vec<&'a T>,
    wanted: Option<&'a [&'a str]>,
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl<'a, T> Columns<'a, T> {
    fn new(rows: impl Iterator<Item = &'a T>, asked: Asked<'a>, period: impl Fn(&T) -> ValidPeriod) -> Self {
        let rows = rows.filter(|row| asked.at.is_none_or(|at| period(row).contains(at))).collect();
        Self { rows, wanted: asked.columns, fields: Vec::new(), arrays: Vec::new() }
    }

    /// Makes a column, if it is wanted.
    fn column<A: Array + 'static>(mut self, name: &'static str, make: impl FnOnce(&[&'a T]) -> A) -> Self {
        if self.wanted.is_none_or(|wanted| wanted.contains(&name)) {
            let array = make(&self.rows);
            self.fields.push(Field::new(name, array.data_type().clone(), true));
            self.arrays.push(Arc::new(array));
        }
        self
    }

    fn text<'s>(self, name: &'static str, get: impl Fn(&'a T) -> Option<&'s str>) -> Self
    where
        'a: 's,
    {
        self.column(name, |rows| {
            let mut builder = StringBuilder::new();
            rows.iter().for_each(|row| builder.append_option(get(row)));
            builder.finish()
        })
    }

    fn owned(self, name: &'static str, get: impl Fn(&'a T) -> Option<String>) -> Self {
        self.column(name, |rows| {
            let mut builder = StringBuilder::new();
            rows.iter().for_each(|row| builder.append_option(get(row)));
            builder.finish()
        })
    }

    fn number(self, name: &'static str, get: impl Fn(&'a T) -> Option<i64>) -> Self {
        self.column(name, |rows| {
            let mut builder = Int64Builder::new();
            rows.iter().for_each(|row| builder.append_option(get(row)));
            builder.finish()
        })
    }

    fn flag(self, name: &'static str, get: impl Fn(&'a T) -> Option<bool>) -> Self {
        self.column(name, |rows| {
            let mut builder = BooleanBuilder::new();
            rows.iter().for_each(|row| builder.append_option(get(row)));
            builder.finish()
        })
    }

    fn list<S: AsRef<str>>(self, name: &'static str, get: impl Fn(&'a T) -> Vec<S>) -> Self {
        self.column(name, |rows| {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for row in rows {
                get(row).iter().for_each(|item| builder.values().append_value(item.as_ref()));
                builder.append(true);
            }
            builder.finish()
        })
    }

    fn tags(self, get: impl Fn(&'a T) -> &'a Tags) -> Self {
        self.map("tags", get)
    }

    fn map(self, name: &'static str, get: impl Fn(&'a T) -> &'a Tags) -> Self {
        self.column(name, |rows| {
            let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
            for row in rows {
                for (key, value) in get(row) {
                    builder.keys().append_value(key);
                    builder.values().append_value(value);
                }
                // Keys and values were appended in step, so closing the entry cannot fail.
                let _ = builder.append(true);
            }
            builder.finish()
        })
    }

    fn instant(self, name: &'static str, get: impl Fn(&'a T) -> Option<UnixSeconds>) -> Self {
        self.column(name, |rows| {
            let array: TimestampSecondArray = rows.iter().map(|row| get(row).filter(|t| *t != i64::MIN && *t != i64::MAX)).collect();
            array.with_timezone("UTC")
        })
    }

    fn period(self, get: impl Fn(&'a T) -> ValidPeriod) -> Self {
        self.instant("valid_from", |row| Some(get(row).from)).instant("valid_to", |row| Some(get(row).to))
    }

    fn finish(self) -> Option<RecordBatch> {
        let count = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(self.fields)), self.arrays, &count).ok()
    }
}

impl<'a, T> Columns<'a, Held<T>> {
    fn held(rows: &'a [Held<T>], asked: Asked<'a>) -> Self {
        Self::new(rows.iter(), asked, |row| row.claim.valid)
    }

    fn scope(self) -> Self {
        self.text("account_id", |row| row.account_id.as_deref()).text("region", |row| row.region.as_deref())
    }

    fn valid(self) -> Self {
        self.period(|row| row.claim.valid)
    }
}

/// Every table.
pub static TABLES: [Table; 27] = [
    Table { name: "accounts", make: accounts },
    Table { name: "availability_zones", make: zones },
    Table { name: "bucket_custody", make: custody },
    Table { name: "clusters", make: clusters },
    Table { name: "dhcp_options", make: dhcp_options },
    Table { name: "enis", make: enis },
    Table { name: "eni_addresses", make: eni_addresses },
    Table { name: "flow_logs", make: flow_logs },
    Table { name: "instances", make: instances },
    Table { name: "load_balancers", make: load_balancers },
    Table { name: "nat_gateways", make: nat_gateways },
    Table { name: "network_acls", make: network_acls },
    Table { name: "nodes", make: nodes },
    Table { name: "pods", make: pods },
    Table { name: "prefix_lists", make: prefix_lists },
    Table { name: "resolver_endpoints", make: resolver_endpoints },
    Table { name: "role_policies", make: role_policies },
    Table { name: "route_tables", make: route_tables },
    Table { name: "security_groups", make: security_groups },
    Table { name: "services", make: services },
    Table { name: "subnets", make: subnets },
    Table { name: "transit_gateway_attachments", make: attachments },
    Table { name: "vpc_endpoints", make: vpc_endpoints },
    Table { name: "vpc_peerings", make: peerings },
    Table { name: "vpc_attributes", make: vpc_attributes },
    Table { name: "vpcs", make: vpcs },
    Table { name: "webhooks", make: webhooks },
];

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(T::to_string).collect()
}

fn enis(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    let cluster = |eni: &Eni| eni.cluster.and_then(|index| inventory.clusters.get(index as usize));
    let valid = move |period: &ValidPeriod| asked.at.is_none_or(|at| period.contains(at));
    Columns::new(inventory.enis.iter(), asked, |eni| eni.valid)
        .text("interface_id", |eni| Some(&eni.id))
        .text("kind", |eni| Some(eni.kind.as_str()))
        .text("resource", |eni| eni.resource.as_deref())
        .text("cluster", |eni| cluster(eni).map(|cluster| &*cluster.name))
        .text("cluster_arn", |eni| cluster(eni).map(|cluster| &*cluster.arn))
        .number("control_plane_score", |eni| eni.control_plane.as_ref().map(|matched| i64::from(matched.score)))
        .text("account_id", |eni| eni.account_id.as_deref())
        .text("region", |eni| eni.region.as_deref())
        .text("vpc_id", |eni| eni.vpc_id.as_deref())
        .text("subnet_id", |eni| eni.subnet_id.as_deref())
        .text("az_id", |eni| eni.az_id.as_deref())
        .text("instance_id", |eni| eni.instance_id.as_deref())
        .text("interface_type", |eni| Some(&eni.interface_type))
        .text("description", |eni| Some(&eni.description))
        .list("primary_addresses", |eni| texts(&eni.primary))
        .list("addresses", move |eni| {
            let mut all: Vec<_> = eni.addresses.iter().filter(|(_, period)| valid(period)).map(|(addr, _)| *addr).collect();
            all.dedup();
            texts(&all)
        })
        .list("prefixes", move |eni| {
            eni.prefixes.iter().filter(|(_, period)| valid(period)).map(|(prefix, _)| prefix.to_string()).collect()
        })
        .list("public_addresses", |eni| texts(&eni.public))
        .list("security_group_ids", |eni| eni.groups.clone())
        .tags(|eni| &eni.tags)
        .period(|eni| eni.valid)
        .finish()
}

fn eni_addresses(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    enum Held {
        Address(IpAddr),
        Prefix(IpNet),
    }
    let of_eni = |eni: &'_ Eni| -> Vec<(Arc<str>, Held, ValidPeriod)> {
        let addresses = eni.addresses.iter().map(|(addr, period)| (eni.id.clone(), Held::Address(*addr), *period));
        let prefixes = eni.prefixes.iter().map(|(prefix, period)| (eni.id.clone(), Held::Prefix(*prefix), *period));
        addresses.chain(prefixes).collect()
    };
    let rows: Vec<(Arc<str>, Held, ValidPeriod)> = inventory.enis.iter().flat_map(of_eni).collect();
    let text = |held: &Held| match held {
        Held::Address(addr) => addr.to_string(),
        Held::Prefix(prefix) => prefix.to_string(),
    };
    Columns::new(rows.iter(), asked, |row| row.2)
        .text("interface_id", |row| Some(&row.0))
        .owned("address", move |row| Some(text(&row.1)))
        .period(|row| row.2)
        .finish()
}

fn clusters(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::new(inventory.clusters.iter(), asked, |cluster| cluster.valid)
        .text("cluster", |c| Some(&c.name))
        .text("cluster_arn", |c| Some(&c.arn))
        .text("account_id", |c| c.account_id.as_deref())
        .text("region", |c| c.region.as_deref())
        .text("vpc_id", |c| c.vpc_id.as_deref())
        .text("version", |c| c.version.as_deref())
        .text("status", |c| c.status.as_deref())
        .owned("egress_mode", move |c| match asked.at {
            Some(at) => c.mode_at(at).as_deref().map(str::to_owned),
            None => c.egress_mode.as_deref().map(str::to_owned),
        })
        .list("subnet_ids", |c| c.subnet_ids.clone())
        .list("security_group_ids", |c| c.security_group_ids.clone())
        .text("cluster_security_group_id", |c| c.cluster_security_group_id.as_deref())
        .text("role_arn", |c| c.role_arn.as_deref())
        .text("ip_family", |c| c.ip_family.as_deref())
        .text("oidc_issuer", |c| c.oidc_issuer.as_deref())
        .list("identity_issuers", |c| c.identity_issuers.clone())
        .list("remote_networks", |c| texts(&[c.remote_node_networks.clone(), c.remote_pod_networks.clone()].concat()))
        .list("service_cidrs", |c| texts(&c.service_cidrs))
        .flag("endpoint_public_access", |c| c.endpoint_access.0)
        .flag("endpoint_private_access", |c| c.endpoint_access.1)
        .instant("created_at", |c| c.created_at)
        .period(|c| c.valid)
        .finish()
}

fn subnets(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.subnets, asked)
        .text("subnet_id", |row| Some(&row.item.id))
        .text("vpc_id", |row| Some(&row.item.vpc_id))
        .text("az_id", |row| row.item.az_id.as_deref())
        .text("az_name", |row| row.item.az_name.as_deref())
        .list("cidrs", |row| texts(&row.item.cidrs))
        .scope()
        .tags(|row| &row.item.tags)
        .valid()
        .finish()
}

fn vpcs(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.vpcs, asked)
        .text("vpc_id", |row| Some(&row.item.id))
        .list("cidrs", |row| texts(&row.item.cidrs))
        .text("dhcp_options_id", |row| row.item.dhcp_options_id.as_deref())
        .scope()
        .tags(|row| &row.item.tags)
        .valid()
        .finish()
}

fn nat_gateways(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.nat_gateways, asked)
        .text("nat_gateway_id", |row| Some(&row.item.id))
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .text("subnet_id", |row| row.item.subnet_id.as_deref())
        .text("az_id", |row| inventory.az_of_subnet(row.item.subnet_id.as_deref()))
        .text("state", |row| row.item.state.as_deref())
        .text("connectivity_type", |row| row.item.connectivity.as_deref())
        .text("availability_mode", |row| row.item.availability_mode.as_deref())
        .list("zones", |row| row.item.zones.clone())
        .list("interface_ids", |row| row.item.addresses.iter().filter_map(|a| a.interface_id.clone()).collect())
        .list("private_addresses", |row| row.item.addresses.iter().filter_map(|a| Some(a.private?.to_string())).collect())
        .list("public_addresses", |row| row.item.addresses.iter().filter_map(|a| Some(a.public?.to_string())).collect())
        .scope()
        .tags(|row| &row.item.tags)
        .valid()
        .finish()
}

fn vpc_endpoints(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.vpc_endpoints, asked)
        .text("vpc_endpoint_id", |row| Some(&row.item.id))
        .text("kind", |row| row.item.kind.as_deref())
        .text("service_name", |row| row.item.service.as_deref())
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .text("state", |row| row.item.state.as_deref())
        .flag("is_firewall", |row| Some(row.item.is_firewall()))
        .list("interface_ids", |row| row.item.interface_ids.clone())
        .list("subnet_ids", |row| row.item.subnet_ids.clone())
        .list("route_table_ids", |row| row.item.route_table_ids.clone())
        .flag("private_dns", |row| row.item.private_dns)
        .scope()
        .tags(|row| &row.item.tags)
        .valid()
        .finish()
}

fn custody(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.custody, asked)
        .text("bucket", |row| Some(&row.item.bucket))
        .text("call", |row| Some(row.item.fact.call()))
        .owned("found", |row| Some(row.item.fact.found()))
        .scope()
        .valid()
        .finish()
}

fn flow_logs(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.flow_logs, asked)
        .text("flow_log_id", |row| Some(&row.item.id))
        .text("resource_id", |row| row.item.resource_id.as_deref())
        .text("log_format", |row| row.item.log_format.as_deref())
        .map("tag_fields", |row| &row.item.tag_fields)
        .text("traffic_type", |row| row.item.traffic_type.as_deref())
        .number("aggregation_max_s", |row| row.item.aggregation_max_s)
        .text("status", |row| row.item.status.as_deref())
        .text("deliver_status", |row| row.item.deliver_status.as_deref())
        .text("destination", |row| row.item.destination.as_deref())
        .instant("created_at", |row| row.item.created_at)
        .scope()
        .valid()
        .finish()
}

/// One row per route, since a route is what questions are about.
fn route_tables(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    type Row = (Held<()>, RouteTable, Option<Route>);
    let of_table = |row: &Held<RouteTable>| {
        let scope = Held { item: (), account_id: row.account_id.clone(), region: row.region.clone(), claim: row.claim };
        let routes = row.item.routes.iter().cloned().map(Some);
        let or_none = row.item.routes.is_empty().then_some(None);
        let table = RouteTable { routes: Vec::new(), ..row.item.clone() };
        routes.chain(or_none).map(|route| (scope.clone(), table.clone(), route)).collect::<Vec<Row>>()
    };
    let rows: Vec<Row> = inventory.route_tables.iter().flat_map(of_table).collect();
    Columns::new(rows.iter(), asked, |row| row.0.claim.valid)
        .text("route_table_id", |row| Some(&row.1.id))
        .text("vpc_id", |row| row.1.vpc_id.as_deref())
        .flag("main", |row| Some(row.1.main))
        .list("subnet_ids", |row| row.1.subnet_ids.clone())
        .text("destination", |row| row.2.as_ref().map(|route| &*route.destination))
        .text("target", |row| row.2.as_ref().and_then(|route| route.target.as_deref()))
        .text("state", |row| row.2.as_ref().and_then(|route| route.state.as_deref()))
        .text("account_id", |row| row.0.account_id.as_deref())
        .text("region", |row| row.0.region.as_deref())
        .period(|row| row.0.claim.valid)
        .finish()
}

fn load_balancers(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.load_balancers, asked)
        .text("load_balancer", |row| Some(&row.item.id))
        .text("kind", |row| Some(&row.item.kind))
        .text("scheme", |row| row.item.scheme.as_deref())
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .text("dns_name", |row| row.item.dns_name.as_deref())
        .list("subnet_ids", |row| row.item.subnet_ids.clone())
        .scope()
        .valid()
        .finish()
}

fn attachments(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.attachments, asked)
        .text("attachment_id", |row| Some(&row.item.id))
        .text("transit_gateway_id", |row| Some(&row.item.transit_gateway_id))
        .text("kind", |row| Some(&row.item.kind))
        .text("resource_id", |row| row.item.resource_id.as_deref())
        .text("state", |row| row.item.state.as_deref())
        .scope()
        .valid()
        .finish()
}

fn peerings(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.peerings, asked)
        .text("peering_id", |row| Some(&row.item.id))
        .text("requester_vpc_id", |row| Some(&row.item.requester_vpc_id))
        .text("accepter_vpc_id", |row| Some(&row.item.accepter_vpc_id))
        .text("status", |row| row.item.status.as_deref())
        .scope()
        .valid()
        .finish()
}

fn rule_text(rule: &Rule) -> String {
    let port = |port: Option<i64>| port.map_or_else(|| "*".to_owned(), |port| port.to_string());
    let action = if rule.allow { "allow" } else { "deny" };
    let number = rule.number.map(|number| format!("{number} ")).unwrap_or_default();
    format!("{number}{action} {} {}-{} {}", rule.protocol, port(rule.port_from), port(rule.port_to), rule.peers.join(","))
}

fn security_groups(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.security_groups, asked)
        .text("security_group_id", |row| Some(&row.item.id))
        .text("name", |row| row.item.name.as_deref())
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .list("egress", |row| row.item.egress.iter().map(rule_text).collect())
        .list("ingress", |row| row.item.ingress.iter().map(rule_text).collect())
        .scope()
        .valid()
        .finish()
}

fn network_acls(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.network_acls, asked)
        .text("network_acl_id", |row| Some(&row.item.id))
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .list("subnet_ids", |row| row.item.subnet_ids.clone())
        .list("egress", |row| row.item.egress.iter().map(rule_text).collect())
        .list("ingress", |row| row.item.ingress.iter().map(rule_text).collect())
        .scope()
        .valid()
        .finish()
}

fn dhcp_options(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.dhcp_options, asked)
        .text("dhcp_options_id", |row| Some(&row.item.id))
        .list("name_servers", |row| row.item.name_servers.clone())
        .scope()
        .valid()
        .finish()
}

fn vpc_attributes(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.vpc_attributes, asked)
        .text("vpc_id", |row| Some(&row.item.vpc_id))
        .text("attribute", |row| Some(row.item.attribute))
        .flag("value", |row| Some(row.item.on))
        .scope()
        .valid()
        .finish()
}

/// One row per policy of a role, and one per role for its boundary.
fn role_policies(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    type Row = (Held<()>, Arc<str>, &'static str, Arc<str>);
    let of_role = |row: &Held<Role>| {
        let (kind, policies): (_, Vec<Arc<str>>) = match &row.item.fact {
            RoleFact::Boundary(boundary) => ("boundary", boundary.iter().cloned().collect()),
            RoleFact::Attached(arns) => ("attached", arns.clone()),
            RoleFact::Inline(names) => ("inline", names.clone()),
            RoleFact::Policy { .. } => return Vec::new(),
        };
        let scope = Held { item: (), account_id: row.account_id.clone(), region: row.region.clone(), claim: row.claim };
        policies.into_iter().map(|policy| (scope.clone(), row.item.name.clone(), kind, policy)).collect::<Vec<Row>>()
    };
    let rows: Vec<Row> = inventory.roles.iter().flat_map(of_role).collect();
    Columns::new(rows.iter(), asked, |row| row.0.claim.valid)
        .text("role", |row| Some(&row.1))
        .text("kind", |row| Some(row.2))
        .text("policy", |row| Some(&row.3))
        .text("account_id", |row| row.0.account_id.as_deref())
        .period(|row| row.0.claim.valid)
        .finish()
}

fn resolver_endpoints(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.resolver_endpoints, asked)
        .text("resolver_endpoint_id", |row| Some(&row.item.id))
        .text("name", |row| row.item.name.as_deref())
        .text("direction", |row| row.item.direction.as_deref())
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .scope()
        .valid()
        .finish()
}

fn instances(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.instances, asked)
        .text("instance_id", |row| Some(&row.item.id))
        .text("vpc_id", |row| row.item.vpc_id.as_deref())
        .text("subnet_id", |row| row.item.subnet_id.as_deref())
        .text("private_dns_name", |row| row.item.private_dns_name.as_deref())
        .scope()
        .tags(|row| &row.item.tags)
        .valid()
        .finish()
}

fn prefix_lists(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    let list = |row: &Held<PrefixEntry>| inventory.prefix_lists.iter().find(|list| list.item.id == row.item.list_id).map(|list| &list.item);
    Columns::held(&inventory.prefix_entries, asked)
        .text("prefix_list_id", |row| Some(&row.item.list_id))
        .text("name", |row| list(row).map(|list| &*list.name))
        .text("owner", |row| list(row).and_then(|list| list.owner.as_deref()))
        .owned("cidr", |row| Some(row.item.cidr.to_string()))
        .text("description", |row| Some(&row.item.description))
        .valid()
        .finish()
}

fn accounts(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.accounts, asked)
        .text("account_id", |row| Some(&row.item.id))
        .text("account_name", |row| Some(&row.item.name))
        .valid()
        .finish()
}

fn zones(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    Columns::held(&inventory.zones, asked)
        .text("az_name", |row| Some(&row.item.name))
        .text("az_id", |row| Some(&row.item.id))
        .scope()
        .valid()
        .finish()
}

/// Kubernetes facts of one kind, with the name of their cluster.
fn kube<'a>(inventory: &'a Inventory, asked: Asked<'a>, wanted: impl Fn(&KubeFact) -> bool) -> Columns<'a, KubeHeld> {
    let rows = inventory.kube.iter().filter(move |held| wanted(&held.fact));
    let cluster = |held: &KubeHeld| inventory.clusters.get(held.cluster as usize);
    Columns::new(rows, asked, |held| held.claim.valid)
        .text("cluster", move |held| cluster(held).map(|cluster| &*cluster.name))
        .text("cluster_arn", move |held| cluster(held).map(|cluster| &*cluster.arn))
}

fn claim_of(held: &KubeHeld) -> ValidPeriod {
    let Claim { valid, .. } = held.claim;
    valid
}

fn nodes(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    kube(inventory, asked, |fact| matches!(fact, KubeFact::Node { .. }))
        .text("node", |held| if let KubeFact::Node { name, .. } = &held.fact { Some(name) } else { None })
        .owned("address", |held| if let KubeFact::Node { addr, .. } = &held.fact { Some(addr.to_string()) } else { None })
        .text("instance_id", |held| if let KubeFact::Node { instance_id, .. } = &held.fact { instance_id.as_deref() } else { None })
        .period(claim_of)
        .finish()
}

fn pods(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    kube(inventory, asked, |fact| matches!(fact, KubeFact::Pod { .. }))
        .text("namespace", |held| if let KubeFact::Pod { namespace, .. } = &held.fact { Some(namespace) } else { None })
        .text("pod", |held| if let KubeFact::Pod { name, .. } = &held.fact { Some(name) } else { None })
        .owned("address", |held| if let KubeFact::Pod { addr, .. } = &held.fact { Some(addr.to_string()) } else { None })
        .text("node", |held| if let KubeFact::Pod { node, .. } = &held.fact { node.as_deref() } else { None })
        .period(claim_of)
        .finish()
}

fn services(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    kube(inventory, asked, |fact| matches!(fact, KubeFact::ServicePort { .. }))
        .text("namespace", |held| if let KubeFact::ServicePort { namespace, .. } = &held.fact { Some(namespace) } else { None })
        .text("service", |held| if let KubeFact::ServicePort { service, .. } = &held.fact { Some(service) } else { None })
        .number("port", |held| if let KubeFact::ServicePort { port, .. } = &held.fact { Some(i64::from(*port)) } else { None })
        .text("port_name", |held| if let KubeFact::ServicePort { port_name, .. } = &held.fact { Some(port_name) } else { None })
        .text("cluster_ip", |held| if let KubeFact::ServicePort { cluster_ip, .. } = &held.fact { cluster_ip.as_deref() } else { None })
        .period(claim_of)
        .finish()
}

fn webhooks(inventory: &Inventory, asked: Asked<'_>) -> Option<RecordBatch> {
    let call = |held: &KubeHeld| match &held.fact {
        KubeFact::Call { caller, name, target, failure_policy, .. } => {
            Some((*caller, name.clone(), target.clone(), failure_policy.clone()))
        }
        _ => None,
    };
    let service = |target: CallTarget| match target {
        CallTarget::Service { namespace, name, .. } => Some(format!("{namespace}/{name}")),
        CallTarget::Url { .. } => None,
    };
    let host = |target: CallTarget| match target {
        CallTarget::Url { host, .. } => Some(host.to_string()),
        CallTarget::Service { .. } => None,
    };
    let port = |target: CallTarget| match target {
        CallTarget::Url { port, .. } | CallTarget::Service { port, .. } => i64::from(port),
    };
    kube(inventory, asked, |fact| matches!(fact, KubeFact::Call { .. }))
        .text("kind", |held| call(held).map(|(caller, ..)| caller.destination_kind()))
        .owned("name", |held| call(held).map(|(caller, name, ..)| format!("{}/{name}", caller.resource())))
        .owned("service", |held| call(held).and_then(|(_, _, target, _)| service(target)))
        .owned("host", |held| call(held).and_then(|(_, _, target, _)| host(target)))
        .number("port", |held| call(held).map(|(_, _, target, _)| port(target)))
        .owned("failure_policy", |held| call(held).and_then(|(.., policy)| policy.map(|policy| policy.to_string())))
        .number("timeout_s", |held| if let KubeFact::Call { timeout_s, .. } = &held.fact { *timeout_s } else { None })
        .text("webhook", |held| if let KubeFact::Call { hook, .. } = &held.fact { hook.as_deref() } else { None })
        .period(claim_of)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{File, Options};

    #[test]
    fn columns_by_themselves_are_those_of_the_whole_table() {
        let listing = r#"{"NetworkInterfaces":[{"NetworkInterfaceId":"eni-2","VpcId":"vpc-1","PrivateIpAddress":"10.0.0.2","Ipv4Prefixes":[{"Ipv4Prefix":"10.0.1.0/28"}],
            "TagSet":[{"Key":"Name","Value":"two"}]},{"NetworkInterfaceId":"eni-1","Description":"first","PrivateIpAddress":"10.0.0.1"}],
            "Subnets":[{"SubnetId":"subnet-1","VpcId":"vpc-1","CidrBlock":"10.0.0.0/24"}]}"#;
        let file = File { path: "2026-10-01T000000Z/111122223333/eu-central-1/x.json".to_owned(), bytes: listing.into() };
        let inventory = Inventory::from_files(vec![file], &Options::default()).unwrap();
        let mut counts = Vec::new();
        for table in &TABLES {
            let whole = table.rows(&inventory).unwrap();
            counts.extend(Some((table.name, whole.num_rows())).filter(|(_, rows)| *rows > 0));
            let names: Vec<&str> = whole.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
            for (at, name) in names.iter().enumerate() {
                assert_eq!(table.columns(&inventory, &[name]), whole.project(&[at]).ok(), "{} {name}", table.name);
            }
            let none = table.columns(&inventory, &[]).unwrap();
            assert_eq!((none.num_columns(), none.num_rows()), (0, whole.num_rows()), "{}", table.name);
            assert_eq!(table.rows(&Inventory::default()).map(|empty| empty.schema()), Some(whole.schema()), "{}", table.name);
        }
        assert_eq!(counts, [("enis", 2), ("eni_addresses", 3), ("subnets", 1)]);
    }
}
