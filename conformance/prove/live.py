# The manifests on a real control plane, as `live/README.md` describes it: one step for each scenario. Each cluster starts empty,
# one after the other, so these steps run alone and in order: first with everything, then without the secrets that a person
# writes, then with the defects that must be refused.
import contextlib
import pathlib

from live import cluster, nodes, scenarios, selftest, sync
from prove.steps import Failure, Step, run_step
from prove.tree import Tree


def run(proof, folder, names, report):
    """Proves the cluster that this folder describes, as `…/kubernetes-manifest/clusters/production`, by the named scenarios."""
    folder = pathlib.Path(folder).resolve()
    manifests, tree = folder.parent.parent, Tree(folder.parent.parent.parent)
    unknown = set(names) - set(scenarios.ALL)
    if unknown or not names:
        raise Failure(f"name scenarios out of {', '.join(scenarios.ALL)}{'' if not unknown else f'; not {sorted(unknown)}'}")
    infrastructure = [path.parents[2] for path in tree.names if path.parent.name == folder.name]
    if folder not in tree.clusters or not infrastructure:
        raise Failure(f"`{folder}` is no cluster of a rendered tree: name one, as `TREE/kubernetes-manifest/clusters/production`")
    wanted, region = nodes.of_infrastructure(infrastructure[0], folder.name)
    for every, person, words in ((scenarios.ATTENDED, True, ""), (scenarios.UNATTENDED, False, " without a person")):
        here = [name for name in names if name in every]
        if here:
            print(f"-- live: {tree} {folder.name}{words}", flush=True)
            one(proof, here, wanted, region, (manifests, f"clusters/{folder.name}", infrastructure[0]), person, report)
    print("-- live: defects planted in the harness's own sample", flush=True)
    defects(proof, report)


def one(proof, names, wanted, region, where, person, report):
    """One new cluster: Flux applies everything, then the scenarios check it."""
    manifests, path, infrastructure = where
    place, live = f"{manifests.parent.name} {path}", None

    def begin():
        nonlocal live
        live = cluster.up(work, wanted, region)
        # The scenarios decide whether it passed.
        sync.sync(live, manifests, path, infrastructure, person=person, quiet=True)

    with working(proof) as work:
        report(run_step(Step("live up", place, [manifests / path], played(begin))))
        for name in names:
            report(run_step(step_of(live, place, manifests, name)))


def step_of(live, place, manifests, name):
    # The scenario adds its result to `where`.
    step: Step = Step(f"live {name}", place, [manifests], played(lambda: scenario(live, name, step)))
    return step


def scenario(live, name, step):
    if not live or not (live.work / "history.json").exists():
        raise Failure("the cluster did not come up")
    outcome, wrong, note, _ = scenarios.run(live, name)
    if outcome == "SKIP":
        raise Failure(f"there is nothing to prove: {note}")
    if wrong:
        raise Failure("\n".join(wrong[:20]))
    step.where += f": {note}"


def defects(proof, report):
    """A harness that never fails proves nothing."""
    live = None

    def begin():
        nonlocal live
        live = cluster.up(work, "m6i.large=3", "eu-central-1")

    with working(proof) as work:
        report(run_step(Step("live up", "an empty cluster", [selftest.SAMPLE], played(begin))))
        for case in selftest.short_cases():
            action = played(lambda case=case: refused(live, case))
            report(run_step(Step("live self-test", case.name, [selftest.SAMPLE], action)))


def refused(live, case):
    if not live:
        raise Failure("the cluster did not come up")
    well, words = selftest.plant(live, case)
    if not well:
        raise Failure(f"was not refused for what it is: {words}")


def played(action):
    """The harness ends with words where it cannot go on; here they are a refusal."""

    def guarded():
        try:
            action()
        except SystemExit as words:
            raise Failure(str(words)) from None

    return guarded


@contextlib.contextmanager
def working(proof):
    work = proof.folder("live") / "cluster"
    try:
        yield work
    finally:
        cluster.down(work)
