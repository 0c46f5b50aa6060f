//! The cluster: its version, its nodes, and who can reach it. What runs in it is decided elsewhere.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Catalogue, InstanceSize, KubernetesVersion},
    cidr::{self, Purpose},
    diagnostics::{Finding, Report},
    network::Network,
    source::{Decided, Located, Span, value_or},
    words::{
        Account, Cpu, InstanceType, Memory, Name, NodeImageRelease, Text, Word,
        patterns::{Pattern, Spelled},
    },
};

mod rights;

pub(crate) use rights::{attach, load_balancing_role, service_linked_roles};

/// The cluster of an environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The Kubernetes version.
    #[schemars(extend("enum" = KubernetesVersion::all(), "default" = KubernetesVersion::default().to_string()))]
    pub version: Option<Located<String>>,
    /// The address range of Services, which nothing else may use. Fixed after the first apply: EKS cannot change it.
    // Source: Amazon EKS API Reference, KubernetesNetworkConfigRequest, `serviceIpv4Cidr`: "You can only specify a custom CIDR
    // block when you create a cluster. You can't change this value after the cluster is created."
    #[schemars(extend("default" = default_service_range().to_string()))]
    pub service_range: Option<Located<String>>,
    /// The IAM roles or users that administer the cluster in addition to the pipeline, by ARN. They belong to the account of
    /// the cluster.
    #[schemars(extend("default" = [], "examples" = [["arn:aws:iam::111122223333:role/platform-team"]]))]
    pub administrators: Option<Vec<Located<String>>>,
    /// Whether AWS refuses to delete the cluster. The first step of a teardown turns it off.
    #[schemars(extend("default" = DELETION_PROTECTION))]
    pub deletion_protection: Option<Located<bool>>,
    /// How the Kubernetes API is reached from outside the network. The endpoint inside the network is always enabled.
    #[schemars(extend("default" = ApiAccessSpec::default()))]
    pub access: Option<Located<ApiAccessSpec>>,
    /// The label of the runners for `access = "runner"`.
    #[schemars(extend("examples" = ["platform-vpc"]))]
    pub runner_label: Option<Located<String>>,
    /// The address ranges that may connect with `access = "public"`.
    #[schemars(length(min = 1, max = 40), extend("examples" = [["198.51.100.0/24"]]))]
    pub public_ranges: Option<Vec<Located<String>>>,
    /// The node groups, by name. Default: one node group, `general`.
    #[schemars(extend("propertyNames" = {"pattern": Name::pattern()}))]
    pub node_groups: Option<BTreeMap<Located<String>, NodeGroupSpec>>,
}

/// How the Kubernetes API is reached from outside the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiAccessSpec {
    /// Through a node, by Session Manager: no port is open to the internet.
    #[default]
    Tunnel,
    /// From self-hosted GitHub runners inside the network, chosen by `runner-label`.
    Runner,
    /// The endpoint is also open to `public-ranges`. The pipeline, whose addresses change, uses the tunnel.
    Public,
}

const DELETION_PROTECTION: bool = true;

/// A node group.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeGroupSpec {
    /// The instance types, the preferred one first.
    #[schemars(with = "Option<Vec<Spelled<InstanceType>>>", length(min = 1, max = 20))]
    #[schemars(extend("default" = [INSTANCE_TYPE]))]
    pub instance_types: Option<Vec<Located<String>>>,
    /// The operating system of the nodes.
    #[schemars(extend("default" = System::default()))]
    pub system: Option<Located<System>>,
    /// The release of the node image. Default: for AL2023 the release in the catalogue; for Bottlerocket none, so the key is
    /// required.
    #[schemars(with = "Option<Spelled<NodeImageRelease>>")]
    pub release: Option<Located<String>>,
    /// How the instances are bought.
    #[schemars(extend("default" = Capacity::default()))]
    pub capacity: Option<Located<Capacity>>,
    /// The minimum number of nodes.
    #[schemars(range(min = 0, max = 450), extend("default" = MIN_NODES))]
    pub min: Option<Located<u32>>,
    /// The maximum number of nodes. Default: twice `min`, but at least 1.
    #[schemars(range(min = 1, max = 450))]
    pub max: Option<Located<u32>>,
    /// The disk size of each node, in GiB.
    #[schemars(range(min = 20, max = 16384), extend("default" = DISK))]
    pub disk: Option<Located<u32>>,
}

const INSTANCE_TYPE: &str = "m7i.large";
const MIN_NODES: u32 = 3;
const DISK: u32 = 50;

/// The operating system of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Amazon Linux 2023.
    #[default]
    Al2023,
    /// A minimal system for containers: its root file system is read-only, and data is on a second disk.
    Bottlerocket,
}

/// How instances are bought.
#[expect(missing_docs, reason = "a comment on a variant becomes part of the published schema")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capacity {
    #[default]
    OnDemand,
    /// Cheaper, but AWS can take an instance back at two minutes' notice.
    Spot,
}

/// The resolved cluster of an environment.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The Kubernetes version.
    pub version: KubernetesVersion,
    /// The address range of Services. It does not overlap with the network or its peers.
    pub service_range: Ipv4Net,
    /// The IAM roles and users that administer the cluster in addition to the pipeline.
    pub administrators: Vec<Principal>,
    /// Whether AWS refuses to delete the cluster.
    pub deletion_protection: bool,
    /// How the Kubernetes API is reached from outside the network.
    pub access: ApiAccess,
    /// The node groups, by name: at least one.
    pub node_groups: Vec<NodeGroup>,
}

/// How the Kubernetes API is reached from outside the network.
#[derive(Clone, Debug, PartialEq)]
pub enum ApiAccess {
    /// Through a node, by Session Manager.
    Tunnel,
    /// From self-hosted runners inside the network that have this label.
    Runner(RunnerLabel),
    /// From these address ranges over the internet, and by the tunnel.
    Public(Vec<Ipv4Net>),
}

/// The label of runners inside the network, in `runs-on`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunnerLabel(Text);

impl Word for RunnerLabel {
    const CODE: &'static str = "cluster/runner-label";
    const WHAT: &'static str = "a valid label for your own runners";
    const RULE: &'static str = "up to 100 letters, digits and `-_.`, starting with a letter, such as `vpc`";

    fn read(word: &str) -> Option<Self> {
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let valid = plain && word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.len() <= 100;
        valid.then(|| Self(Text::ours(word)))
    }
}

impl ApiAccess {
    /// Whether the pipeline uses the tunnel through a node. It does unless it runs inside the network.
    pub fn tunnels(&self) -> bool {
        !matches!(self, Self::Runner(_))
    }

    /// The runner of the job that connects to the cluster.
    pub fn runner(&self) -> Text {
        match self {
            Self::Runner(RunnerLabel(label)) => label.clone(),
            Self::Tunnel | Self::Public(_) => Text::ours("ubuntu-24.04"),
        }
    }

    /// Whether machines in the network may connect to the API.
    pub fn inside(&self) -> bool {
        matches!(self, Self::Runner(_))
    }

    /// The ranges that may connect over the internet.
    pub fn ranges(&self) -> Option<Vec<Text>> {
        let Self::Public(ranges) = self else { return None };
        Some(ranges.iter().map(|range| Text::ours(range.to_string())).collect())
    }
}

/// What a node offers to pods, after what the system reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Allocatable {
    /// The CPU that pods can request.
    pub cpu: Cpu,
    /// The memory that pods can request.
    pub memory: Memory,
}

impl Allocatable {
    /// The system reserves 6 % of the first processor, 1 % of the second, half a percent of the next two, a quarter of the others;
    /// 255 MiB, 11 MiB for each pod, and 100 MiB below which pods are evicted.
    /// Source: awslabs/amazon-eks-ami@81fec2e89585 (2026-07-23) nodeadm/internal/kubelet/config.go.
    pub fn of(InstanceSize { processors, memory, pods }: InstanceSize) -> Self {
        let of_first = |most: u32, percent: u32| processors.min(most) * percent;
        let taken = of_first(1, 500) + of_first(2, 50) + of_first(4, 25) + processors * 25;
        let memory = memory.saturating_sub(255 + 11 * pods + 100);
        Self { cpu: Cpu(processors * 1000 - taken / 10), memory: Memory(memory) }
    }
}

/// A resolved node group. All its instance types have the same processor architecture.
#[derive(Clone, Debug)]
pub struct NodeGroup {
    /// The key of its table in `[cluster.node-groups]`.
    pub name: Name,
    /// The instance types, the preferred one first.
    pub instance_types: Vec<Text>,
    /// The same as parsed words.
    pub types: Vec<InstanceType>,
    /// The size of its first type, if it is known. The other types have the same size.
    pub instance_size: Option<InstanceSize>,
    /// The maximum number of pods on a node, if its types are known.
    pods: Option<u32>,
    /// The operating system of the nodes.
    pub system: System,
    /// The release of the node image.
    pub release: NodeImageRelease,
    /// Whether its nodes have ARM processors.
    pub arm: bool,
    /// How the instances are bought.
    pub capacity: Capacity,
    /// The minimum number of nodes, 0 to 450.
    pub min: u32,
    /// The maximum number of nodes, 1 to 450.
    pub max: u32,
    /// In GiB.
    pub disk: u32,
}

/// An IAM role or user by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// The complete ARN.
    pub arn: Text,
    account: String,
}

impl Word for Principal {
    const CODE: &'static str = "cluster/administrator";
    const WHAT: &'static str = "the ARN of an IAM role or user";
    const RULE: &'static str = "such as `arn:aws:iam::111122223333:role/administrator`";

    fn read(word: &str) -> Option<Self> {
        let (account, name) = word.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        let path = name.strip_prefix("role/").or(name.strip_prefix("user/"))?;
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&b));
        let valid =
            plain && !path.is_empty() && !path.starts_with('/') && !path.ends_with('/') && path.len() <= 512;
        let account: Account = Account::read(account).filter(|_| valid)?;
        Some(Self { arn: Text::ours(word), account: account.to_string() })
    }
}

/// 172.20.0.0/16.
fn default_service_range() -> Ipv4Net {
    Ipv4Net::new_assert([172, 20, 0, 0].into(), 16)
}

impl NodeGroup {
    /// Whether the autoscaler may add or remove nodes.
    pub fn elastic(&self) -> bool {
        self.min < self.max
    }
}

impl Cluster {
    /// Whether the number of nodes follows the requests of pods.
    pub fn elastic(&self) -> bool {
        self.node_groups.iter().any(NodeGroup::elastic)
    }

    /// `account` is the environment's account, `at` the position for findings about the whole environment.
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
            cidr::read_or(spec.service_range.as_ref(), Purpose::Services, default_service_range(), report);
        let valid = services.valid().is_some();
        let service_range = services.value();
        if overlap(service_range, network.range) && valid {
            report.add(
                Finding::new(
                    "cluster/overlap",
                    format!(
                        "`cluster.service-range` and `network.range` overlap: `{service_range}` and `{}`",
                        network.range
                    ),
                )
                .at(
                    spec.service_range.as_ref().map_or_else(|| at.clone(), Located::span),
                    "a Service could get the address of a node",
                )
                .help("choose two ranges that do not overlap"),
            );
        }
        for peer in network.peers.iter().filter(|peer| overlap(service_range, ***peer) && valid) {
            let title =
                format!("`cluster.service-range` and a peer overlap: `{service_range}` and `{}`", **peer);
            report.add(
                Finding::new("cluster/overlap", title)
                    .at(peer.span(), "a Service could get the address of a host in it")
                    .help("choose a `cluster.service-range` that does not overlap with it"),
            );
        }
        let node_groups = node_groups(spec.node_groups.as_ref(), &version, report);
        check_addresses(&node_groups, spec.node_groups.as_ref(), network, report);
        Self {
            version,
            service_range,
            deletion_protection: value_or(&spec.deletion_protection, DELETION_PROTECTION),
            access: access(&spec, report),
            administrators: administrators(spec.administrators.as_deref(), account, at, report),
            node_groups,
        }
    }

    /// Whether any node group has this architecture, so that images must be built for it.
    pub fn has(&self, arm: bool) -> bool {
        self.node_groups.iter().any(|group| group.arm == arm)
    }
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// A key without effect is an error, because a reader would rely on it: the label and the ranges need the matching `access`.
fn access(spec: &Spec, report: &mut Report) -> ApiAccess {
    let asked = value_or(&spec.access, ApiAccessSpec::default());
    let known = !report.already_reported(&["cluster", "access"]);
    let label = spec.runner_label.as_ref();
    let ranges = spec.public_ranges.as_deref().filter(|ranges| !ranges.is_empty());
    let mut stray = |key: &str, access: &str, at: Span| {
        report.add(
            Finding::new("cluster/access", format!("`{key}` has no effect without `access = \"{access}\"`"))
                .at(at, "not used by this `access`")
                .help(format!(
                    "remove it, or write `access = \"{access}\"`; if environments differ, move it into `[environments.NAME.cluster]`"
                )),
        );
    };
    if let Some(label) = label.filter(|_| asked != ApiAccessSpec::Runner && known) {
        stray("runner-label", "runner", label.span());
    }
    if let Some(range) = ranges.and_then(|it| it.first()).filter(|_| asked != ApiAccessSpec::Public && known)
    {
        stray("public-ranges", "public", range.span());
    }
    let Some(access) = &spec.access else { return ApiAccess::Tunnel };
    match **access {
        ApiAccessSpec::Tunnel => ApiAccess::Tunnel,
        ApiAccessSpec::Runner => {
            if label.is_none() && !report.already_reported(&["cluster", "runner-label"]) {
                report.add(
                    Finding::new("cluster/access", "`runner-label` is missing")
                        .at(access.span(), "needs the label of runners inside the network")
                        .help("add `runner-label = \"LABEL\"` with the label that the runners are registered with"),
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
            ApiAccess::Runner(report.value(label))
        }
        ApiAccessSpec::Public => {
            if ranges.is_none() && !report.already_reported(&["cluster", "public-ranges"]) {
                report.add(
                    Finding::new("cluster/access", "`public-ranges` is empty")
                        .at(access.span(), "the public endpoint is open only to the ranges that you list")
                        .help("add `public-ranges = [\"198.51.100.0/24\"]` with your own addresses"),
                );
            }
            let ranges = ranges.unwrap_or_default().iter();
            ApiAccess::Public(ranges.filter_map(|range| cidr::read(range, Purpose::Api, report)).collect())
        }
    }
}

/// Whether this is the label of a GitHub-hosted runner, such as `ubuntu-24.04`.
fn is_hosted(label: &str) -> bool {
    ["ubuntu-", "windows-", "macos-"].iter().any(|it| label.to_lowercase().starts_with(it))
}

fn administrators(
    asked: Option<&[Located<String>]>,
    account: &Decided<Account>,
    at: &Span,
    report: &mut Report,
) -> Vec<Principal> {
    if asked.is_none_or(<[_]>::is_empty) && !report.already_reported(&["cluster", "administrators"]) {
        report.add(
            Finding::warning("cluster/administrators", "`administrators` is empty")
                .at(at.clone(), "only the pipeline of this account can access the cluster")
                .help("add `[cluster]` with `administrators = [\"arn:aws:iam::ACCOUNT:role/ROLE\"]`"),
        );
    }
    let known = !report.already_reported(&["aws", "account"])
        && !report.already_reported(&["cluster", "administrators"]);
    let own = account.valid().filter(|_| known);
    let mut read = |asked: &Located<String>| {
        let principal: Principal = report.try_read(asked)?;
        if own.is_some_and(|own| principal.account != own.to_string()) {
            report.add(
                Finding::new(
                    "cluster/account",
                    format!("this administrator belongs to account `{}`", principal.account),
                )
                .at(asked.span(), format!("the cluster is in account `{account}`"))
                .help("use a role in the account of the cluster; principals of other accounts can assume it"),
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
            Finding::warning("cluster/spot", "all nodes are spot instances")
                .at(spot.span(), "AWS can take back every node")
                .help("add a node group with `capacity = \"on-demand\"` for the components of the cluster"),
        );
    }
    groups
}

/// With the VPC CNI each pod and each node has an address in a private subnet.
fn check_addresses(
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
            Finding::new("network/addresses", "the private subnets have too few addresses for all pods")
                .at(
                    spec.max.as_ref().map_or(name.span(), Located::span),
                    format!(
                        "{} = {needed} addresses needed, {zones} zones × {each} = {} available",
                        sum.join(" + "),
                        zones * each
                    ),
                )
                .help("use a larger `network.range`, or lower the `max` of the node groups"),
        );
    }
}

/// AWS reserves five addresses in each subnet.
fn addresses(range: Ipv4Net) -> u64 {
    (1u64 << (32 - range.prefix_len())) - 5
}

/// `key` is its name in the blueprint.
fn node_group(
    key: &str,
    name: Name,
    spec: &NodeGroupSpec,
    version: &KubernetesVersion,
    report: &mut Report,
) -> NodeGroup {
    let asked = spec.instance_types.as_deref().unwrap_or_default();
    let types: Vec<Decided<InstanceType>> = asked.iter().map(|asked| report.read(Some(asked))).collect();
    let first = types.first().and_then(Decided::valid);
    let arm = first.is_some_and(InstanceType::is_arm);
    let is_other = |it: &Decided<InstanceType>| it.valid().is_some_and(|it| it.is_arm() != arm);
    let other = asked.iter().zip(&types).find_map(|(asked, it)| is_other(it).then_some(asked));
    if let Some(other) = other.filter(|_| first.is_some()) {
        let of = |arm| if arm { "arm64" } else { "x86" };
        report.add(
            Finding::new("cluster/architecture", format!("`{name}` mixes processor architectures"))
                .at(other.span(), format!("this is {}, the first type is {}", of(!arm), of(arm)))
                .help("use one node group for each architecture: a node image supports only one"),
        );
    }
    let types: Vec<InstanceType> = types.into_iter().map(Decided::value).collect();
    let types =
        if types.is_empty() { InstanceType::read(INSTANCE_TYPE).into_iter().collect() } else { types };
    let sizes: Vec<Option<InstanceSize>> = types.iter().map(instance_size).collect();
    let alike = |a: InstanceSize, b: InstanceSize| (a.processors, a.memory) == (b.processors, b.memory);
    let odd = sizes.iter().zip(asked).find_map(|(it, at)| {
        Some(((*it)?, at)).filter(|(it, _)| sizes[0].is_some_and(|first| !alike(first, *it)))
    });
    if let (Some((odd, at)), Some(first), None) = (odd, sizes[0], other) {
        let said = |it: InstanceSize| format!("{} processors and {} MiB", it.processors, it.memory);
        report.add(
            Finding::new("cluster/instance-size", format!("`{name}` mixes instance sizes"))
                .at(at.span(), format!("this has {}, the first type has {}", said(odd), said(first)))
                .help("use one node group for each size: the autoscaler calculates with the first type"),
        );
    }
    let system = value_or(&spec.system, System::default());
    let release = match (&spec.release, &spec.system) {
        (None, Some(asked)) if system == System::Bottlerocket => {
            if !report.already_reported(&["cluster", "node-groups", key, "release"]) {
                let machine = if arm { "arm64" } else { "x86_64" };
                report.add(
                    Finding::new("cluster/release-missing", format!("`release` of `{name}` is missing"))
                        .at(asked.span(), "without it, EKS uses whatever release is the newest")
                        .help(format!(
                            "add `release = \"…\"` with the version that `aws ssm get-parameter --name /aws/service/bottlerocket/aws-k8s-{version}/{machine}/latest/image_version` prints"
                        )),
                );
            }
            NodeImageRelease::default()
        }
        (None, _) => NodeImageRelease::read(&version.minor().node_image).unwrap_or_default(),
        (asked, _) => report.value(asked.as_ref()),
    };
    let min = value_or(&spec.min, MIN_NODES);
    let max = value_or(&spec.max, (min * 2).clamp(1, 450));
    let known = !report.already_reported(&["cluster", "node-groups", key]);
    if let Some(at) = spec.max.as_ref().or(spec.min.as_ref()).filter(|_| max < min && known) {
        report.add(
            Finding::new("cluster/nodes", format!("`{name}` has `min = {min}` and `max = {max}`"))
                .at(at.span(), "`max` is smaller than `min`")
                .help(format!("write `max = {min}` or more")),
        );
    }
    NodeGroup {
        name,
        instance_types: types.iter().map(|it| Text::ours(it.to_string())).collect(),
        instance_size: sizes.first().copied().flatten(),
        pods: sizes.iter().flatten().map(|it| it.pods).max(),
        types,
        system,
        release,
        arm,
        capacity: value_or(&spec.capacity, Capacity::default()),
        min,
        max,
        disk: value_or(&spec.disk, DISK),
    }
}

fn instance_size(of: &InstanceType) -> Option<InstanceSize> {
    let (family, size) = of.parts();
    Catalogue::get().instance_size(family, size)
}

impl NodeGroup {
    /// Whether its nodes run Bottlerocket.
    pub fn bottlerocket(&self) -> bool {
        self.system == System::Bottlerocket
    }

    /// The AMI type of EKS.
    pub fn image(&self) -> &'static str {
        match (self.system, self.arm) {
            (System::Al2023, false) => "AL2023_x86_64_STANDARD",
            (System::Al2023, true) => "AL2023_ARM_64_STANDARD",
            (System::Bottlerocket, false) => "BOTTLEROCKET_x86_64",
            (System::Bottlerocket, true) => "BOTTLEROCKET_ARM_64",
        }
    }

    /// The device of the disk for containers.
    pub fn device(&self) -> &'static str {
        if self.bottlerocket() { "/dev/xvdb" } else { "/dev/xvda" }
    }
}
