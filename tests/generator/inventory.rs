//! The inventory of the estate as an operator would collect it: raw AWS CLI and kubectl JSON, two snapshots.
//!
//! `inventory/<instant>/<account>/<region>/*.json`, Kubernetes objects one folder deeper by cluster, `ip-ranges.json` on
//! top of each snapshot. The first snapshot is of the period's first second, the second of its end; the CloudTrail
//! events in the second one date the replacement of control-plane interfaces exactly. Values are invented, shapes are
//! those of the AWS CLI (EC2, EKS) and Kubernetes API.

use super::Config;
use super::estate::{Caller, Cluster, EKS_ACCOUNT, Eni, Kind, Service, Site};
use super::objects::log_format;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::path::Path;

/// When the estate was built: long before the period.
const BUILT: &str = "2025-11-04T09:12:31.512000+00:00";
const BUILT_S: &str = "2025-11-04T09:12:31+00:00";

/// Writes both snapshots of every site below `root`.
pub(crate) fn write(config: &Config, sites: &[Site], root: &Path) {
    for (second, at) in [(false, config.start), (true, config.end())] {
        let folder = root.join(instant(at).format("%Y-%m-%dT%H%M%SZ").to_string());
        save(&folder, "ip-ranges.json", &ip_ranges());
        for site in sites {
            // The last second of the period stands for its end, where half-open lives stop.
            Snapshot { config, site, at: if second { at - 1 } else { at } }.write(&folder.join(&site.account).join(&site.region), second);
        }
    }
}

fn instant(second: i64) -> DateTime<Utc> {
    DateTime::<Utc>::from_timestamp(second, 0).expect("a time in the calendar")
}

fn save(folder: &Path, name: &str, value: &Value) {
    std::fs::create_dir_all(folder).expect("creating an inventory folder");
    let mut text = serde_json::to_string_pretty(value).expect("JSON of our own");
    text.push('\n');
    std::fs::write(folder.join(name), text).expect("writing an inventory file");
}

struct Snapshot<'a> {
    config: &'a Config,
    site: &'a Site,
    at: i64,
}

impl Snapshot<'_> {
    fn write(&self, folder: &Path, second: bool) {
        let site = self.site;
        let alive: Vec<Value> =
            site.enis.iter().filter(|eni| eni.from <= self.at && self.at < eni.to).map(|eni| self.interface(eni)).collect();
        save(folder, "describe-network-interfaces.json", &json!({ "NetworkInterfaces": alive }));
        save(folder, "describe-vpcs.json", &self.vpcs());
        save(folder, "describe-subnets.json", &json!({ "Subnets": self.subnets() }));
        save(folder, "describe-availability-zones.json", &json!({ "AvailabilityZones": self.zones() }));
        save(folder, "describe-nat-gateways.json", &json!({ "NatGateways": self.nat_gateways() }));
        save(folder, "describe-vpc-endpoints.json", &json!({ "VpcEndpoints": self.endpoints() }));
        save(folder, "describe-route-tables.json", &json!({ "RouteTables": self.route_tables() }));
        save(folder, "describe-flow-logs.json", &json!({ "FlowLogs": [self.flow_log()] }));
        let names: Vec<&str> = site.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        save(folder, "list-clusters.json", &json!({ "clusters": names }));
        for cluster in &site.clusters {
            save(folder, &format!("describe-cluster-{}.json", cluster.name), &self.cluster(cluster));
            self.write_kubernetes(cluster, &folder.join(&cluster.name));
        }
        if second && let Some(replaced_at) = site.replaced_at {
            save(folder, "cloudtrail-events.json", &self.replacement(replaced_at));
        }
    }

    fn dns_name(&self, address: &str) -> String {
        format!("ip-{}.{}", address.replace('.', "-"), self.site.dns_suffix())
    }

    fn text(&self, address: u32) -> &str {
        &self.site.addresses[address as usize].text
    }

    fn interface(&self, eni: &Eni) -> Value {
        let site = self.site;
        let primary = self.text(eni.primary);
        let subnet = &site.subnets[eni.subnet];
        let attached = if eni.from == self.config.start {
            BUILT_S.to_owned()
        } else {
            instant(eni.from).format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
        };
        let device_index = match eni.kind {
            Kind::ControlPlane => 1,
            Kind::Node if eni.from > self.config.start => 2,
            Kind::Node if eni.description.starts_with("aws-K8S-") => 1,
            _ => 0,
        };
        let mut attachment = json!({
            "AttachTime": attached,
            "AttachmentId": format!("eni-attach-{}", &eni.id[4..]),
            "DeleteOnTermination": true,
            "DeviceIndex": device_index,
            "NetworkCardIndex": 0,
            "Status": "attached",
        });
        match (&eni.instance, eni.kind) {
            (Some(instance), _) => {
                attachment["InstanceId"] = json!(instance);
                attachment["InstanceOwnerId"] = json!(site.account);
            }
            (None, Kind::ControlPlane) => attachment["InstanceOwnerId"] = json!(EKS_ACCOUNT),
            (None, Kind::Database) => attachment["InstanceOwnerId"] = json!("amazon-rds"),
            (None, _) => attachment["InstanceOwnerId"] = json!("amazon-aws"),
        }
        let held = std::iter::once((eni.primary, true))
            .chain(eni.secondary.iter().filter(|(_, from)| *from <= self.at).map(|&(address, _)| (address, false)));
        let addresses: Vec<Value> = held
            .map(|(address, primary)| json!({ "Primary": primary, "PrivateDnsName": self.dns_name(self.text(address)), "PrivateIpAddress": self.text(address) }))
            .collect();
        let v6: Vec<Value> = eni.v6.iter().map(|&address| json!({ "Ipv6Address": self.text(address) })).collect();
        let (interface_type, requester, managed) = match eni.kind {
            Kind::NatGateway => ("nat_gateway", "amazon-nat", true),
            Kind::Endpoint => ("vpc_endpoint", "amazon-vpce", true),
            Kind::Database => ("interface", "amazon-rds", true),
            Kind::Resolver => ("interface", "amazon-route53-resolver", true),
            Kind::ControlPlane => ("interface", "AROAEXAMPLEROLEID0001:AmazonEKS", false),
            Kind::Node | Kind::Plain => ("interface", "AIDAEXAMPLEUSERID0001", false),
        };
        let mut value = json!({
            "Attachment": attachment,
            "AvailabilityZone": site.az_names[usize::from(eni.az)],
            "AvailabilityZoneId": site.az_ids[usize::from(eni.az)],
            "Description": eni.description,
            "Groups": self.groups(eni),
            "InterfaceType": interface_type,
            "Ipv6Addresses": v6,
            "MacAddress": mac(&eni.id),
            "NetworkInterfaceId": eni.id,
            "OwnerId": site.account,
            "PrivateDnsName": self.dns_name(primary),
            "PrivateIpAddress": primary,
            "PrivateIpAddresses": addresses,
            "RequesterId": requester,
            "RequesterManaged": managed,
            "SourceDestCheck": eni.kind != Kind::NatGateway,
            "Status": "in-use",
            "SubnetId": subnet.id,
            "TagSet": self.tags(eni),
            "VpcId": site.vpc,
        });
        if let Some(nat) = site.nats.iter().find(|nat| site.enis[nat.eni as usize].id == eni.id) {
            value["Association"] =
                json!({ "IpOwnerId": site.account, "PublicDnsName": "", "PublicIp": nat.public_ip, "AllocationId": allocation(&nat.id) });
        }
        value
    }

    fn groups(&self, eni: &Eni) -> Value {
        match eni.cluster {
            Some(position) => json!([cluster_group(&self.site.clusters[position])]),
            None if eni.kind == Kind::NatGateway => json!([]),
            None => json!([{ "GroupId": format!("sg-{}", &self.site.vpc[4..]), "GroupName": "workloads" }]),
        }
    }

    fn tags(&self, eni: &Eni) -> Value {
        let (Some(position), Some(instance)) = (eni.cluster, &eni.instance) else { return json!([]) };
        let name = &self.site.clusters[position].name;
        if eni.description.starts_with("aws-K8S-") {
            json!([
                { "Key": "cluster.k8s.amazonaws.com/name", "Value": name },
                { "Key": "eks:eni:owner", "Value": "amazon-vpc-cni" },
                { "Key": "node.k8s.amazonaws.com/instance_id", "Value": instance },
            ])
        } else {
            json!([{ "Key": "eks:cluster-name", "Value": name }, { "Key": "team", "Value": if position == 0 { "checkout" } else { "platform" } }])
        }
    }

    fn vpcs(&self) -> Value {
        let site = self.site;
        json!({ "Vpcs": [{
            "VpcId": site.vpc, "OwnerId": site.account, "CidrBlock": site.cidr, "State": "available", "IsDefault": false,
            "DhcpOptionsId": format!("dopt-{}", &site.vpc[4..]), "InstanceTenancy": "default",
            "CidrBlockAssociationSet": [{ "AssociationId": format!("vpc-cidr-assoc-{}", &site.vpc[4..]), "CidrBlock": site.cidr, "CidrBlockState": { "State": "associated" } }],
            "Ipv6CidrBlockAssociationSet": [{ "AssociationId": format!("vpc-cidr-assoc-{}", &site.flow_log[3..]), "Ipv6CidrBlock": site.cidr_v6, "Ipv6CidrBlockState": { "State": "associated" } }],
            "Tags": [{ "Key": "Name", "Value": format!("site-{}", site.index) }],
        }] })
    }

    fn subnets(&self) -> Vec<Value> {
        let site = self.site;
        let subnets = site.subnets.iter().map(|subnet| {
            json!({
                "SubnetId": subnet.id, "SubnetArn": format!("arn:aws:ec2:{}:{}:subnet/{}", site.region, site.account, subnet.id),
                "VpcId": site.vpc, "CidrBlock": subnet.cidr, "OwnerId": site.account, "State": "available",
                "AvailabilityZone": site.az_names[usize::from(subnet.az)], "AvailabilityZoneId": site.az_ids[usize::from(subnet.az)],
                "AssignIpv6AddressOnCreation": false, "DefaultForAz": false, "MapPublicIpOnLaunch": subnet.public,
                "Ipv6CidrBlockAssociationSet": [{ "AssociationId": format!("subnet-cidr-assoc-{}", &subnet.id[7..]), "Ipv6CidrBlock": subnet.cidr_v6, "Ipv6CidrBlockState": { "State": "associated" } }],
                "Tags": [{ "Key": "Name", "Value": format!("{}-{}", if subnet.public { "public" } else { "private" }, site.az_names[usize::from(subnet.az)]) }],
            })
        });
        subnets.collect()
    }

    fn zones(&self) -> Vec<Value> {
        let site = self.site;
        let pairs = site.az_names.iter().zip(&site.az_ids);
        pairs
            .map(|(name, id)| json!({ "State": "available", "RegionName": site.region, "ZoneName": name, "ZoneId": id, "ZoneType": "availability-zone", "OptInStatus": "opt-in-not-required" }))
            .collect()
    }

    fn nat_gateways(&self) -> Vec<Value> {
        let site = self.site;
        let gateways = site.nats.iter().map(|nat| {
            let eni = &site.enis[nat.eni as usize];
            json!({
                "NatGatewayId": nat.id, "VpcId": site.vpc, "SubnetId": site.subnets[eni.subnet].id,
                "State": "available", "ConnectivityType": "public", "CreateTime": BUILT_S,
                "NatGatewayAddresses": [{
                    "NetworkInterfaceId": eni.id, "PrivateIp": self.text(eni.primary), "PublicIp": nat.public_ip,
                    "AllocationId": allocation(&nat.id), "IsPrimary": true, "Status": "succeeded",
                }],
                "Tags": [],
            })
        });
        gateways.collect()
    }

    fn endpoints(&self) -> Vec<Value> {
        let site = self.site;
        let mut list: Vec<Value> = site
            .endpoints
            .iter()
            .map(|(id, service, addresses)| {
                let enis: Vec<&Eni> =
                    addresses.iter().filter_map(|&a| site.addresses[a as usize].eni).map(|eni| &site.enis[eni as usize]).collect();
                json!({
                    "VpcEndpointId": id, "VpcEndpointType": "Interface", "ServiceName": format!("com.amazonaws.{}.{service}", site.region),
                    "VpcId": site.vpc, "State": "available", "PrivateDnsEnabled": true, "OwnerId": site.account, "CreationTimestamp": BUILT,
                    "NetworkInterfaceIds": enis.iter().map(|eni| &eni.id).collect::<Vec<_>>(),
                    "SubnetIds": enis.iter().map(|eni| &site.subnets[eni.subnet].id).collect::<Vec<_>>(),
                    "RouteTableIds": [], "Tags": [],
                })
            })
            .collect();
        list.push(json!({
            "VpcEndpointId": site.s3_endpoint, "VpcEndpointType": "Gateway", "ServiceName": format!("com.amazonaws.{}.s3", site.region),
            "VpcId": site.vpc, "State": "available", "PrivateDnsEnabled": false, "OwnerId": site.account, "CreationTimestamp": BUILT,
            "NetworkInterfaceIds": [], "SubnetIds": [], "RouteTableIds": site.subnets.iter().filter(|s| !s.public).map(|s| route_table(&s.id)).collect::<Vec<_>>(), "Tags": [],
        }));
        list
    }

    fn route_tables(&self) -> Vec<Value> {
        let site = self.site;
        let tables = site.subnets.iter().map(|subnet| {
            let local = json!({ "DestinationCidrBlock": site.cidr, "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active" });
            let out = if subnet.public {
                json!({ "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": format!("igw-{}", &site.vpc[4..]), "Origin": "CreateRoute", "State": "active" })
            } else {
                let nat = &site.nats[site.nat_of(subnet.az) as usize].id;
                json!({ "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat, "Origin": "CreateRoute", "State": "active" })
            };
            let v6 = json!({ "DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": format!("eigw-{}", &site.vpc[4..]), "Origin": "CreateRoute", "State": "active" });
            json!({
                "RouteTableId": route_table(&subnet.id), "VpcId": site.vpc, "OwnerId": site.account, "Routes": [local, out, v6], "PropagatingVgws": [], "Tags": [],
                "Associations": [{ "Main": false, "RouteTableAssociationId": format!("rtbassoc-{}", &subnet.id[7..]), "RouteTableId": route_table(&subnet.id), "SubnetId": subnet.id, "AssociationState": { "State": "associated" } }],
            })
        });
        tables.collect()
    }

    fn flow_log(&self) -> Value {
        let site = self.site;
        json!({
            "FlowLogId": site.flow_log, "FlowLogStatus": "ACTIVE", "ResourceId": site.vpc, "TrafficType": "ALL", "CreationTime": BUILT,
            "DeliverLogsStatus": "SUCCESS", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::flow-logs-example",
            "LogFormat": log_format(self.config.format), "MaxAggregationInterval": site.window,
            "DestinationOptions": {
                "FileFormat": if self.config.container == super::Container::Parquet { "parquet" } else { "plain-text" },
                "HiveCompatiblePartitions": matches!(self.config.layout, super::Layout::Hive | super::Layout::HiveHourly),
                "PerHourPartition": matches!(self.config.layout, super::Layout::PlainHourly | super::Layout::HiveHourly),
            },
            "Tags": [],
        })
    }

    fn cluster(&self, cluster: &Cluster) -> Value {
        let site = self.site;
        let subnets: Vec<&str> = site.subnets.iter().filter(|subnet| !subnet.public).map(|subnet| subnet.id.as_str()).collect();
        json!({ "cluster": {
            "name": cluster.name, "arn": cluster.arn, "createdAt": BUILT, "version": "1.36", "status": "ACTIVE", "platformVersion": "eks.14",
            "endpoint": format!("https://{}.gr7.{}.eks.amazonaws.com", serial(cluster), site.region),
            "roleArn": format!("arn:aws:iam::{}:role/eks-cluster-role", site.account),
            "resourcesVpcConfig": {
                "subnetIds": subnets, "securityGroupIds": [], "clusterSecurityGroupId": cluster.security_group, "vpcId": site.vpc,
                "endpointPublicAccess": false, "endpointPrivateAccess": true, "publicAccessCidrs": [], "controlPlaneEgressMode": "CUSTOMER_ROUTED",
            },
            "kubernetesNetworkConfig": { "serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4" },
            "identity": { "oidc": { "issuer": format!("https://oidc.eks.{}.amazonaws.com/id/{}", site.region, serial(cluster)) } },
            "tags": { "env": if cluster.name.starts_with("prod") { "prod" } else { "test" } },
        } })
    }

    /// The control-plane interfaces of the site's first cluster, created and deleted.
    fn replacement(&self, replaced_at: i64) -> Value {
        let site = self.site;
        let cluster = &site.clusters[0];
        let events = cluster.control.iter().map(|&eni| &site.enis[eni as usize]).map(|eni| {
            let created = eni.from == replaced_at;
            let mut event = json!({
                "eventVersion": "1.10", "eventTime": instant(replaced_at).format("%Y-%m-%dT%H:%M:%SZ").to_string(), "eventSource": "ec2.amazonaws.com",
                "eventName": if created { "CreateNetworkInterface" } else { "DeleteNetworkInterface" }, "awsRegion": site.region,
                "sourceIPAddress": "eks.amazonaws.com", "userAgent": "eks.amazonaws.com", "recipientAccountId": site.account,
                "userIdentity": {
                    "type": "AssumedRole", "principalId": "AROAEXAMPLEROLEID0001:AmazonEKS", "accountId": site.account, "invokedBy": "eks.amazonaws.com",
                    "arn": format!("arn:aws:sts::{}:assumed-role/AWSServiceRoleForAmazonEKS/AmazonEKS", site.account),
                },
            });
            if created {
                let subnet = &site.subnets[eni.subnet].id;
                let group = json!({ "items": [{ "groupId": cluster.security_group }] });
                event["requestParameters"] = json!({ "subnetId": subnet, "description": eni.description, "groupSet": group });
                event["responseElements"] = json!({ "networkInterface": {
                    "networkInterfaceId": eni.id, "subnetId": subnet, "vpcId": site.vpc, "availabilityZone": site.az_names[usize::from(eni.az)],
                    "description": eni.description, "ownerId": site.account, "requesterId": "AROAEXAMPLEROLEID0001:AmazonEKS", "requesterManaged": false,
                    "status": "pending", "privateIpAddress": self.text(eni.primary), "groupSet": group, "tagSet": {},
                } });
            } else {
                event["requestParameters"] = json!({ "networkInterfaceId": eni.id });
                event["responseElements"] = json!({ "_return": true });
            }
            event
        });
        json!({ "Records": events.collect::<Vec<_>>() })
    }

    fn write_kubernetes(&self, cluster: &Cluster, folder: &Path) {
        let site = self.site;
        let nodes = cluster.nodes.iter().map(|&node| {
            let node = &site.nodes[node];
            let eni = &site.enis[node.eni as usize];
            let addresses = std::iter::once(eni.primary).chain(eni.v6).map(|address| json!({ "type": "InternalIP", "address": self.text(address) }));
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": { "name": node.name, "labels": { "topology.kubernetes.io/zone": site.az_names[usize::from(eni.az)], "topology.k8s.aws/zone-id": site.az_ids[usize::from(eni.az)] } },
                "spec": { "providerID": format!("aws:///{}/{}", site.az_names[usize::from(eni.az)], node.instance) },
                "status": { "addresses": addresses.collect::<Vec<_>>() },
            })
        });
        save(folder, "nodes.json", &list(nodes.collect()));
        let pods = cluster.pods.iter().map(|&pod| &site.pods[pod]).filter(|pod| pod.from <= self.at).map(|pod| {
            let node = &site.nodes[pod.node];
            let host = self.text(site.enis[node.eni as usize].primary);
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": pod.namespace, "name": pod.name },
                "spec": { "nodeName": node.name, "hostNetwork": false },
                "status": { "phase": "Running", "hostIP": host, "podIP": self.text(pod.address), "podIPs": [{ "ip": self.text(pod.address) }] },
            })
        });
        save(folder, "pods.json", &list(pods.collect()));
        let of = |callers: &[Caller]| cluster.services.iter().filter(|service| callers.contains(&service.caller)).collect::<Vec<_>>();
        let webhooks = |kind: &str, services: Vec<&Service>| list(services.into_iter().map(|service| webhook(kind, service)).collect());
        save(folder, "validatingwebhookconfigurations.json", &webhooks("ValidatingWebhookConfiguration", of(&[Caller::ValidatingWebhook])));
        save(folder, "mutatingwebhookconfigurations.json", &webhooks("MutatingWebhookConfiguration", of(&[Caller::MutatingWebhook])));
        save(folder, "apiservices.json", &list(of(&[Caller::ApiService]).into_iter().map(api_service).collect()));
        save(folder, "customresourcedefinitions.json", &list(of(&[Caller::Conversion]).into_iter().map(definition).collect()));
        let services = cluster.services.iter().enumerate();
        save(folder, "services.json", &list(services.map(|(number, service)| kubernetes_service(number, service)).collect()));
        let slices = cluster.services.iter().map(|service| self.endpoint_slice(service)).chain([self.kubernetes_slice(cluster)]);
        save(folder, "endpointslices.json", &list(slices.collect()));
    }

    fn endpoint_slice(&self, service: &Service) -> Value {
        let site = self.site;
        let endpoints = service.pods.iter().map(|&pod| &site.pods[pod]).map(|pod| {
            let node = &site.nodes[pod.node];
            json!({
                "addresses": [self.text(pod.address)], "conditions": { "ready": true }, "nodeName": node.name,
                "zone": site.az_names[usize::from(site.enis[node.eni as usize].az)],
                "targetRef": { "kind": "Pod", "namespace": pod.namespace, "name": pod.name },
            })
        });
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "namespace": service.namespace, "name": format!("{}-x7k2p", service.name), "labels": { "kubernetes.io/service-name": service.name } },
            "ports": [{ "name": "https", "port": service.port, "protocol": "TCP" }],
            "endpoints": endpoints.collect::<Vec<_>>(),
        })
    }

    fn kubernetes_slice(&self, cluster: &Cluster) -> Value {
        let alive = cluster.control.iter().map(|&eni| &self.site.enis[eni as usize]).filter(|eni| eni.from <= self.at && self.at < eni.to);
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "namespace": "default", "name": "kubernetes", "labels": { "kubernetes.io/service-name": "kubernetes" } },
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP" }],
            "endpoints": alive.map(|eni| json!({ "addresses": [self.text(eni.primary)], "conditions": { "ready": true } })).collect::<Vec<_>>(),
        })
    }
}

fn list(items: Vec<Value>) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn client_config(service: &Service) -> Value {
    json!({ "service": { "namespace": service.namespace, "name": service.name, "path": "/call", "port": 443 } })
}

fn webhook(kind: &str, service: &Service) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": service.name, "creationTimestamp": "2026-05-02T11:00:00Z" },
        "webhooks": [{ "name": format!("{}.example.com", service.name), "failurePolicy": "Fail", "timeoutSeconds": 10, "clientConfig": client_config(service) }],
    })
}

fn api_service(service: &Service) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": { "group": "metrics.k8s.io", "version": "v1beta1", "insecureSkipTLSVerify": true, "service": { "namespace": service.namespace, "name": service.name, "port": 443 } },
    })
}

fn definition(service: &Service) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "compositions.apiextensions.crossplane.io" },
        "spec": { "conversion": { "strategy": "Webhook", "webhook": { "conversionReviewVersions": ["v1"], "clientConfig": client_config(service) } } },
    })
}

fn kubernetes_service(number: usize, service: &Service) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": service.namespace, "name": service.name },
        "spec": { "type": "ClusterIP", "clusterIP": format!("172.20.31.{}", 7 + number), "ports": [{ "name": "https", "port": 443, "targetPort": service.port, "protocol": "TCP" }] },
    })
}

fn cluster_group(cluster: &Cluster) -> Value {
    json!({ "GroupId": cluster.security_group, "GroupName": format!("eks-cluster-sg-{}-{}", cluster.name, 1_234_567_890) })
}

/// Returns the 32 characters of a cluster's endpoint and issuer.
fn serial(cluster: &Cluster) -> String {
    cluster.security_group[4..].to_uppercase().repeat(2)
}

fn route_table(subnet: &str) -> String {
    format!("rtb-{}", &subnet[7..])
}

fn allocation(nat: &str) -> String {
    format!("eipalloc-{}", &nat[4..])
}

fn mac(eni: &str) -> String {
    let digits = &eni[11..];
    format!("06:{}:{}:{}:{}:{}", &digits[0..2], &digits[2..4], &digits[4..6], &digits[6..8], &digits[8..10])
}

fn ip_ranges() -> Value {
    let prefix = |range: &str, region: &str, service: &str| json!({ "ip_prefix": range, "region": region, "service": service, "network_border_group": region });
    json!({
        "syncToken": "1790000000", "createDate": "2026-09-18-00-00-00",
        "prefixes": [
            prefix("3.5.136.0/22", "eu-central-1", "AMAZON"), prefix("3.5.136.0/22", "eu-central-1", "S3"), prefix("18.184.0.0/15", "eu-central-1", "AMAZON"),
            prefix("3.5.0.0/19", "us-east-1", "AMAZON"), prefix("3.5.0.0/19", "us-east-1", "S3"), prefix("44.192.0.0/11", "us-east-1", "AMAZON"),
        ],
        "ipv6_prefixes": [],
    })
}
