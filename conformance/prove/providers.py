# Runs the stand-in for Terraform providers beside the proof. It serves the schemas in the facts.
import contextlib
import re
import signal
import subprocess
import sys
import time

from prove.calibration import PATIENCE
from prove.proof import HERE
from prove.search import must_find
from prove.steps import Failure


@contextlib.contextmanager
def serving(proof):
    """Sets `proof.providers` for as long as the stand-in runs. Without facts Terraform fetches the real ones."""
    if not proof.facts:
        yield
        return
    folder = proof.folder("providers")
    environment, log = folder / "environment", folder / "log"
    server = subprocess.Popen(
        [
            sys.executable,
            HERE / "terraform" / "stub_provider.py",
            "serve",
            "--schemas",
            proof.facts / "terraform",
            "--env",
            environment,
            "--log",
            log,
        ],
        stderr=open(log, "a"),
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not environment.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"the stand-in for providers did not start\n{log.read_text()}")
            time.sleep(0.05)
        proof.providers = must_find(r"'(.*)'", environment.read_text(), re.S)[1]
        yield
    finally:
        proof.providers = None
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)
