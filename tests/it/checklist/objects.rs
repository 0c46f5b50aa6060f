// The objects that Flux applies, each with its Flux Kustomization.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Platform, documents::Document};

/// The Kustomization that the FluxInstance creates. It applies everything before the layers.
pub const FIRST: &str = "flux-system";

/// The layers, each with the one before it.
pub const CHAIN: [&str; 5] = ["controllers", "configs", "tenants", "databases", "applications"];

/// The layers that are ready only when everything in them is. Dependents of the other layers wait for single objects.
pub const WAITING: [&str; 2] = ["controllers", "monitoring"];

/// The layers on which no other layer depends.
pub const BESIDE: [&str; 2] = ["monitoring", "overprovisioning"];

#[derive(Clone)]
pub struct Object<'p> {
    pub path: &'p str,
    /// The folder of its repository.
    pub repository: &'p str,
    /// None for what all environments share.
    pub environment: Option<&'p str>,
    /// The Kustomization of Flux that applies it: a layer, an application, or the first.
    pub layer: &'p str,
    pub value: &'p Value,
}

impl<'p> Object<'p> {
    pub fn kind(&self) -> &'p str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Such as `kustomize.toolkit.fluxcd.io`; empty for the core group.
    pub fn group(&self) -> &'p str {
        self.version().split_once('/').map_or("", |it| it.0)
    }

    /// The version with its group: `apps/v1`.
    pub fn version(&self) -> &'p str {
        self.value["apiVersion"].as_str().unwrap_or_default()
    }

    pub fn name(&self) -> &'p str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub fn namespace(&self) -> &'p str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    pub fn spec(&self) -> &'p Value {
        &self.value["spec"]
    }

    /// A Kustomization of Flux.
    pub fn is_delivery(&self) -> bool {
        self.group() == "kustomize.toolkit.fluxcd.io"
    }

    pub fn is_release(&self) -> bool {
        self.kind() == "HelmRelease"
    }

    /// Whether a Flux controller reconciles it.
    pub fn is_flux(&self) -> bool {
        self.group().ends_with(".toolkit.fluxcd.io") || self.group() == "fluxcd.controlplane.io"
    }
}

fn place(document: &Document) -> Option<(&str, Option<&str>, &str)> {
    match document.path.split('/').collect::<Vec<_>>()[..] {
        // Each login has its own Kustomization. The user's patches of all logins are part of each.
        [repository, "clusters", environment, "databases", "logins", login, _, ..] if login != "local" => {
            Some((repository, Some(environment), login))
        }
        [repository, "clusters", environment, layer, _, ..]
            if CHAIN.contains(&layer) || BESIDE.contains(&layer) =>
        {
            Some((repository, Some(environment), layer))
        }
        [repository, "clusters", environment, ..] => Some((repository, Some(environment), FIRST)),
        [repository, "apps", name, "overlays", environment, ..] => {
            Some((repository, Some(environment), name))
        }
        [repository, "apps", name, ..] => Some((repository, None, name)),
        _ => None,
    }
}

fn all(platform: &Platform) -> impl Iterator<Item = Object<'_>> {
    platform.documents().filter_map(|it| Some((it, place(it)?))).flat_map(
        |(document, (repository, environment, layer))| {
            document.values().map(move |value| Object {
                path: &document.path,
                repository,
                environment,
                layer,
                value,
            })
        },
    )
}

/// Every object and patch, without the files `kustomization.yaml`.
pub fn objects(platform: &Platform) -> impl Iterator<Item = Object<'_>> {
    all(platform).filter(|it| it.group() != "kustomize.config.k8s.io")
}

/// The files `kustomization.yaml`.
pub fn lists(platform: &Platform) -> impl Iterator<Item = Object<'_>> {
    all(platform).filter(|it| it.group() == "kustomize.config.k8s.io")
}

/// Whether it was rendered: the fixture is no complete cluster.
pub fn is_whole(platform: &Platform) -> bool {
    !platform.blueprint.is_empty()
}

/// The objects that Flux applies in one environment, and their Kustomizations by name.
pub struct Cluster<'p> {
    pub repository: &'p str,
    pub environment: &'p str,
    pub objects: Vec<Object<'p>>,
}

impl<'p> Cluster<'p> {
    pub fn all(platform: &'p Platform) -> Vec<Self> {
        let objects: Vec<_> = objects(platform).collect();
        let places: BTreeSet<_> =
            objects.iter().filter_map(|it| Some((it.repository, it.environment?))).collect();
        let cluster = |(repository, environment): (&'p str, &'p str)| {
            let own = |it: &&Object<'p>| {
                it.repository == repository && it.environment.is_none_or(|it| it == environment)
            };
            Self { repository, environment, objects: objects.iter().filter(own).cloned().collect() }
        };
        places.into_iter().map(cluster).collect()
    }

    pub fn place(&self) -> String {
        format!("{}/clusters/{}", self.repository, self.environment)
    }

    /// The Kustomizations of Flux.
    pub fn deliveries(&self) -> BTreeMap<&'p str, &Object<'p>> {
        self.objects.iter().filter(|it| it.is_delivery()).map(|it| (it.name(), it)).collect()
    }

    /// All direct and indirect dependencies of a Kustomization. The first one has none, and applies all others.
    pub fn waits_for(&self, name: &str) -> BTreeSet<&'p str> {
        let deliveries = self.deliveries();
        let mut found = BTreeSet::from([FIRST]);
        let mut open: Vec<&str> = vec![name];
        while let Some(next) = open.pop() {
            for other in deliveries.get(next).into_iter().flat_map(|it| dependencies(it)) {
                if found.insert(other) {
                    open.push(other);
                }
            }
        }
        found
    }

    /// The names of the Kustomizations that create one login each.
    pub fn logins(&self) -> Vec<&'p str> {
        let own = self.objects.iter().filter(|it| it.is_delivery() && it.layer == "databases");
        own.map(|it| it.name()).collect()
    }

    /// The names of the applications.
    pub fn applications(&self) -> Vec<&'p str> {
        let theirs = self.objects.iter().filter(|it| it.is_delivery() && it.layer == "applications");
        theirs.map(|it| it.name()).collect()
    }
}

/// The names in `dependsOn`.
pub fn dependencies<'p>(delivery: &Object<'p>) -> Vec<&'p str> {
    let listed = delivery.spec()["dependsOn"].as_array().into_iter().flatten();
    listed.filter_map(|it| it["name"].as_str()).collect()
}
