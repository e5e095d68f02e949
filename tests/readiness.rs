//! `report readiness` and the failure drill of `report egress --compare`, against the states that `sample-logs/readiness.py` works
//! out by hand.

use crate::program::flowproof;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const LOGS: &str = "sample-logs/readiness/logs";
const INVENTORY: &str = "sample-logs/readiness/inventory";
const DRILL_LOGS: &str = "sample-logs/drill/logs";
const DRILL_INVENTORY: &str = "sample-logs/drill/inventory";

fn expected(folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(format!("sample-logs/{folder}/expected.json")).unwrap()).unwrap()
}

fn readiness(args: &[&str]) -> Value {
    flowproof(&[&["report", "readiness"], args, &["--inventory", INVENTORY, "-o", "json"]].concat()).exits(0).json()
}

fn rows(report: &Value) -> &[Value] {
    report["rows"].as_array().unwrap()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

/// Cluster, check and subject → state.
fn states(report: &Value) -> BTreeMap<(String, String, String), String> {
    let of = |row: &Value| {
        let key = ["cluster", "check", "subject"].map(|key| text(row, key).to_owned());
        (key.into(), text(row, "state").to_owned())
    };
    rows(report).iter().map(of).collect()
}

#[test]
fn every_state_of_every_check_is_as_worked_out_by_hand() {
    let expected = expected("readiness");
    let report = readiness(&[]);
    let mut wanted = BTreeMap::new();
    for (cluster, rows) in expected["states"].as_object().unwrap() {
        for row in rows.as_array().unwrap() {
            wanted.insert((cluster.clone(), text(row, "check").to_owned(), text(row, "subject").to_owned()), text(row, "state").to_owned());
        }
    }
    let got = states(&report);
    let differing: Vec<_> = got
        .iter()
        .filter(|(key, state)| wanted.get(*key) != Some(state))
        .map(|(key, state)| (key, Some(state), wanted.get(key)))
        .chain(wanted.iter().filter(|(key, _)| !got.contains_key(*key)).map(|(key, state)| (key, None, Some(state))))
        .collect();
    assert!(differing.is_empty(), "got, wanted: {differing:#?}");
    assert_eq!(rows(&report).len(), got.len(), "two rows have one key");
    for cluster in report["clusters"].as_array().unwrap() {
        assert_eq!(cluster["verdict"], expected["verdicts"][text(cluster, "cluster")], "{cluster}");
        let count =
            |state: &str| rows(&report).iter().filter(|row| row["cluster"] == cluster["cluster"] && text(row, "state") == state).count();
        for state in ["ok", "missing", "unknown"] {
            assert_eq!(cluster[state], count(state), "{cluster}");
        }
    }
    for row in rows(&report) {
        assert_eq!((row["why"].is_null(), row["fix"].is_null()), (row["state"] == "ok", row["state"] == "ok"), "{row}");
        assert!(!text(row, "detail").is_empty(), "{row}");
    }
}

#[test]
fn checks_have_the_states_that_they_can_have() {
    let mut by_check: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ((_, check, _), state) in states(&readiness(&[])) {
        by_check.entry(check).or_default().insert(state);
    }
    for (check, states) in by_check {
        // Of an issuer's name it can only be unknown where it leads; money is known or not.
        let possible: &[&str] =
            if ["oidc-issuer", "cost"].contains(&check.as_str()) { &["ok", "unknown"] } else { &["missing", "ok", "unknown"] };
        assert_eq!(states.iter().map(String::as_str).collect::<Vec<_>>(), possible, "{check}");
    }
}

#[test]
fn each_call_says_where_it_would_be_dialled_and_what_follows_if_it_fails() {
    let expected = expected("readiness");
    let report = readiness(&[]);
    let of_alpha =
        |subject: &str| rows(&report).iter().find(|row| text(row, "cluster") == "alpha" && text(row, "subject") == subject).unwrap();
    for (subject, dialled) in expected["dialled"].as_object().unwrap() {
        assert_eq!(of_alpha(subject)["dialled"], *dialled);
    }
    let hook = of_alpha("validatingwebhookconfiguration/kyverno check.kyverno.example.com");
    assert_eq!((text(hook, "failure_policy"), hook["timeout_s"].as_i64()), ("Fail", Some(10)));
    assert!(text(hook, "detail").contains("inside the VPC"), "{hook}");
    assert!(text(of_alpha("https://login.corp.example.com/realms/k8s"), "detail").contains("outside the VPC"));
}

#[test]
fn states_rest_on_resources_and_their_time() {
    let report = readiness(&[]);
    let rests = |check: &str, subject: &str| {
        let row = rows(&report).iter().find(|row| text(row, "check") == check && text(row, "subject") == subject).unwrap();
        text(row, "rests_on").to_owned()
    };
    let day = "(2026-10-01T00:00:00Z)";
    assert_eq!(
        rests("route", "subnet-0a100000000000001 → 0.0.0.0/0"),
        format!("nat-0a100000000000001 {day}, rtb-0a0 {day}, rtb-0a1 {day}")
    );
    assert_eq!(rests("nacl", "subnet-0b200000000000002 outbound"), format!("acl-0b000000000000002 {day}"));
    assert_eq!(rests("iam", "alpha-role ec2:DescribeVpcs"), format!("alpha-role {day}"));
    assert_eq!(report["as_of"], "2026-10-01T00:00:00Z");
    // Before the clusters were made there is nothing to judge.
    let early = readiness(&["--at", "2025-01-01T00:00:00Z"]);
    assert_eq!((rows(&early).len(), early["clusters"].as_array().unwrap().len()), (0, 0));
    assert!(early["notes"].to_string().contains("3 clusters of the inventory did not live then"), "{}", early["notes"]);
}

#[test]
fn with_logs_coverage_is_observed_and_bytes_are_priced() {
    let expected = expected("readiness");
    let hour = ["--from", "2026-10-01T10:00:00Z", "--to", "2026-10-01T11:00:00Z"];
    let report = readiness(&[&[LOGS], &hour[..]].concat());
    let observed: BTreeMap<&str, &Value> =
        rows(&report).iter().filter_map(|row| Some((text(row, "subject").strip_suffix(" observed")?, &row["state"]))).collect();
    assert_eq!(serde_json::json!(observed), expected["observed"]);
    let costs: BTreeMap<String, String> = rows(&report)
        .iter()
        .filter(|row| !row["monthly_list_cost"].is_null())
        .map(|row| (format!("{} {}", text(row, "cluster"), text(row, "subject")), row["monthly_list_cost"].to_string()))
        .collect();
    assert_eq!(serde_json::json!(costs), expected["monthly_list_cost"]);
    let measured = rows(&report).iter().find(|row| text(row, "subject") == "198.51.100.80:443").unwrap();
    assert_eq!((measured["bytes"].as_u64(), text(measured, "dialled")), (Some(2 << 30), "login.corp.example.com"));
    assert!(!states(&report).contains_key(&("alpha".into(), "cost".into(), "login.corp.example.com:443".into())), "it was measured");
}

#[test]
fn findings_end_a_run_with_3_and_nothing_else_does() {
    let run = |options: &[&str]| flowproof(&[&["report", "readiness", "--inventory", INVENTORY, "-o", "csv"], options].concat());
    run(&[]).exits(0);
    run(&["--fail-on", "findings"]).exits(3);
    run(&["--fail-on", "gaps"]).exits(0);
    flowproof(&["report", "readiness"]).exits(2).tells("needs an inventory").without_results();
    run(&["--at", "soon"]).exits(2).tells("is not a time").without_results();
    let page = flowproof(&["report", "readiness", "--inventory", INVENTORY, "-o", "table"]).exits(0).text();
    for line in page.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 100, "{line}");
    }
    for verdict in ["READY: ", "NOT READY: ", "CANNOT BE SAID: "] {
        assert!(page.contains(verdict), "{verdict} in {page}");
    }
}

fn drill(options: &[&str]) -> Value {
    let args = ["report", "egress", DRILL_LOGS, "--inventory", DRILL_INVENTORY, "-o", "json"];
    flowproof(&[&args, options].concat()).exits(0).json()
}

const AFTER: [&str; 4] = ["--from", "2026-10-01T11:00:00Z", "--to", "2026-10-01T12:00:00Z"];

#[test]
fn a_drill_is_read_off_and_what_changed_comes_first() {
    let report = drill(&[&AFTER[..], &["--compare", "previous"]].concat());
    let wanted = expected("drill");
    let wanted = wanted["changes"].as_array().unwrap();
    let order = |rows: &[Value]| rows.iter().map(|row| text(row, "dst_addr").to_owned()).collect::<Vec<_>>();
    assert_eq!(order(rows(&report)), order(wanted));
    for (row, wanted) in rows(&report).iter().zip(wanted) {
        for (key, value) in wanted.as_object().unwrap() {
            assert_eq!(row[key], *value, "{key} of {row}");
        }
    }
    // Every key of the report, and the same values, for what was seen in the period.
    let plain = drill(&AFTER);
    for row in rows(&plain) {
        let same = rows(&report).iter().find(|one| one["dst_addr"] == row["dst_addr"]).unwrap();
        for (key, value) in row.as_object().unwrap() {
            assert_eq!(same[key], *value, "{key}");
        }
    }
    assert_eq!(report["compared_with"], serde_json::json!({ "from": "2026-10-01T10:00:00Z", "to": "2026-10-01T11:00:00Z" }));
    let page = flowproof(
        &[&["report", "egress", DRILL_LOGS, "--inventory", DRILL_INVENTORY, "-o", "table", "--compare", "previous"], &AFTER[..]].concat(),
    );
    let page = page.exits(0).text();
    assert!(page.contains("what changed since 2026-10-01T10:00:00Z to 2026-10-01T11:00:00Z"), "{page}");
    assert!(page.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 100), "{page}");
}

#[test]
fn what_is_not_seen_in_a_gap_is_not_gone() {
    let silent = ["--from", "2026-10-01T12:00:00Z", "--to", "2026-10-01T13:00:00Z"];
    let report = drill(&[&silent[..], &["--compare", "2026-10-01T10:00:00Z..2026-10-01T11:00:00Z"]].concat());
    assert_eq!(rows(&report).len(), 5);
    for row in rows(&report) {
        assert_eq!(text(row, "change"), "not seen, but the logs have gaps", "{row}");
    }
    assert!(report["notes"].to_string().contains("the period is not logged whole for prod"), "{}", report["notes"]);
    let back = drill(&[&AFTER[..], &["--compare", "2026-10-01T12:00:00Z..2026-10-01T13:00:00Z"]].concat());
    assert!(rows(&back).iter().all(|row| text(row, "change") == "new, but the logs before have gaps"), "{back}");
}

/// A cluster with one subnet, and more files.
fn small_inventory(folder: &std::path::Path, files: &[(&str, Value)]) -> String {
    let of_cluster = serde_json::json!({ "cluster": {
        "name": "c", "arn": "arn:aws:eks:us-east-1:111122223333:cluster/c", "createdAt": "2026-01-01T00:00:00Z", "status": "ACTIVE",
        "roleArn": "arn:aws:iam::111122223333:role/path/r", "kubernetesNetworkConfig": { "ipFamily": "ipv6" },
        "resourcesVpcConfig": { "subnetIds": ["subnet-1"], "vpcId": "vpc-1", "clusterSecurityGroupId": "sg-1", "controlPlaneEgressMode": "AWS_MANAGED" } } });
    let vpcs = serde_json::json!({ "Vpcs": [
        { "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16" }, { "VpcId": "vpc-2", "CidrBlock": "10.9.0.0/16" } ] });
    let subnet =
        |id: &str, cidr: &str| serde_json::json!({ "SubnetId": id, "VpcId": "vpc-1", "CidrBlock": cidr, "AvailabilityZoneId": "use1-az4" });
    let subnets = serde_json::json!({ "Subnets": [subnet("subnet-1", "10.0.1.0/24"), subnet("subnet-2", "10.0.2.0/24"), subnet("subnet-3", "10.0.3.0/24")] });
    let all = [("cluster.json", of_cluster), ("vpcs.json", vpcs), ("subnets.json", subnets)];
    let root = folder.join("2026-10-01T000000Z/111122223333/us-east-1");
    for (path, content) in all.iter().chain(files) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.to_string()).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

/// The state of a row, and what was found.
fn state_in(files: &[(&str, Value)], check: &str, subject: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let inventory = small_inventory(folder.path(), files);
    let report = flowproof(&["report", "readiness", "--inventory", &inventory, "-o", "json"]).exits(0).json();
    let row = rows(&report).iter().find(|row| text(row, "check") == check && text(row, "subject") == subject);
    let row = row.unwrap_or_else(|| panic!("no row {check} {subject} in {report:#}"));
    (text(row, "state").to_owned(), text(row, "detail").to_owned())
}

#[test]
fn a_route_is_followed_until_it_leaves_the_vpc() {
    let table = |id: &str, subnet: &str, routes: &[(&str, &str, &str, &str)]| {
        let route = |(destination, member, target, state): &(&str, &str, &str, &str)| {
            let kind = if destination.contains(':') { "DestinationIpv6CidrBlock" } else { "DestinationCidrBlock" };
            serde_json::json!({ kind: destination, *member: target, "State": state })
        };
        serde_json::json!({ "RouteTableId": id, "VpcId": "vpc-1", "Associations": [{ "SubnetId": subnet }], "Routes": routes.iter().map(route).collect::<Vec<_>>() })
    };
    let nat = |state: &str, connectivity: &str| serde_json::json!({ "NatGateways": [{ "NatGatewayId": "nat-1", "VpcId": "vpc-1", "SubnetId": "subnet-2", "State": state, "ConnectivityType": connectivity, "NatGatewayAddresses": [] }] });
    let endpoint = serde_json::json!({ "VpcEndpoints": [{ "VpcEndpointId": "vpce-1", "VpcEndpointType": "GatewayLoadBalancer", "VpcId": "vpc-1", "State": "available", "SubnetIds": ["subnet-3"] }] });
    let out = |member: &'static str, target: &'static str| ("0.0.0.0/0", member, target, "active");
    let out6 = |member: &'static str, target: &'static str| ("::/0", member, target, "active");
    let check = |own: (&str, &str, &str, &str), of_nat: Option<(&str, &str, &str, &str)>, nat: Value, to: &str, want: &str| {
        let tables = vec![
            table("rtb-1", "subnet-1", &[own]),
            table("rtb-2", "subnet-2", &of_nat.into_iter().collect::<Vec<_>>()),
            table("rtb-3", "subnet-3", &[out("NatGatewayId", "nat-1")]),
        ];
        let files =
            [("routes.json", serde_json::json!({ "RouteTables": tables })), ("nat.json", nat), ("endpoints.json", endpoint.clone())];
        let (state, detail) = state_in(&files, "route", &format!("subnet-1 → {to}"));
        assert_eq!(state, want, "{own:?}, then {of_nat:?}: {detail}");
    };
    let (v4, v6) = ("0.0.0.0/0", "::/0");
    let (open, public) = (Some(out("GatewayId", "igw-1")), nat("available", "public"));
    check(out("NatGatewayId", "nat-1"), open, public.clone(), v4, "ok");
    check(out("VpcEndpointId", "vpce-1"), open, public.clone(), v4, "ok");
    check(out("NatGatewayId", "nat-1"), Some(out("VpcEndpointId", "vpce-1")), public.clone(), v4, "unknown");
    check(out("NatGatewayId", "nat-1"), None, public.clone(), v4, "missing");
    check(out("NatGatewayId", "nat-1"), Some(("0.0.0.0/0", "GatewayId", "igw-1", "blackhole")), public.clone(), v4, "missing");
    check(out("NatGatewayId", "nat-1"), Some(("0.0.0.0/0", "GatewayId", "igw-1", "?")), public.clone(), v4, "unknown");
    check(out("NatGatewayId", "nat-1"), Some(out("TransitGatewayId", "tgw-1")), public.clone(), v4, "unknown");
    check(out("NatGatewayId", "nat-1"), open, nat("deleting", "public"), v4, "missing");
    check(out("NatGatewayId", "nat-1"), open, nat("available", "private"), v4, "unknown");
    check(out("NatGatewayId", "nat-2"), open, public.clone(), v4, "unknown");
    check(("0.0.0.0/0", "NatGatewayId", "nat-1", "blackhole"), open, public.clone(), v4, "missing");
    check(out("GatewayId", "igw-1"), open, public.clone(), v4, "missing");
    check(out("VpcPeeringConnectionId", "pcx-1"), open, public.clone(), v4, "missing");
    check(out("GatewayId", "vgw-1"), open, public.clone(), v4, "unknown");
    check(out("NetworkInterfaceId", "eni-1"), open, public.clone(), v4, "unknown");
    check(("10.0.0.0/16", "GatewayId", "local", "active"), open, public.clone(), v4, "missing");
    check(out6("EgressOnlyInternetGatewayId", "eigw-1"), open, public.clone(), v6, "ok");
    check(out6("GatewayId", "igw-1"), open, public.clone(), v6, "unknown");
    check(out("NatGatewayId", "nat-1"), open, public, v6, "missing");
}

/// A role's policies, in the ways in which they can be collected.
#[test]
fn what_a_role_may_do_is_known_only_if_all_of_its_policies_are() {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let role = json(r#"{"Role":{"RoleName":"r","Arn":"arn:aws:iam::111122223333:role/path/r"}}"#);
    let bounded = json(
        r#"{"Role":{"RoleName":"r","Arn":"arn:aws:iam::111122223333:role/path/r","PermissionsBoundary":{"PermissionsBoundaryArn":"arn:aws:iam::111122223333:policy/b"}}}"#,
    );
    let attached = json(r#"{"AttachedPolicies":[{"PolicyName":"p","PolicyArn":"arn:aws:iam::aws:policy/p"}]}"#);
    let none = json(r#"{"PolicyNames":[]}"#);
    let inline = json(r#"{"PolicyNames":["own"]}"#);
    let version = |actions: &str, effect: &str, default: bool| {
        json(&format!(
            r#"{{"PolicyVersion":{{"Document":{{"Statement":[{{"Effect":"{effect}","Action":"{actions}","Resource":"*"}}]}},"VersionId":"v1","IsDefaultVersion":{default}}}}}"#
        ))
    };
    let wrapped = |member: &str, name: &str, data: &Value| serde_json::json!({ member: name, "data": data });
    let details = json(
        r#"{"RoleDetailList":[{"RoleName":"r","Arn":"arn:aws:iam::111122223333:role/path/r","RolePolicyList":[{"PolicyName":"own","PolicyDocument":{"Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}}],"AttachedManagedPolicies":[]}],"Policies":[]}"#,
    );
    let check = |files: &[(&str, &Value)], want: &str| {
        let files: Vec<(&str, Value)> = files.iter().map(|(path, content)| (*path, (*content).clone())).collect();
        let (state, detail) = state_in(&files, "iam", "r ec2:DescribeVpcs");
        assert_eq!(state, want, "{:?}: {detail}", files.iter().map(|(path, _)| path).collect::<Vec<_>>());
    };
    let (allow, deny, other, old) = (
        version("ec2:*", "Allow", true),
        version("ec2:DescribeVpcs", "Deny", true),
        version("s3:*", "Allow", true),
        version("ec2:*", "Allow", false),
    );
    let lists = [("roles/r/role.json", &role), ("roles/r/attached.json", &attached), ("roles/r/inline.json", &none)];
    check(&[&lists[..], &[("roles/r/policies/p.json", &allow)]].concat(), "ok");
    check(&[&lists[..], &[("any.json", &wrapped("policy_arn", "arn:aws:iam::aws:policy/p", &allow))]].concat(), "ok");
    check(&[&lists[..], &[("any.json", &wrapped("policy_arn", "arn:aws:iam::aws:policy/q", &allow))]].concat(), "unknown");
    check(&[&lists[..], &[("roles/r/policies/p.json", &other)]].concat(), "missing");
    check(&[&lists[..], &[("roles/r/policies/p.json", &deny)]].concat(), "missing");
    check(&[&lists[..], &[("roles/r/policies/p.json", &old)]].concat(), "unknown");
    check(&lists, "unknown");
    check(&[("roles/r/attached.json", &attached), ("roles/r/policies/p.json", &allow)], "unknown");
    check(&[("roles/other/attached.json", &attached)], "unknown");
    check(
        &[
            ("roles/r/role.json", &role),
            ("roles/r/attached.json", &attached),
            ("roles/r/inline.json", &inline),
            ("roles/r/policies/p.json", &allow),
        ],
        "unknown",
    );
    check(&[("roles/r/role.json", &bounded), lists[1], lists[2], ("roles/r/policies/p.json", &allow)], "unknown");
    check(
        &[("roles/r/role.json", &bounded), lists[1], lists[2], ("roles/r/policies/p.json", &allow), ("roles/r/policies/b.json", &other)],
        "missing",
    );
    check(
        &[("roles/r/role.json", &bounded), lists[1], lists[2], ("roles/r/policies/p.json", &allow), ("roles/r/policies/b.json", &allow)],
        "ok",
    );
    check(&[("details.json", &details)], "ok");
    check(
        &[
            ("role.json", &role),
            ("a.json", &wrapped("role_name", "r", &attached)),
            ("i.json", &wrapped("role_name", "r", &none)),
            ("policies/p.json", &allow),
        ],
        "ok",
    );
}

#[test]
fn security_groups_speak_of_addresses_groups_and_lists() {
    let objects = |url: &str| {
        serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": [{ "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration", "metadata": { "name": "w" },
            "webhooks": [{ "name": "w", "clientConfig": { "url": url } }] }] })
    };
    let enis = serde_json::json!({ "NetworkInterfaces": [{ "NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-2", "InterfaceType": "interface",
        "PrivateIpAddress": "10.0.2.5", "PrivateIpAddresses": [{ "PrivateIpAddress": "10.0.2.5", "Primary": true }], "Groups": [{ "GroupId": "sg-2" }] }] });
    let entries = serde_json::json!({ "prefix_list_id": "pl-1", "data": { "Entries": [{ "Cidr": "203.0.113.0/24" }] } });
    let check = |rule: Value, url: &str, want: &str| {
        let group = serde_json::json!({ "SecurityGroups": [{ "GroupId": "sg-1", "GroupName": "c", "VpcId": "vpc-1", "IpPermissionsEgress": [rule] }] });
        let files =
            [("k8s/c/objects.json", objects(url)), ("enis.json", enis.clone()), ("entries.json", entries.clone()), ("groups.json", group)];
        let host = url.trim_start_matches("https://");
        let (state, detail) = state_in(&files, "security-group", &format!("{host}:443"));
        assert_eq!(state, want, "{url}: {detail}");
    };
    let cidr = |range: &str| serde_json::json!({ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{ "CidrIp": range }] });
    let of_group = |id: &str| serde_json::json!({ "IpProtocol": "-1", "UserIdGroupPairs": [{ "GroupId": id }] });
    let of_list = |id: &str| serde_json::json!({ "IpProtocol": "-1", "PrefixListIds": [{ "PrefixListId": id }] });
    check(cidr("0.0.0.0/0"), "https://10.0.2.5", "ok");
    check(cidr("10.0.0.0/8"), "https://10.0.2.5", "ok");
    check(cidr("10.1.0.0/16"), "https://10.0.2.5", "missing");
    check(cidr("0.0.0.0/0"), "https://hook.example.com", "ok");
    check(cidr("10.0.0.0/8"), "https://hook.example.com", "unknown");
    check(of_group("sg-2"), "https://10.0.2.5", "ok");
    check(of_group("sg-3"), "https://10.0.2.5", "missing");
    check(of_group("sg-2"), "https://10.0.2.6", "unknown");
    check(of_group("sg-2"), "https://203.0.113.7", "missing");
    check(of_list("pl-1"), "https://203.0.113.7", "ok");
    check(of_list("pl-1"), "https://198.51.100.7", "missing");
    check(of_list("pl-2"), "https://203.0.113.7", "unknown");
}
