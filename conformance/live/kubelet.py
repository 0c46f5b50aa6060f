# The part of a kubelet that kwok does not play: a pod starts only when all its Secrets and ConfigMaps exist and the start-up work of
# its programs is done. Until then it stays Pending, and its containers wait with CreateContainerConfigError or RunContainerError.
# kwok's stage `pod-start` waits for the condition.
import sys
import threading
import time

from live import certificates
from live import kube as k
from live.pods import mounted, work_of

CONFIGURED = "live/Configured"


def play(api, pods, operators):
    waiting, news = {}, threading.Event()

    def seen(event, pod):
        key = k.name(pod)
        scheduled = pod["spec"].get("nodeName") and pod.get("status", {}).get("phase") == "Pending"
        if event == "DELETED" or not scheduled or pod["metadata"].get("deletionTimestamp"):
            waiting.pop(key, None)
        elif k.condition(pod, CONFIGURED).get("status") != "True" and key not in waiting:
            waiting[key] = pod["metadata"]["uid"]
            news.set()

    def again():
        while True:
            news.wait(0.5)
            news.clear()
            for key, uid in list(waiting.items()):
                namespace, _, name = key.partition("/")
                try:
                    pod = api.find(f"/api/v1/namespaces/{namespace}/pods/{name}")
                    if not pod or pod["metadata"]["uid"] != uid or look(api, pod, pods, operators):
                        waiting.pop(key, None)
                except (OSError, k.Refused) as error:
                    print(f"kubelet: {key}: {error}", file=sys.stderr, flush=True)

    k.Watch(api, "/api/v1/pods", seen)
    threading.Thread(target=again, daemon=True).start()


def look(api, pod, pods, operators):
    """Whether the pod may start now; says so in its status either way."""
    path = api.path(pod) + "/status"
    reason, why = "CreateContainerConfigError", missing(api, pod)
    if not why:
        reason, why = "RunContainerError", refused(pod, pods, operators)
    media = "application/strategic-merge-patch+json"
    if not why:
        entry = {"type": CONFIGURED, "status": "True", "lastTransitionTime": now()}
        api.request("PATCH", path, {"status": {"conditions": [entry]}}, media)
        return True
    statuses = pod["status"].get("containerStatuses") or []
    if not any(why == ((each.get("state") or {}).get("waiting") or {}).get("message") for each in statuses):
        state = {"waiting": {"reason": reason, "message": why}}
        statuses = [
            {"name": each["name"], "image": each["image"], "imageID": "", "ready": False, "restartCount": 0, "state": state}
            for each in pod["spec"]["containers"]
        ]
        api.request("PATCH", path, {"status": {"containerStatuses": statuses}}, media)
    return False


def missing(api, pod):
    """What a kubelet waits for before it starts a container, or None."""
    for kind, plural, name in needs(pod):
        if not api.find(f"/api/v1/namespaces/{pod['metadata']['namespace']}/{plural}/{name}"):
            return f'{kind.lower()} "{name}" not found'
    served = any(work_of(each) == "secrets webhook" for each in pod["spec"]["containers"])
    if served and not any(data.get("tls.crt") for _, data in mounted(api, pod)):
        return "its certificate is not there yet"  # the real one starts, and is not ready before
    return None


def refused(pod, pods, operators):
    """The reason why the start-up work of a program fails, or None when it is done."""
    try:
        for container in pod["spec"]["containers"]:
            what = work_of(container)
            if what in certificates.AT_START:
                certificates.AT_START[what](pods.account(pod), pod, container)
            elif what == "prometheus operator":
                operators.start(pods.account(pod), pod, container)
    except k.Refused as error:
        return str(error)
    return None


def needs(pod):
    """(kind, plural, name) of each object that is not optional and without which a kubelet starts nothing or pulls nothing."""
    spec = pod["spec"]
    for container in (spec.get("initContainers") or []) + spec["containers"]:
        for source in container.get("envFrom") or []:
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if field in source and not source[field].get("optional"):
                    yield kind, kind.lower() + "s", source[field]["name"]
        for variable in container.get("env") or []:
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                ref = (variable.get("valueFrom") or {}).get(field)
                if ref and not ref.get("optional"):
                    yield kind, kind.lower() + "s", ref["name"]
    for volume in spec.get("volumes") or []:
        for source in [volume, *((volume.get("projected") or {}).get("sources") or [])]:
            for field, kind, named in (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name")):
                ref = source.get(field)
                if ref and not ref.get("optional") and (ref.get(named) or ref.get("name")) != "kube-root-ca.crt":
                    yield kind, kind.lower() + "s", ref.get(named) or ref["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", "persistentvolumeclaims", volume["persistentVolumeClaim"]["claimName"]
    for ref in spec.get("imagePullSecrets") or []:
        yield "Secret", "secrets", ref["name"]


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
