# Observes a cluster for the scenarios: what is ready, what changed, how many endpoints a Service had. Checks nothing.
import hashlib
import json
import math
import time

from live import kube as k
from live.kube import Refused, condition, name, selects

SYSTEM = {"kube-system", "kube-public", "kube-node-lease", "flux-system", "default"}
DEPLOYMENTS = "/apis/apps/v1/deployments"
# Kinds that change by themselves, or mirror others.
RESTLESS = {
    "Event",
    "Lease",
    "Endpoints",
    "EndpointSlice",
    "ComponentStatus",
    "PodMetrics",
    "NodeMetrics",
    "Pod",
    "Node",
    "ControllerRevision",
    "CertificateSigningRequest",
    "CSINode",
    "IPAddress",
    "APIService",
    "LeaseCandidate",
}

# Annotations of controllers. The webhook of Prometheus' operator adds the last one to a rule, at the first apply after it runs.
BOOKKEEPING = {"deployment.kubernetes.io/revision", "prometheus-operator-validated"}
# The objects that the operator creates contain every monitor and every rule.
WRITERS = {"Prometheus", "Alertmanager"}


class Skip(Exception):
    """The repository has no subject for this scenario."""


def set_load(live, loads):
    (live.work / "load.json").write_text(json.dumps(loads))


def until(check, seconds, every=0.3):
    """The first truthy answer of check(), or the last answer once the time is over."""
    end = time.time() + seconds
    while not (answer := check()) and time.time() < end:
        time.sleep(every)
    return answer


def ready(pod):
    return condition(pod, "Ready").get("status") == "True" and not pod["metadata"].get("deletionTimestamp")


def pods_of(live, namespace, selector):
    return [p for p in live.kube.list(f"/api/v1/namespaces/{namespace}/pods") if selects(selector, p["metadata"].get("labels"))]


def template_labels(workload):
    return workload["spec"]["template"]["metadata"].get("labels")


def belongs_to_application(kustomization):
    """Whether it is an application's own: those are applied by an account of the application, all others by Flux's."""
    return kustomization["spec"].get("serviceAccountName") not in (None, "kustomize-controller")


def applications(live):
    """(Deployment, Service) pairs that the repository itself carries: neither a chart's nor Flux's, and of no negative priority."""
    pairs = []
    services = live.kube.list("/api/v1/services")
    for deployment in live.kube.list(DEPLOYMENTS):
        meta = deployment["metadata"]
        if "kustomize.toolkit.fluxcd.io/name" not in (meta.get("labels") or {}) or meta["namespace"] in SYSTEM:
            continue
        for service in services:
            if (
                service["metadata"]["namespace"] == meta["namespace"]
                and service["spec"].get("selector")
                and selects(service["spec"]["selector"], template_labels(deployment))
            ):
                pairs.append((deployment, service))
                break
    if not pairs:
        raise Skip("no Deployment with a Service outside charts and flux-system")
    return pairs


def rolled_out(live, path):
    thing = live.kube.get(path)
    want, status = thing["spec"].get("replicas", 1), thing.get("status", {})
    return (
        status.get("observedGeneration") == thing["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == want
        and status.get("replicas", 0) == want
        and status.get("availableReplicas", 0) == want
    )


def count(value, total, up):
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * total / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)


class Endpoints:
    """The lowest number of ready endpoints that each Service had while this watched."""

    def __init__(self, live, services):
        self.services = {name(s) for s in services}
        self.slices, self.lowest, self.trace = {}, {}, {}
        self.watch = k.Watch(live.kube, "/apis/discovery.k8s.io/v1/endpointslices", self.seen)
        until(lambda: self.services <= set(self.lowest), 60, 0.1)
        self.lowest.clear()
        for service in self.services:
            self.note(service)

    def seen(self, event, thing):
        service = f"{thing['metadata']['namespace']}/{(thing['metadata'].get('labels') or {}).get('kubernetes.io/service-name')}"
        if service in self.services:
            self.slices.setdefault(service, {})[thing["metadata"]["name"]] = (
                [] if event == "DELETED" else thing.get("endpoints") or []
            )
            self.note(service)

    def note(self, service):
        now = sum(
            1 for endpoints in self.slices.get(service, {}).values() for e in endpoints if (e.get("conditions") or {}).get("ready")
        )
        self.lowest[service] = min(now, self.lowest.get(service, now))

    def stop(self):
        self.watch.stop()
        return self.lowest


def snapshot(live):
    """Every object of every settled kind: its uid, its generation (its version, where the kind has no generation and no
    status), and a hash over all that is neither status nor bookkeeping."""
    found = {}
    for group, kind, plural, _ in live.kube.kinds():
        if kind in RESTLESS:
            continue
        try:
            things = live.kube.list(f"{k.root(group)}/{plural}")
        except Refused:
            continue
        for thing in things:
            meta = thing["metadata"]
            if any(owner["kind"] in WRITERS for owner in meta.get("ownerReferences") or []):
                continue
            body = {key: value for key, value in thing.items() if key not in ("status", "metadata")}
            body["labels"], body["finalizers"] = meta.get("labels"), meta.get("finalizers")
            body["annotations"] = {
                a: v
                for a, v in (meta.get("annotations") or {}).items()
                if not a.startswith("reconcile.fluxcd.io/") and a not in BOOKKEEPING
            }
            found[kind, meta.get("namespace", ""), meta["name"]] = (
                meta["uid"],
                meta.get("generation", None if "status" in thing else "at " + meta["resourceVersion"]),
                hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest(),
            )
    return found


def show(key):
    return f"{key[0]} {key[1] + '/' if key[1] else ''}{key[2]}"
