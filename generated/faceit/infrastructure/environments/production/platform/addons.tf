# Written by blueprint. Change the blueprint instead.

locals {
  # Add-ons that nodes need to become Ready, and that pods need to get credentials.
  addons_before_nodes = {
    "kube-proxy" = {
      version         = "v1.36.0-eksbuild.25"
      service_account = null
      role            = null
      configuration   = null
    }
    "eks-pod-identity-agent" = {
      version         = "v1.3.10-eksbuild.3"
      service_account = null
      role            = null
      configuration   = null
    }
    "vpc-cni" = {
      version         = "v1.22.4-eksbuild.3"
      service_account = "aws-node"
      role            = aws_iam_role.vpc_cni.arn
      configuration   = jsonencode({ enableNetworkPolicy = "true" })
    }
  }

  # Add-ons whose pods need nodes: without nodes EKS reports them as degraded.
  addons_after_nodes = {
    "coredns" = {
      version         = "v1.14.3-eksbuild.23"
      service_account = null
      role            = null
      configuration   = null
    }
    "aws-ebs-csi-driver" = {
      version         = "v1.66.0-eksbuild.1"
      service_account = "ebs-csi-controller-sa"
      role            = aws_iam_role.ebs_csi_driver.arn
      configuration   = null
    }
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.addons_before_nodes

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = each.value.version
  service_account_role_arn    = each.value.role
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # Keeps the pods running when an add-on is removed from this list: without the VPC CNI, nodes would lose their network, and their
  # network interfaces would never be deleted.
  preserve = true

  # An add-on becomes active only after its role has its permissions.
  depends_on = [
    aws_iam_role_policy.vpc_cni,
  ]
}

resource "aws_eks_addon" "after_nodes" {
  for_each = local.addons_after_nodes

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = each.value.version
  service_account_role_arn    = each.value.role
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [
    aws_eks_node_group.main,
    aws_iam_role_policy.ebs_csi_driver,
  ]
}
