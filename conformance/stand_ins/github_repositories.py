#!/usr/bin/env python3
# GitHub's CLI for the workflow of the blueprint's repository: repositories are bare ones of git below `$STATE`'s folder, pull requests and
# comments lie in `$STATE`. Like GitHub, it refuses texts that are too long, and closes nothing by itself.
import json
import os
import pathlib
import re
import subprocess
import sys

FILE = pathlib.Path(os.environ["STATE"])
ORIGINS = FILE.parent / "origins"
state = json.loads(FILE.read_text())
words = sys.argv[1:]
state["calls"].append(words)
assert os.environ["GH_TOKEN"] == "token", "no token"


def option(name, default=None):
    return words[words.index(name) + 1] if name in words else default


def end(answer=None):
    FILE.write_text(json.dumps(state))
    if answer is not None:
        text = json.dumps(answer)
        if "--jq" in words:
            text = subprocess.run(["jq", "-r", option("--jq")], input=text, capture_output=True, text=True, check=True).stdout
        print(text, end="")
    sys.exit(0)


def refuse(message, status):
    FILE.write_text(json.dumps(state))
    print(f"gh: {message} (HTTP {status})", file=sys.stderr)
    sys.exit(1)


def checked(body):
    if len(body) > 65_536:
        refuse("Validation Failed: body is too long (maximum is 65536 characters)", 422)
    return body


pulls, comments = state["pulls"], state["comments"]
if words[0] == "api":
    path = next(word for word in words[1:] if re.match(r"(users|repos)/", word))
    method = option("--method", "GET")
    given = json.loads(pathlib.Path(option("--input")).read_text()) if "--input" in words else {}
    if path.startswith("users/"):
        assert path == "users/scribe%5Bbot%5D", path
        end({"id": 4711})
    if re.fullmatch(r"repos/[^/]+/[^/]+", path):
        if state.get("broken"):
            refuse("Bad Gateway", 502)
        if not (ORIGINS / path.removeprefix("repos/")).is_dir():
            refuse("Not Found", 404)
        end()
    if found := re.fullmatch(r"repos/(.+)/pulls/([0-9]+)", path):
        assert method == "PATCH" and set(given) == {"title", "body"}, words
        pulls[found[1]][int(found[2]) - 1].update(given, body=checked(given["body"]))
        end()
    if re.fullmatch(r"repos/.+/issues/7/comments\?per_page=100", path) and method == "GET":
        assert "--paginate" in words
        # A page for each comment: `gh` prints one array after the other.
        print("".join(json.dumps([comment]) for comment in comments))
        end()
    if re.fullmatch(r"repos/.+/issues/7/comments", path) and method == "POST":
        comments.append({"id": len(comments) + 1, "user": {"login": "github-actions[bot]"}, "body": checked(given["body"])})
        end()
    if (found := re.fullmatch(r"repos/.+/issues/comments/([0-9]+)", path)) and method == "PATCH":
        comments[int(found[1]) - 1]["body"] = checked(given["body"])
        end()
    sys.exit(f"unexpected: {words}")
if words[:2] == ["repo", "clone"]:
    flags = words[words.index("--") + 1 :]
    subprocess.run(["git", "clone", *flags, f"file://{ORIGINS / words[2]}", words[3]], check=True)
    end()
assert words[0] == "pr", words
if words[1] == "list":
    repository = option("--repo")
    asked = {"head": option("--head"), "base": option("--base")}
    assert option("--state") == "open" and asked["base"] == "main", words
    open_ones = [pull for pull in pulls.get(repository, []) if pull["open"] and pull["head"] == asked["head"]]
    fork = {"url": "https://github.com/somebody/fork/pull/1", "isCrossRepository": True}
    end([fork, *[{"url": pull["url"], "isCrossRepository": False} for pull in open_ones]])
if words[1] == "create":
    repository = option("--repo")
    every = pulls.setdefault(repository, [])
    assert not any(pull["open"] and pull["head"] == option("--head") for pull in every), "there is one already"
    url = f"https://github.com/{repository}/pull/{len(every) + 1}"
    body = checked(pathlib.Path(option("--body-file")).read_text())
    every.append({"url": url, "head": option("--head"), "title": option("--title"), "body": body, "open": True})
    FILE.write_text(json.dumps(state))
    print(url)
    sys.exit(0)
if words[1] == "close":
    every = [pull for several in pulls.values() for pull in several if pull["url"] == words[2]]
    assert every and option("--comment"), words
    every[0]["open"] = False
    end()
sys.exit(f"unexpected: {words}")
