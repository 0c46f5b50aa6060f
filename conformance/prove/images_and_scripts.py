# Dockerfiles (hadolint) and shell scripts (shellcheck), at their strictest, and where images come from. Nothing is built or run.
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
    images = [*tree.dockerfiles, *tree.manifests]
    yield Step("image registries", f"{len(images)} files", images, lambda: registries(proof, tree, images))
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


# Docker Hub limits anonymous pulls per address, and all nodes of a platform share one. The exceptions, each with its reason.
FROM_DOCKER_HUB = {
    "docker.io/grafana/grafana": "published nowhere else; one pod, and no alert depends on it",
}


def registries(proof, tree, files):
    """No image comes from Docker Hub, neither ours nor those of charts. Images on GitHub's runners are not checked."""
    found = [
        (f"{tree.name(path)}:{number}", image)
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for image in re.findall(r"^\s*(?:- )?image:\s*[\"']?([^\s\"']+)|^FROM\s+(?:--\S+\s+)*(\S+)", line)
        for image in filter(None, image)
    ]
    for path in sorted((proof.facts / "charts" / "rendered").glob("*.yaml")) if proof.facts and tree.manifests else []:
        found += [
            (path.name, image)
            for image in re.findall(r"^\s*(?:- )?image:\s*[\"']?([^\s\"']+)", path.read_text(encoding="utf-8"), re.M)
        ]
    mistakes = [
        f"{where}: `{image}` comes from Docker Hub: name a registry that gives it without a limit"
        for where, image in found
        if docker_hub(image) and not any(image.startswith(f"{known}:") for known in FROM_DOCKER_HUB)
    ]
    if mistakes:
        raise Failure("\n".join(mistakes))


def docker_hub(image):
    """Whether a name has no registry, or Docker's. A stage of a Dockerfile and a variable are no images."""
    first, slash, _ = image.partition("/")
    if not slash:
        return ":" in image or "@" in image
    return first in ("docker.io", "index.docker.io", "registry-1.docker.io") or not re.search(r"[.:]", first)
