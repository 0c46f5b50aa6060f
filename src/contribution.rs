//! What one component adds to an environment. It is typed, so that files about all components can be computed. Components never
//! name each other; a contribution contains everything that others need to know about a component.

use std::{collections::BTreeMap, fmt};

use crate::{
    layer::Layer,
    page::{Page, Place},
    rights::{self, Rights},
    words::{AddonVersion, Atomic, Bare, Bareword, Domain, Hcl, Label, Name, Text},
};

/// Everything that one component adds to an environment.
#[derive(Debug)]
pub struct Contribution {
    /// Its name in a blueprint.
    pub name: &'static str,
    /// What it does, in one line: its row in the tables of the READMEs.
    pub about: &'static str,
    /// Its own needs, which enable other components.
    pub needs: Vec<Needed>,
    /// Layers that exist only for it, besides those of its releases.
    pub layers: &'static [&'static Layer],
    /// Helm releases that Flux installs.
    pub releases: Vec<HelmRelease>,
    /// The row of the catalogue with the definitions of its custom resources.
    pub definitions: Option<&'static str>,
    /// Its namespaces, besides those of its releases.
    pub namespaces: Vec<Namespace>,
    /// An add-on that EKS installs.
    pub addon: Option<Addon>,
    /// Its identity in AWS. None if it makes no requests to AWS.
    pub identity: Option<Identity>,
    /// The permissions that it needs besides those of its identity.
    pub rights: Rights,
    /// Whether it writes into the bucket of access logs.
    pub bucket: bool,
    /// Whether it monitors the other components.
    pub is_monitoring: bool,
    /// Whether the runbook installs it, because nothing in the cluster can install it.
    pub first: bool,
    /// Secrets that its namespace reads.
    pub secrets: Vec<Secret>,
    /// Its host names.
    pub hosts: Vec<Domain>,
    /// Names that no application may have, because resources with these names have permissions that applications must not get.
    pub reserved: &'static [&'static str],
    /// Its own pages.
    pub pages: Vec<Page>,
    /// Its monitors, dashboards and alert rules. They are rendered only if a component monitors the cluster.
    pub monitoring: Vec<Page>,
}

/// A component in the READMEs.
#[derive(Clone, Debug)]
pub struct ComponentSummary {
    /// Its name in a blueprint.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: Label,
    /// The Helm releases that Flux installs.
    pub releases: Vec<HelmRelease>,
    /// The row of the catalogue with the definitions of its custom resources. None if it has none.
    pub definitions: Option<&'static str>,
    /// Whether it monitors the other components.
    pub is_monitoring: bool,
    addon: bool,
    manifest: bool,
}

impl ComponentSummary {
    /// The summary of a contribution.
    pub fn of(contribution: &Contribution) -> Self {
        let Contribution { name, about, releases, definitions, is_monitoring, addon, .. } = contribution;
        Self {
            name,
            about: Label::ours(about),
            releases: releases.clone(),
            definitions: *definitions,
            is_monitoring: *is_monitoring,
            addon: addon.is_some(),
            manifest: contribution.has_manifests() && !contribution.first,
        }
    }

    /// Who installs it.
    pub fn installer(&self) -> Label {
        let layers = Label::list(" and ", self.releases.iter().map(|it| it.layer));
        match self.releases.len() {
            0 if self.addon => Label::ours("EKS, as an add-on"),
            0 if self.manifest => Label::ours("Flux, from plain manifests"),
            0 => Label::ours("its operator, which Terraform installs first"),
            1 => Label::ours("Flux, in the layer ").and(&layers),
            _ => Label::ours("Flux, in the layers ").and(&layers),
        }
    }
}

/// A chart of an exact version, installed by Flux.
#[derive(Clone, Debug)]
pub struct HelmRelease {
    /// The name of its folder and of its HelmRelease.
    pub name: &'static str,
    /// The name of the HelmRepository of its chart. Releases of one namespace share it if their charts are in one repository: its
    /// index may have many megabytes, and each HelmRepository fetches it again. In a registry each chart has its own source, with
    /// the name of the release.
    pub source: &'static str,
    /// The layer of the release. Other pages of the component may be in later layers.
    pub layer: &'static Layer,
    /// The component's own namespace, with the service account that installs it.
    pub namespace: &'static str,
    /// The Pod Security Standard of its namespace.
    pub pods: PodSecurity,
    /// The repository of charts: `https://…`, or `oci://…` for a registry, without the name of the chart.
    pub url: Text,
    /// The name of the chart in the repository.
    pub chart: &'static str,
    /// The exact version of the chart.
    pub version: String,
    /// What a person adds to the values.
    pub values: toml::Table,
}

/// A namespace of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name in Kubernetes.
    pub name: &'static str,
    /// Its Pod Security Standard.
    pub pods: PodSecurity,
    /// Whether a service account there installs releases.
    pub installs: bool,
}

/// The Pod Security Standard of a namespace: which pods it admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodSecurity {
    /// Only pods without privileges and without access to their node.
    #[default]
    Restricted,
    /// Any pod: for pods that read data of their node.
    Privileged,
}

/// An add-on of EKS at an exact version.
#[derive(Clone, Debug)]
pub struct Addon {
    /// Its name in EKS.
    pub name: &'static str,
    /// The exact version, such as `v1.22.4-eksbuild.3`.
    pub version: AddonVersion,
    /// Whether nodes need it to become ready. The other add-ons need nodes to become active.
    pub before_nodes: bool,
    /// An object in HCL. Default: the configuration that EKS chooses.
    pub configuration: Option<Hcl>,
}

/// The IAM role of a workload, and its permissions.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The end of the role's name.
    pub role: &'static str,
    /// The namespace of the service account.
    pub namespace: &'static str,
    /// The service account of the pods that use the role.
    pub service_account: &'static str,
    /// The statements of the role's policy.
    pub statements: Vec<Statement>,
}

/// One permission.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its name, in one word.
    pub sid: &'static str,
    /// IAM actions, such as `s3:GetObject`.
    pub actions: &'static [&'static str],
    /// ARNs or patterns of ARNs, as expressions in HCL.
    pub resources: Vec<Hcl>,
    /// All of them must be true.
    pub conditions: Vec<Condition>,
}

/// A condition of a permission.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Such as `StringEquals`.
    pub test: &'static str,
    /// A string in HCL.
    pub key: Hcl,
    /// The value that the key is compared with, as an expression in HCL.
    pub value: Hcl,
}

/// A secret value in Parameter Store, and who writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    /// The namespace whose secret store reads it: the first part of its path after platform and environment.
    pub namespace: Bareword,
    /// The rest of its path, such as `grafana/admin-password`.
    pub key: String,
    /// Who writes the value.
    pub writer: Writer,
    /// A description in one line: its row in the runbook and in preflight.
    pub about: &'static str,
}

/// The numbers of a generated secret that exist: the one in use, and the previous one for pods that still read it. A new value
/// has a new number, and so a new name, because it cannot replace another one: Parameter Store requires 30 seconds between the
/// deletion of a name and its next use (AWS Systems Manager API, DeleteParameter), and the provider overwrites a value without
/// its KMS key (hashicorp/aws 6.47, internal/service/ssm/parameter.go), so that AWS uses the default key.
pub fn numbers(current: u32) -> Vec<u32> {
    (current.saturating_sub(1).max(1)..=current).collect()
}

/// Who writes a secret. No repository and no state contains its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// Terraform generates it, and does not keep it in its state.
    Terraform,
    /// A person puts it into Parameter Store once. preflight checks that it exists.
    Person,
}

/// A requirement of a part of the platform, which one of several components may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Pods have addresses in the network, and network policies are enforced.
    PodNetwork,
    /// Services have addresses.
    ServiceNetwork,
    /// Services have names.
    Names,
    /// Claims become volumes.
    Volumes,
    /// Pods have IAM roles.
    Identities,
    /// The manifests in Git are applied to the cluster.
    Delivery,
    /// The CPU and memory usage of pods is measured.
    Usage,
    /// Node groups grow and shrink with the requests of pods.
    NodeScaling,
    /// Spare capacity is reserved for new pods.
    SpareCapacity,
    /// Secrets come from Parameter Store.
    Secrets,
    /// An Ingress gets a load balancer.
    LoadBalancers,
    /// A host name gets a DNS record.
    Records,
    /// There are metrics, dashboards and alerts.
    Monitoring,
    /// CloudWatch metrics are available in the cluster.
    CloudMetrics,
}

/// A need, and what has it.
#[derive(Clone, Debug)]
pub struct Needed {
    /// The need.
    pub need: Need,
    /// What has the need, in the words of a finding, such as "application `shop`, which has a host".
    pub by: String,
}

impl Contribution {
    /// An empty contribution.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            about: "",
            needs: Vec::new(),
            layers: &[],
            releases: Vec::new(),
            definitions: None,
            namespaces: Vec::new(),
            addon: None,
            identity: None,
            rights: Rights::default(),
            bucket: false,
            is_monitoring: false,
            first: false,
            secrets: Vec::new(),
            hosts: Vec::new(),
            reserved: &[],
            pages: Vec::new(),
            monitoring: Vec::new(),
        }
    }

    /// Whether EKS or a manifest installs it in the cluster.
    pub fn is_installed(&self) -> bool {
        !self.releases.is_empty() || self.addon.is_some() || self.has_manifests()
    }

    /// The namespace from which it monitors the other components, if it does.
    pub fn monitoring_namespace(&self) -> Option<&'static str> {
        self.namespaces().first().map(|it| it.name).filter(|_| self.is_monitoring)
    }

    fn has_manifests(&self) -> bool {
        self.pages.iter().any(|page| page.place == Place::Manifests)
    }

    /// All permissions that it needs. The permissions boundary allows what its identity is granted.
    pub fn rights(&self) -> Rights {
        let granted = self.identity.iter().flat_map(|it| &it.statements);
        let open = granted.filter_map(|it| {
            let actions: Vec<&str> = it.actions.iter().copied().filter(|it| !is_narrow(it)).collect();
            (!actions.is_empty()).then(|| rights::Statement::uses(&actions))
        });
        let uses = open.chain(self.rights.uses.iter().cloned()).collect();
        Rights { uses, ..self.rights.clone() }
    }

    /// The namespaces of its releases and of its other pods, without duplicates.
    pub fn namespaces(&self) -> Vec<Namespace> {
        let mut namespaces = self.namespaces.clone();
        for HelmRelease { namespace, pods, .. } in &self.releases {
            match namespaces.iter_mut().find(|it| it.name == *namespace) {
                Some(known) => *known = Namespace { pods: known.pods.max(*pods), installs: true, ..*known },
                None => namespaces.push(Namespace { name: namespace, pods: *pods, installs: true }),
            }
        }
        namespaces
    }
}

/// Whether the boundary allows an action only on the component's own resources, because it passes on permissions.
fn is_narrow(action: &str) -> bool {
    ["iam:Create", "sts:"].iter().any(|it| action.starts_with(it))
}

impl HelmRelease {
    /// Whether its chart is in a registry. Then it needs an OCIRepository and a `chartRef`: Flux's documentation prefers these to a
    /// HelmRepository of the type `oci` (fluxcd/source-controller docs/spec/v1/helmrepositories.md, fluxcd/helm-controller
    /// docs/spec/v2/helmreleases.md).
    pub fn is_oci(&self) -> bool {
        self.url.begins_with("oci://")
    }

    /// The name of the object that fetches its chart.
    pub fn source_name(&self) -> &'static str {
        if self.is_oci() { self.name } else { self.source }
    }

    /// The URL from which that object fetches.
    pub fn source_url(&self) -> Text {
        if self.is_oci() { Text::joined(&self.url, "/", &Text::ours(self.chart)) } else { self.url.clone() }
    }

    /// Its version as a tag: a tag cannot contain `+`, for which Helm writes `_` when it pushes a chart (helm/helm pkg/registry).
    pub fn tag(&self) -> String {
        self.version.replace('+', "_")
    }

    /// The place of its version, for readers: the key, and the file in the folder of the release.
    pub fn pin(&self) -> (&'static str, &'static str) {
        if self.is_oci() { ("tag", "source.yaml") } else { ("version", "release.yaml") }
    }
}

impl Identity {
    /// The name of its role in Terraform.
    pub fn resource(&self) -> String {
        self.role.replace('-', "_")
    }
}

impl Secret {
    /// `/PLATFORM/ENVIRONMENT/NAMESPACE/KEY`. Each reader may read only the path of its namespace.
    pub fn path(&self, platform: &Name, environment: &Name) -> String {
        format!("/{platform}/{environment}/{}/{}", self.namespace, self.key)
    }

    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// Its name in Terraform.
    pub fn resource(&self) -> String {
        self.name().replace('-', "_")
    }
}

impl Writer {
    /// The name of the writer in READMEs, where a person is `you`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terraform => "Terraform",
            Self::Person => "you",
        }
    }
}

impl Secret {
    /// The field `about`, for templates.
    pub fn description(&self) -> Text {
        Text::ours(self.about)
    }

    /// Its folder below platform and environment: `monitoring/grafana`.
    pub fn folder(&self) -> String {
        let first = self.key.split('/').next().unwrap_or_default();
        format!("{}/{first}", self.namespace)
    }
}

impl Statement {
    /// The actions, for templates.
    pub fn actions(&self) -> Vec<Text> {
        self.actions.iter().map(|action| Text::ours(*action)).collect()
    }

    /// Its conditions by test, as in an IAM policy.
    pub fn tests(&self) -> BTreeMap<&'static str, Vec<&Condition>> {
        let mut tests: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for condition in &self.conditions {
            tests.entry(condition.test).or_default().push(condition);
        }
        tests
    }
}

impl Atomic for PodSecurity {}
impl Bare for PodSecurity {}

impl fmt::Display for PodSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restricted => "restricted",
            Self::Privileged => "privileged",
        })
    }
}
