//! The inventory through its public face: file shapes, as-of rules, the control-plane rule, peers and destinations.

use flowproof::inventory::{
    Basis, Cluster, EgressMode, File, InterfaceKind, Inventory, Options, ScriptOptions, check, script, tables, tables_at,
};
use flowproof::time::{UnixSeconds, parse_instant};
use proptest::prelude::*;
use std::net::IpAddr;

const VPC: &str = "vpc-0123456789abcdef0";

fn at(text: &str) -> UnixSeconds {
    parse_instant(text, 0).unwrap_or_else(|| panic!("{text} is an instant"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), bytes: bytes::Bytes::copy_from_slice(text.as_bytes()) }
}

fn inventory(files: &[(&str, &str)]) -> Inventory {
    Inventory::from_files(files.iter().map(|(path, text)| file(path, text)).collect(), &Options::default()).unwrap()
}

fn eni(id: &str, vpc: &str, subnet: &str, primary: &str, more: &str) -> String {
    format!(
        r#"{{"NetworkInterfaceId":"{id}","VpcId":"{vpc}","SubnetId":"{subnet}","PrivateIpAddress":"{primary}","InterfaceType":"interface",
        "AvailabilityZone":"eu-central-1a","OwnerId":"111122223333"{more}}}"#
    )
}

fn enis(list: &[String]) -> String {
    format!(r#"{{"NetworkInterfaces":[{}]}}"#, list.join(","))
}

/// A control-plane interface as EKS makes them.
fn plane(id: &str, cluster: &str, subnet: &str, primary: &str, attached: &str) -> String {
    let more = format!(
        r#","Description":"Amazon EKS {cluster}","RequesterId":"AROAX:AmazonEKS","Attachment":{{"AttachTime":"{attached}","InstanceOwnerId":"444455556666"}}"#
    );
    eni(id, VPC, subnet, primary, &more)
}

fn cluster(name: &str, subnet: &str, created: &str, mode: &str) -> String {
    format!(
        r#"{{"cluster":{{"name":"{name}","arn":"arn:aws:eks:eu-central-1:111122223333:cluster/{name}","createdAt":"{created}",
        "resourcesVpcConfig":{{"subnetIds":["{subnet}"],"vpcId":"{VPC}"{mode}}}}}}}"#
    )
}

const SAMPLES: [(&str, &str); 22] = [
    ("describe-network-interfaces", include_str!("inventory/describe-network-interfaces.json")),
    ("list-clusters", include_str!("inventory/list-clusters.json")),
    ("describe-cluster", include_str!("inventory/describe-cluster.json")),
    ("describe-update", include_str!("inventory/describe-update.json")),
    ("list-identity-provider-configs", include_str!("inventory/list-identity-provider-configs.json")),
    ("describe-identity-provider-config", include_str!("inventory/describe-identity-provider-config.json")),
    ("describe-subnets", include_str!("inventory/describe-subnets.json")),
    ("describe-availability-zones", include_str!("inventory/describe-availability-zones.json")),
    ("describe-nat-gateways", include_str!("inventory/describe-nat-gateways.json")),
    ("describe-vpc-endpoints", include_str!("inventory/describe-vpc-endpoints.json")),
    ("config", include_str!("inventory/config.json")),
    ("cloudtrail", include_str!("inventory/cloudtrail.json")),
    ("ip-ranges", include_str!("inventory/ip-ranges.json")),
    ("describe-managed-prefix-lists", include_str!("inventory/describe-managed-prefix-lists.json")),
    ("pl-6ea54007", include_str!("inventory/prefix-list-entries.json")),
    ("resolver-queries", include_str!("inventory/resolver-queries.json")),
    ("webhooks", include_str!("inventory/webhooks.json")),
    ("apiservices", include_str!("inventory/apiservices.json")),
    ("crds", include_str!("inventory/crds.json")),
    ("services", include_str!("inventory/services.json")),
    ("endpointslices", include_str!("inventory/endpointslices.json")),
    ("endpointslices-kubernetes", include_str!("inventory/endpointslices-kubernetes.json")),
];

fn sample_files() -> Vec<File> {
    SAMPLES.iter().map(|(name, text)| file(&format!("2026-10-04T000000Z/111122223333/eu-central-1/{name}.json"), text)).collect()
}

#[test]
fn every_documented_shape_is_read() {
    let inventory = Inventory::from_files(sample_files(), &Options::default()).unwrap();
    assert_eq!(inventory.warnings(), [""; 0]);
    let cluster = &inventory.clusters()[0];
    assert_eq!((&*cluster.name, cluster.egress_mode.as_deref()), ("payments-prod", Some("CUSTOMER_ROUTED")));
    assert_eq!(cluster.mode_changes.len(), 1);
    assert_eq!(&*cluster.identity_issuers[0], "https://login.corp.example.com/realms/k8s");
    let index = inventory.eni_index("eni-0aaa1111bbbb2222c").unwrap();
    let eni = &inventory.enis()[index as usize];
    assert_eq!((eni.kind, eni.cluster, eni.az_id.as_deref()), (InterfaceKind::EksControlPlane, Some(0), Some("euc1-az2")));
    assert_eq!(eni.control_plane.as_ref().unwrap().rules, [1, 2, 3, 4, 5]);
    assert_eq!(eni.valid.from, at("2026-10-03T08:14:09Z"), "the CreateNetworkInterface event");
    let t = at("2026-10-03T09:00:00Z");
    let names = |addr: &str, port: u16| {
        let d = inventory.destination(0, index, ip(addr), port, 6, t, None);
        (d.kind, d.names)
    };
    let one = |name: &str| vec![name.to_owned()];
    assert_eq!(names("10.20.3.118", 9443), ("webhook", one("validatingwebhookconfiguration/kyverno-resource-validating-webhook-cfg")));
    assert_eq!(names("10.20.3.118", 8080), ("pod", one("pod/kyverno/kyverno-7c9d")));
    assert_eq!(names("10.40.7.9", 443), ("oidc-issuer", one("login.corp.example.com")));
    assert_eq!(names("10.80.1.1", 10250), ("hybrid-node", one("10.80.0.0/16")));
    assert_eq!(names("3.5.137.1", 443), ("aws-service", one("S3 eu-central-1")));
    assert_eq!(names("10.99.0.1", 443), ("private", vec![]));
    assert_eq!(names("8.8.8.8", 443), ("internet", vec![]));
    assert!(inventory.is_configured_listener(0, ip("10.20.3.118"), 9443) && !inventory.is_configured_listener(0, ip("10.20.3.118"), 443));
}

#[test]
fn the_order_of_files_changes_nothing() {
    let forward = Inventory::from_files(sample_files(), &Options::default()).unwrap();
    let mut files = sample_files();
    files.reverse();
    let backward = Inventory::from_files(files, &Options::default()).unwrap();
    assert_eq!(format!("{:?}", tables(&forward)), format!("{:?}", tables(&backward)));
}

#[test]
fn pages_wrappers_lines_and_gzip_are_the_same() {
    let one = eni("eni-1", VPC, "subnet-1", "10.0.0.1", "");
    let two = eni("eni-2", VPC, "subnet-1", "10.0.0.2", "");
    let ids = |text: &str| {
        let inventory = inventory(&[("2026-01-01/x.json", text)]);
        inventory.enis().iter().map(|eni| eni.id.to_string()).collect::<Vec<_>>()
    };
    let (a, b) = (enis(std::slice::from_ref(&one)), enis(std::slice::from_ref(&two)));
    for text in [
        enis(&[one.clone(), two.clone()]),
        format!("[{a},{b}]"),
        format!("{a}{b}"),
        format!("{a}\n\n{b}\n"),
        format!("{}\n{}\n", one.replace('\n', " "), two.replace('\n', " ")),
        format!(r#"{{"data":[{a},{b}],"region":"eu-central-1","collected_at":"2026-01-01T00:00:00Z","account_id":"111122223333"}}"#),
        format!("\u{feff}{}", enis(&[one.clone(), two.clone()])),
    ] {
        assert_eq!(ids(&text), ["eni-1", "eni-2"], "{text}");
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, a.as_bytes()).unwrap();
    let zipped = File { path: "2026-01-01/x.json".into(), bytes: encoder.finish().unwrap().into() };
    assert_eq!(Inventory::from_files(vec![zipped], &Options::default()).unwrap().enis().len(), 1);
}

#[test]
fn bad_files_are_named() {
    let error = |text: &str| Inventory::from_files(vec![file("inv/x.json", text)], &Options::default()).unwrap_err().to_string();
    assert!(
        error("{\"NetworkInterfaces\": [\n  {\"a\": }]}").starts_with("inv/x.json:2:"),
        "{}",
        error("{\"NetworkInterfaces\": [\n  {\"a\": }]}")
    );
    assert!(error("{\"NetworkInterfaces\": [").contains("malformed"));
    assert!(error(&"[".repeat(100_000)).contains("recursion limit"));
    assert!(error(&format!("{}1", "{\"data\":".repeat(100_000))).contains("recursion limit"));
    let unknown = inventory(&[("inv/notes.json", r#"{"hello": 1}"#), ("inv/x.bin", "\u{1f}\u{fffd}"), ("inv/y.json", "")]);
    assert_eq!(unknown.warnings().len(), 3, "{:?}", unknown.warnings());
    assert!(unknown.warnings()[0].starts_with("inv/notes.json"));
}

#[test]
fn cluster_names_are_exact() {
    let planes = enis(&[
        plane("eni-1", "prod", "subnet-1", "10.0.1.1", "2026-01-02T00:00:00Z"),
        plane("eni-2", "prod-2", "subnet-1", "10.0.1.2", "2026-01-02T00:00:00Z"),
    ]);
    let (prod, prod2) =
        (cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", ""), cluster("prod-2", "subnet-1", "2026-01-01T00:00:00Z", ""));
    let inventory = inventory(&[("2026-02-01/enis.json", &planes), ("2026-02-01/a.json", &prod), ("2026-02-01/b.json", &prod2)]);
    let names: Vec<_> = inventory.enis().iter().map(|eni| &*inventory.clusters()[eni.cluster.unwrap() as usize].name).collect();
    assert_eq!(names, ["prod", "prod-2"]);
    assert_eq!(inventory.clusters()[0].egress_mode, EgressMode::Unknown, "a missing key is unknown, not AWS_MANAGED");
}

#[test]
fn doubtful_control_plane_interfaces() {
    let spoof = eni(
        "eni-spoof",
        VPC,
        "subnet-9",
        "10.0.9.1",
        r#","Description":"Amazon EKS prod","RequesterId":"AIDA","Attachment":{"InstanceId":"i-1","InstanceOwnerId":"111122223333"}"#,
    );
    let list = enis(&[
        spoof,
        plane("eni-moved", "prod", "subnet-9", "10.0.9.2", "2026-01-02T00:00:00Z"),
        plane("eni-other", "unknown", "subnet-1", "10.0.9.3", "2026-01-02T00:00:00Z"),
    ]);
    let prod = cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", "");
    let inventory = inventory(&[("2026-02-01/enis.json", &list), ("2026-02-01/a.json", &prod)]);
    let accepted: Vec<_> = inventory.enis().iter().filter(|eni| eni.control_plane.is_some()).map(|eni| &*eni.id).collect();
    assert_eq!(accepted, ["eni-moved"]);
    let suspects: Vec<_> = inventory.suspects().iter().map(|suspect| &*suspect.interface_id).collect();
    assert_eq!(suspects, ["eni-other", "eni-spoof"]);
    assert_eq!(inventory.warnings().len(), 3, "{:?}", inventory.warnings());
}

#[test]
fn a_recreated_cluster_is_another_one() {
    let list = enis(&[
        plane("eni-old", "prod", "subnet-1", "10.0.1.1", "2026-01-02T00:00:00Z"),
        plane("eni-new", "prod", "subnet-1", "10.0.1.2", "2026-03-02T00:00:00Z"),
    ]);
    let (old, new) = (cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", ""), cluster("prod", "subnet-1", "2026-03-01T00:00:00Z", ""));
    let inventory = inventory(&[("2026-01-05/a.json", &old), ("2026-03-05/a.json", &new), ("2026-03-05/enis.json", &list)]);
    assert_eq!(inventory.clusters().len(), 2);
    assert_eq!(inventory.clusters()[0].valid.to, at("2026-03-01T00:00:00Z"));
    let of = |id: &str| inventory.enis()[inventory.eni_index(id).unwrap() as usize].cluster;
    assert_eq!((of("eni-old"), of("eni-new")), (Some(0), Some(1)));
}

#[test]
fn modes_are_kept_as_written_and_change_at_an_instant() {
    let mode = |mode: &str| format!(r#","controlPlaneEgressMode":"{mode}""#);
    let seen = |name: &str| cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", &mode(name));
    let odd = inventory(&[("2026-02-01/a.json", &seen("CUSTOMER_ISOLATED"))]);
    assert_eq!(odd.clusters()[0].egress_mode, EgressMode::Known("CUSTOMER_ISOLATED".into()));
    let update = include_str!("inventory/describe-update.json");
    let changed = inventory(&[
        ("2026-06-01/prod.json", &seen("AWS_MANAGED")),
        ("2026-07-02/prod.json", &seen("CUSTOMER_ROUTED")),
        ("2026-07-02/prod/update.json", update),
    ]);
    let check = |cluster: &Cluster, t: &str, want: Option<&str>| assert_eq!(cluster.mode_at(at(t)).as_deref(), want, "{t}");
    let cluster = &changed.clusters()[0];
    check(cluster, "2026-05-01", Some("AWS_MANAGED"));
    check(cluster, "2026-06-30", Some("AWS_MANAGED"));
    check(cluster, "2026-07-01T12:00:00Z", None);
    check(cluster, "2026-07-03", Some("CUSTOMER_ROUTED"));
}

/// An interface was replaced, and its address handed to a pod.
#[test]
fn an_address_that_changes_hands() {
    let node = |pods: &str| {
        eni(
            "eni-node",
            VPC,
            "subnet-1",
            "10.0.1.9",
            &format!(
                r#","Description":"aws-K8S-i-0node","PrivateIpAddresses":[{pods}],"TagSet":[{{"Key":"cluster.k8s.amazonaws.com/name","Value":"prod"}}],
        "Attachment":{{"AttachTime":"2026-01-01T00:00:00Z","InstanceId":"i-0node","InstanceOwnerId":"111122223333"}}"#
            ),
        )
    };
    let before = enis(&[plane("eni-plane", "prod", "subnet-1", "10.0.1.5", "2026-01-02T00:00:00Z"), node("")]);
    let after = enis(&[node(r#"{"PrivateIpAddress":"10.0.1.5","Primary":false}"#)]);
    let prod = cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", "");
    let subnets =
        format!(r#"{{"Subnets":[{{"SubnetId":"subnet-1","VpcId":"{VPC}","CidrBlock":"10.0.1.0/24","AvailabilityZoneId":"euc1-az1"}}]}}"#);
    let mut files = vec![
        ("2026-02-01/enis.json", before.as_str()),
        ("2026-02-03/enis.json", &after),
        ("2026-02-03/prod.json", &prod),
        ("2026-02-03/s.json", &subnets),
    ];
    let kind = |inventory: &Inventory, t: &str| {
        let peer = inventory.peer(None, Some(VPC), ip("10.0.1.5"), at(t));
        (peer.kind, peer.basis, peer.az_id.map(str::to_owned), peer.extrapolated)
    };
    let az = Some("euc1-az1".to_owned());
    let snapshots = inventory(&files);
    assert_eq!(kind(&snapshots, "2026-01-15"), (Some("eks-control-plane"), Basis::OwnVpc, az.clone(), false), "attached since the second");
    assert_eq!(kind(&snapshots, "2026-02-01"), (Some("eks-control-plane"), Basis::OwnVpc, az.clone(), false));
    assert_eq!(kind(&snapshots, "2026-02-02"), (None, Basis::SubnetOnly, az.clone(), false), "holders differ");
    assert_eq!(kind(&snapshots, "2026-02-03"), (Some("eks-pod"), Basis::OwnVpc, az.clone(), false));
    assert_eq!(kind(&snapshots, "2026-02-09"), (Some("eks-pod"), Basis::OwnVpc, az.clone(), true));
    assert_eq!(kind(&snapshots, "2026-01-01"), (None, Basis::SubnetOnly, az.clone(), false), "before it was attached");
    let deleted = r#"{"Records":[{"eventName":"DeleteNetworkInterface","eventSource":"ec2.amazonaws.com","eventTime":"2026-02-02T06:00:00Z","requestParameters":{"networkInterfaceId":"eni-plane"}},
        {"eventName":"DeleteNetworkInterface","eventSource":"ec2.amazonaws.com","eventTime":"2026-02-01T06:00:00Z","errorCode":"Client.DryRunOperation","requestParameters":{"networkInterfaceId":"eni-plane"}}]}"#;
    files.push(("trail.json", deleted));
    let sharpened = inventory(&files);
    assert_eq!(kind(&sharpened, "2026-02-02T05:00:00Z").0, Some("eks-control-plane"));
    assert_eq!(kind(&sharpened, "2026-02-02T07:00:00Z").0, None);
    let plane = &sharpened.enis()[sharpened.eni_index("eni-plane").unwrap() as usize];
    assert_eq!((plane.valid.from, plane.valid.to), (at("2026-01-02"), at("2026-02-02T06:00:00Z")));
    assert!(plane.owns(ip("10.0.1.5")) && !plane.owns(ip("10.0.1.9")));
}

#[test]
fn prefixes_and_ipv6() {
    let node = eni(
        "eni-node",
        VPC,
        "subnet-1",
        "10.0.1.9",
        r#","Description":"","TagSet":[{"Key":"eks:cluster-name","Value":"prod"}],
        "Ipv6Addresses":[{"Ipv6Address":"2001:db8::9"}],"Ipv4Prefixes":[{"Ipv4Prefix":"10.0.1.32/28"}],"Ipv6Prefixes":[{"Ipv6Prefix":"2001:db8:0:1::/80"}],
        "Attachment":{"InstanceId":"i-0node","InstanceOwnerId":"111122223333"}"#,
    );
    let inventory = inventory(&[("2026-02-01/enis.json", &enis(&[node]))]);
    let kind = |addr: &str| inventory.peer(None, Some(VPC), ip(addr), at("2026-02-01")).kind;
    assert_eq!(kind("10.0.1.9"), Some("eks-node"));
    assert_eq!(kind("10.0.1.40"), Some("eks-pod"));
    assert_eq!(kind("10.0.1.48"), None);
    assert_eq!(kind("2001:db8::9"), Some("eks-node"));
    assert_eq!(kind("2001:db8:0:1::7"), Some("eks-pod"));
    assert!(inventory.enis()[0].owns(ip("10.0.1.47")));
}

#[test]
fn peers_over_vpcs() {
    let list = enis(&[
        eni("eni-own", "vpc-own", "subnet-o", "10.9.0.1", ""),
        eni("eni-a", "vpc-a", "subnet-a", "10.1.0.1", ""),
        eni("eni-b", "vpc-b", "subnet-b", "10.1.0.1", ""),
        eni("eni-c", "vpc-c", "subnet-c", "10.2.0.1", ""),
    ]);
    let peering = r#"{"VpcPeeringConnections":[{"VpcPeeringConnectionId":"pcx-1","Status":{"Code":"active"},"RequesterVpcInfo":{"VpcId":"vpc-a"},"AccepterVpcInfo":{"VpcId":"vpc-own"}}]}"#;
    let gateway = |vpc: &str, id: &str| {
        format!(
            r#"{{"TransitGatewayAttachmentId":"{id}","TransitGatewayId":"tgw-1","ResourceType":"vpc","ResourceId":"{vpc}","State":"available"}}"#
        )
    };
    let attachments =
        format!(r#"{{"TransitGatewayAttachments":[{},{}]}}"#, gateway("vpc-own", "tgw-attach-1"), gateway("vpc-b", "tgw-attach-2"));
    let t = at("2026-02-01");
    let of = |inventory: &Inventory, addr: &str| {
        let peer = inventory.peer(inventory.eni_index("eni-own"), None, ip(addr), t);
        (peer.eni.map(|eni| eni.id.to_string()), peer.basis)
    };
    let found = |id: &str, basis| (Some(id.to_owned()), basis);
    let alone = inventory(&[("2026-02-01/e.json", &list)]);
    assert_eq!(of(&alone, "10.1.0.1"), (None, Basis::Ambiguous));
    assert_eq!(of(&alone, "10.2.0.1"), found("eni-c", Basis::Unique));
    assert_eq!(of(&alone, "8.8.8.8"), (None, Basis::None));
    let peered = inventory(&[("2026-02-01/e.json", &list), ("2026-02-01/p.json", peering), ("2026-02-01/t.json", &attachments)]);
    assert_eq!(of(&peered, "10.1.0.1"), found("eni-a", Basis::Peered));
    let routed = inventory(&[("2026-02-01/e.json", &list), ("2026-02-01/t.json", &attachments)]);
    assert_eq!(of(&routed, "10.1.0.1"), found("eni-b", Basis::TransitGateway));
}

#[test]
fn files_without_a_time_hold_always() {
    let list = enis(&[eni("eni-1", VPC, "subnet-1", "10.0.0.1", "")]);
    let undated = inventory(&[("inv/e.json", &list)]);
    assert!(undated.peer(None, Some(VPC), ip("10.0.0.1"), 0).eni.is_some());
    assert!(undated.warnings()[0].contains("1 inventory file has no as-of time"), "{:?}", undated.warnings());
    let given = Inventory::from_files(vec![file("inv/e.json", &list)], &Options { as_of: Some(at("2026-02-01")) }).unwrap();
    assert!(given.warnings().is_empty());
    assert!(given.peer(None, Some(VPC), ip("10.0.0.1"), 0).extrapolated);
}

#[test]
fn interfaces_shown_beside_other_resources() {
    let nats = include_str!("inventory/describe-nat-gateways.json");
    let instances = r#"{"Reservations":[{"Instances":[{"InstanceId":"i-1","VpcId":"vpc-1","Tags":[{"Key":"kubernetes.io/cluster/prod","Value":"owned"}],
        "NetworkInterfaces":[{"NetworkInterfaceId":"eni-n","VpcId":"vpc-1","PrivateIpAddress":"10.0.0.5","Attachment":{"DeviceIndex":0}}]}]}]}"#;
    let list = enis(&[eni("eni-1", "vpc-1", "subnet-1", "10.0.0.1", "")]);
    let inventory = inventory(&[("2026-02-01/e.json", &list), ("2026-02-02/n.json", nats), ("2026-02-02/i.json", instances)]);
    let of = |id: &str| &inventory.enis()[inventory.eni_index(id).unwrap() as usize];
    let nat = of("eni-0da700000000000a1");
    assert_eq!((nat.kind, nat.resource.as_deref()), (InterfaceKind::NatGateway, Some("nat-0123456789abcdef0")));
    assert!(nat.owns(ip("10.20.0.12")));
    assert_eq!((of("eni-n").kind, of("eni-n").instance_id.as_deref()), (InterfaceKind::EksNode, Some("i-1")));
    assert_eq!(of("eni-1").valid.to, i64::MAX, "they prove no absence");
}

#[test]
fn flow_logs_that_cannot_matter() {
    let list = enis(&[
        plane("eni-plane", "prod", "subnet-1", "10.0.1.1", "2026-01-02T00:00:00Z"),
        eni("eni-x", "vpc-x", "subnet-x", "10.7.0.1", ""),
    ]);
    let log = |id: &str, resource: &str| format!(r#"{{"FlowLogId":"{id}","ResourceId":"{resource}","TrafficType":"ALL"}}"#);
    let logs = [
        ("fl-vpc", VPC),
        ("fl-subnet", "subnet-1"),
        ("fl-x", "vpc-x"),
        ("fl-far", "vpc-unknown"),
        ("fl-eni", "eni-x"),
        ("fl-tgw", "tgw-1"),
    ]
    .map(|(id, of)| log(id, of))
    .join(",");
    let logs = format!(r#"{{"FlowLogs":[{logs}]}}"#);
    let prod = cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", "");
    let inventory = inventory(&[("2026-02-01/e.json", &list), ("2026-02-01/f.json", &logs), ("2026-02-01/c.json", &prod)]);
    let may = |id: &str| inventory.flow_log_may_cover(id, &|eni| eni.control_plane.is_some());
    assert_eq!([may("fl-vpc"), may("fl-subnet"), may("fl-x"), may("fl-eni")], [Some(true), Some(true), Some(false), Some(false)]);
    assert_eq!([may("fl-far"), may("fl-tgw"), may("fl-none")], [Some(true), Some(true), None], "what is not known is not excluded");
}

#[test]
fn tables_and_findings() {
    let inventory = Inventory::from_files(sample_files(), &Options::default()).unwrap();
    let all = tables(&inventory);
    let rows = |name: &str| all.iter().find(|(table, _)| *table == name).unwrap_or_else(|| panic!("{name}")).1.num_rows();
    for name in ["enis", "subnets", "nat_gateways", "vpc_endpoints", "clusters", "webhooks", "services", "prefix_lists"] {
        assert!(rows(name) > 0, "{name}");
    }
    assert_eq!(all.len(), 23, "no table may fall away");
    let before = tables_at(&inventory, at("2020-01-01"));
    assert_eq!(before.iter().find(|(table, _)| *table == "enis").unwrap().1.num_rows(), 0);
    let findings = check(&inventory);
    assert_eq!(findings.len(), 11);
    assert!(check(&Inventory::default()).iter().all(|finding| !finding.command.is_empty()));
}

#[test]
fn the_script_only_reads() {
    let options = ScriptOptions {
        to_dir: "it's here".into(),
        accounts: vec!["111122223333".into(), "444455556666".into()],
        regions: vec!["eu-central-1".into(), "$(reboot)".into()],
        role_name: Some("Auditor".into()),
        external_id: Some("x'y".into()),
        kubernetes: true,
    };
    let simple = ScriptOptions::default();
    for text in [script(&options), script(&simple)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("collect.sh");
        std::fs::write(&path, &text).unwrap();
        assert!(std::process::Command::new("sh").arg("-n").arg(&path).status().unwrap().success());
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for call in line.split("aws ").skip(1).filter(|call| call.starts_with(|c: char| c.is_ascii_lowercase())) {
                let verb = call.split_whitespace().nth(1).unwrap();
                let reads = ["describe-", "list-", "get", "assume-role"].iter().any(|allowed| verb.starts_with(allowed));
                assert!(reads, "{line}");
            }
            for call in line.split("kubectl ").skip(1) {
                assert!(call.starts_with("get "), "{line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Holders of a few addresses in a few snapshots: the answer at any instant is that of a scan over the snapshots.
    #[test]
    fn as_of_agrees_with_a_naive_scan(snapshots in prop::collection::vec(prop::collection::vec(0_u8..3, 3), 1..6)) {
        let time = |index: usize| at("2026-01-01") + index as i64 * 86_400;
        let files = snapshots.iter().enumerate().map(|(index, holders)| {
            let of = |eni: u8| {
                let held: Vec<String> = holders.iter().enumerate().filter(|(_, holder)| **holder == eni)
                    .map(|(addr, _)| format!(r#"{{"PrivateIpAddress":"10.0.0.{}"}}"#, addr + 1)).collect();
                self::eni(&format!("eni-{eni}"), VPC, "subnet-1", &format!("10.0.1.{eni}"), &format!(r#","PrivateIpAddresses":[{}]"#, held.join(",")))
            };
            // Holder 0 stands for nobody.
            file(&format!("{}/e.json", flowproof::time::rfc3339(time(index))), &enis(&[of(1), of(2)]))
        }).collect();
        let inventory = Inventory::from_files(files, &Options::default()).unwrap();
        for t in (-1..snapshots.len() as i64 * 2 + 1).map(|half| time(0) + half * 43_200) {
            for addr in 0..3 {
                let holder = |index: usize| Some(snapshots[index][addr]).filter(|holder| *holder != 0);
                let before = (0..snapshots.len()).rev().find(|index| time(*index) <= t);
                let after = (0..snapshots.len()).find(|index| time(*index) >= t);
                let want = match (before, after) {
                    (Some(a), Some(b)) => holder(a).filter(|_| holder(a) == holder(b)),
                    (Some(only), None) | (None, Some(only)) => holder(only),
                    (None, None) => None,
                };
                let peer = inventory.peer(None, Some(VPC), ip(&format!("10.0.0.{}", addr + 1)), t);
                prop_assert_eq!(peer.eni.map(|eni| eni.id.to_string()), want.map(|eni| format!("eni-{eni}")));
                prop_assert_eq!(peer.extrapolated, want.is_some() && (before.is_none() || after.is_none()));
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(text in r#"[\[\]{}":,a-z0-9 ]{0,200}"#) {
        let _ = Inventory::from_files(vec![file("x", &text)], &Options::default());
    }
}

#[test]
fn a_large_inventory_is_read_in_seconds() {
    let list: Vec<String> = (0..20_000)
        .map(|n: u32| {
            let [_, a, b, c] = n.to_be_bytes();
            eni(&format!("eni-{n:017x}"), &format!("vpc-{}", n % 50), "subnet-1", &format!("10.{a}.{b}.{c}"), "")
        })
        .collect();
    let text = enis(&list);
    let started = std::time::Instant::now();
    let inventory = inventory(&[("2026-02-01/e.json", &text)]);
    let read = started.elapsed();
    assert_eq!(inventory.enis().len(), 20_000);
    let started = std::time::Instant::now();
    for n in 0..100_000_u32 {
        let [_, a, b, c] = (n % 20_000).to_be_bytes();
        let peer = inventory.peer(None, Some(&format!("vpc-{}", n % 50)), IpAddr::from([10, a, b, c]), at("2026-02-01"));
        assert!(peer.eni.is_some());
    }
    println!("read {} bytes in {read:?}; 100,000 look-ups in {:?}", text.len(), started.elapsed());
    assert!(read.as_secs() < 20);
}
