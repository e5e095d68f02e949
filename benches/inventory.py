#!/usr/bin/env python3
"""What reading an inventory of many interfaces takes, and that two binaries find the same in it, in turn.

    benches/inventory.py [--interfaces 200000] [--files 20] [--snapshots 1] [--seed 1] [--before OLDER/flowproof] [--after target/release/flowproof]
                         [--rounds 5] [--threads N] [--compare] [--keep DIR]

The inventory is made here from the seed: `describe-network-interfaces` of so many accounts and regions as files, as the AWS CLI writes it without its
indentation; nodes of clusters with 2 to 30 addresses or delegated prefixes, NAT gateways, endpoints, load balancers, functions and plain instances. With
several snapshots each interface stands in every one of them with a few addresses changed. Behind the bar: medians of wall and CPU, and the greatest
peak of memory. All readings of one question must give the same bytes. --compare asks both binaries for whole tables beforehand.
"""

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path

from reports import run

LOGS = Path(__file__).resolve().parents[1] / "sample-logs/estate/logs"
COUNT = "SELECT count(*) FROM enis"
QUESTIONS = [
    "SELECT * FROM enis",
    "SELECT * FROM eni_addresses",
    "SELECT kind, count(*) FROM enis GROUP BY kind ORDER BY kind",
]
REGIONS = [("eu-central-1", "euc1"), ("eu-west-1", "euw1"), ("us-east-1", "use1"), ("ap-southeast-2", "apse2")]
ATTACH_DAYS = 20  # of September 2026; snapshots are of October


class Place:
    """An account and region: what its interfaces have in common."""

    def __init__(self, at, dice):
        self.account = f"{111122223333 + at * 10007:012}"
        self.region, self.zone = REGIONS[at % len(REGIONS)]
        self.number = at
        self.vpcs = [f"vpc-{dice.getrandbits(68):017x}" for _ in range(4)]
        self.subnets = [[f"subnet-{dice.getrandbits(68):017x}" for _ in range(12)] for _ in self.vpcs]
        self.groups = [[(f"sg-{dice.getrandbits(68):017x}", f"team-{n:02}-{vpc[4:8]}") for n in range(40)] for vpc in self.vpcs]
        self.clusters = [f"prod-{at:02}-{n}" for n in range(3)]
        self.used = [0] * len(self.vpcs)

    def take(self, vpc):
        """The next private address of the VPC, as a number."""
        self.used[vpc] += 1
        return self.used[vpc]

    def text(self, vpc, number):
        return f"10.{self.number % 16 * 16 + vpc * 4 + number // 65536}.{number // 256 % 256}.{number % 256}"


def interface(place, dice):
    """One interface, without what changes from snapshot to snapshot."""
    vpc = dice.randrange(len(place.vpcs))
    subnet = dice.randrange(len(place.subnets[vpc]))
    letter = "abc"[subnet % 3]
    eni, instance = f"eni-{dice.getrandbits(68):017x}", f"i-{dice.getrandbits(68):017x}"
    kind = dice.choices(["node", "instance", "lambda", "endpoint", "elb", "nat", "rds"], [14, 44, 18, 10, 9, 2, 3])[0]
    addresses, prefixes, tags, owner, requester, interface_type = 1, [], {}, place.account, None, "interface"
    if kind == "node":
        cluster = dice.choice(place.clusters)
        description = dice.choice(["", f"aws-K8S-{instance}"])
        tags = {"cluster.k8s.amazonaws.com/name": cluster, "node.k8s.amazonaws.com/instance_id": instance, "Name": f"{cluster}-node"}
        if dice.random() < 0.8:
            addresses = dice.choice([2, 4, 6, 6, 10, 10, 10, 15, 30])
        else:
            prefixes = [f"10.{place.number % 16 * 16 + 15}.{dice.randrange(256)}.{dice.randrange(16) * 16}/28" for _ in range(2)]
    elif kind == "instance":
        description = dice.choice(["", "", "Primary network interface"])
        tags = {"Name": f"app-{dice.randrange(3000):04}", "team": f"team-{dice.randrange(40):02}", "environment": dice.choice(["prod", "test", "dev"])}
    elif kind == "lambda":
        description, interface_type, requester = f"AWS Lambda VPC ENI-fn-{dice.randrange(2000)}-{dice.getrandbits(64):016x}", "lambda", "AROAEXAMPLE:lambda"
    elif kind == "endpoint":
        description, interface_type, requester = f"VPC Endpoint Interface vpce-{dice.getrandbits(68):017x}", "vpc_endpoint", "999988887777"
    elif kind == "elb":
        description, requester = f"ELB app/web-{dice.randrange(900)}/{dice.getrandbits(64):016x}", "amazon-elb"
    elif kind == "nat":
        description, interface_type, requester = f"Interface for NAT Gateway nat-{dice.getrandbits(68):017x}", "nat_gateway", "amazon-nat"
    else:
        description, requester = "RDSNetworkInterface", "amazon-rds"
    attached = f"2026-09-{1 + dice.randrange(ATTACH_DAYS):02}T{dice.randrange(24):02}:{dice.randrange(60):02}:{dice.randrange(60):02}+00:00"
    attachment = {"AttachTime": attached, "AttachmentId": f"eni-attach-{dice.getrandbits(68):017x}", "DeleteOnTermination": True, "Status": "attached"}
    if kind in ("node", "instance"):
        attachment |= {"DeviceIndex": dice.randrange(3), "InstanceId": instance, "InstanceOwnerId": owner}
    else:
        attachment |= {"DeviceIndex": 1, "InstanceOwnerId": "amazon-aws"}
    found = {"Attachment": attachment, "AvailabilityZone": place.region + letter, "AvailabilityZoneId": f"{place.zone}-az{'abc'.index(letter) + 1}"}
    found |= {"Description": description}
    found["Groups"] = [{"GroupId": id, "GroupName": name} for id, name in dice.sample(place.groups[vpc], dice.choice([1, 1, 2, 3]))]
    v6 = f"2a05:d014:{place.number:x}:{vpc * 16 + subnet:x}::{dice.getrandbits(32):x}"
    found |= {"InterfaceType": interface_type, "Ipv6Addresses": [{"Ipv6Address": v6, "IsPrimaryIpv6": False}] if dice.random() < 0.1 else []}
    found |= {"NetworkInterfaceId": eni, "OwnerId": owner, "RequesterManaged": requester is not None}
    found |= {"RequesterId": requester} if requester else {}
    found |= {"Ipv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in prefixes]} if prefixes else {}
    public = f"52.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}" if kind == "nat" or dice.random() < 0.05 else None
    found |= {"SourceDestCheck": kind != "nat", "Status": "in-use", "SubnetId": place.subnets[vpc][subnet]}
    found |= {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()], "VpcId": place.vpcs[vpc]}
    return vpc, [place.take(vpc) for _ in range(addresses)], public, found


def shown(place, vpc, numbers, public, found):
    """The interface as a listing shows it."""
    private = [{"Primary": at == 0, "PrivateIpAddress": place.text(vpc, number)} for at, number in enumerate(numbers)]
    if public:
        found = found | {"Association": {"IpOwnerId": place.account, "PublicIp": public}}
        private[0]["Association"] = found["Association"]
    return found | {"PrivateIpAddress": private[0]["PrivateIpAddress"], "PrivateIpAddresses": private}


def make(folder, interfaces, files, snapshots, seed):
    """Writes the inventory and returns its bytes."""
    written = 0
    for at in range(files):
        dice = random.Random(f"{seed} {at}")
        place = Place(at, dice)
        own = [interface(place, dice) for _ in range(interfaces * (at + 1) // files - interfaces * at // files)]
        for day in range(1, snapshots + 1):
            path = folder / f"2026-10-{day:02}T060000Z" / place.account / place.region / "describe-network-interfaces.json"
            path.parent.mkdir(parents=True)
            for vpc, numbers, _, _ in own if day > 1 else []:
                if len(numbers) > 1 and dice.random() < 0.2:
                    numbers[dice.randrange(1, len(numbers))] = place.take(vpc)
            text = json.dumps({"NetworkInterfaces": [shown(place, *one) for one in own]}, separators=(",", ":"))
            written += path.write_text(text)
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--interfaces", type=int, default=200_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--snapshots", type=int, default=1, help="at most 31")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--before")
    parser.add_argument("--after", default="target/release/flowproof")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--keep", type=Path, help="folder that the inventory is left in, and read from the next time")
    args = parser.parse_args()
    binaries = {name: path for name, path in [("before", args.before), ("after", args.after)] if path}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary) / "inventory"
        if not folder.exists():
            make(folder, args.interfaces, args.files, args.snapshots, args.seed)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        print(f"{args.interfaces:,} interfaces, {len(paths)} files, {sum(path.stat().st_size for path in paths):,} bytes", flush=True)
        threads = ["--threads", str(args.threads)] if args.threads else []
        asked = lambda path, question: [path, "sql", str(LOGS), "--inventory", str(folder), "-o", "json", *threads, "-c", question]
        for question in QUESTIONS if args.compare else []:
            answers = {run(asked(path, question))[1] for path in binaries.values()}
            assert len(answers) == 1, f"{question}: the answers differ"
            print(f"the same {len(next(iter(answers))):,} bytes: {question}", flush=True)
        taken, answer = {name: [] for name in binaries}, None
        for _ in range(args.rounds):
            for name, path in binaries.items():
                reading, said = run(asked(path, COUNT))
                assert answer in (None, said), f"{name} answers otherwise"
                answer = said
                taken[name].append(reading)
        for name, readings in taken.items():
            wall, cpu = (statistics.median(reading[at] for reading in readings) for at in (0, 1))
            each = "  ".join("{:.2f} {:.2f} {:.0f}".format(*reading) for reading in readings)
            print(f"{name}: {each} | {wall:.2f} s, {cpu:.2f} s CPU, {max(reading[2] for reading in readings):.0f} MB", flush=True)


if __name__ == "__main__":
    main()
