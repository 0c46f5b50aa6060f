//! The repository that Flux syncs. The cluster parts of all contributions become one tree of layers.

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

/// Pages that belong to no environment. `environments` is for lists of all environments; examples use the first one.
pub fn shared(
    foundation: &Foundation,
    environments: &Vec<Environment>,
    applications: &Vec<Application>,
    component_summaries: &Vec<ComponentSummary>,
    layers: &Layers,
    example: &Example,
    routes: &DeliveryRoutes,
) -> Vec<Page> {
    let first = &environments[0].name;
    let database_application = &applications.iter().find(|it| it.database.is_some()).cloned();
    pages! {
        {
            foundation: Foundation, environments: Vec<Environment>, applications: Vec<Application>,
            database_application: Option<Application>, component_summaries: Vec<ComponentSummary>, layers: Layers, first: Name, example: Example,
            routes: DeliveryRoutes,
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

/// The first environment, for the diagrams of the README.
pub struct Example {
    environment: Environment,
    workloads: Vec<Workload>,
    stores: Vec<Store>,
}

/// Who writes the secrets of a namespace.
struct Store {
    namespace: Bareword,
    /// Whether Terraform generates some of them.
    generated: bool,
    /// Whether a person writes some of them.
    manual: bool,
}

impl Example {
    /// `secrets` are those of the environment, sorted by namespace.
    pub fn new(environment: &Environment, workloads: &[Workload], secrets: &[Secret]) -> Self {
        let mut stores: Vec<Store> = Vec::new();
        let git = environment.git_credential();
        for Secret { namespace, writer, .. } in secrets.iter().filter(|it| !git.contains(it)) {
            if stores.last().is_none_or(|it| it.namespace != *namespace) {
                stores.push(Store { namespace: namespace.clone(), generated: false, manual: false });
            }
            let Some(store) = stores.last_mut() else { continue };
            match writer {
                Writer::Terraform => store.generated = true,
                Writer::Person => store.manual = true,
            }
        }
        Self { environment: environment.clone(), workloads: workloads.to_vec(), stores }
    }

    /// Whether a node group can grow.
    fn grows(&self) -> bool {
        self.environment.cluster.node_groups.iter().any(|it| it.min < it.max)
    }

    /// Whether Terraform generates any secret.
    fn generated(&self) -> bool {
        self.stores.iter().any(|it| it.generated)
    }

    /// Whether a person writes any secret.
    fn manual(&self) -> bool {
        self.stores.iter().any(|it| it.manual)
    }

    /// A workload with a host name.
    fn endpoint(&self) -> Option<Workload> {
        self.workloads.iter().find(|it| it.exposure.is_some()).cloned()
    }
}

/// The pages of all components in one cluster, and the role of the service account that deploys applications.
pub fn pages(
    environment: &Environment,
    contributions: Vec<Contribution>,
    secrets: &[Secret],
    tenants: &[&Name],
) -> Vec<Page> {
    let mut pages = pages! { { environment: Environment }
        Resource "kubernetes-manifest/clusters/{environment}/tenants/deployer.yaml",
    };
    let is_monitored = contributions.iter().any(|it| it.is_monitoring);
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
    for Contribution { name, releases, pages: mut own, monitoring, .. } in contributions {
        own.extend(monitoring.into_iter().filter(|_| is_monitored));
        for release in &releases {
            own.extend(values(release, environment));
            // The source belongs to the release in the first layer, because the others come after it.
            if sources.insert((release.namespace, release.source_name())) {
                own.extend(source(release, environment));
            }
        }
        pages.extend(contributed(&name, own));
    }
    pages
}

/// The secret store of each namespace. Namespaces of the platform exist before their store; the namespace of an application is
/// in the layer of the tenants, together with its store.
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

/// The values in the blueprint, as a patch of the release.
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

/// The layers that every platform has, and those of components.
pub fn known(components: impl IntoIterator<Item = &'static Layer>) -> Layers {
    let own = [Layer::TENANTS, database::LAYER, application::LAYER];
    Layers::of(own.into_iter().chain(components))
}

/// The Kustomization of each layer, and its folder for a user's own files.
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
