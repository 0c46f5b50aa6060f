# Which of our values set which field of the objects in `charts/rendered`, chart by chart. The files were rendered once: values that
# are listed here may change, fixed values must stay as they were then. Renders nothing.
import dataclasses

ANY = object()  # a value without effect in the harness: an argument of a program that does not run here


@dataclasses.dataclass
class Chart:
    # The release in the name of the file, which is its name in the cluster, too, and its namespace. "": definitions only.
    release: str = ""
    namespace: str = ""
    # The version of the file, where it is not the chart's.
    version: str = ""
    follow: list = dataclasses.field(default_factory=list)
    # Values as the file was rendered with them, and those that change nothing here.
    fixed: dict = dataclasses.field(default_factory=dict)
    # Objects that the chart renders and the file leaves out.
    added: list = dataclasses.field(default_factory=list)
    # The Secret with a certificate that the chart makes itself, and the Service it is for: the files hold no data of Secrets.
    certificate: dict | None = None
    # Groups of the definitions that it brings; the value that decides it and its default, or None for those in the chart's crds/
    # folder; values that leave a kind out; the value with the definitions' annotations.
    groups: list = dataclasses.field(default_factory=list)
    switch: tuple | None = None
    optional: dict = dataclasses.field(default_factory=dict)
    annotations: list = dataclasses.field(default_factory=list)


def rule(value, thing, *at, how="merge"):
    """`how`: merge (a map into the map that is there; anything else takes its place), append (a list, or for `variables` a map, to the
    list of variables that is there), present (the object is left out where the value is false), secret (a map as the YAML file in
    a Secret), files (further files of that Secret)."""
    return {"value": [part for part in value if part], "object": thing, "at": list(at), "how": how}


def pods(
    values,
    thing,
    container,
    pod="podSecurityContext",
    own="securityContext",
    replicas="replicaCount",
    variables="extraEnv",
    how="append",
):
    """What charts call alike about a workload and its main container."""
    template, main = ["spec", "template"], ["spec", "template", "spec", "containers", container]
    values = list(values)
    found = [
        rule([*values, replicas], thing, "spec", "replicas"),
        rule([*values, "podAnnotations"], thing, *template, "metadata", "annotations"),
        rule([*values, "podLabels"], thing, *template, "metadata", "labels"),
        rule([*values, pod], thing, *template, "spec", "securityContext"),
        rule([*values, own], thing, *main, "securityContext"),
        rule([*values, "resources"], thing, *main, "resources"),
        rule([*values, variables], thing, *main, "env", how=how),
    ]
    for field in ("priorityClassName", "topologySpreadConstraints", "nodeSelector", "tolerations", "affinity"):
        found.append(rule([*values, field], thing, *template, "spec", field))
    return found


def budget(values, thing):
    fields = ("minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy")
    found = [rule([*values, "podDisruptionBudget", field], thing, "spec", field) for field in fields]
    return [*found, rule([*values, "podDisruptionBudget", "enabled"], thing, how="present")]


def account(values, thing):
    return [rule([*values, "annotations"], thing, "metadata", "annotations")]


def custom(values, thing, fields, renamed):
    """A custom resource whose fields the chart takes over by name."""
    found = [rule([*values, field], thing, "spec", field) for field in fields]
    return found + [rule([*values, field], thing, "spec", own) for field, own in renamed.items()]


# Sources of what the operator's custom resources, hooks and the sub-charts take over: prometheus-community/helm-charts@cf408a290aec,
# charts/kube-prometheus-stack/templates and the sub-charts' templates/deployment.yaml, daemonset.yaml.
STACK, OPERATOR = "kube-prometheus-stack", ["prometheusOperator"]
HOOK = [*OPERATOR, "admissionWebhooks", "patch"]
PLACED = ["replicas", "resources", "priorityClassName", "topologySpreadConstraints", "nodeSelector", "tolerations", "affinity"]
PLACED += ["securityContext", "volumes", "volumeMounts", "automountServiceAccountToken", "podMetadata", "containers"]
NODE_EXPORTER = f"{STACK}-prometheus-node-exporter"
SIDECARS = ("grafana-sc-dashboard", "grafana-sc-datasources")


def stack():
    found = pods(OPERATOR, f"Deployment {STACK}-operator", STACK, "securityContext", "containerSecurityContext", "replicas", "env")
    found += account([*OPERATOR, "serviceAccount"], f"ServiceAccount {STACK}-operator")
    for job, container in (("create", "create"), ("patch", "patch")):
        thing = f"Job {STACK}-admission-{job}"
        found.append(rule([*HOOK, "resources"], thing, "spec", "template", "spec", "containers", container, "resources"))
        found.append(rule([*HOOK, "priorityClassName"], thing, "spec", "template", "spec", "priorityClassName"))
    for each, spec in (("prometheus", "prometheusSpec"), ("alertmanager", "alertmanagerSpec")):
        thing, named = f"{each.capitalize()} {STACK}-{each}", [each, spec]
        retained = ["retention", "retentionSize", "externalLabels", "walCompression", "podAntiAffinity"][
            : 5 if each == "prometheus" else 1
        ]
        found += custom(named, thing, PLACED + retained, {"storageSpec": "storage"} if each == "prometheus" else {})
        found += [] if each == "prometheus" else [rule([*named, "storage"], thing, "spec", "storage")]
        found += budget([each], f"PodDisruptionBudget {STACK}-{each}")
        found.append(rule([each, "service", "sessionAffinity"], f"Service {STACK}-{each}", "spec", "sessionAffinity"))
        whose = f"ServiceAccount {STACK}-{each}"
        found += account([each, "serviceAccount"], whose)
        found.append(rule([each, "serviceAccount", "automountServiceAccountToken"], whose, "automountServiceAccountToken"))
    routing = f"Secret alertmanager-{STACK}-alertmanager"
    found.append(rule(["alertmanager", "config"], routing, "data", "alertmanager.yaml", how="secret"))
    found.append(rule(["alertmanager", "templateFiles"], routing, "data", how="files"))
    grafana = f"Deployment {STACK}-grafana"
    containers = ["spec", "template", "spec", "containers"]
    found += pods(["grafana"], grafana, "grafana", "securityContext", "containerSecurityContext", "replicas", "env", "variables")
    for sidecar in SIDECARS:
        found.append(rule(["grafana", "sidecar", "resources"], grafana, *containers, sidecar, "resources"))
    login = ["grafana", "admin"]
    for container, names in (
        ("grafana", ("GF_SECURITY_ADMIN_USER", "GF_SECURITY_ADMIN_PASSWORD")),
        *((each, ("REQ_USERNAME", "REQ_PASSWORD")) for each in SIDECARS),
    ):
        for variable, key in zip(names, ("userKey", "passwordKey"), strict=True):
            at = [*containers, container, "env", variable, "valueFrom", "secretKeyRef"]
            found.append(rule([*login, "existingSecret"], grafana, *at, "name"))
            found.append(rule([*login, key], grafana, *at, "key"))
    found.append(rule(["grafana", "deploymentStrategy"], grafana, "spec", "strategy"))
    found.append(rule(["grafana", "serviceAccount", "name"], grafana, "spec", "template", "spec", "serviceAccountName"))
    metrics = f"Deployment {STACK}-kube-state-metrics"
    found += pods(
        ["kube-state-metrics"], metrics, "kube-state-metrics", "securityContext", "containerSecurityContext", "replicas", "env"
    )
    daemon = f"DaemonSet {NODE_EXPORTER}"
    found += pods(
        ["prometheus-node-exporter"],
        daemon,
        "node-exporter",
        "securityContext",
        "containerSecurityContext",
        "-",
        "env",
        "variables",
    )
    for kind in ("ServiceAccount", "Service", "DaemonSet", "ServiceMonitor"):
        found.append(rule(["prometheus-node-exporter", "namespaceOverride"], f"{kind} {NODE_EXPORTER}", "metadata", "namespace"))
    return found


# The certificate of External Secrets' webhook is made by a pod, not by its chart: `live/certificates.py`.
CHARTS = {
    "external-secrets": Chart(
        "external-secrets",
        "external-secrets",
        follow=[
            *pods([], "Deployment external-secrets", "external-secrets"),
            *pods(["webhook"], "Deployment external-secrets-webhook", "webhook"),
            *pods(["certController"], "Deployment external-secrets-cert-controller", "cert-controller"),
            *budget([], "PodDisruptionBudget external-secrets-pdb"),
            *budget(["webhook"], "PodDisruptionBudget external-secrets-webhook-pdb"),
            *account(["serviceAccount"], "ServiceAccount external-secrets"),
        ],
        fixed={
            "leaderElect": True,
            "livenessProbe.enabled": True,
            "readinessProbe.enabled": True,
            "processClusterExternalSecret": False,
            "processClusterGenerator": False,
            "processClusterPushSecret": False,
            "processClusterStore": False,
            "processPushSecret": False,
            "systemAuthDelegator": False,
            "rbac.serviceAccountTokenCreate": True,
            "rbac.servicebindings.create": False,
            "serviceAccount.name": "external-secrets",
            "installCRDs": True,
            "crds": ANY,
            "image": ANY,
            "webhook.image": ANY,
            "certController.image": ANY,
        },
        groups=["external-secrets.io", "generators.external-secrets.io"],
        switch=(["installCRDs"], True),
        optional={
            "createClusterExternalSecret": "ClusterExternalSecret",
            "createClusterGenerator": "ClusterGenerator",
            "createClusterPushSecret": "ClusterPushSecret",
            "createClusterSecretStore": "ClusterSecretStore",
            "createPushSecret": "PushSecret",
        },
        annotations=["crds", "annotations"],
    ),
    "aws-load-balancer-controller": Chart(
        "load-balancer-controller",
        "load-balancer-controller",
        follow=[
            *pods([], "Deployment load-balancer-controller", "aws-load-balancer-controller", variables="env", how="variables"),
            *budget([], "PodDisruptionBudget load-balancer-controller"),
            *account(["serviceAccount"], "ServiceAccount load-balancer-controller"),
            rule(["ingressClassParams", "spec"], "IngressClassParams alb", "spec"),
        ],
        fixed={
            "fullnameOverride": "load-balancer-controller",
            "serviceAccount.name": "load-balancer-controller",
            "ingressClass": "alb",
            "createIngressClassResource": True,
            "ingressClassConfig.default": False,
            "ingressClassParams.create": True,
            "enableServiceMutatorWebhook": False,
            "keepTLSSecret": True,
            "podMutatorWebhookConfig.failurePolicy": "Fail",
            "objectSelector.matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "DoesNotExist"}],
            "configureDefaultAffinity": False,
            "clusterName": ANY,
            "region": ANY,
            "vpcTags": ANY,
            "defaultTargetType": ANY,
            "defaultLoadBalancerScheme": ANY,
            "defaultSSLPolicy": ANY,
            "defaultTags": ANY,
            "enableShield": ANY,
            "enableWaf": ANY,
            "image": ANY,
        },
        certificate={"secret": "aws-load-balancer-tls", "service": "aws-load-balancer-webhook-service"},
        groups=["elbv2.k8s.aws", "gateway.k8s.aws", "aga.k8s.aws"],
    ),
    "cluster-autoscaler": Chart(
        "cluster-autoscaler",
        "cluster-autoscaler",
        follow=[
            *pods(
                [],
                "Deployment cluster-autoscaler",
                "cluster-autoscaler",
                "securityContext",
                "containerSecurityContext",
                how="variables",
            ),
            *budget([], "PodDisruptionBudget cluster-autoscaler"),
            *account(["rbac", "serviceAccount"], "ServiceAccount cluster-autoscaler"),
        ],
        fixed={
            "nameOverride": "cluster-autoscaler",
            "rbac.serviceAccount.name": "cluster-autoscaler",
            "cloudProvider": "aws",
            "awsRegion": ANY,
            "autoDiscovery": ANY,
            "extraArgs": ANY,
            "image": ANY,
        },
    ),
    "external-dns": Chart(
        "external-dns",
        "external-dns",
        follow=[
            *pods([], "Deployment external-dns", "external-dns", variables="env"),
            *account(["serviceAccount"], "ServiceAccount external-dns"),
            rule(["deploymentStrategy"], "Deployment external-dns", "spec", "strategy"),
        ],
        fixed={
            "provider.name": "aws",
            "serviceAccount.name": "external-dns",
            "sources": ["ingress"],
            "policy": ANY,
            "registry": ANY,
            "txtOwnerId": ANY,
            "txtPrefix": ANY,
            "domainFilters": ANY,
            "managedRecordTypes": ANY,
            "interval": ANY,
            "triggerLoopOnEvent": ANY,
            "extraArgs": ANY,
            "image": ANY,
        },
        groups=["externaldns.k8s.io"],
    ),
    "metrics-server": Chart(
        "metrics-server",
        "metrics-server",
        follow=[
            *pods([], "Deployment metrics-server", "metrics-server", replicas="replicas"),
            *budget([], "PodDisruptionBudget metrics-server"),
            rule(["updateStrategy"], "Deployment metrics-server", "spec", "strategy"),
        ],
        fixed={
            "apiService.insecureSkipTLSVerify": False,
            "tls": ANY,
            "tmpVolume": ANY,
            "image": ANY,
        },
        certificate={"secret": "metrics-server", "service": "metrics-server"},
    ),
    # The objects of the closest available version.
    "flux-operator": Chart(
        "flux-operator",
        "flux-system",
        version="0.49.0",
        follow=pods([], "Deployment flux-operator", "manager", replicas="replicas", variables="extraEnvs"),
        fixed={"web.enabled": False, "image": ANY},
        groups=["fluxcd.controlplane.io"],
        switch=(["installCRDs"], True),
    ),
    "kube-prometheus-stack": Chart(
        STACK,
        "monitoring",
        follow=stack(),
        fixed={
            "crds.enabled": False,
            "kubeControllerManager.enabled": False,
            "kubeEtcd.enabled": False,
            "kubeProxy.enabled": False,
            "kubeScheduler.enabled": False,
            # Rules are not evaluated here, but by promtool in another part of the proof.
            "defaultRules": ANY,
            "prometheusOperator.admissionWebhooks.failurePolicy": "Ignore",
            # Arguments of the operator, which passes them on to the pods that it creates.
            "prometheusOperator.prometheusConfigReloader.resources.requests.cpu": "10m",
            "prometheusOperator.prometheusConfigReloader.resources.requests.memory": "32Mi",
            "prometheusOperator.prometheusConfigReloader.resources.limits.memory": "64Mi",
            "prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.probeSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.scrapeConfigSelectorNilUsesHelmValues": False,
            "prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValues": False,
            "grafana.initChownData.enabled": False,
            "grafana.testFramework.enabled": False,
            "grafana.rbac.create": False,
            "grafana.serviceAccount.create": False,
            "grafana.enableServiceLinks": False,
            "grafana.sidecar.dashboards.enabled": True,
            "grafana.sidecar.dashboards": ANY,
            "grafana.sidecar.enableUniqueFilenames": ANY,
            "grafana.sidecar.datasources": ANY,
            "grafana.grafana.ini": ANY,
            "kube-state-metrics.collectorsExclude": ["secrets"],
        },
        # The configuration with which Grafana finds its dashboards, which the file does not contain.
        added=[
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"{STACK}-grafana-config-dashboards", "namespace": "monitoring"},
                "data": {"provider.yaml": "apiVersion: 1\nproviders: []\n"},
            }
        ],
        groups=["monitoring.coreos.com"],
        switch=(["crds", "enabled"], True),
    ),
    "prometheus-operator-crds": Chart(
        fixed={"crds": ANY},
        groups=["monitoring.coreos.com"],
        switch=([], True),
        annotations=["crds", "annotations"],
    ),
}
