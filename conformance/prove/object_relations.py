# Mistakes between objects, which schemas cannot find and a cluster refuses or accepts silently: selectors without a match,
# references to missing objects, requests above limits, missing ports. Only for objects in the tree: those of Helm charts
# are unknown here.
import re

from prove.search import must_find
from prove.steps import Failure

WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "Pod"}
# Created by Kubernetes, EKS or the Flux Operator.
NAMESPACES = {"default", "kube-system", "kube-public", "kube-node-lease", "flux-system"}
CLUSTER_KINDS = {
    "Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass", "IngressClass", "CustomResourceDefinition", "PersistentVolume", "RuntimeClass",
    "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "APIService", "VolumeSnapshotClass",
    "ClusterSecretStore", "ClusterExternalSecret", "ClusterIssuer", "NodePool", "EC2NodeClass", "NodeClaim", "ClusterPolicy", "GatewayClass", "ClusterGenerator",
    "IngressClassParams", "ClusterTriggerAuthentication", "ClusterPushSecret",
}  # fmt: skip
BUILT_IN_ROLES = {"cluster-admin", "admin", "edit", "view"}
# The service accounts of Flux's own controllers.
FLUX_ACCOUNTS = {
    "kustomize-controller",
    "helm-controller",
    "source-controller",
    "notification-controller",
    "image-reflector-controller",
    "image-automation-controller",
    "flux-operator",
}
UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
LABEL = re.compile(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?")
NAME = re.compile(r"[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?")


def metadata(document):
    return document.get("metadata") or {}


def spec(document):
    return document.get("spec") or {}


def template(document):
    """The pod template of a workload."""
    if document["kind"] == "Pod":
        return document
    inner = spec(document)
    if document["kind"] == "CronJob":
        inner = (inner.get("jobTemplate") or {}).get("spec") or {}
    return inner.get("template") or {}


def containers(pod):
    return (pod.get("initContainers") or []) + (pod.get("containers") or [])


def wanted_secrets(container):
    """The Secrets that a container's environment comes from, and which key of each."""
    for source in container.get("envFrom") or []:
        if (source.get("secretRef") or {}).get("name"):
            yield source["secretRef"]["name"], None
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
        if reference:
            yield reference["name"], reference["key"]


def amount(quantity):
    number, unit = must_find(r"^([0-9.]+)([A-Za-z]*)$", str(quantity)).groups()
    return float(number) * UNITS[unit]


def selects(selector, labels):
    """Whether a label selector matches; an empty one matches everything."""
    for name, value in ((selector or {}).get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    for rule in (selector or {}).get("matchExpressions") or []:
        present, values = rule["key"] in labels, rule.get("values") or []
        matches = {
            "In": labels.get(rule["key"]) in values,
            "NotIn": labels.get(rule["key"]) not in values,
            "Exists": present,
            "DoesNotExist": not present,
        }
        if not matches[rule["operator"]]:
            return False
    return True


class Cluster:
    def __init__(self, objects):
        self.objects = objects
        self.by_name = {(o["kind"], metadata(o).get("namespace"), metadata(o).get("name")): o for o in objects}

    def has(self, kind, namespace, name):
        return (kind, namespace, name) in self.by_name

    def workloads(self, namespace):
        return [o for o in self.objects if o["kind"] in WORKLOADS and metadata(o).get("namespace") == namespace]

    def mistakes(self):
        if not any(o["kind"] in WORKLOADS for o in self.objects):
            yield "no workload at all"
        for namespace in sorted({str(metadata(o).get("namespace")) for o in self.objects if o["kind"] in WORKLOADS}):
            for kind in ("LimitRange", "ResourceQuota"):
                if not any(o["kind"] == kind and metadata(o).get("namespace") == namespace for o in self.objects):
                    yield f"the namespace `{namespace}` has workloads and no {kind}"
        for document in self.objects:
            title = f"{document['kind']} `{metadata(document).get('name')}`"
            for rule in (self.names, self.home, self.pods, self.reaches):
                for mistake in rule(document, metadata(document).get("namespace")):
                    yield f"{title}: {mistake}"

    def names(self, document, _):
        if not NAME.fullmatch(str(metadata(document).get("name"))):
            yield "the name has letters that a cluster refuses"
        for field in ("labels", "annotations"):
            for name, value in (metadata(document).get(field) or {}).items():
                if not LABEL_KEY.fullmatch(name):
                    yield f"`{name}` is no valid key in `{field}`"
                if field == "labels" and not LABEL.fullmatch(str(value)):
                    yield f"`{value}` is no valid value of the label `{name}`"

    def home(self, document, namespace):
        if document["kind"] in CLUSTER_KINDS:
            if namespace:
                yield "is no namespaced kind, and names a namespace"
        elif not namespace:
            yield "names no namespace"
        elif namespace not in NAMESPACES and not self.has("Namespace", None, namespace):
            yield f"the namespace `{namespace}` is made by nothing"

    def pods(self, document, namespace):
        if document["kind"] not in WORKLOADS:
            return
        pod, labels = template(document), metadata(template(document)).get("labels") or {}
        inner = spec(pod)
        if document["kind"] in ("Deployment", "StatefulSet", "DaemonSet") and not selects(spec(document).get("selector"), labels):
            yield "`selector` does not match the labels of its own pods"
        account = inner.get("serviceAccountName")
        if account and account != "default" and not self.has("ServiceAccount", namespace, account):
            yield f"the service account `{account}` does not exist in `{namespace}`"
        for reference in inner.get("imagePullSecrets") or []:
            yield from self.secret(namespace, reference["name"], ".dockerconfigjson", "imagePullSecrets")
        volumes = {volume["name"] for volume in inner.get("volumes") or []}
        for volume in inner.get("volumes") or []:
            secret = (volume.get("secret") or {}).get("secretName")
            if secret:
                yield from self.secret(namespace, secret, None, f"volume `{volume['name']}`")
            name = (volume.get("configMap") or {}).get("name")
            if name and not self.has("ConfigMap", namespace, name):
                yield f"the ConfigMap `{name}` does not exist"
        for container in containers(inner):
            name = container.get("name")
            image = container.get("image") or ""
            if not re.search(r"(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$", image) or image.endswith(":latest"):
                yield f"container `{name}`: the image `{image}` has no fixed tag"
            for secret, key in wanted_secrets(container):
                yield from self.secret(namespace, secret, key, f"container `{name}`")
            resources = container.get("resources") or {}
            for resource, limit in (resources.get("limits") or {}).items():
                if resource in (resources.get("requests") or {}) and amount(resources["requests"][resource]) > amount(limit):
                    yield f"container `{name}`: requests more {resource} than its limit"
            ports = container.get("ports") or []
            for field in ("name", "containerPort"):
                values = [port[field] for port in ports if field in port]
                if len(values) != len(set(values)):
                    yield f"container `{name}`: two ports have the same `{field}`"
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                for handler in ("httpGet", "tcpSocket", "grpc"):
                    port = ((container.get(probe) or {}).get(handler) or {}).get("port")
                    if isinstance(port, str) and port not in [other.get("name") for other in ports]:
                        yield f"container `{name}`: `{probe}` asks the port `{port}`, which it does not have"
            for mount in container.get("volumeMounts") or []:
                if mount["name"] not in volumes | {
                    claim["metadata"]["name"] for claim in spec(document).get("volumeClaimTemplates") or []
                }:
                    yield f"container `{name}`: mounts `{mount['name']}`, which is no volume"

    def secret(self, namespace, name, key, where):
        """A Secret comes from an ExternalSecret: none stands in Git."""
        for document in self.objects:
            target = spec(document).get("target") or {}
            if (
                document["kind"] == "ExternalSecret"
                and metadata(document).get("namespace") == namespace
                and target.get("name") == name
            ):
                keys = (target.get("template") or {}).get("data") or [
                    entry["secretKey"] for entry in spec(document).get("data") or []
                ]
                if key and key not in keys:
                    yield f"{where}: the Secret `{name}` gets no `{key}`"
                return
        yield f"{where}: no ExternalSecret makes the Secret `{name}`"

    def reaches(self, document, namespace):
        kind, inner = document["kind"], spec(document)
        if kind == "Service" and inner.get("selector"):
            found = [
                o
                for o in self.workloads(namespace)
                if selects({"matchLabels": inner["selector"]}, metadata(template(o)).get("labels") or {})
            ]
            if not found:
                yield "`selector` matches no pod"
            names = {port.get("name") for o in found for c in containers(spec(template(o))) for port in c.get("ports") or []}
            numbers = {
                port.get("containerPort") for o in found for c in containers(spec(template(o))) for port in c.get("ports") or []
            }
            for port in inner.get("ports") or []:
                target = port.get("targetPort", port.get("port"))
                if found and target not in names | numbers:
                    yield f"`targetPort: {target}` is no port of its pods"
        if kind in ("PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PodMonitor"):
            selector = inner.get("selector") if kind != "NetworkPolicy" else inner.get("podSelector")
            candidates = [metadata(template(o)).get("labels") or {} for o in self.workloads(namespace)]
            if kind == "ServiceMonitor":
                candidates = [
                    metadata(o).get("labels") or {}
                    for o in self.objects
                    if o["kind"] == "Service" and metadata(o).get("namespace") == namespace
                ]
            # A namespace without workloads of ours contains those of a chart.
            if candidates and not any(selects(selector, labels) for labels in candidates):
                yield "its selector matches nothing"
        if kind == "HorizontalPodAutoscaler":
            target = inner.get("scaleTargetRef") or {}
            if not self.has(target.get("kind"), namespace, target.get("name")):
                yield f"its target {target.get('kind')} `{target.get('name')}` does not exist"
            elif "replicas" in spec(self.by_name[(target["kind"], namespace, target["name"])]):
                yield "its target fixes `replicas`, so Flux and it undo each other"
            if (inner.get("minReplicas") or 1) > inner.get("maxReplicas", 0):
                yield "`minReplicas` is above `maxReplicas`"
        if kind == "Ingress":
            for rule in inner.get("rules") or []:
                for path in (rule.get("http") or {}).get("paths") or []:
                    service = (path.get("backend") or {}).get("service") or {}
                    known = self.by_name.get(("Service", namespace, service.get("name")))
                    port = service.get("port") or {}
                    if service.get("port", {}).get("name") == "use-annotation":
                        continue
                    if not known and self.of_chart(namespace, service.get("name")):
                        continue
                    if not known:
                        yield f"the Service `{service.get('name')}` does not exist"
                    elif not any(
                        port.get("number") == p.get("port") or (port.get("name") and port.get("name") == p.get("name"))
                        for p in spec(known).get("ports") or []
                    ):
                        yield f"the Service `{service.get('name')}` has no port {port}"
        if kind in ("RoleBinding", "ClusterRoleBinding"):
            role = document.get("roleRef") or {}
            if role.get("name") not in BUILT_IN_ROLES and not self.has(
                role.get("kind"), namespace if role.get("kind") == "Role" else None, role.get("name")
            ):
                yield f"the {role.get('kind')} `{role.get('name')}` does not exist"
            for subject in document.get("subjects") or []:
                if subject.get("kind") == "ServiceAccount" and not self.account(subject.get("namespace"), subject.get("name")):
                    yield f"the service account `{subject.get('name')}` does not exist in `{subject.get('namespace')}`"
        if (
            kind in ("Kustomization", "HelmRelease")
            and inner.get("serviceAccountName")
            and not self.account(namespace, inner["serviceAccountName"])
        ):
            yield f"the service account `{inner['serviceAccountName']}` does not exist in `{namespace}`"

    def of_chart(self, namespace, name):
        """Whether a chart may make it: such names begin with that of the release."""
        releases = [
            metadata(o)["name"] for o in self.objects if o["kind"] == "HelmRelease" and metadata(o).get("namespace") == namespace
        ]
        return any(str(name).startswith(f"{release}-") for release in releases)

    def account(self, namespace, name):
        return self.has("ServiceAccount", namespace, name) or (namespace == "flux-system" and name in FLUX_ACCOUNTS)


def check(tree, manifests):
    mistakes = []
    for cluster in tree.clusters:
        objects = [document for document, _ in manifests.objects(cluster)]
        mistakes += [f"{tree.name(cluster)}: {mistake}" for mistake in Cluster(objects).mistakes()]
    if mistakes:
        raise Failure("\n".join(sorted(set(mistakes))))
