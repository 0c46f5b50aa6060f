# The blueprints against the schema that the program itself publishes, as an editor checks them. Not the program's rules:
# its own tests prove those.
import json
import os
import pathlib

from prove.proof import HERE
from prove.steps import Failure, Step

CHECKOUT = HERE.parent


def binary():
    path = pathlib.Path(os.environ.get("BLUEPRINT_BIN") or CHECKOUT / "target" / "release" / "blueprint")
    if not path.is_absolute():
        path = CHECKOUT / path
    if not os.access(path, os.X_OK):
        raise Failure("the program is not built: run `cargo build --release`, or name it in `BLUEPRINT_BIN`")
    return path


def steps(proof, folder=CHECKOUT / "blueprints"):
    files = sorted(folder.glob("*.toml"))
    yield Step("taplo", f"{len(files)} blueprints", files, lambda: lint(proof, files), seconds=2)


def lint(proof, files):
    text = proof.run([binary(), "schema"]).stdout
    schema = proof.folder("schema") / "blueprint.json"
    schema.write_text(text)
    json.loads(text)
    proof.run(["check-jsonschema", "--check-metaschema", schema])
    proof.run(["taplo", "lint", "--no-auto-config", "--schema", schema.as_uri(), *files])
