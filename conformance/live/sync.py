# Lets the real Flux controllers apply a repository, to an empty cluster or as the next commit, and reports the result.
import json
import time

from live import charts, flux, nodes, parameters, repository, rewrites
from live.history import FLUX, History
from live.kube import condition, name


def sync(live, folder, path, infrastructure=None, charts_folder=None, before=(), timeout=1800, person=True, quiet=False):
    """Whether everything became Ready in one go. Without `person` no parameter that a person puts is there, and what waits for one
    has to wait."""
    if not (folder / path).is_dir():
        raise SystemExit(f"live: {folder / path} is not a folder")
    begin = time.time()
    things = list(repository.scan(live, folder))
    wanted = repository.wanted_charts(thing for _, thing in things)
    folders = {"folder": str(charts_folder.resolve()) if charts_folder else None, "built": str(live.bin / "charts")}
    charts.require(folders, wanted)
    live.write("charts.json", {"wanted": wanted, **folders})
    environment = path.strip("./").rsplit("/", 1)[-1]
    known = parameters.read(infrastructure, environment) if infrastructure else None
    live.write("networks.json", nodes.subnets(infrastructure, environment) if infrastructure else [])
    live.write("parameters.json", parameters.state(known, [] if person or not known else sorted(known.person)))

    here = [thing for file, thing in things if (folder / path).resolve() in file.resolve().parents]
    found = flux.instances(here)
    if len(found) != 1:
        raise SystemExit(f"live: {folder / path} holds {len(found)} FluxInstances; it takes exactly one")
    roots = begin_flux(live, found[0])
    source = next(each for each in roots if each["kind"] == "GitRepository")
    root = next(each for each in roots if each["kind"] == "Kustomization")

    commit = repository.publish(live, folder)
    waiting = parameters.waiting(live, here, known.person) if known and not person else {}
    live.write("waiting.json", waiting)
    for file in before:
        live.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    history = History(live, commit, waiting)
    try:
        live.kube.apply(source)
        live.kube.apply(root)
        request(live, [source])
        good = history.follow(name(root), timeout)
    finally:
        history.stop()
    live.write("history.json", history.record())
    if not quiet:
        report(history, wanted, time.time() - begin)
    return good


def begin_flux(live, instance):
    """Installs Flux as this instance says, once. Later commits of the same run change it only in Git."""
    if not (live.work / "roots.json").exists():
        namespace = instance["metadata"]["namespace"]
        synced = instance["spec"]["sync"]
        source = f"{namespace}/{synced.get('name') or namespace}"
        rewrites.install(live, source)
        roots = flux.install(live, instance)
        rewrites.wait(live, source)
        live.write("roots.json", roots)
        root = {"branch": synced["ref"].removeprefix("refs/heads/"), "source": source, "root": source, "path": synced["path"]}
        live.write("root.json", root)
    return json.loads((live.work / "roots.json").read_text())


def request(live, things, wait=0):
    """What `flux reconcile` does. With `wait` seconds, returns those that have not answered by then."""
    token = str(time.time())
    for thing in things:
        live.kube.merge(live.kube.path(thing), {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}})
    left, end = things, time.time() + wait
    while wait and time.time() < end:
        left = [thing for thing in left if not answered(live.kube.get(live.kube.path(thing)), token)]
        if not left:
            break
        time.sleep(0.3)
    return left if wait else []


def answered(thing, token):
    handled = thing.get("status", {}).get("lastHandledReconcileAt") == token
    return handled and condition(thing, "Ready").get("status") != "Unknown"


def flux_objects(live):
    """All Kustomizations and HelmReleases."""
    return [thing for path in FLUX.values() for thing in live.kube.list(path)]


def reconcile(live, wait=240):
    """Asks every source, Kustomization and HelmRelease for a full new round; returns those that did not answer."""
    root = live.read("root.json")
    namespace, _, source = root["source"].partition("/")
    git = {
        "kind": "GitRepository",
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "metadata": {"name": source, "namespace": namespace},
    }
    slow = request(live, [git], wait)
    return slow + request(live, [thing for thing in flux_objects(live) if not thing["spec"].get("suspend")], wait)


def carry_out(live, message, timeout=900):
    """Commits what was changed in the tree and follows Flux; returns what went wrong."""
    history = History(live, repository.publish(live, message=message), live.read("waiting.json"))
    try:
        reconcile(live, 30)
        if history.follow(live.read("root.json")["root"], timeout):
            return []
        said = [": ".join(entry)[:400] for entry in history.failures] + history.stuck()
        return [f"{message}: {line}" for line in said or [f"not Ready within {timeout} s: {history.unready()}"]]
    finally:
        history.stop()


def report(history, wanted, seconds):
    folders = history.live.read("charts.json")
    asked = [chart for chart in wanted if chart["name"] != charts.PROBE]
    real = [chart["name"] for chart in asked if charts.find(folders, chart["name"], chart["version"])[0] == charts.CHART]
    for program, each in history.live.read("flux.json").items():
        print(f"{program} as {each['account']}: {' '.join(each['flags'])}")
    for key, thing in sorted(history.now.items(), key=lambda item: history.ready_at.get(item[0], 1e12)):
        at = history.ready_at.get(key)
        when = f"{at - history.begin:5.1f} s" if at else "      -"
        words = condition(thing, "Ready").get("message", "(no status)")[:300]
        print(f"{history.state(key, thing):9} {key:60} {when}  {words}")
    for entry in history.failures:
        print("  failed on the way: " + ": ".join(entry)[:600])
    if history.verdict != "ready":
        for line in history.stuck():
            print("  stuck: " + line[:600])
    verdict = {
        "ready": "everything Ready" + (", but not in one go" if history.failures else ""),
        "failed": "FAILED",
        "stuck": "FAILED: something cannot get on",
        "timeout": "FAILED: out of time",
    }[history.verdict]
    print(
        f"charts: {', '.join(real) or 'none'}; {len(asked) - len(real)} of rendered objects; {seconds:.0f} s; {verdict}",
        flush=True,
    )
