//! What watches the platform: Prometheus, Alertmanager and Grafana.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, Namespace, Need, PodSecurity, Secret, Writer},
    diagnostics::Report,
    foundation::Environment,
    pages,
    source::{Located, value_or},
};

/// What watches the platform: Prometheus, Alertmanager and Grafana.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Monitoring {
    /// On by itself where something needs it, if you do not say.
    enabled: Option<Located<bool>>,
    /// Counts the password of Grafana's administrator. Raise it, and the next apply makes up another one. 1, if you do not say.
    #[schemars(range(min = 1))]
    grafana_password_version: Option<Located<u32>>,
    /// Where Alertmanager sends alerts. They stay inside the cluster, if you do not say.
    alerts: Option<Located<Alerts>>,
}

impl Component for Monitoring {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Watch
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let version = &value_or(&self.grafana_password_version, 1);
        let secret = |key: &str, writer, about| Secret {
            namespace: "monitoring".to_owned(),
            key: key.to_owned(),
            writer,
            about,
        };
        let receiver = self.alerts.as_ref().map(|alerts| match **alerts {
            Alerts::Slack => ("alertmanager/slack-url", "the address of the Slack webhook that alerts go to"),
            Alerts::Pagerduty => ("alertmanager/pagerduty-key", "the key of the PagerDuty service that alerts go to"),
        });
        let password =
            secret("grafana/admin-password", Writer::Terraform, "the password of Grafana's administrator");
        Contribution {
            about: "watches the platform, and says when something is wrong",
            secrets: [password].into_iter().chain(receiver.map(|(key, about)| secret(key, Writer::Person, about))).collect(),
            watches: true,
            namespaces: vec![Namespace { name: "monitoring", pods: PodSecurity::Privileged, installs: false }],
            pages: pages! { { environment: Environment, version: u32 }
                Unlisted "infrastructure/environments/{environment}/platform/monitoring.tf",
            },
            ..Contribution::new("monitoring")
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Alerts {
    /// To a channel of Slack, by a webhook.
    Slack,
    /// To a service of PagerDuty.
    Pagerduty,
}
