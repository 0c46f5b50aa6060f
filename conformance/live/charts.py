# Charts: real ones from a folder or from the build, the others made of rendered objects. The output is always the same, byte for byte.
import functools
import gzip
import io
import json
import re
import tarfile
from pathlib import Path

from live import rendered

# A page, and if a value enables it, a Deployment whose pod needs a ConfigMap.
PROBE_POD = b"""{{- with .Values.waitsFor }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}
  namespace: {{ $.Release.Namespace }}
spec:
  selector: {matchLabels: {live: {{ $.Release.Name }}}}
  template:
    metadata: {labels: {live: {{ $.Release.Name }}}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: probe
          image: images.example.com/probe:1
          envFrom: [{configMapRef: {name: {{ . }}}}]
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 16Mi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}
"""
PROBE_PAGE = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n"
# A chart in every Helm repository, with one ConfigMap, which the scenarios `lockdown` and `recover` try to install.
PROBE = "live-probe"
CHART, MADE, OTHER = "the chart itself", "rendered objects", "another version only"


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
    places = json.loads((Path(work) / "charts.json").read_text())
    if name == PROBE:
        return probe(version)
    origin, data = find(places, name, version)
    if origin == MADE:
        return made(Path(places["built"]).parent / "kubectl", name, version)
    return data


def find(places, name, version):
    """(where a chart comes from, its .tgz if it is a chart itself)"""
    data, other = in_folder(places["folder"], name, version)
    if not data and not other:
        data, _ = in_folder(places["built"], name, version)
    if data:
        return CHART, data
    return (OTHER if other else MADE), None


def require(places, charts):
    """Ends the run where a chart is to be made of rendered objects that are not there."""
    rendered.require()
    why = [
        rendered.missing(chart["name"], chart["version"])
        for chart in charts
        if chart["name"] != PROBE and find(places, chart["name"], chart["version"])[0] == MADE
    ]
    if any(why):
        raise SystemExit("live: " + "; ".join(dict.fromkeys(word for word in why if word)))


def in_folder(folder, name, version):
    """(the .tgz or None, whether the chart is there in another version)"""
    real = False
    for entry in sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else []:
        chart = entry / "Chart.yaml"
        if chart.is_file():
            text = chart.read_text()
            if re.search(rf"^name:\s*[\"']?{re.escape(name)}[\"']?\s*$", text, re.MULTILINE):
                real = True
                if re.search(rf"^version:\s*[\"']?{re.escape(version)}[\"']?\s*$", text, re.MULTILINE):
                    files = {str(f.relative_to(entry)): f.read_bytes() for f in entry.rglob("*") if f.is_file()}
                    return archive(name, files), True
        elif re.fullmatch(rf"{re.escape(name)}-v?\d+\.\d+\.\d+.*\.tgz", entry.name):
            real = True
            if entry.name == f"{name}-{version}.tgz":
                return entry.read_bytes(), True
    return None, real


@functools.cache
def made(kubectl, name, version):
    return None if rendered.missing(name, version) else archive(name, rendered.files(kubectl, name, version))


def probe(version):
    about = {"apiVersion": "v2", "name": PROBE, "version": version}
    files = {
        "Chart.yaml": json.dumps(about).encode(),
        "values.yaml": b"{}\n",
        "templates/probe.yaml": PROBE_PAGE,
        "templates/pod.yaml": PROBE_POD,
    }
    return archive(PROBE, files)


def archive(name, files):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)
