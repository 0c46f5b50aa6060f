# A layer that a later version of the program calls differently: two renders and two commits later it has its new name, and what it applied
# was never deleted. `examples/renamed.rs` is that later version.
import pathlib
import shutil
import subprocess
import tempfile

from live import sync
from live.history import FLUX
from live.kube import name
from live.scenarios.observing import Skip, show, snapshot

PROJECT = pathlib.Path(__file__).resolve().parents[3]
FROM, TO = "tenants", "teams"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def renamed(live):
    tree = live.work / "tree"
    if not (tree / ".blueprint.lock").is_file() or FROM not in names(live):
        raise Skip(f"no rendered layer `{FROM}`")
    # With the profile of the tests, which have compiled it.
    build = ["cargo", "build", "--quiet", "--locked", "--profile", "test", "--example", "renamed"]
    subprocess.run(build, cwd=PROJECT, check=True)
    before, wrong = snapshot(live), []
    with tempfile.TemporaryDirectory() as folder:
        old = pathlib.Path(folder) / "old"
        shutil.copytree(tree, old, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        for words, expected in (([], {FROM, TO}), (["--leave"], {TO})):
            program = PROJECT / "target" / "debug" / "examples" / "renamed"
            done = subprocess.run(
                [program, "manifests", old, tree, FROM, TO, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL
            )
            if done.returncode:
                return [f"the render failed: {done.stderr[-2000:]}"], ""
            wrong += sync.carry_out(live, f"{FROM} is now {TO}")
            after = snapshot(live)
            left = {("Kustomization", "flux-system", FROM)} - {("Kustomization", "flux-system", it) for it in expected}
            for key in sorted(before.keys() - left):
                if key not in after:
                    wrong.append(f"{show(key)} went away")
                elif after[key][0] != before[key][0]:
                    wrong.append(f"{show(key)} was deleted and made again")
                elif key[0] in WORKLOADS and after[key][1] != before[key][1]:
                    wrong.append(f"{show(key)} was changed")
            if names(live) & {FROM, TO} != expected:
                wrong.append(f"the Kustomizations are {sorted(names(live))}")
            if wrong:
                break
    return wrong, f"{FROM} is now {TO}, {len(before)} objects stayed"


def names(live):
    return {name(it).partition("/")[2] or name(it) for it in live.kube.list(FLUX["Kustomization"])}
