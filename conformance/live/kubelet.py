# The part of a kubelet that kwok does not play: a pod starts only once every Secret and ConfigMap that it names is there. Until
# then it stays Pending, its containers waiting with CreateContainerConfigError. kwok's stage `pod-start` waits for the condition.
import sys
import threading
import time

from live import kube as k

CONFIGURED = "live/Configured"


def play(api):
    waiting = {}

    def seen(event, pod):
        key = k.name(pod)
        scheduled = pod["spec"].get("nodeName") and pod.get("status", {}).get("phase") == "Pending"
        if event == "DELETED" or not scheduled or pod["metadata"].get("deletionTimestamp"):
            waiting.pop(key, None)
        elif k.condition(pod, CONFIGURED).get("status") != "True" and key not in waiting:
            waiting[key] = pod["metadata"]["uid"]
            look(api, pod)

    def again():
        while True:
            time.sleep(0.5)
            for key, uid in list(waiting.items()):
                namespace, _, name = key.partition("/")
                try:
                    pod = api.find(f"/api/v1/namespaces/{namespace}/pods/{name}")
                    if not pod or pod["metadata"]["uid"] != uid or look(api, pod):
                        waiting.pop(key, None)
                except (OSError, k.Refused) as error:
                    print(f"kubelet: {key}: {error}", file=sys.stderr, flush=True)

    k.Watch(api, "/api/v1/pods", seen)
    threading.Thread(target=again, daemon=True).start()


def look(api, pod):
    """Whether the pod may start now; says so in its status either way."""
    namespace, path = pod["metadata"]["namespace"], api.path(pod) + "/status"
    missing = None
    for kind, plural, name in needs(pod):
        if not api.find(f"/api/v1/namespaces/{namespace}/{plural}/{name}"):
            missing = f'{kind.lower()} "{name}" not found'
            break
    media = "application/strategic-merge-patch+json"
    if not missing:
        entry = {"type": CONFIGURED, "status": "True", "lastTransitionTime": now()}
        api.request("PATCH", path, {"status": {"conditions": [entry]}}, media)
        return True
    statuses = pod["status"].get("containerStatuses") or []
    if not any(missing == ((each.get("state") or {}).get("waiting") or {}).get("message") for each in statuses):
        state = {"waiting": {"reason": "CreateContainerConfigError", "message": missing}}
        statuses = [
            {"name": each["name"], "image": each["image"], "imageID": "", "ready": False, "restartCount": 0, "state": state}
            for each in pod["spec"]["containers"]
        ]
        api.request("PATCH", path, {"status": {"containerStatuses": statuses}}, media)
    return False


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
