# A real PostgreSQL server on loopback, for steps that need one: TLS with its own certificate authority, passwords with SCRAM, and a
# readable log. Checks nothing.
import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

from prove.steps import Failure

# PostgreSQL refuses to run as root; Debian's package brings this user.
USER = "postgres"
HOST = "localhost"


def programs():
    """The folder of the newest server's programs: Debian keeps them off PATH."""
    found = sorted(
        (path for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").is_file()),
        key=lambda path: int(path.parent.name),
    )
    if found:
        return found[-1]
    path = shutil.which("initdb")
    if not path:
        raise Failure("PostgreSQL is not installed: run `conformance/run` again as root, or install Debian's `postgresql`")
    return pathlib.Path(path).resolve().parent


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def authority(proof, folder, name):
    """A new authority: its certificate, and beside it its key."""
    certificate = folder / f"{name}.pem"
    proof.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        + ["-keyout", folder / f"{name}.key", "-out", certificate]
    )
    return certificate


def vouch(proof, folder, by, name):
    """A certificate for a host name, by an authority of `authority`: certificate and key."""
    key, request, certificate, extension = (folder / f"{name}.server.{end}" for end in ("key", "csr", "pem", "ext"))
    proof.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request])
    extension.write_text(f"subjectAltName=DNS:{name}\n")
    proof.run(
        ["openssl", "x509", "-req", "-in", request, "-CA", by, "-CAkey", by.with_suffix(".key"), "-CAcreateserial"]
        + ["-days", "2", "-extfile", extension, "-out", certificate]
    )
    return certificate, key


class Server:
    """One cluster. `authority` is what clients must trust; `superuser` logs in with `password`."""

    superuser = "postgres"
    password = "superuser-of-the-proof"

    def __init__(self, folder, authority_file, identity):
        self.folder, self.authority, self.identity = folder, authority_file, identity
        self.programs, self.port = programs(), free_port()
        self.data, self.log = folder / "data", folder / "server.log"

    def run(self, command, codes=(0,), **options):
        """Runs a program as the server's user."""
        if os.geteuid() == 0:
            account = pwd.getpwnam(USER)
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=environment | options.pop("environment", {}),
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            **options,
        )
        if done.returncode not in codes:
            log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise Failure(f"`{command[0]}` ended with code {done.returncode}\n{done.stdout or ''}\n{log}")
        return done.stdout

    def create(self, settings):
        secret = self.folder / "superuser"
        secret.write_text(self.password)
        for path in (secret, *self.identity):
            os.chmod(path, 0o600)
        if os.geteuid() == 0:
            for path in [self.folder, *self.folder.rglob("*")]:
                shutil.chown(path, USER, USER)
        self.run(["initdb", "-D", self.data, "-U", self.superuser, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "-N"])
        certificate, key = self.identity
        lines = {
            "port": self.port,
            "listen_addresses": "'localhost'",
            "unix_socket_directories": "''",
            "ssl": "on",
            "ssl_cert_file": f"'{certificate}'",
            "ssl_key_file": f"'{key}'",
            "fsync": "off",
            **settings,
        }
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())
        # Like on RDS: TLS and a password are required.
        (self.data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")

    def start(self):
        # The server inherits its output, so this must be no pipe.
        self.run(["pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "start"], stdout=subprocess.DEVNULL)

    def stop(self, mode="immediate"):
        self.run(["pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop"])

    def sql(self, statements, database="postgres", user=None, password=None, codes=(0,)):
        """Runs statements by psql, as a client that verifies the server."""
        environment = {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGDATABASE": database,
            "PGUSER": user or self.superuser,
            "PGPASSWORD": password or self.password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.authority),
        }
        command = ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1"]
        return self.run(command, codes=codes, input=statements, environment=environment)


@contextlib.contextmanager
def running(proof, **settings):
    """A server that runs, and is gone afterwards. Keywords are settings of postgresql.conf."""
    # Outside the proof's folder, because only its owner may enter that.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-postgres-"))
    try:
        vouching = authority(proof, folder, "authority")
        server = Server(folder, vouching, vouch(proof, folder, vouching, HOST))
        server.create(settings)
        # Readable by the proof.
        os.chmod(folder, 0o755)
        server.start()
        try:
            yield server
        finally:
            if (server.data / "postmaster.pid").exists():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
