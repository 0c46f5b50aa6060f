# The proof: plans the steps for every tree, runs them, plants defects in a copy of the first tree, counts.
"""usage: conformance/run [--selftest] [--quick TREE]… [TREE…]
       conformance/run --public [--offline] [TREE…]
       conformance/run --report
       conformance/run --live CLUSTER SCENARIO…

TREE        rendered trees, `generated/minimal` unless named
--selftest  only the self-test, with every step that a defect could reach
--public    as somebody who has the clone and the internet, but not the folder of facts
--offline   only those of its parts that need nothing but the tools, without the self-test: it names the others
--report    only what interrupts renders and how long they take, and writes the numbers to `conformance/REPORT.md`
--quick     a tree more, of which only the steps run that take seconds, Terraform's apply and checkov
--live      only the proof on a real control plane: CLUSTER as `TREE/kubernetes-manifest/clusters/production`
"""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

from prove import (
    agreement,
    alert_messages,
    alertmanager,
    alerts,
    blueprints,
    certificates,
    cloudformation,
    documents,
    helm_values,
    images_and_scripts,
    interruptions,
    live,
    logins,
    manifest_scripts,
    manifests,
    merges,
    own_terraform,
    pipeline_scripts,
    policies,
    preflight,
    presets,
    project,
    providers,
    releases,
    renames,
    replacements,
    reviews,
    scanners,
    selftest,
    starter,
    state_backend,
    teardown,
    terraform,
    tflint,
    upstream_alerts,
    workflows,
)
from prove.object_schemas import Schemas
from prove.proof import HERE, Proof
from prove.public_schemas import PublicCharts, PublicSchemas
from prove.report import write as write_report
from prove.steps import Failure, print_outcome, run_steps
from prove.tree import Tree

CHECKOUT = HERE.parent
# Read once, because the self-test makes many copies of a tree.
KNOWN_SCHEMAS, LOCK = {}, threading.Lock()


class SchemasOfAll:
    """The schemas of every Kubernetes minor that the tree's clusters have."""

    def __init__(self, proof, tree):
        self.proof, self.tree, self.public = proof, tree, not proof.facts

    def mistakes(self, document, partial=False):
        if not self.tree.kubernetes_versions:
            raise Failure('no Terraform root says the cluster\'s version: write `version = "1.NN"`')
        found = []
        for version in self.tree.kubernetes_versions:
            found += [mistake for mistake in self.schemas(version).mistakes(document, partial=partial) if mistake not in found]
        return found

    def fragment_mistakes(self, definition, value):
        return [
            mistake
            for version in self.tree.kubernetes_versions
            for mistake in self.schemas(version).fragment_mistakes(definition, value)
        ]

    def schemas(self, version):
        with LOCK:
            if version not in KNOWN_SCHEMAS:
                KNOWN_SCHEMAS[version] = (
                    Schemas(self.proof.facts, version) if self.proof.facts else PublicSchemas(self.proof, version)
                )
        return KNOWN_SCHEMAS[version]


def plan(proof, tree):
    """All steps for one tree."""
    built = manifests.Manifests(proof, tree)
    schemas = SchemasOfAll(proof, tree)
    charts = helm_values.Charts(proof.facts) if proof.facts else PublicCharts(proof)
    return [
        *terraform.steps(proof, tree),
        *tflint.steps(proof, tree),
        *state_backend.steps(proof, tree),
        *scanners.steps(proof, tree, built),
        *cloudformation.steps(proof, tree),
        *manifests.steps(proof, tree, schemas, built),
        *alerts.steps(proof, tree, built),
        *helm_values.steps(proof, tree, built, charts, schemas),
        *agreement.steps(proof, tree, built),
        *policies.steps(proof, tree),
        *alertmanager.steps(proof, tree, built),
        *alert_messages.steps(proof, tree, built),
        *upstream_alerts.steps(proof, tree, built),
        *certificates.steps(proof, tree),
        *logins.steps(proof, tree),
        *workflows.steps(proof, tree),
        *images_and_scripts.steps(proof, tree),
        *teardown.steps(proof, tree),
        *releases.steps(proof, tree),
        *reviews.steps(proof, tree),
        *starter.steps(proof, tree),
        *pipeline_scripts.steps(proof, tree),
        *preflight.steps(proof, tree),
        *manifest_scripts.steps(proof, tree),
        *documents.steps(proof, tree),
    ]


def facts_folder():
    """The folder of facts, or None when the run has to ask the network."""
    named = os.environ.get("BLUEPRINT_CONFORMANCE")
    folder = pathlib.Path(named) if named else CHECKOUT.parent / "shared" / "conformance"
    if (folder / "terraform").is_dir() and (folder / "kubernetes").is_dir() and (folder / "charts").is_dir():
        return folder.resolve()
    if named:
        raise Failure(
            f"`BLUEPRINT_CONFORMANCE` names `{named}`, which has no folders `terraform`, `kubernetes` and `charts`: correct it, or unset it to use the network"
        )
    return None


def require_network(proof):
    """Without facts the providers come from their registry: ask for a small one."""
    folder = proof.folder("network")
    (folder / "main.tf").write_text('terraform {\n  required_providers {\n    null = { source = "hashicorp/null" }\n  }\n}\n')
    try:
        proof.run(["terraform", "init"], cwd=folder, environment=terraform.environment(proof))
    except Failure as refusal:
        raise Failure(
            f"no facts and no network: set `BLUEPRINT_CONFORMANCE` to the folder of facts, or run where Terraform can fetch providers\n{refusal}"
        ) from None


def rendered(path):
    folder = pathlib.Path(path) if pathlib.Path(path).is_dir() else CHECKOUT / path
    if not folder.is_dir() or not Tree(folder).repositories:
        raise Failure(f"`{path}` holds no rendered repositories: run `blueprint render`, or name another tree")
    return Tree(folder)


def main():
    parser = argparse.ArgumentParser(
        prog="conformance/run",
        usage=__doc__.split("\n\n")[0].removeprefix("usage: "),
        description=__doc__.split("\n\n")[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--selftest", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--public", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="append", default=[], metavar="TREE", help=argparse.SUPPRESS)
    parser.add_argument("--report", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--offline", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--live", nargs="+", default=[], help=argparse.SUPPRESS)
    parser.add_argument("trees", nargs="*", default=["generated/minimal"], metavar="TREE")
    arguments = parser.parse_args()
    if arguments.offline and not arguments.public:
        parser.error("`--offline` is a part of `--public`")
    # A signal also ends the processes that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = tempfile.mkdtemp(prefix="conformance-")
    begin, outcomes = time.monotonic(), []

    def report(outcome):
        outcomes.append(outcome)
        print_outcome(outcome)

    try:
        facts = None if arguments.public else facts_folder()
        proof = Proof(os.environ["BLUEPRINT_TOOLS"], facts, scratch)
        if arguments.live:
            prove_live(proof, facts, arguments.live, report)
            return finish(begin, outcomes)
        if arguments.report:
            run_steps(list(interruptions.steps(proof)), report)
            write_report(proof)
            return finish(begin, outcomes)
        trees = [rendered(path) for path in arguments.trees]
        quick = [rendered(path) for path in arguments.quick]
        if arguments.offline:
            return prove_offline(proof, trees, report) or finish(begin, outcomes)
        if not facts:
            require_network(proof)
            print(f"mode: {MODE}", flush=True)
        with providers.serving(proof):
            # All at once: most steps wait for something, and the last one of a part should not be waited for alone.
            every = []
            if not arguments.selftest:
                for tree in trees:
                    every += labelled(tree, plan(proof, tree))
                for tree in quick:
                    planned = plan(proof, tree)
                    left = sorted({step.kind for step in planned if not is_quick(step)})
                    print(f"-- {tree} without what takes longer: {', '.join(left)}", flush=True)
                    every += labelled(tree, [step for step in planned if is_quick(step)])
                for steps in (
                    blueprints.steps,
                    interruptions.steps,
                    merges.steps,
                    renames.steps,
                    replacements.steps,
                    own_terraform.steps,
                    policies.calls_steps,
                    alert_messages.receivers,
                    upstream_alerts.more,
                    project.steps,
                    presets.steps,
                ):
                    every += steps(proof)
            every = once(every)
            every += selftest.steps(proof, trees, plan, everything=arguments.selftest)
            print(f"-- {', '.join(map(str, trees))}, this project, and defects planted in copies: {len(every)} steps", flush=True)
            run_steps(every, report)
    except Failure as refusal:
        print(f"FAIL conformance: {refusal}", flush=True)
        print(f"{sum(not o.failure for o in outcomes)} passed, {sum(bool(o.failure) for o in outcomes) + 1} failed")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return finish(begin, outcomes)


def once(steps):
    """Without the steps that prove what another one proves."""
    kept, left = {}, []
    for number, step in enumerate(steps):
        key = (step.kind, step.proves) if step.proves else number
        if key in kept:
            left.append(f"{step.kind} {step.where}")
        kept.setdefault(key, step)
    if left:
        print(f"-- proven with another tree, which has the same text: {', '.join(left)}", flush=True)
    return list(kept.values())


def labelled(tree, steps):
    """The steps with the name of their tree, because those of several trees run at the same time."""
    for step in steps:
        step.where = f"{tree}: {step.where}"
    return steps


def is_quick(step):
    """Whether a step is worth its time in a tree that differs from another one only by more keys."""
    return not step.slow or step.kind in ("terraform apply", "checkov", "checkov kubernetes")


# Checks that need the facts.
MODE = """public schemas and real providers; not shown in this mode:
  plan, apply and the state backend: they would need an AWS account
  that the repositories agree, that policies fit, that a change replaces nothing: read from what was applied
  the alerts and the messages of kube-prometheus-stack, the images of charts: they need what the charts render
  the manifests at work (`--live`): the definitions are made from the facts"""


def prove_offline(proof, trees, report):
    print(f"mode: offline; {MODE}", flush=True)
    for tree in trees:
        every = plan(proof, tree)
        left = sorted({step.kind for step in every if step.internet or step.slow})
        print(f"-- {tree}\nleft out, for the internet or for time: {', '.join(left)}", flush=True)
        run_steps([step for step in every if not step.internet and not step.slow], report)


def prove_live(proof, facts, words, report):
    if not facts:
        raise Failure("no facts: set `BLUEPRINT_CONFORMANCE`, for the definitions that stand-in charts bring are made from them")
    os.environ["BLUEPRINT_CONFORMANCE"] = str(facts)
    folder = pathlib.Path(words[0]) if pathlib.Path(words[0]).is_dir() else CHECKOUT / words[0]
    live.run(proof, folder, words[1:], report)


def finish(begin, outcomes):
    failed = [outcome for outcome in outcomes if outcome.failure]
    print(f"-- {time.monotonic() - begin:.0f} s")
    for outcome in failed:
        print(f"failed: {outcome.step.kind} {outcome.step.where}")
    print(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
