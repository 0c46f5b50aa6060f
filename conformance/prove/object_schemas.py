# Validates Kubernetes objects strictly: unknown fields, wrong types, wrong enum values and unknown kinds are refused.
# It checks single objects; `object_relations.py` checks the references between them.
#
# Facts: the folder `kubernetes/` of BLUEPRINT_CONFORMANCE. Without it, `public_schemas.py` is used instead.
"""usage: python -m prove.object_schemas FILE… (`-` reads from standard input)"""

import functools
import json
import os
import pathlib
import sys

import jsonschema

from prove import yaml_reader

KUBERNETES = "1.36"  # only for manual use, see below: a tree has its own version


class Schemas:
    def __init__(self, facts, version=KUBERNETES):
        self.folder = pathlib.Path(facts) / "kubernetes"
        core = self.folder / "core" / f"v{version}"
        self.core_index = json.loads((core / "index.json").read_text())
        self.custom_index = json.loads((self.folder / "crd" / "index.json").read_text())
        self.definitions = json.loads((core / "_definitions.json").read_text())["$defs"]
        self.add_enums(json.loads((self.folder / "core" / "enums.json").read_text()))
        kustomization = json.loads((self.folder / "kustomize" / "kustomization.json").read_text())
        self.kustomization = jsonschema.Draft7Validator(kustomization)
        self.custom = {}

    def add_enums(self, enums):
        """The values that the OpenAPI description leaves out."""
        for name, fields in enums.items():
            for field, rule in fields.items():
                schema = self.definitions.get(name, {}).get("properties", {}).get(field)
                if schema is None:
                    continue
                target = schema.get("items", {}) if rule["array"] else schema
                if "enum" not in target and "$ref" not in target:
                    target["enum"] = rule["values"] + ([None] if "null" in (target.get("type") or []) else [])

    @functools.cached_property
    def core(self):
        return jsonschema.Draft202012Validator({"$defs": self.definitions})

    def validator(self, kind):
        if kind in self.core_index:
            return self.core.evolve(schema={"$ref": f"#/$defs/{self.core_index[kind]}"})
        if kind in self.custom_index:
            if kind not in self.custom:
                schema = json.loads((self.folder / self.custom_index[kind]["file"]).read_text())
                self.custom[kind] = jsonschema.Draft202012Validator(schema)
            return self.custom[kind]
        return None

    def mistakes(self, document, partial=False):
        """What is wrong with one object, as lines. A patch is partial: it need not hold what is required."""
        if not isinstance(document, dict):
            return ["not an object"]
        if partial:
            document = without_directives(document)
        kind = f"{document.get('apiVersion')}/{document.get('kind')}"
        name = f"{kind} `{(document.get('metadata') or {}).get('name')}`"
        if kind.startswith("kustomize.config.k8s.io/"):
            return [f"{kind}: {line(error)}" for error in self.kustomization.iter_errors(document)]
        if document.get("kind") == "List" or (str(document.get("kind")).endswith("List") and "items" in document):
            return [f"{name}: write the objects one by one, not as a list"]
        validator = self.validator(kind)
        if validator is None:
            return [f"{name}: unknown kind: correct `apiVersion` and `kind`, or add its schema to the facts"]
        found = [f"{name}: {line(error)}" for error in validator.iter_errors(document) if not (partial and only_missing(error))]
        if not (document.get("metadata") or {}).get("name"):
            found.append(f"{kind}: `metadata.name` is missing")
        if "status" in document:
            found.append(f"{name}: `status` is the cluster's to write")
        return found

    def fragment_mistakes(self, definition, value):
        """What is wrong with a part of an object, as a container's `resources`."""
        return [line(error) for error in self.core.evolve(schema={"$ref": f"#/$defs/{definition}"}).iter_errors(value)]


def without_directives(value):
    """A strategic merge patch without the words that steer the merge."""
    if isinstance(value, dict):
        return {name: without_directives(inner) for name, inner in value.items() if not name.startswith("$")}
    if isinstance(value, list):
        return [without_directives(inner) for inner in value]
    return value


def only_missing(error):
    """Whether a violation is only that something is not there."""
    return error.validator == "required" or (
        error.validator in ("oneOf", "anyOf") and bool(error.context) and all(only_missing(inner) for inner in error.context)
    )


def line(error):
    """One line for one violation; of alternatives the one that fits best."""
    while error.context:
        error = jsonschema.exceptions.best_match([error]) if error.validator in ("oneOf", "anyOf") else error
        deeper = sorted(error.context, key=lambda inner: -len(inner.absolute_path))
        if not deeper:
            break
        error = deeper[0]
    path = ".".join(str(part) for part in error.absolute_path) or "(root)"
    return f"{path}: {error.message[:300]}"


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    default = pathlib.Path(__file__).resolve().parents[3] / "shared" / "conformance"
    schemas = Schemas(os.environ.get("BLUEPRINT_CONFORMANCE", default))
    bad = count = 0
    for argument in arguments:
        documents = yaml_reader.read_text(sys.stdin.read()) if argument == "-" else yaml_reader.read_file(argument)
        for document in documents:
            count += 1
            for mistake in schemas.mistakes(document):
                bad += 1
                print(f"{argument}: {mistake}")
    print(f"{count} objects, {bad} mistakes")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
