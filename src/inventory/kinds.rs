//! Families of network interfaces: what an ENI belongs to, by type, description, requester and tags.
//!
//! The table is that of the EC2 API's `InterfaceType` and of the descriptions that AWS services write; both are open
//! sets, so what we do not know is `other`. Control-plane interfaces are not decided here (see `control_plane`): a
//! description alone proves nothing. Never matches by substring: `weekstats` contains `eks`.

use std::sync::Arc;

/// What a network interface belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceKind {
    /// Control plane of an EKS cluster, accepted by the scored rule.
    EksControlPlane,
    /// EKS node: its primary interface, CNI secondary or trunk.
    EksNode,
    /// Interface of one pod (branch interface, Fargate).
    EksPod,
    /// NAT gateway.
    NatGateway,
    /// Interface VPC endpoint.
    VpcEndpoint,
    /// Gateway Load Balancer endpoint that is not a Network Firewall's.
    GatewayLoadBalancerEndpoint,
    /// Network Firewall endpoint.
    FirewallEndpoint,
    /// Application Load Balancer.
    Alb,
    /// Network Load Balancer.
    Nlb,
    /// Gateway Load Balancer.
    Gwlb,
    /// Classic Load Balancer.
    ClassicElb,
    /// Transit gateway attachment.
    TransitGateway,
    /// RDS or Aurora.
    Rds,
    /// RDS Proxy.
    RdsProxy,
    /// Route 53 Resolver endpoint.
    Resolver,
    /// Lambda.
    Lambda,
    /// ElastiCache.
    ElastiCache,
    /// EFS mount target.
    Efs,
    /// OpenSearch.
    OpenSearch,
    /// Redshift.
    Redshift,
    /// Database Migration Service.
    Dms,
    /// Amazon MQ.
    Mq,
    /// Directory Service.
    Directory,
    /// API Gateway VPC link.
    ApiGateway,
    /// ECS task.
    EcsTask,
    /// VPC Lattice resource gateway.
    ResourceGateway,
    /// Global Accelerator.
    GlobalAccelerator,
    /// QuickSight.
    QuickSight,
    /// EC2 Instance Connect endpoint.
    InstanceConnectEndpoint,
    /// Anything else, plain EC2 instances among it.
    Other,
}

impl InterfaceKind {
    /// Returns the name used in columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EksControlPlane => "eks-control-plane",
            Self::EksNode => "eks-node",
            Self::EksPod => "eks-pod",
            Self::NatGateway => "nat-gateway",
            Self::VpcEndpoint => "vpc-endpoint",
            Self::GatewayLoadBalancerEndpoint => "gateway-load-balancer-endpoint",
            Self::FirewallEndpoint => "firewall-endpoint",
            Self::Alb => "alb",
            Self::Nlb => "nlb",
            Self::Gwlb => "gwlb",
            Self::ClassicElb => "classic-elb",
            Self::TransitGateway => "transit-gateway",
            Self::Rds => "rds",
            Self::RdsProxy => "rds-proxy",
            Self::Resolver => "resolver",
            Self::Lambda => "lambda",
            Self::ElastiCache => "elasticache",
            Self::Efs => "efs",
            Self::OpenSearch => "opensearch",
            Self::Redshift => "redshift",
            Self::Dms => "dms",
            Self::Mq => "mq",
            Self::Directory => "directory",
            Self::ApiGateway => "api-gateway",
            Self::EcsTask => "ecs-task",
            Self::ResourceGateway => "resource-gateway",
            Self::GlobalAccelerator => "global-accelerator",
            Self::QuickSight => "quicksight",
            Self::InstanceConnectEndpoint => "instance-connect-endpoint",
            Self::Other => "other",
        }
    }

    /// Returns whether packets of others pass through such an interface.
    pub fn is_path_device(self) -> bool {
        matches!(
            self,
            Self::NatGateway
                | Self::VpcEndpoint
                | Self::GatewayLoadBalancerEndpoint
                | Self::FirewallEndpoint
                | Self::Gwlb
                | Self::TransitGateway
        )
    }

    /// Returns whether it is a load balancer.
    pub fn is_load_balancer(self) -> bool {
        matches!(self, Self::Alb | Self::Nlb | Self::Gwlb | Self::ClassicElb)
    }

    /// Returns whether it is a managed database or cache.
    pub fn is_database(self) -> bool {
        matches!(self, Self::Rds | Self::RdsProxy | Self::ElastiCache | Self::Redshift | Self::OpenSearch)
    }
}

/// What one interface's own description and type say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) kind: InterfaceKind,
    pub(super) resource: Option<Arc<str>>,
    /// Instance that a CNI secondary names in its description.
    pub(super) instance_id: Option<Arc<str>>,
}

/// Descriptions by prefix, in the order in which they are tried. What follows up to a space or colon is the resource.
const DESCRIPTIONS: [(&str, InterfaceKind, &str); 22] = [
    ("Interface for NAT Gateway ", InterfaceKind::NatGateway, "nat-"),
    ("VPC Endpoint Interface", InterfaceKind::VpcEndpoint, "vpce-"),
    ("Resource Gateway Interface", InterfaceKind::ResourceGateway, "rgw-"),
    ("ELB app/", InterfaceKind::Alb, "app/"),
    ("ELB net/", InterfaceKind::Nlb, "net/"),
    ("ELB gwy/", InterfaceKind::Gwlb, "gwy/"),
    ("ELB ", InterfaceKind::ClassicElb, ""),
    ("AWS Lambda VPC ENI", InterfaceKind::Lambda, ""),
    ("Network Interface for Transit Gateway Attachment ", InterfaceKind::TransitGateway, "tgw-attach-"),
    ("Route 53 Resolver: ", InterfaceKind::Resolver, "rslvr-"),
    ("Route 53 Resolver:", InterfaceKind::Resolver, "rslvr-"),
    ("RDSNetworkInterface", InterfaceKind::Rds, ""),
    ("Network interface for DBProxy", InterfaceKind::RdsProxy, ""),
    ("ElastiCache ", InterfaceKind::ElastiCache, ""),
    ("EFS mount target for ", InterfaceKind::Efs, "fs-"),
    ("ES ", InterfaceKind::OpenSearch, ""),
    ("Redshift", InterfaceKind::Redshift, ""),
    ("DMSNetworkInterface", InterfaceKind::Dms, ""),
    ("Amazon MQ network interface for broker ", InterfaceKind::Mq, "b-"),
    ("AWS created network interface for directory ", InterfaceKind::Directory, "d-"),
    ("ENI managed by APIGateway", InterfaceKind::ApiGateway, ""),
    ("arn:aws", InterfaceKind::EcsTask, ""),
];

/// Prefix of a CNI secondary interface's description; the instance id follows.
const CNI_SECONDARY: &str = "aws-K8S-";

/// Returns the family that type, description and requester name.
pub(super) fn family(interface_type: &str, description: &str, requester: Option<&str>) -> Family {
    let of = |kind, resource| Family { kind, resource, instance_id: None };
    if let Some(instance) = description.strip_prefix(CNI_SECONDARY) {
        let instance_id = instance.starts_with("i-").then(|| instance.into());
        return Family { kind: InterfaceKind::EksNode, resource: None, instance_id };
    }
    match description {
        "aws-k8s-trunk-eni" => return of(InterfaceKind::EksNode, None),
        "aws-k8s-branch-eni" => return of(InterfaceKind::EksPod, None),
        _ => {}
    }
    let typed = by_type(interface_type);
    let described = DESCRIPTIONS.iter().find(|(prefix, ..)| description.starts_with(prefix));
    let resource = described.and_then(|(prefix, kind, mark)| resource(description, prefix, *kind, mark));
    let kind = match (typed, described) {
        // The type is AWS's own word; the description of a load balancer says which one.
        (Some(InterfaceKind::Alb), Some((_, kind, _))) if kind.is_load_balancer() => *kind,
        (Some(kind), _) => kind,
        (None, Some((_, InterfaceKind::ClassicElb, _))) if requester.is_some_and(|requester| requester != "amazon-elb") => {
            InterfaceKind::Other
        }
        (None, Some((_, InterfaceKind::EcsTask, _))) if !description.contains(":ecs:") => InterfaceKind::Other,
        (None, Some((_, kind, _))) => *kind,
        (None, None) if requester == Some("amazon-rds") => InterfaceKind::Rds,
        (None, None) if requester == Some("amazon-elasticache") => InterfaceKind::ElastiCache,
        (None, None) => InterfaceKind::Other,
    };
    of(kind, resource.filter(|_| kind != InterfaceKind::Other))
}

/// Returns the family of an `InterfaceType`, either spelling (`natGateway`, `nat_gateway`).
fn by_type(interface_type: &str) -> Option<InterfaceKind> {
    let plain: String = interface_type.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    Some(match plain.as_str() {
        "natgateway" => InterfaceKind::NatGateway,
        "loadbalancer" => InterfaceKind::Alb,
        "networkloadbalancer" => InterfaceKind::Nlb,
        "gatewayloadbalancer" => InterfaceKind::Gwlb,
        "gatewayloadbalancerendpoint" => InterfaceKind::GatewayLoadBalancerEndpoint,
        "vpcendpoint" => InterfaceKind::VpcEndpoint,
        "transitgateway" => InterfaceKind::TransitGateway,
        "lambda" => InterfaceKind::Lambda,
        "trunk" => InterfaceKind::EksNode,
        "branch" => InterfaceKind::EksPod,
        "quicksight" => InterfaceKind::QuickSight,
        "globalacceleratormanaged" => InterfaceKind::GlobalAccelerator,
        "apigatewaymanaged" => InterfaceKind::ApiGateway,
        "efs" => InterfaceKind::Efs,
        "ec2instanceconnectendpoint" => InterfaceKind::InstanceConnectEndpoint,
        _ => return None,
    })
}

/// Returns the resource that a description names.
fn resource(description: &str, prefix: &str, kind: InterfaceKind, mark: &str) -> Option<Arc<str>> {
    let text = match kind {
        InterfaceKind::Alb | InterfaceKind::Nlb | InterfaceKind::Gwlb | InterfaceKind::ClassicElb => description.strip_prefix("ELB ")?,
        InterfaceKind::EcsTask => description,
        InterfaceKind::Lambda => description.strip_prefix(prefix)?.trim_start_matches(['-', ' ', ':']),
        _ => description.strip_prefix(prefix)?.trim_start_matches([' ', ':']),
    };
    let word = match kind {
        InterfaceKind::EcsTask | InterfaceKind::Lambda => text,
        InterfaceKind::RdsProxy | InterfaceKind::Rds | InterfaceKind::Redshift => return None,
        _ => text.split([' ', ':', ',']).next()?,
    };
    (!word.is_empty() && word.starts_with(mark)).then(|| word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_the_table() {
        let check = |kind: &str, description: &str, want: InterfaceKind, resource: Option<&str>| {
            let family = family(kind, description, None);
            assert_eq!((family.kind, family.resource.as_deref()), (want, resource), "{kind} {description}");
        };
        check("interface", "", InterfaceKind::Other, None);
        check("interface", "weekstats", InterfaceKind::Other, None);
        check("interface", "Amazon EKS payments-prod", InterfaceKind::Other, None);
        check("trunk", "aws-k8s-trunk-eni", InterfaceKind::EksNode, None);
        check("branch", "aws-k8s-branch-eni", InterfaceKind::EksPod, None);
        check("nat_gateway", "Interface for NAT Gateway nat-0abc", InterfaceKind::NatGateway, Some("nat-0abc"));
        check("natGateway", "Interface for NAT Gateway nat-0abc", InterfaceKind::NatGateway, Some("nat-0abc"));
        check("vpc_endpoint", "VPC Endpoint Interface vpce-0aaa", InterfaceKind::VpcEndpoint, Some("vpce-0aaa"));
        check("interface", "VPC Endpoint Interface: vpce-0aaa", InterfaceKind::VpcEndpoint, Some("vpce-0aaa"));
        check(
            "gateway_load_balancer_endpoint",
            "VPC Endpoint Interface vpce-0f",
            InterfaceKind::GatewayLoadBalancerEndpoint,
            Some("vpce-0f"),
        );
        check("interface", "Resource Gateway Interface rgw-01", InterfaceKind::ResourceGateway, Some("rgw-01"));
        check("interface", "ELB app/web/50dc6c495c0c9188", InterfaceKind::Alb, Some("app/web/50dc6c495c0c9188"));
        check("load_balancer", "ELB app/web/50dc", InterfaceKind::Alb, Some("app/web/50dc"));
        check("network_load_balancer", "ELB net/web/50dc", InterfaceKind::Nlb, Some("net/web/50dc"));
        check("gateway_load_balancer", "ELB gwy/fw/50dc", InterfaceKind::Gwlb, Some("gwy/fw/50dc"));
        check("interface", "ELB classic", InterfaceKind::ClassicElb, Some("classic"));
        check("lambda", "AWS Lambda VPC ENI-resize-1111-22", InterfaceKind::Lambda, Some("resize-1111-22"));
        check(
            "transit_gateway",
            "Network Interface for Transit Gateway Attachment tgw-attach-0a",
            InterfaceKind::TransitGateway,
            Some("tgw-attach-0a"),
        );
        check("interface", "Route 53 Resolver: rslvr-in-0a:rni-0b", InterfaceKind::Resolver, Some("rslvr-in-0a"));
        check("interface", "RDSNetworkInterface", InterfaceKind::Rds, None);
        check("interface", "Network interface for DBProxy orders", InterfaceKind::RdsProxy, None);
        check("interface", "ElastiCache cache-001", InterfaceKind::ElastiCache, Some("cache-001"));
        check("interface", "EFS mount target for fs-0a (fsmt-0b)", InterfaceKind::Efs, Some("fs-0a"));
        check("interface", "ES search", InterfaceKind::OpenSearch, Some("search"));
        check("interface", "RedshiftNetworkInterface", InterfaceKind::Redshift, None);
        check("interface", "DMSNetworkInterface", InterfaceKind::Dms, None);
        check("interface", "Amazon MQ network interface for broker b-1a", InterfaceKind::Mq, Some("b-1a"));
        check("interface", "AWS created network interface for directory d-9067", InterfaceKind::Directory, Some("d-9067"));
        check("api_gateway_managed", "ENI managed by APIGateway", InterfaceKind::ApiGateway, None);
        let task = "arn:aws:ecs:eu-central-1:111122223333:attachment/0a";
        check("interface", task, InterfaceKind::EcsTask, Some(task));
        check("hyperdrive", "", InterfaceKind::Other, None);
    }

    #[test]
    fn cni_secondary_names_its_instance() {
        let family = family("interface", "aws-K8S-i-0123", None);
        assert_eq!((family.kind, family.instance_id.as_deref()), (InterfaceKind::EksNode, Some("i-0123")));
    }

    #[test]
    fn a_users_elb_description_is_no_load_balancer() {
        assert_eq!(family("interface", "ELB test of mine", Some("111122223333")).kind, InterfaceKind::Other);
    }
}
