# A stand-in for kubectl and the cluster: it contains the remains of a platform, and deletes them like controllers, one call
# after the request. A claim is deleted only when no pod uses it.
import json
import os
import pathlib
import sys

WORLD = pathlib.Path(os.environ["WORLD"])
FILE = WORLD / "kubernetes.json"
words = sys.argv[1:]
state = json.loads(FILE.read_text())


def save():
    FILE.write_text(json.dumps(state))


def option(name):
    return words[words.index(name) + 1]


with open(WORLD / "calls", "a") as calls:
    calls.write(" ".join(["kubectl", *words]) + "\n")
if not state["reached"] or not json.loads((WORLD / "cluster.json").read_text()):
    sys.exit("Unable to connect to the server: dial tcp: lookup failed")

verb, kind = words[:2]
objects, going = state["objects"], state["going"]
if verb == "config":
    print(state["authority"] if "certificate-authority-data" in " ".join(words) else state["server"])
elif verb == "get" and kind == "namespaces":
    print("namespace/default")
elif verb == "get" and kind == "customresourcedefinitions":
    print(f"customresourcedefinition.apiextensions.k8s.io/{words[2]}")
elif verb == "get" and kind == "deployment":
    print(state["controllers"].get(words[2], ""))
elif verb == "get" and kind in ("deployments", "statefulsets"):
    print("\n".join(f"{kind}/{name}" for namespace, name in state[kind] if namespace == option("--namespace")))
elif verb == "get" and kind == "persistentvolumes":
    policy = "Retain" if '"Retain"' in " ".join(words) else "Delete"
    print("\n".join(f"{name} {volume}" for name, (its, volume) in state["volumes"].items() if its == policy))
elif verb == "get":
    print("\n".join(f"{namespace} {name}" for namespace, name in objects[kind]))
    for item in [item for item in going if item[0] == kind]:
        held = kind == "persistentvolumeclaims" and any(namespace == item[1] for namespace, _ in state["statefulsets"])
        if not held and kind not in state["stuck"]:
            objects[kind].remove(item[1:])
            going.remove(item)
            if kind == "persistentvolumeclaims":
                state["volumes"] = {name: it for name, it in state["volumes"].items() if it[0] != "Delete"}
    save()
elif verb == "delete" and "--all" in words:
    going += [[kind, *item] for item in objects[kind] if [kind, *item] not in going]
    if kind.startswith("fluxinstances"):
        state["controllers"].pop("helm-controller", None)
    save()
elif verb == "delete" and kind == "service":
    going.append(["services", option("--namespace"), words[2]])
    save()
elif verb == "scale" and kind == "deployment":
    del state["controllers"][words[2]]
    save()
elif verb == "scale":
    # While it runs, an operator restores its StatefulSet.
    if kind == "statefulsets" and any(namespace == option("--namespace") for namespace, _ in state["deployments"]):
        sys.exit("scaled, and scaled back by its operator")
    state[kind] = [item for item in state[kind] if item[0] != option("--namespace")]
    save()
else:
    sys.exit(f"nobody expects {words}")
