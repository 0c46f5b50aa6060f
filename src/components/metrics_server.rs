//! The CPU and memory usage of pods, for autoscaling.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, HelmRelease, Need, PodSecurity},
    diagnostics::Report,
    foundation::Environment,
    layer::Layer,
    pages,
    source::Located,
    words::Text,
};

/// The CPU and memory usage of pods, for autoscaling.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MetricsServer {
    /// Whether the component is enabled. Default: it is if something needs it.
    enabled: Option<Located<bool>>,
    /// Values for its Helm release, merged over those of the platform.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>", extend("default" = {}))]
    values: Option<toml::Table>,
}

impl Component for MetricsServer {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Usage
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let release = &HelmRelease {
            name: "metrics-server",
            source: "metrics-server",
            layer: Layer::CONTROLLERS,
            namespace: "metrics-server",
            pods: PodSecurity::Restricted,
            url: Text::ours("https://kubernetes-sigs.github.io/metrics-server/"),
            chart: "metrics-server",
            version: environment.catalogue.chart("metrics-server").to_owned(),
            values: self.values.clone().unwrap_or_default(),
        };
        Contribution {
            about: "measures the resource usage of pods, for autoscaling",
            pages: pages! { { release: HelmRelease, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/controllers/metrics-server/release.yaml",
            },
            releases: vec![release.clone()],
            ..Contribution::new("metrics-server")
        }
    }
}
