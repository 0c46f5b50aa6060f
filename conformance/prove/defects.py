# The defects that the self-test plants, each with the checks that must refuse it. A defect is placed by what a file is,
# not by its name, so that it fits every tree; a place that cannot be found is a failure.
import dataclasses
import re
import typing

from prove.steps import Failure

WHOLE_LIVES = {f"{program} {kind}" for program in ("terraform", "tofu") for kind in ("test", "apply", "backend")} | {
    "repositories agree"
}
BUILDS = {
    "kustomize build",
    "schemas of builds",
    "patches hit",
    "flux graph",
    "files reached",
    "objects fit each other",
    "rules applied",
    "upstream alerts",
    "repositories agree",
    "helm values",
    "trivy kubernetes",
    "checkov kubernetes",
    "validate script",
    "difference script",
}


def both(*kinds):
    return {f"{program} {kind}" for program in ("terraform", "tofu") for kind in kinds}


@dataclasses.dataclass
class Defect:
    name: str
    expect: set[str]  # kinds of steps that must refuse it
    plant: typing.Callable  # takes the copied tree, returns the paths it touched
    also: set[str] = dataclasses.field(default_factory=set)  # kinds that may refuse it too, as a consequence


# ---------------------------------------------------------------- how to change a tree


def change(paths, pattern, replacement):
    """Replaces the first match in the first of the files that has one."""
    for path in paths:
        text = path.read_text(encoding="utf-8")
        changed, count = re.subn(pattern, replacement, text, count=1, flags=re.M)
        if count:
            path.write_text(changed, encoding="utf-8")
            return [path]
    raise Failure(f"no file has `{pattern}`, so this defect has no place: choose another in `prove/defects.py`")


def append(paths, text):
    if not paths:
        raise Failure("there is no file to plant this defect in: choose another place in `prove/defects.py`")
    with open(paths[0], "a", encoding="utf-8") as file:
        file.write(text)
    return [paths[0]]


def smallest_root(tree):
    return min(tree.terraform_roots, key=lambda root: sum(path.stat().st_size for path in root.glob("*.tf")))


def terraform_file(text, name="defect.tf"):
    def plant(tree):
        path = smallest_root(tree) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return [path]

    return plant


def terraform_sources(tree):
    return [path for root in tree.terraform_roots for path in sorted(root.glob("*.tf"))]


def of_kind(tree, kind):
    """Whole manifests of a kind; patches of it are not."""
    patches = {
        (path.parent / name).resolve()
        for path in tree.kustomization_files
        for name in re.findall(r"\bpath:\s*(\S+)", path.read_text(encoding="utf-8"))
    }
    return [
        path
        for path in tree.manifests
        if path.resolve() not in patches and re.search(rf"^kind: {kind}$", path.read_text(encoding="utf-8"), re.M)
    ]


def application_base(tree):
    """The folder that holds an application's Deployment."""
    for path in of_kind(tree, "Deployment"):
        if (path.parent / "kustomization.yaml").is_file():
            return path.parent
    raise Failure("no folder has a Deployment and a kustomization")


def listed_manifest(text):
    """Adds an object to an application's base, as a person would."""

    def plant(tree):
        base = application_base(tree)
        service = next(
            document
            for path in sorted(base.glob("*.yaml"))
            for document in tree.documents(path)
            if document.get("kind") == "Service"
        )
        names = {
            "name": service["metadata"]["name"],
            "namespace": service["metadata"]["namespace"],
            "port": service["spec"]["ports"][0]["port"],
        }
        path = base / "defect.yaml"
        path.write_text(text.format(**names), encoding="utf-8")
        return [path, *change([base / "kustomization.yaml"], r"^resources:\n", "resources:\n  - defect.yaml\n")]

    return plant


def unlisted_manifest(tree):
    path = application_base(tree) / "defect.yaml"
    path.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: defect\n  namespace: default\n", encoding="utf-8")
    return [path]


def layers(tree):
    """Files with Flux Kustomizations."""
    return [
        path
        for path in tree.manifests
        if re.search(r"^apiVersion: kustomize\.toolkit\.fluxcd\.io/", path.read_text(encoding="utf-8"), re.M)
    ]


def missing_patch(tree):
    paths = [
        path
        for path in tree.kustomization_files
        if "overlays" in path.parts and re.search(r"^patches:\n", path.read_text(encoding="utf-8"), re.M)
    ]
    entry = "patches:\n  - target:\n      kind: Deployment\n      name: defect\n    patch: |-\n      - op: remove\n        path: /spec/replicas\n"
    return change(paths, r"^patches:\n", entry)


def service_selector(tree):
    return change(of_kind(tree, "Service"), r"^(  selector:\n    [^:\n]+: ).*$", r"\1defect")


def dockerfile_latest(tree):
    return change(tree.dockerfiles, r"^FROM (--\S+ )*([^\s:@]+/[^\s:@]+|[^\s:@]+):\S+", r"FROM \1\2:latest")


def unread_file(tree):
    path = tree.terraform_repositories[0] / "defect.unknown"
    path.write_text("nothing reads this\n", encoding="utf-8")
    return [path]


def no_tests(tree):
    root = smallest_root(tree)
    paths = sorted((root / "tests").glob("*.hcl"))
    for path in paths:
        path.unlink()
    if not paths:
        raise Failure("the root has no tests")
    return paths


def image_certificates(tree):
    """Not those of the Jobs, whose clients would fail with them."""
    return [path for path in tree.certificates if path.parent.name == "certificates"]


def script(tree, name):
    return [repository / "scripts" / name for repository in tree.terraform_repositories]


def named(tree, name):
    return [path for path in tree.scripts if path.name == name]


def go_sources(tree):
    return [path for repository in tree.starters for path in sorted(repository.glob("*.go"))]


def manifest_script(tree, name):
    return [repository / "scripts" / name for repository in tree.manifest_repositories]


def login_script(tree, name):
    return [path for path in tree.files if path.name == name and path.parent.parent.name == "databases"]


def logged_password(tree):
    """As in a first attempt."""
    touched = change(login_script(tree, "login.sql"), r"^\\password `.*`$", "ALTER ROLE :\"login\" PASSWORD :'password';")
    return touched + change(
        login_script(tree, "login.sh"), r"^    --set=database=", '    --set=password="$password" --set=database='
    )


DIAGRAM = "\n```mermaid\nflowchart LR\n  a[unclosed --> b\n```\n"
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: defect
  namespace: {namespace}
spec:
  rules:
    - host: defect.example.com
      http:
        paths:
          - path: /
            pathType: prefix
            backend:
              service:
                name: {name}
                port:
                  number: {port}
"""
UNKNOWN_KIND = "apiVersion: example.com/v1\nkind: Defect\nmetadata:\n  name: {name}\n  namespace: {namespace}\n"
FAILING_TEST = 'run "defect" {\n  command = plan\n\n  assert {\n    condition     = path.module == "nowhere"\n    error_message = "planted"\n  }\n}\n'
TOPIC = 'resource "aws_sns_topic" "defect" {\n  name = "defect"\n}\n'

DEFECTS = [
    # Terraform and OpenTofu
    Defect("HCL that is not formatted", both("fmt"), terraform_file("locals {\n  defect=1\n}\n"), {"tflint"}),
    Defect("a local that nothing reads", {"tflint"}, terraform_file("locals {\n  defect = 1\n}\n")),
    Defect(
        "an argument that the provider does not know",
        both("validate"),
        terraform_file('data "aws_caller_identity" "defect" {\n  nope = 1\n}\n'),
        WHOLE_LIVES | {"tflint"},
    ),
    Defect(
        "a value outside an enum",
        both("validate"),
        lambda tree: change(terraform_sources(tree), r'(traffic_type\s+= )"ALL"', r'\1"EVERYTHING"'),
        WHOLE_LIVES,
    ),
    Defect("a test that fails", both("test"), terraform_file(FAILING_TEST, "tests/defect.tftest.hcl")),
    Defect("a root without tests", both("test"), no_tests),
    Defect(
        "a second plan with changes",
        both("apply"),
        terraform_file('resource "terraform_data" "defect" {\n  input = timestamp()\n}\n'),
        both("backend"),
    ),
    Defect(
        "a misspelt backend argument",
        {"backend blocks"} | both("backend"),
        lambda tree: change(sorted(smallest_root(tree).glob("*.tf")), r"use_lockfile( +)=", r"use_lockfil \1="),
    ),
    # Policies
    Defect(
        "a condition key that its action does not know",
        {"policies documented"},
        lambda tree: change(tree.cloudformation_templates, r"iam:PassedToService(: eks)", r"iam:AWSServiceName\1"),
    ),
    Defect(
        "an action that AWS does not know",
        {"policies documented"},
        lambda tree: change(tree.cloudformation_templates, r"- ec2:CreateVpc$", "- ec2:CreateVpcs"),
        {"cfn-lint"},
    ),
    Defect(
        "a resource that no action is about",
        {"policies documented"},
        lambda tree: change(tree.cloudformation_templates, r":elastic-ip/\*", ":elastic-ips/*"),
        {"cfn-lint"},
    ),
    Defect(
        "a boundary that takes a right of AWS's own policies away",
        {"policies documented"},
        lambda tree: change(tree.cloudformation_templates, r"^ +- ecr:BatchGetImage\n", ""),
    ),
    Defect(
        "a condition key of another service in a key policy",
        {"policies documented"},
        lambda tree: change(terraform_sources(tree), r'"kms:EncryptionContext:aws:logs:arn"', '"logs:EncryptionContext"'),
        WHOLE_LIVES,
    ),
    # Scanners
    Defect("an unencrypted topic", {"trivy", "checkov"}, terraform_file(TOPIC), WHOLE_LIVES),
    Defect(
        "a property that CloudFormation does not know",
        {"cfn-lint"},
        lambda tree: change(
            tree.cloudformation_templates, r"^( +)AssumeRolePolicyDocument:", r"\1Defect: true\n\1AssumeRolePolicyDocument:"
        ),
        {"trivy", "checkov"},
    ),
    Defect(
        "privilege escalation in a container",
        {"trivy kubernetes", "checkov kubernetes"},
        lambda tree: change(of_kind(tree, "Deployment"), r"allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
    ),
    Defect(
        "a suppression without a reason",
        {"suppressions"},
        lambda tree: append([min(smallest_root(tree).glob("*.tf"))], "\n#trivy:ignore:AWS-0001\n"),
    ),
    # Manifests
    Defect(
        "a resource that is not there",
        {"kustomize build"},
        lambda tree: change([application_base(tree) / "kustomization.yaml"], r"^resources:\n", "resources:\n  - nowhere.yaml\n"),
        BUILDS,
    ),
    Defect(
        "an unknown Kubernetes field",
        {"schemas of files", "schemas of builds", "validate script"},
        lambda tree: change(of_kind(tree, "Deployment"), r"^spec:\n", "spec:\n  replica: 3\n"),
    ),
    Defect(
        "a rule in CEL that is broken",
        {"validate script"},
        lambda tree: change(of_kind(tree, "FluxInstance"), r"^  name: flux$", "  name: main"),
    ),
    Defect(
        "a wrong enum value",
        {"schemas of files", "schemas of builds"},
        listed_manifest(INGRESS),
        {"checkov kubernetes", "trivy kubernetes", "validate script"},
    ),
    Defect("an unknown kind", {"schemas of files", "schemas of builds"}, listed_manifest(UNKNOWN_KIND), {"validate script"}),
    Defect("a patch that meets nothing", {"patches hit"}, missing_patch),
    Defect(
        "a dependency that does not exist",
        {"flux graph"},
        lambda tree: change(layers(tree), r"(dependsOn:\n\s+- name: ).*$", r"\1defect"),
    ),
    Defect(
        "a path that does not exist",
        {"flux graph", "files reached"},
        lambda tree: change(layers(tree), r"^(\s+path: ).*$", r"\1./clusters/defect"),
        BUILDS,
    ),
    Defect(
        "a layer in which one application's store stops all",
        {"flux graph"},
        lambda tree: change(
            layers(tree), r"^(  path: \./clusters/\w+/tenants\n  prune: true\n(?:  #.*\n)*  wait: )false$", r"\g<1>true"
        ),
    ),
    Defect("a manifest that nothing names", {"files reached"}, unlisted_manifest),
    Defect("a selector that matches nothing", {"objects fit each other"}, service_selector),
    Defect(
        "a Secret that nobody makes",
        {"objects fit each other"},
        lambda tree: change(of_kind(tree, "Deployment"), r"(imagePullSecrets:\n\s+- name: )\S+", r"\1defect"),
    ),
    Defect(
        "a secret that nobody puts",
        {"repositories agree"},
        lambda tree: change(of_kind(tree, "ExternalSecret"), r"^(\s+key: /\S+)$", r"\1-defect"),
    ),
    Defect(
        "a role that nobody makes",
        {"repositories agree"},
        lambda tree: change(of_kind(tree, "ServiceAccount"), r"^(\s+eks\.amazonaws\.com/role-arn: \".*)\"$", r'\1-defect"'),
    ),
    Defect(
        "a value that the chart does not know",
        {"helm values"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r"^  values:\n", "  values:\n    defect: true\n"),
    ),
    Defect(
        "a time that Alertmanager does not read",
        {"alertmanager routes"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r"^(\s+resolve_timeout: ).*$", r"\1soon"),
    ),
    Defect(
        "something of interest alone that calls a person",
        {"alertmanager routes"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r'severity =~ "info\|none"', 'severity = "defect"'),
    ),
    Defect(
        "a notification that leaves out what Flux says",
        {"alert messages"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r"\.Annotations\.message", ".Annotations.text"),
    ),
    Defect(
        "an alert of the chart that fires without a fault",
        {"upstream alerts"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r"^( +)KubeCPUOvercommit: true$", r"\1KubeCPUOvercommit: false"),
    ),
    Defect(
        "a quota that is used up from the first day",
        {"upstream alerts"},
        lambda tree: change(
            [path for path in of_kind(tree, "ResourceQuota") if "overprovisioning" in path.parts],
            r'^    pods: "\d+"$',
            '    pods: "1"',
        ),
        {"objects fit each other"},
    ),
    Defect(
        "a flag that a program does not know",
        {"helm values"},
        lambda tree: change(
            of_kind(tree, "HelmRelease"), r"^(    extraArgs:\n(?: +#.*\n)*)      ", r"\1      defect: true\n      "
        ),
    ),
    Defect(
        "a part of a probe that the chart does not know",
        {"helm values"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r"^(    livenessProbe:\n)      enabled: ", r"\1      defect: "),
    ),
    # Alerts and dashboards
    Defect(
        "a rule that does not parse",
        {"alert rules", "alert cases"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"^( +and)$", r"\1 and"),
    ),
    Defect(
        "an alert that never fires",
        {"alert cases"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"(status_replicas_available\{.*\}) == 0$", r"\1 < 0"),
    ),
    Defect(
        "an alert that fires at once",
        {"alert cases"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"^( +for: )15m$", r"\g<1>1m"),
        {"alert rules"},
    ),
    Defect(
        "words that name another duration than the rule",
        {"alert rules"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"for 30 minutes", "for an hour"),
    ),
    Defect(
        "a heartbeat that is left out every second time",
        {"alertmanager routes"},
        lambda tree: change(of_kind(tree, "HelmRelease"), r"repeat_interval: 50s$", "repeat_interval: 1m"),
    ),
    Defect(
        "an alert that nobody tried",
        {"alert cases"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"- alert: DeploymentDown$", "- alert: DeploymentGone"),
    ),
    Defect(
        "words that speak of a label that is not there",
        {"alert cases"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"(summary: .*)\$labels\.deployment ", r"\1$labels.rollout "),
    ),
    Defect(
        "an alert that does not say what to do",
        {"alert rules"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"runbook: >-$", "notes: >-"),
    ),
    Defect(
        "a metric that nobody exports",
        {"metrics", "alert cases"},
        lambda tree: change(of_kind(tree, "PrometheusRule"), r"kube_job_failed", "kube_job_broken"),
    ),
    Defect(
        "rules that no list names",
        {"rules applied", "files reached"},
        lambda tree: change(
            [path for path in tree.kustomization_files if path.parent.name == "rules"], r"^  - workloads\.yaml\n", ""
        ),
    ),
    Defect(
        "a panel whose query does not parse",
        {"dashboards"},
        lambda tree: change(of_kind(tree, "ConfigMap"), r'"expr": "sum\(', '"expr": "sum(('),
    ),
    # Workflows
    Defect(
        "an action that is not pinned",
        {"actions pinned", "zizmor"},
        lambda tree: change(tree.workflows, r"@[0-9a-f]{40} # v(\d+)\S*", r"@v\1"),
        {"checkov"},
    ),
    Defect(
        "a runner that does not exist",
        {"actionlint"},
        lambda tree: change(tree.workflows, r"runs-on: ubuntu-24\.04", "runs-on: ubuntu-24.40"),
    ),
    Defect(
        "a misspelt key of a job",
        {"workflow schema", "actionlint"},
        lambda tree: change(tree.workflows, r"timeout-minutes:", "timeout-minute:"),
        {"checkov", "zizmor"},
    ),
    Defect(
        "a checkout that keeps its token",
        {"zizmor"},
        lambda tree: change(tree.workflows, r"persist-credentials: false", "persist-credentials: true"),
        {"checkov"},
    ),
    Defect(
        "a key that stands twice",
        {"yamllint", "actionlint"},
        lambda tree: append(tree.workflows, "name: again\n"),
        {"workflow schema", "zizmor", "checkov"},
    ),
    # Images, scripts, words
    Defect("a base image without a version", {"hadolint", "base images"}, dockerfile_latest, {"trivy", "checkov"}),
    Defect(
        "an image from Docker Hub",
        {"image registries"},
        lambda tree: change(tree.dockerfiles, r"public\.ecr\.aws/docker/library/", "docker.io/library/"),
    ),
    Defect(
        "a word that the shell splits",
        {"shellcheck"},
        lambda tree: append(tree.scripts, "echo ${1-}\n"),
        {
            "tunnel",
            "plan comment",
            "drift issue",
            "older plans",
            "still main",
            "preflight",
            "difference script",
            "difference comment",
            "validate script",
        },
    ),
    Defect(
        "a feature that raises no version", {"release version"}, lambda tree: change(tree.scripts, r"level == 2 \{", "level == 4 {")
    ),
    Defect(
        "a tunnel that takes any certificate",
        {"tunnel"},
        lambda tree: change(script(tree, "tunnel"), r'--cacert "\$folder/ca\.pem"', "--insecure"),
        {"shellcheck"},
    ),
    Defect(
        "a session that outlives its command",
        {"tunnel"},
        lambda tree: change(script(tree, "tunnel"), r"^trap 'end_session; ", "trap '"),
    ),
    Defect(
        "a comment that shows a password",
        {"plan comment", "drift issue"},
        lambda tree: change(script(tree, "plan-comment"), r"password\|passwd\|", "passwd|"),
    ),
    Defect(
        "a comment that is too long",
        {"plan comment", "drift issue"},
        lambda tree: change(script(tree, "plan-comment"), r"^limit=60000", "limit=600000"),
    ),
    Defect(
        "an issue that is never closed",
        {"drift issue"},
        lambda tree: change(script(tree, "drift-issue"), r'state: "closed"', 'state: "open"'),
    ),
    Defect(
        "an older plan that nobody names",
        {"older plans"},
        lambda tree: change(script(tree, "older-plans"), r"select\(\.id < \$run\)", "select(.id > $run)"),
    ),
    Defect(
        "a quota that is compared with nothing",
        {"preflight"},
        lambda tree: change(script(tree, "preflight"), r"VCpuInfo\.DefaultVCpus", "VCpuInfo.Processors"),
    ),
    Defect(
        "a plan that main has left behind",
        {"still main"},
        lambda tree: change(script(tree, "still-main"), r"for root in platform gitops", "for root in platform"),
        {"shellcheck"},
    ),
    Defect(
        "a difference of which half is dropped",
        {"difference script"},
        lambda tree: change(manifest_script(tree, "difference"), r"before after >", "after after >"),
    ),
    Defect(
        "a difference that is too long to post",
        {"difference comment"},
        lambda tree: change(manifest_script(tree, "difference-comment"), r"^limit=60000", "limit=600000"),
    ),
    Defect(
        "a difference that is posted again and again",
        {"difference comment"},
        lambda tree: change(manifest_script(tree, "difference-comment"), r"github-actions\[bot\]", "nobody"),
    ),
    Defect(
        "a teardown that takes other clusters' load balancers",
        {"teardown"},
        lambda tree: change(script(tree, "teardown"), r"cluster' && Value=='\$name'", "cluster' && starts_with(Value, '$name')"),
    ),
    Defect("a password that the server logs", {"logins"}, logged_password),
    Defect(
        "a login that is never taken away",
        {"logins"},
        lambda tree: change(login_script(tree, "login.sql"), r"EXECUTE format\('DROP ROLE %I', login\);", "NULL;"),
    ),
    Defect(
        "a master that may not become the owner",
        {"logins"},
        lambda tree: change(login_script(tree, "login.sql"), r"^  EXECUTE format\('GRANT %I TO CURRENT_USER', owner\).*$", ""),
    ),
    Defect(
        "a client that takes any server",
        {"logins"},
        lambda tree: change(of_kind(tree, "Job"), r"value: verify-full$", "value: verify-ca"),
    ),
    Defect(
        "an authority under another's name",
        {"certificates"},
        lambda tree: change(image_certificates(tree), r"^# Amazon RDS \S+ Root", "# Amazon RDS us-gov-west-1 Root"),
    ),
    Defect(
        "certificates that a client cannot read to their end",
        {"certificates"},
        lambda tree: change(image_certificates(tree), r"^M.{62}\w$", "-----BEGIN OTHER-----"),
    ),
    Defect(
        "a quoted note that breaks something",
        {"release version"},
        lambda tree: change(named(tree, "version.sh"), r"last == 0 \|\| lines\[first\]", "last == 0 || $2"),
    ),
    Defect(
        "notes that GitHub refuses",
        {"release version"},
        lambda tree: change(named(tree, "version.sh"), r"^limit=120000", "limit=1200000"),
    ),
    Defect(
        "a title that no release understands",
        {"release version"},
        lambda tree: change(named(tree, "version.sh"), r"END \{ exit !known \}", "END { exit 0 }"),
    ),
    Defect(
        "a release that needs a right over workflows",
        {"tag and release"},
        lambda tree: change(named(tree, "release.sh"), r"--verify-tag", '--target "$GITHUB_SHA"'),
    ),
    Defect(
        "a release that moves a published tag",
        {"publish"},
        lambda tree: change(named(tree, "publish.sh"), r'"\$tagged" != "\$digest" \]', '"$tagged" = none ]'),
    ),
    Defect(
        "a tag before its signature",
        {"publish"},
        lambda tree: change(
            named(tree, "publish.sh"), r'"oci:\$layout" "docker://\$image@\$digest"', '"oci:$layout" "docker://$image:$version"'
        ),
    ),
    Defect(
        "an image that does not say where it comes from",
        {"publish", "deliver"},
        lambda tree: change(named(tree, "verify.sh"), r"cosign verify-attestation", "true"),
    ),
    Defect(
        "a delivery of what nobody signed",
        {"deliver"},
        lambda tree: change(named(tree, "deliver.sh"), r'^sh "\$\(dirname "\$0"\)/verify\.sh" "\$digest"$', ""),
    ),
    Defect(
        "a merge of what somebody else pushed",
        {"deliver"},
        lambda tree: change(named(tree, "deliver.sh"), r'--squash --match-head-commit "\$commit"$', "--squash"),
    ),
    Defect(
        "a release that signs without its SBOM",
        {"publish"},
        lambda tree: change(named(tree, "publish.sh"), r"cosign attest --yes --type spdxjson", "true"),
    ),
    Defect(
        "a delivery that goes back",
        {"deliver"},
        lambda tree: change(named(tree, "deliver.sh"), r'\[ "\$later" = "\$current" \]', '[ "$version" = "$current" ]'),
        {"shellcheck"},
    ),
    Defect(
        "a proposal over somebody's commits",
        {"propose a render"},
        lambda tree: change(named(tree, "propose.sh"), r'\[ "\$others" -ne 0 \]', '[ "$others" -lt 0 ]'),
    ),
    Defect(
        "a comment over somebody's",
        {"review a blueprint"},
        lambda tree: change(named(tree, "comment.sh"), r'\.user\.login == "github-actions\[bot\]" and ', ""),
    ),
    Defect(
        "a conflict that passes the review",
        {"review a blueprint"},
        lambda tree: change(named(tree, "compare.sh"), r'-eq 3 \] \|\| exit "\$status"$', '-ge 1 ] || exit "$status"'),
    ),
    Defect(
        "a program of another commit",
        {"install the program"},
        lambda tree: change(named(tree, "install.sh"), r'= "\$source \$revision" \]', '!= "" ]'),
        {"shellcheck"},
    ),
    Defect(
        "a program that drops open connections",
        {"starter", "starter with database"},
        lambda tree: change(go_sources(tree), r"drainFor = \d+", "drainFor = 0"),
    ),
    Defect(
        "a program that trusts any database",
        {"starter with database"},
        lambda tree: change(go_sources(tree), r"ServerName: settings\.host,", "InsecureSkipVerify: true,"),
        {"starter tests"},
    ),
    Defect(
        "a program that keeps connections while it stops",
        {"starter tests"},
        lambda tree: change(go_sources(tree), r'\.Set\("Connection", "close"\)', '.Set("Connection", "keep-alive")'),
        {"starter", "starter with database"},
    ),
    Defect("a diagram that does not parse", {"mermaid"}, lambda tree: append(tree.markdown, DIAGRAM)),
    Defect("blank lines without end", {"markdownlint"}, lambda tree: append(tree.markdown, "\n\n\n\nText.\n")),
    Defect("a command that the shell splits", {"commands"}, lambda tree: append(tree.markdown, "\n```sh\nrm $file\n```\n")),
    Defect("a link that leads nowhere", {"links"}, lambda tree: append(tree.markdown, "\n[Text](nowhere.md)\n")),
    Defect("a misspelt word", {"typos"}, lambda tree: append(tree.markdown, "\nRecieve it.\n")),
    Defect("a file that nothing reads", {"nothing unread"}, unread_file),
]
