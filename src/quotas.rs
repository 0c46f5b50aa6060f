//! How much of the quotas of its account an environment uses: vCPUs of nodes, and elastic IP addresses. preflight compares it
//! with the quotas in AWS.
//!
//! Other quotas do not stop a first run: the defaults allow 100 clusters, 40 database instances, 5 NAT gateways in each zone, and
//! an internet gateway for each VPC.

use crate::{
    catalogue::{Catalogue, Quota},
    cluster::{Capacity, Cluster, NodeGroup},
    network::Network,
    words::Text,
};

/// The nodes of one group, and the quota that they count towards.
pub struct Demand {
    /// Its code in Service Quotas.
    pub code: &'static str,
    /// `on-demand` or `spot`.
    pub capacity: &'static str,
    /// The first letters of the families of this quota, separated by commas.
    pub families: Text,
    /// How many nodes the first apply creates.
    pub least: u32,
    /// The maximum number of nodes.
    pub most: u32,
    /// How many nodes are added during a replacement.
    pub surge: u32,
    /// The instance types, separated by commas.
    pub types: Text,
    /// The vCPUs of a node, if its type is known.
    processors: Option<u32>,
}

/// vCPUs that count towards one quota, where the types of all nodes are known.
pub struct Sum {
    /// Its code in Service Quotas.
    pub code: &'static str,
    /// `on-demand` or `spot`.
    pub capacity: &'static str,
    /// The vCPUs of the nodes that the first apply creates. None if the size of a node is unknown.
    pub least: Option<u32>,
    /// The maximum number of vCPUs, with the nodes that are added during a replacement. None if the size of a node is unknown.
    pub most: Option<u32>,
}

/// In the order of the node groups, without groups whose family is unknown.
pub fn demands(cluster: &Cluster, network: &Network) -> Vec<Demand> {
    let zones = network.zones.len() as u32;
    cluster.node_groups.iter().filter_map(|group| demand(group, zones)).collect()
}

fn demand(group: &NodeGroup, zones: u32) -> Option<Demand> {
    let (family, _) = group.types.first()?.parts();
    let Quota { on_demand, spot, families } = Catalogue::get().quota(family)?;
    let (code, capacity) = match group.capacity {
        Capacity::OnDemand => (on_demand, "on-demand"),
        Capacity::Spot => (spot.as_ref()?, "spot"),
    };
    let types: Vec<String> = group.types.iter().map(ToString::to_string).collect();
    Some(Demand {
        code,
        capacity,
        families: Text::ours(families.join(",")),
        least: group.min,
        most: group.max,
        // EKS starts up to two nodes in each zone before it removes the first one (EKS user guide, "Understand each phase of
        // node updates"). A group that is replaced starts with its minimum.
        surge: (2 * zones).max(group.min),
        types: Text::ours(types.join(",")),
        processors: group.instance_size.map(|it| it.processors),
    })
}

/// One for each quota, in the order of the node groups.
pub fn sums(demands: &[Demand]) -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for Demand { code, capacity, least, most, surge, processors, .. } in demands {
        let least = processors.map(|it| it * least);
        let most = processors.map(|it| it * (most + surge));
        match sums.iter_mut().find(|it| it.code == *code) {
            Some(sum) => {
                sum.least = sum.least.zip(least).map(|(a, b)| a + b);
                sum.most = sum.most.zip(most).map(|(a, b)| a + b);
            }
            None => sums.push(Sum { code, capacity, least, most }),
        }
    }
    sums
}
