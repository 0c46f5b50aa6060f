//! The repository that Flux syncs. Which components there are was decided before; here what all of
//! them contribute to the cluster becomes one tree of layers.

use std::collections::BTreeSet;

use crate::{
    application::{
        self, Application, Workload,
        delivery::{Delivery, DeliveryRoutes},
    },
    contribution::{ComponentSummary, Contribution, HelmRelease, Namespace, PodSecurity, Secret, Writer},
    database,
    foundation::{Environment, Foundation},
    layer::{Layer, Layers},
    page::{Page, Place, Role, contributed, seeded},
    pages,
    words::{Bareword, Name},
    yaml,
};

/// What belongs to no environment. `environments` is for lists that name them all; examples speak of the first.
pub fn shared(
    foundation: &Foundation,
    environments: &Vec<Environment>,
    applications: &Vec<Application>,
    parts: &Vec<ComponentSummary>,
    layers: &Layers,
    example: &Example,
    ways: &DeliveryRoutes,
) -> Vec<Page> {
    let first = &environments[0].name;
    let keeper = &applications.iter().find(|it| it.database.is_some()).cloned();
    pages! {
        {
            foundation: Foundation, environments: Vec<Environment>, applications: Vec<Application>,
            keeper: Option<Application>, parts: Vec<ComponentSummary>, layers: Layers, first: Name, example: Example,
            ways: DeliveryRoutes,
        }
        Unlisted "kubernetes-manifest/.gitattributes",
        Unlisted "kubernetes-manifest/.github/requirements.txt",
        Unlisted "kubernetes-manifest/.github/workflows/lint.yml",
        Unlisted "kubernetes-manifest/.github/workflows/validate.yml",
        Unlisted "kubernetes-manifest/README.md",
        Unlisted "kubernetes-manifest/scripts/build",
        Unlisted "kubernetes-manifest/scripts/difference",
        Unlisted "kubernetes-manifest/scripts/difference-comment",
        Unlisted "kubernetes-manifest/scripts/validate",
    }
}

/// The first environment as it is, for what the README draws.
pub struct Example {
    environment: Environment,
    workloads: Vec<Workload>,
    stores: Vec<Store>,
}

/// Where a namespace's secrets come from.
struct Store {
    namespace: Bareword,
    /// Whether Terraform makes some of them up.
    made: bool,
    /// Whether a person puts some of them.
    put: bool,
}

impl Example {
    /// `secrets` are those of the environment, sorted by namespace.
    pub fn new(environment: &Environment, workloads: &[Workload], secrets: &[Secret]) -> Self {
        let mut stores: Vec<Store> = Vec::new();
        let git = environment.git_credential();
        for Secret { namespace, writer, .. } in secrets.iter().filter(|it| !git.contains(it)) {
            if stores.last().is_none_or(|it| it.namespace != *namespace) {
                stores.push(Store { namespace: namespace.clone(), made: false, put: false });
            }
            let Some(store) = stores.last_mut() else { continue };
            match writer {
                Writer::Terraform => store.made = true,
                Writer::Person => store.put = true,
            }
        }
        Self { environment: environment.clone(), workloads: workloads.to_vec(), stores }
    }

    /// Whether a node group has room between its bounds.
    fn grows(&self) -> bool {
        self.environment.cluster.node_groups.iter().any(|it| it.min < it.max)
    }

    /// Whether Terraform makes up any secret.
    fn made(&self) -> bool {
        self.stores.iter().any(|it| it.made)
    }

    /// Whether a person puts any.
    fn put(&self) -> bool {
        self.stores.iter().any(|it| it.put)
    }

    /// One that users find by a name.
    fn endpoint(&self) -> Option<Workload> {
        self.workloads.iter().find(|it| it.exposure.is_some()).cloned()
    }
}

/// What the components bring into one cluster, and what every application there may do.
pub fn pages(
    environment: &Environment,
    contributions: Vec<Contribution>,
    secrets: &[Secret],
    tenants: &[&Name],
) -> Vec<Page> {
    let mut pages = pages! { { environment: Environment }
        Resource "kubernetes-manifest/clusters/{environment}/tenants/deployer.yaml",
    };
    let is_watched = contributions.iter().any(|it| it.watches);
    let database = Namespace { name: database::NAMESPACE, pods: PodSecurity::Restricted, installs: false };
    let namespaces = contributions.iter().flat_map(Contribution::namespaces);
    for namespace in
        &namespaces.chain(environment.database.iter().map(|_| database.clone())).collect::<Vec<_>>()
    {
        let name = namespace.name;
        pages.extend(pages! { { namespace: Namespace, environment: Environment }
            Resource "kubernetes-manifest/clusters/{environment}/namespaces/{name}.yaml",
        });
    }
    pages.extend(stores(environment, secrets, tenants));
    let mut sources = BTreeSet::new();
    for Contribution { name, releases, pages: mut own, watched, .. } in contributions {
        own.extend(watched.into_iter().filter(|_| is_watched));
        for release in &releases {
            own.extend(values(release, environment));
            // The first in the order of the layers, which the others come after.
            if sources.insert((release.namespace, release.source_name())) {
                own.extend(source(release, environment));
            }
        }
        pages.extend(contributed(&name, own));
    }
    pages
}

/// Where each namespace finds its secrets. A namespace of the platform is there before the store is; an application's
/// comes with the tenants, and its store with it.
fn stores(environment: &Environment, secrets: &[Secret], tenants: &[&Name]) -> Vec<Page> {
    let namespaces: BTreeSet<&Bareword> = secrets.iter().map(|it| &it.namespace).collect();
    let tenants: BTreeSet<Bareword> = tenants.iter().map(Bareword::of).collect();
    let store = |namespace: &Bareword| {
        let tenant = tenants.contains(namespace);
        let layer = if tenant { Layer::TENANTS } else { Layer::CONFIGS };
        pages! { { environment: Environment, namespace: Bareword }
            Resource "kubernetes-manifest/clusters/{environment}/{layer}/{namespace}/store.yaml",
        }
    };
    namespaces.into_iter().flat_map(store).collect()
}

/// Where the chart of a release comes from.
fn source(release: &HelmRelease, environment: &Environment) -> Vec<Page> {
    let HelmRelease { layer, name, .. } = release;
    pages! { { release: HelmRelease, environment: Environment }
        Resource "kubernetes-manifest/clusters/{environment}/{layer}/{name}/source.yaml",
    }
}

/// What a person adds to the values of a release.
fn values(release: &HelmRelease, environment: &Environment) -> Option<Page> {
    let HelmRelease { layer, name, namespace, values, .. } = release;
    if values.is_empty() {
        return None;
    }
    let path = format!("clusters/{environment}/{layer}/{name}/values.yaml");
    let head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n";
    let body = format!(
        "{head}metadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  values:\n{}",
        yaml::block(values, 4)
    );
    Some(Page::computed(Place::Manifests, path, Role::Patch, body))
}

/// The layers that every platform has, and those that components bring.
pub fn known(components: impl IntoIterator<Item = &'static Layer>) -> Layers {
    let own = [Layer::TENANTS, database::LAYER, application::LAYER];
    Layers::of(own.into_iter().chain(components))
}

/// Each layer waits for the one before, and has a place for a person's own files.
pub fn layers(environment: &Environment, used: &Layers) -> Vec<Page> {
    let mut pages = pages! { { environment: Environment, used: Layers }
        Resource "kubernetes-manifest/clusters/{environment}/layers.yaml",
    };
    for layer in used.iter() {
        pages.extend(seeded(pages! { { environment: Environment, layer: Layer }
            Component "kubernetes-manifest/clusters/{environment}/{layer}/local/kustomization.yaml",
        }));
    }
    pages
}
