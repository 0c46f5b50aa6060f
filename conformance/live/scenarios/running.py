# Availability during rollouts, replacements of nodes, changes of load, and on full nodes.
import re
import time

from live import kube as k
from live import nodes, sync
from live.kube import condition, name, selects
from live.scenarios.observing import (
    DEPLOYMENTS,
    SYSTEM,
    Endpoints,
    Skip,
    applications,
    count,
    pods_of,
    ready,
    rolled_out,
    set_load,
    until,
)


def rolling_update(live):
    """A rollout never leaves a Service with fewer ready endpoints than its strategy promises; a bad one leaves it whole; Flux mends it."""
    wrong, notes = [], []
    for deployment, service in applications(live):
        found, note = roll(live, deployment, service)
        wrong += found
        notes.append(note)
    return wrong, ", ".join(notes)


def roll(live, deployment, service):
    wrong, path, key = [], live.kube.path(deployment), name(service)
    replicas = live.kube.get(path)["spec"].get("replicas", 1)
    rolling = deployment["spec"]["strategy"].get("rollingUpdate") or {}
    spare = count(rolling.get("maxUnavailable", 0), replicas, False)
    floor = max(1, replicas - spare)
    seen = Endpoints(live, [service])
    live.kube.merge(path, {"spec": {"template": {"metadata": {"annotations": {"live/restarted-at": str(time.time())}}}}})
    done = until(lambda: rolled_out(live, path), 300)
    lowest = seen.stop()[key]
    if not done:
        said = condition(live.kube.get(path), "Progressing").get("message")
        wrong.append(f"{name(deployment)}: the rollout did not end within 300 s: {said}")
    if lowest < floor:
        wrong.append(f"{key} fell to {lowest} ready endpoints, {floor} were promised")
    note = f"{key} {lowest}/{replicas} (at least {floor})"

    seen = Endpoints(live, [service])
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    bad = [{"name": container["name"], "image": container["image"].split("@")[0] + "-never-ready"}]
    live.kube.request(
        "PATCH",
        path + "?fieldManager=live",
        {"spec": {"template": {"spec": {"containers": bad}}}},
        "application/strategic-merge-patch+json",
    )
    time.sleep(8)
    lowest = seen.stop()[key]
    if lowest < floor:
        wrong.append(f"a release that never gets ready took {key} down to {lowest} ready endpoints, {floor} were promised")
    sync.reconcile(live, 1)

    def mended():
        now = live.kube.get(path)["spec"]["template"]["spec"]["containers"][0]["image"]
        return now == container["image"] and rolled_out(live, path)

    if not until(mended, 300):
        wrong.append(f"Flux did not bring {name(deployment)} back to {container['image']}")
    return wrong, note


def drain(live):
    """Every node is replaced as a node group update does it: a new one first, then drain, within the budgets."""
    kube, wrong = live.kube, []
    budgets = kube.list("/apis/policy/v1/poddisruptionbudgets")
    served = applications(live)
    healthy, floors, pods = {}, {}, {}
    for budget in budgets:
        floors[name(budget)] = budget.get("status", {}).get("desiredHealthy", 0)

    def seen(event, pod):
        pods.pop(name(pod), None) if event == "DELETED" else pods.__setitem__(name(pod), pod)
        for budget in budgets:
            if pod["metadata"]["namespace"] == budget["metadata"]["namespace"] and selects(
                budget["spec"]["selector"], pod["metadata"].get("labels")
            ):
                now = sum(
                    bool(
                        p["metadata"]["namespace"] == budget["metadata"]["namespace"]
                        and selects(budget["spec"]["selector"], p["metadata"].get("labels"))
                        and ready(p)
                    )
                    for p in list(pods.values())
                )
                healthy.setdefault(name(budget), []).append(now)

    watch = k.Watch(kube, "/api/v1/pods", seen)
    endpoints = Endpoints(live, [s for _, s in served])
    time.sleep(0.5)
    healthy.clear()
    replaced = kube.list("/api/v1/nodes")
    for node in replaced:
        wrong += replace(live, node)
        for deployment, _ in served:
            if not until(rolls(live, deployment), 240):
                wrong.append(f"{name(deployment)} is not whole again four minutes after node {name(node)} went")
        if wrong:
            break
    watch.stop()
    lowest = endpoints.stop()
    for key, floor in floors.items():
        if healthy.get(key) and min(healthy[key]) < floor:
            wrong.append(f"PodDisruptionBudget {key} promises {floor} healthy pods, {min(healthy[key])} were left")
    for deployment, service in served:
        if lowest[name(service)] < 1 and deployment["spec"].get("replicas", 1) > 1:
            wrong.append(f"{name(service)} had no ready endpoint for a while")
    return wrong, f"{len(replaced)} nodes; " + ", ".join(
        f"{key} kept {min(healthy[key])} of at least {floors[key]}" for key in sorted(floors) if healthy.get(key)
    )


def rolls(live, deployment):
    path = live.kube.path(deployment)
    return lambda: rolled_out(live, path)


def replace(live, node):
    """A new node, then the old one drained and gone; what is wrong with it, in words."""
    kube, labels, own = live.kube, node["metadata"]["labels"], node["metadata"]["name"]
    fresh = re.sub(r"-(\d+)\.", lambda m: f"-{int(m[1]) + 1}.", own, count=1)
    taints = node["spec"].get("taints") or []
    nodes.add_node(
        kube,
        fresh,
        labels["node.kubernetes.io/instance-type"],
        labels["topology.kubernetes.io/zone"],
        labels["topology.kubernetes.io/region"],
        labels["eks.amazonaws.com/nodegroup"],
        [taint for taint in taints if not taint["key"].startswith("node.kubernetes.io/")],
    )
    until(lambda: taints or not kube.get(f"/api/v1/nodes/{fresh}")["spec"].get("taints"), 120)
    done = live.kubectl("drain", own, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s", check=False)
    if not done.returncode:
        kube.delete(f"/api/v1/nodes/{own}")
        return []
    blocked = sorted(
        {f"{space}/{pod}" for pod, space in re.findall(r'evicting pods/"([^"]+)" -n "([^"]+)"', done.stderr)}
        & still_there(live, own)
    )
    why = (re.findall(r"Cannot evict pod[^\n]*", done.stderr) or done.stderr.strip().split("\n"))[-1]
    live.kubectl("uncordon", own)
    kube.delete(f"/api/v1/nodes/{fresh}")
    return [f"node {own} cannot be drained: {', '.join(blocked)}: {why}"[:400]]


def still_there(live, node):
    return {name(p) for p in live.kube.list(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")}


def autoscale(live):
    """Each HPA scales up under load, Flux leaves the number alone, and it scales down again."""
    wrong, notes = [], []
    scalers = [
        h for h in live.kube.list("/apis/autoscaling/v2/horizontalpodautoscalers") if h["metadata"]["namespace"] not in SYSTEM
    ]
    if not scalers:
        raise Skip("no HorizontalPodAutoscaler")
    for scaler in scalers:
        found, note = scale(live, scaler)
        wrong += found
        notes += note
    return wrong, ", ".join(notes)


def scale(live, scaler):
    wrong, space, spec = [], scaler["metadata"]["namespace"], scaler["spec"]
    workloads = f"/apis/apps/v1/namespaces/{space}/{spec['scaleTargetRef']['kind'].lower()}s"
    least, most, own = spec.get("minReplicas", 1), spec["maxReplicas"], spec["scaleTargetRef"]["name"]
    if most <= least:
        return [f"{name(scaler)} cannot scale: minReplicas {least}, maxReplicas {most}"], []
    prefix = f"{space}/{own}-"

    def size():
        return live.kube.get(f"{workloads}/{own}")["spec"].get("replicas", 1)

    if not until(lambda: size() == least, 180):
        wrong.append(f"{name(scaler)}: at rest {size()} replicas, minReplicas is {least}")
    set_load(live, {prefix: 3.0})
    if not until(lambda: size() == most, 240):
        said = condition(live.kube.get(live.kube.path(scaler)), "ScalingActive").get("message")
        wrong.append(f"{name(scaler)}: {size()} replicas under load, not {most}: {said}")
    else:
        high = []

        def seen(_, thing):
            if thing["metadata"]["name"] == own:
                high.append(thing["spec"].get("replicas", 1))

        watch = k.Watch(live.kube, workloads, seen)
        sync.reconcile(live, 120)
        time.sleep(1)
        watch.stop()
        if min(high) < most:
            back = f"Flux set {prefix[:-1]} back to {min(high)} replicas while the autoscaler wanted {most}"
            wrong.append(f"{back}: spec.replicas stands in Git")
    set_load(live, {prefix: 0.05})
    down = (spec.get("behavior") or {}).get("scaleDown") or {}
    slow = (
        down.get("stabilizationWindowSeconds", 0) > 30
        or down.get("selectPolicy") == "Disabled"
        or any(policy["periodSeconds"] > 15 for policy in down.get("policies") or [])
    )
    if not slow and not until(lambda: size() == least, 300):
        wrong.append(f"{name(scaler)}: still {size()} replicas five minutes after the load went")
    set_load(live, {})
    end = " (its behaviour is too slow to watch it shrink)" if slow else f" -> {least}"
    return wrong, [f"{name(scaler)} {least} -> {most}{end}"]


def preempt(live):
    """With the nodes full, a real pod takes the place of an overprovisioning pod at once, and that one waits for a new node."""
    kube, wrong = live.kube, []
    spare = [
        d
        for d in kube.list(DEPLOYMENTS)
        if any(p["spec"].get("priority", 0) < 0 for p in pods_of(live, d["metadata"]["namespace"], d["spec"]["selector"]))
    ]
    if not spare:
        raise Skip("no Deployment whose pods have a negative priority")
    placeholder = spare[0]
    space, selector = placeholder["metadata"]["namespace"], placeholder["spec"]["selector"]
    holders = [p for p in pods_of(live, space, selector) if ready(p)]
    if not holders:
        return [f"{name(placeholder)}: none of its pods runs, so it holds no room"], ""
    requests = holders[0]["spec"]["containers"][0].get("resources", {}).get("requests", {})
    if holders[0]["spec"]["priority"] < -10:
        wrong.append(
            f"{name(placeholder)}: priority {holders[0]['spec']['priority']} is below the cutoff -10: cluster-autoscaler adds no node for it"
        )

    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "live-preempt"}})
    until(lambda: kube.find("/api/v1/namespaces/live-preempt/serviceaccounts/default"), 300)

    def pod(own, ask, **more):
        kube.request(
            "POST",
            "/api/v1/namespaces/live-preempt/pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": own, "namespace": "live-preempt"},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "tolerations": [{"operator": "Exists"}] if "nodeName" in more else [],
                    "containers": [{"name": "c", "image": "example.invalid/c:1", "resources": {"requests": ask}}],
                    **more,
                },
            },
        )

    try:
        until(
            lambda: not any(p["metadata"].get("deletionTimestamp") for p in kube.list("/api/v1/pods")), 120
        )  # their capacity is about to be released
        for at, node in enumerate(kube.list("/api/v1/nodes")):
            own = node["metadata"]["name"]
            used = [
                c.get("resources", {}).get("requests", {})
                for p in kube.list(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{own}")
                if p["status"].get("phase") not in ("Succeeded", "Failed")
                for c in p["spec"]["containers"]
            ]
            left = k.cpu(node["status"]["allocatable"]["cpu"]) - sum(k.cpu(u.get("cpu")) for u in used)
            if left > 0.02:
                pod(f"filler-{at}", {"cpu": f"{int(left * 1000) - 10}m"}, nodeName=own)
        names = {name(p) for p in pods_of(live, space, selector)}
        pod("real", {"cpu": requests.get("cpu", "50m")})
        path = "/api/v1/namespaces/live-preempt/pods/real"
        begin = time.time()
        if not until(lambda: ready(kube.get(path)), 120):
            message = condition(kube.get(path), "PodScheduled").get("message")
            wrong.append(f"a pod that asks for {requests.get('cpu')} of CPU does not start on full nodes: {message}")
        else:
            gone = names - {name(p) for p in pods_of(live, space, selector)}
            if not gone:
                wrong.append("the pod started, yet nothing was preempted: the nodes were not full")
            waiting = until(
                lambda: [
                    p for p in pods_of(live, space, selector) if condition(p, "PodScheduled").get("reason") == "Unschedulable"
                ],
                300,
            )
            if gone and not waiting:
                wrong.append(f"no pod of {name(placeholder)} waits for a node, so cluster-autoscaler has no reason to add one")
        return wrong, f"{name(placeholder)} made room within {time.time() - begin:.0f} s"
    finally:
        kube.delete("/api/v1/namespaces/live-preempt")
        until(lambda: kube.find("/api/v1/namespaces/live-preempt") is None, 120)
        until(lambda: len([p for p in pods_of(live, space, selector) if ready(p)]) >= len(holders), 120)
