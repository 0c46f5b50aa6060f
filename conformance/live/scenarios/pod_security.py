# Which pods an application's namespace takes.
from live.kube import Refused
from live.scenarios.observing import applications


def pod_security(live):
    """Each application's namespace refuses a pod that breaks the restricted profile, and takes one that keeps it."""
    wrong, spaces = [], sorted({d["metadata"]["namespace"] for d, _ in applications(live)})
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
    return wrong, f"{len(spaces)} namespaces, {len(bad)} bad pods each"
