//! The folders of a platform's repositories, side by side: which are there, which are new, renamed or no longer planned. How files differ
//! is decided in `compare`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

use crate::{
    compare::{Asked, Change, Folder as _, compare, values_in},
    disk::Folder,
    lock::{self, Lock},
    plan::{Files, Plan},
    words::shown,
};

/// What a person asked for, beyond the blueprint.
#[derive(Debug, Default)]
pub struct Request {
    /// Whether files will be written.
    pub writes: bool,
    /// Only these repositories. All, if there are none.
    pub only: Vec<String>,
    /// Make the folders of repositories that are not checked out.
    pub create: bool,
    /// Merge edited files.
    pub merge: bool,
    /// Overwrite these files, as `REPOSITORY/PATH`.
    pub overwrite: Vec<String>,
    /// Delete what was rendered into these repositories, which are no longer planned.
    pub remove: Vec<String>,
}

/// A repository, and what differs in it.
pub struct Checkout<'p> {
    /// Its name, which is that of its folder.
    pub name: String,
    /// Its folder, held open and, where files will be written, locked.
    pub folder: Folder,
    /// What differs, the lock last.
    pub changes: Vec<Change>,
    files: &'p Files,
    asked: Asked,
}

/// The repositories that are compared, and remarks about the others.
pub struct Checkouts<'p> {
    /// In the order of their names.
    pub all: Vec<Checkout<'p>>,
    /// What a person should know about repositories that are left out, one sentence each.
    pub notes: Vec<String>,
}

static NOTHING: Files = Files::new();

/// Opens the folders below `out` and compares them. An error if one cannot be read, or if the request names what is not there.
pub fn open<'p>(plan: &'p Plan, out: &Path, request: &Request) -> Result<Checkouts<'p>> {
    let planned = || plan.repositories.keys().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = request.only.iter().find(|it| !plan.repositories.contains_key(*it)) {
        bail!("`--only` names `{unknown}`, and the repositories of this blueprint are {}", planned());
    }
    let known = match known(plan, out) {
        // Another repository's broken lock does not stop this one.
        Err(_) if !request.only.is_empty() => None,
        known => known?,
    };
    let listed = known.clone().unwrap_or_default();
    let gone: BTreeMap<&String, &String> =
        listed.iter().filter(|(name, _)| !plan.repositories.contains_key(*name)).collect();
    for name in &request.remove {
        ensure!(
            !plan.repositories.contains_key(name),
            "`--remove-repository` names `{name}`, which is in the blueprint: remove it there first"
        );
        ensure!(
            gone.contains_key(name),
            "`--remove-repository` names `{name}`, which is no repository of this platform"
        );
    }
    // A checkout that moved to its new name leaves nothing to remember.
    let moved = |name: &str, role: &String| {
        let renamed = plan.roles.values().any(|it| it == role);
        Ok::<_, anyhow::Error>(renamed && !Folder::open(out, name)?.exists())
    };
    let mut remembered = BTreeMap::new();
    for (name, role) in gone.iter().filter(|(name, _)| !request.remove.contains(name)) {
        if !moved(name, role)? {
            remembered.insert((*name).clone(), (*role).clone());
        }
    }
    let mut next = plan.roles.clone();
    next.extend(remembered.clone());
    let asked = |name: &String| request.only.is_empty() || request.only.contains(name);
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    let folders: BTreeMap<&String, Folder> = plan
        .repositories
        .keys()
        .filter(|name| asked(name))
        .map(|name| Ok((name, Folder::open(out, name)?)))
        .collect::<Result<_>>()?;
    let first = known.is_none() && !folders.values().any(Folder::exists);
    for (name, folder) in folders {
        let new = first || known.as_ref().is_some_and(|known| !known.contains_key(name));
        if request.writes && !folder.exists() && !new && !request.create {
            notes.push(format!(
                "`{name}` is not checked out in `{}` and was skipped: `--create` renders it there",
                out.display()
            ));
            continue;
        }
        let lists = plan.listing.contains(name);
        let overwrite = overwritten(&request.overwrite, name);
        let source = plan.source.clone();
        let mut asked = Asked { merge: request.merge, overwrite, source, ..Asked::default() };
        if lists {
            asked.repositories = next.clone();
        }
        let old = remembered.iter().find(|(_, role)| Some(*role) == plan.roles.get(name));
        if let Some((old, _)) = old.filter(|_| !listed.contains_key(name)) {
            asked.values = values_in(&mut Folder::open(out, old)?)?;
            notes.push(format!(
                "`{old}` is now `{name}`, which takes over the tags and versions that others set in it: rename the repository on GitHub"
            ));
        }
        all.push(Checkout {
            name: name.clone(),
            folder,
            changes: Vec::new(),
            files: &plan.repositories[name],
            asked,
        });
    }
    for name in &request.remove {
        let folder = Folder::open(out, name)?;
        if folder.exists() {
            let asked = Asked { overwrite: overwritten(&request.overwrite, name), ..Asked::default() };
            all.push(Checkout { name: name.clone(), folder, changes: Vec::new(), files: &NOTHING, asked });
        }
    }
    for name in remembered.keys().filter(|_| request.only.is_empty()) {
        notes.push(left(out, name)?);
    }
    if request.writes {
        for it in &mut all {
            let name = &it.name;
            it.folder.lock(|| notes.push(format!("waited for another render in `{name}`")))?;
        }
    }
    let done: Vec<Result<()>> = all.par_iter_mut().map(Checkout::compare).collect();
    done.into_iter().collect::<Result<()>>()?;
    for path in &request.overwrite {
        let known = all.iter().any(|it| it.overwrites(path));
        ensure!(
            known,
            "`--overwrite` names `{path}`, which is not in conflict: write `REPOSITORY/PATH`, as `render` prints it"
        );
    }
    Ok(Checkouts { all, notes })
}

impl Checkout<'_> {
    fn compare(&mut self) -> Result<()> {
        let place = self.folder.path().display().to_string();
        self.changes =
            compare(self.files, &self.asked, &mut self.folder).with_context(|| format!("in `{place}`"))?;
        Ok(())
    }

    /// Whether this file was in conflict, and is overwritten.
    fn overwrites(&self, path: &str) -> bool {
        let path = path.strip_prefix(&self.name).and_then(|it| it.strip_prefix('/'));
        self.changes.iter().any(|change| Some(&*change.path) == path && change.overwritten)
    }
}

/// The paths in this repository.
fn overwritten(paths: &[String], repository: &str) -> BTreeSet<String> {
    let path = |path: &String| Some(path.strip_prefix(repository)?.strip_prefix('/')?.to_owned());
    paths.iter().filter_map(path).collect()
}

/// The repositories of the platform at the last render, and what each is for. None if no lock tells.
fn known(plan: &Plan, out: &Path) -> Result<Option<BTreeMap<String, String>>> {
    for name in &plan.listing {
        let mut folder = Folder::open(out, name)?;
        let lock = folder.read(lock::PATH)?;
        let lock = lock.map(|found| Lock::read(&found.bytes)).transpose();
        if let Some(lock) = lock.with_context(|| format!("in `{}`", folder.path().display()))? {
            return Ok(Some(lock.repositories));
        }
    }
    Ok(None)
}

/// What still stands in a repository that is no longer planned.
fn left(out: &Path, name: &str) -> Result<String> {
    let mut folder = Folder::open(out, name)?;
    let place = folder.path().display().to_string();
    if !folder.exists() {
        return Ok(format!(
            "`{name}` is no longer in the blueprint, and not checked out: `--remove-repository {name}` forgets it"
        ));
    }
    let changes =
        compare(&NOTHING, &Asked::default(), &mut folder).with_context(|| format!("in `{place}`"))?;
    let standing: Vec<_> = changes
        .iter()
        .filter(|it| it.path != lock::PATH && it.old.is_some())
        .map(|it| shown(&it.path))
        .collect();
    let some = standing.iter().take(3).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    Ok(match standing.len() {
        0 => format!("`{name}` is no longer in the blueprint: `--remove-repository {name}` forgets it"),
        count => format!(
            "`{name}` is no longer in the blueprint, and {count} files of it are in `{place}`, such as {some}: `--remove-repository {name}` deletes those that nobody edited"
        ),
    })
}
