# Converts the strict JSON Schemas in the facts into definitions that a real API server accepts, for charts made of rendered objects.
# The schemas contain the structure, CEL rules and list types, but no defaults. Those come from the definitions in a Go module if there
# is one, else from crds/defaults.json, which `tools/defaults.py` writes. Differences to upstream: no descriptions, no printer columns,
# no conversion webhook.
import functools
import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
FACTS = Path(os.environ.get("BLUEPRINT_CONFORMANCE") or HERE.parent.parent.parent / "shared" / "conformance")
SCHEMAS = FACTS / "kubernetes" / "crd"


@functools.cache
def index():
    return json.loads((SCHEMAS / "index.json").read_text())


@functools.cache
def kept_defaults():
    """Of definitions that no Go module has at their release."""
    return json.loads((HERE / "crds" / "defaults.json").read_text())


def defaults_in(definitions):
    """The defaults of each kind of these definitions, as `fill` wants them."""
    found = {}
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            values: dict[str, object] = {}
            collect(version["schema"]["openAPIV3Schema"], "", values)
            found[f"{spec['group']}/{version['name']}/{spec['names']['kind']}"] = values
    return found


def collect(schema, path, values):
    if path and "default" in schema:
        values[path] = schema["default"]
    for key, value in (schema.get("properties") or {}).items():
        collect(value, f"{path}.{key}" if path else key, values)
    if isinstance(schema.get("items"), dict):
        collect(schema["items"], path + "[]", values)
    if isinstance(schema.get("additionalProperties"), dict):
        collect(schema["additionalProperties"], path + "{}", values)


def structural(schema):
    """A JSON Schema as our folder has it, as the structural schema that the API server wants."""
    out: dict[str, object] = {}
    for key, value in schema.items():
        if key in ("$schema", "$defs", "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key"):
            continue
        if key == "type" and isinstance(value, list):
            kinds = [v for v in value if v != "null"]
            if "null" in value:
                out["nullable"] = True
            if len(kinds) == 1:
                out["type"] = kinds[0]  # the type of these two kinds is always int-or-string
        elif key == "properties":
            out[key] = {k: structural(v) for k, v in value.items()}
        elif key in ("items", "not") or (key == "additionalProperties" and isinstance(value, dict)):
            out[key] = structural(value)
        elif key == "additionalProperties":
            pass  # pruning and field validation refuse unknown fields
        elif key in ("allOf", "anyOf", "oneOf"):
            out[key] = [structural(v) for v in value]
        else:
            out[key] = value
    return out


def relax(schema):
    """A list's map keys must be required or have a default; a list whose keys lack both (a default that we do not know) goes atomic."""
    for child in [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]:
        if isinstance(child, dict):
            relax(child)
    if schema.get("x-kubernetes-list-type") == "map":
        item = schema.get("items", {})
        if any(
            key not in item.get("required", []) and "default" not in item.get("properties", {}).get(key, {})
            for key in schema.get("x-kubernetes-list-map-keys", [])
        ):
            schema["x-kubernetes-list-type"] = "atomic"
            del schema["x-kubernetes-list-map-keys"]


def fill(schema, values):
    """Writes defaults ({"spec.refreshInterval": "1h", "spec.data[].x": 1, "spec.map{}.y": 2}) into a structural schema."""
    for path, value in values.items():
        at = schema
        for step in path.replace("[]", ".[]").replace("{}", ".{}").split("."):
            at = (
                at.get("items")
                if step == "[]"
                else at.get("additionalProperties")
                if step == "{}"
                else at.get("properties", {}).get(step)
            )
            if not isinstance(at, dict):
                break
        else:
            at["default"] = value


def of_group(group, built):
    """The CRDs of one API group, each with all its versions. `built` are the defaults of definitions that a Go module has."""
    known = kept_defaults() | built
    kinds = {}
    for key, entry in index().items():
        here, version, kind = key.split("/")
        if here == group:
            kinds.setdefault(kind, []).append((version, entry))
    for kind, versions in sorted(kinds.items()):
        plural = versions[0][1]["plural"]
        listed = []
        if not any(e["storage"] for _, e in versions):
            versions[-1][1]["storage"] = True  # the storage version has no schema here (deprecated, not served)
        for version, entry in versions:
            schema = structural(json.loads((SCHEMAS.parent / entry["file"]).read_text()))
            schema["properties"]["apiVersion"] = schema["properties"]["kind"] = {"type": "string"}
            schema["properties"]["metadata"] = {"type": "object"}
            fill(schema, known.get(f"{group}/{version}/{kind}", {}))
            relax(schema)
            listed.append(
                {
                    "name": version,
                    "served": True,
                    "storage": entry["storage"],
                    "schema": {"openAPIV3Schema": schema},
                    **({"subresources": {"status": {}}} if entry["status"] else {}),
                }
            )
        annotations = {}
        if group.endswith((".k8s.io", ".kubernetes.io")):
            annotations["api-approved.kubernetes.io"] = "unapproved, see the upstream file"
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}", "annotations": annotations},
            "spec": {
                "group": group,
                "scope": versions[0][1]["scope"],
                "versions": listed,
                "names": {"kind": kind, "listKind": kind + "List", "plural": plural, "singular": kind.lower()},
            },
        }
