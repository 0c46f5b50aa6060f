# Written by blueprint. Change the blueprint instead.

locals {
  kubernetes_version = "1.36"
  service_range      = "172.20.0.0/16"

  # Who has every right in the cluster. The role that applies this root is one of them: it made the cluster without
  # becoming a hidden administrator.
  administrators = [
    "arn:aws:iam::${local.account}:role/${local.name}-apply",
    "arn:aws:iam::111122223333:role/platform-team",
  ]
}

# Made before the cluster: EKS would otherwise make the group itself, unencrypted, without retention, and leave it behind.
resource "aws_cloudwatch_log_group" "cluster" {
  name              = local.log_groups.cluster
  kms_key_id        = aws_kms_key.logs.arn
  retention_in_days = 365
}

resource "aws_eks_cluster" "main" {
  # checkov:skip=CKV_AWS_39:Only the ranges that the blueprint names come in, and never everybody
  # checkov:skip=CKV_AWS_339:The list of versions in this check ends before 1.36, which is in standard support
  name                = local.name
  version             = local.kubernetes_version
  role_arn            = aws_iam_role.cluster.arn
  deletion_protection = true

  # CNI, kube-proxy and CoreDNS come as add-ons of a known version.
  bootstrap_self_managed_addons = false

  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.cluster.arn
    }
  }

  kubernetes_network_config {
    ip_family         = "ipv4"
    service_ipv4_cidr = local.service_range
  }

  # Without it the cluster slides into extended support, at six times the price.
  upgrade_policy {
    support_type = "STANDARD"
  }

  vpc_config {
    subnet_ids              = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
    endpoint_private_access = true

    # Only the ranges that the blueprint names come in, and never everybody.
    #trivy:ignore:AWS-0040
    endpoint_public_access = true

    # The same.
    #trivy:ignore:AWS-0041
    public_access_cidrs = ["198.51.100.0/24"]
  }

  # The role keeps its rights until the cluster has removed its network interfaces.
  depends_on = [
    aws_cloudwatch_log_group.cluster,
    aws_iam_role_policy.cluster,
    aws_iam_role_policy_attachment.cluster,
  ]
}

resource "aws_eks_access_entry" "administrator" {
  for_each = toset(local.administrators)

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = each.key
}

resource "aws_eks_access_policy_association" "administrator" {
  for_each = toset(local.administrators)

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = aws_eks_access_entry.administrator[each.key].principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}
