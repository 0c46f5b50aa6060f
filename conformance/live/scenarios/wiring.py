# All references between objects resolve: of Services to pods, of Ingresses to Services, of budgets and autoscalers to their targets,
# of policies and monitors to what they select, of pods to Secrets.
import base64
import gzip
import json

from live import kubelet
from live.kube import condition, name, selects
from live.scenarios.observing import SYSTEM, until

SECRETS = "/apis/external-secrets.io/v1/externalsecrets"
MONITORS = "/apis/monitoring.coreos.com/v1"
# A limit in seconds for all pods in the cluster.
SETTLED = 120
# EKS's own add-ons do not run here.
ADDONS = {"k8s-app": "kube-dns"}


def wiring(live):
    # Flux does not wait for objects that an operator creates after its release is Ready, so this does.
    until(lambda: not unfinished(live), SETTLED, 1)
    state = State(live)
    wrong, looked = [f"{what} has not all its pods" for what in unfinished(live)], 0
    checks = (
        services,
        ingresses,
        budgets,
        autoscalers,
        network_policies,
        service_monitors,
        pod_monitors,
        scraped,
        secrets,
        pods,
    )
    for check in checks:
        for mistake in check(state):
            looked += 1
            if mistake:
                wrong.append(mistake)
    return sorted(set(wrong)), f"{looked} references"


def unfinished(live):
    """The workloads that want more ready pods than they have."""
    found = []
    for plural in ("deployments", "statefulsets", "daemonsets"):
        for thing in live.kube.list(f"/apis/apps/v1/{plural}"):
            status = thing.get("status", {})
            wanted = status.get("desiredNumberScheduled", 0) if plural == "daemonsets" else thing["spec"].get("replicas", 1)
            there = status.get("numberReady", 0) if plural == "daemonsets" else status.get("readyReplicas", 0)
            if there < wanted and not spare(live, thing):
                found.append(f"{thing['kind']} {name(thing)}")
    return found


def spare(live, thing):
    """Whether its pods may lack room: they only hold it free for others."""
    priority = thing["spec"]["template"]["spec"].get("priorityClassName")
    kind = priority and live.kube.find(f"/apis/scheduling.k8s.io/v1/priorityclasses/{priority}")
    return bool(kind) and kind["value"] < 0


class State:
    """The cluster as it is now."""

    def __init__(self, live):
        self.kube = live.kube
        self.pods = live.kube.list("/api/v1/pods")
        self.services = {name(service): service for service in live.kube.list("/api/v1/services")}
        self.slices = live.kube.list("/apis/discovery.k8s.io/v1/endpointslices")

    def matching(self, namespace, selector, ended=False):
        """The pods that a selector finds; with `ended` also those whose work is done, which show that it finds such pods."""
        return [
            pod
            for pod in self.pods
            if pod["metadata"]["namespace"] == namespace
            and selects(selector, pod["metadata"].get("labels"))
            and (ended or pod["status"].get("phase") != "Succeeded")
        ]

    def list(self, path):
        """What there is of a kind that may not be defined at all."""
        return self.kube.list(path) if self.kube.find(path) else []


# Each check yields for each reference its failure, or nothing.


def services(state):
    for key, service in state.services.items():
        if service["spec"].get("selector") in (None, {}, ADDONS):
            continue
        meta, selector = service["metadata"], service["spec"]["selector"]
        endpoints = [
            endpoint
            for each in state.slices
            if each["metadata"]["namespace"] == meta["namespace"]
            and (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == meta["name"]
            for endpoint in each.get("endpoints") or []
        ]
        ready = any(endpoint.get("conditions", {}).get("ready") for endpoint in endpoints)
        yield None if ready else f"Service {key} has no ready endpoint: {json.dumps(selector)}"
        for port in service["spec"].get("ports") or []:
            target = port.get("targetPort")
            for pod in state.matching(meta["namespace"], selector) if isinstance(target, str) else []:
                named = [each.get("name") for container in pod["spec"]["containers"] for each in container.get("ports") or []]
                yield None if target in named else f"Service {key}: no container of {name(pod)} has a port named {target}"


def ingresses(state):
    for ingress in state.kube.list("/apis/networking.k8s.io/v1/ingresses"):
        paths = [path for rule in ingress["spec"].get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
        backends = [path["backend"] for path in paths]
        backends += [ingress["spec"]["defaultBackend"]] if ingress["spec"].get("defaultBackend") else []
        for backend in backends:
            wanted = backend.get("service")
            port = (wanted or {}).get("port") or {}
            # `use-annotation` is an action of the AWS Load Balancer Controller, no Service.
            if wanted and port.get("name") != "use-annotation":
                yield backend_mistake(state, ingress, wanted["name"], port)


def backend_mistake(state, ingress, wanted, port):
    service = state.services.get(f"{ingress['metadata']['namespace']}/{wanted}")
    if not service:
        return f"Ingress {name(ingress)}: no Service {wanted}"
    ports = service["spec"]["ports"]
    if any(each.get("name") == port["name"] if "name" in port else each["port"] == port.get("number") for each in ports):
        return None
    return f"Ingress {name(ingress)}: Service {wanted} has no port {port.get('name', port.get('number'))}"


def budgets(state):
    every = state.kube.list("/apis/policy/v1/poddisruptionbudgets")

    def covered(budget):
        return {name(pod) for pod in state.matching(budget["metadata"]["namespace"], budget["spec"]["selector"])}

    for budget in every:
        if not budget.get("status", {}).get("expectedPods"):
            yield f"PodDisruptionBudget {name(budget)} covers no pod"
        elif any(covered(other) & covered(budget) for other in every if name(other) != name(budget)):
            yield f"PodDisruptionBudget {name(budget)} shares pods with another: neither can be evicted"
        else:
            yield None


def autoscalers(state):
    for scaler in state.kube.list("/apis/autoscaling/v2/horizontalpodautoscalers"):
        path = state.kube.path(scaler)
        if until(lambda path=path: condition(state.kube.get(path), "ScalingActive").get("status") == "True", 120):
            yield None
            continue
        now = state.kube.get(path)
        words = condition(now, "ScalingActive").get("message") or condition(now, "AbleToScale").get("message")
        yield f"HorizontalPodAutoscaler {name(scaler)}: {words}"


def network_policies(state):
    for policy in state.kube.list("/apis/networking.k8s.io/v1/networkpolicies"):
        meta, selector = policy["metadata"], policy["spec"].get("podSelector")
        if selector and meta["namespace"] not in SYSTEM and not made_by_chart(policy):
            found = state.matching(meta["namespace"], selector, ended=True)
            yield None if found else f"NetworkPolicy {name(policy)} selects no pod"
            for rule in policy["spec"].get("ingress") or []:
                for port in [each["port"] for each in rule.get("ports") or [] if "port" in each and "endPort" not in each]:
                    there = not found or any(port in ports_of(pod) for pod in found)
                    yield None if there else f"NetworkPolicy {name(policy)}: none of its pods has the port {port}"


def ports_of(pod):
    """The ports that the containers of a pod name, by name and by number."""
    every = [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]
    return {port.get("name") for port in every} | {port["containerPort"] for port in every}


def service_monitors(state):
    for monitor in state.list(f"{MONITORS}/servicemonitors"):
        where = monitor["spec"].get("namespaceSelector") or {}
        spaces = where.get("matchNames") or [monitor["metadata"]["namespace"]]
        found = [
            service
            for service in state.services.values()
            if (where.get("any") or service["metadata"]["namespace"] in spaces)
            and selects(monitor["spec"].get("selector") or {}, service["metadata"].get("labels"))
        ]
        yield None if found else f"ServiceMonitor {name(monitor)} selects no Service"
        ports = {port.get("name") for service in found for port in service["spec"]["ports"]}
        behind = [
            pod
            for service in found
            if service["spec"].get("selector") not in (None, {}, ADDONS)
            for pod in state.matching(service["metadata"]["namespace"], service["spec"]["selector"])
        ]
        for endpoint in monitor["spec"].get("endpoints") or []:
            if found and endpoint.get("port") and endpoint["port"] not in ports:
                yield f"ServiceMonitor {name(monitor)}: its Service has no port named {endpoint['port']}"
            wanted = endpoint.get("targetPort")
            if wanted and behind and not any(wanted in ports_of(pod) for pod in behind):
                yield f"ServiceMonitor {name(monitor)}: no container behind its Service has the port {wanted}"


def pod_monitors(state):
    for monitor in state.list(f"{MONITORS}/podmonitors"):
        where = monitor["spec"].get("namespaceSelector") or {}
        spaces = where.get("matchNames") or [monitor["metadata"]["namespace"]]
        found = [
            pod
            for pod in state.pods
            if (where.get("any") or pod["metadata"]["namespace"] in spaces)
            and selects(monitor["spec"].get("selector") or {}, pod["metadata"].get("labels"))
        ]
        # No pod of EKS's own add-ons runs here.
        if found or spaces != ["kube-system"]:
            yield None if found else f"PodMonitor {name(monitor)} selects no pod"
        for endpoint in monitor["spec"].get("podMetricsEndpoints") or []:
            wanted = endpoint.get("port") or endpoint.get("portNumber") or endpoint.get("targetPort")
            for pod in found:
                right = wanted is None or wanted in ports_of(pod)
                yield None if right else f"PodMonitor {name(monitor)}: no container of {name(pod)} has a port named {wanted}"


def scraped(state):
    """Prometheus' operator writes what it takes of monitors and rules; what it does not take nobody measures."""
    for prometheus in state.list(f"{MONITORS}/prometheuses"):
        meta = prometheus["metadata"]
        space, own = meta["namespace"], meta["name"]
        secret = state.kube.find(f"/api/v1/namespaces/{space}/secrets/prometheus-{own}")
        if not secret:
            yield f"the operator wrote no configuration of Prometheus {name(prometheus)}"
            continue
        text = gzip.decompress(base64.b64decode(secret["data"]["prometheus.yaml.gz"])).decode()
        for kind, plural in (("serviceMonitor", "servicemonitors"), ("podMonitor", "podmonitors")):
            for monitor in state.list(f"{MONITORS}/{plural}"):
                taken = f"job_name: {kind}/{name(monitor)}/" in text
                yield None if taken else f"{monitor['kind']} {name(monitor)} is none that Prometheus {name(prometheus)} takes"
        files = state.kube.list(f"/api/v1/namespaces/{space}/configmaps?labelSelector=prometheus-name%3D{own}")
        rules = {file for each in files for file in each.get("data") or {}}
        for rule in state.list(f"{MONITORS}/prometheusrules"):
            file = f"{rule['metadata']['namespace']}-{rule['metadata']['name']}-{rule['metadata']['uid']}.yaml"
            yield None if file in rules else f"PrometheusRule {name(rule)} is none that Prometheus {name(prometheus)} takes"


def secrets(state):
    for secret in state.list(SECRETS):
        ready = condition(secret, "Ready")
        yield (None if ready.get("status") == "True" else f"ExternalSecret {name(secret)}: {ready.get('message', 'not looked at')}")


def pods(state):
    for pod in state.pods:
        space = pod["metadata"]["namespace"]
        if made_by_chart(pod) or space in SYSTEM:
            continue
        for kind, plural, wanted in kubelet.needs(pod):
            there = state.kube.find(f"/api/v1/namespaces/{space}/{plural}/{wanted}")
            yield None if there else f"Pod {name(pod)} needs {kind} {wanted}, which is not there"


def made_by_chart(thing):
    return "helm.toolkit.fluxcd.io/name" in (thing["metadata"].get("labels") or {})
