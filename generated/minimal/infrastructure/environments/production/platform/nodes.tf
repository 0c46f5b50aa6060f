# Written by blueprint. Change the blueprint instead.

locals {
  node_groups = {
    "general" = {
      ami_type        = "AL2023_x86_64_STANDARD"
      release_version = "1.36.4-20260923"
      capacity_type   = "ON_DEMAND"
      instance_types  = ["m7i.large"]
      min_size        = 3
      max_size        = 6
      disk_size       = 50
      disk_device     = "/dev/xvda"
    }
  }

  # cluster-autoscaler reads these tags to discover the Auto Scaling groups, and the labels of new nodes.
  autoscaler_tags = {
    "general/enabled" = { group = "general", key = "k8s.io/cluster-autoscaler/enabled", value = "true" }
    "general/cluster" = { group = "general", key = "k8s.io/cluster-autoscaler/${local.name}", value = "owned" }
    "general/label" = {
      group = "general"
      key   = "k8s.io/cluster-autoscaler/node-template/label/node-group"
      value = "general"
    }
  }
}

resource "aws_launch_template" "node" {
  for_each = local.node_groups

  name                   = "${local.name}-${each.key}"
  update_default_version = true

  block_device_mappings {
    device_name = each.value.disk_device

    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_size
      encrypted             = true
      kms_key_id            = aws_kms_key.volumes.arn
      delete_on_termination = true
    }
  }

  # With a hop limit of 1, pods cannot get the credentials of the node from the metadata service. Pods have their own roles.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  # The default tags of the provider do not apply to resources that Auto Scaling creates.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "network-interface", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = "${local.name}-${each.key}" })
    }
  }
}

# Only a name prefix, so that a change that replaces the group can create the new one before the old nodes are drained.
resource "aws_eks_node_group" "main" {
  for_each = local.node_groups

  cluster_name           = aws_eks_cluster.main.name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
  version                = local.kubernetes_version
  release_version        = each.value.release_version
  ami_type               = each.value.ami_type
  capacity_type          = each.value.capacity_type
  instance_types         = each.value.instance_types

  labels = { node-group = each.key }

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.min_size
  }

  update_config {
    max_unavailable = 1
  }

  lifecycle {
    create_before_destroy = true

    # cluster-autoscaler changes the number of nodes.
    ignore_changes = [scaling_config[0].desired_size]
  }

  # Nodes need the network to join the cluster. On destroy, their role must keep its permissions until they are terminated.
  depends_on = [
    aws_eks_addon.before_nodes,
    aws_iam_role_policy.node,
    aws_iam_role_policy_attachment.node,
    aws_route.private,
    aws_route_table_association.private,
    aws_vpc_endpoint.s3,
  ]
}

resource "aws_autoscaling_group_tag" "autoscaler" {
  for_each = local.autoscaler_tags

  autoscaling_group_name = aws_eks_node_group.main[each.value.group].resources[0].autoscaling_groups[0].name

  tag {
    key                 = each.value.key
    value               = each.value.value
    propagate_at_launch = false
  }
}
