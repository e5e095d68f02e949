"""The cases: each one small enough to be checked with a calculator, and each with one thing to show.

A case is its tables: log rows (see `out` and `back` in shapes.py), inventory, and the answer derived from them by hand.
"""

from dataclasses import dataclass

from shapes import *

CASES = []


@dataclass
class Case:
    name: str
    shows: str  # what it is about
    figures: str  # the arithmetic of the answer
    logs: dict
    inventory: dict
    expected: dict
    made: str = "text"  # how the files were made

    def __post_init__(self):
        CASES.append(self)


# --- the small estate that the cases share --------------------------------------------------------------------------------

A = Eni("eni-0a100000000000001", "10.0.1.37")  # control-plane ENIs of `prod`
B = Eni("eni-0b100000000000001", "10.0.2.54", "subnet-0bbb0000000000002", "eu-central-1b", "euc1-az3")
NODE = Eni("eni-0e100000000000001", "10.0.3.4", "subnet-0ccc0000000000003", instance="i-0e100000000000001")
PODS = Eni("eni-0e100000000000002", "10.0.3.100", "subnet-0ccc0000000000003", instance="i-0e100000000000001",
           more=tuple(f"10.0.3.{n}" for n in (110, 111, 112, 113, 118, 119, 120)))
NAT = Eni("eni-0da70000000000001", "10.0.0.12", "subnet-0ddd0000000000004")
GATEWAY = "nat-0123456789abcdef0"

SUBNETS = subnets(
    ("subnet-0aaa0000000000001", "10.0.1.0/24", "eu-central-1a", "euc1-az2"), ("subnet-0bbb0000000000002", "10.0.2.0/24", "eu-central-1b", "euc1-az3"),
    ("subnet-0ccc0000000000003", "10.0.3.0/24", "eu-central-1a", "euc1-az2"), ("subnet-0ddd0000000000004", "10.0.0.0/24", "eu-central-1a", "euc1-az2"),
    ("subnet-0eee0000000000005", "10.0.9.0/24", "eu-central-1b", "euc1-az3"))

KYVERNO = "validatingwebhookconfiguration/kyverno"
NODE_NAME = dns_name("10.0.3.4")


def kyverno(*ends, port=9443):
    """A validating webhook, its Service and the pods behind it."""
    return [webhook("Validating", "kyverno", "kyverno/kyverno-svc"), service("kyverno/kyverno-svc", "https"),
            endpoints("kyverno/kyverno-svc", port, *(ends or [("10.0.3.118", "kyverno-7c9d")]))]


def inventory(*more_enis, objects=(), clusters=None, files=None, when=SNAPSHOT, own=(A, B)):
    """VPC, subnets, `prod` with its control-plane ENIs, a node and its pods; `objects` are from kubectl."""
    clusters = clusters or [cluster("prod")]
    found = {
        "list-clusters.json": {"clusters": [one["cluster"]["name"] for one in clusters]},
        **{f"describe-cluster-{one['cluster']['name']}.json": one for one in clusters},
        "describe-vpcs.json": vpcs((VPC, "10.0.0.0/16")),
        "describe-subnets.json": SUBNETS,
        "describe-network-interfaces.json": enis(*(control_plane(one, "prod") for one in own), node(NODE), pods_of(PODS), *more_enis),
        **({"kubernetes.json": listed(*objects)} if objects else {}),
        **(files or {}),
    }
    return {f"{when}/{path}": content for path, content in found.items()}


def prod(dst, port, kind=None, name=None, **other):
    return row("prod", dst, port, kind, name, **other)


def in_log(first, last=None, path="flows.log"):
    """Line numbers of a log (its header is line 1)."""
    return f"logs/{path}:{first}", f"logs/{path}:{last or first}"


# --- whose interface is it --------------------------------------------------------------------------------------------------

A2 = Eni("eni-0a200000000000001", "10.0.1.77")  # control-plane ENI of `prod-2`

Case(
    "prefix-names",
    "Clusters `prod` and `prod-2`: the description `Amazon EKS prod` is a prefix of the other's. Both call the same policy server.",
    "prod 10.0.3.118:9443: line 2 alone, 12 packets, 3,400 bytes, back 10 and 5,200. prod 10.0.9.40:8443: line 6, 9 and 1,100, back 8 "
    "and 900. prod-2 10.0.3.119:8443: lines 4 and 10, 7 + 5 = 12 packets, 2,000 + 1,500 = 3,500 bytes, back 6 + 4 = 10 and 1,000 + 800 "
    "= 1,800. prod-2 10.0.9.40:8443: line 8, 11 and 1,300, back 10 and 1,050. Matching by prefix would give prod both rows of prod-2.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.118", 9443, 3, 12, 3400, "10:00:05", "10:00:35"),
        back(A, 41001, "10.0.3.118", 9443, 19, 10, 5200, "10:00:05", "10:00:35"),
        out(A2, 42001, "10.0.3.119", 8443, 3, 7, 2000, "10:01:00", "10:01:20"),
        back(A2, 42001, "10.0.3.119", 8443, 19, 6, 1000, "10:01:00", "10:01:20"),
        out(A, 41002, "10.0.9.40", 8443, 3, 9, 1100, "10:02:00", "10:02:10"),
        back(A, 41002, "10.0.9.40", 8443, 19, 8, 900, "10:02:00", "10:02:10"),
        out(A2, 42002, "10.0.9.40", 8443, 3, 11, 1300, "10:03:00", "10:03:10"),
        back(A2, 42002, "10.0.9.40", 8443, 19, 10, 1050, "10:03:00", "10:03:10"),
        out(A2, 42003, "10.0.3.119", 8443, 3, 5, 1500, "10:04:00", "10:04:20"),
        back(A2, 42003, "10.0.3.119", 8443, 19, 4, 800, "10:04:00", "10:04:20"),
    ])},
    inventory(
        control_plane(A2, "prod-2"), clusters=[cluster("prod"), cluster("prod-2")],
        files={
            "k8s-prod/objects.json": listed(*kyverno(), webhook("Validating", "images", url="https://10.0.9.40:8443/check")),
            "k8s-prod-2/objects.json": listed(
                webhook("Validating", "gatekeeper", "gatekeeper-system/gatekeeper"), service("gatekeeper-system/gatekeeper", "https"),
                endpoints("gatekeeper-system/gatekeeper", 8443, ("10.0.3.119", "gatekeeper-8b7d")),
                webhook("Validating", "images", url="https://10.0.9.40:8443/check")),
        }),
    answer(ok=10, rows=[
        prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 12, 3400), replies=(10, 5200), answered=1,
             seen=("10:00:05", "10:00:35"), lines=in_log(2)),
        prod("10.0.9.40", 8443, "webhook", "validatingwebhookconfiguration/images", sent=(1, 9, 1100), replies=(8, 900), answered=1,
             seen=("10:02:00", "10:02:10"), lines=in_log(6)),
        row("prod-2", "10.0.3.119", 8443, "webhook", "validatingwebhookconfiguration/gatekeeper", sent=(2, 12, 3500), replies=(10, 1800),
            answered=2, seen=("10:01:00", "10:04:20"), lines=in_log(4, 10)),
        row("prod-2", "10.0.9.40", 8443, "webhook", "validatingwebhookconfiguration/images", sent=(1, 11, 1300), replies=(10, 1050),
            answered=1, seen=("10:03:00", "10:03:10"), lines=in_log(8)),
    ]),
)

NEW = Eni("eni-0a300000000000001", "10.0.1.61")  # the interface that replaced A
HEIR = Eni("eni-0e300000000000001", "10.0.1.60", instance="i-0e300000000000001", more=("10.0.1.37",))  # its pod has A's old address

Case(
    "eni-replaced",
    "A control-plane ENI is replaced mid-period and its address 10.0.1.37 goes to a pod. Two snapshots (09:00, 12:00) know one holder "
    "each.",
    "10.0.3.118:9443: lines 2 and 4 (old interface, by its id) and 6 (new interface): 10 + 12 + 14 = 36 packets, 3,000 + 3,200 + 3,400 "
    "= 9,600 bytes, back 9 + 11 + 13 = 33 and 4,000 + 4,100 + 4,200 = 12,300; 3 connections. 10.0.1.37:9443, now a pod: line 8, 20 and "
    "5,000, back 18 and 2,500. Lines 10 to 14 belong to the pod (it serves the webhook, it calls the API server, it uses a database): "
    "they are no egress of prod although 10.0.1.37 was once prod's.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.118", 9443, 3, 10, 3000, "09:30:00", "09:30:20"),
        back(A, 41001, "10.0.3.118", 9443, 19, 9, 4000, "09:30:00", "09:30:20"),
        out(A, 41002, "10.0.3.118", 9443, 3, 12, 3200, "10:20:00", "10:20:20"),
        back(A, 41002, "10.0.3.118", 9443, 19, 11, 4100, "10:20:00", "10:20:20"),
        out(NEW, 43001, "10.0.3.118", 9443, 3, 14, 3400, "11:00:00", "11:00:20"),
        back(NEW, 43001, "10.0.3.118", 9443, 19, 13, 4200, "11:00:00", "11:00:20"),
        out(B, 42001, "10.0.1.37", 9443, 3, 20, 5000, "12:30:00", "12:30:20"),
        back(B, 42001, "10.0.1.37", 9443, 19, 18, 2500, "12:30:00", "12:30:20"),
        back(HEIR, 9443, "10.0.2.54", 42001, 3, 20, 5000, "12:30:00", "12:30:20", pkt_dstaddr="10.0.1.37"),
        out(HEIR, 9443, "10.0.2.54", 42001, 19, 18, 2500, "12:30:00", "12:30:20", pkt_srcaddr="10.0.1.37"),
        back(B, 443, "10.0.1.37", 51000, 3, 30, 6000, "12:31:00", "12:31:20"),
        out(B, 443, "10.0.1.37", 51000, 19, 28, 9000, "12:31:00", "12:31:20"),
        out(HEIR, 52000, "10.0.9.9", 5432, 3, 40, 8000, "12:35:00", "12:35:20", pkt_srcaddr="10.0.1.37"),
    ])},
    inventory(objects=kyverno(), when="2026-10-01T090000Z")
    | inventory(pods_of(HEIR, attached="2026-10-01T10:40:00+00:00"), control_plane(NEW, "prod", attached="2026-10-01T10:28:00+00:00"),
                own=(B,), objects=kyverno(("10.0.3.118", "kyverno-7c9d"), ("10.0.1.37", "kyverno-h2k5")), when="2026-10-01T120000Z"),
    answer(ok=13, rows=[
        prod("10.0.1.37", 9443, "webhook", KYVERNO, sent=(1, 20, 5000), replies=(18, 2500), answered=1,
             seen=("12:30:00", "12:30:20"), lines=in_log(8)),
        prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(3, 36, 9600), replies=(33, 12300), answered=3,
             seen=("09:30:00", "11:00:20"), lines=in_log(2, 6)),
    ], flows=[{
        "sql": "SELECT log_line, interface_kind = 'eks-control-plane' AS ours FROM flows WHERE log_line IN (2, 6, 8, 10, 14) ORDER BY log_line",
        "rows": [{"log_line": 2, "ours": True}, {"log_line": 6, "ours": True}, {"log_line": 8, "ours": True}, {"log_line": 10, "ours": False},
                 {"log_line": 14, "ours": False}]}]),
)

GONE = Eni("eni-0a700000000000001", "10.0.1.91")  # lived from 09:10 to 10:20, between two snapshots
RECORDED = Eni("eni-0a800000000000001", "10.0.1.92")  # known to AWS Config alone


def cloudtrail(name, when, **parameters):
    """A management event by EKS."""
    return {"eventVersion": "1.10", "eventTime": f"{when}Z", "eventSource": "ec2.amazonaws.com", "eventName": name, "awsRegion": REGION,
            "sourceIPAddress": "eks.amazonaws.com", "userAgent": "eks.amazonaws.com", "recipientAccountId": ACCOUNT,
            "userIdentity": {"type": "AssumedRole", "principalId": "AROAEXAMPLEROLEID0001:AmazonEKS", "accountId": ACCOUNT,
                             "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForAmazonEKS/AmazonEKS", "invokedBy": "eks.amazonaws.com"},
            **parameters}


CREATED = cloudtrail(
    "CreateNetworkInterface", "2026-10-01T09:10:00",
    requestParameters={"subnetId": GONE.subnet, "description": "Amazon EKS prod", "groupSet": {"items": [{"groupId": "sg-0c1000000000001b5"}]}},
    responseElements={"networkInterface": {
        "networkInterfaceId": GONE.id, "subnetId": GONE.subnet, "vpcId": VPC, "availabilityZone": GONE.zone, "description": "Amazon EKS prod",
        "ownerId": ACCOUNT, "requesterId": "AROAEXAMPLEROLEID0001:AmazonEKS", "requesterManaged": False, "status": "pending",
        "privateIpAddress": GONE.address, "groupSet": {"items": []}, "tagSet": {}}})
DELETED = cloudtrail("DeleteNetworkInterface", "2026-10-01T10:20:00", requestParameters={"networkInterfaceId": GONE.id},
                     responseElements={"_return": True})
CONFIG_ITEM = {
    "configurationItemVersion": "1.3", "configurationItemCaptureTime": "2026-10-01T09:19:03.412Z", "configurationItemStatus": "ResourceDiscovered",
    "configurationStateId": 1790000000000, "awsAccountId": ACCOUNT, "awsRegion": REGION, "availabilityZone": RECORDED.zone,
    "resourceType": "AWS::EC2::NetworkInterface", "resourceId": RECORDED.id, "tags": {}, "relationships": [],
    "ARN": f"arn:aws:ec2:{REGION}:{ACCOUNT}:network-interface/{RECORDED.id}",
    "configuration": {
        "networkInterfaceId": RECORDED.id, "description": "Amazon EKS prod", "interfaceType": "interface", "ownerId": ACCOUNT,
        "requesterId": "AROAEXAMPLEROLEID0001:AmazonEKS", "requesterManaged": False, "status": "in-use", "subnetId": RECORDED.subnet, "vpcId": VPC,
        "availabilityZone": RECORDED.zone, "privateIpAddress": RECORDED.address,
        "privateIpAddresses": [{"primary": True, "privateIpAddress": RECORDED.address}], "groups": [],
        "attachment": {"attachTime": "2026-10-01T09:14:22.000Z", "attachmentId": "eni-attach-0a1b2c3d4e5f60718", "deviceIndex": 1,
                       "instanceOwnerId": "444455556666", "status": "attached"}}}

Case(
    "inventory-history",
    "Control-plane ENIs that no `describe-network-interfaces` shows: one was created and deleted between the snapshots (CloudTrail), "
    "one only AWS Config saw.",
    "10.0.3.118:9443: line 2 (by CloudTrail), line 4 (by Config), line 6 (by snapshot): 10 + 11 + 12 = 33 packets, 1,000 + 1,100 + "
    "1,200 = 3,300 bytes, back 9 + 10 + 11 = 30 and 900 + 1,000 + 1,100 = 3,000; 3 connections.",
    {"flows.log": text(SHORT, [
        out(GONE, 41001, "10.0.3.118", 9443, 3, 10, 1000, "09:30:00", "09:30:10"),
        back(GONE, 41001, "10.0.3.118", 9443, 19, 9, 900, "09:30:00", "09:30:10"),
        out(RECORDED, 41001, "10.0.3.118", 9443, 3, 11, 1100, "10:00:00", "10:00:10"),
        back(RECORDED, 41001, "10.0.3.118", 9443, 19, 10, 1000, "10:00:00", "10:00:10"),
        out(B, 41001, "10.0.3.118", 9443, 3, 12, 1200, "10:30:00", "10:30:10"),
        back(B, 41001, "10.0.3.118", 9443, 19, 11, 1100, "10:30:00", "10:30:10"),
    ])},
    inventory(own=(B,), objects=kyverno(), when="2026-10-01T090000Z", files={
        "cloudtrail.json": {"Records": [CREATED, DELETED]}, "config-history.json": {"fileVersion": "1.0", "configurationItems": [CONFIG_ITEM]}})
    | inventory(own=(B,), objects=kyverno(), when="2026-10-01T120000Z"),
    answer(ok=6, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(3, 33, 3300), replies=(30, 3000), answered=3,
                            seen=("09:30:00", "10:30:10"), lines=in_log(2, 6))]),
)

# --- where it goes ----------------------------------------------------------------------------------------------------------

Case(
    "webhook-ports",
    "Webhooks listen on the port of their pod: 443, 8443, 9443 and 10250. A filter on port 443 would miss three of four; 10250 is not "
    "only the kubelet's.",
    "One connection each, so every row is its own two lines: 110:443 is lines 2/3, 111:8443 lines 4/5, 112:9443 lines 6/7, 113:10250 "
    "lines 8/9. The pod 10.0.3.111 serves two configurations: both names stand in the row.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.110", 443, 3, 10, 1000, "10:00:00", "10:00:10"),
        back(A, 41001, "10.0.3.110", 443, 19, 9, 1900, "10:00:00", "10:00:10"),
        out(A, 41002, "10.0.3.111", 8443, 3, 11, 1100, "10:00:20", "10:00:30"),
        back(A, 41002, "10.0.3.111", 8443, 19, 10, 2000, "10:00:20", "10:00:30"),
        out(A, 41003, "10.0.3.112", 9443, 3, 12, 1200, "10:00:40", "10:00:50"),
        back(A, 41003, "10.0.3.112", 9443, 19, 11, 2100, "10:00:40", "10:00:50"),
        out(A, 41004, "10.0.3.113", 10250, 3, 13, 1300, "10:01:00", "10:01:10"),
        back(A, 41004, "10.0.3.113", 10250, 19, 12, 2200, "10:01:00", "10:01:10"),
    ])},
    inventory(objects=[
        webhook("Validating", "policy", "policy/policy"), service("policy/policy", "https"), endpoints("policy/policy", 443, ("10.0.3.110", "policy-1")),
        webhook("Mutating", "injector", "vault/injector"), webhook("Validating", "secrets", "vault/injector"), service("vault/injector", "https"),
        endpoints("vault/injector", 8443, ("10.0.3.111", "injector-1")),
        conversion("widgets.shop.example.com", "shop/widgets"), service("shop/widgets", "https"),
        endpoints("shop/widgets", 9443, ("10.0.3.112", "widgets-1")),
        webhook("Validating", "cert-manager", "cert-manager/cert-manager"), service("cert-manager/cert-manager", "https"),
        endpoints("cert-manager/cert-manager", 10250, ("10.0.3.113", "cert-manager-1")),
        kube_node(NODE_NAME, "10.0.3.4", NODE.instance)]),
    answer(ok=8, rows=[
        prod("10.0.3.110", 443, "webhook", "validatingwebhookconfiguration/policy", sent=(1, 10, 1000), replies=(9, 1900), answered=1,
             seen=("10:00:00", "10:00:10"), lines=in_log(2)),
        prod("10.0.3.111", 8443, "webhook", "mutatingwebhookconfiguration/injector,validatingwebhookconfiguration/secrets", sent=(1, 11, 1100),
             replies=(10, 2000), answered=1, seen=("10:00:20", "10:00:30"), lines=in_log(4)),
        prod("10.0.3.112", 9443, "crd-conversion", "customresourcedefinition/widgets.shop.example.com", sent=(1, 12, 1200), replies=(11, 2100),
             answered=1, seen=("10:00:40", "10:00:50"), lines=in_log(6)),
        prod("10.0.3.113", 10250, "webhook", "validatingwebhookconfiguration/cert-manager", sent=(1, 13, 1300), replies=(12, 2200), answered=1,
             seen=("10:01:00", "10:01:10"), lines=in_log(8)),
    ]),
)

Case(
    "metrics-server-and-kubelet",
    "Port 10250 twice: metrics-server's pod is an aggregated API, the node is the kubelet. No handshake in the period (flags 0): the "
    "port rule decides.",
    "metrics-server 10.0.3.120: lines 2 and 6, 30 + 20 = 50 packets, 3,000 + 2,000 = 5,000 bytes, back 40 + 25 = 65 and 22,000 + 14,000 "
    "= 36,000; one connection (the second interval starts 11 s after the first ends). kubelet 10.0.3.4: line 4, 15 and 1,500, back 25 "
    "and 40,000.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.120", 10250, 0, 30, 3000, "10:00:00", "10:00:59"),
        back(A, 41001, "10.0.3.120", 10250, 0, 40, 22000, "10:00:00", "10:00:59"),
        out(A, 41002, "10.0.3.4", 10250, 0, 15, 1500, "10:00:10", "10:00:50"),
        back(A, 41002, "10.0.3.4", 10250, 0, 25, 40000, "10:00:10", "10:00:50"),
        out(A, 41001, "10.0.3.120", 10250, 0, 20, 2000, "10:01:10", "10:01:58"),
        back(A, 41001, "10.0.3.120", 10250, 0, 25, 14000, "10:01:10", "10:01:58"),
    ])},
    inventory(objects=[
        api_service("v1beta1.metrics.k8s.io", "kube-system/metrics-server"), service("kube-system/metrics-server", "https"),
        endpoints("kube-system/metrics-server", 10250, ("10.0.3.120", "metrics-server-6d4c")), kube_node(NODE_NAME, "10.0.3.4", NODE.instance)]),
    answer(ok=6, rows=[
        prod("10.0.3.120", 10250, "aggregated-api", "apiservice/v1beta1.metrics.k8s.io", sent=(2, 50, 5000), replies=(65, 36000), answered=1,
             seen=("10:00:00", "10:01:58"), rule="5", confidence="high", lines=in_log(2, 6)),
        prod("10.0.3.4", 10250, "kubelet", f"kubelet/{NODE_NAME}", sent=(1, 15, 1500), replies=(25, 40000), answered=1,
             seen=("10:00:10", "10:00:50"), rule="5", confidence="high", lines=in_log(4)),
    ]),
)

LOGIN = "198.51.100.80"

Case(
    "oidc-through-nat",
    "The API server fetches an issuer's keys through a NAT gateway. Its own record shows the issuer and no gateway; the gateway's four "
    "records show the rest.",
    "198.51.100.80:443: line 2 only, 11 packets and 1,650 bytes, back (line 7) 13 and 9,700. Lines 3 to 6 are the same packets at the "
    "gateway: summing all six lines that leave or reach an interface would give three times the bytes. The path comes from line 3 "
    "(`pkt-dstaddr` is the issuer, the client is 10.0.1.37:41001).",
    {"flows.log": text(SHORT, [
        out(A, 41001, LOGIN, 443, 3, 11, 1650, "10:00:05", "10:00:06"),
        back(NAT, 443, "10.0.1.37", 41001, 3, 11, 1650, "10:00:05", "10:00:06", pkt_dstaddr=LOGIN),
        out(NAT, 20001, LOGIN, 443, 3, 11, 1650, "10:00:05", "10:00:06", traffic_path=8),
        back(NAT, 20001, LOGIN, 443, 19, 13, 9700, "10:00:05", "10:00:06"),
        out(NAT, 443, "10.0.1.37", 41001, 19, 13, 9700, "10:00:05", "10:00:06", pkt_srcaddr=LOGIN),
        back(A, 41001, LOGIN, 443, 19, 13, 9700, "10:00:05", "10:00:06"),
    ])},
    inventory(nat(NAT, GATEWAY), files={
        "describe-nat-gateways.json": nat_gateways((GATEWAY, NAT, "203.0.113.10")),
        "describe-identity-provider-config.json": identity_provider("prod", "https://login.corp.example.com/realms/k8s"),
        "resolver-query-log.ndjson": as_ndjson([dns_answer("login.corp.example.com", LOGIN, "2026-10-01T10:00:00")])}),
    answer(ok=6, rows=[
        prod(LOGIN, 443, "oidc-issuer", "login.corp.example.com", path=f"via {GATEWAY}", sent=(1, 11, 1650), replies=(13, 9700), answered=1,
             seen=("10:00:05", "10:00:06"), lines=in_log(2)),
    ], flows=[{
        "sql": "SELECT log_line, interface_kind, direction, peer_addr FROM flows ORDER BY log_line",
        "rows": [
            {"log_line": 2, "interface_kind": "eks-control-plane", "direction": "egress", "peer_addr": LOGIN},
            {"log_line": 3, "interface_kind": "nat-gateway", "direction": "ingress", "peer_addr": "10.0.1.37"},
            {"log_line": 4, "interface_kind": "nat-gateway", "direction": "egress", "peer_addr": LOGIN},
            {"log_line": 5, "interface_kind": "nat-gateway", "direction": "ingress", "peer_addr": LOGIN},
            {"log_line": 6, "interface_kind": "nat-gateway", "direction": "egress", "peer_addr": "10.0.1.37"},
            {"log_line": 7, "interface_kind": "eks-control-plane", "direction": "ingress", "peer_addr": LOGIN}]}]),
)

RESOLVER = Eni("eni-0d100000000000001", "10.0.9.54", "subnet-0eee0000000000005", "eu-central-1b", "euc1-az3")

Case(
    "custom-dns",
    "A VPC whose DNS is its own servers: look-ups are visible (those of the Amazon resolver never are). UDP has no handshake, so port "
    "53 decides.",
    "10.60.0.53 (UDP, on premises by VPN): lines 2 and 4, 2 look-ups, 1 + 1 packets, 70 + 72 = 142 bytes, back 1 + 1 and 150 + 160 = 310. "
    "10.60.0.54: line 6, 3 packets, 210 bytes, no answer. 10.0.9.54 (TCP, a Resolver endpoint): line 7, 6 and 400, back 5 and 900.",
    {"flows.log": text(SHORT, [
        out(A, 41235, "10.60.0.53", 53, 0, 1, 70, "10:00:00", "10:00:00", protocol=17, traffic_path=3),
        back(A, 41235, "10.60.0.53", 53, 0, 1, 150, "10:00:00", "10:00:00", protocol=17),
        out(A, 41236, "10.60.0.53", 53, 0, 1, 72, "10:00:30", "10:00:30", protocol=17, traffic_path=3),
        back(A, 41236, "10.60.0.53", 53, 0, 1, 160, "10:00:30", "10:00:30", protocol=17),
        out(A, 41237, "10.60.0.54", 53, 0, 3, 210, "10:01:00", "10:01:15", protocol=17, traffic_path=3),
        out(A, 41238, "10.0.9.54", 53, 3, 6, 400, "10:02:00", "10:02:01"),
        back(A, 41238, "10.0.9.54", 53, 19, 5, 900, "10:02:00", "10:02:01"),
    ])},
    inventory(interface(RESOLVER, "Route 53 Resolver: rslvr-in-0123456789abcdef0:rni-0123456789abcdef0", requester="AROAEXAMPLEROLEID0003:resolver",
                        requester_managed=True, owner="amazon-aws")),
    answer(ok=7, rows=[
        prod("10.0.9.54", 53, "resolver", "rslvr-in-0123456789abcdef0", sent=(1, 6, 400), replies=(5, 900), answered=1,
             seen=("10:02:00", "10:02:01"), lines=in_log(7)),
        prod("10.60.0.53", 53, "private", None, protocol=17, path="vgw", sent=(2, 2, 142), replies=(2, 310), answered=2,
             seen=("10:00:00", "10:00:30"), rule="8", confidence="medium", lines=in_log(2, 4)),
        prod("10.60.0.54", 53, "private", None, protocol=17, path="vgw", sent=(1, 3, 210), unanswered=1,
             seen=("10:01:00", "10:01:15"), rule="8", confidence="medium", lines=in_log(6)),
    ]),
)

Case(
    "destination-names",
    "One destination of each kind that the inventory can name, and the two that nothing names.",
    "Every connection is 5 packets and 500 bytes out, 4 and 900 back, in lines 2/3, 4/5, … 20/21.",
    {"flows.log": text(SHORT, [
        one for number, (peer, port, path) in enumerate([
            ("10.0.3.4", 10250, 1), ("10.0.3.4", 9100, 1), ("10.0.3.118", 9090, 1), ("10.0.3.119", 9091, 1), ("10.0.9.70", 443, 1),
            ("10.0.9.71", 8443, 1), ("10.80.1.5", 10250, 3), ("3.5.136.10", 443, 7), ("10.0.9.99", 4000, 1), ("203.0.113.99", 443, 8)])
        for one in (out(A, 41001 + number, peer, port, 3, 5, 500, f"10:{number:02}:00", f"10:{number:02}:05", traffic_path=path),
                    back(A, 41001 + number, peer, port, 19, 4, 900, f"10:{number:02}:00", f"10:{number:02}:05"))
    ])},
    inventory(
        interface(Eni("eni-0ece0000000000001", "10.0.9.70", "subnet-0eee0000000000005", "eu-central-1b", "euc1-az3"),
                  "VPC Endpoint Interface vpce-0aaa1111bbbb2222c", "vpc_endpoint", requester="727180483921", requester_managed=True, owner="amazon-aws"),
        interface(Eni("eni-0a1b0000000000001", "10.0.9.71", "subnet-0eee0000000000005", "eu-central-1b", "euc1-az3"),
                  "ELB net/ingress/0123456789abcdef", "network_load_balancer", requester="amazon-elb", requester_managed=True, owner="amazon-aws"),
        clusters=[cluster("prod", remote=("10.80.0.0/16", "10.81.0.0/16"))],
        objects=[kube_node(NODE_NAME, "10.0.3.4", NODE.instance), pod("shop/api-1", "10.0.3.118", "10.0.3.4")],
        files={"ip-ranges.json": {"syncToken": "1790800000", "createDate": "2026-10-01-00-00-00", "prefixes": [
            {"ip_prefix": "3.5.136.0/22", "region": REGION, "service": "AMAZON", "network_border_group": REGION},
            {"ip_prefix": "3.5.136.0/22", "region": REGION, "service": "S3", "network_border_group": REGION}], "ipv6_prefixes": []}}),
    answer(ok=20, rows=[
        prod("10.0.3.4", 10250, "kubelet", f"kubelet/{NODE_NAME}", sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:00:00", "10:00:05"), lines=in_log(2)),
        prod("10.0.3.4", 9100, "eks-node", NODE.instance, sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:01:00", "10:01:05"), lines=in_log(4)),
        prod("10.0.3.118", 9090, "pod", "pod/shop/api-1", sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:02:00", "10:02:05"), lines=in_log(6)),
        prod("10.0.3.119", 9091, "pod", "pod", sent=(1, 5, 500), replies=(4, 900), answered=1, seen=("10:03:00", "10:03:05"), lines=in_log(8)),
        prod("10.0.9.70", 443, "vpc-endpoint", "vpce-0aaa1111bbbb2222c", sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:04:00", "10:04:05"), lines=in_log(10)),
        prod("10.0.9.71", 8443, "nlb", "net/ingress/0123456789abcdef", sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:05:00", "10:05:05"), lines=in_log(12)),
        prod("10.80.1.5", 10250, "hybrid-node", "10.80.0.0/16", path="vgw", sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:06:00", "10:06:05"), lines=in_log(14)),
        without(prod("3.5.136.10", 443, "aws-service", path="gateway-endpoint", sent=(1, 5, 500), replies=(4, 900), answered=1,
                     seen=("10:07:00", "10:07:05"), lines=in_log(16)), "dst_name"),
        prod("10.0.9.99", 4000, "private", None, sent=(1, 5, 500), replies=(4, 900), answered=1, seen=("10:08:00", "10:08:05"), lines=in_log(18)),
        prod("203.0.113.99", 443, "internet", None, path="internet-gateway", sent=(1, 5, 500), replies=(4, 900), answered=1,
             seen=("10:09:00", "10:09:05"), lines=in_log(20)),
    ]),
)

# --- who opened it, and how it ended ------------------------------------------------------------------------------------------

Case(
    "api-answers",
    "Records from the API server's port 443 are answers to its clients, however many bytes leave: no row. Nor is a port scan an egress "
    "destination.",
    "Lines 2/3: handshake by the node (flags 3 and 19), rule 1. Lines 4/5: no handshake in the period, local port 443, rule 4. Line 6: "
    "a SYN to port 22 that was rejected, rule 2. All three were opened by the peer: no rows.",
    {"flows.log": text(SHORT, [
        back(A, 443, "10.0.3.4", 51001, 3, 20, 4000, "10:00:00", "10:00:20"),
        out(A, 443, "10.0.3.4", 51001, 19, 30, 90000, "10:00:00", "10:00:20"),
        back(A, 443, "10.0.3.4", 51002, 0, 21, 4100, "10:01:00", "10:01:50"),
        out(A, 443, "10.0.3.4", 51002, 0, 31, 91000, "10:01:00", "10:01:50"),
        back(A, 22, "10.0.9.66", 60000, 2, 1, 60, "10:02:00", "10:02:00", action="REJECT"),
    ])},
    inventory(),
    answer(ok=5, connections=[
        {"local_port": 22, "peer_addr": "10.0.9.66", "peer_port": 60000, "initiator": "peer", "initiator_rule": "2", "confidence": "certain"},
        {"local_port": 443, "peer_addr": "10.0.3.4", "peer_port": 51001, "initiator": "peer", "initiator_rule": "1", "confidence": "certain"},
        {"local_port": 443, "peer_addr": "10.0.3.4", "peer_port": 51002, "initiator": "peer", "initiator_rule": "4", "confidence": "high"},
    ], flows=[{
        "sql": "SELECT log_line, direction, local_port, peer_port, initiator, initiator_rule FROM flows ORDER BY log_line",
        "rows": [
            {"log_line": 2, "direction": "ingress", "local_port": 443, "peer_port": 51001, "initiator": "peer", "initiator_rule": "2"},
            {"log_line": 3, "direction": "egress", "local_port": 443, "peer_port": 51001, "initiator": "peer", "initiator_rule": "2b"},
            {"log_line": 4, "direction": "ingress", "local_port": 443, "peer_port": 51002, "initiator": "peer", "initiator_rule": "4"},
            {"log_line": 5, "direction": "egress", "local_port": 443, "peer_port": 51002, "initiator": "peer", "initiator_rule": "4"},
            {"log_line": 6, "direction": "ingress", "local_port": 22, "peer_port": 60000, "initiator": "peer", "initiator_rule": "2"}]}]),
)

Case(
    "outcomes",
    "How a call can end: rejected here, refused there, unanswered, its replies blocked, answered; and one that a rule change let "
    "through at the second try.",
    "11: lines 2 and 3, 3 + 3 packets, 180 + 180 = 360 bytes rejected. 12: line 4, SYN out, RST back (line 5, 1 and 40). 13: line 6, 4 "
    "and 240, nothing back. 14: line 7 accepted (4 and 240), the SYN-ACK of line 8 rejected: nothing accepted came back. 15: line 9, "
    "back line 10. 16: line 11 rejected (1 and 60), line 12 on the same port accepted (8 and 700), back line 13: one connection, "
    "answered.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.9.11", 8443, 2, 3, 180, "10:00:00", "10:00:03", action="REJECT"),
        out(A, 41002, "10.0.9.11", 8443, 2, 3, 180, "10:00:10", "10:00:13", action="REJECT"),
        out(A, 41003, "10.0.9.12", 8443, 2, 1, 60, "10:01:00", "10:01:00"),
        back(A, 41003, "10.0.9.12", 8443, 4, 1, 40, "10:01:00", "10:01:00"),
        out(A, 41004, "10.0.9.13", 8443, 2, 4, 240, "10:02:00", "10:02:07"),
        out(A, 41005, "10.0.9.14", 8443, 2, 4, 240, "10:03:00", "10:03:07"),
        back(A, 41005, "10.0.9.14", 8443, 18, 4, 240, "10:03:00", "10:03:07", action="REJECT"),
        out(A, 41006, "10.0.9.15", 8443, 3, 9, 1000, "10:04:00", "10:04:02"),
        back(A, 41006, "10.0.9.15", 8443, 19, 8, 2000, "10:04:00", "10:04:02"),
        out(A, 41007, "10.0.9.16", 8443, 2, 1, 60, "10:05:00", "10:05:00", action="REJECT"),
        out(A, 41007, "10.0.9.16", 8443, 3, 8, 700, "10:05:40", "10:05:50"),
        back(A, 41007, "10.0.9.16", 8443, 19, 7, 1400, "10:05:40", "10:05:50"),
    ])},
    inventory(),
    answer(ok=12, rows=[
        prod("10.0.9.11", 8443, "private", blocked=(2, 6, 360), rejected=2, rule="2", seen=("10:00:00", "10:00:13"), lines=in_log(2, 3)),
        prod("10.0.9.12", 8443, "private", sent=(1, 1, 60), replies=(1, 40), refused=1, rule="2", seen=("10:01:00", "10:01:00"), lines=in_log(4)),
        prod("10.0.9.13", 8443, "private", sent=(1, 4, 240), unanswered=1, rule="2", seen=("10:02:00", "10:02:07"), lines=in_log(6)),
        prod("10.0.9.14", 8443, "private", sent=(1, 4, 240), reply_blocked=1, rule="1", seen=("10:03:00", "10:03:07"), lines=in_log(7)),
        prod("10.0.9.15", 8443, "private", sent=(1, 9, 1000), replies=(8, 2000), answered=1, seen=("10:04:00", "10:04:02"), lines=in_log(9)),
        prod("10.0.9.16", 8443, "private", sent=(1, 8, 700), blocked=(1, 1, 60), replies=(7, 1400), answered=1,
             seen=("10:05:00", "10:05:50"), lines=in_log(11, 12)),
    ]),
)

Case(
    "blocked-reply",
    "Late packets of a destination, rejected after the connection was over: blocked replies of what the API server had opened, not "
    "attempts to reach it.",
    "Line 2 is the call: 10 and 1,000, back (line 3) 9 and 2,000. Line 4 comes 25 minutes later (more than 600 s: a connection of its "
    "own), line 5 to another local port: both only rejected ingress from an end contacted in the same hour, rule `reply`. 1 answered + "
    "2 blocked = 3 connections; the weakest confidence is that of `reply`. Line 5's port shows that the match is by address and port of "
    "the peer.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.9.20", 8443, 3, 10, 1000, "10:00:00", "10:00:20"),
        back(A, 41001, "10.0.9.20", 8443, 19, 9, 2000, "10:00:00", "10:00:20"),
        back(A, 41001, "10.0.9.20", 8443, 4, 2, 80, "10:25:00", "10:25:10", action="REJECT"),
        back(A, 41999, "10.0.9.20", 8443, 1, 3, 120, "10:27:00", "10:27:10", action="REJECT"),
    ])},
    inventory(),
    answer(ok=4, rows=[
        prod("10.0.9.20", 8443, "private", sent=(1, 10, 1000), replies=(9, 2000), answered=1, reply_blocked=2, rule="1,reply", confidence="high",
             seen=("10:00:00", "10:00:20"), lines=in_log(2)),
    ]),
)

Case(
    "long-connection",
    "Connections that were opened before the period: no SYN anywhere. The listener decides: known from the inventory, from a SYN-ACK, "
    "from another connection.",
    "10.0.3.118:9443 (a webhook of the inventory, rule 5): lines 2, 4, 6: 10 + 20 + 30 = 60 packets, 1,000 + 2,000 + 3,000 = 6,000 "
    "bytes, back 11 + 21 + 31 = 63 and 1,100 + 2,100 + 3,100 = 6,300; intervals follow within seconds, so it is one connection. "
    "10.0.9.30:7443 (nobody knows it, rule 6): line 8. 10.0.9.31:9000: line 11 has the SYN-ACK, the SYN lies before the period (rule "
    "2b). 10.0.9.32:6443: lines 12/13 show it listening (rule 1), so lines 14/15 go by rule 5: 5 + 6 = 11 packets, 500 + 600 = 1,100 "
    "bytes, back 4 + 7 = 11 and 450 + 750 = 1,200.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.118", 9443, 0, 10, 1000, "10:00:02", "10:09:58"),
        back(A, 41001, "10.0.3.118", 9443, 0, 11, 1100, "10:00:02", "10:09:58"),
        out(A, 41001, "10.0.3.118", 9443, 0, 20, 2000, "10:10:01", "10:19:57"),
        back(A, 41001, "10.0.3.118", 9443, 0, 21, 2100, "10:10:01", "10:19:57"),
        out(A, 41001, "10.0.3.118", 9443, 0, 30, 3000, "10:20:03", "10:29:59"),
        back(A, 41001, "10.0.3.118", 9443, 0, 31, 3100, "10:20:03", "10:29:59"),
        out(A, 41002, "10.0.9.30", 7443, 0, 12, 1200, "10:00:00", "10:09:00"),
        back(A, 41002, "10.0.9.30", 7443, 0, 13, 1300, "10:00:00", "10:09:00"),
        out(A, 41003, "10.0.9.31", 9000, 0, 14, 1400, "10:00:01", "10:09:00"),
        back(A, 41003, "10.0.9.31", 9000, 18, 15, 1500, "10:00:01", "10:09:00"),
        out(B, 42001, "10.0.9.32", 6443, 3, 5, 500, "10:03:00", "10:03:10"),
        back(B, 42001, "10.0.9.32", 6443, 19, 4, 450, "10:03:00", "10:03:10"),
        out(A, 41004, "10.0.9.32", 6443, 0, 6, 600, "10:04:00", "10:04:50"),
        back(A, 41004, "10.0.9.32", 6443, 0, 7, 750, "10:04:00", "10:04:50"),
    ])},
    inventory(objects=kyverno()),
    answer(ok=14, rows=[
        prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(3, 60, 6000), replies=(63, 6300), answered=1, rule="5", confidence="high",
             seen=("10:00:02", "10:29:59"), lines=in_log(2, 6)),
        prod("10.0.9.30", 7443, "private", sent=(1, 12, 1200), replies=(13, 1300), answered=1, rule="6", confidence="medium",
             seen=("10:00:00", "10:09:00"), lines=in_log(8)),
        prod("10.0.9.31", 9000, "private", sent=(1, 14, 1400), replies=(15, 1500), answered=1, rule="2b", confidence="high",
             seen=("10:00:01", "10:09:00"), lines=in_log(10)),
        prod("10.0.9.32", 6443, "private", sent=(2, 11, 1100), replies=(11, 1200), answered=2, rule="1,5", confidence="high",
             seen=("10:03:00", "10:04:50"), lines=in_log(12, 14)),
    ], flows=[{
        "sql": "SELECT log_line, initiator, initiator_rule FROM flows WHERE log_line IN (2, 8, 10, 11, 12, 13, 14) ORDER BY log_line",
        "rows": [
            {"log_line": 2, "initiator": "local", "initiator_rule": "5"}, {"log_line": 8, "initiator": "local", "initiator_rule": "6"},
            {"log_line": 10, "initiator": "local", "initiator_rule": "6"}, {"log_line": 11, "initiator": "local", "initiator_rule": "2b"},
            {"log_line": 12, "initiator": "local", "initiator_rule": "2"}, {"log_line": 13, "initiator": "local", "initiator_rule": "2b"},
            {"log_line": 14, "initiator": "local", "initiator_rule": "6"}]}]),
)

Case(
    "reused-port",
    "One pair of ends, the same local port, 30 minutes apart: two connections (a live one would have logged something within 600 s).",
    "Lines 2 and 4: 10 + 11 = 21 packets, 1,000 + 1,100 = 2,100 bytes, back 9 + 12 = 21 and 900 + 1,200 = 2,100. The second one has no "
    "SYN of its own (flags 0), but its listener is known from the first: rules 1 and 5.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.9.40", 8443, 3, 10, 1000, "10:00:00", "10:00:30"),
        back(A, 41001, "10.0.9.40", 8443, 19, 9, 900, "10:00:00", "10:00:30"),
        out(A, 41001, "10.0.9.40", 8443, 0, 11, 1100, "10:30:30", "10:31:00"),
        back(A, 41001, "10.0.9.40", 8443, 0, 12, 1200, "10:30:30", "10:31:00"),
    ])},
    inventory(),
    answer(ok=4, rows=[
        prod("10.0.9.40", 8443, "private", sent=(2, 21, 2100), replies=(21, 2100), answered=2, rule="1,5", confidence="high",
             seen=("10:00:00", "10:31:00"), lines=in_log(2, 4)),
    ]),
)

Case(
    "icmp-and-undecided",
    "No ports and no flags: an echo counts by whose record starts first; a path-MTU message from a router is not egress; one UDP pair "
    "cannot be decided.",
    "10.0.9.60: line 2 (egress) starts a second before line 3: opened here, 2 packets, 168 bytes, back the same. Line 4: only ingress, "
    "opened there. 10.0.9.61:123: port 123, rule 8. Lines 7/8: ports 20000 and 20001, equal starts, no rule fires: counted as "
    "undecided, no row.",
    {"flows.log": text(SHORT, [
        out(A, 0, "10.0.9.60", 0, 0, 2, 168, "10:00:00", "10:00:05", protocol=1),
        back(A, 0, "10.0.9.60", 0, 0, 2, 168, "10:00:01", "10:00:05", protocol=1),
        back(A, 0, "10.0.0.1", 0, 0, 1, 576, "10:01:00", "10:01:00", protocol=1),
        out(A, 41001, "10.0.9.61", 123, 0, 1, 76, "10:02:00", "10:02:00", protocol=17),
        back(A, 41001, "10.0.9.61", 123, 0, 1, 76, "10:02:00", "10:02:00", protocol=17),
        out(A, 20000, "10.0.9.62", 20001, 0, 5, 500, "10:03:00", "10:03:30", protocol=17),
        back(A, 20000, "10.0.9.62", 20001, 0, 6, 600, "10:03:00", "10:03:30", protocol=17),
    ])},
    inventory(),
    answer(ok=7, undecided={"connections": 1}, rows=[
        prod("10.0.9.60", 0, "private", protocol=1, sent=(1, 2, 168), replies=(2, 168), answered=1, rule="10", confidence="low",
             seen=("10:00:00", "10:00:05"), lines=in_log(2)),
        prod("10.0.9.61", 123, "private", protocol=17, sent=(1, 1, 76), replies=(1, 76), answered=1, rule="8", confidence="medium",
             seen=("10:02:00", "10:02:00"), lines=in_log(5)),
    ]),
)

Case(
    "odd-flags",
    "Flags that contradict each other or the ports: SYN on both sides (a port used twice in one interval), SYN-ACK from the side that "
    "should not answer.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back 9 and 900: both sides show SYN, so the port rule decides (rule 5). 10.0.3.119:9443: "
    "line 4 leaves with a SYN-ACK, which says that the peer opened it; the peer's end is a webhook's, so the port rule's answer stands, "
    "confidence medium: 8 and 800, back 7 and 700. Lines 6/7: a SYN-ACK comes in to port 443; the port rule stands again: the peer "
    "opened it, no row.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.118", 9443, 3, 10, 1000, "10:00:00", "10:00:50"),
        back(A, 41001, "10.0.3.118", 9443, 3, 9, 900, "10:00:00", "10:00:50"),
        out(A, 41002, "10.0.3.119", 9443, 18, 8, 800, "10:01:00", "10:01:50"),
        back(A, 41002, "10.0.3.119", 9443, 0, 7, 700, "10:01:00", "10:01:50"),
        back(A, 443, "10.0.3.4", 51001, 18, 6, 600, "10:02:00", "10:02:50"),
        out(A, 443, "10.0.3.4", 51001, 0, 5, 500, "10:02:00", "10:02:50"),
    ])},
    inventory(objects=kyverno(("10.0.3.118", "kyverno-7c9d"), ("10.0.3.119", "kyverno-h2k5"))),
    answer(ok=6, rows=[
        prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 900), answered=1, rule="5", confidence="high",
             seen=("10:00:00", "10:00:50"), lines=in_log(2)),
        without(prod("10.0.3.119", 9443, "webhook", KYVERNO, sent=(1, 8, 800), replies=(7, 700), answered=1, confidence="medium",
                     seen=("10:01:00", "10:01:50"), lines=in_log(4)), "initiator_rule"),
    ]),
)

# --- what the format holds ------------------------------------------------------------------------------------------------------

Case(
    "skipdata-nodata",
    "NODATA and SKIPDATA lines are counted, never summed; one SKIPDATA has start = end, one NODATA has neither. The second log lacks "
    "`log-status`.",
    "10.0.9.40:8443: line 2 of the first log (10 and 1,000; back 9 and 900) and line 2 of the second (20 and 2,000; back 19 and 1,900): "
    "30 packets, 3,000 bytes, back 28 and 2,800. NODATA: lines 4 and 6 of the first, line 4 of the second (every field of a flow is "
    "`-`): 3. SKIPDATA: line 5: 1.",
    {"a.log": text(SHORT, [
        out(A, 41001, "10.0.9.40", 8443, 3, 10, 1000, "10:00:00", "10:00:30"),
        back(A, 41001, "10.0.9.40", 8443, 19, 9, 900, "10:00:00", "10:00:30"),
        status(A, "NODATA", "10:01:00", "10:01:59"),
        status(A, "SKIPDATA", "10:02:00", "10:02:00"),
        status(A, "NODATA", "10:03:00", "10:03:59") | {"start": "-", "end": "-"},
    ]),
     "b.log": text([name for name in SHORT if name != "log-status"], [
        out(A, 41002, "10.0.9.40", 8443, 3, 20, 2000, "10:04:00", "10:04:30"),
        back(A, 41002, "10.0.9.40", 8443, 19, 19, 1900, "10:04:00", "10:04:30"),
        status(A, "", "10:05:00", "10:05:59"),
    ])},
    inventory(),
    answer(ok=4, nodata=3, skipdata=1, rows=[
        prod("10.0.9.40", 8443, "private", sent=(2, 30, 3000), replies=(28, 2800), answered=2, seen=("10:00:00", "10:04:30"),
             lines=("logs/a.log:2", "logs/b.log:2")),
    ]),
)

A_V6 = Eni("eni-0a100000000000001", "10.0.1.37", ipv6="2001:db8:1:1::37")

Case(
    "ipv6",
    "A cluster of the IPv6 family. Lines 2/3 spell the webhook's address in full, lines 6/7 compressed: one destination.",
    "2001:db8:1:3::118 port 9443: lines 2 and 6, 10 + 5 = 15 packets, 1,200 + 600 = 1,800 bytes, back 9 + 4 = 13 and 1,100 + 500 = 1,600. "
    "2001:db8:ffff::80 port 443: line 4, 7 and 900, back 8 and 6,000.",
    {"flows.log": text(SHORT, [
        out(A_V6, 41001, "2001:0db8:0001:0003:0000:0000:0000:0118", 9443, 3, 10, 1200, "10:00:00", "10:00:10"),
        back(A_V6, 41001, "2001:0db8:0001:0003:0000:0000:0000:0118", 9443, 19, 9, 1100, "10:00:00", "10:00:10"),
        out(A_V6, 41002, "2001:db8:ffff::80", 443, 3, 7, 900, "10:01:00", "10:01:01", traffic_path=8),
        back(A_V6, 41002, "2001:db8:ffff::80", 443, 19, 8, 6000, "10:01:00", "10:01:01"),
        out(A_V6, 41003, "2001:db8:1:3::118", 9443, 3, 5, 600, "10:02:00", "10:02:10"),
        back(A_V6, 41003, "2001:db8:1:3::118", 9443, 19, 4, 500, "10:02:00", "10:02:10"),
    ])},
    inventory(own=(A_V6,), clusters=[cluster("prod", family="ipv6")], files={
        "describe-vpcs.json": vpcs((VPC, "10.0.0.0/16"), ipv6="2001:db8:1::/56"),
        "kubernetes.json": listed(webhook("Validating", "kyverno", "kyverno/kyverno-svc"), service("kyverno/kyverno-svc", "https"),
                                  endpoints("kyverno/kyverno-svc", 9443, ("2001:db8:1:3::118", "kyverno-7c9d"), family="IPv6"))}),
    answer(ok=6, rows=[
        prod("2001:db8:1:3::118", 9443, "webhook", KYVERNO, sent=(2, 15, 1800), replies=(13, 1600), answered=2,
             seen=("10:00:00", "10:02:10"), lines=in_log(2, 6)),
        prod("2001:db8:ffff::80", 443, "internet", None, path="internet-gateway", sent=(1, 7, 900), replies=(8, 6000), answered=1,
             seen=("10:01:00", "10:01:01"), lines=in_log(4)),
    ]),
)

Case(
    "v2-only",
    "The default format has no flags, direction, path or packet addresses: direction comes from the inventory's address, the opener "
    "from ports alone.",
    "10.0.3.118:9443 (webhook, rule 5): line 2, 10 and 1,000, back 9 and 900. 10.0.9.40:8443 (unknown, rule 6): line 4 accepted, 8 and "
    "800, back 7 and 700; line 6 rejected, 3 and 180. 198.51.100.80:443 (rule 5): line 7, nothing back; the gateway's record (line 8) "
    "cannot name the remote end, so no path is known. Lines 9/10 are the API server's answers to a node.",
    {"flows.log": text(V2, [
        out(A, 41001, "10.0.3.118", 9443, "-", 10, 1000, "10:00:00", "10:00:10"),
        back(A, 41001, "10.0.3.118", 9443, "-", 9, 900, "10:00:00", "10:00:10"),
        out(A, 41002, "10.0.9.40", 8443, "-", 8, 800, "10:01:00", "10:01:10"),
        back(A, 41002, "10.0.9.40", 8443, "-", 7, 700, "10:01:00", "10:01:10"),
        out(A, 41003, "10.0.9.40", 8443, "-", 3, 180, "10:02:00", "10:02:03", action="REJECT"),
        out(A, 41004, LOGIN, 443, "-", 4, 240, "10:03:00", "10:03:07"),
        back(NAT, 443, "10.0.1.37", 41004, "-", 4, 240, "10:03:00", "10:03:07"),
        back(A, 443, "10.0.3.4", 51001, "-", 20, 4000, "10:04:00", "10:04:20"),
        out(A, 443, "10.0.3.4", 51001, "-", 30, 90000, "10:04:00", "10:04:20"),
    ])},
    inventory(nat(NAT, GATEWAY), objects=kyverno(), files={"describe-nat-gateways.json": nat_gateways((GATEWAY, NAT, "203.0.113.10"))}),
    answer(ok=9, rows=[
        prod("10.0.3.118", 9443, "webhook", KYVERNO, path=None, sent=(1, 10, 1000), replies=(9, 900), answered=1, rule="5", confidence="high",
             seen=("10:00:00", "10:00:10"), lines=in_log(2)),
        prod("10.0.9.40", 8443, "private", path=None, sent=(1, 8, 800), blocked=(1, 3, 180), replies=(7, 700), answered=1, rejected=1, rule="6",
             confidence="medium", seen=("10:01:00", "10:02:03"), lines=in_log(4, 6)),
        prod(LOGIN, 443, "internet", path=None, sent=(1, 4, 240), unanswered=1, rule="5", confidence="high",
             seen=("10:03:00", "10:03:07"), lines=in_log(7)),
    ], flows=[{
        "sql": "SELECT log_line, direction, peer_addr, initiator, initiator_rule FROM flows WHERE log_line IN (2, 3, 4, 9, 10) ORDER BY log_line",
        "rows": [
            {"log_line": 2, "direction": "egress", "peer_addr": "10.0.3.118", "initiator": "local", "initiator_rule": "5"},
            {"log_line": 3, "direction": "ingress", "peer_addr": "10.0.3.118", "initiator": "local", "initiator_rule": "5"},
            {"log_line": 4, "direction": "egress", "peer_addr": "10.0.9.40", "initiator": "local", "initiator_rule": "6"},
            {"log_line": 9, "direction": "ingress", "peer_addr": "10.0.3.4", "initiator": "peer", "initiator_rule": "4"},
            {"log_line": 10, "direction": "egress", "peer_addr": "10.0.3.4", "initiator": "peer", "initiator_rule": "4"}]}]),
)

PAIR = [  # one call to the webhook, and the node's records of the same packets
    out(A, 41001, "10.0.3.118", 9443, 3, 10, 1000, "10:00:00", "10:00:10"),
    back(A, 41001, "10.0.3.118", 9443, 19, 9, 2000, "10:00:00", "10:00:10"),
    back(PODS, 9443, "10.0.1.37", 41001, 3, 10, 1000, "10:00:00", "10:00:10", pkt_dstaddr="10.0.3.118"),
    out(PODS, 9443, "10.0.1.37", 41001, 19, 9, 2000, "10:00:00", "10:00:10", pkt_srcaddr="10.0.3.118"),
]

Case(
    "alphabetical",
    "The 29 fields of version 5 in alphabetical order: as many tokens as in AWS's order, so only the header tells which is which.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back (line 3) 9 and 2,000. Lines 4/5 are the pod's side of the same packets.",
    {"flows.log": text(ALPHABETICAL, PAIR)},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                            seen=("10:00:00", "10:00:10"), lines=in_log(2))],
           flows=[{"sql": "SELECT log_line, account_id, bytes, dstaddr, pkt_dstaddr, vpc_id FROM flows WHERE log_line IN (2, 4) ORDER BY log_line",
                   "rows": [{"log_line": 2, "account_id": ACCOUNT, "bytes": 1000, "dstaddr": "10.0.3.118", "pkt_dstaddr": "10.0.3.118", "vpc_id": VPC},
                            {"log_line": 4, "account_id": ACCOUNT, "bytes": 1000, "dstaddr": "10.0.3.100", "pkt_dstaddr": "10.0.3.118", "vpc_id": VPC}]}]),
)

Case(
    "parquet",
    "The records of `alphabetical` in AWS's order as Parquet, and a NODATA row: there missing numbers are null and missing strings are "
    "`-`.",
    "As in `alphabetical`: row 1 is 10 and 1,000, row 2 back is 9 and 2,000. Row 5 is NODATA. Rows of a Parquet file count from 1.",
    {"flows.log.parquet": lambda: parquet(V5, PAIR + [status(A, "NODATA", "10:01:00", "10:01:59")])},
    inventory(objects=kyverno()),
    answer(ok=4, nodata=1, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                                      seen=("10:00:00", "10:00:10"), lines=in_log(1, path="flows.log.parquet"))],
           flows=[{"sql": "SELECT log_line, log_status, srcaddr, bytes FROM flows WHERE log_line IN (1, 5) ORDER BY log_line",
                   "rows": [{"log_line": 1, "log_status": "OK", "srcaddr": "10.0.1.37", "bytes": 1000},
                            {"log_line": 5, "log_status": "NODATA", "srcaddr": None, "bytes": None}]}]),
    made="Parquet by pyarrow, gzip pages",
)

Case(
    "v11",
    "All 54 fields of version 11: the next hop names the NAT gateway's interface, so the path is known without the gateway's own records.",
    "198.51.100.80:443: line 2, 11 and 1,650, back 13 and 9,700, next hop of type nat_gateway. 10.0.3.118:9443: line 4, 10 and 1,000, "
    "back 9 and 2,000; its next hop is the pod's node in the same zone, which is no device: path `vpc`. Tag values are percent-encoded: the "
    "column keeps them so.",
    {"flows.log": text(V11, [
        out(A, 41001, LOGIN, 443, 3, 11, 1650, "10:00:00", "10:00:01", next_hop_interface_id=NAT.id, next_hop_subnet_id=NAT.subnet,
            next_hop_az_id=NAT.az_id, next_hop_vpc_id=VPC, next_hop_interface_type="nat_gateway", interface_tag="control%20plane"),
        back(A, 41001, LOGIN, 443, 19, 13, 9700, "10:00:00", "10:00:01", next_hop_interface_id=NAT.id, next_hop_subnet_id=NAT.subnet,
             next_hop_az_id=NAT.az_id, next_hop_vpc_id=VPC, next_hop_interface_type="nat_gateway", interface_tag="control%20plane"),
        out(A, 41002, "10.0.3.118", 9443, 3, 10, 1000, "10:01:00", "10:01:10", next_hop_interface_id=PODS.id, next_hop_subnet_id=PODS.subnet,
            next_hop_az_id=PODS.az_id, next_hop_vpc_id=VPC),
        back(A, 41002, "10.0.3.118", 9443, 19, 9, 2000, "10:01:00", "10:01:10", next_hop_interface_id=PODS.id, next_hop_subnet_id=PODS.subnet,
             next_hop_az_id=PODS.az_id, next_hop_vpc_id=VPC),
    ])},
    inventory(nat(NAT, GATEWAY), objects=kyverno(), files={"describe-nat-gateways.json": nat_gateways((GATEWAY, NAT, "203.0.113.10"))}),
    answer(ok=4, rows=[
        prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
             seen=("10:01:00", "10:01:10"), lines=in_log(4)),
        prod(LOGIN, 443, "internet", path=f"via {GATEWAY}", sent=(1, 11, 1650), replies=(13, 9700), answered=1,
             seen=("10:00:00", "10:00:01"), lines=in_log(2)),
    ], flows=[{"sql": "SELECT log_line, version, next_hop_interface_type, next_hop_az_id, ecs_task_id FROM flows WHERE log_line IN (2, 4) ORDER BY log_line",
               "rows": [{"log_line": 2, "version": 11, "next_hop_interface_type": "nat_gateway", "next_hop_az_id": "euc1-az2", "ecs_task_id": None},
                        {"log_line": 4, "version": 11, "next_hop_interface_type": None, "next_hop_az_id": "euc1-az2", "ecs_task_id": None}]},
              {"sql": "SELECT log_line, interface_tag AS raw, percent_decode(interface_tag) AS tag FROM flows WHERE interface_tag IS NOT NULL ORDER BY log_line",
               "rows": [{"log_line": 2, "raw": "control%20plane", "tag": "control plane"}, {"log_line": 3, "raw": "control%20plane", "tag": "control plane"}]}]),
)

Case(
    "future-field",
    "A field that no known version has (`hops`, as a version 12 might add): it is kept in `extra`, and the file is read.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back 9 and 2,000.",
    {"flows.log": text(SHORT + ["hops"], [one | {"version": 12, "hops": 3} for one in PAIR[:2]])},
    inventory(objects=kyverno()),
    answer(ok=2, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                            seen=("10:00:00", "10:00:10"), lines=in_log(2))],
           flows=[{"sql": "SELECT log_line, version, extra['hops'] AS hops FROM flows ORDER BY log_line",
                   "rows": [{"log_line": 2, "version": 12, "hops": "3"}, {"log_line": 3, "version": 12, "hops": "3"}]}]),
)

Case(
    "ms-timestamps",
    "Times of 13 digits are milliseconds: an OK record and a SKIPDATA line.",
    "10.0.9.40:8443: lines 2 and 4, 10 + 11 = 21 packets, 1,000 + 1,100 = 2,100 bytes, back 9 + 12 = 21 and 900 + 1,200 = 2,100; line 2 "
    "counts as 10:00:00 to 10:00:30 (…600123 and …630456 ms).",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.9.40", 8443, 3, 10, 1000, "10:00:00", "10:00:30") | {"start": 1790848800123, "end": 1790848830456},
        back(A, 41001, "10.0.9.40", 8443, 19, 9, 900, "10:00:00", "10:00:30") | {"start": 1790848800123, "end": 1790848830456},
        out(A, 41002, "10.0.9.40", 8443, 3, 11, 1100, "10:01:00", "10:01:30"),
        back(A, 41002, "10.0.9.40", 8443, 19, 12, 1200, "10:01:00", "10:01:30"),
        status(A, "SKIPDATA", "10:02:00", "10:02:00") | {"start": 1790848920000, "end": 1790848920000},
    ])},
    inventory(),
    answer(ok=4, skipdata=1, rows=[
        prod("10.0.9.40", 8443, "private", sent=(2, 21, 2100), replies=(21, 2100), answered=2, seen=("10:00:00", "10:01:30"), lines=in_log(2, 4)),
    ], flows=[{"sql": "SELECT log_line, \"start\", \"end\" FROM flows WHERE log_line IN (2, 6) ORDER BY log_line",
               "rows": [{"log_line": 2, "start": 1790848800, "end": 1790848830}, {"log_line": 6, "start": 1790848920, "end": 1790848920}]}]),
)

Case(
    "unknown-account",
    "`account-id` may be `unknown`, `interface-id` may be `-` (regional NAT gateway): neither stops a run, neither is guessed.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back 9 and 2,000; the row's account is the cluster's. Lines 4/5 have no interface: OK "
    "records of nobody.",
    {"flows.log": text(ADVISED, [one | {"account-id": "unknown"} for one in PAIR[:2]]
                       + [one | {"interface-id": "-", "subnet-id": "-", "account-id": "000011112222"} for one in PAIR[:2]])},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                            seen=("10:00:00", "10:00:10"), lines=in_log(2))],
           flows=[{"sql": "SELECT log_line, account_id, interface_id FROM flows WHERE log_line IN (2, 4) ORDER BY log_line",
                   "rows": [{"log_line": 2, "account_id": "unknown", "interface_id": A.id},
                            {"log_line": 4, "account_id": "000011112222", "interface_id": None}]}]),
)

# --- files and objects ------------------------------------------------------------------------------------------------------------

LATER = [  # a second call
    out(A, 41002, "10.0.3.118", 9443, 3, 20, 3000, "10:40:00", "10:40:10"),
    back(A, 41002, "10.0.3.118", 9443, 19, 19, 4000, "10:40:00", "10:40:10"),
]
FL_A, FL_B, FL_C = "fl-0aaa0000000000001", "fl-0bbb0000000000002", "fl-0ccc0000000000003"
BOTH = {"sent": (2, 30, 4000), "replies": (28, 6000), "answered": 2, "seen": ("10:00:00", "10:40:10")}

Case(
    "overlapping-flow-logs",
    "A flow log of the VPC (28 fields) and one of the subnet (default format) write the same two calls: each call counts once.",
    "In hour 10 the ranges of both ids overlap (10:00:00 to 10:40:10 each), so the one with more fields counts: line 2 of its two objects, 10 + "
    "20 = 30 packets, 1,000 + 3,000 = 4,000 bytes, back 9 + 19 = 28 and 2,000 + 4,000 = 6,000. The other's 4 records are duplicates: 8 "
    "OK in all.",
    {s3_key(FL_A, "1000"): packed(text(ADVISED, PAIR[:2])), s3_key(FL_A, "1040"): packed(text(ADVISED, LATER)),
     s3_key(FL_B, "1000"): packed(text(V2, PAIR[:2])), s3_key(FL_B, "1040"): packed(text(V2, LATER))},
    inventory(objects=kyverno(), files={"describe-flow-logs.json": flow_logs(
        (FL_A, VPC, ADVISED, "2026-01-15T09:00:00+00:00"), (FL_B, A.subnet, V2, "2026-03-01T09:00:00+00:00"))}),
    answer(ok=8, duplicate=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO,
                                         lines=(f"logs/{s3_key(FL_A, '1000')}:2", f"logs/{s3_key(FL_A, '1040')}:2"), **BOTH)]),
    made="text, gzip, AWS's keys",
)

OLD_LOG, NEW_LOG = s3_key(FL_C, "1000"), s3_key(FL_A, "1040")

Case(
    "replaced-flow-log",
    "A flow log is deleted and a richer one created in the same hour: both count, because their times do not overlap.",
    "The old one has the first call (10:00:00 to 10:00:10, rule 5 for want of flags), the new one the second (10:40:00, rule 1): 30 "
    "packets and 4,000 bytes, back 28 and 6,000, as above; no duplicates.",
    {OLD_LOG: packed(text(V2, PAIR[:2])), NEW_LOG: packed(text(ADVISED, LATER))},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, rule="1,5", confidence="high",
                            lines=(f"logs/{OLD_LOG}:2", f"logs/{NEW_LOG}:2"), **BOTH)]),
    made="text, gzip, AWS's keys",
)

HIVE = (f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region={REGION}/year=2026/month=10/day=01/hour=10/"
        f"{ACCOUNT}_vpcflowlogs_{REGION}_{FL_A}_20261001T1000Z_00000000.log.gz")
HOURLY = (f"AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/2026/10/01/10/{ACCOUNT}_vpcflowlogs_{REGION}_{FL_A}_20261001T1040Z_00000001.log.gz")

Case(
    "hive-and-hourly-keys",
    "The same flow log under Hive-compatible hourly keys, then under plain hourly ones: the layout is found per object, the id comes "
    "from the name.",
    "The first call lies in the Hive object, the second in the plain one: 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000.",
    {HIVE: packed(text(ADVISED, PAIR[:2])), HOURLY: packed(text(ADVISED, LATER))},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=(f"logs/{HIVE}:2", f"logs/{HOURLY}:2"), **BOTH)],
           flows=[{"sql": "SELECT flow_log_id, srcport FROM flows WHERE direction = 'egress' ORDER BY srcport",
                   "rows": [{"flow_log_id": FL_A, "srcport": 41001}, {"flow_log_id": FL_A, "srcport": 41002}]}]),
    made="text, gzip, AWS's keys",
)

Case(
    "multi-member-gzip",
    "Two gzip members in one object, each with its own header: all members are read, and the second header is no record.",
    "Decompressed, lines 1 and 4 are headers: the calls are lines 2/3 and 5/6. 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000.",
    {"flows.log.gz": packed(text(SHORT, PAIR[:2])) + packed(text(SHORT, LATER))},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=in_log(2, 5, "flows.log.gz"), **BOTH)]),
    made="text, two gzip members",
)

Case(
    "truncated-gzip",
    "An object that ends in the middle of its second gzip member: the first member's records count, the answer says that it is "
    "incomplete, exit code 4.",
    "The cut leaves 14 bytes of the second member (its 10-byte header and nothing that can be inflated): only the first call counts, 10 "
    "and 1,000, back 9 and 2,000.",
    {"flows.log.gz": packed(text(SHORT, PAIR[:2])) + packed(text(SHORT, LATER))[:14]},
    inventory(objects=kyverno()),
    answer(ok=2, exit_code=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                                         seen=("10:00:00", "10:00:10"), lines=in_log(2, path="flows.log.gz"))]),
    made="text, gzip, cut",
)

Case(
    "rejects",
    "Lines that are no records: each is kept with its place and reason, none shifts a column, and the records around them count.",
    "Lines 2/3 and 12/13 are good: 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000. Lines 4 to 11 are rejected: 8. Rejects alone "
    "leave exit code 0.",
    {"flows.log": text(SHORT, [
        *PAIR[:2],
        "bogus line",
        line(SHORT, PAIR[0]) + " 17",
        PAIR[0] | {"log-status": "MAYBE"},
        PAIR[0] | {"bytes": "12x4"},
        out(A, 41003, "10.0.999.1", 9443, 3, 1, 60, "10:01:00", "10:01:01"),
        PAIR[0] | {"action": "PERHAPS"},
        "NOT-TEXT",
        PAIR[0] | {"packets": "99999999999999999999"},
        *LATER,
    ]).replace(b"NOT-TEXT", b"\xff\xfe\x80\x81")},
    inventory(objects=kyverno()),
    answer(ok=4, rejected=8, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=in_log(2, 12), **BOTH)],
           rejects=[{"object": "logs/flows.log", "line": number, "reason": reason} for number, reason in [
               (4, "too-few-fields"), (5, "too-many-fields"), (6, "bad-status"), (7, "bad-number"), (8, "bad-address"), (9, "bad-action"),
               (10, "not-text"), (11, "bad-number")]]),
)

Case(
    "no-header",
    "Logs without a header. Fourteen fields that fit the default format are read as such; 29 fields could be in any order and are "
    "rejected.",
    "default.log: 10.0.3.118:9443, line 1, 10 and 1,000, back 9 and 2,000 (no flags: rule 5). custom.log: 2 lines rejected, so nothing of that "
    "object was read: exit code 4.",
    {"default.log": bare(V2, PAIR[:2]), "custom.log": bare(V5, LATER)},
    inventory(objects=kyverno()),
    answer(ok=2, rejected=2, exit_code=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, path=None, sent=(1, 10, 1000), replies=(9, 2000), answered=1, rule="5",
                                        confidence="high", seen=("10:00:00", "10:00:10"), lines=in_log(1, path="default.log"))],
           rejects=[{"object": "logs/custom.log", "line": 1, "reason": "no-header"}, {"object": "logs/custom.log", "line": 2, "reason": "no-header"}]),
)

Case(
    "odd-text",
    "Byte order mark, CR LF, trailing and doubled spaces, blank lines, a second header with another order in mid-file, no newline at "
    "the end.",
    "Line 1 is the header after the mark, lines 4 and 6 are blank, line 5 is a header in alphabetical order. The calls are lines 2/3 "
    "and 7/8: 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000.",
    {"flows.log": b"\xef\xbb\xbf" + text(SHORT, [
        PAIR[0], line(SHORT, PAIR[1]).replace(" 19 ", "  19 ") + "  ", "", " ".join(ALPHABETICAL), "",
        *(line(ALPHABETICAL, one) for one in LATER)]).replace(b"\n", b"\r\n").removesuffix(b"\r\n")},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=in_log(2, 7), **BOTH)]),
)

Case(
    "header-only",
    "A file that holds nothing but a header is a valid log without records.",
    "Only flows.log has records: line 2, 10 and 1,000, back 9 and 2,000.",
    {"empty.log": text(SHORT, []), "flows.log": text(SHORT, PAIR[:2])},
    inventory(objects=kyverno()),
    answer(ok=2, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                            seen=("10:00:00", "10:00:10"), lines=in_log(2))]),
)

Case(
    "window",
    "A record belongs to the window by its start, from ≤ start < to; nothing is clipped. Run with --from 10:10 --to 10:20.",
    "Lines 3 (starts at 10:10:00) and 5 (starts at 10:19:59, ends after the window) are inside: 20 + 30 = 50 packets, 2,000 + 3,000 = "
    "5,000 bytes, back 21 + 31 = 52 and 2,100 + 3,100 = 5,200. Outside: lines 2 (10:05:00) and 7 (10:20:00). Line 8 is NODATA without a "
    "start: it belongs to every window.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.9.40", 8443, 2, 10, 1000, "10:05:00", "10:05:30"),
        out(A, 41002, "10.0.9.40", 8443, 3, 20, 2000, "10:10:00", "10:10:30"),
        back(A, 41002, "10.0.9.40", 8443, 19, 21, 2100, "10:10:00", "10:10:30"),
        out(A, 41003, "10.0.9.40", 8443, 3, 30, 3000, "10:19:59", "10:20:40"),
        back(A, 41003, "10.0.9.40", 8443, 19, 31, 3100, "10:19:59", "10:20:40"),
        out(A, 41004, "10.0.9.40", 8443, 2, 40, 4000, "10:20:00", "10:20:30"),
        status(A, "NODATA", "10:12:00", "10:12:59") | {"start": "-", "end": "-"},
    ])},
    inventory(),
    answer(ok=4, nodata=1, outside_window=2, args=["--from", "2026-10-01T10:10:00Z", "--to", "2026-10-01T10:20:00Z"], rows=[
        prod("10.0.9.40", 8443, "private", sent=(2, 50, 5000), replies=(52, 5200), answered=2, seen=("10:10:00", "10:20:40"), lines=in_log(3, 5)),
    ]),
)

TRANSIT = (
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id "
    "tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport "
    "protocol packets bytes start end log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded "
    "packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service"
).split()

def transit(from_az, to_az, packets, octets, clock, **other):
    """A record of a transit gateway: client 10.0.1.37:41001 in one VPC, server 10.70.3.5:8443 in another, or back."""
    ends = [("0aaa0000000000001", VPC, "subnet-0eee0000000000005", "eni-07900000000000001", "10.0.1.37", 41001),
            ("0bbb0000000000002", "vpc-0c0de000000000002", "subnet-0fff0000000000006", "eni-07900000000000002", "10.70.3.5", 8443)]
    (attachment, *src), (pair, *dst) = ends if other.pop("forth", True) else ends[::-1]
    sides = {f"{name.format(side)}": value for side, end in (("src", src), ("dst", dst)) for name, value in zip(
        ("tgw-{}-vpc-id", "tgw-{}-subnet-id", "tgw-{}-eni", "{}addr", "{}port"), end)}
    return sides | {
        "version": 6, "resource-type": "TransitGateway", "account-id": ACCOUNT, "tgw-id": "tgw-0123456789abcdef0",
        "tgw-attachment-id": f"tgw-attach-{attachment}", "tgw-pair-attachment-id": f"tgw-attach-{pair}", "tgw-src-vpc-account-id": ACCOUNT,
        "tgw-dst-vpc-account-id": ACCOUNT, "tgw-src-az-id": from_az, "tgw-dst-az-id": to_az, "protocol": 6, "packets": packets, "bytes": octets,
        "start": epoch(f"{clock}:00"), "end": epoch(f"{clock}:10"), "log-status": "OK", "type": "IPv4", "packets-lost-no-route": 0,
        "packets-lost-blackhole": 0, "packets-lost-mtu-exceeded": 0, "packets-lost-ttl-expired": 0, "tcp-flags": 3, "region": REGION,
        "flow-direction": "ingress"} | {name.replace("_", "-"): value for name, value in other.items()}


Case(
    "transit-gateway-format",
    "A transit gateway's own flow log (36 fields, version 6) beside a VPC's: told apart by the header, counted apart, and never mixed: it has a "
    "table of its own, `tgw_flows`.",
    "10.70.3.5:8443: vpc.log line 2, 10 and 1,000, back 9 and 2,000. transit.log has one record of the same packets: 2 rows in `flows`, 1 in "
    "`tgw_flows`, 1 counted as `transit_gateway`, no reject.",
    {"vpc.log": text(SHORT, [
        out(A, 41001, "10.70.3.5", 8443, 3, 10, 1000, "10:00:00", "10:00:10"),
        back(A, 41001, "10.70.3.5", 8443, 19, 9, 2000, "10:00:00", "10:00:10")]),
     "transit.log": text(TRANSIT, [transit("euc1-az3", "euc1-az2", 10, 1000, "10:00")])},
    inventory(),
    answer(ok=2, transit_gateway=1, rows=[
        without(prod("10.70.3.5", 8443, "private", sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                     seen=("10:00:00", "10:00:10"), lines=in_log(2, path="vpc.log")), "path"),
    ], flows=[
        {"sql": "SELECT count(*) AS n FROM flows", "rows": [{"n": 2}]},
        {"sql": "SELECT log_line, version, resource_type, account_id, tgw_id, tgw_src_az_id, tgw_dst_az_id, srcaddr, srcport, dstaddr, dstport, bytes, "
                "start_time, log_status, packets_lost_no_route, tcp_flags, flow_direction, pkt_src_aws_service, flow_log_id FROM tgw_flows",
         "rows": [{"log_line": 2, "version": 6, "resource_type": "TransitGateway", "account_id": ACCOUNT, "tgw_id": "tgw-0123456789abcdef0",
                   "tgw_src_az_id": "euc1-az3", "tgw_dst_az_id": "euc1-az2", "srcaddr": "10.0.1.37", "srcport": 41001, "dstaddr": "10.70.3.5",
                   "dstport": 8443, "bytes": 1000, "start_time": "2026-10-01T10:00:00Z", "log_status": "OK", "packets_lost_no_route": 0,
                   "tcp_flags": 3, "flow_direction": "ingress", "pkt_src_aws_service": None, "flow_log_id": None}]},
        {"sql": "SELECT split_part(log_object, '/logs/', 2) AS object, records_ok, records_rejected, records_transit_gateway FROM objects ORDER BY 1",
         "rows": [{"object": "transit.log", "records_ok": 0, "records_rejected": 0, "records_transit_gateway": 1},
                  {"object": "vpc.log", "records_ok": 2, "records_rejected": 0, "records_transit_gateway": 0}]}]),
)

GATEWAY_LOG, VPC_LOG, BOTH_LOG = s3_key(FL_B, "1000"), s3_key(FL_A, "1000"), s3_key(FL_A, "1020")
GATEWAY_HIVE = (f"AWSLogs/aws-account-id={ACCOUNT}/service=vpcflowlogs/aws-region={REGION}/year=2026/month=10/day=01/"
                f"{ACCOUNT}_vpcflowlogs_{REGION}_{FL_C}_20261001T1010Z_00000000.log.parquet")
GATEWAY_FIELDS = "tgw-dst-az-id tgw-src-az-id bytes packets start end log-status packets-lost-blackhole tgw-id hops".split()

Case(
    "transit-gateway-logs",
    "Logs of a VPC and of a transit gateway under one prefix, as AWS delivers both: the gateway's as text in the default and in a custom format "
    "(with a field nobody knows), as Parquet under the Hive key of its own page (`service=`), and behind a VPC header in mid-file.",
    "VPC: lines 2/3 of the first and of the last object, 10 + 20 = 30 packets, 4,000 bytes, back 28 and 6,000. Gateway: az3 → az2 1,000 (text) + "
    "500 (custom) + 700 (Parquet) = 2,200 bytes in 10 + 5 + 7 = 22 packets, 0 + 2 + 1 = 3 more lost in a black hole; az2 → az3 2,000 in 9; within az2 300 in 3, "
    "4 more lost for want of a route, 1 by MTU: 5 records.",
    {VPC_LOG: packed(text(ADVISED, PAIR[:2])),
     GATEWAY_LOG: packed(text(TRANSIT, [
         transit("euc1-az3", "euc1-az2", 10, 1000, "10:00"),
         transit("euc1-az2", "euc1-az3", 9, 2000, "10:00", forth=False, tcp_flags=19, flow_direction="egress")])),
     GATEWAY_HIVE: lambda: parquet(TRANSIT, [transit("euc1-az3", "euc1-az2", 7, 700, "10:10", packets_lost_blackhole=1, tcp_flags="-")]),
     BOTH_LOG: packed(text(ADVISED, LATER) + text(TRANSIT, [
         transit("euc1-az2", "euc1-az2", 3, 300, "10:20", packets_lost_no_route=4, packets_lost_mtu_exceeded=1)])
         + text(GATEWAY_FIELDS, [transit("euc1-az3", "euc1-az2", 5, 500, "10:20", packets_lost_blackhole=2, hops=3)]))},
    inventory(objects=kyverno()),
    answer(ok=4, transit_gateway=5, rows=[
        prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=(f"logs/{VPC_LOG}:2", f"logs/{BOTH_LOG}:2"), **BOTH),
    ], flows=[
        {"sql": "SELECT tgw_src_az_id, tgw_dst_az_id, count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes, "
                "sum(packets_lost_blackhole) AS blackhole, sum(packets_lost_no_route) AS no_route, sum(packets_lost_mtu_exceeded) AS mtu FROM tgw_flows "
                "GROUP BY tgw_src_az_id, tgw_dst_az_id ORDER BY bytes DESC",
         "rows": [{"tgw_src_az_id": "euc1-az3", "tgw_dst_az_id": "euc1-az2", "records": 3, "packets": 22, "bytes": 2200, "blackhole": 3, "no_route": 0,
                   "mtu": 0},
                  {"tgw_src_az_id": "euc1-az2", "tgw_dst_az_id": "euc1-az3", "records": 1, "packets": 9, "bytes": 2000, "blackhole": 0, "no_route": 0,
                   "mtu": 0},
                  {"tgw_src_az_id": "euc1-az2", "tgw_dst_az_id": "euc1-az2", "records": 1, "packets": 3, "bytes": 300, "blackhole": 0, "no_route": 4,
                   "mtu": 1}]},
        {"sql": "SELECT flow_log_id, log_line, srcaddr, tcp_flags, \"end\" - \"start\" AS seconds, extra['hops'] AS hops FROM tgw_flows "
                "ORDER BY flow_log_id, log_line",
         "rows": [{"flow_log_id": FL_A, "log_line": 5, "srcaddr": "10.0.1.37", "tcp_flags": 3, "seconds": 10, "hops": None},
                  {"flow_log_id": FL_A, "log_line": 7, "srcaddr": None, "tcp_flags": None, "seconds": 10, "hops": "3"},
                  {"flow_log_id": FL_B, "log_line": 2, "srcaddr": "10.0.1.37", "tcp_flags": 3, "seconds": 10, "hops": None},
                  {"flow_log_id": FL_B, "log_line": 3, "srcaddr": "10.70.3.5", "tcp_flags": 19, "seconds": 10, "hops": None},
                  {"flow_log_id": FL_C, "log_line": 1, "srcaddr": "10.0.1.37", "tcp_flags": None, "seconds": 10, "hops": None}]}]),
    made="text, gzip, and Parquet by pyarrow; AWS's keys",
)

Case(
    "repeated-header",
    "A header forwarded as if it were a record: twice at the top, again in front of every record, and with another layout after blank lines.",
    "Headers are lines 1, 2, 4, 8 and 11, blank are lines 6 and 7. The calls are lines 3/5 and, in the default format, 9/10: 10 + 20 = 30 packets, "
    "4,000 bytes, back 28 and 6,000. The second has no flags: rule 5.",
    {"flows.log": text(SHORT, [" ".join(SHORT), PAIR[0], " ".join(SHORT), PAIR[1], "", "", " ".join(V2), *(line(V2, one) for one in LATER),
                               " ".join(ALPHABETICAL)])},
    inventory(objects=kyverno()),
    answer(ok=4, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, rule="1,5", confidence="high", lines=in_log(3, 9), **BOTH)],
           flows=[{"sql": "SELECT lines, headers, blanks, records_ok FROM objects",
                   "rows": [{"lines": 11, "headers": 5, "blanks": 2, "records_ok": 4}]},
                  {"sql": "SELECT log_line, tcp_flags, bytes FROM flows ORDER BY log_line",
                   "rows": [{"log_line": n, "tcp_flags": flags, "bytes": octets} for n, flags, octets in (
                       (3, 3, 1000), (5, 19, 2000), (9, None, 3000), (10, None, 4000))]}]),
)

Case(
    "odd-values",
    "Values that do not go together: `version` 3 over fields of version 5, a NODATA record with addresses and bytes, an `end` before its `start`, "
    "start = end, percent-encoded tags.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back 9 and 2,000. Line 4 says NODATA: counted as that, its fields kept, nothing summed. Lines 5 and 6 "
    "are a node's: -5 and 0 seconds, both OK records, one inversion. `interface-tag` keeps AWS's encoding.",
    {"flows.log": text(V5 + ["interface-tag"], [
        *(one | {"version": 3} for one in PAIR[:2]),
        PAIR[0] | {"version": 3, "log-status": "NODATA"},
        out(NODE, 51001, "10.0.9.40", 8443, 3, 5, 500, "10:02:10", "10:02:05", version=11, interface_tag="a%20b%2Bc%C3%A9"),
        back(NODE, 51001, "10.0.9.40", 8443, 19, 4, 900, "10:02:10", "10:02:10", version=11),
    ])},
    inventory(objects=kyverno()),
    answer(ok=4, nodata=1, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                                      seen=("10:00:00", "10:00:10"), lines=in_log(2))],
           flows=[{"sql": "SELECT log_line, version, log_status, dstaddr, bytes, flow_direction, \"end\" - \"start\" AS seconds, interface_tag FROM flows "
                          "WHERE log_line > 2 ORDER BY log_line",
                   "rows": [
                       {"log_line": 3, "version": 3, "log_status": "OK", "dstaddr": "10.0.1.37", "bytes": 2000, "flow_direction": "ingress",
                        "seconds": 10, "interface_tag": None},
                       {"log_line": 4, "version": 3, "log_status": "NODATA", "dstaddr": "10.0.3.118", "bytes": 1000, "flow_direction": "egress",
                        "seconds": 10, "interface_tag": None},
                       {"log_line": 5, "version": 11, "log_status": "OK", "dstaddr": "10.0.9.40", "bytes": 500, "flow_direction": "egress",
                        "seconds": -5, "interface_tag": "a%20b%2Bc%C3%A9"},
                       {"log_line": 6, "version": 11, "log_status": "OK", "dstaddr": "10.0.3.4", "bytes": 900, "flow_direction": "ingress",
                        "seconds": 0, "interface_tag": None}]},
                  {"sql": "SELECT records_ok, records_nodata, inversions FROM objects", "rows": [{"records_ok": 4, "records_nodata": 1, "inversions": 1}]}]),
)

THIRD = [  # and a third
    out(A, 41003, "10.0.3.118", 9443, 3, 30, 5000, "10:50:00", "10:50:10"),
    back(A, 41003, "10.0.3.118", 9443, 19, 29, 6000, "10:50:00", "10:50:10"),
]
ALL_THREE = {"sent": (3, 60, 9000), "replies": (57, 12000), "answered": 3, "seen": ("10:00:00", "10:50:10")}

Case(
    "wrong-suffixes",
    "Gzip named `.log`, plain text named `.log.gz`, Parquet named `.log.gz`: what a file is stands in its first bytes, not in its name.",
    "Three calls, one in each file: 10 + 20 + 30 = 60 packets, 1,000 + 3,000 + 5,000 = 9,000 bytes, back 9 + 19 + 29 = 57 and 2,000 + 4,000 + 6,000 "
    "= 12,000.",
    {"gzip.log": packed(text(SHORT, PAIR[:2])), "text.log.gz": text(SHORT, LATER), "parquet.log.gz": lambda: parquet(SHORT, THIRD)},
    inventory(objects=kyverno()),
    answer(ok=6, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, lines=("logs/gzip.log:2", "logs/parquet.log.gz:1"), **ALL_THREE)],
           flows=[{"sql": "SELECT split_part(log_object, '/logs/', 2) AS object, encoding, shape, records_ok FROM objects ORDER BY 1",
                   "rows": [{"object": "gzip.log", "encoding": "gzip", "shape": "text", "records_ok": 2},
                            {"object": "parquet.log.gz", "encoding": "parquet", "shape": "parquet", "records_ok": 2},
                            {"object": "text.log.gz", "encoding": "plain", "shape": "text", "records_ok": 2}]}]),
    made="text, gzip, and Parquet by pyarrow",
)

# --- clusters ---------------------------------------------------------------------------------------------------------------------

ISOLATED = Eni("eni-0a400000000000001", "10.0.1.81")
STRANGE = Eni("eni-0a500000000000001", "10.0.1.82")
SILENT = Eni("eni-0a600000000000001", "10.0.1.83")

Case(
    "egress-modes",
    "Modes that say nothing about visibility: the undocumented CUSTOMER_ISOLATED, a string nobody knows, a missing key. Traffic is "
    "reported all the same.",
    "One call per cluster to 10.0.9.40:8443: isolated line 2 (10 and 1,000, back 9 and 900), strange line 4 (11 and 1,100, back 10 and "
    "1,000), silent line 6 (12 and 1,200, back 11 and 1,100).",
    {"flows.log": text(SHORT, [
        one for number, eni in enumerate((ISOLATED, STRANGE, SILENT)) for one in (
            out(eni, 41001, "10.0.9.40", 8443, 3, 10 + number, 1000 + 100 * number, f"10:0{number}:00", f"10:0{number}:10"),
            back(eni, 41001, "10.0.9.40", 8443, 19, 9 + number, 900 + 100 * number, f"10:0{number}:00", f"10:0{number}:10"))])},
    inventory(control_plane(ISOLATED, "isolated"), control_plane(STRANGE, "strange"), control_plane(SILENT, "silent"), own=(),
              clusters=[cluster("isolated", "CUSTOMER_ISOLATED"), cluster("strange", "CUSTOMER_TELEPATHY"), cluster("silent", None)]),
    answer(ok=6, rows=[
        row("isolated", "10.0.9.40", 8443, "private", sent=(1, 10, 1000), replies=(9, 900), answered=1, seen=("10:00:00", "10:00:10"), lines=in_log(2)),
        row("strange", "10.0.9.40", 8443, "private", sent=(1, 11, 1100), replies=(10, 1000), answered=1, seen=("10:01:00", "10:01:10"), lines=in_log(4)),
        row("silent", "10.0.9.40", 8443, "private", sent=(1, 12, 1200), replies=(11, 1100), answered=1, seen=("10:02:00", "10:02:10"), lines=in_log(6)),
    ]),
)

IMPOSTOR = Eni("eni-0bad0000000000001", "10.0.3.66", "subnet-0ccc0000000000003", instance="i-0bad0000000000001")

Case(
    "spoofed-description",
    "Anyone can call an interface `Amazon EKS prod`. This one hangs on an instance of the account itself, in a subnet the cluster does "
    "not use.",
    "10.0.3.118:9443: line 2, 10 and 1,000, back 9 and 2,000. Line 4, from the impostor, is no egress of prod.",
    {"flows.log": text(SHORT, PAIR[:2] + [out(IMPOSTOR, 41001, "203.0.113.66", 443, 2, 5, 500, "10:02:00", "10:02:10", traffic_path=8)])},
    inventory(interface(IMPOSTOR, "Amazon EKS prod"), objects=kyverno()),
    answer(ok=3, rows=[prod("10.0.3.118", 9443, "webhook", KYVERNO, sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                            seen=("10:00:00", "10:00:10"), lines=in_log(2))]),
)

SECOND = Eni("eni-0a900000000000001", "10.0.9.31", "subnet-0eee0000000000005", "eu-central-1b", "euc1-az3")

Case(
    "recreated-cluster",
    "`prod` is deleted and created again at 10:30 under the same name and ARN, in another subnet. Each interface belongs to the cluster of its own time.",
    "Before: 10.0.3.118:9443, line 2, 10 and 1,000, back 9 and 900. After: 10.0.9.40:8443, line 4, 11 and 1,100, back 10 and 1,000. The first interface "
    "lies in a subnet that the second `prod` does not use: it counts all the same.",
    {"flows.log": text(SHORT, [
        out(A, 41001, "10.0.3.118", 9443, 3, 10, 1000, "09:30:00", "09:30:10"),
        back(A, 41001, "10.0.3.118", 9443, 19, 9, 900, "09:30:00", "09:30:10"),
        out(SECOND, 41001, "10.0.9.40", 8443, 3, 11, 1100, "12:30:00", "12:30:10"),
        back(SECOND, 41001, "10.0.9.40", 8443, 19, 10, 1000, "12:30:00", "12:30:10"),
    ])},
    inventory(own=(A,), objects=kyverno(), when="2026-10-01T090000Z")
    | inventory(control_plane(SECOND, "prod", attached="2026-10-01T10:38:00+00:00"), own=(), when="2026-10-01T120000Z",
                objects=[webhook("Validating", "images", url="https://10.0.9.40:8443/check")],
                clusters=[cluster("prod", subnet_ids=["subnet-0eee0000000000005"], created="2026-10-01T10:30:00.000000+00:00")]),
    answer(ok=4, rows=[
        without(prod("10.0.3.118", 9443, sent=(1, 10, 1000), replies=(9, 900), answered=1, seen=("09:30:00", "09:30:10"), lines=in_log(2)),
                "dst_kind", "dst_name"),
        prod("10.0.9.40", 8443, "webhook", "validatingwebhookconfiguration/images", sent=(1, 11, 1100), replies=(10, 1000), answered=1,
             seen=("12:30:00", "12:30:10"), lines=in_log(4)),
    ]),
)

# --- AWS's documented samples, in our own values -------------------------------------------------------------------------------------

NAT_SAMPLE = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr".split()

Case(
    "aws-sample-nat",
    "\"Traffic through a NAT gateway\" (flow-logs-records-examples): six fields only, instance → gateway → internet and back. Direction "
    "comes from addresses.",
    "Nothing here is control-plane traffic: 6 OK records, no rows. The gateway's lines 3 to 6 are client → gateway (`pkt-dstaddr` is "
    "the remote), gateway → remote, remote → gateway, gateway → client (`pkt-srcaddr` is the remote).",
    {"flows.log": text(NAT_SAMPLE, [
        f"{NODE.instance} {NODE.id} 10.0.3.4 198.51.100.7 10.0.3.4 198.51.100.7",
        f"- {NAT.id} 10.0.3.4 10.0.0.12 10.0.3.4 198.51.100.7",
        f"- {NAT.id} 10.0.0.12 198.51.100.7 10.0.0.12 198.51.100.7",
        f"- {NAT.id} 198.51.100.7 10.0.0.12 198.51.100.7 10.0.0.12",
        f"- {NAT.id} 10.0.0.12 10.0.3.4 198.51.100.7 10.0.3.4",
        f"{NODE.instance} {NODE.id} 198.51.100.7 10.0.3.4 198.51.100.7 10.0.3.4",
    ])},
    inventory(nat(NAT, GATEWAY), objects=[kube_node(NODE_NAME, "10.0.3.4", NODE.instance)],
              files={"describe-nat-gateways.json": nat_gateways((GATEWAY, NAT, "203.0.113.10"))}),
    answer(ok=6, flows=[{
        "sql": "SELECT log_line, instance_id, interface_kind, direction, peer_addr, bytes FROM flows ORDER BY log_line",
        "rows": [
            {"log_line": 2, "instance_id": NODE.instance, "interface_kind": "eks-node", "direction": "egress", "peer_addr": "198.51.100.7", "bytes": None},
            {"log_line": 3, "instance_id": None, "interface_kind": "nat-gateway", "direction": "ingress", "peer_addr": "10.0.3.4", "bytes": None},
            {"log_line": 4, "instance_id": None, "interface_kind": "nat-gateway", "direction": "egress", "peer_addr": "198.51.100.7", "bytes": None},
            {"log_line": 5, "instance_id": None, "interface_kind": "nat-gateway", "direction": "ingress", "peer_addr": "198.51.100.7", "bytes": None},
            {"log_line": 6, "instance_id": None, "interface_kind": "nat-gateway", "direction": "egress", "peer_addr": "10.0.3.4", "bytes": None},
            {"log_line": 7, "instance_id": NODE.instance, "interface_kind": "eks-node", "direction": "ingress", "peer_addr": "198.51.100.7",
             "bytes": None}]}]),
)

VPC_2 = "vpc-0c0de000000000002"
TGW_1 = Eni("eni-07900000000000001", "10.0.9.70", "subnet-0eee0000000000005", "eu-central-1b", "euc1-az3")
TGW_2 = Eni("eni-07900000000000002", "10.70.0.9", "subnet-0fff0000000000006", "eu-central-1a", "euc1-az2", vpc=VPC_2)
TGW_SAMPLE = ("interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr srcport dstport protocol tcp-flags packets bytes start end action "
              "log-status").split()


def gateway_eni(eni, attachment):
    return interface(eni, f"Network Interface for Transit Gateway Attachment {attachment}", "transit_gateway", requester="AROAEXAMPLEROLEID0004:tgw",
                     requester_managed=True, owner="amazon-aws")


Case(
    "aws-sample-transit-gateway",
    "\"Traffic through a transit gateway\" (flow-logs-records-examples): at the attachment in the other VPC the request comes from the "
    "attachment's own address and the reply goes to it; `pkt-*` keep the real ends.",
    "10.70.3.5:8443: line 2 only, 10 and 1,000, back (line 7) 9 and 2,000. Lines 3 to 6 are the same packets at the attachments.",
    {"flows.log": text(TGW_SAMPLE, [
        out(A, 41001, "10.70.3.5", 8443, 3, 10, 1000, "10:00:00", "10:00:10"),
        back(TGW_1, 8443, "10.0.1.37", 41001, 3, 10, 1000, "10:00:00", "10:00:10", pkt_dstaddr="10.70.3.5"),
        out(TGW_2, 41001, "10.70.3.5", 8443, 3, 10, 1000, "10:00:00", "10:00:10", pkt_srcaddr="10.0.1.37"),
        back(TGW_2, 41001, "10.70.3.5", 8443, 19, 9, 2000, "10:00:00", "10:00:10", pkt_dstaddr="10.0.1.37"),
        out(TGW_1, 8443, "10.0.1.37", 41001, 19, 9, 2000, "10:00:00", "10:00:10", pkt_srcaddr="10.70.3.5"),
        back(A, 41001, "10.70.3.5", 8443, 19, 9, 2000, "10:00:00", "10:00:10"),
    ])},
    inventory(gateway_eni(TGW_1, "tgw-attach-0aaa0000000000001"), gateway_eni(TGW_2, "tgw-attach-0bbb0000000000002"),
              files={"describe-vpcs.json": vpcs((VPC, "10.0.0.0/16"), (VPC_2, "10.70.0.0/16"))}),
    answer(ok=6, rows=[
        without(prod("10.70.3.5", 8443, "private", sent=(1, 10, 1000), replies=(9, 2000), answered=1,
                     seen=("10:00:00", "10:00:10"), lines=in_log(2)), "path"),
    ], flows=[{
        "sql": "SELECT log_line, interface_kind, direction, peer_addr FROM flows ORDER BY log_line",
        "rows": [
            {"log_line": 2, "interface_kind": "eks-control-plane", "direction": "egress", "peer_addr": "10.70.3.5"},
            {"log_line": 3, "interface_kind": "transit-gateway", "direction": "ingress", "peer_addr": "10.0.1.37"},
            {"log_line": 4, "interface_kind": "transit-gateway", "direction": "egress", "peer_addr": "10.70.3.5"},
            {"log_line": 5, "interface_kind": "transit-gateway", "direction": "ingress", "peer_addr": "10.70.3.5"},
            {"log_line": 6, "interface_kind": "transit-gateway", "direction": "egress", "peer_addr": "10.0.1.37"},
            {"log_line": 7, "interface_kind": "eks-control-plane", "direction": "ingress", "peer_addr": "10.70.3.5"}]}]),
)

NODE_V6 = Eni("eni-0e100000000000001", "10.0.3.4", "subnet-0ccc0000000000003", instance="i-0e100000000000001", ipv6="2001:db8:1:3:3304:8879:34cf:4071")

Case(
    "aws-sample-ipv6",
    "\"IPv6 traffic\" (flow-logs-records-examples): SSH to an instance in the default format. An IPv6 address stands in the same column "
    "as an IPv4 one.",
    "1 OK record of a node, no rows.",
    {"flows.log": text(V2, [
        f"2 {ACCOUNT} {NODE_V6.id} 2001:db8:1:a100:8d6e:3477:df66:f105 2001:db8:1:3:3304:8879:34cf:4071 34892 22 6 54 8855 "
        f"{epoch('10:00:00')} {epoch('10:01:52')} ACCEPT OK"])},
    {path: content if "network-interfaces" not in path else enis(control_plane(A, "prod"), node(NODE_V6)) for path, content in inventory().items()},
    answer(ok=1, flows=[{
        "sql": "SELECT log_line, direction, local_addr, local_port, peer_addr, peer_port, packets, bytes FROM flows",
        "rows": [{"log_line": 2, "direction": "ingress", "local_addr": "2001:db8:1:3:3304:8879:34cf:4071", "local_port": 22,
                  "peer_addr": "2001:db8:1:a100:8d6e:3477:df66:f105", "peer_port": 34892, "packets": 54, "bytes": 8855}]}]),
)

FLAGS_SAMPLE = ("version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport dstport pkt-srcaddr pkt-dstaddr protocol "
                "bytes packets start end action tcp-flags log-status").split()

Case(
    "aws-sample-tcp-flags",
    "\"TCP flag sequence\" (flow-logs-records-examples): a connection over two intervals (2 and 18, later 1 and 1) and a short one (3 "
    "and 19). The last line has AWS's doubled space.",
    "10.0.9.50:5001: lines 2, 4 and 6: 100 + 60 + 9 = 169 packets, 5,044 + 3,000 + 527 = 8,571 bytes; back lines 3, 5, 7: 90 + 50 + 8 = "
    "148 and 14,600 + 9,000 + 630 = 24,230. Two connections, both by rule 1.",
    {"flows.log": text(FLAGS_SAMPLE, [
        out(A, 43416, "10.0.9.50", 5001, 2, 100, 5044, "10:00:00", "10:00:59", version=3),
        back(A, 43416, "10.0.9.50", 5001, 18, 90, 14600, "10:00:00", "10:00:59", version=3),
        out(A, 43416, "10.0.9.50", 5001, 1, 60, 3000, "10:01:01", "10:01:58", version=3),
        back(A, 43416, "10.0.9.50", 5001, 1, 50, 9000, "10:01:01", "10:01:58", version=3),
        out(A, 43418, "10.0.9.50", 5001, 3, 9, 527, "10:03:00", "10:03:02", version=3),
        line(FLAGS_SAMPLE, back(A, 43418, "10.0.9.50", 5001, 19, 8, 630, "10:03:00", "10:03:02", version=3)).replace("ACCEPT 19", "ACCEPT  19"),
    ])},
    inventory(),
    answer(ok=6, rows=[
        prod("10.0.9.50", 5001, "private", path=None, sent=(3, 169, 8571), replies=(148, 24230), answered=2,
             seen=("10:00:00", "10:03:02"), lines=in_log(2, 6)),
    ], flows=[{"sql": "SELECT log_line, direction, tcp_flags, initiator, initiator_rule FROM flows WHERE log_line IN (2, 3, 6, 7) ORDER BY log_line",
               "rows": [{"log_line": 2, "direction": "egress", "tcp_flags": 2, "initiator": "local", "initiator_rule": "2"},
                        {"log_line": 3, "direction": "ingress", "tcp_flags": 18, "initiator": "local", "initiator_rule": "2b"},
                        {"log_line": 6, "direction": "egress", "tcp_flags": 3, "initiator": "local", "initiator_rule": "2"},
                        {"log_line": 7, "direction": "ingress", "tcp_flags": 19, "initiator": "local", "initiator_rule": "2b"}]}]),
)

Case(
    "aws-sample-nodata-skipdata",
    "\"No data and skipped records\" (flow-logs-records-examples): one line each in the default format.",
    "Nothing to sum: 1 NODATA, 1 SKIPDATA, no rows.",
    {"flows.log": text(V2, [
        f"2 {ACCOUNT} {A.id} - - - - - - - {epoch('10:00:00')} {epoch('10:00:59')} - NODATA",
        f"2 {ACCOUNT} {A.id} - - - - - - - {epoch('10:01:00')} {epoch('10:01:59')} - SKIPDATA"])},
    inventory(),
    answer(nodata=1, skipdata=1, flows=[{
        "sql": "SELECT log_line, log_status, srcaddr, srcport, packets, bytes, action FROM flows ORDER BY log_line",
        "rows": [{"log_line": n, "log_status": s, "srcaddr": None, "srcport": None, "packets": None, "bytes": None, "action": None}
                 for n, s in ((2, "NODATA"), (3, "SKIPDATA"))]}]),
)

# --- the catalogue ------------------------------------------------------------------------------------------------------------


def readme(estate_figures):
    rows = "\n".join(f"| [`{case.name}`](cases/{case.name}) | {case.shows} | {case.made} | {case.figures} |" for case in CASES)
    return README.format(estate=estate_figures.strip(), cases=rows, number=len(CASES))


README = """# Sample logs

Flow logs whose answers are known: an estate to try the commands on, and {number} cases with one thing to show each. Every expected figure was
derived by hand from the meaning that the product documents and from AWS's description of the records, before and apart from any engine; the
arithmetic stands here, so that a calculator is enough to check it. Names, accounts and addresses are invented (RFC 5737 and RFC 3849 where
they are public); line formats are AWS's. Cases of what traffic costs are in [`costs/`](costs/README.md), of coverage in
[`coverage/`](coverage/README.md).

    flowproof report egress sample-logs/estate/logs --inventory sample-logs/estate/inventory

Each folder holds `logs/`, `inventory/` (raw output of `aws` and `kubectl`, in a folder named after the time it was taken) and `expected.json`:

* `exit_code`, `records`, `rows`: the answer to `flowproof report egress FOLDER/logs --inventory FOLDER/inventory -o json` (with the arguments in
  `args`, where a case has them). An answer that lacks a key leaves it open. `first_line` and `last_line` are relative to the folder.
* `rejects`, `undecided`, `connections`, where a case is about them; `flows`: queries over the tables, each with its rows.

`estate/approved.toml` is a policy for the estate, written by hand; `docs/policy.md` describes the format.

`python3 make.py` writes all files again, byte for byte; `python3 make.py --check` compares. Times are UTC; all cases lie on 2026-10-01.

## The estate

Account 111122223333 has the clusters `payments` (`CUSTOMER_ROUTED`) and `payments-2` (`AWS_MANAGED`) in one VPC, account 222233334444 has `analytics`
(`CUSTOMER_ROUTED`). Two hours (2026-10-05, 08:00 to 10:00) of VPC-level logs in ten-minute intervals, as AWS delivers them to S3. Every packet
stands in the record of each interface that it crossed; only control-plane ENIs give rows. What `payments-2` sends outside the VPC leaves through AWS's
own network, because it is `AWS_MANAGED`: these logs cannot show it, and its three rows do not mean that there is nothing else.

{estate}

The drill: from 09:05 the policy server does not answer (three attempts), and from 09:30 a security group rejects 10.20.12.40 (three attempts).

## The cases

Lines are those of the case's log, the header is line 1; in JSON the events of an object are numbered, in Parquet its rows, both from 1. Figures
are packets and bytes; "back" are those of the replies.

| case | what it shows | made as | the figures |
|---|---|---|---|
{cases}
"""
