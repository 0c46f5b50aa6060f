// The diagrams of the READMEs, and that a render depends only on the blueprint.

use super::{Platform, Verdict, prove};
use crate::{plan, tree};

/// The diagrams of a page.
fn diagrams(text: &str) -> Vec<&str> {
    text.split("```mermaid\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

/// A time, a path or a user of the machine that rendered.
fn volatile(line: &str) -> bool {
    let here = std::env::current_dir().unwrap();
    let here = here.to_str().unwrap();
    let stamp = line.split(['T', ' ']).any(|word| {
        let parts: Vec<&str> = word.trim_matches(|it: char| !it.is_ascii_digit()).split('-').collect();
        let numbers = parts.iter().all(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()));
        numbers && parts.iter().map(|it| it.len()).eq([4, 2, 2])
    });
    let told = line.contains("render") || line.contains("Written by");
    line.contains(here) || line.contains("/home/") || line.contains("/Users/") || told && stamp
}

#[test]
fn x06_a_render_is_nothing_but_the_blueprint() {
    prove(
        "X06",
        &["file"],
        check,
        &[
            ("platform/network.tf", "Written by blueprint.", "Written by blueprint on 2026-01-31."),
            ("kubernetes-manifest/README.md", "Written by blueprint.", "Written by /home/jo/blueprint."),
            ("applications/test-app.yaml", "Written by blueprint.", "Rendered in /Users/jo/platform."),
        ],
    );
    for (path, text) in crate::blueprints() {
        assert!(crate::DRAWN[&path] == tree(plan(&text)), "`{path}` renders to two things");
    }
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (path, text) in &platform.files {
            verdict.see("file");
            let wrong = text.lines().find(|line| volatile(line));
            verdict.hold(wrong.is_none(), format!("{path}: {wrong:?}"));
        }
    }
}

#[test]
fn x07_the_flows_are_drawn_with_real_names() {
    prove(
        "X07",
        &["architecture", "creation", "growing", "secrets", "endpoint", "delivery"],
        check,
        &[
            (
                "environments/production/README.md",
                "subgraph vpc[\"VPC faceit-production",
                "subgraph vpc[\"VPC",
            ),
            ("environments/production/README.md", "stack faceit-production-bootstrap", "stack bootstrap"),
            (
                "kubernetes-manifest/README.md",
                "HorizontalPodAutoscaler test-app/test-app",
                "HorizontalPodAutoscaler",
            ),
            ("kubernetes-manifest/README.md", "SecretStore test-app/parameter-store", "SecretStore"),
            ("kubernetes-manifest/README.md", "Ingress test-app/test-app", "Ingress"),
            ("application/README.md", "rolling update in the namespace test-app", "rolling update"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let Some(name) = platform.blueprint.get("name").and_then(|it| it.as_str()) else { return };
        let mut hold = |flow, end: &str, words: &[String]| {
            verdict.see(flow);
            let pages = platform.files.iter().filter(|(path, _)| path.ends_with(end));
            let drawn = pages
                .flat_map(|(_, text)| diagrams(text))
                .any(|diagram| words.iter().all(|word| diagram.contains(word)));
            verdict.hold(drawn, format!("{end}: no diagram of {flow} has {words:?}"));
        };
        for root in platform.roots().filter(|root| root.name == "platform") {
            let (page, cluster) = (
                format!("environments/{}/README.md", root.environment),
                format!("{name}-{}", root.environment),
            );
            hold("architecture", &page, &[format!("VPC {cluster}"), format!("EKS {cluster}")]);
            hold(
                "creation",
                &page,
                &[format!("stack {cluster}-bootstrap"), format!("participant cluster as {cluster}")],
            );
        }
        // The pages of the cluster use one environment and one application as examples.
        let some = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let applications = platform.blueprint["applications"].as_table().unwrap();
        let manifests =
            platform.files.keys().find_map(|it| it.split_once("/clusters/").map(|it| it.0)).unwrap();
        let manifests = format!("{manifests}/README.md");
        hold(
            "growing",
            &manifests,
            &some(&["metrics-server", "cluster-autoscaler", "node group", "PodDisruptionBudget"]),
        );
        let (first, _) = applications.iter().next().unwrap();
        hold("growing", &manifests, &[format!("HorizontalPodAutoscaler {first}/{first}")]);
        for (application, spec) in applications {
            let private = spec.get("image-public").and_then(|it| it.as_bool()) != Some(true);
            if private || spec.get("database").is_some() {
                hold(
                    "secrets",
                    &manifests,
                    &[format!("/{name}/"), format!("SecretStore {application}/parameter-store")],
                );
            }
            let repository = spec.get("repository").and_then(|it| it.as_str()).unwrap_or(application);
            hold(
                "delivery",
                &format!("{repository}/README.md"),
                &[format!("in the namespace {application}"), "ghcr.io/".to_owned()],
            );
        }
        if let Some((application, _)) = applications.iter().find(|(_, spec)| spec.get("host").is_some()) {
            hold(
                "endpoint",
                &manifests,
                &[format!("Ingress {application}/{application}"), "Route 53, zone".to_owned()],
            );
        }
    }
}
