//! The generator checked by itself: determinism, counts, shapes, and one estate small enough to count by hand.
//!
//! That its truth is what the files say is shown here by a second, slower reading of the files with nothing but string splits.

use crate::generator::ports::Ports;
use crate::generator::truth::{EgressTruth, Statuses, Truth};
use crate::generator::{Config, Container, Format, Layout, generate};
use flate2::read::MultiGzDecoder;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

fn small() -> Config {
    Config { seed: 7, records: 6_000, minutes: 20, ..Config::default() }
}

fn in_temp<T>(config: &Config, look: impl FnOnce(&Truth, &Path) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let truth = generate(config, dir.path());
    look(&truth, dir.path())
}

/// Every file below a folder by its relative path.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn text(truth_key: &str, root: &Path) -> String {
    let bytes = std::fs::read(root.join("logs").join(truth_key)).unwrap();
    let mut text = String::new();
    match bytes.get(..4) {
        Some([0x1f, 0x8b, ..]) => MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
        Some([0x28, 0xb5, 0x2f, 0xfd]) => zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap(),
        _ => (&bytes[..]).read_to_string(&mut text).unwrap(),
    };
    text
}

/// Calls `look` with the fields of every record, by name.
fn each_record(truth: &Truth, root: &Path, mut look: impl FnMut(&HashMap<&str, &str>)) {
    for object in &truth.objects {
        let text = text(&object.key, root);
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(' ').collect();
        for line in lines {
            let fields: Vec<&str> = line.split(' ').collect();
            assert_eq!(fields.len(), header.len(), "{line}");
            look(&header.iter().copied().zip(fields).collect());
        }
    }
}

#[test]
fn the_same_seed_writes_the_same_bytes_whatever_the_threads() {
    for format in [Format::V5, Format::V5Random] {
        let one = in_temp(&Config { format, ..small() }, |_, root| files(root));
        let three = in_temp(&Config { format, threads: 3, ..small() }, |_, root| files(root));
        assert!(one == three, "{format:?}");
        let other = in_temp(&Config { format, seed: 8, ..small() }, |_, root| files(root));
        assert!(one != other);
    }
}

#[test]
fn the_truth_does_not_depend_on_files_layout_format_or_container() {
    let without_objects = |truth: &Truth| Truth { objects: Vec::new(), headers: 0, lines: 0, ..truth.clone() };
    let expected = in_temp(&small(), |truth, _| without_objects(truth));
    let variants = [
        Config { files: 3, ..small() },
        Config { files: 250, ..small() },
        Config { layout: Layout::HiveHourly, format: Format::V2, ..small() },
        Config { layout: Layout::Loose, format: Format::V11, container: Container::PlainText, ..small() },
        Config { layout: Layout::PlainHourly, container: Container::GzipMultiMember, ..small() },
        Config { layout: Layout::Hive, container: Container::Parquet, ..small() },
        Config { format: Format::V5Alphabetical, container: Container::Zstd, ..small() },
    ];
    for config in variants {
        in_temp(&config, |truth, _| assert_eq!(without_objects(truth), expected, "{config:?}"));
    }
}

#[test]
fn as_many_objects_as_asked_for() {
    for files in [1, 3, 8, 64, 400] {
        let config = Config { files, ..small() };
        in_temp(&config, |truth, _| assert_eq!(truth.objects.len(), files.max(3), "at least one per site"));
    }
    // Six deliveries of five minutes in half an hour; the site of 600 s windows delivers three times.
    let config = Config { minutes: 30, ..small() };
    in_temp(&config, |truth, _| assert_eq!(truth.objects.len(), 6 + 3 + 6));
}

#[test]
fn counts_add_up_in_every_container() {
    for container in [Container::Gzip, Container::GzipMultiMember, Container::PlainText, Container::Zstd] {
        let config = Config { container, records: 30_000, ..small() };
        in_temp(&config, |truth, root| {
            let mut sums = Statuses::default();
            for object in &truth.objects {
                let text = text(&object.key, root);
                assert_eq!(text.len() as u64, object.text_bytes, "{}", object.key);
                assert_eq!(text.lines().count() as u64, object.records.total() + 1, "{}", object.key);
                assert_eq!(text.lines().next(), Some(object.fields.as_str()));
                assert_eq!(std::fs::metadata(root.join("logs").join(&object.key)).unwrap().len(), object.stored_bytes);
                sums.add(&object.records);
            }
            assert_eq!(sums, truth.records);
            assert_eq!(truth.lines, sums.total() + truth.objects.len() as u64);
            let mut by_interface = Statuses::default();
            truth.interfaces.iter().for_each(|interface| by_interface.add(&interface.records));
            assert_eq!(by_interface, truth.records);
            assert!(truth.records.total().abs_diff(30_000) < 3_000, "{:?}", truth.records);
            assert!(truth.records.skipdata > 0 && truth.records.nodata > 0);
        });
    }
}

#[test]
fn parquet_has_the_same_values_as_text() {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{DataType, Int32Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let config = Config { format: Format::V11, files: 3, ..small() };
    let lines = in_temp(&config, |truth, root| truth.objects.iter().map(|object| text(&object.key, root)).collect::<Vec<_>>());
    let config = Config { container: Container::Parquet, ..config };
    in_temp(&config, |truth, root| {
        assert_eq!((truth.headers, truth.lines), (0, truth.records.total()));
        for (object, text) in truth.objects.iter().zip(&lines) {
            let mut lines = text.lines();
            let names = lines.next().unwrap().replace('-', "_");
            let file = std::fs::File::open(root.join("logs").join(&object.key)).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            assert_eq!(reader.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(" "), names);
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                for row in 0..batch.num_rows() {
                    let values = batch.columns().iter().map(|column| match column.data_type() {
                        _ if column.is_null(row) => "-".to_owned(),
                        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
                        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
                        _ => column.as_string::<i32>().value(row).to_owned(),
                    });
                    assert_eq!(values.collect::<Vec<_>>().join(" "), lines.next().unwrap());
                }
            }
            assert_eq!(lines.next(), None);
        }
    });
}

/// Sums the outbound side of every destination, and the accepted replies, by a plain reading of the files.
fn egress_by_reading(truth: &Truth, root: &Path) -> BTreeMap<(String, String, u16, u8), [u64; 10]> {
    let clusters: HashMap<&str, &str> =
        truth.clusters.iter().flat_map(|c| c.interfaces.iter().map(|eni| (eni.as_str(), c.arn.as_str()))).collect();
    // Without flow-direction the interface's own addresses tell: they are on one side of each of its records.
    let own = own_addresses(root);
    let mut rows: BTreeMap<(String, String, u16, u8), [u64; 10]> = BTreeMap::new();
    each_record(truth, root, |field| {
        let (Some(arn), "OK") = (clusters.get(field["interface-id"]), field["log-status"]) else { return };
        let mine = &own[field["interface-id"]];
        let outbound = mine.contains(field["srcaddr"]);
        assert_ne!(outbound, mine.contains(field["dstaddr"]), "one side is the interface's");
        let (local_port, peer_port, peer) = if outbound {
            (field["srcport"], field["dstport"], field["dstaddr"])
        } else {
            (field["dstport"], field["srcport"], field["srcaddr"])
        };
        if local_port == "443" {
            return;
        }
        let number = |name: &str| field[name].parse::<u64>().unwrap();
        let key = (arn.to_string(), peer.to_owned(), peer_port.parse().unwrap(), field["protocol"].parse().unwrap());
        let sums = rows.entry(key).or_insert([0, 0, 0, 0, 0, 0, 0, 0, u64::MAX, 0]);
        let accepted = field["action"] == "ACCEPT";
        if outbound {
            let at = if accepted { 0 } else { 3 };
            for (offset, value) in [1, number("packets"), number("bytes")].into_iter().enumerate() {
                sums[at + offset] += value;
            }
            sums[8] = sums[8].min(number("start"));
            sums[9] = sums[9].max(number("end"));
        } else if accepted {
            sums[6] += number("packets");
            sums[7] += number("bytes");
        }
    });
    rows
}

fn own_addresses(root: &Path) -> HashMap<String, BTreeSet<String>> {
    let mut own: HashMap<String, BTreeSet<String>> = HashMap::new();
    for (path, bytes) in files(&root.join("inventory")) {
        if path.ends_with("describe-network-interfaces.json") {
            let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            for eni in json["NetworkInterfaces"].as_array().unwrap() {
                let addresses = own.entry(eni["NetworkInterfaceId"].as_str().unwrap().to_owned()).or_default();
                addresses.insert(eni["PrivateIpAddress"].as_str().unwrap().to_owned());
                addresses.extend(eni["Ipv6Addresses"].as_array().unwrap().iter().map(|a| a["Ipv6Address"].as_str().unwrap().to_owned()));
            }
        }
    }
    own
}

fn key(row: &EgressTruth) -> (String, String, u16, u8) {
    (row.cluster_arn.clone(), row.dst_addr.clone(), row.dst_port, row.protocol)
}

#[test]
fn the_egress_truth_is_what_the_files_say() {
    for seed in 1..=3 {
        for format in [Format::V2, Format::V5Random, Format::V11] {
            let config = Config { seed, format, records: 30_000, files: 17, layout: Layout::Hive, ..small() };
            in_temp(&config, |truth, root| {
                let expected: BTreeMap<_, _> = truth
                    .egress
                    .iter()
                    .map(|row| {
                        let outbound =
                            [row.records_accepted, row.packets_accepted, row.bytes_accepted, row.records_rejected, row.packets_rejected];
                        let [a, b, c, d, e] = outbound;
                        let (first, last) = (row.first_seen as u64, row.last_seen as u64);
                        (key(row), [a, b, c, d, e, row.bytes_rejected, row.reply_packets, row.reply_bytes, first, last])
                    })
                    .collect();
                assert_eq!(egress_by_reading(truth, root), expected, "seed {seed}, {format:?}");
            });
        }
    }
}

#[test]
fn outcomes_add_up_and_every_kind_of_destination_is_there() {
    in_temp(&small(), |truth, _| {
        let mut purposes = BTreeSet::new();
        for row in &truth.egress {
            assert_eq!(row.answered + row.unanswered + row.refused + row.rejected + row.reply_blocked, row.connections, "{row:?}");
            assert!(truth.from <= row.first_seen && row.first_seen <= row.last_seen && row.last_seen < truth.to);
            purposes.insert(row.purpose);
        }
        let expected = [
            "aggregated-api",
            "crd-conversion",
            "dead-webhook",
            "dropped-at-target",
            "issuer",
            "issuer-ipv6",
            "kubelet",
            "private-link",
            "proxy",
            "refused",
            "rejected",
            "reply-blocked",
            "resolver",
            "webhook",
            "webhook-by-url",
            "webhook-ipv6",
        ];
        assert_eq!(purposes, BTreeSet::from(expected));
        let names: Vec<&str> = truth.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        assert_eq!(names.iter().filter(|name| **name == "prod").count(), 2, "two accounts have a cluster of this name: {names:?}");
        assert!(names.contains(&"prod-2"));
        assert_eq!(truth.clusters.iter().map(|cluster| cluster.interfaces.len()).max(), Some(4), "one cluster's interfaces are replaced");
        let keys: BTreeSet<_> = truth.egress.iter().map(key).collect();
        assert_eq!(keys.len(), truth.egress.len(), "one row per destination");
    });
}

/// NAT and cross-AZ sums by a plain reading: classes A and D at the gateways, egress records elsewhere.
#[test]
fn the_nat_and_cross_az_truth_is_what_the_files_say() {
    in_temp(&Config { records: 30_000, ..small() }, |truth, root| {
        let (mut zones, mut gateways) = (HashMap::new(), HashMap::new());
        for (path, bytes) in files(&root.join("inventory")) {
            let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            if path.ends_with("describe-subnets.json") {
                for subnet in json["Subnets"].as_array().unwrap() {
                    let network: ipnet::IpNet = subnet["CidrBlock"].as_str().unwrap().parse().unwrap();
                    zones.insert(network, subnet["AvailabilityZoneId"].as_str().unwrap().to_owned());
                }
            }
            if path.ends_with("describe-nat-gateways.json") {
                for nat in json["NatGateways"].as_array().unwrap() {
                    let eni = nat["NatGatewayAddresses"][0]["NetworkInterfaceId"].as_str().unwrap().to_owned();
                    gateways.insert(eni, nat["NatGatewayId"].as_str().unwrap().to_owned());
                }
            }
        }
        let zone = |address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            zones.iter().find(|(network, _)| network.contains(&address)).map(|(_, zone)| zone.clone())
        };
        let mut nat: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        let (mut moved_nat, mut moved_other) = (0, 0);
        each_record(truth, root, |field| {
            if field["log-status"] != "OK" {
                return;
            }
            let bytes: u64 = field["bytes"].parse().unwrap();
            let egress = field["flow-direction"] == "egress";
            if let Some(gateway) = gateways.get(field["interface-id"]) {
                let client = match (egress, field["srcaddr"] != field["pkt-srcaddr"], field["dstaddr"] != field["pkt-dstaddr"]) {
                    (false, _, true) => field["pkt-srcaddr"],
                    (true, true, _) => field["pkt-dstaddr"],
                    _ => return,
                };
                let sums = nat.entry((gateway.clone(), client.to_owned())).or_default();
                *(if egress { &mut sums.1 } else { &mut sums.0 }) += bytes;
                moved_nat += if zone(client).is_some_and(|zone| zone != field["az-id"]) { bytes } else { 0 };
            } else if egress && field["action"] == "ACCEPT" && field["type"] == "IPv4" {
                moved_other += if zone(field["pkt-dstaddr"]).is_some_and(|zone| zone != field["az-id"]) { bytes } else { 0 };
            }
        });
        let expected: BTreeMap<_, _> =
            truth.nat.iter().map(|n| ((n.nat_gateway_id.clone(), n.client_addr.clone()), (n.bytes_up, n.bytes_down))).collect();
        assert_eq!(nat, expected);
        let sum = |nat: bool| truth.cross_az.iter().filter(|row| (row.kind == "nat") == nat).map(|row| row.bytes).sum::<u64>();
        assert_eq!(moved_nat, sum(true));
        // IPv6 addresses are outside these networks; what they moved is what the truth has more.
        let v6 = ipv6_across_zones(truth, root);
        assert_eq!(moved_other + v6, sum(false));
    });
}

/// Bytes between control-plane interfaces and IPv6 nodes of other AZs, by pairing each egress with the receiver's record.
fn ipv6_across_zones(truth: &Truth, root: &Path) -> u64 {
    let (mut sent, mut zones) = (Vec::new(), HashMap::new());
    each_record(truth, root, |field| {
        if field["type"] != "IPv6" {
            return;
        }
        let own = if field["flow-direction"] == "egress" { field["pkt-srcaddr"] } else { field["pkt-dstaddr"] };
        zones.insert(own.to_owned(), field["az-id"].to_owned());
        if field["flow-direction"] == "egress" {
            sent.push((own.to_owned(), field["pkt-dstaddr"].to_owned(), field["bytes"].parse::<u64>().unwrap()));
        }
    });
    sent.iter().filter(|(from, to, _)| zones.get(to).is_some_and(|zone| *zone != zones[from])).map(|(.., bytes)| bytes).sum()
}

/// A hundred connections a second would use every port again after 164 s; the ports rest instead.
#[test]
fn a_port_rests_for_more_than_600_seconds() {
    let mut ports = Ports::new(3);
    let mut used_at: HashMap<u16, i64> = HashMap::new();
    let (mut given, mut refused) = (0, 0);
    for second in 0..5_000 {
        for _ in 0..100 {
            match ports.short(second, second + 59) {
                None => refused += 1,
                Some(port) => {
                    given += 1;
                    if let Some(before) = used_at.insert(port, second + 59) {
                        assert!(second - before > 600, "port {port} at {before} and {second}");
                    }
                }
            }
        }
    }
    assert!(given > 6 * 16_384 && refused > 0, "{given} given, {refused} refused");
    let long: BTreeSet<u16> = std::iter::from_fn(|| ports.long()).collect();
    assert_eq!(long.len(), 11_848);
    assert!(long.iter().all(|port| !used_at.contains_key(port)));
}

#[test]
fn no_short_connection_returns_within_600_seconds() {
    let config = Config { records: 120_000, minutes: 20, accounts: 1, clusters: 1, ..small() };
    in_temp(&config, |truth, root| {
        let mut last: HashMap<String, i64> = HashMap::new();
        each_record(truth, root, |field| {
            // A connection whose only window holds its SYN and its FIN.
            if field["tcp-flags"] == "3" && field["flow-direction"] == "egress" && field["interface-id"] != "-" {
                let tuple = ["interface-id", "pkt-srcaddr", "srcport", "pkt-dstaddr", "dstport"].map(|name| field[name]).join(" ");
                let start: i64 = field["start"].parse().unwrap();
                if let Some(before) = last.insert(tuple.clone(), start) {
                    assert!((start - before).abs() > 600, "{tuple} at {before} and {start}");
                }
            }
        });
        assert!(last.len() > 5_000);
    });
}

/// An estate of one site, one cluster and ten windows, whose standing connections can be counted on paper.
#[test]
fn a_tiny_estate_counted_by_hand() {
    let config = Config { records: 1, minutes: 10, accounts: 1, regions: 1, clusters: 1, ..Config::default() };
    in_temp(&config, |truth, _| {
        // Records asked for are fewer than the standing connections, so only those, the one-of-each and silence are there.
        let row = |purpose: &str| truth.egress.iter().filter(|row| row.purpose == purpose).collect::<Vec<_>>();
        // The first webhook's long connection: both old interfaces for 5 windows, both new ones for 5; and one short call.
        let webhooks = row("webhook");
        assert_eq!(
            webhooks.iter().map(|row| row.connections).collect::<Vec<_>>().iter().sum::<u64>(),
            4 + 5,
            "5 webhook ends, one called by 4 long connections too"
        );
        let long = webhooks.iter().max_by_key(|row| row.connections).unwrap();
        assert_eq!((long.connections, long.records_accepted), (5, 4 * 5 + 1));
        assert_eq!((long.first_seen, long.last_seen), (truth.from, truth.to - 1));
        // Two log streams of 5 minutes / 2 each: seconds 80..246 (windows 1 to 4) and 380..546 (windows 6 to 9).
        let kubelets = row("kubelet");
        assert_eq!(kubelets.iter().map(|row| row.records_accepted).sum::<u64>(), 4 + 4 + 3);
        for purpose in ["refused", "rejected", "reply-blocked", "dropped-at-target", "dead-webhook"] {
            let only = row(purpose);
            assert_eq!((only.len(), only[0].connections), (1, 1), "{purpose}");
            assert_eq!(only[0].records_accepted + only[0].records_rejected, 1, "{purpose}");
            assert_eq!(only[0].reply_packets > 0, purpose == "refused", "{purpose}");
        }
        assert_eq!(row("rejected")[0].bytes_accepted, 0);
        // Old and new interfaces live for half of the windows each; a control-plane interface is never silent.
        let control: Vec<_> = truth.interfaces.iter().filter(|interface| interface.kind == "eks-control-plane").collect();
        assert_eq!(control.len(), 4);
        assert!(control.iter().all(|interface| interface.records.nodata == 0));
        // The idle endpoint says NODATA in each of the ten windows.
        assert!(truth.interfaces.iter().any(|i| i.kind == "vpc-endpoint" && i.records == Statuses { ok: 0, nodata: 10, skipdata: 0 }));
        assert_eq!(truth.records.skipdata, 2);
    });
}

#[test]
fn a_replaced_interface_is_silent_afterwards_and_its_address_lives_on() {
    in_temp(&small(), |truth, root| {
        let half = (truth.from + truth.to) / 2;
        let replaced = truth.clusters.iter().find(|cluster| cluster.interfaces.len() == 4).unwrap();
        let own = own_addresses(root);
        let old = own[&replaced.interfaces[0]].iter().next().unwrap().clone();
        let mut as_a_pod = 0;
        each_record(truth, root, |field| {
            let start: i64 = field["start"].parse().unwrap();
            if let Some(position) = replaced.interfaces.iter().position(|id| id == field["interface-id"]) {
                assert_eq!(start < half, position < 2, "{field:?}");
            } else if start >= half && [field["pkt-srcaddr"], field["pkt-dstaddr"]].contains(&old.as_str()) {
                as_a_pod += 1;
            }
        });
        assert!(as_a_pod > 0);
    });
}

#[test]
fn keys_follow_the_layout() {
    let first = |layout| in_temp(&Config { layout, ..small() }, |truth, _| truth.objects[0].key.clone());
    let check = |layout, pattern: &[&str]| {
        let key = first(layout);
        let mut rest = key.as_str();
        for part in pattern {
            let at = rest.find(part).unwrap_or_else(|| panic!("{key} lacks {part}"));
            rest = &rest[at + part.len()..];
        }
    };
    check(
        Layout::Plain,
        &[
            "AWSLogs/012345678901/vpcflowlogs/eu-central-1/2026/10/05/012345678901_vpcflowlogs_eu-central-1_fl-",
            "_20261005T2240Z_",
            ".log.gz",
        ],
    );
    check(Layout::PlainHourly, &["/2026/10/05/22/012345678901_"]);
    let hive = ["AWSLogs/aws-account-id=012345678901/aws-service=vpcflowlogs/aws-region=eu-central-1/year=2026/month=10/day=05/"];
    check(Layout::Hive, &hive);
    check(Layout::HiveHourly, &[hive[0], "hour=22/"]);
    assert_eq!(first(Layout::Loose), "site-00-00000.log.gz");
}

#[test]
fn flow_logs_of_the_inventory_are_those_of_the_keys() {
    in_temp(&small(), |truth, root| {
        let mut described = BTreeSet::new();
        for (path, bytes) in files(&root.join("inventory")) {
            if path.ends_with("describe-flow-logs.json") {
                let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                described.insert(json["FlowLogs"][0]["FlowLogId"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(described, truth.objects.iter().map(|object| object.flow_log_id.clone()).collect());
        assert!(truth.objects.iter().all(|object| object.key.contains(&object.flow_log_id)));
    });
}
