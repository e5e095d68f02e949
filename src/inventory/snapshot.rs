//! AWS describe output, Config items and CloudTrail records → sightings of resources.
//!
//! One reader per listing of the AWS CLI. Config (camelCase, `configuration` an object or a JSON string) and CloudTrail
//! (`{"items": […]}`) go through the same readers. Unknown members are ignored, unknown values kept as they are written;
//! a resource without an id is no resource. Shapes: EC2, EKS, ELB and Route 53 Resolver API references.

use crate::inventory::custody::{self, Custody, CustodyFact};
use crate::inventory::element::Json;
use crate::inventory::json::{elements, instant, instant_of, member, text};
use crate::inventory::model::*;
use crate::inventory::ranges::AwsRange;
use crate::inventory::service_control::{self, ServiceControlPolicy};
use crate::inventory::tags::Tags;
use crate::inventory::timeline::{Life, Seen};
use crate::inventory::{kubernetes, permissions};
use crate::time::UnixSeconds;
use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// Account and region that a resource itself names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) account: Option<Arc<str>>,
    pub(super) region: Option<Arc<str>>,
}

/// One thing that a document says. `seen` is `None` where the document's own as-of time dates it.
#[derive(Debug)]
pub(super) enum Sighting {
    /// A listing of this key was answered, perhaps with nothing.
    Listed(&'static str),
    /// A network interface.
    Eni(Box<EniSighting>),
    /// Another resource.
    Resource { item: Box<Item>, owner: Owner, life: Life, seen: Option<Seen> },
    /// A network interface or other resource was deleted.
    Gone { id: Arc<str>, at: UnixSeconds },
    /// A cluster.
    Cluster(Box<ClusterSighting>),
    /// A cluster was deleted.
    ClusterGone { name: Arc<str>, owner: Owner, at: UnixSeconds },
    /// A name in `list-clusters`.
    ClusterName(Arc<str>),
    /// A requested change of the egress mode.
    ModeChange { cluster: Option<Arc<str>>, owner: Owner, at: UnixSeconds, mode: String, status: String },
    /// An identity provider of a cluster.
    Issuer { cluster: Arc<str>, owner: Owner, url: Arc<str> },
    /// A Kubernetes object.
    Kube { kind: &'static str, thing: String, life: Life, facts: Vec<KubeFact> },
    /// An entry of a prefix list whose id stands in the wrapper or path.
    PrefixEntry { cidr: IpNet, description: Arc<str> },
    /// A range of `ip-ranges.json`.
    Range(AwsRange),
    /// The ranges of one `ip-ranges.json`, with its token.
    Ranges { token: i64, ranges: Vec<AwsRange> },
    /// A fact about the bucket of a wrapper, else of the path.
    Custody { bucket: Option<Arc<str>>, fact: CustodyFact },
    /// A DNS answer.
    Answer { at: UnixSeconds, vpc_id: Option<Arc<str>>, host: Arc<str>, addrs: Vec<IpAddr> },
}

/// A network interface as one source shows it.
#[derive(Debug, Default)]
pub(super) struct EniSighting {
    pub(super) id: Arc<str>,
    pub(super) owner: Owner,
    pub(super) owner_id: Option<Arc<str>>,
    pub(super) seen: Option<Seen>,
    pub(super) life: Life,
    pub(super) vpc_id: Option<Arc<str>>,
    pub(super) subnet_id: Option<Arc<str>>,
    pub(super) az_id: Option<Arc<str>>,
    pub(super) az_name: Option<Arc<str>>,
    pub(super) description: Option<Arc<str>>,
    pub(super) interface_type: Option<Arc<str>>,
    pub(super) requester_id: Option<Arc<str>>,
    pub(super) instance_id: Option<Arc<str>>,
    pub(super) instance_owner: Option<Arc<str>>,
    pub(super) source_dest_check: Option<bool>,
    pub(super) groups: Vec<Arc<str>>,
    pub(super) primary: Vec<IpAddr>,
    pub(super) secondary: Vec<IpAddr>,
    pub(super) prefixes: Vec<IpNet>,
    pub(super) public: Vec<IpAddr>,
    pub(super) tags: Tags,
    /// Shown beside another resource: such a source never lists all interfaces, so it proves no absence.
    pub(super) beside: bool,
}

/// A cluster as one source shows it.
#[derive(Debug)]
pub(super) struct ClusterSighting {
    pub(super) seen: Option<Seen>,
    pub(super) cluster: Cluster,
}

/// A resource other than a network interface or cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Subnet(Subnet),
    Vpc(Vpc),
    Nat(NatGateway),
    Endpoint(VpcEndpoint),
    RouteTable(RouteTable),
    FlowLog(FlowLog),
    LoadBalancer(LoadBalancer),
    Attachment(TransitGatewayAttachment),
    Peering(Peering),
    SecurityGroup(SecurityGroup),
    NetworkAcl(NetworkAcl),
    DhcpOptions(DhcpOptions),
    Resolver(ResolverEndpoint),
    Instance(Instance),
    PrefixList(PrefixList),
    PrefixEntry(PrefixEntry),
    Zone(AvailabilityZone),
    Account(Account),
    ServiceControl(ServiceControlPolicy),
    Custody(Custody),
    VpcAttribute(VpcAttribute),
    Role(Role),
    Policy(ManagedPolicy),
}

impl Item {
    /// Returns the listing that shows such items, and the item's id.
    pub(super) fn key(&self) -> (&'static str, &Arc<str>) {
        match self {
            Self::Subnet(it) => ("Subnets", &it.id),
            Self::Vpc(it) => ("Vpcs", &it.id),
            Self::Nat(it) => ("NatGateways", &it.id),
            Self::Endpoint(it) => ("VpcEndpoints", &it.id),
            Self::RouteTable(it) => ("RouteTables", &it.id),
            Self::FlowLog(it) => ("FlowLogs", &it.id),
            Self::LoadBalancer(it) if &*it.kind == "classic" => ("LoadBalancerDescriptions", &it.id),
            Self::LoadBalancer(it) => ("LoadBalancers", &it.id),
            Self::Attachment(it) => ("TransitGatewayAttachments", &it.id),
            Self::Peering(it) => ("VpcPeeringConnections", &it.id),
            Self::SecurityGroup(it) => ("SecurityGroups", &it.id),
            Self::NetworkAcl(it) => ("NetworkAcls", &it.id),
            Self::DhcpOptions(it) => ("DhcpOptions", &it.id),
            Self::Resolver(it) => ("ResolverEndpoints", &it.id),
            Self::Instance(it) => ("Reservations", &it.id),
            Self::PrefixList(it) => ("PrefixLists", &it.id),
            Self::PrefixEntry(it) => ("Entries", &it.list_id),
            Self::Zone(it) => ("AvailabilityZones", &it.name),
            Self::Account(it) => ("Accounts", &it.id),
            Self::ServiceControl(it) => ("ServiceControlPolicies", &it.name),
            Self::Custody(it) => (it.fact.call(), &it.bucket),
            Self::VpcAttribute(it) => (it.attribute, &it.vpc_id),
            Self::Role(it) => (permissions::call_of(&it.fact), &it.name),
            Self::Policy(it) => ("PolicyVersion", &it.id),
        }
    }

    /// Returns whether it stands in a listing, so that its absence from a later one proves something. Attributes of a VPC and the
    /// policies of roles are asked for one by one.
    pub(super) fn is_listed(&self) -> bool {
        !matches!(self, Self::VpcAttribute(_) | Self::Role(_) | Self::Policy(_))
    }
}

/// A listing and the reader of its elements.
pub(super) struct Listing {
    pub(super) key: &'static str,
    pub(super) read: fn(&Value, &mut Vec<Sighting>),
}

/// Key of the listing of network interfaces.
pub(super) const NETWORK_INTERFACES: &str = "NetworkInterfaces";
/// Key of the listing of cluster names.
pub(super) const CLUSTER_NAMES: &str = "clusters";

static LISTINGS: [Listing; 34] = [
    Listing { key: NETWORK_INTERFACES, read: |v, out| out.extend(eni(v).map(|eni| Sighting::Eni(Box::new(eni)))) },
    Listing { key: "Subnets", read: |v, out| out.extend(subnet(v).map(|it| resource(v, Item::Subnet(it), None))) },
    Listing { key: "Vpcs", read: |v, out| out.extend(vpc(v).map(|it| resource(v, Item::Vpc(it), None))) },
    Listing { key: "NatGateways", read: nat },
    Listing {
        key: "VpcEndpoints",
        read: |v, out| out.extend(endpoint(v).map(|it| resource(v, Item::Endpoint(it), instant(v, "CreationTimestamp")))),
    },
    Listing { key: "RouteTables", read: |v, out| out.extend(route_table(v).map(|it| resource(v, Item::RouteTable(it), None))) },
    Listing {
        key: "FlowLogs",
        read: |v, out| out.extend(flow_log(v).map(|it| resource(v, Item::FlowLog(it), instant(v, "CreationTime")))),
    },
    Listing { key: "LoadBalancers", read: |v, out| out.extend(load_balancer(v)) },
    Listing { key: "LoadBalancerDescriptions", read: |v, out| out.extend(classic_load_balancer(v)) },
    Listing { key: "TransitGatewayAttachments", read: |v, out| out.extend(attachment(v)) },
    Listing { key: "TransitGatewayVpcAttachments", read: |v, out| out.extend(attachment(v)) },
    Listing { key: "VpcPeeringConnections", read: |v, out| out.extend(peering(v).map(|it| resource(v, Item::Peering(it), None))) },
    Listing { key: "SecurityGroups", read: |v, out| out.extend(security_group(v).map(|it| resource(v, Item::SecurityGroup(it), None))) },
    Listing { key: "NetworkAcls", read: |v, out| out.extend(network_acl(v).map(|it| resource(v, Item::NetworkAcl(it), None))) },
    Listing { key: "DhcpOptions", read: |v, out| out.extend(dhcp_options(v).map(|it| resource(v, Item::DhcpOptions(it), None))) },
    Listing {
        key: "ResolverEndpoints",
        read: |v, out| out.extend(resolver(v).map(|it| resource(v, Item::Resolver(it), instant(v, "CreationTime")))),
    },
    Listing { key: "Reservations", read: |v, out| elements(v, "Instances").iter().for_each(|v| instance(v, out)) },
    Listing { key: "PrefixLists", read: |v, out| out.extend(prefix_list(v).map(|it| resource(v, Item::PrefixList(it), None))) },
    Listing { key: "Entries", read: |v, out| out.extend(prefix_entry(v)) },
    Listing { key: "AvailabilityZones", read: |v, out| out.extend(zone(v)) },
    Listing { key: "Accounts", read: |v, out| out.extend(account(v)) },
    Listing { key: CLUSTER_NAMES, read: |v, out| out.extend(v.as_str().map(|name| Sighting::ClusterName(name.into()))) },
    Listing { key: "configurationItems", read: config_item },
    Listing { key: "baseConfigurationItems", read: config_item },
    Listing { key: "Results", read: |v, out| embedded(v, config_item, out) },
    Listing { key: "Records", read: trail_record },
    Listing { key: "Events", read: |v, out| member(v, "CloudTrailEvent").into_iter().for_each(|v| embedded(v, trail_record, out)) },
    Listing { key: "prefixes", read: |v, out| out.extend(AwsRange::read(v).map(Sighting::Range)) },
    Listing { key: "ipv6_prefixes", read: |v, out| out.extend(AwsRange::read(v).map(Sighting::Range)) },
    Listing { key: "items", read: kubernetes::object },
    Listing { key: "RoleDetailList", read: permissions::role_detail },
    Listing { key: "Policies", read: permissions::policy_detail },
    Listing { key: "TransitGatewayPeeringAttachments", read: |_, _| {} },
    Listing { key: "SecurityGroupRules", read: |_, _| {} },
];

/// Documents that belong to an inventory but hold nothing that an answer needs.
const UNUSED: [&str; 22] = [
    "TransitGateways",
    "InternetGateways",
    "EgressOnlyInternetGateways",
    "Addresses",
    "TransitGatewayRouteTables",
    "nodegroups",
    "nodegroup",
    "addons",
    "updateIds",
    "identityProviderConfigs",
    "TargetGroups",
    "TargetHealthDescriptions",
    "DBInstances",
    "Regions",
    "UserId",
    "Firewalls",
    "CustomerGateways",
    "VpnConnections",
    "VpnGateways",
    "fargateProfileNames",
    "Accounts",
    "Tags",
];

/// Returns the listing of that key.
pub(super) fn listing(key: &str) -> Option<&'static Listing> {
    LISTINGS.iter().find(|listing| listing.key == key)
}

/// Reads an object that is no listing; returns whether it was recognised.
pub(super) fn object(value: &Value, out: &mut Vec<Sighting>) -> bool {
    let before = out.len();
    if let Some(token) = value.get("syncToken") {
        let token = token.as_str().and_then(|token| token.parse().ok()).or_else(|| token.as_i64()).unwrap_or(0);
        let (ranges, others): (Vec<_>, Vec<_>) = std::mem::take(out).into_iter().partition(|s| matches!(s, Sighting::Range(_)));
        *out = others;
        let ranges = ranges.into_iter().filter_map(|s| if let Sighting::Range(range) = s { Some(range) } else { None }).collect();
        out.push(Sighting::Ranges { token, ranges });
        return true;
    }
    if value.get("configurationItemCaptureTime").is_some() {
        config_item(value, out);
        return true;
    }
    if value.get("configurationItem").is_some_and(Value::is_object) {
        value.get("configurationItem").into_iter().for_each(|item| config_item(item, out));
        return true;
    }
    if value.get("eventName").is_some() && value.get("eventSource").is_some() {
        trail_record(value, out);
        return true;
    }
    if value.get("query_name").is_some() {
        out.extend(dns_answer(value));
        return true;
    }
    if value.get("kind").is_some() && value.get("apiVersion").is_some() {
        kubernetes::object(value, out);
        return true;
    }
    if let Some(cluster) = value.get("cluster").filter(|cluster| cluster.is_object()) {
        out.extend(self::cluster(cluster, None, None).map(|it| Sighting::Cluster(Box::new(it))));
    }
    if let Some(update) = value.get("update").filter(|update| update.is_object()) {
        out.extend(mode_change(update, None, Owner::default()));
        return true;
    }
    if let Some(provider) = value.get("identityProviderConfig") {
        out.extend(issuer(provider));
        return true;
    }
    out.extend(service_control::read(value).map(|policy| resource(value, Item::ServiceControl(policy), None)));
    let (bucket, facts) = custody::read(value);
    out.extend(facts.into_iter().map(|fact| Sighting::Custody { bucket: bucket.clone(), fact }));
    out.extend(vpc_attributes(value));
    if permissions::document(value, out) {
        return true;
    }
    if out.len() == before
        && let Some(listing) = bare_resource(value).and_then(listing)
    {
        (listing.read)(value, out);
    }
    out.len() > before || UNUSED.iter().any(|key| value.get(*key).is_some())
}

/// Returns the listing that a bare resource (`jq -c '.NetworkInterfaces[]'`) was taken from.
fn bare_resource(value: &Value) -> Option<&'static str> {
    let has = |key| value.get(key).is_some();
    match () {
        () if has("NetworkInterfaceId") && (has("InterfaceType") || has("PrivateIpAddress")) => Some(NETWORK_INTERFACES),
        () if has("SubnetId") && has("CidrBlock") => Some("Subnets"),
        () if has("NatGatewayAddresses") => Some("NatGateways"),
        () if has("VpcEndpointId") && has("VpcEndpointType") => Some("VpcEndpoints"),
        () if has("FlowLogId") && has("ResourceId") => Some("FlowLogs"),
        () if has("RouteTableId") && has("Routes") => Some("RouteTables"),
        () if has("VpcId") && has("CidrBlockAssociationSet") => Some("Vpcs"),
        () => None,
    }
}

/// Reads JSON inside a JSON string; what is not JSON there is no resource.
fn embedded(value: &Value, read: fn(&Value, &mut Vec<Sighting>), out: &mut Vec<Sighting>) {
    if let Some(inner) = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        read(&inner, out);
    }
}

pub(super) fn shared<'a, J: Json<'a>>(value: J, name: &str) -> Option<Arc<str>> {
    value.text(name).map(Arc::from)
}

fn strings(value: &Value, name: &str) -> Vec<Arc<str>> {
    let mut list: Vec<Arc<str>> = elements(value, name).iter().filter_map(Value::as_str).map(Arc::from).collect();
    list.sort_unstable();
    list
}

fn members<'a, J: Json<'a>>(value: J, list: &str, name: &str) -> Vec<Arc<str>> {
    let mut out: Vec<Arc<str>> = value.elements(list).filter_map(|element| shared(element, name)).collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn address<'a, J: Json<'a>>(value: J, name: &str) -> Option<IpAddr> {
    value.text(name)?.parse().ok()
}

fn cidrs<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Vec<IpNet> {
    let mut out: Vec<IpNet> = texts.flatten().filter_map(|text| text.parse::<IpNet>().ok()).map(|net| net.trunc()).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// Returns tags: `[{Key, Value}]` under any of AWS's names, or a plain map.
fn tags<'a, J: Json<'a>>(value: J) -> Tags {
    let pair = |tag: J| Some((shared(tag, "Key")?, tag.member("Value").and_then(J::as_text).unwrap_or("").into()));
    let listed = ["Tags", "TagSet"].into_iter().flat_map(|name| value.elements(name)).filter_map(pair);
    let mapped = value.member("Tags").into_iter().flat_map(J::pairs);
    let mapped = mapped.filter_map(|(key, value)| Some((Arc::from(key), value.as_text()?.into())));
    listed.chain(mapped).collect()
}

/// Returns the region that an AZ name lies in: `eu-central-1a`, `us-west-2-lax-1a`, `us-gov-west-1a`.
pub(super) fn region_of_zone(zone: &str) -> Option<&str> {
    let digit = zone.find(|c: char| c.is_ascii_digit())?;
    let digits = zone.get(digit..)?.bytes().take_while(u8::is_ascii_digit).count();
    zone.get(..digit + digits).filter(|region| region.contains('-'))
}

/// Returns account and region of an ARN.
pub(super) fn owner_of_arn(arn: &str) -> Owner {
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next(), parts.next());
    let some = |part: Option<&str>| part.filter(|part| !part.is_empty()).map(Arc::from);
    if arn.starts_with("arn:") { Owner { account: some(account), region: some(region) } } else { Owner::default() }
}

/// Returns the owner that a resource names by `OwnerId`, an ARN or its AZ.
fn owner<'a, J: Json<'a>>(value: J) -> Owner {
    let arn = ["Arn", "SubnetArn", "LoadBalancerArn", "ResourceArn", "PrefixListArn"].iter().find_map(|name| value.text(name));
    let of_arn = arn.map(owner_of_arn).unwrap_or_default();
    let account = value.text("OwnerId").filter(|id| is_account(id)).map(Arc::from).or(of_arn.account);
    let zone = value.text("AvailabilityZone").and_then(region_of_zone);
    let region = of_arn.region.or_else(|| zone.or_else(|| value.text("Region").or_else(|| value.text("RegionName"))).map(Arc::from));
    Owner { account, region }
}

/// Returns whether the text is a 12-digit account id.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn resource(value: &Value, item: Item, created: Option<UnixSeconds>) -> Sighting {
    Sighting::Resource { item: Box::new(item), owner: owner(value), life: Life::began(created), seen: None }
}

/// Reads a network interface.
pub(super) fn eni<'a, J: Json<'a>>(v: J) -> Option<EniSighting> {
    let attachment = v.member("Attachment");
    let of_attachment = |name| attachment.and_then(|attachment| shared(attachment, name));
    let private: Vec<J> = v.elements("PrivateIpAddresses").chain(v.elements("PrivateIpAddressesSet")).collect();
    let v6 = v.elements("Ipv6Addresses").chain(v.elements("Ipv6AddressesSet"));
    let v6: Vec<IpAddr> = v6.filter_map(|a| address(a, "Ipv6Address")).collect();
    let is_primary = |a: &&J| a.member("Primary").and_then(J::as_flag) == Some(true);
    let primary = address(v, "PrivateIpAddress").or_else(|| private.iter().find(is_primary).and_then(|a| address(*a, "PrivateIpAddress")));
    let prefixes = v.elements("Ipv4Prefixes").map(|p| p.text("Ipv4Prefix")).chain(v.elements("Ipv6Prefixes").map(|p| p.text("Ipv6Prefix")));
    let associations = private.iter().copied().chain([v]).filter_map(|a| a.member("Association"));
    let mut groups = members(v, "Groups", "GroupId");
    groups.extend(members(v, "GroupSet", "GroupId"));
    let owner = owner(v);
    let mut eni = EniSighting {
        id: shared(v, "NetworkInterfaceId")?,
        owner_id: owner.account.clone(),
        owner,
        life: Life::began(attachment.and_then(|attachment| instant(attachment, "AttachTime"))),
        vpc_id: shared(v, "VpcId"),
        subnet_id: shared(v, "SubnetId"),
        az_id: shared(v, "AvailabilityZoneId"),
        az_name: shared(v, "AvailabilityZone"),
        description: shared(v, "Description"),
        interface_type: shared(v, "InterfaceType"),
        requester_id: shared(v, "RequesterId"),
        instance_id: of_attachment("InstanceId"),
        instance_owner: of_attachment("InstanceOwnerId"),
        source_dest_check: v.member("SourceDestCheck").and_then(J::as_flag),
        groups,
        primary: primary.into_iter().chain(v6.first().copied()).collect(),
        secondary: private.iter().filter_map(|a| address(*a, "PrivateIpAddress")).chain(v6).collect(),
        prefixes: cidrs(prefixes),
        public: associations.filter_map(|a| address(a, "PublicIp")).collect(),
        tags: tags(v),
        seen: None,
        beside: false,
    };
    let primary = eni.primary.clone();
    eni.secondary.retain(|addr| !primary.contains(addr));
    for list in [&mut eni.secondary, &mut eni.public] {
        list.sort_unstable();
        list.dedup();
    }
    Some(eni)
}

fn subnet(v: &Value) -> Option<Subnet> {
    let v6 = elements(v, "Ipv6CidrBlockAssociationSet").iter().map(|a| text(a, "Ipv6CidrBlock"));
    Some(Subnet {
        id: shared(v, "SubnetId")?,
        vpc_id: shared(v, "VpcId")?,
        cidrs: cidrs([text(v, "CidrBlock")].into_iter().chain(v6)),
        az_id: shared(v, "AvailabilityZoneId"),
        az_name: shared(v, "AvailabilityZone"),
        tags: tags(v),
    })
}

fn vpc(v: &Value) -> Option<Vpc> {
    let v4 = elements(v, "CidrBlockAssociationSet").iter().map(|a| text(a, "CidrBlock"));
    let v6 = elements(v, "Ipv6CidrBlockAssociationSet").iter().map(|a| text(a, "Ipv6CidrBlock"));
    Some(Vpc {
        id: shared(v, "VpcId")?,
        cidrs: cidrs([text(v, "CidrBlock")].into_iter().chain(v4).chain(v6)),
        dhcp_options_id: shared(v, "DhcpOptionsId"),
        tags: tags(v),
    })
}

/// Reads `describe-vpc-attribute`: one attribute a call, `{"VpcId": …, "EnableDnsSupport": {"Value": true}}`.
fn vpc_attributes(v: &Value) -> Vec<Sighting> {
    let read = |(name, attribute): (&str, &'static str)| {
        let on = member(member(v, name)?, "Value")?.as_bool()?;
        Some(resource(v, Item::VpcAttribute(VpcAttribute { vpc_id: shared(v, "VpcId")?, attribute, on }), None))
    };
    [("EnableDnsSupport", "enableDnsSupport"), ("EnableDnsHostnames", "enableDnsHostnames")].into_iter().filter_map(read).collect()
}

/// Reads a NAT gateway, and its interfaces: enough to find them where no listing of interfaces was collected.
fn nat(v: &Value, out: &mut Vec<Sighting>) {
    let Some(id) = shared(v, "NatGatewayId") else { return };
    let mut addresses: Vec<NatAddress> = elements(v, "NatGatewayAddresses")
        .iter()
        .map(|a| NatAddress {
            interface_id: shared(a, "NetworkInterfaceId"),
            private: address(a, "PrivateIp"),
            public: address(a, "PublicIp"),
        })
        .collect();
    addresses.sort_unstable();
    let life = Life { from: instant(v, "CreateTime"), to: instant(v, "DeleteTime") };
    let mut interfaces: Vec<Arc<str>> = addresses.iter().filter_map(|address| address.interface_id.clone()).collect();
    interfaces.dedup();
    for interface in interfaces {
        let own = || addresses.iter().filter(|address| address.interface_id.as_ref() == Some(&interface));
        let mut private = own().filter_map(|address| address.private);
        out.push(Sighting::Eni(Box::new(EniSighting {
            id: interface.clone(),
            owner: owner(v),
            life,
            vpc_id: shared(v, "VpcId"),
            subnet_id: shared(v, "SubnetId"),
            interface_type: Some("nat_gateway".into()),
            primary: private.next().into_iter().collect(),
            secondary: private.collect(),
            public: own().filter_map(|address| address.public).collect(),
            beside: true,
            ..EniSighting::default()
        })));
    }
    let nat = NatGateway {
        id,
        vpc_id: shared(v, "VpcId"),
        subnet_id: shared(v, "SubnetId"),
        state: shared(v, "State"),
        connectivity: shared(v, "ConnectivityType"),
        availability_mode: shared(v, "AvailabilityMode"),
        addresses,
        zones: zones_of(v),
        tags: tags(v),
    };
    out.push(Sighting::Resource { item: Box::new(Item::Nat(nat)), owner: owner(v), life, seen: None });
}

fn zones_of(nat: &Value) -> Vec<Arc<str>> {
    let ids = members(nat, "NatGatewayAddresses", "AvailabilityZoneId");
    if ids.is_empty() { members(nat, "NatGatewayAddresses", "AvailabilityZone") } else { ids }
}

fn endpoint(v: &Value) -> Option<VpcEndpoint> {
    Some(VpcEndpoint {
        id: shared(v, "VpcEndpointId")?,
        kind: shared(v, "VpcEndpointType"),
        service: shared(v, "ServiceName"),
        vpc_id: shared(v, "VpcId"),
        state: shared(v, "State"),
        interface_ids: strings(v, "NetworkInterfaceIds"),
        subnet_ids: strings(v, "SubnetIds"),
        route_table_ids: strings(v, "RouteTableIds"),
        private_dns: member(v, "PrivateDnsEnabled").and_then(Value::as_bool),
        tags: tags(v),
    })
}

fn route_table(v: &Value) -> Option<RouteTable> {
    let associations = elements(v, "Associations");
    const TARGETS: [&str; 10] = [
        "NatGatewayId",
        "TransitGatewayId",
        "VpcEndpointId",
        "VpcPeeringConnectionId",
        "NetworkInterfaceId",
        "EgressOnlyInternetGatewayId",
        "LocalGatewayId",
        "CarrierGatewayId",
        "CoreNetworkArn",
        "GatewayId",
    ];
    let route = |r: &Value| {
        let destination =
            ["DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"].iter().find_map(|name| shared(r, name))?;
        Some(Route { destination, target: TARGETS.iter().find_map(|name| shared(r, name)), state: shared(r, "State") })
    };
    let mut routes: Vec<Route> = elements(v, "Routes").iter().filter_map(route).collect();
    routes.sort_unstable();
    Some(RouteTable {
        id: shared(v, "RouteTableId")?,
        vpc_id: shared(v, "VpcId"),
        main: associations.iter().any(|a| member(a, "Main").and_then(Value::as_bool) == Some(true)),
        subnet_ids: members(v, "Associations", "SubnetId"),
        routes,
    })
}

fn flow_log(v: &Value) -> Option<FlowLog> {
    Some(FlowLog {
        id: shared(v, "FlowLogId")?,
        resource_id: shared(v, "ResourceId"),
        log_format: shared(v, "LogFormat"),
        tag_fields: tag_fields(v),
        traffic_type: shared(v, "TrafficType"),
        aggregation_max_s: member(v, "MaxAggregationInterval").and_then(Value::as_i64),
        status: shared(v, "FlowLogStatus"),
        deliver_status: shared(v, "DeliverLogsStatus"),
        destination: shared(v, "LogDestination").or_else(|| shared(v, "LogGroupName")),
        created_at: instant(v, "CreationTime"),
    })
}

/// The place of a key in the list of its resource type says which field has its value (EC2 API reference,
/// "TagFieldSpecificationResponse").
fn tag_fields(v: &Value) -> Tags {
    let of = |specification: &Value| -> Vec<(Arc<str>, Arc<str>)> {
        let fields = match text(specification, "ResourceType") {
            Some("instance") => ["instance-tag", "instance-tag-2"],
            Some("network-interface") => ["interface-tag", "interface-tag-2"],
            Some("auto-scaling-group") => ["asg-tag", "asg-tag-2"],
            _ => return Vec::new(),
        };
        let keys = elements(specification, "TagKeys").iter().map(|key| key.as_str().map(Arc::from));
        fields.into_iter().zip(keys).filter_map(|(field, key)| Some((field.into(), key?))).collect()
    };
    elements(v, "TagFieldSpecifications").iter().flat_map(of).collect()
}

fn load_balancer(v: &Value) -> Option<Sighting> {
    let arn = text(v, "LoadBalancerArn")?;
    let lb = LoadBalancer {
        id: arn.split_once("loadbalancer/").map_or(arn, |(_, id)| id).into(),
        kind: shared(v, "Type").unwrap_or_else(|| "application".into()),
        scheme: shared(v, "Scheme"),
        vpc_id: shared(v, "VpcId"),
        dns_name: shared(v, "DNSName"),
        subnet_ids: members(v, "AvailabilityZones", "SubnetId"),
    };
    Some(resource(v, Item::LoadBalancer(lb), instant(v, "CreatedTime")))
}

fn classic_load_balancer(v: &Value) -> Option<Sighting> {
    let lb = LoadBalancer {
        id: shared(v, "LoadBalancerName")?,
        kind: "classic".into(),
        scheme: shared(v, "Scheme"),
        vpc_id: shared(v, "VPCId"),
        dns_name: shared(v, "DNSName"),
        subnet_ids: strings(v, "Subnets"),
    };
    Some(resource(v, Item::LoadBalancer(lb), instant(v, "CreatedTime")))
}

fn attachment(v: &Value) -> Option<Sighting> {
    let attachment = TransitGatewayAttachment {
        id: shared(v, "TransitGatewayAttachmentId")?,
        transit_gateway_id: shared(v, "TransitGatewayId")?,
        kind: shared(v, "ResourceType").unwrap_or_else(|| "vpc".into()),
        resource_id: shared(v, "ResourceId").or_else(|| shared(v, "VpcId")),
        state: shared(v, "State"),
    };
    Some(resource(v, Item::Attachment(attachment), instant(v, "CreationTime")))
}

fn peering(v: &Value) -> Option<Peering> {
    let vpc = |side| member(v, side).and_then(|side| shared(side, "VpcId"));
    Some(Peering {
        id: shared(v, "VpcPeeringConnectionId")?,
        requester_vpc_id: vpc("RequesterVpcInfo")?,
        accepter_vpc_id: vpc("AccepterVpcInfo")?,
        status: member(v, "Status").and_then(|status| shared(status, "Code")),
    })
}

fn rules(v: &Value, name: &str) -> Vec<Rule> {
    let peers = |r: &Value| {
        let lists =
            [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"), ("UserIdGroupPairs", "GroupId")];
        lists.iter().flat_map(|(list, name)| members(r, list, name)).collect()
    };
    let rule = |r: &Value| Rule {
        number: None,
        protocol: shared(r, "IpProtocol").unwrap_or_else(|| "-1".into()),
        port_from: member(r, "FromPort").and_then(Value::as_i64),
        port_to: member(r, "ToPort").and_then(Value::as_i64),
        peers: peers(r),
        allow: true,
    };
    let mut rules: Vec<Rule> = elements(v, name).iter().map(rule).collect();
    rules.sort_unstable();
    rules
}

fn security_group(v: &Value) -> Option<SecurityGroup> {
    Some(SecurityGroup {
        id: shared(v, "GroupId")?,
        name: shared(v, "GroupName"),
        vpc_id: shared(v, "VpcId"),
        egress: rules(v, "IpPermissionsEgress"),
        ingress: rules(v, "IpPermissions"),
    })
}

fn network_acl(v: &Value) -> Option<NetworkAcl> {
    let rule = |r: &Value| {
        let port = |end| member(r, "PortRange").and_then(|range| member(range, end)).and_then(Value::as_i64);
        let peers = ["CidrBlock", "Ipv6CidrBlock"].iter().filter_map(|name| shared(r, name)).collect();
        let protocol = shared(r, "Protocol").unwrap_or_else(|| "-1".into());
        let rule = Rule {
            number: member(r, "RuleNumber").and_then(Value::as_i64),
            protocol,
            port_from: port("From"),
            port_to: port("To"),
            peers,
            allow: text(r, "RuleAction") == Some("allow"),
        };
        (member(r, "Egress").and_then(Value::as_bool) == Some(true), rule)
    };
    let mut entries: Vec<(bool, Rule)> = elements(v, "Entries").iter().map(rule).collect();
    entries.sort_unstable();
    let (egress, ingress): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(egress, _)| *egress);
    let plain = |rules: Vec<(bool, Rule)>| rules.into_iter().map(|(_, rule)| rule).collect();
    Some(NetworkAcl {
        id: shared(v, "NetworkAclId")?,
        vpc_id: shared(v, "VpcId"),
        subnet_ids: members(v, "Associations", "SubnetId"),
        egress: plain(egress),
        ingress: plain(ingress),
    })
}

fn dhcp_options(v: &Value) -> Option<DhcpOptions> {
    let servers = elements(v, "DhcpConfigurations").iter().filter(|c| text(c, "Key") == Some("domain-name-servers"));
    Some(DhcpOptions { id: shared(v, "DhcpOptionsId")?, name_servers: servers.flat_map(|c| members(c, "Values", "Value")).collect() })
}

fn resolver(v: &Value) -> Option<ResolverEndpoint> {
    let id = shared(v, "Id").filter(|id| id.starts_with("rslvr-"))?;
    Some(ResolverEndpoint { id, name: shared(v, "Name"), direction: shared(v, "Direction"), vpc_id: shared(v, "HostVPCId") })
}

/// Reads an instance, and its interfaces: `describe-instances` shows them as well.
fn instance(v: &Value, out: &mut Vec<Sighting>) {
    let Some(id) = shared(v, "InstanceId") else { return };
    let zone = member(v, "Placement").and_then(|placement| text(placement, "AvailabilityZone")).and_then(region_of_zone);
    let owner = Owner { account: None, region: zone.map(Arc::from) };
    for mut eni in elements(v, "NetworkInterfaces").iter().filter_map(eni) {
        eni.owner.region = eni.owner.region.or_else(|| owner.region.clone());
        eni.instance_id = Some(id.clone());
        eni.beside = true;
        out.push(Sighting::Eni(Box::new(eni)));
    }
    let instance = Instance {
        id,
        vpc_id: shared(v, "VpcId"),
        subnet_id: shared(v, "SubnetId"),
        private_dns_name: shared(v, "PrivateDnsName"),
        tags: tags(v),
    };
    let life = Life::began(instant(v, "LaunchTime"));
    out.push(Sighting::Resource { item: Box::new(Item::Instance(instance)), owner, life, seen: None });
}

fn prefix_list(v: &Value) -> Option<PrefixList> {
    Some(PrefixList { id: shared(v, "PrefixListId")?, name: shared(v, "PrefixListName")?, owner: shared(v, "OwnerId") })
}

fn prefix_entry(v: &Value) -> Option<Sighting> {
    let cidr = cidrs([text(v, "Cidr")].into_iter()).pop()?;
    Some(Sighting::PrefixEntry { cidr, description: shared(v, "Description").unwrap_or_default() })
}

fn zone(v: &Value) -> Option<Sighting> {
    let zone = AvailabilityZone { name: shared(v, "ZoneName")?, id: shared(v, "ZoneId")? };
    Some(resource(v, Item::Zone(zone), None))
}

/// Reads an account as `organizations list-accounts` writes it.
fn account(v: &Value) -> Option<Sighting> {
    let account = Account { id: shared(v, "Id")?, name: shared(v, "Name")? };
    Some(resource(v, Item::Account(account), None))
}

/// Reads a cluster as EKS (`name`), Config or CloudFormation (`Name`) write it.
fn cluster(v: &Value, seen: Option<Seen>, created: Option<UnixSeconds>) -> Option<ClusterSighting> {
    let name = shared(v, "Name")?;
    let arn = shared(v, "Arn")?;
    let owner = owner_of_arn(&arn);
    let config = member(v, "ResourcesVpcConfig");
    let of_config = |name| config.and_then(|config| shared(config, name));
    let list = |name| config.map(|config| strings(config, name)).unwrap_or_default();
    let flag = |name| config.and_then(|config| member(config, name)).and_then(Value::as_bool);
    let mode = config.and_then(|config| text(config, "ControlPlaneEgressMode"));
    let mode = mode.map_or(EgressMode::Unknown, |mode| EgressMode::Known(mode.to_owned()));
    let network = member(v, "KubernetesNetworkConfig");
    let service = |name| network.and_then(|network| text(network, name));
    let remote = |name: &str| {
        let networks = member(v, "RemoteNetworkConfig").map(|remote| elements(remote, name)).unwrap_or(&[]);
        cidrs(networks.iter().flat_map(|network| elements(network, "Cidrs")).map(Value::as_str))
    };
    let issuer = member(v, "Identity").and_then(|identity| member(identity, "Oidc")).and_then(|oidc| shared(oidc, "Issuer"));
    let created_at = instant(v, "CreatedAt").or(created);
    Some(ClusterSighting {
        seen,
        cluster: Cluster {
            name,
            arn,
            account_id: owner.account,
            region: owner.region,
            vpc_id: of_config("VpcId"),
            subnet_ids: list("SubnetIds"),
            security_group_ids: list("SecurityGroupIds"),
            cluster_security_group_id: of_config("ClusterSecurityGroupId"),
            created_at,
            version: shared(v, "Version"),
            status: shared(v, "Status"),
            role_arn: shared(v, "RoleArn"),
            ip_family: network.and_then(|network| shared(network, "IpFamily")),
            egress_mode: mode,
            mode_seen: Vec::new(),
            mode_changes: Vec::new(),
            oidc_issuer: issuer,
            identity_issuers: Vec::new(),
            remote_node_networks: remote("RemoteNodeNetworks"),
            remote_pod_networks: remote("RemotePodNetworks"),
            service_cidrs: cidrs([service("ServiceIpv4Cidr"), service("ServiceIpv6Cidr")].into_iter()),
            endpoint_access: (flag("EndpointPublicAccess"), flag("EndpointPrivateAccess")),
            valid: crate::time::ValidPeriod { from: created_at.unwrap_or(i64::MIN), to: i64::MAX },
        },
    })
}

/// Reads an update if it changes the egress mode.
fn mode_change(update: &Value, cluster: Option<Arc<str>>, owner: Owner) -> Option<Sighting> {
    let param = elements(update, "Params").iter().find(|param| text(param, "Type") == Some("ControlPlaneEgressMode"))?;
    Some(Sighting::ModeChange {
        cluster,
        owner,
        at: instant(update, "CreatedAt")?,
        mode: text(param, "Value")?.to_owned(),
        status: text(update, "Status").unwrap_or("Unknown").to_owned(),
    })
}

fn issuer(provider: &Value) -> Option<Sighting> {
    let oidc = member(provider, "Oidc")?;
    let owner = text(oidc, "IdentityProviderConfigArn").map(owner_of_arn).unwrap_or_default();
    Some(Sighting::Issuer { cluster: shared(oidc, "ClusterName")?, owner, url: shared(oidc, "IssuerUrl")? })
}

/// Config resource types and the listing whose reader takes their configuration.
const CONFIG_TYPES: [(&str, &str); 13] = [
    ("AWS::EC2::NetworkInterface", NETWORK_INTERFACES),
    ("AWS::EC2::Subnet", "Subnets"),
    ("AWS::EC2::VPC", "Vpcs"),
    ("AWS::EC2::NatGateway", "NatGateways"),
    ("AWS::EC2::VPCEndpoint", "VpcEndpoints"),
    ("AWS::EC2::RouteTable", "RouteTables"),
    ("AWS::EC2::FlowLog", "FlowLogs"),
    ("AWS::EC2::SecurityGroup", "SecurityGroups"),
    ("AWS::EC2::NetworkAcl", "NetworkAcls"),
    ("AWS::EC2::VPCPeeringConnection", "VpcPeeringConnections"),
    ("AWS::EC2::TransitGatewayAttachment", "TransitGatewayAttachments"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancers"),
    ("AWS::EC2::Instance", ""),
];

fn config_item(item: &Value, out: &mut Vec<Sighting>) {
    let get = |names: &[&str]| names.iter().find_map(|name| item.get(*name).filter(|value| !value.is_null()));
    let account = get(&["awsAccountId", "accountId"]).and_then(Value::as_str).map(Arc::from);
    let region = get(&["awsRegion"]).and_then(Value::as_str).map(Arc::from);
    let arn = get(&["ARN", "arn"]).and_then(Value::as_str).map(owner_of_arn).unwrap_or_default();
    let owner = Owner { account: account.or(arn.account), region: region.or(arn.region) };
    let Some(at) = get(&["configurationItemCaptureTime"]).and_then(instant_of) else { return };
    let kind = get(&["resourceType"]).and_then(Value::as_str).unwrap_or("");
    if get(&["configurationItemStatus"]).and_then(Value::as_str).is_some_and(|status| status.starts_with("ResourceDeleted")) {
        let name = get(&["resourceName", "resourceId"]).and_then(Value::as_str);
        match (kind, name, get(&["resourceId"]).and_then(Value::as_str)) {
            ("AWS::EKS::Cluster", Some(name), _) => out.push(Sighting::ClusterGone { name: name.into(), owner, at }),
            (_, _, Some(id)) => out.push(Sighting::Gone { id: id.into(), at }),
            _ => {}
        }
        return;
    }
    let parsed;
    let configuration = match get(&["configuration"]) {
        Some(Value::String(text)) => {
            let Ok(inner) = serde_json::from_str::<Value>(text) else { return };
            parsed = inner;
            &parsed
        }
        Some(configuration) => configuration,
        None => return,
    };
    let created = get(&["resourceCreationTime"]).and_then(instant_of);
    if kind == "AWS::EKS::Cluster" {
        out.extend(cluster(configuration, Some(Seen::From(at)), created).map(|it| Sighting::Cluster(Box::new(it))));
        return;
    }
    let mut found = Vec::new();
    if kind == "AWS::EC2::Instance" {
        instance(configuration, &mut found);
    } else if let Some(listing) = CONFIG_TYPES.iter().find(|(name, _)| *name == kind).and_then(|(_, key)| listing(key)) {
        (listing.read)(configuration, &mut found);
    }
    for mut sighting in found {
        date(&mut sighting, &owner, Seen::From(at));
        out.push(sighting);
    }
}

/// Gives a sighting the owner and instant of the item or event that it stood in.
fn date(sighting: &mut Sighting, by: &Owner, at: Seen) {
    let (owner, seen) = match sighting {
        Sighting::Eni(eni) => (&mut eni.owner, &mut eni.seen),
        Sighting::Resource { owner, seen, .. } => (owner, seen),
        _ => return,
    };
    *seen = Some(at);
    *owner = Owner { account: by.account.clone().or(owner.account.take()), region: by.region.clone().or(owner.region.take()) };
}

fn trail_record(record: &Value, out: &mut Vec<Sighting>) {
    // A refused or dry-run call changed nothing.
    if record.get("errorCode").is_some_and(|code| !code.is_null()) {
        return;
    }
    let Some(at) = record.get("eventTime").and_then(instant_of) else { return };
    let owner = Owner { account: shared(record, "recipientAccountId"), region: shared(record, "awsRegion") };
    let (request, response) = (record.get("requestParameters"), record.get("responseElements"));
    let asked = |name: &str| request.and_then(|request| shared(request, name));
    match record.get("eventName").and_then(Value::as_str) {
        Some("CreateNetworkInterface") => {
            let Some(mut eni) = response.and_then(|response| response.get("networkInterface")).and_then(eni) else { return };
            eni.life.join(Life::began(Some(at)));
            let mut sighting = Sighting::Eni(Box::new(eni));
            date(&mut sighting, &owner, Seen::At(at));
            out.push(sighting);
        }
        Some("DeleteNetworkInterface") => out.extend(asked("networkInterfaceId").map(|id| Sighting::Gone { id, at })),
        Some("DeleteNatGateway") => {
            let nested =
                request.and_then(|request| request.get("DeleteNatGatewayRequest")).and_then(|request| shared(request, "NatGatewayId"));
            out.extend(nested.or_else(|| asked("natGatewayId")).map(|id| Sighting::Gone { id, at }));
        }
        Some("CreateCluster") => {
            let created = response.and_then(|response| response.get("cluster"));
            out.extend(created.and_then(|v| cluster(v, Some(Seen::At(at)), Some(at))).map(|it| Sighting::Cluster(Box::new(it))));
        }
        Some("DeleteCluster") => out.extend(asked("name").map(|name| Sighting::ClusterGone { name, owner, at })),
        Some("UpdateClusterConfig") => {
            let mode =
                request.and_then(|request| member(request, "ResourcesVpcConfig")).and_then(|config| text(config, "ControlPlaneEgressMode"));
            let Some(mode) = mode.map(str::to_owned) else { return };
            let status = response
                .and_then(|response| response.get("update"))
                .and_then(|update| text(update, "status"))
                .unwrap_or("InProgress")
                .to_owned();
            out.push(Sighting::ModeChange { cluster: asked("name"), owner, at, mode, status });
        }
        _ => {}
    }
}

fn dns_answer(v: &Value) -> Option<Sighting> {
    let addrs: Vec<IpAddr> = elements(v, "answers").iter().filter_map(|answer| address(answer, "Rdata")).collect();
    let host = text(v, "query_name")?.trim_end_matches('.').to_ascii_lowercase();
    let at = v.get("query_timestamp").and_then(instant_of)?;
    (!addrs.is_empty()).then(|| Sighting::Answer { at, vpc_id: shared(v, "vpc_id"), host: host.into(), addrs })
}
