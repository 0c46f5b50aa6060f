# Shared by all steps: the folders of the tools, the facts and temporary files, and how a tool is called. Checks nothing.
import os
import pathlib
import shutil
import subprocess
import tempfile

from prove.steps import Failure
from prove.tree import SKIPPED

HERE = pathlib.Path(__file__).resolve().parent.parent

# Settings of the user must not affect the proof: tools get only these variables of the environment.
KEPT = ("LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOMAXPROCS")


class Proof:
    def __init__(self, tools, facts, scratch):
        self.tools = pathlib.Path(tools)
        self.facts = pathlib.Path(facts) if facts else None  # None: real providers, public schemas
        self.scratch = pathlib.Path(scratch)
        self.home = self.scratch / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.providers_folder = self.tools / "providers"  # the folder of real ones, without facts
        self.providers_folder.mkdir(exist_ok=True)
        self.reported = []  # titles and sentences for the report of the run
        self.providers = None  # the value of TF_REATTACH_PROVIDERS while the stand-in runs

    def report(self, title, words):
        """Numbers of this run that readers of the project should see."""
        self.reported.append((title, words))

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if name in KEPT or "proxy" in name.lower()}
        return {
            **kept,
            "PATH": f"{self.tools / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "NO_COLOR": "1",
            "PYTHONWARNINGS": "ignore",
            **more,
        }

    def folder(self, name):
        """A fresh folder of its own."""
        return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    def copy(self, folder, name):
        """A fresh copy of a folder, for a tool that writes beside what it reads."""
        target = self.folder(name) / folder.name
        shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED))
        return target

    def run(self, command, cwd=None, codes=(0,), environment=None, **options):
        """Runs a tool; another exit code than those expected is a failure with the tool's output."""
        words = [str(word) for word in command]
        path = shutil.which(words[0], path=self.environment()["PATH"])
        if not path:
            raise Failure(f"`{words[0]}` is not installed: run `conformance/run` again, and look at what the install says")
        done = subprocess.run(
            [path, *words[1:]],
            cwd=cwd or self.home,
            env=environment or self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
            **options,
        )
        if done.returncode not in codes:
            output = (done.stdout + done.stderr).strip()
            raise Failure(
                f"`{' '.join([words[0]] + [word for word in words[1:] if len(word) < 200])[:300]}` ended with code {done.returncode}\n{output[-12000:]}"
            )
        return done
