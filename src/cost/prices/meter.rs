//! What AWS meters, and what it calls that on a bill: region codes, their billing prefixes, usage types.
//!
//! Rests on AWS's page of region billing codes and on bills. The traps: `APS1` is Singapore and ap-south-1 is `APS3`;
//! `RegionalNatGateway-Hours` ends with `NatGateway-Hours`; `NatGateway-Prvd-Bytes` is another meter. So a usage type is cut at
//! its prefix, and what is left is compared whole.

use crate::cost::region_codes::{UNPREFIXED, is_code, prefix_of_region, region_of_prefix, usage_type_in};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Something that AWS meters and has a list price for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// Bytes through a zonal NAT gateway, both ways.
    NatBytes,
    /// Hours of a zonal NAT gateway.
    NatHours,
    /// Bytes through a regional NAT gateway, both ways.
    RegionalNatBytes,
    /// Hours of a regional NAT gateway, for each AZ that it is in.
    RegionalNatAzHours,
    /// Bytes between AZs of a region, for each metered end.
    InterAzBytes,
    /// Bytes within a region by public address, for each metered end.
    PublicIpBytes,
    /// Bytes between AZs over VPC peering, for each metered end.
    PeeringBytes,
    /// Bytes to the internet.
    InternetEgressBytes,
    /// Bytes to another region, at the sender.
    InterRegionBytes {
        /// The receiver's region.
        to: String,
    },
    /// Bytes through interface endpoints.
    EndpointBytes,
    /// Hours of an interface endpoint, for each AZ.
    EndpointAzHours,
    /// Bytes through Gateway Load Balancer endpoints.
    GwlbEndpointBytes,
    /// Hours of a Gateway Load Balancer endpoint, for each AZ.
    GwlbEndpointAzHours,
    /// Bytes sent into a transit gateway by a VPC.
    TransitGatewayBytes,
    /// Hours of a VPC's attachment to a transit gateway.
    TransitGatewayAttachmentHours,
    /// Hours of a public IPv4 address, in use or idle.
    PublicIpv4Hours,
    /// Bytes through a Network Firewall.
    FirewallBytes,
    /// Hours of a Network Firewall's endpoint.
    FirewallEndpointHours,
}

/// Every meter with its name, its unit, and its usage types without prefix: the first is the one that we write.
const METERS: &[(Meter, &str, Unit, &[&str])] = &[
    (Meter::NatBytes, "nat-bytes", Unit::Gb, &["NatGateway-Bytes"]),
    (Meter::NatHours, "nat-hours", Unit::Hour, &["NatGateway-Hours"]),
    (Meter::RegionalNatBytes, "regional-nat-bytes", Unit::Gb, &["RegionalNatGateway-Bytes"]),
    (Meter::RegionalNatAzHours, "regional-nat-az-hours", Unit::Hour, &["RegionalNatGateway-Hours"]),
    (Meter::InterAzBytes, "inter-az-bytes", Unit::Gb, &[REGIONAL_TRANSFER]),
    // The same usage type; the operation tells them apart. Read without one, it is the meter above.
    (Meter::PublicIpBytes, "public-ip-bytes", Unit::Gb, &[REGIONAL_TRANSFER]),
    (Meter::PeeringBytes, "peering-bytes", Unit::Gb, &["VpcPeering-Out-Bytes", "VpcPeering-In-Bytes"]),
    (Meter::InternetEgressBytes, "internet-egress-bytes", Unit::Gb, &["DataTransfer-Out-Bytes"]),
    (Meter::InterRegionBytes { to: String::new() }, "inter-region-bytes", Unit::Gb, &[]),
    (Meter::EndpointBytes, "endpoint-bytes", Unit::Gb, &["VpcEndpoint-Bytes"]),
    (Meter::EndpointAzHours, "endpoint-az-hours", Unit::Hour, &["VpcEndpoint-Hours"]),
    (Meter::GwlbEndpointBytes, "gwlb-endpoint-bytes", Unit::Gb, &["VpcEndpoint-GWLBE-Bytes"]),
    (Meter::GwlbEndpointAzHours, "gwlb-endpoint-az-hours", Unit::Hour, &["VpcEndpoint-GWLBE-Hours"]),
    (Meter::TransitGatewayBytes, "transit-gateway-bytes", Unit::Gb, &["TransitGateway-Bytes"]),
    (Meter::TransitGatewayAttachmentHours, "transit-gateway-attachment-hours", Unit::Hour, &["TransitGateway-Hours"]),
    (Meter::PublicIpv4Hours, "public-ipv4-hours", Unit::Hour, &["PublicIPv4:InUseAddress", "PublicIPv4:IdleAddress"]),
    (Meter::FirewallBytes, "firewall-bytes", Unit::Gb, &["Traffic-GB-Processed"]),
    (Meter::FirewallEndpointHours, "firewall-endpoint-hours", Unit::Hour, &["Endpoint-Hour"]),
];

/// Between AZs, by public address, and on older bills over peering.
const REGIONAL_TRANSFER: &str = "DataTransfer-Regional-Bytes";

/// What ends the usage type of transfer between regions.
const INTER_REGION: &str = "-AWS-Out-Bytes";

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A gigabyte, as AWS counts it.
    Gb,
    /// An hour.
    Hour,
}

impl Unit {
    /// Returns the unit as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Gb => "GB",
            Unit::Hour => "hour",
        }
    }

    /// Reads a unit in one of AWS's spellings.
    pub fn parse(text: &str) -> Option<Unit> {
        match text.to_ascii_lowercase().as_str() {
            "gb" | "gigabyte" | "gigabytes" => Some(Unit::Gb),
            "hour" | "hours" | "hr" | "hrs" => Some(Unit::Hour),
            _ => None,
        }
    }
}

impl Meter {
    /// Returns every meter by name, without destinations.
    pub fn names() -> impl Iterator<Item = &'static str> {
        METERS.iter().map(|(_, name, ..)| *name)
    }

    /// Returns the name without a destination.
    pub fn name(&self) -> &'static str {
        self.row().1
    }

    /// Returns what its price is for.
    pub fn unit(&self) -> Unit {
        self.row().2
    }

    fn row(&self) -> &'static (Meter, &'static str, Unit, &'static [&'static str]) {
        let same = |row: &&(Meter, _, _, _)| std::mem::discriminant(&row.0) == std::mem::discriminant(self);
        // A test holds table and enum together.
        METERS.iter().find(same).unwrap_or(&METERS[0])
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Meter::InterRegionBytes { to } => write!(f, "{}:{to}", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

impl FromStr for Meter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Meter> {
        let (name, to) = text.split_once(':').map_or((text, None), |(name, to)| (name, Some(to)));
        let meter = METERS.iter().find(|(_, known, ..)| *known == name).map(|(meter, ..)| meter);
        match (meter, to) {
            (Some(Meter::InterRegionBytes { .. }), Some(to)) if !to.is_empty() => Ok(Meter::InterRegionBytes { to: to.to_owned() }),
            (Some(Meter::InterRegionBytes { .. }), _) => {
                Err(Error::usage(format!("meter {text:?} names no destination")).with_hint("write inter-region-bytes:eu-west-1"))
            }
            (Some(meter), None) => Ok(meter.clone()),
            _ => Err(Error::usage(format!("there is no meter {text:?}"))
                .with_hint(format!("one of {}", Meter::names().collect::<Vec<_>>().join(", ")))),
        }
    }
}

/// Which end of a transfer a line is about, where the usage type says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// At the sender.
    Out,
    /// At the receiver.
    In,
}

/// Returns the usage type on a bill, at the sender; `None` if a prefix is not confirmed.
pub fn usage_type(region: &str, meter: &Meter) -> Option<String> {
    usage_type_of(region, meter, Direction::Out)
}

/// Returns the usage type on a bill of one end of a transfer; only that of peering differs.
pub fn usage_type_of(region: &str, meter: &Meter, direction: Direction) -> Option<String> {
    let prefix = prefix_of_region(region)?;
    let (_, _, _, names) = meter.row();
    let name = match (meter, direction) {
        // Between regions both ends are named, us-east-1 included.
        (Meter::InterRegionBytes { to }, _) => return Some(format!("{prefix}-{}{INTER_REGION}", prefix_of_region(to)?)),
        (Meter::PeeringBytes, Direction::In) => names.get(1)?,
        _ => names.first()?,
    };
    usage_type_in(region, name)
}

/// Reads a usage type: its region, `None` if the prefix is not known, and its meter. `None` for every other usage type.
///
/// `DataTransfer-Regional-Bytes` is given as [`Meter::InterAzBytes`]; with the operation at hand, ask [`meter_of_line`].
/// The service is not asked: other services than Network Firewall have an `Endpoint-Hour`, and CloudFront has a
/// `DataTransfer-Out-Bytes`; so compare the line's product first.
pub fn parse_usage_type(text: &str) -> Option<(Option<&'static str>, Meter)> {
    let parts = split(text)?;
    let meter = match (parts.meter, parts.to_prefix) {
        (Meter::InterRegionBytes { .. }, Some(to)) => Meter::InterRegionBytes { to: region_of_prefix(to)?.to_owned() },
        (meter, _) => meter,
    };
    Some((parts.prefix.map_or(Some(UNPREFIXED), region_of_prefix), meter))
}

/// Reads usage type and operation of a bill's line, as [`parse_usage_type`] does; the operation tells what a regional transfer was.
pub fn meter_of_line(usage_type: &str, operation: &str) -> Option<(Option<&'static str>, Meter)> {
    let (region, meter) = parse_usage_type(usage_type)?;
    match (meter, operation) {
        (Meter::InterAzBytes, "PublicIP-In" | "PublicIP-Out") => Some((region, Meter::PublicIpBytes)),
        (Meter::InterAzBytes, "VPCPeering-In" | "VPCPeering-Out") => Some((region, Meter::PeeringBytes)),
        (meter, _) => Some((region, meter)),
    }
}

/// A usage type, cut.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// What stands before the first `-`, if it looks like a prefix.
    pub(super) prefix: Option<&'a str>,
    /// The destination's prefix, between regions.
    pub(super) to_prefix: Option<&'a str>,
    /// The meter, without a destination.
    pub(super) meter: Meter,
}

/// Cuts a usage type that is one of ours.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    let of = |prefix, body: &str| {
        let (meter, ..) = METERS.iter().find(|(_, _, _, names)| names.contains(&body))?;
        Some(Parts { prefix, to_prefix: None, meter: meter.clone() })
    };
    if let Some(parts) = of(None, text) {
        return Some(parts);
    }
    let (prefix, body) = text.split_once('-').filter(|(prefix, _)| is_code(prefix))?;
    if let Some(to) = body.strip_suffix(INTER_REGION).filter(|to| is_code(to)) {
        return Some(Parts { prefix: Some(prefix), to_prefix: Some(to), meter: Meter::InterRegionBytes { to: String::new() } });
    }
    of(Some(prefix), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_has_its_own_row() {
        for (meter, name, unit, _) in METERS {
            assert_eq!((meter.name(), meter.unit()), (*name, *unit));
            let full = if meter.name() == "inter-region-bytes" { "inter-region-bytes:eu-west-1" } else { name };
            assert_eq!(full.parse::<Meter>().unwrap().to_string(), full);
        }
        assert_eq!(METERS.len(), 18);
        for wrong in ["", "nat", "nat-bytes:eu-west-1", "inter-region-bytes", "inter-region-bytes:"] {
            assert!(wrong.parse::<Meter>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn usage_types_go_back_and_forth() {
        for region in ["us-east-1", "eu-west-1", "ap-south-1", "ap-southeast-1", "me-south-1", "us-gov-west-1"] {
            let prefix = prefix_of_region(region);
            for (meter, ..) in METERS {
                let meter = match meter {
                    Meter::InterRegionBytes { .. } => Meter::InterRegionBytes { to: "ap-northeast-3".to_owned() },
                    meter => meter.clone(),
                };
                let Some(text) = usage_type(region, &meter) else {
                    assert_eq!(prefix, None, "{region}");
                    continue;
                };
                let operation = if meter == Meter::PublicIpBytes { "PublicIP-Out" } else { "InterZone-Out" };
                assert_eq!(meter_of_line(&text, operation), Some((Some(region), meter)), "{text}");
            }
        }
    }

    #[test]
    fn usage_types_as_on_bills() {
        for (region, meter, expected) in [
            ("us-east-1", Meter::NatBytes, "NatGateway-Bytes"),
            ("eu-west-1", Meter::NatBytes, "EU-NatGateway-Bytes"),
            ("ap-southeast-1", Meter::NatHours, "APS1-NatGateway-Hours"),
            ("ap-south-1", Meter::InterAzBytes, "APS3-DataTransfer-Regional-Bytes"),
            ("us-east-1", Meter::InterRegionBytes { to: "eu-west-1".to_owned() }, "USE1-EU-AWS-Out-Bytes"),
            ("ap-northeast-1", Meter::InterRegionBytes { to: "ap-northeast-3".to_owned() }, "APN1-APN3-AWS-Out-Bytes"),
            ("eu-west-1", Meter::GwlbEndpointBytes, "EU-VpcEndpoint-GWLBE-Bytes"),
            ("eu-central-1", Meter::PublicIpv4Hours, "EUC1-PublicIPv4:InUseAddress"),
        ] {
            assert_eq!(usage_type(region, &meter).unwrap(), expected);
        }
        let peering = |direction| usage_type_of("eu-west-1", &Meter::PeeringBytes, direction).unwrap();
        assert_eq!((peering(Direction::Out), peering(Direction::In)), ("EU-VpcPeering-Out-Bytes".into(), "EU-VpcPeering-In-Bytes".into()));
        for region in ["il-central-1", "me-south-1", "me-central-1", "cn-north-1", "us-east-1-bos-1", ""] {
            assert_eq!(usage_type(region, &Meter::NatBytes), None, "{region}");
        }
    }

    #[test]
    fn usage_types_are_compared_whole() {
        let read = |text| parse_usage_type(text);
        assert_eq!(read("RegionalNatGateway-Hours"), Some((Some("us-east-1"), Meter::RegionalNatAzHours)));
        assert_eq!(read("EU-RegionalNatGateway-Bytes"), Some((Some("eu-west-1"), Meter::RegionalNatBytes)));
        assert_eq!(read("USE1-NatGateway-Hours"), Some((Some("us-east-1"), Meter::NatHours)));
        assert_eq!(read("EUW1-NatGateway-Hours"), Some((Some("eu-west-1"), Meter::NatHours)));
        assert_eq!(read("XYZ1-NatGateway-Hours"), Some((None, Meter::NatHours)), "a prefix that is not in the table");
        for other in [
            "NatGateway-Prvd-Bytes",
            "NatGateway-Prvd-Gbps",
            "EU-NatGateway-Prvd-Bytes",
            "xNatGateway-Bytes",
            "NatGateway-Bytes-x",
            "eu-NatGateway-Bytes",
            "Global-DataTransfer-Regional-Bytes",
            "Global-DataTransfer-Out-Bytes",
            "EU-DataTransfer-xAZ-Out-Bytes",
            "DataTransfer-In-Bytes",
            "USE1-EU-AWS-In-Bytes",
            "EU-AWS-Out-Bytes",
            "USE1-EU-VPE1-AWS-Out-Bytes",
            "VpcEndpoint-Resource-Bytes",
            "USW2-LAX1-NatGateway-Bytes",
            "BoxUsage:m5.large",
            "",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(meter_of_line("EU-DataTransfer-Regional-Bytes", "VPCPeering-In"), Some((Some("eu-west-1"), Meter::PeeringBytes)));
        assert_eq!(meter_of_line("DataTransfer-Regional-Bytes", "InterZone-In"), Some((Some("us-east-1"), Meter::InterAzBytes)));
    }
}
