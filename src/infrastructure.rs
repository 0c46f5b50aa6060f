//! The repository with the Terraform code. Which components there are was decided before; here all
//! that they contribute to AWS becomes one set of files.

use crate::{
    application::Application,
    cluster::Capacity,
    contribution::{Contribution, Identity},
    foundation::{Environment, Foundation},
    network::Nat,
    page::Page,
    pages,
    words::{AddonVersion, Hcl},
};

/// What belongs to no environment. `environments` is for lists that name them all; examples speak of the first.
pub fn shared(foundation: &Foundation, environments: &Vec<Environment>) -> Vec<Page> {
    let first = &environments[0];
    pages! { { foundation: Foundation, environments: Vec<Environment>, first: Environment }
        Unlisted "infrastructure/.gitattributes",
        Unlisted "infrastructure/.github/requirements.txt",
        Unlisted "infrastructure/.github/workflows/lint.yml",
        Unlisted "infrastructure/.github/workflows/terraform.yml",
        Unlisted "infrastructure/.gitignore",
        Unlisted "infrastructure/README.md",
        Unlisted "infrastructure/scripts/plan-comment",
    }
}

/// One environment: what stands before Terraform can run, its root, its caller, its runbook.
pub fn pages(
    environment: &Environment,
    foundation: &Foundation,
    contributions: &[Contribution],
    applications: &Vec<Application>,
) -> Vec<Page> {
    let identities = &contributions.iter().filter_map(|it| it.identity.clone()).collect::<Vec<_>>();
    let before = &addons(contributions, true);
    let after = &addons(contributions, false);
    let addon_roles = &contributions
        .iter()
        .filter_map(|it| Some(it.addon.as_ref().and(it.identity.as_ref())?.role))
        .collect();
    let single = &(environment.network.nat == Nat::Single);
    pages! {
        {
            environment: Environment, foundation: Foundation, applications: Vec<Application>,
            identities: Vec<Identity>, before: Vec<Addon>, after: Vec<Addon>, addon_roles: Vec<&'static str>, single: bool,
        }
        Unlisted "infrastructure/.github/workflows/terraform-{environment}.yml",
        Unlisted "infrastructure/environments/{environment}/README.md",
        Unlisted "infrastructure/environments/{environment}/bootstrap/stack.yaml",
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
    }
}

/// An add-on as one row of a map in Terraform.
struct Addon {
    name: &'static str,
    version: AddonVersion,
    /// The resource of its role.
    role: Option<String>,
    configuration: Option<Hcl>,
}

fn addons(contributions: &[Contribution], before_nodes: bool) -> Vec<Addon> {
    let addon = |it: &Contribution| {
        let addon = it.addon.as_ref().filter(|addon| addon.before_nodes == before_nodes)?;
        Some(Addon {
            name: addon.name,
            version: addon.version.clone(),
            role: it.identity.as_ref().map(Identity::resource),
            configuration: addon.configuration.clone(),
        })
    };
    contributions.iter().filter_map(addon).collect()
}
