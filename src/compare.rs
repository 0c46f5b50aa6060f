//! How the files on disk differ from the plan, and what a render does about each. `render`, `diff` and `check` all ask this one
//! question.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use anyhow::Result;

use crate::{
    lock::{self, Hash, Lock, LockedFile, Owner},
    plan::Files,
    shared_values::{self, Shared, Value, values},
};
use decision::{Decision, OneFile, last_values, text};

mod decision;

/// The folder of a repository, as far as a comparison looks into it.
pub trait Folder {
    /// The hash function of its object ids.
    fn hash(&self) -> Hash;

    /// One file, if it is there. An error if it cannot be read, or is not a file.
    fn read(&mut self, path: &str) -> Result<Option<Found>>;

    /// The bytes with this id, from the history of the repository. An error says why they are not there.
    fn recall(&self, id: &str) -> Result<Vec<u8>, String>;
}

/// A file on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The complete file.
    pub bytes: Vec<u8>,
    /// Whether it can be executed. None on a system that does not tell.
    pub executable: Option<bool>,
}

/// What a person decided about conflicts in one repository, and what is known from elsewhere.
#[derive(Debug, Default)]
pub struct Asked {
    /// Merge edited files instead of reporting them.
    pub merge: bool,
    /// Overwrite these files although they are in conflict.
    pub overwrite: BTreeSet<String>,
    /// The repository that contains the blueprint, if it is known.
    pub source: Option<String>,
    /// The repositories of the platform and what each is for, if this repository's lock lists them.
    pub repositories: BTreeMap<String, String>,
    /// The values that others set, by the path of the file, in a folder that this repository had before it was renamed.
    pub values: BTreeMap<String, Vec<Value>>,
}

/// The difference between the plan and the disk for one file.
#[derive(Debug)]
pub struct Change {
    /// The path inside the repository, with `/` as separator.
    pub path: String,
    /// What a render does with the file.
    pub outcome: Outcome,
    /// The file on disk. None if there is none.
    pub old: Option<Found>,
    /// The text that a render writes, or would write without a conflict, with the values that others set. None if it writes none.
    pub new: Option<String>,
    /// For a file in conflict: what was rendered last, or why that is not known.
    pub base: Option<Result<String, String>>,
    /// For a file in conflict: more than the kind of the conflict says.
    pub detail: Option<String>,
    /// The component or application that contributes the file, or did.
    pub by: Option<String>,
    /// Whether a render wrote the file before.
    pub known: bool,
    /// Whether it was in conflict, and a person asked to overwrite it.
    pub overwritten: bool,
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
    /// A person's: seeded once, or merged with edits and not rendered differently since.
    Kept,
    /// Managed by a person, because `[files]` says so.
    HandedOver,
    /// Only the lock's notes change: values that others have set since, or the version of the program. Written with the rest, and
    /// no difference.
    Noted,
    /// The merged text is written with conflict markers.
    Marked,
    /// Somebody's work would be lost, so nothing is written in this repository.
    Conflict(Conflict),
}

/// Why a file is in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// It is not what was rendered last.
    Edited,
    /// It was merged, and a render now changes lines that a person has changed, too.
    Meets,
    /// It has conflict markers.
    Unresolved,
    /// No render wrote it.
    Foreign,
    /// It is no longer planned, and is not what was rendered last.
    LeftOver,
    /// Its image would change without a commit.
    Moving,
    /// The digest beside a tag belongs to another one.
    Stale,
    /// A digest stands beside a tag that is changed without it.
    Pinned,
    /// A value that others may set is outside the versions that the blueprint allows. `Change::detail` says which.
    Outside,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edited => "edited since it was rendered",
            Self::Meets => "this render changes the same lines that were edited",
            Self::Unresolved => "contains conflict markers",
            Self::Foreign => "not written by blueprint",
            Self::LeftOver => "no longer rendered, but edited since",
            Self::Moving => "the tag `latest` changes its image: set the tag of a release",
            Self::Stale => {
                "the tag was changed without its digest: set the digest of that release, or remove it"
            }
            Self::Pinned => "the digest would keep its image when Flux changes the tag: remove it",
            Self::Outside => "a version is outside the line that the blueprint sets",
        })
    }
}

/// Opens only paths that are planned or locked: other files are never read. The lock comes last. An error is about a file that cannot
/// be read, or about the lock.
pub fn compare(files: &Files, asked: &Asked, folder: &mut impl Folder) -> Result<Vec<Change>> {
    let hash = folder.hash();
    let old_lock = folder.read(lock::PATH)?;
    let lock = old_lock.as_ref().map(|old| Lock::read(&old.bytes)).transpose()?;
    let fresh = lock.is_none();
    let lock = lock.unwrap_or(Lock { hash, ..Lock::default() });
    let lock = match folder.read(lock::JOURNAL)? {
        Some(journal) => lock.with_journal(&journal.bytes),
        None => lock,
    };
    let paths: BTreeSet<&String> = files.keys().chain(lock.files.keys()).chain(lock.merged.keys()).collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let (source, repositories) = (asked.source.clone(), asked.repositories.clone());
    let mut next = Lock { hash, version, source, repositories, ..Lock::default() };
    let (mut changes, mut bases) = (Vec::new(), Vec::new());
    let renamed = renamed(files, &lock, folder)?;
    for path in paths {
        if renamed.values().any(|before| before == path) {
            continue;
        }
        let before = renamed.get(path);
        let at = before.unwrap_or(path);
        let mut one = OneFile { path: at, lock: &lock, hash, asked, folder: &mut *folder };
        let Decision { change, entry, base } = one.decide(files.get(path))?;
        let was_merged = lock.entries(at).any(|entry| entry.owner == Owner::Merged);
        if was_merged || base.is_some() {
            if before.is_some() {
                bases.extend(base_change(at, None, folder)?);
            }
            bases.extend(base_change(path, base, folder)?);
        }
        if let Some(entry) = entry {
            next.files.insert(path.clone(), entry);
        }
        match before {
            None => changes.push(change),
            Some(before) => {
                // The bytes of what is unchanged are not kept.
                let old = change.old.or(folder.read(before)?);
                changes.extend(moved(Change { old, ..change }, path));
            }
        }
    }
    // After the merged files: an interrupted render can then still merge with the older base.
    changes.extend(bases);
    let new = next.text();
    let outcome = match &old_lock {
        // Nothing of ours stays in a repository that leaves the platform.
        Some(_) if files.is_empty() => Outcome::Delete,
        None if fresh => Outcome::Create,
        Some(old) if old.bytes == new.as_bytes() => Outcome::Unchanged,
        _ if says_the_same(&lock, &next) => Outcome::Noted,
        _ => Outcome::Update,
    };
    let path = lock::PATH.to_owned();
    changes.push(Change {
        path,
        outcome,
        old: old_lock,
        new: Some(new),
        base: None,
        detail: None,
        by: None,
        known: !fresh,
        overwritten: false,
    });
    Ok(changes)
}

/// The files that an earlier version of this program rendered at another path: by the path of this version. Where something else is at
/// that path, nothing is moved.
fn renamed(files: &Files, lock: &Lock, folder: &mut impl Folder) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for (path, file) in files.iter().filter(|(_, file)| !file.formerly.is_empty()) {
        let locked = |path: &String| lock.entries(path).next().is_some();
        let before = file.formerly.iter().find(|before| !files.contains_key(*before) && locked(before));
        if let Some(before) = before.filter(|_| !locked(path))
            && folder.read(path)?.is_none()
            && folder.read(before)?.is_none_or(|found| std::str::from_utf8(&found.bytes).is_ok())
        {
            all.insert(path.clone(), before.clone());
        }
    }
    Ok(all)
}

/// What a render does about the file at its old path, as changes of both paths: the new file first, so that an interruption loses
/// nothing.
fn moved(mut change: Change, path: &str) -> Vec<Change> {
    let Some(old) = change.old.take() else {
        change.path = path.to_owned();
        return vec![change];
    };
    if change.conflict().is_some() {
        let reason = change.reason();
        let detail = Some(format!("{reason}, and now called `{path}`"));
        return vec![Change { old: Some(old), detail, ..change }];
    }
    let outcome = if change.outcome == Outcome::Marked { Outcome::Marked } else { Outcome::Create };
    let new = change.new.take().or_else(|| String::from_utf8(old.bytes.clone()).ok());
    let (by, overwritten) = (change.by.clone(), change.overwritten);
    vec![
        Change {
            path: path.to_owned(),
            outcome,
            old: None,
            new,
            by: by.clone(),
            known: true,
            overwritten,
            ..change
        },
        Change {
            path: change.path,
            outcome: Outcome::Delete,
            old: Some(old),
            new: None,
            base: None,
            detail: None,
            by,
            known: true,
            overwritten,
        },
    ]
}

/// The values that others set, as a folder has them or had them last.
pub fn values_in(folder: &mut impl Folder) -> Result<BTreeMap<String, Vec<Value>>> {
    let Some(lock) = folder.read(lock::PATH)? else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    for (path, entry) in Lock::read(&lock.bytes)?.files {
        if !entry.shared.is_empty() {
            let old = folder.read(&path)?;
            let shared = Shared::of_lock(&entry.shared);
            let on_disk = text(old.as_ref()).map(|text| values(&text, &shared));
            let last = last_values(&entry);
            let seen = on_disk.filter(|it| !it.is_empty()).unwrap_or_else(|| last.clone());
            found.insert(path, shared_values::with_own(seen, &last));
        }
    }
    Ok(found)
}

/// The change of the text below `.blueprint/base/`, if there is one.
fn base_change(path: &str, base: Option<String>, folder: &mut impl Folder) -> Result<Option<Change>> {
    let path = format!("{}{path}", lock::BASE);
    let old = folder.read(&path)?;
    let outcome = match (&old, &base) {
        (None, None) => return Ok(None),
        (None, Some(_)) => Outcome::Create,
        (Some(_), None) => Outcome::Delete,
        (Some(old), Some(new)) if old.bytes == new.as_bytes() => return Ok(None),
        (Some(_), Some(_)) => Outcome::Update,
    };
    Ok(Some(Change {
        path,
        outcome,
        old,
        new: base,
        base: None,
        detail: None,
        by: None,
        known: true,
        overwritten: false,
    }))
}

/// Whether two locks are about the same rendered bytes, whatever others set in them, whoever counts them, and in which format.
fn says_the_same(old: &Lock, new: &Lock) -> bool {
    let base = |entry: &LockedFile| entry.base.clone().filter(|_| old.hash == new.hash);
    let same = |(path, new): (&String, &LockedFile)| {
        old.files.get(path).is_some_and(|old| old.owner == new.owner && base(old) == base(new))
    };
    old.merged.is_empty()
        && (old.repositories.is_empty() || old.repositories == new.repositories)
        && old.files.len() == new.files.len()
        && new.files.iter().all(same)
}

impl Change {
    /// Whether a render changes anything on disk.
    pub fn is_written(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Create | Outcome::Update | Outcome::Delete | Outcome::Noted | Outcome::Marked
        )
    }

    /// Whether `diff` and `check` report a difference.
    pub fn differs(&self) -> bool {
        !matches!(self.outcome, Outcome::Unchanged | Outcome::Kept | Outcome::HandedOver | Outcome::Noted)
    }

    /// Whether a person must act.
    pub fn conflict(&self) -> Option<Conflict> {
        match self.outcome {
            Outcome::Conflict(why) => Some(why),
            _ => None,
        }
    }

    /// The words for a conflict. Empty if there is none.
    pub fn reason(&self) -> String {
        self.detail.clone().or(self.conflict().map(|why| why.to_string())).unwrap_or_default()
    }

    /// Whether `--merge` can decide the conflict.
    pub fn is_mergeable(&self) -> bool {
        matches!(self.conflict(), Some(Conflict::Edited | Conflict::Meets))
            && matches!(self.base, Some(Ok(_)))
            && self.old.as_ref().is_some_and(|old| std::str::from_utf8(&old.bytes).is_ok())
    }

    /// The file on disk as text. Bytes that are not UTF-8 are replaced.
    pub fn old_text(&self) -> Cow<'_, str> {
        self.old.as_ref().map(|old| String::from_utf8_lossy(&old.bytes)).unwrap_or_default()
    }
}
