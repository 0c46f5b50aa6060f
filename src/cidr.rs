//! IPv4 address ranges, and the rules for each purpose. Which ranges a platform has is decided elsewhere.

use ipnet::Ipv4Net;

use crate::{
    diagnostics::{Finding, Report},
    source::{Decided, Located},
};

/// What a range is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The range of a VPC, which AWS accepts from a /16 to a /28; below a /20 the subnets would be too small.
    Network,
    /// The addresses of another network.
    Peer,
    /// The range of Services, for which EKS accepts private ranges from a /12 to a /24.
    Services,
    /// A range that may connect to the Kubernetes API over the internet.
    Api,
    /// A range that may connect to a load balancer. `0.0.0.0/0` is all addresses.
    Entrance,
}

/// Why a valid range is refused: the code, what it cannot be, and the rule.
type Refusal = (&'static str, &'static str, &'static str);

/// None for an invalid range, and for one that is not allowed for its purpose. They have different findings.
pub fn read(asked: &Located<String>, purpose: Purpose, report: &mut Report) -> Option<Ipv4Net> {
    let malformed = |title: String| Finding::new("network/cidr", title);
    let finding = match asked.parse::<Ipv4Net>() {
        Err(_) => malformed(format!("`{}` is not a valid IPv4 range", asked.escape_debug()))
            .at(asked.span(), "an address and a prefix length, such as `198.51.100.0/24`"),
        Ok(range) if range.trunc() != range => malformed(format!("`{range}` has host bits"))
            .at(asked.span(), format!("the address has bits beyond its prefix of {}", range.prefix_len()))
            .help(format!("write `{}`", range.trunc())),
        Ok(range) => match refusal(range, purpose) {
            None => return Some(range),
            Some((code, what, rule)) => {
                Finding::new(code, format!("`{range}` is not allowed as {what}")).at(asked.span(), rule)
            }
        },
    };
    report.add(finding);
    None
}

/// The same, with a default.
pub fn read_or(
    asked: Option<&Located<String>>,
    purpose: Purpose,
    default: Ipv4Net,
    report: &mut Report,
) -> Decided<Ipv4Net> {
    let Some(asked) = asked else { return Decided::Default(default) };
    read(asked, purpose, report).map_or(Decided::Placeholder(default), Decided::Set)
}

fn refusal(range: Ipv4Net, purpose: Purpose) -> Option<Refusal> {
    let (first, length) = (range.network(), range.prefix_len());
    let local = first.is_loopback() || first.is_link_local() || first.octets()[0] == 0;
    let (takes, refusal): (bool, Refusal) = match purpose {
        Purpose::Network => (
            (16..=20).contains(&length) && !local && first.octets()[0] < 224,
            ("network/range", "the range of the network", "from a /16 to a /20, such as `10.20.0.0/16`"),
        ),
        Purpose::Peer => (
            length >= 8,
            ("network/peer", "the range of a peer", "from a /8 to a /32, such as `10.99.0.0/16`"),
        ),
        Purpose::Services => (
            (12..=24).contains(&length) && first.is_private(),
            (
                "cluster/service-range",
                "the range of Services",
                "private addresses, from a /12 to a /24, such as `172.20.0.0/16`",
            ),
        ),
        Purpose::Api => (
            length >= 8 && !local && !first.is_private() && !first.is_multicast(),
            (
                "cluster/public-range",
                "a range for the Kubernetes API",
                "public addresses, from a /8 to a /32, such as `198.51.100.0/24`",
            ),
        ),
        Purpose::Entrance => return None,
    };
    (!takes).then_some(refusal)
}
