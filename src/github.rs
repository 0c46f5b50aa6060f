//! The GitHub owner and repositories, and how GitHub's tokens name them to AWS.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    diagnostics::{Finding, Report},
    source::{Decided, Located, value_or},
    words::{BlueprintPath, Commit, GitUrl, GithubOwner, Repository, Text, patterns::Spelled},
};

/// The GitHub owner and repositories.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The user or organization that owns the repositories.
    #[schemars(required, with = "Option<Spelled<GithubOwner>>")]
    pub owner: Option<Located<String>>,
    /// The names of the platform's two repositories.
    pub repositories: Option<Repositories>,
    /// The numeric ids of the owner and of the repository for the Terraform code.
    pub ids: Option<Ids>,
    /// Who creates the IAM OIDC provider for GitHub's tokens. An account can have only one.
    #[schemars(extend("default" = OidcProvider::default()))]
    pub oidc_provider: Option<Located<OidcProvider>>,
    /// The App ID of the GitHub App with which Flux reads the manifests. The app is installed for the owner and may read the
    /// contents of that repository. Default: none, Flux uses a deploy key.
    #[schemars(range(min = 1))]
    pub app: Option<Located<u64>>,
    /// The workflows of the repository that contains the blueprint.
    pub review: Option<ReviewSpec>,
}

/// Who creates the IAM OIDC provider for GitHub's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OidcProvider {
    /// The bootstrap stack of the first environment in each account creates it; the other environments refer to it.
    #[default]
    Create,
    /// It already exists, and all environments refer to it.
    Existing,
}

/// The names of the platform's two repositories. Their folders have the same names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repositories {
    /// The repository for the Terraform code.
    #[schemars(with = "Option<Spelled<Repository>>", extend("default" = INFRASTRUCTURE))]
    pub infrastructure: Option<Located<String>>,
    /// The repository for the manifests that Flux syncs.
    #[schemars(with = "Option<Spelled<Repository>>", extend("default" = MANIFESTS))]
    pub kubernetes_manifest: Option<Located<String>>,
    /// The repository of the same owner that contains this blueprint. The READMEs and locks of all repositories name it. Default:
    /// none.
    #[schemars(with = "Option<Spelled<Repository>>")]
    pub blueprint: Option<Located<String>>,
}

const INFRASTRUCTURE: &str = "infrastructure";
const MANIFESTS: &str = "kubernetes-manifest";

/// The numeric ids of the owner and of the repository for the Terraform code: `gh api repos/OWNER/REPOSITORY --jq '.owner.id, .id'`.
/// Tokens of repositories created since 2026-07-15 contain both (github/docs `oidc.md`, 2026-08).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ids {
    /// The id of the owner.
    #[schemars(required, range(min = 1))]
    pub owner: Option<Located<u64>>,
    /// The id of the repository for the Terraform code.
    #[schemars(required, range(min = 1))]
    pub infrastructure: Option<Located<u64>>,
}

/// The workflows of the repository that contains the blueprint. Each pull request has a comment that shows what it changes in all
/// repositories. After the merge, each repository that changes has a pull request. It requires `blueprint` in `[github.repositories]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReviewSpec {
    /// The Git repository from which the workflow installs blueprint.
    #[schemars(required, with = "Option<Spelled<GitUrl>>")]
    pub source: Option<Located<String>>,
    /// The commit of that repository. A pull request that changes it shows what the other version renders.
    #[schemars(required, with = "Option<Spelled<Commit>>")]
    pub revision: Option<Located<String>>,
    /// The path of this file in the repository that contains it.
    #[schemars(with = "Option<Spelled<BlueprintPath>>", extend("default" = FILE))]
    pub file: Option<Located<String>>,
}

const FILE: &str = "blueprint.toml";

/// The resolved workflow. Where the program comes from is read from the blueprint when the workflow runs.
#[derive(Clone, Debug)]
pub struct Review {
    /// The repository that contains the blueprint.
    pub repository: Repository,
    /// The path of the blueprint in it.
    pub file: BlueprintPath,
}

/// The resolved GitHub owner and repositories.
#[derive(Clone, Debug)]
pub struct Github {
    /// The user or organization that owns the repositories.
    pub owner: GithubOwner,
    /// The repository for the Terraform code.
    pub infrastructure: Decided<Repository>,
    /// The repository for the manifests that Flux syncs.
    pub manifests: Decided<Repository>,
    /// The repository that contains the blueprint, if it is known.
    pub blueprint: Option<Repository>,
    /// The workflow of that repository. None without `[github.review]`.
    pub review: Option<Review>,
    /// The numeric ids of the owner and of the infrastructure repository.
    pub ids: Option<(u64, u64)>,
    /// Who creates the IAM OIDC provider for GitHub's tokens.
    pub oidc_provider: OidcProvider,
    /// The App ID with which Flux reads. None if it uses a deploy key.
    pub app: Option<u64>,
}

/// A repository as `OWNER/NAME`.
pub struct Slug<'a>(&'a GithubOwner, &'a Repository);

impl Github {
    /// Reports equal names of the two repositories, and warns if the ids are missing.
    pub fn resolve(spec: Option<&Spec>, report: &mut Report) -> Self {
        let spec = spec.cloned().unwrap_or_default();
        let owner: GithubOwner = report.value(spec.owner.as_ref());
        let names = spec.repositories.unwrap_or_default();
        let mut named = |asked, default| report.read_or(asked, Repository::ours(default));
        let infrastructure = named(names.infrastructure.as_ref(), INFRASTRUCTURE);
        let manifests = named(names.kubernetes_manifest.as_ref(), MANIFESTS);
        if let Some(asked) = names.kubernetes_manifest.as_ref().or(names.infrastructure.as_ref())
            && let (Some(infrastructure), Some(manifests)) = (infrastructure.valid(), manifests.valid())
            && infrastructure.same(manifests)
        {
            report.add(
                Finding::new(
                    "github/repositories",
                    format!("both repositories are named `{infrastructure}`"),
                )
                .at(asked.span(), "the other repository of the platform has the same name")
                .help("use two different names"),
            );
        }
        let blueprint =
            names.blueprint.as_ref().and_then(|asked| report.try_read::<Repository>(asked).zip(Some(asked)));
        if let Some((blueprint, asked)) = &blueprint
            && [&infrastructure, &manifests]
                .iter()
                .any(|it| it.valid().is_some_and(|it| it.lower() == blueprint.lower()))
        {
            report.add(
                Finding::new("github/blueprint", format!("the blueprint cannot be in `{blueprint}`"))
                    .at(asked.span(), "this repository is rendered")
                    .help("keep the blueprint in a repository of its own"),
            );
        }
        let blueprint = blueprint.map(|(blueprint, _)| blueprint);
        let review =
            spec.review.and_then(|asked| Review::resolve(&asked, &names.blueprint, &blueprint, report));
        let ids = spec.ids.and_then(|ids| Some((*ids.owner?, *ids.infrastructure?)));
        if let (None, Some(owner)) =
            (ids, &spec.owner.filter(|_| !report.already_reported(&["github", "ids"])))
        {
            report.add(
                Finding::warning("github/ids", "`[github.ids]` is missing")
                    .at(owner.span(), "tokens of repositories created since 2026-07-15 contain these ids")
                    .help(
                        "create the repository, then run `gh api repos/OWNER/REPOSITORY/actions/oidc/customization/sub`; \
                         if `sub_claim_prefix` contains numbers, add them as `[github.ids]` with `owner` and `infrastructure`",
                    ),
            );
        }
        let oidc_provider = value_or(&spec.oidc_provider, OidcProvider::default());
        let app = spec.app.map(|app| *app);
        Self { owner, infrastructure, manifests, blueprint, review, ids, oidc_provider, app }
    }

    /// The URL from which Flux reads the manifests: HTTPS for an app, SSH for a deploy key.
    pub fn manifests_url(&self) -> Text {
        match self.app {
            Some(_) => Text::ours(format!("https://github.com/{}.git", self.slug(&self.manifests))),
            None => self.manifests_ssh(),
        }
    }

    /// The URL for a deploy key.
    pub fn manifests_ssh(&self) -> Text {
        Text::ours(format!("ssh://git@github.com/{}.git", self.slug(&self.manifests)))
    }

    /// A repository of the owner, as `OWNER/NAME`.
    pub fn slug<'a>(&'a self, repository: &'a Repository) -> Slug<'a> {
        Slug(&self.owner, repository)
    }

    /// The start of the subject of a token of the infrastructure repository: `repo:OWNER/NAME`, or with ids.
    pub fn subject(&self) -> String {
        let Self { owner, infrastructure, .. } = self;
        match self.ids {
            None => format!("repo:{owner}/{infrastructure}"),
            Some((by, of)) => format!("repo:{owner}@{by}/{infrastructure}@{of}"),
        }
    }
}

impl Review {
    /// `named` is the name as written, which may be invalid.
    fn resolve(
        spec: &ReviewSpec,
        named: &Option<Located<String>>,
        repository: &Option<Repository>,
        report: &mut Report,
    ) -> Option<Self> {
        let _: GitUrl = report.value(spec.source.as_ref());
        let _: Commit = report.value(spec.revision.as_ref());
        let file = match &spec.file {
            None => BlueprintPath::ours(FILE),
            Some(file) => report.value(Some(file)),
        };
        let reported = report.already_reported(&["github", "repositories"]);
        if let (None, Some(source)) = (named, spec.source.as_ref().filter(|_| !reported)) {
            report.add(
                Finding::new(
                    "github/review",
                    "`[github.review]` requires the repository that contains the blueprint",
                )
                .at(source.span(), "the workflow is rendered into that repository")
                .help("add `blueprint = \"NAME\"` to `[github.repositories]`"),
            );
        }
        repository.clone().map(|repository| Self { repository, file })
    }
}

impl fmt::Display for Slug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}
