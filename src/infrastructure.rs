//! The repository for the Terraform code. The AWS parts of all contributions become one set of files.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    application::{APPLICATION_ROLE, Application, Permission, Workload, delivery, permissions},
    aws,
    cluster::{ApiAccess, Capacity, NodeGroup},
    contribution::{Contribution, Identity, Secret, Statement, Writer},
    database::Share,
    dns::Dns,
    foundation::{Environment, Foundation},
    github::OidcProvider,
    network::Nat,
    page::Page,
    pages,
    quotas::{self, Demand, Sum},
    rights::{Policy, Rights, Stack, Statement as Right},
    words::{AddonVersion, Bareword, Hcl, Repository, Text},
};

mod gitops;
mod parameters;
mod state;

use parameters::Folders;

/// Pages that belong to no environment. `environments` is for lists of all environments; examples use the first one.
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

/// The pages of one environment: bootstrap stack, Terraform roots, workflow and runbook.
#[expect(clippy::too_many_arguments, reason = "each is one thing that a template of this environment reads")]
pub fn pages(
    environment: &Environment,
    foundation: &Foundation,
    contributions: &[Contribution],
    applications: &Vec<Application>,
    shares: &Vec<Share>,
    secrets: &Vec<Secret>,
    workloads: &[Workload],
    stack: &Stack,
) -> Vec<Page> {
    let pull_request_repositories = &delivery::pull_request_repositories(workloads);
    let identities = &workload_roles(contributions, workloads);
    let permitted = &workloads.iter().any(|it| !it.permissions.is_empty());
    let before = &addons(contributions, true);
    let after = &addons(contributions, false);
    let addon_roles = &addon_roles(contributions);
    let bucket = &contributions.iter().any(|it| it.bucket);
    let bottlerocket = &environment.cluster.node_groups.iter().any(NodeGroup::bottlerocket);
    let readers = &readers(secrets, stack.wide);
    let folders = &parameters::written(secrets, stack.wide);
    let manual_secrets = &manual_secrets(secrets, environment);
    // Who creates the IAM OIDC provider for GitHub's tokens in the account.
    let provider = &match environment.github.oidc_provider {
        _ if environment.makes_provider() => "ours",
        OidcProvider::Existing => "existing",
        OidcProvider::Create => "first",
    };
    // Whether there is a registry credential, which a person writes into Parameter Store.
    let private_images = &secrets.iter().any(|it| it.key == "registry/docker-config");
    // Whether any of them is encrypted with a key that the first apply creates.
    let any_after_apply = &manual_secrets.iter().any(|it| it.key != EARLY);
    let demands = &quotas::demands(&environment.cluster, &environment.network);
    let sums = &quotas::sums(demands);
    let single = &(environment.network.nat == Nat::Single);
    let mut pages = pages! {
        {
            environment: Environment, foundation: Foundation, applications: Vec<Application>,
            identities: Vec<WorkloadRole>, before: Vec<AddonRow>, after: Vec<AddonRow>, addon_roles: Vec<Bareword>, single: bool,
            permitted: bool, bucket: bool, bottlerocket: bool, readers: Vec<Reader>,
            folders: Folders, secrets: Vec<Secret>, shares: Vec<Share>,
            manual_secrets: Vec<ManualSecret>, provider: &'static str, private_images: bool, any_after_apply: bool, pull_request_repositories: Vec<Repository>,
            demands: Vec<Demand>, sums: Vec<Sum>,
        }
        Unlisted "infrastructure/.github/workflows/terraform-{environment}.yml",
        Unlisted "infrastructure/environments/{environment}/README.md",
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
    pages.push(bootstrap(environment, stack));
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
            { environment: Environment, folders: Folders, readers: Vec<Reader>, shares: Vec<Share> }
            Unlisted "infrastructure/environments/{environment}/platform/parameters.tf",
            Unlisted "infrastructure/environments/{environment}/platform/secrets.tf",
        });
    }
    pages
}

/// The stack that an administrator deploys before Terraform can run.
pub fn bootstrap(environment: &Environment, stack: &Stack) -> Page {
    let pages = pages! { { environment: Environment, stack: Stack }
        Unlisted "infrastructure/environments/{environment}/bootstrap/stack.yaml",
    };
    pages.into_iter().next().expect("one template is one page")
}

/// All permissions of an environment. `wide` is whether one pattern matches the parameters of all applications.
pub fn rights(
    environment: &Environment,
    contributions: &[Contribution],
    workloads: &[Workload],
    secrets: &[Secret],
    wide: bool,
) -> Rights {
    let names = &environment.names();
    let folders = parameters::written(secrets, wide);
    Rights::all(
        [
            state::rights(names),
            aws::rights(names),
            environment.network.rights(names),
            environment.cluster.rights(names, environment.pod_identity()),
        ]
        .into_iter()
        .chain(pass_role_rights(environment, contributions, workloads))
        .chain(environment.database.iter().map(|it| it.rights(names)))
        .chain(environment.dns.iter().map(|it| it.rights(names)))
        .chain([parameters::rights(names, &folders, wide, secrets.is_empty())])
        .chain(contributions.iter().map(Contribution::rights))
        .chain(permissions::rights(workloads))
        .chain([environment.grants.clone()])
        .chain([gitops::rights(names, environment.cluster.access.tunnels())]),
    )
}

/// The permission to pass roles to EKS: those of add-ons, or with Pod Identity those of all service accounts.
fn pass_role_rights(
    environment: &Environment,
    contributions: &[Contribution],
    workloads: &[Workload],
) -> Option<Rights> {
    let names = environment.names();
    let roles: Vec<Bareword> = if environment.pod_identity() {
        workload_roles(contributions, workloads).into_iter().map(|it| it.role).collect()
    } else {
        addon_roles(contributions)
    };
    let (applications, others): (Vec<_>, Vec<_>) =
        roles.iter().partition(|it| it.starts_with(&format!("{APPLICATION_ROLE}-")));
    let of = |roles: Vec<&Bareword>| roles.into_iter().map(|it| names.role(it)).collect::<Vec<_>>();
    let pass = || {
        Right::allow("PassToWorkloads", &["iam:PassRole"])
            .why("Each of these roles trusts one service account, which its trust policy names.")
            .within(Policy::ApplyIdentity)
    };
    let others = (!others.is_empty()).then(|| pass().on(of(others)));
    let pattern = names.role(&format!("{APPLICATION_ROLE}-*"));
    let applications = (!applications.is_empty())
        .then(|| pass().on_each(of(applications).into_iter().map(|it| (it, pattern.clone())).collect()));
    (!roles.is_empty())
        .then(|| Rights { change: others.into_iter().chain(applications).collect(), ..Rights::default() })
}

/// The service accounts with an IAM role.
fn workload_roles(contributions: &[Contribution], workloads: &[Workload]) -> Vec<WorkloadRole> {
    let own = contributions.iter().filter_map(|it| it.identity.clone()).map(WorkloadRole::from);
    own.chain(workloads.iter().filter_map(WorkloadRole::of)).collect()
}

fn addon_roles(contributions: &[Contribution]) -> Vec<Bareword> {
    let role = |it: &Contribution| Some(Bareword::of(it.addon.as_ref().and(it.identity.as_ref())?.role));
    contributions.iter().filter_map(role).collect()
}

/// A secret that a person puts into Parameter Store, and the key that encrypts it.
struct ManualSecret {
    path: String,
    key: String,
    /// `file`, or `line` for a value that a person can type.
    form: &'static str,
    about: Text,
}

/// The last parts of keys whose values have several lines.
const FILES: [&str; 4] = ["/identity", "/known-hosts", "/app-private-key", "/docker-config"];

/// The AWS managed key for parameters.
const EARLY: &str = "alias/aws/ssm";

/// A person writes the Git credential before the platform has its own keys, so the AWS managed key encrypts it.
fn manual_secrets(secrets: &[Secret], environment: &Environment) -> Vec<ManualSecret> {
    let first = format!("{}/", environment.git_credential_path());
    let put = |it: &Secret| {
        let path = it.path(&environment.platform, &environment.name);
        let early = path.starts_with(&first);
        let own = || format!("alias/{}-parameters", environment.prefix());
        let key = if early { EARLY.to_owned() } else { own() };
        let form = if FILES.iter().any(|end| it.key.ends_with(end)) { "file" } else { "line" };
        ManualSecret { path, key, form, about: it.description() }
    };
    secrets.iter().filter(|it| it.writer == Writer::Person).map(put).collect()
}

/// A namespace with a secret store, and the folders below platform and environment that its role reads.
struct Reader {
    namespace: Bareword,
    folders: Vec<Text>,
}

/// The namespace that creates the logins of all applications, and therefore reads their passwords.
const DATABASES: &str = "database";

/// `wide` is whether one pattern matches the logins of all applications.
fn readers(secrets: &[Secret], wide: bool) -> Vec<Reader> {
    let mut readers: BTreeMap<Bareword, BTreeSet<String>> = BTreeMap::new();
    for Secret { namespace, .. } in secrets {
        readers.entry(namespace.clone()).or_default().insert(namespace.to_string());
    }
    let logins: BTreeSet<String> =
        secrets.iter().map(Secret::folder).filter(|it| it.ends_with(&format!("/{DATABASES}"))).collect();
    let logins = if wide { parameters::patterns(logins, secrets) } else { logins };
    if let Some(folders) = readers.get_mut(&Bareword::of(DATABASES)) {
        folders.extend(logins);
    }
    let reader = |(namespace, folders): (Bareword, BTreeSet<String>)| Reader {
        namespace,
        folders: folders.into_iter().map(Text::ours).collect(),
    };
    readers.into_iter().map(reader).collect()
}

/// A service account with an IAM role: of a component, or of an application.
struct WorkloadRole {
    /// The end of the role's name.
    role: Bareword,
    namespace: String,
    service_account: String,
    statements: Vec<Statement>,
    /// The permissions in the blueprint.
    permissions: Vec<Permission>,
}

impl From<Identity> for WorkloadRole {
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

impl WorkloadRole {
    /// None without permissions, because then the application needs no role.
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
struct AddonRow {
    name: &'static str,
    version: AddonVersion,
    identity: Option<Identity>,
    configuration: Option<Hcl>,
}

fn addons(contributions: &[Contribution], before_nodes: bool) -> Vec<AddonRow> {
    let addon = |it: &Contribution| {
        let addon = it.addon.as_ref().filter(|addon| addon.before_nodes == before_nodes)?;
        Some(AddonRow {
            name: addon.name,
            version: addon.version.clone(),
            identity: it.identity.clone(),
            configuration: addon.configuration.clone(),
        })
    };
    contributions.iter().filter_map(addon).collect()
}
