//! What earlier versions of this program named differently. A render then moves it: edits of a file come along, Terraform keeps the
//! resource, and Flux the objects. Not what a person renames in the blueprint.

use std::collections::BTreeMap;

use crate::{
    page::{Page, Place, Role},
    plan::{File, Files, Leaving, Plan},
};

/// The renames of all earlier versions, oldest first. None of them can be removed, because a platform may skip versions.
#[derive(Debug, Default)]
pub struct Renames {
    /// Paths, from and to. The first part is the role of the repository: `infrastructure`, `manifests`, `application` or `blueprint`.
    /// `*` stands for one part of a path, and `**` at its end for the rest: `infrastructure/environments/*/platform/nodes.tf`.
    pub files: &'static [(&'static str, &'static str)],
    /// Addresses of resources in the Terraform code, from and to: `aws_kms_key.cluster`.
    pub resources: &'static [(&'static str, &'static str)],
    /// Layers, with their folders and Kustomizations.
    pub layers: &'static [LayerRename],
}

/// A layer with another name. A Kustomization that is removed deletes what it applied, unless it is suspended (kustomize-controller
/// 1.9.4, `finalizerShouldDeleteResources`). So it leaves in two versions.
#[derive(Debug)]
pub struct LayerRename {
    /// The name before.
    pub from: &'static str,
    /// The name now.
    pub to: &'static str,
    /// False in the first version, which suspends the Kustomization. True in every later one, which removes it. For a platform that skipped
    /// the first version, the next render still suspends it.
    pub leaves: bool,
}

/// What this version knows.
pub const KNOWN: Renames = Renames { files: &[], resources: &[], layers: &[] };

/// Adds to a plan what the renames require.
pub fn apply(renames: &Renames, plan: &mut Plan) {
    for (repository, files) in &mut plan.repositories {
        let role = plan.roles.get(repository).and_then(|role| role.split(' ').next()).unwrap_or_default();
        for (path, file) in files.iter_mut() {
            file.formerly.extend(former_paths(renames, role, path));
        }
        match role {
            "manifests" => renames.layers.iter().for_each(|rename| suspend(rename, files)),
            "infrastructure" => move_resources(renames, files),
            _ => {}
        }
    }
}

/// The paths that earlier versions gave to a file, the newest first.
fn former_paths(renames: &Renames, role: &str, path: &str) -> Vec<String> {
    let mut now = format!("{role}/{path}");
    let mut all = Vec::new();
    let layers = renames.layers.iter().map(|it| {
        let folder = |name| format!("manifests/clusters/*/{name}/**");
        (folder(it.from), folder(it.to))
    });
    let files = renames.files.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
    for (from, to) in layers.chain(files).collect::<Vec<_>>().iter().rev() {
        if let Some(before) = refilled(to, from, &now) {
            all.extend(before.split_once('/').map(|(_, path)| path.to_owned()));
            now = before;
        }
    }
    all
}

/// The path that `other` is for what `pattern` stands for in this path. None if the path does not match.
fn refilled(pattern: &str, other: &str, path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let mut found = Vec::new();
    let mut rest = None;
    for part in pattern.split('/') {
        match part {
            "**" => rest = Some(parts.by_ref().collect::<Vec<_>>().join("/")).filter(|it| !it.is_empty()),
            "*" => found.push(parts.next()?),
            part => (parts.next()? == part).then_some(())?,
        }
    }
    if parts.next().is_some() || pattern.ends_with("**") && rest.is_none() {
        return None;
    }
    let mut found = found.into_iter();
    let parts = other.split('/').map(|part| match part {
        "**" => rest.clone(),
        "*" => found.next().map(str::to_owned),
        part => Some(part.to_owned()),
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/"))
}

/// Keeps the Kustomization of a renamed layer, suspended.
fn suspend(rename: &LayerRename, files: &mut Files) {
    let LayerRename { from, to, leaves } = rename;
    let lists = files.iter_mut().filter_map(|(path, file)| {
        let environment = path.strip_prefix("clusters/")?.strip_suffix("/layers.yaml")?;
        Some((environment.to_owned(), file))
    });
    for (environment, file) in lists {
        if !file.text.lines().any(|line| line == format!("  name: {to}")) {
            continue;
        }
        let suspended = format!(
            "---\n# `{to}` has taken over what this layer applied. Suspended, it deletes nothing when it is removed.\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {from}\n  namespace: flux-system\nspec:\n  interval: 1h\n  path: ./clusters/{environment}/{to}\n  prune: false\n  suspend: true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n  serviceAccountName: kustomize-controller\n"
        );
        if *leaves {
            file.leaving.push(Leaving { name: from, suspended });
        } else {
            file.text.push_str(&suspended);
        }
    }
}

/// The text that is rendered instead, as long as a Kustomization that leaves is not suspended on disk.
pub fn before_leaving(file: &File, disk: &str) -> Option<String> {
    let active = |name: &str| {
        disk.split("\n---\n").any(|document| {
            let has = |wanted: &str| document.lines().any(|line| line == wanted);
            has(&format!("  name: {name}")) && has("kind: Kustomization") && !has("  suspend: true")
        })
    };
    let missing: String =
        file.leaving.iter().filter(|it| active(it.name)).map(|it| it.suspended.as_str()).collect();
    (!missing.is_empty()).then(|| format!("{}{missing}", file.text))
}

/// A file with `moved` blocks in each root that has a renamed resource.
fn move_resources(renames: &Renames, files: &mut Files) {
    let mut blocks: BTreeMap<String, String> = BTreeMap::new();
    for (from, to) in renames.resources {
        let declared = to.split_once('.').map(|(kind, name)| format!("resource \"{kind}\" \"{name}\" {{"));
        for (path, file) in files.iter() {
            let declares = path.ends_with(".tf")
                && declared.as_ref().is_some_and(|it| file.text.lines().any(|line| line == it));
            if let (true, Some((root, _))) = (declares, path.rsplit_once('/')) {
                let block = format!("\nmoved {{\n  from = {from}\n  to   = {to}\n}}\n");
                blocks.entry(format!("{root}/moved.tf")).or_default().push_str(&block);
            }
        }
    }
    for (path, blocks) in blocks {
        let body = format!(
            "# Resources that an earlier version of blueprint named differently. Terraform renames them in its state, and AWS changes nothing.\n{blocks}"
        );
        let page = Page::computed(Place::Infrastructure, path.clone(), Role::Unlisted, body);
        files.insert(path, File { text: page.text(), ..File::default() });
    }
}
