//! What a render does about one file. Which files there are, and what becomes of the lock, is decided above.

use anyhow::Result;

use super::{Asked, Change, Conflict, Folder, Found, Outcome};
use crate::{
    lock::{self, Hash, Lock, LockedFile, Owner},
    merge::{has_markers, three_way},
    page::{self, Ownership},
    plan::File,
    renames,
    shared_values::{self, Known, Shared, Value, bare, exchanged, masked, values},
};

/// One file, and all that decides about it.
pub(super) struct OneFile<'a, F> {
    pub path: &'a str,
    pub lock: &'a Lock,
    pub hash: Hash,
    pub asked: &'a Asked,
    pub folder: &'a mut F,
}

/// Why the values of others cannot be kept, and more about it.
type Wrong = Option<(Conflict, Option<String>)>;

/// What a render does, what the lock records, and the text below `.blueprint/base/`, if the file is merged.
pub(super) struct Decision {
    pub change: Change,
    pub entry: Option<LockedFile>,
    pub base: Option<String>,
}

impl<F: Folder> OneFile<'_, F> {
    pub fn decide(&mut self, planned: Option<&File>) -> Result<Decision> {
        let old = self.folder.read(self.path)?;
        // Of several entries, the one that knows these very bytes: an interrupted render wrote them, or the other side of a merge.
        let exact = |entry: &&LockedFile| {
            old.as_ref().is_some_and(|old| entry.written == self.lock.hash.blob(&old.bytes))
        };
        let entries = || self.lock.entries(self.path);
        let one = entries().nth(1).is_none();
        let locked = entries().find(|entry| one || exact(entry)).or_else(|| entries().next()).cloned();
        let Some(file) = planned else { return Ok(self.unplanned(old, locked.as_ref())) };
        let leaving = match file.leaving.is_empty() {
            true => None,
            false => text(old.as_ref()).and_then(|disk| renames::before_leaving(file, &disk)),
        };
        let leaving = leaving.map(|text| with_text(file, text));
        let file = leaving.as_ref().unwrap_or(file);
        let adopted = self.adopt(file, old.as_ref(), locked.as_ref());
        let (file, wrong) = adopted.as_ref().map_or((file, None), |(file, wrong)| (file, wrong.as_ref()));
        if file.handed_over {
            let entry = locked.unwrap_or_else(|| entry(file, &file.text, self.hash));
            let entry = LockedFile { owner: Owner::HandedOver, by: file.by.clone(), ..entry };
            return Ok(self.decision(Outcome::HandedOver, old, None, Some(entry), None));
        }
        if file.owner == Ownership::Seeded {
            // What a seeded file was when it was written stays known.
            let entry = locked.clone().filter(|_| self.lock.hash == self.hash);
            let entry = entry.unwrap_or_else(|| entry_of(file, self.hash));
            let entry = LockedFile { owner: Owner::Seeded, by: file.by.clone(), ..entry };
            let same = old.as_ref().is_some_and(|old| old.bytes == file.text.as_bytes());
            let outcome = match &old {
                _ if same => Outcome::Unchanged,
                None if locked.is_none() => Outcome::Create,
                _ => Outcome::Kept,
            };
            let new = (outcome == Outcome::Create).then(|| file.text.clone());
            return Ok(self.decision(outcome, old, new, Some(entry), None));
        }
        let Some(found) = &old else { return Ok(self.managed(Outcome::Create, None, file)) };
        if let Some((wrong, detail)) = wrong {
            let mut decision = self.conflict(*wrong, old, file, locked.as_ref());
            decision.change.detail = detail.clone().filter(|_| decision.change.conflict().is_some());
            return Ok(decision);
        }
        if found.bytes == file.text.as_bytes() {
            let lost = file.text.starts_with("#!") && found.executable == Some(false);
            let outcome = if lost { Outcome::Update } else { Outcome::Unchanged };
            return Ok(self.managed(outcome, old, file));
        }
        if self.is_ours(&found.bytes, &file.shared) {
            return Ok(self.managed(Outcome::Update, old, file));
        }
        if file.shared.iter().all(|it| !it.is_optional()) && self.is_ours(&found.bytes, &[Shared::digest()]) {
            return Ok(self.conflict(Conflict::Pinned, old, file, locked.as_ref()));
        }
        match &locked {
            Some(entry) if entry.owner == Owner::Merged => self.merged(old, file, entry),
            Some(entry) if entry.owner != Owner::Seeded => Ok(self.edited(old, file, entry)),
            Some(entry) => Ok(self.conflict(Conflict::Edited, old, file, Some(entry))),
            None => Ok(self.conflict(Conflict::Foreign, old, file, None)),
        }
    }

    /// A file that people and renders both change.
    fn merged(&mut self, old: Option<Found>, file: &File, locked: &LockedFile) -> Result<Decision> {
        let Some(disk) = text(old.as_ref()) else {
            return Ok(self.conflict(Conflict::Edited, old, file, Some(locked)));
        };
        if has_markers(&disk) {
            return Ok(self.conflict(Conflict::Unresolved, old, file, Some(locked)));
        }
        let Ok(base) = self.base(locked, file) else {
            return Ok(self.conflict(Conflict::Edited, old, file, Some(locked)));
        };
        if base == file.text {
            // Nothing else is rendered than at the last merge, so whatever the person does now needs no merge.
            let kept = self.base_on_disk().unwrap_or(base);
            let base = Some(self.hash.blob(kept.as_bytes()));
            let entry = LockedFile { by: file.by.clone(), base, ..locked.clone() };
            let entry = if self.lock.hash == self.hash { entry } else { self.entry_of_merged(file, &disk) };
            let lost =
                disk.starts_with("#!") && old.as_ref().is_some_and(|old| old.executable == Some(false));
            let (outcome, new) = if lost { (Outcome::Update, Some(disk)) } else { (Outcome::Kept, None) };
            return Ok(self.decision(outcome, old, new, Some(entry), Some(kept)));
        }
        Ok(match three_way(&base, &disk, &file.text) {
            Ok(text) => self.accepted(text, old, file),
            Err(text) if self.asked.merge => self.marked(text, old, file),
            Err(_) => self.conflict(Conflict::Meets, old, file, Some(locked)),
        })
    }

    /// A file that only renders should change.
    fn edited(&mut self, old: Option<Found>, file: &File, locked: &LockedFile) -> Decision {
        if self.asked.merge
            && let (Some(disk), Ok(base)) = (text(old.as_ref()), self.base(locked, file))
        {
            return match three_way(&base, &disk, &file.text) {
                Ok(text) => self.accepted(text, old, file),
                Err(text) => self.marked(text, old, file),
            };
        }
        self.conflict(Conflict::Edited, old, file, Some(locked))
    }

    fn accepted(&self, text: String, old: Option<Found>, file: &File) -> Decision {
        if text == file.text {
            return self.managed(Outcome::Update, old, file);
        }
        let same = old.as_ref().is_some_and(|old| old.bytes == text.as_bytes());
        let entry = self.entry_of_merged(file, &text);
        let (outcome, new) = if same { (Outcome::Kept, None) } else { (Outcome::Update, Some(text)) };
        self.decision(outcome, old, new, Some(entry), Some(file.text.clone()))
    }

    fn marked(&self, text: String, old: Option<Found>, file: &File) -> Decision {
        let entry = self.entry_of_merged(file, &text);
        self.decision(Outcome::Marked, old, Some(text), Some(entry), Some(file.text.clone()))
    }

    fn managed(&self, outcome: Outcome, old: Option<Found>, file: &File) -> Decision {
        // Most files of most renders: nobody looks at their bytes again.
        let changes = outcome != Outcome::Unchanged;
        let (old, new) = (old.filter(|_| changes), changes.then(|| file.text.clone()));
        self.decision(outcome, old, new, Some(entry_of(file, self.hash)), None)
    }

    fn unplanned(&mut self, old: Option<Found>, locked: Option<&LockedFile>) -> Decision {
        if self.asked.overwrite.contains(self.path) {
            let asked = Asked::default();
            let undecided =
                OneFile { asked: &asked, folder: &mut *self.folder, ..*self }.unplanned(old, locked);
            return match undecided.change.conflict() {
                Some(_) => overwritten(undecided),
                None => undecided,
            };
        }
        let outcome = match (&old, locked.map(|entry| entry.owner)) {
            (_, Some(Owner::Seeded | Owner::HandedOver)) => Outcome::Kept,
            (None, _) => Outcome::Unchanged,
            (Some(old), _) if self.is_ours(&old.bytes, &[]) => Outcome::Delete,
            (Some(_), _) => Outcome::Conflict(Conflict::LeftOver),
        };
        let mut decision = self.decision(outcome, old, None, None, None);
        decision.change.by = locked.and_then(|entry| entry.by.clone());
        if let (Outcome::Conflict(_), Some(locked)) = (outcome, locked) {
            decision.change.base = Some(self.folder.recall(&locked.written).and_then(|it| owned(&it)));
        }
        decision
    }

    fn conflict(
        &mut self,
        why: Conflict,
        old: Option<Found>,
        file: &File,
        locked: Option<&LockedFile>,
    ) -> Decision {
        if self.asked.overwrite.contains(self.path) {
            return overwritten(self.managed(Outcome::Update, old, file));
        }
        let base = locked.map(|locked| self.base(locked, file));
        let mut decision = self.managed(Outcome::Conflict(why), old, file);
        decision.change.base = base;
        decision
    }

    fn decision(
        &self,
        outcome: Outcome,
        old: Option<Found>,
        new: Option<String>,
        entry: Option<LockedFile>,
        base: Option<String>,
    ) -> Decision {
        let (path, by) = (self.path.to_owned(), entry.as_ref().and_then(|entry| entry.by.clone()));
        let known = self.lock.entries(self.path).next().is_some();
        let change =
            Change { path, outcome, old, new, base: None, detail: None, by, known, overwritten: false };
        Decision { change, entry, base }
    }

    /// What was rendered for these bytes, with the values that others have set since. An error says why it is not known.
    fn base(&mut self, locked: &LockedFile, file: &File) -> Result<String, String> {
        let values = values(&file.text, &file.shared);
        let with_values = |text: String| exchanged(&text, &file.shared, &values);
        let id = locked.base.as_ref().unwrap_or(&locked.written);
        if locked.base.is_some() {
            if let Some(kept) = self.base_on_disk() {
                return Ok(with_values(kept));
            }
            if *id == self.lock.hash.blob(file.text.as_bytes()) {
                return Ok(file.text.clone());
            }
        }
        let recalled = |id: &str| self.folder.recall(id).and_then(|bytes| owned(&bytes));
        // A first merge that was interrupted has no base of its own on disk: the render before it has.
        let before = || {
            let mut others = self.lock.entries(self.path).filter(|entry| entry.owner == Owner::Managed);
            others.find_map(|entry| recalled(&entry.written).ok())
        };
        recalled(id).or_else(|why| before().ok_or(why)).map(with_values)
    }

    /// What was rendered for a merged file, if nobody changed it.
    fn base_on_disk(&mut self) -> Option<String> {
        let kept = self.folder.read(&format!("{}{}", lock::BASE, self.path)).ok()??;
        let id = self.lock.hash.blob(&kept.bytes);
        let known = self.lock.entries(self.path).any(|entry| entry.base.as_ref() == Some(&id));
        owned(&kept.bytes).ok().filter(|_| known)
    }

    /// Whether only renders, and those whose values renders keep, wrote these bytes. An optional line is known by the plan if the
    /// render before did not know it.
    fn is_ours(&self, old: &[u8], planned: &[Shared]) -> bool {
        let ours = |entry: &LockedFile| {
            entry.owner == Owner::Managed && is_rendered(entry, self.lock.hash, old, planned)
        };
        page::may_be_ours(self.path, old) && self.lock.entries(self.path).any(ours)
    }

    /// The planned file with the values that others set, and what is wrong with those on disk. None if others set none in it.
    fn adopt(&self, file: &File, old: Option<&Found>, locked: Option<&LockedFile>) -> Option<(File, Wrong)> {
        if file.shared.is_empty() {
            return None;
        }
        let seen = text(old).map(|text| values(&text, &file.shared));
        let last = match locked {
            Some(entry) => last_values(entry),
            None => self.asked.values.get(self.path).cloned().unwrap_or_default(),
        };
        let exact = old.zip(locked).is_some_and(|(old, it)| it.written == self.lock.hash.blob(&old.bytes));
        let moving = seen.as_deref().is_some_and(moves);
        let mut known = Known { seen: seen.filter(|_| !moving), last, exact };
        let mut chosen = shared_values::choose(&file.text, &file.shared, &known);
        let wrong = match chosen.outside.take() {
            _ if moving => Some((Conflict::Moving, None)),
            _ if chosen.stale => {
                known.seen = None;
                chosen = shared_values::choose(&file.text, &file.shared, &known);
                Some((Conflict::Stale, None))
            }
            Some(words) if locked.is_some() => Some((Conflict::Outside, Some(words))),
            _ => None,
        };
        let text = exchanged(&file.text, &file.shared, &chosen.values);
        Some((with_text(file, text), wrong))
    }

    fn entry_of_merged(&self, file: &File, text: &str) -> LockedFile {
        let base = Some(self.hash.blob(file.text.as_bytes()));
        LockedFile { owner: Owner::Merged, base, ..entry(file, text, self.hash) }
    }
}

/// The same file with another text.
fn with_text(file: &File, text: String) -> File {
    let File { owner, handed_over, .. } = *file;
    File { owner, text, shared: file.shared.clone(), by: file.by.clone(), handed_over, ..File::default() }
}

/// A conflict that is decided for what is rendered.
fn overwritten(mut decision: Decision) -> Decision {
    let outcome = if decision.change.new.is_some() { Outcome::Update } else { Outcome::Delete };
    decision.change = Change { outcome, base: None, overwritten: true, ..decision.change };
    decision
}

/// Whether a tag that someone else set means another image tomorrow.
fn moves(values: &[Value]) -> bool {
    values.iter().any(|it| bare(&it.text) == "latest")
}

pub(super) fn last_values(entry: &LockedFile) -> Vec<Value> {
    shared_values::of_lock(&entry.shared, &entry.values)
}

/// None for what is not UTF-8.
pub(super) fn text(found: Option<&Found>) -> Option<String> {
    owned(&found?.bytes).ok()
}

fn owned(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "it is not text".to_owned())
}

/// Whether these bytes are those of the render that the entry is about, whatever others set in them since.
fn is_rendered(entry: &LockedFile, hash: Hash, old: &[u8], planned: &[Shared]) -> bool {
    let as_rendered = || {
        let text = std::str::from_utf8(old).ok()?;
        let mut shared = Shared::of_lock(&entry.shared);
        Some(match &entry.masked {
            Some(id) => {
                shared.extend(
                    planned
                        .iter()
                        .filter(|it| it.is_optional() && !shared.contains(it))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
                *id == hash.blob(masked(text, &shared).as_bytes())
            }
            // The first format knew the text only with the values of that render.
            None => entry.written == hash.blob(exchanged(text, &shared, &last_values(entry)).as_bytes()),
        })
    };
    entry.written == hash.blob(old) || !entry.shared.is_empty() && as_rendered().unwrap_or_default()
}

fn entry_of(file: &File, hash: Hash) -> LockedFile {
    entry(file, &file.text, hash)
}

/// What the lock records of a file with this text on disk.
fn entry(file: &File, text: &str, hash: Hash) -> LockedFile {
    let (shared, values) = shared_values::to_lock(text, &file.shared);
    let masked = (!values.is_empty()).then(|| hash.blob(masked(text, &file.shared).as_bytes()));
    LockedFile {
        owner: file.owner.into(),
        by: file.by.clone(),
        written: hash.blob(text.as_bytes()),
        base: None,
        masked,
        shared,
        values,
    }
}
