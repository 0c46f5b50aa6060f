# Every value in a HelmRelease exists in its chart, because Helm ignores unknown keys silently. Not what the chart renders from it.
import json

from prove.steps import Failure, Step

# Charts that the trees install at another version than the one in the facts; their values were checked by hand. A value that is
# new since then is refused: check it and renew the facts.
ANOTHER_VERSION = {
    "external-dns": "1.22.0",  # facts: 1.21.1
    "flux-operator": "0.58.1",  # facts: 0.49.0
}

# Charts that are not in the facts: all their values, copied by hand.
BY_HAND = {
    # Chart.yaml and values.yaml of charts/prometheus-operator-crds in prometheus-community/helm-charts@cf408a290aec
    "prometheus-operator-crds": {
        "version": "31.0.1",
        "values": {
            "crds.annotations": "map",
            **{
                f"crds.{name}.enabled": "bool"
                for name in (
                    "alertmanagerconfigs",
                    "alertmanagers",
                    "podmonitors",
                    "probes",
                    "prometheusagents",
                    "prometheuses",
                    "prometheusrules",
                    "scrapeconfigs",
                    "servicemonitors",
                    "thanosrulers",
                )
            },
        },
    }
}

# Values that the templates of a chart read, but that its values.yaml, the source of the facts, only mentions in a comment; and
# maps with defaults that it passes on unchanged.
READ_BY_TEMPLATES = {
    # grafana-community/helm-charts@3386a1156177: templates/pvc.yaml, templates/_config.tpl
    "grafana": {"persistence.storageClassName": "str", "grafana.ini": "map"},
    # prometheus-community/helm-charts@cf408a290aec: templates/prometheus-operator/deployment.yaml
    "kube-prometheus-stack": {"prometheusOperator.priorityClassName": "str"},
    # the same commit: templates/deployment.yaml
    "kube-state-metrics": {"priorityClassName": "str"},
    # the same commit: templates/daemonset.yaml
    "prometheus-node-exporter": {"priorityClassName": "str"},
}

# Maps that charts pass on unchanged, and their types in Kubernetes.
HANDED_ON = {
    "resources": ["io.k8s.api.core.v1.ResourceRequirements"],
    "securityContext": ["io.k8s.api.core.v1.SecurityContext", "io.k8s.api.core.v1.PodSecurityContext"],
    "podSecurityContext": ["io.k8s.api.core.v1.PodSecurityContext"],
    "containerSecurityContext": ["io.k8s.api.core.v1.SecurityContext"],
    "livenessProbe": ["io.k8s.api.core.v1.Probe"],
    "readinessProbe": ["io.k8s.api.core.v1.Probe"],
    "affinity": ["io.k8s.api.core.v1.Affinity"],
}

# Flags of programs that charts pass on unchanged. A program exits on an unknown flag, so the flags in the trees were looked up:
# cluster-autoscaler 1.35.2 and 1.36.1 (config/flags/flags.go), external-dns 0.22 (pkg/apis/externaldns/types.go).
FLAGS = {
    "cluster-autoscaler": {
        "balance-similar-node-groups",
        "balancing-ignore-label",
        "expander",
        "expendable-pods-priority-cutoff",
        "ignore-daemonsets-utilization",
        "scale-down-unneeded-time",
        "scale-down-utilization-threshold",
        "scan-interval",
        "skip-nodes-with-local-storage",
    },
    "external-dns": {"aws-zone-type", "aws-zones-cache-duration"},
}

# The types that may replace a default of each type in the facts.
FITS = {"bool": (bool,), "int": (int, float, str), "str": (str, int, float)}


class Charts:
    """Value paths of the charts, from the folder `charts/` of BLUEPRINT_CONFORMANCE."""

    def __init__(self, facts):
        self.folder = facts / "charts"

    def chart(self, name, version, document, objects):
        path = self.folder / f"{name}.json"
        if path.is_file():
            known = json.loads(path.read_text())
        elif name in BY_HAND:
            known = {"chart": name, **BY_HAND[name]}
        else:
            raise Failure(f"the chart `{name}` is unknown: add its values to the facts")
        if version.lstrip("v") not in (known["version"].lstrip("v"), ANOTHER_VERSION.get(name)):
            raise Failure(
                f"the chart `{name}` is known at {known['version']}, not at {version}: use that version, or renew the facts"
            )
        return known

    def values(self, known):
        values = {**known["values"], **READ_BY_TEMPLATES.get(known["chart"], {})}
        for part in known.get("subcharts") or []:
            path = self.folder / f"{part}.json"
            if path.is_file():
                own = {**json.loads(path.read_text())["values"], **READ_BY_TEMPLATES.get(part, {})}
                values = {**{f"{part}.{name}": kind for name, kind in own.items()}, **values}
        return values


def steps(proof, tree, manifests, charts, schemas):
    yield Step(
        "helm values",
        f"{len(tree.clusters)} clusters",
        tree.clusters and tree.manifests,
        lambda: check(tree, manifests, charts, schemas),
        seconds=3,
        internet=schemas.public,
    )


def mistakes_in(values, known, schemas, path=""):
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        kind = known.get(here)
        branch = any(other.startswith(here + ".") for other in known)
        # A chart with a `create` switch passes on only a part of the map.
        if name in HANDED_ON and isinstance(value, dict) and f"{here}.enabled" not in known and (branch or kind in ("map", "null")):
            wrong = [schemas.fragment_mistakes(definition, value) for definition in HANDED_ON[name]]
            if all(wrong):
                yield f"`{here}`: {wrong[0][0]}"
            continue
        if kind in ("map", "list", "null"):
            if kind == "list" and not isinstance(value, (list, type(None))):
                yield f"`{here}` is a list in the chart"
            if kind == "map" and not isinstance(value, (dict, type(None))):
                yield f"`{here}` is a map in the chart"
        elif kind:
            # A key with a dot in the facts' path may be a leaf and a branch at once.
            if isinstance(value, dict) and not branch:
                yield f"`{here}` is a {kind} in the chart, not a map"
            elif not isinstance(value, (dict, *FITS[kind])) or (isinstance(value, bool) and kind != "bool"):
                yield f"`{here}` is a {kind} in the chart, not `{value!r}`"
        elif branch:
            if isinstance(value, dict):
                yield from mistakes_in(value, known, schemas, here)
            elif value is not None:
                yield f"`{here}` is a map in the chart"
        elif not open_above(here, known):
            yield f"`{here}` is unknown to the chart, so Helm ignores it"


def unknown_flags(chart, values):
    for key in values.get("extraArgs") or {}:
        # The part of a key after an underscore distinguishes several objects.
        if key.partition("_")[0] not in FLAGS[chart]:
            yield f"`extraArgs.{key}` was not looked up: see whether the program knows it, then add it to `FLAGS`"


def open_above(path, known):
    parts = path.split(".")
    return any(known.get(".".join(parts[:end])) in ("map", "list", "null") for end in range(1, len(parts)))


def chart_of(document, objects):
    """Name and version of the chart that a HelmRelease installs."""
    spec = document["spec"]
    if "chart" in spec:
        return spec["chart"]["spec"]["chart"].rpartition("/")[2], str(spec["chart"]["spec"].get("version") or "")
    reference = spec["chartRef"]
    namespace = reference.get("namespace") or document["metadata"].get("namespace")
    for other in objects:
        if (other["kind"], other["metadata"]["name"], other["metadata"].get("namespace")) == (
            reference["kind"],
            reference["name"],
            namespace,
        ):
            return other["spec"]["url"].rpartition("/")[2], str(
                other["spec"]["ref"].get("tag") or other["spec"]["ref"].get("semver") or ""
            )
    raise Failure(f"the source `{reference['name']}` does not exist")


def check(tree, manifests, charts, schemas):
    mistakes, count = [], 0
    for cluster in tree.clusters:
        objects = [document for document, _ in manifests.objects(cluster)]
        for document in objects:
            if document["kind"] != "HelmRelease":
                continue
            count += 1
            title = f"{tree.name(cluster)}: HelmRelease `{document['metadata']['name']}`"
            if document["spec"].get("valuesFrom"):
                mistakes.append(f"{title}: `valuesFrom` hides values from this check: write them into `values`")
            try:
                name, version = chart_of(document, objects)
                known = charts.values(charts.chart(name, version, document, objects))
                values = dict(document["spec"].get("values") or {})
                if name in FLAGS:
                    mistakes += [f"{title}: {mistake}" for mistake in unknown_flags(name, values)]
                    values.pop("extraArgs", None)
                mistakes += [f"{title}: {mistake}" for mistake in mistakes_in(values, known, schemas)]
            except Failure as refusal:
                mistakes.append(f"{title}: {refusal}")
    if not count:
        mistakes.append("no HelmRelease is applied")
    if mistakes:
        raise Failure("\n".join(sorted(set(mistakes))))
