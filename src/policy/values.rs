//! The words of a policy: targets, ports, sources. What a word may be stands in `docs/policy.md`.

use super::{Ports, Source, Target};
use ipnet::IpNet;
use std::net::IpAddr;

/// Protocols by the names that a policy may use (IANA, "Protocol Numbers").
const PROTOCOLS: [(&str, u8); 8] =
    [("icmp", 1), ("tcp", 6), ("udp", 17), ("gre", 47), ("esp", 50), ("ah", 51), ("icmpv6", 58), ("sctp", 132)];
/// Those that have ports.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

/// Returns the name of a protocol in `ports`: its own, else `proto/` and its number.
pub fn protocol_name(protocol: u8) -> String {
    let named = PROTOCOLS.iter().find(|(_, number)| *number == protocol);
    named.map_or_else(|| format!("proto/{protocol}"), |(name, _)| (*name).to_owned())
}

/// Returns whether connections of a protocol have ports.
pub fn has_ports(protocol: u8) -> bool {
    WITH_PORTS.contains(&protocol)
}

/// Returns a destination in words that can be pasted into a policy: `198.51.100.80 tcp/443`.
pub fn destination(addr: IpAddr, port: u16, protocol: u8) -> String {
    let (first, last) = if has_ports(protocol) { (port, port) } else { (0, u16::MAX) };
    format!("{addr} {}", Ports { protocol: Some(protocol), first, last })
}

/// What is wrong with a word, and what to write instead.
pub(super) type Wrong = (String, &'static str);

fn wrong<T>(what: impl Into<String>, hint: &'static str) -> Result<T, Wrong> {
    Err((what.into(), hint))
}

/// What ids of AWS look like behind their prefix.
fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix);
    rest.is_some_and(|rest| !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// Reads an entry of `to`.
pub(super) fn target(text: &str) -> Result<Target, Wrong> {
    const HINT: &str = "a CIDR, an address, aws:SERVICE[/region], vpce:vpce-…, sg:sg-…, eni:eni-… or pl:pl-…";
    // IPv6 addresses have colons too.
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok(Target::Net(IpNet::from(addr)));
    }
    if text.contains('/')
        && let Ok(net) = text.parse::<IpNet>()
    {
        if net.trunc() != net {
            return wrong(format!("{text:?} has bits set behind its prefix"), "write the first address of the network");
        }
        return Ok(Target::Net(net));
    }
    let Some((kind, name)) = text.split_once(':') else {
        return wrong(format!("{text:?} is no destination"), HINT);
    };
    let id = |prefix: &'static str| -> Result<_, Wrong> {
        if is_id(name, prefix) { Ok(name.into()) } else { wrong(format!("{name:?} is no id of {prefix}…"), HINT) }
    };
    match kind {
        "aws" => {
            let (service, region) = name.split_once('/').map_or((name, None), |(service, region)| (service, Some(region)));
            let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !word(service) || !region.is_none_or(word) {
                return wrong(format!("{name:?} is no service of AWS"), "write aws:S3 or aws:S3/eu-west-1, as ip-ranges.json spells it");
            }
            Ok(Target::Aws { service: service.into(), region: region.map(Into::into) })
        }
        "vpce" => id("vpce-").map(Target::Endpoint),
        "sg" => id("sg-").map(Target::Group),
        "eni" => id("eni-").map(Target::Interface),
        "pl" => id("pl-").map(Target::PrefixList),
        _ => wrong(format!("{text:?} is no destination"), HINT),
    }
}

/// Reads an entry of `ports`.
pub(super) fn ports(text: &str) -> Result<Ports, Wrong> {
    const HINT: &str = "write \"tcp/443\", \"tcp/8000-8080\", \"udp/53\", \"icmp\", \"proto/89\" (a protocol by number), or \"any\"";
    let no = || (format!("{text:?} is no port"), HINT);
    if text == "any" {
        return Ok(Ports { protocol: None, first: 0, last: u16::MAX });
    }
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
    let (name, range) = match text.split_once('/') {
        // A bare number would be taken for a port by whoever reads it.
        Some(("proto", number)) => (number, None),
        Some((name, range)) => (name, Some(range)),
        None => (text, None),
    };
    let named = PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let by_number = || number(name).filter(|_| text.starts_with("proto/")).and_then(|number| u8::try_from(number).ok());
    let protocol = named.filter(|_| !text.starts_with("proto/")).or_else(by_number).ok_or_else(no)?;
    let Some(range) = range else { return Ok(Ports { protocol: Some(protocol), first: 0, last: u16::MAX }) };
    if !has_ports(protocol) {
        return wrong(format!("{text:?} names a port, and {name} has none"), HINT);
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last) = (number(first).ok_or_else(no)?, number(last).ok_or_else(no)?);
    if first > last {
        return wrong(format!("{text:?} ends before it begins"), HINT);
    }
    Ok(Ports { protocol: Some(protocol), first, last })
}

/// Reads an entry of `from`.
pub(super) fn source(text: &str) -> Result<Source, Wrong> {
    match text.strip_prefix("cluster:") {
        Some(arn) if arn.starts_with("arn:") => Ok(Source::ClusterArn(arn.to_owned())),
        Some(name) if !name.is_empty() => Ok(Source::ClusterName(name.to_owned())),
        _ => wrong(format!("{text:?} is no source"), "write \"cluster:NAME\" or \"cluster:ARN\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_and_written_are_the_same() {
        for text in ["203.0.113.0/28", "2001:db8::/32", "aws:S3", "aws:S3/eu-west-1", "vpce:vpce-0ab", "sg:sg-1", "eni:eni-1", "pl:pl-1"] {
            assert_eq!(target(text).unwrap().to_string(), text);
        }
        assert_eq!(target("203.0.113.7").unwrap().to_string(), "203.0.113.7/32");
        assert_eq!(target("2001:db8::1").unwrap().to_string(), "2001:db8::1/128");
        for text in ["tcp/443", "tcp/8000-8080", "udp/53", "icmp", "icmpv6", "tcp", "any", "sctp/0", "proto/89"] {
            assert_eq!(ports(text).unwrap().to_string(), text);
        }
        assert_eq!(ports("proto/6").unwrap(), ports("tcp").unwrap());
        for text in ["cluster:prod", "cluster:arn:aws:eks:eu-central-1:111122223333:cluster/prod"] {
            assert_eq!(source(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "",
            "all",
            "203.0.113.1/28",
            "203.0.113.0/33",
            "host:example.com",
            "vpce:eni-1",
            "sg:",
            "sg:sg-",
            "eni:eni-a b",
            "aws:",
            "aws:S3/",
        ] {
            assert!(target(text).is_err(), "{text}");
        }
        for text in [
            "",
            "443",
            "tcp/",
            "tcp/https",
            "tcp/70000",
            "tcp/2-1",
            "tcp/-1",
            "icmp/8",
            "TCP/443",
            "22",
            "6/443",
            "any/1",
            "tcp/+1",
            "proto/256",
            "proto/tcp",
        ] {
            assert!(ports(text).is_err(), "{text}");
        }
        for text in ["", "prod", "cluster:", "account:1"] {
            assert!(source(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ports_at_their_edges() {
        let range = ports("tcp/8000-8080").unwrap();
        let inside = |protocol, port| range.contains(protocol, port);
        assert_eq!([7_999, 8_000, 8_080, 8_081].map(|port| inside(6, port)), [false, true, true, false]);
        assert!(!inside(17, 8_000) && ports("any").unwrap().contains(17, 8_000) && ports("icmp").unwrap().contains(1, 0));
        let covers = |a: &str, b: &str| ports(a).unwrap().covers(&ports(b).unwrap());
        assert!(covers("tcp", "tcp/443") && covers("any", "udp") && covers("tcp/1-2", "tcp/1-2"));
        assert!(!covers("tcp/443", "tcp") && !covers("udp", "tcp/1") && !covers("tcp", "any") && !covers("tcp/2-3", "tcp/1-3"));
    }
}
