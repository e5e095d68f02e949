"""The cases: each one small enough to be checked with a calculator, and each with one thing to show.

A case is its tables: log rows (see `out` and `back` in shapes.py), inventory, and the answer derived from them by hand.
"""

from dataclasses import dataclass, field

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
    "prod 10.0.3.118:9443: line 2 alone, 12 packets, 3,400 bytes, back 10 and 5,200. prod 10.0.9.40:8443: line 6, 9 and 1,100, back 8 and 900. "
    "prod-2 10.0.3.119:8443: lines 4 and 10, 7 + 5 = 12 packets, 2,000 + 1,500 = 3,500 bytes, back 6 + 4 = 10 and 1,000 + 800 = 1,800. "
    "prod-2 10.0.9.40:8443: line 8, 11 and 1,300, back 10 and 1,050. Matching by prefix would give prod both rows of prod-2.",
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
    "A control-plane ENI is replaced mid-period and its address 10.0.1.37 goes to a pod. Two snapshots (09:00, 12:00) know one holder each.",
    "10.0.3.118:9443: lines 2 and 4 (old interface, by its id) and 6 (new interface): 10 + 12 + 14 = 36 packets, 3,000 + 3,200 + 3,400 = 9,600 "
    "bytes, back 9 + 11 + 13 = 33 and 4,000 + 4,100 + 4,200 = 12,300; 3 connections. 10.0.1.37:9443, now a pod: line 8, 20 and 5,000, back 18 and "
    "2,500. Lines 10 to 14 belong to the pod (it serves the webhook, it calls the API server, it uses a database): they are no egress of prod "
    "although 10.0.1.37 was once prod's.",
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
        "sql": "SELECT log_line, interface_kind, cluster FROM flows WHERE log_line IN (2, 6, 8, 14) ORDER BY log_line",
        "rows": [{"log_line": 2, "interface_kind": "eks-control-plane", "cluster": "prod"},
                 {"log_line": 6, "interface_kind": "eks-control-plane", "cluster": "prod"},
                 {"log_line": 8, "interface_kind": "eks-control-plane", "cluster": "prod"},
                 {"log_line": 14, "interface_kind": "eks-node", "cluster": None}]}]),
)

# --- where it goes ----------------------------------------------------------------------------------------------------------

Case(
    "webhook-ports",
    "Webhooks listen on the port of their pod: 443, 8443, 9443 and 10250. A filter on port 443 would miss three of four; 10250 is not only the kubelet's.",
    "One connection each, so every row is its own two lines: 110:443 is lines 2/3, 111:8443 lines 4/5, 112:9443 lines 6/7, 113:10250 lines 8/9. "
    "The pod 10.0.3.111 serves two configurations: both names stand in the row.",
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
    "Port 10250 twice: metrics-server's pod is an aggregated API, the node is the kubelet. No handshake in the period (flags 0): the port rule decides.",
    "metrics-server 10.0.3.120: lines 2 and 6, 30 + 20 = 50 packets, 3,000 + 2,000 = 5,000 bytes, back 40 + 25 = 65 and 22,000 + 14,000 = 36,000; one "
    "connection (the second interval starts 11 s after the first ends). kubelet 10.0.3.4: line 4, 15 and 1,500, back 25 and 40,000.",
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
    "The API server fetches an issuer's keys through a NAT gateway. Its own record shows the issuer and no gateway; the gateway's four records show the rest.",
    "198.51.100.80:443: line 2 only, 11 packets and 1,650 bytes, back (line 7) 13 and 9,700. Lines 3 to 6 are the same packets at the gateway: summing "
    "all six lines that leave or reach an interface would give three times the bytes. The path comes from line 3 (`pkt-dstaddr` is the issuer, the "
    "client is 10.0.1.37:41001).",
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

# --- the catalogue ------------------------------------------------------------------------------------------------------------


def readme(estate_figures):
    rows = "\n".join(f"| [`{case.name}`](cases/{case.name}) | {case.shows} | {case.made} | {case.figures} |" for case in CASES)
    return README.format(estate=estate_figures.strip(), cases=rows, number=len(CASES))


README = """# Sample logs

Flow logs whose answers are known: an estate to try the commands on, and {number} cases with one thing to show each. Every expected figure was
derived by hand from the meaning that the product documents and from AWS's description of the records, before and apart from any engine; the
arithmetic stands here, so that a calculator is enough to check it. Names, accounts and addresses are invented (RFC 5737 and RFC 3849 where
they are public); line formats are AWS's.

    flowproof report egress sample-logs/estate/logs --inventory sample-logs/estate/inventory

Each folder holds `logs/`, `inventory/` (raw output of `aws` and `kubectl`, in a folder named after the time it was taken) and `expected.json`:

* `exit_code`, `records`, `rows`: the answer to `flowproof report egress FOLDER/logs --inventory FOLDER/inventory -o json` (with the arguments in
  `args`, where a case has them). A row that lacks a key leaves that key open. `first_line` and `last_line` are relative to the folder.
* `rejects`, `undecided`, `connections`, where a case is about them; `flows`: queries over the table `flows`, each with its rows.

`python3 make.py` writes all files again, byte for byte; `python3 make.py --check` compares. Times are UTC; all cases lie on 2026-10-01.

## The estate

Account 111122223333 has the clusters `payments` (`CUSTOMER_ROUTED`) and `payments-2` (`AWS_MANAGED`) in one VPC, account 222233334444 has `analytics`
(`CUSTOMER_ROUTED`). Two hours (2026-10-05, 08:00 to 10:00) of VPC-level logs in ten-minute intervals, as AWS delivers them to S3. Every packet stands
in the record of each interface that it crossed; only control-plane ENIs give rows.

{estate}

The drill: from 09:05 the policy server does not answer (three attempts), and from 09:30 a security group rejects 10.20.12.40 (three attempts).

## The cases

Lines are those of the case's log, the header is line 1. Figures are packets and bytes; "back" are those of the replies.

| case | what it shows | made as | the figures |
|---|---|---|---|
{cases}
"""
