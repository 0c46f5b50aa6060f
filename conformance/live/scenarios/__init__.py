# The scenarios by name. Each returns its failures as sentences, and a note. Without a sentence it passes.
import time

from live.scenarios import (
    applying,
    lockdown,
    logins,
    monitors,
    person,
    pod_security,
    releases,
    renaming,
    running,
    tenants,
    wiring,
)
from live.scenarios.observing import Skip

# With everything in place, in this order: scenarios that change most come last.
ATTENDED = {
    "ready": applying.everything_ready,
    "strict": applying.strict,
    "wiring": wiring.wiring,
    "reapply": applying.reapply,
    "security": pod_security.pod_security,
    "monitors": monitors.monitors,
    "lockdown": lockdown.lockdown,
    "prune": applying.prune,
    "login": logins.login,
    "neighbours": tenants.neighbours,
    "recover": releases.recover,
    "removed": releases.removed,
    "rollout": running.rolling_update,
    "drain": running.drain,
    "autoscale": running.autoscale,
    "preempt": running.preempt,
    "renamed": renaming.renamed,
}
# In a separate run, without the secrets that a person writes.
UNATTENDED = {"waiting": person.waiting, "put": person.put}
ALL = ATTENDED | UNATTENDED


def run(live, scenario):
    """(outcome, what was wrong, a note, seconds)"""
    begin = time.time()
    try:
        wrong, note = ALL[scenario](live)
        outcome = "FAIL" if wrong else "PASS"
    except Skip as nothing:
        outcome, wrong, note = "SKIP", [], str(nothing)
    return outcome, wrong, note, time.time() - begin


def prove(live, names, every):
    """Runs the named scenarios, or else all of `every`. Whoever names one expects it: left out, it fails."""
    good = True
    for scenario in names or every:
        outcome, wrong, note, seconds = run(live, scenario)
        print(f"{outcome} {scenario:10} {seconds:5.1f} s  {note}", flush=True)
        for line in wrong[:12]:
            print(f"     {line}", flush=True)
        if len(wrong) > 12:
            print(f"     and {len(wrong) - 12} more")
        good = good and outcome != "FAIL" and not (outcome == "SKIP" and names)
        if scenario in ("ready", "waiting") and outcome == "FAIL" and len(names) != 1:
            print("     the other scenarios need a cluster that is up: left out")
            break
    return good
