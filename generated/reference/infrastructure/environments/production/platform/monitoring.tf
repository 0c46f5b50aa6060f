# Written by blueprint. Change the blueprint instead.

# The password of Grafana's administrator: generated in an apply, written to Parameter Store, and in no plan and no state. It has a
# number, `grafana-password-version` in the blueprint. A new password is a new parameter, and the one before it stays for
# Grafana until the manifests name the new one.

locals {
  grafana_passwords = toset(["1"])
}

ephemeral "random_password" "grafana" {
  for_each = local.grafana_passwords

  length  = 40
  special = false
}

resource "aws_ssm_parameter" "grafana_password" {
  for_each = local.grafana_passwords

  name             = "${local.parameters}/monitoring/grafana/${each.key}/admin-password"
  type             = "SecureString"
  tier             = "Standard"
  key_id           = aws_kms_key.parameters.arn
  value_wo         = ephemeral.random_password.grafana[each.key].result
  value_wo_version = 1

  # AWS takes a change of key or tier only together with the value, which is not kept.
  lifecycle {
    ignore_changes = [key_id, tier]
  }
}
