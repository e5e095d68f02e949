"""The cost cases: bytes across AZs, NAT gateways and the lines of a bill, each with its arithmetic.

A case is its tables, as in cases.py: log rows, inventory, and the answers of one or more runs of `flowproof report`. Figures are by hand
from AWS's billing rules; money is written as in the answer, in US dollars. One GB is 2^30 bytes; volumes are whole GB where money is
shown, so that products are short.
"""

from dataclasses import dataclass, field

from cases import gateway_eni
from shapes import *

COSTS = []


@dataclass
class Cost:
    name: str
    shows: str  # what it is about
    figures: str  # the arithmetic of the answer
    logs: dict
    inventory: dict
    runs: list
    files: dict = field(default_factory=dict)  # beside logs and inventory

    def __post_init__(self):
        self.expected = {"runs": self.runs}
        COSTS.append(self)


# --- the networks ---------------------------------------------------------------------------------------------------------

GB = 2**30
US, OTHER = "us-east-1", "222233334444"
AZ1, AZ4, AZ6 = "use1-az1", "use1-az4", "use1-az6"
ZONE = {AZ4: "us-east-1a", AZ6: "us-east-1b", AZ1: "us-east-1c"}
ZONE_OF_OTHER = {AZ6: "us-east-1a", AZ4: "us-east-1b"}  # the other account has other names for the same zones
MAIN, PEERED, FAR, TWIN = (f"vpc-0c05700000000000{n}" for n in range(1, 5))
# VPC: account, range, AZ of each /24. Nets 0 and 4 of MAIN are public: its NAT gateways lie there.
NETS = {
    MAIN: (ACCOUNT, "10.0.0.0/16", {"10.0.0": AZ4, "10.0.1": AZ4, "10.0.2": AZ6, "10.0.3": AZ1, "10.0.4": AZ6}),
    PEERED: (OTHER, "10.8.0.0/16", {"10.8.2": AZ6}),
    FAR: (ACCOUNT, "10.9.0.0/16", {"10.9.1": AZ4, "10.9.2": AZ6}),
    TWIN: (ACCOUNT, "10.0.0.0/16", {"10.0.1": AZ6, "10.0.2": AZ1}),
}
V6_RANGE, V6_NET = "2001:db8:c05::/56", "2001:db8:c05:{}::"


def zone_name(vpc, az_id):
    return (ZONE if NETS[vpc][0] == ACCOUNT else ZONE_OF_OTHER)[az_id]


def subnet_of(vpc, net):
    return f"subnet-0c05700{vpc[-1]}{''.join(f'{int(part):03d}' for part in net.split('.'))}"


def host(address, vpc=MAIN, instance=True, **other):
    """An interface in the subnet that its address lies in."""
    account, _, zones = NETS[vpc]
    net, last = address.rsplit(".", 1)
    number = f"0c05700{vpc[-1]}{int(net.split('.')[2]):04d}{int(last):05d}"
    return Eni("eni-" + number, address, **{"subnet": subnet_of(vpc, net), "az_id": zones[net], "zone": zone_name(vpc, zones[net]), "vpc": vpc,
                                           "account": account, "instance": "i-" + number if instance else "-"} | other)


def v6(net, end):
    return V6_NET.format(net) + end


WEB, APP = host("10.0.1.10", ipv6=v6(1, "10")), host("10.0.2.20", ipv6=v6(2, "20"))  # az4 and az6
CACHE = host("10.0.1.11")  # in WEB's zone
JOB = host("10.0.3.30")  # az1
CLIENT, SECOND = host("10.0.1.5"), host("10.0.1.6")  # az4; the first is AWS's sample client
BATCH = host("10.0.2.6")  # az6
NAT4, NAT6 = host("10.0.0.220", instance=False), host("10.0.4.220", instance=False)
GATEWAY = {NAT4: "nat-0c057000000000004", NAT6: "nat-0c057000000000006"}
DATABASE = host("10.0.2.50", instance=False)
BALANCER = host("10.0.2.80", instance=False)
PARTNER = host("10.8.2.20", PEERED)
SERVER = host("10.9.2.20", FAR)
REMOTE, SECOND_REMOTE = "203.0.113.5", "203.0.113.99"  # the first is AWS's sample remote

# --- records --------------------------------------------------------------------------------------------------------------

FIELDS = ("version account-id interface-id vpc-id az-id region flow-direction srcaddr srcport dstaddr dstport protocol packets bytes start end "
          "action log-status traffic-path pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service").split()


def span(clock):
    """From `HH:MM` to the end of its ten minutes."""
    return f"{clock}:00", f"{clock[:4]}9:50"


def size(octets):
    """Packets and bytes; packets play no part here."""
    return octets // 1400 + 1, octets


def at_sender(a, b, gb, clock="10:00", ports=(41001, 8443), path=1, octets=None, **other):
    """a's own record of what it sends to b."""
    peer = b if isinstance(b, str) else b.address
    return out(a, ports[0], peer, ports[1], 0, *size(octets or gb * GB), *span(clock), traffic_path=path, **other)


def at_receiver(a, b, gb, clock="10:00", ports=(41001, 8443), octets=None, **other):
    """b's own record of the same."""
    peer = a if isinstance(a, str) else a.address
    return back(b, ports[1], peer, ports[0], 0, *size(octets or gb * GB), *span(clock), **other)


def moved(a, b, gb, clock="10:00", ports=(41001, 8443), path=1, **other):
    """Both records of one movement."""
    return [at_sender(a, b, gb, clock, ports, path, **other), at_receiver(a, b, gb, clock, ports, **other)]


def talk(a, b, gb, reply, path=1, **other):
    """A request and its reply: two movements, four records."""
    return moved(a, b, gb, path=path, **other) + moved(b, a, reply, ports=(8443, 41001), path=path, **other)


def through_nat(client, gateway, remote, up, down, clock="10:00", port=41001, service="-"):
    """The six records of a conversation through a NAT gateway: the client's two, and A, B, C and D at the gateway."""
    to, of, when = {"pkt_dst_aws_service": service}, {"pkt_src_aws_service": service}, span(clock)
    up, down = size(up * GB), size(down * GB)
    return [
        out(client, port, remote, 443, 0, *up, *when, **to),
        back(gateway, 443, client.address, port, 0, *up, *when, pkt_dstaddr=remote, **to),
        out(gateway, port + 7, remote, 443, 0, *up, *when, traffic_path=8, **to),
        back(gateway, port + 7, remote, 443, 0, *down, *when, **of),
        out(gateway, 443, client.address, port, 0, *down, *when, pkt_srcaddr=remote, **of),
        back(client, port, remote, 443, 0, *down, *when, **of),
    ]


def log(rows, fields=FIELDS):
    return {"flows.log": text(fields, rows)}


# --- inventory ------------------------------------------------------------------------------------------------------------


def inventory(*entries, nets=(MAIN,), nats=(), files=None, when=SNAPSHOT):
    """VPCs and subnets, and the interfaces given (a bare one is an instance's), per account."""
    entries = [node(one) if isinstance(one, Eni) else one for one in (*entries, *(nat(one, GATEWAY[one]) for one in nats))]
    found = dict(files or {})
    for account in sorted({NETS[vpc][0] for vpc in nets}):
        own = [vpc for vpc in nets if NETS[vpc][0] == account]
        found[f"{account}/describe-vpcs.json"] = {"Vpcs": [one for vpc in own for one in vpcs(
            (vpc, NETS[vpc][1]), account=account, ipv6=V6_RANGE if vpc == MAIN else None, region=US)["Vpcs"]]}
        found[f"{account}/describe-subnets.json"] = {"Subnets": [one for vpc in own for one in subnets(
            *((subnet_of(vpc, net), net + ".0/24", zone_name(vpc, az_id), az_id, V6_NET.format(net.split(".")[2]) + "/64" if vpc == MAIN else None)
              for net, az_id in NETS[vpc][2].items()), account=account, vpc=vpc)["Subnets"]]}
        found[f"{account}/describe-network-interfaces.json"] = enis(*(one for one in entries if one["OwnerId"] == account))
    if nats:
        rows = [(GATEWAY[one], one, f"203.0.113.{number}") for number, one in enumerate(nats, 201)]
        found[f"{ACCOUNT}/describe-nat-gateways.json"] = nat_gateways(*rows, vpc=MAIN)
    return {f"{when}/{path}": content for path, content in found.items()}


def managed(eni, description, by, kind="interface", **other):
    """An interface that a service made."""
    return interface(eni, description, kind, requester=by, requester_managed=True, owner=by, **other)


def database(eni):
    return managed(eni, "RDSNetworkInterface", "amazon-rds")


def vpc_endpoints(id, service, *interfaces):
    return {"VpcEndpoints": [{
        "VpcEndpointId": id, "VpcEndpointType": "Interface", "VpcId": interfaces[0].vpc, "ServiceName": f"com.amazonaws.{US}.{service}",
        "State": "available", "RouteTableIds": [], "SubnetIds": [one.subnet for one in interfaces], "Groups": [], "PrivateDnsEnabled": True,
        "NetworkInterfaceIds": [one.id for one in interfaces], "CreationTimestamp": "2025-10-01T07:00:00+00:00", "Tags": [], "OwnerId": ACCOUNT}]}


def peering(a, b):
    def side(vpc):
        return {"VpcId": vpc, "OwnerId": NETS[vpc][0], "CidrBlock": NETS[vpc][1], "Region": US}
    return {"VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-0c057000000000001", "Status": {"Code": "active", "Message": "Active"},
                                       "RequesterVpcInfo": side(a), "AccepterVpcInfo": side(b), "Tags": []}]}


def attachments(*pairs):
    return {"TransitGatewayAttachments": [{
        "TransitGatewayAttachmentId": id, "TransitGatewayId": "tgw-0c057000000000001", "TransitGatewayOwnerId": ACCOUNT, "ResourceOwnerId": ACCOUNT,
        "ResourceType": "vpc", "ResourceId": vpc, "State": "available", "CreationTime": "2025-10-01T07:00:00+00:00", "Tags": []} for id, vpc in pairs]}


def routes(vpc, *tables):
    """Route tables: each is its subnet and the gateway of its default route."""
    return {"RouteTables": [{
        "RouteTableId": f"rtb-0c05700000000000{number}", "VpcId": vpc, "OwnerId": ACCOUNT, "PropagatingVgws": [], "Tags": [],
        "Associations": [{"RouteTableAssociationId": f"rtbassoc-0c05700000000000{number}", "RouteTableId": f"rtb-0c05700000000000{number}",
                          "SubnetId": subnet, "Main": False, "AssociationState": {"State": "associated"}}],
        "Routes": [{"DestinationCidrBlock": NETS[vpc][1], "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"},
                   {"DestinationCidrBlock": "0.0.0.0/0", {"nat": "NatGatewayId", "tgw": "TransitGatewayId"}.get(gateway[:3], "GatewayId"): gateway,
                    "Origin": "CreateRoute", "State": "active"}]} for number, (subnet, gateway) in enumerate(tables, 1)]}


# --- answers --------------------------------------------------------------------------------------------------------------


def run(args, *rows, some=False, exit_code=0, **keys):
    """One run: its arguments less LOGS and inventory, and what of its answer is compared; `some`: there may be further rows."""
    answer = {"args": ["report", *args.split()], "exit_code": exit_code, "keys": keys, "rows": list(rows)}
    return answer | ({"some_rows": True} if some else {})


def pair(src, dst, category, gb, ends, cost, least=None, least_cost=None, imputed=0):
    """A row of `report cross-az`; without `least` the ends are certain."""
    return {"src_az_id": src, "dst_az_id": dst, "category": category, "bytes": gb * GB, "observed_bytes": (gb - imputed) * GB,
            "imputed_bytes": imputed * GB, "metered_ends": ends, "metered_ends_min": ends if least is None else least, "list_cost": cost,
            "list_cost_min": cost if least is None else least_cost}


def meter(observed, imputed, cost):
    return {"observed_bytes": observed * GB, "imputed_bytes": imputed * GB, "list_cost": cost}


def unresolved(gb=0, cost=0):
    return {"bytes": gb * GB, "metered_ends_max": 2, "list_cost_max": cost}


def client(gateway, eni, up, down, processing, cross_az, transfer, cost, least=None, basis="nat-eni"):
    """A row of `report nat`; `least` is with one metered end of the AZ leg."""
    return {"nat_gateway_id": GATEWAY[gateway], "client_addr": eni.address, "client_az_id": eni.az_id, "nat_az_id": gateway.az_id, "bytes_up": up * GB,
            "bytes_down": down * GB, "bytes_processed": (up + down) * GB, "processing_cost": processing, "cross_az_cost": cross_az,
            "transfer_cost": transfer, "list_cost": cost, "list_cost_min": cost if least is None else least, "basis": basis}


def volume(usage_type, gb, price, cost, account=ACCOUNT, **other):
    """A row of `report cost` for bytes."""
    return {"account_id": account, "region": US, "usage_type": usage_type, "bytes": gb * GB, "quantity": gb, "unit_price": price, "list_cost": cost,
            **other}


def hours(usage_type, quantity, price, cost, **other):
    """A row of `report cost` for hours."""
    return {"account_id": ACCOUNT, "region": US, "usage_type": usage_type, "quantity": quantity, "unit_price": price, "list_cost": cost, **other}


HOUR_10 = f"--from {DAY}T10:00:00Z --to {DAY}T11:00:00Z"

# --- who logged it --------------------------------------------------------------------------------------------------------

WEB_TO_APP = [pair(AZ4, AZ6, "direct", 10, 2, 0.20), pair(AZ6, AZ4, "direct", 2, 2, 0.04)]

Cost(
    "both-logged",
    "Both interfaces log a request and its reply across AZs: four records, two movements, each metered at both ends. Traffic inside an AZ is no row.",
    "az4 → az6: 10 GB x 2 ends x .01 = .20; az6 → az4: 2 x 2 x .01 = .04. Metered: 4 records, one end each, 10 + 10 + 2 + 2 = 24 GB x .01 = .24. "
    "The 50 GB to 10.0.1.11 stay in az4. Every record at .02 would give .48, egress alone at .01 only .12.",
    log(talk(WEB, APP, 10, 2) + moved(WEB, CACHE, 50, ports=(41002, 6379))),
    inventory(WEB, APP, CACHE),
    [run("cross-az", *WEB_TO_APP, unresolved=unresolved(), meter=meter(24, 0, 0.24), skipdata_interface_hours=0),
     run("cost", volume("DataTransfer-Regional-Bytes", 12, 0.01, 0.12, operation="InterZone-Out"),
         volume("DataTransfer-Regional-Bytes", 12, 0.01, 0.12, operation="InterZone-In"))],
)

Cost(
    "only-sender",
    "Only the sender's interface is logged: the receiver's end is imputed, and the price is that of both.",
    "10 GB x 2 x .01 = .20, as if both were logged. Metered: 10 GB observed (out), 10 GB imputed (in): 20 x .01 = .20.",
    log([at_sender(WEB, APP, 10)]),
    inventory(WEB, APP),
    [run("cross-az", pair(AZ4, AZ6, "direct", 10, 2, 0.20, imputed=10), meter=meter(10, 10, 0.20), unresolved=unresolved())],
)

Cost(
    "only-receiver",
    "Only the receiver's interface is logged: its ingress stands for the movement, the sender's end is imputed.",
    "10 GB x 2 x .01 = .20, as if both were logged. Metered: 10 GB observed (in), 10 GB imputed (out).",
    log([at_receiver(WEB, APP, 10)]),
    inventory(WEB, APP),
    [run("cross-az", pair(AZ4, AZ6, "direct", 10, 2, 0.20, imputed=10), meter=meter(10, 10, 0.20), unresolved=unresolved())],
)

Cost(
    "both-ends-differ",
    "Both interfaces logged a movement, with different figures (packets were lost on the way): what the sender sent is the movement.",
    "10 GB left, 9 GB arrived: bytes 10 GB, 10 x 2 x .01 = .20. Not 19, and not 9.",
    log([at_sender(WEB, APP, 10), at_receiver(WEB, APP, 9)]),
    inventory(WEB, APP),
    [run("cross-az", pair(AZ4, AZ6, "direct", 10, 2, 0.20))],
)

Cost(
    "rejected-at-receiver",
    "The sender's security group accepts, the receiver's rejects: the bytes were sent and count. What the sender itself rejected never left.",
    "5 GB sent and rejected at 10.0.2.20: 5 x 2 x .01 = .10. The 3 GB that 10.0.1.10 rejected on their way out (port 9999) count nowhere.",
    log([at_sender(WEB, APP, 5), at_receiver(WEB, APP, 5, action="REJECT"), at_sender(WEB, APP, 3, ports=(41002, 9999), action="REJECT")]),
    inventory(WEB, APP),
    [run("cross-az", pair(AZ4, AZ6, "direct", 5, 2, 0.10), unresolved=unresolved())],
)

VPC_LOG, ENI_LOG = (s3_key(f"fl-0c05700000000000{n}", "1000", region=US) for n in (1, 2))

Cost(
    "overlapping-flow-logs",
    "A flow log of the VPC (23 fields) and one of an interface (default format) write the same traffic: it counts once.",
    "Hour 10 of 10.0.1.10: two ids with the same times, the one with more fields counts. As `both-logged`: .20 and .04. The 2 records of the other "
    "are duplicates.",
    {VPC_LOG: packed(text(FIELDS, talk(WEB, APP, 10, 2))), ENI_LOG: packed(text(V2, [talk(WEB, APP, 10, 2)[n] for n in (0, 3)]))},
    inventory(WEB, APP, files={f"{ACCOUNT}/describe-flow-logs.json": flow_logs(
        ("fl-0c057000000000001", MAIN, FIELDS, "2026-01-15T09:00:00+00:00"), ("fl-0c057000000000002", WEB.id, V2, "2026-03-01T09:00:00+00:00"))}),
    [run("cross-az", *WEB_TO_APP, meter=meter(24, 0, 0.24), inputs={"records": {"ok": 6, "duplicate": 2}})],
)

Cost(
    "skipdata-hour",
    "SKIPDATA. In hour 10 the sender has records beside it, which count although they may be short; in hour 11 it has nothing else, so it is not logged "
    "and the receiver's record counts.",
    "Hour 10: the sender says 5 GB, the receiver 8: 5 GB observed. Hour 11: 8 GB of the receiver, the sender's end imputed. 5 + 8 = 13 GB x 2 x .01 = .26; "
    "2 hours of an interface with SKIPDATA.",
    log([at_sender(WEB, APP, 5), status(WEB, "SKIPDATA", "10:10:00", "10:19:59"), at_receiver(WEB, APP, 8),
         status(WEB, "SKIPDATA", "11:00:00", "11:09:59"), at_receiver(WEB, APP, 8, "11:00")]),
    inventory(WEB, APP),
    [run("cross-az", pair(AZ4, AZ6, "direct", 13, 2, 0.26, imputed=8), skipdata_interface_hours=2, inputs={"records": {"ok": 3, "skipdata": 2}})],
)

Cost(
    "v2-only",
    "The default format: no direction, no AZ, no `pkt-*`. Direction follows from the interface's own address, AZs and region from the inventory.",
    "As `both-logged`: .20 and .04.",
    log(talk(WEB, APP, 10, 2), V2),
    inventory(WEB, APP),
    [run("cross-az", *WEB_TO_APP, meter=meter(24, 0, 0.24), unresolved=unresolved())],
)

Cost(
    "no-inventory",
    "No inventory at all: with `az-id` in the records and both interfaces logged, each interface's own records tell where its address lies.",
    "As `both-logged`: .20 and .04, nothing imputed, nothing unresolved.",
    log(talk(WEB, APP, 10, 2) + moved(WEB, CACHE, 50, ports=(41002, 6379)), V5),
    {},
    [run("cross-az", *WEB_TO_APP, meter=meter(24, 0, 0.24), unresolved=unresolved())],
)

Cost(
    "unresolved",
    "Bytes to private addresses whose AZ nobody knows are not in any row, but shown with the most that they can cost. What leaves by VPN or to the "
    "internet is not in doubt.",
    "7 GB to 10.200.0.9 (no VPC known) + 3 GB to 10.0.99.9 (in the VPC's range, in no subnet) = 10 GB: at most 10 x 2 x .01 = .20. Not counted: 5 GB to "
    "172.31.9.9 (path 3, virtual private gateway), 4 GB to 203.0.113.5 (path 8, internet gateway).",
    log([at_sender(WEB, "10.200.0.9", 7), at_sender(WEB, "10.0.99.9", 3), at_sender(WEB, "172.31.9.9", 5, path=3), at_sender(WEB, REMOTE, 4, path=8)]),
    inventory(WEB),
    [run("cross-az", unresolved=unresolved(10, 0.20))],
)

EDGE, BOSTON = "vpc-0c057000000000005", "use1-bos1-az1"
NETS[EDGE] = (ACCOUNT, "10.7.0.0/16", {"10.7.1": AZ4, "10.7.2": BOSTON, "10.7.3": AZ6})
ZONE[BOSTON] = "us-east-1-bos-1a"
CORE, OUTPOST, IN_BOSTON = host("10.7.1.10", EDGE), host("10.7.3.30", EDGE), host("10.7.2.20", EDGE)
BESIDE = FIELDS + ["sublocation-type", "sublocation-id"]
AT_BOSTON = {"region": US, "az_id": "-", "sublocation_type": "localzone", "sublocation_id": BOSTON}
AT_OUTPOST = {"az_id": "-", "sublocation_type": "outpost", "sublocation_id": "op-0c05700000000001a"}

Cost(
    "sublocations",
    "A Local Zone and an Outpost are no AZs: transfer to them has prices of its own. The records say so of their own end; of the Local Zone its id in the "
    "inventory does too, while the Outpost's subnet has the id of its parent AZ.",
    "10 GB to Boston and 4 GB from the Outpost are in no row. 14 GB unresolved, at most 14 x 2 x .01 = .28 at the price between AZs.",
    log([at_sender(CORE, IN_BOSTON, 10), at_receiver(CORE, IN_BOSTON, 10, **AT_BOSTON), at_sender(OUTPOST, CORE, 4, **AT_OUTPOST),
         at_receiver(OUTPOST, CORE, 4)], BESIDE),
    inventory(CORE, IN_BOSTON, OUTPOST, nets=(EDGE,)),
    [run("cross-az", unresolved=unresolved(14, 0.28)), run("cost")],
)

# --- whose address it is --------------------------------------------------------------------------------------------------

FIRST, NEXT = host("10.0.2.60"), host("10.0.2.61", subnet="subnet-0c05700000000000f", az_id=AZ1, zone=ZONE[AZ1])
NEXT = Eni(NEXT.id, FIRST.address, NEXT.subnet, NEXT.zone, NEXT.az_id, NEXT.instance, NEXT.vpc, NEXT.account)

Cost(
    "address-reuse-hours",
    "An address is another interface's in the next hour: its subnet was made again in another AZ. No inventory; each hour is told by the records of the "
    "interface that had the address in it.",
    "Hour 10: 10.0.2.60 is in az6, 10 x 2 x .01 = .20. Hour 11: in az1, 20 x 2 x .01 = .40.",
    log(moved(WEB, FIRST, 10) + moved(WEB, NEXT, 20, "11:00")),
    {},
    [run("cross-az", pair(AZ4, AZ1, "direct", 20, 2, 0.40), pair(AZ4, AZ6, "direct", 10, 2, 0.20), unresolved=unresolved())],
)

Cost(
    "address-reuse-within-hour",
    "The same within one hour: two interfaces in different AZs logged the address, so the sender's records cannot be told apart.",
    "10 + 20 = 30 GB unresolved, at most 30 x 2 x .01 = .60. The receivers' records are the same bytes again and add nothing.",
    log(moved(WEB, FIRST, 10, "10:00") + moved(WEB, NEXT, 20, "10:40")),
    {},
    [run("cross-az", unresolved=unresolved(30, 0.60), meter=meter(0, 0, 0))],
)

HEIR = host("10.0.2.51")
HEIR = Eni(HEIR.id, DATABASE.address, HEIR.subnet, HEIR.zone, HEIR.az_id, HEIR.instance, HEIR.vpc, HEIR.account)


def snapshots(**entries):
    """One inventory per clock, `t1025` for 10:25."""
    return {path: content for clock, one in entries.items() for path, content in inventory(WEB, one, when=f"{DAY}T{clock[1:]}00Z").items()}


Cost(
    "address-reuse-inventory",
    "Within one hour a database's address goes to an instance. Snapshots at 10:00, 10:25, 10:30 and 11:00 say whose it was, and with it how many ends "
    "are metered.",
    "10:05, the database: 10 GB x 1 end x .01 = .10. 10:40, the instance: 20 x 2 x .01 = .40.",
    log(moved(WEB, DATABASE, 10, "10:05") + moved(WEB, HEIR, 20, "10:40")),
    snapshots(t1000=database(DATABASE), t1025=database(DATABASE), t1030=node(HEIR, attached=f"{DAY}T10:28:00+00:00"),
              t1100=node(HEIR, attached=f"{DAY}T10:28:00+00:00")),
    [run("cross-az", pair(AZ4, AZ6, "database", 10, 1, 0.10), pair(AZ4, AZ6, "direct", 20, 2, 0.40), unresolved=unresolved())],
)

TWIN_WEB, TWIN_APP = host("10.0.1.10", TWIN), host("10.0.2.20", TWIN)

Cost(
    "one-cidr-two-vpcs",
    "Two VPCs have one CIDR and the same two addresses in it. An address means something only within its VPC.",
    "First VPC: az4 → az6, 10 x 2 x .01 = .20. Second: az6 → az1, 20 x 2 x .01 = .40. Looked up by address alone, both would go az4 → az6 or be "
    "ambiguous.",
    log(moved(WEB, APP, 10) + moved(TWIN_WEB, TWIN_APP, 20)),
    inventory(WEB, APP, TWIN_WEB, TWIN_APP, nets=(MAIN, TWIN)),
    [run("cross-az", WEB_TO_APP[0], pair(AZ6, AZ1, "direct", 20, 2, 0.40), unresolved=unresolved()),
     run("cross-az --by vpc", {"owner": MAIN, "bytes_out": 10 * GB, "bytes_in": 10 * GB, "metered_bytes": 20 * GB, "list_cost": 0.20},
         {"owner": TWIN, "bytes_out": 20 * GB, "bytes_in": 20 * GB, "metered_bytes": 40 * GB, "list_cost": 0.40})],
)

Cost(
    "ipv6",
    "IPv6 across AZs of one VPC is metered as IPv4 is; its addresses are public by form, and in the VPC by its range.",
    "10 GB x 2 x .01 = .20, and back 2 x 2 x .01 = .04.",
    log([at_sender(WEB, APP.ipv6, 10), at_receiver(WEB.ipv6, APP, 10), at_sender(APP, WEB.ipv6, 2, ports=(8443, 41001)),
         at_receiver(APP.ipv6, WEB, 2, ports=(8443, 41001))]),
    inventory(WEB, APP),
    [run("cross-az", *WEB_TO_APP, unresolved=unresolved())],
)

# --- how many ends are metered --------------------------------------------------------------------------------------------

Cost(
    "alb",
    "Client, Application Load Balancer and target in three AZs: private traffic of an ALB in its VPC is not metered by AZ (its capacity units have it).",
    "Client → ALB and ALB → target, 10 GB each, replies of 1 GB each: 0 ends, 0.",
    log(talk(WEB, BALANCER, 10, 1) + talk(BALANCER, JOB, 10, 1)),
    inventory(WEB, JOB, managed(BALANCER, "ELB app/shop/0123456789abcdef", "amazon-elb")),
    [run("cross-az", pair(AZ1, AZ6, "load-balancer", 1, 0, 0), pair(AZ4, AZ6, "load-balancer", 10, 0, 0), pair(AZ6, AZ1, "load-balancer", 10, 0, 0),
         pair(AZ6, AZ4, "load-balancer", 1, 0, 0), meter=meter(0, 0, 0), unresolved=unresolved())],
)

Cost(
    "nlb",
    "The same through a Network Load Balancer (client addresses not preserved): each crossing is metered at both ends.",
    "Client → NLB: 10 x 2 x .01 = .20; NLB → target: again .20, so .04 per GB one way. Replies 1 x 2 x .01 = .02 each. Together .44.",
    log(talk(WEB, BALANCER, 10, 1) + talk(BALANCER, JOB, 10, 1)),
    inventory(WEB, JOB, managed(BALANCER, "ELB net/shop/0123456789abcdef", "amazon-elb", "network_load_balancer")),
    [run("cross-az", pair(AZ1, AZ6, "load-balancer", 1, 2, 0.02), pair(AZ4, AZ6, "load-balancer", 10, 2, 0.20),
         pair(AZ6, AZ1, "load-balancer", 10, 2, 0.20), pair(AZ6, AZ4, "load-balancer", 1, 2, 0.02), meter=meter(44, 0, 0.44))],
)

Cost(
    "rds-other-az",
    "A database in another AZ: only the instance's end is metered. The database's interface is not logged, and nothing needs to be imputed.",
    "10 GB x 1 x .01 = .10; back 40 x 1 x .01 = .40. Metered: 10 GB out and 40 GB in at the instance, 50 x .01 = .50.",
    log([at_sender(WEB, DATABASE, 10, ports=(41001, 5432)), at_receiver(DATABASE, WEB, 40, ports=(5432, 41001))]),
    inventory(WEB, database(DATABASE)),
    [run("cross-az", pair(AZ4, AZ6, "database", 10, 1, 0.10), pair(AZ6, AZ4, "database", 40, 1, 0.40), meter=meter(50, 0, 0.50)),
     run("cost", volume("DataTransfer-Regional-Bytes", 10, 0.01, 0.10, category="database", operation="InterZone-Out"),
         volume("DataTransfer-Regional-Bytes", 40, 0.01, 0.40, category="database", operation="InterZone-In"))],
)

ENDPOINT, ENDPOINT_4 = host("10.0.2.90", instance=False), host("10.0.1.90", instance=False)
VPCE = "vpce-0c057000000000001"


def endpoint(eni):
    return managed(eni, f"VPC Endpoint Interface {VPCE}", "727180483921", "vpc_endpoint")


Cost(
    "interface-endpoint",
    "An interface endpoint in another AZ: no AZ charge, processing in both directions, and its hour.",
    "Across AZs 8 and 2 GB, 0 ends. Processing 8 + 2 = 10 GB x .01 = .10; 1 AZ x 1 hour x .01 = .01.",
    log(talk(WEB, ENDPOINT, 8, 2)),
    inventory(WEB, endpoint(ENDPOINT), files={f"{ACCOUNT}/describe-vpc-endpoints.json": vpc_endpoints(VPCE, "sts", ENDPOINT)}),
    [run("cross-az", pair(AZ4, AZ6, "endpoint", 8, 0, 0), pair(AZ6, AZ4, "endpoint", 2, 0, 0), meter=meter(0, 0, 0)),
     run(f"cost {HOUR_10}", volume("VpcEndpoint-Bytes", 10, 0.01, 0.10), hours("VpcEndpoint-Hours", 1, 0.01, 0.01))],
)

TGW_NEAR, TGW_FAR = host("10.0.1.70", instance=False), host("10.9.1.70", FAR, instance=False)
NEAR_ATTACHMENT, FAR_ATTACHMENT = "tgw-attach-0c057000000000001", "tgw-attach-0c057000000000003"
ATTACHED = {f"{ACCOUNT}/describe-transit-gateway-attachments.json": attachments((NEAR_ATTACHMENT, MAIN), (FAR_ATTACHMENT, FAR))}
TGW_ENIS = (gateway_eni(TGW_NEAR, NEAR_ATTACHMENT), gateway_eni(TGW_FAR, FAR_ATTACHMENT))


def through_gateway(a, near, far, b, gb, ports):
    """The four records of one movement through a transit gateway (AWS's sample)."""
    packets, octets = size(gb * GB)
    return [out(a, ports[0], b.address, ports[1], 0, packets, octets, *span("10:00")),
            back(near, ports[1], a.address, ports[0], 0, packets, octets, *span("10:00"), pkt_dstaddr=b.address),
            out(far, ports[0], b.address, ports[1], 0, packets, octets, *span("10:00"), pkt_srcaddr=a.address),
            back(b, ports[1], a.address, ports[0], 0, packets, octets, *span("10:00"))]


Cost(
    "transit-gateway",
    "Client and server in two VPCs on a transit gateway: client, both attachments and server log the same bytes. They count once, without AZ charge, "
    "although the last hop (attachment in az4 → server in az6) crosses AZs.",
    "az4 → az6 10 GB, az6 → az4 1 GB, 0 ends. Processing of what was sent into the gateway: 10 + 1 = 11 GB x .02 = .22.",
    log(through_gateway(WEB, TGW_NEAR, TGW_FAR, SERVER, 10, (41001, 8443)) + through_gateway(SERVER, TGW_FAR, TGW_NEAR, WEB, 1, (8443, 41001))),
    inventory(WEB, SERVER, *TGW_ENIS, nets=(MAIN, FAR), files=ATTACHED),
    [run("cross-az", pair(AZ4, AZ6, "transit-gateway", 10, 0, 0), pair(AZ6, AZ4, "transit-gateway", 1, 0, 0), meter=meter(0, 0, 0),
         unresolved=unresolved()),
     run("cost", volume("TransitGateway-Bytes", 11, 0.02, 0.22, category="transit-gateway"))],
)


def owner(account, out, back, metered, cost):
    return {"owner": account, "category": "peering", "bytes_out": out * GB, "bytes_in": back * GB, "metered_bytes": metered * GB, "list_cost": cost,
            "list_cost_min": cost}


PEERING = {f"{ACCOUNT}/describe-vpc-peering-connections.json": peering(MAIN, PEERED)}

Cost(
    "peering-accounts",
    "VPC peering between two accounts across AZs: each account pays its own end. The accounts have different names for the zones; the ids are the same.",
    "10 x 2 x .01 = .20; back 2 x 2 x .01 = .04. As billed, each account has 10 + 2 = 12 GB x .01 = .12. All on the sender: 111122223333 10 x 2 = 20 GB, "
    ".20; 222233334444 2 x 2 = 4 GB, .04. All on the receiver: the other way round.",
    log(talk(WEB, PARTNER, 10, 2, path=4)),
    inventory(WEB, PARTNER, nets=(MAIN, PEERED), files=PEERING),
    [run("cross-az", pair(AZ4, AZ6, "peering", 10, 2, 0.20), pair(AZ6, AZ4, "peering", 2, 2, 0.04), meter=meter(24, 0, 0.24), unresolved=unresolved()),
     run("cross-az --by account", owner(ACCOUNT, 10, 2, 12, 0.12), owner(OTHER, 2, 10, 12, 0.12)),
     run("cross-az --by account --charge sender", owner(ACCOUNT, 10, 2, 20, 0.20), owner(OTHER, 2, 10, 4, 0.04)),
     run("cross-az --by account --charge receiver", owner(ACCOUNT, 10, 2, 4, 0.04), owner(OTHER, 2, 10, 20, 0.20)),
     run("cost", volume("VpcPeering-Out-Bytes", 10, 0.01, 0.10), volume("VpcPeering-In-Bytes", 2, 0.01, 0.02),
         volume("VpcPeering-Out-Bytes", 2, 0.01, 0.02, OTHER), volume("VpcPeering-In-Bytes", 10, 0.01, 0.10, OTHER))],
)

Cost(
    "peering-one-side",
    "The same, but only our account is logged: the partner's end is imputed, and still the partner's.",
    "As `peering-accounts`; metered 10 + 2 = 12 GB observed at our end, 12 GB imputed at theirs.",
    log([talk(WEB, PARTNER, 10, 2, path=4)[n] for n in (0, 3)]),
    inventory(WEB, PARTNER, nets=(MAIN, PEERED), files=PEERING),
    [run("cross-az", pair(AZ4, AZ6, "peering", 10, 2, 0.20, imputed=10), pair(AZ6, AZ4, "peering", 2, 2, 0.04, imputed=2), meter=meter(12, 12, 0.24)),
     run("cross-az --by account", owner(ACCOUNT, 10, 2, 12, 0.12), owner(OTHER, 2, 10, 12, 0.12))],
)

CONTROL = host("10.0.1.37", instance=False)
EKS = {f"{ACCOUNT}/list-clusters.json": {"clusters": ["prod"]},
       f"{ACCOUNT}/describe-cluster-prod.json": cluster("prod", subnet_ids=(subnet_of(MAIN, "10.0.1"), subnet_of(MAIN, "10.0.2")), vpc=MAIN, region=US)}

Cost(
    "control-plane-other-az",
    "A control-plane interface and a node in different AZs. Whether AWS meters such traffic is not documented: a range from no end to the node's.",
    "API server → kubelet 10 GB: 0 to 10 x 1 x .01 = .10. Back 20 GB: 0 to 20 x 1 x .01 = .20.",
    log([at_sender(CONTROL, APP, 10, ports=(41001, 10250)), at_receiver(CONTROL, APP, 10, ports=(41001, 10250)),
         at_sender(APP, CONTROL, 20, ports=(10250, 41001)), at_receiver(APP, CONTROL, 20, ports=(10250, 41001))]),
    inventory(control_plane(CONTROL, "prod"), APP, files=EKS),
    [run("cross-az", pair(AZ4, AZ6, "eks-control-plane", 10, 1, 0.10, 0, 0), pair(AZ6, AZ4, "eks-control-plane", 20, 1, 0.20, 0, 0),
         meter=meter(30, 0, 0.30))],
)

# --- NAT gateways ---------------------------------------------------------------------------------------------------------

SAMPLE = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes start end action log-status".split()
IN_ZONE = client(NAT4, CLIENT, 10, 100, 4.95, 0, 0.90, 5.85)

Cost(
    "aws-sample-nat",
    "The four records at a NAT gateway of AWS's documented sample (its addresses, our bytes; no direction, no AZ): two of them count.",
    "A 10 GB up, D 100 GB down; B and C are the same bytes after and before translation. Processing (10 + 100) x .045 = 4.95; client and gateway are "
    "both in az4: 0; internet 10 x .09 = .90. Together 5.85. All four records would give 220 GB.",
    log(through_nat(CLIENT, NAT4, REMOTE, 10, 100)[1:5], SAMPLE),
    inventory(CLIENT, nats=(NAT4,)),
    [run("nat", IN_ZONE), run("cross-az", unresolved=unresolved())],
)

Cost(
    "aws-sample-nat-six",
    "The same with the client's own two records, as a flow log of the VPC has them: 6 records, and never both ways of counting.",
    "As `aws-sample-nat`: 110 GB processed, 5.85.",
    log(through_nat(CLIENT, NAT4, REMOTE, 10, 100), SAMPLE),
    inventory(CLIENT, nats=(NAT4,)),
    [run("nat", IN_ZONE)],
)

Cost(
    "nat-other-az",
    "The NAT gateway is in another AZ than its client: processing, the leg between the AZs and the way to the internet stack.",
    "Up 10 GB, down 100. Processing 110 x .045 = 4.95; AZ leg 110 x 2 x .01 = 2.20; internet 10 x .09 = .90: 8.05. With one metered end of the leg "
    "110 x .01 = 1.10: 6.95. In the same AZ it would be 5.85.",
    log(through_nat(CLIENT, NAT6, REMOTE, 10, 100)),
    inventory(CLIENT, nats=(NAT6,)),
    [run("nat", client(NAT6, CLIENT, 10, 100, 4.95, 2.20, 0.90, 8.05, 6.95)),
     run("nat --nat-az-ends 1", client(NAT6, CLIENT, 10, 100, 4.95, 1.10, 0.90, 6.95)),
     run("cross-az", pair(AZ4, AZ6, "nat", 10, 2, 0.20, 1, 0.10), pair(AZ6, AZ4, "nat", 100, 2, 2.00, 1, 1.00), meter=meter(220, 0, 2.20)),
     run("cross-az --nat-az-ends 1", pair(AZ4, AZ6, "nat", 10, 1, 0.10), pair(AZ6, AZ4, "nat", 100, 1, 1.00)),
     run(f"cost {HOUR_10}", volume("NatGateway-Bytes", 110, 0.045, 4.95), hours("NatGateway-Hours", 1, 0.045, 0.045),
         volume("DataTransfer-Regional-Bytes", 110, 0.01, 1.10, category="nat", operation="InterZone-Out"),
         volume("DataTransfer-Regional-Bytes", 110, 0.01, 1.10, category="nat", operation="InterZone-In"),
         volume("DataTransfer-Out-Bytes", 10, 0.09, 0.90))],
)

BUCKET, FAR_BUCKET = "198.51.100.77", "192.0.2.77"
RANGES = {"ip-ranges.json": {"syncToken": "1790800000", "createDate": "2026-10-01-00-00-00", "ipv6_prefixes": [], "prefixes": [
    {"ip_prefix": prefix, "region": region, "service": service, "network_border_group": region}
    for prefix, region in (("198.51.100.0/24", US), ("192.0.2.0/24", "eu-west-1")) for service in ("AMAZON", "S3")]}}

Cost(
    "s3-through-nat",
    "S3 of the same region through a NAT gateway in another AZ: no transfer charge, and all of the rest is what a gateway endpoint would save.",
    "Up 40 GB, down 60. Processing 100 x .045 = 4.50; AZ leg 100 x 2 x .01 = 2.00; transfer 0: 6.50 (with one end 5.50). A gateway endpoint costs "
    "nothing: saves 4.50 + 2.00 = 6.50. As internet it would be 40 x .09 = 3.60 more.",
    log(through_nat(CLIENT, NAT6, BUCKET, 40, 60, service="S3")),
    inventory(CLIENT, nats=(NAT6,), files=RANGES),
    [run("nat", client(NAT6, CLIENT, 40, 60, 4.50, 2.00, 0, 6.50, 5.50),
         recommendations=[{"kind": "gateway-endpoint", "service": "S3", "saving": 6.50}])],
)

Cost(
    "s3-of-another-region",
    "S3 of eu-west-1 through the NAT gateway: the upload is priced as transfer between the two regions, and a gateway endpoint is no help.",
    "Up 10 GB, down 100. Processing 110 x .045 = 4.95; us-east-1 → eu-west-1 10 x .02 = .20: 5.15. (The other region's 100 GB out are its bucket owner's.) "
    "No recommendation.",
    log(through_nat(CLIENT, NAT4, FAR_BUCKET, 10, 100, service="S3")),
    inventory(CLIENT, nats=(NAT4,), files=RANGES),
    [run("nat", client(NAT4, CLIENT, 10, 100, 4.95, 0, 0.20, 5.15), recommendations=[])],
)

Cost(
    "nat-hours",
    "Two clients of a gateway through two hours: its hours are shared by processed bytes.",
    "10.0.1.5: up 20, down 40, 60 GB: 60 x .045 = 2.70, internet 20 x .09 = 1.80: 4.50. 10.0.1.6: up 10, down 10, 20 GB: .90 + .90 = 1.80. "
    "Hours 2 x .045 = .09: 60/80 = .0675 and 20/80 = .0225, beside `list_cost`.",
    log([one for clock in ("10:00", "11:00") for one in
         through_nat(CLIENT, NAT4, REMOTE, 10, 20, clock)[1:5] + through_nat(SECOND, NAT4, REMOTE, 5, 5, clock)[1:5]]),
    inventory(CLIENT, SECOND, nats=(NAT4,)),
    [run(f"nat --from {DAY}T10:00:00Z --to {DAY}T12:00:00Z", client(NAT4, CLIENT, 20, 40, 2.70, 0, 1.80, 4.50) | {"hours_cost": 0.0675},
         client(NAT4, SECOND, 10, 10, 0.90, 0, 0.90, 1.80) | {"hours_cost": 0.0225})],
)

Cost(
    "month-to-date",
    "Monthly tiers: with 10,330 GB sent to the internet before, 100 of them free, an upload of 20 GB passes the bound at 10,240 GB.",
    "10 GB x .09 + 10 GB x .085 = .90 + .85 = 1.75; processing (20 + 10) x .045 = 1.35: 3.10. Without the option all is at the first tier: 20 x .09 = 1.80, "
    "together 3.15. In `report cost` each tier has a line.",
    log(through_nat(CLIENT, NAT4, REMOTE, 20, 10)),
    inventory(CLIENT, nats=(NAT4,)),
    [run("nat --month-to-date internet-egress=10330", client(NAT4, CLIENT, 20, 10, 1.35, 0, 1.75, 3.10)),
     run("nat", client(NAT4, CLIENT, 20, 10, 1.35, 0, 1.80, 3.15)),
     run(f"cost --month-to-date internet-egress=10330 {HOUR_10}", volume("NatGateway-Bytes", 30, 0.045, 1.35), hours("NatGateway-Hours", 1, 0.045, 0.045),
         volume("DataTransfer-Out-Bytes", 10, 0.09, 0.90), volume("DataTransfer-Out-Bytes", 10, 0.085, 0.85))],
)


def marginal(up, down, processing, **other):
    return {"bytes_up": up * GB, "bytes_down": down * GB, "bytes_processed": (up + down) * GB, "processing_cost": processing, **other}


Cost(
    "nat-without-pkt",
    "A gateway logged in the default format: a record names the client or the remote, never both. A and D give each client, B and C each remote.",
    "Clients: 10.0.1.5 up 10, down 40: 50 x .045 = 2.25, same AZ; 10.0.2.6 (az6) up 6, down 20: 26 x .045 = 1.17, AZ leg 26 x 2 x .01 = .52. Remotes: "
    "203.0.113.5 up 8 + 4 = 12, down 30 + 15 = 45: 57 x .045 = 2.565; 203.0.113.99 up 2 + 2 = 4, down 10 + 5 = 15: 19 x .045 = .855. Both ways 76 GB, "
    "3.42. The clients' own interfaces are not logged: their ends are imputed.",
    log([one for parts in ((CLIENT, REMOTE, 8, 30, 41001), (CLIENT, SECOND_REMOTE, 2, 10, 41002), (BATCH, REMOTE, 4, 15, 42001),
                           (BATCH, SECOND_REMOTE, 2, 5, 42002))
         for one in through_nat(parts[0], NAT4, *parts[1:4], port=parts[4])[1:5]], V2),
    inventory(CLIENT, BATCH, nats=(NAT4,)),
    [run("nat", marginal(10, 40, 2.25, client_addr=CLIENT.address, cross_az_cost=0, basis="nat-eni"),
         marginal(6, 20, 1.17, client_addr=BATCH.address, cross_az_cost=0.52, basis="nat-eni")),
     run("nat --by destination", marginal(12, 45, 2.565), marginal(4, 15, 0.855)),
     run("cross-az", pair(AZ4, AZ6, "nat", 20, 2, 0.40, 1, 0.20, imputed=20), pair(AZ6, AZ4, "nat", 6, 2, 0.12, 1, 0.06, imputed=6))],
)

ROUTES = {f"{ACCOUNT}/describe-route-tables.json": routes(MAIN, (CLIENT.subnet, GATEWAY[NAT6]), (NAT6.subnet, "igw-0c057000000000001"))}

Cost(
    "nat-eni-not-logged",
    "The gateway's interface is not logged: the client's own records tell it by a public address and `traffic-path` 1, and the route which gateway. What "
    "leaves by the internet gateway itself (path 8) is no NAT.",
    "As `nat-other-az`: up 10, down 100: 4.95 + 2.20 + .90 = 8.05 (6.95). The gateway's end of the AZ leg is imputed. 10.0.4.9's 7 GB by path 8 are not in it.",
    log([through_nat(CLIENT, NAT6, REMOTE, 10, 100)[n] for n in (0, 5)] + [at_sender(host("10.0.4.9"), REMOTE, 7, path=8)]),
    inventory(CLIENT, host("10.0.4.9"), nats=(NAT6,), files=ROUTES),
    [run("nat", client(NAT6, CLIENT, 10, 100, 4.95, 2.20, 0.90, 8.05, 6.95, "instance-eni")),
     run("cross-az", pair(AZ4, AZ6, "nat", 10, 2, 0.20, 1, 0.10, imputed=10), pair(AZ6, AZ4, "nat", 100, 2, 2.00, 1, 1.00, imputed=100),
         meter=meter(110, 110, 2.20))],
)

# The private subnets of az4 use the gateway in az6 although their own zone has one; a table of its own goes before the main one.
TWO_ROUTES = {f"{ACCOUNT}/describe-route-tables.json": routes(
    MAIN, (CLIENT.subnet, GATEWAY[NAT6]), (BATCH.subnet, GATEWAY[NAT4]), (NAT6.subnet, "igw-0c057000000000001"))}

Cost(
    "nat-by-route",
    "Two gateways in one VPC, neither logged, no next hop: the route table of the client's subnet tells which one it was. 10.0.4.9's subnet leads to the "
    "internet gateway.",
    "As `nat-other-az` for 10.0.1.5 (az4) through az6: up 10, down 100: 4.95 + 2.20 + .90 = 8.05 (6.95). 10.0.2.6 (az6) through az4: up 2, down 20: "
    "22 x .045 = .99, AZ leg 22 x 2 x .01 = .44 (.22), internet 2 x .09 = .18: 1.61 (1.39).",
    log([through_nat(CLIENT, NAT6, REMOTE, 10, 100)[n] for n in (0, 5)] + [through_nat(BATCH, NAT4, REMOTE, 2, 20)[n] for n in (0, 5)]
        + [at_sender(host("10.0.4.9"), REMOTE, 7, path=8)]),
    inventory(CLIENT, BATCH, host("10.0.4.9"), nats=(NAT4, NAT6), files=TWO_ROUTES),
    [run("nat", client(NAT4, BATCH, 2, 20, 0.99, 0.44, 0.18, 1.61, 1.39, "instance-eni"),
         client(NAT6, CLIENT, 10, 100, 4.95, 2.20, 0.90, 8.05, 6.95, "instance-eni"))],
)

Cost(
    "nat-by-route-v2",
    "The same in the default format, which has no path either: the route tells that it was NAT at all. 10.0.4.9's 7 GB left by the internet gateway.",
    "As `nat-by-route`.",
    log([through_nat(CLIENT, NAT6, REMOTE, 10, 100)[n] for n in (0, 5)] + [through_nat(BATCH, NAT4, REMOTE, 2, 20)[n] for n in (0, 5)]
        + [at_sender(host("10.0.4.9"), REMOTE, 7, path=8)], V2),
    inventory(CLIENT, BATCH, host("10.0.4.9"), nats=(NAT4, NAT6), files=TWO_ROUTES),
    [run("nat", client(NAT4, BATCH, 2, 20, 0.99, 0.44, 0.18, 1.61, 1.39, "instance-eni"),
         client(NAT6, CLIENT, 10, 100, 4.95, 2.20, 0.90, 8.05, 6.95, "instance-eni"))],
)

Cost(
    "nat-elsewhere",
    "The client's subnet sends what leaves to a transit gateway: NAT is in another VPC, not at the gateway that this VPC has for others.",
    "10 up and 100 down: 110 x .045 = 4.95, internet 10 x .09 = .90. Which gateway it was, and in which AZ, is not known, so there is no sum.",
    log([through_nat(CLIENT, NAT4, REMOTE, 10, 100)[n] for n in (0, 5)]),
    inventory(CLIENT, nats=(NAT4,), files={f"{ACCOUNT}/describe-route-tables.json": routes(MAIN, (CLIENT.subnet, "tgw-0c057000000000001"))}),
    [run("nat", {"nat_gateway_id": None, "client_addr": CLIENT.address, "nat_az_id": None, "bytes_up": 10 * GB, "bytes_down": 100 * GB,
                 "processing_cost": 4.95, "cross_az_cost": None, "transfer_cost": 0.90, "list_cost": None, "basis": "instance-eni"})],
)

REGIONAL = "nat-1c057000000000009"
REGIONAL_NAT = {"NatGateways": [{
    "NatGatewayId": REGIONAL, "VpcId": MAIN, "State": "available", "ConnectivityType": "public", "AvailabilityMode": "regional",
    "AutoProvisionZones": "enabled", "AutoScalingIps": "enabled", "CreateTime": "2026-02-01T07:00:00+00:00", "Tags": [],
    "NatGatewayAddresses": [{"AllocationId": "eipalloc-1c057000000000009", "PublicIp": "203.0.113.209", "AvailabilityZone": ZONE[AZ4],
                             "AvailabilityZoneId": AZ4, "Status": "succeeded"}]}]}


def through_regional(eni, up, down, cross_az, transfer, processing, cost):
    return {"nat_gateway_id": REGIONAL, "client_addr": eni.address, "bytes_up": up * GB, "bytes_down": down * GB, "processing_cost": processing,
            "cross_az_cost": cross_az, "transfer_cost": transfer, "list_cost": cost, "basis": "instance-eni"}


Cost(
    "nat-regional",
    "A regional gateway has no interface in the VPC: the clients' own records tell of it. It has an address in az4 and none in az6 yet, so the hop stays "
    "in the zone for the one client and has no known AZ for the other.",
    "10.0.1.5 (az4): 110 x .045 = 4.95, no AZ leg, internet 10 x .09 = .90: 5.85. 10.0.2.6 (az6): 22 x .045 = .99, AZ leg unknown, so no sum. In "
    "`report cost` 132 GB x .045 = 5.94 and one AZ-hour .045, each under the regional gateway's usage type, whose price per GB is given, as it is not built in; internet 12 x .09 = 1.08.",
    log([through_nat(CLIENT, NAT4, REMOTE, 10, 100)[n] for n in (0, 5)] + [through_nat(BATCH, NAT4, REMOTE, 2, 20)[n] for n in (0, 5)]),
    inventory(CLIENT, BATCH, files={
        f"{ACCOUNT}/describe-nat-gateways.json": REGIONAL_NAT,
        f"{ACCOUNT}/describe-route-tables.json": routes(MAIN, (CLIENT.subnet, REGIONAL), (BATCH.subnet, REGIONAL))}),
    [run("nat --prices FOLDER/prices.toml", through_regional(CLIENT, 10, 100, 0, 0.90, 4.95, 5.85),
         through_regional(BATCH, 2, 20, None, 0.18, 0.99, None)),
     run(f"cost --prices FOLDER/prices.toml {HOUR_10}", volume("DataTransfer-Out-Bytes", 12, 0.09, 1.08), volume("RegionalNatGateway-Bytes", 132, 0.045, 5.94),
         hours("RegionalNatGateway-Hours", 1, 0.045, 0.045))],
    {"prices.toml": b'format = "flowproof-prices-1"\ncurrency = "USD"\n\n'
                    b'[[price]]\nregion = "us-east-1"\nmeter = "regional-nat-bytes"\nrate = "0.045"\n'},
)

Cost(
    "nat-eni-logged-in-part",
    "The gateway's interface is logged in hour 10 and not in hour 11, its client's in both: each hour counts by one of the two, never by both.",
    "Hour 10 (A and D): up 10, down 100. Hour 11 (the client's own): up 5, down 20. 15 + 120 = 135 GB x .045 = 6.075; same AZ; 15 x .09 = 1.35: 7.425. "
    "Counting both in hour 10 would give 245 GB.",
    log(through_nat(CLIENT, NAT4, REMOTE, 10, 100) + [through_nat(CLIENT, NAT4, REMOTE, 5, 20, "11:00")[n] for n in (0, 5)]),
    inventory(CLIENT, nats=(NAT4,), files={f"{ACCOUNT}/describe-route-tables.json": routes(MAIN, (CLIENT.subnet, GATEWAY[NAT4]))}),
    [run("nat --by gateway", {"nat_gateway_id": GATEWAY[NAT4], "bytes_up": 15 * GB, "bytes_down": 120 * GB, "bytes_processed": 135 * GB,
                              "processing_cost": 6.075, "cross_az_cost": 0, "transfer_cost": 1.35, "list_cost": 7.425})],
)

# --- prices ---------------------------------------------------------------------------------------------------------------

FRANKFURT, FRANKFURT_B = Eni("eni-0e100000000000001", "10.0.1.10"), Eni("eni-0e200000000000002", "10.0.2.20", "subnet-0bbb0000000000002",
                                                                    "eu-central-1b", "euc1-az3")

FRANKFURT_NAT, FRANKFURT_GATEWAY = Eni("eni-0da70000000000001", "10.0.1.220"), "nat-0123456789abcdef0"
FRANKFURT_INVENTORY = {f"{SNAPSHOT}/{path}": content for path, content in {
    "describe-vpcs.json": vpcs((VPC, "10.0.0.0/16")),
    "describe-subnets.json": subnets((FRANKFURT.subnet, "10.0.1.0/24", FRANKFURT.zone, FRANKFURT.az_id),
                                     (FRANKFURT_B.subnet, "10.0.2.0/24", FRANKFURT_B.zone, FRANKFURT_B.az_id)),
    "describe-network-interfaces.json": enis(node(FRANKFURT), node(FRANKFURT_B), nat(FRANKFURT_NAT, FRANKFURT_GATEWAY)),
    "describe-nat-gateways.json": nat_gateways((FRANKFURT_GATEWAY, FRANKFURT_NAT, "203.0.113.10"))}.items()}
IN_FRANKFURT = log(moved(FRANKFURT, FRANKFURT_B, 10) + through_nat(FRANKFURT, FRANKFURT_NAT, REMOTE, 10, 100))


def in_frankfurt(processing, transfer, cost):
    return {"nat_gateway_id": FRANKFURT_GATEWAY, "client_addr": FRANKFURT.address, "bytes_up": 10 * GB, "bytes_down": 100 * GB, "bytes_processed": 110 * GB,
            "processing_cost": processing, "transfer_cost": transfer, "list_cost": cost}


Cost(
    "region-without-price",
    "Frankfurt (eu-central-1), for which the built-in list has no confirmed price: bytes are shown, money is absent, and that is no fault.",
    "10 GB across AZs, 2 ends, no figure: a default of .01 would give .20, which nobody has confirmed. NAT 10 + 100 = 110 GB, no figure.",
    IN_FRANKFURT,
    FRANKFURT_INVENTORY,
    [run("cross-az", pair("euc1-az2", "euc1-az3", "direct", 10, 2, None), meter=meter(20, 0, None)), run("nat", in_frankfurt(None, None, None))],
)


def product(sku, family, attributes, *tiers, unit="GB"):
    """A product of the AWS Price List, as a document in a string; tiers are (from, to, price)."""
    offer = f"{sku}.JRTCKXETXF"
    dimensions = {f"{offer}.{number:010d}": {
        "rateCode": f"{offer}.{number:010d}", "description": f"${price} per {unit}", "beginRange": start, "endRange": end, "unit": unit,
        "pricePerUnit": {"USD": price}, "appliesTo": []} for number, (start, end, price) in enumerate(tiers, 1)}
    return compact({
        "product": {"sku": sku, "productFamily": family, "attributes": attributes}, "serviceCode": attributes["servicecode"], "version": "20260917000000",
        "publicationDate": "2026-09-17T00:00:00Z",
        "terms": {"OnDemand": {offer: {"sku": sku, "offerTermCode": "JRTCKXETXF", "effectiveDate": "2026-09-01T00:00:00Z", "termAttributes": {},
                                       "priceDimensions": dimensions}}}}).decode()


def of_nat(usage_type, group, operation="NatGateway"):
    return {"servicecode": "AmazonEC2", "servicename": "Amazon Elastic Compute Cloud", "location": "EU (Frankfurt)", "locationType": "AWS Region",
            "regionCode": REGION, "group": group, "usagetype": usage_type, "operation": operation}


def of_transfer(usage_type, kind, to, to_region=None):
    return {"servicecode": "AWSDataTransfer", "servicename": "AWS Data Transfer", "transferType": kind, "fromLocation": "EU (Frankfurt)",
            "fromLocationType": "AWS Region", "fromRegionCode": REGION, "toLocation": to, "usagetype": usage_type, "operation": "",
            **({"toLocationType": "AWS Region", "toRegionCode": to_region} if to_region else {"toLocationType": "Other"})}


def products(*of):
    """`aws pricing get-products`."""
    return {"FormatVersion": "aws_v1", "PriceList": list(of)}


Cost(
    "prices-given",
    "The same with two answers of `aws pricing get-products` (prices of the case, not of AWS). Products that only look like the right one stand beside it: "
    "regional NAT gateways, provisioned bandwidth, other regions.",
    "10 x 2 x .01 = .20. NAT 110 x .052 = 5.72, internet 10 x .09 = .90: 6.62. With 10,336 GB sent before, 100 of them free: 4 x .09 + 6 x .085 = .36 + .51 = .87: 6.59.",
    IN_FRANKFURT,
    FRANKFURT_INVENTORY,
    [run("cross-az --prices FOLDER/prices-ec2.json --prices FOLDER/prices-transfer.json", pair("euc1-az2", "euc1-az3", "direct", 10, 2, 0.20)),
     run("nat --prices FOLDER/prices-ec2.json --prices FOLDER/prices-transfer.json", in_frankfurt(5.72, 0.90, 6.62)),
     run("nat --prices FOLDER/prices-ec2.json --prices FOLDER/prices-transfer.json --month-to-date internet-egress=10336", in_frankfurt(5.72, 0.87, 6.59)),
     run("nat --prices FOLDER/prices-ec2.json", in_frankfurt(5.72, None, None))],
    {"prices-ec2.json": products(
        product("AAAAAAAAAAAAAAA1", "NAT Gateway", of_nat("EUC1-RegionalNatGateway-Bytes", "NGW:NatGateway", "RegionalNatGateway"),
                ("0", "Inf", "0.0610000000")),
        product("AAAAAAAAAAAAAAA2", "NAT Gateway", of_nat("EUC1-NatGateway-Prvd-Bytes", "NGW:NatGateway"), ("0", "Inf", "0.0000000000")),
        product("AAAAAAAAAAAAAAA3", "NAT Gateway", of_nat("EUC1-NatGateway-Bytes", "NGW:NatGateway"), ("0", "Inf", "0.0520000000")),
        product("AAAAAAAAAAAAAAA4", "NAT Gateway", of_nat("EUC1-NatGateway-Hours", "NGW:NatGateway"), ("0", "Inf", "0.0520000000"), unit="Hrs")),
     "prices-transfer.json": products(
        product("BBBBBBBBBBBBBBB1", "Data Transfer", of_transfer("EUC1-EUN1-AWS-Out-Bytes", "InterRegion Outbound", "EU (Stockholm)", "eu-north-1"),
                ("0", "Inf", "0.0200000000")),
        product("BBBBBBBBBBBBBBB2", "Data Transfer", of_transfer("EUC1-DataTransfer-Regional-Bytes", "IntraRegion", "EU (Frankfurt)", REGION),
                ("0", "Inf", "0.0100000000")),
        product("BBBBBBBBBBBBBBB3", "Data Transfer", of_transfer("EUC1-DataTransfer-Out-Bytes", "AWS Outbound", "External"),
                ("0", "10240", "0.0900000000"), ("10240", "51200", "0.0850000000"), ("51200", "153600", "0.0700000000"), ("153600", "Inf", "0.0500000000")))},
)

Cost(
    "bytes-per-gb",
    "Bytes that are no whole GB: what a GB is can be set, and a figure is rounded once, at its end, half to even at the sixth decimal.",
    "az4 → az1 10,000,075,000 bytes: ÷ 2^30 x 2 x .01 = .1862659… → .186266; ÷ 10^9 x 2 x .01 = .2000015 → .200002. az4 → az6 10,000,125,000 "
    "bytes: ÷ 2^30 x 2 x .01 = .1862668… → .186267; ÷ 10^9 x 2 x .01 = .2000025 → .200002 (half up would say .200003).",
    log(moved(WEB, JOB, 0, octets=10_000_075_000) + moved(WEB, APP, 0, octets=10_000_125_000)),
    inventory(WEB, APP, JOB),
    [run("cross-az", {"src_az_id": AZ4, "dst_az_id": AZ1, "bytes": 10_000_075_000, "list_cost": 0.186266},
         {"src_az_id": AZ4, "dst_az_id": AZ6, "bytes": 10_000_125_000, "list_cost": 0.186267}),
     run("cross-az --bytes-per-gb 1000000000", {"src_az_id": AZ4, "dst_az_id": AZ1, "bytes": 10_000_075_000, "list_cost": 0.200002},
         {"src_az_id": AZ4, "dst_az_id": AZ6, "bytes": 10_000_125_000, "list_cost": 0.200002})],
)

# --- the bill's lines -----------------------------------------------------------------------------------------------------

Cost(
    "internet-direct",
    "An instance with a public address sends to the internet through the internet gateway: the upload is charged, the download is not.",
    "5 GB x .09 = .45; 30 GB in are free.",
    log([at_sender(WEB, REMOTE, 5, path=8), at_receiver(REMOTE, WEB, 30, ports=(443, 41001))]),
    inventory(WEB),
    [run("cost", volume("DataTransfer-Out-Bytes", 5, 0.09, 0.45)), run("cross-az", unresolved=unresolved())],
)

Cost(
    "cost-lines",
    "One hour with something of everything: each line of the bill that flow logs can tell.",
    "NAT (same AZ): (10 + 100) x .045 = 4.95, 1 hour x .045 = .045, internet 10 x .09 = .90. Direct: 10 GB out .10 and in .10. Database reply: 4 GB in at the "
    "instance .04. Peering: 3 GB out .03 here, in .03 at 222233334444. Endpoint: (8 + 2) x .01 = .10, 2 AZs x 1 hour x .01 = .02. Transit gateway: "
    "6 x .02 = .12. Together 6.435.",
    log(through_nat(CLIENT, NAT4, REMOTE, 10, 100) + moved(WEB, APP, 10) + moved(DATABASE, WEB, 4, ports=(5432, 41002))
        + moved(WEB, PARTNER, 3, path=4) + talk(WEB, ENDPOINT, 8, 2) + [at_sender(WEB, SERVER, 6)]),
    inventory(CLIENT, WEB, APP, PARTNER, SERVER, database(DATABASE), endpoint(ENDPOINT), endpoint(ENDPOINT_4), *TGW_ENIS,
              nets=(MAIN, PEERED, FAR), nats=(NAT4,),
              files=PEERING | ATTACHED | {f"{ACCOUNT}/describe-vpc-endpoints.json": vpc_endpoints(VPCE, "sts", ENDPOINT, ENDPOINT_4)}),
    [run(f"cost {HOUR_10}",
         volume("NatGateway-Bytes", 110, 0.045, 4.95, category="nat"), hours("NatGateway-Hours", 1, 0.045, 0.045, category="nat"),
         volume("DataTransfer-Out-Bytes", 10, 0.09, 0.90),
         volume("DataTransfer-Regional-Bytes", 10, 0.01, 0.10, category="direct", operation="InterZone-Out"),
         volume("DataTransfer-Regional-Bytes", 10, 0.01, 0.10, category="direct", operation="InterZone-In"),
         volume("DataTransfer-Regional-Bytes", 4, 0.01, 0.04, category="database", operation="InterZone-In"),
         volume("VpcPeering-Out-Bytes", 3, 0.01, 0.03, category="peering"), volume("VpcPeering-In-Bytes", 3, 0.01, 0.03, OTHER, category="peering"),
         volume("VpcEndpoint-Bytes", 10, 0.01, 0.10, category="endpoint"), hours("VpcEndpoint-Hours", 2, 0.01, 0.02, category="endpoint"),
         volume("TransitGateway-Bytes", 6, 0.02, 0.12, category="transit-gateway"))],
)

Cost(
    "cost-by-cluster",
    "What the control plane's egress of a cluster costs: its issuer through the NAT gateway, and a webhook on a node in another AZ.",
    "NAT: up 1 GB, down 2: 3 x .045 = .135, internet 1 x .09 = .09 (the gateway is in the control-plane interface's AZ). Node: 10 GB, in at the node's end "
    "0 to 10 x .01 = .10. The 20 GB between two instances are no cluster's.",
    log(through_nat(CONTROL, NAT4, REMOTE, 1, 2) + moved(CONTROL, APP, 10, ports=(41002, 9443)) + moved(WEB, JOB, 20, ports=(41003, 8443))),
    inventory(control_plane(CONTROL, "prod"), APP, WEB, JOB, nats=(NAT4,), files=EKS),
    [run("cost --by cluster", volume("NatGateway-Bytes", 3, 0.045, 0.135, category="nat", owner="prod"),
         volume("DataTransfer-Out-Bytes", 1, 0.09, 0.09, owner="prod"),
         volume("DataTransfer-Regional-Bytes", 10, 0.01, 0.10, category="eks-control-plane", operation="InterZone-In", owner="prod",
                list_cost_min=0), some=True)],
)

# --- the catalogue --------------------------------------------------------------------------------------------------------


def readme():
    rows = "\n".join(f"| [`{case.name}`]({case.name}) | {case.shows} | {case.figures} |" for case in COSTS)
    return README.format(cases=rows, number=len(COSTS))


README = """# Sample costs

{number} cases of what traffic costs, each with one thing to show. Every figure was derived by hand from AWS's billing rules, before and apart from
any engine; the arithmetic stands here, so that a calculator is enough to check it. Names, accounts and addresses are invented.

Each folder holds `logs/`, `inventory/` (unless the case is about having none) and `expected.json`: `runs`, each with its `args` (the report and its
options; the logs are FOLDER/logs, the inventory FOLDER/inventory, the output `-o json`), its `exit_code`, and what of the answer is compared:

* `keys`: keys of the document, compared as far as they are given (of a list: each given entry is there; an empty one is empty).
* `rows`: as many rows as the answer has, compared as far as their keys are given; with `some_rows` the answer may have more.

Money is compared as decimal numbers. Written by `python3 make.py`, one folder up.

List prices in us-east-1, US dollars: NAT gateway .045 per GB and .045 per hour; between AZs .01 per GB and metered end, peering the same; internet .09
per GB up to 10,240 GB of a month, then .085; interface endpoint .01 per GB and .01 per AZ and hour; transit gateway .02 per GB. One GB is 2^30 bytes.

The VPC is 10.0.0.0/16: 10.0.0.x and 10.0.1.x are in use1-az4, 10.0.2.x and 10.0.4.x in use1-az6, 10.0.3.x in use1-az1; 10.8.2.x (peered) and 10.9.2.x (by
transit gateway) in use1-az6. "az4" below is `use1-az4`. All cases lie on 2026-10-01; "hour 10" is 10:00 to 11:00 UTC. Up and down are seen from the client.

| case | what it shows | the figures |
|---|---|---|
{cases}
"""


# --- owners by tags of the records ------------------------------------------------------------------------------------------

TAGGED = FIELDS + ["interface-tag"]
TAGGED_ROWS = [at_sender(WEB, APP, 10, interface_tag="payments"), at_receiver(WEB, APP, 10, interface_tag="data%20platform"),
               at_sender(CACHE, APP, 4, ports=(41002, 8443)), at_receiver(CACHE, APP, 4, ports=(41002, 8443), interface_tag="data%20platform")]
FL_TAGGED = "fl-0c057000000000001"
TAG_KEYS = flow_logs((FL_TAGGED, MAIN, TAGGED, "2026-01-15T09:00:00+00:00"))
TAG_KEYS["FlowLogs"][0]["TagFieldSpecifications"] = [{"ResourceType": "network-interface", "TagKeys": ["team"]}]


def by_team(*owners):
    return [volume("DataTransfer-Regional-Bytes", gb, 0.01, cost, operation=f"InterZone-{way}", owner=owner) for way, gb, cost, owner in owners]


Cost(
    "tags-of-records",
    "Version 11 puts a tag's value into the record, and describe-flow-logs says which key it has. 10.0.1.11's records have none.",
    "10 GB and 4 GB from az4 to az6, each end .01: out payments 10 x .01 = .10, nobody's 4 x .01 = .04; in `data platform` 14 x .01 = .14.",
    {s3_key(FL_TAGGED, "1005", region=US): packed(text(TAGGED, TAGGED_ROWS))},
    inventory(WEB, APP, CACHE, files={f"{ACCOUNT}/describe-flow-logs.json": TAG_KEYS}),
    [run("cost --by tag:team", *by_team(("Out", 10, 0.10, "payments"), ("Out", 4, 0.04, None), ("In", 14, 0.14, "data platform"))),
     run("cross-az --by tag:team",
         {"owner": "payments", "bytes_out": 10 * GB, "bytes_in": 0, "list_cost": 0.10},
         {"owner": "data platform", "bytes_out": 0, "bytes_in": 14 * GB, "list_cost": 0.14},
         {"owner": None, "bytes_out": 4 * GB, "bytes_in": 0, "list_cost": 0.04})],
)

Cost(
    "tags-without-keys",
    "The same from a file whose flow log is not known: the field's own name is the key.",
    "As `tags-of-records`.",
    log(TAGGED_ROWS, TAGGED),
    inventory(WEB, APP, CACHE),
    [run("cost --by tag:interface-tag", *by_team(("Out", 10, 0.10, "payments"), ("Out", 4, 0.04, None), ("In", 14, 0.14, "data platform"))),
     run("cost --by tag:team", *by_team(("Out", 14, 0.14, None), ("In", 14, 0.14, None)))],
)
