# The real operator of Prometheus and Alertmanager: for each of its pods it runs as a process on loopback, with the arguments, the
# variables, the certificate and the permissions of that pod. The cluster contains the objects that it creates from custom resources.
import os
import signal
import sys
import threading
import time

from live import cluster, programs
from live import kube as k
from live.pods import mounted

MODULE = "github.com/prometheus-operator/prometheus-operator"
ADDRESS = "--web.listen-address"


class Operators:
    """The running processes by the uid of their pod: (process, port)."""

    def __init__(self, work, pods):
        self.live, self.pods, self.ports, self.processes = cluster.Cluster(work), pods, {}, {}
        threading.Thread(target=self.end, daemon=True).start()

    def start(self, api, pod, container):
        """Begins the process of a pod that is about to start; k.Refused with words where it cannot."""
        uid, image = pod["metadata"]["uid"], container["image"].split("@")[0]
        if uid in self.processes:
            return
        wanted, built = image.rsplit(":", 1)[-1], programs.version(MODULE)
        if wanted != built:
            raise k.Refused(
                0, f"the operator {wanted} is asked for, `tools/prometheus-operator/go.mod` pins {built}: raise the pin"
            )
        folder = self.live.work / "pods" / uid
        files(self.live.kube, pod, container, folder)
        arguments, (port,) = container.get("args") or [], cluster.free_ports(1)
        for mount in container.get("volumeMounts") or []:
            if (folder / mount["name"]).is_dir():
                arguments = [word.replace(f"={mount['mountPath']}/", f"={folder / mount['name']}/") for word in arguments]
        arguments = [word for word in arguments if word.split("=")[0] != ADDRESS] + [f"{ADDRESS}=127.0.0.1:{port}"]
        config = self.live.kubeconfig(f"operator-{uid}.kubeconfig", api.token)
        env = {
            "KUBECONFIG": str(config),
            **{each["name"]: each["value"] for each in container.get("env") or [] if "value" in each},
        }
        self.processes[uid] = self.live.start("prometheus-operator", [self.live.bin / "prometheus-operator", *arguments], env)
        self.ports[uid] = port

    def end(self):
        while True:
            time.sleep(0.5)
            for uid, process in list(self.processes.items()):
                pod = self.pods.known.get(uid)
                if not pod or pod["metadata"].get("deletionTimestamp"):
                    process.send_signal(signal.SIGTERM)
                    self.processes.pop(uid)
                elif process.poll() is not None:
                    print(f"the operator of {k.name(pod)} ended with {process.returncode}", file=sys.stderr, flush=True)
                    self.processes.pop(uid)


def files(api, pod, container, folder):
    """The Secrets that a container mounts, as files."""
    for name, data in mounted(api, pod):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for file, content in data.items():
            (place / file).write_bytes(content)
            os.chmod(place / file, 0o600)
