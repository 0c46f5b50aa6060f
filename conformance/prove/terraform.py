# Terraform and OpenTofu on every root: format, init, validate, tests, and everything from plan to destroy.
# AWS is not called: a well-formed value that AWS would refuse passes.
import contextlib
import re
import threading

from prove.steps import Failure, Step

PROGRAMS = ("terraform", "tofu")
# Without facts real providers are fetched, into one folder that two programs must not fill at once.
FETCHING = threading.Lock()
LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


def environment(proof, **more):
    settings = {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_CONFIG_FILE": "/dev/null",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }
    if proof.providers:
        settings["TF_REATTACH_PROVIDERS"] = proof.providers
    else:
        settings["TF_PLUGIN_CACHE_DIR"] = str(proof.providers_folder)
    return proof.environment(**settings)


class Root:
    """A copy of the repository that a root lies in, for one program; nothing is ever written into the tree."""

    def __init__(self, proof, tree, root, program):
        self.proof, self.program = proof, program
        repository = tree.repository_of(root)
        self.folder = proof.copy(repository, program) / root.relative_to(repository)

    def __call__(self, *arguments, codes=(0,), **more):
        return self.proof.run([self.program, *arguments], cwd=self.folder, codes=codes, environment=environment(self.proof, **more))

    def initialise(self, *arguments):
        with FETCHING if not self.proof.facts else contextlib.nullcontext():
            self("init", *arguments)

    def use_local_backend(self):
        (self.folder / "conformance_override.tf").write_text(LOCAL_BACKEND)

    def answer_variables(self):
        """Values for variables without a default: those that the root's own tests give."""
        text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*.tf")))
        blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.S | re.M)
        wanted = {name for name, body in blocks if not re.search(r"^  default\s*=", body, re.M)}
        for path in sorted(self.folder.glob("tests/*.tftest.hcl")):
            given = re.search(r"^variables \{\n(.*?)^\}", path.read_text(encoding="utf-8"), re.S | re.M)
            if wanted and given:
                (self.folder / "conformance.auto.tfvars").write_text(given[1])
                return
        if wanted:
            raise Failure(f"no test gives values for {sorted(wanted)}: write a `variables` block at the head of one in `tests/`")

    def expect(self, text, done):
        if text not in done.stdout:
            raise Failure(f"`{self.program}` did not say `{text}`\n{done.stdout}{done.stderr}")


def steps(proof, tree):
    for program in PROGRAMS:
        for repository in tree.terraform_repositories or [None]:
            yield Step(
                f"{program} fmt",
                tree.name(repository) if repository else "",
                [repository] if repository else [],
                lambda p=program, r=repository: check_format(proof, p, r),
            )
        for root in tree.terraform_roots:
            where, reads = tree.name(root), [root]
            real = not proof.facts  # providers, which come from their registry
            yield Step(
                f"{program} validate",
                where,
                reads,
                lambda p=program, r=root: validate(proof, tree, r, p),
                seconds=4,
                internet=real,
            )
            # The providers are mocked in tests, so real ones need no account.
            yield Step(
                f"{program} test",
                where,
                reads,
                lambda p=program, r=root: test(proof, tree, r, p),
                seconds=30,
                internet=real,
                slow=True,
            )
            if proof.facts:
                yield Step(
                    f"{program} apply",
                    where,
                    reads,
                    lambda p=program, r=root: whole_life(proof, tree, r, p),
                    seconds=31,
                    slow=True,
                )


def check_format(proof, program, repository):
    done = proof.run(
        [program, "fmt", "-check", "-recursive", "-diff", "-no-color", repository],
        codes=(0, 2, 3),
        environment=environment(proof, TF_CLI_ARGS=""),
    )
    if done.returncode or done.stdout.strip():
        raise Failure(f"run `terraform fmt`, or correct the template\n{done.stdout}{done.stderr}")


def validate(proof, tree, root, program):
    terraform = Root(proof, tree, root, program)
    # The unchanged backend block; no network is used.
    terraform.initialise("-backend=false")
    terraform("validate")


def test(proof, tree, root, program):
    terraform = Root(proof, tree, root, program)
    terraform.initialise("-backend=false")
    done = terraform("test")
    result = re.search(r"Success! (\d+) passed, 0 failed(, (\d+) skipped)?", done.stdout)
    if not result or int(result[1]) == 0 or int(result[3] or 0):
        raise Failure(f"no test ran, or one was skipped: add one to `tests/` of the root\n{done.stdout}{done.stderr}")


def whole_life(proof, tree, root, program):
    """Plan, apply exactly that plan, an empty second plan, destroy."""
    with live(Root(proof, tree, root, program)):
        pass


@contextlib.contextmanager
def live(terraform):
    """A root from its plan to its destruction; within, it is applied."""
    terraform.use_local_backend()
    terraform.initialise()
    terraform.answer_variables()
    terraform("plan", "-detailed-exitcode", "-out=saved.plan", codes=(2,))
    terraform.expect("Apply complete!", terraform("apply", "saved.plan"))
    second = terraform("plan", "-detailed-exitcode", codes=(0, 2))
    if second.returncode == 2:
        raise Failure(f"the second plan is not empty: what was applied does not hold\n{second.stdout}")
    yield
    terraform.expect("Destroy complete!", terraform("destroy", "-auto-approve"))
