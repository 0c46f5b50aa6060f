//! Where the repositories live, and how GitHub names them to AWS.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    diagnostics::{Finding, Report},
    source::{Decided, Located, value_or},
    words::{Owner, Repository, Text},
};

/// Where the repositories live.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The user or organization that owns the repositories.
    #[schemars(required)]
    pub owner: Option<Located<String>>,
    /// What the two repositories of the platform are called.
    pub repositories: Option<Repositories>,
    /// What GitHub calls the owner and the repository by number.
    pub ids: Option<Ids>,
    /// Who makes the provider in AWS that vouches for GitHub's tokens: an account can have only one.
    /// The first environment of each account, if you do not say.
    pub oidc_provider: Option<Located<OidcProvider>>,
    /// The number (App ID) of the GitHub App as which Flux reads the manifests: installed at the owner, with read access
    /// to the contents of that repository. A deploy key, if you do not say.
    #[schemars(range(min = 1))]
    pub app: Option<Located<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OidcProvider {
    /// The first environment of each account makes it; the others refer to it.
    Create,
    /// It exists already; all refer to it.
    Existing,
}

/// What the two repositories of the platform are called. Their folders have the same names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repositories {
    /// Holds the Terraform code. `infrastructure`, if you do not say.
    pub infrastructure: Option<Located<String>>,
    /// Holds what Flux syncs. `kubernetes-manifest`, if you do not say.
    pub kubernetes_manifest: Option<Located<String>>,
}

/// What GitHub calls the owner and the repository by number: `gh api repos/OWNER/REPOSITORY --jq '.owner.id, .id'`.
/// Tokens of repositories made since 2026-07-15 carry both (github/docs `oidc.md`, 2026-08).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ids {
    /// The owner's number.
    #[schemars(required, range(min = 1))]
    pub owner: Option<Located<u64>>,
    /// The number of the repository with the Terraform code.
    #[schemars(required, range(min = 1))]
    pub infrastructure: Option<Located<u64>>,
}

#[derive(Clone, Debug)]
pub struct Github {
    pub owner: Owner,
    pub infrastructure: Decided<Repository>,
    pub manifests: Decided<Repository>,
    /// Owner and infrastructure repository by number.
    pub ids: Option<(u64, u64)>,
    pub oidc_provider: OidcProvider,
    /// The App as which Flux reads. None if it has a deploy key.
    pub app: Option<u64>,
}

/// A repository as `OWNER/NAME`.
pub struct Slug<'a>(&'a Owner, &'a Repository);

impl Github {
    pub fn resolve(spec: Option<&Spec>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let owner: Owner = report.value(spec.owner.as_ref());
        let names = spec.repositories.unwrap_or_default();
        let mut named = |asked, default| report.read_or(asked, Repository::ours(default));
        let infrastructure = named(names.infrastructure.as_ref(), "infrastructure");
        let manifests = named(names.kubernetes_manifest.as_ref(), "kubernetes-manifest");
        if let Some(asked) = names.kubernetes_manifest.as_ref().or(names.infrastructure.as_ref())
            && let (Some(infrastructure), Some(manifests)) = (infrastructure.sound(), manifests.sound())
            && infrastructure.same(manifests)
        {
            report.add(
                Finding::new("github/repositories", format!("two repositories would be `{infrastructure}`"))
                    .at(asked.span(), "the other repository of the platform has this name")
                    .help("give each a name of its own"),
            );
        }
        let ids = spec.ids.and_then(|ids| Some((*ids.owner?, *ids.infrastructure?)));
        if let (None, Some(owner)) = (ids, &spec.owner.filter(|_| !report.excused(&["github", "ids"]))) {
            report.add(
                Finding::warning("github/ids", "GitHub's own numbers are not known")
                    .at(owner.span(), "repositories made since 2026-07-15 name them to AWS")
                    .help(
                        "after making the repository, ask for its sub_claim_prefix: `gh api repos/OWNER/REPOSITORY/actions/oidc/customization/sub`; \
                         if it has numbers, add them as `[github.ids]` with `owner` and `infrastructure`",
                    ),
            );
        }
        let oidc_provider = value_or(&spec.oidc_provider, OidcProvider::Create);
        let app = spec.app.map(|app| *app);
        Self { owner, infrastructure, manifests, ids, oidc_provider, app }
    }

    /// Where Flux reads the manifests: an App speaks HTTPS, a deploy key SSH.
    pub fn manifests_url(&self) -> Text {
        match self.app {
            Some(_) => Text::ours(format!("https://github.com/{}.git", self.slug(&self.manifests))),
            None => self.manifests_ssh(),
        }
    }

    /// Where a deploy key leads to.
    pub fn manifests_ssh(&self) -> Text {
        Text::ours(format!("ssh://git@github.com/{}.git", self.slug(&self.manifests)))
    }

    pub fn slug<'a>(&'a self, repository: &'a Repository) -> Slug<'a> {
        Slug(&self.owner, repository)
    }

    /// How a token of the infrastructure repository begins its subject: `repo:OWNER/NAME`, or with numbers.
    pub fn subject(&self) -> String {
        let Self { owner, infrastructure, .. } = self;
        match self.ids {
            None => format!("repo:{owner}/{infrastructure}"),
            Some((by, of)) => format!("repo:{owner}@{by}/{infrastructure}@{of}"),
        }
    }
}

impl fmt::Display for Slug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}
