# Plays External Secrets while one of its pods is ready, with the permissions of that pod's service account, and Parameter Store.
# A store is ready if its service account exists, gets a token and has the role that Terraform creates for the namespace. An
# ExternalSecret is ready if its store is ready, the rendered infrastructure writes each of its parameters or tells a person to put
# it, and the namespace's role may read it. `parameters.json` in the work folder lists the parameters, and those that are withheld.
# Without it (no infrastructure was given) every parameter exists.
import json
import sys
import time

from live import kube as k
from live import parameters

GROUP = "/apis/external-secrets.io/v1"
ROLE = "eks.amazonaws.com/role-arn"
GIVEN = set()  # service accounts that gave a token


def play(pods, work):
    while True:
        try:
            known = json.loads((work / "parameters.json").read_text())
            ready = [pod for pod, _ in pods.doing("secrets") if k.condition(pod, "Ready").get("status") == "True"]
            for api in [pods.account(pod) for pod in ready[:1]]:
                for store in api.list(f"{GROUP}/secretstores"):
                    say(api, store, why_no_store(api, store, known), "Valid", "InvalidProviderConfig")
                for secret in api.list(f"{GROUP}/externalsecrets"):
                    synchronize(api, secret, known)
        except (OSError, ValueError):
            pass  # nothing was synced yet, or the API server is away
        except k.Refused as error:
            if error.code != 404:  # the definitions come with the chart
                print(f"stores: {error}", file=sys.stderr, flush=True)
        time.sleep(0.5)


def say(api, thing, wrong, well, ill):
    entry = {
        "type": "Ready",
        "status": "False" if wrong else "True",
        "reason": ill if wrong else well,
        "message": wrong or "played",
    }
    before = k.condition(thing, "Ready")
    if any(before.get(key) != value for key, value in entry.items()):
        entry["lastTransitionTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        api.merge(api.path(thing) + "/status", {"status": {"conditions": [entry]}})


def why_no_store(api, store, known):
    """What is wrong with a store, or None."""
    provider = (store["spec"].get("provider") or {}).get("aws")
    if not provider or provider.get("service") != "ParameterStore":
        return "the store is none of Parameter Store"
    if known["known"] and provider.get("region") != known["region"]:
        return f"the store asks in {provider.get('region')}, the parameters lie in {known['region']}"
    # A store can use only service accounts of its own namespace.
    namespace = store["metadata"]["namespace"]
    if known["known"] and namespace not in known["readers"]:
        return f"AccessDenied: Terraform makes no role {known['role']}{namespace}"
    ref = ((provider.get("auth") or {}).get("jwt") or {}).get("serviceAccountRef")
    if not ref:
        return None
    account = api.find(f"/api/v1/namespaces/{namespace}/serviceaccounts/{ref['name']}")
    if not account:
        return f"no service account {namespace}/{ref['name']}"
    if account["metadata"]["uid"] not in GIVEN:
        try:
            api.token_of(namespace, ref["name"])
        except k.Refused as error:
            return f"no token of {namespace}/{ref['name']}: {error}"
        GIVEN.add(account["metadata"]["uid"])
    role = (account["metadata"].get("annotations") or {}).get(ROLE)
    if known["known"] and role and role.rsplit("/", 1)[-1] != known["role"] + namespace:
        return f"{namespace}/{ref['name']} bears the role {role}, Terraform makes {known['role']}{namespace}"
    return None


def why_no_secret(api, secret, known):
    namespace, ref = secret["metadata"]["namespace"], secret["spec"].get("secretStoreRef") or {}
    # The release handles only the stores of its own namespace.
    store = ref.get("kind") != "ClusterSecretStore" and api.find(f"{GROUP}/namespaces/{namespace}/secretstores/{ref.get('name')}")
    if not store:
        return f"could not get {ref.get('kind', 'SecretStore')} {ref.get('name')}"
    if k.condition(store, "Ready").get("status") != "True":
        return f"the store {ref.get('name')} is not ready"
    for key in parameters.keys_of(secret):
        if key in known.get("held", []):
            return f"ParameterNotFound: {key}"
    if not known["known"]:
        return None
    for key in parameters.keys_of(secret):
        found = [each for each in known["all"] if each == key or (key.endswith("/") and each.startswith(key))]
        if not found:
            return f"ParameterNotFound: nothing in the infrastructure writes {key}"
        for each in found:
            folders = known["readers"].get(namespace) or []
            if not any(each.startswith(f"{known['prefix']}/{folder}/") for folder in folders):
                return f"AccessDenied: the role of {namespace} may not read {each}"
            if each in known["withheld"]:
                return f"ParameterNotFound: {each}"
    return None


def synchronize(api, secret, known):
    wrong = why_no_secret(api, secret, known)
    if not wrong:
        write(api, secret)
    say(api, secret, wrong, "SecretSynced", "SecretSyncedError")


def write(api, secret):
    meta, target = secret["metadata"], secret["spec"].get("target") or {}
    name = target.get("name") or meta["name"]
    where = f"/api/v1/namespaces/{meta['namespace']}/secrets"
    template = target.get("template") or {}
    if target.get("creationPolicy", "Owner") in ("Owner", "Orphan"):
        keys = list(template.get("data") or {})
        if not keys or template.get("mergePolicy") == "Merge":
            keys += [entry["secretKey"] for entry in secret["spec"].get("data") or []]
        kind = template.get("type", "Opaque")
        value = json.dumps({"auths": {}}) if kind == "kubernetes.io/dockerconfigjson" else "played"
        owner = {"apiVersion": secret["apiVersion"], "kind": secret["kind"], "name": meta["name"], "uid": meta["uid"]}
        wanted = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": meta["namespace"], "ownerReferences": [owner]},
            "type": kind,
            "stringData": dict.fromkeys(keys or ["value"], value),
        }
        there = api.find(f"{where}/{name}")
        if not there or set(there.get("data") or {}) != set(wanted["stringData"]) or there.get("type") != kind:
            api.apply(wanted)
    for other in api.list(where):  # the old Secret after the name of the target changed
        owners = other["metadata"].get("ownerReferences") or []
        if other["metadata"]["name"] != name and any(each["uid"] == meta["uid"] for each in owners):
            api.delete(api.path(other))
