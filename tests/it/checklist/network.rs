// Subnets, egress, and the documentation of both.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::{
    Platform, Verdict, prove,
    terraform::{Item, Root, words},
};

/// The subnets of a list of ids.
fn meant<'a>(root: &'a Root, ids: &Value) -> Vec<&'a Item> {
    root.resources("aws_subnet").filter(|it| it.is_among(ids)).collect()
}

fn zones(subnets: &[&Item]) -> BTreeSet<String> {
    subnets.iter().map(|it| it.body["availability_zone_id"].to_string()).collect()
}

/// The purpose of a subnet, by its name in Terraform.
fn kind<'a>(root: &'a Root, name: &'a str) -> impl Iterator<Item = &'a Item> {
    root.resources("aws_subnet").filter(move |it| it.labels[1] == name)
}

#[test]
fn t14_nodes_and_databases_have_subnets_of_their_own_in_several_zones() {
    prove(
        "T14",
        &["nodes", "database"],
        check,
        &[
            ("platform/nodes.tf", "aws_subnet.private[zone].id", "aws_subnet.public[zone].id"),
            ("platform/cluster.tf", "aws_subnet.private[zone].id", "aws_subnet.public[zone].id"),
            (
                "platform/nodes.tf",
                "[for zone in keys(local.zones) : aws_subnet.private[zone].id]",
                "[aws_subnet.private[\"euw1-az1\"].id]",
            ),
            ("database.tf", "aws_subnet.database[zone].id", "aws_subnet.private[zone].id"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let mut nodes = BTreeSet::new();
            let clusters =
                root.resources("aws_eks_cluster").map(|it| (it, &it.body["vpc_config"][0]["subnet_ids"]));
            let groups = root.resources("aws_eks_node_group").map(|it| (it, &it.body["subnet_ids"]));
            for (item, ids) in clusters.chain(groups) {
                verdict.see("nodes");
                let place = format!("{}: `{}`", root.path, item.address());
                let subnets = meant(root, ids);
                verdict.hold(zones(&subnets).len() >= 2, format!("{place} stands in one zone: {ids}"));
                for subnet in subnets {
                    let open = root
                        .resources("aws_route_table_association")
                        .any(|it| it.labels[1] == "public" && subnet.is_meant_by(&it.body["subnet_id"]));
                    verdict.hold(!open, format!("{place} stands in the open: `{}`", subnet.address()));
                    nodes.insert(subnet.address());
                }
            }
            for group in root.resources("aws_db_subnet_group") {
                verdict.see("database");
                let place = format!("{}: `{}`", root.path, group.address());
                let subnets = meant(root, &group.body["subnet_ids"]);
                let shared = subnets.iter().any(|it| nodes.contains(&it.address()));
                verdict.hold(!shared, format!("{place} shares its subnets with nodes"));
                verdict.hold(zones(&subnets).len() >= 2, format!("{place} has one zone"));
            }
        }
    }
}

#[test]
fn t15_each_zone_of_production_has_its_own_way_out() {
    prove(
        "T15",
        &["per zone", "single"],
        check,
        &[
            (
                "production/platform/network.tf",
                "nat_gateway_id = aws_nat_gateway.main[each.key].id",
                "nat_gateway_id = aws_nat_gateway.main[\"euw1-az1\"].id",
            ),
            (
                "production/platform/network.tf",
                "resource \"aws_nat_gateway\" \"main\" { for_each = local.zones",
                "resource \"aws_nat_gateway\" \"main\" {",
            ),
            ("staging/platform/network.tf", "# One NAT gateway…", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots().filter(|it| it.resources("aws_nat_gateway").next().is_some()) {
            let gateways: Vec<&Item> = root.resources("aws_nat_gateway").collect();
            let asked = platform.setting(&root.environment, &["network", "nat"]);
            if asked.is_some_and(|it| it.as_str() == Some("single")) {
                verdict.see("single");
                let text = platform.files.iter().filter(|(path, _)| path.starts_with(&root.path));
                let said = text
                    .flat_map(|(_, text)| text.lines())
                    .any(|it| it.starts_with("# One NAT gateway") && !it.contains("per zone"));
                verdict.hold(said, format!("{}: says nowhere that one zone carries all", root.path));
                continue;
            }
            verdict.see("per zone");
            let used: BTreeSet<String> = root
                .resources("aws_route")
                .map(|it| it.body["nat_gateway_id"].to_string())
                .filter(|it| it != "null")
                .collect();
            let zones = kind(root, "private").count();
            let enough = gateways.len() == zones && used.len() == zones;
            verdict.hold(enough, format!("{}: {zones} zones leave by {used:?}", root.path));
        }
    }
}

/// Trap 41. Trap 10.
#[test]
fn t16_load_balancers_find_their_subnets() {
    prove(
        "T16",
        &["subnets", "launch template"],
        check,
        &[
            ("platform/network.tf", "\"kubernetes.io/role/elb\" = \"1\"", ""),
            ("platform/network.tf", "\"kubernetes.io/role/internal-elb\" = \"1\"", ""),
            (
                "platform/network.tf",
                "\"kubernetes.io/role/elb\" = \"1\"",
                "\"kubernetes.io/role/elb\" = \"1\"\n\"kubernetes.io/cluster/other\" = \"shared\"",
            ),
            ("platform/network.tf", "public = \"10.…/22\"", "public = \"10.20.128.0/29\""),
            (
                "platform/nodes.tf",
                "update_default_version = true",
                "update_default_version = true\n  vpc_security_group_ids = [aws_default_security_group.main.id]",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for (name, tag) in
                [("public", "kubernetes.io/role/elb"), ("private", "kubernetes.io/role/internal-elb")]
            {
                for subnet in kind(root, name) {
                    verdict.see("subnets");
                    let place = format!("{}: `{}`", root.path, subnet.address());
                    verdict.hold(subnet.body["tags"][tag] == "1", format!("{place} has no `{tag}`"));
                    let range: Ipv4Net = subnet.body["cidr_block"].as_str().unwrap().parse().unwrap();
                    verdict.hold(free(&range) >= 8, format!("{place} has no room for a load balancer"));
                }
            }
            let own: Vec<Value> =
                root.resources("aws_eks_cluster").map(|it| it.body["name"].clone()).collect();
            for item in root.resources("aws_subnet").chain(root.resources("aws_security_group")) {
                let tags = item.body["tags"].as_object().cloned().unwrap_or_default();
                for name in tags.keys().filter_map(|it| it.strip_prefix("kubernetes.io/cluster/")) {
                    let known = own.iter().any(|it| it == name) && item.labels[0] == "aws_subnet";
                    verdict
                        .hold(known, format!("{}: `{}` says it is of `{name}`", root.path, item.address()));
                }
            }
            for template in root.resources("aws_launch_template") {
                verdict.see("launch template");
                let own = ["vpc_security_group_ids", "security_group_names", "network_interfaces"];
                let second = own.iter().any(|it| !template.body[*it].is_null());
                verdict.hold(!second, format!("{}: nodes have a second security group", root.path));
            }
        }
    }
}

/// The addresses of a subnet without those that AWS reserves.
fn free(range: &Ipv4Net) -> u32 {
    2_u32.pow(u32::from(32 - range.prefix_len())).saturating_sub(5)
}

#[test]
fn t17_images_and_backups_do_not_pass_the_nat() {
    prove(
        "T17",
        &["gateway endpoint", "interface endpoint"],
        check,
        &[
            ("platform/network.tf", "vpc_endpoint_type = \"Gateway\"", "vpc_endpoint_type = \"Interface\""),
            ("platform/network.tf", "route_table_ids = …", "route_table_ids = [aws_route_table.public.id]"),
            ("platform/network.tf", "private_dns_enabled = true", "private_dns_enabled = false"),
            (
                "platform/network.tf",
                "private_dns_enabled = true subnet_ids = [for zone in keys(local.zones) : aws_subnet.private[zone].id]",
                "private_dns_enabled = true\n  subnet_ids = [for zone in keys(local.zones) : aws_subnet.public[zone].id]",
            ),
            ("platform/network.tf", "security_group_ids = [aws_security_group.endpoints.id]", ""),
            ("platform/network.tf", "# Charged per hour…", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots().filter(|it| it.resources("aws_vpc").next().is_some()) {
            let gateway = root.resources("aws_vpc_endpoint").find(|it| {
                it.body["vpc_endpoint_type"] == "Gateway"
                    && it.body["service_name"].to_string().ends_with(".s3\"")
            });
            let tables = gateway.map(|it| it.body["route_table_ids"].clone()).unwrap_or_default();
            verdict.see("gateway endpoint");
            for table in root.resources("aws_route_table").filter(|it| it.labels[1] == "private") {
                let routed = table.is_among(&tables);
                verdict
                    .hold(routed, format!("{}: `{}` reaches S3 through the NAT", root.path, table.address()));
            }
        }
        for root in platform.roots() {
            for endpoint in
                root.resources("aws_vpc_endpoint").filter(|it| it.body["vpc_endpoint_type"] == "Interface")
            {
                verdict.see("interface endpoint");
                let place = format!("{}: `{}`", root.path, endpoint.address());
                verdict.hold(
                    endpoint.body["private_dns_enabled"] == true,
                    format!("{place} is asked by nobody"),
                );
                let ids = endpoint.body["subnet_ids"].to_string();
                let inside = ids.contains("aws_subnet.private") && !ids.contains("aws_subnet.public");
                verdict.hold(inside, format!("{place} stands in {ids}"));
                verdict.hold(
                    endpoint.body["security_group_ids"].is_array(),
                    format!("{place} takes the emptied security group"),
                );
                let files = platform.files.iter().filter(|(path, _)| path.starts_with(&root.path));
                let told = files
                    .flat_map(|(_, text)| text.lines())
                    .any(|it| it.starts_with("# Charged per hour and zone"));
                verdict.hold(told, format!("{place} does not say what it costs"));
            }
        }
    }
}

#[test]
fn t18_traffic_is_written_down_and_nothing_is_open_by_default() {
    prove(
        "T18",
        &["network"],
        check,
        &[
            ("platform/network.tf", "traffic_type = \"ALL\"", "traffic_type = \"REJECT\""),
            ("platform/network.tf", "retention_in_days = 365", ""),
            ("platform/network.tf", "log_destination = …", "log_destination = aws_s3_bucket.other.arn"),
            (
                "platform/network.tf",
                "resource \"aws_default_security_group\" \"main\" {",
                "resource \"aws_default_security_group\" \"main\" {\n  ingress {\n    protocol = -1\n    self = true\n  }",
            ),
            (
                "platform/network.tf",
                "resource \"aws_default_security_group\"",
                "resource \"aws_security_group\"",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for network in root.resources("aws_vpc") {
                verdict.see("network");
                let kept = root.resources("aws_flow_log").any(|log| {
                    let own = network.is_meant_by(&log.body["vpc_id"]) && log.body["traffic_type"] == "ALL";
                    own && root.resources("aws_cloudwatch_log_group").any(|it| {
                        it.is_meant_by(&log.body["log_destination"])
                            && it.body["retention_in_days"].as_u64() >= Some(1)
                    })
                });
                verdict.hold(kept, format!("{}: traffic is not written down, or for ever", root.path));
                let mut groups = root
                    .resources("aws_default_security_group")
                    .filter(|it| network.is_meant_by(&it.body["vpc_id"]));
                let emptied = groups.any(|it| it.body["ingress"].is_null() && it.body["egress"].is_null());
                verdict.hold(emptied, format!("{}: the default security group is open", root.path));
            }
        }
    }
}

#[test]
fn t19_the_network_answers_names() {
    prove(
        "T19",
        &["network"],
        check,
        &[
            ("platform/network.tf", "enable_dns_hostnames = true", "enable_dns_hostnames = false"),
            ("platform/network.tf", "enable_dns_support = true", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for network in root.resources("aws_vpc") {
                verdict.see("network");
                for key in ["enable_dns_support", "enable_dns_hostnames"] {
                    verdict.hold(network.body[key] == true, format!("{}: no `{key}`", root.path));
                }
            }
        }
    }
}

/// The maximum number of addresses of a node and its pods, by the network interfaces of its size.
fn addresses(instance: &str) -> u32 {
    match instance.split_once('.').map(|(_, size)| size) {
        Some("medium") => 18,
        Some("large") => 30,
        Some("xlarge" | "2xlarge") => 60,
        _ => 250,
    }
}

#[test]
fn t20_ranges_are_whole_apart_and_large_enough() {
    prove(
        "T20",
        &["ranges", "pods"],
        check,
        &[
            ("platform/network.tf", "private = \"10.20.32.0/19\"", "private = \"10.20.0.0/19\""),
            ("platform/network.tf", "private = \"10.20.32.0/19\"", "private = \"10.20.33.0/19\""),
            ("platform/network.tf", "private = \"10.20.32.0/19\"", "private = \"10.99.32.0/19\""),
            ("platform/network.tf", "private = \"10.20.32.0/19\"", "private = \"10.20.32.0/29\""),
            (
                "platform/cluster.tf",
                "service_range = \"172.20.0.0/16\"",
                "service_range = \"10.20.240.0/20\"",
            ),
            ("platform/nodes.tf", "max_size = …", "max_size = 2000"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots().filter(|it| it.resources("aws_vpc").next().is_some()) {
            let place = &root.path;
            let mut range = |text: &Value| {
                let range: Ipv4Net = text.as_str().unwrap().parse().unwrap();
                verdict.hold(range.trunc() == range, format!("{place}: {range} has host bits"));
                range
            };
            let network = range(&root.resources("aws_vpc").next().unwrap().body["cidr_block"]);
            let subnets: Vec<(&Item, Ipv4Net)> =
                root.resources("aws_subnet").map(|it| (it, range(&it.body["cidr_block"]))).collect();
            let clusters: Vec<&Item> = root.resources("aws_eks_cluster").collect();
            let services: Vec<Ipv4Net> = clusters
                .iter()
                .map(|it| range(&it.body["kubernetes_network_config"][0]["service_ipv4_cidr"]))
                .collect();
            let apart = |one: &Ipv4Net, other: &Ipv4Net| !one.contains(other) && !other.contains(one);
            verdict.see("ranges");
            for (at, (subnet, range)) in subnets.iter().enumerate() {
                let place = format!("{place}: `{}` ({range})", subnet.address());
                verdict.hold(network.contains(range), format!("{place} lies outside {network}"));
                let alone = subnets[..at].iter().all(|(_, it)| apart(it, range));
                verdict.hold(alone, format!("{place} overlaps another"));
                verdict.hold(free(range) >= 16, format!("{place} has no room for an upgrade"));
            }
            for service in &services {
                verdict.hold(
                    apart(service, &network),
                    format!("{place}: Services in {service} overlap {network}"),
                );
            }
            let wanted: u64 = root
                .resources("aws_eks_node_group")
                .map(|it| {
                    verdict.see("pods");
                    let most = words(&it.body["instance_types"]).into_iter().map(addresses).max().unwrap();
                    // One more during an update.
                    (it.body["scaling_config"][0]["max_size"].as_u64().unwrap() + 1) * u64::from(most)
                })
                .sum();
            let capacity: u64 = subnets
                .iter()
                .filter(|(it, _)| it.labels[1] == "private")
                .map(|(_, range)| u64::from(free(range)))
                .sum();
            verdict.hold(
                wanted <= capacity,
                format!("{place}: nodes and pods want {wanted} of {capacity} addresses"),
            );
        }
    }
}

/// Trap 69.
#[test]
fn t44_zones_are_named_by_id_and_accepted_by_eks() {
    prove(
        "T44",
        &["subnets"],
        check,
        &[
            ("platform/network.tf", "availability_zone_id = each.key", "availability_zone = \"eu-west-1a\""),
            ("platform/network.tf", "\"euw1-az2\" = {", "\"use1-az3\" = {"),
            ("platform/network.tf", "\"euw1-az2\" = {", "\"eu-west-1b\" = {"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for subnet in root.resources("aws_subnet") {
                verdict.see("subnets");
                let id = subnet.body["availability_zone_id"].as_str().unwrap_or_default();
                let named = id
                    .split_once("-az")
                    .is_some_and(|(region, number)| number.parse::<u8>().is_ok() && !region.contains('-'));
                let place = format!("{}: `{}`", root.path, subnet.address());
                verdict.hold(named, format!("{place} stands in zone `{id}`"));
                verdict.hold(subnet.body["availability_zone"].is_null(), format!("{place} names a letter"));
                let refused = ["use1-az3", "usw1-az2", "cac1-az3"].contains(&id);
                verdict.hold(!refused, format!("{place}: EKS takes no `{id}`"));
            }
        }
    }
}
