//! The only module that touches files. What is written was decided before.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the one place for it")]

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

use crate::{compare::Change, source::Source};

pub use folder::{Folder, Raced};

mod folder;

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

/// Reads a blueprint, from standard input if its path is `-`. An error if it cannot be read or is not UTF-8.
pub fn source(path: &Path) -> Result<Source> {
    if path == Path::new(STANDARD_INPUT) {
        let text = io::read_to_string(io::stdin()).context("cannot read standard input")?;
        return Ok(Source { path: "standard input".to_owned(), text });
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Source { path: path.display().to_string(), text })
}

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

/// Nothing is changed before all new bytes lie on disk, in a folder of ours: what cannot be written stops here. Then each file takes its
/// place in one step, the lock last. What is interrupted is done anew: until the lock has its place, the journal holds the new one,
/// so that a render of whatever blueprint knows what is its own.
pub fn apply(folders: &mut [(&mut Folder, &[Change])]) -> Result<()> {
    let written = |changes: &[Change]| changes.iter().any(Change::is_written);
    each(folders, |folder, changes| match written(changes) {
        true => folder.stage(changes),
        false => folder.discard(),
    })?;
    let staged = folders.iter().filter(|(_, changes)| written(changes));
    flush(staged.map(|(folder, _)| &**folder))?;
    each(folders, |folder, changes| if written(changes) { folder.place(changes) } else { Ok(()) })
}

/// At the same time for several folders. The error is that of the first one that has one.
fn each(
    folders: &mut [(&mut Folder, &[Change])],
    work: impl Fn(&mut Folder, &[Change]) -> Result<()> + Sync,
) -> Result<()> {
    let done: Vec<Result<()>> =
        folders.par_iter_mut().map(|(folder, changes)| work(folder, changes)).collect();
    done.into_iter().collect()
}

/// What was staged reaches the disk, once for each file system.
#[cfg(target_os = "linux")]
fn flush<'a>(folders: impl Iterator<Item = &'a Folder>) -> Result<()> {
    let mut done = Vec::new();
    for folder in folders {
        let cannot = || format!("cannot write to `{}`", folder.path.display());
        if let Some(lock) = &folder.lock {
            let device = rustix::fs::fstat(lock).with_context(cannot)?.st_dev;
            if !done.contains(&device) {
                rustix::fs::syncfs(lock).with_context(cannot)?;
                done.push(device);
            }
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn flush<'a>(_: impl Iterator<Item = &'a Folder>) -> Result<()> {
    Ok(())
}
