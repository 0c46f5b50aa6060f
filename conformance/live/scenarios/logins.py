# The Jobs that create database logins: one waits for a Secret that is created late, one is created again when its image changes in
# Git, and both succeed without intervention.
import re
import time

from live import parameters, repository, sync
from live.history import History
from live.kube import condition, name
from live.scenarios.observing import Skip, until

NAMESPACE = "database"
LATE = 6  # seconds for which the Secret is withheld


def login(live):
    jobs = jobs_of(live)
    if not jobs:
        raise Skip(f"no Job in the namespace {NAMESPACE}")
    wrong = [f"Job {name(job)} has not ended well" for job in jobs if condition(job, "Complete").get("status") != "True"]
    if wrong:
        return wrong, ""
    tree, notes = live.work / "tree", []
    changed = files(live, tree, jobs)
    if not changed:
        return [f"no file of the repository names an image of the Jobs in {NAMESPACE}"], ""
    texts = {file: file.read_text() for file in changed}

    late = withhold(live, jobs)
    try:
        for file, images in changed.items():
            text = texts[file]
            for image in images:
                text = text.replace(image, other(image))
            file.write_text(text)
        history = History(live, repository.publish(live, message="another image"))
        try:
            sync.reconcile(live, 5)
            fresh = until(lambda: replaced(live, jobs), 240)
            if not fresh:
                wrong.append("Flux did not make the Jobs anew after their image changed in Git")
            else:
                wrong += keeps_waiting(live, late)
            release(live)
            if not wrong and not history.follow(live.read("root.json")["root"], 240):
                said = [": ".join(entry)[:300] for entry in history.failures] + history.stuck()
                wrong.append(f"after its Secret came: {'; '.join(said) or history.unready()}")
        finally:
            history.stop()
        wrong += [
            f"Job {name(job)} did not end well" for job in jobs_of(live) if condition(job, "Complete").get("status") != "True"
        ]
        notes.append(f"{len(jobs)} Jobs waited {LATE} s for {', '.join(sorted(late))}")

        before = jobs_of(live)
        for file, text in texts.items():
            file.write_text(text)
        wrong += sync.carry_out(live, "the image of before")
        if not replaced(live, before):
            wrong.append("Flux did not make the Jobs anew when their image changed back")
        wrong += [
            f"Job {name(job)} did not end well" for job in jobs_of(live) if condition(job, "Complete").get("status") != "True"
        ]
    finally:
        release(live)
    return wrong, "; ".join(notes)


def jobs_of(live):
    return live.kube.list(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")


def images(job):
    return {each["image"] for each in job["spec"]["template"]["spec"]["containers"]}


def other(image):
    """The same image by another tag."""
    plain = image.split("@")[0]
    return re.sub(r":[^:/]+$", ":live-changed", plain) if re.search(r":[^:/]+$", plain) else f"{plain}:live-changed"


def files(live, tree, jobs):
    """The files that name the Jobs' images, each with those images."""
    wanted = {image for job in jobs for image in images(job)}
    found = {}
    for file in sorted(tree.rglob("*.yaml")):
        if ".git" in file.parts:
            continue
        text = file.read_text()
        here = {image for image in wanted if image in text}
        if here and any(each.get("kind") == "Job" for each in live.documents(file)):
            found[file] = sorted(here, key=len, reverse=True)
    return found


def replaced(live, jobs):
    now = {name(job): job["metadata"]["uid"] for job in jobs_of(live)}
    return all(now.get(name(job)) not in (None, job["metadata"]["uid"]) for job in jobs)


def withhold(live, jobs):
    """Takes away the Secrets that the Jobs need, and keeps External Secrets from bringing them back. Returns their names."""
    path = f"/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets"
    secrets = live.kube.list(path)
    state = live.read("parameters.json")
    keys = sorted({key for secret in secrets for key in parameters.keys_of(secret)})
    if not keys:
        raise Skip(f"no ExternalSecret in the namespace {NAMESPACE}")
    live.write("parameters.json", {**state, "held": keys})
    time.sleep(1)  # a round of the played controller that started before
    gone = set()
    for secret in secrets:
        target = (secret["spec"].get("target") or {}).get("name") or secret["metadata"]["name"]
        live.kube.delete(f"/api/v1/namespaces/{NAMESPACE}/secrets/{target}")
        gone.add(target)
    return gone


def release(live):
    live.write("parameters.json", {key: value for key, value in live.read("parameters.json").items() if key != "held"})


def keeps_waiting(live, late):
    """The new Jobs' pods must not start while their Secret is away."""

    def pods():
        return [
            pod
            for pod in live.kube.list(f"/api/v1/namespaces/{NAMESPACE}/pods")
            if pod["status"].get("phase") == "Pending" and not pod["metadata"].get("deletionTimestamp")
        ]

    def held():
        return [
            pod
            for pod in pods()
            for each in pod["status"].get("containerStatuses") or []
            if any(f'"{secret}"' in ((each.get("state") or {}).get("waiting") or {}).get("message", "") for secret in late)
        ]

    if not until(held, 120):
        return [f"no pod of the new Jobs waits for {', '.join(sorted(late))}"]
    time.sleep(LATE)
    if not held():
        return ["a pod of the new Jobs no longer waits, though its Secret is away"]
    return []
