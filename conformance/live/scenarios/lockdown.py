# Flux refuses objects without a service account, proven by real attempts, and all rendered objects have one. Each attempt has a
# counterpart that differs only in the forbidden part and must succeed, so that no attempt fails for another reason.
import json

from live import charts, repository, sync
from live.history import FLUX
from live.kube import condition, name
from live.scenarios.observing import Skip, until

BRANCH = "live-lockdown"
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: live-lockdown\n  namespace: default\n"
PLAIN = {"plain/kustomization.yaml": "resources:\n  - object.yaml\n", "plain/object.yaml": OBJECT}


def lockdown(live):
    wrong = [
        f"{thing['kind']} {name(thing)} names no `serviceAccountName`"
        for thing in sync.flux_objects(live)
        if not thing["spec"].get("serviceAccountName")
    ]
    # The remote base exists: it is the folder beside it, by its URL.
    base = f"git::{live.state['web']}/git/repository//plain?ref={BRANCH}"
    repository.publish_branch(live, BRANCH, {**PLAIN, "remote/kustomization.yaml": f"resources:\n  - {base}\n"})
    made = []
    try:
        attempts = [*kustomizations(live), *releases(live)]
        for attempt in attempts:
            for thing in attempt["objects"]:
                made.append(live.kube.apply(thing))
        for attempt in attempts:
            wrong += judge(live, attempt)
    finally:
        for thing in reversed(made):
            live.kube.delete(live.kube.path(thing))
        for path in [live.kube.path(thing) for thing in made]:
            until(lambda path=path: live.kube.find(path) is None, 120)
    return wrong, f"{len(attempts)} attempts"


def judge(live, attempt):
    path = live.kube.path(attempt["objects"][-1])

    def as_wanted():
        ready = condition(live.kube.get(path), "Ready")
        if attempt["says"] is None:
            return ready.get("status") == "True"
        return ready.get("status") == "False" and attempt["says"] in ready.get("message", "")

    if until(as_wanted, 180):
        return []
    ready = condition(live.kube.get(path), "Ready")
    words = " ".join(ready.get("message", "nothing").split())
    if attempt["says"] is None:
        return [f"{attempt['what']} had to succeed, but: {words}"]
    if ready.get("status") == "True":
        return [f"{attempt['what']} was carried out"]
    return [f"{attempt['what']} failed for another reason: {words}"]


def kustomizations(live):
    namespace = live.read("root.json")["source"].split("/")[0]
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": BRANCH, "namespace": namespace},
        "spec": {"interval": "1h", "url": f"{live.state['web']}/git/repository", "ref": {"branch": BRANCH}},
    }

    def kustomization(own, path="plain", where=namespace, account="kustomize-controller", **more):
        spec = {
            "interval": "1h",
            "retryInterval": "2s",
            "path": f"./{path}",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": BRANCH},
            "serviceAccountName": account,
            **more,
        }
        spec = {key: value for key, value in spec.items() if value is not None}
        meta = {"name": f"live-{own}", "namespace": where}
        return {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": meta, "spec": spec}

    refused = f"system:serviceaccount:{namespace}:default"
    yield {"what": "a Kustomization with a service account", "says": None, "objects": [source, kustomization("named")]}
    yield {
        "what": "a Kustomization without `serviceAccountName`",
        "says": refused,
        "objects": [kustomization("unnamed", account=None)],
    }
    yield {
        "what": "a Kustomization with a remote base",
        "says": "fs-security-constraint",
        "objects": [kustomization("remote", "remote")],
    }
    across = {"kind": "GitRepository", "name": BRANCH, "namespace": namespace}
    yield {
        "what": "a Kustomization that takes another namespace's source",
        "says": "cross-namespace",
        "objects": [kustomization("across", where="default", account="default", sourceRef=across)],
    }


def releases(live):
    found = None
    for each in live.kube.list(FLUX["HelmRelease"]):
        source = ((each["spec"].get("chart") or {}).get("spec") or {}).get("sourceRef") or {}
        if source and source.get("kind", "HelmRepository") == "HelmRepository" and each["spec"].get("serviceAccountName"):
            found = found or each
    if not found:
        raise Skip("no HelmRelease whose chart comes from a HelmRepository")
    namespace, chart = found["metadata"]["namespace"], json.loads(json.dumps(found["spec"]["chart"]))
    chart["spec"] |= {"chart": charts.PROBE, "version": "1.0.0"}
    chart["spec"].pop("verify", None)

    def release(own, account):
        spec = {"interval": "1h", "timeout": "1m", "chart": chart, "targetNamespace": found["spec"].get("targetNamespace")}
        spec = {**{key: value for key, value in spec.items() if value is not None}, **account}
        meta = {"name": f"live-{own}", "namespace": namespace}
        return {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": meta, "spec": spec}

    account = {"serviceAccountName": found["spec"]["serviceAccountName"]}
    yield {"what": "a HelmRelease with a service account", "says": None, "objects": [release("named", account)]}
    yield {
        "what": "a HelmRelease without `serviceAccountName`",
        "says": f"system:serviceaccount:{namespace}:default",
        "objects": [release("unnamed", {})],
    }
