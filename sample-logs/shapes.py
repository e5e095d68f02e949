"""The shapes that the samples are written in: flow-log lines, inventory JSON, expected answers.

Not a flow-log engine: it only spells out what a case says in its tables. Line formats follow AWS's page "Flow log
records"; inventory files have the shape of raw `aws … --output json` and `kubectl get … -o json`.
"""

import calendar
import gzip
import io
import json
import time
from dataclasses import dataclass, field

DAY = "2026-10-01"
ACCOUNT = "111122223333"
REGION = "eu-central-1"
VPC = "vpc-0c0de000000000001"
SNAPSHOT = "2026-10-01T000000Z"

# --- formats (header tokens in file order) ------------------------------------------------------------------------

V2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status".split()
V5 = V2 + (
    "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id "
    "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
).split()
ALPHABETICAL = sorted(V5)
V11 = V5 + (
    "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id "
    "ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason resource-id "
    "encryption-status instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type "
    "next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type"
).split()
# What an auditor should ask for: everything that the egress report can use.
ADVISED = V2 + (
    "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id pkt-src-aws-service "
    "pkt-dst-aws-service flow-direction traffic-path reject-reason"
).split()
# Most cases: few enough columns to be read by eye.
SHORT = (
    "version interface-id flow-direction srcaddr srcport dstaddr dstport protocol tcp-flags packets bytes start end "
    "action log-status traffic-path pkt-srcaddr pkt-dstaddr"
).split()

# --- records ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Eni:
    """An interface: what a record says about it, and what the inventory says."""

    id: str
    address: str
    subnet: str = "subnet-0aaa0000000000001"
    zone: str = "eu-central-1a"
    az_id: str = "euc1-az2"
    instance: str = "-"
    vpc: str = VPC
    account: str = ACCOUNT
    ipv6: str = ""
    more: tuple = field(default=())  # secondary private addresses


def epoch(clock, day=DAY):
    """Unix seconds of `HH:MM:SS` on the day, or of a full `YYYY-MM-DDTHH:MM:SS`."""
    text = clock if "T" in clock else f"{day}T{clock}"
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))


def out(eni, local_port, peer, peer_port, flags, packets, octets, start, end, action="ACCEPT", **other):
    """A record of packets that left the interface."""
    own = eni.ipv6 if ":" in peer else eni.address
    values = {"srcaddr": own, "srcport": local_port, "dstaddr": peer, "dstport": peer_port, "pkt-srcaddr": own, "pkt-dstaddr": peer}
    return record(eni, values | {"flow-direction": "egress", "traffic-path": 1}, flags, packets, octets, start, end, action, other)


def back(eni, local_port, peer, peer_port, flags, packets, octets, start, end, action="ACCEPT", **other):
    """A record of packets that reached the interface."""
    own = eni.ipv6 if ":" in peer else eni.address
    values = {"srcaddr": peer, "srcport": peer_port, "dstaddr": own, "dstport": local_port, "pkt-srcaddr": peer, "pkt-dstaddr": own}
    return record(eni, values | {"flow-direction": "ingress"}, flags, packets, octets, start, end, action, other)


def record(eni, values, flags, packets, octets, start, end, action, other):
    values |= about(eni) | {
        "protocol": 6, "tcp-flags": flags, "packets": packets, "bytes": octets, "start": epoch(start), "end": epoch(end),
        "action": action, "log-status": "OK", "type": "IPv6" if ":" in values["srcaddr"] else "IPv4",
    }
    return values | {name.replace("_", "-"): value for name, value in other.items()}


def status(eni, log_status, start, end):
    """A NODATA or SKIPDATA record: the interface and the interval, and nothing about a flow."""
    return about(eni) | {"start": epoch(start), "end": epoch(end), "log-status": log_status}


def about(eni):
    return {
        "account-id": eni.account, "interface-id": eni.id, "vpc-id": eni.vpc, "subnet-id": eni.subnet, "instance-id": eni.instance,
        "region": region_of(eni.zone), "az-id": eni.az_id,
    }


def region_of(zone):
    return zone.rstrip("abcdef")


FIRST_VERSION = {"tcp-flags": 3, "pkt-srcaddr": 3, "region": 4, "flow-direction": 5, "reject-reason": 8, "interface-type": 11}


def line(fields, values):
    version = max(FIRST_VERSION.get(name, 2) for name in fields)
    return " ".join(str(({"version": version} | values).get(name, "-")) for name in fields)


def text(fields, rows):
    """A log as AWS writes it: header, then records; a row that is already text goes in as it is."""
    lines = [" ".join(fields)] + [row if isinstance(row, str) else line(fields, row) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def packed(data):
    """One gzip member without time or name, so that the bytes depend on the content alone."""
    packed_bytes = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed_bytes, mtime=0, compresslevel=9) as member:
        member.write(data)
    return packed_bytes.getvalue()


def bare(fields, rows):
    """Records without a header."""
    return text(fields, rows).split(b"\n", 1)[1]


PARQUET_I32 = {"version", "srcport", "dstport", "protocol", "tcp-flags", "traffic-path", "encryption-status"}
PARQUET_I64 = {"packets", "bytes", "start", "end", "packets-lost-no-route", "packets-lost-blackhole", "packets-lost-mtu-exceeded",
               "packets-lost-ttl-expired"}


def parquet(fields, rows):
    """The same records as AWS's Parquet: typed columns, `_` for `-`, gzip pages; a missing string is `-`, a missing number null."""
    import pyarrow

    def column(name):
        values = [({"version": 5} | one).get(name, "-") for one in rows]
        if name not in PARQUET_I32 | PARQUET_I64:
            return pyarrow.array([str(value) for value in values], pyarrow.string())
        return pyarrow.array([None if value == "-" else value for value in values], pyarrow.int32() if name in PARQUET_I32 else pyarrow.int64())

    return table_file(pyarrow.table({name.replace("-", "_"): column(name) for name in fields}))


def table_file(table, **options):
    """A Parquet file of an Arrow table."""
    import pyarrow
    from pyarrow.parquet import write_table

    sink = pyarrow.BufferOutputStream()
    write_table(table, sink, **({"compression": "gzip", "store_schema": False} | options))
    return sink.getvalue().to_pybytes()


def s3_key(flow_log, clock, day=DAY, account=ACCOUNT, number=0, suffix="log.gz", region=REGION):
    """AWS's plain key: the name's time is the five minutes in which the records end."""
    name = f"{account}_vpcflowlogs_{region}_{flow_log}_{day.replace('-', '')}T{clock}Z_{number:08x}.{suffix}"
    return f"AWSLogs/{account}/vpcflowlogs/{region}/{day.replace('-', '/')}/{name}"


# --- records on other ways than AWS's delivery to S3 ------------------------------------------------------------------------


def exported(fields, rows):
    """Lines of a CloudWatch Logs export task: the event's time, which is the record's start, before each record (S3Export)."""
    return "".join(f"{time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime(row['start']))} {line(fields, row)}\n" for row in rows).encode()


def event(number, message, at):
    """A CloudWatch Logs event; ids are 56 digits."""
    return {"id": f"3{number:055d}", "timestamp": at * 1000, "message": message}


def events(fields, rows):
    return [event(number, line(fields, row), row["start"]) for number, row in enumerate(rows)]


def subscription(group, log_events, stream="eni-0a100000000000001-all", account=ACCOUNT):
    """What a subscription filter sends of a log group (SubscriptionFilters)."""
    return compact({"messageType": "DATA_MESSAGE", "owner": account, "logGroup": group, "logStream": stream,
                    "subscriptionFilters": ["everything"], "logEvents": log_events})


# What CloudWatch Logs sends to see whether the destination takes anything.
CONTROL_MESSAGE = {"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "", "subscriptionFilters": [],
                   "logEvents": [{"id": "", "timestamp": 1790848740000, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def delimited(names, rows, separator=",", newline="\n", quoted=True):
    """A header and rows of cells; None is an empty cell without quotes, as Athena writes NULL."""
    def cell(value):
        if value is None:
            return ""
        return '"' + str(value).replace('"', '""') + '"' if quoted else str(value)
    return "".join(separator.join(map(cell, row)) + newline for row in [names, *rows]).encode()


def cells(fields, values):
    """Values of a record in the order of the fields, None where it has none."""
    return [({"version": 5} | values).get(name) for name in fields]


# The columns of Security Lake's VPC Flow Logs: OCSF class 4001, by source version ("OCSF source identification" in the
# Security Lake user guide; columns after the OCSF schema of that version and the samples in github.com/ocsf/examples, mappings/markdown/AWS).
def lake_columns(source):
    endpoint = {"port": "int32", "svc_name": "string", "ip": "string", "intermediate_ips": ["string"], "interface_uid": "string",
                "vpc_uid": "string", "instance_uid": "string", "subnet_uid": "string"}
    account = {"account_uid": "string"} if source == 1 else {"account": {"uid": "string"}}
    times = {"start_time": "int64", "end_time": "int64"} if source == 1 else {"time_dt": "timestamp", "start_time_dt": "timestamp", "end_time_dt": "timestamp"}
    action = {"disposition": "string", "disposition_id": "int32"} if source == 1 else {"action": "string", "action_id": "int32", "disposition": "string"}
    return {
        "metadata": {"product": {"version": "string", "name": "string", "feature": {"name": "string"}, "vendor_name": "string"},
                     "profiles": ["string"], "version": "string"},
        "cloud": account | {"region": "string", "zone": "string", "provider": "string"},
        "src_endpoint": endpoint, "dst_endpoint": endpoint,
        "connection_info": {"protocol_num": "int32", "tcp_flags": "int32", "protocol_ver": "string", "boundary_id": "int32", "boundary": "string",
                            "direction_id": "int32", "direction": "string"},
        "traffic": {"packets": "int64", "bytes": "int64"}, "time": "int64", **times, "status_code": "string", "severity_id": "int32",
        "severity": "string", "class_name": "string", "class_uid": "int32", "category_name": "string", "category_uid": "int32",
        "activity_name": "string", "activity_id": "int32", **action, "type_uid": "int64", "type_name": "string", "unmapped": "map",
    }


BOUNDARIES = {1: "Same VPC", 2: "Internet/VPC Gateway", 3: "Virtual Private Gateway", 4: "Intra-region VPC", 5: "Inter-region VPC",
              6: "Local Gateway", 7: "Gateway VPC", 8: "Internet Gateway"}


def lake_row(source, values, unmapped=()):
    """A record as Security Lake's source version 1 or 2 tells it."""
    accepted, egress, path = values["action"] == "ACCEPT", values["flow-direction"] == "egress", values.get("traffic-path")

    def endpoint(side, own):
        address, real = values[f"{side}addr"], values[f"pkt-{side}addr"]
        ids = {"interface_uid": values["interface-id"], "vpc_uid": values["vpc-id"], "instance_uid": values["instance-id"], "subnet_uid": values["subnet-id"]}
        return {"port": values[f"{side}port"], "svc_name": values.get(f"pkt-{side}-aws-service", "-"), "ip": real,
                "intermediate_ips": None if address == real else [address], **(ids if own else {})}

    start, end = values["start"] * 1000, values["end"] * 1000
    account = {"account_uid": values["account-id"]} if source == 1 else {"account": {"uid": values["account-id"]}}
    times = {"start_time": start, "end_time": end} if source == 1 else {"time_dt": start, "start_time_dt": start, "end_time_dt": end}
    disposition = {"disposition": "Allowed" if accepted else "Blocked"}
    action = disposition | ({"disposition_id": 1 if accepted else 2} if source == 1
                            else {"action": "Allowed" if accepted else "Denied", "action_id": 1 if accepted else 2})
    activity, number = ("Traffic", 6) if accepted else ("Refuse", 5)
    return {
        "metadata": {"product": {"version": str(values.get("version", 5)), "name": "Amazon VPC", "feature": {"name": "Flowlogs"}, "vendor_name": "AWS"},
                     "profiles": ["cloud", "security_control"] + ["datetime"] * (source - 1), "version": "1.0.0-rc.2" if source == 1 else "1.1.0"},
        "cloud": account | {"region": values["region"], "zone": values["az-id"], "provider": "AWS"},
        "src_endpoint": endpoint("src", egress), "dst_endpoint": endpoint("dst", not egress),
        "connection_info": {"protocol_num": values["protocol"], "tcp_flags": values["tcp-flags"], "protocol_ver": values["type"],
                            "boundary_id": path + 3 if path else 99, "boundary": BOUNDARIES.get(path, "-"),
                            "direction_id": 2 if egress else 1, "direction": "Outbound" if egress else "Inbound"},
        "traffic": {"packets": values["packets"], "bytes": values["bytes"]}, "time": start, **times, "status_code": values["log-status"],
        "severity_id": 1, "severity": "Informational", "class_name": "Network Activity", "class_uid": 4001, "category_name": "Network Activity",
        "category_uid": 4, "activity_name": activity, "activity_id": number, **action, "type_uid": 400100 + number,
        "type_name": f"Network Activity: {activity}", "unmapped": list({"sublocation_id": "-", "sublocation_type": "-"}.items()) + list(unmapped),
    }


def lake_file(columns, rows):
    """Rows as a Parquet file of these columns; a column is a type, a list of one type, or a struct of columns."""
    import pyarrow

    def kind(of):
        match of:
            case dict():
                return pyarrow.struct({name: kind(inner) for name, inner in of.items()})
            case [inner]:
                return pyarrow.list_(kind(inner))
            case "map":
                return pyarrow.map_(pyarrow.string(), pyarrow.string())
            case "timestamp":
                return pyarrow.timestamp("ms")
        return pyarrow.type_for_alias(of)

    table = pyarrow.Table.from_pylist(rows, pyarrow.schema({name: kind(of) for name, of in columns.items()}))
    return table_file(table, use_dictionary=False, write_statistics=False)


def lake_key(source, day=DAY, account=ACCOUNT, of="VPC_FLOW", number=0):
    """Security Lake's key of an object."""
    return f"aws/{of}/{source}.0/region={REGION}/accountId={account}/eventDay={day.replace('-', '')}/{number:032x}.gz.parquet"


# --- inventory: aws ec2, aws eks --------------------------------------------------------------------------------------


def dns_name(address, region=REGION):
    return f"ip-{address.replace('.', '-')}.{region}.compute.internal"


def interface(eni, description, kind="interface", requester=None, attached="2026-09-20T06:00:00+00:00", owner=None, groups=(), tags=(),
              requester_managed=False, device=1):
    """One entry of `aws ec2 describe-network-interfaces`."""
    attachment = {"AttachTime": attached, "AttachmentId": "eni-attach-" + eni.id[4:], "DeleteOnTermination": True, "DeviceIndex": device,
                  "NetworkCardIndex": 0, "InstanceOwnerId": owner or eni.account, "Status": "attached"}
    if eni.instance != "-":
        attachment["InstanceId"] = eni.instance
    entry = {
        "Attachment": attachment,
        "AvailabilityZone": eni.zone,
        "AvailabilityZoneId": eni.az_id,
        "Description": description,
        "Groups": [{"GroupId": id, "GroupName": name} for id, name in groups],
        "InterfaceType": kind,
        "Ipv6Addresses": [{"Ipv6Address": eni.ipv6}] if eni.ipv6 else [],
        "NetworkInterfaceId": eni.id,
        "OwnerId": eni.account,
        "PrivateDnsName": dns_name(eni.address, region_of(eni.zone)),
        "PrivateIpAddress": eni.address,
        "PrivateIpAddresses": [
            {"Primary": address == eni.address, "PrivateDnsName": dns_name(address, region_of(eni.zone)), "PrivateIpAddress": address}
            for address in (eni.address, *eni.more)
        ],
        "RequesterManaged": requester_managed,
        "SourceDestCheck": kind not in ("nat_gateway", "transit_gateway"),
        "Status": "in-use",
        "SubnetId": eni.subnet,
        "TagSet": [{"Key": key, "Value": value} for key, value in tags],
        "VpcId": eni.vpc,
    }
    if requester:
        entry["RequesterId"] = requester
    return entry


def control_plane(eni, cluster, **other):
    """A control-plane ENI as EKS makes it: requested by EKS, attached to an instance of AWS's."""
    groups = [("sg-0c1000000000" + format(sum(cluster.encode()), "05x"), f"eks-cluster-sg-{cluster}-1234567890")]
    return interface(eni, f"Amazon EKS {cluster}", requester="AROAEXAMPLEROLEID0001:AmazonEKS", owner="444455556666", groups=groups, **other)


def node(eni, **other):
    return interface(eni, "", device=0, **other)


def pods_of(eni, **other):
    """The second interface of a node: its secondary addresses are pods (VPC CNI)."""
    return interface(eni, f"aws-K8S-{eni.instance}", tags=[("node.k8s.amazonaws.com/instance_id", eni.instance)], **other)


def nat(eni, gateway):
    return interface(eni, f"Interface for NAT Gateway {gateway}", "nat_gateway", requester="AROAEXAMPLEROLEID0002:NATGateway",
                     requester_managed=True, owner="amazon-aws")


def enis(*entries):
    return {"NetworkInterfaces": list(entries)}


def vpcs(*pairs, account=ACCOUNT, ipv6=None, region=REGION):
    def one(vpc, cidr):
        entry = {"VpcId": vpc, "OwnerId": account, "State": "available", "IsDefault": False, "CidrBlock": cidr,
                 "CidrBlockAssociationSet": [{"AssociationId": "vpc-cidr-assoc-" + vpc[4:], "CidrBlock": cidr, "CidrBlockState": {"State": "associated"}}],
                 "DhcpOptionsId": "dopt-0123456789abcdef0", "InstanceTenancy": "default", "Tags": []}
        if ipv6:
            entry["Ipv6CidrBlockAssociationSet"] = [{"AssociationId": "vpc-cidr-assoc-6" + vpc[5:], "Ipv6CidrBlock": ipv6,
                                                     "Ipv6CidrBlockState": {"State": "associated"}, "NetworkBorderGroup": region, "Ipv6Pool": "Amazon"}]
        return entry
    return {"Vpcs": [one(*pair) for pair in pairs]}


def subnets(*rows, account=ACCOUNT, vpc=VPC):
    def one(subnet, cidr, zone, az_id, ipv6=None):
        return {"SubnetId": subnet, "SubnetArn": f"arn:aws:ec2:{region_of(zone)}:{account}:subnet/{subnet}", "VpcId": vpc, "OwnerId": account,
                "State": "available", "CidrBlock": cidr, "AvailabilityZone": zone, "AvailabilityZoneId": az_id,
                "MapPublicIpOnLaunch": False, "DefaultForAz": False, "Tags": [],
                "Ipv6CidrBlockAssociationSet": [{"AssociationId": "subnet-cidr-assoc-" + subnet[7:], "Ipv6CidrBlock": ipv6,
                                                 "Ipv6CidrBlockState": {"State": "associated"}}] if ipv6 else []}
    return {"Subnets": [one(*row) for row in rows]}


def cluster(name, mode="CUSTOMER_ROUTED", subnet_ids=("subnet-0aaa0000000000001", "subnet-0bbb0000000000002"), vpc=VPC, account=ACCOUNT,
            created="2025-11-04T09:12:31.512000+00:00", issuer=None, remote=None, family="ipv4", region=REGION):
    """`aws eks describe-cluster`; mode None leaves the key out, as builds of the CLI from before June 2026 do."""
    config = {"subnetIds": list(subnet_ids), "securityGroupIds": [], "clusterSecurityGroupId": "sg-0c1000000000" + format(sum(name.encode()), "05x"),
              "vpcId": vpc, "endpointPublicAccess": False, "endpointPrivateAccess": True, "publicAccessCidrs": []}
    if mode:
        config["controlPlaneEgressMode"] = mode
    entry = {"name": name, "arn": arn(name, account, region), "createdAt": created, "version": "1.36",
             "endpoint": f"https://{name.upper()}.gr7.{region}.eks.amazonaws.com", "roleArn": f"arn:aws:iam::{account}:role/eks-cluster-role",
             "resourcesVpcConfig": config, "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": family},
             "identity": {"oidc": {"issuer": issuer or f"https://oidc.eks.{region}.amazonaws.com/id/{name.upper()}0123456789ABCDEF"}},
             "status": "ACTIVE", "platformVersion": "eks.14", "tags": {}}
    if remote:
        entry["remoteNetworkConfig"] = {"remoteNodeNetworks": [{"cidrs": [remote[0]]}], "remotePodNetworks": [{"cidrs": [remote[1]]}]}
    return {"cluster": entry}


def arn(name, account=ACCOUNT, region=REGION):
    return f"arn:aws:eks:{region}:{account}:cluster/{name}"


def nat_gateways(*rows, vpc=VPC):
    def one(gateway, eni, public):
        return {"NatGatewayId": gateway, "VpcId": vpc, "SubnetId": eni.subnet, "State": "available", "ConnectivityType": "public",
                "CreateTime": "2025-10-01T07:00:00+00:00", "Tags": [],
                "NatGatewayAddresses": [{"NetworkInterfaceId": eni.id, "PrivateIp": eni.address, "PublicIp": public, "IsPrimary": True,
                                         "AllocationId": "eipalloc-" + gateway[4:], "Status": "succeeded"}]}
    return {"NatGateways": [one(*row) for row in rows]}


def flow_logs(*rows):
    """`aws ec2 describe-flow-logs`; a fifth value is the log group of a flow log that goes to CloudWatch Logs."""
    def one(flow_log, resource, fields, created, group=None):
        entry = {"FlowLogId": flow_log, "FlowLogStatus": "ACTIVE", "ResourceId": resource, "TrafficType": "ALL", "LogDestinationType": "s3",
                 "LogDestination": "arn:aws:s3:::example-flow-logs", "DeliverLogsStatus": "SUCCESS", "CreationTime": created,
                 "MaxAggregationInterval": 600, "LogFormat": " ".join("${%s}" % name for name in fields), "Tags": []}
        if group:
            del entry["LogDestination"]
            return entry | {"LogDestinationType": "cloud-watch-logs", "LogGroupName": group,
                            "DeliverLogsPermissionArn": f"arn:aws:iam::{ACCOUNT}:role/flow-logs-role"}
        return entry | {"DestinationOptions": {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False}}
    return {"FlowLogs": [one(*row) for row in rows]}


def dns_answer(name, address, when, vpc=VPC, account=ACCOUNT, asked_by="10.0.3.4"):
    """One line of a Route 53 Resolver query log."""
    return {"version": "1.100000", "account_id": account, "region": REGION, "vpc_id": vpc, "query_timestamp": f"{when}Z",
            "query_name": name + ".", "query_type": "A", "query_class": "IN", "rcode": "NOERROR",
            "answers": [{"Rdata": address, "Type": "A", "Class": "IN"}], "srcaddr": asked_by, "srcport": "41235", "transport": "UDP"}


def identity_provider(cluster_name, url, account=ACCOUNT):
    return {"identityProviderConfig": {"oidc": {
        "identityProviderConfigName": "corp-idp", "clusterName": cluster_name, "issuerUrl": url, "clientId": "kubernetes",
        "identityProviderConfigArn": f"arn:aws:eks:{REGION}:{account}:identityproviderconfig/{cluster_name}/oidc/corp-idp/0abc",
        "usernameClaim": "email", "groupsClaim": "groups", "tags": {}, "status": "ACTIVE"}}}


# --- inventory: kubectl -------------------------------------------------------------------------------------------------


def listed(*items):
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": list(items)}


def called(service=None, url=None):
    """The `clientConfig` of a webhook: a Service (namespace/name) or a URL."""
    if url:
        return {"url": url}
    namespace, name = service.split("/")
    return {"service": {"namespace": namespace, "name": name, "path": "/call", "port": 443}}


def webhook(kind, name, service=None, url=None):
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": name, "creationTimestamp": "2026-05-02T11:00:00Z"},
            "webhooks": [{"name": f"check.{name}.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
                          "timeoutSeconds": 10, "clientConfig": called(service, url)}]}


def api_service(name, service):
    namespace, service_name = service.split("/")
    version, group = name.split(".", 1)
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
            "spec": {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True,
                     "service": {"namespace": namespace, "name": service_name, "port": 443}}}


def conversion(name, service):
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
            "spec": {"group": name.split(".", 1)[1], "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": called(service)}}}}


def service(name, target):
    namespace, service_name = name.split("/")
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": service_name},
            "spec": {"type": "ClusterIP", "clusterIP": "172.20.31.7",
                     "ports": [{"name": "https", "port": 443, "targetPort": target, "protocol": "TCP"}]}}


def endpoints(name, port, *ends, family="IPv4"):
    """An EndpointSlice; each end is (address, pod)."""
    namespace, service_name = name.split("/")
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": namespace, "name": f"{service_name}-x7k2p", "labels": {"kubernetes.io/service-name": service_name}},
            "addressType": family, "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True},
                           "targetRef": {"kind": "Pod", "namespace": namespace, "name": pod}} for address, pod in ends]}


def kube_node(name, address, instance):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "spec": {"providerID": f"aws:///eu-central-1a/{instance}"},
            "status": {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]}}


def pod(name, address, host):
    namespace, pod_name = name.split("/")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": pod_name},
            "spec": {"nodeName": dns_name(host)}, "status": {"phase": "Running", "hostIP": host, "podIP": address, "podIPs": [{"ip": address}]}}


# --- expected answers -----------------------------------------------------------------------------------------------------


def row(cluster_name, dst, port, kind=None, name=None, path="vpc", sent=(0, 0, 0), blocked=(0, 0, 0), replies=(0, 0), seen=None, rule="1",
        confidence="certain", lines=None, protocol=6, account=ACCOUNT, vpc=VPC, day=DAY, **outcomes):
    """A row of `report egress`. Every figure is given by the case; only zeros are filled in.

    sent and blocked are (records, packets, bytes) of outbound records by action, replies (packets, bytes); outcomes are
    numbers of connections by outcome, and `connections` is their sum by definition.
    """
    counts = {outcome: outcomes.get(outcome, 0) for outcome in ("answered", "unanswered", "refused", "rejected", "reply_blocked")}
    assert set(outcomes) <= set(counts), outcomes
    first, last = [f"{day}T{clock}Z" for clock in seen]
    return {
        "cluster": cluster_name, "cluster_arn": arn(cluster_name, account), "account_id": account, "region": REGION, "vpc_id": vpc,
        "dst_addr": dst, "dst_port": port, "protocol": protocol, "dst_name": name, "dst_kind": kind, "path": path,
        "records_accepted": sent[0], "records_rejected": blocked[0], "packets_accepted": sent[1], "packets_rejected": blocked[1],
        "bytes_accepted": sent[2], "bytes_rejected": blocked[2], "reply_packets": replies[0], "reply_bytes": replies[1],
        "connections": sum(counts.values()), **counts, "first_seen": first, "last_seen": last,
        "initiator_rule": rule, "confidence": confidence, "first_line": lines[0], "last_line": lines[1], "approved_by": None, "verdict": None,
    }


def answer(rows=(), ok=0, nodata=0, skipdata=0, rejected=0, outside_window=0, duplicate=0, transit_gateway=None, exit_code=0, **other):
    """The content of an `expected.json`."""
    ordered = sorted(rows, key=lambda one: (one["cluster_arn"], one["dst_addr"], one["dst_port"], one["protocol"]))
    records = {"ok": ok, "nodata": nodata, "skipdata": skipdata, "rejected": rejected, "outside_window": outside_window, "duplicate": duplicate}
    if transit_gateway is not None:
        records["transit_gateway"] = transit_gateway
    return {"exit_code": exit_code, "records": records, "rows": ordered, **other}


def without(entry, *keys):
    """A row less the keys that the contract leaves open in this case."""
    return {key: value for key, value in entry.items() if key not in keys}


# --- files ----------------------------------------------------------------------------------------------------------------


def as_json(value):
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def as_ndjson(values):
    return "".join(json.dumps(value) + "\n" for value in values).encode()
