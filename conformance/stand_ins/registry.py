#!/usr/bin/env python3
# Cosign, Skopeo and GitHub's CLI for the release scripts, chosen by the name of this file: a registry is a few lists in `$STATE`.
# Like the real ones it fails for missing images and for signatures of other identities. With `break` it exits before or after the
# write of that number, like a cancelled run.
import json
import os
import pathlib
import sys

FILE = pathlib.Path(os.environ["STATE"])
state = json.loads(FILE.read_text())
program, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
state["calls"].append([program, *words])
WRITES = (("skopeo", "copy"), ("cosign", "sign"), ("cosign", "attest"))
written = [call for call in state["calls"] if call[0] != "gh" and (call[0], call[1]) in WRITES]


def breaks(when):
    return (program, words[0]) in WRITES and state.get("break") == [len(written), when]


def end(code=0, words=""):
    FILE.write_text(json.dumps(state))
    if breaks("after"):
        sys.exit(137)
    if words:
        print(words)
    sys.exit(code)


def layout(folder):
    return json.loads((pathlib.Path(folder) / "index.json").read_text())["manifests"][0]["digest"]


def option(name):
    return words[words.index(name) + 1]


def pinned(reference):
    """The image that a reference names, by its digest."""
    if "@" in reference:
        return reference
    digest = state["tags"].get(reference)
    return f"{reference.rsplit(':', 1)[0]}@{digest}" if digest else None


def signer():
    """What a signature of this run says of who made it."""
    return f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_WORKFLOW_REF']}"


if breaks("before"):
    FILE.write_text(json.dumps(state))
    sys.exit(137)
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
    end(0, name.rsplit("@", 1)[1])
elif program == "skopeo" and words[0] == "copy":
    assert {"--all", "--preserve-digests"} <= set(words), words
    source, target = words[-2:]
    if source.startswith("oci:"):
        digest = layout(source.removeprefix("oci:"))
    else:
        name = source.removeprefix("docker://")
        assert name in state["images"], name
        digest = name.rsplit("@", 1)[1]
    if target.startswith("docker://"):
        name = target.removeprefix("docker://")
        if "@" in name:
            assert name.rsplit("@", 1)[1] == digest, "Digest of source image's manifest would not match destination reference"
            image = name
        else:
            state["tags"][name] = digest
            image = pinned(name)
        if image not in state["images"]:
            state["images"].append(image)
    else:
        index = {"manifests": [{"digest": digest}]}
        (pathlib.Path(target.removeprefix("oci:")) / "index.json").write_text(json.dumps(index))
    end()
elif program == "cosign" and words[0] == "sign":
    assert {"--yes", "--recursive"} <= set(words), words
    assert words[-1] in state["images"], f"{words[-1]} is not there"
    if [signer(), words[-1]] not in state["signed"]:
        state["signed"].append([signer(), words[-1]])
    end()
elif program == "cosign" and words[0] == "attest":
    assert "--yes" in words, words
    state["predicate"] = json.loads(pathlib.Path(option("--predicate")).read_text())
    state["attested"].append([signer(), option("--type"), words[-1]])
    end()
elif program == "cosign" and words[0] in ("verify", "verify-attestation"):
    assert option("--certificate-oidc-issuer") == "https://token.actions.githubusercontent.com", words
    by, image = option("--certificate-identity"), pinned(words[-1])
    if words[0] == "verify":
        # Cosign counts an attestation as a signature.
        found = [by, image] in state["signed"] or [by, image] in [[who, what] for who, _, what in state["attested"]]
    else:
        found = [by, option("--type"), image] in state["attested"]
    end(0 if found else 1, "[]" if found else "")
else:
    sys.exit(f"unexpected: {program} {words}")
