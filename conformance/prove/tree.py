# Finds the parts of a rendered tree by their content, not by the names of the repositories. Checks nothing.
import functools
import pathlib
import re

from prove import yaml_reader

SKIPPED = {".git", ".terraform", "node_modules", "__pycache__"}


def files_below(folder):
    found = []
    for path in sorted(folder.iterdir()):
        if path.name in SKIPPED:
            continue
        if path.is_dir() and not path.is_symlink():
            found += files_below(path)
        else:
            found.append(path)
    return found


class Tree:
    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()

    def __str__(self):
        return self.path.name

    def name(self, path):
        """A path as a person calls it: from the tree on."""
        return str(path.relative_to(self.path)) if path != self.path else "."

    @functools.cached_property
    def repositories(self):
        """Folders right below the tree that hold what one of the three kinds of repositories holds."""
        signs = (".github/workflows", "environments", "clusters", "Dockerfile")
        return [
            folder for folder in sorted(self.path.iterdir()) if folder.is_dir() and any((folder / sign).exists() for sign in signs)
        ]

    @functools.cached_property
    def files(self):
        return [path for repository in self.repositories for path in files_below(repository)]

    def repository_of(self, path):
        return next(repository for repository in self.repositories if repository == path or repository in path.parents)

    def ending(self, *endings):
        return [path for path in self.files if path.suffix in endings]

    # ------------------------------------------------------------ infrastructure

    @functools.cached_property
    def terraform_repositories(self):
        return sorted({self.repository_of(root) for root in self.terraform_roots})

    @functools.cached_property
    def terraform_roots(self):
        return sorted({path.parent for path in self.ending(".tf") if path.parent.parent.parent.name == "environments"})

    @functools.cached_property
    def names(self):
        """What the scripts go by, an environment each."""
        return [path for path in self.files if path.name == "names.txt" and path.parent.parent.name == "environments"]

    @functools.cached_property
    def cloudformation_templates(self):
        found = []
        for path in self.ending(".yaml", ".yml", ".json", ".template"):
            if "bootstrap" in path.parent.name and re.search(
                r'^\s*"?(AWSTemplateFormatVersion|Resources)"?\s*:', path.read_text(encoding="utf-8"), re.M
            ):
                found.append(path)
        return found

    @functools.cached_property
    def kubernetes_versions(self):
        """The minors of the clusters that Terraform makes."""
        found = set()
        for root in self.terraform_roots:
            for path in sorted(root.glob("*.tf")):
                found |= set(re.findall(r'^\s*(?:kubernetes_)?version\s*=\s*"(1\.\d\d)"', path.read_text(encoding="utf-8"), re.M))
        return sorted(found)

    # ------------------------------------------------------------ manifests

    @functools.cached_property
    def manifest_repositories(self):
        return [repository for repository in self.repositories if (repository / "clusters").is_dir()]

    @functools.cached_property
    def clusters(self):
        return [
            folder
            for repository in self.manifest_repositories
            for folder in sorted((repository / "clusters").iterdir())
            if folder.is_dir()
        ]

    @functools.cached_property
    def manifests(self):
        """All YAML of the manifest repositories but what belongs to GitHub and to tools."""
        return [
            path
            for path in self.ending(".yaml", ".yml")
            if self.repository_of(path) in self.manifest_repositories
            and not any(part.startswith(".") for part in path.relative_to(self.repository_of(path)).parts)
        ]

    @functools.cached_property
    def kustomization_files(self):
        return [path for path in self.manifests if path.name in ("kustomization.yaml", "kustomization.yml")]

    @functools.cached_property
    def login_statements(self):
        """What the Jobs say to the database, run by the step `logins`."""
        return [path for path in self.ending(".sql") if path.parent.parent.name == "databases"]

    @functools.cached_property
    def certificates(self):
        """By which images and Jobs know the database."""
        return self.ending(".pem")

    # ------------------------------------------------------------ applications

    @functools.cached_property
    def starters(self):
        """Repositories of applications that still have the program which they began with."""
        return [
            repository
            for repository in self.repositories
            if (repository / "main.go").is_file() and "by blueprint" in (repository / "main.go").read_text(encoding="utf-8")
        ]

    # ------------------------------------------------------------ GitHub, images, scripts, words

    @functools.cached_property
    def workflows(self):
        return [
            path
            for path in self.ending(".yaml", ".yml")
            if path.parent.name == "workflows" and path.parent.parent.name == ".github"
        ]

    @functools.cached_property
    def actions(self):
        """Composite actions of the repositories' own."""
        return [path for path in self.files if path.name in ("action.yaml", "action.yml")]

    @functools.cached_property
    def dependabot(self):
        return [path for path in self.files if path.stem == "dependabot" and path.parent.name == ".github"]

    @functools.cached_property
    def renovate(self):
        return [path for path in self.files if path.name in ("renovate.json", ".renovaterc.json")]

    @functools.cached_property
    def dockerfiles(self):
        return [path for path in self.files if path.name == "Dockerfile" or path.suffix == ".dockerfile"]

    @functools.cached_property
    def scripts(self):
        """Shell scripts, by ending or by first line."""
        found = []
        for path in self.files:
            if path.suffix in (".sh", ".bash"):
                found.append(path)
            elif not path.suffix:
                with open(path, "rb") as file:
                    if re.match(rb"#!.*\b(ba|da)?sh\b", file.readline()):
                        found.append(path)
        return found

    @functools.cached_property
    def markdown(self):
        return self.ending(".md")

    @functools.cached_property
    def yaml(self):
        return self.ending(".yaml", ".yml")

    def documents(self, path):
        return yaml_reader.read_file(path)
