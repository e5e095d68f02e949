//! What the inventory lacks, for which answer, and how to get it.
//!
//! Judges presence only, not content: a finding never says that an answer is right, only that it can be given.

use crate::inventory::Inventory;
use crate::inventory::model::EgressMode;
use std::collections::BTreeSet;

/// Whether what an answer needs is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// Everything.
    Present,
    /// Some of it.
    Partial,
    /// Nothing.
    Missing,
}

impl Presence {
    /// Returns the word used in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Partial => "partial",
            Self::Missing => "missing",
        }
    }

    fn of(have: usize, of: usize) -> Presence {
        match have {
            0 => Self::Missing,
            have if have < of => Self::Partial,
            _ => Self::Present,
        }
    }
}

/// What one answer needs and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The answer that needs it.
    pub answer: &'static str,
    /// Whether it is there.
    pub presence: Presence,
    /// What is there.
    pub found: String,
    /// What happens without it.
    pub why: &'static str,
    /// The command that collects it.
    pub command: &'static str,
}

/// Returns a finding per answer, in the order of the reports.
pub fn check(inventory: &Inventory) -> Vec<Finding> {
    vec![
        clusters(inventory),
        control_plane(inventory),
        egress_mode(inventory),
        kubernetes(inventory),
        dns(inventory),
        nat_path(inventory),
        cross_az(inventory),
        peers_over_vpcs(inventory),
        coverage(inventory),
        public_names(inventory),
        readiness(inventory),
        time(inventory),
    ]
}

fn clusters(inventory: &Inventory) -> Finding {
    let described = inventory.clusters.len();
    let missing: Vec<&str> =
        inventory.cluster_names.iter().map(|name| &**name).filter(|name| !inventory.clusters.iter().any(|c| *c.name == **name)).collect();
    let lacking = if missing.is_empty() { String::new() } else { format!("; described nowhere: {}", missing.join(", ")) };
    Finding {
        answer: "clusters in scope",
        presence: Presence::of(described, described + missing.len()),
        found: format!("{described} described, {} listed{lacking}", inventory.cluster_names.len()),
        why: "a control-plane interface counts only with a described cluster of its exact name",
        command: "aws eks list-clusters; aws eks describe-cluster --name NAME",
    }
}

fn control_plane(inventory: &Inventory) -> Finding {
    let have = |index: u32| inventory.enis.iter().any(|eni| eni.control_plane.is_some() && eni.cluster == Some(index));
    let count = inventory.enis.iter().filter(|eni| eni.control_plane.is_some()).count();
    let with = (0..inventory.clusters.len() as u32).filter(|index| have(*index)).count();
    let presence =
        if count > 0 && !inventory.suspects.is_empty() { Presence::Partial } else { Presence::of(with, inventory.clusters.len()) };
    Finding {
        answer: "control-plane interfaces",
        presence,
        found: format!("{count} interfaces for {with} of {} clusters; {} suspected", inventory.clusters.len(), inventory.suspects.len()),
        why: "without them no record can be told to be the API server's",
        command: "aws ec2 describe-network-interfaces (no filter: the absence of an interface counts too)",
    }
}

fn egress_mode(inventory: &Inventory) -> Finding {
    let known = inventory.clusters.iter().filter(|cluster| cluster.egress_mode != EgressMode::Unknown).count();
    let changes: usize = inventory.clusters.iter().map(|cluster| cluster.mode_changes.len()).sum();
    Finding {
        answer: "egress mode",
        presence: Presence::of(known, inventory.clusters.len()),
        found: format!("mode of {known} of {} clusters; {changes} changes", inventory.clusters.len()),
        why: "unless a cluster is CUSTOMER_ROUTED, its external egress is invisible and statements stay INDETERMINATE; old AWS CLIs drop the key",
        command: "aws eks describe-cluster --name NAME; aws eks list-updates --name NAME; aws eks describe-update --name NAME --update-id ID",
    }
}

fn kubernetes(inventory: &Inventory) -> Finding {
    let mut with: Vec<u32> = inventory.listeners.keys().map(|(cluster, ..)| *cluster).collect();
    with.sort_unstable();
    with.dedup();
    Finding {
        answer: "egress destinations named by configuration",
        presence: Presence::of(with.len(), inventory.clusters.len()),
        found: format!(
            "webhook or API-service ends of {} of {} clusters; {} node addresses",
            with.len(),
            inventory.clusters.len(),
            inventory.nodes.len()
        ),
        why: "without them a webhook is only a pod, and a pod only an address",
        command: "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations,apiservices,customresourcedefinitions,services,endpointslices,nodes,pods -A -o json",
    }
}

fn dns(inventory: &Inventory) -> Finding {
    let wanted = inventory.hosts.len();
    let presence = if inventory.answers.is_empty() && wanted > 0 { Presence::Missing } else { Presence::Present };
    Finding {
        answer: "destinations named by DNS",
        presence,
        found: format!("answers for {} addresses; {wanted} clusters name hosts", inventory.answers.len()),
        why: "an external issuer or webhook URL can only be recognised by the addresses that its name had",
        command: "Route 53 Resolver query logs of the VPC (copy the log files into the inventory)",
    }
}

fn nat_path(inventory: &Inventory) -> Finding {
    let parts = [inventory.nat_gateways.len(), inventory.vpc_endpoints.len(), inventory.route_tables.len()];
    Finding {
        answer: "path through NAT, endpoints and firewalls",
        presence: Presence::of(parts.iter().filter(|count| **count > 0).count(), parts.len()),
        found: format!("{} NAT gateways, {} endpoints, {} route tables", parts[0], parts[1], parts[2]),
        why: "without them a hop is an interface without a name, and the approved device cannot be proven",
        command: "aws ec2 describe-nat-gateways; aws ec2 describe-vpc-endpoints; aws ec2 describe-route-tables",
    }
}

fn cross_az(inventory: &Inventory) -> Finding {
    let with = inventory.subnets.iter().filter(|subnet| subnet.item.az_id.is_some()).count();
    Finding {
        answer: "cross-AZ bytes",
        presence: Presence::of(with, inventory.subnets.len()),
        found: format!("AZ id of {with} of {} subnets", inventory.subnets.len()),
        why: "AZ names differ between accounts; without ids the other end's AZ stays unresolved",
        command: "aws ec2 describe-subnets; aws ec2 describe-availability-zones",
    }
}

fn peers_over_vpcs(inventory: &Inventory) -> Finding {
    let links = inventory.peerings.len() + inventory.attachments.len();
    let presence = if inventory.vpcs.len() > 1 { Presence::of(links.min(1), 1) } else { Presence::of(inventory.vpcs.len(), 1) };
    Finding {
        answer: "peers in other VPCs",
        presence,
        found: format!(
            "{} VPCs, {} peerings, {} transit gateway attachments",
            inventory.vpcs.len(),
            inventory.peerings.len(),
            inventory.attachments.len()
        ),
        why: "an address that several VPCs use is resolved only along known connections",
        command: "aws ec2 describe-vpcs; aws ec2 describe-vpc-peering-connections; aws ec2 describe-transit-gateway-attachments",
    }
}

fn coverage(inventory: &Inventory) -> Finding {
    let all = inventory.flow_logs.iter().filter(|log| log.item.traffic_type.as_deref() == Some("ALL")).count();
    Finding {
        answer: "coverage",
        presence: Presence::of(all, inventory.flow_logs.len()),
        found: format!("{} flow logs, {all} of them log ALL traffic", inventory.flow_logs.len()),
        why: "shows that logging was live, which format it has, and which objects need not be read",
        command: "aws ec2 describe-flow-logs",
    }
}

fn public_names(inventory: &Inventory) -> Finding {
    let when = inventory.ranges.token().map(|token| format!(" of {}", crate::time::rfc3339(token))).unwrap_or_default();
    Finding {
        answer: "AWS services by address",
        presence: Presence::of(inventory.ranges.count, 1),
        found: format!("{} ranges{when}", inventory.ranges.count),
        why: "names public AWS destinations where the log lacks pkt-dst-aws-service",
        command: "curl -fsS https://ip-ranges.amazonaws.com/ip-ranges.json",
    }
}

/// What `report readiness` needs beside the rest.
fn readiness(inventory: &Inventory) -> Finding {
    let vpcs: BTreeSet<&str> = inventory.vpc_attributes.iter().map(|held| &*held.item.vpc_id).collect();
    let roles: BTreeSet<&str> = inventory.roles.iter().map(|held| &*held.item.name).collect();
    let parts = [
        inventory.route_tables.len(),
        inventory.security_groups.len(),
        inventory.network_acls.len(),
        inventory.dhcp_options.len(),
        vpcs.len(),
        roles.len(),
    ];
    Finding {
        answer: "readiness for CUSTOMER_ROUTED",
        presence: Presence::of(parts.iter().filter(|count| **count > 0).count(), parts.len()),
        found: format!(
            "{} route tables, {} security groups, {} network ACLs, {} DHCP options sets; DNS attributes of {} VPCs, policies of {} roles",
            parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
        ),
        why: "the switch cannot be undone, and what is not collected stays unknown in report readiness",
        command: "aws ec2 describe-route-tables; describe-security-groups; describe-network-acls; describe-dhcp-options; describe-vpc-attribute --vpc-id ID --attribute enableDnsSupport; aws iam list-attached-role-policies --role-name NAME; get-policy-version; flowproof inventory script has them all",
    }
}

fn time(inventory: &Inventory) -> Finding {
    let instants: Vec<String> =
        [inventory.eni_snapshots.first(), inventory.eni_snapshots.last()].into_iter().flatten().map(|t| crate::time::rfc3339(*t)).collect();
    let span = if instants.is_empty() { String::new() } else { format!(" from {}", instants.join(" to ")) };
    Finding {
        answer: "validity over time",
        presence: Presence::of(inventory.eni_snapshots.len(), 2),
        found: format!("{} snapshots of interfaces{span}", inventory.eni_snapshots.len()),
        why: "addresses change hands; one snapshot is only carried on to other times, and marked so",
        command: "run the collection script before and after the period, or add AWS Config history and CloudTrail records",
    }
}
