# Plants one defect at a time in the sample and requires that the intended scenario reports it, for the right reason: a harness that
# never fails proves nothing.
import dataclasses
import pathlib
import re
import shutil
import tempfile
import time

from live import cluster, repository, scenarios, sync

SAMPLE = pathlib.Path(__file__).resolve().parent / "sample"
MANIFESTS, INFRASTRUCTURE, CHARTS = SAMPLE / "kubernetes-manifest", SAMPLE / "infrastructure", SAMPLE / "charts"
CLUSTER = "clusters/production"
# A limit in seconds for objects that must become ready, also on a busy machine.
PATIENCE = 900
BASE, SECRETS = "apps/shop/base/", "platform/controllers/external-secrets.yaml"


@dataclasses.dataclass
class Edit:
    file: str
    old: str | None  # None: the file is new
    new: str


@dataclasses.dataclass
class Case:
    name: str
    edits: list[Edit]
    scenario: str  # the one that must fail; none: the run must end before anything is applied
    says: str  # a pattern of its message
    fresh: bool = False  # needs a new cluster
    settle: bool = True  # whether Flux must have applied it first
    person: bool = True  # whether the secrets that a person writes exist
    short: bool = False  # part of the gate


CASES = [
    Case(
        "no-depends-on",
        [Edit("clusters/production/configs.yaml", "  dependsOn:\n    - name: controllers\n", "")],
        "ready",
        'no matches for kind "SecretStore"',
        fresh=True,
        short=True,
    ),
    Case(
        "priority-cutoff",
        [Edit("platform/configs/overprovisioning.yaml", "value: -10", "value: -20")],
        "preempt",
        "below the cutoff",
        fresh=True,
    ),
    Case(
        "no-seccomp",
        [Edit("apps/shop/base/deployment.yaml", "        seccompProfile: {type: RuntimeDefault}\n", "")],
        "ready",
        "violates PodSecurity",
    ),
    Case(
        "unknown-field",
        [Edit("apps/shop/base/deployment.yaml", "revisionHistoryLimit", "revisionHistory")],
        "strict",
        "field not declared in schema",
        settle=False,
        short=True,
    ),
    Case(
        "unknown-field-in-custom-resource",
        [Edit("apps/shop/base/external-secret.yaml", "refreshInterval", "refreshIntervals")],
        "ready",
        "field not declared in schema",
    ),
    Case(
        "pod-selector",
        [
            Edit(
                "apps/shop/base/deployment.yaml",
                "matchLabels: {app: shop}\n  strategy",
                "matchLabels: {app: store}\n  strategy",
            )
        ],
        "ready",
        "selector",
    ),
    Case(
        "service-selector",
        [Edit("apps/shop/base/service.yaml", "selector: {app: shop}", "selector: {app: store}")],
        "wiring",
        "has no ready endpoint",
    ),
    Case(
        "ingress-port",
        [Edit("apps/shop/base/ingress.yaml", "port: {name: http}", "port: {name: web}")],
        "wiring",
        "has no port web",
    ),
    Case(
        "missing-secret",
        [Edit("apps/shop/base/external-secret.yaml", "target: {name: shop-database}", "target: {name: database}")],
        "wiring",
        "needs Secret shop-database",
    ),
    Case(
        "no-cpu-request",
        [Edit("apps/shop/base/deployment.yaml", "requests: {cpu: 200m, memory: 256Mi}", "requests: {memory: 256Mi}")],
        "wiring",
        "missing request for cpu",
    ),
    Case("too-big", [Edit("apps/shop/base/deployment.yaml", "cpu: 200m", "cpu: 3")], "ready", "Insufficient cpu"),
    Case("never-ready", [Edit("apps/shop/base/deployment.yaml", "shop:1.0.0", "shop:1.0.0-never-ready")], "ready", "not ready"),
    Case(
        "unknown-priority",
        [
            Edit(
                "apps/shop/base/deployment.yaml",
                "      serviceAccountName: shop",
                "      priorityClassName: gold\n      serviceAccountName: shop",
            )
        ],
        "ready",
        "no PriorityClass with name gold",
    ),
    Case(
        "wrong-chart-source",
        [
            Edit(
                "platform/controllers/metrics-server.yaml",
                "sourceRef: {kind: HelmRepository, name: metrics-server}",
                "sourceRef: {kind: HelmRepository, name: metrics}",
            )
        ],
        "ready",
        "metrics",
    ),
    Case(
        "two-owners",
        [
            Edit("platform/configs/kustomization.yaml", "resources: [", "resources: [both.yaml, "),
            Edit(
                "platform/configs/both.yaml",
                None,
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: both, namespace: default}\ndata: {owner: configs}\n",
            ),
            Edit("platform/controllers/kustomization.yaml", "resources: [", "resources: [both.yaml, "),
            Edit(
                "platform/controllers/both.yaml",
                None,
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: both, namespace: default}\ndata: {owner: controllers}\n",
            ),
        ],
        "reapply",
        "ConfigMap default/both",
    ),
    Case("chart-version", [Edit("platform/controllers/landing.yaml", 'version: "0.1.0"', 'version: "0.2.0"')], "ready", "0.2.0"),
    Case(
        "chart-refuses-values",
        [Edit("platform/controllers/external-dns.yaml", "    policy: upsert-only\n", "")],
        "ready",
        "missing property 'policy'",
    ),
    Case("forbidden", [Edit("platform/tenants/tenant-shop.yaml", ", external-secrets.io", "")], "ready", "forbidden"),
    Case(
        "not-restricted",
        [Edit("platform/tenants/tenant-shop.yaml", "enforce: restricted", "enforce: baseline")],
        "security",
        "takes a pod with no seccompProfile",
    ),
    Case("no-prune", [Edit("clusters/production/shop.yaml", "prune: true", "prune: false")], "prune", "is still there"),
    Case(
        "flux-not-restricted",
        [Edit("clusters/production/flux-system/instance.yaml", "1enforce, value: restricted", "1enforce, value: baseline")],
        "security",
        "namespace flux-system takes a pod with no seccompProfile",
        fresh=True,
    ),
    Case(
        "recreate",
        [Edit("apps/shop/base/deployment.yaml", "    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}", "    type: Recreate")],
        "rollout",
        "fell to 0",
    ),
    Case(
        "blocked-drain",
        [Edit("apps/shop/base/disruption-budget.yaml", "maxUnavailable: 1", "maxUnavailable: 0")],
        "drain",
        "cannot be drained.*shop.*Cannot evict pod",
    ),
    Case(
        "replicas-in-git",
        [Edit("apps/shop/base/deployment.yaml", "  revisionHistoryLimit: 3", "  replicas: 3\n  revisionHistoryLimit: 3")],
        "autoscale",
        "spec.replicas stands in Git",
    ),
    Case(
        "release-without-account",
        [Edit("platform/controllers/landing.yaml", "  serviceAccountName: helm-controller\n", "")],
        "ready",
        "HelmRelease flux-system/landing.*system:serviceaccount:flux-system:default",
        short=True,
    ),
    Case(
        "layer-without-account",
        [Edit("clusters/production/configs.yaml", "  serviceAccountName: kustomize-controller\n", "")],
        "ready",
        "Kustomization flux-system/configs.*system:serviceaccount:flux-system:default",
    ),
    Case(
        "no-lockdown",
        [Edit("clusters/production/flux-system/instance.yaml", "multitenant: true", "multitenant: false")],
        "lockdown",
        "a Kustomization without `serviceAccountName` was carried out",
        fresh=True,
    ),
    Case(
        "missing-store",
        [
            Edit(
                "platform/tenants/store-shop.yaml",
                "kind: SecretStore\nmetadata:\n  name: parameter-store",
                "kind: SecretStore\nmetadata:\n  name: parameters",
            )
        ],
        "ready",
        "could not get SecretStore parameter-store",
        short=True,
    ),
    Case(
        "nothing-answers-webhook",
        [Edit(SECRETS, "    installCRDs: true\n", "    installCRDs: true\n    webhook: {replicaCount: 0}\n")],
        "ready",
        "failed calling webhook",
    ),
    Case(
        "no-certificate",
        [Edit(SECRETS, "    installCRDs: true\n", "    installCRDs: true\n    certController: {replicaCount: 0}\n")],
        "ready",
        "its certificate is not there yet",
        fresh=True,
    ),
    Case(
        "policy-shuts-webhook",
        [
            Edit(
                "platform/controllers/namespaces.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: database\n",
                "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: deny\n  namespace: external-secrets\n"
                "spec:\n  podSelector: {}\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: database\n",
            )
        ],
        "ready",
        "NetworkPolicy deny of external-secrets keeps the API server from 10250",
    ),
    Case(
        "level-refuses-real-pod",
        [
            Edit(
                "platform/controllers/namespaces.yaml",
                "name: node-exporter\n  labels: {pod-security.kubernetes.io/enforce: privileged}",
                "name: node-exporter\n  labels: {pod-security.kubernetes.io/enforce: restricted}",
            )
        ],
        "ready",
        "DaemonSet node-exporter/.*violates PodSecurity",
        fresh=True,
    ),
    Case(
        "quota-refuses-real-pod",
        [
            Edit(
                "platform/controllers/namespaces.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: database\n",
                "apiVersion: v1\nkind: ResourceQuota\nmetadata:\n  name: pods\n  namespace: external-secrets\n"
                'spec:\n  hard: {pods: "4"}\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: database\n',
            ),
            Edit(SECRETS, "    installCRDs: true\n", "    installCRDs: true\n    replicaCount: 3\n"),
        ],
        "ready",
        "exceeded quota: pods",
        short=True,
    ),
    Case(
        "monitor-port",
        [Edit("platform/configs/monitor-external-secrets.yaml", "port: metrics", "port: http-metrics")],
        "wiring",
        "PodMonitor external-secrets/external-secrets: no container of .* has a port named http-metrics",
        short=True,
    ),
    Case(
        "monitor-with-file",
        [Edit("platform/configs/monitors-policy.yaml", "object.spec.endpoints.all(each, !has(each.bearerTokenFile))", "1 == 1")],
        "monitors",
        "namespace shop takes a monitor that sends a token of Prometheus' pod",
        short=True,
    ),
    Case(
        "rule-without-meaning",
        [Edit(BASE + "rules.yaml", "expr: ", "expr: sum by (")],
        "strict",
        "prometheusrule.* denied the request: Rules are not valid",
        settle=False,
    ),
    Case(
        "not-rendered",
        [Edit(SECRETS, 'version: "2.9.0"', 'version: "2.9.1"')],
        "",
        "external-secrets-2.9.1.yaml` is missing",
        short=True,
    ),
    Case(
        "rendered-otherwise",
        [Edit(SECRETS, "    installCRDs: true\n", "    installCRDs: true\n    processPushSecret: true\n")],
        "ready",
        "external-secrets-2.9.0.yaml was rendered with processPushSecret = false",
    ),
    Case(
        "rendered-without",
        [Edit(SECRETS, "    installCRDs: true\n", "    installCRDs: true\n    webhook: {hostNetwork: true}\n")],
        "ready",
        "external-secrets-2.9.0.yaml was rendered without the value webhook.hostNetwork",
    ),
    Case(
        "unknown-parameter",
        [Edit(BASE + "external-secret.yaml", "shop/database/url", "shop/database/address")],
        "ready",
        "nothing in the infrastructure writes /sample/production/shop/database/address",
    ),
    Case(
        "another-namespace-parameter",
        [Edit(BASE + "external-secret.yaml", "shop/database/url", "database/master/password")],
        "ready",
        "the role of shop may not read",
    ),
    Case(
        "wrong-role",
        [Edit("platform/tenants/store-shop.yaml", "secrets-shop", "secrets-store")],
        "ready",
        "the store parameter-store is not ready",
    ),
    Case(
        "tenants-wait",
        [Edit("clusters/production/tenants.yaml", "wait: false", "wait: true")],
        "neighbours",
        "live-newcomer.*: .*Kustomization flux-system/tenants is",
    ),
    Case(
        "release-gives-up",
        [Edit("platform/controllers/landing.yaml", "remediation: {retries: -1}", "remediation: {retries: 1}")],
        "recover",
        "installed like flux-system/landing: .*RetriesExceeded",
    ),
    Case(
        "retried-into-a-dead-end",
        [
            Edit(
                "platform/controllers/landing.yaml",
                "remediation: {retries: -1}",
                "strategy: {name: RetryOnFailure, retryInterval: 5m}",
            )
        ],
        "recover",
        "installed like flux-system/landing: .*MissingRollbackTarget",
    ),
    Case(
        "definitions-go",
        [Edit("platform/controllers/external-secrets.yaml", "    crds: {annotations: {helm.sh/resource-policy: keep}}\n", "")],
        "removed",
        "CustomResourceDefinition externalsecrets.external-secrets.io/.* went with the release",
    ),
    Case(
        "login-not-replaced",
        [Edit("platform/logins/shop-login-1/login.yaml", "  annotations: {kustomize.toolkit.fluxcd.io/force: enabled}\n", "")],
        "login",
        "did not make the Jobs anew",
        fresh=True,
    ),
    Case(
        "layer-waits-for-person",
        [
            Edit(
                "platform/logins/shop-login-1/login.yaml",
                "/sample/production/database/master/password",
                "/sample/production/database/admin/password",
            ),
            Edit(
                "INFRASTRUCTURE names.txt",
                "secret /sample/production/shop",
                "secret /sample/production/database/admin/password alias/sample a password\nsecret /sample/production/shop",
            ),
        ],
        "waiting",
        "only monitoring and applications may",
        fresh=True,
        person=False,
    ),
    Case(
        "layer-behind-monitoring",
        [Edit("clusters/production/shop-login-1.yaml", "- name: configs", "- name: monitoring")],
        "waiting",
        "Kustomization flux-system/shop-login-1 names no parameter of a person, yet is not Ready",
        fresh=True,
        person=False,
    ),
]


def broken(case, scratch):
    """Copies of the sample's two repositories, with the defect."""
    manifests, infrastructure = scratch / "manifests", scratch / "infrastructure"
    shutil.copytree(MANIFESTS, manifests)
    shutil.copytree(INFRASTRUCTURE, infrastructure)
    for edit in case.edits:
        names = edit.file.removeprefix("INFRASTRUCTURE ")
        path = infrastructure / "environments/production" / names if names != edit.file else manifests / edit.file
        text = path.read_text() if edit.old is not None else ""
        if edit.old is not None and edit.old not in text:
            raise SystemExit(f"live: {edit.file} of the sample no longer holds {edit.old!r}: correct the case {case.name}")
        path.write_text(text.replace(edit.old, edit.new) if edit.old is not None else edit.new)
    return manifests, infrastructure


def plant(live, case):
    """Whether the scenario refuses the defect for the right reason, and its words."""
    with tempfile.TemporaryDirectory() as scratch:
        manifests, infrastructure = broken(case, pathlib.Path(scratch))
        if not case.scenario:
            return stops(live, case, manifests, infrastructure)
        if case.settle:
            sync.sync(live, manifests, CLUSTER, infrastructure, CHARTS, timeout=PATIENCE, person=case.person, quiet=True)
        else:
            repository.publish(live, manifests)
    outcome, wrong, _, _ = scenarios.run(live, case.scenario)
    hit = next((line for line in (" ".join(line.split()) for line in wrong) if re.search(case.says, line)), None)
    words = f"{case.scenario} FAIL: {hit}" if hit else f"{case.scenario} {outcome}: {'; '.join(wrong)}"
    return outcome == "FAIL" and bool(hit), words


def stops(live, case, manifests, infrastructure):
    try:
        sync.sync(live, manifests, CLUSTER, infrastructure, CHARTS, timeout=PATIENCE, quiet=True)
    except SystemExit as words:
        return bool(re.search(case.says, str(words))), f"ends: {words}"
    return False, "the run did not end"


def sound(live):
    return sync.sync(live, MANIFESTS, CLUSTER, INFRASTRUCTURE, CHARTS, timeout=PATIENCE, quiet=True)


def short_cases():
    """The cases of the gate, one commit on top of the other in one cluster that is empty at first."""
    return sorted((case for case in CASES if case.short), key=lambda case: not case.fresh)


def selftest(work, nodes, region, names=(), only_short=False):
    begin, good, live = time.time(), True, None
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"live: there is no case {', '.join(sorted(unknown))}")

    def say(name, well, words, seconds):
        nonlocal good
        good &= well
        print(f"{'ok' if well else 'WRONG':5} {name:34} {seconds:5.1f} s  {words[:230]}", flush=True)

    try:
        if only_short:
            live = cluster.up(work, nodes, region)
            for case in short_cases():
                at = time.time()
                well, words = plant(live, case)
                say(case.name, well, words, time.time() - at)
            return good
        # Those that need an empty cluster come first; their cluster is thrown away.
        for case in sorted((case for case in CASES if not names or case.name in names), key=lambda case: not case.fresh):
            at = time.time()
            if case.fresh or live is None:
                cluster.down(work)
                live = cluster.up(work, nodes, region)
                if not case.fresh:
                    settled = sound(live)
                    results = [(each, *scenarios.run(live, each)) for each in scenarios.ATTENDED] if not names else []
                    bad = [f"{each}: {'; '.join(wrong)}" for each, outcome, wrong, _, _ in results if outcome != "PASS"]
                    times = ", ".join(f"{each} {seconds:.0f} s" for each, _, _, _, seconds in results)
                    say("the sound sample passes all", settled and not bad, "; ".join(bad) or times, time.time() - at)
                    at = time.time()
            well, words = plant(live, case)
            say(case.name, well, words, time.time() - at)
            if case.fresh:
                live = None
            elif not sound(live):
                say(case.name, False, "the sound sample does not come back after it: new cluster", time.time() - at)
                live = None
    finally:
        cluster.down(work)
    print(f"selftest: {'ok' if good else 'WRONG'}, {time.time() - begin:.0f} s")
    return good
