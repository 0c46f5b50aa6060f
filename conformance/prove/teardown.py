# Runs the rendered teardown: against an AWS emulator (moto) through the real AWS CLI, with stand-ins for the cluster and
# for Terraform. It deletes everything of the platform and nothing else, in the right order; an interrupted run continues, and
# another run changes nothing. Not whether AWS and a cluster behave like the stand-ins.
import json
import os
import re
import shutil
import subprocess

from prove.proof import HERE
from prove.search import must_find
from prove.state_backend import server
from prove.steps import Failure, Step

STAND_INS = HERE / "stand_ins"
AUTHORITY = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
# The changing calls, in the order in which each must first occur.
ORDER = [
    r"aws eks update-cluster-config .*--no-deletion-protection",
    r"aws rds modify-db-instance .*--no-deletion-protection",
    r"kubectl delete fluxinstances",
    r"kubectl scale deployment kustomize-controller",
    r"kubectl delete ingresses",
    r"kubectl delete service shop --namespace shop",
    r"kubectl scale deployments .*--namespace monitoring",
    r"kubectl scale statefulsets .*--namespace monitoring",
    r"kubectl delete persistentvolumeclaims",
    r"aws elbv2 delete-load-balancer",
    r"aws elbv2 delete-target-group",
    r"aws ec2 delete-volume",
    r"aws route53 change-resource-record-sets",
    r"aws ec2 revoke-security-group-ingress",
    r"aws ec2 delete-security-group",
    r"terraform gitops destroy .* 6443$",
    r"aws s3api delete-objects",
    r"aws ec2 delete-network-interface",
    r"terraform platform destroy",
    r"aws logs delete-log-group",
]
CHANGES = re.compile(
    r"^(aws \S+ (delete|modify|update|change|revoke)|kubectl (delete|scale|patch)|terraform \S+ (destroy|state rm))"
)


def steps(proof, tree):
    scripts = [path for path in tree.scripts if path.name == "teardown"]
    reads = scripts + tree.names
    yield Step(
        "teardown",
        tree.name(scripts[0]) if scripts else "",
        reads,
        lambda: prove(proof, tree, scripts[0]),
        seconds=90,
        slow=True,
        # Each world has the same names, but for prefixes.
        proves=scripts[0].read_text(encoding="utf-8") if scripts else "",
    )


class World:
    """A checkout, an account and a cluster."""

    def __init__(self, proof, repository, names, environment, url):
        self.names = dict(
            line.split(" ", 1) for line in names.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
        )
        self.name, self.names["environment"] = self.names["name"], environment
        self.checkout = proof.copy(repository, "checkout")
        # Not every platform has a bucket of logs, or a zone that Terraform created; here each has both.
        if "log-bucket" not in self.names:
            self.names["log-bucket"] = "load-balancer-logs"
            with open(self.checkout / "environments" / environment / "names.txt", "a", encoding="utf-8") as file:
                file.write("log-bucket load-balancer-logs\n")
        if "zone" not in self.names:
            self.names["zone"] = "example.com"
            with open(self.checkout / "environments" / environment / "names.txt", "a", encoding="utf-8") as file:
                file.write("zone example.com\n")
        (self.checkout / "environments" / environment / "gitops").mkdir(exist_ok=True)
        (self.checkout / "environments" / environment / "gitops" / "versions.tf").touch()
        self.folder = proof.folder("world")
        cli = (proof.tools / "bin" / "aws").resolve()
        # botocore is a dependency of the emulator.
        self.python = (proof.tools / "bin" / "moto_server").resolve().parent / "python"
        for program in ("aws", "kubectl", "terraform"):
            path = self.folder / "bin" / program
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\nexec "{self.python}" "{STAND_INS / program}.py" "$@"\n')
            path.chmod(0o755)
        region = self.names["region"]
        self.environment = proof.environment(
            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}",
            WORLD=str(self.folder),
            AWS_CLI=str(cli),
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="mock",
            AWS_SECRET_ACCESS_KEY="mock",
            AWS_DEFAULT_REGION=region,
            TEARDOWN_PAUSE="0",
            TEARDOWN_TIMEOUT="60",
        )
        self.write("cluster", {"status": "ACTIVE", "deletionProtection": True, "certificateAuthority.data": AUTHORITY})
        self.write(
            "kubernetes",
            {
                "authority": AUTHORITY,
                "server": "https://127.0.0.1:6443",
                "objects": {
                    "fluxinstances.fluxcd.controlplane.io": [["flux-system", "flux"]],
                    "ingresses": [["shop", "shop"], ["monitoring", "grafana"]],
                    "services": [["shop", "shop"]],
                    "persistentvolumeclaims": [["monitoring", "prometheus"], ["kube-system", "odd"]],
                },
                "controllers": {"kustomize-controller": "1", "helm-controller": "1"},
                "deployments": [["monitoring", "operator"], ["shop", "shop"], ["kube-system", "coredns"]],
                "statefulsets": [["monitoring", "prometheus"]],
                "volumes": {"pvc-1": ["Delete", "vol-1"]},
                "going": [],
                "reached": True,
                "stuck": [],
            },
        )
        for root in ("gitops", "platform"):
            (self.folder / f"state-{root}").write_text("terraform_data.all\n")

    def write(self, name, value):
        (self.folder / f"{name}.json").write_text(json.dumps(value))

    def set(self, **changes):
        state = json.loads((self.folder / "kubernetes.json").read_text())
        self.write("kubernetes", {**state, **changes})

    def account(self, action):
        done = subprocess.run(
            [
                self.python,
                STAND_INS / "account.py",
                action,
                self.name,
                self.names["project"],
                self.names["environment"],
                self.names["log-bucket"],
                self.names["ownership"],
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode:
            raise Failure(f"the account could not be {action}ed\n{done.stderr[-4000:]}")
        return json.loads(done.stdout)

    def run(self, code, words, typed=None, **environment):
        """Runs the script; returns the calls that changed something."""
        calls = self.folder / "calls"
        calls.write_text("")
        done = subprocess.run(
            ["bash", self.checkout / "scripts" / "teardown", self.names["environment"]],
            input=(typed or self.names["environment"]) + "\n",
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )
        said = done.stdout + done.stderr
        if done.returncode != code or words not in said:
            raise Failure(f"ended with code {done.returncode} instead of {code}, or without the words `{words}`\n{said[-6000:]}")
        return [call for call in calls.read_text().splitlines() if CHANGES.match(call)]


def prove(proof, tree, script):
    names = tree.names[0]
    environment = names.parent.name
    account = must_find(r"^account (\d+)$", names.read_text(encoding="utf-8"), re.M)[1]
    with server(proof, account) as url:
        world = World(proof, tree.repository_of(script), names, environment, url)
        before = world.account("fill")
        refuses(world)
        calls = breaks_off(world)
        calls += world.run(0, f"remove the NS record of {world.names['zone']} from the parent zone")
        ordered(calls)
        compare(before, world.account("list"), world.name, world.names["log-bucket"])
        again = world.run(0, "Done.")
        if again:
            raise Failure(f"a run after the last one still changed something\n{chr(10).join(again)}")
    shutil.rmtree(world.folder, ignore_errors=True)


def refuses(world):
    """Nothing happens with a wrong name or in a wrong cluster."""
    calls = world.run(2, "nothing was changed", typed="another")
    world.set(authority="ZWxzZXdoZXJl")
    calls += world.run(2, "is connected to another cluster")
    world.set(authority=AUTHORITY, reached=False)
    calls += world.run(2, "cannot connect to it")
    world.set(reached=True)
    if calls:
        raise Failure(f"something was changed before it was known what for\n{chr(10).join(calls)}")


def breaks_off(world):
    """It stops twice, each time with a message that says what to do, and changes nothing of a later step."""
    world.set(volumes={"pvc-1": ["Delete", "vol-1"], "pvc-2": ["Retain", "vol-2"]})
    calls = world.run(1, "have the reclaim policy Retain: pvc-2 vol-2")
    if any("persistentvolumeclaims" in call for call in calls):
        raise Failure("claims were deleted beside a volume that was to outlive them")
    world.set(volumes={"pvc-1": ["Delete", "vol-1"]}, stuck=["persistentvolumeclaims"])
    calls += world.run(1, "there are still PersistentVolumeClaims:", TEARDOWN_TIMEOUT="0")
    world.set(stuck=[])
    late = [call for call in calls if re.match(r"aws (elbv2|ec2|route53)|terraform", call)]
    if late:
        raise Failure(f"a later step began before the claims were gone\n{chr(10).join(late)}")
    return calls


def ordered(calls):
    first = []
    for pattern in ORDER:
        places = [place for place, call in enumerate(calls) if re.match(pattern, call)]
        if not places:
            raise Failure(f"nothing was done like `{pattern}`\n" + "\n".join(calls))
        first.append(places[0])
    if first != sorted(first):
        raise Failure("the steps came in another order\n" + "\n".join(calls))


def ours(item, name, bucket):
    kind, what = item.split(" ", 1)
    if kind == "object":
        return what.startswith(f"{bucket}/")
    if kind == "record" and what.endswith((" NS", " SOA")):
        return False
    if kind == "record":
        return "ours-" in what or what.startswith(("foreign-both.example.com. AAAA", "external-dns-aaaa.foreign-both."))
    return what.startswith((f"/aws/eks/{name}/", f"/aws/rds/instance/{name}/")) or (what.startswith("ours-") and "kept" not in what)


def compare(before, after, name, bucket):
    gone = [item for item in before if ours(item, name, bucket)]
    kept = [item for item in before if item not in gone]
    kept = sorted(
        item.replace("ours-database-kept True", "ours-database-kept False").replace("ours-nodes-kept 1", "ours-nodes-kept 0")
        for item in kept
    )
    if len(gone) < 17 or not any("AAAA" in item for item in gone):
        raise Failure(f"too little of ours was there to begin with: {gone}")
    if after != kept:
        raise Failure(
            f"still there: {[item for item in after if item not in kept]}; lost: {[item for item in kept if item not in after]}"
        )
