locals {
  # What a node needs to become Ready and to give its pods an identity.
  addons_before_nodes = {
#%- for it in before %#
    "#{ it.name }#" = {
      version = "#{ it.version }#"
#%- if let Some(role) = it.role %#
      role = aws_iam_role.#{ role }#.arn
#%- else %#
      role = null
#%- endif %#
#%- if let Some(configuration) = it.configuration %#
      configuration = jsonencode(#{ configuration.clone()|code }#)
#%- else %#
      configuration = null
#%- endif %#
    }
#%- endfor %#
  }

  # What runs as pods on nodes, and is degraded without them.
  addons_after_nodes = {
#%- for it in after %#
    "#{ it.name }#" = {
      version = "#{ it.version }#"
#%- if let Some(role) = it.role %#
      role = aws_iam_role.#{ role }#.arn
#%- else %#
      role = null
#%- endif %#
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
  service_account_role_arn    = each.value.role
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  # An add-on that leaves this list leaves its pods behind: a node without CNI loses the network and its interfaces leak.
  preserve = true

  # Without its rights an add-on never becomes active.
  depends_on = [
#%- for it in before %#
#%- if let Some(role) = it.role %#
    aws_iam_role_policy.#{ role }#,
#%- endif %#
#%- endfor %#
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
#%- for it in after %#
#%- if let Some(role) = it.role %#
    aws_iam_role_policy.#{ role }#,
#%- endif %#
#%- endfor %#
  ]
}
