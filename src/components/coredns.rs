//! DNS for Services.

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

/// DNS for Services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Coredns {
    /// The version of the add-on. Default: the version that EKS itself chooses for the Kubernetes version, from the catalogue.
    #[schemars(with = "Option<Spelled<AddonVersion>>")]
    version: Option<Located<String>>,
}

impl Component for Coredns {
    fn answers(&self) -> Need {
        Need::Names
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        Contribution {
            about: "cluster DNS: resolves the names of Services",
            addon: Some(Addon {
                name: "coredns",
                version: addon_version("coredns", self.version.as_ref(), environment, report),
                before_nodes: false,
                configuration: None,
            }),
            ..Contribution::new("coredns")
        }
    }
}
