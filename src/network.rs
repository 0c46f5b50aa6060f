//! Cuts one address range into subnets for each zone. It knows nothing of what is put into them.

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::Region,
    diagnostics::{Finding, Report},
    source::{Located, value_or},
    words::{Text, Word},
};

/// The addresses of an environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The range of the network: from a /16 to a /20. `10.0.0.0/16`, if you do not say.
    pub range: Option<Located<String>>,
    /// In how many zones it lies. 3, or as many as the region has, if you do not say.
    #[schemars(range(min = 2, max = 4))]
    pub zones: Option<Located<u32>>,
    /// How private subnets reach the internet. `per-zone`, if you do not say.
    pub nat: Option<Located<Nat>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// A gateway in each zone: the loss of one zone leaves the others reachable.
    PerZone,
    /// One gateway for all zones: cheaper, and the loss of its zone cuts all of them off.
    Single,
}

#[derive(Clone, Debug)]
pub struct Network {
    pub range: Ipv4Net,
    pub zones: Vec<Zone>,
    pub nat: Nat,
}

/// A place by its id, and its subnets.
#[derive(Clone, Debug)]
pub struct Zone {
    pub id: String,
    /// For nodes and pods: an eighth of the range.
    pub private: Ipv4Net,
    /// For load balancers and NAT gateways: a sixty-fourth of the range.
    pub public: Ipv4Net,
}

/// A range as it was typed: canonical, and neither too small nor too large for a VPC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range(pub Ipv4Net);

impl Word for Range {
    const CODE: &'static str = "network/range";
    const WHAT: &'static str = "a range that can be carved";
    const RULE: &'static str = "from a /16 to a /20, without host bits, such as `10.20.0.0/16`";

    fn read(word: &str) -> Option<Self> {
        let range: Ipv4Net = word.parse().ok()?;
        let fair = (16..=20).contains(&range.prefix_len()) && range.trunc() == range && unicast(range);
        fair.then_some(Self(range))
    }
}

/// Addresses that a VPC may have: not loopback, link-local, multicast or reserved.
fn unicast(range: Ipv4Net) -> bool {
    let first = range.network();
    !(first.is_loopback() || first.is_link_local() || first.octets()[0] == 0 || first.octets()[0] >= 224)
}

impl Default for Range {
    fn default() -> Self {
        Self(Ipv4Net::new_assert([10, 0, 0, 0].into(), 16))
    }
}

impl Network {
    /// Without a region, which was reported, nobody knows how many zones there are.
    pub fn resolve(spec: Option<&Spec>, region: Option<&Region>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let Range(range) = report.read(spec.range.as_ref());
        let (unknown, region) = (region.is_none(), &region.cloned().unwrap_or_default());
        let known = region.zones().len();
        let count = value_or(&spec.zones, known.min(3) as u32) as usize;
        if let Some(zones) = spec.zones.filter(|_| count > known && !unknown) {
            report.add(
                Finding::new("network/zones", format!("`{region}` has no {count} zones for a cluster"))
                    .at(zones.span(), format!("{known} are known"))
                    .help(format!("write {known} or fewer")),
            );
        }
        Self {
            range,
            zones: carve(range, &region.zones()[..count.min(known)]),
            nat: value_or(&spec.nat, Nat::PerZone),
        }
    }

    /// How many NAT gateways there are.
    pub fn gateways(&self) -> usize {
        match self.nat {
            Nat::PerZone => self.zones.len(),
            Nat::Single => 1,
        }
    }

    /// The public ranges, as a person lists them.
    pub fn public(&self) -> Text {
        list(self.zones.iter().map(|zone| zone.public))
    }

    /// The private ranges, as a person lists them.
    pub fn private(&self) -> Text {
        list(self.zones.iter().map(|zone| zone.private))
    }
}

fn list(ranges: impl Iterator<Item = Ipv4Net>) -> Text {
    let ranges: Vec<String> = ranges.map(|range| range.to_string()).collect();
    Text::ours(ranges.join(", "))
}

/// The first half is for private subnets, of up to four zones. The fifth eighth begins with the public
/// ones; its second half is kept for databases. The last three eighths stay free: nothing that is added
/// later moves what is there.
fn carve(range: Ipv4Net, zones: &[String]) -> Vec<Zone> {
    let cut = |bits: u8, first: usize| {
        let subnets = range.subnets(range.prefix_len() + bits).expect("a /20 has room for 6 more bits");
        subnets.skip(first)
    };
    let subnets = cut(3, 0).zip(cut(6, 32));
    let zone = |(id, (private, public)): (&String, _)| Zone { id: id.clone(), private, public };
    zones.iter().zip(subnets).map(zone).collect()
}
