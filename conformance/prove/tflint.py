# tflint on every Terraform root: unused declarations, missing types, descriptions or versions. Its rules for AWS are in a separate
# plugin, which no registry has, and are not run.
from prove.proof import HERE
from prove.steps import Step

SETTINGS = HERE / "tflint.hcl"


def steps(proof, tree):
    for root in tree.terraform_roots or [None]:
        yield Step("tflint", tree.name(root) if root else "", [root] if root else [], lambda r=root: lint(proof, r), seconds=3)


def lint(proof, root):
    # It exits with 2 for any finding, including warnings and notices.
    proof.run(["tflint", f"--chdir={root}", f"--config={SETTINGS}", "--no-color", "--minimum-failure-severity=notice"])
