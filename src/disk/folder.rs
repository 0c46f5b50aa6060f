//! The folder of one repository: its files are read and replaced here, without following a symbolic link. Which files, was decided before.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use cap_fs_ext::{DirExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions},
};

use crate::{
    compare::{self, Change, Found, Outcome},
    lock::{self, Hash},
};

/// What is new lies here until it takes its place.
const NEW: &str = ".blueprint/new";

/// The folder of one repository, held open: whatever is renamed or linked meanwhile, it stays the same one. No symbolic link below it
/// is followed.
pub struct Folder {
    pub(super) path: PathBuf,
    root: Option<Dir>,
    /// The folders from the root to the one that was used last. Paths come in order, so most of them are needed again.
    open: Vec<(String, Dir)>,
    /// Held as long as no other render may write here.
    #[cfg(unix)]
    pub(super) lock: Option<rustix::fd::OwnedFd>,
    /// What the files were when they were read.
    stamps: BTreeMap<String, Stamp>,
}

/// What changes whenever a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: Option<cap_std::time::SystemTime>,
    /// When the inode was changed, in seconds and nanoseconds. Nobody can set it. Zero on a system that does not tell.
    changed: (i64, i64),
}

/// A file that changed between comparing and writing.
#[derive(Debug)]
pub struct Raced(PathBuf);

impl fmt::Display for Raced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` changed while it was compared: run the same command again", self.0.display())
    }
}

impl std::error::Error for Raced {}

impl Folder {
    /// The folder with this name in `out`, which may itself be a link. It need not exist.
    pub fn open(out: &Path, name: &str) -> Result<Self> {
        let path = out.join(name);
        let root = match Dir::open_ambient_dir(out, ambient_authority()) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            parent => {
                let parent = parent.with_context(|| format!("cannot open `{}`", out.display()))?;
                child(&parent, name, &path)?
            }
        };
        Ok(Self {
            path,
            root,
            open: Vec::new(),
            #[cfg(unix)]
            lock: None,
            stamps: BTreeMap::new(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.root.is_some()
    }

    /// Makes the folder, and keeps other renders out of it as long as it is held. `wait` is called once if another one is in it.
    pub fn lock(&mut self, wait: impl FnOnce()) -> Result<()> {
        let here = || format!("cannot create `{}`", self.path.display());
        let (out, name) = (self.path.parent().unwrap_or(Path::new(".")), self.path.file_name());
        if self.root.is_none() {
            fs::create_dir_all(out).with_context(here)?;
            let parent = Dir::open_ambient_dir(out, ambient_authority()).with_context(here)?;
            let name = Path::new(name.unwrap_or_default());
            match parent.create_dir(name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => result.with_context(here)?,
            }
            self.root = Some(parent.open_dir_nofollow(name).with_context(here)?);
        }
        #[cfg(unix)]
        if let Some(root) = &self.root {
            use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
            let cannot = || format!("cannot lock `{}`", self.path.display());
            // What `cap-std` holds open only leads to files.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let lock = openat(root, ".", flags, Mode::empty()).with_context(cannot)?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                wait();
                flock(&lock, FlockOperation::LockExclusive).with_context(cannot)?;
            }
            self.lock = Some(lock);
        }
        #[cfg(not(unix))]
        drop(wait);
        Ok(())
    }

    /// The folder that holds this path, and the last part of the path. None if that folder does not exist, unless it is made.
    fn parent<'a>(&mut self, path: &'a str, make: bool) -> Result<Option<(&Dir, &'a str)>> {
        let Some(root) = &self.root else { return Ok(None) };
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parts: Vec<&str> = folders.split('/').filter(|part| !part.is_empty()).collect();
        let same = self.open.iter().zip(&parts).take_while(|((open, _), part)| open == *part).count();
        self.open.truncate(same);
        for (depth, part) in parts.iter().enumerate().skip(same) {
            let above = self.open.last().map_or(root, |(_, folder)| folder);
            let place = self.path.join(parts[..=depth].join("/"));
            if make {
                match above.create_dir(part) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    result => result.with_context(|| format!("cannot create `{}`", place.display()))?,
                }
            }
            match child(above, part, &place)? {
                Some(folder) => self.open.push(((*part).to_owned(), folder)),
                None if make => bail!("`{}` is not a folder: move it away", place.display()),
                None => return Ok(None),
            }
        }
        Ok(Some((self.open.last().map_or(root, |(_, folder)| folder), name)))
    }

    /// The file's metadata, if it is there.
    fn stamp(&mut self, path: &str) -> Result<Option<(Stamp, Metadata)>> {
        let place = self.path.join(path);
        let Some((folder, name)) = self.parent(path, false)? else { return Ok(None) };
        match folder.symlink_metadata(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            result => {
                let metadata = result.with_context(|| format!("cannot read `{}`", place.display()))?;
                Ok(Some((Stamp::of(&metadata), metadata)))
            }
        }
    }

    /// Whether the file is what it was when it was compared.
    fn unchanged(&mut self, change: &Change) -> Result<()> {
        let now = self.stamp(&change.path)?.map(|(stamp, _)| stamp);
        let then = self.stamps.get(&change.path).cloned();
        let same = now == then || compare::Folder::read(self, &change.path)? == change.old;
        ensure!(same, Raced(self.path.join(&change.path)));
        Ok(())
    }

    /// Writes what is new below `.blueprint/new/`, the journal last. Nothing is changed before: what cannot be written stops here.
    pub(super) fn stage(&mut self, changes: &[Change]) -> Result<()> {
        let here = self.path.join(NEW);
        let cannot = || format!("cannot write below `{}`", here.display());
        let journal = compare::Folder::read(self, lock::JOURNAL)?.map(|found| found.bytes);
        let mut last = "/".to_owned();
        for change in changes.iter().filter(|change| change.is_written()) {
            self.placeable(change, &mut last)?;
        }
        let stamps: Vec<Option<Metadata>> = changes
            .iter()
            .map(|change| {
                Ok(if change.is_written() { self.stamp(&change.path)?.map(|it| it.1) } else { None })
            })
            .collect::<Result<_>>()?;
        let Some((new, _)) = self.parent(&format!("{NEW}/journal"), true)? else { bail!(cannot()) };
        for entry in new.entries().with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            if entry.file_name() != "journal" {
                new.remove_file(entry.file_name()).with_context(cannot)?;
            }
        }
        // What an interruption leaves behind is nothing to commit.
        new.write(".gitignore", "*\n").with_context(cannot)?;
        for (number, (change, old)) in changes.iter().zip(stamps).enumerate() {
            if let (true, Some(text)) =
                (change.is_written() && change.outcome != Outcome::Delete, &change.new)
            {
                write(new, &number.to_string(), text.as_bytes())
                    .and_then(|file| keep_mode(&file, text, old.as_ref()))
                    .with_context(cannot)?;
            }
        }
        let lock = changes.iter().find(|change| change.path == lock::PATH);
        let lock = lock.and_then(|change| change.new.as_deref()).unwrap_or_default();
        write(new, "next", lock::journal(lock, journal.as_deref()).as_bytes()).with_context(cannot)?;
        new.rename("next", new, "journal").with_context(cannot)?;
        Ok(())
    }

    /// Whether a file can take its place there: no file has the name of a folder above it, and its folder can be written to.
    fn placeable(&mut self, change: &Change, last: &mut String) -> Result<()> {
        let (above, _) = change.path.rsplit_once('/').unwrap_or_default();
        if *last == above {
            return Ok(());
        }
        above.clone_into(last);
        let mut folder = above;
        // The folders that are missing will be ours.
        while !folder.is_empty() {
            match self.stamp(folder)? {
                Some((_, metadata)) if metadata.is_dir() => break,
                Some(_) => bail!(
                    "`{}` is a file, where a folder is planned: move it away",
                    self.path.join(folder).display()
                ),
                None => folder = folder.rsplit_once('/').unwrap_or_default().0,
            }
        }
        let place = self.path.join(folder);
        #[cfg(unix)]
        if let Some((folder, _)) = self.parent(&format!("{folder}/file"), false)? {
            use rustix::fs::{Access, AtFlags, accessat};
            accessat(folder, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
                .with_context(|| format!("cannot write to `{}`", place.display()))?;
        }
        Ok(())
    }

    /// Each file takes its place in one step, the lock last.
    pub(super) fn place(&mut self, changes: &[Change]) -> Result<()> {
        for change in changes.iter().filter(|change| change.is_written()) {
            self.unchanged(change)?;
        }
        let staged = {
            let Some((new, _)) = self.parent(&format!("{NEW}/journal"), false)? else {
                bail!("`{}` is gone: run the same command again", self.path.join(NEW).display())
            };
            new.try_clone().with_context(|| format!("cannot open `{}`", self.path.join(NEW).display()))?
        };
        for (number, change) in changes.iter().enumerate().filter(|(_, change)| change.is_written()) {
            self.unchanged(change)?;
            let place = self.path.join(&change.path);
            if change.outcome == Outcome::Delete {
                self.remove(&change.path)?;
            } else if let Some((folder, name)) = self.parent(&change.path, true)? {
                staged
                    .rename(number.to_string(), folder, name)
                    .with_context(|| format!("cannot write `{}`", place.display()))?;
            }
        }
        self.discard()
    }

    /// Empties the folder of an earlier render. Nobody else's files belong there.
    pub(super) fn discard(&mut self) -> Result<()> {
        let place = self.path.join(NEW);
        let Some((folder, name)) = self.parent(NEW, false)? else { return Ok(()) };
        match folder.remove_dir_all(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            result => result.with_context(|| format!("cannot remove `{}`", place.display()))?,
        }
        // It may hold what merged files are based on.
        self.open.clear();
        if let Some(root) = &self.root {
            root.remove_dir(".blueprint").ok();
        }
        Ok(())
    }

    /// Removes a file, and then every folder above it that is left empty.
    fn remove(&mut self, path: &str) -> Result<()> {
        let place = self.path.join(path);
        if let Some((folder, name)) = self.parent(path, false)? {
            folder.remove_file(name).with_context(|| format!("cannot remove `{}`", place.display()))?;
        }
        let mut rest = path;
        while let Some((above, _)) = rest.rsplit_once('/') {
            let place = self.path.join(above);
            let Some((folder, name)) = self.parent(above, false)? else { break };
            match folder.remove_dir(name) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => break,
                result => result.with_context(|| format!("cannot remove `{}`", place.display()))?,
            }
            rest = above;
        }
        Ok(())
    }
}

impl compare::Folder for Folder {
    /// What the repository's own configuration says.
    fn hash(&self) -> Hash {
        let git = self.path.join(".git");
        // In a linked work tree `.git` is a file that leads to its own folder, which names the shared one.
        let linked = fs::read_to_string(&git).ok().and_then(|text| {
            let own = self.path.join(text.strip_prefix("gitdir:")?.trim());
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

    fn read(&mut self, path: &str) -> Result<Option<Found>> {
        let place = self.path.join(path);
        let cannot = || format!("cannot read `{}`", place.display());
        let Some((folder, name)) = self.parent(path, false)? else { return Ok(None) };
        let mut options = OpenOptions::new();
        // Without waiting for the other end of a pipe.
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let mut file = match folder.open_with(name, &options) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                ensure!(!is_link(folder, name), "`{}` {IS_LINK}", place.display());
                return Err(error).with_context(cannot);
            }
            Ok(file) => file,
        };
        let metadata = file.metadata().with_context(cannot)?;
        ensure!(
            metadata.is_file(),
            "`{}` is not a file, and a file is planned: move it away",
            place.display()
        );
        let bytes = contents(&mut file, metadata.len()).with_context(cannot)?;
        self.stamps.insert(path.to_owned(), Stamp::of(&metadata));
        Ok(Some(Found { bytes, executable: executable(&metadata) }))
    }

    fn recall(&self, id: &str) -> Result<Vec<u8>, String> {
        // It stands in a file that anybody could have written, and git takes more for a name than ids.
        if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) || id.is_empty() {
            return Err("the lock has no id for it".to_owned());
        }
        // Of this folder's repository, whatever repository called us, and never from the network.
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            for name in
                ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"]
            {
                git.env_remove(name);
            }
            git.envs([("GIT_NO_LAZY_FETCH", "1"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")]);
            git.args(["--no-replace-objects", "--no-optional-locks", "-c", "protocol.allow=never", "-C"]);
            git.arg(&self.path).args(arguments).output()
        };
        let found = git(&["cat-file", "blob", id]).map_err(|_| "git is not installed".to_owned())?;
        if found.status.success() {
            return Ok(found.stdout);
        }
        let said = |arguments: &[&str]| {
            let output = git(arguments).ok().filter(|it| it.status.success());
            output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
        };
        Err(match said(&["rev-parse", "--is-shallow-repository"]).as_deref() {
            None => "the folder is in no git repository that git accepts".to_owned(),
            Some("true") => "the history here is shallow: `git fetch --unshallow` completes it".to_owned(),
            Some(_) => "it was never committed, or is no longer in the history".to_owned(),
        })
    }
}

const IS_LINK: &str = "is a symbolic link, which blueprint does not follow";

/// A folder in a folder. None if there is none, or a file of that name.
fn child(above: &Dir, name: &str, place: &Path) -> Result<Option<Dir>> {
    match above.open_dir_nofollow(name) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            ensure!(!is_link(above, name), "`{}` {IS_LINK}", place.display());
            match error.kind() {
                ErrorKind::NotADirectory => Ok(None),
                _ => Err(error).with_context(|| format!("cannot open `{}`", place.display())),
            }
        }
    }
}

/// A file of this length. One that grows meanwhile is noticed before it is replaced.
fn contents(file: &mut cap_std::fs::File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..])? {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

fn is_link(folder: &Dir, name: &str) -> bool {
    folder.symlink_metadata(name).is_ok_and(|it| it.is_symlink())
}

/// Writes a new file.
fn write(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<cap_std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).follow(FollowSymlinks::No);
    let mut file = folder.open_with(name, &options)?;
    io::Write::write_all(&mut file, bytes)?;
    Ok(file)
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: metadata.modified().ok(),
            changed: changed(metadata),
        }
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> (i64, i64) {
    use cap_std::fs::MetadataExt as Unix;
    (Unix::ctime(metadata), Unix::ctime_nsec(metadata))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> (i64, i64) {
    (0, 0)
}

#[cfg(unix)]
fn executable(metadata: &Metadata) -> Option<bool> {
    use cap_std::fs::MetadataExt as Unix;
    Some(Unix::mode(metadata) & 0o100 != 0)
}

#[cfg(not(unix))]
fn executable(_: &Metadata) -> Option<bool> {
    None
}

/// A new file takes the mode and the owner of the one it replaces, as far as that is allowed. A script can be executed by all who may
/// read it.
#[cfg(unix)]
fn keep_mode(file: &cap_std::fs::File, text: &str, old: Option<&Metadata>) -> io::Result<()> {
    use cap_std::fs::{MetadataExt as Unix, Permissions, PermissionsExt};
    if old.is_none() && !text.starts_with("#!") {
        return Ok(());
    }
    let fresh = file.metadata()?;
    if let Some(old) =
        old.filter(|old| (Unix::uid(*old), Unix::gid(*old)) != (Unix::uid(&fresh), Unix::gid(&fresh)))
    {
        let (owner, group) = (Unix::uid(old), Unix::gid(old));
        let owner = rustix::fs::Uid::from_raw(owner);
        let group = rustix::fs::Gid::from_raw(group);
        // Only root may give a file away, and a member of the group the group.
        rustix::fs::fchown(file, Some(owner), Some(group))
            .or_else(|_| rustix::fs::fchown(file, None, Some(group)))
            .ok();
    }
    let mode = Unix::mode(old.unwrap_or(&fresh)) & 0o7777;
    let mode = if text.starts_with("#!") { mode | (mode & 0o444) >> 2 } else { mode };
    if mode != Unix::mode(&fresh) & 0o7777 {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_mode(_: &cap_std::fs::File, _: &str, _: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}
