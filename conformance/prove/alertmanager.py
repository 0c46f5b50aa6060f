# The routes of alerts: Alertmanager's own tool reads the configuration in each HelmRelease and prints the receiver of an alert.
# Not whether the receiver's address works, nor which alerts fire.
import yaml

from prove.steps import Failure, Step

# For every platform: an alert by its labels, and its receiver. `root` is the default receiver, `nobody` one that discards alerts.
PROMISES = [
    ({"alertname": "KubePodCrashLooping", "severity": "critical", "namespace": "shop"}, "root"),
    ({"alertname": "KubePodCrashLooping", "severity": "warning", "namespace": "shop"}, "root"),
    ({"alertname": "InfoInhibitor", "severity": "none", "namespace": "shop"}, "nobody"),
    ({"alertname": "CPUThrottlingHigh", "severity": "info", "namespace": "shop"}, "nobody"),
]
# The dead man's switch must not reach the people who read alerts.
WATCHDOG = {"alertname": "Watchdog", "severity": "none"}


def steps(proof, tree, manifests):
    with_alertmanager = [path for path in tree.manifests if "\n    alertmanager:\n" in path.read_text(encoding="utf-8")]
    # A platform without monitoring has none.
    if with_alertmanager:
        yield Step(
            "alertmanager routes",
            f"{len(with_alertmanager)} configurations",
            tree.clusters and with_alertmanager,
            lambda: check(proof, tree, manifests),
        )


def check(proof, tree, manifests):
    count = 0
    for cluster in tree.clusters:
        for document, _ in manifests.objects(cluster):
            values = document["spec"].get("values") or {} if document["kind"] == "HelmRelease" else {}
            if "config" in values.get("alertmanager", {}):
                count += 1
                try:
                    routes(proof, values["alertmanager"]["config"])
                except Failure as refusal:
                    raise Failure(f"{tree.name(cluster)}: {refusal}") from None
    if not count:
        raise Failure("no HelmRelease that is applied configures Alertmanager")


def routes(proof, configuration):
    file = proof.folder("alertmanager") / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    proof.run(["amtool", "check-config", file])
    for route in configuration["route"].get("routes") or []:
        # Alertmanager checks once per `group_interval`, and skips a message that was sent a moment after the previous check.
        if "repeat_interval" in route and route["repeat_interval"] == route.get("group_interval"):
            raise Failure(
                f"`{route['receiver']}` hears only every second message: make `repeat_interval` shorter than `group_interval`"
            )
    silent = {receiver["name"] for receiver in configuration["receivers"] if len(receiver) == 1}
    root = configuration["route"]["receiver"]

    def reached(labels):
        words = [f"{name}={value}" for name, value in labels.items()]
        return proof.run(["amtool", "config", "routes", "test", f"--config.file={file}", *words]).stdout.split()

    heard = set(reached(WATCHDOG))
    # A root that discards alerts disturbs nobody.
    if root not in silent and root in heard:
        raise Failure(f"Watchdog reaches `{root}`, who would be called for ever")
    for labels, promised in PROMISES:
        receivers = reached(labels)
        heard.update(receivers)
        kept = receivers == [root] if promised == "root" else receivers and set(receivers) <= silent
        if not kept:
            raise Failure(
                f"{labels['alertname']} of severity {labels['severity']} reaches {receivers}, and should reach {promised}"
            )
    deaf = {receiver["name"] for receiver in configuration["receivers"]} - silent - heard
    if deaf:
        raise Failure(f"nothing reaches {sorted(deaf)}")
