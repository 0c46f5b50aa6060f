# A small client for the Kubernetes API: JSON over HTTPS with a token, using only the standard library.
import contextlib
import json
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """An answer of the API server that is not a success; `code` is the HTTP status."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Kube:
    def __init__(self, url, token, ca_file):
        self.url, self.token, self.ca_file = url, token, ca_file
        self.tls = ssl.create_default_context(cafile=ca_file)
        self._kinds = {}

    def as_account(self, namespace, account):
        """The same API with the rights of a service account."""
        return Kube(self.url, self.token_of(namespace, account), self.ca_file)

    def token_of(self, namespace, account):
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
        return self.request("POST", path, request)["status"]["token"]

    def request(self, method, path, body=None, media="application/json", timeout=60, raw=False):
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path,
            data=data,
            method=method,
            headers={"Authorization": "Bearer " + self.token, "Content-Type": media, "Accept": "application/json"},
        )
        try:
            answer = urllib.request.urlopen(request, context=self.tls, timeout=timeout)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            with contextlib.suppress(ValueError):
                text = json.loads(text).get("message", text)
            raise Refused(error.code, text) from None
        return answer if raw else json.loads(answer.read() or b"{}")

    def get(self, path):
        return self.request("GET", path)

    def find(self, path):
        """Like get, but None where there is nothing."""
        try:
            return self.get(path)
        except Refused as error:
            if error.code == 404:
                return None
            raise

    def list(self, path):
        return items(self.get(path))

    def delete(self, path, **options):
        try:
            return self.request("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", **options})
        except Refused as error:
            if error.code != 404:
                raise

    def merge(self, path, patch):
        return self.request("PATCH", path + "?fieldManager=live", patch, "application/merge-patch+json")

    def apply(self, thing, dry_run=False):
        """Server-side apply of one object given as a dict."""
        query = "?fieldManager=live&force=true" + ("&dryRun=All" if dry_run else "")
        return self.request("PATCH", self.path(thing) + query, thing, "application/apply-patch+yaml")

    def path(self, thing):
        group, meta = thing["apiVersion"], thing["metadata"]
        plural, namespaced = self.kind(group, thing["kind"])
        folder = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
        return f"{root(group)}{folder}/{plural}/{meta['name']}"

    def kind(self, group, kind):
        """(plural, namespaced) of a kind; asks the server once per kind."""
        if (group, kind) not in self._kinds:
            for resource in self.get(root(group))["resources"]:
                if "/" not in resource["name"]:
                    self._kinds[group, resource["kind"]] = resource["name"], resource["namespaced"]
        return self._kinds[group, kind]

    def kinds(self):
        """Every listable resource in its preferred version: (apiVersion, kind, plural, namespaced)."""
        groups = ["v1"] + [g["preferredVersion"]["groupVersion"] for g in self.get("/apis")["groups"]]
        for group in groups:
            try:
                resources = self.get(root(group))["resources"]
            except Refused:
                continue  # an aggregated API whose server is unavailable
            for resource in resources:
                if "/" not in resource["name"] and "list" in resource["verbs"]:
                    yield group, resource["kind"], resource["name"], resource["namespaced"]

    def ready(self):
        try:
            return self.request("GET", "/readyz", raw=True, timeout=3).status == 200
        except (OSError, Refused):
            return False


class Watch(threading.Thread):
    """Follows a list path and calls `seen(type, object)` for what is there and for every change, until stop()."""

    def __init__(self, kube, path, seen):
        super().__init__(daemon=True)
        self.kube, self.path, self.seen, self.over = kube, path, seen, False
        self.start()

    def run(self):
        while not self.over:
            try:
                listed = self.kube.get(self.path)
                for item in items(listed):
                    self.seen("ADDED", item)
                query = urllib.parse.urlencode({"watch": 1, "resourceVersion": listed["metadata"]["resourceVersion"]})
                joint = "&" if "?" in self.path else "?"
                with self.kube.request("GET", f"{self.path}{joint}{query}", timeout=600, raw=True) as stream:
                    for line in stream:
                        if self.over:
                            return
                        event = json.loads(line)
                        if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                            self.seen(event["type"], event["object"])
            except (OSError, Refused, ValueError):
                time.sleep(0.3)  # a kind that does not exist yet, or a watch that expired

    def stop(self):
        self.over = True


def items(listed):
    """A list leaves kind and apiVersion out of its items; here they get them back."""
    own = {"kind": listed.get("kind", "").removesuffix("List"), "apiVersion": listed.get("apiVersion")}
    return [{**own, **item} for item in listed.get("items") or []]


def root(group):
    return "/api/v1" if group == "v1" else "/apis/" + group


def condition(thing, kind):
    for entry in thing.get("status", {}).get("conditions") or []:
        if entry["type"] == kind:
            return entry
    return {}


def name(thing):
    meta = thing["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else meta["name"]


def selects(selector, labels):
    """Whether a LabelSelector (or the plain map of a Service) selects these labels."""
    labels = labels or {}
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        selector = {"matchLabels": selector}
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        here, values = labels.get(rule["key"]), rule.get("values") or []
        if not {"In": here in values, "NotIn": here not in values, "Exists": here is not None, "DoesNotExist": here is None}[
            rule["operator"]
        ]:
            return False
    return True


def cpu(text):
    """CPU quantity as cores."""
    text = str(text or 0)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def memory(text):
    """Memory quantity as bytes."""
    text = str(text or 0)
    for unit, factor in (("Ki", 2**10), ("Mi", 2**20), ("Gi", 2**30), ("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text)
