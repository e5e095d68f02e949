//! The inventory through its public face: file shapes, as-of rules, the control-plane rule, peers and destinations.

use flowproof::inventory::{
    Basis, Cluster, EgressMode, File, InterfaceKind, Inventory, Options, ScriptOptions, VpcLink, check, script, tables, tables_at,
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
fn later_sightings_of_a_cluster_add_to_what_is_known() {
    let seen = |version: &str, subnets: &str, more: &str, mode: &str| {
        format!(
            r#"{{"cluster":{{"name":"prod","arn":"arn:aws:eks:eu-central-1:111122223333:cluster/prod","createdAt":"2026-01-01T00:00:00Z","version":"{version}"{more},
            "resourcesVpcConfig":{{"subnetIds":[{subnets}],"vpcId":"{VPC}"{mode}}}}}}}"#
        )
    };
    let issuer = r#","identity":{"oidc":{"issuer":"https://oidc.example.com/id/1"}}"#;
    let first = seen("1.33", r#""subnet-2","subnet-1""#, issuer, r#","controlPlaneEgressMode":"AWS_MANAGED","endpointPublicAccess":true"#);
    let second =
        seen("1.34", r#""subnet-3","subnet-1""#, "", r#","controlPlaneEgressMode":"CUSTOMER_ROUTED","endpointPrivateAccess":true"#);
    let third = seen("1.34", "", "", "");
    let inventory = inventory(&[("2026-02-01/c.json", &first), ("2026-03-01/c.json", &second), ("2026-04-01/c.json", &third)]);
    let [cluster] = inventory.clusters() else { panic!("one cluster") };
    let texts = |list: &[std::sync::Arc<str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&cluster.subnet_ids), ["subnet-1", "subnet-2", "subnet-3"]);
    assert_eq!((cluster.version.as_deref(), cluster.oidc_issuer.as_deref()), (Some("1.34"), Some("https://oidc.example.com/id/1")));
    assert_eq!(cluster.egress_mode, EgressMode::Known("CUSTOMER_ROUTED".into()), "a sighting without a mode says nothing");
    assert_eq!((cluster.endpoint_access, cluster.mode_seen.len()), ((Some(true), Some(true)), 3));
}

#[test]
fn a_recreated_cluster_is_another_one() {
    let node = |id: &str, address: &str, attached: &str| {
        let more = format!(
            r#","TagSet":[{{"Key":"eks:cluster-name","Value":"prod"}}],"Attachment":{{"AttachTime":"{attached}","InstanceId":"i-{id}","InstanceOwnerId":"111122223333"}}"#
        );
        eni(id, VPC, "subnet-1", address, &more)
    };
    let list = enis(&[
        plane("eni-old", "prod", "subnet-1", "10.0.1.1", "2026-01-02T00:00:00Z"),
        plane("eni-new", "prod", "subnet-1", "10.0.1.2", "2026-03-02T00:00:00Z"),
        node("eni-node-old", "10.0.1.3", "2026-01-03T00:00:00Z"),
        node("eni-node-same", "10.0.1.4", "2026-03-01T00:00:00Z"),
        node("eni-node-new", "10.0.1.5", "2026-03-03T00:00:00Z"),
    ]);
    let (old, new) = (cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", ""), cluster("prod", "subnet-1", "2026-03-01T00:00:00Z", ""));
    let inventory = inventory(&[("2026-01-05/a.json", &old), ("2026-03-05/a.json", &new), ("2026-03-05/enis.json", &list)]);
    assert_eq!(inventory.clusters().len(), 2);
    assert_eq!(inventory.clusters()[0].valid.to, at("2026-03-01T00:00:00Z"));
    let of = |id: &str| inventory.enis()[inventory.eni_index(id).unwrap() as usize].cluster;
    assert_eq!((of("eni-old"), of("eni-new")), (Some(0), Some(1)));
    assert_eq!((of("eni-node-old"), of("eni-node-same"), of("eni-node-new")), (Some(0), Some(1), Some(1)), "nodes likewise");
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

const SUBNETS: &str = r#"{"Subnets":[
    {"SubnetId":"subnet-1","VpcId":"vpc-1","CidrBlock":"10.1.1.0/24","AvailabilityZoneId":"euc1-az1","OwnerId":"111122223333",
        "AvailabilityZone":"eu-central-1a","Tags":[{"Key":"team","Value":"net"},{"Key":"tier","Value":"low"}]},
    {"SubnetId":"subnet-2","VpcId":"vpc-1","CidrBlock":"10.1.2.0/24","AvailabilityZoneId":"euc1-az2"},
    {"SubnetId":"subnet-3","VpcId":"vpc-1","CidrBlock":"10.1.3.0/24"},
    {"SubnetId":"subnet-4","VpcId":"vpc-2","CidrBlock":"10.1.2.0/24","AvailabilityZoneId":"euc1-az3"}]}"#;

#[test]
fn an_inventory_is_empty_until_it_knows_a_resource() {
    let pods = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"n","name":"p"},"status":{"podIP":"10.0.0.9"}}"#;
    let prod = cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", "");
    let lists: [&[(&str, &str)]; 4] = [
        &[("2026-02-01/e.json", r#"{"NetworkInterfaces":[{"NetworkInterfaceId":"eni-1","VpcId":"vpc-1"}]}"#)],
        &[("2026-02-01/s.json", SUBNETS)],
        &[("2026-02-01/f.json", r#"{"FlowLogs":[{"FlowLogId":"fl-1","ResourceId":"vpc-1"}]}"#)],
        &[("2026-02-01/prod/c.json", &prod), ("2026-02-01/prod/k.json", pods)],
    ];
    for files in lists {
        assert!(!inventory(files).is_empty(), "{files:?}");
    }
    assert!(Inventory::default().is_empty());
    assert!(inventory(&[("2026-02-01/e.json", r#"{"NetworkInterfaces":[]}"#)]).is_empty());
    let all = inventory(lists[3]);
    assert_eq!((all.kube().len(), all.kube()[0].cluster), (1, 0));
}

#[test]
fn small_look_ups() {
    let instances =
        r#"{"Reservations":[{"Instances":[{"InstanceId":"i-1","Tags":[{"Key":"team","Value":"web"},{"Key":"app","Value":"shop"}]}]}]}"#;
    let of_instance = r#","Attachment":{"InstanceId":"i-1"},"TagSet":[{"Key":"app","Value":"till"}]"#;
    let list = enis(&[eni("eni-1", "vpc-1", "subnet-1", "10.1.1.1", of_instance), eni("eni-2", "vpc-1", "subnet-1", "10.1.1.2", "")]);
    let accounts = r#"{"Accounts":[{"Id":"111122223333","Name":"shop","Arn":"arn:aws:organizations::1:account/o-1/111122223333"},
        {"Id":"444455556666","Name":"bank","Arn":"arn:aws:organizations::1:account/o-1/444455556666"}]}"#;
    let logs = r#"{"FlowLogs":[{"FlowLogId":"fl-1","ResourceId":"vpc-1","LogFormat":"${srcaddr} ${bytes} ${x-new}"},
        {"FlowLogId":"fl-2","ResourceId":"vpc-1"},{"FlowLogId":"fl-3","ResourceId":"vpc-1","LogFormat":"rubbish"}]}"#;
    let inventory = inventory(&[
        ("2026-02-01/e.json", &list),
        ("2026-02-01/i.json", instances),
        ("2026-02-01/s.json", SUBNETS),
        ("2026-02-01/a.json", accounts),
        ("2026-02-01/f.json", logs),
    ]);
    let az = |subnet| inventory.az_of_subnet(subnet);
    assert_eq!(["subnet-1", "subnet-2", "subnet-4"].map(|id| az(Some(id))), ["euc1-az1", "euc1-az2", "euc1-az3"].map(Some));
    assert_eq!([None, Some("subnet-0"), Some("subnet-25"), Some("subnet-3"), Some("subnet-9")].map(az), [None; 5]);
    let columns = |id: &str| inventory.layout_of_flow_log(id).map(|layout| layout.columns.len());
    assert_eq!(["fl-1", "fl-2", "fl-3", "fl-4"].map(columns), [Some(3), None, None, None]);
    let name = |id: &str| inventory.account_name(id);
    assert_eq!(["111122223333", "444455556666", "777788889999"].map(name), [Some("shop"), Some("bank"), None]);
    // The interface's own tag goes before the instance's, and that before the subnet's.
    let tag = |id: &str, key: &str| inventory.eni_tag(id, key).map(str::to_owned);
    assert_eq!(
        ["app", "team", "tier", "none"].map(|key| tag("eni-1", key)),
        [Some("till"), Some("web"), Some("low"), None].map(|tag| tag.map(str::to_owned))
    );
    assert_eq!(["app", "team", "tier"].map(|key| tag("eni-2", key)), [None, Some("net"), Some("low")].map(|tag| tag.map(str::to_owned)));
    assert_eq!(tag("eni-3", "team"), None);
}

#[test]
fn formats_of_log_groups_and_services_of_ranges() {
    let log = |id: &str, to: &str, format: &str| format!(r#"{{"FlowLogId":"{id}","ResourceId":"vpc-1",{to},"LogFormat":"{format}"}}"#);
    let group = |name: &str| format!(r#""LogDestination":"arn:aws:logs:eu-central-1:111122223333:log-group:{name}:*""#);
    let (two, three) = ("${srcaddr} ${bytes}", "${srcaddr} ${bytes} ${start}");
    let logs = [
        log("fl-1", &group("same"), two),
        log("fl-2", r#""LogGroupName":"same""#, two),
        log("fl-3", &group("several"), two),
        log("fl-4", &group("several"), three),
        log("fl-5", r#""LogGroupName":"one""#, three),
        log("fl-6", r#""LogDestination":"arn:aws:s3:::bucket""#, two),
        r#"{"FlowLogId":"fl-7","ResourceId":"vpc-1","LogGroupName":"unsaid"}"#.to_owned(),
    ];
    let ranges = r#"{"syncToken":"1","prefixes":[{"ip_prefix":"3.5.136.0/22","service":"S3","region":"eu-central-1"}]}"#;
    let inventory = inventory(&[("2026-02-01/f.json", &format!(r#"{{"FlowLogs":[{}]}}"#, logs.join(","))), ("2026-02-01/r.json", ranges)]);
    let mut groups: Vec<_> =
        inventory.layouts_by_log_group().into_iter().map(|(group, layout)| (group, layout.map(|layout| layout.columns.len()))).collect();
    groups.sort_unstable();
    let of = |group: &str, columns| (group.to_owned(), columns);
    assert_eq!(groups, [of("one", Some(3)), of("same", Some(2)), of("several", None), of("unsaid", None)]);
    let services = |addr: &str| inventory.aws_ranges(ip(addr)).iter().map(|range| range.service.to_string()).collect::<Vec<_>>();
    assert_eq!((services("3.5.137.1"), services("3.5.140.1").len()), (vec!["S3".to_owned()], 0));
}

#[test]
fn flow_logs_of_places_that_may_have_held_a_control_plane() {
    let away = |name: &str, subnet: &str, vpc: &str| cluster(name, subnet, "2026-01-01T00:00:00Z", "").replace(VPC, vpc);
    let [seen, unseen, far] = [away("seen", "subnet-1", VPC), away("unseen", "subnet-2", VPC), away("far", "subnet-4", "vpc-far")];
    let list = enis(&[
        plane("eni-plane-1", "seen", "subnet-9", "10.0.9.1", "2026-01-02T00:00:00Z"),
        plane("eni-plane-2", "seen", "subnet-9", "10.0.9.2", "2026-01-02T00:00:00Z"),
        eni("eni-in-1", VPC, "subnet-1", "10.0.1.1", ""),
        eni(
            "eni-in-2",
            VPC,
            "subnet-2",
            "10.0.2.1",
            r#","TagSet":[{"Key":"eks:cluster-name","Value":"unseen"}],"Attachment":{"InstanceId":"i-1"}"#,
        ),
        eni("eni-in-3", VPC, "subnet-3", "10.0.3.1", ""),
        eni("eni-far", "vpc-far", "subnet-5", "10.0.5.1", ""),
    ]);
    let log = |of: &str| format!(r#"{{"FlowLogId":"fl-{of}","ResourceId":"{of}"}}"#);
    let logs = ["subnet-1", "subnet-2", "subnet-3", "subnet-5", "vpc-far", "eni-plane-1", "eni-gone"].map(log).join(",");
    let inventory = inventory(&[
        ("2026-02-01/e.json", &list),
        ("2026-02-01/seen.json", &seen),
        ("2026-02-01/unseen.json", &unseen),
        ("2026-02-01/far.json", &far),
        ("2026-02-01/f.json", &format!(r#"{{"FlowLogs":[{logs},{{"FlowLogId":"fl-none"}}]}}"#)),
    ]);
    let planes = inventory.enis().iter().filter(|eni| eni.control_plane.is_some()).count();
    assert_eq!(planes, 2, "{:?}", inventory.suspects());
    let may =
        |of: &str, wanted: &dyn Fn(&flowproof::inventory::Eni) -> bool| inventory.flow_log_may_cover(&format!("fl-{of}"), wanted).unwrap();
    let id = |wanted: &'static str| move |eni: &flowproof::inventory::Eni| &*eni.id == wanted;
    // A subnet of the cluster whose interfaces are known elsewhere: asked for any of them, it may have held it.
    assert!(may("subnet-1", &id("eni-plane-1")) && may("subnet-1", &id("eni-plane-2")) && !may("subnet-1", &id("eni-none")));
    // Of a cluster without any known interface everything may have been; of a place of no cluster, nothing.
    assert!(may("subnet-2", &id("eni-none")) && may("vpc-far", &id("eni-none")));
    assert!(!may("subnet-3", &id("eni-plane-1")) && !may("subnet-5", &id("eni-none")));
    assert!(may("eni-plane-1", &id("eni-plane-1")) && !may("eni-plane-1", &id("eni-plane-2")));
    assert!(may("eni-gone", &id("eni-none")) && may("none", &id("eni-none")), "not known, not excluded");
}

#[test]
fn how_vpcs_are_joined() {
    let peering = |id: &str, other: &str, status: &str| {
        format!(
            r#"{{"VpcPeeringConnectionId":"{id}","Status":{{"Code":"{status}"}},"RequesterVpcInfo":{{"VpcId":"vpc-1"}},"AccepterVpcInfo":{{"VpcId":"{other}"}}}}"#
        )
    };
    let peerings =
        format!(r#"{{"VpcPeeringConnections":[{},{}]}}"#, peering("pcx-2", "vpc-2", "active"), peering("pcx-3", "vpc-3", "deleted"));
    let attachment = |vpc: &str, gateway: &str, state: &str| {
        format!(
            r#"{{"TransitGatewayAttachmentId":"tgw-attach-{vpc}-{gateway}","TransitGatewayId":"{gateway}","ResourceType":"vpc","ResourceId":"{vpc}","State":"{state}"}}"#
        )
    };
    let all = [
        ("vpc-1", "tgw-1", "available"),
        ("vpc-2", "tgw-1", "available"),
        ("vpc-4", "tgw-1", "available"),
        ("vpc-5", "tgw-1", "deleted"),
        ("vpc-6", "tgw-2", "available"),
    ];
    let attachments = all.map(|(vpc, gateway, state)| attachment(vpc, gateway, state)).join(",");
    let attachments = format!(r#"{{"TransitGatewayAttachments":[{attachments}]}}"#);
    let none = r#"{"VpcPeeringConnections":[]}"#;
    let list = enis(
        &["1", "2", "3", "4", "5", "6"].map(|at| eni(&format!("eni-{at}"), &format!("vpc-{at}"), "subnet-x", &format!("10.0.0.{at}"), "")),
    );
    let inventory = inventory(&[
        ("2026-02-01/e.json", &list),
        ("2026-02-01/111122223333/eu-central-1/p.json", &peerings),
        ("2026-02-03/111122223333/eu-central-1/p.json", none),
        ("2026-02-01/t.json", &attachments),
    ]);
    let link = |a: &str, b: &str, day: &str| {
        let [there, back] = [(a, b), (b, a)].map(|(a, b)| inventory.vpc_link(a, b, at(day)).map(VpcLink::as_str));
        assert_eq!(there, back);
        there
    };
    assert_eq!((link("vpc-1", "vpc-1", "2026-02-01"), link("vpc-x", "vpc-x", "2026-02-01")), (Some("same-vpc"), Some("same-vpc")));
    assert_eq!((link("vpc-1", "vpc-2", "2026-02-01"), link("vpc-1", "vpc-2", "2026-02-03")), (Some("peering"), Some("transit-gateway")));
    assert_eq!(
        (link("vpc-1", "vpc-4", "2026-02-01"), link("vpc-2", "vpc-4", "2026-02-01")),
        (Some("transit-gateway"), Some("transit-gateway"))
    );
    for other in ["vpc-3", "vpc-5", "vpc-6", "vpc-x"] {
        assert_eq!(link("vpc-1", other, "2026-02-01"), None, "{other}");
    }
}

#[test]
fn what_is_known_of_an_address_that_no_interface_holds() {
    let prod = cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", "").replace(VPC, "vpc-1");
    let pod = |name: &str, addr: &str| {
        format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"namespace":"shop","name":"{name}"}},"status":{{"podIP":"{addr}"}}}}"#)
    };
    let vpcs = r#"{"Vpcs":[{"VpcId":"vpc-1","CidrBlock":"10.1.0.0/16","CidrBlockAssociationSet":[]},{"VpcId":"vpc-2","CidrBlock":"10.1.0.0/16","CidrBlockAssociationSet":[]},
        {"VpcId":"vpc-3","CidrBlock":"10.3.0.0/16","CidrBlockAssociationSet":[]}]}"#;
    let pods = format!("{}{}{}", pod("cart", "10.1.1.7"), pod("till", "10.1.1.8"), pod("till-2", "10.1.1.8"));
    let inventory = inventory(&[
        ("2026-02-01/111122223333/eu-central-1/s.json", SUBNETS),
        ("2026-02-01/111122223333/eu-central-1/v.json", vpcs),
        ("2026-02-01/prod/c.json", &prod),
        ("2026-02-01/prod/k.json", &pods),
    ]);
    let peer = |vpc: Option<&'static str>, addr: &str| inventory.peer(None, vpc, ip(addr), at("2026-02-01"));
    let found = peer(Some("vpc-1"), "10.1.1.7");
    assert_eq!((found.kind, found.name.as_deref(), found.basis), (Some("eks-pod"), Some("pod/shop/cart"), Basis::SubnetOnly));
    assert_eq!((found.vpc_id, found.subnet_id, found.az_id), (Some("vpc-1"), Some("subnet-1"), Some("euc1-az1")));
    assert_eq!((found.account_id, found.region), (Some("111122223333"), Some("eu-central-1")));
    assert!(found.eni.is_none() && found.tags.is_none() && !found.extrapolated);
    assert_eq!(peer(Some("vpc-1"), "10.1.1.8").name, None, "two pods say that it is theirs");
    assert_eq!(peer(Some("vpc-2"), "10.1.1.7").name, None, "the cluster of that pod is in another VPC");
    assert_eq!(peer(Some("vpc-2"), "10.1.2.7").subnet_id, Some("subnet-4"));
    // Without a VPC of one's own: one range around it, several, none.
    assert_eq!((peer(None, "10.1.3.7").subnet_id, peer(None, "10.1.3.7").basis), (Some("subnet-3"), Basis::SubnetOnly));
    assert_eq!((peer(None, "10.1.2.7").subnet_id, peer(None, "10.1.2.7").basis), (None, Basis::Ambiguous));
    assert_eq!((peer(None, "10.9.2.7").vpc_id, peer(None, "10.9.2.7").basis), (None, Basis::None));
    let only_vpc = peer(Some("vpc-3"), "10.3.2.7");
    assert_eq!((only_vpc.vpc_id, only_vpc.subnet_id, only_vpc.basis), (Some("vpc-3"), None, Basis::SubnetOnly));
}

#[test]
fn a_pods_address_is_steady_while_the_pod_stays() {
    let prod = cluster("prod", "subnet-1", "2026-01-01T00:00:00Z", "");
    let pods = |cart: &str| {
        let pod = |name: &str, addr: &str| {
            format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"namespace":"shop","name":"{name}"}},"status":{{"podIP":"{addr}"}}}}"#)
        };
        format!("{}{}", pod(cart, "10.0.1.7"), pod("till", "10.0.1.8"))
    };
    let subnets =
        format!(r#"{{"Subnets":[{{"SubnetId":"subnet-1","VpcId":"{VPC}","CidrBlock":"10.0.1.0/24","AvailabilityZoneId":"euc1-az1"}}]}}"#);
    let (first, second) = (pods("cart-1"), pods("cart-2"));
    let inventory = inventory(&[
        ("2026-02-01T000500Z/s.json", &subnets),
        ("2026-02-01T000500Z/prod/c.json", &prod),
        ("2026-02-01T000500Z/prod/k.json", &first),
        ("2026-02-01T001500Z/prod/k.json", &first),
        ("2026-02-01T002500Z/prod/k.json", &second),
    ]);
    let name = |addr: &str, t: &str| inventory.peer(None, Some(VPC), ip(addr), at(t)).name.map(String::from);
    assert_eq!(name("10.0.1.7", "2026-02-01T00:10:00Z").as_deref(), Some("pod/shop/cart-1"));
    assert_eq!(name("10.0.1.7", "2026-02-01T00:30:00Z").as_deref(), Some("pod/shop/cart-2"));
    let is_steady = |addr: &str, from: &str, to: &str| inventory.is_steady(None, Some(VPC), ip(addr), at(from)..at(to));
    let hour = ("2026-02-01T00:00:00Z", "2026-02-01T01:00:00Z");
    assert_ne!(inventory.epoch(at(hour.0)), inventory.epoch(at(hour.1)));
    assert!(!is_steady("10.0.1.7", hour.0, hour.1), "another pod has it since");
    assert!(is_steady("10.0.1.8", hour.0, hour.1), "seen thrice, the same each time");
    assert!(is_steady("10.0.1.7", hour.0, "2026-02-01T00:15:00Z"));
    assert!(is_steady("10.0.1.7", "2026-02-01T00:25:00Z", hour.1));
    assert!(is_steady("192.0.2.1", hour.0, hour.1), "nobody's all along");
}

#[test]
fn a_subnet_sends_packets_where_the_longest_route_of_its_table_leads() {
    let table = |id: &str, association: &str, routes: &str| {
        format!(
            r#"{{"RouteTableId":"{id}","VpcId":"vpc-1","Associations":[{association}],"Routes":[{{"DestinationCidrBlock":"10.1.0.0/16","GatewayId":"local","State":"active"}},{routes}]}}"#
        )
    };
    let to =
        |destination: &str, target: &str, state: &str| format!(r#"{{"DestinationCidrBlock":"{destination}",{target},"State":"{state}"}}"#);
    let own = [
        to("0.0.0.0/0", r#""NatGatewayId":"nat-1""#, "active"),
        to("198.51.100.0/24", r#""TransitGatewayId":"tgw-1""#, "active"),
        to("198.51.100.7/32", r#""NetworkInterfaceId":"eni-gone""#, "blackhole"),
    ];
    let main = [
        to("0.0.0.0/0", r#""GatewayId":"igw-1""#, "active"),
        r#"{"DestinationPrefixListId":"pl-1","GatewayId":"vpce-1","State":"active"}"#.to_owned(),
    ];
    let listed = to("0.0.0.0/0", r#""NatGatewayId":"nat-2""#, "active");
    let tables = format!(
        r#"{{"RouteTables":[{},{},{}]}}"#,
        table("rtb-1", r#"{"Main":false,"SubnetId":"subnet-1"}"#, &own.join(",")),
        table("rtb-2", r#"{"Main":true}"#, &main.join(",")),
        table("rtb-3", r#"{"Main":false,"SubnetId":"subnet-3"}"#, &listed),
    );
    let endpoints = r#"{"VpcEndpoints":[{"VpcEndpointId":"vpce-2","VpcEndpointType":"Gateway","VpcId":"vpc-1","State":"available","RouteTableIds":["rtb-3"]}]}"#;
    let inventory = inventory(&[("2026-02-01/r.json", &tables), ("2026-02-01/e.json", endpoints)]);
    let hop = |subnet: &str, addr: &str| {
        inventory.next_hop(subnet, Some("vpc-1"), ip(addr), at("2026-02-01")).map(|hop| (hop.target.to_owned(), hop.has_gateway_endpoint))
    };
    let leads = |target: &str, by_endpoint: bool| Some((target.to_owned(), by_endpoint));
    assert_eq!(hop("subnet-1", "203.0.113.5"), leads("nat-1", false));
    assert_eq!(hop("subnet-1", "198.51.100.7"), leads("tgw-1", false), "a route that leads nowhere is none");
    assert_eq!(hop("subnet-1", "10.1.2.3"), leads("local", false));
    assert_eq!(hop("subnet-2", "203.0.113.5"), leads("igw-1", true), "the main table, and its prefix list");
    assert_eq!(hop("subnet-3", "203.0.113.5"), leads("nat-2", true), "by the endpoint's own listing");
    assert_eq!((hop("subnet-1", "2001:db8::1"), inventory.next_hop("subnet-9", None, ip("203.0.113.5"), at("2026-02-01"))), (None, None));
}

#[test]
fn endpoints_are_what_their_listing_says() {
    let endpoint = |id: &str, kind: &str, interface: &str, tags: &str| {
        format!(
            r#"{{"VpcEndpointId":"{id}","VpcEndpointType":"{kind}","VpcId":"vpc-1","State":"available","NetworkInterfaceIds":["{interface}"],"Tags":[{tags}]}}"#
        )
    };
    let endpoints = [
        endpoint("vpce-1", "Interface", "eni-1", ""),
        endpoint("vpce-2", "GatewayLoadBalancer", "eni-2", ""),
        endpoint("vpce-3", "GatewayLoadBalancer", "eni-3", r#"{"Key":"AWSNetworkFirewallManaged","Value":"true"}"#),
        endpoint("vpce-4", "Resource", "eni-4", ""),
    ];
    let list = enis(&["1", "2", "3", "4", "5"].map(|at| eni(&format!("eni-{at}"), "vpc-1", "subnet-1", &format!("10.0.0.{at}"), "")));
    let inventory =
        inventory(&[("2026-02-01/e.json", &list), ("2026-02-01/v.json", &format!(r#"{{"VpcEndpoints":[{}]}}"#, endpoints.join(",")))]);
    let found: Vec<_> = inventory.enis().iter().map(|eni| (eni.kind, eni.resource.as_deref())).collect();
    assert_eq!(
        found,
        [
            (InterfaceKind::VpcEndpoint, Some("vpce-1")),
            (InterfaceKind::GatewayLoadBalancerEndpoint, Some("vpce-2")),
            (InterfaceKind::FirewallEndpoint, Some("vpce-3")),
            (InterfaceKind::VpcEndpoint, Some("vpce-4")),
            (InterfaceKind::Other, None),
        ]
    );
}

#[test]
fn later_sightings_lie_over_earlier_ones() {
    let seen = |more: &str| enis(&[eni("eni-1", "vpc-1", "subnet-1", "10.0.0.1", more)]);
    let first = seen(
        r#","Description":"first","Groups":[{"GroupId":"sg-1"}],"SourceDestCheck":false,"TagSet":[{"Key":"Name","Value":"one"},{"Key":"a","Value":"1"}],
        "Attachment":{"InstanceId":"i-1","InstanceOwnerId":"444455556666"}"#,
    );
    let second = seen(r#","TagSet":[{"Key":"Name","Value":"two"}],"Attachment":{"InstanceId":"i-2","InstanceOwnerId":"111122223333"}"#);
    let third = seen(r#","Description":"third","Groups":[{"GroupId":"sg-3"}]"#);
    let files = [("2026-02-01/e.json", &*first), ("2026-02-02/e.json", &second), ("2026-02-03/e.json", &third)];
    let of = |count: usize| {
        let inventory = inventory(&files[..count]);
        let eni = &inventory.enis()[0];
        let groups: Vec<String> = eni.groups.iter().map(|group| group.to_string()).collect();
        (
            eni.description.to_string(),
            groups.join(" "),
            eni.instance_id.as_deref().map(str::to_owned),
            eni.foreign_owner,
            eni.source_dest_check,
        )
    };
    let want = |description: &str, groups: &str, instance: &str| {
        (description.to_owned(), groups.to_owned(), Some(instance.to_owned()), true, Some(false))
    };
    assert_eq!(of(1), want("first", "sg-1", "i-1"));
    assert_eq!(of(2), want("first", "sg-1", "i-2"));
    assert_eq!(of(3), want("third", "sg-3", "i-2"));
    let inventory = inventory(&files);
    assert_eq!((inventory.enis()[0].name_tag(), inventory.eni_tag("eni-1", "a")), (Some("two"), Some("1")));
    assert_eq!(inventory.eni_name(&inventory.enis()[0]), Some("two"));
}

#[test]
fn tables_and_findings() {
    let inventory = Inventory::from_files(sample_files(), &Options::default()).unwrap();
    let all = tables(&inventory);
    let rows = |name: &str| all.iter().find(|(table, _)| *table == name).unwrap_or_else(|| panic!("{name}")).1.num_rows();
    for name in ["enis", "subnets", "nat_gateways", "vpc_endpoints", "clusters", "webhooks", "services", "prefix_lists"] {
        assert!(rows(name) > 0, "{name}");
    }
    assert_eq!(all.len(), 27, "no table may fall away");
    let before = tables_at(&inventory, at("2020-01-01"));
    assert_eq!(before.iter().find(|(table, _)| *table == "enis").unwrap().1.num_rows(), 0);
    let findings = check(&inventory);
    assert_eq!(findings.len(), 12);
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
        buckets: vec!["example-flow-logs".into()],
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
        let around = |t: i64| {
            let before = (0..snapshots.len()).rev().find(|index| time(*index) <= t);
            (before, (0..snapshots.len()).find(|index| time(*index) >= t))
        };
        let holder_at = |t: i64, addr: usize| {
            let holder = |index: usize| Some(snapshots[index][addr]).filter(|holder| *holder != 0);
            match around(t) {
                (Some(a), Some(b)) => holder(a).filter(|_| holder(a) == holder(b)),
                (Some(only), None) | (None, Some(only)) => holder(only),
                (None, None) => None,
            }
        };
        for t in (-1..snapshots.len() as i64 * 2 + 1).map(|half| time(0) + half * 43_200) {
            for addr in 0..3 {
                let (before, after) = around(t);
                let want = holder_at(t, addr);
                let address = ip(&format!("10.0.0.{}", addr + 1));
                let peer = inventory.peer(None, Some(VPC), address, t);
                prop_assert_eq!(peer.eni.map(|eni| eni.id.to_string()), want.map(|eni| format!("eni-{eni}")));
                prop_assert_eq!(peer.extrapolated, want.is_some() && (before.is_none() || after.is_none()));
                // Answers change at most at a snapshot, or a second behind it.
                for end in [t + 1, t + 2, t + 43_200, t + 43_201, t + 86_400, t + 200_000] {
                    let instants = (0..snapshots.len()).flat_map(|index| [time(index), time(index) + 1]);
                    let mut instants = instants.filter(|instant| (t..end).contains(instant));
                    let want = instants.all(|instant| holder_at(instant, addr) == holder_at(t, addr));
                    prop_assert_eq!(inventory.is_steady(None, Some(VPC), address, t..end), want, "{}..{}", t, end);
                }
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
