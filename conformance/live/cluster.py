# Starts and stops the control plane and its nodes as plain processes on loopback. Flux starts later (`live/flux.py`): its flags are
# in the repository under test.
import base64
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from live import nodes, programs, rendered
from live.kube import Kube, Refused

HERE = pathlib.Path(__file__).resolve().parent
# A limit in seconds for events that take a few, so that nothing fails because the machine is busy.
PATIENCE = 900


def default_work():
    return pathlib.Path(os.environ.get("BLUEPRINT_LIVE_WORK") or pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "blueprint-live")


class Cluster:
    """One running harness. Its state is in its work folder, so that each command can continue with it."""

    def __init__(self, work):
        self.work = pathlib.Path(work)
        self.state = self.read("state.json")
        self.kube = Kube(self.state["api"], self.state["token"], str(self.work / "tls.crt"))
        self.bin = pathlib.Path(self.state["bin"])

    def kubectl(self, *arguments, check=True, **options):
        command = [self.bin / "kubectl", "--kubeconfig", self.work / "kubeconfig", *arguments]
        return subprocess.run(command, check=check, text=True, capture_output=True, **options)

    def documents(self, file):
        """The objects of a YAML file. kubectl reads it by Go's rules, as Flux does; nothing leaves the machine."""
        done = self.kubectl(
            "annotate", "--local", "--overwrite", "-f", str(file), "live/scan=1", "-o", "json", check=False, timeout=120
        )
        return list(rendered.objects_of(done.stdout))

    def read(self, name):
        file = self.work / name
        return json.loads(file.read_text()) if file.exists() else {}

    def write(self, name, value):
        """Atomically, because other processes read these files."""
        fresh = self.work / f".{name}"
        fresh.write_text(json.dumps(value))
        fresh.replace(self.work / name)

    def kubeconfig(self, path, token):
        authority = base64.b64encode((self.work / "tls.crt").read_bytes()).decode()
        server = {"server": self.state["api"], "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "live",
            "clusters": [{"name": "live", "cluster": server}],
            "users": [{"name": "live", "user": {"token": token}}],
            "contexts": [{"name": "live", "context": {"cluster": "live", "user": "live"}}],
        }
        self.write(path, config)
        return self.work / path

    def start(self, name, command, env=None):
        with open(self.work / "log" / name, "ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.work,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        with open(self.work / "pids", "a") as pids:
            pids.write(f"{child.pid} {started(child.pid)} {name}\n")
        return child


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def started(pid):
    """The start time of a process, which identifies it together with its id. None if it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def running(work):
    """(id, name) of the processes that were started here and still run, without ids that the system reused."""
    try:
        lines = (pathlib.Path(work) / "pids").read_text().splitlines()
    except OSError:
        return []
    return [(int(pid), name) for pid, since, name in (line.split() for line in lines if line) if started(pid) == since]


def down(work, keep_logs=False):
    for sign, patience in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
        # Clients first, because a controller without its API server only fills its log.
        for pid, _ in reversed(running(work)):
            os.kill(pid, sign)
        end = time.time() + patience
        while running(work) and time.time() < end:
            reap()
            time.sleep(0.1)
    if not keep_logs:
        shutil.rmtree(work, ignore_errors=True)


def reap():
    """Ended children disappear only after their parent waited for them."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def wait(what, check, seconds):
    end = time.time() + seconds

    def there():
        try:
            return check()
        except (OSError, Refused):  # a server that has just begun refuses now and then
            return False

    while not there():
        if time.time() > end:
            raise SystemExit(f"live: {what} did not come within {seconds} s")
        time.sleep(0.1)


def up(work, wanted, region):
    work = pathlib.Path(work)
    if running(work):
        raise SystemExit(f"live: already running in {work}: `live down` first")
    shutil.rmtree(work, ignore_errors=True)
    (work / "log").mkdir(parents=True)
    work.chmod(0o700)  # it holds tokens
    binaries = programs.install()
    etcd, peer, api, manager, scheduler, kwok, web = free_ports(7)
    certificate(work)
    users = {
        "admin": "system:masters",
        "system:kube-controller-manager": "",
        "system:kube-scheduler": "",
        "kwok": "system:masters",
    }
    tokens = {user: secrets.token_hex(16) for user in users}
    (work / "tokens.csv").write_text("".join(f'{tokens[user]},{user},{user},"{group}"\n' for user, group in users.items()))
    state = {
        "api": f"https://127.0.0.1:{api}",
        "token": tokens["admin"],
        "bin": str(binaries),
        "web": f"http://127.0.0.1:{web}",
        "webPort": web,
        "egress": egress(work),
        "region": region,
    }
    (work / "state.json").write_text(json.dumps(state))
    cluster = Cluster(work)
    cluster.kubeconfig("kubeconfig", tokens["admin"])

    cluster.start(
        "etcd",
        [
            binaries / "etcd",
            "--data-dir",
            work / "etcd",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        ],
    )
    cluster.start(
        "kube-apiserver",
        [
            binaries / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={api}",
            f"--tls-cert-file={work}/tls.crt",
            f"--tls-private-key-file={work}/tls.key",
            f"--token-auth-file={work}/tokens.csv",
            # Without it, the controller manager and the scheduler wait for a ConfigMap that is never created.
            f"--client-ca-file={work}/tls.crt",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            # Upstream's defaults (PodSecurity, LimitRanger, ResourceQuota, Priority, policies, …) and what EKS adds to them.
            "--enable-admission-plugins=NodeRestriction,ExtendedResourceToleration",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={work}/tls.key",
            f"--service-account-signing-key-file={work}/tls.key",
            "--service-cluster-ip-range=172.20.0.0/16",
            "--allow-privileged=true",
            # Webhooks and aggregated APIs are called at a ready endpoint of their Service, which `live/network.py` plays.
            "--enable-aggregator-routing=true",
            f"--egress-selector-config-file={work}/egress.json",
            # The reconciler would publish 127.0.0.1 as the endpoint of the service `kubernetes`, which validation refuses.
            "--endpoint-reconciler-type=none",
            "--event-ttl=2h",
        ],
    )
    kube = cluster.kube
    wait("the API server", kube.ready, PATIENCE)
    cluster.start(
        "serve",
        [sys.executable, "-B", "-m", "live.serve", work],
        {"PYTHONPATH": str(HERE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    config = cluster.kubeconfig("controller-manager.kubeconfig", tokens["system:kube-controller-manager"])
    cluster.start(
        "kube-controller-manager",
        [
            binaries / "kube-controller-manager",
            *client(config, manager),
            "--use-service-account-credentials",
            f"--service-account-private-key-file={work}/tls.key",
            f"--root-ca-file={work}/tls.crt",
            "--allocate-node-cidrs=false",
            # An interval of two seconds proves the same as the default of fifteen.
            "--horizontal-pod-autoscaler-sync-period=2s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=1s",
            "--horizontal-pod-autoscaler-downscale-stabilization=5s",
        ],
    )
    config = cluster.kubeconfig("scheduler.kubeconfig", tokens["system:kube-scheduler"])
    cluster.start("kube-scheduler", [binaries / "kube-scheduler", *client(config, scheduler)])
    config = cluster.kubeconfig("kwok.kubeconfig", tokens["kwok"])
    cluster.start(
        "kwok",
        [
            binaries / "kwok",
            f"--kubeconfig={config}",
            "--manage-all-nodes",
            f"--config={HERE}/stages.yaml",
            "--cidr=10.0.0.0/16",
            "--node-ip=10.1.0.1",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{kwok}",
        ],
    )
    for count, kind, zone, group in nodes.expand(wanted):
        nodes.add_node(kube, f"ip-10-0-{count}-10.{region}.compute.internal", kind, region + zone, region, group)

    def nodes_ready():
        return all(
            any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", []))
            and not node["spec"].get("taints")
            for node in kube.list("/api/v1/nodes")
        )

    wait("the nodes", nodes_ready, PATIENCE)
    wait("the default service account", lambda: kube.find("/api/v1/namespaces/default/serviceaccounts/default"), PATIENCE)
    require(work, {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "serve"})
    return cluster


def egress(work):
    """Tells the API server the way to pods, and returns the socket at its end."""
    place = work / "egress.sock"
    if len(str(place)) > 100:  # the maximum length of a socket's path
        place = pathlib.Path(tempfile.mkdtemp(prefix="live-")) / "egress.sock"
    connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(place)}}}
    config = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }
    (work / "egress.json").write_text(json.dumps(config))
    return str(place)


def client(config, port):
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--leader-elect=false",
    ]


def certificate(work):
    """One certificate serves the API server and programs that sign for themselves, and is its own authority."""
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=blueprint-live"]
    command += ["-addext", names, "-keyout", str(work / "tls.key"), "-out", str(work / "tls.crt")]
    subprocess.run(command, check=True, capture_output=True)


def require(work, names):
    dead = names - {name for _, name in running(work)}
    if dead:
        raise SystemExit(f"live: ended at once: {', '.join(sorted(dead))}; see {work}/log")
