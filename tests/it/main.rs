//! One test binary, one module per promise.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests read files, start the program, and fail where something is missing"
)]

/// The permissions of the pipeline fit into IAM's limits, and are no wider than needed.
mod bootstrap;
/// The catalogue is complete, and each row has a source.
mod catalogue;
/// The checklist for a production-grade platform.
mod checklist;
/// Repositories that leave, move or are not there are named, and nothing in them is lost.
mod checkouts;
/// There is a database only where an application has one, and only its readers can read its secrets.
mod database;
/// READMEs and workflows describe only the delivery that is configured.
mod delivery;
/// The README and the manual agree with the program.
mod documents;
/// Environments are independent of each other.
mod environments;
/// Exit codes distinguish invalid blueprints from bugs.
mod exit;
/// Every invalid blueprint results in the findings in the file beside it.
mod findings;
/// The second Terraform root installs Flux exactly as the manifests configure it.
mod gitops;
/// The trees in `generated/` are those of the blueprints.
mod golden;
/// No text from a blueprint can change the structure of a file.
mod hostile;
/// Rules for the source code: dependencies between modules, comments, words.
mod conventions;
/// The manual names every key, and its statements are true.
mod manual;
/// Subnets are inside the network and do not overlap.
mod network;
/// Renders compare and change only managed files, and never lose changes of users.
mod ownership;
/// One of several components answers a need, charts come from repositories or registries, and a new layer is one constant.
mod providers;
/// Every file parses in its language.
mod readback;
mod renames;
/// Preflight lists what is missing, finds what exists, and changes nothing.
#[cfg(unix)]
mod scripts;
/// Each module brings the permissions that it needs, and together they fit into AWS's limits.
mod rights;
/// The schema that is printed is the schema that is used for validation.
mod schema;
/// Tables of a blueprint have the same meaning in YAML.
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
