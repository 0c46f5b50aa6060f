locals {
  # Add-ons that nodes need to become Ready, and that pods need to get credentials.
  addons_before_nodes = {
#%- for it in before %#
    "#{ it.name }#" = {
      version = "#{ it.version }#"
#%- match it.identity %#
#%- when Some with (identity) %#
      service_account = "#{ identity.service_account }#"
      role = aws_iam_role.#{ identity.resource() }#.arn
#%- when None %#
      service_account = null
      role = null
#%- endmatch %#
#%- if let Some(configuration) = it.configuration %#
      configuration = jsonencode(#{ configuration.clone()|code }#)
#%- else %#
      configuration = null
#%- endif %#
    }
#%- endfor %#
  }

  # Add-ons whose pods need nodes: without nodes EKS reports them as degraded.
  addons_after_nodes = {
#%- for it in after %#
    "#{ it.name }#" = {
      version = "#{ it.version }#"
#%- match it.identity %#
#%- when Some with (identity) %#
      service_account = "#{ identity.service_account }#"
      role = aws_iam_role.#{ identity.resource() }#.arn
#%- when None %#
      service_account = null
      role = null
#%- endmatch %#
#%- if let Some(configuration) = it.configuration %#
      configuration = jsonencode(#{ configuration.clone()|code }#)
#%- else %#
      configuration = null
#%- endif %#
    }
#%- endfor %#
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.addons_before_nodes

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = each.value.version
#%- if !environment.pod_identity() %#
  service_account_role_arn = each.value.role
#%- endif %#
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
#%- if environment.pod_identity() %#

  dynamic "pod_identity_association" {
    for_each = each.value.service_account == null ? {} : { (each.value.service_account) = each.value.role }

    content {
      service_account = pod_identity_association.key
      role_arn        = pod_identity_association.value
    }
  }
#%- endif %#

  # Keeps the pods running when an add-on is removed from this list: without the VPC CNI, nodes would lose their network, and their
  # network interfaces would never be deleted.
  preserve = true

  # An add-on becomes active only after its role has its permissions.
  depends_on = [
#%- for it in before %#
#%- if let Some(identity) = it.identity %#
    aws_iam_role_policy.#{ identity.resource() }#,
#%- endif %#
#%- endfor %#
  ]
}

resource "aws_eks_addon" "after_nodes" {
  for_each = local.addons_after_nodes

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = each.value.version
#%- if !environment.pod_identity() %#
  service_account_role_arn = each.value.role
#%- endif %#
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
#%- if environment.pod_identity() %#

  dynamic "pod_identity_association" {
    for_each = each.value.service_account == null ? {} : { (each.value.service_account) = each.value.role }

    content {
      service_account = pod_identity_association.key
      role_arn        = pod_identity_association.value
    }
  }
#%- endif %#

  depends_on = [
    aws_eks_node_group.main,
#%- for it in after %#
#%- if let Some(identity) = it.identity %#
    aws_iam_role_policy.#{ identity.resource() }#,
#%- endif %#
#%- endfor %#
  ]
}
