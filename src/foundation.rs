//! The facts that everything else may stand on. What runs on them is decided elsewhere.

use std::fmt;

use crate::{
    aws::{Roles, Tag, WorkloadIdentity},
    catalogue::{Catalogue, Region},
    cluster::Cluster,
    contribution::{Secret, Writer},
    database::Database,
    dns::Dns,
    github::{Github, OidcProvider},
    network::Network,
    rights::Names,
    source::Decided,
    words::{Account, Atomic, Bare, Bareword, Label, Name, Repository, Text},
};

/// What all environments share. Files that belong to no environment see only this.
#[derive(Clone, Debug)]
pub struct Foundation {
    pub name: Name,
    /// What it is for, in a person's words.
    pub purpose: Option<Text>,
    pub github: Github,
    /// What images must be built for: what the nodes of any environment are.
    pub architectures: Vec<&'static str>,
    pub catalogue: &'static Catalogue,
}

/// What one environment stands on. It displays as its name.
#[derive(Clone, Debug)]
pub struct Environment {
    pub platform: Name,
    pub name: Name,
    pub account: Decided<Account>,
    pub region: Region,
    pub roles: Roles,
    /// What everything bears beside our own tags.
    pub tags: Vec<Tag>,
    pub network: Network,
    pub cluster: Cluster,
    /// There where an application keeps data.
    pub database: Option<Database>,
    /// There where the platform has a zone.
    pub dns: Option<Dns>,
    pub github: Github,
    /// Whether Flux sets tags of images by itself.
    pub image_automation: bool,
    /// The first environment of an account makes what an account has only once.
    pub first_of_account: bool,
    pub catalogue: &'static Catalogue,
}

impl Foundation {
    /// Where the image of an application is kept: without a tag, and in small letters, as registries want it.
    pub fn image(&self, repository: &Repository) -> Bareword {
        Bareword::of("ghcr.io").and('/', self.github.owner.lower()).and('/', repository.lower())
    }
}

impl Foundation {
    /// As Docker names them: `linux/amd64,linux/arm64`.
    pub fn platforms(&self) -> Label {
        Label::list(",", self.architectures.iter().map(|it| Bareword::of("linux").and('/', it)))
    }

    /// Whether GitHub's runners, which are of the first architecture, must emulate another one.
    pub fn is_emulated(&self) -> bool {
        self.architectures.iter().any(|it| *it != "amd64")
    }

    /// How long an image may take to be built, started and scanned.
    pub fn image_minutes(&self) -> u32 {
        if self.is_emulated() { 60 } else { 30 }
    }

    /// The words of a list in a shell: `amd64 arm64`.
    pub fn architecture_words(&self) -> Text {
        Text::ours(self.architectures.join(" "))
    }
}

impl Environment {
    /// What the names of everything in this environment begin with, and the name of its cluster: for
    /// Terraform, which makes it, and for the manifests, which find it.
    pub fn prefix(&self) -> Bareword {
        Bareword::of(&self.platform).and('-', &self.name)
    }

    /// What the statements of its policies are made of.
    pub fn names(&self) -> Names {
        Names {
            account: self.account.to_string(),
            region: self.region.clone(),
            platform: self.platform.clone(),
            environment: self.name.clone(),
            role_path: self.roles.path.clone(),
            boundary: self.boundary(),
            state_bucket: self.state_bucket().to_string(),
        }
    }

    /// Whether its bootstrap stack makes the provider that vouches for GitHub's tokens.
    pub fn makes_provider(&self) -> bool {
        self.first_of_account && self.github.oidc_provider == OidcProvider::Create
    }

    /// The variable of the infrastructure repository that a person sets once the workflows may plan this environment. Names of
    /// environments have no `_`, so two of them never share one.
    pub fn switch(&self) -> String {
        format!("BOOTSTRAPPED_{}", self.name.to_string().to_uppercase().replace('-', "_"))
    }

    /// What Flux reads Git with: a person puts it before the first run, and only the apply role fetches it.
    pub fn git_credential(&self) -> Vec<Secret> {
        let secret = |key: &str, about| Secret {
            namespace: Bareword::of("flux-system"),
            key: format!("git/{key}"),
            writer: Writer::Person,
            about,
        };
        match self.github.app {
            Some(_) => vec![secret(
                "app-private-key",
                "private key of the GitHub App with which Flux reads the manifests",
            )],
            None => vec![
                secret("identity", "private key of the deploy key with which Flux reads the manifests"),
                secret("known-hosts", "SSH host keys of GitHub, with which Flux verifies the host"),
            ],
        }
    }

    /// A parameter that a namespace reads.
    pub fn parameter(&self, namespace: impl Atomic, key: impl Atomic) -> Bareword {
        Bareword::of("").and('/', &self.platform).and('/', &self.name).and('/', namespace).and('/', key)
    }

    /// Where it lies in Parameter Store.
    pub fn git_credential_path(&self) -> String {
        format!("/{}/{}/flux-system/git", self.platform, self.name)
    }

    /// What Flux syncs into the cluster.
    pub fn cluster_folder(&self) -> String {
        format!("clusters/{}", self.name)
    }

    /// Whether pods prove who they are by EKS Pod Identity.
    pub fn pod_identity(&self) -> bool {
        self.roles.identity == WorkloadIdentity::PodIdentity
    }

    /// Whether what may be done to `NAME-*` of one of them would reach the other.
    pub fn nests(&self, other: &Self) -> bool {
        let within = |inner: &Self, outer: &Self| inner.prefix().starts_with(&format!("{}-", outer.prefix()));
        self.account.same(&other.account) && (within(self, other) || within(other, self))
    }

    /// Whether both would answer for the same names.
    pub fn same_zone(&self, other: &Self) -> bool {
        self.dns.as_ref().zip(other.dns.as_ref()).is_some_and(|(own, other)| own.zone.same(&other.zone))
    }

    /// The bucket that load balancers log into. Buckets share one name space with the whole world.
    pub fn log_bucket(&self) -> Bareword {
        self.prefix().and('-', "lb-logs").and('-', &self.account)
    }

    /// The ARN of the policy that limits every role that Terraform makes.
    pub fn boundary(&self) -> Text {
        let ours = || Text::ours(format!("arn:aws:iam::{}:policy/{}", self.account, self.role("boundary")));
        self.roles.boundary.as_ref().map_or_else(ours, |it| it.arn.clone())
    }

    /// The tag that says whose the platform is, if a person did not set it.
    pub fn owner(&self) -> Option<Text> {
        let own = self.tags.iter().any(|tag| tag.key.same("owner"));
        (!own).then(|| Text::ours(self.github.owner.to_string()))
    }

    /// What everything bears beside what names the platform.
    pub fn own_tags(&self) -> Vec<Tag> {
        let owner = self.owner().map(|owner| Tag { key: Text::ours("owner"), value: owner });
        owner.iter().chain(&self.tags).cloned().collect()
    }

    /// The same, as `KEY=VALUE`.
    pub fn stack_tags(&self) -> Vec<Text> {
        self.own_tags().iter().map(|tag| Text::joined(&tag.key, "=", &tag.value)).collect()
    }

    /// The name of a role of this environment.
    pub fn role(&self, what: impl Atomic) -> Bareword {
        self.prefix().and('-', what)
    }

    /// A role that Terraform makes.
    pub fn role_arn(&self, what: impl Atomic) -> Text {
        Text::ours(format!("arn:aws:iam::{}:role{}{}", self.account, self.roles.path, self.role(what)))
    }

    /// The role that reads the secrets of a namespace.
    pub fn reader_arn(&self, namespace: impl Atomic) -> Text {
        self.role_arn(Bareword::of("secrets").and('-', namespace))
    }

    /// Buckets share one name space with the whole world, so the account is part of the name.
    pub fn state_bucket(&self) -> Bareword {
        self.prefix().and('-', "tfstate").and('-', &self.account)
    }
}

/// As its name.
impl Atomic for Environment {}
impl Bare for Environment {}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
