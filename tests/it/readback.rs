use std::{collections::BTreeMap, sync::LazyLock};

use blueprint::words::Name;
use serde::Deserialize;

use crate::{DRAWN, Tree, plan, tree, wide};

/// Many trees contain the same files, so each text is parsed once.
static ALL: LazyLock<BTreeMap<String, Tree>> = LazyLock::new(all);

/// All blueprints, and combinations of the options.
fn all() -> BTreeMap<String, Tree> {
    let mut all = DRAWN.clone();
    let long = "l".repeat(Name::MAX);
    for network in ["", "nat = \"single\"", "zones = 2", "zones = 2\nnat = \"single\""] {
        for nodes in [
            "",
            "[cluster.node-groups.a]\ninstance-types = [\"m7g.large\"]\n[cluster.node-groups.b]\ncapacity = \"spot\"",
        ] {
            for values in ["", "values.a = [[], {}, [{ b = \"no\" }]]"] {
                for environments in ["", "[environments.one]\n[environments.two]"] {
                    for ids in ["", "[github.ids]\nowner = 1\ninfrastructure = 2"] {
                        let database = if ids.is_empty() { "" } else { "database.login = 2" };
                        let text = format!(
                            "schema = 1\nname = \"{long}\"\ngithub.owner = \"acme\"
                             aws = {{ account = \"111122223333\", region = \"eu-west-1\" }}
                             [network]\n{network}\n{nodes}\n{ids}\n[components.metrics-server]\n{values}
                             [applications.{long}]\n[applications.b]\nreplicas.min = 1\n{database}\n{environments}"
                        );
                        let name = format!("{network} {nodes} {values} {environments} {ids}");
                        all.insert(
                            name,
                            tree(plan(
                                &text
                                    .replace(
                                        "github.owner = \"acme\"",
                                        if ids.is_empty() { "github.owner = \"acme\"" } else { "" },
                                    )
                                    .replace("[github.ids]", "[github]\nowner = \"acme\"\n[github.ids]"),
                            )),
                        );
                    }
                }
            }
        }
    }
    all
}

#[test]
fn every_page_reads_back() {
    let name = |path: &'static str| path.rsplit('/').next().unwrap();
    let pages = ALL.values().flatten().map(|(path, text)| ((name(path), text.as_str()), path));
    let pages: BTreeMap<(&str, &str), &String> = pages.collect();
    assert!(pages.len() > 500);
    for ((_, text), path) in pages {
        let read = match path.rsplit('.').next().unwrap() {
            "tf" | "hcl" => hcl::parse(text).map(drop).map_err(|error| error.to_string()),
            "yaml" | "yml" => serde_yaml::Deserializer::from_str(text)
                .try_for_each(|it| serde_yaml::Value::deserialize(it).map(drop))
                .map_err(|error| error.to_string()),
            "json" => serde_json::from_str::<serde_json::Value>(text).map(drop).map_err(|it| it.to_string()),
            _ => Ok(()),
        };
        assert!(read.is_ok(), "`{path}` does not read: {read:?}\n{text}");
        let line = if text.starts_with("#!") || text.starts_with("# syntax=") { 1 } else { 0 };
        let header = text.lines().nth(line).unwrap().contains("by blueprint");
        let bare = [".json", ".sum"].iter().any(|ending| path.ends_with(ending));
        assert!(header != bare, "`{path}` has a wrong header:\n{text}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "`{path}` ends badly");
        assert!(!text.contains("\n\n\n"), "`{path}` has two blank lines");
        assert!(!text.lines().any(|line| line.ends_with(' ')), "`{path}` has trailing spaces");
        assert!(!text.contains("placeholder"), "`{path}` holds a placeholder");
    }
}

/// Each list names existing files, and each file is in exactly one list.
#[test]
fn every_manifest_is_listed() {
    let mut read = Read::default();
    for files in ALL.values() {
        let manifests = |path: &&String| {
            let inside = path.split_once('/').map(|(_, path)| path).unwrap_or_default();
            inside.starts_with("apps/") || inside.starts_with("clusters/")
        };
        let manifests: Vec<&String> = files.keys().filter(manifests).collect();
        assert!(manifests.len() > 20);
        let mut listed: BTreeMap<String, usize> = BTreeMap::new();
        for path in manifests.iter().filter(|path| path.ends_with("/kustomization.yaml")) {
            let list = read.documents(&files[*path])[0].clone();
            let depth = path.matches('/').count();
            let layer = path.contains("/clusters/")
                && depth == 4
                && !["flux-system", "namespaces"].iter().any(|it| path.contains(&format!("/{it}/")));
            let application =
                ["base", "monitoring"].iter().any(|it| path.ends_with(&format!("/{it}/kustomization.yaml")));
            let local = application && path.contains("/apps/") || layer;
            let place = path.replace("/kustomization.yaml", "/local/kustomization.yaml");
            assert_eq!(
                local && !path.contains("/local/"),
                files.contains_key(&place),
                "`{path}` has no place for a person, or one too many"
            );
            let entries = ["resources", "patches", "components", "configMapGenerator"].map(|key| &list[key]);
            for entry in entries.into_iter().filter_map(|it| it.as_sequence()).flatten() {
                // Files of a ConfigMap, a file, or the path of one.
                let files_of_map = entry["files"].as_sequence();
                let entries = files_of_map.map_or_else(|| vec![entry], |it| it.iter().collect());
                for entry in entries {
                    let entry = entry["path"].as_str().or(entry.as_str()).unwrap();
                    let target = join(path, entry);
                    let kustomization = format!("{target}/kustomization.yaml");
                    let target = if files.contains_key(&target) { target } else { kustomization };
                    assert!(files.contains_key(&target), "`{path}` lists `{entry}`, which is not there");
                    *listed.entry(target).or_default() += 1;
                }
            }
        }
        let built: Vec<String> = flux_paths(files, &mut read);
        for path in manifests {
            let found = listed.get(path).copied().unwrap_or_default();
            let folder = path.strip_suffix("/kustomization.yaml").unwrap_or(path);
            let base =
                folder.contains("/apps/") && ["/base", "/monitoring"].iter().any(|it| folder.ends_with(it));
            let by_flux = built.iter().any(|built| folder.ends_with(&format!("/{built}")));
            let wanted = if by_flux { 0 } else { 1 };
            // The user's patches of logins are part of each login.
            let of_logins = folder.ends_with("/databases/logins/local") && found >= 1;
            assert!(
                found == wanted || base && found >= 1 || of_logins,
                "`{path}` is listed {found} times, not {wanted}"
            );
        }
    }
}

/// The folders that Flux builds: each path in a Kustomization or in the FluxInstance.
fn flux_paths(files: &'static Tree, read: &mut Read) -> Vec<String> {
    let mut paths = Vec::new();
    for text in files.iter().filter(|(path, _)| path.ends_with(".yaml")).map(|(_, text)| text) {
        for it in read.documents(text) {
            let flux = it["apiVersion"] == "kustomize.toolkit.fluxcd.io/v1";
            let path = if flux { &it["spec"]["path"] } else { &it["spec"]["sync"]["path"] };
            paths.extend(path.as_str().map(|path| path.trim_start_matches("./").to_owned()));
        }
    }
    paths
}

/// The documents of each parsed text.
#[derive(Default)]
struct Read(BTreeMap<&'static str, Vec<serde_yaml::Value>>);

impl Read {
    fn documents(&mut self, text: &'static str) -> &[serde_yaml::Value] {
        let all = || serde_yaml::Deserializer::from_str(text);
        self.0
            .entry(text)
            .or_insert_with(|| all().map(|it| serde_yaml::Value::deserialize(it).unwrap()).collect())
    }
}

fn join(path: &str, entry: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in entry.split('/') {
        if part == ".." { parts.truncate(parts.len() - 1) } else { parts.push(part) }
    }
    parts.join("/")
}

/// AWS allows 64 characters for a role and 63 for a bucket.
#[test]
fn the_longest_names_fit() {
    let long = "l".repeat(Name::MAX);
    let text = wide(|table| {
        table.insert("name".into(), long.clone().into());
        let zone = toml::Table::from_iter([("zone".to_owned(), "long.example.net".into())]);
        let environment = toml::Table::from_iter([("dns".to_owned(), zone.into())]);
        table["environments"].as_table_mut().unwrap().insert("e".repeat(12), environment.into());
    });
    let prefix = format!("{long}-{}", "e".repeat(12));
    let (mut roles, mut buckets) = (0, 0);
    for (path, text) in tree(plan(&text)) {
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
            if !word.starts_with(&prefix) {
                continue;
            }
            let bucket = word.contains("-tfstate-") || word.contains("-lb-logs-");
            let limit = if bucket { 63 } else { 64 };
            assert!(word.len() <= limit, "`{path}`: `{word}` has {} characters", word.len());
            *(if bucket { &mut buckets } else { &mut roles }) += 1;
        }
        if path.ends_with(".tf") {
            for rest in text.split("\"${local.name}-").skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(
                    name.contains('$') || prefix.len() + 1 + name.len() <= 64,
                    "`{path}`: `-{name}` is too long"
                );
            }
        }
    }
    assert!(roles > 3 && buckets > 1, "the names were not found");
}
