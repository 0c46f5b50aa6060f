# Runs the unchanged scripts of the pipeline in the infrastructure repository: the tunnel with a TLS server on loopback and a
# stand-in for the AWS CLI, the comment with a plan of 200 KB and a planted secret, the drift issue and the list of older plans
# with stand-ins for GitHub's CLI, the newest commit of main in real repositories. It assumes that AWS and GitHub behave like
# the stand-ins.
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

from prove.calibration import PATIENCE
from prove.search import must_find
from prove.steps import Failure, Step

CLUSTER = "orchard-production"
ENDPOINT = "0123456789abcdef0123456789abcdef.gr7.eu-west-1.eks.amazonaws.com"
# Built from halves, so that no scanner reports a leak in this file.
PLANTED = {
    "a key id of AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "a token of GitHub": "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
    "a password by its name": "hunter2-and-a-long-tail",
    "a value that replaces another": "second-hunter2-and-a-tail",
    "a private key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
}
COMMENT_LIMIT = 65536

# The AWS CLI for the tunnel. Like the real one, it starts a plugin that listens on the port and keeps running after the CLI.
AWS = """#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>"$STANDIN/calls"
case "$1 $2" in
  "eks describe-cluster") printf 'https://%s\\t%s\\tarn:aws:eks:eu-west-1:111122223333:cluster/%s\\n' "$ENDPOINT" "$(base64 -w0 <"$STANDIN/ca.pem")" "$4" ;;
  "ec2 describe-instances") printf '%s\\n' "$NODES" ;;
  "ssm terminate-session") ;;
  "ssm start-session")
    target=$4
    echo "Starting session with SessionId: apply-1-0a1b2c3d4e5f"
    if [[ $target == i-broken ]]; then
      echo "An error occurred (TargetNotConnected) when calling the StartSession operation" >&2
      exit 254
    fi
    local_port=$(sed -n 's/.*localPortNumber=\\([0-9]*\\).*/\\1/p' <<<"$*")
    "$PYTHON" "$STANDIN/plugin.py" "$local_port" &
    echo "$$ $!" >>"$STANDIN/processes"
    wait
    ;;
  *) echo "unexpected: $*" >&2; exit 64 ;;
esac
"""

# Forwards bytes from the local port to the server and ignores an interrupt, like the plugin.
PLUGIN = """import os, signal, socket, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
def carry(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    finally:
        try:
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", int(os.environ["SERVER_PORT"])))
    threading.Thread(target=carry, args=(near, far), daemon=True).start()
    threading.Thread(target=carry, args=(far, near), daemon=True).start()
"""

SERVER = """import http.server, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

# GitHub's CLI for the drift issue: issues are a list in a file.
GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
words = sys.argv[1:]
store = pathlib.Path(os.environ["STANDIN"]) / "issues.json"
issues = json.loads(store.read_text())
assert words[0] == "api", words
method = words[words.index("--method") + 1] if "--method" in words else "GET"
path = next(word for word in words[1:] if word.startswith("repos/"))
path, _, query = path.partition("?")
parts = path.split("/")[3:]
assert parts[0] == "issues", path
if method == "GET":
    assert "state=open" in query, query
    print(json.dumps([issue for issue in issues if issue["state"] == "open"]))
else:
    body = json.load(sys.stdin)
    if len(body.get("body", "")) > 65536:
        sys.exit("body is too long (maximum is 65536 characters)")
    if method == "POST" and len(parts) == 1:
        issues.append({"number": len(issues) + 1, "state": "open", "user": {"login": "github-actions[bot]"}, "comments": [], **body})
    else:
        issue = next(issue for issue in issues if issue["number"] == int(parts[1]))
        if method == "POST":
            issue["comments"].append(body["body"])
        else:
            issue.update(body)
    store.write_text(json.dumps(issues))
"""


def steps(proof, tree):
    for repository in tree.terraform_repositories:
        scripts = repository / "scripts"
        yield Step(
            "tunnel",
            tree.name(scripts / "tunnel"),
            present(scripts / "tunnel"),
            lambda s=scripts: tunnel(proof, s / "tunnel"),
            seconds=12,
        )
        comment = scripts / "plan-comment"
        yield Step("plan comment", tree.name(comment), present(comment), lambda c=comment: plan_comment(proof, c), seconds=2)
        drift = scripts / "drift-issue"
        yield Step("drift issue", tree.name(drift), present(drift, comment), lambda d=drift: drift_issue(proof, d), seconds=2)
        older = scripts / "older-plans"
        yield Step("older plans", tree.name(older), present(older), lambda o=older: older_plans(proof, o))
        main = scripts / "still-main"
        yield Step("still main", tree.name(main), present(main), lambda m=main: still_main(proof, m), seconds=2)


def present(*paths):
    return list(paths) if all(path.is_file() for path in paths) else []


def program(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


# ---------------------------------------------------------------- the tunnel


def certificates(proof, folder):
    """An authority, and certificates by it: for the endpoint's name, and for another."""
    openssl = lambda *words: proof.run(["openssl", *words], cwd=folder)
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=kubernetes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=kubernetes",
        "-keyout",
        "other-ca.key",
        "-out",
        "other-ca.pem",
    )
    for name, host, authority in (
        ("right", ENDPOINT, "ca"),
        ("wrong", "somebody.else.example.com", "ca"),
        ("forged", ENDPOINT, "other-ca"),
    ):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{host}\n")
        openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            "-CA",
            f"{authority}.pem",
            "-CAkey",
            f"{authority}.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            f"{name}.ext",
            "-out",
            f"{name}.pem",
        )


@contextlib.contextmanager
def tls_server(proof, folder, name):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, folder / f"{name}.pem", folder / f"{name}.key"],
        stdout=subprocess.PIPE,
        text=True,
        env=proof.environment(),
    )
    try:
        yield int(process.stdout.readline() if process.stdout else "")
    finally:
        process.kill()
        process.wait()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def hear_interrupts():
    """A shell ignores what was ignored when it began, and jobs in the background begin so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Tunnel:
    """One call of the script, and what it left behind."""

    def __init__(self, proof, script, folder, port, command, nodes="i-0a1b2c3d", patience=20, interrupt=None):
        for name in ("calls", "processes"):
            (folder / name).unlink(missing_ok=True)
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = proof.environment(
            STANDIN=str(folder),
            ENDPOINT=ENDPOINT,
            NODES=nodes,
            SERVER_PORT=str(port),
            PYTHON=sys.executable,
            TUNNEL_PATIENCE=str(patience),
            TMPDIR=str(temporary),
        )
        environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
        process = subprocess.Popen(
            ["bash", script, CLUSTER, *command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_interrupts,
        )
        if interrupt:
            deadline = time.monotonic() + PATIENCE
            while not (folder / "begun").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            os.killpg(process.pid, interrupt)
        try:
            self.out, self.err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failure("the tunnel did not end") from None
        self.code = process.returncode
        self.calls = (folder / "calls").read_text().splitlines()
        started = (folder / "processes").read_text().split() if (folder / "processes").exists() else []
        self.left = [pid for pid in started if alive(pid)]
        for pid in self.left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        if self.left:
            self.refuse("a process of the session still runs")
        if any(temporary.iterdir()):
            self.refuse("a temporary file is left, and a kubeconfig may be in it")
        sessions = sum("start-session" in call for call in self.calls)
        if sum("terminate-session --session-id apply-1-0a1b2c3d4e5f" in call for call in self.calls) != sessions:
            self.refuse("AWS was not told that the session has ended")

    def refuse(self, words):
        raise Failure(f"{words}\n{self.out}{self.err}\n" + "\n".join(self.calls))

    def expect(self, code, words=""):
        if self.code != code or words not in self.out + self.err:
            self.refuse(f"expected code {code} and `{words}`, got {self.code}")
        return self


def tunnel(proof, script):
    folder = proof.folder("tunnel")
    (folder / "bin").mkdir()
    program(folder / "bin" / "aws", AWS)
    (folder / "plugin.py").write_text(PLUGIN)
    certificates(proof, folder)
    call = lambda port, *command, **more: Tunnel(proof, script, folder, port, command, **more)
    with tls_server(proof, folder, "right") as port:
        ask = f'curl --silent --output /dev/null --write-out "%{{http_code}}" --cacert ca.pem --connect-to {ENDPOINT}:443:127.0.0.1:$TF_VAR_api_port https://{ENDPOINT}/livez'
        done = call(port, "bash", "-c", f'{ask}; echo; cat "$KUBECONFIG"').expect(0, "401")
        start = next(line for line in done.calls if "start-session" in line)
        for words in (
            "--target i-0a1b2c3d",
            "AWS-StartPortForwardingSessionToRemoteHost",
            f"host={ENDPOINT},portNumber=443,localPortNumber=",
        ):
            if words not in start:
                done.refuse(f"the session is not the one that is needed: no `{words}`")
        config = json.loads(done.out[done.out.index("{") :])["clusters"][0]["cluster"]
        local = must_find(r"localPortNumber=(\d+)", start)[1]
        if (
            config["server"] != f"https://127.0.0.1:{local}"
            or config["tls-server-name"] != ENDPOINT
            or "insecure-skip-tls-verify" in config
        ):
            done.refuse("kubectl would not check the endpoint's own name")
        call(port, "bash", "-c", "exit 7").expect(7)
        call(port, "true", nodes="i-broken\ti-0a1b2c3d").expect(0, "TargetNotConnected")
        call(port, "echo", "ran", nodes="i-broken").expect(1, "no node")
        call(port, "echo", "ran", nodes="None").expect(1, "no running node")
        (folder / "begun").unlink(missing_ok=True)
        call(port, "bash", "-c", "touch begun; sleep 30", interrupt=signal.SIGINT).expect(130)
    for name in ("wrong", "forged"):
        with tls_server(proof, folder, name) as port:
            done = call(port, "echo", "the command ran").expect(1, ENDPOINT)
            if "the command ran" in done.out:
                done.refuse("the command ran although the wrong server answered")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        done = call(nobody.getsockname()[1], "echo", "the command ran", patience=2).expect(1, "no connection through")
        if "the command ran" in done.out:
            done.refuse("the command ran although nobody answered")


# ---------------------------------------------------------------- the comment and the issue


def long_plan():
    """A plan of 200 KB with secrets in it, and with a fence that would close the comment's own."""
    planted = "\n".join(
        [
            "Terraform will perform the following actions:",
            "  # aws_instance.main must be replaced",
            '-/+ resource "aws_instance" "main" {',
            f'      ~ user_data = "{PLANTED["a key id of AWS"]}"',
            f'      + note      = "{PLANTED["a token of GitHub"]}"',
            f'      ~ password  = "{PLANTED["a password by its name"]}" -> "{PLANTED["a value that replaces another"]}"',
            "      + key       = <<-EOT",
            "            -----BEGIN RSA PRIVATE KEY-----",
            f"            {PLANTED['a private key']}",
            "            -----END RSA PRIVATE KEY-----",
            "        EOT",
            "      + readme    = <<-EOT",
            "            ```",
            "            </details>",
            "        EOT",
            "    }",
        ]
    )
    filler = "\n".join(f'      + tag_{number:05d} = "{"ä" * 20}"' for number in range(4000))
    return f"{planted}\n{filler}\nPlan: 4001 to add, 0 to change, 1 to destroy.\n"


def fair(body, environment):
    """What every comment must be: short enough, folded, closed, without a secret."""
    if len(body) > COMMENT_LIMIT:
        raise Failure(f"the comment has {len(body)} characters; GitHub takes {COMMENT_LIMIT}")
    leaks = [what for what, secret in PLANTED.items() if secret in body]
    if leaks:
        raise Failure(f"the comment shows {', '.join(leaks)}")
    for words in (
        f"Terraform: {environment}",
        "<details>",
        "Plan: 4001 to add, 0 to change, 1 to destroy.",
        "was truncated",
        "/actions/runs/77",
    ):
        if words not in body:
            raise Failure(f"the comment does not say `{words}`\n{body[:1000]}")
    if (
        len(re.findall(r"^\s*```", body, re.M)) != 2
        or body.index("<details>") > body.index("```diff")
        or body.rindex("</details>") < body.rindex("```")
    ):
        raise Failure(f"the plan is not folded in one block\n{body[:1000]}\n…\n{body[-600:]}")


def setting(proof, folder):
    more = {
        "ENVIRONMENT": "production",
        "COMMIT": "0" * 40,
        "GITHUB_RUN_ID": "77",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/infrastructure",
        "GH_TOKEN": "none",
        "STANDIN": str(folder),
    }
    environment = proof.environment(**more)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    return environment


def plan_comment(proof, script):
    folder = proof.folder("comment")
    plan = folder / "plan.txt"
    plan.write_text(long_plan(), encoding="utf-8")
    if plan.stat().st_size < 200_000:
        raise Failure("the plan of this check is too short to prove anything")
    fair(proof.run(["bash", script, "--print", plan], cwd=folder, environment=setting(proof, folder)).stdout, "production")
    plan.write_text("No changes. Your infrastructure matches the configuration.\n", encoding="utf-8")
    body = proof.run(["bash", script, "--print", plan], cwd=folder, environment=setting(proof, folder)).stdout
    if "**No changes." not in body or "was truncated" in body:
        raise Failure(f"a plan without changes is not shown as one\n{body}")


def drift_issue(proof, script):
    folder = proof.folder("drift")
    (folder / "bin").mkdir()
    program(folder / "bin" / "gh", GH)
    store, plan = folder / "issues.json", folder / "plan.txt"
    plan.write_text(long_plan(), encoding="utf-8")
    somebody = {
        "number": 1,
        "state": "open",
        "title": "Drift: production",
        "body": "<!-- terraform drift of production --> mine",
        "user": {"login": "somebody"},
        "comments": [],
    }
    other = {
        "number": 2,
        "state": "open",
        "title": "Drift: staging",
        "body": "<!-- terraform drift of staging -->",
        "user": {"login": "github-actions[bot]"},
        "comments": [],
    }
    store.write_text(json.dumps([somebody, other]))

    def call(*arguments):
        proof.run(["bash", script, *arguments], cwd=folder, environment=setting(proof, folder))
        issues = json.loads(store.read_text())
        if issues[:2] != [somebody, other]:
            raise Failure("an issue of somebody else, or of another environment, was touched")
        return issues[2:]

    def expect(issues, *states):
        if [issue["state"] for issue in issues] != list(states):
            raise Failure(f"expected issues {list(states)}, found {[issue['state'] for issue in issues]}")

    expect(call())
    expect(opened := call(plan), "open")
    fair(opened[0]["body"], "production")
    plan.write_text(long_plan().replace("aws_instance.main", "aws_instance.other"), encoding="utf-8")
    expect(again := call(plan), "open")
    if "aws_instance.other" not in again[0]["body"] or again[0]["title"] != "Drift: production":
        raise Failure("the issue does not show the newest plan")
    expect(closed := call(), "closed")
    if not closed[0]["comments"]:
        raise Failure("the issue was closed without a word")
    expect(call(), "closed")
    expect(call(plan), "closed", "open")


# ---------------------------------------------------------------- which plan is the newest

# GitHub's CLI for the list of older plans: the runs of one workflow, by status.
RUNS = """#!/usr/bin/env python3
import json, os, pathlib, sys, urllib.parse
words = sys.argv[1:]
path = next(word for word in words if word.startswith("repos/"))
path, _, query = path.partition("?")
query = dict(urllib.parse.parse_qsl(query))
assert words[:2] == ["api", "--paginate"], words
assert path == "repos/acme/infrastructure/actions/workflows/terraform-production.yml/runs", path
assert query["branch"] == "main", query
runs = json.loads((pathlib.Path(os.environ["STANDIN"]) / "runs.json").read_text())
print(json.dumps({"workflow_runs": [run for run in runs if run["status"] == query["status"]]}))
"""


def older_plans(proof, script):
    folder = proof.folder("older")
    (folder / "bin").mkdir()
    program(folder / "bin" / "gh", RUNS)
    summary = folder / "summary.md"
    run = lambda number, status: {
        "id": 1000 + number,
        "run_number": number,
        "status": status,
        "html_url": f"https://github.com/acme/infrastructure/actions/runs/{1000 + number}",
        "head_sha": f"{number:040d}",
    }
    environment = {
        **setting(proof, folder),
        "GITHUB_RUN_ID": "1009",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKFLOW_REF": "acme/infrastructure/.github/workflows/terraform-production.yml@refs/heads/main",
    }

    def said(*runs):
        (folder / "runs.json").write_text(json.dumps(runs))
        summary.write_text("")
        return proof.run(["bash", script], cwd=folder, environment=environment).stdout, summary.read_text()

    # Runs that are in progress or completed, and newer runs, are not listed.
    if any(said(run(3, "completed"), run(4, "in_progress"), run(9, "waiting"), run(10, "waiting"))):
        raise Failure("an older plan is named where none waits")
    out, text = said(run(5, "waiting"), run(8, "pending"), run(10, "waiting"))
    if out.count("\n") != 1 or "::notice" not in out or "Reject run 5, run 8 " not in out:
        raise Failure(f"the notice does not name the older plans in one line\n{out}")
    if "/actions/runs/1005" not in text or "/actions/runs/1008" not in text or "run 10" in text:
        raise Failure(f"the summary does not list the older plans, and only them\n{text}")


def still_main(proof, script):
    folder = proof.folder("main")
    work, served = folder / "work", folder / "served" / "acme" / "infrastructure"
    served.mkdir(parents=True)
    git = lambda *words, cwd=work: proof.run(
        ["git", "-c", "user.name=engineer", "-c", "user.email=engineer@example.com", *words],
        cwd=cwd,
        environment=proof.environment(),
    )
    git("init", "--quiet", "--bare", "--initial-branch=main", cwd=served)
    git("clone", "--quiet", served, work, cwd=folder)

    def commit(**files):
        for name, text in files.items():
            path = work / "environments" / "production" / name.replace("_", "/", 1) if "_" in name else work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message", "change")
        git("push", "--quiet", "origin", "HEAD:main")

    def planned():
        """A shallow checkout of main as it is now, as the workflow has it."""
        checkout = proof.folder("checkout") / "infrastructure"
        git("clone", "--quiet", "--depth=1", f"file://{served}", checkout, cwd=folder)
        return checkout

    def expect(checkout, code):
        environment = {**setting(proof, folder), "GITHUB_SERVER_URL": f"file://{folder / 'served'}"}
        done = proof.run(["bash", script, "production"], cwd=checkout, codes=(code,), environment=environment)
        if code and "::error title=Superseded by a newer plan" not in done.stdout:
            raise Failure(f"a plan is refused without a word\n{done.stdout}")

    commit(platform_main="one", gitops_main="one")
    first = planned()
    expect(first, 0)
    commit(README="another file")
    expect(first, 0)
    commit(gitops_main="two")
    expect(first, 1)
    second = planned()
    expect(second, 0)
    commit(platform_main="two")
    expect(second, 1)
    third = planned()
    git("rm", "--quiet", "-r", "environments/production/platform")
    git("commit", "--quiet", "--message", "away")
    git("push", "--quiet", "origin", "HEAD:main")
    expect(third, 1)
