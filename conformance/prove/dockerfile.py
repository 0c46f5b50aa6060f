# Builds an image without Docker: the steps of a rendered Dockerfile run in a mount namespace in which the machine replaces the base
# images. This proves the order of files and commands and the content of the image, but nothing about base images.
import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import string
import subprocess

from prove.steps import Failure

# A copy of the file system to which only this process writes.
SPACE = """set -eu
mount -t tmpfs tmpfs "$SPACE"
mkdir "$SPACE/upper" "$SPACE/work" "$SPACE/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$SPACE/upper,workdir=$SPACE/work" "$SPACE/root"
for folder in dev proc $KEPT; do
  mkdir -p "$SPACE/root/$folder"
  mount --rbind "/$folder" "$SPACE/root/$folder"
done
cd "$CONTEXT"
"""


class Refused(Exception):
    """A command of the build failed."""


def stages(text):
    """Instructions, each a word and the rest, by stage."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            name = re.search(r"\sAS\s+(\S+)$", rest)
            found.append((name[1] if name else None, []))
        elif word and found:
            found[-1][1].append((word, rest.strip()))
    return found


def context(proof, repository):
    """What is sent to the builder, by `.dockerignore`."""
    file = repository / ".dockerignore"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    patterns = [line.strip("/") for line in lines if line and not line.startswith("#")]

    def ignored(folder, names):
        here = pathlib.Path(folder).relative_to(repository)
        hit = lambda name, it: fnmatch.fnmatch(name, it[3:]) if it.startswith("**/") else fnmatch.fnmatch(str(here / name), it)
        return [name for name in names if any(hit(name, it) for it in patterns)]

    target = proof.folder("context") / "context"
    shutil.copytree(repository, target, ignore=ignored)
    return target


def build(proof, repository, arguments, environment, kept):
    """The folder that lies over the base image, and the configuration of the image. `kept` are folders of the machine, beside
    the root file system, that commands need."""
    layer, space = proof.folder("layer"), proof.folder("space")
    layer.chmod(0o755)
    script, config = [SPACE], {"environment": {}, "workdir": "/", "entrypoint": []}
    found = stages((repository / "Dockerfile").read_text(encoding="utf-8"))
    for place, (_, instructions) in enumerate(found):
        last = place + 1 == len(found)
        root = str(layer) if last else f"{space}/root"
        folder, known, variables = "/", {}, {}
        for word, rest in instructions:
            value = lambda text, known=known: string.Template(text).safe_substitute(known)
            if word == "ARG":
                name, _, standard = rest.partition("=")
                known[name] = arguments.get(name, standard)
            elif word == "ENV":
                for item in shlex.split(value(rest)):
                    name, _, text = item.partition("=")
                    known[name] = variables[name] = text
            elif word == "WORKDIR":
                folder = rest
                script.append(f"mkdir -p {root}{folder}")
            elif word == "COPY":
                script.append(copy(value(rest), root, folder, f"{space}/root"))
            elif word == "RUN" and not last:
                command = re.sub(r"^(--mount=\S+\s+)+", "", rest)
                given = {**environment, **known}
                words = " ".join(shlex.quote(f"{name}={text}") for name, text in given.items())
                inside = shlex.quote(f"cd {folder} && {command}")
                script.append(f"chroot {root} /usr/bin/env -i {words} /bin/sh -c {inside}")
            elif word == "ENTRYPOINT":
                config["entrypoint"] = json.loads(rest)
            elif word not in ("LABEL", "USER", "EXPOSE", "HEALTHCHECK"):
                raise Failure(f"teach `prove/dockerfile.py` what `{word} {rest}` does")
        if last:
            config |= {"environment": variables, "workdir": folder}
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", "\n".join(script)],
        env={
            "PATH": os.environ["PATH"],
            "SPACE": str(space),
            "CONTEXT": str(context(proof, repository)),
            "KEPT": " ".join(str(it).strip("/") for it in kept),
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode:
        raise Refused(f"the image is not built: code {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}")
    return layer, config


def copy(rest, root, folder, built):
    options = dict(re.findall(r"--(\w+)=(\S+)", rest))
    *sources, target = re.sub(r"--\w+=\S+\s+", "", rest).split()
    target = f"{root}{target}" if target.startswith("/") else f"{root}{folder}/{target}"
    lines = []
    for source in [f"{built}{source}" if "from" in options else source for source in sources]:
        # A folder means its content.
        lines.append(
            f'for it in {source}; do if [ -d "$it" ]; then mkdir -p {target}; cp -R "$it/." {target}; '
            f'else mkdir -p "$(dirname {target}x)"; cp "$it" {target}; fi; done'
        )
    if "chmod" in options:
        lines.append(f"chmod {options['chmod']} {target}")
    return "\n".join(lines)
