//! How a release comes into the manifests of an environment, and what Flux has to do with it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Spec, Workload};
use crate::{
    contribution::{Secret, Writer},
    diagnostics::{Finding, Report},
    foundation::{Environment, Foundation},
    page::Page,
    pages,
    source::{Located, value_or},
    words::Repository,
};

/// How a release comes into the manifests of an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// The release opens a pull request that sets the tag.
    PullRequest,
    /// Flux looks into the registry and commits the newest tag itself, with a credential that may write.
    ImageAutomation,
    /// A person sets the tag.
    #[default]
    Manual,
}

/// Only a pull request can merge by itself.
pub fn auto_merge(name: &Located<String>, spec: &Spec, report: &mut Report) -> bool {
    let opens = spec.delivery() == Delivery::PullRequest;
    let known = !report.excused(&format!("applications.{}.delivery", **name));
    if let Some(asked) = spec.auto_merge.as_ref().filter(|it| ***it && known && !opens) {
        report.add(
            Finding::new("application/auto-merge", "there is no pull request that could merge by itself")
                .at(asked.span(), "only `delivery = \"pull-request\"` opens one")
                .help("write `delivery = \"pull-request\"` beside it, or leave `auto-merge` out"),
        );
    }
    value_or(&spec.auto_merge, false)
}

/// The marker by which Flux finds the line of a tag. It survives whoever sets the tag.
pub fn marker(workload: &Workload) -> String {
    match workload.delivery {
        Delivery::ImageAutomation => {
            format!("  # {{\"$imagepolicy\": \"flux-system:{}:tag\"}}", workload.application.name)
        }
        _ => String::new(),
    }
}

/// The repositories whose releases open pull requests: each holds the key of the GitHub App that does.
pub fn opened(workloads: &[Workload]) -> Vec<Repository> {
    let open = workloads.iter().filter(|it| it.delivery == Delivery::PullRequest);
    open.map(|it| it.application.repository.clone()).collect()
}

fn automated(workloads: &[Workload]) -> impl Iterator<Item = &Workload> {
    workloads.iter().filter(|it| it.delivery == Delivery::ImageAutomation)
}

/// Whether Flux must be able to read the registry for any of them.
fn private(workloads: &[Workload]) -> bool {
    automated(workloads).any(|it| !it.application.image_public)
}

/// What Flux writes and looks with. The credential that reads Git is another one.
pub fn secrets(workloads: &[Workload]) -> Vec<Secret> {
    let secret = |key: &str, about| Secret {
        namespace: "flux-system".to_owned(),
        key: key.to_owned(),
        writer: Writer::Person,
        about,
    };
    let mut secrets = Vec::new();
    if automated(workloads).next().is_some() {
        secrets
            .push(secret("git-write/identity", "private half of the deploy key with which Flux writes tags"));
        secrets
            .push(secret("git-write/known-hosts", "GitHub's own SSH keys, for the deploy key that writes"));
    }
    if private(workloads) {
        secrets.push(secret(
            "registry/docker-config",
            "the credential that lists tags, as a Docker configuration",
        ));
    }
    secrets
}

/// What Flux needs to set tags: one source that it may write to, and for each application where it looks and what it takes.
pub fn pages(workloads: &[Workload], foundation: &Foundation, environment: &Environment) -> Vec<Page> {
    let mut pages = Vec::new();
    if automated(workloads).next().is_some() {
        pages.extend(pages! { { environment: Environment }
            Resource "kubernetes-manifest/clusters/{environment}/applications/image-automation/source.yaml",
        });
    }
    if private(workloads) {
        pages.extend(pages! { { environment: Environment }
            Resource "kubernetes-manifest/clusters/{environment}/applications/image-automation/registry.yaml",
        });
    }
    for Workload { application, .. } in automated(workloads) {
        let name = &application.name;
        pages.extend(
            pages! { { application: super::Application, foundation: Foundation, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/applications/images/{name}.yaml",
            },
        );
    }
    pages
}
