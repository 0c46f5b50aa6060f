//! Records in the zone, for the host names of what the cluster serves.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    contribution::{Contribution, Identity, Need, Statement},
    diagnostics::{Finding, Report},
    foundation::Environment,
    source::Located,
    words::Hcl,
};

/// Records in the zone, for the host names of what the cluster serves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExternalDns {
    /// On by itself where something needs it, if you do not say.
    enabled: Option<Located<bool>>,
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
        Contribution {
            about: "writes the records of host names into the zone",
            reserved: &["external-dns"],
            identity: Some(Identity {
                role: "external-dns",
                namespace: "external-dns",
                service_account: "external-dns",
                statements: statements(),
            }),
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
