//! Virtual addresses of Services.

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

/// Virtual addresses of Services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KubeProxy {
    /// The version of the add-on. Default: the version that EKS itself chooses for the Kubernetes version, from the catalogue.
    #[schemars(with = "Option<Spelled<AddonVersion>>")]
    version: Option<Located<String>>,
}

impl Component for KubeProxy {
    fn answers(&self) -> Need {
        Need::ServiceNetwork
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        Contribution {
            about: "routes Service addresses to pods",
            addon: Some(Addon {
                name: "kube-proxy",
                version: addon_version("kube-proxy", self.version.as_ref(), environment, report),
                before_nodes: true,
                configuration: None,
            }),
            ..Contribution::new("kube-proxy")
        }
    }
}
