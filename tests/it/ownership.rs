use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::Result;
use blueprint::{
    compare::{self, Asked, Change, Conflict, Found, Outcome, compare},
    disk::{self, Folder},
    lock::{self, Hash, Lock},
    page::Ownership,
    plan::{File, Files},
    shared_values::Shared,
};
use tempfile::TempDir;

/// As each managed file begins.
const HEADER: &str = "# Written by blueprint. Change the blueprint instead.\n";

fn file(owner: Ownership, text: &str, shared: &'static [&'static str]) -> File {
    let (first, rest) = text.split_at(if text.starts_with("#!") { text.find('\n').unwrap() + 1 } else { 0 });
    let header = if owner == Managed { HEADER } else { "" };
    let shared = shared.iter().map(|start| Shared::any(start)).collect();
    File { owner, text: format!("{first}{header}{rest}"), shared, ..File::default() }
}

fn files(list: &[(&str, Ownership, &str)]) -> Files {
    list.iter().map(|(path, owner, text)| ((*path).to_owned(), file(*owner, text, &[]))).collect()
}

fn changes(root: &Path, files: &Files) -> Vec<Change> {
    compare(files, &Asked::default(), &mut open(root)).unwrap()
}

fn open(root: &Path) -> Folder {
    Folder::open(root.parent().unwrap(), root.file_name().unwrap().to_str().unwrap()).unwrap()
}

fn apply(root: &Path, changes: &[Change]) -> Result<()> {
    let mut folder = open(root);
    folder.lock(|| ())?;
    disk::apply(&mut [(&mut folder, changes)])
}

/// What differs, but for the lock.
fn outcomes(root: &TempDir, files: &Files) -> Vec<(String, Outcome)> {
    let changes = changes(root.path(), files).into_iter().filter(|it| it.path != lock::PATH);
    changes.map(|change| (change.path, change.outcome)).collect()
}

fn render(root: &TempDir, files: &Files) {
    apply(root.path(), &changes(root.path(), files)).unwrap();
}

fn put(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn settled(root: &TempDir, files: &Files) -> bool {
    changes(root.path(), files).iter().all(|change| !change.differs())
}

/// A folder in which these files were rendered.
fn rendered(list: &[(&str, Ownership, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    apply(root.path(), &changes(root.path(), &files(list))).unwrap();
    root
}

fn outcome(root: &TempDir, list: &[(&str, Ownership, &str)], path: &str) -> Outcome {
    let changes = changes(root.path(), &files(list));
    changes.iter().find(|change| change.path == path).unwrap().outcome
}

use Ownership::{Managed, Seeded};

/// A folder in memory, with a history of its own.
#[derive(Default)]
struct Shelf {
    files: BTreeMap<String, Found>,
    opened: BTreeSet<String>,
    history: Vec<Vec<u8>>,
}

impl compare::Folder for Shelf {
    fn hash(&self) -> Hash {
        Hash::Sha1
    }

    fn read(&mut self, path: &str) -> Result<Option<Found>> {
        self.opened.insert(path.to_owned());
        Ok(self.files.get(path).cloned())
    }

    fn recall(&self, id: &str) -> Result<Vec<u8>, String> {
        let found = self.history.iter().find(|bytes| Hash::Sha1.blob(bytes) == id);
        found.cloned().ok_or_else(|| "no history".to_owned())
    }
}

impl Shelf {
    fn put(&mut self, path: &str, text: &str) {
        let executable = Some(text.starts_with("#!"));
        self.files.insert(path.to_owned(), Found { bytes: text.as_bytes().to_vec(), executable });
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.files[path].bytes.clone()).unwrap()
    }

    /// Renders, and commits what is there then.
    fn render(&mut self, planned: &Files, asked: &Asked) -> Vec<Change> {
        let changes = compare(planned, asked, self).unwrap();
        if changes.iter().all(|change| change.conflict().is_none()) {
            for change in changes.iter().filter(|change| change.is_written()) {
                match (change.outcome, &change.new) {
                    (Outcome::Delete, _) | (_, None) => drop(self.files.remove(&change.path)),
                    (_, Some(text)) => self.put(&change.path, text),
                }
            }
            self.history.extend(self.files.values().map(|found| found.bytes.clone()));
        }
        changes
    }

    /// What a render would do with the only file.
    fn outcome(&mut self, planned: &Files, asked: &Asked) -> Outcome {
        compare(planned, asked, self).unwrap()[0].outcome
    }
}

fn merging() -> Asked {
    Asked { merge: true, ..Asked::default() }
}

#[test]
fn a_planned_file_is_created() {
    let root = TempDir::new().unwrap();
    assert_eq!(outcome(&root, &[("a", Managed, "1")], "a"), Outcome::Create);
    assert_eq!(outcome(&root, &[("a", Seeded, "1")], "a"), Outcome::Create);
}

#[test]
fn a_rendered_file_is_updated_or_unchanged() {
    let root = rendered(&[("a", Managed, "1")]);
    assert_eq!(outcome(&root, &[("a", Managed, "2")], "a"), Outcome::Update);
    assert_eq!(outcome(&root, &[("a", Managed, "1")], "a"), Outcome::Unchanged);
    assert_eq!(outcome(&root, &[("a", Managed, "1")], lock::PATH), Outcome::Unchanged);
}

#[test]
fn a_file_no_longer_planned_is_deleted_with_its_folder() {
    let root = rendered(&[("a/b/c", Managed, "1"), ("d", Managed, "1")]);
    let planned = [("d", Managed, "1")];
    assert_eq!(outcome(&root, &planned, "a/b/c"), Outcome::Delete);
    apply(root.path(), &changes(root.path(), &files(&planned))).unwrap();
    assert!(!root.path().join("a").exists());
    assert!(changes(root.path(), &files(&planned)).iter().all(|change| !change.differs()));
}

#[test]
fn an_edited_file_is_a_conflict() {
    let root = rendered(&[("a", Managed, "1")]);
    fs::write(root.path().join("a"), "edited").unwrap();
    assert!(matches!(outcome(&root, &[("a", Managed, "2")], "a"), Outcome::Conflict(_)));
    assert!(matches!(outcome(&root, &[], "a"), Outcome::Conflict(_)));
    fs::write(root.path().join("a"), format!("{HEADER}edited")).unwrap();
    assert!(matches!(outcome(&root, &[("a", Managed, "2")], "a"), Outcome::Conflict(_)));
    assert_eq!(outcome(&root, &[("a", Managed, "edited")], "a"), Outcome::Unchanged);
}

#[test]
fn a_foreign_file_in_the_way_is_a_conflict() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("a"), b"\xff\xfe").unwrap();
    assert!(matches!(outcome(&root, &[("a", Managed, "1")], "a"), Outcome::Conflict(_)));
}

#[test]
fn a_seeded_file_is_the_persons_even_when_deleted() {
    let root = rendered(&[("a", Seeded, "1")]);
    fs::write(root.path().join("a"), "mine").unwrap();
    assert_eq!(outcome(&root, &[("a", Seeded, "2")], "a"), Outcome::Kept);
    assert_eq!(outcome(&root, &[], "a"), Outcome::Kept);
    fs::remove_file(root.path().join("a")).unwrap();
    assert_eq!(outcome(&root, &[("a", Seeded, "2")], "a"), Outcome::Kept);
}

/// A robot or a person sets the tag, but to a release.
#[test]
fn a_tag_that_moves_is_a_conflict() {
    let text = |tag: &str| format!("images:\n    newTag: {tag}  # marker\n");
    let planned = Files::from([("a".to_owned(), file(Managed, &text("\"0.1.0\""), TAG))]);
    let root = TempDir::new().unwrap();
    render(&root, &planned);
    for (tag, wanted) in [("\"0.2.0\"", Outcome::Unchanged), ("0.2.0", Outcome::Unchanged)] {
        put(&root, "a", &format!("{HEADER}{}", text(tag)));
        assert_eq!(outcomes(&root, &planned)[0].1, wanted, "{tag}");
    }
    for tag in ["latest", "\"latest\"", "'latest'"] {
        put(&root, "a", &format!("{HEADER}{}", text(tag)));
        assert!(matches!(outcomes(&root, &planned)[0].1, Outcome::Conflict(_)), "{tag}");
    }
}

const TAG: &[&str] = &["newTag: "];

/// Whatever else lies in the output is never opened: not `.git`, not what is not text.
#[test]
fn only_planned_and_locked_paths_are_opened() {
    let id = Hash::Sha1.blob(b"1");
    let lock = format!("[files]\n\"gone\" = {{ owner = \"managed\", blob = \"{id}\" }}\n");
    let mut shelf = Shelf::default();
    shelf.put(lock::PATH, &lock);
    compare(&files(&[("a", Managed, "1")]), &Asked::default(), &mut shelf).unwrap();
    assert_eq!(shelf.opened, BTreeSet::from([lock::PATH, lock::JOURNAL, "a", "gone"].map(str::to_owned)));
}

#[test]
fn foreign_files_survive() {
    let root = rendered(&[("a", Managed, "1")]);
    fs::create_dir_all(root.path().join(".git")).unwrap();
    for foreign in [".git/HEAD", "b.bin", "a.blueprint-old"] {
        fs::write(root.path().join(foreign), b"\xff\x00").unwrap();
    }
    apply(root.path(), &changes(root.path(), &files(&[("c", Managed, "1")]))).unwrap();
    for foreign in [".git/HEAD", "b.bin", "a.blueprint-old"] {
        assert_eq!(fs::read(root.path().join(foreign)).unwrap(), b"\xff\x00");
    }
    let left = fs::read_dir(root.path()).unwrap().count();
    assert_eq!(left, 5, "`.git`, `b.bin`, `a.blueprint-old`, `c`, the lock, and no half-written file");
}

/// What was written before the interruption is as planned, and what was not is as locked; the journal knows it for a render of
/// another blueprint, too.
#[test]
fn an_interrupted_render_converges() {
    let first = files(&[("a", Managed, "1"), ("b", Managed, "1"), ("c", Managed, "1")]);
    let second = files(&[("a", Managed, "2"), ("b", Managed, "2"), ("d", Managed, "2")]);
    let third = files(&[("a", Managed, "3"), ("c", Managed, "3")]);
    for next in [&first, &second, &third] {
        for done in 0..5 {
            let root = TempDir::new().unwrap();
            render(&root, &first);
            interrupt(&root, &changes(root.path(), &second), done);
            // Twice: the second one is stopped before it changed anything.
            interrupt(&root, &changes(root.path(), &third), 0);
            let rest = changes(root.path(), next);
            assert!(
                !rest.iter().any(|change| matches!(change.outcome, Outcome::Conflict(_))),
                "after {done}"
            );
            apply(root.path(), &rest).unwrap();
            assert!(settled(&root, next), "after {done}");
            assert!(!root.path().join(".blueprint").exists(), "nothing is left behind");
        }
    }
}

/// As `disk::apply` leaves a folder that is stopped after so many files: each is whole, the lock is the old one, the journal is there.
fn interrupt(root: &TempDir, changes: &[Change], done: usize) {
    let new = changes.last().and_then(|lock| lock.new.as_deref()).unwrap();
    let old = fs::read(root.path().join(lock::JOURNAL)).ok();
    put(root, lock::JOURNAL, &lock::journal(new, old.as_deref()));
    for change in changes[..changes.len() - 1].iter().filter(|it| it.is_written()).take(done) {
        match &change.new {
            Some(text) => put(root, &change.path, text),
            None => fs::remove_file(root.path().join(&change.path)).unwrap(),
        }
    }
}

/// A link of somebody else under a name of ours is never followed, and what cannot be written changes nothing.
#[cfg(unix)]
#[test]
fn what_cannot_be_written_stops_before_anything_is_changed() {
    let other = TempDir::new().unwrap();
    fs::write(other.path().join("file"), "theirs").unwrap();
    let planned = files(&[("a", Managed, "2"), ("z/b", Managed, "2")]);
    let plant: [fn(&Path, &Path); 3] = [
        |root, other| {
            fs::create_dir(root.join(".blueprint")).unwrap();
            std::os::unix::fs::symlink(other, root.join(".blueprint/new")).unwrap();
        },
        |root, other| std::os::unix::fs::symlink(other, root.join("z")).unwrap(),
        |root, _| fs::create_dir_all(root.join("z/b/mine")).unwrap(),
    ];
    for plant in plant {
        let root = rendered(&[("a", Managed, "1")]);
        plant(root.path(), other.path());
        let done = compare(&planned, &Asked::default(), &mut open(root.path()))
            .and_then(|changes| apply(root.path(), &changes));
        assert!(done.is_err());
        assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), format!("{HEADER}1"));
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(other.path().join("file")).unwrap(), "theirs");
    }
}

#[test]
fn a_file_that_changes_while_it_is_compared_is_not_lost() {
    let root = rendered(&[("a", Managed, "1")]);
    let changes = changes(root.path(), &files(&[("a", Managed, "2")]));
    put(&root, "a", "mine");
    assert!(apply(root.path(), &changes).is_err());
    assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), "mine");
}

#[cfg(unix)]
#[test]
fn a_link_is_refused_and_a_script_can_be_run() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let root = rendered(&[("run", Managed, "#!/bin/sh\n")]);
    assert_eq!(fs::metadata(root.path().join("run")).unwrap().permissions().mode() & 0o777, 0o755);
    symlink(root.path(), root.path().join("link")).unwrap();
    assert!(compare::Folder::read(&mut open(root.path()), "link/x").is_err());
}

#[test]
fn a_lock_reads_back_and_stays_inside() {
    let tagged = File { by: Some("shop".to_owned()), ..file(Managed, "    newTag: \"0.1.0\"\n", TAG) };
    let planned = Files::from([("a/b.tf".to_owned(), tagged), (".c".to_owned(), file(Seeded, "2", &[]))]);
    let root = TempDir::new().unwrap();
    render(&root, &planned);
    let text = fs::read(root.path().join(lock::PATH)).unwrap();
    assert_eq!(Lock::read(&text).unwrap().text().into_bytes(), text);
    for path in [
        "../a",
        "/etc/passwd",
        "a/../../b",
        "",
        ".git/config",
        "a/.GIT/hooks/x",
        "git~1/x",
        ".git./x",
        "a\\\\b",
        ".blueprint.lock",
        "a//b",
        ".",
    ] {
        let text = format!("[files]\n\"{path}\" = {{ owner = \"managed\", blob = \"\" }}\n");
        assert!(Lock::read(text.as_bytes()).is_err(), "`{path}` is no file of ours");
    }
}

/// Each says what is wrong with the lock.
#[test]
fn a_lock_that_does_not_read_has_its_words() {
    for (text, words) in [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("format = 3\n", "was rendered by a newer blueprint"),
        ("format = \"two\"\n", "which no version writes"),
        ("format = 2\nhash = \"sha1\"\nversion = \"0.1.0\"\n", "does not parse"),
        ("[files]\n\"a\" = { owner = \"managed\"", "does not parse"),
        ("[files]\n\".git/x\" = { owner = \"managed\", blob = \"\" }\n", "which no render writes"),
    ] {
        let error = format!("{:#}", Lock::read(text.as_bytes()).unwrap_err());
        assert!(error.contains(words), "{text:?}: {error}");
    }
    assert!(Lock::read(b"\xff").is_err());
}

/// Two branches rendered differently, and the lock is an unresolved merge: what either of them wrote is ours.
#[test]
fn either_side_of_a_merged_lock_is_ours() {
    let root = rendered(&[("a", Managed, "1"), ("b", Managed, "1")]);
    let lock = |list: &[(&str, Ownership, &str)]| {
        fs::read_to_string(rendered(list).path().join(lock::PATH)).unwrap()
    };
    let (ours, theirs) = (lock(&[("a", Managed, "2")]), lock(&[("a", Managed, "3"), ("b", Managed, "3")]));
    for base in ["", "||||||| base\nformat = 1\n"] {
        put(&root, lock::PATH, &format!("<<<<<<< HEAD\n{ours}{base}=======\n{theirs}>>>>>>> other\n"));
        for (text, wanted) in [("2", Outcome::Update), ("3", Outcome::Update)] {
            put(&root, "a", &format!("{HEADER}{text}"));
            assert_eq!(outcome(&root, &[("a", Managed, "4")], "a"), wanted);
        }
        put(&root, "a", &format!("{HEADER}1"));
        assert!(matches!(outcome(&root, &[("a", Managed, "4")], "a"), Outcome::Conflict(_)));
        put(&root, "b", &format!("{HEADER}3"));
        assert_eq!(outcome(&root, &[], "b"), Outcome::Delete);
    }
}

/// A lock that somebody made up names a person's file with its id: without our header it is not ours.
#[test]
fn a_crafted_lock_leads_to_no_file_of_a_person() {
    let root = TempDir::new().unwrap();
    for path in ["notes.md", "main.tf", "key.xyz", "LICENSE", "package.json"] {
        put(&root, path, "mine");
    }
    let id = Hash::Sha1.blob(b"mine");
    let entry = |path| format!("\"{path}\" = {{ owner = \"managed\", blob = \"{id}\" }}\n");
    put(
        &root,
        lock::PATH,
        &format!(
            "[files]\n{}",
            ["notes.md", "main.tf", "key.xyz", "LICENSE", "package.json"].map(entry).concat()
        ),
    );
    for (path, outcome) in outcomes(&root, &Files::new()) {
        assert!(matches!(outcome, Outcome::Conflict(_)), "{path}");
    }
}

/// Whatever a render manages, the next one knows as its own.
#[test]
fn every_managed_file_is_known_as_ours() {
    for (name, text) in crate::blueprints() {
        for (path, file) in crate::plan(&text).repositories.into_values().flatten() {
            let ours = blueprint::page::may_be_ours(&path, file.text.as_bytes());
            assert!(ours || file.owner == Seeded, "{name}: `{path}` would be a conflict at the next render");
        }
    }
}

/// As `git hash-object` says, with `--object-format` of either kind.
#[test]
fn blob_ids_are_those_of_git() {
    assert_eq!(Hash::Sha1.blob(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_eq!(Hash::Sha1.blob(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_eq!(Hash::Sha256.blob(b""), "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
}

fn hash(root: &TempDir) -> Hash {
    compare::Folder::hash(&open(root.path()))
}

/// The kind of ids follows the repository, and a lock of the other kind is understood and converted.
#[test]
fn a_repository_with_sha256_has_such_ids() {
    let root = rendered(&[("a", Managed, "1")]);
    put(&root, ".git/config", "[core]\n\tbare = false\n");
    assert_eq!(hash(&root), Hash::Sha1);
    put(&root, ".git/config", "[extensions]\n\tobjectFormat = sha256\n");
    assert_eq!(hash(&root), Hash::Sha256);
    let compared = |text| changes(root.path(), &files(&[("a", Managed, text)]));
    assert!(compared("1").iter().all(|change| !change.differs()));
    let differing = compared("2");
    assert_eq!(differing[0].outcome, Outcome::Update);
    apply(root.path(), &differing).unwrap();
    let lock = Lock::read(&fs::read(root.path().join(lock::PATH)).unwrap()).unwrap();
    assert_eq!(lock.files["a"].written.len(), 64);
    // A linked work tree: its folder names the shared one.
    let linked = TempDir::new().unwrap();
    put(&linked, ".git", &format!("gitdir: {}\n", root.path().join(".git/worktrees/linked").display()));
    put(&root, ".git/worktrees/linked/commondir", "../..\n");
    assert_eq!(hash(&linked), Hash::Sha256);
}

/// What a lock of the first format knows is ours, values that others raised included, and the next render converts it.
#[test]
fn a_lock_of_the_first_format_is_converted_without_a_conflict() {
    let text = |tag: &str| format!("images:\n    newTag: \"{tag}\"\n");
    let planned = |words: &str| {
        Files::from([("a".to_owned(), file(Managed, &format!("{words}{}", text("0.1.0")), TAG))])
    };
    let root = TempDir::new().unwrap();
    let id = Hash::Sha1.blob(format!("{HEADER}{}", text("0.1.0")).as_bytes());
    put(
        &root,
        lock::PATH,
        &format!(
            "[files]\n\"a\" = {{ owner = \"managed\", blob = \"{id}\", shared = [\"\\\"0.1.0\\\"\"] }}\n"
        ),
    );
    put(&root, "a", &format!("{HEADER}{}", text("0.2.0")));
    assert!(settled(&root, &planned("")), "a release and an older lock are no difference");
    assert_eq!(outcomes(&root, &planned("more: 1\n"))[0].1, Outcome::Update);
    assert_eq!(
        outcomes(&root, &Files::new())[0].1,
        Outcome::Delete,
        "released, and removed with its application"
    );
    render(&root, &planned("more: 1\n"));
    let lock = Lock::read(&fs::read(root.path().join(lock::PATH)).unwrap()).unwrap();
    assert_eq!(lock.files["a"].values, ["\"0.2.0\""]);
    assert!(lock.files["a"].masked.is_some() && lock.version == env!("CARGO_PKG_VERSION"));
}

/// A tag that a pull request or a robot set stays set, and is no difference.
#[test]
fn a_value_that_someone_else_keeps_is_kept() {
    let planned = |text: &str| Files::from([("a.yaml".to_owned(), file(Managed, text, TAG))]);
    let root = TempDir::new().unwrap();
    let path = root.path().join("a.yaml");
    let first = "images:\n  - name: a\n    newTag: \"0.1.0\"\n";
    render(&root, &planned(first));
    put(&root, "a.yaml", &format!("{HEADER}{}", first.replace("0.1.0", "1.2.3")));
    assert!(settled(&root, &planned(first)), "a release is no difference");
    let second = "images:\n  - name: b\n    newTag: \"0.1.0\" # set by a release\n";
    assert_eq!(outcomes(&root, &planned(second))[0].1, Outcome::Update);
    render(&root, &planned(second));
    let released = format!("{HEADER}{}", second.replace("0.1.0", "1.2.3"));
    assert_eq!(fs::read_to_string(&path).unwrap(), released);
    assert!(settled(&root, &planned(second)));
    put(&root, "a.yaml", &released.replace("1.2.3", "1.2.4").replace("name: b", "name: c"));
    assert!(matches!(outcomes(&root, &planned(second))[0].1, Outcome::Conflict(_)), "more than the value");
    put(&root, "a.yaml", &format!("{HEADER}images: []\n"));
    assert!(matches!(outcomes(&root, &planned(second))[0].1, Outcome::Conflict(_)), "the value is gone");
}

/// The comment of a robot stays where the plan has none; one of the plan wins.
#[test]
fn a_comment_behind_a_value_is_kept() {
    let planned = |comment: &str| {
        Files::from([("a".to_owned(), file(Managed, &format!("    newTag: \"0.1.0\"{comment}\n"), TAG))])
    };
    let root = TempDir::new().unwrap();
    render(&root, &planned(""));
    put(&root, "a", &format!("{HEADER}    newTag: 0.2.0 # marker of a robot\n"));
    assert!(settled(&root, &planned("")));
    render(&root, &planned(" # ours"));
    assert_eq!(
        fs::read_to_string(root.path().join("a")).unwrap(),
        format!("{HEADER}    newTag: 0.2.0 # ours\n")
    );
}

/// Who overwrites a tag that moves gets the release that was live before.
#[test]
fn a_tag_that_moves_is_overwritten_by_the_last_release() {
    let planned = Files::from([("a".to_owned(), file(Managed, "    newTag: \"0.1.0\"\n", TAG))]);
    let root = TempDir::new().unwrap();
    render(&root, &planned);
    put(&root, "a", &format!("{HEADER}    newTag: \"0.2.0\"\n"));
    render(&root, &planned);
    put(&root, "a", &format!("{HEADER}    newTag: latest\n"));
    let change = &changes(root.path(), &planned)[0];
    assert!(matches!(change.outcome, Outcome::Conflict(_)));
    assert_eq!(change.new.as_deref(), Some(format!("{HEADER}    newTag: \"0.2.0\"\n").as_str()));
}

/// A file that went missing comes back with what was live when a render saw it last.
#[test]
fn a_missing_file_comes_back_with_its_value() {
    let planned = Files::from([("a".to_owned(), file(Managed, "    newTag: \"0.1.0\"\n", TAG))]);
    let root = TempDir::new().unwrap();
    render(&root, &planned);
    let released = format!("{HEADER}    newTag: \"0.2.0\"\n");
    put(&root, "a", &released);
    let lock = changes(root.path(), &planned).pop().unwrap();
    assert_eq!((lock.outcome, lock.differs()), (Outcome::Noted, false));
    render(&root, &planned);
    fs::remove_file(root.path().join("a")).unwrap();
    render(&root, &planned);
    assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), released);
}

/// A Dockerfile as rendered, with two base images: of the first a robot raises patch version and digest, of the other the digest.
fn image(version: &str, digests: [char; 2]) -> Files {
    let [build, run] = digests.map(|digit| digit.to_string().repeat(64));
    let text = format!(
        "FROM --platform=$A registry/golang:{version}@sha256:{build} AS build\nRUN make\nFROM static:nonroot@sha256:{run}\n"
    );
    let own = format!("{version}@sha256:{build}");
    let line: Vec<&str> = version.split('.').take(2).collect();
    let shared = vec![
        Shared::within("FROM --platform=$A registry/golang:", "golang:", &own, &line.join(".")),
        Shared::within("FROM static:", "static:", &format!("nonroot@sha256:{run}"), "nonroot"),
    ];
    Files::from([("Dockerfile".to_owned(), File { shared, ..file(Managed, &text, &[]) })])
}

/// A folder with a rendered Dockerfile, in which a person or a robot has changed something since.
fn edited(planned: &Files, edits: &[(&str, &str)]) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.render(planned, &Asked::default());
    edit(&mut shelf, edits);
    shelf
}

fn edit(shelf: &mut Shelf, edits: &[(&str, &str)]) {
    let text = shelf.text("Dockerfile");
    let after = edits.iter().fold(text.clone(), |text, (old, new)| text.replace(old, new));
    assert!(edits.is_empty() || after != text, "{edits:?}");
    shelf.put("Dockerfile", &after);
}

/// What a robot raised within its line is no difference, in a lock that knows it and one that does not, and comes back with a file
/// that went missing.
#[test]
fn a_raised_base_image_is_kept() {
    let planned = image("1.26.9-alpine3.24", ['a', 'b']);
    let raised =
        [("1.26.9", "1.26.10"), (&*"a".repeat(64), &*"c".repeat(64)), (&*"b".repeat(64), &*"d".repeat(64))];
    let mut shelf = edited(&planned, &raised);
    let text = shelf.text("Dockerfile");
    for _ in 0..2 {
        assert!(shelf.render(&planned, &Asked::default()).iter().all(|it| !it.differs()));
        assert_eq!(shelf.text("Dockerfile"), text);
    }
    let lock = shelf.text(lock::PATH);
    assert!(lock.contains("\"1.26.10-alpine3.24@sha256:cc") && lock.contains("\"=FROM static:\""), "{lock}");
    shelf.files.remove("Dockerfile");
    shelf.render(&planned, &Asked::default());
    assert_eq!(shelf.text("Dockerfile"), text);
}

/// A repository that is renamed takes along what robots raised in it.
#[test]
fn a_raised_base_image_survives_a_new_name() {
    let planned = image("1.26.9-alpine3.24", ['a', 'b']);
    for noted in [false, true] {
        let mut shelf = edited(&planned, &[("1.26.9", "1.26.10"), (&"b".repeat(64), &"d".repeat(64))]);
        if noted {
            shelf.render(&planned, &Asked::default());
        }
        let asked = Asked { values: compare::values_in(&mut shelf).unwrap(), ..Asked::default() };
        let mut renamed = Shelf::default();
        renamed.render(&planned, &asked);
        assert_eq!(renamed.text("Dockerfile"), shelf.text("Dockerfile"));
        assert!(renamed.render(&planned, &Asked::default()).iter().all(|it| !it.differs()));
    }
}

/// The newer version wins, by number. Of two digests of one version nobody can tell, so a raised one stays.
#[test]
fn the_newer_version_of_a_base_image_wins() {
    let text = |version, digests| image(version, digests)["Dockerfile"].text.clone();
    let plan = |version, digests| image(version, digests);
    let mut shelf = edited(&plan("1.26.9-alpine3.24", ['a', 'b']), &[("1.26.9", "1.26.10")]);
    let newer = plan("1.26.11-alpine3.24", ['c', 'b']);
    assert_eq!(shelf.outcome(&newer, &Asked::default()), Outcome::Update);
    shelf.render(&newer, &Asked::default());
    assert_eq!(shelf.text("Dockerfile"), text("1.26.11-alpine3.24", ['c', 'b']));
    let older = plan("1.26.9-alpine3.24", ['a', 'b']);
    assert!(shelf.render(&older, &Asked::default()).iter().all(|it| !it.differs()), "an older program");
    assert_eq!(shelf.text("Dockerfile"), text("1.26.11-alpine3.24", ['c', 'b']));
    // Nobody has raised the digest since this program rendered it.
    let mut shelf = edited(&plan("1.26.9-alpine3.24", ['a', 'b']), &[]);
    shelf.render(&plan("1.26.9-alpine3.24", ['a', 'e']), &Asked::default());
    assert_eq!(shelf.text("Dockerfile"), text("1.26.9-alpine3.24", ['a', 'e']));
    edit(&mut shelf, &[(&"e".repeat(64), &"f".repeat(64))]);
    for own in ['e', '0', '1'] {
        shelf.render(&plan("1.26.9-alpine3.24", ['a', own]), &Asked::default());
        assert_eq!(shelf.text("Dockerfile"), text("1.26.9-alpine3.24", ['a', 'f']), "raised, and kept");
    }
}

/// Another line of the blueprint, or another variant of a new program, replaces what was raised in the line before.
#[test]
fn another_line_of_versions_replaces_a_raised_one() {
    for noted in [false, true] {
        for next in ["1.27.0-alpine3.24", "1.25.3-alpine3.24", "1.26.9-alpine3.25"] {
            let planned = image("1.26.9-alpine3.24", ['a', 'b']);
            let mut shelf = edited(&planned, &[("1.26.9", "1.26.10")]);
            if noted {
                shelf.render(&planned, &Asked::default());
            }
            let planned = image(next, ['c', 'b']);
            assert_eq!(shelf.outcome(&planned, &Asked::default()), Outcome::Update, "{next}");
            shelf.render(&planned, &Asked::default());
            assert_eq!(shelf.text("Dockerfile"), planned["Dockerfile"].text);
        }
    }
}

/// What is outside of the line is a conflict that says so, and is overwritten by the last good value.
#[test]
fn a_base_image_outside_its_line_is_a_conflict() {
    let planned = image("1.26.9-alpine3.24", ['a', 'b']);
    let digest = format!("@sha256:{}", "a".repeat(64));
    for (edit_to, words) in [
        (("1.26.10", "1.27.0"), "`golang:1.27.0-alpine3.24` is outside `1.26`, which the blueprint sets"),
        (("1.26.10", "1.2.60"), "`golang:1.2.60-alpine3.24` is outside `1.26`, which the blueprint sets"),
        (("1.26.10", "latest"), "`golang:latest-alpine3.24` is outside `1.26`, which the blueprint sets"),
        (
            ("alpine3.24", "bookworm"),
            "`golang:1.26.10-bookworm` is not a version of `1.26-alpine3.24`, which the blueprint sets",
        ),
        ((&*digest, ""), "`golang:1.26.10-alpine3.24` must have a digest"),
        ((&*digest, "@sha256:aa"), "`golang:1.26.10-alpine3.24` must have a digest"),
        (("nonroot", "debug"), "`static:debug` is outside `nonroot`, which the blueprint sets"),
    ] {
        let mut shelf = edited(&planned, &[("1.26.9", "1.26.10")]);
        shelf.render(&planned, &Asked::default());
        let good = shelf.text("Dockerfile");
        edit(&mut shelf, &[edit_to]);
        let change = compare(&planned, &Asked::default(), &mut shelf).unwrap().remove(0);
        assert_eq!((change.outcome, &*change.reason()), (Outcome::Conflict(Conflict::Outside), words));
        let overwrite = Asked { overwrite: ["Dockerfile".to_owned()].into(), ..Asked::default() };
        shelf.render(&planned, &overwrite);
        assert_eq!(shelf.text("Dockerfile"), good, "{words}");
    }
}

/// Only the value, and a comment behind it, are of others.
#[test]
fn what_stands_behind_a_base_image_is_compared() {
    let planned = image("1.26.9-alpine3.24", ['a', 'b']);
    for (old, new) in [(" AS build", ""), (" AS build", " AS builder"), ("make", "make all"), ("$A", "$B")] {
        let mut shelf = edited(&planned, &[("1.26.9", "1.26.10"), (old, new)]);
        let outcome = shelf.outcome(&planned, &Asked::default());
        assert_eq!(outcome, Outcome::Conflict(Conflict::Edited), "{new}");
    }
    let mut shelf = edited(&planned, &[("1.26.9", "1.26.10"), (" AS build", " AS build # by a robot")]);
    assert_eq!(shelf.outcome(&planned, &Asked::default()), Outcome::Unchanged);
}

/// `language-version` moves Dockerfile, workflows and renovate.json to another line, over what robots raised in the line before.
#[test]
fn the_blueprint_sets_the_line_of_a_language() {
    let text = |version: &str| {
        let mut table: toml::Table = toml::from_str(&crate::blueprints()["minimal.toml"]).unwrap();
        let shop = table["applications"]["shop"].as_table_mut().unwrap();
        shop.insert("language-version".to_owned(), version.into());
        toml::to_string(&table).unwrap()
    };
    let plan = |version: &str| crate::plan(&text(version)).repositories.remove("shop").unwrap();
    let (older, newer) = (plan("1.26"), plan("1.27"));
    for (path, words) in [
        ("Dockerfile", "golang:1.27.1-alpine3.24@sha256:"),
        (".github/workflows/ci.yml", "go-version: \"1.27.1\""),
        (".github/workflows/release.yml", "go-version: \"1.27.1\""),
        ("renovate.json", "\"allowedVersions\": \"/^1\\\\.27\\\\./\""),
        ("README.md", "Go 1.27,"),
        ("go.mod", "go 1.27.0"),
    ] {
        let other = words.replace("1.27.1", "1.26.9").replace("1.27", "1.26").replace("\\\\.27", "\\\\.26");
        assert!(newer[path].text.contains(words) && !newer[path].text.contains(&other), "{path}: {words}");
        assert!(older[path].text.contains(&other), "{path}: {other}");
    }
    let mut shelf = edited(&older, &[("1.26.9", "1.26.12")]);
    assert!(shelf.render(&older, &Asked::default()).iter().all(|it| !it.differs()));
    let changes = shelf.render(&newer, &Asked::default());
    assert!(changes.iter().all(|it| it.conflict().is_none()));
    assert_eq!(shelf.text("Dockerfile"), newer["Dockerfile"].text);
}

/// An overlay, in which a delivery sets the digest of the image below its tag.
fn overlay(more: &str, digest: bool) -> Files {
    let text = format!("images:\n  - name: shop\n    newTag: \"0.1.0\"\n{more}");
    let shared = [Shared::any("newTag: ")].into_iter().chain(digest.then(Shared::digest)).collect();
    Files::from([("Dockerfile".to_owned(), File { shared, ..file(Managed, &text, &[]) })])
}

fn delivered(tag: &str, digit: char) -> String {
    format!("newTag: \"{tag}\"\n    digest: sha256:{}", digit.to_string().repeat(64))
}

/// A digest below the tag is of others, at its place: no difference, kept by renders that change something else, and back with a file
/// that went missing.
#[test]
fn a_digest_beside_a_tag_is_kept() {
    let planned = overlay("", true);
    for noted in [false, true] {
        let mut shelf = edited(&planned, &[("newTag: \"0.1.0\"", &delivered("0.2.0", 'a'))]);
        let text = shelf.text("Dockerfile");
        if noted {
            assert!(shelf.render(&planned, &Asked::default()).iter().all(|it| !it.differs()));
            shelf.files.remove("Dockerfile");
            shelf.render(&planned, &Asked::default());
        }
        assert_eq!(shelf.text("Dockerfile"), text);
        shelf.render(&overlay("patches: []\n", true), &Asked::default());
        assert_eq!(shelf.text("Dockerfile"), format!("{text}patches: []\n"));
        edit(&mut shelf, &[("newTag: \"0.2.0\"", "newTag: \"0.3.0\""), (&"a".repeat(64), &"b".repeat(64))]);
        assert!(
            shelf.render(&overlay("patches: []\n", true), &Asked::default()).iter().all(|it| !it.differs())
        );
    }
    // A lock of an older program, which did not know of digests.
    let mut shelf = edited(&overlay("", false), &[("newTag: \"0.1.0\"", &delivered("0.2.0", 'a'))]);
    assert!(shelf.render(&planned, &Asked::default()).iter().all(|it| !it.differs()));
    // Anything else on this line, or in another place, is an edit.
    for wrong in [
        "newTag: \"0.2.0\"\n    digest: sha256:aa",
        "newTag: \"0.2.0\"\n  digest: sha256:aa",
        "digest: latest",
    ] {
        let mut shelf = edited(&planned, &[("newTag: \"0.1.0\"", wrong)]);
        assert_eq!(
            shelf.outcome(&planned, &Asked::default()),
            Outcome::Conflict(Conflict::Edited),
            "{wrong}"
        );
    }
}

/// The digest decides which image runs: one that stays while its tag changes is a conflict, and so is one where Flux changes the tag.
#[test]
fn a_digest_of_another_tag_is_a_conflict() {
    let planned = overlay("", true);
    let mut shelf = edited(&planned, &[("newTag: \"0.1.0\"", &delivered("0.2.0", 'a'))]);
    shelf.render(&planned, &Asked::default());
    let good = shelf.text("Dockerfile");
    edit(&mut shelf, &[("0.2.0", "0.3.0")]);
    assert_eq!(shelf.outcome(&planned, &Asked::default()), Outcome::Conflict(Conflict::Stale));
    let overwrite = Asked { overwrite: ["Dockerfile".to_owned()].into(), ..Asked::default() };
    shelf.render(&planned, &overwrite);
    assert_eq!(shelf.text("Dockerfile"), good);
    // Without the digest, or with another one, it is a release.
    let line = format!("\n    digest: sha256:{}", "a".repeat(64));
    edit(&mut shelf, &[("0.2.0", "0.3.0"), (&line, "")]);
    assert_eq!(shelf.outcome(&planned, &Asked::default()), Outcome::Unchanged);

    let automated = overlay("", false);
    let mut shelf = edited(&automated, &[("newTag: \"0.1.0\"", &delivered("0.2.0", 'a'))]);
    assert_eq!(shelf.outcome(&automated, &Asked::default()), Outcome::Conflict(Conflict::Pinned));
    shelf.render(&automated, &overwrite);
    assert_eq!(shelf.text("Dockerfile"), automated["Dockerfile"].text.replace("0.1.0", "0.2.0"));
    // From pull requests to image automation: the render removes the digest.
    let mut shelf = edited(&planned, &[("newTag: \"0.1.0\"", &delivered("0.2.0", 'a'))]);
    shelf.render(&planned, &Asked::default());
    assert_eq!(shelf.outcome(&automated, &Asked::default()), Outcome::Update);
    shelf.render(&automated, &Asked::default());
    assert_eq!(shelf.text("Dockerfile"), automated["Dockerfile"].text.replace("0.1.0", "0.2.0"));
}

/// A lock of an older program knows no line of the Dockerfile: what it rendered is its own all the same.
#[test]
fn a_lock_without_lines_of_versions_is_converted() {
    let mut older = image("1.26.8-alpine3.24", ['a', 'b']);
    older.get_mut("Dockerfile").unwrap().shared.clear();
    for next in ["1.26.8-alpine3.24", "1.26.9-alpine3.24", "1.27.0-alpine3.24"] {
        let mut shelf = edited(&older, &[]);
        let planned = image(next, ['a', 'c']);
        shelf.render(&planned, &Asked::default());
        assert_eq!(shelf.text("Dockerfile"), planned["Dockerfile"].text);
        edit(&mut shelf, &[(&"c".repeat(64), &"d".repeat(64))]);
        assert_eq!(shelf.outcome(&planned, &Asked::default()), Outcome::Unchanged);
    }
}

/// Each base image of a rendered Dockerfile and each toolchain of a workflow can be raised, and nothing else can.
#[test]
fn robots_raise_base_images_and_toolchains_of_every_application() {
    let mut seen = BTreeSet::new();
    for (name, text) in crate::blueprints() {
        for (path, file) in crate::plan(&text).repositories.into_values().flatten() {
            let versions: Vec<String> = file
                .text
                .lines()
                .filter_map(|line| {
                    let line = line.trim_start();
                    let starts = [
                        "FROM ",
                        "go-version: ",
                        "node-version: ",
                        "rustup toolchain install ",
                        "rustup default ",
                    ];
                    let start = starts.iter().find(|start| line.starts_with(**start))?;
                    let words = line[start.len()..].split(' ').find(|word| !word.starts_with("--"))?;
                    let digest = words.contains("@sha256:");
                    let value =
                        if *start == "FROM " { words.split_once(':').filter(|_| digest)?.1 } else { words };
                    seen.insert(*start);
                    Some(value.to_owned())
                })
                .collect();
            let raised = ["Dockerfile", ".github/workflows/ci.yml", ".github/workflows/release.yml"];
            if raised.contains(&path.as_str()) {
                let shared = blueprint::shared_values::values(&file.text, &file.shared);
                let shared: Vec<String> = shared.into_iter().map(|it| it.text).collect();
                assert_eq!(shared, versions, "{name}: {path}");
            } else {
                assert!(file.shared.is_empty() || path.ends_with("kustomization.yaml"), "{name}: {path}");
            }
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

const TEN: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

/// A rendered file of ten lines with some of them exchanged.
fn lines(edits: &[(&str, &str)]) -> String {
    let edited = edits
        .iter()
        .fold(TEN.to_owned(), |text, (old, new)| text.replace(&format!("{old}\n"), &format!("{new}\n")));
    format!("{HEADER}{edited}")
}

fn ten(edits: &[(&str, &str)]) -> Files {
    let text = lines(edits);
    Files::from([("a".to_owned(), File { text, ..File::default() })])
}

/// An edited file is merged when asked, then belongs to both: renders merge into it without being asked.
#[test]
fn an_edited_file_is_merged() {
    let mut shelf = Shelf::default();
    shelf.render(&ten(&[]), &Asked::default());
    shelf.put("a", &lines(&[("2", "two")]));
    let changed = ten(&[("9", "nine")]);
    assert_eq!(shelf.outcome(&changed, &Asked::default()), Outcome::Conflict(Conflict::Edited));
    shelf.render(&changed, &merging());
    assert_eq!(shelf.text("a"), lines(&[("2", "two"), ("9", "nine")]));
    assert_eq!(
        shelf.text(".blueprint/base/a"),
        changed["a"].text,
        "what was rendered, for a clone to merge again"
    );
    assert!(shelf.render(&changed, &Asked::default()).iter().all(|it| !it.differs()));
    // More edits of the person, and more of the render, from a clone without history.
    shelf.put("a", &lines(&[("2", "two"), ("9", "nine"), ("4", "four")]));
    shelf.history.clear();
    assert!(shelf.render(&changed, &Asked::default()).iter().all(|it| !it.differs()));
    let third = ten(&[("9", "nine"), ("7", "seven")]);
    shelf.render(&third, &Asked::default());
    assert_eq!(shelf.text("a"), lines(&[("2", "two"), ("9", "nine"), ("4", "four"), ("7", "seven")]));
    assert_eq!(shelf.text(".blueprint/base/a"), third["a"].text);
    // No longer planned: the edits are not lost.
    assert_eq!(shelf.outcome(&Files::new(), &Asked::default()), Outcome::Conflict(Conflict::LeftOver));
    // Back to what is rendered: an ordinary file again.
    shelf.put("a", &third["a"].text);
    shelf.render(&third, &Asked::default());
    assert!(!shelf.files.contains_key(".blueprint/base/a"));
    assert_eq!(shelf.outcome(&changed, &Asked::default()), Outcome::Update);
}

/// Where both changed the same line, a merge writes markers, and no render goes on before they are resolved.
#[test]
fn a_merge_that_meets_an_edit_writes_markers() {
    let mut shelf = Shelf::default();
    shelf.render(&ten(&[]), &Asked::default());
    shelf.put("a", &lines(&[("2", "two")]));
    let changed = ten(&[("2", "II")]);
    let outcomes: Vec<Outcome> = shelf.render(&changed, &merging()).iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes[0], Outcome::Marked);
    let marked = "<<<<<<< on disk\ntwo\n||||||| rendered before\n2\n=======\nII\n>>>>>>> rendered now\n";
    assert!(shelf.text("a").contains(marked), "{}", shelf.text("a"));
    for asked in [Asked::default(), merging()] {
        assert_eq!(shelf.outcome(&changed, &asked), Outcome::Conflict(Conflict::Unresolved));
    }
    shelf.put("a", &lines(&[("2", "both")]));
    assert_eq!(shelf.outcome(&changed, &Asked::default()), Outcome::Kept);
    // The next change of the same line is a conflict of a merged file.
    let third = ten(&[("2", "zwei")]);
    assert_eq!(shelf.outcome(&third, &Asked::default()), Outcome::Conflict(Conflict::Meets));
    assert_eq!(shelf.outcome(&third, &merging()), Outcome::Marked);
    let overwrite = Asked { overwrite: ["a".to_owned()].into(), ..Asked::default() };
    shelf.render(&third, &overwrite);
    assert_eq!(shelf.text("a"), third["a"].text);
}

/// Without a base there is nothing to merge with: it says why, and nothing is written.
#[test]
fn without_a_base_nothing_is_merged() {
    let mut shelf = Shelf::default();
    shelf.render(&ten(&[]), &Asked::default());
    shelf.history.clear();
    shelf.put("a", &lines(&[("2", "two")]));
    let change = compare(&ten(&[("9", "nine")]), &merging(), &mut shelf).unwrap().remove(0);
    assert_eq!(change.outcome, Outcome::Conflict(Conflict::Edited));
    assert_eq!(change.base, Some(Err("no history".to_owned())));
}

/// A merge that was interrupted at any file goes on, with the same blueprint and with another one.
#[test]
fn an_interrupted_merge_loses_no_edit() {
    let asked = merging();
    for next in [ten(&[("9", "nine")]), ten(&[("9", "nine"), ("7", "seven")])] {
        for twice in [false, true] {
            for done in 0..3 {
                let mut shelf = Shelf::default();
                shelf.render(&ten(&[]), &asked);
                shelf.put("a", &lines(&[("2", "two")]));
                if twice {
                    shelf.render(&ten(&[("4", "four")]), &asked);
                }
                let changes = compare(&ten(&[("9", "nine")]), &asked, &mut shelf).unwrap();
                shelf.put(
                    lock::JOURNAL,
                    &lock::journal(changes.last().unwrap().new.as_deref().unwrap(), None),
                );
                for change in changes[..changes.len() - 1].iter().filter(|it| it.is_written()).take(done) {
                    shelf.put(&change.path, change.new.as_deref().unwrap());
                }
                shelf.render(&next, &asked);
                assert!(shelf.text("a").contains("two\n"), "after {done}: {}", shelf.text("a"));
                assert!(shelf.text("a").contains("nine\n"), "after {done}: {}", shelf.text("a"));
            }
        }
    }
}

/// A release between the last render and a merge is no edit.
#[test]
fn a_value_of_others_is_no_edit_in_a_merge() {
    let planned = |more: &str| {
        Files::from([(
            "a".to_owned(),
            file(Managed, &format!("b: 1\nc: 2\n    newTag: \"0.1.0\"\nd: 3\ne: 4\n{more}"), TAG),
        )])
    };
    let mut shelf = Shelf::default();
    shelf.render(&planned(""), &Asked::default());
    let edited = shelf.text("a").replace("0.1.0", "0.2.0").replace("b: 1", "b: one");
    shelf.put("a", &edited);
    shelf.render(&planned("f: 5\n"), &merging());
    assert_eq!(shelf.text("a"), format!("{edited}f: 5\n"));
    shelf.put("a", &shelf.text("a").replace("0.2.0", "0.3.0"));
    assert!(shelf.render(&planned("f: 5\n"), &Asked::default()).iter().all(|it| !it.differs()));
    shelf.render(&planned("f: 6\n"), &Asked::default());
    assert!(
        shelf.text("a").contains("0.3.0")
            && shelf.text("a").contains("f: 6")
            && shelf.text("a").contains("b: one")
    );
}

/// `[files]` leaves a file to a person, until it is taken back.
#[test]
fn a_file_that_is_handed_over_is_left_alone() {
    let mut shelf = Shelf::default();
    let handed = |edits: &[(&str, &str)]| {
        let mut files = ten(edits);
        files.get_mut("a").unwrap().handed_over = true;
        files
    };
    shelf.render(&ten(&[]), &Asked::default());
    shelf.put("a", "mine");
    assert_eq!(shelf.outcome(&handed(&[("2", "two")]), &Asked::default()), Outcome::HandedOver);
    shelf.render(&handed(&[("2", "two")]), &Asked::default());
    assert_eq!(shelf.text("a"), "mine");
    assert_eq!(shelf.outcome(&Files::new(), &Asked::default()), Outcome::Kept);
    assert_eq!(
        shelf.outcome(&ten(&[]), &Asked::default()),
        Outcome::Conflict(Conflict::Edited),
        "taken back"
    );
    shelf.put("a", &lines(&[("4", "four")]));
    shelf.render(&ten(&[("9", "nine")]), &merging());
    assert_eq!(
        shelf.text("a"),
        lines(&[("4", "four"), ("9", "nine")]),
        "merged with what was rendered before"
    );
}

/// Modes are people's, but a script can be executed; and what is no file stops a render before anything is changed.
#[cfg(unix)]
#[test]
fn modes_are_kept_and_scripts_can_be_executed() {
    use std::os::unix::fs::PermissionsExt;
    let root = rendered(&[("run", Managed, "#!/bin/sh\n"), ("a", Managed, "1")]);
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    let set = |path: &str, mode| {
        fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap()
    };
    let planned = files(&[("run", Managed, "#!/bin/sh\n"), ("a", Managed, "2")]);
    set("run", 0o640);
    set("a", 0o660);
    assert!(outcomes(&root, &planned).iter().all(|(_, outcome)| *outcome == Outcome::Update));
    render(&root, &planned);
    assert_eq!((mode("run"), mode("a")), (0o750, 0o660));
    assert!(settled(&root, &planned));
}

/// Puts something in the way of a render, and what is said about it.
#[cfg(unix)]
type Planted = (fn(&Path), &'static str);

/// What is in the way of a planned file is named, and nothing is changed.
#[cfg(unix)]
#[test]
fn what_is_no_file_stops_a_render() {
    let planned = files(&[("a", Managed, "2"), ("b/c", Managed, "2")]);
    let plant: [Planted; 3] = [
        (
            |root| assert!(Command::new("mkfifo").arg(root.join("b/c")).status().unwrap().success()),
            "is not a file",
        ),
        (|root| fs::create_dir(root.join("b/c")).unwrap(), "is not a file"),
        (
            |root| {
                fs::remove_dir(root.join("b")).unwrap();
                fs::write(root.join("b"), "mine").unwrap();
            },
            "is a file, where a folder is planned",
        ),
    ];
    for (plant, words) in plant {
        let root = rendered(&[("a", Managed, "1")]);
        fs::create_dir(root.path().join("b")).unwrap();
        plant(root.path());
        let done = compare(&planned, &Asked::default(), &mut open(root.path()))
            .and_then(|changes| apply(root.path(), &changes));
        let error = format!("{:#}", done.unwrap_err());
        assert!(error.contains(words), "{error}");
        assert_eq!(fs::read_to_string(root.path().join("a")).unwrap(), format!("{HEADER}1"));
    }
}

/// A plan, and its name in the table.
type Named = (&'static str, fn() -> Files);

/// What a render does about a file, by what is planned, what the lock says, and what is on disk. docs/ownership.md shows it.
#[test]
fn every_case_is_decided() {
    let planned: [Named; 4] = [
        ("not planned", Files::new),
        ("managed", || ten(&[("9", "nine")])),
        ("seeded", || {
            let mut files = ten(&[("9", "nine")]);
            files.get_mut("a").unwrap().owner = Seeded;
            files
        }),
        ("handed over", || {
            let mut files = ten(&[("9", "nine")]);
            files.get_mut("a").unwrap().handed_over = true;
            files
        }),
    ];
    let locked = ["nothing", "managed", "seeded", "merged", "handed over"];
    let disk: [(&str, Option<String>); 5] = [
        ("nothing", None),
        ("as planned", Some(lines(&[("9", "nine")]))),
        ("as rendered last", Some(lines(&[]))),
        ("edited elsewhere", Some(lines(&[("2", "two")]))),
        ("edited in the same lines", Some(lines(&[("9", "IX")]))),
    ];
    let mut table =
        "| planned | in the lock | on disk | a render | with `--merge` |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (plan, files) in &planned {
        for lock in locked {
            for (state, text) in &disk {
                let outcome = |asked: &Asked| {
                    let mut shelf = before(lock);
                    match text {
                        Some(text) => shelf.put("a", text),
                        None => drop(shelf.files.remove("a")),
                    }
                    compare(&files(), asked, &mut shelf).unwrap().iter().find(|it| it.path == "a").map(words)
                };
                let (plain, merged) = (outcome(&Asked::default()), outcome(&merging()));
                let plain = plain.unwrap_or_else(|| "does not look at it".to_owned());
                let merged = merged.filter(|it| *it != plain).unwrap_or_else(|| "the same".to_owned());
                table += &format!("| {plan} | {lock} | {state} | {plain} | {merged} |\n");
            }
        }
    }
    let path = "docs/ownership.md";
    let document = fs::read_to_string(path).unwrap();
    let words = document.split("| planned |").next().unwrap();
    if std::env::var("SNAPSHOTS").is_ok_and(|it| it == "overwrite") {
        fs::write(path, format!("{words}{table}")).unwrap();
    }
    let document = fs::read_to_string(path).unwrap();
    snapbox::assert_data_eq!(document, format!("{words}{table}"));
}

/// A folder that was rendered, with the entry in its lock.
fn before(lock: &str) -> Shelf {
    let mut shelf = Shelf::default();
    let mut files = ten(&[]);
    let file = files.get_mut("a").unwrap();
    match lock {
        "nothing" => return shelf,
        "seeded" => file.owner = Seeded,
        "handed over" => file.handed_over = true,
        _ => {}
    }
    shelf.history.push(files["a"].text.clone().into_bytes());
    shelf.render(&files, &Asked::default());
    if lock == "merged" {
        shelf.put("a", &lines(&[("2", "two")]));
        shelf.render(&files, &merging());
    }
    shelf
}

fn words(change: &Change) -> String {
    match change.outcome {
        Outcome::Create => "creates it".to_owned(),
        Outcome::Update if change.new.as_deref() == Some(&lines(&[("9", "nine")])) => "updates it".to_owned(),
        Outcome::Update => "merges into it".to_owned(),
        Outcome::Delete => "deletes it".to_owned(),
        Outcome::Unchanged => "finds nothing to do".to_owned(),
        Outcome::Kept | Outcome::HandedOver => "leaves it alone".to_owned(),
        Outcome::Noted => "notes it".to_owned(),
        Outcome::Marked => "writes conflict markers".to_owned(),
        Outcome::Conflict(why) => format!("**conflict**: {why}"),
    }
}

mod merging {
    use blueprint::merge::three_way;
    use proptest::prelude::*;

    /// Few different lines, so that they meet.
    fn lines() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof!["a", "b", "c", "d"], 0..8)
            .prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
    }

    proptest! {
        /// What one side left alone is what the other side has, and equal edits are no conflict.
        #[test]
        fn one_side_wins_where_the_other_left_it_alone(base in lines(), edited in lines()) {
            prop_assert_eq!(three_way(&base, &edited, &base), Ok(edited.clone()));
            prop_assert_eq!(three_way(&base, &base, &edited), Ok(edited.clone()));
            prop_assert_eq!(three_way(&base, &edited, &edited), Ok(edited));
        }

        /// No line that a person wrote is lost: it is in the result, or between the markers.
        #[test]
        fn no_written_line_is_lost(base in lines(), rendered in lines(), at in 0..9_usize) {
            let mut disk: Vec<&str> = base.split_inclusive('\n').collect();
            disk.insert(at.min(disk.len()), "mine\n");
            let (Ok(text) | Err(text)) = three_way(&base, &disk.concat(), &rendered);
            prop_assert!(text.contains("mine\n"), "{}", text);
        }
    }
}
