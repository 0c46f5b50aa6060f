//! How a release reaches the manifests of an environment, and the part of Flux in it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Application, Spec, Workload};
use crate::{
    contribution::{Secret, Writer},
    diagnostics::{Finding, Report},
    foundation::{Environment, Foundation},
    page::Page,
    pages,
    source::{Located, value_or},
    words::{Bareword, Name, Repository},
};

/// Whether pull requests merge automatically.
pub const AUTO_MERGE: bool = false;

/// How a release reaches the manifests of an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// The release opens a pull request that sets the tag.
    PullRequest,
    /// Flux watches the registry and commits the newest tag itself, with a credential that may write.
    ImageAutomation,
    /// A person sets the tag. This needs no credential.
    #[default]
    Manual,
}

/// How the releases of an application reach an environment.
#[derive(Clone)]
pub struct DeliveryRoute {
    /// The application whose releases are delivered.
    pub application: Arc<Application>,
    /// The environment that receives them.
    pub environment: Name,
    /// The mechanism that sets the tag.
    pub delivery: Delivery,
    /// Whether the pull request of a release merges automatically.
    pub auto_merge: bool,
}

/// All routes, so that READMEs and workflows describe only those that exist.
#[derive(Clone)]
pub struct DeliveryRoutes(Vec<DeliveryRoute>);

impl DeliveryRoutes {
    /// One route for each workload, in the same order.
    pub fn of<'w>(workloads: impl Iterator<Item = (&'w Workload, &'w Environment)>) -> Self {
        let route = |(workload, environment): (&Workload, &Environment)| DeliveryRoute {
            application: Arc::clone(&workload.application),
            environment: environment.name.clone(),
            delivery: workload.delivery,
            auto_merge: workload.auto_merge,
        };
        Self(workloads.map(route).collect())
    }

    /// Every route, in the order of the workloads.
    pub fn all(&self) -> Vec<&DeliveryRoute> {
        self.0.iter().collect()
    }

    fn by(&self, delivery: Delivery) -> Vec<&DeliveryRoute> {
        self.0.iter().filter(|it| it.delivery == delivery).collect()
    }

    /// The environments in which a release opens a pull request.
    pub fn pulled(&self) -> Vec<&DeliveryRoute> {
        self.by(Delivery::PullRequest)
    }

    /// The environments in which Flux commits the tag.
    pub fn automated(&self) -> Vec<&DeliveryRoute> {
        self.by(Delivery::ImageAutomation)
    }

    /// The environments in which a person sets the tag.
    pub fn manual(&self) -> Vec<&DeliveryRoute> {
        self.by(Delivery::Manual)
    }

    /// The environments in which the tag is set by pull request, opened by the release or by a person.
    pub fn by_pull_request(&self) -> Vec<&DeliveryRoute> {
        self.0.iter().filter(|it| it.delivery != Delivery::ImageAutomation).collect()
    }

    /// Whether the pull request of any route merges automatically.
    pub fn merge_by_themselves(&self) -> bool {
        self.0.iter().any(|it| it.auto_merge)
    }

    /// The number of a step in an application's README, after an optional step about pull requests.
    pub fn step(&self, number: u32) -> u32 {
        number + u32::from(!self.pulled().is_empty())
    }

    /// The number of the step after the ruleset in the README of the manifests, after an optional step about Flux.
    pub fn after_ruleset(&self) -> u32 {
        3 + u32::from(!self.automated().is_empty())
    }
}

/// Only a pull request can merge automatically.
pub fn auto_merge(name: &Located<String>, spec: &Spec, report: &mut Report) -> bool {
    let opens = spec.delivery() == Delivery::PullRequest;
    let known = !report.already_reported(&["applications", name, "delivery"]);
    if let Some(asked) = spec.auto_merge.as_ref().filter(|it| ***it && known && !opens) {
        report.add(
            Finding::new("application/auto-merge", "`auto-merge` has no effect without a pull request")
                .at(asked.span(), "only `delivery = \"pull-request\"` opens one")
                .help("write `delivery = \"pull-request\"`, or remove `auto-merge`"),
        );
    }
    value_or(&spec.auto_merge, AUTO_MERGE)
}

/// The marker by which Flux finds the line of a tag. It stays when the tag is changed.
pub fn marker(workload: &Workload) -> String {
    match workload.delivery {
        Delivery::ImageAutomation => {
            format!("  # {{\"$imagepolicy\": \"flux-system:{}:tag\"}}", workload.application.name)
        }
        _ => String::new(),
    }
}

/// The repositories whose releases open pull requests. Each has the key of the GitHub App for this.
pub fn pull_request_repositories(workloads: &[Workload]) -> Vec<Repository> {
    let open = workloads.iter().filter(|it| it.delivery == Delivery::PullRequest);
    open.map(|it| it.application.repository.clone().value()).collect()
}

fn automated(workloads: &[Workload]) -> impl Iterator<Item = &Workload> {
    workloads.iter().filter(|it| it.delivery == Delivery::ImageAutomation)
}

/// Whether Flux must read the registry for any of them.
fn private(workloads: &[Workload]) -> bool {
    automated(workloads).any(|it| !it.application.image_public)
}

/// The credentials with which Flux writes tags and reads the registry. There is another one with which it reads Git.
pub fn secrets(workloads: &[Workload]) -> Vec<Secret> {
    let secret = |key: &str, about| Secret {
        namespace: Bareword::of("flux-system"),
        key: key.to_owned(),
        writer: Writer::Person,
        about,
    };
    let mut secrets = Vec::new();
    if automated(workloads).next().is_some() {
        secrets
            .push(secret("git-write/identity", "private key of the deploy key with which Flux commits tags"));
        secrets.push(secret(
            "git-write/known-hosts",
            "SSH host keys of GitHub, for the deploy key with write access",
        ));
    }
    if private(workloads) {
        secrets.push(secret(
            "registry/docker-config",
            "the credential with which Flux lists image tags, as a Docker configuration",
        ));
    }
    secrets
}

/// The objects for image automation: one source with write access, and for each application its image repository and policy.
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
    for workload in automated(workloads) {
        let application = &*workload.application;
        let name = &application.name;
        pages.extend(
            pages! { { application: super::Application, foundation: Foundation, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/applications/images/{name}.yaml",
            },
        );
    }
    pages
}
