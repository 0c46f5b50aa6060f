use std::collections::BTreeSet;

use blueprint::{
    blueprint::schema,
    words::{
        Account, AddonVersion, CodeOwner, Cpu, DatabaseClass, DatabaseName, Domain, GithubOwner,
        InstanceType, Memory, Name, NodeImageRelease, Repository, RolePath, SecretKey, UrlPath, VariableName,
        patterns::Pattern,
    },
};
use serde_json::{Value, json};
use toml::Table;

use crate::{blueprints, plan, tree, walk};

/// Every table lists its keys, and editors use the same schema as `validation`.
#[test]
fn every_key_is_described() {
    let schema = schema();
    let overlay = &schema["properties"]["environments"]["additionalProperties"];
    assert!(schema["required"].as_array().unwrap().iter().any(|key| key == "name"));
    assert!(overlay.get("required").is_none() && overlay["properties"]["name"].get("not").is_some());
    assert!(!schema.to_string().contains("\"null\""), "TOML has no null");
    assert!(!overlay.to_string().contains("\"default\":"), "what an overlay leaves out is that of the base");
    closed(schema, "");
}

fn closed(schema: &Value, path: &str) {
    let other = schema.get("additionalProperties");
    assert!(schema["type"] != "object" || other.is_some(), "`{path}`: add `deny_unknown_fields`");
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let said = inner.get("not").is_some() || inner.get("description").is_some();
        assert!(said, "`{path}.{key}`: say what it is");
        closed(inner, &format!("{path}.{key}"));
    }
    if let Some(other) = other.filter(|other| other.is_object()) {
        closed(other, path);
    }
}

/// Another validator has the same result for every blueprint in the repository, valid or not.
#[test]
fn another_reader_agrees() {
    let whole = jsonschema::validator_for(schema()).unwrap();
    let shapes = jsonschema::validator_for(&without_patterns(schema().clone())).unwrap();
    let json = |text: &str| serde_json::to_value(toml::from_str::<Table>(text).unwrap()).unwrap();
    for (path, text) in blueprints() {
        let errors: Vec<String> = whole.iter_errors(&json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "`{path}`: {errors:?}");
    }
    let mut words_refused = 0;
    for (path, text) in walk("tests/findings") {
        let codes = ["choice", "length", "missing-key", "platform-wide", "range", "type", "unknown-key"];
        let name = path.strip_suffix(".toml").unwrap_or_default();
        let Some(words) = walk("tests/findings").remove(&format!("{name}.txt")) else { continue };
        if name == "syntax" {
            continue;
        }
        let ours = codes.iter().any(|code| words.contains(&format!("error[blueprint/{code}]")));
        assert_eq!(shapes.is_valid(&json(&text)), !ours, "`{path}`: the readers disagree");
        let text = json(&text);
        let word = |error: jsonschema::ValidationError| {
            let at = error.instance().as_str()?.to_owned();
            (error.schema_path().to_string().ends_with("/pattern")).then_some(at)
        };
        for word in whole.iter_errors(&text).filter_map(word) {
            assert!(words.contains(&format!("`{word}` is not a")), "`{path}`: no finding about `{word}`");
            words_refused += 1;
        }
    }
    assert!(words_refused > 10, "patterns are part of the schema");
}

/// The schema without the patterns of words, which `validation` does not check.
fn without_patterns(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(keys) => {
            keys.remove("pattern");
            keys.values_mut().for_each(|it| *it = without_patterns(it.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| *it = without_patterns(it.take())),
        _ => {}
    }
    schema
}

/// An editor marks exactly the words that a rule refuses.
#[test]
fn patterns_and_words_agree() {
    agree::<Account>();
    agree::<AddonVersion>();
    agree::<CodeOwner>();
    agree::<Cpu>();
    agree::<DatabaseClass>();
    agree::<DatabaseName>();
    agree::<Domain>();
    agree::<InstanceType>();
    agree::<Memory>();
    agree::<Name>();
    agree::<GithubOwner>();
    agree::<NodeImageRelease>();
    agree::<Repository>();
    agree::<RolePath>();
    agree::<SecretKey>();
    agree::<UrlPath>();
    agree::<VariableName>();
}

fn agree<W: Pattern>() {
    let validator = jsonschema::validator_for(&json!({ "pattern": W::pattern() })).unwrap();
    let (mut good, mut bad) = (0, 0);
    for word in samples(W::EXAMPLES) {
        let read = W::read(&word).is_some();
        *if read { &mut good } else { &mut bad } += 1;
        assert_eq!(validator.is_valid(&json!(word)), read, "{}: `{word}` against {}", W::WHAT, W::pattern());
    }
    assert!(W::EXAMPLES.iter().all(|it| W::read(it).is_some()), "{}: each example is one", W::WHAT);
    assert!(good > 5 && bad > 100, "{}: {good} good, {bad} bad", W::WHAT);
}

/// Variants of each example: one character more, less or different, long ones, and words with a meaning in other languages.
fn samples(examples: &[&str]) -> BTreeSet<String> {
    let others =
        ["", ".", "..", "--", "/", "//", "000000000000", "a.git", "A.GIT", "on", "NO", "user", "pg_a", "rds"];
    let mut all: BTreeSet<String> = others.map(str::to_owned).into();
    for example in examples {
        for at in 0..=example.len() {
            let (before, after) = example.split_at(at);
            let rest = after.get(1..).unwrap_or_default();
            all.extend(["", after, "../", "--"].map(|it| format!("{before}{it}{rest}")));
            for other in "aZ09-._/:@~ é\n".chars() {
                all.extend([format!("{before}{other}{after}"), format!("{before}{other}{rest}")]);
            }
            for length in [
                3, 5, 6, 15, 16, 17, 18, 19, 20, 25, 30, 34, 36, 38, 39, 40, 50, 55, 58, 59, 62, 64, 80, 99,
                101, 128,
            ] {
                all.extend(["a", "0", "a/"].map(|it| format!("{before}{}{after}", it.repeat(length))));
            }
        }
    }
    all
}

/// In every blueprint of the repository, a key with its default value renders the same as without the key.
#[test]
fn a_stated_default_changes_nothing() {
    let schema = schema();
    let mut stated = BTreeSet::new();
    for (path, text) in blueprints() {
        let mut table: Table = toml::from_str(&text).unwrap();
        // Also serialized again, because that sorts the environments.
        let without = toml::to_string(&table).unwrap();
        let keys = state_defaults(&mut table, schema, "");
        let (without, with) = (tree(plan(&without)), tree(plan(&toml::to_string(&table).unwrap())));
        let differs: Vec<_> = with.iter().filter(|(file, text)| without.get(*file) != Some(text)).collect();
        assert!(differs.is_empty() && with.len() == without.len(), "`{path}`, one of {keys:?}: {differs:?}");
        stated.extend(keys);
    }
    assert!(stated.len() > 40, "{stated:?}");
}

/// Adds each missing key that has a default. Returns the keys, with `NAME` for names that users choose.
fn state_defaults(table: &mut Table, schema: &Value, path: &str) -> Vec<String> {
    let mut stated = Vec::new();
    let within = |key: &str| format!("{path}.{key}");
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        // These need a host.
        let needs_host = ["public", "access"].contains(&key.as_str()) && !path.ends_with("cluster");
        if let Some(default) = inner.get("default").filter(|_| !table.contains_key(key)) {
            if !needs_host || table.contains_key("host") {
                table.insert(key.clone(), toml::Value::try_from(default).unwrap());
                stated.push(within(key));
            }
        } else if inner["properties"].is_object() {
            // A table whose presence enables something.
            let switches = path == ".components" || within(key) == ".applications.NAME.database";
            let absent = !table.contains_key(key);
            if absent && (switches || inner.get("required").is_some()) {
                continue;
            }
            let empty = toml::Value::Table(Table::new());
            let inside = table.entry(key.clone()).or_insert(empty).as_table_mut().unwrap();
            stated.extend(state_defaults(inside, inner, &within(key)));
            if absent && inside.is_empty() {
                table.remove(key);
            }
        } else if let Some(named) = table.get_mut(key).and_then(toml::Value::as_table_mut) {
            for inside in named.iter_mut().filter_map(|(_, it)| it.as_table_mut()) {
                stated.extend(state_defaults(
                    inside,
                    &inner["additionalProperties"],
                    &format!("{}.NAME", within(key)),
                ));
            }
        }
    }
    stated
}
