//! Divides one address range into subnets for each zone. What uses the subnets is decided elsewhere.

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::Region,
    cidr::{self, Purpose},
    diagnostics::{Finding, Report},
    source::{Located, value_or},
    words::{Label, Text},
};

mod rights;

pub(crate) use rights::{Made, log_groups, made, security_groups};

/// The VPC of an environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The address range of the VPC, from a /16 to a /20. Fixed after the first apply: another range would replace the VPC and
    /// everything in it.
    // Source: hashicorp/terraform-provider-aws@00081ce41cc6 internal/service/ec2/vpc_.go: `cidr_block` has `ForceNew`.
    #[schemars(extend("default" = default_range().to_string()))]
    pub range: Option<Located<String>>,
    /// The number of availability zones. Default: 3, or all zones of a region that has fewer.
    #[schemars(range(min = 2, max = 4))]
    pub zones: Option<Located<u32>>,
    /// How private subnets reach the internet.
    #[schemars(extend("default" = Nat::default()))]
    pub nat: Option<Located<Nat>>,
    /// AWS services that the private subnets reach through interface endpoints instead of the NAT gateways. Each endpoint costs
    /// money per hour in each zone, and per gigabyte. S3 always has an endpoint, which is free of charge.
    #[schemars(extend("default" = []))]
    pub endpoints: Option<Vec<Located<InterfaceEndpoint>>>,
    /// The address ranges of networks that are or will be connected to this one. They must not overlap with `range`.
    #[schemars(extend("default" = [], "examples" = [["10.99.0.0/16"]]))]
    pub peers: Option<Vec<Located<String>>>,
}

/// An AWS service that is reached through an interface endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceEndpoint {
    /// For cluster-autoscaler.
    Autoscaling,
    /// For the CNI, EBS CSI and the load balancer controller.
    Ec2,
    /// For images from ECR: the API.
    EcrApi,
    /// For images from ECR: the registry. The layers come from S3.
    EcrDkr,
    /// For nodes that join the cluster.
    Eks,
    /// For EKS Pod Identity.
    EksAuth,
    /// For the load balancer controller.
    Elasticloadbalancing,
    /// For encryption keys.
    Kms,
    /// For CloudWatch Logs.
    Logs,
    /// For External Secrets and Session Manager.
    Ssm,
    /// For Session Manager, which tunnels to the cluster.
    Ssmmessages,
    /// For IAM roles for service accounts.
    Sts,
}

/// How private subnets reach the internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// A gateway in each zone: if one zone fails, the others keep their connection.
    #[default]
    PerZone,
    /// One gateway for all zones: cheaper, but if its zone fails, all zones lose their connection.
    Single,
}

/// The resolved VPC of an environment.
#[derive(Clone, Debug)]
pub struct Network {
    /// The address range of the VPC, from a /16 to a /20.
    pub range: Ipv4Net,
    /// The availability zones, two to four.
    pub zones: Vec<Zone>,
    /// How private subnets reach the internet.
    pub nat: Nat,
    /// The interface endpoints, sorted and without duplicates.
    pub endpoints: Vec<InterfaceEndpoint>,
    /// Each with its position in the blueprint.
    pub peers: Vec<Located<Ipv4Net>>,
}

/// An availability zone by its id, and its subnets.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The zone id, such as `euw1-az1`. Unlike a zone name, it is the same zone in every account.
    pub id: String,
    /// For nodes and pods: an eighth of the range.
    pub private: Ipv4Net,
    /// For load balancers and NAT gateways: a sixty-fourth of the range.
    pub public: Ipv4Net,
    /// For databases: a sixty-fourth of the range.
    pub database: Ipv4Net,
}

/// 10.0.0.0/16.
fn default_range() -> Ipv4Net {
    Ipv4Net::new_assert([10, 0, 0, 0].into(), 16)
}

impl Network {
    /// Without a region, which was reported, the number of zones is unknown.
    pub fn resolve(spec: Option<&Spec>, region: Option<&Region>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let range = cidr::read_or(spec.range.as_ref(), Purpose::Network, default_range(), report);
        let valid = range.valid().is_some() && !report.already_reported(&["network", "range"]);
        let range = range.value();
        let (unknown, region) = (region.is_none(), &region.cloned().unwrap_or_default());
        let known = region.zones().len();
        let count = value_or(&spec.zones, known.min(3) as u32) as usize;
        if let Some(zones) = spec.zones.filter(|_| count > known && !unknown) {
            report.add(
                Finding::new(
                    "network/zones",
                    format!("`{region}` has fewer than {count} availability zones"),
                )
                .at(zones.span(), format!("EKS can use {known} there"))
                .help(format!("write {known} or fewer")),
            );
        }
        let peers = peers(spec.peers.as_deref(), Some(range).filter(|_| valid), report);
        let mut endpoints: Vec<InterfaceEndpoint> = spec.endpoints.iter().flatten().map(|it| **it).collect();
        endpoints.sort();
        endpoints.dedup();
        Self {
            endpoints,
            peers,
            range,
            zones: carve(range, &region.zones()[..count.min(known)]),
            nat: value_or(&spec.nat, Nat::default()),
        }
    }

    /// How many NAT gateways there are.
    pub fn gateways(&self) -> usize {
        match self.nat {
            Nat::PerZone => self.zones.len(),
            Nat::Single => 1,
        }
    }

    /// The public ranges, as a list in text.
    pub fn public(&self) -> Label {
        list(self.zones.iter().map(|zone| zone.public))
    }

    /// The ranges for databases, as a list in text.
    pub fn databases(&self) -> Label {
        list(self.zones.iter().map(|zone| zone.database))
    }

    /// Addresses outside the internet: private ones (RFC 1918, RFC 6598), link-local ones (RFC 3927), and the ranges of this
    /// network and its peers.
    pub fn inside(&self) -> Vec<Text> {
        let private = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];
        let private = private.map(|it| it.parse::<Ipv4Net>().expect("ranges of ours read"));
        let own = self.peers.iter().map(|peer| **peer).chain([self.range]);
        let own = own.filter(|it| !private.iter().any(|known| known.contains(it)));
        let mut all: Vec<Ipv4Net> = private.into_iter().chain(own).collect();
        all.sort();
        all.into_iter().map(|it| Text::ours(it.to_string())).collect()
    }

    /// The private ranges, as a list in text.
    pub fn private(&self) -> Label {
        list(self.zones.iter().map(|zone| zone.private))
    }
}

impl InterfaceEndpoint {
    /// The part after the region in the name of the endpoint service.
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
                    format!("`network.range` and a peer overlap: `{range}` and `{peer}`"),
                )
                .at(asked.span(), "traffic between them could not be routed")
                .help("choose a `network.range` that does not overlap with it"),
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
/// ones; its second half is for databases. The last three eighths stay free, so that later additions
/// do not move existing subnets.
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
