# Words: Markdown (markdownlint), the diagrams in it (Mermaid's own parser), its commands (shellcheck), links between files, spelling (typos), the
# form of YAML (yamllint), and that nothing in a tree goes unread. Not whether the words are true.
import json
import re

import yaml

from prove.proof import HERE
from prove.search import must_find
from prove.steps import Failure, Step

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# Files without a tool that checks them: patterns for git, GitHub and Docker, variables of a smoke test, and blueprint's lock.
UNREAD = re.compile(
    r"(^|/)(\.gitattributes|\.gitignore|\.dockerignore|\.editorconfig|CODEOWNERS|LICENSE|NOTICE|SECURITY|\.blueprint\.lock|\.terraform\.lock\.hcl|requirements\.txt"
    r"|package-lock\.json|go\.mod|go\.sum|\.node-version|\.python-version|smoke\.env|\.tool-versions)$"
)


def steps(proof, tree):
    yield Step("markdownlint", f"{len(tree.markdown)} files", tree.markdown, lambda: markdownlint(proof, tree), seconds=3)
    yield Step("mermaid", f"{len(tree.markdown)} files", tree.markdown, lambda: mermaid(proof, tree), seconds=6)
    yield Step("commands", f"{len(tree.markdown)} files", tree.markdown, lambda: commands(proof, tree), seconds=5)
    yield Step("links", f"{len(tree.markdown)} files", tree.markdown, lambda: links(tree))
    yield Step("typos", f"{len(tree.files)} files", tree.files, lambda: typos(proof, tree), seconds=2)
    yield Step(
        "yamllint",
        f"{len(tree.yaml)} files",
        tree.yaml,
        lambda: proof.run(["yamllint", "-s", "-f", "parsable", "-c", HERE / "yamllint.yaml", *tree.yaml]),
        seconds=5,
    )
    yield Step("nothing unread", f"{len(tree.files)} files", tree.files, lambda: nothing_unread(tree))


def markdownlint(proof, tree):
    copy = proof.folder("markdown")
    for repository in tree.repositories:
        for path in tree.markdown:
            if repository in path.parents:
                target = copy / path.relative_to(tree.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    done = proof.run(["markdownlint-cli2", "--config", HERE / "markdownlint-cli2.yaml", "**/*.md", "**/.*/**/*.md"], cwd=copy)
    if "error" in done.stdout.lower().replace("0 error", ""):
        raise Failure(done.stdout + done.stderr)


def mermaid(proof, tree):
    # Node finds modules from the folder of the script, so it must be beside them.
    modules = proof.tools / "bin" / "node_modules"
    done = proof.run(["node", HERE / "prove" / "mermaid.mjs", modules.resolve(), *tree.markdown])
    if not int(must_find(r"(\d+) diagrams", done.stdout)[1]):
        raise Failure("no diagram is in any file")


def commands(proof, tree):
    """The shell commands of a page, block by block. A block may use variables of the one before it."""
    folder = proof.folder("commands")
    blocks = {}
    for path in tree.markdown:
        for indent, block in re.findall(r"^( *)```sh\n(.*?)^ *```$", path.read_text(encoding="utf-8"), flags=re.S | re.M):
            text = re.sub(f"^{indent}", "", block, flags=re.M)
            blocks.setdefault(text, folder / f"{tree.name(path).replace('/', '-')}-{len(blocks)}.sh")
    if not blocks:
        raise Failure("no command is in any file")
    for text, path in blocks.items():
        path.write_text(text, encoding="utf-8")
    proof.run(["shellcheck", "--norc", "--shell=bash", "--severity=style", "--exclude=SC2034,SC2154", *blocks.values()])


def anchors(text):
    """GitHub's anchors of the headings in a Markdown text."""
    found, fenced = set(), False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and re.match(r"#{1,6} ", line):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
            number = 0
            while (words if not number else f"{words}-{number}") in found:
                number += 1
            found.add(words if not number else f"{words}-{number}")
    return found


def links(tree):
    """A link to a file or a heading leads somewhere."""
    mistakes = []
    for path in tree.markdown:
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
        for link in LINK.findall(text):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.exists():
                mistakes.append(f"{tree.name(path)}: the link `{link}` leads nowhere")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
                mistakes.append(f"{tree.name(path)}: the link `{link}` names no heading")
    if mistakes:
        raise Failure("\n".join(mistakes))


def typos(proof, tree):
    done = proof.run(
        ["typos", "--config", HERE / "typos.toml", "--format", "brief", "--no-ignore", *tree.repositories], codes=(0, 2)
    )
    if done.returncode:
        raise Failure(f"correct the word, or add it to `conformance/typos.toml` with a reason\n{done.stdout}")


def nothing_unread(tree):
    """Each file must be checked by a step."""
    known = set(
        tree.yaml + tree.markdown + tree.dockerfiles + tree.scripts + tree.names + tree.login_statements + tree.certificates
    )
    mistakes = []
    for path in tree.files:
        if path.is_symlink():
            mistakes.append(f"{tree.name(path)}: a symbolic link")
            continue
        raw = path.read_bytes()
        if b"\r" in raw or (raw and not raw.endswith(b"\n")):
            mistakes.append(f"{tree.name(path)}: ends its lines otherwise than with one newline each")
        if path.suffix == ".json":
            try:
                json.loads(raw)
            except ValueError as error:
                mistakes.append(f"{tree.name(path)}: {error}")
        elif path in known or path.suffix in (".tf", ".hcl", ".tfvars"):
            continue
        elif re.search(rb"\x00", raw):
            mistakes.append(f"{tree.name(path)}: not a text")
        elif not UNREAD.search(tree.name(path)) and not starter(tree, path):
            mistakes.append(f"{tree.name(path)}: no step reads it: teach `prove/documents.py` what it is")
    for path in tree.yaml:
        if (
            path not in tree.manifests + tree.workflows + tree.actions + tree.dependabot + tree.cloudformation_templates
            and not starter(tree, path)
        ):
            try:
                list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
            except yaml.YAMLError as error:
                mistakes.append(f"{tree.name(path)}: {error}")
    if mistakes:
        raise Failure("\n".join(mistakes))


def starter(tree, path):
    """A file of an application's own repository: its program, which its own tests prove."""
    return any(dockerfile.parent == tree.repository_of(path) for dockerfile in tree.dockerfiles)
