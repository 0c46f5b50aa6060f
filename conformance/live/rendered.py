# Charts made of the output of the real ones: the objects in `charts/rendered` of the facts, with the chart's own name and version, and
# with our values applied if it is known which field a value sets (`live/values.py`). An unknown value, or one that differs from that
# with which a file was rendered, makes the release fail with the name of that file.
import functools
import json
import subprocess
from pathlib import Path

from live import crds, programs, values

FOLDER = crds.FACTS / "charts" / "rendered"
TEMPLATES = Path(__file__).resolve().parent / "charts"


def require():
    """Ends the run where the objects are not there: without them nothing real would be played, and nobody would see it."""
    if not FOLDER.is_dir():
        raise SystemExit(
            f"live: the folder `{FOLDER}` is missing: it holds what the real charts render; set BLUEPRINT_CONFORMANCE to the facts that have it"
        )


def file_of(name, version):
    """The file with the objects of a chart at this version, or None for a chart that brings definitions only."""
    chart = values.CHARTS[name]
    if not chart.release:
        return None
    return FOLDER / f"{chart.release}-{chart.version or version}.yaml"


def missing(name, version):
    """Why this chart cannot be served, or None."""
    if name not in values.CHARTS:
        known = ", ".join(sorted(values.CHARTS))
        return f"nobody rendered the chart {name}: give it by `--charts`, or add it to `live/values.py`; known are {known}"
    file = file_of(name, version)
    if file and not file.is_file():
        there = ", ".join(sorted(path.name for path in FOLDER.glob(f"{values.CHARTS[name].release}-*.yaml"))) or "none"
        return f"`{file}` is missing, which would hold what the chart {name} renders at {version}; there is {there}"
    return None


def patient(each):
    """Webhooks are played by one process here, which a busy machine keeps waiting for longer than the charts allow."""
    if not each["kind"].endswith("WebhookConfiguration"):
        return each
    return {**each, "webhooks": [{**hook, "timeoutSeconds": 30} for hook in each["webhooks"]]}


@functools.cache
def files(kubectl, name, version):
    """The chart's files by their paths."""
    chart, file = values.CHARTS[name], file_of(name, version)
    objects = [patient(it) for it in [*(read(kubectl, file) if file else []), *chart.added]]
    definitions = [crd for group in chart.groups for crd in crds.of_group(group, built_defaults(kubectl))]
    rules = {
        "file": file.name if file else "",
        "release": chart.release,
        "namespace": chart.namespace,
        "follow": [placed(objects, rule, file) for rule in chart.follow],
        "fixed": {path: {"is": value} for path, value in chart.fixed.items() if value is not values.ANY},
        "any": [path for path, value in chart.fixed.items() if value is values.ANY],
        "certificate": chart.certificate,
        "definitions": {"path": chart.switch[0], "default": chart.switch[1]} if chart.switch else None,
        "optional": chart.optional,
        "annotations": chart.annotations,
    }
    about = {
        "apiVersion": "v2",
        "name": name,
        "version": version,
        "appVersion": "rendered",
        "description": "Made of rendered objects.",
    }
    made = {
        "Chart.yaml": json.dumps(about),
        "values.yaml": "{}\n",
        "templates/objects.yaml": (TEMPLATES / "objects.yaml").read_text(),
        "files/objects.json": json.dumps(objects),
        "files/rules.json": json.dumps(rules),
    }
    if definitions and chart.switch:
        made["files/definitions.json"] = json.dumps(definitions)
    elif definitions:
        made["crds/crds.yaml"] = "".join("---\n" + json.dumps(crd) + "\n" for crd in definitions)
    return {path: text.encode() for path, text in made.items()}


@functools.cache
def built_defaults(kubectl):
    """Of the definitions that came with the programs."""
    return crds.defaults_in(
        definition
        for folder in programs.DEFINITIONS
        for file in sorted((kubectl.parent / folder).glob("*.yaml"))
        for definition in read(kubectl, file)
        if definition["kind"] == "CustomResourceDefinition"
    )


def placed(objects, rule, file):
    """A rule with the number of the object that it means, and with numbers for the names of containers and variables."""
    for number, thing in enumerate(objects):
        if f"{thing['kind']} {thing['metadata']['name']}" == rule["object"]:
            return rule | {"object": number, "at": list(path(thing, rule, file))}
    raise SystemExit(f"live: `{file}` holds no {rule['object']}, which `live/values.py` names")


def path(thing, rule, file):
    for step in rule["at"]:
        if isinstance(thing, list):
            names = [entry.get("name") for entry in thing]
            if step not in names:
                raise SystemExit(f"live: `{file}`: {rule['object']} has no {step}, which `live/values.py` names")
            step = names.index(step)
            thing = thing[step]
        else:
            thing = (thing or {}).get(step)  # missing fields are created
        yield step


def read(kubectl, file):
    """The objects of a file. kubectl reads it by Go's rules, as Helm does."""
    command = [kubectl, "annotate", "--local", "--overwrite", "-f", file, "live/scan=1", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise SystemExit(f"live: `{file}` cannot be read\n{done.stderr[-2000:]}")
    return list(objects_of(done.stdout))


def objects_of(text):
    """The objects that kubectl wrote one after another, without the annotation by which it was made to write them."""
    decoder, at = json.JSONDecoder(), 0
    while (at := at + len(text[at:]) - len(text[at:].lstrip())) < len(text):
        thing, at = decoder.raw_decode(text, at)
        for each in thing["items"] if thing.get("kind") == "List" else [thing]:
            annotations = each.get("metadata", {}).get("annotations") or {}
            annotations.pop("live/scan", None)
            if not annotations:
                each.get("metadata", {}).pop("annotations", None)
            yield each
