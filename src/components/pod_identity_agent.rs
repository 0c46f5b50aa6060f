//! AWS credentials for pods, on every node.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Component, addon_version};
use crate::{
    contribution::{Addon, Contribution, Need},
    diagnostics::Report,
    foundation::Environment,
    source::Located,
    words::{AddonVersion, patterns::Spelled},
};

/// AWS credentials for pods, on every node.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodIdentityAgent {
    /// The version of the add-on. Default: the version that EKS itself chooses for the Kubernetes version, from the catalogue.
    #[schemars(with = "Option<Spelled<AddonVersion>>")]
    version: Option<Located<String>>,
}

impl Component for PodIdentityAgent {
    fn answers(&self) -> Need {
        Need::Identities
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        Contribution {
            about: "provides pods with the credentials of their IAM roles",
            addon: Some(Addon {
                name: "eks-pod-identity-agent",
                version: addon_version("pod-identity-agent", self.version.as_ref(), environment, report),
                before_nodes: true,
                configuration: None,
            }),
            ..Contribution::new("pod-identity-agent")
        }
    }
}
