//! The only module that touches files. What is written was decided before.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    compare::{Change, Outcome},
    source::Source,
};

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
        [] => bail!("no blueprint is named, and there is no `blueprint.toml` here"),
        [first, ..] => bail!(
            "no blueprint is named, and `blueprints/` holds several: name one, such as `{}`",
            first.display()
        ),
    }
}

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

/// Each file is whole at every moment. The lock comes last, so that what is interrupted is done anew.
pub fn apply(root: &Path, changes: &[Change]) -> Result<()> {
    for change in changes {
        match (change.outcome, &change.new) {
            (Outcome::Create | Outcome::Update, Some(new)) => write(&inside(root, &change.path)?, new)?,
            (Outcome::Delete, _) => remove(root, &change.path)?,
            _ => {}
        }
    }
    Ok(())
}

/// A symbolic link below `root` could lead out of it.
fn inside(root: &Path, path: &str) -> Result<PathBuf> {
    let mut whole = root.to_owned();
    for part in Path::new(path).components() {
        whole.push(part);
        ensure!(!whole.is_symlink(), "`{}` is a symbolic link: blueprint writes only files", whole.display());
    }
    Ok(whole)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".blueprint-new");
    let new = path.with_file_name(name);
    let written = fs::write(&new, text).and_then(|()| mode(&new, text)).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        fs::remove_file(&new).ok();
    }
    written.with_context(|| format!("cannot write `{}`", path.display()))
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
