# Alert rules and dashboards: each rule is valid, fires when it must and is silent when it must be (`conformance/alerts/`), each
# query of a dashboard parses, and each metric has a public source (`conformance/metrics.toml`). Not whether the metric is scraped.
import functools
import json
import re
import tomllib

import yaml

from prove import yaml_reader
from prove.manifests import kind_of, name_of, namespace_of
from prove.proof import HERE
from prove.steps import Failure, Step

RULES = "monitoring.coreos.com/v1/PrometheusRule"
SEVERITIES = ("critical", "warning")
ANNOTATIONS = {"summary", "description", "runbook"}
# The parts of a query besides names of metrics.
WORDS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}


def steps(proof, tree, manifests):
    """None without monitoring."""
    files = [path for path in tree.manifests if re.search(r"^kind: PrometheusRule$", path.read_text(encoding="utf-8"), re.M)]
    boards = [path for path in tree.manifests if re.search(r"^ +grafana_dashboard:", path.read_text(encoding="utf-8"), re.M)]
    if files:
        yield Step("alert rules", f"{len(files)} files", files, lambda: check_rules(proof, tree, files))
        yield Step("alert cases", f"{len(files)} files", files, lambda: try_rules(proof, tree, files), seconds=4)
        yield Step(
            "rules applied",
            f"{len(tree.clusters)} clusters",
            [*files, *tree.kustomization_files],
            lambda: check_applied(tree, manifests, files),
        )
    if boards:
        yield Step("dashboards", f"{len(boards)} dashboards", boards, lambda: check_dashboards(proof, tree, boards))
    if files or boards:
        yield Step("metrics", f"{len(files + boards)} files", [*files, *boards], lambda: check_metrics(tree, files, boards))


def promtool(proof, command, content, where):
    """Runs the tool on a file, and replaces the name of that file in its messages."""
    path = proof.folder("alerts") / "file.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    try:
        proof.run(["promtool", *command, path], cwd=path.parent)
    except Failure as refusal:
        raise Failure(f"{where}: {str(refusal).replace(str(path), where)}") from None


def groups(tree, path):
    return [
        group
        for document in tree.documents(path)
        if kind_of(document) == RULES
        for group in (document.get("spec") or {}).get("groups") or []
    ]


def rules(tree, path):
    return [rule for group in groups(tree, path) for rule in group["rules"]]


def raise_all(mistakes):
    if mistakes:
        raise Failure("\n".join(mistakes))


# ---------------------------------------------------------------- rules


def check_rules(proof, tree, files):
    """For Prometheus, and for readers."""
    mistakes, names = [], {}
    for path in files:
        where = tree.name(path)
        promtool(proof, ["check", "rules", "--lint=all", "--lint-fatal"], {"groups": groups(tree, path)}, where)
        for rule in rules(tree, path):
            name = rule.get("alert")
            if not name:
                continue
            cluster = path.relative_to(tree.repository_of(path)).parts[1]
            if names.setdefault((cluster, name), where) != where or sum(it.get("alert") == name for it in rules(tree, path)) > 1:
                mistakes.append(f"{where}: {name}: two rules have this name: choose another")
            if (rule.get("labels") or {}).get("severity") not in SEVERITIES:
                mistakes.append(f"{where}: {name}: its `severity` is none of {', '.join(SEVERITIES)}")
            lacking = ANNOTATIONS - {key for key, text in (rule.get("annotations") or {}).items() if text}
            if lacking:
                mistakes.append(f"{where}: {name}: it lacks {', '.join(sorted(lacking))}")
            mistakes += [f"{where}: {name}: {words}" for words in otherwise_lasting(rule)]
            if not rule.get("for"):
                mistakes.append(f"{where}: {name}: it fires at a single measurement: write `for`")
    raise_all(mistakes)


NUMBERS = {"a": 1, "an": 1, "half an": 0.5, "a quarter of an": 0.25, "three quarters of an": 0.75}
NUMBERS |= {
    word: number
    for number, word in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], 2)
} | {"twenty": 20}
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(rf"\bfor (more than )?(\d+|{'|'.join(sorted(NUMBERS, key=len, reverse=True))}) (second|minute|hour|day)s?\b")


def otherwise_lasting(rule):
    """Whether its text names another duration than `for` and the age in its expression."""
    lasts = sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhd])", rule.get("for") or ""))
    lasts += max([0, *(int(age) for age in re.findall(r"time\(\)[^<>]*> (\d+)", rule["expr"]))])
    for words in (rule.get("annotations") or {}).values():
        for more, number, unit in DURATION.findall(words):
            said = float(NUMBERS.get(number) or number) * SECONDS[unit]
            if said != lasts and not (more and lasts / 2 <= said <= lasts):
                yield f"its words say `for {more}{number} {unit}`, and it fires after {lasts} s"


def check_applied(tree, manifests, files):
    """What Flux applies is what was tried: a rule that no list names would never be seen."""
    applied = {
        (cluster.name, name_of(document))
        for cluster in tree.clusters
        for document, _ in manifests.objects(cluster)
        if kind_of(document) == RULES
    }
    mistakes = []
    for path in files:
        # An application's rules are in the overlays of environments with monitoring.
        place, cluster = path.relative_to(tree.repository_of(path)).parts[:2]
        known = {name for where, name in applied if where == cluster or place == "apps"}
        for document in tree.documents(path):
            if kind_of(document) == RULES and name_of(document) not in known:
                mistakes.append(f"{tree.name(path)}: {namespace_of(document)}/{name_of(document)} is applied to no cluster")
    raise_all(mistakes)


# ---------------------------------------------------------------- cases


@functools.cache
def cases(name, application=""):
    """By alert: `fires` or `silent` says when, `series` what is measured each minute, `after` how long, `quiet` until when it is
    silent all the same, `alerts` with which labels it fires."""
    path = HERE / "alerts" / f"{name}.yaml"
    return yaml_reader.read_text(path.read_text().replace("APPLICATION", application))[0] if path.is_file() else {}


def try_rules(proof, tree, files):
    mistakes = []
    for path in files:
        where, known = tree.name(path), cases(path.stem, application_of(tree, path))
        own = {rule["alert"]: rule for rule in rules(tree, path) if "alert" in rule}
        for name in sorted(known.keys() - own.keys()):
            mistakes.append(f"{where}: `conformance/alerts/{path.name}` tries {name}, which is not there")
        for name, rule in own.items():
            kinds = {kind for case in known.get(name, []) for kind in ("fires", "silent") if kind in case}
            for kind in sorted({"fires", "silent"} - kinds):
                mistakes.append(
                    f"{where}: {name}: no case where it {'fires' if kind == 'fires' else 'is silent'}: add one to `conformance/alerts/`"
                )
            mistakes += [f"{where}: {name}: {words}" for words in unanswered(rule, known.get(name, []))]
        if known.keys() <= own.keys():
            mistakes += [
                f"{where}: {words}" for words in tried(proof, json.dumps(groups(tree, path)), path.stem, application_of(tree, path))
            ]
    raise_all(mistakes)


def unanswered(rule, known):
    """Labels in its text that it does not have when it fires."""
    words = " ".join((rule.get("annotations") or {}).values())
    for label in sorted(set(re.findall(r"\$labels\.(\w+)", words))):
        for case in known:
            for labels in case.get("alerts") or []:
                if label not in {**labels, **rule["labels"]}:
                    yield f"its words say `{label}`, which it does not have where `{case['fires']}`"


@functools.cache
def tried(proof, text, name, application):
    """What goes otherwise than a case says. Environments mostly have the same rules, and these are tried once. The words of an
    alert are compared by nobody: they are left out, and what they speak of was looked at."""
    groups, known, mistakes = json.loads(text), cases(name, application), []
    own = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    for rule in own.values():
        rule.pop("annotations", None)
    folder = proof.folder("cases")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False), encoding="utf-8")
    tests = []
    for name, listed in known.items():
        for case in listed:
            expected = [{"exp_labels": {**own[name]["labels"], **labels}} for labels in case.get("alerts") or []]
            if ("fires" in case) != bool(expected):
                mistakes.append(f"{name}: a case that `fires` has `alerts`, and one that is `silent` has none")
                continue
            asked = [{"eval_time": case["after"], "alertname": name, "exp_alerts": expected}]
            if expected:
                asked.insert(0, {"eval_time": case["quiet"], "alertname": name, "exp_alerts": []})
            tests.append(
                {
                    "name": f"{name}: {case.get('fires') or case.get('silent')}",
                    "interval": "1m",
                    "input_series": [{"series": series, "values": values} for series, values in case["series"].items()],
                    "alert_rule_test": asked,
                }
            )
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    try:
        proof.run(["promtool", "test", "rules", folder / "tests.yaml"], cwd=folder)
    except Failure as refusal:
        mistakes.append(str(refusal))
    return mistakes


# ---------------------------------------------------------------- dashboards


def boards_of(tree, path):
    for document in tree.documents(path):
        for file, text in (document.get("data") or {}).items():
            try:
                yield file, json.loads(text)
            except ValueError as error:
                raise Failure(f"{tree.name(path)}: {file}: Grafana cannot read it: {error}") from None


def queries(board):
    """The place of a query, and its expression."""
    for panel in board.get("panels") or []:
        for target in panel.get("targets") or []:
            yield f"`{panel.get('title')}` {target.get('refId')}", target.get("expr") or ""
    for variable in (board.get("templating") or {}).get("list") or []:
        asked = re.fullmatch(r"label_values\((.*), *\w+\)", str(variable.get("query")))
        if variable.get("type") == "query" and asked:
            yield f"variable `{variable.get('name')}`", asked[1]


def substituted(query, board, where, mistakes):
    """A query as Grafana sends it, with any word for each variable of the dashboard."""
    known = {variable["name"] for variable in (board.get("templating") or {}).get("list") or []}
    for name in re.findall(r"\$\{?(\w+)", query):
        if name not in known:
            mistakes.append(f"{where}: there is no variable `{name}`")
    return re.sub(r"\$\{?\w+\}?", "word", query)


def check_dashboards(proof, tree, boards):
    mistakes, ids = [], {}
    for path in boards:
        cluster = path.relative_to(tree.repository_of(path)).parts[1]
        for file, board in boards_of(tree, path):
            where, taken = f"{tree.name(path)}: {file}", set()
            if ids.setdefault((cluster, board.get("uid")), where) != where or not board.get("uid"):
                mistakes.append(f"{where}: its `uid` is missing, or another dashboard's")
            for panel in board.get("panels") or []:
                name = f"{where}: `{panel.get('title')}`"
                defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
                for words, there in (
                    ("title", panel.get("title")),
                    ("description", panel.get("description")),
                    ("unit", defaults.get("unit")),
                ):
                    if not there:
                        mistakes.append(f"{name}: it has no {words}")
                place = panel["gridPos"]
                cells = {
                    (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
                }
                if cells & taken or place["x"] + place["w"] > 24:
                    mistakes.append(f"{name}: it covers another panel, or leaves the page")
                taken |= cells
                if not panel.get("targets"):
                    mistakes.append(f"{name}: it asks nothing")
            listed = [(words, substituted(query, board, f"{where}: {words}", mistakes)) for words, query in queries(board)]
            content = [{"record": f"query:{number}", "expr": query} for number, (_, query) in enumerate(listed)]
            try:
                promtool(proof, ["check", "rules"], {"groups": [{"name": "queries", "rules": content}]}, where)
            except Failure as refusal:
                named = "".join(f"\n{number} is {words}: {query}" for number, (words, query) in enumerate(listed))
                mistakes.append(f"{refusal}{named}")
    raise_all(mistakes)


# ---------------------------------------------------------------- metrics


@functools.cache
def known_metrics():
    with open(HERE / "metrics.toml", "rb") as file:
        table = tomllib.load(file)
    for exporter, row in table.items():
        if len(row.get("source") or "") < 20:
            raise Failure(f"conformance/metrics.toml: {exporter} does not say where it comes from")
    return {metric for row in table.values() for metric in row["metrics"]}


def metrics_of(query):
    """The names of series in a query: what is neither text, label, range, function nor word of the language."""
    plain = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'', "", query)
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", plain)
    plain = re.sub(r"(?i)\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", plain)
    plain = re.sub(r"(?i)\b(group_left|group_right)\b", " ", plain)
    names = re.findall(r"(?<![\w.:$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", plain)
    return {name for name in names if name.lower() not in WORDS}


def check_metrics(tree, files, boards):
    mistakes = []
    asked = [
        (f"{tree.name(path)}: {rule.get('alert') or rule.get('record')}", str(rule["expr"]))
        for path in files
        for rule in rules(tree, path)
    ]
    for path in boards:
        for file, board in boards_of(tree, path):
            asked += [(f"{tree.name(path)}: {file}: {words}", query) for words, query in queries(board)]
    for where, query in asked:
        names = metrics_of(query)
        if not names:
            mistakes.append(f"{where}: it measures nothing: {query}")
        for name in sorted(names - known_metrics()):
            mistakes.append(
                f"{where}: `{name}` has no source: correct the name, or add it to `conformance/metrics.toml` with the text that knows it"
            )
    raise_all(mistakes)


def application_of(tree, path):
    """The application of a rule: its folder below `apps`. None for rules of the platform."""
    parts = path.relative_to(tree.repository_of(path)).parts
    return parts[1] if parts[0] == "apps" else ""
