# Trivy and checkov over Terraform, CloudFormation, Dockerfiles, workflows and built Kubernetes objects. Every finding
# that is not suppressed beside its cause fails. Scanners ignore files that they cannot parse, so `terraform validate`,
# `cfn-lint` and the schemas run as well, and each scanner must have found files of every kind.
import json
import re
import shutil

import yaml

from prove.steps import Failure, Step

TRIVY_KINDS = {"terraform", "cloudformation", "dockerfile"}
CHECKOV_KINDS = {"terraform", "cloudformation", "dockerfile", "github_actions"}
REFUSED_FILES = (
    ".trivyignore",
    ".trivyignore.yaml",
    "trivy.yaml",
    ".checkov.yaml",
    ".checkov.yml",
    ".checkov.baseline",
    ".hadolint.yaml",
    ".shellcheckrc",
    "zizmor.yml",
    "zizmor.yaml",
)


def steps(proof, tree, manifests):
    sources = tree.terraform_roots + tree.cloudformation_templates + tree.dockerfiles
    yield Step("trivy", "Terraform, CloudFormation, Dockerfile", sources, lambda: trivy(proof, tree), seconds=15)
    yield Step(
        "checkov",
        "Terraform, CloudFormation, Dockerfile, workflows",
        sources + tree.workflows,
        lambda: checkov(proof, tree),
        seconds=60,
        slow=True,
    )
    yield Step("trivy kubernetes", "built objects", tree.manifests, lambda: trivy_kubernetes(proof, tree, manifests), seconds=15)
    yield Step(
        "checkov kubernetes",
        "built objects",
        tree.manifests,
        lambda: checkov_kubernetes(proof, tree, manifests),
        seconds=40,
        slow=True,
    )
    yield Step("suppressions", "", tree.files, lambda: suppressions(tree))


# ---------------------------------------------------------------- trivy


def trivy_report(proof, folder):
    command = [
        "trivy",
        "config",
        "-q",
        "--skip-check-update",
        "--skip-version-check",
        "--format",
        "json",
        "--cache-dir",
        proof.folder("trivy"),
        folder,
    ]
    return json.loads(proof.run(command).stdout).get("Results") or []


def trivy_lines(results):
    for result in results:
        for finding in result.get("Misconfigurations") or []:
            if finding["Status"] == "FAIL":
                cause = finding.get("CauseMetadata") or {}
                yield (
                    result["Target"],
                    finding["ID"],
                    f"{result['Target']}:{cause.get('StartLine', '')}: {finding['ID']} {finding['Severity']} {finding['Title']}: {finding['Message']}",
                )


def trivy(proof, tree):
    results = trivy_report(proof, sources_only(proof, tree))
    judged = {result["Type"] for result in results if (result.get("MisconfSummary") or {}).get("Successes")}
    if not judged >= TRIVY_KINDS:
        raise Failure(f"trivy judged nothing of {sorted(TRIVY_KINDS - judged)}")
    refuse(line for _, _, line in trivy_lines(results))


def sources_only(proof, tree):
    """A copy of the tree without what is not to be scanned."""
    folder = proof.folder("scan") / tree.path.name
    for path in tree.files:
        # Manifests have their own step, because a patch alone is no object and the cluster gets builds. Tests create no
        # resource, and checkov cannot parse them.
        if path not in tree.manifests and not path.name.endswith(".tftest.hcl"):
            target = folder / path.relative_to(tree.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return folder


def refuse(lines):
    lines = list(lines)
    if lines:
        raise Failure(f"{len(lines)} findings: mend the cause, or suppress each beside it with a reason\n" + "\n".join(lines))


# ---------------------------------------------------------------- checkov


def checkov_reports(proof, folder, frameworks):
    command = ["checkov", "-d", folder, "--framework", *sorted(frameworks), "--skip-download", "--compact", "--output", "json"]
    reports = json.loads(proof.run(command, cwd=proof.folder("checkov"), codes=(0, 1)).stdout)
    reports = reports if isinstance(reports, list) else [reports]
    judged = {report["check_type"] for report in reports if report.get("summary", {}).get("passed")}
    if not set(frameworks) <= judged:
        raise Failure(f"checkov judged nothing of {sorted(set(frameworks) - judged)}")
    for report in reports:
        if report["summary"]["parsing_errors"]:
            raise Failure(f"checkov could not parse {report['results'].get('parsing_errors')}")
    return reports


def checkov_findings(reports):
    for report in reports:
        for finding in report["results"]["failed_checks"]:
            lines = finding.get("file_line_range") or [""]
            yield (
                finding["file_path"].lstrip("/"),
                finding["check_id"],
                f"{finding['file_path'].lstrip('/')}:{lines[0]}: {finding['check_id']} {finding['check_name']} ({finding['resource']})",
            )


def checkov(proof, tree):
    reports = checkov_reports(proof, sources_only(proof, tree), CHECKOV_KINDS)
    refuse(line for _, _, line in checkov_findings(reports))
    for report in reports:
        for skipped in report["results"].get("skipped_checks") or []:
            if (
                not (skipped["check_result"].get("suppress_comment") or "").strip()
                or "No comment" in skipped["check_result"]["suppress_comment"]
            ):
                raise Failure(f"{skipped['file_path']}: {skipped['check_id']} is suppressed without a reason")


# ---------------------------------------------------------------- Kubernetes: the objects as built

# A build drops comments, so a suppression applies to the objects of its file.
SUPPRESSION = re.compile(r"#\s*(?:trivy:ignore:|checkov:skip=)([\w-]+)")


def normal(name):
    """Trivy writes KSV-0011, KSV0011 and AVD-KSV-0011 for one rule."""
    return name.upper().removeprefix("AVD-").replace("KSV-", "KSV").replace("KSV0", "KSV")


# Rules that need several objects, each with the check that replaces it here.
DECIDED_ELSEWHERE = {
    normal("KSV-0039"): "fires on every object that is not itself a LimitRange; `object_relations.py` asks each namespace for one",
    normal(
        "KSV-0040"
    ): "fires on every object that is not itself a ResourceQuota; `object_relations.py` asks each namespace for one",
}


def suppressed(tree):
    found = set()
    for path in tree.manifests:
        names = SUPPRESSION.findall(path.read_text(encoding="utf-8"))
        if names:
            for document in tree.documents(path):
                for name in names:
                    found.add((document.get("kind"), (document.get("metadata") or {}).get("name"), normal(name)))
    return found


def written_objects(proof, manifests):
    """Every object that the clusters get, each in a file of its own; the file's name leads back to it."""
    folder = proof.folder("objects")
    names = {}
    for number, (document, _) in enumerate(manifests.cluster_objects()):
        name = f"{number:04}.yaml"
        (folder / name).write_text(yaml.safe_dump(document, sort_keys=False))
        names[name] = (document["kind"], document["metadata"]["name"])
    if not names:
        raise Failure("no object is built")
    return folder, names


def kubernetes_lines(tree, names, findings):
    excused = suppressed(tree)
    for target, check, line in findings:
        kind, name = names[target.split("/")[-1]]
        if normal(check) not in DECIDED_ELSEWHERE and (kind, name, normal(check)) not in excused:
            yield f"{kind} `{name}`: {line.split(': ', 1)[1]}"


def trivy_kubernetes(proof, tree, manifests):
    folder, names = written_objects(proof, manifests)
    results = trivy_report(proof, folder)
    if not any(result["Type"] == "kubernetes" and result["MisconfSummary"]["Successes"] for result in results):
        raise Failure("trivy judged no object")
    refuse(sorted(set(kubernetes_lines(tree, names, trivy_lines(results)))))


def checkov_kubernetes(proof, tree, manifests):
    folder, names = written_objects(proof, manifests)
    reports = checkov_reports(proof, folder, {"kubernetes"})
    refuse(sorted(set(kubernetes_lines(tree, names, checkov_findings(reports)))))


# ---------------------------------------------------------------- suppressions

# The comments that suppress a finding. Each must be followed by a reason.
MARKS = (
    re.compile(r"#\s*checkov:skip=[\w-]+(?P<reason>.*)"),
    re.compile(r"#\s*zizmor:\s*ignore\[[\w,\s-]+\](?P<reason>.*)"),
    re.compile(r"#\s*trivy:ignore:[\w-]+(?P<reason>.*)"),
    re.compile(r"#\s*hadolint\s+(?:global\s+)?ignore=[\w,]+(?P<reason>.*)"),
    re.compile(r"#\s*shellcheck\s+disable=[\w,-]+(?P<reason>.*)"),
    re.compile(r"#\s*yamllint\s+disable\S*(?:\s+rule:\S+)*(?P<reason>.*)"),
    re.compile(r"#\s*tflint-ignore:\s*[\w,]+(?P<reason>.*)"),
    re.compile(r"<!--\s*markdownlint-disable\S*(?:\s+MD\d+)*(?P<reason>.*)"),
    re.compile(r"#\s*typos:\s*ignore(?P<reason>.*)"),
)
WORDS = re.compile(r"[A-Za-z]{3,}.*\s")


def suppressions(tree):
    """Each switches off one rule at one place and says why: on its line, or in a comment right above."""
    found = []
    for path in tree.files:
        if path.name in REFUSED_FILES:
            found.append(f"{tree.name(path)}: suppress beside the cause, not in a file apart")
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, text in enumerate(lines):
            for mark in MARKS:
                match = mark.search(text)
                if match and not WORDS.search(match["reason"] + " ") and not explained(lines, number):
                    found.append(f"{tree.name(path)}:{number + 1}: `{text.strip()}` gives no reason")
    if found:
        raise Failure("\n".join(found))


def explained(lines, number):
    """A comment in words right above, other suppressions between allowed."""
    for text in reversed(lines[:number]):
        stripped = text.strip()
        if not stripped.startswith(("#", "<!--")):
            return False
        if not any(mark.search(stripped) for mark in MARKS):
            return bool(WORDS.search(stripped.lstrip("#<!- ") + " "))
    return False
