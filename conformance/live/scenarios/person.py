# A run without the parameters that a person must put: only objects that need one wait for it, and after a person puts them all,
# everything becomes ready without intervention.
from live import sync
from live.history import History
from live.kube import condition, name
from live.scenarios.observing import Skip, belongs_to_application, until

# The one layer that may wait: nothing depends on it.
MONITORING = "monitoring"


def waiting(live):
    expected, history = live.read("waiting.json"), live.read("history.json")
    if not expected:
        raise Skip("no ExternalSecret reads a parameter that a person puts")
    wrong = [": ".join(entry)[:500] for entry in history["failures"]]
    if history["verdict"] != "ready":
        wrong += [line[:500] for line in history["stuck"]]
    things = [thing for thing in sync.flux_objects(live) if thing["kind"] == "Kustomization"]
    for thing in things:
        key, ready = f"Kustomization {name(thing)}", condition(thing, "Ready")
        if key not in expected and ready.get("status") != "True":
            wrong.append(f"{key} names no parameter of a person, yet is not Ready: {ready.get('message')}"[:500])
        if key in expected and ready.get("status") == "True":
            wrong.append(f"{key} is Ready, though {', '.join(expected[key])} is not there")
        if key in expected and thing["metadata"]["name"] != MONITORING and not belongs_to_application(thing):
            wrong.append(f"{key} waits for what a person puts: only {MONITORING} and applications may")

    def secrets():
        return live.kube.list("/apis/external-secrets.io/v1/externalsecrets")

    # Nothing waits for the Secrets of an application that waits: on a busy machine some may be looked at later.
    until(lambda: all(condition(secret, "Ready") for secret in secrets()), 120)
    for secret in secrets():
        ready = condition(secret, "Ready")
        if ready.get("status") != "True" and not any(key in ready.get("message", "") for keys in expected.values() for key in keys):
            wrong.append(f"ExternalSecret {name(secret)}: {ready.get('message', 'not looked at')}")
    missing = sorted(set(expected) - {f"Kustomization {name(thing)}" for thing in things})
    wrong += [f"{key} is not in the cluster" for key in missing]
    names = ", ".join(key.rsplit("/", 1)[-1] for key in sorted(expected))
    return wrong, f"{len(things) - len(expected)} of {len(things)} Kustomizations Ready, {names} waiting"


def put(live):
    """A person puts all of them, and changes nothing else."""
    expected = live.read("waiting.json")
    if not expected:
        raise Skip("no ExternalSecret reads a parameter that a person puts")
    history = History(live, live.read("history.json")["commit"])
    try:
        live.write("parameters.json", {**live.read("parameters.json"), "withheld": []})
        good = history.follow(live.read("root.json")["root"], 300)
    finally:
        history.stop()
    said = [": ".join(entry)[:500] for entry in history.failures] + history.stuck()
    return ([] if good else said or [f"not Ready within 300 s: {history.unready()}"]), f"{len(expected)} came up"
