# The repository under test: its objects, the builds of its kustomizations, and the commits that Flux fetches.
import base64
import os
import re
import shutil
import subprocess
import tempfile

from live import charts

FLUX_KINDS = re.compile(
    r"^\s*kind:\s*[\"']?(HelmRelease|HelmRepository|OCIRepository|GitRepository|Kustomization|FluxInstance)\b", re.MULTILINE
)


def scan(live, folder):
    """Every object of Flux's kinds, with the file in which it stands."""
    for file in sorted(folder.rglob("*.y*ml")):
        if ".git" in file.parts or not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if FLUX_KINDS.search(text) and ("toolkit.fluxcd.io" in text or "fluxcd.controlplane.io" in text):
            for thing in live.documents(file):
                yield file, thing


def rendered(live, kustomization):
    """The objects that a Flux Kustomization builds from its path, by the same kustomize code; {"error": …} if it does not build.

    Left out: spec.patches, images, namePrefix and their like in the Flux object. Its postBuild variables are filled in.
    """
    spec = kustomization["spec"]
    path = live.work / "tree" / (spec.get("path") or "").strip("./")
    if any((path / file).exists() for file in ("kustomization.yaml", "kustomization.yml", "Kustomization")):
        built = live.kubectl("kustomize", str(path), check=False)
        if built.returncode:
            return [{"error": built.stderr.strip()[-400:]}]
        texts = [built.stdout]
    else:
        texts = [file.read_text() for file in sorted(path.rglob("*.y*ml"))]  # Flux lists them itself
    values = variables(live, kustomization)
    found = []
    for text in texts:
        if spec.get("postBuild"):
            text = re.sub(
                r"(?<!\$)\$\{(\w+)(?::?[-=]([^}]*))?\}", lambda match: str(values.get(match[1], match[2] or "")), text
            ).replace("$${", "${")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            found += live.documents(file.name)
    return found


def listed(folder):
    """(file, the kustomization.yaml that names it) for whatever a folder builds from, those of folders it names included."""
    listing = folder / "kustomization.yaml"
    if not listing.is_file():
        return
    for word in dict.fromkeys(re.findall(r"[^\s\[\],\"']+", re.sub(r"#.*", "", listing.read_text()))):
        place = (folder / word).resolve()
        if place.is_dir() and place != folder.resolve():
            yield from listed(place)
        elif place.is_file():
            yield place, listing


def variables(live, kustomization):
    post = kustomization["spec"].get("postBuild") or {}
    values = dict(post.get("substitute") or {})
    for source in post.get("substituteFrom") or []:
        where = f"/api/v1/namespaces/{kustomization['metadata']['namespace']}/{source['kind'].lower()}s/{source['name']}"
        data = (live.kube.find(where) or {}).get("data") or {}
        if source["kind"] == "Secret":
            data = {key: base64.b64decode(value).decode() for key, value in data.items()}
        values = {**data, **values}
    return values


def wanted_charts(things):
    """[{repository, name, version}] that the HelmReleases and OCIRepositories ask for."""
    wanted = []
    for thing in things:
        spec = thing.get("spec") or {}
        if thing["kind"] == "HelmRelease":
            chart = (spec.get("chart") or {}).get("spec") or {}
            if chart.get("chart") and (chart.get("sourceRef") or {}).get("kind", "HelmRepository") == "HelmRepository":
                repository = (chart.get("sourceRef") or {}).get("name", "")
                wanted.append({"repository": repository, "name": chart["chart"], "version": charts.concrete(chart.get("version"))})
        elif thing["kind"] == "HelmRepository":
            # The chart of the scenario `lockdown`: every repository has it.
            wanted.append({"repository": thing["metadata"]["name"], "name": charts.PROBE, "version": "1.0.0"})
        elif thing["kind"] == "OCIRepository" and spec.get("url"):
            ref = spec.get("ref") or {}
            name = spec["url"].rstrip("/").rsplit("/", 1)[-1]
            wanted.append({"repository": "", "name": name, "version": charts.concrete(ref.get("tag") or ref.get("semver"))})
    return [dict(each) for each in sorted({tuple(sorted(chart.items())) for chart in wanted})]


def publish(live, folder=None, message="sync"):
    """Commits a folder into the served repository; without one, what was changed in the tree. Returns the commit."""
    tree = live.work / "tree"
    if folder:
        old, kept = tree / ".git", live.work / "tree.git"
        if old.exists():
            shutil.move(old, kept)
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(folder, tree, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        if kept.exists():
            shutil.move(kept, old)
    if not (tree / ".git").exists():
        git(live, "init", "--quiet", "--initial-branch", live.read("root.json")["branch"])
    git(live, "add", "--all")
    git(live, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(live, "rev-parse", "HEAD")


def publish_branch(live, branch, files):
    """A branch of its own, beside what Flux syncs, with nothing but these files."""
    with tempfile.TemporaryDirectory() as index:
        env = {"GIT_INDEX_FILE": f"{index}/index"}
        for name, text in files.items():
            blob = git(live, "hash-object", "-w", "--stdin", input=text)
            git(live, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", env=env)
        tree = git(live, "write-tree", env=env)
    commit = git(live, "commit-tree", tree, "-m", branch)
    git(live, "update-ref", f"refs/heads/{branch}", commit)


def git(live, *arguments, env=None, **options):
    settings = {
        "user.name": "live",
        "user.email": "live@example.invalid",
        "commit.gpgsign": "false",
        "core.hooksPath": "/dev/null",
    }
    command = ["git"] + [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    fixed = {"PATH": os.environ["PATH"], "HOME": str(live.work), "GIT_CONFIG_NOSYSTEM": "1", **(env or {})}
    done = subprocess.run(
        [*command, "-C", str(live.work / "tree"), *arguments], check=True, text=True, capture_output=True, env=fixed, **options
    )
    return done.stdout.strip()
