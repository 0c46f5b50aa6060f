# Releases after failures: one whose installation fails for long recovers without intervention when the cause is fixed, and one that is
# removed keeps the definitions and the Secrets.
import json

from live import charts, sync
from live.history import FLUX
from live.kube import condition, name
from live.scenarios.observing import Skip, until

# More attempts than the retries of any release, of which the maximum is 3.
ATTEMPTS = 5
CAUSE = "live-cause"


def recover(live):
    """Every policy of installing that a release has, tried with a chart whose pod needs a ConfigMap that comes late. Times are
    shortened, the policy stays."""
    found = releases(live)
    made = []
    try:
        for release in found:
            made.append(live.kube.apply(late(release)))
        wrong, counts = [], {}
        for thing in made:
            path = live.kube.path(thing)
            # It must fail more often than the number of retries, or Flux must stop retrying.
            until(lambda path=path: attempts(live.kube.get(path)) >= ATTEMPTS or given_up(live.kube.get(path)), 240, 0.5)
            counts[name(thing)] = attempts(live.kube.get(path))
            if counts[name(thing)] < ATTEMPTS:
                wrong.append(f"{name(thing)}, installed like {like(thing)}: {words(live.kube.get(path), counts[name(thing)])}")
        for thing in made:
            live.kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CAUSE, "namespace": space(thing)}})
        for thing in made:
            path = live.kube.path(thing)
            if not until(lambda path=path: condition(live.kube.get(path), "Ready").get("status") == "True", 240, 0.5):
                wrong.append(
                    f"{name(thing)}, installed like {like(thing)}, stays failed when the cause is gone: "
                    + words(live.kube.get(path), attempts(live.kube.get(path)))
                )
    finally:
        for thing in made:
            live.kube.delete(live.kube.path(thing))
        for thing in made:
            path = live.kube.path(thing)
            until(lambda path=path: live.kube.find(path) is None, 300)
            cause = f"/api/v1/namespaces/{space(thing)}/configmaps/{CAUSE}"
            if live.kube.find(cause):
                live.kube.delete(cause)
    return wrong, f"{len(made)} policies, {min(counts.values())} to {max(counts.values())} failed attempts each"


def policy(release):
    """How a release is installed and upgraded, without durations."""
    kept = {key: release["spec"].get(key) for key in ("install", "upgrade", "rollback", "uninstall")}
    return json.dumps(kept, sort_keys=True)


def releases(live):
    """One release of each policy whose chart comes from a HelmRepository."""
    found = {}
    for release in live.kube.list(FLUX["HelmRelease"]):
        source = ((release["spec"].get("chart") or {}).get("spec") or {}).get("sourceRef") or {}
        if source.get("kind") == "HelmRepository":
            found.setdefault(policy(release), release)
    if not found:
        raise Skip("no HelmRelease whose chart comes from a HelmRepository")
    return list(found.values())


def late(release):
    spec = json.loads(json.dumps(release["spec"]))
    for key in ("values", "valuesFrom", "releaseName", "dependsOn", "postRenderers"):
        spec.pop(key, None)
    spec["chart"]["spec"] |= {"chart": charts.PROBE, "version": "1.0.0"}
    spec["chart"]["spec"].pop("verify", None)
    spec |= {"timeout": "8s", "interval": "1h", "values": {"waitsFor": CAUSE}}
    for action in ("install", "upgrade"):
        (spec.get(action) or {}).pop("timeout", None)
        strategy = (spec.get(action) or {}).get("strategy") or {}
        if "retryInterval" in strategy:
            strategy["retryInterval"] = "1s"
    meta = {
        "name": f"live-late-{release['metadata']['name']}"[:50],
        "namespace": release["metadata"]["namespace"],
        "annotations": {"live/like": name(release)},
    }
    return {"apiVersion": release["apiVersion"], "kind": "HelmRelease", "metadata": meta, "spec": spec}


def space(release):
    return release["spec"].get("targetNamespace") or release["metadata"]["namespace"]


def like(thing):
    return thing["metadata"]["annotations"]["live/like"]


def attempts(thing):
    status = thing.get("status") or {}
    return max(status.get("failures", 0), status.get("installFailures", 0) + status.get("upgradeFailures", 0))


def given_up(thing):
    return condition(thing, "Stalled").get("status") == "True"


def words(thing, count):
    why = condition(thing, "Stalled") or condition(thing, "Ready")
    return f"{count} failed attempts, {why.get('reason')}: {why.get('message', '')}"[:400]


# ---------------------------------------------------------------- one that is removed


SECRETS = "external-secrets"


def removed(live):
    """The release of External Secrets goes from Git and comes back: no definition, store, ExternalSecret or Secret goes with it."""
    found = [release for release in live.kube.list(FLUX["HelmRelease"]) if release["metadata"]["name"] == SECRETS]
    if not found:
        raise Skip(f"no HelmRelease {SECRETS}")
    release = found[0]
    before = belongings(live)
    if not any(key[0] == "CustomResourceDefinition" for key in before) or not any(key[0] == "Secret" for key in before):
        raise Skip("External Secrets brings no definition, or no Secret")
    # As if a person deleted it; Flux restores it from Git at the next reconciliation of its layer.
    live.kube.delete(live.kube.path(release))
    gone = until(lambda: uninstalled(live, release), 300)
    wrong = [] if gone else [f"HelmRelease {name(release)} was not uninstalled within 300 s"]
    wrong += [f"{key[0]} {'/'.join(key[1:])} went with the release" for key in sorted(before - belongings(live))]
    wrong += sync.carry_out(live, f"{SECRETS} comes back", 150)
    wrong += [f"{key[0]} {'/'.join(key[1:])} is not there afterwards" for key in sorted(before - belongings(live))]
    return wrong, f"{len(before)} objects stayed"


def uninstalled(live, release):
    """Whether the object is gone, which is the last thing. Flux may have put the HelmRelease back already."""
    there = live.kube.find(live.kube.path(release))
    return not there or there["metadata"]["uid"] != release["metadata"]["uid"]


def belongings(live):
    found = set()
    for crd in live.kube.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions"):
        if crd["spec"]["group"].endswith("external-secrets.io"):
            found.add(("CustomResourceDefinition", crd["metadata"]["name"], crd["metadata"]["uid"]))
    for plural in ("secretstores", "externalsecrets"):
        path = f"/apis/external-secrets.io/v1/{plural}"
        for thing in live.kube.list(path) if live.kube.find(path) else []:
            found.add((thing["kind"], name(thing), thing["metadata"]["uid"]))
    for secret in live.kube.list("/api/v1/secrets"):
        owners = secret["metadata"].get("ownerReferences") or []
        if any(owner["kind"] == "ExternalSecret" for owner in owners):
            found.add(("Secret", name(secret), secret["metadata"]["uid"]))
    return found
