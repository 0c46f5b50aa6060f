# CloudFormation templates against AWS's resource schemas, by cfn-lint. Not whether AWS carries them out.
from prove.steps import Step


def steps(proof, tree):
    templates = tree.cloudformation_templates
    # `-i I`: informational rules too; a template that nobody runs until the first day has to be right on it.
    command = ["cfn-lint", "--non-zero-exit-code", "informational", "-c", "I", "--template", *templates]
    yield Step("cfn-lint", f"{len(templates)} templates", templates, lambda: proof.run(command), seconds=8)
