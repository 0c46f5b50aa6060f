# Nodes like those of an EKS managed node group with Amazon Linux. Nothing runs on them: kwok plays their kubelets.
import pathlib
import re
import secrets

from live.kube import Refused

# Cores, memory in GiB, pods (what the VPC CNI gives without prefix delegation), architecture.
INSTANCES = {
    "t3.medium": (2, 4, 17, "amd64"),
    "t3.large": (2, 8, 35, "amd64"),
    "t4g.medium": (2, 4, 17, "arm64"),
    "t4g.large": (2, 8, 35, "arm64"),
    "m5.large": (2, 8, 29, "amd64"),
    "m6i.large": (2, 8, 29, "amd64"),
    "m6i.xlarge": (4, 16, 58, "amd64"),
    "m7i.large": (2, 8, 29, "amd64"),
    "m7i.xlarge": (4, 16, 58, "amd64"),
    "m7i.2xlarge": (8, 32, 58, "amd64"),
    "m7g.large": (2, 8, 29, "arm64"),
    "m7g.xlarge": (4, 16, 58, "arm64"),
    "c7i.large": (2, 4, 29, "amd64"),
    "r7i.large": (2, 16, 29, "amd64"),
}


def of_infrastructure(infrastructure, environment):
    """The nodes with which Terraform begins, as `m7i.large=3:general`, and their region."""
    folder = pathlib.Path(infrastructure) / "environments" / environment
    region = re.findall(r"^region (\S+)$", (folder / "names.txt").read_text(), re.MULTILINE)[0]
    text = "\n".join(path.read_text() for path in sorted((folder / "platform").glob("*.tf")))
    groups = re.findall(
        r'^    "([^"]+)" = \{\n(?:(?!^    \}).*\n)*?\s*instance_types\s*=\s*\["([^"]+)".*\n\s*min_size\s*=\s*(\d+)$',
        text,
        re.MULTILINE,
    )
    found = [f"{kind}={least}:{name}" for name, kind, least in groups if int(least)]
    if not found:
        raise SystemExit(f"live: no node group in `{folder / 'platform'}`: teach `live/nodes.py` to read it")
    return ",".join(found), region


def subnets(infrastructure, environment):
    """The private subnets, in which the API server has its addresses, too."""
    folder = pathlib.Path(infrastructure) / "environments" / environment / "platform"
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    return re.findall(r'\bprivate\s*=\s*"([0-9.]+/\d+)"', text)


def expand(nodes):
    """`m6i.large=3,m7g.large=1:graviton` as (number, type, zone letter, node group) for each node, zones in turn."""
    number = 0
    for part in nodes.split(","):
        kind, _, rest = part.partition("=")
        count, _, group = rest.partition(":")
        if kind not in INSTANCES:
            raise SystemExit(f"live: unknown instance type {kind}: add it to `INSTANCES` in `live/nodes.py`")
        for at in range(int(count or 1)):
            number += 1
            yield number, kind, "abc"[at % 3], group or "default"


def add_node(kube, name, kind, zone, region, group, taints=()):
    cores, gib, pods, architecture = INSTANCES[kind]
    # The CPU that Bottlerocket and AL2023 reserve: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % beyond.
    reserved = 60 + (10 if cores > 1 else 0) + 5 * min(max(cores - 2, 0), 2) + int(2.5 * max(cores - 4, 0))
    usable = int(gib * 1024 * 0.965)  # the part of the nominal memory that firmware and kernel leave
    free = usable - (255 + 11 * pods) - 100  # kube-reserved, hard eviction threshold
    labels = {
        "kubernetes.io/arch": architecture,
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name,
        "node.kubernetes.io/instance-type": kind,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
        "topology.ebs.csi.aws.com/zone": zone,
        "eks.amazonaws.com/nodegroup": group,
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "node-group": group,
    }
    kube.request(
        "POST",
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"providerID": f"aws:///{zone}/i-{secrets.token_hex(8)}", "taints": list(taints)},
        },
    )
    unknown = ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "systemUUID")
    status = {
        "capacity": {"cpu": str(cores), "memory": f"{usable}Mi", "pods": str(pods), "ephemeral-storage": "20Gi"},
        "allocatable": {
            "cpu": f"{cores * 1000 - reserved}m",
            "memory": f"{free}Mi",
            "pods": str(pods),
            "ephemeral-storage": "17Gi",
        },
        "nodeInfo": {
            **dict.fromkeys(unknown, ""),
            "architecture": architecture,
            "operatingSystem": "linux",
            "osImage": "Amazon Linux 2023",
            "kubeletVersion": kube.get("/version")["gitVersion"],
        },
    }
    for _ in range(5):
        try:
            return kube.merge(f"/api/v1/nodes/{name}/status", {"status": status})
        except Refused as error:
            if error.code != 409:
                raise
