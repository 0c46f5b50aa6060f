//! What was rendered last, by whom it was asked for, and what others had set in it: so that nobody's work is lost. How files differ
//! from it is not known here.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::{page::Ownership, words::double_quoted};

/// It lies in the root of each repository.
pub const PATH: &str = ".blueprint.lock";

/// The locks of renders that were interrupted before theirs took its place, the last one first.
pub const JOURNAL: &str = ".blueprint/new/journal";

/// Below it lies what was rendered for each file that was merged with a person's edits, by the path of that file.
pub const BASE: &str = ".blueprint/base/";

/// Stands between two locks of a journal.
const NEXT: &str = "=======\n";

/// The format that is written. The first one, without a number, is read.
const FORMAT: i64 = 2;

/// The only line whose value others set in a lock of the first format, which did not say it.
const FIRST_SHARED: &str = "newTag: ";

/// What `.blueprint.lock` records of the last render of a repository.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// The hash function of the ids.
    pub hash: Hash,
    /// The version of the program that rendered. Empty in a lock of the first format.
    pub version: String,
    /// The repository that contains the blueprint, as `OWNER/NAME`, if the blueprint says so.
    pub source: Option<String>,
    /// What each repository of the platform is for, by its name. Only in the two repositories that every platform has.
    pub repositories: BTreeMap<String, String>,
    /// The files of the last render, by their path in the repository.
    pub files: BTreeMap<String, LockedFile>,
    /// What else may be on disk and ours: the other side of an unresolved merge, and what interrupted renders wrote.
    pub merged: BTreeMap<String, Vec<LockedFile>>,
}

/// How a repository counts its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// SHA-1, the object format of most repositories.
    #[default]
    Sha1,
    /// SHA-256, the object format of `git init --object-format=sha256`.
    Sha256,
}

/// What the lock records of one file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// Who changes the file.
    pub owner: Owner,
    /// The component or application that contributed the file. None for what every platform has.
    #[serde(default)]
    pub by: Option<String>,
    /// The id that git gives the bytes that were put on disk, the values of others included: the base of a merge.
    pub written: String,
    /// The id of what was rendered for a merged file. That text lies below `.blueprint/base/`.
    #[serde(default)]
    pub base: Option<String>,
    /// The id of the same bytes with these values left out. None where the file has none.
    #[serde(default)]
    pub masked: Option<String>,
    /// The beginnings of the lines whose value others set.
    #[serde(default)]
    pub shared: Vec<String>,
    /// These values, in the order of the file, as they were seen last.
    #[serde(default)]
    pub values: Vec<String>,
}

/// Who changes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Only renders.
    Managed,
    /// Only people, since it was written.
    Seeded,
    /// Both: each render merges what it changes with what people have changed.
    Merged,
    /// Only people: `[files]` of the blueprint says so.
    HandedOver,
}

impl Lock {
    /// An error says what is wrong with the text, and what to do.
    pub fn read(text: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| anyhow!("`{PATH}` is not text")).context(RESTORE)?;
        ensure!(!text.trim().is_empty(), "`{PATH}` is empty: {RESTORE}");
        let Some((ours, theirs)) = sides(text) else { return Self::side(text) };
        let (mut lock, other) = (Self::side(&ours)?, Self::side(&theirs)?);
        ensure!(lock.hash == other.hash, "the two sides of `{PATH}` count objects differently: {RESTORE}");
        lock.repositories.extend(other.repositories);
        lock.merged = other.files.into_iter().map(|(path, entry)| (path, vec![entry])).collect();
        Ok(lock)
    }

    fn side(text: &str) -> Result<Self> {
        let table: toml::Table =
            toml::from_str(text).with_context(|| format!("`{PATH}` does not parse: {RESTORE}"))?;
        let lock = match table.get("format") {
            None => First::into_lock(
                toml::from_str(text).with_context(|| format!("`{PATH}` does not parse: {RESTORE}"))?,
            ),
            Some(toml::Value::Integer(FORMAT)) => {
                let Second { hash, version, source, repositories, files, .. } =
                    toml::from_str(text).with_context(|| format!("`{PATH}` does not parse: {RESTORE}"))?;
                Self { hash, version, source, repositories, files, merged: BTreeMap::new() }
            }
            Some(toml::Value::Integer(newer)) if *newer > FORMAT => {
                bail!("`{PATH}` has format {newer} and was rendered by a newer blueprint: use that version")
            }
            Some(other) => bail!("`{PATH}` has the format `{other}`, which no version writes: {RESTORE}"),
        };
        let folders = lock.repositories.keys().map(|name| (name, name.contains('/')));
        for (path, nested) in lock.files.keys().map(|path| (path, false)).chain(folders) {
            ensure!(
                is_plain(path) && !nested,
                "`{PATH}` names `{}`, which no render writes: {RESTORE}",
                path.escape_debug()
            );
        }
        Ok(lock)
    }

    /// The text of the lock, in the newest format. It does not include `merged`.
    pub fn text(&self) -> String {
        let line = |(path, entry): (&String, &LockedFile)| {
            let LockedFile { owner, by, written, base, masked, shared, values } = entry;
            let by = by.iter().map(|by| format!(", by = {}", double_quoted(by)));
            let base = base.iter().map(|base| format!(", base = \"{base}\""));
            let masked = masked.iter().map(|masked| format!(", masked = \"{masked}\""));
            let lists =
                [("shared", shared), ("values", values)].into_iter().filter(|(_, list)| !list.is_empty());
            let lists = lists.map(|(name, list)| {
                let list: Vec<String> = list.iter().map(|value| double_quoted(value)).collect();
                format!(", {name} = [{}]", list.join(", "))
            });
            let rest: String = by
                .chain([format!(", written = \"{written}\"")])
                .chain(base)
                .chain(masked)
                .chain(lists)
                .collect();
            format!("{} = {{ owner = \"{owner}\"{rest} }}\n", double_quoted(path))
        };
        let lines: String = self.files.iter().map(line).collect();
        let known =
            |(name, role): (&String, &String)| format!("{} = {}\n", double_quoted(name), double_quoted(role));
        let known: String = self.repositories.iter().map(known).collect();
        let known = if known.is_empty() { known } else { format!("[repositories]\n{known}\n") };
        let source = self.source.iter().map(|source| format!("source = {}\n", double_quoted(source)));
        let source: String = source.collect();
        let hash = match self.hash {
            Hash::Sha1 => "sha1",
            Hash::Sha256 => "sha256",
        };
        format!(
            "# Written by blueprint: what it rendered last. Commit it.\n\nformat = {FORMAT}\nhash = \"{hash}\"\nversion = {}\n{source}\n{known}[files]\n{lines}",
            double_quoted(&self.version)
        )
    }

    /// With what interrupted renders wrote. A lock that does not read was interrupted before it changed anything.
    pub fn with_journal(mut self, text: &[u8]) -> Self {
        let locks = String::from_utf8_lossy(text);
        for lock in
            locks.split(NEXT).filter_map(|text| Self::side(text).ok()).filter(|it| it.hash == self.hash)
        {
            for (path, entry) in lock.files {
                self.merged.entry(path).or_default().push(entry);
            }
        }
        self
    }

    /// What is known of a file, by each side of a merge.
    pub fn entries(&self, path: &str) -> impl Iterator<Item = &LockedFile> {
        self.files.get(path).into_iter().chain(self.merged.get(path).into_iter().flatten())
    }
}

const RESTORE: &str = "restore it from the history of its repository";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Second {
    #[serde(rename = "format")]
    _format: i64,
    hash: Hash,
    version: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    repositories: BTreeMap<String, String>,
    files: BTreeMap<String, LockedFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    files: BTreeMap<String, FirstEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstEntry {
    owner: Ownership,
    blob: String,
    #[serde(default)]
    shared: Vec<String>,
}

impl First {
    fn into_lock(self) -> Lock {
        let entry = |FirstEntry { owner, blob, shared: values }: FirstEntry| {
            let shared = values.first().map(|_| FIRST_SHARED.to_owned()).into_iter().collect();
            LockedFile {
                owner: owner.into(),
                by: None,
                written: blob,
                base: None,
                masked: None,
                shared,
                values,
            }
        };
        let files = self.files.into_iter().map(|(path, it)| (path, entry(it))).collect();
        Lock { files, ..Lock::default() }
    }
}

impl From<Ownership> for Owner {
    fn from(page: Ownership) -> Self {
        match page {
            Ownership::Managed => Self::Managed,
            Ownership::Seeded => Self::Seeded,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Managed => "managed",
            Self::Seeded => "seeded",
            Self::Merged => "merged",
            Self::HandedOver => "handed-over",
        })
    }
}

/// The journal while this lock has not taken its place, from the one that was there.
pub fn journal(lock: &str, old: Option<&[u8]>) -> String {
    let old = old.map(String::from_utf8_lossy).unwrap_or_default();
    format!("{lock}{NEXT}{old}")
}

/// The two sides of a text with conflict markers, as git writes them, with or without the base between them.
fn sides(text: &str) -> Option<(String, String)> {
    enum Side {
        Both,
        Ours,
        Base,
        Theirs,
    }
    let (mut ours, mut theirs, mut side, mut marked) = (String::new(), String::new(), Side::Both, false);
    for line in text.split_inclusive('\n') {
        (side, marked) = match line.get(..7) {
            Some("<<<<<<<") => (Side::Ours, true),
            Some("|||||||") => (Side::Base, true),
            Some("=======") => (Side::Theirs, true),
            Some(">>>>>>>") => (Side::Both, true),
            _ => {
                if matches!(side, Side::Both | Side::Ours) {
                    ours.push_str(line);
                }
                if matches!(side, Side::Both | Side::Theirs) {
                    theirs.push_str(line);
                }
                (side, marked)
            }
        };
    }
    marked.then_some((ours, theirs))
}

/// Whether a render may have written a file there: inside the repository, and neither git's nor the lock itself. What some file
/// system takes for git's folder counts as it.
fn is_plain(path: &str) -> bool {
    let part = |part: &str| {
        let bare = part.trim_end_matches(['.', ' ']).to_lowercase();
        !bare.is_empty()
            && !matches!(bare.as_str(), ".git" | "git~1")
            && !part.contains(['\\', ':'])
            && !part.contains(char::is_control)
    };
    let inside = Path::new(path).components().all(|it| matches!(it, Component::Normal(_)));
    inside && path.split('/').all(part) && path != PATH && !path.starts_with(".blueprint/")
}

impl Hash {
    /// The id that git gives these bytes as a file, so that the history of a repository holds every render.
    pub fn blob(self, bytes: &[u8]) -> String {
        let head = format!("blob {}\0", bytes.len());
        let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha1 => hex(&Sha1::new().chain_update(head).chain_update(bytes).finalize()),
            Self::Sha256 => hex(&Sha256::new().chain_update(head).chain_update(bytes).finalize()),
        }
    }
}
