//! Records in the zone, for the host names of what the cluster serves.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, Identity, Layer, Need, PodSecurity, Release, Statement},
    diagnostics::{Finding, Report},
    foundation::Environment,
    pages,
    source::{Located, value_or},
    words::{Domain, Hcl, Text},
};

/// Records in the zone, for the host names of what the cluster serves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalDns {
    /// On by itself where something needs it, if you do not say.
    enabled: Option<Located<bool>>,
    /// What becomes of a record that no host name asks for any more. `upsert-only`, if you do not say.
    policy: Option<Located<Policy>>,
    /// Added to the values of its Helm release.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    values: Option<toml::Table>,
}

/// What becomes of a record that no host name asks for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Policy {
    /// It stays: nothing is deleted but by a teardown.
    UpsertOnly,
    /// It is deleted, if it bears this environment's mark.
    Sync,
}

impl Component for ExternalDns {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Records
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        if environment.dns.is_none() && !report.excused("dns") {
            let at = self.enabled.as_ref().map(Located::span).unwrap_or_default();
            report.add(
                Finding::new("component/zone", "there is no zone to write records into")
                    .at(at, "this needs one")
                    .help("add `[dns]` with `zone = \"example.com\"`, or leave the component out"),
            );
        }
        let sync = &(value_or(&self.policy, Policy::UpsertOnly) == Policy::Sync);
        let zone = &environment.dns.as_ref().map(|dns| dns.zone.clone()).unwrap_or_default();
        let release = &Release {
            name: "external-dns",
            layer: Layer::Controllers,
            namespace: "external-dns",
            pods: PodSecurity::Restricted,
            url: Text::ours("https://kubernetes-sigs.github.io/external-dns/"),
            chart: "external-dns",
            version: environment.catalogue.chart("external-dns").to_owned(),
            values: self.values.clone().unwrap_or_default(),
        };
        Contribution {
            about: "writes the records of host names into the zone",
            reserved: &["external-dns"],
            identity: Some(Identity {
                role: "external-dns",
                namespace: "external-dns",
                service_account: "external-dns",
                statements: statements(),
            }),
            pages: pages! { { release: Release, environment: Environment, zone: Domain, sync: bool }
                Resource "kubernetes-manifest/clusters/{environment}/controllers/external-dns/release.yaml",
            },
            releases: vec![release.clone()],
            watched: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/external-dns.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/external-dns.yaml",
            },
            ..Contribution::new("external-dns")
        }
    }
}

/// Its own policy (kubernetes-sigs/external-dns@2bf1bf8a docs/tutorials/aws.md), kept to the one zone.
fn statements() -> Vec<Statement> {
    vec![
        Statement {
            sid: "Records",
            actions: &[
                "route53:ChangeResourceRecordSets",
                "route53:ListResourceRecordSets",
                "route53:ListTagsForResources",
            ],
            resources: vec![Hcl::code("local.zone_arn")],
            conditions: vec![],
        },
        Statement {
            sid: "FindTheZone",
            actions: &["route53:ListHostedZones"],
            resources: vec![Hcl::string("*")],
            conditions: vec![],
        },
    ]
}
