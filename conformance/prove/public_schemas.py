# The strict validation without BLUEPRINT_CONFORMANCE but with a network: kubeconform with public schemas, and charts from their
# repositories. Weaker than `object_schemas.py`: some enum values are not in these schemas.
import json
import os

import yaml

from prove.steps import Failure

# The community's catalogue of CRD schemas; another, as a URL or a folder, by this variable.
CUSTOM = "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"


class PublicSchemas:
    def __init__(self, proof, version):
        self.proof, self.version = proof, version
        self.cache = proof.tools / "schemas"
        self.cache.mkdir(exist_ok=True)

    def mistakes(self, document, partial=False):
        kind = f"{document.get('apiVersion')}/{document.get('kind')}"
        if partial or kind.startswith("kustomize.config.k8s.io/"):
            # A patch alone lacks required fields, so its build is validated. kustomize checks kustomizations.
            return []
        command = [
            "kubeconform",
            "-strict",
            "-output",
            "json",
            "-cache",
            self.cache,
            "-kubernetes-version",
            f"{self.version}.0",
            "-schema-location",
            "default",
        ]
        command += ["-schema-location", os.environ.get("BLUEPRINT_CRD_SCHEMAS", CUSTOM), "-"]
        done = self.proof.run(command, codes=(0, 1), input=yaml.safe_dump(document))
        return [
            f"{kind} `{found['name']}`: {found['msg']}"
            for found in json.loads(done.stdout)["resources"]
            if found["status"] not in ("statusValid", "statusEmpty")
        ]

    def fragment_mistakes(self, definition, value):
        """kubeconform knows whole objects only; the chart's rendering is not looked at either."""
        return []


class PublicCharts:
    """The default values of a chart, asked of where its HelmRelease gets it."""

    def __init__(self, proof):
        self.proof = proof

    def chart(self, name, version, document, objects):
        spec = document["spec"]
        reference = spec.get("chartRef") or spec["chart"]["spec"]["sourceRef"]
        source = next(
            (other for other in objects if (other["kind"], other["metadata"]["name"]) == (reference["kind"], reference["name"])),
            None,
        )
        if not source:
            raise Failure(f"the source `{reference['name']}` does not exist")
        url = source["spec"]["url"]
        if source["kind"] == "OCIRepository":
            place = [url]
        else:
            place = [f"{url}/{name}"] if url.startswith("oci:") else [name, "--repo", url]
        defaults = yaml.safe_load(self.proof.run(["helm", "show", "values", *place, "--version", version]).stdout) or {}
        return {"values": dict(flat(defaults))}

    def values(self, known):
        return known["values"]


def flat(values, path=""):
    """Value paths with their kind, in the shape of the facts."""
    names = {bool: "bool", int: "int", float: "int", str: "str", list: "list", type(None): "null"}
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, dict) and value:
            yield from flat(value, here)
        else:
            yield here, "map" if isinstance(value, dict) else names[type(value)]
