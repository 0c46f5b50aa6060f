//! The names under which the platform is found: its zone, and what is right inside it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    diagnostics::{Finding, Report},
    source::{Decided, Located, value_or},
    words::{Domain, Word},
};

mod rights;

/// The names under which the platform is found.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The zone that host names lie in, such as `shop.example.com`. The certificate is for it and for `*.` of it.
    #[schemars(required)]
    pub zone: Option<Located<String>>,
    /// Who makes the zone in Route 53. `create`, if you do not say.
    pub hosted_zone: Option<Located<HostedZone>>,
    /// The zone above, if it lies in the same account: the name servers of `zone` are written there.
    pub parent_zone: Option<Located<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostedZone {
    /// Terraform makes it.
    Create,
    /// It is there already, in the same account, and is found by its name.
    Existing,
}

#[derive(Clone, Debug)]
pub struct Dns {
    pub zone: Decided<Domain>,
    pub hosted_zone: HostedZone,
    pub parent: Option<Domain>,
}

/// What the name of the TXT record that says who owns a record begins with: `record_type`, then the name of that record.
///
/// It ends in a full stop, so that the one for the zone's own name lies inside the zone (external-dns v0.22.0,
/// docs/registry/txt.md). It never changes: external-dns would no longer know the records that it wrote.
pub fn ownership_prefix(record_type: &str) -> String {
    format!("external-dns-{record_type}.")
}

impl Dns {
    pub fn resolve(spec: &Spec, report: &mut Report) -> Self {
        let zone: Decided<Domain> = report.read(spec.zone.as_ref());
        let hosted_zone = value_or(&spec.hosted_zone, HostedZone::Create);
        let parent: Option<Domain> = spec.parent_zone.as_ref().and_then(|asked| report.try_read(asked));
        if let (Some(asked), Some(parent), Some(zone)) = (&spec.parent_zone, &parent, zone.sound()) {
            let finding = |title: String| Finding::new("dns/parent-zone", title);
            if hosted_zone == HostedZone::Existing {
                report.add(
                    finding("an existing zone is delegated already".to_owned())
                        .at(asked.span(), "nothing is decided by it here")
                        .help("leave it out, or let the zone be made"),
                );
            } else if !zone.inside(parent) {
                report.add(
                    finding(format!("`{zone}` does not lie in `{parent}`"))
                        .at(asked.span(), "not a zone above it")
                        .help("name the zone of which `zone` is a part"),
                );
            }
        }
        Self { zone, hosted_zone, parent }
    }

    pub fn creates(&self) -> bool {
        self.hosted_zone == HostedZone::Create
    }

    /// A host as it was typed: a label below the zone, or a whole name. None if it is not one that the certificate is for.
    pub fn host(&self, asked: &Located<String>, report: &mut Report) -> Option<Domain> {
        let zone = self.zone.sound()?;
        let whole =
            if asked.contains('.') { asked.to_string() } else { format!("{}.{zone}", asked.as_str()) };
        let title = |what: &str| format!("`{}` {what}", asked.escape_debug());
        let host = Domain::read(&whole);
        let finding = match &host {
            None => Finding::new("application/host", title("is not the name of a host"))
                .at(asked.span(), "a label such as `shop`, or a whole name of at most 64 characters"),
            Some(host) if host != zone && !host.inside(zone) => {
                Finding::new("application/host", title(&format!("does not lie in `{zone}`")))
                    .at(asked.span(), "nobody would find it")
                    .help(format!("write a label such as `shop`, for `shop.{zone}`"))
            }
            Some(host) if host.labels() > zone.labels() + 1 => {
                Finding::new("application/host", title(&format!("lies too deep in `{zone}`")))
                    .at(asked.span(), format!("the certificate is for `{zone}` and `*.{zone}`"))
                    .help("write one label, such as `shop`")
            }
            Some(_) => return host,
        };
        report.add(finding);
        None
    }
}
