# Which parameters the rendered infrastructure writes, which a person must put, and which namespace may read which: parsed from
# `names.txt` and the Terraform of the platform's root. It fails on text that it cannot parse.
import dataclasses
import pathlib
import re

from live import repository
from live.kube import name

MAP = r"^\s*{} = \{{\n(.*?)^\s*\}}"
SET = r"^\s*{} = toset\(\[(.*?)\]\)"
TEMPLATE = re.compile(r"\$\{([^}]*)\}")


@dataclasses.dataclass
class Parameters:
    person: set  # a person writes these
    written: set  # Terraform writes these
    readers: dict  # namespace: the folders that its store's role reads
    prefix: str  # all of them begin with it
    role: str  # a store's role, up to the name of the namespace
    region: str


def read(infrastructure, environment):
    folder = pathlib.Path(infrastructure) / "environments" / environment
    names = folder / "names.txt"
    if not names.is_file():
        raise SystemExit(f"live: `{names}` is absent, so nobody knows which parameters there are")
    words = [line.split() for line in names.read_text().splitlines() if line and not line.startswith("#")]
    facts = {word: rest for word, *rest in words}
    text = "\n".join(path.read_text() for path in sorted((folder / "platform").glob("*.tf")))
    prefix = f"/{facts['project'][0]}/{environment}"
    return Parameters(
        person={rest[0] for word, *rest in words if word == "secret"},
        written={path for block in resources(text) for path in paths(text, block, prefix)},
        readers={key: re.findall(r'"([^"]+)"', value) for key, value in table(text, "secret_readers").items()},
        prefix=prefix,
        role=f"{facts['name'][0]}-secrets-",
        region=facts["region"][0],
    )


def resources(text):
    return re.findall(r'^resource "aws_ssm_parameter" "[^"]+" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)


def paths(text, block, prefix):
    """The names that one resource gives, for each of its keys."""
    written = re.search(r'^\s*name\s*=\s*"([^"]*)"', block, re.MULTILINE)
    each = re.search(r"^\s*for_each\s*=\s*(\S+)", block, re.MULTILINE)
    if not written:
        raise SystemExit("live: a parameter's `name` is no string: teach `live/parameters.py` to read it")
    keys = [""]
    if each:
        if not each[1].startswith("local."):
            raise SystemExit(f"live: a parameter is made for each of `{each[1]}`: teach `live/parameters.py` to read it")
        keys = list(table(text, each[1].removeprefix("local.")))
    for key in keys:
        known = {"local.parameters": prefix, "each.key": key}
        for word in TEMPLATE.findall(written[1]):
            if word not in known:
                raise SystemExit(f"live: a parameter is named by `{word}`: teach `live/parameters.py` what that is")
        yield TEMPLATE.sub(lambda match, known=known: known[match[1]], written[1])


def table(text, local):
    """A map among the locals: its keys, and what stands behind them. Of a set, its words."""
    found = re.search(MAP.format(re.escape(local)), text, re.MULTILINE | re.DOTALL)
    if not found:
        words = re.search(SET.format(re.escape(local)), text, re.MULTILINE | re.DOTALL)
        return dict.fromkeys(re.findall(r'"([^"]+)"', words[1]), "") if words else {}
    return dict(re.findall(r'^\s*"([^"]+)"\s*=\s*(.*)$', found[1], re.MULTILINE))


def state(known, withheld):
    """What the played External Secrets goes by."""
    if not known:
        return {"known": False}
    return {
        "known": True,
        "all": sorted(known.person | known.written),
        "readers": known.readers,
        "prefix": known.prefix,
        "role": known.role,
        "region": known.region,
        "withheld": withheld,
    }


def keys_of(secret):
    """The parameters that an ExternalSecret reads, with those that end in `/` for a whole folder."""
    spec = secret["spec"]
    for entry in spec.get("data") or []:
        yield entry["remoteRef"]["key"]
    for source in spec.get("dataFrom") or []:
        if "extract" in source:
            yield source["extract"]["key"]
        elif "find" in source:
            yield (source["find"].get("path") or "").rstrip("/") + "/"


def reads(secret, parameters):
    """Which of these parameters it reads."""
    found = set()
    for key in keys_of(secret):
        found |= {each for each in parameters if each == key or (key.endswith("/") and each.startswith(key))}
    return found


def waiting(live, things, person):
    """{Kustomization: the person's parameters that its own ExternalSecrets read} of the tree that was just committed."""
    found = {}
    for thing in things:
        if thing["kind"] == "Kustomization" and thing["apiVersion"].startswith("kustomize.toolkit"):
            wanted = set()
            for each in repository.rendered(live, thing):
                if each.get("kind") == "ExternalSecret":
                    wanted |= reads(each, person)
            if wanted:
                found[f"Kustomization {name(thing)}"] = sorted(wanted)
    return found
