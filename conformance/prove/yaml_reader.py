# Reads YAML like Kubernetes and Flux, and refuses duplicate keys. yamllint checks the style.
import pathlib
import re

import yaml


class GoLoader(yaml.SafeLoader):
    """PyYAML follows YAML 1.1, as Go's reader does, but for three things that are mended below."""


def construct_mapping(loader, node):
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key `{key.value}` stands twice", key.start_mark)
            seen.add(key.value)
    loader.flatten_mapping(node)
    return {loader.construct_object(key, deep=True): loader.construct_object(value, deep=True) for key, value in node.value}


GoLoader.add_constructor("tag:yaml.org,2002:map", construct_mapping)
# Go reads `1e3` as a number; PyYAML requires a point in it.
GoLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*([.][0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
# A date stays a string, because Kubernetes converts YAML to JSON, which has no dates.
GoLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in GoLoader.yaml_implicit_resolvers.items()
}


def read_text(text):
    """All documents of a stream that are not empty."""
    return [document for document in yaml.load_all(text, GoLoader) if document is not None]


def read_file(path):
    return read_text(pathlib.Path(path).read_text(encoding="utf-8"))
