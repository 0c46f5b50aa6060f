#!/usr/bin/env python3
# GitHub's CLI for a delivery: a repository is files by branch in `$STATE`. Like GitHub, it closes a pull request whose branch has no
# changes, does not enable auto-merge if the pull request can be merged immediately (`clean`), and denies an App access to projects.
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys

FILE = pathlib.Path(os.environ["STATE"])
state = json.loads(FILE.read_text())
words = sys.argv[1:]
state["calls"].append(words)
objects, branches, pulls = state["objects"], state["branches"], state["pulls"]
assert os.environ["GH_TOKEN"] == "token", "no token"
# Another user pushes to a branch before it is merged.
intruder = state.get("intruder")


def keep(thing):
    name = hashlib.sha1(json.dumps(thing, sort_keys=True).encode()).hexdigest()
    objects[name] = thing
    return name


def option(name, default=None):
    return words[words.index(name) + 1] if name in words else default


def fields():
    return dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word in ("--field", "--raw-field"))


def end(answer=None, code=0):
    for pull in open_pulls():
        if branches[pull["head"]] == branches["main"]:
            pull["state"] = "closed"
    FILE.write_text(json.dumps(state))
    if answer is not None:
        print(jq(answer) if "--jq" in words else json.dumps(answer) if not isinstance(answer, str) else answer)
    sys.exit(code)


def jq(answer):
    done = subprocess.run(["jq", "-r", option("--jq")], input=json.dumps(answer), capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def move(branch, commit):
    branches[branch] = objects[objects[commit]["tree"]]
    state.setdefault("heads", {})[branch] = commit


def api():
    method = option("--method", "GET")
    path = next(word for word in words if word.startswith("repos/"))
    place, _, query = path.removeprefix(f"repos/{state['repository']}/").partition("?")
    body = json.loads(pathlib.Path(option("--input")).read_text()) if "--input" in words else fields()
    if method == "GET" and place.startswith("git/ref/heads/"):
        branch = place.removeprefix("git/ref/heads/")
        if branch not in branches:
            print("gh: Not Found (HTTP 404)", file=sys.stderr)
            end(code=1)
        end({"object": {"sha": keep({"tree": keep(branches[branch]), "parents": []})}})
    if method == "GET" and place.startswith("contents/"):
        commit = query.removeprefix("ref=")
        text = objects[objects[commit]["tree"]][place.removeprefix("contents/")]
        # GitHub breaks its lines.
        end({"sha": "0" * 40, "content": base64.encodebytes(text.encode()).decode()})
    if method == "GET" and place.startswith("git/commits/"):
        end({"tree": {"sha": objects[place.removeprefix("git/commits/")]["tree"]}})
    if method == "POST" and place == "git/trees":
        files = dict(objects[body["base_tree"]])
        for entry in body["tree"]:
            assert (entry["mode"], entry["type"]) == ("100644", "blob"), entry
            files[entry["path"]] = entry["content"]
        end({"sha": keep(files)})
    if method == "POST" and place == "git/commits":
        assert body["parents"] and body["message"], body
        end({"sha": keep({"tree": body["tree"], "parents": body["parents"]})})
    if method == "POST" and place == "git/refs":
        branch = body["ref"].removeprefix("refs/heads/")
        assert branch not in branches, "the branch is there"
        move(branch, body["sha"])
        end({})
    if method == "PATCH" and place.startswith("git/refs/heads/"):
        branch = place.removeprefix("git/refs/heads/")
        assert branch in branches and branch != "main" and body["force"] == "true", body
        move(branch, body["sha"])
        end({})
    if method == "PATCH" and place.startswith("pulls/"):
        url = f"https://github.com/{state['repository']}/pull/{place.removeprefix('pulls/')}"
        next(pull for pull in open_pulls() if pull["url"] == url).update(title=body["title"], body=body["body"])
        end({})
    sys.exit(f"unexpected: {method} {place}")


def open_pulls():
    return [pull for pull in pulls if pull["state"] == "open"]


if words[0] == "api":
    api()
assert words[0] == "pr", words
if words[1] == "list":
    fork = {"url": "https://github.com/somebody/fork/pull/1", "isCrossRepository": True}
    own = [{"url": pull["url"], "isCrossRepository": False} for pull in open_pulls() if pull["head"] == option("--head")]
    end([fork, *own])
text = pathlib.Path(option("--body-file")).read_text() if "--body-file" in words else None
if words[1] == "create":
    assert option("--repo") == state["repository"] and option("--base") == "main", words
    assert not [pull for pull in open_pulls() if pull["head"] == option("--head")], "there is one already"
    url = f"https://github.com/{state['repository']}/pull/{len(pulls) + 1}"
    pulls.append({"url": url, "head": option("--head"), "title": option("--title"), "body": text, "state": "open", "auto": False})
    end(url)
pull = next(pull for pull in open_pulls() if pull["url"] == words[2])
if words[1] == "edit":
    print("GraphQL: Resource not accessible by integration (repository.pullRequest.projectItems)", file=sys.stderr)
    end(code=1)
elif words[1] == "merge":
    assert "--squash" in words, words
    if intruder or option("--match-head-commit") != state["heads"][pull["head"]]:
        print("GraphQL: Head branch was modified. Review and try the merge again. (mergePullRequest)", file=sys.stderr)
        end(code=1)
    if "--auto" not in words:
        assert state.get("clean"), "required checks have not passed"
        branches["main"] = branches[pull["head"]]
        pull["state"] = "merged"
    elif state.get("clean"):
        print("GraphQL: Pull request Pull request is in clean status (enablePullRequestAutoMerge)", file=sys.stderr)
        end(code=1)
    elif state.get("forbidden"):
        print("GraphQL: Auto merge is not allowed for this repository (enablePullRequestAutoMerge)", file=sys.stderr)
        end(code=1)
    else:
        pull["auto"] = True
else:
    sys.exit(f"unexpected: {words}")
end()
