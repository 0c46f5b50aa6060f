# Flux as configured by the repository's FluxInstance: the operator's own builder renders the manifests, these are applied to the
# cluster, and each controller starts with the flags, the environment and the service account of its Deployment. `HERE_INSTEAD` has
# the differences, because a process on loopback is no pod. The operator itself does not run.
import re
import subprocess
import time

from live import cluster, programs
from live import kube as k

CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")
# Addresses of pods and Services and paths in containers that a controller uses; and leader election, whose namespace is in a file
# that only pods have.
HERE_INSTEAD = (
    "--events-addr",
    "--storage-path",
    "--storage-addr",
    "--storage-adv-addr",
    "--metrics-addr",
    "--health-addr",
    "--enable-leader-election",
)


def install(live, instance):
    """Brings Flux into the cluster and starts it. Returns what Flux syncs by: its source and the Kustomization of the root."""
    for file in sorted((live.bin / "flux-operator-definitions").glob("*.yaml")):
        live.kubectl("apply", "--server-side", "-f", str(file))
    live.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": instance["metadata"]["namespace"]}})
    objects = build(live, instance)
    roots = [each for each in objects if each["kind"] in ("GitRepository", "Kustomization")]
    rest = [each for each in objects if each not in roots]
    definitions = [each for each in rest if each["kind"] == "CustomResourceDefinition"]
    for each in definitions + [each for each in rest if each not in definitions]:
        live.kube.apply(each)
    for each in definitions:
        path = live.kube.path(each)
        cluster.wait(
            each["metadata"]["name"],
            lambda path=path: k.condition(live.kube.get(path), "Established").get("status") == "True",
            cluster.PATIENCE,
        )
    flags = {}
    for each in rest:
        if each["kind"] == "Deployment" and each["metadata"]["name"] in CONTROLLERS:
            flags[each["metadata"]["name"]] = start(live, each)
    missing = set(CONTROLLERS) - set(flags)
    if missing:
        raise SystemExit(f"live: the FluxInstance brings no {', '.join(sorted(missing))}")
    live.write("flux.json", flags)
    time.sleep(1)
    cluster.require(live.work, set(CONTROLLERS))
    return roots


def build(live, instance):
    """What the operator would apply for this instance, by its own code and from the manifests of its own image."""
    live.write("instance.json", instance)
    version = instance["spec"]["distribution"]["version"]
    if instance["spec"]["distribution"].get("artifact"):
        raise SystemExit("live: a FluxInstance with an `artifact` takes manifests from a registry, which cannot be asked here")
    command = [live.bin / "flux-operator", "build", "instance", "-f", live.work / "instance.json"]
    command += ["--distribution-artifact", f"oci://127.0.0.1:{live.state['webPort']}/flux-operator-manifests:{version}"]
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"live: the operator's builder refuses the FluxInstance\n{(done.stderr + done.stdout)[-2000:]}")
    (live.work / "flux.yaml").write_text(done.stdout)
    return live.documents(live.work / "flux.yaml")


def start(live, deployment):
    name = deployment["metadata"]["name"]
    namespace, pod = deployment["metadata"]["namespace"], deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    wanted, built = container["image"].split("@")[0].rsplit(":", 1)[-1], programs.version(f"github.com/fluxcd/{name}")
    if wanted != built:
        raise SystemExit(f"live: the FluxInstance brings {name} {wanted}, `tools/flux/go.mod` pins {built}: raise the pin")
    account = pod["serviceAccountName"]
    config = live.kubeconfig(f"{name}.kubeconfig", live.kube.token_of(namespace, account))

    given = container["args"]
    kept = [flag for flag in given if flag.split("=")[0] not in HERE_INSTEAD]
    metrics, health, storage = cluster.free_ports(3)
    here = [
        f"--events-addr={live.state['web']}/events",
        f"--metrics-addr=127.0.0.1:{metrics}",
        f"--health-addr=127.0.0.1:{health}",
    ]
    if name == "source-controller":
        (live.work / "artifacts").mkdir(exist_ok=True)
        here += [f"--storage-path={live.work}/artifacts", f"--storage-addr=127.0.0.1:{storage}"]
        here += [f"--storage-adv-addr=127.0.0.1:{storage}"]
    env = {
        "KUBECONFIG": str(config),
        "HOME": str(live.work),
        "TUF_ROOT": str(live.work / "tuf"),
        **environment(container, namespace),
    }
    live.start(name, [live.bin / name, *kept, *here], env)
    return {"account": f"system:serviceaccount:{namespace}:{account}", "flags": kept}


def environment(container, namespace):
    """The variables of the container, those that a kubelet fills in included."""
    found = {}
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        if "value" in variable and variable["name"] != "TUF_ROOT":
            found[variable["name"]] = variable["value"]
        elif (source.get("fieldRef") or {}).get("fieldPath") == "metadata.namespace":
            found[variable["name"]] = namespace
        elif (source.get("resourceFieldRef") or {}).get("resource") == "limits.memory":
            found[variable["name"]] = str(int(k.memory(container["resources"]["limits"]["memory"])))
        elif variable["name"] != "TUF_ROOT":
            raise SystemExit(f"live: {container['name']} has a variable {variable['name']} that `live/flux.py` cannot fill in")
    return found


def instances(things):
    return [
        thing for thing in things if thing["kind"] == "FluxInstance" and re.match("fluxcd.controlplane.io/", thing["apiVersion"])
    ]
