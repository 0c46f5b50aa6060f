//! The DNS zone of an environment, and the host names directly below it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    diagnostics::{Finding, Report},
    source::{Decided, Located, value_or},
    words::{Domain, Word, patterns::Spelled},
};

mod rights;

/// The DNS zone of the host names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The DNS zone of the host names, such as `shop.example.com`. The certificate covers it and its direct subdomains.
    #[schemars(required, with = "Option<Spelled<Domain>>")]
    pub zone: Option<Located<String>>,
    /// Who creates the hosted zone in Route 53.
    #[schemars(extend("default" = HostedZone::default()))]
    pub hosted_zone: Option<Located<HostedZone>>,
    /// The parent zone, if it is in the same account: Terraform writes the name servers of `zone` into it. Default: none, a
    /// person delegates the zone.
    #[schemars(with = "Option<Spelled<Domain>>")]
    pub parent_zone: Option<Located<String>>,
}

/// Who creates the hosted zone in Route 53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostedZone {
    /// Terraform creates it.
    #[default]
    Create,
    /// It already exists in the same account, and is looked up by its name.
    Existing,
}

/// The resolved DNS zone of an environment.
#[derive(Clone, Debug)]
pub struct Dns {
    /// The DNS zone of the host names.
    pub zone: Decided<Domain>,
    /// Who creates the hosted zone in Route 53.
    pub hosted_zone: HostedZone,
    /// The zone into which Terraform writes the name servers of `zone`. None if Terraform does not delegate it.
    pub parent: Option<Domain>,
}

/// The prefix of the TXT record that says who owns a record: `record_type`, then the name of that record.
///
/// It ends in a full stop, so that the TXT record for the zone's own name is inside the zone (external-dns v0.22.0,
/// docs/registry/txt.md). It never changes: external-dns would not recognize the records that it wrote.
pub fn ownership_prefix(record_type: &str) -> String {
    format!("external-dns-{record_type}.")
}

impl Dns {
    /// Reports a parent zone that has no effect, or that does not contain `zone`.
    pub fn resolve(spec: &Spec, report: &mut Report) -> Self {
        let zone: Decided<Domain> = report.read(spec.zone.as_ref());
        let hosted_zone = value_or(&spec.hosted_zone, HostedZone::default());
        let parent: Option<Domain> = spec.parent_zone.as_ref().and_then(|asked| report.try_read(asked));
        if let (Some(asked), Some(parent), Some(zone)) = (&spec.parent_zone, &parent, zone.valid()) {
            let finding = |title: String| Finding::new("dns/parent-zone", title);
            if hosted_zone == HostedZone::Existing {
                report.add(
                    finding("`parent-zone` has no effect on an existing zone".to_owned())
                        .at(asked.span(), "an existing zone is already delegated")
                        .help("remove it, or write `hosted-zone = \"create\"`"),
                );
            } else if !zone.inside(parent) {
                report.add(
                    finding(format!("`{zone}` is not a subdomain of `{parent}`"))
                        .at(asked.span(), "not a parent of `zone`")
                        .help("write the zone that contains `zone`"),
                );
            }
        }
        Self { zone, hosted_zone, parent }
    }

    /// Whether Terraform creates the hosted zone.
    pub fn creates(&self) -> bool {
        self.hosted_zone == HostedZone::Create
    }

    /// The full name of a host, which the blueprint gives as a label below the zone or as a full name. None if the certificate
    /// does not cover it.
    pub fn host(&self, asked: &Located<String>, report: &mut Report) -> Option<Domain> {
        let zone = self.zone.valid()?;
        let whole =
            if asked.contains('.') { asked.to_string() } else { format!("{}.{zone}", asked.as_str()) };
        let title = |what: &str| format!("`{}` {what}", asked.escape_debug());
        let host = Domain::read(&whole);
        let finding = match &host {
            None => Finding::new("application/host", title("is not a valid host name"))
                .at(asked.span(), "a label such as `shop`, or a full name of at most 64 characters"),
            Some(host) if host != zone && !host.inside(zone) => {
                Finding::new("application/host", title(&format!("is not in the zone `{zone}`")))
                    .at(asked.span(), "the zone cannot have a record for it")
                    .help(format!("write a label such as `shop`, for `shop.{zone}`"))
            }
            Some(host) if host.labels() > zone.labels() + 1 => {
                Finding::new("application/host", title(&format!("has too many labels for the zone `{zone}`")))
                    .at(asked.span(), format!("the certificate covers only `{zone}` and `*.{zone}`"))
                    .help("write one label, such as `shop`")
            }
            Some(_) => return host,
        };
        report.add(finding);
        None
    }
}
