//! Whether the nodes have capacity for all pods, with the calculation. Which nodes there are is decided elsewhere.

use super::Workload;
use crate::{
    cluster::{Allocatable, Cluster, NodeGroup},
    diagnostics::{Finding, Report},
    words::{Cpu, Memory},
};

/// A node group, and the allocatable resources of one of its nodes.
struct Offer<'c> {
    group: &'c NodeGroup,
    cpu: Cpu,
    memory: Memory,
    pods: u32,
}

/// Without a finding if the size of any node is unknown, because it may be large enough.
pub fn check(workloads: &[Workload], cluster: &Cluster, report: &mut Report) {
    let offers: Option<Vec<Offer>> = cluster.node_groups.iter().map(offer).collect();
    let known = !report.already_reported(&["cluster"]) && !report.already_reported(&["applications"]);
    let Some(offers) = offers.filter(|_| known) else { return };
    for workload in workloads {
        check_single(workload, &offers, report);
    }
    check_total(workloads, &offers, report);
}

fn offer(group: &NodeGroup) -> Option<Offer<'_>> {
    let instance = group.instance_size?;
    let Allocatable { cpu, memory } = Allocatable::of(instance);
    Some(Offer { group, cpu, memory, pods: instance.pods })
}

/// One application on the maximum number of nodes.
fn check_single(workload: &Workload, offers: &[Offer], report: &mut Report) {
    let at = &workload.place;
    let (name, size) = (&workload.application.name, &workload.size);
    let fits = |offer: &Offer| (offer.cpu.0 / size.cpu.0).min(offer.memory.0 / size.memory.0).min(offer.pods);
    let asks = format!("a pod requests {} of CPU and {} of memory", size.cpu, size.memory);
    if offers.iter().all(|offer| fits(offer) == 0) {
        let each = offers
            .iter()
            .map(|it| format!("a node of `{}` offers {} and {}", it.group.name, it.cpu, it.memory));
        report.add(
            Finding::new("application/node", format!("no node is large enough for a pod of `{name}`"))
                .at(at.clone(), asks)
                .help(format!("{}: lower the requests, or add larger nodes", sentence(each))),
        );
        return;
    }
    let capacity: u64 = offers.iter().map(|it| u64::from(it.group.max) * u64::from(fits(it))).sum();
    if capacity < size.max.into() {
        let each = offers.iter().map(|it| format!("`{}` {} × {}", it.group.name, it.group.max, fits(it)));
        report.add(
            Finding::new("application/capacity", format!("the nodes have capacity for {capacity} pods of `{name}`, but `replicas.max` is {}", size.max))
                .at(at.clone(), asks)
                .help(format!(
                    "nodes × pods per node: {}, together {capacity}; raise a `max` of `[cluster.node-groups]`, or write `replicas.max = {capacity}`",
                    sentence(each)
                )),
        );
    }
}

/// All applications at their maximum. They may not reach it at the same time, so this is a warning.
fn check_total(workloads: &[Workload], offers: &[Offer], report: &mut Report) {
    let Some(first) = workloads.first() else { return };
    let sum = |of: fn(&Workload) -> u32| {
        workloads.iter().map(|it| u64::from(it.size.max) * u64::from(of(it))).sum::<u64>()
    };
    let all = |of: fn(&Offer) -> u32| {
        offers.iter().map(|it| u64::from(it.group.max) * u64::from(of(it))).sum::<u64>()
    };
    let (cpu, memory) = (sum(|it| it.size.cpu.0), sum(|it| it.size.memory.0));
    let (cores, bytes) = (all(|it| it.cpu.0), all(|it| it.memory.0));
    if workloads.len() < 2 || cpu <= cores && memory <= bytes {
        return;
    }
    let word = |cpu: u64, memory: u64| format!("{} of CPU and {} of memory", cpus(cpu), memories(memory));
    let terms = workloads.iter().map(|it| {
        format!("`{}` {} × {} and {}", it.application.name, it.size.max, it.size.cpu, it.size.memory)
    });
    let nodes = offers
        .iter()
        .map(|it| format!("`{}` {} × {} and {}", it.group.name, it.group.max, it.cpu, it.memory));
    report.add(
        Finding::warning(
            "application/capacity",
            format!("at `replicas.max`, all applications together request {}", word(cpu, memory)),
        )
        .at(first.place.clone(), format!("all nodes at `max` offer {}", word(cores, bytes)))
        .help(format!(
            "{}; {}: raise a `max` of `[cluster.node-groups]`, or lower `replicas.max`",
            sentence(terms),
            sentence(nodes)
        )),
    );
}

fn sentence(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn cpus(sum: u64) -> String {
    Cpu(u32::try_from(sum).unwrap_or(u32::MAX)).to_string()
}

fn memories(sum: u64) -> String {
    Memory(u32::try_from(sum).unwrap_or(u32::MAX)).to_string()
}
