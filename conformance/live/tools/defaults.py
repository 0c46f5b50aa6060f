# Writes crds/defaults.json: the defaults of the definitions that no Go module has at their release, out of clones of the upstream
# repositories at the commits that $BLUEPRINT_CONFORMANCE/kubernetes/crd/index.json names. Needs PyYAML; run it only when the schemas move on.
#
#   PYTHONPATH=.. python3 tools/defaults.py CLONES      CLONES/OWNER+NAME/repo is a git directory that has the commit
import json
import subprocess
import sys
from pathlib import Path

import yaml

from live import crds

GROUPS = ("aga.k8s.aws", "elbv2.k8s.aws", "external-secrets.io", "gateway.k8s.aws", "generators.external-secrets.io")

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)  # a bare `=`

found = {}
for key, entry in crds.index().items():
    if key.split("/")[0] not in GROUPS:
        continue
    clone = Path(sys.argv[1]) / entry["repo"].replace("/", "+") / "repo"
    text = subprocess.run(
        ["git", "-C", clone, "show", f"{entry['commit']}:{entry['path']}"], check=True, capture_output=True, text=True
    ).stdout
    definitions = [each for each in yaml.load_all(text, Loader) if each and each.get("kind") == "CustomResourceDefinition"]
    if values := crds.defaults_in(definitions).get(key):
        found[key] = values
(crds.HERE / "crds" / "defaults.json").write_text(
    "{\n"
    + ",\n".join(f"{json.dumps(key)}: {json.dumps(values, sort_keys=True)}" for key, values in sorted(found.items()))
    + "\n}\n"
)
