# GitHub workflows: syntax and expressions (actionlint, with shellcheck on every `run:`), security (zizmor), GitHub's own
# schema, and every action pinned to a commit. Not whether the jobs succeed.
import re

import yaml

from prove.steps import Failure, Step

PINNED = re.compile(r"^\s*(?:-\s+)?uses:\s*[\"']?[\w.-]+/[\w./-]+@[0-9a-f]{40}[\"']?\s+# v\d+\.\d+\.\d+\S*\s*$")
LOCAL = re.compile(r"^\s*(?:-\s+)?uses:\s*[\"']?\./")
IMAGE = re.compile(r"^\s*(?:-\s+)?uses:\s*[\"']?docker://\S+@sha256:[0-9a-f]{64}")


def steps(proof, tree):
    files = tree.workflows
    repositories = sorted({tree.repository_of(path) for path in files})
    for repository in repositories or [None]:
        where = tree.name(repository) if repository else ""
        reads = [path for path in files + tree.actions if tree.repository_of(path) == repository]
        yield Step("actionlint", where, reads, lambda r=repository: actionlint(proof, tree, r), seconds=5)
        yield Step("zizmor", where, reads, lambda r=repository: zizmor(proof, r), seconds=3)
    yield Step("workflow schema", f"{len(files)} workflows", files, lambda: schema(proof, tree), seconds=4)
    yield Step("actions pinned", f"{len(files)} workflows", files, lambda: pinned(tree))


def actionlint(proof, tree, repository):
    copy = proof.copy(repository, "actionlint")
    # It uses the folder with `.git` as the repository, and finds local workflows from there.
    (copy / ".git").mkdir(exist_ok=True)
    files = [copy / path.relative_to(repository) for path in tree.workflows if tree.repository_of(path) == repository]
    proof.run(["actionlint", "-no-color", "-shellcheck", proof.tools / "bin" / "shellcheck", "-pyflakes", "", *files], cwd=copy)


def zizmor(proof, repository):
    copy = proof.copy(repository, "zizmor")
    proof.run(["zizmor", "--offline", "--no-progress", "--persona=auditor", copy], cwd=copy)


def schema(proof, tree):
    proof.run(["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *tree.workflows])
    for builtin, files in (
        ("vendor.github-actions", tree.actions),
        ("vendor.dependabot", tree.dependabot),
        ("vendor.renovate", tree.renovate),
    ):
        if files:
            proof.run(["check-jsonschema", "--builtin-schema", builtin, *files])


def uses_in(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "uses" and isinstance(inner, str):
                yield inner
            else:
                yield from uses_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from uses_in(inner)


def pinned(tree):
    mistakes, count = [], 0
    for path in tree.workflows + tree.actions:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = 0
        for number, text in enumerate(lines, 1):
            if re.match(r"\s*(?:-\s+)?[\"']?uses[\"']?\s*:", text):
                found += 1
                if not (PINNED.match(text) or LOCAL.match(text) or IMAGE.match(text)):
                    mistakes.append(f"{tree.name(path)}:{number}: `{text.strip()}`: write the full commit, and `# vX.Y.Z` after it")
        # Another way to write the key must not slip past the lines above.
        if found != sum(1 for _ in uses_in(yaml.safe_load("\n".join(lines)))):
            mistakes.append(f"{tree.name(path)}: write each `uses:` on a line of its own")
        count += found
    if not count:
        mistakes.append("no workflow uses an action: this step proved nothing")
    if mistakes:
        raise Failure("\n".join(mistakes))
