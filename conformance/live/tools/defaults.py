# Writes crds/defaults.json: the defaults of every definition that $BLUEPRINT_CONFORMANCE/kubernetes/crd/index.json names, out of
# clones of the upstream repositories. Needs PyYAML; run it only when the schemas move on.
#
#   python3 tools/defaults.py CLONES      CLONES/OWNER+NAME/repo is a git directory that has the commit which the index names
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)  # a bare `=`

HERE = Path(__file__).resolve().parent.parent


def defaults(schema, path, out):
    if path and "default" in schema:
        out[path] = schema["default"]
    for key, value in (schema.get("properties") or {}).items():
        defaults(value, f"{path}.{key}" if path else key, out)
    if isinstance(schema.get("items"), dict):
        defaults(schema["items"], path + "[]", out)
    if isinstance(schema.get("additionalProperties"), dict):
        defaults(schema["additionalProperties"], path + "{}", out)


found, missing = {}, set()
for key, entry in json.loads((Path(os.environ["BLUEPRINT_CONFORMANCE"]) / "kubernetes/crd/index.json").read_text()).items():
    group, version, kind = key.split("/")
    clone = Path(sys.argv[1]) / entry["repo"].replace("/", "+") / "repo"
    shown = (
        subprocess.run(
            ["git", "-C", clone, "show", f"{entry['commit']}:{entry['path']}"], check=False, capture_output=True, text=True
        )
        if clone.exists()
        else None
    )
    if not shown or shown.returncode:
        missing.add(entry["repo"])
        continue
    for crd in yaml.load_all(shown.stdout, Loader):
        if (
            crd
            and crd.get("kind") == "CustomResourceDefinition"
            and crd["spec"]["group"] == group
            and crd["spec"]["names"]["kind"] == kind
        ):
            for each in crd["spec"]["versions"]:
                if each["name"] == version:
                    out = {}
                    defaults(each["schema"]["openAPIV3Schema"], "", out)
                    if out:
                        found[key] = out
(HERE / "crds").mkdir(exist_ok=True)
(HERE / "crds" / "defaults.json").write_text(
    "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())) + "\n}\n"
)
print(len(found), "kinds with defaults; no clone of:", ", ".join(sorted(missing)) or "none")
