# The scripts of an application's repository that a release leans on, run as they are: the next version on throw-away git
# histories; publishing against stand-ins for Cosign, Skopeo and a registry; the pull request of a delivery against a stand-in
# for GitHub. Releases nothing: that the three answer as their stand-ins do is taken on trust.
import json
import re
import stat
import subprocess
import sys

from prove.proof import HERE
from prove.steps import Failure, Step

HISTORIES = HERE / "releases" / "version.sh"
STAND_INS = HERE / "stand_ins"


def steps(proof, tree):
    scripts = [path for path in tree.scripts if path.name == "version.sh"]
    yield Step("release version", f"{len(scripts)} scripts", scripts, lambda: versions(proof, scripts), seconds=6)
    for folder in sorted(path.parent for path in scripts):
        publish, deliver = folder / "publish.sh", folder / "deliver.sh"
        reads = [path for path in (publish, folder / "earlier.sh") if path.is_file()]
        yield Step("publish", tree.name(folder), reads, lambda f=folder: publishing(proof, f), seconds=6)
        if deliver.is_file():
            yield Step("deliver", tree.name(deliver), [deliver], lambda d=deliver: delivering(proof, d), seconds=6)


def versions(proof, scripts):
    """Every shell that a runner may have, every script."""
    for script in scripts:
        for shell in ("sh", "bash"):
            proof.run(["sh", HISTORIES, script], environment=proof.environment(VERSION_SHELL=shell))


class Stage:
    """A folder with stand-ins on PATH, and what they keep in `state.json`."""

    def __init__(self, proof, programs, state):
        self.proof, self.folder = proof, proof.folder("release")
        self.file = self.folder / "state.json"
        self.keep(state)
        binaries = self.folder / "bin"
        binaries.mkdir()
        for program, text in programs.items():
            path = binaries / program
            # This very Python: finding one anew for each call takes longer than the call.
            source = (STAND_INS / text).read_text(encoding="utf-8").replace("/usr/bin/env python3", f"{sys.executable} -S", 1)
            path.write_text(source, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        environment = proof.environment(STATE=str(self.file), HOME=str(self.folder))
        self.environment = environment | {"PATH": f"{binaries}:{environment['PATH']}"}

    def keep(self, state):
        self.file.write_text(json.dumps(state))

    def state(self):
        return json.loads(self.file.read_text())

    def run(self, words, code=0, cwd=None, **variables):
        done = subprocess.run(
            ["sh", *[str(word) for word in words]],
            env=self.environment | variables,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != code:
            raise Failure(f"`{words[0].name}` ended with code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return done.stdout + (done.stderr if code else "")


def hold(holds, words):
    if not holds:
        raise Failure(words)


# ---------------------------------------------------------------- publishing

DIGEST, OTHER, PART = ("sha256:" + letter * 64 for letter in "abc")
VERSION = "0.2.0"
RUN = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/release.yml@refs/heads/main",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": "d" * 40,
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REPOSITORY_ID": "1",
    "GITHUB_REPOSITORY_OWNER_ID": "2",
    "GITHUB_RUN_ID": "3",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_ACTOR": "jo",
    "GH_TOKEN": "token",
    "RUNNER_ENVIRONMENT": "github-hosted",
}
NOTHING = {"tags": {}, "images": [], "signed": [], "attested": [], "notes": None, "calls": []}


def image_of(script):
    return re.search(r'^image="?(ghcr\.io/[^"\s]+)"?$', script.read_text(encoding="utf-8"), re.M)[1]


def publishing(proof, folder):
    image = image_of(folder / "publish.sh")
    programs = {"cosign": "registry.py", "skopeo": "registry.py", "gh": "registry.py"}
    stage = Stage(proof, programs, NOTHING)
    layout, sboms = stage.folder / "image", stage.folder / "sbom"
    layout.mkdir()
    sboms.mkdir()
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": DIGEST}]}))
    (sboms / f"{PART.removeprefix('sha256:')}.spdx.json").write_text("{}")
    publish = lambda **more: stage.run([folder / "publish.sh", layout, sboms, VERSION], **more, **RUN)
    whole = {
        "tags": {f"{image}:{VERSION}": DIGEST},
        "images": [f"{image}@{DIGEST}"],
        "signed": [f"{image}@{DIGEST}"],
        "attested": [["spdxjson", f"{image}@{PART}"], ["slsaprovenance1", f"{image}@{DIGEST}"]],
    }
    seen = lambda: {key: stage.state()[key] for key in whole}

    publish()
    hold(seen() == whole, f"the first run leaves {seen()}")
    provenance = stage.state()["predicate"]
    commit = provenance["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
    hold(commit == RUN["GITHUB_SHA"], f"the provenance names {commit}")
    hold("/release.yml@refs/heads/main" in provenance["runDetails"]["builder"]["id"], f"{provenance}")

    stage.keep({**stage.state(), "calls": []})
    publish()
    writes = [call for call in stage.state()["calls"] if call[1] in ("copy", "sign", "attest")]
    hold(seen() == whole and not writes, f"a second run does {writes}")

    # Each way in which a run can break off.
    for missing in ({"attested": []}, {"attested": [], "signed": []}, {"attested": whole["attested"][:1]}):
        stage.keep({**NOTHING, **whole, **missing})
        publish()
        hold(seen() == whole, f"without {missing}, a second run leaves {seen()}")

    # A tag that names something else stays, and nothing is signed.
    stage.keep({**NOTHING, "tags": {f"{image}:{VERSION}": OTHER}, "images": [f"{image}@{OTHER}"]})
    words = publish(code=1)
    hold(OTHER in words and not stage.state()["signed"], f"signs what was not tested, or does not say why not: {words}")

    # Nor does one that the registry does not tell of.
    stage.keep({**NOTHING, "tags": {f"{image}:{VERSION}": OTHER}, "silent": True})
    words = publish(code=1)
    hold(stage.state()["tags"] == {f"{image}:{VERSION}": OTHER} and "timeout" in words, f"pushes without an answer: {words}")

    earlier = lambda: stage.run([folder / "earlier.sh", stage.folder / "taken", VERSION], **RUN).strip()
    notes = f"Words.\n\nImage: `{image}:{VERSION}@{DIGEST}`\n"
    for about, state, found in (
        ("no release", NOTHING, ""),
        ("a release without its image", {**NOTHING, "notes": notes}, ""),
        ("an image that the release does not name", {**NOTHING, "images": whole["images"], "notes": "Words."}, ""),
        ("an image of another digest", {**NOTHING, "images": [f"{image}@{OTHER}"], "notes": notes}, ""),
        ("its image", {**NOTHING, **whole, "notes": notes}, "found"),
    ):
        stage.keep(state)
        hold(earlier() == found, f"takes over {earlier()!r} of {about}")
    taken = json.loads((stage.folder / "taken" / "index.json").read_text())["manifests"][0]["digest"]
    hold(taken == DIGEST, f"takes over {taken}")


# ---------------------------------------------------------------- delivery

OVERLAY = """# Written by blueprint. Change the blueprint instead.

apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
images:
  - name: ghcr.io/acme/another
    newTag: "7.7.7"
  - name: {image}
    newTag: "{tag}"{marker}
patches:
  - path: deployment.yaml
"""


def delivering(proof, script):
    image = image_of(script)
    text = script.read_text(encoding="utf-8")
    application, manifests = (re.search(rf'^{name}="?([^"\s]+)"?$', text, re.M)[1] for name in ("application", "manifests"))
    path = f"apps/{application}/overlays/staging/kustomization.yaml"
    overlay = lambda tag, marker="": OVERLAY.format(image=image, tag=tag, marker=marker)
    fresh = lambda tag: {
        "repository": manifests,
        "branches": {"main": {path: overlay(tag), "README.md": "words\n"}},
        "objects": {},
        "pulls": [],
        "calls": [],
    }
    stage = Stage(proof, {"gh": "manifests.py"}, fresh("0.1.0"))
    history = stage.folder / "history"
    history.mkdir()
    identity = {f"GIT_{who}_{what}": "jo@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    git = lambda *words: subprocess.run(["git", *words], cwd=history, env=stage.environment | identity, check=True, capture_output=True)
    git("init", "--quiet", "--initial-branch=main")
    for tag, subject in (("v0.1.0", "feat: start"), (None, "fix: `rm` @everyone #7, $(touch pwned)"), ("v0.2.0", "feat: two"), ("v0.10.0", "feat: ten")):
        git("commit", "--quiet", "--allow-empty", "--message", subject)
        if tag:
            git("tag", tag)
    deliver = lambda version, *more, code=0: stage.run([script, "staging", version, *more], code=code, cwd=history, GH_TOKEN="token")
    branch = f"deliver/{application}-staging"

    deliver("0.2.0")
    state = stage.state()
    hold(state["branches"]["main"][path] == overlay("0.1.0"), "writes to main by itself")
    hold(state["branches"].get(branch, {}).get(path) == overlay("0.2.0"), f"the branch holds\n{state['branches'].get(branch)}")
    hold(state["branches"][branch]["README.md"] == "words\n", "the branch lacks what main has")
    pulls = state["pulls"]
    hold(len(pulls) == 1 and pulls[0]["head"] == branch and not pulls[0]["auto"], f"opens {pulls}")
    body = pulls[0]["body"]
    for words in ("`0.1.0` becomes `0.2.0`", "compare/v0.1.0...v0.2.0", "`feat: two`", "`fix: 'rm' @everyone #7, $(touch pwned)`", "revert"):
        hold(words in body, f"does not say `{words}`:\n{body}")
    hold("feat: ten" not in body and "feat: start" not in body, f"tells of other versions:\n{body}")

    # Again, and then a later one: the same pull request, brought up to date.
    deliver("0.2.0")
    deliver("0.10.0", "--auto-merge")
    state = stage.state()
    hold(state["branches"][branch][path] == overlay("0.10.0"), "a later version does not replace an open one")
    hold(len(state["pulls"]) == 1 and "0.10.0" in state["pulls"][0]["title"] and state["pulls"][0]["auto"], f"leaves {state['pulls']}")

    # A marker of Flux, and the tag of another image, stay what they are.
    marked = fresh("0.9.0")
    marked["branches"]["main"][path] = overlay("0.9.0", ' # {"$imagepolicy": "flux-system:x:tag"}')
    stage.keep(marked)
    deliver("0.10.0")
    written = stage.state()["branches"][branch][path]
    hold(written == marked["branches"]["main"][path].replace("0.9.0", "0.10.0"), f"changes more than the tag:\n{written}")

    # An older version, the same one, and one that a person rolled back to something later.
    for current in ("0.10.0", "0.10.1", "1.0.0"):
        stage.keep(fresh(current))
        words = deliver("0.10.0")
        hold(not stage.state()["pulls"] and branch not in stage.state()["branches"] and current in words, f"delivers 0.10.0 over {current}")

    stage.keep({**fresh("0.1.0"), "branches": {"main": {path: "kind: Kustomization\n"}}})
    hold("sets no newTag" in deliver("0.2.0", code=1), "does not say that there is no tag to set")
    deliver("0.2.0", "--merge", code=2)
    hold(not (history / "pwned").exists(), "a subject became a command")
