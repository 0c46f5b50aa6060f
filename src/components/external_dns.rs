//! DNS records in the zone for the host names that the cluster serves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Component;
use crate::{
    contribution::{Contribution, HelmRelease, Identity, Need, PodSecurity, Statement},
    diagnostics::{Finding, Report},
    dns,
    foundation::Environment,
    layer::Layer,
    pages,
    source::{Located, Span, value_or},
    words::{Domain, Hcl, Text},
};

/// DNS records in the zone for the host names that the cluster serves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalDns {
    /// Whether the component is enabled. Default: it is if something needs it.
    enabled: Option<Located<bool>>,
    /// What happens to a record that no host name needs any more.
    #[schemars(extend("default" = RecordPolicy::default()))]
    policy: Option<Located<RecordPolicy>>,
    /// Values for its Helm release, merged over those of the platform.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>", extend("default" = {}))]
    values: Option<toml::Table>,
}

/// What happens to a record that no host name needs any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum RecordPolicy {
    /// It stays until a teardown.
    #[default]
    UpsertOnly,
    /// It is deleted, if this environment created it.
    Sync,
}

impl Component for ExternalDns {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Records
    }

    fn examine(&self, place: &Span, environment: &Environment, report: &mut Report) {
        if environment.dns.is_none() && !report.already_reported(&["dns"]) {
            report.add(
                Finding::new("component/zone", "`external-dns` needs a DNS zone")
                    .at(place.clone(), "there is no zone for records")
                    .help("add `[dns]` with `zone = \"example.com\"`, or remove the component"),
            );
        }
    }

    fn contribute(&self, environment: &Environment, _: &mut Report) -> Contribution {
        let sync = &(value_or(&self.policy, RecordPolicy::default()) == RecordPolicy::Sync);
        let own = environment.dns.as_ref().map(|dns| dns.zone.clone().value());
        let zones = &Zones { own: own.unwrap_or_default() };
        let release = &HelmRelease {
            name: "external-dns",
            source: "external-dns",
            layer: Layer::CONTROLLERS,
            namespace: "external-dns",
            pods: PodSecurity::Restricted,
            url: Text::ours("https://kubernetes-sigs.github.io/external-dns/"),
            chart: "external-dns",
            version: environment.catalogue.chart("external-dns").to_owned(),
            values: self.values.clone().unwrap_or_default(),
        };
        Contribution {
            about: "manages the DNS records of host names in the Route 53 zone",
            identity: Some(Identity {
                role: "external-dns",
                namespace: "external-dns",
                service_account: "external-dns",
                statements: zones.statements(),
            }),
            pages: pages! { { release: HelmRelease, environment: Environment, zones: Zones, sync: bool }
                Resource "kubernetes-manifest/clusters/{environment}/controllers/external-dns/release.yaml",
            },
            releases: vec![release.clone()],
            monitoring: pages! { { environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/monitors/external-dns.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/monitoring/rules/external-dns.yaml",
            },
            ..Contribution::new("external-dns")
        }
    }
}

/// The hosted zones that external-dns works on: for its filter, and for its role.
///
/// The filter is a domain, because AWS chooses the id of a zone. external-dns compares it with the end of a name, for zones and
/// for records, so it matches a zone below ours like a host in ours; no other filter by name distinguishes them. It then reads
/// every zone that matches, and if one read is denied it writes nothing (external-dns v0.22.0: `matchFilter` in
/// endpoint/domain_filter.go, `zones` and `records` in provider/aws/aws.go). So the role may read all zones that the filter may
/// match, but write only into ours.
struct Zones {
    own: Domain,
}

impl Zones {
    fn filter(&self) -> &Domain {
        &self.own
    }

    fn ownership_prefix(&self) -> Text {
        Text::ours(dns::ownership_prefix("%{record_type}"))
    }

    /// From its own policy (external-dns v0.22.0, docs/tutorials/aws.md), without `route53:ListTagsForResources`, which only
    /// `aws-zone-tags` needs.
    fn statements(&self) -> Vec<Statement> {
        let statement = |sid, actions, resource| Statement {
            sid,
            actions,
            resources: vec![resource],
            conditions: vec![],
        };
        vec![
            statement("ListZones", &["route53:ListHostedZones"], Hcl::string("*")),
            statement(
                "ReadZones",
                &["route53:ListResourceRecordSets"],
                Hcl::string("arn:aws:route53:::hostedzone/*"),
            ),
            statement("WriteZone", &["route53:ChangeResourceRecordSets"], Hcl::code("local.zone_arn")),
        ]
    }
}
