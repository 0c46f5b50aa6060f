//! One test binary, one module per promise.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read files, start the program, and fail where something is missing"
)]

/// What the pipeline may do fits into what IAM takes, and reaches no further than it says.
mod bootstrap;
/// The catalogue is whole, and says where each fact comes from.
mod catalogue;
/// What a production-grade platform must show.
mod checklist;
/// Data is kept where it is asked for, and its secrets go no further than they must.
mod database;
/// What is said of delivery follows the way that was chosen.
mod delivery;
/// What the README and the manual show is what the program does.
mod documents;
/// An environment is a whole of its own.
mod environments;
/// Our mistakes are told from theirs.
mod exit;
/// Every mistake is answered with the words that lie next to it.
mod findings;
/// What the second Terraform root installs is what the manifests then keep.
mod gitops;
/// What lies in `generated/` is what the blueprints draw.
mod golden;
/// No words can change the shape of a file.
mod hostile;
/// The rules of the house hold.
mod house;
/// The manual names every key, and what it says of each is true.
mod manual;
/// Subnets lie inside the network and apart from each other.
mod network;
/// What is there, and only that, is compared; nobody's work is lost.
mod ownership;
/// One component answers a need, a chart comes from wherever it lies, and a new layer is one constant.
mod providers;
/// Every page reads well in its own language.
mod readback;
/// What a person must make is listed, what is there is seen, and nothing is touched.
#[cfg(unix)]
mod scripts;
/// Rights travel with whoever needs them, and fit into what AWS takes.
mod rights;
/// The schema that is printed is the schema that is checked.
mod schema;
/// Tables a person gives us mean the same in YAML.
mod values;

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

/// `askama.toml` finds the escaper here, as it does in the program.
use blueprint::words;
use blueprint::{cli::draw, diagnostics::Report, disk, plan::Plan, source::Source};
use walkdir::WalkDir;

/// Files by path, with the repository as first folder.
type Tree = BTreeMap<String, String>;

fn plan(text: &str) -> Plan {
    let source = Source { path: "test.toml".to_owned(), text: text.to_owned() };
    let mut report = Report::default();
    draw(&source, &mut report).unwrap_or_else(|| panic!("{}", report.render(&source)))
}

fn tree(plan: Plan) -> Tree {
    let flat = plan.repositories.into_iter().flat_map(|(repository, files)| {
        files.into_iter().map(move |(path, file)| (format!("{repository}/{path}"), file.text))
    });
    flat.collect()
}

/// The widest blueprint, after an edit.
fn wide(edit: impl FnOnce(&mut toml::Table)) -> String {
    let mut table = toml::from_str(include_str!("../blueprints/wide.toml")).unwrap();
    edit(&mut table);
    toml::to_string(&table).unwrap()
}

/// Every file below a folder.
fn walk(folder: &str) -> Tree {
    let mut files = Tree::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            files.insert(name, disk::source(entry.path()).unwrap().text);
        }
    }
    files
}

/// What all committed blueprints render, by file name. Many tests read these, so they are rendered once.
static DRAWN: LazyLock<BTreeMap<String, Tree>> =
    LazyLock::new(|| blueprints().into_iter().map(|(path, text)| (path, tree(plan(&text)))).collect());

/// All blueprints that are committed, by file name.
fn blueprints() -> BTreeMap<String, String> {
    let here = Path::new("blueprints");
    assert!(here.is_dir(), "tests run in the root of the project");
    let mut all = walk("blueprints");
    all.extend(walk("tests/blueprints"));
    all
}
