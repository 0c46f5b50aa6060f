//! CloudWatch metrics of the database, certificates and load balancers, for the monitoring of the cluster.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Condition, Contribution, Identity, Namespace, Need, PodSecurity, Statement},
    database::Database,
    diagnostics::{Finding, Report},
    foundation::Environment,
    layer::Layer,
    page::Page,
    pages,
    source::{Located, Span},
    words::{Bareword, Hcl},
};

/// CloudWatch metrics of the database, certificates and load balancers, for the monitoring of the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CloudwatchExporter {
    /// Whether the component is enabled. Default: it is if monitoring is enabled and there is a database or a zone.
    enabled: Option<Located<bool>>,
}

const IMAGE: &str = "quay.io/prometheuscommunity/yet-another-cloudwatch-exporter";

impl Component for CloudwatchExporter {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::CloudMetrics
    }

    fn layers(&self) -> &'static [&'static Layer] {
        &[Layer::MONITORING]
    }

    fn examine(&self, place: &Span, environment: &Environment, report: &mut Report) {
        let nothing = environment.database.is_none() && environment.dns.is_none();
        if nothing && !report.already_reported(&["dns"]) && !report.already_reported(&["applications"]) {
            report.add(
                Finding::new("component/metrics", "`cloudwatch-exporter` has nothing to export")
                    .at(
                        place.clone(),
                        "it exports metrics of a database, or of a zone's certificate and load balancers",
                    )
                    .help(
                        "remove the component: it is enabled automatically if there is a database or a zone",
                    ),
            );
        }
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let image = &environment.catalogue.image(IMAGE);
        let digest = &image.contains('@');
        let pages = pages! { { environment: Environment }
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/cloudwatch-exporter/config.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/cloudwatch-exporter/limits.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/cloudwatch-exporter/network-policies.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/cloudwatch-exporter/service-account.yaml",
        };
        let checksum = &pages[0].checksum();
        let deployment = pages! { { environment: Environment, image: Bareword, digest: bool, checksum: String }
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/cloudwatch-exporter/deployment.yaml",
        };
        Contribution {
            about: "exports CloudWatch metrics of AWS services to Prometheus",
            namespaces: vec![Namespace {
                name: "cloudwatch-exporter",
                pods: PodSecurity::Restricted,
                installs: false,
            }],
            identity: Some(Identity {
                role: "cloudwatch-exporter",
                namespace: "cloudwatch-exporter",
                service_account: "cloudwatch-exporter",
                statements: statements(),
            }),
            pages: pages.into_iter().chain(deployment).collect(),
            monitoring: monitoring(environment),
            ..Contribution::new("cloudwatch-exporter")
        }
    }
}

fn monitoring(environment: &Environment) -> Vec<Page> {
    let mut pages = pages! { { environment: Environment }
        Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/cloudwatch-exporter.yaml",
    };
    if let Some(database) = &environment.database {
        pages.extend(pages! { { environment: Environment, database: Database }
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/dashboards/database.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/database.yaml",
        });
    }
    if environment.dns.is_some() {
        pages.extend(pages! { { environment: Environment }
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/certificates.yaml",
            Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/load-balancers.yaml",
        });
    }
    pages
}

/// The actions that it needs (prometheus-community/yet-another-cloudwatch-exporter@036adb88 README.md). They support no
/// resources, so they are limited to the region.
fn statements() -> Vec<Statement> {
    vec![Statement {
        sid: "ReadMetrics",
        actions: &[
            "cloudwatch:GetMetricData",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:ListMetrics",
            "tag:GetResources",
        ],
        resources: vec![Hcl::string("*")],
        conditions: vec![Condition {
            test: "StringEquals",
            key: Hcl::string("aws:RequestedRegion"),
            value: Hcl::code("local.region"),
        }],
    }]
}
