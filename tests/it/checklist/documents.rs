// YAML as values. CloudFormation's short forms become references between `${` and `}`, as in HCL.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Tree;

pub struct Document {
    pub path: String,
    values: Arc<Vec<Value>>,
}

impl Document {
    pub fn all(files: &Tree) -> Vec<Self> {
        let yaml = files.iter().filter(|(path, _)| path.ends_with(".yaml") || path.ends_with(".yml"));
        yaml.map(|(path, text)| Self::read(path, text)).collect()
    }

    pub fn read(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), values: parsed(path, text) }
    }

    /// The first or only document.
    pub fn value(&self) -> &Value {
        &self.values[0]
    }

    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// The commands of a workflow's jobs, line by line, without the folder in which Terraform runs.
    pub fn commands(&self) -> impl Iterator<Item = String> {
        let jobs = self.value()["jobs"].as_object().into_iter().flat_map(|it| it.values());
        jobs.flat_map(commands)
    }

    pub fn is_workflow(&self) -> bool {
        self.path.contains("/.github/workflows/")
    }

    /// The environment of a stack, such as `production`.
    pub fn environment(&self) -> Option<&str> {
        self.path.strip_suffix("/bootstrap/stack.yaml")?.rsplit('/').next()
    }
}

/// The commands of one job.
pub fn commands(job: &Value) -> impl Iterator<Item = String> {
    let runs = job["steps"].as_array().into_iter().flatten().filter_map(|it| it["run"].as_str());
    runs.flat_map(str::lines).map(|line| {
        let words: Vec<&str> = line.split_whitespace().filter(|it| !it.starts_with("-chdir=")).collect();
        words.join(" ")
    })
}

/// Parsing takes most of the time, and most files occur in many trees.
fn parsed(path: &str, text: &str) -> Arc<Vec<Value>> {
    static READ: LazyLock<Mutex<HashMap<String, Arc<Vec<Value>>>>> = LazyLock::new(Default::default);
    if let Some(values) = READ.lock().unwrap().get(text) {
        return values.clone();
    }
    let one = |it| match serde_yaml::Value::deserialize(it) {
        Ok(it) => value(&it),
        Err(error) => panic!("`{path}` does not read: {error}"),
    };
    let values = serde_yaml::Deserializer::from_str(text).map(one).collect();
    READ.lock().unwrap().entry(text.to_owned()).or_insert(Arc::new(values)).clone()
}

fn value(yaml: &serde_yaml::Value) -> Value {
    match yaml {
        serde_yaml::Value::Sequence(list) => list.iter().map(value).collect(),
        serde_yaml::Value::Mapping(entries) => {
            let entry = |(key, it): (&serde_yaml::Value, &serde_yaml::Value)| {
                let key = value(key);
                (key.as_str().map(str::to_owned).unwrap_or_else(|| key.to_string()), value(it))
            };
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
        serde_yaml::Value::Tagged(it) => match (it.tag.to_string().as_str(), value(&it.value)) {
            ("!Sub", it) => it,
            ("!Ref" | "!GetAtt", Value::String(name)) => json!(format!("${{{name}}}")),
            (tag, it) => json!({ tag: it }),
        },
        other => serde_json::to_value(other).unwrap(),
    }
}

#[test]
fn short_forms_are_read() {
    let text = "A: !Ref B\nC: !GetAtt D.Arn\nE: !Sub \"${F.Arn}/*\"\nG: [1, true]\n";
    let wanted = json!({ "A": "${B}", "C": "${D.Arn}", "E": "${F.Arn}/*", "G": [1, true] });
    assert_eq!(*parsed("x", text), [wanted]);
}
