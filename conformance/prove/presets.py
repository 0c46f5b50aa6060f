# Each language of applications: the commands of its workflow, on a small sample, correct and broken; its Dockerfile and its
# workflows with their linters; its image, built without Docker, with the smoke test.
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import yaml

from prove import dockerfile, images_and_scripts, scanners, starter, workflows
from prove.blueprints import binary
from prove.proof import HERE
from prove.releases import Stage
from prove.search import must_find
from prove.steps import Failure, Step
from prove.tree import Tree

BLUEPRINT = HERE.parent / "tests" / "blueprints" / "languages.toml"
SAMPLES = HERE / "samples"
# For each command, a change of the correct sample that it must refuse: a file, a text in it, and the replacement. Commands
# that only install have none.
BROKEN = {
    "go": {
        "test -z": ("main.go", "a + b", "a  +  b"),
        "go mod tidy": ("go.mod", "go 1.26.0", "go 1.26.0\n\nrequire golang.org/x/sys v0.48.0"),
        "go vet": ("main.go", "sum %d", "sum %s"),
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
        "mvn --batch-mode --no-transfer-progress test-compile": (
            "src/main/java/sample/Main.java",
            "add(1, 2)",
            "add(new Integer(1), 2)",
        ),
        "mvn --batch-mode --no-transfer-progress verify": ("src/main/java/sample/Main.java", "a + b", "a - b"),
    },
    "plain": {
        "make lint": ("mistake", "", ""),
        "make 'no warnings'": ("warning", "", ""),
        "make test": ("failure", "", ""),
    },
}
# For the smoke test, a change of a correct program that it must refuse: a file, a text in it, the replacement, and the message.
REFUSED = {
    "go": [("main.go", "syscall.SIGTERM", "syscall.SIGUSR1", "exit status 2")],
    "node": [("main.js", "process.on('SIGTERM'", "process.on('SIGUSR2'", "exit status 137")],
    "python": [
        ("app/__main__.py", '"/livez": 200', '"/livez": 500', "/livez answers with 500 instead of 200"),
        ("app/__main__.py", '"/readyz": ready', '"/readyz": 200', "/readyz answers with 200 instead of 503"),
        ("app/__main__.py", '"/metrics": 200', '"/metric": 200', "/metrics answers with 404 instead of 200"),
        ("app/__main__.py", "print(json.dumps(", "print(str(", "is not a JSON object"),
        ("app/__main__.py", "signal.SIGTERM", "signal.SIGUSR1", "exit status 137"),
        ("app/__main__.py", "ended.wait()", "ended.wait()\nos._exit(1)", "exit status 1"),
        (
            "app/__main__.py",
            "from app import add\n",
            "from app import add\n\nmuch = 'x' * 300_000_000\nthreading.Event().wait()\n",
            "the program exited before /livez answered with 200",
        ),
        ("app/__main__.py", '"PORT"]', '"HTTP_PORT"]', "the program exited before /livez answered with 200"),
        ("app/__main__.py", "add(1, 2)", 'os.environ["KEY"]', "KeyError: 'KEY'"),
    ],
    "rust": [("src/main.rs", "SIGTERM: i32 = 15", "SIGTERM: i32 = 10", "exit status 137")],
    "java": [("src/main/java/sample/Main.java", "service.stop(1);", "Runtime.getRuntime().halt(1);", "exit status 1")],
    "plain": [("serve.py", "128 + signal.SIGTERM", "1", "exit status 1")],
}
# A change after which the image cannot be built.
UNBUILT = {
    "node": [
        ("Dockerfile", "COPY . .", "COPY package.json package-lock.json ./", "Cannot find module"),
        (".dockerignore", "node_modules", "scripts", "Cannot find module"),
    ]
}
VERSION = "4.5.6"
LOOPBACK = """
import fcntl, os, socket, struct, sys
with socket.socket() as it:
    fcntl.ioctl(it, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
os.execvp(sys.argv[1], sys.argv[1:])
"""
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
        yield Step("preset", language, reads, lambda it=language, w=workflow: preset(proof, it, w), seconds=40)
    rendered = programs(proof)
    for language in REFUSED:
        repository = rendered / (language if language == "plain" else f"in-{language}")
        reads = [repository / ".github" / "scripts" / "smoke.sh", SAMPLES / language]
        yield Step(
            "smoke test",
            language,
            reads,
            lambda it=language, r=repository: smoke(proof, it, r),
            seconds=100 if language == "python" else 30,
            slow=True,
        )


class Applications(Tree):
    """A tree without the two repositories of the platform, which other trees prove."""

    @property
    def repositories(self):
        return [path for path in super().repositories if path.name == "plain" or path.name.startswith("in-")]


def programs(proof):
    """The same applications, on nodes of one architecture, with less patience than the default, yet enough for a busy machine: what is refused is refused sooner."""
    text = BLUEPRINT.read_text(encoding="utf-8")
    text = re.sub(r"^\[cluster\.node-groups\.arm\]\n.*\n", "", text, flags=re.M)
    text = re.sub(r"^(\[applications\..*\])$", r"\1\nprobes = { start-within = 30 }\nshutdown = { drain = 4 }", text, flags=re.M)
    file = proof.folder("programs") / "programs.toml"
    file.write_text(text, encoding="utf-8")
    folder = proof.folder("programs")
    proof.run([binary(), "render", file, "--out", folder])
    return folder


def smoke(proof, language, repository):
    """The smoke test takes the image of the good sample, and refuses those of broken ones."""
    environment = surroundings(proof, language)

    def image(changes=(), own=""):
        folder = proof.copy(repository, "program")
        # The sample replaces the starter.
        for path in [*folder.glob("*.go"), *folder.glob("go.*")]:
            path.unlink()
        shutil.copytree(SAMPLES / language, folder, dirs_exist_ok=True)
        if own:
            (folder / ".github" / "smoke.env").write_text(own, encoding="utf-8")
        for path, old, new, *_ in changes:
            text = (folder / path).read_text(encoding="utf-8")
            if old not in text:
                raise Failure(f"`{old}` is not in {path} of the sample in {language}")
            (folder / path).write_text(text.replace(old, new, 1), encoding="utf-8")
        with alone(proof, language):
            return folder, dockerfile.build(proof, folder, {"VERSION": VERSION}, environment, [proof.tools])

    folder, built = image()
    code, said, stage = tried(proof, folder, built)
    if code:
        raise Failure(f"the smoke test refuses the good program in {language}: code {code}\n{said}")
    log = next((stage.folder / "containers").glob("removed-*"))
    if VERSION not in (log / "stdout").read_text():
        raise Failure(f"the program in {language} does not know its version\n{(log / 'stdout').read_text()}")
    heap = re.search(r'"heap":(\d+)', (log / "stdout").read_text())
    memory = int(must_find(r"--memory (\d+)m", (folder / ".github" / "scripts" / "smoke.sh").read_text())[1])
    if (language == "java") != bool(heap) or (heap and int(heap[1]) > memory * 1024 * 1024 / 2):
        raise Failure(f"of {memory} MiB, the heap takes {heap and heap[1]} bytes")
    for change in REFUSED[language]:
        folder, built = image([change])
        code, said, _ = tried(proof, folder, built)
        if code != 1 or change[3] not in said:
            raise Failure(f"the smoke test does not refuse `{change[2]}` with the words `{change[3]}`: code {code}\n{said}")
    if language == "python":
        # A team's own variables.
        folder, built = image([REFUSED["python"][-1]], "# For the smoke test alone.\nKEY=a key with = and spaces\n")
        code, said, _ = tried(proof, folder, built)
        if code:
            raise Failure(f"`.github/smoke.env` gives the program nothing: code {code}\n{said}")
    for change in UNBUILT.get(language, []):
        try:
            image([change])
        except dockerfile.Refused as refused:
            if change[3] in str(refused):
                continue
            raise Failure(f"an image with `{change[2]}` is refused, but not with the words `{change[3]}`\n{refused}") from None
        raise Failure(f"an image with `{change[2]}` is built")


def tried(proof, folder, built):
    layer, config = built
    node = ""
    if config["entrypoint"][0] == "/nodejs/bin/node":
        found = shutil.which("node", path=proof.environment()["PATH"])
        if not found:
            raise Failure("`node` is not installed: run `conformance/run` again, and look at what the install says")
        node = str(pathlib.Path(found).resolve())
        (layer / "nodejs" / "bin").mkdir(parents=True, exist_ok=True)
        (layer / "nodejs" / "bin" / "node").touch()
    stage = Stage(proof, {"docker": "docker.py", "skopeo": "docker.py"}, {"image": {**config, "layer": str(layer), "node": node}})
    # In its own network namespace, so that each program can use its configured ports.
    words = [
        "unshare",
        "--net",
        sys.executable,
        "-c",
        LOOPBACK,
        "sh",
        folder / ".github" / "scripts" / "smoke.sh",
        stage.folder / "image",
    ]
    done = subprocess.run(words, env=stage.environment, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr, stage


def scan(proof, tree):
    results = [result for path in tree.dockerfiles for result in scanners.trivy_report(proof, path.parent)]
    found = [line for *_, line in scanners.trivy_lines(results)]
    if found or len(results) < len(tree.dockerfiles):
        raise Failure("\n".join(found) or "trivy judged not every Dockerfile")


def commands(workflow, language):
    """The commands of the program in the jobs `lint` and `test`."""
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    names = [step.get("name") for step in jobs["lint"]["steps"]]
    begin, end = names.index("Install linters") + 1, names.index("Lint the Dockerfile")
    lint = [step["run"] for step in jobs["lint"]["steps"][begin:end]]
    toolchain = re.compile(r"^(Install (Rust|linters)|Select Java)")
    test = [step["run"] for step in jobs["test"]["steps"] if "run" in step and not toolchain.match(step["name"])]
    if not lint or not test:
        raise Failure(f"{workflow} checks nothing in {language}")
    return lint + test


def preset(proof, language, workflow):
    environment = surroundings(proof, language)
    with alone(proof, language):
        judge(proof, language, workflow, environment)


def judge(proof, language, workflow, environment):
    good = proof.copy(SAMPLES / language, "sample")
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


@contextlib.contextmanager
def alone(proof, language):
    """What a language downloads is shared by its steps, and neither pip nor Maven lets two processes fill one folder."""
    with open(proof.tools / f".{language}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
        with alone(proof, language):
            # `pip` comes last: an environment without it was interrupted.
            if not (virtual / "bin" / "pip").exists():
                proof.run([sys.executable, "-m", "venv", "--clear", virtual])
        environment["PATH"] = f"{virtual / 'bin'}:{environment['PATH']}"
    return environment
