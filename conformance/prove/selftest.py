# Proves that each check can fail: plants one defect at a time in a copy of a tree, and requires that exactly the expected
# checks refuse it. A normal run skips slow checks that are not expected to refuse the defect.
import json
import re
import shutil

from prove import blueprints, policies
from prove.defects import DEFECTS
from prove.steps import Failure, Step, indent, run_step
from prove.tree import SKIPPED, Tree


def steps(proof, trees, plan, everything):
    """Each defect in the first tree that has the most of the checks that are meant for it."""
    planned = {tree: plan(proof, tree) for tree in trees}
    known = [(tree, {step.kind for step in every}) for tree, every in planned.items()]
    alone = {step.kind for every in planned.values() for step in every if step.alone}
    planted = []
    for defect in DEFECTS:
        tree, kinds = max(known, key=lambda one: len(defect.expect & one[1]))
        if defect.expect & kinds:
            planted.append(
                Step(
                    "self-test",
                    defect.name,
                    [tree.path],
                    lambda d=defect, t=tree, k=kinds: prove(proof, t, plan, d, k, everything),
                    seconds=60 if "checkov" in "".join(defect.expect) else 20,
                    alone=bool(defect.expect & alone),
                )
            )
    first, kinds = trees[0], set.union(*(kinds for _, kinds in known))
    return [
        *planted,
        Step("self-test", "a key that a blueprint does not have", [first.path], lambda: prove_blueprint(proof)),
        Step("self-test", "a call on a resource that its action is not about", [first.path], lambda: prove_calls(proof)),
        Step("self-test", "every kind of check has a defect", [first.path], lambda: complete(kinds)),
    ]


def complete(kinds):
    lonely = kinds - {kind for defect in DEFECTS for kind in defect.expect}
    if lonely:
        raise Failure(f"no defect is planted for {sorted(lonely)}: add one to `prove/defects.py`")


def copied(proof, tree):
    target = proof.folder("planted") / tree.path.name
    for repository in tree.repositories:
        shutil.copytree(repository, target / repository.name, symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED))
    return target


def prove(proof, tree, plan, defect, kinds, everything):
    folder = copied(proof, tree)
    touched = defect.plant(Tree(folder))
    found = []
    for step in plan(proof, Tree(folder)):
        if not step.reads or not any(step.concerns(path) for path in touched):
            continue
        meant = step.kind in defect.expect
        if meant or everything or not (step.slow or step.kind in defect.also):
            found.append(run_step(step))
    judge(
        defect.expect & kinds,
        defect.also,
        [outcome for outcome in found if not refused_already(proof, tree, plan, outcome, defect)],
    )
    shutil.rmtree(folder.parent, ignore_errors=True)


def refused_already(proof, tree, plan, outcome, defect):
    """Whether a check that is not meant for the defect refuses the tree without it, too: the run itself reports that."""
    if not outcome.failure or outcome.step.kind in defect.expect | defect.also:
        return False
    return any(run_step(step).failure for step in plan(proof, tree) if step.kind == outcome.step.kind)


def judge(expect, also, outcomes):
    refused = {outcome.step.kind for outcome in outcomes if outcome.failure}
    if expect - refused:
        raise Failure(f"passed, but had to fail: {sorted(expect - refused)}")
    for outcome in outcomes:
        if outcome.failure and outcome.step.kind not in expect | also:
            raise Failure(
                f"failed, but is not meant for this defect: {outcome.step.kind} {outcome.step.where}\n{indent(outcome.failure)}"
            )
        # A crash of the check does not count.
        if outcome.failure and outcome.failure.startswith("Traceback"):
            raise Failure(f"crashed: {outcome.step.kind}\n{indent(outcome.failure)}")


def prove_blueprint(proof):
    folder = proof.folder("blueprints")
    source = min((blueprints.CHECKOUT / "blueprints").glob("*.toml"))
    (folder / source.name).write_text(
        re.sub(r"^schema = 1$", "schema = 1\ndefect = true", source.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8"
    )
    outcomes = [run_step(step) for step in blueprints.steps(proof, folder)]
    judge({"taplo"}, set(), outcomes)
    if "defect" not in outcomes[0].failure:
        raise Failure(f"failed for another reason\n{indent(outcomes[0].failure)}")


def prove_calls(proof):
    """Defective lines of the table of calls, one at a time, which AWS's table contradicts."""
    for line, word in (
        ("ec2:CreateVpcs new:vpc", "knows no action"),
        ("ec2:CreateSubnet new:subnet", "also needs vpc"),
        ("ec2:CreateRoute own:route-table own:vpc", "is not about `vpc`"),
        ("iam:GetRole own:arn:aws:iam::{account}:policy/{name}", "is not about"),
        ("ec2:DeleteVpc bare:*", "needs vpc"),
        ("ec2:DeleteVpc own:vpc ec2:CreateAction=CreateVpc", "does not know the condition key"),
    ):
        try:
            policies.check_calls(proof, f"[resource.defect]\ncreate = [{json.dumps(line)}]\n")
        except Failure as refusal:
            if word in str(refusal):
                continue
            raise Failure(f"`{line}` failed for another reason: {refusal}") from None
        raise Failure(f"`{line}` passed, but had to fail")
