# The alerts of kube-prometheus-stack with the metrics of a new platform without faults: none may fire. The rules are those that the
# chart renders, without those that our values turn off; the metrics are computed from the rendered tree (requests, quotas, minimum
# numbers of nodes and replicas) and `conformance/healthy.yaml`. Not whether they fire when something fails: upstream tests that.
import math
import re
import tomllib

import yaml

from prove import yaml_reader
from prove.alerts import metrics_of
from prove.blueprints import CHECKOUT, binary
from prove.manifests import Manifests, kind_of, name_of, namespace_of
from prove.proof import HERE
from prove.search import must_find
from prove.steps import Failure, Step
from prove.tree import Tree

RULES = "monitoring.coreos.com/v1/PrometheusRule"
# These fire without a fault by design.
ALWAYS = ("Watchdog", "InfoInhibitor")
# Longer than any `for` and the range before it.
HOURS = 8
MINUTES = HOURS * 60
# Charts with only definitions.
WITHOUT_PODS = {"prometheus-operator-crds"}
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9}


def steps(proof, tree, manifests):
    releases = [
        path
        for path in tree.manifests
        if re.search(r"^      chart: kube-prometheus-stack$", path.read_text(encoding="utf-8"), re.M)
    ]
    if releases:
        reads = [*releases, *tree.clusters, *tree.manifest_repositories, *tree.terraform_roots, HERE / "healthy.yaml"]
        if proof.facts:
            yield Step(
                "upstream alerts", f"{len(releases)} releases", reads, lambda: check(proof, tree, manifests), seconds=12, slow=True
            )


def more(proof):
    """Beside the trees that are proven as a whole: every key of the manual at once, and a cluster whose size is fixed."""
    if not proof.facts:
        return
    folder = proof.folder("cluster-of-fixed-size")
    blueprint = (CHECKOUT / "blueprints" / "minimal.toml").read_text(encoding="utf-8")
    (folder / "blueprint.toml").write_text(
        f'{blueprint}\n[cluster.node-groups.general]\ninstance-types = ["m7i.large"]\nmin = 3\nmax = 3\n\n[components.monitoring]\nenabled = true\n',
        encoding="utf-8",
    )
    proof.run([binary(), "render", folder / "blueprint.toml", "--out", folder / "out"])
    for tree in (Tree(CHECKOUT / "generated" / "reference"), Tree(folder / "out")):
        found = list(steps(proof, tree, Manifests(proof, tree)))
        if not found:
            raise Failure(f"{tree}: no release of kube-prometheus-stack")
        for step in found:
            step.where = f"{tree.path.name if tree.path.name != 'out' else folder.name}: {step.where}"
        yield from found


def check(proof, tree, manifests):
    mistakes = []
    for cluster in tree.clusters:
        objects = [document for document, _ in manifests.objects(cluster)]
        stack = next((one for one in objects if one["kind"] == "HelmRelease" and name_of(one) == "kube-prometheus-stack"), None)
        if stack:
            platform = Healthy(proof, tree, cluster, objects, stack["spec"]["values"])
            mistakes += [f"{tree.name(cluster)}: {words}" for words in firing(proof, platform)]
    if mistakes:
        raise Failure("\n".join(mistakes))


def firing(proof, platform):
    groups = platform.rules()
    series = platform.series()
    known = [name for listed in platform.known["series"].values() for line in listed for name in line]
    measured = {name.split("{")[0] for name in [*series, *known]}
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    absent = platform.known["absent"]
    for group in groups:
        for rule in group["rules"]:
            asked = metrics_of(re.sub(r"(?m)#.*$|`[^`]*`", "", rule["expr"])) if "alert" in rule else set()
            for metric in sorted(asked - measured - recorded - absent.keys() - {"ALERTS"}):
                yield f"{rule['alert']} asks for `{metric}`: write in `conformance/healthy.yaml` what it is without a fault, or why it is absent"
    folder = proof.folder("upstream")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False), encoding="utf-8")
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname, severity, namespace) (count_over_time(ALERTS{{alertstate="firing", alertname!~"{"|".join(ALWAYS)}"}}[{HOURS}h]))',
                "eval_time": f"{HOURS}h",
                "exp_samples": [],
            },
            # The proof that the rules were evaluated at all.
            {"expr": 'count(ALERTS{alertname="Watchdog"})', "eval_time": f"{HOURS}h", "exp_samples": [{"value": 1}]},
        ],
    }
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "5m", "tests": [test]}
    (folder / "tests.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    try:
        proof.run(["promtool", "test", "rules", folder / "tests.yaml"], cwd=folder)
    except Failure as refusal:
        found = re.findall(r'\{[^{}]*alertname="([^"]+)"[^{}]*\}', str(refusal).split("got:", 1)[-1])
        for name in sorted(set(found)):
            yield f"{name} fires although nothing is wrong: answer it with numbers, or switch it off in `defaultRules.disabled` with the reason"
        if not found:
            raise


def quantity(text):
    """A quantity of Kubernetes as a number: processors, bytes or a count."""
    text = str(text)
    if text.endswith("m"):
        return float(text[:-1]) / 1000
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text)


class Healthy:
    """One cluster at its least size, right after its installation."""

    def __init__(self, proof, tree, cluster, objects, values):
        if not proof.facts:
            raise Failure("no facts: set `BLUEPRINT_CONFORMANCE`, whose `charts/rendered` holds the chart's rules")
        self.folder = proof.facts / "charts" / "rendered"
        self.objects, self.values = objects, values
        self.known = yaml_reader.read_text((HERE / "healthy.yaml").read_text(encoding="utf-8"))[0]
        self.rendered = {}
        for release in (one for one in objects if one["kind"] == "HelmRelease" and name_of(one) not in WITHOUT_PODS):
            self.rendered[name_of(release)] = self.chart(name_of(release))
        groups = groups_of(tree, cluster)
        self.nodes = {f"{name}-{number}": shape for name, least, _, shape in groups for number in range(least)}
        self.workloads = self.all_workloads()
        # The autoscaler adds nodes until all pods fit.
        for name, least, most, shape in groups:
            for number in range(least, most):
                if not self.crowded():
                    break
                self.nodes[f"{name}-{number}"] = shape
                self.workloads = self.all_workloads()
        if self.crowded():
            raise Failure(f"{tree.name(cluster)}: its pods do not fit on the nodes that it may have")

    def crowded(self):
        asked = dict.fromkeys(("cpu", "memory", "pods"), 0)
        for _, _, _, pods, containers in self.workloads:
            asked["pods"] += pods
            for resource in ("cpu", "memory"):
                asked[resource] += pods * sum(
                    quantity((container.get("requests") or {}).get(resource, 0)) for container in containers
                )
        return any(asked[resource] > sum(shape[resource] for shape in self.nodes.values()) for resource in asked)

    def chart(self, release):
        found = sorted(self.folder.glob(f"{release}-[0-9]*.yaml"))
        if len(found) != 1:
            raise Failure(f"`{self.folder}` has {len(found)} files `{release}-*.yaml`, and needs one")
        return [document for document in yaml_reader.read_file(found[0]) if document]

    def rules(self):
        """The chart's groups, without the alerts that our values switch off, and without words."""
        disabled = {name for name, off in ((self.values.get("defaultRules") or {}).get("disabled") or {}).items() if off is True}
        groups = []
        for document in self.rendered["kube-prometheus-stack"]:
            for group in document["spec"]["groups"] if kind_of(document) == RULES else []:
                kept = [
                    {key: value for key, value in rule.items() if key != "annotations"}
                    for rule in group["rules"]
                    if rule.get("alert") not in disabled
                ]
                groups.append({**group, "rules": kept})
        return groups

    # ------------------------------------------------------------ what runs

    def everything(self):
        return self.objects + [one for documents in self.rendered.values() for one in documents]

    def all_workloads(self):
        """(kind, namespace, name, pods, requests and limits of each container)."""
        found = []
        scaled = {
            (namespace_of(one), one["spec"]["scaleTargetRef"]["name"]): one["spec"].get("minReplicas", 1)
            for one in self.objects
            if one["kind"] == "HorizontalPodAutoscaler"
        }
        for one in self.everything():
            if one["kind"] not in ("Deployment", "DaemonSet", "StatefulSet"):
                continue
            place = namespace_of(one), name_of(one)
            pods = len(self.nodes) if one["kind"] == "DaemonSet" else scaled.get(place, one["spec"].get("replicas", 1))
            containers = [container.get("resources") or {} for container in one["spec"]["template"]["spec"]["containers"]]
            found.append((one["kind"], *place, pods, containers))
        found += self.operated()
        components = next((one["spec"].get("components") or [] for one in self.objects if one["kind"] == "FluxInstance"), [])
        for pod in self.known["pods"]:
            if (
                pod.get("component", pod["name"]) == pod["name"]
                and pod["namespace"] == "flux-system"
                and pod["name"] not in components
            ):
                continue
            everywhere = pod["replicas"] == "nodes"
            containers = [
                {"requests": {key: value for key, value in one.items() if key != "limits"}, "limits": one.get("limits") or {}}
                for one in pod["containers"]
            ]
            kind = "DaemonSet" if everywhere else "Deployment"
            found.append((kind, pod["namespace"], pod["name"], len(self.nodes) if everywhere else pod["replicas"], containers))
        return found

    def operated(self):
        """What the operator makes of its own objects, with the numbers that our values say today."""
        for kind, specification in (("Prometheus", "prometheusSpec"), ("Alertmanager", "alertmanagerSpec")):
            own = self.values[kind.lower()][specification]
            name = next(name_of(one) for one in self.rendered["kube-prometheus-stack"] if one["kind"] == kind)
            reloader = self.values["prometheusOperator"]["prometheusConfigReloader"]["resources"]
            yield "StatefulSet", "monitoring", f"{kind.lower()}-{name}", own["replicas"], [own["resources"], reloader]

    def replicas(self, kind):
        return self.values[kind][f"{kind}Spec"]["replicas"]

    # ------------------------------------------------------------ what is measured

    def series(self):
        found = {}

        def add(metric, value, **labels):
            named = ", ".join(f'{name}="{text}"' for name, text in labels.items())
            number = str(value)
            found[f"{metric}{{{named}}}"] = f"{number}{MINUTES}" if number.endswith("x") else f"{number}x{MINUTES}"

        state = {"job": "kube-state-metrics"}
        for name, shape in self.nodes.items():
            add("kube_node_info", 1, **state, node=name)
            add("kube_node_spec_unschedulable", 0, **state, node=name)
            add("kube_node_status_condition", 1, **state, node=name, condition="Ready", status="true")
            for resource in ("cpu", "memory", "pods"):
                add("kube_node_status_allocatable", shape[resource], **state, node=name, resource=resource)
                add("kube_node_status_capacity", shape[resource], **state, node=name, resource=resource)
        self.add_workloads(add, state)
        self.add_quotas(add, state)
        for one in self.everything():
            if one["kind"] == "HorizontalPodAutoscaler":
                labels = {**state, "namespace": namespace_of(one), "horizontalpodautoscaler": name_of(one)}
                least = one["spec"].get("minReplicas", 1)
                add("kube_horizontalpodautoscaler_spec_min_replicas", least, **labels)
                add("kube_horizontalpodautoscaler_spec_max_replicas", one["spec"]["maxReplicas"], **labels)
                add("kube_horizontalpodautoscaler_status_current_replicas", least, **labels)
                add("kube_horizontalpodautoscaler_status_desired_replicas", least, **labels)
            if one["kind"] == "Job":
                labels = {**state, "namespace": namespace_of(one), "job_name": name_of(one)}
                add("kube_job_status_start_time", 0, **labels)
                add("kube_job_status_active", 0, **labels)
        self.add_parts(add)
        return found

    def add_workloads(self, add, state):
        number = 0
        for kind, namespace, name, pods, containers in self.workloads:
            word = kind.lower()
            labels = {**state, "namespace": namespace, word: name}
            if kind != "DaemonSet":
                add(f"kube_{word}_metadata_generation", 1, **labels)
                add(f"kube_{word}_status_observed_generation", 1, **labels)
            if kind == "Deployment":
                add("kube_deployment_status_condition", 1, **labels, condition="Progressing", status="true")
                add("kube_deployment_status_condition", 0, **labels, condition="Progressing", status="false")
            if kind == "StatefulSet":
                add("kube_statefulset_replicas", pods, **labels)
                add("kube_statefulset_status_replicas_updated", pods, **labels)
                add("kube_statefulset_status_current_revision", 1, **labels, revision="a")
                add("kube_statefulset_status_update_revision", 1, **labels, revision="a")
            if kind == "DaemonSet":
                for part in (
                    "current_number_scheduled",
                    "desired_number_scheduled",
                    "updated_number_scheduled",
                    "number_available",
                ):
                    add(f"kube_daemonset_status_{part}", pods, **labels)
                add("kube_daemonset_status_number_misscheduled", 0, **labels)
            for pod in range(pods):
                node = list(self.nodes)[number % len(self.nodes)]
                number += 1
                own = {"namespace": namespace, "pod": f"{name}-{pod}"}
                add("kube_pod_info", 1, **state, **own, node=node)
                add("kube_pod_owner", 1, **state, **own, owner_kind=kind, owner_name=name)
                add("kube_pod_status_phase", 1, **state, **own, phase="Running")
                for place, container in enumerate(containers):
                    inside = {**own, "container": f"c{place}"}
                    for which in ("requests", "limits"):
                        for resource, amount in (container.get(which) or {}).items():
                            unit = "core" if resource == "cpu" else "byte"
                            add(
                                f"kube_pod_container_resource_{which}",
                                quantity(amount),
                                **state,
                                **inside,
                                node=node,
                                resource=resource,
                                unit=unit,
                            )
                    if "cpu" in (container.get("limits") or {}):
                        add("container_cpu_cfs_periods_total", "0+600x", job="kubelet", **inside)
                        add("container_cpu_cfs_throttled_periods_total", 0, job="kubelet", **inside)
                if kind == "StatefulSet":
                    claim = {"namespace": namespace, "persistentvolumeclaim": f"db-{name}-{pod}"}
                    add("kube_persistentvolume_status_phase", 0, **state, persistentvolume=f"{name}-{pod}", phase="Failed")
                    add("kube_persistentvolume_status_phase", 0, **state, persistentvolume=f"{name}-{pod}", phase="Pending")
                    add("kube_persistentvolumeclaim_access_mode", 1, **state, **claim, access_mode="ReadWriteOnce")
                    for part, value in (("inodes", 1000000), ("inodes_free", 990000), ("inodes_used", 10000)):
                        add(f"kubelet_volume_stats_{part}", value, job="kubelet", metrics_path="/metrics", **claim)
        for name in self.nodes:
            running = math.ceil(number / len(self.nodes))
            add("kubelet_running_pods", running, job="kubelet", metrics_path="/metrics", node=name, instance=name)

    def add_quotas(self, add, state):
        """Each quota, and what the pods of its namespace take of it."""
        for one in self.objects:
            if one["kind"] != "ResourceQuota":
                continue
            here = [(pods, containers) for _, namespace, _, pods, containers in self.workloads if namespace == namespace_of(one)]
            for resource, hard in one["spec"]["hard"].items():
                which, _, name = resource.partition(".")
                used = sum(
                    pods * sum(quantity((container.get(which) or {}).get(name, 0)) for container in containers)
                    for pods, containers in here
                )
                if resource == "pods":
                    used = sum(pods for pods, _ in here)
                labels = {**state, "namespace": namespace_of(one), "resourcequota": name_of(one), "resource": resource}
                add("kube_resourcequota", quantity(hard), **labels, type="hard")
                add("kube_resourcequota", used, **labels, type="used")

    def add_parts(self, add):
        counts = {
            "node": list(self.nodes),
            "apiserver": ["apiserver"],
            "kube-state-metrics": ["kube-state-metrics"],
            "operator": ["operator"],
            "prometheus": [f"prometheus-{number}" for number in range(self.replicas("prometheus"))],
            "alertmanager": [f"alertmanager-{number}" for number in range(self.replicas("alertmanager"))],
        }
        words = {"COUNTER": "0+60x", "ALERTMANAGERS": self.replicas("alertmanager")}
        for part, listed in self.known["series"].items():
            for instance in counts[part]:
                for line in listed:
                    for name, value in line.items():
                        metric, labels = name.rstrip("}").split("{", 1)
                        own = {"instance": instance} | ({"node": instance} if part == "node" else {})
                        own |= {"pod": instance} if part in ("prometheus", "alertmanager") else {}
                        # With one replica the operator configures no Alertmanager cluster.
                        if metric.startswith("alertmanager_cluster_") and self.replicas("alertmanager") == 1:
                            continue
                        add(metric, words.get(value, value), **dict(re.findall(r'(\w+)="([^"]*)"', labels)), **own)
        for one in self.objects:
            if one["kind"] in ("PodMonitor", "ServiceMonitor"):
                add("up", 1, job=f"{namespace_of(one)}/{name_of(one)}", namespace=namespace_of(one), instance="a")


def groups_of(tree, cluster):
    """The node groups of a new cluster: name, least and largest number of nodes, and what pods may ask of one of its first type."""
    texts = [
        path.read_text(encoding="utf-8")
        for root in tree.terraform_roots
        if root.parent.name == cluster.name
        for path in sorted(root.glob("*.tf"))
    ]
    found = []
    for name, body in re.findall(r'^    "([\w-]+)" = \{\n((?:      .*\n)+?)    \}$', "\n".join(texts), re.M):
        values = dict(re.findall(r"^      (\w+) += (.*)$", body, re.M))
        if "min_size" in values:
            kind = must_find(r'^\["([^"]+)"', values["instance_types"])[1]
            found.append((name, int(values["min_size"]), int(values["max_size"]), shape_of(kind)))
    if not found:
        raise Failure(f"{tree.name(cluster)}: no Terraform root of this environment says how many nodes it has")
    return found


def shape_of(kind):
    """What pods may ask of a node (awslabs/amazon-eks-ami nodeadm/internal/kubelet/config.go), from the catalogue's numbers."""
    family, size = kind.split(".")
    with open(CHECKOUT / "src" / "catalogue.toml", "rb") as file:
        known = tomllib.load(file)["instances"].get(family, {}).get(size)
    if not known:
        raise Failure(f"the catalogue does not know how large `{kind}` is: name another type in the tree that is proven")
    processors, memory, pods = known
    reserved = 60 + (10 if processors > 1 else 0) + 5 * max(0, min(processors, 4) - 2) + 2.5 * max(0, processors - 4)
    return {"cpu": processors - reserved / 1000, "memory": (memory - 255 - 11 * pods - 100) * 2**20, "pods": pods}
