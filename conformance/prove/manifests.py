# Everything Flux will read: every kustomization is built with kubectl's kustomize, every file and every built object is
# validated strictly, every patch has a target, every file is used, and the graph of Flux objects is consistent.
# Not what controllers do with the objects.
import contextlib
import functools
import re
import threading

import yaml

from prove import object_relations, yaml_reader
from prove.steps import Failure, Step

FLUX = "kustomize.toolkit.fluxcd.io/v1/Kustomization"


def kind_of(document):
    return f"{document.get('apiVersion')}/{document.get('kind')}"


def name_of(document):
    return (document.get("metadata") or {}).get("name")


def namespace_of(document):
    return (document.get("metadata") or {}).get("namespace")


class Manifests:
    """The builds of one tree, each made once however many steps look at it."""

    def __init__(self, proof, tree):
        self.proof, self.tree = proof, tree
        self.lock = threading.Lock()
        self.known = {}

    def kustomization(self, folder):
        """The kustomization file of a folder, or None."""
        return next((folder / name for name in ("kustomization.yaml", "kustomization.yml") if (folder / name).is_file()), None)

    def kustomize(self, folder):
        with self.lock:
            done = self.known.setdefault(folder, {"lock": threading.Lock()})
        with done["lock"]:
            if "objects" not in done:
                try:
                    done["objects"] = self.build(folder)
                except Failure as refusal:
                    done["objects"] = refusal
        if isinstance(done["objects"], Failure):
            raise done["objects"]
        return done["objects"]

    def build(self, folder):
        if not self.kustomization(folder):
            raise Failure(f"`{self.tree.name(folder)}` has no `kustomization.yaml`: Flux would take in whatever lies there")
        done = self.proof.run(["kubectl", "kustomize", folder])
        if done.stderr.strip():
            raise Failure(f"`kubectl kustomize {self.tree.name(folder)}` warns\n{done.stderr}")
        return yaml_reader.read_text(done.stdout)

    @functools.cached_property
    def plain(self):
        """Folders that build by themselves: kind Kustomization, not Component."""
        return [
            path.parent for path in self.tree.kustomization_files if self.read(path).get("kind", "Kustomization") == "Kustomization"
        ]

    @functools.cache  # noqa: B019 - lives as long as the proof of its tree
    def read(self, path):
        documents = self.tree.documents(path)
        return documents[0] if documents else {}

    def flux_folder(self, cluster, document):
        """The folder that a Flux Kustomization applies."""
        return (self.tree.repository_of(cluster) / str((document.get("spec") or {}).get("path") or ".")).resolve()

    def applied(self, cluster):
        """All that Flux applies to a cluster: (folder, Flux Kustomization or None for the first, objects)."""
        found, waiting, seen = [], [(cluster, None)], set()
        while waiting:
            folder, source = waiting.pop(0)
            if folder in seen:
                continue
            seen.add(folder)
            objects = self.kustomize(folder)
            found.append((folder, source, objects))
            for document in objects:
                if kind_of(document) == FLUX and self.flux_folder(cluster, document).is_dir():
                    waiting.append((self.flux_folder(cluster, document), document))
        return found

    def objects(self, cluster):
        return [(document, folder) for folder, _, objects in self.applied(cluster) for document in objects]

    def cluster_objects(self):
        return [pair for cluster in self.tree.clusters for pair in self.objects(cluster)]

    # ------------------------------------------------------------ what kustomizations name

    def references(self, path):
        """The files and folders that a kustomization file names, each with the field it stands in."""
        content = self.read(path)
        for field in ("resources", "components", "bases", "crds", "configurations", "generators", "transformers", "validators"):
            for entry in content.get(field) or []:
                if isinstance(entry, str) and "\n" not in entry:
                    yield field, (path.parent / entry).resolve()
        for field in ("patches", "replacements"):
            for entry in content.get(field) or []:
                if entry.get("path"):
                    yield field, (path.parent / entry["path"]).resolve()
        for field in ("configMapGenerator", "secretGenerator"):
            for entry in content.get(field) or []:
                for item in (entry.get("files") or []) + (entry.get("envs") or []):
                    yield field, (path.parent / item.split("=", 1)[-1]).resolve()

    @functools.cached_property
    def patch_files(self):
        return {target for path in self.tree.kustomization_files for field, target in self.references(path) if field == "patches"}


def steps(proof, tree, schemas, manifests):
    files = tree.manifests
    yield Step(
        "kustomize build",
        f"{len(manifests.plain) if files else 0} kustomizations",
        tree.kustomization_files and files,
        lambda: build_all(tree, manifests),
        seconds=6,
    )
    yield Step(
        "schemas of files",
        f"{len(files)} files",
        files,
        lambda: check_files(tree, schemas, manifests),
        seconds=10,
        internet=not proof.facts,
    )
    yield Step(
        "schemas of builds",
        f"{len(tree.clusters)} clusters",
        tree.clusters and files,
        lambda: check_builds(tree, schemas, manifests),
        seconds=10,
        internet=not proof.facts,
    )
    yield Step(
        "patches hit",
        f"{len(tree.kustomization_files)} kustomizations",
        tree.kustomization_files and files,
        lambda: check_patches(proof, tree, manifests),
        seconds=5,
    )
    yield Step(
        "flux graph", f"{len(tree.clusters)} clusters", tree.clusters and files, lambda: check_graph(tree, manifests), seconds=4
    )
    yield Step("files reached", f"{len(files)} files", files, lambda: check_reached(tree, manifests), seconds=4)
    yield Step(
        "objects fit each other",
        f"{len(tree.clusters)} clusters",
        tree.clusters and files,
        lambda: object_relations.check(tree, manifests),
        seconds=4,
    )


def refuse(mistakes):
    if mistakes:
        raise Failure("\n".join(sorted(set(mistakes))))


def build_all(tree, manifests):
    mistakes = []
    if not manifests.plain:
        mistakes.append("no kustomization is of kind Kustomization")
    for folder in manifests.plain:
        try:
            if not manifests.kustomize(folder) and not manifests.read(manifests.kustomization(folder)).get("components"):
                mistakes.append(f"`{tree.name(folder)}` builds to nothing")
        except Failure as refusal:
            mistakes.append(str(refusal))
    refuse(mistakes)


def check_files(tree, schemas, manifests):
    mistakes = []
    for path in tree.manifests:
        try:
            documents = tree.documents(path)
        except yaml.YAMLError as error:
            mistakes.append(f"{tree.name(path)}: {error}")
            continue
        partial = path.resolve() in manifests.patch_files
        for document in documents:
            if partial and isinstance(document, list):
                continue  # a list of JSON patch operations: kustomize itself refuses one that does not fit
            mistakes += [f"{tree.name(path)}: {mistake}" for mistake in schemas.mistakes(document, partial=partial)]
    refuse(mistakes)


def check_builds(tree, schemas, manifests):
    mistakes = []
    for folder in manifests.plain:
        for document in manifests.kustomize(folder):
            mistakes += [f"{tree.name(folder)}: {mistake}" for mistake in schemas.mistakes(document)]
    for cluster in tree.clusters:
        for document, folder in manifests.objects(cluster):
            mistakes += [f"{tree.name(folder)}: {mistake}" for mistake in schemas.mistakes(document)]
    refuse(mistakes)


# ---------------------------------------------------------------- patches


@contextlib.contextmanager
def stripped(path, content, fields):
    """The kustomization file without some of its fields, for as long as the context lasts."""
    original = path.read_text()
    path.write_text(yaml.safe_dump({name: value for name, value in content.items() if name not in fields}, sort_keys=False))
    try:
        yield
    finally:
        path.write_text(original)


def check_patches(proof, tree, manifests):
    """Kustomize accepts a patch with a target, or an image, that matches nothing."""
    mistakes, count = [], 0
    copies = {repository: proof.copy(repository, "patches") for repository in tree.manifest_repositories}
    for folder in manifests.plain:
        path = manifests.kustomization(folder)
        content = manifests.read(path)
        # Components are patches of the kustomization that takes them in.
        sources = [(path, content)]
        for field, target in manifests.references(path):
            if field == "components" and manifests.kustomization(target):
                component = manifests.kustomization(target)
                sources.append((component, manifests.read(component)))
        if not any(source.get(field) for _, source in sources for field in ("patches", "images")):
            continue
        repository = tree.repository_of(path)
        copied = copies[repository] / path.relative_to(repository)
        with stripped(copied, content, ("patches", "images", "components", "replicas", "replacements")):
            built = yaml_reader.read_text(proof.run(["kubectl", "kustomize", copied.parent]).stdout)
        for source, body in sources:
            for patch in body.get("patches") or []:
                count += 1
                mistakes += missing_target(tree, source, patch, built)
            for image in body.get("images") or []:
                count += 1
                if not any(image_name(found) == image["name"] for document in built for found in images_of(document)):
                    mistakes.append(f"{tree.name(source)}: no object has the image `{image['name']}`")
    if not count:
        mistakes.append("no kustomization has a patch: this step proved nothing")
    refuse(mistakes)


def images_of(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "image" and isinstance(inner, str):
                yield inner
            else:
                yield from images_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from images_of(inner)


def image_name(image):
    return re.sub(r":[^:/]*$", "", image.split("@")[0])


def patch_bodies(path, patch):
    text = patch["patch"] if "patch" in patch else (path.parent / patch["path"]).read_text(encoding="utf-8")
    return yaml_reader.read_text(text)


def missing_target(tree, path, patch, built):
    target = patch.get("target")
    if target:
        if any(selects(target, document) for document in built):
            return []
        return [f"{tree.name(path)}: the patch with target {target} meets no object"]
    mistakes = []
    for body in patch_bodies(path, patch):
        if not isinstance(body, dict):
            return [f"{tree.name(path)}: a list of operations needs a `target`"]
        found = [
            document
            for document in built
            if (kind_of(document), name_of(document)) == (kind_of(body), name_of(body))
            and namespace_of(body) in (None, namespace_of(document))
        ]
        if not found:
            mistakes.append(f"{tree.name(path)}: the patch of {kind_of(body)} `{name_of(body)}` meets no object")
        for document in found:
            mistakes += [
                f"{tree.name(path)}: {mistake}" for mistake in new_list_entries(body, document, f"{body['kind']} `{name_of(body)}`")
            ]
    return mistakes


def new_list_entries(patch, document, where):
    """A strategic merge adds a container whose name it does not find, instead of refusing a misspelt one."""
    for field in ("containers", "initContainers"):
        for path, entries in lists_named(patch, field):
            existing = dict(lists_named(document, field)).get(path, [])
            for entry in entries:
                if "image" not in entry and entry.get("name") not in [other.get("name") for other in existing]:
                    yield f"{where}: {field} has no `{entry.get('name')}` to patch"


def lists_named(value, field, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == field and isinstance(inner, list):
                yield (*path, name), inner
            else:
                yield from lists_named(inner, field, (*path, name))


def selects(target, document):
    group, _, version = str(document.get("apiVersion")).rpartition("/")
    metadata = document.get("metadata") or {}
    facts = {
        "group": group,
        "version": version,
        "kind": document.get("kind"),
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
    }
    for field, value in facts.items():
        if field in target and not re.fullmatch(str(target[field]), str(value or "")):
            return False
    for field, labels in (("labelSelector", metadata.get("labels")), ("annotationSelector", metadata.get("annotations"))):
        if field in target and not selector_matches(target[field], labels or {}):
            return False
    return True


def selector_matches(selector, labels):
    for part in re.split(r",(?![^(]*\))", selector):
        equality = re.fullmatch(r"\s*([^\s=!]+)\s*(==?|!=)\s*(\S*)\s*", part)
        if equality:
            name, operator, value = equality.groups()
            if (labels.get(name) == value) == (operator == "!="):
                return False
        elif (part.strip().lstrip("!") in labels) == part.strip().startswith("!"):
            return False
    return True


# ---------------------------------------------------------------- the graph of Flux objects

# The source that a FluxInstance creates.
MADE_BY_FLUX = {("GitRepository", "flux-system", "flux-system")}


def check_graph(tree, manifests):
    mistakes = []
    for cluster in tree.clusters:
        repository = tree.repository_of(cluster)
        objects = manifests.objects(cluster)
        names = {(document["kind"], namespace_of(document), name_of(document)) for document, _ in objects}
        layers = [document for document, _ in objects if kind_of(document) == FLUX]
        where = tree.name(cluster)
        if not layers:
            mistakes.append(f"{where}: no Flux Kustomization")
        edges = {}
        for document, _ in objects:
            if not kind_of(document).startswith(("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")):
                continue
            spec, title = document.get("spec") or {}, f"{where}: {document['kind']} `{name_of(document)}`"
            this = (document["kind"], namespace_of(document), name_of(document))
            edges[this] = []
            for need in spec.get("dependsOn") or []:
                other = (document["kind"], need.get("namespace") or namespace_of(document), need.get("name"))
                edges[this].append(other)
                if other not in names:
                    mistakes.append(f"{title}: `dependsOn` names `{need.get('name')}`, which does not exist")
            reference = (
                spec.get("sourceRef")
                or spec.get("chartRef")
                or ((spec.get("chart") or {}).get("spec") or {}).get("sourceRef")
                or {}
            )
            source = (reference.get("kind"), reference.get("namespace") or namespace_of(document), reference.get("name"))
            if source not in names | MADE_BY_FLUX:
                mistakes.append(f"{title}: the source {source[0]} `{source[2]}` does not exist")
            if kind_of(document) == FLUX:
                path = str(spec.get("path") or "")
                folder = manifests.flux_folder(cluster, document)
                if not re.fullmatch(r"\./[\w./-]+", path) or ".." in path.split("/"):
                    mistakes.append(f"{title}: write `path` from the repository on, as `./clusters/…`")
                elif repository not in folder.parents or not folder.is_dir():
                    mistakes.append(f"{title}: the path `{path}` does not exist")
                for check in spec.get("healthChecks") or []:
                    if (check.get("kind"), check.get("namespace"), check.get("name")) not in names:
                        mistakes.append(f"{title}: the health check {check.get('kind')} `{check.get('name')}` does not exist")
        mistakes += [
            f"{where}: `dependsOn` goes round in a circle: {' → '.join(name for _, _, name in circle)}" for circle in circles(edges)
        ]
        mistakes += twice(tree, manifests, cluster)
        mistakes += shared_gates(tree, manifests, cluster, edges)
    refuse(mistakes)


# Kinds that become ready only after Terraform or a person created something for one namespace.
LATE = {"SecretStore", "ExternalSecret", "Job"}


def shared_gates(tree, manifests, cluster, edges):
    """A dependency of an application outside its own objects must not wait for something of one namespace: that would
    stop every application."""
    applied = {
        (FLUX.rsplit("/", 1)[1], namespace_of(source), name_of(source)): (source, objects)
        for _, source, objects in manifests.applied(cluster)
        if source
    }
    for this, (source, _) in applied.items():
        account = (source.get("spec") or {}).get("serviceAccountName")
        if account in (None, "kustomize-controller"):
            continue
        before, waiting = set(), list(edges.get(this, []))
        while waiting:
            other = waiting.pop()
            if other not in before:
                before.add(other)
                waiting += edges.get(other, [])
        for other in sorted(before & set(applied), key=str):
            gate, objects = applied[other]
            own = other[2].startswith(f"{this[2]}-login-")
            late = sorted({f"{it['kind']} `{namespace_of(it)}/{name_of(it)}`" for it in objects if it["kind"] in LATE})
            if (gate.get("spec") or {}).get("wait") and late and not own:
                yield f"{tree.name(cluster)}: `{this[2]}` waits for `{other[2]}`, and so for {late[0]}, which is not its own"


def circles(edges):
    done, path = set(), []

    def visit(node):
        if node in path:
            yield path[path.index(node) :] + [node]
            return
        if node in done:
            return
        path.append(node)
        for other in edges.get(node, []):
            yield from visit(other)
        path.pop()
        done.add(node)

    for node in sorted(edges, key=str):
        yield from visit(node)


def twice(tree, manifests, cluster):
    """No object may be in two Flux Kustomizations, because they would revert each other."""
    owners = {}
    for document, folder in manifests.objects(cluster):
        owners.setdefault((document["apiVersion"], document["kind"], namespace_of(document), name_of(document)), []).append(folder)
    for (_, kind, _, name), folders in owners.items():
        if len(folders) > 1:
            yield f"{tree.name(cluster)}: {kind} `{name}` is applied from {' and '.join(tree.name(folder) for folder in folders)}"


def check_reached(tree, manifests):
    """Every manifest is read by a kustomization, and every kustomization by Flux."""
    mistakes = []
    reached, waiting = set(), [folder.resolve() for cluster in tree.clusters for folder, _, _ in manifests.applied(cluster)]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        if path.is_dir():
            inner = manifests.kustomization(path)
            if inner:
                reached.add(inner.resolve())
                waiting += [target for _, target in manifests.references(inner)]
    for path in tree.manifests:
        if path.resolve() not in reached:
            mistakes.append(f"{tree.name(path)}: no kustomization that Flux applies names it")
    refuse(mistakes)
