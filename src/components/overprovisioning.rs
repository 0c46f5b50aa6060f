//! Room that is kept free: pods that do nothing give way to real ones at once, and call for new nodes themselves.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Component;
use crate::{
    cluster::Allocatable,
    contribution::{Contribution, Namespace, Need, PodSecurity},
    diagnostics::{Finding, Report},
    foundation::Environment,
    pages,
    source::{Located, Span, value_or},
    words::{Cpu, Memory},
};

/// Room that is kept free: pods that do nothing give way to real ones at once, and call for new nodes themselves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overprovisioning {
    /// On where it is named, if you do not say.
    enabled: Option<Located<bool>>,
    /// How many pods keep room. One for each zone, if you do not say.
    #[schemars(range(min = 1, max = 100))]
    replicas: Option<Located<u32>>,
    /// The processor time that each keeps. `250m`, if you do not say: what an application's pod asks for.
    cpu: Option<Located<String>>,
    /// The memory that each keeps. `256Mi`, if you do not say.
    memory: Option<Located<String>>,
}

/// What is kept free, and where.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    replicas: u32,
    cpu: Cpu,
    memory: Memory,
}

impl Component for Overprovisioning {
    fn enabled(&self) -> Option<&Located<bool>> {
        self.enabled.as_ref()
    }

    fn answers(&self) -> Need {
        Need::Reserve
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
            pages: pages! { { reserve: Reserve, environment: Environment }
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
    fn reserve(&self, environment: &Environment, report: &mut Report) -> Reserve {
        let zones = u32::try_from(environment.network.zones.len()).unwrap_or(u32::MAX);
        Reserve {
            replicas: value_or(&self.replicas, zones.max(1)),
            cpu: report.read_or(self.cpu.as_ref(), Cpu(250)).value(),
            memory: report.read_or(self.memory.as_ref(), Memory(256)).value(),
        }
    }

    /// A pod that fits on no node waits for ever, and makes the autoscaler add nodes in vain.
    fn fits(&self, reserve: Reserve, place: &Span, environment: &Environment, report: &mut Report) {
        let groups = environment.cluster.node_groups.iter();
        let known = groups.filter_map(|group| Some((group, group.shape?)));
        let Some((group, shape)) = known.min_by_key(|(_, shape)| Allocatable::of(*shape)) else { return };
        let Allocatable { cpu, memory } = Allocatable::of(shape);
        let (Cpu(whole), Memory(all)) = (Cpu(shape.processors * 1000), Memory(shape.memory));
        let mut refuse = |asked: &Option<Located<String>>, said: String, label: String, most: String| {
            report.add(
                Finding::new("component/reserve", said)
                    .at(asked.as_ref().map_or_else(|| place.clone(), Located::span), label)
                    .help(format!("write `{most}` or less, with something left for what runs on every node")),
            );
        };
        if reserve.cpu > cpu {
            refuse(
                &self.cpu,
                format!("no node of `{}` has processor time for a pod of {}", group.name, reserve.cpu),
                format!("a node has {} − {} for the system = {cpu}", Cpu(whole), Cpu(whole - cpu.0)),
                format!("cpu = \"{cpu}\""),
            );
        }
        if reserve.memory > memory {
            refuse(
                &self.memory,
                format!("no node of `{}` has memory for a pod of {}", group.name, reserve.memory),
                format!("a node has {} − {} for the system = {memory}", Memory(all), Memory(all - memory.0)),
                format!("memory = \"{memory}\""),
            );
        }
    }
}

/// Where no group grows, nothing replaces the room that was taken.
fn grows(place: &Span, environment: &Environment, report: &mut Report) {
    let groups = &environment.cluster.node_groups;
    if groups.iter().all(|group| group.min >= group.max) && !report.excused(&["cluster", "node-groups"]) {
        report.add(
            Finding::warning("component/room", "room is kept free, and no node group can grow")
                .at(place.clone(), "once it is taken, nothing replaces it")
                .help("give a node group a `max` above its `min`, or leave this out"),
        );
    }
}

impl Reserve {
    /// Twice what is kept, so that a change replaces all pods at once.
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
