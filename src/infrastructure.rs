//! The repository with the Terraform code. Which components there are was decided before; here all
//! that they contribute to AWS becomes one set of files.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    application::{Application, Permission, Workload, delivery, permissions::Ceiling},
    cluster::{Access, Capacity, NodeGroup},
    contribution::{Contribution, Identity, Secret, Statement, Writer},
    database::Share,
    dns::Dns,
    foundation::{Environment, Foundation},
    github::OidcProvider,
    network::Nat,
    page::Page,
    pages,
    quotas::{self, Demand, Sum},
    words::{AddonVersion, Bareword, Hcl, Repository, Text},
};

/// What belongs to no environment. `environments` is for lists that name them all; examples speak of the first.
pub fn shared(foundation: &Foundation, environments: &Vec<Environment>) -> Vec<Page> {
    let first = &environments[0];
    pages! { { foundation: Foundation, environments: Vec<Environment>, first: Environment }
        Unlisted "infrastructure/.gitattributes",
        Unlisted "infrastructure/.github/requirements.txt",
        Unlisted "infrastructure/.github/workflows/drift.yml",
        Unlisted "infrastructure/.github/workflows/lint.yml",
        Unlisted "infrastructure/.github/workflows/terraform.yml",
        Unlisted "infrastructure/.gitignore",
        Unlisted "infrastructure/README.md",
        Unlisted "infrastructure/scripts/adopt",
        Unlisted "infrastructure/scripts/drift-issue",
        Unlisted "infrastructure/scripts/older-plans",
        Unlisted "infrastructure/scripts/plan-comment",
        Unlisted "infrastructure/scripts/preflight",
        Unlisted "infrastructure/scripts/still-main",
        Unlisted "infrastructure/scripts/teardown",
        Unlisted "infrastructure/scripts/tunnel",
    }
}

/// One environment: what stands before Terraform can run, its root, its caller, its runbook.
pub fn pages(
    environment: &Environment,
    foundation: &Foundation,
    contributions: &[Contribution],
    applications: &Vec<Application>,
    shares: &Vec<Share>,
    secrets: &Vec<Secret>,
    workloads: &[Workload],
) -> Vec<Page> {
    let delivered = &delivery::opened(workloads);
    let own = contributions.iter().filter_map(|it| it.identity.clone()).map(Holder::from);
    let identities = &own.chain(workloads.iter().filter_map(Holder::of)).collect::<Vec<_>>();
    let ceiling = &Ceiling::of(workloads);
    let before = &addons(contributions, true);
    let after = &addons(contributions, false);
    let addon_roles = &contributions
        .iter()
        .filter_map(|it| Some(Bareword::of(it.addon.as_ref().and(it.identity.as_ref())?.role)))
        .collect::<Vec<_>>();
    // Whom Terraform gives a role to by name: add-ons, or with Pod Identity every service account.
    let passed = &if environment.pod_identity() {
        identities.iter().map(|it| it.role.clone()).collect()
    } else {
        addon_roles.clone()
    };
    let bucket = &contributions.iter().any(|it| it.bucket);
    let edge = &(environment.dns.is_some() || *bucket || !environment.network.endpoints.is_empty());
    // Security groups of the platform's own, and rules that stand beside their group.
    let rules = &(environment.database.is_some() || !environment.network.endpoints.is_empty());
    let groups = &(*rules || environment.cluster.access.inside());
    let bottlerocket = &environment.cluster.node_groups.iter().any(NodeGroup::bottlerocket);
    let readers = &readers(secrets);
    let folders = &folders(secrets);
    let puts = &puts(secrets, environment);
    // Who makes what vouches for GitHub's tokens in the account.
    let provider = &match environment.github.oidc_provider {
        _ if environment.makes_provider() => "ours",
        OidcProvider::Existing => "existing",
        OidcProvider::Create => "first",
    };
    // Whether a person puts a credential of a registry.
    let private = &secrets.iter().any(|it| it.key == "registry/docker-config");
    // Whether a person puts a secret that only the first apply makes the key for.
    let late = &puts.iter().any(|it| it.key != EARLY);
    let demands = &quotas::demands(&environment.cluster, &environment.network);
    let sums = &quotas::sums(demands);
    let single = &(environment.network.nat == Nat::Single);
    let mut pages = pages! {
        {
            environment: Environment, foundation: Foundation, applications: Vec<Application>,
            identities: Vec<Holder>, before: Vec<Addon>, after: Vec<Addon>, addon_roles: Vec<Bareword>, single: bool,
            passed: Vec<Bareword>, ceiling: Ceiling, bucket: bool, edge: bool, rules: bool, groups: bool, bottlerocket: bool, readers: Vec<Reader>,
            folders: Vec<String>, secrets: Vec<Secret>, shares: Vec<Share>,
            puts: Vec<Put>, provider: &'static str, private: bool, late: bool, delivered: Vec<Repository>,
            demands: Vec<Demand>, sums: Vec<Sum>,
        }
        Unlisted "infrastructure/.github/workflows/terraform-{environment}.yml",
        Unlisted "infrastructure/environments/{environment}/README.md",
        Unlisted "infrastructure/environments/{environment}/bootstrap/stack.yaml",
        Unlisted "infrastructure/environments/{environment}/names.txt",
        Unlisted "infrastructure/environments/{environment}/platform/addons.tf",
        Unlisted "infrastructure/environments/{environment}/platform/cluster.tf",
        Unlisted "infrastructure/environments/{environment}/platform/iam.tf",
        Unlisted "infrastructure/environments/{environment}/platform/keys.tf",
        Unlisted "infrastructure/environments/{environment}/platform/network.tf",
        Unlisted "infrastructure/environments/{environment}/platform/nodes.tf",
        Unlisted "infrastructure/environments/{environment}/platform/outputs.tf",
        Unlisted "infrastructure/environments/{environment}/platform/providers.tf",
        Unlisted "infrastructure/environments/{environment}/platform/tests/platform.tftest.hcl",
        Unlisted "infrastructure/environments/{environment}/platform/versions.tf",
    };
    if let Some(dns) = &environment.dns {
        pages.extend(pages! { { environment: Environment, dns: Dns, bucket: bool }
            Unlisted "infrastructure/environments/{environment}/platform/dns.tf",
            Unlisted "infrastructure/environments/{environment}/platform/tests/dns.tftest.hcl",
        });
    }
    if environment.database.is_some() {
        pages.extend(pages! { { environment: Environment, shares: Vec<Share>, bucket: bool }
            Unlisted "infrastructure/environments/{environment}/platform/database.tf",
            Unlisted "infrastructure/environments/{environment}/platform/tests/database.tftest.hcl",
        });
    }
    if !secrets.is_empty() {
        pages.extend(pages! {
            { environment: Environment, folders: Vec<String>, readers: Vec<Reader>, shares: Vec<Share> }
            Unlisted "infrastructure/environments/{environment}/platform/parameters.tf",
            Unlisted "infrastructure/environments/{environment}/platform/secrets.tf",
        });
    }
    pages
}

/// A secret that a person puts, and the key that encrypts it.
struct Put {
    path: String,
    key: String,
    /// `file`, or `line` for a value that a person can type.
    form: &'static str,
    about: Text,
}

/// The ends of the keys whose values have several lines.
const FILES: [&str; 4] = ["/identity", "/known-hosts", "/app-private-key", "/docker-config"];

/// The account's own key for parameters.
const EARLY: &str = "alias/aws/ssm";

/// The Git credential is put before the platform has keys of its own, so the account's encrypts it.
fn puts(secrets: &[Secret], environment: &Environment) -> Vec<Put> {
    let first = format!("{}/", environment.git_credential_path());
    let put = |it: &Secret| {
        let path = it.path(&environment.platform, &environment.name);
        let early = path.starts_with(&first);
        let own = || format!("alias/{}-parameters", environment.prefix());
        let key = if early { EARLY.to_owned() } else { own() };
        let form = if FILES.iter().any(|end| it.key.ends_with(end)) { "file" } else { "line" };
        Put { path, key, form, about: it.description() }
    };
    secrets.iter().filter(|it| it.writer == Writer::Person).map(put).collect()
}

/// Where Terraform writes parameters, below platform and environment: `shop/database`. A folder outlives the keys in it, so
/// that the rights to it, which an administrator gives, do not change with them.
fn folders(secrets: &[Secret]) -> Vec<String> {
    let by = |writer| -> BTreeSet<String> {
        secrets.iter().filter(|it| it.writer == writer).map(Secret::folder).collect()
    };
    let (folders, others) = (by(Writer::Terraform), by(Writer::Person));
    let mixed = folders.intersection(&others).next();
    assert!(mixed.is_none(), "the pipeline would read what a person puts into `{mixed:?}`");
    folders.into_iter().collect()
}

/// A namespace with a secret store, and the folders below platform and environment that its role reads.
struct Reader {
    namespace: Bareword,
    folders: Vec<Text>,
}

/// Makes the logins of all applications, so it reads what they log in with.
const DATABASES: &str = "database";

fn readers(secrets: &[Secret]) -> Vec<Reader> {
    let mut readers: BTreeMap<Bareword, BTreeSet<String>> = BTreeMap::new();
    for Secret { namespace, .. } in secrets {
        readers.entry(namespace.clone()).or_default().insert(namespace.to_string());
    }
    let logins = secrets.iter().map(Secret::folder).filter(|it| it.ends_with(&format!("/{DATABASES}")));
    if let Some(folders) = readers.get_mut(&Bareword::of(DATABASES)) {
        folders.extend(logins);
    }
    let reader = |(namespace, folders): (Bareword, BTreeSet<String>)| Reader {
        namespace,
        folders: folders.into_iter().map(Text::ours).collect(),
    };
    readers.into_iter().map(reader).collect()
}

/// A service account that is somebody to AWS: a component's, or an application's.
struct Holder {
    /// The end of the role's name.
    role: Bareword,
    namespace: String,
    service_account: String,
    statements: Vec<Statement>,
    /// What a person asked for it.
    permissions: Vec<Permission>,
}

impl From<Identity> for Holder {
    fn from(Identity { role, namespace, service_account, statements }: Identity) -> Self {
        Self {
            role: Bareword::of(role),
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
            statements,
            permissions: Vec::new(),
        }
    }
}

impl Holder {
    /// None without permissions: then there is nothing that a role would be for.
    fn of(workload: &Workload) -> Option<Self> {
        let Workload { application, permissions, .. } = workload;
        (!permissions.is_empty()).then(|| Self {
            role: application.role(),
            namespace: application.name.to_string(),
            service_account: application.name.to_string(),
            statements: Vec::new(),
            permissions: permissions.clone(),
        })
    }

    /// The name of its role in Terraform.
    fn resource(&self) -> String {
        self.role.replace('-', "_")
    }
}

/// An add-on as one row of a map in Terraform.
struct Addon {
    name: &'static str,
    version: AddonVersion,
    identity: Option<Identity>,
    configuration: Option<Hcl>,
}

fn addons(contributions: &[Contribution], before_nodes: bool) -> Vec<Addon> {
    let addon = |it: &Contribution| {
        let addon = it.addon.as_ref().filter(|addon| addon.before_nodes == before_nodes)?;
        Some(Addon {
            name: addon.name,
            version: addon.version.clone(),
            identity: it.identity.clone(),
            configuration: addon.configuration.clone(),
        })
    };
    contributions.iter().filter_map(addon).collect()
}
