# The pods in the API server, kept up to date by a watch; the program of each container; and the API with a pod's permissions.
import base64

from live import kube as k

TOKEN = "kube-api-access-"


class Pods:
    def __init__(self, api):
        self.api, self.known, self.accounts = api, {}, {}
        k.Watch(api, "/api/v1/pods", self.seen)

    def seen(self, event, pod):
        uid = pod["metadata"]["uid"]
        if event == "DELETED":
            self.known.pop(uid, None)
            self.accounts.pop(uid, None)
        else:
            self.known[uid] = pod

    def at(self, address):
        """The running pod with this address; a pod in the network of its node is none, for it shares the address."""
        for pod in list(self.known.values()):
            if (pod.get("status") or {}).get("podIP") == address and running(pod) and not pod["spec"].get("hostNetwork"):
                return pod
        return None

    def here(self, uid):
        return uid in self.known and running(self.known[uid])

    def doing(self, what):
        """(pod, container) of each running pod that does this, the oldest first."""
        found = [(pod, part) for pod in list(self.known.values()) if running(pod) for part in pod["spec"]["containers"]]
        found = [(pod, part) for pod, part in found if work_of(part) == what]
        return sorted(found, key=lambda each: each[0]["metadata"]["creationTimestamp"])

    def account(self, pod):
        """The API with the rights of a pod's service account; k.Refused where the pod gets no token."""
        uid = pod["metadata"]["uid"]
        if uid not in self.accounts:
            if not any(volume["name"].startswith(TOKEN) for volume in pod["spec"].get("volumes") or []):
                raise k.Refused(403, f"{k.name(pod)} has no token of its service account")
            self.accounts[uid] = self.api.as_account(pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"])
        return self.accounts[uid]


def running(pod):
    return (pod.get("status") or {}).get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")


def work_of(container):
    """What a container does, as far as the harness does it for it: by the name of its image, whatever registry it comes from."""
    image = container["image"].split("@")[0].rsplit("/", 1)[-1].split(":")[0]
    first = next(iter(container.get("args") or []), "")
    if image == "external-secrets":
        return {"webhook": "secrets webhook", "certcontroller": "secrets certificates"}.get(first, "secrets")
    if image == "kube-webhook-certgen":
        return f"certificate {first}"
    return {
        "aws-load-balancer-controller": "load balancers",
        "metrics-server": "metrics",
        "prometheus-operator": "prometheus operator",
    }.get(image)


def option(container, name):
    """The value of `--name=value` among a container's arguments."""
    for argument in container.get("args") or []:
        if argument.startswith(f"--{name}="):
            return argument.split("=", 1)[1]
    return None


def mounted(api, pod):
    """(name, {file: bytes}) of each Secret that is a volume of a pod, as the API server has it now."""
    for volume in pod["spec"].get("volumes") or []:
        named = (volume.get("secret") or {}).get("secretName")
        secret = named and api.find(f"/api/v1/namespaces/{pod['metadata']['namespace']}/secrets/{named}")
        if secret:
            yield volume["name"], {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
