//! What one component adds to an environment: typed, so that files which many share can be computed
//! from all of them. Components never name each other; what others must know of one, it contributes.

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
    /// As a blueprint names it.
    pub name: &'static str,
    /// What it does, in one line: its row in the tables of the READMEs.
    pub about: &'static str,
    /// The needs that it has itself, which enable other components.
    pub needs: Vec<Needed>,
    /// Layers that a platform has only because of it, beside those of its releases.
    pub layers: &'static [&'static Layer],
    /// Helm releases that Flux installs.
    pub releases: Vec<HelmRelease>,
    /// The row of the catalogue with the definitions of the custom resources that it brings.
    pub definitions: Option<&'static str>,
    /// Namespaces of its own that no release has.
    pub namespaces: Vec<Namespace>,
    /// An add-on that EKS installs.
    pub addon: Option<Addon>,
    /// Its identity in AWS. None if it makes no requests to AWS.
    pub identity: Option<Identity>,
    /// What must be allowed for it beside what its identity is granted.
    pub rights: Rights,
    /// Whether it writes into the bucket of access logs.
    pub bucket: bool,
    /// Whether it watches the others.
    pub watches: bool,
    /// Whether the runbook installs it, because nothing in the cluster can before it is there.
    pub first: bool,
    /// Secrets that its namespace reads.
    pub secrets: Vec<Secret>,
    /// Hosts that lead to it.
    pub hosts: Vec<Domain>,
    /// Names that no application may have: what goes by them has rights that none should share.
    pub reserved: &'static [&'static str],
    /// What only it has.
    pub pages: Vec<Page>,
    /// What it adds where somebody watches: what to measure of it, and when to call a person.
    pub watched: Vec<Page>,
}

/// A component as a reader of the READMEs sees it.
#[derive(Clone, Debug)]
pub struct ComponentSummary {
    /// As a blueprint names it.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: Label,
    /// The Helm releases that Flux installs.
    pub releases: Vec<HelmRelease>,
    /// The row of the catalogue with the definitions of its custom resources. None if it has none.
    pub definitions: Option<&'static str>,
    /// Whether it watches the others.
    pub watches: bool,
    addon: bool,
    manifest: bool,
}

impl ComponentSummary {
    /// The summary of a contribution.
    pub fn of(contribution: &Contribution) -> Self {
        let Contribution { name, about, releases, definitions, watches, addon, .. } = contribution;
        Self {
            name,
            about: Label::ours(about),
            releases: releases.clone(),
            definitions: *definitions,
            watches: *watches,
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
    /// Its folder, and what its HelmRelease is called.
    pub name: &'static str,
    /// What the HelmRepository of its chart is called. Releases of one namespace whose charts lie in one repository share it: its index
    /// may have many megabytes, and each HelmRepository fetches it again. In a registry each chart has a source of its own, which is
    /// called like the release.
    pub source: &'static str,
    /// Where it is installed. Other pages of the component may lie in later layers.
    pub layer: &'static Layer,
    /// The component's own, with the service account that installs it.
    pub namespace: &'static str,
    /// The pods that its namespace admits.
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
    /// The pods that it admits.
    pub pods: PodSecurity,
    /// Whether a service account there installs releases.
    pub installs: bool,
}

/// Which pods a namespace admits, by the standards that Kubernetes calls so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodSecurity {
    /// Only pods without privileges and without access to their node.
    #[default]
    Restricted,
    /// Any pod: for those that look at their node.
    Privileged,
}

/// An add-on of EKS at an exact version.
#[derive(Clone, Debug)]
pub struct Addon {
    /// As EKS names it.
    pub name: &'static str,
    /// The exact version, such as `v1.22.4-eksbuild.3`.
    pub version: AddonVersion,
    /// Nodes need it to become ready. The others need nodes to become active.
    pub before_nodes: bool,
    /// An object in HCL. What EKS chooses by itself, if there is none.
    pub configuration: Option<Hcl>,
}

/// Who a workload is to AWS, and what it may do there.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The end of the role's name: what the role is for.
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
    /// What it is for, in one word.
    pub sid: &'static str,
    /// IAM actions, such as `s3:GetObject`.
    pub actions: &'static [&'static str],
    /// ARNs or patterns of ARNs, as expressions in HCL.
    pub resources: Vec<Hcl>,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// When a permission holds.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Such as `StringEquals`.
    pub test: &'static str,
    /// A string in HCL.
    pub key: Hcl,
    /// The value that the key is compared with, as an expression in HCL.
    pub value: Hcl,
}

/// A secret value in Parameter Store, and who keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    /// The namespace whose store reads it: the first part of its path after platform and environment.
    pub namespace: Bareword,
    /// The rest of its path, such as `grafana/admin-password`.
    pub key: String,
    /// Who writes the value.
    pub writer: Writer,
    /// What it is, in one line: its row in the runbook and in preflight.
    pub about: &'static str,
}

/// The numbers under which a secret that Terraform makes up is there: the one in use, and the one before it, for those who still
/// read that. A new value has a new number and so a new name. In place of another one it could not be written: Parameter Store
/// wants 30 seconds between the deletion of a name and its next use (AWS Systems Manager API, DeleteParameter), and the provider
/// overwrites a value without naming the key (hashicorp/aws 6.47, internal/service/ssm/parameter.go), which AWS's own replaces.
pub fn numbers(current: u32) -> Vec<u32> {
    (current.saturating_sub(1).max(1)..=current).collect()
}

/// Who writes a secret. Its value never stands in a repository or in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// Terraform makes it up and forgets it.
    Terraform,
    /// A person puts it, once: preflight says whether it is there.
    Person,
}

/// What a part of the platform cannot do without, whoever provides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Pods have addresses in the network, and network policies hold.
    PodNetwork,
    /// Services have addresses.
    ServiceNetwork,
    /// Services have names.
    Names,
    /// Claims become volumes.
    Volumes,
    /// Pods can be somebody to AWS.
    Identities,
    /// What stands in Git comes into the cluster.
    Delivery,
    /// The use of processors and memory is measured.
    Usage,
    /// Node groups grow and shrink with what has to run.
    NodeScaling,
    /// Room is kept free for what comes next.
    SpareCapacity,
    /// Secrets come from Parameter Store.
    Secrets,
    /// An Ingress becomes a load balancer.
    LoadBalancers,
    /// A host name becomes a record.
    Records,
    /// Somebody sees what goes on, and is told when it goes wrong.
    Monitoring,
    /// What only AWS can measure is measured in the cluster, too.
    CloudMetrics,
}

/// A need, and who has it.
#[derive(Clone, Debug)]
pub struct Needed {
    /// What is needed.
    pub need: Need,
    /// What has the need, as findings say it, such as "application `shop`, which has a host".
    pub by: String,
}

impl Contribution {
    /// One that adds nothing yet.
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
            watches: false,
            first: false,
            secrets: Vec::new(),
            hosts: Vec::new(),
            reserved: &[],
            pages: Vec::new(),
            watched: Vec::new(),
        }
    }

    /// Whether somebody brings it into the cluster: EKS, or a manifest.
    pub fn is_installed(&self) -> bool {
        !self.releases.is_empty() || self.addon.is_some() || self.has_manifests()
    }

    /// The namespace from which it watches the others, if it does.
    pub fn watcher(&self) -> Option<&'static str> {
        self.namespaces().first().map(|it| it.name).filter(|_| self.watches)
    }

    fn has_manifests(&self) -> bool {
        self.pages.iter().any(|page| page.place == Place::Manifests)
    }

    /// All that must be allowed for it. What its identity is granted, the boundary lets through.
    pub fn rights(&self) -> Rights {
        let granted = self.identity.iter().flat_map(|it| &it.statements);
        let open = granted.filter_map(|it| {
            let actions: Vec<&str> = it.actions.iter().copied().filter(|it| !is_narrow(it)).collect();
            (!actions.is_empty()).then(|| rights::Statement::uses(&actions))
        });
        let uses = open.chain(self.rights.uses.iter().cloned()).collect();
        Rights { uses, ..self.rights.clone() }
    }

    /// The namespaces that its releases and its other pods lie in, each once.
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

/// Whether the boundary lets an action through only on the resources that the component itself says: it hands on rights.
fn is_narrow(action: &str) -> bool {
    ["iam:Create", "sts:"].iter().any(|it| action.starts_with(it))
}

impl HelmRelease {
    /// Whether its chart lies in a registry. Flux then wants an OCIRepository and a `chartRef`: of a HelmRepository of the type
    /// `oci` its own documentation says to prefer these (fluxcd/source-controller docs/spec/v1/helmrepositories.md, fluxcd/helm-controller
    /// docs/spec/v2/helmreleases.md).
    pub fn is_oci(&self) -> bool {
        self.url.begins_with("oci://")
    }

    /// What the object is called that fetches its chart.
    pub fn source_name(&self) -> &'static str {
        if self.is_oci() { self.name } else { self.source }
    }

    /// Where that object fetches from.
    pub fn source_url(&self) -> Text {
        if self.is_oci() { Text::joined(&self.url, "/", &Text::ours(self.chart)) } else { self.url.clone() }
    }

    /// Its version as a registry knows it: a tag has no `+`, for which Helm writes `_` when it pushes a chart (helm/helm pkg/registry).
    pub fn tag(&self) -> String {
        self.version.replace('+', "_")
    }

    /// Where a person finds its version: the key, and the file in the folder of the release.
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
    /// `/PLATFORM/ENVIRONMENT/NAMESPACE/KEY`: a reader's rights end with the namespace.
    pub fn path(&self, platform: &Name, environment: &Name) -> String {
        format!("/{platform}/{environment}/{}/{}", self.namespace, self.key)
    }

    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// What Terraform calls it.
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

    /// What it lies in, below platform and environment: `monitoring/grafana`.
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

    /// Its conditions by test, as IAM lists them.
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
