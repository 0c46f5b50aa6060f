# Runs the unchanged scripts of the manifest repository. `validate` builds a Go program and gets every schema from Go modules,
# so CEL rules are proven here; `difference` compares commits of a real repository; the comment uses a stand-in for GitHub's
# CLI. External Secrets' definitions come from the facts, as a module on disk: not every proxy has that module at the commit
# of a release.
import hashlib
import json
import os
import re
import zipfile

from prove.pipeline_scripts import COMMENT_LIMIT, present, program
from prove.steps import Failure, Step

# GitHub's CLI for the comment: comments are a list in a file.
GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
words = sys.argv[1:]
store = pathlib.Path(os.environ["STANDIN"]) / "comments.json"
comments = json.loads(store.read_text())
assert words[0] == "api", words
method = words[words.index("--method") + 1] if "--method" in words else "GET"
path = next(word for word in words[1:] if word.startswith("repos/acme/")).partition("?")[0].split("/")[3:]
if method == "GET":
    assert path == ["issues", "5", "comments"], path
    print(json.dumps(comments))
else:
    body = json.load(sys.stdin)["body"]
    if len(body) > 65536:
        sys.exit("body is too long (maximum is 65536 characters)")
    if method == "POST":
        assert path == ["issues", "5", "comments"], path
        comments.append({"id": len(comments) + 1, "user": {"login": "github-actions[bot]"}, "body": body})
    else:
        assert path[:2] == ["issues", "comments"], path
        next(comment for comment in comments if comment["id"] == int(path[2]))["body"] = body
    store.write_text(json.dumps(comments))
"""


def steps(proof, tree):
    for repository in tree.manifest_repositories:
        scripts = repository / "scripts"
        name = tree.name
        yield Step(
            "validate script",
            name(scripts / "validate"),
            present(scripts / "validate", scripts / "build") and [scripts, *manifests_of(tree, repository)],
            lambda r=repository: validate(proof, r),
            seconds=60,
            slow=True,
        )
        yield Step(
            "difference script",
            name(scripts / "difference"),
            present(scripts / "difference", scripts / "build"),
            lambda r=repository: difference(proof, r),
            seconds=10,
        )
        comment = scripts / "difference-comment"
        yield Step("difference comment", name(comment), present(comment), lambda c=comment: post(proof, c), seconds=2)


def manifests_of(tree, repository):
    return [path for path in tree.manifests if tree.repository_of(path) == repository]


# ---------------------------------------------------------------- validate


def validate(proof, repository):
    copy = proof.copy(repository, "validate")
    done = proof.run(["bash", copy / "scripts" / "validate"], cwd=copy, environment=go_environment(proof, copy))
    environments = sorted(path.name for path in (copy / "clusters").iterdir() if path.is_dir())
    for environment in environments:
        if not re.search(rf"^{environment}: [1-9]\d* objects$", done.stdout, re.M):
            raise Failure(f"`scripts/validate` does not say that it looked at `{environment}`\n{done.stdout}")


def go_environment(proof, copy):
    """Go with caches beside the tools, so that modules are fetched and the checker is compiled once."""
    modules = proof.tools / "go-modules"
    # Without paths in compiled packages, so that they can be reused with another module cache.
    environment = proof.environment(GOCACHE=str(proof.tools / "go-cache"), GOFLAGS="-trimpath", GOTOOLCHAIN="local", GOWORK="off")
    if proof.facts:
        proxy, digest, names = proof.folder("go-proxy"), hashlib.sha256(), []
        script = (copy / "scripts" / "validate").read_text(encoding="utf-8")
        for module, version, folder in re.findall(r'^  "(\S+/external-secrets) (v\S+) (\S+)"$', script, re.M):
            digest.update(stand_in(proof, proxy, module, version, folder))
            names.append(module)
        outside = os.environ.get("GOPROXY") or "https://proxy.golang.org,direct"
        environment |= {"GOPROXY": f"file://{proxy},{outside}", "GONOSUMDB": ",".join(names)}
        # A separate cache, so that other programs do not use this module, with a checksum in its name, so that it is never outdated.
        modules = proof.tools / f"go-modules-{digest.hexdigest()[:12]}"
    return {**environment, "GOMODCACHE": str(modules)}


def stand_in(proof, proxy, module, version, folder):
    """A module in Go's proxy layout that holds the definitions of External Secrets as the facts know them."""
    place = proxy / module / "@v"
    place.mkdir(parents=True)
    root, head = f"{module}@{version}", f"module {module}\n"
    facts = proof.facts / "kubernetes" / "crd"
    index = json.loads((facts / "index.json").read_text(encoding="utf-8"))
    files = {"go.mod": head}
    for kind, row in sorted(index.items()):
        group, served, name = kind.split("/")
        if group == "external-secrets.io" and served == "v1":
            schema = structural(json.loads((facts.parent / row["file"]).read_text(encoding="utf-8")))
            files[f"{folder}/{group}_{row['plural']}.yaml"] = json.dumps(definition(group, served, name, row, schema))
    if len(files) < 3:
        raise Failure(f"`{facts}` holds no definitions of External Secrets")
    with zipfile.ZipFile(place / f"{version}.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{root}/{name}", text)
    (place / f"{version}.info").write_text(json.dumps({"Version": version}))
    (place / f"{version}.mod").write_text(head)
    return json.dumps(files, sort_keys=True).encode()


def definition(group, version, kind, row, schema):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{row['plural']}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": row["plural"], "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": row["scope"],
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def structural(schema):
    """The facts refuse unknown fields and allow null by themselves; a definition leaves both to the API server."""
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    properties |= {name: plain(inner) for name, inner in schema["properties"].items() if name in ("spec", "status")}
    return {"type": "object", "properties": properties}


def plain(schema):
    if isinstance(schema, list):
        return [plain(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for name, value in schema.items():
        if name == "type" and isinstance(value, list):
            found[name] = next(word for word in value if word != "null")
        elif not (name == "additionalProperties" and value is False):
            found[name] = plain(value)
    return found


# ---------------------------------------------------------------- the difference


def difference(proof, repository):
    copy = proof.copy(repository, "difference")
    git = lambda *words: proof.run(
        ["git", "-c", "user.name=proof", "-c", "user.email=proof@example.com", "-c", "commit.gpgsign=false", *words], cwd=copy
    )
    shown = lambda: proof.run(["bash", copy / "scripts" / "difference", "HEAD"], cwd=copy).stdout
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "before")
    (copy / "README.md").write_text("Only words.\n", encoding="utf-8")
    if text := shown():
        raise Failure(f"words for people are shown as a difference in a cluster\n{text[:2000]}")
    # A tag in one environment; an object that comes and one that goes, in all of them.
    overlay = min(copy.glob("apps/*/overlays/*/kustomization.yaml"))
    environment, application = overlay.parent.name, overlay.parent.parent.parent.name
    overlay.write_text(re.sub(r"newTag: .*", 'newTag: "9.9.9"', overlay.read_text(encoding="utf-8")), encoding="utf-8")
    base = copy / "apps" / application / "base"
    (base / "local" / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources:\n  - made.yaml\n", encoding="utf-8"
    )
    (base / "local" / "made.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made\n  namespace: {application}\ndata:\n  words: |\n    ```\n    -- a dash\n",
        encoding="utf-8",
    )
    listed = base / "kustomization.yaml"
    listed.write_text(listed.read_text(encoding="utf-8").replace("  - service.yaml\n", ""), encoding="utf-8")
    text = shown()
    for words, times in (
        (r"^\+\s+(?:- )?image: \S+:9\.9\.9$", 1),
        (rf"^--- before/{environment}/\S*deployment\S*$", 1),
        (r"^\+\+\+ after/\S*configmap_made\.yaml$", len(overlays(copy, application))),
        (r"^--- before/\S*/v1_service_\S*$", len(overlays(copy, application))),
    ):
        if len(re.findall(words, text, re.M)) != times:
            raise Failure(f"the difference does not say `{words}` {times} times\n{text[:4000]}")
    if re.search(r"^(diff --git|index) ", text, re.M):
        raise Failure("the difference shows what git needs and no reader does")


def overlays(copy, application):
    return list((copy / "apps" / application / "overlays").iterdir())


# ---------------------------------------------------------------- the comment


def huge():
    """More than a comment takes, with a fence that would close the comment's own, and two environments."""
    made = "--- /dev/null\n+++ after/production/apps/made.yaml\n@@ -0,0 +1 @@\n+words: ```\n"
    gone = "--- before/staging/apps/gone.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-words\n"
    lines = "".join(f"+  line {number:05d}: {'ä' * 20}\n" for number in range(4000))
    return f"{made}{gone}--- before/production/apps/a.yaml\n+++ after/production/apps/a.yaml\n@@ -1 +1 @@\n{lines}"


def post(proof, script):
    folder = proof.folder("difference-comment")
    (folder / "bin").mkdir()
    program(folder / "bin" / "gh", GH)
    store, found = folder / "comments.json", folder / "difference.diff"
    strange = {"id": 1, "user": {"login": "somebody"}, "body": "<!-- difference in the clusters -->\nmine"}
    store.write_text(json.dumps([strange]))
    environment = proof.environment(
        COMMIT="0" * 40,
        GITHUB_RUN_ID="77",
        GITHUB_SERVER_URL="https://github.com",
        GITHUB_REPOSITORY="acme/manifests",
        GH_TOKEN="none",
        PULL_REQUEST="5",
        STANDIN=str(folder),
    )
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"

    def call(text, *words):
        found.write_text(text, encoding="utf-8")
        printed = proof.run(["bash", script, *words, found], cwd=folder, environment=environment).stdout
        comments = json.loads(store.read_text())
        if comments[0] != strange:
            raise Failure("somebody else's comment was touched")
        return printed, comments[1:]

    printed, comments = call(huge(), "--print")
    if comments:
        raise Failure("`--print` posts")
    _, comments = call(huge())
    if len(comments) != 1 or comments[0]["body"].rstrip() != printed.rstrip():
        raise Failure(f"expected one comment, found {len(comments)}")
    body = comments[0]["body"]
    if len(body) > COMMENT_LIMIT:
        raise Failure(f"the comment has {len(body)} characters; GitHub takes {COMMENT_LIMIT}")
    for words in (
        "- production: 2 objects changed, of which 1 are new and 0 are removed",
        "- staging: 1 objects changed, of which 0 are new and 1 are removed",
        "was truncated",
        "/actions/runs/77",
        "</details>",
    ):
        if words not in body:
            raise Failure(f"the comment does not say `{words}`\n{body[:1500]}")
    fences = re.findall(r"^`{10}", body, re.M)
    if len(fences) != 2 or not body.index("<details>") < body.index("`" * 10) < body.rindex("`" * 10) < body.rindex("</details>"):
        raise Failure(f"the difference is not folded in one block\n{body[:1000]}\n…\n{body[-600:]}")
    _, comments = call("")
    if len(comments) != 1 or "No changes." not in comments[0]["body"] or "<details>" in comments[0]["body"]:
        raise Failure(f"a pull request that changes nothing any more still shows a difference\n{comments}")
