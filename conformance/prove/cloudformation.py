# CloudFormation templates against AWS's resource schemas, by cfn-lint. Not whether AWS can deploy them.
from prove.steps import Step


def steps(proof, tree):
    templates = tree.cloudformation_templates
    # `-i I`: informational rules too, because the template is first deployed in the user's account.
    command = ["cfn-lint", "--non-zero-exit-code", "informational", "-c", "I", "--template", *templates]
    yield Step("cfn-lint", f"{len(templates)} templates", templates, lambda: proof.run(command), seconds=8)
