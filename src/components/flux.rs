//! Flux, which applies the manifests in Git to the cluster, and its operator. The second Terraform root installs both once;
//! from then on they are updated from Git.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, Need},
    diagnostics::Report,
    foundation::Environment,
    pages,
    source::{Located, value_or},
};

/// Flux, which applies the manifests in Git to the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flux {
    /// The version of the credential with which Flux reads Git. Raise it after you put a new credential into Parameter Store: the
    /// next apply passes it to the cluster.
    #[schemars(range(min = 1), extend("default" = CREDENTIAL_VERSION))]
    credential_version: Option<Located<u32>>,
}

const CREDENTIAL_VERSION: u32 = 1;

impl Component for Flux {
    fn answers(&self) -> Need {
        Need::Delivery
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let credential_version = &value_or(&self.credential_version, CREDENTIAL_VERSION);
        let (flux, operator) =
            (&environment.catalogue.tool("flux"), &environment.catalogue.chart("flux-operator"));
        Contribution {
            about: "applies this repository to the cluster",
            first: true,
            reserved: &[
                "flux",
                "flux-operator",
                "helm-controller",
                "image-automation-controller",
                "image-reflector-controller",
                "kustomize-controller",
                "notification-controller",
                "source-controller",
                "source-watcher",
            ],
            secrets: environment.git_credential(),
            pages: pages! {
                {
                    environment: Environment, credential_version: u32, flux: &'static str, operator: &'static str,
                }
                Unlisted "infrastructure/environments/{environment}/gitops/flux.tf",
                Unlisted "infrastructure/environments/{environment}/gitops/providers.tf",
                Unlisted "infrastructure/environments/{environment}/gitops/tests/gitops.tftest.hcl",
                Unlisted "infrastructure/environments/{environment}/gitops/versions.tf",
                Resource "kubernetes-manifest/clusters/{environment}/flux-system/instance.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/flux-system/operator-release.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/flux-system/operator-source.yaml",
            },
            monitoring: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/dashboards/flux.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/flux/notifications.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/flux.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/flux.yaml",
            },
            ..Contribution::new("flux")
        }
    }
}
