//! What was rendered last, so that nobody's work is lost.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sha1::{Digest, Sha1};

use crate::{page::Owner, words::double_quoted};

/// It lies in the root of each repository.
pub const PATH: &str = ".blueprint.lock";

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub files: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub owner: Owner,
    /// The id that git gives what was rendered.
    pub blob: String,
    /// The values in it that someone else keeps up to date, as they were rendered.
    #[serde(default)]
    pub shared: Vec<String>,
}

impl Lock {
    pub fn read(text: &[u8]) -> Result<Self> {
        let lock: Self = std::str::from_utf8(text)
            .map_err(anyhow::Error::new)
            .and_then(|text| Ok(toml::from_str(text)?))
            .with_context(|| {
                format!("`{PATH}` does not read: restore it from the history of its repository")
            })?;
        for path in lock.files.keys() {
            let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(inside && !path.is_empty(), "`{PATH}` speaks of `{path}`, which lies outside");
        }
        Ok(lock)
    }

    pub fn text(&self) -> String {
        let line = |(path, Entry { owner, blob, shared }): (&String, &Entry)| {
            let shared: Vec<String> = shared.iter().map(|value| double_quoted(value)).collect();
            let shared = match shared.is_empty() {
                true => String::new(),
                false => format!(", shared = [{}]", shared.join(", ")),
            };
            format!("{} = {{ owner = \"{owner}\", blob = \"{blob}\"{shared} }}\n", double_quoted(path))
        };
        let lines: String = self.files.iter().map(line).collect();
        format!("# Written by blueprint: what it rendered last. Commit it.\n\n[files]\n{lines}")
    }
}

/// The id that git gives these bytes, so that the history of a repository holds every render.
pub fn blob(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
