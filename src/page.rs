//! One file to render. Which files there are is decided elsewhere.

use std::fmt;

use sha1::{Digest, Sha1};

use crate::{
    format::align,
    shared_values::Shared,
    words::{Atomic, Bareword},
};

/// One file to render, and its path.
#[derive(Debug)]
pub struct Page {
    /// None if its text was computed.
    pub template: Option<&'static str>,
    /// The repository.
    pub place: Place,
    /// Inside its repository.
    pub path: String,
    /// How the `kustomization.yaml` of its folder names it.
    pub role: Role,
    /// Whether renders keep updating it.
    pub owner: Ownership,
    /// The lines whose value is maintained by someone else: for example, a pull request or Flux sets the tag of an image. The value
    /// on disk is kept.
    pub shared: Vec<Shared>,
    /// The component or application that contributed it. None for what every platform has.
    pub by: Option<String>,
    body: String,
}

/// The repository of a page. The plan resolves its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The repository for the Terraform code.
    Infrastructure,
    /// The repository for the manifests.
    Manifests,
    /// The repository that contains the blueprint.
    Blueprint,
    /// An application's, by its name.
    Application(String),
}

/// How the `kustomization.yaml` of its folder names a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Under `resources`.
    Resource,
    /// Under `patches`.
    Patch,
    /// A folder of its own, with its own `kustomization.yaml`.
    Component,
    /// A file of a ConfigMap that its folder makes.
    Mounted {
        /// The name of the ConfigMap.
        map: Bareword,
        /// The namespace of the ConfigMap.
        namespace: &'static str,
    },
    /// No `kustomization.yaml` names it.
    Unlisted,
}

/// Whether renders keep updating a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// It is updated, and deleted when it is no longer planned.
    #[default]
    Managed,
    /// Created once. Renders do not change or delete it.
    Seeded,
}

impl Page {
    /// The template's first folder is the repository: `infrastructure`, `kubernetes-manifest`, `blueprint`, or the name of
    /// one, in braces. A body that does not render is a bug in its template.
    pub fn new(template: &'static str, path: String, role: Role, body: askama::Result<String>) -> Self {
        let body = body.unwrap_or_else(|error| {
            panic!("`templates/{template}` wrote a bare value that is not an atom: {error}")
        });
        let aligned = path.ends_with(".tf") || path.ends_with(".hcl");
        let body = if aligned { align(&body) } else { body + "\n" };
        let (repository, path) = path.split_once('/').expect("a page lies in a repository");
        let place = match template.split('/').next() {
            Some("infrastructure") => Place::Infrastructure,
            Some("kubernetes-manifest") => Place::Manifests,
            Some("blueprint") => Place::Blueprint,
            _ => Place::Application(repository.to_owned()),
        };
        Self {
            template: Some(template),
            place,
            path: path.to_owned(),
            role,
            owner: Ownership::Managed,
            shared: Vec::new(),
            by: None,
            body,
        }
    }

    /// A page whose body does not come from a template. `path` is inside the repository.
    pub fn computed(place: Place, path: String, role: Role, body: String) -> Self {
        Self {
            template: None,
            place,
            path,
            role,
            owner: Ownership::Managed,
            shared: Vec::new(),
            by: None,
            body,
        }
    }

    /// The same page, in which the values of these lines are maintained by someone else.
    pub fn shared(self, shared: Vec<Shared>) -> Self {
        Self { shared, ..self }
    }

    /// A checksum of the text. Pods that must restart for a new configuration have it as an annotation.
    pub fn checksum(&self) -> String {
        Sha1::digest(self.text()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The body below its header. Lines such as `#!` stay first.
    pub fn text(&self) -> String {
        let words = match self.owner {
            Ownership::Managed => "Written by blueprint. Change the blueprint instead.",
            Ownership::Seeded => "Created once by blueprint. Edit freely: renders do not change this file.",
        };
        let Some((open, close)) = comment(&self.path) else { return self.body.clone() };
        let first = if self.body.starts_with("#!") || self.body.starts_with("# syntax=") {
            self.body.find('\n').map_or(self.body.len(), |end| end + 1)
        } else {
            0
        };
        let (first, rest) = self.body.split_at(first);
        format!("{first}{open}{words}{close}\n\n{rest}")
    }
}

/// The delimiters of a comment. A file name with an unknown ending is a bug.
fn comment(path: &str) -> Option<(&'static str, &'static str)> {
    known_comment(path).unwrap_or_else(|| panic!("`{path}`: no header is known for its format"))
}

/// None for an unknown format, `Some(None)` for a format without comments.
fn known_comment(path: &str) -> Option<Option<(&'static str, &'static str)>> {
    let file = path.rsplit('/').next().unwrap_or(path);
    Some(match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json" | "sum") => None,
        Some("go" | "mod") => Some(("// ", "")),
        Some("md" | "html") => Some(("<!-- ", " -->")),
        Some("sql") => Some(("-- ", "")),
        Some(
            "dockerignore" | "env" | "gitattributes" | "gitignore" | "hcl" | "pem" | "sh" | "tf" | "toml"
            | "txt" | "yaml" | "yml",
        )
        | None => Some(("# ", "")),
        Some(_) => return None,
    })
}

/// Whether any version of blueprint may have written these bytes as a managed file: they have its header. So a forged lock
/// cannot lead to the deletion of a user's file.
pub fn may_be_ours(path: &str, bytes: &[u8]) -> bool {
    match known_comment(path) {
        None => false,
        // The only managed file without comments.
        Some(None) => path == "renovate.json",
        Some(Some((open, _))) => {
            let head = &bytes[..bytes.len().min(400)];
            let header = format!("{open}Written by blueprint.");
            String::from_utf8_lossy(head).lines().take(2).any(|line| line.starts_with(&header))
        }
    }
}

/// The same pages, which are written once and then belong to the user.
pub fn seeded(mut pages: Vec<Page>) -> Vec<Page> {
    pages.iter_mut().for_each(|page| page.owner = Ownership::Seeded);
    pages
}

/// These pages, contributed by a component or an application.
pub fn contributed(by: &impl fmt::Display, pages: impl IntoIterator<Item = Page>) -> Vec<Page> {
    pages.into_iter().map(|page| Page { by: Some(by.to_string()), ..page }).collect()
}

/// These pages as files of a ConfigMap, and its name. The name ends in a checksum of the files, so that references to it change
/// with them. kustomize can append a checksum itself, but only to references in the same build, and the users of this ConfigMap
/// are in other builds.
pub fn mounted(map: &'static str, namespace: &'static str, mut pages: Vec<Page>) -> (Bareword, Vec<Page>) {
    let mut digest = Sha1::new();
    for page in &pages {
        digest.update(&page.path);
        digest.update(page.text());
    }
    let map = Bareword::of(map).and('-', Checksum(digest.finalize().iter().take(5).copied().collect()));
    pages.iter_mut().for_each(|page| page.role = Role::Mounted { map: map.clone(), namespace });
    (map, pages)
}

/// The first bytes of a digest.
struct Checksum(Vec<u8>);

impl Atomic for Checksum {}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Renders templates. Each literal names both the template and the file it becomes.
#[macro_export]
macro_rules! pages {
    ($context:tt $($role:ident $path:literal),+ $(,)?) => {
        vec![$($crate::pages!(@page $context $role $path)),+]
    };
    (@page { $($field:ident: $type:ty),* $(,)? } $role:ident $path:literal) => {{
        #[allow(unused_imports, reason = "not every template uses a filter")]
        use $crate::words::filters;
        #[derive(askama::Template)]
        #[template(path = $path)]
        #[allow(dead_code, reason = "not every template uses all of its context")]
        struct Template<'a> { $($field: &'a $type),* }
        let body = askama::Template::render(&Template { $($field),* });
        $crate::page::Page::new($path, format!($path), $crate::page::Role::$role, body)
    }};
}
