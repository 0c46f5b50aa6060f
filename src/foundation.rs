//! The facts that everything else may stand on. What runs on them is decided elsewhere.

use std::fmt;

use crate::{
    catalogue::{Catalogue, Region},
    cluster::Cluster,
    github::{Github, OidcProvider},
    network::Network,
    words::{Account, Name, Repository, Text},
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
    pub account: Account,
    pub region: Region,
    pub network: Network,
    pub cluster: Cluster,
    pub github: Github,
    /// The first environment of an account makes what an account has only once.
    pub first_of_account: bool,
    pub catalogue: &'static Catalogue,
}

impl Foundation {
    /// Where the image of an application is kept: without a tag, and in small letters, as registries want it.
    pub fn image(&self, repository: &Repository) -> String {
        format!("ghcr.io/{}/{}", self.github.owner.lower(), repository.lower())
    }
}

impl Foundation {
    /// As Docker names them: `linux/amd64,linux/arm64`.
    pub fn platforms(&self) -> Text {
        let platforms: Vec<String> = self.architectures.iter().map(|it| format!("linux/{it}")).collect();
        Text::ours(platforms.join(","))
    }

    /// The words of a list in a shell: `amd64 arm64`.
    pub fn architecture_words(&self) -> Text {
        Text::ours(self.architectures.join(" "))
    }
}

impl Environment {
    /// What the names of everything in this environment begin with, and the name of its cluster: for
    /// Terraform, which makes it, and for the manifests, which find it.
    pub fn prefix(&self) -> String {
        format!("{}-{}", self.platform, self.name)
    }

    /// Whether its bootstrap stack makes the provider that vouches for GitHub's tokens.
    pub fn makes_provider(&self) -> bool {
        self.first_of_account && self.github.oidc_provider == OidcProvider::Create
    }

    /// What Flux syncs into the cluster.
    pub fn cluster_folder(&self) -> String {
        format!("clusters/{}", self.name)
    }

    /// The name of a role of this environment.
    pub fn role(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix())
    }

    pub fn role_arn(&self, what: &str) -> Text {
        Text::ours(format!("arn:aws:iam::{}:role/{}", self.account, self.role(what)))
    }

    /// Buckets share one name space with the whole world, so the account is part of the name.
    pub fn state_bucket(&self) -> String {
        format!("{}-tfstate-{}", self.prefix(), self.account)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
