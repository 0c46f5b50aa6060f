//! The repository that Flux syncs. Which components there are was decided before; here what all of
//! them contribute to the cluster becomes one tree of layers.

use crate::{
    application::Application,
    contribution::{Contribution, Layer, Part, Release},
    foundation::{Environment, Foundation},
    page::{Page, Place, Role, seeded},
    pages,
    words::Name,
    yaml,
};

/// What belongs to no environment. `environments` is for lists that name them all; examples speak of the first.
pub fn shared(
    foundation: &Foundation,
    environments: &Vec<Environment>,
    applications: &Vec<Application>,
    parts: &Vec<Part>,
    layers: &Vec<Layer>,
) -> Vec<Page> {
    let first = &environments[0].name;
    pages! {
        {
            foundation: Foundation, environments: Vec<Environment>, applications: Vec<Application>,
            parts: Vec<Part>, layers: Vec<Layer>, first: Name,
        }
        Unlisted "kubernetes-manifest/.gitattributes",
        Unlisted "kubernetes-manifest/.github/workflows/validate.yml",
        Unlisted "kubernetes-manifest/README.md",
        Unlisted "kubernetes-manifest/scripts/build",
        Unlisted "kubernetes-manifest/scripts/difference",
        Unlisted "kubernetes-manifest/scripts/validate",
    }
}

/// What the components bring into one cluster, and what every application there may do.
pub fn pages(environment: &Environment, contributions: Vec<Contribution>) -> Vec<Page> {
    let mut pages = pages! { { environment: Environment }
        Resource "kubernetes-manifest/clusters/{environment}/tenants/deployer.yaml",
    };
    for Contribution { name, release, pages: own, .. } in contributions {
        pages.extend(own);
        pages.extend(release.iter().flat_map(|release| self::release(name, release, environment)));
    }
    pages
}

/// What every Helm release has: a namespace, the rights to install it, the source of its chart, and
/// the values that a person adds.
fn release(component: &'static str, release: &Release, environment: &Environment) -> Vec<Page> {
    let component = &component;
    let Release { layer, namespace, values, .. } = release;
    let mut pages = pages! { { component: &'static str, release: Release, environment: Environment }
        Resource "kubernetes-manifest/clusters/{environment}/namespaces/{namespace}.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/{layer}/{component}/source.yaml",
    };
    if !values.is_empty() {
        let path = format!("clusters/{environment}/{layer}/{component}/values.yaml");
        let head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n";
        let body = format!(
            "{head}metadata:\n  name: {component}\n  namespace: {namespace}\nspec:\n  values:\n{}",
            yaml::block(values, 4)
        );
        pages.push(Page::computed(Place::Manifests, path, Role::Patch, body));
    }
    pages
}

/// Each layer waits for the one before, and has a place for a person's own files.
pub fn layers(environment: &Environment, used: &Vec<Layer>) -> Vec<Page> {
    let mut pages = pages! { { environment: Environment, used: Vec<Layer> }
        Resource "kubernetes-manifest/clusters/{environment}/layers.yaml",
    };
    for layer in used {
        pages.extend(seeded(pages! { { environment: Environment, layer: Layer }
            Component "kubernetes-manifest/clusters/{environment}/{layer}/local/kustomization.yaml",
        }));
    }
    pages
}
