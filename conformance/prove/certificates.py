# The root certificates of databases in images and Jobs: each is self-signed, has the name in the line above it, and is valid for
# long enough; clients of each language read the whole file. Not whether RDS still uses these roots.
import contextlib
import re
import socket
import ssl
import sys
import threading

from prove import postgres
from prove.proof import HERE
from prove.starter import surroundings
from prove.steps import Failure, Step

CLIENTS = HERE / "certificates"
ROOT = re.compile(
    r"^# (Amazon RDS [a-z0-9-]+ Root CA \w+ G1)\n(-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----)\n", re.M
)
# In seconds: time for a newer release of blueprint, and for its users to render with it.
LASTS = 2 * 365 * 86400


def steps(proof, tree):
    if tree.certificates:
        yield Step("certificates", f"{len(tree.certificates)} files", tree.certificates, lambda: prove(proof, tree), seconds=20)


def prove(proof, tree):
    texts = {}
    for path in tree.certificates:
        texts.setdefault(path.read_text(encoding="utf-8"), path)
    for text, path in texts.items():
        judge(proof, tree.name(path), text)
    read(proof, max(texts, key=len))


def judge(proof, name, text):
    rest = [line for line in ROOT.sub("", text).splitlines() if line and not line.startswith("#")]
    if rest:
        raise Failure(f"{name}: belongs to no certificate: {rest[0]}")
    folder, found = proof.folder("roots"), ROOT.findall(text)
    for place, (words, certificate) in enumerate(found):
        file = folder / f"{place}.pem"
        file.write_text(certificate + "\n", encoding="utf-8")
        said = proof.run(
            ["openssl", "x509", "-in", file, "-noout", "-subject", "-issuer", "-nameopt", "sep_multiline,lname"]
        ).stdout
        if said.count(f"commonName={words}\n") != 2:
            raise Failure(f"{name}: the root under `{words}` is another\n{said}")
        proof.run(["openssl", "verify", "-check_ss_sig", "-CAfile", file, file])
        proof.run(["openssl", "x509", "-in", file, "-noout", "-checkend", str(LASTS)])
    if len(found) < 3 or len(found) % 3:
        raise Failure(f"{name}: {len(found)} roots, where each region has three")


@contextlib.contextmanager
def serving(identity):
    """The port of a TLS server that sends nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*identity)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                plain.settimeout(20)
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield str(listener.getsockname()[1])
    finally:
        listener.close()


def read(proof, text):
    """Appends a certificate authority of ours: a client that trusts it has read the whole file."""
    folder = proof.folder("authority")
    ours = postgres.authority(proof, folder, "ours")
    identity = postgres.vouch(proof, folder, ours, "localhost")
    with_ours, without = folder / "with.pem", folder / "without.pem"
    with_ours.write_text(text + ours.read_text(encoding="utf-8"), encoding="utf-8")
    without.write_text(text, encoding="utf-8")
    go = folder / "client"
    proof.run(["go", "build", "-o", go, CLIENTS / "client.go"], environment=proof.environment(**surroundings(proof)))
    clients = {
        "Go": [go],
        "Node": ["node", CLIENTS / "client.js"],
        "Python": [sys.executable, CLIENTS / "client.py"],
        "Java": ["java", CLIENTS / "Client.java"],
    }
    with serving(identity) as port:
        for language, command in clients.items():
            proof.run([*command, with_ours, port])
            said = proof.run([*command, without, port], codes=(1,))
            if "certif" not in (said.stdout + said.stderr).lower():
                raise Failure(f"a client in {language} refuses a server, and not for its certificate\n{said.stderr}")
