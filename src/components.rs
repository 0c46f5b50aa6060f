//! The components of a platform, and which of them are enabled. Each component has a file of its own.
//!
//! Several components may answer one need. They are next to each other in the list below, the default first: it is enabled
//! automatically if something has the need, unless the blueprint has the section of another one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contribution::{Contribution, Need, Needed},
    diagnostics::{Finding, Report},
    foundation::Environment,
    layer::Layer,
    source::{Located, Span},
    words::{AddonVersion, Word},
};

/// A component is one file: its settings, its checks, its pages. It depends on the environment and on no other
/// component: what others need to know about it is in its contribution.
pub trait Component {
    /// The key `enabled`. A component that every cluster needs does not have it.
    fn enabled(&self) -> Option<&Located<bool>> {
        None
    }

    /// The need that enables it automatically.
    fn answers(&self) -> Need;

    /// Layers that exist only for it. No application may have the name of one of them, even while the component is disabled: the
    /// application could not be renamed later.
    fn layers(&self) -> &'static [&'static Layer] {
        &[]
    }

    /// Everything that the component adds to an environment. Invalid settings are reported.
    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution;

    /// Checks its section, whose position is `place`. A component that is enabled automatically has none.
    fn examine(&self, _place: &Span, _environment: &Environment, _report: &mut Report) {}
}

macro_rules! components {
    ($($name:ident: $spec:ident,)+) => {
        $(mod $name;)+

        /// Settings of the components. A component is enabled automatically when something needs it.
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Specs {
            $($name: Option<Located<$name::$spec>>,)+
        }

        impl Specs {
            /// The names of all components as Rust identifiers, with `_` for `-`.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Each component, with its settings in the blueprint.
            pub fn all(&self) -> Vec<Provider> {
                vec![$(Provider::new(stringify!($name), self.$name.clone())),+]
            }
        }
    };
}

components! {
    cloudwatch_exporter: CloudwatchExporter,
    cluster_autoscaler: ClusterAutoscaler,
    coredns: Coredns,
    ebs_csi_driver: EbsCsiDriver,
    external_dns: ExternalDns,
    external_secrets: ExternalSecrets,
    flux: Flux,
    kube_proxy: KubeProxy,
    load_balancer_controller: LoadBalancerController,
    metrics_server: MetricsServer,
    monitoring: Monitoring,
    overprovisioning: Overprovisioning,
    pod_identity_agent: PodIdentityAgent,
    vpc_cni: VpcCni,
}

/// A component that may answer a need.
pub struct Provider {
    /// As a blueprint names it.
    pub name: String,
    /// The position of its section, if it has one.
    pub asked: Option<Span>,
    /// The component with the settings of its section, or with defaults.
    pub component: Box<dyn Component>,
}

impl Provider {
    /// `name` is that of its field: `_` stands for `-`.
    pub fn new<C: Component + Clone + Default + 'static>(name: &str, spec: Option<Located<C>>) -> Self {
        Self {
            name: name.replace('_', "-"),
            asked: spec.as_ref().map(Located::span),
            component: Box::new(spec.map(|it| (*it).clone()).unwrap_or_default()),
        }
    }

    fn is_off(&self) -> bool {
        self.component.enabled().is_some_and(|it| !**it)
    }
}

/// The layers of all components.
pub fn layers() -> Vec<&'static Layer> {
    Specs::default().all().iter().flat_map(|it| it.component.layers()).copied().collect()
}

/// The contributions of the enabled components, by name.
pub fn resolve(
    specs: &Specs,
    needs: Vec<Needed>,
    environment: &Environment,
    report: &mut Report,
) -> Vec<Contribution> {
    choose(specs.all(), needs, environment, report)
}

/// Enables the components that are asked for or needed, until every need is met, and for each need one. Two that were asked
/// for, and a default that is needed and disabled, are findings.
pub fn choose(
    providers: Vec<Provider>,
    mut needs: Vec<Needed>,
    environment: &Environment,
    report: &mut Report,
) -> Vec<Contribution> {
    let mut rest: Vec<Provider> = Vec::new();
    let mut off: Vec<Vec<Provider>> = Vec::new();
    for mut providers in by_need(providers) {
        let is_asked = |it: &Provider| it.asked.is_some() && !it.is_off();
        let chosen = providers.iter().position(is_asked);
        if let Some(first) = chosen {
            let others = providers[first + 1..].iter().filter(|it| is_asked(it));
            others.filter_map(|it| two(&providers[first], it)).for_each(|it| report.add(it));
        }
        match chosen.or_else(|| (!providers[0].is_off()).then_some(0)) {
            Some(chosen) => rest.push(providers.swap_remove(chosen)),
            None => off.push(providers),
        }
    }
    let mut on = BTreeMap::new();
    let is_on = |needs: &[Needed], it: &Provider| it.asked.is_some() || who(needs, it).is_some();
    while let Some(next) = rest.iter().position(|it| is_on(&needs, it)) {
        let Provider { asked, component, .. } = rest.remove(next);
        if let Some(place) = asked {
            component.examine(&place, environment, report);
        }
        let contribution =
            Contribution { layers: component.layers(), ..component.contribute(environment, report) };
        needs.extend(contribution.needs.clone());
        if !contribution.secrets.is_empty() {
            needs.push(Needed { need: Need::Secrets, by: format!("component `{}`", contribution.name) });
        }
        on.insert(contribution.name, contribution);
    }
    for providers in off {
        if let (Some(who), Some(enabled)) = (who(&needs, &providers[0]), providers[0].component.enabled()) {
            report.add(nobody(who, enabled, &providers[1..]));
        }
    }
    on.into_values().collect()
}

/// Groups the components by the need that they answer, and keeps their order.
fn by_need(providers: Vec<Provider>) -> Vec<Vec<Provider>> {
    let mut groups: Vec<Vec<Provider>> = Vec::new();
    for provider in providers {
        let need = provider.component.answers();
        match groups.iter_mut().find(|it| it[0].component.answers() == need) {
            Some(group) => group.push(provider),
            None => groups.push(vec![provider]),
        }
    }
    groups
}

fn who<'n>(needs: &'n [Needed], provider: &Provider) -> Option<&'n Needed> {
    needs.iter().find(|it| it.need == provider.component.answers())
}

/// Reports two enabled components for the same need.
fn two(first: &Provider, second: &Provider) -> Option<Finding> {
    let title = format!("`{}` and `{}` do the same", first.name, second.name);
    let finding = Finding::new("component/choice", title)
        .at(second.asked.clone()?, format!("`{}` has a section as well", first.name))
        .help("remove one of the two sections, or write `enabled = false` in it");
    Some(finding)
}

/// Reports a need without a component: the default is disabled, and no other one is enabled.
fn nobody(who: &Needed, enabled: &Located<bool>, others: &[Provider]) -> Finding {
    let others: Vec<String> = others.iter().map(|it| format!("`[components.{}]`", it.name)).collect();
    let help = match others.as_slice() {
        [] => "remove `enabled = false`".to_owned(),
        others => {
            format!("remove `enabled = false`, or add another that does the same: {}", others.join(", "))
        }
    };
    Finding::new("component/needed", "this component cannot be disabled")
        .at(enabled.span(), format!("needed by {}", who.by))
        .help(help)
}

/// The needs of every environment.
pub fn needs(environment: &Environment) -> Vec<Needed> {
    use Need::{Delivery, Identities, Names, PodNetwork, ServiceNetwork, Volumes};
    let by = format!("cluster `{}`", environment.prefix());
    let mut needs: Vec<Needed> = [Delivery, Identities, Names, PodNetwork, ServiceNetwork, Volumes]
        .map(|need| Needed { need, by: by.clone() })
        .into();
    let elastic = environment.cluster.node_groups.iter().find(|group| group.elastic());
    needs.extend(elastic.map(|group| Needed {
        need: Need::NodeScaling,
        by: format!("node group `{}`, whose `max` is larger than its `min`", group.name),
    }));
    needs.extend(
        environment
            .dns
            .as_ref()
            .map(|dns| Needed { need: Need::Records, by: format!("zone `{}`", dns.zone) }),
    );
    needs
}

/// The version of an add-on in the blueprint, or the one in the catalogue for the version of the cluster.
fn addon_version(
    name: &str,
    asked: Option<&Located<String>>,
    environment: &Environment,
    report: &mut Report,
) -> AddonVersion {
    match asked {
        None => AddonVersion::read(&environment.cluster.version.minor().addons[name]).unwrap_or_default(),
        asked => report.value(asked),
    }
}
