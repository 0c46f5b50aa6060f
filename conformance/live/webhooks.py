# The webhooks that charts bring, as far as others must wait for them: whoever asks before the chart's Deployment has a ready pod is
# refused, as where nothing answers. They let everything pass and change nothing: what the real ones would say is not played.
import json

# Chart: (name, API group, resources, operations, the namespace's label that it asks for, the value that switches it and its
# default, the value that holds the failure policy). Sources: external-secrets/external-secrets@12b708af64ea
# deploy/charts/external-secrets/templates/validatingwebhook.yaml; kubernetes-sigs/aws-load-balancer-controller@010160b8cc8b
# helm/aws-load-balancer-controller/templates/webhook.yaml. Policies not named there are Fail, the API server's default.
MADE, CHANGED = ["CREATE"], ["CREATE", "UPDATE"]
GATE = {"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"}
CREATE, SERVICES = ("webhook.create", True), ("enableServiceMutatorWebhook", True)
OF_CHARTS = {
    "external-secrets": [
        ("stores", "external-secrets.io", ["secretstores", "clustersecretstores"], CHANGED, None, CREATE, None),
        ("secrets", "external-secrets.io", ["externalsecrets"], CHANGED, None, CREATE, "webhook.failurePolicy"),
    ],
    "aws-load-balancer-controller": [
        ("pods", "", ["pods"], MADE, GATE, None, "podMutatorWebhookConfig.failurePolicy"),
        ("services", "", ["services"], MADE, None, SERVICES, "serviceMutatorWebhookConfig.failurePolicy"),
        ("ingresses", "networking.k8s.io", ["ingresses"], CHANGED, None, None, "ingressValidatorWebhookConfig.failurePolicy"),
        ("bindings", "elbv2.k8s.aws", ["targetgroupbindings"], CHANGED, None, None, "tgbValidatorWebhookConfig.failurePolicy"),
        (
            "classes",
            "elbv2.k8s.aws",
            ["ingressclassparams"],
            CHANGED,
            None,
            None,
            "ingressClassParamsValidatorWebhookConfig.failurePolicy",
        ),
    ],
}
# Set by the process that serves the charts: where it answers, and by which authority.
ADDRESS, AUTHORITY = "https://127.0.0.1", ""


def template(chart):
    lines = [
        "apiVersion: admissionregistration.k8s.io/v1",
        "kind: ValidatingWebhookConfiguration",
        "metadata:",
        '  name: {{ include "standin.name" . }}-played',
        "webhooks:",
    ]
    for name, group, resources, operations, label, switch, policy in OF_CHARTS[chart]:
        # A chart's own objects must not wait for its own pods.
        other = {"key": "app.kubernetes.io/name", "operator": "NotIn", "values": [chart]}
        hook = {
            "name": f"{name}.played.example.invalid",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 5,
            "objectSelector": {"matchExpressions": [other]},
            "namespaceSelector": {"matchLabels": label or {}},
            "rules": [{"apiGroups": [group], "apiVersions": ["*"], "operations": operations, "resources": resources}],
        }
        place = f'{ADDRESS}/webhook/{{{{ .Release.Namespace }}}}/{{{{ include "standin.name" . }}}}'
        text = json.dumps(hook)[1:-1]
        text += f', "clientConfig": {{"caBundle": "{AUTHORITY}", "url": "{place}"}}'
        text += f', "failurePolicy": {{{{ {dig(policy, "Fail")} | toJson }}}}' if policy else ', "failurePolicy": "Fail"'
        entry = f"  - {{{text}}}"
        lines += [f"{{{{- if {dig(*switch)} }}}}", entry, "{{- end }}"] if switch else [entry]
    return "\n".join(lines) + "\n"


def dig(path, default):
    return f"dig {' '.join(json.dumps(part) for part in path.split('.'))} {json.dumps(default)} .Values.AsMap"


def answer(api, namespace, name, review):
    """What the API server gets to hear, or None where no pod would answer."""
    deployment = api.find(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    if not deployment or not deployment.get("status", {}).get("readyReplicas"):
        return None
    return {
        **{key: review[key] for key in ("apiVersion", "kind")},
        "response": {"uid": review["request"]["uid"], "allowed": True},
    }
