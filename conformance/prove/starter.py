# The starter program of an application: its build, its own tests, and the process with a real PostgreSQL server. This proves
# the program as rendered, without later changes of users.
import concurrent.futures
import contextlib
import http.client
import json
import re
import signal
import subprocess
import threading
import time

from prove import postgres
from prove.calibration import PATIENCE, promised, stretch, wait
from prove.steps import Failure, Step

# Its time limits, in seconds of an idle machine: readiness fails and recovers, and the process exits.
FALLS, RETURNS, ENDS = 5, 10, 30
USER, PASSWORD = "shop_1", "a-password-that-no-log-may-show"


def steps(proof, tree):
    for repository in tree.starters:
        reads = [path for path in sorted(repository.iterdir()) if path.suffix in (".go", ".mod", ".sum")]
        where = tree.name(repository)
        yield Step("starter tests", where, reads, lambda r=repository: tests(proof, r), seconds=40, slow=True)
        kind = "starter with database" if (repository / "database.go").is_file() else "starter"
        yield Step(kind, where, reads, lambda r=repository: process(proof, r), seconds=50, slow=True, alone=True)


def surroundings(proof):
    """For Go: what it downloads, it keeps beside the tools, so that a second run needs no network."""
    return {
        "GOMODCACHE": str(proof.tools / "go-modules"),
        "GOCACHE": str(proof.tools / "go-cache"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def go(proof, words, folder):
    return proof.run(["go", *words], cwd=folder, environment=proof.environment(**surroundings(proof)))


def tests(proof, repository):
    folder = proof.copy(repository, "starter")
    unformatted = proof.run(["gofmt", "-l", "."], cwd=folder).stdout
    if unformatted:
        raise Failure(f"gofmt would change {unformatted}")
    go(proof, ["mod", "tidy", "-diff"], folder)
    go(proof, ["mod", "verify"], folder)
    go(proof, ["vet", "./..."], folder)
    done = go(proof, ["test", "-count=1", "-v", "./..."], folder)
    if not re.search(r"^--- PASS", done.stdout, re.M) or re.search(r"^--- SKIP", done.stdout, re.M):
        raise Failure(f"a test is left out\n{done.stdout}")


class Program:
    """The program as a process, and what it says."""

    def __init__(self, binary, facts, environment):
        self.port, self.metrics_port, self.facts = postgres.free_port(), postgres.free_port(), facts
        environment = {"PORT": str(self.port), "METRICS_PORT": str(self.metrics_port), **environment}
        self.process = subprocess.Popen([binary], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout or ()), daemon=True)
        self.reader.start()

    def status(self, path, port=None):
        """The status of one request on a connection of its own; None if there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=3)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def ready(self):
        return self.status(self.facts["readinessPath"]) == 200

    def alive(self):
        return self.process.poll() is None and self.status(self.facts["livenessPath"]) == 200

    def log(self):
        return "".join(self.lines)

    def end(self):
        """The code with which it ends after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(ENDS * stretch())
        except subprocess.TimeoutExpired:
            raise Failure(f"SIGTERM does not end it within {ENDS} seconds\n{self.log()}") from None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@contextlib.contextmanager
def program(binary, facts, environment):
    it = Program(binary, facts, environment)
    try:
        yield it
    finally:
        it.kill()


def process(proof, repository):
    folder = proof.copy(repository, "starter")
    binary = folder / "program"
    go(proof, ["build", "-o", binary, "."], folder)
    text = (folder / "service.go").read_text(encoding="utf-8")
    facts = dict(re.findall(r'^\t(\w+Path)\s+= "([^"]+)"$', text, re.M))
    if not (folder / "database.go").is_file():
        with program(binary, facts, {}) as it:
            wait(it.ready, f"ready\n{it.log()}")
            stops_without_a_failed_request(binary, facts, {}, it)
            judge_log(it)
        return
    with postgres.running(proof) as server:
        server.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE shop OWNER {USER};")
        environment = {
            "DATABASE_HOST": postgres.HOST,
            "DATABASE_PORT": str(server.port),
            "DATABASE_NAME": "shop",
            "DATABASE_USERNAME": USER,
            "DATABASE_PASSWORD": PASSWORD,
            "DATABASE_CA_FILE": str(server.authority),
        }
        needs_its_environment(binary, environment)
        other = postgres.authority(proof, proof.folder("authority"), "other")
        refuses(binary, facts, environment | {"DATABASE_CA_FILE": str(other)}, "unknown authority")
        # The certificate is only for `localhost`.
        refuses(binary, facts, environment | {"DATABASE_HOST": "127.0.0.1"}, "doesn't contain any IP SANs")
        with program(binary, facts, environment) as it:
            wait(it.ready, f"ready\n{it.log()}")
            metrics = it.status(facts["metricsPath"], it.metrics_port), it.status(facts["metricsPath"])
            if it.status("/") != 200 or metrics != (200, 404):
                raise Failure(f"answers `/` with {it.status('/')}, its metrics on both ports with {metrics}")
            follows(server, it)
            stops_without_a_failed_request(binary, facts, environment, it)
            judge_log(it)


def needs_its_environment(binary, environment):
    for name in environment:
        less = {key: value for key, value in environment.items() if key != name}
        done = subprocess.run(
            [binary], env={"PORT": "0", "METRICS_PORT": "0", **less}, capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode != 1 or name not in done.stdout:
            raise Failure(f"starts without `{name}`, or does not say so: code {done.returncode}\n{done.stdout}")


def refuses(binary, facts, environment, reason):
    """It is alive but not ready, and the log contains the reason."""
    with program(binary, facts, environment) as it:
        wait(lambda: reason in it.log() or it.ready(), f"a log that says `{reason}`")
        time.sleep(1)
        if it.ready() or it.status("/") != 503 or not it.alive():
            raise Failure(f"a server that cannot prove its name is trusted, or ends the process\n{it.log()}")


def follows(server, it):
    """Readiness depends on the database; the process does not."""
    server.stop()
    fell = promised(lambda: it.status(it.facts["readinessPath"]) == 503, FALLS, f"unready without a database\n{it.log()}")
    if not it.alive():
        raise Failure(f"it dies with its database, {fell:.1f} s later\n{it.log()}")
    time.sleep(3)
    if not it.alive() or it.ready():
        raise Failure(f"it is dead, or ready without a database\n{it.log()}")
    server.start()
    promised(it.ready, RETURNS, f"ready again\n{it.log()}")


class Client:
    """Reuses its connection as long as the server lets it; then it goes to the next server, as a Service would lead it."""

    def __init__(self, ports):
        self.ports, self.counts, self.failures, self.connection = list(ports), [0 for _ in ports], [], None

    def ask(self):
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=PATIENCE)
            self.connection.request("GET", "/")
            response = self.connection.getresponse()
            response.read()
            if response.status != 200:
                self.failures.append(f"status {response.status}")
            self.counts[-len(self.ports)] += 1
            if response.will_close:
                self.connection.close()
                self.connection = None
                if len(self.ports) > 1:
                    self.ports.pop(0)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
            self.connection = None
            self.ports = self.ports[-1:]

    def work(self, end, pause):
        while not end.is_set():
            self.ask()
            end.wait(pause)
        if self.connection:
            self.connection.close()


def stops_without_a_failed_request(binary, facts, environment, it):
    """SIGTERM under the load of clients that reuse connections; a second process takes over, as in a rolling update."""
    with program(binary, facts, environment) as successor, concurrent.futures.ThreadPoolExecutor(12) as pool:
        wait(successor.ready, f"the successor is ready\n{successor.log()}")
        end, clients = threading.Event(), [Client((it.port, successor.port)) for _ in range(12)]
        # Some clients send requests all the time, some are mostly idle.
        work = [pool.submit(client.work, end, 0.001 if number < 8 else 1.5) for number, client in enumerate(clients)]
        try:
            time.sleep(2)
            code = it.end()
            time.sleep(1)
        finally:
            end.set()
        for future in work:
            future.result()
    failures = [failure for client in clients for failure in client.failures]
    if failures:
        raise Failure(f"{len(failures)} requests failed while it stopped, such as {failures[:3]}\n{it.log()[-2000:]}")
    if code != 0:
        raise Failure(f"SIGTERM ends it with code {code}\n{it.log()[-2000:]}")
    first, second = (sum(client.counts[place] for client in clients) for place in (0, 1))
    if first < 100 or second < 100:
        raise Failure(f"there was no load: {first} requests before and {second} after")


def judge_log(it):
    it.reader.join(5)
    for line in it.lines:
        try:
            if not isinstance(json.loads(line), dict):
                raise ValueError
        except ValueError:
            raise Failure(f"a line of the log is no JSON object: {line}") from None
    if PASSWORD in it.log():
        raise Failure("the log shows the password")
