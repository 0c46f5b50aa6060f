//! A later version of this program that has renamed a layer or a resource: what it renders over what this version rendered. The
//! conformance proof runs it; nothing else needs it.
//!
//! `renamed manifests OLD OUT FROM TO` and `renamed infrastructure OLD OUT TYPE.FROM TYPE.TO`: OLD is a rendered repository, OUT a
//! copy of it. `--leave` is the version after that one.

#![expect(
    clippy::disallowed_methods,
    reason = "it reads its arguments, and what an earlier version rendered"
)]

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use blueprint::{
    checkouts::{self, Checkouts, Request},
    disk,
    lock::{Lock, Owner, PATH},
    page::Ownership,
    plan::{File, Files, Plan},
    renames::{self, LayerRename, Renames},
};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let leaves = words.last().is_some_and(|it| it == "--leave");
    let [role, old, out, from, to, ..] = &words[..] else {
        bail!("usage: renamed manifests|infrastructure OLD OUT FROM TO [--leave]")
    };
    let (from, to): (&'static str, &'static str) = (from.clone().leak(), to.clone().leak());
    let mut files = read(Path::new(old))?;
    let renames = if role == "manifests" {
        files = files.into_iter().map(|(path, file)| rename_layer(&path, file, from, to)).collect();
        let layers = vec![LayerRename { from, to, leaves }].leak();
        Renames { layers, ..Renames::default() }
    } else {
        let declared = |address: &str| address.replace('.', "\" \"");
        for file in files.values_mut() {
            file.text = file.text.replace(from, to).replace(&declared(from), &declared(to));
        }
        Renames { resources: vec![(from, to)].leak(), ..Renames::default() }
    };
    let out = Path::new(out);
    let (above, name) = (out.parent(), out.file_name().and_then(|it| it.to_str()));
    let (above, name) = (above.context("OUT has no parent")?, name.context("OUT has no name")?.to_owned());
    let mut plan = Plan {
        repositories: BTreeMap::from([(name.clone(), files)]),
        roles: BTreeMap::from([(name.clone(), role.clone())]),
        listing: [name.clone(), name.clone()],
        source: None,
        templates: Default::default(),
    };
    renames::apply(&renames, &mut plan);
    let request = Request { writes: true, only: vec![name], ..Request::default() };
    let Checkouts { mut all, .. } = checkouts::open(&plan, above, &request)?;
    let conflicts = all.iter().flat_map(|it| &it.changes).find(|it| it.conflict().is_some());
    ensure!(conflicts.is_none(), "a conflict: {conflicts:?}");
    let mut folders: Vec<_> = all.iter_mut().map(|it| (&mut it.folder, it.changes.as_slice())).collect();
    disk::apply(&mut folders)
}

/// What the last render wrote, as a plan.
fn read(folder: &Path) -> Result<Files> {
    let lock = Lock::read(&fs::read(folder.join(PATH))?)?;
    let owners = |owner| match owner {
        Owner::Managed => Some(Ownership::Managed),
        Owner::Seeded => Some(Ownership::Seeded),
        Owner::Merged | Owner::HandedOver => None,
    };
    lock.files
        .into_iter()
        .filter_map(|(path, entry)| Some((owners(entry.owner)?, path, entry)))
        .map(|(owner, path, entry)| {
            let text = fs::read_to_string(folder.join(&path)).with_context(|| path.clone())?;
            let shared =
                entry.shared.iter().map(|start| blueprint::shared_values::Shared::any(start)).collect();
            Ok((path, File { owner, text, shared, by: entry.by, ..File::default() }))
        })
        .collect()
}

/// As if the layer always had its new name.
fn rename_layer(path: &str, file: File, from: &str, to: &str) -> (String, File) {
    let path = path.replace(&format!("/{from}/"), &format!("/{to}/"));
    if !path.ends_with(".yaml") {
        return (path, file);
    }
    let mut text = file.text.replace(&format!("/{from}\n"), &format!("/{to}\n"));
    for start in ["name: ", "- "] {
        text = text.replace(&format!("{start}{from}\n"), &format!("{start}{to}\n"));
    }
    (path, File { text, ..file })
}
