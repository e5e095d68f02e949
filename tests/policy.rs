//! The policy: faults with their places, approval at the time of the flow, references as of it, findings, and drafts.
//!
//! What the estate's policy says of the estate was worked out by hand from `sample-logs/estate/approved.toml` and `expected.json`.

use crate::program::{ESTATE_INVENTORY, ESTATE_LOGS, Outcome, flowproof};
use flowproof::inventory::{File, Inventory, Options};
use flowproof::policy::{Attempt, Finding, Judge, Path, Policy, Ports, Rule, Source, Target, Usage, Verdict, findings};
use flowproof::time::{TimeRange, parse_instant};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const POLICY: &str = "sample-logs/estate/approved.toml";

fn at(text: &str) -> i64 {
    parse_instant(text, 0).unwrap_or_else(|| panic!("{text} is an instant"))
}

/// A rule with all that is mandatory and, before it, what the test is about; its id is in line 3.
fn rule(more: &str) -> String {
    format!("[[allow]]\nid = \"a\"\n{more}\nowner = \"o\"\nreason = \"r\"\nticket = \"t\"\n")
}

fn policy(rules: &[&str]) -> Policy {
    let rules: Vec<String> = rules.iter().enumerate().map(|(at, more)| rule(more).replacen("\"a\"", &format!("\"r{at}\""), 1)).collect();
    let text = format!("policy = \"1\"\n{}", rules.concat());
    Policy::parse(text, "p.toml").unwrap_or_else(|faults| panic!("{}", flowproof::error::Error::from(faults)))
}

#[test]
fn every_fault_has_its_place() {
    let check = |text: &str, want: &[(usize, usize, bool, &str)]| {
        let faults = Policy::parse(text.to_owned(), "p.toml").expect_err(text).faults;
        let places: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column, fault.is_p6)).collect();
        assert_eq!(places, want.iter().map(|(line, column, p6, _)| (*line, *column, *p6)).collect::<Vec<_>>(), "{text}\n{faults:#?}");
        for (fault, (.., message)) in faults.iter().zip(want) {
            assert!(fault.message.contains(message) && !fault.hint.is_empty(), "{fault:?}");
        }
    };
    check("", &[(1, 1, false, "which format")]);
    check("policy = \"1\"\nx y\n", &[(2, 3, false, "expected")]);
    check("policy = \"2\"\n", &[(1, 10, false, "no known format")]);
    check("policy = 1\n", &[(1, 10, false, "policy is a number")]);
    check("policy = \"1\"\ndefault = \"allow\"\n", &[(2, 11, false, "no default")]);
    check("policy = \"1\"\nallow = 3\n", &[(2, 9, false, "not a list of rules")]);
    check("policy = \"1\"\n  namé = \"x\"\n", &[(2, 6, false, "invalid unquoted key")]);
    check("policy = \"1\"\n \"nam\\u0065s\" = \"x\"\n", &[(2, 2, false, "\"names\" is no key of a policy")]);
    // The first line is the format, so the rule's own lines begin at 2: [[allow]], id, what is about.
    let one = |more: &str, want: &[(usize, usize, bool, &str)]| check(&format!("policy = \"1\"\n{}", rule(more)), want);
    let end = "expires = 2027-01-01";
    let to = "to = [\"10.0.0.1\"]";
    one(&format!("{to}\n{end}\nexpire = 1"), &[(6, 1, false, "\"expire\" is no key of a rule")]);
    one(to, &[(2, 1, true, "rule a has no expires")]);
    one(end, &[(2, 1, false, "to what")]);
    one(&format!("to = []\n{end}"), &[(4, 6, false, "to is empty")]);
    one(&format!("to = \"10.0.0.1\"\n{end}"), &[(4, 6, false, "to is a text, not a list")]);
    one(&format!("to = [\"é\", 10]\n{end}"), &[(4, 7, false, "is no destination"), (4, 12, false, "holds a number")]);
    one(&format!("to = [\"10.0.0.1/24\"]\n{end}"), &[(4, 7, false, "bits set behind")]);
    one(&format!("to = [\"10.0.0.0/33\"]\n{end}"), &[(4, 7, false, "no destination")]);
    one(&format!("{to}\nports = [\"tcp/1\", \"443\"]\n{end}"), &[(5, 19, false, "\"443\" is no port")]);
    one(&format!("{to}\nports = []\n{end}"), &[(5, 9, false, "ports is empty")]);
    one(&format!("{to}\nfrom = [\"prod\"]\n{end}"), &[(5, 9, false, "no source")]);
    one(&format!("{to}\npath = [\"vpn\"]\n{end}"), &[(5, 9, false, "no path")]);
    one(&format!("{to}\nexpires = \"2027-01-01\""), &[(5, 11, false, "expires is a text, not a day")]);
    one(&format!("{to}\nexpires = 2027-02-29"), &[(5, 11, false, "")]);
    one(&format!("{to}\nexpires = 2027-01-01T10:00:00"), &[(5, 11, false, "no day and no instant")]);
    one(&format!("{to}\nexpires = 10:00:00"), &[(5, 11, false, "no day and no instant")]);
    one(&format!("{to}\nnot_before = 2027-01-01\n{end}"), &[(6, 11, false, "expires before it begins")]);
    let other = |text: &str| format!("policy = \"1\"\n{text}");
    check(&other(&rule(&format!("{to}\n{end}")).repeat(2)), &[(10, 6, false, "that of the rule in line 3 too")]);
    check(&other(&rule(&format!("{to}\n{end}")).replacen("\"a\"", "\"A b\"", 1)), &[(3, 6, false, "\"A b\" is no id")]);
    check(
        &other("[[allow]]\nid = \"x\"\nto = [\"10.0.0.1\"]\nowner = \" \"\nticket = 7\nexpires = 2027-01-01\n"),
        &[(2, 1, true, "rule x has no reason"), (5, 9, true, "rule x has an empty owner"), (6, 10, false, "ticket is a number")],
    );
    check(
        &other("[[allow]]\n"),
        &[(2, 1, false, "no id"), (2, 1, false, "to what"), (2, 1, true, ""), (2, 1, true, ""), (2, 1, true, ""), (2, 1, true, "")],
    );
}

#[test]
fn a_policy_keeps_its_text_and_digest() {
    let text =
        format!("policy = \"1\"\nname = \"n\"\nversion = \"7\"\n{}", rule("to = [\"10.0.0.1\"]\nexpires = 2027-01-01T01:00:00+01:00"));
    let read = Policy::parse(text.clone(), "p.toml").unwrap();
    assert_eq!((read.rules[0].expires, read.rules[0].line, read.text == text), (at("2027-01-01"), 4, true));
    let digest = Policy::parse("policy = \"1\"\n".to_owned(), "p.toml").unwrap().digest;
    // printf 'policy = "1"\n' | sha256sum
    assert_eq!(digest, SHA256_OF_AN_EMPTY_POLICY);
    assert!(read.title().starts_with("n 7 (sha256 "));
}

const SHA256_OF_AN_EMPTY_POLICY: &str = "4f6e0c9c18cbee4897da9c38d78864efc8f5fa90d285430f8067a0ef7f29432b";

/// A VPC with a control plane's interface, an endpoint, and two hosts of which one changes its security group at noon.
fn inventory() -> Arc<Inventory> {
    let eni = |id: &str, addr: &str, more: &str| {
        format!(
            r#"{{"NetworkInterfaceId":"{id}","VpcId":"vpc-1","SubnetId":"subnet-1","PrivateIpAddress":"{addr}","OwnerId":"111122223333"{more}}}"#
        )
    };
    let group = |id: &str| format!(r#","Groups":[{{"GroupId":"{id}"}}]"#);
    let enis = |second: &str| {
        let plane = r#","Description":"Amazon EKS prod","RequesterId":"AROAX:AmazonEKS","Attachment":{"AttachTime":"2026-01-01T00:00:00Z","InstanceOwnerId":"444455556666"}"#;
        let endpoint = r#","InterfaceType":"vpc_endpoint","Description":"VPC Endpoint Interface vpce-1""#;
        let nat = r#","InterfaceType":"nat_gateway","Description":"Interface for NAT Gateway nat-1""#;
        let firewall = r#","InterfaceType":"gateway_load_balancer_endpoint","Description":"VPC Endpoint Interface vpce-2""#;
        let all = [
            eni("eni-plane", "10.0.0.10", plane),
            eni("eni-vpce", "10.0.0.20", endpoint),
            eni("eni-a", "10.0.0.30", &group("sg-web")),
            eni("eni-b", "10.0.0.40", &group(second)),
            eni("eni-nat", "10.0.0.50", nat),
            eni("eni-fw", "10.0.0.60", firewall),
        ];
        format!(r#"{{"NetworkInterfaces":[{}]}}"#, all.join(","))
    };
    let cluster = r#"{"cluster":{"name":"prod","arn":"arn:aws:eks:eu-central-1:111122223333:cluster/prod","createdAt":"2026-01-01T00:00:00Z",
        "resourcesVpcConfig":{"subnetIds":["subnet-1"],"vpcId":"vpc-1","controlPlaneEgressMode":"CUSTOMER_ROUTED"}}}"#;
    let subnets = r#"{"Subnets":[{"SubnetId":"subnet-1","VpcId":"vpc-1","CidrBlock":"10.0.0.0/24"}]}"#;
    let endpoints = r#"{"VpcEndpoints":[
        {"VpcEndpointId":"vpce-1","VpcEndpointType":"Interface","VpcId":"vpc-1","NetworkInterfaceIds":["eni-vpce"]},
        {"VpcEndpointId":"vpce-s3","VpcEndpointType":"Gateway","VpcId":"vpc-1","ServiceName":"com.amazonaws.eu-central-1.s3"}]}"#;
    let lists = r#"{"PrefixLists":[{"PrefixListId":"pl-s3","PrefixListName":"com.amazonaws.eu-central-1.s3","OwnerId":"AWS"},
        {"PrefixListId":"pl-own","PrefixListName":"partners","OwnerId":"111122223333"}]}"#;
    let ranges = r#"{"syncToken":"1780000000","createDate":"2026-05-28-00-00-00","prefixes":[
        {"ip_prefix":"3.5.136.0/22","region":"eu-central-1","service":"S3","network_border_group":"eu-central-1"},
        {"ip_prefix":"3.5.0.0/16","region":"eu-central-1","service":"AMAZON","network_border_group":"eu-central-1"}],"ipv6_prefixes":[]}"#;
    let mut files = Vec::new();
    for (time, second) in [("2026-10-05T060000Z", "sg-web"), ("2026-10-05T120000Z", "sg-db")] {
        for (name, text) in [
            ("eni", enis(second)),
            ("cluster", cluster.to_owned()),
            ("subnets", subnets.to_owned()),
            ("endpoints", endpoints.to_owned()),
            ("lists", lists.to_owned()),
            ("pl-s3", r#"{"Entries":[{"Cidr":"3.5.136.0/22","Description":""}]}"#.to_owned()),
            ("pl-own", r#"{"Entries":[{"Cidr":"203.0.113.0/28","Description":""}]}"#.to_owned()),
            ("ip-ranges", ranges.to_owned()),
        ] {
            files.push(File { path: format!("{time}/111122223333/eu-central-1/{name}.json"), bytes: text.into() });
        }
    }
    Arc::new(Inventory::from_files(files, &Options::default()).unwrap())
}

/// A connection to judge: address, port, paths, first and last start.
fn verdict(
    judge: &Judge,
    recorder: Option<u32>,
    (addr, port, paths, first, last): (&str, u16, &[&str], &str, &str),
) -> (Verdict, String, Option<i64>) {
    let paths: BTreeSet<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let attempt = Attempt {
        cluster: "prod",
        cluster_arn: "arn:aws:eks:eu-central-1:111122223333:cluster/prod",
        recorder,
        addr: addr.parse().unwrap(),
        port,
        protocol: 6,
        paths: &paths,
        times: Some((at(first), at(last))),
    };
    let judgement = judge.judge(&attempt);
    assert_eq!(judge.judge(&attempt), judgement, "what is remembered says the same");
    (judgement.verdict, judge.ids(&judgement.rules), judgement.since)
}

#[test]
fn approval_is_judged_at_the_time_of_the_flow() {
    let judge = |rules: &[&str]| Judge::new(&policy(rules), Arc::default());
    let of = |judge: &Judge, first: &str, last: &str| verdict(judge, None, ("10.0.0.1", 443, &["vpc"], first, last));
    let day = judge(&["to = [\"10.0.0.1\"]\nnot_before = 2026-10-05\nexpires = 2026-10-06"]);
    let approved = (Verdict::Approved, "r0".to_owned(), None);
    assert_eq!(of(&day, "2026-10-05T00:00:00Z", "2026-10-05T00:00:00Z"), approved, "start = not_before");
    assert_eq!(of(&day, "2026-10-05T00:00:00Z", "2026-10-05T23:59:59Z"), approved);
    let early = at("2026-10-04T23:59:59Z");
    assert_eq!(of(&day, "2026-10-04T23:59:59Z", "2026-10-05T00:00:00Z"), (Verdict::TooEarly, "r0".to_owned(), Some(early)));
    let end = at("2026-10-06");
    assert_eq!(of(&day, "2026-10-06", "2026-10-06"), (Verdict::Expired, "r0".to_owned(), Some(end)), "start = expires");
    assert_eq!(of(&day, "2026-10-05", "2026-10-07"), (Verdict::Expired, "r0".to_owned(), Some(end)), "ends inside, the instant named");
    assert_eq!(of(&day, "2026-10-05", "2026-10-06").0, Verdict::Expired, "the last record starts at the end");
    let late = judge(&["to = [\"10.0.0.1\"]\nnot_before = 2026-01-01\napproved_on = 2026-10-05\nexpires = 2027-01-01"]);
    assert_eq!(of(&late, "2026-10-04", "2026-10-05").0, Verdict::TooEarly, "approved afterwards");
    // A renewal without a gap approves throughout; a second without approval does not.
    let first = "to = [\"10.0.0.0/24\"]\nexpires = 2026-10-06";
    let renewed = judge(&[first, "to = [\"10.0.0.1\"]\nnot_before = 2026-10-06\nexpires = 2027-10-06"]);
    assert_eq!(of(&renewed, "2026-10-05", "2026-10-07"), (Verdict::Approved, "r1,r0".to_owned(), None));
    let gap = judge(&[first, "to = [\"10.0.0.1\"]\nnot_before = 2026-10-06T00:00:01Z\nexpires = 2027-10-06"]);
    assert_eq!(of(&gap, "2026-10-05", "2026-10-07"), (Verdict::Expired, "r0".to_owned(), Some(end)));
}

#[test]
fn matching_rules_are_recorded_the_most_specific_first() {
    let end = "expires = 2027-01-01";
    let rules = [
        format!("to = [\"10.0.0.0/8\"]\n{end}"),
        format!("to = [\"0.0.0.0/0\", \"10.0.0.1\"]\nports = [\"tcp/443\"]\n{end}"),
        format!("to = [\"10.0.0.0/24\"]\nports = [\"udp\"]\n{end}"),
        format!("to = [\"10.0.0.0/24\"]\nports = [\"tcp/400-500\"]\nfrom = [\"cluster:prod\"]\n{end}"),
        format!("to = [\"10.0.0.0/24\"]\nfrom = [\"cluster:prod-2\"]\n{end}"),
        format!("to = [\"10.0.0.0/8\"]\nfrom = [\"cluster:arn:aws:eks:eu-central-1:111122223333:cluster/prod\"]\n{end}"),
    ];
    let judge = Judge::new(&policy(&rules.iter().map(String::as_str).collect::<Vec<_>>()), Arc::default());
    let of = |port| verdict(&judge, None, ("10.0.0.1", port, &[], "2026-10-05", "2026-10-05"));
    assert_eq!(of(443), (Verdict::Approved, "r1,r3,r0,r5".to_owned(), None));
    assert_eq!(of(501), (Verdict::Approved, "r0,r5".to_owned(), None));
    assert_eq!(verdict(&judge, None, ("192.0.2.1", 80, &[], "2026-10-05", "2026-10-05")), (Verdict::Unapproved, String::new(), None));
}

#[test]
fn references_are_resolved_as_of_the_flow() {
    let (known, none) = (inventory(), Arc::new(Inventory::default()));
    let plane = known.eni_index("eni-plane");
    let (before, after) = ("2026-10-05T05:00:00Z", "2026-10-05T13:00:00Z");
    let (yes, no, open) = (Verdict::Approved, Verdict::Unapproved, Verdict::Indeterminate);
    let check = |to: &str, addr: &str, (first, last): (&str, &str), with: Verdict, without: Verdict| {
        let policy = policy(&[&format!("to = [\"{to}\"]\nexpires = 2027-01-01")]);
        let of = |inventory: &Arc<Inventory>, recorder| {
            verdict(&Judge::new(&policy, Arc::clone(inventory)), recorder, (addr, 443, &["vpc"], first, last)).0
        };
        assert_eq!((of(&known, plane), of(&none, None)), (with, without), "{to} {addr}");
    };
    let always = (before, after);
    check("eni:eni-a", "10.0.0.30", always, yes, open);
    check("eni:eni-a", "10.0.0.40", always, no, open);
    check("eni:eni-a", "10.0.0.31", always, no, open);
    check("eni:eni-a", "198.51.100.1", always, no, no);
    check("eni:eni-unknown", "10.0.0.30", always, no, open);
    check("eni:eni-unknown", "10.0.0.31", always, open, open);
    check("vpce:vpce-1", "10.0.0.20", always, yes, open);
    check("vpce:vpce-1", "10.0.0.30", always, no, open);
    check("vpce:vpce-1", "10.0.0.31", always, no, open);
    check("vpce:vpce-unknown", "10.0.0.31", always, open, open);
    check("vpce:vpce-s3", "3.5.137.1", always, yes, open);
    check("vpce:vpce-s3", "3.5.1.1", always, no, open);
    check("sg:sg-web", "10.0.0.30", always, yes, open);
    check("sg:sg-web", "10.0.0.31", always, open, open);
    check("sg:sg-web", "198.51.100.1", always, no, no);
    // The group of eni-b changed somewhere between 6 and 12 o'clock.
    check("sg:sg-web", "10.0.0.40", (before, before), yes, open);
    check("sg:sg-web", "10.0.0.40", (after, after), no, open);
    check("sg:sg-web", "10.0.0.40", (before, after), no, open);
    check("sg:sg-db", "10.0.0.40", (after, after), yes, open);
    check("sg:sg-db", "10.0.0.40", ("2026-10-05T09:00:00Z", after), open, open);
    check("pl:pl-own", "203.0.113.15", always, yes, open);
    check("pl:pl-own", "203.0.113.16", always, no, open);
    check("pl:pl-unknown", "203.0.113.15", always, open, open);
    check("aws:S3", "3.5.137.1", always, yes, open);
    check("aws:S3/eu-central-1", "3.5.137.1", always, yes, open);
    check("aws:S3/us-east-1", "3.5.137.1", always, no, open);
    check("aws:S3", "3.5.1.1", always, no, open);
    check("aws:AMAZON", "3.5.1.1", always, yes, open);
    check("aws:S3", "10.0.0.30", always, no, no);
}

#[test]
fn paths_are_those_of_the_devices() {
    let known = inventory();
    let plane = known.eni_index("eni-plane");
    let check = |allowed: &str, addr: &str, paths: &[&str], want: Verdict| {
        let policy = policy(&[&format!("to = [\"0.0.0.0/0\"]\npath = [\"{allowed}\"]\nexpires = 2027-01-01")]);
        let judge = Judge::new(&policy, Arc::clone(&known));
        let (got, rules, _) = verdict(&judge, plane, (addr, 443, paths, "2026-10-05T05:00:00Z", "2026-10-05T13:00:00Z"));
        assert_eq!((got, rules.as_str()), (want, "r0"), "{allowed} {addr} {paths:?}");
    };
    let (yes, wrong, open) = (Verdict::Approved, Verdict::WrongPath, Verdict::Indeterminate);
    let out = "198.51.100.1";
    check("nat", out, &["via nat-1"], yes);
    // An id says what it is the id of, also where the inventory lacks the device.
    check("nat", out, &["via nat-0123"], yes);
    check("vpce", out, &["via nat-1"], wrong);
    check("firewall", out, &["via vpce-2"], yes);
    check("vpce", out, &["via vpce-2"], wrong);
    check("vpce", out, &["via vpce-unknown"], open);
    check("nat", out, &["via nat-1", "via vpce-2"], wrong);
    check("nat\", \"firewall", out, &["via nat-1", "via vpce-2"], yes);
    check("nat", out, &[], open);
    check("nat", out, &["vpc"], open);
    check("igw", out, &["vpc"], wrong);
    check("local", out, &["vpc"], wrong);
    check("local", "10.0.0.30", &["vpc"], yes);
    check("local", "10.0.0.77", &["vpc"], yes);
    check("local", "192.168.7.7", &["vpc"], open);
    check("tgw", "10.0.0.30", &["vpc"], wrong);
    check("vpce", "10.0.0.20", &["vpc"], yes);
    check("igw", out, &["igw-or-gateway-endpoint"], open);
    check("igw\", \"vpce", out, &["igw-or-gateway-endpoint"], yes);
    check("nat", out, &["igw-or-gateway-endpoint"], wrong);
    check("igw", out, &["internet-gateway"], yes);
    check("vpce", out, &["gateway-endpoint"], yes);
    check("peering", out, &["peering"], yes);
    check("peering", out, &["inter-region-peering"], yes);
    check("vgw", out, &["vgw"], yes);
    check("lgw", out, &["local-gateway"], yes);
    check("nat", out, &["path-9"], open);
}

#[test]
fn without_a_time_nothing_is_approved() {
    let judge = Judge::new(&policy(&["to = [\"10.0.0.1\"]\nexpires = 2027-01-01"]), Arc::default());
    let paths = BTreeSet::new();
    let of = |addr: &str| {
        let attempt = Attempt {
            cluster: "prod",
            cluster_arn: "arn",
            recorder: None,
            addr: addr.parse().unwrap(),
            port: 1,
            protocol: 6,
            paths: &paths,
            times: None,
        };
        judge.judge(&attempt).verdict
    };
    assert_eq!((of("10.0.0.1"), of("10.0.0.2")), (Verdict::Indeterminate, Verdict::Unapproved));
}

fn ids(findings: &[Finding]) -> Vec<(&str, &str, usize)> {
    findings.iter().map(|finding| (finding.id, finding.rule.as_deref().unwrap_or_default(), finding.line.unwrap_or_default())).collect()
}

#[test]
fn findings_at_their_limits() {
    let now = Some(at("2026-10-05T12:00:00Z"));
    let of = |more: &str| {
        let policy = policy(&[&format!("to = [\"10.0.0.1\"]\nports = [\"tcp/1\"]\n{more}")]);
        findings(&policy, None, None, now).iter().map(|finding| finding.id).collect::<Vec<_>>()
    };
    assert_eq!(of("expires = 2026-10-05T12:00:00Z"), ["P3"]);
    assert_eq!(of("expires = 2026-10-05T12:00:01Z"), ["P4"]);
    assert_eq!(of("expires = 2026-11-04T12:00:00Z"), ["P4"], "30 days");
    assert_eq!(of("expires = 2026-11-04T12:00:01Z"), [""; 0]);
    assert_eq!(of("expires = 2027-10-06T12:00:00Z"), [""; 0], "366 days from now");
    assert_eq!(of("expires = 2027-10-06T12:00:01Z"), ["P9"]);
    assert_eq!(of("not_before = 2026-10-01\nexpires = 2027-10-02"), [""; 0], "366 days");
    assert_eq!(of("not_before = 2026-10-01\nexpires = 2027-10-03"), ["P9"]);
    assert_eq!(of("approved_by = \"O \"\nexpires = 2027-01-01"), ["P10"]);
    assert_eq!(of("approved_by = \"p\"\nexpires = 2027-01-01"), [""; 0]);
    let broad = |to: &str, ports: &str| {
        let policy = policy(&[&format!("to = [\"{to}\"]\n{ports}\nexpires = 2027-01-01")]);
        !findings(&policy, None, None, now).is_empty()
    };
    let tcp = "ports = [\"tcp/1\"]";
    for to in ["0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::/0", "2001:db8::/32", "aws:EC2/eu-west-1", "aws:AMAZON"] {
        assert!(broad(to, tcp), "{to}");
    }
    for to in ["10.0.0.0/9", "172.16.0.0/13", "192.168.0.0/17", "172.32.0.0/12", "2001:db8::/33", "aws:S3", "sg:sg-1"] {
        assert!(!broad(to, tcp), "{to}");
    }
    for ports in ["", "ports = [\"any\"]", "ports = [\"udp\"]", "ports = [\"tcp/1-65535\"]"] {
        assert!(broad("10.0.0.1", ports), "{ports}");
    }
    assert!(!broad("10.0.0.1", "ports = [\"icmp\"]") && !broad("10.0.0.1", "ports = [\"tcp/1-65534\"]"));
}

#[test]
fn duplicates_are_found_on_the_needless_one() {
    let of = |rules: &[&str]| {
        let policy = policy(
            &rules
                .iter()
                .map(|rule| format!("{rule}\nexpires = 2027-01-01"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        let all = findings(&policy, None, None, None);
        all.iter().filter(|finding| finding.id == "P8").map(|finding| finding.rule.clone().unwrap()).collect::<Vec<_>>()
    };
    let (one, whole) = ("to = [\"10.0.0.1\"]\nports = [\"tcp/1\"]", "to = [\"10.0.0.0/24\"]\nports = [\"tcp/1-9\"]");
    assert_eq!(of(&[one, one]), ["r1"]);
    assert_eq!(of(&[one, whole]), ["r0"]);
    assert_eq!(of(&[whole, one]), ["r1"]);
    assert_eq!(of(&[one, &format!("{whole}\nfrom = [\"cluster:a\"]")]), [""; 0]);
    assert_eq!(of(&[one, &format!("{whole}\npath = [\"nat\"]")]), [""; 0]);
    assert_eq!(of(&[one, &format!("{whole}\nnot_before = 2026-01-01")]), [""; 0]);
    assert_eq!(of(&[&format!("{one}\nfrom = [\"cluster:a\"]\npath = [\"nat\"]\nnot_before = 2026-01-01"), whole]), ["r0"]);
    assert_eq!(of(&["to = [\"aws:S3/eu-west-1\"]", "to = [\"aws:S3\"]"]), ["r0"]);
}

/// One small world: addresses 10.0.0.0 to 10.0.0.7, ports 1 to 4, two clusters, three paths, seconds 0 to 40.
fn small_rule() -> impl Strategy<Value = Rule> {
    let path = prop_oneof![Just(Path::Nat), Just(Path::Peering), Just(Path::Vgw)];
    let to = proptest::collection::vec((0_u32..8, 29_u8..=32), 1..3);
    let ports = proptest::collection::vec((1_u16..5, 0_u16..3), 0..3);
    let from = proptest::collection::vec(0_usize..2, 0..2);
    let times = (proptest::option::of(0_i64..30), proptest::option::of(0_i64..30), 1_i64..40);
    (to, ports, from, proptest::collection::vec(path, 0..3), times).prop_map(
        |(to, ports, from, path, (not_before, approved_on, expires))| Rule {
            id: String::new(),
            to: to.into_iter().map(|(host, length)| Target::Net(ipnet::IpNet::new(small_addr(host), length).unwrap().trunc())).collect(),
            names: Vec::new(),
            ports: ports.into_iter().map(|(first, more)| Ports { protocol: Some(6), first, last: first + more }).collect(),
            from: from.into_iter().map(|at| Source::ClusterName(["a", "b"][at].to_owned())).collect(),
            path,
            owner: "o".to_owned(),
            reason: "r".to_owned(),
            ticket: "t".to_owned(),
            approved_by: None,
            approved_on,
            not_before,
            expires,
            line: 1,
        },
    )
}

fn small_addr(host: u32) -> IpAddr {
    Ipv4Addr::from((10 << 24) + host).into()
}

proptest! {
    #[test]
    fn a_judge_agrees_with_a_scan_of_every_second(
        rules in proptest::collection::vec(small_rule(), 0..6),
        (host, port, cluster) in (0_u32..8, 1_u16..5, 0_usize..2),
        taken in proptest::collection::btree_set(prop_oneof![Just("via nat-1"), Just("peering"), Just("vgw")], 1..3),
        (first, length) in (0_i64..35, 0_i64..12),
    ) {
        let policy = Policy { rules, ..Policy::default() };
        let last = first + length;
        let word = |path: &Path| match path { Path::Nat => "via nat-1", Path::Peering => "peering", _ => "vgw" };
        let named = |rule: &Rule| {
            let address = rule.to.iter().any(|target| {
                let Target::Net(ipnet::IpNet::V4(net)) = target else { return false };
                let same = 32 - u32::from(net.prefix_len());
                (u32::from(net.network()) >> same) == (((10 << 24) + host) >> same)
            });
            let source = ["a", "b"][cluster];
            address
                && (rule.ports.is_empty() || rule.ports.iter().any(|ports| (ports.first..=ports.last).contains(&port)))
                && (rule.from.is_empty() || rule.from.iter().any(|from| matches!(from, Source::ClusterName(name) if name == source)))
        };
        let on_path = |rule: &Rule| rule.path.is_empty() || taken.iter().all(|taken| rule.path.iter().any(|path| word(path) == *taken));
        let holds = |rule: &Rule, t: i64| rule.not_before.unwrap_or(0) <= t && rule.approved_on.unwrap_or(0) <= t && t < rule.expires;
        let always = |which: &dyn Fn(&Rule) -> bool| (first..=last).all(|t| policy.rules.iter().any(|rule| which(rule) && holds(rule, t)));
        let near: Vec<&Rule> = policy.rules.iter().filter(|rule| named(rule) && on_path(rule)).collect();
        let near = if near.is_empty() { policy.rules.iter().filter(|rule| named(rule)).collect() } else { near };
        let open = (first..=last).find(|t| !near.iter().any(|rule| holds(rule, *t)));
        let want = if always(&|rule| named(rule) && on_path(rule)) {
            Verdict::Approved
        } else if always(&named) {
            Verdict::WrongPath
        } else if near.is_empty() {
            Verdict::Unapproved
        } else if near.iter().any(|rule| open.is_some_and(|open| rule.expires <= open)) {
            Verdict::Expired
        } else {
            Verdict::TooEarly
        };
        let paths: BTreeSet<String> = taken.iter().map(|path| (*path).to_owned()).collect();
        let attempt = Attempt {
            cluster: ["a", "b"][cluster],
            cluster_arn: "arn",
            recorder: None,
            addr: small_addr(host),
            port,
            protocol: 6,
            paths: &paths,
            times: Some((first, last)),
        };
        let judge = Judge::new(&policy, Arc::default());
        let judgement = judge.judge(&attempt);
        prop_assert_eq!(judgement.verdict, want);
        if want == Verdict::Approved {
            let matching: BTreeSet<usize> = (0..policy.rules.len())
                .filter(|at| named(&policy.rules[*at]) && on_path(&policy.rules[*at]) && (first..=last).any(|t| holds(&policy.rules[*at], t)))
                .collect();
            prop_assert_eq!(judgement.rules.iter().copied().collect::<BTreeSet<_>>(), matching);
        }
        prop_assert_eq!(judgement.since, open.filter(|_| matches!(want, Verdict::Expired | Verdict::TooEarly)));
        let mut usage = Usage::new(&policy, TimeRange::default());
        usage.add(&attempt, &judgement);
        prop_assert_eq!(usage.destinations().violating, u64::from(want != Verdict::Approved));
    }
}

fn egress(policy: &str, further: &[&str]) -> Outcome {
    flowproof(&[&["report", "egress", ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "--policy", policy], further].concat())
}

#[test]
fn the_estate_by_its_policy() {
    let report = egress(POLICY, &["-o", "json"]).exits(0).json();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let rows: BTreeMap<_, _> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                format!("{} {}:{}", text(row, "cluster"), text(row, "dst_addr"), row["dst_port"]),
                (text(row, "verdict"), text(row, "approved_by")),
            )
        })
        .collect();
    let want = [
        ("analytics 10.40.11.10:10250", "approved", "kubelets-analytics"),
        ("analytics 10.40.11.31:9443", "indeterminate", "-"),
        ("analytics 10.40.12.10:10250", "approved", "kubelets-analytics"),
        ("analytics 198.51.100.80:443", "wrong-path", "-"),
        ("payments 10.20.11.10:10250", "approved", "kubelet-of-one-node,kubelets"),
        ("payments 10.20.11.31:9443", "approved", "webhook-kyverno"),
        ("payments 10.20.11.32:10250", "approved", "kubelets"),
        ("payments 10.20.12.10:10250", "approved", "kubelets"),
        ("payments 10.20.12.31:10250", "approved", "kubelets"),
        ("payments 10.20.12.40:8443", "unapproved", "-"),
        ("payments 10.20.13.10:10250", "expired", "-"),
        ("payments 10.60.4.9:8443", "approved", "policy-server"),
        ("payments 198.51.100.80:443", "approved", "oidc-payments"),
        ("payments-2 10.20.11.50:10250", "approved", "kubelets"),
        ("payments-2 10.20.11.71:8443", "too-early", "-"),
        ("payments-2 10.20.12.50:10250", "approved", "kubelets"),
    ];
    let want: BTreeMap<_, _> =
        want.iter().map(|(row, verdict, by)| ((*row).to_owned(), ((*verdict).to_owned(), (*by).to_owned()))).collect();
    assert_eq!(rows, want);
    let policy = &report["policy"];
    assert_eq!((&policy["name"], &policy["version"]), (&"estate control-plane egress".into(), &"2026-10-01.1".into()));
    assert_eq!(policy["destinations"], serde_json::json!({ "all": 16, "violating": 4, "indeterminate": 1 }));
    let found: Vec<_> = policy["findings"].as_array().unwrap().iter().map(|finding| (text(finding, "id"), text(finding, "rule"))).collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(id, rule)| (id.as_str(), rule.as_str())).collect();
    let want = [
        ("P1", "kubelet-on-trial"),
        ("P2", "webhook-gatekeeper"),
        ("P3", "old-proxy"),
        ("P4", "policy-server"),
        ("P5", "audit-webhook"),
        ("P7", "kubelets-analytics"),
        ("P8", "kubelet-of-one-node"),
        ("P9", "kubelets"),
        ("P10", "webhook-kyverno"),
        ("P11", "oidc-analytics"),
        ("unapproved", "-"),
        ("indeterminate", "webhook-spark"),
        ("unresolved", "webhook-spark"),
    ];
    assert_eq!(found, want);
    let p1 = &policy["findings"][0];
    assert!(text(p1, "finding").contains("from 2026-10-05T09:00:00Z on"), "the instant inside the connection: {p1}");
    assert_eq!((text(p1, "destination"), &p1["connections"]), ("10.20.13.10 tcp/10250".to_owned(), &1.into()));
    let uses = policy["rules"].as_array().unwrap().iter().map(|rule| (text(rule, "id"), rule["connections"].as_u64().unwrap()));
    // Connections of expected.json: 198.51.100.80 has 4; the kubelets' seven destinations 1 + 1 + 1 + 2 + 1 + 1; and so on.
    let want = [
        ("oidc-payments", 4),
        ("kubelets", 7),
        ("kubelet-of-one-node", 1),
        ("kubelet-on-trial", 0),
        ("webhook-kyverno", 1),
        ("policy-server", 5),
        ("webhook-gatekeeper", 0),
        ("oidc-analytics", 0),
        ("kubelets-analytics", 2),
        ("webhook-spark", 0),
        ("old-proxy", 0),
        ("audit-webhook", 0),
    ];
    assert_eq!(uses.collect::<Vec<_>>(), want.map(|(id, count)| (id.to_owned(), count)));
}

#[test]
fn violations_fail_a_run_only_when_asked() {
    let said = egress(POLICY, &["-o", "markdown", "--fail-on", "findings"]).exits(3).text();
    for text in ["estate control-plane egress 2026-10-01.1 (sha256 ", "4 of 16 destinations violate it, 1 cannot be judged", "P11 fail"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    egress(POLICY, &["--fail-on", "gaps"]).exits(0);
    // Without a policy there is nothing to violate.
    let plain = flowproof(&["report", "egress", ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "-o", "json", "--fail-on", "findings"])
        .exits(0)
        .json();
    assert!(plain["rows"].as_array().unwrap().iter().all(|row| row["verdict"].is_null() && row["approved_by"].is_null()));
    assert!(plain.get("policy").is_none());
    let counts = "SELECT verdict, count(*) AS n FROM connections GROUP BY verdict ORDER BY verdict";
    let sql =
        flowproof(&["sql", ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "--policy", POLICY, "-o", "csv", "-c", counts]).exits(0).text();
    assert!(sql.starts_with("verdict,n\napproved,19\nexpired,1\nindeterminate,6\ntoo-early,4\nunapproved,3\nwrong-path,2\n"), "{sql}");
}

#[test]
fn a_policy_is_checked_by_itself_and_against_logs() {
    let check = |file: &str, further: &[&str]| flowproof(&[&["policy", "check", file], further].concat());
    let rows = |outcome: Outcome| {
        let text = outcome.text();
        text.lines().skip(1).map(|line| line.split(',').take(3).map(str::to_owned).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let alone = rows(check(POLICY, &["--as-of", "2026-10-05T10:00:00Z", "-o", "csv", "--fail-on", "findings"]).exits(0));
    let want = [
        "P3 warn kubelet-on-trial",
        "P3 warn old-proxy",
        "P4 info policy-server",
        "P7 warn kubelets-analytics",
        "P8 warn kubelet-of-one-node",
        "P9 warn kubelets",
        "P10 warn webhook-kyverno",
    ];
    assert_eq!(alone, want);
    let logs = [ESTATE_LOGS, "--inventory", ESTATE_INVENTORY, "--as-of", "2026-10-05T10:00:00Z", "-o", "csv"];
    let observed = rows(check(POLICY, &logs).exits(0));
    assert_eq!(observed.iter().filter(|row| row.contains(" fail ")).count(), 4, "{observed:?}");
    check(POLICY, &[&logs[..], &["--fail-on", "findings"]].concat()).exits(3);
    check(POLICY, &["--as-of", "soon"]).exits(2).tells("--as-of \"soon\" is not a time");
    check("nowhere.toml", &[]).exits(1).tells("nowhere.toml: cannot read the policy");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.toml");
    std::fs::write(&file, "policy = \"1\"\n[[allow]]\nid = \"x\"\nto = [\"10.0.0.1\"]\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-01\n\"key\u{202e}\\u001b[2J\" = 1\n").unwrap();
    let file = file.to_str().unwrap();
    let told = check(file, &[]).exits(1).tells("p.toml:8:1: \"key\\u{202e}\\u{1b}[2J\" is no key of a rule");
    assert!(!told.stderr.contains(['\u{1b}', '\u{202e}']) && !told.text().contains(['\u{1b}', '\u{202e}']));
    std::fs::write(
        file,
        "policy = \"1\"\n[[allow]]\nid = \"x\"\nto = [\"10.0.0.1\"]\nowner = \"o\"\nreason = \"\"\nexpires = 2027-01-01\n",
    )
    .unwrap();
    let outcome = check(file, &["-o", "csv"]).exits(1).tells("p.toml:6:10: P6: rule x has an empty reason").tells("hint:");
    assert_eq!(rows(outcome), ["P6 fail x", "P6 fail x"], "no ticket, no reason");
    egress(file, &[]).exits(1).without_results().tells("P6");
}

#[test]
fn a_draft_approves_what_it_was_drafted_from_once_it_is_filled_in() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("draft.toml");
    let case = |name: &str| (format!("sample-logs/cases/{name}/logs"), format!("sample-logs/cases/{name}/inventory"));
    let names = [
        "destination-names",
        "icmp-and-undecided",
        "ipv6",
        "long-connection",
        "oidc-through-nat",
        "outcomes",
        "v11",
        "v2-only",
        "webhook-ports",
    ];
    let places = names.map(case).into_iter().chain([(ESTATE_LOGS.to_owned(), ESTATE_INVENTORY.to_owned())]);
    let mut destinations = 0;
    for (logs, inventory) in places {
        let draft = flowproof(&["policy", "init", &logs, "--inventory", &inventory]).exits(0).text();
        std::fs::write(&file, &draft).unwrap();
        let path = file.to_str().unwrap();
        let entries = draft.matches("[[allow]]").count();
        let refused = flowproof(&["policy", "check", path, "-o", "csv"]).exits(if entries > 0 { 1 } else { 0 }).text();
        assert_eq!(refused.matches("P6,fail").count(), 3 * entries, "{logs}: owner, reason and ticket of each");
        assert_eq!(draft.matches("# REVIEW ").count(), entries, "{draft}");
        std::fs::write(&file, draft.replace("= \"\"", "= \"filled in\"")).unwrap();
        let report = ["report", "egress", &logs, "--inventory", &inventory, "--policy", path, "-o", "json", "--fail-on", "findings"];
        let report = flowproof(&report).json();
        let rows = report["rows"].as_array().unwrap();
        destinations += rows.len();
        let others: Vec<&Value> = rows.iter().filter(|row| row["verdict"] != "approved").collect();
        assert!(others.is_empty(), "{logs}: {others:#?}\n{draft}");
        assert_eq!(report["policy"]["destinations"]["all"], rows.len());
    }
    assert!(destinations > 30, "{destinations} destinations");
}

#[test]
fn findings_carry_rule_and_line() {
    let policy = policy(&["to = [\"0.0.0.0/0\"]\nexpires = 2026-01-01"]);
    assert_eq!(ids(&findings(&policy, None, None, Some(at("2026-10-05")))), [("P3", "r0", 2), ("P7", "r0", 2)]);
}
