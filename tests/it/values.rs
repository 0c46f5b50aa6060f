use blueprint::yaml::block;
use proptest::prelude::*;
use toml::Value;

use crate::{plan, tree, wide};

/// Words that some YAML 1.1 or 1.2 parser reads as a boolean, null, number, date or indicator.
const MISREAD: &str = "no|No|NO|on|off|y|Yes|true|null|~||1e3|0644|0o17|0x1F|1_000|12:30:45|1.|.5|+1|-1|.inf|.NaN|\
    2026-01-01|2026-01-01T00:00:00Z|=|<<|!x|&a|*a|%a|@a|`a|- a|a: b|a #b|a:|#|{}|[]|\"|'|\\| a|a |a\nb|\t|---|?|ä|\u{85}|\
    \u{2028}|\u{feff}|\u{7f}|\u{fffe}|\u{ffff}|\u{ad}|\u{202e}|\u{61c}|\u{e0041}|\u{10ffff}|\0";

#[test]
fn strings_that_could_be_misread_are_quoted() {
    for words in MISREAD.split('|') {
        let table = toml::Table::from_iter([(words.to_owned(), Value::from(words))]);
        let text = block(&table, 0);
        assert!(text.starts_with('"') && text.ends_with("\"\n"), "`{text}` leaves `{words:?}` bare");
        let back: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(back, serde_json::json!({ words: words }));
    }
}

#[test]
fn tables_mean_the_same_in_yaml() {
    let text = "a = 1\nb = [1.5, 2.0, -1e300, true]\nc = [[], [[1], []], {}, { d = { e = [] }, f = 'no' }]\n\
                [g.h]\n'i j' = ['x', { k = 1, l = [2] }]\n[m]\n[[n]]\no = 1\np = 2\n[[n]]\no = 3\n";
    let table: toml::Table = toml::from_str(text).unwrap();
    let back: serde_json::Value = serde_yaml::from_str(&block(&table, 4)).unwrap();
    assert_eq!(back, serde_json::to_value(&table).unwrap(), "{}", block(&table, 4));
}

#[test]
fn values_become_a_patch_on_the_release() {
    let files = tree(plan(&wide(|_| ())));
    let folder = "ledger-manifests/clusters/production/controllers/metrics-server";
    let read = |file: &str| -> serde_yaml::Value {
        serde_yaml::from_str(&files[&format!("{folder}/{file}")]).unwrap()
    };
    let (patch, release) = (read("values.yaml"), read("release.yaml"));
    for key in ["apiVersion", "kind"] {
        assert_eq!(patch[key], release[key], "the patch must find its release");
    }
    for key in ["name", "namespace"] {
        assert_eq!(patch["metadata"][key], release["metadata"][key], "the patch must find its release");
    }
    assert_eq!(patch["spec"]["values"]["podAnnotations"]["norway"], "no");
    assert_eq!(read("kustomization.yaml")["patches"][0]["path"], "values.yaml");
}

/// All releases accept values of the user, and `wide.toml` sets some for each.
#[test]
fn each_release_takes_values() {
    let files = tree(plan(&wide(|_| ())));
    let releases = files.keys().filter(|it| it.contains("/production/controllers/"));
    let folders = releases.filter_map(|it| it.strip_suffix("/release.yaml"));
    // Releases with only definitions have no values.
    let folders: Vec<&str> = folders.filter(|it| !it.ends_with("-crds")).collect();
    assert!(folders.len() >= 5, "{folders:?}");
    for folder in folders {
        assert!(files.contains_key(&format!("{folder}/values.yaml")), "`{folder}` takes no values");
    }
}

/// A random table of realistic depth.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::String),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        (-1e12f64..1e12).prop_map(Value::Float),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("\\PC{1,8}", inner, 0..4)
                .prop_map(|map| Value::Table(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_table_means_the_same_in_yaml(map in prop::collection::btree_map("\\PC{1,8}", value(), 1..4)) {
        let table: toml::Table = map.into_iter().collect();
        let text = block(&table, 2);
        let back: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(back, serde_json::to_value(&table).unwrap(), "{}", text);
    }
}
