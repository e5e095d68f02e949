"""Readiness for CUSTOMER_ROUTED: three clusters, in which every state of every check occurs, and a failure drill.

`alpha` has all that is needed, `beta` lacks it, and of `gamma` nothing that decides is known. The expected states are worked out by
hand from docs/readiness.md; money from the us-east-1 list prices (NAT 0.045 a GB and an hour, internet 0.09 a GB).
"""

import cases
from shapes import *

REGION_HERE = "us-east-1"
GB = 1 << 30


def eni_of(number, address, subnet, az, vpc):
    return Eni(f"eni-0{number}00000000000001", address, subnet, f"us-east-1{az[0]}", az[1], vpc=vpc)


AZ4, AZ6 = ("a", "use1-az4"), ("b", "use1-az6")
VPC_A, VPC_B, VPC_C = "vpc-0a1fa000000000001", "vpc-0be7a000000000002", "vpc-09a33a00000000003"
A1 = eni_of("a1", "10.1.1.37", "subnet-0a100000000000001", AZ4, VPC_A)
A2 = eni_of("a2", "10.1.2.54", "subnet-0a200000000000002", AZ6, VPC_A)
B1 = eni_of("b1", "10.2.1.37", "subnet-0b100000000000001", AZ4, VPC_B)
B2 = eni_of("b2", "10.2.2.54", "subnet-0b200000000000002", AZ6, VPC_B)
C1 = eni_of("c1", "10.3.1.37", "subnet-0c100000000000001", AZ4, VPC_C)
NAT_A1 = eni_of("d1", "10.1.8.10", "subnet-0a800000000000008", AZ4, VPC_A)
NAT_A2 = eni_of("d2", "10.1.9.10", "subnet-0a900000000000009", AZ6, VPC_A)
NAT_B = eni_of("d3", "10.2.8.10", "subnet-0b800000000000008", AZ4, VPC_B)
GATEWAY_A1, GATEWAY_A2, GATEWAY_B = "nat-0a100000000000001", "nat-0a200000000000002", "nat-0b100000000000001"


def route_table(name, vpc, subnet_ids, *routes, main=False):
    """`aws ec2 describe-route-tables`; a route is (destination, member, target, state)."""
    def route(destination, member, target, state="active"):
        kind = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        return {kind: destination, member: target, "Origin": "CreateRoute", "State": state}
    return {"RouteTableId": f"rtb-0{name}", "VpcId": vpc, "OwnerId": ACCOUNT, "PropagatingVgws": [], "Tags": [],
            "Associations": [{"Main": False, "RouteTableAssociationId": f"rtbassoc-{subnet[7:]}", "SubnetId": subnet} for subnet in subnet_ids]
            + ([{"Main": True, "RouteTableAssociationId": f"rtbassoc-{name}"}] if main else []),
            "Routes": [route(*one) for one in routes]}


def group(id, vpc, *egress):
    """`aws ec2 describe-security-groups`; a rule is (protocol, port or None, range)."""
    def rule(protocol, port, network):
        ports = {} if port is None else {"FromPort": port, "ToPort": port}
        return {"IpProtocol": protocol, **ports, "IpRanges": [{"CidrIp": network}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    return {"GroupId": id, "GroupName": id, "Description": "", "VpcId": vpc, "OwnerId": ACCOUNT, "IpPermissions": [],
            "IpPermissionsEgress": [rule(*one) for one in egress]}


def network_acl(id, vpc, subnet_ids, *entries):
    """`aws ec2 describe-network-acls`; an entry is (egress, number, protocol, ports or None, range, action)."""
    def entry(egress, number, protocol, ports, network, action):
        span = {"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}
        return {"CidrBlock": network, "Egress": egress, "Protocol": protocol, "RuleAction": action, "RuleNumber": number, **span}
    denied = [(out, 32767, "-1", None, "0.0.0.0/0", "deny") for out in (True, False)]
    return {"NetworkAclId": id, "VpcId": vpc, "OwnerId": ACCOUNT, "IsDefault": False, "Tags": [],
            "Associations": [{"NetworkAclAssociationId": f"aclassoc-{subnet[7:]}", "NetworkAclId": id, "SubnetId": subnet} for subnet in subnet_ids],
            "Entries": [entry(*one) for one in [*entries, *denied]]}


def dhcp(id, *servers):
    named = [{"Key": "domain-name-servers", "Values": [{"Value": server} for server in servers]}] if servers else []
    return {"DhcpOptionsId": id, "OwnerId": ACCOUNT, "Tags": [],
            "DhcpConfigurations": [{"Key": "domain-name", "Values": [{"Value": "ec2.internal"}]}, *named]}


def attribute(vpc, name, on):
    member = name[0].upper() + name[1:]
    return {f"{name}_{vpc}.json": {"VpcId": vpc, member: {"Value": on}}}


def role(name, attached, inline=()):
    """What `aws iam` says of a role: lists that do not name it, so that the folder must."""
    files = {
        "get-role.json": {"Role": {"Path": "/", "RoleName": name, "RoleId": "AROAEXAMPLE", "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                                   "CreateDate": "2025-01-01T00:00:00+00:00", "AssumeRolePolicyDocument": {}}},
        "list-attached-role-policies.json": {"AttachedPolicies": [{"PolicyName": arn.split("/")[-1], "PolicyArn": arn} for arn in attached]},
        "list-role-policies.json": {"PolicyNames": [name for name, _ in inline]},
        **{f"get-role-policy-{own}.json": {"RoleName": name, "PolicyName": own, "PolicyDocument": document(actions)} for own, actions in inline},
    }
    return {f"roles/{name}/{path}": content for path, content in files.items()}


def document(actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def cluster_here(name, mode, vpc, subnet_ids, status="ACTIVE"):
    one = cluster(name, mode, subnet_ids, vpc, region=REGION_HERE)
    one["cluster"] |= {"status": status, "roleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}-role"}
    return one


def plane(eni, name):
    return control_plane(eni, name)


def sg_of(name):
    return "sg-0c1000000000" + format(sum(name.encode()), "05x")


def logged(id, vpc, **other):
    one = flow_logs((id, vpc, ADVISED, "2026-01-01T00:00:00+00:00"))["FlowLogs"][0] | {"MaxAggregationInterval": 60} | other
    return {key: value for key, value in one.items() if value is not None}


POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
ALL_OUT, ALL_IN = (True, 100, "-1", None, "0.0.0.0/0", "allow"), (False, 100, "-1", None, "0.0.0.0/0", "allow")


def inventory():
    local = lambda vpc_range: (vpc_range, "GatewayId", "local")
    nat_to = lambda gateway: ("0.0.0.0/0", "NatGatewayId", gateway)
    igw = lambda name: ("0.0.0.0/0", "GatewayId", f"igw-0{name}00000000000001")
    here = {
        "list-clusters.json": {"clusters": ["alpha", "beta", "gamma"]},
        "describe-cluster-alpha.json": cluster_here("alpha", "CUSTOMER_ROUTED", VPC_A, (A1.subnet, A2.subnet)),
        "describe-cluster-beta.json": cluster_here("beta", "AWS_MANAGED", VPC_B, (B1.subnet, B2.subnet), status="UPDATING"),
        "describe-cluster-gamma.json": cluster_here("gamma", None, VPC_C, (C1.subnet,)),
        "identity-provider-alpha.json": identity_provider("alpha", "https://login.corp.example.com/realms/k8s"),
        "identity-provider-gamma.json": identity_provider("gamma", "https://sso.example.net"),
        "resolver-query-log.ndjson": as_ndjson([dns_answer("login.corp.example.com", "198.51.100.80", f"{DAY}T08:00:00", vpc=VPC_A)]),
        "describe-vpcs.json": {"Vpcs": [one | {"DhcpOptionsId": options} for one, options in zip(
            vpcs((VPC_A, "10.1.0.0/16"), (VPC_B, "10.2.0.0/16"), (VPC_C, "10.3.0.0/16"), region=REGION_HERE)["Vpcs"],
            ("dopt-0a000000000000001", "dopt-0b000000000000002", "dopt-0c000000000000003"))]},
        "describe-subnets.json": {"Subnets": sum([subnets(*rows, vpc=vpc)["Subnets"] for vpc, rows in {
            VPC_A: [(A1.subnet, "10.1.1.0/24", "us-east-1a", "use1-az4"), (A2.subnet, "10.1.2.0/24", "us-east-1b", "use1-az6"),
                    ("subnet-0a300000000000003", "10.1.3.0/24", "us-east-1a", "use1-az4"),
                    (NAT_A1.subnet, "10.1.8.0/24", "us-east-1a", "use1-az4"), (NAT_A2.subnet, "10.1.9.0/24", "us-east-1b", "use1-az6")],
            VPC_B: [(B1.subnet, "10.2.1.0/24", "us-east-1a", "use1-az4"), (B2.subnet, "10.2.2.0/24", "us-east-1b", "use1-az6"),
                    (NAT_B.subnet, "10.2.8.0/24", "us-east-1a", "use1-az4")],
            VPC_C: [(C1.subnet, "10.3.1.0/24", "us-east-1a", "use1-az4")],
        }.items()], [])},
        "describe-network-interfaces.json": enis(
            plane(A1, "alpha"), plane(A2, "alpha"), plane(B1, "beta"), plane(B2, "beta"), plane(C1, "gamma"),
            nat(NAT_A1, GATEWAY_A1), nat(NAT_A2, GATEWAY_A2), nat(NAT_B, GATEWAY_B)),
        "describe-nat-gateways.json": {"NatGateways": nat_gateways((GATEWAY_A1, NAT_A1, "203.0.113.1"), (GATEWAY_A2, NAT_A2, "203.0.113.2"), vpc=VPC_A)["NatGateways"]
                                       + nat_gateways((GATEWAY_B, NAT_B, "203.0.113.3"), vpc=VPC_B)["NatGateways"]},
        "describe-route-tables.json": {"RouteTables": [
            route_table("a1", VPC_A, [A1.subnet], local("10.1.0.0/16"), nat_to(GATEWAY_A1)),
            route_table("a2", VPC_A, [A2.subnet], local("10.1.0.0/16"), nat_to(GATEWAY_A2)),
            route_table("a0", VPC_A, [], local("10.1.0.0/16"), igw("a"), main=True),
            route_table("b1", VPC_B, [B1.subnet], local("10.2.0.0/16"), igw("b")),
            route_table("b2", VPC_B, [B2.subnet], local("10.2.0.0/16"), nat_to(GATEWAY_B)),
            route_table("b0", VPC_B, [], local("10.2.0.0/16"), igw("b"), main=True),
            route_table("c0", VPC_C, [], local("10.3.0.0/16"), ("0.0.0.0/0", "TransitGatewayId", "tgw-0c000000000000001"), main=True)]},
        "describe-security-groups.json": {"SecurityGroups": [
            group(sg_of("alpha"), VPC_A, ("-1", None, "0.0.0.0/0")), group(sg_of("beta"), VPC_B, ("tcp", 443, "0.0.0.0/0"))]},
        "describe-network-acls.json": {"NetworkAcls": [
            network_acl("acl-0a000000000000001", VPC_A, [A1.subnet, A2.subnet, "subnet-0a300000000000003"], ALL_OUT, ALL_IN),
            network_acl("acl-0b000000000000001", VPC_B, [B1.subnet], (True, 100, "6", (443, 443), "0.0.0.0/0", "allow"),
                        (False, 100, "6", (32768, 60999), "0.0.0.0/0", "allow")),
            network_acl("acl-0b000000000000002", VPC_B, [B2.subnet], ALL_OUT, (False, 90, "6", (1024, 40000), "0.0.0.0/0", "allow"),
                        (False, 95, "6", (40001, 65535), "0.0.0.0/0", "allow"))]},
        "describe-dhcp-options.json": {"DhcpOptions": [
            dhcp("dopt-0a000000000000001", "AmazonProvidedDNS"), dhcp("dopt-0b000000000000002"), dhcp("dopt-0c000000000000003", "10.3.0.53")]},
        "describe-flow-logs.json": {"FlowLogs": [
            logged("fl-0a000000000000001", VPC_A), logged("fl-0b000000000000001", VPC_B, TrafficType="ACCEPT"),
            logged("fl-0c000000000000001", VPC_C, LogFormat=None)]},
        **attribute(VPC_A, "enableDnsSupport", True), **attribute(VPC_A, "enableDnsHostnames", True),
        **attribute(VPC_B, "enableDnsSupport", False), **attribute(VPC_B, "enableDnsHostnames", False),
        **role("alpha-role", [POLICY]), **role("beta-role", [], [("logs", ["s3:*"])]),
        **role("gamma-role", [f"arn:aws:iam::{ACCOUNT}:policy/gamma"]),
        "roles/alpha-role/policies/AmazonEKSClusterPolicy.json": {"PolicyVersion": {
            "Document": document(["ec2:DescribeVpcs", "ec2:DescribeDhcpOptions", "elasticloadbalancing:*"]), "VersionId": "v6",
            "IsDefaultVersion": True, "CreateDate": "2023-02-07T18:22:38+00:00"}},
        "k8s-alpha/objects.json": listed(
            kube_node("ip-10-1-3-4.ec2.internal", "10.1.3.4", "i-0a100000000000001"),
            webhook("Validating", "kyverno", "kyverno/kyverno-svc"), service("kyverno/kyverno-svc", "https"),
            endpoints("kyverno/kyverno-svc", 9443, ("10.1.3.118", "kyverno-7c9d")),
            api_service("v1beta1.metrics.k8s.io", "kube-system/metrics-server"), service("kube-system/metrics-server", "https"),
            endpoints("kube-system/metrics-server", 10250, ("10.1.3.120", "metrics-server-1")),
            conversion("certificates.cert-manager.io", "cert-manager/webhook"), service("cert-manager/webhook", "https"),
            endpoints("cert-manager/webhook", 10250, ("10.1.3.121", "webhook-1"))),
        "k8s-beta/objects.json": listed(
            kube_node("ip-10-2-1-4.ec2.internal", "10.2.1.4", "i-0b100000000000001"),
            webhook("Validating", "kyverno", "kyverno/kyverno-svc"), service("kyverno/kyverno-svc", "https"),
            endpoints("kyverno/kyverno-svc", 9443, ("10.2.1.118", "kyverno-7c9d")),
            webhook("Mutating", "idle", "idle/idle"), service("idle/idle", "https"),
            webhook("Mutating", "policy", url="https://policy.example.net:8443/check"),
            api_service("v1.other.example.com", "other/other") | {"spec": {"group": "other.example.com", "version": "v1",
                        "service": {"namespace": "other", "name": "other", "port": 8443}}}, service("other/other", "https"),
            conversion("widgets.example.com", "gone/gone")),
    }
    return {f"{SNAPSHOT}/{ACCOUNT}/{REGION_HERE}/{path}": content for path, content in here.items()}


LOGS = {"flows.log": text(ADVISED, [
    # 1 GiB up and 1 GiB down through the gateway of the same AZ, within one hour
    out(A1, 41001, "198.51.100.80", 443, 3, 900000, GB, "10:00:05", "10:59:05"),
    back(A1, 41001, "198.51.100.80", 443, 19, 900000, GB, "10:00:05", "10:59:05"),
    status(A2, "NODATA", "10:00:00", "10:59:59"), status(B1, "NODATA", "10:00:00", "10:59:59"), status(B2, "SKIPDATA", "10:00:00", "10:59:59"),
])}

# Every row: (check, subject) → state, without logs.
ISSUER = "https://oidc.eks.us-east-1.amazonaws.com/id/{}0123456789ABCDEF"
OIDC = "oidc.eks.us-east-1.amazonaws.com:443"


def per_subnet(subnet, route, nacl_out, nacl_in, flow_log, nat_az):
    return {("route", f"{subnet} → 0.0.0.0/0"): route, ("nacl", f"{subnet} outbound"): nacl_out,
            ("nacl", f"{subnet} replies inbound 1024-65535"): nacl_in, ("flow-logs", subnet): flow_log, ("nat-az", subnet): nat_az}


def of_vpc(vpc, state):
    return {("dns", f"{vpc} DHCP options"): state, ("dns", f"{vpc} enableDnsSupport"): state, ("dns", f"{vpc} enableDnsHostnames"): state}


def of_role(name, state):
    return {("iam", f"{name} ec2:DescribeVpcs"): state, ("iam", f"{name} ec2:DescribeDhcpOptions"): state}


STATES = {
    "alpha": {
        ("mode", "egress mode"): "ok",
        ("webhook", "validatingwebhookconfiguration/kyverno check.kyverno.example.com"): "ok",
        ("conversion-webhook", "customresourcedefinition/certificates.cert-manager.io"): "ok",
        ("aggregated-api", "apiservice/v1beta1.metrics.k8s.io"): "ok",
        ("oidc-issuer", ISSUER.format("ALPHA")): "ok",
        ("oidc-issuer", "https://login.corp.example.com/realms/k8s"): "ok",
        ("security-group", "kubelets"): "ok",
        ("security-group", "login.corp.example.com:443"): "ok",
        ("security-group", OIDC): "ok",
        ("security-group", "service cert-manager/webhook:443"): "ok",
        ("security-group", "service kube-system/metrics-server:443"): "ok",
        ("security-group", "service kyverno/kyverno-svc:443"): "ok",
        **per_subnet(A1.subnet, "ok", "ok", "ok", "ok", "ok"), **per_subnet(A2.subnet, "ok", "ok", "ok", "ok", "ok"),
        **of_vpc(VPC_A, "ok"), **of_role("alpha-role", "ok"),
        ("cost", "login.corp.example.com:443"): "unknown",
        ("cost", OIDC): "unknown",
    },
    "beta": {
        # UPDATING: it cannot be switched now
        ("mode", "egress mode"): "missing",
        ("webhook", "validatingwebhookconfiguration/kyverno check.kyverno.example.com"): "ok",
        # a Service without endpoints; a name without a DNS answer; no Service; a Service without that port
        ("webhook", "mutatingwebhookconfiguration/idle check.idle.example.com"): "missing",
        ("webhook", "mutatingwebhookconfiguration/policy check.policy.example.com"): "unknown",
        ("conversion-webhook", "customresourcedefinition/widgets.example.com"): "missing",
        ("aggregated-api", "apiservice/v1.other.example.com"): "missing",
        ("oidc-issuer", ISSUER.format("BETA")): "ok",
        # only 443 is let out
        ("security-group", "kubelets"): "missing",
        ("security-group", OIDC): "ok",
        ("security-group", "policy.example.net:8443"): "missing",
        ("security-group", "service kyverno/kyverno-svc:443"): "missing",
        # B1: a public subnet; its ACL lets 443 out and too few ports back in. The node and the webhook stand in B1 itself.
        **per_subnet(B1.subnet, "missing", "missing", "missing", "missing", "missing"),
        # B2: the gateway of the other AZ; its ACL lets replies in by two rules
        **per_subnet(B2.subnet, "ok", "ok", "ok", "missing", "missing"),
        **of_vpc(VPC_B, "missing"), **of_role("beta-role", "missing"),
        # 0.045 × 730; the issuer and the policy server have no bytes
        ("cost", "NAT gateway in use1-az6"): "ok",
        ("cost", OIDC): "unknown",
        ("cost", "policy.example.net:8443"): "unknown",
    },
    "gamma": {
        ("mode", "egress mode"): "unknown",
        ("webhook", "Kubernetes objects"): "unknown",
        ("conversion-webhook", "Kubernetes objects"): "unknown",
        ("aggregated-api", "Kubernetes objects"): "unknown",
        ("oidc-issuer", ISSUER.format("GAMMA")): "ok",
        ("oidc-issuer", "https://sso.example.net"): "unknown",
        ("security-group", "kubelets"): "unknown",
        ("security-group", OIDC): "unknown",
        ("security-group", "sso.example.net:443"): "unknown",
        # its resolver is dialled as well
        ("security-group", "resolvers, TCP"): "unknown",
        ("security-group", "resolvers, UDP"): "unknown",
        **per_subnet(C1.subnet, "unknown", "unknown", "unknown", "unknown", "unknown"),
        **of_vpc(VPC_C, "unknown"), **of_role("gamma-role", "unknown"),
        ("cost", OIDC): "unknown",
        ("cost", "sso.example.net:443"): "unknown",
    },
}

EXPECTED = {
    "verdicts": {"alpha": "ready", "beta": "not ready", "gamma": "cannot be said"},
    "dialled": {
        "validatingwebhookconfiguration/kyverno check.kyverno.example.com": "10.1.3.118:9443",
        "apiservice/v1beta1.metrics.k8s.io": "10.1.3.120:10250",
        "customresourcedefinition/certificates.cert-manager.io": "10.1.3.121:10250",
        "https://login.corp.example.com/realms/k8s": "login.corp.example.com:443",
    },
    # 730 × (2 GB × 0.045 + 1 GB × 0.09); 730 × 0.045
    "monthly_list_cost": {"alpha 198.51.100.80:443": "131.4", "beta NAT gateway in use1-az6": "32.85"},
    # With the logs of 10:00 to 11:00: one hour each; beta's second interface lost records, gamma's was not logged.
    # C1 is silent, and the one snapshot lies ten hours before: nobody knows whether it still lived.
    "observed": {A1.id: "ok", A2.id: "ok", B1.id: "ok", B2.id: "unknown", C1.id: "unknown"},
    "states": {name: [{"check": check, "subject": subject, "state": state} for (check, subject), state in rows.items()] for name, rows in STATES.items()},
}

# --- the drill ------------------------------------------------------------------------------------------------------------

A, B = cases.A, cases.B
HOOK, ROUTED, PROCESS, LEFT, NEW = "10.0.3.118", "10.0.9.40", "10.0.3.119", "10.0.9.41", "10.0.9.42"


def calls(peer, port, count, clock, kind):
    """Connections from the control plane, a minute apart, as they look when they end that way."""
    rows = []
    for number in range(count):
        local, start, end = 42000 + number, f"{clock}:{number:02d}:05", f"{clock}:{number:02d}:35"
        blocked = {"action": "REJECT", "traffic_path": "-"} if kind == "rejected" else {}
        rows.append(out(A, local, peer, port, 2 if kind != "answered" else 3, 3, 180, start, end, **blocked))
        if kind == "answered":
            rows.append(back(A, local, peer, port, 19, 3, 300, start, end))
        if kind == "refused":
            rows.append(back(A, local, peer, port, 4, 3, 120, start, end))
    return rows


def hour(clock, **counts):
    return [status(B, "NODATA", f"{clock}:00:00", f"{clock}:59:59")]


DRILL_LOGS = {"flows.log": text(SHORT, [
    *hour("10"),
    *calls(HOOK, 9443, 12, "10", "answered"), *calls(ROUTED, 8443, 4, "10", "answered"), *calls(PROCESS, 8443, 3, "10", "answered"),
    *calls("10.0.3.4", 10250, 2, "10", "answered"), *calls(LEFT, 443, 1, "10", "answered"),
    *hour("11"),
    *calls(HOOK, 9443, 5, "11", "rejected"), *calls(ROUTED, 8443, 6, "11", "unanswered"), *calls(PROCESS, 8443, 3, "11", "refused"),
    *calls("10.0.3.4", 10250, 2, "11", "answered"), *calls(NEW, 443, 1, "11", "answered"),
])}
DRILL_INVENTORY = cases.inventory(objects=cases.kyverno())
DRILL = {
    # 10:00 to 11:00 before, 11:00 to 12:00 after, in the order of the report
    "changes": [
        {"dst_addr": HOOK, "before_answered": 12, "answered": 0, "rejected": 5, "change": "answered → rejected"},
        {"dst_addr": PROCESS, "before_answered": 3, "refused": 3, "change": "answered → refused"},
        {"dst_addr": ROUTED, "before_answered": 4, "unanswered": 6, "change": "answered → unanswered"},
        {"dst_addr": LEFT, "before_answered": 1, "connections": 0, "first_seen": None, "change": "gone"},
        {"dst_addr": NEW, "before_connections": 0, "answered": 1, "change": "new"},
        {"dst_addr": "10.0.3.4", "before_answered": 2, "answered": 2, "change": "unchanged"},
    ],
}
