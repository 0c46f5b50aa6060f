#!/usr/bin/env python3
# GitHub's CLI for a release: tags, releases, and the workflow files of each commit in `$STATE`. Like GitHub, it refuses a tag, and a
# release that names its commit, if no branch has the same workflow files as the commit; and notes that are too long.
import json
import os
import pathlib
import subprocess
import sys

FILE = pathlib.Path(os.environ["STATE"])
state = json.loads(FILE.read_text())
words = sys.argv[1:]
state["calls"].append(words)
tags, releases, trees, branches = state["tags"], state["releases"], state["workflows"], state["branches"]
assert os.environ["GH_TOKEN"] == "token" and os.environ["GH_REPO"] == state["repository"], "no token, or no repository"


def option(name, default=None):
    return words[words.index(name) + 1] if name in words else default


def end(answer=None):
    FILE.write_text(json.dumps(state))
    if answer is not None:
        done = subprocess.run(["jq", "-r", option("--jq")], input=json.dumps(answer), capture_output=True, text=True, check=True)
        print(done.stdout, end="")
    sys.exit(0)


def refuse(message, status):
    """As `gh` does: the answer goes to standard output, even where `--jq` asks for a part of it."""
    FILE.write_text(json.dumps(state))
    print(json.dumps({"message": message, "status": str(status)}))
    print(f"gh: {message} (HTTP {status})", file=sys.stderr)
    sys.exit(1)


def may_point_at(commit):
    if trees[commit] not in [trees[tip] for tip in branches.values()]:
        refuse("Resource not accessible by integration", 403)


if state.get("break") == words[0]:
    refuse("Bad Gateway", 502)
if words[0] == "api":
    place = next(word for word in words if word.startswith("repos/")).removeprefix(f"repos/{state['repository']}/")
    if place.startswith("commits/"):
        kind, _, name = place.removeprefix("commits/").partition("/")
        commit = {"tags": tags, "heads": branches}[kind].get(name)
        if not commit:
            refuse(f"No commit found for SHA: {kind}/{name}", 422)
        end({"sha": commit})
    if place.startswith("contents/.github?ref="):
        tree = trees[place.partition("=")[2]]
        end([{"name": "requirements.txt", "type": "file", "sha": "1"}, {"name": "workflows", "type": "dir", "sha": tree}])
    if place == "git/refs" and option("--method") == "POST":
        body = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--raw-field")
        name = body["ref"].removeprefix("refs/tags/")
        if name in tags:
            refuse("Reference already exists", 422)
        if state.get("readonly"):
            refuse("Resource not accessible by integration", 403)
        may_point_at(body["sha"])
        tags[name] = body["sha"]
        end()
    sys.exit(f"unexpected: {words}")
assert words[0] == "release", words
tag = words[2]
if words[1] == "view":
    if tag not in releases:
        print("release not found", file=sys.stderr)
        sys.exit(1)
    end()
notes = pathlib.Path(option("--notes-file")).read_text()
if len(notes) > 125_000:
    refuse("Validation Failed: body is too long (maximum is 125000 characters)", 422)
if words[1] == "create":
    assert tag not in releases, "there is one already"
    if "--target" in words:
        may_point_at(option("--target"))
        tags.setdefault(tag, option("--target"))
    assert tag in tags, "a release without a tag: GitHub would tag the newest commit of main"
elif words[1] == "edit":
    assert tag in releases, "no such release"
else:
    sys.exit(f"unexpected: {words}")
releases[tag] = notes
end()
