# Charts: real ones from a folder or from the build, stand-ins for the rest. All come out byte for byte the same each time.
import functools
import gzip
import io
import json
import re
import tarfile
from pathlib import Path

from live import crds, webhooks

TEMPLATES = Path(__file__).resolve().parent / "charts"
PROBE_PAGE = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n"
# A chart that every Helm repository has, with one ConfigMap: the scenario `lockdown` tries to install it.
PROBE = "live-probe"


def wanted(work):
    """[{repository, name, version}] that `sync` found in the repository under test."""
    file = Path(work) / "charts.json"
    return json.loads(file.read_text())["wanted"] if file.exists() else []


def concrete(version):
    """A version that satisfies the range of a HelmRelease; the exact one is its own."""
    version = str(version or "")
    if re.fullmatch(r"v?\d+\.\d+\.\d+([-+].*)?", version):
        return version
    found = re.search(r"\d+(\.\d+)?(\.\d+)?", version)
    parts = (found[0].split(".") if found else ["1"]) + ["0", "0"]
    return ".".join(parts[:3])


def package(work, name, version):
    """The .tgz of a chart, or None where the folder of --charts has this chart in another version only."""
    folders = json.loads((Path(work) / "charts.json").read_text())
    data, other = find(folders["folder"], name, version)
    if not data and not other:
        data, _ = find(folders["built"], name, version)
    return data or (None if other else standin(name, version))


def find(folder, name, version):
    """(the .tgz or None, whether the chart is there in another version)"""
    real = False
    for entry in sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else []:
        chart = entry / "Chart.yaml"
        if chart.is_file():
            text = chart.read_text()
            if re.search(rf"^name:\s*[\"']?{re.escape(name)}[\"']?\s*$", text, re.M):
                real = True
                if re.search(rf"^version:\s*[\"']?{re.escape(version)}[\"']?\s*$", text, re.M):
                    files = {str(f.relative_to(entry)): f.read_bytes() for f in entry.rglob("*") if f.is_file()}
                    return archive(name, files), True
        elif re.fullmatch(rf"{re.escape(name)}-v?\d+\.\d+\.\d+.*\.tgz", entry.name):
            real = True
            if entry.name == f"{name}-{version}.tgz":
                return entry.read_bytes(), True
    return None, real


@functools.cache
def standin(name, version):
    if name == PROBE:
        return archive(
            name, {"Chart.yaml": chart_file(name, version), "values.yaml": b"{}\n", "templates/probe.yaml": PROBE_PAGE}
        )
    groups, gate = crds.CHARTS.get(name, ([], None))
    definitions = "".join("---\n" + json.dumps(crd) + "\n" for group in groups for crd in crds.of_group(group))
    own = TEMPLATES / f"{name}.tpl"
    files = {
        "Chart.yaml": chart_file(name, version),
        "values.yaml": b"{}\n",
        "templates/_names.tpl": (TEMPLATES / "names.tpl").read_bytes(),
        "templates/objects.yaml": (own if own.exists() else TEMPLATES / "standin.tpl").read_bytes(),
    }
    if name in webhooks.OF_CHARTS:
        files["templates/webhooks.yaml"] = webhooks.template(name).encode()
    if definitions and gate is None:
        files["crds/crds.yaml"] = definitions.encode()
    elif definitions:
        path, default = gate
        files["files/crds.yaml"] = definitions.encode()
        files["templates/crds.yaml"] = (
            (
                f"{{{{ if dig {' '.join(json.dumps(p) for p in path.split('.'))} {json.dumps(default)} .Values.AsMap }}}}"
                '{{ .Files.Get "files/crds.yaml" }}{{ end }}'
            ).encode()
            if path
            else b'{{ .Files.Get "files/crds.yaml" }}'
        )
    return archive(name, files)


def chart_file(name, version):
    about = "A stand-in: not the real chart."
    return json.dumps(
        {"apiVersion": "v2", "name": name, "version": version, "appVersion": "stand-in", "description": about}
    ).encode()


def archive(name, files):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)
