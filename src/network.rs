//! Cuts one address range into subnets for each zone. It knows nothing of what is put into them.

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::Region,
    cidr::{self, Purpose},
    diagnostics::{Finding, Report},
    source::{Located, value_or},
    words::{Label, Text},
};

mod rights;

pub(crate) use rights::{Made, log_groups, made, security_groups};

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
    /// Services of AWS that the private subnets reach without the NAT gateways. None but S3, which costs nothing, if you do
    /// not say: each of these is paid for by the hour in each zone, and by the gigabyte.
    pub endpoints: Option<Vec<Located<Endpoint>>>,
    /// Ranges that the network is or will be joined with: nothing here may overlap them.
    pub peers: Option<Vec<Located<String>>>,
}

/// A service of AWS, reached inside the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// For cluster-autoscaler.
    Autoscaling,
    /// For the CNI, EBS CSI and the load balancer controller.
    Ec2,
    /// For images out of ECR: what names them.
    EcrApi,
    /// For images out of ECR: what they consist of, beside S3.
    EcrDkr,
    /// For nodes that join.
    Eks,
    /// For EKS Pod Identity.
    EksAuth,
    /// For the load balancer controller.
    Elasticloadbalancing,
    /// For what encrypts.
    Kms,
    /// For logs.
    Logs,
    /// For External Secrets, and for Session Manager.
    Ssm,
    /// For Session Manager: the way to the cluster.
    Ssmmessages,
    /// For roles of service accounts.
    Sts,
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
    pub endpoints: Vec<Endpoint>,
    /// Each where it was written.
    pub peers: Vec<Located<Ipv4Net>>,
}

/// A place by its id, and its subnets.
#[derive(Clone, Debug)]
pub struct Zone {
    pub id: String,
    /// For nodes and pods: an eighth of the range.
    pub private: Ipv4Net,
    /// For load balancers and NAT gateways: a sixty-fourth of the range.
    pub public: Ipv4Net,
    /// For databases: a sixty-fourth of the range.
    pub database: Ipv4Net,
}

/// What a network has where nobody says otherwise: 10.0.0.0/16.
fn usual_range() -> Ipv4Net {
    Ipv4Net::new_assert([10, 0, 0, 0].into(), 16)
}

impl Network {
    /// Without a region, which was reported, nobody knows how many zones there are.
    pub fn resolve(spec: Option<&Spec>, region: Option<&Region>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let range = cidr::read_or(spec.range.as_ref(), Purpose::Network, usual_range(), report);
        let sound = range.sound().is_some() && !report.excused(&["network", "range"]);
        let range = range.value();
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
        let peers = peers(spec.peers.as_deref(), Some(range).filter(|_| sound), report);
        let mut endpoints: Vec<Endpoint> = spec.endpoints.iter().flatten().map(|it| **it).collect();
        endpoints.sort();
        endpoints.dedup();
        Self {
            endpoints,
            peers,
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
    pub fn public(&self) -> Label {
        list(self.zones.iter().map(|zone| zone.public))
    }

    /// The ranges for databases, as a person lists them.
    pub fn databases(&self) -> Label {
        list(self.zones.iter().map(|zone| zone.database))
    }

    /// What is no part of the internet: private addresses (RFC 1918, RFC 6598), a node's own (RFC 3927), and whatever else this
    /// network and its peers have.
    pub fn inside(&self) -> Vec<Text> {
        let private = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];
        let private = private.map(|it| it.parse::<Ipv4Net>().expect("ranges of ours read"));
        let own = self.peers.iter().map(|peer| **peer).chain([self.range]);
        let own = own.filter(|it| !private.iter().any(|known| known.contains(it)));
        let mut all: Vec<Ipv4Net> = private.into_iter().chain(own).collect();
        all.sort();
        all.into_iter().map(|it| Text::ours(it.to_string())).collect()
    }

    /// The private ranges, as a person lists them.
    pub fn private(&self) -> Label {
        list(self.zones.iter().map(|zone| zone.private))
    }
}

impl Endpoint {
    /// What follows the region in the name of the service.
    pub fn service(self) -> &'static str {
        match self {
            Self::Autoscaling => "autoscaling",
            Self::Ec2 => "ec2",
            Self::EcrApi => "ecr.api",
            Self::EcrDkr => "ecr.dkr",
            Self::Eks => "eks",
            Self::EksAuth => "eks-auth",
            Self::Elasticloadbalancing => "elasticloadbalancing",
            Self::Kms => "kms",
            Self::Logs => "logs",
            Self::Ssm => "ssm",
            Self::Ssmmessages => "ssmmessages",
            Self::Sts => "sts",
        }
    }
}

fn peers(
    asked: Option<&[Located<String>]>,
    own: Option<Ipv4Net>,
    report: &mut Report,
) -> Vec<Located<Ipv4Net>> {
    let mut read = |asked: &Located<String>| {
        let peer = cidr::read(asked, Purpose::Peer, report)?;
        if let Some(range) = own.filter(|range| peer.contains(range) || range.contains(&peer)) {
            report.add(
                Finding::new(
                    "network/overlap",
                    format!("the network and a peer share addresses: `{range}` and `{peer}`"),
                )
                .at(asked.span(), "no packet would know where to go")
                .help("give `network.range` addresses of its own"),
            );
        }
        Some(Located::new(asked.span(), peer))
    };
    asked.unwrap_or_default().iter().filter_map(&mut read).collect()
}

fn list(ranges: impl Iterator<Item = Ipv4Net>) -> Label {
    Label::list(", ", ranges)
}

/// The first half is for private subnets, of up to four zones. The fifth eighth begins with the public
/// ones; its second half is for databases. The last three eighths stay free: nothing that is added
/// later moves what is there.
fn carve(range: Ipv4Net, zones: &[String]) -> Vec<Zone> {
    let cut = |bits: u8, first: usize| {
        let subnets = range.subnets(range.prefix_len() + bits).expect("a /20 has room for 6 more bits");
        subnets.skip(first)
    };
    let subnets = cut(3, 0).zip(cut(6, 32)).zip(cut(6, 36));
    let zone = |(id, ((private, public), database)): (&String, _)| Zone {
        id: id.clone(),
        private,
        public,
        database,
    };
    zones.iter().zip(subnets).map(zone).collect()
}
