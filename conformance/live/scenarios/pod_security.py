# The pods that a namespace admits.
from live.kube import Refused, name
from live.scenarios.observing import applications

ENFORCE = "pod-security.kubernetes.io/enforce"


def pod_security(live):
    """The namespaces of applications and of Flux refuse a pod that breaks the restricted profile, and take one that keeps it.
    No namespace refuses the pods of its own Deployments."""
    flux = live.read("root.json")["source"].split("/")[0]
    wrong, spaces = [], sorted({d["metadata"]["namespace"] for d, _ in applications(live)} | {flux})
    container = {"name": "c", "image": "example.invalid/c:1"}
    good = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                **container,
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1m", "memory": "1Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
    bad = {
        "no seccompProfile": {**good, "securityContext": {"runAsNonRoot": True}},
        "root": {**good, "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}},
        "privileged": {**good, "containers": [{**container, "securityContext": {"privileged": True}}]},
        "host network": {**good, "hostNetwork": True},
        "host path": {**good, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
    }

    def attempt(space, spec):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "live-probe", "namespace": space}, "spec": spec}
        try:
            live.kube.request("POST", f"/api/v1/namespaces/{space}/pods?dryRun=All", pod)
        except Refused as error:
            return str(error)

    for space in spaces:
        for what, spec in bad.items():
            answer = attempt(space, spec)
            if not answer or "violates PodSecurity" not in answer:
                wrong.append(f"namespace {space} takes a pod with {what}" + (f" (refused only by: {answer})" if answer else ""))
        if answer := attempt(space, good):
            wrong.append(f"namespace {space} refuses a decent pod: {answer}")
    levels = {
        each["metadata"]["name"]: (each["metadata"].get("labels") or {}).get(ENFORCE)
        for each in live.kube.list("/api/v1/namespaces")
    }
    own = [each for each in live.kube.list("/apis/apps/v1/deployments") if levels[each["metadata"]["namespace"]]]
    if flux not in {each["metadata"]["namespace"] for each in own}:
        wrong.append(f"namespace {flux} has no level, or no Deployment")
    for deployment in own:
        answer = attempt(deployment["metadata"]["namespace"], deployment["spec"]["template"]["spec"])
        if answer and "violates PodSecurity" in answer:
            wrong.append(f"Deployment {name(deployment)} has pods that its namespace refuses: {answer}")
    return wrong, f"{len(spaces)} namespaces, {len(bad)} bad pods each, {len(own)} Deployments"
