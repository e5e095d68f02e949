//! SQL functions for addresses, protocols, flags and bytes. NULL in, NULL out; what cannot be read is NULL too.

use crate::decode::columns::parse_address;
use crate::inventory::Inventory;
use crate::inventory::ranges::is_private;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{Accumulator, ColumnarValue, Volatility, create_udaf, create_udf};
use datafusion::prelude::SessionContext;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Name, signature and meaning of each function, for `flowproof fields`.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("cidr_contains(cidr, addr)", "Whether an address lies in a network"),
    ("ip_family(addr)", "4 or 6"),
    ("is_private(addr)", "Whether an address is not routed on the internet"),
    ("protocol_name(number)", "IANA protocol keyword, e.g. TCP"),
    ("tcp_flag_names(flags)", "tcp-flags in words, e.g. SYN|FIN"),
    ("traffic_path_name(code)", "traffic-path in words, e.g. internet-gateway"),
    ("service_name(port)", "IANA service of a well-known port, e.g. https"),
    ("aws_service(addr)", "AWS service of a public address, where ip-ranges are in the inventory"),
    ("aws_region(addr)", "Region of a public address of AWS, where ip-ranges are in the inventory; `GLOBAL` for services of all regions"),
    ("account_name(account_id)", "Name of an account, where the inventory has organizations list-accounts"),
    ("tag_value(tags, key)", "Value of a key in `tags` of `hourly`"),
    ("pod_namespace(name)", "Namespace of a name like `pod/NAMESPACE/NAME`"),
    ("eni_tag(interface_id, key)", "Tag of an interface, else of its instance, else of its subnet, from the inventory"),
    ("percent_decode(text)", "Text without percent-encoding, as AWS writes the values of tags, e.g. control%20plane"),
    ("format_bytes(bytes)", "Bytes with a binary unit, e.g. 1.5 GiB"),
    ("join_distinct(text)", "Aggregate: the distinct comma-separated parts, sorted, joined by commas"),
];

/// Registers every function.
pub fn register(context: &SessionContext, inventory: &Arc<Inventory>) {
    use DataType::{Boolean, Int32, Int64, Utf8};
    let scalar = |name: &str, arguments: Vec<DataType>, result: DataType, body: Body| {
        let body = Arc::new(move |arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let scalars = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
            let array = body(&arrays)?;
            if scalars && array.len() == 1 {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            } else {
                Ok(ColumnarValue::Array(array))
            }
        });
        context.register_udf(create_udf(name, arguments, result, Volatility::Immutable, body));
    };
    scalar("cidr_contains", vec![Utf8, Utf8], Boolean, Box::new(cidr_contains));
    scalar("ip_family", vec![Utf8], Int32, Box::new(|arrays| address(arrays, |address| if address.is_ipv4() { 4 } else { 6 })));
    scalar(
        "is_private",
        vec![Utf8],
        Boolean,
        Box::new(|arrays| Ok(Arc::new(BooleanArray::from_iter(addresses(arrays)?.map(|address| address.map(is_private)))))),
    );
    scalar("protocol_name", vec![Int64], Utf8, Box::new(|arrays| named(arrays, protocol_name)));
    scalar("tcp_flag_names", vec![Int64], Utf8, Box::new(|arrays| named(arrays, |flags| Some(tcp_flag_names(flags)))));
    scalar("traffic_path_name", vec![Int64], Utf8, Box::new(|arrays| named(arrays, |code| Some(super::summary::traffic_path_name(code)))));
    scalar("service_name", vec![Int64], Utf8, Box::new(|arrays| named(arrays, service_name)));
    let ranges = Arc::clone(inventory);
    let aws_service = move |arrays: &[ArrayRef]| -> Result<ArrayRef> {
        let service = |address: IpAddr| ranges.aws_ranges(address).first().map(|range| range.service.to_string());
        Ok(Arc::new(StringArray::from_iter(addresses(arrays)?.map(|address| address.and_then(service)))))
    };
    scalar("aws_service", vec![Utf8], Utf8, Box::new(aws_service));
    let ranges = Arc::clone(inventory);
    let aws_region = move |arrays: &[ArrayRef]| -> Result<ArrayRef> {
        let region = |address: IpAddr| ranges.aws_ranges(address).first().map(|range| range.region.to_string());
        Ok(Arc::new(StringArray::from_iter(addresses(arrays)?.map(|address| address.and_then(region)))))
    };
    scalar("aws_region", vec![Utf8], Utf8, Box::new(aws_region));
    let accounts = Arc::clone(inventory);
    let account_name = move |arrays: &[ArrayRef]| -> Result<ArrayRef> {
        let Some(ids) = arrays.first().and_then(|array| array.as_string_opt::<i32>()) else {
            return exec_err!("account_name takes one text");
        };
        Ok(Arc::new(StringArray::from_iter(ids.iter().map(|id| accounts.account_name(id?)))))
    };
    scalar("account_name", vec![Utf8], Utf8, Box::new(account_name));
    let tagged = Arc::clone(inventory);
    let eni_tag = move |arrays: &[ArrayRef]| -> Result<ArrayRef> {
        let [Some(interfaces), Some(keys)] = [0, 1].map(|at| arrays.get(at).and_then(|array| array.as_string_opt::<i32>())) else {
            return exec_err!("eni_tag takes two texts");
        };
        Ok(Arc::new(StringArray::from_iter(interfaces.iter().zip(keys).map(|(interface, key)| tagged.eni_tag(interface?, key?)))))
    };
    scalar("eni_tag", vec![Utf8, Utf8], Utf8, Box::new(eni_tag));
    scalar("tag_value", vec![Utf8, Utf8], Utf8, Box::new(tag_value));
    let namespace = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
        let Some(names) = arrays.first().and_then(|array| array.as_string_opt::<i32>()) else {
            return exec_err!("pod_namespace takes one text");
        };
        let of = |name: &str| Some(name.strip_prefix("pod/")?.split_once('/')?.0.to_owned());
        Ok(Arc::new(StringArray::from_iter(names.iter().map(|name| name.and_then(of)))))
    };
    scalar("pod_namespace", vec![Utf8], Utf8, Box::new(namespace));
    scalar("percent_decode", vec![Utf8], Utf8, Box::new(percent_decoded));
    let bytes = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
        let Some(bytes) = arrays.first().and_then(|array| array.as_primitive_opt::<Int64Type>()) else {
            return exec_err!("format_bytes takes one number");
        };
        Ok(Arc::new(StringArray::from_iter(bytes.iter().map(|bytes| bytes.map(|bytes| format_bytes(bytes.max(0) as u64))))))
    };
    scalar("format_bytes", vec![Int64], Utf8, Box::new(bytes));
    let accumulator =
        Arc::new(|_: datafusion::logical_expr::function::AccumulatorArgs<'_>| Ok(Box::<JoinDistinct>::default() as Box<dyn Accumulator>));
    let join = create_udaf("join_distinct", vec![Utf8], Arc::new(Utf8), Volatility::Immutable, accumulator, Arc::new(vec![Utf8]));
    context.register_udaf(join);
}

type Body = Box<dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync>;

fn addresses(arrays: &[ArrayRef]) -> Result<impl Iterator<Item = Option<IpAddr>>> {
    let Some(texts) = arrays.first().and_then(|array| array.as_string_opt::<i32>()) else { return exec_err!("an address is a text") };
    Ok(texts.iter().map(|text| text.and_then(parse_address)))
}

fn address(arrays: &[ArrayRef], of: impl Fn(IpAddr) -> i32) -> Result<ArrayRef> {
    Ok(Arc::new(Int32Array::from_iter(addresses(arrays)?.map(|address| address.map(&of)))))
}

/// Names of numbers; the argument is a BIGINT, which every smaller integer is widened to.
fn named(arrays: &[ArrayRef], name: impl Fn(i32) -> Option<String>) -> Result<ArrayRef> {
    let Some(numbers) = arrays.first().and_then(|array| array.as_primitive_opt::<Int64Type>()) else {
        return exec_err!("the argument is a number");
    };
    Ok(Arc::new(StringArray::from_iter(numbers.iter().map(|number| number.and_then(|number| name(i32::try_from(number).ok()?))))))
}

fn percent_decoded(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let Some(texts) = arrays.first().and_then(|array| array.as_string_opt::<i32>()) else {
        return exec_err!("percent_decode takes a text");
    };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    Ok(Arc::new(StringArray::from_iter(texts.iter().map(|text| text.and_then(decoded)))))
}

fn tag_value(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let [Some(tags), Some(keys)] = [0, 1].map(|at| arrays.get(at).and_then(|array| array.as_string_opt::<i32>())) else {
        return exec_err!("tag_value takes two texts");
    };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let value = |tags: &str, key: &str| {
        let mut pairs = tags.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| decoded(name) == key).map(|(_, value)| decoded(value))
    };
    Ok(Arc::new(StringArray::from_iter(tags.iter().zip(keys).map(|(tags, key)| value(tags?, key?)))))
}

fn cidr_contains(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let [cidrs, texts] = arrays else { return exec_err!("cidr_contains takes a network and an address") };
    let (Some(cidrs), Some(texts)) = (cidrs.as_string_opt::<i32>(), texts.as_string_opt::<i32>()) else {
        return exec_err!("cidr_contains takes texts");
    };
    // The network is nearly always a constant: it is read once for each run of equal values.
    let mut last: Option<(&str, Option<IpNet>)> = None;
    let mut contained = Vec::with_capacity(texts.len());
    for (cidr, text) in cidrs.iter().zip(texts.iter()) {
        let network = cidr.and_then(|cidr| match last {
            Some((known, network)) if known == cidr => network,
            _ => {
                let network = cidr.parse().ok();
                last = Some((cidr, network));
                network
            }
        });
        contained.push(network.zip(text.and_then(parse_address)).map(|(network, address)| network.contains(&address)));
    }
    Ok(Arc::new(BooleanArray::from(contained)))
}

/// Returns the keyword of a protocol number (IANA, "Assigned Internet Protocol Numbers").
pub fn protocol_name(number: i32) -> Option<String> {
    let name = match number {
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPv6",
        112 => "VRRP",
        132 => "SCTP",
        0..=255 => return Some(number.to_string()),
        _ => return None,
    };
    Some(name.to_owned())
}

fn tcp_flag_names(flags: i32) -> String {
    const NAMES: [(i32, &str); 6] = [(1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG")];
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    names.join("|")
}

/// Returns the service of a port that matters here (IANA, "Service Name and Transport Protocol Port Number Registry";
/// Kubernetes, "Ports and Protocols").
fn service_name(port: i32) -> Option<String> {
    let name = match port {
        22 => "ssh",
        25 => "smtp",
        53 => "domain",
        80 => "http",
        123 => "ntp",
        143 => "imap",
        389 => "ldap",
        443 => "https",
        636 => "ldaps",
        993 => "imaps",
        1433 => "ms-sql-s",
        2049 => "nfs",
        3306 => "mysql",
        5432 => "postgresql",
        5671 => "amqps",
        6379 => "redis",
        9092 => "kafka",
        10250 => "kubelet",
        27017 => "mongodb",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Returns bytes with a binary unit and at most one decimal, e.g. `1.5 GiB`.
pub fn format_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10).min(6);
    // Integer tenths, rounded half up: no floating point in what a report shows.
    let tenths = (u128::from(bytes) * 10 + (1 << (power * 10 - 1))) >> (power * 10);
    let (power, tenths) = if tenths >= 10_240 && power < 6 { (power + 1, 10) } else { (power, tenths) };
    let unit = UNITS.get(power as usize - 1).unwrap_or(&"EiB");
    if tenths % 10 == 0 { format!("{} {unit}", tenths / 10) } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

/// Collects the distinct parts of comma-separated texts.
#[derive(Debug, Default)]
struct JoinDistinct(BTreeSet<String>);

impl JoinDistinct {
    fn joined(&self) -> ScalarValue {
        let text = (!self.0.is_empty()).then(|| self.0.iter().map(String::as_str).collect::<Vec<_>>().join(","));
        ScalarValue::Utf8(text)
    }
}

impl Accumulator for JoinDistinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(texts) = values.first().and_then(|array| array.as_string_opt::<i32>()) else {
            return exec_err!("join_distinct takes a text");
        };
        for part in texts.iter().flatten().flat_map(|text| text.split(',')) {
            if !self.0.contains(part) {
                self.0.insert(part.to_owned());
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.joined())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.iter().map(|part| part.capacity() + size_of::<String>()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.joined()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_units() {
        let check = |bytes, want: &str| assert_eq!(format_bytes(bytes), want);
        check(0, "0 B");
        check(1_023, "1023 B");
        check(1_024, "1 KiB");
        check(1_536, "1.5 KiB");
        check(1_048_575, "1 MiB");
        check(5_000_000_000, "4.7 GiB");
        check(u64::MAX, "16 EiB");
    }

    #[test]
    fn flags_in_words() {
        assert_eq!(tcp_flag_names(18), "SYN|ACK");
        assert_eq!(tcp_flag_names(0), "");
    }
}
