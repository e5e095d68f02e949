//! One flow-log record of the plan, and its fields under AWS's names.
//!
//! Names and order are those of the VPC user guide's page "Flow log records" (version 11). The engine has its own table;
//! this one is written apart from it on purpose.

use super::estate::Site;

/// Every field in AWS's order, with the version that introduced it.
#[rustfmt::skip]
pub(crate) const FIELDS: [&str; 54] = [
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log-status",
    "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr",
    "region", "az-id", "sublocation-type", "sublocation-id",
    "pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path",
    "ecs-cluster-arn", "ecs-cluster-name", "ecs-container-instance-arn", "ecs-container-instance-id", "ecs-container-id",
    "ecs-second-container-id", "ecs-service-name", "ecs-task-definition-arn", "ecs-task-arn", "ecs-task-id",
    "reject-reason", "resource-id", "encryption-status",
    "instance-tag", "instance-tag-2", "interface-tag", "interface-tag-2", "asg-tag", "asg-tag-2", "interface-type",
    "next-hop-interface-id", "next-hop-subnet-id", "next-hop-az-id", "next-hop-vpc-id", "next-hop-interface-type",
];

/// Number of fields of the default format (version 2).
pub(crate) const FIELDS_V2: usize = 14;
/// Number of fields up to version 5.
pub(crate) const FIELDS_V5: usize = 29;

/// Positions in [`FIELDS`] that AWS writes as INT_32 in Parquet.
pub(crate) const INT32: [usize; 7] = [0, 5, 6, 7, 17, 28, 41];
/// Positions in [`FIELDS`] that AWS writes as INT_64 in Parquet.
pub(crate) const INT64: [usize; 4] = [8, 9, 10, 11];

/// No next hop.
pub(crate) const NO_HOP: u32 = u32::MAX;

/// `log-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    NoData,
    SkipData,
}

/// One record; addresses and interfaces are positions in the site's tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) status: Status,
    pub(crate) eni: u32,
    pub(crate) src: u32,
    pub(crate) dst: u32,
    pub(crate) pkt_src: u32,
    pub(crate) pkt_dst: u32,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) protocol: u8,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) accept: bool,
    pub(crate) flags: u8,
    pub(crate) egress: bool,
    /// `traffic-path`; 0 stands for `-`.
    pub(crate) path: u8,
    /// The interface at the other end of the hop, or [`NO_HOP`].
    pub(crate) hop: u32,
}

/// A field's value.
pub(crate) enum Value<'a> {
    Int(i64),
    Text(&'a str),
    Missing,
}

impl Record {
    /// Returns a record that says nothing but its status.
    pub(crate) fn silent(status: Status, eni: u32, start: i64, end: i64) -> Record {
        Record {
            status,
            eni,
            src: 0,
            dst: 0,
            pkt_src: 0,
            pkt_dst: 0,
            src_port: 0,
            dst_port: 0,
            protocol: 0,
            packets: 0,
            bytes: 0,
            start,
            end,
            accept: true,
            flags: 0,
            egress: false,
            path: 0,
            hop: NO_HOP,
        }
    }

    /// Returns the value of the field at a position of [`FIELDS`]; `version` is the format's.
    pub(crate) fn value<'a>(&self, field: usize, version: i64, site: &'a Site) -> Value<'a> {
        let eni = &site.enis[self.eni as usize];
        // What describes the interface is filled whatever the status (flow-log records: NODATA, SKIPDATA).
        match field {
            0 => return Value::Int(version),
            1 => return Value::Text(&site.account),
            2 => return Value::Text(&eni.id),
            10 => return Value::Int(self.start),
            11 => return Value::Int(self.end),
            13 => {
                return Value::Text(match self.status {
                    Status::Ok => "OK",
                    Status::NoData => "NODATA",
                    Status::SkipData => "SKIPDATA",
                });
            }
            14 => return Value::Text(&site.vpc),
            15 => return Value::Text(&site.subnets[eni.subnet].id),
            16 => return eni.instance.as_deref().map_or(Value::Missing, Value::Text),
            21 => return Value::Text(&site.region),
            22 => return Value::Text(&site.az_ids[usize::from(eni.az)]),
            42 => return eni.instance_tag.as_deref().map_or(Value::Missing, Value::Text),
            48 => return eni.interface_type_field().map_or(Value::Missing, Value::Text),
            _ => {}
        }
        if self.status != Status::Ok {
            return Value::Missing;
        }
        let service = |address: u32| site.addresses[address as usize].service.map_or(Value::Missing, Value::Text);
        let text = |address: u32| Value::Text(&site.addresses[address as usize].text);
        match field {
            3 => text(self.src),
            4 => text(self.dst),
            5 => Value::Int(i64::from(self.src_port)),
            6 => Value::Int(i64::from(self.dst_port)),
            7 => Value::Int(i64::from(self.protocol)),
            8 => Value::Int(self.packets as i64),
            9 => Value::Int(self.bytes as i64),
            12 => Value::Text(if self.accept { "ACCEPT" } else { "REJECT" }),
            17 => Value::Int(i64::from(self.flags)),
            18 => Value::Text(if site.addresses[self.pkt_src as usize].v6 { "IPv6" } else { "IPv4" }),
            19 => text(self.pkt_src),
            20 => text(self.pkt_dst),
            25 => service(self.pkt_src),
            26 => service(self.pkt_dst),
            27 => Value::Text(if self.egress { "egress" } else { "ingress" }),
            28 if self.path > 0 => Value::Int(i64::from(self.path)),
            49..=53 if self.hop != NO_HOP => {
                let hop = &site.enis[self.hop as usize];
                match field {
                    49 => Value::Text(&hop.id),
                    50 => Value::Text(&site.subnets[hop.subnet].id),
                    51 => Value::Text(&site.az_ids[usize::from(hop.az)]),
                    52 => Value::Text(&site.vpc),
                    _ => hop.interface_type_field().map_or(Value::Missing, Value::Text),
                }
            }
            _ => Value::Missing,
        }
    }
}
