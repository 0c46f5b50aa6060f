use std::{fs, path::Path};

use blueprint::{
    checkouts::{self, Checkouts, Request},
    disk,
    plan::Plan,
};
use tempfile::TempDir;

use crate::plan;

/// The smallest platform, after an edit of its text.
fn minimal(edit: impl FnOnce(String) -> String) -> Plan {
    plan(&edit(include_str!("../../blueprints/minimal.toml").to_owned()))
}

/// With one more application, whose name is also that of its repository.
fn with_orders() -> Plan {
    minimal(|text| format!("{text}\n[applications.orders]\n"))
}

fn writing() -> Request {
    Request { writes: true, ..Request::default() }
}

/// The notes of a render.
fn render(plan: &Plan, out: &Path, request: &Request) -> Vec<String> {
    let Checkouts { mut all, notes } = checkouts::open(plan, out, request).unwrap();
    assert!(all.iter().flat_map(|it| &it.changes).all(|it| it.conflict().is_none()));
    let mut folders: Vec<_> = all.iter_mut().map(|it| (&mut it.folder, it.changes.as_slice())).collect();
    disk::apply(&mut folders).unwrap();
    notes
}

fn settled(plan: &Plan, out: &Path) -> bool {
    let Checkouts { all, .. } = checkouts::open(plan, out, &Request::default()).unwrap();
    all.iter().flat_map(|it| &it.changes).all(|it| !it.differs())
}

fn error(plan: &Plan, out: &Path, request: &Request) -> String {
    checkouts::open(plan, out, request).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_repository_that_leaves_is_named_until_it_is_removed() {
    let out = TempDir::new().unwrap();
    let out = out.path();
    assert!(render(&with_orders(), out, &writing()).is_empty());
    let less = minimal(|text| text);
    for _ in 0..2 {
        let notes = render(&less, out, &writing());
        assert!(
            notes.len() == 1 && notes[0].starts_with("`orders` is no longer in the blueprint"),
            "{notes:?}"
        );
        assert!(notes[0].contains("`--remove-repository orders`"), "{notes:?}");
        assert!(out.join("orders/Dockerfile").exists());
        assert!(settled(&less, out));
    }
    let remove = |name: &str| Request { remove: vec![name.to_owned()], ..writing() };
    assert!(error(&less, out, &remove("shop")).contains("is in the blueprint"));
    assert!(error(&less, out, &remove("other")).contains("is no repository of this platform"));
    fs::write(out.join("orders/mine.txt"), "mine").unwrap();
    assert!(render(&less, out, &remove("orders")).is_empty());
    assert!(!out.join("orders/Dockerfile").exists() && !out.join("orders/.blueprint.lock").exists());
    assert_eq!(fs::read_to_string(out.join("orders/mine.txt")).unwrap(), "mine");
    assert!(out.join("orders/main.go").exists(), "what was seeded is a person's");
    assert!(render(&less, out, &writing()).is_empty(), "it is forgotten");
}

#[test]
fn a_renamed_repository_keeps_what_others_set() {
    let manifests = |text: String| {
        text.replace("[aws]", "[github.repositories]\nkubernetes-manifest = \"manifests\"\n\n[aws]")
    };
    let overlay = "apps/shop/overlays/production/kustomization.yaml";
    for moved in [false, true] {
        let out = TempDir::new().unwrap();
        let out = out.path();
        render(&minimal(|text| text), out, &writing());
        let path = out.join("kubernetes-manifest").join(overlay);
        let released = fs::read_to_string(&path).unwrap().replace("0.1.0", "1.2.3");
        fs::write(&path, released).unwrap();
        if moved {
            fs::rename(out.join("kubernetes-manifest"), out.join("manifests")).unwrap();
        }
        let notes = render(&minimal(manifests), out, &writing());
        // Who has moved the checkout, too, has nothing left to do.
        assert_eq!(
            notes.iter().any(|note| note.contains("`kubernetes-manifest` is now `manifests`")),
            !moved
        );
        assert_eq!(notes.is_empty(), moved, "{notes:?}");
        let text = fs::read_to_string(out.join("manifests").join(overlay)).unwrap();
        assert!(text.contains("newTag: \"1.2.3\""), "{text}");
        assert!(settled(&minimal(manifests), out));
    }
}

/// The lists of both repositories that every platform has are the same, so that either can be renamed.
#[test]
fn a_renamed_infrastructure_is_noticed() {
    let out = TempDir::new().unwrap();
    let out = out.path();
    render(&minimal(|text| text), out, &writing());
    let renamed =
        minimal(|text| text.replace("[aws]", "[github.repositories]\ninfrastructure = \"aws\"\n\n[aws]"));
    let notes = render(&renamed, out, &writing());
    assert!(notes.iter().any(|note| note.contains("`infrastructure` is now `aws`")), "{notes:?}");
}

/// A repository that is not checked out is not made again by accident, and a new one is.
#[test]
fn only_what_is_checked_out_is_written() {
    let out = TempDir::new().unwrap();
    let out = out.path();
    let platform = minimal(|text| text);
    render(&platform, out, &writing());
    fs::remove_dir_all(out.join("shop")).unwrap();
    let notes = render(&platform, out, &writing());
    assert!(notes.len() == 1 && notes[0].starts_with("`shop` is not checked out"), "{notes:?}");
    assert!(!out.join("shop").exists());
    assert!(!settled(&platform, out), "`check` misses it");
    assert!(render(&with_orders(), out, &writing()).iter().all(|note| !note.contains("orders")));
    assert!(out.join("orders/Dockerfile").exists() && !out.join("shop").exists());
    render(&platform, out, &Request { create: true, ..writing() });
    assert!(out.join("shop/Dockerfile").exists());
}

/// The conflict, or the broken lock, of one repository does not stop another.
#[test]
fn one_repository_can_be_rendered_alone() {
    let out = TempDir::new().unwrap();
    let out = out.path();
    let platform = minimal(|text| text);
    render(&platform, out, &writing());
    fs::write(out.join("infrastructure/.blueprint.lock"), "").unwrap();
    let message = format!("{:#}", checkouts::open(&platform, out, &writing()).map(|_| ()).unwrap_err());
    assert!(message.contains("infrastructure") && message.contains("is empty"), "{message}");
    render(&platform, out, &Request { only: vec!["shop".to_owned()], ..writing() });
}

/// A lock that somebody made up leads to no folder outside.
#[test]
fn a_crafted_list_stays_inside() {
    let out = TempDir::new().unwrap();
    let out = out.path();
    let platform = minimal(|text| text);
    render(&platform, out, &writing());
    let lock = out.join("infrastructure/.blueprint.lock");
    let text = fs::read_to_string(&lock).unwrap();
    for name in ["..", ".git", "a/b", "/etc", ""] {
        let crafted =
            text.replace("[repositories]\n", &format!("[repositories]\n\"{name}\" = \"application x\"\n"));
        fs::write(&lock, crafted).unwrap();
        assert!(checkouts::open(&platform, out, &Request::default()).is_err(), "`{name}`");
    }
}
