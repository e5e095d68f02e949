//! The one table of AWS's flow-log fields: name, column, type, version, meaning, and when it is missing.
//!
//! First the VPC fields: order, names, types and versions are those of the VPC user guide's page "Flow log records"
//! (version 11, June 2026); the order is that of the default format. Then the fields that only transit gateway records
//! have (Transit Gateway guide, "Transit Gateway Flow Log records"; version 6 is theirs). Parser, Arrow schema, SQL columns
//! and `flowproof fields` derive from this table: a new AWS field is one row here.

use arrow::datatypes::DataType;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a field's text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A signed 32-bit integer (AWS's `INT_32`).
    Int32,
    /// A signed 64-bit integer (AWS's `INT_64`).
    Int64,
    /// A string (AWS's `STRING`); ids, addresses and accounts keep leading zeros.
    Text,
}

impl FieldType {
    /// Returns the Arrow type of the field's column.
    pub fn arrow(self) -> DataType {
        match self {
            FieldType::Int32 => DataType::Int32,
            FieldType::Int64 => DataType::Int64,
            FieldType::Text => DataType::Utf8View,
        }
    }
}

/// One AWS field.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Token in a text header, e.g. `pkt-srcaddr`.
    pub name: &'static str,
    /// SQL and Parquet column, e.g. `pkt_srcaddr`.
    pub column: &'static str,
    /// Type of a value.
    pub kind: FieldType,
    /// Flow-log version that introduced the field.
    pub version: u8,
    /// What a value says.
    pub meaning: &'static str,
    /// When AWS writes `-`, which is NULL here.
    pub null_when: &'static str,
}

const fn f(
    name: &'static str,
    column: &'static str,
    kind: FieldType,
    version: u8,
    meaning: &'static str,
    null_when: &'static str,
) -> Field {
    Field { name, column, kind, version, meaning, null_when }
}

use FieldType::{Int32, Int64, Text};

/// Number of VPC fields; they are the first.
pub const VPC_FIELD_COUNT: usize = 54;

/// Number of fields.
pub const FIELD_COUNT: usize = 72;

/// Every field: those of VPC records in AWS's order, then those that only transit gateway records have.
#[rustfmt::skip]
pub static FIELDS: [Field; FIELD_COUNT] = [
    f("version", "version", Int32, 2, "Highest version among the selected fields", "never"),
    f("account-id", "account_id", Text, 2, "Account that owns the source interface; `unknown` for some interfaces that AWS created", "never"),
    f("interface-id", "interface_id", Text, 2, "Network interface that recorded the flow", "regional NAT gateway"),
    f("srcaddr", "srcaddr", Text, 2, "Sender on ingress; the interface's primary private address on egress", "no traffic"),
    f("dstaddr", "dstaddr", Text, 2, "Destination on egress; the interface's primary private address on ingress", "no traffic"),
    f("srcport", "srcport", Int32, 2, "Source port; 0 for ICMP", "no traffic"),
    f("dstport", "dstport", Int32, 2, "Destination port; 0 for ICMP", "no traffic"),
    f("protocol", "protocol", Int32, 2, "IANA protocol number", "no traffic"),
    f("packets", "packets", Int64, 2, "Packets in the interval", "no traffic"),
    f("bytes", "bytes", Int64, 2, "Bytes in the interval", "no traffic; VPC Block Public Access rejects"),
    f("start", "start", Int64, 2, "Unix seconds of the first packet in the interval, within 60 s", "seen in some NODATA records"),
    f("end", "end", Int64, 2, "Unix seconds of the last packet in the interval, within 60 s", "seen in some NODATA records"),
    f("action", "action", Text, 2, "`ACCEPT` or `REJECT` by security groups and network ACLs here", "no traffic"),
    f("log-status", "log_status", Text, 2, "`OK`, `NODATA` (no traffic) or `SKIPDATA` (records lost)", "never"),
    f("vpc-id", "vpc_id", Text, 3, "VPC of the interface", "never"),
    f("subnet-id", "subnet_id", Text, 3, "Subnet of the interface", "regional NAT gateway"),
    f("instance-id", "instance_id", Text, 3, "Instance that the interface is attached to, if you own it", "requester-managed interfaces"),
    f("tcp-flags", "tcp_flags", Int32, 3, "OR of FIN 1, SYN 2, RST 4, SYN-ACK 18 over the interval", "not computable; no traffic"),
    f("type", "type", Text, 3, "`IPv4`, `IPv6` or `EFA`", "no traffic"),
    f("pkt-srcaddr", "pkt_srcaddr", Text, 3, "Source address in the packet", "no traffic"),
    f("pkt-dstaddr", "pkt_dstaddr", Text, 3, "Destination address in the packet", "no traffic"),
    f("region", "region", Text, 4, "Region of the interface", "never"),
    f("az-id", "az_id", Text, 4, "AZ id (not name) of the interface", "sublocations"),
    f("sublocation-type", "sublocation_type", Text, 4, "`wavelength`, `outpost` or `localzone`", "not in a sublocation"),
    f("sublocation-id", "sublocation_id", Text, 4, "Id of the sublocation", "not in a sublocation"),
    f("pkt-src-aws-service", "pkt_src_aws_service", Text, 5, "AWS range name that `pkt-srcaddr` falls in", "not an AWS public range"),
    f("pkt-dst-aws-service", "pkt_dst_aws_service", Text, 5, "AWS range name that `pkt-dstaddr` falls in", "not an AWS public range"),
    f("flow-direction", "flow_direction", Text, 5, "`ingress` or `egress` as the interface saw it; not who opened the connection", "no traffic"),
    f("traffic-path", "traffic_path", Int32, 5, "Code of the egress path, 1 to 8", "ingress; no code applies"),
    f("ecs-cluster-arn", "ecs_cluster_arn", Text, 7, "ECS cluster ARN", "not an ECS `awsvpc` task"),
    f("ecs-cluster-name", "ecs_cluster_name", Text, 7, "ECS cluster name", "not an ECS `awsvpc` task"),
    f("ecs-container-instance-arn", "ecs_container_instance_arn", Text, 7, "Container instance ARN", "Fargate; not an ECS task"),
    f("ecs-container-instance-id", "ecs_container_instance_id", Text, 7, "Container instance id", "Fargate; not an ECS task"),
    f("ecs-container-id", "ecs_container_id", Text, 7, "Runtime id of the first container", "not an ECS `awsvpc` task"),
    f("ecs-second-container-id", "ecs_second_container_id", Text, 7, "Runtime id of the second container", "fewer than two containers"),
    f("ecs-service-name", "ecs_service_name", Text, 7, "ECS service", "task not started by a service"),
    f("ecs-task-definition-arn", "ecs_task_definition_arn", Text, 7, "Task definition ARN", "not an ECS `awsvpc` task"),
    f("ecs-task-arn", "ecs_task_arn", Text, 7, "Task ARN", "not an ECS `awsvpc` task"),
    f("ecs-task-id", "ecs_task_id", Text, 7, "Task id", "not an ECS `awsvpc` task"),
    f("reject-reason", "reject_reason", Text, 8, "`BPA` (VPC Block Public Access) or `EC` (encryption controls)", "accepts; other reasons"),
    f("resource-id", "resource_id", Text, 9, "Regional NAT gateway id", "everything else"),
    f("encryption-status", "encryption_status", Int32, 10, "0 clear text, 1 Nitro, 2 application level, 3 both", "feature off or unknown"),
    f("instance-tag", "instance_tag", Text, 11, "Value of the first configured instance tag key, percent-encoded", "untagged"),
    f("instance-tag-2", "instance_tag_2", Text, 11, "Value of the second configured instance tag key", "untagged"),
    f("interface-tag", "interface_tag", Text, 11, "Value of the first configured interface tag key", "untagged"),
    f("interface-tag-2", "interface_tag_2", Text, 11, "Value of the second configured interface tag key", "untagged"),
    f("asg-tag", "asg_tag", Text, 11, "Value of the first configured Auto Scaling group tag key", "untagged"),
    f("asg-tag-2", "asg_tag_2", Text, 11, "Value of the second configured Auto Scaling group tag key", "untagged"),
    f("interface-type", "interface_type", Text, 11, "Type of the recording interface, e.g. `nat_gateway`", "plain interfaces"),
    f("next-hop-interface-id", "next_hop_interface_id", Text, 11, "Interface that receives (egress) or sent (ingress) the packet next; a middlebox where there is one", "next hop is not an interface"),
    f("next-hop-subnet-id", "next_hop_subnet_id", Text, 11, "Subnet of the next hop", "as above"),
    f("next-hop-az-id", "next_hop_az_id", Text, 11, "AZ id of the next hop", "as above"),
    f("next-hop-vpc-id", "next_hop_vpc_id", Text, 11, "VPC of the next hop", "as above"),
    f("next-hop-interface-type", "next_hop_interface_type", Text, 11, "Type of the next hop's interface", "as above"),
    f("resource-type", "resource_type", Text, 6, "Always `TransitGateway`", "never"),
    f("tgw-id", "tgw_id", Text, 6, "Transit gateway", "never"),
    f("tgw-attachment-id", "tgw_attachment_id", Text, 6, "Attachment that recorded the flow", "never"),
    f("tgw-src-vpc-account-id", "tgw_src_vpc_account_id", Text, 6, "Account of the source VPC", "source is not a VPC attachment"),
    f("tgw-dst-vpc-account-id", "tgw_dst_vpc_account_id", Text, 6, "Account of the destination VPC", "destination is not a VPC attachment"),
    f("tgw-src-vpc-id", "tgw_src_vpc_id", Text, 6, "Source VPC", "source is not a VPC attachment"),
    f("tgw-dst-vpc-id", "tgw_dst_vpc_id", Text, 6, "Destination VPC", "destination is not a VPC attachment"),
    f("tgw-src-subnet-id", "tgw_src_subnet_id", Text, 6, "Source subnet", "source is not a VPC attachment"),
    f("tgw-dst-subnet-id", "tgw_dst_subnet_id", Text, 6, "Destination subnet", "destination is not a VPC attachment"),
    f("tgw-src-eni", "tgw_src_eni", Text, 6, "Source interface", "source is not a VPC attachment"),
    f("tgw-dst-eni", "tgw_dst_eni", Text, 6, "Destination interface", "destination is not a VPC attachment"),
    f("tgw-src-az-id", "tgw_src_az_id", Text, 6, "AZ id of the source", "sublocations"),
    f("tgw-dst-az-id", "tgw_dst_az_id", Text, 6, "AZ id of the destination", "sublocations"),
    f("tgw-pair-attachment-id", "tgw_pair_attachment_id", Text, 6, "Attachment at the other side of the gateway", "not known"),
    f("packets-lost-no-route", "packets_lost_no_route", Int64, 6, "Packets lost because no route was found", "no traffic"),
    f("packets-lost-blackhole", "packets_lost_blackhole", Int64, 6, "Packets lost to a blackhole route", "no traffic"),
    f("packets-lost-mtu-exceeded", "packets_lost_mtu_exceeded", Int64, 6, "Packets lost because they exceeded the MTU", "no traffic"),
    f("packets-lost-ttl-expired", "packets_lost_ttl_expired", Int64, 6, "Packets lost because their time to live expired", "no traffic"),
];

/// Header of the default format of transit gateway flow logs: all fields that their records have (Transit Gateway guide).
const TRANSIT_GATEWAY: &str = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id \
    tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni \
    tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
    log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired \
    tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service";

/// Returns the fields of VPC records, in AWS's order.
pub fn vpc_fields() -> impl Iterator<Item = FieldId> {
    (0..VPC_FIELD_COUNT).map(|at| FieldId(at as u8))
}

/// Returns the fields of transit gateway records, in AWS's order.
pub fn transit_gateway_fields() -> impl Iterator<Item = FieldId> {
    TRANSIT_GATEWAY.split(' ').filter_map(FieldId::by_name)
}

/// Names that other tools give to fields: AWS's first Athena tables (`sourceaddress`, `numbytes`) and CloudWatch Logs
/// Insights (`startTime`).
const OTHER_NAMES: [(&str, FieldId); 9] = [
    ("account", id::ACCOUNT_ID),
    ("sourceaddress", id::SRCADDR),
    ("destinationaddress", id::DSTADDR),
    ("sourceport", id::SRCPORT),
    ("destinationport", id::DSTPORT),
    ("numpackets", id::PACKETS),
    ("numbytes", id::BYTES),
    ("starttime", id::START),
    ("endtime", id::END),
];

/// Fields by name without hyphens, underscores and case.
static BY_BARE_NAME: LazyLock<HashMap<String, FieldId>> = LazyLock::new(|| {
    let fields = FIELDS.iter().enumerate().map(|(at, field)| (bare(field.name), FieldId(at as u8)));
    OTHER_NAMES.iter().map(|(name, field)| ((*name).to_owned(), *field)).chain(fields).collect()
});

fn bare(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// Position of a field in [`FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u8);

impl FieldId {
    /// Returns the field's row.
    pub fn field(self) -> &'static Field {
        &FIELDS[usize::from(self.0)]
    }

    /// Returns the field's position as an index.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Returns what a value says in a transit gateway record, where shared names have another meaning.
    pub fn meaning_at_transit_gateway(self) -> &'static str {
        match self {
            id::ACCOUNT_ID => "Account that owns the transit gateway",
            id::SRCADDR => "Source address of the packets",
            id::DSTADDR => "Destination address of the packets",
            id::TCP_FLAGS => "OR of FIN 1, SYN 2, RST 4, PSH 8, ACK 16, SYN-ACK 18, URG 32 over the interval",
            id::REGION => "Region of the transit gateway",
            id::FLOW_DIRECTION => "`ingress` or `egress` as the transit gateway saw it",
            _ => self.field().meaning,
        }
    }

    /// Finds a field by its header token (`pkt-srcaddr`).
    pub fn by_name(name: &str) -> Option<FieldId> {
        FIELDS.iter().position(|field| field.name == name).map(|at| FieldId(at as u8))
    }

    /// Finds a field by the name of its column (`pkt_srcaddr`).
    pub fn by_column(name: &str) -> Option<FieldId> {
        FIELDS.iter().position(|field| field.column == name).map(|at| FieldId(at as u8))
    }

    /// Finds a field by any name that it goes by: AWS's, with underscores, in camel case, or that of an older tool.
    pub fn by_any_name(name: &str) -> Option<FieldId> {
        BY_BARE_NAME.get(&bare(name)).copied()
    }
}

/// Ids of the fields that the engine itself reads.
#[rustfmt::skip]
#[expect(missing_docs, reason = "each constant is the field of its name")]
pub mod id {
    use super::FieldId;
    pub const VERSION: FieldId = FieldId(0);
    pub const ACCOUNT_ID: FieldId = FieldId(1);
    pub const INTERFACE_ID: FieldId = FieldId(2);
    pub const SRCADDR: FieldId = FieldId(3);
    pub const DSTADDR: FieldId = FieldId(4);
    pub const SRCPORT: FieldId = FieldId(5);
    pub const DSTPORT: FieldId = FieldId(6);
    pub const PROTOCOL: FieldId = FieldId(7);
    pub const PACKETS: FieldId = FieldId(8);
    pub const BYTES: FieldId = FieldId(9);
    pub const START: FieldId = FieldId(10);
    pub const END: FieldId = FieldId(11);
    pub const ACTION: FieldId = FieldId(12);
    pub const LOG_STATUS: FieldId = FieldId(13);
    pub const VPC_ID: FieldId = FieldId(14);
    pub const SUBNET_ID: FieldId = FieldId(15);
    pub const INSTANCE_ID: FieldId = FieldId(16);
    pub const TCP_FLAGS: FieldId = FieldId(17);
    pub const TYPE: FieldId = FieldId(18);
    pub const PKT_SRCADDR: FieldId = FieldId(19);
    pub const PKT_DSTADDR: FieldId = FieldId(20);
    pub const REGION: FieldId = FieldId(21);
    pub const AZ_ID: FieldId = FieldId(22);
    pub const SUBLOCATION_TYPE: FieldId = FieldId(23);
    pub const SUBLOCATION_ID: FieldId = FieldId(24);
    pub const PKT_SRC_AWS_SERVICE: FieldId = FieldId(25);
    pub const PKT_DST_AWS_SERVICE: FieldId = FieldId(26);
    pub const FLOW_DIRECTION: FieldId = FieldId(27);
    pub const TRAFFIC_PATH: FieldId = FieldId(28);
    pub const ECS_CLUSTER_ARN: FieldId = FieldId(29);
    pub const ECS_CLUSTER_NAME: FieldId = FieldId(30);
    pub const ECS_CONTAINER_INSTANCE_ARN: FieldId = FieldId(31);
    pub const ECS_CONTAINER_INSTANCE_ID: FieldId = FieldId(32);
    pub const ECS_CONTAINER_ID: FieldId = FieldId(33);
    pub const ECS_SECOND_CONTAINER_ID: FieldId = FieldId(34);
    pub const ECS_SERVICE_NAME: FieldId = FieldId(35);
    pub const ECS_TASK_DEFINITION_ARN: FieldId = FieldId(36);
    pub const ECS_TASK_ARN: FieldId = FieldId(37);
    pub const ECS_TASK_ID: FieldId = FieldId(38);
    pub const REJECT_REASON: FieldId = FieldId(39);
    pub const RESOURCE_ID: FieldId = FieldId(40);
    pub const ENCRYPTION_STATUS: FieldId = FieldId(41);
    pub const INSTANCE_TAG: FieldId = FieldId(42);
    pub const INSTANCE_TAG_2: FieldId = FieldId(43);
    pub const INTERFACE_TAG: FieldId = FieldId(44);
    pub const INTERFACE_TAG_2: FieldId = FieldId(45);
    pub const ASG_TAG: FieldId = FieldId(46);
    pub const ASG_TAG_2: FieldId = FieldId(47);
    pub const INTERFACE_TYPE: FieldId = FieldId(48);
    pub const NEXT_HOP_INTERFACE_ID: FieldId = FieldId(49);
    pub const NEXT_HOP_SUBNET_ID: FieldId = FieldId(50);
    pub const NEXT_HOP_AZ_ID: FieldId = FieldId(51);
    pub const NEXT_HOP_VPC_ID: FieldId = FieldId(52);
    pub const NEXT_HOP_INTERFACE_TYPE: FieldId = FieldId(53);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_names_with_underscores() {
        for field in &FIELDS {
            assert_eq!(field.column, field.name.replace('-', "_"));
            assert!(!field.meaning.is_empty() && !field.null_when.is_empty());
        }
    }

    #[test]
    fn versions_add_up_to_the_counts_that_aws_lists() {
        let up_to = |version| vpc_fields().filter(|id| id.field().version <= version).count();
        assert_eq!([2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(up_to), [14, 21, 25, 29, 29, 39, 40, 41, 42, 54]);
    }

    #[test]
    fn ids_name_their_fields() {
        assert_eq!(id::LOG_STATUS.field().name, "log-status");
        assert_eq!(id::NEXT_HOP_INTERFACE_TYPE.field().name, "next-hop-interface-type");
        assert_eq!(FieldId::by_name("traffic-path"), Some(id::TRAFFIC_PATH));
        assert_eq!(FieldId::by_name("tgw-id").map(|id| id.index()), Some(VPC_FIELD_COUNT + 1));
    }

    #[test]
    fn every_way_to_write_a_name_finds_its_field() {
        for name in ["pkt-srcaddr", "pkt_srcaddr", "pktSrcaddr", "PktSrcAddr"] {
            assert_eq!(FieldId::by_any_name(name), Some(id::PKT_SRCADDR), "{name}");
        }
        for (name, field) in
            [("interfaceId", id::INTERFACE_ID), ("startTime", id::START), ("numbytes", id::BYTES), ("account", id::ACCOUNT_ID)]
        {
            assert_eq!(FieldId::by_any_name(name), Some(field), "{name}");
        }
        assert_eq!(BY_BARE_NAME.len(), FIELD_COUNT + OTHER_NAMES.len(), "two fields share a bare name");
    }

    #[test]
    fn transit_gateway_records_have_36_fields_and_all_of_their_own() {
        let fields: Vec<FieldId> = transit_gateway_fields().collect();
        assert_eq!(fields.len(), TRANSIT_GATEWAY.split(' ').count());
        assert_eq!(fields.len(), 36);
        assert_eq!(fields.iter().filter(|id| id.index() >= VPC_FIELD_COUNT).count(), FIELD_COUNT - VPC_FIELD_COUNT);
    }
}
