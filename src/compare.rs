//! How the files on disk differ from the plan. `render`, `diff` and `check` all ask this one question.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::{
    lock::{self, Hash, Lock, LockedFile},
    page::{self, Ownership},
    plan::{File, Files},
    shared_values::{bare, exchanged, masked, values},
};

/// The difference between the plan and the disk for one file.
#[derive(Debug)]
pub struct Change {
    /// The path inside the repository, with `/` as separator.
    pub path: String,
    /// What a render does with the file.
    pub outcome: Outcome,
    /// The bytes on disk. None if there is no file.
    pub old: Option<Vec<u8>>,
    /// The planned text, with the values that others set. None if the file is not planned.
    pub new: Option<String>,
}

/// What a render does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is planned and not on disk.
    Create,
    /// The file was rendered before, and its text changes.
    Update,
    /// The file was rendered before, and is no longer planned.
    Delete,
    /// The file is on disk as planned, or neither planned nor on disk.
    Unchanged,
    /// Seeded once, and left to the person since.
    Kept,
    /// Only a render's own notes change: values that others have set since, another version of the program. Written with the rest,
    /// and no difference.
    Noted,
    /// Someone else's work would be lost, so nothing at all is written.
    Conflict(&'static str),
}

/// Opens only paths that are planned or locked: whatever else lies there is nobody's business here. The lock comes last. An error
/// is about the lock.
pub fn compare(
    files: &Files,
    hash: Hash,
    mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>>,
) -> Result<Vec<Change>> {
    let old_lock = read(lock::PATH)?;
    let lock = old_lock.as_deref().map(Lock::read).transpose()?;
    let fresh = lock.is_none();
    let lock = lock.unwrap_or(Lock { hash, ..Lock::default() });
    let lock = match read(lock::JOURNAL)? {
        Some(journal) => lock.with_journal(&journal),
        None => lock,
    };
    let paths: BTreeSet<&String> = files.keys().chain(lock.files.keys()).chain(lock.merged.keys()).collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let (mut changes, mut next) = (Vec::new(), Lock { hash, version, ..Lock::default() });
    for path in paths {
        let old = read(path)?;
        let planned = files.get(path).map(|file| adopt(file, old.as_deref(), lock.entries(path).next()));
        let outcome = outcome(path, planned.as_ref(), &lock, old.as_deref());
        if let Some(file) = &planned {
            // What a seeded file was when it was written stays known.
            let seeded =
                lock.entries(path).next().filter(|_| file.owner == Ownership::Seeded && lock.hash == hash);
            next.files.insert(path.clone(), seeded.cloned().unwrap_or_else(|| entry(file, hash)));
        }
        changes.push(Change { path: path.clone(), outcome, old, new: planned.map(|file| file.text) });
    }
    let new = next.text();
    let outcome = match &old_lock {
        None if fresh => Outcome::Create,
        Some(old) if *old == new.as_bytes() => Outcome::Unchanged,
        _ if says_the_same(&lock, &next) => Outcome::Noted,
        _ => Outcome::Update,
    };
    changes.push(Change { path: lock::PATH.to_owned(), outcome, old: old_lock, new: Some(new) });
    Ok(changes)
}

fn outcome(path: &str, planned: Option<&File>, lock: &Lock, old: Option<&[u8]>) -> Outcome {
    let locked = lock.entries(path).next();
    let ours = |old: &[u8]| {
        page::may_be_ours(path, old) && lock.entries(path).any(|entry| is_ours(entry, lock.hash, old))
    };
    match (planned, locked, old) {
        (Some(file), _, Some(old)) if moves(&seen(file, Some(old), None)) => {
            Outcome::Conflict("the tag `latest` changes its image: set the tag of a release")
        }
        (Some(file), _, Some(old)) if old == file.text.as_bytes() => Outcome::Unchanged,
        (Some(file), Some(_), _) if file.owner == Ownership::Seeded => Outcome::Kept,
        (Some(file), None, Some(_)) if file.owner == Ownership::Seeded => Outcome::Kept,
        (Some(_), _, None) => Outcome::Create,
        (Some(_), _, Some(old)) if ours(old) => Outcome::Update,
        (Some(_), Some(_), Some(_)) => Outcome::Conflict("edited since it was rendered"),
        (Some(_), None, Some(_)) => Outcome::Conflict("not written by blueprint"),
        (None, Some(entry), _) if entry.owner == Ownership::Seeded => Outcome::Kept,
        (None, _, None) => Outcome::Unchanged,
        (None, _, Some(old)) if ours(old) => Outcome::Delete,
        (None, _, Some(_)) => Outcome::Conflict("no longer rendered, but edited since"),
    }
}

/// Whether a tag that someone else set means another image tomorrow.
fn moves(values: &[String]) -> bool {
    values.iter().any(|it| bare(it) == "latest")
}

/// Whether nobody but us, and those we share values with, wrote these bytes.
fn is_ours(entry: &LockedFile, hash: Hash, old: &[u8]) -> bool {
    let as_rendered = || {
        let text = std::str::from_utf8(old).ok()?;
        Some(match &entry.masked {
            Some(id) => *id == hash.blob(masked(text, &entry.shared).as_bytes()),
            // The first format knew the text only with the values of that render.
            None => entry.written == hash.blob(exchanged(text, &entry.shared, &entry.values).as_bytes()),
        })
    };
    entry.owner == Ownership::Managed
        && (entry.written == hash.blob(old) || !entry.shared.is_empty() && as_rendered().unwrap_or_default())
}

/// The planned file with the values that others set.
fn adopt(file: &File, old: Option<&[u8]>, locked: Option<&LockedFile>) -> File {
    let mut values = seen(file, old, locked);
    if moves(&values) {
        values = seen(file, None, locked);
    }
    File { text: exchanged(&file.text, file.shared, &values), by: file.by.clone(), ..*file }
}

/// The values on disk, else those that were there last.
fn seen(file: &File, old: Option<&[u8]>, locked: Option<&LockedFile>) -> Vec<String> {
    match (old, locked) {
        (Some(old), _) => std::str::from_utf8(old).map(|text| values(text, file.shared)).unwrap_or_default(),
        (None, Some(entry)) => entry.values.clone(),
        (None, None) => Vec::new(),
    }
}

fn entry(file: &File, hash: Hash) -> LockedFile {
    let values = values(&file.text, file.shared);
    let masked = (!values.is_empty()).then(|| hash.blob(masked(&file.text, file.shared).as_bytes()));
    let shared = file.shared.iter().filter(|_| !values.is_empty()).map(|it| (*it).to_owned()).collect();
    LockedFile {
        owner: file.owner,
        by: file.by.clone(),
        written: hash.blob(file.text.as_bytes()),
        masked,
        shared,
        values,
    }
}

/// Whether two locks are about the same rendered bytes, whatever others set in them, whoever counts them, and in which format.
fn says_the_same(old: &Lock, new: &Lock) -> bool {
    let same = |(path, new): (&String, &LockedFile)| {
        old.merged.is_empty() && old.files.get(path).is_some_and(|old| old.owner == new.owner)
    };
    old.files.len() == new.files.len() && new.files.iter().all(same)
}

impl Change {
    /// Whether a render changes anything on disk.
    pub fn is_written(&self) -> bool {
        !matches!(self.outcome, Outcome::Unchanged | Outcome::Kept | Outcome::Conflict(_))
    }

    /// Whether `diff` and `check` report a difference.
    pub fn differs(&self) -> bool {
        !matches!(self.outcome, Outcome::Unchanged | Outcome::Kept | Outcome::Noted)
    }

    /// One line for a list of changes: a sign, the path, and the reason of a conflict.
    pub fn line(&self, repository: &str) -> String {
        let path = &self.path;
        match self.outcome {
            Outcome::Create => format!("+ {repository}/{path}"),
            Outcome::Update => format!("~ {repository}/{path}"),
            Outcome::Delete => format!("- {repository}/{path}"),
            Outcome::Unchanged | Outcome::Kept | Outcome::Noted => format!("  {repository}/{path}"),
            Outcome::Conflict(why) => format!("! {repository}/{path}: {why}"),
        }
    }

    /// The unified diff from the bytes on disk to the planned text. Bytes that are not UTF-8 are replaced.
    pub fn diff(&self, repository: &str) -> String {
        let header = format!("{repository}/{}", self.path);
        let old = self.old.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let new = self.new.as_deref().unwrap_or_default();
        similar::TextDiff::from_lines(old.as_ref(), new).unified_diff().header(&header, &header).to_string()
    }
}
