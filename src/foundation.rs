//! The properties of the platform and of an environment that everything else depends on. What runs in it is decided elsewhere.

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
    rights::{Names, Rights},
    source::Decided,
    words::{Account, Atomic, Bare, Bareword, Label, Name, Repository, Text},
};

/// What all environments share. Files that belong to no environment are rendered from this alone.
#[derive(Clone, Debug)]
pub struct Foundation {
    /// The platform's name.
    pub name: Name,
    /// The purpose, as in the blueprint.
    pub purpose: Option<Text>,
    /// The GitHub owner and repositories.
    pub github: Github,
    /// The architectures of the nodes of all environments, for which images must be built.
    pub architectures: Vec<&'static str>,
    /// The versions and limits of blueprint itself.
    pub catalogue: &'static Catalogue,
}

/// The foundation of one environment. It displays as its name.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The platform's name.
    pub platform: Name,
    /// The environment's name.
    pub name: Name,
    /// The AWS account.
    pub account: Decided<Account>,
    /// The AWS region.
    pub region: Region,
    /// How IAM roles are created in the account.
    pub roles: Roles,
    /// The tags of every resource besides those of the platform.
    pub tags: Vec<Tag>,
    /// The VPC and its subnets.
    pub network: Network,
    /// The EKS cluster and its node groups.
    pub cluster: Cluster,
    /// None if no application has a database.
    pub database: Option<Database>,
    /// None without a zone.
    pub dns: Option<Dns>,
    /// The GitHub owner and repositories, which all environments share.
    pub github: Github,
    /// Whether Flux sets the tags of images.
    pub image_automation: bool,
    /// The permissions for a platform's own Terraform.
    pub grants: Rights,
    /// Whether it is the first environment of its account, which creates what an account can have only once.
    pub first_of_account: bool,
    /// The versions and limits of blueprint itself.
    pub catalogue: &'static Catalogue,
}

impl Foundation {
    /// The name of an application's image: without a tag, and in lower case, as registries require.
    pub fn image(&self, repository: &Repository) -> Bareword {
        Bareword::of("ghcr.io").and('/', self.github.owner.lower()).and('/', repository.lower())
    }
}

impl Foundation {
    /// For Docker: `linux/amd64,linux/arm64`.
    pub fn platforms(&self) -> Label {
        Label::list(",", self.architectures.iter().map(|it| Bareword::of("linux").and('/', it)))
    }

    /// Whether GitHub's runners, which are of the first architecture, must emulate another one.
    pub fn is_emulated(&self) -> bool {
        self.architectures.iter().any(|it| *it != "amd64")
    }

    /// The time limit for building, starting and scanning an image, in minutes.
    pub fn image_minutes(&self) -> u32 {
        if self.is_emulated() { 60 } else { 30 }
    }

    /// As a list in a shell: `amd64 arm64`.
    pub fn architecture_words(&self) -> Text {
        Text::ours(self.architectures.join(" "))
    }
}

impl Environment {
    /// The start of all names in this environment, and the name of its cluster: for Terraform, which
    /// creates it, and for the manifests, which refer to it.
    pub fn prefix(&self) -> Bareword {
        Bareword::of(&self.platform).and('-', &self.name)
    }

    /// The names for the statements of its policies.
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

    /// Whether its bootstrap stack creates the IAM OIDC provider for GitHub's tokens.
    pub fn makes_provider(&self) -> bool {
        self.first_of_account && self.github.oidc_provider == OidcProvider::Create
    }

    /// The variable of the infrastructure repository that a person sets once the workflows may plan this environment. Names of
    /// environments have no `_`, so two of them never share one.
    pub fn switch(&self) -> String {
        format!("BOOTSTRAPPED_{}", self.name.to_string().to_uppercase().replace('-', "_"))
    }

    /// The credential with which Flux reads Git. A person puts it before the first run, and only the apply role reads it.
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

    /// Its path in Parameter Store.
    pub fn git_credential_path(&self) -> String {
        format!("/{}/{}/flux-system/git", self.platform, self.name)
    }

    /// The folder that Flux syncs into the cluster.
    pub fn cluster_folder(&self) -> String {
        format!("clusters/{}", self.name)
    }

    /// Whether pods authenticate by EKS Pod Identity.
    pub fn pod_identity(&self) -> bool {
        self.roles.identity == WorkloadIdentity::PodIdentity
    }

    /// Whether a permission for `NAME-*` of one of them would include the other.
    pub fn nests(&self, other: &Self) -> bool {
        let within = |inner: &Self, outer: &Self| inner.prefix().starts_with(&format!("{}-", outer.prefix()));
        self.account.same(&other.account) && (within(self, other) || within(other, self))
    }

    /// Whether both have the same zone.
    pub fn same_zone(&self, other: &Self) -> bool {
        self.dns.as_ref().zip(other.dns.as_ref()).is_some_and(|(own, other)| own.zone.same(&other.zone))
    }

    /// The bucket for the logs of load balancers. Bucket names are global.
    pub fn log_bucket(&self) -> Bareword {
        self.prefix().and('-', "lb-logs").and('-', &self.account)
    }

    /// The ARN of the permissions boundary of every role that Terraform creates.
    pub fn boundary(&self) -> Text {
        let ours = || Text::ours(format!("arn:aws:iam::{}:policy/{}", self.account, self.role("boundary")));
        self.roles.boundary.as_ref().map_or_else(ours, |it| it.arn.clone())
    }

    /// The tag for the owner of the platform, unless the blueprint sets it.
    pub fn owner(&self) -> Option<Text> {
        let own = self.tags.iter().any(|tag| tag.key.same("owner"));
        (!own).then(|| Text::ours(self.github.owner.to_string()))
    }

    /// The tags of every resource besides those that name the platform.
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

    /// A role that Terraform creates.
    pub fn role_arn(&self, what: impl Atomic) -> Text {
        Text::ours(format!("arn:aws:iam::{}:role{}{}", self.account, self.roles.path, self.role(what)))
    }

    /// The role that reads the secrets of a namespace.
    pub fn reader_arn(&self, namespace: impl Atomic) -> Text {
        self.role_arn(Bareword::of("secrets").and('-', namespace))
    }

    /// Bucket names are global, so the account is part of the name.
    pub fn state_bucket(&self) -> Bareword {
        self.prefix().and('-', "tfstate").and('-', &self.account)
    }
}

/// Displays its name.
impl Atomic for Environment {}
impl Bare for Environment {}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
