# The project itself, not what it renders: the Python of this proof (ruff, mypy), the crates (cargo-deny), files for GitHub (the
# linters of rendered workflows, and GitHub's schemas of forms), the pages and their spelling. `.ci/run` checks Rust.
# Not known vulnerabilities of crates, because their database would have to be fetched.
import functools
import os
import pathlib
import shutil

from prove import workflows
from prove.proof import HERE
from prove.steps import Failure, Step, run_step
from prove.tree import Tree

CHECKOUT = HERE.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/ownership.md",
    "conformance/README.md",
    "conformance/REPORT.md",
    "conformance/live/README.md",
]


def steps(proof):
    yield from checks(proof, CHECKOUT)
    for name, kind, plant in DEFECTS:
        yield Step("self-test", name, [CHECKOUT / "Cargo.toml"], functools.partial(prove, proof, kind, plant), seconds=10)


def checks(proof, checkout):
    python = [
        path for folder in ("prove", "live", "stand_ins") for path in sorted((checkout / "conformance" / folder).rglob("*.py"))
    ]
    forms = sorted((checkout / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    pages = [checkout / page for page in PAGES]
    yield Step("project ruff", f"{len(python)} files", python, lambda: ruff(proof, checkout))
    yield Step("project mypy", f"{len(python)} files", python, lambda: mypy(proof, checkout), seconds=30)
    yield Step(
        "project crates", "Cargo.lock", [checkout / "Cargo.lock", checkout / "deny.toml"], lambda: deny(proof, checkout), seconds=5
    )
    yield Step("project forms", f"{len(forms)} forms", forms, lambda: check_forms(proof, forms))
    yield Step("project pages", f"{len(pages)} pages", pages, lambda: check_pages(proof, checkout, pages), seconds=5)
    # The steps of a rendered tree recognize a repository by its workflows, so these are copied into a separate tree.
    tree = proof.folder("project")
    (tree / "blueprint").mkdir()
    shutil.copytree(checkout / ".github", tree / "blueprint" / ".github")
    for step in workflows.steps(proof, Tree(tree)):
        step.kind = f"project {step.kind}"
        yield step


def ruff(proof, checkout):
    proof.run(["ruff", "check", "--no-cache", "--quiet", "--output-format", "concise", "."], cwd=checkout / "conformance")
    proof.run(["ruff", "format", "--check", "--no-cache", "."], cwd=checkout / "conformance")


def mypy(proof, checkout):
    proof.run(["mypy", "--no-error-summary", "--cache-dir", proof.tools / "mypy"], cwd=checkout / "conformance")


def deny(proof, checkout):
    # Cargo's own folders, which contain the crates since the program was built.
    home = pathlib.Path.home()
    environment = proof.environment(
        CARGO_HOME=os.environ.get("CARGO_HOME", str(home / ".cargo")),
        RUSTUP_HOME=os.environ.get("RUSTUP_HOME", str(home / ".rustup")),
    )
    proof.run(
        ["cargo-deny", "--offline", "--all-features", "check", "bans", "licenses", "sources"], cwd=checkout, environment=environment
    )


def check_forms(proof, forms):
    config = [path for path in forms if path.name == "config.yml"]
    for builtin, files in (
        ("vendor.github-issue-config", config),
        ("vendor.github-issue-forms", [path for path in forms if path not in config]),
    ):
        if not files:
            raise Failure(f"no file in `.github/ISSUE_TEMPLATE` is for `{builtin}`")
        proof.run(["check-jsonschema", "--builtin-schema", builtin, *files])


def check_pages(proof, checkout, pages):
    proof.run(
        ["markdownlint-cli2", "--config", HERE / "markdownlint-cli2.yaml", *(page.relative_to(checkout) for page in pages)],
        cwd=checkout,
    )
    proof.run(["typos", "--config", HERE / "typos.toml", "--format", "brief", "--no-ignore", *pages])


# ---------------------------------------------------------------- that each can fail


def appended(path, text):
    return lambda checkout: (checkout / path).write_text((checkout / path).read_text(encoding="utf-8") + text, encoding="utf-8")


def replaced(path, old, new):
    def plant(checkout):
        text = (checkout / path).read_text(encoding="utf-8")
        if old not in text:
            raise Failure(f"`{path}` has no `{old}`, so this defect has no place: choose another in `prove/project.py`")
        (checkout / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return plant


DEFECTS = [
    ("a name in Python that is not defined", "project ruff", appended("conformance/prove/steps.py", "\nundefined\n")),
    ("Python that is not formatted", "project ruff", appended("conformance/prove/steps.py", "\nUNFORMATTED = [ ]\n")),
    ("a wrong type in Python", "project mypy", appended("conformance/prove/steps.py", '\nWRONG: int = "word"\n')),
    ("a license that nobody allowed", "project crates", replaced("deny.toml", '"Unicode-3.0"', '"BSD-3-Clause"')),
    ("an issue form without a body", "project forms", replaced(".github/ISSUE_TEMPLATE/bug.yml", "body:", "boddy:")),
    ("a misspelt word in a page", "project pages", appended("SECURITY.md", "\nRecieve it.\n")),
    ("an unknown key in a workflow", "project workflow schema", appended(".github/workflows/ci.yml", "unknown: key\n")),
    (
        "an expression that GitHub does not know",
        "project actionlint",
        replaced(".github/workflows/ci.yml", "github.sha", "github.shaa"),
    ),
    (
        "a token that stays on disk",
        "project zizmor",
        replaced(".github/workflows/ci.yml", "persist-credentials: false", "fetch-depth: 1"),
    ),
    ("an action without its version", "project actions pinned", replaced(".github/workflows/ci.yml", " # v7.0.1", "")),
]


def prove(proof, kind, plant):
    """The check that is meant for a defect refuses it, by words and not by a crash."""
    checkout = proof.folder("planted") / "checkout"
    ignored = shutil.ignore_patterns("target", ".git", "generated", "__pycache__", "samples")
    shutil.copytree(CHECKOUT, checkout, symlinks=True, ignore=ignored)
    plant(checkout)
    found = [run_step(step) for step in checks(proof, checkout) if step.kind == kind]
    if not found:
        raise Failure(f"no step is called `{kind}`")
    for outcome in found:
        if not outcome.failure:
            raise Failure(f"passed, but had to fail: {kind}")
        if outcome.failure.startswith("Traceback"):
            raise Failure(f"crashed: {kind}\n{outcome.failure}")
    shutil.rmtree(checkout.parent, ignore_errors=True)
