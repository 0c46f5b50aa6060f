use std::{collections::BTreeSet, fs, path::Path};

use blueprint::{
    compare::{Change, Outcome, compare},
    disk,
    lock::{self, Lock, blob},
    page::Owner,
    plan::{File, Files},
};
use tempfile::TempDir;

fn files(list: &[(&str, Owner, &str)]) -> Files {
    let file = |(path, owner, text): &(&str, Owner, &str)| {
        (path.to_string(), File { owner: *owner, text: text.to_string(), shared: &[] })
    };
    list.iter().map(file).collect()
}

fn changes(root: &Path, files: &Files) -> Vec<Change> {
    compare(files, |path| disk::read(root, path)).unwrap()
}

/// A folder in which these files were rendered.
fn rendered(list: &[(&str, Owner, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    disk::apply(root.path(), &changes(root.path(), &files(list))).unwrap();
    root
}

fn outcome(root: &TempDir, list: &[(&str, Owner, &str)], path: &str) -> Outcome {
    let changes = changes(root.path(), &files(list));
    changes.iter().find(|change| change.path == path).unwrap().outcome
}

use Owner::{Managed, Seeded};

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
    disk::apply(root.path(), &changes(root.path(), &files(&planned))).unwrap();
    assert!(!root.path().join("a").exists());
    assert!(changes(root.path(), &files(&planned)).iter().all(|change| !change.differs()));
}

#[test]
fn an_edited_file_is_a_conflict() {
    let root = rendered(&[("a", Managed, "1")]);
    fs::write(root.path().join("a"), "edited").unwrap();
    assert!(matches!(outcome(&root, &[("a", Managed, "2")], "a"), Outcome::Conflict(_)));
    assert!(matches!(outcome(&root, &[], "a"), Outcome::Conflict(_)));
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
    let file = |tag: &str| File {
        owner: Managed,
        text: format!("images:\n    newTag: \"{tag}\"  # marker\n"),
        shared: &["newTag: "],
    };
    let planned = Files::from([("a".to_owned(), file("0.1.0"))]);
    let root = TempDir::new().unwrap();
    disk::apply(root.path(), &changes(root.path(), &planned)).unwrap();
    for (tag, wanted) in [("\"0.2.0\"", Outcome::Unchanged), ("0.2.0", Outcome::Unchanged)] {
        fs::write(root.path().join("a"), format!("images:\n    newTag: {tag}  # marker\n")).unwrap();
        assert_eq!(changes(root.path(), &planned)[0].outcome, wanted, "{tag}");
    }
    for tag in ["latest", "\"latest\"", "'latest'"] {
        fs::write(root.path().join("a"), format!("images:\n    newTag: {tag}  # marker\n")).unwrap();
        assert!(matches!(changes(root.path(), &planned)[0].outcome, Outcome::Conflict(_)), "{tag}");
    }
}

/// Whatever else lies in the output is never opened: not `.git`, not what is not text.
#[test]
fn only_planned_and_locked_paths_are_opened() {
    let lock = format!("[files]\n\"gone\" = {{ owner = \"managed\", blob = \"{}\" }}\n", blob(b"1"));
    let mut opened = BTreeSet::new();
    let read = |path: &str| {
        opened.insert(path.to_owned());
        Ok((path == lock::PATH).then(|| lock.clone().into_bytes()))
    };
    compare(&files(&[("a", Managed, "1")]), read).unwrap();
    assert_eq!(opened, BTreeSet::from([lock::PATH, "a", "gone"].map(str::to_owned)));
}

#[test]
fn foreign_files_survive() {
    let root = rendered(&[("a", Managed, "1")]);
    fs::create_dir_all(root.path().join(".git")).unwrap();
    for foreign in [".git/HEAD", "b.bin", "a.blueprint-old"] {
        fs::write(root.path().join(foreign), b"\xff\x00").unwrap();
    }
    disk::apply(root.path(), &changes(root.path(), &files(&[("c", Managed, "1")]))).unwrap();
    for foreign in [".git/HEAD", "b.bin", "a.blueprint-old"] {
        assert_eq!(fs::read(root.path().join(foreign)).unwrap(), b"\xff\x00");
    }
    let left = fs::read_dir(root.path()).unwrap().count();
    assert_eq!(left, 5, "`.git`, `b.bin`, `a.blueprint-old`, `c`, the lock, and no half-written file");
}

/// What was written before the interruption is as planned, and what was not is as locked.
#[test]
fn an_interrupted_render_converges() {
    let planned = files(&[("a", Managed, "2"), ("b", Managed, "2"), ("d", Managed, "2")]);
    for done in 0..5 {
        let root = rendered(&[("a", Managed, "1"), ("b", Managed, "1"), ("c", Managed, "1")]);
        disk::apply(root.path(), &changes(root.path(), &planned)[..done]).unwrap();
        let rest = changes(root.path(), &planned);
        assert!(!rest.iter().any(|change| matches!(change.outcome, Outcome::Conflict(_))), "after {done}");
        disk::apply(root.path(), &rest).unwrap();
        assert!(changes(root.path(), &planned).iter().all(|change| !change.differs()), "after {done}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_refused_and_a_script_can_be_run() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let root = rendered(&[("run", Managed, "#!/bin/sh\n")]);
    assert_eq!(fs::metadata(root.path().join("run")).unwrap().permissions().mode() & 0o777, 0o755);
    symlink(root.path(), root.path().join("link")).unwrap();
    assert!(disk::read(root.path(), "link/x").is_err());
}

#[test]
fn a_lock_reads_back_and_stays_inside() {
    let root = rendered(&[("a/b.tf", Managed, "1"), (".c", Seeded, "2")]);
    let text = fs::read(root.path().join(lock::PATH)).unwrap();
    assert_eq!(Lock::read(&text).unwrap().text().into_bytes(), text);
    for path in ["../a", "/etc/passwd", "a/../../b", ""] {
        let text = format!("[files]\n\"{path}\" = {{ owner = \"managed\", blob = \"\" }}\n");
        assert!(Lock::read(text.as_bytes()).is_err(), "`{path}` lies outside");
    }
    assert!(Lock::read(b"<<<<<<< HEAD").is_err());
}

/// As `git hash-object` says.
#[test]
fn blob_ids_are_those_of_git() {
    assert_eq!(blob(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_eq!(blob(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

/// A tag that a pull request or a robot set stays set, and is no difference.
#[test]
fn a_value_that_someone_else_keeps_is_kept() {
    let file = |text: &str| {
        let file = File { owner: Managed, text: text.to_owned(), shared: &["newTag: "] };
        Files::from([("a.yaml".to_owned(), file)])
    };
    let root = TempDir::new().unwrap();
    let render = |text: &str| disk::apply(root.path(), &changes(root.path(), &file(text))).unwrap();
    let path = root.path().join("a.yaml");
    let first = "images:\n  - name: a\n    newTag: \"0.1.0\"\n";
    render(first);
    fs::write(&path, first.replace("0.1.0", "1.2.3")).unwrap();
    assert_eq!(changes(root.path(), &file(first))[0].outcome, Outcome::Unchanged);
    let second = "images:\n  - name: b\n    newTag: \"0.1.0\" # set by a release\n";
    assert_eq!(changes(root.path(), &file(second))[0].outcome, Outcome::Update);
    render(second);
    assert_eq!(fs::read_to_string(&path).unwrap(), second.replace("0.1.0", "1.2.3"));
    assert!(changes(root.path(), &file(second)).iter().all(|change| !change.differs()));
    fs::write(&path, second.replace("0.1.0", "1.2.4").replace("name: b", "name: c")).unwrap();
    assert!(
        matches!(changes(root.path(), &file(second))[0].outcome, Outcome::Conflict(_)),
        "more than the value"
    );
    fs::write(&path, "images: []\n").unwrap();
    assert!(
        matches!(changes(root.path(), &file(second))[0].outcome, Outcome::Conflict(_)),
        "the value is gone"
    );
}
