// The control plane, its nodes and its add-ons.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Platform, Verdict,
    policies::{Statement, grants},
    prove,
    terraform::{Item, Root, words},
};

/// The root that creates a cluster, and the cluster.
pub fn clusters(platform: &Platform) -> impl Iterator<Item = (&Root, &Item)> {
    platform.roots().flat_map(|root| root.resources("aws_eks_cluster").map(move |it| (root, it)))
}

fn groups(platform: &Platform) -> impl Iterator<Item = (&Root, &Item)> {
    platform.roots().flat_map(|root| root.resources("aws_eks_node_group").map(move |it| (root, it)))
}

/// Trap 15.
#[test]
fn t21_whoever_may_enter_has_an_access_entry() {
    prove(
        "T21",
        &["cluster"],
        check,
        &[
            (
                "platform/cluster.tf",
                "authentication_mode = \"API\"",
                "authentication_mode = \"API_AND_CONFIG_MAP\"",
            ),
            (
                "platform/cluster.tf",
                "bootstrap_cluster_creator_admin_permissions = false",
                "bootstrap_cluster_creator_admin_permissions = true",
            ),
            ("platform/cluster.tf", "bootstrap_cluster_creator_admin_permissions = false", ""),
            (
                "platform/cluster.tf",
                "principal_arn = aws_eks_access_entry.administrator[each.key].principal_arn",
                "principal_arn = \"arn:aws:iam::111122223333:role/nobody\"",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let place = &root.path;
            let access = &cluster.body["access_config"][0];
            let mode = &access["authentication_mode"];
            verdict.hold(mode == "API", format!("{place}: principals are found by {mode}"));
            let hidden = &access["bootstrap_cluster_creator_admin_permissions"];
            verdict.hold(*hidden == false, format!("{place}: its creator is a hidden administrator"));
            let mut any = false;
            for entry in root.resources("aws_eks_access_entry") {
                any = true;
                let mut rights = root.resources("aws_eks_access_policy_association");
                let right = rights.any(|it| {
                    let principal = it.body["principal_arn"].as_str().unwrap_or_default();
                    principal == entry.body["principal_arn"] || principal.contains(&entry.address())
                });
                let right = right || entry.body["kubernetes_groups"].is_array();
                verdict.hold(right, format!("{place}: `{}` may enter and do nothing", entry.address()));
            }
            verdict.hold(any, format!("{place}: nobody may enter"));
        }
    }
}

/// Trap 11.
#[test]
fn t22_the_endpoint_is_private() {
    prove(
        "T22",
        &["cluster"],
        check,
        &[
            ("platform/cluster.tf", "endpoint_private_access = true", "endpoint_private_access = false"),
            ("platform/cluster.tf", "endpoint_public_access = false", "endpoint_public_access = true"),
            ("platform/cluster.tf", "endpoint_public_access = false", ""),
            (
                "platform/cluster.tf",
                "endpoint_public_access = false",
                "endpoint_public_access = true\n public_access_cidrs = [\"0.0.0.0/0\"]",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let network = &cluster.body["vpc_config"][0];
            let inside = network["endpoint_private_access"] == true;
            verdict.hold(inside, format!("{}: nodes go round by the internet", root.path));
            let ranges = words(&network["public_access_cidrs"]);
            let some = network["endpoint_public_access"] == true && !ranges.is_empty();
            let few = some && ranges.iter().all(|it| !it.ends_with("/0"));
            let closed = network["endpoint_public_access"] == false;
            verdict.hold(closed || few, format!("{}: the world may knock", root.path));
        }
    }
}

#[test]
fn t23_secrets_are_encrypted_with_a_key_that_rotates() {
    prove(
        "T23",
        &["cluster"],
        check,
        &[
            ("platform/cluster.tf", "resources = [\"secrets\"]", "resources = []"),
            ("platform/cluster.tf", "key_arn = …", "key_arn = \"alias/aws/eks\""),
            ("platform/keys.tf", "enable_key_rotation = true", "enable_key_rotation = false"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let it = &cluster.body["encryption_config"][0];
            let key =
                root.resources("aws_kms_key").find(|key| key.is_meant_by(&it["provider"][0]["key_arn"]));
            let encrypted = words(&it["resources"]) == ["secrets"] && key.is_some();
            verdict.hold(encrypted, format!("{}: Secrets have no key of their own", root.path));
            for key in root.resources("aws_kms_key") {
                let rotates = key.body["enable_key_rotation"] == true;
                verdict.hold(rotates, format!("{}: `{}` does not rotate", root.path, key.address()));
            }
        }
    }
}

/// Trap 4.
#[test]
fn t24_all_logs_go_to_a_group_that_was_there_before() {
    prove(
        "T24",
        &["cluster"],
        check,
        &[
            ("platform/cluster.tf", "\"audit\", ", ""),
            ("platform/cluster.tf", "[ aws_cloudwatch_log_group.cluster,", "["),
            ("platform/cluster.tf", "retention_in_days = 365", ""),
            ("platform/cluster.tf", "name = local.log_groups.cluster", "name = \"/aws/eks/other/cluster\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let kinds: BTreeSet<&str> =
                words(&cluster.body["enabled_cluster_log_types"]).into_iter().collect();
            let all = BTreeSet::from(["api", "audit", "authenticator", "controllerManager", "scheduler"]);
            verdict.hold(kinds == all, format!("{}: it logs {kinds:?}", root.path));
            let name = format!("/aws/eks/{}/cluster", cluster.body["name"].as_str().unwrap());
            let group = root.resources("aws_cloudwatch_log_group").find(|it| it.body["name"] == *name);
            let kept = group
                .is_some_and(|it| cluster.waits_for(it) && it.body["retention_in_days"].as_u64() >= Some(1));
            verdict.hold(kept, format!("{}: EKS makes `{name}` by itself", root.path));
        }
    }
}

fn addons(root: &Root) -> BTreeMap<&str, &Item> {
    root.resources("aws_eks_addon").map(|it| (it.body["addon_name"].as_str().unwrap(), it)).collect()
}

/// Trap 2.
#[test]
fn t25_addons_are_managed_and_fit_the_minor_version() {
    prove(
        "T25",
        &["cluster"],
        check,
        &[
            ("platform/addons.tf", "\"coredns\" = {", "\"core-dns\" = {"),
            ("platform/addons.tf", "\"v1.36.…\"", "\"v1.34.0-eksbuild.1\""),
            ("platform/addons.tf", "-eksbuild.3\"", "\""),
            ("platform/addons.tf", "preserve = true", "preserve = false"),
            (
                "platform/cluster.tf",
                "bootstrap_self_managed_addons = false",
                "bootstrap_self_managed_addons = true",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let place = &root.path;
            let own = &cluster.body["bootstrap_self_managed_addons"];
            verdict.hold(*own == false, format!("{place}: EKS installs unmanaged copies first"));
            let addons = addons(root);
            for name in ["vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", "aws-ebs-csi-driver"] {
                let version =
                    addons.get(name).and_then(|it| it.body["addon_version"].as_str()).unwrap_or_default();
                let parts: Vec<&str> = version.split("-eksbuild.").collect();
                let exact = matches!(parts[..], [version, build]
                    if version.starts_with('v') && version.split('.').count() == 3 && build.parse::<u32>().is_ok());
                verdict.hold(exact, format!("{place}: `{name}` has version `{version}`"));
            }
            let minor = cluster.body["version"].as_str().unwrap();
            let proxy =
                addons.get("kube-proxy").and_then(|it| it.body["addon_version"].as_str()).unwrap_or_default();
            let fits = proxy.starts_with(&format!("v{minor}."));
            verdict.hold(fits, format!("{place}: kube-proxy {proxy} beside Kubernetes {minor}"));
            let stays = addons.get("vpc-cni").is_some_and(|it| it.body["preserve"] == true);
            verdict
                .hold(stays, format!("{place}: the CNI goes before its nodes, and leaks their interfaces"));
        }
    }
}

#[test]
fn t26_the_cni_has_its_own_role_and_enforces_policies() {
    prove(
        "T26",
        &["cni"],
        check,
        &[
            ("platform/addons.tf", "aws_iam_role.vpc_cni.arn", "null"),
            ("platform/addons.tf", "aws_iam_role.vpc_cni.arn", "aws_iam_role.node.arn"),
            ("platform/addons.tf", "enableNetworkPolicy = \"true\"", "enableNetworkPolicy = \"false\""),
            ("platform/iam.tf", "\"AmazonEC2ContainerRegistryPullOnly\",", "\"AmazonEKS_CNI_Policy\","),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            let Some(cni) = addons(root).remove("vpc-cni") else { continue };
            verdict.see("cni");
            let associated = &cni.body["pod_identity_association"][0]["role_arn"];
            let roles = [&cni.body["service_account_role_arn"], associated];
            let mut own =
                root.resources("aws_iam_role").filter(|role| roles.iter().any(|it| role.is_meant_by(it)));
            let shared = root.resources("aws_eks_node_group").map(|it| &it.body["node_role_arn"]);
            let shared: Vec<&Value> = shared.collect();
            let alone = own.any(|role| !shared.iter().any(|it| role.is_meant_by(it)));
            verdict.hold(alone, format!("{}: the CNI has the node's role", root.path));
            let rights = root
                .resources("aws_iam_role_policy_attachment")
                .any(|it| it.body["policy_arn"].to_string().contains("CNI"));
            verdict.hold(!rights, format!("{}: nodes have the rights of the CNI", root.path));
            let on = &cni.body["configuration_values"]["enableNetworkPolicy"];
            verdict.hold(*on == "true", format!("{}: NetworkPolicies are words", root.path));
        }
    }
}

/// Trap 9.
#[test]
fn t27_pods_cannot_become_their_node() {
    prove(
        "T27",
        &["launch template", "load balancer controller"],
        check,
        &[
            ("platform/nodes.tf", "http_tokens = \"required\"", "http_tokens = \"optional\""),
            ("platform/nodes.tf", "http_put_response_hop_limit = 1", "http_put_response_hop_limit = 2"),
            ("platform/nodes.tf", "http_put_response_hop_limit = 1", ""),
            ("controllers/load-balancer-controller/release.yaml", "region: …", ""),
            ("controllers/load-balancer-controller/release.yaml", "vpcTags:", "tags:"),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for template in root.resources("aws_launch_template") {
                verdict.see("launch template");
                let it = &template.body["metadata_options"][0];
                let tokens = it["http_tokens"] == "required" && it["http_endpoint"] == "enabled";
                verdict.hold(tokens, format!("{}: metadata answers without a token", root.path));
                let hops = &it["http_put_response_hop_limit"];
                verdict.hold(*hops == 1, format!("{}: metadata answers pods, over {hops} hops", root.path));
            }
        }
        for release in platform.documents().flat_map(|it| it.values()) {
            let chart = &release["spec"]["chart"]["spec"]["chart"];
            if release["kind"] == "HelmRelease" && *chart == "aws-load-balancer-controller" {
                verdict.see("load balancer controller");
                let values = &release["spec"]["values"];
                let network = values["vpcId"].is_string() || values["vpcTags"].is_object();
                let told = values["region"].is_string() && network;
                verdict.hold(told, "the load balancer controller asks metadata where it is");
            }
        }
    }
}

#[test]
fn t28_nodes_run_an_image_that_is_still_made() {
    prove(
        "T28",
        &["node group"],
        check,
        &[
            ("platform/nodes.tf", "\"AL2023_x86_64_STANDARD\"", "\"AL2_x86_64\""),
            ("platform/nodes.tf", "ami_type = each.value.ami_type", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, group) in groups(platform) {
            verdict.see("node group");
            let image = group.body["ami_type"].as_str().unwrap_or_default();
            let kept = image.starts_with("AL2023_") || image.starts_with("BOTTLEROCKET_");
            verdict.hold(kept, format!("{}: `{}` runs `{image}`", root.path, group.address()));
        }
    }
}

#[test]
fn t29_disks_are_encrypted_and_nobody_has_an_ssh_key() {
    prove(
        "T29",
        &["disk", "node group", "storage class"],
        check,
        &[
            ("platform/nodes.tf", "encrypted = true", "encrypted = false"),
            ("platform/nodes.tf", "encrypted = true", ""),
            ("platform/nodes.tf", "volume_type = \"gp3\"", "volume_type = \"gp2\""),
            ("platform/nodes.tf", "kms_key_id = …", ""),
            (
                "platform/nodes.tf",
                "update_default_version = true",
                "update_default_version = true\n  key_name = \"admin\"",
            ),
            (
                "platform/nodes.tf",
                "labels = { node-group = each.key }",
                "remote_access {\n    ec2_ssh_key = \"admin\"\n  }",
            ),
            ("platform/iam.tf", "\"ssm:UpdateInstanceInformation\",", ""),
            (".yaml", "encrypted: \"true\"", "encrypted: \"false\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for root in platform.roots() {
            for template in root.resources("aws_launch_template") {
                let place = format!("{}: `{}`", root.path, template.address());
                verdict.hold(template.body["key_name"].is_null(), format!("{place} lets an SSH key in"));
                let disks = template.body["block_device_mappings"].as_array().cloned().unwrap_or_default();
                verdict.hold(!disks.is_empty(), format!("{place} leaves the disk to AWS"));
                for disk in disks.iter().map(|it| &it["ebs"][0]) {
                    verdict.see("disk");
                    let mut keys = root.resources("aws_kms_key");
                    let own = keys.any(|key| key.is_meant_by(&disk["kms_key_id"]));
                    let encrypted = disk["encrypted"] == true && disk["volume_type"] == "gp3" && own;
                    verdict.hold(encrypted, format!("{place} has the disk {disk}"));
                }
            }
            for group in root.resources("aws_eks_node_group") {
                verdict.see("node group");
                let place = format!("{}: `{}`", root.path, group.address());
                verdict.hold(group.body["remote_access"].is_null(), format!("{place} lets an SSH key in"));
                let mut roles =
                    root.resources("aws_iam_role").filter(|it| it.is_meant_by(&group.body["node_role_arn"]));
                let reached = roles.any(|role| {
                    let may = |action| grants(root, role).iter().any(|it| it.may(action));
                    may("ssm:UpdateInstanceInformation") && may("ssmmessages:OpenDataChannel")
                });
                verdict.hold(reached, format!("{place} is out of Session Manager's reach"));
            }
        }
        for class in platform.documents().flat_map(|it| it.values()).filter(|it| it["kind"] == "StorageClass")
        {
            verdict.see("storage class");
            let parameters = &class["parameters"];
            let encrypted = parameters["encrypted"] == "true" && parameters["type"] == "gp3";
            verdict.hold(encrypted, format!("the class {} has {parameters}", class["metadata"]["name"]));
        }
    }
}

#[test]
fn t30_a_node_group_has_one_shape_in_all_zones() {
    prove(
        "T30",
        &["node group", "spot"],
        check,
        &[
            ("platform/nodes.tf", "\"m6i.xlarge\"", "\"m6i.2xlarge\""),
            ("platform/nodes.tf", "\"m6i.xlarge\"", "\"c6i.xlarge\""),
            ("platform/nodes.tf", "\"m6i.xlarge\"", "\"m6g.xlarge\""),
            ("platform/nodes.tf", "max_unavailable = 1", ""),
            (
                "platform/nodes.tf",
                "[for zone in keys(local.zones) : aws_subnet.private[zone].id]",
                "[aws_subnet.private[\"euw1-az1\"].id]",
            ),
            ("platform/nodes.tf", "capacity_type = each.value.capacity_type", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, group) in groups(platform) {
            verdict.see("node group");
            let place = format!("{}: `{}`", root.path, group.address());
            let types = words(&group.body["instance_types"]);
            let instance_size = |name: &str| {
                let (family, size) = name.split_once('.').unwrap();
                let arm = family.chars().skip_while(|it| !it.is_ascii_digit()).any(|it| it == 'g');
                let series: String = family.chars().take_while(|it| !it.is_ascii_digit()).collect();
                (series, arm, size.to_owned())
            };
            let sizes: BTreeSet<_> = types.iter().map(|it| instance_size(it)).collect();
            verdict.hold(sizes.len() == 1, format!("{place} mixes {types:?}"));
            let arm = sizes.first().is_some_and(|(_, arm, _)| *arm);
            let image = group.body["ami_type"].as_str().unwrap_or_default().to_lowercase();
            verdict.hold(arm == image.contains("arm_64"), format!("{place} boots `{image}` on {types:?}"));
            let capacity = group.body["capacity_type"].as_str().unwrap_or_default();
            verdict.hold(
                ["ON_DEMAND", "SPOT"].contains(&capacity),
                format!("{place} does not say its capacity"),
            );
            if capacity == "SPOT" {
                verdict.see("spot");
            }
            let update = &group.body["update_config"][0];
            let some =
                ["max_unavailable", "max_unavailable_percentage"].iter().any(|it| update[*it].is_u64());
            verdict.hold(some, format!("{place} does not say how many nodes an update may take"));
            let subnets = words(&group.body["subnet_ids"]).len();
            let private = root.resources("aws_subnet").filter(|it| it.labels[1] == "private").count();
            verdict.hold(subnets == private, format!("{place} stands in {subnets} of {private} zones"));
        }
    }
}

#[test]
fn t31_the_autoscaler_finds_its_groups_and_touches_no_other() {
    prove(
        "T31",
        &["tags", "autoscaler"],
        check,
        &[
            ("platform/nodes.tf", "key = \"k8s.io/cluster-autoscaler/enabled\"", "key = \"enabled\""),
            (
                "platform/nodes.tf",
                "key = \"k8s.io/cluster-autoscaler/${local.name}\"",
                "key = \"k8s.io/cluster-autoscaler/other\"",
            ),
            (
                "platform/iam.tf",
                "\"…:ResourceTag/k8s.io/cluster-autoscaler/enabled\" = \"true\" \"…:ResourceTag/k8s.io/cluster-autoscaler/${local.name}\" = \"owned\"",
                "",
            ),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            let name = cluster.body["name"].as_str().unwrap();
            for group in root.resources("aws_eks_node_group") {
                let size = &group.body["scaling_config"][0];
                let tags = root.resources("aws_autoscaling_group_tag");
                let own = tags.filter(|it| group.is_meant_by(&it.body["autoscaling_group_name"]));
                let keys: BTreeSet<&str> = own.filter_map(|it| it.body["tag"][0]["key"].as_str()).collect();
                for key in ["k8s.io/cluster-autoscaler/enabled", &format!("k8s.io/cluster-autoscaler/{name}")]
                {
                    verdict.see("tags");
                    let wanted = size["min_size"].as_u64() < size["max_size"].as_u64();
                    let found = keys.contains(key) == wanted;
                    verdict.hold(found, format!("{}: `{}` and the tag `{key}`", root.path, group.address()));
                }
            }
        }
        for root in platform.roots() {
            for role in root.resources("aws_iam_role") {
                for statement in grants(root, role) {
                    let writes = |it: &Statement| {
                        ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
                            .iter()
                            .any(|action| it.may(action))
                    };
                    if !writes(&statement) {
                        continue;
                    }
                    verdict.see("autoscaler");
                    let condition =
                        statement.body["Condition"]["StringEquals"].as_object().cloned().unwrap_or_default();
                    let bound = condition.iter().any(|(key, value)| {
                        key.contains(":ResourceTag/k8s.io/cluster-autoscaler/")
                            && !value.to_string().contains('*')
                    });
                    verdict.hold(
                        bound,
                        format!("{}: {} scales every group of the account", root.path, statement.place),
                    );
                }
            }
        }
    }
}

#[test]
fn t32_extended_support_is_not_slid_into() {
    prove(
        "T32",
        &["cluster"],
        check,
        &[
            ("platform/cluster.tf", "support_type = \"STANDARD\"", "support_type = \"EXTENDED\""),
            ("platform/cluster.tf", "upgrade_policy { support_type = \"STANDARD\" }", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let support = &cluster.body["upgrade_policy"][0]["support_type"];
            verdict.hold(*support == "STANDARD", format!("{}: support is {support}", root.path));
        }
    }
}

#[test]
fn t33_name_and_version_stand_once_and_are_supported() {
    prove(
        "T33",
        &["cluster"],
        check,
        &[
            ("platform/cluster.tf", "kubernetes_version = \"…\"", "kubernetes_version = \"1.29\""),
            ("platform/nodes.tf", "version = local.kubernetes_version", "version = \"1.36\""),
            ("platform/cluster.tf", "name = local.name", "name = \"faceit-production\""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        let catalogue: toml::Table = toml::from_str(include_str!("../../../src/catalogue.toml")).unwrap();
        for (root, cluster) in clusters(platform) {
            verdict.see("cluster");
            let place = &root.path;
            let version = cluster.body["version"].as_str().unwrap();
            let known = catalogue["kubernetes"]["versions"].get(version).is_some();
            verdict.hold(known, format!("{place}: nobody stands behind Kubernetes {version}"));
            for group in root.resources("aws_eks_node_group") {
                let same = group.body["version"] == version;
                verdict.hold(same, format!("{place}: `{}` has another version", group.address()));
            }
            // The name consists of the names of platform and environment.
            for (word, wanted) in [(version, 1), (cluster.body["name"].as_str().unwrap(), 0)] {
                let times = root.mentions(word);
                verdict.hold(times == wanted, format!("{place}: `{word}` is written {times} times"));
            }
        }
    }
}

/// Trap 3.
#[test]
fn t45_addons_nodes_and_rights_come_and_go_in_order() {
    prove(
        "T45",
        &["nodes", "cluster"],
        check,
        &[
            ("platform/nodes.tf", "aws_eks_addon.before_nodes,", ""),
            ("platform/addons.tf", "aws_eks_node_group.main,", ""),
            ("platform/addons.tf", "addons_before_nodes = {", "addons_before_nodes = {}\n  other = {"),
            ("platform/cluster.tf", "aws_iam_role_policy_attachment.cluster,", ""),
            ("platform/nodes.tf", "aws_iam_role_policy_attachment.node,", ""),
        ],
    );
    fn check(platform: &Platform, verdict: &mut Verdict) {
        for (root, cluster) in clusters(platform) {
            let place = &root.path;
            let addons = addons(root);
            for group in root.resources("aws_eks_node_group") {
                verdict.see("nodes");
                for name in ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"] {
                    let first =
                        addons.get(name).is_some_and(|it| group.waits_for(it) && !it.waits_for(group));
                    verdict.hold(first, format!("{place}: `{}` comes up without {name}", group.address()));
                }
                for name in ["coredns", "aws-ebs-csi-driver"] {
                    let last = addons.get(name).is_some_and(|it| it.waits_for(group) && !group.waits_for(it));
                    verdict.hold(last, format!("{place}: {name} waits for nodes that wait for it"));
                }
            }
            let users = root.resources("aws_eks_node_group").map(|it| (it, &it.body["node_role_arn"]));
            for (user, arn) in users.chain([(cluster, &cluster.body["role_arn"])]) {
                verdict.see("cluster");
                let role = root.resources("aws_iam_role").find(|it| it.is_meant_by(arn)).unwrap();
                let kinds = ["aws_iam_role_policy", "aws_iam_role_policy_attachment"];
                let rights = kinds
                    .iter()
                    .flat_map(|kind| root.resources(kind))
                    .filter(|it| role.is_meant_by(&it.body["role"]));
                for right in rights {
                    let kept = user.waits_for(right);
                    verdict.hold(
                        kept,
                        format!(
                            "{place}: `{}` loses `{}` before it is gone",
                            user.address(),
                            right.address()
                        ),
                    );
                }
            }
        }
    }
}
