# A stand-in for Terraform and its state: a root is one resource until it is destroyed. The first destroy of the platform
# fails, as in AWS when a network interface of the CNI remains after its node.
import json
import os
import pathlib
import sys

import botocore.session

WORLD = pathlib.Path(os.environ["WORLD"])
root = pathlib.Path(sys.argv[1].removeprefix("-chdir=")).name
words = sys.argv[2:]
state = WORLD / f"state-{root}"

with open(WORLD / "calls", "a") as calls:
    calls.write(f"terraform {root} {' '.join(words)} {os.environ.get('TF_VAR_api_port', '')}\n")
if words[0] == "init":
    sys.exit()
if words[:2] == ["state", "list"]:
    if not state.exists():
        sys.exit("No state file was found!")
    print(state.read_text(), end="")
elif words[0] == "destroy" and "-auto-approve" in words:
    if root == "gitops" and os.environ.get("TF_VAR_git_credential") != "false":
        sys.exit("Error: reading SSM Parameter: ParameterNotFound")
    plan = json.loads((WORLD / "plan.json").read_text())
    if root == "platform":
        session = botocore.session.get_session()
        ec2 = session.create_client("ec2")
        tag = {"Key": "cluster.k8s.amazonaws.com/name", "Value": plan["name"]}
        if json.loads((WORLD / "cluster.json").read_text()):
            (WORLD / "cluster.json").write_text("null")
            ec2.create_network_interface(
                SubnetId=plan["subnet"], TagSpecifications=[{"ResourceType": "network-interface", "Tags": [tag]}]
            )
            sys.exit("Error: deleting EC2 Subnet: DependencyViolation")
        versions = session.create_client("s3").list_object_versions(Bucket=plan["bucket"])
        if versions.get("Versions") or versions.get("DeleteMarkers"):
            sys.exit("Error: deleting S3 Bucket: BucketNotEmpty")
        left = ec2.describe_network_interfaces(Filters=[{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]}])
        if left["NetworkInterfaces"]:
            sys.exit("Error: deleting EC2 Subnet: DependencyViolation")
    state.write_text("")
else:
    sys.exit(f"nobody expects {words}")
