use hcl::expr::{Expression, ObjectKey};
use serde_json::{Value, json};

use crate::{DRAWN, Tree};

/// Each rendered tree: all blueprints.
fn all() -> impl Iterator<Item = &'static Tree> {
    DRAWN.values()
}

/// The values of the release that creates the FluxInstance.
fn values(text: &str) -> Value {
    let body: hcl::Body = hcl::parse(text).unwrap();
    let release = body
        .blocks()
        .find(|block| block.labels().iter().any(|label| label.as_str() == "flux_instance"))
        .expect("a release makes the FluxInstance");
    let values = release.body().attributes().find(|it| it.key() == "values").unwrap();
    let Expression::Array(values) = values.expr() else { panic!("a list of values") };
    let Expression::FuncCall(encode) = &values[0] else { panic!("values are encoded") };
    plain(&encode.args[0])
}

/// Literals unchanged, references as their text.
fn plain(expression: &Expression) -> Value {
    match expression {
        Expression::Object(object) => object
            .iter()
            .map(|(key, value)| match key {
                ObjectKey::Identifier(key) => (key.to_string(), plain(value)),
                key => (key.to_string(), plain(value)),
            })
            .collect(),
        Expression::Array(items) => items.iter().map(plain).collect(),
        Expression::String(word) => json!(word),
        Expression::Bool(it) => json!(it),
        Expression::Traversal(_) => json!("a reference"),
        Expression::TemplateExpr(it) => json!(it.to_string().trim_matches('"')),
        other => panic!("not a literal: {other}"),
    }
}

/// Otherwise Flux would change itself as soon as it reads Git.
#[test]
fn the_first_install_is_what_git_keeps() {
    let mut seen = 0;
    for files in all() {
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with("/gitops/flux.tf")) {
            let environment = path.split('/').nth(2).unwrap();
            let instance = format!("/clusters/{environment}/flux-system/instance.yaml");
            let (_, instance) = files.iter().find(|(path, _)| path.ends_with(&instance)).unwrap();
            let mut kept: Value = serde_yaml::from_str::<Value>(instance).unwrap()["spec"].take();
            let mut first = values(text)["instance"].take();
            assert_eq!(
                first["distribution"]["artifact"].take(),
                json!(""),
                "the chart's default is the newest"
            );
            first["distribution"].as_object_mut().unwrap().remove("artifact");
            assert_eq!(first["sync"]["pullSecret"].take(), json!("a reference"));
            assert_eq!(kept["sync"]["pullSecret"].take(), json!("flux-system"));
            assert_eq!(first["sync"]["path"].take(), json!("clusters/${local.environment}"));
            assert_eq!(kept["sync"]["path"].take(), json!(format!("clusters/{environment}")));
            assert_eq!(first, kept, "`{path}` and the manifest of `{environment}` differ");
            seen += 1;
        }
    }
    assert!(seen >= 5, "each environment has a gitops root");
}

/// The cluster gets the secret that the runbook tells a person to put, and no state contains its value or a token.
#[test]
fn no_secret_of_the_cluster_reaches_a_state() {
    for files in all() {
        for (path, text) in
            files.iter().filter(|(path, _)| path.contains("/gitops/") && path.ends_with(".tf"))
        {
            let body: hcl::Body = hcl::parse(text).unwrap();
            for block in body.blocks() {
                let label = block.labels().first().map(|it| it.as_str()).unwrap_or_default();
                let keys: Vec<&str> = block.body().attributes().map(|it| it.key()).collect();
                match (block.identifier(), label) {
                    ("resource", "kubernetes_secret_v1") => {
                        assert!(keys.contains(&"data_wo") && keys.contains(&"data_wo_revision"), "`{path}`");
                        assert!(!keys.contains(&"data") && !keys.contains(&"binary_data"), "`{path}`");
                    }
                    ("data", label) => {
                        assert_eq!(label, "aws_eks_cluster", "`{path}` reads more than the cluster")
                    }
                    ("provider", "kubernetes" | "helm") => {
                        assert!(!text.contains("token  ") && text.contains("get-token"), "`{path}`");
                        assert!(!text.contains("insecure"), "`{path}`");
                    }
                    _ => {}
                }
            }
        }
    }
}
