# Isolation of applications: a second one is added whose role and parameters Terraform has not created yet, and meanwhile the first one
# is deployed and rolled back.
import re
import shutil

from live import repository, sync
from live.history import FLUX, History
from live.kube import condition, name
from live.scenarios.observing import DEPLOYMENTS, Skip, belongs_to_application

# A name of typical length that no platform has.
NEW = "live-newcomer"


def neighbours(live):
    first = application(live)
    place = Tree(live, first)
    others, wrong, notes = {}, [], []
    try:
        others = place.add(NEW)
        wrong += follow(live, f"{NEW} comes", others)
        wrong += [f"{key} is Ready, though nothing made its role" for key in others if ready(live, key)]
        if not wrong:
            before = image(live, place.name)
            for step, change in (("deployed", place.deploy), ("rolled back", place.restore_tag)):
                if wrong:
                    break
                change()
                wrong += follow(live, f"{place.name} is {step} beside {NEW}", others)
                now = image(live, place.name)
                if (now == before) != (step == "rolled back"):
                    wrong.append(f"{place.name} was not {step}: its image is {now}, and was {before}")
            if not wrong:
                notes.append(f"{place.name} was deployed and rolled back while {', '.join(sorted(others))} waited")
    finally:
        place.restore()
        wrong += sync.carry_out(live, f"without {NEW}", 120)
    if live.kube.find(f"/api/v1/namespaces/{NEW}"):
        wrong.append(f"the namespace {NEW} stayed")
    return wrong, "; ".join(notes)


def application(live):
    """The Kustomization of an application that has a tag of its own in Git."""
    for thing in live.kube.list(FLUX["Kustomization"]):
        folder = (live.work / "tree").resolve() / thing["spec"]["path"].strip("./")
        if belongs_to_application(thing) and tag_line(folder):
            return thing
    raise Skip("no application of this cluster has a line `newTag` in its overlay")


TAG = re.compile(r"^(\s*(?:- )?newTag: ).*$", re.M)


def tag_line(folder):
    file = folder / "kustomization.yaml"
    return file.is_file() and TAG.search(file.read_text())


class Tree:
    """The served repository, with what is changed in it for the scenario."""

    def __init__(self, live, kustomization):
        self.live, self.root = live, (live.work / "tree").resolve()
        self.overlay = self.root / kustomization["spec"]["path"].strip("./")
        self.name = self.namespace_of(kustomization)
        self.kept = {}

    def namespace_of(self, kustomization):
        """An application has the name of its namespace."""
        spaces = {
            each["metadata"].get("namespace")
            for each in repository.rendered(self.live, kustomization)
            if each.get("kind") == "Deployment"
        }
        if len(spaces) != 1:
            raise Skip(f"the Deployments of {name(kustomization)} lie in {len(spaces)} namespaces")
        return spaces.pop()

    def write(self, file, text):
        self.kept.setdefault(file, file.read_text() if file.exists() else None)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def restore(self):
        for file, text in self.kept.items():
            if text is None:
                file.unlink()
            else:
                file.write_text(text)
        self.kept = {}
        shutil.rmtree(self.root / "apps" / NEW, ignore_errors=True)

    def renamed(self, text, new):
        return re.sub(rf"(?<![a-zA-Z0-9_]){re.escape(self.name)}(?![a-zA-Z0-9_])", new, text)

    def add(self, new):
        """Another application like this one, in each file of the cluster that speaks of this one alone. Returns the
        Kustomizations that wait for what is not there: {key: nothing}."""
        own = self.root / "apps" / self.name
        for file in sorted(own.rglob("*")):
            if file.is_file():
                self.write(self.root / "apps" / new / file.relative_to(own), self.renamed(file.read_text(), new))
        waits = {}
        for kustomization in self.live.kube.list(FLUX["Kustomization"]):
            folder = self.root / kustomization["spec"]["path"].strip("./")
            # A folder that is built by itself is copied completely.
            if own in (folder, *folder.parents) or folder.name.startswith(f"{self.name}-login-"):
                continue
            for file, listing in list(repository.listed(folder)):
                things = self.live.documents(file) if file.suffix == ".yaml" and file.name != "kustomization.yaml" else []
                if things and all(self.is_own(thing) for thing in things):
                    waits |= self.double(file, listing, new)
        if not waits:
            raise Skip(f"no Kustomization of {self.name} stands in a file of its own")
        return waits

    def is_own(self, thing):
        meta = thing.get("metadata") or {}
        return self.name in (meta.get("namespace"), meta.get("name")) or re.fullmatch(
            rf"{re.escape(self.name)}-login-\d+|{re.escape(self.name)}-deployer", meta.get("name", "")
        )

    def double(self, file, listing, new):
        """The same file for the newcomer, beside it and in the same list. A login's folder is a root of its own, and doubled with it."""
        copy, text = file.parent / f"{new}-{file.name}", self.renamed(file.read_text(), new)
        waits = {}
        for thing in self.live.documents(file):
            if thing["kind"] != "Kustomization" or not thing["apiVersion"].startswith("kustomize.toolkit"):
                continue
            waits[f"Kustomization {self.renamed(name(thing), new)}"] = []
            folder = self.root / thing["spec"]["path"].strip("./")
            if folder.name.startswith(f"{self.name}-login-"):
                for each in sorted(folder.iterdir()):
                    self.write(folder.parent / self.renamed(folder.name, new) / each.name, self.renamed(each.read_text(), new))
        self.write(copy, text)
        lines = listing.read_text()
        if re.search(r"^resources: \[", lines, re.M):
            listed = re.sub(r"^resources: \[", f"resources: [{copy.name}, ", lines, count=1, flags=re.M)
        else:
            listed = re.sub(r"^resources:\n", f"resources:\n  - {copy.name}\n", lines, count=1, flags=re.M)
        self.write(listing, listed)
        return waits

    def deploy(self):
        file = self.overlay / "kustomization.yaml"
        self.tagged = file.read_text()
        self.write(file, TAG.sub(r'\g<1>"99.0.0"', self.tagged))

    def restore_tag(self):
        (self.overlay / "kustomization.yaml").write_text(self.tagged)


def follow(live, message, others):
    """Commits, and follows Flux until all but these is Ready."""
    history = History(live, repository.publish(live, message=message), others)
    try:
        sync.reconcile(live, 15)
        if history.follow(live.read("root.json")["root"], 240):
            return []
        said = [": ".join(entry)[:300] for entry in history.failures] + history.stuck()
        left = ", ".join(f"{key} is {state}" for key, state in history.states().items() if state != "ready" and key not in others)
        return [f"{message}: {left}" if left else f"{message}: {'; '.join(said)}"]
    finally:
        history.stop()


def ready(live, key):
    thing = live.kube.find(
        f"{FLUX['Kustomization'].rsplit('/', 1)[0]}/namespaces/{key.split()[1].replace('/', '/kustomizations/')}"
    )
    return thing and condition(thing, "Ready").get("status") == "True"


def image(live, space):
    found = [each for each in live.kube.list(DEPLOYMENTS) if each["metadata"]["namespace"] == space]
    return sorted(container["image"] for each in found for container in each["spec"]["template"]["spec"]["containers"])
