# A platform's own Terraform beside ours, as in the manual: the files are comments there, so exactly the text that people copy is
# tried. Terraform applies them with our root, and the stack grants the calls that they need. AWS is not called.
import json
import re

from prove.blueprints import binary
from prove.policies import glob, of_stack
from prove.proof import HERE
from prove.steps import Failure, Step
from prove.terraform import Root, live
from prove.tree import Tree

MANUAL = HERE.parent / "blueprints" / "reference.toml"
ENVIRONMENT = "production"
# For each type of resource in these files: its ARN, and the calls that create, read and delete it (AWS, Service Authorization
# Reference, "Actions defined by Amazon SQS" and "by Amazon ElastiCache"). The provider may make other calls.
CALLS = {
    "aws_sqs_queue": ("sqs:{region}:{account}:{name}", ["sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:DeleteQueue"]),
    "aws_elasticache_replication_group": (
        "elasticache:{region}:{account}:replicationgroup:{replication_group_id}",
        ["elasticache:CreateReplicationGroup", "elasticache:DescribeReplicationGroups", "elasticache:DeleteReplicationGroup"],
    ),
    "aws_elasticache_subnet_group": (
        "elasticache:{region}:{account}:subnetgroup:{name}",
        ["elasticache:CreateCacheSubnetGroup", "elasticache:DescribeCacheSubnetGroups", "elasticache:DeleteCacheSubnetGroup"],
    ),
}


def steps(proof):
    if proof.facts:
        yield Step("own Terraform", MANUAL.name, [MANUAL], lambda: prove(proof), seconds=60)


def prove(proof):
    manual = MANUAL.read_text(encoding="utf-8")
    files = shown(manual)
    if sorted(files) != ["cache.tf", "queue.tf"]:
        raise Failure(f"the manual shows {sorted(files)}: show `queue.tf` and `cache.tf` as comments below `[aws.grants.NAME]`")
    tree = rendered(proof, manual)
    root = next(it for it in tree.terraform_roots if it.name == "platform" and it.parent.name == ENVIRONMENT)
    made = applied(Root(proof, tree, root, "terraform"), files)
    missing = set(CALLS) - {kind for kind, _ in made}
    if missing:
        raise Failure(f"the manual's files make no {sorted(missing)}")
    where = dict(re.findall(r'^(account|region) = "([^"]+)"', manual, re.M))
    denied = refused(stack(tree), made, where)
    if denied:
        raise Failure("the grants of the manual do not allow:\n" + "\n".join(denied))
    # The check can fail: without the grants, no call is allowed.
    less = rendered(proof, re.sub(r"^\[aws\.grants\..*?(?=^# -----)", "", manual, flags=re.M | re.S))
    calls = sum(len(CALLS[kind][1]) for kind, _ in made)
    if len(refused(stack(less), made, where)) != calls:
        raise Failure("without `[aws.grants]` the stack allows a call all the same")


def shown(manual):
    """The files in the comments of the manual, by name."""
    files = {}
    for name, block in re.findall(r"^# .*`(\w+\.tf)`.*\n((?:#   .*\n)+)", manual, re.M):
        files[name] = re.sub(r"^#   ", "", block, flags=re.M)
    return files


def rendered(proof, manual):
    folder = proof.folder("own-terraform")
    blueprint = folder / "reference.toml"
    blueprint.write_text(manual, encoding="utf-8")
    proof.run([binary(), "render", blueprint, "--out", folder])
    return Tree(folder)


def stack(tree):
    path = next(path for path in tree.path.glob(f"*/environments/{ENVIRONMENT}/bootstrap/stack.yaml"))
    return [it for it in of_stack(path) if it.body["Effect"] == "Allow" and not it.trust and not it.key]


def applied(terraform, files):
    """What these files make, as (type, values), once Terraform has applied them beside the rendered ones."""
    for name, text in files.items():
        (terraform.folder / name).write_text(text, encoding="utf-8")
    found = []
    with live(terraform):
        for resource in json.loads(terraform("show", "-json").stdout)["values"]["root_module"]["resources"]:
            if resource["mode"] == "managed" and resource["type"] in CALLS:
                found.append((resource["type"], resource["values"]))
    return found


def refused(statements, made, where):
    """The calls for these resources that no statement allows."""
    found = []
    for kind, values in made:
        name, actions = CALLS[kind]
        arn = "arn:aws:" + name.format(**{**values, **where})
        for action in actions:
            if not any(
                any(glob(it).fullmatch(action) for it in statement.listed("Action"))
                and any(glob(it).fullmatch(arn) for it in statement.listed("Resource"))
                for statement in statements
                if not statement.place.startswith("Boundary,")
            ):
                found.append(f"`{action}` on `{arn}`")
    return found
