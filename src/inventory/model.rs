//! The resources of an inventory: network interfaces, clusters, and what lies around them.
//!
//! Plain data with the period in which it held. How it is read stands in `snapshot` and `kubernetes`; how periods
//! come about in `timeline`. Field names follow the AWS API.

use crate::inventory::kinds::InterfaceKind;
use crate::inventory::tags::Tags;
use crate::inventory::timeline::Claim;
use crate::time::{UnixSeconds, ValidPeriod};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// A network interface with its whole life.
#[derive(Debug, Clone)]
pub struct Eni {
    /// `eni-…`, never reused.
    pub id: Arc<str>,
    /// What the interface belongs to.
    pub kind: InterfaceKind,
    /// Index into [`super::Inventory::clusters`], for control-plane interfaces, nodes and pods.
    pub cluster: Option<u32>,
    /// How the control-plane rule judged it, where it accepted it.
    pub control_plane: Option<Box<ControlPlaneMatch>>,
    /// Owner account.
    pub account_id: Option<Arc<str>>,
    /// Region.
    pub region: Option<Arc<str>>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// Subnet.
    pub subnet_id: Option<Arc<str>>,
    /// AZ id (`euc1-az2`), from the interface or its subnet.
    pub az_id: Option<Arc<str>>,
    /// AZ name; differs between accounts.
    pub az_name: Option<Arc<str>>,
    /// Instance that it is attached to.
    pub instance_id: Option<Arc<str>>,
    /// Resource behind it: `nat-…`, `vpce-…`, `net/name/id`, `rslvr-in-…`, `tgw-attach-…`.
    pub resource: Option<Arc<str>>,
    /// Description.
    pub description: Arc<str>,
    /// `InterfaceType` as AWS writes it.
    pub interface_type: Arc<str>,
    /// Who asked for it.
    pub requester_id: Option<Arc<str>>,
    /// Security groups.
    pub groups: Vec<Arc<str>>,
    /// Source/destination check; `false` on NAT devices and routers.
    pub source_dest_check: Option<bool>,
    /// Primary private address, and the IPv6 addresses of an interface without prefix delegation.
    pub primary: Vec<IpAddr>,
    /// Every private address with the periods in which it was this interface's; sorted.
    pub addresses: Vec<(IpAddr, ValidPeriod)>,
    /// Delegated prefixes, likewise.
    pub prefixes: Vec<(IpNet, ValidPeriod)>,
    /// Public addresses that were associated with it at any time.
    pub public: Vec<IpAddr>,
    /// Tags.
    pub tags: Tags,
    /// Its life, from the first to the last evidence.
    pub valid: ValidPeriod,
    /// The longest that its life can have been: outside, the inventory knows that it was not there.
    pub possible: ValidPeriod,
    /// When it is known, rather than assumed, to have begun (create or attach time, or a sighting).
    pub known_from: Option<UnixSeconds>,
    /// First instant after the last at which it is known, rather than assumed, to have been there (delete time, or a sighting).
    pub known_to: Option<UnixSeconds>,
    /// Whether the instance that it is attached to belongs to another account.
    pub foreign_owner: bool,
}

impl Eni {
    /// Returns whether the address was this interface's at any time.
    pub fn owns(&self, addr: IpAddr) -> bool {
        self.addresses.binary_search_by(|(own, _)| own.cmp(&addr)).is_ok()
            || self.primary.contains(&addr)
            || self.prefixes.iter().any(|(prefix, _)| prefix.contains(&addr))
    }

    /// Returns whether packets of others pass through it: a gateway, an endpoint, or a NAT instance.
    pub fn is_path_device(&self) -> bool {
        let nat_instance = self.kind == InterfaceKind::Other && self.instance_id.is_some() && self.source_dest_check == Some(false);
        self.kind.is_path_device() || nat_instance
    }

    /// Returns its `Name` tag.
    pub fn name_tag(&self) -> Option<&str> {
        self.tags.get("Name").map(|name| &**name).filter(|name| !name.is_empty())
    }
}

/// How the scored rule judged a control-plane interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlaneMatch {
    /// How many of the five rules hold.
    pub score: u8,
    /// The rules that hold, of 1 name, 2 requester, 3 foreign attachment, 4 subnet and VPC, 5 cluster security group.
    pub rules: Vec<u8>,
    /// What speaks against it.
    pub warnings: Vec<String>,
}

/// An interface that looks like a control-plane interface but is not counted as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The interface.
    pub interface_id: Arc<str>,
    /// The cluster name in its description.
    pub cluster_name: Arc<str>,
    /// Why it is not counted.
    pub reason: String,
}

/// How API-server egress is routed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EgressMode {
    /// The mode as AWS writes it: `AWS_MANAGED`, `CUSTOMER_ROUTED`, or a value that we do not know.
    Known(String),
    /// The inventory does not say: the key is absent, or the mode was changing.
    Unknown,
}

impl EgressMode {
    /// Returns the mode as text, if it is known.
    pub fn as_deref(&self) -> Option<&str> {
        match self {
            Self::Known(mode) => Some(mode),
            Self::Unknown => None,
        }
    }
}

/// One life of an EKS cluster: a deleted and re-created cluster of the same name is another one.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Name.
    pub name: Arc<str>,
    /// ARN.
    pub arn: Arc<str>,
    /// Account.
    pub account_id: Option<Arc<str>>,
    /// Region.
    pub region: Option<Arc<str>>,
    /// VPC of the control-plane interfaces.
    pub vpc_id: Option<Arc<str>>,
    /// Every subnet that was configured at any time; sorted.
    pub subnet_ids: Vec<Arc<str>>,
    /// Security groups given by the user; sorted.
    pub security_group_ids: Vec<Arc<str>>,
    /// The security group that EKS made.
    pub cluster_security_group_id: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Option<UnixSeconds>,
    /// Kubernetes version, last seen.
    pub version: Option<Arc<str>>,
    /// `ACTIVE` and the like, last seen.
    pub status: Option<Arc<str>>,
    /// ARN of its IAM role, last seen.
    pub role_arn: Option<Arc<str>>,
    /// `ipv4` or `ipv6`: which addresses its pods and Services have.
    pub ip_family: Option<Arc<str>>,
    /// Egress mode, last seen.
    pub egress_mode: EgressMode,
    /// Egress mode at each sighting (`i64::MIN` for one without an as-of time); sorted.
    pub mode_seen: Vec<(UnixSeconds, EgressMode)>,
    /// Requested changes of the mode: when, to what, and the status of the update; sorted.
    pub mode_changes: Vec<(UnixSeconds, String, String)>,
    /// Issuer of the cluster's own OIDC endpoint.
    pub oidc_issuer: Option<Arc<str>>,
    /// Issuer URLs of associated identity providers; sorted.
    pub identity_issuers: Vec<Arc<str>>,
    /// CIDRs of remote nodes; sorted.
    pub remote_node_networks: Vec<IpNet>,
    /// CIDRs of remote pods; sorted.
    pub remote_pod_networks: Vec<IpNet>,
    /// Service CIDRs.
    pub service_cidrs: Vec<IpNet>,
    /// Whether the API endpoint is reachable publicly and privately.
    pub endpoint_access: (Option<bool>, Option<bool>),
    /// Its life.
    pub valid: ValidPeriod,
}

/// The value that AWS writes for egress through the customer's VPC.
pub const CUSTOMER_ROUTED: &str = "CUSTOMER_ROUTED";
const AWS_MANAGED: &str = "AWS_MANAGED";

impl Cluster {
    /// Returns the egress mode at `t`, as far as sightings and updates prove it.
    pub fn mode_at(&self, t: UnixSeconds) -> EgressMode {
        self.mode_evidence(t).0
    }

    /// Returns the egress mode at `t`, and whether it is carried on from the nearest sighting.
    ///
    /// A change is in transition from its request until the first sighting of the new mode or of its success. The
    /// mode never returns to `AWS_MANAGED`: such a sighting proves all that went before, `CUSTOMER_ROUTED` all after.
    pub fn mode_evidence(&self, t: UnixSeconds) -> (EgressMode, bool) {
        let change = self.mode_changes.iter().rev().find(|(at, ..)| *at <= t);
        let since = change.map_or(i64::MIN, |(at, ..)| *at);
        let until = self.mode_changes.iter().map(|(at, ..)| *at).find(|at| *at > t).unwrap_or(i64::MAX);
        // A sighting without an as-of time fits where no update contradicts it.
        let fits_undated = |mode: &EgressMode| match change {
            Some((_, to, _)) => mode.as_deref() == Some(to),
            None => until == i64::MAX,
        };
        let inside =
            |(at, mode): &(UnixSeconds, EgressMode)| if *at == i64::MIN { fits_undated(mode) } else { since <= *at && *at < until };
        let known = |entry: &&(UnixSeconds, EgressMode)| inside(entry) && entry.1 != EgressMode::Unknown;
        let before = self.mode_seen.iter().rev().filter(known).find(|(at, _)| *at <= t);
        let after = self.mode_seen.iter().filter(known).find(|(at, _)| *at > t);
        match (before, after) {
            // In transition: the request is there, the new mode is not yet seen.
            (None, Some(_)) if change.is_some() => (EgressMode::Unknown, false),
            (None, None) => (EgressMode::Unknown, false),
            (Some((_, mode)), Some((_, next))) if mode == next => (mode.clone(), false),
            (Some((at, _)), Some(_)) if *at == t => (before.map_or(EgressMode::Unknown, |(_, mode)| mode.clone()), false),
            (Some(_), Some(_)) => (EgressMode::Unknown, false),
            (Some((at, mode)), None) => (mode.clone(), *at != t && *at != i64::MIN && mode.as_deref() != Some(CUSTOMER_ROUTED)),
            (None, Some((_, mode))) => (mode.clone(), mode.as_deref() != Some(AWS_MANAGED)),
        }
    }
}

/// A resource with its scope and the period in which it was so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// The resource as it was.
    pub item: T,
    /// Account.
    pub account_id: Option<Arc<str>>,
    /// Region.
    pub region: Option<Arc<str>>,
    /// When it was so.
    pub claim: Claim,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    /// `subnet-…`
    pub id: Arc<str>,
    /// VPC.
    pub vpc_id: Arc<str>,
    /// IPv4 and IPv6 ranges.
    pub cidrs: Vec<IpNet>,
    /// AZ id.
    pub az_id: Option<Arc<str>>,
    /// AZ name; differs between accounts.
    pub az_name: Option<Arc<str>>,
    /// Tags.
    pub tags: Tags,
}

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vpc {
    /// `vpc-…`
    pub id: Arc<str>,
    /// Every associated range.
    pub cidrs: Vec<IpNet>,
    /// DHCP options set.
    pub dhcp_options_id: Option<Arc<str>>,
    /// Tags.
    pub tags: Tags,
}

/// An attribute of a VPC, as `describe-vpc-attribute` shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VpcAttribute {
    /// `vpc-…`
    pub vpc_id: Arc<str>,
    /// `enableDnsSupport` or `enableDnsHostnames`.
    pub attribute: &'static str,
    /// Whether it is on.
    pub on: bool,
}

/// A statement of an IAM policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// Whether it allows; else it denies.
    pub allow: bool,
    /// Actions that it is about, e.g. `ec2:Describe*`.
    pub actions: Vec<Arc<str>>,
    /// … or all but these.
    pub not_actions: Vec<Arc<str>>,
    /// Resources that it is about.
    pub resources: Vec<Arc<str>>,
    /// Whether it holds under a condition only, or for all resources but some.
    pub conditional: bool,
}

/// What one call of IAM says about a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleFact {
    /// `get-role`: its permissions boundary.
    Boundary(Option<Arc<str>>),
    /// `list-attached-role-policies`: the ARNs, all of them; sorted.
    Attached(Vec<Arc<str>>),
    /// `list-role-policies`: the names of the policies in the role itself, all of them; sorted.
    Inline(Vec<Arc<str>>),
    /// `get-role-policy`: one of those.
    Policy {
        /// Name.
        name: Arc<str>,
        /// Statements.
        statements: Vec<Statement>,
    },
}

/// A fact about an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    /// Name; unique in its account.
    pub name: Arc<str>,
    /// The fact.
    pub fact: RoleFact,
}

/// The version of a managed policy that is in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManagedPolicy {
    /// ARN, or only the name where the document does not say more.
    pub id: Arc<str>,
    /// Statements.
    pub statements: Vec<Statement>,
}

/// An address of a NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NatAddress {
    /// Interface; a regional NAT gateway may have none.
    pub interface_id: Option<Arc<str>>,
    /// Private address.
    pub private: Option<IpAddr>,
    /// Public address.
    pub public: Option<IpAddr>,
}

/// A NAT gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NatGateway {
    /// `nat-…`
    pub id: Arc<str>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// Subnet; absent for a regional one.
    pub subnet_id: Option<Arc<str>>,
    /// State.
    pub state: Option<Arc<str>>,
    /// `public` or `private`.
    pub connectivity: Option<Arc<str>>,
    /// `zonal` or `regional`, as AWS writes it.
    pub availability_mode: Option<Arc<str>>,
    /// Its addresses.
    pub addresses: Vec<NatAddress>,
    /// AZ ids (names where AWS gave no ids) in which a regional one has addresses; sorted.
    pub zones: Vec<Arc<str>>,
    /// Tags.
    pub tags: Tags,
}

impl NatGateway {
    /// Returns whether it is one gateway for all AZs of a VPC.
    pub fn is_regional(&self) -> bool {
        self.availability_mode.as_deref() == Some("regional")
    }
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VpcEndpoint {
    /// `vpce-…`
    pub id: Arc<str>,
    /// `Interface`, `Gateway`, `GatewayLoadBalancer` and others.
    pub kind: Option<Arc<str>>,
    /// Service name.
    pub service: Option<Arc<str>>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// State.
    pub state: Option<Arc<str>>,
    /// Interfaces.
    pub interface_ids: Vec<Arc<str>>,
    /// Subnets.
    pub subnet_ids: Vec<Arc<str>>,
    /// Route tables, of a gateway endpoint.
    pub route_table_ids: Vec<Arc<str>>,
    /// Whether the service's own name leads to it within the VPC.
    pub private_dns: Option<bool>,
    /// Tags.
    pub tags: Tags,
}

impl VpcEndpoint {
    /// Returns whether AWS Network Firewall made it.
    pub fn is_firewall(&self) -> bool {
        self.tags.get("AWSNetworkFirewallManaged").is_some_and(|value| &**value == "true")
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// CIDR or prefix list.
    pub destination: Arc<str>,
    /// Gateway, interface, endpoint, peering or `local`.
    pub target: Option<Arc<str>>,
    /// `active` or `blackhole`.
    pub state: Option<Arc<str>>,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteTable {
    /// `rtb-…`
    pub id: Arc<str>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// Whether subnets without a table of their own use it.
    pub main: bool,
    /// Subnets that it is associated with.
    pub subnet_ids: Vec<Arc<str>>,
    /// Routes.
    pub routes: Vec<Route>,
}

/// A flow log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowLog {
    /// `fl-…`
    pub id: Arc<str>,
    /// VPC, subnet, interface, gateway or attachment that it watches.
    pub resource_id: Option<Arc<str>>,
    /// Fields.
    pub log_format: Option<Arc<str>>,
    /// By field, e.g. `interface-tag`: the key of the tag whose value stands in it.
    pub tag_fields: Tags,
    /// `ALL`, `ACCEPT` or `REJECT`.
    pub traffic_type: Option<Arc<str>>,
    /// Longest aggregation interval, in seconds.
    pub aggregation_max_s: Option<i64>,
    /// `ACTIVE`.
    pub status: Option<Arc<str>>,
    /// `SUCCESS` or `FAILED`.
    pub deliver_status: Option<Arc<str>>,
    /// Where it writes to.
    pub destination: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Option<UnixSeconds>,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadBalancer {
    /// `app/NAME/ID`, `net/NAME/ID`, `gwy/NAME/ID`, or a Classic one's name.
    pub id: Arc<str>,
    /// `application`, `network`, `gateway`, `classic`.
    pub kind: Arc<str>,
    /// `internal` or `internet-facing`.
    pub scheme: Option<Arc<str>>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// DNS name.
    pub dns_name: Option<Arc<str>>,
    /// Subnets.
    pub subnet_ids: Vec<Arc<str>>,
}

/// An attachment of a VPC (or VPN, peer) to a transit gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransitGatewayAttachment {
    /// `tgw-attach-…`
    pub id: Arc<str>,
    /// `tgw-…`
    pub transit_gateway_id: Arc<str>,
    /// `vpc`, `vpn`, `peering`, …
    pub kind: Arc<str>,
    /// VPC or other resource.
    pub resource_id: Option<Arc<str>>,
    /// State.
    pub state: Option<Arc<str>>,
}

/// A peering of two VPCs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peering {
    /// `pcx-…`
    pub id: Arc<str>,
    /// VPC that asked.
    pub requester_vpc_id: Arc<str>,
    /// VPC that accepted.
    pub accepter_vpc_id: Arc<str>,
    /// `active` and the like.
    pub status: Option<Arc<str>>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: Arc<str>,
    /// Name.
    pub name: Option<Arc<str>>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// Outbound rules.
    pub egress: Vec<Rule>,
    /// Inbound rules.
    pub ingress: Vec<Rule>,
}

/// A rule of a security group or network ACL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Order, of a network ACL.
    pub number: Option<i64>,
    /// Protocol number, name, or `-1`.
    pub protocol: Arc<str>,
    /// First port.
    pub port_from: Option<i64>,
    /// Last port.
    pub port_to: Option<i64>,
    /// CIDRs, groups and prefix lists.
    pub peers: Vec<Arc<str>>,
    /// Whether it allows.
    pub allow: bool,
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkAcl {
    /// `acl-…`
    pub id: Arc<str>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// Subnets.
    pub subnet_ids: Vec<Arc<str>>,
    /// Outbound rules.
    pub egress: Vec<Rule>,
    /// Inbound rules.
    pub ingress: Vec<Rule>,
}

/// A DHCP options set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DhcpOptions {
    /// `dopt-…`
    pub id: Arc<str>,
    /// `domain-name-servers`.
    pub name_servers: Vec<Arc<str>>,
}

/// A Route 53 Resolver endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResolverEndpoint {
    /// `rslvr-in-…` or `rslvr-out-…`
    pub id: Arc<str>,
    /// Name.
    pub name: Option<Arc<str>>,
    /// `INBOUND` or `OUTBOUND`.
    pub direction: Option<Arc<str>>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
}

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// `i-…`
    pub id: Arc<str>,
    /// VPC.
    pub vpc_id: Option<Arc<str>>,
    /// Subnet.
    pub subnet_id: Option<Arc<str>>,
    /// Private DNS name.
    pub private_dns_name: Option<Arc<str>>,
    /// Tags.
    pub tags: Tags,
}

/// A managed prefix list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixList {
    /// `pl-…`
    pub id: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Account, or `AWS`.
    pub owner: Option<Arc<str>>,
}

/// An entry of a managed prefix list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixEntry {
    /// `pl-…`
    pub list_id: Arc<str>,
    /// Range.
    pub cidr: IpNet,
    /// Description.
    pub description: Arc<str>,
}

/// An account of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Twelve digits.
    pub id: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// An availability zone as one account names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AvailabilityZone {
    /// Name.
    pub name: Arc<str>,
    /// Id.
    pub id: Arc<str>,
}

/// An end that a Kubernetes object tells the API server to call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallTarget {
    /// A Service and its port number.
    Service {
        /// Namespace.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// Port of the Service.
        port: u16,
    },
    /// A URL's host and port.
    Url {
        /// Host name or address literal.
        host: Arc<str>,
        /// Port.
        port: u16,
    },
}

/// What a Kubernetes object says, as one fact that can come and go on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KubeFact {
    /// A node's InternalIP.
    Node {
        /// Name.
        name: Arc<str>,
        /// InternalIP.
        addr: IpAddr,
        /// Instance id of the provider id.
        instance_id: Option<Arc<str>>,
    },
    /// A pod's address.
    Pod {
        /// Namespace.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// Pod address.
        addr: IpAddr,
        /// Node.
        node: Option<Arc<str>>,
    },
    /// A port of a Service.
    ServicePort {
        /// Namespace.
        namespace: Arc<str>,
        /// Name of the Service.
        service: Arc<str>,
        /// Number.
        port: u16,
        /// Name, empty for the only port.
        port_name: Arc<str>,
        /// Cluster address.
        cluster_ip: Option<Arc<str>>,
    },
    /// An endpoint of a Service.
    Endpoint {
        /// Namespace.
        namespace: Arc<str>,
        /// Service.
        service: Arc<str>,
        /// Port name.
        port_name: Arc<str>,
        /// Port of the pod.
        port: u16,
        /// Address of the pod.
        addr: IpAddr,
        /// Pod, as `NAMESPACE/NAME`.
        pod: Option<Arc<str>>,
    },
    /// An object that makes the API server call out.
    Call {
        /// What it is.
        caller: Caller,
        /// Name of the object.
        name: Arc<str>,
        /// Name of the webhook within it.
        hook: Option<Arc<str>>,
        /// Where it calls.
        target: CallTarget,
        /// How long the API server waits for an answer, in seconds, of a webhook.
        timeout_s: Option<i64>,
        /// `Fail` or `Ignore`, of a webhook.
        failure_policy: Option<Arc<str>>,
    },
}

/// Kinds of objects that make the API server call out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// ValidatingWebhookConfiguration.
    Validating,
    /// MutatingWebhookConfiguration.
    Mutating,
    /// APIService.
    ApiService,
    /// Conversion webhook of a CustomResourceDefinition.
    Conversion,
}

impl Caller {
    /// Returns the kind of destination that it makes.
    pub fn destination_kind(self) -> &'static str {
        match self {
            Self::Validating | Self::Mutating => "webhook",
            Self::ApiService => "aggregated-api",
            Self::Conversion => "crd-conversion",
        }
    }

    /// Returns the resource name as `kubectl` writes it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Validating => "validatingwebhookconfiguration",
            Self::Mutating => "mutatingwebhookconfiguration",
            Self::ApiService => "apiservice",
            Self::Conversion => "customresourcedefinition",
        }
    }
}

/// A Kubernetes fact of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeHeld {
    /// Index into the clusters.
    pub cluster: u32,
    /// The fact.
    pub fact: KubeFact,
    /// When it held.
    pub claim: Claim,
}
