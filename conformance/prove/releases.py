# The script that names an application's next release, on throw-away git histories. Releases nothing.
from prove.proof import HERE
from prove.steps import Step

HISTORIES = HERE / "releases" / "version.sh"


def steps(proof, tree):
    scripts = [path for path in tree.scripts if path.name == "version.sh"]
    yield Step("release version", f"{len(scripts)} scripts", scripts, lambda: versions(proof, scripts), seconds=6)


def versions(proof, scripts):
    """Every shell that a runner may have, every script."""
    for script in scripts:
        for shell in ("sh", "bash"):
            proof.run(["sh", HISTORIES, script], environment=proof.environment(VERSION_SHELL=shell))
