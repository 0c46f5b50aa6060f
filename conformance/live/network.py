# Connections from the API server to a pod: for webhooks and for APIs that a pod serves. The API server resolves the Service to a
# ready endpoint; its egress selector passes the address to this proxy, which checks that the pod runs, listens there and admits the
# API server, and answers for the pod, with the certificate that the pod mounts.
import ipaddress
import json
import os
import re
import select
import socket
import socketserver
import ssl
import sys
import threading
from pathlib import Path

from live import kube as k
from live.pods import mounted, work_of

POLICIES = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
# Webhooks that allow every request and change nothing.
WEBHOOKS = ("secrets webhook", "load balancers")


def serve(work, api, pods, operators, metrics):
    """`metrics` is the handler of requests for resource metrics."""

    class Connection(socketserver.StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline().decode()
            while self.rfile.readline().strip():
                pass
            address = re.match(r"CONNECT (\S+):(\d+) ", line)
            if not address:
                return self.refuse(f"no address in {line!r}")
            try:
                pod, container, why = target(api, pods, address[1], int(address[2]), work)
                if why:
                    return self.refuse(why)
                self.take(pod, container)
            except (OSError, k.Refused) as error:
                print(f"network: {address[1]}:{address[2]}: {error}", file=sys.stderr, flush=True)

        def refuse(self, why):
            print(f"network: {why}", file=sys.stderr, flush=True)
            self.wfile.write(f"HTTP/1.1 502 {why}\r\n\r\n".encode())

        def take(self, pod, container):
            what = work_of(container)
            if what == "prometheus operator":
                port = operators.ports.get(pod["metadata"]["uid"])
                with socket.create_connection(("127.0.0.1", port), 5) as there:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    tunnel(self.connection, there, lambda: pods.here(pod["metadata"]["uid"]))
                return
            context = certificate(api, pod, work)
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with context.wrap_socket(self.connection, server_side=True) as secure:
                (metrics if what == "metrics" else Webhook)(secure, ("127.0.0.1", 0), self.server)

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True
        request_queue_size = 64

    path = json.loads((Path(work) / "state.json").read_text())["egress"]
    threading.Thread(target=Server(path, Connection).serve_forever, daemon=True).start()


class Webhook(socketserver.StreamRequestHandler):
    """One answer for each connection, so that the next one finds the current pods."""

    def handle(self):
        length = 0
        while line := self.rfile.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            return
        review = json.loads(self.rfile.read(length))
        answer = {key: review[key] for key in ("apiVersion", "kind")}
        body = json.dumps({**answer, "response": {"uid": review["request"]["uid"], "allowed": True}}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.wfile.write(head.encode() + body)


def target(api, pods, address, port, work):
    """(pod, the container that answers, why nothing does)"""
    pod = pods.at(address)
    if not pod:
        return None, None, f"no running pod has the address {address}"
    listening = [
        container
        for container in pod["spec"]["containers"]
        if work_of(container) and any(each["containerPort"] == port for each in container.get("ports") or [])
    ]
    if not listening:
        return None, None, f"nothing in {k.name(pod)} listens on {port}"
    shut = refusal(api.list(POLICIES.format(pod["metadata"]["namespace"])), pod, port, networks(work))
    return pod, listening[0], shut and f"{shut} of {pod['metadata']['namespace']} keeps the API server from {port}"


def networks(work):
    """Where the API server's addresses lie: the private subnets, as far as an infrastructure was given."""
    file = Path(work) / "networks.json"
    return [ipaddress.ip_network(each) for each in json.loads(file.read_text())] if file.exists() else []


def refusal(policies, pod, port, sources):
    """The NetworkPolicies that keep the API server from a port of a pod, in words, or None."""
    ports = {port} | {
        each.get("name")
        for container in pod["spec"]["containers"]
        for each in container.get("ports") or []
        if each["containerPort"] == port
    }
    here = [
        policy
        for policy in policies
        if "Ingress" in (policy["spec"].get("policyTypes") or ["Ingress"])
        and k.selects(policy["spec"].get("podSelector") or {}, pod["metadata"].get("labels"))
    ]
    rules = [rule for policy in here for rule in policy["spec"].get("ingress") or []]
    if not here or any(opens(rule, ports, port, sources) for rule in rules):
        return None
    return "NetworkPolicy " + ", ".join(policy["metadata"]["name"] for policy in here)


def opens(rule, ports, port, sources):
    wanted = rule.get("ports")
    if wanted and not any(each.get("port") in (None, *ports) or between(each, port) for each in wanted):
        return False
    if not rule.get("from"):
        return True
    blocks = [ipaddress.ip_network(each["ipBlock"]["cidr"]) for each in rule["from"] if "ipBlock" in each]
    if not sources:
        return bool(blocks)
    return all(any(source.subnet_of(block) for block in blocks) for source in sources)


def between(entry, port):
    return isinstance(entry.get("port"), int) and entry["port"] <= port <= entry.get("endPort", entry["port"])


def certificate(api, pod, work):
    """The server's side of TLS, with the pair that the pod mounts; without one, as programs that sign for themselves, the harness's."""
    crt, key = Path(work) / "tls.crt", Path(work) / "tls.key"
    for name, data in mounted(api, pod):
        if data.get("tls.crt") and data.get("tls.key"):
            folder = Path(work) / "pods" / pod["metadata"]["uid"] / name
            folder.mkdir(parents=True, exist_ok=True)
            crt, key = folder / "tls.crt", folder / "tls.key"
            for file, content in ((crt, data["tls.crt"]), (key, data["tls.key"])):
                fresh = file.with_suffix(f".{threading.get_ident()}")
                fresh.write_bytes(content)
                os.chmod(fresh, 0o600)
                fresh.replace(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return context


def tunnel(one, other, here):
    """Carries bytes both ways until one side ends, or the pod does."""
    while here():
        ready, _, _ = select.select([one, other], [], [], 1)
        for each in ready:
            data = each.recv(65536)
            if not data:
                return
            (other if each is one else one).sendall(data)
