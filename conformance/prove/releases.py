# Runs the unchanged release scripts of an application's repository: the next version on temporary git histories; tag and release
# with a stand-in for GitHub; publishing with stand-ins for Cosign, Skopeo and a registry; the pull request of a delivery with
# stand-ins for GitHub, Cosign and Skopeo. Nothing is released. It assumes that the real services behave like the stand-ins.
import json
import re
import stat
import subprocess
import sys
import typing

from prove.proof import HERE
from prove.search import must_find
from prove.steps import Failure, Step

HISTORIES = HERE / "releases" / "version.sh"
STAND_INS = HERE / "stand_ins"


def steps(proof, tree):
    scripts = [path for path in tree.scripts if path.name == "version.sh"]
    distinct = {path.read_text(encoding="utf-8"): path for path in scripts}
    yield Step(
        "release version",
        f"{len(scripts)} scripts, {len(distinct)} of them different",
        scripts,
        lambda: versions(proof, distinct.values()),
        seconds=6,
        proves="".join(sorted(distinct)),
    )
    for folder in sorted(path.parent for path in scripts):
        release, verify, deliver = folder / "release.sh", folder / "verify.sh", folder / "deliver.sh"
        yield Step("tag and release", tree.name(release), [release], lambda r=release: releasing(proof, r), seconds=3)
        reads = [path for path in (folder / "publish.sh", verify, folder / "earlier.sh") if path.is_file()]
        yield Step("publish", tree.name(folder), reads, lambda f=folder: publishing(proof, f), seconds=15)
        if deliver.is_file():
            yield Step("deliver", tree.name(deliver), [deliver, verify], lambda d=deliver: delivering(proof, d), seconds=8)


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
            # The same Python, because looking it up takes longer than a call.
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
        self.errors = done.stderr
        if done.returncode != code:
            raise Failure(f"`{words[0].name}` ended with code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return done.stdout + (done.stderr if code else "")


def hold(holds, words):
    if not holds:
        raise Failure(words)


# ---------------------------------------------------------------- tag and release

COMMIT, NEWER = "d" * 40, "e" * 40


def releasing(proof, script):
    fresh = {
        "repository": "acme/shop",
        "tags": {},
        "releases": {},
        "workflows": {COMMIT: "old", NEWER: "old"},
        "branches": {"main": COMMIT},
        "calls": [],
    }
    stage = Stage(proof, {"gh": "github_releases.py"}, fresh)
    notes = stage.folder / "notes.md"
    notes.write_text("Words.\n")
    variables = {"GH_TOKEN": "token", "GH_REPO": "acme/shop", "GITHUB_SHA": COMMIT}
    release = lambda **more: stage.run([script, VERSION, notes], **more, **variables)
    whole = ({f"v{VERSION}": COMMIT}, {f"v{VERSION}": "Words.\n"})
    seen = lambda: (stage.state()["tags"], stage.state()["releases"])
    nothing = ({}, {})

    hold(release() == "true\n" and seen() == whole, f"the first run leaves {seen()}")
    notes.write_text("Other words.\n")
    hold(release() == "true\n" and seen()[1] == {f"v{VERSION}": "Other words.\n"}, f"a second run leaves {seen()}")
    notes.write_text("Words.\n")

    # A run that breaks off between the tag and the release.
    stage.keep({**fresh, "break": "release"})
    release(code=1)
    hold(seen() == (whole[0], {}), f"broken off, a run leaves {seen()}")

    # Main has newer commits, with the same workflow files or with others: a release that has a tag is still completed.
    moved = {"branches": {"main": NEWER}}
    changed = {**moved, "workflows": {COMMIT: "old", NEWER: "new"}}
    for since in ({}, moved, changed):
        stage.keep({**fresh, **since, "tags": whole[0]})
        hold(release() == "true\n" and seen() == whole, f"run again after {since}, a release leaves {seen()}")

    stage.keep({**fresh, **moved})
    hold(release() == "true\n" and seen() == whole, f"an older commit with main's workflows leaves {seen()}")
    stage.keep({**fresh, **changed})
    answer = release()
    hold(answer == "false\n" and seen() == nothing, f"without the right over workflows: {answer!r}, {seen()}")
    said = stage.errors
    hold("::notice" in said and NEWER in said and "run it again" in said, f"does not say what comes next: {said}")

    # Other refusals are errors: a token that may only read, or an outage of GitHub.
    for more in ({"readonly": True}, {**moved, "readonly": True}, {**changed, "break": "api"}):
        stage.keep({**fresh, **more})
        release(code=1)
        hold(seen() == nothing, f"{more} leaves {seen()}")

    # Another commit was tagged in the meantime.
    stage.keep({**fresh, **moved, "tags": {f"v{VERSION}": NEWER}})
    words = release(code=1)
    hold(NEWER in words and seen()[1] == {}, f"releases another commit under its own notes: {words}")


# ---------------------------------------------------------------- publishing

DIGEST, OTHER, PART = ("sha256:" + letter * 64 for letter in "abc")
VERSION = "0.2.0"
NOTHING: dict[str, typing.Any] = {"tags": {}, "images": [], "signed": [], "attested": [], "notes": None, "calls": []}


def run_of(repository, branch="main"):
    """The variables of a run of the release workflow."""
    return {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": repository,
        "GITHUB_WORKFLOW_REF": f"{repository}/.github/workflows/release.yml@refs/heads/{branch}",
        "GITHUB_REF": f"refs/heads/{branch}",
        "GITHUB_SHA": COMMIT,
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REPOSITORY_ID": "1",
        "GITHUB_REPOSITORY_OWNER_ID": "2",
        "GITHUB_RUN_ID": "3",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_ACTOR": "jo",
        "GH_TOKEN": "token",
        "RUNNER_ENVIRONMENT": "github-hosted",
    }


# The spelling on GitHub, from which that in the blueprint may differ in case.
RUN = run_of("Acme/Shop")
SIGNER = f"https://github.com/{RUN['GITHUB_WORKFLOW_REF']}"


def image_of(script):
    return must_find(r'^image="?(ghcr\.io/[^"\s]+)"?$', script.read_text(encoding="utf-8"), re.M)[1]


def publishing(proof, folder):
    image = image_of(folder / "publish.sh")
    programs = {"cosign": "registry.py", "skopeo": "registry.py", "gh": "registry.py"}
    stage = Stage(proof, programs, NOTHING)
    layout, sboms = stage.folder / "image", stage.folder / "sbom"
    layout.mkdir()
    sboms.mkdir()
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": DIGEST}]}))
    (sboms / f"{PART.removeprefix('sha256:')}.spdx.json").write_text("{}")
    publish = lambda run=RUN, **more: stage.run([folder / "publish.sh", layout, sboms, VERSION], **more, **run)
    whole: dict[str, typing.Any] = {
        "tags": {f"{image}:{VERSION}": DIGEST},
        "images": [f"{image}@{DIGEST}"],
        "signed": [[SIGNER, f"{image}@{DIGEST}"]],
        "attested": [[SIGNER, "spdxjson", f"{image}@{PART}"], [SIGNER, "slsaprovenance1", f"{image}@{DIGEST}"]],
    }
    seen = lambda: {key: stage.state()[key] for key in whole}
    writes = lambda: [call for call in stage.state()["calls"] if call[1] in ("copy", "sign", "attest")]

    publish()
    hold(seen() == whole, f"the first run leaves {seen()}")
    hold(writes()[-1][1] == "copy" and len(writes()) == 5, f"the tag is not what comes last: {writes()}")
    provenance = stage.state()["predicate"]
    commit = provenance["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
    hold(commit == RUN["GITHUB_SHA"], f"the provenance names {commit}")
    hold("/release.yml@refs/heads/main" in provenance["runDetails"]["builder"]["id"], f"{provenance}")

    stage.keep({**stage.state(), "calls": []})
    publish()
    hold(seen() == whole and not writes(), f"a second run does {writes()}")

    # If a run is interrupted before or after any write, no tag refers to an incomplete image, and the next run completes it.
    for number in range(1, 6):
        for when in ("before", "after"):
            stage.keep({**NOTHING, "break": [number, when]})
            publish(code=137)
            left = seen()
            hold(not left["tags"] or left == whole, f"cut off {when} write {number}, a run leaves {left}")
            stage.keep({**stage.state(), "break": None})
            publish()
            hold(seen() == whole, f"cut off {when} write {number}, a second run leaves {seen()}")

    # A tag that an older release set before it signed.
    for missing in ({"attested": []}, {"attested": [], "signed": []}, {"attested": whole["attested"][:1]}):
        stage.keep({**NOTHING, **whole, **missing})
        publish()
        hold(seen() == whole, f"without {missing}, a second run leaves {seen()}")

    # A tag of another image stays, and nothing is signed.
    stage.keep({**NOTHING, "tags": {f"{image}:{VERSION}": OTHER}, "images": [f"{image}@{OTHER}"]})
    words = publish(code=1)
    hold(OTHER in words and not stage.state()["signed"], f"signs what was not tested, or does not say why not: {words}")

    # The same if the registry does not return the tag.
    stage.keep({**NOTHING, "tags": {f"{image}:{VERSION}": OTHER}, "silent": True})
    words = publish(code=1)
    hold(stage.state()["tags"] == {f"{image}:{VERSION}": OTHER} and "timeout" in words, f"pushes without an answer: {words}")

    # A signature of another branch is not accepted.
    stage.keep(NOTHING)
    words = publish(run_of("Acme/Shop", "other"), code=1)
    hold(not stage.state()["tags"] and "is not signed" in words, f"tags what main did not sign: {words}")

    verify = lambda reference, code=0: stage.run([folder / "verify.sh", reference], code, **RUN)
    other = SIGNER.replace("/main", "/other")
    for about, state in (
        ("nothing", NOTHING),
        ("no signature", {**whole, "signed": [], "attested": []}),
        ("no provenance", {**whole, "attested": whole["attested"][:1]}),
        (
            "another signer",
            {
                **whole,
                "signed": [[other, what] for _, what in whole["signed"]],
                "attested": [[other, *rest] for _, *rest in whole["attested"]],
            },
        ),
        ("another image", {**whole, "tags": {f"{image}:{VERSION}": OTHER}}),
    ):
        stage.keep({**NOTHING, **state})
        verify(VERSION, code=1)
        hold(not writes(), f"to verify {about} writes {writes()}")
    stage.keep({**NOTHING, **whole})
    verify(VERSION)
    verify(DIGEST)
    verify(OTHER, code=1)

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
    newTag: "{tag}"{marker}{digest}
patches:
  - path: deployment.yaml
"""


def delivering(proof, script):
    image = image_of(script)
    text = script.read_text(encoding="utf-8")
    application, manifests = (must_find(rf'^{name}="?([^"\s]+)"?$', text, re.M)[1] for name in ("application", "manifests"))
    path = f"apps/{application}/overlays/staging/kustomization.yaml"
    overlay = lambda tag, marker="", digest=None: OVERLAY.format(
        image=image, tag=tag, marker=marker, digest=f"\n    digest: {digest}" if digest else ""
    )
    release = lambda *versions: {
        "tags": {f"{image}:{version}": DIGEST for version in versions},
        "images": [f"{image}@{DIGEST}"],
        "signed": [[SIGNER, f"{image}@{DIGEST}"]],
        "attested": [[SIGNER, "slsaprovenance1", f"{image}@{DIGEST}"]],
    }
    fresh = lambda tag: {
        **release("0.2.0", "0.10.0"),
        "repository": manifests,
        "branches": {"main": {path: overlay(tag), "README.md": "words\n"}},
        "objects": {},
        "pulls": [],
        "calls": [],
    }
    stage = Stage(proof, {"gh": "manifests.py", "cosign": "registry.py", "skopeo": "registry.py"}, fresh("0.1.0"))
    history = stage.folder / "history"
    history.mkdir()
    identity = {f"GIT_{who}_{what}": "jo@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=history, env=stage.environment | identity, check=True, capture_output=True
    )
    git("init", "--quiet", "--initial-branch=main")
    for tag, subject in (
        ("v0.1.0", "feat: start"),
        (None, "fix: `rm` @everyone #7, $(touch pwned)"),
        ("v0.2.0", "feat: two"),
        ("v0.10.0", "feat: ten"),
    ):
        git("commit", "--quiet", "--allow-empty", "--message", subject)
        if tag:
            git("tag", tag)
    deliver = lambda version, *more, code=0: stage.run([script, "staging", version, *more], code=code, cwd=history, **RUN)
    branch = f"deliver/{application}-staging"

    deliver("0.2.0")
    state = stage.state()
    hold(state["branches"]["main"][path] == overlay("0.1.0"), "writes to main by itself")
    hold(
        state["branches"].get(branch, {}).get(path) == overlay("0.2.0", digest=DIGEST),
        f"the branch holds\n{state['branches'].get(branch)}",
    )
    hold(state["branches"][branch]["README.md"] == "words\n", "the branch lacks what main has")
    pulls = state["pulls"]
    hold(len(pulls) == 1 and pulls[0]["head"] == branch and not pulls[0]["auto"], f"opens {pulls}")
    body = pulls[0]["body"]
    for words in (
        "`0.1.0` becomes `0.2.0`",
        "compare/v0.1.0...v0.2.0",
        "`feat: two`",
        "`fix: 'rm' @everyone #7, $(touch pwned)`",
        "revert",
    ):
        hold(words in body, f"does not say `{words}`:\n{body}")
    hold("feat: ten" not in body and "feat: start" not in body, f"tells of other versions:\n{body}")

    # Again, and then a later one: the same pull request, brought up to date.
    deliver("0.2.0")
    deliver("0.10.0", "--auto-merge")
    state = stage.state()
    hold(state["branches"][branch][path] == overlay("0.10.0", digest=DIGEST), "a later version does not replace an open one")
    hold(
        len(state["pulls"]) == 1 and "0.10.0" in state["pulls"][0]["title"] and state["pulls"][0]["auto"],
        f"leaves {state['pulls']}",
    )

    # Without required checks GitHub merges immediately, and only the commit of this run.
    stage.keep({**fresh("0.1.0"), "clean": True})
    deliver("0.2.0")
    hold(stage.state()["pulls"][0]["state"] == "open", "merges what a person must merge")
    deliver("0.2.0", "--auto-merge")
    state = stage.state()
    hold(
        state["pulls"][0]["state"] == "merged" and state["branches"]["main"][path] == overlay("0.2.0", digest=DIGEST),
        f"leaves {state['pulls']}",
    )
    stage.keep({**fresh("0.1.0"), "intruder": True})
    words = deliver("0.2.0", "--auto-merge", code=1)
    hold("was modified" in words and not stage.state()["pulls"][0]["auto"], f"merges what somebody else pushed: {words}")
    stage.keep({**fresh("0.1.0"), "forbidden": True})
    words = deliver("0.2.0", "--auto-merge", code=1)
    hold("Settings" in words and stage.state()["pulls"][0]["state"] == "open", f"does not say what to allow: {words}")

    # An image without signature, with a signature of another branch, or without provenance opens no pull request.
    other = SIGNER.replace("/main", "/other")
    for about, missing in (
        ("unsigned", {"signed": [], "attested": []}),
        ("not attested", {"attested": []}),
        (
            "signed by another branch",
            {"signed": [[other, f"{image}@{DIGEST}"]], "attested": [[other, "slsaprovenance1", f"{image}@{DIGEST}"]]},
        ),
        ("not there", {"tags": {}}),
    ):
        stage.keep({**fresh("0.1.0"), **missing})
        words = deliver("0.2.0", code=1)
        state = stage.state()
        said = "cannot read the digest" if about == "not there" else "is not signed"
        hold(
            not state["pulls"] and branch not in state["branches"] and said in words,
            f"delivers an image that is {about}, or says something else: {words}",
        )

    # Flux's marker and tags of other images stay unchanged.
    marked: dict[str, typing.Any] = fresh("0.9.0")
    marked["branches"]["main"][path] = overlay("0.9.0", ' # {"$imagepolicy": "flux-system:x:tag"}')
    stage.keep(marked)
    deliver("0.10.0")
    written = stage.state()["branches"][branch][path]
    marker = ' # {"$imagepolicy": "flux-system:x:tag"}'
    hold(written == overlay("0.10.0", marker, DIGEST), f"changes more than the tag and the digest:\n{written}")

    # The digest of an older version does not stay.
    stage.keep(fresh("0.9.0") | {"branches": {"main": {path: overlay("0.9.0", digest=OTHER)}}})
    deliver("0.10.0")
    written = stage.state()["branches"][branch][path]
    hold(written == overlay("0.10.0", digest=DIGEST), f"leaves the digest of another version:\n{written}")

    # An older version, the same one, and a rollback while a newer version was released.
    for current in ("0.10.0", "0.10.1", "1.0.0"):
        stage.keep(fresh(current))
        words = deliver("0.10.0")
        hold(
            not stage.state()["pulls"] and branch not in stage.state()["branches"] and current in words,
            f"delivers 0.10.0 over {current}",
        )

    # GitHub takes a body of 65536 characters.
    stage.keep(fresh("0.1.0"))
    for number in range(40):
        git("commit", "--quiet", "--allow-empty", "--message", f"fix: {number} {'long ' * 500}")
    git("tag", "v0.11.0")
    stage.keep({**fresh("0.10.0"), **release("0.11.0")})
    deliver("0.11.0")
    body = stage.state()["pulls"][0]["body"]
    listed = body.count("- [`")
    hold(
        len(body) <= 65536 and listed > 10 and f"- and {40 - listed} more" in body,
        f"a body of {len(body)} characters: {body[-300:]}",
    )

    stage.keep({**fresh("0.1.0"), "branches": {"main": {path: "kind: Kustomization\n"}}})
    hold("sets no newTag" in deliver("0.2.0", code=1), "does not say that there is no tag to set")
    deliver("0.2.0", "--merge", code=2)
    hold(not (history / "pwned").exists(), "a subject became a command")
