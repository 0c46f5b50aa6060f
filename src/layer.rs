//! The layers of a cluster: what Flux applies together, and in which order. The module that adds files to a layer also provides
//! the layer, so there is no complete list here.

use std::{collections::BTreeMap, fmt};

use crate::words::{Atomic, Bare, Label, Text};

/// One Kustomization of Flux, and the folder of a cluster that it applies. A new layer is one constant.
#[derive(Debug, PartialEq, Eq)]
pub struct Layer {
    /// The name of its folder and of its Kustomization. If it changes, `renames` must have the old one, because Flux would delete what the old
    /// Kustomization applied.
    pub name: &'static str,
    /// The layer before it. If a cluster does not have that layer, the one before that counts.
    pub after: Option<&'static Layer>,
    /// When it is ready.
    pub wait: Wait,
    /// Whether it is outside the chain: no other layer may come after it. A failed release in it is kept and tried again; in the
    /// chain it is removed or rolled back.
    pub beside: bool,
    /// Its content, in one line: its row in the README.
    pub about: &'static str,
}

/// When a layer is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Once everything in it is ready, within a quarter of an hour.
    ForAll,
    /// Once everything in it is applied. The reason is in the rendered file.
    ForNothing(&'static str),
    /// Once everything in it is applied. It contains Kustomizations with their own checks; dependents wait for a single one of
    /// these, and no layer waits for this one. The reason is in the rendered file.
    ForEach(&'static str),
}

impl Layer {
    /// The charts of the components. Later layers need their custom resource definitions and webhooks.
    pub const CONTROLLERS: &'static Self = &Self {
        name: "controllers",
        after: None,
        wait: Wait::ForAll,
        beside: false,
        about: "the Helm charts of the components that other layers need",
    };

    /// Custom resources that the controllers define.
    pub const CONFIGS: &'static Self = &Self {
        name: "configs",
        after: Some(Self::CONTROLLERS),
        wait: Wait::ForNothing(
            "A SecretStore becomes ready when its role exists. The users of its ExternalSecrets wait for it.",
        ),
        beside: false,
        about: "custom resources of the components in controllers",
    };

    /// The namespace of each application, with its limits and permissions.
    pub const TENANTS: &'static Self = &Self {
        name: "tenants",
        after: Some(Self::CONFIGS),
        wait: Wait::ForNothing(
            "A SecretStore whose role does not exist yet blocks only its own application.",
        ),
        beside: false,
        about: "for each application: namespace, quota, limits, deployer permissions",
    };

    /// The monitoring of all components.
    pub const MONITORING: &'static Self = &Self {
        name: "monitoring",
        after: Some(Self::CONFIGS),
        wait: Wait::ForAll,
        beside: true,
        about: "Prometheus, Alertmanager and Grafana, on which no other layer depends",
    };

    /// Whether it is ready only when everything in it is ready. The others are ready when everything in them is applied.
    pub fn waits(&self) -> bool {
        self.wait == Wait::ForAll
    }

    /// The reason why it does not wait.
    pub fn reason(&self) -> Option<Text> {
        match self.wait {
            Wait::ForAll => None,
            Wait::ForNothing(reason) | Wait::ForEach(reason) => Some(Text::ours(reason)),
        }
    }

    /// Its content, for the README.
    pub fn about(&self) -> Label {
        Label::ours(self.about)
    }

    /// The layers before it, the previous one first.
    fn before(&self) -> impl Iterator<Item = &'static Self> {
        std::iter::successors(self.after, |it| it.after)
    }
}

impl Atomic for Layer {}
impl Bare for Layer {}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Layers in the order for readers: the chain from its start, then those outside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers(Vec<&'static Layer>);

impl Layers {
    /// These layers without duplicates, and every layer before them.
    ///
    /// # Panics
    ///
    /// If two layers have the same name, or one comes after a layer outside the chain: these are bugs.
    pub fn of(layers: impl IntoIterator<Item = &'static Layer>) -> Self {
        let mut known: BTreeMap<&str, &'static Layer> = BTreeMap::new();
        for layer in layers.into_iter().flat_map(|it| std::iter::once(it).chain(it.before())) {
            let other = known.insert(layer.name, layer);
            assert!(other.is_none_or(|it| it == layer), "two layers are called `{layer}`");
            let before = layer.after.filter(|it| it.beside);
            assert!(before.is_none(), "`{layer}` waits for a layer beside the chain");
        }
        let mut layers: Vec<_> = known.into_values().collect();
        // Sorting is stable: layers of equal rank stay in the order of their names.
        layers.sort_by_key(|it| (it.beside, if it.beside { 0 } else { it.before().count() }));
        Self(layers)
    }

    /// The layers that this cluster uses.
    pub fn used(&self, holds: impl Fn(&Layer) -> bool) -> Self {
        Self(self.0.iter().copied().filter(|it| holds(it)).collect())
    }

    /// The layers in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'static Layer> {
        self.0.iter().copied()
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|it| it.name == name)
    }

    /// The layer of this cluster that must be ready before this one.
    pub fn before(&self, layer: &Layer) -> Option<&'static Layer> {
        layer.before().find(|it| self.has(it.name) && !matches!(it.wait, Wait::ForEach(_)))
    }
}
