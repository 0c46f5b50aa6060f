use blueprint::blueprint::schema;
use serde_json::Value;

use crate::{blueprints, walk};

/// Every table says which keys it knows, and editors read what `shape` walks.
#[test]
fn every_key_is_described() {
    let schema = schema();
    let overlay = &schema["properties"]["environments"]["additionalProperties"];
    assert!(schema["required"].as_array().unwrap().iter().any(|key| key == "name"));
    assert!(overlay.get("required").is_none() && overlay["properties"]["name"].get("not").is_some());
    assert!(!schema.to_string().contains("\"null\""), "TOML has no null");
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

/// A second reader of the schema says the same of every blueprint that we have, good or bad.
#[test]
fn another_reader_agrees() {
    let validator = jsonschema::validator_for(schema()).unwrap();
    let json = |text: &str| serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    for (path, text) in blueprints() {
        let errors: Vec<String> =
            validator.iter_errors(&json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "`{path}`: {errors:?}");
    }
    for (path, text) in walk("tests/findings") {
        let shape = ["choice", "length", "missing-key", "platform-wide", "range", "type", "unknown-key"];
        let name = path.strip_suffix(".toml").unwrap_or_default();
        let Some(words) = walk("tests/findings").remove(&format!("{name}.txt")) else { continue };
        if name == "syntax" {
            continue;
        }
        let ours = shape.iter().any(|code| words.contains(&format!("error[blueprint/{code}]")));
        assert_eq!(validator.is_valid(&json(&text)), !ours, "`{path}`: the readers disagree");
    }
}
