//! The components of a platform, and which of them are enabled. Each component has a file of its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    contribution::{Contribution, Need, Needed},
    diagnostics::{Finding, Report},
    foundation::Environment,
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

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution;

    /// Checks of what the blueprint says. `place` is its section; a component that is enabled automatically has none.
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
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Each component, and its section if it was asked for.
            fn all(&self) -> Vec<(Option<Span>, Box<dyn Component>)> {
                vec![$((
                    self.$name.as_ref().map(Located::span),
                    Box::new(self.$name.as_deref().cloned().unwrap_or_default()),
                )),+]
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

/// Enables the components that are asked for or needed, until every need is met.
pub fn resolve(
    specs: &Specs,
    mut needs: Vec<Needed>,
    environment: &Environment,
    report: &mut Report,
) -> Vec<Contribution> {
    let (off, mut rest): (Vec<_>, Vec<_>) =
        specs.all().into_iter().partition(|(_, component)| component.enabled().is_some_and(|it| !**it));
    let who = |needs: &[Needed], component: &dyn Component| {
        needs.iter().find(|it| it.need == component.answers()).cloned()
    };
    let mut on = BTreeMap::new();
    let is_next = |place: &Option<Span>, it: &dyn Component, needs: &[Needed]| {
        place.is_some() || who(needs, it).is_some()
    };
    while let Some(next) = rest.iter().position(|(place, it)| is_next(place, it.as_ref(), &needs)) {
        let (place, component) = rest.remove(next);
        if let Some(place) = place {
            component.examine(&place, environment, report);
        }
        let contribution = component.contribute(environment, report);
        needs.extend(contribution.needs.clone());
        if !contribution.secrets.is_empty() {
            needs.push(Needed { need: Need::Secrets, by: format!("component `{}`", contribution.name) });
        }
        on.insert(contribution.name, contribution);
    }
    for (_, component) in &off {
        if let (Some(who), Some(enabled)) = (who(&needs, component.as_ref()), component.enabled()) {
            report.add(
                Finding::new("component/needed", "this component cannot be disabled")
                    .at(enabled.span(), format!("needed by {}", who.by))
                    .help("remove `enabled = false`"),
            );
        }
    }
    on.into_values().collect()
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
        need: Need::Room,
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

/// The version of an add-on in the blueprint, or else the catalogue's for the version of the cluster.
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
