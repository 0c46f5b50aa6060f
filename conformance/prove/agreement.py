# References between the repositories: every secret that the cluster reads is written to Parameter Store, by Terraform or by a
# person (which preflight checks), and the reading role may read it; every role in the manifests exists, and trusts the service
# account that names it. Terraform is applied to the stand-in for this, so names are final. It does not prove what AWS accepts.
import fnmatch
import json
import re

from prove.manifests import namespace_of
from prove.steps import Failure, Step
from prove.terraform import Root

ARN = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+")


def steps(proof, tree, manifests):
    """None without facts: real providers would want an account."""
    for cluster in tree.clusters if proof.facts else []:
        root = platform_root(tree, cluster.name)
        reads = [root, root.parent / "names.txt", *tree.manifests] if root else []
        yield Step(
            "repositories agree",
            tree.name(cluster),
            reads,
            lambda c=cluster, r=root: check(proof, tree, manifests, c, r),
            seconds=5,
            slow=True,
        )


def platform_root(tree, environment):
    found = [root for root in tree.terraform_roots if root.parent.name == environment and root.name == "platform"]
    return found[0] if len(found) == 1 else None


def applied(proof, tree, root):
    """What Terraform made, by kind."""
    terraform = Root(proof, tree, root, "terraform")
    terraform.use_local_backend()
    terraform.initialise()
    terraform.answer_variables()
    terraform("apply", "-auto-approve")
    state = json.loads(terraform("show", "-json").stdout)
    kinds = {}
    for resource in ((state.get("values") or {}).get("root_module") or {}).get("resources") or []:
        kinds.setdefault(resource["type"], []).append(resource["values"])
    return kinds


def check(proof, tree, manifests, cluster, root):
    made = applied(proof, tree, root)
    objects = [document for document, _ in manifests.objects(cluster)]
    parameters = {it["name"] for it in made.get("aws_ssm_parameter", [])} | set(
        re.findall(r"^secret (\S+)", (root.parent / "names.txt").read_text(encoding="utf-8"), re.M)
    )
    roles = {it["name"]: it for it in made.get("aws_iam_role", [])}
    mistakes = [*unknown_roles(objects, roles), *unread_secrets(objects, parameters, roles, made)]
    if mistakes:
        raise Failure("\n".join(sorted(set(mistakes))))


def words(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from words(inner)
    elif isinstance(value, str):
        yield value


def title(document):
    return f"{document['kind']} `{namespace_of(document)}/{document['metadata']['name']}`"


def unknown_roles(objects, roles):
    named = set()
    for document in objects:
        for arn in {arn for word in words(document) for arn in ARN.findall(word)}:
            name = arn.rsplit("/", 1)[1]
            named.add(name)
            if name not in roles:
                yield f"{title(document)}: Terraform makes no role `{name}`"
            elif document["kind"] == "ServiceAccount":
                subject = f"system:serviceaccount:{namespace_of(document)}:{document['metadata']['name']}"
                if f'"{subject}"' not in roles[name]["assume_role_policy"]:
                    yield f"{title(document)}: the role `{name}` does not trust {subject}"
    for name in sorted(set(roles) - named):
        if "-secrets-" in name:
            yield f"nothing in the cluster is the role `{name}`"


def unread_secrets(objects, parameters, roles, made):
    asked = [document for document in objects if document["kind"] == "ExternalSecret"]
    if not asked:
        yield "nothing in the cluster asks for a secret"
    for document in asked:
        reference, namespace = document["spec"].get("secretStoreRef") or {}, namespace_of(document)
        stores = [
            it
            for it in objects
            if (it["kind"], namespace_of(it), it["metadata"]["name"]) == (reference.get("kind"), namespace, reference.get("name"))
        ]
        if not stores:
            yield f"{title(document)}: there is no {reference.get('kind')} `{reference.get('name')}`"
            continue
        name = role_of(stores[0], objects)
        rights = [json.loads(it["policy"]) for it in made.get("aws_iam_role_policy", []) if it["role"] == name]
        for entry in document["spec"].get("data") or []:
            key = (entry.get("remoteRef") or {}).get("key") or ""
            if key not in parameters:
                yield f"{title(document)}: nobody puts `{key}` into Parameter Store"
            if not any(reads(policy, key) for policy in rights):
                yield f"{title(document)}: the role `{name}` may not read `{key}`"


def role_of(store, objects):
    """The name of the role by which a store reads: its own, or its service account's."""
    provider = store["spec"]["provider"]["aws"]
    arn = provider.get("role")
    if not arn:
        account = provider["auth"]["jwt"]["serviceAccountRef"]["name"]
        for document in objects:
            metadata = document["metadata"]
            if (document["kind"], metadata.get("namespace"), metadata["name"]) == ("ServiceAccount", namespace_of(store), account):
                arn = (metadata.get("annotations") or {}).get("eks.amazonaws.com/role-arn")
    return (arn or "").rsplit("/", 1)[-1]


def reads(policy, key):
    for statement in policy["Statement"]:
        actions, resources = statement["Action"], statement["Resource"]
        resources = resources if isinstance(resources, list) else [resources]
        allows = statement["Effect"] == "Allow" and "ssm:GetParameter" in actions
        if allows and any(fnmatch.fnmatchcase(f"parameter{key}", resource.split(":")[-1]) for resource in resources):
            return True
    return False
