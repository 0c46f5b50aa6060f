# Runs the login Jobs like their containers: rendered commands, environment and volumes, a read-only root, no terminal, an
# unprivileged user, and BusyBox's shell and tools as in the image. The PostgreSQL servers are real, with TLS and SCRAM; they log
# every statement, and the master is no superuser. Kubernetes itself, which waits for Secrets and retries Jobs, is not proven.
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from prove import yaml_reader
from prove.calibration import PATIENCE
from prove.steps import Failure, Step

# The supported versions, the first and the last one first: between them, PostgreSQL changed which roles a role may grant.
MAJORS = ((15, 18), (16, 17))
SUPERUSER, MASTER = "rdsadmin", "postgres"
# With every character that is special in a shell, in SQL or in a password file.
PASSWORDS = {
    "master": "ma:st\\er'\"$HOME #1",
    "superuser": "super-word",
    "one": "on'e\"\\:$(id) word",
    "two": "two-word-0123456789",
    "three": "three-word-0123456789",
    "stranger": "stranger-word-0123456789",
}
# A container: its own read-only root, the volumes at the paths of the pod, no terminal.
CONTAINER = """set -eu
root=$1 user=$2
shift 2
mount -t tmpfs -o size=1m,mode=0755 tmpfs "$root"
for folder in usr etc dev $FOLDERS; do mkdir -p "$root/$folder"; done
for folder in usr etc; do mount --bind /$folder "$root/$folder"; mount -o remount,bind,ro "$root/$folder"; done
mount --bind /dev "$root/dev"
for link in bin lib lib64; do [ ! -e /$link ] || ln -s usr/$link "$root/$link"; done
mkdir "$root/busybox"
for applet in cat cut rm sed sh; do ln -s /usr/bin/busybox "$root/busybox/$applet"; done
while read -r from to mode; do
  mount --bind "$from" "$root/$to"
  mount -o remount,bind,"$mode" "$root/$to"
done <"$VOLUMES"
mount -o remount,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \\
  env -i PATH="/busybox:$CLIENT" HOME=/ "$@"
"""


def steps(proof, tree):
    folders = [
        cluster / "databases" for cluster in tree.clusters if (cluster / "databases").is_dir() or database(tree, cluster.name)
    ]
    for place, folder in enumerate(folders):
        reads = [folder] if folder.is_dir() else []
        # All clusters have the same scripts, so each cluster is tried with other servers.
        for major in MAJORS[place % len(MAJORS)]:
            yield Step(
                "logins",
                f"{tree.name(folder)}, PostgreSQL {major}",
                reads,
                lambda f=folder, m=major: prove(proof, f, m),
                seconds=40,
                slow=True,
            )


def database(tree, environment):
    """Whether Terraform creates one."""
    roots = [root for root in tree.terraform_roots if root.parent.name == environment]
    return any("aws_db_instance" in path.read_text(encoding="utf-8") for root in roots for path in root.glob("*.tf"))


# ---------------------------------------------------------------- a pod


class Pod:
    """A Job's, with Secrets of our own."""

    def __init__(self, proof, folder):
        # The shared objects of the Jobs, and each login alone, as Flux applies them.
        logins = sorted(path.parent for path in (folder / "logins").glob("*/kustomization.yaml") if path.parent.name != "local")
        objects = [
            it for built in [folder, *logins] for it in yaml_reader.read_text(proof.run(["kubectl", "kustomize", built]).stdout)
        ]
        jobs = [it for it in objects if it["kind"] == "Job"]
        if not jobs:
            raise Failure("there is a database, and no Job that makes a login")
        self.proof, self.job = proof, jobs[0]
        self.pod = self.job["spec"]["template"]["spec"]
        self.maps = {it["metadata"]["name"]: it["data"] for it in objects if it["kind"] == "ConfigMap"}
        self.secrets = {
            it["spec"]["target"]["name"]: [entry["secretKey"] for entry in it["spec"]["data"]]
            for it in objects
            if it["kind"] == "ExternalSecret"
        }
        self.user = self.pod["securityContext"]["runAsUser"]
        self.client = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"), key=lambda it: int(it.parent.parent.name)).parent

    def container(self, name):
        return next(it for it in self.pod.get("initContainers", []) + self.pod["containers"] if it["name"] == name)

    def volumes(self, container, secrets, files):
        """Each mounted volume as a folder: files of Secrets belong to root and to the group of the pod."""
        for mount in container["volumeMounts"]:
            volume = next(it for it in self.pod["volumes"] if it["name"] == mount["name"])
            folder = self.proof.folder("volume")
            folder.chmod(0o755)
            if "configMap" in volume:
                given, mode, group = {**self.maps[volume["configMap"]["name"]], **files}, 0o644, 0
            elif "secret" in volume:
                name = volume["secret"]["secretName"]
                given = secrets["master" if name == "master" else "login"]
                if set(given) != set(self.secrets[name]):
                    raise Failure(f"the Secret `{name}` has {sorted(self.secrets[name])} and not {sorted(given)}")
                mode, group = volume["secret"]["defaultMode"], self.pod["securityContext"]["fsGroup"]
            else:
                given, mode, group = {}, 0o644, 0
                folder.chmod(0o777)
            for name, text in given.items():
                path = folder / name
                path.write_text(text, encoding="utf-8")
                os.chown(path, 0, group)
                path.chmod(mode)
            yield mount["mountPath"], folder, "ro" if mount.get("readOnly") else "rw"

    def start(self, name, environment, secrets=None, files=None):
        container = self.container(name)
        volumes = list(self.volumes(container, secrets or {}, files or {}))
        root = self.proof.folder("root")
        listed = root.parent / f"{root.name}.volumes"
        listed.write_text("".join(f"{folder} {mount.strip('/')} {mode}\n" for mount, folder, mode in volumes), encoding="utf-8")
        variables = {it["name"]: it["value"] for it in container["env"]} | environment
        words = [f"{name}={value}" for name, value in variables.items()]
        return subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", CONTAINER, "container", root, str(self.user), *words, *container["command"]],
            env={"PATH": os.environ["PATH"], "VOLUMES": str(listed), "FOLDERS": " ".join(mount.strip("/") for mount, _, _ in volumes), "CLIENT": str(self.client)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, name, environment, **more):
        process = self.start(name, environment, **more)
        try:
            said, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            stop(process)
            raise Failure(f"`{name}` does not end") from None
        return process.returncode, said


def stop(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# ---------------------------------------------------------------- the certificates


def authority(proof, folder, name):
    proof.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
        ],
        cwd=folder,
    )
    return folder / f"{name}.pem"


def certificate(proof, folder, signer):
    """For `localhost`, and for no address."""
    (folder / "extensions").write_text("subjectAltName=DNS:localhost\n", encoding="utf-8")
    proof.run(
        ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr"],
        cwd=folder,
    )
    proof.run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            signer,
            "-CAkey",
            signer.with_suffix(".key"),
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extensions",
            "-out",
            "server.pem",
        ],
        cwd=folder,
    )
    return folder / "server.pem", folder / "server.key"


# ---------------------------------------------------------------- a server


class Server:
    """PostgreSQL as RDS would have it, but for its default of MD5: the verifier must not depend on it."""

    def __init__(self, proof, major):
        self.proof, self.major = proof, major
        self.programs = (proof.tools / "bin" / f"postgresql-{major}").resolve() / "bin"
        self.folder, self.port = proof.folder("postgresql"), free_port()
        self.authority, self.stranger = authority(proof, self.folder, "rds"), authority(proof, self.folder, "stranger")
        certificate(proof, self.folder, self.authority)
        (self.folder / "password").write_text(PASSWORDS["superuser"])
        for path in [self.folder, *self.folder.iterdir(), *self.folder.parents]:
            if path == self.folder or path.parent == self.folder:
                shutil.chown(path, "nobody")
            elif path == proof.scratch or proof.scratch in path.parents:
                path.chmod(0o755)
        (self.folder / "server.key").chmod(0o600)
        self.call(
            "initdb",
            "--pgdata=data",
            f"--username={SUPERUSER}",
            "--auth=scram-sha-256",
            "--pwfile=password",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        with open(self.folder / "data" / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(
                f"port = {self.port}\nlisten_addresses = 'localhost'\nunix_socket_directories = ''\nfsync = off\n"
                f"ssl = on\nssl_cert_file = '{self.folder}/server.pem'\nssl_key_file = '{self.folder}/server.key'\n"
                "log_statement = 'all'\nlog_min_error_statement = debug5\nlog_connections = on\npassword_encryption = 'md5'\n"
            )
        (self.folder / "data" / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n", encoding="utf-8")
        self.log = self.folder / "log"

    def call(self, program, *words):
        return self.proof.run(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", self.programs / program, *words],
            cwd=self.folder,
            environment={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )

    def __enter__(self):
        try:
            self.call("pg_ctl", "--pgdata=data", "--log=log", "--wait", "start")
        except Failure as refusal:
            raise Failure(f"{refusal}\n{self.log.read_text() if self.log.exists() else ''}") from None
        self.ask(
            f"CREATE ROLE {MASTER} LOGIN CREATEROLE CREATEDB PASSWORD {literal(PASSWORDS['master'])}",
            options="-c log_statement=none -c password_encryption=scram-sha-256",
        )
        self.ask(f"ALTER DATABASE postgres OWNER TO {MASTER}")
        return self

    def __exit__(self, *_):
        self.call("pg_ctl", "--pgdata=data", "--mode=immediate", "--wait", "stop")

    def client(self, user, password, name):
        address = f"host=localhost port={self.port} user={user} dbname={name} sslmode=verify-full sslrootcert={self.authority}"
        return [
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--set=ON_ERROR_STOP=1",
            address,
        ], self.proof.environment(PGPASSWORD=password)

    def ask(self, sql, user=SUPERUSER, password=PASSWORDS["superuser"], name="postgres", options=""):
        words, environment = self.client(user, password, name)
        return self.proof.run([*words, f"--command={sql}"], environment={**environment, "PGOPTIONS": options}).stdout.strip()

    def refuses(self, words, sql, **as_whom):
        try:
            self.ask(sql, **as_whom)
        except Failure as refusal:
            if words not in str(refusal):
                raise Failure(f"`{sql}` is refused for another reason than `{words}`\n{refusal}") from None
        else:
            raise Failure(f"`{sql}` is not refused: {as_whom}")


def literal(text):
    return "'" + text.replace("'", "''") + "'"


# ---------------------------------------------------------------- the logins


class World:
    def __init__(self, proof, folder, server):
        self.pod, self.server, self.said = Pod(proof, folder), server, []
        self.roots = next(data["rds.pem"] for data in self.pod.maps.values() if "rds.pem" in data)
        self.trust = self.believing(server.authority)

    def believing(self, authority):
        """The certificates of the Job, and below them one of ours: psql must read the whole file."""
        return {"rds.pem": self.roots + authority.read_text()}

    def words(self, name, number, password, changed):
        master = {
            "endpoint": "localhost",
            "port": str(self.server.port),
            "name": "postgres",
            "username": MASTER,
            "password": PASSWORDS["master"],
        }
        login = {"name": name, "username": f"{name}_{number}", "password": password}
        secrets = {"master": {**master, **changed}, "login": login}
        return {"LOGIN_NUMBER": str(number)}, secrets

    def start(self, name, number, password):
        environment, secrets = self.words(name, number, password, {})
        return self.pod.start("login", environment, secrets=secrets, files=self.trust)

    def make(self, name, number, password, refused=None, files=None, trust=None, master=None):
        """Runs the Job of a login. With `refused`, it must fail with this message."""
        environment, secrets = self.words(name, number, password, master or {})
        code, said = self.pod.run("login", environment, secrets=secrets, files={**(trust or self.trust), **(files or {})})
        self.said.append(said)
        if refused is None and code:
            raise Failure(f"login {number} of `{name}` is not made: code {code}\n{said}")
        if refused is not None and (not code or refused not in said):
            raise Failure(f"login {number} of `{name}` is not refused with the words `{refused}`: code {code}\n{said}")

    def alive(self, name, *logins):
        """Exactly these log in, each as the owner of the database."""
        found = self.server.ask(
            f"SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE '{name}\\_%' AND rolcanlogin"
        )
        wanted = " ".join(f"{name}_{number}" for number, _ in logins)
        if found != wanted:
            raise Failure(f"alive are `{found}`, and not `{wanted}`")
        for number, password in logins:
            who = self.server.ask(
                "SELECT session_user || ' ' || current_user", user=f"{name}_{number}", password=password, name=name
            )
            if who != f"{name}_{number} {name}":
                raise Failure(f"a session of {name}_{number} is `{who}`")

    def owner(self, name):
        return self.server.ask(f"SELECT rolname FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba WHERE datname = '{name}'")


def prove(proof, folder, major):
    with Server(proof, major) as server:
        world = World(proof, folder, server)
        for scenario in (strangers, rotation, silent, neighbours, together, broken_off, foreign, silent):
            try:
                scenario(world)
            except Failure as refusal:
                raise Failure(
                    f"{scenario.__doc__}: {refusal}\n--- the end of the server's log\n{server.log.read_text()[-3000:]}"
                ) from None


def rotation(world):
    """made, made again, rotated with both alive, and the one before taken away"""
    server = world.server
    one, two, three = (PASSWORDS[name] for name in ("one", "two", "three"))
    world.make("books", 1, one)
    world.alive("books", (1, one))
    if server.ask("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'books_1'") != "t":
        raise Failure("the password is kept in another form than SCRAM's")
    as_one = {"user": "books_1", "password": one, "name": "books"}
    server.ask("CREATE TABLE owned (); CREATE SCHEMA own", **as_one)
    # A connection pool that resets its sessions also resets the role to the login.
    server.ask("GRANT CREATE ON SCHEMA public TO books_1", **as_one)
    server.ask("SET ROLE NONE; CREATE TABLE stray (); SELECT lo_create(4711)", **as_one)
    # A restored backup has the passwords of its time.
    server.ask("ALTER ROLE books_1 PASSWORD 'of-that-time'")
    world.make("books", 1, one)
    world.alive("books", (1, one))
    words, environment = server.client("books_1", one, "books")
    session = subprocess.Popen(
        [*words, "--command=SELECT pg_sleep(900)"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        world.make("books", 2, two)
        world.alive("books", (1, one), (2, two))
        server.ask(
            "ALTER TABLE owned ADD word text; ALTER TABLE stray ADD word text; SELECT lo_put(4711, 0, 'x')",
            user="books_2",
            password=two,
            name="books",
        )
        if session.poll() is not None:
            raise Failure("the login before lost its session")
        server.ask("SET ROLE NONE; CREATE TABLE late ()", **as_one)
        world.make("books", 3, three)
        world.alive("books", (2, two), (3, three))
        if server.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'books_1'") != "0":
            raise Failure("the login that is two rotations old is still there")
        if session.wait(timeout=PATIENCE) == 0:
            raise Failure("a session of the login that was taken away goes on")
    finally:
        session.kill()
        session.communicate()
    world.make("books", 2, two)
    world.alive("books", (2, two), (3, three))
    owners = server.ask(
        "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class WHERE relname IN ('owned', 'stray', 'late')",
        name="books",
    )
    if owners != "books":
        raise Failure(f"what a login made belongs to `{owners}`")
    server.refuses("password authentication failed", "SELECT 1", **as_one)


def neighbours(world):
    """another application"""
    server = world.server
    world.make("shelf", 1, PASSWORDS["one"])
    other = {"user": "shelf_1", "password": PASSWORDS["one"]}
    server.refuses("permission denied for database", "SELECT 1", name="books", **other)
    server.refuses("permission denied", "CREATE ROLE more", name="shelf", **other)
    server.refuses("permission denied", "CREATE DATABASE more", name="shelf", **other)
    # Its name is a prefix of another one.
    world.make("books_of", 4, PASSWORDS["two"])
    world.alive("books_of", (4, PASSWORDS["two"]))
    if server.ask("SELECT count(*) FROM pg_roles WHERE rolname IN ('books_2', 'books_3')") != "2":
        raise Failure("one application's Job takes away the logins of another")


def together(world):
    """two Jobs that start at once"""
    started = [world.start("pair", number, PASSWORDS[word]) for number, word in ((6, "one"), (7, "two"))]
    for process in started:
        said, _ = process.communicate(timeout=PATIENCE)
        world.said.append(said)
        if process.returncode:
            raise Failure(f"one of them fails with code {process.returncode}\n{said}")
    world.alive("pair", (6, PASSWORDS["one"]), (7, PASSWORDS["two"]))


def broken_off(world):
    """broken off after each statement, and made again"""
    server = world.server
    sql = next(text["login.sql"] for text in world.pod.maps.values() if "login.sql" in text)
    parts = sql.split("\n\n")
    begun = ["\n\n".join(parts[:count]) for count in range(1, len(parts))]
    # No statement ends within a body.
    for count, part in enumerate(part for part in begun if part.count("$$") % 2 == 0):
        name = f"part{count}"
        # `\\quit` exits with success instead of an error, but the executed statements are the same.
        world.make(name, 1, PASSWORDS["one"], files={"login.sql": part + "\n\\quit\n"})
        world.make(name, 1, PASSWORDS["two"])
        world.alive(name, (1, PASSWORDS["two"]))
        if world.owner(name) != name:
            raise Failure(f"the database belongs to `{world.owner(name)}`")
    # Killed while it waits for another Job. Meanwhile its processes can be inspected.
    words, environment = server.client(MASTER, PASSWORDS["master"], "postgres")
    lock = subprocess.Popen(
        [*words, "--command=SELECT pg_advisory_lock(hashtext('logins'))", "--command=SELECT pg_sleep(900)"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait(
            lambda: server.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == "1",
            "nobody holds the lock",
        )
        process = world.start("killed", 1, PASSWORDS["one"])
        wait(
            lambda: server.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "1",
            "the Job does not wait for the other",
        )
        seen = list(processes(process.pid))
        stop(process)
        if not any(kind == "cmdline" and text.startswith(b"psql\0") for kind, text in seen):
            raise Failure(f"psql is not among what runs: {seen}")
        leaks = [kind for kind, text in seen for name in ("master", "one") if PASSWORDS[name].encode() in text]
        if leaks:
            raise Failure(f"a password can be read in {leaks}")
    finally:
        lock.kill()
        lock.wait()
    server.ask(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(900)%' AND pid <> pg_backend_pid()"
    )
    world.make("killed", 1, PASSWORDS["one"])
    world.alive("killed", (1, PASSWORDS["one"]))


def processes(session):
    """What all users of the node can read about the processes of a container."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                for kind in ("cmdline", "environ"):
                    yield kind, (entry / kind).read_bytes()


def wait(condition, words):
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    raise Failure(words)


def foreign(world):
    """a database that is there already"""
    server, word = world.server, PASSWORDS["one"]
    # It belongs to another role, so it stays until a person runs the commands in the message.
    server.ask("CREATE ROLE legacy LOGIN CREATEDB")
    if server.major >= 16:
        server.ask(f"GRANT legacy TO {MASTER} WITH ADMIN OPTION")
    server.ask("CREATE DATABASE archive OWNER legacy")
    world.make("archive", 1, word, refused='the database "archive" already belongs to "legacy"')
    roles = server.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'archive%'")
    if (world.owner("archive"), roles) != ("legacy", "0"):
        raise Failure(f"it was touched: its owner is `{world.owner('archive')}`, and there are {roles} roles")
    hint = re.search(r"as the master: (.*?)\. Or", world.said[-1])
    if not hint:
        raise Failure(f"the message does not say how to hand it over\n{world.said[-1]}")
    server.ask(hint[1], user=MASTER, password=PASSWORDS["master"])
    world.make("archive", 1, word)
    # The database of the master, and that of a login.
    server.ask("CREATE DATABASE dump", user=MASTER, password=PASSWORDS["master"])
    world.make("dump", 1, word)
    world.make("strayed", 1, word)
    server.ask("ALTER DATABASE strayed OWNER TO strayed_1")
    world.make("strayed", 2, PASSWORDS["two"])
    for name in ("archive", "dump", "strayed"):
        if world.owner(name) != name:
            raise Failure(f"`{name}` belongs to `{world.owner(name)}`")
    world.alive("strayed", (1, word), (2, PASSWORDS["two"]))
    # A role that can log in is no owner, and the master is no login of an application.
    server.ask("CREATE ROLE person LOGIN")
    world.make("person", 1, word, refused='the role "person" can log in')
    world.make("books", 3, "", refused="the password of the login is empty")


def strangers(world):
    """a server that is not the database"""
    stranger = world.believing(world.server.stranger)
    world.make("outsider", 1, PASSWORDS["stranger"], trust=stranger, refused="certificate verify failed")
    world.make("outsider", 1, PASSWORDS["stranger"], master={"endpoint": "127.0.0.1"}, refused="does not match host name")
    world.make("outsider", 1, PASSWORDS["stranger"], master={"password": "wrong"}, refused="password authentication failed")
    world.make("outsider", 1, PASSWORDS["stranger"], master={"port": str(free_port())}, refused="Connection refused")
    if world.server.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'outsider%'") != "0":
        raise Failure("it made something all the same")


def silent(world):
    """no password in the server's log, nor in what the containers say"""
    log = world.server.log.read_text(encoding="utf-8")
    if "PASSWORD 'SCRAM-SHA-256$" not in log or "CREATE DATABASE" not in log:
        raise Failure("the server does not log statements, so it proves nothing")
    for name in ("master", "one", "two", "three", "stranger"):
        for where, text in (("the server's log", log), ("the log of a container", "\n".join(world.said))):
            # Unchanged, and as quoted by SQL.
            if PASSWORDS[name] in text or literal(PASSWORDS[name])[1:-1] in text:
                raise Failure(f"{where} holds the password of `{name}`")
