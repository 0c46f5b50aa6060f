# Dockerfiles (hadolint) and shell scripts (shellcheck), at their strictest. Nothing is built or run.
import re

from prove.steps import Failure, Step


def steps(proof, tree):
    yield Step(
        "hadolint",
        f"{len(tree.dockerfiles)} Dockerfiles",
        tree.dockerfiles,
        lambda: proof.run(["hadolint", "--failure-threshold", "style", *tree.dockerfiles]),
    )
    yield Step("base images", f"{len(tree.dockerfiles)} Dockerfiles", tree.dockerfiles, lambda: base_images(tree))
    yield Step(
        "shellcheck",
        f"{len(tree.scripts)} scripts",
        tree.scripts,
        lambda: proof.run(["shellcheck", "--norc", "--severity=style", *tree.scripts]),
        seconds=2,
    )


def base_images(tree):
    """Every image comes from a digest, or a stage of the same file."""
    mistakes = []
    for path in tree.dockerfiles:
        stages = set()
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.match(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", text, re.I)
            if match:
                image, stage = match.groups()
                if image != "scratch" and image not in stages and not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image):
                    mistakes.append(f"{tree.name(path)}:{number}: `{image}`: write tag and digest, as `name:tag@sha256:…`")
                stages.add(stage)
    if mistakes:
        raise Failure("\n".join(mistakes))
