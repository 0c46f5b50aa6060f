use std::collections::BTreeMap;

use anyhow::Result;
use blueprint::{
    compare::{self, Asked, Change, Conflict, Found, Outcome, compare},
    lock::{self, Hash},
    page::Ownership,
    plan::{File, Files, Plan},
    renames::{self, LayerRename, Renames},
    shared_values::Shared,
};

use crate::plan;

const HEADER: &str = "# Written by blueprint. Change the blueprint instead.\n";
const OLD: &str = "a/old.yaml";
const NEW: &str = "b/new.yaml";

/// A folder in memory, whose history has everything that was ever in it.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, String>,
    history: BTreeMap<String, Vec<u8>>,
}

impl compare::Folder for Memory {
    fn hash(&self) -> Hash {
        Hash::Sha1
    }

    fn read(&mut self, path: &str) -> Result<Option<Found>> {
        let found = |text: &String| Found { bytes: text.clone().into_bytes(), executable: None };
        Ok(self.files.get(path).map(found))
    }

    fn recall(&self, id: &str) -> Result<Vec<u8>, String> {
        self.history.get(id).cloned().ok_or_else(|| "it was never committed".to_owned())
    }
}

impl Memory {
    fn rendered(files: &Files) -> Self {
        let mut folder = Self::default();
        folder.render(files, &Asked::default());
        folder
    }

    fn compare(&mut self, files: &Files, asked: &Asked) -> Vec<Change> {
        compare(files, asked, self).unwrap()
    }

    /// What was done, but for the lock.
    fn render(&mut self, files: &Files, asked: &Asked) -> Vec<(String, Outcome)> {
        let changes = self.compare(files, asked);
        for change in changes.iter().filter(|change| change.is_written()) {
            match &change.new {
                Some(text) if change.outcome != Outcome::Delete => {
                    self.files.insert(change.path.clone(), text.clone());
                    self.history.insert(Hash::Sha1.blob(text.as_bytes()), text.clone().into_bytes());
                }
                _ => {
                    self.files.remove(&change.path);
                }
            }
        }
        let settled = self.compare(files, &Asked::default());
        let written = changes.iter().any(Change::is_written);
        assert!(!written || settled.iter().all(|it| !it.differs()), "a second render changes something");
        changes.into_iter().filter(|it| it.path != lock::PATH).map(|it| (it.path, it.outcome)).collect()
    }
}

fn one(path: &str, owner: Ownership, text: &str, formerly: &[&str]) -> Files {
    let header = if owner == Ownership::Managed { HEADER } else { "" };
    let formerly = formerly.iter().map(|it| (*it).to_owned()).collect();
    let shared = vec![Shared::any("newTag: ")];
    let text = format!("{header}{text}");
    Files::from([(path.to_owned(), File { owner, text, formerly, shared, ..File::default() })])
}

fn before() -> Files {
    one(OLD, Ownership::Managed, "a: 1\nb: 2\nc: 3\nd: 4\nnewTag: 1.0.0\n", &[])
}

/// A later version has moved the file, and changed a line of it.
fn after() -> Files {
    one(NEW, Ownership::Managed, "a: 1\nb: 2\nc: 3\nd: 5\nnewTag: 1.0.0\n", &["x/never.yaml", OLD])
}

fn moved() -> Vec<(String, Outcome)> {
    vec![(NEW.to_owned(), Outcome::Create), (OLD.to_owned(), Outcome::Delete)]
}

#[test]
fn a_renamed_file_moves_with_the_values_of_others() {
    for files in [after(), one(NEW, Ownership::Managed, "a: 1\nb: 2\nc: 3\nd: 4\nnewTag: 1.0.0\n", &[OLD])] {
        let mut folder = Memory::rendered(&before());
        let text = folder.files[OLD].replace("1.0.0", "1.7.0");
        folder.files.insert(OLD.to_owned(), text);
        assert_eq!(folder.render(&files, &Asked::default()), moved());
        assert_eq!(folder.files[NEW], files[NEW].text.replace("1.0.0", "1.7.0"));
    }
}

#[test]
fn edits_follow_a_renamed_file() {
    let mut folder = Memory::rendered(&before());
    let edited = folder.files[OLD].replace("a: 1", "a: mine");
    folder.files.insert(OLD.to_owned(), edited.clone());
    let changes = folder.compare(&after(), &Asked::default());
    assert_eq!(changes[0].path, OLD);
    assert_eq!(changes[0].outcome, Outcome::Conflict(Conflict::Edited));
    assert_eq!(changes[0].reason(), "edited since it was rendered, and now called `b/new.yaml`");
    let merge = Asked { merge: true, ..Asked::default() };
    assert!(folder.render(&after(), &merge).starts_with(&moved()));
    assert_eq!(folder.files[NEW], edited.replace("d: 4", "d: 5"));
    assert!(!folder.files.contains_key(OLD));

    // A file that was merged before needs no word, and its base moves, too.
    let mut folder = Memory::rendered(&before());
    folder.files.insert(OLD.to_owned(), edited.clone());
    folder.render(&before(), &merge);
    folder.history.clear();
    let done = folder.render(&after(), &Asked::default());
    assert!(done.starts_with(&moved()), "{done:?}");
    assert_eq!(folder.files[NEW], edited.replace("d: 4", "d: 5"));
    assert_eq!(folder.files[&format!("{}{NEW}", lock::BASE)], after()[NEW].text);
    assert!(!folder.files.contains_key(&format!("{}{OLD}", lock::BASE)));

    // Or the edits are discarded.
    let mut folder = Memory::rendered(&before());
    folder.files.insert(OLD.to_owned(), edited);
    let overwrite = Asked { overwrite: [OLD.to_owned()].into(), ..Asked::default() };
    assert_eq!(folder.render(&after(), &overwrite), moved());
    assert_eq!(folder.files[NEW], after()[NEW].text);
}

#[test]
fn what_belongs_to_a_person_moves_as_it_is() {
    let mut folder = Memory::rendered(&one(OLD, Ownership::Seeded, "first\n", &[]));
    folder.files.insert(OLD.to_owned(), "mine\n".to_owned());
    assert_eq!(folder.render(&one(NEW, Ownership::Seeded, "second\n", &[OLD]), &Asked::default()), moved());
    assert_eq!(folder.files[NEW], "mine\n");

    // Where something else is, nothing is moved onto it.
    let mut folder = Memory::rendered(&before());
    folder.files.insert(NEW.to_owned(), "theirs\n".to_owned());
    let changes = folder.compare(&after(), &Asked::default());
    let foreign = changes.iter().find(|it| it.path == NEW).unwrap();
    assert_eq!(foreign.outcome, Outcome::Conflict(Conflict::Foreign));

    // A file that is missing is written at its new path.
    let mut folder = Memory::rendered(&before());
    folder.files.remove(OLD);
    assert_eq!(folder.render(&after(), &Asked::default()), [(NEW.to_owned(), Outcome::Create)]);
}

fn faceit() -> Plan {
    plan(include_str!("../../blueprints/faceit.toml"))
}

/// As a version that has called the layer `tenants` otherwise before.
fn with_layer(leaves: bool) -> Plan {
    let layers = vec![LayerRename { from: "teams", to: "tenants", leaves }].leak();
    let mut plan = faceit();
    renames::apply(&Renames { layers, ..Renames::default() }, &mut plan);
    plan
}

#[test]
fn a_renamed_layer_is_suspended_before_it_leaves() {
    const LAYERS: &str = "clusters/production/layers.yaml";
    let name = faceit().listing[1].clone();
    let today = faceit().repositories[&name][LAYERS].text.clone();
    let first = with_layer(false).repositories.remove(&name).unwrap();
    let documents: Vec<serde_yaml::Value> = serde_yaml::Deserializer::from_str(&first[LAYERS].text)
        .map(|it| serde::Deserialize::deserialize(it).unwrap())
        .collect();
    let old = documents.iter().find(|it| it["metadata"]["name"] == "teams").unwrap();
    assert_eq!(old["spec"]["suspend"], true);
    assert_eq!(old["spec"]["prune"], false);
    let deployer = &first["clusters/production/tenants/deployer.yaml"];
    assert_eq!(deployer.formerly, ["clusters/production/teams/deployer.yaml"]);

    let second = with_layer(true).repositories.remove(&name).unwrap();
    assert_eq!(second[LAYERS].text, today);
    let only = |files: &Files| Files::from([(LAYERS.to_owned(), files[LAYERS].clone())]);
    let render = |from: &str| {
        let mut before = only(&faceit().repositories[&name]);
        before.get_mut(LAYERS).unwrap().text = from.to_owned();
        let mut folder = Memory::rendered(&before);
        let changes = folder.compare(&only(&second), &Asked::default());
        changes[0].new.clone()
    };
    // With the version in between, the layer leaves. Without it, it is suspended first.
    assert_eq!(render(&first[LAYERS].text), Some(today.clone()));
    assert_eq!(render(&today.replace("name: tenants", "name: teams")), Some(first[LAYERS].text.clone()));
}

#[test]
fn a_renamed_resource_keeps_its_state() {
    let resources = &[("aws_eks_cluster.before", "aws_eks_cluster.main"), ("aws_x.y", "aws_x.z")];
    let mut plan = faceit();
    renames::apply(&Renames { resources, ..Renames::default() }, &mut plan);
    let files = &plan.repositories[&plan.listing[0]];
    let moves: Vec<&String> = files.keys().filter(|path| path.ends_with("/moved.tf")).collect();
    let expected = ["production", "staging"].map(|it| format!("environments/{it}/platform/moved.tf"));
    assert_eq!(moves, expected.iter().collect::<Vec<_>>());
    assert!(files[moves[0]].text.starts_with(HEADER));
    assert!(
        files[moves[0]]
            .text
            .ends_with("\nmoved {\n  from = aws_eks_cluster.before\n  to   = aws_eks_cluster.main\n}\n")
    );
}

#[test]
fn paths_are_renamed_by_their_parts() {
    let files = &[
        (
            "infrastructure/environments/*/platform/pools.tf",
            "infrastructure/environments/*/platform/groups.tf",
        ),
        (
            "infrastructure/environments/*/platform/groups.tf",
            "infrastructure/environments/*/platform/nodes.tf",
        ),
    ];
    let mut plan = faceit();
    renames::apply(&Renames { files, ..Renames::default() }, &mut plan);
    let infrastructure = &plan.repositories[&plan.listing[0]];
    assert_eq!(
        infrastructure["environments/staging/platform/nodes.tf"].formerly,
        ["environments/staging/platform/groups.tf", "environments/staging/platform/pools.tf"]
    );
    let others = infrastructure.iter().filter(|(path, _)| !path.ends_with("/nodes.tf"));
    assert!(others.clone().count() > 20 && others.into_iter().all(|(_, file)| file.formerly.is_empty()));
}

/// A path that `[files]` hands over has another name now.
#[test]
fn a_file_that_is_handed_over_is_found_by_its_old_path() {
    use blueprint::{diagnostics::Report, files, plan::hand_over};
    let resources = &[("manifests/clusters/*/list.yaml", "manifests/clusters/*/layers.yaml")];
    let mut plan = faceit();
    renames::apply(&Renames { files: resources, ..Renames::default() }, &mut plan);
    let path = format!("{}/clusters/production/list.yaml", plan.listing[1]);
    let text = format!("handed-over = [\"{path}\"]");
    let spec: files::Spec = toml::from_str(&text).unwrap();
    let mut report = Report::default();
    hand_over(Some(&spec), &mut plan, &mut report);
    let source = blueprint::source::Source { path: "test.toml".to_owned(), text };
    let said = report.render(&source);
    assert!(
        said.contains(&format!("did you mean `{}/clusters/production/layers.yaml`?", plan.listing[1])),
        "{said}"
    );
}
