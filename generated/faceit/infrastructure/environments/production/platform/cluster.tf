# Written by blueprint. Change the blueprint instead.

locals {
  kubernetes_version = "1.36"
  service_range      = "172.20.0.0/16"

  # IAM principals with cluster administrator permissions. The apply role has them only through this list: the implicit permissions
  # of the cluster creator, which no access entry shows, are disabled.
  administrators = [
    local.apply_role,
    "arn:aws:iam::111122223333:role/platform-team",
  ]
}

# Created before the cluster. Otherwise EKS creates the log group, without encryption and retention, and it stays when the
# cluster is deleted.
resource "aws_cloudwatch_log_group" "cluster" {
  name              = local.log_groups.cluster
  kms_key_id        = aws_kms_key.logs.arn
  retention_in_days = 365
}

resource "aws_eks_cluster" "main" {
  # checkov:skip=CKV_AWS_339:The list of versions in this check does not contain 1.36, which is in standard support
  name                = local.name
  version             = local.kubernetes_version
  role_arn            = aws_iam_role.cluster.arn
  deletion_protection = true

  # VPC CNI, kube-proxy and CoreDNS are installed as add-ons with pinned versions (addons.tf).
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

  # When standard support of its version ends, EKS upgrades the cluster. The default, EXTENDED, costs six times as much per hour.
  upgrade_policy {
    support_type = "STANDARD"
  }

  vpc_config {
    subnet_ids              = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
    endpoint_private_access = true
    endpoint_public_access  = false
  }

  # On destroy, the role must keep its permissions until the cluster has deleted its network interfaces.
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
