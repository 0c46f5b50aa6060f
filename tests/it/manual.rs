use std::collections::BTreeMap;

use blueprint::{blueprint::schema, cli::draw, diagnostics::Report, source::Source};
use serde_json::Value;
use toml::Table;

use crate::{plan, tree};

const MANUAL: &str = include_str!("../../blueprints/reference.toml");

/// The words above each key of the manual, by the key's path.
fn entries() -> BTreeMap<Vec<String>, String> {
    let (mut entries, mut section, mut words) = (BTreeMap::new(), Vec::new(), String::new());
    for line in MANUAL.lines() {
        if let Some(path) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = path.split('.').map(str::to_owned).collect();
        } else if let Some(said) = line.strip_prefix('#') {
            words.push_str(said.trim_start());
            words.push('\n');
            continue;
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !words.is_empty()) {
            let path = section.iter().map(String::as_str).chain([key]).map(str::to_owned).collect();
            entries.insert(path, words.clone());
        }
        words.clear();
    }
    entries
}

/// Every key of the schema outside `environments`, with `NAME` for names that users choose.
fn keys(schema: &Value, path: &[&str]) -> Vec<(Vec<String>, Value)> {
    let mut all = Vec::new();
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        if path.is_empty() && key == "environments" {
            continue;
        }
        let here: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
        let named = &inner["additionalProperties"];
        if inner["properties"].is_object() {
            all.extend(keys(inner, &here));
        } else if named["properties"].is_object() {
            all.extend(keys(named, &[here.as_slice(), &["NAME"]].concat()));
        } else {
            all.push((here.iter().map(|it| (*it).to_owned()).collect(), inner.clone()));
        }
    }
    all
}

/// The entry for a key of the schema: in the base, or in the environment with the keys that it depends on.
fn entry<'a>(
    entries: &'a BTreeMap<Vec<String>, String>,
    key: &[String],
) -> Option<(&'a Vec<String>, &'a String)> {
    entries.iter().find(|(path, _)| fits(path, key))
}

fn fits(path: &[String], key: &[String]) -> bool {
    let path = if path[0] == "environments" { &path[2..] } else { path };
    path.len() == key.len() && path.iter().zip(key).all(|(it, key)| key == "NAME" || it == key)
}

/// The manual after one key was set or removed.
fn edited(path: &[String], value: Option<toml::Value>) -> String {
    let mut table: Table = toml::from_str(MANUAL).unwrap();
    let (last, folders) = path.split_last().unwrap();
    let mut at = &mut table;
    for folder in folders {
        at = at[folder].as_table_mut().unwrap();
    }
    match value {
        Some(value) => at.insert(last.clone(), value),
        None => at.remove(last),
    };
    toml::to_string(&table).unwrap()
}

#[test]
fn every_key_stands_in_the_manual() {
    let entries = entries();
    for (key, schema) in keys(schema(), &[]) {
        let name = key.join(".");
        let (_, words) = entry(&entries, &key).unwrap_or_else(|| panic!("add `{name}` to the manual"));
        let said = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let description = schema["description"].as_str().unwrap_or_default();
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        for sentence in description.split(". ").filter(|it| !it.starts_with("Default: ")) {
            let sentence = sentence.trim_end_matches('.');
            assert!(said.contains(sentence), "`{name}`: the manual does not say: {sentence}");
        }
        let items = if schema["items"].is_object() { &schema["items"] } else { &schema };
        for choice in choices(items) {
            assert!(said.contains(&choice), "`{name}`: the manual does not allow {choice}");
        }
        for bound in ["minimum", "maximum"].iter().filter_map(|it| schema.get(it)) {
            let allowed = words.lines().find(|line| line.starts_with("allowed: ")).unwrap_or_default();
            let numbers: Vec<&str> = allowed.split(' ').collect();
            assert!(
                numbers.contains(&bound.to_string().as_str()),
                "`{name}`: the manual does not say {bound}"
            );
        }
    }
}

/// In TOML syntax.
fn choices(schema: &Value) -> Vec<String> {
    let listed = |it: &Value| it["enum"].as_array().cloned().unwrap_or_default();
    let mut all = listed(schema);
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        all.extend(listed(one));
        all.extend(one.get("const").cloned());
    }
    all.iter().map(Value::to_string).collect()
}

/// Without a key, the render equals that with its documented default.
#[test]
fn every_default_is_the_true_one() {
    let (entries, known) = (entries(), keys(schema(), &[]));
    let platform_without = |path: &[String]| {
        let source = Source { path: "manual.toml".to_owned(), text: edited(path, None) };
        draw(&source, &mut Report::default()).map(tree)
    };
    for (path, words) in &entries {
        let name = path.join(".");
        let without = platform_without(path);
        if words.lines().any(|line| line.starts_with("required")) {
            assert!(without.is_none(), "`{name}` is not required");
            continue;
        }
        let without = without.unwrap_or_else(|| panic!("`{name}`: the manual is wrong without it"));
        let default = words.lines().find_map(|line| line.strip_prefix("default: "));
        let default = default.unwrap_or_else(|| panic!("`{name}`: say its default, or that it is required"));
        let keyword =
            known.iter().find(|(key, _)| fits(path, key)).and_then(|(_, schema)| schema.get("default"));
        if default == "none" || default.starts_with("none: ") {
            assert!(keyword.is_none(), "`{name}`: the schema has the default {keyword:?}");
            continue;
        }
        let literal = default.split(" (").next().unwrap();
        let value: Table = toml::from_str(&format!("value = {literal}"))
            .unwrap_or_else(|_| panic!("`{name}`: write its default as TOML: {literal}"));
        // A default in brackets depends on other keys, so no single value is right everywhere.
        let single = serde_json::to_value(&value["value"]).unwrap();
        let expected = (literal == default).then_some(&single);
        assert_eq!(keyword, expected, "`{name}`: schema and manual differ");
        let with = tree(plan(&edited(path, value.get("value").cloned())));
        let differs = with.iter().find(|(path, text)| without.get(*path) != Some(text)).map(|(path, _)| path);
        assert!(
            differs.is_none() && with.len() == without.len(),
            "`{name}`: without it comes something else than {literal}: {differs:?}"
        );
    }
}
