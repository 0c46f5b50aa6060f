# Watches Flux from before it starts, so that temporary failures are recorded, and decides when it has finished.
import calendar
import time

from live import kube as k
from live.kube import condition, name

FLUX = {
    "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    "HelmRelease": "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
}
SOURCES = ["gitrepositories", "helmrepositories", "ocirepositories", "helmcharts"]
WORKLOADS = ["deployments", "statefulsets", "replicasets", "daemonsets"]
# Seconds after which a waiting pod counts as stuck; on an idle machine none waits for ten.
SLOW = 60
# Ready=False for these reasons is progress, not a failure.
PASSING = {
    "DependencyNotReady",
    "Progressing",
    "ProgressingWithRetry",
    "SourceNotReady",
    "ArtifactFailed",
    "ArtifactNotFound",
    "HealthCheckCanceled",
    "Unknown",
    "",
}


def age(stamp):
    return time.time() - calendar.timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))


def incomplete(thing):
    """Whether a DaemonSet or a StatefulSet has fewer pods than it wants."""
    status = thing.get("status", {})
    if thing["kind"] == "DaemonSet":
        return status.get("currentNumberScheduled", 0) < status.get("desiredNumberScheduled", 0)
    return status.get("replicas", 0) < thing["spec"].get("replicas", 1)


class History:
    """`waiting` names Kustomizations that must not get ready, each with the parameters it waits for."""

    def __init__(self, live, commit, waiting=()):
        self.live, self.commit, self.begin, self.verdict = live, commit, time.time(), "timeout"
        self.waiting = set(waiting)
        self.now, self.failures, self.ready_at = {}, [], {}
        self.workloads, self.pods, self.sources, self.refused = {}, {}, {}, {}
        flux = "/apis/source.toolkit.fluxcd.io/v1"
        self.watches = [k.Watch(live.kube, path, self.flux) for path in FLUX.values()]
        self.watches += [k.Watch(live.kube, f"{flux}/{plural}", self.keep(self.sources)) for plural in SOURCES]
        self.watches += [k.Watch(live.kube, f"/apis/apps/v1/{plural}", self.keep(self.workloads)) for plural in WORKLOADS]
        self.watches.append(k.Watch(live.kube, "/api/v1/pods", self.keep(self.pods)))
        self.watches.append(k.Watch(live.kube, "/api/v1/events?fieldSelector=reason%3DFailedCreate", self.event))
        self.secrets = {}
        self.watches.append(k.Watch(live.kube, "/apis/external-secrets.io/v1/externalsecrets", self.keep(self.secrets)))

    def stop(self):
        for watch in self.watches:
            watch.stop()

    @staticmethod
    def key(thing):
        return f"{thing['kind']} {name(thing)}"

    def keep(self, place):
        def seen(event, thing):
            if event == "DELETED":
                place.pop(self.key(thing), None)
            else:
                place[self.key(thing)] = thing

        return seen

    def event(self, event, thing):
        """DaemonSets, StatefulSets and Jobs do not say in their status that a pod of theirs was refused."""
        about = thing["involvedObject"]
        if event != "DELETED" and about["kind"] in ("DaemonSet", "StatefulSet"):
            self.refused[f"{about['kind']} {about.get('namespace')}/{about['name']}"] = thing.get("message", "")

    def flux(self, event, thing):
        key = self.key(thing)
        if event == "DELETED":
            self.now.pop(key, None)
            return
        self.now[key] = thing
        ready = condition(thing, "Ready")
        if self.state(key, thing) == "ready":
            self.ready_at.setdefault(key, time.time())
        if (
            ready.get("status") == "False"
            and ready.get("reason", "") not in PASSING
            and not self.left_over(ready["lastTransitionTime"])
            and not self.excused(key, thing)
        ):
            entry = (key, ready["reason"], ready.get("message", ""))
            if entry not in self.failures:
                self.failures.append(entry)

    def excused(self, key, thing):
        """Whether it may stay unready: it must wait, or belongs to an object that must wait."""
        labels = thing["metadata"].get("labels") or {}
        owner = "kustomize.toolkit.fluxcd.io/{}"
        by = f"Kustomization {labels.get(owner.format('namespace'))}/{labels.get(owner.format('name'))}"
        return key in self.waiting or (thing["kind"] == "HelmRelease" and by in self.waiting)

    def left_over(self, stamp):
        """Whether an earlier commit left it so: what this one changes there may still be on its way."""
        return age(stamp) > time.time() - self.begin + 1

    def lasting(self, stamp):
        """For how many seconds of this sync it has been so."""
        return min(age(stamp), time.time() - self.begin)

    def stuck(self):
        """The reasons why waiting longer is useless, as sentences."""
        found = []
        for key, thing in list(self.workloads.items()):
            failure, progress = condition(thing, "ReplicaFailure"), condition(thing, "Progressing")
            if failure.get("status") == "True" and thing["spec"].get("replicas", 1):  # an old ReplicaSet keeps it
                found.append(f"{key}: {failure.get('message')}")
            if progress.get("reason") == "ProgressDeadlineExceeded":
                found.append(f"{key}: {progress.get('message')}")
        for key, message in list(self.refused.items()):
            thing = self.workloads.get(key)
            if thing and incomplete(thing):
                found.append(f"{key}: {message}")
        for key, thing in list(self.pods.items()):
            scheduled, ready = condition(thing, "PodScheduled"), condition(thing, "Ready")
            if scheduled.get("reason") == "Unschedulable" and (thing["spec"].get("priority") or 0) >= 0:
                found.append(f"{key}: {scheduled.get('message')}")
            since = scheduled.get("lastTransitionTime")
            if thing["status"].get("phase") == "Running" and ready.get("status") != "True" and since and self.lasting(since) > SLOW:
                found.append(f"{key} runs for {age(since):.0f} s and is not ready")
            for status in thing["status"].get("containerStatuses") or []:
                why = (status.get("state") or {}).get("waiting") or {}
                if why and since and self.lasting(since) > SLOW and not self.waiting:
                    found.append(f"{key} does not start: {why.get('message')}")
        for key, thing in list(self.secrets.items()):
            ready = condition(thing, "Ready")
            since = ready.get("lastTransitionTime")
            if ready.get("status") != "False" or self.waiting or self.left_over(since):
                continue
            if age(since) > SLOW / 4:
                found.append(f"{key}: {ready.get('message')}")
        for key, thing in list(self.sources.items()):
            ready = condition(thing, "Ready")
            if ready.get("status") == "False" and condition(thing, "FetchFailed").get("status") == "True":
                found.append(f"{key}: {ready.get('message')}")
        return found

    def state(self, key, thing):
        ready, status = condition(thing, "Ready"), thing.get("status", {})
        if thing["spec"].get("suspend"):
            return "suspended"
        if ready.get("status") == "True" and status.get("observedGeneration") == thing["metadata"]["generation"]:
            if thing["kind"] == "HelmRelease" or self.commit in (status.get("lastAppliedRevision") or ""):
                return "ready"
            return "busy"
        if ready.get("status") == "False":
            if ready.get("reason") == "DependencyNotReady":
                return "blocked"
            return "busy" if ready.get("reason") in PASSING else "failed"
        return "busy"

    def states(self):
        return {key: self.state(key, thing) for key, thing in list(self.now.items())}

    def unready(self):
        return ", ".join(f"{key} is {state}" for key, state in self.states().items() if state not in ("ready", "suspended"))

    def follow(self, root, timeout):
        """Until everything is Ready and stays so, or nothing moves any more. True: all Ready, and never a failure."""
        still, end = None, time.time() + timeout
        while time.time() < end:
            time.sleep(0.25)
            all_states = self.states()
            if all_states.get(f"Kustomization {root}") is None:
                continue
            states = {
                key: state
                for key, state in all_states.items()
                if not self.excused(key, self.now.get(key) or {"metadata": {}, "kind": ""})
            }
            values = set(states.values())
            if values <= {"ready", "suspended"}:
                # Time for objects that must wait to become ready by mistake.
                outcome, patience = "ready", 10 if self.waiting else 1.5
            elif "busy" not in values:
                outcome, patience = "failed", 6
            elif any(states.get(key) != "ready" for key, _, _ in self.failures):
                outcome, patience = "failed", 20  # it may be retrying, but the failure counts
            elif self.stuck():
                outcome, patience = "stuck", 12
            else:
                outcome, patience = None, 0
            if outcome != (still and still[0]):
                still = outcome and (outcome, time.time())
            if still and time.time() - still[1] > patience:
                self.verdict = still[0]
                break
        return self.verdict == "ready" and not self.failures

    def record(self):
        return {
            "verdict": self.verdict,
            "commit": self.commit,
            "begin": self.begin,
            "failures": self.failures,
            "stuck": self.stuck(),
            "ready": self.ready_at,
            "states": self.states(),
        }
