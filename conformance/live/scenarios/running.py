# What keeps answering while releases roll out, nodes are replaced, load comes and goes, and nodes are full.
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
        path = f"/apis/apps/v1/namespaces/{deployment['metadata']['namespace']}/deployments/{deployment['metadata']['name']}"
        key = name(service)
        replicas = live.kube.get(path)["spec"].get("replicas", 1)
        rolling = deployment["spec"]["strategy"].get("rollingUpdate") or {}
        spare = count(rolling.get("maxUnavailable", 0), replicas, False)
        floor = max(1, replicas - spare)
        seen = Endpoints(live, [service])
        live.kube.merge(path, {"spec": {"template": {"metadata": {"annotations": {"live/restarted-at": str(time.time())}}}}})
        done = until(lambda: rolled_out(live, path), 150)
        lowest = seen.stop()[key]
        if not done:
            wrong.append(
                f"{name(deployment)}: the rollout did not end within 150 s: {condition(live.kube.get(path), 'Progressing').get('message')}"
            )
        if lowest < floor:
            wrong.append(f"{key} fell to {lowest} ready endpoints, {floor} were promised")
        notes.append(f"{key} {lowest}/{replicas} (at least {floor})")

        seen = Endpoints(live, [service])
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        live.kube.request(
            "PATCH",
            path + "?fieldManager=live",
            {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {"name": container["name"], "image": container["image"].split("@")[0] + "-never-ready"}
                            ]
                        }
                    }
                }
            },
            "application/strategic-merge-patch+json",
        )
        time.sleep(8)
        lowest = seen.stop()[key]
        if lowest < floor:
            wrong.append(f"a release that never gets ready took {key} down to {lowest} ready endpoints, {floor} were promised")
        sync.reconcile(live, 1)
        mended = until(
            lambda: (
                live.kube.get(path)["spec"]["template"]["spec"]["containers"][0]["image"] == container["image"]
                and rolled_out(live, path)
            ),
            120,
        )
        if not mended:
            wrong.append(f"Flux did not bring {name(deployment)} back to {container['image']}")
    return wrong, ", ".join(notes)


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
                    1
                    for p in list(pods.values())
                    if p["metadata"]["namespace"] == budget["metadata"]["namespace"]
                    and selects(budget["spec"]["selector"], p["metadata"].get("labels"))
                    and ready(p)
                )
                healthy.setdefault(name(budget), []).append(now)

    watch = k.Watch(kube, "/api/v1/pods", seen)
    endpoints = Endpoints(live, [s for _, s in served])
    time.sleep(0.5)
    healthy.clear()
    replaced = kube.list("/api/v1/nodes")
    for node in replaced:
        labels, own = node["metadata"]["labels"], node["metadata"]["name"]
        fresh = re.sub(r"-(\d+)\.", lambda m: f"-{int(m[1]) + 1}.", own, count=1)
        nodes.add_node(
            kube,
            fresh,
            labels["node.kubernetes.io/instance-type"],
            labels["topology.kubernetes.io/zone"],
            labels["topology.kubernetes.io/region"],
            labels["eks.amazonaws.com/nodegroup"],
            [t for t in node["spec"].get("taints") or [] if not t["key"].startswith("node.kubernetes.io/")],
        )
        until(lambda: not kube.get(f"/api/v1/nodes/{fresh}")["spec"].get("taints") or node["spec"].get("taints"), 20)
        done = live.kubectl("drain", own, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=45s", check=False)
        if done.returncode:
            blocked = sorted(
                {f"{space}/{pod}" for pod, space in re.findall(r'evicting pods/"([^"]+)" -n "([^"]+)"', done.stderr)}
                & still_there(live, own)
            )
            why = (re.findall(r"Cannot evict pod[^\n]*", done.stderr) or done.stderr.strip().split("\n"))[-1]
            wrong.append(f"node {own} cannot be drained: {', '.join(blocked)}: {why}"[:400])
            live.kubectl("uncordon", own)
            kube.delete(f"/api/v1/nodes/{fresh}")
        else:
            kube.delete(f"/api/v1/nodes/{own}")
        for deployment, _ in served:
            path = (
                f"/apis/apps/v1/namespaces/{deployment['metadata']['namespace']}/deployments/{deployment['metadata']['name']}"
            )
            if not until(lambda: rolled_out(live, path), 60):
                wrong.append(f"{name(deployment)} is not whole again a minute after node {own} went")
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
        space, spec = scaler["metadata"]["namespace"], scaler["spec"]
        path = f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers/{scaler['metadata']['name']}"
        target = f"/apis/apps/v1/namespaces/{space}/{spec['scaleTargetRef']['kind'].lower()}s/{spec['scaleTargetRef']['name']}"
        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        if most <= least:
            wrong.append(f"{name(scaler)} cannot scale: minReplicas {least}, maxReplicas {most}")
            continue
        prefix = f"{space}/{spec['scaleTargetRef']['name']}-"

        def size():
            return live.kube.get(target)["spec"].get("replicas", 1)

        if not until(lambda: size() == least, 60):
            wrong.append(f"{name(scaler)}: at rest {size()} replicas, minReplicas is {least}")
        set_load(live, {prefix: 3.0})
        if not until(lambda: size() == most, 90):
            now = live.kube.get(path)
            wrong.append(
                f"{name(scaler)}: {size()} replicas under load, not {most}: {condition(now, 'ScalingActive').get('message')}"
            )
        else:
            high = []
            watch = k.Watch(
                live.kube,
                f"/apis/apps/v1/namespaces/{space}/{spec['scaleTargetRef']['kind'].lower()}s",
                lambda event, thing: (
                    high.append(thing["spec"].get("replicas", 1))
                    if thing["metadata"]["name"] == spec["scaleTargetRef"]["name"]
                    else None
                ),
            )
            sync.reconcile(live, 30)
            time.sleep(1)
            watch.stop()
            if min(high) < most:
                wrong.append(
                    f"Flux set {prefix[:-1]} back to {min(high)} replicas while the autoscaler wanted {most}: spec.replicas stands in Git"
                )
        set_load(live, {prefix: 0.05})
        down = (spec.get("behavior") or {}).get("scaleDown") or {}
        slow = (
            down.get("stabilizationWindowSeconds", 0) > 30
            or down.get("selectPolicy") == "Disabled"
            or any(policy["periodSeconds"] > 15 for policy in down.get("policies") or [])
        )
        if not slow and not until(lambda: size() == least, 120):
            wrong.append(f"{name(scaler)}: still {size()} replicas two minutes after the load went")
        set_load(live, {})
        notes.append(
            f"{name(scaler)} {least} -> {most}"
            + (" (its behaviour is too slow to watch it shrink)" if slow else f" -> {least}")
        )
    return wrong, ", ".join(notes)


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
    until(lambda: kube.find("/api/v1/namespaces/live-preempt/serviceaccounts/default"), 10)

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
            lambda: not any(p["metadata"].get("deletionTimestamp") for p in kube.list("/api/v1/pods")), 30
        )  # they hold room that is about to be free
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
        if not until(lambda: ready(kube.get(path)), 30):
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
                15,
            )
            if gone and not waiting:
                wrong.append(f"no pod of {name(placeholder)} waits for a node, so cluster-autoscaler has no reason to add one")
        return wrong, f"{name(placeholder)} made room within {time.time() - begin:.0f} s"
    finally:
        kube.delete("/api/v1/namespaces/live-preempt")
        until(lambda: kube.find("/api/v1/namespaces/live-preempt") is None, 30)
        until(lambda: len([p for p in pods_of(live, space, selector) if ready(p)]) >= len(holders), 40)
