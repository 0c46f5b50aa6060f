# One environment, applied and then changed in every key that users may change later: no resource may be replaced under the same
# name, which AWS refuses for some time or which loses a value. Terraform decides what is replaced, by the provider's schemas; AWS
# is not called.
import json

from prove.blueprints import binary
from prove.proof import HERE
from prove.steps import Failure, Step
from prove.terraform import Root
from prove.tree import Tree

BLUEPRINTS = HERE / "day_two"
# The attributes that name a resource in its account or region.
NAMES = ("name", "identifier", "bucket", "role_name")
# Proves that the check can fail: a parameter that is replaced under its name. An override file cannot add this.
VALUE = "  value = aws_db_instance.main.username\n"
DEFECT = VALUE + "\n  lifecycle {\n    replace_triggered_by = [aws_db_instance.main.password_wo_version]\n  }\n"


def steps(proof):
    files = [BLUEPRINTS / "before.toml", BLUEPRINTS / "after.toml"]
    if proof.facts:
        yield Step("replacements", "day two", files, lambda: prove(proof, *files), seconds=60)


def prove(proof, before, after):
    folder = proof.folder("replacements")
    proof.run([binary(), "render", before, "--out", folder])
    tree = Tree(folder)
    root = next(it for it in tree.terraform_roots if it.name == "platform")
    terraform = Root(proof, tree, root, "terraform")
    terraform.use_local_backend()
    terraform.initialise()
    terraform("apply", "-auto-approve")
    state = (terraform.folder / "terraform.tfstate").read_text()
    proof.run([binary(), "render", after, "--out", folder])
    changed = Root(proof, tree, root, "terraform")
    changed.use_local_backend()
    changed.initialise()
    (changed.folder / "terraform.tfstate").write_text(state)
    kept = replaced(changed)
    if kept:
        raise Failure(
            "replaced under the same name, so give each value a name of its own, or change it in place:\n" + "\n".join(kept)
        )
    parameters = changed.folder / "parameters.tf"
    parameters.write_text(parameters.read_text().replace(VALUE, DEFECT))
    if not replaced(changed):
        raise Failure("a parameter that is replaced under its name was accepted")


def replaced(terraform):
    terraform("plan", "-out=saved.plan")
    plan = json.loads(terraform("show", "-json", "saved.plan").stdout)
    changes = {it["address"]: it["change"] for it in plan["resource_changes"] if it["mode"] == "managed"}
    for address in ("aws_db_instance.main", 'aws_eks_node_group.main["general"]'):
        if changes[address]["actions"] == ["no-op"]:
            raise Failure(f"`after.toml` does not change `{address}`: it changes too little")
    found = []
    for address, change in changes.items():
        if sorted(change["actions"]) != ["create", "delete"]:
            continue
        same = [name for name in NAMES if change["before"].get(name) and change["before"].get(name) == change["after"].get(name)]
        if same:
            found.append(f"{address} ({', '.join(same)}), because of {change.get('replace_paths')}")
    return found
