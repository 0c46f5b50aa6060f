//! How an application is reached from outside the cluster: by one host, through a load balancer of its own.

use ipnet::Ipv4Net;

use super::Spec;
use crate::{
    diagnostics::{Finding, Report},
    foundation::Environment,
    network::Zone,
    source::{Located, value_or},
    words::{Account, Domain, Label, Text, Word},
};

/// What its Ingress says.
#[derive(Clone, Debug)]
pub struct Exposure {
    pub host: Domain,
    /// Whether its load balancer has addresses of the internet.
    pub public: bool,
    /// Who may connect to the load balancer.
    ranges: Vec<Ipv4Net>,
    /// Who judges requests before they come in.
    pub web_acl: Option<WebAcl>,
}

/// Addresses that may connect: IPv4, as load balancers here have no other.
#[derive(Clone, Copy, Debug)]
struct SourceRange(Ipv4Net);

impl Word for SourceRange {
    const CODE: &'static str = "application/allowed-range";
    const WHAT: &'static str = "a range to let in";
    const RULE: &'static str = "without host bits, such as `198.51.100.0/24`, or `0.0.0.0/0` for everybody";

    fn read(word: &str) -> Option<Self> {
        let range: Ipv4Net = word.parse().ok()?;
        (range.trunc() == range).then_some(Self(range))
    }
}

/// Stands in for a range that does not read, which was reported: one of those kept for documentation.
impl Default for SourceRange {
    fn default() -> Self {
        Self(Ipv4Net::new_assert([192, 0, 2, 0].into(), 24))
    }
}

/// A web ACL of AWS WAF by ARN: regional, as load balancers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebAcl {
    pub arn: Text,
    region: String,
    account: String,
}

impl Word for WebAcl {
    const CODE: &'static str = "application/web-acl";
    const WHAT: &'static str = "the ARN of a regional web ACL";
    const RULE: &'static str = "such as `arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/NAME/ID`";

    fn read(word: &str) -> Option<Self> {
        let mut parts = word.strip_prefix("arn:aws:wafv2:")?.splitn(3, ':');
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (name, id) = resource.strip_prefix("regional/webacl/")?.split_once('/')?;
        let plain = |part: &str| {
            (1..=128).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        let fair = plain(region) && plain(name) && plain(id) && Account::read(account).is_some();
        fair.then(|| Self { arn: Text::ours(word), region: region.to_owned(), account: account.to_owned() })
    }
}

impl Exposure {
    /// None without a host. What only a host gives a meaning would be believed without one.
    pub fn resolve(
        name: &Located<String>,
        spec: &Spec,
        environment: &Environment,
        report: &mut Report,
    ) -> Option<Self> {
        let ranges: Vec<_> =
            spec.allowed_ranges.iter().flatten().map(|it| (it.span(), report.value(Some(it)))).collect();
        let Some(asked) = &spec.host else {
            if !report.excused(&["applications", name, "host"]) {
                let keys = [
                    ("public", spec.public.as_ref().map(Located::span)),
                    ("allowed-ranges", ranges.first().map(|(span, _)| span.clone())),
                    ("web-acl", spec.web_acl.as_ref().map(Located::span)),
                ];
                for (key, span) in keys.into_iter().filter_map(|(key, span)| Some((key, span?))) {
                    report.add(
                        Finding::new("application/exposure", format!("`{key}` belongs to a `host`"))
                            .at(span, "nothing is decided by it here")
                            .help("leave it out, or add `host = \"LABEL\"`"),
                    );
                }
            }
            return None;
        };
        let web_acl = spec.web_acl.as_ref().and_then(|asked| web_acl(asked, environment, report));
        let public = value_or(&spec.public, true);
        let mut ranges: Vec<Ipv4Net> = ranges.into_iter().map(|(_, SourceRange(range))| range).collect();
        if ranges.is_empty() && public {
            ranges.push(Ipv4Net::new_assert([0, 0, 0, 0].into(), 0));
        } else if ranges.is_empty() {
            ranges.push(environment.network.range);
            ranges.extend(environment.network.peers.iter().map(|peer| **peer));
        }
        Some(Self { host: host(asked, environment, report)?, public, ranges, web_acl })
    }

    /// As the load balancer controller names it.
    pub fn scheme(&self) -> &'static str {
        if self.public { "internet-facing" } else { "internal" }
    }

    /// Who may connect, as the controller lists them.
    pub fn ranges(&self) -> Text {
        let ranges: Vec<String> = self.ranges.iter().map(Ipv4Net::to_string).collect();
        Text::ours(ranges.join(","))
    }

    /// Whether everybody may connect.
    pub fn is_open(&self) -> bool {
        self.ranges.iter().any(|range| range.prefix_len() == 0)
    }

    /// Who it is for.
    pub fn audience(&self) -> Label {
        Label::ours(if self.public { "the internet" } else { "the VPC" })
    }

    /// The kind of subnets that the load balancer stands in.
    pub fn subnets(&self) -> Label {
        Label::ours(if self.public { "public" } else { "private" })
    }

    /// Where the load balancer stands in a zone.
    pub fn subnet(&self, zone: &Zone) -> Text {
        Text::ours(if self.public { zone.public } else { zone.private }.to_string())
    }
}

/// A host without a zone would have neither record nor certificate.
fn host(asked: &Located<String>, environment: &Environment, report: &mut Report) -> Option<Domain> {
    if environment.dns.is_none() && !report.excused(&["dns"]) {
        report.add(
            Finding::new("application/zone", "a host needs a zone")
                .at(asked.span(), "no zone holds its record")
                .help("add `[dns]` with `zone = \"example.com\"`"),
        );
    }
    environment.dns.as_ref()?.host(asked, report)
}

/// A load balancer takes a web ACL of its own region and account only.
fn web_acl(asked: &Located<String>, environment: &Environment, report: &mut Report) -> Option<WebAcl> {
    let acl: WebAcl = report.try_read(asked)?;
    let (region, account) = (environment.region.to_string(), environment.account.to_string());
    let known = !report.excused(&["aws"]) && environment.account.sound().is_some();
    if known && (acl.region != region || acl.account != account) {
        report.add(
            Finding::new("application/web-acl", format!("this web ACL is of account `{}` in `{}`", acl.account, acl.region))
                .at(asked.span(), format!("the load balancer is in `{account}`, in `{region}`"))
                .help("name one of the environment's own account and region, in its `[environments.NAME.applications]`"),
        );
    }
    Some(acl)
}
