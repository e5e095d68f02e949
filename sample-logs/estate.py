"""The estate: two accounts, three clusters, two hours. The README's first command runs on it.

Every figure follows from the tables below: a conversation says how much goes each way per interval or per call, and the
expected answer multiplies by hand. Records are what VPC-level flow logs write: each packet once per interface it crosses.
"""

from shapes import *

DAY_OF_ESTATE = "2026-10-05"
OTHER = "222233334444"
VPC_P, VPC_Q = "vpc-0a2000000000000a2", "vpc-0a4000000000000a4"
NAT_P, NAT_Q = "nat-0a2000000000000a2", "nat-0a4000000000000a4"
FLOW_P, FLOW_Q = "fl-0a2000000000000a2", "fl-0a4000000000000a4"
INTERVALS = [f"{hour:02}:{ten}0" for hour in (8, 9) for ten in range(6)]  # a ten-minute log: twelve intervals

ZONES = {"a": ("eu-central-1a", "euc1-az2"), "b": ("eu-central-1b", "euc1-az3"), "c": ("eu-central-1c", "euc1-az1")}
SUBNETS_P = {"cp-a": ("10.20.1.0/24", "a"), "cp-b": ("10.20.2.0/24", "b"), "node-a": ("10.20.11.0/24", "a"), "node-b": ("10.20.12.0/24", "b"),
             "node-c": ("10.20.13.0/24", "c"), "public": ("10.20.0.0/24", "a"), "data": ("10.20.21.0/24", "b")}
SUBNETS_Q = {"cp-a": ("10.40.1.0/24", "a"), "cp-b": ("10.40.2.0/24", "b"), "node-a": ("10.40.11.0/24", "a"), "node-b": ("10.40.12.0/24", "b"),
             "public": ("10.40.0.0/24", "a")}


def subnet_id(net, place):
    return "subnet-0" + net + format(sum(place.encode()), "04x") + "0000000000"


def eni(net, number, address, place, instance="-", more=()):
    zone, az_id = ZONES[(SUBNETS_P if net == "a2" else SUBNETS_Q)[place][1]]
    vpc, account = (VPC_P, ACCOUNT) if net == "a2" else (VPC_Q, OTHER)
    return Eni(f"eni-0{net}0000000000{number:04x}", address, subnet_id(net, place), zone, az_id, instance, vpc, account, more=more)


def instance(number):
    return f"i-0{number:016x}"


# account 111122223333, one VPC, clusters payments and payments-2 (a name that begins with the other's)
XA, XB = eni("a2", 1, "10.20.1.37", "cp-a"), eni("a2", 2, "10.20.2.54", "cp-b")
YA, YB = eni("a2", 3, "10.20.1.71", "cp-a"), eni("a2", 4, "10.20.2.88", "cp-b")
N1, N2, N3 = (eni("a2", 16 + n, a, p, instance(n)) for n, a, p in
              [(1, "10.20.11.10", "node-a"), (2, "10.20.12.10", "node-b"), (3, "10.20.13.10", "node-c")])
N1_PODS = eni("a2", 33, "10.20.11.20", "node-a", instance(1), ("10.20.11.31", "10.20.11.32", "10.20.11.33"))
N2_PODS = eni("a2", 34, "10.20.12.20", "node-b", instance(2), ("10.20.12.31", "10.20.12.32"))
M1, M2 = eni("a2", 21, "10.20.11.50", "node-a", instance(5)), eni("a2", 22, "10.20.12.50", "node-b", instance(6))
M1_PODS = eni("a2", 37, "10.20.11.60", "node-a", instance(5), ("10.20.11.71",))
GATEWAY_P = eni("a2", 64, "10.20.0.12", "public")
DATABASE, STANDBY = eni("a2", 80, "10.20.21.15", "data"), eni("a2", 81, "10.20.21.16", "data")
# account 222233334444, cluster analytics
ZA, ZB = eni("a4", 1, "10.40.1.21", "cp-a"), eni("a4", 2, "10.40.2.22", "cp-b")
K1, K2 = eni("a4", 17, "10.40.11.10", "node-a", instance(9)), eni("a4", 18, "10.40.12.10", "node-b", instance(10))
K1_PODS = eni("a4", 33, "10.40.11.20", "node-a", instance(9), ("10.40.11.31",))
GATEWAY_Q = eni("a4", 64, "10.40.0.12", "public")

ISSUER, POLICY = "198.51.100.80", "10.60.4.9"  # login.corp.example.com, policy.corp.example.com (on premises, by VPN)
REGISTRY, BUCKET = "198.51.100.200", "3.5.136.10"


def at(clock):
    return f"{DAY_OF_ESTATE}T{clock}"


def both_ends(client, port, server, address, server_port, flags, sent, reply, start, end):
    """Four records: each direction at the interface that sends and at the one that receives; pods show in pkt-* alone."""
    when = at(start), at(end)
    yield out(client, port, address, server_port, flags[0], *sent, *when)
    yield back(server, server_port, client.address, port, flags[0], *sent, *when, pkt_dstaddr=address)
    yield out(server, server_port, client.address, port, flags[1], *reply, *when, pkt_srcaddr=address)
    yield back(client, port, address, server_port, flags[1], *reply, *when)


def held(client, port, server, address, server_port, sent, reply, second, opened=None):
    """A connection that lives through every interval; `opened` is when its handshake was, if not before the period."""
    for number, interval in enumerate(INTERVALS):
        fresh = opened and number == 0
        start, end = opened if fresh else (f"{interval}:0{second}", f"{interval[:4]}9:5{second}")
        yield from both_ends(client, port, server, address, server_port, (2, 18) if fresh else (0, 0), sent, reply, start, end)


def call(client, port, server, address, server_port, sent, reply, start, end):
    """A whole connection inside one interval: SYN and FIN on both sides."""
    return both_ends(client, port, server, address, server_port, (3, 19), sent, reply, start, end)


def through_nat(client, port, gateway, remote, sent, reply, start, end):
    """Six records: two at the client, and the four classes at the gateway."""
    when = at(start), at(end)
    yield out(client, port, remote, 443, 3, *sent, *when)
    yield back(gateway, 443, client.address, port, 3, *sent, *when, pkt_dstaddr=remote)
    yield out(gateway, port + 7, remote, 443, 3, *sent, *when, traffic_path=8)
    yield back(gateway, port + 7, remote, 443, 19, *reply, *when)
    yield out(gateway, 443, client.address, port, 19, *reply, *when, pkt_srcaddr=remote)
    yield back(client, port, remote, 443, 19, *reply, *when)


def records_of_payments():
    # kubelets; metrics-server, a pod on the kubelet's port; one kept-alive webhook connection
    yield from held(XA, 40101, N1, N1.address, 10250, (40, 5200), (60, 48000), 2)
    yield from held(XA, 40102, N2, N2.address, 10250, (42, 5460), (66, 52800), 3)
    yield from held(XB, 40103, N3, N3.address, 10250, (38, 4940), (54, 43200), 4)
    yield from held(XB, 40104, N1_PODS, "10.20.11.32", 10250, (30, 3900), (40, 22000), 5)
    yield from held(XA, 40105, N1_PODS, "10.20.11.31", 9443, (50, 41000), (45, 18000), 6, opened=("08:03:20", "08:09:56"))
    # another webhook on the kubelet's port, called once an hour
    for hour in ("08", "09"):
        yield from call(XB, 40200 + int(hour), N2_PODS, "10.20.12.31", 10250, (14, 6100), (12, 4300), f"{hour}:20:10", f"{hour}:20:14")
    # the identity provider, from each control-plane ENI once an hour
    for hour in ("08", "09"):
        yield from through_nat(XA, 40300 + int(hour), GATEWAY_P, ISSUER, (11, 1650), (13, 9700), f"{hour}:10:30", f"{hour}:10:31")
        yield from through_nat(XB, 40320 + int(hour), GATEWAY_P, ISSUER, (11, 1650), (13, 9700), f"{hour}:40:30", f"{hour}:40:31")
    # the policy server on premises: two calls, then a drill (three attempts without an answer)
    for number, start, end in [(0, "08:45:00", "08:45:03"), (1, "08:46:00", "08:46:03")]:
        yield out(XB, 40400 + number, POLICY, 8443, 3, 20, 7400, at(start), at(end), traffic_path=3)
        yield back(XB, 40400 + number, POLICY, 8443, 19, 18, 5200, at(start), at(end))
    for number, start, end in [(2, "09:05:00", "09:05:07"), (3, "09:06:00", "09:06:07"), (4, "09:07:00", "09:07:07")]:
        yield out(XB, 40400 + number, POLICY, 8443, 2, 4, 240, at(start), at(end), traffic_path=3)
    # a security group without a rule for this port
    for number, start, end in [(0, "09:30:00", "09:30:03"), (1, "09:31:00", "09:31:03"), (2, "09:32:00", "09:32:03")]:
        yield out(XA, 40500 + number, "10.20.12.40", 8443, 2, 3, 180, at(start), at(end), action="REJECT")
    # clients of the API server: not egress
    yield from held(N1, 33001, XA, XA.address, 443, (80, 9600), (90, 150000), 1)
    yield from held(N2, 33002, XB, XB.address, 443, (80, 9600), (90, 150000), 2)
    yield from held(N3, 33003, XA, XA.address, 443, (80, 9600), (90, 150000), 3)


def records_of_payments_2():
    yield from held(YA, 41101, M1, M1.address, 10250, (36, 4680), (52, 41600), 2)
    yield from held(YB, 41102, M2, M2.address, 10250, (34, 4420), (50, 40000), 3)
    for number, start in enumerate(["08:15", "08:45", "09:15", "09:45"]):
        yield from call(YA, 41200 + number, M1_PODS, "10.20.11.71", 8443, (16, 9800), (14, 3900), f"{start}:20", f"{start}:25")
    yield from held(M1, 34001, YA, YA.address, 443, (70, 8400), (75, 120000), 4)
    yield from held(M2, 34002, YB, YB.address, 443, (70, 8400), (75, 120000), 5)
    yield status(YB, "SKIPDATA", at("08:50:00"), at("08:59:59"))


def records_of_applications():
    # two pods of one service use the database: one in its zone, one across zones
    yield from pod_to_database(N2_PODS, "10.20.12.32", 35001, (900, 120000), (1100, 2400000), 1)
    yield from pod_to_database(N1_PODS, "10.20.11.33", 35002, (600, 80000), (700, 1500000), 2)
    for number, start in enumerate(["08:05", "08:35", "09:05", "09:35"]):
        yield from through_nat(N3, 36000 + number, GATEWAY_P, REGISTRY, (400, 24000), (9000, 12600000), f"{start}:00", f"{start}:40")
        yield out(N2, 37000 + number, BUCKET, 443, 3, 5000, 7200000, at(f"{start}:10"), at(f"{start}:50"), traffic_path=7, pkt_dst_aws_service="S3")
        yield back(N2, 37000 + number, BUCKET, 443, 19, 2500, 140000, at(f"{start}:10"), at(f"{start}:50"), pkt_src_aws_service="S3")
    for interval in INTERVALS:
        yield status(STANDBY, "NODATA", at(f"{interval}:00"), at(f"{interval[:4]}9:59"))


def pod_to_database(node_eni, pod_address, port, sent, reply, second):
    for one in held(node_eni, port, DATABASE, DATABASE.address, 5432, sent, reply, second):
        # On the node the pod shows in pkt-* only; in the database's record the pod is the peer itself.
        yield rename(one, node_eni, pod_address)


def rename(one, node_eni, pod_address):
    own = one["interface-id"] == node_eni.id
    fields = ["pkt-srcaddr", "pkt-dstaddr"] if own else ["srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"]
    return one | {name: pod_address for name in fields if one[name] == node_eni.address}


def records_of_analytics():
    yield from held(ZA, 42101, K1, K1.address, 10250, (32, 4160), (48, 38400), 2)
    yield from held(ZB, 42102, K2, K2.address, 10250, (30, 3900), (46, 36800), 3)
    for number, start in enumerate(["08:02", "08:22", "08:42", "09:02", "09:22", "09:42"]):
        yield from call(ZB, 42200 + number, K1_PODS, "10.40.11.31", 9443, (18, 11200), (15, 4100), f"{start}:30", f"{start}:33")
    for hour in ("08", "09"):
        yield from through_nat(ZA, 42300 + int(hour), GATEWAY_Q, ISSUER, (11, 1650), (13, 9700), f"{hour}:25:30", f"{hour}:25:31")
    yield from held(K1, 35101, ZA, ZA.address, 443, (60, 7200), (66, 99000), 4)
    yield from held(K2, 35102, ZB, ZB.address, 443, (60, 7200), (66, 99000), 5)


def logs():
    """Objects as AWS delivers them: one per account and five minutes of `end`."""
    objects = {}
    for flow_log, account, fields, records in [
        (FLOW_P, ACCOUNT, ADVISED, [*records_of_payments(), *records_of_payments_2(), *records_of_applications()]),
        (FLOW_Q, OTHER, V5, [*records_of_analytics()]),
    ]:
        buckets = {}
        for one in records:
            buckets.setdefault(one["end"] // 300 * 300, []).append(one)
        for bucket, rows in sorted(buckets.items()):
            rows.sort(key=lambda one: (one["interface-id"], one["end"]))
            objects[object_key(flow_log, account, time.strftime("%H%M", time.gmtime(bucket)))] = packed(text(fields, rows))
    return objects


def object_key(flow_log, account, clock):
    return s3_key(flow_log, clock, DAY_OF_ESTATE, account, 0x5EED0000 + int(clock, 16))


def snapshot():
    """The inventory of either end of the day: nothing changed between them."""
    eks = {"attached": "2026-09-20T06:00:00+00:00"}
    p, q = f"{ACCOUNT}/", f"{OTHER}/"
    return {
        p + "list-clusters.json": {"clusters": ["payments", "payments-2"]},
        p + "describe-cluster-payments.json": cluster("payments", "CUSTOMER_ROUTED", [subnet_id("a2", "cp-a"), subnet_id("a2", "cp-b")], VPC_P),
        p + "describe-cluster-payments-2.json": cluster("payments-2", "AWS_MANAGED", [subnet_id("a2", "cp-a"), subnet_id("a2", "cp-b")], VPC_P),
        p + "describe-identity-provider-config.json": identity_provider("payments", "https://login.corp.example.com/realms/k8s"),
        p + "describe-vpcs.json": vpcs((VPC_P, "10.20.0.0/16")),
        p + "describe-subnets.json": subnets(*((subnet_id("a2", place), cidr, *ZONES[zone]) for place, (cidr, zone) in SUBNETS_P.items()), vpc=VPC_P),
        p + "describe-nat-gateways.json": nat_gateways((NAT_P, GATEWAY_P, "203.0.113.10"), vpc=VPC_P),
        p + "describe-flow-logs.json": flow_logs((FLOW_P, VPC_P, ADVISED, "2026-01-15T09:00:00+00:00")),
        p + "describe-network-interfaces.json": enis(
            control_plane(XA, "payments", **eks), control_plane(XB, "payments", **eks),
            control_plane(YA, "payments-2", **eks), control_plane(YB, "payments-2", **eks),
            *(node(one) for one in (N1, N2, N3, M1, M2)), *(pods_of(one) for one in (N1_PODS, N2_PODS, M1_PODS)),
            nat(GATEWAY_P, NAT_P), *(interface(one, "RDSNetworkInterface", requester="amazon-rds", requester_managed=True, owner="amazon-rds")
                                     for one in (DATABASE, STANDBY))),
        p + "resolver-query-log.ndjson": as_ndjson([
            dns_answer("login.corp.example.com", ISSUER, at("08:10:00"), VPC_P, asked_by=N1.address),
            dns_answer("policy.corp.example.com", POLICY, at("08:44:50"), VPC_P, asked_by=N1.address)]),
        p + "k8s-payments/objects.json": listed(
            webhook("Validating", "kyverno-resource-validating-webhook-cfg", "kyverno/kyverno-svc"),
            webhook("Validating", "policy", url="https://policy.corp.example.com:8443/v1/check"),
            webhook("Validating", "cert-manager-webhook", "cert-manager/cert-manager-webhook"),
            webhook("Mutating", "cert-manager-webhook", "cert-manager/cert-manager-webhook"),
            api_service("v1beta1.metrics.k8s.io", "kube-system/metrics-server"),
            service("kyverno/kyverno-svc", "https"), endpoints("kyverno/kyverno-svc", 9443, ("10.20.11.31", "kyverno-7c9d")),
            service("cert-manager/cert-manager-webhook", "https"),
            endpoints("cert-manager/cert-manager-webhook", 10250, ("10.20.12.31", "cert-manager-webhook-5f6b")),
            service("kube-system/metrics-server", "https"), endpoints("kube-system/metrics-server", 10250, ("10.20.11.32", "metrics-server-6d4c")),
            *(kube_node(dns_name(one.address), one.address, one.instance) for one in (N1, N2, N3))),
        p + "k8s-payments-2/objects.json": listed(
            webhook("Validating", "gatekeeper", "gatekeeper-system/gatekeeper-webhook-service"),
            service("gatekeeper-system/gatekeeper-webhook-service", "https"),
            endpoints("gatekeeper-system/gatekeeper-webhook-service", 8443, ("10.20.11.71", "gatekeeper-8b7d")),
            *(kube_node(dns_name(one.address), one.address, one.instance) for one in (M1, M2))),
        q + "list-clusters.json": {"clusters": ["analytics"]},
        q + "describe-cluster-analytics.json": cluster("analytics", "CUSTOMER_ROUTED", [subnet_id("a4", "cp-a"), subnet_id("a4", "cp-b")], VPC_Q, OTHER),
        q + "describe-identity-provider-config.json": identity_provider("analytics", "https://login.corp.example.com/realms/k8s", OTHER),
        q + "describe-vpcs.json": vpcs((VPC_Q, "10.40.0.0/16"), account=OTHER),
        q + "describe-subnets.json": subnets(*((subnet_id("a4", place), cidr, *ZONES[zone]) for place, (cidr, zone) in SUBNETS_Q.items()),
                                             account=OTHER, vpc=VPC_Q),
        q + "describe-nat-gateways.json": nat_gateways((NAT_Q, GATEWAY_Q, "203.0.113.20"), vpc=VPC_Q),
        q + "describe-flow-logs.json": flow_logs((FLOW_Q, VPC_Q, V5, "2026-02-20T09:00:00+00:00")),
        q + "describe-network-interfaces.json": enis(
            control_plane(ZA, "analytics", **eks), control_plane(ZB, "analytics", **eks), node(K1), node(K2), pods_of(K1_PODS), nat(GATEWAY_Q, NAT_Q)),
        q + "resolver-query-log.ndjson": as_ndjson([dns_answer("login.corp.example.com", ISSUER, at("08:10:00"), VPC_Q, OTHER, K1.address)]),
        q + "k8s-analytics/objects.json": listed(
            webhook("Mutating", "spark-operator-webhook", "spark/spark-operator-webhook"),
            service("spark/spark-operator-webhook", "https"), endpoints("spark/spark-operator-webhook", 9443, ("10.40.11.31", "spark-operator-9d8f")),
            *(kube_node(dns_name(one.address), one.address, one.instance) for one in (K1, K2))),
    }


def inventory():
    return {f"{when}/{path}": content for when in ("2026-10-05T060000Z", "2026-10-05T120000Z") for path, content in snapshot().items()}


def payments(dst, port, kind, name, sent=(0, 0, 0), replies=(0, 0), **other):
    return row("payments", dst, port, kind, name, sent=sent, replies=replies, vpc=VPC_P, day=DAY_OF_ESTATE, **other)


def payments_2(dst, port, kind, name, sent, replies, **other):
    return row("payments-2", dst, port, kind, name, sent=sent, replies=replies, vpc=VPC_P, day=DAY_OF_ESTATE, **other)


def analytics(dst, port, kind, name, sent, replies, **other):
    return row("analytics", dst, port, kind, name, sent=sent, replies=replies, account=OTHER, vpc=VPC_Q, day=DAY_OF_ESTATE, **other)


def p(clock, line):
    """Where a record of the first account lies: the time in its object's name, and the line."""
    return f"logs/{object_key(FLOW_P, ACCOUNT, clock)}:{line}"


def q(clock, line):
    """The same for the second account."""
    return f"logs/{object_key(FLOW_Q, OTHER, clock)}:{line}"


# Twelve intervals of a held connection: 12 records, 12 x packets, 12 x bytes each way. Line numbers were read off the files.
HELD = {"rule": "5", "confidence": "high", "answered": 1}
CERT = "mutatingwebhookconfiguration/cert-manager-webhook,validatingwebhookconfiguration/cert-manager-webhook"
EXPECTED = answer(
    ok=990, nodata=12, skipdata=1, rows=[
        payments("10.20.11.10", 10250, "kubelet", "kubelet/" + dns_name("10.20.11.10"), (12, 480, 62400), (720, 576000),
                 seen=("08:00:02", "09:59:52"), lines=(p("0805", 4), p("0955", 4)), **HELD),
        payments("10.20.12.10", 10250, "kubelet", "kubelet/" + dns_name("10.20.12.10"), (12, 504, 65520), (792, 633600),
                 seen=("08:00:03", "09:59:53"), lines=(p("0805", 6), p("0955", 6)), **HELD),
        payments("10.20.13.10", 10250, "kubelet", "kubelet/" + dns_name("10.20.13.10"), (12, 456, 59280), (648, 518400),
                 seen=("08:00:04", "09:59:54"), lines=(p("0805", 14), p("0955", 14)), **HELD),
        payments("10.20.11.32", 10250, "aggregated-api", "apiservice/v1beta1.metrics.k8s.io", (12, 360, 46800), (480, 264000),
                 seen=("08:00:05", "09:59:55"), lines=(p("0805", 16), p("0955", 16)), **HELD),
        payments("10.20.11.31", 9443, "webhook", "validatingwebhookconfiguration/kyverno-resource-validating-webhook-cfg", (12, 600, 492000),
                 (540, 216000), seen=("08:03:20", "09:59:56"), lines=(p("0805", 10), p("0955", 10)), answered=1),
        payments("10.20.12.31", 10250, "webhook", CERT, (2, 28, 12200), (24, 8600),
                 seen=("08:20:10", "09:20:14"), lines=(p("0820", 2), p("0920", 2)), answered=2),
        payments(ISSUER, 443, "oidc-issuer", "login.corp.example.com", (4, 44, 6600), (52, 38800), path="via " + NAT_P,
                 seen=("08:10:30", "09:40:31"), lines=(p("0810", 2), p("0940", 2)), answered=4),
        payments(POLICY, 8443, "webhook", "policy.corp.example.com", (5, 52, 15520), (36, 10400), path="vgw", rule="1,2",
                 seen=("08:45:00", "09:07:07"), lines=(p("0845", 12), p("0905", 14)), answered=2, unanswered=3),
        payments("10.20.12.40", 8443, "private", None, blocked=(3, 9, 540), rule="2",
                 seen=("09:30:00", "09:32:03"), lines=(p("0930", 2), p("0930", 4)), rejected=3),
        payments_2("10.20.11.50", 10250, "kubelet", "kubelet/" + dns_name("10.20.11.50"), (12, 432, 56160), (624, 499200),
                   seen=("08:00:02", "09:59:52"), lines=(p("0805", 18), p("0955", 18)), **HELD),
        payments_2("10.20.12.50", 10250, "kubelet", "kubelet/" + dns_name("10.20.12.50"), (12, 408, 53040), (600, 480000),
                   seen=("08:00:03", "09:59:53"), lines=(p("0805", 22), p("0955", 22)), **HELD),
        payments_2("10.20.11.71", 8443, "webhook", "validatingwebhookconfiguration/gatekeeper", (4, 64, 39200), (56, 15600),
                   seen=("08:15:20", "09:45:25"), lines=(p("0815", 18), p("0945", 18)), answered=4),
        analytics("10.40.11.10", 10250, "kubelet", "kubelet/" + dns_name("10.40.11.10"), (12, 384, 49920), (576, 460800),
                  seen=("08:00:02", "09:59:52"), lines=(q("0805", 2), q("0955", 2)), **HELD),
        analytics("10.40.12.10", 10250, "kubelet", "kubelet/" + dns_name("10.40.12.10"), (12, 360, 46800), (552, 441600),
                  seen=("08:00:03", "09:59:53"), lines=(q("0805", 6), q("0955", 6)), **HELD),
        analytics("10.40.11.31", 9443, "webhook", "mutatingwebhookconfiguration/spark-operator-webhook", (6, 108, 67200), (90, 24600),
                  seen=("08:02:30", "09:42:33"), lines=(q("0800", 2), q("0940", 2)), answered=6),
        analytics(ISSUER, 443, "oidc-issuer", "login.corp.example.com", (2, 22, 3300), (26, 19400), path="via " + NAT_Q,
                  seen=("08:25:30", "09:25:31"), lines=(q("0825", 2), q("0925", 2)), answered=2),
    ])

README_ROW = """
Records: payments 5 held connections (48 records each: 12 intervals x 4) = 240, cert-manager 2 x 4 = 8, issuer 4 x 6 = 24,
policy server 2 x 2 + 3 = 7, security group 3, API clients 3 x 48 = 144: 426. payments-2: 2 x 48 + 4 x 4 + 2 x 48 = 208.
Applications: database 2 x 48 = 96, registry 4 x 6 = 24, bucket 4 x 2 = 8: 128. analytics: 2 x 48 + 6 x 4 + 2 x 6 + 2 x 48 = 228.
Together 426 + 208 + 128 + 228 = **990 OK**, 12 NODATA (an idle database interface), 1 SKIPDATA (payments-2, 08:50).

| row | packets sent | bytes sent | packets back | bytes back |
|---|---|---|---|---|
| payments: kubelet 10.20.11.10 | 12 x 40 = 480 | 12 x 5,200 = 62,400 | 12 x 60 = 720 | 12 x 48,000 = 576,000 |
| kubelet 10.20.12.10 | 12 x 42 = 504 | 12 x 5,460 = 65,520 | 12 x 66 = 792 | 12 x 52,800 = 633,600 |
| kubelet 10.20.13.10 | 12 x 38 = 456 | 12 x 4,940 = 59,280 | 12 x 54 = 648 | 12 x 43,200 = 518,400 |
| metrics-server 10.20.11.32:10250 | 12 x 30 = 360 | 12 x 3,900 = 46,800 | 12 x 40 = 480 | 12 x 22,000 = 264,000 |
| kyverno 10.20.11.31:9443 | 12 x 50 = 600 | 12 x 41,000 = 492,000 | 12 x 45 = 540 | 12 x 18,000 = 216,000 |
| cert-manager 10.20.12.31:10250 | 2 x 14 = 28 | 2 x 6,100 = 12,200 | 2 x 12 = 24 | 2 x 4,300 = 8,600 |
| issuer 198.51.100.80:443, through the NAT gateway | 4 x 11 = 44 | 4 x 1,650 = 6,600 | 4 x 13 = 52 | 4 x 9,700 = 38,800 |
| policy server 10.60.4.9:8443 by VPN (2 answered, 3 not) | 2 x 20 + 3 x 4 = 52 | 2 x 7,400 + 3 x 240 = 15,520 | 2 x 18 = 36 | 2 x 5,200 = 10,400 |
| 10.20.12.40:8443, rejected | 3 x 3 = 9 | 3 x 180 = 540 | 0 | 0 |
| payments-2: kubelet 10.20.11.50 | 12 x 36 = 432 | 12 x 4,680 = 56,160 | 12 x 52 = 624 | 12 x 41,600 = 499,200 |
| kubelet 10.20.12.50 | 12 x 34 = 408 | 12 x 4,420 = 53,040 | 12 x 50 = 600 | 12 x 40,000 = 480,000 |
| gatekeeper 10.20.11.71:8443 | 4 x 16 = 64 | 4 x 9,800 = 39,200 | 4 x 14 = 56 | 4 x 3,900 = 15,600 |
| analytics: kubelet 10.40.11.10 | 12 x 32 = 384 | 12 x 4,160 = 49,920 | 12 x 48 = 576 | 12 x 38,400 = 460,800 |
| kubelet 10.40.12.10 | 12 x 30 = 360 | 12 x 3,900 = 46,800 | 12 x 46 = 552 | 12 x 36,800 = 441,600 |
| spark-operator 10.40.11.31:9443 | 6 x 18 = 108 | 6 x 11,200 = 67,200 | 6 x 15 = 90 | 6 x 4,100 = 24,600 |
| issuer 198.51.100.80:443, through the NAT gateway | 2 x 11 = 22 | 2 x 1,650 = 3,300 | 2 x 13 = 26 | 2 x 9,700 = 19,400 |
"""
