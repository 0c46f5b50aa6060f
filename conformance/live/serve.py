# The services outside the cluster, and the work of programs in its pods, in one process, on loopback only:
#
#   /git/…      the repository under test, smart HTTP (source-controller speaks no other)
#   /helm/NAME  a Helm repository with a chart for each HelmRelease that names the HelmRepository NAME
#   /v2/…       the same charts as an OCI registry, and the manifests that travel in the Flux Operator's image
#   /events     takes what Flux's controllers send to notification-controller
#   metrics     metrics.k8s.io: usage = load x request, load from load.json
#
# Beside them: the way from the API server to pods (`live/network.py`), External Secrets (`live/stores.py`), certificates
# (`live/certificates.py`), Prometheus' operator (`live/prometheus_operator.py`), volumes (`live/volumes.py`) and the part of a kubelet
# that waits for Secrets and starts programs (`live/kubelet.py`).
import datetime
import functools
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from live import certificates, charts, kubelet, network, stores, volumes
from live import kube as k
from live.pods import Pods
from live.prometheus_operator import Operators

WORK: Path
API: k.Kube


def now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, data, media="application/json", code=200, **headers):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(code)
        for key, value in {"Content-Type": media, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self):
        self.answer({"errors": [{"code": "NOT_FOUND", "message": self.path}]}, code=404)

    def do_GET(self):
        self.missing()

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, form, *rest):
        sys.stderr.write(f"{now()} {form % rest}\n")
        sys.stderr.flush()


class Web(Handler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/git/") and "service=git-upload-pack" in query:
            self.answer(
                b"001e# service=git-upload-pack\n0000" + upload_pack(b"", "--advertise-refs"),
                "application/x-git-upload-pack-advertisement",
                Cache_Control="no-cache",
            )
        elif found := re.fullmatch(r"/helm/([^/]+)/index\.yaml", path):
            entries = {}
            for chart in charts.wanted(WORK):
                if chart["repository"] == found[1]:
                    data = charts.package(WORK, chart["name"], chart["version"])
                    if data:
                        entries.setdefault(chart["name"], []).append(
                            {
                                "apiVersion": "v2",
                                "name": chart["name"],
                                "version": chart["version"],
                                "digest": digest(data)[7:],
                                "urls": [f"charts/{chart['name']}-{chart['version']}.tgz"],
                            }
                        )
            self.answer({"apiVersion": "v1", "entries": entries}, "application/yaml")
        elif found := re.fullmatch(r"/helm/[^/]+/charts/(.+)-(v?\d+\.\d+\.\d+.*)\.tgz", path):
            data = charts.package(WORK, found[1], found[2])
            self.answer(data, "application/gzip") if data else self.missing()
        elif path == "/v2/":
            self.answer({})
        elif found := re.fullmatch(r"/v2/flux-operator-manifests/(manifests|blobs)/(.+)", path):
            self.operator_manifests(found[2])
        elif found := re.fullmatch(r"/v2/(.+)/(tags/list|manifests/(.+)|blobs/(.+))", path):
            self.registry(found[1].rsplit("/", 1)[-1], *found.groups()[1:])
        else:
            self.missing()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if "Content-Length" in self.headers else self.chunked()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.path == "/events":
            self.answer({}, code=202)
        elif self.path.endswith("/git-upload-pack"):
            self.answer(upload_pack(body), "application/x-git-upload-pack-result")
        else:
            self.missing()

    def chunked(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def operator_manifests(self, wanted):
        """One image for each version of Flux, whose only layer is what lies in the operator's image for it."""
        built = Path(json.loads((WORK / "state.json").read_text())["bin"]) / "flux-operator-manifests"
        for folder in sorted(built.glob("flux/v*")):
            layer = operator_layer(built, folder.name)
            config = json.dumps(
                {
                    "architecture": "amd64",
                    "os": "linux",
                    "config": {},
                    "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]},
                }
            ).encode()
            media = "application/vnd.oci.image.manifest.v1+json"
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": media,
                    "config": {
                        "mediaType": "application/vnd.oci.image.config.v1+json",
                        "digest": digest(config),
                        "size": len(config),
                    },
                    "layers": [
                        {
                            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                            "digest": digest(layer),
                            "size": len(layer),
                        }
                    ],
                }
            ).encode()
            if wanted in (folder.name.removeprefix("v"), folder.name, digest(manifest)):
                return self.answer(manifest, media, Docker_Content_Digest=digest(manifest))
            for data in (layer, config):
                if wanted == digest(data):
                    return self.answer(data, "application/octet-stream", Docker_Content_Digest=wanted)
        self.missing()

    def registry(self, name, what, tag, blob):
        versions = sorted({c["version"] for c in charts.wanted(WORK) if c["name"] == name})
        if what == "tags/list":
            return self.answer({"name": name, "tags": [v.replace("+", "_") for v in versions]}) if versions else self.missing()
        for version in versions:
            layer = charts.package(WORK, name, version)
            if not layer:
                continue
            config = json.dumps({"apiVersion": "v2", "name": name, "version": version}).encode()
            media = "application/vnd.oci.image.manifest.v1+json"
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": media,
                    "config": {
                        "mediaType": "application/vnd.cncf.helm.config.v1+json",
                        "digest": digest(config),
                        "size": len(config),
                    },
                    "layers": [
                        {
                            "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                            "digest": digest(layer),
                            "size": len(layer),
                        }
                    ],
                }
            ).encode()
            if tag in (version.replace("+", "_"), digest(manifest)):
                return self.answer(manifest, media, Docker_Content_Digest=digest(manifest))
            for data in (layer, config):
                if blob == digest(data):
                    return self.answer(data, "application/octet-stream", Docker_Content_Digest=blob)
        self.missing()


@functools.cache
def operator_layer(built, version):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for part in ("flux", "flux-images"):
            for file in sorted((built / part / version).rglob("*")):
                if file.is_file():
                    tar.add(file, str(file.relative_to(built)), recursive=False)
    return gzip.compress(plain.getvalue(), mtime=0)


def upload_pack(body, *options):
    return subprocess.run(
        ["git", "upload-pack", "--stateless-rpc", *options, WORK / "tree"], input=body, capture_output=True, check=True
    ).stdout


class Metrics(Handler):
    """Resource metrics, as far as the HPA controller and `kubectl top` ask for them. One answer, and the connection ends: the next one
    finds out anew which pod is there."""

    def answer(self, data, *rest, **headers):
        super().answer(data, *rest, Connection="close", **headers)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        base = "/apis/metrics.k8s.io/v1beta1"
        group = {"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}
        if path == "/apis/metrics.k8s.io":
            return self.answer(
                {
                    "kind": "APIGroup",
                    "apiVersion": "v1",
                    "name": "metrics.k8s.io",
                    "versions": [group],
                    "preferredVersion": group,
                }
            )
        if path == base:
            return self.answer(
                {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": "metrics.k8s.io/v1beta1",
                    "resources": [
                        {
                            "name": "pods",
                            "singularName": "",
                            "namespaced": True,
                            "kind": "PodMetrics",
                            "verbs": ["get", "list"],
                        },
                        {
                            "name": "nodes",
                            "singularName": "",
                            "namespaced": False,
                            "kind": "NodeMetrics",
                            "verbs": ["get", "list"],
                        },
                    ],
                }
            )
        if found := re.fullmatch(base + r"(?:/namespaces/([^/]+))?/pods", path):
            selector = urllib.parse.parse_qs(query).get("labelSelector", [""])[0]
            where = f"/api/v1/namespaces/{found[1]}/pods" if found[1] else "/api/v1/pods"
            pods = API.list(where + "?" + urllib.parse.urlencode({"labelSelector": selector}))
            return self.answer(
                {
                    "kind": "PodMetricsList",
                    "apiVersion": "metrics.k8s.io/v1beta1",
                    "metadata": {},
                    "items": [self.pod(p) for p in pods if p["status"].get("phase") == "Running"],
                }
            )
        self.missing()

    def pod(self, pod):
        file = WORK / "load.json"
        loads = json.loads(file.read_text()) if file.exists() else {}
        load = next((v for prefix, v in loads.items() if k.name(pod).startswith(prefix)), 0.2)
        containers = []
        for c in pod["spec"]["containers"]:
            ask = c.get("resources", {}).get("requests", {})
            containers.append(
                {
                    "name": c["name"],
                    "usage": {
                        "cpu": f"{int(k.cpu(ask.get('cpu')) * load * 1e9)}n",
                        "memory": str(int(k.memory(ask.get("memory")) * load)),
                    },
                }
            )
        return {
            "metadata": {
                "name": pod["metadata"]["name"],
                "namespace": pod["metadata"]["namespace"],
                "labels": pod["metadata"].get("labels"),
                "creationTimestamp": now(),
            },
            "timestamp": now(),
            "window": "10s",
            "containers": containers,
        }


def main(work):
    global WORK, API
    WORK = Path(work)
    state = json.loads((WORK / "state.json").read_text())
    API = k.Kube(state["api"], state["token"], str(WORK / "tls.crt"))
    pods = Pods(API)
    operators = Operators(WORK, pods)
    network.serve(WORK, API, pods, operators, Metrics)
    for play in (stores.play, certificates.play):
        threading.Thread(target=play, args=(pods, WORK), daemon=True).start()
    volumes.play(API)
    kubelet.play(API, pods, operators)
    ThreadingHTTPServer(("127.0.0.1", state["webPort"]), Web).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
