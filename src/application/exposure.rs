//! How an application is reached from outside the cluster: by one host, through a load balancer of its own.

use ipnet::Ipv4Net;

use super::{PUBLIC, Spec};
use crate::{
    diagnostics::{Finding, Report},
    entrance::{self, Entrance, Settings},
    foundation::Environment,
    network::Zone,
    source::Located,
    words::{Account, Domain, Label, Text, Word},
};

/// The settings of its Ingress.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The full host name.
    pub host: Domain,
    /// Whether its load balancer has public addresses.
    pub public: bool,
    /// Who may connect to the load balancer.
    ranges: Vec<Ipv4Net>,
    /// The web ACL that filters requests.
    pub web_acl: Option<WebAcl>,
}

/// An AWS WAF web ACL by ARN: regional, as for all load balancers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebAcl {
    pub arn: Text,
    region: String,
    account: String,
}

impl Word for WebAcl {
    const CODE: &'static str = "application/web-acl";
    const WHAT: &'static str = "the ARN of a regional AWS WAF web ACL";
    const RULE: &'static str = "such as `arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/NAME/ID`";

    fn read(word: &str) -> Option<Self> {
        let mut parts = word.strip_prefix("arn:aws:wafv2:")?.splitn(3, ':');
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (name, id) = resource.strip_prefix("regional/webacl/")?.split_once('/')?;
        let plain = |part: &str| {
            (1..=128).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        let valid = plain(region) && plain(name) && plain(id) && Account::read(account).is_some();
        valid.then(|| Self { arn: Text::ours(word), region: region.to_owned(), account: account.to_owned() })
    }
}

impl Exposure {
    /// None without a host. Keys that have no effect without a host are refused, because a reader would rely on them.
    pub fn resolve(
        name: &Located<String>,
        spec: &Spec,
        environment: &Environment,
        report: &mut Report,
    ) -> Option<Self> {
        let settings = Settings {
            host: spec.host.as_ref(),
            already_reported: report.already_reported(&["applications", name, "host"]),
            public: spec.public.as_ref(),
            allowed_ranges: spec.allowed_ranges.as_deref(),
            others: spec.web_acl.iter().map(|acl| ("web-acl", acl.span())).collect(),
        };
        let acl = spec.web_acl.as_ref().filter(|_| spec.host.is_some());
        let web_acl = acl.and_then(|asked| web_acl(asked, environment, report));
        let Entrance { host, public, ranges } = entrance::resolve(&settings, PUBLIC, environment, report)?;
        Some(Self { host, public, ranges, web_acl })
    }

    /// The scheme, as the load balancer controller names it.
    pub fn scheme(&self) -> &'static str {
        if self.public { "internet-facing" } else { "internal" }
    }

    /// The ranges that may connect, in the syntax of the controller.
    pub fn ranges(&self) -> Text {
        let ranges: Vec<String> = self.ranges.iter().map(Ipv4Net::to_string).collect();
        Text::ours(ranges.join(","))
    }

    /// Whether all addresses may connect.
    pub fn is_open(&self) -> bool {
        self.ranges.iter().any(|range| range.prefix_len() == 0)
    }

    /// Its users, for the README.
    pub fn audience(&self) -> Label {
        Label::ours(if self.public { "the internet" } else { "the VPC" })
    }

    /// The kind of subnets of the load balancer.
    pub fn subnets(&self) -> Label {
        Label::ours(if self.public { "public" } else { "private" })
    }

    /// The subnet of the load balancer in a zone.
    pub fn subnet(&self, zone: &Zone) -> Text {
        Text::ours(if self.public { zone.public } else { zone.private }.to_string())
    }
}

/// A load balancer can only use a web ACL of its own region and account.
fn web_acl(asked: &Located<String>, environment: &Environment, report: &mut Report) -> Option<WebAcl> {
    let acl: WebAcl = report.try_read(asked)?;
    let (region, account) = (environment.region.to_string(), environment.account.to_string());
    let known = !report.already_reported(&["aws"]) && environment.account.valid().is_some();
    if known && (acl.region != region || acl.account != account) {
        report.add(
            Finding::new("application/web-acl", format!("this web ACL belongs to account `{}` and region `{}`", acl.account, acl.region))
                .at(asked.span(), format!("the load balancer is in account `{account}`, region `{region}`"))
                .help("use a web ACL in the account and region of the environment, in `[environments.NAME.applications]`"),
        );
    }
    Some(acl)
}
