// Builds an overlay: its resources, those of the folders that it names, and its patches. This supports only the features that
// our overlays use; kustomize itself builds them in the conformance proof.

use serde_json::{Map, Value};

use super::Platform;

/// An application in one environment.
pub struct Overlay<'a> {
    pub application: &'a str,
    pub environment: &'a str,
    /// The path up to the folder `apps`.
    pub repository: &'a str,
    pub objects: Vec<Value>,
    /// The objects in `clusters/ENVIRONMENT/tenants/APPLICATION`.
    pub tenant: Vec<Value>,
}

impl<'a> Overlay<'a> {
    pub fn all(platform: &'a Platform) -> Vec<Self> {
        let overlay = |path: &'a str| {
            let folder = path.strip_suffix("/kustomization.yaml")?;
            let (repository, rest) = folder.split_once("/apps/")?;
            let (application, environment) = rest.split_once("/overlays/")?;
            let prefix = format!("{repository}/clusters/{environment}/tenants/{application}/");
            let tenant = platform.documents().filter(|it| it.path.starts_with(&prefix));
            let tenant = tenant.flat_map(|it| it.values().cloned()).collect();
            let objects = build(platform, folder);
            Some(Self { application, environment, repository, objects, tenant })
        };
        platform.documents().filter_map(|it| overlay(&it.path)).collect()
    }

    pub fn kinds(&self, kind: &'a str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |it| it["kind"] == kind)
    }

    pub fn deployment(&self) -> &Value {
        self.kinds("Deployment").next().expect("each application has one")
    }

    pub fn pod(&self) -> &Value {
        &self.deployment()["spec"]["template"]["spec"]
    }

    pub fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    /// The value of its key in this environment, if the blueprint sets it.
    pub fn setting<'p>(&self, platform: &'p Platform, path: &[&str]) -> Option<&'p toml::Value> {
        let whole: Vec<&str> = ["applications", self.application].iter().chain(path).copied().collect();
        platform.setting(self.environment, &whole)
    }

    pub fn place(&self) -> String {
        format!("{} in {}", self.application, self.environment)
    }
}

/// Builds a folder by its `kustomization.yaml`.
fn build(platform: &Platform, folder: &str) -> Vec<Value> {
    let read = |path: &str| platform.documents().find(|it| it.path == path);
    let Some(list) = read(&format!("{folder}/kustomization.yaml")) else { return Vec::new() };
    let list = list.value();
    let mut objects = Vec::new();
    for entry in words(&list["resources"]) {
        let path = join(folder, entry);
        match read(&path) {
            Some(document) => objects.extend(document.values().cloned()),
            None => objects.extend(build(platform, &path)),
        }
    }
    for patch in list["patches"].as_array().into_iter().flatten() {
        let path = join(folder, patch["path"].as_str().unwrap());
        for patch in read(&path).into_iter().flat_map(|it| it.values()) {
            let meant = |it: &Value| {
                it["kind"] == patch["kind"] && it["metadata"]["name"] == patch["metadata"]["name"]
            };
            if patch["$patch"] == "delete" {
                objects.retain(|it| !meant(it));
            }
            objects.iter_mut().filter(|it| meant(it)).for_each(|it| merge(it, patch));
        }
    }
    for image in list["images"].as_array().into_iter().flatten() {
        for object in &mut objects {
            tag(object, &image["name"], image["newTag"].as_str().unwrap_or_default());
        }
    }
    objects
}

fn words(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn join(folder: &str, entry: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in entry.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A strategic merge: lists whose items have names are merged by name, other lists are replaced.
fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(patch)) if named(base) && named(patch) => {
            for value in patch {
                match base.iter_mut().find(|it| it["name"] == value["name"]) {
                    Some(known) => merge(known, value),
                    None => base.push(value.clone()),
                }
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

fn named(list: &[Value]) -> bool {
    list.iter().all(|it| it["name"].is_string())
}

fn tag(value: &mut Value, image: &Value, tag: &str) {
    let each = |fields: &mut Map<String, Value>| {
        for (key, value) in fields {
            if key == "image" && value == image {
                *value = format!("{}:{tag}", image.as_str().unwrap()).into();
            } else {
                self::tag(value, image, tag);
            }
        }
    };
    match value {
        Value::Object(fields) => each(fields),
        Value::Array(list) => list.iter_mut().for_each(|it| self::tag(it, image, tag)),
        _ => {}
    }
}

#[test]
fn patches_lie_over_what_they_patch() {
    let mut base = serde_json::json!({ "a": [{ "name": "x", "b": 1, "c": [1] }], "d": 1 });
    merge(&mut base, &serde_json::json!({ "a": [{ "name": "x", "c": [2] }, { "name": "y" }], "d": 2 }));
    let wanted = serde_json::json!({ "a": [{ "name": "x", "b": 1, "c": [2] }, { "name": "y" }], "d": 2 });
    assert_eq!(base, wanted);
    assert_eq!(join("a/b/c", "../../d"), "a/d");
}
