# Runs the unchanged scripts of the repository that contains the blueprint: they clone repositories of real git, compare them with what the
# real program renders, and propose it, with a stand-in for GitHub. It assumes that GitHub behaves like the stand-in.
import json
import re
import shutil
import subprocess

from prove.blueprints import binary
from prove.proof import HERE
from prove.releases import Stage, hold
from prove.search import must_find
from prove.steps import Step

MINIMAL = HERE.parent / "blueprints" / "minimal.toml"
SCRIPTS = ("clone.sh", "comment.sh", "compare.sh", "install.sh", "names.sh", "propose.sh")
BRANCH = "blueprint/render"
CARGO = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
[ ! -e "$CALLS.broken" ] || exit 101
"""


def steps(proof, tree):
    for propose in [path for path in tree.scripts if path.name == "propose.sh"]:
        folder, where = propose.parent, tree.name(propose.parent)
        reads = [folder / name for name in SCRIPTS]
        yield Step("review a blueprint", where, reads, lambda f=folder: reviewing(World(proof, f)), seconds=8)
        yield Step("propose a render", where, reads, lambda f=folder: proposing(World(proof, f)), seconds=15)
        yield Step("install the program", where, [folder / "install.sh"], lambda f=folder: installing(World(proof, f)), seconds=2)


class World:
    """A platform whose repositories are committed and pushed as they were rendered, and a checkout of the blueprint's repository. The scripts are
    those of the tree, for another blueprint of the same owner."""

    def __init__(self, proof, scripts):
        self.proof, self.scripts = proof, scripts
        self.owner, self.name = must_find(
            r"(?m)^self=([^/\n]+)/(.+)$", (scripts / "propose.sh").read_text(encoding="utf-8")
        ).groups()
        workflow = (scripts.parent / "workflows" / "propose.yml").read_text(encoding="utf-8")
        self.file = must_find(r"(?m)^  BLUEPRINT: (.+)$", workflow)[1]
        self.stage = Stage(proof, {"gh": "github_repositories.py"}, {"pulls": {}, "comments": [], "calls": []})
        self.origins = self.stage.folder / "origins" / self.owner
        self.place = self.stage.folder / "work"
        self.own = self.place / self.name
        # By another process, because a program that this one holds open for writing cannot be executed.
        proof.run(["cp", binary(), self.stage.folder / "bin" / "blueprint"])
        self.own.mkdir(parents=True)
        (self.own / self.file).parent.mkdir(parents=True, exist_ok=True)
        self.write("")
        self.git(self.own, "init", "--quiet", "--initial-branch=main")
        self.program("render", "--create")
        for folder in self.place.iterdir():
            if folder != self.own:
                self.git(folder, "init", "--quiet", "--initial-branch=main")
            self.publish(folder)

    def write(self, more, application=""):
        text = MINIMAL.read_text(encoding="utf-8").replace('owner = "acme"', f'owner = "{self.owner}"')
        review = f'source = "https://github.com/acme/blueprint"\nrevision = "{"0" * 40}"\nfile = "{self.file}"'
        text = text.replace("[aws]", f'repositories = {{ blueprint = "{self.name}" }}\n\n[github.review]\n{review}\n\n[aws]')
        (self.own / self.file).write_text(f"{text}{more}\n{application}", encoding="utf-8")

    def program(self, *words, code=0):
        command = [binary(), words[0], self.file, "--out", "..", *words[1:]]
        return self.proof.run(command, cwd=self.own, codes=(code,)).stdout

    def git(self, folder, *words):
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        return self.proof.run(["git", *identity, *words], cwd=folder).stdout.strip()

    def commit(self, folder, title="Change"):
        self.git(folder, "add", "--all", "--force")
        self.git(folder, "commit", "--quiet", "--allow-empty", "--message", title)

    def publish(self, folder):
        """The first commit, and a repository on GitHub that has it."""
        self.commit(folder, "Render")
        origin = self.origins / folder.name
        self.git(self.stage.folder, "clone", "--quiet", "--bare", folder, origin)
        self.git(folder, "remote", "add", "origin", f"file://{origin}")

    def push(self, folder):
        self.commit(folder)
        self.git(folder, "push", "--quiet", "origin", "HEAD:main")

    def forget(self):
        """A runner begins without the other repositories."""
        for folder in self.place.iterdir():
            if folder != self.own:
                shutil.rmtree(folder)

    def check_out(self, name):
        """As the workflow does it before it proposes."""
        self.forget()
        if name != self.name:
            self.git(self.place, "clone", "--quiet", f"file://{self.origins / name}", name)

    def run(self, script, *words, code=0, **more):
        variables = {"GH_TOKEN": "token", "APP": "scribe", "GITHUB_REPOSITORY": f"{self.owner}/{self.name}", "PULL_REQUEST": "7"}
        return self.stage.run([self.scripts / script, *words], code, cwd=self.own, **variables, **more)

    def propose(self, name, code=0):
        self.check_out(name)
        said = self.run("propose.sh", self.file, name, code=code)
        if name == self.name:
            self.git(self.own, "reset", "--quiet", "--hard", "origin/main")
        return said

    def pulls(self, name):
        return self.stage.state()["pulls"].get(f"{self.owner}/{name}", [])

    def branch(self, name):
        done = subprocess.run(
            ["git", "rev-parse", "--quiet", "--verify", f"refs/heads/{BRANCH}"],
            cwd=self.origins / name,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def at(self, name, path):
        return self.git(self.origins / name, "show", f"{BRANCH}:{path}")


def reviewing(world):
    names = world.run("names.sh", world.file).split()
    hold(names == sorted(["infrastructure", "kubernetes-manifest", "shop", world.name]), f"names.sh prints {names}")
    comment = world.stage.folder / "comment.md"

    def compare(code=0):
        world.forget()
        cloned = world.run("clone.sh", world.file) + world.stage.errors
        world.run("compare.sh", world.file, comment, code=code)
        return cloned, comment.read_text(encoding="utf-8")

    # Nothing differs.
    _, text = compare()
    hold("The repositories are what this blueprint renders." in text, f"without a change, the comment says\n{text}")
    # An application that leaves: its repository is none of those that are compared.
    file = world.own / world.file
    file.write_text(file.read_text(encoding="utf-8").replace("[applications.shop]", "[applications.store]"), encoding="utf-8")
    _, text = compare()
    hold("`shop` is no longer in the blueprint" in text, f"the comment does not say that a repository leaves:\n{text[-2000:]}")
    # Another port, and an application whose repository does not exist.
    world.write("port = 9000\n", "[applications.till]\n")
    cloned, text = compare()
    hold("/till does not exist" in cloned, f"clone.sh does not say that a repository is missing: {cloned}")
    hold("deployment.yaml" in text and "EXPOSE 9000" in text and "till" in text, f"the comment lacks a change:\n{text[:3000]}")
    marker = "<!-- blueprint -->"
    state = world.stage.state()
    foreign = f"{marker}\nwritten by somebody"
    state["comments"].append({"id": 1, "user": {"login": "somebody"}, "body": foreign})
    world.stage.keep(state)
    world.run("comment.sh", comment)
    comment.write_text("Later.\n", encoding="utf-8")
    world.run("comment.sh", comment)
    bodies = [it["body"] for it in world.stage.state()["comments"]]
    hold(bodies == [foreign, f"{marker}\nLater.\n"], f"the comments are {json.dumps(bodies)[:2000]}")
    # Everything is new: the longest comment.
    for name in ("infrastructure", "kubernetes-manifest", "shop"):
        (world.origins / name).rename(world.origins / f"{name}-away")
    _, text = compare()
    hold(len(text) > 50_000, "the comment about everything is short")
    world.run("comment.sh", comment)
    for name in ("infrastructure", "kubernetes-manifest", "shop"):
        (world.origins / f"{name}-away").rename(world.origins / name)
    # An edited file: the comment says so, and the check fails.
    world.forget()
    world.run("clone.sh", world.file)
    edit(world, "shop")
    world.write("port = 9100\n")
    _, text = compare(code=1)
    hold("Dockerfile" in text, f"the comment does not name the conflict:\n{text[:2000]}")
    # GitHub does not answer: that is not a missing repository.
    world.stage.keep(world.stage.state() | {"broken": True})
    world.forget()
    said = world.run("clone.sh", world.file, code=1)
    hold("502" in said, f"clone.sh does not show the error: {said}")
    # A blueprint with a mistake.
    world.write("prot = 9100\n")
    world.run("names.sh", world.file, code=1)


def edit(world, name):
    """Somebody pushes a change of a rendered line to main."""
    path = world.place / name / "Dockerfile"
    path.write_text(re.sub(r"^EXPOSE.*$", "EXPOSE 1", path.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")
    world.push(world.place / name)


def proposing(world):
    said = world.propose("shop")
    hold("nothing to do" in said and not world.pulls("shop"), f"without a change, propose.sh says {said}")
    world.write("port = 9000\n")
    world.push(world.own)
    commit = world.git(world.own, "rev-parse", "HEAD")
    for name in ("infrastructure", "kubernetes-manifest", "shop", world.name):
        world.propose(name)
    opened = {name: len(world.pulls(name)) for name in ("infrastructure", "kubernetes-manifest", "shop", world.name)}
    hold(
        opened == {"infrastructure": 0, "kubernetes-manifest": 1, "shop": 1, world.name: 0},
        f"the pull requests after a change of the port: {opened}",
    )
    pull = world.pulls("shop")[0]
    hold("EXPOSE 9000" in world.at("shop", "Dockerfile"), "the branch lacks what was rendered")
    hold(commit in pull["body"] and "EXPOSE 9000" in pull["body"], f"the pull request says\n{pull['body'][:2000]}")
    author = world.git(world.origins / "shop", "log", "-1", "--format=%an <%ae>", BRANCH)
    hold(author == "scribe[bot] <4711+scribe[bot]@users.noreply.github.com>", f"the author is {author}")
    # The title is one that the application's releases understand.
    world.check_out("shop")
    world.proof.run(
        ["sh", world.place / "shop" / ".github" / "scripts" / "version.sh", "title", pull["title"]], cwd=world.place / "shop"
    )
    # The same again pushes nothing.
    before = world.branch("shop")
    world.propose("shop")
    hold(world.branch("shop") == before and len(world.pulls("shop")) == 1, "the same render is pushed again")
    # Another commit of the blueprint without an effect here: the same.
    world.write("port = 9000\n# A remark.\n")
    world.push(world.own)
    world.propose("shop")
    hold(world.branch("shop") == before, "a render without a difference is pushed again")
    # A change updates the pull request.
    world.write("port = 9100\n")
    world.push(world.own)
    world.propose("shop")
    hold("EXPOSE 9100" in world.at("shop", "Dockerfile") and len(world.pulls("shop")) == 1, "the pull request is not updated")
    hold("EXPOSE 9100" in world.pulls("shop")[0]["body"], "the words of the pull request are not updated")
    # main moved on: the branch stands on it again.
    world.check_out("shop")
    (world.place / "shop" / "notes.txt").write_text("mine\n", encoding="utf-8")
    world.push(world.place / "shop")
    world.propose("shop")
    hold(world.at("shop", "notes.txt") == "mine", "the branch does not stand on main")
    # Somebody else's commit on the branch stays.
    world.check_out("shop")
    world.git(world.place / "shop", "switch", "--quiet", BRANCH)
    (world.place / "shop" / "more.txt").write_text("theirs\n", encoding="utf-8")
    world.commit(world.place / "shop")
    world.git(world.place / "shop", "push", "--quiet", "origin", BRANCH)
    before = world.branch("shop")
    world.write("port = 9200\n")
    world.push(world.own)
    said = world.propose("shop", code=1)
    hold(world.branch("shop") == before and "somebody else" in said, f"somebody's commit is overwritten: {said}")
    world.git(world.origins / "shop", "update-ref", "-d", f"refs/heads/{BRANCH}")
    # Nothing differs any more: the pull request is closed.
    world.propose("shop")
    hold(world.pulls("shop")[-1]["open"], "there is no open pull request")
    world.write("")
    world.push(world.own)
    said = world.propose("shop")
    hold(
        "nothing to do" in said and not any(it["open"] for it in world.pulls("shop")),
        f"a pull request without a change stays open: {said}",
    )
    # An edited file is a conflict, and the others are proposed.
    world.check_out("shop")
    edit(world, "shop")
    world.write("port = 9300\n")
    world.push(world.own)
    said = world.propose("shop", code=1)
    hold("Dockerfile" in said and not any(it["open"] for it in world.pulls("shop")), f"a conflict is proposed: {said}")
    world.propose("kubernetes-manifest")
    hold("9300" in world.pulls("kubernetes-manifest")[-1]["body"], "a conflict elsewhere stops a repository")
    # The repository of the blueprint itself.
    workflow = world.own / ".github" / "scripts" / "names.sh"
    workflow.unlink()
    world.push(world.own)
    world.propose(world.name)
    hold(
        len(world.pulls(world.name)) == 1 and "names.sh" in world.at(world.name, ".github/scripts/names.sh"),
        "a lost script is not proposed",
    )
    # A file below a folder that somebody ignores.
    world.check_out("kubernetes-manifest")
    (world.place / "kubernetes-manifest" / ".gitignore").write_text("apps/\n", encoding="utf-8")
    world.push(world.place / "kubernetes-manifest")
    world.write("port = 9300\n", "[applications.till]\n")
    world.push(world.own)
    world.propose("kubernetes-manifest")
    hold(world.at("kubernetes-manifest", "apps/till/base/deployment.yaml"), "an ignored file is left out")


def installing(world):
    calls = world.stage.folder / "cargo-calls"
    cargo = world.stage.folder / "bin" / "cargo"
    cargo.write_text(CARGO, encoding="utf-8")
    cargo.chmod(0o755)
    place = world.stage.folder / "program"
    place.mkdir()

    def install(code=0):
        world.run("install.sh", world.file, place, code=code, CALLS=str(calls))
        return calls.read_text().splitlines()

    wanted = f"install --quiet --locked --force --git https://github.com/acme/blueprint --rev {'0' * 40} --root {place} blueprint"
    hold(install() == [wanted], f"cargo is called with {calls.read_text()}")
    hold(len(install()) == 1, "an installed program is installed again")
    text = (world.own / world.file).read_text(encoding="utf-8")
    (world.own / world.file).write_text(text.replace("0" * 40, "1" * 40), encoding="utf-8")
    broken = calls.with_name(f"{calls.name}.broken")
    broken.touch()
    install(code=101)
    broken.unlink()
    hold(len(install()) == 3, "a failed installation counts as a program")
    hold("1" * 40 in calls.read_text().splitlines()[-1], "another commit is not installed")
