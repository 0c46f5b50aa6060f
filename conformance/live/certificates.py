# The certificates of webhooks that pods create after their chart is installed: the Jobs of kube-prometheus-stack
# (kube-webhook-certgen) and External Secrets' certificate controller, each with the permissions of its service account.
import base64
import functools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from live import kube as k
from live.pods import option

HOOKS = "/apis/admissionregistration.k8s.io/v1"
KINDS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


def create(api, pod, container):
    """What the Job before an installation does: a certificate in a Secret, unless it is there."""
    namespace, name = option(container, "namespace"), option(container, "secret-name")
    where = f"/api/v1/namespaces/{namespace}/secrets"
    if not api.find(f"{where}/{name}"):
        authority, certificate, key = pair(tuple(option(container, "host").split(",")))
        data = {"ca": authority, "cert": certificate, "key": key}
        meta = {"name": name, "namespace": namespace}
        api.request("POST", where, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": encoded(data)})


def patch(api, pod, container):
    """What the Job after an installation does: the authority, and what a failure means, into both webhook configurations."""
    namespace, name = option(container, "namespace"), option(container, "secret-name")
    data = api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
    for kind in KINDS:
        path = f"{HOOKS}/{kind}/{option(container, 'webhook-name')}"
        config = api.get(path)
        for hook in config["webhooks"]:
            hook["clientConfig"]["caBundle"] = data["ca"]
            hook["failurePolicy"] = option(container, "patch-failure-policy") or hook["failurePolicy"]
        api.request("PUT", path, config)


AT_START = {"certificate create": create, "certificate patch": patch}


def play(pods, _work):
    """External Secrets' certificate controller, for as long as a pod of it runs."""
    while True:
        for pod, container in pods.doing("secrets certificates")[:1]:
            try:
                inject(pods.account(pod), container)
            except (OSError, k.Refused) as error:
                print(f"certificates: {k.name(pod)}: {error}", file=sys.stderr, flush=True)
        time.sleep(0.5)


def inject(api, container):
    namespace, name = option(container, "secret-namespace"), option(container, "secret-name")
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    data = api.get(path).get("data") or {}
    if data.get("tls.key"):
        fresh = None
    else:
        service = f"{option(container, 'service-name')}.{option(container, 'service-namespace')}"
        authority, certificate, key = pair((f"{service}.svc", service))
        data = fresh = encoded({"ca.crt": authority, "tls.crt": certificate, "tls.key": key})
    for config in api.list(f"{HOOKS}/validatingwebhookconfigurations"):
        labels = config["metadata"].get("labels") or {}
        hooks = config["webhooks"] if labels.get("external-secrets.io/component") == "webhook" else []
        if any(hook["clientConfig"].get("caBundle") != data["ca.crt"] for hook in hooks):
            for hook in hooks:
                hook["clientConfig"]["caBundle"] = data["ca.crt"]
            api.merge(f"{HOOKS}/validatingwebhookconfigurations/{config['metadata']['name']}", {"webhooks": hooks})
    if fresh:  # last: the webhook's pods wait for it
        api.merge(path, {"data": fresh})


def encoded(data):
    return {key: base64.b64encode(value).decode() for key, value in data.items()}


@functools.cache
def pair(names):
    """(authority, certificate, key) for a server of these names. The authority is the certificate itself."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=blueprint-live"]
        command += ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return certificate.read_bytes(), certificate.read_bytes(), key.read_bytes()
