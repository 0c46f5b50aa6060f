//! The cluster: its version, its nodes, who may reach it. What runs in it is decided elsewhere.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    catalogue::{Catalogue, KubernetesVersion, Shape},
    cidr::{self, Purpose},
    diagnostics::{Finding, Report},
    network::Network,
    source::{Decided, Located, Span, value_or},
    words::{Account, Cpu, InstanceType, Memory, Name, Release, Text, Word},
};

mod rights;

pub(crate) use rights::{attach, load_balancing_role, service_linked_roles};

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
    /// How the Kubernetes API is reached from outside the network. `tunnel`, if you do not say. The endpoint inside the
    /// network is always there.
    pub access: Option<Located<AccessSpec>>,
    /// The label of the runners that `access = "runner"` speaks of.
    pub runner_label: Option<Located<String>>,
    /// The ranges that `access = "public"` lets in.
    #[schemars(length(min = 1, max = 40))]
    pub public_ranges: Option<Vec<Located<String>>>,
    /// Groups of nodes, by name. One, `general`, if you do not say.
    pub node_groups: Option<BTreeMap<Located<String>, NodeGroupSpec>>,
}

/// How the Kubernetes API is reached from outside the network.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccessSpec {
    /// Through a node, by Session Manager: nothing listens to the internet.
    Tunnel,
    /// From machines inside the network, which are runners of GitHub with a label of their own.
    Runner,
    /// People also come over the internet, out of a few ranges. The pipeline, whose addresses change, takes the tunnel.
    Public,
}

/// Nodes of one kind.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeGroupSpec {
    /// What the nodes are, the preferred type first. `["m7i.large"]`, if you do not say.
    #[schemars(length(min = 1, max = 20))]
    pub instance_types: Option<Vec<Located<String>>>,
    /// What runs on them. `al2023`, if you do not say.
    pub system: Option<Located<System>>,
    /// The release of its image. For AL2023 the catalogue's, if you do not say; for Bottlerocket you must.
    pub release: Option<Located<String>>,
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
pub enum System {
    /// Amazon Linux 2023.
    Al2023,
    /// Made for containers: a system that cannot be written to, and a disk for data.
    Bottlerocket,
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
    pub access: Access,
    pub node_groups: Vec<NodeGroup>,
}

/// How the Kubernetes API is reached from outside the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    Tunnel,
    Runner(RunnerLabel),
    Public(Vec<Ipv4Net>),
}

/// What a workflow calls a runner inside the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunnerLabel(Text);

impl Word for RunnerLabel {
    const CODE: &'static str = "cluster/runner-label";
    const WHAT: &'static str = "a label of your own runners";
    const RULE: &'static str = "up to 100 letters, digits and `-_.`, first a letter, such as `vpc`";

    fn read(word: &str) -> Option<Self> {
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let fair = plain && word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.len() <= 100;
        fair.then(|| Self(Text::ours(word)))
    }
}

impl Access {
    /// Whether the pipeline comes through a node. It does wherever it does not run inside the network.
    pub fn tunnels(&self) -> bool {
        !matches!(self, Self::Runner(_))
    }

    /// Where the job runs that speaks to the cluster.
    pub fn runner(&self) -> Text {
        match self {
            Self::Runner(RunnerLabel(label)) => label.clone(),
            Self::Tunnel | Self::Public(_) => Text::ours("ubuntu-24.04"),
        }
    }

    /// Whether the machines of the network may reach the API.
    pub fn inside(&self) -> bool {
        matches!(self, Self::Runner(_))
    }

    /// Who may come over the internet.
    pub fn ranges(&self) -> Option<Vec<Text>> {
        let Self::Public(ranges) = self else { return None };
        Some(ranges.iter().map(|range| Text::ours(range.to_string())).collect())
    }
}

/// What pods may ask of a node, once the system has taken its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allocatable {
    pub cpu: Cpu,
    pub memory: Memory,
}

impl Allocatable {
    /// The system takes 6 % of the first processor, 1 % of the second, half a percent of the next two, a quarter of the others;
    /// 255 MiB, 11 MiB for each pod, and 100 MiB below which pods are evicted.
    /// Source: awslabs/amazon-eks-ami@81fec2e89585 (2026-07-23) nodeadm/internal/kubelet/config.go.
    pub fn of(Shape { processors, memory, pods }: Shape) -> Self {
        let of_first = |most: u32, percent: u32| processors.min(most) * percent;
        let taken = of_first(1, 500) + of_first(2, 50) + of_first(4, 25) + processors * 25;
        let memory = memory.saturating_sub(255 + 11 * pods + 100);
        Self { cpu: Cpu(processors * 1000 - taken / 10), memory: Memory(memory) }
    }
}

#[derive(Clone, Debug)]
pub struct NodeGroup {
    pub name: Name,
    pub instance_types: Vec<Text>,
    /// The same, as they were read.
    pub types: Vec<InstanceType>,
    /// What its first type offers, if we know it: the others are of the same size.
    pub shape: Option<Shape>,
    /// The most pods on a node, if we know its types.
    pods: Option<u32>,
    pub system: System,
    pub release: Release,
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

/// What Services have where nobody says otherwise: 172.20.0.0/16.
fn usual_services() -> Ipv4Net {
    Ipv4Net::new_assert([172, 20, 0, 0].into(), 16)
}

impl NodeGroup {
    /// Whether the autoscaler may add or remove nodes.
    pub fn elastic(&self) -> bool {
        self.min < self.max
    }
}

impl Cluster {
    /// Whether the number of nodes follows what pods ask for.
    pub fn elastic(&self) -> bool {
        self.node_groups.iter().any(NodeGroup::elastic)
    }

    /// `account` is the environment's, and `at` what stands for the environment.
    pub fn resolve(
        spec: Option<&Spec>,
        network: &Network,
        account: &Decided<Account>,
        at: &Span,
        report: &mut Report,
    ) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let version =
            spec.version.as_ref().and_then(|asked| KubernetesVersion::read(asked)).unwrap_or_default();
        let services =
            cidr::read_or(spec.service_range.as_ref(), Purpose::Services, usual_services(), report);
        let sound = services.sound().is_some();
        let service_range = services.value();
        if overlap(service_range, network.range) && sound {
            report.add(
                Finding::new(
                    "cluster/overlap",
                    format!(
                        "Services and the network share addresses: `{service_range}` and `{}`",
                        network.range
                    ),
                )
                .at(
                    spec.service_range.as_ref().map_or_else(|| at.clone(), Located::span),
                    "a Service could hide a node",
                )
                .help("give `cluster.service-range` or `network.range` addresses of its own"),
            );
        }
        for peer in network.peers.iter().filter(|peer| overlap(service_range, ***peer) && sound) {
            let title = format!("Services and a peer share addresses: `{service_range}` and `{}`", **peer);
            report.add(
                Finding::new("cluster/overlap", title)
                    .at(peer.span(), "a Service could hide a machine there")
                    .help("give `cluster.service-range` addresses of its own"),
            );
        }
        let node_groups = node_groups(spec.node_groups.as_ref(), &version, report);
        room(&node_groups, spec.node_groups.as_ref(), network, report);
        Self {
            version,
            service_range,
            deletion_protection: value_or(&spec.deletion_protection, true),
            access: access(&spec, report),
            administrators: administrators(spec.administrators.as_deref(), account, at, report),
            node_groups,
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

/// A key that decides nothing would be believed, so a label and ranges stand only beside the access that they are for.
fn access(spec: &Spec, report: &mut Report) -> Access {
    let asked = value_or(&spec.access, AccessSpec::Tunnel);
    let known = !report.excused(&["cluster", "access"]);
    let label = spec.runner_label.as_ref();
    let ranges = spec.public_ranges.as_deref().filter(|ranges| !ranges.is_empty());
    let mut stray = |key: &str, access: &str, at: Span| {
        report.add(
            Finding::new("cluster/access", format!("`{key}` belongs to `access = \"{access}\"`"))
                .at(at, "nothing is decided by it here")
                .help(format!(
                    "leave it out, or write `access = \"{access}\"`; if environments differ, move it to the one that it is for"
                )),
        );
    };
    if let Some(label) = label.filter(|_| asked != AccessSpec::Runner && known) {
        stray("runner-label", "runner", label.span());
    }
    if let Some(range) = ranges.and_then(|it| it.first()).filter(|_| asked != AccessSpec::Public && known) {
        stray("public-ranges", "public", range.span());
    }
    let Some(access) = &spec.access else { return Access::Tunnel };
    match **access {
        AccessSpec::Tunnel => Access::Tunnel,
        AccessSpec::Runner => {
            if label.is_none() && !report.excused(&["cluster", "runner-label"]) {
                report.add(
                    Finding::new("cluster/access", "no runner can reach the cluster")
                        .at(access.span(), "which runners stand inside the network")
                        .help("add `runner-label = \"LABEL\"`, as the runners were registered with it"),
                );
            }
            if let Some(label) = label.filter(|label| is_hosted(label)) {
                report.add(
                    Finding::new(
                        "cluster/hosted-runner",
                        format!("`{}` runs at GitHub", label.escape_debug()),
                    )
                    .at(label.span(), "these runners cannot reach a private endpoint")
                    .help("write the label of your own runners inside the network"),
                );
            }
            Access::Runner(report.value(label))
        }
        AccessSpec::Public => {
            if ranges.is_none() && !report.excused(&["cluster", "public-ranges"]) {
                report.add(
                    Finding::new("cluster/access", "nobody is let in")
                        .at(
                            access.span(),
                            "a public endpoint is open to ranges that you name, never to everybody",
                        )
                        .help("add `public-ranges = [\"198.51.100.0/24\"]` with your own addresses"),
                );
            }
            let ranges = ranges.unwrap_or_default().iter();
            Access::Public(ranges.filter_map(|range| cidr::read(range, Purpose::Api, report)).collect())
        }
    }
}

/// Whether GitHub calls its own runners so, such as `ubuntu-24.04`.
fn is_hosted(label: &str) -> bool {
    ["ubuntu-", "windows-", "macos-"].iter().any(|it| label.to_lowercase().starts_with(it))
}

fn administrators(
    asked: Option<&[Located<String>]>,
    account: &Decided<Account>,
    at: &Span,
    report: &mut Report,
) -> Vec<Principal> {
    if asked.is_none_or(<[_]>::is_empty) && !report.excused(&["cluster", "administrators"]) {
        report.add(
            Finding::warning("cluster/administrators", "no person can reach the cluster")
                .at(at.clone(), "only this account's pipeline has access")
                .help("add `[cluster]` with `administrators = [\"arn:aws:iam::ACCOUNT:role/ROLE\"]`"),
        );
    }
    let known = !report.excused(&["aws", "account"]) && !report.excused(&["cluster", "administrators"]);
    let own = account.sound().filter(|_| known);
    let mut read = |asked: &Located<String>| {
        let principal: Principal = report.try_read(asked)?;
        if own.is_some_and(|own| principal.account != own.to_string()) {
            report.add(
                Finding::new(
                    "cluster/account",
                    format!("this administrator is of account `{}`", principal.account),
                )
                .at(asked.span(), format!("the cluster is in `{account}`"))
                .help("name a role of the cluster's own account, which others may assume"),
            );
        }
        Some(principal)
    };
    asked.unwrap_or_default().iter().filter_map(&mut read).collect()
}

fn node_groups(
    asked: Option<&BTreeMap<Located<String>, NodeGroupSpec>>,
    version: &KubernetesVersion,
    report: &mut Report,
) -> Vec<NodeGroup> {
    let group = |(key, spec): (&Located<String>, _)| {
        let name = report.value(Some(key));
        node_group(key, name, spec, version, report)
    };
    let mut groups: Vec<_> = asked.into_iter().flatten().map(group).collect();
    if groups.is_empty() {
        groups.push(node_group("general", Name::ours("general"), &NodeGroupSpec::default(), version, report));
    }
    let spot = asked.into_iter().flatten().find_map(|(_, spec)| spec.capacity.as_ref());
    if let Some(spot) = spot.filter(|_| groups.iter().all(|group| group.capacity == Capacity::Spot)) {
        report.add(
            Finding::warning("cluster/spot", "every node can be taken back")
                .at(spot.span(), "no node group is bought on demand")
                .help(
                    "add one with `capacity = \"on-demand\"`: what runs the cluster needs a place that stays",
                ),
        );
    }
    groups
}

/// With the CNI each pod has an address of its own in a private subnet, and so has each node.
fn room(
    groups: &[NodeGroup],
    asked: Option<&BTreeMap<Located<String>, NodeGroupSpec>>,
    network: &Network,
    report: &mut Report,
) {
    let known = || groups.iter().filter_map(|group| Some((group, group.pods?)));
    let needed: u64 = known().map(|(group, pods)| u64::from(group.max) * u64::from(pods + 1)).sum();
    let largest =
        known().max_by_key(|(group, pods)| group.max * (pods + 1)).map(|(group, _)| group.name.to_string());
    let spec = asked.into_iter().flatten().find(|(name, _)| Some(name.as_str()) == largest.as_deref());
    let (zones, each) =
        (network.zones.len() as u64, network.zones.first().map_or(0, |zone| addresses(zone.private)));
    if let Some((name, spec)) = spec.filter(|_| needed > zones * each && zones > 0) {
        let sum: Vec<String> =
            known().map(|(group, pods)| format!("{} nodes × ({pods} pods + 1)", group.max)).collect();
        report.add(
            Finding::new("network/room", "the private subnets have no room for so many pods")
                .at(
                    spec.max.as_ref().map_or(name.span(), Located::span),
                    format!(
                        "{} = {needed} addresses, and {zones} zones × {each} = {} are there",
                        sum.join(" + "),
                        zones * each
                    ),
                )
                .help("widen `network.range`, or lower the `max` of the node groups"),
        );
    }
}

/// AWS keeps five addresses of each subnet.
fn addresses(range: Ipv4Net) -> u64 {
    (1u64 << (32 - range.prefix_len())) - 5
}

/// `key` is its name as it was typed.
fn node_group(
    key: &str,
    name: Name,
    spec: &NodeGroupSpec,
    version: &KubernetesVersion,
    report: &mut Report,
) -> NodeGroup {
    let asked = spec.instance_types.as_deref().unwrap_or_default();
    let types: Vec<Decided<InstanceType>> = asked.iter().map(|asked| report.read(Some(asked))).collect();
    let first = types.first().and_then(Decided::sound);
    let arm = first.is_some_and(InstanceType::is_arm);
    let is_other = |it: &Decided<InstanceType>| it.sound().is_some_and(|it| it.is_arm() != arm);
    let other = asked.iter().zip(&types).find_map(|(asked, it)| is_other(it).then_some(asked));
    if let Some(other) = other.filter(|_| first.is_some()) {
        let of = |arm| if arm { "arm64" } else { "x86" };
        report.add(
            Finding::new("cluster/architecture", format!("`{name}` mixes two kinds of processors"))
                .at(other.span(), format!("this is {}, the first type is {}", of(!arm), of(arm)))
                .help("give each kind a node group of its own: one image of the system serves one kind"),
        );
    }
    let types: Vec<InstanceType> = types.into_iter().map(Decided::value).collect();
    let types = if types.is_empty() { InstanceType::read("m7i.large").into_iter().collect() } else { types };
    let shapes: Vec<Option<Shape>> = types.iter().map(shape).collect();
    let alike = |a: Shape, b: Shape| (a.processors, a.memory) == (b.processors, b.memory);
    let odd = shapes.iter().zip(asked).find_map(|(it, at)| {
        Some(((*it)?, at)).filter(|(it, _)| shapes[0].is_some_and(|first| !alike(first, *it)))
    });
    if let (Some((odd, at)), Some(first), None) = (odd, shapes[0], other) {
        let said = |it: Shape| format!("{} processors and {} MiB", it.processors, it.memory);
        report.add(
            Finding::new("cluster/shape", format!("`{name}` mixes nodes of two sizes"))
                .at(at.span(), format!("this has {}, the first type has {}", said(odd), said(first)))
                .help("give each size a node group of its own: the autoscaler reckons with the first type"),
        );
    }
    let system = value_or(&spec.system, System::Al2023);
    let release = match (&spec.release, &spec.system) {
        (None, Some(asked)) if system == System::Bottlerocket => {
            if !report.excused(&["cluster", "node-groups", key, "release"]) {
                let machine = if arm { "arm64" } else { "x86_64" };
                report.add(
                    Finding::new("cluster/release-missing", format!("nobody says which release `{name}` runs"))
                        .at(asked.span(), "EKS would take the newest, each time another one")
                        .help(format!(
                            "add `release = \"…\"`, as `aws ssm get-parameter --name /aws/service/bottlerocket/aws-k8s-{version}/{machine}/latest/image_version` prints it"
                        )),
                );
            }
            Release::default()
        }
        (None, _) => Release::read(&version.minor().node_image).unwrap_or_default(),
        (asked, _) => report.value(asked.as_ref()),
    };
    let min = value_or(&spec.min, 3);
    let max = value_or(&spec.max, (min * 2).clamp(1, 450));
    let known = !report.excused(&["cluster", "node-groups", key]);
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
        shape: shapes.first().copied().flatten(),
        pods: shapes.iter().flatten().map(|it| it.pods).max(),
        types,
        system,
        release,
        arm,
        capacity: value_or(&spec.capacity, Capacity::OnDemand),
        min,
        max,
        disk: value_or(&spec.disk, 50),
    }
}

fn shape(of: &InstanceType) -> Option<Shape> {
    let (family, size) = of.parts();
    Catalogue::get().shape(family, size)
}

impl NodeGroup {
    pub fn bottlerocket(&self) -> bool {
        self.system == System::Bottlerocket
    }

    /// As EKS names its image.
    pub fn image(&self) -> &'static str {
        match (self.system, self.arm) {
            (System::Al2023, false) => "AL2023_x86_64_STANDARD",
            (System::Al2023, true) => "AL2023_ARM_64_STANDARD",
            (System::Bottlerocket, false) => "BOTTLEROCKET_x86_64",
            (System::Bottlerocket, true) => "BOTTLEROCKET_ARM_64",
        }
    }

    /// Where the disk lies that containers fill.
    pub fn device(&self) -> &'static str {
        if self.bottlerocket() { "/dev/xvdb" } else { "/dev/xvda" }
    }
}
