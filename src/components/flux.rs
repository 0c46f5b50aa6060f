//! What brings into the cluster what stands in Git: Flux, kept by its operator.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, Need},
    diagnostics::Report,
    foundation::Environment,
    pages,
};

/// What brings into the cluster what stands in Git: Flux, kept by its operator.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Flux {}

impl Component for Flux {
    fn answers(&self) -> Need {
        Need::Delivery
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        Contribution {
            about: "brings into the cluster what stands in this repository",
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
            pages: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/flux-system/instance.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/flux-system/operator-release.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/flux-system/operator-source.yaml",
            },
            ..Contribution::new("flux")
        }
    }
}
