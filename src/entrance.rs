//! How a load balancer leads into the cluster: by one host, for those who may connect. What answers behind it is decided elsewhere.

use ipnet::Ipv4Net;

use crate::{
    cidr::{self, Purpose},
    diagnostics::{Finding, Report},
    foundation::Environment,
    source::{Located, Span},
    words::Domain,
};

/// What a person asked for.
pub struct Asked<'a> {
    /// None if there is none, and also where it did not read.
    pub host: Option<&'a Located<String>>,
    /// Whether a host was asked for that did not read, which was reported.
    pub excused: bool,
    pub public: Option<&'a Located<bool>>,
    pub allowed_ranges: Option<&'a [Located<String>]>,
    /// Other keys that mean nothing without a host.
    pub others: Vec<(&'static str, Span)>,
}

/// What was decided.
#[derive(Clone, Debug)]
pub struct Entrance {
    pub host: Domain,
    /// Whether its load balancer has addresses of the internet.
    pub public: bool,
    /// Who may connect to the load balancer.
    pub ranges: Vec<Ipv4Net>,
}

/// None without a host. What only a host gives a meaning would be believed without one. `public` is what holds if nobody says so.
pub fn resolve(
    asked: &Asked,
    public: bool,
    environment: &Environment,
    report: &mut Report,
) -> Option<Entrance> {
    let ranges = asked.allowed_ranges.unwrap_or_default();
    let read: Vec<Option<Ipv4Net>> =
        ranges.iter().map(|range| cidr::read(range, Purpose::Entrance, report)).collect();
    let Some(host) = asked.host else {
        let keys = [
            ("public", asked.public.map(Located::span)),
            ("allowed-ranges", ranges.first().map(Located::span)),
        ];
        let keys = keys.into_iter().filter_map(|(key, span)| Some((key, span?)));
        for (key, span) in keys.chain(asked.others.clone()).filter(|_| !asked.excused) {
            report.add(
                Finding::new("application/exposure", format!("`{key}` belongs to a `host`"))
                    .at(span, "it has no effect here")
                    .help("leave it out, or add `host = \"LABEL\"`"),
            );
        }
        return None;
    };
    if environment.dns.is_none() && !report.excused(&["dns"]) {
        report.add(
            Finding::new("application/zone", "a host needs a zone")
                .at(host.span(), "no zone holds its record")
                .help("add `[dns]` with `zone = \"example.com\"`"),
        );
    }
    let public = asked.public.map_or(public, |asked| **asked);
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
