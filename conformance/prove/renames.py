# Something that a later version of the program calls differently: Terraform keeps the resource. Made up, because this version has renamed
# nothing; `examples/renamed.rs` is that later version. The live scenario `renamed` does the same with a layer.
import json
import os
import shutil

from prove.proof import HERE
from prove.steps import Failure, Step
from prove.terraform import Root
from prove.tree import Tree

FROM, TO = "aws_kms_key.cluster", "aws_kms_key.control_plane"


def steps(proof):
    tree = Tree(HERE.parent / "generated" / "minimal")
    if proof.facts:
        yield Step("renames", f"{FROM} of {tree}", tree.terraform_roots, lambda: prove(proof, tree), seconds=40)


def program(proof):
    """With the profile of the tests, which have compiled it."""
    project = HERE.parent
    # Cargo finds its toolchain in the real home.
    command = ["cargo", "build", "--quiet", "--locked", "--profile", "test", "--example", "renamed"]
    proof.run(command, cwd=project, environment=dict(os.environ))
    return project / "target" / "debug" / "examples" / "renamed"


def prove(proof, tree):
    renamed, old = program(proof), tree.terraform_repositories[0]
    folder = proof.folder("renames")
    out = folder / old.name
    shutil.copytree(old, out)
    copy = Tree(folder)
    root = next(it for it in copy.terraform_roots if it.name == "platform")
    terraform = opened(proof, copy, root)
    terraform("apply", "-auto-approve")
    state = terraform.folder / "terraform.tfstate"
    proof.run([renamed, "infrastructure", old, out, FROM, TO])
    if not (root / "moved.tf").is_file():
        raise Failure(f"no `moved.tf` was rendered for `{FROM}`")
    proof.run(["terraform", "fmt", "-check", root / "moved.tf"])
    planned = plan(proof, copy, root, state)
    wrong = [f"{address}: {actions}" for address, actions in planned.items() if actions not in (["no-op"], ["read"])]
    if wrong:
        raise Failure("a renamed resource changes something:\n" + "\n".join(wrong))
    if TO not in planned or FROM in planned:
        raise Failure(f"the plan does not know `{TO}`: {sorted(planned)}")
    # Without the blocks, the key would be replaced.
    (root / "moved.tf").unlink()
    if "delete" not in plan(proof, copy, root, state).get(FROM, []):
        raise Failure("without `moved` blocks, nothing is deleted: this proves nothing")


def opened(proof, tree, root):
    terraform = Root(proof, tree, root, "terraform")
    terraform.use_local_backend()
    terraform.initialise()
    return terraform


def plan(proof, tree, root, state):
    """The actions by address."""
    terraform = opened(proof, tree, root)
    shutil.copy(state, terraform.folder / "terraform.tfstate")
    terraform("plan", "-out=saved.plan")
    changes = json.loads(terraform("show", "-json", "saved.plan").stdout)["resource_changes"]
    return {it["address"]: it["change"]["actions"] for it in changes}
