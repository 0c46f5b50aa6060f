//! The cluster: its version, its nodes, who may reach it. What runs in it is decided elsewhere.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::KubernetesVersion,
    diagnostics::{Finding, Report},
    network::Network,
    source::{Located, Span, value_or},
    words::{Account, InstanceType, Name, Text, Word},
};

/// The cluster of an environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The version of Kubernetes. The newest one that every part of the platform supports, if you do not say.
    #[schemars(extend("enum" = KubernetesVersion::all()))]
    pub version: Option<Located<String>>,
    /// The addresses of Services: a range that nothing else uses. `172.20.0.0/16`, if you do not say.
    pub service_range: Option<Located<String>>,
    /// Who administers the cluster beside its pipeline: ARNs of IAM roles or users of the account.
    pub administrators: Option<Vec<Located<String>>>,
    /// Whether AWS refuses to delete the cluster. It does, if you do not say; a teardown switches it off first.
    pub deletion_protection: Option<Located<bool>>,
    /// Groups of nodes, by name. One, `general`, if you do not say.
    pub node_groups: Option<BTreeMap<Located<String>, NodeGroupSpec>>,
}

/// Nodes of one kind.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeGroupSpec {
    /// What the nodes are, the preferred type first. `["m7i.large"]`, if you do not say.
    #[schemars(length(min = 1, max = 20))]
    pub instance_types: Option<Vec<Located<String>>>,
    /// How they are bought. `on-demand`, if you do not say.
    pub capacity: Option<Located<Capacity>>,
    /// The fewest nodes. 3, if you do not say.
    #[schemars(range(min = 0, max = 450))]
    pub min: Option<Located<u32>>,
    /// The most nodes. Twice the fewest, and at least 1, if you do not say.
    #[schemars(range(min = 1, max = 450))]
    pub max: Option<Located<u32>>,
    /// The size of each node's disk, in GiB. 50, if you do not say.
    #[schemars(range(min = 20, max = 16384))]
    pub disk: Option<Located<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capacity {
    OnDemand,
    /// Cheaper, and taken back at two minutes' notice.
    Spot,
}

#[derive(Clone, Debug)]
pub struct Cluster {
    pub version: KubernetesVersion,
    pub service_range: Ipv4Net,
    pub administrators: Vec<Principal>,
    pub deletion_protection: bool,
    pub node_groups: Vec<NodeGroup>,
}

#[derive(Clone, Debug)]
pub struct NodeGroup {
    pub name: Name,
    pub instance_types: Vec<Text>,
    pub arm: bool,
    pub capacity: Capacity,
    pub min: u32,
    pub max: u32,
    /// In GiB.
    pub disk: u32,
}

/// An IAM role or user by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    pub arn: Text,
    account: String,
}

impl Word for Principal {
    const CODE: &'static str = "cluster/administrator";
    const WHAT: &'static str = "the ARN of a role or a user";
    const RULE: &'static str = "such as `arn:aws:iam::111122223333:role/administrator`";

    fn read(word: &str) -> Option<Self> {
        let (account, name) = word.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        let path = name.strip_prefix("role/").or(name.strip_prefix("user/"))?;
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&b));
        let fair =
            plain && !path.is_empty() && !path.starts_with('/') && !path.ends_with('/') && path.len() <= 512;
        let account: Account = Account::read(account).filter(|_| fair)?;
        Some(Self { arn: Text::ours(word), account: account.to_string() })
    }
}

/// The addresses of Services: EKS takes private ranges from a /12 to a /24.
#[derive(Clone, Copy, Debug)]
struct ServiceRange(Ipv4Net);

impl Word for ServiceRange {
    const CODE: &'static str = "cluster/service-range";
    const WHAT: &'static str = "a range for Services";
    const RULE: &'static str = "private, from a /12 to a /24, without host bits, such as `172.20.0.0/16`";

    fn read(word: &str) -> Option<Self> {
        let range: Ipv4Net = word.parse().ok()?;
        let fair =
            (12..=24).contains(&range.prefix_len()) && range.trunc() == range && range.network().is_private();
        fair.then_some(Self(range))
    }
}

impl Default for ServiceRange {
    fn default() -> Self {
        Self(Ipv4Net::new_assert([172, 20, 0, 0].into(), 16))
    }
}

impl Cluster {
    /// `account` is the environment's, and `at` where it was written.
    pub fn resolve(
        spec: Option<&Spec>,
        network: &Network,
        account: &Account,
        at: Span,
        report: &mut Report,
    ) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let version = spec.version.and_then(|asked| KubernetesVersion::read(&asked)).unwrap_or_default();
        let asked = spec.service_range.as_ref().map(|asked| report.try_read(asked));
        let bad = matches!(asked, Some(None));
        let ServiceRange(service_range) = asked.flatten().unwrap_or_default();
        if overlap(service_range, network.range) && !bad {
            report.add(
                Finding::new(
                    "cluster/overlap",
                    format!(
                        "Services and the network share addresses: `{service_range}` and `{}`",
                        network.range
                    ),
                )
                .at(
                    spec.service_range.as_ref().map_or(at.clone(), Located::span),
                    "a Service could hide a node",
                )
                .help("give `cluster.service-range` or `network.range` addresses of its own"),
            );
        }
        Self {
            version,
            service_range,
            deletion_protection: value_or(&spec.deletion_protection, true),
            administrators: administrators(spec.administrators.as_deref(), account, at, report),
            node_groups: node_groups(spec.node_groups.as_ref(), report),
        }
    }

    /// Whether any node group has processors of this kind, and so images must be built for it.
    pub fn has(&self, arm: bool) -> bool {
        self.node_groups.iter().any(|group| group.arm == arm)
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

fn administrators(
    asked: Option<&[Located<String>]>,
    account: &Account,
    at: Span,
    report: &mut Report,
) -> Vec<Principal> {
    if asked.is_none_or(<[_]>::is_empty) && !report.excused("cluster.administrators") {
        report.add(
            Finding::warning("cluster/administrators", "no person can reach the cluster")
                .at(at, "only this account's pipeline has access")
                .help("add `[cluster]` with `administrators = [\"arn:aws:iam::ACCOUNT:role/ROLE\"]`"),
        );
    }
    let known = ["aws.account", "cluster.administrators"].iter().all(|path| !report.excused(path))
        && *account != Account::default();
    let mut read = |asked: &Located<String>| {
        let principal: Principal = report.read(Some(asked));
        if principal != Principal::default() && principal.account != account.to_string() && known {
            report.add(
                Finding::new(
                    "cluster/account",
                    format!("this administrator is of account `{}`", principal.account),
                )
                .at(asked.span(), format!("the cluster is in `{account}`"))
                .help("name a role of the cluster's own account, which others may assume"),
            );
        }
        principal
    };
    asked.unwrap_or_default().iter().map(&mut read).collect()
}

fn node_groups(
    asked: Option<&BTreeMap<Located<String>, NodeGroupSpec>>,
    report: &mut Report,
) -> Vec<NodeGroup> {
    let mut groups: Vec<_> =
        asked.into_iter().flatten().map(|(name, spec)| (report.read(Some(name)), spec.clone())).collect();
    if groups.is_empty() {
        groups.push((Name::ours("general"), NodeGroupSpec::default()));
    }
    groups.into_iter().map(|(name, spec)| node_group(name, &spec, report)).collect()
}

fn node_group(name: Name, spec: &NodeGroupSpec, report: &mut Report) -> NodeGroup {
    let asked = spec.instance_types.as_deref().unwrap_or_default();
    let types: Vec<InstanceType> = asked.iter().map(|asked| report.read(Some(asked))).collect();
    let types = if types.is_empty() { InstanceType::read("m7i.large").into_iter().collect() } else { types };
    let arm = types.first().is_some_and(InstanceType::is_arm);
    let other =
        asked.iter().zip(&types).find(|(_, it)| it.is_arm() != arm && **it != InstanceType::default());
    if let Some((other, _)) = other.filter(|_| types[0] != InstanceType::default()) {
        let of = |arm| if arm { "arm64" } else { "x86" };
        report.add(
            Finding::new("cluster/architecture", format!("`{name}` mixes two kinds of processors"))
                .at(other.span(), format!("this is {}, the first type is {}", of(!arm), of(arm)))
                .help("give each kind a node group of its own: one image of the system serves one kind"),
        );
    }
    let min = value_or(&spec.min, 3);
    let max = value_or(&spec.max, (min * 2).clamp(1, 450));
    let known = !report.excused(&format!("cluster.node-groups.{name}"));
    if let Some(at) = spec.max.as_ref().or(spec.min.as_ref()).filter(|_| max < min && known) {
        report.add(
            Finding::new("cluster/nodes", format!("`{name}` has at least {min} nodes, and at most {max}"))
                .at(at.span(), "the most is less than the fewest")
                .help(format!("write `max = {min}` or more")),
        );
    }
    NodeGroup {
        name,
        instance_types: types.iter().map(|it| Text::ours(it.to_string())).collect(),
        arm,
        capacity: value_or(&spec.capacity, Capacity::OnDemand),
        min,
        max,
        disk: value_or(&spec.disk, 50),
    }
}
