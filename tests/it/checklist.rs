// The checklist for a production-grade platform, by its ids. Each check reads rendered files and lists what is wrong with
// them: nothing for the platforms that we render, something for every altered copy.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use self::{documents::Document, terraform::Root};
pub use self::{iam::like, permissions::wrong_rights};
use crate::{DRAWN, Tree, plan, tree, walk, wide};

/// References between the repositories.
mod across;
/// An application's own repository.
mod application;
/// Alerts, and the metrics that they need.
mod alerts;
/// Nodes, add-ons and the control plane.
mod cluster;
/// What Flux installs before any application.
mod controllers;
/// The database, its secrets and its name.
mod database;
/// Reads YAML into values.
mod documents;
/// The installation and configuration of Flux.
mod flux;
/// Diagrams, and that a render depends only on the blueprint.
mod flows;
/// Terraform: providers, states, versions, secrets and names.
mod hygiene;
/// Evaluates IAM policies.
mod iam;
/// Permissions and trust policies.
mod identity;
/// The order in which Flux applies objects.
mod layers;
/// How database logins are created.
mod logins;
/// The checks of the manifests, and how secrets get into the cluster.
mod manifests;
/// Monitoring, and secrets that a person writes.
mod monitoring;
/// Subnets, egress, and the documentation of both.
mod network;
/// Reads what Flux applies.
mod objects;
/// Builds an application from base and overlay.
mod overlays;
/// The calls of the pipeline, and its permissions.
mod permissions;
/// Reads policies of both languages.
mod policies;
/// Runbooks and scripts for people.
mod runbooks;
/// Reads HCL into values.
mod terraform;
/// The smoke test.
mod smoke_test;
/// Workflows.
mod workflows;
/// Applications in the cluster.
mod workloads;

/// Ids and the subjects that need a key which the reference platform does not set.
const BY_KEY: &[(&str, &str)] = &[
    ("K20", "persistent Grafana"),
    ("K46", "login before"),
    ("K24", "other secret"),
    ("K35", "single pod"),
    ("K36", "memory"),
    ("K37", "inside"),
    ("K37", "web ACL"),
    ("K38", "AWS"),
    ("K38", "internet"),
    ("K39", "own secret"),
    ("K40", "automation"),
    ("T17", "interface endpoint"),
    ("T34", "pod identity"),
    ("X01", "application's role"),
    ("X01", "store's own role"),
    ("X03", "looked for"),
];

/// The ids whose tests are here.
fn ids() -> BTreeSet<String> {
    let infrastructure = (1..=54).map(|it| format!("t{it:02}"));
    let workflows = (1..=17).map(|it| format!("a{it:02}"));
    let manifests = (1..=46).map(|it| format!("k{it:02}"));
    let across = (1..=7).map(|it| format!("x{it:02}"));
    infrastructure.chain(workflows).chain(manifests).chain(across).collect()
}

/// The known pitfalls that apply to what we render.
const TRAPS: &[u8] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    29, 30, 31, 32, 33, 34, 35, 37, 38, 39, 40, 41, 42, 43, 44, 45, 47, 48, 49, 52, 56, 57, 59, 60, 61, 62,
    63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 91, 93, 95,
    97,
];

/// A rendered platform, parsed. An altered copy shares everything that is not altered, because there are hundreds of copies.
struct Platform {
    files: BTreeMap<String, Arc<String>>,
    /// Its blueprint; empty for the fixture.
    blueprint: Arc<toml::Table>,
    roots: Vec<Arc<Root>>,
    documents: Vec<Arc<Document>>,
}

impl Platform {
    fn new(files: Tree, blueprint: toml::Table) -> Self {
        Self {
            roots: Root::all(&files).into_iter().map(Arc::new).collect(),
            documents: Document::all(&files).into_iter().map(Arc::new).collect(),
            files: files.into_iter().map(|(path, text)| (path, Arc::new(text))).collect(),
            blueprint: Arc::new(blueprint),
        }
    }

    /// The roots of Terraform.
    fn roots(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter().map(Arc::as_ref)
    }

    /// The YAML files.
    fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.iter().map(Arc::as_ref)
    }

    /// A copy in which one file has another text.
    fn with(&self, path: &str, text: String) -> Self {
        let (mut roots, mut documents) = (self.roots.clone(), self.documents.clone());
        if let Some(root) = roots.iter_mut().find(|it| it.holds(path)) {
            *root = Arc::new(root.with(path, &text));
        }
        if let Some(document) = documents.iter_mut().find(|it| it.path == path) {
            *document = Arc::new(Document::read(path, &text));
        }
        let mut files = self.files.clone();
        files.insert(path.to_owned(), Arc::new(text));
        Self { files, blueprint: self.blueprint.clone(), roots, documents }
    }

    /// The value of a key in an environment, if the blueprint sets it.
    fn setting(&self, environment: &str, path: &[&str]) -> Option<&toml::Value> {
        let find = |from: &[&str]| {
            let table = self.blueprint.get(*from.first()?)?;
            from[1..].iter().try_fold(table, |it, key| it.get(key))
        };
        let own: Vec<&str> = ["environments", environment].iter().chain(path).copied().collect();
        find(&own).or_else(|| find(path))
    }
}

/// What a check found.
#[derive(Default)]
struct Verdict {
    seen: BTreeSet<&'static str>,
    wrong: Vec<String>,
}

impl Verdict {
    /// Records a subject that the check found.
    fn see(&mut self, subject: &'static str) {
        self.seen.insert(subject);
    }

    fn hold(&mut self, holds: bool, words: impl Into<String>) {
        if !holds {
            self.wrong.push(words.into());
        }
    }
}

type Check = fn(&Platform, &mut Verdict);

/// The end of a file's path, a text in it, and its replacement. A space matches any white space, `…` the rest of a line
/// or less.
type Alteration = (&'static str, &'static str, &'static str);

/// The platform with all options.
const REFERENCE: &str = "faceit.toml";

static PLATFORMS: LazyLock<Vec<(&str, Platform)>> = LazyLock::new(|| {
    let drawn = |text: &str| Platform::new(tree(plan(text)), toml::from_str(text).unwrap());
    let blueprints = crate::blueprints();
    let committed =
        |name: &str| Platform::new(DRAWN[name].clone(), toml::from_str(&blueprints[name]).unwrap());
    let minimal = &blueprints["minimal.toml"];
    let pair = format!("{minimal}\n[environments.staging]\n[environments.production]\n");
    let permission = "{ actions = ['s3:GetObject'], resources = ['arn:aws:s3:::orchard-images/*'] }";
    let role = format!("{minimal}permissions.images = {permission}\n");
    vec![
        (REFERENCE, committed(REFERENCE)),
        ("minimal.toml", committed("minimal.toml")),
        ("wide.toml", drawn(&wide(|_| ()))),
        ("two environments in one account", drawn(&pair)),
        ("a role by web identity", drawn(&role)),
    ]
});

/// Proves that the check accepts what we render, finds its subjects, and refuses the altered copies.
fn prove(id: &str, subjects: &[&'static str], check: Check, alterations: &[Alteration]) {
    let judge = |platform: &Platform| {
        let mut verdict = Verdict::default();
        check(platform, &mut verdict);
        verdict
    };
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, platform) in PLATFORMS.iter() {
        let verdict = judge(platform);
        assert!(verdict.wrong.is_empty(), "{id}, {name}:\n{}", verdict.wrong.join("\n"));
        for subject in verdict.seen {
            assert!(subjects.contains(&subject), "{id} is also about `{subject}`");
            seen.entry(subject).or_default().insert(name);
        }
    }
    for subject in subjects {
        let place = &(id, *subject);
        let found = seen.remove(subject).unwrap_or_default();
        if BY_KEY.contains(place) {
            assert!(!found.contains(REFERENCE), "{id}: {REFERENCE} has `{subject}`, so it leaves `BY_KEY`");
            assert!(!found.is_empty(), "{id}: no platform has `{subject}`");
        } else {
            assert!(found.contains(REFERENCE), "{id}: {REFERENCE} has no `{subject}`");
        }
    }
    let mut reached = BTreeSet::new();
    for (file, from, to) in alterations {
        // The reference platform, or the first other one that contains the text.
        let altered =
            PLATFORMS.iter().find_map(|(name, platform)| Some((*name, alter(platform, file, from, to)?)));
        let Some((name, platform)) = altered else {
            panic!("{id}: `{from}` changes nothing in any `{file}`")
        };
        reached.insert(name);
        assert!(!judge(&platform).wrong.is_empty(), "{id}, {name}: accepts `{to}` for `{from}`");
    }
    assert!(reached.contains(REFERENCE), "{id}: no alteration reaches {REFERENCE}");
}

/// A copy in which one place differs. None if no place matches.
fn alter(platform: &Platform, file: &str, from: &str, to: &str) -> Option<Platform> {
    let mut all = platform.files.iter().filter(|(path, _)| path.ends_with(file));
    let (path, text) = all.find_map(|(path, text)| {
        let starts = text.char_indices().map(|(at, _)| at);
        let (at, length) = starts.filter_map(|at| Some((at, matched(from, &text[at..])?))).next()?;
        Some((path, format!("{}{to}{}", &text[..at], &text[at + length..])))
    })?;
    assert!(*platform.files[path] != text, "`{from}` becomes itself");
    Some(platform.with(path, text))
}

/// The length of the match at the start of a text.
fn matched(pattern: &str, text: &str) -> Option<usize> {
    let Some(first) = pattern.chars().next() else { return Some(0) };
    let rest = &pattern[first.len_utf8()..];
    match first {
        ' ' => {
            let length = text.len() - text.trim_start().len();
            if length == 0 { None } else { Some(length + matched(rest, &text[length..])?) }
        }
        '…' => {
            let line = text.split('\n').next().unwrap();
            if rest.is_empty() {
                return Some(line.len());
            }
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.filter_map(|at| Some(at + matched(rest, &text[at..])?)).next()
        }
        _ => Some(first.len_utf8() + matched(rest, text.strip_prefix(first)?)?),
    }
}

/// A check must not pass because it found no subject.
#[test]
fn a_proof_can_fail() {
    const SOUND: Alteration =
        ("platform/network.tf", "enable_dns_support = true", "enable_dns_support = false");
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for network in platform.roots().flat_map(|it| it.resources("aws_vpc")) {
            verdict.see("network");
            verdict.hold(network.body["enable_dns_support"] == true, "no names");
        }
    }
    fn strict(platform: &Platform, verdict: &mut Verdict) {
        check(platform, verdict);
        verdict.hold(platform.roots().count() == 0, "anything");
    }
    let fails = |subjects: &'static [&str], check: Check, alterations: Vec<Alteration>| {
        let proof = std::panic::catch_unwind(|| prove("T00", subjects, check, &alterations));
        proof.err().map(|it| *it.downcast::<String>().unwrap()).unwrap_or_default()
    };
    assert_eq!(fails(&["network"], check, vec![SOUND]), "");
    assert!(fails(&["network"], strict, vec![SOUND]).contains("anything"));
    assert!(fails(&["network", "moon"], check, vec![SOUND]).contains("has no `moon`"));
    assert!(fails(&[], check, vec![SOUND]).contains("also about `network`"));
    assert!(fails(&["network"], check, vec![]).contains("no alteration reaches"));
    let missing = ("platform/network.tf", "not there", "");
    assert!(fails(&["network"], check, vec![SOUND, missing]).contains("changes nothing"));
    let harmless = ("platform/network.tf", "map_public_ip_on_launch = false", "");
    assert!(fails(&["network"], check, vec![SOUND, harmless]).contains("accepts"));
}

#[test]
fn an_alteration_finds_its_place() {
    assert_eq!(matched("a = …,", "a   = [1, 2]"), Some(9));
    assert_eq!(matched("a = …", "a = 1\nb"), Some(5));
    assert_eq!(matched("a = 1 b", "a   = 1\n  b"), Some(11));
    assert_eq!(matched("a = …2", "a = 1\n2"), None);
}

/// The files with the tests of the checklist.
fn sources() -> BTreeMap<String, String> {
    walk("tests/it/checklist")
}

#[test]
fn every_id_has_a_test() {
    let sources = sources();
    let tests = sources.values().flat_map(|text| {
        text.split("#[test]\nfn ").skip(1).filter_map(|it| Some(it.split_once('_')?.0.to_owned()))
    });
    let mut found = BTreeSet::new();
    for id in tests.filter(|it| it.len() == 3 && it[1..].parse::<u8>().is_ok()) {
        assert!(found.insert(id.clone()), "`{id}` has two tests");
    }
    assert_eq!(found, ids());
    for (id, subject) in BY_KEY {
        assert!(ids().contains(&id.to_lowercase()) || id.starts_with("Trap "), "`{id}` is no id");
        let named = sources.values().any(|it| it.contains(&format!("\"{subject}\"")));
        assert!(named, "no test is about `{subject}`");
    }
}

#[test]
fn every_trap_is_named() {
    let sources = sources();
    let lines = sources.values().flat_map(|it| it.lines()).filter(|it| it.starts_with("/// Trap"));
    let words = lines.flat_map(|it| it.split(|it: char| !it.is_ascii_digit()));
    let named: BTreeSet<u8> = words.filter_map(|it| it.parse().ok()).collect();
    assert_eq!(named, BTreeSet::from_iter(TRAPS.iter().copied()));
}
