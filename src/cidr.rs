//! Ranges of IPv4 addresses, and what each of them may be used for. Which addresses a platform has is decided elsewhere.

use ipnet::Ipv4Net;

use crate::{
    diagnostics::{Finding, Report},
    source::{Decided, Located},
};

/// What a range is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The addresses of a VPC, which AWS takes from a /16 to a /28; below a /20 the subnets would be too small.
    Network,
    /// The addresses of another network.
    Peer,
    /// The addresses of Services, which EKS takes from private ranges, from a /12 to a /24.
    Services,
    /// Who may reach the Kubernetes API over the internet.
    Api,
    /// Who may connect to a load balancer. `0.0.0.0/0` is everybody.
    Entrance,
}

/// Why a range that reads is refused: the code, what it cannot be, and what can.
type Refusal = (&'static str, &'static str, &'static str);

/// None for what is no range, and for one that its purpose refuses: two mistakes, each reported as what it is.
pub fn read(asked: &Located<String>, purpose: Purpose, report: &mut Report) -> Option<Ipv4Net> {
    let malformed = |title: String| Finding::new("network/cidr", title);
    let finding = match asked.parse::<Ipv4Net>() {
        Err(_) => malformed(format!("`{}` is not a range of IPv4 addresses", asked.escape_debug()))
            .at(asked.span(), "an address and the length of its prefix, such as `198.51.100.0/24`"),
        Ok(range) if range.trunc() != range => malformed(format!("`{range}` has host bits"))
            .at(asked.span(), format!("its prefix has {} bits, and the address has more", range.prefix_len()))
            .help(format!("write `{}`", range.trunc())),
        Ok(range) => match refusal(range, purpose) {
            None => return Some(range),
            Some((code, what, rule)) => {
                Finding::new(code, format!("`{range}` cannot be {what}")).at(asked.span(), rule)
            }
        },
    };
    report.add(finding);
    None
}

/// The same, where there is a default.
pub fn read_or(
    asked: Option<&Located<String>>,
    purpose: Purpose,
    default: Ipv4Net,
    report: &mut Report,
) -> Decided<Ipv4Net> {
    let Some(asked) = asked else { return Decided::Default(default) };
    read(asked, purpose, report).map_or(Decided::Unsound(default), Decided::Said)
}

fn refusal(range: Ipv4Net, purpose: Purpose) -> Option<Refusal> {
    let (first, length) = (range.network(), range.prefix_len());
    let local = first.is_loopback() || first.is_link_local() || first.octets()[0] == 0;
    let (takes, refusal): (bool, Refusal) = match purpose {
        Purpose::Network => (
            (16..=20).contains(&length) && !local && first.octets()[0] < 224,
            ("network/range", "the range of a network", "from a /16 to a /20, such as `10.20.0.0/16`"),
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
                "private, from a /12 to a /24, such as `172.20.0.0/16`",
            ),
        ),
        Purpose::Api => (
            length >= 8 && !local && !first.is_private() && !first.is_multicast(),
            (
                "cluster/public-range",
                "a range that reaches the Kubernetes API",
                "public, from a /8 to a /32, such as `198.51.100.0/24`: never everybody",
            ),
        ),
        Purpose::Entrance => return None,
    };
    (!takes).then_some(refusal)
}
