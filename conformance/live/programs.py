# Builds the programs of the harness from their Go modules, into a folder whose name depends on the pinned versions, so that they are
# built again only if a pin changes. Starts none of them.
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE / "tools"
# Module, program, package. Programs of one module share packages.
PROGRAMS = [
    ("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    ("kubernetes", "kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kubernetes", "kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ("kubernetes", "kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kubernetes", "kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    ("flux", "source-controller", "github.com/fluxcd/source-controller"),
    ("flux", "kustomize-controller", "github.com/fluxcd/kustomize-controller"),
    ("flux", "helm-controller", "github.com/fluxcd/helm-controller"),
    ("prometheus-operator", "prometheus-operator", "github.com/prometheus-operator/prometheus-operator/cmd/operator"),
    ("operator", "flux-operator", "github.com/controlplaneio-fluxcd/flux-operator/cmd/cli"),
]
OPERATOR = "github.com/controlplaneio-fluxcd/flux-operator"
# Files in modules besides the programs: module of `tools`, Go module, its folder, the name that it gets here.
DATA = [
    ("operator", OPERATOR, "config/crd/bases", "flux-operator-definitions"),
    ("operator", OPERATOR, "config/data", "flux-operator-manifests"),
    (
        "prometheus-operator",
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd-full",
        "prometheus-operator-definitions",
    ),
]
DEFINITIONS = [name for *_, name in DATA if name.endswith("-definitions")]
# The oldest Go version that the modules support.
MINIMUM = (1, 26, 0)


def tools_folder():
    return pathlib.Path(os.environ.get("BLUEPRINT_TOOLS") or HERE.parent.parent / "target" / "conformance-tools")


def folder():
    """Where the programs are, or will be."""
    if named := os.environ.get("BLUEPRINT_LIVE_BIN"):
        return pathlib.Path(named).resolve()
    pins = [*sorted(TOOLS.glob("*/go.mod")), *sorted(TOOLS.glob("*/go.sum")), TOOLS / "charts"]
    key = hashlib.sha256(platform.machine().encode() + b"".join(path.read_bytes() for path in pins)).hexdigest()[:12]
    return (tools_folder() / "live" / key).resolve()


def version(module):
    """The version of a Go module that is pinned, as `v1.9.4`."""
    for file in sorted(TOOLS.glob("*/go.mod")):
        if found := re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", file.read_text(), re.MULTILINE):
            return found[1]
    raise SystemExit(f"live: no `tools/*/go.mod` requires `{module}`")


def go():
    for candidate in (shutil.which("go"), tools_folder() / "bin" / "go"):
        if candidate and os.access(candidate, os.X_OK):
            said = subprocess.run([candidate, "version"], check=False, capture_output=True, text=True, env=environment()).stdout
            found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
            if found and tuple(int(part or 0) for part in found.groups()) >= MINIMUM:
                return str(candidate)
    raise SystemExit("live: there is no Go of at least 1.26: put one on PATH, or run `conformance/run --live`, which brings one")


def environment():
    """What decides a build stands in the pins, not in a person's settings."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def install():
    """Builds what is missing, one after another, and returns the folder."""
    target = folder()
    if (target / "complete").exists() and all((target / name).exists() for *_, name in DATA):
        return target
    target.mkdir(parents=True, exist_ok=True)
    with open(target / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs on one machine must not build the same thing twice
        for module, program, package in PROGRAMS:
            if not (target / program).exists():
                build(target, module, program, package)
        for data in DATA:
            keep_data(target, *data)
        keep_charts(target)
        (target / "complete").write_text("")
    return target


def build(target, module, program, package):
    begin = time.monotonic()
    flags = "-s -w"
    if module == "kubernetes":
        # Without this the API server reports itself as v0.0.0.
        pinned = version("k8s.io/kubernetes")
        major, minor = pinned.removeprefix("v").split(".")[:2]
        where = "k8s.io/component-base/version"
        flags += f" -X {where}.gitVersion={pinned} -X {where}.gitMajor={major} -X {where}.gitMinor={minor}"
        flags += f" -X k8s.io/client-go/pkg/version.gitVersion={pinned}"
    fresh = target / f".{program}"
    run([go(), "build", "-trimpath", "-ldflags", flags, "-o", fresh, package], TOOLS / module)
    fresh.replace(target / program)
    print(f"built {program} in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def run(command, where, **options):
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=where,
        env=environment(),
        capture_output=True,
        text=True,
        **options,
    )
    if done.returncode:
        raise SystemExit(f"live: `{' '.join(str(word) for word in command)}` failed\n{done.stderr[-4000:]}")
    return done.stdout


def keep_data(target, place, module, part, name):
    """A folder of a Go module: the manifests of each version of Flux, the definitions of custom resources."""
    if (target / name).exists():
        return
    run([go(), "mod", "download", module], TOOLS / place)
    source = pathlib.Path(run([go(), "list", "-m", "-f", "{{.Dir}}", module], TOOLS / place).strip())
    fresh = target / f".{name}"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source / part, fresh, copy_function=shutil.copyfile)
    for path in [fresh, *fresh.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    fresh.replace(target / name)


def keep_charts(target):
    """Charts that travel in Go modules. A harness without them still runs, with what they render, and says so."""
    for line in (TOOLS / "charts").read_text().splitlines():
        name, module, total, path = line.split()
        place = target / "charts" / name
        if place.exists():
            continue
        # Go fetches a module that requires a newer Go but does not unpack it, so the chart is taken from the archive.
        done = subprocess.run(
            [go(), "mod", "download", "-json", module],
            check=False,
            cwd="/",
            env={**environment(), "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
        )
        found = json.loads(done.stdout or "{}")
        if found.get("Sum") != total:
            print(
                f"live: {module} is not to be had as pinned, so the chart {name} is made of rendered objects",
                file=sys.stderr,
                flush=True,
            )
            continue
        with zipfile.ZipFile(found["Zip"]) as archive:
            for entry in archive.namelist():
                if entry.startswith(f"{module}/{path}/") and not entry.endswith("/"):
                    file = place / entry.removeprefix(f"{module}/{path}/")
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(archive.read(entry))
