# Runs the rendered preflight with the real AWS CLI against an emulator (moto), which starts as an empty account, and then runs
# the AWS commands that it prints: each succeeds when it is printed, and the next run finds the result. Quotas come from our own
# server, GitHub from an empty stand-in. Not whether AWS has these quotas, types and states.
import http.server
import json
import re
import subprocess
import threading
import typing

from prove.state_backend import server
from prove.steps import Failure, Step

# Every quota has the value of a new account; a request for an increase is granted immediately.
DEFAULTS = {"L-0263D0A3": 5.0, "L-F678F1CE": 5.0}
OTHERS = 5.0

AWS = """#!/bin/sh
url=$EMULATOR
[ "$1" != service-quotas ] || url=$QUOTAS
exec "$AWS_CLI" "$@" --endpoint-url "$url"
"""
GH = """#!/bin/sh
echo 'gh: Not Found (HTTP 404)' >&2
exit 1
"""


def steps(proof, tree):
    for repository in tree.terraform_repositories:
        script = repository / "scripts" / "preflight"
        names = [path for path in tree.names if repository in path.parents]
        reads = [script, *names, *tree.cloudformation_templates] if script.is_file() and names else []
        yield Step(
            "preflight", tree.name(script), reads, lambda r=repository, n=names: prove(proof, r, n[0]), seconds=60, slow=True
        )


class Quotas(http.server.BaseHTTPRequestHandler):
    granted: typing.ClassVar[dict[str, float]] = {}

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code, call = asked["QuotaCode"], self.headers["X-Amz-Target"].split(".")[1]
        answer: dict[str, object] = {}
        status = 200
        if call == "GetServiceQuota" and code not in self.granted:
            answer, status = {"__type": "NoSuchResourceException", "message": "no applied value"}, 400
        elif call in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
            answer = {"Quota": {"QuotaCode": code, "Value": self.granted.get(code, DEFAULTS.get(code, OTHERS))}}
        elif call == "ListRequestedServiceQuotaChangeHistoryByQuota":
            answer = {"RequestedQuotas": [{"Status": "DENIED", "DesiredValue": 900.0}]}
        elif call == "RequestServiceQuotaIncrease":
            self.granted[code] = float(asked["DesiredValue"])
            answer = {"RequestedQuota": {"Status": "PENDING"}}
        else:
            status = 500
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Run:
    """What preflight says: each item with its commands, by its word."""

    def __init__(self, checkout, environment, name):
        done = subprocess.run(
            ["bash", checkout / "scripts" / "preflight", name], env=environment, capture_output=True, text=True, timeout=900
        )
        self.text = done.stdout + done.stderr
        self.items, self.code = [], done.returncode
        for line in done.stdout.splitlines():
            if match := re.match(r"(ok|MISSING|later) +(.*)", line):
                self.items.append((match[1], match[2], []))
            elif line.startswith("           ") and self.items:
                self.items[-1][2].append(line.strip())
        if self.code not in (0, 1) or not self.items:
            raise Failure(f"preflight ended with code {self.code}\n{self.text[-4000:]}")

    def word(self, start):
        found = [word for word, what, _ in self.items if what.startswith(start)]
        if len(found) != 1:
            raise Failure(f"preflight says {len(found)} things of `{start}`\n{self.text[-4000:]}")
        return found[0]

    def expect(self, word, start):
        if self.word(start) != word:
            raise Failure(f"`{start}` is not `{word}`\n{self.text[-4000:]}")


def prove(proof, repository, names):
    facts = [line.split(" ", 1) for line in names.read_text(encoding="utf-8").splitlines() if " " in line]
    of = lambda word: [value for name, value in facts if name == word]
    account, name = of("account")[0], of("name")[0]
    checkout = proof.copy(repository, "checkout")
    folder = proof.folder("preflight")
    (folder / "bin").mkdir()
    for program, text in (("aws", AWS), ("gh", GH)):
        (folder / "bin" / program).write_text(text)
        (folder / "bin" / program).chmod(0o755)
    (folder / "value").write_text("a value\nof two lines\n")
    handler = type("Granted", (Quotas,), {"granted": {}})
    quotas = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=quotas.serve_forever, daemon=True).start()
    try:
        with server(proof, account) as url:
            environment = proof.environment(
                EMULATOR=url,
                QUOTAS=f"http://127.0.0.1:{quotas.server_address[1]}",
                AWS_CLI=str((proof.tools / "bin" / "aws").resolve()),
                AWS_ACCESS_KEY_ID="mock",
                AWS_SECRET_ACCESS_KEY="mock",
                AWS_DEFAULT_REGION=of("region")[0],
            )
            environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
            aws = lambda *words: proof.run([folder / "bin" / "aws", *words], environment=environment, cwd=checkout)

            def make(run):
                """Runs what is printed for AWS; a placeholder gets a value."""
                for word, what, commands in run.items:
                    for command in commands if word == "MISSING" else []:
                        if not re.match(r"(read -rs value && )?aws ", command):
                            continue
                        command = command.replace("file://FILE", f"file://{folder / 'value'}")
                        done = subprocess.run(
                            ["bash", "-c", command],
                            input="a value\n",
                            env=environment,
                            cwd=checkout,
                            capture_output=True,
                            text=True,
                            timeout=300,
                        )
                        if done.returncode:
                            raise Failure(f"`{what}`: its command does not work\n{command}\n{done.stderr[-3000:]}")

            first = Run(checkout, environment, names.parent.name)
            secrets = [secret.split(" ", 3) for secret in of("secret")]
            early = [path for path, key, *_ in secrets if key == "alias/aws/ssm"]
            late = [path for path, key, *_ in secrets if key != "alias/aws/ssm"]
            for path in early:
                first.expect("MISSING", f"secret {path}:")
            for path in late:
                first.expect("later", f"secret {path}:")
            for arn in of("administrator"):
                first.expect("MISSING", f"administrator {arn}:")
            nodes = [value.split(" ") for value in of("nodes")]
            for code in {code for code, *_ in nodes}:
                first.expect("MISSING", f"quota {code},")
            first.expect("MISSING", f"stack {name}-bootstrap")
            make(first)
            for arn in of("administrator"):
                kind, path = arn.split(":")[5].split("/", 1)
                where = ["--path", f"/{path.rsplit('/', 1)[0]}/"] if "/" in path else []
                trust = ["--assume-role-policy-document", '{"Version": "2012-10-17", "Statement": []}'] if kind == "role" else []
                aws("iam", f"create-{kind}", f"--{kind}-name", path.rsplit("/", 1)[-1], *where, *trust)
            # Like the first apply. Items that were `later` are `MISSING` from here on.
            key = json.loads(aws("kms", "create-key").stdout)["KeyMetadata"]["KeyId"]
            aws("kms", "create-alias", "--alias-name", f"alias/{name}-parameters", "--target-key-id", key)

            second = Run(checkout, environment, names.parent.name)
            for path in early:
                second.expect("ok", f"secret {path}:")
            for path in late:
                second.expect("MISSING", f"secret {path}:")
            for arn in of("administrator"):
                second.expect("ok", f"administrator {arn}")
            if any(what.startswith("quota ") and word != "ok" for word, what, _ in second.items):
                raise Failure(f"a granted request is not seen\n{second.text[-4000:]}")
            make(second)
            put = aws(
                "ssm", "describe-parameters", "--output", "text", "--query", "Parameters[?Type=='SecureString'].Name"
            ).stdout.split()
            if missing := set(early + late) - set(put):
                raise Failure(f"the printed commands did not put {sorted(missing)}")
    finally:
        quotas.shutdown()
