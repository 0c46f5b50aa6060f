# An empty cluster becomes Ready in one go and equals Git; a second round changes nothing; objects removed from Git are deleted.
import calendar
import dataclasses
import pathlib
import re
import time

from live import kube as k
from live import repository, sync
from live.history import FLUX
from live.kube import Refused, name
from live.scenarios.observing import Skip, belongs_to_application, show, snapshot


def everything_ready(live):
    """From nothing to Ready in one go, without a failed attempt, each Kustomization after those it depends on."""
    history = live.read("history.json")
    wrong = [": ".join(entry)[:1000] for entry in history["failures"]]
    if history["verdict"] != "ready":
        wrong += [line[:500] for line in history["stuck"]]
        wrong += [f"{key} is {state}" for key, state in history["states"].items() if state not in ("ready", "suspended")]
    things = sync.flux_objects(live)
    ready_at = history["ready"]
    for thing in things:
        if thing["kind"] != "Kustomization":
            continue
        for other in thing["spec"].get("dependsOn") or []:
            key = f"Kustomization {other.get('namespace', thing['metadata']['namespace'])}/{other['name']}"
            if key not in ready_at:
                continue
            for entry in (thing.get("status", {}).get("inventory") or {}).get("entries") or []:
                namespace, own, group, kind = entry["id"].split("_")[:4]
                created = created_at(
                    live, f"{group}/{entry['v']}" if group else entry["v"], kind, namespace, own, thing["metadata"]["name"]
                )
                if created and created < int(ready_at[key]) and created >= history["begin"]:
                    wrong.append(
                        f"{kind} {namespace}/{own} of {name(thing)} existed {ready_at[key] - created:.0f} s before {key} was Ready"
                    )
    return (
        wrong,
        f"{len(things)} Kustomizations and HelmReleases in {max(ready_at.values(), default=history['begin']) - history['begin']:.0f} s",
    )


def created_at(live, group, kind, namespace, own, owner):
    try:
        thing = live.kube.find(
            live.kube.path({"apiVersion": group, "kind": kind, "metadata": {"name": own, "namespace": namespace}})
        )
    except (Refused, KeyError):
        return None
    if not thing or (thing["metadata"].get("labels") or {}).get("kustomize.toolkit.fluxcd.io/name") != owner:
        return None
    return calendar.timegm(time.strptime(thing["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ"))


def strict(live):
    """The API server takes every object as it stands in the repository. Flux alone does not show this: before it applies
    an object of a built-in kind it drops the fields that it does not know, so a misspelt field passes without a word."""
    wrong, looked = [], 0
    for thing in live.kube.list(FLUX["Kustomization"]):
        spec = thing["spec"]
        for each in repository.rendered(live, thing):
            if not each.get("kind"):
                wrong.append(f"Kustomization {name(thing)}: {each['error']}")
                continue
            looked += 1
            try:
                if live.kube.kind(each["apiVersion"], each["kind"])[1]:
                    each["metadata"]["namespace"] = spec.get("targetNamespace") or each["metadata"].get("namespace", "default")
                live.kube.apply(each, dry_run=True)
            except (Refused, KeyError) as error:
                wrong.append(f"{each['kind']} {name(each)}: {error}"[:400])
    return wrong, f"{looked} objects"


def reapply(live):
    """A second full round of Flux changes nothing."""
    before = snapshot(live)
    slow = sync.reconcile(live)
    after = snapshot(live)
    wrong = [f"{t['kind']} {name(t)} did not finish its second round" for t in slow]
    wrong += [f"{show(key)} went away" for key in before.keys() - after.keys()]
    wrong += [f"{show(key)} came up" for key in after.keys() - before.keys()]
    for key in before.keys() & after.keys():
        (uid, generation, content), (uid2, generation2, content2) = before[key], after[key]
        if uid != uid2:
            wrong.append(f"{show(key)} was made anew")
        elif generation != generation2:
            wrong.append(f"{show(key)}: generation {generation} -> {generation2}")
        elif content != content2:
            wrong.append(f"{show(key)}: content changed")
    return wrong, f"{len(before)} objects compared"


# Objects that can be absent for a minute, the best first.
SPARE = ["PrometheusRule", "ServiceMonitor", "PodMonitor", "NetworkPolicy", "ConfigMap", "PodDisruptionBudget", "Ingress"]
OWNER = "kustomize.toolkit.fluxcd.io/"


def prune(live):
    """Taking files out of the repository, one of an application and one of a layer, removes exactly their objects; putting them
    back brings these back."""
    chosen = spare_files(live)
    if not chosen:
        raise Skip("no file that holds only " + ", ".join(SPARE))
    before = snapshot(live)
    expected = {key for spare in chosen for key in spare.keys}
    for spare in chosen:
        spare.remove()
    wrong = sync.carry_out(live, "without " + ", ".join(spare.file.name for spare in chosen))
    after = snapshot(live)
    gone = before.keys() - after.keys()
    wrong += [f"{show(key)} is still there" for key in expected - gone]
    wrong += [f"{show(key)} went away, too" for key in gone - expected]
    wrong += [f"{show(key)} came up" for key in after.keys() - before.keys()]
    wrong += [f"{show(key)} changed" for key in before.keys() & after.keys() if before[key][2] != after[key][2]]
    for spare in chosen:
        spare.restore()
    wrong += sync.carry_out(live, "as before")
    wrong += [f"{show(key)} did not come back" for key in before.keys() - snapshot(live).keys()]
    files = ", ".join(str(spare.file.relative_to(live.work / "tree")) for spare in chosen)
    return wrong, f"{files}: " + ", ".join(show(key) for key in sorted(expected))


@dataclasses.dataclass
class Spare:
    """A file that can be spared, and the one that lists it."""

    file: pathlib.Path
    listing: pathlib.Path
    line: re.Pattern
    keys: set  # its objects, as in a snapshot
    rank: int

    def remove(self):
        self.kept, self.listed = self.file.read_text(), self.listing.read_text()
        self.file.unlink()
        self.listing.write_text(self.line.sub("", self.listed))

    def restore(self):
        self.file.write_text(self.kept)
        self.listing.write_text(self.listed)


def spare_files(live):
    """The best of an application's and the best of a layer's, as far as there are any: of the files that this cluster applies."""
    owned = {}
    for group, kind, plural, _ in live.kube.kinds():
        for thing in live.kube.list(f"{k.root(group)}/{plural}") if kind in SPARE else []:
            meta = thing["metadata"]
            labels = meta.get("labels") or {}
            owner = f"{labels.get(OWNER + 'namespace')}/{labels.get(OWNER + 'name')}"
            owned.setdefault(owner, []).append((kind, meta.get("namespace", ""), meta["name"]))
    best = {}
    for kustomization in live.kube.list(FLUX["Kustomization"]):
        owner, tree = name(kustomization), (live.work / "tree").resolve()
        whose = belongs_to_application(kustomization)
        for file, listing in repository.listed(tree / kustomization["spec"]["path"].strip("./")):
            spare = spare_file(live, file, listing, owned.get(owner, []))
            if spare and (whose not in best or spare.rank < best[whose].rank):
                best[whose] = spare
    return [best[whose] for whose in sorted(best)]


def spare_file(live, file, listing, owned):
    own = re.escape(file.name)
    line = re.compile(rf"^[ \t]*-[ \t]*(\./)?{own}[ \t]*(#.*)?\n|(?<=[\[ ,])(\./)?{own}(, *)?", re.MULTILINE)
    kinds = set(re.findall(r"^kind: (\w+)", file.read_text(), re.MULTILINE))
    if not kinds or not kinds <= set(SPARE) or len(line.findall(listing.read_text())) != 1:
        return None
    names = {(thing["kind"], thing["metadata"]["name"]) for thing in live.documents(file)}
    keys = {key for key in owned if (key[0], key[2]) in names}
    if len(keys) != len(names):
        return None
    return Spare(file, listing, line, keys, max(SPARE.index(kind) for kind in kinds))
