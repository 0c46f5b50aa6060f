# The namespace of an application refuses monitors that send a file of Prometheus' own pod to a target.
from live.kube import Refused
from live.scenarios.observing import Skip, applications

PATH = "/apis/monitoring.coreos.com/v1/namespaces/{}/servicemonitors"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
GOOD: dict[str, object] = {"port": "http", "authorization": {"credentials": {"name": "token", "key": "token"}}}
FILES: dict[str, dict[str, object]] = {
    "a token": {"bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
    "an authority": {"tlsConfig": {"caFile": "/etc/prometheus/ca.pem"}},
    "a certificate": {"tlsConfig": {"certFile": "/etc/prometheus/cert.pem"}},
    "a key": {"tlsConfig": {"keyFile": "/etc/prometheus/key.pem"}},
}


def monitors(live):
    """Each application's namespace refuses a monitor with a file, when it is made and when it is changed; the platform's does not."""
    if not any("servicemonitors" in str(policy["spec"].get("matchConstraints")) for policy in live.kube.list(POLICIES)):
        raise Skip("no ValidatingAdmissionPolicy about ServiceMonitors")
    platform = {thing["metadata"]["namespace"] for thing in live.kube.list("/apis/monitoring.coreos.com/v1/prometheuses")}
    spaces = sorted({deployment["metadata"]["namespace"] for deployment, _ in applications(live)} - platform)
    if not spaces:
        raise Skip("no namespace of an application")
    wrong = []
    for space in spaces:
        if answer := attempt(live, space, GOOD):
            wrong.append(f"namespace {space} refuses a monitor without a file: {answer}")
        path = live.kube.path(live.kube.apply(monitor(space, GOOD)))
        try:
            for what, more in FILES.items():
                # The second endpoint: a policy that looks only at the first one would let it pass.
                for how, answer in (
                    ("takes", attempt(live, space, GOOD, GOOD | more)),
                    ("lets change", changed(live, space, GOOD | more)),
                ):
                    if not answer or "Prometheus" not in answer:
                        wrong.append(
                            f"namespace {space} {how} a monitor that sends {what} of Prometheus' pod"
                            + (f": {answer}" if answer else "")
                        )
        finally:
            live.kube.delete(path)
    for space in sorted(platform):
        for what, more in FILES.items():
            if answer := attempt(live, space, GOOD | more):
                wrong.append(f"namespace {space}, which is the platform's, refuses a monitor with {what}: {answer}")
    return wrong, f"{len(spaces)} namespaces, {len(FILES)} files each"


def monitor(space, *endpoints, name="live-monitor"):
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": name, "namespace": space},
        "spec": {"selector": {"matchLabels": {"app": "nobody"}}, "endpoints": list(endpoints)},
    }


def attempt(live, space, *endpoints):
    """Why the API server refuses such a monitor; None if it does not."""
    try:
        live.kube.request("POST", PATH.format(space) + "?dryRun=All", monitor(space, *endpoints, name="live-another"))
    except Refused as error:
        return str(error)


def changed(live, space, endpoint):
    try:
        live.kube.apply(monitor(space, endpoint), dry_run=True)
    except Refused as error:
        return str(error)
