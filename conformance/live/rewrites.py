# The only differences between the cluster and the repository: sources point to the local server, and autoscalers scale down
# immediately. Policies of the API server apply them at admission, so they cover objects from every client.
from live import cluster

GIT, HELM, OCI = "gitrepositories", "helmrepositories", "ocirepositories"
# Seconds that an autoscaler waits before it scales down, and between two steps.
PATIENCE = 5


def install(live, source):
    """`source` is the GitRepository by which Flux syncs, as NAMESPACE/NAME; other GitRepositories stay as they are."""
    for rule, (group, plural, when, patch) in rules(live, source).items():
        policy = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": f"live-{rule}"},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": [group],
                            "apiVersions": ["*"],
                            "resources": [plural],
                            "operations": ["CREATE", "UPDATE"],
                        }
                    ]
                },
                "matchConditions": [{"name": "this", "expression": when}],
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
            },
        }
        live.kube.apply(policy)
        binding = {"kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": f"live-{rule}"}}
        live.kube.apply({"apiVersion": policy["apiVersion"], "metadata": policy["metadata"], **binding})


def rules(live, source):
    web, port = live.state["web"], live.state["webPort"]
    namespace, _, name = source.partition("/")
    this = f"object.metadata.namespace == '{namespace}' && object.metadata.name == '{name}'"
    there = f"'oci://127.0.0.1:{port}/'"
    flux = "source.toolkit.fluxcd.io"
    generic = ' + (has(object.spec.provider) ? [JSONPatch{op: "replace", path: "/spec/provider", value: \'generic\'}] : [])'
    helm = (
        "(has(object.spec.type) && object.spec.type == 'oci' ? "
        f'[JSONPatch{{op: "add", path: "/spec/url", value: {there} + object.metadata.name}}, '
        'JSONPatch{op: "add", path: "/spec/insecure", value: true}] : '
        f'[JSONPatch{{op: "add", path: "/spec/url", value: \'{web}/helm/\' + object.metadata.name}}]) + '
    )
    # On an update the object is rewritten already, so this rule must leave its own result alone.
    oci = f"object.spec.url.startsWith({there}) ? object.spec.url : object.spec.url.replace('oci://', {there})"
    secret = ["secretRef", "certSecretRef", "proxySecretRef", "verify", "serviceAccountName"]
    # The stabilization window of an autoscaler is shortened, so that it can be observed; its other settings stay.
    down = "/spec/behavior/scaleDown"
    policies = "object.spec.behavior.scaleDown.policies"
    patience = f'[JSONPatch{{op: "add", path: "{down}/stabilizationWindowSeconds", value: {PATIENCE}}}]' + "".join(
        f" + (has({policies}) && size({policies}) > {at} ? "
        f'[JSONPatch{{op: "replace", path: "{down}/policies/{at}/periodSeconds", value: {PATIENCE}}}] : [])'
        for at in range(3)
    )
    git = changed({"url": f"'{web}/git/repository'"}, ["secretRef", "provider", "proxySecretRef", "verify"])
    return {
        "git": (flux, GIT, this, git),
        "helm": (flux, HELM, "true", helm + changed({}, ["secretRef", "certSecretRef", "passCredentials"]) + generic),
        "oci": (flux, OCI, "true", changed({"url": oci, "insecure": "true"}, secret) + generic),
        "patience": (
            "autoscaling",
            "horizontalpodautoscalers",
            "has(object.spec.behavior) && has(object.spec.behavior.scaleDown)",
            patience,
        ),
    }


def changed(values, drop):
    parts = [f'[JSONPatch{{op: "add", path: "/spec/{path}", value: {value}}}]' for path, value in values.items()]
    parts += [f'(has(object.spec.{field}) ? [JSONPatch{{op: "remove", path: "/spec/{field}"}}] : [])' for field in drop]
    return " + ".join(parts)


def wait(live, source):
    """A policy works from the moment the API server's own watch has seen it."""
    namespace, _, name = source.partition("/")
    probes = [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": kind,
            "metadata": {"name": own, "namespace": namespace},
            "spec": {"url": "https://example.invalid/x", "interval": "1m"},
        }
        for kind, own in (("GitRepository", name), ("HelmRepository", "live-probe"))
    ]
    web = live.state["web"]
    cluster.wait(
        "the rewriting policies",
        lambda: all(live.kube.apply(each, dry_run=True)["spec"]["url"].startswith(web) for each in probes),
        cluster.PATIENCE,
    )
