#!/usr/bin/env python3
# Docker's and Skopeo's CLI for the smoke test, chosen by the name of this file. A container is process 1 in its own namespaces, to
# which the kernel delivers only handled signals: the image's files over those of the machine, read-only, with /tmp, its user, no
# capabilities and only the given variables. It is killed if it exceeds its memory. The network is that of the caller.
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

FOLDER = pathlib.Path(os.environ["STATE"]).parent
state = json.loads(pathlib.Path(os.environ["STATE"]).read_text())
program, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
CONTAINER = """set -eu
mount -t tmpfs -o mode=0755 tmpfs "$ROOT"
mkdir "$ROOT/layer" "$ROOT/root"
cp -R "$LAYER/." "$ROOT/layer"
mount -t overlay overlay -o "lowerdir=$ROOT/layer:/" "$ROOT/root"
ROOT=$ROOT/root
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs -o "$TMPFS,mode=1777" tmpfs "$ROOT/tmp"
[ -z "$NODE" ] || mount --bind "$NODE" "$ROOT/nodejs/bin/node"
exec chroot "$ROOT" /usr/bin/setpriv --reuid="$USER_ID" --regid="$GROUP_ID" --clear-groups --no-new-privs --bounding-set=-all \\
  env -i "$@"
"""


def options(name):
    return [words[place + 1] for place, word in enumerate(words) if word == name]


def end(code=0, text=""):
    print(text, file=sys.stderr if code else sys.stdout)
    sys.exit(code)


def child(pid):
    """Process 1 of the container, as the machine numbers it."""
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(text[0]) if text else None


def kill(pid):
    try:
        os.kill(child(pid), signal.SIGKILL)
        (container / "killed").touch()
    except (OSError, TypeError):
        pass


def peak(pid):
    """The most memory that it had, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def start(container):
    image, (user, group), memory = state["image"], options("--user")[0].split(":"), options("--memory")[0]
    assert "--read-only" in words and options("--cap-drop") == ["ALL"] and words[-1] == state["name"], words
    given = [line for line in pathlib.Path(options("--env-file")[0]).read_text().splitlines() if line]
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/", **image["environment"]}
    variables |= dict(line.split("=", 1) for line in given)
    # A JVM reads the limit of its cgroup, which does not exist here.
    variables["JAVA_TOOL_OPTIONS"] = f"-XX:MaxRAM={memory}"
    root = container / "root"
    root.mkdir()
    inside = ["sh", "-c", 'cd "$0" && exec "$@"', image["workdir"], *image["entrypoint"]]
    process = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", CONTAINER, "container"]
        + [f"{name}={value}" for name, value in variables.items()]
        + inside,
        env={
            "PATH": os.environ["PATH"], "LAYER": image["layer"], "ROOT": str(root), "NODE": image["node"],
            "TMPFS": options("--tmpfs")[0].partition(":")[2].replace("exec,", ""), "USER_ID": user, "GROUP_ID": group,
        },
        stdin=subprocess.DEVNULL, stdout=open(container / "stdout", "wb"), stderr=open(container / "stderr", "wb"),
    )  # fmt: skip
    (container / "pid").write_text(str(process.pid))
    limit, most = int(memory.removesuffix("m")) * 1024, 0
    while process.poll() is None:
        try:
            most = max(most, peak(child(process.pid)))
            if most > limit:
                kill(process.pid)
        except (OSError, TypeError):
            pass
        time.sleep(0.02)
    (container / "peak").write_text(str(most))
    # `unshare` does not report SIGKILL.
    code = 137 if (container / "killed").exists() else process.returncode
    (container / "code").write_text(str(code if code >= 0 else 128 - code))


if program == "skopeo":
    assert words[-2].startswith("oci:"), words
    pathlib.Path(words[-1].split(":")[1]).write_text(words[-1].split(":", 2)[2])
    end()
verb = words[0]
if verb == "load":
    state["name"] = pathlib.Path(options("--input")[0]).read_text()
    pathlib.Path(os.environ["STATE"]).write_text(json.dumps(state))
    end()
if verb == "rmi":
    end()
name = options("--name")[0] if verb == "run" else next((it for it in words[1:] if "-smoke-" in it), "")
container = FOLDER / "containers" / name
if verb == "run":
    container.mkdir(parents=True)
    (container / "ports").write_text(" ".join(it.removeprefix("127.0.0.1::") for it in options("--publish")))
    if os.fork():
        end(text=name)
    os.setsid()
    for descriptor in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    start(container)
    sys.exit()
if not container.is_dir():
    end(1, f"Error: No such container: {name}")
code = lambda: (container / "code").read_text() if (container / "code").exists() else None
if verb == "port":
    port = words[-1].removesuffix("/tcp")
    if code() is not None or port not in (container / "ports").read_text().split():
        end(1, f"Error: No public port '{words[-1]}' published for {name}")
    end(text=f"127.0.0.1:{port}")
elif verb == "logs":
    for stream in ("stdout", "stderr"):
        getattr(sys, stream).write((container / stream).read_text())
elif verb == "inspect":
    end(text=str(code() is None).lower() if "Running" in options("--format")[0] else code() or "0")
elif verb in ("stop", "rm") and code() is None:
    pid = int((container / "pid").read_text())
    last = time.monotonic() + (float(options("-t")[0]) if verb == "stop" else 0)
    if verb == "stop":
        os.kill(child(pid), signal.SIGTERM)
    while code() is None:
        if time.monotonic() > last:
            kill(pid)
        time.sleep(0.05)
if verb == "rm":
    # Its output and memory usage are kept for the proof.
    container.rename(container.with_name(f"removed-{len(list(container.parent.iterdir()))}"))
