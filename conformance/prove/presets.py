# Each language that an application may be written in: the commands which its workflow runs, on a small sample, good and
# broken; its Dockerfile and its workflows by the tools that read them. Images are not built.
import hashlib
import os
import pathlib
import re
import subprocess
import sys

import yaml

from prove import images_and_scripts, scanners, starter, workflows
from prove.blueprints import binary
from prove.proof import HERE
from prove.steps import Failure, Step
from prove.tree import Tree

BLUEPRINT = HERE.parent / "tests" / "blueprints" / "languages.toml"
SAMPLES = HERE / "samples"
# For each command, how the good sample becomes one that it must refuse: a file, words in it, other words. What only
# installs has none.
BROKEN = {
    "go": {
        "test -z": ("main.go", "a + b", "a  +  b"),
        "go mod tidy": ("go.mod", "go 1.26.0", "go 1.26.0\n\nrequire golang.org/x/sys v0.48.0"),
        "go vet": ("main.go", '"%d', '"%s'),
        "go test": ("main.go", "a + b", "a - b"),
    },
    "node": {"npm run lint": ("main.js", "(a, b) =>", "(a, b =>"), "npm test": ("main.js", "a + b", "a - b")},
    "python": {
        "ruff format": ("app/__init__.py", "a + b", "a+b"),
        "ruff check": ("app/__init__.py", "def add", "import os\n\n\ndef add"),
        "python -m pytest": ("app/__init__.py", "a + b", "a - b"),
    },
    "rust": {
        "cargo fmt": ("src/main.rs", "a + b", "a  +  b"),
        "cargo clippy": ("src/main.rs", "    a + b", "    return a + b;"),
        "cargo test": ("src/main.rs", "a + b", "a - b"),
    },
    "java": {
        "mvn --batch-mode --no-transfer-progress test-compile": ("src/main/java/sample/Main.java", "add(1, 2)", "add(new Integer(1), 2)"),
        "mvn --batch-mode --no-transfer-progress verify": ("src/main/java/sample/Main.java", "a + b", "a - b"),
    },
    "plain": {
        "make lint": ("mistake", "", ""),
        "make 'no warnings'": ("warning", "", ""),
        "make test": ("failure", "", ""),
    },
}
INSTALLS = ("npm ci", "python -m pip install")


def steps(proof):
    folder = proof.folder("presets")
    proof.run([binary(), "render", BLUEPRINT, "--out", folder])
    tree = Applications(folder)
    yield from images_and_scripts.steps(proof, tree)
    yield from workflows.steps(proof, tree)
    yield Step("trivy", f"{len(tree.dockerfiles)} Dockerfiles", tree.dockerfiles, lambda: scan(proof, tree), seconds=8)
    for language in BROKEN:
        repository = tree.path / (language if language == "plain" else f"in-{language}")
        workflow = repository / ".github" / "workflows" / "ci.yml"
        reads = [workflow, SAMPLES / language]
        yield Step("preset", language, reads, lambda l=language, w=workflow: preset(proof, l, w), seconds=40)


class Applications(Tree):
    """A tree without the two repositories of the platform, which other trees prove."""

    @property
    def repositories(self):
        return [path for path in super().repositories if path.name == "plain" or path.name.startswith("in-")]


def scan(proof, tree):
    results = [result for path in tree.dockerfiles for result in scanners.trivy_report(proof, path.parent)]
    found = [line for *_, line in scanners.trivy_lines(results)]
    if found or len(results) < len(tree.dockerfiles):
        raise Failure("\n".join(found) or "trivy judged not every Dockerfile")


def commands(workflow, language):
    """What the jobs `lint` and `test` run of the program's own."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    names = [step.get("name") for step in jobs["lint"]["steps"]]
    begin, end = names.index("Install linters") + 1, names.index("Lint the Dockerfile")
    lint = [step["run"] for step in jobs["lint"]["steps"][begin:end]]
    toolchain = re.compile(r"^(Install (Rust|linters)|Choose Java)")
    test = [step["run"] for step in jobs["test"]["steps"] if "run" in step and not toolchain.match(step["name"])]
    if not lint or not test:
        raise Failure(f"{workflow} checks nothing in {language}")
    return lint + test


def preset(proof, language, workflow):
    good = proof.copy(SAMPLES / language, "sample")
    environment = surroundings(proof, language)
    ran = commands(workflow, language)
    unknown = [command for command in ran if not command.startswith((*INSTALLS, *BROKEN[language]))]
    unused = [command for command in BROKEN[language] if not any(it.startswith(command) for it in ran)]
    if unknown or unused:
        raise Failure(f"teach `prove/presets.py` how a sample fails {unknown}, and forget {unused}")
    for command in ran:
        code, words = run(command, good, environment)
        if code:
            raise Failure(f"`{command}` refuses the good sample in {language}, with code {code}\n{words}")
    for command in ran:
        place = next((place for begin, place in BROKEN[language].items() if command.startswith(begin)), None)
        if not place:
            continue
        folder = proof.copy(SAMPLES / language, "broken")
        path, old, new = folder / place[0], *place[1:]
        if old:
            text = path.read_text(encoding="utf-8")
            if old not in text:
                raise Failure(f"`{old}` is not in {path.name} of the sample in {language}")
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        else:
            path.write_text("")
        code, words = run(command, folder, environment)
        if not code:
            raise Failure(f"`{command}` accepts a broken sample in {language}\n{words}")
        # A tool that is missing refuses everything.
        if code in (126, 127):
            raise Failure(f"`{command}` cannot run: {words}")


def run(command, folder, environment):
    """As a runner runs it: `shell: bash`."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout[-4000:]


def surroundings(proof, language):
    """A runner's environment: what is downloaded is kept beside the tools, so that a second run needs no network."""
    home = pathlib.Path.home()
    rust = {name: os.environ.get(f"{name}_HOME", str(home / f".{name.lower()}")) for name in ("RUSTUP", "CARGO")}
    environment = proof.environment(
        **starter.surroundings(proof),
        RUSTUP_HOME=rust["RUSTUP"],
        CARGO_HOME=rust["CARGO"],
        CARGO_NET_OFFLINE="true",
        MAVEN_OPTS=f"-Dmaven.repo.local={proof.tools / 'maven'}",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    environment.pop("NO_COLOR")
    if language == "python":
        packages = (SAMPLES / "python" / "requirements-dev.txt").read_bytes() + sys.version.encode()
        virtual = proof.tools / f"python-sample-{hashlib.sha256(packages).hexdigest()[:12]}"
        if not (virtual / "bin" / "python").exists():
            proof.run([sys.executable, "-m", "venv", virtual])
        environment["PATH"] = f"{virtual / 'bin'}:{environment['PATH']}"
    return environment
