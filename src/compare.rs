//! How the files on disk differ from the plan. `render`, `diff` and `check` all ask this one question.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::{
    lock::{self, Entry, Lock, blob},
    page::Owner,
    plan::{File, Files},
};

#[derive(Debug)]
pub struct Change {
    pub path: String,
    pub outcome: Outcome,
    pub old: Option<Vec<u8>>,
    pub new: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Create,
    Update,
    Delete,
    Unchanged,
    /// Seeded once, and left to the person since.
    Kept,
    /// Someone else's work would be lost, so nothing at all is written.
    Conflict(&'static str),
}

/// Opens only paths that are planned or locked: whatever else lies there is nobody's business here.
/// The lock comes last.
pub fn compare(files: &Files, mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>>) -> Result<Vec<Change>> {
    let old_lock = read(lock::PATH)?;
    let lock = old_lock.as_deref().map(Lock::read).transpose()?.unwrap_or_default();
    let paths: BTreeSet<&String> = files.keys().chain(lock.files.keys()).collect();
    let (mut changes, mut next) = (Vec::new(), Lock::default());
    for path in paths {
        let (locked, old) = (lock.files.get(path), read(path)?);
        let planned = files.get(path).map(|file| adopt(file, old.as_deref()));
        let outcome = outcome(planned.as_ref(), locked, old.as_deref());
        if let Some(file) = &planned {
            // What a seeded file was when it was written stays known.
            let seeded = locked.filter(|_| file.owner == Owner::Seeded);
            next.files.insert(path.clone(), seeded.cloned().unwrap_or_else(|| entry(file)));
        }
        changes.push(Change { path: path.clone(), outcome, old, new: planned.map(|file| file.text) });
    }
    let new = next.text();
    let outcome = match &old_lock {
        None => Outcome::Create,
        Some(old) if *old == new.as_bytes() => Outcome::Unchanged,
        Some(_) => Outcome::Update,
    };
    changes.push(Change { path: lock::PATH.to_owned(), outcome, old: old_lock, new: Some(new) });
    Ok(changes)
}

fn outcome(planned: Option<&File>, locked: Option<&Entry>, old: Option<&[u8]>) -> Outcome {
    let ours = |old: &[u8]| locked.is_some_and(|entry| is_ours(entry, planned, old));
    match (planned, locked, old) {
        (Some(file), _, Some(_)) if moves(file) => {
            Outcome::Conflict("`latest` is no release: set a tag that stays")
        }
        (Some(file), _, Some(old)) if old == file.text.as_bytes() => Outcome::Unchanged,
        (Some(file), Some(_), _) if file.owner == Owner::Seeded => Outcome::Kept,
        (Some(file), None, Some(_)) if file.owner == Owner::Seeded => Outcome::Kept,
        (Some(_), _, None) => Outcome::Create,
        (Some(_), _, Some(old)) if ours(old) => Outcome::Update,
        (Some(_), Some(_), Some(_)) => Outcome::Conflict("edited by hand since it was rendered"),
        (Some(_), None, Some(_)) => Outcome::Conflict("not written by blueprint"),
        (None, Some(entry), _) if entry.owner == Owner::Seeded => Outcome::Kept,
        (None, _, None) => Outcome::Unchanged,
        (None, _, Some(old)) if ours(old) => Outcome::Delete,
        (None, _, Some(_)) => Outcome::Conflict("no longer planned, but edited by hand"),
    }
}

/// Whether a tag that someone else set means another image tomorrow.
fn moves(file: &File) -> bool {
    values(&file.text, file.shared).iter().any(|it| it.trim_matches(['"', '\'']) == "latest")
}

/// Whether nobody but us, and those we share values with, wrote these bytes.
fn is_ours(entry: &Entry, planned: Option<&File>, old: &[u8]) -> bool {
    let as_rendered = || {
        let text = std::str::from_utf8(old).ok()?;
        exchange(text, planned?.shared, &entry.shared)
    };
    entry.owner == Owner::Managed
        && (entry.blob == blob(old) || as_rendered().is_some_and(|text| entry.blob == blob(text.as_bytes())))
}

/// The planned file with the shared values that are on disk.
fn adopt(file: &File, old: Option<&[u8]>) -> File {
    let File { owner, shared, .. } = *file;
    let text = old.and_then(|old| {
        let old = std::str::from_utf8(old).ok()?;
        exchange(&file.text, shared, &values(old, shared))
    });
    File { owner, shared, text: text.unwrap_or_else(|| file.text.clone()) }
}

fn entry(file: &File) -> Entry {
    Entry { owner: file.owner, blob: blob(file.text.as_bytes()), shared: values(&file.text, file.shared) }
}

/// The shared values of a text: the word behind each beginning of a line.
fn values(text: &str, shared: &[&str]) -> Vec<String> {
    text.lines().filter_map(|line| Some(value(line, shared)?.1.to_owned())).collect()
}

/// What stands before the value of a line, the value, and what stands after it.
fn value<'t>(line: &'t str, shared: &[&str]) -> Option<(&'t str, &'t str, &'t str)> {
    let start = shared.iter().find(|start| line.trim_start().starts_with(**start))?;
    let (before, rest) = line.split_at(line.len() - line.trim_start().len() + start.len());
    let (value, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    (!value.is_empty()).then_some((before, value, after))
}

/// The text with other shared values. None if it has not as many of them.
fn exchange(text: &str, shared: &[&str], new: &[String]) -> Option<String> {
    if shared.is_empty() || new.len() != values(text, shared).len() {
        return None;
    }
    let mut new = new.iter();
    let lines = text.split_inclusive('\n').map(|line| match value(line, shared) {
        Some((before, _, after)) => format!("{before}{}{after}", new.next().expect("they are as many")),
        None => line.to_owned(),
    });
    Some(lines.collect())
}

impl Change {
    pub fn differs(&self) -> bool {
        !matches!(self.outcome, Outcome::Unchanged | Outcome::Kept)
    }

    pub fn line(&self, repository: &str) -> String {
        let path = &self.path;
        match self.outcome {
            Outcome::Create => format!("+ {repository}/{path}"),
            Outcome::Update => format!("~ {repository}/{path}"),
            Outcome::Delete => format!("- {repository}/{path}"),
            Outcome::Unchanged | Outcome::Kept => format!("  {repository}/{path}"),
            Outcome::Conflict(why) => format!("! {repository}/{path}: {why}"),
        }
    }

    pub fn diff(&self, repository: &str) -> String {
        let header = format!("{repository}/{}", self.path);
        let old = self.old.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let new = self.new.as_deref().unwrap_or_default();
        similar::TextDiff::from_lines(old.as_ref(), new).unified_diff().header(&header, &header).to_string()
    }
}
