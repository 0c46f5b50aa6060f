# tflint on every Terraform root: what is declared and not used, what has no type, no description or no version. Its rules for AWS are a
# plugin of its own, which no registry has, and are not run.
from prove.proof import HERE
from prove.steps import Step

SETTINGS = HERE / "tflint.hcl"


def steps(proof, tree):
    for root in tree.terraform_roots or [None]:
        yield Step("tflint", tree.name(root) if root else "", [root] if root else [], lambda r=root: lint(proof, r), seconds=3)


def lint(proof, root):
    # Any finding ends it with code 2, warnings and notices too.
    proof.run(["tflint", f"--chdir={root}", f"--config={SETTINGS}", "--no-color", "--minimum-failure-severity=notice"])
