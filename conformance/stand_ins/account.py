# Fills an account in the emulator with the remains of clusters, of the platform and of others, and lists its resources.
"""usage: account.py fill|list NAME PROJECT ENVIRONMENT BUCKET OWNERSHIP"""

import json
import os
import pathlib
import sys
import typing

import botocore.session

SESSION = botocore.session.get_session()
WORLD = pathlib.Path(os.environ["WORLD"])


def client(service):
    return SESSION.create_client(service)


def tags(**pairs):
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def specification(kind, pairs):
    return [{"ResourceType": kind, "Tags": tags(**pairs)}]


# A name and an owner with the same start as those of the platform: the most similar foreign resources.
def fill(name, project, environment, bucket, pattern):
    ec2, elb, dns, rds, logs = (client(it) for it in ("ec2", "elbv2", "route53", "rds", "logs"))
    subnets = ec2.describe_subnets()["Subnets"]
    network, places = subnets[0]["VpcId"], [subnet["SubnetId"] for subnet in subnets[:2]]
    groups = {}
    for whose, cluster in (("ours", name), ("foreign", f"{name}-2")):
        groups[whose] = ec2.create_security_group(
            GroupName=f"{whose}-balancer",
            Description=whose,
            VpcId=network,
            TagSpecifications=specification("security-group", {"elbv2.k8s.aws/cluster": cluster}),
        )["GroupId"]
        node = ec2.create_security_group(GroupName=f"{whose}-nodes-kept", Description="kept", VpcId=network)["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=node,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": groups[whose]}]}
            ],
        )
        balancer = elb.create_load_balancer(
            Name=f"{whose}-balancer", Subnets=places, Tags=tags(**{"elbv2.k8s.aws/cluster": cluster})
        )["LoadBalancers"][0]["LoadBalancerArn"]
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
        )
        elb.create_target_group(
            Name=f"{whose}-targets", Protocol="HTTP", Port=80, VpcId=network, Tags=tags(**{"elbv2.k8s.aws/cluster": cluster})
        )
        ec2.create_volume(
            AvailabilityZone=subnets[0]["AvailabilityZone"],
            Size=1,
            TagSpecifications=specification(
                "volume",
                {"Name": f"{whose}-volume", f"kubernetes.io/cluster/{cluster}": "owned", "ebs.csi.aws.com/cluster": "true"},
            ),
        )
        ec2.create_network_interface(
            SubnetId=places[0],
            TagSpecifications=specification(
                "network-interface", {"Name": f"{whose}-interface", "cluster.k8s.amazonaws.com/name": cluster}
            ),
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"{whose}-database-kept",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            DeletionProtection=True,
            MasterUsername="main",
            MasterUserPassword="emulated-only",
            Tags=tags(project=project, environment=environment if whose == "ours" else "other"),
        )
        for group in ("eks/{}/cluster", "rds/instance/{}/postgresql", "rds/instance/{}/upgrade"):
            logs.create_log_group(logGroupName="/aws/" + group.format(cluster))
    # Without the tags of a claim and of a cluster: it belongs to a person.
    elb.create_load_balancer(Name="foreign-untagged", Subnets=places)
    ec2.create_volume(
        AvailabilityZone=subnets[0]["AvailabilityZone"],
        Size=1,
        TagSpecifications=specification("volume", {"Name": "foreign-volume-of-a-person", f"kubernetes.io/cluster/{name}": "owned"}),
    )
    late = ec2.create_network_interface(
        SubnetId=places[0],
        Groups=[groups["ours"]],
        Description="ELB app/ours-balancer/1",
        TagSpecifications=specification("network-interface", {"Name": "ours-interface-of-the-balancer"}),
    )
    (WORLD / "late-interface").write_text(late["NetworkInterface"]["NetworkInterfaceId"])
    (WORLD / "plan.json").write_text(json.dumps({"name": name, "subnet": places[0], "bucket": bucket}))
    s3 = client("s3")
    region = os.environ["AWS_DEFAULT_REGION"]
    # S3 refuses the location constraint of its default region.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    for whose in (bucket, f"{bucket}-2"):
        s3.create_bucket(Bucket=whose, **place)
        s3.put_bucket_versioning(Bucket=whose, VersioningConfiguration={"Status": "Enabled"})
        for number in range(3):
            s3.put_object(Bucket=whose, Key=f"AWSLogs/{number}.log.gz", Body=b"a line")
        # Its lifecycle rule has expired one object: a delete marker and the old version are left.
        s3.delete_object(Bucket=whose, Key="AWSLogs/0.log.gz")
    zone = dns.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    changes: list[dict[str, typing.Any]] = []

    def record(name, kind, value):
        changes.append(
            {
                "Action": "CREATE",
                "ResourceRecordSet": {"Name": name, "Type": kind, "TTL": 300, "ResourceRecords": [{"Value": value}]},
            }
        )

    def mark(name, kind, owner):
        record(
            pattern.replace("TYPE", kind.lower()).replace("NAME", name),
            "TXT",
            f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/shop"',
        )

    for label, kind, value in (
        ("ours-app", "A", "192.0.2.1"),
        ("ours-alias", "CNAME", "balancer.example.net"),
        ("*.ours-any", "A", "192.0.2.1"),
    ):
        record(f"{label}.example.com", kind, value)
        mark(f"{label}.example.com", kind, name)
    record("foreign-app.example.com", "A", "192.0.2.2")
    mark("foreign-app.example.com", "A", f"{name}-2")
    record("foreign-www.example.com", "A", "192.0.2.3")
    record("foreign-words.example.com", "TXT", '"v=spf1 -all"')
    # Only the AAAA record belongs to the platform.
    record("foreign-both.example.com", "A", "192.0.2.4")
    record("foreign-both.example.com", "AAAA", "2001:db8::1")
    mark("foreign-both.example.com", "AAAA", name)
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    # The zone's own name is a host.
    for whose, owner in (("ours", name), ("foreign", f"{name}-2")):
        apex, changes = f"{whose}-apex.example.com", []
        record(apex, "A", "192.0.2.5")
        mark(apex, "A", owner)
        zone = dns.create_hosted_zone(Name=apex, CallerReference=whose)["HostedZone"]["Id"]
        outside = [
            it["ResourceRecordSet"]["Name"] for it in changes if not f".{it['ResourceRecordSet']['Name']}".endswith(f".{apex}")
        ]
        if outside:
            sys.exit(f"{outside} would lie outside the zone {apex}, and AWS would refuse it")
        dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def name_of(thing):
    return next((tag["Value"] for tag in thing.get("Tags", thing.get("TagSet", [])) if tag["Key"] == "Name"), "unnamed")


def everything():
    ec2, elb, dns, rds, logs = (client(it) for it in ("ec2", "elbv2", "route53", "rds", "logs"))
    found = [f"group {it['GroupName']}" for it in ec2.describe_security_groups()["SecurityGroups"]]
    found += [
        f"rules {it['GroupName']} {len(it['IpPermissions'])}"
        for it in ec2.describe_security_groups()["SecurityGroups"]
        if "nodes" in it["GroupName"]
    ]
    found += [f"balancer {it['LoadBalancerName']}" for it in elb.describe_load_balancers()["LoadBalancers"]]
    found += [f"targets {it['TargetGroupName']}" for it in elb.describe_target_groups()["TargetGroups"]]
    found += [f"volume {name_of(it)}" for it in ec2.describe_volumes()["Volumes"]]
    found += [f"interface {name_of(it)}" for it in ec2.describe_network_interfaces()["NetworkInterfaces"]]
    found += [
        f"database {it['DBInstanceIdentifier']} {it['DeletionProtection']}" for it in rds.describe_db_instances()["DBInstances"]
    ]
    found += [f"log {it['logGroupName']}" for it in logs.describe_log_groups()["logGroups"]]
    for bucket in client("s3").list_buckets()["Buckets"]:
        versions = client("s3").list_object_versions(Bucket=bucket["Name"])
        found += [f"object {bucket['Name']}/{it['Key']}" for it in versions.get("Versions", []) + versions.get("DeleteMarkers", [])]
    for zone in dns.list_hosted_zones()["HostedZones"]:
        found += [
            f"record {it['Name']} {it['Type']}"
            for it in dns.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        ]
    return sorted(found)


if sys.argv[1] == "fill":
    fill(*sys.argv[2:])
print(json.dumps(everything()))
