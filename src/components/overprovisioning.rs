//! Spare capacity: placeholder pods that give way to real pods at once, and then make the autoscaler add nodes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    cluster::Allocatable,
    contribution::{Contribution, Namespace, Need, PodSecurity},
    diagnostics::{Finding, Report},
    foundation::Environment,
    layer::{Layer, Wait},
    pages,
    source::{Located, Span, value_or},
    words::{Cpu, Memory, patterns::Spelled},
};

/// Spare capacity: placeholder pods that give way to real pods at once, and then make the autoscaler add nodes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overprovisioning {
    /// Whether the component is enabled. Default: it is if its section is there.
    enabled: Option<Located<bool>>,
    /// The number of placeholder pods. Default: one for each availability zone.
    #[schemars(range(min = 1, max = 100))]
    replicas: Option<Located<u32>>,
    /// The CPU request of each placeholder pod.
    #[schemars(with = "Option<Spelled<Cpu>>", extend("default" = CPU.to_string()))]
    cpu: Option<Located<String>>,
    /// The memory request of each placeholder pod.
    #[schemars(with = "Option<Spelled<Memory>>", extend("default" = MEMORY.to_string()))]
    memory: Option<Located<String>>,
}

/// What a pod of an application requests by default.
const CPU: Cpu = Cpu(250);
const MEMORY: Memory = Memory(256);

/// The number of placeholder pods, and the requests of each.
#[derive(Clone, Copy, Debug)]
pub struct SpareCapacity {
    replicas: u32,
    cpu: Cpu,
    memory: Memory,
}

/// Outside the chain: its placeholder pods may stay pending, so no layer may wait for it.
const LAYER: &Layer = &Layer {
    name: "overprovisioning",
    after: Some(Layer::CONTROLLERS),
    wait: Wait::ForNothing("Pending pause pods are expected and must not be reported as a failure."),
    beside: true,
    about: "spare capacity, on which no other layer depends",
};

impl Component for Overprovisioning {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::SpareCapacity
    }

    fn layers(&self) -> &'static [&'static Layer] {
        &[LAYER]
    }

    fn examine(&self, place: &Span, environment: &Environment, report: &mut Report) {
        let reserve = self.reserve(environment, report);
        self.fits(reserve, place, environment, report);
        grows(place, environment, report);
    }

    fn contribute(&self, environment: &Environment, report: &mut Report) -> Contribution {
        let reserve = &self.reserve(environment, report);
        Contribution {
            about: "reserves spare capacity, so that new pods do not wait for a node",
            namespaces: vec![Namespace {
                name: "overprovisioning",
                pods: PodSecurity::Restricted,
                installs: false,
            }],
            pages: pages! { { reserve: SpareCapacity, environment: Environment }
                Resource "kubernetes-manifest/clusters/{environment}/overprovisioning/deployment.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/overprovisioning/limits.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/overprovisioning/network-policy.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/overprovisioning/priority-class.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/overprovisioning/quota.yaml",
            },
            ..Contribution::new("overprovisioning")
        }
    }
}

impl Overprovisioning {
    fn reserve(&self, environment: &Environment, report: &mut Report) -> SpareCapacity {
        let zones = u32::try_from(environment.network.zones.len()).unwrap_or(u32::MAX);
        SpareCapacity {
            replicas: value_or(&self.replicas, zones.max(1)),
            cpu: report.read_or(self.cpu.as_ref(), CPU).value(),
            memory: report.read_or(self.memory.as_ref(), MEMORY).value(),
        }
    }

    /// A pod that fits on no node stays pending, and no node that the autoscaler adds would help.
    fn fits(&self, reserve: SpareCapacity, place: &Span, environment: &Environment, report: &mut Report) {
        let groups = environment.cluster.node_groups.iter();
        let known = groups.filter_map(|group| Some((group, group.instance_size?)));
        let Some((group, size)) = known.min_by_key(|(_, size)| Allocatable::of(*size)) else { return };
        let Allocatable { cpu, memory } = Allocatable::of(size);
        let (Cpu(whole), Memory(all)) = (Cpu(size.processors * 1000), Memory(size.memory));
        let mut refuse = |asked: &Option<Located<String>>, said: String, label: String, most: String| {
            report.add(
                Finding::new("component/reserve", said)
                    .at(asked.as_ref().map_or_else(|| place.clone(), Located::span), label)
                    .help(format!("write `{most}` or less, and leave some for the DaemonSets")),
            );
        };
        if reserve.cpu > cpu {
            refuse(
                &self.cpu,
                format!(
                    "no node of `{}` has enough CPU for a placeholder pod of {}",
                    group.name, reserve.cpu
                ),
                format!("a node has {} − {} for the system = {cpu}", Cpu(whole), Cpu(whole - cpu.0)),
                format!("cpu = \"{cpu}\""),
            );
        }
        if reserve.memory > memory {
            refuse(
                &self.memory,
                format!(
                    "no node of `{}` has enough memory for a placeholder pod of {}",
                    group.name, reserve.memory
                ),
                format!("a node has {} − {} for the system = {memory}", Memory(all), Memory(all - memory.0)),
                format!("memory = \"{memory}\""),
            );
        }
    }
}

/// If no node group can grow, used spare capacity is not replaced.
fn grows(place: &Span, environment: &Environment, report: &mut Report) {
    let groups = &environment.cluster.node_groups;
    if groups.iter().all(|group| group.min >= group.max)
        && !report.already_reported(&["cluster", "node-groups"])
    {
        report.add(
            Finding::warning("component/capacity", "spare capacity is reserved, but no node group can grow")
                .at(place.clone(), "once it is used, no new node replaces it")
                .help("raise the `max` of a node group above its `min`, or remove this component"),
        );
    }
}

impl SpareCapacity {
    /// Twice the number of placeholder pods, so that a rollout can replace all of them at once.
    fn quota_pods(&self) -> u32 {
        2 * self.replicas
    }

    fn quota_cpu(&self) -> Cpu {
        Cpu(self.cpu.0.saturating_mul(self.quota_pods()))
    }

    fn quota_memory(&self) -> Memory {
        Memory(self.memory.0.saturating_mul(self.quota_pods()))
    }
}
