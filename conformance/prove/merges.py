# Files that somebody edited, in repositories of real git: where a merge finds what was rendered before, and what it says where it finds
# nothing. Which lines meet is tried by the program's own tests.
import functools
import os
import shutil
import subprocess

from prove.interruptions import CHANGES, MINIMAL, Renders
from prove.proof import HERE
from prove.steps import Failure, Step

FILE = "Dockerfile"
# A line that a render never changes, and one that a change of the port changes.
QUIET, CHANGED = "HEALTHCHECK NONE", "EXPOSE 8080 9090"


def steps(proof):
    reads = [MINIMAL, HERE.parent / "src"]
    for where, action in (
        ("from the history", from_history),
        ("in a repository with SHA-256", with_sha256),
        ("conflict markers", markers),
        ("from a clone without history", from_clone),
        ("in a shallow clone", shallow),
        ("without git", without_git),
    ):
        yield Step("render --merge", where, reads, functools.partial(action, World(proof)), seconds=3)


class World:
    """A platform whose application's repository has a commit of the first render. The blueprint then changes."""

    def __init__(self, proof):
        self.proof = proof

    def prepare(self, object_format="sha1"):
        self.renders = Renders(self.proof).prepare()
        self.out = self.renders.folder / "out"
        self.shop = self.out / "shop"
        self.git("init", "--quiet", f"--object-format={object_format}", self.shop, folder=self.renders.folder)
        self.render("first", codes=(0,))
        self.commit("Render")
        return self

    def close(self):
        self.renders.close()

    def git(self, *words, folder=None):
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "protocol.file.allow=always"]
        return self.proof.run(["git", *identity, *words], cwd=folder or self.shop).stdout

    def commit(self, title):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", title)

    def edit(self, old, new):
        text = (self.shop / FILE).read_text(encoding="utf-8")
        if old not in text:
            raise Failure(f"`{old}` is not in the {FILE}: choose another line in `prove/merges.py`")
        (self.shop / FILE).write_text(text.replace(old, new), encoding="utf-8")

    def render(self, name, *words, codes, **environment):
        command = [*self.renders.command("render", name, self.out), "--create", *words]
        # A hook sets these for the repository that it belongs to, which need not be this one.
        environment = {**self.proof.environment(), "GIT_DIR": "/nonexistent", "GIT_WORK_TREE": "/nonexistent", **environment}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
        if done.returncode not in codes:
            raise Failure(f"`blueprint render {' '.join(words)}` ended with code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stderr

    def clone(self, *words):
        """The application's checkout becomes a clone of itself."""
        origin = self.renders.folder / "origin"
        self.shop.rename(origin)
        self.git("clone", "--quiet", *words, f"file://{origin}", self.shop, folder=self.renders.folder)

    def must_hold(self, *wanted):
        text = (self.shop / FILE).read_text(encoding="utf-8")
        missing = [words for words in wanted if words not in text]
        if missing:
            raise Failure(f"the merged {FILE} lacks {missing}\n{text}")


def worlds(action):
    """The folders go, whatever happens."""

    @functools.wraps(action)
    def one(world):
        try:
            action(world)
        finally:
            if hasattr(world, "renders"):
                world.close()

    return one


@worlds
def from_history(world):
    merge(world.prepare())


@worlds
def with_sha256(world):
    merge(world.prepare("sha256"))


def merge(world):
    world.edit(QUIET, "# mine\nHEALTHCHECK NONE")
    said = world.render("second", codes=(1,))
    for words in ("+# mine", "-EXPOSE 8080 9090", "+EXPOSE 9000 9090", "--merge", "--overwrite shop/Dockerfile", "`[files]`"):
        if words not in said:
            raise Failure(f"the conflict does not show `{words}`\n{said}")
    world.render("second", "--merge", codes=(0,))
    world.must_hold("# mine", "EXPOSE 9000 9090")
    again(world)


def again(world):
    """A merged file needs no more merge as long as nothing else is rendered, and then merges by itself."""
    if "unchanged" not in (said := world.render("second", codes=(0,))) or "updated" in said:
        raise Failure(f"the next render changes a merged file again\n{said}")
    world.render("first", codes=(0,))
    world.must_hold("# mine", CHANGED)


@worlds
def markers(world):
    world.prepare()
    world.edit(CHANGED, "EXPOSE 1 2")
    world.render("second", "--merge", codes=(1,))
    world.must_hold("<<<<<<< on disk\nEXPOSE 1 2\n", ">>>>>>> rendered now\n")
    if "conflict markers" not in (said := world.render("second", codes=(1,))):
        raise Failure(f"a file with conflict markers is rendered\n{said}")
    text = (world.shop / FILE).read_text(encoding="utf-8")
    before, rest = text.split("<<<<<<< on disk\n")
    kept, after = rest.split(">>>>>>> rendered now\n")
    (world.shop / FILE).write_text(f"{before}{kept.splitlines()[0]}\n{after}", encoding="utf-8")
    world.render("second", codes=(0,))
    world.must_hold("EXPOSE 1 2")


@worlds
def from_clone(world):
    """What was rendered for a merged file is committed, so that another person's clone merges, too."""
    world.prepare()
    world.edit(QUIET, "# mine\nHEALTHCHECK NONE")
    world.render("second", "--merge", codes=(0,))
    world.commit("Merge")
    world.clone("--depth", "1")
    again(world)


@worlds
def shallow(world):
    world.prepare()
    world.edit(QUIET, "# mine\nHEALTHCHECK NONE")
    world.commit("Edit")
    world.clone("--depth", "1")
    refuses(world, "the history here is shallow: `git fetch --unshallow` completes it")
    world.git("fetch", "--quiet", "--unshallow")
    world.render("second", "--merge", codes=(0,))
    world.must_hold("# mine", "EXPOSE 9000 9090")


@worlds
def without_git(world):
    world.prepare()
    world.edit(QUIET, "# mine\nHEALTHCHECK NONE")
    refuses(world, "git is not installed", PATH=os.devnull)
    shutil.rmtree(world.shop / ".git")
    refuses(world, "the folder is in no git repository")


def refuses(world, words, **environment):
    said = world.render("second", "--merge", codes=(1,), **environment)
    if words not in said or "--overwrite" not in said:
        raise Failure(f"it does not say `{words}`, or no other way\n{said}")
    world.must_hold("# mine", CHANGED)


# The second blueprint changes the port, and nothing else in the file.
assert "port = 9000" in CHANGES["second"]
