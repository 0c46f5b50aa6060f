# The messages of alerts: each receiver's text, rendered by Alertmanager's own tool for an alert of each producer. Not whether the
# receiver displays it unchanged.
import html
import json
import re

from prove import yaml_reader
from prove.blueprints import CHECKOUT, binary
from prove.manifests import Manifests, kind_of
from prove.steps import Failure, Step
from prove.tree import Tree

RULES = "monitoring.coreos.com/v1/PrometheusRule"
# Alertmanager's defaults (config/notifiers.go of v0.34.0).
DEFAULTS = {
    "slack_configs": {"title": "slack.default.title", "text": "slack.default.text"},
    "pagerduty_configs": {"description": "pagerduty.default.description"},
    "email_configs": {"subject": "email.default.subject", "html": "email.default.html", "text": "email.default.text"},
}
# One alert of Flux, with the labels and the annotation that its controller sends (fluxcd/notification-controller
# internal/notifier/alertmanager.go). `cluster` comes from our Alert, `revision` from the object.
FLUX = {
    "labels": {
        "alertname": "FluxKustomizationHealthcheckfailed",
        "severity": "error",
        "reason": "HealthCheckFailed",
        "kind": "Kustomization",
        "name": "shop",
        "namespace": "flux-system",
        "reportingcontroller": "kustomize-controller",
        "revision": "main@sha1:0123456789abcdef",
        "cluster": "CLUSTER",
    },
    "annotations": {"message": "health check failed after 15m0s: timeout waiting for: [Deployment/shop/shop status: 'InProgress']"},
}


def steps(proof, tree, manifests):
    releases = [path for path in tree.manifests if "\n    alertmanager:\n" in path.read_text(encoding="utf-8")]
    if releases:
        yield Step(
            "alert messages",
            f"{len(releases)} configurations",
            releases,
            lambda: check(proof, tree, manifests),
            seconds=4,
        )


def receivers(proof):
    """All receivers of the language, also those that no tree uses."""
    component = json.loads(proof.run([binary(), "schema"]).stdout)["properties"]["components"]["properties"]["monitoring"]
    for word in [choice["const"] for choice in component["properties"]["alerts"]["oneOf"]]:
        folder = proof.folder("receivers")
        mail = 'email = { to = ["a@example.com"], from = "b@example.com", server = "smtp.example.com:587" }\n' * (word == "email")
        blueprint = (CHECKOUT / "blueprints" / "minimal.toml").read_text(encoding="utf-8")
        (folder / "blueprint.toml").write_text(f'{blueprint}\n[components.monitoring]\nalerts = "{word}"\n{mail}', encoding="utf-8")
        proof.run([binary(), "render", folder / "blueprint.toml", "--out", folder / "out"])
        tree = Tree(folder / "out")
        found = list(steps(proof, tree, Manifests(proof, tree)))
        if not found:
            raise Failure(f'`alerts = "{word}"` renders no configuration of Alertmanager')
        for step in found:
            step.where = f"alerts = {word}"
        yield from found


def check(proof, tree, manifests):
    for cluster in tree.clusters:
        objects = [document for document, _ in manifests.objects(cluster)]
        for document in objects:
            values = document["spec"].get("values") or {} if document["kind"] == "HelmRelease" else {}
            if "config" not in values.get("alertmanager", {}):
                continue
            producers = {
                "Flux": [FLUX],
                "our rules": [alert for one in objects if kind_of(one) == RULES for alert in sampled(one)],
                "the rules of kube-prometheus-stack": [alert for one in upstream(proof) for alert in sampled(one)],
            }
            try:
                messages(proof, values["alertmanager"], producers)
            except Failure as refusal:
                raise Failure(f"{tree.name(cluster)}: {refusal}") from None


def upstream(proof):
    """The rules of the chart, as it renders them."""
    if not proof.facts:
        return []
    found = sorted((proof.facts / "charts" / "rendered").glob("kube-prometheus-stack-*.yaml"))
    if len(found) != 1:
        raise Failure(f"`{proof.facts}/charts/rendered` has {len(found)} files `kube-prometheus-stack-*.yaml`, and needs one")
    return [document for document in yaml_reader.read_file(found[0]) if document and kind_of(document) == RULES]


def sampled(rules):
    """The alerts of a PrometheusRule, as Alertmanager gets them: with words where Prometheus fills in labels and numbers."""
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            if "alert" not in rule or rule["alert"] in ("Watchdog", "InfoInhibitor"):
                continue
            yield {
                "labels": {"alertname": rule["alert"], "cluster": "CLUSTER", **(rule.get("labels") or {})},
                "annotations": {
                    # Some upstream texts end with an empty line, which is no mistake of ours.
                    name: re.sub(r"\s*\n\s*", "\n", re.sub(r"\{\{.*?\}\}", "sample", text, flags=re.S)).strip()
                    for name, text in rule["annotations"].items()
                },
            }


def messages(proof, alertmanager, producers):
    folder = proof.folder("messages")
    for name, text in (alertmanager.get("templateFiles") or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    mistakes = []
    for receiver in alertmanager["config"]["receivers"]:
        for kind, configurations in receiver.items():
            # A webhook gets the alerts as JSON, so there is no text.
            if kind in ("name", "webhook_configs"):
                continue
            if kind not in DEFAULTS:
                raise Failure(f"nothing says what a text of `{kind}` must show: add it to `prove/alert_messages.py`")
            for configuration in configurations:
                for producer, alerts in producers.items():
                    where = f"{kind} for an alert of {producer}"
                    mistakes += [f"{where}: {words}" for words in lacking(proof, folder, kind, configuration, alerts)]
    if mistakes:
        raise Failure("\n".join(mistakes[:20]))


def lacking(proof, folder, kind, configuration, alerts):
    """What is wrong or missing in a message."""
    texts = {part: configuration.get(part) or f'{{{{ template "{name}" . }}}}' for part, name in DEFAULTS[kind].items()}
    if kind == "email_configs":
        texts["subject"] = (configuration.get("headers") or {}).get("Subject") or texts["subject"]
        if not configuration.get("text"):
            yield "a client that shows no HTML shows nothing: write `text`"
            return
    show = lambda part, shown, status="firing": render(
        proof, folder, texts[part], shown, status, "html" if part == "html" else "text"
    )
    # One notification contains a group of `group_by`, so lists are tried as a whole and headings one by one.
    for part in texts:
        heading = part in ("title", "subject", "description")
        for group in [[alert] for alert in spread(alerts)] if heading else [alerts]:
            text = show(part, group)
            if "<no value>" in text or (not heading and part != "html" and re.search(r"^\s*$", text.strip(), re.M)):
                yield f"`{part}` has a gap: {text.strip()[:200]!r}"
            for alert in group:
                for word in expected(part, alert):
                    if plain(word) not in plain(text):
                        yield f"`{part}` of {alert['labels']['alertname']} does not say {plain(word)[:120]!r}"
    if "reportingcontroller" in alerts[0]["labels"]:
        for part in texts:
            if part in ("title", "subject", "description") and "RESOLVED" in show(part, alerts[:1], "resolved"):
                yield f"`{part}` says that it is resolved, which Flux never says"


def spread(alerts):
    """A few of a long list: each call of the tool takes a while."""
    return alerts[:: max(1, len(alerts) // 4)]


def expected(part, alert):
    labels, words = alert["labels"], alert["annotations"]
    if part in ("title", "subject", "description"):
        yield from (labels["alertname"], labels["cluster"])
    if part == "description":
        yield words.get("message") or words.get("description") or words["summary"]
    if part in ("text", "html"):
        yield labels["severity"]
        yield from (text for name, text in words.items() if name in ("summary", "description", "message", "runbook", "runbook_url"))
    if "reportingcontroller" in labels and part in ("text", "html", "description"):
        yield from (labels[name] for name in ("kind", "namespace", "name", "reason"))


def plain(text):
    return " ".join(html.unescape(text).split())


def render(proof, folder, text, alerts, status, form):
    common = {
        name: value for name, value in alerts[0]["labels"].items() if all(alert["labels"].get(name) == value for alert in alerts)
    }
    data = {
        "receiver": "receiver",
        "status": status,
        "alerts": [
            {
                "status": status,
                "labels": alert["labels"],
                "annotations": alert["annotations"],
                "startsAt": "2026-01-01T00:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": str(number),
            }
            for number, alert in enumerate(alerts)
        ],
        "groupLabels": {"alertname": alerts[0]["labels"]["alertname"]},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
    }
    file = folder / "data.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    command = ["amtool", "template", "render", f"--template.glob={folder}/*.tmpl", f"--template.text={text}"]
    return proof.run([*command, f"--template.type={form}", f"--template.data={file}"]).stdout
