//! The only module that touches files. What is written was decided before.
#![expect(clippy::disallowed_methods, reason = "this is the one place for it")]

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    compare::{Change, Outcome},
    lock::{self, Hash},
    source::Source,
};

/// What is new lies here until it takes its place.
const NEW: &str = ".blueprint/new";

/// The blueprint that is meant when none is named: `blueprint.toml`, else the only one in `blueprints/`.
pub fn blueprint() -> Result<PathBuf> {
    let usual = PathBuf::from("blueprint.toml");
    if usual.is_file() {
        return Ok(usual);
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir("blueprints").into_iter().flatten() {
        found.push(entry.context("cannot read `blueprints/`")?.path());
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    found.sort();
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => bail!("no blueprint was given, and there is no `blueprint.toml` in this folder"),
        [first, ..] => bail!(
            "no blueprint was given, and `blueprints/` contains several: choose one, such as `{}`",
            first.display()
        ),
    }
}

/// Reads a blueprint. An error if the file cannot be read or is not UTF-8.
pub fn source(path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Source { path: path.display().to_string(), text })
}

/// One file below `root`, if it is there.
pub fn read(root: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    let path = inside(root, path)?;
    match fs::read(&path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        result => result.map(Some).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// How the repository in this folder counts its objects, if it is one: what its own configuration says.
pub fn hash(root: &Path) -> Hash {
    let git = root.join(".git");
    // In a linked work tree `.git` is a file that leads to its own folder, which names the shared one.
    let linked = fs::read_to_string(&git).ok().and_then(|text| {
        let own = root.join(text.strip_prefix("gitdir:")?.trim());
        let shared = fs::read_to_string(own.join("commondir")).unwrap_or_default();
        Some(own.join(shared.trim()))
    });
    let configuration = fs::read_to_string(linked.unwrap_or(git).join("config")).unwrap_or_default();
    let value = |line: &str| {
        let (key, value) = line.split_once('=')?;
        key.trim().eq_ignore_ascii_case("objectformat").then(|| value.trim().to_lowercase())
    };
    match configuration.lines().find_map(value).as_deref() {
        Some("sha256") => Hash::Sha256,
        _ => Hash::Sha1,
    }
}

/// Nothing is changed before all new bytes lie in a folder of ours on the same disk: what cannot be written stops here. Then each
/// file takes its place in one step, the lock last. What is interrupted is done anew: until the lock has its place, the journal holds
/// the new one, so that a render of whatever blueprint knows what is its own.
pub fn apply(root: &Path, changes: &[Change]) -> Result<()> {
    if !changes.iter().any(Change::is_written) {
        return discard(root);
    }
    let new = stage(root, changes)?;
    for change in changes.iter().filter(|change| change.is_written()) {
        let path = inside(root, &change.path)?;
        ensure!(
            read(root, &change.path)? == change.old,
            "`{}` changed while it was compared: run the same command again",
            path.display()
        );
    }
    for (number, change) in changes.iter().enumerate().filter(|(_, change)| change.is_written()) {
        let path = inside(root, &change.path)?;
        match change.outcome {
            Outcome::Delete => remove(root, &change.path)?,
            _ => {
                folder_of(&path)?;
                fs::rename(new.join(number.to_string()), &path)
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
            }
        }
    }
    discard(root)
}

/// Writes what is new below `.blueprint/new/`, the journal last, and says which folder that is.
fn stage(root: &Path, changes: &[Change]) -> Result<PathBuf> {
    let new = inside(root, NEW)?;
    let here = || format!("cannot write below `{}`", new.display());
    fs::create_dir_all(&new).with_context(here)?;
    for entry in fs::read_dir(&new).with_context(here)? {
        let entry = entry.with_context(here)?;
        if root.join(lock::JOURNAL) != entry.path() {
            fs::remove_file(entry.path()).with_context(here)?;
        }
    }
    // What an interruption leaves behind is nothing to commit.
    fs::write(new.join(".gitignore"), "*\n").with_context(here)?;
    for (number, change) in changes.iter().enumerate() {
        let path = inside(root, &change.path)?;
        ensure!(!path.is_dir(), "`{}` is a folder, where a file is planned: move it away", path.display());
        if let (true, Some(text)) = (change.is_written() && change.outcome != Outcome::Delete, &change.new) {
            let staged = new.join(number.to_string());
            fs::write(&staged, text).and_then(|()| mode(&staged, text)).with_context(here)?;
        }
    }
    let lock =
        changes.iter().find(|change| change.path == lock::PATH).and_then(|change| change.new.as_deref());
    let journal = lock::journal(lock.unwrap_or_default(), read(root, lock::JOURNAL)?.as_deref());
    let fresh = new.join("next");
    fs::write(&fresh, journal)
        .and_then(|()| fs::rename(&fresh, root.join(lock::JOURNAL)))
        .with_context(here)?;
    Ok(new)
}

/// Empties the folder of an earlier render. Nobody else's files belong there.
fn discard(root: &Path) -> Result<()> {
    let new = inside(root, NEW)?;
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result.with_context(|| format!("cannot remove `{}`", new.display()))?,
    }
    // It may hold what is kept.
    fs::remove_dir(new.parent().unwrap_or(root)).ok();
    Ok(())
}

/// A symbolic link below `root` could lead out of it.
fn inside(root: &Path, path: &str) -> Result<PathBuf> {
    let mut whole = root.to_owned();
    for part in Path::new(path).components() {
        whole.push(part);
        ensure!(
            !whole.is_symlink(),
            "`{}` is a symbolic link, which blueprint does not follow",
            whole.display()
        );
    }
    Ok(whole)
}

fn folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))
}

/// A script can be run.
#[cfg(unix)]
fn mode(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if text.starts_with("#!") { fs::set_permissions(path, fs::Permissions::from_mode(0o755)) } else { Ok(()) }
}

#[cfg(not(unix))]
fn mode(_: &Path, _: &str) -> std::io::Result<()> {
    Ok(())
}

/// Removes a file, and then every folder above it that is left empty.
fn remove(root: &Path, path: &str) -> Result<()> {
    let path = inside(root, path)?;
    fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => break,
            result => result.with_context(|| format!("cannot remove `{}`", folder.display()))?,
        }
    }
    Ok(())
}
