//! Kubernetes Secrets from Parameter Store. Each namespace reads its own parameters, with its own role.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, HelmRelease, Identity, Need, PodSecurity, Statement},
    diagnostics::Report,
    foundation::Environment,
    layer::Layer,
    pages,
    rights::{self, Rights},
    source::Located,
    words::{Hcl, Text},
};

/// Kubernetes Secrets from Parameter Store. Each namespace reads its own parameters, with its own role.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalSecrets {
    /// Whether the component is enabled. Default: it is if something needs it.
    enabled: Option<Located<bool>>,
    /// Values for its Helm release, merged over those of the platform.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>", extend("default" = {}))]
    values: Option<toml::Table>,
}

impl Component for ExternalSecrets {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Secrets
    }

    /// With tokens of the cluster it uses the service account of each namespace, so it needs no role itself. With Pod Identity
    /// this is impossible (external-secrets docs/provider/aws-access.md): it has a role of its own, which may only assume the
    /// readers' roles.
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
        let release = &HelmRelease {
            name: "external-secrets",
            source: "external-secrets",
            layer: Layer::CONTROLLERS,
            namespace: "external-secrets",
            pods: PodSecurity::Restricted,
            url: Text::ours("https://charts.external-secrets.io"),
            chart: "external-secrets",
            version: environment.catalogue.chart("external-secrets").to_owned(),
            values: self.values.clone().unwrap_or_default(),
        };
        Contribution {
            about: "synchronizes secrets from Parameter Store into the namespaces that may read them",
            definitions: Some("external-secrets"),
            identity: environment.pod_identity().then(identity),
            rights: Rights {
                uses: environment.pod_identity().then(|| become_readers(environment)).into_iter().collect(),
                ..Rights::default()
            },
            pages: pages! { { release: HelmRelease, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/configs/external-secrets/deployer.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/controllers/external-secrets/release.yaml",
            },
            releases: vec![release.clone()],
            monitoring: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/external-secrets.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/external-secrets.yaml",
            },
            ..Contribution::new("external-secrets")
        }
    }
}

/// It may assume the readers' roles, and no other.
fn become_readers(environment: &Environment) -> rights::Statement {
    rights::Statement::allow("RolesOfReaders", &["sts:AssumeRole", "sts:TagSession"])
        .on(vec![environment.names().role("secrets-*")])
}
