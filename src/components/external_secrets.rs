//! Secrets of the cluster, out of Parameter Store: each namespace reads its own, by a role of its own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, Identity, Need, Statement},
    diagnostics::Report,
    foundation::Environment,
    source::Located,
    words::Hcl,
};

/// Secrets of the cluster, out of Parameter Store: each namespace reads its own, by a role of its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalSecrets {
    /// On by itself where something needs it, if you do not say.
    enabled: Option<Located<bool>>,
}

impl Component for ExternalSecrets {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Secrets
    }

    /// With tokens of the cluster it asks for each namespace in the name of that namespace's service account, so it
    /// needs no role itself. With Pod Identity it cannot (external-secrets docs/provider/aws-access.md): it goes
    /// through a role of its own, which may only take the readers' roles.
    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let identity = || Identity {
            role: "external-secrets",
            namespace: "external-secrets",
            service_account: "external-secrets",
            statements: vec![Statement {
                sid: "BecomeReaders",
                actions: &["sts:AssumeRole", "sts:TagSession"],
                resources: vec![Hcl::string(
                    "arn:aws:iam::${local.account}:role${local.role_path}${local.name}-secrets-*",
                )],
                conditions: vec![],
            }],
        };
        Contribution {
            about: "brings secrets from Parameter Store into the namespaces that may read them",
            reserved: &["external-secrets"],
            identity: environment.pod_identity().then(identity),
            ..Contribution::new("external-secrets")
        }
    }
}
