#!/usr/bin/env python3
# Cosign, Skopeo and GitHub's CLI as the release scripts call them, by the name of this file: a registry is a few lists in
# `$STATE`. Like the true ones it refuses what is not there.
import json
import os
import pathlib
import sys

FILE = pathlib.Path(os.environ["STATE"])
state = json.loads(FILE.read_text())
program, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
state["calls"].append([program, *words])


def end(code=0, words=""):
    FILE.write_text(json.dumps(state))
    if words:
        print(words)
    sys.exit(code)


def layout(folder):
    return json.loads((pathlib.Path(folder) / "index.json").read_text())["manifests"][0]["digest"]


def option(name):
    return words[words.index(name) + 1]


if program == "gh":
    assert words[:2] == ["release", "view"], words
    end(*((0, state["notes"]) if state["notes"] else (1, "")))
elif program == "skopeo" and words[0] == "login":
    assert sys.stdin.read() == os.environ["GH_TOKEN"], "no token on standard input"
    end()
elif program == "skopeo" and words[0] == "inspect":
    name = words[-1].removeprefix("docker://")
    if state.get("silent"):
        print("dial tcp: i/o timeout", file=sys.stderr)
        end(1)
    if name in state["tags"]:
        end(0, state["tags"][name])
    if name not in state["images"]:
        print("reading manifest: manifest unknown", file=sys.stderr)
        end(1)
    end()
elif program == "skopeo" and words[0] == "copy":
    assert {"--all", "--preserve-digests"} <= set(words), words
    source, target = words[-2:]
    if target.startswith("docker://"):
        name, digest = target.removeprefix("docker://"), layout(source.removeprefix("oci:"))
        state["tags"][name] = digest
        state["images"].append(f"{name.rsplit(':', 1)[0]}@{digest}")
    else:
        name = source.removeprefix("docker://")
        assert name in state["images"], name
        index = {"manifests": [{"digest": name.rsplit("@", 1)[1]}]}
        (pathlib.Path(target.removeprefix("oci:")) / "index.json").write_text(json.dumps(index))
    end()
elif program == "cosign" and words[0] == "sign":
    assert {"--yes", "--recursive"} <= set(words), words
    if words[-1] not in state["signed"]:
        state["signed"].append(words[-1])
    end()
elif program == "cosign" and words[0] == "attest":
    assert "--yes" in words, words
    state["predicate"] = json.loads(pathlib.Path(option("--predicate")).read_text())
    state["attested"].append([option("--type"), words[-1]])
    end()
elif program == "cosign" and words[0] == "verify-attestation":
    assert option("--certificate-identity").startswith("https://github.com/"), words
    assert option("--certificate-oidc-issuer") == "https://token.actions.githubusercontent.com", words
    end(0 if [option("--type"), words[-1]] in state["attested"] else 1)
else:
    sys.exit(f"unexpected: {program} {words}")
