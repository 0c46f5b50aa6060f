//! A load balancer for one host, and who may connect to it. Its target is decided elsewhere.

use ipnet::Ipv4Net;

use crate::{
    cidr::{self, Purpose},
    diagnostics::{Finding, Report},
    foundation::Environment,
    source::{Located, Span},
    words::Domain,
};

/// The keys in the blueprint.
pub struct Settings<'a> {
    /// None if it is missing or invalid.
    pub host: Option<&'a Located<String>>,
    /// Whether the host is invalid, which was reported.
    pub already_reported: bool,
    /// The key `public`. None if it is not set.
    pub public: Option<&'a Located<bool>>,
    /// The key `allowed-ranges`. None if it is not set.
    pub allowed_ranges: Option<&'a [Located<String>]>,
    /// Other keys that have no effect without a host.
    pub others: Vec<(&'static str, Span)>,
}

/// The resolved settings.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The full host name.
    pub host: Domain,
    /// Whether its load balancer has public addresses.
    pub public: bool,
    /// The ranges that may connect to the load balancer.
    pub ranges: Vec<Ipv4Net>,
}

/// None without a host. Keys that have no effect without a host are refused, because a reader would rely on them. `public` is the
/// default of this key.
pub fn resolve(
    settings: &Settings,
    public: bool,
    environment: &Environment,
    report: &mut Report,
) -> Option<Entrance> {
    let ranges = settings.allowed_ranges.unwrap_or_default();
    let read: Vec<Option<Ipv4Net>> =
        ranges.iter().map(|range| cidr::read(range, Purpose::Entrance, report)).collect();
    let Some(host) = settings.host else {
        let keys = [
            ("public", settings.public.map(Located::span)),
            ("allowed-ranges", ranges.first().map(Located::span)),
        ];
        let keys = keys.into_iter().filter_map(|(key, span)| Some((key, span?)));
        for (key, span) in keys.chain(settings.others.clone()).filter(|_| !settings.already_reported) {
            report.add(
                Finding::new("application/exposure", format!("`{key}` has no effect without a `host`"))
                    .at(span, "there is no `host`")
                    .help("remove it, or add `host = \"LABEL\"`"),
            );
        }
        return None;
    };
    if environment.dns.is_none() && !report.already_reported(&["dns"]) {
        report.add(
            Finding::new("application/zone", "`host` needs a DNS zone")
                .at(host.span(), "there is no zone for its record")
                .help("add `[dns]` with `zone = \"example.com\"`"),
        );
    }
    let public = settings.public.map_or(public, |asked| **asked);
    let mut ranges: Vec<Ipv4Net> = read.into_iter().flatten().collect();
    if ranges.is_empty() && public {
        ranges.push(Ipv4Net::default());
    } else if ranges.is_empty() {
        ranges.push(environment.network.range);
        ranges.extend(environment.network.peers.iter().map(|peer| **peer));
    }
    let host = environment.dns.as_ref()?.host(host, report)?;
    Some(Entrance { host, public, ranges })
}
